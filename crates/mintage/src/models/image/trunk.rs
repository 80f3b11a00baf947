//! The convolutional encoder and decoder that the VAE and the VQ-VAE share.
//!
//! A stem halves the image at once, so that most of the work is done on a quarter of the pixels; the
//! channels double where the map shrinks. Sizes that do not halve evenly are padded and cropped.

use crate::models::common::padding::{crop_to, pad_to, padded};
use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::ImageShape;
use mintage_nn::{
    Rng, kernels,
    layers::{Conv2d, GroupNorm, ResBlock},
};

/// What both halves are built from.
#[derive(Clone, Copy, Debug)]
pub struct Trunk {
    /// Channels, height and width of the image.
    pub shape: ImageShape,
    /// Channels at half the image's size.
    pub width: usize,
    /// Residual blocks a size.
    pub blocks: usize,
    /// How many times the size is halved.
    pub halvings: usize,
    /// Width of the condition; 0 for none.
    pub d_cond: usize,
}

impl Trunk {
    /// Channels after `level` halvings.
    fn channels(&self, level: usize) -> usize {
        match level {
            0 => self.width / 2,
            1 => self.width,
            _ => self.width * 2,
        }
    }

    /// Channels, height and width of the smallest map.
    pub fn bottom(&self) -> (usize, usize, usize) {
        let small = |size: usize| padded(size, self.halvings) >> self.halvings;
        (self.channels(self.halvings), small(self.shape.height), small(self.shape.width))
    }

    /// Halvings after which no side is longer than `target`.
    pub fn halvings_to(shape: ImageShape, target: usize) -> usize {
        let longest = shape.height.max(shape.width);
        (1..8).find(|&h| padded(longest, h) >> h <= target).unwrap_or(8)
    }
}

/// `[n, c, h, w]` in [−1, 1] → the smallest map, `[n, channels, h', w']`.
#[derive(Module, Debug)]
pub struct Encoder {
    stages: Vec<DownStage>,
    norm: GroupNorm,
    #[module(skip)]
    padded: (usize, usize),
}

#[derive(Module, Debug)]
struct DownStage {
    down: Conv2d,
    blocks: Vec<ResBlock>,
}

impl Encoder {
    /// A fresh encoder on `device`, initialised from `rng`.
    pub fn new(trunk: &Trunk, device: &Device, rng: &mut Rng) -> Self {
        let stages = (1..=trunk.halvings)
            .map(|level| {
                let c_in = if level == 1 { trunk.shape.channels } else { trunk.channels(level - 1) };
                let c = trunk.channels(level);
                DownStage {
                    down: Conv2d::halving(c_in, c, 1.0, device, rng),
                    blocks: (0..trunk.blocks)
                        .map(|_| ResBlock::new(c, c, trunk.d_cond, device, rng))
                        .collect(),
                }
            })
            .collect();
        Self {
            stages,
            norm: GroupNorm::new(trunk.bottom().0, device),
            padded: (padded(trunk.shape.height, trunk.halvings), padded(trunk.shape.width, trunk.halvings)),
        }
    }

    /// `x [n, c, h, w]` and the condition `[n, d_cond]` → the smallest map, `[n, channels, h', w']`.
    pub fn forward(&self, x: Tensor<4>, cond: Option<&Tensor<2>>) -> Tensor<4> {
        let mut h = pad_to(x, self.padded.0, self.padded.1);
        for stage in &self.stages {
            h = stage.down.forward(h);
            for block in &stage.blocks {
                h = block.forward(h, cond);
            }
        }
        self.norm.forward_silu(h)
    }
}

/// The smallest map → `[n, outputs, h, w]`, unbounded.
#[derive(Module, Debug)]
pub struct Decoder {
    stages: Vec<UpStage>,
    norm: GroupNorm,
    out: Conv2d,
    #[module(skip)]
    size: (usize, usize),
}

#[derive(Module, Debug)]
struct UpStage {
    blocks: Vec<ResBlock>,
    up: Conv2d,
}

impl Decoder {
    /// `outputs`: channels of the result (a mean, or a mean and a scale, for every colour).
    pub fn new(trunk: &Trunk, outputs: usize, device: &Device, rng: &mut Rng) -> Self {
        let stages = (1..=trunk.halvings)
            .rev()
            .map(|level| {
                let c = trunk.channels(level);
                UpStage {
                    blocks: (0..trunk.blocks)
                        .map(|_| ResBlock::new(c, c, trunk.d_cond, device, rng))
                        .collect(),
                    // Four times the channels at the small size, then pixel shuffle: the work of a convolution at
                    // the large size, with weights of its own for each of the four places.
                    up: Conv2d::new(c, 4 * trunk.channels(level - 1), 3, 1.0, device, rng),
                }
            })
            .collect();
        Self {
            stages,
            norm: GroupNorm::new(trunk.channels(0), device),
            out: Conv2d::new(trunk.channels(0), outputs, 3, 0.5, device, rng),
            size: (trunk.shape.height, trunk.shape.width),
        }
    }

    /// The smallest map `[n, channels, h', w']` and the condition `[n, d_cond]` → `[n, outputs, h, w]`.
    pub fn forward(&self, z: Tensor<4>, cond: Option<&Tensor<2>>) -> Tensor<4> {
        let mut h = z;
        for stage in &self.stages {
            for block in &stage.blocks {
                h = block.forward(h, cond);
            }
            h = kernels::pixel_shuffle2(stage.up.forward(h));
        }
        let h = self.out.forward(self.norm.forward_silu(h));
        crop_to(h, self.size.0, self.size.1)
    }
}

/// Whether a name within an encoder or a decoder is that of filters, or of a matrix, between hidden layers.
pub fn is_hidden(name: &str) -> bool {
    let inside = name.contains(".blocks.") || name.contains(".up.");
    inside && name.ends_with(".weight")
}
