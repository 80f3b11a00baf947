//! Are new rows of use? Train on synthetic, test on real: a classifier of a label column that has learned
//! from new rows alone is tested on real ones that nobody has learned from.
//!
//! A category is learned by boosted trees and judged by AUC and F1, a number by R².

use mintage_data::table::MISSING;

use super::{
    super::{bootstrap::Interval, roc::Ranked},
    boosting::{Boosted, Task},
    frame::{Frame, Values},
};

/// Classes that are learned, the most frequent ones: each takes a tree a round.
const MAX_CLASSES: usize = 20;

/// How well a label of real rows is predicted by a model that learned from other rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Utility {
    /// A category is predicted.
    Category {
        /// Area under the ROC curve, from 0 to 1, more is better; of more than two classes the mean of each
        /// against all others.
        auc: Interval,
        /// Mean F1 of all classes, from 0 to 1; more is better.
        f1: Interval,
    },
    /// A number is predicted.
    Number {
        /// R², the share of the variance that is explained: 1 at best, below 0 where the mean would be
        /// nearer.
        r2: Interval,
    },
}

/// Learns the column at `label` of `train` from all others and predicts it in `test`.
///
/// Rows without a label are left out of both, and so are test rows of classes other than the 20 most frequent
/// of `classes`, a frame that is the same for all that are compared. `None` where too little is left to learn
/// or to judge: a single class, or no row.
pub fn utility(
    train: &Frame,
    test: &Frame,
    classes: &Frame,
    label: usize,
    seed: u64,
    resamples: usize,
) -> Option<Utility> {
    let (x, x_test) = (train.without(label), test.without(label));
    let truth = |frame: &Frame| targets(&frame.columns[label].values, &classes.columns[label].values);
    let (learned, judged) = (truth(train), truth(test));
    let rows: Vec<usize> = learned.iter().map(|&(row, _)| row).collect();
    let targets: Vec<f32> = learned.iter().map(|&(_, target)| target).collect();
    let rows_test: Vec<usize> = judged.iter().map(|&(row, _)| row).collect();
    let truth: Vec<f32> = judged.iter().map(|&(_, target)| target).collect();
    if rows.is_empty() || rows_test.is_empty() {
        return None;
    }
    let n = truth.len();
    if let Values::Numbers(_) = train.columns[label].values {
        let found = Boosted::fit(&x, &rows, &targets, Task::Number).predict(&x_test, &rows_test);
        let r2 = Interval::estimate(n, resamples, seed, |rows| r2(&truth, &found, rows));
        return Some(Utility::Number { r2 });
    }
    let n_classes = targets.iter().chain(&truth).fold(0, |most, &class| most.max(class as usize + 1));
    if n_classes < 2 {
        return None;
    }
    let task = if n_classes == 2 { Task::Binary } else { Task::Classes(n_classes) };
    let found = Boosted::fit(&x, &rows, &targets, task).predict(&x_test, &rows_test);
    let chances: Vec<Vec<f32>> = if n_classes == 2 {
        vec![found.iter().map(|chance| 1.0 - chance).collect(), found]
    } else {
        (0..n_classes).map(|class| found.iter().skip(class).step_by(n_classes).copied().collect()).collect()
    };
    let auc = one_against_all(&truth, &chances, seed, resamples);
    let guesses: Vec<usize> = (0..n).map(|row| likeliest(&chances, row)).collect();
    let f1 = Interval::estimate(n, resamples, seed, |rows| macro_f1(&truth, &guesses, rows, n_classes));
    Some(Utility::Category { auc, f1 })
}

/// The rows with a label, and the label as a number or as the rank of its class by frequency.
fn targets(label: &Values, classes: &Values) -> Vec<(usize, f32)> {
    match (label, classes) {
        (Values::Numbers(numbers), _) => {
            let known = numbers.iter().enumerate().filter(|(_, number)| !number.is_nan());
            known.map(|(row, &number)| (row, number as f32)).collect()
        }
        (Values::Categories { codes, dictionary }, Values::Categories { codes: all, .. }) => {
            let mut counts: Vec<(usize, usize)> = (0..dictionary.len()).map(|code| (0, code)).collect();
            all.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize].0 += 1);
            counts.retain(|&(count, _)| count > 0);
            counts.sort_by_key(|&(count, code)| (std::cmp::Reverse(count), code));
            let mut ranks = vec![None; dictionary.len()];
            counts
                .iter()
                .take(MAX_CLASSES)
                .enumerate()
                .for_each(|(rank, &(_, code))| ranks[code] = Some(rank));
            let rank = |(row, &code): (usize, &u32)| Some((row, (*ranks.get(code as usize)?)? as f32));
            codes.iter().enumerate().filter_map(rank).collect()
        }
        _ => Vec::new(),
    }
}

/// The AUC of each class that is there against all others, meant; of two classes both are the same.
fn one_against_all(truth: &[f32], chances: &[Vec<f32>], seed: u64, resamples: usize) -> Interval {
    let ranked: Vec<Ranked> = (0..chances.len())
        .map(|class| Ranked::new(&chances[class], |row| truth[row] as usize == class))
        .collect();
    Interval::estimate(truth.len(), resamples, seed, |rows| {
        let mut counts = vec![0.0f64; truth.len()];
        rows.iter().for_each(|&row| counts[row] += 1.0);
        let aucs = ranked.iter().map(|ranks| ranks.weighted(|row| counts[row]));
        let (sum, n) = aucs.filter(|auc| !auc.is_nan()).fold((0.0, 0), |(sum, n), auc| (sum + auc, n + 1));
        sum / f64::from(n)
    })
}

