//! How sure a number is: bootstrap intervals.
//!
//! Items are resampled with replacement, each resample from a random stream of its own, so the result
//! does not depend on the number of threads. Nothing here knows what is being measured.

use mintage_nn::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Items up to which numbers that take long are resampled; more make them as good as certain.
const MAX_RESAMPLED_ITEMS: usize = 1500;
/// Resamples of such numbers.
const COSTLY_RESAMPLES: usize = 24;

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The statistic of all items, in its own unit.
    pub value: f64,
    /// Lower end of the interval; equal to `value` where nothing was resampled.
    pub low: f64,
    /// Upper end of the interval; equal to `value` where nothing was resampled.
    pub high: f64,
}

impl From<f64> for Interval {
    fn from(value: f64) -> Self {
        Self::certain(value)
    }
}

impl Interval {
    /// The `statistic` of all items, with its bootstrap interval less the bias of the bootstrap.
    ///
    /// A resample repeats items, and to a distance between distributions (Fréchet, kernel) that looks like a
    /// second difference: its resampled values all lie above the value itself. Their mean excess estimates
    /// that bias and is taken off both ends. For averages over items it is zero.
    pub fn estimate(
        n_items: usize,
        resamples: usize,
        seed: u64,
        statistic: impl Fn(&[usize]) -> f64 + Sync,
    ) -> Self {
        let all: Vec<usize> = (0..n_items).collect();
        let value = if n_items == 0 { f64::NAN } else { statistic(&all) };
        let values = resampled(n_items, resamples, seed, &statistic);
        let bias = values.iter().sum::<f64>() / values.len() as f64 - value;
        let (low, high) = percentiles(&values);
        Self { value, low: low - bias, high: high - bias }
    }

    /// As [`Self::estimate`], for a statistic that takes long: of many items it counts as certain.
    pub fn of_costly(n_items: usize, seed: u64, statistic: impl Fn(&[usize]) -> f64 + Sync) -> Self {
        match n_items {
            ..=MAX_RESAMPLED_ITEMS => Self::estimate(n_items, COSTLY_RESAMPLES, seed, statistic),
            _ => Self::certain(statistic(&(0..n_items).collect::<Vec<usize>>())),
        }
    }

    /// The share that `n` tosses of a fair coin give: 0.5 with its normal interval.
    pub fn of_chance(n: usize) -> Self {
        let half = 1.96 * 0.5 / (n.max(1) as f64).sqrt();
        Self { value: 0.5, low: 0.5 - half, high: 0.5 + half }
    }

    /// The area under the ROC curve that guesses give with so many of either kind (Mann and Whitney, 1947).
    pub fn of_chance_auc(positives: usize, negatives: usize) -> Self {
        let (m, n) = (positives.max(1) as f64, negatives.max(1) as f64);
        let half = 1.96 * ((m + n + 1.0) / (12.0 * m * n)).sqrt();
        Self { value: 0.5, low: 0.5 - half, high: 0.5 + half }
    }

    /// The share of items that are 1, the others being 0, with Wilson's interval (1927).
    ///
    /// Where all items agree, resampling would take the share for certain.
    pub fn of_share(items: &[f64]) -> Self {
        const Z2: f64 = 1.96 * 1.96;
        let n = items.len() as f64;
        let value = items.iter().sum::<f64>() / n;
        let middle = (value + Z2 / (2.0 * n)) / (1.0 + Z2 / n);
        let half = (Z2 * (value * (1.0 - value) / n + Z2 / (4.0 * n * n))).sqrt() / (1.0 + Z2 / n);
        Self { value, low: (middle - half).min(value), high: (middle + half).max(value) }
    }

    /// Clamps value and ends from below: an AUC below 0.5 is chance as well.
    #[must_use]
    pub fn at_least(self, least: f64) -> Self {
        Self { value: self.value.max(least), low: self.low.max(least), high: self.high.max(least) }
    }

