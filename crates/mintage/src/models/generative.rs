//! What a kind of data and a family of models owe to the rest of the program, and the one list of families of a kind.
//!
//! A family is a file `models/KIND/FAMILY.rs` with a `Config` ([`FamilyConfig`]) and a model ([`GenerativeModel`]), and
//! a line in the list of its kind (`families!`). The configuration in recipes, dispatch, `mintage models`, the help and
//! the error messages come from that list.

use std::{fmt::Debug, ops::RangeInclusive};

use burn::tensor::Device;
use mintage_data::sequence::{Augmentation, Chunking};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError, part::Part};

use super::{Conditioning, Size};
use crate::{events::Metrics, recipe::RecipeError};

/// A kind of data, as its models see it.
pub trait Kind: Debug + Sized + 'static {
    /// Its items in the plural, as messages name them: "there is no flow of sounds".
    const ITEMS: &'static str;
    /// The range of each option that is a whole number, for all families together.
    const RANGES: &'static [(&'static str, RangeInclusive<u64>)];

    /// What a model must know of the data before it sees them.
    type Info;
    /// A batch of items, as training and evaluation give it to a model.
    type Batch;
    /// The configuration of any family.
    type Config;
    /// A model of any family.
    type Model: GenerativeModel<Self, Config = Self::Config>;
    /// The numbers of one item: pixels, samples, tokens.
    type Item: ?Sized;
    /// How many items to draw, and how.
    type SampleParams<'a>;
    /// The items that were drawn.
    type Samples;
    /// A batch that went through the encoder and back.
    type Reconstruction;

    /// Items in the train split.
    fn train_len(info: &Self::Info) -> usize;

    /// Classes to condition on that are counted, see [`class_counts`](crate::model::ModelConfig::class_counts).
    fn classes(_info: &Self::Info) -> usize {
        0
    }

    /// What one item is called.
    fn item(info: &Self::Info) -> &'static str;

    /// What the items are, in words: "images 28×28 gray, 10 classes", "rows of 14 columns".
    fn items(info: &Self::Info) -> String;
}

/// The options of a family.
pub trait FamilyConfig<K: Kind>: Sized {
    /// The preset of a size for these data.
    fn preset(size: Size, info: &K::Info) -> Self;

    /// Refuses options that do not fit together; each alone lies within [`Kind::RANGES`] already.
    ///
    /// # Errors
    ///
    /// Names the key of the recipe and what is wrong with it.
    fn check(&self) -> Result<(), RecipeError> {
        Ok(())
    }

    /// Refuses options that these data do not allow.
    ///
    /// # Errors
    ///
    /// Names the key of the recipe and what is wrong with it.
    fn check_data(&self, _info: &K::Info) -> Result<(), RecipeError> {
        Ok(())
    }

    /// How sequences are cut into the items of a batch; others are whole.
    fn chunking(&self) -> Option<Chunking> {
        None
    }

    /// What is changed in sequences from pass to pass of training; nothing unless the family says so.
    fn augmentation(&self) -> Augmentation {
        Augmentation::default()
    }

    /// Relative rise of the held-out loss over its minimum up to which later weights are still preferred.
    fn tolerance(&self) -> f64 {
        0.0
    }

    /// Steps after which training on `train_len` items only overfits; `None` where the family sets no such
    /// limit.
    fn max_steps(&self, _train_len: usize) -> Option<u64> {
        None
    }

    /// Numbers that a training step keeps for the backward pass, per item of a batch.
    ///
    /// A low estimate, so that no run is refused that would fit.
    fn activations(&self, info: &K::Info) -> u64;
}

/// A model of any family. It owns its `step`: a GAN has two optimisers, a VQ-VAE a codebook and a second stage, and the
/// training loop knows nothing of either.
pub trait GenerativeModel<K: Kind>: Debug + Sized {
    /// Its options.
    type Config;

    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    fn new(config: &Self::Config, info: &K::Info, device: &Device, rng: &mut Rng) -> Self;

    /// The options that it was made with.
    fn config(&self) -> Self::Config;

