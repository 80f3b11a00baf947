//! Finds the further parents of new rows: rows that are like what was drawn of them, each as often as it shall be referred to.

use std::collections::BTreeMap;

use mintage_data::Column;
use mintage_nn::Rng;

use rayon::prelude::*;

use super::{
    cells::{Code, by_text, number},
    filled::NONE,
    slice::Slice,
};

/// Parts of equal numbers of rows that the numbers of a column are cut into.
const BINS: usize = 8;
/// How far categories that differ lie apart, and the rank of a number that is missing.
const OTHER_CATEGORY: f32 = 0.1;
const MISSING_RANK: f32 = -0.5;

/// Rows times parents of which every pair is compared.
const MAX_PAIRS: usize = 150_000_000;
/// Parents that a row looks at in one round, and rounds.
const MAX_NEAREST: usize = 24;
const MAX_ROUNDS: usize = 12;

/// Parents that a row tries that may have none of those left.
const MAX_BEYOND: usize = 10_000;

/// Gives each of `rows` new rows a parent: `pairs` has columns of parents beside what was drawn of them for the rows, the most
/// telling first. `quotas` of all parents together are as many as there are rows, or more. `may` says whether a row may have
/// a parent.
pub(super) fn assign(
    pairs: &[(&Column, &Column)],
    (parents, rows): (usize, usize),
    quotas: &[u32],
    may: &mut dyn FnMut(usize, u32) -> bool,
    rng: &mut Rng,
) -> Vec<u32> {
    let mut open = Open { left: quotas.to_vec(), found: vec![NONE; rows] };
    if parents.saturating_mul(rows) <= MAX_PAIRS && !pairs.is_empty() {
        open.by_distance(&Points::of(pairs, parents, rows), may, rng);
    }
    open.by_parts(&Likeness::of(pairs, parents, rows), may, rng);
    open.beyond(may, rng);
    open.found
}

/// Rows that look for parents.
struct Open {
    /// How often each parent is still to be found.
    left: Vec<u32>,
    /// By row; [`NONE`] as long as it has none.
    found: Vec<u32>,
}

impl Open {
    fn take(&mut self, row: usize, parent: u32) {
        self.left[parent as usize] -= 1;
        self.found[row] = parent;
    }

    fn rows(&self) -> Vec<usize> {
        (0..self.found.len()).filter(|&row| self.found[row] == NONE).collect()
    }

    /// The nearest pairs first; of parents that are taken, what is left over looks again.
    fn by_distance(&mut self, points: &Points, may: &mut dyn FnMut(usize, u32) -> bool, rng: &mut Rng) {
        for _ in 0..MAX_ROUNDS {
            let (rows, parents) = (self.rows(), self.left.iter().enumerate().filter(|(_, left)| **left > 0));
            let parents: Vec<u32> = parents.map(|(parent, _)| parent as u32).collect();
            if rows.is_empty() || parents.is_empty() {
                return;
            }
            // Parents that are alike are not always asked in the same order.
            let salt = rng.next_u64();
            let nearest = |&row: &usize| points.nearest(row, &parents, salt);
            let mut edges: Vec<(f32, u32, u32)> = rows.par_iter().flat_map_iter(nearest).collect();
            edges.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            let before = rows.len();
            for (_, row, parent) in edges {
                let row = row as usize;
                if self.found[row] == NONE && self.left[parent as usize] > 0 && may(row, parent) {
                    self.take(row, parent);
                }
            }
            if self.rows().len() == before {
                return;
            }
        }
    }

    /// Rows that may have none of the parents that are left take one of the others: a parent with a row too many is less wrong
    /// than a row without a parent.
    fn beyond(&mut self, may: &mut dyn FnMut(usize, u32) -> bool, rng: &mut Rng) {
        let parents = self.left.len();
        for row in self.rows() {
            let first = rng.below(parents.max(1));
            let others = (0..parents.min(MAX_BEYOND)).map(|at| ((first + at) % parents) as u32);
            if let Some(parent) = others.into_iter().find(|&parent| may(row, parent)) {
                self.found[row] = parent;
            }
        }
    }

