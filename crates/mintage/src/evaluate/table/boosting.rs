//! Gradient-boosted trees: the strongest cheap judge of a table's rows.
//!
//! XGBoost's histogram method with its defaults: 100 rounds of trees of depth 6, each leaf
//! w = −η ΣG / (ΣH + λ) with η = 0.3 and λ = 1, a split where the gain
//! G_l² / (H_l + λ) + G_r² / (H_r + λ) − G² / (H + λ) is largest and both sides have H ≥ 1 (Chen and
//! Guestrin, 2016, arXiv:1603.02754). G and H are the first and second derivatives of the loss: of the
//! logistic, of softmax or of the square. Numbers stand in at most 256 bins of equal weight; missing ones
//! go to the side where they gain more.
//!
//! A category is split as one value against all others, which is what one-hot columns amount to, at the
//! cost of one column.
//!
//! Sums are taken in the order of the rows, column by column: the same trees on any number of threads.

mod tree;

use rayon::prelude::*;

use self::tree::{Binned, Grower, Sum, Tree};
use super::frame::Frame;

/// Rounds, each of which adds a tree for every output.
const ROUNDS: usize = 100;

/// What is predicted; targets are numbers of classes, or the numbers themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Classes 0 and 1; the prediction is the probability of 1.
    Binary,
    /// So many classes; the prediction is the probability of each, row by row.
    Classes(usize),
    /// A number; the loss is the squared error.
    Number,
}

/// A fitted sum of gradient-boosted trees.
#[derive(Clone, Debug)]
pub struct Boosted {
    task: Task,
    base: Vec<f64>,
    /// Round by round, a tree for each output.
    trees: Vec<Tree>,
    gains: Vec<f64>,
}

impl Boosted {
    /// Fits trees to `targets`, one for each of `rows` of `frame`.
    pub fn fit(frame: &Frame, rows: &[usize], targets: &[f32], task: Task) -> Self {
        let columns: Vec<Binned> =
            frame.columns.par_iter().map(|column| Binned::of(&column.values, rows)).collect();
        let base = task.base(targets);
        let outputs = base.len();
        let mut margins: Vec<Vec<f64>> = base.iter().map(|&base| vec![base; rows.len()]).collect();
        let mut gains = vec![0.0; columns.len()];
        let mut trees = Vec::with_capacity(ROUNDS * outputs);
        for _ in 0..ROUNDS {
            let derivatives: Vec<Vec<Sum>> =
                (0..outputs).map(|output| task.derivatives(&margins, targets, output)).collect();
            for (derivatives, margins) in derivatives.iter().zip(&mut margins) {
                trees.push(Grower::new(&columns, derivatives).grow(margins, &mut gains));
            }
        }
        Self { task, base, trees, gains }
    }

    /// The log odds of class 1 for each of `rows` of a frame with the same columns; of [`Task::Binary`].
    pub fn log_odds(&self, frame: &Frame, rows: &[usize]) -> Vec<f64> {
        let one =
            |&row: &usize| self.base[0] + self.trees.iter().map(|tree| tree.leaf(frame, row)).sum::<f64>();
        rows.par_iter().map(one).collect()
    }

    /// The prediction for each of `rows` of a frame with the same columns.
    pub fn predict(&self, frame: &Frame, rows: &[usize]) -> Vec<f32> {
        let outputs = self.base.len();
        let one = |&row: &usize| {
            let mut margins = self.base.clone();
            for (i, tree) in self.trees.iter().enumerate() {
                margins[i % outputs] += tree.leaf(frame, row);
            }
            self.task.link(&margins)
        };
        rows.par_iter().map(one).flatten_iter().collect()
    }

    /// How much of the loss the splits of each column took away, as shares of the whole; more matters more.
    pub fn gains(&self) -> Vec<f64> {
        let total = self.gains.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        self.gains.iter().map(|gain| gain / total).collect()
    }
}

impl Task {
    /// The constant that a model without trees predicts.
    fn base(self, targets: &[f32]) -> Vec<f64> {
        let n = targets.len().max(1) as f64;
        let share = |class: usize| {
            let count = targets.iter().filter(|&&target| target as usize == class).count();
            (count as f64 / n).clamp(1e-6, 1.0 - 1e-6)
        };
        match self {
            Self::Binary => vec![(share(1) / (1.0 - share(1))).ln()],
            Self::Classes(classes) => (0..classes).map(|class| share(class).ln()).collect(),
            Self::Number => vec![targets.iter().map(|&target| f64::from(target)).sum::<f64>() / n],
        }
    }

