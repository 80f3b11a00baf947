//! Vector quantizers: from continuous vectors to a finite set of codes, with a gradient.
//!
//! [`Codebook`] learns its vectors by moving averages (van den Oord et al., arXiv:1711.00937, appendix
//! A.1), starts from k-means and brings dead codes back to life; [`Fsq`] has no codebook at all: it
//! rounds each dimension to a few levels (Mentzer et al., arXiv:2309.15505).

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Part, Rng, TensorMap, WeightsError,
    kernels::{mean_squared_error, tanh},
    layers::with_numbers,
    weights::to_vec,
};

/// How the gradient passes the rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GradientEstimator {
    /// The gradient of the code is given to the vector unchanged.
    StraightThrough,
    /// The vector is rotated and scaled onto its code by a constant matrix (Fifty et al., arXiv:2410.06424).
    Rotation,
}

/// Codes of a batch and their vectors.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// One code a row.
    pub codes: Vec<u32>,
    /// `[n, d]`, carries the gradient to the input.
    pub vectors: Tensor<2>,
    /// Mean squared distance of the input to its (constant) code: the commitment loss, `[1]`.
    pub commitment: Tensor<1>,
}

/// A learned codebook of `size` vectors of `d` dimensions, kept on the host: it has no gradient.
#[derive(Clone, Debug)]
pub struct Codebook {
    size: usize,
    d: usize,
    vectors: Vec<f32>,
    /// Moving averages of how many inputs fell on a code, and of their sum.
    counts: Vec<f32>,
    sums: Vec<f32>,
    initialised: bool,
}

/// Decay of the moving averages: fast, so that the codes keep up with the encoder in a run of minutes.
const DECAY: f32 = 0.95;
/// A code whose average count falls below this share of an even one is dead and starts anew.
const DEAD_SHARE: f32 = 0.05;
/// Count that a revived code starts from, in shares of an even one: unused, it is dead again after
/// fifteen updates.
const REVIVED_SHARE: f32 = 0.1;

