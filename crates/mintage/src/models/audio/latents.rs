//! A prior over latent frames: flow matching (Lipman et al., arXiv:2210.02747) along straight ways from noise to the latent
//! frames of a sound, all at once.
//!
//! ```text
//! x_t = (1 − t) x_0 + t x_1,   x_0 ~ N(0, I),   L = E ‖v(x_t, t, y, what is known) − (x_1 − x_0)‖²
//! ```
//!
//! `v` is a transformer that sees the frames of both sides. Beside the latent of each frame stand two numbers: how much of the
//! frame lies before the end of the sound, and whether the frame is known. Known frames are the first ones of a sound that
//! goes on; they stand there as they are, at any `t`, and nothing is learned of them nor of frames behind the end. The noise
//! of a sound is the one of a few that points towards it most (Immiscible Diffusion, arXiv:2406.12303).

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_nn::{
    Part, Rng, TensorMap, WeightsError, kernels,
    layers::{Decoder, DecoderConfig, Linear, Positions, sinusoidal},
};
use serde::{Deserialize, Serialize};

use crate::models::common::early::autoguided;
use crate::models::common::flow_matching::{equal_steps, guided, integrate, sample_timestep};

/// Share of the training sounds whose beginning is known.
const KNOWN_SHARE: f32 = 0.2;
/// How much of a running mean a step leaves.
const DECAY: f32 = 0.98;

/// Size of a [`LatentFlowMatching`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowShape {
    /// Numbers of a latent frame.
    pub dims: usize,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads of a block; `width / heads` is even.
    pub heads: usize,
    /// Width of the transformer, and of the embedded time.
    pub width: usize,
}

/// See the module.
#[derive(Module, Debug)]
pub struct LatentFlowMatching {
    input: Linear,
    time1: Linear,
    time2: Linear,
    decoder: Decoder,
    head: Linear,
    #[module(skip)]
    shape: FlowShape,
}

/// What is said of the frames of `n` sounds of equally many, sound after sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames {
    /// How much of each lies before the end of its sound, from 0 to 1.
    pub valid_mask: Vec<f32>,
    /// Whether each is known: 1, or 0.
    pub known: Vec<f32>,
    /// The class of each sound; a number that is not a class stands for any.
    pub labels: Vec<u32>,
}

impl Frames {
    fn n(&self) -> usize {
        self.labels.len()
    }

    fn time(&self) -> usize {
        self.valid_mask.len() / self.n().max(1)
    }

    /// 1 for frames that are to be found.
    fn target_mask(&self) -> Vec<f32> {
        let target_mask = |(&valid_mask, &known): (&f32, &f32)| f32::from(valid_mask > 0.0 && known == 0.0);
        self.valid_mask.iter().zip(&self.known).map(target_mask).collect()
    }
}

/// How latent frames are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Steps of Heun's rule from `t = 0` to 1.
    pub steps: usize,
    /// Weight of classifier-free guidance; 1 is the plain conditional model.
    pub guidance: f64,
    /// An early version of the model to be guided by, and the weight of that, see [`autoguided`].
    pub early: Option<(&'a LatentFlowMatching, f64)>,
    /// What noise is multiplied by.
    pub temperature: f32,
    /// How much of the path from noise is travelled anew: 1 begins with noise alone.
    pub strength: f32,
}

impl LatentFlowMatching {
    /// A fresh network on `device`, initialised from `rng`; its velocity is 0 at first.
    pub fn new(shape: FlowShape, device: &Device, rng: &mut Rng) -> Self {
        let FlowShape { dims, classes, layers, heads, width } = shape;
        // Every vector comes from beside; the decoder's own table holds the classes.
        let config = DecoderConfig { classes, causal: false, ..DecoderConfig::of_size(layers, heads, width) };
        Self {
            input: Linear::new(dims + 2, width, 1.0, device, rng),
            time1: Linear::new(width, width, std::f32::consts::SQRT_2, device, rng),
            time2: Linear::new(width, width, 1.0, device, rng),
            decoder: Decoder::new(config, device, rng),
            head: Linear::new(width, dims, 0.0, device, rng),
            shape,
        }
    }

    /// Whether a name is that of a matrix between hidden layers.
    pub fn is_hidden(name: &str) -> bool {
        name.strip_prefix("decoder.").is_some_and(Decoder::is_hidden)
    }

    /// The flow-matching loss of latent frames `x_1 [n · time, dims]`, the mean over the numbers of the
    /// target frames.
    pub fn loss(&self, x_1: Tensor<2>, frames: &Frames, rng: &mut Rng) -> Tensor<1> {
        let (n, time, device) = (frames.n(), frames.time(), x_1.device());
        let target_mask = frames.target_mask();
        let share = (target_mask.iter().sum::<f32>() / target_mask.len().max(1) as f32).max(1e-6);
        let target_mask = column(target_mask, &device);
        let x_0 = rng.normal_tensor(x_1.dims(), &device);
        let t: Vec<f32> = (0..n).map(|i| sample_timestep(i, rng)).collect();
        let each: Vec<f32> = t.iter().flat_map(|&t| std::iter::repeat_n(t, time)).collect();
        let x_t = x_0.clone() + (x_1.clone() - x_0.clone()) * column(each, &device);
        let x_t = x_t * target_mask.clone() + x_1.clone() * column(frames.known.clone(), &device);
        let v = self.velocity(x_t, frames, &t);
        kernels::mean_squared_error(v * target_mask.clone(), (x_1 - x_0) * target_mask) / f64::from(share)
    }

