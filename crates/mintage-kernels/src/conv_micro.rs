#![allow(unsafe_code)] // Inner loops on raw pointers; each job states what it may touch.
//! The two inner loops of the convolution: `y = W x` over shifted rows, and `dW = g xᵀ`.
//!
//! Both keep a block of sums in registers: 4 output channels × 2 vectors of pixels, and 4 channels × 3 taps × one vector.
//! (4 × 3 vectors would be twelve sums as well, but with three vectors and two weights in
//! flight one sum no longer fits into the sixteen registers, and its chain through memory halves the speed.)
//! With the thirty-two registers of AVX-512 the blocks are twice as wide. Neither knows what an image is:
//! [`super::conv`] lays the planes out so that a tap of the filter is one fixed offset, and lists where the
//! vectors of pixels start.

use super::simd::{Job, Lanes, vector_len};

/// Output channels of one block.
pub(super) const ROWS: usize = 4;
/// Vectors of pixels of one block, and taps of one of the weight gradient: with sixteen registers, and with thirty-two.
const WIDTHS: [usize; 2] = [2, 4];
const TAPS: [usize; 2] = [3, 6];
/// Pixels of one block on this CPU.
pub(super) fn block_pixels() -> usize {
    let vector = vector_len();
    WIDTHS[usize::from(vector == 16)] * vector
}

/// `out[r][q] = bias[r] + Σ_k weight[k][r] · x[offsets[k] + q]` for the pixels `q` of a vector from each start and
/// `r < rows ≤ 4`: planes at `x`, shifted by each of `offsets`, with 4 weights a tap.
///
/// `x` is readable and each row of `out` writable for a vector from every start (plus any offset).
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub x: *const f32,
    pub offsets: &'a [u32],
    /// `[tap][4]`; rows beyond the block's last are ignored.
    pub weight: &'a [f32],
    pub bias: [f32; ROWS],
    /// Where each vector of pixels starts; sorted, and they do not overlap.
    pub starts: &'a [u32],
    /// Taps after which the sums are put aside, so that what they read stays in the first-level cache.
    pub chunk: usize,
    pub rows: usize,
    pub out: *mut f32,
    /// Distance of the rows of `out`.
    pub out_row: usize,
}

impl Job for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        assert!(self.weight.len() >= self.offsets.len() * ROWS);
        unsafe { if V::LEN == 16 { self.by::<V, { WIDTHS[1] }>() } else { self.by::<V, { WIDTHS[0] }>() } }
    }
}

/// `N` starts; a short last block repeats its last one and computes the same values again.
#[inline(always)]
fn block<const N: usize>(v: &[u32]) -> [usize; N] {
    std::array::from_fn(|i| v[i.min(v.len() - 1)] as usize)
}

impl Rows<'_> {
    #[inline(always)]
    unsafe fn by<V: Lanes, const W: usize>(self) {
        unsafe {
            match self.rows {
                1 => self.blocks::<V, 1, W>(),
                2 => self.blocks::<V, 2, W>(),
                3 => self.blocks::<V, 3, W>(),
                _ => self.blocks::<V, 4, W>(),
            }
        }
    }

    #[inline(always)]
    unsafe fn blocks<V: Lanes, const R: usize, const W: usize>(self) {
        let Self { x, offsets, weight, bias, starts, chunk, out, out_row, .. } = self;
        unsafe {
            for (pass, offsets) in offsets.chunks(chunk).enumerate() {
                let weight = weight.as_ptr().add(pass * chunk * ROWS);
                for starts in starts.chunks(W).map(block::<W>) {
                    let x = starts.map(|start| x.add(start));
                    let mut sums = [[V::splat(0.0); W]; R];
                    for r in 0..R {
                        for i in 0..W {
                            let earlier = out.add(r * out_row + starts[i]);
                            sums[r][i] = if pass == 0 { V::splat(bias[r]) } else { V::load(earlier) };
                        }
                    }
                    let mut w = weight;
                    for &offset in offsets {
                        let offset = offset as usize;
                        let v = x.map(|x| V::load(x.add(offset)));
                        for r in 0..R {
                            let w = V::splat(*w.add(r));
                            for i in 0..W {
                                sums[r][i] = w.mul_add(v[i], sums[r][i]);
                            }
                        }
                        w = w.add(ROWS);
                    }
                    for r in 0..R {
                        for i in 0..W {
                            sums[r][i].store(out.add(r * out_row + starts[i]));
                        }
                    }
                }
            }
        }
    }
}

