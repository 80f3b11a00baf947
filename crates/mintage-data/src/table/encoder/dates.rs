//! Dates in parts: a bin of days, the day of the week, a bin of the time of day.
//!
//! Quantiles alone would lose what calendars are about: shops closed on Sundays, calls at noon. The second
//! and third field exist where the training dates differ in them.

use serde::{Deserialize, Serialize};

use super::{
    bins::{self, BINS, Bin, ROWS_A_BIN, check_bins, check_count, cut},
    places::ColumnPlaces,
};
use crate::table::datetime::{self, common};

const DAY: f64 = 86_400e6;
/// No calendar has a day further from 1970: 270,000 years.
const LAST_DAY: f64 = 1e8;
/// Bins of the time of day: quarters of an hour, where the data are fine enough.
const TIMES: usize = 96;

/// Microseconds since 1970 in up to three fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dates {
    /// Bins of whole days.
    days: Vec<Bin>,
    /// Whether the day of the week is a field: not when all dates fall on one.
    weekdays: bool,
    /// Bins of microseconds within a day; a field when there is more than one.
    times: Vec<Bin>,
    /// Microseconds of which all times of day are multiples; 0 where that is not known.
    #[serde(default)]
    grid: i64,
    /// Texts that are no date.
    pub rest: Vec<Option<String>>,
    /// Zones, where each date has one of its own; a field when there is more than one.
    #[serde(default)]
    pub zones: Vec<String>,
}

impl Dates {
    /// Of distinct ascending values with their counts, in fields of `room` tokens at most.
    pub fn fit(values: &[(f64, u32)], rest: Vec<Option<String>>, room: usize) -> Self {
        let rows: usize = values.iter().map(|v| v.1 as usize).sum();
        let days = cut(&summed(values, |v| (v / DAY).floor()), BINS.min(room).min(rows / ROWS_A_BIN).max(1));
        let times = summed(values, time);
        let first = weekday((values[0].0 / DAY).floor());
        Self {
            days,
            weekdays: values.iter().any(|v| weekday((v.0 / DAY).floor()) != first),
            grid: times.iter().fold(0, |grid, time| common(grid, time.0 as i64)),
            times: cut(&times, TIMES.min(room)),
            rest,
            zones: Vec::new(),
        }
    }

    /// Checks bins that may come from a file.
    ///
    /// # Errors
    /// There are no bins, they do not ascend or are out of range, the grid is longer than a day, or there are too many
    /// tokens.
    pub fn check(&self) -> Result<(), String> {
        check_bins(&self.days, |day| day.abs() <= LAST_DAY)?;
        check_bins(&self.times, |time| (0.0..=DAY).contains(&time))?;
        if !(0..=DAY as i64).contains(&self.grid) {
            return Err("has times of day in steps that no day has".to_owned());
        }
        check_count(self.days.len() + self.rest.len())
    }

