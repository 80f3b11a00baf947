#![allow(unsafe_code)] // Inner loops on raw pointers; each job states what it may touch.
//! The inner loops of the Winograd convolution: transforms of tiles and of filters.
//!
//! A vector holds one pixel of neighbouring channels. The transforms are those of Toom and Cook for the points
//! 0, ±p, ±q and ∞ (Lavin & Gray, arXiv:1509.09308, take 1 and 2); with p = 3/4 and q = 3/2 the error in single
//! precision is a third of theirs and twice that of the direct sum (docs/experiments.md).

use super::simd::{Job, Lanes};

/// Outputs of a tile along one axis, inputs of a tile, taps of the filter.
pub(super) const OUT: usize = 4;
pub(super) const IN: usize = 6;
pub(super) const TAPS: usize = 3;

const P: f32 = 0.75;
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;

/// `Bᵀ d`: a tile's values along one axis become factors.
#[inline(always)]
unsafe fn to_factors<V: Lanes>(d: [V; IN]) -> [V; IN] {
    unsafe {
        let c = |v: f32| V::splat(v);
        let (even, odd) = (c(-Q2).mul_add(d[2], d[4]), c(-Q2).mul_add(d[1], d[3]));
        let (even2, odd2) = (c(-P2).mul_add(d[2], d[4]), c(-P2).mul_add(d[1], d[3]));
        [
            c(P2 * Q2).mul_add(d[0], c(-P2 - Q2).mul_add(d[2], d[4])),
            c(P).mul_add(odd, even),
            c(-P).mul_add(odd, even),
            c(Q).mul_add(odd2, even2),
            c(-Q).mul_add(odd2, even2),
            c(P2 * Q2).mul_add(d[1], c(-P2 - Q2).mul_add(d[3], d[5])),
        ]
    }
}

/// `Aᵀ m`: products along one axis become outputs.
#[inline(always)]
unsafe fn to_outputs<V: Lanes>(m: [V; IN]) -> [V; OUT] {
    unsafe {
        let c = |v: f32| V::splat(v);
        let (even, odd) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (even2, odd2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(even).add(even2),
            c(Q).mul_add(odd2, c(P).mul_add(odd, c(0.0))),
            c(Q2).mul_add(even2, c(P2).mul_add(even, c(0.0))),
            c(Q2 * Q).mul_add(odd2, c(P2 * P).mul_add(odd, m[5])),
        ]
    }
}

/// `A g`, the transpose of [`to_outputs`]: gradients of outputs become gradients of products.
#[inline(always)]
unsafe fn from_outputs<V: Lanes>(g: [V; OUT]) -> [V; IN] {
    unsafe {
        let c = |v: f32| V::splat(v);
        let (even, odd) = (c(P2).mul_add(g[2], g[0]), c(P2).mul_add(g[3], g[1]));
        let (even2, odd2) = (c(Q2).mul_add(g[2], g[0]), c(Q2).mul_add(g[3], g[1]));
        [
            g[0],
            c(P).mul_add(odd, even),
            c(-P).mul_add(odd, even),
            c(Q).mul_add(odd2, even2),
            c(-Q).mul_add(odd2, even2),
            g[3],
        ]
    }
}

/// One over the products of a point's distances to the other points: of 0, ±p and ±q.
const N0: f32 = 1.0 / (P2 * Q2);
const NP: f32 = 1.0 / (2.0 * P2 * (P2 - Q2));
const NQ: f32 = 1.0 / (2.0 * Q2 * (Q2 - P2));

/// `G w`: the taps along one axis become factors.
#[inline(always)]
unsafe fn filter_to_factors<V: Lanes>(w: [V; TAPS]) -> [V; IN] {
    unsafe {
        let (c, zero) = (|v: f32| V::splat(v), V::splat(0.0));
        let (even, odd) = (c(P2).mul_add(w[2], w[0]), c(P).mul_add(w[1], zero));
        let (even2, odd2) = (c(Q2).mul_add(w[2], w[0]), c(Q).mul_add(w[1], zero));
        [
            c(N0).mul_add(w[0], zero),
            c(NP).mul_add(even.add(odd), zero),
            c(NP).mul_add(even.sub(odd), zero),
            c(NQ).mul_add(even2.add(odd2), zero),
            c(NQ).mul_add(even2.sub(odd2), zero),
            w[2],
        ]
    }
}

