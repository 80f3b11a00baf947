//! People who do not exist: which columns of a database hold personal data, and new values for them, none of the source.
//!
//! What a name or an address is is known to `mintage-persons`; here it is brought to tables. The model of a table draws
//! whether a personal cell is there, and everything else (sex, country, what was bought); a person is made for each row
//! that agrees with it. Rows of tables that are kept as they are get new persons before they are saved.

use std::collections::HashSet;

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

use super::{
    before::{Taken, is_taken},
    conditions::Conditions,
    keys::TextKey,
};

/// Different values of a column that are looked at.
const MAX_VALUES: usize = 2000;
/// Where as many rows differ, no two are meant to have the same.
const MIN_UNIQUE: usize = 20;
/// Letters of a user name that is made of a name, at least: others are codes.
const MIN_LETTERS: usize = 3;
/// Times that a person is made again for a row that breaks a condition.
const MAX_TRIES: usize = 20;

/// The personal data of one table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Persons {
    /// The table.
    pub table: String,
    plan: Plan,
    /// By column of the plan.
    columns: Vec<PersonalColumn>,
    /// What the store asks for of the columns.
    #[serde(default)]
    conditions: Conditions,
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
    /// What a column that is a key, or that a condition is about, is given where no person is left or none suits.
    #[serde(default)]
    codes: Option<TextKey>,
    /// Share of rows without a value, and of rows with an empty text.
    missing: f64,
    blank: f64,
}

impl Persons {
    /// What of a table points at persons; nothing where there is nothing, or where texts shall be drawn from those seen.
    /// `may` says of a column that holds something of persons whether it may be changed.
    pub(super) fn of(
        table: &Table,
        rows: &Rows,
        spec: &SourceSpec,
        may: &dyn Fn(&Table, &Column, Personal) -> bool,
    ) -> Option<Self> {
        if spec.text == TextMode::Redraw {
            return None;
        }
        let samples: Vec<Sample> = rows.columns.iter().map(sample).collect();
        let is_free = |found: &Found| {
            let column = &rows.columns[found.column];
            may(table, column, found.what) && !spec.kinds.contains_key(&column.name)
        };
        let mut found = recognise(&table.name, &samples);
        found.retain(|found| !found.what.is_made() || is_free(found));
        let plan = Plan::of(&samples, &found);
        let made: Vec<&str> = plan.columns().iter().map(|planned| planned.name.as_str()).collect();
        let conditions = Conditions::of(table, rows, &made);
        let column = |planned: &mintage_persons::PlannedColumn| {
            let column = &rows.columns[planned.column];
            let reason = found.iter().find(|found| found.column == planned.column);
            let present = column.len() - column.missing();
            // Regions are a closed list: those of the source come back.
            let values = column.values().iter().filter(|_| planned.what != Personal::Region);
            let is_key = |set: &Vec<String>| *set == [planned.name.clone()];
            let is_declared = is_key(&table.primary_key) || table.unique.iter().any(is_key);
            let is_asked = is_declared && is_code(planned.what) || conditions.name(&planned.name);
            let codes = is_asked && !leads_somewhere(planned.what) && column.values().len() >= MIN_UNIQUE;
            PersonalColumn {
                name: planned.name.clone(),
                reason: reason.map_or_else(String::new, |found| found.reason.clone()),
                known: Known::of(values),
                is_unique: is_declared || present >= MIN_UNIQUE && column.values().len() == present,
                codes: codes.then(|| TextKey::of(&table.name, column)),
                missing: column.missing() as f64 / column.len().max(1) as f64,
                blank: column.iter().flatten().filter(|cell| cell.trim().is_empty()).count() as f64
                    / present.max(1) as f64,
            }
        };
        let columns: Vec<PersonalColumn> = plan.columns().iter().map(column).collect();
        (!columns.is_empty()).then(|| Self { table: table.name.clone(), plan, columns, conditions })
    }

    /// The columns that are made afresh.
    pub fn columns(&self) -> &[PersonalColumn] {
        &self.columns
    }

