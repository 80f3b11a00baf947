//! Tables with their rows tied together: which row of its parent each row refers to.

use std::collections::HashMap;

use mintage_data::{
    Column, Table,
    database::{ForeignKey, Schema},
    table::MISSING,
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::cells::by_text;

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
pub(super) fn is_meant(key: &ForeignKey, table: &Table, row: usize) -> bool {
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
    let own = columns_at(child, &foreign.columns);
    let (Some(own), Some(theirs)) = (own, columns_at(parent, &foreign.parent_columns)) else {
        return vec![NONE; child.rows()];
    };
    if let ([own], [theirs]) = (own.as_slice(), theirs.as_slice()) {
        return rows_of_one(child, foreign, (&child.columns[*own], &parent.columns[*theirs]));
    }
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

/// The same of a key of one column, beside that of the parent: a row is looked for once a distinct text.
fn rows_of_one(child: &Table, foreign: &ForeignKey, (own, theirs): (&Column, &Column)) -> Vec<u32> {
    // By the number of a text of the parent the first row that has it.
    let mut first = vec![NONE; theirs.values().len()];
    let cells = theirs.numbers().iter().enumerate().rev();
    cells.filter(|(_, number)| **number != MISSING).for_each(|(row, &number)| {
        first[number as usize] = row as u32;
    });
    let find = |text: &str| theirs.values().find(text).map_or(NONE, |number| first[number as usize]);
    let mut rows = by_text(own, find, NONE);
    let others = rows.iter_mut().enumerate().filter(|(row, _)| !is_meant(foreign, child, *row));
    others.for_each(|(_, row)| *row = NONE);
    rows
}

/// Where columns lie in a table; nothing where one of them is not there.
pub(super) fn columns_at(table: &Table, names: &[String]) -> Option<Vec<usize>> {
    names.iter().map(|name| table.columns.iter().position(|column| column.name == *name)).collect()
}

/// The cells of a key; nothing where one of them is missing.
pub(super) fn key_of<'a>(table: &'a Table, columns: &[usize], row: usize) -> Option<Vec<&'a str>> {
    columns.iter().map(|&column| table.columns[column].cell(row)).collect()
}

/// The hash of the cells of a key, of one alone that of its text; nothing where one of them is missing.
pub(super) fn hash_of(table: &Table, columns: &[usize], row: usize) -> Option<u64> {
    let cell = |column: usize| table.columns[column].cell(row);
    match columns {
        [only] => cell(*only).map(|cell| xxh3_64(cell.as_bytes())),
        several => {
            let mut hasher = Xxh3::new();
            for &column in several {
                let cell = cell(column)?;
                hasher.update(&(cell.len() as u64).to_le_bytes());
                hasher.update(cell.as_bytes());
            }
            Some(hasher.digest())
        }
    }
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

#[cfg(test)]
mod tests {
    use mintage_data::database::Condition;

    use super::*;
    use crate::database::testing::key;

    #[test]
    fn keys_of_one_column_find_the_rows_that_longer_ones_find() {
        let mut ids = Column::of("id", [Some("a"), Some("b"), None, Some("a"), Some("c")]);
        // A text that no row has any more.
        ids.set(4, Some("d"));
        let parent = Table { columns: vec![ids], ..Table::default() };
        let kinds = Column::of("kind", [Some("x"), Some("y"), Some("x"), Some("x"), Some("x"), None]);
        let cells = [Some("d"), Some("a"), None, Some("c"), Some("a"), Some("b")];
        let child = Table { columns: vec![Column::of("k", cells), kinds], ..Table::default() };
        let some = Condition { column: "kind".to_owned(), value: "x".to_owned() };
        let expected = [[4, 0, NONE, NONE, 0, 1], [4, NONE, NONE, NONE, 0, NONE]];
        for (only, expected) in [None, Some(some)].into_iter().zip(expected) {
            for (own, theirs) in [("k", "id"), ("k k", "id id")] {
                let foreign = ForeignKey { only: only.clone(), ..key(own, "p", theirs, true) };
                assert_eq!(rows_of(&child, &foreign, &parent), expected, "{own} {only:?}");
            }
        }
    }

    #[test]
    fn keys_have_one_hash_if_all_their_cells_are_equal() {
        let a = Column::of("a", [Some("x"), Some("x"), Some("xy"), None, Some("x")]);
        let b = Column::of("b", [Some("yz"), Some("yz"), Some("z"), Some("z"), Some("y")]);
        let table = Table { columns: vec![a, b], ..Table::default() };
        let hash = |row: usize| hash_of(&table, &[0, 1], row);
        assert_eq!((hash(0), hash(3)), (hash(1), None));
        assert!(hash(0).is_some() && hash(0) != hash(2) && hash(0) != hash(4));
        assert_eq!(hash_of(&table, &[0], 4), Some(xxh3_64(b"x")));
    }
}
