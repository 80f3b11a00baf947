//! Tables to wherever they shall go: the mirror of [`read`](super::read). Nothing is ever half-written: a file
//! is renamed when it is whole, a database gets one transaction.

mod file;
mod ids;
mod json;
mod parquet;
mod postgres;
mod sqlite;

use std::{
    io::{self, Write},
    path::Path,
};

use super::{Declaration, PgDefaults, Table, csv, format::Format, schema::IdFormat};
use crate::{
    Error, Provenance,
    source::sqlite::{PROVENANCE_COLUMN, is_sqlite, quoted},
};

/// What to do when the file or the table is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    #[default]
    Fail,
    Append,
    Replace,
}

/// Where a table goes, and how.
pub struct Writing<'a> {
    /// A file, whose suffix tells the format, or a `postgres://` address.
    pub target: &'a str,
    /// Of a database; without it the name of the table itself.
    pub table: Option<&'a str>,
    pub if_exists: IfExists,
    pub provenance: &'a Provenance,
    /// Columns of identifiers by their place: where rows are appended, they are made afresh if need be.
    pub ids: &'a [(usize, IdFormat)],
    pub random: &'a mut dyn FnMut() -> u64,
    pub pg: &'a PgDefaults,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub rows: usize,
    /// The file, or the table and its database without a password.
    pub place: String,
}

/// Writes all rows of a table.
pub fn write(table: &Table, mut how: Writing) -> Result<Written, Error> {
    let path = Path::new(how.target);
    let format = if is_sqlite(path) { Some(Format::Sqlite) } else { Format::of(how.target) };
    if table.columns.is_empty() {
        return Err(Error::bad(&table.name, "has no columns to write"));
    }
    match format {
        Some(Format::Postgres) => postgres::write(table, &mut how),
        Some(Format::Sqlite) => sqlite::write(table, path, &mut how),
        Some(format) => file::write(table, path, format, &mut how),
        None => Err(Error::bad(how.target, "names no format that tables can be written in")
            .with_hint("end it in .csv, .tsv, .jsonl, .parquet or .db, or give a postgres:// address")),
    }
}

/// Writes a table as CSV, its header first.
pub fn write_csv(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    write_header(table, csv::Dialect::COMMA, out)?;
    write_records(table, csv::Dialect::COMMA, out)
}

fn write_header(table: &Table, dialect: csv::Dialect, out: &mut dyn Write) -> io::Result<()> {
    csv::write_record(out, dialect, table.names().map(Some))
}

fn write_records(table: &Table, dialect: csv::Dialect, out: &mut dyn Write) -> io::Result<()> {
    (0..table.rows()).try_for_each(|row| csv::write_record(out, dialect, cells(table, row)))
}

/// The cells of one row.
fn cells(table: &Table, row: usize) -> impl Iterator<Item = Option<&str>> {
    table.columns.iter().map(move |column| column.cell(row))
}

/// The error for a target that is there and was not to be.
fn is_there(place: &str) -> Error {
    Error::bad(place, "is there already").with_hint("choose --if-exists append or --if-exists replace")
}

/// What a target that rows are appended to must have: the columns `ours`, and none besides that must be
/// filled.
fn check_columns(place: &str, ours: &Table, theirs: &[String], required: &[String]) -> Result<(), Error> {
    let shown =
        |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let lacking: Vec<&str> = ours.names().filter(|name| !theirs.iter().any(|their| their == name)).collect();
    if !lacking.is_empty() {
        return Err(Error::bad(place, format!("has other columns: it lacks {}", shown(lacking)))
            .with_hint(format!("it has {}", shown(theirs.iter().map(String::as_str).take(30).collect()))));
    }
    let unfilled = required.iter().map(String::as_str).filter(|name| ours.column(name).is_none());
    let unfilled: Vec<&str> = unfilled.filter(|&name| name != PROVENANCE_COLUMN).collect();
    if unfilled.is_empty() {
        return Ok(());
    }
    let why = format!("has other columns: {} must have a value, and no row has one", shown(unfilled));
    Err(Error::bad(place, why).with_hint("give the column a default, or write to another table"))
}

/// The SQL that makes `target` with the columns of a table, their keys, and the column `mintage`.
fn create_table(table: &Table, target: &str, type_name: fn(&Declaration) -> &str) -> String {
    let mut parts = Vec::new();
    for column in &table.columns {
        let declaration = &column.declaration;
        let not_null = if declaration.not_null && column.missing() == 0 { " NOT NULL" } else { "" };
        let unique = if declaration.unique { " UNIQUE" } else { "" };
        parts.push(format!("{} {}{not_null}{unique}", quoted(&column.name), type_name(declaration)));
    }
    parts.push(format!("{} TEXT", quoted(PROVENANCE_COLUMN)));
    let keys = table.columns.iter().filter(|column| column.declaration.primary_key);
    let keys: Vec<String> = keys.map(|column| quoted(&column.name)).collect();
    if !keys.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", keys.join(", ")));
    }
    format!("CREATE TABLE {target} ({})", parts.join(", "))
}

/// A database keeps the provenance in a column of this name.
fn check_no_provenance_column(table: &Table) -> Result<(), Error> {
    match table.column(PROVENANCE_COLUMN) {
        None => Ok(()),
        Some(_) => Err(Error::bad(&table.name, format!("has a column `{PROVENANCE_COLUMN}`"))
            .with_hint("the name is kept for what made a row: rename the column")),
    }
}
