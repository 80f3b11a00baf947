//! What gives one picture away: a network that tells new pictures from real ones is asked again with regions of the picture
//! put in as the nearest real pictures have them there, or with a frame made of its neighbours.

use mintage_data::{ImageShape, Images};
use mintage_nn::DeviceChoice;

use super::{
    super::{
        explain::{Scale, cross_fit, enough},
        work,
    },
    convnet::{ConvNet, Training},
};
use crate::{error::Error, events::Event};

/// Passes over the pictures that a network learns from.
const EPOCHS: usize = 10;
/// Least and largest number of steps that these come to.
const STEP_LIMITS: (usize, usize) = (80, 300);
/// Cells of the grid along the longer side.
const CELLS: usize = 7;
/// Least side of a cell, in pixels.
const MIN_CELL: usize = 2;
/// Cells along a side of what is put in at a time: a change of one cell alone is little beside all others.
const WINDOW: usize = 2;
/// Real pictures whose regions are put in.
const DONORS: usize = 4;

/// Networks that tell new pictures from real ones.
pub(in crate::evaluate) struct PictureDetector {
    nets: Vec<ConvNet>,
    /// What was learned of real pictures, from which regions are taken.
    real: Images,
}

/// A region of a picture, in shares of its sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::evaluate) struct Place {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl PictureDetector {
    /// Learns to tell pictures of one shape apart.
    pub fn new(
        real: Images,
        new: Images,
        seed: u64,
        on: &mut dyn FnMut(Event),
    ) -> Result<(Self, Scale), Error> {
        enough(real.len(), new.len())?;
        if real.shape != new.shape {
            return Err(Error::request("the new items are of another size than the data"));
        }
        let device = DeviceChoice::Cpu.open()?;
        let (n_real, n_new) = (real.len(), new.len());
        let mut all = real.clone();
        all.pixels.extend(&new.pixels);
        all.labels.clear();
        let (nets, scale) = cross_fit(
            n_real,
            n_new,
            seed,
            |fold, learned| {
                let labels: Vec<u32> = learned.iter().map(|&i| u32::from(i < n_real)).collect();
                let steps = (learned.len() * EPOCHS / 64).clamp(STEP_LIMITS.0, STEP_LIMITS.1);
                let training =
                    Training { steps, lr: 2e-3, shift: 0.04, seed: seed.wrapping_add(fold as u64) };
                ConvNet::classifier(
                    &all.select(learned),
                    &labels,
                    2,
                    training,
                    &device,
                    &mut |done, total| {
                        on(work("training the detector", fold * total + done, 2 * total));
                    },
                )
            },
            |net, judged| log_odds(net, &all.select(judged)),
        );
        Ok((Self { nets, real }, scale))
    }

    /// The log odds of being real of each picture: the mean of what the networks say.
    pub fn log_odds(&self, images: &Images) -> Vec<f64> {
        let mut sums = vec![0.0; images.len()];
        for net in &self.nets {
            sums.iter_mut()
                .zip(log_odds(net, images))
                .for_each(|(sum, x)| *sum += x / self.nets.len() as f64);
        }
        sums
    }

    /// By how much more real one picture looks with each cell of a grid as in real pictures, on average over what is put in.
    pub fn regions(&self, picture: &Images) -> Vec<(Place, f64)> {
        let shape = picture.shape;
        let (rows, columns) = (cells(shape, shape.height), cells(shape, shape.width));
        let donors = self.nearest(picture.image(0));
        if donors.is_empty() {
            return Vec::new();
        }
        // Windows reach over the borders, so that every cell is in as many.
        let (down, across) = (rows.len() + WINDOW - 1, columns.len() + WINDOW - 1);
        let mut changed = picture.select(&[]);
        for window in 0..down * across {
            let of = |cells: &[(usize, usize)], last: usize| {
                let covered = &cells[(last + 1).saturating_sub(WINDOW)..cells.len().min(last + 1)];
                covered[0].0..covered[covered.len() - 1].1
            };
            let (y, x) = (of(&rows, window / across), of(&columns, window % across));
            for &donor in &donors {
                let mut pixels = picture.image(0).to_vec();
                let planes = pixels.chunks_exact_mut(shape.height * shape.width);
                for (plane, other) in
                    planes.zip(self.real.image(donor).chunks_exact(shape.height * shape.width))
                {
                    for row in y.clone() {
                        let line = row * shape.width + x.start..row * shape.width + x.end;
                        plane[line.clone()].copy_from_slice(&other[line]);
                    }
                }
                changed.pixels.extend(pixels);
            }
        }
        let base = self.log_odds(picture).first().copied().unwrap_or(0.0);
        let gains: Vec<f64> = self
            .log_odds(&changed)
            .chunks(donors.len())
            .map(|gains| gains.iter().map(|gain| gain - base).sum::<f64>() / gains.len() as f64)
            .collect();
        let mut found = Vec::with_capacity(rows.len() * columns.len());
        for (row, &(top, bottom)) in rows.iter().enumerate() {
            for (column, &(left, right)) in columns.iter().enumerate() {
                let windows =
                    (row..row + WINDOW).flat_map(|y| (column..column + WINDOW).map(move |x| y * across + x));
                let gain = windows.map(|window| gains[window]).sum::<f64>() / (WINDOW * WINDOW) as f64;
                let share = |at: usize, side: usize| at as f64 / side as f64;
                let (x, y) = (share(left, shape.width), share(top, shape.height));
                let (w, h) = (share(right, shape.width) - x, share(bottom, shape.height) - y);
                found.push((Place { x, y, w, h }, gain));
            }
        }
        found
    }

    /// By how much more real a clip looks, a picture with a channel for every frame and colour, with each of its frames the
    /// mean of those before and behind it.
    pub fn frames(&self, picture: &Images, frames: usize) -> Vec<f64> {
        let area = picture.shape.height * picture.shape.width;
        let mut changed = picture.select(&[]);
        for frame in 0..frames {
            let mut pixels = picture.image(0).to_vec();
            for clip in pixels.chunks_exact_mut(area * frames) {
                let before = if frame > 0 { frame - 1 } else { 1.min(frames - 1) };
                let behind = if frame + 1 < frames { frame + 1 } else { before };
                for i in 0..area {
                    let sum = u16::from(clip[before * area + i]) + u16::from(clip[behind * area + i]);
                    clip[frame * area + i] = (sum / 2) as u8;
                }
            }
            changed.pixels.extend(pixels);
        }
        let base = self.log_odds(picture).first().copied().unwrap_or(0.0);
        self.log_odds(&changed).into_iter().map(|found| found - base).collect()
    }

    /// The real pictures that are nearest to one.
    fn nearest(&self, picture: &[u8]) -> Vec<usize> {
        let square = |i: usize| -> u64 {
            let pairs = self.real.image(i).iter().zip(picture);
            pairs.map(|(a, b)| u64::from(u32::from(a.abs_diff(*b)).pow(2))).sum()
        };
        let mut all: Vec<(u64, usize)> = (0..self.real.len()).map(|i| (square(i), i)).collect();
        all.sort_unstable();
        // A picture that was learned from is no other one.
        all.into_iter().filter(|&(square, _)| square > 0).take(DONORS).map(|(_, i)| i).collect()
    }
}

/// Of being real, which is the second class.
fn log_odds(net: &ConvNet, images: &Images) -> Vec<f64> {
    net.logits(images).chunks_exact(2).map(|pair| f64::from(pair[1]) - f64::from(pair[0])).collect()
}

/// Where the cells of a grid along a side begin and end: as long as those along the longer one.
fn cells(shape: ImageShape, side: usize) -> Vec<(usize, usize)> {
    let longest = shape.height.max(shape.width);
    let each = longest.div_ceil(CELLS).max(MIN_CELL);
    let count = side.div_ceil(each).max(1);
    (0..count).map(|i| (i * side / count, (i + 1) * side / count)).collect()
}
