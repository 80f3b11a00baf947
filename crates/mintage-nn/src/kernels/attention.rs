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
use super::product::{Matrix, product, product_at};
use super::product_micro::Start;
use super::simd::multiversion;

/// Queries of one strip.
const STRIP: usize = 64;

/// On `[q, k, v]`: `[batch, heads, time, head_dim]`; keys and values may have another time if not causal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attention {
    pub causal: bool,
}

/// On rows `[batch · time, 3 · width]` that hold query, key and value of all heads side by side → `[batch · time, width]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SelfAttention {
    pub batch: usize,
    pub heads: usize,
    pub causal: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Saved<const N: usize> {
    inputs: [FlexTensor; N],
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
    keys: usize,
    d: usize,
    causal: bool,
}

/// How the rows of all pairs of batch and head lie in memory.
#[derive(Clone, Copy)]
struct Layout {
    /// Distance of batch entries, of heads, and of rows.
    batch: usize,
    head: usize,
    row: usize,
}

impl Layout {
    /// Head by head, without gaps.
    fn heads(sizes: Sizes, time: usize) -> Self {
        Self { batch: sizes.heads * time * sizes.d, head: time * sizes.d, row: sizes.d }
    }

    /// Rows of `width` values that hold all heads.
    fn rows(sizes: Sizes, width: usize) -> Self {
        Self { batch: sizes.time * width, head: sizes.d, row: width }
    }

    fn start(self, sizes: Sizes, pair: usize) -> usize {
        pair / sizes.heads * self.batch + pair % sizes.heads * self.head
    }
}

/// An input, from its first value on.
#[derive(Clone, Copy)]
struct View<'a> {
    values: &'a [f32],
    layout: Layout,
}

impl<'a> View<'a> {
    fn pair(self, sizes: Sizes, pair: usize) -> Matrix<'a> {
        Matrix::rows(&self.values[self.layout.start(sizes, pair)..], self.layout.row)
    }
}

/// A result, from its first value on.
#[derive(Clone, Copy)]
struct Target {
    values: Shared,
    layout: Layout,
}

impl Target {
    /// Where row `t` of a pair begins.
    ///
    /// # Safety
    /// The row lies inside the result.
    unsafe fn row(self, sizes: Sizes, pair: usize, t: usize) -> *mut f32 {
        unsafe { self.values.at(self.layout.start(sizes, pair) + t * self.layout.row) }
    }
}

impl Sizes {
    fn scale(self) -> f32 {
        1.0 / (self.d as f32).sqrt()
    }

    fn pairs(self) -> usize {
        self.batch * self.heads
    }

    /// The strips, last first, each with the number of keys that any of its queries sees: the first of them sees all.
    fn strips(self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let strip = move |i: usize| i * STRIP..self.time.min((i + 1) * STRIP);
        (0..self.time.div_ceil(STRIP)).rev().map(strip).map(move |s| (s.clone(), self.seen(s.end - 1)))
    }

    /// Keys that query `t` sees.
    fn seen(self, t: usize) -> usize {
        if self.causal { t + 1 } else { self.keys }
    }

    /// Writes the output; returns the log-sums of all queries, pair by pair.
    fn forward(self, [q, k, v]: [View; 3], out: Target) -> Vec<f32> {
        let Self { time, keys, d, .. } = self;
        let mut log_sums = unwritten(self.pairs() * time);
        log_sums.par_chunks_mut(time).enumerate().for_each(|(pair, log_sums)| {
            let [q, k, v] = [q, k, v].map(|view| view.pair(self, pair));
            with_used_scratch([STRIP * keys], |[scores]| {
                for (strip, seen) in self.strips() {
                    let (rows, first) = (strip.len(), strip.start);
                    product(
                        [rows, d, seen],
                        self.scale(),
                        q.from(first),
                        k.transposed(),
                        false,
                        scores,
                        seen,
                    );
                    let mut sums = [0.0; STRIP];
                    for (i, row) in scores.chunks_exact_mut(seen).take(rows).enumerate() {
                        let [top, sum] = softmax_row(row, self.seen(first + i));
                        (sums[i], log_sums[first + i]) = (sum, top + sum.ln());
                    }
                    // SAFETY: one task owns the rows of each pair of batch and head.
                    unsafe {
                        let (to, step) = (out.row(self, pair, first), out.layout.row);
                        product_at(
                            [rows, seen, d],
                            1.0,
                            Matrix::rows(scores, seen),
                            v,
                            Start::Zero,
                            to,
                            step,
                        );
                        for (i, sum) in sums[..rows].iter().enumerate() {
                            let row = std::slice::from_raw_parts_mut(to.add(i * step), d);
                            row.iter_mut().for_each(|v| *v /= sum);
                        }
                    }
                }
            });
        });
        log_sums
    }

    /// Writes the gradients of `q`, `k` and `v`, given the output `o`, its gradient `g` and the log-sums.
    fn backward(self, [q, k, v, o, g]: [View; 5], log_sums: &[f32], [dq, dk, dv]: [Target; 3]) {
        let Self { time, keys, d, .. } = self;
        (0..self.pairs()).into_par_iter().for_each(|pair| {
            let [q, k, v, o, g] = [q, k, v, o, g].map(|view| view.pair(self, pair));
            let log_sums = &log_sums[pair * time..][..time];
            with_used_scratch([STRIP * keys, STRIP * keys], |[scores, slopes]| {
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
                    // SAFETY: one task owns the rows of each pair of batch and head.
                    unsafe {
                        let [dq, dk, dv] = [(dq, first), (dk, 0), (dv, 0)]
                            .map(|(to, t)| (to.row(self, pair, t), to.layout.row));
                        product_at([seen, rows, d], 1.0, p.transposed(), g, start, dv.0, dv.1);
                        product_at([rows, seen, d], 1.0, ds, k, Start::Zero, dq.0, dq.1);
                        product_at([seen, rows, d], 1.0, ds.transposed(), q, start, dk.0, dk.1);
                    }
                }
            });
        });
    }
}

