//! α-precision and β-recall: are the new rows where the real ones are, and do they reach them all?
//!
//! The definitions of synthcity's "naive" variant (after Alaa et al., 2022, arXiv:2102.08921), with which
//! published tables of results are made. Numbers stand between 0 and 1 over the real range, categories in
//! one-hot columns, distances are Euclidean. For 30 values of α from 0 to 1:
//!
//! - *precision*: the share of new rows within the ball about the real mean that holds a share α of the
//!   real rows;
//! - *recall*: the share of real rows that have a new row no farther than the nearest other real row, that
//!   new row being within the ball about the new mean that holds a share α of such rows.
//!
//! Both curves should be α itself; a score is 1 less their mean distance from it over the mean of α. Fresh
//! real rows have a recall of about one half: every second real row has them nearer than its own kind.

use super::{
    frame::Frame,
    neighbours::{Norm, Points, Scale, Space, nearest, nearest_other},
};

/// Number of values of α.
const STEPS: usize = 30;

/// How far new rows lie among real ones and reach them, as scores of which more is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manifold {
    /// α-precision, up to 1: new rows are spread as typical and rare real rows are. NaN for fewer than 2
    /// rows.
    pub alpha_precision: f64,
    /// β-recall, up to 1: about one half for fresh real rows. NaN for fewer than 2 rows.
    pub beta_recall: f64,
    /// Share of real rows whose nearest new row is no farther than their nearest other real row, from 0 to 1.
    pub reached: f64,
}

/// α-precision and β-recall of the first rows of both frames, as many of either as the smaller has.
pub fn manifold(real: &Frame, new: &Frame) -> Manifold {
    let space = Space::of(real, &[new], Scale::Unit);
    let n = real.rows().min(new.rows());
    if n < 2 {
        return Manifold { alpha_precision: f64::NAN, beta_recall: f64::NAN, reached: f64::NAN };
    }
    let (real, new) = (space.points(real).first(n), space.points(new).first(n));
    let (about_real, about_new) = (Centre::of(&real, &new), Centre::of(&new, &real));
    let alphas: Vec<f64> = (0..STEPS).map(|i| i as f64 / (STEPS - 1) as f64).collect();

    let radii = quantiles((0..n).map(|row| about_real.distance(&real, row)).collect(), &alphas);
    let to_centre: Vec<f64> = (0..n).map(|row| about_real.distance(&new, row)).collect();
    let within = |radius: &f64| share(n, |row| to_centre[row] <= *radius);
    let precision = score(&alphas, radii.iter().map(within));

    let (to_new, to_real) = (nearest(&real, &new, Norm::Square), nearest_other(&real, Norm::Square));
    let reached: Vec<bool> =
        to_new.iter().zip(&to_real).map(|(new, real)| new.distance <= real.distance).collect();
    let nearest: Vec<f64> = to_new.iter().map(|found| about_new.distance(&new, found.index)).collect();
    let radii = quantiles(nearest.clone(), &alphas);
    let within = |radius: &f64| share(n, |row| reached[row] && nearest[row] <= *radius);
    let recall = score(&alphas, radii.iter().map(within));
    Manifold { alpha_precision: precision, beta_recall: recall, reached: share(n, |row| reached[row]) }
}

/// The mean of points with their codes in one-hot columns.
struct Centre {
    numbers: Vec<f64>,
    /// For each column of codes the shares of its codes, and the sum of their squares.
    shares: Vec<(Vec<f64>, f64)>,
}

impl Centre {
    /// The mean of `points`; `others` are points that will be compared with it.
    fn of(points: &Points, others: &Points) -> Self {
        let n = points.n as f64;
        let mean = |i: usize| (0..points.n).map(|row| f64::from(points.numbers(row)[i])).sum::<f64>() / n;
        let shares = |i: usize| {
            let codes = |points: &Points| (0..points.n).map(|row| place(points.codes(row)[i])).max();
            let mut shares = vec![0.0f64; codes(points).max(codes(others)).map_or(0, |most| most + 1)];
            (0..points.n).for_each(|row| shares[place(points.codes(row)[i])] += 1.0 / n);
            let squares = shares.iter().map(|share| share * share).sum();
            (shares, squares)
        };
        Self {
            numbers: (0..points.n_numbers).map(mean).collect(),
            shares: (0..points.n_codes).map(shares).collect(),
        }
    }

    fn distance(&self, points: &Points, row: usize) -> f64 {
        let numbers = points.numbers(row).iter().zip(&self.numbers);
        let numbers: f64 = numbers.map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum();
        let codes = points.codes(row).iter().zip(&self.shares);
        let codes: f64 =
            codes.map(|(&code, (shares, squares))| squares + 1.0 - 2.0 * shares[place(code)]).sum();
        (numbers + codes.max(0.0)).sqrt()
    }
}

