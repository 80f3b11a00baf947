//! Numbers that are counted on: alone, behind a prefix, or behind the year in which they began anew.

use std::collections::BTreeMap;

use super::MIN_VALUES_PER_PLACE;
use crate::table::{datetime, fresh::Known, schema::IdFormat};

/// Numbered texts that leave more gaps than this a number are random rather than counted; a few thousand
/// numbers are always counted.
const MAX_GAPS_PER_NUMBER: i64 = 20;
const SPARSE_FROM: i64 = 1000;
/// The same for digits with zeros before them and nothing else: a PIN or a ZIP code rather than a number.
const SPARSE_DIGITS: i64 = 4;
/// Numbers of which a smaller share are larger than the one before are in no order. Gaps that are kept of those in
/// order.
const MIN_ORDERED_SHARE: f64 = 0.95;
pub(super) const GAPS: usize = 64;
/// So many numbers tell that all are multiples of a step by more than chance.
const TELLING_STEP: usize = 8;
/// Numbers that begin anew with each year: so many a year at least, and so many between them at most.
const A_YEAR: usize = 20;

/// How numbers go on, where all of `values` are counted.
pub(super) fn counter(values: &[&str]) -> Option<IdFormat> {
    prefixed(values).or_else(|| signed(values)).or_else(|| yearly(values))
}

/// Numbers of more digits do not run out. Those in no order have room for so many times as many above the largest.
const MAX_WIDTH: usize = 9;
const ROOM_ABOVE_LARGEST: i64 = 4;

/// Where the digits at the end begin.
fn end_of_prefix(text: &str) -> usize {
    text.trim_end_matches(|c: char| c.is_ascii_digit()).len()
}

/// A fixed prefix and a number. The minus of negative numbers is a prefix: they are counted down.
fn prefixed(values: &[&str]) -> Option<IdFormat> {
    let first = values.first()?;
    let at = end_of_prefix(first);
    let start = &first[..at];
    if values.iter().any(|value| !value.starts_with(start) || end_of_prefix(value) != at) {
        return None;
    }
    let digits: Vec<&str> = values.iter().map(|value| &value[at..]).collect();
    let numbers = digits.iter().map(|digits| digits.parse().ok()).collect::<Option<Vec<i64>>>()?;
    let counter = counted(start, &numbers, width(&digits)?)?;
    Some(free(values, start, &digits, &numbers, &counter).unwrap_or(counter))
}

/// The numbers that are left of the digits that all have, as long as there are as many as those seen, where counting on
/// takes more digits: at once, or soon after numbers in no order.
fn free(
    values: &[&str],
    prefix: &str,
    digits: &[&str],
    numbers: &[i64],
    counter: &IdFormat,
) -> Option<IdFormat> {
    let IdFormat::Counter { next, .. } = counter else { return None };
    let width = digits.first()?.len();
    let padded = digits.iter().any(|digits| digits.len() > 1 && digits.starts_with('0'));
    let coded = padded || prefix.contains(char::is_alphanumeric);
    if !coded || width > MAX_WIDTH || digits.iter().any(|digits| digits.len() != width) {
        return None;
    }
    let (least, n) = (*numbers.iter().min()?, numbers.len() as i64);
    let end = 10i64.pow(width as u32);
    let low = if padded { 0 } else { (end / 10).min(least) };
    let span = numbers.iter().max()?.saturating_sub(least);
    let ordered = numbers.is_sorted() || gaps(numbers).is_some() || span < 2 * n;
    let soon = if ordered { *next >= end } else { end.saturating_sub(*next) < ROOM_ABOVE_LARGEST * n };
    let left = end - low - n >= n;
    let known = || Known::of(values.iter().copied());
    let free = || IdFormat::Free {
        prefix: prefix.to_owned(),
        width: width as u8,
        low,
        high: end - 1,
        known: known(),
    };
    (soon && left).then(free)
}

/// Whole numbers on both sides of zero.
fn signed(values: &[&str]) -> Option<IdFormat> {
    let whole = |text: &&str| text.parse::<i64>().ok().filter(|number| number.to_string() == **text);
    counted("", &values.iter().map(whole).collect::<Option<Vec<i64>>>()?, 0)
}

