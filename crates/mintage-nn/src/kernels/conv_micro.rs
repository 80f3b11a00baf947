#![allow(unsafe_code)] // Inner loops on raw pointers; each `unsafe fn` states what it may touch.
//! The two inner loops of the convolution: `y = W x` over shifted rows, and `dW = g xᵀ`.
//!
//! Both keep a block of sums in registers: 4 output channels × 2 vectors of 8 pixels, and 4 channels ×
//! 3 taps × 8 pixels. (4 × 3 vectors would be twelve sums as well, but with three vectors and two weights in
//! flight one sum no longer fits into the sixteen registers, and its chain through memory halves the speed.)
//! With the thirty-two registers of AVX-512 the blocks are twice as wide. Neither knows what an image is:
//! [`super::conv`] lays the planes out so that a tap of the filter is one fixed offset, and lists where the
//! vectors of pixels start.

use super::simd::{Plain, Sum4};

/// Output channels of one block.
pub(super) const ROWS: usize = 4;
/// Pixels of one vector.
pub(super) const VECTOR: usize = 8;
/// Vectors of pixels of one block: with sixteen registers, and with thirty-two.
pub(super) const WIDTH: usize = 2;
#[cfg(target_arch = "x86_64")]
const WIDE: usize = 4;
/// Taps of one block of the weight gradient: with sixteen registers, and with thirty-two.
const TAPS: usize = 3;
#[cfg(target_arch = "x86_64")]
const MANY_TAPS: usize = 6;

/// What [`rows`] multiplies: planes at `x`, shifted by each of `offsets`, with 4 weights a tap.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub x: *const f32,
    pub offsets: &'a [u32],
    /// `[tap][4]`; rows beyond the block's last are ignored.
    pub weight: &'a [f32],
    pub bias: [f32; ROWS],
    /// Where each vector of pixels starts; sorted, and they do not overlap.
    pub starts: &'a [u32],
    /// Taps after which the sums are put aside, so that what they read stays in the first-level cache.
    pub chunk: usize,
}

