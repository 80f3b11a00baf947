//! The network that models of tables share: residual blocks over the sum of one vector a known field.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::{TableInfo, table::encoder::Field};
use mintage_nn::{
    Rng,
    kernels::{self, NONE},
    layers::{Embedding, LayerNorm, Linear, parameter},
    weights::to_vec,
};

use super::HIDDEN;

/// `h = Σ_known E[x_f]`, then `h ← h + W_2 silu(W_1 norm(h))`, then a normalisation: `[n, width]`.
#[derive(Module, Debug)]
pub struct Trunk {
    embed: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

/// `h + W_2 silu(W_1 norm(h))`; starts as the identity.
#[derive(Module, Debug)]
pub struct Block {
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    /// A block of `width` numbers that is the identity at first.
    pub fn new(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            norm: LayerNorm::new(width, device),
            up: Linear::new(width, width, std::f32::consts::SQRT_2, device, rng),
            down: Linear::new(width, width, 0.0, device, rng),
        }
    }

    /// `[n, width]` → the same.
    pub fn forward(&self, h: Tensor<2>) -> Tensor<2> {
        kernels::add(h.clone(), self.down.forward(self.inside(h)))
    }

    /// The same in training, with a `share` of the values inside dropped (Srivastava et al., 2014).
    pub fn forward_train(&self, h: Tensor<2>, share: f64, rng: &mut Rng) -> Tensor<2> {
        if share <= 0.0 {
            return self.forward(h);
        }
        let inside = self.inside(h.clone());
        let kept = 1.0 / (1.0 - share as f32);
        let mask: Vec<f32> = rng
            .uniforms(inside.shape().num_elements())
            .into_iter()
            .map(|u| if u < share as f32 { 0.0 } else { kept })
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, inside.dims()), &h.device());
        kernels::add(h, self.down.forward(inside * mask))
    }

    fn inside(&self, h: Tensor<2>) -> Tensor<2> {
        kernels::silu(self.up.forward(self.norm.forward(h)))
    }
}

impl Trunk {
    /// A vector of `width` numbers for each token of the table, and `blocks` residual blocks over their sum.
    pub fn new(info: &TableInfo, width: usize, blocks: usize, device: &Device, rng: &mut Rng) -> Self {
        let total = info.starts()[info.width()];
        let embed = Embedding { weight: smooth_embedding(info, total, width, device, rng) };
        let blocks = (0..blocks).map(|_| Block::new(width, device, rng)).collect();
        Self { embed, blocks, norm: LayerNorm::new(width, device) }
    }

    /// `indices`: for each row and field a place in [`TableInfo::starts`], or [`NONE`] where it is hidden.
    pub fn forward(&self, indices: &Arc<Vec<u32>>, fields: usize) -> Tensor<2> {
        self.forward_sum(self.embed.bag(indices, fields))
    }

    /// The same from the sums of vectors of known fields, `[n, width]`.
    pub fn forward_sum(&self, sum: Tensor<2>) -> Tensor<2> {
        self.norm.forward(self.blocks.iter().fold(sum, |h, block| block.forward(h)))
    }

    /// The vectors of all tokens, one after another.
    pub fn vectors(&self) -> Vec<f32> {
        to_vec(&self.embed.weight.val())
    }

    /// The same in training, with dropout (Srivastava et al., 2014) inside the blocks.
    pub fn forward_train(
        &self,
        indices: &Arc<Vec<u32>>,
        fields: usize,
        share: f64,
        rng: &mut Rng,
    ) -> Tensor<2> {
        let h = self.embed.bag(indices, fields);
        self.norm.forward(self.blocks.iter().fold(h, |h, block| block.forward_train(h, share, rng)))
    }

    /// The same where of each field not a token is known but a distribution over its tokens: `[n, tokens]`.
    pub fn forward_shares(&self, shares: Tensor<2>, dropout: f64, rng: &mut Rng) -> Tensor<2> {
        let h = kernels::linear(shares, self.embed.weight.val(), None);
        self.norm.forward(self.blocks.iter().fold(h, |h, block| block.forward_train(h, dropout, rng)))
    }
}

