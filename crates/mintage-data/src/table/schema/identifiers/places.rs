//! Codes of one length whose letters and digits are mixed: ULIDs, GUIDs in braces, hexadecimal numbers. New ones have at
//! each place a character that is seen there.

use std::collections::{BTreeSet, HashMap};

/// Characters of a code, at least: shorter texts may be words.
const MIN_CODE_CHARS: usize = 6;
/// Codes, at least: fewer may be of one length by chance.
const MIN_CODES: usize = 20;
/// Places of more characters than this may have any that places like it have.
const MAX_NARROW_CHARS: usize = 5;
/// So many codes a value there must be, or none would be left to make.
const CODES_A_VALUE: f64 = 100.0;

type Place = BTreeSet<char>;

/// Whether all are codes of one length, most of them with digits.
pub(super) fn of_one_length(values: &[&str]) -> bool {
    let length = values.first().map_or(0, |value| value.len());
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./:#+={}[]".contains(c);
    let digits = |value: &&&str| value.contains(|c: char| c.is_ascii_digit());
    length >= MIN_CODE_CHARS
        && values.len() >= MIN_CODES
        && values.iter().all(|value| value.len() == length && value.chars().all(fits))
        && values.iter().filter(digits).count() * 2 > values.len()
}

/// A regular expression of such codes, where enough of them are left.
pub(super) fn pattern(values: &[&str]) -> Option<String> {
    if !of_one_length(values) {
        return None;
    }
    let mut places: Vec<Place> = vec![Place::new(); values.first()?.len()];
    for value in values {
        places.iter_mut().zip(value.chars()).for_each(|(place, c)| {
            place.insert(c);
        });
    }
    let mut alike: HashMap<[bool; 4], Place> = HashMap::new();
    for place in places.iter().filter(|place| place.len() > MAX_NARROW_CHARS) {
        alike.entry(classes(place)).or_default().extend(place);
    }
    for place in places.iter_mut().filter(|place| place.len() > MAX_NARROW_CHARS) {
        place.clone_from(&alike[&classes(place)]);
    }
    let codes: f64 = places.iter().map(|place| place.len() as f64).product();
    let runs = places.chunk_by(|a, b| a == b);
    let regex = runs.map(|run| match run.len() {
        1 => class(&run[0]),
        n => format!("{}{{{n}}}", class(&run[0])),
    });
    (codes >= CODES_A_VALUE * values.len() as f64).then(|| regex.collect())
}

/// Which kinds of characters there are: digits, small and large letters, signs.
fn classes(place: &Place) -> [bool; 4] {
    let kinds: [fn(&char) -> bool; 4] =
        [char::is_ascii_digit, char::is_ascii_lowercase, char::is_ascii_uppercase, |c| {
            !c.is_ascii_alphanumeric()
        }];
    kinds.map(|is| place.iter().any(is))
}

/// "[0-9a-fx]": neighbours of three and more as a range.
fn class(place: &Place) -> String {
    let all: Vec<char> = place.iter().copied().collect();
    let sign = |c: &char| regex::escape(c.encode_utf8(&mut [0; 4]));
    if let [one] = all[..] {
        return sign(&one);
    }
    let ranges = all.chunk_by(|a, b| *a as u32 + 1 == *b as u32 && a.is_ascii_alphanumeric());
    let ranges = ranges.map(|range| match range {
        [first, _, .., last] => format!("{first}-{last}"),
        few => few.iter().map(sign).collect(),
    });
    format!("[{}]", ranges.collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::table::pattern::Pattern;

    /// The regular expression of 200 codes that have for each letter of `form` a character of its alphabet.
    fn of(form: &str) -> String {
        let mut state = 7u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let alphabet = |c: char| match c {
            'B' => "0123456789ABCDEFGHJKMNPQRSTVWXYZ",
            'h' => "0123456789abcdef",
            'H' => "0123456789ABCDEF",
            'v' => "89AB",
            'w' => "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
            _ => "",
        };
        let mut code = || -> String {
            let one = |c: char| alphabet(c).chars().nth(random() % alphabet(c).len().max(1)).unwrap_or(c);
            form.chars().map(one).collect()
        };
        let codes: Vec<String> = (0..200).map(|_| code()).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let regex = pattern(&codes).unwrap();
        let pattern = Pattern::new(&regex).unwrap();
        assert!(codes.iter().all(|code| pattern.matches(code)), "{regex}");
        regex
    }

    #[test]
    fn each_place_has_the_characters_seen_there() {
        assert_eq!(of("01-BBBBBBBBBBBB"), "01\\-[0-9A-HJKMNP-TV-Z]{12}");
        assert_eq!(of("0xhhhhhhhhhhhh"), "0x[0-9a-f]{12}");
        assert_eq!(of("{HHHHHHHH-4HHH-vHHH}"), "\\{[0-9A-F]{8}\\-4[0-9A-F]{3}\\-[89AB][0-9A-F]{3}\\}");
        assert!(of("wwwwwwwwwww").starts_with('['));
    }

    #[test]
    fn words_and_codes_in_a_row_are_none() {
        let words: Vec<&str> = ["orange", "banana", "cherry"].into_iter().cycle().take(60).collect();
        assert_eq!(pattern(&words), None);
        let row: Vec<String> = (0..200).map(|i| format!("a1b2c3-{i:04x}")).collect();
        assert_eq!(pattern(&row.iter().map(String::as_str).collect::<Vec<_>>()), None);
    }
}