/// Missing codes first: theirs is the largest number of all.
fn place(code: u32) -> usize {
    code.wrapping_add(1) as usize
}

fn share(n: usize, holds: impl Fn(usize) -> bool) -> f64 {
    (0..n).filter(|&row| holds(row)).count() as f64 / n as f64
}

/// One less the distance of a curve from the diagonal, as a share of the largest possible.
fn score(alphas: &[f64], curve: impl Iterator<Item = f64>) -> f64 {
    let off: f64 = alphas.iter().zip(curve).map(|(alpha, value)| (alpha - value).abs()).sum();
    1.0 - off / alphas.iter().sum::<f64>()
}

/// Linear interpolation between neighbours, as `numpy.quantile` does.
fn quantiles(mut values: Vec<f64>, at: &[f64]) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len() - 1;
    let one = |share: &f64| {
        let place = share * last as f64;
        let below = place.floor() as usize;
        values[below] + (place - below as f64) * (values[(below + 1).min(last)] - values[below])
    };
    at.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::neighbours::testing::mixed, *};

    /// The definition word for word, on one-hot columns.
    fn naive(real: &Frame, new: &Frame) -> Manifold {
        let space = Space::of(real, &[new], Scale::Unit);
        let (real, new) = (space.points(real), space.points(new));
        let wide = |points: &Points, row: usize| -> Vec<f64> {
            let numbers = points.numbers(row).iter().map(|&x| f64::from(x));
            let codes = points
                .codes(row)
                .iter()
                .flat_map(|&code| (0..40).map(move |column| f64::from(u8::from(place(code) == column))));
            numbers.chain(codes).collect()
        };
        let [x, y] =
            [&real, &new].map(|points| (0..points.n).map(|row| wide(points, row)).collect::<Vec<_>>());
        let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let mean = |rows: &[Vec<f64>]| -> Vec<f64> {
            (0..rows[0].len())
                .map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64)
                .collect()
        };
        let alphas: Vec<f64> = (0..30).map(|i| f64::from(i) / 29.0).collect();
        let n = x.len();
        let centre = mean(&x);
        let radii = quantiles(x.iter().map(|row| apart(row, &centre)).collect(), &alphas);
        let precision = radii.iter().map(|r| share(n, |i| apart(&y[i], &centre) <= *r + 1e-9));
        let centre = mean(&y);
        let least = |row: &[f64], rows: &[Vec<f64>], but: usize| {
            let all = rows.iter().enumerate().filter(|&(i, _)| i != but);
            all.map(|(i, other)| (apart(row, other), i))
                .fold((f64::INFINITY, 0), |a, b| if b.0 < a.0 { b } else { a })
        };
        let found: Vec<_> = (0..n).map(|i| (least(&x[i], &y, n), least(&x[i], &x, i).0)).collect();
        let inner: Vec<f64> = found.iter().map(|((_, at), _)| apart(&y[*at], &centre)).collect();
        let radii = quantiles(inner.clone(), &alphas);
        let reached = |i: usize| found[i].0.0 <= found[i].1 + 1e-9;
        let recall = radii.iter().map(|r| share(n, |i| reached(i) && inner[i] <= *r + 1e-9));
        Manifold {
            alpha_precision: score(&alphas, precision),
            beta_recall: score(&alphas, recall),
            reached: share(n, reached),
        }
    }

    #[test]
    fn the_same_as_word_for_word() {
        let (real, new) = (mixed(300, 1), mixed(300, 2));
        let (found, expected) = (manifold(&real, &new), naive(&real, &new));
        for (found, expected) in [
            (found.alpha_precision, expected.alpha_precision),
            (found.beta_recall, expected.beta_recall),
            (found.reached, expected.reached),
        ] {
            assert!((found - expected).abs() < 0.005, "{found} {expected}");
        }
    }

    #[test]
    fn copies_reach_everything_and_one_row_next_to_nothing() {
        let real = mixed(400, 3);
        let same = manifold(&real, &real);
        assert_eq!(same.reached, 1.0);
        assert!(same.alpha_precision > 0.95 && same.beta_recall > 0.95, "{same:?}");
        let one = manifold(&real, &real.select(&[7; 400]));
        assert!(one.beta_recall < 0.2 && one.alpha_precision < 0.8, "{one:?}");
        assert!(manifold(&real, &real.select(&[])).beta_recall.is_nan());
    }
}
