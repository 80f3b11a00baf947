//! The detector: a classifier two-sample test (Lopez-Paz & Oquab, arXiv:1610.06545).
//!
//! A network learns to tell held-out real images from generated ones on one half of each, and is asked
//! about the other half. The area under its ROC curve is 0.5 where it can only guess and 1 where it
//! always knows. A detector that learned nothing would flatter the generator, so the same detector, with
//! the same training, is also asked to tell a trivial generator from real data: that is the floor.
//!
//! Of few images every one is needed twice: each half is judged by a network that learned from the other.
//! And a network that learned from a dozen images may know less than a regression on their statistics:
//! both are asked, and the one counts that better tells trivial images from real ones, whatever it says of
//! new ones.

use burn::tensor::Device;
use mintage_data::Images;

use super::{
    Interval, RESAMPLES, SMALL_SET_IMAGES, Sets,
    convnet::{ConvNet, Training, second_of_two},
    statistics::statistics,
};
use crate::{
    evaluate::{
        DialName,
        roc::Folds,
        table::{self, Frame, Judge},
        verdict::DETECTOR,
        work,
    },
    events::Event,
    report::Metric,
};

/// Passes over the learned half.
const EPOCHS: usize = 10;
/// Least and largest number of steps that these passes come to.
const STEP_LIMITS: (usize, usize) = (80, 400);

/// What a detector found.
#[derive(Clone, Debug)]
pub(super) struct Detection {
    /// Area under the ROC curve with its bootstrap interval.
    pub auc: Interval,
    /// For each generated image that was judged, half of them or all: index and probability of being real.
    pub realness: Vec<(usize, f64)>,
    /// Real images that were judged.
    reals: usize,
}

/// What a detector says of new images, of other real ones, and of trivial ones.
struct Answers {
    space: String,
    new: Detection,
    ceiling: Interval,
    floor: Interval,
}

impl Answers {
    fn of(space: String, mut detect: impl FnMut(&Images, &str) -> Detection, sets: &Sets) -> Self {
        let new = detect(&sets.fake, "training the detector");
        let ceiling = detect(&sets.ceiling, "training the detector on real data");
        let floor = detect(&sets.floor, "training the detector on the trivial generator").auc;
        // Below 0.5 is chance as well: a detector that is wrong more often than right knows nothing.
        let guesses = Interval::of_chance_auc(ceiling.reals, ceiling.realness.len());
        let ceiling = ceiling.auc.covering(guesses).at_least(0.5);
        Self { space, new, ceiling, floor }
    }

    /// How far trivial images are surely from other real ones.
    fn parted(&self) -> f64 {
        self.floor.low - self.ceiling.high
    }
}

