//! The matrix of models: one file a family and a kind of data, a closed enum for each kind and one over all.
//!
//! A model owns its `step`: a GAN has two optimisers, a VQ-VAE a codebook and a second phase, and the
//! training loop knows nothing of either. Adding a model touches its own file and the `mod.rs` of its kind.

pub mod audio;
mod conditioning;
mod gaussian;
pub mod image;
mod memory;
mod pass;
pub mod sequence;
pub mod table;
pub mod video;

use std::ops::RangeInclusive;

use burn::tensor::Device;
use mintage_data::{
    AudioBatch, ImageBatch, ImageShape, TableBatch, TableInfo, VideoBatch,
    sequence::{Chunking, Modality, SequenceBatch, SequenceInfo},
};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use crate::{events::Metrics, recipe::RecipeError};
pub use audio::{AudioConfig, AudioInfo, AudioModel, AudioSampleParams};
pub use conditioning::Conditioning;
pub use image::{ImageConfig, ImageInfo, ImageModel, ImageSampleParams};
pub use memory::training_bytes;
pub use sequence::{GUIDANCE, SamplingParams, SequenceConfig, SequenceModel, SequenceSampleParams};
pub use table::{TableConfig, TableModel, TableSampleParams};
pub use video::{VideoConfig, VideoInfo, VideoModel, VideoSampleParams};

/// A family of generative models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Vae,
    Gan,
    Vqvae,
    Flow,
    Ar,
    Mixture,
}

impl Family {
    pub const ALL: [Self; 6] = [Self::Vae, Self::Gan, Self::Vqvae, Self::Flow, Self::Ar, Self::Mixture];

    /// The name in recipes, flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vae => "vae",
            Self::Gan => "gan",
            Self::Vqvae => "vqvae",
            Self::Flow => "flow",
            Self::Ar => "ar",
            Self::Mixture => "mixture",
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
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum DataInfo {
    Image(ImageInfo),
    Table(TableInfo),
    Sequence(SequenceInfo),
    #[serde(alias = "sound")]
    Audio(AudioInfo),
    #[serde(alias = "clip")]
    Video(VideoInfo),
}

impl DataInfo {
    /// Items in the train split.
    pub fn train_len(&self) -> usize {
        match self {
            Self::Image(info) => info.train_len,
            Self::Table(info) => info.train_len,
            Self::Sequence(info) => info.train_len,
            Self::Audio(info) => info.train_len,
            Self::Video(info) => info.train_len,
        }
    }

    /// Classes to condition on that are counted, see [`class_counts`](crate::model::ModelConfig::class_counts).
    pub fn classes(&self) -> usize {
        match self {
            Self::Image(info) => info.classes,
            Self::Audio(info) => info.classes,
            Self::Video(info) => info.classes,
            Self::Table(_) | Self::Sequence(_) => 0,
        }
    }

    /// What one item is called.
    pub fn item(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Table(_) => "row",
            Self::Sequence(info) => match info.modality {
                Modality::Text => "text",
                Modality::Music => "tune",
            },
            Self::Audio(_) => "sound",
            Self::Video(_) => "clip",
        }
    }

    /// What the items are, in words: "images 28×28 gray, 10 classes", "rows of 14 columns".
    pub fn items(&self) -> String {
        match self {
            Self::Image(info) => {
                format!("images {}{}", picture(info.shape), with_classes(info.classes))
            }
            Self::Table(info) => {
                let columns = info.fields.iter().filter(|field| !field.detail).count();
                format!("rows of {columns} {}", if columns == 1 { "column" } else { "columns" })
            }
            Self::Sequence(info) => {
                let classes = with_classes(info.classes.len());
                format!("{}s of {} different tokens{classes}", self.item(), info.vocab)
            }
            Self::Audio(info) => {
                let channels = if info.channels == 1 { "mono" } else { "stereo" };
                let secs = info.segment as f64 / f64::from(info.rate_hz);
                let what = if info.whole { "sounds of up to" } else { "stretches of sound of" };
                format!("{what} {secs:.1} s, {} Hz {channels}{}", info.rate_hz, with_classes(info.classes))
            }
            Self::Video(info) => {
                let VideoInfo { shape, frames, fps, classes, .. } = *info;
                format!(
                    "clips, {frames} frames {} at {fps} a second{}",
                    picture(shape),
                    with_classes(classes)
                )
            }
        }
    }
}

/// "28×28 gray".
fn picture(shape: ImageShape) -> String {
    let color = if shape.channels == 1 { "gray" } else { "RGB" };
    format!("{}×{} {color}", shape.width, shape.height)
}

/// Heads of a transformer: of 32, or fewer and wider ones where the width is none of its multiples.
fn heads(width: usize) -> usize {
    (1..=width / 32).rev().find(|heads| width.is_multiple_of(2 * heads)).unwrap_or(1)
}

