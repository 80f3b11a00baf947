//! Dates and times as texts by a pattern of `strftime`, and back to exactly the same texts.
//!
//! The number of a date is microseconds since the first of January 1970, in the column's own clock: a zone
//! that all values share is a fixed part of the pattern. Beside `strftime`'s own, "%.f" stands for a
//! fraction of a second without zeros at its end, and "%:z" at the end of a pattern for a zone that each value has
//! of its own, which the number does not tell. Of two patterns with "|" between them the first one writes what it can
//! without loss, the second one the rest: "2024-01-31" beside "2024-01-31 10:00".

mod case;
mod months;
mod shift;

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveTime,
    format::{Parsed, StrftimeItems, parse as parse_items},
};

use super::values;
pub use shift::shift_dates;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

const DATES: [&str; 43] = [
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%-m/%-d/%Y",
    "%-d/%-m/%Y",
    "%-d.%-m.%Y",
    "%-d-%-m-%Y",
    "%Y-%-m-%-d",
    "%Y/%-m/%-d",
    "%d.%m.%y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%-m/%-d/%y",
    "%-d/%-m/%y",
    "%-d.%-m.%y",
    "%b %-d, %Y",
    "%B %-d, %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%-d %b %Y",
    "%-d %B %Y",
    "%d %b %Y",
    "%d %B %Y",
    "%-d. %B %Y",
    "%d. %B %Y",
    "%d-%b-%Y",
    "%d/%b/%Y",
    "%d-%b-%y",
    "%a, %d %b %Y",
    "%A, %B %-d, %Y",
    "%A, %B %d, %Y",
    "%A, %-d %B %Y",
    "%A, %d %B %Y",
    "%A, %-d. %B %Y",
    "%A, %d. %B %Y",
    "%Y年%m月%d日",
    "%Y年%-m月%-d日",
    "%Y%m%d",
];
const TIMES: [&str; 18] = [
    "%H:%M",
    "%H:%M:%S",
    "%H:%M:%S%.3f",
    "%H:%M:%S%.6f",
    "%H:%M:%S%.f",
    "%-H:%M",
    "%-H:%M:%S",
    "%I:%M %p",
    "%-I:%M %p",
    "%I:%M:%S %p",
    "%-I:%M:%S %p",
    "%-I:%M%P",
    "%I:%M%p",
    "%-I:%M%p",
    "%I:%M:%S%p",
    "%-I:%M:%S%p",
    "%H.%M.%S",
    "%H:%M:%S,%3f",
];
const OTHER_DATES: [&str; 14] = [
    "%Y-%m",
    "%m/%Y",
    "%b %Y",
    "%B %Y",
    "%a %b %e %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %Y",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%S",
    "%Y%m%dT%H%M%SZ",
    DAY_OF_YEAR,
    SHORT_DATE,
    SHORT_TIME,
    EXPIRY[0],
    EXPIRY[1],
];
const BETWEEN: [&str; 3] = [" ", "T", ", "];
/// A year and a day of it, or a number of a bill.
pub const DAY_OF_YEAR: &str = "%Y-%j";
/// Digits that may as well be a number or a code, and months that may be a fraction.
pub const SHORT_DATE: &str = "%y%m%d";
pub const SHORT_TIME: &str = "%H%M";
pub const EXPIRY: [&str; 2] = ["%m/%y", "%-m/%y"];
/// Patterns of digits alone, and how many they may have.
const PACKED: [&str; 4] = ["%Y%m%d", "%Y%m%d%H%M%S", SHORT_DATE, SHORT_TIME];
const PACKED_DIGITS: [usize; 4] = [4, 6, 8, 14];
/// As web servers log.
const SERVER_LOG_FORMAT: &str = "%d/%b/%Y:%H:%M:%S";
/// Dates that stand beside dates with a time of day, and what times these have.
const BARE: [&str; 4] = ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"];
const BARE_TIMES: [&str; 2] = ["%H:%M:%S", "%H:%M"];
/// Between the pattern that loses something of some values and the one that loses nothing.
const OR: char = '|';

/// At the end of a pattern: a zone, however it is written.
const ZONE: &str = "%:z";

/// Hours that a zone may be from Greenwich.
const MAX_ZONE_HOURS: u8 = 14;

/// Values that are tried before all are.
const SAMPLED_VALUES: usize = 60;

