//! A copy of a table: as many new rows as there are real ones, checked before they are written.
//!
//! [`draw`] leaves out rows that would point at a person by more than one cell: exact copies of a real row that is the
//! only one of its kind, and first with last names that one real row alone has. [`check`] then asks of the rows as they
//! will be written what must be true of them, column by column and as a whole; it does not rely on how they were made.
//! Attacks on the rows will be checks as well: they push a [`Check`].

use std::collections::{HashMap, HashSet};

use minijinja::{Environment, Value, context, value::Serde};
use mintage_data::{
    Column, SourceSpec, Table, TableSet,
    table::{
        parts_of_few,
        schema::{ColumnSchema, Kind, points_at_one},
        spelled,
    },
};
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3Default;

use crate::{Error, Model, TableRequest, evaluate::table::holds};

/// Rows of fewer learned columns are alike for no reason.
const MIN_COPY_COLUMNS: usize = 3;
/// Times that more rows are drawn in the place of those left out.
const MAX_REDRAWS: usize = 5;
/// New values of a column that the page shows.
const EXAMPLES_SHOWN: usize = 3;

/// What the checks found in the new rows of a copy.
#[derive(Clone, Debug, Serialize)]
pub struct CopyReport {
    /// Version of this format: 1.
    pub format: u32,
    /// Source of the real rows, without a password.
    pub source: String,
    /// Number of new rows.
    pub rows: usize,
    /// Number of rows that were drawn and left out, because they point at one real row.
    pub left_out: usize,
    /// What was found in each column, in the order of the source.
    pub columns: Vec<ColumnReport>,
    /// Every check that was made, passed or failed.
    pub checks: Vec<Check>,
}

/// One column of a copy.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnReport {
    /// Name of the column.
    pub name: String,
    /// Kind of the column, such as "category" or "integer".
    pub kind: &'static str,
    /// Why the column is of that kind.
    pub why: String,
    /// Where the new values come from: learned, made afresh, or drawn from the real ones.
    pub making: String,
    /// Number of different real values that point at a person.
    pub personal: usize,
    /// Number of new cells that were compared with these values; missing cells do not count.
    pub checked: usize,
    /// Number of new cells that have one of these values; 0 is right.
    pub matched: usize,
    /// A few new values, none of which points at a person.
    pub examples: Vec<String>,
}

/// A check of the new rows: something that must be true of all of them.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is checked, such as "copies of real rows".
    pub name: String,
    /// Number of rows or cells that were checked.
    pub checked: usize,
    /// Number of those that fail; 0 is right.
    pub failed: usize,
    /// Whether nothing fails.
    pub passed: bool,
    /// What counts as a failure, in words.
    pub note: String,
}

impl Check {
    fn new(name: &str, checked: usize, failed: usize, note: impl Into<String>) -> Self {
        Self { name: name.to_owned(), checked, failed, passed: failed == 0, note: note.into() }
    }
}

impl CopyReport {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// A line for each check that failed: its name, and how many rows or cells failed.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.checks.iter().filter(|check| !check.passed);
        failed.map(|check| format!("{}: {} of {}", check.name, check.failed, check.checked)).collect()
    }

    /// The report as a page of HTML; `outcome` says what became of the rows.
    ///
    /// # Errors
    /// The template cannot be rendered, which is a bug.
    pub fn to_html(&self, outcome: &str) -> Result<String, Error> {
        let fail = |e: minijinja::Error| Error::request(format!("the page cannot be drawn: {e}"));
        let mut pages = Environment::new();
        pages.add_template("copy.html", include_str!("copy/copy.html")).map_err(fail)?;
        let page = pages.get_template("copy.html").map_err(fail)?;
        page.render(context! {
            report => Value::from(Serde(self)),
            passed => self.passed(),
            outcome,
            version => env!("CARGO_PKG_VERSION"),
        })
        .map_err(fail)
    }
}

/// Draws as many rows as `set` has, and counts those that were left out.
///
/// A row is left out where its cells together point at one real row. Fewer rows come back where not enough
/// others are found.
///
/// # Errors
/// The model is not one of tables, or its rows cannot be drawn.
pub fn draw(
    model: &Model,
    set: &TableSet,
    seed: u64,
    on: &mut dyn FnMut(usize, usize),
) -> Result<(Table, usize), Error> {
    let (n, screen) = (set.len(), Screen::of(set));
    let mut asked = n;
    let (mut rows, mut kept) = (Table::default(), Vec::new());
    for _ in 0..=MAX_REDRAWS {
        // The first rows of a larger request are those of a smaller one, and identifiers go on.
        rows = model.sample_rows(&TableRequest { n: asked, seed, ..TableRequest::default() }, on)?;
        kept =
            (0..rows.rows()).filter(|&row| !screen.points_at_one(&rows, row)).map(|row| row as u32).collect();
        if kept.len() >= n || kept.is_empty() {
            break;
        }
        asked = (asked * n).div_ceil(kept.len()) + n / 20 + 1;
    }
    kept.truncate(n);
    let last = kept.last().map_or(0, |&row| row as usize + 1);
    Ok((rows.select(&kept), last - kept.len()))
}