/// How far along the way from noise to data the `i`-th item of a step of flow matching is: logit-normal (Esser et al.,
/// arXiv:2403.03206), because the middle is the hard part, and one in four uniform, so that both ends are seen too.
fn sample_timestep(i: usize, rng: &mut Rng) -> f32 {
    if i.is_multiple_of(4) { rng.uniform() } else { 1.0 / (1.0 + (-rng.normal()).exp()) }
}

/// ", 10 classes", or nothing.
pub(crate) fn with_classes(n: usize) -> String {
    if n == 0 { String::new() } else { format!(", {n} classes") }
}

/// Data on their way into a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    Image(ImageBatch),
    Table(TableBatch),
    Sequence(SequenceBatch),
    Audio(AudioBatch),
    Video(VideoBatch),
}

/// Resolved configuration of a model, as kept in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AnyConfig {
    Image(ImageConfig),
    Table(TableConfig),
    Sequence(SequenceConfig),
    #[serde(alias = "sound")]
    Audio(AudioConfig),
    #[serde(alias = "clip")]
    Video(VideoConfig),
}

impl AnyConfig {
    /// The preset of a size for these data, with the user's `options` laid over it; without a family, the one
    /// that `auto` stands for.
    pub fn preset(
        family: Option<Family>,
        size: Size,
        info: &DataInfo,
        options: &toml::Table,
    ) -> Result<Self, RecipeError> {
        match info {
            DataInfo::Image(info) => ImageConfig::preset(family, size, info, options).map(Self::Image),
            DataInfo::Table(info) => TableConfig::preset(family, size, info, options).map(Self::Table),
            DataInfo::Sequence(info) => {
                SequenceConfig::preset(family, size, info, options).map(Self::Sequence)
            }
            DataInfo::Audio(info) => AudioConfig::preset(family, size, info, options).map(Self::Audio),
            DataInfo::Video(info) => VideoConfig::preset(family, size, info, options).map(Self::Video),
        }
    }

    /// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
    pub fn check(&self) -> Result<(), RecipeError> {
        match self {
            Self::Image(config) => config.check(),
            Self::Table(config) => config.check(),
            Self::Sequence(config) => config.check(),
            Self::Audio(config) => config.check(),
            Self::Video(config) => config.check(),
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Self::Image(config) => config.family(),
            Self::Table(config) => config.family(),
            Self::Sequence(config) => config.family(),
            Self::Audio(config) => config.family(),
            Self::Video(config) => config.family(),
        }
    }

    /// Items a step.
    pub fn batch(&self) -> usize {
        match self {
            Self::Image(config) => config.batch(),
            Self::Table(config) => config.batch(),
            Self::Sequence(config) => config.batch(),
            Self::Audio(config) => config.batch(),
            Self::Video(config) => config.batch(),
        }
    }

    /// How sequences are cut into the items of a batch; others are whole.
    pub fn cut(&self) -> Option<Chunking> {
        match self {
            Self::Image(_) | Self::Table(_) | Self::Audio(_) | Self::Video(_) => None,
            Self::Sequence(config) => Some(config.cut()),
        }
    }

    /// By how much of the least one the loss on held-out items may have risen for later weights to be preferred.
    pub fn tolerance(&self) -> f64 {
        match self {
            Self::Image(_) | Self::Sequence(_) | Self::Audio(_) | Self::Video(_) => 0.0,
            Self::Table(config) => config.tolerance(),
        }
    }

    /// Steps after which `train_len` items are only learned by heart, where the family knows.
    pub fn most_steps(&self, train_len: usize) -> Option<u64> {
        match self {
            Self::Image(_) | Self::Sequence(_) | Self::Audio(_) | Self::Video(_) => None,
            Self::Table(config) => config.most_steps(train_len),
        }
    }
}

/// `log (1/n) Σ exp(xᵢ)`.
fn log_mean_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + (x.iter().map(|v| (v - max).exp()).sum::<f64>() / x.len() as f64).ln()
}

/// Steps that a flow may take from noise to data: ten to thirty are enough, and no weights bound the work of more.
const MAX_SAMPLE_STEPS: u64 = 256;

/// Shares of a budget, of a batch or of a way, from none to all.
const SHARES: [&str; 11] = [
    "label_drop",
    "augment",
    "p_continue",
    "resample",
    "p_given",
    "in_order",
    "prior_start",
    "adversarial_start",
    "critic_start",
    "warmup",
    "discount",
];
/// Shares of which something must be left.
const PARTS: [&str; 4] = ["dropout", "prior_dropout", "kl_warmup", "forecast"];

/// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
fn check_ranges(config: &impl Serialize, ranges: &[(&str, RangeInclusive<u64>)]) -> Result<(), RecipeError> {
    // Not JSON, which has no numbers that are not finite.
    let options = toml::Table::try_from(config)
        .map_err(|_| RecipeError::of_key("model", "holds a number that no option may be", None))?;
    let wrong = |key: &str, why: &str| Err(RecipeError::of_key(&format!("model.{key}"), why, None));
    for (key, value) in &options {
        let range = ranges.iter().find(|(name, _)| name == key).map(|(_, range)| range);
        match (value, range) {
            (toml::Value::Integer(n), Some(range)) if !range.contains(&n.cast_unsigned()) => {
                return wrong(key, &format!("must be between {} and {}", range.start(), range.end()));
            }
            (toml::Value::Float(x), _) => {
                if let Some(why) = outside(key, *x) {
                    return wrong(key, why);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong with the value of an option that is no whole number.
fn outside(key: &str, x: f64) -> Option<&'static str> {
    if SHARES.contains(&key) {
        (!(0.0..=1.0).contains(&x)).then_some("must be between 0 and 1")
    } else if PARTS.contains(&key) {
        (!(0.0..1.0).contains(&x)).then_some("must be at least 0 and less than 1")
    } else if key == "shift" || key == "spread" {
        (!(x > 0.0 && x.is_finite())).then_some("must be more than 0")
    } else {
        (!(x >= 0.0 && x.is_finite())).then_some("must be at least 0")
    }
}

/// That a family does not exist for a kind of data.
fn no_such_model(family: Family, kind: &str) -> RecipeError {
    let hint = "`mintage models` shows what there is".to_owned();
    RecipeError::of_key("model.family", &format!("there is no {} of {kind}", family.name()), Some(hint))
}

/// A model of any family and kind.
#[derive(Debug)]
// There is one of these in a run.
#[allow(clippy::large_enum_variant)]
pub enum AnyModel {
    Image(ImageModel),
    Table(TableModel),
    Sequence(SequenceModel),
    Audio(AudioModel),
    Video(VideoModel),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            AnyModel::Image($model) => $call,
            AnyModel::Table($model) => $call,
            AnyModel::Sequence($model) => $call,
            AnyModel::Audio($model) => $call,
            AnyModel::Video($model) => $call,
        }
    };
}

impl AnyModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &AnyConfig, info: &DataInfo, device: &Device, rng: &mut Rng) -> Self {
        match (config, info) {
            (AnyConfig::Image(c), DataInfo::Image(i)) => Self::Image(ImageModel::new(c, i, device, rng)),
            (AnyConfig::Table(c), DataInfo::Table(i)) => Self::Table(TableModel::new(c, i, device, rng)),
            (AnyConfig::Sequence(c), DataInfo::Sequence(i)) => {
                Self::Sequence(SequenceModel::new(c, i, device, rng))
            }
            (AnyConfig::Audio(c), DataInfo::Audio(i)) => Self::Audio(AudioModel::new(c, i, device, rng)),
            (AnyConfig::Video(c), DataInfo::Video(i)) => Self::Video(VideoModel::new(c, i, device, rng)),
            _ => other_kind(),
        }
    }

    /// One training step at `progress` ∈ [0, 1] of the budget. On an error nothing has changed.
    pub fn step(&mut self, batch: &Batch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match (self, batch) {
            (Self::Image(m), Batch::Image(b)) => m.step(b, progress, rng),
            (Self::Table(m), Batch::Table(b)) => m.step(b, progress, rng),
            (Self::Sequence(m), Batch::Sequence(b)) => m.step(b, progress, rng),
            (Self::Audio(m), Batch::Audio(b)) => m.step(b, progress, rng),
            (Self::Video(m), Batch::Video(b)) => m.step(b, progress, rng),
            _ => other_kind(),
        }
    }

    /// Metrics on held-out items, with the averaged weights; the first is the one to minimise. `None`
    /// where a family has no such number (GAN). `progress` tells a model of several stages which one it is in.
    pub fn validate(&self, batch: &Batch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        match (self, batch) {
            (Self::Image(m), Batch::Image(b)) => m.validate(b, progress, rng),
            (Self::Table(m), Batch::Table(b)) => m.validate(b, progress, rng),
            (Self::Sequence(m), Batch::Sequence(b)) => m.validate(b, progress, rng),
            (Self::Audio(m), Batch::Audio(b)) => m.validate(b, progress, rng),
            (Self::Video(m), Batch::Video(b)) => m.validate(b, progress, rng),
            _ => other_kind(),
        }
    }

    /// Negative log-likelihood of each item in nats (a bound or estimate; see the model's file), with
    /// `samples` importance samples where that applies.
    pub fn nll(&self, batch: &Batch, samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        match (self, batch) {
            (Self::Image(m), Batch::Image(b)) => m.nll(b, samples, rng),
            (Self::Table(m), Batch::Table(b)) => m.nll(b, samples, rng),
            (Self::Sequence(m), Batch::Sequence(b)) => Some(m.nll(b, samples, rng)),
            (Self::Audio(m), Batch::Audio(b)) => m.nll(b),
            (Self::Video(m), Batch::Video(b)) => m.nll(b),
            _ => other_kind(),
        }
    }

    /// The stages of training, and the share of the budget at which each begins.
    pub fn stages(&self) -> Vec<(&'static str, f64)> {
        each!(self, m => m.stages())
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

/// A model and its data come from one place, and so are of one kind.
fn other_kind() -> ! {
    unreachable!("a model is given data of its own kind")
}