impl Attention {
    fn sizes(self, q: &FlexTensor, k: &FlexTensor) -> Sizes {
        let ([batch, heads, time, d], [_, _, keys, _]) = (dims(q), dims(k));
        Sizes { batch, heads, time, keys, d, causal: self.causal }
    }
}

impl Fused<3> for Attention {
    type Saved = Saved<3>;

    fn forward(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, Saved<3>) {
        let inputs = inputs.map(contiguous);
        let sizes = self.sizes(&inputs[0], &inputs[1]);
        let [queries, keys] = [sizes.time, sizes.keys].map(|time| Layout::heads(sizes, time));
        let [q, k, v] = inputs.each_ref().map(values);
        let views = [(q, queries), (k, keys), (v, keys)].map(|(values, layout)| View { values, layout });
        let mut output = unwritten(q.len());
        let out = Target { values: Shared(output.as_mut_ptr()), layout: queries };
        let log_sums = Arc::new(sizes.forward(views, out));
        let output = from_vec(output, inputs[0].layout().shape().clone());
        (output.clone(), Saved { inputs, output, log_sums })
    }

    fn backward(self, saved: Saved<3>, grad: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let Saved { inputs, output, log_sums } = saved;
        let grad = contiguous(grad);
        let sizes = self.sizes(&inputs[0], &inputs[1]);
        let [queries, keys] = [sizes.time, sizes.keys].map(|time| Layout::heads(sizes, time));
        let mut found = inputs.each_ref().map(|t| unwritten(values(t).len()));
        let layouts = [queries, keys, keys];
        let targets: [Target; 3] =
            std::array::from_fn(|i| Target { values: Shared(found[i].as_mut_ptr()), layout: layouts[i] });
        let [q, k, v] = inputs.each_ref().map(values);
        let views =
            [(q, queries), (k, keys), (v, keys), (values(&output), queries), (values(&grad), queries)];
        sizes.backward(views.map(|(values, layout)| View { values, layout }), &log_sums, targets);
        let mut found = found.into_iter().zip(&inputs).map(|(v, t)| from_vec(v, t.layout().shape().clone()));
        std::array::from_fn(|_| found.next())
    }
}

impl SelfAttention {
    /// With the layouts of the input and of the output.
    fn sizes(self, qkv: &FlexTensor) -> (Sizes, [Layout; 2]) {
        let [rows, all] = dims(qkv);
        let (time, width) = (rows / self.batch, all / 3);
        let Self { batch, heads, causal } = self;
        let sizes = Sizes { batch, heads, time, keys: time, d: width / heads, causal };
        (sizes, [all, width].map(|width| Layout::rows(sizes, width)))
    }
}

impl Fused<1> for SelfAttention {
    type Saved = Saved<1>;

    fn forward(&self, [qkv]: [FlexTensor; 1]) -> (FlexTensor, Saved<1>) {
        let qkv = contiguous(qkv);
        let (sizes, [layout, out_layout]) = self.sizes(&qkv);
        let width = out_layout.row;
        let views = [0, 1, 2].map(|i| View { values: &values(&qkv)[i * width..], layout });
        let mut output = unwritten(sizes.batch * sizes.time * width);
        let out = Target { values: Shared(output.as_mut_ptr()), layout: out_layout };
        let log_sums = Arc::new(sizes.forward(views, out));
        let output = from_vec(output, [sizes.batch * sizes.time, width]);
        (output.clone(), Saved { inputs: [qkv], output, log_sums })
    }

    fn backward(self, saved: Saved<1>, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Saved { inputs: [qkv], output, log_sums } = saved;
        let grad = contiguous(grad);
        let (sizes, [layout, out_layout]) = self.sizes(&qkv);
        let width = out_layout.row;
        let [q, k, v] = [0, 1, 2].map(|i| View { values: &values(&qkv)[i * width..], layout });
        let [o, g] = [&output, &grad].map(|t| View { values: values(t), layout: out_layout });
        let mut found = unwritten(values(&qkv).len());
        let all = Shared(found.as_mut_ptr());
        // SAFETY: the three parts of the first row.
        let targets = [0, 1, 2].map(|i| Target { values: Shared(unsafe { all.at(i * width) }), layout });
        sizes.backward([q, k, v, o, g], &log_sums, targets);
        [Some(from_vec(found, qkv.layout().shape().clone()))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::kernels::{
        attention, composite, self_attention,
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
    fn on_rows_equals_the_composite() {
        for (batch, heads, time, d, causal) in
            [(1, 1, 1, 1, true), (2, 3, 65, 8, true), (3, 2, 70, 5, false), (1, 2, 3, 2, true)]
        {
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
            if batch * time * width < 20 {
                case.check_differences();
            }
        }
        let none = Tensor::<2>::zeros([0, 12], &burn::tensor::Device::flex());
        assert_eq!(self_attention(none, 0, 2, true).dims(), [0, 4]);
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