/// Microseconds since 1970 of a text that follows `pattern`.
pub fn parse(text: &str, pattern: &str) -> Option<i64> {
    if let Some(bare) = pattern.strip_suffix(ZONE) {
        let zone = zone(text);
        return parse(&text[..text.len() - zone.len()], bare).filter(|_| !zone.is_empty());
    }
    if let Some((short, long)) = pattern.split_once(OR) {
        return parse(text, long).or_else(|| parse(text, short));
    }
    if let Some((_, bare)) = case::split(pattern) {
        return parse(text, bare);
    }
    if let Some((names, bare)) = months::split(pattern) {
        return parse(&months::to_english(text, names)?, bare);
    }
    let mut parsed = Parsed::new();
    parse_items(&mut parsed, text, StrftimeItems::new(pattern)).ok()?;
    if let Some(seconds) = parsed.timestamp() {
        return seconds.checked_mul(SECOND);
    }
    if parsed.month().is_some() && parsed.day().is_none() {
        parsed.set_day(1).ok()?;
    }
    let date = match parsed.month().or(parsed.ordinal()) {
        Some(_) => parsed.to_naive_date().ok()?,
        None => NaiveDate::default(),
    };
    let time = match parsed.hour_mod_12() {
        Some(_) => parsed.to_naive_time().ok()?,
        None => NaiveTime::MIN,
    };
    Some(date.and_time(time).and_utc().timestamp_micros())
}

/// The text of a time in microseconds since 1970; what the pattern does not show is cut off. Where each value has a
/// zone of its own, this is the text before it.
pub fn format(micros: i64, pattern: &str) -> String {
    let pattern = pattern.strip_suffix(ZONE).unwrap_or(pattern);
    if let Some((short, long)) = pattern.split_once(OR) {
        let text = format(micros, short);
        return if parse(&text, short) == Some(micros) { text } else { format(micros, long) };
    }
    if let Some((write, bare)) = case::split(pattern) {
        return write(&format(micros, bare));
    }
    if let Some((names, bare)) = months::split(pattern) {
        let text = format(micros, bare);
        return months::from_english(&text, names).unwrap_or(text);
    }
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let items = |pattern: &str| time.naive_utc().format_with_items(StrftimeItems::new(pattern)).to_string();
    if !pattern.contains("%.f") {
        return items(pattern);
    }
    let fraction = match time.timestamp_subsec_micros() {
        0 => String::new(),
        micros => format!(".{micros:06}").trim_end_matches('0').to_owned(),
    };
    items(&pattern.replace("%.f", &fraction))
}

/// Whether times can be written by it: a pattern may come from a file.
pub fn is_pattern(pattern: &str) -> bool {
    use std::fmt::Write;
    let time = DateTime::from_timestamp_micros(0).unwrap_or_default().naive_utc();
    let pattern = pattern.strip_suffix(ZONE).unwrap_or(pattern).replace("%.f", "");
    pattern.split(OR).all(|one| {
        let one = case::split(one).map_or(one, |(_, bare)| bare);
        let one = months::split(one).map_or(one, |(_, bare)| bare);
        let items = StrftimeItems::new(one).collect::<Vec<_>>();
        write!(String::new(), "{}", time.format_with_items(items.iter())).is_ok()
    })
}

/// Whether the pattern gives back exactly this text, by way of `f64`.
fn exact(text: &str, pattern: &str) -> bool {
    let bare = if has_zones(pattern) { &text[..text.len() - zone(text).len()] } else { text };
    parse(text, pattern).is_some_and(|micros| format(micros as f64 as i64, pattern) == bare)
}

/// The pattern of values that all have this zone.
pub fn in_zone(pattern: &str, zone: &str) -> String {
    match pattern.strip_suffix(ZONE) {
        None => pattern.to_owned(),
        Some(bare) => bare.split(OR).map(|one| format!("{one}{zone}")).collect::<Vec<_>>().join("|"),
    }
}

/// Whether each value has a zone of its own.
pub fn has_zones(pattern: &str) -> bool {
    pattern.ends_with(ZONE)
}

/// A pattern with how well it fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub pattern: String,
    /// Texts that follow it.
    pub hits: usize,
    /// Another pattern fits as well: which number is the day and which the month is a guess.
    pub ambiguous: bool,
}