    /// `v` at one time a sound: `[n · time, dims]` → the same.
    fn velocity(&self, x: Tensor<2>, frames: &Frames, t: &[f32]) -> Tensor<2> {
        let (n, time, device, width) = (frames.n(), frames.time(), x.device(), self.shape.width);
        let beside = [&frames.valid_mask, &frames.known].map(|values| column(values.clone(), &device));
        let [valid_mask, known] = beside;
        let x = self.input.forward(Tensor::cat(vec![x, valid_mask, known], 1));
        let when = kernels::silu(self.time1.forward(sinusoidal(t, width, 1000.0, &device)));
        let when: Tensor<3> = self.time2.forward(when).reshape([n, 1, width]).expand([n, time, width]);
        let x = kernels::add(x, when.reshape([n * time, width]));
        let class = |&label: &u32| {
            let class = if (label as usize) < self.shape.classes { label } else { kernels::NONE };
            std::iter::repeat_n(class, time)
        };
        let classes: Vec<u32> = frames.labels.iter().flat_map(class).collect();
        let tokens = vec![kernels::NONE; n * time];
        let at = Positions { n, tokens: &tokens, classes: &classes, period_positions: &[] };
        self.head.forward(self.decoder.forward(at, Some(x)))
    }

    /// The velocity with guidance by an early version inside classifier-free guidance.
    fn guided(&self, x: &Tensor<2>, frames: &Frames, t: f32, way: Way) -> Tensor<2> {
        let times = vec![t; frames.n()];
        guided(way.guidance, &frames.labels, self.shape.classes as u32, |labels| {
            let frames = Frames { labels: labels.to_vec(), ..frames.clone() };
            autoguided(self, way.early, |net| net.velocity(x.clone(), &frames, &times))
        })
    }

    /// Latent frames. `begin [n · time, dims]` has those that are known, and what the others begin with where the way is not
    /// gone back whole.
    pub fn sample(&self, begin: &Tensor<2>, frames: &Frames, way: Way, rng: &mut Rng) -> Tensor<2> {
        let device = begin.device();
        let target_mask = column(frames.target_mask(), &device);
        let kept = begin.clone() * column(frames.known.clone(), &device);
        let from = 1.0 - way.strength;
        let noise = rng.normal_tensor(begin.dims(), &device) * (way.temperature * way.strength);
        let x = begin.clone() * from + noise;
        let steps = ((way.steps as f32 * way.strength).ceil() as usize).max(1);
        let dt = way.strength / steps as f32;
        integrate(x * target_mask.clone() + kept, &equal_steps(from, dt, steps), |x, t| {
            self.guided(&x, frames, t, way) * target_mask.clone()
        })
    }

    /// Which frames are known in a training step: the first ones, of a share of the sounds.
    pub fn some_known(valid_mask: &[f32], n: usize, rng: &mut Rng) -> Vec<f32> {
        let time = valid_mask.len() / n.max(1);
        let mut known = vec![0.0; valid_mask.len()];
        for (valid_mask, known) in valid_mask.chunks(time.max(1)).zip(known.chunks_mut(time.max(1))) {
            let frames = valid_mask.iter().filter(|&&share| share > 0.0).count();
            if rng.uniform() < KNOWN_SHARE && frames > 1 {
                known[..1 + rng.below(frames - 1)].fill(1.0);
            }
        }
        known
    }
}

/// One number a row: `[rows, 1]`.
pub fn column(values: Vec<f32>, device: &Device) -> Tensor<2> {
    let rows = values.len();
    Tensor::from_data(TensorData::new(values, [rows, 1]), device)
}

/// Running mean and mean square of each number of the latent frames of training sounds, by which the prior sees them.
#[derive(Clone, Debug, PartialEq)]
pub struct Whitening {
    mean: Vec<f32>,
    square: Vec<f32>,
    /// How much of either has been seen, from 0 to 1.
    seen: f32,
}

impl Whitening {
    /// Moments of `latent` numbers, of which none has been seen yet.
    pub fn new(latent: usize) -> Self {
        Self { mean: vec![0.0; latent], square: vec![0.0; latent], seen: 0.0 }
    }

    /// Takes note of latent frames `[rows, latent]`, those that are there.
    pub fn note(&mut self, z: &[f32], valid_mask: &[f32]) {
        let latent = self.mean.len();
        let (mut sums, mut squares, mut rows) = (vec![0.0f32; latent], vec![0.0f32; latent], 0.0f32);
        for (z, _) in z.chunks_exact(latent).zip(valid_mask).filter(|(_, valid_mask)| **valid_mask > 0.0) {
            rows += 1.0;
            for (k, z) in z.iter().enumerate() {
                sums[k] += z;
                squares[k] += z * z;
            }
        }
        if rows == 0.0 {
            return;
        }
        self.seen = DECAY * self.seen + (1.0 - DECAY);
        let move_to = |kept: &mut Vec<f32>, sums: &[f32]| {
            kept.iter_mut()
                .zip(sums)
                .for_each(|(kept, sum)| *kept = DECAY * *kept + (1.0 - DECAY) * sum / rows);
        };
        move_to(&mut self.mean, &sums);
        move_to(&mut self.square, &squares);
    }

