//! What comes behind given frames, as its mean: convolutions over the frames as channels (SimVP, Gao et al.,
//! arXiv:2206.05099; squares of pixels stand for its encoder and decoder).
//!
//! `L = ‖x_{k+1..k+m} − f(x_{1..k})‖²`
//!
//! so that `f` is the mean of all that may come: sharp where that is certain, a blur where it is not.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::ImageShape;
use mintage_nn::{
    Rng, kernels,
    layers::{Conv2d, GroupNorm, ResBlock},
};

use super::net::Trunk;

/// Longest side of the maps it works on.
const MAX_MAP_SIDE: usize = 16;

/// See the module.
#[derive(Module, Debug)]
pub struct Forecaster {
    input: Conv2d,
    blocks: Vec<ResBlock>,
    norm: GroupNorm,
    output: Conv2d,
    #[module(skip)]
    trunk: Trunk,
    /// Frames that it is given, and frames that it returns.
    #[module(skip)]
    known: usize,
    #[module(skip)]
    new: usize,
}

impl Forecaster {
    /// Of windows of `frames` frames, two or more, the first half of which are given.
    pub fn new(
        shape: ImageShape,
        frames: usize,
        width: usize,
        layers: usize,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let trunk = Trunk::flat(shape, width, layers, MAX_MAP_SIDE);
        let known = frames / 2;
        let new = frames - known;
        Self {
            input: Conv2d::new(known * trunk.patch(), width, 3, 1.0, device, rng),
            blocks: (0..layers).map(|_| ResBlock::new(width, width, 0, device, rng)).collect(),
            norm: GroupNorm::new(width, device),
            output: Conv2d::new(width, new * trunk.patch(), 3, 0.0, device, rng),
            trunk,
            known,
            new,
        }
    }

    /// Whether a name is that of a matrix between hidden layers.
    pub fn is_hidden(name: &str) -> bool {
        name.starts_with("blocks.") && name.ends_with(".weight")
    }

    /// Frames that it must be given.
    pub fn known(&self) -> usize {
        self.known
    }

    /// Frames `image_model [n · known, channels, height, width]` → the ones that follow, `[n · new, channels,
    /// height, width]`, unbounded.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        // From 0 for black on: what lies beyond the border is zero as well.
        let patches = self.trunk.folded((x + 1.0) / 2.0);
        let [all, patch, height, width] = patches.dims();
        let n = all / self.known;
        let x = self.input.forward(patches.reshape([n, self.known * patch, height, width]));
        let h = self.blocks.iter().fold(x, |h, block| block.forward(h, None));
        let out = self.output.forward(self.norm.forward_silu(h));
        self.trunk.unfolded(out.reshape([n * self.new, patch, height, width])) * 2.0 - 1.0
    }

    /// The mean squared error over frames `image_model` of whole windows, in units of [0, 1].
    pub fn loss(&self, frames: Tensor<4>) -> Tensor<1> {
        let [all, channels, height, width] = frames.dims();
        let n = all / (self.known + self.new);
        let clips = frames.reshape([n, self.known + self.new, channels * height, width]);
        let part = |from: usize, count: usize| {
            clips.clone().narrow(1, from, count).reshape([n * count, channels, height, width])
        };
        let made = self.forward(part(0, self.known));
        kernels::mean_squared_error(made, part(self.known, self.new)) / 4.0
    }

    /// One clip's frames `image_model [known or more, …]` and what follows them, `frames` in all: forecast
    /// after forecast, each from the last frames so far.
    pub fn continued(&self, given: Tensor<4>, frames: usize) -> Tensor<4> {
        let mut clip = given;
        while clip.dims()[0] < frames {
            let last = clip.clone().narrow(0, clip.dims()[0] - self.known, self.known);
            clip = Tensor::cat(vec![clip, self.forward(last).clamp(-1.0, 1.0)], 0);
        }
        clip.narrow(0, 0, frames)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_nn::{AdamW, Trainable};

    use super::*;
    use crate::models::video::{
        net::to_frames,
        test_support::{tiny_batch, tiny_info},
    };

    #[test]
    fn learns_what_comes_next_and_goes_on_for_as_long_as_asked() {
        let (info, batch, device) = (tiny_info(), tiny_batch(), Device::flex());
        let on = device.clone().autodiff();
        let mut rng = Rng::new(1, 0);
        let net = Forecaster::new(info.shape, info.frames, 16, 2, &on, &mut rng);
        assert_eq!(net.known(), 2);
        let mut train = Trainable::with_muon(net, AdamW::default(), Forecaster::is_hidden);
        let x = to_frames(&batch.pixels, info.shape, info.frames, &on);
        let mut losses = Vec::new();
        for _ in 0..120 {
            losses.push(train.update(train.net().loss(x.clone()), 5e-3).unwrap().0);
        }
        assert!(losses[119] < 0.05 * losses[0], "{} {}", losses[0], losses[119]);
        let clip = to_frames(&batch.pixels, info.shape, info.frames, &device).narrow(0, 0, 4);
        let net = train.averaged();
        let given = clip.clone().narrow(0, 0, 2);
        let made = net.continued(given.clone(), 4);
        let off = kernels::mean_squared_error(made, clip).into_scalar::<f32>();
        assert!(off < 0.02, "{off}");
        for frames in [1, 2, 3, 9] {
            let made = net.continued(given.clone(), frames);
            assert_eq!(made.dims(), [frames, 3, 12, 12]);
        }
    }
}
