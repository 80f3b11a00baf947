//! Which tables give a new database away: a classifier for each table, which sees its rows with what can be told of the
//! rows that refer to them (C2ST-Agg; Hudovernik et al. 2024, SyntheRela).
//!
//! A row is its own columns and, for each key that refers to its table, how many rows do so, the mean of each of their
//! numbers and how many different categories they have. Accuracy is that of gradient-boosted trees on rows that they have
//! not learned from, over as many new rows as real ones: .5 where they can but guess.

use std::{collections::HashMap, sync::Arc};

use mintage_data::{
    database::Schema,
    table::{MISSING, Texts},
};
use mintage_nn::Rng;
use serde::Serialize;

use super::{
    cells::number,
    filled::{Database, Filled},
    summary::{How, summed},
};
use crate::evaluate::{
    Interval,
    table::{Frame, FrameColumn, Judge, Values, detect},
};

/// Rows of each kind that are judged: more change nothing but the time.
const MAX_ROWS: usize = 10_000;
/// Fewer rows than this say nothing.
pub(super) const MIN_ROWS: usize = 20;
/// Columns named as what gives a table away.
const MAX_REASONS: usize = 3;
/// What a column must take of the AUC to be named.
const MIN_LOSS: f64 = 0.01;
/// Resamples of an interval that nobody asks for.
const RESAMPLES: usize = 10;

/// What a column is to a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Number,
    Category,
}

/// The columns of each table that are judged.
pub(super) type Judged<'a> = HashMap<&'a str, Vec<(String, Scale)>>;

/// How well new rows of a table are told from real ones.
#[derive(Clone, Debug, Serialize)]
pub struct Detected {
    /// The table.
    pub table: String,
    /// Share of rows that the classifier tells right: .5 is the best.
    pub accuracy: f64,
    /// Lower end of the 95 % interval of the accuracy: Wilson's of a share, by the number of rows that were judged, which are
    /// as many new as real ones.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// What it tells them by, the most telling first: a column, or `child.key: number`, `child.key: mean of column`.
    pub reasons: Vec<String>,
}

impl Detected {
    /// The accuracy with its interval.
    pub fn interval(&self) -> Interval {
        Interval { value: self.accuracy, low: self.low, high: self.high }
    }
}

/// Judges every table that has enough rows in both databases.
pub(super) fn detected(
    schema: &Schema,
    judged: &Judged,
    real: &Database,
    new: &Database,
    seed: u64,
) -> Vec<Detected> {
    let of_table = |name: &String| {
        let (real, new) = (real.get(name)?.learned(), new.get(name)?.learned());
        let n = real.min(new).min(MAX_ROWS);
        (n >= MIN_ROWS).then_some(n)
    };
    let tables = schema.tables.iter().filter_map(|table| Some((&table.name, of_table(&table.name)?)));
    let judge = |(table, n): (&String, usize)| {
        let [a, b] = frames(schema, judged, table, [real, new])?;
        let (Interval { value, low, high }, reasons) = told(&a, &b, n, seed);
        Some(Detected { table: table.clone(), accuracy: value, low, high, reasons })
    };
    tables.filter_map(judge).collect()
}

/// How many of `n` rows of each of two frames are told right as real or new, with Wilson's interval, and by what columns.
pub(super) fn told(real: &Frame, new: &Frame, n: usize, seed: u64) -> (Interval, Vec<String>) {
    let rows = |frame: &Frame, stream: u64| {
        let mut rows = Rng::new(seed, stream).permutation(frame.rows());
        rows.truncate(n);
        frame.select(&rows)
    };
    let found = detect(&rows(real, 1), &rows(new, 2), Judge::Trees, seed, RESAMPLES);
    let of_real = found.real.iter().map(|&score| score > 0.5);
    let right = of_real.chain(found.new.iter().map(|&score| score <= 0.5));
    let right: Vec<f64> = right.map(f64::from).collect();
    let names = real.columns.iter().map(|column| column.name.as_str());
    let mut losses: Vec<(f64, &str)> = found.columns.iter().copied().zip(names).collect();
    losses.sort_by(|a, b| b.0.total_cmp(&a.0));
    let reasons = losses.iter().take_while(|(loss, _)| *loss >= MIN_LOSS).take(MAX_REASONS);
    (Interval::of_share(&right), reasons.map(|(_, name)| (*name).to_owned()).collect())
}

