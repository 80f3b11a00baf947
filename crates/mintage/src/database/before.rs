//! What a part of a new database must know of the parts before it, which are no longer there: how many rows they had, and
//! which values they took that no two rows may share.
//!
//! Keys that number rows go on after those of the parts before, and so do other counters. Of all else that must differ, 64
//! bits a value are kept; what repeats one is made anew. Keys to rows of the same part differ by themselves.

use std::collections::{HashMap, HashSet};

use mintage_data::{
    Column, Table as Rows,
    database::Table,
    table::schema::{IdFormat, Kind, TableSchema},
};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    filled::{columns_at, hash_of},
    plan::TablePlan,
    slice::Slice,
};
use crate::error::Error;

/// Times that a value is made anew that a part before has.
const MAX_ATTEMPTS: u64 = 6;

/// What is known of the parts before one that is drawn; of the first, or the only one, nothing.
#[derive(Default)]
pub(super) struct Before {
    pub slice: Slice,
    /// Tables whose rows are drawn in every part; those of all others come with the first. None where there is one part.
    pub cut: HashSet<String>,
    /// Rows of each table.
    pub rows: HashMap<String, usize>,
    pub taken: Taken,
}

impl Before {
    /// Which part of a table's rows is drawn.
    pub fn slice_of(&self, table: &str) -> Slice {
        if self.cut.contains(table) { self.slice } else { Slice::WHOLE }
    }

    /// Whether the rows of a table are there: they came with the first part.
    pub fn has_all(&self, table: &str) -> bool {
        self.slice.at > 0 && !self.cut.contains(table)
    }

    /// How many rows a table has.
    pub fn rows_of(&self, table: &str) -> i64 {
        self.rows.get(table).map_or(0, |&rows| i64::try_from(rows).unwrap_or(i64::MAX))
    }

    /// Takes note of the rows of a table.
    pub fn add(&mut self, table: &str, rows: &Rows) {
        *self.rows.entry(table.to_owned()).or_default() += rows.rows();
        self.taken.add(table, rows);
    }
}

/// Values that rows of the parts before have and no other row may have.
#[derive(Default)]
pub(super) struct Taken {
    sets: Vec<UniqueSet>,
    counters: Vec<Counter>,
}

/// Columns of a table by which its rows differ.
struct UniqueSet {
    table: String,
    columns: Vec<String>,
    /// Whether the table's model draws them. What is made for the rows asks what is taken.
    is_drawn: bool,
    hashes: HashSet<u64>,
}

/// A column of numbers that differ and go on, such as `R-0001`.
struct Counter {
    table: String,
    column: String,
    largest: Option<i64>,
}

/// Columns of a table that are made for its rows, and not drawn with them.
pub(super) struct Made<'a> {
    /// Those of which no two rows have the same.
    pub distinct: Vec<&'a str>,
    pub others: Vec<&'a str>,
}

impl Taken {
    /// Watches what must differ in a table that is drawn in every part; `found` says what its columns are.
    pub fn watch(&mut self, plan: &TablePlan, table: &Table, found: &TableSchema, made: &Made) {
        let is_drawn = |name: &str| {
            plan.own.iter().any(|own| own == name)
                && !made.distinct.contains(&name)
                && !made.others.contains(&name)
                && !plan.copied.iter().any(|copied| copied.column == name)
                && !plan.totals.iter().any(|total| total.column == name)
        };
        let is_unique = |name: &str| table.unique_sets().any(|set| set.as_slice() == [name]);
        let counts = |name: &str| {
            let column = found.columns.iter().find(|column| column.name == name);
            column.is_some_and(|column| match column.made_afresh() {
                Some(format) => matches!(format, IdFormat::Counter { .. }),
                None => column.kind == Kind::Integer && is_unique(name),
            })
        };
        let new_set = |columns: Vec<String>, is_drawn: bool| UniqueSet {
            table: plan.name.clone(),
            columns,
            is_drawn,
            hashes: HashSet::new(),
        };
        self.sets.extend(made.distinct.iter().map(|name| new_set(vec![(*name).to_owned()], false)));
        for set in table.unique_sets() {
            let is_known = self.sets.iter().any(|own| own.table == plan.name && own.columns == *set);
            if !is_known && set.iter().all(|name| is_drawn(name)) && !set.iter().any(|name| counts(name)) {
                self.sets.push(new_set(set.clone(), true));
            }
        }
        let counters = plan.own.iter().filter(|name| is_drawn(name) && counts(name));
        self.counters.extend(counters.map(|name| Counter {
            table: plan.name.clone(),
            column: name.clone(),
            largest: None,
        }));
    }

