//! Models of sequences of tokens, one file a family. Texts and music are alike to them: what a token means is the
//! codec's business.

pub mod ar;
mod generate;
mod net;

use std::ops::RangeInclusive;

use burn::tensor::Device;
use mintage_data::sequence::{Cut, SequenceBatch, SequenceInfo};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use super::{Family, Size, check_ranges, no_such_model};
use crate::{
    events::Metrics,
    recipe::{RecipeError, merge_options},
};
pub use generate::{Choice, Limit, SequenceDraw};

/// The family that `auto` stands for.
pub const AUTO_FAMILY: Family = Family::Ar;

/// Options of any family, and what they must lie between.
const RANGES: [(&str, RangeInclusive<u64>); 6] = [
    ("batch", 1..=65_536),
    ("layers", 1..=128),
    ("heads", 1..=128),
    ("width", 2..=16_384),
    ("hidden", 1..=65_536),
    ("context", 1..=65_536),
];

/// Resolved configuration of a model of sequences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum SequenceConfig {
    Ar(ar::Config),
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
            Family::Ar => Self::Ar(merge_options(ar::Config::preset(size, info), options)?),
            family => return Err(no_such_model(family, "texts and music")),
        };
        check_ranges(&config, &RANGES)?;
        config.check_heads()?;
        Ok(config)
    }

    /// Every head has as many values as the others, and an even number of them.
    fn check_heads(&self) -> Result<(), RecipeError> {
        let Self::Ar(ar::Config { width, heads, .. }) = self;
        match width.is_multiple_of(2 * heads) {
            true => Ok(()),
            false => {
                let why = format!("must be a multiple of twice the heads, {}", 2 * heads);
                Err(RecipeError::of_key("model.width", &why, None))
            }
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Self::Ar(_) => Family::Ar,
        }
    }

    /// Windows or segments a step.
    pub fn batch(&self) -> usize {
        match self {
            Self::Ar(c) => c.batch,
        }
    }

    /// What an item of a batch is.
    pub fn cut(&self) -> Cut {
        match self {
            Self::Ar(c) => Cut::Windows(c.context),
        }
    }
}

/// A model of sequences, of any family.
#[derive(Debug)]
pub enum SequenceModel {
    Ar(ar::Ar),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            SequenceModel::Ar($model) => $call,
        }
    };
}

impl SequenceModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &SequenceConfig, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        match config {
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
            Self::Ar(m) => SequenceConfig::Ar(m.config().clone()),
        }
    }

    /// The phases of a run, and the share of the budget at which each begins.
    pub fn phases(&self) -> Vec<(&'static str, f64)> {
        vec![("training", 0.0)]
    }

    /// Draws sequences: what comes behind the prompt, without the boundary that ends a document. `limit` says what may
    /// come next; `on` hears of every token and says whether its sequence goes on.
    pub fn sample(
        &self,
        draw: &SequenceDraw,
        limit: &mut Limit,
        on: &mut dyn FnMut(usize, u32) -> bool,
        rng: &mut Rng,
    ) -> Vec<Vec<u32>> {
        each!(self, m => m.sample(draw, limit, on, rng))
    }

    /// `−log p` of every token of a document behind its boundary, with as much before it as the model can see: nats.
    /// `None` where the family has no likelihood.
    pub fn document_nll(&self, tokens: &[u32], class: Option<u32>) -> Option<Vec<f64>> {
        match self {
            Self::Ar(m) => Some(m.document_nll(tokens, class)),
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
