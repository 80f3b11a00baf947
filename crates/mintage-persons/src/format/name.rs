//! Whole names taken apart: "Müller, Anna", "Иванов И. И.", "Dr. Anna M. Müller".

use super::Parsed;
use crate::{
    locale::{Locale, known},
    recognise::name_words,
    russian::patronymic_stem,
    text::fold,
};

/// Titles that stay; those that say a sex become a slot.
const TITLES: &[&str] = &["dr", "prof", "drs", "ing", "dipl"];
const SEXED_TITLES: &[&str] =
    &["mr", "mrs", "ms", "miss", "herr", "frau", "mme", "mlle", "monsieur", "madame"];
const SUFFIXES: &[&str] = &["jr", "sr", "ii", "iii", "iv"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Title,
    Kept,
    Initial,
    Patronymic,
    Long,
}

/// Whether given names stand before family names in these values.
pub(crate) fn given_first(values: &[&str], locale: Locale) -> bool {
    let mut vote = 0i32;
    for value in values.iter().filter(|value| !value.contains(',')) {
        let words: Vec<String> =
            name_words(value).filter(|word| word.chars().count() > 1).map(fold).collect();
        let is_given = |word: &String| known(word).is_some_and(|known| !known.given.is_empty());
        let is_family = |word: &String| known(word).is_some_and(|known| !known.family.is_empty());
        if let [first, .., last] = words.as_slice() {
            let patronymic = |word: &String| patronymic_stem(word).is_some() && !word.is_ascii();
            vote += i32::from(is_given(first) && !is_family(first))
                + i32::from(is_family(last) && !is_given(last));
            vote -= i32::from(is_given(last) && !is_family(last))
                + i32::from(is_family(first) && !is_given(first));
            vote -= 2 * i32::from(patronymic(last));
        }
    }
    match vote {
        0 => locale != Locale::RuRu,
        vote => vote > 0,
    }
}

/// Takes a name apart; none where it has no word that is long enough to be a name.
pub(crate) fn parse(value: &str, given_first: bool) -> Option<Parsed<'_>> {
    let value = value.split('(').next().unwrap_or_default().trim_end();
    if value.contains(['{', '}']) {
        return None;
    }
    let words: Vec<(usize, &str)> = name_words(value).map(|word| (place_of(value, word), word)).collect();
    let roles: Vec<Role> = words.iter().map(|&(at, word)| role(word, &value[at + word.len()..])).collect();
    let slots = slots(value, &words, &roles, given_first)?;
    Some(assemble(value, &words, &slots))
}

/// Where a word that is a part of `value` begins.
fn place_of(value: &str, word: &str) -> usize {
    word.as_ptr() as usize - value.as_ptr() as usize
}

fn role(word: &str, after: &str) -> Role {
    let folded = fold(word);
    let is = |list: &[&str]| list.contains(&folded.as_str());
    match () {
        () if is(SEXED_TITLES) => Role::Title,
        () if is(TITLES) && after.starts_with('.') || is(SUFFIXES) => Role::Kept,
        () if word.chars().count() == 1 => Role::Initial,
        () if is_patronymic(&folded) => Role::Patronymic,
        () => Role::Long,
    }
}

/// A Russian patronymic in any case.
fn is_patronymic(folded: &str) -> bool {
    // Of "Кузьма", "Лука", "Фома" and "Савва" the short ones.
    const MARKS: [&str; 11] =
        ["ович", "евич", "овн", "евн", "ичн", "ильич", "китич", "кузьмич", "лукич", "фомич", "саввич"];
    let n = folded.chars().count();
    n > 4
        && MARKS
            .iter()
            .any(|mark| folded.rfind(mark).is_some_and(|at| folded[at + mark.len()..].chars().count() <= 2))
        && !folded.ends_with("ин")
}

