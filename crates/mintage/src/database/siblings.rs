//! The children of one parent: in what order they stand, and where each of them stands in it.

use std::collections::HashSet;

use mintage_data::{
    Column,
    table::schema::{ColumnSchema, Kind, TableSchema},
};
use rayon::prelude::*;

use super::{
    cells::{by_text, number},
    filled::{Filled, NONE},
};

/// Of the rows that a column puts in order, how many differ from their siblings by it.
const MIN_DISTINCT_SHARE: f64 = 0.98;
/// Different numbers in a column that puts children in order, as a multiple of the most children of a parent.
const MAX_VALUES_PER_CHILD: usize = 4;
/// Parents that must have several children.
const MIN_FAMILIES: usize = 5;

/// Where the rows of a table stand among those of the same parent.
pub(super) struct Places {
    /// From 1; 0 without a parent.
    pub index: Vec<u32>,
    /// Rows of that parent.
    pub siblings: Vec<u32>,
    /// The sibling before, or [`NONE`].
    pub previous: Vec<u32>,
}

impl Places {
    /// The places of rows of a source: in the order of `time` where there is one, of the source otherwise.
    pub fn of(filled: &Filled, parents: &[u32], time: Option<&str>) -> Self {
        let n = parents.len();
        let mut places = Self { index: vec![0; n], siblings: vec![0; n], previous: vec![NONE; n] };
        for family in families(filled, parents, time) {
            for (at, &row) in family.iter().enumerate() {
                places.index[row as usize] = at as u32 + 1;
                places.siblings[row as usize] = family.len() as u32;
                if at > 0 {
                    places.previous[row as usize] = family[at - 1];
                }
            }
        }
        places
    }
}

/// The rows of each parent, in the order of `time`; those without a parent are in none.
fn families(filled: &Filled, parents: &[u32], time: Option<&str>) -> Vec<Vec<u32>> {
    let rows: Vec<u32> = (0..parents.len() as u32).filter(|&row| parents[row as usize] != NONE).collect();
    let order = in_order(rows, filled, parents, time);
    order.chunk_by(|&a, &b| parents[a as usize] == parents[b as usize]).map(<[u32]>::to_vec).collect()
}

/// Rows by their parents, and those of one parent by `time`: numbers and dates as such, all else as texts.
pub(super) fn in_order(mut rows: Vec<u32>, filled: &Filled, parents: &[u32], time: Option<&str>) -> Vec<u32> {
    let column = time.and_then(|time| filled.table.column(time));
    let cell = |row: u32| column.and_then(|column| column.cell(row as usize));
    let numbers: Vec<f64> = match column {
        Some(column) => by_text(column, |text| number(text).unwrap_or(f64::NAN), f64::NAN),
        None => Vec::new(),
    };
    let value = |row: u32| numbers.get(row as usize).copied().unwrap_or(f64::NAN);
    // No two rows are equal: there is one order, whichever thread finds it.
    rows.par_sort_unstable_by(|&a, &b| {
        let by_parent = parents[a as usize].cmp(&parents[b as usize]);
        let by_value = || value(a).total_cmp(&value(b)).then_with(|| cell(a).cmp(&cell(b)));
        by_parent.then_with(by_value).then(a.cmp(&b))
    });
    rows
}

/// The column that puts the rows of a parent in order, and the number of the first where it just numbers them: a time, or
/// whole numbers of which each of a parent's rows has its own.
pub(super) fn order_of(
    found: &TableSchema,
    own: &[String],
    filled: &Filled,
    parents: Option<&[u32]>,
) -> (Option<String>, Option<i64>) {
    let columns = || found.columns.iter().filter(|column| own.contains(&column.name));
    if let Some(parents) = parents {
        let families = families(filled, parents, None);
        let whole =
            columns().filter(|column| matches!(column.kind, Kind::Integer | Kind::Category | Kind::Constant));
        let whole = whole.filter_map(|column| Some((&column.name, filled.table.column(&column.name)?)));
        let numbered = whole.filter_map(|(name, column)| Some((name, Numbering::of(column, &families)?)));
        let best = numbered.max_by(|(_, a), (_, b)| a.first.is_some().cmp(&b.first.is_some()));
        let dates = columns().any(|column| column.kind == Kind::Datetime);
        if let Some((name, numbering)) = best.filter(|(_, numbering)| numbering.first.is_some() || !dates) {
            return (Some(name.clone()), numbering.first);
        }
    }
    let dates = || columns().filter(|column| column.kind == Kind::Datetime);
    let most = dates().map(|column| column.distinct).max().unwrap_or(0);
    // Of dates that tell nearly as many rows apart, one that is always there, and the first: when a thing was lent, not when it
    // came back or its row was last changed.
    let telling = dates().filter(|column| column.distinct * 10 >= most * 9);
    let lacks = |column: &&ColumnSchema| filled.table.column(&column.name).map_or(0, Column::missing) > 0;
    (telling.min_by_key(lacks).map(|column| column.name.clone()), None)
}

