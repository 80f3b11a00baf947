//! What stands around the digits of numbers as people write them: currencies, units and percent, groups of
//! thousands, signs.
//!
//! A style takes the dress off a text, so that a plain number is left ("-1234.5"), and puts it on again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Scientific;

/// How numbers are dressed; the default is not at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberStyle {
    /// Before the digits, such as "$" or "USD ".
    pub prefix: String,
    /// After the digits, such as "%", " €" or " kg".
    pub suffix: String,
    /// Between groups of three digits.
    pub group: Option<char>,
    /// Groups of two digits above the last three: "12,34,567".
    pub indian: bool,
    /// Whole parts of four digits are not grouped: "1234", "12 345".
    pub from_five_digits: bool,
    pub negative: Negative,
    /// The minus sign, where it is none of ASCII.
    pub minus: Option<char>,
    /// Positive numbers have a sign, too.
    pub plus: bool,
    /// All have an exponent; that is no dress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scientific: Option<Scientific>,
}

/// Where negative numbers show that they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Negative {
    /// "-$5".
    #[default]
    Before,
    /// "$-5".
    Inside,
    /// "($5)".
    Parentheses,
    /// "5-".
    After,
}

const MINUS: [char; 3] = ['-', '\u{2212}', '\u{2013}'];
const GROUPS: [char; 8] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}', '_', '\u{66c}'];
/// Amounts of money are known by more than signs of currencies.
const CURRENCIES: [&str; 56] = [
    "US$", "R$", "A$", "C$", "NZ$", "HK$", "S$", "NT$", "kr", "kr.", "Kr", "Kr.", "Rs", "Rs.", "руб", "руб.",
    "р.", "р", "zł", "Kč", "Ft", "лв", "лв.", "грн", "грн.", "тг", "Fr.", "USD", "EUR", "GBP", "RUB", "RUR",
    "JPY", "CNY", "CHF", "INR", "BRL", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "TRY",
    "UAH", "KZT", "KRW", "MXN", "ZAR", "ILS", "AED", "SGD", "HKD",
];
/// Units are shorter than this.
const MAX_UNIT_CHARS: usize = 12;

/// Texts that "1.820" and "850" beside each other take to show that the point groups thousands.
const MIN_GROUPED_NUMBERS: usize = 5;

/// A text in its parts.
struct Parts<'a> {
    prefix: &'a str,
    body: &'a str,
    suffix: &'a str,
    negative: Option<(Negative, char)>,
    plus: bool,
}

impl NumberStyle {
    pub fn is_plain(&self) -> bool {
        *self == Self { scientific: self.scientific, ..Self::default() }
    }

    /// Whether it need not be saved.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the numbers are amounts of money or shares.
    pub fn is_known(&self) -> bool {
        is_currency(self.prefix.trim()) || is_currency(self.suffix.trim()) || self.suffix.trim() == "%"
    }

