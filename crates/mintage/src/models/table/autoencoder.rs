//! A latent vector for every row, and the fields of a row for every latent vector: what the VAE and the GAN
//! learn first, and then learn to draw (TabSyn, arXiv:2310.09656; medGAN, arXiv:1703.06490).
//!
//! `q(z|x) = N(μ(x), σ²(x))`, and a decoder that draws every field from `z` on its own,
//!
//! ```text
//! L = E_q Σ_f −log p(x_f | z) + β KL(q(z|x) ‖ N(0, I))
//! ```
//!
//! With a small β the latent vector tells nearly all of the row, so that fields drawn apart still fit. Such
//! vectors are far from N(0, I): where they are is learned afterwards.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::{TableBatch, TableInfo};
use mintage_nn::{
    AdamW, NotFinite, Part, Rng, Schedule, TensorMap, Trainable, WeightsError, kernels, layers::Linear,
    weights::to_vec,
};

use super::net::{Decoder, Trunk, places};
use crate::{
    events::Metrics,
    models::common::gaussian::{divergence, reparametrise},
};

/// How fast the means and spreads of the latent vectors follow the encoder, a step.
const FOLLOW: f32 = 0.02;

/// Options of an autoencoder.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Dimensions of the latent vector.
    pub latent: usize,
    /// Width of encoder and decoder.
    pub width: usize,
    /// Residual blocks of each.
    pub blocks: usize,
    /// Weight of the divergence from N(0, I).
    pub beta: f64,
    /// Peak learning rate of AdamW.
    pub lr: f64,
}

/// An autoencoder with its optimiser, and where its latent vectors lie.
#[derive(Debug)]
pub struct Latents {
    shape: Shape,
    starts: Arc<Vec<usize>>,
    device: Device,
    train: Trainable<Autoencoder>,
    spread: Spread,
}

/// Mean and variance of each latent dimension over the data: what is learned of them sees unit spreads.
#[derive(Clone, Debug, PartialEq)]
struct Spread {
    mean: Vec<f32>,
    variance: Vec<f32>,
}

/// The two parts of the loss, nats a row.
struct Terms {
    reconstruction: Tensor<1>,
    kl: Tensor<1>,
}

impl Latents {
    /// A fresh autoencoder on `device`, initialised from `rng`; its latent vectors are taken to be standard
    /// normal.
    pub fn new(shape: Shape, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let net = Autoencoder::new(shape, info, &device.clone().autodiff(), rng);
        Self {
            starts: Arc::new(info.starts()),
            device: device.clone(),
            train: Trainable::new(net, AdamW { weight_decay: 0.01, ..AdamW::default() }),
            spread: Spread { mean: vec![0.0; shape.latent], variance: vec![1.0; shape.latent] },
            shape,
        }
    }

    fn fields(&self) -> usize {
        self.starts.len() - 1
    }

    /// One step at `progress` ∈ [0, 1] of the budget of the autoencoder.
    ///
    /// # Errors
    ///
    /// Where the loss or its gradient is not finite: nothing has changed then.
    pub fn step(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let (terms, z) = self.terms(self.train.net(), batch, rng);
        let kl = f64::from(terms.kl.clone().into_scalar::<f32>());
        let loss = terms.reconstruction + terms.kl * self.shape.beta;
        let (loss, norm) = self.train.update(loss, self.shape.lr * Schedule::default().factor(progress))?;
        self.spread.follow(&to_vec(&z));
        Ok(Metrics::new([("loss", loss), ("kl", kl), ("grad_norm", norm)]))
    }

    /// The parts of the loss of a batch, and its latent vectors `[n, d]`.
    fn terms(&self, net: &Autoencoder, batch: &TableBatch, rng: &mut Rng) -> (Terms, Tensor<2>) {
        let (mu, logvar) = net.encode(&Arc::new(places(&batch.tokens, &self.starts)), self.fields());
        let z = reparametrise(&mu, &logvar, rng);
        let logits = net.decoder.forward(z.clone());
        let targets = Arc::new(batch.tokens.iter().map(|&token| u32::from(token)).collect());
        let weights = Arc::new(vec![1.0; batch.tokens.len()]);
        let reconstruction = kernels::fields_cross_entropy(logits, &self.starts, &targets, &weights).mean();
        let kl = divergence(mu, logvar).mean() * self.shape.latent as f64;
        (Terms { reconstruction, kl }, z)
    }

