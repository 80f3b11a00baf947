//! What one value looks like.

use crate::{
    digits::{content, is_iban, is_inn, is_luhn, is_nir, is_snils, is_steuer_id, shape},
    format::address::is_british,
    kind::{NationalId, Personal},
    locale::{is_country, known, place},
    russian::patronymic_stem,
    text::fold,
};

/// Whether a value has the form of what `what` says. Forms that nearly anything has are narrowed by the caller.
pub(super) fn looks_like(what: Personal, text: &str) -> bool {
    match what {
        Personal::FullName => is_whole_name(text),
        Personal::GivenName | Personal::FamilyName => is_name(text, 3),
        Personal::MiddleName => is_name(text, 3) || text.chars().filter(|c| c.is_alphabetic()).count() == 1,
        Personal::Patronymic => is_patronymic(text),
        Personal::Sex => is_sex(text),
        Personal::Email => is_email(text),
        Personal::UserName => is_user_name(text),
        Personal::Phone => is_phone(text),
        Personal::Street => is_street(text),
        Personal::FullAddress => is_full_address(text),
        Personal::City => is_city(text),
        Personal::Region => is_city(text),
        Personal::Postcode => is_postcode(text),
        Personal::Country => is_country(text),
        Personal::Company => {
            text.chars().any(char::is_alphabetic) && (2..=90).contains(&text.chars().count())
        }
        Personal::Url => is_url(text),
        Personal::Iban => is_iban(text),
        Personal::Card => is_card(text),
        Personal::National(id) => is_national(id, text),
        Personal::Ip => text.parse::<std::net::IpAddr>().is_ok(),
        Personal::Mac => is_mac(text),
        Personal::Secret => is_secret(text),
        Personal::BirthDate => is_date(text),
    }
}

/// Anything but marks and dates.
fn is_secret(text: &str) -> bool {
    text.chars().count() >= 4
        && !["true", "false", "none", "null"].contains(&fold(text).as_str())
        && !is_date(text)
}

/// Whether a text may be a token or a key: neither a short word nor a quantity.
pub(super) fn is_token(text: &str) -> bool {
    let n = text.chars().count();
    let is_number = n < 16 && text.chars().all(|c| c.is_ascii_digit() || ".,+-".contains(c));
    // Keys in PEM have lines.
    n >= 6 && !is_number && (n >= 100 || !text.contains(char::is_whitespace))
}

/// The words of a name: letters with apostrophes and hyphens.
pub(crate) fn name_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || "'’-\u{301}".contains(c))).filter(|word| !word.is_empty())
}

fn is_name(text: &str, most: usize) -> bool {
    let allowed = |c: char| c.is_alphabetic() || " .'’-\u{301}".contains(c);
    let n = name_words(text).count();
    (1..=most).contains(&n) && text.chars().count() <= 40 && text.chars().all(allowed)
}

/// "Anna Müller", "Müller, Anna", "Иванов И. И.", "van der Berg, Jan".
fn is_whole_name(text: &str) -> bool {
    let allowed = |c: char| c.is_alphabetic() || " ,.'’-\u{301}".contains(c);
    // "Cumings, Mrs. John (Florence Briggs)": what is in parentheses is another name.
    let text = text.split('(').next().unwrap_or_default();
    let n = name_words(text).count();
    (2..=5).contains(&n) && text.chars().count() <= 60 && text.chars().all(allowed)
}

/// Whether the words have capitals, as names have them: "Jan van der Berg", "ANNA MÜLLER", but not "call Jörg".
pub(super) fn is_capitalised(text: &str) -> bool {
    const PARTICLES: &[&str] = &[
        "van", "von", "vom", "zu", "zum", "der", "den", "de", "del", "della", "di", "da", "das", "do", "dos",
        "du", "des", "la", "le", "el", "al", "bin", "ibn", "ben", "ter", "ten", "y", "e", "af", "av",
    ];
    let mut words = name_words(text);
    words.all(|word| !word.starts_with(char::is_lowercase) || PARTICLES.contains(&word))
}

/// How many words of the value are known given names, and known family names.
pub(super) fn known_words(text: &str) -> (usize, usize) {
    let mut found = (0, 0);
    for word in name_words(text).flat_map(|word| word.split('-')) {
        if let Some(known) = known(&fold(word)) {
            found.0 += usize::from(!known.given.is_empty());
            found.1 += usize::from(!known.family.is_empty());
        } else if patronymic_stem(&word.to_lowercase()).is_some() && !word.is_ascii() {
            found.0 += 1;
        }
    }
    found
}

