#![allow(unsafe_code)] // Tasks write disjoint parts of memory that was not cleared first.
//! The discretised logistic in one pass forward and one backward.
//!
//! Level `x` of 256 in [−1, 1] is the interval between `x − 1/255` and `x + 1/255`. With `u` and `l` its ends,
//! centred at the mean `m` and divided by the scale `eˢ`, and `δ = u − l`,
//!
//! ```text
//! P = σ(u) − σ(l) = σ(u) σ(−l) (1 − e^−δ)
//! −ln P = softplus(−u) + softplus(l) − ln(1 − e^−δ)
//! ```
//!
//! which no rounding can make the logarithm of zero. The first level reaches to −∞ and keeps the first term
//! alone, the last one to ∞ and keeps the second alone.

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::{exp, ln, sigmoid, softplus_tail, sum};
use super::memory::{Shared, for_chunks, items_a_task, unwritten};
use super::simd::multiversion;

/// On `[x, mean, log_scale]`, all `[n, d]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct DiscretisedLogistic;

/// The least log-scale: about a tenth of a level.
pub(super) const MIN_LOG_SCALE: f32 = -7.0;
/// Half of a level.
pub(super) const HALF: f32 = 1.0 / 255.0;
/// Beyond these lie the first and the last level.
pub(super) const ENDS: [f32; 2] = [-0.999, 0.999];

/// Both ends of the level, and how far they are apart.
#[inline(always)]
fn ends(x: f32, mean: f32, log_scale: f32) -> [f32; 4] {
    let s = if log_scale < MIN_LOG_SCALE { MIN_LOG_SCALE } else { log_scale };
    let inv = exp(-s);
    let centred = x - mean;
    [(centred + HALF) * inv, (centred - HALF) * inv, 2.0 * HALF * inv, inv]
}

/// `1 − e^−δ`; for small δ by its series.
#[inline(always)]
fn one_less(delta: f32) -> f32 {
    let series = delta * (1.0 - delta * (0.5 - delta * (1.0 / 6.0 - delta * (1.0 / 24.0))));
    if delta < 0.1 { series } else { 1.0 - exp(-delta) }
}

#[inline(always)]
fn softplus(x: f32) -> f32 {
    (if x < 0.0 { 0.0 } else { x }) + softplus_tail(x)
}

multiversion! {
    fn row_nll(x: &[f32], mean: &[f32], log_scale: &[f32]) -> f32 {
        sum([x, mean, log_scale], |[x, mean, log_scale]| {
            let [u, l, delta, _] = ends(x, mean, log_scale);
            let (first, last) = (x < ENDS[0], x > ENDS[1]);
            let below = if last { 0.0 } else { softplus(-u) };
            let above = if first { 0.0 } else { softplus(l) };
            let width = if first || last { 0.0 } else { ln(one_less(delta)) };
            (below + above) - width
        })
    }
}

multiversion! {
    /// Derivatives in the mean and the log-scale of one row, times `g`.
    fn row_gradients(x: &[f32], mean: &[f32], log_scale: &[f32], g: f32, dmean: &mut [f32], dscale: &mut [f32]) {
        let inputs = x.iter().zip(mean).zip(log_scale);
        for (((&x, &mean), &log_scale), (dm, ds)) in inputs.zip(dmean.iter_mut().zip(dscale)) {
            let [u, l, delta, inv] = ends(x, mean, log_scale);
            let (first, last) = (x < ENDS[0], x > ENDS[1]);
            // −d/du and d/dl of the two softplus, and δ/(e^δ − 1) of the third term.
            let below = if last { 0.0 } else { sigmoid(-u) };
            let above = if first { 0.0 } else { sigmoid(l) };
            let width = if first || last { 0.0 } else { delta * exp(-delta) / one_less(delta) };
            *dm = g * inv * (below - above);
            *ds = if log_scale < MIN_LOG_SCALE { 0.0 } else { g * (u * below - l * above + width) };
        }
    }
}

impl Fused<3> for DiscretisedLogistic {
    type Saved = [FlexTensor; 3];

