//! Models of sounds, one file a family. Here: the closed enum over them, and what they are asked for.
//!
//! Samples are numbers in [−1, 1], channel by channel, at the rate of the codec; a frame is a few thousandths of a second.

mod codes;
pub mod gan;
mod griffin_lim;
mod latents;
mod net;
mod spectral;
#[cfg(test)]
pub(crate) mod test_support;
pub mod vae;
pub mod vqvae;

use crate::models::Conditioning;
use std::ops::RangeInclusive;

use burn::tensor::Device;
use mintage_data::AudioBatch;
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use super::{Family, MAX_SAMPLE_STEPS, SamplingParams, Size, check_ranges, no_such_model};
use crate::{
    events::Metrics,
    recipe::{RecipeError, merge_options},
};
pub use spectral::si_sdr_db;

/// The family that `auto` stands for.
pub const AUTO_FAMILY: Family = Family::Vqvae;

/// What a model must know of sounds before it hears them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioInfo {
    pub rate_hz: u32,
    pub channels: usize,
    /// Samples of an item, of each channel.
    pub segment: usize,
    /// Whether an item is a sound from its beginning, and not a part of a longer one.
    pub whole: bool,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Items in the train split.
    pub train_len: usize,
}

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct AudioSampleParams<'a> {
    pub n: usize,
    /// One a sound, or empty for a model without classes.
    pub labels: &'a [u32],
    /// Samples at most, of each channel.
    pub length: usize,
    pub conditioning: Conditioning<&'a [f32]>,
    /// How codes are chosen among the probable ones.
    pub choice: SamplingParams,
    /// Classifier-free guidance weight; 1 is the plain conditional model. `None`: the model's default.
    pub guidance: Option<f32>,
}

/// Rounds of Griffin and Lim: after a hundred nothing is heard of more.
const MAX_GRIFFIN_LIM_ITERS: u64 = 256;

/// Options of any family, and what they must lie between.
const RANGES: [(&str, RangeInclusive<u64>); 13] = [
    ("batch", 1..=65_536),
    ("width", 2..=8_192),
    ("blocks", 0..=64),
    ("codes", 2..=65_536),
    ("coarse", 1..=32),
    ("fine", 1..=32),
    ("code_dim", 1..=4_096),
    ("latent", 1..=4_096),
    ("group", 1..=64),
    ("steps", 1..=MAX_SAMPLE_STEPS),
    ("griffin_lim_iters", 0..=MAX_GRIFFIN_LIM_ITERS),
    ("prior_layers", 0..=128),
    ("prior_width", 2..=8_192),
];

/// Resolved configuration of a model of sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum AudioConfig {
    Gan(gan::Config),
    Vae(vae::Config),
    Vqvae(vqvae::Config),
}

impl AudioConfig {
    /// The preset of a size for these data, with the user's `options` laid over it.
    pub fn preset(
        family: Option<Family>,
        size: Size,
        info: &AudioInfo,
        options: &toml::Table,
    ) -> Result<Self, RecipeError> {
        let config = match family.unwrap_or(AUTO_FAMILY) {
            Family::Gan => Self::Gan(merge_options(gan::Config::preset(size, info), options)?),
            Family::Vae => Self::Vae(merge_options(vae::Config::preset(size, info), options)?),
            Family::Vqvae => Self::Vqvae(merge_options(vqvae::Config::preset(size, info), options)?),
            family => return Err(no_such_model(family, "sounds")),
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
    pub fn check(&self) -> Result<(), RecipeError> {
        check_ranges(self, &RANGES)?;
        match self {
            // Positions turn pairs of numbers.
            Self::Vqvae(vqvae::Config { prior_width, .. }) | Self::Vae(vae::Config { prior_width, .. })
                if !prior_width.is_multiple_of(2) =>
            {
                Err(RecipeError::of_key("model.prior_width", "must be even", None))
            }
            Self::Vqvae(_) | Self::Vae(_) | Self::Gan(_) => Ok(()),
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Self::Gan(_) => Family::Gan,
            Self::Vae(_) => Family::Vae,
            Self::Vqvae(_) => Family::Vqvae,
        }
    }

    /// Items a step.
    pub fn batch(&self) -> usize {
        match self {
            Self::Gan(c) => c.batch,
            Self::Vae(c) => c.batch,
            Self::Vqvae(c) => c.batch,
        }
    }
}

/// A model of sounds, of any family.
#[derive(Debug)]
// There is one of these in a run.
#[allow(clippy::large_enum_variant)]
pub enum AudioModel {
    Gan(gan::Gan),
    Vae(vae::Vae),
    Vqvae(vqvae::Vqvae),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            AudioModel::Gan($model) => $call,
            AudioModel::Vae($model) => $call,
            AudioModel::Vqvae($model) => $call,
        }
    };
}

