//! Models of images, one file a family. Here: the closed enum over them, and the way between bytes and the
//! model's numbers.
//!
//! Spaces: `pixels_u8` bytes CHW; `image_unit` in [0, 1]; `image_model` in [−1, 1].

pub mod flow;
pub mod gan;
mod real_nvp;
mod trunk;
pub mod vae;
pub mod vqvae;

use crate::models::Conditioning;
use std::ops::RangeInclusive;

use burn::tensor::{Device, Int, Tensor, TensorData};
use mintage_data::{ImageBatch, ImageShape};
use mintage_nn::{NotFinite, Rng, TensorMap, WeightsError, weights::to_vec};
use serde::{Deserialize, Serialize};

use super::{Family, MAX_SAMPLE_STEPS, Size, check_ranges, no_such_model};
use crate::{
    events::Metrics,
    recipe::{RecipeError, merge_options},
};

/// The family that `auto` stands for: the one that measured better (docs/quality.md).
pub const AUTO_FAMILY: Family = Family::Vqvae;

/// What a model must know of images before it sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageInfo {
    pub shape: ImageShape,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Items in the train split.
    pub train_len: usize,
}

/// How to draw samples. Labels: one a sample, or empty for a model without classes.
#[derive(Clone, Debug)]
pub struct ImageSampleParams<'a> {
    pub n: usize,
    pub labels: &'a [u32],
    pub conditioning: &'a Conditioning<Vec<u8>>,
    /// 1 is the model's own distribution; lower is safer and less diverse.
    pub temperature: f32,
    /// Classifier-free guidance weight; 1 is the plain conditional model. `None`: the model's default.
    pub guidance: Option<f32>,
    /// Keep only the k most probable codes (VQ-VAE prior).
    pub top_k: Option<usize>,
    /// Keep the most probable codes up to this total probability (VQ-VAE prior).
    pub top_p: Option<f32>,
}

impl<'a> ImageSampleParams<'a> {
    /// `n` samples with the given labels and every knob at its default.
    pub fn new(n: usize, labels: &'a [u32]) -> Self {
        Self {
            n,
            labels,
            conditioning: &Conditioning::None,
            temperature: 1.0,
            guidance: None,
            top_k: None,
            top_p: None,
        }
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
    ("steps", 0..=MAX_SAMPLE_STEPS),
];

/// Resolved configuration of a model of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum ImageConfig {
    Vae(vae::Config),
    Vqvae(vqvae::Config),
    Gan(gan::Config),
    Flow(flow::Config),
}

impl ImageConfig {
    /// The preset of a size for these data, with the user's `options` laid over it.
    pub fn preset(
        family: Option<Family>,
        size: Size,
        info: &ImageInfo,
        options: &toml::Table,
    ) -> Result<Self, RecipeError> {
        let config = match family.unwrap_or(AUTO_FAMILY) {
            Family::Vae => Self::Vae(merge_options(vae::Config::preset(size, info), options)?),
            Family::Vqvae => Self::Vqvae(merge_options(vqvae::Config::preset(size, info), options)?),
            Family::Gan => Self::Gan(merge_options(gan::Config::preset(size, info), options)?),
            Family::Flow => Self::Flow(merge_options(flow::Config::preset(size, info), options)?),
            family @ (Family::Ar | Family::Mixture) => return Err(no_such_model(family, "images")),
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
    pub fn check(&self) -> Result<(), RecipeError> {
        check_ranges(self, &RANGES)
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

/// A model of images, of any family.
#[derive(Debug)]
pub enum ImageModel {
    Vae(vae::Vae),
    Vqvae(vqvae::Vqvae),
    Gan(gan::Gan),
    Flow(flow::Flow),
}

/// Calls the same method of whichever model it is.
macro_rules! each {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            ImageModel::Vae($model) => $call,
            ImageModel::Vqvae($model) => $call,
            ImageModel::Gan($model) => $call,
            ImageModel::Flow($model) => $call,
        }
    };
}

impl ImageModel {
    /// A fresh model on `device` (plain; gradients are switched on inside), initialised from `rng`.
    pub fn new(config: &ImageConfig, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        match config {
            ImageConfig::Vae(c) => Self::Vae(vae::Vae::new(c, info, device, rng)),
            ImageConfig::Vqvae(c) => Self::Vqvae(vqvae::Vqvae::new(c, info, device, rng)),
            ImageConfig::Gan(c) => Self::Gan(gan::Gan::new(c, info, device, rng)),
            ImageConfig::Flow(c) => Self::Flow(flow::Flow::new(c, info, device, rng)),
        }
    }

    /// One training step at `progress` ∈ [0, 1] of the budget. On an error nothing has changed.
    pub fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        each!(self, m => m.step(batch, progress, rng))
    }

    /// Metrics on held-out items, with the averaged weights; the first is the one to minimise. `None`
    /// where a family has no such number (GAN). `progress` tells a model of several stages which one it is in.
    pub fn validate(&self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        each!(self, m => m.validate(batch, progress, rng))
    }

    /// The stages of training, and the share of the budget at which each begins.
    pub fn stages(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Vqvae(m) => m.stages(),
            Self::Vae(m) => m.stages(),
            Self::Gan(_) | Self::Flow(_) => vec![("training", 0.0)],
        }
    }