/// `out[r][q] = bias[r] + Σ_k weight[k][r] · x[offset_k + q]` for the 8 pixels `q` from each start and `r < rows ≤ 4`; row
/// `r` of `out` starts at `r · out_stride`.
///
/// # Safety
/// `x` is readable and each row of `out` writable for 8 values from every start (plus any offset).
pub(super) unsafe fn rows(a: Operands, rows: usize, out: *mut f32, out_stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if super::simd::has_avx512() {
        // SAFETY: the CPU has the features; the rest is the caller's promise.
        return unsafe { rows_avx512(a, rows, out, out_stride) };
    } else if super::simd::has_avx2() {
        // SAFETY: the CPU has both features; the rest is the caller's promise.
        return unsafe { rows_avx2(a, rows, out, out_stride) };
    }
    unsafe { rows_by::<Plain, WIDTH>(a, rows, out, out_stride) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
unsafe fn rows_avx512(a: Operands, rows: usize, out: *mut f32, out_stride: usize) {
    unsafe { rows_by::<super::simd::Avx2, WIDE>(a, rows, out, out_stride) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn rows_avx2(a: Operands, rows: usize, out: *mut f32, out_stride: usize) {
    unsafe { rows_by::<super::simd::Avx2, WIDTH>(a, rows, out, out_stride) }
}

/// [`rows`] as CPUs without AVX2 run it, or with blocks of another width.
#[cfg(test)]
pub(super) unsafe fn rows_plain<const W: usize>(a: Operands, rows: usize, out: *mut f32, out_stride: usize) {
    unsafe { rows_by::<Plain, W>(a, rows, out, out_stride) }
}

#[inline(always)]
unsafe fn rows_by<V: Sum4, const W: usize>(a: Operands, rows: usize, out: *mut f32, out_stride: usize) {
    assert!(a.weight.len() >= a.offsets.len() * ROWS);
    unsafe {
        match rows {
            1 => row_block::<V, 1, W>(a, out, out_stride),
            2 => row_block::<V, 2, W>(a, out, out_stride),
            3 => row_block::<V, 3, W>(a, out, out_stride),
            _ => row_block::<V, 4, W>(a, out, out_stride),
        }
    }
}

/// `N` starts; a short last block repeats its last one and computes the same values again.
#[inline(always)]
fn block<const N: usize>(v: &[u32]) -> [usize; N] {
    std::array::from_fn(|i| v[i.min(v.len() - 1)] as usize)
}

#[inline(always)]
unsafe fn row_block<V: Sum4, const R: usize, const W: usize>(a: Operands, out: *mut f32, out_stride: usize) {
    unsafe {
        for (chunk, offsets) in a.offsets.chunks(a.chunk).enumerate() {
            let weight = a.weight.as_ptr().add(chunk * a.chunk * ROWS);
            for starts in a.starts.chunks(W).map(block::<W>) {
                let x = starts.map(|start| a.x.add(start));
                let mut sums = [[V::splat(0.0); W]; R];
                for r in 0..R {
                    for i in 0..W {
                        let earlier = out.add(r * out_stride + starts[i]);
                        sums[r][i] = if chunk == 0 { V::splat(a.bias[r]) } else { V::load(earlier) };
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
                        sums[r][i].store(out.add(r * out_stride + starts[i]));
                    }
                }
            }
        }
    }
}

/// What [`taps`] correlates: rows of `g`, `g_stride` apart, with planes at `x`, shifted by each of `offsets`.
#[derive(Clone, Copy)]
pub(super) struct Correlation<'a> {
    pub g: *const f32,
    pub g_stride: usize,
    pub x: *const f32,
    pub offsets: &'a [u32],
    /// Where each vector of pixels starts; they do not overlap.
    pub starts: &'a [u32],
}

/// `out[k][r] += Σ_q g[r][q] · x[offsets[k] + q]` for all `k`, `r < rows ≤ 4`, over the 8 pixels `q` from each start.
///
/// # Safety
/// `x` (from each offset) and each row of `g` are readable for 8 values from every start.
pub(super) unsafe fn taps(a: Correlation, rows: usize, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if super::simd::has_avx512() {
        // SAFETY: the CPU has the features; the rest is the caller's promise.
        return unsafe { taps_avx512(a, rows, out) };
    } else if super::simd::has_avx2() {
        // SAFETY: the CPU has both features; the rest is the caller's promise.
        return unsafe { taps_avx2(a, rows, out) };
    }
    unsafe { taps_by::<Plain, TAPS>(a, rows, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
unsafe fn taps_avx512(a: Correlation, rows: usize, out: &mut [f32]) {
    unsafe { taps_by::<super::simd::Avx2, MANY_TAPS>(a, rows, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn taps_avx2(a: Correlation, rows: usize, out: &mut [f32]) {
    unsafe { taps_by::<super::simd::Avx2, TAPS>(a, rows, out) }
}

/// [`taps`] as CPUs without AVX2 run it, or with blocks of another size.
#[cfg(test)]
pub(super) unsafe fn taps_plain<const T: usize>(a: Correlation, rows: usize, out: &mut [f32]) {
    unsafe { taps_by::<Plain, T>(a, rows, out) }
}

#[inline(always)]
unsafe fn taps_by<V: Sum4, const T: usize>(a: Correlation, rows: usize, out: &mut [f32]) {
    unsafe {
        match rows {
            1 => tap_blocks::<V, 1, T>(a, out),
            2 => tap_blocks::<V, 2, T>(a, out),
            3 => tap_blocks::<V, 3, T>(a, out),
            _ => tap_blocks::<V, 4, T>(a, out),
        }
    }
}

#[inline(always)]
unsafe fn tap_blocks<V: Sum4, const R: usize, const T: usize>(a: Correlation, out: &mut [f32]) {
    for (offsets, out) in a.offsets.chunks(T).zip(out.chunks_mut(T * ROWS)) {
        let shifts = block::<T>(offsets);
        unsafe {
            let mut sums = [[V::splat(0.0); ROWS]; T];
            let x = shifts.map(|shift| a.x.add(shift));
            for &start in a.starts {
                let q = start as usize;
                let v = x.map(|x| V::load(x.add(q)));
                for r in 0..R {
                    let g = V::load(a.g.add(r * a.g_stride + q));
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
