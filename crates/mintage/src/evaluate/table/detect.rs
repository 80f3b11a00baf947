//! The detector: can a classifier tell new rows from real ones? (Lopez-Paz and Oquab, arXiv:1610.06545)
//!
//! The protocol of SDMetrics' detection metrics: all rows in three folds with equal shares of both kinds,
//! each judged by a classifier that has learned from the other two. A score is 1 − 2 max(0, AUC − ½), meant
//! over the folds: 1 where the classifier can but guess, 0 where it always knows.
//!
//! It explains itself: a column gives the rows away by as much as the AUC falls once its cells are shuffled
//! among the judged rows, so that it says nothing any more.

use mintage_nn::Rng;

use super::{
    super::{
        bootstrap::Interval,
        roc::{Folds, Ranked},
    },
    boosting::{Boosted, Task},
    frame::Frame,
    logistic::Logistic,
};

/// Folds of the cross-validation, as SDMetrics has them.
const FOLDS: usize = 3;
/// Judged rows of each fold that columns are shuffled among.
const MAX_SHUFFLED_ROWS: usize = 3000;

/// The classifier that tells new rows from real ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Gradient-boosted trees, which see how columns go together.
    Trees,
    /// Logistic regression, which sees each column on its own.
    Logistic,
}

enum Fitted {
    Trees(Boosted),
    Logistic(Logistic),
}

/// What a classifier found.
#[derive(Clone, Debug)]
pub struct Detection {
    /// The C2ST score of SDMetrics, from 0 to 1: 1 is undetectable.
    pub score: f64,
    /// The mean AUC of the folds, with its bootstrap interval; 0.5 is undetectable, 1 always told apart.
    pub auc: Interval,
    /// How real each real row looks to a classifier that has not seen it, from 0 to 1.
    pub real: Vec<f32>,
    /// How real each new row looks, in the same way.
    pub new: Vec<f32>,
    /// How far the AUC falls without each column; more gives the new rows away more.
    pub columns: Vec<f64>,
}

/// Cross-validates a classifier of new against real rows; the interval comes from `resamples` resamples.
pub fn detect(real: &Frame, new: &Frame, judge: Judge, seed: u64, resamples: usize) -> Detection {
    let (n_real, both) = (real.rows(), real.followed_by(new));
    let is_real = |row: usize| row < n_real;
    let fold = folds(n_real, new.rows(), seed);
    let mut realness = vec![0.0; both.rows()];
    let mut columns = vec![0.0; both.columns.len()];
    let mut ranked = Folds::default();
    for held in 0..FOLDS {
        let (judged, learned): (Vec<usize>, Vec<usize>) =
            (0..both.rows()).partition(|&row| fold[row] == held);
        let targets: Vec<f32> = learned.iter().map(|&row| f32::from(u8::from(is_real(row)))).collect();
        let fitted = judge.fit(&both, &learned, &targets);
        let scores = fitted.predict(&both, &judged);
        judged.iter().zip(&scores).for_each(|(&row, &score)| realness[row] = score);
        let losses = fitted.losses(&both, &judged, &is_real, seed + held as u64);
        columns.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss / FOLDS as f64);
        ranked.push(judged, &scores, is_real);
    }
    let score = |auc: f64| 1.0 - 2.0 * (auc - 0.5).max(0.0);
    let auc = ranked.auc(resamples, seed);
    let new = realness.split_off(n_real);
    Detection { score: ranked.mean(score), auc, real: realness, new, columns }
}

impl Judge {
    fn fit(self, frame: &Frame, rows: &[usize], targets: &[f32]) -> Fitted {
        match self {
            Self::Trees => Fitted::Trees(Boosted::fit(frame, rows, targets, Task::Binary)),
            Self::Logistic => Fitted::Logistic(Logistic::fit(frame, rows, targets)),
        }
    }
}

impl Fitted {
    fn predict(&self, frame: &Frame, rows: &[usize]) -> Vec<f32> {
        match self {
            Self::Trees(model) => model.predict(frame, rows),
            Self::Logistic(model) => model.predict(frame, rows),
        }
    }

