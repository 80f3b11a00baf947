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
//!
//! Heads of 64 reach 40 to 50 % of the machine's limit, the exponentials among them.

use std::{ops::Range, sync::Arc};

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::{exp, largest, sum};
use super::memory::{Shared, unwritten, with_used_scratch};
use super::product::{product, product_at};
use super::product_micro::{Matrix, Start};
use super::simd::multiversion;

/// Queries of one strip.
const STRIP: usize = 64;

/// On rows `[batch · time, 3 · width]` that hold query, key and value of all heads side by side → `[batch · time, width]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SelfAttention {
    pub batch: usize,
    pub heads: usize,
    pub causal: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Saved {
    qkv: FlexTensor,
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
    batch: usize,
    heads: usize,
    time: usize,
    d: usize,
    causal: bool,
}

impl Sizes {
    fn new(op: SelfAttention, qkv: &FlexTensor) -> Self {
        let SelfAttention { batch, heads, causal } = op;
        let [rows, all] = dims(qkv);
        Self { batch, heads, time: rows / batch, d: all / 3 / heads, causal }
    }

    fn width(self) -> usize {
        self.heads * self.d
    }

    fn pairs(self) -> usize {
        self.batch * self.heads
    }

    fn scale(self) -> f32 {
        1.0 / (self.d as f32).sqrt()
    }

    /// The strips, last first, each with the number of keys that any of its queries sees: the first of them sees all.
    fn strips(self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let strip = move |i: usize| i * STRIP..self.time.min((i + 1) * STRIP);
        (0..self.time.div_ceil(STRIP)).rev().map(strip).map(move |s| (s.clone(), self.seen(s.end - 1)))
    }

    /// Keys that query `t` sees.
    fn seen(self, t: usize) -> usize {
        if self.causal { t + 1 } else { self.time }
    }

    /// Where the values of a pair of batch and head begin, in rows of `row` values.
    fn start(self, pair: usize, row: usize) -> usize {
        pair / self.heads * self.time * row + pair % self.heads * self.d
    }

    /// Where query, key and value of a pair begin.
    fn starts(self, pair: usize) -> [usize; 3] {
        [0, 1, 2].map(|i| self.start(pair, 3 * self.width()) + i * self.width())
    }

    /// Query, key and value of a pair.
    fn inputs(self, qkv: &[f32], pair: usize) -> [Matrix<'_>; 3] {
        self.starts(pair).map(|start| Matrix::rows(&qkv[start..], 3 * self.width()))
    }

    /// The output, and the log-sums of all queries, pair by pair.
    fn forward(self, qkv: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (Self { time, d, .. }, width) = (self, self.width());
        let mut output = unwritten(self.batch * time * width);
        let out = Shared(output.as_mut_ptr());
        let mut log_sums = unwritten(self.pairs() * time);
        log_sums.par_chunks_mut(time).enumerate().for_each(|(pair, log_sums)| {
            let [q, k, v] = self.inputs(qkv, pair);
            with_used_scratch([STRIP * time], |[scores]| {
                for (strip, seen) in self.strips() {
                    let (rows, first) = (strip.len(), strip.start);
                    let q = q.from(first);
                    product([rows, d, seen], self.scale(), q, k.transposed(), false, scores, seen);
                    let mut sums = [0.0; STRIP];
                    for (i, row) in scores.chunks_exact_mut(seen).take(rows).enumerate() {
                        let [top, sum] = softmax_row(row, self.seen(first + i));
                        (sums[i], log_sums[first + i]) = (sum, top + sum.ln());
                    }
                    let p = Matrix::rows(scores, seen);
                    // SAFETY: one task owns its head in the rows of its batch entry.
                    unsafe {
                        let to = out.at(self.start(pair, width) + first * width);
                        product_at([rows, seen, d], 1.0, p, v, Start::Zero, to, width);
                        for (i, sum) in sums[..rows].iter().enumerate() {
                            let row = std::slice::from_raw_parts_mut(to.add(i * width), d);
                            row.iter_mut().for_each(|v| *v /= sum);
                        }
                    }
                }
            });
        });
        (output, log_sums)
    }

