//! A small classifier of sequences: a linear judge of hashed n-grams, as quick as it is hard to fool (Wang and Manning,
//! 2012; Joulin et al., arXiv:1607.01759).
//!
//! ```text
//! φ(x)_h = √(how often n-grams of 1 to 3 tokens with hash h stand in x), scaled to length 1
//! p(c | x) = softmax(W φ(x) + b)_c      L = −1/N Σ log p(c | x) + λ/2 ‖W‖²
//! ```
//!
//! Minimised by AdaGrad (Duchi et al., 2011), one sequence at a time in an order drawn from the seed.

use hashbrown::HashMap;
use mintage_nn::Rng;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::{bootstrap::Interval, roc::Ranked};

/// Buckets that n-grams are hashed to.
const HASH_BUCKETS: usize = 1 << 18;
/// Tokens of the longest n-grams.
const MAX_NGRAM: usize = 3;
/// Passes over the items.
const EPOCHS: usize = 12;
/// Step size of AdaGrad.
const LEARNING_RATE: f32 = 0.5;
/// λ of the L2 penalty.
const WEIGHT_DECAY: f32 = 1e-6;
/// Folds of the cross-validation.
const FOLDS: usize = 5;

/// The hashed n-grams of a sequence: buckets in order, and the weight of each.
#[derive(Clone, Debug)]
pub struct Features(Vec<(u32, f32)>);

impl Features {
    /// Counts the n-grams of one sequence.
    pub fn of(sequence: &[u32]) -> Self {
        let mut places: Vec<u32> = grams(sequence).map(|(_, gram)| bucket(gram)).collect();
        places.sort_unstable();
        let mut counted: Vec<(u32, f32)> =
            places.chunk_by(|a, b| a == b).map(|same| (same[0], (same.len() as f32).sqrt())).collect();
        let length = counted.iter().map(|(_, v)| v * v).sum::<f32>().sqrt().max(1e-12);
        counted.iter_mut().for_each(|(_, v)| *v /= length);
        Self(counted)
    }

    /// Counts the n-grams of what one item is seen as, such as its words and its letters: each part counts as much as any
    /// other, however long it is. Tokens of different parts must differ.
    pub fn of_parts(parts: &[&[u32]]) -> Self {
        let scale = 1.0 / (parts.len().max(1) as f32).sqrt();
        let mut all: Vec<(u32, f32)> = parts.iter().flat_map(|part| Self::of(part).0).collect();
        all.iter_mut().for_each(|(_, v)| *v *= scale);
        Self(all)
    }

    /// Counts the n-grams of several sequences.
    pub fn of_all(sequences: &[Vec<u32>]) -> Vec<Self> {
        sequences.par_iter().map(|sequence| Self::of(sequence)).collect()
    }
}

/// A fitted linear classifier.
#[derive(Clone, Debug)]
pub struct Classifier {
    classes: usize,
    /// `HASH_BUCKETS + 1` rows of a weight a class; the last row is the intercept.
    weights: Vec<f32>,
}

impl Classifier {
    /// Fits a classifier to sequences with their classes, which lie below `classes`.
    pub fn fit(items: &[(&Features, u32)], classes: usize, seed: u64) -> Self {
        let mut model = Self { classes, weights: vec![0.0; (HASH_BUCKETS + 1) * classes] };
        let mut squares = vec![1e-4f32; model.weights.len()];
        let mut rng = Rng::new(seed, 0);
        for _ in 0..EPOCHS {
            for at in rng.permutation(items.len()) {
                let (features, class) = items[at];
                let mut slopes = model.chances(features);
                slopes[class as usize] -= 1.0;
                let intercept = [(HASH_BUCKETS as u32, 1.0)];
                for &(place, value) in features.0.iter().chain(&intercept) {
                    for (class, slope) in slopes.iter().enumerate() {
                        let at = place as usize * classes + class;
                        let g = slope * value + WEIGHT_DECAY * model.weights[at];
                        squares[at] += g * g;
                        model.weights[at] -= LEARNING_RATE * g / squares[at].sqrt();
                    }
                }
            }
        }
        model
    }

    /// The probability of each class, `[classes]`.
    pub fn chances(&self, features: &Features) -> Vec<f32> {
        let mut scores = self.weights[HASH_BUCKETS * self.classes..].to_vec();
        for &(place, value) in &features.0 {
            let row = &self.weights[place as usize * self.classes..][..self.classes];
            scores.iter_mut().zip(row).for_each(|(score, weight)| *score += weight * value);
        }
        let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        scores.iter_mut().for_each(|score| *score = (*score - top).exp());
        let sum: f32 = scores.iter().sum();
        scores.iter().map(|score| score / sum).collect()
    }

    /// The log odds of class 1 against class 0.
    pub fn log_odds(&self, features: &Features) -> f64 {
        let intercept = [(HASH_BUCKETS as u32, 1.0)];
        let terms = features.0.iter().chain(&intercept);
        terms.map(|&(place, value)| self.difference(place) * f64::from(value)).sum()
    }