/// The rows of a table in two databases; nothing where nothing of them can be judged.
fn frames(schema: &Schema, judged: &Judged, table: &str, both: [&Database; 2]) -> Option<[Frame; 2]> {
    let mut columns: [Vec<FrameColumn>; 2] = Default::default();
    let tables = [both[0].get(table)?, both[1].get(table)?];
    for (name, scale) in judged.get(table).into_iter().flatten() {
        let cells = tables.map(|filled| filled.table.column(name));
        let [Some(a), Some(b)] = cells else { continue };
        add(&mut columns, name, values([a.iter(), b.iter()], *scale));
    }
    for (child, key) in schema.keys().filter(|(_, key)| key.parent == table) {
        let at = child.foreign_keys.iter().position(|other| other == key)?;
        let (Some(a), Some(b)) = (both[0].get(&child.name), both[1].get(&child.name)) else { continue };
        let label = format!("{}.{}", child.name, key.label());
        let rows = [(a, tables[0]), (b, tables[1])];
        let counts = rows.map(|(filled, parent)| {
            filled.children(at, parent).into_iter().map(f64::from).collect::<Vec<f64>>()
        });
        add(&mut columns, &format!("{label}: number"), counts.map(Values::Numbers));
        // Of children that were not all read nothing can be summed up.
        if !rows.iter().all(|(filled, _)| filled.is_whole(at)) {
            continue;
        }
        let rows = rows.map(|(filled, parent)| (filled, parent.rows()));
        for (name, scale) in judged.get(child.name.as_str()).into_iter().flatten() {
            let (summary, how) = match scale {
                Scale::Number => ("mean of", How::Mean),
                Scale::Category => ("different", How::Different),
            };
            let of_each = rows.map(|(filled, n)| summed(filled, &filled.parents[at], n, name, how));
            add(&mut columns, &format!("{label}: {summary} {name}"), of_each.map(Values::Numbers));
        }
    }
    if columns[0].is_empty() {
        return None;
    }
    let [a, b] = columns.map(Frame::of_columns);
    // Those behind them are there for what refers to them.
    let learned = |frame: Frame, filled: &Filled| match filled.learned {
        Some(rows) => frame.select(&(0..rows).collect::<Vec<usize>>()),
        None => frame,
    };
    Some([learned(a, tables[0]), learned(b, tables[1])])
}

/// Adds a column to two frames.
pub(super) fn add(columns: &mut [Vec<FrameColumn>; 2], name: &str, values: [Values; 2]) {
    for (columns, values) in columns.iter_mut().zip(values) {
        columns.push(FrameColumn { name: name.to_owned(), values });
    }
}

/// The cells of a column in two databases.
pub(super) fn values<'a, C: Iterator<Item = Option<&'a str>>>(both: [C; 2], scale: Scale) -> [Values; 2] {
    if scale == Scale::Number {
        let number = |cell: Option<&str>| cell.and_then(number).unwrap_or(f64::NAN);
        return both.map(|cells| Values::Numbers(cells.map(number).collect()));
    }
    let mut texts = Texts::default();
    let codes = both
        .map(|cells| cells.map(|cell| cell.map_or(MISSING, |text| texts.insert(text))).collect::<Vec<u32>>());
    let dictionary = Arc::new(texts);
    codes.map(|codes| Values::Categories { codes, dictionary: Arc::clone(&dictionary) })
}
