//! Self-attention over the pixels of a small feature map, and the cache of a causal transformer.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use super::{GroupNorm, Linear};
use crate::{Rng, kernels};

/// One-head-per-64-channels self-attention over all positions of `[n, c, h, w]`, as a residual branch.
#[derive(Module, Debug)]
pub struct SelfAttention2d {
    norm: GroupNorm,
    qkv: Linear,
    out: Linear,
    #[module(skip)]
    heads: usize,
}

impl SelfAttention2d {
    pub fn new(channels: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            norm: GroupNorm::new(channels, device),
            qkv: Linear::new(channels, 3 * channels, 1.0, device, rng),
            out: Linear::new(channels, channels, 0.0, device, rng),
            heads: (channels / 64).max(1),
        }
    }

    /// `[n, c, h, w] → [n, c, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, _, h, w] = x.dims();
        let qkv = self.qkv.forward(kernels::pixel_rows(self.norm.forward(x.clone()))); // [n·h·w, 3c]
        let y = self.out.forward(kernels::self_attention(qkv, n, self.heads, false)); // [n·h·w, c]
        kernels::add(x, kernels::row_pixels(y, h, w))
    }
}

/// Keys and values of the positions seen so far.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    pub(super) layers: Vec<kernels::KvLayer>,
    /// Positions seen so far.
    pub time: usize,
    /// The token of each sequence that came last, for tables of pairs.
    pub(super) last: Vec<u32>,
}