/// The pattern that fits most of `texts`, if it fits more than half of them.
pub fn detect<'a>(texts: impl ExactSizeIterator<Item = &'a str> + Clone) -> Option<Found> {
    let step = texts.len().div_ceil(SAMPLED_VALUES).max(1);
    let sample: Vec<&str> = texts.clone().step_by(step).collect();
    if sample.iter().filter(|text| could_be(text)).count() * 2 <= sample.len() {
        return None;
    }
    let zone = common_zone(&sample);
    let hits_in_sample = |pattern: &String| sample.iter().filter(|text| exact(text, pattern)).count();
    // Most patterns fit none.
    let fits = |pattern: &String| {
        let first = &sample[..sample.len().div_ceil(2)];
        first.len() < 4 || first.iter().any(|text| exact(text, pattern))
    };
    let packed = sample.iter().filter(|text| is_packed(text)).count() * 2 > sample.len();
    // A name has letters other than the T and the Z of ISO 8601.
    let letter = |c: char| c.is_ascii_alphabetic() && c != 'T' && c != 'Z';
    let has_names = sample.iter().any(|text| text.contains(letter));
    let could_fit = |pattern: &String| match packed {
        true => PACKED.contains(&pattern.as_str()),
        false => has_names || !case::named(pattern),
    };
    let all = patterns(zone).chain(case::patterns(&sample, patterns(zone)).filter(|_| has_names));
    let all = all.filter(could_fit).chain(months::patterns(&sample));
    let counted = all.filter(fits).map(|pattern| (hits_in_sample(&pattern), pattern));
    let mut good: Vec<(usize, String)> = counted.filter(|(hits, _)| hits * 2 > sample.len()).collect();
    let most = good.iter().map(|good| good.0).max()?;
    good.retain(|good| good.0 == most);
    // Of equally good ones the first: the lists begin with those that surprise least.
    let hits_of_all = |pattern: &str| texts.clone().filter(|text| exact(text, pattern)).count();
    let all: Vec<(&String, usize)> =
        good.iter().map(|(_, pattern)| (pattern, hits_of_all(pattern))).collect();
    let &(pattern, hits) = all.iter().rev().max_by_key(|(_, hits)| *hits)?;
    let swapped = pattern.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m");
    let swapped = swapped.replace("%-d", "%-_").replace("%-m", "%-d").replace("%-_", "%-m");
    let ambiguous = pattern.contains('/') && all.iter().any(|(other, n)| **other == swapped && *n == hits);
    (hits * 2 > texts.len()).then(|| Found { pattern: pattern.clone(), hits, ambiguous })
}

/// Short, with digits, and no number unless it has as many digits as a date.
fn could_be(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let number = values::parse(text, '.').or_else(|| values::parse(text, ',')).is_some();
    text.len() <= 45 && digits >= 3 && (!number || is_packed(text))
}

fn is_packed(text: &str) -> bool {
    PACKED_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The zone at the end of all texts that have one, as it is written there, or what stands for different ones.
fn common_zone<'a>(sample: &[&'a str]) -> &'a str {
    let mut zones = sample.iter().map(|text| zone(text)).filter(|zone| !zone.is_empty());
    let first = zones.next().unwrap_or("");
    if zones.any(|zone| zone != first) { ZONE } else { first }
}

/// "Z", " UTC", " CET", "+03", "-05:30", "+0000" after a time.
pub fn zone(text: &str) -> &str {
    let Some(colon) = text.find(':') else { return "" };
    for zone in ["Z", " UTC", "UTC", " GMT"] {
        if text.ends_with(zone) {
            return &text[text.len() - zone.len()..];
        }
    }
    // Zones by their names; two letters are a half of the day.
    if let Some((_, name)) = text[colon..].rsplit_once(' ')
        && (3..=4).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_uppercase())
    {
        return &text[text.len() - name.len() - 1..];
    }
    let Some(sign) = text[colon..].rfind(['+', '-']).map(|at| colon + at) else { return "" };
    let digits = text[sign + 1..].bytes().filter(u8::is_ascii_digit).count();
    let shape = text[sign + 1..].bytes().all(|b| b.is_ascii_digit() || b == b':');
    // "21:09-22:39" is from one time to another: zones are near to Greenwich, by quarters of an hour.
    let part = |range: Option<&str>| range.and_then(|digits| digits.parse::<u8>().ok());
    let hours = part(text[sign + 1..].get(..2)).is_some_and(|hours| hours <= MAX_ZONE_HOURS);
    let quarters = digits < 4 || part(text.get(text.len() - 2..)).is_some_and(|minutes| minutes % 15 == 0);
    let near = hours && quarters;
    if !shape || ![2, 4].contains(&digits) || !near {
        return "";
    }
    let space = usize::from(text[..sign].ends_with(' '));
    &text[sign - space..]
}

