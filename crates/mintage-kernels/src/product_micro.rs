#![allow(unsafe_code)] // Inner loops on raw pointers; each job states what it may touch.
//! The inner loop of matrix products, and how operands are laid out for it.
//!
//! A block of sums stays in registers while the inner dimension runs: 8 rows × 3 vectors of 16 with the thirty-two
//! registers of AVX-512, else 6 × 2 of 8 with sixteen. Within the cache that is 85 to 100 % of a core's limit.

use super::simd::{Job, Lanes, vector_len};

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

    /// Without the rows before `first`.
    pub fn from(self, first: usize) -> Self {
        Self { values: &self.values[first * self.row..], ..self }
    }

    /// The first `width` values of row `i`, of a matrix whose rows are whole.
    pub fn row_of(self, i: usize, width: usize) -> &'a [f32] {
        &self.values[i * self.row..][..width]
    }
}

/// Rows of a block of sums.
const fn tall_for(vector: usize) -> usize {
    if vector == 16 { 8 } else { 6 }
}

/// Rows of a block of sums on this CPU.
pub(super) fn tall() -> usize {
    tall_for(vector_len())
}

/// `c[i][j] (+)= Σ_k a[i][k] · b[k][j]` with `j` over whole vectors.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub a: *const f32,
    /// Distance of blocks of [`tall`] rows, of rows in a block, and of columns.
    pub a_block: usize,
    pub a_row: usize,
    pub a_k: usize,
    pub b: *const f32,
    /// Distance of the rows of `b`, and of the vectors of a row.
    pub b_k: usize,
    pub b_vector: usize,
    pub c: *mut f32,
    pub c_row: usize,
    pub rows: usize,
    pub depth: usize,
    pub vectors: usize,
    /// What the sums begin with.
    pub start: Start,
}

/// What sums begin with.
#[derive(Clone, Copy)]
pub(super) enum Start {
    Zero,
    /// The values of `c`.
    Add,
    /// A value a column.
    Bias(*const f32),
}

impl Job for Product {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let widest = if V::LEN == 16 { 3 } else { 2 };
        let mut j = 0;
        while j < self.vectors {
            let left = self.vectors - j;
            // Four are two and two: one vector alone would wait for its loads.
            let width = if left == 4 { 2 } else { left.min(widest) };
            unsafe {
                match width {
                    3 => self.columns::<V, 3>(j),
                    2 => self.columns::<V, 2>(j),
                    _ => self.columns::<V, 1>(j),
                }
            }
            j += width;
        }
    }
}

