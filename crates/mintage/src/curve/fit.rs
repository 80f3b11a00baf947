//! How a validation curve would go on: the power law a + b·t^(−c) that learning curves are known to follow, where a is what
//! no training gets below (Hestness et al. 2017, arXiv 1712.00409, equation 1).

/// Share of a stage before which nothing is fitted: the warm-up, and the fall to what every model soon finds.
const SETTLED: f64 = 0.15;
/// Points below which nothing is fitted: there are three unknowns.
const MIN_POINTS: usize = 6;
/// The exponents that are tried, and their distance. Measured ones lie in between.
const MIN_EXPONENT: f64 = 0.25;
const MAX_EXPONENT: f64 = 2.0;
const EXPONENT_STEP: f64 = 0.05;
/// What twice the time has to bring, as a share of all that was gained and in deviations of the points from the curve.
const MIN_GAIN: f64 = 0.02;
const MIN_DEVIATIONS: f64 = 2.0;
/// Share of a stage after which its end begins, and the share of what the curve falls there that the points have to fall.
const END_OF_STAGE: f64 = 0.75;
const MIN_BORNE_OUT: f64 = 0.25;
/// Nobody is told to train longer by more than this multiple of the time spent.
const MAX_LONGER: f64 = 3.0;
/// Share of what is left to gain that is worth more training.
const MIN_SHARE: f64 = 0.15;

/// How much more training is worth while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gain {
    /// How much more, as a multiple of what was spent.
    pub longer: f64,
    /// Share of what is left to gain that it brings, at most one half; `None` where the curve does not yet show what is left.
    pub share: Option<f64>,
}

/// The power law a + b·x^(−c) of x, the share of the time: a + b is reached at its end, of which b is left to gain.
struct PowerLaw {
    a: f64,
    b: f64,
    c: f64,
    /// Sum of the squared errors.
    error: f64,
}

/// What more training would bring by `points`, pairs of the time and the loss of one stage.
///
/// `most` is how much more there may be, as a multiple of what was spent. `None` where points are too few or too noisy, or
/// where twice the time brings nothing that could be told from the noise.
///
/// The points of one training stand in for the ends of trainings of different lengths, which nobody has. Its learning rate
/// falls to 0 at the end, so that its last points fall less than those of a longer training would: what is left is
/// underestimated rather than overestimated. Times count from the beginning of the stage: the loss of another stage is another
/// number, and what a stage learned before its time says nothing of how this one goes on.
pub(super) fn gain(points: &[(f64, f64)], most: f64) -> Option<Gain> {
    let points: Vec<(f64, f64)> = increasing(points);
    let (first, last) = (points.first()?, points.last()?);
    let shares = points.iter().map(|(time, loss)| (time / last.0, *loss));
    let settled: Vec<(f64, f64)> = shares.filter(|(share, _)| *share >= SETTLED).collect();
    if settled.len() < MIN_POINTS {
        return None;
    }
    let PowerLaw { a, b, c, error } = fit(&settled)?;
    let deviation = (error / (settled.len() - 3) as f64).sqrt();
    let best = |of_end: bool| {
        let part = settled.iter().filter(|(share, _)| (*share > END_OF_STAGE) == of_end);
        part.map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min)
    };
    // A fall that ended long before the training did is no power law, however well one fits it; nor is one that nothing
    // before the end is known of.
    let fell = best(false) - best(true);
    if !fell.is_finite() || fell < MIN_BORNE_OUT * b * (END_OF_STAGE.powf(-c) - 1.0) {
        return None;
    }
    let bound = (MIN_GAIN * (first.1 - (a + b)).abs()).max(MIN_DEVIATIONS * deviation);
    // Of b, (1 + longer)^(−c) is left.
    let brings = |longer: f64| 1.0 - (1.0 + longer).powf(-c);
    if b * brings(1.0) <= bound {
        return None;
    }
    // The curve bends less than any that is tried: it has no end that could be seen.
    let is_endless = c < MIN_EXPONENT + 0.5 * EXPONENT_STEP;
    let for_half = if is_endless { 1.0 } else { 2f64.powf(1.0 / c) - 1.0 };
    let longer = for_half.min(MAX_LONGER).min(most);
    let share = brings(longer);
    (share >= MIN_SHARE).then_some(Gain { longer, share: (!is_endless).then_some(share) })
}

/// Finite points at times above 0 that grow: the last validation may be there twice.
fn increasing(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for &(time, loss) in points {
        let before = kept.last().map_or(0.0, |(time, _)| *time);
        if loss.is_finite() && time.is_finite() && time > before {
            kept.push((time, loss));
        }
    }
    kept
}

/// The power law with the least squared error of those that fall; `None` where none does.
fn fit(points: &[(f64, f64)]) -> Option<PowerLaw> {
    let count = ((MAX_EXPONENT - MIN_EXPONENT) / EXPONENT_STEP).round() as usize;
    let exponents = (0..=count).map(|i| MIN_EXPONENT + EXPONENT_STEP * i as f64);
    let falling = exponents.filter_map(|c| with_exponent(points, c)).filter(|law| law.b > 0.0);
    falling.min_by(|one, other| one.error.total_cmp(&other.error))
}

