//! Identifiers: what they are, and the format in which new ones are made.

use std::collections::{HashMap, HashSet};

use super::IdFormat;

/// Shapes of identifiers that new ones take; the most frequent are kept.
const MOST_SHAPES: usize = 100;
/// Identifiers of so few shapes are codes rather than words.
const FEW_SHAPES: usize = 3;
/// Numbered texts that leave more gaps than this a number are random rather than counted; a few thousand
/// numbers are always counted.
const SPARSE: i64 = 20;
const SPARSE_FROM: i64 = 1000;

/// What the texts of a column identify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifier {
    Uuid,
    Email,
    Phone,
    /// Texts of the same shape, such as "CUST-000123".
    Code,
}

/// What all of `values` are.
pub fn recognise(values: &[&str]) -> Option<Identifier> {
    let all = |is: fn(&str) -> bool| values.iter().all(|value| is(value));
    match () {
        () if values.is_empty() => None,
        () if all(is_uuid) => Some(Identifier::Uuid),
        () if all(is_email) => Some(Identifier::Email),
        () if all(is_phone) => Some(Identifier::Phone),
        () if all(is_code) && few_shapes(values) => Some(Identifier::Code),
        () => None,
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        let plain = |part: &str| !part.is_empty() && !part.contains(['@', ' ']);
        plain(name) && plain(domain) && domain.contains('.')
    })
}

fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let signs = text.bytes().all(|b| b.is_ascii_digit() || b"+-() /".contains(&b));
    signs && digits < text.len() && (7..=15).contains(&digits)
}

fn is_code(text: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "-_./:#".contains(c);
    text.len() <= 128 && text.contains(|c: char| c.is_ascii_digit()) && text.chars().all(fits)
}

/// How new identifiers like `values` are made.
pub fn format(values: &[&str]) -> IdFormat {
    if !values.is_empty() && values.iter().all(|value| is_uuid(value)) {
        return IdFormat::Uuid {
            upper: values.iter().any(|value| value.contains(|c: char| c.is_ascii_uppercase())),
        };
    }
    counter(values).unwrap_or_else(|| IdFormat::Pattern { regex: pattern(values) })
}

/// A fixed prefix and a number that is counted on.
fn counter(values: &[&str]) -> Option<IdFormat> {
    let prefix = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let first = values.first()?;
    let at = prefix(first);
    let start = &first[..at];
    if start == "-" || values.iter().any(|value| !value.starts_with(start) || prefix(value) != at) {
        return None;
    }
    let digits = || values.iter().map(|value| &value[at..]);
    let numbers = digits().map(|digits| digits.parse().ok()).collect::<Option<Vec<i64>>>()?;
    let (least, largest) = (numbers.iter().min()?, numbers.iter().max()?);
    let padded = digits().any(|digits| digits.len() > 1 && digits.starts_with('0'));
    let width = digits().map(str::len).max()?;
    if padded && digits().any(|digits| digits.len() != width) {
        return None;
    }
    let written = padded || at > 0;
    let sparse = largest.saturating_sub(*least) / SPARSE > SPARSE_FROM.max(numbers.len() as i64);
    if written && sparse {
        return None;
    }
    let width = if padded { u8::try_from(width).ok()? } else { 0 };
    Some(IdFormat::Counter { prefix: start.to_owned(), width, next: largest.checked_add(1)? })
}

/// A regular expression of the shapes that `values` have. Texts with the same classes of characters in the
/// same order are one shape, however long the runs are.
fn pattern(values: &[&str]) -> String {
    let classes = Classes::of(values);
    let mut shapes: HashMap<Vec<String>, (usize, Vec<Run>)> = HashMap::new();
    for value in values {
        let runs = classes.runs(value);
        let key = runs.iter().map(|run| run.class.clone()).collect();
        let (count, all) = shapes.entry(key).or_insert_with(|| (0, runs.clone()));
        *count += 1;
        for (all, run) in all.iter_mut().zip(&runs) {
            *all = Run {
                class: run.class.clone(),
                least: all.least.min(run.least),
                most: all.most.max(run.most),
            };
        }
    }
    let write = |(count, runs): (usize, Vec<Run>)| (count, runs.iter().map(Run::regex).collect::<String>());
    let mut shapes: Vec<(usize, String)> = shapes.into_values().map(write).collect();
    shapes.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    shapes.truncate(MOST_SHAPES);
    shapes.into_iter().map(|(_, regex)| regex).collect::<Vec<_>>().join("|")
}

/// Characters of one class in a row, or a text that stays as it is.
#[derive(Clone)]
struct Run {
    class: String,
    least: usize,
    most: usize,
}

impl Run {
    fn regex(&self) -> String {
        let Self { class, least, most } = self;
        match (*least, *most) {
            (1, 1) => class.clone(),
            (least, most) if least == most => format!("{class}{{{least}}}"),
            _ => format!("{class}{{{least},{most}}}"),
        }
    }
}

/// Which characters may take each other's place.
struct Classes {
    hex: Option<&'static str>,
    /// What follows the "@" stays as it is.
    email: bool,
}

