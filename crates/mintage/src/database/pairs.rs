//! What gives pairs of tables away: a classifier for each key, which sees a row together with the row that it refers to.
//!
//! A joined row is the own columns of the child and those of its parent, without any keys. The same classifier also sees the
//! child's columns alone: what it tells beyond that is what is wrong with the parents that new rows have. Of each parent one
//! row is judged: of several, those that were learned from would tell the others by the parent that they share.

use std::{cmp::Reverse, collections::HashSet};

use mintage_data::database::{ForeignKey, Schema, Table as TableSchema};
use mintage_nn::Rng;
use serde::Serialize;

use super::{
    detect::{Judged, MIN_ROWS, add, told, values},
    filled::{Database, Filled, NONE},
    plan::{Part, TablePlan},
};
use crate::evaluate::{
    Interval,
    table::{Frame, FrameColumn},
};

/// Keys that are judged, those of the largest tables.
const MAX_KEYS: usize = 12;
/// Joined rows of each kind that are judged.
const MAX_ROWS: usize = 4_000;

/// How well new rows of a table, joined with the rows that they refer to, are told from real ones.
#[derive(Clone, Debug, Serialize)]
pub struct PairDetected {
    /// `child.key`.
    pub of: String,
    /// The table that has the key.
    pub table: String,
    /// The key's place among the keys of that table.
    pub key: usize,
    /// The table that it refers to.
    pub parent: String,
    /// Share of joined rows that the classifier tells right: .5 is the best.
    pub accuracy: f64,
    /// Lower end of the 95 % interval of the accuracy: Wilson's of a share, by the number of rows that were judged, which are
    /// as many new as real ones.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// The share of the same rows that it tells right by the child's own columns alone.
    pub alone: f64,
    /// What it tells joined rows by, the most telling first: `table.column`.
    pub reasons: Vec<String>,
}

impl PairDetected {
    /// The accuracy with its interval.
    pub fn interval(&self) -> Interval {
        Interval { value: self.accuracy, low: self.low, high: self.high }
    }

    /// How much of the accuracy is beyond what the child's own columns give; never less than nothing.
    pub fn beyond(&self) -> f64 {
        (self.accuracy - self.alone).max(0.0)
    }
}

/// Judges the keys between tables that are learned, the worst first.
pub(super) fn pairs(
    (schema, plans): (&Schema, &[TablePlan]),
    judged: &Judged,
    both: [&Database; 2],
    seed: u64,
) -> Vec<PairDetected> {
    let is_learned = |name: &str| plans.iter().any(|plan| plan.name == name && plan.part == Part::Learned);
    let mut keys: Vec<(&TableSchema, usize, &ForeignKey)> = Vec::new();
    for table in schema.tables.iter().filter(|table| is_learned(&table.name)) {
        let own = table.foreign_keys.iter().enumerate();
        let between = own.filter(|(_, key)| !key.is_of(&table.name) && is_learned(&key.parent));
        keys.extend(between.map(|(at, key)| (table, at, key)));
    }
    keys.sort_by_key(|(table, ..)| Reverse(both[0].get(&table.name).map_or(0, Filled::rows)));
    keys.truncate(MAX_KEYS);
    let mut found: Vec<PairDetected> =
        keys.into_iter().filter_map(|(table, at, key)| pair((table, at, key), judged, both, seed)).collect();
    found.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    found
}

/// Judges one key; nothing where too few parents have rows, or have no column to be judged.
fn pair(
    (table, at, key): (&TableSchema, usize, &ForeignKey),
    judged: &Judged,
    [real, new]: [&Database; 2],
    seed: u64,
) -> Option<PairDetected> {
    let children = [real.get(&table.name)?, new.get(&table.name)?];
    let above = [real.get(&key.parent)?, new.get(&key.parent)?];
    let parents = [children[0].parents.get(at)?, children[1].parents.get(at)?];
    let mut rows = [0, 1].map(|side: usize| {
        one_of_each(&parents[side][..children[side].learned()], Rng::new(seed, side as u64))
    });
    let n = rows[0].len().min(rows[1].len()).min(MAX_ROWS);
    if n < MIN_ROWS {
        return None;
    }
    rows.iter_mut().for_each(|rows| rows.truncate(n));
    let up = [0, 1]
        .map(|side: usize| rows[side].iter().map(|&row| parents[side][row as usize]).collect::<Vec<u32>>());
    let mut columns: [Vec<FrameColumn>; 2] = Default::default();
    add_rows(&mut columns, (table.name.as_str(), judged), children, &rows);
    let own = columns[0].len();
    add_rows(&mut columns, (key.parent.as_str(), judged), above, &up);
    if columns[0].len() == own {
        return None;
    }
    let alone = match own {
        0 => 0.5,
        _ => {
            let [a, b] = columns.each_ref().map(|all| Frame::of_columns(all[..own].to_vec()));
            told(&a, &b, n, seed).0.value
        }
    };
    let [a, b] = columns.map(Frame::of_columns);
    let (Interval { value, low, high }, reasons) = told(&a, &b, n, seed);
    Some(PairDetected {
        of: format!("{}.{}", table.name, key.label()),
        table: table.name.clone(),
        key: at,
        parent: key.parent.clone(),
        accuracy: value,
        low,
        high,
        alone,
        reasons,
    })
}

