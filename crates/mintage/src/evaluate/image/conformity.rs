//! The discriminative part on any data: how well does each item conform to what a model learned from?
//!
//! A conformal p-value (Vovk et al., "Algorithmic Learning in a Random World"; for outliers: Bates et
//! al., arXiv:2104.08279), times 100: the share of held-out real images that lie at least as far from
//! the train split as the item does. Items of the same source average 50 and fall below 5 one time in
//! twenty; an item that is unlike the source is near 0. Distances are taken to the nearest training
//! image both in the own encoder's space, which sees what an image shows, and in pixels, which see how
//! clean it is; the smaller of the two p-values counts, doubled (Bonferroni).

use mintage_data::{ImageSet, Images};
use mintage_nn::DeviceChoice;

use super::{ConvNet, ItemScore, Options, distance::Features, encoder::encoder, evenly, prdc::nearest, work};
use crate::{error::Error, events::Event, model::Model, models::Batch};

/// Training images that distances are taken to, and held-out ones that they are compared with.
const MAX_REFERENCES: usize = 5000;
/// Items scored at a time.
const SCORE_CHUNK: usize = 1024;
/// Importance samples of an item's likelihood.
pub(in crate::evaluate) const NLL_SAMPLES: usize = 20;

/// Scores every image of `items` by how well it conforms to `data`.
///
/// `items` must be read with the transform of the model.
///
/// # Errors
/// The data have too few items to compare with, or items cannot be read.
pub fn score(
    model: &Model,
    data: &ImageSet,
    items: &ImageSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<ItemScore>, Error> {
    let conformity = Conformity::new(data, options, on)?;
    let mut scores = Vec::with_capacity(items.len());
    let all: Vec<u32> = (0..items.len() as u32).collect();
    for chunk in all.chunks(SCORE_CHUNK) {
        let batch = items.batch(chunk)?;
        let conformities = conformity.of(&items.images(chunk)?);
        let nll = match model.nll_is_slow() {
            true => None,
            false => model.nll(&Batch::Image(batch), NLL_SAMPLES, options.seed),
        };
        for (i, &item) in chunk.iter().enumerate() {
            scores.push(ItemScore {
                name: items.name(item),
                conformity: conformities[i],
                nll: nll.as_ref().map(|nll| nll[i]),
            });
        }
        on(work("scoring", scores.len(), items.len()));
    }
    Ok(scores)
}

/// What images are compared with, in both spaces.
pub(in crate::evaluate) struct Conformity {
    net: ConvNet,
    scales: [Scale; 2],
}

impl Conformity {
    /// From the data that a model learned from.
    ///
    /// # Errors
    /// The data have too few items to compare with, or items cannot be read.
    pub fn new(data: &ImageSet, options: &Options, on: &mut dyn FnMut(Event)) -> Result<Self, Error> {
        let device = DeviceChoice::Cpu.open()?;
        let net = encoder(data, options.cache.as_deref(), &device, &mut |done, total| {
            on(work("learning the feature space", done, total));
        })?;
        let splits = data.splits();
        let train = data.images(&evenly(&splits.train, MAX_REFERENCES))?;
        // A tiny data set may have no holdout to speak of; the valid split was not trained on either.
        let fresh: Vec<u32> = splits.holdout.iter().chain(&splits.valid).copied().collect();
        let fresh = data.images(&evenly(&fresh, MAX_REFERENCES))?;
        if train.is_empty() || fresh.is_empty() {
            return Err(Error::request("the source holds too few items to compare with"));
        }
        let scale =
            |space: fn(&ConvNet, &Images) -> Features| Scale::new(space(&net, &train), &space(&net, &fresh));
        let scales = SPACES.map(scale);
        Ok(Self { net, scales })
    }

    /// The conformity of each image: 0 to 100.
    pub fn of(&self, images: &Images) -> Vec<f64> {
        let shares =
            SPACES.iter().zip(&self.scales).map(|(space, scale)| scale.shares(&space(&self.net, images)));
        let shares: Vec<Vec<f64>> = shares.collect();
        let least = |i: usize| shares.iter().map(|shares| shares[i]).fold(1.0, f64::min);
        (0..images.len()).map(|i| (100.0 * least(i) * shares.len() as f64).min(100.0)).collect()
    }
}

/// What an image shows, and how clean it is.
const SPACES: [fn(&ConvNet, &Images) -> Features; 2] =
    [|net, images| net.features(images), |_, images| coarse_pixels(images)];

/// Distances of held-out images to the train split in one space, sorted.
struct Scale {
    train: Features,
    distances: Vec<f32>,
}

impl Scale {
    fn new(train: Features, fresh: &Features) -> Self {
        let mut distances: Vec<f32> = nearest(fresh, &train).into_iter().map(|(_, d)| d).collect();
        distances.sort_unstable_by(f32::total_cmp);
        Self { train, distances }
    }

    /// p-value of each vector.
    fn shares(&self, items: &Features) -> Vec<f64> {
        let n = self.distances.len();
        let share = |d: f32| (1 + n - self.distances.partition_point(|&x| x < d)) as f64 / (n + 1) as f64;
        nearest(items, &self.train).into_iter().map(|(_, d)| share(d)).collect()
    }
}

/// Pixels averaged over blocks, at most 16 × 16 of them, so that a distance is no matter of an edge
/// lying one pixel further.
fn coarse_pixels(images: &Images) -> Features {
    let shape = images.shape;
    let block = shape.height.max(shape.width).div_ceil(16).max(1);
    let (rows, columns) = (shape.height.div_ceil(block), shape.width.div_ceil(block));
    let mut values = Vec::with_capacity(images.len() * shape.channels * rows * columns);
    for i in 0..images.len() {
        for plane in images.image(i).chunks_exact(shape.height * shape.width) {
            for (row, column) in (0..rows * columns).map(|b| (b / columns * block, b % columns * block)) {
                let lines = plane.chunks_exact(shape.width).skip(row).take(block);
                let cells = lines.flat_map(|line| line.iter().skip(column).take(block));
                let (sum, count) = cells.fold((0.0, 0.0), |(s, n), &p| (s + f32::from(p), n + 1.0));
                values.push(sum / count);
            }
        }
    }
    Features::new(shape.channels * rows * columns, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintage_nn::Rng;

    #[test]
    fn p_values_are_uniform_for_the_same_source_and_small_for_another() {
        let normal = |n: usize, seed, mean: f32| {
            Features::new(4, Rng::new(seed, 0).normals(4 * n).into_iter().map(|v| v + mean).collect())
        };
        let scale = Scale::new(normal(300, 1, 0.0), &normal(300, 2, 0.0));
        let same = scale.shares(&normal(300, 3, 0.0));
        let mean = same.iter().sum::<f64>() / 300.0;
        let low = same.iter().filter(|&&p| p < 0.1).count();
        assert!((mean - 0.5).abs() < 0.07 && (15..50).contains(&low), "{mean} {low}");
        assert!(scale.shares(&normal(10, 4, 9.0)).iter().all(|&p| p < 0.01));
    }

    #[test]
    fn blocks_are_averaged() {
        let shape = mintage_data::ImageShape { channels: 1, height: 18, width: 17 };
        let images = Images { shape, pixels: vec![7; 18 * 17], labels: vec![], classes: vec![] };
        let found = coarse_pixels(&images);
        assert_eq!((found.n, found.d), (1, 81));
        assert!(found.values.iter().all(|&v| v == 7.0));
    }
}
