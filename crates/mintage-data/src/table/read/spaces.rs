//! Spaces around the cells of delimited text that are no part of them: behind each delimiter (`39, Private`), or because
//! the columns stand below each other.

use super::{super::csv::PADDING, header::is_number_or_date};

/// Of so many cells of a column at least one part of twenty may be otherwise.
const NEARLY_ALL: f64 = 0.95;
/// Numbers and dates have no spaces around them; a few other cells of their column do not change that.
const MIN_NUMBER_SHARE: f64 = 0.9;
/// Cells of one width tell something where there are so many.
const MIN_CELLS: usize = 3;

/// The cells of a column as they stand between the delimiters, those without quotes.
type Raw<'a> = Vec<&'a str>;

/// What stands around the cells of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spaces {
    /// For each column whether its cells are padded.
    pub padded: Vec<bool>,
    /// Nearly every delimiter has a space before it.
    pub before: bool,
    /// … behind it.
    pub after: bool,
}

impl Spaces {
    /// Of columns by their cells without quotes.
    pub fn of(columns: &[Raw]) -> Self {
        let beside = |columns: &[Raw], edge: fn(&str) -> bool| {
            let cells = || columns.iter().flatten();
            let share = cells().filter(|cell| edge(cell)).count() as f64 / cells().count().max(1) as f64;
            share >= NEARLY_ALL && columns.iter().all(|column| column.is_empty() || has(column, edge))
        };
        let (behind_first, before_last) = match columns {
            [_, .., _] => (&columns[1..], &columns[..columns.len() - 1]),
            _ => (&columns[..0], &columns[..0]),
        };
        Self {
            padded: columns.iter().map(is_padded).collect(),
            before: beside(before_last, ends),
            after: beside(behind_first, begins),
        }
    }
}

fn begins(cell: &str) -> bool {
    cell.starts_with(PADDING)
}

fn ends(cell: &str) -> bool {
    cell.ends_with(PADDING)
}

fn has(column: &Raw, edge: fn(&str) -> bool) -> bool {
    column.iter().any(|cell| edge(cell))
}

fn is_padded(column: &Raw) -> bool {
    let share = |is: &dyn Fn(&str) -> bool| {
        column.iter().filter(|cell| is(cell)).count() as f64 / column.len() as f64
    };
    if !has(column, begins) && !has(column, ends) {
        return false;
    }
    if share(&begins) >= NEARLY_ALL || share(&ends) >= NEARLY_ALL {
        return true;
    }
    let width = |cell: &str| cell.chars().count();
    let widest = column.iter().map(|cell| width(cell)).max().unwrap_or(0);
    if column.len() >= MIN_CELLS && share(&|cell| width(cell) == widest) >= NEARLY_ALL {
        return true;
    }
    share(&|cell| is_number_or_date(cell.trim_matches(PADDING))) >= MIN_NUMBER_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces(columns: &[&[&str]]) -> (Vec<bool>, bool, bool) {
        let columns: Vec<Raw> = columns.iter().map(|column| column.to_vec()).collect();
        let Spaces { padded, before, after } = Spaces::of(&columns);
        (padded, before, after)
    }

    #[test]
    fn padding_is_told_from_text() {
        assert_eq!(spaces(&[&["39", "40"], &[" Private", " Gov"]]), (vec![false, true], false, true));
        assert_eq!(spaces(&[&["39 ", "40 "], &["a", "b"]]), (vec![true, false], true, false));
        assert_eq!(spaces(&[&["  5", " 12", "127"], &["x", "y", " z"]]), (vec![true, false], false, false));
        assert_eq!(spaces(&[&["ann   ", "carla ", "rudolf"]]), (vec![true], false, false));
        assert_eq!(spaces(&[&["1", "2.5", " 3", "4"], &["a", "b", "c", "d"]]).0, [true, false]);
        assert_eq!(spaces(&[&["a", " b", "cc ", "dd"]]).0, [false]);
        assert_eq!(spaces(&[&[], &[]]), (vec![false, false], false, false));
    }
}
