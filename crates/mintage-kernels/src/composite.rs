//! Every kernel as ordinary tensor operations: what runs on devices other than `flex`, and what the
//! kernels are checked against.

use burn::tensor::{Int, Tensor, TensorData, activation, module, ops::ConvOptions};

use super::update::{Slot, UpdateScalars};
use super::{fields::NONE, gated, logistic, rotary, stft::Frames};

/// Convolution: `x [n, c_in, h, w]`, `weight [c_out, c_in, k, k]`, `bias [c_out]` → `[n, c_out, h', w']`
/// with `h' = (h + 2·padding − k) / stride + 1`.
pub(super) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    let options = ConvOptions::new([stride, stride], [padding, padding], [1, 1], 1);
    module::conv2d(x, weight, bias, options)
}

/// `x [n, d_in] · weight [d_in, d_out] + bias [d_out]`.
pub(super) fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let y = x.matmul(weight);
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

pub(super) fn depthwise_time(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, time: usize) -> Tensor<2> {
    let ([rows, c], [k, _]) = (x.dims(), weight.dims());
    let n = rows / time.max(1);
    let padded: Tensor<3> = x.reshape([n, time, c]).pad([(0, 0), (k / 2, k / 2), (0, 0)], 0.0);
    let tap = |j: usize| -> Tensor<3> {
        padded.clone().narrow(1, j, time) * weight.clone().narrow(0, j, 1).reshape([1, 1, c])
    };
    let sum = (1..k).fold(tap(0), |sum, j| sum + tap(j));
    (sum + bias.reshape([1, 1, c])).reshape([rows, c])
}

/// Group normalisation (Wu & He, arXiv:1803.08494) over `[n, c, h, w]` with gain and bias `[c]`.
pub(super) fn group_norm(
    x: Tensor<4>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    groups: usize,
    eps: f64,
) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let grouped: Tensor<3> = x.reshape([n, groups, c / groups * h * w]);
    let mean = grouped.clone().mean_dim(2);
    let centred = grouped - mean;
    let var = centred.clone().powi_scalar(2).mean_dim(2);
    let normed: Tensor<4> = (centred / (var + eps).sqrt()).reshape([n, c, h, w]);
    normed * gain.reshape([1, c, 1, 1]) + bias.reshape([1, c, 1, 1])
}

/// [`group_norm`] followed by [`silu`], in one pass.
pub(super) fn group_norm_silu(
    x: Tensor<4>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    groups: usize,
    eps: f64,
) -> Tensor<4> {
    silu(group_norm(x, gain, bias, groups, eps))
}

/// Layer normalisation of rows: `x [n, d]`, gain and bias `[d]`.
pub(super) fn layer_norm(x: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<2> {
    let mean = x.clone().mean_dim(1);
    let centred = x - mean;
    let var = centred.clone().powi_scalar(2).mean_dim(1);
    centred / (var + eps).sqrt() * gain.unsqueeze() + bias.unsqueeze()
}

pub(super) fn rotate_heads(qkv: Tensor<2>, time: usize, heads: usize, first: usize) -> Tensor<2> {
    let [rows, three] = qkv.dims();
    let (d, device, dtype) = (three / 3 / heads, qkv.device(), qkv.dtype());
    let part = |i: usize, n: usize| qkv.clone().narrow(1, i * three / 3, n * three / 3);
    let x: Tensor<4> = part(0, 2).reshape([rows / time, time, 2 * heads, d]);
    let x = x.clone() / (x.powi_scalar(2).mean_dim(3) + f64::from(rotary::EPS)).sqrt();
    let [cos, sin] = rotary::turns(first, time, d)
        .map(|v| Tensor::<4>::from_data(TensorData::new(v, [1, time, 1, d / 2]), (&device, dtype)));
    let (a, b) = (x.clone().narrow(3, 0, d / 2), x.narrow(3, d / 2, d / 2));
    let turned = [a.clone() * cos.clone() - b.clone() * sin.clone(), a * sin + b * cos];
    let turned: Tensor<2> = Tensor::cat(turned.to_vec(), 3).reshape([rows, 2 * three / 3]);
    Tensor::cat(vec![turned, part(2, 1)], 1)
}

pub(super) fn swiglu(x: Tensor<2>) -> Tensor<2> {
    let half = x.dims()[1] / 2;
    silu(x.clone().narrow(1, 0, half)) * x.narrow(1, half, half)
}

pub(super) fn rms_norm(x: Tensor<2>, gain: Tensor<1>, eps: f64) -> Tensor<2> {
    let scale = (x.clone().powi_scalar(2).mean_dim(1) + eps).sqrt();
    x / scale * gain.unsqueeze()
}

pub(super) fn weighted_sum([x, y, z]: [Tensor<2>; 3], weights: Tensor<1>) -> Tensor<2> {
    let weight = |i: usize| -> Tensor<2> { weights.clone().narrow(0, i, 1).unsqueeze() };
    x * weight(0) + y * weight(1) + z * weight(2)
}

pub(super) fn add_to_values(qkv: Tensor<2>, extra: Tensor<2>, gates: Tensor<1>) -> Tensor<2> {
    let ([rows, width], [heads]) = (extra.dims(), gates.dims());
    if rows == 0 {
        return qkv;
    }
    let gated: Tensor<3> = extra.reshape([rows, heads, width / heads]) * gates.reshape([1, heads, 1]);
    let values = qkv.clone().narrow(1, 2 * width, width) + gated.reshape([rows, width]);
    Tensor::cat(vec![qkv.narrow(1, 0, 2 * width), values], 1)
}

pub(super) fn dropout<const D: usize>(x: Tensor<D>, share: f64, seed: u32) -> Tensor<D> {
    let mask = gated::Dropout { share: share as f32, seed }.apply(&vec![1.0; x.shape().num_elements()]);
    let mask = Tensor::from_data(TensorData::new(mask, x.dims()), (&x.device(), x.dtype()));
    x * mask
}

/// `x · sigmoid(x)`.
pub(super) fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::silu(x)
}

