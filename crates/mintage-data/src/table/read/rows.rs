//! Rows as they come from a source: which of their columns are wanted, and which of them are kept.

use std::{collections::HashSet, ops::Range};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::{Column, Table, csv::MAX_COLUMNS};
use crate::{Error, SourceSpec, error::suggestion};

/// Rows that are read before a sieve is asked which of them are kept.
const SIEVE_ROWS: usize = 1 << 16;

/// Says by their cells which rows of a source are kept.
pub trait Sieve {
    /// The rows come, from the first on; once more where a file had to be read in another way.
    fn begin(&mut self);

    /// Whether each of the rows `rows` of `table` is kept, of which the first is the one at `first` in the source. Every row
    /// is asked for once, in the order of the source.
    fn keeps(&mut self, table: &Table, rows: Range<usize>, first: u64) -> Vec<bool>;
}

/// The table that a source becomes, of which at most `limit` rows are kept, spread over all of it.
///
/// How many rows will come is not known before: every row is kept, then one of every two, of every four, …, so
/// that there are never more than twice as many as wanted. Which one is left to a hash: every second row of a table in
/// which two kinds of rows take turns would be rows of one kind.
pub(super) struct Rows<'a> {
    pub table: Table,
    limit: Option<usize>,
    /// What chooses rows in place of a limit, and how many rows of the table it has chosen.
    sieve: Option<&'a mut dyn Sieve>,
    sifted: usize,
    /// One of two to the power of this is kept.
    halvings: u32,
    seen: u64,
    /// The numbers of the rows that are kept, where there is a limit.
    numbers: Vec<u64>,
    kept: usize,
    /// Rows that mintage made, which are not among them.
    made: usize,
}

/// The same sieve for another reading.
pub(super) fn again<'a>(sieve: &'a mut Option<&mut dyn Sieve>) -> Option<&'a mut dyn Sieve> {
    match sieve {
        Some(sieve) => Some(&mut **sieve),
        None => None,
    }
}

impl<'a> Rows<'a> {
    pub fn new(table: Table, spec: &SourceSpec, mut sieve: Option<&'a mut dyn Sieve>) -> Self {
        let limit = spec.limit.map(|limit| limit.max(1)).filter(|_| sieve.is_none());
        if let Some(sieve) = &mut sieve {
            sieve.begin();
        }
        let numbers = Vec::new();
        Self { table, limit, sieve, sifted: 0, halvings: 0, seen: 0, numbers, kept: 0, made: 0 }
    }

    /// Whether the row that comes now is kept. To be asked once a row, before its cells are added.
    pub fn keeps_next(&mut self) -> bool {
        self.sift_if_due();
        if self.is_full() {
            self.thin_out();
        }
        self.counts_next()
    }

    /// Adds the rows of a batch of `n` with `push`, which is given the places of those to keep: all that fit before
    /// the rows so far are thinned out, then the others.
    pub fn add_batch(&mut self, n: usize, mut push: impl FnMut(&mut Table, &[usize])) {
        let mut pending = Vec::new();
        self.sift_if_due();
        for row in 0..n {
            if self.is_full() {
                push(&mut self.table, &pending);
                pending.clear();
                self.thin_out();
            }
            if self.counts_next() {
                pending.push(row);
            }
        }
        push(&mut self.table, &pending);
    }

    /// In steps as long as what is kept so far: each row is moved a few times at most.
    fn sift_if_due(&mut self) {
        if self.sieve.is_some() && self.kept - self.sifted >= SIEVE_ROWS.max(self.sifted) {
            self.sift();
        }
    }

    /// Leaves out what the sieve does not keep of the rows that it has not seen.
    fn sift(&mut self) {
        let Some(sieve) = &mut self.sieve else { return };
        let rows = self.sifted..self.kept;
        let first = self.seen - rows.len() as u64;
        let keeps = sieve.keeps(&self.table, rows.clone(), first);
        let new = rows.zip(keeps).filter_map(|(row, keeps)| keeps.then_some(row as u32));
        let left: Vec<u32> = (0..self.sifted as u32).chain(new).collect();
        if left.len() < self.kept {
            self.table = self.table.select(&left);
        }
        self.kept = left.len();
        self.sifted = self.kept;
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.kept >= limit.saturating_mul(2))
    }

    /// Keeps one of every two rows so far.
    fn thin_out(&mut self) {
        self.halvings += 1;
        let wins = |place: &usize| wins(self.numbers[*place], self.halvings);
        let left: Vec<usize> = (0..self.kept).filter(wins).collect();
        self.numbers = left.iter().map(|&place| self.numbers[place]).collect();
        let left: Vec<u32> = left.into_iter().map(|place| place as u32).collect();
        self.table = self.table.select(&left);
        self.kept = left.len();
    }

    /// Counts the row that comes now; whether it is kept.
    fn counts_next(&mut self) -> bool {
        let number = self.seen;
        let keeps = (1..=self.halvings).all(|halving| wins(number, halving));
        self.seen += 1;
        self.kept += usize::from(keeps);
        if keeps && self.limit.is_some() {
            self.numbers.push(number);
        }
        keeps
    }

    /// Counts a row that mintage made.
    pub fn leave_out_made(&mut self) {
        self.made += 1;
    }

    pub fn has_made(&self) -> bool {
        self.made > 0
    }

    /// Rows kept, the one that is being added with them.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// The table of the rows that were kept, at most as many as the limit.
    ///
    /// # Errors
    /// There are no rows, or Mintage made all of them. A sieve may keep none of them.
    pub fn finish(mut self, place: &str) -> Result<Table, Error> {
        self.sift();
        if self.sieve.is_some() && self.seen > 0 {
            return Ok(self.table);
        }
        if self.kept == 0 && self.made > 0 {
            return Err(Error::OnlyMade { what: place.to_owned(), count: self.made });
        }
        if self.made > 0 {
            self.table.notes.push(format!("{} rows made by mintage, left out", self.made));
        }
        if self.kept == 0 {
            return Err(Error::bad(place, "holds no rows").with_hint("rows that mintage made do not count"));
        }
        let Some(limit) = self.limit.filter(|&limit| limit < self.kept) else { return Ok(self.table) };
        let place = |i: usize| {
            let (from, to) = (i * self.kept / limit, (i + 1) * self.kept / limit);
            (from as u64 + hash(i as u64, 0) % (to - from) as u64) as u32
        };
        let spread: Vec<u32> = (0..limit).map(place).collect();
        Ok(self.table.select(&spread))
    }
}

