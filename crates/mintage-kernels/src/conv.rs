#![allow(unsafe_code)] // Tasks write disjoint parts of one output; the inner loops take raw pointers.
//! Convolution without im2col, forward and backward.
//!
//! With stride `s`, kernel `k`, padding `p` and padded coordinates `u = s·i + r`, every padded plane is
//! split into its `s × s` *phases* `r`, each stored with the same row length `pitch`. Then tap
//! `(ky, kx) = (s·jy + ry, s·jx + rx)` reads phase `(ry, rx)` at one fixed offset `jy·pitch + jx` from
//! the output pixel, and with `q = i_y·pitch + i_x` running over a whole plane in vectors (the few
//! columns between the rows are computed and dropped):
//!
//! ```text
//! y[o][q]          = b[o] + Σ_{c,k} w[o][c][k] · x[c][phase(k)][q + offset(k)]
//! dx[c][phase][q]  = Σ_{o, k in phase} w[o][c][k] · g[o][q − offset(k)]
//! dw[o][c][k]     += Σ_q g[o][q] · x[c][phase(k)][q + offset(k)]
//! ```
//!
//! The zero columns of the padding separate the rows (one gap serves the end of a row and the start of
//! the next), several small images lie one behind the other in a plane, and the laid-out copies fit
//! the second-level cache. Where rows are no multiple of a vector long, the same pixel of 2 to 16 images
//! lies side by side (their number is `lanes`), so that vectors end where rows end. Weight gradients are summed per part
//! of the batch and the parts in order. With 64 channels, 4 × 4 filters and stride 2 a forward pass makes 60 % of the
//! machine's limit, with AVX2 alone 75 %.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::add::total;
use super::conv_layout::{Axis, copy, lanes, pack, plane_stride, starts, unpack, until};
use super::conv_micro::{Correlation, ROWS, Rows, block_pixels};
use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::{Shared, add_in_order, unwritten, with_scratch};
use super::simd::{vector_len, vectorised};

/// Laid-out pixels of one task's input, at most: half of a usual second-level cache.
const GROUP_VALUES: usize = 1 << 16;
/// More pixels than this in one plane gain nothing.
const GROUP_PIXELS: usize = 2048;
/// What the taps of one pass may read, in bytes: most of a usual first-level cache.
const PASS_BYTES: usize = 24 << 10;

/// `conv2d` with this stride and padding on `[x, weight, bias]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv {
    pub stride: usize,
    pub padding: usize,
}

impl Conv {
    /// Whether the layout above holds: a square kernel that the padding does not exceed.
    pub fn fits(self, x: [usize; 4], weight: [usize; 4]) -> bool {
        let [n, c_in, h, w] = x;
        let [_, c_weight, k, k2] = weight;
        let sizes = [h, w].into_iter().all(|size| size + 2 * self.padding >= k && size > 0);
        k == k2 && k > self.padding && self.stride > 0 && sizes && c_in == c_weight && n * c_in > 0
    }
}

impl Fused<3> for Conv {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 2]) {
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let plan = Plan::new(*self, dims(&x), dims(&weight));
        let y = plan.forward(values(&x), values(&weight), values(&bias));
        let shape = [plan.n, plan.c_out, plan.rows.output, plan.cols.output];
        (from_vec(y, shape), [x, weight])
    }

    fn backward(
        self,
        [x, weight]: [FlexTensor; 2],
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = contiguous(grad);
        let plan = Plan::new(self, dims(&x), dims(&weight));
        let found = plan.backward(values(&x), values(&weight), values(&grad), wanted);
        [
            found.dx.map(|v| from_vec(v, dims::<4>(&x))),
            found.dw.map(|v| from_vec(v, dims::<4>(&weight))),
            found.db.map(|v| from_vec(v, [plan.c_out])),
        ]
    }
}

