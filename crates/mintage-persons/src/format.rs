//! How the values of a column are written: patterns with slots, learned from the source.
//!
//! A pattern holds no word of the source: slots, punctuation, and marks that this crate knows ("ул.", "Apt", "Dr."). Digits
//! that nearly all values share (the `+7 9` of mobile numbers) stay.

pub(crate) mod address;
pub(crate) mod handle;
pub(crate) mod name;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    digits::{content, shape},
    kind::Personal,
    locale::{Locale, countries},
    russian::Case,
    secret,
    text::{Letters, handle as ascii_handle},
};

/// Patterns of a column, at most: the frequent ones.
const MAX_PATTERNS: usize = 24;
/// Values of one shape that must share a digit for it to stay.
const MIN_SHARING: usize = 8;
/// Leading digits that may stay.
const MAX_SHARED_DIGITS: usize = 4;
/// Values that must be plain ASCII before accents are taken to be unwanted.
const MIN_ASCII: usize = 12;

/// How the values of a column are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// What is drawn from for each new value: "{family} {g}. {p}.", "+7 (9##) ###-##-##", "{house:3} {street}".
    pub patterns: Vec<Pattern>,
    pub letters: Letters,
    /// Whether letters are those of ASCII only.
    pub ascii: bool,
    /// The grammatical case of Russian names.
    pub case: Case,
}

/// One way of writing and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    pub text: String,
    pub weight: u32,
}

/// The names in the other columns of the table, as they stand in logins: `jsmith` is told apart by them.
#[derive(Default)]
pub(crate) struct Names {
    pub given: HashSet<String>,
    pub family: HashSet<String>,
}

impl Names {
    pub fn add(&mut self, what: Personal, values: &[&str]) {
        let into = match what {
            Personal::GivenName => &mut self.given,
            Personal::FamilyName => &mut self.family,
            _ => return,
        };
        into.extend(values.iter().map(|value| ascii_handle(value)).filter(|name| name.len() > 1));
    }
}

impl Format {
    /// The format of all of `values`; `header` are the words of the column's name.
    pub(crate) fn of(
        what: Personal,
        values: &[&str],
        locale: Locale,
        names: &Names,
        header: &[String],
    ) -> Self {
        let texts: Vec<String> = match what {
            Personal::Phone => return Self::of_shapes(shapes(values)),
            Personal::FullName => {
                let given_first = name::given_first(values, locale);
                let pattern = |value: &&str| name::parse(value, given_first).map(|parsed| parsed.pattern);
                values.iter().filter_map(pattern).collect()
            }
            Personal::Email => handle::email_patterns(values, names),
            Personal::UserName => values.iter().map(|value| handle::pattern(value, names)).collect(),
            Personal::Street | Personal::FullAddress => {
                let full = what == Personal::FullAddress;
                values
                    .iter()
                    .filter_map(|value| address::parse(value, full, locale).map(|parsed| parsed.pattern))
                    .collect()
            }
            Personal::Secret => secret::patterns(values),
            _ => values.iter().map(|value| simple(what, value)).collect(),
        };
        let named = Case::named(header);
        let case = named.or_else(|| Case::of(values)).filter(|_| what.is_name()).unwrap_or_default();
        let ascii = values.len() >= MIN_ASCII && values.iter().all(|value| value.is_ascii());
        let written: Vec<&str> = match what {
            Personal::Email => values.iter().filter_map(|value| value.split('@').next()).collect(),
            _ => values.to_vec(),
        };
        Self { patterns: counted(texts), letters: Letters::of(&written), ascii, case }
    }

    fn of_shapes(texts: Vec<String>) -> Self {
        Self { patterns: counted(texts), ..Self::default() }
    }

    /// The format of one value: what a mask keeps.
    pub(crate) fn of_one(what: Personal, value: &str, locale: Locale) -> Self {
        let mut format = Self::of(what, &[value], locale, &Names::default(), &[]);
        format.ascii = value.is_ascii();
        format.case = Case::default();
        format
    }
}

/// The patterns and how often each comes, the most frequent first; rare ones are left out.
fn counted(texts: Vec<String>) -> Vec<Pattern> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let total = texts.len() as u32;
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        *counts.entry(text).or_default() += 1;
    }
    let mut patterns: Vec<Pattern> =
        counts.into_iter().map(|(text, weight)| Pattern { text, weight }).collect();
    patterns.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.text.cmp(&b.text)));
    let rare = |pattern: &Pattern| pattern.weight * 200 < total;
    patterns.retain(|pattern| !rare(pattern));
    patterns.truncate(MAX_PATTERNS);
    patterns
}

/// Shapes of telephone numbers: calling codes stay, and leading digits that the numbers of a shape share.
fn shapes(values: &[&str]) -> Vec<String> {
    let mut by_shape: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for value in values {
        by_shape.entry(phone_shape(value)).or_default().push(value);
    }
    let mut shapes = Vec::with_capacity(values.len());
    for (shape, values) in by_shape {
        let shared = if values.len() < MIN_SHARING { String::new() } else { shared_digits(&values) };
        let shape = with_digits(&shape, &shared);
        shapes.extend(std::iter::repeat_n(shape, values.len()));
    }
    shapes
}

/// "+44 20 7946 0958" is "+44 ## #### ####": the calling code stays.
fn phone_shape(value: &str) -> String {
    let plain = shape(value).replace('A', "#").replace('a', "x");
    match calling_code(value) {
        Some(code) => with_digits(&plain, code),
        None => plain,
    }
}

/// The calling code of a number that begins with "+".
pub(crate) fn calling_code(value: &str) -> Option<&'static str> {
    let digits = content(value.trim().strip_prefix('+')?);
    let codes = countries().iter().map(|country| country.calling);
    codes.filter(|code| digits.starts_with(code)).max_by_key(|code| code.len())
}

