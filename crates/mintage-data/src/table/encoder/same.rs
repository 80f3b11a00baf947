//! Numbers that are often exactly those of another column, such as what was paid of a bill: two numbers that each have a
//! place of their own in their bins are hardly ever equal, so the column has a token that says so.

use std::{cmp::Reverse, collections::HashMap};

use rayon::prelude::*;

use super::{ColumnCodec, Limits, RowEncoder, column::Drawn};
use crate::table::{Column, Table};

/// Columns that are compared with each other, and rows in which they are, at most.
const MAX_COLUMNS: usize = 64;
const MAX_ROWS: usize = 20_000;
/// Rows in which two columns have the same number, at least, and as a share of all.
const MIN_EQUAL_ROWS: usize = 50;
const MIN_EQUAL_SHARE: f64 = 0.05;
/// … and how many times as often as in columns that know nothing of each other.
const MIN_LIFT: f64 = 3.0;

/// The columns that often have the number of one before them, each with the one of which that is true most often.
pub(super) fn find(table: &Table, columns: &[ColumnCodec], train: &[u32]) -> Vec<(usize, usize)> {
    let step = train.len().div_ceil(MAX_ROWS).max(1);
    let rows: Vec<u32> = train.iter().copied().step_by(step).collect();
    let binned: Vec<usize> =
        (0..columns.len()).filter(|&at| columns[at].is_binned()).take(MAX_COLUMNS).collect();
    let numbers: Vec<Numbers> =
        binned.par_iter().map(|&at| Numbers::of(&table.columns[at], &columns[at], &rows)).collect();
    let partner = |own: usize| {
        let candidates = (0..own).filter_map(|other| Some((numbers[own].shared(&numbers[other])?, other)));
        // Of several the first.
        let (_, other) = candidates.max_by_key(|&(rows, other)| (rows, Reverse(other)))?;
        Some((binned[own], binned[other]))
    };
    (0..binned.len()).into_par_iter().filter_map(partner).collect()
}

/// The numbers of some rows of a column; NaN, which equals nothing, where there is none.
struct Numbers {
    all: Vec<f64>,
    /// Those alone that their bins leave open.
    open: Vec<f64>,
}

impl Numbers {
    fn of(column: &Column, codec: &ColumnCodec, rows: &[u32]) -> Self {
        let numbers = |number: &dyn Fn(&str) -> Option<f64>| -> Vec<f64> {
            let of_row = |&row: &u32| column.cell(row as usize).and_then(number).unwrap_or(f64::NAN);
            rows.iter().map(of_row).collect()
        };
        Self { all: numbers(&|text| codec.comparable(text)), open: numbers(&|text| codec.left_open(text)) }
    }

    /// In how many rows another column has the same number, where that is often.
    fn shared(&self, other: &Self) -> Option<usize> {
        let equal = self.open.iter().zip(&other.all).filter(|(own, other)| own == other).count();
        let often = equal >= MIN_EQUAL_ROWS && equal as f64 >= MIN_EQUAL_SHARE * self.open.len() as f64;
        (often && equal as f64 >= MIN_LIFT * self.by_chance(other)).then_some(equal)
    }

    /// In how many it would if the two knew nothing of each other.
    fn by_chance(&self, other: &Self) -> f64 {
        let (own, others) = (counts(&self.open), counts(&other.all));
        let pairs = own.iter().map(|(number, count)| count * others.get(number).copied().unwrap_or_default());
        pairs.sum::<u64>() as f64 / self.open.len().max(1) as f64
    }
}

/// How often each number occurs, by its bits.
fn counts(numbers: &[f64]) -> HashMap<u64, u64> {
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for number in numbers.iter().filter(|number| !number.is_nan()) {
        *counts.entry(number.to_bits()).or_default() += 1;
    }
    counts
}

impl RowEncoder {
    /// Says in the tokens of a table, in the form that models see, which cells have the number of another column. Where
    /// either of the two is `hidden` they are not compared.
    pub(super) fn mark_same(&self, tokens: &mut [u16], table: &Table, hidden: Option<u16>) {
        let (width, spans) = (self.width(), self.spans());
        for (at, codec) in self.columns.iter().enumerate() {
            let (Some(token), Some(partner)) = (codec.same_token(), codec.same) else { continue };
            let (column, beside) = (&table.columns[at], &table.columns[partner]);
            let own: Vec<Option<f64>> = column.values().iter().map(|text| codec.left_open(text)).collect();
            let other = &self.columns[partner];
            let theirs: Vec<Option<f64>> =
                beside.values().iter().map(|text| other.comparable(text)).collect();
            let fields = [spans[at].start, spans[partner].start];
            let cells = column.numbers().par_iter().zip(beside.numbers());
            tokens.par_chunks_mut(width).zip(cells).for_each(|(row, (&cell, &their_cell))| {
                // The number of a missing cell is beyond all others.
                let number = own.get(cell as usize).copied().flatten();
                let same = number.is_some() && number == theirs.get(their_cell as usize).copied().flatten();
                if same && !fields.iter().any(|&field| Some(row[field]) == hidden) {
                    row[fields[0]] = token;
                }
            });
        }
    }

