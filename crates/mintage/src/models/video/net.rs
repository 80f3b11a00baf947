//! What the families of clips share: frames in and out, and an encoder and a decoder of 2 + 1 dimensions (R(2+1)D, Tran et
//! al., arXiv:1711.11248): convolutions within each frame, and mixing over time at the smallest size, where it is cheap.
//!
//! Both ends work on squares of pixels (space to depth), so that nothing is convolved at full resolution. The encoder
//! looks back only, so that the vectors of a frame do not change with what comes behind it; the decoder looks both ways.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::{ImageShape, VideoBatch};
use mintage_nn::{
    Rng, kernels,
    layers::{Conv2d, GroupNorm, LayerNorm, Linear, ResBlock, TimeBlock},
    weights::to_vec,
};

use super::{Conditioning, VideoInfo};
use crate::models::common::{
    padding::{crop_to, pad_to},
    rows::swapped,
};

/// Frames that are decoded together, which bounds memory.
const MAX_CHUNK_FRAMES: usize = 512;

/// What both halves are built from.
#[derive(Clone, Copy, Debug)]
pub struct Trunk {
    /// Channels, height and width of a frame.
    pub shape: ImageShape,
    /// Channels at the size that the ends work at; twice as many below.
    pub width: usize,
    /// Residual blocks a size.
    pub blocks: usize,
    /// Blocks over time.
    pub time_blocks: usize,
    /// How many times 2 × 2 pixels become channels.
    pub folds: usize,
    /// How many times the size is halved after that.
    pub halvings: usize,
}

impl Trunk {
    /// The trunk that ends where no side is longer than `grid`.
    pub fn new(shape: ImageShape, width: usize, blocks: usize, time_blocks: usize, grid: usize) -> Self {
        let all = halvings(shape, grid);
        // Small clips keep their details.
        let folds = all.min(if shape.height.max(shape.width) > 32 { 2 } else { 1 });
        Self { shape, width, blocks, time_blocks, folds, halvings: all - folds }
    }

    /// The trunk of one size that has no side longer than `grid`: all that makes it smaller is squares of pixels.
    pub fn flat(shape: ImageShape, width: usize, blocks: usize, grid: usize) -> Self {
        Self { shape, width, blocks, time_blocks: 0, folds: halvings(shape, grid), halvings: 0 }
    }

    /// The trunk over maps that are small already: no squares become channels.
    pub fn over_maps(
        shape: ImageShape,
        width: usize,
        blocks: usize,
        time_blocks: usize,
        grid: usize,
    ) -> Self {
        Self { shape, width, blocks, time_blocks, folds: 0, halvings: halvings(shape, grid) }
    }

    /// Numbers of a square of pixels.
    pub fn patch(&self) -> usize {
        self.shape.channels << (2 * self.folds)
    }

    /// Channels after `level` halvings.
    fn channels(&self, level: usize) -> usize {
        if level == 0 { self.width } else { 2 * self.width }
    }

    /// Height and width of the smallest map.
    pub fn grid(&self) -> (usize, usize) {
        let small = |side: usize| side.div_ceil(1 << (self.folds + self.halvings));
        (small(self.shape.height), small(self.shape.width))
    }

    /// Vectors of a frame.
    pub fn cells(&self) -> usize {
        let (height, width) = self.grid();
        height * width
    }

    /// Squares of pixels as channels, of frames padded to a size that every halving divides.
    pub fn folded(&self, x: Tensor<4>) -> Tensor<4> {
        let (height, width) = self.padded();
        (0..self.folds).fold(pad_to(x, height, width), |x, _| kernels::pixel_unshuffle2(x))
    }

    /// Undoes [`folded`](Self::folded), and the padding.
    pub fn unfolded(&self, patches: Tensor<4>) -> Tensor<4> {
        let x = (0..self.folds).fold(patches, |x, _| kernels::pixel_shuffle2(x));
        crop_to(x, self.shape.height, self.shape.width)
    }

    /// Height and width that every halving divides.
    fn padded(&self) -> (usize, usize) {
        let (height, width) = self.grid();
        (height << (self.folds + self.halvings), width << (self.folds + self.halvings))
    }
}

