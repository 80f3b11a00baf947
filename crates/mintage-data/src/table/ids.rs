//! Identifiers made afresh: unique, in the format of those seen, and none of them.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Texts,
    check_digits::CheckDigits,
    datetime::{self, Unit},
    fresh::{Known, TextMaker},
    pattern::{Pattern, below},
    schema::IdFormat,
};
use crate::Error;

/// Draws before the texts of a pattern are gone through in order.
const MAX_DRAWS: usize = 20;
/// Texts that are gone through at most, beside as many as are taken.
const MAX_WALK_TEXTS: usize = 1000;

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
    /// Whether texts may come twice where no other is found.
    repeats: bool,
}

enum How {
    Counter { prefix: String, width: usize, next: i64, gaps: Vec<i64> },
    Number { low: i128, count: u128, known: Known },
    Free(FreeNumbers),
    Uuid { upper: bool },
    Date(Dates),
    Pattern { pattern: Box<Pattern>, count: u128, check: Option<CheckDigits>, known: Known },
    Text(Box<TextMaker>),
    Empty { filler: String },
    Reference,
}

impl IdMaker {
    /// A maker of identifiers in this format other than those of `taken`; for [`IdFormat::Reference`] it draws from
    /// `taken`.
    ///
    /// # Errors
    /// The pattern of the format is not a regular expression.
    pub fn new<'a>(format: &IdFormat, taken: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        let pattern = |regex: &str, check: Option<CheckDigits>, known: &Known| {
            let pattern = Box::new(Pattern::new(regex)?);
            Ok(How::Pattern { count: pattern.count(), pattern, check, known: known.clone() })
        };
        let how = match format {
            IdFormat::Counter { prefix, width, next, gaps } => How::Counter {
                prefix: prefix.clone(),
                width: usize::from(*width),
                next: *next,
                gaps: gaps.iter().copied().filter(|gap| *gap > 0).collect(),
            },
            IdFormat::Number { low, span, known } => {
                How::Number { low: i128::from(*low), count: u128::from(*span) + 1, known: known.clone() }
            }
            IdFormat::Free { prefix, width, low, high, known } => How::Free(FreeNumbers {
                prefix: prefix.clone(),
                width: usize::from(*width),
                low: *low,
                high: *high,
                known: known.clone(),
                next: *low,
            }),
            IdFormat::Uuid { upper } => How::Uuid { upper: *upper },
            IdFormat::Date { pattern, first, last, step } => {
                How::Date(Dates::new(pattern, (*first, *last), *step))
            }
            IdFormat::Pattern { regex } => pattern(regex, None, &Known::default())?,
            IdFormat::Code { regex, check, known } => pattern(regex, *check, known)?,
            IdFormat::Text { maker } => How::Text(maker.clone()),
            IdFormat::Empty { filler } => How::Empty { filler: filler.clone() },
            IdFormat::Reference => How::Reference,
        };
        let mut all = Texts::default();
        taken.for_each(|text| {
            all.insert(text);
        });
        Ok(Self { how, taken: all, made: HashTable::new(), range: None, repeats: false })
    }

    /// Only whole numbers from the first to the second one, where identifiers are whole numbers.
    #[must_use]
    pub fn within(self, range: Option<(i128, i128)>) -> Self {
        Self { range, ..self }
    }

    /// Never makes this one.
    pub fn take(&mut self, text: &str) {
        if self.how.is_drawn() {
            note(&mut self.made, text);
        }
    }

    /// The same for a column whose values need not differ.
    #[must_use]
    pub fn repeating(mut self, repeats: bool) -> Self {
        self.repeats = repeats;
        self
    }

    /// What stands in a cell that may not be empty, where values are left empty; nothing where any text will do.
    pub fn filler(&self) -> Option<&str> {
        match &self.how {
            How::Empty { filler } if !filler.is_empty() => Some(filler),
            _ => None,
        }
    }

    /// Makes a new cell: an identifier, or nothing where values are left empty or no other text can be made.
    ///
    /// # Errors
    /// No more identifiers can be made in this format.
    pub fn next_cell(&mut self, random: &mut dyn FnMut() -> u64) -> Result<Option<String>, Error> {
        match &self.how {
            How::Empty { .. } => Ok(None),
            How::Text(maker) if self.repeats => {
                let free = |text: &String| {
                    let hash = xxh3_64(text.as_bytes());
                    self.taken.find(text).is_none() && self.made.find(hash, |&other| other == hash).is_none()
                };
                let text = made_by(maker, random, free).or_else(|| maker.make(random));
                if let Some(text) = &text {
                    note(&mut self.made, text);
                }
                Ok(text)
            }
            _ => self.next(random).map(Some),
        }
    }

    /// Makes a new identifier.
    ///
    /// # Errors
    /// No more identifiers can be made in this format.
    pub fn next(&mut self, random: &mut dyn FnMut() -> u64) -> Result<String, Error> {
        let (taken, made, range) = (&self.taken, &self.made, self.range);
        let free = |text: &String| {
            let hash = xxh3_64(text.as_bytes());
            range.is_none_or(|range| fits(text, range))
                && taken.find(text).is_none()
                && made.find(hash, |&other| other == hash).is_none()
        };
        let text = match &mut self.how {
            How::Counter { prefix, width, next, gaps } => {
                // Behind the largest number of the column's type come the gaps that are left.
                let past = |next: i64| range.is_some_and(|(_, high)| i128::from(next) > high);
                if prefix.is_empty() && past(*next) {
                    *next = range.map_or(1, |(low, _)| low.max(1) as i64);
                }
                let texts = std::iter::from_fn(|| {
                    let text = format!("{prefix}{next:0width$}");
                    let gap = if gaps.is_empty() { 1 } else { gaps[below(random, gaps.len())] };
                    *next = next.checked_add(gap)?;
                    Some(text)
                });
                texts.take(taken.len() + 1).find(free)
            }
            How::Number { low, count, known } => {
                let texts = texts(random, *count, taken.len(), |at| Some((*low + at as i128).to_string()));
                texts.filter(|text| !known.may_hold(text)).find(free)
            }
            How::Free(numbers) => numbers.draw(random, free).or_else(|| numbers.go_on(taken.len(), free)),
            How::Uuid { upper } => std::iter::repeat_with(|| uuid(random, *upper)).take(MAX_DRAWS).find(free),
            How::Pattern { pattern, count, check, known } => {
                let check = *check;
                let checked = move |text: String| match check {
                    Some(check) => check.put(&text),
                    None => Some(text),
                };
                let drawn =
                    std::iter::repeat_with(|| pattern.draw(random)).take(MAX_DRAWS).filter_map(checked);
                let drawn = drawn.filter(|text| !known.may_hold(text)).find(free);
                let numbers = || range.map(|range| number(random, range));
                let drawn = drawn.or_else(|| std::iter::from_fn(numbers).take(MAX_DRAWS).find(free));
                drawn.or_else(|| {
                    let texts = texts(random, *count, taken.len(), |at| checked(pattern.nth(at)));
                    texts.filter(|text| !known.may_hold(text)).find(free)
                })
            }
            How::Date(dates) => {
                let drawn = std::iter::repeat_with(|| dates.draw(random)).take(MAX_DRAWS).find(free);
                drawn.or_else(|| dates.after(taken.len() + made.len()).find(free))
            }
            How::Text(maker) => made_by(maker, random, free),
            How::Empty { .. } => None,
            How::Reference if taken.is_empty() => None,
            How::Reference => return Ok(taken.get(below(random, taken.len()) as u32).to_owned()),
        };
        let text = match (text, &self.how) {
            (Some(text), _) => text,
            // Codes of which some came twice may come twice.
            (None, How::Pattern { pattern, check, known, .. }) if self.repeats => {
                let checked = |text: String| check.map_or(Some(text.clone()), |check| check.put(&text));
                let drawn =
                    std::iter::repeat_with(|| pattern.draw(random)).take(MAX_WALK_TEXTS).filter_map(checked);
                let mut unknown =
                    drawn.filter(|text| range.is_none_or(|range| fits(text, range)) && !known.may_hold(text));
                unknown.next().ok_or_else(|| self.exhausted())?
            }
            (None, _) => return Err(self.exhausted()),
        };
        self.take(&text);
        Ok(text)
    }

    fn exhausted(&self) -> Error {
        let taken = self.taken.len() + self.made.len();
        let (what, why) = match &self.how {
            How::Pattern { pattern, count, .. } => (
                format!("identifiers like `{}`", pattern.nth(0)),
                format!("{taken} of {count} are taken, no other is left"),
            ),
            How::Number { low, count, .. } => (
                format!("identifiers from {low} to {}", low + *count as i128 - 1),
                format!("{taken} are taken, and no other is left that is none of the source"),
            ),
            How::Reference => ("keys of another table".to_owned(), "none is known to choose from".to_owned()),
            How::Date(dates) => {
                (format!("dates like `{}`", dates.text(dates.last)), "none is left".to_owned())
            }
            How::Text(_) => ("texts that all differ".to_owned(), format!("no other than {taken} is found")),
            How::Counter { .. } | How::Free(_) | How::Uuid { .. } | How::Empty { .. } => {
                ("identifiers".to_owned(), "none is left".to_owned())
            }
        };
        Error::bad(what, why).with_hint("ask for fewer rows, or say another kind for the column")
    }
}

