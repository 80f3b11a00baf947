//! One measured number: which way it is better, between what ends it lies, and whether it tells anything.

use serde::{Deserialize, Serialize};

use crate::evaluate::{DialName, Interval};

/// Which way a metric is better: a property of the metric, never of what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better, as of a distance.
    Lower,
    /// More is better, as of an accuracy.
    Higher,
}

/// One measured number, with what real data and a trivial generator get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Name of the metric, such as "C2ST AUC".
    pub name: String,
    /// The space or the judge that it is measured by, or its unit: "pixels", "boosted trees", "nats a row".
    pub space: String,
    /// The value of the new items, in the unit of the metric.
    pub value: f64,
    /// Lower end of the 95 % interval of `value`.
    pub low: f64,
    /// Upper end of the 95 % interval of `value`.
    pub high: f64,
    /// What other real items get, where that was measured.
    pub ceiling: Option<f64>,
    /// What a trivial generator gets or, of copies, a model that recites its data.
    pub floor: Option<f64>,
    /// Whether less or more is better.
    pub better: Better,
    /// The dial that it counts for; `None` where it is shown only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial: Option<DialName>,
    /// The intervals of ceiling and floor; `None` where they were not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
    /// What it is about, as a subject of "is right": "how columns go together"; empty where it has no
    /// sentence.
    #[serde(skip)]
    pub about: &'static str,
    /// Weight among the metrics of its dial: 1 unless set.
    #[serde(skip, default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// The ends of the scale of a metric, with their 95 % intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// What other real items get: 100 on the dial.
    pub ceiling: Interval,
    /// What a trivial generator gets or, of copies, a model that recites its data: 0 on the dial.
    pub floor: Interval,
}

impl Metric {
    /// A metric of which less is better.
    pub fn lower(name: &str, space: &str, value: impl Into<Interval>) -> Self {
        Self::new(name, space, value.into(), Better::Lower)
    }

    /// A metric of which more is better.
    pub fn higher(name: &str, space: &str, value: impl Into<Interval>) -> Self {
        Self::new(name, space, value.into(), Better::Higher)
    }

    fn new(name: &str, space: &str, value: Interval, better: Better) -> Self {
        let Interval { value, low, high } = value;
        let (name, space) = (name.to_owned(), space.to_owned());
        Self {
            name,
            space,
            value,
            low,
            high,
            ceiling: None,
            floor: None,
            better,
            dial: None,
            ends: None,
            about: "",
            weight: one(),
        }
    }

    /// Clamps the interval to values that the metric can have.
    #[must_use]
    pub fn within(self, least: f64, most: f64) -> Self {
        let inside = |x: f64| if x.is_nan() { x } else { x.clamp(least, most) };
        Self { low: inside(self.low), high: inside(self.high), ..self }
    }

    /// Sets what other real data get, and what a trivial generator gets.
    #[must_use]
    pub fn between(self, ceiling: impl Into<Interval>, floor: impl Into<Interval>) -> Self {
        let (ceiling, floor) = (ceiling.into(), floor.into());
        Self {
            ceiling: Some(ceiling.value),
            floor: Some(floor.value),
            ends: Some(Ends { ceiling, floor }),
            ..self
        }
    }

    /// Sets the dial that it counts for, if any.
    #[must_use]
    pub fn moving(self, dial: impl Into<Option<DialName>>) -> Self {
        Self { dial: dial.into(), ..self }
    }

    /// Sets what it is about, in words for people.
    #[must_use]
    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// The score of a value, from 0 for the floor to 100 for what other real data get.
    ///
    /// `None` where ceiling and floor cannot be told apart, or are the wrong way round.
    pub fn place(&self, value: f64) -> Option<f64> {
        let (ceiling, floor) = self.scale()?;
        let share = (value - floor) / (ceiling - floor);
        // Nothing has been shown by what could not be measured.
        Some(if share.is_nan() { 0.0 } else { 100.0 * share.clamp(0.0, 1.0) + 0.0 })
    }

    /// The scores of the value, and of the worse and the better end of its interval.
    ///
    /// A value that is surely worse than both real data and a trivial generator gets 0, even without a scale.
    pub fn places(&self) -> Option<(f64, f64, f64)> {
        if self.scale().is_none() && self.is_worse_than_both() {
            return Some((0.0, 0.0, 0.0));
        }
        let (worse, better) = match self.better {
            Better::Lower => (self.high, self.low),
            Better::Higher => (self.low, self.high),
        };
        Some((self.place(self.value)?, self.place(worse)?, self.place(better)?))
    }

    /// Whether ceiling and floor can be told apart, so that values between them have a score.
    pub fn has_scale(&self) -> bool {
        self.scale().is_some()
    }

