//! Pixels as a choice among the colours of a palette, for autoencoders of data that few colours cover, as pixel art.
//!
//! A softmax gives exact colours and exact bits, where numbers with a scale give what lies between colours, which shows as
//! blur and as a grain:
//!
//! `p(x_i | z) = (1 − ε) softmax(W f_i(z) + b)_{x_i}`,
//!
//! with a few features `f_i` of each pixel from the decoder, not its logits: at 64 × 64 pixels, 180 colours and 64 channels at
//! a quarter of the sides, logits as the output of the last convolution take .85 GFLOP a frame, features and the product .10.
//! The small `ε` is spread evenly over all colours that no training item has, so that held-out items with such a one have a
//! density as well.
//!
//! Autoencoders whose data have many colours say a mean and a log-scale of each number in place of features; [`losses`] and
//! [`judge`] are of either.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::{Palette, PaletteIndices};
use mintage_nn::{Rng, kernels, layers::Linear, weights::to_vec};
use rayon::prelude::*;

use crate::models::common::{classes::indices, reconstruction::Missed};

/// Features of a pixel; fewer where there are fewer colours.
const MAX_FEATURES: usize = 16;
/// Logits that a training step computes for each pixel, on average.
const MAX_LOGITS_A_PIXEL: usize = 48;
/// Pixels whose logits are in memory at a time, outside of training.
const MAX_PIXELS_AT_ONCE: usize = 1 << 16;
/// ε: the probability of a colour that no training item has.
const UNSEEN: f64 = 1e-6;
/// Weight of what fits the log-scales of numbers, beside the error of their means.
const SCALE_WEIGHT: f64 = 0.02;

/// The last layer of a decoder: features of pixels → logits over the colours of a palette.
#[derive(Module, Debug)]
pub struct PaletteHead {
    logits: Linear,
    #[module(skip)]
    palette: Palette,
}

/// What a decoder says of given pixels.
pub struct Judged {
    /// Mean squared error of the most probable colours, or of the means, in [0, 1].
    pub mse: f64,
    /// `−log p(x | z)` of each item.
    pub nats: Vec<f64>,
}

impl PaletteHead {
    /// A fresh layer on `device`, initialised from `rng`.
    pub fn new(palette: &Palette, device: &Device, rng: &mut Rng) -> Self {
        let logits = Linear::new(Self::features(palette), palette.size(), 1.0, device, rng);
        Self { logits, palette: palette.clone() }
    }

    /// Features of a pixel, which the decoder has to end in.
    pub fn features(palette: &Palette) -> usize {
        palette.size().min(MAX_FEATURES)
    }

    /// Numbers that a training step keeps for the backward pass of so many pixels.
    pub fn activations(palette: &Palette, pixels: usize) -> u64 {
        let logits = palette.size().min(MAX_LOGITS_A_PIXEL);
        (pixels as u64).saturating_mul(2 * (Self::features(palette) + logits) as u64)
    }

    /// The mean `−log p` of a pixel (nats), of `features [n, f, h, w]` and the bytes of items of `area` pixels.
    ///
    /// Where there are many colours, it is estimated from one pixel of every few, drawn by `rng`.
    pub fn loss(&self, features: Tensor<4>, pixels: &[u8], area: usize, rng: &mut Rng) -> Tensor<1> {
        let colors = self.palette.indices(pixels, area).colors;
        let every = self.palette.size().div_ceil(MAX_LOGITS_A_PIXEL);
        let rows = kernels::pixel_rows(features);
        let device = rows.device();
        if every == 1 {
            return kernels::cross_entropy(self.logits.forward(rows), indices(&colors, &device)).mean();
        }
        let draw = |first: usize| (first + rng.below(every.min(colors.len() - first))) as u32;
        let drawn: Vec<u32> = (0..colors.len()).step_by(every).map(draw).collect();
        let targets: Vec<u32> = drawn.iter().map(|&pixel| colors[pixel as usize]).collect();
        let rows = kernels::embedding_bag(rows, &Arc::new(drawn), 1);
        kernels::cross_entropy(self.logits.forward(rows), indices(&targets, &device)).mean()
    }

    /// The most probable colours: bytes of items of `area` pixels.
    pub fn pixels(&self, features: Tensor<4>, area: usize) -> Vec<u8> {
        let chosen: Vec<u32> =
            self.logits_in_parts(features).flat_map(|logits| most_probable(&logits)).collect();
        self.palette.pixels(&chosen, area)
    }

