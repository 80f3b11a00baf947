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

use std::{cell::Cell, ops::Range};

use rayon::prelude::*;

use super::{
    memory::{Shared, parts, unwritten},
    product_micro::Matrix,
    simd::Lanes,
};

/// Rows, columns and pairs of values of a tile.
const SIDE: usize = 16;
/// 32-bit words of a tile.
const WORDS: usize = SIDE * SIDE;
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
fn has_fast_products() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return machine::available();
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    return false;
}

/// Whether products of training are rounded in a network so wide.
pub fn is_fast(width: usize) -> bool {
    width >= MIN_SIDE && has_fast_products()
}

/// Whether a product of this size is to be made of tiles.
pub(super) fn wanted(sides: [usize; 3]) -> bool {
    FAST.get()
        && sides.iter().all(|&side| side >= MIN_SIDE)
        && sides.iter().product::<usize>() >= MIN_MULTIPLICATIONS
        && has_fast_products()
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

/// One side of a product as tiles: blocks of 16 rows or columns, in each the tiles along the inner dimension. There is an
/// even number of blocks; what lies beyond the matrix is 0.
struct Side {
    words: Vec<f32>,
    steps: usize,
}

impl Side {
    /// `lanes` are the rows of the left side, the columns of the right one; `stride` from lane to lane, and along the inner
    /// dimension.
    fn packed(values: &[f32], stride: (usize, usize), lanes: usize, depth: usize, left: bool) -> Self {
        let steps = depth.div_ceil(2 * SIDE);
        let blocks = lanes.div_ceil(2 * SIDE) * 2;
        let mut words = unwritten(blocks * steps * WORDS);
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

/// Laying out by the instruction that rounds thirty-two numbers at once.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod rounding {
    use std::arch::x86_64::{
        __m512, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutexvar_epi16,
        _mm512_setzero_ps, _mm512_storeu_si512,
    };

    use super::{GROUP, Pack, SIDE, WORDS, turn};
    use crate::simd::x86::Avx512;

    /// Of sixteen numbers and the sixteen behind them as halves of words: the first of either, the second, …
    const BY_TURNS: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };

    /// # Safety
    /// The matrix is as [`Pack`] says, and the CPU has the features.
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
    pub unsafe fn run(pack: Pack) {
        // The tiles of a group, each as it lies in memory: lane by lane, or pair by pair.
        let mut tiles = [[0u32; WORDS]; GROUP];
        let by_lanes = pack.stride.1 == 1;
        let straight = pack.left == by_lanes;
        for step in pack.stretch.clone() {
            let place = |block: usize| unsafe { pack.to.add((block * pack.steps + step) * WORDS) };
            let mut near = [std::ptr::null_mut(); GROUP];
            for block in 0..pack.blocks {
                near[block] = if straight { place(block) } else { tiles[block].as_mut_ptr() };
            }
            unsafe {
                match by_lanes {
                    true => read_lanes(&pack, step, near),
                    false => read_pairs(&pack, step, near),
                }
            }
            if !straight {
                for block in 0..pack.blocks {
                    unsafe { turn::<Avx512>(&tiles[block], place(block)) };
                }
            }
        }
    }

    /// One step of the inner dimension of all lanes, whose values lie one behind the other.
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
    unsafe fn read_lanes(pack: &Pack, step: usize, to: [*mut u32; GROUP]) {
        let first = step * 2 * SIDE;
        let here = (pack.depth - first).min(2 * SIDE);
        for lane in 0..pack.blocks * SIDE {
            let from = pack.values.wrapping_add(lane * pack.stride.0 + first);
            let [a, b] = match here {
                _ if lane >= pack.lanes => [_mm512_setzero_ps(); 2],
                32 => unsafe { [_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(SIDE))] },
                _ => unsafe { [some(from, here), some(from.wrapping_add(SIDE), here.saturating_sub(SIDE))] },
            };
            unsafe { store(to[lane / SIDE].add(lane % SIDE * SIDE), _mm512_cvtne2ps_pbh(b, a)) };
        }
    }

    /// The same where lanes lie side by side.
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
    unsafe fn read_pairs(pack: &Pack, step: usize, to: [*mut u32; GROUP]) {
        let order = unsafe { _mm512_loadu_si512(BY_TURNS.as_ptr().cast()) };
        for p in 0..SIDE {
            let at = (step * SIDE + p) * 2;
            // What a line of memory holds is used at once.
            for (block, to) in to.iter().enumerate().take(pack.blocks) {
                let lanes = pack.lanes.saturating_sub(block * SIDE).min(SIDE);
                let from = |at: usize| pack.values.wrapping_add(at * pack.stride.1 + block * SIDE);
                let count = |at: usize| if at < pack.depth { lanes } else { 0 };
                unsafe {
                    let (low, high) = (some(from(at), count(at)), some(from(at + 1), count(at + 1)));
                    let words: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                    _mm512_storeu_si512(to.add(p * SIDE).cast(), _mm512_permutexvar_epi16(order, words));
                }
            }
        }
    }

    /// The first `count` of sixteen numbers, and zeros.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn some(from: *const f32, count: usize) -> __m512 {
        if count >= SIDE {
            return unsafe { _mm512_loadu_ps(from) };
        }
        let mut values = [0.0f32; SIDE];
        (0..count).for_each(|i| values[i] = unsafe { *from.add(i) });
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn store(to: *mut u32, words: std::arch::x86_64::__m512bh) {
        let words: __m512i = unsafe { std::mem::transmute(words) };
        unsafe { _mm512_storeu_si512(to.cast(), words) };
    }
}

