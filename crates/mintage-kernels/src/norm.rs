#![allow(unsafe_code)] // Tasks write disjoint parts of memory that was not cleared first.
//! Group normalisation, alone or followed by SiLU, and layer normalisation.
//!
//! ```text
//! x̂ = (x − μ) / √(σ² + ε)     over the m values of a group (a row, for layer norm)
//! z = γ x̂ + β                 y = z, or z σ(z)
//! dγ = Σ dz x̂    dβ = Σ dz    dx = (γ dz − mean(γ dz) − x̂ mean(γ dz x̂)) / √(σ² + ε)
//! ```
//!
//! A group is small enough for the first-level cache, so its passes cost one read of memory. Backward
//! keeps `x` and recomputes `x̂` from the saved mean and scale.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::{sigmoid, sum};
use super::memory::{Shared, add_in_order, items_a_task, parts, unwritten};
use super::pointwise::silu_slope;
use super::simd::multiversion;

/// Group norm of `[x, gain, bias]`, `x [n, c, h, w]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupNorm {
    pub groups: usize,
    pub eps: f32,
    pub silu: bool,
}

/// Layer norm of `[x, gain, bias]`, `x [n, d]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerNorm {
    pub eps: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Saved {
    x: FlexTensor,
    gain: FlexTensor,
    bias: FlexTensor,
    /// `μ` and `1 / √(σ² + ε)` of each group or row.
    stats: Arc<Vec<[f32; 2]>>,
}

multiversion! {
    fn moments(x: &[f32], eps: f32) -> [f32; 2] {
        let count = x.len() as f32;
        let mean = sum([x], |[x]| x) / count;
        let var = sum([x], |[x]| (x - mean) * (x - mean)) / count;
        [mean, 1.0 / (var + eps).sqrt()]
    }
}

multiversion! {
    /// One channel: `y = a x + b`, through SiLU or not.
    fn scale_channel(x: &[f32], a: f32, b: f32, silu: bool, y: &mut [f32]) {
        if silu {
            x.iter().zip(y).for_each(|(&x, y)| {
                let z = a * x + b;
                *y = z * sigmoid(z);
            });
        } else {
            x.iter().zip(y).for_each(|(&x, y)| *y = a * x + b);
        }
    }
}

multiversion! {
    /// `dz` of one channel into `dz`; returns `Σ dz` and `Σ dz x̂`.
    fn channel_sums(x: &[f32], g: &[f32], stats: [f32; 2], affine: [f32; 2], silu: bool, dz: &mut [f32]) -> [f32; 2] {
        let ([mean, rstd], [gain, bias]) = (stats, affine);
        if silu {
            x.iter().zip(g).zip(dz.iter_mut()).for_each(|((&x, g), dz)| {
                *dz = g * silu_slope((x - mean) * rstd * gain + bias);
            });
        } else {
            dz.copy_from_slice(g);
        }
        let dz = &*dz;
        [sum([dz], |[dz]| dz), sum([dz, x], |[dz, x]| dz * (x - mean)) * rstd]
    }
}

multiversion! {
    /// `dx = a dz + b x + c` in place of `dz`.
    fn finish_channel(x: &[f32], factors: [f32; 3], dx: &mut [f32]) {
        let [a, b, c] = factors;
        x.iter().zip(dx).for_each(|(&x, dx)| *dx = a * *dx + b * x + c);
    }
}

impl Fused<3> for GroupNorm {
    type Saved = Saved;

    fn forward(&self, [x, gain, bias]: [FlexTensor; 3]) -> (FlexTensor, Saved) {
        let (x, gain, bias) = (contiguous(x), contiguous(gain), contiguous(bias));
        let [n, c, h, w] = dims(&x);
        let (pixels, channels) = (h * w, c / self.groups);
        let (v, gains, biases) = (values(&x), values(&gain), values(&bias));
        let mut y = unwritten(v.len());
        let mut stats = vec![[0.0; 2]; n * self.groups];
        let out = Shared(y.as_mut_ptr());
        let size = items_a_task(channels * pixels);
        stats.par_chunks_mut(size).enumerate().for_each(|(task, stats)| {
            for (i, stats) in stats.iter_mut().enumerate() {
                let group = task * size + i;
                let start = group * channels * pixels;
                *stats = moments(&v[start..start + channels * pixels], self.eps);
                let [mean, rstd] = *stats;
                for channel in 0..channels {
                    let c = group % self.groups * channels + channel;
                    let start = start + channel * pixels;
                    // SAFETY: groups are disjoint.
                    let y = unsafe { out.slice(start, pixels) };
                    let a = gains[c] * rstd;
                    scale_channel(&v[start..start + pixels], a, biases[c] - mean * a, self.silu, y);
                }
            }
        });
        let y = from_vec(y, [n, c, h, w]);
        (y, Saved { x, gain, bias, stats: Arc::new(stats) })
    }

