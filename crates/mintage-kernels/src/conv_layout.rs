//! How the convolution lays planes out: axes with their phases, where vectors start, blocks of weights.
//!
//! The words are those of [`super::conv`].

use std::ops::Range;

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
