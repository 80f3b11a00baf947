#![allow(unsafe_code)] // Tasks write disjoint parts of one output; the inner loops take raw pointers.
//! Convolution by 3 × 3 filters with stride 1, with a quarter of the multiplications.
//!
//! Winograd's minimal filtering `F(4 × 4, 3 × 3)` (Lavin & Gray, arXiv:1509.09308): a tile `d` of 6 × 6 inputs
//! and a filter `w` give 4 × 4 outputs with 36 products in place of 144,
//!
//! ```text
//! y = Aᵀ [ Σ_c (G w Gᵀ) ∘ (Bᵀ d B) ] A
//! ```
//!
//! and the sum over channels makes of each of the 36 places one matrix product, `[tiles, c_in] · [c_in, c_out]`.
//! The gradients are the same work: `dx` is the convolution of `g` by the filters turned round, and
//!
//! ```text
//! dw = Gᵀ [ Σ_tiles (Bᵀ d B) ∘ (A g Aᵀ) ] G
//! ```
//!
//! Images are cut into *bands* of some 64 tiles, whole small images or a few rows of tiles of a large one. A band is laid
//! out with the channels of a pixel side by side, so that vectors run over channels whatever the size of the map; its
//! factors and products stay in the second-level cache. Weight gradients are summed per part of the batch and the
//! parts in order.
//!
//! Counted as the multiplications of the direct sum, 1.4 to 2.1 times what the machine's limit would allow that sum.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::add::total;
use super::conv::Conv;
use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::{Shared, parts, unwritten, with_used_scratch};
use super::product_micro::{Product, Start, Turn, tall};
use super::simd::{vector_len, vectorised};
use super::winograd_micro::{Filters, IN, OUT, TAPS, Tiles, Transform};

/// Tiles of a band at most: enough of them to pay for reading all the filters again.
const BAND: usize = 64;
/// Factors and products of a band, in values: the second-level cache of a large core.
const BAND_VALUES: usize = 1 << 19;
/// Factors of a tile or a filter.
const FACTORS: usize = IN * IN;

/// `conv2d` with 3 × 3 filters, stride 1 and this padding (0 to 2) on `[x, weight, bias]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Winograd {
    padding: usize,
}

impl Winograd {
    /// The same convolution, where this is the faster way to it: enough channels to fill vectors, and tiles that do not
    /// hang over the edge by much.
    pub fn of(conv: Conv, [_, c_in, h, w]: [usize; 4], [c_out, _, k, _]: [usize; 4]) -> Option<Self> {
        let Conv { stride, padding } = conv;
        if k != TAPS || stride != 1 || c_in.min(c_out) < 16 {
            return None;
        }
        let outputs = outputs([h, w], padding);
        let [tiled, asked] = [outputs.map(|size| size.next_multiple_of(OUT)), outputs].map(|[h, w]| h * w);
        (tiled * 2 <= asked * 5).then_some(Self { padding })
    }
}

impl Fused<3> for Winograd {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 2]) {
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let [c_out, c_in, ..] = dims::<4>(&weight);
        let filters = Factors::new(values(&weight), [c_out, c_in], Way::Forward);
        let grid = Grid::new(dims(&x), c_out, self.padding);
        let y = grid.convolve(values(&x), &filters, values(&bias));
        (from_vec(y, [grid.n, c_out, grid.out_h, grid.out_w]), [x, weight])
    }

    fn backward(
        self,
        [x, weight]: [FlexTensor; 2],
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = contiguous(grad);
        let [c_out, c_in, ..] = dims::<4>(&weight);
        let dx = wanted[0].then(|| {
            let filters = Factors::new(values(&weight), [c_out, c_in], Way::Back);
            let grid = Grid::new(dims(&grad), c_in, TAPS - 1 - self.padding);
            from_vec(grid.convolve(values(&grad), &filters, &vec![0.0; c_in]), dims::<4>(&x))
        });
        let dw = wanted[1].then(|| {
            let grid = Grid::new(dims(&x), c_out, self.padding);
            from_vec(grid.correlate(values(&x), values(&grad)), dims::<4>(&weight))
        });
        let db = wanted[2].then(|| from_vec(plane_sums(values(&grad), dims(&grad)), [c_out]));
        [dx, dw, db]
    }
}

fn outputs(size: [usize; 2], padding: usize) -> [usize; 2] {
    size.map(|size| size + 2 * padding + 1 - TAPS)
}

/// Which filters [`Factors`] holds.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// As they are: sums run over input channels.
    Forward,
    /// Turned round: sums run over output channels.
    Back,
}

