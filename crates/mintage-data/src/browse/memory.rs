//! Rows in memory: those of a file that was read, or the files of a folder by their names and labels.

use std::cmp::Ordering;

use super::{
    cell::{BrowseColumn, BrowseType, MAX_CELL_CHARS, Raw, begins_date, is_date, number_of},
    histogram::{Histograms, Tally},
    request::{Ask, Filter, Sort, Test},
};
use crate::table::{Column, MISSING, Table};

/// Different texts in a column of numbers that stand for a missing one, at most.
const MAX_MARKERS: usize = 3;
/// One of so many cells of a column of numbers may be such a text.
const CELLS_PER_MARKER: u64 = 10;

/// A table and the types of its columns.
#[derive(Debug)]
pub(super) struct Rows {
    table: Table,
    columns: Vec<BrowseColumn>,
}

impl Rows {
    pub fn new(table: Table) -> Self {
        let columns = table
            .columns
            .iter()
            .map(|column| BrowseColumn { name: column.name.clone(), ty: type_of(column) });
        Self { columns: columns.collect(), table }
    }

    pub fn columns(&self) -> &[BrowseColumn] {
        &self.columns
    }

    pub fn len(&self) -> usize {
        self.table.rows()
    }

    /// The rows that meet the conditions of a request, in its order. Columns that are not here are passed over.
    pub fn select(&self, ask: &Ask) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..self.len() as u32).collect();
        for Filter { column, test } in &ask.filters {
            let Some(column) = self.table.columns.get(*column) else { continue };
            let passes: Vec<bool> = column.values().iter().map(|text| meets(text, test)).collect();
            let numbers = column.numbers();
            rows.retain(|&row| match numbers[row as usize] {
                MISSING => *test == Test::Missing,
                number => passes[number as usize],
            });
        }
        if let Some(Sort { column, descending }) = ask.sort
            && let Some(values) = self.table.columns.get(column)
        {
            let ranks = ranks(values, self.columns[column].ty, descending);
            // Missing values have the last rank of all.
            let rank =
                |row: &u32| ranks.get(values.numbers()[*row as usize] as usize).copied().unwrap_or(MISSING);
            rows.sort_by_key(rank);
        }
        rows
    }

    /// The values of a row.
    pub fn values(&self, row: usize) -> Vec<Raw> {
        let value = |(column, shown): (&Column, &BrowseColumn)| match column.cell(row) {
            None => Raw::Missing,
            Some(text) => raw(text, shown.ty),
        };
        self.table.columns.iter().zip(&self.columns).map(value).collect()
    }

    /// The text of a cell.
    pub fn text(&self, row: usize, column: usize) -> Option<&str> {
        self.table.columns.get(column)?.cell(row)
    }

    pub fn histograms(&self) -> Histograms {
        let tallies = self.table.columns.iter().zip(&self.columns).map(|(column, shown)| {
            let mut tally = Tally::new(shown.ty);
            let values = column.values().iter().zip(column.counts());
            values.for_each(|(text, n)| tally.add(raw(text, shown.ty), u64::from(n)));
            tally.add(Raw::Missing, column.missing() as u64);
            (shown.name.clone(), tally)
        });
        let rows = self.len() as u64;
        Histograms::of(rows, rows, tallies)
    }
}

fn raw(text: &str, ty: BrowseType) -> Raw {
    // Of a long text no more is copied than is shown.
    match text.len() > MAX_CELL_CHARS {
        true => Raw::text(text),
        false => Raw::typed(text, text.chars().count() as u64, ty),
    }
}

/// What most texts of a column write.
fn type_of(column: &Column) -> BrowseType {
    let (mut all, mut integers, mut numbers, mut dates, mut truths) = (0, 0, 0, 0, 0);
    let mut markers = 0;
    for (text, n) in column.values().iter().zip(column.counts()).filter(|(text, _)| !text.is_empty()) {
        let n = u64::from(n);
        all += n;
        match number_of(text) {
            Some(_) => {
                numbers += n;
                integers += if text.parse::<i64>().is_ok() { n } else { 0 };
            }
            None => markers += 1,
        }
        dates += if is_date(text) { n } else { 0 };
        truths += if ["true", "false"].iter().any(|truth| text.eq_ignore_ascii_case(truth)) { n } else { 0 };
    }
    let is_marked = markers <= MAX_MARKERS && (all - numbers) * CELLS_PER_MARKER <= all;
    match all {
        0 => BrowseType::from(column.declaration.ty),
        _ if truths == all => BrowseType::Boolean,
        _ if dates == all => BrowseType::Datetime,
        _ if numbers > 0 && is_marked && integers == numbers => BrowseType::Integer,
        _ if numbers > 0 && is_marked => BrowseType::Number,
        _ => BrowseType::Text,
    }
}

