//! Bins of numbers that hold about equally many rows.

use serde::{Deserialize, Serialize};

use super::check::MAX_TOKENS;

/// Bins of a column of numbers, at most.
pub(super) const BINS: usize = 128;
/// Rows that a bin should have.
pub(super) const ROWS_A_BIN: usize = 8;
/// Values kept of a bin, its ends included: between two of them new values are spread evenly.
const KNOTS: usize = 17;

/// Numbers from the first knot to the last. Knots stand for equal shares of the bin's rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    knots: Vec<f64>,
}

impl Bin {
    /// Of distinct ascending values with their counts.
    fn of(values: &[(f64, u32)]) -> Self {
        if values.len() <= KNOTS && values.iter().all(|v| v.1 == values[0].1) {
            return Self { knots: values.iter().map(|v| v.0).collect() };
        }
        let total: u64 = values.iter().map(|v| u64::from(v.1)).sum();
        let mut knots = Vec::with_capacity(KNOTS);
        let (mut at, mut passed) = (0, u64::from(values[0].1));
        for knot in 0..KNOTS as u64 {
            let rank = knot * (total - 1) / (KNOTS as u64 - 1);
            while passed <= rank {
                at += 1;
                passed += u64::from(values[at].1);
            }
            knots.push(values[at].0);
        }
        Self { knots }
    }

    /// Whether it could have been fitted: it may come from a file. All its numbers are `within` bounds.
    pub fn is_sound(&self, within: impl Fn(f64) -> bool) -> bool {
        let numbers = self.knots.iter().all(|&knot| knot.is_finite() && within(knot));
        numbers && !self.knots.is_empty() && self.knots.is_sorted()
    }

    pub fn low(&self) -> f64 {
        self.knots[0]
    }

    pub fn high(&self) -> f64 {
        self.knots[self.knots.len() - 1]
    }

    /// The quantile at `u` ∈ [0, 1].
    pub fn quantile(&self, u: f64) -> f64 {
        let place = u * (self.knots.len() - 1) as f64;
        let below = (place as usize).min(self.knots.len() - 1);
        let above = (below + 1).min(self.knots.len() - 1);
        let (low, high) = (self.knots[below], self.knots[above]);
        if low == high { low } else { low + (place - below as f64) * (high - low) }
    }

    /// The quantile at `u`, of the part that lies between two numbers where they are given.
    pub fn between(&self, u: f64, between: Option<(f64, f64)>) -> f64 {
        let Some((low, high)) = between else { return self.quantile(u) };
        let (from, to) = (self.position(low.max(self.low())), self.position(high.min(self.high())));
        self.quantile(from + u * (to - from)).clamp(low, high)
    }

    /// The share of its values that lies between two numbers, about: a bound that is a value is one of them.
    pub fn share(&self, low: f64, high: f64) -> f64 {
        if self.high() < low || self.low() > high {
            return 0.0;
        }
        let part = self.position(high.min(self.high())) - self.position(low.max(self.low()));
        (part + 1.0 / self.knots.len() as f64).min(1.0)
    }

    /// Where [`quantile`](Self::quantile) is `value`.
    pub fn position(&self, value: f64) -> f64 {
        let last = self.knots.len() - 1;
        if last == 0 {
            return 0.0;
        }
        let below = self.knots.partition_point(|&knot| knot <= value).saturating_sub(1).min(last - 1);
        let (low, high) = (self.knots[below], self.knots[below + 1]);
        let part = if low == high { 0.0 } else { ((value - low) / (high - low)).clamp(0.0, 1.0) };
        (below as f64 + part) / last as f64
    }
}

/// Cuts distinct ascending values with their counts into at most `most` bins.
pub fn cut(values: &[(f64, u32)], most: usize) -> Vec<Bin> {
    let total: u64 = values.iter().map(|v| u64::from(v.1)).sum();
    let share = total.div_ceil(most.max(1) as u64).max(1);
    let mut bins = Vec::new();
    let (mut first, mut held) = (0, 0);
    for (at, &(_, count)) in values.iter().enumerate() {
        let count = u64::from(count);
        // A frequent value has a bin to itself.
        if count >= share && at > first {
            bins.push(Bin::of(&values[first..at]));
            (first, held) = (at, 0);
        }
        held += count;
        if held >= share {
            bins.push(Bin::of(&values[first..=at]));
            (first, held) = (at + 1, 0);
        }
    }
    if first < values.len() {
        bins.push(Bin::of(&values[first..]));
    }
    bins
}

/// The bin that holds `value`, or the nearest one.
pub fn find(bins: &[Bin], value: f64) -> usize {
    let next = bins.partition_point(|bin| bin.low() <= value);
    if next == 0 {
        return 0;
    }
    let before = next - 1;
    let between = next < bins.len() && value > bins[before].high();
    if between && bins[next].low() - value < value - bins[before].high() { next } else { before }
}

/// That bins hold numbers in ascending order, all of them `within` bounds.
pub(super) fn check_bins(bins: &[Bin], within: impl Fn(f64) -> bool) -> Result<(), String> {
    // Each for itself first: a bin without knots has no ends.
    let each = !bins.is_empty() && bins.iter().all(|bin| bin.is_sound(&within));
    let sound = each && bins.windows(2).all(|pair| pair[0].high() <= pair[1].low());
    sound.then_some(()).ok_or_else(|| "has bins that do not ascend".to_owned())
}

/// That a field has as many tokens as a number of 16 bits tells apart.
pub(super) fn check_count(tokens: usize) -> Result<(), String> {
    let sound = (1..=MAX_TOKENS).contains(&tokens);
    sound.then_some(()).ok_or_else(|| format!("has {tokens} tokens, where 1 to {MAX_TOKENS} are possible"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_values_have_bins_of_their_own() {
        let values: Vec<(f64, u32)> =
            (0..1000).map(|i| (f64::from(i), if i == 500 { 3000 } else { 1 })).collect();
        let bins = cut(&values, 40);
        assert!(bins.len() <= 41, "{}", bins.len());
        let own = &bins[find(&bins, 500.0)];
        assert_eq!((own.low(), own.high()), (500.0, 500.0));
        assert_eq!(find(&bins, -7.0), 0);
        assert_eq!(find(&bins, 1e9), bins.len() - 1);
    }

    #[test]
    fn position_undoes_quantile() {
        let values: Vec<(f64, u32)> = (0..300).map(|i| (f64::from(i * i), 1 + i % 3)).collect();
        for bin in cut(&values, 10) {
            for i in 0..=50 {
                let value = bin.low() + f64::from(i) / 50.0 * (bin.high() - bin.low());
                assert!((bin.quantile(bin.position(value)) - value).abs() < 1e-6 * value.max(1.0));
            }
        }
    }
}
