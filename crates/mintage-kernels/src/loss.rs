//! Losses, each in one pass forward and one backward.
//!
//! ```text
//! mse(x, y) = Σ (x − y)² / n                      dx = 2 g (x − y) / n    dy = −dx
//! bernoulli(l, t) = Σ softplus(l) − l t           dl = g (σ(l) − t)    dt = −g l
//! cross_entropy(l, k) = ln Σ exp(l) − l_k         dl = g (softmax(l) − 1_k)
//! ```

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::{exp, largest, sigmoid, softplus_tail, sum};
use super::memory::{filled, filled_rows, items_a_task};
use super::simd::multiversion;

/// On `[x, y]` of one shape; one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeanSquaredError;

/// On `[logits, targets]`, both `[n, d]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct BernoulliNll;

/// On `[logits]`, `[n, classes]`, with one class a row.
#[derive(Clone, Debug)]
pub(super) struct CrossEntropy {
    pub targets: Arc<Vec<usize>>,
}

multiversion! {
    fn squared_distance(x: &[f32], y: &[f32]) -> f32 {
        sum([x, y], |[x, y]| (x - y) * (x - y))
    }
}

multiversion! {
    fn scaled_difference(x: &[f32], y: &[f32], factor: f32, out: &mut [f32]) {
        x.iter().zip(y).zip(out).for_each(|((x, y), out)| *out = factor * (x - y));
    }
}

impl Fused<2> for MeanSquaredError {
    type Saved = [FlexTensor; 2];

    fn forward(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        let inputs = inputs.map(contiguous);
        let [x, y] = inputs.each_ref().map(values);
        // Chunks do not depend on the number of threads.
        let chunks = x.par_chunks(items_a_task(1)).zip(y.par_chunks(items_a_task(1)));
        let sums: Vec<f32> = chunks.map(|(x, y)| squared_distance(x, y)).collect();
        let sum: f64 = sums.into_iter().map(f64::from).sum();
        (from_vec(vec![(sum / x.len() as f64) as f32], [1]), inputs)
    }

    fn backward(
        self,
        inputs: [FlexTensor; 2],
        grad: FlexTensor,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let [x, y] = inputs.each_ref().map(values);
        let factor = 2.0 * values(&contiguous(grad))[0] / x.len() as f32;
        let gradient = |factor: f32| {
            let out = filled(x.len(), items_a_task(1), |chunk, out| {
                scaled_difference(&x[chunk.clone()], &y[chunk], factor, out);
            });
            from_vec(out, inputs[0].layout().shape().clone())
        };
        [wanted[0].then(|| gradient(factor)), wanted[1].then(|| gradient(-factor))]
    }
}

multiversion! {
    fn bernoulli_row(logits: &[f32], targets: &[f32]) -> f32 {
        sum([logits, targets], |[l, t]| {
            // Large parts first: they cancel exactly where the target is 0 or 1.
            let positive = if l < 0.0 { 0.0 } else { l };
            (positive - l * t) + softplus_tail(l)
        })
    }
}

multiversion! {
    fn bernoulli_gradient(logits: &[f32], targets: &[f32], g: f32, out: &mut [f32]) {
        logits.iter().zip(targets).zip(out).for_each(|((&l, t), out)| *out = g * (sigmoid(l) - t));
    }
}

impl Fused<2> for BernoulliNll {
    type Saved = [FlexTensor; 2];

    fn forward(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        let inputs = inputs.map(contiguous);
        let [n, d] = dims(&inputs[0]);
        let [logits, targets] = [values(&inputs[0]), values(&inputs[1])];
        let rows = logits.par_chunks(d).zip(targets.par_chunks(d)).with_min_len(items_a_task(d));
        let losses: Vec<f32> = rows.map(|(logits, targets)| bernoulli_row(logits, targets)).collect();
        (from_vec(losses, [n]), inputs)
    }

    fn backward(
        self,
        saved: [FlexTensor; 2],
        grad: FlexTensor,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let grad = contiguous(grad);
        let [n, d] = dims(&saved[0]);
        let ([logits, targets], g) = ([values(&saved[0]), values(&saved[1])], values(&grad));
        let gradient = |row_gradient: &(dyn Fn(usize, &mut [f32]) + Sync)| {
            Some(from_vec(filled_rows(n, d, row_gradient), [n, d]))
        };
        let at = |row: usize| row * d..(row + 1) * d;
        let for_logits = |row: usize, out: &mut [f32]| {
            bernoulli_gradient(&logits[at(row)], &targets[at(row)], g[row], out)
        };
        let for_targets = |row: usize, out: &mut [f32]| {
            logits[at(row)].iter().zip(out).for_each(|(l, out)| *out = -g[row] * l);
        };
        [
            if wanted[0] { gradient(&for_logits) } else { None },
            if wanted[1] { gradient(&for_targets) } else { None },
        ]
    }
}

multiversion! {
    /// The largest logit `top`, and `Σ exp(l − top)`.
    pub(super) fn top_and_sum(logits: &[f32]) -> [f32; 2] {
        let top = largest(logits);
        [top, sum([logits], |[l]| exp(l - top))]
    }
}

