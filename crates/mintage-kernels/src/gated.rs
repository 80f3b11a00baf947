//! What a transformer's block needs between its products: the gate of its perceptron, normalisation by the root
//! mean square, and dropout.
//!
//! ```text
//! gate(a, b) = silu(a) b                     da = g b silu'(a)    db = g silu(a)      (Shazeer, arXiv:2002.05202)
//! rms(x) = γ x / √(mean(x²) + ε)             dx = s (γ g − x s² mean(γ g x))          (Zhang & Sennrich, arXiv:1910.07467)
//! dropout(x) = x m / (1 − p)                 dx = g m / (1 − p)                       (Srivastava et al., 2014)
//! ```
//!
//! The mask of a dropout is a hash of (seed, place): it is made again in the backward pass and never kept.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::{sigmoid, sum};
use super::memory::{add_in_order, filled, filled_rows, items_a_task, parts};
use super::pointwise::silu_slope;
use super::simd::multiversion;

/// On `[x]`, `[n, 2 h]` → `[n, h]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate;

multiversion! {
    fn gate_row(x: &[f32], y: &mut [f32]) {
        let (a, b) = x.split_at(y.len());
        a.iter().zip(b).zip(y).for_each(|((&a, b), y)| *y = a * sigmoid(a) * b);
    }
}

multiversion! {
    fn gate_row_back(x: &[f32], g: &[f32], dx: &mut [f32]) {
        let half = g.len();
        let (a, b) = x.split_at(half);
        let (da, db) = dx.split_at_mut(half);
        let (b, da, db) = (&b[..half], &mut da[..half], &mut db[..half]);
        for i in 0..half {
            da[i] = g[i] * b[i] * silu_slope(a[i]);
            db[i] = g[i] * a[i] * sigmoid(a[i]);
        }
    }
}

impl Fused<1> for Gate {
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let x = contiguous(x);
        let ([n, both], v) = (dims(&x), values(&x));
        let y = filled_rows(n, both / 2, |row, y| gate_row(&v[row * both..][..both], y));
        (from_vec(y, [n, both / 2]), x)
    }

    fn backward(self, x: FlexTensor, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let ([n, both], v, g) = (dims(&x), values(&x), values(&grad));
        let half = both / 2;
        let dx = filled_rows(n, both, |row, dx| {
            gate_row_back(&v[row * both..][..both], &g[row * half..][..half], dx);
        });
        [Some(from_vec(dx, [n, both]))]
    }
}

/// On `[x, gain]`, `x [n, d]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RmsNorm {
    pub eps: f32,
}

multiversion! {
    fn norm_row(x: &[f32], gain: &[f32], eps: f32, y: &mut [f32]) -> f32 {
        let scale = 1.0 / (sum([x], |[x]| x * x) / x.len() as f32 + eps).sqrt();
        x.iter().zip(gain).zip(y).for_each(|((x, gain), y)| *y = x * scale * gain);
        scale
    }
}

multiversion! {
    /// `dx` of one row; adds its share to `dgain`.
    fn norm_row_back(x: &[f32], g: &[f32], scale: f32, gain: &[f32], dx: &mut [f32], dgain: &mut [f32]) {
        let (g, gain) = (&g[..x.len()], &gain[..x.len()]);
        let along = scale * scale * sum([gain, g, x], |[gain, g, x]| gain * g * x) / x.len() as f32;
        let (dx, dgain) = (&mut dx[..x.len()], &mut dgain[..x.len()]);
        for i in 0..x.len() {
            dx[i] = scale * (gain[i] * g[i] - along * x[i]);
            dgain[i] += g[i] * x[i] * scale;
        }
    }
}

impl Fused<2> for RmsNorm {
    /// Input, gain, and the scale of each row.
    type Saved = (FlexTensor, FlexTensor, Arc<Vec<f32>>);

    fn forward(&self, [x, gain]: [FlexTensor; 2]) -> (FlexTensor, Self::Saved) {
        let (x, gain) = (contiguous(x), contiguous(gain));
        let ([n, d], v, gains) = (dims(&x), values(&x), values(&gain));
        let mut y = vec![0.0; n * d];
        let rows = y.par_chunks_mut(d).zip(v.par_chunks(d)).with_min_len(items_a_task(d));
        let scales: Vec<f32> = rows.map(|(y, x)| norm_row(x, gains, self.eps, y)).collect();
        (from_vec(y, [n, d]), (x, gain, Arc::new(scales)))
    }

