//! Identifiers made afresh: unique, in the format of those seen, and none of them.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Texts,
    datetime::{self, Unit},
    pattern::{Pattern, below},
    schema::IdFormat,
};
use crate::Error;

/// Draws before the texts of a pattern are gone through in order.
const DRAWS: usize = 20;
/// Texts that are gone through at most, beside as many as are taken.
const TRIES: usize = 1000;

/// Makes identifiers of one column.
pub struct IdMaker {
    how: How,
    /// Those that are there already.
    taken: Texts,
    /// Hashes of those made by a pattern: millions of texts would take too much memory, and a chance hit only means
    /// another draw. Counters do not come back, and random UUIDs do not either.
    made: HashTable<u64>,
    /// Whole numbers that the column can hold.
    range: Option<(i128, i128)>,
}

enum How {
    Counter { prefix: String, width: usize, next: i64 },
    Uuid { upper: bool },
    Pattern { pattern: Pattern, count: u128 },
    Date(Dates),
    Reference,
}

impl IdMaker {
    /// Identifiers of this format other than those of `taken`; for [`IdFormat::Reference`] those of `taken`.
    pub fn new<'a>(format: &IdFormat, taken: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        let how = match format {
            IdFormat::Counter { prefix, width, next } => {
                How::Counter { prefix: prefix.clone(), width: usize::from(*width), next: *next }
            }
            IdFormat::Uuid { upper } => How::Uuid { upper: *upper },
            IdFormat::Pattern { regex } => {
                let pattern = Pattern::new(regex)?;
                How::Pattern { count: pattern.count(), pattern }
            }
            IdFormat::Date { pattern, first, last } => How::Date(Dates::new(pattern, *first, *last)),
            IdFormat::Reference => How::Reference,
        };
        let mut all = Texts::default();
        taken.for_each(|text| {
            all.insert(text);
        });
        Ok(Self { how, taken: all, made: HashTable::new(), range: None })
    }

    /// Only whole numbers from the first to the second one, where identifiers are whole numbers.
    #[must_use]
    pub fn within(self, range: Option<(i128, i128)>) -> Self {
        Self { range, ..self }
    }

    /// Never makes this one.
    pub fn take(&mut self, text: &str) {
        if matches!(self.how, How::Pattern { .. } | How::Date(_)) {
            note(&mut self.made, text);
        }
    }

    /// A new identifier; an error when there are no more.
    pub fn next(&mut self, random: &mut dyn FnMut() -> u64) -> Result<String, Error> {
        let (taken, made, range) = (&self.taken, &self.made, self.range);
        let free = |text: &String| {
            let hash = xxh3_64(text.as_bytes());
            range.is_none_or(|range| fits(text, range))
                && taken.find(text).is_none()
                && made.find(hash, |&other| other == hash).is_none()
        };
        let text = match &mut self.how {
            How::Counter { prefix, width, next } => {
                // Behind the largest number of the column's type come the gaps that are left.
                let past = |next: i64| range.is_some_and(|(_, high)| i128::from(next) > high);
                if prefix.is_empty() && past(*next) {
                    *next = range.map_or(1, |(low, _)| low.max(1) as i64);
                }
                let texts = std::iter::from_fn(|| {
                    let text = format!("{prefix}{next:0width$}");
                    *next = next.checked_add(1)?;
                    Some(text)
                });
                texts.take(taken.len() + 1).find(free)
            }
            How::Uuid { upper } => std::iter::repeat_with(|| uuid(random, *upper)).take(DRAWS).find(free),
            How::Pattern { pattern, count } => {
                let drawn = std::iter::repeat_with(|| pattern.draw(random)).take(DRAWS).find(free);
                let numbers = || range.map(|range| number(random, range));
                let drawn = drawn.or_else(|| std::iter::from_fn(numbers).take(DRAWS).find(free));
                drawn.or_else(|| {
                    let start = u128::from(random()) << 64 | u128::from(random());
                    let tries = (taken.len() as u128 * 2 + TRIES as u128).min(*count);
                    (0..tries).map(|i| pattern.nth((start % *count + i) % *count)).find(free)
                })
            }
            How::Date(dates) => {
                let drawn = std::iter::repeat_with(|| dates.draw(random)).take(DRAWS).find(free);
                drawn.or_else(|| dates.after(taken.len() + made.len()).find(free))
            }
            How::Reference if taken.is_empty() => None,
            How::Reference => return Ok(taken.get(below(random, taken.len()) as u32).to_owned()),
        };
        let text = text.ok_or_else(|| self.exhausted())?;
        self.take(&text);
        Ok(text)
    }

    fn exhausted(&self) -> Error {
        let taken = self.taken.len() + self.made.len();
        let (what, why) = match &self.how {
            How::Pattern { pattern, count } => (
                format!("identifiers like `{}`", pattern.nth(0)),
                format!("{taken} of {count} are taken, no other is left"),
            ),
            How::Reference => ("keys of another table".to_owned(), "none is known to choose from".to_owned()),
            How::Date(dates) => {
                (format!("dates like `{}`", dates.text(dates.last)), "none is left".to_owned())
            }
            How::Counter { .. } | How::Uuid { .. } => ("identifiers".to_owned(), "none is left".to_owned()),
        };
        Error::bad(what, why).with_hint("ask for fewer rows, or say another kind for the column")
    }
}