/// `G w Gᵀ` of all filters: 36 matrices `[vector of outputs][depth][output in the vector]`.
struct Factors {
    values: Vec<f32>,
    /// Channels that are summed over, and that result, in whole vectors.
    depth: usize,
    outputs: usize,
}

impl Factors {
    fn new(weight: &[f32], [c_out, c_in]: [usize; 2], way: Way) -> Self {
        let vector = vector_len();
        let (sums, results) = if way == Way::Forward { (c_in, c_out) } else { (c_out, c_in) };
        let [depth, outputs] = [sums, results].map(|channels| channels.next_multiple_of(vector));
        let (square, column) = (depth * outputs, depth * vector);
        let mut factors = unwritten(FACTORS * square);
        let out = Shared(factors.as_mut_ptr());
        (0..outputs / vector).into_par_iter().for_each(|j| {
            let channels = vector.min(results - j * vector);
            with_used_scratch([TAPS * TAPS * column], |[taps]| {
                taps.fill(0.0);
                let (weight, pixels) = (weight.as_ptr().cast_mut(), taps.as_mut_ptr());
                let turn = |from: usize, plane, places: &[usize]| {
                    // SAFETY: filters of `channels` channels from `from` on are only read.
                    let planes = unsafe { weight.add(from) };
                    unsafe { vectorised(Turn { planes, plane, pixels, places, channels, back: false }) };
                };
                match way {
                    Way::Forward => {
                        let place = |i: usize| i % 9 * column + i / 9 * vector;
                        let places: Vec<usize> = (0..9 * c_in).map(place).collect();
                        turn(j * vector * 9 * c_in, 9 * c_in, &places);
                    }
                    Way::Back => (0..c_out).for_each(|k| {
                        let places: [usize; 9] = std::array::from_fn(|i| (8 - i) * column + k * vector);
                        turn((k * c_in + j * vector) * 9, 9, &places);
                    }),
                }
                // SAFETY: each task writes its own columns of the 36 matrices.
                let factors = unsafe { out.at(j * column) };
                unsafe {
                    vectorised(Filters {
                        taps: pixels,
                        tap: column,
                        factors,
                        square,
                        len: column,
                        back: false,
                    })
                };
            });
        });
        Self { values: factors, depth, outputs }
    }
}

/// How a batch of maps is cut into bands of tiles.
struct Grid {
    n: usize,
    c_in: usize,
    c_out: usize,
    h: usize,
    w: usize,
    out_h: usize,
    out_w: usize,
    padding: usize,
    tile_rows: usize,
    tile_cols: usize,
    /// Images, and rows of tiles, of a band; several images only with all their rows.
    band_images: usize,
    band_rows: usize,
}

/// Some images, and of each of them some rows of tiles.
struct Band {
    images: Range<usize>,
    rows: Range<usize>,
}

/// Rows of pixels that a band looks at in every image, as they lie in its memory.
struct Pixels {
    images: Range<usize>,
    /// Rows of the image.
    rows: Range<usize>,
    /// Pixels of an image before the first of them in the band's memory, in all, and of a row.
    first: usize,
    per_image: usize,
    pitch: usize,
    /// Size of the image.
    h: usize,
    w: usize,
}

impl Grid {
    fn new([n, c_in, h, w]: [usize; 4], c_out: usize, padding: usize) -> Self {
        let [out_h, out_w] = outputs([h, w], padding);
        let [tile_rows, tile_cols] = [out_h, out_w].map(|size| size.div_ceil(OUT));
        let room = (BAND_VALUES / (FACTORS * (c_in + c_out))).clamp(8, BAND);
        let part = n.div_ceil(rayon::current_num_threads()).max(1);
        let band_images = (room / (tile_rows * tile_cols)).clamp(1, part);
        let band_rows = if band_images > 1 { tile_rows } else { (room / tile_cols).clamp(1, tile_rows) };
        Self { n, c_in, c_out, h, w, out_h, out_w, padding, tile_rows, tile_cols, band_images, band_rows }
    }

    fn bands(&self, images: Range<usize>) -> Vec<Band> {
        let cut = |range: Range<usize>, size: usize| {
            range.clone().step_by(size).map(move |start| start..range.end.min(start + size))
        };
        let rows = || cut(0..self.tile_rows, self.band_rows);
        cut(images, self.band_images)
            .flat_map(|images| rows().map(move |rows| Band { images: images.clone(), rows }))
            .collect()
    }

    fn tiles(&self, band: &Band) -> usize {
        band.images.len() * band.rows.len() * self.tile_cols
    }

