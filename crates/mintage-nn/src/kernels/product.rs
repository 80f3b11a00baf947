#![allow(unsafe_code)] // The matrix product takes raw pointers and strides.
//! Matrix products split over the threads, and the linear layer on them.
//!
//! The larger side of the result is cut into one part a thread and each part is a serial product: the
//! inner dimension is never cut, so a result does not depend on which thread ran what.

use burn::backend::flex::FlexTensor;
use gemm::Parallelism;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::{Shared, add_in_order, parts, unwritten};

/// Multiplications below which a product is not split.
const SPLIT: usize = 1 << 16;

/// A matrix in somebody's memory: element `(i, j)` is `values[i · row + j · col]`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub values: &'a [f32],
    pub row: usize,
    pub col: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `width` values, one behind the other.
    pub fn rows(values: &'a [f32], width: usize) -> Self {
        Self { values, row: width, col: 1 }
    }

    pub fn transposed(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }
}

/// `c = scale · a b`, or `c += scale · a b` if `add`, on this thread: `a [m, k]`, `b [k, n]`, `c [m, n]` with
/// rows `c_row` apart.
pub(super) fn product(
    [m, k, n]: [usize; 3],
    scale: f32,
    a: Matrix,
    b: Matrix,
    add: bool,
    c: &mut [f32],
    c_row: usize,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * c_row + n <= c.len());
    // SAFETY: `c` is borrowed for writing and long enough.
    unsafe { product_at([m, k, n], scale, a, b, add, c.as_mut_ptr(), c_row) };
}

/// [`product`] into memory of which other threads may hold other columns.
///
/// # Safety
/// The `n` values from `c + i · c_row` are this caller's to write for every row `i < m`, and `m, n > 0`.
unsafe fn product_at(
    [m, k, n]: [usize; 3],
    scale: f32,
    a: Matrix,
    b: Matrix,
    add: bool,
    c: *mut f32,
    c_row: usize,
) {
    let fits = |matrix: Matrix, rows: usize, cols: usize| {
        rows * cols == 0 || (rows - 1) * matrix.row + (cols - 1) * matrix.col < matrix.values.len()
    };
    assert!(fits(a, m, k) && fits(b, k, n) && n <= c_row);
    let strides = |v: usize| v as isize;
    // SAFETY: the assertion covers what is read, the caller answers for what is written. The crate's `alpha` is the
    // factor of the old `c`, `beta` that of the product.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            1,
            strides(c_row),
            add,
            a.values.as_ptr(),
            strides(a.col),
            strides(a.row),
            b.values.as_ptr(),
            strides(b.col),
            strides(b.row),
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// [`product`] with scale 1 into rows without gaps, on all threads.
pub(super) fn product_parallel([m, k, n]: [usize; 3], a: Matrix, b: Matrix, add: bool, c: &mut [f32]) {
    assert!(c.len() == m * n);
    if m * n * k < SPLIT {
        return product([m, k, n], 1.0, a, b, add, c, n);
    }
    if m >= n {
        let cuts = parts(m);
        let mut rest = c;
        let mut tasks = Vec::new();
        for rows in cuts {
            let (head, tail) = rest.split_at_mut(rows.len() * n);
            tasks.push((rows, head));
            rest = tail;
        }
        tasks.into_par_iter().for_each(|(rows, c)| {
            let a = Matrix { values: &a.values[rows.start * a.row..], ..a };
            product([rows.len(), k, n], 1.0, a, b, add, c, n);
        });
    } else {
        let out = Shared(c.as_mut_ptr());
        parts(n).into_par_iter().for_each(|cols| {
            let b = Matrix { values: &b.values[cols.start * b.col..], ..b };
            // SAFETY: tasks write different columns, and none is empty.
            unsafe { product_at([m, k, cols.len()], 1.0, a, b, add, out.at(cols.start), n) };
        });
    }
}

/// `x W + b` on `[x, weight, bias]`: `[n, d_in]`, `[d_in, d_out]`, `[d_out]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linear;

impl Fused<3> for Linear {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 2]) {
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let ([n, d_in], [_, d_out]) = (dims(&x), dims(&weight));
        let mut y = Vec::with_capacity(n * d_out);
        (0..n).for_each(|_| y.extend_from_slice(values(&bias)));
        let (a, b) = (Matrix::rows(values(&x), d_in), Matrix::rows(values(&weight), d_out));
        product_parallel([n, d_in, d_out], a, b, true, &mut y);
        (from_vec(y, [n, d_out]), [x, weight])
    }

    fn backward(
        self,
        [x, weight]: [FlexTensor; 2],
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = contiguous(grad);
        let ([n, d_in], [_, d_out]) = (dims(&x), dims(&weight));
        let [x, weight, g] =
            [(&x, d_in), (&weight, d_out), (&grad, d_out)].map(|(t, width)| Matrix::rows(values(t), width));
        let dx = wanted[0].then(|| {
            let mut dx = unwritten(n * d_in);
            product_parallel([n, d_out, d_in], g, weight.transposed(), false, &mut dx);
            from_vec(dx, [n, d_in])
        });
        let dw = wanted[1].then(|| {
            let mut dw = unwritten(d_in * d_out);
            product_parallel([d_in, n, d_out], x.transposed(), g, false, &mut dw);
            from_vec(dw, [d_in, d_out])
        });
        let db = wanted[2].then(|| from_vec(column_sums(g.values, n, d_out), [d_out]));
        [dx, dw, db]
    }
}