    /// Those that are alike in all columns first, then in all but the last, and so on.
    fn by_parts(&mut self, likeness: &Likeness, may: &mut dyn FnMut(usize, u32) -> bool, rng: &mut Rng) {
        let width = likeness.own.first().map_or(0, Vec::len);
        let mut open = self.rows();
        shuffle(&mut open, rng);
        for level in (0..=width).rev() {
            if open.is_empty() {
                return;
            }
            let mut slots: BTreeMap<&[u32], Vec<u32>> = BTreeMap::new();
            for (row, codes) in likeness.theirs.iter().enumerate() {
                let slots = slots.entry(&codes[..level]).or_default();
                slots.extend(std::iter::repeat_n(row as u32, self.left[row] as usize));
            }
            slots.values_mut().for_each(|rows| shuffle(rows, rng));
            open.retain(|&row| {
                let Some(slots) = slots.get_mut(&likeness.own[row][..level]) else { return true };
                // Of a parent that it may not have, such as one that it has already, the next is tried.
                const MAX_TRIES: usize = 64;
                let end = slots.len();
                let Some(at) = (end.saturating_sub(MAX_TRIES)..end).rev().find(|&at| may(row, slots[at]))
                else {
                    return true;
                };
                let parent = slots.swap_remove(at);
                self.take(row, parent);
                false
            });
        }
    }
}

/// Parents and rows as points: of a number its rank among the parents, from 0 to 1; of a category its number.
struct Points {
    theirs: Vec<Vec<f32>>,
    own: Vec<Vec<f32>>,
    is_number: Vec<bool>,
}

impl Points {
    fn of(pairs: &[(&Column, &Column)], parents: usize, rows: usize) -> Self {
        let mut points =
            Self { theirs: vec![Vec::new(); parents], own: vec![Vec::new(); rows], is_number: Vec::new() };
        for (parent, drawn) in pairs {
            let numbers = by_text(parent, number, None);
            let known = numbers.iter().flatten().count();
            let is_number = known + parent.missing() == parent.len() && parent.values().len() > 2;
            points.is_number.push(is_number);
            let [theirs, own] = if is_number {
                let mut sorted: Vec<f64> = numbers.into_iter().flatten().collect();
                sorted.sort_by(f64::total_cmp);
                let place = |text: &str| number(text).map_or(MISSING_RANK, |x| rank(&sorted, x));
                [parent, drawn].map(|column| by_text(column, place, MISSING_RANK))
            } else {
                let code = Code::of(parent, BINS);
                let place = |text: &str| code.of_cell(Some(text)) as f32;
                [parent, drawn].map(|column| by_text(column, place, 0.0))
            };
            points.theirs.iter_mut().zip(theirs).for_each(|(point, place)| point.push(place));
            points.own.iter_mut().zip(own).for_each(|(point, place)| point.push(place));
        }
        points
    }

    fn distance(&self, row: usize, parent: u32) -> f32 {
        let pairs = self.own[row].iter().zip(&self.theirs[parent as usize]).zip(&self.is_number);
        let part = |((own, theirs), is_number): ((&f32, &f32), &bool)| match is_number {
            true => (own - theirs) * (own - theirs),
            false => {
                if own == theirs {
                    0.0
                } else {
                    OTHER_CATEGORY
                }
            }
        };
        pairs.map(part).sum()
    }