/// How often a frame must be halved until no side is longer than `grid`.
fn halvings(shape: ImageShape, grid: usize) -> usize {
    let longest = shape.height.max(shape.width);
    (0..9).find(|&h| longest.div_ceil(1 << h) <= grid).unwrap_or(9)
}

/// Frames `[n · frames, channels, height, width]` → vectors `[n · frames · cells, d]`.
#[derive(Module, Debug)]
pub struct VideoEncoder {
    stem: Conv2d,
    stages: Vec<Stage>,
    norm: GroupNorm,
    time: Vec<TimeBlock>,
    last: LayerNorm,
    output: Linear,
    #[module(skip)]
    trunk: Trunk,
}

/// Residual blocks of one size, then the map to the next.
#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<ResBlock>,
    next: Option<Conv2d>,
}

impl VideoEncoder {
    /// A fresh encoder to vectors of `d` dimensions on `device`, initialised from `rng`.
    pub fn new(trunk: Trunk, d: usize, device: &Device, rng: &mut Rng) -> Self {
        let stages = (0..=trunk.halvings)
            .map(|level| {
                let c = trunk.channels(level);
                let last = level == trunk.halvings;
                Stage {
                    blocks: (0..trunk.blocks).map(|_| ResBlock::new(c, c, 0, device, rng)).collect(),
                    next: (!last).then(|| Conv2d::halving(c, trunk.channels(level + 1), 1.0, device, rng)),
                }
            })
            .collect();
        let bottom = trunk.channels(trunk.halvings);
        Self {
            stem: Conv2d::new(trunk.patch(), trunk.width, 3, 1.0, device, rng),
            stages,
            norm: GroupNorm::new(bottom, device),
            time: (0..trunk.time_blocks).map(|_| TimeBlock::causal(bottom, device, rng)).collect(),
            last: LayerNorm::new(bottom, device),
            output: Linear::new(bottom, d, 1.0, device, rng),
            trunk,
        }
    }

    /// `x` with `frames` frames a clip → the vectors of all frames.
    pub fn forward(&self, x: Tensor<4>, frames: usize) -> Tensor<2> {
        let mut h = self.stem.forward(self.trunk.folded(x));
        for stage in &self.stages {
            h = stage.blocks.iter().fold(h, |h, block| block.forward(h, None));
            if let Some(next) = &stage.next {
                h = next.forward(h);
            }
        }
        let rows = kernels::pixel_rows(self.norm.forward_silu(h));
        self.output.forward(self.last.forward(over_time(rows, &self.time, frames, self.trunk.cells())))
    }
}

/// Vectors `[n · frames · cells, d]` → frames `[n · frames, outputs, height, width]`, unbounded.
#[derive(Module, Debug)]
pub struct VideoDecoder {
    input: Linear,
    time: Vec<TimeBlock>,
    stages: Vec<Stage>,
    norm: GroupNorm,
    out: Conv2d,
    #[module(skip)]
    trunk: Trunk,
}

impl VideoDecoder {
    /// A fresh decoder of vectors of `d` dimensions to `outputs` channels on `device`, initialised from
    /// `rng`.
    pub fn new(trunk: Trunk, d: usize, outputs: usize, device: &Device, rng: &mut Rng) -> Self {
        let stages = (0..=trunk.halvings)
            .rev()
            .map(|level| {
                let c = trunk.channels(level);
                // Four times the channels at the small size, then pixel shuffle.
                let next = |rng: &mut Rng| Conv2d::new(c, 4 * trunk.channels(level - 1), 3, 1.0, device, rng);
                Stage {
                    blocks: (0..trunk.blocks).map(|_| ResBlock::new(c, c, 0, device, rng)).collect(),
                    next: (level > 0).then(|| next(rng)),
                }
            })
            .collect();
        let bottom = trunk.channels(trunk.halvings);
        Self {
            input: Linear::new(d, bottom, 1.0, device, rng),
            time: (0..trunk.time_blocks).map(|_| TimeBlock::new(bottom, device, rng)).collect(),
            stages,
            norm: GroupNorm::new(trunk.width, device),
            out: Conv2d::new(trunk.width, outputs << (2 * trunk.folds), 3, 0.5, device, rng),
            trunk,
        }
    }