/// Gaussian error linear unit, exact (erf) form.
pub(super) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::gelu(x)
}

/// Hyperbolic tangent.
pub(super) fn tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.tanh()
}

/// `gain · max(x, slope · x)`.
pub(super) fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64, gain: f64) -> Tensor<D> {
    activation::leaky_relu(x, slope) * gain
}

/// The derivative of [`leaky_relu`] at `at`, times `t`; `at` has no gradient.
pub(super) fn leaky_relu_tangent<const D: usize>(
    t: Tensor<D>,
    at: Tensor<D>,
    slope: f64,
    gain: f64,
) -> Tensor<D> {
    let below = at.detach().lower_equal_elem(0.0);
    let t = t * gain;
    t.clone().mask_where(below, t * slope)
}

pub(super) fn mean_squared_error<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<1> {
    (x - y).powi_scalar(2).mean()
}

/// Scaled dot-product attention: `q, k, v [batch, heads, time, head_dim]` → the same shape; `causal`
/// lets position `t` see positions `≤ t` only.
pub(super) fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, causal: bool) -> Tensor<4> {
    let [batch, heads, time, head_dim] = q.dims();
    let device = q.device();
    let mut scores = q.matmul(k.swap_dims(2, 3)) / (head_dim as f64).sqrt();
    if causal {
        let above = Tensor::<2, Int>::ones([time, time], &device).triu(1).equal_elem(1);
        let above = above.unsqueeze::<4>().expand([batch, heads, time, time]);
        scores = scores.mask_fill(above, -1e30);
    }
    activation::softmax(scores, 3).matmul(v)
}

/// By matrices of cosines and sines.
pub(super) fn stft(x: Tensor<2>, n: usize, hop: usize) -> Tensor<3> {
    let frames = Frames { n, hop };
    let ([batch, time], device, dtype) = (x.dims(), x.device(), x.dtype());
    let count = frames.count(time);
    if batch * count == 0 {
        return Tensor::zeros([batch, count, n + 2], (&device, dtype));
    }
    let window = frames.window();
    let turn = |t: usize, k: usize| std::f64::consts::TAU * (t * k % n) as f64 / n as f64;
    let row = |t: usize| -> Vec<f64> {
        let re = (0..=n / 2).map(|k| turn(t, k).cos());
        let im = (0..=n / 2).map(|k| if k % (n / 2) == 0 { 0.0 } else { -turn(t, k).sin() });
        re.chain(im).map(|value| value * f64::from(window[t])).collect()
    };
    let matrix: Vec<f64> = (0..n).flat_map(row).collect();
    let matrix = Tensor::<2>::from_data(TensorData::new(matrix, [n, n + 2]), (&device, dtype));
    let windows = (0..count).map(|f| x.clone().narrow(1, f * hop, n).reshape([batch, 1, n])).collect();
    Tensor::<3>::cat(windows, 1).reshape([batch * count, n]).matmul(matrix).reshape([batch, count, n + 2])
}