    /// What `features` say of the bytes of items of `area` pixels.
    pub fn judge(&self, features: Tensor<4>, pixels: &[u8], area: usize) -> Judged {
        let PaletteIndices { colors, missing } = self.palette.indices(pixels, area);
        let mut chosen: Vec<u32> = Vec::with_capacity(colors.len());
        let mut nats: Vec<f64> = Vec::with_capacity(colors.len());
        let seen = -(-UNSEEN).ln_1p();
        for (logits, colors) in self.logits_in_parts(features).zip(colors.chunks(MAX_PIXELS_AT_ONCE)) {
            chosen.extend(most_probable(&logits));
            let targets = indices(colors, &logits.device());
            let losses = to_vec(&kernels::cross_entropy(logits, targets));
            nats.extend(losses.into_iter().map(|loss| f64::from(loss) + seen));
        }
        missing.into_iter().for_each(|pixel| nats[pixel] = self.unseen_nats());
        Judged {
            mse: squared_error(&self.palette.pixels(&chosen, area), pixels),
            nats: nats.chunks(area.max(1)).map(|item| item.iter().sum()).collect(),
        }
    }

    /// `−log p` of a pixel whose colour the palette lacks.
    fn unseen_nats(&self) -> f64 {
        let others = 256f64.powi(self.palette.channels() as i32) - self.palette.size() as f64;
        others.ln() - UNSEEN.ln()
    }

    /// Logits `[pixels, colours]` of a part of the pixels after another, which bounds memory.
    fn logits_in_parts(&self, features: Tensor<4>) -> impl Iterator<Item = Tensor<2>> {
        let rows = kernels::pixel_rows(features);
        let [all, _] = rows.dims();
        (0..all).step_by(MAX_PIXELS_AT_ONCE).map(move |first| {
            let part = rows.clone().narrow(0, first, MAX_PIXELS_AT_ONCE.min(all - first));
            self.logits.forward(part)
        })
    }
}

/// The colours of the data that a pixel is a choice among, where that is `wanted`.
pub fn chosen(wanted: bool, palette: Option<&Palette>) -> Option<&Palette> {
    palette.filter(|_| wanted)
}

/// What a decoder says of numbers, without a palette: their means `[n, c, h, w]` and log-scales `[n, c · h · w]`, of
/// `out [n, 2 c, h, w]`.
pub fn logistic(out: Tensor<4>) -> (Tensor<4>, Tensor<2>) {
    let c = out.dims()[1] / 2;
    (out.clone().narrow(1, 0, c), out.narrow(1, c, c).flatten(1, 3) - 3.0)
}

/// Of what a decoder says of `x [n, c, h, w]`, whose bytes are `pixels`, in items of `area` pixels: the error that is told,
/// nats a dimension, and what is made small.
///
/// `out` is features for the `head`, or as [`logistic`] takes it where there is none. `rng` is that of [`PaletteHead::loss`].
pub fn losses(
    head: Option<&PaletteHead>,
    out: Tensor<4>,
    x: Tensor<4>,
    pixels: &[u8],
    area: usize,
    rng: &mut Rng,
) -> [Tensor<1>; 3] {
    let [_, channels, height, width] = x.dims();
    if let Some(head) = head {
        let nats = head.loss(out, pixels, area, rng);
        return [nats.clone(), nats.clone() / channels as f64, nats];
    }
    let (mean, log_scale) = logistic(out);
    let Missed { mse, loss } = Missed::of(mean.clone(), x.clone());
    let flat: Tensor<2> = x.flatten(1, 3);
    let nll = kernels::discretised_logistic_nll(flat, mean.flatten::<2>(1, 3).detach(), log_scale).mean()
        / (channels * height * width) as f64;
    [mse, nll.clone(), loss + nll * SCALE_WEIGHT]
}

/// How well `out` tells `x`; both, `pixels` and `area` are as of [`losses`].
pub fn judge(head: Option<&PaletteHead>, out: Tensor<4>, x: Tensor<4>, pixels: &[u8], area: usize) -> Judged {
    if let Some(head) = head {
        return head.judge(out, pixels, area);
    }
    let [_, _, height, width] = x.dims();
    let (mean, log_scale) = logistic(out);
    let mse = kernels::mean_squared_error(mean.clone(), x.clone()).into_scalar::<f32>() / 4.0;
    let nats = kernels::discretised_logistic_nll(x.flatten(1, 3), mean.flatten(1, 3), log_scale);
    let frames = (area / (height * width).max(1)).max(1);
    let item = |frames: &[f32]| frames.iter().map(|&v| f64::from(v)).sum();
    Judged { mse: f64::from(mse), nats: to_vec(&nats).chunks_exact(frames).map(item).collect() }
}

