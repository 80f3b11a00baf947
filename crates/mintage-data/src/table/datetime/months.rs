//! Months by their names in languages other than English.
//!
//! A pattern of such dates begins with the language: "{de}%-d. %B %Y"; "{de-b}%-d %B %Y" is one of short names. Names of the
//! days of the week are English only.

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// As dates have them: in Russian in the genitive.
#[rustfmt::skip]
const LANGUAGES: [(&str, [&str; 12]); 15] = [
    ("{de}", ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
        "November", "Dezember"]),
    ("{fr}", ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
        "novembre", "décembre"]),
    ("{es}", ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
        "noviembre", "diciembre"]),
    ("{it}", ["gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre",
        "ottobre", "novembre", "dicembre"]),
    ("{pt}", ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro",
        "novembro", "dezembro"]),
    ("{nl}", ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober",
        "november", "december"]),
    ("{ru}", ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября",
        "ноября", "декабря"]),
    ("{ru-b}", ["янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"]),
    ("{ru-b2}", ["янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"]),
    ("{de-b}", ["Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"]),
    ("{de-b2}", ["Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"]),
    ("{es-b}", ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"]),
    ("{it-b}", ["gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"]),
    ("{pt-b}", ["jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez"]),
    ("{nl-b}", ["jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"]),
];
#[rustfmt::skip]
const DATES: [&str; 14] = [
    "%-d. %B %Y", "%d. %B %Y", "%-d %B %Y", "%d %B %Y", "%-d de %B de %Y", "%d de %B de %Y", "%-d %B %Y г.",
    "%d %B %Y г.", "%-d %B. %Y", "%d %B. %Y", "%-d. %B. %Y", "%d. %B. %Y", "%d-%B-%Y", "%d/%B/%Y",
];
const TIMES: [&str; 4] = ["", " %H:%M", " %H:%M:%S", ", %H:%M"];

/// Patterns of dates in the language in which most of `texts` name a month.
pub(super) fn patterns(texts: &[&str]) -> impl Iterator<Item = String> {
    let named = |names: &[&str; 12]| texts.iter().filter(|text| position(text, names).is_some()).count();
    let counted = LANGUAGES.iter().map(|(language, names)| (named(names), *language));
    // Of equally many the first.
    let most = counted.rev().max_by_key(|(n, _)| *n).filter(|(n, _)| n * 2 > texts.len());
    let dates = |language| DATES.iter().map(move |date| format!("{language}{date}"));
    let dates = most.into_iter().flat_map(move |(_, language)| dates(language));
    dates.flat_map(|date| TIMES.map(|time| format!("{date}{time}")))
}

/// The names of the months of a pattern's language, and the pattern without it.
pub(super) fn split(pattern: &str) -> Option<(&'static [&'static str; 12], &str)> {
    LANGUAGES.iter().find_map(|(language, names)| Some((names, pattern.strip_prefix(language)?)))
}

/// The text with its month in English.
pub(super) fn to_english(text: &str, names: &[&str; 12]) -> Option<String> {
    replaced(text, names, &ENGLISH)
}

/// The text with its English month in a language.
pub(super) fn from_english(text: &str, names: &[&str; 12]) -> Option<String> {
    replaced(text, &ENGLISH, names)
}

fn replaced(text: &str, from: &[&str; 12], to: &[&str; 12]) -> Option<String> {
    let (start, month) = position(text, from)?;
    Some([&text[..start], to[month], &text[start + from[month].len()..]].concat())
}

/// Where the first word is that names a month, and which one.
fn position(text: &str, names: &[&str; 12]) -> Option<(usize, usize)> {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.into_iter().find_map(|word| {
        let month = names.iter().position(|name| *name == word)?;
        Some((word.as_ptr() as usize - text.as_ptr() as usize, month))
    })
}
