//! Tables with their rows tied together: which row of its parent each row refers to.

use std::collections::HashMap;

use mintage_data::{
    Column, Table,
    database::{ForeignKey, Schema},
};

/// A row that refers to nothing.
pub(super) const NONE: u32 = u32::MAX;

/// The rows of one table.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled {
    pub table: Table,
    /// What the rows of a source are told of their children; of new rows that stands in `table`.
    pub summaries: Table,
    /// For each foreign key of the table the row of its parent, or [`NONE`], for each row.
    pub parents: Vec<Vec<u32>>,
    /// Of a source that is too large to be read: how many rows are learned, from the first on. Those behind them are only there
    /// for the rows that refer to them. Nothing where all rows were read.
    pub learned: Option<usize>,
    /// For each key of which not all rows were read that refer to the parent's: how many do so, by the parent's row. Empty where
    /// all rows were read.
    pub degrees: Vec<Option<Vec<u32>>>,
}

/// The rows of all tables by their names.
pub(super) type Database = HashMap<String, Filled>;

impl Filled {
    pub fn rows(&self) -> usize {
        self.table.rows()
    }

    /// How many of the rows are learned, from the first on.
    pub fn learned(&self) -> usize {
        self.learned.unwrap_or_else(|| self.rows())
    }

    /// Whether all rows are there that refer to a learned row of the parent by a key.
    pub fn is_whole(&self, key: usize) -> bool {
        self.degrees.get(key).is_none_or(Option::is_none)
    }

    /// For each row of the parent of a key how many rows refer to it, also those that were not read.
    pub fn children(&self, key: usize, parent: &Self) -> Vec<u32> {
        let rows = parent.rows();
        match (self.degrees.get(key), self.parents.get(key)) {
            (Some(Some(degrees)), _) => {
                let mut degrees = degrees.clone();
                degrees.resize(rows, 0);
                degrees
            }
            (_, Some(parents)) => children(parents, rows),
            (_, None) => vec![0; rows],
        }
    }

    /// The cell of a column in a row; nothing where there is no such row.
    pub fn cell(&self, column: &str, row: u32) -> Option<&str> {
        match row {
            NONE => None,
            row => self.table.column(column)?.cell(row as usize),
        }
    }

    /// Whether a key of the table is one in a row: not where the row refers to another of several tables.
    pub fn is_meant(&self, key: &ForeignKey, row: usize) -> bool {
        is_meant(key, &self.table, row)
    }
}

/// Whether a key of a table is one in a row.
fn is_meant(key: &ForeignKey, table: &Table, row: usize) -> bool {
    let value = |column: &str| table.column(column)?.cell(row);
    key.only.as_ref().is_none_or(|only| value(&only.column) == Some(only.value.as_str()))
}

/// Ties the rows of tables as they were read.
pub(super) fn tied(schema: &Schema, tables: HashMap<String, Table>) -> Database {
    let mut parents: HashMap<String, Vec<Vec<u32>>> = HashMap::new();
    for (name, table) in &tables {
        let keys = schema.table(name).map(|table| table.foreign_keys.as_slice()).unwrap_or_default();
        let of_key = |key: &ForeignKey| match tables.get(&key.parent) {
            Some(parent) => rows_of(table, key, parent),
            None => vec![NONE; table.rows()],
        };
        parents.insert(name.clone(), keys.iter().map(of_key).collect());
    }
    let filled = |(name, table): (String, Table)| {
        let parents = parents.remove(&name).unwrap_or_default();
        (name, Filled { table, parents, ..Filled::default() })
    };
    tables.into_iter().map(filled).collect()
}

/// For each row of a table the row of the parent that a key of it refers to.
pub(super) fn rows_of(child: &Table, foreign: &ForeignKey, parent: &Table) -> Vec<u32> {
    let find = |table: &Table, names: &[String]| -> Option<Vec<usize>> {
        let at = |name: &String| table.columns.iter().position(|column| &column.name == name);
        names.iter().map(at).collect()
    };
    let (Some(own), Some(theirs)) = (find(child, &foreign.columns), find(parent, &foreign.parent_columns))
    else {
        return vec![NONE; child.rows()];
    };
    let mut rows = HashMap::new();
    for row in 0..parent.rows() {
        if let Some(key) = key_of(parent, &theirs, row) {
            rows.entry(key).or_insert(row as u32);
        }
    }
    let row = |row: usize| match is_meant(foreign, child, row) {
        true => key_of(child, &own, row).and_then(|key| rows.get(&key).copied()).unwrap_or(NONE),
        false => NONE,
    };
    (0..child.rows()).map(row).collect()
}

/// The cells of a key; nothing where one of them is missing.
pub(super) fn key_of<'a>(table: &'a Table, columns: &[usize], row: usize) -> Option<Vec<&'a str>> {
    columns.iter().map(|&column| table.columns[column].cell(row)).collect()
}

/// For each row of the parent how many rows refer to it.
pub(super) fn children(parents: &[u32], rows: usize) -> Vec<u32> {
    let mut counts = vec![0; rows];
    parents.iter().filter(|&&row| row != NONE).for_each(|&row| counts[row as usize] += 1);
    counts
}

/// Puts columns in the place of those of their names.
pub(super) fn put(table: &mut Table, columns: impl IntoIterator<Item = Column>) {
    for column in columns {
        table.columns.retain(|own| own.name != column.name);
        table.columns.push(column);
    }
}

/// A column of numbers.
pub(super) fn numbers(name: &str, values: impl IntoIterator<Item = u32>) -> Column {
    let mut column = Column::new(name, mintage_data::Declaration::default());
    values.into_iter().for_each(|value| column.push(Some(&value.to_string())));
    column
}
