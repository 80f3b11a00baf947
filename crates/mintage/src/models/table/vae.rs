//! Variational autoencoder of rows (Kingma & Welling, arXiv:1312.6114; for tables TVAE, arXiv:1907.00503)
//! with a prior that is learned afterwards (TabSyn, arXiv:2310.09656).
//!
//! Phase 1: `q(z|x) = N(μ(x), σ²(x))`, and a decoder that draws every field from `z` on its own,
//!
//! ```text
//! L = E_q Σ_f −log p(x_f | z) + β KL(q(z|x) ‖ N(0, I))
//! ```
//!
//! With a small β the latent vector tells nearly all of the row, so that fields drawn apart still fit. Such
//! vectors are far from N(0, I), and drawing from that is what makes rows of a plain VAE look bad.
//! Phase 2: the autoencoder is frozen, and flow matching (arXiv:2210.02747) learns where the latent vectors
//! are, `z_t = (1 − t) ε + t z`:
//!
//! ```text
//! L = E ‖v(z_t, t, known) − (z − ε)‖²
//! ```
//!
//! `known` is any part of the row, nothing in half of the rows: what one asks for is given to the prior.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::{RowBatch, RowInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, WeightsError, kernels,
    layers::{LayerNorm, Linear, sinusoidal},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::{
    RowDraw, latent,
    net::{Block, Decoder, Trunk, places},
};
use crate::{events::Metrics, models::Size};

/// Numbers that the time is embedded in.
const D_TIME: usize = 64;

/// How fast the means and spreads of the latent vectors follow the encoder, a step.
const FOLLOW: f32 = 0.02;

/// All choices of a VAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of the latent vector.
    pub latent: usize,
    /// Width of encoder and decoder.
    pub width: usize,
    /// Residual blocks of each.
    pub blocks: usize,
    /// Weight of the divergence from N(0, I).
    pub beta: f64,
    pub prior_width: usize,
    pub prior_blocks: usize,
    /// Share of the budget at which the prior is begun.
    pub prior_from: f64,
    /// Steps of the midpoint rule in sampling; each evaluates the prior twice.
    pub steps: usize,
    pub batch: usize,
    pub lr: f64,
    pub prior_lr: f64,
}

impl Config {
    /// The preset of a size.
    pub fn preset(size: Size, _info: &RowInfo) -> Self {
        let (width, blocks, latent, prior_width, prior_blocks) = match size {
            Size::Tiny => (128, 1, 16, 128, 2),
            Size::Small => (256, 1, 32, 384, 3),
            Size::Base => (384, 2, 48, 512, 4),
            Size::Large => (512, 2, 64, 1024, 6),
        };
        Self {
            latent,
            width,
            blocks,
            beta: 0.02,
            prior_width,
            prior_blocks,
            prior_from: 0.25,
            steps: 10,
            batch: 1024,
            lr: 2e-3,
            prior_lr: 2e-3,
        }
    }
}

/// A VAE, its prior, and their optimisers.
#[derive(Debug)]
pub struct Vae {
    config: Config,
    info: RowInfo,
    starts: Arc<Vec<usize>>,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    prior: Trainable<Velocity>,
    spread: Spread,
}

/// Mean and variance of each latent dimension over the data, for the prior to see unit spreads.
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

