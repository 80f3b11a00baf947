//! The residual block shared by the image models, and the embedding of a scalar.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};

use super::{Conv2d, GroupNorm, Linear};
use crate::{Rng, kernels};

/// Pre-activation residual block: norm → SiLU → conv → (+ condition) → norm → SiLU → conv, added to
/// the input (He et al., arXiv:1603.05027; group norm and SiLU as in Ho et al., arXiv:2006.11239).
/// The last convolution starts at zero, so that a fresh block is the identity.
#[derive(Module, Debug)]
pub struct ResBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    condition: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    skip: Option<Conv2d>,
}

impl ResBlock {
    /// `c_in → c_out` channels at the same size; `d_cond` is the width of the condition, 0 for none.
    pub fn new(c_in: usize, c_out: usize, d_cond: usize, device: &Device, rng: &mut Rng) -> Self {
        let gain = std::f32::consts::SQRT_2;
        Self {
            norm1: GroupNorm::new(c_in, device),
            conv1: Conv2d::new(c_in, c_out, 3, gain, device, rng),
            condition: (d_cond > 0).then(|| Linear::new(d_cond, c_out, 1.0, device, rng)),
            norm2: GroupNorm::new(c_out, device),
            conv2: Conv2d::new(c_out, c_out, 3, 0.0, device, rng),
            skip: (c_in != c_out).then(|| Conv2d::new(c_in, c_out, 1, 1.0, device, rng)),
        }
    }

    /// `x [n, c_in, h, w]`, `cond [n, d_cond]` → `[n, c_out, h, w]`.
    pub fn forward(&self, x: Tensor<4>, cond: Option<&Tensor<2>>) -> Tensor<4> {
        let mut h = self.conv1.forward(self.norm1.forward_silu(x.clone()));
        if let (Some(linear), Some(cond)) = (&self.condition, cond) {
            h = kernels::add_to_planes(h, linear.forward(cond.clone()));
        }
        let h = self.conv2.forward(self.norm2.forward_silu(h));
        match &self.skip {
            Some(skip) => kernels::add(skip.forward(x), h),
            None => kernels::add(x, h),
        }
    }
}

/// Sinusoidal features of a scalar (Vaswani et al., arXiv:1706.03762): `[n] → [n, d]`, periods from
/// 2π to 2π·10⁴ over `scale · t`.
pub fn sinusoidal(t: &[f32], d: usize, scale: f32, device: &Device) -> Tensor<2> {
    let half = d / 2;
    let mut values = Vec::with_capacity(t.len() * d);
    for &t in t {
        let angle = |i: usize| scale * t * (-(10_000f32.ln()) * i as f32 / half as f32).exp();
        values.extend((0..half).map(|i| angle(i).cos()));
        values.extend((0..half).map(|i| angle(i).sin()));
        values.resize(values.len().next_multiple_of(d), 0.0);
    }
    Tensor::from_data(TensorData::new(values, [t.len(), d]), device)
}
