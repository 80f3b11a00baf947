#![allow(unsafe_code)] // Tile registers; tasks write disjoint parts of one output.
//! Convolution on the tile registers of some CPUs, see [`super::tiles`]: factors rounded to bfloat16, sums in single
//! precision.
//!
//! With pixels `q` numbered through the padded rows of a group of images, a tap `t` reads pixel `q + offset(t)`, and all
//! three products of a training step are sums of matrix products over taps:
//!
//! ```text
//! y[q][o]     = b[o] + Σ_t Σ_c x[q + offset(t)][c] · w[t][c][o]
//! dx          = the same of g and the filters turned round
//! dw[t][o][c] = Σ_q g[o][q] · x[q + offset(t)][c]
//! ```
//!
//! No tap needs a copy of its own. For `y` 32 channels of a pixel lie side by side, which is a row of a left tile: sixteen
//! pixels from anywhere are a tile. For `dw` sixteen channels of a pair of pixels do, which is a row of a right tile: sixteen
//! pairs are a tile, from an even pixel on in one copy and from an odd one in another. The zeros of the padding separate rows and images
//! (one gap serves the end of a row and the start of the next); what is calculated for the gaps is dropped. Weight gradients
//! are summed per part of the batch and the parts in order.
//!
//! A stride `s` that divides the filters' size is no stride where each of the `s × s` phases of the input is a channel of
//! its own.

mod layout;

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::conv::Conv;
use super::conv_layout::{Phases, copy};
use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::{Shared, parts, unwritten, with_used_scratch};
use super::product_micro::Turn;
use super::simd::vectorised;
use super::tiles::{
    Aligned, SIDE, WORDS, aligned, is_wanted,
    machine::{Walk, accumulate, configured},
};
use super::winograd::plane_sums;
use layout::{Maps, fold_pairs, fold_rows, lay_out_pixels, lay_out_planes, to_columns, word_rows};

/// Channels of a row of a left tile, columns of two right tiles, and pixels of two left tiles.
const WIDE: usize = 2 * SIDE;
/// Bytes of a tile, and of its rows.
const TILE_BYTES: usize = 4 * WORDS;
const LINE_BYTES: usize = 4 * SIDE;
/// Laid-out values of a task at most, unless one image takes more: half of the second-level cache of a large core.
const GROUP_VALUES: usize = 1 << 19;
/// Tiles of pixels that all taps go through before the next ones: two rows of them on either side fill the first-level cache.
const TILES_PER_CHUNK: usize = 12;
/// Channels below which tiles are mostly empty.
const MIN_CHANNELS: usize = 8;
/// Pixels of the padded input for each of the output, at most: the others are calculated in vain.
const MAX_INPUTS_AN_OUTPUT: usize = 3;
/// Values of input and output of one image, at most: a thread lays one out whole.
const MAX_IMAGE_VALUES: usize = 1 << 23;
/// Multiplications below which laying out costs as much as tiles save.
const MIN_MULTIPLICATIONS: usize = 1 << 22;

/// `conv2d` with this stride and padding on `[x, weight, bias]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct TiledConv {
    stride: usize,
    padding: usize,
}

impl TiledConv {
    /// The same convolution where it is asked for, possible and faster.
    pub fn of(conv: Conv, [n, c_in, h, w]: [usize; 4], [c_out, _, k, _]: [usize; 4]) -> Option<Self> {
        let Conv { stride, padding } = conv;
        let [out_h, out_w] = [h, w].map(|size| (size + 2 * padding - k) / stride + 1);
        let (inputs, outputs) = ((h + 2 * padding) * (w + 2 * padding), out_h * out_w * stride * stride);
        let multiplications = n * out_h * out_w * c_in * c_out * k * k;
        let pays = c_in.min(c_out) >= MIN_CHANNELS
            && multiplications >= MIN_MULTIPLICATIONS
            // Images are shared out among the threads, and all of their pixels are gone through.
            && 2 * n >= rayon::current_num_threads()
            && inputs <= MAX_INPUTS_AN_OUTPUT * outputs
            && (c_in + c_out) * inputs <= MAX_IMAGE_VALUES;
        (k.is_multiple_of(stride) && pays && is_wanted()).then_some(Self { stride, padding })
    }

