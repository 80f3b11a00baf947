//! Streets with house numbers, and whole addresses, taken apart: "12 Main St", "Hauptstr. 12", "ул. Садовая, д. 5, кв. 3",
//! "123456, г. Москва, ул. Мира, д. 5", "12 Main St, Springfield, IL 62701".

use super::Parsed;
use crate::{
    locale::{Locale, countries, is_country, place},
    text::fold,
};

/// Marks of house numbers, and of flats and the like.
const HOUSE_MARKS: &[&str] = &["д", "дом", "no", "nr", "n", "№"];
const FLAT_MARKS: &[&str] =
    &["кв", "квартира", "apt", "apartment", "flat", "unit", "suite", "ste", "оф", "офис", "appt", "whg"];
const BLOCK_MARKS: &[&str] = &["к", "корп", "корпус", "стр", "строение"];
/// Streets written in full.
const LONG: &[&str] = &[
    "street",
    "avenue",
    "road",
    "lane",
    "drive",
    "boulevard",
    "court",
    "straße",
    "strasse",
    "улица",
    "проспект",
    "переулок",
    "бульвар",
    "набережная",
    "шоссе",
];
const RUSSIAN_TYPES: &[&str] = &["ул", "пр", "пер", "бул", "б", "наб", "ш", "просп", "пр-т", "пр-кт", "б-р"];

/// Takes an address apart; `full` ones have a city. What is not understood is left out.
pub(crate) fn parse(value: &str, full: bool, locale: Locale) -> Option<Parsed<'_>> {
    if value.contains(['{', '}']) {
        return None;
    }
    let mut parsed = Parsed { pattern: String::new(), parts: Vec::new() };
    let mut rest = value;
    let mut between = "";
    loop {
        let end = rest.find([',', ';', '\n']).unwrap_or(rest.len());
        let part = rest[..end].trim();
        let after = rest[end..].len() - rest[end..].trim_start_matches([',', ';', '\n', ' ']).len();
        let slots = piece(part, full, locale, &mut parsed);
        if !slots.is_empty() {
            if !parsed.pattern.is_empty() {
                parsed.pattern.push_str(between);
            }
            parsed.pattern.push_str(&slots);
        }
        between = &rest[end..end + after];
        rest = &rest[end + after..];
        if rest.is_empty() {
            break;
        }
    }
    parsed.pattern.contains("{street").then_some(parsed)
}

/// The pattern of what stands between commas; empty where it is not understood.
fn piece<'a>(part: &'a str, full: bool, locale: Locale, parsed: &mut Parsed<'a>) -> String {
    if let Some(marked) = marked_number(part) {
        return marked;
    }
    if full && let Some(found) = locality(part, parsed) {
        return found;
    }
    let digits = part.chars().filter(char::is_ascii_digit).count();
    if is_number(part) {
        return format!("{{house:{}}}", digits.clamp(1, 5));
    }
    if parsed.pattern.contains("{street") {
        let open = full && !parsed.pattern.contains("{city}") && digits == 0;
        if open {
            parsed.parts.push(("city", part));
        }
        return if open { "{city}".to_owned() } else { String::new() };
    }
    street(part, locale)
}

/// "д. 5", "кв. 12", "Apt 4", "№ 7".
fn marked_number(part: &str) -> Option<String> {
    let at = part.find(|c: char| c.is_ascii_digit())?;
    let (mark, number) = part.split_at(at);
    if !is_number(number) {
        return None;
    }
    let word = fold(mark.trim().trim_end_matches('.'));
    let is = |list: &[&str]| list.contains(&word.as_str());
    let digits = number.chars().filter(char::is_ascii_digit).count().clamp(1, 5);
    match () {
        () if is(HOUSE_MARKS) => Some(format!("{mark}{{house:{digits}}}")),
        () if is(FLAT_MARKS) => Some(format!("{mark}{{flat:{digits}}}")),
        () if is(BLOCK_MARKS) => Some(format!("{mark}{{block:1}}")),
        () => None,
    }
}

/// "12", "12a", "12/3", "120bg", "12-14".
fn is_number(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_digit());
    first
        && text.chars().count() <= 8
        && !text.contains(' ')
        && text.chars().filter(|c| c.is_alphabetic()).count() <= 2
}

