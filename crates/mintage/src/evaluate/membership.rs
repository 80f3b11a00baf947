//! Membership inference: who was in the training data? An attacker who holds some items says of each whether it was learned
//! from; half of them were, the others are held out. Anything above chance is a leak (Shokri et al., arXiv:1610.05820).
//!
//! Two attackers are tried. One has the new items alone, and asks how much nearer each of his lies to them than to other real
//! data (local density ratio: van Breugel et al., DOMIAS, arXiv:2302.12580). The other has the model itself and asks how
//! likely it finds each (Yeom et al., arXiv:1709.01604): that is a risk of giving away the model, not what it makes, and moves
//! no dial.

use super::{DialName, Interval, evenly, roc::Ranked};
use crate::{model::Model, models::Batch, report::Metric};
use mintage_nn::Rng;

/// Shares of those who were not there that may be accused. A share of them has to be at least some.
const ACCUSED: [(f64, usize); 2] = [(0.01, 100), (0.1, 20)];
const RESAMPLES: usize = 200;
/// The space of what is measured with the model at hand.
pub(super) const WITH_MODEL: &str = "likelihood: who has the model";

/// Half of the held-out items is to be told from as many of train; the other half is what else is known of real ones.
pub(super) struct Attacked {
    pub members: Vec<u32>,
    pub others: Vec<u32>,
    pub known: Vec<u32>,
}

impl Attacked {
    /// At most `most` items of each part, spread evenly over the holdout, drawn at random from train.
    pub fn of(train: &[u32], holdout: &[u32], most: usize) -> Self {
        let half =
            |from: usize| evenly(&holdout.iter().copied().skip(from).step_by(2).collect::<Vec<_>>(), most);
        let (others, known) = (half(0), half(1));
        // In no step with what is drawn evenly from train elsewhere.
        let members = Rng::new(3, 0).permutation(train.len());
        let members = members.into_iter().take(others.len()).map(|at| train[at]).collect();
        Self { members, others, known }
    }
}

/// What an attacker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knows<'a> {
    /// New items and other real ones, and distances of this kind.
    NewItems(&'a str),
    /// The likelihood of each.
    Model,
}

/// How sure an attacker is that each item was learned from: members first.
pub(super) struct Suspicions {
    scores: Vec<f32>,
    members: usize,
}

impl Suspicions {
    /// Of items with these distances to the nearest new one and to the nearest other real one.
    pub fn by_density(members: &[(f32, f32)], others: &[(f32, f32)]) -> Self {
        // A copy is at distance 0 of both at worst, and says nothing then.
        let ratio =
            |&(to_new, to_real): &(f32, f32)| (to_real + f32::EPSILON).ln() - (to_new + f32::EPSILON).ln();
        Self { scores: members.iter().chain(others).map(ratio).collect(), members: members.len() }
    }

    /// Of items with these negative log-likelihoods.
    pub fn by_likelihood(members: &[f64], others: &[f64]) -> Self {
        let scores = members.iter().chain(others).map(|&nats| -nats as f32).collect();
        Self { scores, members: members.len() }
    }

    /// The area under the ROC curve.
    pub fn auc(&self) -> f64 {
        Ranked::new(&self.scores, |i| i < self.members).auc()
    }

    /// The share of members that is found when of the others at most so many are accused.
    fn found_at(&self, accused: f64, rows: &[usize]) -> f64 {
        let of = |members: bool| {
            rows.iter().filter(move |&&row| (row < self.members) == members).map(|&row| self.scores[row])
        };
        let mut others: Vec<f32> = of(false).collect();
        others.sort_by(|a, b| b.total_cmp(a));
        let Some(&mark) = others.get((accused * others.len() as f64) as usize) else { return f64::NAN };
        let found = of(true).filter(|&score| score > mark).count();
        found as f64 / of(true).count().max(1) as f64
    }

    /// The attack in numbers. `recited` is the area where all new items are training items, if that was tried.
    pub fn metrics(&self, knows: Knows, recited: Option<f64>, seed: u64) -> Vec<Metric> {
        let (n, others) = (self.scores.len(), self.scores.len() - self.members);
        if self.members == 0 || others == 0 {
            return Vec::new();
        }
        let space = match knows {
            Knows::NewItems(space) => space,
            Knows::Model => WITH_MODEL,
        };
        let auc = Interval::estimate(n, RESAMPLES, seed, |rows| {
            let mut counts = vec![0.0f64; n];
            rows.iter().for_each(|&row| counts[row] += 1.0);
            Ranked::new(&self.scores, |i| i < self.members).weighted(|i| counts[i])
        });
        let floor = recited.unwrap_or(1.0);
        let metric = Metric::lower("membership inference AUC", space, auc).within(0.0, 1.0);
        let chance = Interval::of_chance_auc(self.members, others);
        let dial = matches!(knows, Knows::NewItems(_)).then_some(DialName::Novelty);
        let mut metrics = vec![metric.between(chance, floor).moving(dial)];
        for (accused, least) in ACCUSED {
            if others < least {
                continue;
            }
            let found = Interval::estimate(n, RESAMPLES, seed, |rows| self.found_at(accused, rows));
            let name = format!("membership inference TPR at {:.0} %", 100.0 * accused);
            metrics.push(Metric::lower(&name, space, found).within(0.0, 1.0).between(accused, 1.0));
        }
        metrics
    }
}

/// The attack of whoever has the model: how likely it finds some of the items that it learned, beside the negative
/// log-likelihoods of held-out ones.
pub(super) fn with_model(
    model: &Model,
    members: Batch,
    samples: usize,
    held: &[f64],
    seed: u64,
) -> Vec<Metric> {
    let members = model.nll(&members, samples, seed).unwrap_or_default();
    Suspicions::by_likelihood(&members, held).metrics(Knows::Model, None, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_copied_is_found() {
        let far = |i: usize| 1.0 + (i * 7919 % 101) as f32 / 100.0;
        let copied: Vec<(f32, f32)> = (0..200).map(|i| (0.0, far(i))).collect();
        let others: Vec<(f32, f32)> = (0..200).map(|i| (far(i + 3), far(i + 40))).collect();
        let found = Suspicions::by_density(&copied, &others).metrics(Knows::NewItems("rows"), None, 1);
        assert_eq!(found.iter().map(|m| m.value).collect::<Vec<_>>(), [1.0, 1.0, 1.0]);
        assert_eq!(found[0].places().map(|p| p.0), Some(0.0));
        let chance = Suspicions::by_density(&others, &others).metrics(Knows::NewItems("rows"), None, 1);
        assert!((chance[0].value - 0.5).abs() < 1e-9 && chance[0].places().is_some_and(|p| p.0 == 100.0));
        assert!(chance[1].value <= 0.01 && chance[2].value <= 0.1, "{chance:?}");
    }

    #[test]
    fn few_items_have_no_rare_accusations() {
        let nats = |from: f64, n: usize| (0..n).map(|i| from + i as f64).collect::<Vec<f64>>();
        let names = |n: usize| {
            let metrics =
                Suspicions::by_likelihood(&nats(0.0, n), &nats(5.0, n)).metrics(Knows::Model, None, 1);
            assert!(metrics.iter().all(|metric| metric.dial.is_none()));
            metrics.len()
        };
        assert_eq!([names(0), names(10), names(30), names(100)], [0, 1, 2, 3]);
    }
}
