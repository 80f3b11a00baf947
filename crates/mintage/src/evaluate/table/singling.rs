//! The singling-out attack: do the new rows give away a description that fits one person alone?
//!
//! After Giomi et al., 2023 (arXiv:2211.10459). An attacker who has only the new rows guesses predicates
//! that hold for exactly one of them, and each that holds for exactly one *training* row is a success. Equal
//! rows count once.
//!
//! - *univariate*: one column: a value that occurs once, or the least or the largest number;
//! - *multivariate*: a new row and four of its columns: categories equal, numbers at or beyond the row's, on
//!   its own side of the median.
//!
//! Random guesses are conditions on as many columns, with any value and any comparison. How many rows a
//! predicate fits depends on how many there are: training and held-out rows are reduced to the same number,
//! where anonymeter fits a correction. Rates are shares of the guesses that were made; anonymeter's are of
//! those that were asked for.

use std::collections::HashSet;

use mintage_nn::Rng;
use rayon::prelude::*;

use super::{
    attacks::{Attack, Trials, targets},
    frame::{Frame, Values},
    privacy::hash,
};

/// Columns of a multivariate predicate.
const PREDICATE_COLUMNS: usize = 4;
/// Candidates that are drawn for each guess that is wanted.
const CANDIDATES_PER_GUESS: usize = 20;

/// How many columns a predicate of the singling-out attack has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinglingOut {
    /// One column: a value that occurs once, or the least or the largest number.
    Univariate,
    /// Four columns of a new row together.
    Multivariate,
}

/// Attacks with up to `guesses` predicates, or fewer where the new rows give no more.
pub fn singling_out(
    train: &Frame,
    holdout: &Frame,
    new: &Frame,
    mode: SinglingOut,
    guesses: usize,
    seed: u64,
) -> Attack {
    let [train, holdout, new] = [train, holdout, new].map(distinct);
    let n = train.rows().min(holdout.rows());
    let name = match mode {
        SinglingOut::Univariate => "singling out, one column",
        SinglingOut::Multivariate => "singling out, four columns",
    };
    if n == 0 || new.rows() == 0 || new.columns.is_empty() {
        return Attack::not_made(name);
    }
    let mut rng = Rng::new(seed, 0);
    let [train, holdout] = [train, holdout].map(|frame| targets(&frame, n, &mut rng));
    let (candidates, columns) = match mode {
        SinglingOut::Univariate => {
            let found = univariate(&new);
            (rng.permutation(found.len()).into_iter().map(|i| found[i].clone()).collect(), 1)
        }
        SinglingOut::Multivariate => {
            (multivariate(&new, guesses * CANDIDATES_PER_GUESS, &mut rng), PREDICATE_COLUMNS)
        }
    };
    let guessed = that_fit_one(&candidates, &new, guesses);
    let random = random_predicates(&new, guessed.len(), columns, &mut rng);
    let [main, control, baseline] =
        [(&guessed, &train), (&guessed, &holdout), (&random, &train)].map(|(of, frame)| successes(of, frame));
    Attack::of(name, main, control, baseline)
}

/// The rows of a frame, equal ones once, in the order of their first.
fn distinct(frame: &Frame) -> Frame {
    let mut seen = HashSet::new();
    let rows: Vec<usize> = (0..frame.rows()).filter(|&row| seen.insert(hash(frame, row))).collect();
    frame.select(&rows)
}

/// The first `n` different candidates that fit exactly one row.
fn that_fit_one(candidates: &[Predicate], new: &Frame, n: usize) -> Vec<Predicate> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for some in candidates.chunks(n.max(1)) {
        let fitting: Vec<&Predicate> = some.par_iter().filter(|predicate| predicate.fits_one(new)).collect();
        let unseen = fitting.into_iter().filter(|predicate| seen.insert(predicate.key())).cloned();
        found.extend(unseen.take(n - found.len()));
        if found.len() == n {
            break;
        }
    }
    found
}

/// How many predicates fit exactly one row.
fn successes(predicates: &[Predicate], frame: &Frame) -> Trials {
    let successes = predicates.par_iter().filter(|predicate| predicate.fits_one(frame)).count();
    Trials { guesses: predicates.len(), successes }
}

/// Conditions that must all hold, each on a column.
#[derive(Clone, Debug)]
struct Predicate(Vec<(usize, Condition)>);

