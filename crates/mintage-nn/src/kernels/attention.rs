#![allow(unsafe_code)] // Tasks write disjoint parts of memory that was not cleared first.
//! Scaled dot-product attention that never holds a time × time matrix.
//!
//! Strips of 64 queries see all their keys at once. Forward keeps the output and, of each query, the log of its softmax
//! sum; backward computes the strip's probabilities again (Dao et al., arXiv:2205.14135):
//!
//! ```text
//! S = q kᵀ / √d    P = exp(S − L)    L = ln Σ exp(S)    o = P v
//! dv = Pᵀ g    dP = g vᵀ    dS = P ∘ (dP − rowsum(g ∘ o)) / √d    dq = dS k    dk = dSᵀ q
//! ```

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::{exp, largest, sum};
use super::memory::{Shared, unwritten, with_scratch};
use super::product::{Matrix, product};
use super::simd::multiversion;

/// Queries of one strip.
const STRIP: usize = 64;

/// On `[q, k, v]`: `[batch, heads, time, head_dim]`; keys and values may have another time if not causal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attention {
    pub causal: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Saved {
    inputs: [FlexTensor; 3],
    output: FlexTensor,
    log_sums: Arc<Vec<f32>>,
}

multiversion! {
    /// Exponentials of one row relative to its largest score, zero from `seen` on; returns the largest and the sum.
    fn softmax_row(scores: &mut [f32], seen: usize) -> [f32; 2] {
        let (live, hidden) = scores.split_at_mut(seen);
        let top = largest(live);
        live.iter_mut().for_each(|v| *v = exp(*v - top));
        hidden.fill(0.0);
        let live = &*live;
        [top, sum([live], |[v]| v)]
    }
}

multiversion! {
    /// Scores to probabilities, zero from `seen` on.
    fn probabilities(scores: &mut [f32], log_sum: f32, seen: usize) {
        let (live, hidden) = scores.split_at_mut(seen);
        live.iter_mut().for_each(|v| *v = exp(*v - log_sum));
        hidden.fill(0.0);
    }
}

multiversion! {
    fn score_gradients(p: &[f32], scale: f32, delta: f32, dp: &mut [f32]) {
        p.iter().zip(dp).for_each(|(p, dp)| *dp = scale * p * (*dp - delta));
    }
}

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    pairs: usize,
    time: usize,
    keys: usize,
    d: usize,
    causal: bool,
}

impl Sizes {
    fn new(op: Attention, q: &FlexTensor, k: &FlexTensor) -> Self {
        let ([batch, heads, time, d], [_, _, keys, _]) = (dims(q), dims(k));
        Self { pairs: batch * heads, time, keys, d, causal: op.causal }
    }

    fn scale(self) -> f32 {
        1.0 / (self.d as f32).sqrt()
    }

    /// The strips, each with the number of keys that any of its queries sees.
    fn strips(self) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> {
        let strip = move |start: usize| start..self.time.min(start + STRIP);
        (0..self.time).step_by(STRIP).map(strip).map(move |s| (s.clone(), self.seen(s.end - 1)))
    }

    /// Keys that query `t` sees.
    fn seen(self, t: usize) -> usize {
        if self.causal { t + 1 } else { self.keys }
    }
}

impl Fused<3> for Attention {
    type Saved = Saved;

    fn forward(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, Saved) {
        let inputs = inputs.map(contiguous);
        let [q, k, v] = inputs.each_ref().map(values);
        let sizes = Sizes::new(*self, &inputs[0], &inputs[1]);
        let Sizes { pairs, time, keys, d, .. } = sizes;
        let mut output = unwritten(pairs * time * d);
        let mut log_sums = vec![0.0; pairs * time];
        let out = Shared(output.as_mut_ptr());
        log_sums.par_chunks_mut(time).enumerate().for_each(|(pair, log_sums)| {
            let q = &q[pair * time * d..][..time * d];
            let [k, v] = [k, v].map(|m| Matrix::rows(&m[pair * keys * d..][..keys * d], d));
            with_scratch([STRIP * keys], |[scores]| {
                for (strip, seen) in sizes.strips() {
                    let (rows, first) = (strip.len(), strip.start);
                    let q = Matrix::rows(&q[first * d..], d);
                    product([rows, d, seen], sizes.scale(), q, k.transposed(), false, scores, seen);
                    // SAFETY: one task owns each pair of batch and head.
                    let out = unsafe { out.slice((pair * time + first) * d, rows * d) };
                    let mut sums = [0.0; STRIP];
                    for (i, row) in scores.chunks_exact_mut(seen).take(rows).enumerate() {
                        let [top, sum] = softmax_row(row, sizes.seen(first + i));
                        (sums[i], log_sums[first + i]) = (sum, top + sum.ln());
                    }
                    product([rows, seen, d], 1.0, Matrix::rows(scores, seen), v, false, out, d);
                    for (row, sum) in out.chunks_exact_mut(d).zip(sums) {
                        row.iter_mut().for_each(|v| *v /= sum);
                    }
                }
            });
        });
        let output = from_vec(output, inputs[0].layout().shape().clone());
        (output.clone(), Saved { inputs, output, log_sums: Arc::new(log_sums) })
    }