/// One row of each parent that has any, in an order drawn by chance.
fn one_of_each(parents: &[u32], mut rng: Rng) -> Vec<u32> {
    let mut seen = HashSet::new();
    let order = rng.permutation(parents.len()).into_iter();
    let first = order.filter(|&row| parents[row] != NONE && seen.insert(parents[row]));
    first.map(|row| row as u32).collect()
}

/// Adds the judged columns of some rows of a table in two databases.
fn add_rows(
    columns: &mut [Vec<FrameColumn>; 2],
    (table, judged): (&str, &Judged),
    both: [&Filled; 2],
    rows: &[Vec<u32>; 2],
) {
    for (name, scale) in judged.get(table).into_iter().flatten() {
        let [Some(a), Some(b)] = both.map(|filled| filled.table.column(name)) else { continue };
        let cells = [(a, &rows[0]), (b, &rows[1])];
        let cells = cells.map(|(column, rows)| rows.iter().map(move |&row| column.cell(row as usize)));
        add(columns, &format!("{table}.{name}"), values(cells, *scale));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use mintage_data::Column;

    use super::*;
    use crate::database::{
        assign::shuffle,
        detect::Scale,
        filled::put,
        testing::{key, planned, table},
    };

    fn column(name: &str, n: usize, value: &dyn Fn(usize) -> usize) -> Column {
        let cells: Vec<String> = (0..n).map(|row| value(row).to_string()).collect();
        Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
    }

    /// Shops of three sizes, and sales of amounts that go with the size.
    fn shops() -> (Schema, Database, Vec<TablePlan>) {
        const SHOPS: usize = 500;
        let shops = vec![
            column("id", SHOPS, &|row| row + 1),
            column("size", SHOPS, &|row| row % 3 * 100 + row * 7 % 11),
        ];
        let n = 3 * SHOPS;
        let sales = vec![
            column("id", n, &|row| row + 1),
            column("shop", n, &|row| row / 3 + 1),
            column("amount", n, &|row| row / 3 % 3 * 1000 + row * 13 % 97),
        ];
        let keys = vec![key("shop", "shops", "id", false)];
        let (schema, source, mut plans) =
            planned(vec![table("shops", Vec::new(), shops), table("sales", keys, sales)]);
        plans.iter_mut().for_each(|plan| plan.part = Part::Learned);
        (schema, source, plans)
    }

    fn judged() -> Judged<'static> {
        let number = |name: &str| vec![(name.to_owned(), Scale::Number)];
        [("shops", number("size")), ("sales", number("amount"))].into()
    }

    #[test]
    fn parents_at_random_are_told_beyond_the_children() {
        let (schema, source, plans) = shops();
        let with = (&schema, plans.as_slice());
        let same = pairs(with, &judged(), [&source, &source], 1);
        assert!(same.len() == 1 && same[0].accuracy < 0.6, "{same:?}");
        let mut made = source.clone();
        shuffle(&mut made.get_mut("sales").unwrap().parents[0], &mut Rng::new(1, 0));
        let found = pairs(with, &judged(), [&source, &made], 1);
        let found = &found[0];
        assert!(found.accuracy > 0.65 && found.alone < 0.6 && found.beyond() > 0.1, "{found:?}");
        assert!(found.low < found.accuracy && found.accuracy < found.high, "{found:?}");
        assert_eq!((found.of.as_str(), found.parent.as_str()), ("sales.shop", "shops"));
        assert_eq!(format!("{found:?}"), format!("{:?}", pairs(with, &judged(), [&source, &made], 1)[0]));
    }

    #[test]
    fn one_row_of_each_parent_is_judged() {
        let rows = one_of_each(&[3, 3, NONE, 5, 3, NONE], Rng::new(1, 0));
        // Row 3 is the only one of its parent, rows 2 and 5 have none.
        assert!(rows.len() == 2 && rows.contains(&3), "{rows:?}");
        assert!(rows.iter().any(|row| [0, 1, 4].contains(row)), "{rows:?}");
    }

    #[test]
    fn a_column_that_is_spoilt_is_named() {
        let (schema, source, plans) = shops();
        let mut made = source.clone();
        let spoilt = column("amount", made["sales"].rows(), &|row| 5000 + row % 50);
        put(&mut made.get_mut("sales").unwrap().table, [spoilt]);
        let found = pairs((&schema, plans.as_slice()), &judged(), [&source, &made], 1);
        assert_eq!(found[0].reasons.first().map(String::as_str), Some("sales.amount"), "{found:?}");
        assert!(found[0].accuracy > 0.95 && found[0].alone > 0.95, "{found:?}");
    }

    #[test]
    fn keys_to_tables_that_are_kept_are_not_judged() {
        let (schema, source, mut plans) = shops();
        plans.iter_mut().filter(|plan| plan.name == "shops").for_each(|plan| plan.part = Part::Kept);
        assert!(pairs((&schema, plans.as_slice()), &judged(), [&source, &source], 1).is_empty());
    }
}
