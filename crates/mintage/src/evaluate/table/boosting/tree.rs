//! One tree: columns in bins, and nodes that are split level by level where the histograms of derivatives say so.

use std::ops::Range;

use rayon::prelude::*;

use crate::evaluate::table::frame::{Frame, Values};

/// Depth of a tree.
const MAX_DEPTH: usize = 6;
/// Learning rate η: the share of each leaf that counts.
const ETA: f64 = 0.3;
/// L2 penalty λ of the leaves.
const LAMBDA: f64 = 1.0;
/// Sum of second derivatives that a leaf must have.
const MIN_CHILD_WEIGHT: f64 = 1.0;
/// Gain that a split must exceed.
const MIN_SPLIT_GAIN: f64 = 1e-6;
/// Bins of a column of numbers.
const MAX_BINS: usize = 256;
/// Values of a category that are told apart, the most frequent ones.
const MAX_LEVELS: usize = 4096;
/// Rows from which on a histogram is worth several threads.
const MIN_PARALLEL_ROWS: usize = 2048;

/// Sums of first and second derivatives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) g: f64,
    pub(super) h: f64,
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        Self { g: self.g + other.g, h: self.h + other.h }
    }

    fn minus(self, other: Self) -> Self {
        Self { g: self.g - other.g, h: self.h - other.h }
    }

    fn score(self) -> f64 {
        self.g * self.g / (self.h + LAMBDA)
    }

    fn leaf(self) -> f64 {
        -ETA * self.g / (self.h + LAMBDA)
    }
}

/// A column in bins.
pub(super) struct Binned {
    /// The bin of each row that is learned from.
    bins: Vec<u16>,
    meaning: Meaning,
}

enum Meaning {
    /// Bin `i` holds the numbers that exactly `i` of these are not above; missing ones have the last bin.
    Numbers(Vec<f64>),
    /// The code of each bin; what is not among them has the last bin.
    Categories(Vec<u32>),
}

impl Binned {
    pub(super) fn of(values: &Values, rows: &[usize]) -> Self {
        match values {
            Values::Numbers(numbers) => Self::of_numbers(numbers, rows),
            Values::Categories { codes, dictionary } => Self::of_codes(codes, dictionary.len(), rows),
        }
    }

    fn of_numbers(numbers: &[f64], rows: &[usize]) -> Self {
        let mut sorted: Vec<f64> =
            rows.iter().map(|&row| numbers[row]).filter(|number| !number.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let cuts = cuts(&sorted);
        let bin = |&row: &usize| {
            let number = numbers[row];
            if number.is_nan() { cuts.len() + 1 } else { cuts.partition_point(|&cut| cut <= number) }
        };
        Self { bins: rows.iter().map(|row| bin(row) as u16).collect(), meaning: Meaning::Numbers(cuts) }
    }

    fn of_codes(codes: &[u32], levels: usize, rows: &[usize]) -> Self {
        // A missing value is one more.
        let code = |row: usize| (codes[row] as usize).min(levels);
        let mut counts = vec![0usize; levels + 1];
        rows.iter().for_each(|&row| counts[code(row)] += 1);
        let mut kept: Vec<usize> = (0..=levels).filter(|&code| counts[code] > 0).collect();
        kept.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
        kept.truncate(MAX_LEVELS);
        kept.sort_unstable();
        let mut bins = vec![kept.len() as u16; levels + 1];
        kept.iter().enumerate().for_each(|(bin, &code)| bins[code] = bin as u16);
        Self {
            bins: rows.iter().map(|&row| bins[code(row)]).collect(),
            meaning: Meaning::Categories(kept.iter().map(|&code| code as u32).collect()),
        }
    }

    fn n_bins(&self) -> usize {
        match &self.meaning {
            Meaning::Numbers(cuts) => cuts.len() + 2,
            Meaning::Categories(codes) => codes.len() + 1,
        }
    }

    /// The best split of a node with this histogram: its gain, its test and the sum of its left side.
    fn best(&self, histogram: &[Sum], total: Sum) -> Option<(f64, Test, Sum)> {
        let mut best: Option<(f64, Test, Sum)> = None;
        let mut consider = |left: Sum, test: Test| {
            let right = total.minus(left);
            if left.h < MIN_CHILD_WEIGHT || right.h < MIN_CHILD_WEIGHT {
                return;
            }
            let gain = left.score() + right.score() - total.score();
            if gain > best.as_ref().map_or(MIN_SPLIT_GAIN, |best| best.0) {
                best = Some((gain, test, left));
            }
        };
        match &self.meaning {
            Meaning::Numbers(cuts) => {
                let missing = histogram[cuts.len() + 1];
                let mut left = Sum::default();
                for (&cut, &bin) in cuts.iter().zip(histogram) {
                    left = left.plus(bin);
                    consider(left, Test::Below { cut, missing: false });
                    if missing.h > 0.0 {
                        consider(left.plus(missing), Test::Below { cut, missing: true });
                    }
                }
            }
            Meaning::Categories(codes) => {
                for (&code, &bin) in codes.iter().zip(histogram) {
                    consider(bin, Test::Is(code));
                }
            }
        }
        best
    }

    /// Which bins a test sends to the left.
    fn left_bins(&self, test: &Test) -> Vec<bool> {
        let mut left = vec![false; self.n_bins()];
        match (&self.meaning, test) {
            (Meaning::Numbers(cuts), Test::Below { cut, missing }) => {
                let below = cuts.partition_point(|other| other < cut) + 1;
                left[..below].fill(true);
                left[cuts.len() + 1] = *missing;
            }
            (Meaning::Categories(codes), Test::Is(code)) => {
                let bin = codes.partition_point(|other| other < code);
                left[bin] = true;
            }
            _ => unreachable!("a column's own test"),
        }
        left
    }
}

/// Where bins of sorted numbers end: at every distinct number, or at quantiles where they are many.
fn cuts(sorted: &[f64]) -> Vec<f64> {
    let mut distinct = sorted.to_vec();
    distinct.dedup();
    if distinct.len() <= MAX_BINS {
        return distinct.split_off(1.min(distinct.len()));
    }
    let mut cuts: Vec<f64> = (1..MAX_BINS).map(|i| sorted[i * sorted.len() / MAX_BINS]).collect();
    cuts.dedup();
    // Nothing is below the least number.
    cuts.retain(|&cut| cut > sorted[0]);
    cuts
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    /// Is the number below, or missing where `missing` says so?
    Below { cut: f64, missing: bool },
    /// Is this the code, or one that is missing for one beyond all codes?
    Is(u32),
}

impl Test {
    fn holds(self, values: &Values, row: usize) -> bool {
        match (self, values) {
            (Self::Below { cut, missing }, Values::Numbers(numbers)) => {
                let number = numbers[row];
                if number.is_nan() { missing } else { number < cut }
            }
            (Self::Is(code), Values::Categories { codes, dictionary }) => {
                codes[row].min(dictionary.len() as u32) == code
            }
            _ => unreachable!("the columns of a frame keep their kind"),
        }
    }
}

#[derive(Clone, Debug)]
enum Node {
    /// The left child is at `left`, the right one after it.
    Split {
        column: usize,
        test: Test,
        left: usize,
    },
    Leaf(f64),
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    pub(super) fn leaf(&self, frame: &Frame, row: usize) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split { column, test, left } => {
                    at = left + usize::from(!test.holds(&frame.columns[column].values, row));
                }
            }
        }
    }
}