    /// How far the AUC on `rows` falls once each column is shuffled.
    fn losses(&self, frame: &Frame, rows: &[usize], is_real: &dyn Fn(usize) -> bool, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed, 1);
        let rows: Vec<usize> =
            rng.permutation(rows.len()).into_iter().take(MAX_SHUFFLED_ROWS).map(|i| rows[i]).collect();
        let mut judged = frame.select(&rows);
        let all: Vec<usize> = (0..rows.len()).collect();
        let auc = |judged: &Frame| Ranked::new(&self.predict(judged, &all), |i| is_real(rows[i])).auc();
        let whole = auc(&judged);
        let mut loss = |column: usize| {
            let shuffled = judged.columns[column].values.select(&rng.permutation(rows.len()));
            let kept = std::mem::replace(&mut judged.columns[column].values, shuffled);
            let without = auc(&judged);
            judged.columns[column].values = kept;
            whole - without
        };
        (0..frame.columns.len()).map(&mut loss).collect()
    }
}

/// The fold of each real, then of each new row: as equal as can be for both, in random order.
fn folds(n_real: usize, n_new: usize, seed: u64) -> Vec<usize> {
    let mut rng = Rng::new(seed, 0);
    let mut of = |n: usize| rng.permutation(n).into_iter().map(|place| place % FOLDS).collect::<Vec<_>>();
    [of(n_real), of(n_new)].concat()
}

#[cfg(test)]
mod tests {
    use super::{super::frame::testing::frame, *};

    /// Two columns of numbers, the second shifted, and one of codes.
    fn drawn(n: usize, seed: u64, shift: f64) -> Frame {
        let mut rng = Rng::new(seed, 0);
        let mut normals =
            |shift: f64| -> Vec<f64> { (0..n).map(|_| shift + f64::from(rng.normal())).collect() };
        let (x, y) = (normals(0.0), normals(shift));
        let codes: Vec<u32> = (0..n).map(|_| rng.below(3) as u32).collect();
        frame(&[&x, &y], &[&codes])
    }

    #[test]
    fn equal_rows_cannot_be_told_and_shifted_ones_can() {
        let (real, new, shifted) = (drawn(900, 1, 0.0), drawn(600, 2, 0.0), drawn(600, 3, 2.0));
        for judge in [Judge::Trees, Judge::Logistic] {
            let same = detect(&real, &new, judge, 1, 100);
            assert!((same.auc.value - 0.5).abs() < 0.06 && same.score > 0.85, "{judge:?} {:?}", same.auc);
            assert!(same.auc.low < same.auc.value && same.auc.value < same.auc.high);
            let told = detect(&real, &shifted, judge, 1, 100);
            assert!(told.auc.value > 0.8 && told.score < 0.4, "{judge:?} {:?}", told.auc);
            let most = (0..told.columns.len()).max_by(|&a, &b| told.columns[a].total_cmp(&told.columns[b]));
            assert_eq!(most, Some(1), "{:?}", told.columns);
            let mean = |scores: &[f32]| scores.iter().sum::<f32>() / scores.len() as f32;
            assert!(mean(&told.real) > mean(&told.new) + 0.2);
            assert_eq!((told.real.len(), told.new.len()), (900, 600));
        }
    }

    #[test]
    fn only_trees_see_how_columns_go_together() {
        let mut rng = Rng::new(3, 0);
        let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| f64::from(rng.normal())).collect() };
        let (x, noise) = (draw(1500), draw(1500));
        let y: Vec<f64> = x.iter().zip(&noise).map(|(x, noise)| x + 0.3 * noise).collect();
        let alone: Vec<f64> = draw(1500).iter().map(|y| y * 1.044).collect();
        let (real, new) = (frame(&[&x, &y], &[]), frame(&[&x, &alone], &[]));
        let trees = detect(&real, &new, Judge::Trees, 1, 20);
        let logistic = detect(&real, &new, Judge::Logistic, 1, 20);
        assert!(trees.auc.value > 0.8 && logistic.auc.value < 0.56, "{:?}", trees.auc);
    }

    #[test]
    fn folds_are_even() {
        let fold = folds(10, 5, 1);
        let count = |of: &[usize], held: usize| of.iter().filter(|&&fold| fold == held).count();
        assert_eq!([0, 1, 2].map(|held| count(&fold[..10], held)), [4, 3, 3]);
        assert_eq!([0, 1, 2].map(|held| count(&fold[10..], held)), [2, 2, 1]);
    }
}
