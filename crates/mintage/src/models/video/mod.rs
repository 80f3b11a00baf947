//! Models of clips, one file a family. Here: the closed enum over them, what they are asked for, and the way between
//! bytes and the model's numbers.
//!
//! Bytes lie `[channels, frames, height, width]` in a clip; networks see frames, `[n · frames, channels, height, width]`
//! in [−1, 1] (`image_model`).

mod autoencoder;
mod codes;
mod forecast;
pub mod gan;
mod latents;
mod net;
#[cfg(test)]
mod test_support;
pub mod vae;
pub mod vqvae;

use crate::models::Conditioning;
use std::ops::RangeInclusive;

use burn::tensor::Device;
use mintage_data::{ImageShape, VideoBatch};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use super::{Family, MAX_SAMPLE_STEPS, SamplingParams, Size, check_ranges, no_such_model};
use crate::{
    events::Metrics,
    recipe::{RecipeError, merge_options},
};

/// The family that `auto` stands for.
pub const AUTO_FAMILY: Family = Family::Vqvae;

/// What a model must know of clips before it sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Of a frame.
    pub shape: ImageShape,
    /// Frames of an item.
    pub frames: usize,
    /// Frames a second.
    pub fps: f64,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Items in the train split.
    pub train_len: usize,
}

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct VideoSampleParams<'a> {
    pub n: usize,
    /// One a clip, or empty for a model without classes; `classes` itself stands for "none".
    pub labels: &'a [u32],
    /// Frames of each new clip, what it begins with included.
    pub frames: usize,
    pub conditioning: Conditioning<&'a [u8]>,
    /// How codes are chosen among the probable ones; of families without codes the temperature counts alone.
    pub choice: SamplingParams,
    /// Classifier-free guidance weight; 1 is the plain conditional model. `None`: the model's default.
    pub guidance: Option<f64>,
}

/// Options of any family, and what they must lie between.
const RANGES: [(&str, RangeInclusive<u64>); 17] = [
    ("batch", 1..=65_536),
    ("width", 2..=4_096),
    ("blocks", 0..=64),
    ("time_blocks", 0..=64),
    ("grid", 1..=256),
    ("codes", 2..=65_536),
    ("code_dim", 1..=4_096),
    ("latent", 1..=4_096),
    ("noise", 1..=4_096),
    ("motion", 1..=4_096),
    ("coder_width", 2..=4_096),
    ("coder_blocks", 0..=64),
    ("prior_layers", 0..=128),
    ("prior_width", 2..=8_192),
    ("forecast_layers", 0..=128),
    ("forecast_width", 2..=4_096),
    ("steps", 1..=MAX_SAMPLE_STEPS),
];

/// Resolved configuration of a model of clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum VideoConfig {
    Vae(vae::Config),
    Vqvae(vqvae::Config),
    Gan(gan::Config),
}

impl VideoConfig {
    /// The preset of a size for these data, with the user's `options` laid over it.
    pub fn preset(
        family: Option<Family>,
        size: Size,
        info: &VideoInfo,
        options: &toml::Table,
    ) -> Result<Self, RecipeError> {
        let config = match family.unwrap_or(AUTO_FAMILY) {
            Family::Vae => Self::Vae(merge_options(vae::Config::preset(size, info), options)?),
            Family::Vqvae => Self::Vqvae(merge_options(vqvae::Config::preset(size, info), options)?),
            Family::Gan => Self::Gan(merge_options(gan::Config::preset(size, info), options)?),
            family @ (Family::Flow | Family::Ar | Family::Mixture) => {
                return Err(no_such_model(family, "clips"));
            }
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
    pub fn check(&self) -> Result<(), RecipeError> {
        check_ranges(self, &RANGES)?;
        match self.prior_width() {
            // Positions turn pairs of numbers.
            Some(width) if width % 2 == 1 => {
                Err(RecipeError::of_key("model.prior_width", "must be even", None))
            }
            _ => Ok(()),
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Self::Vae(_) => Family::Vae,
            Self::Vqvae(_) => Family::Vqvae,
            Self::Gan(_) => Family::Gan,
        }
    }

    /// Items a step.
    pub fn batch(&self) -> usize {
        match self {
            Self::Vae(c) => c.batch,
            Self::Vqvae(c) => c.batch,
            Self::Gan(c) => c.batch,
        }
    }

    /// Width of the prior, where there is one.
    fn prior_width(&self) -> Option<usize> {
        match self {
            Self::Vae(c) => Some(c.prior_width),
            Self::Vqvae(c) => Some(c.prior_width),
            Self::Gan(_) => None,
        }
    }
}

/// A model of clips, of any family.
#[derive(Debug)]
// There is one of these in a run.
#[allow(clippy::large_enum_variant)]
pub enum VideoModel {
    Vae(vae::Vae),
    Vqvae(vqvae::Vqvae),
    Gan(gan::Gan),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            VideoModel::Vae($model) => $call,
            VideoModel::Vqvae($model) => $call,
            VideoModel::Gan($model) => $call,
        }
    };
}

impl VideoModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &VideoConfig, info: &VideoInfo, device: &Device, rng: &mut Rng) -> Self {
        match config {
            VideoConfig::Vae(c) => Self::Vae(vae::Vae::new(c, info, device, rng)),
            VideoConfig::Vqvae(c) => Self::Vqvae(vqvae::Vqvae::new(c, info, device, rng)),
            VideoConfig::Gan(c) => Self::Gan(gan::Gan::new(c, info, device, rng)),
        }
    }

    /// One training step at `progress` ∈ [0, 1] of the budget. On an error nothing has changed.
    pub fn step(&mut self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        each!(self, m => m.step(batch, progress, rng))
    }

    /// Metrics on held-out items, with the averaged weights; the first is the one to minimise. `None` where a family has no
    /// such number (GAN). `progress` tells a model of several stages which one it is in.
    pub fn validate(&self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        each!(self, m => m.validate(batch, progress, rng))
    }

    /// The stages of training, and the share of the budget at which each begins.
    pub fn stages(&self) -> Vec<(&'static str, f64)> {
        each!(self, m => m.stages())
    }

    /// Whether this family can begin with that: going on from frames, or varying them, takes an encoder.
    pub fn supports(&self, conditioning: &Conditioning<&[u8]>) -> bool {
        match (self, conditioning) {
            (_, Conditioning::None) => true,
            (Self::Vae(_) | Self::Vqvae(_), conditioning) => {
                !matches!(conditioning, Conditioning::Interpolate { .. })
            }
            (Self::Gan(_), _) => false,
        }
    }

    /// Draws clips with the averaged weights: bytes `[n, channels, frames, height, width]`. What it begins with must be
    /// one that [`supports`](Self::supports) allows, of the model's size and with a whole number of frames.
    pub fn sample(&self, draw: &VideoSampleParams, rng: &mut Rng) -> Vec<u8> {
        each!(self, m => m.sample(draw, rng))
    }

    /// Through the encoder and back, bytes as in the batch; `None` where a family has no encoder.
    pub fn reconstruct(&self, batch: &VideoBatch) -> Option<Vec<u8>> {
        match self {
            Self::Vae(m) => Some(m.reconstruct(batch)),
            Self::Vqvae(m) => Some(m.reconstruct(batch)),
            Self::Gan(_) => None,
        }
    }

    /// Negative log-likelihood of each item in nats (a bound; see the model's file).
    pub fn nll(&self, batch: &VideoBatch) -> Option<Vec<f64>> {
        match self {
            Self::Vqvae(m) => Some(m.nll(batch)),
            Self::Vae(_) | Self::Gan(_) => None,
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
