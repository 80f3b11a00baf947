//! Distances between two sets of feature vectors: Fréchet distance and kernel distance.
//!
//! Fréchet: the distance of the two Gaussians fitted to the sets (Heusel et al., arXiv:1706.08500).
//! Kernel: the unbiased squared maximum mean discrepancy with a cubic polynomial kernel (Bińkowski et
//! al., arXiv:1801.01401). Both are called FID and KID only in Inception's feature space; which space
//! the features come from is the caller's business and has to stand beside the number. Sums run in a
//! fixed order whatever the number of threads; matrix products may differ in the last bits between CPUs.

use std::ops::Range;
use std::sync::OnceLock;

use mintage_nn::Rng;
use nalgebra::{DMatrix, DMatrixViewMut, DVector, Dyn, MatrixView, SymmetricEigen};
use rayon::prelude::*;

/// Rows of the data that are centred and multiplied at a time; bounds the memory of a fit.
const FIT_ROWS: usize = 2048;
/// Columns of the covariance that one task computes.
const FIT_COLUMNS: usize = 64;
/// Rows of one kernel-distance block, as in the reference implementation.
const KERNEL_ROWS: usize = 1000;
/// Side below which products are plain loops.
///
/// nalgebra 0.35 has a path of its own for sides up to 5, which writes out of bounds where the left matrix
/// has strided columns, as ours has (its issue 1616).
const MIN_GEMM_SIDE: usize = 8;
/// Seed of the order in which rows are dealt to blocks.
const KERNEL_SEED: u64 = 0x6b69_6400;

/// A set of feature vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Number of vectors.
    pub n: usize,
    /// Numbers in each vector.
    pub d: usize,
    /// `[n, d]`, one vector after the other.
    pub values: Vec<f32>,
}

impl Features {
    /// Vectors of `d` numbers each, one after the other; an incomplete last one is cut off.
    pub fn new(d: usize, mut values: Vec<f32>) -> Self {
        let n = values.len().checked_div(d).unwrap_or(0);
        values.truncate(n * d);
        Self { n, d, values }
    }

    /// Vector `i`, `[d]`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.d..(i + 1) * self.d]
    }

    /// The vectors at `indices`, in that order; an index may come more than once.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut values = Vec::with_capacity(indices.len() * self.d);
        for &index in indices {
            values.extend_from_slice(self.row(index));
        }
        Self { n: indices.len(), d: self.d, values }
    }

    /// Mean vector, `[d]`.
    pub fn mean(&self) -> DVector<f64> {
        let mut sum = DVector::zeros(self.d);
        for i in 0..self.n {
            for (total, &value) in sum.iter_mut().zip(self.row(i)) {
                *total += f64::from(value);
            }
        }
        sum / self.n as f64
    }
}

/// The Gaussian fitted to a set of features: all that the Fréchet distance needs.
#[derive(Clone, Debug)]
pub struct Gaussian {
    /// The mean vector, `[d]`.
    pub mean: DVector<f64>,
    /// The covariance, `[d, d]`, with the denominator `n - 1`.
    pub covariance: DMatrix<f64>,
    /// `F` with `F Fᵀ = covariance`, made at the first distance taken from here: a bootstrap compares
    /// many resamples with one fixed set.
    factor: OnceLock<DMatrix<f64>>,
}

impl Gaussian {
    /// The Gaussian with the mean and covariance of `features`; all NaN when there are none.
    pub fn fit(features: &Features) -> Self {
        let d = features.d;
        let mean = features.mean();
        let mut covariance = DMatrix::zeros(d, d);
        for start in (0..features.n).step_by(FIT_ROWS) {
            let rows = (features.n - start).min(FIT_ROWS);
            let values = &features.values[start * d..(start + rows) * d];
            let centred = values.iter().enumerate().map(|(i, &x)| f64::from(x) - mean[i % d]);
            add_products(&mut covariance, &DMatrix::from_iterator(d, rows, centred));
        }
        covariance /= features.n.saturating_sub(1).max(1) as f64;
        covariance.fill_upper_triangle_with_lower_triangle();
        Self { mean, covariance, factor: OnceLock::new() }
    }

