//! How the convolution lays planes out: axes with their phases, where vectors start, blocks of weights.
//!
//! The words are those of [`super::conv`].

use std::ops::Range;

use rayon::prelude::*;

use super::conv_micro::ROWS;
use super::simd::vector_len;

/// One image axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub input: usize,
    pub output: usize,
    stride: usize,
    padding: usize,
    /// Positions of a phase that outputs need: `output − 1 + taps per phase`.
    pub span: usize,
}

impl Axis {
    /// Of a filter with `k` taps.
    pub fn new(input: usize, k: usize, stride: usize, padding: usize) -> Self {
        let output = (input + 2 * padding - k) / stride + 1;
        Self { input, output, stride, padding, span: output - 1 + k.div_ceil(stride) }
    }

    /// Positions `i` of `phase` that lie inside the input, not in the padding.
    pub fn inside(self, phase: usize) -> Range<usize> {
        let low = self.padding.saturating_sub(phase).div_ceil(self.stride);
        let high = (self.input + self.padding).saturating_sub(phase).div_ceil(self.stride).min(self.span);
        low.min(high)..high
    }

    /// Where position `i` of `phase` lies in the input.
    pub fn index(self, phase: usize, i: usize) -> usize {
        self.stride * i + phase - self.padding
    }
}

/// A convolution with a stride `s` as one without: the `s × s` phases of its input and of its filters as channels, the
/// padding among them.
pub(super) struct Phases {
    x: [usize; 4],
    weight: [usize; 4],
    stride: usize,
    rows: Axis,
    cols: Axis,
}

impl Phases {
    /// The stride divides the size of the filters.
    pub fn new(x: [usize; 4], weight: [usize; 4], stride: usize, padding: usize) -> Self {
        let [_, _, h, w] = x;
        let axis = |size| Axis::new(size, weight[2], stride, padding);
        Self { x, weight, stride, rows: axis(h), cols: axis(w) }
    }

    /// Those of input and filters.
    pub fn shapes(&self) -> ([usize; 4], [usize; 4]) {
        let ([n, c_in, ..], [c_out, _, k, _]) = (self.x, self.weight);
        let (channels, k) = (c_in * self.stride * self.stride, k / self.stride);
        ([n, channels, self.rows.span, self.cols.span], [c_out, channels, k, k])
    }

    /// Every row of every phase: which phase, where the row begins in it and in the map, how many pixels it has there.
    fn each_row(&self, mut work: impl FnMut(usize, usize, usize, usize)) {
        for phase in 0..self.stride * self.stride {
            let (ry, rx) = (phase / self.stride, phase % self.stride);
            let cols = self.cols.inside(rx);
            if cols.is_empty() {
                continue;
            }
            for i in self.rows.inside(ry) {
                let from = self.rows.index(ry, i) * self.cols.input + self.cols.index(rx, cols.start);
                work(phase, i * self.cols.span + cols.start, from, cols.len());
            }
        }
    }

    /// `[n, c, h, w]` → `[n, c · s², h', w']`.
    pub fn of_maps(&self, x: &[f32]) -> Vec<f32> {
        let (plane, phase) = (self.x[2] * self.x[3], self.rows.span * self.cols.span);
        let mut phases = vec![0.0; x.len() / plane * self.stride * self.stride * phase];
        let of_plane = phases.par_chunks_mut(self.stride * self.stride * phase);
        of_plane.zip(x.par_chunks(plane)).for_each(|(to, from)| {
            self.each_row(|which, at, start, len| {
                copy(len, &from[start..], self.stride, &mut to[which * phase + at..], 1);
            });
        });
        phases
    }

    /// The inverse: what no phase holds is 0.
    pub fn to_maps(&self, phases: &[f32]) -> Vec<f32> {
        let (plane, phase) = (self.x[2] * self.x[3], self.rows.span * self.cols.span);
        let mut x = vec![0.0; self.x.iter().product()];
        let of_plane = phases.par_chunks(self.stride * self.stride * phase);
        x.par_chunks_mut(plane).zip(of_plane).for_each(|(to, from)| {
            self.each_row(|which, at, start, len| {
                copy(len, &from[which * phase + at..], 1, &mut to[start..], self.stride);
            });
        });
        x
    }

    /// Where each tap of a filter lies among the taps of its phases.
    fn places(&self) -> Vec<usize> {
        let (k, s) = (self.weight[2], self.stride);
        let place = |tap: usize| {
            let (y, x) = (tap / k, tap % k);
            (y % s * s + x % s) * (k / s) * (k / s) + y / s * (k / s) + x / s
        };
        (0..k * k).map(place).collect()
    }