/// `Gᵀ u`, the transpose of [`filter_to_factors`].
#[inline(always)]
unsafe fn factors_to_filter<V: Lanes>(u: [V; IN]) -> [V; TAPS] {
    unsafe {
        let (c, zero) = (|v: f32| V::splat(v), V::splat(0.0));
        let (even, odd) = (c(NP).mul_add(u[1].add(u[2]), zero), c(NP).mul_add(u[1].sub(u[2]), zero));
        let (even2, odd2) = (c(NQ).mul_add(u[3].add(u[4]), zero), c(NQ).mul_add(u[3].sub(u[4]), zero));
        [
            c(N0).mul_add(u[0], even.add(even2)),
            c(Q).mul_add(odd2, c(P).mul_add(odd, zero)),
            c(Q2).mul_add(even2, c(P2).mul_add(even, u[5])),
        ]
    }
}

/// A transform of both axes: `$line` of every column, then of every row.
macro_rules! both_axes {
    ($name:ident, $line:ident, $from:ident, $to:ident) => {
        #[inline(always)]
        unsafe fn $name<V: Lanes>(from: [[V; $from]; $from]) -> [[V; $to]; $to] {
            unsafe {
                let zero = V::splat(0.0);
                let (mut between, mut to) = ([[zero; $from]; $to], [[zero; $to]; $to]);
                for x in 0..$from {
                    let mut column = [zero; $from];
                    for y in 0..$from {
                        column[y] = from[y][x];
                    }
                    let column = $line(column);
                    for y in 0..$to {
                        between[y][x] = column[y];
                    }
                }
                for y in 0..$to {
                    to[y] = $line(between[y]);
                }
                to
            }
        }
    };
}

both_axes!(tile_to_factors, to_factors, IN, IN);
both_axes!(products_to_tile, to_outputs, IN, OUT);
both_axes!(gradient_to_factors, from_outputs, OUT, IN);
both_axes!(filter_to_square, filter_to_factors, TAPS, IN);
both_axes!(square_to_filter, factors_to_filter, IN, TAPS);

/// A square of `N × N` vectors, `row` and `col` apart.
#[inline(always)]
unsafe fn load<V: Lanes, const N: usize>(from: *const f32, row: usize, col: usize) -> [[V; N]; N] {
    unsafe {
        let mut square = [[V::splat(0.0); N]; N];
        for y in 0..N {
            for x in 0..N {
                square[y][x] = V::load(from.add(y * row + x * col));
            }
        }
        square
    }
}

#[inline(always)]
unsafe fn store<V: Lanes, const N: usize>(square: [[V; N]; N], to: *mut f32, row: usize, col: usize) {
    unsafe {
        for y in 0..N {
            for x in 0..N {
                square[y][x].store(to.add(y * row + x * col));
            }
        }
    }
}

/// What becomes what in [`Tiles`].
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Transform {
    /// Inputs of tiles to factors.
    Input,
    /// Gradients of outputs to factors.
    Gradient,
    /// Products to outputs.
    Output,
}

/// Transforms all tiles: `pixels` holds the channels of a pixel side by side, rows of pixels `row` apart; `factors`
/// holds 36 matrices `[tile][channel]`, `square` apart.
pub(super) struct Tiles<'a> {
    pub transform: Transform,
    pub pixels: *mut f32,
    pub row: usize,
    /// Where each tile's first pixel lies.
    pub places: &'a [usize],
    pub factors: *mut f32,
    pub square: usize,
    /// A multiple of the vector's length.
    pub channels: usize,
    /// Added to the outputs, one a channel.
    pub bias: &'a [f32],
}