    /// The Fréchet distance to `other`: `|μ - μ'|² + tr(Σ + Σ' - 2 (Σ Σ')^½)`; less is better.
    ///
    /// Zero for equal Gaussians; NaN where a number is not finite or the two differ in dimension.
    pub fn distance(&self, other: &Self) -> f64 {
        let finite = |g: &Self| g.mean.iter().chain(g.covariance.iter()).all(|x| x.is_finite());
        if self.mean.len() != other.mean.len() || self.mean.is_empty() || !finite(self) || !finite(other) {
            return f64::NAN;
        }
        // Fᵀ Σ' F has the eigenvalues of Σ^½ Σ' Σ^½ (and of Σ Σ'), and needs one product less.
        let factor = self.factor.get_or_init(|| factor(&self.covariance));
        let product = factor.transpose() * &other.covariance * factor;
        let symmetric = (&product + product.transpose()) * 0.5;
        let root_trace: f64 = symmetric.symmetric_eigenvalues().iter().map(|x| x.max(0.0).sqrt()).sum();
        let means = (&self.mean - &other.mean).norm_squared();
        (means + self.covariance.trace() + other.covariance.trace() - 2.0 * root_trace).max(0.0)
    }
}

/// The Fréchet distance of two sets of features (Heusel et al., arXiv:1706.08500, equation 6).
///
/// Biased upwards for small sets: compare only numbers made with the same `n`. Fewer vectors than
/// dimensions are allowed (the covariance is then singular, which costs nothing here but precision).
pub fn frechet(a: &Features, b: &Features) -> f64 {
    Gaussian::fit(a).distance(&Gaussian::fit(b))
}

/// The kernel distance of two sets of features (Bińkowski et al., arXiv:1801.01401, equation 4):
/// unbiased squared MMD with `k(x, y) = (x·y / d + 1)³`.
///
/// Averaged over blocks of at most 1,000 rows of either set, enough of them that every row of the
/// larger set is used. Unbiased at any `n`, so it may be a little below 0 for equal distributions; NaN
/// with fewer than two vectors, or sets that differ in dimension.
pub fn kernel_distance(a: &Features, b: &Features) -> f64 {
    let rows = a.n.min(b.n).min(KERNEL_ROWS);
    if rows < 2 || a.d != b.d || a.d == 0 {
        return f64::NAN;
    }
    let blocks = a.n.max(b.n).div_ceil(rows);
    let order_a = Rng::new(KERNEL_SEED, 0).permutation(a.n);
    let order_b = Rng::new(KERNEL_SEED, 1).permutation(b.n);
    // Rows are dealt round and round, so a block never holds one twice.
    let deal = |from: &Features, order: &[usize], block: usize| {
        let picked: Vec<usize> = (0..rows).map(|i| order[(block * rows + i) % order.len()]).collect();
        from.select(&picked)
    };
    let means: Vec<f64> = (0..blocks)
        .into_par_iter()
        .map(|block| {
            let (x, y) = (deal(a, &order_a, block), deal(b, &order_b, block));
            kernel_mean(&x, &x, true) + kernel_mean(&y, &y, true) - 2.0 * kernel_mean(&x, &y, false)
        })
        .collect();
    means.iter().sum::<f64>() / blocks as f64
}

/// Mean of the cubic kernel over all pairs, without those of a vector with itself when `same`.
fn kernel_mean(x: &Features, y: &Features, same: bool) -> f64 {
    let mut dots = vec![0.0; x.n * y.n];
    products(x, 0..x.n, y, 0..y.n, 0..x.d, &mut dots);
    let scale = 1.0 / x.d as f64;
    let mut sum = 0.0;
    for (i, row) in dots.chunks_exact(y.n).enumerate() {
        let cube = |dot: f32| (f64::from(dot) * scale + 1.0).powi(3);
        sum += row.iter().map(|&dot| cube(dot)).sum::<f64>();
        if same {
            sum -= cube(row[i]);
        }
    }
    let pairs = if same { x.n * (x.n - 1) } else { x.n * y.n };
    sum / pairs as f64
}