impl Product {
    #[inline(always)]
    unsafe fn columns<V: Lanes, const W: usize>(&self, j: usize) {
        let tall = tall_for(V::LEN);
        let mut i = 0;
        while i < self.rows {
            unsafe {
                let a = self.a.add(i / tall * self.a_block + i % tall * self.a_row);
                i += match self.rows - i {
                    8.. if tall == 8 => self.block::<V, 8, W>(a, i, j),
                    6.. if tall == 6 => self.block::<V, 6, W>(a, i, j),
                    4.. => self.block::<V, 4, W>(a, i, j),
                    2.. => self.block::<V, 2, W>(a, i, j),
                    _ => self.block::<V, 1, W>(a, i, j),
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn block<V: Lanes, const R: usize, const W: usize>(
        &self,
        a: *const f32,
        i: usize,
        j: usize,
    ) -> usize {
        unsafe {
            let mut b = self.b.add(j * self.b_vector);
            let c = self.c.add(i * self.c_row + j * V::LEN);
            let mut sums = [[V::splat(0.0); W]; R];
            for r in 0..R {
                for w in 0..W {
                    sums[r][w] = match self.start {
                        Start::Zero => V::splat(0.0),
                        Start::Add => {
                            // Far away as a rule: on their way while the sums grow, and added last.
                            V::prefetch(c.add(r * self.c_row + w * V::LEN));
                            V::splat(0.0)
                        }
                        Start::Bias(bias) => V::load(bias.add((j + w) * V::LEN)),
                    };
                }
            }
            let mut rows = [a; R];
            for r in 0..R {
                rows[r] = a.add(r * self.a_row);
            }
            let mut at = 0;
            for _ in 0..self.depth {
                let mut row = [V::splat(0.0); W];
                for w in 0..W {
                    row[w] = V::load(b.add(w * self.b_vector));
                }
                for r in 0..R {
                    let a = V::splat(*rows[r].add(at));
                    for w in 0..W {
                        sums[r][w] = a.mul_add(row[w], sums[r][w]);
                    }
                }
                (at, b) = (at + self.a_k, b.add(self.b_k));
            }
            for r in 0..R {
                for w in 0..W {
                    let c = c.add(r * self.c_row + w * V::LEN);
                    let sum = match self.start {
                        Start::Add => V::load(c).add(sums[r][w]),
                        _ => sums[r][w],
                    };
                    sum.store(c);
                }
            }
            R
        }
    }
}

/// Lays `b [depth][cols]` out for [`Product`]: vector by vector, zeros beyond the last column.
pub(super) struct PackRows {
    pub b: *const f32,
    /// Distance of the rows of `b`.
    pub row: usize,
    pub depth: usize,
    pub cols: usize,
    pub to: *mut f32,
    /// Distance of the vectors in `to`.
    pub vector: usize,
}

impl Job for PackRows {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { b, row, depth, cols, to, vector } = self;
        let (whole, rest) = (cols / V::LEN, cols % V::LEN);
        for k in 0..depth {
            unsafe {
                let (from, to) = (b.add(k * row), to.add(k * V::LEN));
                for j in 0..whole {
                    V::load(from.add(j * V::LEN)).store(to.add(j * vector));
                }
                if rest > 0 {
                    let (from, to) = (from.add(whole * V::LEN), to.add(whole * vector));
                    (0..V::LEN).for_each(|i| *to.add(i) = if i < rest { *from.add(i) } else { 0.0 });
                }
            }
        }
    }
}

/// Lays the transpose of `a [depth][rows]` out for [`Product`]: block of rows by block.
pub(super) struct PackBlocks {
    pub a: *const f32,
    /// Distance of the rows of `a`.
    pub row: usize,
    pub depth: usize,
    pub rows: usize,
    pub to: *mut f32,
    /// Distance of the blocks in `to`.
    pub block: usize,
}

impl Job for PackBlocks {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        unsafe { if tall_for(V::LEN) == 8 { self.by::<8>() } else { self.by::<6>() } }
    }
}

impl PackBlocks {
    #[inline(always)]
    unsafe fn by<const TALL: usize>(self) {
        let Self { a, row, depth, rows, to, block } = self;
        for k in 0..depth {
            unsafe {
                let (from, to) = (a.add(k * row), to.add(k * TALL));
                for i in 0..rows / TALL {
                    let values = from.add(i * TALL).cast::<[f32; TALL]>().read();
                    to.add(i * block).cast::<[f32; TALL]>().write(values);
                }
                for i in rows / TALL * TALL..rows {
                    *to.add(i / TALL * block + i % TALL) = *from.add(i);
                }
            }
        }
    }
}

/// Planes to pixels or back: value `i` of channel `c` stands at `planes[c · plane + i]` and at
/// `pixels[places[i] + c]`.
pub(super) struct Turn<'a> {
    pub planes: *mut f32,
    pub plane: usize,
    pub pixels: *mut f32,
    pub places: &'a [usize],
    pub channels: usize,
    /// From pixels to planes.
    pub back: bool,
}

impl Job for Turn<'_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Turn { planes, plane, pixels, places, channels, back } = self;
        let whole = if places.len() < 8 { 0 } else { channels / 8 * 8 };
        unsafe {
            for c in (0..whole).step_by(8) {
                for first in (0..places.len()).step_by(8) {
                    // A short last block begins earlier and moves some values again.
                    let first = first.min(places.len() - 8);
                    let (mut rows, mut cols) = ([planes; 8], [pixels; 8]);
                    for i in 0..8 {
                        rows[i] = planes.add((c + i) * plane + first);
                        cols[i] = pixels.add(places[first + i] + c);
                    }
                    if back {
                        V::transpose8(cols.map(|p| p.cast_const()), rows);
                    } else {
                        V::transpose8(rows.map(|p| p.cast_const()), cols);
                    }
                }
            }
            for c in whole..channels {
                for (i, &place) in places.iter().enumerate() {
                    let (row, col) = (planes.add(c * plane + i), pixels.add(place + c));
                    if back { *row = *col } else { *col = *row }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, noise, vectors_here};

    #[test]
    fn products_of_every_size() {
        for (kind, len) in vectors_here() {
            for (rows, depth, vectors) in [(1, 3, 1), (2, 1, 2), (7, 5, 3), (15, 9, 4), (24, 2, 5)] {
                let cols = vectors * len;
                let (a, b, old) = (noise(depth * rows, 1), noise(depth * cols, 2), noise(rows * cols, 3));
                let bias = noise(cols, 4);
                for start in [Start::Zero, Start::Add, Start::Bias(bias.as_ptr())] {
                    let sum = |i: usize, j: usize| -> f32 {
                        (0..depth).map(|k| a[k * rows + i] * b[k * cols + j]).sum()
                    };
                    let first = |at: usize| match start {
                        Start::Zero => 0.0,
                        Start::Add => old[at],
                        Start::Bias(_) => bias[at % cols],
                    };
                    let wanted: Vec<f32> =
                        (0..rows * cols).map(|at| first(at) + sum(at / cols, at % cols)).collect();
                    let mut c = old.clone();
                    let product = Product {
                        a: a.as_ptr(),
                        a_block: tall_for(len),
                        a_row: 1,
                        a_k: rows,
                        b: b.as_ptr(),
                        b_k: cols,
                        b_vector: len,
                        c: c.as_mut_ptr(),
                        c_row: cols,
                        rows,
                        depth,
                        vectors,
                        start,
                    };
                    // SAFETY: the arrays hold whole matrices.
                    unsafe { kind.run(product) };
                    assert_near(&c, &wanted);
                }
            }
        }
    }

    #[test]
    fn planes_turn_into_pixels_and_back() {
        for (kind, _) in vectors_here() {
            for (count, channels) in [(8, 8), (13, 16), (5, 9), (31, 3), (16, 19)] {
                let (plane, pitch) = (count + 2, channels + 1);
                let places: Vec<usize> = (0..count).map(|i| (count - 1 - i) * pitch).collect();
                let mut planes = noise(plane * channels, 1);
                let mut pixels = vec![9.0; pitch * count];
                let turn = |planes: &mut [f32], pixels: &mut [f32], back| {
                    let (planes, pixels) = (planes.as_mut_ptr(), pixels.as_mut_ptr());
                    // SAFETY: `count` values of each channel on either side.
                    unsafe { kind.run(Turn { planes, plane, pixels, places: &places, channels, back }) };
                };
                turn(&mut planes, &mut pixels, false);
                let mut returned = vec![9.0; planes.len()];
                turn(&mut returned, &mut pixels, true);
                for c in 0..channels {
                    for i in 0..plane {
                        let at = c * plane + i;
                        assert_eq!(returned[at], if i < count { planes[at] } else { 9.0 });
                        assert!(i >= count || pixels[places[i] + c] == planes[at]);
                    }
                }
            }
        }
    }
}
