//! Rows and items that a user chose from what a model made: a few, each with what made it. They are shown as the database
//! will hold them before they are written, written in one transaction, and found again by their mark, to be removed.
//!
//! To show them, a database is given them and told to forget them again: its keys, defaults, rules and triggers have the
//! last word on what a row becomes. Nothing of that stays, but for what a trigger does outside of its database.

mod files;
mod postgres;
mod sqlite;

use std::{collections::HashMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use super::{super::format::Format, IfExists, Rows, Table, Writing, check_folder};
use crate::{
    Error, ItemTable, PgDefaults, Provenance,
    names::{path_of, text_of},
    store::sqlite::is_sqlite,
    table::redacted,
};
pub use files::trace_of_files;

/// Hexadecimal digits of the hash of a row.
const DIGITS: usize = 16;

/// A number of chosen rows or items that are written together.
pub struct ChosenBatch<'a> {
    /// What their marks call it, so that exactly these are found again.
    pub name: &'a str,
    /// What made each of them, in their order.
    pub made_by: &'a [Provenance],
    /// Only show what would be written.
    pub dry_run: bool,
}

/// An item that was chosen, as the bytes of a column.
pub struct ChosenItem {
    /// As a file has them.
    pub bytes: Vec<u8>,
    /// Of a class.
    pub label: Option<String>,
}

/// What was written, or would be.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenWritten {
    /// The file, or the table and its database without a password.
    pub place: String,
    /// Names of the columns, without that of the marks.
    pub columns: Vec<String>,
    /// Each row's cells: a number, a text, `true` or `false`, nothing, or `{"media": "image", "bytes": 512}`.
    pub rows: Vec<Vec<Value>>,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
    /// What is needed to take it back.
    pub trace: Trace,
}

/// Where a batch was written, and what it changed besides: what [`undo_chosen`] needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trace {
    /// Rows of a database.
    Rows(RowTrace),
    /// A file or a folder.
    Files(FileTrace),
}

/// Rows of a database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowTrace {
    /// A SQLite file or the address of a server, without its password.
    pub target: String,
    pub table: String,
    /// Whose cells are hashed.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Sixteen hexadecimal digits a row, as it was when it had been written.
    #[serde(default)]
    pub hashes: String,
    /// Of a table that was made for the batch: how it was declared then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_table: Option<String>,
    /// Whether the column of the marks was added to a table that was there.
    #[serde(default)]
    pub made_column: bool,
    /// Whether the file of the database was made for the batch.
    #[serde(default)]
    pub made_file: bool,
}

/// A file or a folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileTrace {
    /// Of the file or the folder.
    pub path: String,
    /// Whether nothing was in its place before.
    pub is_new: bool,
    /// Every file and the hash of its bytes; below a folder, relative to it.
    pub files: Vec<(String, String)>,
}

/// What was taken back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removed {
    /// How many rows or items.
    pub rows: usize,
    /// Nothing of the batch is left where it was written.
    pub all: bool,
    /// Where they were.
    pub place: String,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
}

impl Trace {
    /// What is known of a batch before its rows are written to a table.
    pub fn of_rows(target: &str, table: &str) -> Self {
        Self::Rows(RowTrace { target: lasting(target), table: table.to_owned(), ..RowTrace::default() })
    }

    /// The same of a file or a folder.
    pub fn of_path(path: &Path) -> Self {
        Self::Files(FileTrace { path: lasting_path(path), ..FileTrace::default() })
    }
}

