//! The singling-out attack: do the new rows give away a description that fits one person alone?
//!
//! After Giomi et al., 2023 (arXiv:2211.10459). An attacker who has only the new rows guesses predicates
//! that hold for exactly one of them, and each that holds for exactly one *training* row is a success.
//! Some succeed by luck; how many, the same guesses tell when they are tried on as many held-out rows.
//!
//! - *univariate*: one column: a value that occurs once, or a number beyond all others;
//! - *multivariate*: a new row and four of its columns: categories equal, numbers at or beyond the row's, on
//!   its own side of the median.

use mintage_nn::Rng;
use rayon::prelude::*;

use super::frame::{Frame, Values};

/// Columns of a multivariate predicate.
const COLUMNS: usize = 4;
/// Tries for each guess that is wanted.
const TRIES: usize = 20;

/// How often guesses succeed; all shares of the guesses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SinglingOut {
    pub guesses: usize,
    /// That fit exactly one training row.
    pub train: f64,
    /// That fit exactly one of as many held-out rows.
    pub holdout: f64,
}

impl SinglingOut {
    /// What an attacker gains by the new rows, of what luck leaves to gain: ideally 0.
    pub fn risk(&self) -> f64 {
        ((self.train - self.holdout) / (1.0 - self.holdout)).max(0.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    Univariate,
    Multivariate,
}

/// Attacks with `guesses` predicates, or fewer where the new rows give no more.
pub fn singling_out(
    train: &Frame,
    holdout: &Frame,
    new: &Frame,
    attack: Attack,
    guesses: usize,
    seed: u64,
) -> SinglingOut {
    let n = train.rows().min(holdout.rows());
    if n == 0 || new.rows() == 0 || new.columns.is_empty() {
        return SinglingOut::default();
    }
    let mut rng = Rng::new(seed, 0);
    let sample = |frame: &Frame, rng: &mut Rng| {
        let mut rows = rng.permutation(frame.rows());
        rows.truncate(n);
        frame.select(&rows)
    };
    let (train, holdout) = (sample(train, &mut rng), sample(holdout, &mut rng));
    let candidates = match attack {
        Attack::Univariate => univariate(new, &mut rng),
        Attack::Multivariate => multivariate(new, guesses * TRIES, &mut rng),
    };
    let fitting: Vec<&Predicate> =
        candidates.par_iter().filter(|predicate| predicate.fits_one(new)).collect();
    let fitting = &fitting[..fitting.len().min(guesses)];
    let share = |frame: &Frame| {
        let fits = fitting.par_iter().filter(|predicate| predicate.fits_one(frame)).count();
        if fitting.is_empty() { 0.0 } else { fits as f64 / fitting.len() as f64 }
    };
    SinglingOut { guesses: fitting.len(), train: share(&train), holdout: share(&holdout) }
}

/// Conditions that must all hold, each on a column.
#[derive(Clone, Debug)]
struct Predicate(Vec<(usize, Condition)>);

#[derive(Clone, Copy, Debug)]
enum Condition {
    AtLeast(f64),
    AtMost(f64),
    Equals(f64),
    /// NaN.
    Missing,
    Is(u32),
}

impl Condition {
    fn holds(self, values: &Values, row: usize) -> bool {
        match (self, values) {
            (Self::AtLeast(bound), Values::Numbers(numbers)) => numbers[row] >= bound,
            (Self::AtMost(bound), Values::Numbers(numbers)) => numbers[row] <= bound,
            (Self::Equals(value), Values::Numbers(numbers)) => numbers[row] == value,
            (Self::Missing, Values::Numbers(numbers)) => numbers[row].is_nan(),
            (Self::Is(code), Values::Categories { codes, .. }) => codes[row] == code,
            _ => false,
        }
    }
}

impl Predicate {
    /// Whether it holds for exactly one row.
    fn fits_one(&self, frame: &Frame) -> bool {
        let holds = |&row: &usize| {
            self.0.iter().all(|&(column, condition)| condition.holds(&frame.columns[column].values, row))
        };
        (0..frame.rows()).filter(holds).take(2).count() == 1
    }
}

/// Values of one column that occur once, and the ends of numbers, in random order.
fn univariate(new: &Frame, rng: &mut Rng) -> Vec<Predicate> {
    let mut found = Vec::new();
    for (column, of) in new.columns.iter().enumerate() {
        let mut add = |condition| found.push(Predicate(vec![(column, condition)]));
        match &of.values {
            Values::Numbers(numbers) => {
                let mut sorted: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                if let (Some(&least), Some(&largest)) = (sorted.first(), sorted.last()) {
                    add(Condition::AtMost(least));
                    add(Condition::AtLeast(largest));
                }
                let single = sorted.chunk_by(|a, b| a == b).filter(|same| same.len() == 1);
                single.for_each(|same| add(Condition::Equals(same[0])));
            }
            Values::Categories { codes, .. } => {
                let mut sorted = codes.clone();
                sorted.sort_unstable();
                let single = sorted.chunk_by(|a, b| a == b).filter(|same| same.len() == 1);
                single.for_each(|same| add(Condition::Is(same[0])));
            }
        }
    }
    rng.permutation(found.len()).into_iter().map(|i| found[i].clone()).collect()
}

fn multivariate(new: &Frame, n: usize, rng: &mut Rng) -> Vec<Predicate> {
    let medians: Vec<f64> = new.columns.iter().map(|column| median(&column.values)).collect();
    let condition = |column: usize, row: usize| match &new.columns[column].values {
        Values::Categories { codes, .. } => Condition::Is(codes[row]),
        Values::Numbers(numbers) if numbers[row].is_nan() => Condition::Missing,
        Values::Numbers(numbers) if numbers[row] >= medians[column] => Condition::AtLeast(numbers[row]),
        Values::Numbers(numbers) => Condition::AtMost(numbers[row]),
    };
    let mut one = |_| {
        let row = rng.below(new.rows());
        let columns = rng.permutation(new.columns.len());
        let columns = columns.into_iter().take(COLUMNS);
        Predicate(columns.map(|column| (column, condition(column, row))).collect())
    };
    (0..n).map(&mut one).collect()
}

fn median(values: &Values) -> f64 {
    let Values::Numbers(numbers) = values else { return f64::NAN };
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{super::neighbours::testing::mixed, *};

    #[test]
    fn copies_give_people_away_and_fresh_rows_do_not() {
        let (train, holdout, fresh) = (mixed(1000, 1), mixed(1500, 2), mixed(1000, 3));
        for attack in [Attack::Univariate, Attack::Multivariate] {
            let copied = singling_out(&train, &holdout, &train, attack, 300, 1);
            let new = singling_out(&train, &holdout, &fresh, attack, 300, 1);
            assert_eq!(copied.train, 1.0, "{attack:?} {copied:?}");
            assert!(copied.guesses > 3 && copied.risk() > 0.9, "{attack:?} {copied:?}");
            assert!(new.risk() < 0.35 && new.train < 0.6, "{attack:?} {new:?}");
        }
    }

    #[test]
    fn nothing_to_attack_is_no_risk() {
        let (train, none) = (mixed(20, 1), mixed(20, 1).select(&[]));
        for (holdout, new) in [(&none, &train), (&train, &none)] {
            let found = singling_out(&train, holdout, new, Attack::Multivariate, 10, 1);
            assert_eq!((found, found.risk()), (SinglingOut::default(), 0.0));
        }
    }
}