fn is_patronymic(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let latin = ["vich", "vna", "ich", "ichna"].iter().any(|end| lower.ends_with(end));
    let oblique = ["ича", "ичу", "ичем", "иче", "вны", "вне", "вну", "вной", "чны", "чне"];
    is_name(text, 2)
        && (patronymic_stem(&lower).is_some() || latin || oblique.iter().any(|end| lower.ends_with(end)))
}

fn is_sex(text: &str) -> bool {
    crate::plan::sex_of(text).is_some()
        || ["o", "x", "u", "d", "divers", "other", "unknown", "non-binary"].contains(&fold(text).as_str())
}

pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let allowed = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let ending = domain.rsplit('.').next().unwrap_or_default();
    !local.is_empty()
        && local.chars().all(allowed)
        && domain.contains('.')
        && domain.chars().all(|c| c.is_alphanumeric() || ".-".contains(c))
        && ending.chars().count() >= 2
        && ending.chars().all(char::is_alphabetic)
}

fn is_user_name(text: &str) -> bool {
    let n = text.chars().count();
    (2..=40).contains(&n)
        && text.chars().any(char::is_alphabetic)
        && text.chars().all(|c| c.is_alphanumeric() || "._-@".contains(c))
}

/// Seven to fifteen digits and what stands between them; an extension may follow.
pub(super) fn is_phone(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let number = ["ext", "доб", "x"]
        .iter()
        .find_map(|mark| lower.split_once(mark))
        .map_or(&*lower, |(number, _)| number);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    (6..=15).contains(&digits)
        && number.chars().all(|c| c.is_ascii_digit() || " +()-./\u{a0}–".contains(c))
        && !(number.contains('.') && number.matches('.').count() == 1 && !number.contains(['+', '(', '-']))
        && !is_date(text)
}

/// Whether a telephone number shows itself as one, without the name of the column.
pub(super) fn is_clear_phone(text: &str) -> bool {
    is_phone(text)
        && content(text).len() >= 8
        && (text.trim().starts_with('+') || text.contains('(') && text.contains(')'))
}

/// A number and a word of some letters.
fn is_street(text: &str) -> bool {
    let numbers = text.chars().any(|c| c.is_ascii_digit());
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let mark =
        ["ул", "пр", "пер", "ш", "бул", "наб"].iter().any(|mark| fold(text).starts_with(&format!("{mark}.")));
    (numbers || mark)
        && letters >= 3
        && (5..=120).contains(&text.chars().count())
        && !is_email(text)
        && !is_url(text)
}

