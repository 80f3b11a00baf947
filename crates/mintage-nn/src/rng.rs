//! The only source of randomness: a seeded ChaCha8 stream whose position can be saved and restored.
//!
//! Noise is drawn on the host and uploaded, because the CPU backend's own generator is global and
//! cannot be read back: a run resumed from a checkpoint must continue with the very same numbers.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng as _, RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A seeded random stream. `clone` gives a copy that continues with the same numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    inner: ChaCha8Rng,
}

impl Rng {
    /// A stream of its own for every (`seed`, `stream`) pair: streams of one seed are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut inner = ChaCha8Rng::seed_from_u64(seed);
        inner.set_stream(stream);
        Self { inner }
    }

    /// Next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }

    /// A number in `[0, 1)`.
    pub fn uniform(&mut self) -> f32 {
        self.inner.random::<f32>()
    }

    /// An integer in `[0, bound)`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.inner.random_range(0..bound) }
    }

    /// A standard normal number.
    pub fn normal(&mut self) -> f32 {
        StandardNormal.sample(&mut self.inner)
    }

    /// `n` standard normal numbers.
    pub fn normals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.normal()).collect()
    }

    /// `n` numbers in `[0, 1)`.
    pub fn uniforms(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.uniform()).collect()
    }

    /// A random order of `0..n` (Fisher–Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }

    /// An index drawn with probability proportional to `weights` (non-negative, not all zero).
    pub fn categorical(&mut self, weights: &[f32]) -> usize {
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        let mut rest = f64::from(self.uniform()) * total;
        for (index, &weight) in weights.iter().enumerate() {
            rest -= f64::from(weight);
            if rest < 0.0 {
                return index;
            }
        }
        weights.iter().rposition(|&w| w > 0.0).unwrap_or(0)
    }

    /// Standard normal noise of the given shape on `device`.
    pub fn normal_tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values = self.normals(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Uniform `[0, 1)` noise of the given shape on `device`.
    pub fn uniform_tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values = self.uniforms(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Integers in `[0, bound)`, shape `[n]`.
    pub fn below_tensor(&mut self, n: usize, bound: usize, device: &Device) -> Tensor<1, Int> {
        let values: Vec<i64> = (0..n).map(|_| self.below(bound) as i64).collect();
        Tensor::from_data(TensorData::new(values, [n]), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_numbers_other_stream_others() {
        let (mut a, mut b, mut c) = (Rng::new(7, 1), Rng::new(7, 1), Rng::new(7, 2));
        let (x, y, z) = (a.normals(100), b.normals(100), c.normals(100));
        assert_eq!(x, y);
        assert_ne!(x, z);
    }

    #[test]
    fn normal_has_unit_moments() {
        let x = Rng::new(1, 0).normals(100_000);
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / x.len() as f32;
        assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.02, "mean {mean}, var {var}");
    }

    #[test]
    fn categorical_follows_the_weights() {
        let mut rng = Rng::new(3, 0);
        let hits = (0..10_000).filter(|_| rng.categorical(&[1.0, 0.0, 3.0]) == 2).count();
        assert!((7_300..7_700).contains(&hits), "{hits}");
    }
}