    /// The stages of training, and the share of the budget at which each begins.
    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("training", 0.0)]
    }

    /// One training step at `progress` ∈ [0, 1] of the budget.
    ///
    /// # Errors
    ///
    /// Where the loss or its gradient is not finite: nothing has changed then, unless the model went back to earlier weights
    /// and has [`notes`](Self::notes) of it.
    fn step(&mut self, batch: &K::Batch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite>;

    /// What the user should know of the steps since the last call, such as that training went back to earlier weights.
    fn notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Metrics on held-out items, with the averaged weights; the first is the one to minimise. `None` where a family has
    /// no such number (GAN). `progress` tells a model of several stages which one it is in.
    fn validate(&self, _batch: &K::Batch, _progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        None
    }

    /// Draws new items with the averaged weights. A conditioning that [`supports`](Self::supports) does not
    /// allow counts as [`Conditioning::None`].
    fn sample(&self, params: K::SampleParams<'_>, rng: &mut Rng) -> K::Samples;

    /// Whether new items can be made with this conditioning: a way back from an item takes an encoder or a
    /// flow.
    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        matches!(conditioning, Conditioning::None)
    }

    /// Whether it keeps an early version of itself, which can guide what it draws (autoguidance).
    fn has_early(&self) -> bool {
        false
    }

    /// Through the encoder and back; `None` where a family has no encoder.
    fn reconstruct(&self, _batch: &K::Batch, _rng: &mut Rng) -> Option<K::Reconstruction> {
        None
    }

    /// Negative log-likelihood of each item in nats (a bound or estimate; see the model's file), with `samples`
    /// importance samples where that applies. `None` where a family has no likelihood.
    fn nll(&self, _batch: &K::Batch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        None
    }

    /// Whether [`nll`](Self::nll) takes as long as drawing does: then it is taken of few items, and of none that are scored.
    fn nll_is_slow(&self) -> bool {
        false
    }

    /// `−log p` of an item that may be longer than what the model sees at once, with as much before each number as it can
    /// see: nats. `None` where a family knows no such items.
    fn whole_nll(&self, _item: &K::Item, _class: Option<u32>) -> Option<f64> {
        None
    }

    /// What is saved, loaded and counted, by name; `parts!` writes this and `parts_mut`.
    fn parts(&self) -> Vec<(&'static str, &dyn Part)>;

    /// The same, to be changed.
    fn parts_mut(&mut self) -> Vec<(&'static str, &mut dyn Part)>;

    /// Adds the published weights (averaged).
    fn save_weights(&self, map: &mut TensorMap) {
        self.parts().into_iter().for_each(|(name, part)| part.save_weights(name, map));
    }

    /// Reads published weights.
    ///
    /// # Errors
    ///
    /// Where a tensor is missing or of another shape.
    fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.parts_mut().into_iter().try_for_each(|(name, part)| part.load_weights(name, map))
    }

    /// Adds all that a resumed run needs.
    fn save_state(&self, map: &mut TensorMap) {
        self.parts().into_iter().for_each(|(name, part)| part.save_state(name, map));
    }

    /// Reads back what [`save_state`](Self::save_state) wrote.
    ///
    /// # Errors
    ///
    /// Where a tensor is missing or of another shape.
    fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.parts_mut().into_iter().try_for_each(|(name, part)| part.load_state(name, map))
    }

    /// Number of learned parameters.
    fn parameters(&self) -> usize {
        self.parts().into_iter().map(|(_, part)| part.parameters()).sum()
    }
}

/// The parts of a model: names in files, and the fields that hold them.
macro_rules! parts {
    ($($name:literal = $field:ident),+ $(,)?) => {
        fn parts(&self) -> Vec<(&'static str, &dyn mintage_nn::part::Part)> {
            vec![$(($name, &self.$field)),+]
        }

        fn parts_mut(&mut self) -> Vec<(&'static str, &mut dyn mintage_nn::part::Part)> {
            vec![$(($name, &mut self.$field)),+]
        }
    };
}

