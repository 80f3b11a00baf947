//! Codes with a date of eight digits in them: "20200101-01". New ones have dates that there are.

use std::collections::BTreeSet;

use crate::table::datetime;

const DIGITS: usize = 8;
/// So many codes have a date at the same place by no chance.
const ENOUGH: usize = 8;
/// Days that all months have.
const DAYS: &str = "(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])";

/// A regular expression of such codes; `rest` writes those of what stands before and after their dates.
pub(super) fn pattern(values: &[&str], rest: fn(&[&str]) -> String) -> Option<String> {
    let first = values.first().filter(|_| values.len() >= ENOUGH)?;
    let at = (0..first.len()).find(|&at| values.iter().all(|value| date(value, at).is_some()))?;
    let years: BTreeSet<&str> = values.iter().filter_map(|value| Some(&date(value, at)?[..4])).collect();
    let years = years.into_iter().collect::<Vec<_>>().join("|");
    let around = |part: fn(&str, usize) -> &str| {
        let parts: Vec<&str> = values.iter().map(|value| part(value, at)).collect();
        match parts.iter().all(|part| part.is_empty()) {
            true => String::new(),
            false => format!("({})", rest(&parts)),
        }
    };
    let (head, tail) = (around(|text, at| &text[..at]), around(|text, at| &text[at + DIGITS..]));
    Some(format!("{head}({years}){DAYS}{tail}"))
}

/// The date that begins at a place of a text: digits with none beside them.
fn date(text: &str, at: usize) -> Option<&str> {
    let digits = text.get(at..at + DIGITS).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
    let beside = [text[..at].bytes().next_back(), text[at + DIGITS..].bytes().next()];
    let alone = !beside.into_iter().flatten().any(|byte| byte.is_ascii_digit());
    let is_date = alone && datetime::parse(digits, "%Y%m%d").is_some_and(datetime::plausible);
    is_date.then_some(digits)
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
        assert_eq!(super::pattern(&["20201301-1"; 9], |_| String::new()), None);
        assert_eq!(super::pattern(&["202001011"; 9], |_| String::new()), None);
    }
}