    /// Mean and standard deviation of each number, `[1, latent]`.
    fn moments(&self, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let (latent, seen) = (self.mean.len(), self.seen.max(1e-6));
        let mean: Vec<f32> = self.mean.iter().map(|m| m / seen).collect();
        let deviation = |(square, mean): (&f32, &f32)| (square / seen - mean * mean).max(1e-4).sqrt();
        let std: Vec<f32> = match self.seen > 0.0 {
            true => self.square.iter().zip(&mean).map(deviation).collect(),
            false => vec![1.0; latent],
        };
        let [mean, std] = [mean, std].map(|v| Tensor::from_data(TensorData::new(v, [1, latent]), device));
        (mean, std)
    }

    /// To mean 0 and variance 1 in each number: `[rows, latent]` → the same.
    pub fn whiten(&self, z: Tensor<2>) -> Tensor<2> {
        let (mean, std) = self.moments(&z.device());
        (z - mean) / std
    }

    /// Undoes [`whiten`](Self::whiten).
    pub fn colour(&self, z: Tensor<2>) -> Tensor<2> {
        let (mean, std) = self.moments(&z.device());
        z * std + mean
    }
}

impl Part for Whitening {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        let latent = self.mean.len();
        map.insert(format!("{name}.mean"), &[latent], self.mean.clone());
        map.insert(format!("{name}.square"), &[latent], self.square.clone());
        map.insert(format!("{name}.seen"), &[1], vec![self.seen]);
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let latent = self.mean.len();
        let read = |what: &str, size: usize| {
            map.of_shape(&format!("{name}.{what}"), &[size]).map(|found| found.values.clone())
        };
        (self.mean, self.square, self.seen) =
            (read("mean", latent)?, read("square", latent)?, read("seen", 1)?[0]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_nn::{AdamW, Trainable, weights::to_vec};

    const SHAPE: FlowShape = FlowShape { dims: 2, classes: 2, layers: 1, heads: 2, width: 32 };
    const WAY: Way = Way { steps: 8, guidance: 1.0, early: None, temperature: 1.0, strength: 1.0 };

    /// Three sounds of four frames, the last of two and a half.
    fn frames(labels: [u32; 3]) -> Frames {
        let valid_mask = [[1.0; 4], [1.0; 4], [1.0, 1.0, 0.5, 0.0]].concat();
        Frames { known: vec![0.0; 12], valid_mask, labels: labels.to_vec() }
    }

    /// Class 0 is up, class 1 down.
    fn latents(frames: &Frames) -> Tensor<2> {
        let row = |i: usize| {
            let value = if frames.labels[i / 4] == 0 { 1.0 } else { -1.0 };
            [value, 0.5 - value]
        };
        let values: Vec<f32> = (0..12).flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [12, 2]), &Device::flex())
    }

    #[test]
    fn it_finds_what_it_learned() {
        let (frames, mut rng) = (frames([0, 1, 1]), Rng::new(1, 0));
        let net = LatentFlowMatching::new(SHAPE, &Device::flex().autodiff(), &mut rng);
        let mut train = Trainable::with_muon(net, AdamW::default(), LatentFlowMatching::is_hidden);
        let x_1 = latents(&frames);
        for _ in 0..400 {
            let known = LatentFlowMatching::some_known(&frames.valid_mask, 3, &mut rng);
            let loss = train.net().loss(x_1.clone(), &Frames { known, ..frames.clone() }, &mut rng);
            train.update(loss, 1e-2).unwrap();
        }
        let net = train.averaged();
        let far = |made: &Tensor<2>, rows: std::ops::Range<usize>| {
            let (made, wanted) = (to_vec(made), to_vec(&x_1));
            let pairs = made.iter().zip(&wanted).skip(2 * rows.start).take(2 * rows.len());
            pairs.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / (2 * rows.len()) as f64
        };
        let made = net.sample(&x_1.clone().zeros_like(), &frames, WAY, &mut Rng::new(2, 0));
        assert!(far(&made, 0..11) < 0.3, "{}", far(&made, 0..11));
        // Behind the end there is nothing; what is known stays.
        assert_eq!(to_vec(&made)[22..], [0.0, 0.0]);
        let mut known = frames.clone();
        known.known[..2].fill(1.0);
        let made = net.sample(&x_1, &known, WAY, &mut Rng::new(2, 0));
        assert_eq!(far(&made, 0..2), 0.0);
        // Hardly any way back: hardly any change.
        let near = net.sample(&x_1, &frames, Way { strength: 0.01, ..WAY }, &mut Rng::new(2, 0));
        assert!(far(&near, 0..11) < 0.1, "{}", far(&near, 0..11));
    }
}