pub(super) fn istft(spectra: Tensor<3>, hop: usize) -> Tensor<2> {
    let ([batch, count, width], device, dtype) = (spectra.dims(), spectra.device(), spectra.dtype());
    let n = width - 2;
    let frames = Frames { n, hop };
    if batch * count == 0 {
        return Tensor::zeros([batch, frames.time(count)], (&device, dtype));
    }
    let window = frames.window();
    let turn = |t: usize, k: usize| std::f64::consts::TAU * (t * k % n) as f64 / n as f64;
    // Of a bin that stands for two, both; of the imaginary parts of the ends, nothing.
    let real = |k: usize| if k.is_multiple_of(n / 2) { 1.0 } else { 2.0 };
    let imaginary = |k: usize| if k.is_multiple_of(n / 2) { 0.0 } else { 2.0 };
    let re = (0..=n / 2).flat_map(|k| (0..n).map(move |t| (t, real(k) * turn(t, k).cos())));
    let im = (0..=n / 2).flat_map(|k| (0..n).map(move |t| (t, -imaginary(k) * turn(t, k).sin())));
    let matrix = re.chain(im).map(|(t, value)| value * f64::from(window[t]) / n as f64).collect::<Vec<_>>();
    let matrix = Tensor::<2>::from_data(TensorData::new(matrix, [width, n]), (&device, dtype));
    let signals: Tensor<3> =
        spectra.reshape([batch * count, width]).matmul(matrix).reshape([batch, count, n]);
    let time = frames.time(count);
    let mut sum = Tensor::<2>::zeros([batch, time], (&device, dtype));
    for f in 0..count {
        let signal: Tensor<2> = signals.clone().narrow(1, f, 1).reshape([batch, n]);
        sum = sum + signal.pad((f * hop, time - f * hop - n, 0, 0), 0.0);
    }
    let weights: Vec<f64> = frames.weights(count).into_iter().map(f64::from).collect();
    sum * Tensor::<2>::from_data(TensorData::new(weights, [1, time]), (&device, dtype))
}

pub(super) fn self_attention(qkv: Tensor<2>, batch: usize, heads: usize, causal: bool) -> Tensor<2> {
    let [rows, all] = qkv.dims();
    if rows == 0 {
        return qkv.narrow(1, 0, all / 3);
    }
    let (time, width) = (rows / batch.max(1), all / 3);
    let part = |i: usize| -> Tensor<4> {
        qkv.clone().narrow(1, i * width, width).reshape([batch, time, heads, width / heads]).swap_dims(1, 2)
    };
    attention(part(0), part(1), part(2), causal).swap_dims(1, 2).reshape([rows, width])
}

pub(super) fn pixel_shuffle2(x: Tensor<4>) -> Tensor<4> {
    let [n, c4, h, w] = x.dims();
    x.reshape([n, c4 / 4, 2, 2, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([n, c4 / 4, 2 * h, 2 * w])
}

pub(super) fn pixel_unshuffle2(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h / 2, 2, w / 2, 2]).permute([0, 1, 3, 5, 2, 4]).reshape([n, 4 * c, h / 2, w / 2])
}

pub(super) fn pixel_rows(x: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = x.dims();
    x.permute([0, 2, 3, 1]).reshape([n * h * w, c])
}

pub(super) fn row_pixels(rows: Tensor<2>, h: usize, w: usize) -> Tensor<4> {
    let [all, c] = rows.dims();
    rows.reshape([all / (h * w), h, w, c]).permute([0, 3, 1, 2])
}

/// Attention of one new position: `qkv [n, 3 · width]` → `[n, width]`; its keys and values join those in `cache`,
/// both `[n, heads, time, width / heads]`.
/// Keys and values in rows of `n` sequences, `[n, heads, time, width / heads]` each.
pub(super) fn keys_and_values(qkv: Tensor<2>, n: usize, heads: usize) -> (Tensor<4>, Tensor<4>) {
    let [rows, three] = qkv.dims();
    let (width, time) = (three / 3, rows / n.max(1));
    let part = |i: usize| -> Tensor<4> {
        qkv.clone().narrow(1, i * width, width).reshape([n, time, heads, width / heads]).swap_dims(1, 2)
    };
    (part(1), part(2))
}