/// The families of a kind, each in the module of the file that holds it; `auto` is the one that measured best. Writes the
/// enums of configurations and of models of the kind, and hands every call on to whichever it is.
macro_rules! families {
    ($kind:ident: $config:ident, $model:ident, auto = $auto:ident; $($family:ident = $module:ident),+ $(,)?) => {
        /// Resolved configuration of a model of any family.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "family", rename_all = "lowercase")]
        pub enum $config {
            $(
                #[doc = concat!("Options of [`", stringify!($module), "`].")]
                $family($module::Config),
            )+
        }

        /// A model of any family.
        #[derive(Debug)]
        // There is one of these in a run.
        #[allow(clippy::large_enum_variant)]
        pub enum $model {
            $(
                #[doc = concat!("The model of [`", stringify!($module), "`].")]
                $family($module::$family),
            )+
        }

        const _: () = {
            use burn::tensor::Device;
            use mintage_data::sequence::{Augmentation, Chunking};
            use mintage_nn::{NotFinite, Rng, part::Part};
            use $crate::{
                events::Metrics,
                models::{
                    Conditioning, Family, Size,
                    generative::{FamilyConfig, GenerativeModel, Kind},
                    options::{check_ranges, no_such_model},
                },
                recipe::{RecipeError, merge_options},
            };

            type Info = <$kind as Kind>::Info;
            type Batch = <$kind as Kind>::Batch;

            impl $config {
                /// The families that learn this kind of data.
                pub const FAMILIES: &'static [Family] = &[$(Family::$family),+];
                /// The family that `auto` stands for.
                pub const AUTO: Family = Family::$auto;

                /// The preset of a size for these data, overridden by the user's `options`; without a family,
                /// the preset of the one that `auto` stands for.
                ///
                /// # Errors
                ///
                /// Where the family does not learn this kind of data, or an option is unknown or out of its range.
                pub fn preset(
                    family: Option<Family>,
                    size: Size,
                    info: &Info,
                    options: &toml::Table,
                ) -> Result<Self, RecipeError> {
                    let family = family.unwrap_or(Self::AUTO);
                    $(if family == Family::$family {
                        return Self::$family($module::Config::preset(size, info)).overridden(options, info);
                    })+
                    Err(no_such_model(family, $kind::ITEMS))
                }

                /// These options, overridden by the user's `options`.
                ///
                /// # Errors
                ///
                /// Where an option is unknown or out of its range, or these data do not allow it.
                pub fn overridden(self, options: &toml::Table, info: &Info) -> Result<Self, RecipeError> {
                    let config = match self {
                        $(Self::$family(config) => merge_options(config, options).map(Self::$family)),+
                    }?;
                    config.check()?;
                    let for_data = match &config { $(Self::$family(config) => config.check_data(info)),+ };
                    for_data.map(|()| config)
                }

                /// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
                ///
                /// # Errors
                ///
                /// Names the key of the recipe and what is wrong with it.
                pub fn check(&self) -> Result<(), RecipeError> {
                    check_ranges(self, $kind::RANGES)?;
                    match self { $(Self::$family(config) => config.check()),+ }
                }

                /// The family that these are options of.
                pub fn family(&self) -> Family {
                    match self { $(Self::$family(_) => Family::$family),+ }
                }

                /// Items per step.
                pub fn batch(&self) -> usize {
                    match self { $(Self::$family(config) => config.batch),+ }
                }

                /// See [`FamilyConfig::chunking`].
                pub fn chunking(&self) -> Option<Chunking> {
                    match self { $(Self::$family(config) => config.chunking()),+ }
                }

                /// See [`FamilyConfig::augmentation`].
                pub fn augmentation(&self) -> Augmentation {
                    match self { $(Self::$family(config) => config.augmentation()),+ }
                }

                /// See [`FamilyConfig::tolerance`].
                pub fn tolerance(&self) -> f64 {
                    match self { $(Self::$family(config) => config.tolerance()),+ }
                }

                /// See [`FamilyConfig::max_steps`].
                pub fn max_steps(&self, train_len: usize) -> Option<u64> {
                    match self { $(Self::$family(config) => config.max_steps(train_len)),+ }
                }

                /// See [`FamilyConfig::activations`].
                pub fn activations(&self, info: &Info) -> u64 {
                    match self { $(Self::$family(config) => config.activations(info)),+ }
                }
            }

            impl GenerativeModel<$kind> for $model {
                type Config = $config;

                fn new(config: &$config, info: &Info, device: &Device, rng: &mut Rng) -> Self {
                    match config { $($config::$family(c) => Self::$family($module::$family::new(c, info, device, rng))),+ }
                }

                fn config(&self) -> $config {
                    match self { $(Self::$family(model) => $config::$family(model.config())),+ }
                }

                fn stages(&self) -> Vec<(&'static str, f64)> {
                    match self { $(Self::$family(model) => model.stages()),+ }
                }

                fn step(&mut self, batch: &Batch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
                    match self { $(Self::$family(model) => model.step(batch, progress, rng)),+ }
                }

                fn notes(&mut self) -> Vec<String> {
                    match self { $(Self::$family(model) => model.notes()),+ }
                }

                fn validate(&self, batch: &Batch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
                    match self { $(Self::$family(model) => model.validate(batch, progress, rng)),+ }
                }

                fn sample(&self, params: <$kind as Kind>::SampleParams<'_>, rng: &mut Rng) -> <$kind as Kind>::Samples {
                    match self { $(Self::$family(model) => model.sample(params, rng)),+ }
                }

                fn supports(&self, conditioning: &Conditioning<()>) -> bool {
                    match self { $(Self::$family(model) => model.supports(conditioning)),+ }
                }

                fn has_early(&self) -> bool {
                    match self { $(Self::$family(model) => model.has_early()),+ }
                }

                fn reconstruct(&self, batch: &Batch, rng: &mut Rng) -> Option<<$kind as Kind>::Reconstruction> {
                    match self { $(Self::$family(model) => model.reconstruct(batch, rng)),+ }
                }

                fn nll(&self, batch: &Batch, samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
                    match self { $(Self::$family(model) => model.nll(batch, samples, rng)),+ }
                }

                fn nll_is_slow(&self) -> bool {
                    match self { $(Self::$family(model) => model.nll_is_slow()),+ }
                }

                fn whole_nll(&self, item: &<$kind as Kind>::Item, class: Option<u32>) -> Option<f64> {
                    match self { $(Self::$family(model) => model.whole_nll(item, class)),+ }
                }

                fn parts(&self) -> Vec<(&'static str, &dyn Part)> {
                    match self { $(Self::$family(model) => model.parts()),+ }
                }

                fn parts_mut(&mut self) -> Vec<(&'static str, &mut dyn Part)> {
                    match self { $(Self::$family(model) => model.parts_mut()),+ }
                }
            }
        };
    };
}

pub(crate) use {families, parts};
