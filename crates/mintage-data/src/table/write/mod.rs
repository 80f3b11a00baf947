//! Tables to wherever they shall go: the mirror of [`read`](super::read). Nothing is ever half-written: a file
//! is renamed when it is whole, a database gets one transaction. Rows come a part at a time, and no more than one
//! part is held.

mod cast;
mod chosen;
mod encode;
mod file;
mod json;
mod parquet;
mod postgres;
mod present;
mod rows;
mod sqlite;
mod text;

use std::{
    cell::Cell,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    Declaration, PgDefaults, Table,
    format::{FileFormat, Format},
    schema::{IdFormat, TableSchema},
};
use crate::{
    Error, Provenance,
    names::path_of,
    store::{PROVENANCE_COLUMN, quoted, sqlite::is_sqlite},
};
pub(crate) use cast::Cast;
pub use encode::encoding_named;
pub(crate) use postgres::{count_on, escaped as copy_escaped};
use rows::Rows;
use text::TextWriter;

pub use chosen::{
    ChosenBatch, ChosenItem, ChosenWritten, FileTrace, Removed, RowTrace, Trace, trace_of_files, undo_chosen,
    write_chosen_items, write_chosen_rows,
};
pub use present::present;

/// What to do when the file or the table is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IfExists {
    /// An error, and nothing is written.
    #[default]
    Fail,
    /// The new rows stand behind those that are there.
    Append,
    /// The new rows take the place of what is there.
    Replace,
}

/// Where a table goes, and how.
pub struct Writing<'a> {
    /// A file, whose suffix tells the format, or a `postgres://` address.
    pub target: &'a str,
    /// Of a database; without it the name of the table itself.
    pub table: Option<&'a str>,
    pub if_exists: IfExists,
    /// What made the rows; without it they bear no mark.
    pub provenance: Option<&'a Provenance>,
    /// Columns of identifiers by their place: where rows are appended, they are made afresh if need be.
    pub ids: &'a [(usize, IdFormat)],
    /// How the columns are written, where that is known: sinks with types get the values.
    pub schema: Option<&'a TableSchema>,
    /// How a new file of delimited text is written.
    pub file: &'a FileFormat,
    pub random: &'a mut dyn FnMut() -> u64,
    /// Where rows are counted that a database refuses, if others come in their place; otherwise the first is an error.
    pub refused: Option<&'a Cell<usize>>,
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
///
/// # Errors
/// Those of [`write_parts`].
pub fn write(table: &Table, how: Writing) -> Result<Written, Error> {
    write_parts(&table.head(), &mut std::iter::once(Ok(table.clone())), how)
}

/// Writes rows as they are made, with the columns of `head`. What can be wrong with the target is found before the
/// first part is asked for.
///
/// # Errors
/// A part cannot be made, or the target is of no format for tables, is there already and may not be, has other columns,
/// or cannot be written.
pub fn write_parts(
    head: &Table,
    parts: &mut dyn Iterator<Item = Result<Table, Error>>,
    mut how: Writing,
) -> Result<Written, Error> {
    let path = &*path_of(how.target);
    let format = if is_sqlite(path) { Some(Format::Sqlite) } else { Format::of(how.target) };
    if head.columns.is_empty() {
        return Err(Error::bad(&head.name, "has no columns to write"));
    }
    let mut rows = Rows::new(head, parts);
    if format.is_some_and(|format| format != Format::Postgres) {
        check_folder(path)?;
    }
    match format {
        Some(Format::Postgres) => postgres::write(&mut rows, &mut how),
        Some(Format::Sqlite) => sqlite::write(&mut rows, path, &mut how),
        Some(format) => file::write(&mut rows, path, format, &mut how),
        None => Err(Error::bad(how.target, "names no format that tables can be written in")
            .with_hint("end it in .csv, .tsv, .jsonl, .parquet or .db, or give a postgres:// address")),
    }
}

/// The folder that a file is to lie in must be there.
fn check_folder(path: &Path) -> Result<(), Error> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        None => Ok(()),
        Some(folder) => {
            Err(Error::bad(path.display().to_string(), "cannot be written: its folder is not there")
                .with_hint(format!("make the folder {} first", folder.display())))
        }
    }
}

/// What rows are written to a stream as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    Csv,
    JsonLines,
    /// Arrow's IPC format.
    Arrow,
}

/// Writes rows to a stream, as they are made; returns how many. `how.file` says how delimited text is written.
///
/// # Errors
/// A part or its identifiers cannot be made, or `out` fails.
pub fn write_text(
    head: &Table,
    parts: &mut dyn Iterator<Item = Result<Table, Error>>,
    kind: TextKind,
    how: &mut Writing,
    out: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<usize, Error> {
    let mut rows = Rows::new(head, parts);
    match kind {
        TextKind::Csv => file::send(&mut rows, Format::Csv, how, out)?,
        TextKind::JsonLines => file::send(&mut rows, Format::JsonLines, how, out)?,
        TextKind::Arrow => parquet::send(&mut rows, how, out)?,
    }
    Ok(rows.written)
}

/// Whether a file of that name is delimited text.
pub fn is_delimited(target: &str) -> bool {
    matches!(Format::of(target), Some(Format::Csv | Format::Tsv))
}

/// Writes a table as CSV, its header first.
///
/// # Errors
/// The stream cannot be written to.
pub fn write_csv(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let writer = TextWriter::new(table, None, Format::Csv, &FileFormat::default());
    let mut text = writer.head(table);
    writer.rows(table, &mut text);
    out.write_all(&text)
}

/// What to do where a database refuses a row.
pub(crate) const NOTHING_WRITTEN: &str = "nothing was written; a model that is trained on this table keeps what the table \
    declares, and `[[data.rules]]` with kind = \"check\" and sql = \"…\" in a recipe says what else must hold";
/// The error of a new file that could not get its name.
fn made_meanwhile(path: &Path, error: io::Error) -> Error {
    if error.kind() != io::ErrorKind::AlreadyExists {
        return Error::io(path)(error);
    }
    Error::bad(path.display().to_string(), "was made by another program in the meantime")
        .with_hint("nothing was written; done once more, the rows are added to it with `if_exists` append")
}

/// The error for a target that is there and was not to be.
fn is_there(place: &str) -> Error {
    Error::bad(place, "is there already").with_hint("choose `if_exists` append or `if_exists` replace")
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
fn create_table(rows: &Rows, target: &str, type_name: fn(&Declaration) -> &str, how: &Writing) -> String {
    let mut parts = Vec::new();
    let table = rows.head;
    for column in &table.columns {
        let declaration = &column.declaration;
        // Where nothing is known, the rows at hand must do.
        let filled = match how.schema.and_then(|schema| schema.column(&column.name)) {
            Some(schema) => schema.missing_count == 0,
            None => rows.first().and_then(|part| part.column(&column.name)).is_some_and(|c| c.missing() == 0),
        };
        let not_null = if declaration.not_null && filled { " NOT NULL" } else { "" };
        let unique = if declaration.unique { " UNIQUE" } else { "" };
        parts.push(format!("{} {}{not_null}{unique}", quoted(&column.name), type_name(declaration)));
    }
    if how.provenance.is_some() {
        parts.push(format!("{} TEXT", quoted(PROVENANCE_COLUMN)));
    }
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
