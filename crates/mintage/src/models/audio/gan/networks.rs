//! The networks of the GAN of sounds: both work on rows, a frame or several of them each, through residual blocks over time
//! and maps that make one row of two, or two of one.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_nn::{
    Rng, kernels,
    layers::{DepthwiseTime, Embedding, Linear},
};

use super::Config;
use crate::models::{
    audio::{AudioInfo, spectral::Framing},
    common::{
        classes::indices,
        pass::{Pass, act},
    },
};

/// Dimensions of the embedded label.
const D_LABEL: usize = 32;
/// Most rows at the lowest rate.
const MAX_BOTTOM_ROWS: usize = 16;

/// What both networks are built from: rows of frames, half as many at each lower rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) frames: usize,
    /// Numbers of a frame.
    pub(super) frame: usize,
    halvings: usize,
}

impl Rates {
    pub(super) fn new(info: &AudioInfo, framing: Framing) -> Self {
        let frames = info.segment / framing.hop;
        let halvings = (1..16).find(|&h| frames.div_ceil(1 << h) <= MAX_BOTTOM_ROWS).unwrap_or(16);
        Self { frames, frame: framing.bins() * framing.channels, halvings }
    }

    /// Rows after `halvings` halvings.
    fn rows(self, halvings: usize) -> usize {
        self.frames.next_multiple_of(1 << self.halvings) >> halvings
    }

    /// Which frames come before the end of each sound: `[n, frames, 1]`, 1 or 0.
    pub(super) fn mask(self, ends: &[usize], device: &Device) -> Tensor<3> {
        let of = |&end: &usize| (0..self.frames).map(move |frame| f32::from(u8::from(frame < end)));
        let values: Vec<f32> = ends.iter().flat_map(of).collect();
        Tensor::from_data(TensorData::new(values, [ends.len(), self.frames, 1]), device)
    }
}

/// `x + W₃ act(depthwise(act(W₁ x)))`, the identity at first (Zhang et al., arXiv:1901.09321): the block of
/// R3GAN, over time.
#[derive(Module, Debug)]
struct PlainBlock {
    up: Linear,
    across: DepthwiseTime,
    down: Linear,
}

impl PlainBlock {
    fn new(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            up: Linear::new(width, 2 * width, 1.0, device, rng),
            across: DepthwiseTime::new(2 * width, device, rng),
            down: Linear::new(2 * width, width, 0.0, device, rng),
        }
    }

    /// `[n · time, width]` → the same.
    fn forward(&self, x: Tensor<2>, time: usize, pass: &mut Pass) -> Tensor<2> {
        let h = pass.linear(&self.up, x.clone());
        let h = pass.act(h);
        let h = pass.depthwise(&self.across, h, time);
        let h = pass.act(h);
        kernels::add(x, pass.linear(&self.down, h))
    }
}

/// Residual blocks at one rate, and the map between this rate and the next higher one.
#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<PlainBlock>,
    between: Linear,
}

/// `z [n, latent]`, classes and mask `[n, frames, 1]` → levels `[n, frames, frame]`.
#[derive(Module, Debug)]
pub(super) struct Generator {
    label: Option<Embedding>,
    start: Linear,
    /// From the lowest rate to the highest; each row becomes two, at last of the numbers of a frame.
    stages: Vec<Stage>,
    #[module(skip)]
    pub(super) rates: Rates,
}

impl Generator {
    pub(super) fn new(config: &Config, classes: usize, rates: Rates, device: &Device, rng: &mut Rng) -> Self {
        let (width, rows) = (config.width, rates.rows(rates.halvings));
        let d_label = if classes > 0 { D_LABEL } else { 0 };
        let stage = |halvings: usize, rng: &mut Rng| Stage {
            blocks: (0..config.blocks).map(|_| PlainBlock::new(width, device, rng)).collect(),
            between: match halvings {
                1 => Linear::new(width, 2 * rates.frame, 0.5, device, rng),
                _ => Linear::new(width, 2 * width, 1.0, device, rng),
            },
        };
        Self {
            label: (classes > 0).then(|| Embedding::new(classes + 1, D_LABEL, 1.0, device, rng)),
            start: Linear::new(config.latent + d_label + rates.frames, rows * width, 1.0, device, rng),
            stages: (1..=rates.halvings).rev().map(|halvings| stage(halvings, rng)).collect(),
            rates,
        }
    }

    pub(super) fn forward(&self, z: Tensor<2>, classes: &[u32], mask: &Tensor<3>) -> Tensor<3> {
        let (n, Rates { frames, frame, halvings }) = (z.dims()[0], self.rates);
        let label = self.label.as_ref().map(|label| label.forward(indices(classes, &z.device())));
        let given = [z].into_iter().chain(label).chain([mask.clone().reshape([n, frames])]);
        let mut time = self.rates.rows(halvings);
        let h = self.start.forward(Tensor::cat(given.collect(), 1));
        let mut h = h.reshape([n * time, self.start.weight.dims()[1] / time]);
        for stage in &self.stages {
            h = stage.blocks.iter().fold(h, |h, block| block.forward(h, time, &mut Pass::Plain));
            let two = stage.between.forward(act(h));
            time *= 2;
            let width = two.dims()[1] / 2;
            h = two.reshape([n * time, width]);
        }
        let levels = h.reshape([n, time, frame]).narrow(1, 0, frames);
        masked(levels, mask)
    }
}

