//! Letters: folding for comparison, transliteration into ASCII, case.

use serde::{Deserialize, Serialize};

/// How the letters of a column are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letters {
    /// "Anna", "McDonald": as the language writes them.
    #[default]
    Natural,
    Upper,
    Lower,
}

impl Letters {
    /// How most of `texts` are written: those without letters of two cases say nothing.
    pub(crate) fn of(texts: &[&str]) -> Self {
        let (mut upper, mut lower, mut all) = (0, 0, 0);
        for text in texts.iter().filter(|text| text.chars().any(char::is_alphabetic)) {
            let (has_upper, has_lower) =
                (text.chars().any(char::is_uppercase), text.chars().any(char::is_lowercase));
            all += 1;
            upper += usize::from(has_upper && !has_lower);
            lower += usize::from(has_lower && !has_upper);
        }
        match () {
            () if all > 0 && upper * 10 >= all * 8 => Self::Upper,
            () if all > 0 && lower * 10 >= all * 8 => Self::Lower,
            () => Self::Natural,
        }
    }

    pub(crate) fn write(self, text: &str) -> String {
        match self {
            Self::Natural => text.to_owned(),
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
        }
    }
}

/// The text in lower case, with "ё" as "е", without accents: what is compared.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.trim().chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => folded.push(c),
            'ё' => folded.push('е'),
            '\u{300}'..='\u{36f}' => {}
            _ => match latin(c) {
                Some(ascii) => folded.push_str(ascii),
                None => folded.push(c),
            },
        }
    }
    folded
}

/// The text in ASCII letters: Cyrillic by BGN/PCGN, simplified as people write their own names; accents dropped; other scripts are
/// left out.
pub(crate) fn ascii(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            written.push(c);
            continue;
        }
        let small: String = c.to_lowercase().collect();
        let Some(ascii) = small.chars().next().and_then(|small| cyrillic(small).or_else(|| latin(small)))
        else {
            continue;
        };
        if c.is_uppercase() {
            let mut letters = ascii.chars();
            written.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            written.push_str(letters.as_str());
        } else {
            written.push_str(ascii);
        }
    }
    written
}

fn cyrillic(c: char) -> Option<&'static str> {
    Some(match c {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' | 'є' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' => "y",
        'ї' => "yi",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' | 'ў' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ы' => "y",
        'ю' => "yu",
        'я' => "ya",
        _ => return None,
    })
}

fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'æ' => "ae",
        'ö' | 'œ' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ı' | 'ī' => "i",
        'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ő' => "o",
        'ř' => "r",
        'ś' | 'š' | 'ş' => "s",
        'ť' | 'ţ' => "t",
        'ù' | 'ú' | 'û' | 'ű' | 'ů' | 'ū' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '’' => "'",
        _ => return None,
    })
}

/// The letters and digits of a text as they stand in a login: folded ASCII, everything else left out.
pub(crate) fn handle(text: &str) -> String {
    ascii(text).chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// "customerId", "customer-id" and "Customer ID" are two words each; "FIO2" is one and a number.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let turns = before.is_lowercase() && c.is_uppercase() || before.is_alphabetic() && c.is_numeric();
        if !c.is_alphanumeric() || turns {
            words.push(String::new());
        }
        before = c;
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The first letter of a name, in capitals.
pub(crate) fn initial(name: &str) -> String {
    name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_folded_and_transliterated() {
        assert_eq!(fold(" Фёдор "), "федор");
        assert_eq!((fold("Müller"), fold("Léa")), ("mueller".to_owned(), "lea".to_owned()));
        assert_eq!(
            (ascii("Щербаков Юрий"), ascii("Özgür")),
            ("Shcherbakov Yuriy".to_owned(), "Oezguer".to_owned())
        );
        assert_eq!(handle("Анна-Мария О'Нил"), "annamariyaonil");
        assert_eq!(words("BillingPostalCode"), ["billing", "postal", "code"]);
        assert_eq!(words("ФИО клиента"), ["фио", "клиента"]);
    }

    #[test]
    fn case_is_that_of_most() {
        assert_eq!(Letters::of(&["MARY", "LINDA", "42"]), Letters::Upper);
        assert_eq!(Letters::of(&["Mary", "LINDA"]), Letters::Natural);
        assert_eq!(Letters::of(&["mary"]).write("Anna"), "anna");
    }
}
