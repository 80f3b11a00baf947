//! What autoencoders of images and clips are trained by.

use burn::tensor::Tensor;
use mintage_nn::kernels;

/// What a decoder has missed.
pub struct Missed {
    /// Mean squared error in [0, 1].
    pub mse: Tensor<1>,
    /// What it is trained by: the squares hardly see small errors, and leave a grain on even ground; so the mean absolute
    /// error is there beside them.
    pub loss: Tensor<1>,
}

impl Missed {
    /// Of `made` in place of `image_model`.
    pub fn of(made: Tensor<4>, image_model: Tensor<4>) -> Self {
        let absolute = (made.clone() - image_model.clone()).abs().mean() / 2.0;
        let mse = kernels::mean_squared_error(made, image_model) / 4.0;
        Self { loss: mse.clone() * 20.0 + absolute * 2.0, mse }
    }
}
