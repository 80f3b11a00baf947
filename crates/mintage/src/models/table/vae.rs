//! Variational autoencoder of rows (Kingma & Welling, arXiv:1312.6114; for tables TVAE, arXiv:1907.00503)
//! with a prior that is learned afterwards (TabSyn, arXiv:2310.09656).
//!
//! Phase 1: an autoencoder (`autoencoder.rs`) learns latent vectors that tell nearly all of a row. Drawing
//! N(0, I) in their place is what makes rows of a plain VAE look bad.
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
use mintage_data::{TableBatch, TableInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable, kernels,
    layers::{LayerNorm, Linear, sinusoidal},
};
use serde::{Deserialize, Serialize};

use super::Table;
use super::{
    TableSampleParams,
    autoencoder::{Latents, Shape},
    latent,
    net::{Block, Trunk, places},
};
use crate::models::common::flow_matching::midpoint;
use crate::models::common::stages::Stage;
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{events::Metrics, models::Size};

/// Numbers that the time is embedded in.
const D_TIME: usize = 64;

/// Options of a VAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of the latent vector.
    pub latent: usize,
    /// Width of encoder and decoder.
    pub width: usize,
    /// Residual blocks of each.
    pub blocks: usize,
    /// β: weight of the divergence from N(0, I).
    pub beta: f64,
    /// Width of the prior, the network that gives the velocity of latent vectors.
    pub prior_width: usize,
    /// Residual blocks of the prior.
    pub prior_blocks: usize,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "prior_from")]
    pub prior_start: f64,
    /// Steps of the midpoint rule in sampling; each evaluates the prior twice.
    pub steps: usize,
    /// Rows per step.
    pub batch: usize,
    /// Peak learning rate of the autoencoder, in phase 1.
    pub lr: f64,
    /// Peak learning rate of the prior, in phase 2.
    pub prior_lr: f64,
}

impl FamilyConfig<Table> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &TableInfo) -> Self {
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
            prior_start: 0.25,
            steps: 10,
            batch: 1024,
            lr: 2e-3,
            prior_lr: 2e-3,
        }
    }

    fn activations(&self, info: &TableInfo) -> u64 {
        memory::of_row(info)
    }
}

/// A VAE with its prior.
#[derive(Debug)]
pub struct Vae {
    config: Config,
    info: TableInfo,
    starts: Arc<Vec<usize>>,
    device: Device,
    latents: Latents,
    prior: Trainable<Velocity>,
}

impl GenerativeModel<Table> for Vae {
    type Config = Config;

    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let &Config { latent, width, blocks, beta, lr, .. } = config;
        let latents = Latents::new(Shape { latent, width, blocks, beta, lr }, info, device, rng);
        let prior = Velocity::new(config, info, &device.clone().autodiff(), rng);
        Self {
            config: config.clone(),
            info: info.clone(),
            starts: Arc::new(info.starts()),
            device: device.clone(),
            latents,
            prior: Trainable::new(prior, AdamW { weight_decay: 0.01, ..AdamW::default() }),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("latent vectors", 0.0), ("prior over them", self.config.prior_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.latents.step(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }
    }

    /// Phase 1: the loss and its parts, nats a row. Phase 2: the error of the velocity.
    fn validate(&self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let mut metrics = self.latents.validate(batch, rng);
        if progress >= self.config.prior_start {
            let loss = self.prior_loss(&self.prior.averaged(), batch, &self.device, rng);
            metrics.0[0].1 = f64::from(loss.into_scalar::<f32>());
        }
        Some(metrics)
    }

    /// Draws rows: noise is carried to a latent vector that suits what is known, and decoded.
    fn sample(&self, draw: &TableSampleParams, rng: &mut Rng) -> Vec<u16> {
        let prior = self.prior.averaged();
        let (d, fields) = (self.config.latent, self.info.width());
        latent::sample(&self.info, draw, rng, |tokens, rng| {
            let n = tokens.len() / fields;
            let eps = rng.normal_tensor([n, d], &self.device) * f64::from(draw.temperature);
            let known = prior.known.forward(&Arc::new(places(tokens, &self.starts)), fields);
            let velocity = |z_t, t| prior.forward(z_t, &vec![t; n], &known);
            self.latents.decode(&midpoint(eps, self.config.steps.max(1), velocity))
        })
    }

    parts!("autoencoder" = latents, "prior" = prior);
}

impl Vae {
    fn step_prior(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let loss = self.prior_loss(self.prior.net(), batch, &self.device.clone().autodiff(), rng);
        let lr = self.config.prior_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(loss, lr)?;
        Ok(Metrics::new([("loss", loss), ("grad_norm", norm)]))
    }

    /// Mean squared error of the velocity, `[1]`.
    fn prior_loss(&self, prior: &Velocity, batch: &TableBatch, device: &Device, rng: &mut Rng) -> Tensor<1> {
        let (n, d, fields) = (batch.n, self.config.latent, self.info.width());
        let z = self.latents.encode(batch, rng);
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
}

/// Its multiples, modulo 1, are spread evenly however many there are.
const GOLDEN: f32 = 0.618_034;

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
    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
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
