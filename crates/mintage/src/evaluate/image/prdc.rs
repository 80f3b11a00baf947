//! Precision, recall, density and coverage (Naeem et al., arXiv:2002.09797), and nearest neighbours.
//!
//! The same numbers as the authors' `prdc` package. All pairs of distances are needed, 10⁸ of them for
//! 10,000 vectors on either side; they are made a tile at a time as `|a|² + |b|² - 2 a·b`, so that the
//! work is a matrix product and the memory does not grow with the number of pairs. Nothing here depends
//! on the number of threads; matrix products may differ in the last bits between CPUs.

use std::ops::Range;

use rayon::prelude::*;

use super::distance::{Features, products};

/// Query rows of a tile; one task.
const QUERY_ROWS: usize = 128;
/// Base rows of a tile.
const BASE_ROWS: usize = 1024;
/// Columns multiplied at a time. Sums of so many products of whole numbers up to 128 are exact in `f32`
/// (`1024 · 128² = 2²⁴`), which makes the distances of [`novelty`](super::novelty) exact.
const COLUMNS: usize = 1024;
/// Squared distances below this share of `|a|²` are rounding error of the products.
const ROUNDING: f64 = 1e-6;

/// The four numbers, as shares except for `density`, which may exceed 1. NaN when there is nothing to
/// compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prdc {
    /// Share of fakes within the k-th-neighbour ball of some real vector.
    pub precision: f64,
    /// Share of reals within the k-th-neighbour ball of some fake vector.
    pub recall: f64,
    /// Balls of real vectors that hold a fake one, on average, divided by k.
    pub density: f64,
    /// Share of reals whose own ball holds a fake vector.
    pub coverage: f64,
}

/// What each vector contributes: [`Prdc`] holds the means. A bootstrap resamples these, for resampled
/// vectors would be their own neighbours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrdcItems {
    /// 0 or 1 for each fake vector.
    pub precision: Vec<f64>,
    /// 0 or 1 for each real vector.
    pub recall: Vec<f64>,
    /// At least 0 for each fake vector.
    pub density: Vec<f64>,
    /// 0 or 1 for each real vector.
    pub coverage: Vec<f64>,
}

impl PrdcItems {
    /// Means over the vectors.
    pub fn means(&self) -> Prdc {
        let mean = |items: &[f64]| items.iter().sum::<f64>() / items.len() as f64;
        Prdc {
            precision: mean(&self.precision),
            recall: mean(&self.recall),
            density: mean(&self.density),
            coverage: mean(&self.coverage),
        }
    }
}

/// Precision, recall, density and coverage of `fake` against `real`, with balls out to the `k`-th
/// neighbour in the vector's own set (itself not counted; `k` is cut to what the sets hold).
pub fn prdc(real: &Features, fake: &Features, k: usize) -> Prdc {
    prdc_items(real, fake, k).means()
}

/// [`prdc`] before taking the means. Empty when either set has fewer than two vectors or they differ in
/// dimension.
pub fn prdc_items(real: &Features, fake: &Features, k: usize) -> PrdcItems {
    if real.n < 2 || fake.n < 2 || real.d != fake.d {
        return PrdcItems::default();
    }
    let k = k.clamp(1, real.n.min(fake.n) - 1);
    let centre = real.mean();
    let (real, fake) = (centred(real, centre.as_slice()), centred(fake, centre.as_slice()));
    let (real_radii, fake_radii) = (radii(&real, k), radii(&fake, k));
    let balls = scan(
        &fake,
        &real,
        |_| 0_usize,
        |count, _, first, squares| {
            *count += squares.iter().zip(&real_radii[first..]).filter(|(d2, r2)| d2 < r2).count();
        },
    );
    let per_real = scan(
        &real,
        &fake,
        |_| (false, f64::INFINITY),
        |(recalled, nearest), _, first, squares| {
            *recalled |= squares.iter().zip(&fake_radii[first..]).any(|(d2, r2)| d2 < r2);
            *nearest = squares.iter().fold(*nearest, |least, &d2| least.min(d2));
        },
    );
    let share = |yes: bool| if yes { 1.0 } else { 0.0 };
    PrdcItems {
        precision: balls.iter().map(|&count| share(count > 0)).collect(),
        recall: per_real.iter().map(|&(recalled, _)| share(recalled)).collect(),
        density: balls.iter().map(|&count| count as f64 / k as f64).collect(),
        coverage: per_real.iter().zip(&real_radii).map(|(&(_, least), &r2)| share(least < r2)).collect(),
    }
}

