//! A classifier of short sounds, for judging new ones: blocks over the frames of log-mel spectrograms, trained with shifts,
//! masks (Park et al., arXiv:1904.08779) and noise. It shares nothing with the models that it judges.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage::{
    data::audio::{LogMel, MelParams},
    nn::{
        AdamW, Rng, Schedule, Trainable, kernels,
        layers::{LayerNorm, Linear, TimeBlock},
        weights::to_vec,
    },
};

const WIDTH: usize = 128;
const BLOCKS: usize = 4;
const BATCH: usize = 64;
const STEPS: usize = 1500;
/// From black to white, in nepers of power: 80 dB.
const RANGE: f32 = 18.4;
/// Frames by which a sound is shifted at most, and that are masked; bands that are masked.
const SHIFT: usize = 8;
const MASKED_FRAMES: usize = 6;
const MASKED_BANDS: usize = 10;

#[derive(Module, Debug)]
struct Net {
    input: Linear,
    blocks: Vec<TimeBlock>,
    norm: LayerNorm,
    head: Linear,
}

impl Net {
    /// `[n · frames, mels] → [n, classes]`.
    fn forward(&self, x: Tensor<2>, frames: usize) -> Tensor<2> {
        let h = self.blocks.iter().fold(self.input.forward(x), |h, block| block.forward(h, frames));
        let h = self.norm.forward(h);
        let [rows, width] = h.dims();
        let h: Tensor<3> = h.reshape([rows / frames, frames, width]);
        let mean: Tensor<2> = h.clone().mean_dim(1).reshape([rows / frames, width]);
        let most: Tensor<2> = h.max_dim(1).reshape([rows / frames, width]);
        self.head.forward(Tensor::cat(vec![mean, most], 1))
    }
}

/// See the module.
pub struct Listener {
    mel: LogMel,
    frames: usize,
    classes: usize,
    net: Net,
}

impl Listener {
    /// Learns the class of sounds of one channel, none longer than `segment` samples.
    pub fn learn(
        sounds: &[Vec<f32>],
        labels: &[u32],
        classes: usize,
        rate_hz: u32,
        segment: usize,
        seed: u64,
    ) -> Self {
        let mel = LogMel::new(MelParams::of(rate_hz));
        let (frames, mels) = (mel.frames(segment), mel.params().mels);
        let (device, mut rng) = (Device::flex().autodiff(), Rng::new(seed, 0));
        let net = Net {
            input: Linear::new(mels, WIDTH, 1.0, &device, &mut rng),
            blocks: (0..BLOCKS).map(|_| TimeBlock::new(WIDTH, &device, &mut rng)).collect(),
            norm: LayerNorm::new(WIDTH, &device),
            head: Linear::new(2 * WIDTH, classes, 0.5, &device, &mut rng),
        };
        let seen: Vec<Vec<f32>> = sounds.iter().map(|sound| spectrogram(&mel, sound, frames)).collect();
        let mut train = Trainable::new(net, AdamW { weight_decay: 0.05, ema: 0.99, ..AdamW::default() });
        let mut order = Vec::new();
        for step in 0..STEPS {
            let mut rng = Rng::new(seed, 1 + step as u64);
            while order.len() < BATCH {
                order.extend(rng.permutation(sounds.len()));
            }
            let picked: Vec<usize> = order.drain(..BATCH).collect();
            let x: Vec<f32> = picked.iter().flat_map(|&i| augmented(&seen[i], mels, &mut rng)).collect();
            let x = Tensor::from_data(TensorData::new(x, [BATCH * frames, mels]), &device);
            let targets: Vec<i64> = picked.iter().map(|&i| i64::from(labels[i])).collect();
            let targets = Tensor::from_data(TensorData::new(targets, [BATCH]), &device);
            let loss = kernels::cross_entropy(train.net().forward(x, frames), targets).mean();
            let lr = 2e-3 * Schedule::default().factor(step as f64 / STEPS as f64);
            train.update(loss, lr).unwrap();
        }
        Self { mel, frames, classes, net: train.averaged() }
    }

    /// Probabilities of the classes of each sound, `n × classes`.
    pub fn probabilities(&self, sounds: &[Vec<f32>]) -> Vec<f32> {
        let mels = self.mel.params().mels;
        let part = |part: &[Vec<f32>]| {
            let x: Vec<f32> =
                part.iter().flat_map(|sound| spectrogram(&self.mel, sound, self.frames)).collect();
            let x = Tensor::from_data(TensorData::new(x, [part.len() * self.frames, mels]), &Device::flex());
            let mut logits = to_vec(&self.net.forward(x, self.frames));
            logits.chunks_exact_mut(self.classes).for_each(softmax);
            logits
        };
        sounds.chunks(BATCH).flat_map(part).collect()
    }

    /// Share of the sounds that are taken for what they are to be.
    pub fn accuracy(&self, sounds: &[Vec<f32>], labels: &[u32]) -> f64 {
        let found = self.probabilities(sounds);
        let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as u32;
        let hits = found.chunks_exact(self.classes).zip(labels).filter(|(row, label)| best(row) == **label);
        hits.count() as f64 / labels.len() as f64
    }
}

fn softmax(row: &mut [f32]) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|v| *v = (*v - top).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|v| *v /= sum);
}

/// `exp E KL(p(y | x) ‖ p(y))` (Salimans et al., arXiv:1606.03498) of rows of probabilities.
pub fn inception_score(probabilities: &[f32], classes: usize) -> f64 {
    let n = (probabilities.len() / classes) as f64;
    let mean: Vec<f64> = (0..classes)
        .map(|c| probabilities.iter().skip(c).step_by(classes).map(|&p| f64::from(p)).sum::<f64>() / n)
        .collect();
    let divergence = |row: &[f32]| -> f64 {
        row.iter().zip(&mean).map(|(&p, m)| f64::from(p) * ((f64::from(p) + 1e-12) / m).ln()).sum()
    };
    (probabilities.chunks_exact(classes).map(divergence).sum::<f64>() / n).exp()
}

/// `[frames, mels]` in [0, 1], its loudest place 1; silence behind the end.
fn spectrogram(mel: &LogMel, sound: &[f32], frames: usize) -> Vec<f32> {
    let mut values = mel.of(sound);
    let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|v| *v = (1.0 + (*v - top) / RANGE).max(0.0));
    values.resize(frames * mel.params().mels, 0.0);
    values
}

/// Shifted, with a band of frames and one of tones masked, and with noise.
fn augmented(values: &[f32], mels: usize, rng: &mut Rng) -> Vec<f32> {
    let frames = values.len() / mels;
    let shift = rng.below(SHIFT + 1);
    let mut new = vec![0.0; values.len()];
    new[shift * mels..].copy_from_slice(&values[..(frames - shift) * mels]);
    let (first, count) = (rng.below(frames), rng.below(MASKED_FRAMES + 1));
    new[first * mels..(first + count).min(frames) * mels].fill(0.0);
    let (first, count) = (rng.below(mels), rng.below(MASKED_BANDS + 1));
    for frame in new.chunks_exact_mut(mels) {
        frame[first..(first + count).min(mels)].fill(0.0);
    }
    new.iter_mut().zip(rng.normals(values.len())).for_each(|(v, noise)| *v += 0.03 * noise);
    new
}
