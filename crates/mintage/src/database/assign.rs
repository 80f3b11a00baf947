//! Finds the further parents of new rows: rows that are like what was drawn of them, each as often as it shall be referred to.

use std::collections::BTreeMap;

use mintage_data::Column;
use mintage_nn::Rng;

use super::{cells::Code, filled::NONE};

/// Parts of equal numbers of rows that the numbers of a column are cut into.
const BINS: usize = 8;

/// What rows have in common with the parents that they are looking for: a number a column and row, 0 where it is missing.
pub(super) struct Likeness {
    /// By row of the parent.
    pub theirs: Vec<Vec<u32>>,
    /// By row that looks for a parent.
    pub own: Vec<Vec<u32>>,
}

impl Likeness {
    /// Compares the columns of parents with what was drawn of them, column by column.
    pub fn of(pairs: &[(&Column, &Column)], theirs: usize, own: usize) -> Self {
        let mut likeness = Self { theirs: vec![Vec::new(); theirs], own: vec![Vec::new(); own] };
        for (parent, drawn) in pairs {
            let code = Code::of(parent, BINS);
            (0..theirs).for_each(|row| likeness.theirs[row].push(code.of_cell(parent.cell(row))));
            (0..own).for_each(|row| likeness.own[row].push(code.of_cell(drawn.cell(row))));
        }
        likeness
    }
}

/// Gives each row of `likeness.own` a parent, whose quotas together are as many as there are rows or more. Those that are
/// alike in all columns first, then in all but the last, and so on. `may` says whether a row may have a parent.
pub(super) fn assign(
    likeness: &Likeness,
    quotas: &[u32],
    may: &mut dyn FnMut(usize, u32) -> bool,
    rng: &mut Rng,
) -> Vec<u32> {
    let mut left = quotas.to_vec();
    let mut found = vec![NONE; likeness.own.len()];
    let width = likeness.own.first().map_or(0, Vec::len);
    let mut open: Vec<usize> = (0..found.len()).collect();
    shuffle(&mut open, rng);
    for level in (0..=width).rev() {
        let mut slots: BTreeMap<&[u32], Vec<u32>> = BTreeMap::new();
        for (row, codes) in likeness.theirs.iter().enumerate() {
            let slots = slots.entry(&codes[..level]).or_default();
            slots.extend(std::iter::repeat_n(row as u32, left[row] as usize));
        }
        slots.values_mut().for_each(|rows| shuffle(rows, rng));
        open.retain(|&row| {
            let Some(slots) = slots.get_mut(&likeness.own[row][..level]) else { return true };
            // Of a parent that it may not have, such as one that it has already, the next is tried.
            const MAX_TRIES: usize = 64;
            let end = slots.len();
            let Some(at) = (end.saturating_sub(MAX_TRIES)..end).rev().find(|&at| may(row, slots[at])) else {
                return true;
            };
            let parent = slots.swap_remove(at);
            left[parent as usize] -= 1;
            found[row] = parent;
            false
        });
    }
    found
}

/// Quotas in the proportions of `weights` that are `n` together.
pub(super) fn scaled(weights: &[u32], n: usize) -> Vec<u32> {
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
            let upto = sum.round() as usize;
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
        let likeness = Likeness::of(&[(&theirs, &own)], 3, 5);
        let found = assign(&likeness, &[1, 2, 2], &mut |_, _| true, &mut Rng::new(1, 0));
        assert_eq!((found[0], found[4]), (1, 1), "{found:?}");
        let counts: Vec<usize> = (0..3).map(|row| found.iter().filter(|&&p| p == row).count()).collect();
        assert_eq!(counts, [1, 2, 2]);
        assert!([1, 2, 3].iter().all(|&row| found[row as usize] != 1));
    }

    #[test]
    fn quotas_are_as_many_as_rows() {
        assert_eq!(scaled(&[1, 1, 2], 8), [2, 2, 4]);
        assert_eq!(scaled(&[0, 0], 3).iter().sum::<u32>(), 3);
        assert_eq!(scaled(&[5, 3, 1], 4).iter().sum::<u32>(), 4);
    }
}