    fn backward(self, saved: Saved, grad: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let Saved { x, gain, bias, stats } = saved;
        let grad = contiguous(grad);
        let [n, c, h, w] = dims(&x);
        let (pixels, channels) = (h * w, c / self.groups);
        let (v, g, gains, biases) = (values(&x), values(&grad), values(&gain), values(&bias));
        let mut dx = unwritten(v.len());
        let out = Shared(dx.as_mut_ptr());
        // `Σ dz` and `Σ dz x̂` of each image and channel.
        let mut sums = vec![[0.0f32; 2]; n * c];
        let size = items_a_task(channels * pixels);
        sums.par_chunks_mut(size * channels).enumerate().for_each(|(task, sums)| {
            for (i, sums) in sums.chunks_exact_mut(channels).enumerate() {
                let group = task * size + i;
                let [mean, rstd] = stats[group];
                let first = group % self.groups * channels;
                let span = |channel: usize| (group * channels + channel) * pixels;
                let mut means = [0.0; 2];
                for (channel, sums) in sums.iter_mut().enumerate() {
                    let (start, c) = (span(channel), first + channel);
                    let at = start..start + pixels;
                    // SAFETY: groups are disjoint.
                    let dz = unsafe { out.slice(start, pixels) };
                    *sums = channel_sums(
                        &v[at.clone()],
                        &g[at],
                        [mean, rstd],
                        [gains[c], biases[c]],
                        self.silu,
                        dz,
                    );
                    means[0] += gains[c] * sums[0] / (channels * pixels) as f32;
                    means[1] += gains[c] * sums[1] / (channels * pixels) as f32;
                }
                for channel in 0..channels {
                    let start = span(channel);
                    // SAFETY: groups are disjoint.
                    let dx = unsafe { out.slice(start, pixels) };
                    let b = -rstd * rstd * means[1];
                    let factors = [rstd * gains[first + channel], b, -rstd * means[0] - b * mean];
                    finish_channel(&v[start..start + pixels], factors, dx);
                }
            }
        });
        let (mut dgain, mut dbias) = (vec![0.0; c], vec![0.0; c]);
        for sums in sums.chunks_exact(c) {
            for (i, [z, zx]) in sums.iter().enumerate() {
                dbias[i] += z;
                dgain[i] += zx;
            }
        }
        [Some(from_vec(dx, [n, c, h, w])), Some(from_vec(dgain, [c])), Some(from_vec(dbias, [c]))]
    }
}

multiversion! {
    fn scale_row(x: &[f32], stats: [f32; 2], gain: &[f32], bias: &[f32], y: &mut [f32]) {
        let [mean, rstd] = stats;
        x.iter().zip(gain).zip(bias).zip(y).for_each(|(((x, gain), bias), y)| *y = (x - mean) * rstd * gain + bias);
    }
}

multiversion! {
    /// `dx` of one row; adds its share to `dgain` and `dbias`.
    fn row_gradients(x: &[f32], g: &[f32], stats: [f32; 2], gain: &[f32], dx: &mut [f32], dgain: &mut [f32], dbias: &mut [f32]) {
        let ([mean, rstd], count) = (stats, x.len() as f32);
        let (g, gain) = (&g[..x.len()], &gain[..x.len()]);
        let mean_g = sum([gain, g], |[gain, g]| gain * g) / count;
        let mean_gx = sum([gain, g, x], |[gain, g, x]| gain * g * (x - mean)) * rstd / count;
        let (dx, dgain, dbias) = (&mut dx[..x.len()], &mut dgain[..x.len()], &mut dbias[..x.len()]);
        for i in 0..x.len() {
            let hat = (x[i] - mean) * rstd;
            dx[i] = rstd * (gain[i] * g[i] - mean_g - hat * mean_gx);
            dgain[i] += g[i] * hat;
            dbias[i] += g[i];
        }
    }
}

impl Fused<3> for LayerNorm {
    type Saved = Saved;

    fn forward(&self, [x, gain, bias]: [FlexTensor; 3]) -> (FlexTensor, Saved) {
        let (x, gain, bias) = (contiguous(x), contiguous(gain), contiguous(bias));
        let [n, d] = dims(&x);
        let (v, gains, biases) = (values(&x), values(&gain), values(&bias));
        let (mut y, mut stats) = (unwritten(n * d), vec![[0.0; 2]; n]);
        let (out, size) = (Shared(y.as_mut_ptr()), items_a_task(d));
        stats.par_chunks_mut(size).enumerate().for_each(|(task, stats)| {
            for (i, stats) in stats.iter_mut().enumerate() {
                let start = (task * size + i) * d;
                let row = &v[start..start + d];
                *stats = moments(row, self.eps);
                // SAFETY: rows are disjoint.
                scale_row(row, *stats, gains, biases, unsafe { out.slice(start, d) });
            }
        });
        (from_vec(y, [n, d]), Saved { x, gain, bias, stats: Arc::new(stats) })
    }