    /// What the tiles of a band read: tiles overlap by two pixels, and the padding is theirs as well.
    fn inputs(&self, band: &Band) -> Pixels {
        let (start, rows) = (band.rows.start * OUT, band.rows.len() * OUT + IN - OUT);
        let inside =
            start.saturating_sub(self.padding)..(start + rows).saturating_sub(self.padding).min(self.h);
        let pitch = self.tile_cols * OUT + IN - OUT;
        Pixels {
            images: band.images.clone(),
            first: (inside.start + self.padding - start) * pitch + self.padding,
            rows: inside,
            per_image: rows * pitch,
            pitch,
            h: self.h,
            w: self.w,
        }
    }

    /// What they write.
    fn outputs(&self, band: &Band) -> Pixels {
        let (start, rows, pitch) = (band.rows.start * OUT, band.rows.len() * OUT, self.tile_cols * OUT);
        Pixels {
            images: band.images.clone(),
            rows: start..(start + rows).min(self.out_h),
            first: 0,
            per_image: rows * pitch,
            pitch,
            h: self.out_h,
            w: self.out_w,
        }
    }

    /// Where each tile's first pixel lies, when a pixel takes `channels` values.
    fn places(&self, band: &Band, pixels: &Pixels, channels: usize) -> Vec<usize> {
        let (rows, cols) = (band.rows.len(), self.tile_cols);
        let place = |tile: usize| {
            let (m, y, x) = (tile / (rows * cols), tile / cols % rows, tile % cols);
            (m * pixels.per_image + (y * pixels.pitch + x) * OUT) * channels
        };
        (0..self.tiles(band)).map(place).collect()
    }

    fn convolve(&self, x: &[f32], filters: &Factors, bias: &[f32]) -> Vec<f32> {
        let vector = vector_len();
        let Factors { values: filters, depth, outputs } = filters;
        let (depth, vectors) = (*depth, outputs / vector);
        let bias: Vec<f32> = (0..*outputs).map(|o| bias.get(o).copied().unwrap_or(0.0)).collect();
        let mut y = unwritten(self.n * self.c_out * self.out_h * self.out_w);
        let out = Shared(y.as_mut_ptr());
        let bands = self.bands(0..self.n);
        // Few bands: the output channels are split as well, at the price of transforming `x` twice.
        let splits = rayon::current_num_threads().div_ceil(bands.len()).min(vectors);
        (0..bands.len() * splits).into_par_iter().for_each(|task| {
            let (band, split) = (&bands[task / splits], task % splits);
            let range = split * vectors / splits..(split + 1) * vectors / splits;
            let (first, channels) = (range.start * vector, range.len() * vector);
            let (tiles, inputs, outputs) = (self.tiles(band), self.inputs(band), self.outputs(band));
            let (from_square, to_square) = (square(tiles, depth), square(tiles, channels));
            let sizes =
                [inputs.values(depth), FACTORS * from_square, FACTORS * to_square, outputs.values(channels)];
            with_used_scratch(sizes, |[xs, factors, products, ys]| {
                inputs.lay_out(x, self.c_in, xs, depth);
                self.transform(Transform::Input, band, &inputs, xs, factors, depth, &[]);
                for f in 0..FACTORS {
                    let product = Product {
                        a: factors[f * from_square..].as_ptr(),
                        a_block: tall() * depth,
                        a_row: depth,
                        a_k: 1,
                        b: filters[f * depth * vectors * vector + first * depth..].as_ptr(),
                        b_k: vector,
                        b_vector: depth * vector,
                        c: products[f * to_square..].as_mut_ptr(),
                        c_row: channels,
                        rows: tiles,
                        depth,
                        vectors: range.len(),
                        start: Start::Zero,
                    };
                    // SAFETY: the three squares hold `tiles × depth`, `depth × channels` and `tiles × channels` values.
                    unsafe { vectorised(product) };
                }
                self.transform(Transform::Output, band, &outputs, ys, products, channels, &bias[first..]);
                // SAFETY: one task owns these channels of these rows of these images.
                unsafe { outputs.put_back(ys, channels, out, self.c_out, first) };
            });
        });
        y
    }