/// Writes rows that were chosen, in one transaction. Identifiers are made afresh where the target has rows, as
/// [`write`](super::write()) does.
///
/// # Errors
/// There are not as many makers as rows, the target is no place for rows, has other columns, is to be replaced, or refuses a
/// row: then nothing is written.
pub fn write_chosen_rows(
    table: &Table,
    batch: &ChosenBatch,
    mut how: Writing,
) -> Result<ChosenWritten, Error> {
    check(table.rows(), batch)?;
    if how.if_exists == IfExists::Replace {
        return Err(Error::bad(redacted(how.target), "cannot be replaced by rows that were chosen")
            .with_hint("what is replaced could not be put back: add the rows to it, or write elsewhere"));
    }
    if table.columns.is_empty() {
        return Err(Error::bad(&table.name, "has no columns to write"));
    }
    let path = &*path_of(how.target);
    let format = if is_sqlite(path) { Some(Format::Sqlite) } else { Format::of(how.target) };
    if format.is_some_and(|format| format != Format::Postgres) {
        check_folder(path)?;
    }
    let head = table.head();
    let mut parts = std::iter::once(Ok(table.clone()));
    let mut rows = Rows::new(&head, &mut parts);
    match format {
        Some(Format::Postgres) => postgres::write_rows(&mut rows, &mut how, batch),
        Some(Format::Sqlite) => sqlite::write_rows(&mut rows, path, &mut how, batch),
        Some(format) => files::write_rows(&mut rows, path, format, &mut how, batch),
        None => Err(Error::bad(how.target, "names no format that tables can be written in")
            .with_hint("end it in .csv, .tsv, .jsonl, .parquet or .db, or give a postgres:// address")),
    }
}

/// Adds items that were chosen to a table, a row each, in one transaction. `media` says what they are: "image".
///
/// # Errors
/// There are not as many makers as items, or the table does not take them: then nothing is written.
pub fn write_chosen_items(
    to: &ItemTable,
    items: &[ChosenItem],
    media: &str,
    batch: &ChosenBatch,
) -> Result<ChosenWritten, Error> {
    check(items.len(), batch)?;
    match to.is_on_server() {
        true => postgres::write_items(to, items, media, batch),
        false => sqlite::write_items(to, items, media, batch),
    }
}

/// Takes a batch back: removes exactly the rows that bear its name, in one transaction, or the files that it made, if they
/// are as they were.
///
/// # Errors
/// The database cannot be opened, or does not let the rows go: other rows refer to them, a trigger refuses. Then nothing was
/// removed.
pub fn undo_chosen(trace: &Trace, batch: &str, pg: &PgDefaults) -> Result<Removed, Error> {
    match trace {
        Trace::Rows(trace) if crate::is_postgres(&trace.target) => postgres::undo(trace, batch, pg),
        Trace::Rows(trace) => sqlite::undo(trace, batch),
        Trace::Files(trace) => files::undo(trace),
    }
}

fn check(rows: usize, batch: &ChosenBatch) -> Result<(), Error> {
    if batch.made_by.len() == rows {
        return Ok(());
    }
    Err(Error::bad("batch", format!("has {rows} rows, and {} that say what made them", batch.made_by.len())))
}

/// What stands in the column `mintage` of a row: what made it, and the batch.
fn mark(made_by: &Provenance, batch: &str) -> String {
    let mut json = serde_json::to_value(made_by).unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("batch".to_owned(), batch.into());
    }
    json.to_string()
}

/// Whether a mark is of the batch, however its JSON is spelled by now.
fn is_of(mark: &str, batch: &str) -> bool {
    let json: Option<Value> = serde_json::from_str(mark).ok();
    json.is_some_and(|json| json.get("batch").and_then(Value::as_str) == Some(batch))
}

/// A row of the batch as its table holds it.
struct Found {
    /// What the database calls the row; nothing where it has no name for it.
    key: Option<String>,
    mark: String,
    cells: Vec<Cell>,
}

/// A cell as a database holds it.
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Boolean(bool),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    /// `media`: what bytes are.
    fn to_json(&self, media: &str) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => (*number).into(),
            Self::Real(number) => {
                serde_json::Number::from_f64(*number).map_or_else(|| number.to_string().into(), Value::Number)
            }
            Self::Boolean(yes) => (*yes).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(bytes) => serde_json::json!({ "media": media, "bytes": bytes.len() }),
        }
    }

    fn hash_into(&self, hash: &mut Xxh3) {
        let mut add = |tag: u8, bytes: &[u8]| {
            hash.update(&[tag]);
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Null => add(0, &[]),
            Self::Integer(number) => add(1, &number.to_le_bytes()),
            Self::Real(number) => add(2, &number.to_bits().to_le_bytes()),
            Self::Boolean(yes) => add(3, &[u8::from(*yes)]),
            Self::Text(text) => add(4, text.as_bytes()),
            Self::Bytes(bytes) => add(5, bytes),
        }
    }
}

impl Found {
    fn hash(&self) -> String {
        let mut hash = Xxh3::new();
        self.cells.iter().for_each(|cell| cell.hash_into(&mut hash));
        format!("{:016x}", hash.digest())
    }
}

