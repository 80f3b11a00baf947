//! Dates and times among the values of a column.

use std::collections::{BTreeMap, BTreeSet};

use super::{Guess, MAX_ODD_TEXTS, MIN_VALUES, Profile, Value, many};
use crate::table::{
    datetime,
    schema::{
        Cause, Format, IdFormat, Kind,
        phrases::{examples, percent, rows},
        spellings::{self, Hint},
        typed,
    },
    values,
};

/// Different months, or hours, that dates of six digits and times of four have at least; a value by whose name it is a time
/// needs no more values either. Others need more than the second number of them.
const FEW_TIMES: usize = 4;
const TELLING_TIMES: usize = 30;
/// Cards expire within so many years.
const MAX_EXPIRY_YEARS: usize = 40;

impl<'a> Profile<'a> {
    /// The pattern that most values follow, with those that do not.
    pub fn date_pattern(&self) -> Option<(datetime::Found, Vec<Value<'a>>)> {
        let texts = self.texts();
        let found = datetime::detect(texts.iter().copied())?;
        if found.hits == texts.len() {
            return Some((found, Vec::new()));
        }
        let exact = |text| {
            datetime::parse(text, &found.pattern)
                .is_some_and(|at| datetime::format(at, &found.pattern) == text)
        };
        let rest = self.values.iter().copied().filter(|v| !exact(v.0)).collect();
        Some((found, rest))
    }

    pub(super) fn dates(&self) -> Option<Guess> {
        let time = spellings::hint(&self.column.name) == Some(Hint::Time);
        if let Some(guess) = self.seconds(time) {
            return Some(guess);
        }
        let (found, odd) = self.calendar(time)?;
        // Durations of which few are longer than a day.
        if !odd.is_empty() && typed::recognise(&self.texts()).is_some() {
            return None;
        }
        let off: usize = odd.iter().map(|v| v.1 as usize).sum();
        let outside = self.outside_calendar(&odd);
        if self.few(&odd) || outside && off * 10 <= self.present && odd.len() <= MAX_ODD_TEXTS {
            return Some(self.datetime(&found, &odd));
        }
        let mut guess = self.words();
        guess.alerts.push(match outside {
            true => {
                let message = "the column is no date column, since no calendar has these dates";
                (Cause::Calendar, format!("{message} ({}): {}", rows(off), examples(&odd)))
            }
            false => {
                let others = format!(
                    "{} are dates, {} no such dates",
                    percent(self.present - off, self.present),
                    rows(off)
                );
                (Cause::Mixed, format!("{others}: {}", examples(&odd)))
            }
        });
        Some(guess)
    }

    /// The pattern of most values; not where it is one of digits alone and they may as well be numbers.
    fn calendar(&self, time: bool) -> Option<(datetime::Found, Vec<Value<'a>>)> {
        let (found, odd) = self.date_pattern()?;
        let packed = ["%Y%m%d", "%Y%m%d%H%M%S"].contains(&found.pattern.as_str());
        let dated = self
            .texts()
            .iter()
            .filter_map(|text| datetime::parse(text, &found.pattern))
            .all(datetime::plausible);
        let doubtful = packed && (!odd.is_empty() || !dated || !time && self.values.len() < MIN_VALUES);
        // "2022-025" in each row another is rather the number of a bill.
        let bill = found.pattern == datetime::DAY_OF_YEAR && !time && self.nearly_unique();
        let credible = self.is_credible(&found, &odd);
        (!doubtful && !bill && credible).then_some((found, odd))
    }

    /// Whether a pattern that numbers, codes and fractions follow as well is one of dates: all values follow it, more of
    /// them, and spread wider, than numbers and codes do by chance.
    pub(super) fn is_credible(&self, found: &datetime::Found, odd: &[Value]) -> bool {
        let pattern = found.pattern.as_str();
        let short = [datetime::SHORT_DATE, datetime::SHORT_TIME].contains(&pattern);
        if !short && !datetime::EXPIRY.contains(&pattern) {
            return true;
        }
        let different = |shown: &str| {
            let times = self.values.iter().filter_map(|v| datetime::parse(v.0, pattern));
            times.map(|time| datetime::format(time, shown)).collect::<BTreeSet<_>>().len()
        };
        let time = spellings::hint(&self.column.name) == Some(Hint::Time);
        let enough = self.values.len() >= if time { FEW_TIMES } else { MIN_VALUES };
        let spread = match pattern {
            // A number in a row has a month to itself.
            datetime::SHORT_DATE => different("%Y-%m") >= FEW_TIMES,
            datetime::SHORT_TIME => {
                let zeros = self.values.iter().any(|v| v.0.starts_with('0'));
                zeros && different("%H") >= FEW_TIMES && (time || self.values.len() > TELLING_TIMES)
            }
            // "7/10" and "9/10" are marks.
            _ => (2..=MAX_EXPIRY_YEARS).contains(&different("%Y")),
        };
        odd.is_empty() && enough && spread
    }