    /// Vectors with `frames` frames a clip → the frames of all clips.
    pub fn forward(&self, vectors: Tensor<2>, frames: usize) -> Tensor<4> {
        let (height, width) = self.trunk.grid();
        let rows = over_time(self.input.forward(vectors), &self.time, frames, height * width);
        let mut h = kernels::row_pixels(rows, height, width);
        for stage in &self.stages {
            h = stage.blocks.iter().fold(h, |h, block| block.forward(h, None));
            if let Some(next) = &stage.next {
                h = kernels::pixel_shuffle2(next.forward(h));
            }
        }
        self.trunk.unfolded(self.out.forward(self.norm.forward_silu(h)))
    }
}

/// Blocks over time at every place of rows `[n · frames · cells, c]`.
pub fn over_time(rows: Tensor<2>, blocks: &[TimeBlock], frames: usize, cells: usize) -> Tensor<2> {
    let by_place = swapped(rows, frames, cells); // [n · cells · frames, c]
    swapped(blocks.iter().fold(by_place, |x, block| block.forward(x, frames)), cells, frames)
}

/// Whether a name within an encoder or a decoder is that of a matrix, or of filters, between hidden layers.
pub fn is_hidden(name: &str) -> bool {
    let inside = [".blocks.", ".time.", ".next."].iter().any(|part| name.contains(part));
    inside && name.ends_with(".weight")
}

/// Clips per step, so that they have about `frames` frames together: the work of a step does not depend on
/// the length of clips.
pub fn batch_of(frames: usize, info: &VideoInfo) -> usize {
    (frames / info.frames.max(1)).clamp(2, 32)
}

/// Bytes of clips `[n, channels, frames, height, width]` → `image_model` `[n · frames, channels, height, width]`.
pub fn to_frames(pixels: &[u8], shape: ImageShape, frames: usize, device: &Device) -> Tensor<4> {
    let area = shape.height * shape.width;
    let each = frames * shape.pixels();
    let mut values = Vec::with_capacity(pixels.len());
    for clip in pixels.chunks_exact(each.max(1)) {
        for plane in (0..frames).flat_map(|t| (0..shape.channels).map(move |c| c * frames + t)) {
            let plane = &clip[plane * area..(plane + 1) * area];
            values.extend(plane.iter().map(|&p| f32::from(p) / 127.5 - 1.0));
        }
    }
    let all = pixels.len() / shape.pixels().max(1);
    Tensor::from_data(TensorData::new(values, [all, shape.channels, shape.height, shape.width]), device)
}