/// What a cell must be. No comparison holds for a missing one.
#[derive(Clone, Copy, Debug)]
enum Condition {
    Number(Comparison, f64),
    IsMissing(bool),
    Is(u32),
    IsNot(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Comparison {
    Equal,
    Unequal,
    Above,
    Below,
    AtLeast,
    AtMost,
}

impl Comparison {
    const ALL: [Self; 6] =
        [Self::Equal, Self::Unequal, Self::Above, Self::Below, Self::AtLeast, Self::AtMost];

    fn holds(self, x: f64, bound: f64) -> bool {
        match self {
            Self::Equal => x == bound,
            Self::Unequal => x != bound && !x.is_nan(),
            Self::Above => x > bound,
            Self::Below => x < bound,
            Self::AtLeast => x >= bound,
            Self::AtMost => x <= bound,
        }
    }
}

impl Condition {
    fn holds(self, values: &Values, row: usize) -> bool {
        match (self, values) {
            (Self::Number(comparison, bound), Values::Numbers(numbers)) => {
                comparison.holds(numbers[row], bound)
            }
            (Self::IsMissing(missing), Values::Numbers(numbers)) => numbers[row].is_nan() == missing,
            (Self::Is(code), Values::Categories { codes, .. }) => codes[row] == code,
            (Self::IsNot(code), Values::Categories { codes, .. }) => {
                codes[row] != code && codes[row] != mintage_data::table::MISSING
            }
            _ => false,
        }
    }
}

impl Predicate {
    /// A row's cells at `places`: categories equal, numbers as far from the median, or further.
    fn of_row(new: &Frame, medians: &[f64], row: usize, places: &[usize]) -> Self {
        let condition = |&place: &usize| {
            let condition = match &new.columns[place].values {
                Values::Categories { codes, .. } => Condition::Is(codes[row]),
                Values::Numbers(numbers) => match numbers[row] {
                    x if x.is_nan() => Condition::IsMissing(true),
                    x if x > medians[place] => Condition::Number(Comparison::AtLeast, x),
                    x => Condition::Number(Comparison::AtMost, x),
                },
            };
            (place, condition)
        };
        Self(places.iter().map(condition).collect())
    }

    /// Whether it holds for exactly one row.
    fn fits_one(&self, frame: &Frame) -> bool {
        let holds = |&row: &usize| {
            self.0.iter().all(|&(column, condition)| condition.holds(&frame.columns[column].values, row))
        };
        (0..frame.rows()).filter(holds).take(2).count() == 1
    }

    /// Equal for the same conditions.
    fn key(&self) -> Vec<(usize, Option<Comparison>, u64)> {
        let part = |&(place, condition): &(usize, Condition)| match condition {
            Condition::Number(comparison, bound) => (place, Some(comparison), bound.to_bits()),
            Condition::IsMissing(missing) => (place, None, u64::from(missing)),
            Condition::Is(code) => (place, None, u64::from(code)),
            Condition::IsNot(code) => (place, Some(Comparison::Unequal), u64::from(code)),
        };
        let mut key: Vec<_> = self.0.iter().map(part).collect();
        key.sort_unstable_by_key(|&(place, ..)| place);
        key
    }
}

/// Values of one column that occur once, and the ends of numbers.
fn univariate(new: &Frame) -> Vec<Predicate> {
    let mut found = Vec::new();
    for (column, of) in new.columns.iter().enumerate() {
        let mut add = |condition| found.push(Predicate(vec![(column, condition)]));
        match &of.values {
            Values::Numbers(numbers) => {
                let sorted = sorted(numbers);
                if let (Some(&least), Some(&largest)) = (sorted.first(), sorted.last()) {
                    add(Condition::Number(Comparison::AtMost, least));
                    add(Condition::Number(Comparison::AtLeast, largest));
                }
                if numbers.len() == sorted.len() + 1 {
                    add(Condition::IsMissing(true));
                }
                let single = sorted.chunk_by(|a, b| a == b).filter(|same| same.len() == 1);
                single.for_each(|same| add(Condition::Number(Comparison::Equal, same[0])));
            }
            Values::Categories { codes, .. } => {
                let mut sorted = codes.clone();
                sorted.sort_unstable();
                let single = sorted.chunk_by(|a, b| a == b).filter(|same| same.len() == 1);
                single.for_each(|same| add(Condition::Is(same[0])));
            }
        }
    }
    found
}

fn multivariate(new: &Frame, n: usize, rng: &mut Rng) -> Vec<Predicate> {
    let medians = medians(new);
    let mut one = |_| {
        let row = rng.below(new.rows());
        let mut places = rng.permutation(new.columns.len());
        places.truncate(PREDICATE_COLUMNS);
        Predicate::of_row(new, &medians, row, &places)
    };
    (0..n).map(&mut one).collect()
}

/// Guesses of somebody who knows which values there are, and nothing more.
fn random_predicates(new: &Frame, n: usize, columns: usize, rng: &mut Rng) -> Vec<Predicate> {
    let distinct: Vec<Vec<Condition>> = new.columns.iter().map(|column| equalities(&column.values)).collect();
    let condition = |place: usize, rng: &mut Rng| {
        let equal = distinct[place][rng.below(distinct[place].len())];
        match equal {
            Condition::Number(_, x) => {
                Condition::Number(Comparison::ALL[rng.below(Comparison::ALL.len())], x)
            }
            Condition::IsMissing(_) => Condition::IsMissing(rng.below(Comparison::ALL.len()) == 0),
            Condition::Is(code) if rng.below(2) == 0 => Condition::IsNot(code),
            _ => equal,
        }
    };
    let mut one = |_| {
        let places = rng.permutation(new.columns.len());
        let conditions = places.into_iter().take(columns).map(|place| (place, condition(place, rng)));
        Predicate(conditions.collect())
    };
    (0..n).map(&mut one).collect()
}

/// That a cell is one of the values of a column, for each of them.
fn equalities(values: &Values) -> Vec<Condition> {
    match values {
        Values::Numbers(numbers) => {
            let mut known = sorted(numbers);
            let missing = (known.len() < numbers.len()).then_some(Condition::IsMissing(true));
            known.dedup();
            known.into_iter().map(|x| Condition::Number(Comparison::Equal, x)).chain(missing).collect()
        }
        Values::Categories { codes, .. } => {
            let mut codes = codes.clone();
            codes.sort_unstable();
            codes.dedup();
            codes.into_iter().map(Condition::Is).collect()
        }
    }
}

/// The median of each column of numbers, NaN for others.
fn medians(frame: &Frame) -> Vec<f64> {
    let median = |values: &Values| {
        let Values::Numbers(numbers) = values else { return f64::NAN };
        let sorted = sorted(numbers);
        let middle = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
        0.5 * (middle(sorted.len().saturating_sub(1) / 2) + middle(sorted.len() / 2))
    };
    frame.columns.iter().map(|column| median(&column.values)).collect()
}

/// The numbers that are known, in order of size.
fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        super::{
            attacks::testing::{Case, assert_same, cases},
            frame::testing::frame,
            neighbours::testing::mixed,
        },
        *,
    };