impl AudioModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &AudioConfig, info: &AudioInfo, device: &Device, rng: &mut Rng) -> Self {
        match config {
            AudioConfig::Gan(c) => Self::Gan(gan::Gan::new(c, info, device, rng)),
            AudioConfig::Vae(c) => Self::Vae(vae::Vae::new(c, info, device, rng)),
            AudioConfig::Vqvae(c) => Self::Vqvae(vqvae::Vqvae::new(c, info, device, rng)),
        }
    }

    /// One training step at `progress` ∈ [0, 1] of the budget. On an error nothing has changed.
    pub fn step(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        each!(self, m => m.step(batch, progress, rng))
    }

    /// Metrics on held-out items, with the averaged weights; the first is the one to minimise.
    pub fn validate(&self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        each!(self, m => m.validate(batch, progress, rng))
    }

    /// The stages of training, and the share of the budget at which each begins.
    pub fn stages(&self) -> Vec<(&'static str, f64)> {
        each!(self, m => m.stages())
    }

    /// Whether this family can begin with that: a sound that is given takes an encoder.
    pub fn supports(&self, conditioning: &Conditioning<&[f32]>) -> bool {
        match (self, conditioning) {
            (_, Conditioning::None) => true,
            (Self::Vae(_) | Self::Vqvae(_), conditioning) => {
                !matches!(conditioning, Conditioning::Interpolate { .. })
            }
            (Self::Gan(_), _) => false,
        }
    }

    /// Draws sounds with the averaged weights: samples of each, channel by channel, as long as it is. What they
    /// begin with must be what [`supports`](Self::supports) allows; otherwise it is nothing.
    pub fn sample(&self, draw: &AudioSampleParams, rng: &mut Rng) -> Vec<Vec<f32>> {
        each!(self, m => m.sample(draw, rng))
    }

    /// Whether what comes back through the encoder is to be the same wave, and not only to sound the same.
    pub fn keeps_waves(&self) -> bool {
        matches!(self, Self::Vqvae(_))
    }

    /// Through the encoder and back, samples as in the batch; `None` where a family has no encoder.
    pub fn reconstruct(&self, batch: &AudioBatch) -> Option<Vec<f32>> {
        match self {
            Self::Gan(_) => None,
            Self::Vae(m) => Some(m.reconstruct(batch)),
            Self::Vqvae(m) => Some(m.reconstruct(batch)),
        }
    }

    /// `−log p` of what the model writes for each item: nats; `None` where a family has no likelihood.
    pub fn nll(&self, batch: &AudioBatch) -> Option<Vec<f64>> {
        match self {
            Self::Gan(_) => None,
            Self::Vae(_) => None,
            Self::Vqvae(m) => Some(m.nll(batch)),
        }
    }

    /// The published weights (averaged).
    pub fn save_weights(&self, map: &mut TensorMap) {
        each!(self, m => m.save_weights(map));
    }

    pub fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        each!(self, m => m.load_weights(map))
    }

    /// All that a resumed run needs.
    pub fn save_state(&self, map: &mut TensorMap) {
        each!(self, m => m.save_state(map));
    }

    pub fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        each!(self, m => m.load_state(map))
    }

    pub fn parameters(&self) -> usize {
        each!(self, m => m.parameters())
    }
}