    /// The gradient of `qkv`, given the output `o`, its gradient `g` and the log-sums.
    fn backward(self, qkv: &[f32], o: &[f32], g: &[f32], log_sums: &[f32]) -> Vec<f32> {
        let (Self { time, d, .. }, width) = (self, self.width());
        let mut found = unwritten(qkv.len());
        let out = Shared(found.as_mut_ptr());
        (0..self.pairs()).into_par_iter().for_each(|pair| {
            let [q, k, v] = self.inputs(qkv, pair);
            let [o, g] = [o, g].map(|rows| Matrix::rows(&rows[self.start(pair, width)..], width));
            let log_sums = &log_sums[pair * time..][..time];
            with_used_scratch([STRIP * time, STRIP * time], |[scores, slopes]| {
                for (strip, seen) in self.strips() {
                    let (rows, first) = (strip.len(), strip.start);
                    let (q, g) = (q.from(first), g.from(first));
                    product([rows, d, seen], self.scale(), q, k.transposed(), false, scores, seen);
                    product([rows, d, seen], 1.0, g, v.transposed(), false, slopes, seen);
                    for i in 0..rows {
                        let (t, at) = (first + i, i * seen..(i + 1) * seen);
                        probabilities(&mut scores[at.clone()], log_sums[t], self.seen(t));
                        let [o, g] = [o.row_of(t, d), g.row_of(i, d)];
                        let delta = sum([o, g], |[o, g]| o * g);
                        score_gradients(&scores[at.clone()], self.scale(), delta, &mut slopes[at]);
                    }
                    let [p, ds] = [&*scores, &*slopes].map(|m| Matrix::rows(m, seen));
                    // The last strip comes first and sees all keys: the others add to what it left.
                    let start = if strip.end == time { Start::Zero } else { Start::Add };
                    // SAFETY: one task owns its head in the rows of its batch entry.
                    unsafe {
                        let [dq, dk, dv] = self.starts(pair).map(|start| out.at(start));
                        let (dq, row) = (dq.add(first * 3 * width), 3 * width);
                        product_at([seen, rows, d], 1.0, p.transposed(), g, start, dv, row);
                        product_at([rows, seen, d], 1.0, ds, k, Start::Zero, dq, row);
                        product_at([seen, rows, d], 1.0, ds.transposed(), q, start, dk, row);
                    }
                }
            });
        });
        found
    }
}

impl Fused<1> for SelfAttention {
    type Saved = Saved;

    fn forward(&self, [qkv]: [FlexTensor; 1]) -> (FlexTensor, Saved) {
        let qkv = contiguous(qkv);
        let sizes = Sizes::new(*self, &qkv);
        let (output, log_sums) = sizes.forward(values(&qkv));
        let output = from_vec(output, [sizes.batch * sizes.time, sizes.width()]);
        (output.clone(), Saved { qkv, output, log_sums: Arc::new(log_sums) })
    }

    fn backward(self, saved: Saved, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Saved { qkv, output, log_sums } = saved;
        let grad = contiguous(grad);
        let sizes = Sizes::new(self, &qkv);
        let found = sizes.backward(values(&qkv), values(&output), values(&grad), &log_sums);
        [Some(from_vec(found, qkv.layout().shape().clone()))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        composite, self_attention,
        testing::{Case, noise},
    };

    fn check(batch: usize, heads: usize, time: usize, d: usize, causal: bool) {
        let width = heads * d;
        let rows = |v: &[Tensor<1>]| v[0].clone().reshape([batch * time, 3 * width]);
        let case = Case {
            name: format!("{batch}x{time} rows of {heads}x{d}, causal {causal}"),
            inputs: vec![noise(batch * time * 3 * width, 1)],
            fused: &|v| self_attention(rows(v), batch, heads, causal).flatten(0, 1),
            composite: &|v| composite::self_attention(rows(v), batch, heads, causal).flatten(0, 1),
            tolerance: 1e-5,
        };
        case.check();
        if batch * time * width < 50 {
            case.check_differences();
        }
    }

    #[test]
    fn equals_the_composite() {
        for causal in [false, true] {
            check(1, 1, 1, 1, causal);
            check(1, 2, 3, 4, causal);
            check(1, 2, 5, 3, causal);
            check(2, 3, 65, 8, causal);
            check(1, 2, 200, 5, causal);
            check(2, 1, 70, 16, causal);
        }
    }

    #[test]
    fn views_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(36 * 6, 1).as_slice(), &device).reshape([36, 6]);
        let view = x.transpose().narrow(1, 4, 24); // [6, 24]
        let copy = Tensor::<2>::from_data(view.to_data(), &device);
        let [a, b] = [view, copy].map(|rows| self_attention(rows, 2, 4, true));
        a.into_data().assert_eq(&b.into_data(), true);
        let none = Tensor::<2>::zeros([0, 12], &device);
        assert_eq!(self_attention(none, 0, 2, true).dims(), [0, 4]);
    }
}