    #[test]
    fn anonymeter_singles_out_the_same_rows() {
        for Case { main, control, new, expected } in cases() {
            let expected = &expected["singling_out"];
            let [main, control, new] = [&main, &control, &new].map(distinct);
            let attack = |guesses: &[Predicate]| {
                let guessed = that_fit_one(guesses, &new, guesses.len());
                let none = Trials::default();
                Attack::of("any", successes(&guessed, &main), successes(&guessed, &control), none)
            };
            assert_same(&attack(&univariate(&new)), &expected["univariate"], "univariate");
            let medians = medians(&new);
            let guess = |of: &serde_json::Value| {
                let numbers: Vec<usize> =
                    of.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect();
                Predicate::of_row(&new, &medians, numbers[0], &numbers[1..])
            };
            let guesses: Vec<Predicate> = expected["guesses"].as_array().unwrap().iter().map(guess).collect();
            assert_same(&attack(&guesses), &expected["multivariate"], "multivariate");
        }
    }

    #[test]
    fn copies_give_people_away_and_fresh_rows_do_not() {
        let (train, holdout, fresh) = (mixed(1000, 1), mixed(1500, 2), mixed(1000, 3));
        for mode in [SinglingOut::Univariate, SinglingOut::Multivariate] {
            // All rows, so that none is left out to make their numbers equal.
            let copied = singling_out(&train, &holdout, &train, mode, 300, 1);
            let new = singling_out(&train, &holdout, &fresh, mode, 300, 1);
            assert!(copied.main.high > 0.999, "{mode:?} {copied:?}");
            assert!(copied.guesses > 3 && copied.main.value > copied.baseline.value, "{mode:?} {copied:?}");
            assert!(new.risk.low < 0.05 && new.main.value < 0.7, "{mode:?} {new:?}");
        }
        let copied = singling_out(&train, &holdout, &train, SinglingOut::Multivariate, 300, 1);
        assert!(copied.risk.low > 0.9, "{copied:?}");
    }

    #[test]
    fn random_guesses_seldom_succeed() {
        let (train, holdout) = (mixed(1000, 1), mixed(1000, 2));
        let found = singling_out(&train, &holdout, &train, SinglingOut::Multivariate, 300, 1);
        assert!(found.baseline.value < 0.3, "{found:?}");
    }

    #[test]
    fn nothing_to_attack_is_not_attacked() {
        let (some, none) = (mixed(20, 1), mixed(20, 1).select(&[]));
        for mode in [SinglingOut::Univariate, SinglingOut::Multivariate] {
            for (train, holdout, new) in [(&some, &none, &some), (&some, &some, &none), (&none, &some, &some)]
            {
                let found = singling_out(train, holdout, new, mode, 10, 1);
                assert_eq!((found.guesses, found.risk.value), (0, 0.0));
            }
            let equal = frame(&[&[2.0; 8], &[f64::NAN; 8]], &[&[1; 8]]);
            let found = singling_out(&equal, &equal, &equal, mode, 10, 1);
            assert!(found.risk.value == 0.0, "{found:?}");
            let one = frame(&[&[2.0, 3.0, 3.0]], &[]);
            assert!(singling_out(&one, &one, &one, mode, 10, 1).guesses > 0);
        }
    }

    #[test]
    fn a_missing_number_can_be_the_only_one() {
        let one = frame(&[&[f64::NAN, 3.0, 3.0]], &[]);
        let found = univariate(&one);
        assert!(found.iter().any(|predicate| predicate.fits_one(&one)), "{found:?}");
        assert_eq!(medians(&frame(&[&[1.0, 2.0, 4.0, 9.0, f64::NAN]], &[])), [3.0]);
    }
}
