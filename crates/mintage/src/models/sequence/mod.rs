//! Models of sequences of tokens, one file a family. Texts and music are alike to them: what a token means is the
//! codec's business.

pub mod ar;
pub mod gan;
mod generate;
mod net;
mod plan;
pub mod vae;
pub mod vqvae;

use crate::models::Conditioning;
use std::ops::RangeInclusive;

use burn::tensor::Device;
use mintage_data::sequence::{Chunking, SequenceBatch, SequenceInfo};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use super::{Family, Size, check_ranges, no_such_model};
use crate::{
    events::Metrics,
    recipe::{RecipeError, merge_options},
};
pub use generate::{GUIDANCE, Limit, Listener, SamplingParams, SequenceSampleParams};

/// The family that `auto` stands for.
pub const AUTO_FAMILY: Family = Family::Ar;

/// Options of any family, and what they must lie between.
const RANGES: [(&str, RangeInclusive<u64>); 12] = [
    ("batch", 1..=65_536),
    ("layers", 1..=128),
    ("heads", 1..=128),
    ("width", 2..=16_384),
    ("hidden", 1..=65_536),
    // No weights bound the work of a longer one.
    ("context", 1..=8_192),
    ("latent", 1..=4096),
    ("encoder_layers", 1..=128),
    ("prior_layers", 1..=128),
    ("codes", 2..=65_536),
    ("code_dim", 1..=1024),
    ("n_codes", 1..=8_192),
];

/// Resolved configuration of a model of sequences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum SequenceConfig {
    Vae(vae::Config),
    Gan(gan::Config),
    Vqvae(vqvae::Config),
    Ar(ar::Config),
}

/// Calls the same of whichever configuration it is.
macro_rules! of_each {
    ($any:expr, $config:ident => $call:expr) => {
        match $any {
            SequenceConfig::Vae($config) => $call,
            SequenceConfig::Gan($config) => $call,
            SequenceConfig::Vqvae($config) => $call,
            SequenceConfig::Ar($config) => $call,
        }
    };
}

impl SequenceConfig {
    /// The preset of a size for these data, with the user's `options` laid over it.
    pub fn preset(
        family: Option<Family>,
        size: Size,
        info: &SequenceInfo,
        options: &toml::Table,
    ) -> Result<Self, RecipeError> {
        let config = match family.unwrap_or(AUTO_FAMILY) {
            Family::Vae => Self::Vae(merge_options(vae::Config::preset(size, info), options)?),
            Family::Gan => Self::Gan(merge_options(gan::Config::preset(size, info), options)?),
            Family::Vqvae => Self::Vqvae(merge_options(vqvae::Config::preset(size, info), options)?),
            Family::Ar => Self::Ar(merge_options(ar::Config::preset(size, info), options)?),
            family @ (Family::Flow | Family::Mixture) => {
                return Err(no_such_model(family, "texts and music"));
            }
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
    pub fn check(&self) -> Result<(), RecipeError> {
        check_ranges(self, &RANGES)?;
        self.check_heads()?;
        self.check_shares()
    }

    /// Every head has as many values as the others, and an even number of them.
    fn check_heads(&self) -> Result<(), RecipeError> {
        let (width, heads) = of_each!(self, c => (c.width, c.heads));
        match width.is_multiple_of(2 * heads) {
            true => Ok(()),
            false => {
                let why = format!("must be a multiple of twice the heads, {}", 2 * heads);
                Err(RecipeError::of_key("model.width", &why, None))
            }
        }
    }

    /// Every phase has a share of the budget.
    fn check_shares(&self) -> Result<(), RecipeError> {
        let (key, share, most) = match self {
            Self::Vae(c) => ("model.kl_warmup", c.kl_warmup, 0.5),
            Self::Gan(c) => ("model.critic_start", c.critic_start, 0.99),
            Self::Vqvae(c) => ("model.prior_start", c.prior_start, 0.99),
            Self::Ar(_) => return Ok(()),
        };
        let least = if matches!(self, Self::Vae(_)) { 0.0 } else { 0.01 };
        match (least..=most).contains(&share) {
            true => Ok(()),
            false => {
                let why = format!("is a share of the budget: between {least} and {most}");
                Err(RecipeError::of_key(key, &why, None))
            }
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Self::Vae(_) => Family::Vae,
            Self::Gan(_) => Family::Gan,
            Self::Vqvae(_) => Family::Vqvae,
            Self::Ar(_) => Family::Ar,
        }
    }

    /// Windows or segments a step.
    pub fn batch(&self) -> usize {
        of_each!(self, c => c.batch)
    }

    /// Tokens that it sees.
    pub fn context(&self) -> usize {
        of_each!(self, c => c.context)
    }

    /// What an item of a batch is.
    pub fn cut(&self) -> Chunking {
        match self {
            Self::Vae(_) | Self::Vqvae(_) | Self::Ar(ar::Config { segments: true, .. }) => {
                Chunking::Segments(self.context())
            }
            Self::Gan(_) | Self::Ar(_) => Chunking::Windows(self.context()),
        }
    }
}

/// A model of sequences, of any family.
#[derive(Debug)]
// There is one of these in a run.
#[allow(clippy::large_enum_variant)]
pub enum SequenceModel {
    Vae(vae::Vae),
    Gan(gan::Gan),
    Vqvae(vqvae::Vqvae),
    Ar(ar::Ar),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            SequenceModel::Vae($model) => $call,
            SequenceModel::Gan($model) => $call,
            SequenceModel::Vqvae($model) => $call,
            SequenceModel::Ar($model) => $call,
        }
    };
}

