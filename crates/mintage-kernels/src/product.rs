#![allow(unsafe_code)] // The matrix product takes raw pointers and strides.
//! Matrix products split over the threads, and the linear layer on them.
//!
//! The larger side of the result is cut into one part a thread and each part is a serial product: the
//! inner dimension is never cut, so a result does not depend on which thread ran what. Training steps of linear layers
//! reach 70 to 86 % of the machine's limit, 2048 × 2048 × 2048 up to 84 % (less when others use the memory).

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::{Shared, add_in_order, parts, unwritten, with_used_scratch};
use super::product_micro::{Matrix, PackBlocks, PackRows, Product, Start, Turn, tall};
use super::simd::{multiversion, vector_len, vectorised};
use super::tiles;

/// Multiplications, or values to sum, below which the work is not split.
const MIN_SPLIT_WORK: usize = 1 << 16;

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
    let start = if add { Start::Add } else { Start::Zero };
    // SAFETY: `c` is borrowed for writing and long enough.
    unsafe { product_at([m, k, n], scale, a, b, start, c.as_mut_ptr(), c_row) };
}

/// [`product`] into memory of which other threads may hold other columns.
///
/// # Safety
/// The `n` values from `c + i · c_row` are this caller's to write for every row `i < m`, and `m, n > 0`; a bias has `n`
/// values.
pub(super) unsafe fn product_at(
    [m, k, n]: [usize; 3],
    scale: f32,
    a: Matrix,
    b: Matrix,
    start: Start,
    c: *mut f32,
    c_row: usize,
) {
    let fits = |matrix: Matrix, rows: usize, cols: usize| {
        rows * cols == 0 || (rows - 1) * matrix.row + (cols - 1) * matrix.col < matrix.values.len()
    };
    assert!(fits(a, m, k) && fits(b, k, n) && n <= c_row);
    // An inner dimension of nothing is still one block: it leaves what the sums begin with.
    for ks in blocks(k.max(1), DEPTH).map(|ks| ks.start..ks.end.min(k)) {
        for js in blocks(n, COLS) {
            let b = Matrix { values: &b.values[ks.start * b.row + js.start * b.col..], ..b };
            with_packed(b, [ks.len(), js.len()], scale, m, |b| {
                for is in blocks(m, ROWS) {
                    let a = Matrix { values: &a.values[is.start * a.row + ks.start * a.col..], ..a };
                    // SAFETY: a part of what the caller promised.
                    unsafe {
                        let c = c.add(is.start * c_row + js.start);
                        let start = match start {
                            _ if ks.start > 0 => Start::Add,
                            Start::Bias(bias) => Start::Bias(bias.add(js.start)),
                            other => other,
                        };
                        part([is.len(), ks.len(), js.len()], a, b, start, c, c_row);
                    }
                }
            });
        }
    }
}

/// A part of the inner dimension, of the columns and of the rows: what is laid out of either side fits into the
/// second-level cache.
const DEPTH: usize = 384;
const COLS: usize = 336;
const ROWS: usize = 240;

fn blocks(len: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(size).map(move |start| start..len.min(start + size))
}

/// The right side as the inner loop reads it.
#[derive(Clone, Copy)]
struct Columns<'a> {
    /// Vectors of columns, `vector` apart, in each of them the rows, `row` apart.
    values: &'a [f32],
    row: usize,
    vector: usize,
    /// The last vector where it is not whole: its rows without gaps.
    last: &'a [f32],
}

/// Lays `b` out, times `scale`; where few rows will meet it, its whole vectors are read where they are.
fn with_packed(b: Matrix, [depth, cols]: [usize; 2], scale: f32, rows: usize, work: impl FnOnce(Columns)) {
    let len = vector_len();
    let (whole, rest) = (cols / len, cols % len);
    let in_place = rows <= tall() && b.col == 1 && scale == 1.0;
    // One row more than there are, so that vectors do not share cache sets.
    let vector = (depth + 1) * len;
    let first = if in_place { whole } else { 0 };
    with_used_scratch([(cols.div_ceil(len) - first) * vector], |[to]| {
        let from = &b.values[first * len * b.col..];
        let (b_at, to_at, cols) = (from.as_ptr(), to.as_mut_ptr(), cols - first * len);
        // SAFETY: `b` holds `depth × cols` values from there, `to` that many and the padding.
        unsafe {
            if b.col == 1 {
                vectorised(PackRows { b: b_at, row: b.row, depth, cols, to: to_at, vector });
            } else {
                assert!(b.row == 1);
                let places: Vec<usize> = (0..depth).map(|k| k * len).collect();
                for j in 0..cols.div_ceil(len) {
                    let (channels, planes) = (len.min(cols - j * len), b_at.add(j * len * b.col).cast_mut());
                    if channels < len {
                        to[j * vector..][..depth * len].fill(0.0);
                    }
                    let (pixels, places) = (to_at.add(j * vector), &places);
                    vectorised(Turn { planes, plane: b.col, pixels, places, channels, back: false });
                }
            }
        }
        if scale != 1.0 {
            to.iter_mut().for_each(|v| *v *= scale);
        }
        let last = if rest > 0 { &to[(whole - first) * vector..] } else { &[] };
        work(if in_place {
            Columns { values: b.values, row: b.row, vector: len, last }
        } else {
            Columns { values: to, row: len, vector, last }
        });
    });
}