    /// Phases of the input and of the filters as channels, where there is a stride.
    fn phases(self, x: [usize; 4], weight: [usize; 4]) -> Option<Phases> {
        (self.stride > 1).then(|| Phases::new(x, weight, self.stride, self.padding))
    }
}

impl Fused<3> for TiledConv {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 2]) {
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let shapes = (dims::<4>(&x), dims::<4>(&weight));
        let (y, shape) = match self.phases(shapes.0, shapes.1) {
            None => forward(shapes, self.padding, values(&x), values(&weight), values(&bias)),
            Some(phases) => {
                let (x, weight) = (phases.of_maps(values(&x)), phases.of_filters(values(&weight)));
                forward(phases.shapes(), 0, &x, &weight, values(&bias))
            }
        };
        (from_vec(y, shape), [x, weight])
    }

    fn backward(
        self,
        [x, weight]: [FlexTensor; 2],
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = contiguous(grad);
        let shapes = (dims::<4>(&x), dims::<4>(&weight));
        let g = (values(&grad), dims(&grad));
        let [dx, dw] = match self.phases(shapes.0, shapes.1) {
            None => backward(shapes, self.padding, [values(&x), values(&weight)], g, wanted),
            Some(phases) => {
                // The gradient of the input is made of the filters, that of the filters of the input.
                let x = if wanted[1] { phases.of_maps(values(&x)) } else { Vec::new() };
                let weight = if wanted[0] { phases.of_filters(values(&weight)) } else { Vec::new() };
                let [dx, dw] = backward(phases.shapes(), 0, [&x, &weight], g, wanted);
                [dx.map(|dx| phases.to_maps(&dx)), dw.map(|dw| phases.to_filters(&dw))]
            }
        };
        let db = wanted[2].then(|| from_vec(plane_sums(g.0, g.1), [shapes.1[0]]));
        [dx.map(|v| from_vec(v, shapes.0)), dw.map(|v| from_vec(v, shapes.1)), db]
    }
}

/// The output with stride 1, and its shape.
fn forward(
    (x_shape, [c_out, c_in, k, _]): ([usize; 4], [usize; 4]),
    padding: usize,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> (Vec<f32>, [usize; 4]) {
    let filters = Filters::new(weight, [c_out, c_in, k * k], Way::Forward);
    let plan = Plan::new(x_shape, c_out, k, padding);
    (plan.convolve(x, &filters, bias), [plan.n, c_out, plan.out_h, plan.out_w])
}

/// The gradients of the input and of the filters with stride 1, where they are wanted.
fn backward(
    (x_shape, [c_out, c_in, k, _]): ([usize; 4], [usize; 4]),
    padding: usize,
    [x, weight]: [&[f32]; 2],
    (g, g_shape): (&[f32], [usize; 4]),
    wanted: [bool; 3],
) -> [Option<Vec<f32>>; 2] {
    let dx = wanted[0].then(|| {
        let filters = Filters::new(weight, [c_out, c_in, k * k], Way::Back);
        Plan::new(g_shape, c_in, k, k - 1 - padding).convolve(g, &filters, &vec![0.0; c_in])
    });
    let dw = wanted[1].then(|| Plan::new(x_shape, c_out, k, padding).correlate(x, g));
    [dx, dw]
}

/// Which filters [`Filters`] holds.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// As they are: sums run over input channels.
    Forward,
    /// Turned round: sums run over output channels.
    Back,
}

/// Filters as right tiles: of every 32 results, of every 32 channels that are summed over, of every tap two tiles.
struct Filters {
    words: Aligned,
    /// Tiles of a tap and 32 channels.
    steps: usize,
}