/// Of two neighbours that are left at a halving, whether a row is the one that is kept.
fn wins(number: u64, halving: u32) -> bool {
    let side = (number >> (halving - 1)) & 1;
    side == hash(number >> halving, u64::from(halving)) & 1
}

fn hash(number: u64, seed: u64) -> u64 {
    xxh3_64_with_seed(&number.to_le_bytes(), seed)
}

/// Names that no table may have: none at all, too many, or the same twice.
pub(super) fn check_names(place: &str, names: &[String]) -> Result<(), Error> {
    if names.is_empty() {
        return Err(Error::bad(place, "has no columns"));
    }
    if names.len() > MAX_COLUMNS {
        let why = format!("has {} columns, and {MAX_COLUMNS} are the most that can be read", names.len());
        return Err(Error::bad(place, why).with_hint("name those to learn with --column a,b,c"));
    }
    let mut seen = HashSet::new();
    let mut twice: Vec<&str> = names.iter().map(String::as_str).filter(|name| !seen.insert(*name)).collect();
    twice.dedup();
    if twice.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = twice.iter().take(5).map(|name| format!("`{name}`")).collect();
    Err(Error::bad(place, format!("has several columns named {}", shown.join(", ")))
        .with_hint("give every column a name of its own"))
}

/// The columns that `wanted` (names with commas between them) asks for, by their place in `names`; all of
/// them when it is absent.
pub(crate) fn chosen(wanted: Option<&str>, place: &str, names: &[String]) -> Result<Vec<usize>, Error> {
    let Some(wanted) = wanted else { return Ok((0..names.len()).collect()) };
    let find = |name: &str| names.iter().position(|n| n == name);
    // A column may itself have a comma in its name.
    if let Some(only) = find(wanted) {
        return Ok(vec![only]);
    }
    let mut found = Vec::new();
    for name in wanted.split(',').map(str::trim) {
        let at = find(name).ok_or_else(|| unknown_column(place, name, names))?;
        if found.contains(&at) {
            return Err(Error::bad(place, format!("column `{name}` is asked for twice")));
        }
        found.push(at);
    }
    Ok(found)
}

fn unknown_column(place: &str, name: &str, names: &[String]) -> Error {
    let hint = suggestion(name, names.iter().map(String::as_str)).unwrap_or_else(|| {
        let shown: Vec<&str> = names.iter().take(30).map(String::as_str).collect();
        let more = if names.len() > shown.len() { ", …" } else { "" };
        format!("the columns are {}{more}", shown.join(", "))
    });
    Error::bad(place, format!("has no column `{name}`")).with_hint(hint)
}

