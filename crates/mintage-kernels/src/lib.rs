//! Operations that are worth fusing, each behind one plain function.
//!
//! On the CPU (`flex`) a function runs a hand-written kernel with its own backward pass; on every other
//! device it is the composite of ordinary tensor operations written here. Both are checked against
//! each other and against finite differences. Reductions run in a fixed order: the same number of
//! threads gives the same bytes. Image arrays are `[batch, channels, height, width]`.
//!
//! This crate knows tensors only: no layers, no modules, no random numbers. All `unsafe` code of the arithmetic
//! is here; each file that has any says why at its top.
//!
//! `benches/kernels.rs` measures all of them beside the machine's limits. The shares in the heads of the files are from
//! two cores of a Xeon with AVX-512 (345 GFLOP/s by multiply-adds on registers, 7 billion values a second copied by one
//! core).

mod add;
mod attention;
mod composite;
mod conv;
mod conv_layout;
mod conv_micro;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod conv_tiles;
mod decode;
mod depthwise;
mod fields;
mod flex;
mod gated;
pub mod limit;
mod logistic;
mod loss;
mod math;
mod memory;
mod mix;
mod mixture;
mod muon;
mod norm;
mod pointwise;
mod product;
mod product_micro;
mod rearrange;
mod resample;
mod rotary;
mod simd;
mod stft;
#[cfg(test)]
mod testing;
mod tiles;
mod update;
mod winograd;
mod winograd_micro;

use std::sync::Arc;

use burn::tensor::{Int, Tensor};

pub use decode::{KvLayer, attend_next};
pub use fields::NONE;
pub use mixture::{add_responsibilities, responsibilities};
pub use tiles::{is_fast, with_fast_products};
pub use update::{Slot, UpdateScalars};

/// The values of a tensor of any device, row-major.
pub fn to_vec<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default()
}

/// [`to_vec`] of a tensor that is used no more: nothing is copied where its values are its own.
pub fn into_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default()
}

/// Convolution: `x [n, c_in, h, w]`, `weight [c_out, c_in, k, k]`, `bias [c_out]` → `[n, c_out, h', w']`
/// with `h' = (h + 2·padding − k) / stride + 1`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    let op = conv::Conv { stride, padding };
    if !flex::supported(&x) || !op.fits(x.dims(), weight.dims()) {
        return composite::conv2d(x, weight, bias, stride, padding);
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([weight.dims()[0]], &x.device()));
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if let Some(op) = conv_tiles::TiledConv::of(op, x.dims(), weight.dims()) {
        return flex::run(op, [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()]);
    }
    let winograd = winograd::Winograd::of(op, x.dims(), weight.dims());
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    match winograd {
        Some(op) => flex::run(op, inputs),
        None => flex::run(op, inputs),
    }
}

/// `x [n, d_in] · weight [d_in, d_out] + bias [d_out]`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if !flex::supported(&x) || !flex::supported(&weight) {
        return composite::linear(x, weight, bias);
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([weight.dims()[1]], &x.device()));
    flex::run(product::Linear, [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()])
}

/// Depthwise convolution over time: `x [n · time, c]`, `weight [k, c]` with odd `k`, bias `[c]` → `[n · time, c]`; what lies
/// outside of a sequence counts as 0.
pub fn depthwise_time(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, time: usize) -> Tensor<2> {
    if !flex::supported(&x) {
        return composite::depthwise_time(x, weight, bias, time);
    }
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    flex::run(depthwise::Depthwise { time }, inputs)
}

/// Group normalisation (Wu & He, arXiv:1803.08494) over `[n, c, h, w]` with gain and bias `[c]`.
pub fn group_norm(x: Tensor<4>, gain: Tensor<1>, bias: Tensor<1>, groups: usize, eps: f64) -> Tensor<4> {
    if !flex::supported(&x) {
        return composite::group_norm(x, gain, bias, groups, eps);
    }
    let op = norm::GroupNorm { groups, eps: eps as f32, silu: false };
    flex::run(op, [x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch()])
}

