//! Linear, convolution, embedding and the three normalisations.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{Device, Int, Tensor, TensorData},
};

use super::parameter::parameter;
use crate::{Rng, kernels};

/// Normal numbers with standard deviation `std`, as a parameter.
pub(super) fn normal_param<const D: usize>(
    shape: [usize; D],
    std: f32,
    device: &Device,
    rng: &mut Rng,
) -> Param<Tensor<D>> {
    parameter(shape, device, || {
        let values = rng.normals(shape.iter().product()).into_iter().map(|v| v * std).collect::<Vec<_>>();
        Tensor::from_data(TensorData::new(values, shape), device)
    })
}

pub(super) fn constant_param<const D: usize>(
    shape: [usize; D],
    value: f32,
    device: &Device,
) -> Param<Tensor<D>> {
    parameter(shape, device, || Tensor::full(shape, value, device))
}

/// `y = x W + b` on rows: `[n, d_in] → [n, d_out]`.
#[derive(Module, Debug)]
pub struct Linear {
    pub weight: Param<Tensor<2>>,
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// He initialisation scaled by `gain` (1 before a rectifier-like activation is `gain = √2`; 0 gives zeros).
    pub fn new(d_in: usize, d_out: usize, gain: f32, device: &Device, rng: &mut Rng) -> Self {
        let std = gain / (d_in as f32).sqrt();
        Self {
            weight: normal_param([d_in, d_out], std, device, rng),
            bias: Some(constant_param([d_out], 0.0, device)),
        }
    }

    /// The same without a bias.
    pub fn unbiased(d_in: usize, d_out: usize, gain: f32, device: &Device, rng: &mut Rng) -> Self {
        Self { bias: None, ..Self::new(d_in, d_out, gain, device, rng) }
    }

    /// `[n, d_in] → [n, d_out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::linear(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }

    /// How the output moves as the input moves along `t`: the layer without its bias.
    pub fn tangent(&self, t: Tensor<2>) -> Tensor<2> {
        kernels::linear(t, self.weight.val(), None)
    }
}

/// Square convolution with "same" padding for odd kernels: `[n, c_in, h, w] → [n, c_out, h/stride, w/stride]`.
#[derive(Module, Debug)]
pub struct Conv2d {
    pub weight: Param<Tensor<4>>,
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
}

impl Conv2d {
    /// He initialisation scaled by `gain`; 0 gives zeros (a residual branch that starts silent).
    pub fn new(c_in: usize, c_out: usize, kernel: usize, gain: f32, device: &Device, rng: &mut Rng) -> Self {
        let std = gain / ((c_in * kernel * kernel) as f32).sqrt();
        Self {
            weight: normal_param([c_out, c_in, kernel, kernel], std, device, rng),
            bias: Some(constant_param([c_out], 0.0, device)),
            stride: 1,
            padding: kernel / 2,
        }
    }

    /// The same with stride 2 and a 4×4 kernel: halves an even height and width exactly.
    pub fn halving(c_in: usize, c_out: usize, gain: f32, device: &Device, rng: &mut Rng) -> Self {
        let mut conv = Self::new(c_in, c_out, 4, gain, device, rng);
        (conv.stride, conv.padding) = (2, 1);
        conv
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        kernels::conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.stride, self.padding)
    }

    /// How the output moves as the input moves along `t`: the layer without its bias.
    pub fn tangent(&self, t: Tensor<4>) -> Tensor<4> {
        kernels::conv2d(t, self.weight.val(), None, self.stride, self.padding)
    }
}

/// Group normalisation with gain and bias.
#[derive(Module, Debug)]
pub struct GroupNorm {
    pub gain: Param<Tensor<1>>,
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
}

impl GroupNorm {
    /// Groups of at least 8 channels, at most 16 groups; every count of channels works.
    pub fn new(channels: usize, device: &Device) -> Self {
        let groups =
            (1..=16.min(channels / 8).max(1)).rev().find(|g| channels.is_multiple_of(*g)).unwrap_or(1);
        Self {
            gain: constant_param([channels], 1.0, device),
            bias: constant_param([channels], 0.0, device),
            groups,
        }
    }

    /// `[n, c, h, w]`, normalised.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        kernels::group_norm(x, self.gain.val(), self.bias.val(), self.groups, 1e-5)
    }

    /// Normalised, then SiLU, in one pass.
    pub fn forward_silu(&self, x: Tensor<4>) -> Tensor<4> {
        kernels::group_norm_silu(x, self.gain.val(), self.bias.val(), self.groups, 1e-5)
    }
}

/// Layer normalisation of rows `[n, d]`.
#[derive(Module, Debug)]
pub struct LayerNorm {
    pub gain: Param<Tensor<1>>,
    pub bias: Param<Tensor<1>>,
}

impl LayerNorm {
    pub fn new(d: usize, device: &Device) -> Self {
        Self { gain: constant_param([d], 1.0, device), bias: constant_param([d], 0.0, device) }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::layer_norm(x, self.gain.val(), self.bias.val(), 1e-5)
    }
}

/// Normalisation of rows `[n, d]` by their root mean square.
#[derive(Module, Debug)]
pub struct RmsNorm {
    pub gain: Param<Tensor<1>>,
}

impl RmsNorm {
    pub fn new(d: usize, device: &Device) -> Self {
        Self { gain: constant_param([d], 1.0, device) }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::rms_norm(x, self.gain.val(), 1e-6)
    }
}

/// A table of vectors: indices `[n] → [n, d]`.
#[derive(Module, Debug)]
pub struct Embedding {
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    pub fn new(count: usize, d: usize, std: f32, device: &Device, rng: &mut Rng) -> Self {
        Self { weight: normal_param([count, d], std, device, rng) }
    }

    /// A table of zeros.
    pub fn zeros(count: usize, d: usize, device: &Device) -> Self {
        Self { weight: constant_param([count, d], 0.0, device) }
    }

    pub fn forward(&self, indices: Tensor<1, Int>) -> Tensor<2> {
        self.weight.val().select(0, indices)
    }

    /// The sum of several vectors a row: `fields` indices a row, each an entry or [`NONE`](kernels::NONE)
    /// → `[n, d]`.
    pub fn bag(&self, indices: &Arc<Vec<u32>>, fields: usize) -> Tensor<2> {
        kernels::embedding_bag(self.weight.val(), indices, fields)
    }
}
