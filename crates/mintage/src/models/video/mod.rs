//! Models of clips, one file a family. Here: the closed enum over them, what they are asked for, and the way between
//! bytes and the model's numbers.
//!
//! Bytes lie `[channels, frames, height, width]` in a clip; networks see frames, `[n · frames, channels, height, width]`
//! in [−1, 1] (`image_model`).

mod autoencoder;
mod forecast;
pub mod gan;
mod net;
#[cfg(test)]
mod test_support;
pub mod vae;
pub mod vqvae;

use std::ops::RangeInclusive;

use mintage_data::{ImageShape, Palette, VideoBatch};
use serde::{Deserialize, Serialize};

use super::{
    Conditioning, SamplingParams,
    generative::{Kind, families},
    options::MAX_SAMPLE_STEPS,
    picture, with_classes,
};
/// What a model must know of clips before it sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Channels (1 for gray, 3 for RGB), height and width of a frame.
    pub shape: ImageShape,
    /// Frames of an item.
    pub frames: usize,
    /// Frames per second.
    pub fps: f64,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Items in the train split.
    pub train_len: usize,
    /// The colours of the train split, where they are few, as in pixel art; `None` in models from before they were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub palette: Option<Palette>,
}

/// How to draw clips.
#[derive(Clone, Debug)]
pub struct VideoSampleParams<'a> {
    /// Number of clips to draw.
    pub n: usize,
    /// The class of each clip, or empty for a model without classes; the number of classes itself stands for
    /// "no class".
    pub labels: &'a [u32],
    /// Frames of each new clip, those of a continued clip included.
    pub frames: usize,
    /// What the new clips are made from: bytes `[channels, frames, height, width]`.
    pub conditioning: Conditioning<&'a [u8]>,
    /// How codes are chosen among the probable ones; families without codes use only the temperature.
    pub choice: SamplingParams,
    /// Classifier-free guidance weight; 1 is the plain conditional model. `None`: the model's default.
    pub guidance: Option<f64>,
    /// Weight of guidance by an early version of the model; 1 is the model alone. `None`: the model's default.
    pub autoguidance: Option<f64>,
}

families! {
    Video: VideoConfig, VideoModel, auto = Vqvae;
    Vae = vae, Vqvae = vqvae, Gan = gan,
}

/// Clips, as their models see them.
#[derive(Debug)]
pub enum Video {}

impl Kind for Video {
    const ITEMS: &'static str = "clips";
    const RANGES: &'static [(&'static str, RangeInclusive<u64>)] = &[
        ("batch", 1..=65_536),
        ("width", 2..=4_096),
        ("blocks", 0..=64),
        ("time_blocks", 0..=64),
        ("grid", 1..=256),
        ("codes", 2..=65_536),
        ("code_dim", 1..=4_096),
        ("latent", 1..=4_096),
        ("recoveries", 0..=16),
        ("noise", 1..=4_096),
        ("motion", 1..=4_096),
        ("coder_width", 2..=4_096),
        ("coder_blocks", 0..=64),
        ("prior_layers", 0..=128),
        ("prior_width", 2..=8_192),
        ("forecast_layers", 0..=128),
        ("forecast_width", 2..=4_096),
        ("steps", 1..=MAX_SAMPLE_STEPS),
    ];

    type Info = VideoInfo;
    type Batch = VideoBatch;
    type Config = VideoConfig;
    type Model = VideoModel;
    type Item = [u8];
    type SampleParams<'a> = &'a VideoSampleParams<'a>;
    type Samples = Vec<u8>;
    type Reconstruction = Vec<u8>;

    fn train_len(info: &VideoInfo) -> usize {
        info.train_len
    }

    fn classes(info: &VideoInfo) -> usize {
        info.classes
    }

    fn item(_info: &VideoInfo) -> &'static str {
        "clip"
    }

    fn items(info: &VideoInfo) -> String {
        let VideoInfo { shape, frames, fps, classes, .. } = *info;
        format!("clips, {frames} frames {} at {fps} a second{}", picture(shape), with_classes(classes))
    }
}
