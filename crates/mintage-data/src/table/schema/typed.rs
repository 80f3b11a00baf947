//! Addresses of networks, durations and places: texts of digits that are no codes.
//!
//! New ones keep what stands between the numbers, and each number stays between the least and the greatest seen in
//! its place. So minutes stay below 60 and degrees on the globe, whatever the format calls them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

/// Numbers of one place that are listed; more are any digits.
const MAX_LISTED_NUMBERS: u64 = 512;

/// What the texts of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// With or without the length of the network's prefix.
    Ip,
    Mac,
    Duration,
    /// Latitude and longitude.
    Place,
}

impl Typed {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "addresses of a network",
            Self::Mac => "addresses of devices",
            Self::Duration => "durations",
            Self::Place => "coordinates",
        }
    }
}

/// What all of `values` are.
pub fn recognise(values: &[&str]) -> Option<Typed> {
    let all = |is: fn(&str) -> bool| values.iter().all(|value| is(value));
    match () {
        () if values.is_empty() => None,
        () if all(is_ip) => Some(Typed::Ip),
        () if all(is_mac) => Some(Typed::Mac),
        () if all(is_clock) || all(is_iso_duration) || all(is_spelled_duration) => Some(Typed::Duration),
        () if all(is_place) => Some(Typed::Place),
        () => None,
    }
}

/// A regular expression of new texts like `values`, which are `typed`.
pub fn pattern(typed: Typed, values: &[&str]) -> String {
    match typed {
        Typed::Mac => hexadecimal(values, |pair| pair.len() == 2),
        Typed::Ip if values.iter().all(|value| value.contains(':')) => ipv6(values),
        _ => numbers(values),
    }
}

fn is_ip(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    address.parse::<IpAddr>().is_ok()
        && prefix.is_none_or(|prefix| prefix.parse().is_ok_and(|n: u8| n <= 128))
}

fn is_mac(text: &str) -> bool {
    let pairs = |mark: char| {
        let parts = text.split(mark);
        let fits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        [6, 8].contains(&parts.clone().count()) && parts.clone().all(fits)
    };
    pairs(':') || pairs('-')
}

/// "1:05:00", "125:30", with a fraction at the end or without.
fn is_clock(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let text = text.split_once('.').map_or(text, |(clock, _)| clock);
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let below_60 = |part: &&str| part.len() == 2 && **part < *"60";
    (2..=3).contains(&parts.len()) && parts.iter().all(|part| digits(part)) && parts[1..].iter().all(below_60)
}

/// "PT1H30M", "P3D".
fn is_iso_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    let part = |text: &str, units: &str| {
        let mut left = units.chars();
        let amounts = text.split_inclusive(|c: char| c.is_ascii_alphabetic());
        amounts.into_iter().all(|amount| {
            let number = amount.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            digits && amount.chars().next_back().is_some_and(|unit| left.any(|other| other == unit))
        })
    };
    let some = !date.is_empty() || time.is_some();
    some && part(date, "YMWD") && time.is_none_or(|time| !time.is_empty() && part(time, "HMS"))
}

/// "1 day 02:15:00", "2h 15m".
fn is_spelled_duration(text: &str) -> bool {
    const UNITS: [&str; 10] =
        ["year", "mon", "month", "week", "day", "hour", "minute", "min", "second", "sec"];
    let unit = |text: &str| {
        let text = text.to_lowercase();
        let one = text.strip_suffix('s').unwrap_or(&text);
        UNITS.contains(&one) || ["y", "w", "d", "h", "m", "s", "ms"].contains(&text.as_str())
    };
    let number = |text: &str| text.parse::<i64>().is_ok();
    let (mut parts, mut units) = (text.split_whitespace().peekable(), 0);
    while let Some(part) = parts.next() {
        let digits = part.trim_end_matches(char::is_alphabetic);
        let named = match digits.len() == part.len() {
            true => number(part) && parts.next_if(|next| unit(next)).is_some(),
            false => number(digits) && unit(&part[digits.len()..]),
        };
        let clock = units > 0 && parts.peek().is_none() && is_clock(part);
        if !named && !clock {
            return false;
        }
        units += 1;
    }
    units > 0
}