impl How {
    /// Whether what was made before may be made again.
    fn is_drawn(&self) -> bool {
        matches!(
            self,
            Self::Pattern { .. } | Self::Number { .. } | Self::Free(_) | Self::Date(_) | Self::Text(_)
        )
    }
}

/// Numbers of so many digits that are free.
struct FreeNumbers {
    prefix: String,
    width: usize,
    low: i64,
    high: i64,
    known: Known,
    /// Below it none is left, up to `high`.
    next: i64,
}

impl FreeNumbers {
    fn text(&self, number: i64) -> String {
        format!("{}{number:0width$}", self.prefix, width = self.width)
    }

    /// One of all, as long as not nearly all are gone.
    fn draw(&self, random: &mut dyn FnMut() -> u64, free: impl Fn(&String) -> bool) -> Option<String> {
        let all = self.high.saturating_sub(self.low).max(0).unsigned_abs().saturating_add(1);
        let drawn = std::iter::repeat_with(|| self.text(self.low.saturating_add((random() % all) as i64)));
        let drawn = drawn.take(if self.next > self.high { 0 } else { MAX_DRAWS });
        drawn.filter(|text| !self.known.may_hold(text)).find(free)
    }

    /// The next one that is free, or that is above all with these digits.
    fn go_on(&mut self, taken: usize, free: impl Fn(&String) -> bool) -> Option<String> {
        let mut above = 0;
        while above <= taken {
            let (number, text) = (self.next, self.text(self.next));
            self.next = number.checked_add(1)?;
            above += usize::from(number > self.high);
            if !self.known.may_hold(&text) && free(&text) {
                return Some(text);
            }
        }
        None
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

/// Dates by steps of what their pattern shows: days, seconds, months.
struct Dates {
    pattern: String,
    unit: Unit,
    /// Of units, since 1970.
    first: i64,
    /// Units between two dates.
    step: i64,
    /// Steps from the first to the last one.
    last: i64,
    /// Steps after the last one that were gone through.
    passed: i64,
}

impl Dates {
    fn new(pattern: &str, (first, last): (i64, i64), step: i64) -> Self {
        let (unit, step) = (Unit::of(pattern), step.max(1));
        let (first, last) = (unit.steps(first), unit.steps(last));
        let last = last.saturating_sub(first).max(0) / step;
        Self { pattern: pattern.to_owned(), unit, first, step, last, passed: 0 }
    }

    fn text(&self, step: i64) -> String {
        let units = self.first.saturating_add(step.saturating_mul(self.step));
        datetime::format(self.unit.micros(units), &self.pattern)
    }

    fn draw(&self, random: &mut dyn FnMut() -> u64) -> String {
        let all = self.last.unsigned_abs().saturating_add(1);
        self.text((random() % all) as i64)
    }

    /// What follows the last one, `taken` texts and one more. Times of day begin anew after midnight.
    fn after(&mut self, taken: usize) -> impl Iterator<Item = String> {
        (0..=taken).map(|_| {
            self.passed += 1;
            self.text(self.last.saturating_add(self.passed))
        })
    }
}

/// One text after another of `count`, from a random one on: as many as are `taken`, twice, and some more.
fn texts(
    random: &mut dyn FnMut() -> u64,
    count: u128,
    taken: usize,
    nth: impl Fn(u128) -> Option<String>,
) -> impl Iterator<Item = String> {
    let start = u128::from(random()) << 64 | u128::from(random());
    let tries = (taken as u128 * 2 + MAX_WALK_TEXTS as u128).min(count);
    (0..tries).filter_map(move |i| nth((start % count + i) % count))
}

/// A text of a maker that is `free`.
fn made_by(
    maker: &TextMaker,
    random: &mut dyn FnMut() -> u64,
    free: impl Fn(&String) -> bool,
) -> Option<String> {
    (0..MAX_DRAWS).find_map(|_| maker.make(random).filter(&free))
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
        let counter = IdFormat::Counter { prefix: "CUST-".into(), width: 6, next: 124, gaps: vec![] };
        assert_eq!(make(&counter, &["CUST-000125"], 2).unwrap(), ["CUST-000124", "CUST-000126"]);
        let last = IdFormat::Counter { prefix: String::new(), width: 0, next: i64::MAX, gaps: vec![] };
        assert!(make(&last, &[], 1).is_err());
    }

    #[test]
    fn counters_keep_their_gaps_and_numbers_their_range() {
        let counter = IdFormat::Counter { prefix: "A".into(), width: 0, next: 10, gaps: vec![3, 5] };
        let numbers: Vec<i64> =
            make(&counter, &[], 50).unwrap().iter().map(|text| text[1..].parse().unwrap()).collect();
        assert!(numbers.windows(2).all(|two| [3, 5].contains(&(two[1] - two[0]))));
        let seen: Vec<String> = (0..40).map(|i| (i * 5 - 100).to_string()).collect();
        let known = Known::of(seen.iter().map(String::as_str));
        let number = IdFormat::Number { low: -100, span: 199, known };
        let all = make(&number, &[], 100).unwrap();
        assert!(all.iter().all(|text| (-100..100).contains(&text.parse::<i64>().unwrap())));
        assert!(all.iter().all(|text| !seen.contains(text)));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 100);
        let error = make(&number, &[], 200).unwrap_err().to_string();
        assert!(error.starts_with("identifiers from -100 to 99: "), "{error}");
    }

