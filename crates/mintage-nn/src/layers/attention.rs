//! Self-attention over the pixels of a small feature map, and a causal transformer with a KV cache.

use burn::{
    module::{Module, Param},
    tensor::{Device, Int, Tensor, TensorData},
};
use serde::{Deserialize, Serialize};

use super::{Embedding, GroupNorm, LayerNorm, Linear, parameter::parameter};
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

/// Size of a [`Transformer`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    /// Number of tokens; the model has one start vector beside them.
    pub vocab: usize,
    /// Longest sequence.
    pub time: usize,
    /// Number of classes to condition on; 0 for none. One more embedding stands for "no class".
    pub classes: usize,
}

/// GPT-2-like causal transformer (pre-norm, GELU, learned positions), whose first position is a start
/// vector that carries the class: `p(c₁ … c_T | class) = Π p(c_t | c_{<t}, class)`.
#[derive(Module, Debug)]
pub struct Transformer {
    token: Embedding,
    position: Param<Tensor<2>>,
    class: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    #[module(skip)]
    config: TransformerConfig,
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

/// Keys and values of the positions seen so far.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    pub(super) layers: Vec<kernels::KvLayer>,
    /// Positions seen so far.
    pub time: usize,
}

impl Transformer {
    pub fn new(config: TransformerConfig, device: &Device, rng: &mut Rng) -> Self {
        let TransformerConfig { layers, width, vocab, time, classes, .. } = config;
        let deep = 1.0 / (2.0 * layers as f32).sqrt();
        let blocks = (0..layers)
            .map(|_| Block {
                norm1: LayerNorm::new(width, device),
                qkv: Linear::new(width, 3 * width, 1.0, device, rng),
                out: Linear::new(width, width, deep, device, rng),
                norm2: LayerNorm::new(width, device),
                up: Linear::new(width, 4 * width, 1.0, device, rng),
                down: Linear::new(4 * width, width, deep, device, rng),
            })
            .collect();
        Self {
            token: Embedding::new(vocab, width, 0.02, device, rng),
            position: parameter([time, width], device, || rng.normal_tensor([time, width], device) * 0.02),
            class: Embedding::new(classes + 1, width, 0.02, device, rng),
            blocks,
            norm: LayerNorm::new(width, device),
            head: Linear::new(width, vocab, 0.1, device, rng),
            config,
        }
    }

    pub fn config(&self) -> TransformerConfig {
        self.config
    }

    /// Logits of every position, given all earlier tokens: `tokens [n, time]` (row-major), one class a
    /// row (`classes` itself stands for "none") → `[n · time, vocab]`.
    pub fn forward(&self, tokens: &[u32], classes: &[u32]) -> Tensor<2> {
        let n = classes.len();
        let (time, width) = (tokens.len() / n.max(1), self.config.width);
        let device = self.position.val().device();
        let start = self.class.forward(indices(classes, &device)).reshape([n, 1, width]);
        // Position t sees the start vector and the tokens before t: the last token is never an input.
        let shifted: Vec<u32> = tokens.chunks(time).flat_map(|row| &row[..time - 1]).copied().collect();
        let mut x: Tensor<3> = start;
        if time > 1 {
            let embedded = self.token.forward(indices(&shifted, &device)).reshape([n, time - 1, width]);
            x = Tensor::cat(vec![x, embedded], 1);
        }
        let position: Tensor<3> = self.position.val().narrow(0, 0, time).unsqueeze();
        let mut x: Tensor<2> = (x + position).reshape([n * time, width]);
        for block in &self.blocks {
            x = block.forward(x, n, self.config.heads);
        }
        self.head.forward(self.norm.forward(x))
    }

    /// Logits `[n, vocab]` of the next position. `tokens` are those just drawn (one a row), ignored at
    /// the start, when `cache.time == 0` and the class vector is the input.
    pub fn next(&self, tokens: &[u32], classes: &[u32], cache: &mut KvCache) -> Tensor<2> {
        let device = self.position.val().device();
        let input = match cache.time {
            0 => self.class.forward(indices(classes, &device)),
            _ => self.token.forward(indices(tokens, &device)),
        };
        let mut x = input + self.position.val().narrow(0, cache.time, 1);
        cache.layers.resize_with(self.blocks.len(), Default::default);
        for (block, layer) in self.blocks.iter().zip(&mut cache.layers) {
            x = block.next(x, self.config.heads, layer);
        }
        cache.time += 1;
        self.head.forward(self.norm.forward(x))
    }
}

impl Block {
    fn forward(&self, x: Tensor<2>, n: usize, heads: usize) -> Tensor<2> {
        let qkv = self.qkv.forward(self.norm1.forward(x.clone())); // [n·time, 3·width]
        let y = kernels::self_attention(qkv, n, heads, true); // [n·time, width]
        self.mlp(kernels::add(x, self.out.forward(y)))
    }

    fn next(&self, x: Tensor<2>, heads: usize, cache: &mut kernels::KvLayer) -> Tensor<2> {
        let qkv = self.qkv.forward(self.norm1.forward(x.clone()));
        self.mlp(kernels::add(x, self.out.forward(kernels::attend_next(qkv, heads, cache))))
    }

    fn mlp(&self, x: Tensor<2>) -> Tensor<2> {
        let y = self.down.forward(kernels::gelu(self.up.forward(self.norm2.forward(x.clone()))));
        kernels::add(x, y)
    }
}

/// Host indices as an int tensor `[n]`.
pub(crate) fn indices(values: &[u32], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::to_vec;

    #[test]
    fn cached_steps_equal_the_whole_sequence() {
        let config = TransformerConfig { layers: 2, heads: 2, width: 16, vocab: 7, time: 5, classes: 3 };
        let device = Device::flex();
        let model = Transformer::new(config, &device, &mut Rng::new(1, 0));
        let (tokens, classes) = ([1u32, 2, 3, 4, 5, 6, 5, 4, 3, 2], [0u32, 3]);
        let whole = to_vec(&model.forward(&tokens, &classes));
        let mut cache = KvCache::default();
        for t in 0..5 {
            let previous: Vec<u32> = (0..2).map(|row| tokens[row * 5 + t.max(1) - 1]).collect();
            let step = to_vec(&model.next(&previous, &classes, &mut cache));
            for row in 0..2 {
                for k in 0..7 {
                    let (a, b) = (step[row * 7 + k], whole[(row * 5 + t) * 7 + k]);
                    assert!((a - b).abs() < 1e-4, "t {t} row {row} k {k}: {a} {b}");
                }
            }
        }
    }
}