/// The layout of one convolution, see the module's head.
struct Plan {
    n: usize,
    c_in: usize,
    c_out: usize,
    k: usize,
    stride: usize,
    /// Phases along one axis that some tap reads.
    phases: usize,
    rows: Axis,
    cols: Axis,
    pitch: usize,
    /// Images whose pixels lie side by side.
    lanes: usize,
    /// Images laid out together, a multiple of `lanes`.
    group: usize,
    /// Pixels of one laid-out image, and of a group with room for a last vector.
    plane: usize,
    len: usize,
    /// Where vectors of output pixels start.
    starts: Vec<u32>,
    /// What a tap may reach beyond a pixel.
    reach: usize,
    /// Distances between the planes of `x` and of `g`.
    x_stride: usize,
    g_stride: usize,
}

struct Found {
    dx: Option<Vec<f32>>,
    dw: Option<Vec<f32>>,
    db: Option<Vec<f32>>,
}

impl Plan {
    fn new(conv: Conv, [n, c_in, h, w]: [usize; 4], [c_out, _, k, _]: [usize; 4]) -> Self {
        let (rows, cols) =
            (Axis::new(h, k, conv.stride, conv.padding), Axis::new(w, k, conv.stride, conv.padding));
        let phases = k.min(conv.stride);
        let inside = (0..phases).map(|r| cols.inside(r));
        let pitch = inside.map(|i| i.end.max(cols.span - i.start)).max().unwrap_or(cols.span);
        let plane = rows.span * pitch;
        let channels = (c_in * phases * phases).max(c_out);
        let room = (GROUP_VALUES / channels).min(GROUP_PIXELS) / plane;
        // Images a thread; no more of them than that are laid out together.
        let part = n.div_ceil(rayon::current_num_threads()).max(1);
        let lanes = lanes(part, room, plane, pitch, [rows.output, cols.output]);
        let group = room.clamp(lanes, part.next_multiple_of(lanes)) / lanes * lanes;
        let len = group * plane + vector_len();
        let starts = starts(lanes, group, plane, pitch, 0..rows.output, 0..cols.output);
        let reach = (k.div_ceil(conv.stride) - 1) * (pitch + 1) * lanes;
        Self {
            n,
            c_in,
            c_out,
            k,
            stride: conv.stride,
            phases,
            rows,
            cols,
            pitch,
            lanes,
            group,
            plane,
            len,
            starts,
            reach,
            x_stride: plane_stride(len + reach),
            g_stride: plane_stride(len + reach),
        }
    }

    fn taps(&self) -> usize {
        self.c_in * self.k * self.k
    }

    /// Taps of one pass over the pixels, when every channel has `taps` taps over `planes` planes.
    fn chunk(&self, taps: usize, planes: usize) -> usize {
        let window = planes * (self.reach + block_pixels()) * size_of::<f32>();
        let channels = PASS_BYTES / (window + taps * ROWS * size_of::<f32>());
        channels.max(1) * taps
    }

    /// Where position `at` of a plane lies in it for image `m` of a group.
    fn place(&self, m: usize, at: usize) -> usize {
        (m / self.lanes * self.plane + at) * self.lanes + m % self.lanes
    }

    /// Values of a plane that the first `images` of a group take.
    fn extent(&self, images: usize) -> usize {
        images.next_multiple_of(self.lanes) * self.plane
    }

    /// Offset of each tap `(c, ky, kx)` in the laid-out input.
    fn x_offsets(&self) -> Vec<u32> {
        let (k, s, f) = (self.k, self.stride, self.phases);
        let tap = |i: usize| {
            let (c, ky, kx) = (i / (k * k), i / k % k, i % k);
            let phase = (c * f + ky % s) * f + kx % s;
            (phase * self.x_stride + (ky / s * self.pitch + kx / s) * self.lanes) as u32
        };
        (0..self.taps()).map(tap).collect()
    }