    /// The gradient of the filters, `[c_out, c_in, 3, 3]`.
    fn correlate(&self, x: &[f32], g: &[f32]) -> Vec<f32> {
        let vector = vector_len();
        let [depth, channels] = [self.c_in, self.c_out].map(|c| c.next_multiple_of(vector));
        let partial: Vec<Vec<f32>> = parts(self.n)
            .into_par_iter()
            .map(|images| {
                let mut sums = unwritten(FACTORS * depth * channels);
                for (i, band) in self.bands(images).iter().enumerate() {
                    let (tiles, inputs, outputs) = (self.tiles(band), self.inputs(band), self.outputs(band));
                    let (x_square, g_square) = (square(tiles, depth), square(tiles, channels));
                    let pixels = inputs.values(depth).max(outputs.values(channels));
                    with_used_scratch(
                        [pixels, FACTORS * x_square, FACTORS * g_square],
                        |[pixels, xs, gs]| {
                            inputs.lay_out(x, self.c_in, pixels, depth);
                            self.transform(Transform::Input, band, &inputs, pixels, xs, depth, &[]);
                            outputs.lay_out(g, self.c_out, pixels, channels);
                            self.transform(Transform::Gradient, band, &outputs, pixels, gs, channels, &[]);
                            for f in 0..FACTORS {
                                let product = Product {
                                    a: xs[f * x_square..].as_ptr(),
                                    a_block: tall(),
                                    a_row: 1,
                                    a_k: depth,
                                    b: gs[f * g_square..].as_ptr(),
                                    b_k: channels,
                                    b_vector: vector,
                                    c: sums[f * depth * channels..].as_mut_ptr(),
                                    c_row: channels,
                                    rows: depth,
                                    depth: tiles,
                                    vectors: channels / vector,
                                    start: if i > 0 { Start::Add } else { Start::Zero },
                                };
                                // SAFETY: the squares hold `tiles × depth`, `tiles × channels` and `depth × channels` values.
                                unsafe { vectorised(product) };
                            }
                        },
                    );
                }
                sums
            })
            .collect();
        filters_from(&partial, [self.c_out, self.c_in], [channels, depth])
    }

    fn transform(
        &self,
        transform: Transform,
        band: &Band,
        pixels: &Pixels,
        laid_out: &mut [f32],
        factors: &mut [f32],
        channels: usize,
        bias: &[f32],
    ) {
        let places = self.places(band, pixels, channels);
        let square = square(places.len(), channels);
        assert!(laid_out.len() >= pixels.values(channels) && factors.len() >= FACTORS * square);
        let tiles = Tiles {
            transform,
            pixels: laid_out.as_mut_ptr(),
            row: pixels.pitch * channels,
            places: &places,
            factors: factors.as_mut_ptr(),
            square,
            channels,
            bias,
        };
        // SAFETY: every tile lies inside the pixels of its image, and the squares hold all tiles.
        unsafe { vectorised(tiles) };
    }
}

/// Distance of the 36 matrices `[tiles][channels]`: a few values more than they take, so that they do not share
/// cache sets.
fn square(tiles: usize, channels: usize) -> usize {
    tiles * channels + 16
}

impl Pixels {
    /// Values of all images when a pixel takes `channels`.
    fn values(&self, channels: usize) -> usize {
        self.images.len() * self.per_image * channels
    }

    /// Where each pixel of the first image lies.
    fn places(&self, channels: usize) -> Vec<usize> {
        let place = |i: usize| (self.first + i / self.w * self.pitch + i % self.w) * channels;
        (0..self.rows.len() * self.w).map(place).collect()
    }

    /// Copies from planes; what no pixel covers becomes zero.
    fn lay_out(&self, planes: &[f32], count: usize, to: &mut [f32], channels: usize) {
        to[..self.values(channels)].fill(0.0);
        let planes = Shared(planes.as_ptr().cast_mut());
        // SAFETY: the planes are only read.
        unsafe { self.turn(planes, count, 0, to, channels, false) };
    }

    /// Copies to planes, `first` of the `count` channels being the first here.
    ///
    /// # Safety
    /// These rows of these planes are the caller's to write.
    unsafe fn put_back(&self, from: &mut [f32], channels: usize, planes: Shared, count: usize, first: usize) {
        unsafe { self.turn(planes, count, first, from, channels, true) };
    }

    /// # Safety
    /// `planes` holds `count` channels of every image, the caller's to write if they are the target.
    unsafe fn turn(
        &self,
        planes: Shared,
        count: usize,
        first: usize,
        pixels: &mut [f32],
        channels: usize,
        back: bool,
    ) {
        let (places, plane) = (self.places(channels), self.h * self.w);
        for (m, image) in self.images.clone().enumerate() {
            let pixels = &mut pixels[m * self.per_image * channels..][..self.per_image * channels];
            let turn = Turn {
                planes: unsafe { planes.at((image * count + first) * plane + self.rows.start * self.w) },
                plane,
                pixels: pixels.as_mut_ptr(),
                places: &places,
                channels: channels.min(count - first),
                back,
            };
            // SAFETY: places lie inside one image's pixels; the planes are the caller's promise.
            unsafe { vectorised(turn) };
        }
    }
}

