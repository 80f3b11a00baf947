//! New rows beside those of a database that is there: keys that are whole numbers go on after the largest, keys that refer
//! to them likewise, and rows of kept tables that are there already are not written again.
//!
//! All new rows of a table are moved by one number, so that a key and what refers to it stay equal without a list of them.

use std::collections::{HashMap, HashSet};

use super::Rows;
use crate::{
    Error,
    database::{Condition, ForeignKey, Schema, Table},
    table::{self, Column},
};

/// What is asked of a database that is there.
pub(super) trait Present {
    /// The largest value of a column, if it is a whole number.
    ///
    /// # Errors
    /// The database cannot be read; so it is for all that follow.
    fn largest(&mut self, table: &str, column: &str) -> Result<Option<i64>, Error>;

    /// The values of some columns in all rows, as texts.
    fn keys(&mut self, table: &str, columns: &[String]) -> Result<HashSet<Vec<String>>, Error>;

    /// Whether a table has rows.
    fn has_rows(&mut self, table: &str) -> Result<bool, Error>;
}

/// By how much the whole numbers of a column are moved.
type Shifts<'a> = HashMap<(&'a str, &'a str), i64>;

/// Renumbers new rows, part by part.
pub(super) struct Renumbering<'a> {
    schema: &'a Schema,
    shifts: Shifts<'a>,
    /// Tables that have got rows: what was there before them is no longer to be asked.
    begun: HashSet<&'a str>,
}

impl<'a> Renumbering<'a> {
    pub fn of(schema: &'a Schema) -> Self {
        Self { schema, shifts: Shifts::new(), begun: HashSet::new() }
    }

    /// The rows of the next part as they can be added, and how many of each table are there already.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn renumbered(&mut self, all: &[Rows], present: &mut dyn Present) -> Result<Vec<(Rows, u64)>, Error> {
        self.find_shifts(all, present)?;
        let mut renumbered = Vec::new();
        for rows in all {
            let Some(table) = self.schema.table(&rows.table) else { continue };
            let mut new = rows.clone();
            for column in &mut new.rows.columns {
                if let Some(&by) = self.shifts.get(&(rows.table.as_str(), column.name.as_str())) {
                    *column = shifted(column, by);
                }
            }
            for key in &table.foreign_keys {
                key.only.iter().for_each(|only| follow(&mut new.rows, (key, only), &self.shifts));
            }
            let before = new.rows.rows();
            if rows.is_kept {
                new.rows = absent(table, &new.rows, present)?;
            }
            let there = before - new.rows.rows();
            renumbered.push((new, there as u64));
        }
        Ok(renumbered)
    }

    /// Finds by how much the columns of tables are moved whose first rows come. So are those of later parts, whose numbers
    /// go on after them.
    fn find_shifts(&mut self, all: &[Rows], present: &mut dyn Present) -> Result<(), Error> {
        let schema = self.schema;
        for rows in all.iter().filter(|rows| !rows.is_kept && rows.rows.rows() > 0) {
            let Some(table) = schema.table(&rows.table) else { continue };
            if !self.begun.insert(&table.name) {
                continue;
            }
            let Some((key, smallest)) = numbering(table, &rows.rows) else { continue };
            if let Some(largest) = present.largest(&table.name, key)?.filter(|&largest| largest >= smallest) {
                let by = largest.saturating_sub(smallest).saturating_add(1);
                self.shifts.insert((table.name.as_str(), key), by);
            }
        }
        // A chain of keys is as long as there are keys, at most.
        for _ in 0..schema.keys().count() {
            let before = self.shifts.len();
            for (table, key) in schema.keys().filter(|(_, key)| key.only.is_none()) {
                for (own, theirs) in key.columns.iter().zip(&key.parent_columns) {
                    if let Some(&by) = self.shifts.get(&(key.parent.as_str(), theirs.as_str())) {
                        // A column of two keys follows the first.
                        self.shifts.entry((table.name.as_str(), own.as_str())).or_insert(by);
                    }
                }
            }
            if self.shifts.len() == before {
                break;
            }
        }
        Ok(())
    }
}

/// The column by whose whole numbers the rows of a table are told apart, unless they are those of another table, and the
/// smallest of them.
fn numbering<'a>(table: &'a Table, rows: &table::Table) -> Option<(&'a str, i64)> {
    let [key] = table.primary_key.as_slice() else { return None };
    if table.is_foreign(key) {
        return None;
    }
    let values = rows.column(key)?.values();
    let numbers = values.iter().map(number).collect::<Option<Vec<i64>>>()?;
    Some((key.as_str(), numbers.into_iter().min()?))
}

/// A whole number, also one that is written as "7.0".
fn number(text: &str) -> Option<i64> {
    let whole = text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|byte| byte == b'0'));
    whole.map_or(text, |(whole, _)| whole).parse().ok()
}

fn shifted(column: &Column, by: i64) -> Column {
    let mut new = Column::new(column.name.clone(), column.declaration.clone());
    for cell in column.iter() {
        let moved = cell.and_then(number).and_then(|number| number.checked_add(by));
        let moved = moved.map(|number| number.to_string());
        new.push(moved.as_deref().or(cell));
    }
    new
}