/// [`group_norm`] followed by [`silu`], in one pass.
pub fn group_norm_silu(x: Tensor<4>, gain: Tensor<1>, bias: Tensor<1>, groups: usize, eps: f64) -> Tensor<4> {
    if !flex::supported(&x) {
        return composite::group_norm_silu(x, gain, bias, groups, eps);
    }
    let op = norm::GroupNorm { groups, eps: eps as f32, silu: true };
    flex::run(op, [x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch()])
}

/// Layer normalisation of rows: `x [n, d]`, gain and bias `[d]`.
pub fn layer_norm(x: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<2> {
    if !flex::supported(&x) {
        return composite::layer_norm(x, gain, bias, eps);
    }
    let op = norm::LayerNorm { eps: eps as f32 };
    flex::run(op, [x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch()])
}

/// `x · sigmoid(x)`.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !flex::supported(&x) {
        return composite::silu(x);
    }
    flex::run(pointwise::Pointwise::Silu, [x.into_dispatch()])
}

/// Gaussian error linear unit, exact (erf) form.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !flex::supported(&x) {
        return composite::gelu(x);
    }
    flex::run(pointwise::Pointwise::Gelu, [x.into_dispatch()])
}

/// Hyperbolic tangent.
pub fn tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !flex::supported(&x) {
        return composite::tanh(x);
    }
    flex::run(pointwise::Pointwise::Tanh, [x.into_dispatch()])
}

/// `gain · max(x, slope · x)`; the plain rectifier with slope 0 and gain 1.
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64, gain: f64) -> Tensor<D> {
    if !flex::supported(&x) {
        return composite::leaky_relu(x, slope, gain);
    }
    let op = pointwise::Pointwise::LeakyRelu { slope: slope as f32, gain: gain as f32 };
    flex::run(op, [x.into_dispatch()])
}

/// The derivative of [`leaky_relu`] at `at`, times `t`: how its output moves as its input moves along `t`.
/// `at` has no gradient: the derivative is constant on either side of zero.
pub fn leaky_relu_tangent<const D: usize>(t: Tensor<D>, at: Tensor<D>, slope: f64, gain: f64) -> Tensor<D> {
    if !flex::supported(&t) || !flex::supported(&at) {
        return composite::leaky_relu_tangent(t, at, slope, gain);
    }
    let op = pointwise::Pointwise::LeakyRelu { slope: slope as f32, gain: gain as f32 };
    flex::run(pointwise::Tangent(op), [t.into_dispatch(), at.into_dispatch()])
}

/// Scaled dot-product self-attention on rows `[batch · time, 3 · width]` that hold query, key and value side by side,
/// each with its `heads` → `[batch · time, width]`; `causal` lets position `t` see positions `≤ t` only.
pub fn self_attention(qkv: Tensor<2>, batch: usize, heads: usize, causal: bool) -> Tensor<2> {
    if !flex::supported(&qkv) {
        return composite::self_attention(qkv, batch, heads, causal);
    }
    flex::run(attention::SelfAttention { batch, heads, causal }, [qkv.into_dispatch()])
}

/// Queries and keys in rows `[batch · time, 3 · width]`, normalised head by head and turned by their position
/// (rotary embedding, arXiv:2104.09864); each sequence has `time` rows, the first of them at position `first`. The width
/// of a head is even.
pub fn rotate_heads(qkv: Tensor<2>, time: usize, heads: usize, first: usize) -> Tensor<2> {
    if !flex::supported(&qkv) {
        return composite::rotate_heads(qkv, time, heads, first);
    }
    flex::run(rotary::Rotary { time, heads, first }, [qkv.into_dispatch()])
}

/// Gated linear unit with SiLU (arXiv:2002.05202): `[n, 2 h] → [n, h]`, the first half through [`silu`] times the
/// second.
pub fn swiglu(x: Tensor<2>) -> Tensor<2> {
    if !flex::supported(&x) {
        return composite::swiglu(x);
    }
    flex::run(gated::Gate, [x.into_dispatch()])
}

