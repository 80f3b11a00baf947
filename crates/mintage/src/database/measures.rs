//! What likeness is measured by: how far two distributions lie apart, how two columns of numbers go together.

use std::collections::HashMap;

use serde::Serialize;

use crate::evaluate::{
    Interval,
    table::{kolmogorov_smirnov, pearson},
};

/// Resamples of a bootstrap interval.
pub(super) const RESAMPLES: usize = 200;

/// One score.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// Of what.
    pub of: String,
    /// From 0 to 1.
    pub score: f64,
}

/// The mean of some scores; nothing where there are none.
pub(super) fn mean(scores: &[Score]) -> Option<f64> {
    let total: f64 = scores.iter().map(|score| score.score).sum();
    (!scores.is_empty()).then(|| total / scores.len() as f64)
}

/// The means of the scores of a database, each with its 95 % interval: that of the mean over what it is the mean of, which is
/// resampled with replacement. It says how far the mean depends on which keys, columns, pairs or tables there happen to be, and
/// nothing of the rows, which stay as they are. A mean of a single number has no interval: both ends are that number.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Means {
    /// Of the numbers of children, over keys.
    pub cardinality: Option<Interval>,
    /// Of the distributions of columns, over columns.
    pub shapes: Option<Interval>,
    /// Of pairs of columns of a table, over pairs.
    pub trends: Option<Interval>,
    /// Of pairs of a column and one of a parent, over pairs, by how many keys lie between them: from 1.
    pub hops: Vec<Option<Interval>>,
    /// Of the accuracy of classifiers, over tables.
    pub detection: Option<Interval>,
}

/// The mean of some scores with its interval, as [`Means`] has it; nothing where there are none.
pub(super) fn mean_of(scores: &[Score], seed: u64) -> Option<Interval> {
    let values: Vec<f64> = scores.iter().map(|score| score.score).collect();
    mean_of_values(&values, seed)
}

/// The same of numbers from 0 to 1.
pub(super) fn mean_of_values(values: &[f64], seed: u64) -> Option<Interval> {
    match values {
        [] => None,
        [one] => Some(Interval::certain(*one)),
        _ => {
            let Interval { value, low, high } = Interval::of_mean(values, RESAMPLES, seed);
            Some(Interval { value, low: low.min(value).max(0.0), high: high.max(value).min(1.0) })
        }
    }
}

/// The score of two columns of numbers; of two without any it is 1, of one alone 0.
pub(super) fn ks(real: &[f64], new: &[f64]) -> f64 {
    let has_none = |values: &[f64]| values.iter().all(|value| value.is_nan());
    match (has_none(real), has_none(new)) {
        (false, false) => kolmogorov_smirnov(real, new),
        (real, new) => f64::from(real == new),
    }
}

/// 1 − half of the sum of the differences of two histograms.
pub(super) fn total_variation(a: &[(u32, u32)], b: &[(u32, u32)]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return if a.is_empty() && b.is_empty() { 1.0 } else { 0.0 };
    }
    let mut differences: HashMap<(u32, u32), f64> = HashMap::new();
    a.iter().for_each(|&cell| *differences.entry(cell).or_default() += 1.0 / a.len() as f64);
    b.iter().for_each(|&cell| *differences.entry(cell).or_default() -= 1.0 / b.len() as f64);
    let mut all: Vec<f64> = differences.into_values().map(f64::abs).collect();
    // In an order of their own, so that the sum is the same at every run.
    all.sort_by(f64::total_cmp);
    (1.0 - all.iter().sum::<f64>() / 2.0).clamp(0.0, 1.0)
}

/// Pearson's correlation; nothing where one of the two does not vary.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    Some(pearson(a, b)).filter(|r| !r.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_contains_it() {
        let scores = |all: &[f64]| -> Vec<Score> {
            all.iter().map(|&score| Score { of: "a.b".to_owned(), score }).collect()
        };
        let some = scores(&[0.9, 0.95, 1.0, 0.5, 0.97]);
        let found = mean_of(&some, 1);
        assert_eq!(found.map(|found| found.value), mean(&some));
        assert!(
            found.is_some_and(|found| 0.5 < found.low && found.low < found.value && found.value < found.high),
            "{found:?}"
        );
        assert!(found.is_some_and(|found| found.high <= 1.0) && found == mean_of(&some, 1));
        // One number alone has no interval.
        assert_eq!(mean_of(&scores(&[0.25]), 1), Some(Interval::certain(0.25)));
        assert_eq!(mean_of(&[], 1), None);
    }

    #[test]
    fn distances_of_known_distributions() {
        assert_eq!(ks(&[1.0, 2.0], &[2.0, 1.0]), 1.0);
        assert_eq!(ks(&[1.0, 2.0], &[3.0, 4.0]), 0.0);
        assert_eq!(ks(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]), 0.5);
        assert_eq!(total_variation(&[(1, 0), (1, 0)], &[(1, 0), (2, 0)]), 0.5);
        let r = correlation(&[1.0, 2.0, f64::NAN, 3.0], &[2.0, 4.0, 1.0, 6.0]);
        assert!(r.is_some_and(|r| (r - 1.0).abs() < 1e-12), "{r:?}");
        assert!(correlation(&[1.0, 1.0], &[1.0, 2.0]).is_none());
    }
}
