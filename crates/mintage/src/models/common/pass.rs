//! Values or derivatives on their way through a network of linear layers and rectifiers.
//!
//! The zero-centred penalties of a GAN are `‖∇ₓD‖²`, and their gradient in the weights is of second order, which
//! the engine does not have. But `D` is piecewise linear: with `v = ∇ₓD` held fixed and all rectifiers as they stand,
//!
//! `∇θ ‖∇ₓD‖² = 2 ∇θ (v · ∇ₓD) = 2 ∇θ D'(x)[v]`,
//!
//! and the derivative `D'(x)[v]` along `v` is the discriminator itself on `v`, without biases: what double
//! backward computes, from one more pass forward and backward.

use std::f64::consts::SQRT_2;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_nn::{
    Rng, kernels,
    layers::{Conv2d, DepthwiseTime, Linear},
};

const SLOPE: f64 = 0.2;

/// Rectifier of a GAN's networks, scaled to keep the variance.
pub fn act<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    kernels::leaky_relu(x, SLOPE, SQRT_2)
}

/// What goes through the layers.
pub enum Pass<'a> {
    /// Values.
    Plain,
    /// Values; what each rectifier was given is kept.
    Record(&'a mut Vec<Tensor<1>>),
    /// Derivatives along a direction, at the point where these were recorded.
    Tangent(std::slice::Iter<'a, Tensor<1>>),
}

impl Pass<'_> {
    /// A convolution of values; of derivatives the same without its bias.
    pub fn conv(&self, layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        if matches!(self, Self::Tangent(_)) { layer.tangent(x) } else { layer.forward(x) }
    }

    /// A linear map of values; of derivatives the same without its bias.
    pub fn linear(&self, layer: &Linear, x: Tensor<2>) -> Tensor<2> {
        if matches!(self, Self::Tangent(_)) { layer.tangent(x) } else { layer.forward(x) }
    }

    /// A depthwise convolution over `time` of values; of derivatives the same without its bias.
    pub fn depthwise(&self, layer: &DepthwiseTime, x: Tensor<2>, time: usize) -> Tensor<2> {
        if matches!(self, Self::Tangent(_)) { layer.tangent(x, time) } else { layer.forward(x, time) }
    }

    /// [`act`] of values, kept where they are recorded; of derivatives the slope at the recorded point.
    pub fn act<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Plain => act(x),
            Self::Record(kinks) => {
                kinks.push(x.clone().inner().flatten(0, D - 1));
                act(x)
            }
            Self::Tangent(kinks) => {
                let at = kinks.next().unwrap_or_else(|| unreachable!("both passes meet the same rectifiers"));
                let at = Tensor::from_inner(at.clone()).reshape(x.dims());
                kernels::leaky_relu_tangent(x, at, SLOPE, SQRT_2)
            }
        }
    }
}

/// `x + conv(act(conv(act(x))))`, the last convolution starting at zero (Zhang et al., arXiv:1901.09321).
#[derive(Module, Debug)]
pub struct PlainBlock {
    conv1: Conv2d,
    /// Starts at zero, so that a fresh block is the identity.
    pub conv2: Conv2d,
}

impl PlainBlock {
    /// A block of `channels` channels that is the identity at first.
    pub fn new(channels: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            conv1: Conv2d::new(channels, channels, 3, 1.0, device, rng),
            conv2: Conv2d::new(channels, channels, 3, 0.0, device, rng),
        }
    }

    /// `[n, channels, h, w]` → the same.
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        let h = pass.act(x.clone());
        let h = pass.conv(&self.conv1, h);
        let h = pass.act(h);
        kernels::add(x, pass.conv(&self.conv2, h))
    }
}

/// The zero-centred penalty at `x`, the mean of `‖∇ₓD‖²` over the scores, with its gradient in the weights of `net`.
/// `scores` is the discriminator with the weights of the network that it is given.
pub fn gradient_penalty<const D: usize, M: Module>(
    net: &M,
    x: Tensor<D>,
    scores: impl Fn(&M, Tensor<D>, &mut Pass) -> Tensor<1>,
) -> Tensor<1> {
    let x = x.detach().require_grad();
    let mut kinks = Vec::new();
    let grads = scores(&net.clone().no_grad(), x.clone(), &mut Pass::Record(&mut kinks)).sum().backward();
    let v = x.grad(&grads).unwrap_or_else(|| x.clone().inner().zeros_like());
    let along = scores(net, Tensor::from_inner(v), &mut Pass::Tangent(kinks.iter())).mean();
    // `D'(x)[v]` is `‖v‖²`: half of twice it is taken back, so that the value is right as well.
    along.clone() * 2.0 - along.detach()
}