impl Filters {
    fn new(weight: &[f32], [c_out, c_in, taps]: [usize; 3], way: Way) -> Self {
        let (sums, results) = if way == Way::Forward { (c_in, c_out) } else { (c_out, c_in) };
        let steps = sums.div_ceil(WIDE) * taps;
        let blocks = results.div_ceil(WIDE) * 2;
        let mut words = Aligned::unwritten(blocks * steps * WORDS);
        let out = Shared(words.as_mut_ptr());
        (0..blocks).into_par_iter().for_each(|block| {
            let first = (block * SIDE).min(results);
            let channels = SIDE.min(results - first);
            // [channel that is summed over][tap][result]
            with_used_scratch([sums.next_multiple_of(WIDE) * taps * SIDE], |[columns]| {
                columns.fill(0.0);
                let pixels = columns.as_mut_ptr();
                let turn = |from: usize, plane, places: &[usize]| {
                    // SAFETY: filters of `channels` channels from `from` on are only read.
                    let planes = unsafe { weight.as_ptr().add(from) }.cast_mut();
                    unsafe { vectorised(Turn { planes, plane, pixels, places, channels, back: false }) };
                };
                match way {
                    _ if channels == 0 => {}
                    Way::Forward => {
                        let places: Vec<usize> = (0..taps * c_in).map(|i| i * SIDE).collect();
                        turn(first * taps * c_in, taps * c_in, &places);
                    }
                    Way::Back => (0..c_out).for_each(|k| {
                        let places: Vec<usize> =
                            (0..taps).map(|i| (k * taps + taps - 1 - i) * SIDE).collect();
                        turn((k * c_in + first) * taps, taps, &places);
                    }),
                }
                for step in 0..steps {
                    let (channel, tap) = (step / taps * WIDE, step % taps);
                    let from = columns[(channel * taps + tap) * SIDE..].as_ptr();
                    // SAFETY: each task writes its own half of a pair of tiles; the CPU has tiles.
                    unsafe {
                        let to = out.at(((block / 2 * steps + step) * 2 + block % 2) * WORDS);
                        word_rows(from, taps * SIDE, to.cast());
                    }
                }
            });
        });
        Self { words, steps }
    }
}

/// How a batch of maps is laid out.
struct Plan {
    n: usize,
    c_in: usize,
    c_out: usize,
    k: usize,
    h: usize,
    w: usize,
    out_h: usize,
    out_w: usize,
    padding: usize,
    /// Pixels from one row to the next, and from one image to the next.
    pitch: usize,
    image: usize,
    /// Images that are laid out together.
    group: usize,
}

/// Pixels of one row of the output that lie in one block of 32.
struct Segment {
    /// Where they begin, numbered through the group.
    from: usize,
    len: usize,
    image: usize,
    /// Where they begin in the plane.
    place: usize,
}

impl Plan {
    fn new([n, c_in, h, w]: [usize; 4], c_out: usize, k: usize, padding: usize) -> Self {
        let [out_h, out_w] = [h, w].map(|size| size + 2 * padding + 1 - k);
        let (pitch, rows) = (w + padding, h + padding);
        let image = rows * pitch;
        let room = GROUP_VALUES / ((c_in + c_out).next_multiple_of(WIDE) * image);
        let part = n.div_ceil(rayon::current_num_threads()).max(1);
        let group = part.div_ceil(part.div_ceil(room.clamp(1, part)));
        Self { n, c_in, c_out, k, h, w, out_h, out_w, padding, pitch, image, group }
    }

    /// Pixels of the output of so many images, gaps among them, in whole blocks of 32.
    fn pixels(&self, images: usize) -> usize {
        ((images - 1) * self.image + (self.out_h - 1) * self.pitch + self.out_w).next_multiple_of(WIDE)
    }

