//! The nearest new row to a target by some of its columns, after Gower (1971), as anonymeter measures it.
//!
//! Two rows are apart by the sum over columns of: for numbers, their difference divided by the range of the
//! column over targets and new rows; for categories, 1 where they differ. Two missing numbers are 1 apart, and
//! a missing number is never near one that is known; missing categories are equal. Of rows that are equally
//! far the first counts.
//!
//! `neighbours` measures something else (scales of the training rows, single precision, 2 for a category);
//! here the order of the additions is that of anonymeter too, numbers by name and then categories by name, since
//! a rounding error decides between a neighbour one year younger and one a year older.

use rayon::prelude::*;

use super::frame::{Frame, Values};

/// New rows whose distances are summed at a time.
const BLOCK_ROWS: usize = 512;
/// More than rounding errors add up to.
const ROUNDING: f64 = 1e-9;

/// Targets beside the new rows, column by column.
pub(super) struct Gower {
    columns: Vec<Column>,
    n_targets: usize,
    n_new: usize,
}

/// Numbers in units of their range, or codes.
struct Column {
    /// Its place in the frames.
    place: usize,
    is_number: bool,
    targets: Vec<f64>,
    new: Vec<f64>,
}

impl Gower {
    /// The columns at `places` of both frames.
    pub fn of(targets: &Frame, new: &Frame, places: &[usize]) -> Self {
        let mut columns: Vec<Column> = places.iter().map(|&place| Column::of(targets, new, place)).collect();
        columns.sort_by_key(|column| (!column.is_number, &new.columns[column.place].name));
        Self { columns, n_targets: targets.rows(), n_new: new.rows() }
    }

    /// The nearest new row for each target; `None` where there is none.
    pub fn nearest(&self) -> Vec<Option<usize>> {
        (0..self.n_targets).into_par_iter().map(|target| self.nearest_to(target).row).collect()
    }

    fn nearest_to(&self, target: usize) -> Nearest {
        let mut best = Nearest::NONE;
        let mut sums = [0.0; BLOCK_ROWS];
        for from in (0..self.n_new).step_by(BLOCK_ROWS) {
            let sums = &mut sums[..BLOCK_ROWS.min(self.n_new - from)];
            sums.fill(0.0);
            self.columns.iter().for_each(|column| column.add(target, from, sums));
            sums.iter().enumerate().for_each(|(i, &sum)| best.offer(from + i, sum));
        }
        best
    }

    /// For each target, and for each column of the frames, the nearest new row by all columns but that one.
    /// Shape `[n_targets][n_columns]`; columns that are not compared have none.
    pub fn nearest_without_each(&self) -> Vec<Vec<Option<usize>>> {
        let width = self.columns.iter().map(|column| column.place + 1).max().unwrap_or(0);
        let one = |target: usize| {
            let mut rows = vec![None; width];
            let best = self.nearest_without_each_to(target);
            self.columns.iter().zip(best).for_each(|(column, nearest)| rows[column.place] = nearest.row);
            rows
        };
        (0..self.n_targets).into_par_iter().map(one).collect()
    }

    /// A column adds at most 1: a row that is further by all columns than the nearest without any one of them
    /// and 1 is passed over.
    fn nearest_without_each_to(&self, target: usize) -> Vec<Nearest> {
        let mut best = vec![Nearest::NONE; self.columns.len()];
        let mut reach = f64::INFINITY;
        let mut sums = [0.0; BLOCK_ROWS];
        let mut parts = vec![0.0; self.columns.len()];
        for from in (0..self.n_new).step_by(BLOCK_ROWS) {
            let sums = &mut sums[..BLOCK_ROWS.min(self.n_new - from)];
            sums.fill(0.0);
            self.columns.iter().for_each(|column| column.add_at_most_one(target, from, sums));
            for (i, &sum) in sums.iter().enumerate() {
                if sum <= reach {
                    self.offer_without_each(target, from + i, sum, &mut parts, &mut best);
                    let furthest = best.iter().map(|nearest| nearest.distance).fold(0.0, f64::max);
                    reach = furthest + 1.0 + ROUNDING;
                }
            }
        }
        best
    }

    /// `bound` is the sum of all parts, with 1 for those that are unknown.
    fn offer_without_each(
        &self,
        target: usize,
        row: usize,
        bound: f64,
        parts: &mut [f64],
        best: &mut [Nearest],
    ) {
        for (part, column) in parts.iter_mut().zip(&self.columns) {
            *part = apart(column.targets[target], column.new[row], column.is_number);
        }
        // Only without the one part that is unknown is the sum known.
        let mut unknown = (0..parts.len()).filter(|&i| parts[i].is_nan());
        let places = match (unknown.next(), unknown.next()) {
            (None, _) => 0..parts.len(),
            (Some(only), None) => only..only + 1,
            (Some(_), Some(_)) => return,
        };
        for place in places {
            if bound - parts[place].min(1.0) <= best[place].distance + ROUNDING {
                let others = parts[..place].iter().chain(&parts[place + 1..]);
                best[place].offer(row, others.fold(0.0, |sum, part| sum + part));
            }
        }
    }
}