    /// Whether a column is made afresh.
    pub fn makes(&self, column: &str) -> bool {
        self.columns.iter().any(|own| own.name == column)
    }

    /// The columns of which no two rows have the same value, and all others.
    pub(super) fn distinct(&self) -> (Vec<&str>, Vec<&str>) {
        let names = |is_unique: bool| {
            let columns = self.columns.iter().filter(move |own| own.is_unique == is_unique);
            columns.map(|own| own.name.as_str()).collect::<Vec<&str>>()
        };
        (names(true), names(false))
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

    /// Gives each row a person of its own, without unique values that are taken. Cells without a value stay so; a column without
    /// any gets as many as the source.
    pub(super) fn make(&self, table: &mut Rows, seed: u64, taken: &Taken) {
        let new = |own: &PersonalColumn| Column::new(own.name.clone(), declared(table, &own.name));
        let mut made: Vec<Column> = self.columns.iter().map(new).collect();
        let mut making = Making::of(self, table, seed, taken);
        for row in 0..table.rows() {
            for (column, value) in made.iter_mut().zip(making.row(row)) {
                column.push(value.as_deref());
            }
        }
        self.keep_conditions(&mut made, &mut making, seed);
        for ((own, column), taken) in self.columns.iter().zip(&mut made).zip(&making.taken) {
            own.fill(column, seed, *taken);
        }
        for column in made {
            if let Some(own) = table.columns.iter_mut().find(|own| own.name == column.name) {
                *own = column;
            }
        }
    }

    /// Makes other persons for rows that break a condition, some times; what is wrong then becomes a code in the form of the
    /// source.
    fn keep_conditions(&self, made: &mut [Column], making: &mut Making<'_>, seed: u64) {
        let mut broken: Vec<u32> = self.conditions.broken(made).into_iter().map(|row| row as u32).collect();
        for _ in 0..MAX_TRIES {
            if broken.is_empty() {
                return;
            }
            for &row in &broken {
                let values = making.row(row as usize);
                for (column, value) in made.iter_mut().zip(values) {
                    column.set(row as usize, value.as_deref());
                }
            }
            let again: Vec<Column> = made.iter().map(|column| column.select(&broken)).collect();
            broken = self.conditions.broken(&again).into_iter().map(|at| broken[at]).collect();
        }
        let columns = self.columns.iter().zip(made).zip(&making.taken);
        for ((own, column), taken) in columns.filter(|((own, _), _)| self.conditions.name(&own.name)) {
            let rows: Vec<usize> =
                broken.iter().map(|&row| row as usize).filter(|&row| column.cell(row).is_some()).collect();
            own.recode(column, &rows, seed, *taken);
        }
    }
}

impl PersonalColumn {
    /// Gives cells of a column that has no gaps, and for which no person was left, a code.
    fn fill(&self, made: &mut Column, seed: u64, taken: Option<&HashSet<u64>>) {
        if self.missing > 0.0 {
            return;
        }
        let empty: Vec<usize> = (0..made.len()).filter(|&row| made.cell(row).is_none()).collect();
        self.recode(made, &empty, seed, taken);
    }

    /// Gives rows codes in the form of the source, where the column has such.
    fn recode(&self, made: &mut Column, rows: &[usize], seed: u64, taken: Option<&HashSet<u64>>) {
        let Some(codes) = self.codes.as_ref().filter(|_| !rows.is_empty()) else { return };
        let used: HashSet<String> = made.iter().flatten().map(str::to_owned).collect();
        // Those that persons have are left out: as many more are made.
        let more = codes.make(rows.len() + used.len(), seed, taken);
        let free = more.iter().flatten().filter(|code| !used.contains(*code));
        rows.iter().zip(free).for_each(|(&row, code)| made.set(row, Some(code)));
    }
}

/// Makes persons for the rows of a table, one row after another.
struct Making<'a> {
    persons: &'a Persons,
    table: &'a Rows,
    /// By column of the plan: whether no row of the table has a value, though rows of the source have.
    left_empty: Vec<bool>,
    /// Values of unique columns that are given away.
    used: HashSet<(usize, String)>,
    /// By column of the plan: values of other rows that may not come again, as hashes.
    taken: Vec<Option<&'a HashSet<u64>>>,
    rng: Rng,
}