impl Vae {
    pub fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let d = config.latent;
        let autoencoder = Autoencoder::new(config, info, &on, rng);
        let prior = Velocity::new(config, info, &on, rng);
        Self {
            config: config.clone(),
            info: info.clone(),
            starts: Arc::new(info.starts()),
            device: device.clone(),
            autoencoder: Trainable::new(autoencoder, AdamW { weight_decay: 0.01, ..AdamW::default() }),
            prior: Trainable::new(prior, AdamW { weight_decay: 0.01, ..AdamW::default() }),
            spread: Spread { mean: vec![0.0; d], variance: vec![1.0; d] },
        }
    }

    pub fn phases(&self) -> Vec<(&'static str, f64)> {
        vec![("latent vectors", 0.0), ("prior over them", self.config.prior_from)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    pub fn step(&mut self, batch: &RowBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let from = self.config.prior_from;
        if progress < from {
            self.step_autoencoder(batch, progress / from, rng)
        } else {
            self.step_prior(batch, (progress - from) / (1.0 - from).max(1e-9), rng)
        }
    }

    fn step_autoencoder(
        &mut self,
        batch: &RowBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let (terms, z) = self.terms(self.autoencoder.net(), batch, rng);
        let kl = f64::from(terms.kl.clone().into_scalar::<f32>());
        let loss = terms.reconstruction + terms.kl * self.config.beta;
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.autoencoder.update(loss, lr)?;
        self.spread.follow(&to_vec(&z));
        Ok(Metrics::new([("loss", loss), ("kl", kl), ("grad_norm", norm)]))
    }

    /// The parts of the loss of a batch, and its latent vectors `[n, d]`.
    fn terms(&self, net: &Autoencoder, batch: &RowBatch, rng: &mut Rng) -> (Terms, Tensor<2>) {
        let fields = self.info.width();
        let (mu, logvar) = net.encode(&Arc::new(places(&batch.tokens, &self.starts)), fields);
        let z = reparametrise(&mu, &logvar, rng);
        let logits = net.decoder.forward(z.clone());
        let targets = Arc::new(batch.tokens.iter().map(|&token| u32::from(token)).collect());
        let weights = Arc::new(vec![1.0; batch.tokens.len()]);
        let reconstruction = kernels::fields_cross_entropy(logits, &self.starts, &targets, &weights).mean();
        let kl = (mu.powi_scalar(2) + logvar.clone().exp() - logvar - 1.0).mean()
            * (0.5 * self.config.latent as f64);
        (Terms { reconstruction, kl }, z)
    }

    fn step_prior(&mut self, batch: &RowBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let loss = self.prior_loss(self.prior.net(), batch, &self.device.clone().autodiff(), rng);
        let lr = self.config.prior_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(loss, lr)?;
        Ok(Metrics::new([("loss", loss), ("grad_norm", norm)]))
    }

    /// Mean squared error of the velocity, `[1]`.
    fn prior_loss(&self, prior: &Velocity, batch: &RowBatch, device: &Device, rng: &mut Rng) -> Tensor<1> {
        let (n, d, fields) = (batch.n, self.config.latent, self.info.width());
        let net = self.autoencoder.averaged();
        let (mu, logvar) = net.encode(&Arc::new(places(&batch.tokens, &self.starts)), fields);
        let z = self.spread.standardised(to_vec(&reparametrise(&mu, &logvar, rng)));
        let eps = rng.normals(n * d);
        let shift = rng.uniform();
        // Times at equal distances: less noise than independent ones.
        let t: Vec<f32> = (0..n).map(|row| ((row as f32 * GOLDEN) + shift).fract()).collect();
        let z_t: Vec<f32> = (0..n * d).map(|at| (1.0 - t[at / d]) * eps[at] + t[at / d] * z[at]).collect();
        let v: Vec<f32> = z.iter().zip(&eps).map(|(z, eps)| z - eps).collect();
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [n, d]), device);
        let known = Arc::new(places(&latent::conditions(batch, fields, rng), &self.starts));
        kernels::mean_squared_error(
            prior.forward(tensor(z_t), &t, &prior.known.forward(&known, fields)),
            tensor(v),
        )
    }

    /// Phase 1: the loss and its parts, nats a row. Phase 2: the error of the velocity.
    pub fn validate(&self, batch: &RowBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let value = |x: Tensor<1>| f64::from(x.into_scalar::<f32>());
        let (terms, _) = self.terms(&self.autoencoder.averaged(), batch, rng);
        let (reconstruction, kl) = (value(terms.reconstruction), value(terms.kl));
        if progress < self.config.prior_from {
            let loss = reconstruction + self.config.beta * kl;
            return Some(Metrics::new([("loss", loss), ("reconstruction", reconstruction), ("kl", kl)]));
        }
        let loss = value(self.prior_loss(&self.prior.averaged(), batch, &self.device, rng));
        Some(Metrics::new([("loss", loss), ("reconstruction", reconstruction), ("kl", kl)]))
    }

    /// Draws rows: noise is carried to a latent vector that suits what is known, and decoded.
    pub fn sample(&self, draw: &RowDraw, rng: &mut Rng) -> Vec<u16> {
        let (net, prior) = (self.autoencoder.averaged(), self.prior.averaged());
        let (d, fields) = (self.config.latent, self.info.width());
        latent::sample(&self.info, draw, rng, |tokens, rng| {
            let n = tokens.len() / fields;
            let eps = rng.normal_tensor([n, d], &self.device) * f64::from(draw.temperature);
            let known = prior.known.forward(&Arc::new(places(tokens, &self.starts)), fields);
            let z =
                integrate(eps, self.config.steps.max(1), |z_t, t| prior.forward(z_t, &vec![t; n], &known));
            let z = self.spread.restored(to_vec(&z));
            to_vec(&net.decoder.forward(Tensor::from_data(TensorData::new(z, [n, d]), &self.device)))
        })
    }

    pub fn save_weights(&self, map: &mut TensorMap) {
        self.autoencoder.save_weights("autoencoder", map);
        self.prior.save_weights("prior", map);
        self.spread.save(map);
    }

    pub fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.autoencoder.load_weights("autoencoder", map)?;
        self.prior.load_weights("prior", map)?;
        self.spread.load(map)
    }

    pub fn save_state(&self, map: &mut TensorMap) {
        self.autoencoder.save_state("autoencoder", map);
        self.prior.save_state("prior", map);
        self.spread.save(map);
    }

    pub fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.autoencoder.load_state("autoencoder", map)?;
        self.prior.load_state("prior", map)?;
        self.spread.load(map)
    }

    pub fn parameters(&self) -> usize {
        self.autoencoder.net().num_params() + self.prior.net().num_params()
    }
}

