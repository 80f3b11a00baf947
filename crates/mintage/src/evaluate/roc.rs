//! The area under the ROC curve, of all scores or of any weighting of them.

use super::bootstrap::Interval;

/// What several classifiers say, each of items that it has not learned from: its scores rank those alone.
#[derive(Default)]
pub(super) struct Folds {
    ranked: Vec<(Vec<usize>, Ranked)>,
    /// Items that were judged: they are numbered from 0.
    items: usize,
}

impl Folds {
    /// One more classifier's scores of the items `judged`, which no other has judged.
    pub fn push(&mut self, judged: Vec<usize>, scores: &[f32], positive: impl Fn(usize) -> bool) {
        let ranked = Ranked::new(scores, |place| positive(judged[place]));
        self.items += judged.len();
        self.ranked.push((judged, ranked));
    }

    /// The mean over classifiers of `value` of the area under the curve.
    pub fn mean(&self, value: impl Fn(f64) -> f64) -> f64 {
        self.weighted(value, |_| 1.0)
    }

    /// The mean area under the curve with its bootstrap interval; all items must have been judged.
    pub fn auc(&self, resamples: usize, seed: u64) -> Interval {
        Interval::estimate(self.items, resamples, seed, |items| {
            let mut counts = vec![0.0f64; self.items];
            items.iter().for_each(|&item| counts[item] += 1.0);
            self.weighted(|auc| auc, |item| counts[item])
        })
    }

    fn weighted(&self, value: impl Fn(f64) -> f64, weight: impl Fn(usize) -> f64) -> f64 {
        let of = |(judged, ranks): &(Vec<usize>, Ranked)| value(ranks.weighted(|i| weight(judged[i])));
        self.ranked.iter().map(of).sum::<f64>() / self.ranked.len() as f64
    }
}

/// Scores in order.
pub(super) struct Ranked {
    /// Items from the least score to the largest, each with whether it is positive and whether its score is
    /// that of the item before.
    order: Vec<(usize, bool, bool)>,
}

impl Ranked {
    /// Ranks the scores; `positive` says of an item whether it is positive.
    pub fn new(scores: &[f32], positive: impl Fn(usize) -> bool) -> Self {
        let mut items: Vec<usize> = (0..scores.len()).collect();
        items.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let tied = |place: usize| place > 0 && scores[items[place]] == scores[items[place - 1]];
        let order = items.iter().enumerate().map(|(place, &item)| (item, positive(item), tied(place)));
        Self { order: order.collect() }
    }

    /// The chance that a positive scores above a negative, ties counted half; NaN without both kinds.
    pub fn auc(&self) -> f64 {
        self.weighted(|_| 1.0)
    }

    /// The same where an item counts as often as its weight says.
    pub fn weighted(&self, weight: impl Fn(usize) -> f64) -> f64 {
        // Negatives below the group of equal scores, in it; positives in it; pairs in order.
        let (mut below, mut negatives, mut positives, mut pairs) = (0.0, 0.0, 0.0, 0.0);
        let mut all_positives = 0.0;
        for &(item, positive, tied) in &self.order {
            if !tied {
                pairs += positives * (below + 0.5 * negatives);
                (below, all_positives) = (below + negatives, all_positives + positives);
                (negatives, positives) = (0.0, 0.0);
            }
            *if positive { &mut positives } else { &mut negatives } += weight(item);
        }
        pairs += positives * (below + 0.5 * negatives);
        pairs / ((all_positives + positives) * (below + negatives))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_in_order_are_counted() {
        let auc = |scores: &[f32], positive: &[bool]| Ranked::new(scores, |i| positive[i]).auc();
        assert_eq!(auc(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true]), 1.0);
        assert_eq!(auc(&[0.9, 0.1], &[false, true]), 0.0);
        assert_eq!(auc(&[0.5, 0.5, 0.5], &[false, true, true]), 0.5);
        // Of four pairs three are in order.
        assert_eq!(auc(&[0.1, 0.4, 0.5, 0.9], &[false, true, false, true]), 0.75);
        assert!(auc(&[0.3], &[true]).is_nan());
    }

    #[test]
    fn each_classifier_ranks_what_it_judged() {
        let mut folds = Folds::default();
        // Each is right about its own items, on a scale of its own.
        folds.push(vec![0, 3], &[0.1, 0.2], |item| item > 1);
        folds.push(vec![1, 2], &[0.8, 0.9], |item| item > 1);
        assert_eq!(folds.mean(|auc| auc), 1.0);
        assert_eq!(folds.auc(20, 1).value, 1.0);
        let mut folds = Folds::default();
        folds.push(vec![0, 3], &[0.1, 0.2], |item| item > 1);
        folds.push(vec![1, 2], &[0.9, 0.8], |item| item > 1);
        assert_eq!(folds.mean(|auc| auc), 0.5);
    }

    #[test]
    fn a_weight_is_a_repetition() {
        let (scores, positive) = ([0.3, 0.1, 0.3, 0.7, 0.2], [true, false, false, true, true]);
        let weights = [2, 1, 3, 0, 1];
        let items: Vec<usize> = (0..5).flat_map(|i| vec![i; weights[i]]).collect();
        let repeated: Vec<f32> = items.iter().map(|&i| scores[i]).collect();
        let expected = Ranked::new(&repeated, |i| positive[items[i]]).auc();
        let found = Ranked::new(&scores, |i| positive[i]).weighted(|i| weights[i] as f64);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
}
