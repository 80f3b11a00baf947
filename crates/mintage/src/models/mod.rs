//! The matrix of models: one file a family and a kind of data, one closed enum over all of them.
//!
//! A model owns its `step`: a GAN has two optimisers, a VQ-VAE a codebook and a second phase, and the
//! training loop knows nothing of either. Adding a model touches its own file and this one.

pub mod image;

use std::ops::RangeInclusive;

use burn::tensor::Device;
use mintage_data::{ImageBatch, ImageShape};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use crate::{
    events::Metrics,
    recipe::{RecipeError, merge_options},
};
use image::{flow, gan, vae, vqvae};

/// A family of generative models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Vae,
    Gan,
    Vqvae,
    Flow,
}

impl Family {
    pub const ALL: [Self; 4] = [Self::Vae, Self::Gan, Self::Vqvae, Self::Flow];

    /// The name in recipes, flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vae => "vae",
            Self::Gan => "gan",
            Self::Vqvae => "vqvae",
            Self::Flow => "flow",
        }
    }
}

/// The one dial: width, depth, batch and learning rate follow from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    Tiny,
    #[default]
    Small,
    Base,
    Large,
}

impl Size {
    pub const ALL: [Self; 4] = [Self::Tiny, Self::Small, Self::Base, Self::Large];

    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Base => "base",
            Self::Large => "large",
        }
    }
}

/// What a model must know of the data before it sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    pub shape: ImageShape,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Items in the train split.
    pub train_len: usize,
}

/// What samples begin with. Images are `pixels_u8` of the model's shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Start {
    /// Noise alone: new images.
    #[default]
    Noise,
    /// Variations of an image: at `strength` 0 the image itself as the model sees it, at 1 a new one.
    Like { image: Vec<u8>, strength: f32 },
    /// The way from one image to another, both ends included.
    Between { from: Vec<u8>, to: Vec<u8> },
}

/// How to draw samples. Labels: one a sample, or empty for a model without classes.
#[derive(Clone, Debug)]
pub struct Draw<'a> {
    pub n: usize,
    pub labels: &'a [u32],
    pub start: &'a Start,
    /// 1 is the model's own distribution; lower is safer and less diverse.
    pub temperature: f32,
    /// Classifier-free guidance weight; 1 is the plain conditional model. `None`: the model's default.
    pub guidance: Option<f32>,
    /// Keep only the k most probable codes (VQ-VAE prior).
    pub top_k: Option<usize>,
    /// Keep the most probable codes up to this total probability (VQ-VAE prior).
    pub top_p: Option<f32>,
}

impl<'a> Draw<'a> {
    /// `n` samples with the given labels and every knob at its default.
    pub fn new(n: usize, labels: &'a [u32]) -> Self {
        Self { n, labels, start: &Start::Noise, temperature: 1.0, guidance: None, top_k: None, top_p: None }
    }
}

/// Options of any family, and what they must lie between: a network has channels, and halves of them; far
/// above the upper ends no machine would finish a step.
const RANGES: [(&str, RangeInclusive<u64>); 11] = [
    ("batch", 1..=65_536),
    ("width", 2..=4_096),
    ("blocks", 0..=64),
    ("latent", 0..=65_536),
    ("importance", 0..=10_000),
    ("codes", 1..=65_536),
    ("code_dim", 1..=4_096),
    ("grid", 0..=256),
    ("prior_layers", 0..=128),
    ("prior_width", 1..=8_192),
    ("steps", 0..=10_000),
];

/// Resolved configuration of a model, as kept in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum AnyConfig {
    Vae(vae::Config),
    Vqvae(vqvae::Config),
    Gan(gan::Config),
    Flow(flow::Config),
}

