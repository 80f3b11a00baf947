//! People who do not exist: which columns of a database hold personal data, and new values for them, none of the source.
//!
//! What a name or an address is is known to `mintage-persons`; here it is brought to tables. The model of a table draws
//! whether a personal cell is there, and everything else (sex, country, what was bought); a person is made for each row
//! that agrees with it. Rows of tables that are kept as they are get new persons before they are saved.

use std::{cell::RefCell, collections::HashSet};

use mintage_data::{
    Column, SourceSpec, Table as Rows,
    database::{Schema, Table},
    table::{
        Known,
        schema::{Kind, TableSchema, TextMode},
    },
};
use mintage_nn::Rng;
use mintage_persons::{Found, Mask, Personal, Plan, Sample, recognise};
use serde::{Deserialize, Serialize};

/// Different values of a column that are looked at.
const MAX_VALUES: usize = 2000;
/// Where as many rows differ, no two are meant to have the same.
const MIN_UNIQUE: usize = 20;

/// The personal data of one table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Persons {
    /// The table.
    pub table: String,
    plan: Plan,
    /// By column of the plan.
    columns: Vec<PersonalColumn>,
}

/// A column that is made afresh.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonalColumn {
    /// Its name.
    pub name: String,
    /// Why it is taken for personal data.
    pub reason: String,
    known: Known,
    is_unique: bool,
    /// Share of rows without a value, and of rows with an empty text.
    missing: f64,
    blank: f64,
}

impl Persons {
    /// What of a table points at persons; nothing where there is nothing, or where texts shall be drawn from those seen.
    /// `may` says of a column whether it may be changed.
    pub(super) fn of(
        schema: &Schema,
        table: &Table,
        rows: &Rows,
        spec: &SourceSpec,
        may: &dyn Fn(&Schema, &Table, &str) -> bool,
    ) -> Option<Self> {
        if spec.text == TextMode::Redraw {
            return None;
        }
        let samples: Vec<Sample> = rows.columns.iter().map(sample).collect();
        let is_free = |found: &Found| {
            let name = &rows.columns[found.column].name;
            may(schema, table, name) && !spec.kinds.contains_key(name)
        };
        let mut found = recognise(&table.name, &samples);
        found.retain(|found| !found.what.is_made() || is_free(found));
        let plan = Plan::of(&samples, &found);
        let column = |planned: &mintage_persons::PlannedColumn| {
            let column = &rows.columns[planned.column];
            let reason = found.iter().find(|found| found.column == planned.column);
            let present = column.len() - column.missing();
            // Regions are a closed list: those of the source come back.
            let values = column.values().iter().filter(|_| planned.what != Personal::Region);
            PersonalColumn {
                name: planned.name.clone(),
                reason: reason.map_or_else(String::new, |found| found.reason.clone()),
                known: Known::of(values),
                is_unique: present >= MIN_UNIQUE && column.values().len() == present
                    || table.unique.iter().any(|set| *set == [planned.name.clone()]),
                missing: column.missing() as f64 / column.len().max(1) as f64,
                blank: column.iter().flatten().filter(|cell| cell.trim().is_empty()).count() as f64
                    / present.max(1) as f64,
            }
        };
        let columns: Vec<PersonalColumn> = plan.columns().iter().map(column).collect();
        (!columns.is_empty()).then(|| Self { table: table.name.clone(), plan, columns })
    }

    /// The columns that are made afresh.
    pub fn columns(&self) -> &[PersonalColumn] {
        &self.columns
    }

    /// Whether a column is made afresh.
    pub fn makes(&self, column: &str) -> bool {
        self.columns.iter().any(|own| own.name == column)
    }

    /// Whether a plan that was read from a file has all its columns.
    pub(super) fn is_whole(&self) -> bool {
        let planned = self.plan.columns();
        planned.len() == self.columns.len() && planned.iter().all(|own| own.group < self.plan.groups().len())
    }

