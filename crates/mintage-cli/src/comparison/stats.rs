//! Means over seeds: standard deviation, and the 95 % interval of the mean by Student's t.

use serde::Serialize;

/// What several seeds gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Seeds that gave a number.
    pub n: usize,
    pub mean: f64,
    /// Standard deviation of the sample (n − 1); nothing of one seed.
    pub sd: Option<f64>,
    /// The 95 % interval of the mean; nothing of one seed.
    pub interval: Option<(f64, f64)>,
}

/// 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom.
const T: [f64; 30] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604,
    2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555,
    2.0518, 2.0484, 2.0452, 2.0423,
];
/// The same of the normal distribution.
const Z: f64 = 1.959_964;

/// The 97.5 % quantile of Student's t; beyond the table by its expansion around the normal one (Abramowitz and
/// Stegun, 26.7.5), exact to four digits.
fn t_quantile(freedom: usize) -> f64 {
    match freedom {
        0 => f64::INFINITY,
        1..=30 => T[freedom - 1],
        more => {
            let n = more as f64;
            Z + (Z.powi(3) + Z) / (4.0 * n) + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * n * n)
        }
    }
}

impl Summary {
    /// Nothing where no value is finite.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        if n == 1 {
            return Some(Self { n, mean, sd: None, interval: None });
        }
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (squares / (n - 1) as f64).sqrt();
        // What is left of equal numbers by rounding is no deviation.
        let sd = if sd <= 1e-12 * mean.abs() { 0.0 } else { sd };
        let half = t_quantile(n - 1) * sd / (n as f64).sqrt();
        Some(Self { n, mean, sd: Some(sd), interval: Some((mean - half, mean + half)) })
    }

    /// The number cannot lie outside: its interval does not either.
    #[must_use]
    pub fn within(self, least: f64, most: f64) -> Self {
        let inside = |(low, high): (f64, f64)| (low.clamp(least, most), high.clamp(least, most));
        Self { interval: self.interval.map(inside), ..self }
    }

    /// Whether both intervals are known and do not overlap.
    pub fn apart_from(&self, other: &Self) -> bool {
        match (self.interval, other.interval) {
            (Some((low, high)), Some((other_low, other_high))) => high < other_low || other_high < low,
            _ => false,
        }
    }

    /// "62.3 ± 4.1": as many digits as the deviation has that mean something, and at most `most` behind the point.
    pub fn text_of(&self, most: usize) -> String {
        let alone = || match most < 6 && self.mean.fract() != 0.0 {
            true => format!("{:.most$}", self.mean),
            false => number(self.mean),
        };
        let Some(sd) = self.sd else { return alone() };
        if sd == 0.0 {
            return format!("{} ± 0", alone());
        }
        let largest = sd.max(self.mean.abs());
        if largest < 1e-4 && most > 4 {
            return format!("{:.2e} ± {sd:.1e}", self.mean);
        }
        let digits = (1.0 - sd.log10().floor()).clamp(0.0, most as f64) as usize;
        match most > 4 && sd < 1e-6 {
            true => format!("{:.digits$} ± {sd:.0e}", self.mean),
            false => format!("{:.digits$} ± {sd:.digits$}", self.mean),
        }
    }
}

/// About four significant digits.
pub fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        a if !a.is_finite() => "–".to_owned(),
        a if a >= 1000.0 || x.fract() == 0.0 => format!("{x:.0}"),
        a if a >= 100.0 => format!("{x:.1}"),
        a if a >= 1.0 => format!("{x:.2}"),
        a if a >= 1e-3 => format!("{x:.4}"),
        _ => format!("{x:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Values of `statistics.stdev` and `scipy.stats.t.interval`.
    #[test]
    fn mean_deviation_and_interval() {
        let found = Summary::of([60.0, 64.0, 71.0]).unwrap();
        assert!((found.mean - 65.0).abs() < 1e-12);
        assert!((found.sd.unwrap() - 5.567_764).abs() < 1e-6);
        let (low, high) = found.interval.unwrap();
        assert!((low - 51.169).abs() < 1e-3 && (high - 78.831).abs() < 1e-3, "{low} {high}");
        assert_eq!(Summary::of([10.0, 90.0]).unwrap().within(0.0, 100.0).interval, Some((0.0, 100.0)));
    }

    #[test]
    fn one_seed_has_no_interval_and_none_no_mean() {
        let one = Summary::of([3.0, f64::NAN]).unwrap();
        assert_eq!((one.n, one.sd, one.interval), (1, None, None));
        assert_eq!(Summary::of([f64::NAN]), None);
        assert!(!one.apart_from(&one));
    }

    #[test]
    fn many_seeds_come_near_to_the_normal_distribution() {
        assert!((t_quantile(40) - 2.0211).abs() < 1e-4 && (t_quantile(120) - 1.9799).abs() < 1e-4);
    }

    #[test]
    fn digits_follow_the_deviation() {
        let text = |values: &[f64]| Summary::of(values.iter().copied()).unwrap().text_of(6);
        assert_eq!(text(&[60.0, 64.0, 71.0]), "65.0 ± 5.6");
        assert_eq!(text(&[0.512, 0.514]), "0.5130 ± 0.0014");
        assert_eq!(text(&[1200.0, 1000.0]), "1100 ± 141");
        assert_eq!(text(&[5.0, 5.0]), "5 ± 0");
        assert_eq!(text(&[0.3, 0.1 + 0.2]), "0.3000 ± 0");
        assert_eq!(text(&[0.999_999_9, 1.0]), "1.000000 ± 7e-8");
        assert_eq!(text(&[0.25]), "0.2500");
        assert_eq!(Summary::of([43.33, 43.33]).unwrap().text_of(1), "43.3 ± 0");
        assert_eq!(Summary::of([55.1, 55.3]).unwrap().text_of(1), "55.2 ± 0.1");
    }

    #[test]
    fn intervals_that_do_not_overlap_are_apart() {
        let low = Summary::of([1.0, 1.1, 1.05]).unwrap();
        let high = Summary::of([2.0, 2.1, 2.05]).unwrap();
        assert!(low.apart_from(&high) && high.apart_from(&low) && !low.apart_from(&low));
    }
}
