//! How the values of each column are spread: bins of numbers, and the most frequent texts.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::cell::{BrowseType, Raw};

/// Rows that are read for histograms, at most; of larger tables these are spread over all of it where that can be done.
pub(super) const MAX_HISTOGRAM_ROWS: u64 = 100_000;
/// Bins of numbers.
pub const MAX_BINS: usize = 30;
/// Texts that are counted one by one.
pub const MAX_VALUES: usize = 50;
/// Characters of such a text; longer ones are among the others.
pub(super) const MAX_VALUE_CHARS: usize = 100;
/// Different texts of a column that are counted before any more are among the others.
const MAX_DISTINCT: usize = 50_000;

/// The histograms of a table: in JSON `{"rows", "total", "columns": {name: {"kind", …}}}`. Columns of files have none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histograms {
    /// Rows that were read.
    pub rows: u64,
    /// Rows of the table.
    pub total: u64,
    /// In the order of the columns.
    #[serde(serialize_with = "as_map")]
    pub columns: Vec<(String, Histogram)>,
}

/// How the values of a column are spread.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Histogram {
    Number {
        /// The bounds of the bins, one more than there are bins.
        edges: Vec<f64>,
        counts: Vec<u64>,
        /// Rows whose value is not a number.
        others: u64,
        missing: u64,
    },
    /// Texts by how often they occur; dates by the day, the month or the year, in their order.
    Category {
        values: Vec<(String, u64)>,
        /// Rows with any other text.
        others: u64,
        missing: u64,
    },
}

