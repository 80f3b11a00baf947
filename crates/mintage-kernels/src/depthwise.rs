//! Depthwise convolution over time, on rows: each channel with a filter of its own (ConvNeXt, Liu et al.,
//! arXiv:2201.03545, along one axis).
//!
//! ```text
//! y[t, c] = b[c] + Σ_j w[j, c] x[t + j − (k − 1)/2, c]     x is 0 outside of its sequence
//! dx[s]   = Σ_j w[j] g[s − j + (k − 1)/2]     dw[j] = Σ_t g[t] x[t + j − (k − 1)/2]     db = Σ_t g[t]
//! ```

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::{add_in_order, filled_rows, parts};
use super::simd::multiversion;

/// On `[x, weight, bias]`: `[n · time, c]`, `[k, c]` with odd `k`, `[c]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depthwise {
    pub time: usize,
}

multiversion! {
    fn add_product(x: &[f32], w: &[f32], y: &mut [f32]) {
        x.iter().zip(w).zip(y).for_each(|((x, w), y)| *y += x * w);
    }
}

impl Depthwise {
    /// The row that tap `j` of `k` reads for `row`, or writes to where `back`; none outside of the sequence.
    fn other(self, row: usize, j: usize, k: usize, back: bool) -> Option<usize> {
        let (start, t) = (row / self.time * self.time, row % self.time);
        let at = match back {
            false => (t + j).checked_sub(k / 2)?,
            true => (t + k / 2).checked_sub(j)?,
        };
        (at < self.time).then_some(start + at)
    }

    /// Each row from those around it.
    fn gathered(self, v: &[f32], w: &[f32], bias: Option<&[f32]>, c: usize, back: bool) -> Vec<f32> {
        let k = w.len() / c;
        filled_rows(v.len() / c, c, |row, y| {
            match bias {
                Some(bias) => y.copy_from_slice(bias),
                None => y.fill(0.0),
            }
            for (j, w) in w.chunks_exact(c).enumerate() {
                if let Some(from) = self.other(row, j, k, back) {
                    add_product(&v[from * c..][..c], w, y);
                }
            }
        })
    }
}

impl Fused<3> for Depthwise {
    /// Input and weight.
    type Saved = [FlexTensor; 2];

    fn forward(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, Self::Saved) {
        let [x, weight, bias] = inputs.map(contiguous);
        let [rows, c] = dims(&x);
        let y = self.gathered(values(&x), values(&weight), Some(values(&bias)), c, false);
        (from_vec(y, [rows, c]), [x, weight])
    }

    fn backward(
        self,
        [x, weight]: Self::Saved,
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = contiguous(grad);
        let ([rows, c], [k, _]) = (dims(&x), dims(&weight));
        let (v, w, g) = (values(&x), values(&weight), values(&grad));
        let dx = wanted[0].then(|| from_vec(self.gathered(g, w, None, c, true), [rows, c]));
        // The gradients of the taps, then that of the bias.
        let sums = parts(rows).into_par_iter().map(|rows| {
            let (mut sums, ones) = (vec![0.0; (k + 1) * c], vec![1.0; c]);
            let (taps, bias) = sums.split_at_mut(k * c);
            for row in rows {
                let g = &g[row * c..][..c];
                add_product(g, &ones, bias);
                for (j, sum) in taps.chunks_exact_mut(c).enumerate() {
                    if let Some(from) = self.other(row, j, k, false) {
                        add_product(g, &v[from * c..][..c], sum);
                    }
                }
            }
            sums
        });
        let mut dw = add_in_order(sums.collect());
        let dbias = dw.split_off(k * c);
        [dx, Some(from_vec(dw, [k, c])), Some(from_vec(dbias, [c]))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        composite,
        testing::{Case, noise},
    };

    #[test]
    fn equals_the_composite() {
        for (n, time, c, k) in [(1, 1, 1, 1), (2, 3, 2, 5), (2, 6, 3, 3), (3, 40, 33, 7)] {
            let taps = |v: &[Tensor<1>]| (v[1].clone().reshape([k, c]), v[2].clone());
            let rows = |v: &[Tensor<1>]| v[0].clone().reshape([n * time, c]);
            let case = Case {
                name: format!("{n}x{time}x{c}, {k} taps"),
                inputs: vec![noise(n * time * c, 1), noise(k * c, 2), noise(c, 3)],
                fused: &|v| {
                    let (weight, bias) = taps(v);
                    crate::depthwise_time(rows(v), weight, bias, time).flatten(0, 1)
                },
                composite: &|v| {
                    let (weight, bias) = taps(v);
                    composite::depthwise_time(rows(v), weight, bias, time).flatten(0, 1)
                },
                tolerance: 2e-6,
            };
            case.check();
            if n * time < 20 {
                case.check_differences();
            }
        }
    }
}