/// Adds the hash of a text.
fn note(made: &mut HashTable<u64>, text: &str) {
    let hash = xxh3_64(text.as_bytes());
    made.entry(hash, |&other| other == hash, |&other| other).or_insert(hash);
}

/// Whether a whole number lies in a range; what is none is not judged.
pub(super) fn fits(text: &str, (low, high): (i128, i128)) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than `i128` has are out of every range.
    !whole || text.parse::<i128>().is_ok_and(|number| (low..=high).contains(&number))
}

/// A whole number of a range, from 1 on where it has such.
fn number(random: &mut dyn FnMut() -> u64, (low, high): (i128, i128)) -> String {
    let low = low.max(1).min(high);
    let count = (high - low) as u128 + 1;
    let drawn = u128::from(random()) << 64 | u128::from(random());
    (low + (drawn % count) as i128).to_string()
}

/// Dates by the steps that their pattern shows: days, seconds, months.
struct Dates {
    pattern: String,
    unit: Unit,
    first: i64,
    last: i64,
    /// Steps after the last one that were gone through.
    passed: i64,
}

impl Dates {
    fn new(pattern: &str, first: i64, last: i64) -> Self {
        let unit = Unit::of(pattern);
        let (first, last) = (unit.steps(first), unit.steps(last));
        Self { pattern: pattern.to_owned(), unit, first, last: last.max(first), passed: 0 }
    }

    fn text(&self, step: i64) -> String {
        datetime::format(self.unit.micros(step), &self.pattern)
    }

    fn draw(&self, random: &mut dyn FnMut() -> u64) -> String {
        let all = self.last.abs_diff(self.first).saturating_add(1);
        self.text(self.first.saturating_add((random() % all) as i64))
    }

    /// What follows the last one, `taken` texts and one more. Times of day begin anew after midnight.
    fn after(&mut self, taken: usize) -> impl Iterator<Item = String> {
        (0..=taken).map(|_| {
            self.passed += 1;
            self.text(self.last.saturating_add(self.passed))
        })
    }
}