/// Inner products over some of the columns: `out[q, b] = query[q] · base[b]` for the given rows of both.
///
/// `out` has `rows.len() * base_rows.len()` places, one query row after the other. Runs on one thread:
/// callers give each thread a block of its own.
pub(super) fn products(
    query: &Features,
    rows: Range<usize>,
    base: &Features,
    base_rows: Range<usize>,
    columns: Range<usize>,
    out: &mut [f32],
) {
    let (d, k) = (query.d, columns.len());
    if rows.len().min(base_rows.len()).min(k) < MIN_GEMM_SIDE {
        for (out, q) in out.chunks_mut(base_rows.len().max(1)).zip(rows) {
            for (dot, b) in out.iter_mut().zip(base_rows.clone()) {
                let pairs = query.row(q)[columns.clone()].iter().zip(&base.row(b)[columns.clone()]);
                *dot = pairs.map(|(x, y)| x * y).sum();
            }
        }
        return;
    }
    // nalgebra is column-major: its first axis is ours turned round, which costs only other strides.
    let from_query = &query.values[rows.start * d + columns.start..rows.end * d];
    let from_base = &base.values[base_rows.start * d + columns.start..base_rows.end * d];
    let left = strided(from_base, [base_rows.len(), k], [d, 1]);
    let right = strided(from_query, [k, rows.len()], [1, d]);
    let mut target = DMatrixViewMut::from_slice(out, base_rows.len(), rows.len());
    target.gemm(1.0, &left, &right, 0.0);
}

/// A matrix of the given shape over `values`, element `(i, j)` at `i * strides[0] + j * strides[1]`.
fn strided<T>(values: &[T], shape: [usize; 2], strides: [usize; 2]) -> MatrixView<'_, T, Dyn, Dyn, Dyn, Dyn>
where
    T: nalgebra::Scalar,
{
    let ([rows, columns], [down, across]) = (shape.map(Dyn), strides.map(Dyn));
    MatrixView::from_slice_with_strides_generic(values, rows, columns, down, across)
}

/// Adds `x xᵀ` to the lower triangle of `sum` (`[d, d]`, `x` is `[d, rows]`); the rest is undefined.
/// Each task owns some columns, so the order of additions does not depend on the number of threads.
fn add_products(sum: &mut DMatrix<f64>, x: &DMatrix<f64>) {
    let (d, rows) = x.shape();
    let values = x.as_slice();
    sum.as_mut_slice().par_chunks_mut(FIT_COLUMNS * d.max(1)).enumerate().for_each(|(block, columns)| {
        let first = block * FIT_COLUMNS;
        let width = columns.len() / d;
        let left = strided(&values[first..], [d - first, rows], [1, d]);
        let right = strided(&values[first..], [rows, width], [d, 1]);
        let mut all = DMatrixViewMut::from_slice(columns, d, width);
        let mut target = all.rows_mut(first, d - first);
        target.gemm(1.0, &left, &right, 1.0);
    });
}