/// `out[k][r] += Σ_q g[r][q] · x[offsets[k] + q]` for all `k`, `r < rows ≤ 4`, over the pixels `q` of a vector from each
/// start: rows of `g`, `g_stride` apart, with planes at `x`, shifted by each of `offsets`.
///
/// `x` (from each offset) and each row of `g` are readable for a vector from every start.
pub(super) struct Correlation<'a> {
    pub g: *const f32,
    pub g_stride: usize,
    pub x: *const f32,
    pub offsets: &'a [u32],
    /// Where each vector of pixels starts; they do not overlap.
    pub starts: &'a [u32],
    pub rows: usize,
    pub out: &'a mut [f32],
}

impl Job for Correlation<'_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        unsafe { if V::LEN == 16 { self.by::<V, { TAPS[1] }>() } else { self.by::<V, { TAPS[0] }>() } }
    }
}

impl Correlation<'_> {
    #[inline(always)]
    unsafe fn by<V: Lanes, const T: usize>(self) {
        unsafe {
            match self.rows {
                1 => self.blocks::<V, 1, T>(),
                2 => self.blocks::<V, 2, T>(),
                3 => self.blocks::<V, 3, T>(),
                _ => self.blocks::<V, 4, T>(),
            }
        }
    }

    #[inline(always)]
    unsafe fn blocks<V: Lanes, const R: usize, const T: usize>(self) {
        let Self { g, g_stride, x, offsets, starts, out, .. } = self;
        for (offsets, out) in offsets.chunks(T).zip(out.chunks_mut(T * ROWS)) {
            let shifts = block::<T>(offsets);
            unsafe {
                let mut sums = [[V::splat(0.0); ROWS]; T];
                let x = shifts.map(|shift| x.add(shift));
                for &start in starts {
                    let q = start as usize;
                    let v = x.map(|x| V::load(x.add(q)));
                    for r in 0..R {
                        let g = V::load(g.add(r * g_stride + q));
                        for i in 0..T {
                            sums[i][r] = g.mul_add(v[i], sums[i][r]);
                        }
                    }
                }
                for (out, sums) in out.chunks_exact_mut(ROWS).zip(sums) {
                    let sums = V::sum4(sums);
                    for r in 0..ROWS {
                        out[r] += sums[r];
                    }
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
    fn equal_plain_sums() {
        let (x, w) = (noise(300, 1), noise(7 * ROWS, 2));
        let offsets: Vec<u32> = vec![0, 1, 2, 30, 31, 32, 90];
        for (kind, len) in vectors_here() {
            let starts: Vec<u32> = [0, 1, 2, 4, 5, 7].map(|i: u32| i * len as u32 + i / 3).to_vec();
            let pixels: Vec<usize> = starts.iter().flat_map(|&s| s as usize..s as usize + len).collect();
            for count in 1..=ROWS {
                let bias = [1.0, 2.0, 3.0, 4.0];
                let (mut y, mut dw) = (vec![0.0; ROWS * 150], vec![0.5; ROWS * 7]);
                let rows = Rows {
                    x: x.as_ptr(),
                    offsets: &offsets,
                    weight: &w,
                    bias,
                    starts: &starts,
                    chunk: 3,
                    rows: count,
                    out: y.as_mut_ptr(),
                    out_row: 150,
                };
                let (g, x_at) = (x.as_ptr(), x.as_ptr());
                let (offsets, starts) = (&offsets, &starts);
                let taps =
                    Correlation { g, g_stride: 50, x: x_at, offsets, starts, rows: count, out: &mut dw };
                // SAFETY: 90 + 8 · 16 values are read of 300, `x` standing for the gradient as well, and as many written.
                unsafe {
                    kind.run(rows);
                    kind.run(taps);
                }
                for r in 0..count {
                    let tap = |k: usize, q: usize| x[offsets[k] as usize + q];
                    let sum = |&q: &usize| bias[r] + (0..7).map(|k| w[k * ROWS + r] * tap(k, q)).sum::<f32>();
                    let found: Vec<f32> = pixels.iter().map(|&q| y[r * 150 + q]).collect();
                    assert_near(&found, &pixels.iter().map(sum).collect::<Vec<f32>>());
                    let sum = |k: usize| 0.5 + pixels.iter().map(|&q| x[50 * r + q] * tap(k, q)).sum::<f32>();
                    let found: Vec<f32> = (0..7).map(|k| dw[k * ROWS + r]).collect();
                    assert_near(&found, &(0..7).map(sum).collect::<Vec<f32>>());
                }
            }
        }
    }
}