    /// The number of `text` without its dress, with "." before its fraction; `None` for one that is dressed otherwise.
    pub fn plain(&self, text: &str, point: char) -> Option<String> {
        let parts = split(text)?;
        if parts.prefix != self.prefix || parts.suffix != self.suffix {
            return None;
        }
        let (whole, fraction) = match parts.body.split_once(point) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (parts.body, None),
        };
        let mut plain = String::with_capacity(text.len());
        if parts.negative.is_some() {
            plain.push('-');
        }
        match self.group {
            Some(group) if whole.contains(group) => {
                let groups: Vec<&str> = whole.split(group).collect();
                if !well_grouped(&groups, self.indian) {
                    return None;
                }
                plain.extend(groups);
            }
            _ => plain.push_str(whole),
        }
        if let Some(fraction) = fraction {
            plain.push('.');
            plain.push_str(fraction);
        }
        Some(plain)
    }

    /// A plain number in this dress.
    pub fn dress(&self, plain: &str, point: char) -> String {
        let (negative, unsigned) = match plain.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, plain),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        let mut body = self.grouped(whole);
        if let Some(fraction) = fraction {
            body.push(point);
            body.push_str(fraction);
        }
        let Self { prefix, suffix, .. } = self;
        let minus = self.minus.unwrap_or('-');
        let zero = unsigned.bytes().all(|b| !(b'1'..=b'9').contains(&b));
        match self.negative {
            _ if !negative && self.plus && !zero => format!("+{prefix}{body}{suffix}"),
            _ if !negative => format!("{prefix}{body}{suffix}"),
            Negative::Before => format!("{minus}{prefix}{body}{suffix}"),
            Negative::Inside => format!("{prefix}{minus}{body}{suffix}"),
            Negative::Parentheses => format!("({prefix}{body}{suffix})"),
            Negative::After => format!("{prefix}{body}{minus}{suffix}"),
        }
    }

    fn grouped(&self, whole: &str) -> String {
        let Some(group) = self.group else { return whole.to_owned() };
        if self.from_five_digits && whole.len() < 5 || whole.bytes().any(|b| !b.is_ascii_digit()) {
            return whole.to_owned();
        }
        let mut grouped = String::with_capacity(whole.len() * 2);
        for (at, digit) in whole.chars().enumerate() {
            let left = whole.len() - at;
            let ends = left == 3 || left > 3 && (left - 3).is_multiple_of(if self.indian { 2 } else { 3 });
            if at > 0 && ends {
                grouped.push(group);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// The style of most of `texts`, with the character before their fractions; `None` where they are no
    /// dressed numbers.
    pub fn detect<'a>(texts: impl Iterator<Item = &'a str>) -> Option<(Self, char)> {
        let mut all: Vec<Parts> = texts.filter_map(split).collect();
        let (prefix, suffix) = most_frequent(all.iter().map(|parts| (parts.prefix, parts.suffix)))?;
        all.retain(|parts| (parts.prefix, parts.suffix) == (prefix, suffix));
        let known = is_currency(prefix.trim()) || is_currency(suffix.trim());
        let (group, point) = separators(&all, known);
        let bodies = || all.iter().map(|parts| parts.body.split(point).next().unwrap_or_default());
        let groups = || bodies().filter(|whole| group.is_some_and(|group| whole.contains(group)));
        let middle = |whole: &&str| {
            let mut groups = whole.split(|c| Some(c) == group).rev().skip(1).peekable();
            std::iter::from_fn(|| groups.next().filter(|_| groups.peek().is_some()))
                .any(|part| part.len() == 2)
        };
        let negative = most_frequent(all.iter().filter_map(|parts| parts.negative));
        let style = Self {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            group,
            indian: groups().any(|whole| middle(&whole)),
            from_five_digits: group.is_some()
                && bodies().any(|whole| whole.len() == 4 && whole.bytes().all(|b| b.is_ascii_digit()))
                && groups().all(|whole| whole.bytes().filter(u8::is_ascii_digit).count() > 4),
            negative: negative.map_or(Negative::default(), |found| found.0),
            minus: negative.map(|found| found.1).filter(|&minus| minus != '-' && minus != '('),
            plus: all.iter().any(|parts| parts.plus),
            scientific: None,
        };
        Some((style, point))
    }
}

/// Whether the point of plain numbers groups thousands instead: "71.820" beside "850". Who writes no zeros at the
/// end of a fraction would write "71.82", and who writes all of them "850.000".
pub fn dot_groups<'a>(texts: impl Iterator<Item = &'a str>) -> bool {
    let (mut grouped, mut zeros, mut small) = (0, false, false);
    for text in texts {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        match unsigned.split_once('.') {
            None if unsigned.len() <= 3 => small = true,
            Some((whole, fraction)) if fraction.len() == 3 && fits_group(whole) => {
                grouped += 1;
                zeros |= fraction.ends_with('0');
            }
            _ => return false,
        }
    }
    grouped >= MIN_GROUPED_NUMBERS && zeros && small
}

fn fits_group(whole: &str) -> bool {
    (1..=3).contains(&whole.len()) && !whole.starts_with('0')
}

fn well_grouped(groups: &[&str], indian: bool) -> bool {
    let last = groups.len() - 1;
    groups.iter().enumerate().all(|(at, group)| {
        let digits = group.bytes().all(|b| b.is_ascii_digit());
        let inner = if indian { 2 } else { 3 };
        digits
            && match at {
                0 => fits_group(group) && (group.len() <= inner || last == 1),
                _ if at == last => group.len() == 3,
                _ => group.len() == inner,
            }
    })
}