/// "55.7558, 37.6173".
fn is_place(text: &str) -> bool {
    let inner = text.trim_start_matches('(').trim_end_matches(')');
    let Some((latitude, longitude)) = inner.split_once([',', ';', ' ']) else { return false };
    let degrees = |text: &str, most: f64| {
        let text = text.trim();
        text.contains('.') && text.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= most)
    };
    degrees(latitude, 90.0) && degrees(longitude, 180.0)
}

/// The numbers that stand in one place of texts of one form.
struct Place {
    least: u64,
    most: u64,
    /// Digits, zeros before the number included, where all have as many.
    width: Option<usize>,
    padded: bool,
    fraction: bool,
}

/// Texts with the same marks between their numbers are of one form; the form of most comes first.
fn numbers(values: &[&str]) -> String {
    // Of a network the prefix says which bits are 0: it belongs to the form.
    let form = |text: &str| {
        let end = text.find('/').unwrap_or(text.len());
        let mut form = String::new();
        for c in text[..end].chars() {
            match c {
                '0'..='9' if form.ends_with('\0') => {}
                '0'..='9' => form.push('\0'),
                c => form.push(c),
            }
        }
        form + &text[end..]
    };
    let mut forms: BTreeMap<String, (usize, Vec<Place>)> = BTreeMap::new();
    for text in values {
        let (count, places) = forms.entry(form(text)).or_default();
        *count += 1;
        let bare = text.split('/').next().unwrap_or_default();
        for (at, (run, fraction)) in runs(bare).enumerate() {
            let number = run.parse().unwrap_or(u64::MAX);
            let padded = run.len() > 1 && run.starts_with('0');
            match places.get_mut(at) {
                None => places.push(Place {
                    least: number,
                    most: number,
                    width: Some(run.len()),
                    padded,
                    fraction,
                }),
                Some(place) => {
                    place.least = place.least.min(number);
                    place.most = place.most.max(number);
                    place.width = place.width.filter(|&width| width == run.len());
                    place.padded |= padded;
                }
            }
        }
    }
    let mut forms: Vec<(usize, String)> =
        forms.into_iter().map(|(form, (count, places))| (count, written(&form, &places))).collect();
    forms.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    forms.into_iter().map(|form| form.1).collect::<Vec<_>>().join("|")
}

/// The runs of digits of a text, and whether each is a fraction: the second number of two with a point between them
/// and no third one behind.
fn runs(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let dotted = text.matches('.').count() == 3 && text.parse::<IpAddr>().is_ok();
    let runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.map(move |run| {
        let start = run.as_ptr() as usize - text.as_ptr() as usize;
        (run, !dotted && text[..start].ends_with('.'))
    })
}

