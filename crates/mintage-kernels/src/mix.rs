//! Sums whose weights are learned: vectors that join a residual stream, and vectors that join the values of attention.
//!
//! ```text
//! sum(x, y, z, w) = w₁ x + w₂ y + w₃ z        dx = w₁ g, …    dw₁ = Σ g x, …
//! values(q, k, v, e, γ) = q, k, v + γ_h e     de = γ_h g_v    dγ_h = Σ g_v e
//! ```

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::sum;
use super::memory::{add_in_order, filled, filled_rows, items_a_task, parts};
use super::simd::multiversion;

/// On `[x, y, z, weights]`: three of one shape, and `[3]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightedSum;

/// On `[qkv, extra, gates]`: `[n, 3 · width]`, `[n, width]` and `[heads]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddToValues;

multiversion! {
    fn weigh(w: [f32; 3], x: &[f32], y: &[f32], z: &[f32], to: &mut [f32]) {
        for (to, ((x, y), z)) in to.iter_mut().zip(x.iter().zip(y).zip(z)) {
            *to = w[0] * x + w[1] * y + w[2] * z;
        }
    }
}

multiversion! {
    fn scaled(x: &[f32], factor: f32, to: &mut [f32]) {
        to.iter_mut().zip(x).for_each(|(to, x)| *to = factor * x);
    }
}

multiversion! {
    fn chunk_dot(x: &[f32], y: &[f32]) -> f32 {
        sum([x, y], |[x, y]| x * y)
    }
}

multiversion! {
    /// Adds one row to another, the part of each head times its gate.
    fn add_gated(gates: &[f32], from: &[f32], to: &mut [f32]) {
        let d = from.len() / gates.len();
        for ((gate, from), to) in gates.iter().zip(from.chunks_exact(d)).zip(to.chunks_exact_mut(d)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += gate * from);
        }
    }
}

multiversion! {
    /// Adds the product of two rows to the sum of each head.
    fn add_dots(x: &[f32], y: &[f32], sums: &mut [f32]) {
        let d = x.len() / sums.len();
        for ((x, y), total) in x.chunks_exact(d).zip(y.chunks_exact(d)).zip(sums) {
            *total += sum([x, y], |[x, y]| x * y);
        }
    }
}

/// The chunks do not depend on the number of threads.
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let size = items_a_task(1);
    let chunks = x.par_chunks(size).zip(y.par_chunks(size));
    let sums: Vec<f64> = chunks.map(|(x, y)| f64::from(chunk_dot(x, y))).collect();
    sums.iter().sum::<f64>() as f32
}

impl Fused<4> for WeightedSum {
    type Saved = [FlexTensor; 4];

    fn forward(&self, inputs: [FlexTensor; 4]) -> (FlexTensor, [FlexTensor; 4]) {
        let inputs = inputs.map(contiguous);
        let [x, y, z, weights] = inputs.each_ref().map(values);
        let weights = [weights[0], weights[1], weights[2]];
        let to = filled(x.len(), items_a_task(1), |chunk, to| {
            weigh(weights, &x[chunk.clone()], &y[chunk.clone()], &z[chunk], to);
        });
        (from_vec(to, inputs[0].layout().shape().clone()), inputs)
    }

    fn backward(
        self,
        saved: [FlexTensor; 4],
        grad: FlexTensor,
        wanted: [bool; 4],
    ) -> [Option<FlexTensor>; 4] {
        let grad = contiguous(grad);
        let ([x, y, z, weights], g) = (saved.each_ref().map(values), values(&grad));
        let along = |i: usize| {
            let to = filled(g.len(), items_a_task(1), |chunk, to| scaled(&g[chunk], weights[i], to));
            from_vec(to, saved[0].layout().shape().clone())
        };
        let of_weights = || from_vec([x, y, z].map(|terms| dot(terms, g)).to_vec(), [3]);
        [
            wanted[0].then(|| along(0)),
            wanted[1].then(|| along(1)),
            wanted[2].then(|| along(2)),
            wanted[3].then(of_weights),
        ]
    }
}

impl Fused<3> for AddToValues {
    /// What is added, and the gates.
    type Saved = [FlexTensor; 2];