    /// Whether its interval lies beyond those of both ends.
    fn is_worse_than_both(&self) -> bool {
        self.ends.is_some_and(|Ends { ceiling, floor }| match self.better {
            Better::Lower => self.low > ceiling.high.max(floor.high),
            Better::Higher => self.high < ceiling.low.min(floor.low),
        })
    }

    /// The ends of the scale from 100 to 0. Fresh real data may lie anywhere in the interval of the ceiling, so all of it
    /// is as good as real.
    fn scale(&self) -> Option<(f64, f64)> {
        let Ends { ceiling, floor } = self.ends?;
        let (ends, apart) = match self.better {
            Better::Lower => ((ceiling.high.max(ceiling.value), floor.value), ceiling.high < floor.low),
            Better::Higher => ((ceiling.low.min(ceiling.value), floor.value), ceiling.low > floor.high),
        };
        apart.then_some(ends)
    }

    /// The number of items with which it could probably be measured, where `n` are too few.
    ///
    /// Intervals narrow with the root of the number. `None` where ceiling and floor hardly differ.
    pub fn would_do(&self, n: usize) -> Option<usize> {
        let Ends { ceiling, floor } = self.ends?;
        let (gap, width) = match self.better {
            Better::Lower => {
                (floor.value - ceiling.value, ceiling.high - ceiling.value + floor.value - floor.low)
            }
            Better::Higher => {
                (ceiling.value - floor.value, ceiling.value - ceiling.low + floor.high - floor.value)
            }
        };
        let times = (width / gap).powi(2);
        // What differs by less is not worth the items.
        (gap > 0.0 && times.is_finite() && times < 1000.0).then(|| rounded_up(n as f64 * times * 1.1))
    }
}

/// To two digits.
fn rounded_up(n: f64) -> usize {
    let unit = 10f64.powi((n.max(1.0).log10().floor() as i32 - 1).max(0));
    ((n / unit).ceil() * unit) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn interval(value: f64, low: f64, high: f64) -> Interval {
        Interval { value, low, high }
    }

    #[test]
    fn a_number_knows_its_direction() {
        let distance = Metric::lower("d", "", interval(30.0, 20.0, 40.0)).between(10.0, 110.0);
        assert_eq!(distance.places(), Some((80.0, 70.0, 90.0)));
        let share = Metric::higher("s", "", interval(0.75, 0.5, 1.0)).between(1.0, 0.5);
        assert_eq!(share.places(), Some((50.0, 0.0, 100.0)));
        // The wrong way round is no scale.
        assert_eq!(Metric::lower("d", "", 1.0).between(110.0, 10.0).places(), None);
        assert_eq!(Metric::lower("d", "", 1.0).between(1.0, 1.0).places(), None);
        assert_eq!(Metric::lower("d", "", 1.0).places(), None);
        assert_eq!(Metric::lower("d", "", f64::NAN).between(0.0, 1.0).places(), Some((0.0, 0.0, 0.0)));
    }

    #[test]
    fn what_fresh_real_data_may_get_is_as_good_as_real() {
        let auc = |value: f64| {
            let found = Metric::lower("AUC", "", value);
            found.between(interval(0.5, 0.4, 0.6), interval(0.9, 0.8, 1.0)).place(value)
        };
        assert_eq!(auc(0.58), Some(100.0));
        assert!((auc(0.75).unwrap() - 50.0).abs() < 1e-9);
    }

    #[test]
    fn overlapping_ends_measure_nothing_and_more_items_would() {
        let ends = |half: f64| {
            let floor = interval(0.7, 0.7 - half, 0.7 + half);
            Metric::lower("AUC", "", 0.6).between(interval(0.5, 0.5 - half, 0.5 + half), floor)
        };
        assert!(ends(0.09).place(0.6).is_some() && ends(0.11).place(0.6).is_none());
        assert_eq!(ends(0.2).would_do(24), Some(110));
        assert_eq!(Metric::lower("AUC", "", 0.6).between(0.5, 0.5).would_do(24), None);
    }

    #[test]
    fn what_is_worse_than_both_ends_needs_no_scale() {
        let found = |value: Interval| {
            let found = Metric::lower("AUC", "", value);
            found.between(interval(0.5, 0.3, 0.75), interval(0.84, 0.63, 0.99)).places()
        };
        assert_eq!(found(interval(1.0, 1.0, 1.0)), Some((0.0, 0.0, 0.0)));
        assert_eq!(found(interval(0.9, 0.85, 1.0)), None);
        let share = Metric::higher("s", "", interval(0.1, 0.05, 0.2));
        assert_eq!(
            share.between(interval(1.0, 0.9, 1.0), interval(0.95, 0.8, 1.0)).places().map(|p| p.0),
            Some(0.0)
        );
    }

    #[test]
    fn intervals_stay_within_what_a_number_can_be() {
        let share = Metric::higher("s", "", interval(0.99, 0.9, 1.04)).within(0.0, 1.0);
        assert_eq!((share.low, share.high), (0.9, 1.0));
    }
}