    /// `[c_out, c_in, k, k]` → `[c_out, c_in · s², k / s, k / s]`.
    pub fn of_filters(&self, weight: &[f32]) -> Vec<f32> {
        let places = self.places();
        let mut phases = vec![0.0; weight.len()];
        let filters = phases.chunks_exact_mut(places.len()).zip(weight.chunks_exact(places.len()));
        filters.for_each(|(to, from)| places.iter().zip(from).for_each(|(place, v)| to[*place] = *v));
        phases
    }

    /// The inverse.
    pub fn to_filters(&self, phases: &[f32]) -> Vec<f32> {
        let places = self.places();
        let filters = phases.chunks_exact(places.len());
        filters.flat_map(|from| places.iter().map(|place| from[*place])).collect()
    }
}

/// Distance between planes: an odd multiple of 16 values, so that planes do not share cache sets.
pub(super) fn plane_stride(len: usize) -> usize {
    (len.div_ceil(16) | 1) * 16
}

/// Starts of vectors of pixels that cover the given rows and columns of every image, sorted and not overlapping.
pub(super) fn starts(
    lanes: usize,
    group: usize,
    plane: usize,
    pitch: usize,
    rows: Range<usize>,
    cols: Range<usize>,
) -> Vec<u32> {
    let vector = vector_len();
    let mut starts = Vec::new();
    let mut covered = 0;
    for row in (0..group / lanes).flat_map(|m| rows.clone().map(move |y| m * plane + y * pitch)) {
        let (mut q, end) = (covered.max(row + cols.start), row + cols.end);
        while q < end {
            starts.push((q * lanes) as u32);
            q += vector / lanes;
            covered = q;
        }
    }
    starts
}

/// How many images should lie side by side, so that `part` images take the fewest vectors; `room` images fit
/// into the cache. Copying in and out is dearer for more than one: it must pay.
pub(super) fn lanes(part: usize, room: usize, plane: usize, pitch: usize, [rows, cols]: [usize; 2]) -> usize {
    let vectors = |lanes: usize| {
        let of_one = starts(lanes, lanes, plane, pitch, 0..rows, 0..cols).len();
        of_one * part.div_ceil(lanes)
    };
    let (mut best, mut least) = (1, vectors(1));
    for lanes in [2, 4, 8, 16].into_iter().filter(|&lanes| lanes <= room.min(part).min(vector_len())) {
        if vectors(lanes) * 20 < least * 19 {
            (best, least) = (lanes, vectors(lanes));
        }
    }
    best
}

/// The starts below a place.
pub(super) fn until(starts: &[u32], end: usize) -> &[u32] {
    &starts[..starts.partition_point(|&start| (start as usize) < end)]
}

/// Weights in blocks of four output rows: `[row / 4][tap][row % 4]`, zero beyond the last row. The weight of a
/// row and a tap stands at `row · row_step + places[tap]`.
pub(super) fn pack(rows: usize, row_step: usize, places: &[usize], weight: &[f32]) -> Vec<f32> {
    let mut packed = vec![0.0; rows.next_multiple_of(ROWS) * places.len()];
    for (block, packed) in packed.chunks_exact_mut((places.len() * ROWS).max(1)).enumerate() {
        let weight = &weight[block * ROWS * row_step..];
        let count = ROWS.min(rows - block * ROWS);
        for (packed, &place) in packed.as_chunks_mut::<ROWS>().0.iter_mut().zip(places) {
            if count == ROWS {
                *packed = std::array::from_fn(|r| weight[r * row_step + place]);
            } else {
                (0..count).for_each(|r| packed[r] = weight[r * row_step + place]);
            }
        }
    }
    packed
}

/// The inverse of [`pack`]: `[row][tap]`.
pub(super) fn unpack(rows: usize, taps: usize, packed: &[f32]) -> Vec<f32> {
    let at = |i: usize| packed[(i / taps / ROWS * taps + i % taps) * ROWS + i / taps % ROWS];
    (0..rows * taps).map(at).collect()
}

/// Copies `count` values, `from_step` apart, to places `to_step` apart.
pub(super) fn copy(count: usize, from: &[f32], from_step: usize, to: &mut [f32], to_step: usize) {
    match (from_step, to_step) {
        // Rows are short: a call of the library's copy would cost more than the copying.
        (1, 1) => {
            let (to, from) = (to[..count].as_chunks_mut::<8>(), from[..count].as_chunks::<8>());
            to.0.iter_mut().zip(from.0).for_each(|(to, from)| *to = *from);
            to.1.iter_mut().zip(from.1).for_each(|(to, from)| *to = *from);
        }
        _ => {
            let places = to.iter_mut().step_by(to_step).take(count);
            places.zip(from.iter().step_by(from_step)).for_each(|(to, from)| *to = *from);
        }
    }
}