/// A random UUID, version 4.
fn uuid(random: &mut dyn FnMut() -> u64, upper: bool) -> String {
    let high = random() & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = random() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
    let (d, e) = (low >> 48, low & 0xffff_ffff_ffff);
    let text = format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}");
    if upper { text.to_uppercase() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    fn random() -> impl FnMut() -> u64 {
        let mut state = 7u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.rotate_left(32)
        }
    }

    fn make(format: &IdFormat, taken: &[&str], n: usize) -> Result<Vec<String>, Error> {
        let mut maker = IdMaker::new(format, taken.iter().copied())?;
        let mut random = random();
        (0..n).map(|_| maker.next(&mut random)).collect()
    }

    #[test]
    fn counters_go_on_and_keep_their_width() {
        let counter = IdFormat::Counter { prefix: "CUST-".into(), width: 6, next: 124 };
        assert_eq!(make(&counter, &["CUST-000125"], 2).unwrap(), ["CUST-000124", "CUST-000126"]);
        let last = IdFormat::Counter { prefix: String::new(), width: 0, next: i64::MAX };
        assert!(make(&last, &[], 1).is_err());
    }

    #[test]
    fn patterns_give_every_text_once_and_then_an_error() {
        let pattern = IdFormat::Pattern { regex: "[A-C][0-9]{2}".into() };
        let all = make(&pattern, &["A07", "C99"], 298).unwrap();
        let different: HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), 298);
        assert!(!all.contains(&"A07".to_owned()));
        let error = make(&pattern, &["A07", "C99"], 299).unwrap_err();
        assert_eq!(error.to_string(), "identifiers like `A00`: 300 of 300 are taken, no other is left");
    }

    #[test]
    fn numbers_stay_within_the_type_of_their_column() {
        let within = |format: &IdFormat, taken: &[&str], range: (i128, i128), n: usize| {
            let mut maker = IdMaker::new(format, taken.iter().copied()).unwrap().within(Some(range));
            let mut random = random();
            (0..n).map(|_| maker.next(&mut random)).collect::<Result<Vec<_>, _>>()
        };
        let hashes = IdFormat::Pattern { regex: "[0-9]{20}".into() };
        let largest = i128::from(i64::MAX);
        let made = within(&hashes, &[], (-largest - 1, largest), 2000).unwrap();
        assert!(made.iter().all(|id| id.parse::<i64>().is_ok()));
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 2000);
        // Behind the largest number come the gaps.
        let counter = IdFormat::Counter { prefix: String::new(), width: 0, next: 32_767 };
        let made = within(&counter, &["1", "3"], (-32_768, 32_767), 4).unwrap();
        assert_eq!(made, ["32767", "2", "4", "5"]);
        assert!(within(&counter, &["1", "2"], (0, 2), 1).is_err());
    }

    #[test]
    fn dates_are_free_ones_within_the_range_and_then_those_after_it() {
        let day = 86_400_000_000;
        let format = IdFormat::Date { pattern: "%d.%m.%Y".into(), first: 0, last: 30 * day };
        let all = make(&format, &["05.01.1970"], 60).unwrap();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 60);
        let dated: Vec<i64> =
            all.iter().map(|text| datetime::parse(text, "%d.%m.%Y").unwrap() / day).collect();
        assert!(!dated.contains(&4) && dated.iter().all(|day| (0..62).contains(day)), "{dated:?}");
        assert!(dated[..20].iter().all(|day| *day <= 31), "{dated:?}");
        let times = IdFormat::Date { pattern: "%H:%M".into(), first: 0, last: 3_600_000_000 };
        assert_eq!(make(&times, &[], 1440).unwrap().len(), 1440);
        assert!(make(&times, &[], 1441).is_err());
    }

    #[test]
    fn uuids_are_of_version_4() {
        let all = make(&IdFormat::Uuid { upper: true }, &[], 100).unwrap();
        assert!(all.iter().all(|id| id.len() == 36 && &id[14..15] == "4" && "89AB".contains(&id[19..20])));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 100);
    }

    #[test]
    fn references_are_those_seen() {
        let all = make(&IdFormat::Reference, &["7", "9"], 50).unwrap();
        assert!(all.iter().all(|id| id == "7" || id == "9"));
        assert!(make(&IdFormat::Reference, &[], 1).is_err());
    }
}