impl Codebook {
    pub fn new(size: usize, d: usize) -> Self {
        let (values, codes) = if with_numbers() { (size * d, size) } else { (0, 0) };
        let (vectors, sums) = (vec![0.0; values], vec![0.0; values]);
        Self { size, d, vectors, counts: vec![1.0; codes], sums, initialised: false }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether k-means has been run; before that every code is the zero vector.
    pub fn is_initialised(&self) -> bool {
        self.initialised
    }

    /// k-means (k-means++ start, ten Lloyd iterations) on `inputs [n, d]`.
    pub fn initialise(&mut self, inputs: &[f32], rng: &mut Rng) {
        let n = inputs.len() / self.d;
        if n == 0 {
            return;
        }
        self.spread(inputs, rng);
        for _ in 0..10 {
            let codes = self.nearest(inputs);
            let (counts, sums) = self.totals(inputs, &codes);
            for code in 0..self.size {
                if counts[code] > 0.0 {
                    for j in 0..self.d {
                        self.vectors[code * self.d + j] = sums[code * self.d + j] / counts[code];
                    }
                } else {
                    let row = rng.below(n);
                    self.vectors[code * self.d..(code + 1) * self.d]
                        .copy_from_slice(&inputs[row * self.d..(row + 1) * self.d]);
                }
            }
        }
        self.counts = vec![n as f32 / self.size as f32; self.size];
        for code in 0..self.size {
            for j in 0..self.d {
                self.sums[code * self.d + j] = self.vectors[code * self.d + j] * self.counts[code];
            }
        }
        self.initialised = true;
    }

    /// k-means++ (Arthur & Vassilvitskii, 2007): each next code is an input drawn with probability
    /// proportional to its squared distance to the codes chosen so far.
    fn spread(&mut self, inputs: &[f32], rng: &mut Rng) {
        let mut distances = vec![1.0f32; inputs.len() / self.d];
        for code in 0..self.size {
            let row = rng.categorical(&distances);
            let centre = &inputs[row * self.d..(row + 1) * self.d];
            for (distance, input) in distances.iter_mut().zip(inputs.chunks(self.d)) {
                let square: f32 = input.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum();
                *distance = if code == 0 { square } else { distance.min(square) };
            }
            for (j, &value) in centre.iter().enumerate() {
                // A little noise, so that two codes never start on the very same vector.
                self.vectors[code * self.d + j] = value + 1e-4 * rng.normal();
            }
        }
    }

    /// The nearest code of each row of `inputs [n, d]`.
    pub fn nearest(&self, inputs: &[f32]) -> Vec<u32> {
        let half_norms: Vec<f32> =
            self.vectors.chunks(self.d).map(|v| 0.5 * v.iter().map(|x| x * x).sum::<f32>()).collect();
        // argmin ‖x − c‖² = argmax x·c − ½‖c‖²; codes run in the inner loop, which vectorises.
        let mut transposed = vec![0.0; self.size * self.d];
        for code in 0..self.size {
            for j in 0..self.d {
                transposed[j * self.size + code] = self.vectors[code * self.d + j];
            }
        }
        inputs
            .par_chunks(self.d)
            .with_min_len(64)
            .map_init(
                || vec![0.0f32; self.size],
                |scores, row| {
                    scores.iter_mut().zip(&half_norms).for_each(|(s, h)| *s = -h);
                    for (j, &x) in row.iter().enumerate() {
                        let column = &transposed[j * self.size..(j + 1) * self.size];
                        scores.iter_mut().zip(column).for_each(|(s, c)| *s += x * c);
                    }
                    let mut best = 0;
                    for (code, &score) in scores.iter().enumerate() {
                        if score > scores[best] {
                            best = code;
                        }
                    }
                    best as u32
                },
            )
            .collect()
    }

    /// The vectors of `codes` as `[n, d]`.
    pub fn lookup(&self, codes: &[u32], device: &Device) -> Tensor<2> {
        let values: Vec<f32> = codes
            .iter()
            .flat_map(|&c| &self.vectors[c as usize * self.d..(c as usize + 1) * self.d])
            .copied()
            .collect();
        Tensor::from_data(TensorData::new(values, [codes.len(), self.d]), device)
    }

    /// Takes the vectors of `codes` away from the rows of `inputs [n, d]`.
    pub(crate) fn subtract(&self, codes: &[u32], inputs: &mut [f32]) {
        for (row, &code) in inputs.chunks_exact_mut(self.d).zip(codes) {
            let vector = &self.vectors[code as usize * self.d..][..self.d];
            row.iter_mut().zip(vector).for_each(|(x, v)| *x -= v);
        }
    }

    /// Quantizes `x [n, d]`.
    pub fn quantize(&self, x: Tensor<2>, estimator: GradientEstimator) -> Quantized {
        let device = x.device();
        let codes = self.nearest(&to_vec(&x));
        let q = self.lookup(&codes, &device);
        let commitment = mean_squared_error(x.clone(), q.clone());
        let vectors = match estimator {
            GradientEstimator::StraightThrough => x.clone() + (q - x).detach(),
            GradientEstimator::Rotation => rotate_onto(x, q),
        };
        Quantized { codes, vectors, commitment }
    }

    /// Moves the codes towards the inputs that fell on them and replaces dead ones by inputs that are far
    /// from their codes. Returns how many were replaced.
    pub fn update(&mut self, inputs: &[f32], codes: &[u32], rng: &mut Rng) -> usize {
        let (counts, sums) = self.totals(inputs, codes);
        let even = codes.len() as f32 / self.size as f32;
        let mut dead = Vec::new();
        for code in 0..self.size {
            self.counts[code] = DECAY * self.counts[code] + (1.0 - DECAY) * counts[code];
            for j in code * self.d..(code + 1) * self.d {
                self.sums[j] = DECAY * self.sums[j] + (1.0 - DECAY) * sums[j];
                self.vectors[j] = self.sums[j] / self.counts[code].max(1e-6);
            }
            if self.counts[code] < DEAD_SHARE * even {
                dead.push(code);
            }
        }
        self.revive(&dead, inputs, codes, rng);
        dead.len()
    }

    /// Puts each of the `dead` codes onto an input, drawn with probability proportional to its squared
    /// distance to its code, as k-means++ would.
    fn revive(&mut self, dead: &[usize], inputs: &[f32], codes: &[u32], rng: &mut Rng) {
        if dead.is_empty() {
            return;
        }
        let count = REVIVED_SHARE * codes.len() as f32 / self.size as f32;
        let mut distances: Vec<f32> = inputs
            .chunks(self.d)
            .zip(codes)
            .map(|(x, &code)| {
                let centre = &self.vectors[code as usize * self.d..];
                1e-12 + x.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
            })
            .collect();
        for &code in dead {
            let row = rng.categorical(&distances);
            distances[row] = 1e-12;
            for j in 0..self.d {
                let value = inputs[row * self.d + j];
                self.vectors[code * self.d + j] = value;
                self.sums[code * self.d + j] = value * count;
            }
            self.counts[code] = count;
        }
    }

    fn totals(&self, inputs: &[f32], codes: &[u32]) -> (Vec<f32>, Vec<f32>) {
        let (mut counts, mut sums) = (vec![0.0; self.size], vec![0.0; self.size * self.d]);
        for (row, &code) in inputs.chunks(self.d).zip(codes) {
            let code = code as usize;
            counts[code] += 1.0;
            for (sum, x) in sums[code * self.d..(code + 1) * self.d].iter_mut().zip(row) {
                *sum += x;
            }
        }
        (counts, sums)
    }
}

impl Part for Codebook {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        map.insert(format!("{name}.vectors"), &[self.size, self.d], self.vectors.clone());
        map.insert(format!("{name}.counts"), &[self.size], self.counts.clone());
        map.insert(format!("{name}.sums"), &[self.size, self.d], self.sums.clone());
        map.insert(format!("{name}.initialised"), &[1], vec![f32::from(u8::from(self.initialised))]);
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let read = |what: &str, shape: &[usize]| map.of_shape(&format!("{name}.{what}"), shape);
        let vectors = read("vectors", &[self.size, self.d])?;
        let (counts, sums) = (read("counts", &[self.size])?, read("sums", &[self.size, self.d])?);
        self.initialised = read("initialised", &[1])?.values.first() == Some(&1.0);
        self.vectors.clone_from(&vectors.values);
        self.counts.clone_from(&counts.values);
        self.sums.clone_from(&sums.values);
        Ok(())
    }

