#![allow(unsafe_code)] // Tasks change disjoint parts of the same arrays in place.
//! One AdamW step in place, and the sum of squares that gradient clipping needs.
//!
//! ```text
//! g ← s g    m ← β₁ m + (1 − β₁) g    v ← β₂ v + (1 − β₂) g²
//! p ← (1 − η λ) p − (η / b₁) m / (√(v / b₂) + ε)      e ← δ e + (1 − δ) p
//! ```
//!
//! Cautious decay leaves `p` as it is where the step makes it larger (Chen et al., "Cautious weight decay", arXiv:2510.12402).
//!
//! Of a table that is looked up, rows without a gradient keep `p`, `m` and `v`: a pass over `g`, and the average.
//!
//! One pass reads and writes each array once. An array whose memory is shared with another tensor is
//! copied first, so nobody else sees the change.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{contiguous, raw, values, wrap};
use super::memory::{Shared, for_chunks, items_a_task};
use super::simd::multiversion;

/// First and second moment and weight average of one parameter, flattened. Muon has no second moment.
#[derive(Clone, Debug)]
pub struct Slot {
    /// First moment.
    pub m: Tensor<1>,
    /// Second moment.
    pub v: Option<Tensor<1>>,
    /// Average of the weights.
    pub ema: Option<Tensor<1>>,
}

/// The scalars of one update, shared by all parameters.
#[derive(Clone, Copy, Debug)]
pub struct UpdateScalars {
    /// Learning rate `η`.
    pub lr: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled decay `λ`.
    pub weight_decay: f32,
    /// Whether only those weights decay that the step does not make larger.
    pub cautious: bool,
    /// `1 − β₁ᵗ`.
    pub bias1: f32,
    /// `1 − β₂ᵗ`.
    pub bias2: f32,
    /// What each gradient is multiplied by (global-norm clipping).
    pub grad_scale: f32,
    /// Decay of the average of the weights.
    pub ema_decay: f32,
}

multiversion! {
    fn step(s: &UpdateScalars, g: &[f32], p: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        let (keep, rate, root) = (1.0 - s.lr * s.weight_decay, s.lr / s.bias1, 1.0 / s.bias2.sqrt());
        let keep_growing = if s.cautious { 1.0 } else { keep };
        for (((g, p), m), v) in g.iter().zip(p).zip(m).zip(v) {
            let g = g * s.grad_scale;
            *m = s.beta1 * *m + (1.0 - s.beta1) * g;
            *v = s.beta2 * *v + (1.0 - s.beta2) * g * g;
            let along = rate * *m / (v.sqrt() * root + s.eps);
            let keep = if along * *p < 0.0 { keep_growing } else { keep };
            *p = keep * *p - along;
        }
    }
}

multiversion! {
    fn average(decay: f32, p: &[f32], ema: &mut [f32]) {
        p.iter().zip(ema).for_each(|(p, ema)| *ema = decay * *ema + (1.0 - decay) * p);
    }
}

multiversion! {
    /// Whether any number is not zero, of either sign.
    fn is_touched(g: &[f32]) -> bool {
        g.iter().fold(0, |bits, g| bits | g.to_bits()) & 0x7fff_ffff != 0
    }
}

/// [`step`] on the rows that have a gradient.
fn step_rows(s: &UpdateScalars, width: usize, g: &[f32], p: &mut [f32], m: &mut [f32], v: &mut [f32]) {
    let states = m.chunks_exact_mut(width).zip(v.chunks_exact_mut(width));
    for ((g, p), (m, v)) in g.chunks_exact(width).zip(p.chunks_exact_mut(width)).zip(states) {
        if is_touched(g) {
            step(s, g, p, m, v);
        }
    }
}

/// The tensor's values for writing; copies them first if another tensor shares them.
fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let (start, len) = (tensor.layout().start_offset(), tensor.layout().num_elements());
    &mut tensor.storage_mut::<f32>()[start..start + len]
}

