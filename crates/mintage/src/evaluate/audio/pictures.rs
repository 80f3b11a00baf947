//! What sounds look like: log-mel spectrograms of the items of a set, as gray images of one size.

use mintage_data::{
    AudioFormat, AudioSet, ImageSet, ImageShape, Images, Split,
    audio::{LogMel, MelParams},
};

use super::super::{evenly, evenly_of_splits};

/// Width in pixels that a picture is halved down to, by means of neighbours.
const MAX_WIDTH: usize = 128;
/// Range from black to white in nepers of power: 80 dB.
const RANGE_NEPERS: f32 = 18.4;
/// Items of a split that pictures are made of.
const MAX_SPLIT_ITEMS: usize = 20_000;
/// Sounds of the train split that set what is white.
const LOUDNESS_ITEMS: usize = 200;

/// Takes pictures of sounds of a codec.
pub struct Spectrograms {
    mel: LogMel,
    codec: AudioFormat,
    /// Logarithm of the power that is white.
    white: f32,
}

impl Spectrograms {
    /// As bright as the loudest of some sounds of the train split asks for.
    pub fn new(set: &AudioSet) -> Self {
        let codec = set.codec().clone();
        let mut spectrograms = Self { mel: LogMel::new(MelParams::of(codec.rate_hz)), codec, white: 0.0 };
        let items: Vec<u32> = set.items(Split::Train).collect();
        let batch = set.batch(&evenly(&items, LOUDNESS_ITEMS), None);
        let mut loudest: Vec<f32> = batch
            .samples
            .chunks_exact(spectrograms.codec.segment * spectrograms.codec.channels)
            .map(|item| spectrograms.values(item).into_iter().fold(f32::NEG_INFINITY, f32::max))
            .collect();
        loudest.sort_by(f32::total_cmp);
        spectrograms.white = loudest.get(loudest.len() * 9 / 10).copied().unwrap_or(0.0);
        spectrograms
    }

    /// Log-mel values of all channels together, `[frames, mels]`.
    fn values(&self, item: &[f32]) -> Vec<f32> {
        let time = item.len() / self.codec.channels;
        let mono: Vec<f32> = (0..time)
            .map(|t| item.iter().skip(t).step_by(time).sum::<f32>() / self.codec.channels as f32)
            .collect();
        self.mel.of(&mono)
    }

    /// Times that frames are averaged by two.
    fn halvings(&self) -> u32 {
        (0..8).find(|&h| self.mel.frames(self.codec.segment) >> h <= MAX_WIDTH).unwrap_or(8)
    }

    /// Samples that a picture shows, of each channel.
    pub fn samples(&self) -> usize {
        (self.shape().width * self.mel.params().hop) << self.halvings()
    }

    /// The lowest and the highest frequency between two shares of the height of a picture, from its top.
    pub fn hz(&self, top: f64, bottom: f64) -> (f64, f64) {
        let mels = self.mel.params().mels;
        let band = |share: f64| (share * mels as f64).round() as usize;
        let lowest = mels.saturating_sub(band(bottom)).min(mels - 1);
        let highest = mels.saturating_sub(1 + band(top)).max(lowest);
        (f64::from(self.mel.band_hz(lowest).0), f64::from(self.mel.band_hz(highest).1))
    }

    /// The shape of a picture: one channel, as high as there are mel bands.
    pub fn shape(&self) -> ImageShape {
        let width = (self.mel.frames(self.codec.segment) >> self.halvings()).max(1);
        ImageShape { channels: 1, height: self.mel.params().mels, width }
    }

    /// The picture of one item, low tones at the bottom.
    fn take(&self, item: &[f32]) -> Vec<u8> {
        let values = self.values(item);
        let (ImageShape { height, width, .. }, each) = (self.shape(), 1 << self.halvings());
        let pixel = |i: usize| {
            let (mel, frame) = (height - 1 - i / width, i % width * each);
            let mean =
                (frame..frame + each).map(|frame| values[frame * height + mel]).sum::<f32>() / each as f32;
            ((1.0 - (self.white - mean) / RANGE_NEPERS).clamp(0.0, 1.0) * 255.0).round() as u8
        };
        (0..height * width).map(pixel).collect()
    }

    /// Pictures of sounds, each cut or filled up with silence to the length of an item; channel by channel.
    pub fn of_sounds(&self, sounds: &[Vec<f32>], labels: Vec<u32>) -> Images {
        let AudioFormat { segment, channels, .. } = self.codec;
        let filled = |sound: &Vec<f32>| -> Vec<f32> {
            let time = (sound.len() / channels).max(1);
            let channel = |channel: &[f32]| {
                let mut channel = channel[..time.min(segment)].to_vec();
                channel.resize(segment, 0.0);
                channel
            };
            sound.chunks_exact(time).flat_map(channel).collect()
        };
        let pixels = sounds.iter().flat_map(|sound| self.take(&filled(sound))).collect();
        Images { shape: self.shape(), pixels, labels, classes: self.codec.classes.clone() }
    }

    /// Pictures of items of a set, in that order.
    pub fn of_items(&self, set: &AudioSet, items: &[u32]) -> Images {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for items in items.chunks(64) {
            let batch = set.batch(items, None);
            let each = batch.samples.len() / batch.n;
            pixels.extend(batch.samples.chunks_exact(each).flat_map(|item| self.take(item)));
            labels.extend(batch.labels);
        }
        Images { shape: self.shape(), pixels, labels, classes: self.codec.classes.clone() }
    }

    /// Pictures of the items of a set, split as they are, and which items they are of.
    pub fn of_set(&self, set: &AudioSet) -> (ImageSet, Vec<u32>) {
        let (splits, items) = evenly_of_splits(|split| set.items(split).collect(), MAX_SPLIT_ITEMS);
        (ImageSet::from_memory_split(self.of_items(set, &items), splits), items)
    }
}