/// Normalisation of rows by their root mean square (arXiv:1910.07467): `x [n, d]`, gain `[d]`.
pub fn rms_norm(x: Tensor<2>, gain: Tensor<1>, eps: f64) -> Tensor<2> {
    if !flex::supported(&x) {
        return composite::rms_norm(x, gain, eps);
    }
    flex::run(gated::RmsNorm { eps: eps as f32 }, [x.into_dispatch(), gain.into_dispatch()])
}

/// `w₁ x + w₂ y + w₃ z` of three terms `[n, d]`, with the weights `w [3]`.
pub fn weighted_sum(terms: [Tensor<2>; 3], weights: Tensor<1>) -> Tensor<2> {
    if !terms.iter().all(flex::supported) || !flex::supported(&weights) {
        return composite::weighted_sum(terms, weights);
    }
    let [x, y, z] = terms.map(|term| term.into_dispatch());
    flex::run(mix::WeightedSum, [x, y, z, weights.into_dispatch()])
}

/// Rows `qkv [n, 3 · width]` of [`self_attention`] whose values have `extra [n, width]` added, times the gate of each
/// head: `gates [heads]`.
pub fn add_to_values(qkv: Tensor<2>, extra: Tensor<2>, gates: Tensor<1>) -> Tensor<2> {
    if ![&qkv, &extra].into_iter().all(flex::supported) || !flex::supported(&gates) {
        return composite::add_to_values(qkv, extra, gates);
    }
    flex::run(mix::AddToValues, [qkv.into_dispatch(), extra.into_dispatch(), gates.into_dispatch()])
}

/// Sets a `share` in [0, 1) of the values to zero and scales the others up; which ones follows from `seed`.
pub fn dropout<const D: usize>(x: Tensor<D>, share: f64, seed: u32) -> Tensor<D> {
    if share <= 0.0 {
        return x;
    }
    if !flex::supported(&x) {
        return composite::dropout(x, share, seed);
    }
    flex::run(gated::Dropout { share: share as f32, seed }, [x.into_dispatch()])
}

/// Negative log-likelihood of `targets [n]` under `logits [n, classes]`, one value a row (nats).
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    if !flex::supported(&logits) {
        return composite::cross_entropy(logits, targets);
    }
    let targets = targets.into_data().iter::<i64>().map(|target| target as usize).collect();
    flex::run(loss::CrossEntropy { targets: Arc::new(targets) }, [logits.into_dispatch()])
}

/// The sum of several rows of a table (PyTorch's `EmbeddingBag`): `weight [entries, d]` and `fields` indices a
/// row → `[n, d]`. An index may be [`NONE`].
pub fn embedding_bag(weight: Tensor<2>, indices: &Arc<Vec<u32>>, fields: usize) -> Tensor<2> {
    if !flex::supported(&weight) || indices.is_empty() {
        return composite::embedding_bag(weight, indices, fields);
    }
    let op = fields::EmbeddingBag { indices: Arc::clone(indices), fields };
    flex::run(op, [weight.into_dispatch()])
}

/// Negative log-likelihood of one class a field, each field with its range `starts[f]..starts[f + 1]` of the
/// logits, weighted and summed over each row: `logits [n, total]`, targets and weights `n × fields` → `[n]`
/// (nats). A target may be [`NONE`].
pub fn fields_cross_entropy(
    logits: Tensor<2>,
    starts: &Arc<Vec<usize>>,
    targets: &Arc<Vec<u32>>,
    weights: &Arc<Vec<f32>>,
) -> Tensor<1> {
    if !flex::supported(&logits) {
        return composite::fields_cross_entropy(logits, starts, targets, weights);
    }
    let op = fields::FieldsCrossEntropy {
        starts: Arc::clone(starts),
        targets: Arc::clone(targets),
        weights: Arc::clone(weights),
    };
    flex::run(op, [logits.into_dispatch()])
}

/// Softmax of each field's logits, each with its range `starts[f]..starts[f + 1]`: `[n, total] → [n, total]`.
pub fn fields_softmax(logits: Tensor<2>, starts: &Arc<Vec<usize>>) -> Tensor<2> {
    if !flex::supported(&logits) {
        return composite::fields_softmax(logits, starts);
    }
    flex::run(fields::FieldsSoftmax { starts: Arc::clone(starts) }, [logits.into_dispatch()])
}

