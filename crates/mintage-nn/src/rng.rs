//! The only source of randomness: a seeded ChaCha8 stream whose position can be saved and restored.
//!
//! Noise is drawn on the host and uploaded, because the CPU backend's own generator is global and
//! cannot be read back: a run resumed from a checkpoint must continue with the very same numbers.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng as _, RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A seeded random stream, or a [blend](Self::blend) of several. `clone` gives a copy that continues with the same numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    inner: ChaCha8Rng,
    blend: Option<Box<Blend>>,
}

/// What a blend adds to its heaviest stream.
#[derive(Clone, Debug)]
struct Blend {
    /// What normal numbers of the heaviest stream are multiplied by.
    own: f32,
    /// The other streams, and what their normal numbers are multiplied by.
    others: Vec<(ChaCha8Rng, f32)>,
}

impl Rng {
    /// A stream of its own for every (`seed`, `stream`) pair: streams of one seed are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut inner = ChaCha8Rng::seed_from_u64(seed);
        inner.set_stream(stream);
        Self { inner, blend: None }
    }

    /// Streams whose normal numbers are mixed by weights: `Σ wᵢ εᵢ / √(Σ wᵢ²)`, which is standard normal again, so that
    /// noise made of it is as long as noise is. All other numbers are those of the heaviest stream (the first of equals).
    /// Every stream advances with every number, so that with one weight alone the numbers are those of its stream.
    ///
    /// Streams without a positive weight are left out; `None` where none is left. A blend cannot be blended again.
    pub fn blend(streams: Vec<(Self, f32)>) -> Option<Self> {
        let mut streams: Vec<(Self, f32)> = streams.into_iter().filter(|(_, weight)| *weight > 0.0).collect();
        let heaviest = streams.iter().map(|(_, weight)| *weight).fold(0.0, f32::max);
        let at = streams.iter().position(|(_, weight)| *weight == heaviest)?;
        let (first, own) = streams.remove(at);
        if streams.is_empty() {
            return Some(first);
        }
        let length = streams.iter().map(|(_, weight)| weight * weight).sum::<f32>() + own * own;
        let length = length.sqrt();
        let others = streams.into_iter().map(|(rng, weight)| (rng.inner, weight / length)).collect();
        Some(Self { inner: first.inner, blend: Some(Box::new(Blend { own: own / length, others })) })
    }

    /// The number that `draw` makes of the heaviest stream; the others advance as far.
    fn drawn<T>(&mut self, draw: impl Fn(&mut ChaCha8Rng) -> T) -> T {
        if let Some(blend) = &mut self.blend {
            blend.others.iter_mut().for_each(|(other, _)| drop(draw(other)));
        }
        draw(&mut self.inner)
    }

    /// A stream of its own for a part of what is drawn: `Rng::new` of the next 64 bits.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let forked = |rng: &mut ChaCha8Rng| Self::new(rng.next_u64(), 0).inner;
        let blend = self.blend.as_mut().map(|blend| {
            let others = blend.others.iter_mut().map(|(other, weight)| (forked(other), *weight)).collect();
            Box::new(Blend { own: blend.own, others })
        });
        Self { inner: forked(&mut self.inner), blend }
    }

    /// Next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.drawn(rand::Rng::next_u64)
    }

    /// A number in `[0, 1)`.
    pub fn uniform(&mut self) -> f32 {
        self.drawn(|rng| rng.random::<f32>())
    }

    /// An integer in `[0, bound)`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.drawn(|rng| rng.random_range(0..bound)) }
    }

    /// A standard normal number.
    pub fn normal(&mut self) -> f32 {
        let own: f32 = StandardNormal.sample(&mut self.inner);
        let Some(blend) = &mut self.blend else { return own };
        let of_other = |(other, weight): &mut (ChaCha8Rng, f32)| {
            let noise: f32 = StandardNormal.sample(other);
            *weight * noise
        };
        blend.own * own + blend.others.iter_mut().map(of_other).sum::<f32>()
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
    fn blended_noise_keeps_its_length_and_a_single_weight_its_stream() {
        let streams = |weights: [f32; 3]| (1..).map(|seed| Rng::new(seed, 1)).zip(weights).collect();
        let mut mixed = Rng::blend(streams([0.2, 0.5, 0.3])).unwrap_or_else(|| Rng::new(0, 0));
        let x = mixed.normals(100_000);
        let var = x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
        assert!((var - 1.0).abs() < 0.02, "{var}");
        // What is no noise comes from the heaviest, which the others do not disturb.
        let mut alone = Rng::new(2, 1);
        alone.normals(100_000);
        assert_eq!((mixed.uniform(), mixed.below(1000)), (alone.uniform(), alone.below(1000)));
        assert_eq!(mixed.next_u64(), alone.next_u64());
        assert_eq!(mixed.fork().below(1 << 40), alone.fork().below(1 << 40));

        let mut corner = Rng::blend(streams([0.0, 0.0, 1.0])).unwrap_or_else(|| Rng::new(0, 0));
        let mut alone = Rng::new(3, 1);
        assert_eq!(corner.normals(9), alone.normals(9));
        assert_eq!(corner.fork().normals(9), Rng::new(alone.next_u64(), 0).normals(9));
        assert!(Rng::blend(streams([0.0; 3])).is_none());
    }

    #[test]
    fn categorical_follows_the_weights() {
        let mut rng = Rng::new(3, 0);
        let hits = (0..10_000).filter(|_| rng.categorical(&[1.0, 0.0, 3.0]) == 2).count();
        assert!((7_300..7_700).contains(&hits), "{hits}");
    }
}