/// Moves the cells of a key in the rows in which it is one.
fn follow(rows: &mut table::Table, (key, only): (&ForeignKey, &Condition), shifts: &Shifts) {
    for (own, theirs) in key.columns.iter().zip(&key.parent_columns) {
        let Some(&by) = shifts.get(&(key.parent.as_str(), theirs.as_str())) else { continue };
        let Some(told) = rows.column(&only.column).cloned() else { continue };
        let Some(column) = rows.columns.iter_mut().find(|column| column.name == *own) else { continue };
        let moved = shifted(column, by);
        for row in (0..told.len()).filter(|&row| told.cell(row) == Some(only.value.as_str())) {
            column.set(row, moved.cell(row));
        }
    }
}

/// The rows of a kept table that are not there. Without a key they are there where any are.
fn absent(table: &Table, rows: &table::Table, present: &mut dyn Present) -> Result<table::Table, Error> {
    let columns: Option<Vec<&Column>> = table.primary_key.iter().map(|name| rows.column(name)).collect();
    let Some(columns) = columns.filter(|columns| !columns.is_empty()) else {
        return Ok(if present.has_rows(&table.name)? { rows.head() } else { rows.clone() });
    };
    let there = present.keys(&table.name, &table.primary_key)?;
    let is_new = |&row: &u32| {
        let key: Option<Vec<String>> =
            columns.iter().map(|column| column.cell(row as usize).map(str::to_owned)).collect();
        key.is_none_or(|key| !there.contains(&key))
    };
    let new: Vec<u32> = (0..rows.rows() as u32).filter(is_new).collect();
    Ok(rows.select(&new))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{Origin, Store};

    /// Tables with the keys 1 to 5, and no other rows.
    struct Five;

    impl Present for Five {
        fn largest(&mut self, _: &str, _: &str) -> Result<Option<i64>, Error> {
            Ok(Some(5))
        }

        fn keys(&mut self, _: &str, _: &[String]) -> Result<HashSet<Vec<String>>, Error> {
            Ok((1..=5).map(|key| vec![key.to_string()]).collect())
        }

        fn has_rows(&mut self, _: &str) -> Result<bool, Error> {
            Ok(true)
        }
    }

    fn table(name: &str, keys: &[(&str, &str)]) -> Table {
        let key = |&(column, parent): &(&str, &str)| ForeignKey {
            columns: vec![column.to_owned()],
            parent: parent.to_owned(),
            parent_columns: vec!["id".to_owned()],
            origin: Origin::Declared,
            optional: true,
            deferrable: true,
            deferred: false,
            actions: String::new(),
            orphans: Some(0),
            only: None,
        };
        Table {
            name: name.to_owned(),
            primary_key: vec!["id".to_owned()],
            foreign_keys: keys.iter().map(key).collect(),
            ..Table::default()
        }
    }

    fn rows(name: &str, is_kept: bool, columns: &[(&str, &[&str])]) -> Rows {
        let column = |(name, cells): &(&str, &[&str])| Column::of(name, cells.iter().map(|cell| Some(*cell)));
        let columns = columns.iter().map(column).collect();
        let rows = table::Table { name: name.to_owned(), columns, ..table::Table::default() };
        Rows { table: name.to_owned(), rows, is_kept }
    }

    #[test]
    fn new_keys_go_on_and_what_refers_to_them_follows() {
        let tables = vec![
            table("person", &[("boss", "person"), ("town", "town")]),
            table("detail", &[("id", "person")]),
            table("note", &[("detail", "detail")]),
            table("town", &[]),
        ];
        let schema = Schema { store: Store::Sqlite, tables, views: Vec::new(), unreadable: Vec::new() };
        let all = [
            rows("person", false, &[("id", &["1", "2"]), ("boss", &["2", "2"]), ("town", &["3", "9"])]),
            rows("detail", false, &[("id", &["2"])]),
            rows("note", false, &[("id", &["70"]), ("detail", &["2"])]),
            rows("town", true, &[("id", &["3", "9"])]),
        ];
        let mut renumbering = Renumbering::of(&schema);
        let new = renumbering.renumbered(&all, &mut Five).unwrap();
        let cells = |at: usize, column: &str| {
            let column = new[at].0.rows.column(column).unwrap();
            column.iter().flatten().collect::<Vec<&str>>()
        };
        assert_eq!((cells(0, "id"), cells(0, "boss")), (vec!["6", "7"], vec!["7", "7"]));
        assert_eq!((cells(0, "town"), cells(1, "id")), (vec!["3", "9"], vec!["7"]));
        assert_eq!((cells(2, "id"), cells(2, "detail")), (vec!["70"], vec!["7"]));
        assert_eq!((cells(3, "id"), new[3].1), (vec!["9"], 1));
        // A later part goes on after the first, whatever is there by now.
        let later = [rows("person", false, &[("id", &["3"]), ("boss", &["3"]), ("town", &["9"])])];
        let new = renumbering.renumbered(&later, &mut Five).unwrap();
        assert_eq!(new[0].0.rows.column("id").unwrap().cell(0), Some("8"));
        assert_eq!(new[0].0.rows.column("boss").unwrap().cell(0), Some("8"));
    }
}