    /// Widens the interval to cover that of `other`; the value stays.
    #[must_use]
    pub fn covering(self, other: Self) -> Self {
        Self { value: self.value, low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// The same in another unit, with a `factor` above 0.
    #[must_use]
    pub(super) fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }

    /// A number without an interval: both ends are the number itself.
    pub fn certain(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// The mean of `items` with its bootstrap interval.
    pub fn of_mean(items: &[f64], resamples: usize, seed: u64) -> Self {
        let mean = |rows: &[usize]| rows.iter().map(|&i| items[i]).sum::<f64>() / rows.len() as f64;
        Self::estimate(items.len(), resamples, seed, mean)
    }
}

/// The 95 % percentile interval `(low, high)` of `statistic` over `resamples` bootstrap samples.
///
/// `statistic` gets `n_items` indices below `n_items`, drawn with replacement. Resamples where it is
/// not finite are left out; with none left (or no items) both ends are NaN. Runs in parallel.
pub fn bootstrap(
    n_items: usize,
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[usize]) -> f64 + Sync,
) -> (f64, f64) {
    percentiles(&resampled(n_items, resamples, seed, &statistic))
}

/// The finite values of the statistic, sorted.
fn resampled(
    n_items: usize,
    resamples: usize,
    seed: u64,
    statistic: &(impl Fn(&[usize]) -> f64 + Sync),
) -> Vec<f64> {
    if n_items == 0 {
        return Vec::new();
    }
    let one = |resample: usize| {
        let mut rng = Rng::new(seed, resample as u64);
        let rows: Vec<usize> = (0..n_items).map(|_| rng.below(n_items)).collect();
        statistic(&rows)
    };
    let mut values: Vec<f64> = (0..resamples).into_par_iter().map(one).collect();
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The 2.5th and 97.5th percentiles of sorted values.
fn percentiles(sorted: &[f64]) -> (f64, f64) {
    (percentile(sorted, 0.025), percentile(sorted, 0.975))
}

/// Linear interpolation between neighbours, as `numpy.percentile` does.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    sorted[below] + part * (sorted[(below + 1).min(last)] - sorted[below])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn interval_of_a_mean_has_the_width_of_theory() {
        let items: Vec<f64> = Rng::new(1, 0).normals(400).into_iter().map(f64::from).collect();
        let interval = Interval::of_mean(&items, 2_000, 5);
        let spread = items.iter().map(|x| (x - interval.value).powi(2)).sum::<f64>() / 400.0;
        let half = 1.96 * (spread / 400.0).sqrt();
        assert!((interval.low - (interval.value - half)).abs() < 0.1 * half, "{interval:?} {half}");
        assert!((interval.high - (interval.value + half)).abs() < 0.1 * half, "{interval:?} {half}");
        assert_eq!(interval, Interval::of_mean(&items, 2_000, 5));
        assert_ne!(interval, Interval::of_mean(&items, 2_000, 6));
    }

    #[test]
    fn bias_of_repeated_items_is_taken_off() {
        // The share of distinct items is 1 of all items and about 0.632 of every resample.
        let distinct = |rows: &[usize]| {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            rows.dedup();
            rows.len() as f64 / 100.0
        };
        let (_, high) = bootstrap(100, 200, 1, distinct);
        assert!(high < 0.75, "{high}");
        let interval = Interval::estimate(100, 200, 1, distinct);
        assert!(interval.low < 1.0 && interval.high > 1.0 && interval.high < 1.2, "{interval:?}");
    }

    #[test]
    fn a_share_of_all_is_not_certain() {
        // Wilson's interval of 24 of 24, and of 12 of 24.
        let all = Interval::of_share(&[1.0; 24]);
        assert!((all.low - 0.8620).abs() < 1e-3 && (all.value, all.high) == (1.0, 1.0), "{all:?}");
        let half = Interval::of_share(&[0.0, 1.0].repeat(12));
        assert!((half.low - 0.3143).abs() < 1e-3 && (half.high - 0.6857).abs() < 1e-3, "{half:?}");
        assert!(Interval::of_share(&[]).value.is_nan());
    }

    #[test]
    fn nothing_known_is_nan_and_not_a_panic() {
        let (low, high) = bootstrap(0, 100, 1, |_| 1.0);
        assert!(low.is_nan() && high.is_nan());
        let (low, high) = bootstrap(10, 100, 1, |_| f64::NAN);
        assert!(low.is_nan() && high.is_nan());
        assert!(Interval::of_mean(&[], 100, 1).value.is_nan());
        assert_eq!(bootstrap(10, 1, 1, |_| 3.0), (3.0, 3.0));
    }

    #[test]
    fn percentiles_interpolate_like_numpy() {
        let values: Vec<f64> = (0..5).map(f64::from).collect();
        assert!((percentile(&values, 0.025) - 0.1).abs() < 1e-12); // numpy.percentile(range(5), 2.5)
        assert!((percentile(&values, 0.975) - 3.9).abs() < 1e-12);
    }
}