fn shared_digits(values: &[&str]) -> String {
    let digits: Vec<String> = values.iter().map(|value| content(value)).collect();
    let Some(first) = digits.first() else { return String::new() };
    let same = |n: &usize| digits.iter().all(|other| other.get(..*n) == first.get(..*n));
    let n = (0..=MAX_SHARED_DIGITS.min(first.len())).rev().find(same).unwrap_or(0);
    first[..n].to_owned()
}

/// The shape with its first signs replaced by these digits.
fn with_digits(shape: &str, digits: &str) -> String {
    let mut digits = digits.chars();
    let replace = |c: char| match c {
        '#' => digits.next().unwrap_or('#'),
        c if c.is_ascii_digit() => digits.next().unwrap_or(c),
        c => c,
    };
    shape.chars().map(replace).collect()
}

/// The pattern of kinds whose values are one word or number.
fn simple(what: Personal, value: &str) -> String {
    match what {
        Personal::Iban => {
            let country = value.get(..2).unwrap_or("DE").to_uppercase();
            format!("{country}{}", shape(value.get(2..).unwrap_or_default()))
        }
        Personal::Card | Personal::National(_) | Personal::Postcode => shape(value),
        Personal::Mac => value.chars().map(|c| if c.is_ascii_hexdigit() { '#' } else { c }).collect(),
        Personal::Ip => match value.parse() {
            Ok(std::net::IpAddr::V4(ip)) if ip.is_private() => "private".to_owned(),
            Ok(std::net::IpAddr::V6(_)) => "v6".to_owned(),
            _ => "v4".to_owned(),
        },
        Personal::Url => url(value),
        Personal::City => match value.strip_prefix("г.") {
            Some(rest) => format!("г.{}{{city}}", if rest.starts_with(' ') { " " } else { "" }),
            None => "{city}".to_owned(),
        },
        Personal::Region => {
            let short = (2..=3).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_uppercase());
            if short { "{abbreviation}".to_owned() } else { "{region}".to_owned() }
        }
        // "David Allan": what somebody is called by, and the name behind it.
        Personal::GivenName if value.split_whitespace().count() == 2 => "{given} {middle}".to_owned(),
        Personal::GivenName => "{given}".to_owned(),
        Personal::MiddleName => match value.chars().filter(|c| c.is_alphabetic()).count() {
            1 if value.ends_with('.') => "{m}.".to_owned(),
            1 => "{m}".to_owned(),
            _ => "{middle}".to_owned(),
        },
        Personal::Company => company(value),
        _ => String::new(),
    }
}

fn url(value: &str) -> String {
    let (scheme, rest) = value.split_once("://").map_or(("", value), |(scheme, rest)| (scheme, rest));
    let scheme = if ["http", "https"].contains(&scheme) { format!("{scheme}://") } else { String::new() };
    let www = if rest.starts_with("www.") { "www." } else { "" };
    let path = match rest.split_once('/') {
        Some((_, "")) => "/",
        Some(_) => "/{user}",
        None => "",
    };
    format!("{scheme}{www}{{host}}{path}")
}

fn company(value: &str) -> String {
    let russian = ["ООО", "ОАО", "ЗАО", "ПАО", "АО", "ИП", "НКО"];
    let formed = russian.iter().any(|form| value.starts_with(form));
    match () {
        () if value.contains('«') && formed => "{end} «{company}»".to_owned(),
        () if value.contains('"') && formed => "{end} \"{company}\"".to_owned(),
        () if formed => "{end} {company}".to_owned(),
        () if value.contains('«') => "«{company}»".to_owned(),
        () if value.contains('"') => "\"{company}\"".to_owned(),
        () if value.split_whitespace().count() > 1 => "{company} {end}".to_owned(),
        () => "{company}".to_owned(),
    }
}

/// The pattern with what `fill` says for each slot; `fill` is given the slot's name and what follows its colon. None where
/// `fill` has nothing for a slot.
pub(crate) fn render(pattern: &str, mut fill: impl FnMut(&str, &str) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (slot, after) = after.split_once('}')?;
        let (slot, detail) = slot.split_once(':').unwrap_or((slot, ""));
        text.push_str(before);
        text.push_str(&fill(slot, detail)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// A value taken apart: its pattern, and what stood in the slots.
pub(crate) struct Parsed<'a> {
    pub pattern: String,
    pub parts: Vec<(&'static str, &'a str)>,
}

impl<'a> Parsed<'a> {
    pub fn part(&self, slot: &str) -> Option<&'a str> {
        self.parts.iter().find(|(name, _)| *name == slot).map(|(_, text)| *text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shapes_keep_what_all_share() {
        let values: Vec<String> =
            (0..20).map(|i| format!("+7 (9{:02}) 123-45-{:02}", i * 3 % 100, i)).collect();
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        let format = Format::of(Personal::Phone, &texts, Locale::RuRu, &Names::default(), &[]);
        assert_eq!(format.patterns[0].text, "+7 (9##) ###-##-##");
        let one = Format::of_one(Personal::Phone, "+44 20 7946 0958", Locale::EnGb);
        assert_eq!(one.patterns[0].text, "+44 ## #### ####");
    }

    #[test]
    fn patterns_are_rendered() {
        let filled = render("{a} x {b:3}.", |slot, detail| Some(format!("{slot}{detail}")));
        assert_eq!(filled.unwrap(), "a x b3.");
        assert_eq!(render("{a", |_, _| None), None);
        assert_eq!(simple(Personal::Url, "https://www.acme.com/anna"), "https://www.{host}/{user}");
    }
}
