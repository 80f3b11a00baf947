//! Gaussians with a diagonal covariance, as the encoders of variational autoencoders give them (Kingma & Welling,
//! arXiv:1312.6114): a mean and a log-variance, `[n, d]` each.

use burn::tensor::Tensor;
use mintage_nn::Rng;

/// `μ + σ ε`, with `ε ~ N(0, I)`.
pub fn reparametrise(mu: &Tensor<2>, logvar: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
    let eps = rng.normal_tensor(mu.dims(), &mu.device());
    mu.clone() + (logvar.clone() * 0.5).exp() * eps
}

/// `KL(N(μ, σ²) ‖ N(0, 1))` of each dimension, nats: `[n, d]`.
pub fn divergence(mu: Tensor<2>, logvar: Tensor<2>) -> Tensor<2> {
    (mu.powi_scalar(2) + logvar.clone().exp() - logvar - 1.0) * 0.5
}