    fn forward(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 2]) {
        let [qkv, extra, gates] = inputs.map(contiguous);
        let ([n, three], q) = (dims(&qkv), values(&qkv));
        let (width, e, by) = (three / 3, values(&extra), values(&gates));
        let to = filled_rows(n, three, |row, to| {
            to.copy_from_slice(&q[row * three..][..three]);
            add_gated(by, &e[row * width..][..width], &mut to[2 * width..]);
        });
        (from_vec(to, [n, three]), [extra, gates])
    }

    fn backward(
        self,
        [extra, gates]: [FlexTensor; 2],
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = contiguous(grad);
        let ([n, width], [heads]) = (dims(&extra), dims(&gates));
        let (e, by, g) = (values(&extra), values(&gates), values(&grad));
        let of_values = move |row: usize| &g[row * 3 * width + 2 * width..][..width];
        let of_extra = || {
            let to = filled_rows(n, width, |row, to| {
                to.fill(0.0);
                add_gated(by, of_values(row), to);
            });
            from_vec(to, [n, width])
        };
        let of_gates = || {
            let sums = parts(n).into_par_iter().map(|rows| {
                let mut sums = vec![0.0; heads];
                rows.for_each(|row| add_dots(&e[row * width..][..width], of_values(row), &mut sums));
                sums
            });
            from_vec(add_in_order(sums.collect()), [heads])
        };
        let (of_extra, of_gates) = (wanted[1].then(of_extra), wanted[2].then(of_gates));
        [wanted[0].then_some(grad), of_extra, of_gates]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use crate::{
        add_to_values, composite,
        testing::{Case, noise, noise_tensor},
        weighted_sum,
    };

    #[test]
    fn weighted_sums_equal_the_composite() {
        for (n, d) in [(1, 1), (3, 5), (700, 33)] {
            let rows = |v: &[Tensor<1>]| [0usize, 1, 2].map(|i| v[i].clone().reshape([n, d]));
            let case = Case {
                name: format!("{n}x{d}"),
                inputs: vec![noise(n * d, 1), noise(n * d, 2), noise(n * d, 3), noise(3, 4)],
                fused: &|v| weighted_sum(rows(v), v[3].clone()).flatten(0, 1),
                composite: &|v| composite::weighted_sum(rows(v), v[3].clone()).flatten(0, 1),
                tolerance: 1e-5,
            };
            case.check();
            if n < 5 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn gated_values_equal_the_composite() {
        for (n, heads, d) in [(1, 1, 1), (3, 2, 5), (500, 3, 16)] {
            let width = heads * d;
            let qkv = |v: &[Tensor<1>]| v[0].clone().reshape([n, 3 * width]);
            let extra = |v: &[Tensor<1>]| v[1].clone().reshape([n, width]);
            let case = Case {
                name: format!("{n} rows of {heads}x{d}"),
                inputs: vec![noise(n * 3 * width, 1), noise(n * width, 2), noise(heads, 3)],
                fused: &|v| add_to_values(qkv(v), extra(v), v[2].clone()).flatten(0, 1),
                composite: &|v| composite::add_to_values(qkv(v), extra(v), v[2].clone()).flatten(0, 1),
                tolerance: 1e-5,
            };
            case.check();
            if n < 5 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn views_and_the_empty_batch() {
        let x: Tensor<2> = noise_tensor([6, 4], 1);
        let view = noise_tensor::<2>([4, 6], 2).transpose();
        let copy = Tensor::<2>::from_data(view.to_data(), &Device::flex());
        let weights: Tensor<1> = noise_tensor([3], 3);
        let [a, b] = [view, copy].map(|y| weighted_sum([x.clone(), y, x.clone()], weights.clone()));
        a.into_data().assert_eq(&b.into_data(), true);
        let none = Tensor::<2>::zeros([0, 4], &Device::flex());
        assert_eq!(weighted_sum([none.clone(), none.clone(), none.clone()], weights.clone()).dims(), [0, 4]);
        let qkv = Tensor::<2>::zeros([0, 12], &Device::flex());
        assert_eq!(add_to_values(qkv, none, weights.narrow(0, 0, 2)).dims(), [0, 12]);
    }
}