    /// The nearest of some parents, as distance, row and parent.
    fn nearest(&self, row: usize, parents: &[u32], salt: u64) -> Vec<(f32, u32, u32)> {
        let mixed = |parent: u32| (salt ^ u64::from(parent)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut all: Vec<(f32, u64, u32)> =
            parents.iter().map(|&parent| (self.distance(row, parent), mixed(parent), parent)).collect();
        let order = |a: &(f32, u64, u32), b: &(f32, u64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if all.len() > MAX_NEAREST {
            all.select_nth_unstable_by(MAX_NEAREST, order);
            all.truncate(MAX_NEAREST);
        }
        all.into_iter().map(|(distance, _, parent)| (distance, row as u32, parent)).collect()
    }
}

/// Where a number stands among sorted ones, from 0 to 1: in the middle of those that are equal, between two in proportion.
fn rank(sorted: &[f64], x: f64) -> f32 {
    let n = sorted.len();
    let (below, upto) = (sorted.partition_point(|y| *y < x), sorted.partition_point(|y| *y <= x));
    let place = match below {
        _ if below < upto => (below + upto) as f64 / 2.0,
        0 => 0.0,
        _ if below == n => n as f64,
        _ => below as f64 - 0.5 + (x - sorted[below - 1]) / (sorted[below] - sorted[below - 1]),
    };
    (place / n.max(1) as f64) as f32
}

/// What rows have in common with the parents that they are looking for: a number a column and row, 0 where it is missing.
struct Likeness {
    /// By row of the parent.
    theirs: Vec<Vec<u32>>,
    /// By row that looks for a parent.
    own: Vec<Vec<u32>>,
}

impl Likeness {
    /// Compares the columns of parents with what was drawn of them, column by column.
    fn of(pairs: &[(&Column, &Column)], theirs: usize, own: usize) -> Self {
        let mut likeness = Self { theirs: vec![Vec::new(); theirs], own: vec![Vec::new(); own] };
        for (parent, drawn) in pairs {
            let code = Code::of(parent, BINS);
            let (theirs, own) = (code.of_column(parent), code.of_column(drawn));
            likeness.theirs.iter_mut().zip(theirs).for_each(|(codes, code)| codes.push(code));
            likeness.own.iter_mut().zip(own).for_each(|(codes, code)| codes.push(code));
        }
        likeness
    }
}

/// Quotas in the proportions of `weights` that are `n` together.
pub(super) fn scaled(weights: &[u32], n: usize, slice: Slice) -> Vec<u32> {
    let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    if weights.is_empty() {
        return Vec::new();
    }
    // The same for all where nothing is known.
    let share = |weight: u32| match total {
        0 => n as f64 / weights.len() as f64,
        total => f64::from(weight) * n as f64 / total as f64,
    };
    let (mut given, mut sum) = (0usize, 0.0);
    weights
        .iter()
        .map(|&weight| {
            sum += share(weight);
            let upto = slice.rounded(sum);
            let quota = upto - given;
            given = upto;
            quota as u32
        })
        .collect()
}

/// A random order (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_find_parents_that_are_like_them_and_keep_to_the_quotas() {
        let theirs = Column::of("colour", [Some("red"), Some("blue"), Some("red")]);
        let own = Column::of("colour", [Some("blue"), Some("red"), Some("red"), Some("red"), Some("blue")]);
        let found = assign(&[(&theirs, &own)], (3, 5), &[1, 2, 2], &mut |_, _| true, &mut Rng::new(1, 0));
        assert_eq!((found[0], found[4]), (1, 1), "{found:?}");
        let counts: Vec<usize> = (0..3).map(|row| found.iter().filter(|&&p| p == row).count()).collect();
        assert_eq!(counts, [1, 2, 2]);
        assert!([1, 2, 3].iter().all(|&row| found[row as usize] != 1));
    }

    #[test]
    fn the_nearest_numbers_are_found() {
        let theirs = Column::of("mean", [Some("1"), Some("5"), Some("9"), None]);
        let own = Column::of("mean", [Some("8"), Some("2"), None, Some("5.5")]);
        let pairs = [(&theirs, &own)];
        let found = assign(&pairs, (4, 4), &[1, 1, 1, 1], &mut |_, _| true, &mut Rng::new(1, 0));
        assert_eq!(found, [2, 0, 3, 1]);
        // What may not be is not, and the others have what is left.
        let may = &mut |row, parent| row != 0 || parent == 0;
        let found = assign(&pairs, (4, 4), &[2, 1, 1, 1], may, &mut Rng::new(1, 0));
        assert_eq!(found, [0, 0, 3, 1]);
    }

    #[test]
    fn quotas_are_as_many_as_rows() {
        assert_eq!(scaled(&[1, 1, 2], 8, Slice::WHOLE), [2, 2, 4]);
        assert_eq!(scaled(&[0, 0], 3, Slice::WHOLE).iter().sum::<u32>(), 3);
        assert_eq!(scaled(&[5, 3, 1], 4, Slice::WHOLE).iter().sum::<u32>(), 4);
    }
}
