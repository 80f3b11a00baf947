//! Models of table rows, one file a family.
//!
//! A row is a choice of one token a field ([`RowInfo`]); what tokens mean is the codec's business. All models
//! are drawn from alike: some fields of a row are given, some are restricted to a set of tokens, and the
//! model fills in the rest.

pub mod ar;
pub mod flow;
pub mod gan;
pub mod mixture;
mod net;
#[cfg(test)]
mod tests_common;

use std::ops::RangeInclusive;

use burn::tensor::Device;
use mintage_data::{RowBatch, RowInfo};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use super::{Family, Size, check_ranges, no_such_model};
use crate::{
    events::Metrics,
    recipe::{RecipeError, merge_options},
};

/// The token of a field that is not given.
pub const HIDDEN: u16 = u16::MAX;

/// How to draw rows.
#[derive(Clone, Debug)]
pub struct RowDraw<'a> {
    pub n: usize,
    /// `n` × fields tokens, [`HIDDEN`] where the model shall choose; or nothing, when it shall choose all.
    pub given: &'a [u16],
    /// For each field the tokens that it may have; or nothing, when all may.
    pub allowed: &'a [Option<Vec<bool>>],
    /// 1 is the model's own distribution; lower is safer and less diverse.
    pub temperature: f32,
}

impl RowDraw<'_> {
    /// `n` rows without any condition.
    pub fn new(n: usize) -> Self {
        Self { n, given: &[], allowed: &[], temperature: 1.0 }
    }

    /// The given tokens, or hidden ones.
    pub(super) fn start(&self, width: usize) -> Vec<u16> {
        if self.given.is_empty() { vec![HIDDEN; self.n * width] } else { self.given.to_vec() }
    }

    /// The tokens that a field may have, where they are restricted.
    pub(super) fn allowed(&self, field: usize) -> Option<&[bool]> {
        self.allowed.get(field)?.as_deref()
    }
}

/// The family that `auto` stands for.
pub const AUTO_FAMILY: Family = Family::Ar;

/// Options of any family, and what they must lie between.
const RANGES: [(&str, RangeInclusive<u64>); 7] = [
    ("batch", 1..=65_536),
    ("width", 2..=8_192),
    ("blocks", 0..=64),
    ("components", 1..=65_536),
    ("latent", 1..=4_096),
    ("steps", 2..=1_000),
    ("pack", 1..=64),
];

/// Resolved configuration of a model of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum TableConfig {
    Ar(ar::Config),
    Flow(flow::Config),
    Gan(gan::Config),
    Mixture(mixture::Config),
}

impl TableConfig {
    /// The preset of a size for these data, with the user's `options` laid over it.
    pub fn preset(
        family: Option<Family>,
        size: Size,
        info: &RowInfo,
        options: &toml::Table,
    ) -> Result<Self, RecipeError> {
        let config = match family.unwrap_or(AUTO_FAMILY) {
            Family::Ar => Self::Ar(merge_options(ar::Config::preset(size, info), options)?),
            Family::Flow => Self::Flow(merge_options(flow::Config::preset(size, info), options)?),
            Family::Gan => Self::Gan(merge_options(gan::Config::preset(size, info), options)?),
            Family::Mixture => Self::Mixture(merge_options(mixture::Config::preset(size, info), options)?),
            family => return Err(no_such_model(family, "table rows")),
        };
        check_ranges(&config, &RANGES)?;
        Ok(config)
    }

    pub fn family(&self) -> Family {
        match self {
            Self::Ar(_) => Family::Ar,
            Self::Flow(_) => Family::Flow,
            Self::Gan(_) => Family::Gan,
            Self::Mixture(_) => Family::Mixture,
        }
    }

    /// Rows a step.
    pub fn batch(&self) -> usize {
        match self {
            Self::Ar(c) => c.batch,
            Self::Flow(c) => c.batch,
            Self::Gan(c) => c.batch,
            Self::Mixture(c) => c.batch,
        }
    }
}

/// A model of rows, of any family.
#[derive(Debug)]
pub enum TableModel {
    Ar(ar::Ar),
    Flow(flow::Flow),
    Gan(gan::Gan),
    Mixture(mixture::Mixture),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            TableModel::Ar($model) => $call,
            TableModel::Flow($model) => $call,
            TableModel::Gan($model) => $call,
            TableModel::Mixture($model) => $call,
        }
    };
}

impl TableModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &TableConfig, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        match config {
            TableConfig::Ar(c) => Self::Ar(ar::Ar::new(c, info, device, rng)),
            TableConfig::Flow(c) => Self::Flow(flow::Flow::new(c, info, device, rng)),
            TableConfig::Gan(c) => Self::Gan(gan::Gan::new(c, info, device, rng)),
            TableConfig::Mixture(c) => Self::Mixture(mixture::Mixture::new(c, info, device, rng)),
        }
    }

    /// One training step at `progress` ∈ [0, 1] of the budget. On an error nothing has changed.
    pub fn step(&mut self, batch: &RowBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        each!(self, m => m.step(batch, progress, rng))
    }

    /// Metrics on held-out rows, with the averaged weights; the first is the one to minimise.
    pub fn validate(&self, batch: &RowBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        each!(self, m => m.validate(batch, progress, rng))
    }

    /// The phases of a run, and the share of the budget at which each begins.
    pub fn phases(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Ar(_) | Self::Flow(_) | Self::Gan(_) | Self::Mixture(_) => vec![("training", 0.0)],
        }
    }

    /// Draws rows of tokens, those given and allowed kept.
    pub fn sample(&self, draw: &RowDraw, rng: &mut Rng) -> Vec<u16> {
        each!(self, m => m.sample(draw, rng))
    }

    /// Negative log-likelihood of each row in nats, where the family has one.
    pub fn nll(&self, batch: &RowBatch, _samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        match self {
            Self::Ar(m) => Some(m.nll(batch, rng)),
            Self::Flow(_) | Self::Gan(_) => None,
            Self::Mixture(m) => Some(m.nll(batch, rng)),
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

/// The token whose part of the running sums holds `u` of the whole.
fn pick(cumulative: &[f32], u: f32) -> usize {
    let whole = cumulative[cumulative.len() - 1];
    cumulative.partition_point(|&sum| sum <= u * whole).min(cumulative.len() - 1)
}
