//! Log-likelihoods and divergences used by more than one model. All in nats, one value a row.

use burn::tensor::{Tensor, activation};

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

/// Discretised logistic (Salimans et al., arXiv:1701.05517, one component): `−log P(pixel)` of the
/// 256 levels, summed over each row. `x` and `mean` in [−1, 1], `log_scale` of the same shape.
pub fn discretised_logistic_nll(x: Tensor<2>, mean: Tensor<2>, log_scale: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    let log_scale = log_scale.clamp_min(-7.0);
    let inv = log_scale.clone().neg().exp();
    let centred = x.clone() - mean;
    let upper = (centred.clone() + 1.0 / 255.0) * inv.clone();
    let lower = (centred.clone() - 1.0 / 255.0) * inv.clone();
    // P = σ(upper) − σ(lower), with the tails of the first and the last level.
    let inside =
        (activation::sigmoid(upper.clone()) - activation::sigmoid(lower.clone())).clamp_min(1e-12).log();
    let mid = centred * inv;
    let density = mid.clone() - log_scale - activation::softplus(mid, 1.0) * 2.0 - (127.5f64).ln();
    let wide = inside.clone().greater_elem(-11.0);
    let log_p = density.mask_where(wide, inside);
    let first = x.clone().lower_elem(-0.999);
    let last = x.greater_elem(0.999);
    let log_p = log_p.mask_where(first, activation::log_sigmoid(upper));
    let log_p = log_p.mask_where(last, activation::log_sigmoid(lower.neg()));
    log_p.neg().sum_dim(1).reshape([n])
}

/// `log Σ exp(x)` over each row: `[n, k] → [n]`.
pub fn log_sum_exp(x: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    let max = x.clone().max_dim(1).detach();
    ((x - max.clone()).exp().sum_dim(1).log() + max).reshape([n])
}

/// `log(2π)`.
pub const LN_2PI: f64 = 1.837_877_066_409_345_3;