impl Column {
    fn of(targets: &Frame, new: &Frame, place: usize) -> Self {
        let cells = [targets, new].map(|frame| &frame.columns[place].values);
        let is_number = cells.iter().all(|values| matches!(values, Values::Numbers(_)));
        let [mut targets, mut new] = cells.map(as_numbers);
        if is_number {
            let range = range(targets.iter().chain(&new));
            targets.iter_mut().chain(&mut new).for_each(|x| *x /= range);
        }
        Self { place, is_number, targets, new }
    }

    /// Adds how far the new rows from `from` on are from a target; NaN where just one is missing.
    fn add(&self, target: usize, from: usize, sums: &mut [f64]) {
        let a = self.targets[target];
        let cells = sums.iter_mut().zip(&self.new[from..]);
        if !self.is_number {
            cells.for_each(|(sum, &b)| *sum += if a == b { 0.0 } else { 1.0 });
        } else if a.is_nan() {
            cells.for_each(|(sum, &b)| *sum += apart(a, b, true));
        } else {
            cells.for_each(|(sum, &b)| *sum += (a - b).abs());
        }
    }

    /// The same, with 1 for NaN.
    fn add_at_most_one(&self, target: usize, from: usize, sums: &mut [f64]) {
        let a = self.targets[target];
        let cells = sums.iter_mut().zip(&self.new[from..]);
        if self.is_number {
            cells.for_each(|(sum, &b)| *sum += (a - b).abs().min(1.0));
        } else {
            cells.for_each(|(sum, &b)| *sum += if a == b { 0.0 } else { 1.0 });
        }
    }
}

/// How far two cells are apart, from 0 to 1.
fn apart(a: f64, b: f64, is_number: bool) -> f64 {
    if is_number && !(a.is_nan() && b.is_nan()) { (a - b).abs() } else { f64::from(u8::from(a != b)) }
}

fn as_numbers(values: &Values) -> Vec<f64> {
    match values {
        Values::Numbers(numbers) => numbers.clone(),
        Values::Categories { codes, .. } => codes.iter().map(|&code| f64::from(code)).collect(),
    }
}

/// The largest number less the least; 1 where they are equal or none is known.
fn range<'a>(numbers: impl Iterator<Item = &'a f64>) -> f64 {
    let (low, high) = numbers
        .filter(|x| x.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    if high > low { high - low } else { 1.0 }
}

/// The nearest row so far.
#[derive(Clone, Copy)]
struct Nearest {
    row: Option<usize>,
    distance: f64,
}

impl Nearest {
    const NONE: Self = Self { row: None, distance: f64::INFINITY };

    /// Rows are offered in their order.
    fn offer(&mut self, row: usize, distance: f64) {
        if distance < self.distance {
            *self = Self { row: Some(row), distance };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{frame::testing::frame, neighbours::testing::mixed},
        *,
    };

    #[test]
    fn leaving_a_column_out_is_searching_without_it() {
        let (targets, new) = (mixed(60, 1), mixed(1500, 2));
        let all = Gower::of(&targets, &new, &[0, 1, 2, 3, 4, 5, 6]).nearest_without_each();
        for left_out in 0..7 {
            let known: Vec<usize> = (0..7).filter(|&place| place != left_out).collect();
            let nearest = Gower::of(&targets, &new, &known).nearest();
            let found: Vec<Option<usize>> = all.iter().map(|rows| rows[left_out]).collect();
            assert_eq!(found, nearest, "{left_out}");
        }
    }

    #[test]
    fn missing_numbers_are_near_none_that_is_known() {
        let targets = frame(&[&[f64::NAN, 1.0, 4.0]], &[&[0, 0, 0]]);
        let new = frame(&[&[f64::NAN, 0.0, 10.0]], &[&[1, 0, 0]]);
        assert_eq!(Gower::of(&targets, &new, &[0, 1]).nearest(), [Some(0), Some(1), Some(1)]);
        let known = new.select(&[1, 2]);
        let of = Gower::of(&targets, &known, &[0, 1]);
        assert_eq!(of.nearest(), [None, Some(0), Some(0)]);
        // By its category alone a row is found.
        assert_eq!(of.nearest_without_each()[0], [Some(0), None]);
    }

    #[test]
    fn constant_columns_and_empty_frames_do_not_fail() {
        let constant = frame(&[&[3.0; 4]], &[]);
        assert_eq!(Gower::of(&constant, &constant, &[0]).nearest(), [Some(0); 4]);
        assert_eq!(Gower::of(&constant, &constant.select(&[]), &[0]).nearest(), [None; 4]);
        assert!(Gower::of(&constant, &constant, &[]).nearest_without_each()[0].is_empty());
    }
}