    /// Pixels of the input that these read, and some that laying out may write beyond the last.
    fn inputs(&self, images: usize) -> usize {
        let reach = (self.k - 1) * (self.pitch + 1);
        (self.pixels(images) + reach).max(images * self.image) + WIDE
    }

    /// How far a tap reads.
    fn offset(&self, tap: usize) -> usize {
        tap / self.k * self.pitch + tap % self.k
    }

    /// The input, as its values are laid out.
    fn input(&self) -> Maps {
        let first = self.padding * (self.pitch + 1);
        Maps { channels: self.c_in, h: self.h, w: self.w, pitch: self.pitch, image: self.image, first }
    }

    /// The gradient of the output.
    fn output(&self) -> Maps {
        let (h, w) = (self.out_h, self.out_w);
        Maps { channels: self.c_out, h, w, pitch: self.pitch, image: self.image, first: 0 }
    }

    /// Segments of the output of a group, in their order.
    fn segments(&self, images: usize) -> Vec<Segment> {
        let mut segments = Vec::new();
        for (image, y) in (0..images).flat_map(|image| (0..self.out_h).map(move |y| (image, y))) {
            let start = image * self.image + y * self.pitch;
            let mut x = 0;
            while x < self.out_w {
                let from = start + x;
                let len = (WIDE - from % WIDE).min(self.out_w - x);
                segments.push(Segment { from, len, image, place: y * self.out_w + x });
                x += len;
            }
        }
        segments
    }

    fn convolve(&self, x: &[f32], filters: &Filters, bias: &[f32]) -> Vec<f32> {
        let mut y = unwritten(self.n * self.c_out * self.out_h * self.out_w);
        let out = Shared(y.as_mut_ptr());
        let (segments, inputs) = (self.segments(self.group), self.inputs(self.group));
        let taps = self.k * self.k;
        let offset = |step: usize| (step / taps * inputs + self.offset(step % taps)) * LINE_BYTES;
        let offsets: Vec<usize> = (0..filters.steps).map(offset).collect();
        let groups: Vec<usize> = (0..self.n).step_by(self.group).collect();
        groups.into_par_iter().for_each(|first| {
            let count = self.group.min(self.n - first);
            let from = &x[first * self.c_in * self.h * self.w..];
            let blocks = self.pixels(count) / WIDE;
            let sizes = [self.c_in.div_ceil(WIDE) * inputs * SIDE, (blocks + 1) * WIDE * WIDE];
            with_used_scratch(sizes.map(|size| size + SIDE), |slices| {
                let [pixels, sums] = slices.map(aligned);
                let (columns, sums) = sums.split_at_mut(WIDE * WIDE);
                pixels.fill(0.0);
                // SAFETY: the scratch holds all blocks of channels; `of` has asked for tiles.
                unsafe {
                    let to = pixels.as_mut_ptr().cast();
                    lay_out_pixels(from.as_ptr(), self.input(), count, to, inputs);
                }
                for j in 0..self.c_out.div_ceil(WIDE) {
                    let channels = j * WIDE..self.c_out.min((j + 1) * WIDE);
                    let mut row = [0.0; WIDE];
                    row[..channels.len()].copy_from_slice(&bias[channels.clone()]);
                    let sums = &mut sums[..blocks * WIDE * WIDE];
                    sums.as_chunks_mut::<WIDE>().0.fill(row);
                    self.add_products(pixels, filters, &offsets, j, sums);
                    for here in segments.chunk_by(|a, b| a.from / WIDE == b.from / WIDE) {
                        if here[0].image >= count {
                            break;
                        }
                        let block = &sums[here[0].from / WIDE * WIDE * WIDE..];
                        // SAFETY: 32 × 32 values on either side.
                        unsafe { to_columns(block.as_ptr(), columns.as_mut_ptr()) };
                        for segment in here.iter().take_while(|segment| segment.image < count) {
                            // SAFETY: one task owns these images of the output.
                            unsafe { self.write(segment, first, channels.clone(), columns, out) };
                        }
                    }
                }
            });
        });
        y
    }

