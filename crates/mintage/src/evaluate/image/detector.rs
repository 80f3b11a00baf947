//! The detector: a classifier two-sample test (Lopez-Paz & Oquab, arXiv:1610.06545).
//!
//! A network learns to tell held-out real images from generated ones on one half of each, and is asked
//! about the other half. The area under its ROC curve is 0.5 where it can only guess and 1 where it
//! always knows. A detector that learned nothing would flatter the generator, so the same detector, with
//! the same training, is also asked to tell a trivial generator from real data: that is the floor.

use burn::tensor::Device;
use mintage_data::Images;

use super::{
    Interval,
    convnet::{ConvNet, Training, second_of_two},
};

/// Passes over the learned half, and limits of the steps that they come to.
const EPOCHS: usize = 10;
const STEPS: (usize, usize) = (80, 400);

/// What a detector found.
#[derive(Clone, Debug)]
pub(super) struct Detection {
    /// Area under the ROC curve with its bootstrap interval.
    pub auc: Interval,
    /// For the judged half of the generated images (the odd ones): index and probability of being real.
    pub realness: Vec<(usize, f64)>,
}

/// Trains a detector on the even images of both sets and tests it on the odd ones.
pub(super) fn detect(
    real: &Images,
    fake: &Images,
    device: &Device,
    resamples: usize,
    on: &mut dyn FnMut(usize, usize),
) -> Detection {
    let half = |images: &Images, from: usize| {
        let picked: Vec<usize> = (from..images.len()).step_by(2).collect();
        (images.select(&picked), picked)
    };
    let ((real_learn, _), (real_test, _)) = (half(real, 0), half(real, 1));
    let ((fake_learn, _), (fake_test, judged)) = (half(fake, 0), half(fake, 1));
    let labels: Vec<u32> =
        (0..fake_learn.len() + real_learn.len()).map(|i| u32::from(i >= fake_learn.len())).collect();
    let mut learn = fake_learn;
    learn.pixels.extend(&real_learn.pixels);
    learn.labels.clear();
    let steps = (learn.len() * EPOCHS / 64).clamp(STEPS.0, STEPS.1);
    let training = Training { steps, lr: 2e-3, shift: 0.04, seed: 23 };
    let net = ConvNet::classifier(&learn, &labels, 2, training, device, on);
    let fakes = second_of_two(&net.logits(&fake_test));
    let reals = second_of_two(&net.logits(&real_test));
    let scores: Vec<(f64, bool)> =
        fakes.iter().map(|&p| (p, false)).chain(reals.iter().map(|&p| (p, true))).collect();
    let statistic = |rows: &[usize]| auc(rows.iter().map(|&i| scores[i]).collect());
    let auc = Interval::estimate(scores.len(), resamples, 5, statistic);
    Detection { auc, realness: judged.into_iter().zip(fakes).collect() }
}

/// Area under the ROC curve: the chance that a positive scores above a negative, ties counted half.
/// NaN without both kinds.
pub(super) fn auc(mut scores: Vec<(f64, bool)>) -> f64 {
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut positives, mut start) = (0.0, 0.0, 0);
    while start < scores.len() {
        let end = start + scores[start..].partition_point(|s| s.0 <= scores[start].0);
        let rank = (start + end + 1) as f64 / 2.0; // ranks from 1, ties share their mean
        let tied = scores[start..end].iter().filter(|s| s.1).count() as f64;
        (rank_sum, positives, start) = (rank_sum + rank * tied, positives + tied, end);
    }
    let negatives = scores.len() as f64 - positives;
    (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_data::ImageShape;
    use mintage_nn::{DeviceChoice, Rng};

    #[test]
    fn auc_counts_pairs() {
        let s = |pairs: &[(f64, bool)]| auc(pairs.to_vec());
        assert_eq!(s(&[(0.1, false), (0.2, false), (0.8, true), (0.9, true)]), 1.0);
        assert_eq!(s(&[(0.9, false), (0.1, true)]), 0.0);
        assert_eq!(s(&[(0.5, false), (0.5, true), (0.5, true)]), 0.5);
        // Of four pairs three are in order.
        assert_eq!(s(&[(0.1, false), (0.4, true), (0.5, false), (0.9, true)]), 0.75);
        assert!(s(&[(0.3, true)]).is_nan());
    }

    #[test]
    fn tells_different_from_equal() {
        let device = DeviceChoice::Cpu.open().unwrap();
        let shape = ImageShape { channels: 1, height: 8, width: 8 };
        let noise = |seed: u64, mean: f32| {
            let pixels = Rng::new(seed, 0).normals(200 * 64);
            let pixels = pixels.into_iter().map(|v| (mean + 20.0 * v).clamp(0.0, 255.0) as u8).collect();
            Images { shape, pixels, labels: vec![], classes: vec![] }
        };
        let found = detect(&noise(1, 100.0), &noise(2, 130.0), &device, 20, &mut |_, _| {});
        assert!(found.auc.value > 0.97, "{:?}", found.auc);
        let found = detect(&noise(1, 100.0), &noise(2, 100.0), &device, 20, &mut |_, _| {});
        assert!((found.auc.value - 0.5).abs() < 0.15, "{:?}", found.auc);
        assert_eq!(found.realness.len(), 100);
    }
}
