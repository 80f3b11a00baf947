#![allow(unsafe_code)] // Intrinsics and `target_feature` functions have no safe form; each use checks the CPU first.
//! Vectors of floats, and functions compiled for several CPUs.
//!
//! A default x86-64 build may use SSE2 only. [`multiversion!`] compiles a function again for AVX2 + FMA and for
//! AVX-512 and picks one at run time; [`Job`] does the same for code that says which registers it uses. Plain loops
//! written `a * b + c` are never contracted, so element-wise kernels give the same bits on every CPU; the matrix-like
//! kernels (products, convolutions, attention) use fused multiply-add where there is one, and may differ between CPUs
//! in the last bits.

/// Whether the AVX2 + FMA copies may run.
#[inline]
pub(super) fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Whether the AVX-512 copies may run.
#[inline]
pub(super) fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return has_avx2()
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512dq");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Defines a function whose body is compiled for the build's baseline, for AVX2 + FMA and for AVX-512.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code)] // For the one call of the copy below.
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                if $crate::simd::has_avx512() {
                    // SAFETY: the CPU has the features.
                    return unsafe { avx512($($arg),*) };
                } else if $crate::simd::has_avx2() {
                    // SAFETY: the CPU has both features.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(super) use multiversion;

/// Work written once for vectors of any length.
pub(super) trait Job {
    /// # Safety
    /// Runs only where the CPU has `V`, and inlined into a function that enables its features.
    unsafe fn run<V: Lanes>(self);
}

/// Vectors that a CPU may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Vectors {
    Plain,
    Avx2,
    Avx512,
}

impl Vectors {
    /// The longest that this CPU has.
    fn longest() -> Self {
        if has_avx512() {
            Self::Avx512
        } else if has_avx2() {
            Self::Avx2
        } else {
            Self::Plain
        }
    }

    /// Runs `job` with these vectors.
    ///
    /// # Safety
    /// The CPU has them; what the job reads and writes is the caller's promise.
    pub unsafe fn run(self, job: impl Job) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq")]
            unsafe fn avx512(job: impl Job) {
                unsafe { job.run::<Avx512>() }
            }
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2(job: impl Job) {
                unsafe { job.run::<Avx2>() }
            }
            match self {
                Self::Avx512 => return unsafe { avx512(job) },
                Self::Avx2 => return unsafe { avx2(job) },
                Self::Plain => {}
            }
        }
        unsafe { job.run::<Plain>() }
    }
}

/// Runs `job` with the longest vectors that the CPU has.
///
/// # Safety
/// What the job reads and writes is the caller's promise.
pub(super) unsafe fn vectorised(job: impl Job) {
    // SAFETY: the CPU was asked; the rest is the caller's promise.
    unsafe { Vectors::longest().run(job) }
}

/// Values in a vector of [`vectorised`].
pub(super) fn vector_len() -> usize {
    if has_avx512() { 16 } else { 8 }
}

/// `LEN` values of `f32` in registers.
///
/// # Safety
/// Pointers must be valid for `LEN` values, and a type may be used only where the CPU has its features,
/// inside a function that enables them.
pub(super) trait Lanes: Copy {
    const LEN: usize;
    unsafe fn splat(v: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Asks for values that will be needed soon.
    unsafe fn prefetch(from: *const f32);
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn sub(self, b: Self) -> Self;
    /// `self · b + c`.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// Eight rows of eight values become eight columns: `to[j][i] = from[i][j]`.
    unsafe fn transpose8(from: [*const f32; 8], to: [*mut f32; 8]);
    /// Sums of the values of each of four vectors, always in the same order.
    unsafe fn sum4(v: [Self; 4]) -> [f32; 4];
}

/// The form for every CPU.
#[derive(Clone, Copy)]
struct Plain([f32; 8]);

impl Lanes for Plain {
    const LEN: usize = 8;
    #[inline(always)]
    unsafe fn splat(v: f32) -> Self {
        Self([v; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(from.cast::<[f32; 8]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - b.0[i]))
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * b.0[i] + c.0[i]))
    }
    #[inline(always)]
    unsafe fn transpose8(from: [*const f32; 8], to: [*mut f32; 8]) {
        for (j, to) in to.into_iter().enumerate() {
            for (i, from) in from.into_iter().enumerate() {
                unsafe { *to.add(i) = *from.add(j) };
            }
        }
    }
    #[inline(always)]
    unsafe fn sum4(v: [Self; 4]) -> [f32; 4] {
        v.map(|Self(v)| ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])))
    }
}