pub(super) fn attend_next(
    qkv: Tensor<2>,
    heads: usize,
    cache: &mut Option<(Tensor<4>, Tensor<4>)>,
) -> Tensor<2> {
    let [n, three] = qkv.dims();
    let (width, d) = (three / 3, three / 3 / heads);
    let part = |i: usize| -> Tensor<4> { qkv.clone().narrow(1, i * width, width).reshape([n, heads, 1, d]) };
    let (k, v) = match cache.take() {
        Some((k, v)) => (Tensor::cat(vec![k, part(1)], 2), Tensor::cat(vec![v, part(2)], 2)),
        None => (part(1), part(2)),
    };
    let y = attention(part(0), k.clone(), v.clone(), false);
    *cache = Some((k, v));
    y.reshape([n, width])
}

/// Negative log-likelihood of `targets [n]` under `logits [n, classes]`, one value a row (nats).
pub(super) fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let n = logits.dims()[0];
    let log_probs = activation::log_softmax(logits, 1);
    log_probs.gather(1, targets.reshape([n, 1])).neg().reshape([n])
}

/// `−log p(targets | logits)` of independent Bernoullis, summed over each row: `[n, d] → [n]` (nats).
/// `targets` in [0, 1].
pub(super) fn bernoulli_nll(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let n = logits.dims()[0];
    let loss = activation::softplus(logits.clone(), 1.0) - logits * targets;
    loss.sum_dim(1).reshape([n])
}

/// Intervals narrower than this, in scales, take a series.
const NARROW: f64 = 0.1;

/// `−log P` of a level under the discretised logistic, summed over each row; see [`logistic`].
pub(super) fn discretised_logistic_nll(x: Tensor<2>, mean: Tensor<2>, log_scale: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    let half = f64::from(logistic::HALF);
    let log_scale = log_scale.clamp_min(logistic::MIN_LOG_SCALE);
    let inv = log_scale.clone().neg().exp();
    let centred = x.clone() - mean;
    let (upper, lower) = ((centred.clone() + half) * inv.clone(), (centred - half) * inv.clone());
    // ln(1 + eˣ) without overflow.
    let softplus = |x: Tensor<2>| x.clone().clamp_min(0.0) + x.abs().neg().exp().log1p();
    // ln(1 − e^−δ); where δ is small, e^−δ rounds to 1, and it is ln δ − δ/2 + δ²/24. Either branch stays finite
    // where the other is taken: a gradient of zero times infinity would be no number.
    let delta = inv * (2.0 * half);
    let wide = delta.clone().clamp_min(NARROW).neg().exp().neg().log1p();
    let series = delta.clone().clamp_max(NARROW);
    let series = series.clone().powi_scalar(2) / 24.0 - series / 2.0;
    let width = wide.mask_where(delta.lower_elem(NARROW), series + (2.0 * half).ln() - log_scale);
    let [first, last] = [x.clone().lower_elem(logistic::ENDS[0]), x.greater_elem(logistic::ENDS[1])];
    let below = softplus(upper.neg()).mask_fill(last.clone(), 0.0);
    let above = softplus(lower).mask_fill(first.clone(), 0.0);
    let width = width.mask_fill(first, 0.0).mask_fill(last, 0.0);
    (below + above - width).sum_dim(1).reshape([n])
}

/// Softmax of each field's logits: `[n, total] → [n, total]`.
pub(super) fn fields_softmax(logits: Tensor<2>, starts: &[usize]) -> Tensor<2> {
    let field = |ends: &[usize]| activation::softmax(logits.clone().narrow(1, ends[0], ends[1] - ends[0]), 1);
    Tensor::cat(starts.windows(2).map(field).collect(), 1)
}

/// The sum of several rows of a table: `weight [entries, d]` → `[n, d]`.
pub(super) fn embedding_bag(weight: Tensor<2>, indices: &[u32], fields: usize) -> Tensor<2> {
    let (device, d, n) = (weight.device(), weight.dims()[1], indices.len() / fields);
    let known: Vec<i64> =
        indices.iter().map(|&index| if index == NONE { 0 } else { i64::from(index) }).collect();
    let taken: Vec<f32> = indices.iter().map(|&index| f32::from(u8::from(index != NONE))).collect();
    let known = Tensor::<1, Int>::from_data(TensorData::new(known, [n * fields]), &device);
    let taken = like(taken, [n * fields, 1], &weight);
    (weight.select(0, known) * taken).reshape([n, fields, d]).sum_dim(1).reshape([n, d])
}