/// All patterns that are known, with this zone.
fn patterns(zone: &str) -> impl Iterator<Item = String> {
    let dates = DATES.iter().map(|date| (*date).to_owned());
    let both = DATES.iter().flat_map(move |date| {
        BETWEEN
            .iter()
            .flat_map(move |between| TIMES.iter().map(move |time| format!("{date}{between}{time}{zone}")))
    });
    let times = TIMES.iter().map(move |time| format!("{time}{zone}"));
    let others =
        OTHER_DATES.iter().map(|other| (*other).to_owned()).chain([format!("{SERVER_LOG_FORMAT}{zone}")]);
    dates.chain(both).chain(times).chain(others).chain(pairs(zone))
}

/// Dates with a time of day and without, times with a fraction of a second and without.
fn pairs(zone: &str) -> impl Iterator<Item = String> {
    let bare = BARE.iter().flat_map(|date| {
        let times =
            BARE_TIMES.iter().flat_map(move |time| [format!("{date} {time}"), format!("{date}T{time}")]);
        times.map(move |long| format!("{date}|{long}"))
    });
    // A zone of each value's own stands once, at the end.
    let first = if zone == ZONE { "" } else { zone };
    let whole = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"].into_iter();
    let exact = whole.flat_map(move |short| {
        ["%.3f", "%.6f"].map(|fraction| format!("{short}{first}|{short}{fraction}{zone}"))
    });
    bare.chain(exact)
}

/// The greatest common divisor.
pub fn common(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b > 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).unwrap_or(i64::MAX)
}

/// The smallest step that a pattern shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Micros(i64),
    Month,
}

impl Unit {
    pub fn of(pattern: &str) -> Self {
        let shows = |parts: &[&str]| parts.iter().any(|part| pattern.contains(part));
        match () {
            () if shows(&["%.f", "%.6f"]) => Self::Micros(1),
            () if shows(&["%.3f", "%3f"]) => Self::Micros(1000),
            () if shows(&["%S", "%s"]) => Self::Micros(SECOND),
            () if shows(&["%M"]) => Self::Micros(60 * SECOND),
            () if shows(&["%d", "%-d", "%e", "%j"]) => Self::Micros(DAY),
            () => Self::Month,
        }
    }

    /// Steps since 1970.
    pub fn steps(self, micros: i64) -> i64 {
        match self {
            Self::Micros(unit) => micros.div_euclid(unit),
            Self::Month => {
                let date = DateTime::from_timestamp_micros(micros).unwrap_or_default();
                (i64::from(date.year()) - 1970) * 12 + i64::from(date.month0())
            }
        }
    }

    /// The time after so many steps.
    pub fn micros(self, steps: i64) -> i64 {
        match self {
            Self::Micros(unit) => steps.saturating_mul(unit),
            Self::Month => {
                let months = Months::new(steps.unsigned_abs().min(100_000) as u32);
                let start = NaiveDate::default();
                let date = if steps < 0 { start - months } else { start + months };
                date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
            }
        }
    }

    /// What a step is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Month => "months",
            Self::Micros(DAY) => "days",
            Self::Micros(60_000_000) => "minutes",
            Self::Micros(SECOND) => "seconds",
            Self::Micros(1000) => "milliseconds",
            Self::Micros(_) => "microseconds",
        }
    }
}

/// Whether the pattern shows a date, not a time of day alone.
pub fn dated(pattern: &str) -> bool {
    ["%Y", "%y", "%s"].iter().any(|part| pattern.contains(part))
}

/// Whether `text` has the form of `like`: digits where it has digits, the same signs between them.
pub fn same_shape(text: &str, like: &str) -> bool {
    let shape = |c: char| {
        if c.is_ascii_digit() {
            '9'
        } else if c.is_alphabetic() {
            'a'
        } else {
            c
        }
    };
    text.chars().map(shape).eq(like.chars().map(shape))
}

