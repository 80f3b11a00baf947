#![allow(unsafe_code)] // Tasks write disjoint rows of memory that was not cleared first.
//! Queries and keys made ready for attention: normalised head by head (Henry et al., arXiv:2010.04245, with the root
//! mean square), then turned by an angle that grows with their position (Su et al., arXiv:2104.09864).
//!
//! ```text
//! x̂ = x / √(mean(x²) + ε)       over the d values of a head
//! (y_i, y_{i+d/2}) = R(t θ^{−2i/d}) (x̂_i, x̂_{i+d/2})
//! ```
//!
//! The score of a query and a key depends on how far apart they are, and on nothing else of their places. Values pass
//! through. One read and one write of memory either way; backward keeps the input.

use burn::backend::flex::FlexTensor;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::sum;
use super::memory::filled_rows;
use super::simd::multiversion;

/// Wavelength of the slowest turn, up to `2π`.
pub(super) const THETA: f32 = 10_000.0;
pub(super) const EPS: f32 = 1e-6;

/// On `[qkv]`, `[batch · time, 3 · width]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotary {
    /// Rows of one sequence.
    pub time: usize,
    pub heads: usize,
    /// Position of the first row of every sequence.
    pub first: usize,
}

/// Cosines and sines of all positions, `time × d / 2` each.
pub(super) fn turns(first: usize, time: usize, d: usize) -> [Vec<f32>; 2] {
    let half = d / 2;
    let speeds: Vec<f64> = (0..half).map(|i| f64::from(THETA).powf(-2.0 * i as f64 / d as f64)).collect();
    let angles = (first..first + time).flat_map(|t| speeds.iter().map(move |speed| t as f64 * speed));
    angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip().into()
}

multiversion! {
    fn turn_head(x: &[f32], cos: &[f32], sin: &[f32], y: &mut [f32]) {
        let half = x.len() / 2;
        let scale = 1.0 / (sum([x], |[x]| x * x) / x.len() as f32 + EPS).sqrt();
        let (x1, x2) = x.split_at(half);
        let (y1, y2) = y.split_at_mut(half);
        let (x2, y1, y2, cos, sin) = (&x2[..half], &mut y1[..half], &mut y2[..half], &cos[..half], &sin[..half]);
        for i in 0..half {
            let (a, b) = (scale * x1[i], scale * x2[i]);
            y1[i] = a * cos[i] - b * sin[i];
            y2[i] = a * sin[i] + b * cos[i];
        }
    }
}

multiversion! {
    fn turn_head_back(x: &[f32], g: &[f32], cos: &[f32], sin: &[f32], dx: &mut [f32]) {
        let (half, count) = (x.len() / 2, x.len() as f32);
        let scale = 1.0 / (sum([x], |[x]| x * x) / count + EPS).sqrt();
        let (g1, g2) = g.split_at(half);
        {
            let (d1, d2) = dx.split_at_mut(half);
            let (g2, d1, d2, cos, sin) = (&g2[..half], &mut d1[..half], &mut d2[..half], &cos[..half], &sin[..half]);
            for i in 0..half {
                d1[i] = g1[i] * cos[i] + g2[i] * sin[i];
                d2[i] = g2[i] * cos[i] - g1[i] * sin[i];
            }
        }
        let along = scale * scale * sum([x, &*dx], |[x, dx]| x * dx) / count;
        dx.iter_mut().zip(x).for_each(|(dx, x)| *dx = scale * (*dx - along * x));
    }
}

impl Rotary {
    /// Fills the rows of queries and keys by `head(row, range of the head, turn, values)`; the rest is `from`'s.
    fn rows(self, from: &[f32], three: usize, head: impl Fn(usize, Head, &mut [f32]) + Sync) -> Vec<f32> {
        let (width, n) = (three / 3, from.len() / three);
        let (d, half) = (width / self.heads, width / self.heads / 2);
        let [cos, sin] = turns(self.first, self.time, d);
        filled_rows(n, three, |row, out| {
            let at = row % self.time * half;
            let (cos, sin) = (&cos[at..at + half], &sin[at..at + half]);
            let (turned, passed) = out.split_at_mut(2 * width);
            for (i, out) in turned.chunks_exact_mut(d).enumerate() {
                head(row * three + i * d, Head { cos, sin, d }, out);
            }
            passed.copy_from_slice(&from[row * three + 2 * width..][..width]);
        })
    }
}

/// How a head of one row turns.
struct Head<'a> {
    cos: &'a [f32],
    sin: &'a [f32],
    d: usize,
}

impl Fused<1> for Rotary {
    type Saved = FlexTensor;

    fn forward(&self, [qkv]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let qkv = contiguous(qkv);
        let ([n, three], x) = (dims(&qkv), values(&qkv));
        let y = self.rows(x, three, |at, h, out| turn_head(&x[at..at + h.d], h.cos, h.sin, out));
        (from_vec(y, [n, three]), qkv)
    }

    fn backward(self, qkv: FlexTensor, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let ([n, three], x, g) = (dims(&qkv), values(&qkv), values(&grad));
        let dx = self.rows(g, three, |at, h, out| {
            turn_head_back(&x[at..at + h.d], &g[at..at + h.d], h.cos, h.sin, out);
        });
        [Some(from_vec(dx, [n, three]))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        composite, rotate_heads,
        testing::{Case, noise},
    };

    #[test]
    fn equals_the_composite() {
        for (batch, time, heads, d, first) in
            [(1, 1, 1, 2, 0), (1, 3, 2, 4, 0), (2, 5, 2, 6, 7), (3, 40, 4, 32, 100), (1, 70, 3, 10, 0)]
        {
            let three = 3 * heads * d;
            let rows = |v: &[Tensor<1>]| v[0].clone().reshape([batch * time, three]);
            let case = Case {
                name: format!("{batch}x{time} rows of {heads}x{d} from {first}"),
                inputs: vec![noise(batch * time * three, 1)],
                fused: &|v| rotate_heads(rows(v), time, heads, first).flatten(0, 1),
                composite: &|v| composite::rotate_heads(rows(v), time, heads, first).flatten(0, 1),
                tolerance: 1e-5,
            };
            case.check();
            if batch * time * three < 100 {
                case.check_differences();
            }
        }
    }
}
