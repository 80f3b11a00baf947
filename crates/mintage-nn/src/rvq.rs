//! A residual vector quantizer: several codebooks, each for what those before it leave (AudioStream, Zeghidour et al.,
//! arXiv:2107.03312, algorithm 1). Trained with any number of levels used, it serves any number of them afterwards.

use burn::tensor::{Device, Tensor};

use crate::{
    Part, Rng, TensorMap, WeightsError, kernels::mean_squared_error, quantize::Codebook, weights::to_vec,
};

/// Codes of a batch, level by level, and the vectors that they stand for.
#[derive(Clone, Debug)]
pub struct ResidualQuantized {
    /// One code a row, of each level in use.
    pub codes: Vec<Vec<u32>>,
    /// `[n, d]`, carries the gradient to the input.
    pub vectors: Tensor<2>,
    /// Mean squared distance of the input to the (constant) sum of codes after each level, mean over levels: `[1]`.
    pub commitment: Tensor<1>,
    /// What each level in use was given, `[n, d]`: for [`ResidualQuantizer::update`].
    pub residuals: Vec<Vec<f32>>,
}

/// Codebooks of `d` dimensions, the coarsest first.
#[derive(Clone, Debug)]
pub struct ResidualQuantizer {
    books: Vec<Codebook>,
}

impl ResidualQuantizer {
    pub fn new(levels: usize, size: usize, d: usize) -> Self {
        Self { books: (0..levels).map(|_| Codebook::new(size, d)).collect() }
    }

    pub fn levels(&self) -> usize {
        self.books.len()
    }

    /// Codes of each level.
    pub fn size(&self) -> usize {
        self.books.first().map_or(0, Codebook::size)
    }

    pub fn is_initialised(&self) -> bool {
        self.books.iter().all(Codebook::is_initialised)
    }

    /// k-means of `inputs [n, d]`, then of what it leaves, level by level.
    pub fn initialise(&mut self, inputs: &[f32], rng: &mut Rng) {
        let mut rest = inputs.to_vec();
        for book in &mut self.books {
            book.initialise(&rest, rng);
            let codes = book.nearest(&rest);
            book.subtract(&codes, &mut rest);
        }
    }

    /// The codes of `inputs [n, d]` at the first `levels` levels.
    pub fn encode(&self, inputs: &[f32], levels: usize) -> Vec<Vec<u32>> {
        self.descend(inputs, levels).0
    }

    /// Codes, and what each level was given.
    fn descend(&self, inputs: &[f32], levels: usize) -> (Vec<Vec<u32>>, Vec<Vec<f32>>) {
        let mut rest = inputs.to_vec();
        let level = |book: &Codebook| {
            let given = rest.clone();
            let codes = book.nearest(&given);
            book.subtract(&codes, &mut rest);
            (codes, given)
        };
        self.books.iter().take(levels).map(level).unzip()
    }

    /// The sums of the vectors of `codes`, one list a level: `[n, d]`.
    ///
    /// # Panics
    /// When there is no level.
    pub fn lookup(&self, codes: &[Vec<u32>], device: &Device) -> Tensor<2> {
        assert!(!codes.is_empty() && codes.len() <= self.levels(), "{} levels of codes", codes.len());
        let first = self.books[0].lookup(&codes[0], device);
        let others = self.books.iter().zip(codes).skip(1);
        others.fold(first, |sum, (book, codes)| sum + book.lookup(codes, device))
    }

    /// Quantizes `x [n, d]` by the first `levels` levels, straight-through.
    pub fn quantize(&self, x: Tensor<2>, levels: usize) -> ResidualQuantized {
        let device = x.device();
        let levels = levels.clamp(1, self.levels());
        let (codes, residuals) = self.descend(&to_vec(&x), levels);
        let mut sum = self.books[0].lookup(&codes[0], &device);
        let mut commitment = mean_squared_error(x.clone(), sum.clone());
        for (book, codes) in self.books.iter().zip(&codes).skip(1) {
            sum = sum + book.lookup(codes, &device);
            commitment = commitment + mean_squared_error(x.clone(), sum.clone());
        }
        let vectors = x.clone() + (sum - x).detach();
        ResidualQuantized { codes, vectors, commitment: commitment / levels as f64, residuals }
    }

    /// Moves the codes of the levels in use towards what fell on them; returns how many dead ones were replaced.
    pub fn update(&mut self, found: &ResidualQuantized, rng: &mut Rng) -> usize {
        let levels = self.books.iter_mut().zip(found.residuals.iter().zip(&found.codes));
        levels.map(|(book, (given, codes))| book.update(given, codes, rng)).sum()
    }
}

impl Part for ResidualQuantizer {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        self.books.save_weights(name, map);
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.books.load_weights(name, map)
    }

    fn parameters(&self) -> usize {
        self.books.parameters()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn squares(values: &[f32]) -> f32 {
        values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32
    }

    fn trained(inputs: &[f32]) -> ResidualQuantizer {
        let mut rng = Rng::new(1, 0);
        let mut quantizer = ResidualQuantizer::new(3, 16, 4);
        quantizer.initialise(inputs, &mut rng);
        for _ in 0..50 {
            let x = Tensor::<1>::from_floats(inputs, &Device::flex()).reshape([inputs.len() / 4, 4]);
            let found = quantizer.quantize(x, 3);
            quantizer.update(&found, &mut rng);
        }
        quantizer
    }

    #[test]
    fn every_level_leaves_less_and_uses_its_codes() {
        let inputs = Rng::new(2, 0).normals(4 * 2000);
        let quantizer = trained(&inputs);
        let mut left = squares(&inputs);
        for levels in 1..=3 {
            let codes = quantizer.encode(&inputs, levels);
            let back = to_vec(&quantizer.lookup(&codes, &Device::flex()));
            let rest: Vec<f32> = inputs.iter().zip(back).map(|(x, y)| x - y).collect();
            assert!(squares(&rest) < 0.6 * left, "{levels}: {} after {left}", squares(&rest));
            left = squares(&rest);
            let used: std::collections::HashSet<_> = codes[levels - 1].iter().collect();
            assert_eq!(used.len(), 16);
        }
    }

    #[test]
    fn quantized_vectors_are_those_of_the_codes_and_pass_the_gradient() {
        let inputs = Rng::new(3, 0).normals(4 * 100);
        let quantizer = trained(&inputs);
        let x = Tensor::<1>::from_floats(inputs.as_slice(), &Device::flex().autodiff());
        let x = x.reshape([100, 4]).require_grad();
        let found = quantizer.quantize(x.clone(), 2);
        assert_eq!(found.codes, quantizer.encode(&inputs, 2));
        let wanted = to_vec(&quantizer.lookup(&found.codes, &Device::flex()));
        let near = to_vec(&found.vectors).iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near);
        let grads = found.vectors.sum().backward();
        assert!(to_vec(&x.grad(&grads).unwrap()).iter().all(|&g| g == 1.0));
    }

    #[test]
    fn save_load_is_exact() {
        let inputs = Rng::new(4, 0).normals(4 * 200);
        let (a, mut b) = (trained(&inputs), ResidualQuantizer::new(3, 16, 4));
        let mut map = TensorMap::default();
        a.save_weights("codes", &mut map);
        b.load_weights("codes", &map).unwrap();
        assert!(b.is_initialised());
        assert_eq!(a.encode(&inputs, 3), b.encode(&inputs, 3));
        let mut other = ResidualQuantizer::new(3, 8, 4);
        assert!(other.load_weights("codes", &map).is_err());
    }
}
