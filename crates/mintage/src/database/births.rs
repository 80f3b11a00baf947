//! Dates of birth of a masked database: each moves by some days, the same date by the same number wherever it stands.

use std::collections::HashMap;

use mintage_data::{
    Column,
    database::{Schema, Table},
    table::shift_dates,
};
use mintage_persons::{Mask, Personal, Sample, recognise};

use super::{filled::Database, persons::sample};

/// A column of dates of birth that were moved.
#[derive(Clone, Debug)]
pub struct BirthDates {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Why it is taken for dates of birth, and how far they were moved.
    pub reason: String,
}

/// The dates of birth of a database.
#[derive(Default)]
pub(super) struct Births {
    pub moved: Vec<BirthDates>,
    /// The moved columns, by table and name.
    pub columns: HashMap<(String, String), Column>,
    /// What stays, and why.
    pub notes: Vec<String>,
}

impl Births {
    /// Moves the dates of all columns but those that are kept or in keys: two dates may become one.
    pub fn of(schema: &Schema, source: &Database, key: &[u8], is_kept: &dyn Fn(&str, &str) -> bool) -> Self {
        let (mask, mut births) = (Mask::new(key), Self::default());
        for table in &schema.tables {
            let Some(filled) = source.get(&table.name) else { continue };
            let samples: Vec<Sample> = filled.table.columns.iter().map(sample).collect();
            let found = recognise(&table.name, &samples);
            for found in found.into_iter().filter(|found| found.what == Personal::BirthDate) {
                let column = &filled.table.columns[found.column];
                match () {
                    () if is_kept(&table.name, &column.name) => {}
                    () if is_in_key(schema, table, &column.name) => births.notes.push(format!(
                        "{}: dates of birth stay as they are where they are part of a key: {}",
                        table.name, column.name
                    )),
                    () => births.shift(&mask, &table.name, column, &found.reason),
                }
            }
        }
        births
    }

    fn shift(&mut self, mask: &Mask, table: &str, column: &Column, reason: &str) {
        let (moved, stay) = shift_dates(column, &|day| mask.shift_days(day));
        if stay > 0 {
            let rows = if stay == 1 { "1 row has".to_owned() } else { format!("{stay} rows have") };
            self.notes
                .push(format!("{table}: {rows} no date in `{}` that can be moved: it stays", column.name));
        }
        let reason = format!("{reason}; each moves by up to {} days", Mask::MAX_SHIFT_DAYS);
        self.moved.push(BirthDates { table: table.to_owned(), column: column.name.clone(), reason });
        self.columns.insert((table.to_owned(), column.name.clone()), moved);
    }

    /// Whether a column was moved.
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.moved.iter().any(|moved| moved.table == table && moved.column == column)
    }
}

/// Whether rows are told apart or found by a column.
fn is_in_key(schema: &Schema, table: &Table, column: &str) -> bool {
    let is_in = |columns: &[String]| columns.iter().any(|own| own == column);
    let mut referred = schema.keys().filter(|(_, key)| key.parent == table.name);
    table.is_foreign(column)
        || table.unique_sets().any(|set| is_in(set))
        || referred.any(|(_, key)| is_in(&key.parent_columns))
}
