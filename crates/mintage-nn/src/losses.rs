//! Log-likelihoods and divergences used by more than one model. All in nats, one value a row.

use burn::tensor::Tensor;

/// `log N(x; mean, exp(logvar))` summed over each row: all `[n, d] → [n]`.
pub fn gaussian_log_prob(x: Tensor<2>, mean: Tensor<2>, logvar: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    let square = (x - mean).powi_scalar(2) / logvar.clone().exp();
    ((square + logvar + LN_2PI) * -0.5).sum_dim(1).reshape([n])
}

/// `log N(x; 0, I)` summed over each row.
pub fn standard_normal_log_prob(x: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    ((x.powi_scalar(2) + LN_2PI) * -0.5).sum_dim(1).reshape([n])
}

/// `log Σ exp(x)` over each row: `[n, k] → [n]`.
pub fn log_sum_exp(x: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    let max = x.clone().max_dim(1).detach();
    ((x - max.clone()).exp().sum_dim(1).log() + max).reshape([n])
}

/// `log(2π)`.
pub const LN_2PI: f64 = 1.837_877_066_409_345_3;
