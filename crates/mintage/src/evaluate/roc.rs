//! The area under the ROC curve, of all scores or of any weighting of them.

/// Scores in order.
pub(super) struct Ranked {
    /// Items from the least score to the largest, each with whether it is positive and whether its score is
    /// that of the item before.
    order: Vec<(usize, bool, bool)>,
}

impl Ranked {
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