impl Job for Tiles<'_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Tiles { transform, pixels, row, places, factors, square, channels, bias } = self;
        assert!(transform != Transform::Output || bias.len() >= channels);
        for (tile, &place) in places.iter().enumerate() {
            for c in (0..channels).step_by(V::LEN) {
                unsafe {
                    let (pixels, factors) = (pixels.add(place + c), factors.add(tile * channels + c));
                    match transform {
                        Transform::Input => {
                            let tile = tile_to_factors::<V>(load(pixels, row, channels));
                            store(tile, factors, IN * square, square);
                        }
                        Transform::Gradient => {
                            let tile = gradient_to_factors::<V>(load(pixels, row, channels));
                            store(tile, factors, IN * square, square);
                        }
                        Transform::Output => {
                            let mut tile = products_to_tile::<V>(load(factors, IN * square, square));
                            let bias = V::load(bias.as_ptr().add(c));
                            for y in 0..OUT {
                                for x in 0..OUT {
                                    tile[y][x] = tile[y][x].add(bias);
                                }
                            }
                            store(tile, pixels, row, channels);
                        }
                    }
                }
            }
        }
    }
}

/// Filters to factors: `taps` holds nine matrices, `tap` apart, `factors` 36 of them, `square` apart; the first `len`
/// values of each.
pub(super) struct Filters {
    pub taps: *mut f32,
    pub tap: usize,
    pub factors: *mut f32,
    pub square: usize,
    /// A multiple of the vector's length.
    pub len: usize,
    /// The way back: gradients of factors to gradients of filters.
    pub back: bool,
}

impl Job for Filters {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Filters { taps, tap, factors, square, len, back } = self;
        for i in (0..len).step_by(V::LEN) {
            unsafe {
                let (taps, factors) = (taps.add(i), factors.add(i));
                if back {
                    let filter = square_to_filter::<V>(load(factors, IN * square, square));
                    store(filter, taps, TAPS * tap, tap);
                } else {
                    let filter = filter_to_square::<V>(load(taps, TAPS * tap, tap));
                    store(filter, factors, IN * square, square);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, noise, vectors_here};

    /// One tile and one channel in every lane: the convolution, and both gradients as its transposes.
    #[test]
    fn a_tile_is_convolved_and_its_transforms_have_transposes() {
        for (kind, len) in vectors_here() {
            let (mut d, mut w, mut g) =
                (noise(IN * IN * len, 1), noise(TAPS * TAPS * len, 2), noise(OUT * OUT * len, 3));
            let bias = noise(len, 4);
            let tiles = |transform, pixels: &mut [f32], side: usize, factors: &mut [f32]| {
                let (pixels, factors) = (pixels.as_mut_ptr(), factors.as_mut_ptr());
                let (row, places, square, channels) = (side * len, &[0][..], len, len);
                let bias = &bias;
                // SAFETY: one tile and 36 factors for each lane.
                unsafe {
                    kind.run(Tiles { transform, pixels, row, places, factors, square, channels, bias })
                };
            };
            let filters = |taps: &mut [f32], factors: &mut [f32], back| {
                let (taps, factors) = (taps.as_mut_ptr(), factors.as_mut_ptr());
                // SAFETY: one filter and 36 factors for each lane.
                unsafe { kind.run(Filters { taps, tap: len, factors, square: len, len, back }) };
            };
            let [mut u, mut v, mut dm] = [(); 3].map(|()| vec![0.0; IN * IN * len]);
            tiles(Transform::Input, &mut d, IN, &mut v);
            filters(&mut w, &mut u, false);
            tiles(Transform::Gradient, &mut g, OUT, &mut dm);
            let times = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f32>>();

            let mut y = vec![0.0; OUT * OUT * len];
            tiles(Transform::Output, &mut y, OUT, &mut times(&u, &v));
            let mut dw = vec![0.0; TAPS * TAPS * len];
            filters(&mut dw, &mut times(&v, &dm), true);

            let (mut y_wanted, mut dw_wanted) = (vec![0.0; y.len()], vec![0.0; dw.len()]);
            for lane in 0..len {
                for (o, t) in (0..OUT * OUT).flat_map(|o| (0..TAPS * TAPS).map(move |t| (o, t))) {
                    let i = (o / OUT + t / TAPS) * IN + o % OUT + t % TAPS;
                    y_wanted[o * len + lane] += w[t * len + lane] * d[i * len + lane];
                    dw_wanted[t * len + lane] += g[o * len + lane] * d[i * len + lane];
                }
                (0..OUT * OUT).for_each(|o| y_wanted[o * len + lane] += bias[lane]);
            }
            assert_near(&y, &y_wanted);
            assert_near(&dw, &dw_wanted);
        }
    }
}