/// A street, and a part that is a city or a postcode.
pub(super) fn is_full_address(text: &str) -> bool {
    let parts: Vec<&str> =
        text.split([',', ';', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let city = |part: &&str| {
        place(part).is_some()
            || part.starts_with("г.")
            || part.starts_with("город ")
            || part
                .split_once(' ')
                .is_some_and(|(first, rest)| is_postcode_number(first) && place(rest).is_some())
    };
    // "90762 Fürth" after a street, wherever that is.
    let coded = |part: &&str| {
        let parts = part.split_once(' ').filter(|(code, _)| code.len() == 5 && is_postcode_number(code));
        parts.is_some_and(|(_, city)| is_city(city))
    };
    let british = |part: &&str| {
        let words: Vec<&str> = part.split_whitespace().collect();
        words.len() >= 2 && is_british(words[words.len() - 2], words[words.len() - 1])
    };
    let postcode = |part: &&str| {
        part.split_whitespace()
            .any(|word| (5..=6).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit()))
    };
    parts.len() >= 2
        && is_street(text)
        && (parts.iter().any(|part| city(part) || british(part))
            || parts[1..].iter().any(coded)
            || parts.len() >= 3 && parts.iter().any(postcode))
}

fn is_postcode_number(text: &str) -> bool {
    (4..=7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_city(text: &str) -> bool {
    let allowed = |c: char| c.is_alphabetic() || " .,'’-()/—\u{301}".contains(c);
    (2..=60).contains(&text.chars().count())
        && text.chars().all(allowed)
        && text.chars().any(char::is_alphabetic)
}

fn is_postcode(text: &str) -> bool {
    let own = content(text);
    (3..=10).contains(&own.len())
        && own.chars().any(|c| c.is_ascii_digit())
        && text.trim().chars().all(|c| c.is_ascii_alphanumeric() || " -".contains(c))
        && own.chars().filter(char::is_ascii_alphabetic).count() <= 5
}

fn is_url(text: &str) -> bool {
    let text = text.trim();
    let marked =
        ["http://", "https://", "www.", "HTTP://", "ftp://"].iter().any(|start| text.starts_with(start));
    !text.contains(char::is_whitespace) && (marked || !text.contains('@') && is_domain(text))
}

fn is_domain(text: &str) -> bool {
    let host = text.split('/').next().unwrap_or_default();
    let ending = host.rsplit('.').next().unwrap_or_default();
    host.contains('.')
        && (2..=6).contains(&ending.len())
        && ending.chars().all(|c| c.is_ascii_lowercase())
        && host.chars().all(|c| c.is_alphanumeric() || ".-".contains(c))
}

fn is_card(text: &str) -> bool {
    let own = content(text);
    (13..=19).contains(&own.len())
        && text.chars().all(|c| c.is_ascii_digit() || " -".contains(c))
        && own.starts_with(['2', '3', '4', '5', '6'])
        && is_luhn(&own)
}

fn is_national(id: NationalId, text: &str) -> bool {
    let own = content(text);
    let digits = own.bytes().all(|b| b.is_ascii_digit());
    match id {
        NationalId::Ssn => own.len() == 9 && digits,
        NationalId::Nino => shape(&own) == "AA######A",
        NationalId::SteuerId => is_steuer_id(text),
        NationalId::Nir => is_nir(text),
        NationalId::Snils => is_snils(text),
        NationalId::Inn => is_inn(text),
        NationalId::Passport => {
            (6..=14).contains(&own.len()) && own.chars().filter(char::is_ascii_digit).count() >= 5
        }
    }
}

/// Whether a national number shows itself as one, without the name of the column.
pub(super) fn clear_national(text: &str) -> Option<NationalId> {
    match shape(text).as_str() {
        "###-##-####" => Some(NationalId::Ssn),
        "###-###-### ##" if is_snils(text) => Some(NationalId::Snils),
        "AA ## ## ## A" | "AA######A" => Some(NationalId::Nino),
        "# ## ## ## ### ### ##" | "###############" if is_nir(text) => Some(NationalId::Nir),
        "############" if is_inn(text) => Some(NationalId::Inn),
        _ => None,
    }
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// "1984-05-31", "31.05.1984", "5/31/1984", with or without a time.
fn is_date(text: &str) -> bool {
    let day = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split(['-', '.', '/']).collect();
    let numbers =
        parts.iter().all(|part| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    let years = parts.iter().filter(|part| part.len() == 4).count();
    parts.len() == 3 && numbers && years <= 1 && parts.iter().all(|part| [1, 2, 4].contains(&part.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_forms() {
        for (what, yes, no) in [
            (Personal::Email, "anna.müller@example.com", "anna@"),
            (Personal::Phone, "+7 (912) 345-67-89", "1984-05-31"),
            (Personal::Phone, "1 (780) 836-9987", "3.14159265"),
            (Personal::Street, "ул. Садовая, д. 5", "Main"),
            (Personal::FullAddress, "123456, г. Москва, ул. Мира, д. 5", "12 Main St"),
            (Personal::FullAddress, "Hauptstr. 5, 10115 Berlin", "Klanova 9/506"),
            (Personal::FullAddress, "12 High Street, Woking GU21 6XR", "1 Ring, Innere Stadt"),
            (Personal::Postcode, "SW1A 2AA", "Berlin"),
            (Personal::Url, "https://example.com/a", "anna@example.com"),
            (Personal::FullName, "Müller, Anna", "Anna"),
            (Personal::Patronymic, "Ивановна", "Иванова"),
            (Personal::Card, "4539 1488 0343 6467", "4539 1488 0343 6468"),
            (Personal::BirthDate, "31.05.1984", "3105"),
        ] {
            assert!(looks_like(what, yes), "{yes}");
            assert!(!looks_like(what, no), "{no}");
        }
    }
}
