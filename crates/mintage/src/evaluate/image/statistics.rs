//! What can be read off an image without learning anything: how bright each region is, how rough at each scale, where
//! edges run (histograms of oriented gradients, Dalal and Triggs, CVPR 2005), and how its channels differ.
//!
//! A network that learned from twenty images knows too little to judge by; these need no images to learn from.

use mintage_data::Images;
use rayon::prelude::*;

use super::distance::Features;

/// Regions along either side: of brightness, and of edges.
const CELLS: usize = 4;
const EDGE_CELLS: usize = 2;
/// Directions of an edge over half a turn.
const DIRECTIONS: usize = 8;
/// Scales, each half as fine as the one before.
const SCALES: usize = 4;
/// Channels up to which each has statistics of its own; of more, only their differences count.
const MAX_CHANNELS: usize = 4;
/// Deviations from the mean that a statistic is clamped to.
const MAX_DEVIATIONS: f64 = 4.0;
/// Shares of the pixels below a quantile.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// The statistics of each image, `[n, d]`; `d` depends on the number of channels alone.
pub(super) fn statistics(images: &Images) -> Features {
    let (height, width) = (images.shape.height, images.shape.width);
    let all: Vec<Vec<f32>> = (0..images.len())
        .into_par_iter()
        .map(|i| {
            let planes = images.image(i).chunks_exact((height * width).max(1));
            let planes = planes.map(|plane| Plane::new(width, plane.iter().map(|&p| f32::from(p) / 255.0)));
            of_image(&planes.collect::<Vec<_>>())
        })
        .collect();
    Features::new(all.first().map_or(1, Vec::len), all.concat())
}

/// `features` less the mean of those of `of`, in units of their deviation.
///
/// Clamped to [`MAX_DEVIATIONS`]: what hardly varies among a few images would outweigh all else.
pub(super) fn standardised(features: &Features, of: &Features) -> Features {
    let mean = of.mean();
    let deviation = |at: usize| {
        let squares = (0..of.n).map(|i| (f64::from(of.row(i)[at]) - mean[at]).powi(2));
        (squares.sum::<f64>() / of.n.max(1) as f64).sqrt()
    };
    let scale: Vec<f64> = (0..of.d).map(deviation).map(|d| if d > 1e-6 { d } else { 1.0 }).collect();
    let one = |(place, &value): (usize, &f32)| {
        let at = place % of.d;
        ((f64::from(value) - mean[at]) / scale[at]).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS) as f32
    };
    Features::new(of.d, features.values.iter().enumerate().map(one).collect())
}

fn of_image(planes: &[Plane]) -> Vec<f32> {
    let mut found = Vec::new();
    let mean = Plane::mean_of(planes);
    found.extend(mean.quantiles());
    found.extend(mean.moments());
    found.extend(mean.cells());
    found.extend(mean.edges());
    let mut scaled = mean;
    for _ in 0..SCALES {
        found.extend(scaled.roughness());
        scaled = scaled.halved();
    }
    if planes.len() > 1 {
        found.extend(Plane::difference(planes).moments());
        planes.iter().take(if planes.len() > MAX_CHANNELS { 0 } else { MAX_CHANNELS }).for_each(|plane| {
            found.extend(plane.moments());
        });
    }
    found
}

/// One channel, from 0 to 1.
#[derive(Clone)]
struct Plane {
    width: usize,
    values: Vec<f32>,
}

impl Plane {
    fn new(width: usize, values: impl Iterator<Item = f32>) -> Self {
        Self { width, values: values.collect() }
    }

    fn mean_of(planes: &[Self]) -> Self {
        let mean = |at: usize| planes.iter().map(|plane| plane.values[at]).sum::<f32>() / planes.len() as f32;
        Self::new(planes[0].width, (0..planes[0].values.len()).map(mean))
    }

    /// The mean distance of each channel from the next: how colourful an image is, or how much a clip moves.
    fn difference(planes: &[Self]) -> Self {
        let pairs = (planes.len() - 1) as f32;
        let mean = |at: usize| {
            planes.windows(2).map(|pair| (pair[0].values[at] - pair[1].values[at]).abs()).sum::<f32>() / pairs
        };
        Self::new(planes[0].width, (0..planes[0].values.len()).map(mean))
    }

    fn height(&self) -> usize {
        self.values.len() / self.width
    }

    fn at(&self, y: usize, x: usize) -> f32 {
        self.values[y.min(self.height() - 1) * self.width + x.min(self.width - 1)]
    }

    fn quantiles(&self) -> [f32; QUANTILES.len()] {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        QUANTILES.map(|share| sorted[(share * (sorted.len() - 1) as f64).round() as usize])
    }

    /// Mean and deviation.
    fn moments(&self) -> [f32; 2] {
        moments(self.values.iter().copied())
    }

    /// Mean and deviation of each region.
    fn cells(&self) -> Vec<f32> {
        let cell = |at: usize| {
            let rows = region(at / CELLS, CELLS, self.height());
            let columns = region(at % CELLS, CELLS, self.width);
            moments(rows.flat_map(|y| columns.clone().map(move |x| self.at(y, x))))
        };
        (0..CELLS * CELLS).flat_map(cell).collect()
    }