    #[test]
    fn free_numbers_come_before_more_digits() {
        let seen: Vec<String> = (0..60).map(|i| format!("AB-{:02}", 99 - i)).collect();
        let known = Known::of(seen.iter().map(String::as_str));
        let format = IdFormat::Free { prefix: "AB-".into(), width: 2, low: 0, high: 99, known };
        let all = make(&format, &["AB-07"], 45).unwrap();
        let free = all.iter().filter(|text| text.len() == 5).count();
        // A seen one may be taken for another.
        assert!((30..=39).contains(&free), "{all:?}");
        assert!(!all.contains(&"AB-07".to_owned()) && all.iter().all(|text| !seen.contains(text)));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 45);
        assert_eq!(all[free], "AB-100");
    }

    #[test]
    fn codes_have_right_check_digits_and_are_none_of_those_seen() {
        let seen: Vec<String> =
            (0..200).map(|i| CheckDigits::Iban.put(&format!("DE00{:018}", i * 7_919)).unwrap()).collect();
        let known = Known::of(seen.iter().map(String::as_str));
        let check = Some(CheckDigits::Iban);
        let code = IdFormat::Code { regex: "DE[0-9]{2}0{11}[0-9]{7}".into(), check, known };
        for text in make(&code, &[], 300).unwrap() {
            assert_eq!(CheckDigits::Iban.put(&text).as_deref(), Some(text.as_str()));
            assert!(!seen.contains(&text));
        }
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
        let counter = IdFormat::Counter { prefix: String::new(), width: 0, next: 32_767, gaps: vec![] };
        let made = within(&counter, &["1", "3"], (-32_768, 32_767), 4).unwrap();
        assert_eq!(made, ["32767", "2", "4", "5"]);
        assert!(within(&counter, &["1", "2"], (0, 2), 1).is_err());
    }

    #[test]
    fn dates_are_free_ones_within_the_range_and_then_those_after_it() {
        let day = 86_400_000_000;
        let format = IdFormat::Date { pattern: "%d.%m.%Y".into(), first: 0, last: 30 * day, step: 0 };
        let all = make(&format, &["05.01.1970"], 60).unwrap();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 60);
        let dated: Vec<i64> =
            all.iter().map(|text| datetime::parse(text, "%d.%m.%Y").unwrap() / day).collect();
        assert!(!dated.contains(&4) && dated.iter().all(|day| (0..62).contains(day)), "{dated:?}");
        assert!(dated[..20].iter().all(|day| *day <= 31), "{dated:?}");
        let times = IdFormat::Date { pattern: "%H:%M".into(), first: 0, last: 3_600_000_000, step: 1 };
        assert_eq!(make(&times, &[], 1440).unwrap().len(), 1440);
        assert!(make(&times, &[], 1441).is_err());
        let pattern = "%Y-%m-%d %H:%M".to_owned();
        let quarters = IdFormat::Date { pattern, first: 7 * 3_600_000_000, last: 2 * day, step: 15 };
        let all = make(&quarters, &[], 400).unwrap();
        assert!(all.iter().all(|text| ["00", "15", "30", "45"].contains(&&text[14..])), "{all:?}");
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
