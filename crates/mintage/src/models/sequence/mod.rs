//! Models of sequences of tokens, one file a family. Texts and music are alike to them: what a token means is the
//! codec's business.

mod adapt;
pub mod ar;
mod cache;
mod counts;
pub mod gan;
mod gate;
mod generate;
mod net;
pub(crate) mod ngram;
mod plan;
pub mod vae;
pub mod vqvae;

use std::ops::RangeInclusive;

use mintage_data::{
    SequenceSet,
    sequence::{Chunking, Modality, SequenceBatch, SequenceInfo},
};

use super::{
    generative::{Kind, families},
    with_classes,
};
use crate::{events::Metrics, recipe::RecipeError};
pub use adapt::Adaptation;
use counts::Counted;
pub use generate::{Drawing, GUIDANCE, Limit, Listener, SamplingParams, SequenceSampleParams};
pub use ngram::KneserNey;

families! {
    Sequence: SequenceConfig, SequenceModel, auto = Ar;
    Ar = ar, Vae = vae, Vqvae = vqvae, Gan = gan,
}

/// Texts and music, as their models see them.
#[derive(Debug)]
pub enum Sequence {}

impl Kind for Sequence {
    const ITEMS: &'static str = "texts and music";
    const RANGES: &'static [(&'static str, RangeInclusive<u64>)] = &[
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

    type Info = SequenceInfo;
    type Batch = SequenceBatch;
    type Config = SequenceConfig;
    type Model = SequenceModel;
    type Item = [u32];
    type SampleParams<'a> = Drawing<'a>;
    type Samples = Vec<Vec<u32>>;
    type Reconstruction = ();

    fn train_len(info: &SequenceInfo) -> usize {
        info.train_len
    }

    fn item(info: &SequenceInfo) -> &'static str {
        match info.modality {
            Modality::Text => "text",
            Modality::Music => "tune",
        }
    }

    fn items(info: &SequenceInfo) -> String {
        let classes = with_classes(info.classes.len());
        format!("{}s of {} different tokens{classes}", Self::item(info), info.vocab)
    }
}

impl SequenceConfig {
    /// How sequences are cut into the items of a batch.
    pub fn cut(&self) -> Chunking {
        self.chunking().unwrap_or_else(|| unreachable!("every family of sequences cuts them"))
    }

    /// Tokens that the model sees at once.
    pub fn context(&self) -> usize {
        let (Chunking::Windows(context) | Chunking::Segments(context)) = self.cut();
        context
    }
}

impl SequenceModel {
    /// Whether counts of n-grams are to be mixed with its network.
    pub fn wants_counts(&self) -> bool {
        matches!(self, Self::Ar(model) if model.wants_counts())
    }

    /// Counts the train split of a set, once the weights are final; nothing where no counts are wanted.
    pub(crate) fn learn_counts(&mut self, set: &SequenceSet) -> Option<Counted> {
        match self {
            Self::Ar(model) if model.wants_counts() => Some(model.learn_counts(set)),
            _ => None,
        }
    }

    /// Takes the counts of a file, where they are wanted.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn load_counts(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Ar(model) if model.wants_counts() => model.load_counts(bytes),
            _ => Ok(()),
        }
    }

    /// [`whole_nll`](crate::models::GenerativeModel::whole_nll) of a document, and the same of the network alone; `None` of a model without
    /// counts.
    pub fn nll_beside(&self, tokens: &[u32], class: Option<u32>) -> Option<[f64; 2]> {
        match self {
            Self::Ar(model) => model.nll_beside(tokens, class),
            _ => None,
        }
    }

    /// Whether it can follow what it reads, as [`adapting_nll`](Self::adapting_nll) says.
    pub fn adapts(&self) -> bool {
        matches!(self, Self::Ar(model) if model.adapts())
    }

    /// `−log p` of parts of a document, one after another and each after its first token, while weights and counts follow what
    /// was read of it (dynamic evaluation, arXiv:1709.07432): nats. Every token is told before anything is learned from it, and
    /// the model stays as it is. `None` of a model that cannot.
    pub fn adapting_nll(&self, parts: &[&[u32]], class: Option<u32>, how: Adaptation) -> Option<Vec<f64>> {
        match self {
            Self::Ar(model) => model.adapting_nll(parts, class, how),
            _ => None,
        }
    }
}

/// Every head has as many values as the others, and an even number of them.
fn check_heads(width: usize, heads: usize) -> Result<(), RecipeError> {
    match width.is_multiple_of(2 * heads) {
        true => Ok(()),
        false => {
            let why = format!("must be a multiple of twice the heads, {}", 2 * heads);
            Err(RecipeError::of_key("model.width", &why, None))
        }
    }
}

/// Every stage has a share of the budget.
fn check_share(key: &str, share: f64, range: RangeInclusive<f64>) -> Result<(), RecipeError> {
    match range.contains(&share) {
        true => Ok(()),
        false => {
            let why = format!("is a share of the budget: between {} and {}", range.start(), range.end());
            Err(RecipeError::of_key(&format!("model.{key}"), &why, None))
        }
    }
}

/// The metrics of a mean of `nll` nats a token.
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