/// The nearest row of `base` for each row of `query`: its index and Euclidean distance.
///
/// Of rows equally near, up to the rounding of `f32` products, it is any one; the distance is that of
/// the row given, computed without cancellation. `(0, inf)` where `base` is empty.
pub fn nearest(query: &Features, base: &Features) -> Vec<(usize, f32)> {
    if base.n == 0 || query.d != base.d {
        return vec![(0, f32::INFINITY); query.n];
    }
    let centre = base.mean();
    let (near, far) = (centred(query, centre.as_slice()), centred(base, centre.as_slice()));
    let found = scan(
        &near,
        &far,
        |_| (0, f64::INFINITY),
        |best, _, first, squares| {
            for (i, &d2) in squares.iter().enumerate() {
                if d2 < best.1 {
                    *best = (first + i, d2);
                }
            }
        },
    );
    let distance = |q: usize, b: usize| {
        let pairs = query.row(q).iter().zip(base.row(b));
        pairs.map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>().sqrt() as f32
    };
    found.into_par_iter().enumerate().map(|(q, (b, _))| (b, distance(q, b))).collect()
}

/// Goes over all squared distances and folds those of each query row into a state of its own.
///
/// `visit(state, query_row, first, squares)` is called with growing `first` for runs of base rows
/// `first..first + squares.len()`. Returns the states in the order of the rows.
pub(super) fn scan<S: Send>(
    query: &Features,
    base: &Features,
    start: impl Fn(usize) -> S + Sync,
    visit: impl Fn(&mut S, usize, usize, &[f64]) + Sync,
) -> Vec<S> {
    let (query_norms, base_norms) = (norms(query), norms(base));
    let block = |first: usize| {
        let rows = first..(first + QUERY_ROWS).min(query.n);
        let mut states: Vec<S> = rows.clone().map(&start).collect();
        let mut tile = Tile::default();
        for first in (0..base.n).step_by(BASE_ROWS) {
            let base_rows = first..(first + BASE_ROWS).min(base.n);
            let width = base_rows.len();
            tile.fill(query, rows.clone(), &query_norms, base, base_rows, &base_norms);
            for (state, (row, squares)) in states.iter_mut().zip(rows.clone().zip(tile.squares.chunks(width)))
            {
                visit(state, row, first, squares);
            }
        }
        states
    };
    let starts: Vec<usize> = (0..query.n).step_by(QUERY_ROWS).collect();
    starts.into_par_iter().flat_map_iter(block).collect()
}

/// Squared distances of some query rows to some base rows, and room for their products.
#[derive(Default)]
struct Tile {
    dots: Vec<f32>,
    squares: Vec<f64>,
}

impl Tile {
    fn fill(
        &mut self,
        query: &Features,
        rows: Range<usize>,
        query_norms: &[f64],
        base: &Features,
        base_rows: Range<usize>,
        base_norms: &[f64],
    ) {
        self.dots.resize(rows.len() * base_rows.len(), 0.0);
        self.squares.clear();
        for &norm in &query_norms[rows.clone()] {
            self.squares.extend(base_norms[base_rows.clone()].iter().map(|other| norm + other));
        }
        for start in (0..query.d).step_by(COLUMNS) {
            let columns = start..(start + COLUMNS).min(query.d);
            products(query, rows.clone(), base, base_rows.clone(), columns, &mut self.dots);
            for (square, &dot) in self.squares.iter_mut().zip(&self.dots) {
                *square -= 2.0 * f64::from(dot);
            }
        }
        for square in &mut self.squares {
            *square = square.max(0.0);
        }
    }
}

/// Squared distance from each vector to its `k`-th neighbour among the others, `1 <= k < n`.
fn radii(features: &Features, k: usize) -> Vec<f64> {
    let nearest = scan(
        features,
        features,
        |_| vec![f64::INFINITY; k], // the k least so far, ascending
        |least, row, first, squares| {
            for (i, &d2) in squares.iter().enumerate() {
                if d2 < least[k - 1] && first + i != row {
                    let place = least.partition_point(|&other| other <= d2);
                    least[place..].rotate_right(1);
                    least[place] = d2;
                }
            }
        },
    );
    // Equal vectors are at distance 0, and no ball of radius 0 holds anything.
    let radius =
        |(least, norm): (Vec<f64>, f64)| if least[k - 1] > ROUNDING * norm { least[k - 1] } else { 0.0 };
    nearest.into_iter().zip(norms(features)).map(radius).collect()
}