    fn backward(self, saved: Saved, grad: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let Saved { x, gain, stats, .. } = saved;
        let grad = contiguous(grad);
        let [n, d] = dims(&x);
        let (v, g, gains) = (values(&x), values(&grad), values(&gain));
        let mut dx = unwritten(n * d);
        let out = Shared(dx.as_mut_ptr());
        let sums = parts(n).into_par_iter().map(|rows| {
            let (mut dgain, mut dbias) = (vec![0.0; d], vec![0.0; d]);
            for row in rows {
                let at = row * d..(row + 1) * d;
                // SAFETY: rows are disjoint.
                let dx = unsafe { out.slice(row * d, d) };
                row_gradients(&v[at.clone()], &g[at], stats[row], gains, dx, &mut dgain, &mut dbias);
            }
            (dgain, dbias)
        });
        let (dgain, dbias): (Vec<_>, Vec<_>) = sums.collect::<Vec<_>>().into_iter().unzip();
        let [dgain, dbias] = [dgain, dbias].map(|parts| Some(from_vec(add_in_order(parts), [d])));
        [Some(from_vec(dx, [n, d])), dgain, dbias]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        composite,
        testing::{Case, noise},
    };

    fn inputs(len: usize, channels: usize) -> Vec<Vec<f32>> {
        let x = noise(len, 1).into_iter().map(|v| 2.0 * v + 0.5).collect();
        vec![x, noise(channels, 2), noise(channels, 3)]
    }

    #[test]
    fn group_norms_equal_the_composites() {
        for (n, c, h, w, groups) in
            [(1, 1, 1, 2, 1), (2, 6, 5, 3, 2), (3, 8, 7, 7, 8), (2, 12, 9, 4, 1), (5, 64, 9, 9, 8)]
        {
            for silu in [false, true] {
                let image = |v: &Tensor<1>| v.clone().reshape([n, c, h, w]);
                let case = Case {
                    name: format!("{n}x{c}x{h}x{w} in {groups} groups, silu {silu}"),
                    inputs: inputs(n * c * h * w, c),
                    fused: &|v| {
                        let f = if silu { crate::group_norm_silu } else { crate::group_norm };
                        f(image(&v[0]), v[1].clone(), v[2].clone(), groups, 1e-5).flatten(0, 3)
                    },
                    composite: &|v| {
                        let f = if silu { composite::group_norm_silu } else { composite::group_norm };
                        f(image(&v[0]), v[1].clone(), v[2].clone(), groups, 1e-5).flatten(0, 3)
                    },
                    tolerance: 2e-5,
                };
                case.check();
                if n * c < 20 {
                    case.check_differences();
                }
            }
        }
    }

    #[test]
    fn layer_norm_equals_the_composite() {
        for (n, d) in [(1, 2), (3, 5), (7, 64), (1000, 33)] {
            let case = Case {
                name: format!("{n}x{d}"),
                inputs: inputs(n * d, d),
                fused: &|v| {
                    crate::layer_norm(v[0].clone().reshape([n, d]), v[1].clone(), v[2].clone(), 1e-5)
                        .flatten(0, 1)
                },
                composite: &|v| {
                    composite::layer_norm(v[0].clone().reshape([n, d]), v[1].clone(), v[2].clone(), 1e-5)
                        .flatten(0, 1)
                },
                tolerance: 2e-5,
            };
            case.check();
            if n < 5 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn views_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(240, 1).as_slice(), &device).reshape([2, 5, 4, 6]);
        let (gain, bias) = (Tensor::<1>::ones([6], &device), Tensor::<1>::zeros([6], &device));
        let view = x.permute([0, 3, 1, 2]).slice([0..2, 0..6, 1..4, 0..4]);
        let copy = Tensor::<4>::from_data(view.to_data(), &device);
        let [a, b] =
            [view, copy].map(|x| crate::group_norm_silu(x, gain.clone(), bias.clone(), 3, 1e-5).into_data());
        a.assert_eq(&b, true);
        let none = crate::group_norm(Tensor::zeros([0, 6, 2, 2], &device), gain, bias, 2, 1e-5);
        assert_eq!(none.dims(), [0, 6, 2, 2]);
    }
}
