//! New, or copied? How near new rows come to the rows that were learned from.
//!
//! The distance to the closest record: numbers standardised by the training rows, their differences
//! summed, and 2 for every category that differs. Whether a row is *too* near only held-out rows can tell,
//! which nobody learned: as often as not a new row should be nearer to one of them than to a training row.

use mintage_nn::Rng;
use rayon::prelude::*;
use xxhash_rust::xxh3::Xxh3Default;

use super::{
    super::dcr::dcr_share,
    frame::{Frame, Values},
    neighbours::{Found, Norm, Scale, Space, nearest, search},
};

/// Held-out rows whose distances to train are taken.
const MAX_REFERENCES: usize = 10_000;
/// Equal training rows from which on they are a frequent combination, which is no copy of one of them.
const MIN_FREQUENT: usize = 3;

/// How near each new row comes to the training rows, in the order of the new rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Privacy {
    /// Index of the nearest training row, and the distance to it.
    pub neighbours: Vec<(usize, f32)>,
    /// Distance to the nearest held-out row.
    pub to_holdout: Vec<f32>,
    /// The distance to the nearest training row over that to the second nearest; 1 where both are 0.
    pub ratios: Vec<f64>,
    /// Whether every cell is that of a training row; rows that three or more training rows equal do not
    /// count.
    pub exact: Vec<bool>,
    /// Probability that the nearest row is a training row and not a held-out one; 0.5 is ideal.
    ///
    /// As many rows are drawn from the larger of train and holdout as there are in the smaller one. NaN
    /// without either.
    pub closer: Vec<f64>,
    /// Distances of held-out rows to the nearest training row, ascending: what to expect of rows that are
    /// new.
    pub expected: Vec<f32>,
}

impl Privacy {
    /// Share nearer to train than to holdout; ideally 0.5, and 1 for a model that recites.
    pub fn closer_share(&self) -> f64 {
        mean(self.closer.iter().copied())
    }

    /// Share of rows that are training rows.
    pub fn exact_share(&self) -> f64 {
        mean(self.exact.iter().map(|&yes| f64::from(u8::from(yes))))
    }

    /// Share of rows nearer to train than a share `p` of held-out rows is; ideally `p`.
    pub fn near_share(&self, p: f64) -> f64 {
        if self.expected.is_empty() {
            return f64::NAN;
        }
        let place = (p * (self.expected.len() - 1) as f64).round() as usize;
        let bound = self.expected[place.min(self.expected.len() - 1)];
        mean(self.neighbours.iter().map(|&(_, distance)| f64::from(u8::from(distance < bound))))
    }

    /// The mean distance to the nearest training row.
    pub fn mean_distance(&self) -> f64 {
        mean(self.neighbours.iter().map(|&(_, distance)| f64::from(distance)))
    }
}

/// Compares new rows with those that were learned from and those that were held out.
pub fn privacy(new: &Frame, train: &Frame, holdout: &Frame, seed: u64) -> Privacy {
    let space = Space::of(train, &[new, holdout], Scale::Standard);
    let [queries, train_points, holdout_points] = [new, train, holdout].map(|frame| space.points(frame));
    let (n_train, n_holdout) = (train.rows(), holdout.rows());
    let marked = |other: &[Found]| {
        let marks: Vec<f32> = other.iter().map(|found| found.distance).collect();
        move |query: usize| Found { mark: marks[query], ..Found::NONE }
    };
    // The smaller set sets the mark, the larger is counted against it.
    let (to_train, to_holdout, closer) = if n_train >= n_holdout {
        let to_holdout = nearest(&queries, &holdout_points, Norm::Absolute);
        let to_train = search(&queries, &train_points, Norm::Absolute, marked(&to_holdout));
        let chance = |found: &Found| dcr_share(n_train, n_holdout, found.nearer, found.level);
        let closer = to_train.iter().map(chance).collect();
        (to_train, to_holdout, closer)
    } else {
        let to_train = nearest(&queries, &train_points, Norm::Absolute);
        let to_holdout = search(&queries, &holdout_points, Norm::Absolute, marked(&to_train));
        let chance = |found: &Found| 1.0 - dcr_share(n_holdout, n_train, found.nearer, found.level);
        let closer = to_holdout.iter().map(chance).collect();
        (to_train, to_holdout, closer)
    };
    let mut rows = Rng::new(seed, 0).permutation(n_holdout);
    rows.truncate(MAX_REFERENCES);
    let references = space.points(&holdout.select(&rows));
    let found = nearest(&references, &train_points, Norm::Absolute);
    let mut expected: Vec<f32> = found.iter().map(|found| found.distance).collect();
    expected.sort_unstable_by(f32::total_cmp);
    Privacy {
        neighbours: to_train.iter().map(|found| (found.index, found.distance)).collect(),
        to_holdout: to_holdout.iter().map(|found| found.distance).collect(),
        ratios: to_train.iter().map(ratio).collect(),
        exact: exact(new, train),
        closer,
        expected,
    }
}