/// A node that may be split.
struct Open {
    /// Its place in the tree and its rows' place in the order.
    node: usize,
    rows: Range<usize>,
    total: Sum,
    histogram: Vec<Sum>,
}

/// Grows one tree, level by level.
pub(super) struct Grower<'a> {
    columns: &'a [Binned],
    derivatives: &'a [Sum],
    /// Where each column's bins start in a histogram.
    starts: Vec<usize>,
    /// All rows, those of one node together.
    order: Vec<u32>,
    nodes: Vec<Node>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(columns: &'a [Binned], derivatives: &'a [Sum]) -> Self {
        let starts = columns.iter().scan(0, |start, column| {
            let this = *start;
            *start += column.n_bins();
            Some(this)
        });
        let order = (0..derivatives.len() as u32).collect();
        Self { columns, derivatives, starts: starts.collect(), order, nodes: vec![Node::Leaf(0.0)] }
    }

    /// The tree; adds its leaves to `margins` and its gains to those of the columns.
    pub(super) fn grow(mut self, margins: &mut [f64], gains: &mut [f64]) -> Tree {
        let all = 0..self.order.len();
        let total = self.derivatives.iter().fold(Sum::default(), |sum, &one| sum.plus(one));
        let histogram = self.histogram(all.clone());
        let mut level = vec![Open { node: 0, rows: all, total, histogram }];
        for depth in 0..MAX_DEPTH {
            let splits: Vec<_> = level.par_iter().map(|open| self.best(open)).collect();
            let mut next = Vec::new();
            for (open, split) in level.into_iter().zip(splits) {
                match split {
                    Some((gain, column, test, left)) => {
                        gains[column] += gain;
                        next.push(self.split(open, column, test, left));
                    }
                    None => self.close(&open.rows, open.node, open.total, margins),
                }
            }
            if depth + 1 < MAX_DEPTH {
                next.par_iter_mut().for_each(|[left, right]| self.fill(left, right));
            }
            level = next.into_iter().flatten().collect();
        }
        for open in level {
            self.close(&open.rows, open.node, open.total, margins);
        }
        Tree { nodes: self.nodes }
    }

    fn best(&self, open: &Open) -> Option<(f64, usize, Test, Sum)> {
        let mut best: Option<(f64, usize, Test, Sum)> = None;
        for (i, column) in self.columns.iter().enumerate() {
            let histogram = &open.histogram[self.starts[i]..][..column.n_bins()];
            if let Some((gain, test, left)) = column.best(histogram, open.total)
                && best.as_ref().is_none_or(|best| gain > best.0)
            {
                best = Some((gain, i, test, left));
            }
        }
        best
    }

    /// Divides a node's rows. The left child inherits the histogram, which [`Self::fill`] divides.
    fn split(&mut self, open: Open, column: usize, test: Test, left: Sum) -> [Open; 2] {
        let Open { node, rows, total, histogram } = open;
        let (bins, goes_left) = (&self.columns[column].bins, self.columns[column].left_bins(&test));
        let order = &mut self.order[rows.clone()];
        let (mut lefts, mut rights) = (0, Vec::with_capacity(order.len()));
        for i in 0..order.len() {
            let row = order[i];
            if goes_left[bins[row as usize] as usize] {
                order[lefts] = row;
                lefts += 1;
            } else {
                rights.push(row);
            }
        }
        order[lefts..].copy_from_slice(&rights);
        let (first, middle) = (self.nodes.len(), rows.start + lefts);
        self.nodes[node] = Node::Split { column, test, left: first };
        self.nodes.extend([Node::Leaf(0.0), Node::Leaf(0.0)]);
        let right = total.minus(left);
        [
            Open { node: first, rows: rows.start..middle, total: left, histogram },
            Open { node: first + 1, rows: middle..rows.end, total: right, histogram: Vec::new() },
        ]
    }

    /// The histograms of two children of whose parent the left one has it: the smaller child's is summed,
    /// the other's is what remains.
    fn fill(&self, left: &mut Open, right: &mut Open) {
        let (small, large) = if left.rows.len() < right.rows.len() {
            (&mut *left, &mut *right)
        } else {
            (&mut *right, &mut *left)
        };
        let parent = if small.histogram.is_empty() { &mut large.histogram } else { &mut small.histogram };
        let mut rest = std::mem::take(parent);
        small.histogram = self.histogram(small.rows.clone());
        rest.iter_mut().zip(&small.histogram).for_each(|(rest, &one)| *rest = rest.minus(one));
        large.histogram = rest;
    }

    fn histogram(&self, rows: Range<usize>) -> Vec<Sum> {
        let rows = &self.order[rows];
        let one = |column: &Binned| {
            let mut sums = vec![Sum::default(); column.n_bins()];
            for &row in rows {
                let sum = &mut sums[column.bins[row as usize] as usize];
                *sum = sum.plus(self.derivatives[row as usize]);
            }
            sums
        };
        if rows.len() < MIN_PARALLEL_ROWS {
            return self.columns.iter().flat_map(one).collect();
        }
        let sums: Vec<Vec<Sum>> = self.columns.par_iter().map(one).collect();
        sums.concat()
    }

    fn close(&mut self, rows: &Range<usize>, node: usize, total: Sum, margins: &mut [f64]) {
        let leaf = total.leaf();
        self.nodes[node] = Node::Leaf(leaf);
        self.order[rows.clone()].iter().for_each(|&row| margins[row as usize] += leaf);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::evaluate::table::{
        boosting::{Task, tests::rows},
        frame::testing::frame,
    };

    /// One tree by hand: four rows, base 0, gradients ∓½ and second derivatives ¼ would weigh too little
    /// for a split; a hundred copies do not.
    #[test]
    fn the_first_split_is_that_of_the_formula() {
        let x: Vec<f64> = (0..400).map(|i| f64::from(i % 4)).collect();
        let y: Vec<f32> = x.iter().map(|&x| f32::from(u8::from(x >= 2.0))).collect();
        let table = frame(&[&x], &[]);
        let column = Binned::of(&table.columns[0].values, &rows(&table));
        let derivatives = Task::Binary.derivatives(&[vec![0.0; 400]], &y, 0);
        let mut grower = Grower::new(std::slice::from_ref(&column), &derivatives);
        let total = Sum { g: 0.0, h: 100.0 };
        let open = Open { node: 0, rows: 0..400, total, histogram: grower.histogram(0..400) };
        let (gain, _, test, left) = grower.best(&open).unwrap();
        assert_eq!(test, Test::Below { cut: 2.0, missing: false });
        // Each side: G = ∓100, H = 50; the gain is 2 · 100² / 51.
        assert!((gain - 2.0 * 10_000.0 / 51.0).abs() < 1e-9 && left.g == 100.0, "{gain} {left:?}");
        let [left, right] = grower.split(open, 0, test, left);
        assert_eq!((left.rows, right.rows), (0..200, 200..400));
        assert!(grower.order[..200].iter().all(|&row| x[row as usize] < 2.0));
    }

    #[test]
    fn many_numbers_are_cut_at_quantiles() {
        let sorted: Vec<f64> = (0..10_000).map(f64::from).collect();
        let cuts = cuts(&sorted);
        assert_eq!((cuts.len(), cuts[0], cuts[254]), (255, 39.0, 9960.0));
        assert_eq!(super::cuts(&[1.0, 1.0, 2.0, 5.0]), [2.0, 5.0]);
        assert!(super::cuts(&[]).is_empty());
    }
}