impl Classes {
    fn of(values: &[&str]) -> Self {
        let digits = |class: &'static str, letters: std::ops::RangeInclusive<char>| {
            let fits = |c: char| !c.is_ascii_alphanumeric() || c.is_ascii_digit() || letters.contains(&c);
            let all = values.iter().all(|text| text.len() >= 8 && text.is_ascii() && text.chars().all(fits));
            (all && values.iter().any(|text| text.contains(|c| letters.contains(&c)))).then_some(class)
        };
        Self {
            hex: digits("[0-9a-f]", 'a'..='f').or_else(|| digits("[0-9A-F]", 'A'..='F')),
            email: values.iter().all(|value| is_email(value)),
        }
    }

    fn runs(&self, text: &str) -> Vec<Run> {
        let free = if self.email { text.find('@').unwrap_or(text.len()) } else { text.len() };
        let mut runs: Vec<Run> = Vec::new();
        for c in text[..free].chars() {
            match (self.class(c), runs.last_mut()) {
                (Some(class), Some(last)) if last.class == class => {
                    last.least += 1;
                    last.most += 1;
                }
                (Some(class), _) => runs.push(Run { class: class.to_owned(), least: 1, most: 1 }),
                (None, _) => runs.push(literal(c.encode_utf8(&mut [0; 4]))),
            }
        }
        if free < text.len() {
            runs.push(literal(&text[free..]));
        }
        runs
    }

    /// The class of a character that is not part of the form.
    fn class(&self, c: char) -> Option<&'static str> {
        match c {
            _ if self.hex.is_some() && c.is_ascii_alphanumeric() => self.hex,
            'a'..='z' => Some("[a-z]"),
            'A'..='Z' => Some("[A-Z]"),
            '0'..='9' => Some("[0-9]"),
            'а'..='я' => Some("[а-я]"),
            'А'..='Я' => Some("[А-Я]"),
            _ => None,
        }
    }
}

fn literal(text: &str) -> Run {
    Run { class: regex::escape(text), least: 1, most: 1 }
}

/// Whether all are of one shape or a few: the same classes of characters in runs of the same length.
fn few_shapes(values: &[&str]) -> bool {
    // Digests differ in where their letters are: their length is their shape.
    let digest = values.iter().all(|v| v.len() >= 16 && v.bytes().all(|b| b.is_ascii_hexdigit()));
    let classes = Classes { hex: None, email: false };
    let mut shapes = HashSet::new();
    values.iter().all(|value| {
        let shape = match digest {
            true => value.len().to_string(),
            false => classes.runs(value).iter().map(Run::regex).collect(),
        };
        shapes.insert(shape);
        shapes.len() <= FEW_SHAPES
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(prefix: &str, width: u8, next: i64) -> IdFormat {
        IdFormat::Counter { prefix: prefix.to_owned(), width, next }
    }

    fn regex(regex: &str) -> IdFormat {
        IdFormat::Pattern { regex: regex.to_owned() }
    }

    #[test]
    fn formats_are_those_of_the_values() {
        assert_eq!(format(&["7", "12", "9"]), counter("", 0, 13));
        assert_eq!(format(&["CUST-000123", "CUST-000007"]), counter("CUST-", 6, 124));
        assert_eq!(format(&["A9", "A10"]), counter("A", 0, 11));
        assert_eq!(format(&["AB-12-X", "CD-34-Y"]), regex("[A-Z]{2}\\-[0-9]{2}\\-[A-Z]"));
        assert_eq!(format(&["K-918273645", "K-123456789"]), regex("[A-Z]\\-[0-9]{9}"));
        assert_eq!(format(&["18446744073709551615", "28446744073709551615"]), regex("[0-9]{20}"));
        assert_eq!(format(&["ab12@x.org", "cd@x.org"]), regex("[a-z]{2}@x\\.org|[a-z]{2}[0-9]{2}@x\\.org"));
        assert_eq!(format(&["Ann@yahoo.org", "Bobby@yahoo.org"]), regex("[A-Z][a-z]{2,4}@yahoo\\.org"));
        assert_eq!(format(&["d41d8cd98f00b204", "e9800998ecf8427e"]), regex("[0-9a-f]{16}"));
        let uuid = "6F9619FF-8B86-D011-B42D-00CF4FC964FF";
        assert_eq!(format(&[uuid]), IdFormat::Uuid { upper: true });
    }

    #[test]
    fn recognises_identifiers() {
        assert_eq!(recognise(&["a@b.org", "c.d@e.com"]), Some(Identifier::Email));
        assert_eq!(recognise(&["+7 912 345-67-89", "(555) 123-4567"]), Some(Identifier::Phone));
        assert_eq!(recognise(&["AB-12", "CD-99"]), Some(Identifier::Code));
        assert_eq!(recognise(&["d41d8cd98f00b204e9800998ecf8427e"]), Some(Identifier::Code));
        assert_eq!(recognise(&["Ann Lee", "Bob"]), None);
        assert_eq!(recognise(&["see 7", "x"]), None);
    }
}
