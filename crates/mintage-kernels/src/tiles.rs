#![allow(unsafe_code)] // Tile registers have neither types nor safe instructions; the CPU and the system are asked first.
//! Matrix products on the tile registers of some CPUs (Intel AMX, server processors since 2023): both sides rounded to
//! bfloat16, sums in single precision. The tiles alone do thirty times what vectors do; laying both sides out and moving the
//! result leave 1.6 times for the training of a transformer 256 wide and 3 times of one 512 wide; narrower ones gain nothing.
//!
//! Rounding costs about three decimal digits of each factor, which a step of training does not notice and a likelihood
//! would: products are rounded inside [`with_fast_products`] alone, and only where they are large.
//!
//! A tile holds 16 rows of 64 bytes. Left tiles are 16 rows of 32 values, right ones 16 pairs of values by 16 columns; 2 × 2
//! tiles of sums take two of either a time.

use std::{
    cell::Cell,
    ops::{Deref, DerefMut, Range},
};

use rayon::prelude::*;

use super::{
    memory::{Shared, parts, unwritten},
    product_micro::Matrix,
    simd::Lanes,
};

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) mod machine;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) mod rounding;

/// Rows, columns and pairs of values of a tile.
pub(super) const SIDE: usize = 16;
/// 32-bit words of a tile.
pub(super) const WORDS: usize = SIDE * SIDE;
/// Tiles of the inner dimension that are gone through before other sums: so much of both sides stays in the cache.
const TILES_PER_CHUNK: usize = 24;
/// Blocks that are laid out together.
const GROUP: usize = 8;
/// Multiplications, and sides, below which laying tiles out costs as much as they save.
const MIN_MULTIPLICATIONS: usize = 1 << 22;
const MIN_SIDE: usize = 192;

thread_local! {
    static FAST: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with large matrix products in bfloat16, where the CPU has tiles for them; elsewhere it changes nothing. One
/// training a pool: other work that its threads take up meanwhile is rounded as well.
pub fn with_fast_products<R>(work: impl FnOnce() -> R) -> R {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            FAST.set(self.0);
        }
    }
    let _back = Back(FAST.replace(true));
    work()
}

/// Whether this CPU has tiles.
pub(super) fn has_fast_products() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return machine::available();
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    return false;
}

/// Whether products of training are rounded in a network so wide.
pub fn is_fast(width: usize) -> bool {
    width >= MIN_SIDE && has_fast_products()
}

/// Whether large products are to be made of tiles, and can be.
pub(super) fn is_wanted() -> bool {
    FAST.get() && has_fast_products()
}

/// Whether a product of this size is to be made of tiles.
pub(super) fn wanted(sides: [usize; 3]) -> bool {
    sides.iter().all(|&side| side >= MIN_SIDE)
        && sides.iter().product::<usize>() >= MIN_MULTIPLICATIONS
        && is_wanted()
}

/// `a b`, plus a bias where there is one, on all threads: `a [m, k]`, `b [k, n]` → `[m, n]`. One of the strides of either
/// side is 1.
pub(super) fn product([m, k, n]: [usize; 3], a: Matrix, b: Matrix, bias: Option<&[f32]>) -> Vec<f32> {
    assert!(has_fast_products() && (a.row == 1 || a.col == 1) && (b.row == 1 || b.col == 1));
    let steps = k.div_ceil(2 * SIDE);
    let left = Side::packed(a.values, (a.row, a.col), m, k, true);
    let right = Side::packed(b.values, (b.col, b.row), n, k, false);
    let mut c = unwritten(m * n);
    let out = Shared(c.as_mut_ptr());
    let (rows, cols) = (m.div_ceil(2 * SIDE), n.div_ceil(2 * SIDE));
    let part = |rows: Range<usize>, cols: Range<usize>| {
        // SAFETY: tasks write different blocks of `c`, and `has_fast_products` was asked.
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        unsafe {
            machine::configured(|| {
                for chunk in
                    (0..steps).step_by(TILES_PER_CHUNK).map(|first| first..steps.min(first + TILES_PER_CHUNK))
                {
                    for j in cols.clone() {
                        for i in rows.clone() {
                            block([i, j], chunk.clone(), &left, &right, out, [m, n]);
                        }
                    }
                }
            });
        }
        if let Some(bias) = bias {
            let cols = cols.start * 2 * SIDE..n.min(cols.end * 2 * SIDE);
            for i in rows.start * 2 * SIDE..m.min(rows.end * 2 * SIDE) {
                // SAFETY: a row of this task's blocks.
                let row = unsafe { out.slice(i * n + cols.start, cols.len()) };
                row.iter_mut().zip(&bias[cols.clone()]).for_each(|(c, bias)| *c += bias);
            }
        }
    };
    match rows >= cols {
        true => parts(rows).into_par_iter().for_each(|rows| part(rows, 0..cols)),
        false => parts(cols).into_par_iter().for_each(|cols| part(0..rows, cols)),
    }
    c
}

