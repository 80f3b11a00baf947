//! The transformer of GPT-2 (pre-norm, GELU, learned positions), as nanoGPT has it: what a step of ours and a step of PyTorch
//! are compared on. Its peer is `bench/peers/transformer.py`; the models themselves use `mintage::nn::layers::Decoder`.

use burn::{
    module::{Module, Param},
    tensor::{Device, Int, Tensor, TensorData},
};
use mintage::nn::{
    Rng, kernels,
    layers::{Embedding, LayerNorm, Linear, parameter},
};

/// Size of a [`Transformer`].
#[derive(Clone, Copy, Debug)]
pub struct TransformerConfig {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    /// Number of tokens; the model has one start vector beside them.
    pub vocab: usize,
    /// Longest sequence.
    pub time: usize,
}

/// Its first position is a start vector.
#[derive(Module, Debug)]
pub struct Transformer {
    token: Embedding,
    position: Param<Tensor<2>>,
    start: Param<Tensor<2>>,
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
#[derive(Default)]
pub struct KvCache {
    layers: Vec<kernels::KvLayer>,
    time: usize,
}

impl Transformer {
    pub fn new(config: TransformerConfig, device: &Device, rng: &mut Rng) -> Self {
        let TransformerConfig { layers, width, vocab, time, .. } = config;
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
            start: parameter([1, width], device, || rng.normal_tensor([1, width], device) * 0.02),
            blocks,
            norm: LayerNorm::new(width, device),
            head: Linear::new(width, vocab, 0.1, device, rng),
            config,
        }
    }

    /// Logits of every position, given all earlier tokens of `n` sequences: `tokens [n, time]` (row-major) →
    /// `[n · time, vocab]`.
    pub fn forward(&self, tokens: &[u32], n: usize) -> Tensor<2> {
        let (time, width) = (tokens.len() / n.max(1), self.config.width);
        let device = self.position.val().device();
        let start = self.start.val().reshape([1, 1, width]).expand([n, 1, width]);
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

    /// Logits `[1, vocab]` of the next position of one sequence; `last` was just drawn, and does not count at the start.
    pub fn next(&self, last: u32, cache: &mut KvCache) -> Tensor<2> {
        let input = match cache.time {
            0 => self.start.val(),
            _ => self.token.forward(indices(&[last], &self.position.val().device())),
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
fn indices(values: &[u32], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}
