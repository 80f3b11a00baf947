//! Models of images, one file a family. Here: the closed enum over them, and the conversion between bytes and
//! the model's numbers.
//!
//! Spaces: `pixels_u8` bytes CHW; `image_unit` in [0, 1]; `image_model` in [−1, 1].

mod augment;
pub mod flow;
pub mod gan;
mod real_nvp;
mod trunk;
pub mod vae;
pub mod vqvae;

use std::ops::RangeInclusive;

use burn::tensor::{Device, Tensor, TensorData};
use mintage_data::{ImageBatch, ImageShape, Palette};
use mintage_nn::{Rng, weights::to_vec};
use serde::{Deserialize, Serialize};

use super::{
    Conditioning,
    generative::{Kind, families},
    options::MAX_SAMPLE_STEPS,
    picture, with_classes,
};
/// What a model must know of images before it sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Channels (1 for gray, 3 for RGB), height and width of every image.
    pub shape: ImageShape,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Items in the train split.
    pub train_len: usize,
    /// The colours of the train split, where they are few, as in pixel art; `None` in models from before they were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub palette: Option<Palette>,
}

/// How to draw images.
#[derive(Clone, Debug)]
pub struct ImageSampleParams<'a> {
    /// Number of images to draw.
    pub n: usize,
    /// The class of each image, or empty for a model without classes; the number of classes itself stands for
    /// "no class".
    pub labels: &'a [u32],
    /// What the new images are made from: `pixels_u8` of one image each.
    pub conditioning: &'a Conditioning<Vec<u8>>,
    /// 1 is the model's own distribution; lower is safer and less diverse.
    pub temperature: f32,
    /// Classifier-free guidance weight; 1 is the plain conditional model. `None`: the model's default.
    pub guidance: Option<f32>,
    /// Weight of guidance by an early version of the model; 1 is the model alone. `None`: the model's default.
    pub autoguidance: Option<f32>,
    /// Keep only the k most probable codes (VQ-VAE prior).
    pub top_k: Option<usize>,
    /// Keep the most probable codes up to this total probability (VQ-VAE prior).
    pub top_p: Option<f32>,
}

impl<'a> ImageSampleParams<'a> {
    /// `n` images with the given labels and every other option at its default.
    pub fn new(n: usize, labels: &'a [u32]) -> Self {
        Self {
            n,
            labels,
            conditioning: &Conditioning::None,
            temperature: 1.0,
            guidance: None,
            autoguidance: None,
            top_k: None,
            top_p: None,
        }
    }
}

families! {
    Image: ImageConfig, ImageModel, auto = Vqvae;
    Vae = vae, Gan = gan, Vqvae = vqvae, Flow = flow,
}

/// Images, as their models see them.
#[derive(Debug)]
pub enum Image {}

impl Kind for Image {
    const ITEMS: &'static str = "images";
    const RANGES: &'static [(&'static str, RangeInclusive<u64>)] = &[
        ("batch", 1..=65_536),
        ("width", 2..=4_096),
        ("blocks", 0..=64),
        ("latent", 0..=65_536),
        ("recoveries", 0..=16),
        ("channels", 0..=4_096),
        ("importance", 0..=10_000),
        ("codes", 1..=65_536),
        ("code_dim", 1..=4_096),
        ("grid", 0..=256),
        ("prior_layers", 0..=128),
        ("prior_width", 2..=8_192),
        ("steps", 0..=MAX_SAMPLE_STEPS),
    ];

    type Info = ImageInfo;
    type Batch = ImageBatch;
    type Config = ImageConfig;
    type Model = ImageModel;
    type Item = [u8];
    type SampleParams<'a> = &'a ImageSampleParams<'a>;
    type Samples = Vec<u8>;
    type Reconstruction = Vec<u8>;

    fn train_len(info: &ImageInfo) -> usize {
        info.train_len
    }

    fn classes(info: &ImageInfo) -> usize {
        info.classes
    }

    fn item(_info: &ImageInfo) -> &'static str {
        "image"
    }

    fn items(info: &ImageInfo) -> String {
        format!("images {}{}", picture(info.shape), with_classes(info.classes))
    }
}

/// Images that are drawn at a time, which bounds memory.
pub const SAMPLE_BATCH: usize = 64;

/// `pixels_u8` → `image_model` `[n, c, h, w]`.
pub fn to_model(pixels: &[u8], shape: ImageShape, device: &Device) -> Tensor<4> {
    let n = pixels.len() / shape.pixels().max(1);
    let values: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 127.5 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, [n, shape.channels, shape.height, shape.width]), device)
}

/// `image_model` → `pixels_u8`, rounded and clamped.
fn to_pixels<const D: usize>(image_model: &Tensor<D>) -> Vec<u8> {
    to_vec(image_model).into_iter().map(|v| ((v + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8).collect()
}

/// Runs `one` on slices of at most [`SAMPLE_BATCH`] of the wanted samples and joins the bytes.
fn in_batches(
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
fn initial_noise(
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
        // The random stream is that of all seeds of the blend.
        Conditioning::Blend { .. } => {
            let noise = rng.normal_tensor([draw.n, d], device) * draw.temperature;
            let steps = draw.conditioning.item_steps().into_iter();
            steps.fold(noise, |start, (image, share)| between(&start, &noise_of(image), share))
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

/// The batch's labels, or "no class" for each item.
fn batch_classes(batch: &ImageBatch, classes: usize) -> Vec<u32> {
    if batch.labels.is_empty() || classes == 0 { vec![classes as u32; batch.n] } else { batch.labels.clone() }
}

/// A tiny batch for the tests of every model.
#[cfg(test)]
pub(crate) mod test_support {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The facts of [`tiny_batch`].
    pub fn tiny_info() -> ImageInfo {
        let shape = ImageShape { channels: 1, height: 12, width: 12 };
        ImageInfo { shape, classes: 3, train_len: 8, palette: None }
    }

    /// The two levels of gray of [`tiny_batch`].
    pub fn tiny_palette() -> Palette {
        Palette::try_from(vec!["14".to_owned(), "e6".to_owned()]).unwrap()
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
}
