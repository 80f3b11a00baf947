//! Blocks over time, on rows `[n · time, width]`: products of matrices do nearly all of the work.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor},
};

use super::basic::{LayerNorm, Linear, constant_param, normal_param};
use crate::{Rng, kernels};

/// Places that a block sees: itself and three on either side.
const TAPS: usize = 7;

/// Each channel with a filter of its own over time, on rows `[n · time, width]`.
#[derive(Module, Debug)]
pub struct DepthwiseTime {
    pub taps: Param<Tensor<2>>,
    pub bias: Param<Tensor<1>>,
}

impl DepthwiseTime {
    pub fn new(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            taps: normal_param([TAPS, width], (TAPS as f32).sqrt().recip(), device, rng),
            bias: constant_param([width], 0.0, device),
        }
    }

    /// `[n · time, width]` → the same.
    pub fn forward(&self, x: Tensor<2>, time: usize) -> Tensor<2> {
        kernels::depthwise_time(x, self.taps.val(), self.bias.val(), time)
    }

    /// How the output moves as the input moves along `t`: the layer without its bias.
    pub fn tangent(&self, t: Tensor<2>, time: usize) -> Tensor<2> {
        let none = self.bias.val().detach().zeros_like();
        kernels::depthwise_time(t, self.taps.val(), none, time)
    }
}

/// A ConvNeXt block over time, as in Vocos (Siuzdak, arXiv:2306.00814):
/// `x + W₂ gelu(W₁ norm(depthwise(x)))`, `W₁` four times as wide.
#[derive(Module, Debug)]
pub struct TimeBlock {
    pub taps: Param<Tensor<2>>,
    pub bias: Param<Tensor<1>>,
    pub norm: LayerNorm,
    pub up: Linear,
    pub down: Linear,
    /// Taps on what comes later, which are 0.
    #[module(skip)]
    blind: usize,
}

impl TimeBlock {
    /// A block that begins silent: what goes in comes out.
    pub fn new(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self::with_taps(TAPS, width, device, rng)
    }

    /// The same, seeing itself and the three places before it alone.
    pub fn causal(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self::with_taps(TAPS / 2 + 1, width, device, rng)
    }

    fn with_taps(taps: usize, width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            taps: normal_param([taps, width], (taps as f32).sqrt().recip(), device, rng),
            blind: TAPS - taps,
            bias: constant_param([width], 0.0, device),
            norm: LayerNorm::new(width, device),
            up: Linear::new(width, 4 * width, 1.0, device, rng),
            down: Linear::new(4 * width, width, 0.0, device, rng),
        }
    }

    /// `[n · time, width]` → the same.
    pub fn forward(&self, x: Tensor<2>, time: usize) -> Tensor<2> {
        let mut taps = self.taps.val();
        if self.blind > 0 {
            let later = Tensor::zeros([self.blind, taps.dims()[1]], &taps.device());
            taps = Tensor::cat(vec![taps, later], 0);
        }
        let h = kernels::depthwise_time(x.clone(), taps, self.bias.val(), time);
        let h = kernels::gelu(self.up.forward(self.norm.forward(h)));
        kernels::add(x, self.down.forward(h))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::to_vec;

    #[test]
    fn the_tangent_is_the_difference_of_two_outputs() {
        let (device, mut rng) = (Device::flex(), Rng::new(2, 0));
        let mut layer = DepthwiseTime::new(3, &device, &mut rng);
        layer.bias = constant_param([3], 0.7, &device);
        let [x, t] = [(); 2].map(|()| rng.normal_tensor([2 * 5, 3], &device));
        let moved = layer.forward(x.clone() + t.clone(), 5) - layer.forward(x, 5);
        let tangent = to_vec(&layer.tangent(t, 5));
        assert!(to_vec(&moved).iter().zip(&tangent).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    /// Rows of two sequences of ten that change with place 8 of the first.
    fn seen(mut block: TimeBlock, device: &Device, rng: &mut Rng) -> Vec<usize> {
        block.down = Linear::new(32, 8, 1.0, device, rng);
        let x = rng.normals(2 * 10 * 8);
        let forward = |x: &[f32]| {
            let rows = Tensor::<1>::from_floats(x, device).reshape([20, 8]);
            to_vec(&block.forward(rows, 10))
        };
        let (mut moved, y) = (x.clone(), forward(&x));
        moved[8 * 8] += 1.0; // place 8 of the first sequence
        let z = forward(&moved);
        let differs = |row: usize| y[row * 8..][..8] != z[row * 8..][..8];
        (0..20).filter(|&row| differs(row)).collect()
    }

    #[test]
    fn a_block_sees_three_places_around_itself_and_no_other_sequence() {
        let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
        let block = TimeBlock::new(8, &device, &mut rng);
        assert_eq!(seen(block, &device, &mut rng), [5, 6, 7, 8, 9]);
        let block = TimeBlock::causal(8, &device, &mut rng);
        assert_eq!(seen(block, &device, &mut rng), [8, 9]);
    }
}