    /// The loss of held-out rows and its two parts, nats a row, with the averaged weights.
    pub fn validate(&self, batch: &TableBatch, rng: &mut Rng) -> Metrics {
        let value = |x: Tensor<1>| f64::from(x.into_scalar::<f32>());
        let (terms, _) = self.terms(&self.train.averaged(), batch, rng);
        let (reconstruction, kl) = (value(terms.reconstruction), value(terms.kl));
        let loss = reconstruction + self.shape.beta * kl;
        Metrics::new([("loss", loss), ("reconstruction", reconstruction), ("kl", kl)])
    }

    /// Standardised latent vectors of some rows, `n × latent`.
    pub fn encode(&self, batch: &TableBatch, rng: &mut Rng) -> Vec<f32> {
        let places = Arc::new(places(&batch.tokens, &self.starts));
        let (mu, logvar) = self.train.averaged().encode(&places, self.fields());
        self.spread.standardised(to_vec(&reparametrise(&mu, &logvar, rng)))
    }

    /// Logits of all fields, `n × tokens`, for standardised latent vectors `[n, latent]`.
    pub fn decode(&self, z: &Tensor<2>) -> Vec<f32> {
        let restored = TensorData::new(self.spread.restored(to_vec(z)), z.dims());
        to_vec(&self.train.averaged().decoder.forward(Tensor::from_data(restored, &self.device)))
    }
}

impl Part for Latents {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        self.train.save_weights(name, map);
        self.spread.save(map);
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.train.load_weights(name, map)?;
        self.spread.load(map)
    }

    fn save_state(&self, name: &str, map: &mut TensorMap) {
        self.train.save_state(name, map);
        self.spread.save(map);
    }

    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.train.load_state(name, map)?;
        self.spread.load(map)
    }

    fn parameters(&self) -> usize {
        self.train.parameters()
    }
}

impl Spread {
    /// Moves towards the mean and the variance of latent vectors `[n, d]`.
    fn follow(&mut self, z: &[f32]) {
        let d = self.mean.len();
        let n = (z.len() / d) as f32;
        for j in 0..d {
            let column = || z.iter().skip(j).step_by(d);
            let mean = column().sum::<f32>() / n;
            let variance = column().map(|z| (z - mean) * (z - mean)).sum::<f32>() / n;
            self.mean[j] += FOLLOW * (mean - self.mean[j]);
            self.variance[j] += FOLLOW * (variance - self.variance[j]);
        }
    }

    fn standardised(&self, mut z: Vec<f32>) -> Vec<f32> {
        self.each(&mut z, |z, mean, std| (z - mean) / std);
        z
    }

    fn restored(&self, mut z: Vec<f32>) -> Vec<f32> {
        self.each(&mut z, |z, mean, std| z * std + mean);
        z
    }

    fn each(&self, z: &mut [f32], change: impl Fn(f32, f32, f32) -> f32) {
        for row in z.chunks_mut(self.mean.len()) {
            for ((z, mean), variance) in row.iter_mut().zip(&self.mean).zip(&self.variance) {
                *z = change(*z, *mean, variance.max(1e-6).sqrt());
            }
        }
    }

    fn save(&self, map: &mut TensorMap) {
        map.insert("latent.mean", &[self.mean.len()], self.mean.clone());
        map.insert("latent.variance", &[self.variance.len()], self.variance.clone());
    }

    fn load(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        let d = self.mean.len();
        for (name, values) in [("latent.mean", &mut self.mean), ("latent.variance", &mut self.variance)] {
            values.clone_from(&map.of_shape(name, &[d])?.values);
        }
        Ok(())
    }
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Trunk,
    posterior: Linear,
    decoder: Decoder,
}

impl Autoencoder {
    fn new(shape: Shape, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        Self {
            encoder: Trunk::new(info, shape.width, shape.blocks, device, rng),
            posterior: Linear::new(shape.width, 2 * shape.latent, 1.0, device, rng),
            decoder: Decoder::new(info, shape.latent, (shape.width, shape.blocks), device, rng),
        }
    }

    /// Mean and log-variance of q, both `[n, latent]`.
    fn encode(&self, indices: &Arc<Vec<u32>>, fields: usize) -> (Tensor<2>, Tensor<2>) {
        let out = self.posterior.forward(self.encoder.forward(indices, fields));
        let d = out.dims()[1] / 2;
        // Begins with little noise, and has bounds, so that no dimension drives the divergence to infinity.
        (out.clone().narrow(1, 0, d), (out.narrow(1, d, d) - 2.0).clamp(-12.0, 4.0))
    }
}