/// From a latent vector to logits of all fields: `[n, d] → [n, tokens]`.
#[derive(Module, Debug)]
pub struct Decoder {
    input: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Decoder {
    /// From `d` dimensions, through `blocks` residual blocks of `width` numbers.
    pub fn new(
        info: &TableInfo,
        d: usize,
        (width, blocks): (usize, usize),
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        Self {
            input: Linear::new(d, width, 1.0, device, rng),
            blocks: (0..blocks).map(|_| Block::new(width, device, rng)).collect(),
            norm: LayerNorm::new(width, device),
            head: token_head(&info.fields, width, device, rng),
        }
    }

    /// `z [n, d]` → logits of the tokens of all fields, `[n, tokens]`.
    pub fn forward(&self, z: Tensor<2>) -> Tensor<2> {
        let h = self.blocks.iter().fold(self.input.forward(z), |h, block| block.forward(h));
        self.head.forward(self.norm.forward(h))
    }
}

/// Logits of all tokens of some fields; begins with how often each token occurs.
pub fn token_head(fields: &[Field], width: usize, device: &Device, rng: &mut Rng) -> Linear {
    let bias: Vec<f32> = fields.iter().flat_map(|field| log_shares(&field.counts)).collect();
    let total = bias.len();
    let mut head = Linear::new(width, total, 0.0, device, rng);
    let values = || Tensor::from_data(TensorData::new(bias, [total]), device);
    head.bias = Some(parameter([total], device, values));
    head
}

/// Logarithms of the shares of counts, none of them zero.
pub fn log_shares(counts: &[u32]) -> Vec<f32> {
    let total: f32 = counts.iter().map(|&n| n as f32 + 0.1).sum();
    counts.iter().map(|&n| ((n as f32 + 0.1) / total).ln()).collect()
}

/// Places of the tokens among all tokens of all fields; hidden ones become [`NONE`].
pub fn places(tokens: &[u16], starts: &[usize]) -> Vec<u32> {
    let width = starts.len() - 1;
    let place = |(at, &token): (usize, &u16)| match token {
        HIDDEN => NONE,
        token => (starts[at % width] + token as usize) as u32,
    };
    tokens.iter().enumerate().map(place).collect()
}

/// Vectors of neighbouring tokens of an ordinal field begin alike: a few random waves along the field. All
/// others begin as independent normal numbers. Their sum over a row has about unit variance.
pub fn smooth_embedding(
    info: &TableInfo,
    total: usize,
    width: usize,
    device: &Device,
    rng: &mut Rng,
) -> Param<Tensor<2>> {
    parameter([total, width], device, || {
        Tensor::from_data(TensorData::new(smooth_vectors(info, total, width, rng), [total, width]), device)
    })
}

/// `[total, width]`.
fn smooth_vectors(info: &TableInfo, total: usize, width: usize, rng: &mut Rng) -> Vec<f32> {
    const WAVES: usize = 6;
    let std = (1.0 / info.width() as f32).sqrt();
    let mut values = Vec::with_capacity(total * width);
    for field in &info.fields {
        let ordered = if field.ordinal { field.size - field.unordered } else { 0 };
        let amplitudes = rng.normals(WAVES * width);
        for token in 0..field.size {
            if token >= ordered {
                values.extend(rng.normals(width).into_iter().map(|v| v * std));
                continue;
            }
            let at = (token as f32 + 0.5) / ordered as f32 * std::f32::consts::PI;
            values.extend((0..width).map(|column| {
                let wave = |k: usize| amplitudes[k * width + column] * (at * (k + 1) as f32).cos();
                let scale = (2.0 / WAVES as f32).sqrt();
                (0..WAVES).map(wave).sum::<f32>() * scale * std
            }));
        }
    }
    values
}