/// The two-sample test.
pub(super) fn c2st(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> Detection {
    let network = |fake: &Images, what: &str| {
        detect(&sets.real, fake, &sets.device, RESAMPLES, &mut |done, total| on(work(what, done, total)))
    };
    let mut chosen = Answers::of(format!("detector on {}", sets.numbers), network, sets);
    if sets.real.len() < SMALL_SET_IMAGES {
        let regression = |fake: &Images, _: &str| by_statistics(&sets.real, fake, RESAMPLES, sets.seed);
        let space = format!("detector on statistics of {}", sets.numbers);
        let other = Answers::of(space, regression, sets);
        if other.parted() > chosen.parted() {
            chosen = other;
        }
    }
    let metric = Metric::lower(DETECTOR, &chosen.space, chosen.new.auc).within(0.0, 1.0);
    metrics.push(metric.between(chosen.ceiling, chosen.floor).moving(DialName::Fidelity));
    chosen.new
}

/// Trains a detector on the even images of both sets and tests it on the odd ones; of few images also the other way round.
pub(super) fn detect(
    real: &Images,
    fake: &Images,
    device: &Device,
    resamples: usize,
    on: &mut dyn FnMut(usize, usize),
) -> Detection {
    let both_ways = real.len().min(fake.len()) < SMALL_SET_IMAGES;
    let (mut folds, mut realness, mut reals) = (Folds::default(), Vec::new(), 0);
    for learned in 0..if both_ways { 2 } else { 1 } {
        let half = |images: &Images, from: usize| {
            let picked: Vec<usize> = (from..images.len()).step_by(2).collect();
            (images.select(&picked), picked)
        };
        let (real_learn, fake_learn) = (half(real, learned).0, half(fake, learned).0);
        let ((real_test, _), (fake_test, judged)) = (half(real, 1 - learned), half(fake, 1 - learned));
        let net = trained(fake_learn, &real_learn, device, on);
        let scores = [&fake_test, &real_test].map(|images| second_of_two(&net.logits(images)));
        let (from, fakes) = (reals + realness.len(), fake_test.len());
        realness.extend(judged.into_iter().zip(scores[0].iter().copied()));
        reals += real_test.len();
        let scores: Vec<f32> = scores.concat().into_iter().map(|score| score as f32).collect();
        folds.push((from..from + scores.len()).collect(), &scores, |item| item >= from + fakes);
    }
    Detection { auc: folds.auc(resamples, 5), realness, reals }
}

/// A network that learned to tell `real` images from `fake` ones.
fn trained(fake: Images, real: &Images, device: &Device, on: &mut dyn FnMut(usize, usize)) -> ConvNet {
    let fakes = fake.len();
    let labels: Vec<u32> = (0..fakes + real.len()).map(|i| u32::from(i >= fakes)).collect();
    let mut learn = fake;
    learn.pixels.extend(&real.pixels);
    learn.labels.clear();
    let steps = (learn.len() * EPOCHS / 64).clamp(STEP_LIMITS.0, STEP_LIMITS.1);
    let training = Training { steps, lr: 2e-3, shift: 0.04, seed: 23 };
    ConvNet::classifier(&learn, &labels, 2, training, device, on)
}

/// The same by logistic regression on the statistics of images, each judged by one that has not seen it.
fn by_statistics(real: &Images, fake: &Images, resamples: usize, seed: u64) -> Detection {
    let frame = |images: &Images| {
        let found = statistics(images);
        Frame::of_numbers(found.d, &found.values)
    };
    let found = table::detect(&frame(real), &frame(fake), Judge::Logistic, seed, resamples);
    let realness = found.new.iter().map(|&p| f64::from(p)).enumerate().collect();
    Detection { auc: found.auc, realness, reals: real.len() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_data::ImageShape;
    use mintage_nn::{DeviceChoice, Rng};

    fn noise(n: usize, seed: u64, mean: f32) -> Images {
        let shape = ImageShape { channels: 1, height: 8, width: 8 };
        let pixels = Rng::new(seed, 0).normals(n * 64);
        let pixels = pixels.into_iter().map(|v| (mean + 20.0 * v).clamp(0.0, 255.0) as u8).collect();
        Images { shape, pixels, labels: vec![], classes: vec![] }
    }

    #[test]
    fn of_few_images_each_is_judged() {
        let device = DeviceChoice::Cpu.open().unwrap();
        let of = |real: &Images, fake: &Images| {
            [detect(real, fake, &device, 50, &mut |_, _| {}), by_statistics(real, fake, 50, 1)]
        };
        for found in of(&noise(24, 1, 100.0), &noise(24, 2, 130.0)) {
            let mut judged: Vec<usize> = found.realness.iter().map(|one| one.0).collect();
            judged.sort_unstable();
            assert_eq!((judged, found.reals), ((0..24).collect(), 24));
            assert!(found.auc.value > 0.95, "{:?}", found.auc);
        }
    }

    #[test]
    fn tells_different_from_equal() {
        let device = DeviceChoice::Cpu.open().unwrap();
        let noise = |seed: u64, mean: f32| noise(200, seed, mean);
        let found = detect(&noise(1, 100.0), &noise(2, 130.0), &device, 20, &mut |_, _| {});
        assert!(found.auc.value > 0.97, "{:?}", found.auc);
        let found = detect(&noise(1, 100.0), &noise(2, 100.0), &device, 20, &mut |_, _| {});
        assert!((found.auc.value - 0.5).abs() < 0.15, "{:?}", found.auc);
        assert_eq!(found.realness.len(), 100);
    }
}