/// `Gᵀ u G` of sums `[c_in][c_out]`, in whole vectors, of several parts.
fn filters_from(partial: &[Vec<f32>], [c_out, c_in]: [usize; 2], [channels, depth]: [usize; 2]) -> Vec<f32> {
    let vector = vector_len();
    let mut weight = unwritten(c_out * c_in * TAPS * TAPS);
    let out = Shared(weight.as_mut_ptr());
    (0..c_in).into_par_iter().for_each(|c| {
        with_used_scratch([FACTORS * channels, TAPS * TAPS * channels], |[sums, taps]| {
            for (f, sums) in sums.chunks_exact_mut(channels).enumerate() {
                sums.fill(0.0);
                for part in partial {
                    let row = &part[(f * depth + c) * channels..][..channels];
                    sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
                }
            }
            let (factors, taps) = (sums.as_mut_ptr(), taps.as_mut_ptr());
            let (tap, square, len) = (channels, channels, channels);
            // SAFETY: both slices hold whole matrices of one row.
            unsafe { vectorised(Filters { taps, tap, factors, square, len, back: true }) };
            for first in (0..c_out).step_by(vector) {
                let places: [usize; 9] = std::array::from_fn(|i| i * channels + first);
                let turn = Turn {
                    // SAFETY: one task writes the filters of one input channel.
                    planes: unsafe { out.at((first * c_in + c) * 9) },
                    plane: c_in * 9,
                    pixels: taps,
                    places: &places,
                    channels: vector.min(c_out - first),
                    back: true,
                };
                unsafe { vectorised(turn) };
            }
        });
    });
    weight
}

/// Sums of each channel of `[n, c, h, w]`.
pub(super) fn plane_sums(values: &[f32], [_, c, h, w]: [usize; 4]) -> Vec<f32> {
    let planes = |first: usize| values[first * h * w..].chunks(h * w).step_by(c);
    (0..c).into_par_iter().map(|first| planes(first).map(total).sum()).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use super::*;
    use crate::{
        composite, conv2d,
        testing::{Case, noise},
    };

    #[test]
    fn equals_the_composite() {
        for (n, c_in, c_out, h, w, padding) in [
            (1, 16, 16, 2, 2, 2),
            (1, 16, 16, 4, 4, 1),
            (3, 16, 17, 9, 6, 1),
            (2, 20, 33, 28, 28, 1),
            (37, 17, 16, 4, 4, 1),
            // Whole images several to a band, the last band smaller; rows of tiles of one image; wide padding and none.
            (11, 19, 16, 7, 7, 1),
            (2, 16, 24, 70, 31, 1),
            (1, 70, 70, 15, 16, 2),
            (5, 16, 40, 8, 10, 0),
        ] {
            let shape = ([n, c_in, h, w], [c_out, c_in, 3, 3]);
            assert!(Winograd::of(Conv { stride: 1, padding }, shape.0, shape.1).is_some(), "{shape:?}");
            let arrays = |v: &[Tensor<1>]| (v[0].clone().reshape(shape.0), v[1].clone().reshape(shape.1));
            let inputs = [shape.0.iter().product(), shape.1.iter().product(), c_out];
            let case = Case {
                name: format!("{shape:?}, padding {padding}"),
                inputs: inputs.into_iter().enumerate().map(|(i, len)| noise(len, i as u64)).collect(),
                fused: &|v| {
                    let (x, weight) = arrays(v);
                    conv2d(x, weight, Some(v[2].clone()), 1, padding).flatten(0, 3)
                },
                composite: &|v| {
                    let (x, weight) = arrays(v);
                    composite::conv2d(x, weight, Some(v[2].clone()), 1, padding).flatten(0, 3)
                },
                tolerance: 1e-5,
            };
            case.check();
            if h * w < 5 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn only_where_it_pays() {
        let of = |stride, padding, c, size, k| {
            Winograd::of(Conv { stride, padding }, [2, c, size, size], [c, c, k, k]).is_some()
        };
        assert!(of(1, 1, 16, 4, 3) && of(1, 1, 16, 7, 3) && of(1, 2, 16, 2, 3));
        // Another stride, another filter, few channels, a map of which a tile covers little, more padding than taps.
        assert!(!of(2, 1, 16, 8, 3) && !of(1, 2, 16, 8, 5) && !of(1, 1, 15, 8, 3));
        assert!(!of(1, 1, 16, 2, 3) && !of(1, 1, 16, 5, 3));
    }
}