    /// Whether this family can begin with that: going back from an image takes an encoder, or a flow.
    pub fn supports(&self, conditioning: &Conditioning<Vec<u8>>) -> bool {
        match (self, conditioning) {
            (_, Conditioning::None) => true,
            (_, Conditioning::Continue { .. }) => false,
            (Self::Vae(_) | Self::Flow(_), _) => true,
            (Self::Vqvae(_), Conditioning::Vary { .. }) => true,
            (Self::Vqvae(_), Conditioning::Interpolate { .. }) | (Self::Gan(_), _) => false,
        }
    }

    /// Draws images with the averaged weights: `n` × CHW bytes. What it begins with must be one that
    /// [`supports`](Self::supports) allows; otherwise it is noise.
    pub fn sample(&self, draw: &ImageSampleParams, rng: &mut Rng) -> Vec<u8> {
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

/// Samples are drawn this many at a time, which bounds memory.
pub const SAMPLE_BATCH: usize = 64;

/// `pixels_u8` → `image_model` `[n, c, h, w]`.
pub fn to_model(pixels: &[u8], shape: ImageShape, device: &Device) -> Tensor<4> {
    let n = pixels.len() / shape.pixels().max(1);
    let values: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 127.5 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, [n, shape.channels, shape.height, shape.width]), device)
}