    /// Adds what all taps give to the sums of 32 outputs, `[blocks of pixels][32][32]`.
    fn add_products(&self, pixels: &[f32], filters: &Filters, offsets: &[usize], j: usize, sums: &mut [f32]) {
        let taps = self.k * self.k;
        let each = || {
            // The filters of 32 channels stay in the first-level cache.
            for (i, offsets) in offsets.chunks(taps).enumerate() {
                let walk = Walk {
                    offsets,
                    a_row: LINE_BYTES,
                    a_next: TILE_BYTES,
                    b: filters.words[(j * filters.steps + i * taps) * 2 * WORDS..].as_ptr().cast(),
                    b_next: TILE_BYTES,
                    b_step: 2 * TILE_BYTES,
                };
                for (block, sums) in sums.chunks_exact_mut(WIDE * WIDE).enumerate() {
                    let a = pixels[block * WIDE * SIDE..].as_ptr().cast();
                    // SAFETY: taps of 32 pixels lie inside what is laid out.
                    unsafe { accumulate(a, &walk, sums.as_mut_ptr(), WIDE) };
                }
            }
        };
        // SAFETY: `of` has asked for tiles.
        unsafe { configured(each) };
    }

    /// Writes pixels of some channels of an image behind the `first` one.
    ///
    /// # Safety
    /// They are the caller's to write.
    unsafe fn write(
        &self,
        segment: &Segment,
        first: usize,
        channels: Range<usize>,
        columns: &[f32],
        out: Shared,
    ) {
        let plane = self.out_h * self.out_w;
        for (i, channel) in channels.enumerate() {
            let at = ((first + segment.image) * self.c_out + channel) * plane + segment.place;
            let to = unsafe { out.slice(at, segment.len) };
            copy(segment.len, &columns[i * WIDE + segment.from % WIDE..], 1, to, 1);
        }
    }

    /// The gradient of the filters, `[c_out, c_in, k, k]`.
    fn correlate(&self, x: &[f32], g: &[f32]) -> Vec<f32> {
        let [rows, cols] = [self.c_out, self.c_in].map(|c| c.next_multiple_of(WIDE));
        let taps = self.k * self.k;
        let partial: Vec<Vec<f32>> = parts(self.n)
            .into_par_iter()
            .map(|images| {
                let mut sums = vec![0.0; taps * rows * cols];
                for start in images.clone().step_by(self.group) {
                    let images = start..images.end.min(start + self.group);
                    self.add_weight_gradient(x, g, images, &mut sums, [rows, cols]);
                }
                sums
            })
            .collect();
        self.filters_from(&partial, [rows, cols])
    }