/// Its multiples, modulo 1, are spread evenly however many there are.
const GOLDEN: f32 = 0.618_034;

/// `μ + σ ε`, with `ε ~ N(0, I)`.
fn reparametrise(mu: &Tensor<2>, logvar: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
    let eps = rng.normal_tensor(mu.dims(), &mu.device());
    mu.clone() + (logvar.clone() * 0.5).exp() * eps
}

/// Carries `z` from t = 0 to 1 by the midpoint rule in equal steps.
fn integrate(z: Tensor<2>, steps: usize, velocity: impl Fn(Tensor<2>, f32) -> Tensor<2>) -> Tensor<2> {
    let dt = 1.0 / steps as f32;
    (0..steps).fold(z, |z, step| {
        let t = step as f32 * dt;
        let middle = z.clone() + velocity(z.clone(), t) * (0.5 * dt);
        z + velocity(middle, t + 0.5 * dt) * dt
    })
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
        for (name, own) in [("latent.mean", &mut self.mean), ("latent.variance", &mut self.variance)] {
            let found = map.get(name)?;
            if found.shape != [d] {
                let (name, found) = (name.to_owned(), found.shape.clone());
                return Err(WeightsError::Shape { name, found, wanted: vec![d] });
            }
            own.clone_from(&found.values);
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
    fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let shape = (config.width, config.blocks);
        Self {
            encoder: Trunk::new(info, config.width, config.blocks, device, rng),
            posterior: Linear::new(config.width, 2 * config.latent, 1.0, device, rng),
            decoder: Decoder::new(info, config.latent, shape, device, rng),
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

/// The velocity of latent vectors on their way from noise.
#[derive(Module, Debug)]
struct Velocity {
    /// Sees the known part of the row.
    known: Trunk,
    time: Linear,
    input: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
    output: Linear,
}

impl Velocity {
    fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let width = config.prior_width;
        Self {
            known: Trunk::new(info, width, 1, device, rng),
            time: Linear::new(D_TIME, width, 1.0, device, rng),
            input: Linear::new(config.latent, width, 1.0, device, rng),
            blocks: (0..config.prior_blocks).map(|_| Block::new(width, device, rng)).collect(),
            norm: LayerNorm::new(width, device),
            output: Linear::new(width, config.latent, 0.0, device, rng),
        }
    }

    /// `z_t [n, d]`, a time a row, what [`Self::known`] makes of the known tokens → `[n, d]`.
    fn forward(&self, z_t: Tensor<2>, t: &[f32], known: &Tensor<2>) -> Tensor<2> {
        let time = self.time.forward(sinusoidal(t, D_TIME, 1000.0, &z_t.device()));
        let h = kernels::add(kernels::add(self.input.forward(z_t), time), known.clone());
        let h = self.blocks.iter().fold(h, |h, block| block.forward(h));
        self.output.forward(self.norm.forward(h))
    }
}