    fn parameters(&self) -> usize {
        self.size * self.d
    }
}

/// `q` as `λ R x`, with the rotation `R` and the scale `λ = ‖q‖/‖x‖` constant in the backward pass:
/// `R x = x − 2 r rᵀ x + 2 q̂ x̂ᵀ x`, `r = (x̂ + q̂) / ‖x̂ + q̂‖`.
fn rotate_onto(x: Tensor<2>, q: Tensor<2>) -> Tensor<2> {
    let fixed = x.clone().detach();
    let norm = |t: &Tensor<2>| t.clone().powi_scalar(2).sum_dim(1).sqrt() + 1e-6;
    let (x_norm, q_norm) = (norm(&fixed), norm(&q));
    let x_hat = fixed / x_norm.clone();
    let q_hat = q / q_norm.clone();
    let sum = x_hat.clone() + q_hat.clone();
    let r = sum.clone() / norm(&sum);
    let along = |a: &Tensor<2>| (a.clone() * x.clone()).sum_dim(1);
    let rotated = x.clone() - r.clone() * along(&r) * 2.0 + q_hat * along(&x_hat) * 2.0;
    rotated * (q_norm / x_norm)
}

/// Finite scalar quantization: dimension `i` is squashed to `levels[i]` values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fsq {
    levels: Vec<usize>,
}

impl Fsq {
    /// The paper's levels for a codebook of about `size` codes.
    pub fn of_size(size: usize) -> Self {
        let levels = match size {
            0..=64 => vec![8, 8],
            65..=384 => vec![8, 6, 5],
            385..=768 => vec![8, 8, 8],
            769..=2048 => vec![8, 5, 5, 5],
            _ => vec![7, 5, 5, 5, 5],
        };
        Self { levels }
    }

    pub fn dims(&self) -> usize {
        self.levels.len()
    }

    pub fn size(&self) -> usize {
        self.levels.iter().product()
    }