fn written(form: &str, places: &[Place]) -> String {
    let mut places = places.iter();
    let mut pattern = String::new();
    for c in form.chars() {
        match c {
            '\0' => pattern.push_str(&places.next().map_or_else(String::new, Place::pattern)),
            c => pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern
}

impl Place {
    fn pattern(&self) -> String {
        let width = self.width.unwrap_or(0);
        if self.least == self.most {
            return format!("{:0width$}", self.least);
        }
        if self.fraction {
            return if width > 0 { format!("[0-9]{{{width}}}") } else { "[0-9]{1,6}".to_owned() };
        }
        if self.most - self.least >= MAX_LISTED_NUMBERS {
            let digits = self.least.to_string().len().max(1);
            // Numbers of as many digits as the least one, or one more, are not above the greatest.
            let most = self.most.to_string().len().saturating_sub(1).max(digits);
            return format!("[1-9][0-9]{{{},{}}}", digits - 1, most - 1);
        }
        let width = if self.padded { width.max(2) } else { 0 };
        let all: Vec<String> = (self.least..=self.most).map(|n| format!("{n:0width$}")).collect();
        format!("({})", all.join("|"))
    }
}

/// Parts of hexadecimal digits: those that all share stay.
fn hexadecimal(values: &[&str], varies: fn(&str) -> bool) -> String {
    let mark = if values.iter().any(|value| value.contains(':')) { ':' } else { '-' };
    let upper = values.iter().any(|value| value.contains(|c: char| c.is_ascii_uppercase()));
    let digits = if upper { "[0-9A-F]{2}" } else { "[0-9a-f]{2}" };
    let first: Vec<&str> = values.first().map_or_else(Vec::new, |value| value.split(mark).collect());
    let shared = |at: usize| values.iter().all(|value| value.split(mark).nth(at) == first.get(at).copied());
    let part = |(at, part): (usize, &&str)| {
        if shared(at) || !varies(part) { (*part).to_owned() } else { digits.to_owned() }
    };
    first.iter().enumerate().map(part).collect::<Vec<_>>().join(&mark.to_string())
}

/// Eight groups: those that all share from the first on stay.
fn ipv6(values: &[&str]) -> String {
    let segments = |text: &&str| {
        let address = text.split('/').next().unwrap_or_default();
        address.parse::<Ipv6Addr>().map(|address| address.segments()).unwrap_or_default()
    };
    let all: Vec<[u16; 8]> = values.iter().map(segments).collect();
    let shared = (0..8).take_while(|&at| all.iter().all(|other| other[at] == all[0][at])).count();
    let group = |at: usize| {
        let shared = at < shared || all.iter().all(|other| other[at] == all[0][at]);
        if shared { format!("{:x}", all[0][at]) } else { "[1-9a-f][0-9a-f]{3}".to_owned() }
    };
    (0..8).map(group).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::table::pattern::Pattern;

    fn new(values: &[&str], typed: Typed) -> Vec<String> {
        assert_eq!(recognise(values), Some(typed), "{values:?}");
        let pattern = Pattern::new(&pattern(typed, values)).unwrap();
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 16
        };
        let all: Vec<String> = (0..200).map(|_| pattern.draw(&mut random)).collect();
        let texts: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(recognise(&texts), Some(typed), "{texts:?}");
        all
    }

    #[test]
    fn new_texts_are_of_the_same_type() {
        let hosts = new(&["10.0.0.7", "10.0.3.250", "10.0.1.19"], Typed::Ip);
        assert!(hosts.iter().all(|host| host.starts_with("10.0.")), "{hosts:?}");
        let networks = new(&["10.1.0.0/16", "10.9.0.0/16", "192.168.4.0/24"], Typed::Ip);
        assert!(
            networks.iter().all(|net| net.ends_with(".0.0/16") || net.ends_with(".0/24")),
            "{networks:?}"
        );
        let six = new(&["2001:db8::1", "2001:db8::ff00:42:8329"], Typed::Ip);
        assert!(six.iter().all(|host| host.starts_with("2001:db8:")), "{six:?}");
        new(&["08:00:2b:01:02:03", "08:00:2b:aa:02:ff"], Typed::Mac);
        new(&["27:15:00", "3:00:59", "112:59:07"], Typed::Duration);
        new(&["PT1H30M", "PT45M", "P3DT2H", "PT59M"], Typed::Duration);
        new(&["1 day 02:15:00", "12 days 00:00:59", "3 days"], Typed::Duration);
        new(&["2h 15m", "1h 5m", "45m"], Typed::Duration);
        let places = new(&["55.7558, 37.6173", "-33.8688, 151.2093", "51.5072, -0.1276"], Typed::Place);
        assert!(places.iter().all(|place| place.contains(", ")), "{places:?}");
    }

    #[test]
    fn codes_and_words_are_not() {
        for text in ["10.0.0.256", "1.2.3", "7:61", "P", "PT", "AB-12", "95.1, 10.2", "12, 13", "aa:bb"] {
            assert_eq!(recognise(&[text]), None, "{text}");
        }
    }
}