multiversion! {
    /// `g · softmax` of logits whose largest and sum are known. What is next to nothing becomes nothing: products
    /// of matrices with numbers below the smallest normal one take ten times as long.
    pub(super) fn softmax_row(logits: &[f32], stats: [f32; 2], g: f32, out: &mut [f32]) {
        const NOTHING: f32 = 1e-25;
        let [top, sum] = stats;
        let factor = g / sum;
        logits.iter().zip(out).for_each(|(l, out)| {
            let e = exp(l - top);
            *out = if e < NOTHING { 0.0 } else { factor * e };
        });
    }
}

impl Fused<1> for CrossEntropy {
    /// The logits, and of each row the largest and the sum relative to it.
    type Saved = (FlexTensor, Arc<Vec<[f32; 2]>>);

    fn forward(&self, [logits]: [FlexTensor; 1]) -> (FlexTensor, Self::Saved) {
        let logits = contiguous(logits);
        let [n, classes] = dims(&logits);
        let (v, targets) = (values(&logits), &self.targets);
        let rows = v.par_chunks(classes).with_min_len(items_a_task(classes));
        let stats: Vec<[f32; 2]> = rows.map(top_and_sum).collect();
        let loss =
            |row: usize| stats[row][0] - v[row * classes..][..classes][targets[row]] + stats[row][1].ln();
        (from_vec((0..n).map(loss).collect(), [n]), (logits, Arc::new(stats)))
    }

    fn backward(
        self,
        (logits, stats): Self::Saved,
        grad: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let [n, classes] = dims(&logits);
        let (v, g) = (values(&logits), values(&grad));
        let out = filled_rows(n, classes, |row, out| {
            softmax_row(&v[row * classes..][..classes], stats[row], g[row], out);
            out[self.targets[row]] -= g[row];
        });
        [Some(from_vec(out, [n, classes]))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int, Tensor, TensorData};

    use crate::{
        composite,
        testing::{Case, noise},
    };

    #[test]
    fn mean_squared_error_equals_the_composite() {
        for len in [1, 7, 100, 20_000] {
            let case = Case {
                name: format!("squared error of {len}"),
                inputs: vec![noise(len, 1), noise(len, 2)],
                fused: &|v| crate::mean_squared_error(v[0].clone(), v[1].clone()),
                composite: &|v| composite::mean_squared_error(v[0].clone(), v[1].clone()),
                tolerance: 1e-6,
            };
            case.check();
            if len < 10 {
                case.check_differences();
            }
        }
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(24, 1).as_slice(), &device).reshape([4, 6]);
        let (view, other) = (x.clone().transpose(), Tensor::<2>::ones([6, 4], &device));
        let copy = Tensor::<2>::from_data(view.to_data(), &device);
        let [a, b] = [view, copy].map(|x| crate::mean_squared_error(x, other.clone()).into_data());
        a.assert_eq(&b, true);
    }

    #[test]
    fn bernoulli_equals_the_composite() {
        for (n, d) in [(1, 1), (3, 7), (5, 784), (100, 100)] {
            let logits = noise(n * d, 1).into_iter().map(|v| 6.0 * v).collect();
            let targets = noise(n * d, 2).into_iter().map(|v| v.abs().min(1.0)).collect();
            let rows = |v: &Tensor<1>| v.clone().reshape([n, d]);
            let case = Case {
                name: format!("{n}x{d}"),
                inputs: vec![logits, targets],
                fused: &|v| crate::bernoulli_nll(rows(&v[0]), rows(&v[1])),
                composite: &|v| {
                    // Written out: the composite's softplus overflows for large logits.
                    let (l, t) = (rows(&v[0]), rows(&v[1]));
                    let softplus = l.clone().clamp_min(0.0) + (l.clone().abs().neg().exp() + 1.0).log();
                    (softplus - l * t).sum_dim(1).reshape([n])
                },
                tolerance: 2e-6,
            };
            case.check();
            if n * d < 50 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn cross_entropy_equals_the_composite() {
        for (n, classes) in [(1, 2), (4, 5), (33, 1000)] {
            let targets = |device: &Device| {
                let classes: Vec<i64> = (0..n as i64).map(|i| i * 7 % classes as i64).collect();
                Tensor::<1, Int>::from_data(TensorData::new(classes, [n]), device)
            };
            let case = Case {
                name: format!("{n}x{classes}"),
                inputs: vec![noise(n * classes, 1).into_iter().map(|v| 5.0 * v).collect()],
                fused: &|v| crate::cross_entropy(v[0].clone().reshape([n, classes]), targets(&v[0].device())),
                composite: &|v| {
                    composite::cross_entropy(v[0].clone().reshape([n, classes]), targets(&v[0].device()))
                },
                tolerance: 2e-6,
            };
            case.check();
            if n < 10 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn large_logits_and_the_empty_batch() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[80.0, -80.0, 500.0]], &device);
        let loss = crate::bernoulli_nll(logits.clone(), Tensor::from_floats([[1.0, 0.0, 1.0]], &device));
        assert!(loss.into_scalar::<f32>().abs() < 1e-4);
        let loss = crate::cross_entropy(logits, Tensor::<1, Int>::from_ints([1], &device));
        assert!((loss.into_scalar::<f32>() - 580.0).abs() < 1e-3);
        assert_eq!(
            crate::bernoulli_nll(Tensor::zeros([0, 4], &device), Tensor::zeros([0, 4], &device)).dims(),
            [0]
        );
    }
}