fn meets(text: &str, test: &Test) -> bool {
    match test {
        Test::Missing => text.is_empty(),
        Test::Equals(wanted) => text == wanted,
        Test::IsTrue(is) => text.eq_ignore_ascii_case(if *is { "true" } else { "false" }),
        Test::Numbers { from, to } => {
            let end = |end: &Option<String>| end.as_deref().map(number_of);
            number_of(text).is_some_and(|x| {
                end(from).is_none_or(|from| from.is_some_and(|from| x >= from))
                    && end(to).is_none_or(|to| to.is_some_and(|to| x <= to))
            })
        }
        Test::Dates { from, to } => {
            // The beginning of a date, as long as the end: a month has all of its days.
            let beginning = |end: &str| text.get(..end.len()).unwrap_or(text);
            begins_date(text)
                && from.as_deref().is_none_or(|from| beginning(from) >= from)
                && to.as_deref().is_none_or(|to| beginning(to) <= to)
        }
    }
}

/// The rank of each distinct text: numbers by their size, before any text; equal ones have the same rank.
fn ranks(column: &Column, ty: BrowseType, descending: bool) -> Vec<u32> {
    let texts: Vec<(&str, Option<f64>)> =
        column.values().iter().map(|text| (text, number_of(text).filter(|_| ty.is_number()))).collect();
    let compare = |&a: &u32, &b: &u32| {
        let ((a, x), (b, y)) = (texts[a as usize], texts[b as usize]);
        match (x, y) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        }
    };
    let mut order: Vec<u32> = (0..texts.len() as u32).collect();
    order.sort_by(|a, b| if descending { compare(b, a) } else { compare(a, b) });
    let (mut ranks, mut rank) = (vec![0; order.len()], 0);
    for (place, &number) in order.iter().enumerate() {
        if place > 0 && compare(&order[place - 1], &number) != Ordering::Equal {
            rank += 1;
        }
        ranks[number as usize] = rank;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(columns: &[(&str, &[Option<&str>])]) -> Rows {
        let columns = columns.iter().map(|(name, cells)| Column::of(name, cells.iter().copied())).collect();
        Rows::new(Table { columns, ..Table::default() })
    }

    #[test]
    fn types_follow_the_texts() {
        let nine = [Some("1"); 9];
        let marked = [&nine[..], &[Some("NA")]].concat();
        for (cells, ty) in [
            (&[Some("1"), Some("-2"), None][..], BrowseType::Integer),
            (&[Some("1"), Some("2.5")], BrowseType::Number),
            (&marked, BrowseType::Integer),
            (&marked[5..], BrowseType::Text),
            (&[Some("01"), Some("02")], BrowseType::Text),
            (&[Some("TRUE"), Some("false")], BrowseType::Boolean),
            (&[Some("2024-02-29"), Some("2024-03-01 10:00")], BrowseType::Datetime),
            (&[None, Some("")], BrowseType::Text),
        ] {
            assert_eq!(rows(&[("a", cells)]).columns()[0].ty, ty, "{cells:?}");
        }
    }

    #[test]
    fn equal_values_keep_their_order_and_missing_ones_come_last() {
        let rows = rows(&[("a", &[Some("10"), None, Some("9"), Some("10.0"), Some("-1"), None])]);
        let select = |descending| {
            let sort = Some(Sort { column: 0, descending });
            rows.select(&Ask { offset: 0, limit: 10, sort, filters: Vec::new() })
        };
        assert_eq!(select(false), [4, 2, 0, 3, 1, 5]);
        assert_eq!(select(true), [0, 3, 2, 4, 1, 5]);
    }
}
