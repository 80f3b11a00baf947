#![allow(unsafe_code)] // Intrinsics on raw pointers.
//! Laying out by the instruction that rounds thirty-two numbers at once.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_maskz_loadu_ps,
    _mm512_permutexvar_epi16, _mm512_setzero_ps, _mm512_storeu_si512,
};

use super::{GROUP, Pack, SIDE, WORDS, turn};
use crate::simd::x86::Avx512;

/// Of sixteen numbers and the sixteen behind them as halves of words: the first of either, the second, …
pub(crate) const BY_TURNS: [u16; 32] = {
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
pub(super) unsafe fn run(pack: Pack) {
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
                unsafe { turn::<Avx512>(tiles[block].as_ptr().cast(), SIDE, place(block).cast(), SIDE) };
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
///
/// # Safety
/// So many stand there, and the CPU has AVX-512.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn some(from: *const f32, count: usize) -> __m512 {
    let mask = if count >= SIDE { u16::MAX } else { (1 << count) - 1 };
    unsafe { _mm512_maskz_loadu_ps(mask, from) }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(to: *mut u32, words: std::arch::x86_64::__m512bh) {
    let words: __m512i = unsafe { std::mem::transmute(words) };
    unsafe { _mm512_storeu_si512(to.cast(), words) };
}