    /// Tokens of each field.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![self.days.len() + self.rest.len()];
        if self.weekdays {
            sizes.push(7);
        }
        if self.times.len() > 1 {
            sizes.push(self.times.len());
        }
        if self.zones.len() > 1 {
            sizes.push(self.zones.len());
        }
        sizes
    }

    /// Whether each field is ordinal: neither the day of the week nor the zone is.
    pub fn ordinal(&self) -> Vec<bool> {
        let mut ordinal = vec![true; self.sizes().len()];
        if self.weekdays {
            ordinal[1] = false;
        }
        if self.zones.len() > 1
            && let Some(last) = ordinal.last_mut()
        {
            *last = false;
        }
        ordinal
    }

    /// The zone of a row's tokens.
    pub fn zone(&self, tokens: &[u16]) -> &str {
        let chosen = tokens.last().filter(|_| self.zones.len() > 1).map_or(0, |&token| usize::from(token));
        self.zones.get(chosen).map_or("", String::as_str)
    }

    /// For each bin of days whether it reaches into a range of dates.
    pub fn allowed(&self, between: Option<(f64, f64)>) -> impl Iterator<Item = bool> {
        let days = between.map(|(from, to)| ((from / DAY).floor(), (to / DAY).floor()));
        self.days.iter().map(move |bin| days.is_some_and(|(first, last)| reaches(bin, first, last)))
    }

    /// For each token of the fields after the first whether it is among the dates of a range; nothing for a field of
    /// which all may be. A range of a few days leaves few days of the week, one within a day few times.
    pub fn allowed_parts(&self, between: Option<(f64, f64)>) -> Vec<Option<Vec<bool>>> {
        let mut parts = vec![None; self.sizes().len() - 1];
        let (Some((from, to)), Some(first), Some(last)) = (between, self.days.first(), self.days.last())
        else {
            return parts;
        };
        let (first, last) = ((from / DAY).floor().max(first.low()), (to / DAY).floor().min(last.high()));
        let mut at = 0;
        if self.weekdays {
            if last - first < 6.0 {
                let days: Vec<usize> = (0..7)
                    .map(|ahead| first + f64::from(ahead))
                    .filter(|day| *day <= last)
                    .map(weekday)
                    .collect();
                parts[at] = Some((0..7).map(|day| days.contains(&day)).collect());
            }
            at += 1;
        }
        if self.times.len() > 1 && first == last {
            let (from, to) = (from - first * DAY, to - first * DAY);
            parts[at] = Some(self.times.iter().map(|bin| reaches(bin, from, to)).collect());
        }
        // Where there is nothing a value is drawn from the range itself.
        parts
            .iter_mut()
            .filter(|part| part.as_ref().is_some_and(|part| !part.contains(&true)))
            .for_each(|part| *part = None);
        parts
    }

    /// The first and the last day of each bin.
    pub fn landmarks(&self) -> Vec<f64> {
        self.days.iter().flat_map(|bin| [bin.low() * DAY, bin.high() * DAY]).collect()
    }

    /// The first and the last day.
    pub fn range(&self) -> Option<(f64, f64)> {
        Some((self.days.first()?.low() * DAY, self.days.last()?.high() * DAY))
    }

    /// Tokens of a cell; `None` for a text that is not known.
    pub fn tokens(&self, number: Option<f64>, text: Option<&str>) -> Option<Vec<u16>> {
        let Some(number) = number else {
            let at = self.rest.iter().position(|rest| rest.as_deref() == text)?;
            let mut tokens = vec![0; self.sizes().len()];
            tokens[0] = (self.days.len() + at) as u16;
            return Some(tokens);
        };
        let day = (number / DAY).floor();
        let mut tokens = vec![bins::find(&self.days, day) as u16];
        if self.weekdays {
            tokens.push(weekday(day) as u16);
        }
        if self.times.len() > 1 {
            tokens.push(bins::find(&self.times, time(number)) as u16);
        }
        if self.zones.len() > 1 {
            let zone = datetime::zone(text.unwrap_or_default());
            tokens.push(self.zones.iter().position(|other| other == zone).unwrap_or(0) as u16);
        }
        Some(tokens)
    }

    /// The text of a row's tokens that stand for no date.
    pub fn apart(&self, tokens: &[u16]) -> Option<&str> {
        self.rest[tokens[0] as usize - self.days.len()].as_deref()
    }

    /// The date of a row's tokens as a number.
    ///
    /// # Errors
    /// The tokens stand for a text that is not a date, or for a missing value (`None`).
    pub fn number(
        &self,
        tokens: &[u16],
        between: Option<(f64, f64)>,
        places: &mut ColumnPlaces,
    ) -> Result<f64, Option<&str>> {
        let Some(bin) = self.days.get(tokens[0] as usize) else { return Err(self.apart(tokens)) };
        let mut rest = tokens[1..].iter();
        let days = between.map(|(from, to)| ((from / DAY).floor(), (to / DAY).floor()));
        let mut day = places.number(tokens[0] as usize, bin, days).round();
        if self.weekdays {
            let wanted = rest.next().map_or(0, |&token| token as usize);
            let (first, last) = days.unwrap_or((bin.low(), bin.high()));
            day = on_weekday(day, wanted, (bin.low().max(first), bin.high().min(last)));
        }
        let time = rest.next().filter(|_| self.times.len() > 1).map_or(0, |&token| token as usize);
        let within = between.map(|(from, to)| ((from - day * DAY).max(0.0), (to - day * DAY).min(DAY - 1.0)));
        let number = day * DAY + self.time(time, within, places);
        Ok(between.map_or(number, |(from, to)| number.clamp(from, to)))
    }

    /// A time of day of the bin `at`, of the part that lies between two times where they are given. The smaller that part,
    /// the more often one of all times between them takes its place: a bin that only touches the range would put all of
    /// its times on the bound.
    fn time(&self, at: usize, within: Option<(f64, f64)>, places: &mut ColumnPlaces) -> f64 {
        let own = &self.times[at];
        let Some((from, to)) = within else {
            // Bins of times come after those of days.
            return self.on_grid(places.number(self.days.len() + at, own, None));
        };
        let bin = match places.uniform() < own.share(from, to) {
            true => Some(own),
            false => {
                let shares: Vec<f64> = self.times.iter().map(|bin| bin.share(from, to)).collect();
                let mut left = places.uniform() * shares.iter().sum::<f64>();
                let chosen = shares.iter().position(|share| {
                    left -= share;
                    left < 0.0
                });
                chosen.map(|at| &self.times[at])
            }
        };
        let time = match bin {
            Some(bin) => bin.between(places.uniform(), within),
            None => from + places.uniform() * (to - from),
        };
        let (time, grid) = (self.on_grid(time), self.grid.max(1) as f64);
        match () {
            () if time < from => time + grid,
            () if time > to => time - grid,
            () => time,
        }
    }

    /// The time of day on the grid that is nearest to `time`: each quarter of an hour, each minute.
    fn on_grid(&self, time: f64) -> f64 {
        let grid = self.grid.max(1) as f64;
        let last = (DAY / grid).ceil() - 1.0;
        (time / grid).round().min(last) * grid
    }

    /// The numbers that [`number`](Self::number) takes, such that it gives `number`.
    pub fn positions(&self, number: f64) -> Vec<f64> {
        let day = (number / DAY).floor();
        let time = time(number);
        vec![
            self.days[bins::find(&self.days, day)].position(day),
            self.times[bins::find(&self.times, time)].position(time),
        ]
    }
}