/// Digits that all have, where there are zeros before numbers, or else 0; nothing where only some have zeros.
fn width(digits: &[&str]) -> Option<u8> {
    let padded = digits.iter().any(|digits| digits.len() > 1 && digits.starts_with('0'));
    let width = digits.iter().map(|digits| digits.len()).max()?;
    match padded {
        true if digits.iter().any(|digits| digits.len() != width) => None,
        true => u8::try_from(width).ok(),
        false => Some(0),
    }
}

fn counted(prefix: &str, numbers: &[i64], width: u8) -> Option<IdFormat> {
    let (least, largest) = (numbers.iter().min()?, numbers.iter().max()?);
    let gaps = gaps(numbers);
    let (span, n) = (largest.saturating_sub(*least), numbers.len() as i64);
    let digits = prefix.is_empty() && width > 0 && numbers.len() >= MIN_VALUES_PER_PLACE;
    let sparse = span / MAX_GAPS_PER_NUMBER > SPARSE_FROM.max(n) || digits && span / SPARSE_DIGITS > n;
    if sparse && gaps.is_none() {
        return None;
    }
    let gaps = gaps.or_else(|| step(numbers).map(|step| vec![step])).unwrap_or_default();
    let gap = gaps.get(gaps.len() / 2).copied().unwrap_or(1);
    Some(IdFormat::Counter { prefix: prefix.to_owned(), width, next: largest.checked_add(gap)?, gaps })
}

/// How far numbers that rise or fall from row to row are apart, from the least to the largest; nothing where they
/// are in no order, an empty list where they leave none out.
fn gaps(numbers: &[i64]) -> Option<Vec<i64>> {
    let mut gaps: Vec<i64> = numbers.windows(2).map(|two| two[1].saturating_sub(two[0])).collect();
    let rising = gaps.iter().filter(|gap| **gap > 0).count();
    let enough =
        |n: usize| gaps.len() >= MIN_VALUES_PER_PLACE && n as f64 >= MIN_ORDERED_SHARE * gaps.len() as f64;
    let sign = match () {
        () if enough(rising) => 1,
        () if enough(gaps.len() - rising) => -1,
        () => return None,
    };
    gaps.iter_mut().for_each(|gap| *gap = gap.saturating_mul(sign));
    gaps.retain(|gap| *gap > 0);
    gaps.sort_unstable();
    if gaps.iter().filter(|gap| **gap > 1).count() * 50 < gaps.len() {
        return Some(Vec::new());
    }
    let last = gaps.len() - 1;
    Some((0..GAPS).map(|i| gaps[last * i / (GAPS - 1)]).collect())
}

/// The step of which numbers in no order are all multiples from the least one on, where it is more than 1.
fn step(numbers: &[i64]) -> Option<i64> {
    let least = *numbers.iter().min()?;
    let step = numbers.iter().fold(0, |step, number| datetime::common(step, number.saturating_sub(least)));
    (numbers.len() >= TELLING_STEP && step > 1).then_some(step)
}

/// A number that begins anew behind each year or month: RE-2023-0001 after RE-2022-0150. It is counted on in the last
/// one.
fn yearly(values: &[&str]) -> Option<IdFormat> {
    let like = &values.first()?[..end_of_prefix(values.first()?)];
    let mut years: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let mut digits = Vec::new();
    for value in values {
        let (prefix, number) = value.split_at(end_of_prefix(value));
        if !datetime::same_shape(prefix, like) {
            return None;
        }
        digits.push(number);
        years.entry(prefix).or_default().push(number.parse().ok()?);
    }
    let span = |numbers: &Vec<i64>| {
        let (least, largest) = (numbers.iter().min().unwrap_or(&0), numbers.iter().max().unwrap_or(&0));
        largest.saturating_sub(*least).saturating_add(1)
    };
    let dense = years.values().map(span).fold(0, i64::saturating_add) / SPARSE_DIGITS <= values.len() as i64;
    if !has_year(like) || !dense || years.len() * A_YEAR > values.len() {
        return None;
    }
    let width = width(&digits)?;
    let (prefix, numbers) = years.last_key_value()?;
    let next = numbers.iter().max()?.checked_add(1)?;
    let full = width > 0 && next.to_string().len() > usize::from(width);
    (!full).then(|| IdFormat::Counter { prefix: (*prefix).to_owned(), width, next, gaps: Vec::new() })
}