    /// How new dates are made where each must be another: between the first and the last one.
    pub(super) fn date_ids(&self) -> Option<IdFormat> {
        let time = spellings::hint(&self.column.name) == Some(Hint::Time);
        let (found, odd) = self.calendar(time)?;
        let fits = self.few(&odd) || self.outside_calendar(&odd);
        let times = || self.values.iter().filter_map(|v| datetime::parse(v.0, &found.pattern));
        let (first, last) = (times().min()?, times().max()?);
        // New ones are all in the most frequent zone.
        let zones = self.zones(&Format::Datetime { pattern: found.pattern.clone() });
        let pattern = datetime::in_zone(&found.pattern, zones.first().map_or("", String::as_str));
        let unit = datetime::Unit::of(&pattern);
        let apart = |time| unit.steps(time) - unit.steps(first);
        let step = times().fold(0, |step, time| datetime::common(step, apart(time)));
        fits.then_some(IdFormat::Date { pattern, first, last, step })
    }

    /// Whether all of `odd` are written like the dates, and are none.
    fn outside_calendar(&self, odd: &[Value]) -> bool {
        let like = self.values.iter().find(|v| !odd.contains(v)).map_or("", |v| v.0);
        odd.iter().all(|v| datetime::same_shape(v.0, like))
    }

    /// Dates, with values of their own beside them.
    pub fn datetime(&self, found: &datetime::Found, odd: &[Value]) -> Guess {
        let time = |text| datetime::parse(text, &found.pattern).unwrap_or_default();
        let dates = self.values.iter().filter(|v| !odd.contains(v));
        let mut times: Vec<(i64, &str)> = dates.map(|v| (time(v.0), v.0)).collect();
        times.sort_unstable();
        let (first, last) = (times.first().map_or("", |t| t.1), times.last().map_or("", |t| t.1));
        let guess = if found.ambiguous { "; which number is the day is a guess" } else { "" };
        let reason = format!(
            "{} from {first} to {last}, written {}{guess}",
            many(times.len(), "dates"),
            found.pattern
        );
        let format = Format::Datetime { pattern: found.pattern.clone() };
        let mut guess = Guess::new(Kind::Datetime, format, reason);
        let (cause, what) = match self.outside_calendar(odd) {
            true => (Cause::Calendar, "a date that no calendar has"),
            false => (Cause::Mixed, "no date"),
        };
        guess.set_odd(odd, cause, what);
        guess
    }

    /// The zones of dates that have one each, the most frequent first.
    pub(super) fn zones(&self, format: &Format) -> Vec<String> {
        let Format::Datetime { pattern } = format else { return Vec::new() };
        if !datetime::has_zones(pattern) {
            return Vec::new();
        }
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for (text, n) in self.values.iter().filter(|v| datetime::parse(v.0, pattern).is_some()) {
            *counts.entry(datetime::zone(text)).or_default() += n;
        }
        let mut zones: Vec<(&str, u32)> = counts.into_iter().collect();
        zones.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
        zones.into_iter().map(|zone| zone.0.to_owned()).collect()
    }

    /// Seconds since 1970, where the name speaks of time.
    fn seconds(&self, time: bool) -> Option<Guess> {
        const YEAR_2001: f64 = 1e9;
        const YEAR_2096: f64 = 4e9;
        let seconds = |v: &Value| {
            values::parse(v.0, '.')
                .is_some_and(|n| (YEAR_2001..YEAR_2096).contains(&n) && n.fract() == 0.0 && v.0.len() == 10)
        };
        let all = time && self.values.iter().all(seconds);
        all.then(|| {
            let found = datetime::Found { pattern: "%s".into(), hits: self.values.len(), ambiguous: false };
            self.datetime(&found, &[])
        })
    }
}