/// Whether some of a bin lies between two numbers.
fn reaches(bin: &Bin, low: f64, high: f64) -> bool {
    bin.high() >= low && bin.low() <= high
}

/// The day nearest to `day` that is on that day of the week, from the first to the last one where there is one.
fn on_weekday(day: f64, wanted: usize, (first, last): (f64, f64)) -> f64 {
    let ahead = (wanted as i64 - weekday(day) as i64).rem_euclid(7) as f64;
    let (after, before) = (day + ahead, day + ahead - 7.0);
    let inside = |day: f64| first <= day && day <= last;
    match (inside(before), inside(after)) {
        _ if ahead == 0.0 => day,
        (true, true) => {
            if ahead <= 3.0 {
                after
            } else {
                before
            }
        }
        (true, false) => before,
        (false, true) => after,
        // There is no such day.
        (false, false) => day,
    }
}

/// Monday is 0; day 0, the first of January 1970, was a Thursday.
fn weekday(day: f64) -> usize {
    (day as i64 + 3).rem_euclid(7) as usize
}

fn time(value: f64) -> f64 {
    value.rem_euclid(DAY)
}

/// Ascending values of `of`, with their counts.
fn summed(values: &[(f64, u32)], of: impl Fn(f64) -> f64) -> Vec<(f64, u32)> {
    let mut all: Vec<(f64, u32)> = values.iter().map(|&(value, count)| (of(value), count)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::encoder::{Places, Uniform};

    fn number<'a>(
        dates: &'a Dates,
        tokens: &[u16],
        between: Option<(f64, f64)>,
        uniform: &mut Uniform,
    ) -> Result<f64, Option<&'a str>> {
        dates.number(tokens, between, &mut Places::given(uniform).of(0))
    }

    #[test]
    fn weekdays_and_times_survive() {
        // Mondays to Fridays of three years, at nine or noon.
        let value = |i: u32| {
            f64::from(i / 5 * 7 + 4 + i % 5) * DAY + if i.is_multiple_of(2) { 9.0 } else { 12.0 } * 3600e6
        };
        let values: Vec<(f64, u32)> = (0..780).map(|i| (value(i), 1)).collect();
        let dates = Dates::fit(&values, vec![None], BINS);
        assert_eq!(dates.sizes().len(), 3);
        for &(value, _) in &values {
            let tokens = dates.tokens(Some(value), Some("")).unwrap_or_default();
            let mut positions = dates.positions(value).into_iter();
            assert_eq!(number(&dates, &tokens, None, &mut || positions.next().unwrap_or(0.0)), Ok(value));
            for u in [0.0, 0.3, 0.9] {
                let new = number(&dates, &tokens, None, &mut || u).unwrap_or(0.0);
                assert_eq!(weekday((new / DAY).floor()), tokens[1] as usize);
            }
        }
        let tokens = dates.tokens(None, None).unwrap_or_default();
        assert_eq!(number(&dates, &tokens, None, &mut || 0.5), Err(None));
    }

    #[test]
    fn ranges_are_filled_and_not_their_bounds() {
        let minute = 60e6;
        let values: Vec<(f64, u32)> = (0..1440).map(|i| (f64::from(i) * minute, 1)).collect();
        let dates = Dates::fit(&values, Vec::new(), BINS);
        let range = Some((1320.0 * minute, 1410.0 * minute));
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        // Whatever the model chose.
        let tokens = |time: u16| [0, time];
        let made: Vec<f64> = (0..400)
            .map(|i| number(&dates, &tokens(i % 90), range, &mut uniform).unwrap_or(0.0) / minute)
            .collect();
        assert!(made.iter().all(|time| (1320.0..=1410.0).contains(time) && time.fract() == 0.0), "{made:?}");
        for bound in [1320.0, 1410.0] {
            assert!(made.iter().filter(|time| **time == bound).count() < 20, "{bound}: {made:?}");
        }
        for from in [1320.0, 1350.0, 1380.0] {
            let there = made.iter().filter(|time| (from..from + 30.0).contains(*time)).count();
            assert!((60..240).contains(&there), "{there} from {from}");
        }
        let allowed = dates.allowed_parts(range)[0].clone().unwrap_or_default();
        assert!((6..=8).contains(&allowed.iter().filter(|may| **may).count()), "{allowed:?}");
        assert_eq!(dates.allowed_parts(None), [None]);
    }

    #[test]
    fn times_of_day_keep_their_grid() {
        let minute = 60e6;
        let values: Vec<(f64, u32)> = (0..2880).map(|i| (f64::from(i) * minute, 1)).collect();
        let dates = Dates::fit(&values, Vec::new(), BINS);
        assert!(dates.times.len() < 1440);
        for (i, (value, _)) in values.iter().enumerate() {
            let tokens = dates.tokens(Some(*value), None).unwrap_or_default();
            let new = number(&dates, &tokens, None, &mut || i as f64 / 2880.0).unwrap_or(0.5);
            assert_eq!(new % minute, 0.0);
            let mut positions = dates.positions(*value).into_iter();
            assert_eq!(number(&dates, &tokens, None, &mut || positions.next().unwrap_or(0.0)), Ok(*value));
        }
    }
}
