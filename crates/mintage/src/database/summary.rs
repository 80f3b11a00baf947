//! What is told of a parent by its children: the mean of each of their numbers, how many different categories they have.
//!
//! A parent's model draws these with its own columns, and its children are drawn given them; so the children of one parent
//! agree with each other (a driver who wins, a customer who buys much) as the hidden classes of ClavaDDPM (Pang et al. 2024)
//! make them agree, with numbers that can be read. Children that are drawn one after another are given the mean of those that
//! are left, so that the last of them brings the family to the mean that was drawn.

use std::collections::HashSet;

use mintage_data::{Column, Declaration, database::ForeignKey};
use serde::{Deserialize, Serialize};

use super::{
    cells::number,
    filled::{Filled, NONE},
};

/// A column of a parent's model that sums up its children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name in what is learned.
    pub name: String,
    /// The table of the children.
    pub table: String,
    /// The place of their key to the parent among the table's keys.
    pub key: usize,
    /// The column of theirs that is summed up.
    pub column: String,
    /// How.
    pub how: How,
}

/// How the cells of children become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The mean of numbers, or of dates in days.
    Mean,
    /// How many different values there are.
    Different,
}

impl Summary {
    /// Of a column of `table`, whose rows refer to their parents by a key at a place; `mark` begins its name.
    pub(super) fn new(
        mark: &str,
        table: &str,
        (key, foreign): (usize, &ForeignKey),
        column: &str,
        how: How,
    ) -> Self {
        let what = match how {
            How::Mean => "mean of",
            How::Different => "different",
        };
        let name = format!("{mark}#{table}.{}: {what} {column}", foreign.label());
        Self { name, table: table.to_owned(), key, column: column.to_owned(), how }
    }

    /// The column for each of `n` parents of `children`; without a value where there are none.
    pub(super) fn of(&self, children: &Filled, n: usize) -> Column {
        let mut column = Column::new(self.name.clone(), Declaration::default());
        let values = match children.parents.get(self.key) {
            Some(parents) => summed(children, parents, n, &self.column, self.how),
            None => vec![f64::NAN; n],
        };
        values.into_iter().for_each(|value| column.push(text(value).as_deref()));
        column
    }
}

/// A number to be learned from: four decimals, nothing where there is none.
pub(super) fn text(value: f64) -> Option<String> {
    value.is_finite().then(|| ((value * 1e4).round() / 1e4).to_string())
}

/// For each of `n` parents the mean of a number of its children, or how many different values they have; NaN without.
pub(super) fn summed(child: &Filled, parents: &[u32], n: usize, column: &str, how: How) -> Vec<f64> {
    let Some(column) = child.table.column(column) else { return vec![f64::NAN; n] };
    let (mut sums, mut counts) = (vec![0.0; n], vec![0.0; n]);
    let mut seen: HashSet<(u32, u32)> = HashSet::new();
    for (row, &parent) in parents.iter().enumerate().filter(|(_, parent)| **parent != NONE) {
        let at = parent as usize;
        match how {
            How::Mean => {
                if let Some(number) = column.cell(row).and_then(number) {
                    (sums[at], counts[at]) = (sums[at] + number, counts[at] + 1.0);
                }
            }
            How::Different => {
                counts[at] = 1.0;
                sums[at] += f64::from(u8::from(seen.insert((parent, column.numbers()[row]))));
            }
        }
    }
    let mean = |(sum, count): (f64, f64)| if count > 0.0 { sum / count } else { f64::NAN };
    sums.into_iter().zip(counts).map(mean).collect()
}

/// For each row of a source the mean of a column of it and of its later siblings, under a name. `previous` is the sibling
/// before each.
pub(super) fn left_of(
    name: &str,
    (filled, column): (&Filled, &str),
    index: &[u32],
    previous: &[u32],
) -> Column {
    let mut new = Column::new(name, Declaration::default());
    let n = filled.rows();
    let (mut sums, mut counts) = (vec![0.0; n], vec![0.0; n]);
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(index[row as usize]));
    for row in order {
        let at = row as usize;
        if let Some(number) = filled.cell(column, row).and_then(number) {
            (sums[at], counts[at]) = (sums[at] + number, counts[at] + 1.0);
        }
        if let Some(before) = previous.get(at).filter(|before| **before != NONE) {
            let before = *before as usize;
            (sums[before], counts[before]) = (sums[before] + sums[at], counts[before] + counts[at]);
        }
    }
    for row in 0..n {
        new.push(text(if index[row] > 0 { sums[row] / counts[row] } else { f64::NAN }).as_deref());
    }
    new
}