/// Negative log-likelihood of one class a field, weighted and summed over each row.
pub(super) fn fields_cross_entropy(
    logits: Tensor<2>,
    starts: &[usize],
    targets: &[u32],
    weights: &[f32],
) -> Tensor<1> {
    let (n, fields) = (logits.dims()[0], starts.len() - 1);
    let mut loss = Tensor::zeros_like(&logits.clone().narrow(1, 0, 1)).reshape([n]);
    for field in 0..fields {
        let places = (0..n).map(|row| row * fields + field);
        let classes: Vec<i64> =
            places.clone().map(|p| if targets[p] == NONE { 0 } else { i64::from(targets[p]) }).collect();
        let weights = places.map(|p| if targets[p] == NONE { 0.0 } else { weights[p] }).collect();
        let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [n]), &logits.device());
        let part = logits.clone().narrow(1, starts[field], starts[field + 1] - starts[field]);
        loss = loss + cross_entropy(part, classes) * like(weights, [n, 1], &logits).reshape([n]);
    }
    loss
}

/// Constants of the same element type as another tensor.
fn like(values: Vec<f32>, shape: [usize; 2], other: &Tensor<2>) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), (&other.device(), other.dtype()))
}

/// Nearest-neighbour doubling: `[n, c, h, w] → [n, c, 2h, 2w]`.
pub(super) fn upsample2(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let x: Tensor<6> = x.reshape([n, c, h, 1, w, 1]);
    x.expand([n, c, h, 2, w, 2]).reshape([n, c, 2 * h, 2 * w])
}

/// Mean over 2×2 squares: `[n, c, h, w] → [n, c, h/2, w/2]`; `h` and `w` even.
pub(super) fn downsample2(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let x: Tensor<6> = x.reshape([n, c, h / 2, 2, w / 2, 2]);
    x.mean_dim(5).mean_dim(3).reshape([n, c, h / 2, w / 2])
}

/// Sum of squares in f64, in a fixed order.
pub(super) fn sum_of_squares(x: &Tensor<1>) -> f64 {
    crate::to_vec(x).iter().map(|&v| f64::from(v) * f64::from(v)).sum()
}

/// Weights after their decay and before a step that takes `along` from them.
pub(super) fn decayed(p: Tensor<1>, along: &Tensor<1>, s: &UpdateScalars) -> Tensor<1> {
    let keep = 1.0 - s.lr * s.weight_decay;
    if !s.cautious {
        return p * keep;
    }
    let grows = (p.clone() * along.clone()).lower_elem(0.0);
    (p.clone() * keep).mask_where(grows, p)
}

/// One AdamW update of a flattened parameter without gradient tracking; returns it and its new state.
pub(super) fn adamw(p: Tensor<1>, grad: Tensor<1>, slot: Slot, s: UpdateScalars) -> (Tensor<1>, Slot) {
    let g = grad * s.grad_scale;
    let m = slot.m * s.beta1 + g.clone() * (1.0 - s.beta1);
    let v = slot.v.unwrap_or_else(|| p.zeros_like()) * s.beta2 + g.clone() * g * (1.0 - s.beta2);
    let denominator = (v.clone() / s.bias2).sqrt() + s.eps;
    let along = m.clone() / denominator * (s.lr / s.bias1);
    let p = decayed(p, &along, &s) - along;
    let ema = slot.ema.map(|e| e * s.ema_decay + p.clone() * (1.0 - s.ema_decay));
    (p, Slot { m, v: Some(v), ema })
}

/// The same for a table, where rows without a gradient stay as they are.
pub(super) fn adamw_rows(
    p: Tensor<1>,
    grad: Tensor<1>,
    width: usize,
    slot: Slot,
    s: UpdateScalars,
) -> (Tensor<1>, Slot) {
    let n = p.dims()[0];
    let rows = |values: Tensor<1>| -> Tensor<2> { values.reshape([n / width, width]) };
    let still = rows(grad.clone()).abs().sum_dim(1).lower_equal_elem(0.0).expand([n / width, width]);
    let kept = |new: Tensor<1>, old: Tensor<1>| -> Tensor<1> {
        rows(new).mask_where(still.clone(), rows(old)).reshape([n])
    };
    let v = slot.v.unwrap_or_else(|| p.zeros_like());
    let all = Slot { m: slot.m.clone(), v: Some(v.clone()), ema: None };
    let (new_p, new) = adamw(p.clone(), grad, all, s);
    let (p, m, v) = (kept(new_p, p), kept(new.m, slot.m), new.v.map(|new| kept(new, v)));
    let ema = slot.ema.map(|ema| ema * s.ema_decay + p.clone() * (1.0 - s.ema_decay));
    (p, Slot { m, v, ema })
}