    fn backward(self, saved: Saved, grad: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let Saved { inputs, output, log_sums } = saved;
        let grad = contiguous(grad);
        let sizes = Sizes::new(self, &inputs[0], &inputs[1]);
        let mut found = inputs.each_ref().map(|t| vec![0.0; values(t).len()]);
        let [dq, dk, dv] = found.each_mut().map(|v| Shared(v.as_mut_ptr()));
        let [q, k, v] = inputs.each_ref().map(values);
        let (o, g) = (values(&output), values(&grad));
        (0..sizes.pairs).into_par_iter().for_each(|pair| {
            let (queries, keys) = (sizes.time * sizes.d, sizes.keys * sizes.d);
            let [q, o, g] = [q, o, g].map(|m| &m[pair * queries..][..queries]);
            let [k, v] = [k, v].map(|m| &m[pair * keys..][..keys]);
            let log_sums = &log_sums[pair * sizes.time..][..sizes.time];
            // SAFETY: one task owns each pair of batch and head.
            let (dq, [dk, dv]) =
                unsafe { (dq.slice(pair * queries, queries), [dk, dv].map(|m| m.slice(pair * keys, keys))) };
            Pair { sizes, q, k, v, o, g, log_sums }.backward(dq, dk, dv);
        });
        let [dq, dk, dv] = found;
        let shape = |i: usize| inputs[i].layout().shape().clone();
        [Some(from_vec(dq, shape(0))), Some(from_vec(dk, shape(1))), Some(from_vec(dv, shape(2)))]
    }
}

/// One batch entry and head.
struct Pair<'a> {
    sizes: Sizes,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    o: &'a [f32],
    g: &'a [f32],
    log_sums: &'a [f32],
}

impl Pair<'_> {
    /// `dk` and `dv` start as zeros.
    fn backward(&self, dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
        let Sizes { keys, d, .. } = self.sizes;
        let [k, v] = [self.k, self.v].map(|m| Matrix::rows(m, d));
        with_scratch([STRIP * keys, STRIP * keys], |[scores, slopes]| {
            for (strip, seen) in self.sizes.strips() {
                let (rows, first) = (strip.len(), strip.start);
                let [q, g] = [self.q, self.g].map(|m| Matrix::rows(&m[first * d..], d));
                product([rows, d, seen], self.sizes.scale(), q, k.transposed(), false, scores, seen);
                product([rows, d, seen], 1.0, g, v.transposed(), false, slopes, seen);
                for i in 0..rows {
                    let (t, at) = (first + i, i * seen..(i + 1) * seen);
                    probabilities(&mut scores[at.clone()], self.log_sums[t], self.sizes.seen(t));
                    let (o, g) = (&self.o[t * d..][..d], &self.g[t * d..][..d]);
                    let delta = sum([o, g], |[o, g]| o * g);
                    score_gradients(&scores[at.clone()], self.sizes.scale(), delta, &mut slopes[at]);
                }
                let [p, ds] = [&*scores, &*slopes].map(|m| Matrix::rows(m, seen));
                product([seen, rows, d], 1.0, p.transposed(), g, true, dv, d);
                product([rows, seen, d], 1.0, ds, k, false, &mut dq[first * d..], d);
                product([seen, rows, d], 1.0, ds.transposed(), q, true, dk, d);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::kernels::{
        attention, composite,
        testing::{Case, noise},
    };

    fn check(batch: usize, heads: usize, time: usize, keys: usize, d: usize, causal: bool) {
        let args = |v: &[Tensor<1>]| {
            let q = v[0].clone().reshape([batch, heads, time, d]);
            let [k, v] = [1, 2].map(|i: usize| v[i].clone().reshape([batch, heads, keys, d]));
            (q, k, v)
        };
        let pairs = batch * heads;
        let case = Case {
            name: format!("{batch}x{heads}x{time}({keys})x{d}, causal {causal}"),
            inputs: vec![noise(pairs * time * d, 1), noise(pairs * keys * d, 2), noise(pairs * keys * d, 3)],
            fused: &|v| {
                let (q, k, v) = args(v);
                attention(q, k, v, causal).flatten(0, 3)
            },
            composite: &|v| {
                let (q, k, v) = args(v);
                composite::attention(q, k, v, causal).flatten(0, 3)
            },
            tolerance: 1e-5,
        };
        case.check();
        if pairs * (time + keys) * d < 100 {
            case.check_differences();
        }
    }

    #[test]
    fn equals_the_composite() {
        for causal in [false, true] {
            check(1, 1, 1, 1, 1, causal);
            check(1, 2, 3, 3, 4, causal);
            check(2, 3, 65, 65, 8, causal);
            check(1, 2, 200, 200, 5, causal);
        }
        check(2, 1, 70, 33, 16, false);
        check(1, 2, 2, 5, 3, false);
    }

    #[test]
    fn views_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(2 * 6 * 3 * 12, 1).as_slice(), &device)
            .reshape([2, 6, 3, 12])
            .swap_dims(1, 2);
        let part = |i: usize| x.clone().narrow(3, 4 * i, 4);
        let copy = |i: usize| Tensor::<4>::from_data(part(i).to_data(), &device);
        let [a, b] = [attention(part(0), part(1), part(2), true), attention(copy(0), copy(1), copy(2), true)];
        a.into_data().assert_eq(&b.into_data(), true);
        let none = Tensor::<4>::zeros([0, 2, 3, 4], &device);
        assert_eq!(attention(none.clone(), none.clone(), none, false).dims(), [0, 2, 3, 4]);
    }
}