/// Rows to columns.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[inline(always)]
unsafe fn turn<V: Lanes>(tile: &[u32; WORDS], to: *mut u32) {
    for (row, col) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
        let (mut from, mut into) = ([std::ptr::null(); 8], [std::ptr::null_mut(); 8]);
        for i in 0..8 {
            from[i] = tile[(row + i) * SIDE + col..].as_ptr().cast::<f32>();
            into[i] = unsafe { to.add((col + i) * SIDE + row) }.cast::<f32>();
        }
        // Moved, not calculated with: any bits are as good as numbers.
        unsafe { V::transpose8(from, into) };
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

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod machine {
    use std::{
        arch::{asm, x86_64::__cpuid_count},
        sync::OnceLock,
    };

    use super::{SIDE, WORDS};
    use crate::simd::has_avx512;

    /// The system call that asks for the tile registers, and their number among the parts of a processor's state.
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;

    pub fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            let features = __cpuid_count(7, 0).edx;
            let (bf16, tile) = (features >> 22 & 1, features >> 24 & 1);
            // The CPU may have tiles and the system may not let a process have them.
            let rounding = is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw");
            has_avx512() && rounding && bf16 == 1 && tile == 1 && permitted()
        })
    }

    fn permitted() -> bool {
        let answer: isize;
        // SAFETY: this call reads two numbers and changes what this process may use, nothing else.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL as isize => answer,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XFEATURE_XTILEDATA,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        answer == 0
    }

    /// Runs `work` with all eight tiles of this thread whole, and gives them back.
    ///
    /// # Safety
    /// The machine has tiles.
    pub unsafe fn configured(work: impl FnOnce()) {
        #[repr(C, align(64))]
        struct Config {
            palette: u8,
            start: u8,
            reserved: [u8; 14],
            bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut config = Config { palette: 1, start: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
        config.bytes[..8].fill(4 * SIDE as u16);
        config.rows[..8].fill(SIDE as u8);
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly));
            work();
            asm!("tilerelease", options(nostack, nomem));
        }
    }

    /// The sums of 2 × 2 tiles over `steps` tiles of two rows and two columns of tiles, into `c` with rows `c_row` apart.
    ///
    /// # Safety
    /// Tiles are configured; `tiles` have `steps` tiles each, `c` has 32 rows of 32 values that are the caller's.
    pub unsafe fn multiply(tiles: [*const f32; 4], steps: usize, c: *mut f32, c_row: usize, add: bool) {
        let [a0, a1, b0, b1] = tiles;
        unsafe {
            asm!(
                "test {add}, {add}",
                "jnz 3f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 2f",
                "3:",
                "tileloadd tmm0, [{c} + {row}*1]",
                "tileloadd tmm1, [{c} + {row}*1 + 64]",
                "tileloadd tmm2, [{d} + {row}*1]",
                "tileloadd tmm3, [{d} + {row}*1 + 64]",
                "2:",
                "tileloadd tmm6, [{b0} + {line}*1]",
                "tileloadd tmm7, [{b1} + {line}*1]",
                "tileloadd tmm4, [{a0} + {line}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{a1} + {line}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a0}, {tile}",
                "add {a1}, {tile}",
                "add {b0}, {tile}",
                "add {b1}, {tile}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{c} + {row}*1], tmm0",
                "tilestored [{c} + {row}*1 + 64], tmm1",
                "tilestored [{d} + {row}*1], tmm2",
                "tilestored [{d} + {row}*1 + 64], tmm3",
                add = in(reg) usize::from(add),
                c = in(reg) c,
                d = in(reg) c.add(SIDE * c_row),
                row = in(reg) 4 * c_row,
                line = in(reg) 4 * SIDE,
                tile = const 4 * WORDS,
                a0 = inout(reg) a0 => _,
                a1 = inout(reg) a1 => _,
                b0 = inout(reg) b0 => _,
                b1 = inout(reg) b1 => _,
                steps = inout(reg) steps => _,
                out("tmm0") _,
                out("tmm1") _,
                out("tmm2") _,
                out("tmm3") _,
                out("tmm4") _,
                out("tmm5") _,
                out("tmm6") _,
                out("tmm7") _,
                options(nostack),
            );
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