fn likeliest(chances: &[Vec<f32>], row: usize) -> usize {
    let better = |&a: &usize, &b: &usize| chances[a][row].total_cmp(&chances[b][row]).then(b.cmp(&a));
    (0..chances.len()).max_by(better).unwrap_or(0)
}

/// The mean over classes of 2 · right / (guessed + true), classes that are neither left out.
fn macro_f1(truth: &[f32], guesses: &[usize], rows: &[usize], n_classes: usize) -> f64 {
    let (mut right, mut all) = (vec![0.0f64; n_classes], vec![0.0f64; n_classes]);
    for &row in rows {
        let class = truth[row] as usize;
        all[class] += 1.0;
        all[guesses[row]] += 1.0;
        right[class] += f64::from(u8::from(guesses[row] == class));
    }
    let scores: Vec<f64> =
        right.iter().zip(&all).filter(|(_, all)| **all > 0.0).map(|(right, all)| 2.0 * right / all).collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}

/// The share of the variance that is explained.
fn r2(truth: &[f32], found: &[f32], rows: &[usize]) -> f64 {
    let mean = rows.iter().map(|&row| f64::from(truth[row])).sum::<f64>() / rows.len() as f64;
    let square = |a: f64, b: f64| (a - b) * (a - b);
    let left: f64 = rows.iter().map(|&row| square(f64::from(truth[row]), f64::from(found[row]))).sum();
    let all: f64 = rows.iter().map(|&row| square(f64::from(truth[row]), mean)).sum();
    if all > 0.0 { 1.0 - left / all } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::frame::testing::frame, *};
    use mintage_nn::Rng;

    /// A number, a category, and labels of both kinds that follow from them.
    fn drawn(n: usize, seed: u64) -> Frame {
        let mut rng = Rng::new(seed, 0);
        let x: Vec<f64> = (0..n).map(|_| f64::from(rng.normal())).collect();
        let codes: Vec<u32> = (0..n).map(|_| rng.below(3) as u32).collect();
        let number: Vec<f64> =
            (0..n).map(|i| x[i] * f64::from(codes[i]) + 0.1 * f64::from(rng.normal())).collect();
        let class: Vec<u32> = (0..n)
            .map(|i| match (rng.below(50), x[i] > 0.5) {
                (0, _) => MISSING,
                (_, above) => u32::from(above) + u32::from(codes[i] == 2),
            })
            .collect();
        frame(&[&x, &number], &[&codes, &class])
    }

    fn category(found: Option<Utility>) -> (Interval, Interval) {
        match found.unwrap() {
            Utility::Category { auc, f1 } => (auc, f1),
            Utility::Number { .. } => panic!("a category was asked for"),
        }
    }

    #[test]
    fn what_follows_is_predicted_and_what_does_not_is_not() {
        let (train, test) = (drawn(3000, 1), drawn(1000, 2));
        let (auc, f1) = category(utility(&train, &test, &train, 3, 1, 50));
        assert!(auc.value > 0.99 && f1.value > 0.95, "{auc:?} {f1:?}");
        let Utility::Number { r2 } = utility(&train, &test, &train, 1, 1, 50).unwrap() else {
            panic!("a number was asked for")
        };
        assert!(r2.value > 0.95 && r2.low < r2.value && r2.high > r2.value, "{r2:?}");
        let mut shuffled = train.clone();
        let order = Rng::new(3, 0).permutation(3000);
        shuffled.columns[3].values = shuffled.columns[3].values.select(&order);
        let (auc, _) = category(utility(&shuffled, &test, &train, 3, 1, 50));
        assert!((auc.value - 0.5).abs() < 0.05, "{auc:?}");
    }

    #[test]
    fn scores_by_hand() {
        let (truth, guesses) = ([0.0, 0.0, 1.0, 1.0], [0, 1, 1, 1]);
        // Class 0: 2 · 1 / (2 + 1); class 1: 2 · 2 / (2 + 3); nobody is of class 2.
        let expected = (2.0 / 3.0 + 4.0 / 5.0) / 2.0;
        assert!((macro_f1(&truth, &guesses, &[0, 1, 2, 3], 3) - expected).abs() < 1e-12);
        assert!((r2(&[1.0, 2.0, 3.0], &[1.0, 2.0, 4.0], &[0, 1, 2]) - 0.5).abs() < 1e-12);
        assert!(r2(&[1.0, 1.0], &[1.0, 2.0], &[0, 1]).is_nan());
    }

    #[test]
    fn nothing_to_learn_is_no_score() {
        let table = drawn(100, 1);
        assert_eq!(utility(&table.select(&[]), &table, &table, 3, 1, 5), None);
        let one = frame(&[&[1.0, 2.0]], &[&[0, 0]]);
        assert_eq!(utility(&one, &one, &one, 1, 1, 5), None);
    }
}
