#![allow(unsafe_code)] // Tile registers have neither types nor safe instructions.
//! The instructions: who may use them, and the two loops of products.

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

/// What [`accumulate`] goes through: products of two left and two right tiles a step.
pub(crate) struct Walk<'a> {
    /// Bytes from the first left tile to that of each step.
    pub offsets: &'a [usize],
    /// Bytes from row to row of a left tile, and from the first left tile to the second.
    pub a_row: usize,
    pub a_next: usize,
    /// The first right tile, whose rows lie one behind the other.
    pub b: *const u8,
    /// Bytes from the first right tile to the second, and from step to step.
    pub b_next: usize,
    pub b_step: usize,
}

/// Adds the sums over all steps of a walk from the left tile at `a` to the 32 × 32 values at `c`, whose rows are `c_row`
/// apart.
///
/// # Safety
/// Tiles are configured, all of them lie in memory, and `c` is the caller's.
pub(crate) unsafe fn accumulate(a: *const u8, walk: &Walk, c: *mut f32, c_row: usize) {
    if walk.offsets.is_empty() {
        return;
    }
    // There are not enough registers for all of them.
    let next = [walk.a_next, walk.b_next, walk.b_step];
    unsafe {
        asm!(
            "tileloadd tmm0, [{c} + {row}*1]",
            "tileloadd tmm1, [{c} + {row}*1 + 64]",
            "tileloadd tmm2, [{d} + {row}*1]",
            "tileloadd tmm3, [{d} + {row}*1 + 64]",
            "2:",
            "mov {left}, [{offsets}]",
            "add {left}, {a}",
            "mov {right}, {b}",
            "add {right}, [{next} + 8]",
            "tileloadd tmm6, [{b} + {line}*1]",
            "tileloadd tmm7, [{right} + {line}*1]",
            "tileloadd tmm4, [{left} + {a_row}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {left}, [{next}]",
            "tileloadd tmm5, [{left} + {a_row}*1]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {b}, [{next} + 16]",
            "add {offsets}, 8",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{c} + {row}*1], tmm0",
            "tilestored [{c} + {row}*1 + 64], tmm1",
            "tilestored [{d} + {row}*1], tmm2",
            "tilestored [{d} + {row}*1 + 64], tmm3",
            c = in(reg) c,
            d = in(reg) c.add(SIDE * c_row),
            row = in(reg) 4 * c_row,
            line = in(reg) 4 * SIDE,
            a = in(reg) a,
            a_row = in(reg) walk.a_row,
            next = in(reg) next.as_ptr(),
            left = out(reg) _,
            right = out(reg) _,
            b = inout(reg) walk.b => _,
            offsets = inout(reg) walk.offsets.as_ptr() => _,
            steps = inout(reg) walk.offsets.len() => _,
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