/// Checks new rows against all rows of `set`, which were read as `spec` says.
pub fn check(set: &TableSet, new: &Table, left_out: usize, spec: &SourceSpec) -> CopyReport {
    let real = set.table();
    let schemas = &set.schema().columns;
    let personal: Vec<Vec<&str>> = schemas
        .iter()
        .zip(&real.columns)
        .map(|(schema, column)| schema.personal_values(column, spec))
        .collect();
    // Managers are employees: what points at a person does so in every column.
    let whole = personal.iter().flatten().copied().filter(|text| points_at_one(text));
    let parts = personal.iter().flat_map(|texts| parts_of_few(texts.iter().copied()));
    let everywhere: HashSet<String> = whole.chain(parts).map(spelled).collect();
    let columns: Vec<ColumnReport> = schemas
        .iter()
        .zip(personal)
        .filter_map(|(schema, personal)| {
            let known = personal.into_iter().map(spelled);
            let known = match schema.kind {
                Kind::Category | Kind::Text => known.chain(everywhere.iter().cloned()).collect(),
                _ => known.collect(),
            };
            Some(column_report(schema, new.column(&schema.name)?, &known))
        })
        .collect();
    let mut checks = vec![person_check(&columns)];
    let screen = Screen::of(set);
    if let Some(copies) = &screen.copies {
        let failed = (0..new.rows()).filter(|&row| copies.holds(new, row)).count();
        let names = copies.columns.len();
        checks.push(Check::new(
            "copies of real rows",
            new.rows(),
            failed,
            format!("rows that are equal in all {names} learned columns to a real row that is the only such"),
        ));
    }
    for pair in &screen.pairs {
        let failed = (0..new.rows()).filter(|&row| pair.holds(new, row)).count();
        let name = format!("{} of one person", pair.columns.join(" with "));
        let note = "together, where one real row alone has both";
        checks.push(Check::new(&name, new.rows(), failed, note));
    }
    for (rule, broken) in set.codec().rules.check(new, real) {
        checks.push(Check::new(&format!("rule: {rule}"), new.rows(), broken, "rows that break it"));
    }
    let missing = set.len().saturating_sub(new.rows());
    let note = "a copy has as many rows as its source, unless too few others than those left out are found";
    checks.push(Check::new("missing rows", set.len(), missing, note));
    CopyReport {
        format: 1,
        source: mintage_data::table::redacted(&spec.source),
        rows: new.rows(),
        left_out,
        columns,
        checks,
    }
}

fn person_check(columns: &[ColumnReport]) -> Check {
    let checked = columns.iter().map(|column| column.checked).sum();
    let matched: Vec<&ColumnReport> = columns.iter().filter(|column| column.matched > 0).collect();
    let note = match matched.is_empty() {
        true => "cells of columns that point at persons whose value a real row has".to_owned(),
        false => {
            let names = matched.iter().map(|column| format!("{} in {}", column.matched, column.name));
            let redrawn = matched.iter().any(|column| column.making == "drawn from those seen");
            let why = if redrawn { "; text = \"redraw\" draws them from the real ones" } else { "" };
            format!("{}{why}", names.collect::<Vec<_>>().join(", "))
        }
    };
    let failed = matched.iter().map(|column| column.matched).sum();
    Check::new("values that point at a person", checked, failed, note)
}

/// Compares the values of a new column with those of the real one that point at persons, however they are spelled.
fn column_report(schema: &ColumnSchema, new: &Column, known: &HashSet<String>) -> ColumnReport {
    let counts = new.counts();
    let values = || new.values().iter().zip(&counts).filter(|(text, _)| !schema.is_missing(Some(text)));
    let checked: usize = if known.is_empty() { 0 } else { values().map(|(_, n)| *n as usize).sum() };
    let matched = values().filter(|(text, _)| holds(known, text)).map(|(_, n)| *n as usize).sum();
    let examples = values().filter(|(text, _)| !holds(known, text)).take(EXAMPLES_SHOWN);
    ColumnReport {
        name: schema.name.clone(),
        kind: schema.kind.name(),
        why: schema.reason.clone(),
        making: schema.making(),
        personal: known.len(),
        checked,
        matched,
        examples: examples.map(|(text, _)| text.chars().take(60).collect()).collect(),
    }
}

/// What several cells of a row say together.
struct Screen {
    copies: Option<Singles>,
    pairs: Vec<Singles>,
}