/// What is left of the mean that was drawn with each parent, child after child.
pub(super) struct Left {
    /// Its name in what is learned, and the column that it is the mean of.
    name: String,
    column: String,
    /// By parent: what all its children are to come to together, how many of them are left, and the mean of all.
    sums: Vec<f64>,
    children: Vec<u32>,
    means: Vec<f64>,
}

impl Left {
    /// `summary` is the column of the parents' model with the means of `column`, `name` that of what is left of them.
    pub fn new(name: String, column: &str, (parent, summary): (&Filled, &str), children: &[u32]) -> Self {
        let means: Vec<f64> = match parent.table.column(summary) {
            Some(cells) => cells.iter().map(|cell| cell.and_then(number).unwrap_or(f64::NAN)).collect(),
            None => vec![f64::NAN; children.len()],
        };
        let sums = means.iter().zip(children).map(|(mean, &n)| mean * f64::from(n)).collect();
        Self { name, column: column.to_owned(), sums, children: children.to_vec(), means }
    }

    /// What the next child of each of `parents` is given.
    pub fn given(&self, parents: &[u32]) -> Column {
        let mut column = Column::new(self.name.clone(), Declaration::default());
        for &parent in parents {
            let at = parent as usize;
            column.push(text(self.sums[at] / f64::from(self.children[at].max(1))).as_deref());
        }
        column
    }

    /// Takes off what the children of `parents` are, which `drawn` has; one without a number counts as the mean.
    pub fn take(&mut self, parents: &[u32], drawn: &mintage_data::Table) {
        let Some(column) = drawn.column(&self.column) else { return };
        for (row, &parent) in parents.iter().enumerate() {
            let at = parent as usize;
            self.sums[at] -= column.cell(row).and_then(number).unwrap_or(self.means[at]);
            self.children[at] = self.children[at].saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use mintage_data::Table;

    use super::*;

    fn filled(x: [Option<&str>; 4]) -> Filled {
        let columns = vec![Column::of("x", x), Column::of("c", [Some("a"); 4])];
        let table = Table { columns, ..Table::default() };
        Filled { table, parents: vec![vec![0, 0, 1, NONE]], ..Filled::default() }
    }

    #[test]
    fn children_are_summed_by_their_parents() {
        let filled = filled([Some("1"), Some("3"), None, Some("9")]);
        let means = summed(&filled, &filled.parents[0], 3, "x", How::Mean);
        assert!(means[0] == 2.0 && means[1].is_nan() && means[2].is_nan(), "{means:?}");
        let different = summed(&filled, &filled.parents[0], 3, "c", How::Different);
        assert!(different[0] == 1.0 && different[1] == 1.0 && different[2].is_nan(), "{different:?}");
    }

    #[test]
    fn what_is_left_comes_to_the_mean() {
        let source = filled([Some("1"), Some("4"), Some("2"), Some("9")]);
        let column = left_of("#left x", (&source, "x"), &[1, 2, 1, 0], &[NONE, 0, NONE, NONE]);
        assert_eq!(column.iter().collect::<Vec<_>>(), [Some("2.5"), Some("4"), Some("2"), None]);
        let table = Table { columns: vec![Column::of("m", [Some("2.5")])], ..Table::default() };
        let parents = Filled { table, ..Filled::default() };
        let mut left = Left::new("#left x".to_owned(), "x", (&parents, "m"), &[2]);
        assert_eq!(left.given(&[0]).cell(0), Some("2.5"));
        left.take(&[0], &Table { columns: vec![Column::of("x", [Some("1")])], ..Table::default() });
        assert_eq!(left.given(&[0]).cell(0), Some("4"));
    }
}