/// Memory of which the first value begins a line: a row of a tile that lies on two lines takes twice as long to load.
pub(super) struct Aligned {
    values: Vec<f32>,
    skip: usize,
    len: usize,
}

impl Aligned {
    /// Room for `n` values that the caller writes before anything reads them.
    pub fn unwritten(n: usize) -> Self {
        let mut values = unwritten(n + SIDE);
        let skip = values.len() - aligned(&mut values).len();
        Self { values, skip, len: n }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.skip..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.skip..][..self.len]
    }
}

/// What begins with a line: up to 15 values are left out.
pub(super) fn aligned(values: &mut [f32]) -> &mut [f32] {
    let skip = values.as_ptr().align_offset(4 * SIDE).min(values.len());
    &mut values[skip..]
}

/// One side of a product as tiles: blocks of 16 rows or columns, in each the tiles along the inner dimension. There is an
/// even number of blocks; what lies beyond the matrix is 0.
struct Side {
    words: Aligned,
    steps: usize,
}

impl Side {
    /// `lanes` are the rows of the left side, the columns of the right one; `stride` from lane to lane, and along the inner
    /// dimension.
    fn packed(values: &[f32], stride: (usize, usize), lanes: usize, depth: usize, left: bool) -> Self {
        let steps = depth.div_ceil(2 * SIDE);
        let blocks = lanes.div_ceil(2 * SIDE) * 2;
        let mut words = Aligned::unwritten(blocks * steps * WORDS);
        let shared = Shared(words.as_mut_ptr());
        // Neighbouring lanes may lie side by side: what a line of memory holds is used at once.
        let groups = blocks.div_ceil(GROUP);
        let few = groups < rayon::current_num_threads();
        let stretches = if few { parts(steps) } else { std::iter::once(0..steps).collect() };
        let tasks = stretches.iter().flat_map(|steps| (0..groups).map(move |group| (group, steps)));
        tasks.collect::<Vec<_>>().into_par_iter().for_each(|(group, stretch)| {
            let first = group * GROUP;
            let count = GROUP.min(blocks - first);
            let from = (first * SIDE).min(lanes);
            let job = Pack {
                values: values.as_ptr().wrapping_add(from * stride.0),
                stride,
                lanes: lanes - from,
                depth,
                left,
                // SAFETY: tasks write different blocks; any bits are a word.
                to: unsafe { shared.at(first * steps * WORDS) }.cast::<u32>(),
                blocks: count,
                steps,
                stretch: stretch.clone(),
            };
            assert!(from == lanes || (lanes - 1) * stride.0 + (depth - 1) * stride.1 < values.len());
            // SAFETY: the matrix has so many lanes of such depth; CPUs with tiles have what `rounding` needs.
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            unsafe {
                rounding::run(job)
            };
        });
        Self { words, steps }
    }

    /// Tile `step` of a block.
    fn tile(&self, block: usize, step: usize) -> *const f32 {
        self.words[(block * self.steps + step) * WORDS..].as_ptr()
    }
}

/// Lays lanes out as blocks of tiles.
struct Pack {
    values: *const f32,
    /// From lane to lane and along the inner dimension; one of them is 1.
    stride: (usize, usize),
    lanes: usize,
    depth: usize,
    left: bool,
    to: *mut u32,
    blocks: usize,
    /// All steps of the inner dimension, and those that are this task's.
    steps: usize,
    stretch: Range<usize>,
}