    /// What each of the columns holds.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&str, Personal)> {
        self.plan.columns().iter().map(|own| (own.name.as_str(), own.what))
    }

    /// The same rows, with a mask for each personal value. `is_known` says of a column of the plan that a text occurs in the
    /// source.
    pub(super) fn masked(
        &self,
        mask: &mut Mask,
        rows: &Rows,
        is_known: &dyn Fn(usize, &str) -> bool,
    ) -> Vec<Column> {
        let new = |own: &PersonalColumn| Column::new(own.name.clone(), declared(rows, &own.name));
        let mut columns: Vec<Column> = self.columns.iter().map(new).collect();
        for row in 0..rows.rows() {
            let cell = |name: &str| rows.column(name)?.cell(row);
            let masked = mask.row(&self.plan, &cell, is_known);
            for (column, text) in columns.iter_mut().zip(masked) {
                // An empty text is nobody's, and stays.
                let blank = cell(&column.name).filter(|text| text.trim().is_empty());
                column.push(text.as_deref().or(blank));
            }
        }
        columns
    }

    /// Says of the columns that are made afresh that they are texts, whatever their values were taken for.
    pub(super) fn describe(&self, found: &mut TableSchema) {
        for column in found.columns.iter_mut().filter(|column| self.makes(&column.name)) {
            column.kind = Kind::Text;
        }
    }

    /// Gives each row a person of its own. Cells without a value stay so; a column without any gets as many as the source.
    pub(super) fn make(&self, table: &mut Rows, seed: u64) {
        let mut rng = Rng::new(seed, 3);
        let n = table.rows();
        let is_left_empty = |own: &PersonalColumn| {
            table
                .column(&own.name)
                .is_some_and(|column| column.missing() == column.len() && own.missing < 1.0)
        };
        let left_empty: Vec<bool> = self.columns.iter().map(is_left_empty).collect();
        let used: RefCell<HashSet<(usize, String)>> = RefCell::default();
        let is_known = |at: usize, text: &str| {
            let own = &self.columns[at];
            own.known.may_hold(text) || own.is_unique && used.borrow().contains(&(at, text.to_owned()))
        };
        let mut made: Vec<Column> = self
            .columns
            .iter()
            .map(|own| Column::new(own.name.clone(), declared(table, &own.name)))
            .collect();
        for row in 0..n {
            let is_there: Vec<bool> = self
                .columns
                .iter()
                .zip(&left_empty)
                .map(|(own, empty)| *empty && f64::from(rng.uniform()) >= own.missing)
                .collect();
            let cell = |name: &str| {
                let own = self.columns.iter().position(|own| own.name == name);
                match own.filter(|&at| left_empty[at]) {
                    Some(at) => is_there[at].then_some(""),
                    None => table.column(name)?.cell(row),
                }
            };
            let values = self.plan.row(rng.next_u64(), &cell, &is_known);
            for (at, value) in values.iter().enumerate() {
                if value.is_some() && f64::from(rng.uniform()) < self.columns[at].blank {
                    made[at].push(Some(""));
                    continue;
                }
                made[at].push(value.as_deref());
                if let Some(text) = value.as_ref().filter(|_| self.columns[at].is_unique) {
                    used.borrow_mut().insert((at, text.clone()));
                }
            }
        }
        for column in made {
            if let Some(own) = table.columns.iter_mut().find(|own| own.name == column.name) {
                *own = column;
            }
        }
    }
}

fn declared(table: &Rows, name: &str) -> mintage_data::Declaration {
    table.column(name).map(|column| column.declaration.clone()).unwrap_or_default()
}

fn sample(column: &Column) -> Sample<'_> {
    Sample { name: &column.name, values: column.values().iter().take(MAX_VALUES).collect() }
}

/// Whether a column is no key of its table, refers to no other one, and is not referred to.
pub(super) fn is_no_key(schema: &Schema, table: &Table, column: &str) -> bool {
    let is_it = |columns: &[String]| columns.iter().any(|name| name == column);
    !is_it(&table.primary_key)
        && !table.foreign_keys.iter().any(|key| is_it(&key.columns))
        && !schema.keys().any(|(_, key)| key.parent == table.name && is_it(&key.parent_columns))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::database::Store;

    use super::*;

    fn clients() -> Rows {
        let given = ["Анна", "Иван", "Ольга", "Пётр"];
        let family = ["Иванова", "Петров", "Сидорова", "Кузнецов"];
        let column =
            |name: &str, cells: Vec<String>| Column::of(name, cells.iter().map(|cell| Some(cell.as_str())));
        let of = |all: [&'static str; 4]| (0..40).map(|row| all[row % 4].to_owned()).collect::<Vec<_>>();
        let columns = vec![
            column("id", (0..40).map(|row| row.to_string()).collect()),
            column("имя", of(given)),
            column("фамилия", of(family)),
            column("пол", of(["ж", "м", "ж", "м"])),
            column("эл_почта", (0..40).map(|row| format!("ivan{row}@mail.ru")).collect()),
        ];
        Rows { name: "клиенты".to_owned(), columns, ..Rows::default() }
    }

    #[test]
    fn rows_get_persons_of_their_own() {
        let rows = clients();
        let table = Table { name: rows.name.clone(), primary_key: vec!["id".to_owned()], ..Table::default() };
        let schema = Schema { store: Store::Sqlite, tables: vec![table.clone()], views: Vec::new() };
        let persons = Persons::of(&schema, &table, &rows, &SourceSpec::default(), &is_no_key).unwrap();
        let names: Vec<&str> = persons.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["имя", "фамилия", "эл_почта"]);
        assert!(!persons.makes("id") && !persons.makes("пол"));
        let mut new = rows.clone();
        persons.make(&mut new, 7);
        for name in names {
            let (old, new) = (rows.column(name).unwrap(), new.column(name).unwrap());
            assert_eq!((new.len(), new.missing()), (40, 0));
            let known: HashSet<&str> = old.values().iter().collect();
            assert!(new.iter().flatten().all(|cell| !known.contains(cell)), "{name}");
        }
        let emails: HashSet<&str> = new.column("эл_почта").unwrap().iter().flatten().collect();
        assert_eq!(emails.len(), 40);
        // What the model left empty is filled as often as in the source.
        let mut empty = rows.clone();
        empty.columns[1] = Column::of("имя", (0..40).map(|_| None));
        persons.make(&mut empty, 7);
        assert_eq!(empty.column("имя").unwrap().missing(), 0);
    }
}
