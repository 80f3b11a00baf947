//! The matrix of models: one file a family and a kind of data (`KIND/FAMILY.rs`), one list of families a kind
//! (`families!` in `KIND/mod.rs`), one list of kinds (`kinds!` in `any.rs`). What they owe is in `generative.rs`.

mod any;
pub mod audio;
pub(crate) mod common;
pub mod defaults;
pub mod generative;
pub mod image;
mod memory;
mod options;
pub mod sequence;
pub mod table;
pub mod video;

use mintage_data::ImageShape;
use serde::{Deserialize, Serialize};

pub use any::{AnyConfig, AnyModel, Batch, DataInfo, MATRIX};
pub use audio::{AudioConfig, AudioInfo, AudioModel, AudioSampleParams};
pub use common::conditioning::{Anchor, Conditioning, MAX_ANCHORS};
pub use generative::{FamilyConfig, GenerativeModel, Kind};
pub use image::{ImageConfig, ImageInfo, ImageModel, ImageSampleParams};
pub use memory::training_bytes;
pub use sequence::{GUIDANCE, SamplingParams, SequenceConfig, SequenceModel, SequenceSampleParams};
pub use table::{TableConfig, TableModel, TableSampleParams};
pub use video::{VideoConfig, VideoInfo, VideoModel, VideoSampleParams};

/// A family of generative models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Variational autoencoder (Kingma & Welling, arXiv:1312.6114).
    Vae,
    /// Generative adversarial network (Goodfellow et al., arXiv:1406.2661).
    Gan,
    /// Vector-quantized autoencoder with a prior over its codes (van den Oord et al., arXiv:1711.00937).
    Vqvae,
    /// Flow matching (Lipman et al., arXiv:2210.02747).
    Flow,
    /// Autoregressive model: one token or field after another.
    Ar,
    /// Mixture of factorised distributions, learned by EM.
    Mixture,
}

impl Family {
    /// Every family, in the order of lists for users.
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

    /// One line about it.
    pub fn about(self) -> &'static str {
        match self {
            Self::Vae => {
                "variational autoencoder: quick, smooth, has an encoder; no likelihood of sounds, clips, large images"
            }
            Self::Gan => {
                "generator against discriminator: sharp, no encoder; a likelihood with texts and music alone"
            }
            Self::Vqvae => {
                "codes in a codebook and a prior over them: sharp, has an encoder and a likelihood"
            }
            Self::Flow => "flow matching: noise carried to data along learned paths, no encoder",
            Self::Ar => {
                "one field or token after another: accurate, a likelihood, no encoder; rows in any order"
            }
            Self::Mixture => "many simple distributions: learned in seconds, exact conditions and likelihood",
        }
    }
}

/// The one dial: width, depth, batch and learning rate follow from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// The narrowest and shallowest networks, with the least work per step.
    Tiny,
    /// The default.
    #[default]
    Small,
    /// Up to twice as wide as `Small`, and deeper in most families.
    Base,
    /// The widest and deepest networks that have presets.
    Large,
}

impl Size {
    /// Every size, from the smallest to the largest.
    pub const ALL: [Self; 4] = [Self::Tiny, Self::Small, Self::Base, Self::Large];

    /// The name in recipes, flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Base => "base",
            Self::Large => "large",
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

/// ", 10 classes", or nothing.
pub(crate) fn with_classes(n: usize) -> String {
    if n == 0 { String::new() } else { format!(", {n} classes") }
}

/// `log (1/n) Σ exp(xᵢ)`.
fn log_mean_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + (x.iter().map(|v| (v - max).exp()).sum::<f64>() / x.len() as f64).ln()
}