/// The slot of each word: several words may share one, which then stands once.
fn slots(
    value: &str,
    words: &[(usize, &str)],
    roles: &[Role],
    given_first: bool,
) -> Option<Vec<&'static str>> {
    let mut slots = vec![""; words.len()];
    let long: Vec<usize> = (0..words.len()).filter(|&i| roles[i] == Role::Long).collect();
    let patronymic = roles.iter().position(|role| *role == Role::Patronymic);
    let comma = value.find(',');
    let n = long.len();
    let before = |i: usize| comma.is_some_and(|comma| words[i].0 < comma);
    // "van der Berg": small words belong to the family name after them.
    let small = |i: usize| words[i].1.starts_with(char::is_lowercase) && value.contains(char::is_uppercase);
    let first_family = match comma {
        Some(_) => None,
        None if patronymic.is_some() => {
            Some(if patronymic == Some(words.len() - 1) { *long.first()? } else { *long.last()? })
        }
        None if n == 1 && roles.contains(&Role::Initial) => long.first().copied(),
        None if n == 1 => long.first().copied().filter(|&i| !is_given(words[i].1)),
        None if given_first => long[1..].iter().copied().find(|&i| small(i)).or(long.last().copied()),
        None => long.first().copied(),
    };
    let (mut given, mut initials) = (0, 0);
    for i in 0..words.len() {
        slots[i] = match roles[i] {
            Role::Title => "title",
            Role::Kept => "kept",
            Role::Patronymic => "patronymic",
            Role::Initial => {
                initials += 1;
                let cyrillic = !words[i].1.is_ascii();
                match (n, initials) {
                    (0 | 1, 1) => "g",
                    (_, _) if cyrillic => "p",
                    (_, _) => "m",
                }
            }
            Role::Long => {
                let family = match (comma, first_family) {
                    (Some(_), _) => before(i),
                    (None, Some(first)) => i == first || given_first && i > first && small(first),
                    (None, None) => false,
                };
                given += usize::from(!family);
                match (family, given) {
                    (true, _) => "family",
                    (false, 1) => "given",
                    (false, _) => "middle",
                }
            }
        };
    }
    let named = slots.iter().any(|slot| ["family", "given"].contains(slot));
    named.then_some(slots)
}

fn is_given(word: &str) -> bool {
    known(&fold(word)).is_some_and(|known| !known.given.is_empty())
}

/// The pattern with the punctuation of the value between its slots.
fn assemble<'a>(value: &'a str, words: &[(usize, &'a str)], slots: &[&'static str]) -> Parsed<'a> {
    let mut pattern = value[..words[0].0].to_owned();
    let mut parts: Vec<(&'static str, &str)> = Vec::new();
    let mut begin = 0;
    for i in 0..words.len() {
        let end = words[i].0 + words[i].1.len();
        let after = words.get(i + 1).map_or(value.len(), |next| next.0);
        if slots.get(i + 1) == Some(&slots[i]) && slots[i] != "kept" && slots[i].len() > 1 {
            continue;
        }
        match slots[i] {
            "kept" => pattern.push_str(words[i].1),
            slot => {
                pattern.push_str(&format!("{{{slot}}}"));
                parts.push((slot, &value[words[begin].0..end]));
            }
        }
        pattern.push_str(&value[end..after]);
        begin = i + 1;
    }
    Parsed { pattern, parts }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (value, given_first, pattern) in [
            ("Anna Müller", true, "{given} {family}"),
            ("IVANOV, Ivan", true, "{family}, {given}"),
            ("Müller, Anna Maria", true, "{family}, {given} {middle}"),
            ("Иванов Иван Иванович", false, "{family} {given} {patronymic}"),
            ("Иван Иванович Иванов", true, "{given} {patronymic} {family}"),
            ("Иванову Ивану Ивановичу", false, "{family} {given} {patronymic}"),
            ("Иванов Марк Фомич", false, "{family} {given} {patronymic}"),
            ("Ивановой Анны Ильиничны", false, "{family} {given} {patronymic}"),
            ("Иванов И. И.", false, "{family} {g}. {p}."),
            ("И.И. Иванов", true, "{g}.{p}. {family}"),
            ("Dr. Anna M. Schmidt", true, "Dr. {given} {m}. {family}"),
            ("Mr. John Smith Jr.", true, "{title}. {given} {family} Jr."),
            ("Jan van der Berg", true, "{given} {family}"),
            ("de la Cruz, Ana", true, "{family}, {given}"),
            ("J. Smith", true, "{g}. {family}"),
            ("Cumings, Mrs. John Bradley (Florence Briggs)", true, "{family}, {title}. {given} {middle}"),
        ] {
            assert_eq!(parse(value, given_first).unwrap().pattern, pattern, "{value}");
        }
        assert_eq!(parse("Jan van der Berg", true).unwrap().part("family"), Some("van der Berg"));
        assert!(!given_first(&["Смирнова Ольга", "Иванов Пётр"], Locale::RuRu));
        assert!(given_first(&["Anna Müller", "Hans Schmidt"], Locale::DeDe));
    }
}