/// Undoes [`to_frames`], rounded and clamped.
pub fn from_frames(image_model: &Tensor<4>, frames: usize) -> Vec<u8> {
    let [all, channels, height, width] = image_model.dims();
    let (values, area) = (to_vec(image_model), height * width);
    let mut pixels = Vec::with_capacity(values.len());
    for clip in 0..all / frames.max(1) {
        for (c, t) in (0..channels).flat_map(|c| (0..frames).map(move |t| (c, t))) {
            let plane = &values[((clip * frames + t) * channels + c) * area..][..area];
            pixels.extend(plane.iter().map(|v| ((v + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8));
        }
    }
    pixels
}

/// Frames of a clip's pixels.
pub fn frames_of(pixels: &[u8], shape: ImageShape) -> usize {
    pixels.len() / shape.pixels().max(1)
}

/// Lays the frames that a clip was to begin with over those of new ones: `pixels [n, channels, frames, height, width]`.
pub fn keep_given(pixels: &mut [u8], start: &Conditioning<&[u8]>, shape: ImageShape, frames: usize) {
    let Conditioning::Continue { item: given } = start else { return };
    let (area, known) = (shape.height * shape.width, frames_of(given, shape));
    let kept = known.min(frames) * area;
    for channels in pixels.chunks_exact_mut(frames * shape.pixels()) {
        for (new, old) in
            channels.chunks_exact_mut(frames * area).zip(given.chunks_exact(known.max(1) * area))
        {
            new[..kept].copy_from_slice(&old[..kept]);
        }
    }
}

/// The first frames of a clip, at most `frames`.
pub fn first_frames(pixels: &[u8], shape: ImageShape, frames: usize) -> Vec<u8> {
    let (area, known) = (shape.height * shape.width, frames_of(pixels, shape));
    let channels = pixels.chunks_exact(known.max(1) * area);
    channels.flat_map(|channel| &channel[..known.min(frames) * area]).copied().collect()
}

/// Runs `one` on a few of the `n` clips of `frames` frames at a time, with a label for each (`classes` where there is none),
/// and joins the bytes.
pub fn in_parts(
    n: usize,
    labels: &[u32],
    frames: usize,
    classes: usize,
    one: impl FnMut(&[u32]) -> Vec<u8>,
) -> Vec<u8> {
    let labels: Vec<u32> = (0..n).map(|i| labels.get(i).copied().unwrap_or(classes as u32)).collect();
    labels.chunks((MAX_CHUNK_FRAMES / frames.max(1)).max(1)).flat_map(one).collect()
}

/// A batch in parts of a few clips, which bounds memory.
pub fn parts_of(batch: &VideoBatch, info: &VideoInfo) -> Vec<VideoBatch> {
    let each = info.frames * info.shape.pixels();
    let at_once = (MAX_CHUNK_FRAMES / info.frames.max(1)).max(1);
    let part = |(number, pixels): (usize, &[u8])| {
        let n = pixels.len() / each;
        let labels = batch.labels.iter().skip(number * at_once).take(n).copied().collect();
        VideoBatch { pixels: pixels.to_vec(), labels, n }
    };
    batch.pixels.chunks((at_once * each).max(1)).enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::video::test_support::{tiny_batch, tiny_info};

    #[test]
    fn clips_come_back_from_frames() {
        let (info, batch) = (tiny_info(), tiny_batch());
        let x = to_frames(&batch.pixels, info.shape, info.frames, &Device::flex());
        assert_eq!(x.dims(), [4 * 4, 3, 12, 12]);
        assert_eq!(from_frames(&x, info.frames), batch.pixels);
        let parts = parts_of(&batch, &info);
        assert_eq!((parts.len(), &parts[0]), (1, &batch));
    }

    #[test]
    fn sizes_that_do_not_halve_are_padded() {
        for (height, width, grid) in
            [(4, 4, 8), (12, 12, 4), (20, 28, 8), (64, 48, 8), (100, 64, 8), (12, 64, 2)]
        {
            let shape = ImageShape { channels: 1, height, width };
            let (trunk, device, mut rng) = (Trunk::new(shape, 8, 1, 1, grid), Device::flex(), Rng::new(1, 0));
            let encoder = VideoEncoder::new(trunk, 3, &device, &mut rng);
            let decoder = VideoDecoder::new(trunk, 3, 2, &device, &mut rng);
            let z = encoder.forward(Tensor::zeros([6, 1, height, width], &device), 3);
            let (rows, columns) = trunk.grid();
            assert!(rows.max(columns) <= grid && z.dims() == [6 * rows * columns, 3]);
            assert_eq!(decoder.forward(z, 3).dims(), [6, 2, height, width]);
        }
    }

    #[test]
    fn the_encoder_looks_back_only() {
        let (info, device, mut rng) = (tiny_info(), Device::flex(), Rng::new(1, 0));
        let trunk = Trunk::new(info.shape, 8, 1, 2, 4);
        let mut encoder = VideoEncoder::new(trunk, 4, &device, &mut rng);
        for block in &mut encoder.time {
            block.down = Linear::new(64, 16, 1.0, &device, &mut rng);
        }
        let clip = tiny_batch().pixels[..info.frames * info.shape.pixels()].to_vec();
        let encoded = |frames: usize| {
            let pixels = first_frames(&clip, info.shape, frames);
            to_vec(&encoder.forward(to_frames(&pixels, info.shape, frames, &device), frames))
        };
        let (whole, begun) = (encoded(4), encoded(2));
        assert!(whole.iter().zip(&begun).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