#[cfg(target_arch = "x86_64")]
use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use std::arch::x86_64::*;

    use super::Lanes;

    /// One AVX register.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(__m256);

    /// One AVX-512 register.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    macro_rules! lanes {
        ($name:ident, $len:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $fma:ident) => {
            impl Lanes for $name {
                const LEN: usize = $len;
                #[inline(always)]
                unsafe fn splat(v: f32) -> Self {
                    unsafe { Self($splat(v)) }
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    unsafe { Self($load(from)) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn prefetch(from: *const f32) {
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
                }
                #[inline(always)]
                unsafe fn add(self, b: Self) -> Self {
                    unsafe { Self($add(self.0, b.0)) }
                }
                #[inline(always)]
                unsafe fn sub(self, b: Self) -> Self {
                    unsafe { Self($sub(self.0, b.0)) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                    unsafe { Self($fma(self.0, b.0, c.0)) }
                }
                #[inline(always)]
                unsafe fn transpose8(from: [*const f32; 8], to: [*mut f32; 8]) {
                    unsafe { transpose8(from, to) }
                }
                #[inline(always)]
                unsafe fn sum4(v: [Self; 4]) -> [f32; 4] {
                    unsafe { Self::sums(v) }
                }
            }
        };
    }
    lanes!(
        Avx2,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_fmadd_ps
    );
    lanes!(
        Avx512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_fmadd_ps
    );

    impl Avx2 {
        #[inline(always)]
        unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            unsafe {
                let pairs = _mm256_hadd_ps(_mm256_hadd_ps(a.0, b.0), _mm256_hadd_ps(c.0, d.0));
                let sums = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
                let mut out = [0.0; 4];
                _mm_storeu_ps(out.as_mut_ptr(), sums);
                out
            }
        }
    }

    impl Avx512 {
        #[inline(always)]
        unsafe fn sums(v: [Self; 4]) -> [f32; 4] {
            unsafe {
                let mut halves = [Avx2(_mm256_setzero_ps()); 4];
                for i in 0..4 {
                    let (low, high) = (_mm512_castps512_ps256(v[i].0), _mm512_extractf32x8_ps::<1>(v[i].0));
                    halves[i] = Avx2(_mm256_add_ps(low, high));
                }
                Avx2::sums(halves)
            }
        }
    }

    #[inline(always)]
    unsafe fn transpose8(from: [*const f32; 8], to: [*mut f32; 8]) {
        unsafe {
            for at in [0, 4] {
                let mut pairs = [_mm256_setzero_ps(); 4];
                for i in 0..4 {
                    // Rows i and i + 4 share a register, so that halves need not change places later.
                    let low = _mm256_castps128_ps256(_mm_loadu_ps(from[i].add(at)));
                    pairs[i] = _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(from[i + 4].add(at)));
                }
                let [a, b, c, d] = pairs;
                let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
                let (ab2, cd2) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
                _mm256_storeu_ps(to[at], _mm256_shuffle_ps::<0x44>(ab, cd));
                _mm256_storeu_ps(to[at + 1], _mm256_shuffle_ps::<0xEE>(ab, cd));
                _mm256_storeu_ps(to[at + 2], _mm256_shuffle_ps::<0x44>(ab2, cd2));
                _mm256_storeu_ps(to[at + 3], _mm256_shuffle_ps::<0xEE>(ab2, cd2));
            }
        }
    }
}