    /// Copies the input of `images` into phases; `to` holds `c_in · phases² · x_stride` zeros or an
    /// earlier group of the same plan.
    fn lay_out_x(&self, x: &[f32], images: Range<usize>, to: &mut [f32]) {
        let (h, w, f) = (self.rows.input, self.cols.input, self.phases);
        for c in 0..self.c_in {
            for (ry, rx) in (0..f * f).map(|i| (i / f, i % f)) {
                let to = &mut to[((c * f + ry) * f + rx) * self.x_stride..][..self.x_stride];
                // A last, smaller group must not keep an earlier group's images.
                to[images.len() / self.lanes * self.lanes * self.plane..].fill(0.0);
                let cols = self.cols.inside(rx);
                if cols.is_empty() {
                    continue;
                }
                let first = self.cols.index(rx, cols.start);
                for (m, image) in images.clone().enumerate() {
                    let from = &x[(image * self.c_in + c) * h * w..][..h * w];
                    for iy in self.rows.inside(ry) {
                        let to = &mut to[self.place(m, iy * self.pitch + cols.start)..];
                        let from = &from[self.rows.index(ry, iy) * w..][..w];
                        copy(cols.len(), &from[first..], self.stride, to, self.lanes);
                    }
                }
            }
        }
    }

    /// Copies the output gradient of `images`: rows of `pitch`, `reach` zeros before the first.
    fn lay_out_g(&self, g: &[f32], images: Range<usize>, to: &mut [f32]) {
        let (h, w) = (self.rows.output, self.cols.output);
        for c in 0..self.c_out {
            let to = &mut to[c * self.g_stride + self.reach..][..self.g_stride - self.reach];
            to[images.len() / self.lanes * self.lanes * self.plane..].fill(0.0);
            for (m, image) in images.clone().enumerate() {
                let from = &g[(image * self.c_out + c) * h * w..][..h * w];
                for (y, row) in from.chunks_exact(w).enumerate() {
                    copy(w, row, 1, &mut to[self.place(m, y * self.pitch)..], self.lanes);
                }
            }
        }
    }

    fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let (h, w) = (self.rows.output, self.cols.output);
        let mut y = unwritten(self.n * self.c_out * h * w);
        let out = Shared(y.as_mut_ptr());
        let (offsets, blocks) = (self.x_offsets(), self.c_out.div_ceil(ROWS));
        let places: Vec<usize> = (0..self.taps()).collect();
        let packed = pack(self.c_out, self.taps(), &places, weight);
        let groups = self.n.div_ceil(self.group);
        let chunk = self.chunk(self.k * self.k, self.phases * self.phases);
        // Few groups: the output channels are split as well, at the price of laying `x` out twice.
        let splits = rayon::current_num_threads().div_ceil(groups.max(1)).min(blocks);
        (0..groups * splits).into_par_iter().for_each(|task| {
            let (group, split) = (task / splits, task % splits);
            let images = group * self.group..self.n.min((group + 1) * self.group);
            with_scratch(
                [self.c_in * self.phases * self.phases * self.x_stride, ROWS * self.len],
                |[xs, tile]| {
                    self.lay_out_x(x, images.clone(), xs);
                    for block in split * blocks / splits..(split + 1) * blocks / splits {
                        let first = block * ROWS;
                        let count = ROWS.min(self.c_out - first);
                        let bias = std::array::from_fn(|r| if r < count { bias[first + r] } else { 0.0 });
                        let packed = &packed[block * self.taps() * ROWS..][..self.taps() * ROWS];
                        let starts = until(&self.starts, self.extent(images.len()));
                        let job = Rows {
                            x: xs.as_ptr(),
                            offsets: &offsets,
                            weight: packed,
                            bias,
                            starts,
                            chunk,
                            rows: count,
                            out: tile.as_mut_ptr(),
                            out_row: self.len,
                        };
                        // SAFETY: a plane holds `len + reach` values; a vector ends before `len`, a tap adds up to `reach`.
                        unsafe { vectorised(job) };
                        for (m, image) in images.clone().enumerate() {
                            for r in 0..count {
                                // SAFETY: one task owns each (image, channel) of the output.
                                let to =
                                    unsafe { out.slice((image * self.c_out + first + r) * h * w, h * w) };
                                let from = &tile[r * self.len..][..self.len];
                                for (y, row) in to.chunks_exact_mut(w).enumerate() {
                                    copy(w, &from[self.place(m, y * self.pitch)..], self.lanes, row, 1);
                                }
                            }
                        }
                    }
                },
            );
        });
        y
    }

    fn backward(&self, x: &[f32], weight: &[f32], g: &[f32], wanted: [bool; 3]) -> Found {
        let [want_x, want_w, want_b] = wanted;
        let mut dx =
            want_x.then(|| if self.covers_input() { unwritten(x.len()) } else { vec![0.0; x.len()] });
        let dx_out = dx.as_mut().map(|dx| Shared(dx.as_mut_ptr()));
        let phases = if want_x { self.transposed(weight) } else { Vec::new() };
        let offsets = self.x_offsets();
        let parts = rayon::current_num_threads().min(self.n).max(1);
        let partial: Vec<(Vec<f32>, Vec<f32>)> = (0..parts)
            .into_par_iter()
            .map(|part| {
                let images = part * self.n / parts..(part + 1) * self.n / parts;
                let packed = self.c_out.next_multiple_of(ROWS) * self.taps();
                let mut dw = vec![0.0; if want_w { packed } else { 0 }];
                let mut db = vec![0.0; if want_b { self.c_out } else { 0 }];
                let xs = if want_w { self.c_in * self.phases * self.phases * self.x_stride } else { 0 };
                with_scratch([xs, self.c_out * self.g_stride, ROWS * self.len], |[xs, gs, tile]| {
                    for start in images.clone().step_by(self.group) {
                        let images = start..images.end.min(start + self.group);
                        self.lay_out_g(g, images.clone(), gs);
                        if want_w {
                            self.lay_out_x(x, images.clone(), xs);
                            self.add_weight_gradient(xs, gs, &offsets, images.len(), &mut dw);
                        }
                        if want_b {
                            self.add_bias_gradient(gs, &mut db);
                        }
                        if let Some(out) = dx_out {
                            for phase in &phases {
                                self.input_gradient(phase, gs, images.clone(), tile, out);
                            }
                        }
                    }
                });
                (dw, db)
            })
            .collect();
        let (dw, db): (Vec<_>, Vec<_>) = partial.into_iter().unzip();
        Found {
            dx,
            dw: want_w.then(|| unpack(self.c_out, self.taps(), &add_in_order(dw))),
            db: want_b.then(|| add_in_order(db)),
        }
    }

    /// Adds to `dw`, which is packed like the weights.
    fn add_weight_gradient(&self, xs: &[f32], gs: &[f32], offsets: &[u32], images: usize, dw: &mut [f32]) {
        for first in (0..self.c_out).step_by(ROWS) {
            let count = ROWS.min(self.c_out - first);
            let g = &gs[first * self.g_stride + self.reach..];
            let out = &mut dw[first * self.taps()..][..ROWS * self.taps()];
            let starts = until(&self.starts, self.extent(images));
            let (g, x) = (g.as_ptr(), xs.as_ptr());
            let job = Correlation { g, g_stride: self.g_stride, x, offsets, starts, rows: count, out };
            // SAFETY: planes of `x` hold `len + reach` values and rows of `g` at least `len` after `reach`.
            unsafe { vectorised(job) };
        }
    }

    fn add_bias_gradient(&self, gs: &[f32], db: &mut [f32]) {
        for (db, g) in db.iter_mut().zip(gs.chunks_exact(self.g_stride)) {
            *db += total(g);
        }
    }

    fn input_gradient(&self, phase: &Phase, gs: &[f32], images: Range<usize>, tile: &mut [f32], out: Shared) {
        let (h, w) = (self.rows.input, self.cols.input);
        let (inside_y, inside_x) = (self.rows.inside(phase.ry), self.cols.inside(phase.rx));
        if inside_y.is_empty() || inside_x.is_empty() {
            return;
        }
        let first_x = self.cols.index(phase.rx, inside_x.start);
        let per_block = phase.offsets.len() * ROWS;
        for first in (0..self.c_in).step_by(ROWS) {
            let count = ROWS.min(self.c_in - first);
            let packed = &phase.packed[first / ROWS * per_block..][..per_block];
            let starts = until(&phase.starts, self.extent(images.len()));
            let (offsets, bias) = (&phase.offsets, [0.0; ROWS]);
            let job = Rows {
                x: gs.as_ptr(),
                offsets,
                weight: packed,
                bias,
                starts,
                chunk: phase.chunk,
                rows: count,
                out: tile.as_mut_ptr(),
                out_row: self.len,
            };
            // SAFETY: offsets lie in `0..=reach` of a plane of `g` that holds `reach + len` values.
            unsafe { vectorised(job) };
            for (m, image) in images.clone().enumerate() {
                for r in 0..count {
                    // SAFETY: one task owns each image of the input's gradient.
                    let to = unsafe { out.slice((image * self.c_in + first + r) * h * w, h * w) };
                    let from = &tile[r * self.len..][..self.len];
                    for iy in inside_y.clone() {
                        let to = &mut to[self.rows.index(phase.ry, iy) * w..][first_x..w];
                        let from = &from[self.place(m, iy * self.pitch + inside_x.start)..];
                        copy(inside_x.len(), from, self.lanes, to, self.stride);
                    }
                }
            }
        }
    }

    /// For each phase of the input: its taps over `g` and their weights, blocks of input channels.
    fn transposed(&self, weight: &[f32]) -> Vec<Phase> {
        let (k, s, f) = (self.k, self.stride, self.phases);
        let phase = |ry: usize, rx: usize| {
            let (jy, jx) = ((k - ry).div_ceil(s), (k - rx).div_ceil(s));
            let tap = |i: usize| (i / (jy * jx), i / jx % jy, i % jx); // (o, jy, jx)
            let count = self.c_out * jy * jx;
            let offsets = (0..count).map(tap);
            let offsets =
                offsets.map(|(o, y, x)| o * self.g_stride + self.reach - (y * self.pitch + x) * self.lanes);
            // Where each tap's weight stands for the first input channel: its divisions are made once.
            let places: Vec<usize> = (0..count)
                .map(tap)
                .map(|(o, y, x)| (o * self.c_in * k + s * y + ry) * k + s * x + rx)
                .collect();
            let packed = pack(self.c_in, k * k, &places, weight);
            let (rows, cols) = (self.rows.inside(ry), self.cols.inside(rx));
            let starts = starts(self.lanes, self.group, self.plane, self.pitch, rows, cols);
            let offsets = offsets.map(|offset| offset as u32).collect();
            Phase { starts, ry, rx, offsets, packed, chunk: self.chunk(jy * jx, 1) }
        };
        (0..f * f).map(|i| phase(i / f, i % f)).collect()
    }

    /// Whether every input pixel is under some tap.
    fn covers_input(&self) -> bool {
        let covered =
            |axis: Axis| (0..self.phases).map(|r| axis.inside(r).len()).sum::<usize>() == axis.input;
        covered(self.rows) && covered(self.cols)
    }
}