/// Whole numbers of which the rows of a parent have each their own.
struct Numbering {
    /// The first of all families, where they go on one by one.
    first: Option<i64>,
}

impl Numbering {
    fn of(column: &Column, families: &[Vec<u32>]) -> Option<Self> {
        let several = || families.iter().filter(|family| family.len() > 1);
        if several().count() < MIN_FAMILIES {
            return None;
        }
        let most = families.iter().map(Vec::len).max()?;
        if column.values().len() > MAX_VALUES_PER_CHILD * most {
            return None;
        }
        let (mut rows, mut distinct, mut first, mut goes_on) = (0, 0, None, true);
        for family in families {
            let mut numbers = Vec::with_capacity(family.len());
            for &row in family {
                numbers.push(column.cell(row as usize)?.parse::<i64>().ok()?);
            }
            numbers.sort_unstable();
            let start = *first.get_or_insert(numbers[0]);
            goes_on &=
                numbers.iter().enumerate().all(|(at, &number)| Some(number) == start.checked_add(at as i64));
            if numbers.len() > 1 {
                rows += numbers.len();
                distinct += numbers.iter().collect::<HashSet<_>>().len();
            }
        }
        let differ = distinct as f64 >= MIN_DISTINCT_SHARE * rows as f64;
        differ.then_some(Self { first: first.filter(|_| goes_on) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::{Table, table::schema::detect};

    use super::*;

    /// Ten parents of three rows each, one behind the other from the last.
    fn filled(name: &str, value: impl Fn(u32) -> String) -> (Filled, Vec<u32>) {
        let cells: Vec<String> = (0..30).rev().map(value).collect();
        let column = Column::of(name, cells.iter().map(|cell| Some(cell.as_str())));
        let parents: Vec<u32> = (0..30).rev().map(|row| row / 3).collect();
        let table = Table { columns: vec![column], ..Table::default() };
        (Filled { table, parents: vec![parents.clone()], ..Filled::default() }, parents)
    }

    fn order(name: &str, value: impl Fn(u32) -> String) -> (Option<String>, Option<i64>) {
        let (filled, parents) = filled(name, value);
        order_of(&detect(&filled.table), &[name.to_owned()], &filled, Some(&parents))
    }

    #[test]
    fn numbers_of_children_are_found() {
        assert_eq!(
            order("position", |row| (row % 3 + 1).to_string()),
            (Some("position".to_owned()), Some(1))
        );
        assert_eq!(order("year", |row| (1990 + row % 5).to_string()), (Some("year".to_owned()), None));
        assert_eq!(order("amount", |row| (row % 2).to_string()), (None, None));
        let day = |row: u32| format!("2024-01-{:02}", row + 1);
        assert_eq!(order("day", day), (Some("day".to_owned()), None));
    }

    #[test]
    fn children_stand_in_the_order_of_numbers() {
        let (filled, parents) = filled("position", |row| (row % 3 + 9).to_string());
        let places = Places::of(&filled, &parents, Some("position"));
        // The last rows come first: of 9, 10, 11 the one of 11.
        assert_eq!((places.index[0], places.index[2], places.siblings[0]), (3, 1, 3));
        assert_eq!((places.previous[0], places.previous[2]), (1, NONE));
        let (filled, parents) = super::tests::filled("code", |row| format!("c{}", row % 3));
        assert_eq!(Places::of(&filled, &parents, Some("code")).index[..3], [3, 2, 1]);
    }
}
