//! Models of sounds, one file a family. Here: the closed enum over them, and what they are asked for.
//!
//! Samples are numbers in [−1, 1], channel by channel, at the rate of the codec; a frame is a few thousandths of a second.

mod codes;
pub mod gan;
mod griffin_lim;
mod latents;
mod net;
mod spectral;
#[cfg(test)]
pub(crate) mod test_support;
pub mod vae;
pub mod vqvae;

use std::ops::{Range, RangeInclusive};

use mintage_data::AudioBatch;
use serde::{Deserialize, Serialize};

use super::{
    Conditioning, SamplingParams,
    generative::{Kind, families},
    options::MAX_SAMPLE_STEPS,
    with_classes,
};
pub use spectral::si_sdr_db;

/// What a model must know of sounds before it sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Sample rate: samples per second, of each channel.
    pub rate_hz: u32,
    /// 1 for mono, 2 for stereo.
    pub channels: usize,
    /// Samples of an item, in each channel.
    pub segment: usize,
    /// Whether an item is a sound from its beginning, and not a part of a longer one.
    pub whole: bool,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Items in the train split.
    pub train_len: usize,
}

/// How to draw sounds.
#[derive(Clone, Debug)]
pub struct AudioSampleParams<'a> {
    /// Number of sounds to draw.
    pub n: usize,
    /// The class of each sound, or empty for a model without classes.
    pub labels: &'a [u32],
    /// Longest sound, in samples of each channel.
    pub length: usize,
    /// What the new sounds are made from: samples, channel by channel.
    pub conditioning: Conditioning<&'a [f32]>,
    /// How codes are chosen among the probable ones.
    pub choice: SamplingParams,
    /// Classifier-free guidance weight; 1 is the plain conditional model. `None`: the model's default.
    pub guidance: Option<f32>,
    /// Weight of guidance by an early version of the model; 1 is the model alone. `None`: the model's default.
    pub autoguidance: Option<f32>,
}

impl AudioSampleParams<'_> {
    /// The labels of some of the sounds; `none` where there is no label.
    fn labels_of(&self, sounds: Range<usize>, none: u32) -> Vec<u32> {
        sounds.map(|i| self.labels.get(i).copied().unwrap_or(none)).collect()
    }
}

/// Most iterations of Griffin and Lim: after a hundred no change is audible.
const MAX_GRIFFIN_LIM_ITERS: u64 = 256;

families! {
    Audio: AudioConfig, AudioModel, auto = Vqvae;
    Vae = vae, Vqvae = vqvae, Gan = gan,
}

/// Sounds, as their models see them.
#[derive(Debug)]
pub enum Audio {}

impl Kind for Audio {
    const ITEMS: &'static str = "sounds";
    const RANGES: &'static [(&'static str, RangeInclusive<u64>)] = &[
        ("batch", 1..=65_536),
        ("width", 2..=8_192),
        ("blocks", 0..=64),
        ("codes", 2..=65_536),
        ("coarse", 1..=32),
        ("fine", 1..=32),
        ("code_dim", 1..=4_096),
        ("latent", 1..=4_096),
        ("recoveries", 0..=16),
        ("group", 1..=64),
        ("steps", 1..=MAX_SAMPLE_STEPS),
        ("griffin_lim_iters", 0..=MAX_GRIFFIN_LIM_ITERS),
        ("prior_layers", 0..=128),
        ("prior_width", 2..=8_192),
    ];

    type Info = AudioInfo;
    type Batch = AudioBatch;
    type Config = AudioConfig;
    type Model = AudioModel;
    type Item = [f32];
    type SampleParams<'a> = &'a AudioSampleParams<'a>;
    type Samples = Vec<Vec<f32>>;
    type Reconstruction = Vec<f32>;

    fn train_len(info: &AudioInfo) -> usize {
        info.train_len
    }

    fn classes(info: &AudioInfo) -> usize {
        info.classes
    }

    fn item(_info: &AudioInfo) -> &'static str {
        "sound"
    }

    fn items(info: &AudioInfo) -> String {
        let channels = if info.channels == 1 { "mono" } else { "stereo" };
        let secs = info.segment as f64 / f64::from(info.rate_hz);
        let what = if info.whole { "sounds of up to" } else { "stretches of sound of" };
        format!("{what} {secs:.1} s, {} Hz {channels}{}", info.rate_hz, with_classes(info.classes))
    }
}

impl AudioModel {
    /// Whether a reconstruction is meant to have the same waveform, and not only to sound the same.
    pub fn keeps_waves(&self) -> bool {
        matches!(self, Self::Vqvae(_))
    }
}
