#![allow(unsafe_code)] // A job on registers; the CPU is asked first.
//! What the machine gives at most: nothing but multiply-adds on registers. Benches put products beside it.

use super::simd::{Job, Lanes, vector_len, vectorised};

/// Vectors of sums, enough to hide that one takes a few cycles.
const SUMS: usize = 12;

/// So many rounds on this thread; the operations that they took.
pub fn multiply_adds(rounds: usize) -> usize {
    let mut sums = [0.0; SUMS * 16];
    // SAFETY: there is room for all sums with the longest vectors.
    unsafe { vectorised(Rounds { rounds, to: sums.as_mut_ptr() }) };
    std::hint::black_box(sums);
    2 * SUMS * vector_len() * rounds
}

struct Rounds {
    rounds: usize,
    to: *mut f32,
}

impl Job for Rounds {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        unsafe {
            let (factor, summand) = (V::splat(0.999), V::splat(1e-3));
            // Not 1, which the step leaves as it is: the compiler would see that.
            let mut sums = [V::splat(0.5); SUMS];
            for _ in 0..self.rounds {
                for sum in &mut sums {
                    *sum = sum.mul_add(factor, summand);
                }
            }
            for (i, sum) in sums.into_iter().enumerate() {
                sum.store(self.to.add(i * V::LEN));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_its_operations() {
        assert_eq!(super::multiply_adds(1000), 2 * 12 * 1000 * crate::simd::vector_len());
    }
}