fn as_map<S: Serializer>(columns: &[(String, Histogram)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(columns.iter().map(|(name, histogram)| (name, histogram)))
}

impl Histograms {
    pub(super) fn of(rows: u64, total: u64, tallies: impl Iterator<Item = (String, Tally)>) -> Self {
        Self { rows, total, columns: tallies.map(|(name, tally)| (name, tally.finish())).collect() }
    }
}

/// The values of a column, counted.
pub(super) struct Tally {
    ty: BrowseType,
    numbers: Vec<(f64, u64)>,
    texts: HashMap<String, u64>,
    others: u64,
    missing: u64,
}

impl Tally {
    pub fn new(ty: BrowseType) -> Self {
        Self { ty, numbers: Vec::new(), texts: HashMap::new(), others: 0, missing: 0 }
    }

    /// Adds a value that occurs `n` times.
    pub fn add(&mut self, value: Raw, n: u64) {
        let is_number = self.ty.is_number();
        match value {
            Raw::Missing => self.missing += n,
            Raw::Text(text, _) if text.is_empty() => self.missing += n,
            Raw::Integer(x) if is_number => self.numbers.push((x as f64, n)),
            Raw::Real(x) if is_number && x.is_finite() => self.numbers.push((x, n)),
            Raw::Integer(x) => self.add_text(x.to_string(), n),
            Raw::Real(x) => self.add_text(x.to_string(), n),
            Raw::Boolean(x) => self.add_text(x.to_string(), n),
            Raw::Text(text, chars) if !is_number && chars <= MAX_VALUE_CHARS as u64 => self.add_text(text, n),
            Raw::Text(..) | Raw::Bytes(..) => self.others += n,
        }
    }

    fn add_text(&mut self, text: String, n: u64) {
        let is_full = self.texts.len() >= MAX_DISTINCT || self.ty.is_number();
        match self.texts.get_mut(&text) {
            Some(count) => *count += n,
            None if is_full => self.others += n,
            None => {
                self.texts.insert(text, n);
            }
        }
    }

    pub fn finish(self) -> Histogram {
        let Self { ty, numbers, texts, others, missing } = self;
        if ty.is_number() {
            let (edges, counts) = binned(&numbers, ty == BrowseType::Integer);
            return Histogram::Number { edges, counts, others, missing };
        }
        if ty == BrowseType::Datetime
            && let Some(values) = by_date(&texts)
        {
            return Histogram::Category { values, others, missing };
        }
        let is_few = texts.len() <= MAX_VALUES;
        let mut values: Vec<(String, u64)> = texts.into_iter().collect();
        values.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        // Of many texts those say nothing that occur once.
        let shown = values.iter().take(MAX_VALUES).filter(|(_, n)| is_few || *n > 1).count();
        let rest: u64 = values.drain(shown..).map(|(_, n)| n).sum();
        Histogram::Category { values, others: others + rest, missing }
    }
}

/// Bins of equal width: their bounds, and how many numbers lie in each. Bounds of integers lie between two of them.
fn binned(numbers: &[(f64, u64)], is_integer: bool) -> (Vec<f64>, Vec<u64>) {
    let least = numbers.iter().map(|(x, _)| *x).reduce(f64::min);
    let most = numbers.iter().map(|(x, _)| *x).reduce(f64::max);
    let Some((least, most)) = least.zip(most) else { return (Vec::new(), Vec::new()) };
    let edges: Vec<f64> = if is_integer {
        let width =
            ((most / MAX_BINS as f64 - least / MAX_BINS as f64) + 1.0 / MAX_BINS as f64).ceil().max(1.0);
        let bins = (((most - least + 1.0) / width).ceil() as usize).clamp(1, MAX_BINS);
        (0..=bins).map(|bin| least - 0.5 + bin as f64 * width).collect()
    } else if least == most {
        vec![least, most]
    } else {
        // A mean of both ends: their difference may be larger than any number.
        let share = |bin: usize| bin as f64 / MAX_BINS as f64;
        let inner = (0..MAX_BINS).map(|bin| least * (1.0 - share(bin)) + most * share(bin));
        inner.chain([most]).collect()
    };
    let mut counts = vec![0; edges.len() - 1];
    let last = counts.len() - 1;
    for (x, n) in numbers {
        let bin = edges[1..].partition_point(|edge| edge <= x);
        counts[bin.min(last)] += n;
    }
    (edges, counts)
}

/// Dates by the longest of their beginnings of which there are not too many: days, months, years.
fn by_date(texts: &HashMap<String, u64>) -> Option<Vec<(String, u64)>> {
    const BEGINNINGS: [usize; 3] = ["2024-02-29".len(), "2024-02".len(), "2024".len()];
    BEGINNINGS.into_iter().find_map(|length| {
        let mut counts = std::collections::BTreeMap::<&str, u64>::new();
        for (text, n) in texts {
            *counts.entry(text.get(..length).unwrap_or(text)).or_default() += n;
        }
        let counts = counts.into_iter().map(|(text, n)| (text.to_owned(), n));
        (counts.len() <= MAX_VALUES).then(|| counts.collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lies_in_a_bin() {
        for (numbers, is_integer) in [
            ((0..100).map(f64::from).collect::<Vec<_>>(), true),
            (vec![3.0; 5], true),
            (vec![0.0, 1.0, 1.0, 4.0], true),
            (vec![-9e18, 9e18, 0.0], true),
            (vec![0.1, 0.2, 0.3], false),
            (vec![7.5], false),
            (vec![f64::MIN, f64::MAX, 0.0], false),
        ] {
            let counted: Vec<(f64, u64)> = numbers.iter().map(|x| (*x, 2)).collect();
            let (edges, counts) = binned(&counted, is_integer);
            assert_eq!(edges.len(), counts.len() + 1);
            assert!(counts.len() <= MAX_BINS && edges.iter().all(|edge| edge.is_finite()), "{edges:?}");
            assert_eq!(counts.iter().sum::<u64>(), 2 * numbers.len() as u64, "{numbers:?}");
            assert!(
                edges.is_sorted() && numbers.iter().all(|x| edges[0] <= *x && *x <= edges[edges.len() - 1])
            );
        }
        assert_eq!(binned(&[(0.0, 1), (2.0, 3)], true), (vec![-0.5, 0.5, 1.5, 2.5], vec![1, 0, 3]));
    }

    #[test]
    fn frequent_texts_are_counted_and_dates_are_cut() {
        let mut tally = Tally::new(BrowseType::Text);
        for i in 0..200 {
            tally.add(Raw::text(&format!("t{i}")), if i % 10 == 0 { 5 + i } else { 1 });
        }
        tally.add(Raw::text(&"x".repeat(101)), 1);
        tally.add(Raw::Missing, 3);
        tally.add(Raw::text(""), 1);
        let Histogram::Category { values, others, missing } = tally.finish() else { unreachable!("texts") };
        assert_eq!((values.len(), values[0].clone()), (20, ("t190".to_owned(), 195)));
        assert_eq!((others, missing), (181, 4));
        let mut dates = Tally::new(BrowseType::Datetime);
        for day in 1..=28 {
            for month in ["2024-01", "2024-02", "2025-01"] {
                dates.add(Raw::text(&format!("{month}-{day:02} 10:00")), 1);
            }
        }
        let Histogram::Category { values, .. } = dates.finish() else { unreachable!("dates") };
        assert_eq!(values, ["2024-01", "2024-02", "2025-01"].map(|month| (month.to_owned(), 28)));
        let mut mixed = Tally::new(BrowseType::Integer);
        mixed.add(Raw::Integer(1), 2);
        mixed.add(Raw::text("n/a"), 3);
        assert!(matches!(mixed.finish(), Histogram::Number { others: 3, missing: 0, .. }));
    }
}
