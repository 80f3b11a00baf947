//! What an attack on privacy gains: success rates with intervals, and the risk that follows from them.
//!
//! After Giomi et al., 2023 (arXiv:2211.10459, section 4), with the definitions of the package anonymeter. An
//! attacker who has only the new rows makes guesses about rows that the model was trained on. Each attack is
//! made three times:
//!
//! - *main*: on training rows;
//! - *control*: on held-out rows, which tells how much can be guessed of anybody like them;
//! - *baseline*: with random guesses about training rows.
//!
//! With `k` successes of `n` guesses and `z = 1.96`, the rate and its margin (Wilson, 1927) are
//!
//! ```text
//! r = (k + z²/2) / (n + z²)        δ = z / (n + z²) · √(k (n − k) / n + z²/4)
//! ```
//!
//! and the risk is what the new rows add, as a share of what the control leaves to be added:
//!
//! ```text
//! R = (r_main − r_control) / (1 − r_control)
//! δ_R² = (δ_main / (1 − r_control))² + (δ_control (1 − r_main) / (1 − r_control)²)²
//! ```
//!
//! The attacks themselves are in `singling`, `linkability` and `inference`.

use mintage_nn::Rng;

use super::{super::Interval, frame::Frame};

/// The 97.5th percentile of the normal distribution: intervals are of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// What an attack found; all rates are shares of the guesses with Wilson's interval of 95 %.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    /// Name of the attack, such as "linkability"; of inference of one column, that of the column.
    pub name: String,
    /// Number of guesses about training rows; 0 where the attack could not be made.
    pub guesses: usize,
    /// Success rate on training rows.
    pub main: Interval,
    /// Success rate on held-out rows: what can be guessed of anybody like them.
    pub control: Interval,
    /// Success rate of random guesses about training rows.
    pub baseline: Interval,
    /// What the new rows add to the control, as a share of what could be added; less is better.
    ///
    /// From 0 (nothing is learned that held-out rows do not give away as well) to 1.
    pub risk: Interval,
}

impl Attack {
    pub(super) fn of(name: impl Into<String>, main: Trials, control: Trials, baseline: Trials) -> Self {
        let [m, c] = [main.rate(), control.rate()];
        let risk = residual(m, c);
        Self {
            name: name.into(),
            guesses: main.guesses,
            main: m,
            control: c,
            baseline: baseline.rate(),
            risk,
        }
    }

    /// Whether training rows are guessed more often than held-out ones, beyond chance.
    ///
    /// The interval of the risk assumes small errors, which it divides by what the control leaves over: where
    /// the control is nearly always right as well, the rates themselves have to lie apart.
    pub fn gives_away(&self) -> bool {
        self.risk.low > 0.0 && self.main.low > self.control.high
    }

    /// Nothing could be guessed: every rate, and the risk, may be anything.
    pub(super) fn not_made(name: impl Into<String>) -> Self {
        Self::of(name, Trials::default(), Trials::default(), Trials::default())
    }
}

/// Guesses, and how many of them were right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trials {
    pub guesses: usize,
    pub successes: usize,
}

impl Trials {
    /// Wilson's score interval; from 0 to 1 without a guess.
    pub fn rate(self) -> Interval {
        let (n, k) = (self.guesses as f64, self.successes as f64);
        let variance = if self.guesses == 0 { 0.0 } else { k * (n - k) / n };
        let value = (k + 0.5 * Z * Z) / (n + Z * Z);
        let margin = Z / (n + Z * Z) * (variance + 0.25 * Z * Z).sqrt();
        Interval { value, low: (value - margin).max(0.0), high: (value + margin).min(1.0) }
    }
}

impl FromIterator<bool> for Trials {
    fn from_iter<T: IntoIterator<Item = bool>>(guesses: T) -> Self {
        let add = |trials: Self, right| Self {
            guesses: trials.guesses + 1,
            successes: trials.successes + usize::from(right),
        };
        guesses.into_iter().fold(Self::default(), add)
    }
}

/// The risk. A control rate is below 1, since Wilson's always is.
fn residual(main: Interval, control: Interval) -> Interval {
    let left = 1.0 - control.value;
    let value = (main.value - control.value) / left;
    let of_main = (main.high - main.value) / left;
    let of_control = (control.high - control.value) * (1.0 - main.value) / (left * left);
    let margin = of_main.hypot(of_control);
    let bound = |x: f64| x.clamp(0.0, 1.0);
    Interval { value: bound(value), low: bound(value - margin), high: bound(value + margin) }
}

/// `n` rows at random, or all rows in random order where there are fewer.
pub(super) fn targets(frame: &Frame, n: usize, rng: &mut Rng) -> Frame {
    let mut rows = rng.permutation(frame.rows());
    rows.truncate(n);
    frame.select(&rows)
}

/// The tables of anonymeter, and what it finds in them.
#[cfg(test)]
pub(super) mod testing {
    #![allow(clippy::unwrap_used)]
    use mintage_data::{
        Column, Declaration, Table,
        table::schema::{Kind, TableSchema},
    };
    use serde_json::Value;