impl<'a> Making<'a> {
    fn of(persons: &'a Persons, table: &'a Rows, seed: u64, taken: &'a Taken) -> Self {
        let is_left_empty = |own: &PersonalColumn| {
            table
                .column(&own.name)
                .is_some_and(|column| column.missing() == column.len() && own.missing < 1.0)
        };
        let left_empty = persons.columns.iter().map(is_left_empty).collect();
        let taken = persons.columns.iter().map(|own| taken.of(&persons.table, &own.name)).collect();
        Self { persons, table, left_empty, used: HashSet::new(), taken, rng: Rng::new(seed, 3) }
    }

    /// The values of a row, by column of the plan.
    fn row(&mut self, row: usize) -> Vec<Option<String>> {
        let (persons, table) = (self.persons, self.table);
        let columns = &persons.columns;
        let pairs = columns.iter().zip(&self.left_empty);
        let is_there: Vec<bool> =
            pairs.map(|(own, empty)| *empty && f64::from(self.rng.uniform()) >= own.missing).collect();
        let cell = |name: &str| {
            let own = columns.iter().position(|own| own.name == name);
            match own.filter(|&at| self.left_empty[at]) {
                Some(at) => is_there[at].then_some(""),
                None => table.column(name)?.cell(row),
            }
        };
        let is_known = |at: usize, text: &str| {
            columns[at].known.may_hold(text)
                || columns[at].is_unique && self.used.contains(&(at, text.to_owned()))
                || is_taken(self.taken[at], text)
        };
        let seed = self.rng.next_u64();
        let mut values = persons.plan.row(seed, &cell, &is_known);
        for (at, value) in values.iter_mut().enumerate() {
            let Some(text) = value else { continue };
            if f64::from(self.rng.uniform()) < columns[at].blank {
                *value = Some(String::new());
            } else if columns[at].is_unique {
                self.used.insert((at, text.clone()));
            }
        }
        values
    }
}

fn declared(table: &Rows, name: &str) -> mintage_data::Declaration {
    table.column(name).map(|column| column.declaration.clone()).unwrap_or_default()
}

/// What the kind of a column is recognised by.
pub(super) fn sample(column: &Column) -> Sample<'_> {
    Sample { name: &column.name, values: column.values().iter().take(MAX_VALUES).collect() }
}

/// Whether the values of a column may be others. One that refers to rows follows them. One that rows are known by may be
/// another where it is the whole key, all its values differ, and they can be made so that all differ: what refers to it is
/// copied from it.
pub(super) fn is_free(schema: &Schema, table: &Table, column: &Column, what: Personal) -> bool {
    let is_in = |columns: &[String]| columns.contains(&column.name);
    if table.foreign_keys.iter().any(|key| is_in(&key.columns)) {
        return false;
    }
    let referred =
        schema.keys().filter(|(_, key)| key.parent == table.name).map(|(_, key)| &key.parent_columns);
    let mut keys = std::iter::once(&table.primary_key).chain(referred).filter(|key| is_in(key)).peekable();
    keys.peek().is_none() || keys.all(|key| key.len() == 1) && may_be_key(column, what)
}

/// Whether a column points at one person each, and new ones can be made for any number of rows.
fn may_be_key(column: &Column, what: Personal) -> bool {
    let all_differ = column.counts().into_iter().all(|n| n <= 1);
    all_differ
        && match what {
            Personal::Email | Personal::FullName | Personal::Url => true,
            // A code such as `u00123` is no name, and is made as a code.
            Personal::UserName => {
                let is_name = |text: &&str| text.chars().filter(|c| c.is_alphabetic()).count() >= MIN_LETTERS;
                column.values().iter().filter(is_name).count() * 2 > column.values().len()
            }
            _ => is_code(what),
        }
}

/// Whether a value at random may be of somebody who can be reached by it.
fn leads_somewhere(what: Personal) -> bool {
    matches!(what, Personal::Email | Personal::Url)
}

