//! Codes with a date of eight digits or a time of day in them: "20200101-01", "21:09-22:39". New ones have dates and times
//! that there are.

use std::collections::BTreeSet;

use crate::table::datetime;

const DATE: usize = 8;
const TIME: usize = 5;
/// So many codes have a date at the same place by no chance.
const MIN_CODES: usize = 8;
/// Days that all months have.
const DAYS_OF_ALL_MONTHS: &str = "(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])";
const TIMES: &str = "([01][0-9]|2[0-3]):[0-5][0-9]";

/// A regular expression of such codes; `rest` writes those of what stands before and after the
/// first of them.
pub(super) fn pattern(values: &[&str], rest: fn(&[&str]) -> String) -> Option<String> {
    let first = values.first().filter(|_| values.len() >= MIN_CODES)?;
    let place = |is_there: fn(&str, usize) -> bool| {
        (0..first.len()).find(|&at| values.iter().all(|value| is_there(value, at)))
    };
    let (at, end, regex) = match place(|value, at| date(value, at).is_some()) {
        Some(at) => {
            let years: BTreeSet<&str> =
                values.iter().filter_map(|value| Some(&date(value, at)?[..4])).collect();
            (
                at,
                at + DATE,
                format!("({}){DAYS_OF_ALL_MONTHS}", years.into_iter().collect::<Vec<_>>().join("|")),
            )
        }
        None => {
            let at = place(is_time)?;
            (at, at + TIME, TIMES.to_owned())
        }
    };
    let around = |part: &dyn Fn(&'_ str) -> std::ops::Range<usize>| {
        let parts: Vec<&str> = values.iter().map(|value| &value[part(value)]).collect();
        match parts.iter().all(|part| part.is_empty()) {
            true => String::new(),
            false => format!("({})", rest(&parts)),
        }
    };
    let (head, tail) = (around(&|_| 0..at), around(&|text| end..text.len()));
    Some(format!("{head}{regex}{tail}"))
}

/// The date that begins at a place of a text: digits with none beside them.
fn date(text: &str, at: usize) -> Option<&str> {
    let digits = text.get(at..at + DATE).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
    let is_date =
        is_alone(text, at, at + DATE) && datetime::parse(digits, "%Y%m%d").is_some_and(datetime::plausible);
    is_date.then_some(digits)
}

/// Whether a time of day begins at a place of a text, and has no seconds.
fn is_time(text: &str, at: usize) -> bool {
    let part = text.get(at..at + TIME).filter(|_| is_alone(text, at, at + TIME));
    part.is_some_and(|part| part.as_bytes()[2] == b':' && datetime::parse(part, "%H:%M").is_some())
}

/// Whether what lies between two places has neither digits nor colons beside it.
fn is_alone(text: &str, from: usize, to: usize) -> bool {
    let beside = [text[..from].bytes().next_back(), text[to..].bytes().next()];
    !beside.into_iter().flatten().any(|byte| byte.is_ascii_digit() || byte == b':')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::table::pattern::Pattern;

    #[test]
    fn dates_in_codes_are_possible_ones() {
        let day = |i: i64| datetime::format(1_577_836_800_000_000 + i * 86_400_000_000, "%Y%m%d");
        let codes: Vec<String> = (0..400).map(|i| format!("A-{}-{:02}", day(i), i % 30)).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let regex = pattern(&codes, |_| "[^0-9]+[0-9]{0,2}".to_owned()).unwrap();
        let (pattern, mut state) = (Pattern::new(&regex).unwrap(), 7u64);
        for _ in 0..200 {
            let code = pattern.draw(&mut || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.rotate_left(32)
            });
            let at = code.find("20").unwrap();
            assert!(datetime::parse(&code[at..at + 8], "%Y%m%d").is_some(), "{code}");
        }
        let spans = super::pattern(&["21:09-22:39"; 9], |_| "-".to_owned()).unwrap();
        assert_eq!(spans, format!("{TIMES}(-)"));
        assert_eq!(super::pattern(&["21:09:00-1"; 9], |_| String::new()), None);
        assert_eq!(super::pattern(&["20201301-1"; 9], |_| String::new()), None);
        assert_eq!(super::pattern(&["202001011"; 9], |_| String::new()), None);
    }
}