    fn backward(
        self,
        (x, gain, scales): Self::Saved,
        grad: FlexTensor,
        _: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let grad = contiguous(grad);
        let ([n, d], v, g, gains) = (dims(&x), values(&x), values(&grad), values(&gain));
        let mut dx = vec![0.0; n * d];
        let cuts = parts(n);
        let mut rest = dx.as_mut_slice();
        let mut tasks = Vec::with_capacity(cuts.len());
        for rows in cuts {
            let (own, others) = rest.split_at_mut(rows.len() * d);
            rest = others;
            tasks.push((rows, own));
        }
        let sums = tasks.into_par_iter().map(|(rows, dx)| {
            let mut dgain = vec![0.0; d];
            for (row, dx) in rows.zip(dx.chunks_exact_mut(d)) {
                let at = row * d..(row + 1) * d;
                norm_row_back(&v[at.clone()], &g[at], scales[row], gains, dx, &mut dgain);
            }
            dgain
        });
        let dgain = add_in_order(sums.collect());
        [Some(from_vec(dx, [n, d])), Some(from_vec(dgain, [d]))]
    }
}

/// On `[x]` of any shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dropout {
    pub share: f32,
    pub seed: u32,
}

/// Two rounds of multiplication and shift (the finaliser of MurmurHash3): 32 bits of a place.
#[inline(always)]
fn hash(place: u32, seed: u32) -> u32 {
    let mut h = place.wrapping_mul(0x9e37_79b9) ^ seed;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

multiversion! {
    fn drop_values(x: &[f32], first: u32, seed: u32, below: u32, scale: f32, y: &mut [f32]) {
        for (i, (x, y)) in x.iter().zip(y).enumerate() {
            let kept = hash(first.wrapping_add(i as u32), seed) >= below;
            *y = if kept { x * scale } else { 0.0 };
        }
    }
}

impl Dropout {
    /// `x` with the values of the mask.
    pub fn apply(self, x: &[f32]) -> Vec<f32> {
        let below = (f64::from(self.share) * f64::from(u32::MAX)) as u32;
        let scale = 1.0 / (1.0 - self.share);
        filled(x.len(), items_a_task(1), |chunk, y| {
            drop_values(&x[chunk.clone()], chunk.start as u32, self.seed, below, scale, y);
        })
    }

    fn masked(self, x: FlexTensor) -> FlexTensor {
        let x = contiguous(x);
        from_vec(self.apply(values(&x)), x.layout().shape().clone())
    }
}

impl Fused<1> for Dropout {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, ()) {
        (self.masked(x), ())
    }

    fn backward(self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.masked(grad))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use crate::{
        composite, dropout, rms_norm, swiglu,
        testing::{Case, noise},
        to_vec,
    };

    #[test]
    fn gates_equal_the_composite() {
        for (n, h) in [(1, 1), (3, 5), (7, 64), (500, 33)] {
            let rows = |v: &[Tensor<1>]| v[0].clone().reshape([n, 2 * h]);
            let case = Case {
                name: format!("{n}x{h}"),
                inputs: vec![noise(n * 2 * h, 1)],
                fused: &|v| swiglu(rows(v)).flatten(0, 1),
                composite: &|v| composite::swiglu(rows(v)).flatten(0, 1),
                tolerance: 1e-5,
            };
            case.check();
            if n < 5 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn norms_equal_the_composite() {
        for (n, d) in [(1, 2), (3, 5), (7, 64), (1000, 33)] {
            let rows = |v: &[Tensor<1>]| v[0].clone().reshape([n, d]);
            let case = Case {
                name: format!("{n}x{d}"),
                inputs: vec![noise(n * d, 1), noise(d, 2)],
                fused: &|v| rms_norm(rows(v), v[1].clone(), 1e-6).flatten(0, 1),
                composite: &|v| composite::rms_norm(rows(v), v[1].clone(), 1e-6).flatten(0, 1),
                tolerance: 2e-5,
            };
            case.check();
            if n < 5 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn dropout_keeps_the_mean_and_its_mask() {
        for len in [1, 13, 30_001] {
            let case = Case {
                name: format!("{len}"),
                inputs: vec![noise(len, 1)],
                fused: &|v| dropout(v[0].clone(), 0.3, 5),
                composite: &|v| composite::dropout(v[0].clone(), 0.3, 5),
                tolerance: 1e-6,
            };
            case.check();
        }
        let ones = Tensor::<1>::ones([100_000], &Device::flex());
        let kept = to_vec(&dropout(ones.clone(), 0.3, 1));
        let share = kept.iter().filter(|v| **v > 0.0).count() as f64 / 1e5;
        assert!((share - 0.7).abs() < 0.01, "{share}");
        assert_ne!(kept, to_vec(&dropout(ones, 0.3, 2)));
    }
}
