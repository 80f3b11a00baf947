#![allow(unsafe_code)] // Tasks write disjoint parts of memory that was not cleared first.
//! The same values in another order; each order is the other's backward. Near the speed of memory: 5 billion values a
//! second, read or written.

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::{Shared, for_chunks, items_a_task, unwritten};
use super::product_micro::Turn;
use super::simd::{multiversion, vectorised};

#[derive(Clone, Copy, Debug)]
pub(super) enum Rearrange {
    /// `[n, 4c, h, w] → [n, c, 2h, 2w]`: channel `4c + 2y + x` goes to the pixels `(y, x)` of the squares.
    Shuffle,
    Unshuffle,
    /// `[n, c, h, w] → [n · h · w, c]`.
    Rows {
        h: usize,
        w: usize,
    },
    Planes {
        h: usize,
        w: usize,
    },
}

impl Rearrange {
    fn inverse(self) -> Self {
        match self {
            Self::Shuffle => Self::Unshuffle,
            Self::Unshuffle => Self::Shuffle,
            Self::Rows { h, w } => Self::Planes { h, w },
            Self::Planes { h, w } => Self::Rows { h, w },
        }
    }

    fn apply(self, x: FlexTensor) -> FlexTensor {
        let x = contiguous(x);
        match self {
            Self::Shuffle => {
                let [n, c, h, w] = dims(&x);
                from_vec(squares(values(&x), [n * c / 4, h, w], false), [n, c / 4, 2 * h, 2 * w])
            }
            Self::Unshuffle => {
                let [n, c, h, w] = dims(&x);
                from_vec(squares(values(&x), [n * c, h / 2, w / 2], true), [n, 4 * c, h / 2, w / 2])
            }
            Self::Rows { h, w } => {
                let [n, c, ..] = dims::<4>(&x);
                from_vec(turn(values(&x), [n, c, h * w], false), [n * h * w, c])
            }
            Self::Planes { h, w } => {
                let [rows, c] = dims(&x);
                let n = rows / (h * w);
                from_vec(turn(values(&x), [n, c, h * w], true), [n, c, h, w])
            }
        }
    }
}

impl Fused<1> for Rearrange {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, ()) {
        (self.apply(x), ())
    }

    fn backward(self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.inverse().apply(grad))]
    }
}

multiversion! {
    fn join(even: &[f32], odd: &[f32], pairs: &mut [f32]) {
        let pairs = pairs.as_chunks_mut::<2>().0;
        pairs.iter_mut().zip(even.iter().zip(odd)).for_each(|(to, (even, odd))| *to = [*even, *odd]);
    }
}

multiversion! {
    fn part(pairs: &[f32], even: &mut [f32], odd: &mut [f32]) {
        let pairs = pairs.as_chunks::<2>().0;
        pairs.iter().zip(even.iter_mut().zip(odd)).for_each(|(from, (even, odd))| [*even, *odd] = *from);
    }
}

/// Between planes of `2h × 2w` and four times as many of `h × w` (`apart`).
fn squares(x: &[f32], [planes, h, w]: [usize; 3], apart: bool) -> Vec<f32> {
    let mut y = unwritten(x.len());
    let out = Shared(y.as_mut_ptr());
    for_chunks(planes * 2 * h, items_a_task(2 * w), |rows| {
        for row in rows {
            let (plane, y) = (row / (2 * h), row % (2 * h));
            let even = ((plane * 4 + y % 2 * 2) * h + y / 2) * w;
            let (odd, whole) = (even + h * w, row * 2 * w);
            // SAFETY: each row is one task's.
            unsafe {
                if apart {
                    part(&x[whole..][..2 * w], out.slice(even, w), out.slice(odd, w));
                } else {
                    join(&x[even..][..w], &x[odd..][..w], out.slice(whole, 2 * w));
                }
            }
        }
    });
    y
}

/// Transposes `n` matrices `[c, pixels]`, or `[pixels, c]` (`back`).
fn turn(x: &[f32], [n, c, pixels]: [usize; 3], back: bool) -> Vec<f32> {
    let mut y = unwritten(x.len());
    let (from, out) = (Shared(x.as_ptr().cast_mut()), Shared(y.as_mut_ptr()));
    let places: Vec<usize> = (0..pixels).map(|i| i * c).collect();
    (0..n).into_par_iter().for_each(|i| {
        // SAFETY: each image is one task's; `x` is only read.
        unsafe {
            let [x, y] = [from, out].map(|all| all.at(i * c * pixels));
            let (planes, pixel_rows) = if back { (y, x) } else { (x, y) };
            let job = Turn { planes, plane: pixels, pixels: pixel_rows, places: &places, channels: c, back };
            vectorised(job);
        }
    });
    y
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        composite, pixel_rows, pixel_shuffle2, pixel_unshuffle2, row_pixels,
        testing::{Case, noise},
    };

    #[test]
    fn equal_the_composites() {
        for (n, c, h, w) in [(1, 4, 2, 2), (2, 8, 6, 10), (3, 4, 16, 18), (2, 12, 4, 2)] {
            let planes = |v: &[Tensor<1>]| v[0].clone().reshape([n, c, h, w]);
            let rows = |v: &[Tensor<1>]| v[0].clone().reshape([n * h * w, c]);
            let check = |what: &str,
                         fused: &dyn Fn(&[Tensor<1>]) -> Tensor<1>,
                         composite: &dyn Fn(&[Tensor<1>]) -> Tensor<1>| {
                let name = format!("{what} {n}x{c}x{h}x{w}");
                let inputs = vec![noise(n * c * h * w, 1)];
                Case { name, inputs, fused, composite, tolerance: 1e-7 }.check();
            };
            check("shuffle", &|v| pixel_shuffle2(planes(v)).flatten(0, 3), &|v| {
                composite::pixel_shuffle2(planes(v)).flatten(0, 3)
            });
            check("unshuffle", &|v| pixel_unshuffle2(planes(v)).flatten(0, 3), &|v| {
                composite::pixel_unshuffle2(planes(v)).flatten(0, 3)
            });
            check("rows", &|v| pixel_rows(planes(v)).flatten(0, 1), &|v| {
                composite::pixel_rows(planes(v)).flatten(0, 1)
            });
            check("planes", &|v| row_pixels(rows(v), h, w).flatten(0, 3), &|v| {
                composite::row_pixels(rows(v), h, w).flatten(0, 3)
            });
        }
    }

    #[test]
    fn views_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(2 * 6 * 4 * 8, 1).as_slice(), &device).reshape([2, 6, 4, 8]);
        let view = x.permute([0, 3, 2, 1]); // [2, 8, 4, 6]
        let copy = Tensor::<4>::from_data(view.to_data(), &device);
        pixel_shuffle2(view.clone()).into_data().assert_eq(&pixel_shuffle2(copy.clone()).into_data(), true);
        pixel_rows(view).into_data().assert_eq(&pixel_rows(copy).into_data(), true);
        assert_eq!(pixel_shuffle2(Tensor::zeros([0, 4, 2, 2], &device)).dims(), [0, 1, 4, 4]);
    }
}