    /// Adds what a group of images gives to `sums [taps][rows][cols]`.
    fn add_weight_gradient(
        &self,
        x: &[f32],
        g: &[f32],
        images: Range<usize>,
        sums: &mut [f32],
        [rows, cols]: [usize; 2],
    ) {
        let count = images.len();
        let steps = self.pixels(count) / WIDE;
        let x = &x[images.start * self.c_in * self.h * self.w..];
        let g = &g[images.start * self.c_out * self.out_h * self.out_w..];
        // Whole tiles of pairs, from an even or an odd pixel on.
        let pairs = (self.inputs(count) / 2).next_multiple_of(SIDE);
        // Planes are an odd number of lines, so that rows of a tile do not share cache sets.
        let plane = ((2 * pairs / WIDE + 1) | 1) * WIDE;
        let sizes = [SIDE * plane / 2, rows / SIDE * steps * WORDS, cols / SIDE * 2 * pairs * SIDE];
        with_used_scratch(sizes.map(|size| size + SIDE), |slices| {
            let [planes, gs, xs] = slices.map(aligned);
            let block = |block: usize, all: usize| (block * SIDE).min(all)..((block + 1) * SIDE).min(all);
            // SAFETY: the scratch holds sixteen planes and all tiles; `of` has asked for tiles.
            unsafe {
                for i in 0..rows / SIDE {
                    planes.fill(0.0);
                    let planes_at = planes.as_mut_ptr().cast::<u16>();
                    let channels = block(i, self.c_out);
                    lay_out_planes(g.as_ptr(), self.output(), channels, count, planes_at, plane);
                    fold_rows(planes_at, plane, steps, gs[i * steps * WORDS..].as_mut_ptr().cast());
                }
                for j in 0..cols / SIDE {
                    planes.fill(0.0);
                    let planes_at = planes.as_mut_ptr().cast::<u16>();
                    lay_out_planes(x.as_ptr(), self.input(), block(j, self.c_in), count, planes_at, plane);
                    for odd in 0..2 {
                        let to = xs[(2 * j + odd) * pairs * SIDE..].as_mut_ptr().cast();
                        fold_pairs(planes_at, plane, odd, pairs, to);
                    }
                }
            }
            let offsets: Vec<usize> = (0..steps).map(|step| step * TILE_BYTES).collect();
            let mut taps: Vec<usize> = (0..self.k * self.k).collect();
            // Those that read the same pairs behind one another.
            taps.sort_by_key(|tap| self.offset(*tap) % 2);
            let each = || {
                for first in (0..steps).step_by(TILES_PER_CHUNK) {
                    let offsets = &offsets[first..steps.min(first + TILES_PER_CHUNK)];
                    for (i, j) in (0..rows / WIDE).flat_map(|i| (0..cols / WIDE).map(move |j| (i, j))) {
                        for tap in &taps {
                            let offset = self.offset(*tap);
                            let line = (4 * j + offset % 2) * pairs + first * SIDE + offset / 2;
                            let walk = Walk {
                                offsets,
                                a_row: LINE_BYTES,
                                a_next: steps * TILE_BYTES,
                                b: xs[line * SIDE..].as_ptr().cast(),
                                b_next: 2 * pairs * LINE_BYTES,
                                b_step: TILE_BYTES,
                            };
                            let a = gs[2 * i * steps * WORDS..].as_ptr().cast();
                            let c = &mut sums[(tap * rows + i * WIDE) * cols + j * WIDE..];
                            // SAFETY: all tiles lie inside what is laid out, and 32 × 32 sums in `c`.
                            unsafe { accumulate(a, &walk, c.as_mut_ptr(), cols) };
                        }
                    }
                }
            };
            // SAFETY: `of` has asked for tiles.
            unsafe { configured(each) };
        });
    }

    /// Sums `[taps][rows][cols]` of several parts as filters.
    fn filters_from(&self, partial: &[Vec<f32>], [rows, cols]: [usize; 2]) -> Vec<f32> {
        let (c_in, c_out, taps) = (self.c_in, self.c_out, self.k * self.k);
        let mut weight = unwritten(c_out * c_in * taps);
        let out = Shared(weight.as_mut_ptr());
        let places: Vec<usize> = (0..taps).map(|tap| tap * cols).collect();
        (0..c_out).into_par_iter().for_each(|o| {
            with_used_scratch([taps * cols], |[sums]| {
                for (tap, sums) in sums.chunks_exact_mut(cols).enumerate() {
                    sums.fill(0.0);
                    for part in partial {
                        let row = &part[(tap * rows + o) * cols..][..cols];
                        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
                    }
                }
                let turn = Turn {
                    // SAFETY: one task writes the filters of one output channel.
                    planes: unsafe { out.at(o * c_in * taps) },
                    plane: taps,
                    pixels: sums.as_mut_ptr(),
                    places: &places,
                    channels: c_in,
                    back: true,
                };
                // SAFETY: the sums of all taps and channels, and their places among the filters.
                unsafe { vectorised(turn) };
            });
        });
        weight
    }
}

#[cfg(test)]
mod tests;
