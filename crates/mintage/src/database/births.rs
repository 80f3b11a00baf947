//! Dates of birth of a masked database, and of tables that are kept as they are: each moves by some days, the same date by the
//! same number wherever it stands.

use std::collections::HashMap;

use mintage_data::{
    Column, SourceSpec,
    database::{Schema, Table},
    table::{schema::TextMode, shift_dates},
};
use mintage_persons::{Mask, Personal, Sample, recognise};

use super::{
    filled::Database,
    persons::sample,
    plan::{Part, TablePlan},
};

/// Different values of each column of a source that its key is made of.
const MAX_KEY_VALUES: usize = 200;

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
            let columns = &filled.table.columns;
            if columns.iter().all(|column| is_kept(&table.name, &column.name)) {
                continue;
            }
            let samples: Vec<Sample> = columns.iter().map(sample).collect();
            let found = recognise(&table.name, &samples);
            for found in found.into_iter().filter(|found| found.what == Personal::BirthDate) {
                let column = &columns[found.column];
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

    /// Moves those of tables that are kept as they are, beside whose rows persons are made afresh. The key is of the source: the
    /// same one moves them alike, and who has new rows alone cannot move them back.
    pub fn of_kept((schema, source): (&Schema, &Database), plans: &[TablePlan], spec: &SourceSpec) -> Self {
        // Then the values of persons come back as they are, too.
        if spec.text == TextMode::Redraw {
            return Self::default();
        }
        let is_kept = |table: &str| plans.iter().any(|plan| plan.name == table && plan.part == Part::Kept);
        let stays = |table: &str, column: &str| !is_kept(table) || spec.kinds.contains_key(column);
        Self::of(schema, source, &secret_of(schema, source), &stays)
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

/// A key that only those know who have the source: values of all its columns.
fn secret_of(schema: &Schema, source: &Database) -> Vec<u8> {
    let tables = schema.tables.iter().filter_map(|table| source.get(&table.name));
    let columns = tables.flat_map(|filled| &filled.table.columns);
    let texts = columns.flat_map(|column| column.values().iter().take(MAX_KEY_VALUES));
    texts.flat_map(|text| text.bytes().chain([0])).collect()
}

/// Whether rows are told apart or found by a column.
fn is_in_key(schema: &Schema, table: &Table, column: &str) -> bool {
    let is_in = |columns: &[String]| columns.iter().any(|own| own == column);
    let mut referred = schema.keys().filter(|(_, key)| key.parent == table.name);
    table.is_foreign(column)
        || table.unique_sets().any(|set| is_in(set))
        || referred.any(|(_, key)| is_in(&key.parent_columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{
        filled::numbers,
        testing::{planned, table},
    };

    /// Dates of birth of some rows.
    fn born(rows: usize) -> Column {
        let date =
            |row: usize| format!("19{:02}-{:02}-{:02}", 50 + row * 7 % 45, row % 12 + 1, row * 5 % 28 + 1);
        let cells: Vec<String> = (0..rows).map(date).collect();
        Column::of("birth_date", cells.iter().map(|cell| Some(cell.as_str())))
    }

    #[test]
    fn moves_dates_of_birth_of_kept_tables_alone() {
        let staff = vec![numbers("id", 1..=8), born(8)];
        let customers = vec![numbers("id", 1..=40), born(40), numbers("size", (0..40).map(|row| row % 9))];
        let all = vec![table("staff", Vec::new(), staff), table("customers", Vec::new(), customers)];
        let (schema, source, plans) = planned(all);
        let moved_by = |spec: &SourceSpec| Births::of_kept((&schema, &source), &plans, spec);
        let births = moved_by(&SourceSpec::default());
        let places: Vec<(&str, &str)> =
            births.moved.iter().map(|own| (own.table.as_str(), own.column.as_str())).collect();
        assert_eq!(places, [("staff", "birth_date")]);
        let place = ("staff".to_owned(), "birth_date".to_owned());
        let (old, new) = (born(8), &births.columns[&place]);
        assert!(old.iter().zip(new.iter()).all(|(old, new)| new.is_some() && old != new));
        let again = moved_by(&SourceSpec::default());
        assert!(new.iter().eq(again.columns[&place].iter()));
        let redrawn = SourceSpec { text: TextMode::Redraw, ..SourceSpec::default() };
        assert!(moved_by(&redrawn).moved.is_empty());
    }
}
