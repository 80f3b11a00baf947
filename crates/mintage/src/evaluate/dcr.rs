//! Nearer to train or to holdout? A fair question to sets of different size, as though they had the same.

/// The probability that of `drawn` items out of `n` the nearest is nearer than a mark that `nearer` of the
/// `n` are nearer than, `level` ones counted half. Exact, hence without a random draw.
pub(super) fn dcr_share(n: usize, drawn: usize, nearer: usize, level: usize) -> f64 {
    if n == 0 || drawn == 0 {
        return f64::NAN;
    }
    1.0 - 0.5 * (none_drawn(n, drawn, nearer) + none_drawn(n, drawn, nearer + level))
}

/// Probability that `drawn` out of `n`, without replacement, hold none of certain `few`:
/// `C(n - few, drawn) / C(n, drawn)`.
fn none_drawn(n: usize, drawn: usize, few: usize) -> f64 {
    let (short, long) = (few.min(drawn), few.max(drawn));
    if short + long > n {
        return 0.0;
    }
    (0..short).map(|i| (n - long - i) as f64 / (n - i) as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_of_a_draw() {
        assert_eq!(none_drawn(10, 3, 0), 1.0);
        assert!((none_drawn(10, 3, 1) - 0.7).abs() < 1e-12);
        assert!((none_drawn(10, 1, 3) - 0.7).abs() < 1e-12);
        assert!((none_drawn(6, 2, 2) - 6.0 / 15.0).abs() < 1e-12);
        assert_eq!(none_drawn(10, 4, 7), 0.0);
    }
}
