//! The one list of kinds of data, and what is the same of all of them.

use burn::tensor::Device;
use mintage_data::sequence::{Augmentation, Chunking};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError};
use serde::{Deserialize, Serialize};

use super::{
    Conditioning, Family, Size,
    audio::{Audio, AudioConfig},
    generative::{GenerativeModel, Kind},
    image::{Image, ImageConfig},
    sequence::{Sequence, SequenceConfig},
    table::{Table, TableConfig},
    video::{Video, VideoConfig},
};
use crate::{events::Metrics, recipe::RecipeError};

/// Writes the enums over kinds, and hands every call on to the kind.
macro_rules! kinds {
    ($($(#[$alias:meta])* $kind:ident),+ $(,)?) => {
        /// What a model must know of the data before it sees them.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        pub enum DataInfo {
            $(
                #[doc = concat!("Data of the kind [`", stringify!($kind), "`].")]
                $(#[$alias])*
                $kind(<$kind as Kind>::Info),
            )+
        }

        impl DataInfo {
            /// Items in the train split.
            pub fn train_len(&self) -> usize {
                match self { $(Self::$kind(info) => $kind::train_len(info)),+ }
            }

            /// Classes to condition on that are counted, see
            /// [`class_counts`](crate::model::ModelConfig::class_counts).
            pub fn classes(&self) -> usize {
                match self { $(Self::$kind(info) => $kind::classes(info)),+ }
            }

            /// What one item is called.
            pub fn item(&self) -> &'static str {
                match self { $(Self::$kind(info) => $kind::item(info)),+ }
            }

            /// What the items are, in words: "images 28×28 gray, 10 classes", "rows of 14 columns".
            pub fn items(&self) -> String {
                match self { $(Self::$kind(info) => $kind::items(info)),+ }
            }
        }

        /// A batch of items, as training and evaluation give it to a model.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Batch {
            $(
                #[doc = concat!("Items of the kind [`", stringify!($kind), "`].")]
                $kind(<$kind as Kind>::Batch),
            )+
        }

        /// Resolved configuration of a model, as kept in `config.json`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        pub enum AnyConfig {
            $(
                #[doc = concat!("Options of a model of the kind [`", stringify!($kind), "`].")]
                $(#[$alias])*
                $kind(<$kind as Kind>::Config),
            )+
        }

        impl AnyConfig {
            /// The preset of a size for these data, overridden by the user's `options`; without a family, the
            /// preset of the one that `auto` stands for.
            ///
            /// # Errors
            ///
            /// Where the family does not learn this kind of data, or an option is unknown or out of its range.
            pub fn preset(
                family: Option<Family>,
                size: Size,
                info: &DataInfo,
                options: &toml::Table,
            ) -> Result<Self, RecipeError> {
                match info {
                    $(DataInfo::$kind(info) => {
                        <$kind as Kind>::Config::preset(family, size, info, options).map(Self::$kind)
                    })+
                }
            }

            /// These options, overridden by the user's `options`. They are of the kind of these data, see
            /// [`suits`](Self::suits).
            ///
            /// # Errors
            ///
            /// Where an option is unknown or out of its range, or these data do not allow it.
            pub(crate) fn overridden(self, options: &toml::Table, info: &DataInfo) -> Result<Self, RecipeError> {
                match (self, info) {
                    $((Self::$kind(config), DataInfo::$kind(info)) => {
                        config.overridden(options, info).map(Self::$kind)
                    })+
                    _ => other_kind(),
                }
            }

            /// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
            ///
            /// # Errors
            ///
            /// Names the key of the recipe and what is wrong with it.
            pub fn check(&self) -> Result<(), RecipeError> {
                match self { $(Self::$kind(config) => config.check()),+ }
            }

            /// The family that these are options of.
            pub fn family(&self) -> Family {
                match self { $(Self::$kind(config) => config.family()),+ }
            }

            /// Items per step.
            pub fn batch(&self) -> usize {
                match self { $(Self::$kind(config) => config.batch()),+ }
            }

            /// How sequences are cut into the items of a batch; others are whole.
            pub fn chunking(&self) -> Option<Chunking> {
                match self { $(Self::$kind(config) => config.chunking()),+ }
            }

            /// What is changed in sequences from pass to pass of training.
            pub fn augmentation(&self) -> Augmentation {
                match self { $(Self::$kind(config) => config.augmentation()),+ }
            }

            /// Relative rise of the held-out loss over its minimum up to which later weights are still
            /// preferred.
            pub fn tolerance(&self) -> f64 {
                match self { $(Self::$kind(config) => config.tolerance()),+ }
            }

            /// Steps after which training on `train_len` items only overfits; `None` where the family sets no
            /// such limit.
            pub fn max_steps(&self, train_len: usize) -> Option<u64> {
                match self { $(Self::$kind(config) => config.max_steps(train_len)),+ }
            }

            /// Numbers that a training step keeps for the backward pass, per item of a batch.
            ///
            /// A low estimate, so that no run is refused that would fit.
            pub(super) fn activations(&self, info: &DataInfo) -> u64 {
                match (self, info) {
                    $((Self::$kind(config), DataInfo::$kind(info)) => config.activations(info),)+
                    _ => other_kind(),
                }
            }

            /// Whether it is of the kind of these data.
            pub fn suits(&self, info: &DataInfo) -> bool {
                match (self, info) {
                    $((Self::$kind(_), DataInfo::$kind(_)) => true,)+
                    _ => false,
                }
            }
        }

        /// A model of any family and kind.
        #[derive(Debug)]
        // There is one of these in a run.
        #[allow(clippy::large_enum_variant)]
        pub enum AnyModel {
            $(
                #[doc = concat!("A model of the kind [`", stringify!($kind), "`].")]
                $kind(<$kind as Kind>::Model),
            )+
        }

        impl AnyModel {
            /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
            pub fn new(config: &AnyConfig, info: &DataInfo, device: &Device, rng: &mut Rng) -> Self {
                match (config, info) {
                    $((AnyConfig::$kind(config), DataInfo::$kind(info)) => {
                        Self::$kind(<$kind as Kind>::Model::new(config, info, device, rng))
                    })+
                    _ => other_kind(),
                }
            }

            /// See [`GenerativeModel::step`].
            ///
            /// # Errors
            ///
            /// Where the loss or its gradient is not finite: nothing has changed then, unless the model has
            /// [`notes`](Self::notes) of it.
            pub fn step(&mut self, batch: &Batch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
                match (self, batch) {
                    $((Self::$kind(model), Batch::$kind(batch)) => model.step(batch, progress, rng),)+
                    _ => other_kind(),
                }
            }

            /// See [`GenerativeModel::notes`].
            pub fn notes(&mut self) -> Vec<String> {
                match self { $(Self::$kind(model) => model.notes()),+ }
            }

            /// See [`GenerativeModel::validate`].
            pub fn validate(&self, batch: &Batch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
                match (self, batch) {
                    $((Self::$kind(model), Batch::$kind(batch)) => model.validate(batch, progress, rng),)+
                    _ => other_kind(),
                }
            }

            /// See [`GenerativeModel::nll`].
            pub fn nll(&self, batch: &Batch, samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
                match (self, batch) {
                    $((Self::$kind(model), Batch::$kind(batch)) => model.nll(batch, samples, rng),)+
                    _ => other_kind(),
                }
            }

            /// See [`GenerativeModel::nll_is_slow`].
            pub fn nll_is_slow(&self) -> bool {
                match self { $(Self::$kind(model) => model.nll_is_slow()),+ }
            }

            /// See [`GenerativeModel::supports`].
            pub fn supports(&self, conditioning: &Conditioning<()>) -> bool {
                match self { $(Self::$kind(model) => model.supports(conditioning)),+ }
            }

            /// See [`GenerativeModel::has_early`].
            pub fn has_early(&self) -> bool {
                match self { $(Self::$kind(model) => model.has_early()),+ }
            }

            /// The stages of training, and the share of the budget at which each begins.
            pub fn stages(&self) -> Vec<(&'static str, f64)> {
                match self { $(Self::$kind(model) => model.stages()),+ }
            }

            /// Adds the published weights (averaged).
            pub fn save_weights(&self, map: &mut TensorMap) {
                match self { $(Self::$kind(model) => model.save_weights(map)),+ }
            }

            /// Reads published weights.
            ///
            /// # Errors
            ///
            /// Where a tensor is missing or of another shape.
            pub fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
                match self { $(Self::$kind(model) => model.load_weights(map)),+ }
            }

            /// Adds all that a resumed run needs.
            pub fn save_state(&self, map: &mut TensorMap) {
                match self { $(Self::$kind(model) => model.save_state(map)),+ }
            }

            /// Reads back what [`save_state`](Self::save_state) wrote.
            ///
            /// # Errors
            ///
            /// Where a tensor is missing or of another shape.
            pub fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
                match self { $(Self::$kind(model) => model.load_state(map)),+ }
            }

            /// Number of learned parameters.
            pub fn parameters(&self) -> usize {
                match self { $(Self::$kind(model) => model.parameters()),+ }
            }
        }
    };
}

kinds! {
    Image,
    Table,
    Sequence,
    #[serde(alias = "sound")]
    Audio,
    #[serde(alias = "clip")]
    Video,
}

/// A model and its data come from one place, and so are of one kind.
fn other_kind() -> ! {
    unreachable!("a model is given data of its own kind")
}

/// Kinds of data as users name them, with the families that learn each and the one that `auto` stands for. Texts and
/// music are both sequences of tokens.
pub const MATRIX: [(&str, &[Family], Family); 6] = [
    ("table rows", TableConfig::FAMILIES, TableConfig::AUTO),
    ("text", SequenceConfig::FAMILIES, SequenceConfig::AUTO),
    ("music", SequenceConfig::FAMILIES, SequenceConfig::AUTO),
    ("image", ImageConfig::FAMILIES, ImageConfig::AUTO),
    ("audio", AudioConfig::FAMILIES, AudioConfig::AUTO),
    ("video", VideoConfig::FAMILIES, VideoConfig::AUTO),
];
