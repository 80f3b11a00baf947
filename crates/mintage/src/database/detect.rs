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
    /// The same in words, columns of the table apart from what the rows that refer to it come to: "size; its children: mean of
    /// orders.price".
    pub by: String,
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
        let ([a, b], children) = frames(schema, judged, table, [real, new])?;
        let (Interval { value, low, high }, reasons) = told(&a, &b, n, seed);
        let by = said(&reasons, &children);
        Some(Detected { table: table.clone(), accuracy: value, low, high, reasons, by })
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

/// Reasons in words; `children` are those of them that are what the rows that refer to the table come to, with their words. What
/// tells most stands first.
fn said(reasons: &[String], children: &HashMap<String, String>) -> String {
    let is_own = |reason: &&String| !children.contains_key(*reason);
    let own: Vec<&str> = reasons.iter().filter(is_own).map(String::as_str).collect();
    let theirs: Vec<&str> =
        reasons.iter().filter_map(|reason| children.get(reason)).map(String::as_str).collect();
    let (own, mut theirs) = (own.join(", "), theirs.join(", "));
    if !theirs.is_empty() {
        theirs.insert_str(0, "its children: ");
    }
    let is_own_first = reasons.first().is_some_and(|reason| is_own(&reason));
    let parts = if is_own_first { [own, theirs] } else { [theirs, own] };
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<String>>().join("; ")
}

/// The rows of a table in two databases, and by the names of those columns that are of the rows that refer to it what they are
/// in words; nothing where nothing of them can be judged.
fn frames(
    schema: &Schema,
    judged: &Judged,
    table: &str,
    both: [&Database; 2],
) -> Option<([Frame; 2], HashMap<String, String>)> {
    let mut columns: [Vec<FrameColumn>; 2] = Default::default();
    let mut words = HashMap::new();
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
        let ways = child.foreign_keys.iter().filter(|other| other.parent == table).count();
        let way = if ways > 1 { format!(" by {}", key.label()) } else { String::new() };
        let rows = [(a, tables[0]), (b, tables[1])];
        let counts = rows.map(|(filled, parent)| {
            filled.children(at, parent).into_iter().map(f64::from).collect::<Vec<f64>>()
        });
        let number = format!("{label}: number");
        add(&mut columns, &number, counts.map(Values::Numbers));
        words.insert(number, format!("number of {}{way}", child.name));
        // Of children that were not all read nothing can be summed up.
        if !rows.iter().all(|(filled, _)| filled.is_whole(at)) {
            continue;
        }
        let rows = rows.map(|(filled, parent)| (filled, parent.rows()));
        for (name, scale) in judged.get(child.name.as_str()).into_iter().flatten() {
            let (summary, of, how) = match scale {
                Scale::Number => ("mean of", "mean of", How::Mean),
                Scale::Category => ("different", "different values of", How::Different),
            };
            let of_each = rows.map(|(filled, n)| summed(filled, &filled.parents[at], n, name, how));
            let column = format!("{label}: {summary} {name}");
            add(&mut columns, &column, of_each.map(Values::Numbers));
            words.insert(column, format!("{of} {}.{name}{way}", child.name));
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
    Some(([learned(a, tables[0]), learned(b, tables[1])], words))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{
        filled::{numbers, put},
        testing::{key, planned, table},
    };

    /// Shops of some sizes, with three sales each.
    fn shops() -> (Schema, Database) {
        let shops = vec![numbers("id", 1..=300), numbers("size", (0..300).map(|row| row * 7 % 90))];
        let sales = vec![
            numbers("id", 1..=900),
            numbers("shop", (0..900).map(|row| row / 3 + 1)),
            numbers("amount", (0..900).map(|row| row * 13 % 97)),
        ];
        let sales = table("sales", vec![key("shop", "shops", "id", false)], sales);
        let (schema, source, _) = planned(vec![table("shops", Vec::new(), shops), sales]);
        (schema, source)
    }

    fn judged() -> Judged<'static> {
        let number = |name: &str| vec![(name.to_owned(), Scale::Number)];
        [("shops", number("size")), ("sales", number("amount"))].into()
    }

    #[test]
    fn says_that_a_table_is_told_by_its_children() {
        let (schema, real) = shops();
        let mut new = real.clone();
        let sales = new.get_mut("sales").unwrap();
        put(&mut sales.table, [numbers("amount", (0..900).map(|row| 500 + row * 13 % 97))]);
        let found = detected(&schema, &judged(), &real, &new, 1);
        let shops = found.iter().find(|found| found.table == "shops").unwrap();
        assert!(shops.accuracy > 0.9, "{shops:?}");
        assert_eq!(
            (shops.reasons[0].as_str(), shops.by.as_str()),
            ("sales.shop: mean of amount", "its children: mean of sales.amount")
        );
        let sales = found.iter().find(|found| found.table == "sales").unwrap();
        assert_eq!(sales.by, "amount");
    }

    #[test]
    fn says_own_columns_and_children_apart() {
        let children = [("a.b: number", "number of a"), ("a.b: mean of c", "mean of a.c")];
        let children: HashMap<String, String> =
            children.map(|(name, words)| (name.to_owned(), words.to_owned())).into();
        let said = |reasons: &[&str]| {
            said(&reasons.iter().map(|&reason| reason.to_owned()).collect::<Vec<String>>(), &children)
        };
        assert_eq!(said(&["size", "a.b: number", "age"]), "size, age; its children: number of a");
        assert_eq!(
            said(&["a.b: mean of c", "size", "a.b: number"]),
            "its children: mean of a.c, number of a; size"
        );
        assert_eq!((said(&["size"]).as_str(), said(&[]).as_str()), ("size", ""));
    }

    #[test]
    fn names_the_key_where_several_lead_to_the_table() {
        let (mut schema, mut real) = shops();
        let sales = schema.tables.iter_mut().find(|table| table.name == "sales").unwrap();
        sales.foreign_keys.push(key("amount", "shops", "id", false));
        let filled = real.get_mut("sales").unwrap();
        filled.parents.push(filled.parents[0].clone());
        let (_, words) = frames(&schema, &judged(), "shops", [&real, &real]).unwrap();
        assert_eq!(words["sales.shop: number"], "number of sales by shop");
        assert_eq!(words["sales.amount: mean of amount"], "mean of sales.amount by amount");
    }
}
