//! The trivial generator, which sets the floor of every scale: pixels drawn independently of each other
//! from normal distributions with the mean and deviation that they have in the train split, class by
//! class. A model that cannot beat it has learned nothing but averages.

use mintage_data::{ImageSet, Images};
use mintage_nn::Rng;

use super::evenly;
use crate::error::Error;

/// Training images of each class, on average, whose pixels are averaged.
const MAX_PER_CLASS: usize = 2000;

/// As many images as `like` has, with the same labels.
pub(super) fn trivial(data: &ImageSet, like: &Images, seed: u64) -> Result<Images, Error> {
    let classes = data.classes().len().max(1);
    let label = |labels: &[u32], i: usize| labels.get(i).map_or(0, |&l| (l as usize).min(classes - 1));
    let size = data.shape().pixels();
    let train = data.images(&evenly(&data.splits().train, MAX_PER_CLASS * classes))?;
    let mut count = vec![0.0f64; classes];
    let mut sums = vec![(0.0f64, 0.0f64); classes * size];
    for i in 0..train.len() {
        let class = label(&train.labels, i);
        count[class] += 1.0;
        for (sum, &p) in sums[class * size..].iter_mut().zip(train.image(i)) {
            let p = f64::from(p);
            (sum.0, sum.1) = (sum.0 + p, sum.1 + p * p);
        }
    }
    let mut rng = Rng::new(seed, 0);
    let mut pixels = Vec::with_capacity(like.len() * size);
    for i in 0..like.len() {
        let class = label(&like.labels, i);
        let n = count[class].max(1.0);
        for (sum, squares) in &sums[class * size..(class + 1) * size] {
            let mean = sum / n;
            let deviation = (squares / n - mean * mean).max(0.0).sqrt();
            pixels.push((mean + deviation * f64::from(rng.normal())).round().clamp(0.0, 255.0) as u8);
        }
    }
    Ok(Images { pixels, ..like.clone() })
}