/// A part of a product.
///
/// # Safety
/// As [`product_at`].
unsafe fn part([m, k, n]: [usize; 3], a: Matrix, b: Columns, start: Start, c: *mut f32, c_row: usize) {
    let (len, tall) = (vector_len(), tall());
    let (whole, rest) = (n / len, n % len);
    // Columns one behind the other are far apart in memory: blocks of rows are laid out.
    let packed = a.col != 1;
    let block = if packed { k * tall + 16 } else { tall * a.row };
    let sizes = [if packed { m.div_ceil(tall) * block } else { 0 }, if rest > 0 { m * len } else { 0 }];
    with_used_scratch(sizes, |[to, last]| {
        let (a_at, a_row, a_k) = if packed {
            assert!(a.row == 1);
            let job = PackBlocks {
                a: a.values.as_ptr(),
                row: a.col,
                depth: k,
                rows: m,
                to: to.as_mut_ptr(),
                block,
            };
            // SAFETY: `a` holds `k` rows of `m` values, `to` the blocks.
            unsafe { vectorised(job) };
            (to.as_ptr(), 1, tall)
        } else {
            (a.values.as_ptr(), a.row, 1)
        };
        let mut job = Product {
            a: a_at,
            a_block: block,
            a_row,
            a_k,
            b: b.values.as_ptr(),
            b_k: b.row,
            b_vector: b.vector,
            c,
            c_row,
            rows: m,
            depth: k,
            vectors: whole,
            start,
        };
        // SAFETY: whole vectors of columns lie inside both sides and the result.
        unsafe { vectorised(job) };
        if rest > 0 {
            job = Product {
                b: b.last.as_ptr(),
                b_k: len,
                c: last.as_mut_ptr(),
                c_row: len,
                vectors: 1,
                start: Start::Zero,
                ..job
            };
            // SAFETY: one vector of columns into memory of our own.
            unsafe { vectorised(job) };
            for (i, row) in last.chunks_exact(len).enumerate() {
                // SAFETY: the columns that are left.
                let c = unsafe { std::slice::from_raw_parts_mut(c.add(i * c_row + whole * len), rest) };
                for (j, (c, v)) in c.iter_mut().zip(row).enumerate() {
                    *c = match start {
                        Start::Zero => *v,
                        Start::Add => *c + v,
                        // SAFETY: a bias has a value for each column.
                        Start::Bias(bias) => *v + unsafe { *bias.add(whole * len + j) },
                    };
                }
            }
        }
    });
}

/// `a b`, plus a bias where there is one, into rows without gaps, on all threads.
fn product_parallel([m, k, n]: [usize; 3], a: Matrix, b: Matrix, bias: Option<&[f32]>) -> Vec<f32> {
    assert!(bias.is_none_or(|bias| bias.len() == n));
    if tiles::wanted([m, k, n]) {
        return tiles::product([m, k, n], a, b, bias);
    }
    let mut c = unwritten(m * n);
    if m * n == 0 {
        return c;
    }
    let (rows, cols) = match (m * n * k < MIN_SPLIT_WORK, m >= n) {
        (true, _) => (m, n),
        (_, true) => (tall(), n),
        _ => (m, vector_len()),
    };
    let (rows, cols) = (parts_of(m, rows), parts_of(n, cols));
    let (out, bias) = (Shared(c.as_mut_ptr()), bias.map(|bias| Shared(bias.as_ptr().cast_mut())));
    rows.into_par_iter().for_each(|rows| {
        cols.par_iter().for_each(|cols| {
            let a = a.from(rows.start);
            let b = Matrix { values: &b.values[cols.start * b.col..], ..b };
            // SAFETY: tasks write different rows or columns, none of them empty, and only read the bias.
            unsafe {
                let start = bias.map_or(Start::Zero, |bias| Start::Bias(bias.at(cols.start)));
                let c = out.at(rows.start * n + cols.start);
                product_at([rows.len(), k, cols.len()], 1.0, a, b, start, c, n);
            }
        });
    });
    c
}

/// Ranges that cut `0..len` into about one part a thread, at multiples of `grain`.
fn parts_of(len: usize, grain: usize) -> Vec<Range<usize>> {
    let cuts = parts(len.div_ceil(grain)).into_iter();
    cuts.map(|part| part.start * grain..len.min(part.end * grain)).collect()
}

/// `x W + b` on `[x, weight, bias]`: `[n, d_in]`, `[d_in, d_out]`, `[d_out]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linear;

impl Fused<3> for Linear {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 2]) {
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let ([n, d_in], [_, d_out]) = (dims(&x), dims(&weight));
        let (a, b) = (Matrix::rows(values(&x), d_in), Matrix::rows(values(&weight), d_out));
        let y = product_parallel([n, d_in, d_out], a, b, Some(values(&bias)));
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
        let dx = wanted[0]
            .then(|| from_vec(product_parallel([n, d_out, d_in], g, weight.transposed(), None), [n, d_in]));
        let dw = wanted[1]
            .then(|| from_vec(product_parallel([d_in, n, d_out], x.transposed(), g, None), [d_in, d_out]));
        let db = wanted[2].then(|| from_vec(column_sums(g.values, n, d_out), [d_out]));
        [dx, dw, db]
    }
}

multiversion! {
    fn add_rows(rows: &[f32], sums: &mut [f32]) {
        for row in rows.chunks_exact(sums.len()) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
    }
}

/// Sums over the rows of `[n, d]`.
fn column_sums(values: &[f32], n: usize, d: usize) -> Vec<f32> {
    let part = |rows: Range<usize>| {
        let mut sums = vec![0.0f32; d];
        add_rows(&values[rows.start * d..rows.end * d], &mut sums);
        sums
    };
    if n * d < MIN_SPLIT_WORK {
        return part(0..n);
    }
    add_in_order(parts(n).into_par_iter().map(part).collect())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
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
                let case = Case {
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
                };
                case.check();
                if n * d_in * d_out < 200 {
                    case.check_differences();
                }
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