impl SequenceModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &SequenceConfig, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        match config {
            SequenceConfig::Vae(c) => Self::Vae(vae::Vae::new(c, info, device, rng)),
            SequenceConfig::Gan(c) => Self::Gan(gan::Gan::new(c, info, device, rng)),
            SequenceConfig::Vqvae(c) => Self::Vqvae(vqvae::Vqvae::new(c, info, device, rng)),
            SequenceConfig::Ar(c) => Self::Ar(ar::Ar::new(c, info, device, rng)),
        }
    }

    /// One training step at `progress` ∈ [0, 1] of the budget. On an error nothing has changed.
    pub fn step(
        &mut self,
        batch: &SequenceBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        each!(self, m => m.step(batch, progress, rng))
    }

    /// Metrics on held-out items, with the averaged weights; the first is the one to minimise.
    pub fn validate(&self, batch: &SequenceBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        each!(self, m => m.validate(batch, progress, rng))
    }

    /// Its choices.
    pub fn config(&self) -> SequenceConfig {
        match self {
            Self::Vae(m) => SequenceConfig::Vae(m.config().clone()),
            Self::Gan(m) => SequenceConfig::Gan(m.config().clone()),
            Self::Vqvae(m) => SequenceConfig::Vqvae(m.config().clone()),
            Self::Ar(m) => SequenceConfig::Ar(m.config().clone()),
        }
    }

    /// The stages of training, and the share of the budget at which each begins.
    pub fn stages(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Gan(m) => m.stages(),
            Self::Vqvae(m) => m.stages(),
            Self::Vae(_) | Self::Ar(_) => vec![("training", 0.0)],
        }
    }

    /// Draws sequences: what comes behind the prompt, without the boundary that ends a document. `limit` says what may
    /// come next; `on` hears of every token and says whether its sequence goes on.
    pub fn sample(
        &self,
        draw: &SequenceSampleParams,
        limit: &mut Limit,
        on: &mut Listener,
        rng: &mut Rng,
    ) -> Vec<Vec<u32>> {
        each!(self, m => m.sample(draw, limit, on, rng))
    }

    /// `−log p` of each item of a batch: nats; of a VAE an upper bound with so many importance samples, of a VQ-VAE one too.
    pub fn nll(&self, batch: &SequenceBatch, samples: usize, rng: &mut Rng) -> Vec<f64> {
        match self {
            Self::Vae(m) => m.nll(batch, samples, rng),
            Self::Gan(m) => m.nll(batch),
            Self::Vqvae(m) => m.nll(batch),
            Self::Ar(m) => m.nll(batch),
        }
    }

    /// `−log p` of a document behind its boundary, with as much before each token as the model can see: nats. `None` for a
    /// model of segments, which knows no documents.
    pub fn document_nll(&self, tokens: &[u32], class: Option<u32>) -> Option<f64> {
        match (self, self.config().cut()) {
            (Self::Gan(m), Chunking::Windows(_)) => Some(m.document_nll(tokens, class)),
            (Self::Ar(m), Chunking::Windows(_)) => Some(m.document_nll(tokens, class)),
            _ => None,
        }
    }

    /// Whether it can draw what is asked for.
    pub fn supports(&self, conditioning: &Conditioning<&[u32]>) -> bool {
        matches!(
            (self, conditioning),
            (_, Conditioning::None)
                | (Self::Vae(_), Conditioning::Vary { .. } | Conditioning::Interpolate { .. })
                | (Self::Vqvae(_), Conditioning::Vary { .. })
        )
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

/// What validation says of so many nats a token.
fn token_metrics(nll: f64, info: &SequenceInfo) -> Metrics {
    match info.chars_per_token > 0.0 {
        true => {
            let bits = nll / std::f64::consts::LN_2 / info.chars_per_token;
            Metrics::new([("nll", nll), ("bits_per_char", bits)])
        }
        false => Metrics::new([("nll", nll)]),
    }
}

#[cfg(test)]
mod tests;