    fn forward(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 3]) {
        let inputs = inputs.map(contiguous);
        let [n, d] = dims(&inputs[0]);
        let [x, mean, log_scale] = inputs.each_ref().map(values);
        let at = |row: usize| row * d..(row + 1) * d;
        let nll = |row: usize| row_nll(&x[at(row)], &mean[at(row)], &log_scale[at(row)]);
        let losses: Vec<f32> = (0..n).into_par_iter().with_min_len(items_a_task(d)).map(nll).collect();
        (from_vec(losses, [n]), inputs)
    }

    fn backward(
        self,
        saved: [FlexTensor; 3],
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = contiguous(grad);
        let [n, d] = dims(&saved[0]);
        let ([x, mean, log_scale], g) = (saved.each_ref().map(values), values(&grad));
        let (mut dmean, mut dscale) = (unwritten(n * d), unwritten(n * d));
        let (to_mean, to_scale) = (Shared(dmean.as_mut_ptr()), Shared(dscale.as_mut_ptr()));
        for_chunks(n, items_a_task(d), |rows| {
            for row in rows {
                let at = row * d..(row + 1) * d;
                // SAFETY: rows are disjoint.
                let (dm, ds) = unsafe { (to_mean.slice(at.start, d), to_scale.slice(at.start, d)) };
                row_gradients(&x[at.clone()], &mean[at.clone()], &log_scale[at], g[row], dm, ds);
            }
        });
        // A shift of x is a shift of the mean the other way.
        let dx = wanted[0].then(|| from_vec(dmean.iter().map(|v| -v).collect(), [n, d]));
        [dx, wanted[1].then(|| from_vec(dmean, [n, d])), wanted[2].then(|| from_vec(dscale, [n, d]))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use crate::{
        composite,
        testing::{Case, noise},
        to_vec,
    };

    #[test]
    fn equals_the_composite() {
        for (n, d) in [(1, 1), (3, 7), (2, 100), (40, 784)] {
            let levels: Vec<f32> =
                noise(n * d, 1).iter().map(|v| (v * 90.0).round().clamp(-127.5, 127.5) / 127.5).collect();
            let rows = |v: &[f32]| Tensor::<1>::from_floats(v, &Device::flex()).reshape([n, d]);
            let x = rows(&levels);
            let like = |v: &Tensor<1>| Tensor::<2>::from_data(x.to_data(), (&v.device(), v.dtype()));
            let split = |v: &[Tensor<1>]| (v[0].clone().reshape([n, d]), v[1].clone().reshape([n, d]));
            let case = Case {
                name: format!("{n}x{d}"),
                inputs: vec![noise(n * d, 2), noise(n * d, 3).into_iter().map(|v| 2.0 * v - 3.0).collect()],
                fused: &|v| {
                    let (mean, scale) = split(v);
                    crate::discretised_logistic_nll(like(&v[0]), mean, scale)
                },
                composite: &|v| {
                    let (mean, scale) = split(v);
                    composite::discretised_logistic_nll(like(&v[0]), mean, scale)
                },
                tolerance: 1e-5,
            };
            case.check();
            if n * d < 50 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn the_levels_are_a_distribution() {
        let device = Device::flex();
        let levels: Vec<f32> = (0..256).map(|i| i as f32 / 127.5 - 1.0).collect();
        let x = Tensor::<1>::from_floats(levels.as_slice(), &device).reshape([256, 1]);
        let scales = [(0.0, -1.0), (0.3, -5.0), (-1.4, -3.0), (0.0, 4.0), (0.1, -20.0), (0.0, 25.0)];
        for nll_of in [crate::discretised_logistic_nll, composite::discretised_logistic_nll] {
            for (mean, scale) in scales {
                let of = |value: f32| Tensor::<2>::full([256, 1], value, &device);
                let nll = nll_of(x.clone(), of(mean), of(scale));
                let total = nll.neg().exp().sum().into_scalar::<f32>();
                assert!((total - 1.0).abs() < 1e-4, "mean {mean}, log-scale {scale}: {total}");
            }
        }
    }

    #[test]
    fn the_composite_has_gradients_at_any_scale() {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_floats([[0.0, 0.9, 1.0, -1.0]], &device);
        for scale in [-30.0, -4.0, 0.0, 8.0, 30.0] {
            let scale = Tensor::<2>::full([1, 4], scale, &device).require_grad();
            let mean = Tensor::<2>::zeros([1, 4], &device).require_grad();
            let loss = composite::discretised_logistic_nll(x.clone(), mean.clone(), scale.clone());
            let grads = loss.sum().backward();
            let found: Vec<_> = [mean.grad(&grads), scale.grad(&grads)].into_iter().flatten().collect();
            assert_eq!(found.len(), 2);
            for gradient in found {
                let values = to_vec(&gradient);
                assert!(values.iter().all(|v| v.is_finite()), "{values:?}");
            }
        }
    }

    #[test]
    fn far_levels_and_no_row() {
        let device = Device::flex();
        let far = Tensor::<2>::from_floats([[0.9, 1.0, -1.0]], &device);
        let scale = Tensor::<2>::full([1, 3], -7.0, &device);
        let nll = crate::discretised_logistic_nll(far, Tensor::zeros([1, 3], &device), scale);
        assert!(nll.into_scalar::<f32>().is_finite());
        let none = || Tensor::<2>::zeros([0, 4], &device);
        assert_eq!(crate::discretised_logistic_nll(none(), none(), none()).dims(), [0]);
    }
}