    /// Takes the values of rows of a table.
    pub fn add(&mut self, table: &str, rows: &Rows) {
        for set in self.sets.iter_mut().filter(|set| set.table == table) {
            let Some(own) = columns_at(rows, &set.columns) else { continue };
            set.hashes.extend((0..rows.rows()).filter_map(|row| hash_of(rows, &own, row)));
        }
        for counter in self.counters.iter_mut().filter(|counter| counter.table == table) {
            let Some(column) = rows.column(&counter.column) else { continue };
            let largest = column.iter().flatten().filter_map(split).map(|(.., number)| number).max();
            counter.largest = counter.largest.max(largest);
        }
    }

    /// The values of a column that are taken, as hashes; nothing where they need not differ.
    pub fn of(&self, table: &str, column: &str) -> Option<&HashSet<u64>> {
        let is_meant = |set: &&UniqueSet| set.table == table && set.columns.as_slice() == [column];
        self.sets.iter().find(is_meant).map(|set| &set.hashes)
    }

    /// Gives new rows of a table other values where theirs are taken: counters go on, of the rest `draw` draws as many rows as
    /// it is asked for, a few times. What repeats then is left as it is. Columns that are given stay.
    ///
    /// # Errors
    /// No rows can be drawn.
    pub fn renew(
        &self,
        rows: &mut Rows,
        table: &str,
        is_given: &dyn Fn(&str) -> bool,
        draw: &mut dyn FnMut(usize, u64) -> Result<Rows, Error>,
    ) -> Result<(), Error> {
        let counters = self.counters.iter();
        for counter in counters.filter(|counter| counter.table == table && !is_given(&counter.column)) {
            if let Some(column) = rows.columns.iter_mut().find(|column| column.name == counter.column) {
                counter.go_on(column);
            }
        }
        let is_meant = |set: &&UniqueSet| {
            set.table == table && set.is_drawn && !set.columns.iter().any(|name| is_given(name))
        };
        self.sets.iter().filter(is_meant).try_for_each(|set| set.renew(rows, draw))
    }
}

impl UniqueSet {
    fn renew(
        &self,
        rows: &mut Rows,
        draw: &mut dyn FnMut(usize, u64) -> Result<Rows, Error>,
    ) -> Result<(), Error> {
        let Some(own) = columns_at(rows, &self.columns).filter(|_| !self.hashes.is_empty()) else {
            return Ok(());
        };
        let (mut open, mut used) = (Vec::new(), HashSet::new());
        for row in 0..rows.rows() {
            match hash_of(rows, &own, row) {
                Some(hash) if self.hashes.contains(&hash) => open.push(row),
                Some(hash) => {
                    used.insert(hash);
                }
                None => {}
            }
        }
        for attempt in 1..=MAX_ATTEMPTS {
            if open.is_empty() {
                break;
            }
            let fresh = draw(open.len(), attempt)?;
            let Some(theirs) = columns_at(&fresh, &self.columns) else { break };
            let mut left = Vec::new();
            for (at, &row) in open.iter().enumerate() {
                let hash = if at < fresh.rows() { hash_of(&fresh, &theirs, at) } else { None };
                if hash.is_none_or(|hash| self.hashes.contains(&hash) || !used.insert(hash)) {
                    left.push(row);
                    continue;
                }
                for (&column, &other) in own.iter().zip(&theirs) {
                    rows.columns[column].set(row, fresh.columns[other].cell(at));
                }
            }
            open = left;
        }
        Ok(())
    }
}

impl Counter {
    /// Moves all numbers behind the largest of the parts before.
    fn go_on(&self, column: &mut Column) {
        let smallest = column.iter().flatten().filter_map(split).map(|(.., number)| number).min();
        let by = self.largest.zip(smallest).and_then(|(last, first)| last.checked_sub(first)?.checked_add(1));
        let Some(by) = by.filter(|&by| by > 0) else { return };
        let mut new = Column::new(column.name.clone(), column.declaration.clone());
        for cell in column.iter() {
            let moved = cell.and_then(|text| moved(text, by));
            new.push(moved.as_deref().or(cell));
        }
        *column = new;
    }
}

/// Whether a text is among values that are taken.
pub(super) fn is_taken(taken: Option<&HashSet<u64>>, text: &str) -> bool {
    taken.is_some_and(|taken| !taken.is_empty() && taken.contains(&xxh3_64(text.as_bytes())))
}

/// What stands before a number at the end of a text, how many digits it is written with at least, and the number.
fn split(text: &str) -> Option<(&str, usize, i64)> {
    let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (prefix, number) = match text.split_at(text.len() - digits) {
        ("-", _) => ("", text),
        parts => parts,
    };
    // "7.0" is no counter.
    let is_padded = !prefix.is_empty() || number.starts_with('0');
    let width = if is_padded { digits } else { 0 };
    number.parse().ok().filter(|_| !prefix.ends_with('.')).map(|number| (prefix, width, number))
}

