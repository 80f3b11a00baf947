#![allow(unsafe_code)] // Intrinsics on raw pointers; each function states what it may touch.
//! How the convolution on tiles lays its numbers out, rounded to bfloat16 on the way.
//!
//! A *word* is two rounded numbers, the first of them in the lower half. Every function needs a CPU with tiles, and memory
//! behind the last number for the rest of a line.

use std::{
    arch::x86_64::{
        __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutexvar_epi16,
        _mm512_storeu_si512,
    },
    ops::Range,
};

use crate::simd::x86::Avx512;
use crate::tiles::{
    SIDE, WORDS,
    rounding::{BY_TURNS, some},
    turn,
};

/// Maps of several images, and where their pixels go.
#[derive(Clone, Copy)]
pub(super) struct Maps {
    pub channels: usize,
    pub h: usize,
    pub w: usize,
    /// Pixels from one row to the next, and from one image to the next.
    pub pitch: usize,
    pub image: usize,
    /// Where the first pixel goes.
    pub first: usize,
}

impl Maps {
    /// Runs `work(from, to, count)` for stretches of at most `len` pixels of a row: where they stand in the first channel
    /// of the first image, and where they go.
    #[inline(always)]
    fn each(self, images: usize, len: usize, mut work: impl FnMut(usize, usize, usize)) {
        for (image, y) in (0..images).flat_map(|image| (0..self.h).map(move |y| (image, y))) {
            let from = (image * self.channels * self.h + y) * self.w;
            let to = self.first + image * self.image + y * self.pitch;
            for x in (0..self.w).step_by(len) {
                work(from + x, to + x, len.min(self.w - x));
            }
        }
    }
}

/// `[images, channels, h, w]` → `[channels / 32][pixels][32]`, into zeros.
///
/// # Safety
/// `x` holds the images; `to` holds `pixels` lines of 16 words for every 32 channels, 15 of them behind the last pixel.
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) unsafe fn lay_out_pixels(x: *const f32, maps: Maps, images: usize, to: *mut u32, pixels: usize) {
    let plane = maps.h * maps.w;
    let order = unsafe { _mm512_loadu_si512(BY_TURNS.as_ptr().cast()) };
    let mut tile = [0u32; WORDS];
    for block in 0..maps.channels.div_ceil(2 * SIDE) {
        let (first, channels) = (block * 2 * SIDE, (maps.channels - block * 2 * SIDE).min(2 * SIDE));
        // What an earlier block has left of channels that this one lacks.
        tile.fill(0);
        maps.each(images, SIDE, |from, place, count| {
            let from = x.wrapping_add(first * plane + from);
            for pair in 0..channels.div_ceil(2) {
                let low = from.wrapping_add(2 * pair * plane);
                let high_count = if 2 * pair + 1 < channels { count } else { 0 };
                unsafe {
                    let [low, high] = [some(low, count), some(low.wrapping_add(plane), high_count)];
                    let words: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                    let words = _mm512_permutexvar_epi16(order, words);
                    _mm512_storeu_si512(tile[pair * SIDE..].as_mut_ptr().cast(), words);
                }
            }
            // Zeros go beyond a short stretch: into the gap, and where later rows will be written.
            unsafe {
                let to = to.add((block * pixels + place) * SIDE).cast();
                turn::<Avx512>(tile.as_ptr().cast(), SIDE, to, SIDE);
            }
        });
    }
}

/// `[images, all channels, h, w]` → `[channels][plane]` of half words, into zeros.
///
/// # Safety
/// `x` holds the images; `to` holds `plane` values for each of these channels, 31 of them behind the last pixel.
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) unsafe fn lay_out_planes(
    x: *const f32,
    maps: Maps,
    channels: Range<usize>,
    images: usize,
    to: *mut u16,
    plane: usize,
) {
    for (i, channel) in channels.enumerate() {
        let plane_of = x.wrapping_add(channel * maps.h * maps.w);
        maps.each(images, 2 * SIDE, |from, place, count| {
            let from = plane_of.wrapping_add(from);
            unsafe {
                let low = some(from, count.min(SIDE));
                let high = some(from.wrapping_add(SIDE), count.saturating_sub(SIDE));
                let words: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_si512(to.add(i * plane + place).cast(), words);
            }
        });
    }
}

/// Sixteen planes of half words, from the value `first` on, as lines of a right tile: `pairs` pairs of neighbours by planes.
///
/// # Safety
/// The planes hold `first` values and whole tiles of pairs behind them, `to` these tiles; `plane` is even.
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) unsafe fn fold_pairs(planes: *const u16, plane: usize, first: usize, pairs: usize, to: *mut u32) {
    for tile in 0..pairs.div_ceil(SIDE) {
        unsafe {
            let from = planes.add(first + tile * 2 * SIDE).cast();
            turn::<Avx512>(from, plane / 2, to.add(tile * WORDS).cast(), SIDE);
        }
    }
}

/// Sixteen planes of half words as left tiles: planes by 32 neighbours.
///
/// # Safety
/// The planes hold `steps` lines each, `to` that many tiles.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn fold_rows(planes: *const u16, plane: usize, steps: usize, to: *mut u32) {
    for (step, row) in (0..steps).flat_map(|step| (0..SIDE).map(move |row| (step, row))) {
        unsafe {
            let line = _mm512_loadu_si512(planes.add(row * plane + step * 2 * SIDE).cast());
            _mm512_storeu_si512(to.add((step * SIDE + row) * SIDE).cast(), line);
        }
    }
}

/// 32 rows of sixteen values, `row` apart, as a right tile: pairs of rows by columns.
///
/// # Safety
/// `from` holds the rows and `to` a tile.
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) unsafe fn word_rows(from: *const f32, row: usize, to: *mut u32) {
    unsafe {
        let order = _mm512_loadu_si512(BY_TURNS.as_ptr().cast());
        for pair in 0..SIDE {
            let [low, high] = [0, 1].map(|i| from.add((2 * pair + i) * row));
            let words: __m512i =
                std::mem::transmute(_mm512_cvtne2ps_pbh(_mm512_loadu_ps(high), _mm512_loadu_ps(low)));
            _mm512_storeu_si512(to.add(pair * SIDE).cast(), _mm512_permutexvar_epi16(order, words));
        }
    }
}

/// 32 × 32 sums, rows to columns.
///
/// # Safety
/// Both hold so many.
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) unsafe fn to_columns(sums: *const f32, to: *mut f32) {
    let wide = 2 * SIDE;
    for (row, col) in [(0, 0), (0, SIDE), (SIDE, 0), (SIDE, SIDE)] {
        unsafe { turn::<Avx512>(sums.add(row * wide + col), wide, to.add(col * wide + row), wide) };
    }
}