    /// Quantizes `x [n, dims]`, straight-through.
    pub fn quantize(&self, x: Tensor<2>) -> Quantized {
        let device = x.device();
        let half = self.row(|l| (l as f32 - 1.0) / 2.0 * (1.0 + 1e-3), &device);
        // An even number of levels has no level at zero: shift by half a step before squashing.
        let offset = self.row(|l| if l.is_multiple_of(2) { 0.5 } else { 0.0 }, &device);
        let shift = (offset.clone() / half.clone()).atanh();
        let bounded = tanh(x + shift) * half - offset.clone();
        let rounded = bounded.clone() + (bounded.clone().round() - bounded.clone()).detach();
        let codes = self.codes(&to_vec(&rounded));
        let scale = self.row(|l| (l / 2) as f32, &device);
        let commitment = (bounded - rounded.clone().detach()).powi_scalar(2).mean() * 0.0;
        Quantized { codes, vectors: rounded / scale, commitment }
    }

    /// The vectors of `codes`: `[n, dims]` in [−1, 1].
    pub fn lookup(&self, codes: &[u32], device: &Device) -> Tensor<2> {
        let mut values = Vec::with_capacity(codes.len() * self.dims());
        for &code in codes {
            let mut rest = code as usize;
            for &l in &self.levels {
                values.push((rest % l) as f32 / (l / 2) as f32 - 1.0);
                rest /= l;
            }
        }
        Tensor::from_data(TensorData::new(values, [codes.len(), self.dims()]), device)
    }

    fn codes(&self, rounded: &[f32]) -> Vec<u32> {
        rounded
            .chunks(self.dims())
            .map(|row| {
                let digit = |(&v, &l): (&f32, &usize)| {
                    ((v.round() as i64 + (l / 2) as i64).clamp(0, l as i64 - 1)) as usize
                };
                row.iter().zip(&self.levels).rev().fold(0, |code, pair| code * pair.1 + digit(pair)) as u32
            })
            .collect()
    }

    fn row(&self, f: impl Fn(usize) -> f32, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = self.levels.iter().map(|&l| f(l)).collect();
        Tensor::from_data(TensorData::new(values, [1, self.dims()]), device)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn codebook_learns_clusters_and_uses_every_code() {
        let mut rng = Rng::new(1, 0);
        let inputs: Vec<f32> =
            (0..2000).flat_map(|i| [(i % 4) as f32 + 0.05 * rng.normal(), (i % 3) as f32]).collect();
        let mut book = Codebook::new(12, 2);
        book.initialise(&inputs, &mut rng);
        for _ in 0..200 {
            let codes = book.nearest(&inputs);
            book.update(&inputs, &codes, &mut rng);
        }
        let codes = book.nearest(&inputs);
        let used: std::collections::HashSet<_> = codes.iter().collect();
        assert_eq!(used.len(), 12);
        let device = Device::flex();
        let near = to_vec(&book.lookup(&codes, &device));
        let error: f32 =
            near.iter().zip(&inputs).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / inputs.len() as f32;
        assert!(error < 0.02, "{error}");
    }

    #[test]
    fn rotation_lands_on_the_code_and_passes_a_gradient() {
        let device = Device::flex().autodiff();
        let mut rng = Rng::new(2, 0);
        let x = rng.normal_tensor([5, 4], &device).require_grad();
        let q = rng.normal_tensor([5, 4], &device);
        let y = rotate_onto(x.clone(), q.clone());
        for (a, b) in to_vec(&y).iter().zip(to_vec(&q)) {
            assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
        let grads = y.sum().backward();
        assert!(to_vec(&x.grad(&grads).unwrap()).iter().any(|g| g.abs() > 1e-3));
    }

    #[test]
    fn fsq_codes_and_vectors_agree() {
        let device = Device::flex();
        for fsq in [Fsq::of_size(512), Fsq::of_size(1000), Fsq::of_size(256)] {
            let x = Rng::new(3, 0).normal_tensor([500, fsq.dims()], &device) * 2.0;
            let quantized = fsq.quantize(x);
            assert!(quantized.codes.iter().all(|&c| (c as usize) < fsq.size()));
            let looked_up = to_vec(&fsq.lookup(&quantized.codes, &device));
            for (a, b) in to_vec(&quantized.vectors).iter().zip(looked_up) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }
}