/// `|a|²` of each vector.
fn norms(features: &Features) -> Vec<f64> {
    let norm = |i: usize| features.row(i).iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    (0..features.n).into_par_iter().map(norm).collect()
}

/// `features` less `centre`: distances stay, and the smaller numbers lose less in the products.
fn centred(features: &Features, centre: &[f64]) -> Features {
    let mut out = features.clone();
    out.values.par_chunks_mut(features.d.max(1)).for_each(|row| {
        for (x, mean) in row.iter_mut().zip(centre) {
            *x = (f64::from(*x) - mean) as f32;
        }
    });
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_nn::Rng;

    fn normal(n: usize, d: usize, seed: u64, mean: f32, deviation: f32) -> Features {
        let values = Rng::new(seed, 4).normals(n * d);
        Features::new(d, values.into_iter().map(|x| mean + deviation * x).collect())
    }

    fn distance(x: &[f32], y: &[f32]) -> f64 {
        x.iter().zip(y).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>().sqrt()
    }

    /// The `prdc` package, line by line.
    fn naive(real: &Features, fake: &Features, k: usize) -> Prdc {
        let pairs = |a: &Features, b: &Features| -> Vec<Vec<f64>> {
            (0..a.n).map(|i| (0..b.n).map(|j| distance(a.row(i), b.row(j))).collect()).collect()
        };
        let kth = |set: &Features| -> Vec<f64> {
            let sorted = pairs(set, set).into_iter().map(|mut row| {
                row.sort_by(f64::total_cmp);
                row[k] // row[0] is the vector itself
            });
            sorted.collect()
        };
        let (real_radii, fake_radii) = (kth(real), kth(fake));
        let between = pairs(real, fake);
        let held = |j: usize| (0..real.n).filter(|&i| between[i][j] < real_radii[i]).count();
        let share = |n: usize, of: usize| n as f64 / of as f64;
        let recalled = |i: &usize| (0..fake.n).any(|j| between[*i][j] < fake_radii[j]);
        let covered = |i: &usize| between[*i].iter().any(|&d| d < real_radii[*i]);
        Prdc {
            precision: share((0..fake.n).filter(|&j| held(j) > 0).count(), fake.n),
            recall: share((0..real.n).filter(recalled).count(), real.n),
            density: share((0..fake.n).map(held).sum(), k * fake.n),
            coverage: share((0..real.n).filter(covered).count(), real.n),
        }
    }

    #[test]
    fn equals_a_naive_implementation() {
        // Far from the origin, where products cancel; sizes that leave partial tiles.
        let real = normal(1_000, 64, 1, 5.0, 1.0);
        let fake = normal(700, 64, 2, 5.1, 0.97);
        let (found, exact) = (prdc(&real, &fake, 5), naive(&real, &fake, 5));
        assert!(exact.precision > 0.2 && exact.precision < 0.99, "{exact:?}");
        for (found, exact) in [
            (found.precision, exact.precision),
            (found.recall, exact.recall),
            (found.density, exact.density),
            (found.coverage, exact.coverage),
        ] {
            assert!((found - exact).abs() < 1e-9, "{found} {exact}");
        }
    }

    #[test]
    fn small_and_degenerate_sets() {
        let (few, many) = (normal(3, 2, 1, 0.0, 1.0), normal(40, 2, 2, 0.0, 1.0));
        let found = prdc(&many, &few, 2);
        let exact = naive(&many, &few, 2);
        assert!((found.density - exact.density).abs() < 1e-9 && (found.recall - exact.recall).abs() < 1e-9);
        assert!(prdc(&many, &few, 100).precision <= 1.0);
        assert!(prdc(&many, &few.select(&[0]), 5).precision.is_nan());
        assert!(prdc(&many, &normal(10, 3, 1, 0.0, 1.0), 5).recall.is_nan());
        // All vectors equal: every radius is 0, and nothing is nearer than that.
        let same = Features::new(64, normal(1, 64, 3, 1e3, 1.0).values.repeat(50));
        assert_eq!(prdc(&same, &same, 5), Prdc { precision: 0.0, recall: 0.0, density: 0.0, coverage: 0.0 });
        // A set against itself: every ball holds its own centre.
        let whole = prdc(&many, &many, 5);
        assert_eq!((whole.precision, whole.recall, whole.coverage), (1.0, 1.0, 1.0));
    }

    #[test]
    fn a_lost_mode_shows_in_recall_and_not_in_precision() {
        let mut real = normal(400, 8, 1, 0.0, 1.0);
        real.values.extend(normal(400, 8, 2, 30.0, 1.0).values);
        real.n = 800;
        let found = prdc(&real, &normal(800, 8, 3, 0.0, 1.0), 5);
        assert!(found.precision > 0.9 && found.coverage > 0.4, "{found:?}");
        assert!(found.recall < 0.55 && found.coverage < 0.55, "{found:?}");
    }

    #[test]
    fn nearest_is_the_nearest() {
        let base = normal(2_100, 20, 1, 100.0, 1.0);
        let mut query = normal(150, 20, 2, 100.0, 1.0);
        query.values[..20].copy_from_slice(base.row(1_777));
        let found = nearest(&query, &base);
        for (q, &(index, length)) in found.iter().enumerate() {
            let least =
                (0..base.n).map(|b| distance(query.row(q), base.row(b))).fold(f64::INFINITY, f64::min);
            assert!((f64::from(length) - least).abs() <= 1e-5 * least, "{q}: {length} {least}");
            assert!((distance(query.row(q), base.row(index)) - least).abs() <= 1e-5 * least);
        }
        assert_eq!(found[0], (1_777, 0.0));
        assert_eq!(nearest(&query, &Features::new(20, Vec::new()))[3], (0, f32::INFINITY));
    }

    #[test]
    fn squares_of_whole_numbers_are_exact() {
        let values = |seed: u64, n: usize| -> Vec<f32> {
            let mut rng = Rng::new(seed, 0);
            (0..n).map(|_| if rng.below(2) == 0 { -128.0 } else { 127.0 - rng.below(3) as f32 }).collect()
        };
        let d = 2 * COLUMNS + 100;
        let (query, base) = (Features::new(d, values(1, 9 * d)), Features::new(d, values(2, 30 * d)));
        let all = scan(&query, &base, |_| Vec::new(), |all, _, _, squares| all.extend_from_slice(squares));
        for (q, squares) in all.iter().enumerate() {
            for (b, &square) in squares.iter().enumerate() {
                let pairs = query.row(q).iter().zip(base.row(b));
                assert_eq!(square, pairs.map(|(&x, &y)| f64::from((x - y).powi(2))).sum::<f64>());
            }
        }
    }

    /// The sanity numbers that the `prdc` package publishes: 10,000 standard normal vectors of 1,000
    /// dimensions on either side, k = 5. One draw of them moves by a standard deviation of 0.010, 0.012,
    /// 0.10 and 0.008 (12 seeds; in so many dimensions the few vectors near the origin decide density).
    /// Held against those: the mean of four draws, within three deviations. Held against theory, which
    /// is exact for equal distributions: density 1, and the paper's lemma 2 for coverage.
    #[test]
    #[ignore = "minutes: run by xtask quality"]
    fn published_sanity_numbers() {
        let (n, k) = (10_000, 5);
        let draw = |seed| prdc(&normal(n, 1_000, seed, 0.0, 1.0), &normal(n, 1_000, seed + 1, 0.0, 1.0), k);
        let draws = [1, 3, 5, 7].map(draw);
        let mean = |part: fn(&Prdc) -> f64| draws.iter().map(part).sum::<f64>() / 4.0;
        let missed: f64 = (1..=k).map(|i| (n - i) as f64 / (2 * n - i) as f64).product();
        for (name, found, expected, tolerance) in [
            ("precision", mean(|p| p.precision), 0.4772, 0.03),
            ("recall", mean(|p| p.recall), 0.4705, 0.035),
            ("density", mean(|p| p.density), 1.0555, 0.3),
            ("coverage", mean(|p| p.coverage), 0.9735, 0.025),
            ("density in theory", mean(|p| p.density), 1.0, 0.15),
            ("coverage in theory", mean(|p| p.coverage), 1.0 - missed, 0.012),
        ] {
            assert!((found - expected).abs() < tolerance, "{name} {found}, expected {expected}");
        }
    }
}