    /// Copies numbers into the cells whose tokens say that they are those of another column. Where that one has none, or
    /// none that a limit allows, the number that was `drawn` in its stead is written; without it the cell stays.
    pub(super) fn copy_same(
        &self,
        tokens: &[u16],
        limits: &Limits,
        drawn: Option<&[Vec<Drawn>]>,
        table: &mut Table,
    ) {
        let (width, spans) = (self.width(), self.spans());
        // In the order of the columns: what is copied may be a copy itself.
        for (at, codec) in self.columns.iter().enumerate() {
            let (Some(token), Some(partner)) = (codec.same_token(), codec.same) else { continue };
            let (other, field) = (&self.columns[partner], spans[at].start);
            let between = limits.of(at).and_then(|limit| limit.between);
            let may = |number: &f64| between.is_none_or(|(low, high)| low <= *number && *number <= high);
            let (before, rest) = table.columns.split_at_mut(at);
            let (beside, column) = (&before[partner], &mut rest[0]);
            for row in (0..column.len()).filter(|row| tokens[row * width + field] == token) {
                let copied = beside.cell(row).and_then(|text| other.comparable(text)).filter(may);
                let instead = || match drawn?[at][row] {
                    Drawn::Same(number) => Some(number),
                    _ => None,
                };
                if let Some(number) = copied.or_else(instead) {
                    column.set(row, Some(&codec.schema.text(number)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::table::{
        encoder::{Places, Where, testing::random, unit},
        rules::Rules,
        schema::detect,
    };

    const ROWS: usize = 2000;
    const HIDDEN: u16 = u16::MAX;

    fn table_of(columns: &[(&str, Vec<Option<String>>)]) -> Table {
        let columns =
            columns.iter().map(|(name, cells)| Column::of(name, cells.iter().map(Option::as_deref)));
        Table { name: "t".to_owned(), columns: columns.collect(), ..Table::default() }
    }

    /// Lognormal bills of which a few are missing; in 30 % of rows the whole bill was paid, and of what was paid 40 %
    /// is booked as it is.
    fn bills() -> Table {
        let mut next = random(1);
        let mut uniform = || unit(next());
        let (mut bill, mut paid, mut booked) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..ROWS {
            let [a, b, c] = [7.0, 6.5, 6.0].map(|mean: f64| {
                let (u, v) = (1.0 - uniform(), uniform());
                let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
                format!("{:.2}", (mean + normal).exp())
            });
            let a = (!row.is_multiple_of(100)).then_some(a);
            let b = if uniform() < 0.3 && a.is_some() { a.clone() } else { Some(b) };
            let c = if uniform() < 0.4 { b.clone() } else { Some(c) };
            bill.push(a);
            paid.push(b);
            booked.push(c);
        }
        table_of(&[("bill", bill), ("paid", paid), ("booked", booked)])
    }

    fn codec_of(table: &Table) -> RowEncoder {
        let rules = Rules::new(Vec::new(), table, &detect(table)).unwrap();
        let train: Vec<u32> = (0..table.rows() as u32).collect();
        RowEncoder::fit(table, rules, [&train, &[]], 0)
    }

    fn same(codec: &RowEncoder) -> Vec<Option<usize>> {
        codec.columns.iter().map(|column| column.same).collect()
    }

    fn equal(table: &Table, [a, b]: [usize; 2]) -> usize {
        table.columns[a].iter().zip(table.columns[b].iter()).filter(|(a, b)| a == b).count()
    }

    fn redrawn(codec: &RowEncoder, tokens: &[u16], limits: &Limits) -> Table {
        let mut next = random(2);
        codec.decode(tokens, tokens.len() / 3, limits, &mut Places::given(&mut || unit(next())))
    }

    #[test]
    fn keeps_numbers_equal_that_are() {
        let table = bills();
        let codec = codec_of(&table);
        assert_eq!(same(&codec), [None, Some(0), Some(1)]);
        let new = redrawn(&codec, &codec.encode(&table, 0), &Limits::default());
        assert!(!new.columns[0].iter().eq(table.columns[0].iter()));
        for pair in [[0, 1], [1, 2]] {
            assert!(equal(&table, pair).abs_diff(equal(&new, pair)) <= ROWS / 100, "{pair:?}");
        }
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let table = bills();
        let codec = codec_of(&table);
        let mut positions = codec.positions(&table).into_iter();
        let mut next = || positions.next().unwrap();
        let tokens = codec.encode(&table, 0);
        let back = codec.decode(&tokens, ROWS, &Limits::default(), &mut Places::given(&mut next));
        assert_eq!(back, table);
    }

    #[test]
    fn the_token_is_the_last_and_apart() {
        let table = bills();
        let codec = codec_of(&table);
        let tokens = codec.encode(&table, 0);
        let fields = codec.fields(&tokens, &(0..ROWS as u32).collect::<Vec<u32>>());
        let token = codec.columns[1].same_token().unwrap();
        assert_eq!((fields[1].size, fields[1].unordered), (usize::from(token) + 1, 1));
        // But for a bin that happens to have one row.
        let counted = fields[1].counts[usize::from(token)] as usize;
        assert!(equal(&table, [0, 1]).abs_diff(counted) <= 1, "{counted}");
    }

    #[test]
    fn conditions_hold_on_numbers_that_are_copied() {
        let table = bills();
        let codec = codec_of(&table);
        let limits = codec.limits(&[Where::parse("paid=500..900").unwrap()]).unwrap();
        let allowed = limits.allowed(false)[1].clone().unwrap();
        assert_eq!(allowed.last(), Some(&false));
        let new = redrawn(&codec, &codec.encode(&table, 0), &limits);
        let inside = |cell: Option<&str>| (500.0..=900.0).contains(&cell.unwrap().parse::<f64>().unwrap());
        assert!(new.columns[1].iter().all(inside));
        // Without a condition on it the token is as good as others, also where no value may be missing.
        assert!(limits.allowed(true)[2].as_ref().is_none_or(|allowed| allowed.last() == Some(&true)));
    }

    #[test]
    fn what_is_missing_is_not_copied() {
        let table = bills();
        let codec = codec_of(&table);
        let missing = codec.encode(&table, 0)[0];
        let token = codec.columns[1].same_token().unwrap();
        let new = redrawn(&codec, &[missing, token, 0].repeat(40), &Limits::default());
        assert!(new.columns[0].iter().all(|cell| cell.is_none()));
        assert!(new.columns[1].iter().all(|cell| cell.is_some()));
    }

    #[test]
    fn given_numbers_are_copied() {
        let table = bills();
        let codec = codec_of(&table);
        let token = codec.columns[1].same_token().unwrap();
        let given = |columns: &[usize]| Table {
            columns: columns.iter().map(|&at| table.columns[at].clone()).collect(),
            ..Table::default()
        };
        let encoded = |given: &Table| codec.encode_given(given, HIDDEN, &mut random(3)).unwrap();
        assert!(encoded(&given(&[1])).chunks(3).all(|row| row[0] == HIDDEN && row[1] < token));
        let both = encoded(&given(&[0, 1]));
        let whole = codec.encode(&table, 0);
        let is_same = |row: &[u16]| row[1] == token;
        assert!(both.chunks(3).map(is_same).eq(whole.chunks(3).map(is_same)));
        let bill = given(&[0]);
        let mut tokens = encoded(&bill);
        for row in tokens.chunks_mut(3) {
            assert_eq!(row[1], HIDDEN);
            if row[0] == HIDDEN {
                row[0] = 0;
            }
            (row[1], row[2]) = (token, 0);
        }
        let mut finisher = codec.finisher().unwrap();
        let new =
            finisher.part(&tokens, ROWS, &Limits::default(), Some(&bill), None, &mut random(4)).unwrap();
        for (row, cell) in bill.columns[0].iter().enumerate().filter(|(_, cell)| cell.is_some()) {
            assert_eq!((new.columns[0].cell(row), new.columns[1].cell(row)), (cell, cell));
        }
    }

    #[test]
    fn files_are_read_as_they_were_written() {
        let codec = codec_of(&bills());
        let file = serde_json::to_value(&codec).unwrap();
        let read = |file: Value| serde_json::from_value::<RowEncoder>(file).unwrap();
        assert_eq!(read(file.clone()), codec);
        assert_eq!(read(file.clone()).check(), Ok(()));
        for (column, partner) in [(0usize, 0usize), (0, 1), (1, 1), (1, 2), (2, 99)] {
            let mut file = file.clone();
            file["columns"][column]["same"] = json!(partner);
            assert!(read(file).check().unwrap_err().contains("before it"), "{column} as {partner}");
        }
    }

    #[test]
    fn frequent_values_that_columns_share_do_not_count() {
        let mut next = random(5);
        let mut cells = || -> Vec<Option<String>> {
            let cell = |_| if unit(next()) < 0.5 { 0.0 } else { 9000.0 * unit(next()) };
            (0..ROWS).map(cell).map(|number| Some(format!("{number:.2}"))).collect()
        };
        let table = table_of(&[("a", cells()), ("b", cells())]);
        assert!(equal(&table, [0, 1]) > ROWS / 5);
        assert_eq!(same(&codec_of(&table)), [None, None]);
    }
}