    use super::*;
    use crate::evaluate::table::frame::testing::column;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/anonymeter/", $name))
        };
    }

    /// The training rows, the held-out and the new ones of a comparison, with what anonymeter says of them.
    pub struct Case {
        pub main: Frame,
        pub control: Frame,
        pub new: Frame,
        pub expected: Value,
    }

    pub fn cases() -> [Case; 2] {
        let expected = expected();
        let rows = |from: usize, to: usize| (from..to).collect::<Vec<_>>();
        let [main, control, new] =
            frames([fixture!("ori.csv"), fixture!("control.csv"), fixture!("syn.csv")]);
        let control = control.select(&rows(0, 100));
        let of_tests = Case { main, control, new, expected: expected["test_files"].clone() };
        let [held_out, new] = frames([fixture!("control.csv"), fixture!("ctgan.csv")]);
        let [main, control] = [rows(0, 150), rows(150, 300)].map(|rows| held_out.select(&rows));
        [of_tests, Case { main, control, new, expected: expected["example_files"].clone() }]
    }

    pub fn expected() -> Value {
        serde_json::from_str(fixture!("expected.json")).unwrap()
    }

    /// Panics unless rates and risk are anonymeter's to three digits.
    pub fn assert_same(found: &Attack, expected: &Value, what: &str) {
        let near = |found: f64, expected: &Value| {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() < 5e-4, "{what}: {found}, {expected}");
        };
        assert_eq!(found.guesses, expected["main"][0].as_u64().unwrap() as usize, "{what}");
        for (rate, of) in [(found.main, "main"), (found.control, "control")] {
            near(rate.value, &expected[of][2]);
            near(rate.high - rate.value, &expected[of][3]);
            near(rate.value - rate.low, &expected[of][3]);
        }
        for (i, value) in [found.risk.value, found.risk.low, found.risk.high].into_iter().enumerate() {
            near(value, &expected["risk"][i]);
        }
    }

    /// The rows listed under `key`.
    pub fn listed(frame: &Frame, expected: &Value, key: &str) -> Frame {
        let rows = expected[key].as_array().unwrap().iter();
        frame.select(&rows.map(|row| row.as_u64().unwrap() as usize).collect::<Vec<_>>())
    }

    /// Frames of the columns of the first table.
    pub fn frames<const N: usize>(csv: [&str; N]) -> [Frame; N] {
        let tables = csv.map(table);
        let is_number = |of: &Column| of.values().iter().all(|text| text.parse::<f64>().is_ok());
        let kind = |of: &Column| if is_number(of) { Kind::Number } else { Kind::Category };
        let columns = tables[0].columns.iter().map(|of| column(&of.name, kind(of), '.')).collect();
        Frame::together(tables.each_ref(), &TableSchema { columns, alerts: Vec::new() }).unwrap()
    }

    /// A table of CSV without quotes.
    pub fn table(csv: &str) -> Table {
        let mut lines = csv.lines().map(|line| line.split(','));
        let mut columns: Vec<Column> =
            lines.next().unwrap().map(|name| Column::new(name, Declaration::default())).collect();
        for line in lines {
            line.zip(&mut columns).for_each(|(cell, column)| column.push(Some(cell)));
        }
        Table { columns, ..Table::default() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{testing::*, *};

    #[test]
    fn rates_that_are_nearly_1_have_to_lie_apart() {
        let trials = |guesses, successes| Trials { guesses, successes };
        let of = |main, control| Attack::of("a", main, control, trials(100, 1));
        // 99.9 % against 99.0 %: a risk of .86, and no difference that 184 held-out rows show.
        let same = of(trials(1336, 1336), trials(184, 184));
        assert!(same.risk.low > 0.5 && !same.gives_away(), "{same:?}");
        assert!(of(trials(1336, 1336), trials(184, 150)).gives_away());
    }

    #[test]
    fn rates_and_risk_are_those_of_anonymeter() {
        for of in expected()["rates"].as_array().unwrap() {
            let count = |key: &str, i: usize| of[key][i].as_u64().unwrap() as usize;
            let trials = |key| Trials { guesses: count(key, 0), successes: count(key, 1) };
            let found = Attack::of("any", trials("main"), trials("control"), Trials::default());
            assert_same(&found, of, &of.to_string());
        }
    }

    #[test]
    fn without_a_guess_nothing_is_known() {
        let none = Attack::not_made("any");
        assert_eq!((none.guesses, none.risk.value, none.risk.low, none.risk.high), (0, 0.0, 0.0, 1.0));
        let whole = Interval { value: 0.5, low: 0.0, high: 1.0 };
        let ends = |of: Interval| [of.value, of.low, of.high];
        assert!(ends(none.main).iter().zip(ends(whole)).all(|(a, b)| (a - b).abs() < 1e-12), "{none:?}");
        let certain: Trials = [true; 50].into_iter().collect();
        let found = Attack::of("any", certain, certain, certain);
        assert!(found.risk.value == 0.0 && found.control.value < 1.0);
    }
}