/// The part of an address that is a city, a region, a postcode, or several of them.
fn locality<'a>(part: &'a str, parsed: &mut Parsed<'a>) -> Option<String> {
    if let Some((mark, city)) =
        ["г. ", "г.", "город "].iter().find_map(|mark| Some((mark, part.strip_prefix(mark)?)))
    {
        parsed.parts.push(("city", city));
        return Some(format!("{mark}{{city}}"));
    }
    let lower = part.to_lowercase();
    if ["обл", "край", "респ", " ао"].iter().any(|mark| lower.contains(mark))
        || is_region(part) && place(part).is_none()
    {
        parsed.parts.push(("region", part));
        return Some("{region}".to_owned());
    }
    let words: Vec<&str> = part.split(' ').collect();
    let british = words.len() >= 2 && is_british(words[words.len() - 2], words[words.len() - 1]);
    let n = if british { 2 } else { 1 };
    let is_code = |word: &str| (5..=6).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    if british || words.last().is_some_and(|word| is_code(word)) {
        let code = words[words.len() - n];
        let at = code.as_ptr() as usize - part.as_ptr() as usize;
        parsed.parts.push(("postcode", &part[at..]));
        let before = part[..at].trim();
        return match before {
            "" => Some("{postcode}".to_owned()),
            _ if is_abbreviation(before) => {
                parsed.parts.push(("abbreviation", before));
                Some("{abbreviation} {postcode}".to_owned())
            }
            _ => {
                let city = before.rsplit_once(' ').filter(|(_, last)| is_abbreviation(last));
                parsed.parts.push(("city", city.map_or(before, |(city, _)| city)));
                Some(
                    if city.is_some() { "{city} {abbreviation} {postcode}" } else { "{city} {postcode}" }
                        .to_owned(),
                )
            }
        };
    }
    if let Some((code, city)) =
        part.split_once(' ').filter(|(code, city)| is_code(code) && !city.contains(char::is_numeric))
    {
        // "12345 Main St" begins like "10115 Berlin": a street is not yet known before the first comma.
        if place(city).is_some() || parsed.pattern.contains("{street") {
            parsed.parts.push(("postcode", code));
            parsed.parts.push(("city", city));
            return Some("{postcode} {city}".to_owned());
        }
    }
    if place(part).is_some() {
        parsed.parts.push(("city", part));
        return Some("{city}".to_owned());
    }
    // The country stays: it is of the locale.
    is_country(part).then(|| part.to_owned())
}

/// Whether two words are the halves of a British postcode.
pub(crate) fn is_british(outward: &str, inward: &str) -> bool {
    let inward = crate::digits::shape(inward) == "#AA";
    inward
        && (2..=4).contains(&outward.len())
        && outward.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn is_abbreviation(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

fn is_region(part: &str) -> bool {
    countries().iter().take(5).any(|country| country.places.iter().any(|place| place.region == part))
}

/// A street with its number before or after it.
fn street(part: &str, locale: Locale) -> String {
    let words: Vec<&str> = part.split_whitespace().collect();
    let digits = |word: &str| word.chars().filter(char::is_ascii_digit).count().clamp(1, 5);
    let lower = part.to_lowercase();
    let long = LONG.iter().any(|mark| lower.contains(mark));
    let typed = |word: &&str| RUSSIAN_TYPES.contains(&word.to_lowercase().trim_end_matches('.'));
    let slot = match () {
        () if long => "{street:long}",
        () if locale == Locale::RuRu && !words.first().is_some_and(typed) && !lower.contains("ул.") => {
            "{street:bare}"
        }
        () => "{street}",
    };
    match words.as_slice() {
        [first, .., last] if is_number(first) && is_number(last) => {
            format!("{{house:{}}} {slot}", digits(first))
        }
        [first, _, ..] if is_number(first) => format!("{{house:{}}} {slot}", digits(first)),
        [_, .., last] if is_number(last) => format!("{slot} {{house:{}}}", digits(last)),
        _ if part.chars().any(char::is_alphabetic) => slot.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (value, full, locale, pattern) in [
            ("12 Main St", false, Locale::EnUs, "{house:2} {street}"),
            ("1600 Amphitheatre Street", false, Locale::EnUs, "{house:4} {street:long}"),
            ("Hauptstr. 12", false, Locale::DeDe, "{street} {house:2}"),
            ("Theodor-Heuss-Straße 34", false, Locale::DeDe, "{street:long} {house:2}"),
            ("8, Rue Hanovre", false, Locale::FrFr, "{house:1}, {street}"),
            ("ул. Садовая, д. 5, кв. 31", false, Locale::RuRu, "{street}, д. {house:1}, кв. {flat:2}"),
            ("улица Садовая, дом 5", false, Locale::RuRu, "{street:long}, дом {house:1}"),
            ("Садовая 5", false, Locale::RuRu, "{street:bare} {house:1}"),
            ("Rotenturmstraße 4, 1010 Innere Stadt", false, Locale::DeDe, "{street:long} {house:1}"),
            (
                "123456, г. Москва, ул. Мира, д. 5",
                true,
                Locale::RuRu,
                "{postcode}, г. {city}, {street}, д. {house:1}",
            ),
            (
                "12 Main St, Springfield, IL 62701",
                true,
                Locale::EnUs,
                "{house:2} {street}, {city}, {abbreviation} {postcode}",
            ),
            ("Hauptstr. 5, 10115 Berlin", true, Locale::DeDe, "{street} {house:1}, {postcode} {city}"),
            (
                "1 High Street, London SW1A 1AA",
                true,
                Locale::EnGb,
                "{house:1} {street:long}, {city} {postcode}",
            ),
        ] {
            assert_eq!(parse(value, full, locale).unwrap().pattern, pattern, "{value}");
        }
        let parsed = parse("Hauptstr. 5, 10115 Berlin", true, Locale::DeDe).unwrap();
        assert_eq!((parsed.part("city"), parsed.part("postcode")), (Some("Berlin"), Some("10115")));
    }
}