/// The same text with a number that is larger by so much.
fn moved(text: &str, by: i64) -> Option<String> {
    let (prefix, width, number) = split(text)?;
    let number = number.checked_add(by)?;
    Some(format!("{prefix}{number:0width$}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::{SourceSpec, table::schema::Format};

    use super::*;
    use crate::database::{
        filled::numbers,
        planner::described,
        testing::{planned, table},
    };

    fn texts(name: &str, all: &[&str]) -> Column {
        Column::of(name, all.iter().map(|text| Some(*text)))
    }

    fn rows(columns: Vec<Column>) -> Rows {
        Rows { columns, ..Rows::default() }
    }

    fn cells<'a>(rows: &'a Rows, name: &str) -> Vec<&'a str> {
        rows.column(name).unwrap().iter().flatten().collect()
    }

    /// What is watched of a table with the numbers `place`, the codes `code` and pairs of `a` and `b`, all of which differ.
    fn watched() -> Taken {
        let code: Vec<String> = (0..40u32).map(|row| format!("{:016x}", u64::from(row) << 40 | 77)).collect();
        let columns = vec![
            numbers("id", 1..=40),
            numbers("place", (0..40).map(|row| row * 7 % 41 + 5)),
            texts("code", &code.iter().map(String::as_str).collect::<Vec<_>>()),
            numbers("a", (0..40).map(|row| row % 8)),
            numbers("b", (0..40).map(|row| row / 8)),
        ];
        let (mut schema, source) = table("items", Vec::new(), columns);
        schema.unique = [vec!["place"], vec!["code"], vec!["a", "b"]]
            .map(|set| set.into_iter().map(str::to_owned).collect::<Vec<String>>())
            .to_vec();
        let (schema, source, plans) = planned(vec![(schema, source)]);
        let mut found = described(&source["items"].table, &SourceSpec::default());
        let place = found.columns.iter_mut().find(|column| column.name == "place").unwrap();
        place.kind = Kind::Id;
        place.format =
            Format::Id(IdFormat::Counter { prefix: String::new(), width: 0, next: 46, gaps: Vec::new() });
        let made = Made { distinct: vec!["code"], others: Vec::new() };
        let mut taken = Taken::default();
        taken.watch(&plans[0], &schema.tables[0], &found, &made);
        taken
    }

    #[test]
    fn counters_go_on_and_keep_their_form() {
        assert_eq!(split("R-0012"), Some(("R-", 4, 12)));
        assert_eq!((split("-5"), split("7.0"), split("ab")), (Some(("", 0, -5)), None, None));
        assert_eq!(moved("R-0998", 5).as_deref(), Some("R-1003"));
        assert_eq!((moved("-5", 7).as_deref(), moved("007", 1).as_deref()), (Some("2"), Some("008")));
        let counter = Counter { table: "t".to_owned(), column: "x".to_owned(), largest: Some(3) };
        let mut column = texts("x", &["N1", "N3", "N2"]);
        counter.go_on(&mut column);
        assert_eq!(column.iter().flatten().collect::<Vec<_>>(), ["N4", "N6", "N5"]);
    }

    #[test]
    fn values_of_parts_before_are_made_anew() {
        let mut taken = watched();
        let first = rows(vec![
            numbers("place", [5, 9]),
            texts("code", &["x", "y"]),
            numbers("a", [1, 2]),
            numbers("b", [1, 1]),
        ]);
        taken.add("items", &first);
        let mut second = rows(vec![
            numbers("place", [9, 5, 6]),
            texts("code", &["z", "z", "w"]),
            numbers("a", [3, 2, 1]),
            numbers("b", [1, 1, 1]),
        ]);
        let mut asked = Vec::new();
        let mut draw = |n: usize, attempt: u64| {
            asked.push((n, attempt));
            // The first draw repeats a row of this part.
            let b = u32::try_from(attempt).unwrap_or(0);
            Ok(rows(vec![numbers("a", (0..n as u32).map(|row| 3 + row)), numbers("b", vec![b; n])]))
        };
        taken.renew(&mut second, "items", &|_| false, &mut draw).unwrap();
        assert_eq!(cells(&second, "place"), ["14", "10", "11"]);
        assert_eq!((cells(&second, "a"), cells(&second, "b")), (vec!["3", "3", "4"], vec!["1", "2", "1"]));
        assert_eq!(asked, [(2, 1), (1, 2)]);
        assert!(is_taken(taken.of("items", "code"), "x") && !is_taken(taken.of("items", "code"), "z"));
        assert!(taken.of("items", "place").is_none());
        // What is given stays.
        let mut given = rows(vec![numbers("place", [9]), numbers("a", [1]), numbers("b", [1])]);
        taken.renew(&mut given, "items", &|name| name != "b", &mut |_, _| Ok(Rows::default())).unwrap();
        assert_eq!((cells(&given, "place"), cells(&given, "a")), (vec!["9"], vec!["1"]));
    }
}