/// What is known by its letters and digits, so that others of its form can stand in its place.
fn is_code(what: Personal) -> bool {
    matches!(
        what,
        Personal::UserName
            | Personal::Phone
            | Personal::Card
            | Personal::Iban
            | Personal::National(_)
            | Personal::Ip
            | Personal::Mac
            | Personal::Secret
    )
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
        let schema = Schema {
            store: Store::Sqlite,
            tables: vec![table.clone()],
            views: Vec::new(),
            unreadable: Vec::new(),
        };
        let may = |table: &Table, column: &Column, what| is_free(&schema, table, column, what);
        let persons = Persons::of(&table, &rows, &SourceSpec::default(), &may).unwrap();
        let names: Vec<&str> = persons.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["имя", "фамилия", "эл_почта"]);
        assert!(!persons.makes("id") && !persons.makes("пол"));
        let mut new = rows.clone();
        persons.make(&mut new, 7, &Taken::default());
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
        persons.make(&mut empty, 7, &Taken::default());
        assert_eq!(empty.column("имя").unwrap().missing(), 0);
    }

    /// Accounts that are known by their addresses, and logins that refer to them.
    fn accounts(schema_of: impl Fn(&mut Table)) -> (Schema, Rows) {
        let cells = |text: &dyn Fn(usize) -> String| (0..40).map(text).collect::<Vec<_>>();
        let column =
            |name: &str, cells: Vec<String>| Column::of(name, cells.iter().map(|cell| Some(cell.as_str())));
        let family = ["Smith", "Jones", "Miller", "Becker", "Wagner"];
        let columns = vec![
            column("email", cells(&|row| format!("ann.{}{row}@mail.com", family[row % 5].to_lowercase()))),
            column("last_name", cells(&|row| family[row % 5].to_owned())),
            column("phone", cells(&|row| format!("+1 212 736 50{row:02}"))),
            column("login", cells(&|row| format!("u{row:05}"))),
        ];
        let mut table = Table { name: "accounts".to_owned(), ..Table::default() };
        schema_of(&mut table);
        let key = mintage_data::database::ForeignKey {
            columns: vec!["account".to_owned()],
            parent: "accounts".to_owned(),
            parent_columns: vec!["email".to_owned()],
            origin: mintage_data::database::Origin::Declared,
            optional: false,
            deferrable: false,
            deferred: false,
            actions: String::new(),
            orphans: None,
            only: None,
        };
        let child = Table { name: "visits".to_owned(), foreign_keys: vec![key], ..Table::default() };
        let schema = Schema {
            store: Store::Sqlite,
            tables: vec![table, child],
            views: Vec::new(),
            unreadable: Vec::new(),
        };
        (schema, Rows { name: "accounts".to_owned(), columns, ..Rows::default() })
    }

    fn of_accounts(schema: &Schema, rows: &Rows) -> Persons {
        let may = |table: &Table, column: &Column, what| is_free(schema, table, column, what);
        Persons::of(&schema.tables[0], rows, &SourceSpec::default(), &may).unwrap()
    }

    #[test]
    fn keys_that_point_at_persons_are_made_afresh_and_differ() {
        let (schema, rows) = accounts(|table| {
            table.primary_key = vec!["email".to_owned()];
            table.unique = vec![vec!["phone".to_owned()]];
        });
        let persons = of_accounts(&schema, &rows);
        assert!(["email", "last_name", "phone"].iter().all(|name| persons.makes(name)));
        let mut new = rows.select(&(0..40).cycle().take(400).collect::<Vec<u32>>());
        persons.make(&mut new, 7, &Taken::default());
        for name in ["email", "phone"] {
            let known: HashSet<&str> = rows.column(name).unwrap().values().iter().collect();
            let made: HashSet<&str> = new.column(name).unwrap().iter().flatten().collect();
            assert_eq!(made.len(), 400, "{name}");
            assert!(made.is_disjoint(&known), "{name}");
        }
        let (emails, families) = (new.column("email").unwrap(), new.column("last_name").unwrap());
        for row in 0..400 {
            let family = families.cell(row).unwrap().to_lowercase();
            let parts: Vec<&str> = family.split('-').collect();
            assert!(emails.cell(row).unwrap().contains(parts[0]), "{family}: {:?}", emails.cell(row));
        }
    }

    #[test]
    fn keys_of_several_columns_and_codes_stay() {
        let (schema, rows) = accounts(|table| {
            table.primary_key = vec!["phone".to_owned(), "last_name".to_owned()];
        });
        let persons = of_accounts(&schema, &rows);
        assert!(persons.makes("email") && !persons.makes("phone") && !persons.makes("last_name"));
        let (schema, rows) = accounts(|table| table.primary_key = vec!["login".to_owned()]);
        assert!(!of_accounts(&schema, &rows).makes("login"));
        // An address that two rows have is no key that could be another for each.
        let (schema, mut rows) = accounts(|table| table.primary_key = vec!["phone".to_owned()]);
        let first = rows.columns[0].cell(0).map(str::to_owned);
        rows.columns[0].set(1, first.as_deref());
        assert!(!of_accounts(&schema, &rows).makes("email"));
    }

    #[test]
    fn keys_that_run_out_become_codes() {
        let cells: Vec<String> = (0..40).map(|row| format!("+1 212 736 5{row:03}")).collect();
        let column = Column::of("phone", cells.iter().map(|cell| Some(cell.as_str())));
        let own = PersonalColumn {
            name: "phone".to_owned(),
            reason: String::new(),
            known: Known::of(column.values().iter()),
            is_unique: true,
            codes: Some(TextKey::of("t", &column)),
            missing: 0.0,
            blank: 0.0,
        };
        let mut made = Column::of("phone", (0..3000).map(|row| (row % 2 == 0).then_some("x")));
        own.fill(&mut made, 3, None);
        let different: HashSet<&str> = made.iter().flatten().collect();
        assert_eq!((made.missing(), different.len()), (0, 1501));
        assert!(cells.iter().all(|cell| !different.contains(cell.as_str())));
    }

    #[test]
    fn passwords_that_all_share_are_made_afresh() {
        let hash = "8cb2237d0679ca88db6464eac60da96345513964";
        let mut rows = clients();
        rows.columns.push(Column::of("password", (0..40).map(|_| Some(hash))));
        rows.columns.push(Column::of("token_count", (0..40).map(|_| Some("1200345"))));
        let table = Table { name: rows.name.clone(), ..Table::default() };
        let persons = Persons::of(&table, &rows, &SourceSpec::default(), &|_, _, _| true).unwrap();
        assert!(persons.makes("password") && !persons.makes("token_count"));
        persons.make(&mut rows, 7, &Taken::default());
        let is_new = |text: &str| {
            let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
            text != hash && text.len() == hash.len() && text.chars().all(is_hex)
        };
        let made = rows.column("password").unwrap();
        assert!(made.missing() == 0 && made.iter().flatten().all(is_new));
    }

    #[test]
    fn conditions_of_the_store_hold() {
        let (schema, mut rows) = accounts(|table| {
            table.primary_key = vec!["email".to_owned()];
            table.checks = vec![
                "length(phone) = 15".to_owned(),
                "email LIKE '%@%'".to_owned(),
                // Names are drawn until one is short.
                "length(last_name) <= 7".to_owned(),
            ];
        });
        let persons = of_accounts(&schema, &rows);
        persons.make(&mut rows, 11, &Taken::default());
        let is_right = |name: &str, is: &dyn Fn(&str) -> bool| {
            let column = rows.column(name).unwrap();
            column.missing() == 0 && column.iter().flatten().all(is)
        };
        assert!(is_right("phone", &|text| text.len() == 15));
        assert!(is_right("email", &|text| text.contains('@')));
        assert!(is_right("last_name", &|text| text.chars().count() <= 7), "{:?}", rows.column("last_name"));
        let emails: HashSet<&str> = rows.column("email").unwrap().iter().flatten().collect();
        assert_eq!(emails.len(), 40);
    }
}