fn ratio(found: &Found) -> f64 {
    if found.distance == found.second { 1.0 } else { f64::from(found.distance) / f64::from(found.second) }
}

/// Which new rows are training rows, cell by cell.
fn exact(new: &Frame, train: &Frame) -> Vec<bool> {
    let hashes = |frame: &Frame| -> Vec<u128> {
        (0..frame.rows()).into_par_iter().map(|row| hash(frame, row)).collect()
    };
    are_copies(&hashes(new), hashes(train))
}

/// Which hashes of new rows are those of training rows: one of a few, since what many rows have in common gives nobody away.
pub(crate) fn are_copies(new: &[u128], mut known: Vec<u128>) -> Vec<bool> {
    known.par_sort_unstable();
    let is_known = |hash: &u128| {
        let first = known.partition_point(|other| other < hash);
        let equal = known[first..].iter().take(MIN_FREQUENT).filter(|other| *other == hash).count();
        (1..MIN_FREQUENT).contains(&equal)
    };
    new.par_iter().map(is_known).collect()
}

/// 128 bits of all cells of a row: two different rows never share them.
pub(super) fn hash(frame: &Frame, row: usize) -> u128 {
    let mut hasher = Xxh3Default::new();
    for column in &frame.columns {
        match &column.values {
            // Zero has two signs and NaN many bits.
            Values::Numbers(numbers) if numbers[row].is_nan() => hasher.update(&f64::NAN.to_le_bytes()),
            Values::Numbers(numbers) => hasher.update(&(numbers[row] + 0.0).to_le_bytes()),
            Values::Categories { codes, .. } => hasher.update(&codes[row].to_le_bytes()),
        }
    }
    hasher.digest128()
}

fn mean(items: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = items.len();
    items.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::{super::neighbours::testing::mixed, *};

    /// Whether so few rows of a frame are equal to each of its rows that a copy would give somebody away.
    fn rare(frame: &Frame) -> Vec<bool> {
        let hashes: Vec<u128> = (0..frame.rows()).map(|row| hash(frame, row)).collect();
        hashes.iter().map(|a| hashes.iter().filter(|&b| a == b).count() < MIN_FREQUENT).collect()
    }

    #[test]
    fn copies_are_found() {
        let (train, holdout, fresh) = (mixed(900, 1), mixed(400, 2), mixed(300, 3));
        let copies: Vec<usize> = (0..900).step_by(9).collect();
        let found = privacy(&fresh.followed_by(&train.select(&copies)), &train, &holdout, 1);
        assert_eq!((found.exact.len(), found.expected.len()), (400, 400));
        let rare = rare(&train);
        let expected: Vec<bool> = copies.iter().map(|&row| rare[row]).collect();
        assert_eq!(found.exact[300..], expected);
        assert!(expected.iter().filter(|&&exact| exact).count() > 80);
        assert!(found.exact[..300].iter().filter(|&&exact| exact).count() < 3);
        for (at, &row) in copies.iter().enumerate() {
            let (index, distance) = found.neighbours[300 + at];
            assert!(distance == 0.0 && index <= row, "{index} {row} {distance}");
        }
        let fresh = privacy(&fresh, &train, &holdout, 1);
        assert!((fresh.closer_share() - 0.5).abs() < 0.06, "{}", fresh.closer_share());
        assert!((fresh.near_share(0.5) - 0.5).abs() < 0.1, "{}", fresh.near_share(0.5));
        assert!(found.closer_share() > fresh.closer_share() + 0.05);
        assert!(found.mean_distance() < fresh.mean_distance());
    }

    #[test]
    fn frequent_combinations_are_no_copies() {
        use super::super::frame::testing::frame;
        // Ten combinations in a hundred rows each, and one in a single row.
        let codes: Vec<u32> = (0..1000).map(|i| i % 10).chain([10]).collect();
        let train = frame(&[], &[&codes]);
        let new = frame(&[], &[&[0, 3, 10, 9]]);
        let found = privacy(&new, &train, &train.select(&[0, 1, 2, 3]), 1);
        assert_eq!(found.exact, [false, false, true, false]);
    }

    #[test]
    fn a_larger_holdout_says_the_same() {
        let (train, holdout, fresh) = (mixed(400, 4), mixed(900, 5), mixed(300, 6));
        let found = privacy(&fresh, &train, &holdout, 1);
        assert!((found.closer_share() - 0.5).abs() < 0.06, "{}", found.closer_share());
        let swapped = privacy(&fresh, &holdout, &train, 1);
        // Scales are those of train: nearly the same.
        assert!((found.closer_share() + swapped.closer_share() - 1.0).abs() < 0.02);
        assert!(found.ratios.iter().all(|ratio| (0.0..=1.0).contains(ratio)));
    }

    #[test]
    fn without_a_holdout_only_copies_are_known() {
        let train = mixed(50, 1);
        let found = privacy(&train, &train, &train.select(&[]), 1);
        assert!(found.closer_share().is_nan() && found.near_share(0.02).is_nan());
        assert_eq!(found.exact, rare(&train));
        assert!(found.exact_share() > 0.8);
    }
}