impl Screen {
    fn of(set: &TableSet) -> Self {
        let columns = &set.schema().columns;
        let learned = |schema: &&ColumnSchema| !matches!(schema.kind, Kind::Id | Kind::Text | Kind::Constant);
        let learned: Vec<String> = columns.iter().filter(learned).map(|c| c.name.clone()).collect();
        let copies = (learned.len() >= MIN_COPY_COLUMNS).then(|| Singles::of(set.table(), learned));
        let names: Vec<&str> =
            columns.iter().filter(|c| c.names_persons()).map(|c| c.name.as_str()).collect();
        let pairs = names.iter().enumerate().flat_map(|(at, a)| names[at + 1..].iter().map(move |b| (a, b)));
        let pairs =
            pairs.map(|(a, b)| Singles::of(set.table(), vec![(*a).to_owned(), (*b).to_owned()])).collect();
        Self { copies, pairs }
    }

    fn points_at_one(&self, rows: &Table, row: usize) -> bool {
        self.copies.iter().chain(&self.pairs).any(|singles| singles.holds(rows, row))
    }
}

/// Combinations of the cells of some columns that one real row alone has.
struct Singles {
    columns: Vec<String>,
    hashes: HashSet<u128>,
}

impl Singles {
    fn of(real: &Table, columns: Vec<String>) -> Self {
        let mut counts: HashMap<u128, u32> = HashMap::new();
        for row in 0..real.rows() {
            if let Some(hash) = hash(real, &columns, row) {
                *counts.entry(hash).or_default() += 1;
            }
        }
        let hashes = counts.into_iter().filter(|(_, n)| *n == 1).map(|(hash, _)| hash).collect();
        Self { columns, hashes }
    }

    fn holds(&self, rows: &Table, row: usize) -> bool {
        hash(rows, &self.columns, row).is_some_and(|hash| self.hashes.contains(&hash))
    }
}

/// A hash of the cells of a row; nothing where most of a few, or all, are missing: that is nobody.
fn hash(table: &Table, columns: &[String], row: usize) -> Option<u128> {
    let mut hash = Xxh3Default::new();
    let mut present = 0;
    for name in columns {
        let cell = table.column(name).and_then(|column| column.cell(row));
        present += usize::from(cell.is_some_and(|text| !text.is_empty()));
        hash.update(cell.map_or(&[0xfe][..], str::as_bytes));
        hash.update(&[0xff]);
    }
    (present >= 2).then(|| hash.digest128())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Forty rows: a name each, and three columns that are learned.
    fn set(spec: &SourceSpec) -> TableSet {
        let names: Vec<String> =
            (0..40).map(|i| format!("Ann{} Lee{}", "a".repeat(i % 7), "e".repeat(i / 7))).collect();
        let of = |name: &str, cell: &dyn Fn(usize) -> String| {
            let cells: Vec<String> = (0..40).map(cell).collect();
            Column::of(name, cells.iter().map(|text| Some(text.as_str())))
        };
        let columns = vec![
            of("name", &|i| names[i].clone()),
            of("age", &|i| (20 + i % 7).to_string()),
            of("city", &|i| ["Omsk", "Perm"][i % 2].to_owned()),
            of("spent", &|i| (i % 13).to_string()),
        ];
        let table = Table { name: "people".to_owned(), columns, ..Table::default() };
        TableSet::of(table, None, spec).unwrap()
    }

    #[test]
    fn real_names_and_real_rows_are_found_in_any_spelling() {
        let spec = SourceSpec::default();
        let set = set(&spec);
        let mut new = set.table().select(&(0..40).collect::<Vec<u32>>());
        (0..40).for_each(|row| new.columns[0].set(row, Some(&format!("Somebody {row}"))));
        (0..40).for_each(|row| new.columns[1].set(row, Some("77")));
        let report = check(&set, &new, 0, &spec);
        assert!(report.passed(), "{:?}", report.checks);
        assert_eq!((report.columns[0].personal, report.columns[0].checked), (40, 40));
        new.columns[0].set(3, Some("ANN, LEE"));
        let row: Vec<Option<String>> =
            set.table().columns.iter().map(|column| column.cell(9).map(str::to_owned)).collect();
        (1..4).for_each(|column| new.columns[column].set(9, row[column].as_deref()));
        let report = check(&set, &new, 0, &spec);
        assert_eq!(report.columns[0].matched, 1);
        // Cities are looked through as well: they might be names.
        let said = report.failures().join("; ");
        assert!(said.contains("values that point at a person: 1 of 80"), "{said}");
        assert!(said.contains("copies of real rows: 1 of 40"), "{said}");
        let page = report.to_html("nothing was written").unwrap();
        assert!(page.contains("nothing was written") && page.contains("values that point at a person"));
        assert!(!page.contains("ANN, LEE") && !page.contains("<script"));
    }
}