/// The power law with the exponent `c`: a straight line over x^(−c).
fn with_exponent(points: &[(f64, f64)], c: f64) -> Option<PowerLaw> {
    let powers: Vec<f64> = points.iter().map(|(x, _)| x.powf(-c)).collect();
    let n = points.len() as f64;
    let mean_power = powers.iter().sum::<f64>() / n;
    let mean_loss = points.iter().map(|(_, loss)| loss).sum::<f64>() / n;
    let (mut squares, mut products) = (0.0, 0.0);
    for (power, (_, loss)) in powers.iter().zip(points) {
        squares += (power - mean_power).powi(2);
        products += (power - mean_power) * (loss - mean_loss);
    }
    let b = products / squares;
    let a = mean_loss - b * mean_power;
    let errors = powers.iter().zip(points).map(|(power, (_, loss))| (loss - a - b * power).powi(2));
    let error = errors.sum::<f64>();
    // No spread, or numbers that are too large to be squared.
    (b.is_finite() && error.is_finite()).then_some(PowerLaw { a, b, c, error })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn curve(n: usize, of: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (1..=n).map(|i| (50.0 * i as f64, of(i as f64 / n as f64))).collect()
    }

    /// As good as random, and always the same.
    fn jitter(t: f64) -> f64 {
        (t * 7919.0).sin()
    }

    #[test]
    fn finds_the_time_for_half_of_what_is_left() {
        // Of 0.3 / t, twice the time leaves one half.
        for noise in [0.0, 0.01] {
            let found = gain(&curve(20, |t| 2.0 + 0.3 / t + noise * jitter(t)), f64::INFINITY).unwrap();
            assert!((0.7..1.4).contains(&found.longer), "{found:?}");
            assert!((found.share.unwrap() - 0.5).abs() < 1e-9, "{found:?}");
        }
        let few = gain(&curve(8, |t| 2.0 + t.powf(-0.5)), f64::INFINITY).unwrap();
        assert!((2.5..=MAX_LONGER).contains(&few.longer), "{few:?}");
    }

    #[test]
    fn names_a_smaller_share_where_half_would_take_too_long_or_there_is_no_room() {
        let slow = gain(&curve(20, |t| 2.0 + t.powf(-0.35)), f64::INFINITY).unwrap();
        assert!(slow.longer == MAX_LONGER && (0.3..0.45).contains(&slow.share.unwrap()), "{slow:?}");
        let bounded = gain(&curve(20, |t| 2.0 + 0.3 / t), 0.5).unwrap();
        assert!(bounded.longer == 0.5 && (0.3..0.36).contains(&bounded.share.unwrap()), "{bounded:?}");
        assert_eq!(gain(&curve(20, |t| 2.0 + 0.3 / t), 0.1), None);
    }

    #[test]
    fn promises_no_share_where_no_end_is_in_sight() {
        let straight = gain(&curve(20, |t| 20.0 - 4.0 * t), f64::INFINITY).unwrap();
        assert_eq!(straight, Gain { longer: 1.0, share: None });
    }

    #[test]
    fn says_nothing_of_what_has_converged() {
        let converged = |noise: f64| curve(20, |t| 2.0 + 3.0 * (-8.0 * t).exp() + noise * jitter(t));
        for noise in [0.0, 0.01, 0.05] {
            assert_eq!(gain(&converged(noise), f64::INFINITY), None, "noise {noise}");
            assert_eq!(gain(&curve(20, |t| 10.0 + noise * jitter(t)), f64::INFINITY), None, "noise {noise}");
        }
    }

    #[test]
    fn says_nothing_of_what_fell_and_then_stopped() {
        for stop in [0.6, 0.72] {
            assert_eq!(gain(&curve(20, |t| 20.0 - 10.0 * t.min(stop)), f64::INFINITY), None, "{stop}");
        }
    }

    #[test]
    fn says_nothing_of_an_end_without_a_beginning() {
        let end: Vec<(f64, f64)> = curve(40, |t| 2.0 + 0.3 / t).into_iter().skip(31).collect();
        assert_eq!(gain(&end, f64::INFINITY), None);
    }

    #[test]
    fn says_nothing_of_what_rises() {
        assert_eq!(gain(&curve(20, |t| 10.0 + t), f64::INFINITY), None);
        assert_eq!(gain(&curve(20, |t| 10.0 + 8.0 * (t - 0.5).powi(2)), f64::INFINITY), None);
    }

    #[test]
    fn leaves_out_points_that_are_no_numbers_and_needs_enough_of_the_others() {
        let of = |t: f64| 2.0 + 0.3 / t;
        let mut points = curve(20, of);
        points[7].1 = f64::NAN;
        points[12].1 = f64::INFINITY;
        points.push((1000.0, 2.3));
        let found = gain(&points, f64::INFINITY).unwrap();
        assert!((0.9..1.1).contains(&found.longer), "{found:?}");
        assert_eq!(gain(&curve(5, of), f64::INFINITY), None);
        assert_eq!(gain(&[(5.0, 1.0); 9], f64::INFINITY), None);
        assert_eq!(gain(&curve(20, |_| f64::NAN), f64::INFINITY), None);
        assert_eq!(gain(&[], f64::INFINITY), None);
    }
}