/// See [`super::adamw`] and, where rows have a `width`, [`super::adamw_rows`]; all tensors on `flex` and of one length.
pub(super) fn adamw(
    p: Tensor<1>,
    grad: Tensor<1>,
    slot: Slot,
    s: UpdateScalars,
    width: Option<usize>,
) -> (Tensor<1>, Slot) {
    let own = |tensor: Tensor<1>| contiguous(raw(tensor));
    let grad = own(grad);
    let v = slot.v.unwrap_or_else(|| p.zeros_like());
    let (mut p, mut m, mut v, mut ema) = (own(p), own(slot.m), own(v), slot.ema.map(own));
    {
        let g = values(&grad);
        let arrays = [values_mut(&mut p), values_mut(&mut m), values_mut(&mut v)];
        assert!(arrays.iter().all(|array| array.len() == g.len()), "an update's arrays differ in length");
        let [p, m, v] = arrays.map(|array| Shared(array.as_mut_ptr()));
        let ema = ema.as_mut().map(|ema| Shared(values_mut(ema)[..g.len()].as_mut_ptr()));
        let size = width.map_or(items_a_task(1), |width| items_a_task(width) * width);
        for_chunks(g.len(), size, |chunk| {
            // SAFETY: chunks are disjoint, and the arrays are four different allocations.
            let at = |array: Shared| unsafe { array.slice(chunk.start, chunk.len()) };
            let (g, p) = (&g[chunk.clone()], at(p));
            match width {
                Some(width) => step_rows(&s, width, g, p, at(m), at(v)),
                None => step(&s, g, p, at(m), at(v)),
            }
            if let Some(ema) = ema {
                average(s.ema_decay, p, at(ema));
            }
        });
    }
    (wrap(p), Slot { m: wrap(m), v: Some(wrap(v)), ema: ema.map(wrap) })
}

multiversion! {
    fn chunk_squares(x: &[f32]) -> f64 {
        let mut lanes = [0.0f64; 8];
        let (whole, rest) = x.as_chunks::<8>();
        for v in whole {
            for i in 0..8 {
                lanes[i] += f64::from(v[i]) * f64::from(v[i]);
            }
        }
        let rest: f64 = rest.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        lanes.iter().sum::<f64>() + rest
    }
}