/// Sums over the rows of `[n, d]`.
fn column_sums(values: &[f32], n: usize, d: usize) -> Vec<f32> {
    let part = |rows: std::ops::Range<usize>| {
        let mut sums = vec![0.0f32; d];
        for row in values[rows.start * d..rows.end * d].chunks_exact(d) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        sums
    };
    if n * d < SPLIT {
        return part(0..n);
    }
    add_in_order(parts(n).into_par_iter().map(part).collect())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::kernels::{
        composite, linear,
        testing::{Case, noise},
    };

    #[test]
    fn linear_equals_the_composite() {
        for (n, d_in, d_out) in [(1, 1, 1), (3, 5, 7), (130, 70, 33), (2, 64, 2000), (1000, 40, 40)] {
            for with_bias in [true, false] {
                let args = |v: &[Tensor<1>]| {
                    let (x, w) = (v[0].clone().reshape([n, d_in]), v[1].clone().reshape([d_in, d_out]));
                    (x, w, with_bias.then(|| v[2].clone()))
                };
                let mut inputs = vec![noise(n * d_in, 1), noise(d_in * d_out, 2)];
                if with_bias {
                    inputs.push(noise(d_out, 3));
                }
                Case {
                    name: format!("{n}x{d_in}x{d_out}, bias {with_bias}"),
                    inputs,
                    fused: &|v| {
                        let (x, w, b) = args(v);
                        linear(x, w, b).flatten(0, 1)
                    },
                    composite: &|v| {
                        let (x, w, b) = args(v);
                        composite::linear(x, w, b).flatten(0, 1)
                    },
                    tolerance: 3e-6,
                }
                .check();
            }
        }
    }

    #[test]
    fn views_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(30, 1).as_slice(), &device).reshape([5, 6]).transpose();
        let w = Tensor::<1>::from_floats(noise(20, 2).as_slice(), &device).reshape([4, 5]).transpose();
        let [x2, w2] = [&x, &w].map(|t| Tensor::<2>::from_data(t.to_data(), &device));
        linear(x, w.clone(), None).into_data().assert_eq(&linear(x2, w2, None).into_data(), true);
        assert_eq!(linear(Tensor::zeros([0, 5], &device), w, None).dims(), [0, 4]);
    }
}