/// Whether a time in microseconds lies in years in which data are dated.
pub fn plausible(micros: i64) -> bool {
    let first = NaiveDate::default() - Days::new(120 * 365);
    let date = DateTime::from_timestamp_micros(micros).unwrap_or_default().date_naive();
    date > first && date.year() < 2150
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn pattern(texts: &[&str]) -> Option<String> {
        detect(texts.iter().copied()).filter(|found| found.hits == texts.len()).map(|found| found.pattern)
    }

    #[test]
    fn patterns_come_back_exactly() {
        let micros = parse("2024-02-29 13:05:09", "%Y-%m-%d %H:%M:%S").unwrap();
        let fine = micros + 123_450;
        for candidate in patterns("") {
            for micros in [micros, fine] {
                let text = format(micros, &candidate);
                let again = parse(&text, &candidate).unwrap_or_else(|| panic!("{candidate}: {text}"));
                assert_eq!(format(again, &candidate), text, "{candidate}");
                let unit = Unit::of(&candidate);
                assert_eq!(unit.micros(unit.steps(again)), again, "{candidate}");
            }
        }
    }

    #[test]
    fn finds_one_pattern_for_all() {
        assert_eq!(pattern(&["2024-01-31", "1999-12-01"]).as_deref(), Some("%Y-%m-%d"));
        assert_eq!(pattern(&["31.01.2024", "01.12.1999"]).as_deref(), Some("%d.%m.%Y"));
        assert_eq!(pattern(&["01/31/2024", "12/01/1999"]).as_deref(), Some("%m/%d/%Y"));
        assert_eq!(pattern(&["31/01/2024", "12/01/1999"]).as_deref(), Some("%d/%m/%Y"));
        assert_eq!(pattern(&["5/1/2020 9:30", "12/31/2020 10:00"]).as_deref(), Some("%-m/%-d/%Y %-H:%M"));
        assert_eq!(pattern(&["Jan 5, 2020", "Dec 31, 1999"]).as_deref(), Some("%b %-d, %Y"));
        assert_eq!(pattern(&["20240131", "19991201"]).as_deref(), Some("%Y%m%d"));
        assert_eq!(pattern(&["2024-01", "1999-12"]).as_deref(), Some("%Y-%m"));
        assert_eq!(pattern(&["13:05", "00:00"]).as_deref(), Some("%H:%M"));
        let zone = ["2024-01-31T10:00:00Z", "1999-12-01T23:59:59Z"];
        assert_eq!(pattern(&zone).as_deref(), Some("%Y-%m-%dT%H:%M:%SZ"));
        let zone = ["2024-01-31 10:00:00.5+00", "1999-12-01 23:59:59+00"];
        assert_eq!(pattern(&zone).as_deref(), Some("%Y-%m-%d %H:%M:%S%.f+00"));
        let zone = ["2024-01-31T10:00:00.123+03:00", "1999-12-01T23:59:59.100+03:00"];
        assert_eq!(pattern(&zone).as_deref(), Some("%Y-%m-%dT%H:%M:%S%.3f+03:00"));
        let zones = ["2024-01-31T10:00:00+01:00", "2024-07-01T23:59:59+02:00", "2024-01-31T10:00:00Z"];
        assert_eq!(pattern(&zones).as_deref(), Some("%Y-%m-%dT%H:%M:%S%:z"));
        let names = ["2024-01-31 10:00:00 CET", "2024-07-01 23:59:59 CEST", "2024-01-31 10:00:00 UTC"];
        assert_eq!(pattern(&names).as_deref(), Some("%Y-%m-%d %H:%M:%S%:z"));
        assert!(detect(["01/02/2024", "03/04/2024"].into_iter()).unwrap().ambiguous);
        assert_eq!(pattern(&["20211027T214851Z", "20220101T000000Z"]).as_deref(), Some("%Y%m%dT%H%M%SZ"));
        assert_eq!(pattern(&["2021年05月16日", "1999年12月01日"]).as_deref(), Some("%Y年%m月%d日"));
        assert_eq!(pattern(&["29.3.20", "1.12.21"]).as_deref(), Some("%-d.%-m.%y"));
        let logged = ["16/Jan/2021:01:20:32 +0100", "01/Dec/2021:23:00:02 +0100"];
        assert_eq!(pattern(&logged).as_deref(), Some("%d/%b/%Y:%H:%M:%S +0100"));
        let logged = ["16/Jan/2021:01:20:32 +0100", "01/Jul/2021:23:00:02 +0200"];
        assert_eq!(pattern(&logged).as_deref(), Some("%d/%b/%Y:%H:%M:%S%:z"));
        assert_eq!(pattern(&["Thursday, 18. March 2021"]).as_deref(), Some("%A, %-d. %B %Y"));
        let comma = ["2021-03-04 18:06:27,123", "2021-03-04 00:00:00,000"];
        assert_eq!(pattern(&comma).as_deref(), Some("%Y-%m-%d %H:%M:%S,%3f"));
        assert_eq!(pattern(&["2022-025", "2021-365"]).as_deref(), Some("%Y-%j"));
        for none in
            [&["2023-02-30", "2023-13-01"][..], &["12", "13"], &["10.5", "3.25"], &["a", "b"], &["555-1234"]]
        {
            assert_eq!(pattern(none), None, "{none:?}");
        }
    }

    #[test]
    fn two_patterns_write_what_one_of_them_would_lose() {
        let python = ["2021-03-04T18:06:27.123400", "2021-03-04T18:06:27", "2020-01-01T00:00:00.000001"];
        assert_eq!(pattern(&python).as_deref(), Some("%Y-%m-%dT%H:%M:%S|%Y-%m-%dT%H:%M:%S%.6f"));
        let zoned = ["2021-03-04T18:06:27.120Z", "2021-03-04T18:06:27Z"];
        assert_eq!(pattern(&zoned).as_deref(), Some("%Y-%m-%dT%H:%M:%SZ|%Y-%m-%dT%H:%M:%S%.3fZ"));
        let both = pattern(&["2021-03-04", "2021-03-05 18:06:27"]).unwrap();
        assert_eq!(both, "%Y-%m-%d|%Y-%m-%d %H:%M:%S");
        assert_eq!(format(DAY, &both), "1970-01-02");
        assert_eq!(format(DAY + SECOND, &both), "1970-01-02 00:00:01");
        assert!(is_pattern(&both));
        let zones = "%Y-%m-%dT%H:%M:%S|%Y-%m-%dT%H:%M:%S%.3f%:z";
        assert_eq!(in_zone(zones, "Z"), "%Y-%m-%dT%H:%M:%SZ|%Y-%m-%dT%H:%M:%S%.3fZ");
    }

    #[test]
    fn months_are_named_in_other_languages() {
        let german = ["25. Juli 2018", "1. März 2020", "31. Mai 2019"];
        assert_eq!(pattern(&german).as_deref(), Some("{de}%-d. %B %Y"));
        assert_eq!(pattern(&["25 июля 2018 г.", "1 мая 2020 г."]).as_deref(), Some("{ru}%-d %B %Y г."));
        assert_eq!(pattern(&["25 de julio de 2018"]).as_deref(), Some("{es}%-d de %B de %Y"));
        assert_eq!(format(parse("25. Juli 2018", "{de}%-d. %B %Y").unwrap(), "%Y-%m-%d"), "2018-07-25");
        assert!(is_pattern("{de}%-d. %B %Y") && Unit::of("{de}%-d. %B %Y") == Unit::Micros(DAY));
    }

    #[test]
    fn names_keep_their_case() {
        assert_eq!(pattern(&["10-APR-2020", "01-MAY-2021"]).as_deref(), Some("{upper}%d-%b-%Y"));
        assert_eq!(pattern(&["10 april 2020", "01 may 2021"]).as_deref(), Some("{lower}%d %B %Y"));
        assert_eq!(pattern(&["09:09:00pm", "11:59:01am"]).as_deref(), Some("{lower}%I:%M:%S%p"));
        let ctime = ["Fri Apr 03 21:09:00 2020", "Sat Apr 11 01:09:00 2020"];
        assert_eq!(pattern(&ctime).as_deref(), Some("%a %b %d %H:%M:%S %Y"));
        let upper = "{upper}%d-%b-%Y";
        assert!(is_pattern(upper) && Unit::of(upper) == Unit::Micros(DAY) && dated(upper));
        assert_eq!(format(parse("29-FEB-2020", upper).unwrap() + DAY, upper), "01-MAR-2020");
        assert_eq!(parse("31-FEB-2020", upper), None);
        assert_eq!(pattern(&["31 авг 2020", "1 мая 2021"]).as_deref(), Some("{ru-b}%-d %B %Y"));
        assert_eq!(pattern(&["200410", "211231"]).as_deref(), Some("%y%m%d"));
        assert_eq!(pattern(&["0529", "2109"]).as_deref(), Some("%H%M"));
        assert_eq!(pattern(&["4/22", "12/27"]).as_deref(), Some("%-m/%y"));
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(text in ".{0,30}") {
            detect([text.as_str()].into_iter());
        }

        #[test]
        fn iso_times_are_exact(micros in -4_000_000_000_000_000i64..8_000_000_000_000_000) {
            let text = format(micros, "%Y-%m-%dT%H:%M:%S%.f");
            prop_assert!(exact(&text, "%Y-%m-%dT%H:%M:%S%.f"));
            prop_assert_eq!(parse(&text, "%Y-%m-%dT%H:%M:%S%.f"), Some(micros));
        }
    }
}