/// `[n, frames, frame]` and classes → `[n]`, unbounded; larger is more real.
#[derive(Module, Debug)]
pub(super) struct Critic {
    /// From the highest rate to the lowest; first two rows become one.
    stages: Vec<Stage>,
    last: Linear,
    score: Linear,
    /// Projection of the class onto the features (Miyato & Koyama, arXiv:1802.05637).
    label: Option<Embedding>,
    #[module(skip)]
    rates: Rates,
}

impl Critic {
    pub(super) fn new(config: &Config, classes: usize, rates: Rates, device: &Device, rng: &mut Rng) -> Self {
        let width = config.width;
        let stage = |halvings: usize, rng: &mut Rng| Stage {
            between: match halvings {
                1 => Linear::new(2 * rates.frame, width, 1.0, device, rng),
                _ => Linear::new(2 * width, width, 1.0, device, rng),
            },
            blocks: (0..config.blocks).map(|_| PlainBlock::new(width, device, rng)).collect(),
        };
        Self {
            stages: (1..=rates.halvings).map(|halvings| stage(halvings, rng)).collect(),
            last: Linear::new(rates.rows(rates.halvings) * width, 2 * width, 1.0, device, rng),
            score: Linear::new(2 * width, 1, 1.0, device, rng),
            label: (classes > 0).then(|| Embedding::new(classes + 1, 2 * width, 0.1, device, rng)),
            rates,
        }
    }

    pub(super) fn forward(&self, x: Tensor<3>, classes: &[u32]) -> Tensor<1> {
        self.pass(x, classes, &mut Pass::Plain)
    }

    pub(super) fn pass(&self, x: Tensor<3>, classes: &[u32], pass: &mut Pass) -> Tensor<1> {
        let [n, frames, frame] = x.dims();
        let mut time = self.rates.rows(0);
        // Silence is 0, and so are its derivatives.
        let mut h = x.pad((0, 0, 0, time - frames), 0.0).reshape([n * time, frame]);
        for stage in &self.stages {
            time /= 2;
            let width = 2 * h.dims()[1];
            h = pass.linear(&stage.between, h.reshape([n * time, width]));
            for block in &stage.blocks {
                h = block.forward(h, time, pass);
            }
            h = pass.act(h);
        }
        let width = h.dims()[1];
        let h = pass.linear(&self.last, h.reshape([n, time * width]));
        let features = pass.act(h); // [n, features]
        let d = features.dims()[1] as f64;
        let score = pass.linear(&self.score, features.clone()).reshape([n]);
        match &self.label {
            Some(label) => {
                let e = label.forward(indices(classes, &features.device()));
                score + (features * e).sum_dim(1).reshape([n]) / d.sqrt()
            }
            None => score,
        }
    }
}

/// `[n, frames, frame]` where the mask `[n, frames, 1]` is 1, nothing elsewhere.
pub(super) fn masked(levels: Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
    let shape = levels.dims();
    levels * mask.clone().expand(shape)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::module::Param;
    use mintage_nn::weights::to_vec;

    use super::*;
    use crate::models::{
        Size, audio::test_support::tiny_info, common::pass::gradient_penalty, generative::FamilyConfig,
    };

    #[test]
    fn penalty_has_the_gradient_of_differences() {
        let (on, mut rng, info) = (Device::flex().autodiff(), Rng::new(5, 0), tiny_info(1));
        // An odd number of frames, so that rows are filled up.
        let rates = Rates { frames: 13, frame: 9, halvings: 2 };
        let config = Config { width: 16, ..Config::preset(Size::Tiny, &info) };
        let mut net = Critic::new(&config, 2, rates, &on, &mut rng);
        // Residual branches start silent; here they must speak.
        for block in net.stages.iter_mut().flat_map(|stage| &mut stage.blocks) {
            let noise = rng.normal_tensor(block.down.weight.dims(), &on) * 0.2;
            block.down.weight = Param::from_tensor(noise);
        }
        let classes = [0, 1, 2, 1];
        let x = rng.normal_tensor([4, 13, 9], &on);
        let grads = gradient_penalty(&net, x.clone(), |net, x, pass| net.pass(x, &classes, pass)).backward();
        let gradient = net.stages[0].between.weight.val().grad(&grads).unwrap();

        let length = f64::from(to_vec(&gradient.clone().powi_scalar(2).sum())[0]).sqrt();
        let penalty_at = |by: f64| {
            let mut net = net.clone();
            let by = gradient.clone() * (by / length);
            let between = &mut net.stages[0].between;
            between.weight = between.weight.clone().map(|w| Tensor::from_inner(w.inner() + by.clone()));
            f64::from(
                gradient_penalty(&net, x.clone(), |net, x, pass| net.pass(x, &classes, pass))
                    .into_scalar::<f32>(),
            )
        };
        // A longer step crosses kinks, where the penalty jumps.
        const STEP: f64 = 3e-4;
        let expected = (penalty_at(STEP) - penalty_at(-STEP)) / (2.0 * STEP);
        assert!((length / expected - 1.0).abs() < 0.02, "{length} {expected}");
    }
}