    /// First and second derivatives of the loss by one output.
    fn derivatives(self, margins: &[Vec<f64>], targets: &[f32], output: usize) -> Vec<Sum> {
        let one = |(row, &target): (usize, &f32)| match self {
            Self::Binary => {
                let chance = logistic(margins[0][row]);
                Sum { g: chance - f64::from(target), h: (chance * (1.0 - chance)).max(1e-16) }
            }
            Self::Classes(_) => {
                let largest = margins.iter().map(|m| m[row]).fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = margins.iter().map(|m| (m[row] - largest).exp()).sum();
                let chance = (margins[output][row] - largest).exp() / total;
                let is = f64::from(u8::from(target as usize == output));
                Sum { g: chance - is, h: (2.0 * chance * (1.0 - chance)).max(1e-16) }
            }
            Self::Number => Sum { g: margins[0][row] - f64::from(target), h: 1.0 },
        };
        targets.par_iter().enumerate().map(one).collect()
    }

    /// From margins to predictions.
    fn link(self, margins: &[f64]) -> Vec<f32> {
        match self {
            Self::Binary => vec![logistic(margins[0]) as f32],
            Self::Number => vec![margins[0] as f32],
            Self::Classes(_) => {
                let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = margins.iter().map(|m| (m - largest).exp()).sum();
                margins.iter().map(|m| ((m - largest).exp() / total) as f32).collect()
            }
        }
    }
}

pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::frame::testing::frame, *};
    use mintage_data::table::MISSING;
    use mintage_nn::Rng;

    pub(super) fn rows(frame: &Frame) -> Vec<usize> {
        (0..frame.rows()).collect()
    }

    /// Numbers and categories, some of them missing, and what depends on them.
    fn data(n: usize, seed: u64) -> (Frame, Vec<f32>) {
        let mut rng = Rng::new(seed, 0);
        let mut x = vec![0.0; n];
        let (mut code, mut noise, mut y) = (vec![0; n], vec![0.0; n], vec![0.0; n]);
        for i in 0..n {
            (x[i], code[i], noise[i]) =
                (f64::from(rng.normal()), rng.below(5) as u32, f64::from(rng.normal()));
            y[i] = if code[i] == 3 { 2.0 } else { (2.0 * x[i]).sin() as f32 };
            if rng.below(10) == 0 {
                (x[i], y[i]) = (f64::NAN, -3.0);
            }
            if rng.below(20) == 0 {
                (code[i], y[i]) = (MISSING, 5.0);
            }
        }
        (frame(&[&x, &noise], &[&code]), y)
    }

    #[test]
    fn numbers_are_learned_with_what_is_missing() {
        let ((train, y), (test, truth)) = (data(3000, 1), data(1000, 2));
        let model = Boosted::fit(&train, &rows(&train), &y, Task::Number);
        let found = model.predict(&test, &rows(&test));
        let error: f32 = found.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / 1000.0;
        assert!(error < 0.02, "{error}");
        let gains = model.gains();
        assert!(gains[1] < 0.02 && (gains.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{gains:?}");
    }

    #[test]
    fn classes_have_probabilities() {
        let ((train, y), (test, truth)) = (data(3000, 3), data(1000, 4));
        let classes = |y: &[f32]| -> Vec<f32> {
            y.iter().map(|&y| if y > 1.5 { 2.0 } else { f32::from(u8::from(y > 0.0)) }).collect()
        };
        let (y, truth) = (classes(&y), classes(&truth));
        let found = Boosted::fit(&train, &rows(&train), &y, Task::Classes(3)).predict(&test, &rows(&test));
        let mut right = 0;
        for (chances, &class) in found.chunks(3).zip(&truth) {
            assert!((chances.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            right += usize::from(chances.iter().all(|&chance| chance <= chances[class as usize]));
        }
        assert!(right > 970, "{right}");
    }

    #[test]
    fn nothing_to_learn_is_the_base() {
        let table = frame(&[&[1.0, 1.0, 1.0, 1.0]], &[&[0, 0, 0, 0]]);
        let found =
            Boosted::fit(&table, &[0, 1, 2, 3], &[1.0, 0.0, 1.0, 1.0], Task::Binary).predict(&table, &[0]);
        assert!((found[0] - 0.75).abs() < 1e-6, "{found:?}");
        let none = Boosted::fit(&table, &[], &[], Task::Number).predict(&table, &[0]);
        assert_eq!(none, [0.0]);
    }

    #[test]
    fn the_same_trees_on_any_number_of_threads() {
        let (train, y) = data(5000, 5);
        let fit = || Boosted::fit(&train, &rows(&train), &y, Task::Number).predict(&train, &rows(&train));
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let alone = alone.map(|pool| pool.install(fit));
        assert_eq!(alone.ok(), Some(fit()));
    }
}