/// The mean of `(x − y)²` over all values: `[1]`.
pub fn mean_squared_error<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<1> {
    if !flex::supported(&x) || !flex::supported(&y) || x.dims() != y.dims() {
        return composite::mean_squared_error(x, y);
    }
    flex::run(loss::MeanSquaredError, [x.into_dispatch(), y.into_dispatch()])
}

/// `−log p(targets | logits)` of independent Bernoullis, summed over each row: `[n, d] → [n]` (nats).
/// `targets` in [0, 1].
pub fn bernoulli_nll(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    if !flex::supported(&logits) || !flex::supported(&targets) {
        return composite::bernoulli_nll(logits, targets);
    }
    flex::run(loss::BernoulliNll, [logits.into_dispatch(), targets.into_dispatch()])
}

/// Discretised logistic (Salimans et al., arXiv:1701.05517, one component): `−log P` of one of the 256 levels
/// between −1 and 1, summed over each row: `x`, `mean` and `log_scale` `[n, d] → [n]` (nats). The log-scale is
/// taken as at least −7.
pub fn discretised_logistic_nll(x: Tensor<2>, mean: Tensor<2>, log_scale: Tensor<2>) -> Tensor<1> {
    if ![&x, &mean, &log_scale].into_iter().all(flex::supported) {
        return composite::discretised_logistic_nll(x, mean, log_scale);
    }
    let inputs = [x.into_dispatch(), mean.into_dispatch(), log_scale.into_dispatch()];
    flex::run(logistic::DiscretisedLogistic, inputs)
}

/// Nearest-neighbour doubling: `[n, c, h, w] → [n, c, 2h, 2w]`.
pub fn upsample2(x: Tensor<4>) -> Tensor<4> {
    if !flex::supported(&x) {
        return composite::upsample2(x);
    }
    flex::run(resample::Resample::Double, [x.into_dispatch()])
}

/// Mean over 2×2 squares: `[n, c, h, w] → [n, c, h/2, w/2]`; `h` and `w` even.
pub fn downsample2(x: Tensor<4>) -> Tensor<4> {
    if !flex::supported(&x) {
        return composite::downsample2(x);
    }
    flex::run(resample::Resample::Halve, [x.into_dispatch()])
}

/// `x + y` of one shape.
pub fn add<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    if !flex::supported(&x) || !flex::supported(&y) || x.dims() != y.dims() {
        return x + y;
    }
    flex::run(add::Add, [x.into_dispatch(), y.into_dispatch()])
}

/// `x [n, c, h, w] + y [n, c]`, one value a plane.
pub fn add_to_planes(x: Tensor<4>, y: Tensor<2>) -> Tensor<4> {
    if !flex::supported(&x) || !flex::supported(&y) {
        let [n, c] = y.dims();
        return x + y.reshape([n, c, 1, 1]);
    }
    flex::run(add::AddToPlanes, [x.into_dispatch(), y.into_dispatch()])
}

/// `[n, 4c, h, w] → [n, c, 2h, 2w]` (Shi et al., arXiv:1609.05158).
pub fn pixel_shuffle2(x: Tensor<4>) -> Tensor<4> {
    if !flex::supported(&x) {
        return composite::pixel_shuffle2(x);
    }
    flex::run(rearrange::Rearrange::Shuffle, [x.into_dispatch()])
}

/// Undoes [`pixel_shuffle2`]: `[n, c, 2h, 2w] → [n, 4c, h, w]`.
pub fn pixel_unshuffle2(x: Tensor<4>) -> Tensor<4> {
    if !flex::supported(&x) {
        return composite::pixel_unshuffle2(x);
    }
    flex::run(rearrange::Rearrange::Unshuffle, [x.into_dispatch()])
}

/// The pixels as rows: `[n, c, h, w] → [n · h · w, c]`.
pub fn pixel_rows(x: Tensor<4>) -> Tensor<2> {
    if !flex::supported(&x) {
        return composite::pixel_rows(x);
    }
    let [_, _, h, w] = x.dims();
    flex::run(rearrange::Rearrange::Rows { h, w }, [x.into_dispatch()])
}