/// `F` with `F Fᵀ` = the symmetric positive semidefinite `matrix`: eigenvectors scaled by the roots of
/// their eigenvalues. Those that rounding left below zero count as zero.
fn factor(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(matrix.clone());
    let mut factor = eigen.eigenvectors;
    for (mut column, value) in factor.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        column *= value.max(0.0).sqrt();
    }
    factor
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `n` vectors with independent normal entries: `mean[j] + deviation[j] · ε`.
    fn normal(n: usize, seed: u64, mean: &[f32], deviation: &[f32]) -> Features {
        let mut rng = Rng::new(seed, 9);
        let row = |_| (0..mean.len()).map(|j| mean[j] + deviation[j] * rng.normal()).collect::<Vec<_>>();
        let values = (0..n).map(row).collect::<Vec<_>>().concat();
        Features::new(mean.len(), values)
    }

    /// Turns every pair of neighbouring columns by one angle, which makes the covariance full.
    fn turned(features: &Features, angle: f32) -> Features {
        let mut out = features.clone();
        let (sin, cos) = angle.sin_cos();
        for row in out.values.chunks_exact_mut(features.d) {
            for j in 1..features.d {
                let (x, y) = (row[j - 1], row[j]);
                (row[j - 1], row[j]) = (cos * x - sin * y, sin * x + cos * y);
            }
        }
        out
    }

    #[test]
    fn covariance_is_that_of_the_definition() {
        // More rows than one piece and more columns than one task, so every seam is crossed.
        let (n, d) = (FIT_ROWS + 50, FIT_COLUMNS + 7);
        let means: Vec<f32> = (0..d).map(|j| j as f32 * 0.1).collect();
        let features = turned(&normal(n, 3, &means, &vec![1.5; d]), 0.4);
        let gaussian = Gaussian::fit(&features);
        let mean = features.mean();
        for (i, j) in [(0, 0), (3, 60), (60, 3), (66, 70), (70, 70), (1, 64)] {
            let centred = |r: usize, c: usize| f64::from(features.row(r)[c]) - mean[c];
            let sum: f64 = (0..n).map(|r| centred(r, i) * centred(r, j)).sum();
            assert!((gaussian.covariance[(i, j)] - sum / (n - 1) as f64).abs() < 1e-10, "{i} {j}");
        }
        assert_eq!(gaussian.covariance, gaussian.covariance.transpose());
    }

    #[test]
    fn frechet_of_two_known_gaussians() {
        // Both turned by the same angle: the distance stays Σ (μ - μ')² + (σ - σ')².
        let (mean_a, mean_b) = ([0.0_f32, 1.0, 2.0, 0.0, -1.0, 0.5], [0.5, 1.0, 1.0, 0.0, -1.0, 0.0]);
        let (dev_a, dev_b) = ([1.0_f32, 2.0, 0.5, 1.0, 3.0, 1.0], [1.0, 1.0, 1.5, 1.0, 2.0, 1.0]);
        let exact: f64 =
            (0..6).map(|j| f64::from((mean_a[j] - mean_b[j]).powi(2) + (dev_a[j] - dev_b[j]).powi(2))).sum();
        let a = turned(&normal(20_000, 1, &mean_a, &dev_a), 0.7);
        let b = turned(&normal(20_000, 2, &mean_b, &dev_b), 0.7);
        let found = frechet(&a, &b);
        assert!((found - exact).abs() < 0.03 * exact, "{found} for {exact}");
        assert!((found - frechet(&b, &a)).abs() < 1e-9, "not symmetric");
    }

    #[test]
    fn frechet_of_commuting_and_other_covariances() {
        // Σ = [[2, 1], [1, 2]] and Σ' = diag(1, 4): tr (Σ Σ')^½ = √(tr ΣΣ' + 2 √det ΣΣ') for 2 × 2.
        let gaussian = |values: [f64; 4]| Gaussian {
            mean: DVector::zeros(2),
            covariance: DMatrix::from_row_slice(2, 2, &values),
            factor: OnceLock::new(),
        };
        let (a, b) = (gaussian([2.0, 1.0, 1.0, 2.0]), gaussian([1.0, 0.0, 0.0, 4.0]));
        let exact = 4.0 + 5.0 - 2.0 * (10.0_f64 + 2.0 * 12.0_f64.sqrt()).sqrt();
        assert!((a.distance(&b) - exact).abs() < 1e-12);
        assert!((b.distance(&a) - exact).abs() < 1e-12);
    }

    #[test]
    fn frechet_of_a_set_with_itself_is_zero() {
        let a = turned(&normal(500, 4, &[3.0; 40], &[2.0; 40]), 0.3);
        assert!(frechet(&a, &a) < 1e-9, "{}", frechet(&a, &a));
        // Fewer vectors than dimensions, a constant column, and no spread at all.
        let few = a.select(&[0, 1, 2, 3, 4]);
        assert!(frechet(&few, &few) < 1e-5, "{}", frechet(&few, &few));
        let constant = Features::new(8, vec![1.0; 80]);
        assert_eq!(frechet(&constant, &constant), 0.0);
        let one = Features::new(1, vec![1.0, 3.0]);
        assert!((frechet(&one, &Features::new(1, vec![2.0, 4.0])) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_compare_is_nan() {
        let (none, some) = (Features::new(3, Vec::new()), normal(10, 1, &[0.0; 3], &[1.0; 3]));
        assert!(frechet(&none, &some).is_nan() && kernel_distance(&none, &some).is_nan());
        let wide = normal(10, 1, &[0.0; 4], &[1.0; 4]);
        assert!(frechet(&wide, &some).is_nan() && kernel_distance(&wide, &some).is_nan());
        let mut broken = some.clone();
        broken.values[4] = f32::NAN;
        assert!(frechet(&broken, &some).is_nan());
        assert!(frechet(&Features::default(), &Features::default()).is_nan());
    }

    #[test]
    fn kernel_distance_is_the_unbiased_mmd() {
        let (a, b) = (normal(30, 1, &[0.0; 5], &[1.0; 5]), normal(30, 2, &[0.4; 5], &[1.0; 5]));
        let kernel = |x: &[f32], y: &[f32]| {
            let dot: f64 = x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            (dot / 5.0 + 1.0).powi(3)
        };
        let mut exact = 0.0;
        for i in 0..30 {
            for j in 0..30 {
                if i != j {
                    exact += (kernel(a.row(i), a.row(j)) + kernel(b.row(i), b.row(j))) / (30.0 * 29.0);
                }
                exact -= 2.0 * kernel(a.row(i), b.row(j)) / 900.0;
            }
        }
        assert!((kernel_distance(&a, &b) - exact).abs() < 1e-5, "{} {exact}", kernel_distance(&a, &b));
    }

    #[test]
    fn kernel_distance_tells_same_from_other() {
        let ones = [1.0; 16];
        let a = normal(2_300, 1, &[0.0; 16], &ones);
        let same = kernel_distance(&a, &normal(1_700, 2, &[0.0; 16], &ones));
        let other = kernel_distance(&a, &normal(1_700, 3, &[0.3; 16], &ones));
        assert!(same.abs() < 0.005, "{same}");
        assert!(other > 0.05, "{other}");
        assert_eq!(other.to_bits(), kernel_distance(&a, &normal(1_700, 3, &[0.3; 16], &ones)).to_bits());
    }

    #[test]
    fn products_of_parts_are_inner_products() {
        let (a, b) = (normal(20, 1, &[0.0; 25], &[1.0; 25]), normal(30, 2, &[0.0; 25], &[1.0; 25]));
        let sides = [0, 1, 2, 5, 6, MIN_GEMM_SIDE - 1, MIN_GEMM_SIDE, 17];
        for (rows, base_rows) in sides.iter().flat_map(|&r| sides.map(|b| (r, b))) {
            for k in sides {
                let mut out = vec![f32::NAN; rows * base_rows];
                products(&a, 3..3 + rows, &b, 9..9 + base_rows, 2..2 + k, &mut out);
                for (place, &found) in out.iter().enumerate() {
                    let (q, r) = (a.row(3 + place / base_rows), b.row(9 + place % base_rows));
                    let exact: f32 = (2..2 + k).map(|j| q[j] * r[j]).sum();
                    assert!((found - exact).abs() < 1e-5, "{rows} {base_rows} {k}");
                }
            }
        }
    }
}
