//! What families of sounds share: blocks over frames, how a batch becomes signals, and how long sounds are by class.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::AudioBatch;
use mintage_nn::{
    Part, Rng, TensorMap, WeightsError,
    layers::{LayerNorm, Linear, TimeBlock, with_numbers},
};

use super::AudioInfo;

/// Sounds drawn at a time, which bounds memory.
pub const SAMPLE_BATCH: usize = 32;

/// Blocks over frames between two linear maps.
#[derive(Module, Debug)]
pub struct Stack {
    input: Linear,
    blocks: Vec<TimeBlock>,
    norm: LayerNorm,
    output: Linear,
}

impl Stack {
    /// From `from` numbers a frame to `to`, through `blocks` blocks of `width` numbers.
    pub fn new(from: usize, to: usize, width: usize, blocks: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            input: Linear::new(from, width, 1.0, device, rng),
            blocks: (0..blocks).map(|_| TimeBlock::new(width, device, rng)).collect(),
            norm: LayerNorm::new(width, device),
            output: Linear::new(width, to, 0.3, device, rng),
        }
    }

    /// `[n · frames, from] → [n · frames, to]`.
    pub fn forward(&self, x: Tensor<2>, frames: usize) -> Tensor<2> {
        let h = self.blocks.iter().fold(self.input.forward(x), |h, block| block.forward(h, frames));
        self.output.forward(self.norm.forward(h))
    }
}

/// Matrices between hidden layers of stacks.
pub fn is_hidden(name: &str) -> bool {
    name.contains(".blocks.") && (name.ends_with("up.weight") || name.ends_with("down.weight"))
}

/// `[n, channels · time]`.
pub fn signals(batch: &AudioBatch, device: &Device) -> Tensor<2> {
    let each = batch.samples.len() / batch.n.max(1);
    Tensor::from_data(TensorData::new(batch.samples.clone(), [batch.n, each]), device)
}

/// The first `length` samples of every channel of a sound, channel by channel.
pub fn first_samples(sound: &[f32], channels: usize, length: usize) -> Vec<f32> {
    let time = sound.len() / channels;
    sound.chunks_exact(time).flat_map(|channel| &channel[..length]).copied().collect()
}

/// Cuts fewer than `max_shift` samples off the start of about half of the whole sounds.
///
/// The same sound is seen in other frames each time, and none begins with silence that real ones do not have.
/// Segments of longer sounds begin anywhere already and stay.
pub fn random_shift(batch: &AudioBatch, info: &AudioInfo, max_shift: usize, rng: &mut Rng) -> AudioBatch {
    let mut batch = batch.clone();
    if !info.whole {
        return batch;
    }
    let (segment, each) = (info.segment, info.segment * info.channels);
    for (item, length) in batch.samples.chunks_exact_mut(each).zip(&mut batch.lengths) {
        let by = if rng.uniform() < 0.5 { 0 } else { rng.below(max_shift.min(*length as usize).max(1)) };
        *length -= by as u32;
        for channel in item.chunks_exact_mut(segment) {
            channel.copy_within(by.., 0);
            channel[segment - by..].fill(0.0);
        }
    }
    batch
}

/// How many frames sounds last, counted over the items of training steps: a row a class, and one of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Lengths {
    /// `[classes + 1, frames + 1]`.
    counts: Vec<f32>,
    classes: usize,
    /// Frames of an item.
    frames: usize,
}

impl Lengths {
    /// Counts of zero for the classes of the data; a frame is `hop` samples.
    pub fn new(info: &AudioInfo, hop: usize) -> Self {
        let (classes, frames) = (info.classes, info.segment / hop);
        let size = if with_numbers() { (classes + 1) * (frames + 1) } else { 0 };
        Self { counts: vec![0.0; size], classes, frames }
    }

    /// Counts the items of a batch.
    pub fn note(&mut self, batch: &AudioBatch, hop: usize) {
        for (i, &length) in batch.lengths.iter().enumerate() {
            let frames = (length as usize).div_ceil(hop).min(self.frames);
            let class = batch.labels.get(i).map_or(self.classes, |&label| self.row(label));
            self.counts[self.classes * (self.frames + 1) + frames] += 1.0;
            if class < self.classes {
                self.counts[class * (self.frames + 1) + frames] += 1.0;
            }
        }
    }

    /// The frames of a new sound of a class, at least one; as many as an item has where none was counted.
    pub fn draw(&self, label: u32, rng: &mut Rng) -> usize {
        let counts = &self.counts[self.row(label) * (self.frames + 1)..][..=self.frames];
        match counts.iter().any(|&count| count > 0.0) {
            true => rng.categorical(counts).max(1),
            false => self.frames.max(1),
        }
    }

    /// The row of a label; the one of all sounds where it is not a class.
    fn row(&self, label: u32) -> usize {
        (label as usize).min(self.classes)
    }

    fn shape(&self) -> [usize; 2] {
        [self.classes + 1, self.frames + 1]
    }
}

impl Part for Lengths {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        map.insert(name, &self.shape(), self.counts.clone());
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.counts = map.of_shape(name, &self.shape())?.values.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::audio::test_support::{tiny_batch, tiny_info};

    #[test]
    fn whole_sounds_are_moved_with_their_lengths() {
        let (info, batch) = (tiny_info(2), tiny_batch(2));
        let later = random_shift(&batch, &info, 100, &mut Rng::new(1, 0));
        for item in 0..batch.n {
            let by = (batch.lengths[item] - later.lengths[item]) as usize;
            let channel = |batch: &AudioBatch| batch.samples[(2 * item + 1) * 512..][..512].to_vec();
            assert_eq!(channel(&later)[..512 - by], channel(&batch)[by..]);
        }
        assert!(batch.lengths != later.lengths);
        assert_eq!(
            random_shift(&batch, &AudioInfo { whole: false, ..info }, 100, &mut Rng::new(1, 0)),
            batch
        );
    }

    #[test]
    fn lengths_are_those_of_the_class() {
        let (info, hop) = (tiny_info(1), 32);
        let mut lengths = Lengths::new(&info, hop);
        // Nothing is known yet.
        assert_eq!(lengths.draw(0, &mut Rng::new(1, 0)), 512 / hop);
        lengths.note(&tiny_batch(1), hop);
        let drawn = |lengths: &Lengths, label: u32| {
            let mut rng = Rng::new(1, 0);
            let mut all: Vec<usize> = (0..50).map(|_| lengths.draw(label, &mut rng)).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        // Items of 512 and 512 samples, of 400 and 300, and all of them.
        assert_eq!(drawn(&lengths, 0), [16]);
        assert_eq!(drawn(&lengths, 1), [10, 13]);
        assert_eq!(drawn(&lengths, 2), [10, 13, 16]);
        let (mut map, mut other) = (TensorMap::default(), Lengths::new(&info, hop));
        lengths.save_weights("lengths", &mut map);
        other.load_weights("lengths", &map).unwrap();
        assert_eq!(lengths, other);
        let mut shorter = Lengths::new(&info, 2 * hop);
        assert!(shorter.load_weights("lengths", &map).is_err());
    }
}