struct Phase {
    starts: Vec<u32>,
    ry: usize,
    rx: usize,
    offsets: Vec<u32>,
    packed: Vec<f32>,
    chunk: usize,
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        composite, conv2d,
        testing::{Case, noise},
    };

    struct Shape {
        n: usize,
        c_in: usize,
        c_out: usize,
        h: usize,
        w: usize,
        k: usize,
        stride: usize,
        padding: usize,
    }

    fn check(s: Shape) {
        let Shape { n, c_in, c_out, h, w, k, stride, padding } = s;
        let shapes = [n * c_in * h * w, c_out * c_in * k * k, c_out];
        let case = Case {
            name: format!("{n}x{c_in}x{h}x{w} to {c_out}, k {k} s {stride} p {padding}"),
            inputs: shapes.into_iter().enumerate().map(|(i, len)| noise(len, i as u64)).collect(),
            fused: &|v| {
                let (x, weight) =
                    (v[0].clone().reshape([n, c_in, h, w]), v[1].clone().reshape([c_out, c_in, k, k]));
                conv2d(x, weight, Some(v[2].clone()), stride, padding).flatten(0, 3)
            },
            composite: &|v| {
                let (x, weight) =
                    (v[0].clone().reshape([n, c_in, h, w]), v[1].clone().reshape([c_out, c_in, k, k]));
                composite::conv2d(x, weight, Some(v[2].clone()), stride, padding).flatten(0, 3)
            },
            tolerance: 1e-5,
        };
        case.check();
        if n * c_in * h * w < 40 {
            case.check_differences();
        }
    }

    #[test]
    fn equals_the_composite() {
        for (k, stride, padding) in [
            (3, 1, 1),
            (4, 2, 1),
            (1, 1, 0),
            (5, 1, 2),
            (3, 2, 1),
            (1, 2, 0),
            (5, 3, 0),
            (4, 1, 1),
            (4, 1, 3),
        ] {
            // The last three with images side by side, whole bundles and broken ones.
            for (n, c_in, c_out, h, w) in [
                (1, 1, 1, 6, 5),
                (3, 5, 7, 9, 6),
                (2, 3, 9, 5, 11),
                (5, 2, 4, 28, 28),
                (9, 6, 3, 7, 7),
                (16, 3, 5, 4, 4),
                (37, 2, 3, 4, 4),
                (11, 3, 2, 14, 6),
            ] {
                if h.min(w) + 2 * padding < k {
                    continue;
                }
                check(Shape { n, c_in, c_out, h, w, k, stride, padding });
            }
        }
        check(Shape { n: 2, c_in: 3, c_out: 5, h: 4, w: 4, k: 4, stride: 1, padding: 0 });
    }

    #[test]
    fn without_bias_views_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(2 * 6 * 5 * 3, 1).as_slice(), &device).reshape([2, 6, 5, 3]);
        let weight = Tensor::<1>::from_floats(noise(4 * 3 * 9, 2).as_slice(), &device).reshape([4, 3, 3, 3]);
        let view = x.permute([0, 3, 1, 2]).slice([0..2, 0..3, 1..6, 0..4]);
        let copy = Tensor::<4>::from_data(view.to_data(), &device);
        let fused = conv2d(view, weight.clone(), None, 1, 1);
        composite::conv2d(copy, weight.clone(), None, 1, 1)
            .into_data()
            .assert_approx_eq::<f32>(&fused.to_data(), burn::tensor::Tolerance::absolute(1e-5));
        let none = conv2d(Tensor::zeros([0, 3, 5, 5], &device), weight, None, 1, 1);
        assert_eq!(none.dims(), [0, 4, 5, 5]);
    }

    #[test]
    fn gradients_are_skipped_where_not_wanted() {
        let device = burn::tensor::Device::flex().autodiff();
        let x = Tensor::<4>::ones([1, 2, 4, 4], &device).require_grad();
        let weight = Tensor::<4>::ones([3, 2, 3, 3], &device);
        let grads = conv2d(x.clone(), weight.clone(), None, 1, 1).sum().backward();
        assert!(x.grad(&grads).is_some() && weight.grad(&grads).is_none());
    }
}