    /// What every token of each part (see [`Features::of_parts`]) adds to the log odds of class 1: those of an n-gram are
    /// divided equally among the places where it stands, and among its tokens. With the intercept they come to
    /// [`log_odds`](Self::log_odds).
    pub fn contributions(&self, parts: &[&[u32]]) -> Vec<Vec<f64>> {
        let scale = 1.0 / (parts.len().max(1) as f64).sqrt();
        let of = |part: &&[u32]| {
            let mut counts: HashMap<u32, f64> = HashMap::new();
            grams(part).for_each(|(_, gram)| *counts.entry(bucket(gram)).or_default() += 1.0);
            let length = counts.values().sum::<f64>().sqrt().max(1e-12);
            let mut sums = vec![0.0; part.len()];
            for (start, gram) in grams(part) {
                let place = bucket(gram);
                let count = counts.get(&place).copied().unwrap_or(1.0);
                // √count / length in all, a count-th of it here.
                let each = self.difference(place) * scale / (count.sqrt() * length * gram.len() as f64);
                sums[start..start + gram.len()].iter_mut().for_each(|sum| *sum += each);
            }
            sums
        };
        parts.iter().map(of).collect()
    }

    fn difference(&self, place: u32) -> f64 {
        let row = &self.weights[place as usize * self.classes..][..self.classes];
        f64::from(row[1]) - f64::from(row[0])
    }

    /// The most probable class.
    pub fn class(&self, features: &Features) -> u32 {
        let chances = self.chances(features);
        (0..chances.len()).max_by(|&a, &b| chances[a].total_cmp(&chances[b])).unwrap_or(0) as u32
    }
}

/// All n-grams of a sequence, each behind the place of its first token.
fn grams(sequence: &[u32]) -> impl Iterator<Item = (usize, &[u32])> {
    (1..=MAX_NGRAM).flat_map(|n| sequence.windows(n).enumerate())
}

fn bucket(gram: &[u32]) -> u32 {
    let bytes: Vec<u8> = gram.iter().flat_map(|token| token.to_le_bytes()).collect();
    (xxh3_64_with_seed(&bytes, gram.len() as u64) % HASH_BUCKETS as u64) as u32
}

/// Cross-validated area under the ROC curve of new against real sequences, and how real each new one looks.
///
/// The area is 0.5 where the classifier cannot tell them apart; realness is from 0 to 1.
pub fn detect(real: &[Features], new: &[Features], seed: u64, resamples: usize) -> (Interval, Vec<f32>) {
    let items: Vec<(&Features, u32)> =
        new.iter().map(|f| (f, 0)).chain(real.iter().map(|f| (f, 1))).collect();
    let mut fold = vec![0; items.len()];
    for (place, at) in Rng::new(seed, 1).permutation(items.len()).into_iter().enumerate() {
        fold[at] = place % FOLDS;
    }
    let judged: Vec<Vec<(usize, f32)>> = (0..FOLDS)
        .into_par_iter()
        .map(|held| {
            let learned: Vec<_> = (0..items.len()).filter(|&i| fold[i] != held).map(|i| items[i]).collect();
            let model = Classifier::fit(&learned, 2, seed + held as u64);
            (0..items.len()).filter(|&i| fold[i] == held).map(|i| (i, model.chances(items[i].0)[1])).collect()
        })
        .collect();
    let mut realness = vec![0.0; items.len()];
    judged.into_iter().flatten().for_each(|(i, score)| realness[i] = score);
    let ranked = Ranked::new(&realness, |i| items[i].1 == 1);
    let auc = Interval::estimate(items.len(), resamples, seed, |rows| {
        let mut counts = vec![0.0; items.len()];
        rows.iter().for_each(|&row| counts[row] += 1.0);
        ranked.weighted(|i| counts[i])
    });
    realness.truncate(new.len());
    (auc, realness)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(n: usize, token: impl Fn(&mut Rng) -> u32) -> Vec<Features> {
        let mut rng = Rng::new(3, 0);
        let all: Vec<Vec<u32>> = (0..n).map(|_| (0..40).map(|_| token(&mut rng)).collect()).collect();
        Features::of_all(&all)
    }

    #[test]
    fn tells_what_differs_and_nothing_else() {
        let low = sequences(60, |rng| rng.below(20) as u32);
        let high = sequences(60, |rng| 10 + rng.below(20) as u32);
        let (auc, realness) = detect(&low, &high, 1, 50);
        assert!(auc.value > 0.99, "{auc:?}");
        assert_eq!(realness.len(), 60);
        let mut rng = Rng::new(9, 0);
        let same: Vec<Vec<u32>> = (0..60).map(|_| (0..40).map(|_| rng.below(20) as u32).collect()).collect();
        let (auc, _) = detect(&low, &Features::of_all(&same), 1, 200);
        assert!(auc.low < 0.5 && auc.high > 0.5, "{auc:?}");
    }

    #[test]
    fn classes_are_learned() {
        let kinds: Vec<Vec<Features>> =
            (0..3).map(|kind| sequences(30, move |rng| kind * 8 + rng.below(12) as u32)).collect();
        let items: Vec<(&Features, u32)> =
            kinds.iter().zip(0..).flat_map(|(all, kind)| all[..20].iter().map(move |f| (f, kind))).collect();
        let model = Classifier::fit(&items, 3, 1);
        for (kind, all) in kinds.iter().enumerate() {
            let right = all[20..].iter().filter(|f| model.class(f) == kind as u32).count();
            assert!(right >= 9, "{kind}: {right}");
        }
    }
}
