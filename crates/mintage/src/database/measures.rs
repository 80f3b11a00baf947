//! What likeness is measured by: how far two distributions lie apart, how two columns of numbers go together.

use std::collections::HashMap;

use serde::Serialize;

use crate::evaluate::table::{kolmogorov_smirnov, pearson};

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
