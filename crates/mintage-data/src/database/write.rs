//! A whole database written somewhere: the tables of a schema, and rows for all of them.
//!
//! ```text
//!              new, replace          append
//! SQLite file  sqlite.rs, file.rs    sqlite.rs  ◄─ renumber: keys go on after those that are there
//! PostgreSQL   postgres.rs           postgres.rs
//! ```
//!
//! Nothing is ever half-written: a new file lies beside its place until it is whole, and everything else is one transaction,
//! also where rows come in parts, of which one is held at a time. In the end all keys hold. While rows go in, nobody watches
//! the keys; afterwards every row that refers to nothing is taken out again. Done so, a key may lead in a circle or miss its
//! index, and no `ON DELETE` changes or keeps a row behind our back.
//!
//! A row that a table refuses by what it declares (a key, a condition, a type) is left out and counted. What is found by
//! writing alone, such as a trigger that raises an error, ends it: then nothing is written.
//!
//! A store of the same kind as that of the source is made by its own statements, or by all that the schema knows of it; in
//! another one types, conditions and defaults are translated, and what cannot be is said. Views and virtual tables are left
//! out, and triggers that speak of them.

mod copy;
mod ddl;
mod expression;
mod file;
mod pg_ddl;
mod postgres;
mod renumber;
mod sqlite;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::borrow::Cow;

use serde::Serialize;

use super::{ForeignKey, Schema, Table, listed};
use crate::{
    Error,
    error::suggestion,
    names::path_of,
    store::postgres::is_address,
    table::{self, IfExists, PgDefaults},
};
pub use file::check_another_place;

/// Cells of a row that a message shows, and characters of each.
const MAX_SHOWN_CELLS: usize = 5;
const MAX_SHOWN_CHARS: usize = 40;

/// The rows of one table on their way into a database. Columns that are not there get their default, or NULL; those that
/// may not be NULL and have no default, an empty value.
#[derive(Clone, Debug)]
pub struct Rows {
    /// As the schema spells it.
    pub table: String,
    pub rows: table::Table,
    /// They are those of the source: where a database has such a row by its key, it is not added once more.
    pub is_kept: bool,
}

/// Where a database goes, and how.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseWriting<'a> {
    /// A SQLite file, or a `postgres://` address.
    pub target: &'a str,
    pub if_exists: IfExists,
    /// What made the rows, for the column `mintage` of tables with rows; without it they bear no mark.
    pub provenance: Option<&'a str>,
    pub pg: &'a PgDefaults,
}

/// What became of the rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableWritten {
    pub table: String,
    /// Rows that are in the database now.
    pub rows: u64,
    /// Rows that are not: the database refused them, or they referred to a row that is not there.
    pub refused: u64,
    /// Why the first of them was refused.
    pub why: Option<String>,
    /// Rows of a kept table that were there before.
    pub present: u64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenDatabase {
    /// The file, or the server and its database without a password.
    pub place: String,
    /// Every table of the schema, in its order, those without rows too.
    pub tables: Vec<TableWritten>,
    /// What of the source's schema the database does not have, such as a condition that its store does not understand.
    pub notes: Vec<String>,
}

/// Writes the tables of `schema` with the rows of `all`. Tables with rows get the column `mintage`, with the text of
/// `provenance` in each of them.
///
/// What is there already is kept and makes an error, is added to, or is replaced, as `if_exists` says: of SQLite the whole
/// file, of PostgreSQL the tables that have the names of those of the schema. Where rows are added, keys that are whole
/// numbers go on after the largest. That the target is not the source, the schema cannot tell: see [`check_another_place`].
///
/// # Errors
/// `all` has a table or a column that the schema does not have, the target is there and may not be replaced, lacks a table
/// that is to be added to, a statement of the schema fails, a trigger or the like refuses a row, or the target cannot be
/// written. Then whatever was there stays as it was.
pub fn write_database(
    schema: &Schema,
    all: &[Rows],
    how: &DatabaseWriting,
) -> Result<WrittenDatabase, Error> {
    check_names(schema, how)?;
    check_rows(schema, all)?;
    write(schema, Parts { first: Some(Cow::Borrowed(all)), more: &mut || Ok(None) }, how)
}

