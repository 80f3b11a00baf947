//! Reads the schema and the rows of a database.

use std::{collections::HashMap, path::PathBuf};

use mintage_data::{
    SourceSpec, Table,
    database::{Schema, Store, table_files},
    is_postgres,
    names::text_of,
    table,
};

use super::{
    families,
    filled::{Database, tied},
};
use crate::error::Error;

#[cfg(test)]
mod tests;

/// How much of a database is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every row.
    Everything,
    /// Whole families of rows, as many as can be held.
    Families,
}

/// The schema and the rows of a database, and notes on what could not be read.
pub(super) type Opened = (Schema, Database, Vec<String>);

/// Reads a database; of `only` some tables where it names any, and none of `without`.
///
/// # Errors
/// The source is no database, cannot be read, or has no such table, nor one that `spec` says something of; or a table that is
/// not left out may not be read.
pub(super) fn read(
    spec: &SourceSpec,
    only: &[String],
    without: &[String],
    extent: Extent,
) -> Result<Opened, Error> {
    let schema = schema_of(spec)?;
    check_chosen(&schema, only, without)?;
    let is_in = |name: &String| (only.is_empty() || only.contains(name)) && !without.contains(name);
    read_tables(schema, spec, &is_in, extent)
}

/// Reads all tables that may be read, with notes on the others.
///
/// # Errors
/// The source is no database, or cannot be read.
pub(super) fn read_readable(spec: &SourceSpec, extent: Extent) -> Result<Opened, Error> {
    let (schema, source, mut notes) = read_tables(schema_of(spec)?, spec, &|_| true, extent)?;
    notes.extend(schema.unreadable.iter().map(|name| format!("{name}: may not be read, and is left out")));
    Ok((schema, source, notes))
}

fn schema_of(spec: &SourceSpec) -> Result<Schema, Error> {
    let path = &*spec.path();
    if !is_postgres(&spec.source) && !path.exists() {
        return Err(Error::folder(path, "there is no such file or folder"));
    }
    Ok(Schema::read(spec)?)
}

/// An error where a table is named that is not there, or one is wanted that may not be read.
fn check_chosen(schema: &Schema, only: &[String], without: &[String]) -> Result<(), Error> {
    let known: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    let is_unknown = |name: &&String| !known.contains(&name.as_str()) && !schema.unreadable.contains(name);
    if let Some(unknown) = only.iter().chain(without).find(is_unknown) {
        let why = format!("the database has no table `{unknown}`");
        return Err(Error::request(why).with_hint(format!("its tables are {}", known.join(", "))));
    }
    let is_wanted = |name: &&String| (only.is_empty() || only.contains(name)) && !without.contains(name);
    let denied: Vec<&str> = schema.unreadable.iter().filter(is_wanted).map(String::as_str).collect();
    if denied.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = denied.iter().map(|name| format!("`{name}`")).collect();
    let hint = format!("--exclude {} leaves out what this user may not read", denied.join(","));
    Err(Error::request(format!("permission denied on {}", names.join(", "))).with_hint(hint))
}

/// The rows of the tables that `is_in` names.
fn read_tables(
    mut schema: Schema,
    spec: &SourceSpec,
    is_in: &dyn Fn(&String) -> bool,
    extent: Extent,
) -> Result<Opened, Error> {
    schema.tables.retain(|table| is_in(&table.name));
    // Before the rows are read, which takes time.
    schema.choices(spec)?;
    let mut notes = Vec::new();
    for table in &mut schema.tables {
        let open = table.foreign_keys.iter().filter(|key| !is_in(&key.parent));
        notes.extend(open.map(|key| {
            let (name, columns) = (&table.name, key.columns.join(", "));
            format!(
                "{name}: `{columns}` refers to `{}`, which is left out: its values are learned",
                key.parent
            )
        }));
        table.foreign_keys.retain(|key| is_in(&key.parent));
    }
    let files = match schema.store {
        Store::Files => table_files(&spec.path())?,
        Store::Sqlite | Store::Postgres => Vec::new(),
    };
    let sampled = match extent {
        Extent::Everything => None,
        Extent::Families => families::sample(&schema, spec, &|table| of_table(spec, table, &files))?,
    };
    if let Some(sampled) = sampled {
        let all = schema.tables.iter().filter_map(|of| sampled.tables.get(&of.name));
        notes.extend(all.flat_map(notes_of));
        notes.extend(sampled.notes);
        let mut source = tied(&schema, sampled.tables);
        for (name, filled) in &mut source {
            filled.learned = sampled.learned.get(name).copied();
            filled.degrees = sampled.degrees.get(name).cloned().unwrap_or_default();
        }
        return Ok((schema, source, notes));
    }
    let mut tables = HashMap::new();
    for of in &schema.tables {
        let rows = match of.rows {
            0 => Table { name: of.name.clone(), ..Table::default() },
            _ => table::read(&with_made(of_table(spec, &of.name, &files), of, schema.store))?,
        };
        let rows = Table { name: of.name.clone(), ..rows };
        notes.extend(notes_of(&rows));
        tables.insert(of.name.clone(), rows);
    }
    let source = tied(&schema, tables);
    Ok((schema, source, notes))
}

/// What was noted while a table was read.
fn notes_of(rows: &Table) -> impl Iterator<Item = String> {
    rows.notes.iter().map(move |note| format!("{}: {note}", rows.name))
}

/// The rows of the tables of `schema` in another database, and notes: some on those that it lacks.
///
/// # Errors
/// The other one is no database, cannot be read, or has none of the tables.
pub(super) fn rows_beside(schema: &Schema, spec: &SourceSpec) -> Result<(Vec<Table>, Vec<String>), Error> {
    let (_, mut there, mut notes) = read_readable(spec, Extent::Everything)?;
    let mut tables = Vec::new();
    for table in &schema.tables {
        match there.remove(&table.name) {
            Some(filled) => tables.push(filled.table),
            None => notes.push(format!("{}: the new database lacks it: it is not judged", table.name)),
        }
    }
    match tables.is_empty() {
        true => Err(Error::request("the two databases have no table of the same name")),
        false => Ok((tables, notes)),
    }
}

/// The source of a table with the rows that Mintage made, where these may be read: of a database a query, since its tables are
/// read without them.
fn with_made(spec: SourceSpec, table: &mintage_data::database::Table, store: Store) -> SourceSpec {
    if !spec.allow_made || store == Store::Files {
        return spec;
    }
    // A query that speaks of them has all of them.
    let query = format!("{} /* also rows that mintage made */", store.select_sql(table));
    SourceSpec { query: Some(query), table: None, ..spec }
}

/// The source of one table: of a folder its file.
pub(super) fn of_table(spec: &SourceSpec, table: &str, files: &[(String, PathBuf)]) -> SourceSpec {
    // What is said of several tables has no place there.
    let (keys, keep, learn) = Default::default();
    let spec = SourceSpec { keys, keep, learn, limit: None, ..spec.clone() };
    match files.iter().find(|(name, _)| name == table) {
        Some((_, path)) => SourceSpec { source: text_of(path.as_os_str()), table: None, ..spec },
        None => SourceSpec { table: Some(table.to_owned()), ..spec },
    }
}