    /// The length of the edges of each direction in each region, as a share of all, and how long they are in all.
    fn edges(&self) -> Vec<f32> {
        let mut lengths = vec![0.0f32; EDGE_CELLS * EDGE_CELLS * DIRECTIONS];
        for y in 0..self.height() {
            for x in 0..self.width {
                let (dx, dy) = (self.at(y, x + 1) - self.at(y, x), self.at(y + 1, x) - self.at(y, x));
                let turn = dy.atan2(dx).rem_euclid(std::f32::consts::PI) / std::f32::consts::PI;
                let direction = ((turn * DIRECTIONS as f32) as usize).min(DIRECTIONS - 1);
                let cell = y * EDGE_CELLS / self.height() * EDGE_CELLS + x * EDGE_CELLS / self.width;
                lengths[cell * DIRECTIONS + direction] += dx.hypot(dy);
            }
        }
        let all: f32 = lengths.iter().sum();
        lengths.iter_mut().for_each(|length| *length /= all.max(1e-6));
        lengths.push(all / self.values.len() as f32);
        lengths
    }

    /// How much neighbours differ, across, down, and from the mean of four: logarithms, for noise and blur multiply them.
    fn roughness(&self) -> [f32; 3] {
        let mut sums = [0.0f32; 3];
        for y in 0..self.height() {
            for x in 0..self.width {
                let here = self.at(y, x);
                let (left, up) = (self.at(y, x.saturating_sub(1)), self.at(y.saturating_sub(1), x));
                let (right, down) = (self.at(y, x + 1), self.at(y + 1, x));
                sums[0] += (right - here).abs();
                sums[1] += (down - here).abs();
                sums[2] += (0.25 * (left + right + up + down) - here).abs();
            }
        }
        sums.map(|sum| (sum / self.values.len() as f32 + 1e-3).ln())
    }

    /// Half as wide and high, each pixel the mean of four; what is one pixel wide or high stays so.
    fn halved(&self) -> Self {
        let (height, width) = ((self.height() / 2).max(1), (self.width / 2).max(1));
        let mean = |at: usize| {
            let (y, x) = (at / width * 2, at % width * 2);
            0.25 * (self.at(y, x) + self.at(y, x + 1) + self.at(y + 1, x) + self.at(y + 1, x + 1))
        };
        Self::new(width, (0..height * width).map(mean))
    }
}

/// The part `at` of `parts` equal ones of a side, one pixel at least.
fn region(at: usize, parts: usize, side: usize) -> std::ops::Range<usize> {
    let from = at * side / parts;
    from..((at + 1) * side / parts).max(from + 1)
}

fn moments(values: impl Iterator<Item = f32>) -> [f32; 2] {
    let (mut n, mut sum, mut squares) = (0.0f32, 0.0f32, 0.0f32);
    for value in values {
        (n, sum, squares) = (n + 1.0, sum + value, squares + value * value);
    }
    let mean = sum / n.max(1.0);
    [mean, (squares / n.max(1.0) - mean * mean).max(0.0).sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintage_data::ImageShape;
    use mintage_nn::Rng;

    fn images(shape: ImageShape, n: usize, pixel: impl Fn(usize, usize, usize, usize) -> f32) -> Images {
        let mut pixels = Vec::new();
        for i in 0..n {
            for c in 0..shape.channels {
                for y in 0..shape.height {
                    pixels.extend((0..shape.width).map(|x| (255.0 * pixel(i, c, y, x)) as u8));
                }
            }
        }
        Images { shape, pixels, labels: vec![], classes: vec![] }
    }

    #[test]
    fn stripes_differ_by_direction_and_width() {
        let shape = ImageShape { channels: 1, height: 16, width: 16 };
        let stripes = |across: bool, width: usize| {
            let of = images(shape, 1, |_, _, y, x| ((if across { y } else { x }) / width % 2) as f32);
            statistics(&of)
        };
        let (fine, coarse, across) = (stripes(false, 1), stripes(false, 4), stripes(true, 1));
        let apart = |a: &Features, b: &Features| {
            a.values.iter().zip(&b.values).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
        };
        assert!(apart(&fine, &coarse) > 1.0 && apart(&fine, &across) > 1.0);
        assert_eq!(apart(&fine, &stripes(false, 1)), 0.0);
    }

    #[test]
    fn any_shape_has_finite_statistics() {
        for (channels, height, width) in [(1, 1, 1), (3, 1, 5), (4, 2, 3), (16, 9, 7)] {
            let shape = ImageShape { channels, height, width };
            let noise = Rng::new(1, 0).normals(3 * shape.pixels());
            let of = images(shape, 3, |i, c, y, x| noise[i + c + y + x].abs().min(1.0));
            let found = statistics(&of);
            assert_eq!(found.n, 3);
            assert!(found.values.iter().all(|value| value.is_finite()), "{shape:?}");
            let standard = standardised(&found, &found);
            assert!(standard.values.iter().all(|value| value.is_finite()) && standard.d == found.d);
        }
    }
}