/// Writes the tables of `schema` with rows that come in parts, as [`write_database`] does: `next` gives one part after another,
/// and nothing after the last. The first has every table that gets rows, if without any yet. Rows refer to those of their own
/// part and of parts before; keys that are whole numbers go on from part to part.
///
/// # Errors
/// Those of `next`, and those of [`write_database`]. Then whatever was there stays as it was.
pub fn write_database_parts<E: From<Error>>(
    schema: &Schema,
    next: &mut dyn FnMut() -> Result<Option<Vec<Rows>>, E>,
    how: &DatabaseWriting,
) -> Result<WrittenDatabase, E> {
    // Before rows are drawn, which takes time.
    check_names(schema, how)?;
    let first = next()?.unwrap_or_default();
    check_rows(schema, &first)?;
    let tables: Vec<String> = first.iter().map(|rows| rows.table.clone()).collect();
    // What ends the writing though it is no matter of it.
    let mut failure = None;
    let mut more = || -> Result<Option<Vec<Rows>>, Error> {
        let part = next().map_err(|error| {
            failure = Some(error);
            Error::bad(how.target, "gets no more rows")
        })?;
        if let Some(all) = &part {
            check_rows(schema, all)?;
            if let Some(late) = all.iter().find(|rows| !tables.contains(&rows.table)) {
                return Err(Error::bad(&late.table, "has rows in a later part, and is not in the first"));
            }
        }
        Ok(part)
    };
    let written = write(schema, Parts { first: Some(Cow::Owned(first)), more: &mut more }, how);
    match failure {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

/// Rows that are written, part by part.
struct Parts<'a> {
    /// Until it is taken.
    first: Option<Cow<'a, [Rows]>>,
    more: &'a mut dyn FnMut() -> Result<Option<Vec<Rows>>, Error>,
}

impl<'a> Parts<'a> {
    /// The first part, until it is taken.
    fn first(&self) -> &[Rows] {
        self.first.as_deref().unwrap_or_default()
    }

    /// The next part; nothing after the last.
    ///
    /// # Errors
    /// There should be one, and is none.
    fn take_next(&mut self) -> Result<Option<Cow<'a, [Rows]>>, Error> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => Ok((self.more)()?.map(Cow::Owned)),
        }
    }
}

fn write(schema: &Schema, parts: Parts, how: &DatabaseWriting) -> Result<WrittenDatabase, Error> {
    if is_address(how.target) {
        return postgres::write(schema, parts, how);
    }
    let path = &*path_of(how.target);
    match how.if_exists {
        IfExists::Append => sqlite::append(schema, parts, path, how.provenance),
        _ => sqlite::write(schema, parts, path, how),
    }
}

/// An error where a new database cannot have two names that the source has.
fn check_names(schema: &Schema, how: &DatabaseWriting) -> Result<(), Error> {
    match is_address(how.target) || how.if_exists == IfExists::Append {
        true => Ok(()),
        false => sqlite::check_names(schema, &path_of(how.target)),
    }
}

/// An error where rows have no place in the schema.
fn check_rows(schema: &Schema, all: &[Rows]) -> Result<(), Error> {
    let hinted = |error: Error, hint: Option<String>| match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    };
    for Rows { table: name, rows, .. } in all {
        let Some(table) = schema.table(name) else {
            let names = schema.tables.iter().map(|table| table.name.as_str());
            return Err(hinted(Error::bad(name, "is no table of the database"), suggestion(name, names)));
        };
        if let Some(column) = rows.names().find(|column| table.column(column).is_none()) {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let error = Error::bad(name, format!("has no column `{column}`"));
            return Err(hinted(error, suggestion(column, names)));
        }
    }
    Ok(())
}

/// A count of nothing for every table.
fn none_written(schema: &Schema) -> Vec<TableWritten> {
    let none = |table: &Table| TableWritten { table: table.name.clone(), ..TableWritten::default() };
    schema.tables.iter().map(none).collect()
}

impl TableWritten {
    fn refuse(&mut self, rows: u64, why: impl FnOnce() -> String) {
        self.refused += rows;
        if self.why.is_none() {
            self.why = Some(why());
        }
    }

    /// Takes back rows that refer to nothing.
    fn lose(&mut self, rows: u64, key: &ForeignKey) {
        self.refuse(rows, || format!("its {} refers to no row of {}", listed(&key.columns), key.parent));
        self.rows = self.rows.saturating_sub(rows);
    }
}

/// The first cells of a row, for messages: "id=3, name=Ann".
fn shown_cells<'a>(columns: impl Iterator<Item = &'a table::Column>, row: usize) -> String {
    let shown = |column: &table::Column| {
        let text = column.cell(row).unwrap_or("NULL");
        let mut letters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let start: String = letters.by_ref().take(MAX_SHOWN_CHARS).collect();
        let more = if letters.next().is_some() { "…" } else { "" };
        format!("{}={start}{more}", column.name)
    };
    columns.take(MAX_SHOWN_CELLS).map(shown).collect::<Vec<_>>().join(", ")
}

/// The error with the promise that nothing is changed.
fn nothing_written(error: Error) -> Error {
    const NOTHING: &str = "nothing was written";
    match error.hint() {
        Some(hint) if hint.contains(NOTHING) => error,
        Some(hint) => error.with_hint(format!("{NOTHING}; {hint}")),
        None => error.with_hint(NOTHING),
    }
}

/// The error where tables that rows are to be added to are not there.
fn check_none_missing(place: &str, missing: &[String]) -> Result<(), Error> {
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let (what, are) = if missing.len() == 1 { ("table", "is") } else { ("tables", "are") };
    let why = format!("cannot be added to: the {what} {} {are} not there", names.join(", "));
    Err(Error::bad(place, why).with_hint("make them first, or write to a new database; nothing was written"))
}
