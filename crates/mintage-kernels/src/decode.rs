//! Attention of one new position to all before it: a step of generation.
//!
//! `y = softmax(q Kᵀ / √d) V` for a single query a head. Keys and values lie one position behind the other
//! and only ever grow, so that a step writes one position and reads the rest once.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{contiguous, dims, from_vec, raw, supported, values, wrap};
use super::math::{exp, largest, sum};
use super::memory::unwritten;
use super::simd::multiversion;
use super::{composite, memory};

/// Keys and values of one layer, of the positions seen so far.
#[derive(Clone, Debug, Default)]
pub struct KvLayer {
    /// On the CPU: `[time][n · width]`.
    keys: Vec<f32>,
    values: Vec<f32>,
    /// On other devices: both `[n, heads, time, width / heads]`.
    elsewhere: Option<(Tensor<4>, Tensor<4>)>,
}

impl KvLayer {
    /// Those of the first positions: rows `[n · time, 3 · width]` of `n` sequences.
    pub fn of(qkv: Tensor<2>, n: usize, heads: usize) -> Self {
        if !supported(&qkv) {
            return Self { elsewhere: Some(composite::keys_and_values(qkv, n, heads)), ..Self::default() };
        }
        let qkv = contiguous(raw(qkv));
        let [rows, three] = dims(&qkv);
        let (time, width, all) = (rows / n, three / 3, values(&qkv));
        let part = |first: usize| {
            let place = move |i: usize| (i % n * time + i / n) * three + first;
            (0..rows).flat_map(move |i| &all[place(i)..][..width]).copied().collect()
        };
        Self { keys: part(width), values: part(2 * width), elsewhere: None }
    }
}

/// Queries, keys and values of the next position, `qkv [n, 3 · width]` → what it attends to, `[n, width]`.
/// Has no gradient.
pub fn attend_next(qkv: Tensor<2>, heads: usize, cache: &mut KvLayer) -> Tensor<2> {
    if !supported(&qkv) {
        return composite::attend_next(qkv, heads, &mut cache.elsewhere);
    }
    let qkv = contiguous(raw(qkv));
    let [n, three] = dims(&qkv);
    let (width, rows) = (three / 3, values(&qkv));
    for row in rows.chunks_exact(three) {
        cache.keys.extend_from_slice(&row[width..2 * width]);
        cache.values.extend_from_slice(&row[2 * width..]);
    }
    let (d, time) = (width / heads, cache.keys.len() / (n * width));
    let mut out = unwritten(n * width);
    let tasks = memory::items_a_task(time * d);
    out.par_chunks_mut(d).with_min_len(tasks).enumerate().for_each_init(
        || vec![0.0; time],
        |scores, (index, out)| {
            let q = &rows[index / heads * three + index % heads * d..][..d];
            attend(q, &cache.keys[index * d..], &cache.values[index * d..], n * width, scores, out);
        },
    );
    wrap(from_vec(out, [n, width]))
}

multiversion! {
    /// One query of one head; its keys and values are `stride` apart.
    fn attend(q: &[f32], keys: &[f32], values: &[f32], stride: usize, scores: &mut [f32], out: &mut [f32]) {
        let (d, scale) = (q.len(), 1.0 / (q.len() as f32).sqrt());
        for (t, score) in scores.iter_mut().enumerate() {
            *score = scale * sum([q, &keys[t * stride..][..d]], |[q, k]| q * k);
        }
        let top = largest(scores);
        scores.iter_mut().for_each(|score| *score = exp(*score - top));
        let factor = 1.0 / sum([&*scores], |[p]| p);
        out.fill(0.0);
        for (t, p) in scores.iter().enumerate() {
            let v = &values[t * stride..][..d];
            out.iter_mut().zip(v).for_each(|(out, v)| *out += factor * p * v);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tolerance};

    use super::*;
    use crate::testing::noise_tensor;

    #[test]
    fn equals_the_composite() {
        for (n, heads, d) in [(1, 1, 1), (3, 2, 5), (2, 4, 32), (70, 3, 16)] {
            let (mut fused, mut plain) = (KvLayer::default(), None);
            for stream in 0..5 {
                let qkv: Tensor<2> = noise_tensor([n, 3 * heads * d], stream);
                // A view that is not contiguous.
                let view = qkv.transpose().to_owned().transpose();
                let a = attend_next(view.clone(), heads, &mut fused);
                let b = composite::attend_next(view, heads, &mut plain);
                a.into_data().assert_approx_eq::<f32>(&b.into_data(), Tolerance::absolute(1e-5));
            }
        }
    }

    #[test]
    fn positions_at_once_equal_positions_one_by_one() {
        let (n, heads, time, width) = (3, 2, 5, 8);
        let all: Tensor<2> = noise_tensor([n * time, 3 * width], 0);
        let next: Tensor<2> = noise_tensor([n, 3 * width], 1);
        let mut one_by_one = KvLayer::default();
        for t in 0..time {
            let rows = (0..n).map(|row| all.clone().narrow(0, row * time + t, 1)).collect();
            attend_next(Tensor::cat(rows, 0), heads, &mut one_by_one);
        }
        let wanted = attend_next(next.clone(), heads, &mut one_by_one).into_data();
        let found = attend_next(next.clone(), heads, &mut KvLayer::of(all.clone(), n, heads));
        found.into_data().assert_eq(&wanted, true);
        let mut plain = Some(composite::keys_and_values(all, n, heads));
        let found = composite::attend_next(next, heads, &mut plain);
        found.into_data().assert_approx_eq::<f32>(&wanted, Tolerance::absolute(1e-5));
    }

    #[test]
    fn no_row_is_no_row() {
        let qkv = Tensor::<2>::zeros([0, 12], &Device::flex());
        assert_eq!(attend_next(qkv, 2, &mut KvLayer::default()).dims(), [0, 4]);
    }
}