/// The colour with the largest logit of each row.
fn most_probable(logits: &Tensor<2>) -> Vec<u32> {
    let [_, colors] = logits.dims();
    let largest = |row: &[f32]| (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    to_vec(logits).par_chunks_exact(colors).map(|row| largest(row) as u32).collect()
}

/// Mean squared difference of bytes, as shares of 255.
fn squared_error(made: &[u8], pixels: &[u8]) -> f64 {
    let squares = made.iter().zip(pixels).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
    squares.sum::<u64>() as f64 / (255.0 * 255.0 * pixels.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_nn::{AdamW, Trainable};

    use super::*;

    /// Two items of 2 × 64 pixels, whose colours are those of `colors` in turn.
    fn pixels(colors: &[[u8; 3]]) -> Vec<u8> {
        let plane = |channel: usize| (0..128).map(move |i| colors[i % colors.len()][channel]);
        let item: Vec<u8> = (0..3).flat_map(plane).collect();
        item.repeat(2)
    }

    /// So many colours, which differ in green.
    fn head(colors: usize) -> (PaletteHead, Vec<[u8; 3]>) {
        let colors: Vec<[u8; 3]> = (0..colors).map(|i| [7, 2 * i as u8, 0]).collect();
        let all: Vec<u8> = pixels(&colors).repeat(colors.len());
        let palette = Palette::of(3, all.chunks(3 * 128)).unwrap();
        assert_eq!(palette.size(), colors.len());
        let device = Device::flex().autodiff();
        (PaletteHead::new(&palette, &device, &mut Rng::new(1, 0)), colors)
    }

    #[test]
    fn colours_are_chosen_among_where_that_is_wanted() {
        let (head, _) = head(4);
        assert_eq!(chosen(true, Some(&head.palette)).map(Palette::size), Some(4));
        assert!(chosen(false, Some(&head.palette)).is_none() && chosen(true, None).is_none());
    }

    #[test]
    fn without_a_palette_an_item_has_the_nats_of_all_its_frames() {
        let (device, mut rng) = (Device::flex(), Rng::new(4, 0));
        let (out, x) = (rng.normal_tensor([4, 2, 3, 2], &device), rng.normal_tensor([4, 1, 3, 2], &device));
        let [images, clips] = [6, 12].map(|area| judge(None, out.clone(), x.clone(), &[], area));
        assert_eq!((images.nats.len(), images.mse), (4, clips.mse));
        let sums: Vec<f64> = images.nats.chunks(2).map(|pair| pair[0] + pair[1]).collect();
        assert_eq!(clips.nats, sums);
        assert!(sums.iter().all(|nats| nats.is_finite()), "{sums:?}");
    }

    #[test]
    fn bits_of_a_decoder_that_knows_nothing_are_those_of_the_number_of_colours() {
        for colors in [4, 100] {
            let (mut head, list) = head(colors);
            let features = PaletteHead::features(&head.palette);
            let device = Device::flex();
            head.logits = Linear::new(features, colors, 0.0, &device, &mut Rng::new(1, 0));
            let x = Rng::new(2, 0).normal_tensor([4, features, 8, 8], &device);
            let Judged { nats, .. } = head.judge(x.clone(), &pixels(&list), 128);
            let bits = nats[0] / (3.0 * 128.0) / std::f64::consts::LN_2;
            assert!(nats.len() == 2 && (bits - (colors as f64).log2() / 3.0).abs() < 1e-4, "{bits}");
            // A pixel that has another colour makes them more, and not infinite.
            let mut other = pixels(&list);
            other[0] = 200;
            let more = head.judge(x, &other, 128).nats;
            assert!(more[0] > nats[0] + 10.0 && more[0].is_finite() && more[1] == nats[1], "{more:?}");
        }
    }

    #[test]
    fn few_and_many_colours_are_learned_from_features_that_tell_them() {
        for colors in [4, 100] {
            let (head, list) = head(colors);
            let features = PaletteHead::features(&head.palette);
            let device = Device::flex().autodiff();
            // Each colour has features of its own, the same wherever it is.
            let of_colors = Rng::new(2, 0).normals(colors * features);
            let rows: Vec<f32> = (0..256)
                .flat_map(|i| of_colors[i % 128 % colors * features..][..features].to_vec())
                .collect();
            let rows = Tensor::<1>::from_floats(&rows[..], &device).reshape([256, features]);
            let x = kernels::row_pixels(rows, 8, 8);
            let (mut rng, given) = (Rng::new(3, 0), pixels(&list));
            let mut train = Trainable::new(head, AdamW { ema: 0.0, ..AdamW::default() });
            for _ in 0..400 {
                let loss = train.net().loss(x.clone(), &given, 128, &mut rng);
                train.update(loss, 3e-2).unwrap();
            }
            let head = train.averaged();
            let x = x.inner();
            assert_eq!(head.pixels(x.clone(), 128), given, "{colors} colours");
            let Judged { mse, nats } = head.judge(x, &given, 128);
            assert!(mse == 0.0 && nats.iter().all(|nats| *nats < 128.0 * (colors as f64).ln() / 2.0));
        }
    }
}