/// What was done to the place of a batch besides its rows.
struct Changes {
    made_table: Option<String>,
    made_column: bool,
    made_file: bool,
}

/// Everything there is to say of rows that were given to a table: `keys` are what the database called them, in their order.
fn written(
    (target, table, place): (&str, &str, String),
    columns: Vec<String>,
    mut found: Vec<Found>,
    keys: &[String],
    (column, media): (&str, &str),
    changes: Changes,
) -> Result<ChosenWritten, Error> {
    if found.len() != keys.len() {
        let why = format!("has {} of {} rows with their mark", found.len(), keys.len());
        return Err(Error::bad(place, why)
            .with_hint("nothing was written: a trigger or a rule of the table changes or drops them"));
    }
    let order: HashMap<&str, usize> = keys.iter().enumerate().map(|(i, key)| (key.as_str(), i)).collect();
    // What a trigger has changed once more may have another name by now.
    let place_of = |row: &Found| row.key.as_deref().and_then(|key| order.get(key).copied());
    let is_known = found.iter().all(|row| place_of(row).is_some());
    found.sort_by_key(|row| place_of(row).unwrap_or(usize::MAX));
    let medium = |name: &str| if name == column { media } else { "blob" };
    let row = |found: &Found| {
        found.cells.iter().zip(&columns).map(|(cell, name)| cell.to_json(medium(name))).collect()
    };
    let rows = found.iter().map(row).collect();
    let hashes = found.iter().map(Found::hash).collect();
    let mut notes = vec!["their column `mintage` says what made them; training leaves them out".to_owned()];
    if !is_known {
        notes.push("they are shown in the order in which the table has them".to_owned());
    }
    if changes.made_column {
        notes.push("the table gets the column `mintage`".to_owned());
    }
    let Changes { made_table, made_column, made_file } = changes;
    let trace = RowTrace {
        target: lasting(target),
        table: table.to_owned(),
        columns: columns.clone(),
        hashes,
        made_table,
        made_column,
        made_file,
    };
    Ok(ChosenWritten { place, columns, rows, notes, trace: Trace::Rows(trace) })
}

/// What there is to say of rows that are taken back, before they are.
fn notes_of(trace: &RowTrace, found: &[Found], all_columns: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let written = trace.hashes.len() / DIGITS;
    if written > found.len() {
        notes.push(format!("{} of them were gone already, or bear no mark any more", written - found.len()));
    }
    if trace.hashes.is_empty() {
        return notes;
    }
    if !all_columns {
        notes.push("the table has other columns by now: how many were changed cannot be told".to_owned());
        return notes;
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for at in 0..written {
        // A record that was cut in the middle of a letter knows nothing.
        let hash = trace.hashes.get(at * DIGITS..(at + 1) * DIGITS).unwrap_or_default();
        *left.entry(hash).or_default() += 1;
    }
    let mut changed = 0;
    for row in found {
        match left.get_mut(row.hash().as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => changed += 1,
        }
    }
    if changed > 0 {
        notes.push(format!("{changed} of them had been changed since they were written"));
    }
    notes
}

/// The marks of the rows, each once.
fn marks_of(found: &[Found]) -> Vec<String> {
    let mut marks: Vec<String> = found.iter().map(|row| row.mark.clone()).collect();
    marks.sort();
    marks.dedup();
    marks
}

/// An error for rows that other rows would follow.
fn is_referred_to(place: &str, table: &str) -> Error {
    let why =
        format!("rows of `{table}` refer to rows of this batch, and would be removed or changed with them");
    Error::bad(place, why).with_hint("nothing was removed: remove those first, or let them refer to others")
}

/// An error for rows that the database keeps because others refer to them.
fn is_kept(place: &str, error: &str) -> Error {
    let why = format!("does not let the rows go: {error}");
    Error::bad(place, why)
        .with_hint("nothing was removed: other rows refer to them, or a rule of the table keeps them")
}

/// A target as it is still found from another folder, without a password.
fn lasting(target: &str) -> String {
    match crate::is_postgres(target) {
        true => redacted(target),
        false => lasting_path(&path_of(target)),
    }
}

fn lasting_path(path: &Path) -> String {
    text_of(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).as_os_str())
}
