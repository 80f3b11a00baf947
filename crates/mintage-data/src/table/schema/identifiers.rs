//! Identifiers: what they are, and the format in which new ones are made.

mod counters;
mod dated;
mod places;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{IdFormat, typed};
use crate::table::{Declaration, check_digits::CheckDigits, fresh::Known};

/// Shapes of identifiers that new ones take; the most frequent are kept.
const MAX_SHAPES: usize = 100;
/// Identifiers of so few shapes are codes rather than words.
const FEW_SHAPES: usize = 3;
/// So many values tell which characters there may be at a place; a character of fewer is a chance.
const MIN_VALUES_PER_PLACE: usize = 50;
const MIN_CHARACTER_COUNT: usize = 3;
/// Of values that differ in shape, shapes of fewer are those of single values.
const SHARED_SHAPE: usize = 5;
/// Whole numbers of more characters are no quantities, however many lengths they have.
const MAX_QUANTITY_CHARS: usize = 16;
/// Shares of letters among hexadecimal digits, and how often a letter follows a digit or a digit a letter.
const HEX_LETTERS: std::ops::RangeInclusive<f64> = 0.15..=0.6;
const HEX_CHANGES: f64 = 0.2;

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
        () if CheckDigits::find(values).is_some() => Some(Identifier::Code),
        () if all(is_uuid) => Some(Identifier::Uuid),
        () if all(is_email) => Some(Identifier::Email),
        () if all(is_phone) => Some(Identifier::Phone),
        () if all(is_code) && few_shapes(values) => Some(Identifier::Code),
        () if all(is_whole) && values.iter().any(|value| value.len() > MAX_QUANTITY_CHARS) => {
            Some(Identifier::Code)
        }
        () if places::of_one_length(values) => Some(Identifier::Code),
        () => None,
    }
}