/// 16 × 16 values, `from_row` apart, become columns, `to_row` apart.
///
/// # Safety
/// Both hold so many, and the CPU has `V`.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[inline(always)]
pub(super) unsafe fn turn<V: Lanes>(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    for (row, col) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
        let (mut rows, mut cols) = ([std::ptr::null(); 8], [std::ptr::null_mut(); 8]);
        for i in 0..8 {
            rows[i] = unsafe { from.add((row + i) * from_row + col) };
            cols[i] = unsafe { to.add((col + i) * to_row + row) };
        }
        // Moved, not calculated with: any bits are as good as numbers.
        unsafe { V::transpose8(rows, cols) };
    }
}

/// Adds a chunk of the inner dimension to the sums of a block of 32 × 32; the first chunk begins them.
///
/// # Safety
/// The thread's tiles are configured, and nobody else touches the block of `out`, `[m, n]`.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
unsafe fn block(
    [i, j]: [usize; 2],
    chunk: Range<usize>,
    left: &Side,
    right: &Side,
    out: Shared,
    [m, n]: [usize; 2],
) {
    let tiles = [
        left.tile(2 * i, chunk.start),
        left.tile(2 * i + 1, chunk.start),
        right.tile(2 * j, chunk.start),
        right.tile(2 * j + 1, chunk.start),
    ];
    let (row, col, add) = (i * 2 * SIDE, j * 2 * SIDE, chunk.start > 0);
    let (rows, cols) = (2 * SIDE, 2 * SIDE);
    unsafe {
        if row + rows <= m && col + cols <= n {
            machine::multiply(tiles, chunk.len(), out.at(row * n + col), n, add);
            return;
        }
        let mut sums = [0.0f32; 4 * WORDS];
        machine::multiply(tiles, chunk.len(), sums.as_mut_ptr(), 2 * SIDE, false);
        let cols = cols.min(n - col);
        for (r, sums) in sums.chunks_exact(2 * SIDE).take(m - row).enumerate() {
            let c = out.slice((row + r) * n + col, cols);
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = if add { *c + sum } else { *sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    /// What a factor is rounded to: the nearest bfloat16, of two the even one.
    fn rounded(value: f32) -> f64 {
        let bits = value.to_bits();
        f64::from(f32::from_bits(bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000))
    }

    #[test]
    fn rounding_is_to_the_nearest_and_to_even() {
        if !has_fast_products() {
            return;
        }
        let values = [1.0, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -3.0, 0.1, f32::INFINITY, f32::NAN];
        for value in values {
            let found = product([1, 1, 1], Matrix::rows(&[value], 1), Matrix::rows(&[1.0], 1), None)[0];
            assert!(
                f64::from(found) == rounded(value) || value.is_nan() && found.is_nan(),
                "{value}: {found}"
            );
        }
    }

    #[test]
    fn products_of_any_size_and_layout() {
        if !has_fast_products() {
            return;
        }
        for [m, k, n] in [[32, 32, 32], [33, 31, 70], [16, 1600, 48], [130, 257, 35], [64, 96, 129]] {
            let (a, b, bias) = (noise(m * k, 1), noise(k * n, 2), noise(n, 3));
            let turned = |values: &[f32], width: usize| -> Vec<f32> {
                let rows = values.len() / width;
                (0..values.len()).map(|at| values[at % rows * width + at / rows]).collect()
            };
            let (at, bt) = (turned(&a, k), turned(&b, n));
            let lefts = [Matrix::rows(&a, k), Matrix::rows(&at, m).transposed()];
            let rights = [Matrix::rows(&b, n), Matrix::rows(&bt, k).transposed()];
            for (left, right) in lefts.into_iter().flat_map(|left| rights.map(|right| (left, right))) {
                let found = product([m, k, n], left, right, Some(&bias));
                for (at, found) in found.iter().enumerate() {
                    let (i, j) = (at / n, at % n);
                    let sum: f64 = (0..k).map(|p| rounded(a[i * k + p]) * rounded(b[p * n + j])).sum();
                    let wanted = sum + f64::from(bias[j]);
                    assert!(
                        (f64::from(*found) - wanted).abs() < 1e-4 * (k as f64).sqrt(),
                        "{m} {k} {n} at {i} {j}"
                    );
                }
            }
        }
    }

    #[test]
    fn only_large_products_inside_are_fast() {
        assert!(!wanted([256; 3]));
        with_fast_products(|| assert!(!wanted([128, 4096, 4096]) && wanted([256; 3]) == has_fast_products()));
        assert!(!wanted([256; 3]));
    }
}
