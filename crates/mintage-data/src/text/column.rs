//! A column of a table as texts, a row a document.

use std::collections::HashSet;

use crate::{
    Column, Error, SourceSpec, Table,
    store::{
        quoted,
        sqlite::{is_sqlite, open_read_only, tables},
    },
    table::{MISSING, Type, is_database, read},
};

/// Values that tell whether a column is running text.
const SAMPLED_VALUES: usize = 200;
/// Characters that running text has on average, at least.
const MIN_MEAN_CHARACTERS: usize = 60;
/// The label of rows without one.
const NO_LABEL: &str = "(missing)";

#[derive(Debug)]
pub(super) struct TextColumn {
    table: String,
    column: Column,
    /// Rows that have a text.
    rows: Vec<u32>,
    pub labels: Option<Vec<String>>,
    pub bytes: u64,
    pub notes: Vec<String>,
}

impl TextColumn {
    /// Opens the column of texts that `spec` names, or else the only one that holds running text.
    ///
    /// # Errors
    /// The table cannot be read, a column is not there, is empty or is text and label at once, or no single column
    /// holds running text.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let mut notes = Vec::new();
        let name = match &spec.column {
            Some(name) => name.clone(),
            None => choose(spec, &mut notes)?,
        };
        let mut table = read_columns(spec, &name)?;
        notes.append(&mut table.notes);
        let labels = label_of(spec).map(|label| take(&mut table, label, spec)).transpose()?;
        let column = take(&mut table, &name, spec)?;
        let mut own = Self::of(table.name, column, labels.as_ref());
        match own.column.len() - own.rows.len() {
            0 => {}
            n if n == own.column.len() => {
                return Err(Error::bad(&spec.source, format!("column `{name}` is empty in every row")));
            }
            1 => notes.push("1 row without a text was left out".to_owned()),
            n => notes.push(format!("{n} rows without a text were left out")),
        }
        own.notes = notes;
        Ok(own)
    }

    /// The texts of a column of a table that was read, each with the label of its row.
    pub fn of(table: String, column: Column, labels: Option<&Column>) -> Self {
        let rows: Vec<u32> = (0..column.len() as u32).filter(|&row| has_text(&column, row)).collect();
        let bytes =
            rows.iter().filter_map(|&row| column.cell(row as usize)).map(|cell| cell.len() as u64).sum();
        let label = |labels: &Column, row: u32| labels.cell(row as usize).unwrap_or(NO_LABEL).to_owned();
        let labels = labels.map(|labels| rows.iter().map(|&row| label(labels, row)).collect());
        Self { table, column, rows, labels, bytes, notes: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn name(&self, item: usize) -> String {
        format!("row {} of {}.{}", self.rows[item] + 1, self.table, self.column.name)
    }

    pub fn text(&self, item: usize) -> &str {
        self.column.cell(self.rows[item] as usize).unwrap_or_default()
    }

    /// The table and the column.
    pub fn place(&self) -> (&str, &str) {
        (&self.table, &self.column.name)
    }
}

/// Whether the only column that `spec` asks for holds running text.
pub(crate) fn is_of_texts(spec: &SourceSpec) -> Result<bool, Error> {
    let table = sample(spec)?;
    Ok(matches!(&table.columns[..], [only] if is_running_text(only)))
}

fn label_of(spec: &SourceSpec) -> Option<&str> {
    spec.label.as_deref().filter(|_| !spec.no_labels())
}

/// Reads the column `name` and the one of the labels, or all where a comma in a name forbids to list them.
fn read_columns(spec: &SourceSpec, name: &str) -> Result<Table, Error> {
    let label = label_of(spec);
    if label == Some(name) {
        return Err(Error::bad(&spec.source, format!("column `{name}` cannot be text and label at once")));
    }
    let wanted = match label {
        None => Some(name.to_owned()),
        Some(label) if name.contains(',') || label.contains(',') => None,
        Some(label) => Some(format!("{name},{label}")),
    };
    read(&SourceSpec { column: wanted, ..spec.clone() })
}

/// Takes a column out of a table.
fn take(table: &mut Table, name: &str, spec: &SourceSpec) -> Result<Column, Error> {
    match table.columns.iter().position(|column| column.name == name) {
        Some(at) => Ok(table.columns.swap_remove(at)),
        None => Err(Error::bad(&spec.source, format!("has no column `{name}`")).with_hint(
            "texts come from one column: name it with --column, and that of the labels with --label",
        )),
    }
}

fn has_text(column: &Column, row: u32) -> bool {
    column.numbers()[row as usize] != MISSING
        && column.cell(row as usize).is_some_and(|cell| !cell.trim().is_empty())
}

/// The only column that holds running text.
fn choose(spec: &SourceSpec, notes: &mut Vec<String>) -> Result<String, Error> {
    let table = sample(spec)?;
    let candidates = table.columns.iter().filter(|column| label_of(spec) != Some(&column.name));
    let found: Vec<&str> = candidates.filter(|c| is_running_text(c)).map(|c| c.name.as_str()).collect();
    let all: Vec<&str> = table.names().take(30).collect();
    match found[..] {
        [only] => {
            notes.push(format!("column `{only}` was chosen: no other holds running text"));
            Ok(only.to_owned())
        }
        [] => Err(Error::bad(&spec.source, "has no column of running text")
            .with_hint(format!("choose a column with --column: {}", all.join(", ")))),
        _ => Err(Error::bad(&spec.source, "has several columns of running text")
            .with_hint(format!("choose one of them with --column: {}", found.join(", ")))),
    }
}

/// Some rows of a table: the first ones of a database, which need not be read whole for it.
fn sample(spec: &SourceSpec) -> Result<Table, Error> {
    let spread = SourceSpec { limit: Some(SAMPLED_VALUES), ..spec.clone() };
    let from = match &spec.query {
        // The line end closes a comment.
        Some(query) if is_database(&spec.source) => {
            Some(format!("({}\n) AS q", query.trim().trim_end_matches(';')))
        }
        _ => table_in_sql(spec)?,
    };
    let first = from.map(|from| SourceSpec {
        query: Some(format!("SELECT * FROM {from} LIMIT {SAMPLED_VALUES}")),
        ..spread.clone()
    });
    // Rows that Mintage made may come first, and be all that is found: then all rows are read.
    match first.map(|first| read(&first)) {
        Some(Ok(table)) => Ok(table),
        _ => read(&spread),
    }
}

/// The table of a database as it is written in SQL, if it is known without a server.
fn table_in_sql(spec: &SourceSpec) -> Result<Option<String>, Error> {
    let path = &*spec.path();
    if !is_sqlite(path) {
        let name = spec.table.as_ref().filter(|_| is_database(&spec.source));
        return Ok(name.map(|name| name.split('.').map(quoted).collect::<Vec<_>>().join(".")));
    }
    if let Some(table) = &spec.table {
        return Ok(Some(quoted(table)));
    }
    let all = tables(&open_read_only(path)?).map_err(Error::sqlite(path))?;
    Ok(if let [only] = &all[..] { Some(quoted(only)) } else { None })
}

/// Whether values are long, mostly distinct, and of words.
fn is_running_text(column: &Column) -> bool {
    let values: Vec<&str> =
        column.iter().flatten().filter(|cell| !cell.trim().is_empty()).take(SAMPLED_VALUES).collect();
    if values.is_empty() || column.declaration.ty != Type::Text {
        return false;
    }
    let letters: usize = values.iter().map(|value| value.chars().count()).sum();
    // An address or a key is long and has no spaces; in some scripts a text has none either.
    let of_words = |value: &&&str| value.trim().contains(char::is_whitespace) || !value.is_ascii();
    let distinct: HashSet<&str> = values.iter().copied().collect();
    letters > MIN_MEAN_CHARACTERS * values.len()
        && 2 * distinct.len() > values.len()
        && 2 * values.iter().filter(of_words).count() > values.len()
}
