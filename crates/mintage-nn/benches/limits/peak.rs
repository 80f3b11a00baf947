//! The limit of arithmetic: nothing but multiply-adds on registers.

/// Vectors of sums, enough to hide that one takes a few cycles.
const SUMS: usize = 12;

/// Operations of one round.
pub const OPERATIONS: usize = 2 * SUMS * 16;

/// So many rounds of it, on this thread; the sums, so that nobody leaves the work out.
#[allow(unsafe_code)] // `target_feature` functions have no safe form; the CPU is asked first.
pub fn multiply_adds(rounds: usize) -> [[f32; 16]; SUMS] {
    #[inline(always)]
    fn body(rounds: usize) -> [[f32; 16]; SUMS] {
        let mut sums = [[1.0f32; 16]; SUMS];
        for _ in 0..rounds {
            for v in sums.as_flattened_mut() {
                *v = v.mul_add(0.999, 1e-3);
            }
        }
        sums
    }
    /// Half the sums at a time: there are sixteen registers of eight values.
    #[inline(always)]
    fn halves(rounds: usize) -> [[f32; 16]; SUMS] {
        let mut sums = [[1.0f32; 16]; SUMS];
        for half in sums.as_chunks_mut::<{ SUMS / 2 }>().0 {
            let mut own = *half;
            for _ in 0..rounds {
                for v in own.as_flattened_mut() {
                    *v = v.mul_add(0.999, 1e-3);
                }
            }
            *half = own;
        }
        sums
    }
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,avx512f")]
        fn avx512(rounds: usize) -> [[f32; 16]; SUMS] {
            body(rounds)
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2(rounds: usize) -> [[f32; 16]; SUMS] {
            halves(rounds)
        }
        let fma = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
        if fma && std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has the features.
            return unsafe { avx512(rounds) };
        } else if fma {
            // SAFETY: the CPU has both features.
            return unsafe { avx2(rounds) };
        }
    }
    body(rounds)
}
