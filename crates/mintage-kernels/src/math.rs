//! Exponential and its relatives as polynomials: plain arithmetic that compiles to vector code.
//!
//! Errors are below 3e-7 of the result (erf: of 1). Numbers that are not finite stay so: NaN gives NaN, and
//! results saturate where f32 ends.

/// `eˣ`; x is clamped to ±87.3, where f32 ends.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Written as comparisons, so that NaN passes.
    let x = if x > 87.3 { 87.3 } else { x };
    let x = if x < -87.3 { -87.3 } else { x };
    // Adding 1.5 · 2²³ rounds to an integer, which then sits in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // x − n·ln 2 in two steps, ln 2 = 0.693359375 − 2.12194440e-4.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    p * scale
}

/// The natural logarithm of a positive number that is not subnormal.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    // x = m · 2ᵉ with m between √½ and √2: subtracting the bits of √½ leaves e above the 23 bits of m.
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let e = x.to_bits().wrapping_sub(ROOT_HALF) as i32 >> 23;
    let z = f32::from_bits(x.to_bits().wrapping_sub((e << 23) as u32)) - 1.0;
    let p = 7.037_683_6e-2;
    let p = p * z - 1.151_461e-1;
    let p = p * z + 1.167_7e-1;
    let p = p * z - 1.242_014_1e-1;
    let p = p * z + 1.424_932_3e-1;
    let p = p * z - 1.666_805_8e-1;
    let p = p * z + 2.000_071_5e-1;
    let p = p * z - 2.499_999_4e-1;
    let p = p * z + 3.333_333e-1;
    let e = e as f32;
    // Small parts first.
    let y = p * z * z * z - e * 2.121_944_4e-4 - 0.5 * z * z;
    (z + y) + e * 0.693_359_4
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent; near zero, where `1 − 2/(e²ˣ + 1)` would lose its digits, by a series.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let q = x * x;
    let p = -5.704_988_7e-3;
    let p = p * q + 2.063_909e-2;
    let p = p * q - 5.373_971_6e-2;
    let p = p * q + 1.333_144_2e-1;
    let p = p * q - 3.333_328e-1;
    let far = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < 0.625 { x + x * q * p } else { far }
}

/// `ln(1 + e^−|x|)`, as `2 artanh(u / (2 + u))` with `u = e^−|x|`; `ln(1 + eˣ)` is `max(x, 0)` more.
#[inline(always)]
pub(super) fn softplus_tail(x: f32) -> f32 {
    let u = exp(-x.abs());
    let s = u / (2.0 + u);
    let q = s * s;
    let p = 1.0 / 15.0;
    let p = p * q + 1.0 / 13.0;
    let p = p * q + 1.0 / 11.0;
    let p = p * q + 1.0 / 9.0;
    let p = p * q + 1.0 / 7.0;
    let p = p * q + 1.0 / 5.0;
    let p = p * q + 1.0 / 3.0;
    let p = p * q + 1.0;
    2.0 * s * p
}

/// The normal distribution function `Φ(x)` and its density `φ(x)` (Abramowitz & Stegun 7.1.26).
#[inline(always)]
pub(super) fn normal(x: f32) -> (f32, f32) {
    let e = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let p = 1.061_405_4;
    let p = p * t - 1.453_152_1;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_72;
    let p = p * t + 0.254_829_6;
    let tail = 0.5 * p * t * e;
    (if x < 0.0 { tail } else { 1.0 - tail }, 0.398_942_3 * e)
}

/// Sum of `value` over the items of `N` slices as long as the first, in sixteen lanes, always in the same
/// order. (Slices and not an index: with bounds to check the loop would not become vector code.)
#[inline(always)]
pub(super) fn sum<const N: usize>(of: [&[f32]; N], value: impl Fn([f32; N]) -> f32) -> f32 {
    const LANES: usize = 16;
    let of = of.map(|v| &v[..of[0].len()]);
    let count = of[0].len() / LANES;
    let blocks = of.map(|v| &v.as_chunks::<LANES>().0[..count]);
    let mut lanes = [0.0f32; LANES];
    for block in 0..count {
        let items = blocks.map(|b| &b[block]);
        for i in 0..LANES {
            lanes[i] += value(items.map(|v| v[i]));
        }
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    (count * LANES..of[0].len()).fold(lanes[0], |total, i| total + value(of.map(|v| v[i])))
}

/// The largest value; NaN is passed over.
#[inline(always)]
pub(super) fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 8];
    let (whole, rest) = values.as_chunks::<8>();
    for v in whole {
        for i in 0..8 {
            lanes[i] = if v[i] > lanes[i] { v[i] } else { lanes[i] };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_exact_functions() {
        for i in -20_000..=20_000 {
            let x = i as f32 * 4e-3;
            let exact = f64::from(x);
            assert!((f64::from(exp(x)) / exact.exp() - 1.0).abs() < 3e-7, "exp {x}");
            assert!((f64::from(sigmoid(x)) * (1.0 + (-exact).exp()) - 1.0).abs() < 5e-7, "sigmoid {x}");
            assert!((f64::from(tanh(x)) - exact.tanh()).abs() <= 3e-7 * exact.tanh().abs(), "tanh {x}");
            let tail = (-exact.abs()).exp().ln_1p();
            assert!((f64::from(softplus_tail(x)) / tail - 1.0).abs() < 5e-7, "softplus {x}");
        }
        for i in 1..200_000 {
            let x = (i as f32 * 1e-4).powi(3);
            let exact = f64::from(x).ln();
            assert!((f64::from(ln(x)) - exact).abs() < 2e-7 * exact.abs().max(1.0), "ln {x}");
        }
        // Φ at 0.5, 1, 2 and −3.
        for (x, phi) in
            [(0.5, 0.691_462_461), (1.0, 0.841_344_746), (2.0, 0.977_249_868), (-3.0, 0.001_349_898)]
        {
            assert!((f64::from(normal(x).0) - phi).abs() < 3e-7, "{x}");
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for f in [exp, sigmoid, tanh, softplus_tail, |x| normal(x).0] {
            assert!(f(f32::NAN).is_nan());
        }
        assert_eq!(sigmoid(f32::INFINITY), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::INFINITY) > 1e37);
    }
}