/// `image_model` → `pixels_u8`, rounded and clamped.
pub fn to_pixels<const D: usize>(image_model: &Tensor<D>) -> Vec<u8> {
    to_vec(image_model).into_iter().map(|v| ((v + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8).collect()
}

/// Labels of a batch as class indices for a network with `classes + 1` embeddings: the last one stands
/// for "no class" and takes the place of a label with probability `drop` (classifier-free guidance, Ho &
/// Salimans, arXiv:2207.12598), and of every label when the data have none.
pub fn class_input(labels: &[u32], n: usize, classes: usize, drop: f32, rng: &mut Rng) -> Vec<u32> {
    let none = classes as u32;
    if labels.is_empty() || classes == 0 {
        return vec![none; n];
    }
    labels.iter().map(|&label| if drop > 0.0 && rng.uniform() < drop { none } else { label }).collect()
}

/// Host indices as an int tensor `[n]`.
pub fn indices(values: &[u32], device: &Device) -> Tensor<1, Int> {
    let n = values.len();
    let values: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// Runs `one` on slices of at most [`SAMPLE_BATCH`] of the wanted samples and joins the bytes.
pub fn in_batches(
    draw: &ImageSampleParams,
    classes: usize,
    mut one: impl FnMut(&ImageSampleParams) -> Vec<u8>,
) -> Vec<u8> {
    let none = classes as u32;
    let mut pixels = Vec::new();
    for start in (0..draw.n).step_by(SAMPLE_BATCH) {
        let n = SAMPLE_BATCH.min(draw.n - start);
        let labels: Vec<u32> =
            (start..start + n).map(|i| draw.labels.get(i).copied().unwrap_or(none)).collect();
        pixels.extend(one(&ImageSampleParams { n, labels: &labels, ..draw.clone() }));
    }
    pixels
}

/// Base noise `[n, d]` that the samples of `draw` begin with; `noise_of` finds the noise `[1, d]` of an image.
///
/// Both mixtures keep the variance of a standard normal, which is what the model maps to images: a plain
/// average of two noises would be too calm and show as a blurred image.
pub fn begin(
    draw: &ImageSampleParams,
    d: usize,
    noise_of: impl Fn(&[u8]) -> Tensor<2>,
    device: &Device,
    rng: &mut Rng,
) -> Tensor<2> {
    match draw.conditioning {
        Conditioning::None | Conditioning::Continue { .. } => {
            rng.normal_tensor([draw.n, d], device) * draw.temperature
        }
        Conditioning::Vary { item: image, strength } => {
            let kept = noise_of(image).expand([draw.n, d]) * (1.0 - strength * strength).max(0.0).sqrt();
            kept + rng.normal_tensor([draw.n, d], device) * (strength * draw.temperature)
        }
        Conditioning::Interpolate { from, to } => {
            let (from, to) = (noise_of(from), noise_of(to));
            let way =
                (0..draw.n).map(|i| between(&from, &to, i as f32 / (draw.n - 1).max(1) as f32)).collect();
            Tensor::cat(way, 0)
        }
    }
}

/// Spherical interpolation of two noises `[1, d]` (Shoemake, 1985); `share` 0 is `from`, 1 is `to`.
fn between(from: &Tensor<2>, to: &Tensor<2>, share: f32) -> Tensor<2> {
    let dot = |a: &Tensor<2>, b: &Tensor<2>| (a.clone() * b.clone()).sum().into_scalar::<f32>();
    let cosine = dot(from, to) / (dot(from, from) * dot(to, to)).sqrt().max(1e-12);
    let angle = cosine.clamp(-1.0, 1.0).acos();
    // Nearly the same direction, or opposite ones: the straight line is as good, or as bad.
    let (a, b) = match angle.sin() {
        sine if sine > 1e-3 => (((1.0 - share) * angle).sin() / sine, (share * angle).sin() / sine),
        _ => (1.0 - share, share),
    };
    from.clone() * a + to.clone() * b
}

/// Height and width after `halvings` halvings that round up, and the size to pad an image to so that
/// every halving is exact: 28 → 28 (7) with two, 28 → 32 (4) with three.
pub fn padded(size: usize, halvings: usize) -> usize {
    size.next_multiple_of(1 << halvings)
}

/// Pads `[n, c, h, w]` on the right and the bottom to `height × width` by repeating the border.
pub fn pad_to(x: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let x = if height > h {
        let row = x.clone().narrow(2, h - 1, 1).expand([n, c, height - h, w]);
        Tensor::cat(vec![x, row], 2)
    } else {
        x
    };
    if width > w {
        let column = x.clone().narrow(3, w - 1, 1).expand([n, c, height, width - w]);
        Tensor::cat(vec![x, column], 3)
    } else {
        x
    }
}

/// Undoes [`pad_to`].
pub fn crop_to(x: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    let x = if h > height { x.narrow(2, 0, height) } else { x };
    if w > width { x.narrow(3, 0, width) } else { x }
}

/// The batch's labels, or "no class" for each item.
pub fn batch_classes(batch: &ImageBatch, classes: usize) -> Vec<u32> {
    if batch.labels.is_empty() || classes == 0 { vec![classes as u32; batch.n] } else { batch.labels.clone() }
}

/// Helpers of every model's tests: a tiny batch, "it learns one batch", "it survives a save".
#[cfg(test)]
pub(crate) mod test_support {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{events::Metrics, models::ImageInfo};
    use mintage_nn::TensorMap;

    pub fn tiny_info() -> ImageInfo {
        ImageInfo { shape: ImageShape { channels: 1, height: 12, width: 12 }, classes: 3, train_len: 8 }
    }

    /// Eight pictures of bars, three classes.
    pub fn tiny_batch() -> ImageBatch {
        let mut pixels = Vec::new();
        for item in 0..8usize {
            pixels.extend(
                (0..144)
                    .map(|i| if (i % 12 + item).is_multiple_of(4) || i / 12 == item { 230u8 } else { 20 }),
            );
        }
        ImageBatch { pixels, labels: vec![0, 1, 2, 0, 1, 2, 0, 1], n: 8 }
    }

    /// The first metric of the last steps is clearly below that of the first ones.
    pub fn check_overfits(steps: usize, mut step: impl FnMut(f64, &mut Rng) -> Metrics) {
        let mut losses = Vec::new();
        for i in 0..steps {
            let mut rng = Rng::new(9, i as u64);
            losses.push(step(i as f64 / steps as f64, &mut rng).first().unwrap());
        }
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..5]), mean(&losses[steps - 5..]));
        assert!(last < first - 0.3 * first.abs(), "loss went from {first} to {last}");
    }

    /// What one model saves, another reads, through the bytes of a file.
    pub fn check_save_load(save: impl FnOnce(&mut TensorMap), load: impl FnOnce(&TensorMap)) {
        let dir = tempfile::tempdir().unwrap();
        let mut map = TensorMap::default();
        save(&mut map);
        let path = dir.path().join("state.safetensors");
        crate::run::write_weights(&path, &map).unwrap();
        load(&TensorMap::load(&path).unwrap());
    }
}