/// Whether a run of digits may be a year, or a year with its month and day: 21, 2021, 202107, 20210731.
fn has_year(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|run| [2, 4, 6, 8].contains(&run.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prefix, the width and the next number of a counter.
    fn next(values: &[String]) -> Option<(String, u8, i64)> {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        match counter(&values) {
            Some(IdFormat::Counter { prefix, width, next, .. }) => Some((prefix, width, next)),
            _ => None,
        }
    }

    fn texts(n: i64, text: impl Fn(i64) -> String) -> Vec<String> {
        (0..n).map(text).collect()
    }

    #[test]
    fn digits_in_no_order_with_zeros_are_codes() {
        assert_eq!(next(&texts(400, |i| format!("{:04}", i * 7919 % 9973))), None);
        assert_eq!(next(&texts(400, |i| format!("{:05}", 501 + i * 7919 % 9497))), None);
        let ascending = next(&texts(400, |i| format!("{:04}", i * 20)));
        assert_eq!(ascending, Some((String::new(), 4, 8000)));
        let dense = next(&texts(400, |i| format!("{:04}", i * 183 % 400)));
        assert_eq!(dense, Some((String::new(), 4, 400)));
    }

    #[test]
    fn codes_that_would_grow_use_what_is_free_first() {
        let is_free = |values: &[String]| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            match counter(&values) {
                Some(IdFormat::Free { prefix, width, low, high, .. }) => Some((prefix, width, low, high)),
                _ => None,
            }
        };
        let codes = texts(306, |i| format!("AB-{:04}", 9999 - i * 7919 % 9973));
        assert_eq!(is_free(&codes), Some(("AB-".to_owned(), 4, 0, 9999)));
        let last = texts(300, |i| format!("K{}", 700 + i));
        assert_eq!(is_free(&last), Some(("K".to_owned(), 3, 100, 999)));
        // There is room above, or nothing below, or a number has as many digits as it takes.
        assert_eq!(is_free(&texts(300, |i| format!("AB-{:04}", i + 9000))), None);
        assert_eq!(is_free(&texts(980, |i| format!("K{:03}", i + 20))), None);
        assert_eq!(is_free(&texts(300, |i| (700 + i).to_string())), None);
        assert_eq!(is_free(&texts(3, |i| format!("A{}", i + 1))), None);
    }

    #[test]
    fn the_step_is_kept_at_the_seam_and_without_an_order() {
        assert_eq!(next(&texts(400, |i| (1000 + i * 10).to_string())), Some((String::new(), 0, 5000)));
        let shuffled = texts(400, |i| (1000 + i * 183 % 400 * 10).to_string());
        assert_eq!(next(&shuffled), Some((String::new(), 0, 5000)));
        assert_eq!(next(&texts(9, |i| (10 + i * 5).to_string())), Some((String::new(), 0, 55)));
    }

    #[test]
    fn a_counter_of_a_year_goes_on_in_the_last_year() {
        let bills = texts(400, |i| format!("RE-{}-{:04}", 2021 + i / 150, i % 150 + 1));
        assert_eq!(next(&bills), Some(("RE-2023-".to_owned(), 4, 101)));
        let full = texts(400, |i| format!("{}-{:02}", 2021 + i / 99, i % 99 + 1));
        assert_eq!(next(&full[..396]), None);
        assert_eq!(next(&texts(400, |i| format!("1.{}.{}", i / 20, i % 20))), None);
    }

    #[test]
    fn negative_numbers_are_counted_down_and_those_around_zero_up() {
        assert_eq!(next(&texts(400, |i| (-i - 1).to_string())), Some(("-".to_owned(), 0, 401)));
        assert_eq!(next(&texts(400, |i| (i - 5).to_string())), Some((String::new(), 0, 395)));
    }
}