/// A table without rows, with the columns of `chosen`.
pub(super) fn empty(name: String, names: &[String], chosen: &[usize]) -> Table {
    let columns = chosen.iter().map(|&i| Column::new(names[i].clone(), Default::default())).collect();
    Table { name, columns, ..Table::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn kept(n: usize, limit: Option<usize>) -> Vec<usize> {
        let table = Table { columns: vec![Column::of("n", [])], ..Table::default() };
        let mut rows = Rows::new(table, &SourceSpec { limit, ..SourceSpec::default() }, None);
        for i in 0..n {
            if rows.keeps_next() {
                rows.table.columns[0].push(Some(&i.to_string()));
            }
        }
        rows.finish("t").unwrap().columns[0].iter().map(|cell| cell.unwrap().parse().unwrap()).collect()
    }

    /// Keeps every third row, and notes what it was asked.
    #[derive(Default)]
    struct Thirds(Vec<u64>);

    impl Sieve for Thirds {
        fn begin(&mut self) {
            self.0.clear();
        }

        fn keeps(&mut self, table: &Table, rows: Range<usize>, first: u64) -> Vec<bool> {
            let cells = rows.clone().map(|row| table.columns[0].cell(row).unwrap().parse::<u64>().unwrap());
            let cells: Vec<u64> = cells.collect();
            assert!(cells.iter().zip(first..).all(|(cell, number)| *cell == number));
            self.0.extend(&cells);
            cells.iter().map(|cell| cell % 3 == 0).collect()
        }
    }

    #[test]
    fn a_sieve_sees_every_row_once_and_keeps_what_it_says() {
        let n = 5 * SIEVE_ROWS as u64 + 7;
        let table = Table { columns: vec![Column::of("n", [])], ..Table::default() };
        let mut sieve = Thirds::default();
        let mut rows = Rows::new(table, &SourceSpec::default(), Some(&mut sieve));
        for i in 0..n {
            if rows.keeps_next() {
                rows.table.columns[0].push(Some(&i.to_string()));
            }
        }
        let table = rows.finish("t").unwrap();
        assert!(sieve.0.iter().copied().eq(0..n));
        let kept: Vec<u64> = table.columns[0].iter().map(|cell| cell.unwrap().parse().unwrap()).collect();
        assert!(kept.iter().copied().eq((0..n).step_by(3)));
    }

    #[test]
    fn a_sieve_sees_the_rows_of_batches() {
        let table = Table { columns: vec![Column::of("n", [])], ..Table::default() };
        let mut sieve = Thirds::default();
        let mut rows = Rows::new(table, &SourceSpec::default(), Some(&mut sieve));
        for batch in 0..9 {
            rows.add_batch(20_000, |table, places| {
                let cell = |place: &usize| (batch * 20_000 + place).to_string();
                places.iter().for_each(|place| table.columns[0].push(Some(&cell(place))));
            });
        }
        assert_eq!(rows.finish("t").unwrap().rows(), 60_000);
        assert!(sieve.0.iter().copied().eq(0..180_000));
    }

    proptest! {
        #[test]
        fn batches_are_kept_as_rows_are(
            sizes in proptest::collection::vec(0usize..600, 1..8),
            limit in proptest::option::of(1usize..100),
        ) {
            let n: usize = sizes.iter().sum();
            prop_assume!(n > 0);
            let table = Table { columns: vec![Column::of("n", [])], ..Table::default() };
            let mut rows = Rows::new(table, &SourceSpec { limit, ..SourceSpec::default() }, None);
            let mut first = 0;
            for size in sizes {
                rows.add_batch(size, |table, places| {
                    places.iter().for_each(|place| table.columns[0].push(Some(&(first + place).to_string())));
                });
                first += size;
            }
            let table = rows.finish("t").unwrap();
            let found: Vec<usize> = table.columns[0].iter().map(|cell| cell.unwrap().parse().unwrap()).collect();
            prop_assert_eq!(found, kept(n, limit));
        }

        #[test]
        fn rows_are_spread_evenly(n in 1usize..3000, limit in 1usize..100) {
            let rows = kept(n, Some(limit));
            prop_assert_eq!(rows.len(), limit.min(n));
            let ends = [&[0], &rows[..], &[n]].concat();
            let widest = ends.windows(2).map(|pair| pair[1] - pair[0]).max();
            prop_assert!(widest <= Some(8 * n / limit + 8), "{:?}", rows);
            prop_assert!(rows.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(kept(n, None).len(), n);
        }
    }

    #[test]
    fn rows_that_take_turns_are_all_seen() {
        for (n, limit) in [(2500, 1000), (1999, 1000), (40_000, 1000), (12_000, 3000)] {
            let odd = kept(n, Some(limit)).iter().filter(|row| *row % 2 == 1).count();
            assert!(odd * 10 > limit * 4 && odd * 10 < limit * 6, "{n} {limit} {odd}");
        }
    }

    #[test]
    fn finds_columns_by_name() {
        let names: Vec<String> = ["id", "age", "a,b", "sex"].map(str::to_owned).to_vec();
        let at = |wanted| chosen(Some(wanted), "t", &names);
        assert_eq!(chosen(None, "t", &names).unwrap(), [0, 1, 2, 3]);
        assert_eq!(at("sex, id").unwrap(), [3, 0]);
        assert_eq!(at("a,b").unwrap(), [2]);
        assert_eq!(at("id,agee").unwrap_err().hint().as_deref(), Some("did you mean `age`?"));
        assert!(at("id,id").is_err());
    }

    #[test]
    fn names_must_differ() {
        let names = |n: &[&str]| n.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        assert!(check_names("t", &names(&["a", "b"])).is_ok());
        let error = check_names("t", &names(&["a", "b", "a"])).unwrap_err();
        assert_eq!(error.to_string(), "t: has several columns named `a`");
        assert!(check_names("t", &names(&[])).is_err());
        let many: Vec<String> = (0..10_001).map(|i| i.to_string()).collect();
        assert!(check_names("t", &many).unwrap_err().to_string().contains("10001 columns"));
    }
}