/// Whether a text is a UUID as programs write it.
pub(crate) fn is_uuid(text: &str) -> bool {
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

/// Whether an e-mail address stands in a text, alone or among other things.
pub fn holds_email(text: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "\"'<>(),;:{}[]/?=&".contains(c);
    text.contains('@') && text.split(ends).any(is_email)
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

/// A whole number as programs write it.
fn is_whole(text: &str) -> bool {
    text.parse::<i128>().is_ok_and(|number| number.to_string() == text)
}

/// How new identifiers like `values` are made, in the range of the column's type.
pub fn format(values: &[&str], declaration: &Declaration) -> IdFormat {
    // Minutes stay below 60, and addresses within their network.
    if let Some(typed) = typed::recognise(values) {
        return IdFormat::Pattern { regex: typed::pattern(typed, values) };
    }
    let check = CheckDigits::find(values);
    let known = || Known::of(values.iter().copied());
    if !values.is_empty() && values.iter().all(|value| is_uuid(value)) {
        // Of another version than random ones are: its parts stay what they are.
        let random = values.iter().any(|value| value.as_bytes()[14] == b'4');
        if let Some(regex) = places::pattern(values).filter(|_| !random) {
            return IdFormat::Code { regex, check: None, known: known() };
        }
        return IdFormat::Uuid {
            upper: values.iter().any(|value| value.contains(|c: char| c.is_ascii_uppercase())),
        };
    }
    let random = || number(values, None).map(|(low, span)| IdFormat::Number { low, span, known: known() });
    let code = || {
        let regex = if check == Some(CheckDigits::Iban) { accounts(values) } else { pattern(values) };
        IdFormat::Code { regex, check, known: known() }
    };
    if check.is_some() {
        return code();
    }
    let counted = counters::counter(values).or_else(random).unwrap_or_else(code);
    match (&counted, largest(declaration)) {
        // There is not much left above: others in the range of the type.
        (IdFormat::Counter { prefix, width: 0, next, .. }, Some(largest))
            if prefix.is_empty() && largest.saturating_sub(*next) < 4 * values.len() as i64 =>
        {
            number(values, Some(largest)).map_or(counted, |(low, span)| IdFormat::Number {
                low,
                span,
                known: known(),
            })
        }
        _ => counted,
    }
}

/// What the format is in words: "counted on from A-0125", "in the form [A-Z]{2}[0-9]{4}".
pub fn form(format: &IdFormat) -> String {
    match format {
        IdFormat::Counter { prefix, width, next, .. } => {
            format!("counted on from {prefix}{next:0width$}", width = usize::from(*width))
        }
        IdFormat::Free { prefix, width, low, high, .. } => {
            let text = |number: &i64| format!("{prefix}{number:0width$}", width = usize::from(*width));
            format!("others from {} to {}", text(low), text(high))
        }
        IdFormat::Number { low, span, .. } => {
            format!("others from {low} to {}", i128::from(*low) + i128::from(*span))
        }
        IdFormat::Uuid { .. } => "as random UUIDs".to_owned(),
        IdFormat::Pattern { regex } | IdFormat::Code { regex, .. } => {
            let check = if matches!(format, IdFormat::Code { check: Some(_), .. }) {
                ", with right check digits"
            } else {
                ""
            };
            const MAX_SHOWN_CHARS: usize = 60;
            match regex.char_indices().nth(MAX_SHOWN_CHARS) {
                None => format!("in the form {regex}{check}"),
                Some((end, _)) => format!("in the form {}…{check}", &regex[..end]),
            }
        }
        IdFormat::Date { pattern, .. } => format!("as dates of the calendar, written {pattern}"),
        IdFormat::Text { .. } => "of parts that many share".to_owned(),
        IdFormat::Empty { .. } => "left empty".to_owned(),
        IdFormat::Reference => "one of those seen".to_owned(),
    }
}

/// The largest whole number of a type whose name says so.
fn largest(declaration: &Declaration) -> Option<i64> {
    let native = declaration.native.as_deref()?.to_lowercase();
    let name = native.split('(').next().unwrap_or_default().trim();
    match name {
        "tinyint" | "int8_t" => Some(i64::from(i8::MAX)),
        "smallint" | "int2" | "smallserial" | "int16" => Some(i64::from(i16::MAX)),
        "integer" | "int" | "int4" | "serial" | "int32" => Some(i64::from(i32::MAX)),
        _ => None,
    }
}

/// The least of whole numbers, and how far the largest, or `largest`, is above it.
fn number(values: &[&str], largest: Option<i64>) -> Option<(i64, u64)> {
    let whole = |text: &&str| text.parse::<i128>().ok().filter(|number| number.to_string() == **text);
    let numbers = values.iter().map(whole).collect::<Option<Vec<i128>>>()?;
    let (mut low, mut high) = (*numbers.iter().min()?, *numbers.iter().max()?);
    if let Some(largest) = largest {
        (low, high) = (low.min(1), i128::from(largest).max(high));
    }
    Some((i64::try_from(low).ok()?, u64::try_from(high - low).ok()?))
}

/// A regular expression of the shapes that `values` have. Texts with the same classes of characters in the
/// same order are one shape, however long the runs are. What nearly all texts of a shape have at a place stays.
fn pattern(values: &[&str]) -> String {
    if let Some(regex) = dated::pattern(values, pattern) {
        return regex;
    }
    let classes = Classes::of(values);
    if !few_shapes(values)
        && let Some(regex) = places::pattern(values)
    {
        return regex;
    }
    let mut shapes: HashMap<Vec<String>, Shape> = HashMap::new();
    for value in values {
        let runs = classes.runs(value);
        shapes.entry(runs.iter().map(|run| run.class.clone()).collect()).or_default().add(runs);
    }
    let mut shapes: Vec<Shape> = shapes.into_values().collect();
    // The shape of a single value may be a name.
    if shapes.iter().any(|shape| shape.count >= SHARED_SHAPE) {
        shapes.retain(|shape| shape.count >= SHARED_SHAPE);
    }
    let write = |shape: Shape| (shape.count, shape.runs.iter().map(Run::regex).collect::<String>());
    let mut shapes: Vec<(usize, String)> = shapes.into_iter().map(write).collect();
    shapes.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    shapes.truncate(MAX_SHAPES);
    shapes.into_iter().map(|(_, regex)| regex).collect::<Vec<_>>().join("|")
}

/// A regular expression of bank accounts: a country has its own length, and its own form behind the check digits.
fn accounts(values: &[&str]) -> String {
    let mut forms: BTreeMap<(&str, usize), Vec<&str>> = BTreeMap::new();
    for value in values {
        // Letters, digits and signs of ASCII: all have right check digits.
        forms.entry((&value[..2], value.len())).or_default().push(&value[4..]);
    }
    if forms.values().any(|rest| rest.len() >= SHARED_SHAPE) {
        forms.retain(|_, rest| rest.len() >= SHARED_SHAPE);
    }
    let form =
        |((country, _), rest): ((&str, usize), Vec<&str>)| format!("{country}[0-9]{{2}}({})", pattern(&rest));
    forms.into_iter().map(form).collect::<Vec<_>>().join("|")
}

/// Texts of one shape.
#[derive(Default)]
struct Shape {
    count: usize,
    runs: Vec<Run>,
}

impl Shape {
    fn add(&mut self, runs: Vec<Run>) {
        self.count += 1;
        if self.runs.is_empty() {
            self.runs = runs;
            return;
        }
        for (all, run) in self.runs.iter_mut().zip(runs) {
            all.least = all.least.min(run.least);
            all.most = all.most.max(run.most);
            all.texts += 1;
            if all.places.len() < run.places.len() {
                all.places.resize_with(run.places.len(), HashMap::new);
            }
            for (place, seen) in all.places.iter_mut().zip(run.places) {
                seen.into_iter().for_each(|(c, n)| *place.entry(c).or_default() += n);
            }
        }
    }
}

/// Characters of one class in a row, or a text that stays as it is.
#[derive(Clone)]
struct Run {
    class: String,
    least: usize,
    most: usize,
    /// Texts that have it, and how many have each character at each place; empty for a text that stays.
    texts: usize,
    places: Vec<HashMap<char, usize>>,
}

impl Run {
    fn of(class: &str, c: char) -> Self {
        let places = vec![HashMap::from([(c, 1)])];
        Self { class: class.to_owned(), least: 1, most: 1, texts: 1, places }
    }

    fn push(&mut self, c: char) {
        self.least += 1;
        self.most += 1;
        self.places.push(HashMap::from([(c, 1)]));
    }

    fn regex(&self) -> String {
        let Self { class, least, most, .. } = self;
        // Runs of different lengths have their first characters in common, if any.
        let fixed = if least == most { *most } else { self.usual(0).map_or(0, |_| *least) };
        let mut parts: Vec<(String, usize)> = Vec::new();
        for at in 0..fixed.min(self.places.len()) {
            let part = self.usual(at).unwrap_or_else(|| class.clone());
            match parts.last_mut() {
                Some((last, n)) if *last == part => *n += 1,
                _ => parts.push((part, 1)),
            }
        }
        let fixed = parts.iter().map(|part| part.1).sum::<usize>();
        let times = |(part, n): &(String, usize)| match n {
            1 => part.clone(),
            n => format!("{part}{{{n}}}"),
        };
        let head: String = parts.iter().map(times).collect();
        match (least - fixed, most - fixed) {
            (0, 0) => head,
            (1, 1) => head + class,
            (least, most) if least == most => format!("{head}{class}{{{least}}}"),
            (least, most) => format!("{head}{class}{{{least},{most}}}"),
        }
    }

    /// The characters at a place, where enough texts tell that there are no others.
    fn usual(&self, at: usize) -> Option<String> {
        let place = self.places.get(at)?;
        if self.texts < MIN_VALUES_PER_PLACE {
            return None;
        }
        let usual: BTreeSet<char> =
            place.iter().filter(|(_, n)| **n >= MIN_CHARACTER_COUNT).map(|(c, _)| *c).collect();
        let most = if self.class == "[0-9]" { 5 } else { 3 };
        match usual.len() {
            0 => None,
            1 => usual.first().map(char::to_string),
            n if n <= most => Some(format!("[{}]", usual.iter().collect::<String>())),
            _ => None,
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
        Self {
            hex: hex(values, "[0-9a-f]", 'a'..='f').or_else(|| hex(values, "[0-9A-F]", 'A'..='F')),
            email: values.iter().all(|value| is_email(value)),
        }
    }

    fn runs(&self, text: &str) -> Vec<Run> {
        let free = if self.email { text.find('@').unwrap_or(text.len()) } else { text.len() };
        let mut runs: Vec<Run> = Vec::new();
        for c in text[..free].chars() {
            match (self.class(c), runs.last_mut()) {
                (Some(class), Some(last)) if last.class == class => last.push(c),
                (Some(class), _) => runs.push(Run::of(class, c)),
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

/// The class of hexadecimal digits, where all of `values` look like digests or parts of some: letters and digits
/// are mixed, in about the shares that chance gives them.
fn hex(
    values: &[&str],
    class: &'static str,
    letters: std::ops::RangeInclusive<char>,
) -> Option<&'static str> {
    let fits = |c: char| !c.is_ascii_alphanumeric() || c.is_ascii_digit() || letters.contains(&c);
    if !values.iter().all(|text| text.len() >= 8 && text.is_ascii() && text.chars().all(fits)) {
        return None;
    }
    let (mut all, mut lettered, mut changes) = (0usize, 0usize, 0usize);
    for text in values {
        let own: Vec<bool> =
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| letters.contains(&c)).collect();
        all += own.len();
        lettered += own.iter().filter(|is| **is).count();
        changes += own.windows(2).filter(|two| two[0] != two[1]).count();
    }
    let share = |n: usize| n as f64 / all.max(1) as f64;
    (HEX_LETTERS.contains(&share(lettered)) && share(changes) >= HEX_CHANGES).then_some(class)
}

fn literal(text: &str) -> Run {
    Run { class: regex::escape(text), least: 1, most: 1, texts: 1, places: Vec::new() }
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
            false => {
                classes.runs(value).iter().map(|run| format!("{}{}", run.class, run.most)).collect::<String>()
            }
        };
        shapes.insert(shape);
        shapes.len() <= FEW_SHAPES
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(prefix: &str, width: u8, next: i64) -> IdFormat {
        IdFormat::Counter { prefix: prefix.to_owned(), width, next, gaps: Vec::new() }
    }

    fn format(values: &[&str]) -> IdFormat {
        super::format(values, &Declaration::default())
    }

    /// The regular expression of codes.
    fn regex(values: &[&str]) -> String {
        match format(values) {
            IdFormat::Code { regex, .. } => regex,
            other => form(&other),
        }
    }

    fn texts(n: u64, text: impl Fn(u64) -> String) -> Vec<String> {
        // Numbers in no order: multiples of a large one, without their ends.
        (0..n).map(|i| text((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8)).collect()
    }

    fn of(values: &[String]) -> Vec<&str> {
        values.iter().map(String::as_str).collect()
    }

    #[test]
    fn formats_are_those_of_the_values() {
        assert_eq!(format(&["7", "12", "9"]), counter("", 0, 13));
        assert_eq!(format(&["CUST-000123", "CUST-000007"]), counter("CUST-", 6, 124));
        assert_eq!(format(&["A9", "A10"]), counter("A", 0, 11));
        assert_eq!(regex(&["AB-12-X", "CD-34-Y"]), "[A-Z]{2}\\-[0-9]{2}\\-[A-Z]");
        assert_eq!(regex(&["K-918273645", "K-123456789"]), "[A-Z]\\-[0-9]{9}");
        assert_eq!(regex(&["18446744073709551615", "28446744073709551615"]), "[0-9]{20}");
        assert_eq!(regex(&["ab12@x.org", "cd@x.org"]), "[a-z]{2}@x\\.org|[a-z]{2}[0-9]{2}@x\\.org");
        assert_eq!(regex(&["Ann@yahoo.org", "Bobby@yahoo.org"]), "[A-Z][a-z]{2,4}@yahoo\\.org");
        assert_eq!(regex(&["d41d8cd98f00b204", "e9800998ecf8427e"]), "[0-9a-f]{16}");
        let uuid = "6F9619FF-8B86-D011-B42D-00CF4FC964FF";
        assert_eq!(format(&[uuid]), IdFormat::Uuid { upper: true });
    }

    #[test]
    fn what_all_share_stays() {
        let accounts = texts(300, |i| format!("DE{:020}", i % 100_000_000_000_000));
        assert!(regex(&of(&accounts)).starts_with("DE"), "{}", regex(&of(&accounts)));
        let invoices = texts(300, |i| format!("INV-2024-{:05}", i % 100_000));
        assert_eq!(regex(&of(&invoices)), "INV\\-2024\\-[0-9]{5}");
        let years = texts(300, |i| format!("RE/{}/{:06}", 2019 + i % 4, i % 1_000_000));
        assert_eq!(regex(&of(&years)), "RE/20[12][0129]/[0-9]{6}");
        let phones = texts(300, |i| format!("+49 {} {}", 30 + i % 60, 100_000 + i % 9_000_000));
        assert!(regex(&of(&phones)).starts_with("\\+49 [0-9]{2} "), "{}", regex(&of(&phones)));
        let hashes = texts(300, |i| format!("{:08x}", (i.wrapping_mul(0x2545_f491_4f6c_dd1d)) as u32));
        assert_eq!(regex(&of(&hashes)), "[0-9a-f]{8}");
    }

    #[test]
    fn counters_with_gaps_go_on_with_their_gaps() {
        let numbers: Vec<String> = (0..400i64).map(|i| format!("ORD-{}", 5000 + i * 40 + i % 7)).collect();
        let IdFormat::Counter { prefix, next, gaps, .. } = format(&of(&numbers)) else {
            panic!("no counter")
        };
        assert_eq!(prefix, "ORD-");
        assert!((34..=41).contains(&(next - (5000 + 399 * 40))), "{next}");
        assert!(gaps.len() == counters::GAPS && gaps.iter().all(|gap| (34..=41).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn numbers_stay_in_the_range_of_their_type() {
        let hashes: Vec<String> =
            (1..300u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64).to_string()).collect();
        let IdFormat::Number { low, span, .. } = format(&of(&hashes)) else { panic!("no number") };
        assert!(low < 0 && i128::from(low) + i128::from(span) <= i128::from(i64::MAX));
        let unsigned: Vec<String> =
            (1..300u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string()).collect();
        let IdFormat::Number { low, span, .. } = format(&of(&unsigned)) else { panic!("no number") };
        assert!(i128::from(low) + i128::from(span) <= i128::from(u64::MAX));
        let declaration = Declaration { native: Some("integer".into()), ..Declaration::default() };
        let last: Vec<String> = (0..100).map(|i| (i32::MAX - i).to_string()).collect();
        let IdFormat::Number { low, span, .. } = super::format(&of(&last), &declaration) else {
            panic!("no number")
        };
        assert_eq!((low, low + span as i64), (1, i64::from(i32::MAX)));
        let few: Vec<String> = (1..100).map(|i| i.to_string()).collect();
        assert_eq!(super::format(&of(&few), &declaration), counter("", 0, 100));
    }

    #[test]
    fn check_digits_are_found() {
        let accounts: Vec<String> = texts(100, |i| format!("DE00{:018}", i % 100_000_000_000_000));
        let accounts: Vec<String> =
            accounts.iter().filter_map(|account| CheckDigits::Iban.put(account)).collect();
        let found = format(&of(&accounts));
        assert!(matches!(found, IdFormat::Code { check: Some(CheckDigits::Iban), .. }), "{found:?}");
        assert!(form(&found).ends_with(", with right check digits"));
    }

    #[test]
    fn accounts_of_a_country_keep_its_length() {
        let account = |i: u64| match i % 3 {
            0 => format!("DE00{:018}", i % 100_000_000_000_000),
            1 => format!("AT00{:016}", i % 100_000_000_000_000),
            _ => format!("DE00 3704 0044 {:04} {:04} {:02}", i % 9973, i % 7919, i % 97),
        };
        let accounts: Vec<String> =
            texts(300, account).iter().filter_map(|text| CheckDigits::Iban.put(text)).collect();
        assert_eq!(recognise(&of(&accounts)), Some(Identifier::Code));
        let found = regex(&of(&accounts));
        let forms: Vec<&str> = found.split('|').collect();
        assert_eq!(forms.len(), 3, "{found}");
        assert!(forms[0].starts_with("AT[0-9]{2}(") && forms[2].contains("( 3704 "), "{found}");
    }

    #[test]
    fn whole_numbers_of_64_bits_and_uuids_of_other_versions_are_codes() {
        let numbers: Vec<String> = (1..300u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64 >> (i % 9)).to_string())
            .collect();
        assert_eq!(recognise(&of(&numbers)), Some(Identifier::Code));
        assert_eq!(recognise(&["7", "12", "12345", "-8", "123456"]), None);
        let seventh = texts(300, |i| {
            format!(
                "018bcfe5-{:04x}-7{:03x}-8{:03x}-{i:012x}",
                i >> 9 & 0xffff,
                i >> 3 & 0xfff,
                i >> 5 & 0xfff
            )
        });
        let seventh: Vec<String> =
            seventh.iter().map(|text| text[..24].to_owned() + &text[text.len() - 12..]).collect();
        let found = regex(&of(&seventh));
        assert!(found.starts_with("018bcfe5\\-") && found.contains("\\-7["), "{found}");
    }

    #[test]
    fn durations_and_random_numbers_in_braces_are_possible_ones() {
        let durations = texts(300, |i| format!("PT{}H{}M", i % 9 + 1, i % 59));
        let IdFormat::Pattern { regex } = format(&of(&durations)) else { panic!("no durations") };
        assert!(regex.starts_with("PT(1|2|") && regex.contains("|58)M"), "{regex}");
        let guids = texts(300, |i| {
            format!(
                "{{{:08X}-4{:03X}-{}}}",
                i as u32,
                i >> 8 & 0xfff,
                ["8", "9", "A", "B"][(i >> 30) as usize % 4]
            )
        });
        assert_eq!(super::pattern(&of(&guids)), "\\{[0-9A-F]{8}\\-4[0-9A-F]{3}\\-[89AB]\\}");
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