impl AnyConfig {
    /// The preset of a size for these data, with the user's `options` laid over it.
    pub fn preset(
        family: Family,
        size: Size,
        info: &DataInfo,
        options: &toml::Table,
    ) -> Result<Self, RecipeError> {
        let config = match family {
            Family::Vae => Self::Vae(merge_options(vae::Config::preset(size, info), options)?),
            Family::Vqvae => Self::Vqvae(merge_options(vqvae::Config::preset(size, info), options)?),
            Family::Gan => Self::Gan(merge_options(gan::Config::preset(size, info), options)?),
            Family::Flow => Self::Flow(merge_options(flow::Config::preset(size, info), options)?),
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses sizes that no network can be built with.
    fn check(&self) -> Result<(), RecipeError> {
        let options = serde_json::json!(self);
        let outside = |(key, range): &&(&str, RangeInclusive<u64>)| {
            options[key].as_u64().is_some_and(|n| !range.contains(&n))
        };
        match RANGES.iter().find(outside) {
            Some((key, range)) => {
                let why = format!("must be between {} and {}", range.start(), range.end());
                Err(RecipeError::of_key(&format!("model.{key}"), &why, None))
            }
            None => Ok(()),
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Self::Vae(_) => Family::Vae,
            Self::Vqvae(_) => Family::Vqvae,
            Self::Gan(_) => Family::Gan,
            Self::Flow(_) => Family::Flow,
        }
    }

    /// Items a step.
    pub fn batch(&self) -> usize {
        match self {
            Self::Vae(c) => c.batch,
            Self::Vqvae(c) => c.batch,
            Self::Gan(c) => c.batch,
            Self::Flow(c) => c.batch,
        }
    }
}

/// A model of any family.
#[derive(Debug)]
pub enum AnyModel {
    Vae(vae::Vae),
    Vqvae(vqvae::Vqvae),
    Gan(gan::Gan),
    Flow(flow::Flow),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            AnyModel::Vae($model) => $call,
            AnyModel::Vqvae($model) => $call,
            AnyModel::Gan($model) => $call,
            AnyModel::Flow($model) => $call,
        }
    };
}

impl AnyModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &AnyConfig, info: &DataInfo, device: &Device, rng: &mut Rng) -> Self {
        match config {
            AnyConfig::Vae(c) => Self::Vae(vae::Vae::new(c, info, device, rng)),
            AnyConfig::Vqvae(c) => Self::Vqvae(vqvae::Vqvae::new(c, info, device, rng)),
            AnyConfig::Gan(c) => Self::Gan(gan::Gan::new(c, info, device, rng)),
            AnyConfig::Flow(c) => Self::Flow(flow::Flow::new(c, info, device, rng)),
        }
    }

    /// One training step at `progress` ∈ [0, 1] of the budget. On an error nothing has changed.
    pub fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        each!(self, m => m.step(batch, progress, rng))
    }

    /// Metrics on held-out items, with the averaged weights; the first is the one to minimise. `None`
    /// where a family has no such number (GAN). `progress` tells a model of several phases which one it is in.
    pub fn validate(&self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        each!(self, m => m.validate(batch, progress, rng))
    }

    /// The phases of a run, and the share of the budget at which each begins.
    pub fn phases(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Vqvae(m) => m.phases(),
            Self::Vae(m) => m.phases(),
            Self::Gan(_) | Self::Flow(_) => vec![("training", 0.0)],
        }
    }

    /// Whether this family can begin with that: going back from an image takes an encoder, or a flow.
    pub fn can_begin(&self, start: &Start) -> bool {
        match (self, start) {
            (_, Start::Noise) | (Self::Vae(_) | Self::Flow(_), _) => true,
            (Self::Vqvae(_), Start::Like { .. }) => true,
            (Self::Vqvae(_), Start::Between { .. }) | (Self::Gan(_), _) => false,
        }
    }

    /// Draws images with the averaged weights: `n` × CHW bytes. What it begins with must be one that
    /// [`can_begin`](Self::can_begin) allows; otherwise it is noise.
    pub fn sample(&self, draw: &Draw, rng: &mut Rng) -> Vec<u8> {
        each!(self, m => m.sample(draw, rng))
    }

    /// Through the encoder and back; `None` where a family has no encoder.
    pub fn reconstruct(&self, batch: &ImageBatch, rng: &mut Rng) -> Option<Vec<u8>> {
        match self {
            Self::Vae(m) => Some(m.reconstruct(batch, rng)),
            Self::Vqvae(m) => Some(m.reconstruct(batch, rng)),
            Self::Gan(_) | Self::Flow(_) => None,
        }
    }

    /// Negative log-likelihood of each item in nats (a bound or estimate; see the model's file), with
    /// `samples` importance samples where that applies.
    pub fn nll(&self, batch: &ImageBatch, samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        match self {
            Self::Vae(m) => Some(m.nll(batch, samples, rng)),
            Self::Vqvae(m) => Some(m.nll(batch, rng)),
            Self::Gan(_) | Self::Flow(_) => None,
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