/// See [`super::sum_of_squares`]; the chunks do not depend on the number of threads.
pub(super) fn sum_of_squares(x: &Tensor<1>) -> f64 {
    let x = contiguous(raw(x.clone()));
    let sums: Vec<f64> = values(&x).par_chunks(items_a_task(1)).map(chunk_squares).collect();
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{composite, testing::noise, to_vec};

    fn tensor(values: &[f32]) -> Tensor<1> {
        Tensor::from_floats(values, &burn::tensor::Device::flex())
    }

    fn scalars() -> UpdateScalars {
        UpdateScalars {
            lr: 0.01,
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.1,
            cautious: false,
            bias1: 0.19,
            bias2: 0.02,
            grad_scale: 0.5,
            ema_decay: 0.9,
        }
    }

    #[test]
    fn update_equals_the_composite() {
        for len in [1, 13, 20_001] {
            for (with_ema, cautious) in [(false, false), (true, false), (true, true)] {
                let scalars = UpdateScalars { cautious, ..scalars() };
                let slot = || Slot {
                    m: tensor(&noise(len, 1)),
                    v: Some(tensor(&noise(len, 2)).abs()),
                    ema: with_ema.then(|| tensor(&noise(len, 3))),
                };
                let (p, g) = (tensor(&noise(len, 4)), tensor(&noise(len, 5)));
                let (a, a_slot) = crate::adamw(p.clone(), g.clone(), slot(), scalars);
                let (b, b_slot) = composite::adamw(p, g, slot(), scalars);
                let pairs = [
                    (Some(a), Some(b)),
                    (Some(a_slot.m), Some(b_slot.m)),
                    (a_slot.v, b_slot.v),
                    (a_slot.ema, b_slot.ema),
                ];
                for (a, b) in pairs.into_iter().filter_map(|(a, b)| a.zip(b)) {
                    for (a, b) in to_vec(&a).into_iter().zip(to_vec(&b)) {
                        assert!((a - b).abs() < 2e-6, "{a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn cautious_decay_spares_weights_that_the_step_makes_larger() {
        let (rows, width) = (31, 7);
        let [p, g, m, v] = [1, 2, 3, 4].map(|stream| noise(rows * width, stream));
        // No weight is so near zero that a step takes it to the other side.
        let p: Vec<f32> = p.into_iter().map(|p| p + p.signum()).collect();
        let slot = || Slot { m: tensor(&m), v: Some(tensor(&v).abs() + 0.1), ema: None };
        let adamw = |s| to_vec(&crate::adamw(tensor(&p), tensor(&g), slot(), s).0);
        let muon = |s| to_vec(&crate::muon(tensor(&p), tensor(&g), [rows, width], slot(), 0.95, s).0);
        let plain = UpdateScalars { weight_decay: 0.0, ..scalars() };
        let cautious = UpdateScalars { cautious: true, ..scalars() };
        let all = [
            [adamw(plain), adamw(scalars()), adamw(cautious)],
            [muon(plain), muon(scalars()), muon(cautious)],
        ];
        for [plain, decayed, cautious] in all {
            let grows = |i: usize| plain[i].abs() > p[i].abs();
            let grown = (0..p.len()).filter(|&i| grows(i)).count();
            assert!(grown > 0 && grown < p.len(), "{grown}");
            for i in 0..p.len() {
                assert_eq!(cautious[i], if grows(i) { plain[i] } else { decayed[i] }, "{i}");
            }
        }
    }

    #[test]
    fn rows_without_a_gradient_stay_and_others_move_as_ever() {
        let (rows, width) = (5_003, 3);
        let touched = |i: usize| (i / width) % 3 == 1;
        let of_rows = |(i, g): (usize, f32)| if touched(i) { g } else { 0.0 };
        let g: Vec<f32> = noise(rows * width, 5).into_iter().enumerate().map(of_rows).collect();
        let old = [1, 2, 3, 4].map(|stream| noise(rows * width, stream));
        let slot = || Slot { m: tensor(&old[0]), v: Some(tensor(&old[1]).abs()), ema: Some(tensor(&old[2])) };
        let all = |(p, slot): (Tensor<1>, Slot)| {
            [Some(p), Some(slot.m), slot.v, slot.ema]
                .map(|values| values.map_or_else(Vec::new, |v| to_vec(&v)))
        };
        let (p, grad) = (|| tensor(&old[3]), || tensor(&g));
        let found = all(crate::adamw_rows(p(), grad(), width, slot(), scalars()));
        let composite = all(composite::adamw_rows(p(), grad(), width, slot(), scalars()));
        let dense = all(crate::adamw(p(), grad(), slot(), scalars()));
        for i in 0..rows * width {
            for (array, old) in [&old[3], &old[0], &old[1]].into_iter().enumerate() {
                let old = if array == 2 { old[i].abs() } else { old[i] };
                assert_eq!(found[array][i], if touched(i) { dense[array][i] } else { old }, "{array} {i}");
            }
            let average = 0.9 * old[2][i] + 0.1 * found[0][i];
            assert!((found[3][i] - average).abs() < 1e-6, "{i}");
            assert!((0..4).all(|array| (found[array][i] - composite[array][i]).abs() < 2e-6), "{i}");
        }
    }

    #[test]
    fn a_shared_array_is_not_changed() {
        let p = tensor(&[1.0, 2.0, 3.0]);
        let slot = Slot { m: tensor(&[0.0; 3]), v: Some(tensor(&[0.0; 3])), ema: None };
        let (new, _) = crate::adamw(p.clone(), tensor(&[1.0; 3]), slot, scalars());
        assert_eq!(to_vec(&p), [1.0, 2.0, 3.0]);
        assert!(to_vec(&new)[0] < 1.0);
    }

    #[test]
    fn squares_of_views_and_long_arrays() {
        let v = noise(50_003, 1);
        let exact: f64 = v.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        assert!((crate::sum_of_squares(&tensor(&v)) / exact - 1.0).abs() < 1e-12);
        let view = tensor(&[1.0, 2.0, 3.0, 4.0]).reshape([2, 2]).slice([0..2, 1..2]).reshape([2]);
        assert_eq!(crate::sum_of_squares(&view), 20.0);
        assert_eq!(crate::sum_of_squares(&tensor(&[])), 0.0);
    }
}