/// Undoes [`pixel_rows`].
pub fn row_pixels(rows: Tensor<2>, h: usize, w: usize) -> Tensor<4> {
    if !flex::supported(&rows) {
        return composite::row_pixels(rows, h, w);
    }
    flex::run(rearrange::Rearrange::Planes { h, w }, [rows.into_dispatch()])
}

/// Short-time Fourier transform of real signals: `x [batch, time]` → `[batch, frames, n + 2]`, the `n/2 + 1` real parts of
/// each frame before its imaginary ones; periodic Hann windows of `n` values (even), one every `hop` (a divisor of `n`),
/// `frames = (time − n) / hop + 1`, nothing added at the ends.
pub fn stft(x: Tensor<2>, n: usize, hop: usize) -> Tensor<3> {
    let frames = stft::Frames { n, hop };
    if !flex::supported(&x) || x.dims()[1] < n {
        return composite::stft(x, n, hop);
    }
    flex::run(stft::Stft(frames), [x.into_dispatch()])
}

/// The signals whose [`stft`] is nearest to the spectra `[batch, frames, n + 2]` (Griffin & Lim, 1984):
/// `[batch, (frames − 1) · hop + n]`. The outermost values lie under hardly any window, and fade out.
pub fn istft(spectra: Tensor<3>, hop: usize) -> Tensor<2> {
    if !flex::supported(&spectra) {
        return composite::istft(spectra, hop);
    }
    let frames = stft::Frames { n: spectra.dims()[2] - 2, hop };
    flex::run(stft::Istft(frames), [spectra.into_dispatch()])
}

/// Sum of squares in f64, in a fixed order.
pub fn sum_of_squares(x: &Tensor<1>) -> f64 {
    if flex::supported(x) { update::sum_of_squares(x) } else { composite::sum_of_squares(x) }
}

/// One AdamW update of a flattened parameter without gradient tracking; returns it and its new state.
pub fn adamw(p: Tensor<1>, grad: Tensor<1>, slot: Slot, s: UpdateScalars) -> (Tensor<1>, Slot) {
    let on_flex = [&p, &grad, &slot.m].into_iter().chain(&slot.v).chain(&slot.ema).all(flex::supported);
    if on_flex { update::adamw(p, grad, slot, s, None) } else { composite::adamw(p, grad, slot, s) }
}

/// The same for a table of rows of `width` numbers of which a step looks up a few (lazy, as Adam for sparse gradients is):
/// a row whose gradient is zero stays as it is, with its moments. The average takes part in every step, as ever.
pub fn adamw_rows(
    p: Tensor<1>,
    grad: Tensor<1>,
    width: usize,
    slot: Slot,
    s: UpdateScalars,
) -> (Tensor<1>, Slot) {
    let on_flex = [&p, &grad, &slot.m].into_iter().chain(&slot.v).chain(&slot.ema).all(flex::supported);
    match on_flex {
        true => update::adamw(p, grad, slot, s, Some(width)),
        false => composite::adamw_rows(p, grad, width, slot, s),
    }
}

/// One Muon update of a flattened matrix without gradient tracking; returns it and its new state.
pub fn muon(
    p: Tensor<1>,
    grad: Tensor<1>,
    shape: [usize; 2],
    slot: Slot,
    momentum: f32,
    s: UpdateScalars,
) -> (Tensor<1>, Slot) {
    let g = grad * s.grad_scale;
    let m = slot.m * momentum + g.clone();
    let along = muon::orthogonal((g + m.clone() * momentum).reshape(shape)).flatten::<1>(0, 1);
    let rate = 0.2 * s.lr * (shape[0].max(shape[1]) as f32).sqrt();
    let along = along * rate;
    let p = composite::decayed(p, &along, &s) - along;
    let ema = slot.ema.map(|ema| ema * s.ema_decay + p.clone() * (1.0 - s.ema_decay));
    (p, Slot { m, v: None, ema })
}