/// The parts of a text that is one number, with a currency or a unit beside it.
fn split(text: &str) -> Option<Parts<'_>> {
    let (text, parentheses) = match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let digit = |c: char| c.is_ascii_digit();
    let mut start = text.find(digit)?;
    if text[..start].ends_with(['.', ',']) && !text[..start - 1].ends_with(char::is_alphabetic) {
        start -= 1;
    }
    let rest = &text[start..];
    let inside = |c: char| digit(c) || c == '.' || c == ',' || GROUPS.contains(&c);
    let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
    let end = rest[..end].rfind(digit)? + 1;
    let (before, body, after) = (&text[..start], &rest[..end], &rest[end..]);
    let (before, mut sign) = match before.strip_prefix(is_sign) {
        Some(left) => (left, before.chars().next().map(|c| (Negative::Before, c))),
        None => (before, None),
    };
    let (before, after) = match (before.strip_suffix(is_sign), after.strip_prefix(is_sign)) {
        (Some(left), _) if sign.is_none() => {
            sign = before.chars().next_back().map(|c| (Negative::Inside, c));
            (left, after)
        }
        (None, Some(left)) if sign.is_none() => {
            sign = after.chars().next().map(|c| (Negative::After, c));
            (before, left)
        }
        _ => (before, after),
    };
    let plus = sign.is_some_and(|sign| sign.1 == '+');
    let negative = match parentheses {
        true if sign.is_some() => return None,
        true => Some((Negative::Parentheses, '(')),
        false => sign.filter(|_| !plus),
    };
    let fits =
        is_prefix(before) && is_suffix(after) && !(plus && sign.is_some_and(|s| s.0 == Negative::After));
    fits.then_some(Parts { prefix: before, body, suffix: after, negative, plus })
}

fn is_sign(c: char) -> bool {
    c == '+' || MINUS.contains(&c)
}

/// Only money has something before it: "A9" and "CUST-17" are codes.
fn is_prefix(text: &str) -> bool {
    let inner = text.trim_end();
    text.is_empty() || is_currency(inner)
}

fn is_suffix(text: &str) -> bool {
    let inner = text.trim_start();
    let unit = |c: char| c.is_alphabetic() || "%‰°²³/·.µ″′\"'".contains(c);
    let named = inner.contains(|c: char| c.is_alphabetic() || "%‰°″′\"".contains(c));
    let begins = inner.starts_with(|c: char| c != '/' && c != '.');
    text.is_empty()
        || is_currency(inner)
        || begins && named && inner.chars().all(unit) && inner.chars().count() < MAX_UNIT_CHARS
}

/// A sign, a code or an abbreviation of a currency.
fn is_currency(text: &str) -> bool {
    let mut letters = text.chars();
    let sign = |c: char| matches!(c, '$' | '¢'..='¥' | '֏' | '؋' | '৳' | '฿' | '₠'..='⃀' | '￥');
    CURRENCIES.contains(&text) || letters.next().is_some_and(sign) && letters.next().is_none()
}

/// How often a point or a comma can only group, can only begin a fraction, or may do either.
#[derive(Clone, Copy, Default)]
struct Votes {
    group: usize,
    point: usize,
    either: usize,
}

/// What stands between thousands and before fractions.
fn separators(all: &[Parts], money: bool) -> (Option<char>, char) {
    let mut votes: HashMap<char, Votes> = HashMap::new();
    let mut small = 0;
    for parts in all {
        let marks: Vec<(usize, char)> =
            parts.body.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
        small += usize::from(marks.is_empty() && parts.body.len() <= 3);
        for (i, &(at, mark)) in marks.iter().enumerate() {
            let vote = votes.entry(mark).or_default();
            let same = marks.iter().filter(|other| other.1 == mark).count();
            let (whole, fraction) = (&parts.body[..at], &parts.body[at + mark.len_utf8()..]);
            match () {
                () if mark != '.' && mark != ',' => vote.group += 1,
                () if same > 1 || i + 1 < marks.len() => vote.group += 1,
                () if marks.len() > 1 || fraction.len() != 3 || !fits_group(whole) => vote.point += 1,
                () => vote.either += 1,
            }
        }
    }
    let of = |mark: char| votes.get(&mark).copied().unwrap_or_default();
    let (dot, comma) = (of('.'), of(','));
    let blank = votes.iter().filter(|(mark, _)| **mark != '.' && **mark != ',');
    if let Some((&blank, _)) = blank.max_by_key(|(mark, votes)| (votes.group, **mark)) {
        let point = if comma.point + comma.either > dot.point + dot.either { ',' } else { '.' };
        return (Some(blank), point);
    }
    if comma.group > comma.point || dot.group > dot.point {
        return if comma.group >= dot.group { (Some(','), '.') } else { (Some('.'), ',') };
    }
    match (dot.point, comma.point) {
        (0, 0) if comma.either > 0 => (Some(','), '.'),
        (0, 0) if dot.either > 0 && (money || small > 0) => (Some('.'), ','),
        (dots, commas) if commas > dots => (Some('.').filter(|_| dot.either > 0), ','),
        _ => (Some(',').filter(|_| comma.either > 0), '.'),
    }
}

fn most_frequent<T: Eq + std::hash::Hash + Copy>(items: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: HashMap<T, (usize, std::cmp::Reverse<usize>)> = HashMap::new();
    for (at, item) in items.enumerate() {
        counts.entry(item).or_insert((0, std::cmp::Reverse(at))).0 += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(item, _)| item)
}
