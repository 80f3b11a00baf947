//! Russian names: female family names, patronymics, cases.
//!
//! Written rules of the language, with its exceptions among given names; a hyphen joins names that each follow them.

use serde::{Deserialize, Serialize};

use crate::sex::Sex;

/// A grammatical case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// "Иванов Иван Иванович"
    #[default]
    Nominative,
    /// "Иванова Ивана Ивановича"
    Genitive,
    /// "Иванову Ивану Ивановичу"
    Dative,
    /// "Иванова Ивана Ивановича", "Иванову Анну Ивановну"
    Accusative,
    /// "Ивановым Иваном Ивановичем"
    Instrumental,
    /// "об Иванове Иване Ивановиче"
    Prepositional,
}

/// Endings of the genitive, dative, accusative, instrumental and prepositional.
type Endings = [&'static str; 5];

impl Case {
    /// The case of most whole names, by their patronymics; none where they have no patronymics.
    pub(crate) fn of(texts: &[&str]) -> Option<Self> {
        const ENDINGS: [(&str, [u32; 6]); 15] = [
            ("вич", [2, 0, 0, 0, 0, 0]),
            ("вна", [2, 0, 0, 0, 0, 0]),
            ("чна", [2, 0, 0, 0, 0, 0]),
            ("ича", [0, 2, 0, 1, 0, 0]),
            ("вны", [0, 2, 0, 0, 0, 0]),
            ("чны", [0, 2, 0, 0, 0, 0]),
            ("ичу", [0, 0, 2, 0, 0, 0]),
            ("вне", [0, 0, 2, 0, 0, 1]),
            ("чне", [0, 0, 2, 0, 0, 1]),
            ("вну", [0, 0, 0, 3, 0, 0]),
            ("чну", [0, 0, 0, 3, 0, 0]),
            ("ичем", [0, 0, 0, 0, 2, 0]),
            ("вной", [0, 0, 0, 0, 2, 0]),
            ("чной", [0, 0, 0, 0, 2, 0]),
            ("иче", [0, 0, 0, 0, 0, 3]),
        ];
        let mut votes = [0; 6];
        for text in texts {
            let lower = text.to_lowercase();
            for word in lower.split_whitespace() {
                let found =
                    ENDINGS.iter().find(|(ending, _)| word.chars().count() > 5 && word.ends_with(ending));
                for (vote, more) in votes.iter_mut().zip(found.map_or([0; 6], |(_, votes)| *votes)) {
                    *vote += more;
                }
            }
        }
        let most = *votes.iter().max()?;
        let all = [Self::Nominative, Self::Genitive, Self::Dative, Self::Accusative, Self::Instrumental];
        let cases = all.into_iter().chain([Self::Prepositional]);
        (most > 0).then(|| cases.zip(votes).find(|(_, vote)| *vote == most).map(|(case, _)| case)).flatten()
    }

    /// The case that a word of a column's name says: "фио_род", "ФИО (дательный)".
    pub(crate) fn named(words: &[String]) -> Option<Self> {
        words.iter().find_map(|word| match word.as_str() {
            "род" | "рп" | "genitive" => Some(Self::Genitive),
            "дат" | "дп" | "dative" => Some(Self::Dative),
            "вин" | "вп" => Some(Self::Accusative),
            "тв" | "твор" | "тп" => Some(Self::Instrumental),
            "предл" | "пп" => Some(Self::Prepositional),
            word if word.starts_with("родит") => Some(Self::Genitive),
            word if word.starts_with("дател") => Some(Self::Dative),
            word if word.starts_with("винит") => Some(Self::Accusative),
            word if word.starts_with("творит") => Some(Self::Instrumental),
            word if word.starts_with("предлож") => Some(Self::Prepositional),
            _ => None,
        })
    }

    fn pick(self, stem: &str, nominative: &str, endings: Endings) -> String {
        let ending = match self {
            Self::Nominative => return nominative.to_owned(),
            Self::Genitive => endings[0],
            Self::Dative => endings[1],
            Self::Accusative => endings[2],
            Self::Instrumental => endings[3],
            Self::Prepositional => endings[4],
        };
        format!("{stem}{ending}")
    }
}

const CONSONANT: Endings = ["а", "у", "а", "ом", "е"];
const HUSHING: Endings = ["а", "у", "а", "ем", "е"];
const SOFT: Endings = ["я", "ю", "я", "ем", "е"];

/// The family name of a woman whose father bears `family`: "Иванова", "Достоевская"; "Шевченко" stays.
pub fn feminine(family: &str) -> String {
    each(family, |name| {
        for (male, female) in [("ий", "ая"), ("ый", "ая"), ("ой", "ая")] {
            if let Some(stem) = name.strip_suffix(male).filter(|stem| stem.chars().count() > 2) {
                return format!("{stem}{female}");
            }
        }
        match is_possessive(name) {
            true => format!("{name}а"),
            false => name.to_owned(),
        }
    })
}

/// The male form of a family name that a woman may bear: "Иванов" of "Иванова".
pub fn masculine(family: &str) -> String {
    each(family, |name| {
        if let Some(stem) = name.strip_suffix("ская").or_else(|| name.strip_suffix("цкая")) {
            let middle = if name.ends_with("цкая") { "цкий" } else { "ский" };
            return format!("{stem}{middle}");
        }
        match name.strip_suffix('а').filter(|stem| is_possessive(stem)) {
            Some(stem) => stem.to_owned(),
            None => name.to_owned(),
        }
    })
}

/// "Иванов", "Соловьёв", "Никитин": names that answer "whose?".
fn is_possessive(name: &str) -> bool {
    name.chars().count() > 3 && ["ов", "ев", "ёв", "ин", "ын"].iter().any(|ending| name.ends_with(ending))
}

/// The patronymic of a child of `father`: "Ильич", "Юрьевна".
pub fn patronymic(father: &str, sex: Sex) -> String {
    let (stem, male, female) = parts(father);
    format!("{stem}{}", if sex == Sex::Male { male } else { female })
}

fn parts(father: &str) -> (String, &'static str, &'static str) {
    let short = |stem: &str| (stem.to_owned(), "ич", "инична");
    let plain = |stem: &str| (stem.to_owned(), "ович", "овна");
    let soft = |stem: String| (stem, "евич", "евна");
    match father {
        "Илья" => return short("Иль"),
        "Лука" => return short("Лук"),
        "Кузьма" => return short("Кузьм"),
        "Фома" => return short("Фом"),
        "Никита" => return ("Никит".to_owned(), "ич", "ична"),
        "Савва" => return ("Савв".to_owned(), "ич", "ична"),
        "Лев" => return plain("Льв"),
        "Павел" => return plain("Павл"),
        "Пётр" => return plain("Петр"),
        "Яков" => return soft("Яковл".to_owned()),
        "Михаил" => return plain("Михайл"),
        _ => {}
    }
    if let Some(stem) = father.strip_suffix("ий") {
        let mut last = stem.chars().rev();
        let two = |c: Option<char>| c.is_some_and(|c| !is_vowel(c));
        let both = two(last.next()) && two(last.next());
        return soft(format!("{stem}{}", if both { 'и' } else { 'ь' }));
    }
    if let Some(stem) = father.strip_suffix(['й', 'ь']) {
        return soft(stem.to_owned());
    }
    if let Some(stem) = father.strip_suffix(['а', 'я']) {
        return (stem.to_owned(), "ич", "ична");
    }
    match ends_hushing(father) {
        true => soft(father.to_owned()),
        false => plain(father),
    }
}

/// What is left of a patronymic without its ending, the same for sons and daughters, and the sex; none where it is none.
pub fn patronymic_stem(patronymic: &str) -> Option<(&str, Sex)> {
    let endings = [
        ("ович", Sex::Male),
        ("евич", Sex::Male),
        ("овна", Sex::Female),
        ("евна", Sex::Female),
        ("инична", Sex::Female),
        ("ична", Sex::Female),
        ("ич", Sex::Male),
    ];
    let stem = |(ending, sex)| patronymic.strip_suffix(ending).map(|stem| (stem, sex));
    endings.into_iter().find_map(stem).filter(|(stem, _)| stem.chars().count() >= 2)
}

/// A given name in a case: "Павла", "Любови".
pub fn decline_given(name: &str, sex: Sex, case: Case) -> String {
    each(name, |name| decline_noun(name, sex, case))
}

/// A patronymic in a case: "Ивановичу", "Ивановне".
pub fn decline_patronymic(name: &str, sex: Sex, case: Case) -> String {
    match sex {
        Sex::Male => case.pick(name, name, HUSHING),
        Sex::Female => decline_noun(name, sex, case),
    }
}

/// A family name in a case: "Достоевскому", "Ивановой"; "Шевченко" and "Черных" stay.
pub fn decline_family(name: &str, sex: Sex, case: Case) -> String {
    each(name, |name| match sex {
        Sex::Male => decline_male_family(name, case),
        Sex::Female => decline_female_family(name, case),
    })
}

fn decline_male_family(name: &str, case: Case) -> String {
    if is_possessive(name) {
        return case.pick(name, name, ["а", "у", "а", "ым", "е"]);
    }
    if name.ends_with("их") || name.ends_with("ых") {
        return name.to_owned();
    }
    let adjective = ["ий", "ый", "ой"].iter().find_map(|ending| name.strip_suffix(ending));
    match adjective.filter(|stem| stem.chars().count() > 2) {
        Some(stem) if ends_hushing(stem) => case.pick(stem, name, ["его", "ему", "его", "им", "ем"]),
        Some(stem) if stem.ends_with(['к', 'г', 'х']) => {
            case.pick(stem, name, ["ого", "ому", "ого", "им", "ом"])
        }
        Some(stem) => case.pick(stem, name, ["ого", "ому", "ого", "ым", "ом"]),
        None => decline_noun(name, Sex::Male, case),
    }
}

fn decline_female_family(name: &str, case: Case) -> String {
    if let Some(stem) = name.strip_suffix("ая") {
        return case.pick(stem, name, ["ой", "ой", "ую", "ой", "ой"]);
    }
    match name.strip_suffix('а') {
        Some(stem) if is_possessive(stem) => case.pick(stem, name, ["ой", "ой", "у", "ой", "ой"]),
        Some(_) => decline_noun(name, Sex::Female, case),
        None if name.ends_with('я') => decline_noun(name, Sex::Female, case),
        None => name.to_owned(),
    }
}

fn decline_noun(name: &str, sex: Sex, case: Case) -> String {
    let fleeting = match name {
        "Павел" => Some("Павл"),
        "Лев" => Some("Льв"),
        "Пётр" => Some("Петр"),
        _ => None,
    };
    if let Some(stem) = fleeting {
        return case.pick(stem, name, CONSONANT);
    }
    let Some(last) = name.chars().last() else { return String::new() };
    let stem = &name[..name.len() - last.len_utf8()];
    match (last, sex) {
        ('а', _) => {
            let genitive =
                if stem.ends_with(['г', 'к', 'х', 'ж', 'ш', 'ч', 'щ']) { "и" } else { "ы" };
            let instrumental = if ends_hushing(stem) { "ей" } else { "ой" };
            case.pick(stem, name, [genitive, "е", "у", instrumental, "е"])
        }
        ('я', _) if stem.ends_with('и') => case.pick(stem, name, ["и", "и", "ю", "ей", "и"]),
        ('я', Sex::Male) => case.pick(stem, name, ["и", "е", "ю", "ёй", "е"]),
        ('я', Sex::Female) => case.pick(stem, name, ["и", "е", "ю", "ей", "е"]),
        ('ь', Sex::Female) => case.pick(stem, name, ["и", "и", "ь", "ью", "и"]),
        ('й', Sex::Male) if stem.ends_with('и') => case.pick(stem, name, ["я", "ю", "я", "ем", "и"]),
        ('й' | 'ь', Sex::Male) => case.pick(stem, name, SOFT),
        (last, Sex::Male) if last.is_alphabetic() && !is_vowel(last) => {
            case.pick(name, name, if ends_hushing(name) { HUSHING } else { CONSONANT })
        }
        _ => name.to_owned(),
    }
}

fn is_vowel(c: char) -> bool {
    "аеёиоуыэюяАЕЁИОУЫЭЮЯ".contains(c)
}

fn ends_hushing(text: &str) -> bool {
    text.ends_with(['ж', 'ш', 'ч', 'щ', 'ц'])
}

/// Each part of a name with hyphens.
fn each(name: &str, change: impl Fn(&str) -> String) -> String {
    name.split('-').map(change).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn women_bear_their_form_of_the_family_name() {
        for (male, female) in [
            ("Иванов", "Иванова"),
            ("Соловьёв", "Соловьёва"),
            ("Никитин", "Никитина"),
            ("Достоевский", "Достоевская"),
            ("Трубецкой", "Трубецкая"),
            ("Шевченко", "Шевченко"),
            ("Черных", "Черных"),
            ("Мельник", "Мельник"),
            ("Иванов-Петров", "Иванова-Петрова"),
        ] {
            assert_eq!(feminine(male), female);
        }
        assert_eq!((masculine("Иванова"), masculine("Достоевская")), ("Иванов".into(), "Достоевский".into()));
        assert_eq!(masculine("Шевченко"), "Шевченко");
    }

    #[test]
    fn patronymics_follow_the_father() {
        for (father, son, daughter) in [
            ("Иван", "Иванович", "Ивановна"),
            ("Юрий", "Юрьевич", "Юрьевна"),
            ("Дмитрий", "Дмитриевич", "Дмитриевна"),
            ("Георгий", "Георгиевич", "Георгиевна"),
            ("Валерий", "Валерьевич", "Валерьевна"),
            ("Сергей", "Сергеевич", "Сергеевна"),
            ("Николай", "Николаевич", "Николаевна"),
            ("Игорь", "Игоревич", "Игоревна"),
            ("Илья", "Ильич", "Ильинична"),
            ("Никита", "Никитич", "Никитична"),
            ("Лев", "Львович", "Львовна"),
            ("Пётр", "Петрович", "Петровна"),
            ("Павел", "Павлович", "Павловна"),
            ("Яков", "Яковлевич", "Яковлевна"),
            ("Михаил", "Михайлович", "Михайловна"),
        ] {
            assert_eq!(
                (patronymic(father, Sex::Male), patronymic(father, Sex::Female)),
                (son.into(), daughter.into())
            );
            let stems = (patronymic_stem(son), patronymic_stem(daughter));
            assert_eq!(stems.0.map(|s| s.0), stems.1.map(|s| s.0), "{father}");
        }
    }

    #[test]
    fn names_are_declined() {
        let whole = |family: &str, given: &str, father: &str, sex, case| {
            let of = patronymic(father, sex);
            let parts = [
                decline_family(family, sex, case),
                decline_given(given, sex, case),
                decline_patronymic(&of, sex, case),
            ];
            parts.join(" ")
        };
        for (sex, names, genitive, dative) in [
            (Sex::Male, ["Иванов", "Иван", "Иван"], "Иванова Ивана Ивановича", "Иванову Ивану Ивановичу"),
            (
                Sex::Male,
                ["Достоевский", "Дмитрий", "Илья"],
                "Достоевского Дмитрия Ильича",
                "Достоевскому Дмитрию Ильичу",
            ),
            (Sex::Male, ["Шевченко", "Павел", "Лев"], "Шевченко Павла Львовича", "Шевченко Павлу Львовичу"),
            (Sex::Male, ["Коваль", "Игорь", "Юрий"], "Коваля Игоря Юрьевича", "Ковалю Игорю Юрьевичу"),
            (
                Sex::Male,
                ["Мельник", "Никита", "Олег"],
                "Мельника Никиты Олеговича",
                "Мельнику Никите Олеговичу",
            ),
            (Sex::Female, ["Иванова", "Мария", "Пётр"], "Ивановой Марии Петровны", "Ивановой Марии Петровне"),
            (
                Sex::Female,
                ["Троицкая", "Любовь", "Илья"],
                "Троицкой Любови Ильиничны",
                "Троицкой Любови Ильиничне",
            ),
            (Sex::Female, ["Мельник", "Ольга", "Марк"], "Мельник Ольги Марковны", "Мельник Ольге Марковне"),
            (
                Sex::Female,
                ["Черных", "Наталья", "Глеб"],
                "Черных Натальи Глебовны",
                "Черных Наталье Глебовне",
            ),
        ] {
            assert_eq!(whole(names[0], names[1], names[2], sex, Case::Genitive), genitive);
            assert_eq!(whole(names[0], names[1], names[2], sex, Case::Dative), dative);
            assert_eq!(Case::of(&[genitive]), Some(Case::Genitive));
            assert_eq!(Case::of(&[dative]), Some(Case::Dative));
        }
        assert_eq!(
            whole("Иванова", "Анна", "Иван", Sex::Female, Case::Instrumental),
            "Ивановой Анной Ивановной"
        );
    }
}
