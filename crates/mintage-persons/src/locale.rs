//! What each locale knows: names by sex, streets, companies, and places with their regions and postcodes.
//!
//! Names come from `fake` where its lists are good (family names of English and French, the languages of which only names
//! are offered); sexes, Russian and the gazetteers are written here, since `fake` has none.

mod de;
mod en;
mod fr;
mod ru;
mod world;

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use fake::locales::{self, Data};
use serde::{Deserialize, Serialize};

use crate::{
    russian,
    sex::Sex,
    text::{ascii, fold},
};

/// A language and a country. The first five have everything; the others have names, and take the rest of [`Locale::EnUs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locale {
    EnUs,
    EnGb,
    DeDe,
    FrFr,
    RuRu,
    EsEs,
    ItIt,
    PtBr,
    NlNl,
    TrTr,
    JaJp,
    ZhCn,
}

pub(crate) type Words = Vec<&'static str>;

/// The lists of one locale.
pub(crate) struct Lists {
    pub male: Words,
    pub female: Words,
    /// Rarer names of `fake`, whose sex their endings tell: drawn where the frequent ones are taken.
    pub rare_male: Words,
    pub rare_female: Words,
    /// Male forms, where the sexes differ.
    pub family: Words,
    pub streets: Words,
    pub companies: Words,
    pub company_ends: Words,
    pub town_starts: Words,
    pub town_ends: Words,
    pub country: &'static str,
}

/// A town that is on the map.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub city: &'static str,
    pub region: &'static str,
    /// "CA" of California; empty where regions have none.
    pub abbreviation: &'static str,
    /// First characters of its postcodes, one of them; none where they are not told.
    pub prefixes: Words,
}

pub(crate) struct Country {
    pub code: &'static str,
    pub calling: &'static str,
    pub postcode: &'static str,
    pub locale: Locale,
    pub places: Vec<Place>,
    names: Words,
}

impl Locale {
    pub const ALL: [Self; 12] = [
        Self::EnUs,
        Self::EnGb,
        Self::DeDe,
        Self::FrFr,
        Self::RuRu,
        Self::EsEs,
        Self::ItIt,
        Self::PtBr,
        Self::NlNl,
        Self::TrTr,
        Self::JaJp,
        Self::ZhCn,
    ];
    /// Those with streets, places and numbers of their own.
    pub const FULL: [Self; 5] = [Self::EnUs, Self::EnGb, Self::DeDe, Self::FrFr, Self::RuRu];

    /// "de_DE".
    pub fn code(self) -> &'static str {
        match self {
            Self::EnUs => "en_US",
            Self::EnGb => "en_GB",
            Self::DeDe => "de_DE",
            Self::FrFr => "fr_FR",
            Self::RuRu => "ru_RU",
            Self::EsEs => "es_ES",
            Self::ItIt => "it_IT",
            Self::PtBr => "pt_BR",
            Self::NlNl => "nl_NL",
            Self::TrTr => "tr_TR",
            Self::JaJp => "ja_JP",
            Self::ZhCn => "zh_CN",
        }
    }

    pub(crate) fn lists(self) -> &'static Lists {
        &LISTS[self as usize]
    }

    pub(crate) fn given(self, sex: Sex) -> &'static [&'static str] {
        match sex {
            Sex::Male => &self.lists().male,
            Sex::Female => &self.lists().female,
        }
    }

    /// Those that are drawn where the frequent ones are taken; empty where there are none.
    pub(crate) fn rare_given(self, sex: Sex) -> &'static [&'static str] {
        match sex {
            Sex::Male => &self.lists().rare_male,
            Sex::Female => &self.lists().rare_female,
        }
    }

    /// The country of the places of this locale.
    pub(crate) fn country(self) -> &'static Country {
        let code = self.lists().country;
        COUNTRIES.iter().find(|country| country.code == code).unwrap_or(&COUNTRIES[0])
    }
}

/// The country called so, in any of some languages, or by its code.
pub(crate) fn country(name: &str) -> Option<&'static Country> {
    static BY_NAME: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
        let names = |at: usize| COUNTRIES[at].names.iter().chain([&COUNTRIES[at].code]);
        (0..COUNTRIES.len()).flat_map(|at| names(at).map(move |name| (fold(name), at))).collect()
    });
    BY_NAME.get(&fold(name)).map(|&at| &COUNTRIES[at])
}

/// Whether a word is the name of a country that is known here or to `fake`.
pub(crate) fn is_country(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let lists = [
            locales::EN::ADDRESS_COUNTRY,
            locales::FR_FR::ADDRESS_COUNTRY,
            locales::EN::ADDRESS_COUNTRY_CODE,
        ];
        lists.into_iter().flatten().map(|name| fold(name)).collect()
    });
    country(name).is_some() || NAMES.contains(&fold(name))
}

pub(crate) fn countries() -> &'static [Country] {
    &COUNTRIES
}

/// A place known by the name of its city, and its country; the first of several.
pub(crate) fn place(city: &str) -> Option<(&'static Country, &'static Place)> {
    static BY_CITY: LazyLock<HashMap<String, (usize, usize)>> = LazyLock::new(|| {
        let mut map = HashMap::new();
        for (at, country) in COUNTRIES.iter().enumerate() {
            for (n, place) in country.places.iter().enumerate() {
                map.entry(fold(place.city)).or_insert((at, n));
            }
        }
        map
    });
    BY_CITY.get(&fold(city)).map(|&(at, n)| (&COUNTRIES[at], &COUNTRIES[at].places[n]))
}

/// The locales in which a folded word is a given name, with its sex, and those in which it is a family name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub given: Vec<(Locale, Option<Sex>)>,
    pub family: Vec<Locale>,
}

/// What is known of a word as a name; the word is folded ([`fold`]).
pub(crate) fn known(folded: &str) -> Option<&'static Known> {
    static NAMES: LazyLock<HashMap<String, Known>> = LazyLock::new(|| {
        let mut map: HashMap<String, Known> = HashMap::new();
        for locale in Locale::ALL {
            for sex in [Sex::Male, Sex::Female] {
                let sexed = !is_unisex(locale);
                for name in locale.given(sex).iter().filter(|_| sexed || sex == Sex::Male) {
                    map.entry(fold(name)).or_default().given.push((locale, sexed.then_some(sex)));
                    if locale == Locale::RuRu {
                        map.entry(fold(&ascii(name))).or_default().given.push((locale, Some(sex)));
                    }
                }
            }
            for name in &locale.lists().family {
                map.entry(fold(name)).or_default().family.push(locale);
                if locale == Locale::RuRu {
                    for form in [russian::feminine(name), ascii(name), ascii(&russian::feminine(name))] {
                        map.entry(fold(&form)).or_default().family.push(locale);
                    }
                }
            }
        }
        let more = [
            (Locale::EnUs, locales::EN::NAME_FIRST_NAME, locales::EN::NAME_LAST_NAME),
            (Locale::DeDe, locales::DE_DE::NAME_FIRST_NAME, locales::DE_DE::NAME_LAST_NAME),
            (Locale::FrFr, locales::FR_FR::NAME_FIRST_NAME, locales::FR_FR::NAME_LAST_NAME),
        ];
        for (locale, given, family) in more {
            for name in given {
                let known = map.entry(fold(name)).or_default();
                if known.given.is_empty() {
                    known.given.push((locale, None));
                }
            }
            for name in family {
                let known = map.entry(fold(name)).or_default();
                if known.family.is_empty() {
                    known.family.push(locale);
                }
            }
        }
        map
    });
    NAMES.get(folded)
}

/// Whether `fake` tells no sexes of the given names.
fn is_unisex(locale: Locale) -> bool {
    matches!(locale, Locale::ItIt | Locale::PtBr | Locale::NlNl | Locale::TrTr | Locale::JaJp | Locale::ZhCn)
}

fn split(text: &'static str) -> Words {
    text.split_whitespace().collect()
}

fn split_at(text: &'static str, mark: char) -> Words {
    text.split(mark).map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Names of `fake` that are usable as they come: letters, with a capital where the script has capitals.
fn usable(names: &[&'static str]) -> Words {
    let plain = |name: &&&str| name.chars().all(char::is_alphabetic) && !name.starts_with(char::is_lowercase);
    names.iter().filter(plain).copied().collect()
}

/// Names whose ending tells the sex, without those that are `told` already: of men few endings do.
fn rare(names: &[&'static str], sex: Sex, told: &[&str]) -> Words {
    const FEMALE: &[&str] =
        &["ella", "ina", "ana", "ia", "ette", "elle", "ine", "lyn", "issa", "enne", "isha"];
    const MALE: &[&str] = &[
        "ard", "ert", "ald", "bert", "ford", "rick", "ius", "ando", "ardo", "erto", "vin", "ton", "mund",
        "ric",
    ];
    let endings = if sex == Sex::Female { FEMALE } else { MALE };
    let told: HashSet<&str> = told.iter().flat_map(|names| names.split_whitespace()).collect();
    let fits = |name: &&str| endings.iter().any(|ending| name.ends_with(ending)) && !told.contains(name);
    usable(names).into_iter().filter(fits).collect()
}

static LISTS: LazyLock<Vec<Lists>> = LazyLock::new(|| Locale::ALL.into_iter().map(lists).collect());

fn lists(locale: Locale) -> Lists {
    let english = |male, female, streets, country, ends| Lists {
        rare_male: rare(locales::EN::NAME_FIRST_NAME, Sex::Male, &[male, female]),
        rare_female: rare(locales::EN::NAME_FIRST_NAME, Sex::Female, &[male, female]),
        male: split(male),
        female: split(female),
        family: usable(locales::EN::NAME_LAST_NAME),
        streets: split_at(streets, '|'),
        companies: split(en::COMPANIES),
        company_ends: ends,
        town_starts: split(en::TOWN_STARTS),
        town_ends: split(en::TOWN_ENDS),
        country,
    };
    let us = || {
        english(
            en::MALE_US,
            en::FEMALE_US,
            en::STREETS_US,
            "US",
            vec!["Inc.", "LLC", "Corp.", "Group", "Co."],
        )
    };
    let only_names = |male: Words, female: Words, family: Words, country| Lists {
        male,
        female,
        family,
        country,
        rare_male: Words::new(),
        rare_female: Words::new(),
        ..us()
    };
    let unisex = |given: &[&'static str], family: &[&'static str], country| {
        only_names(usable(given), usable(given), usable(family), country)
    };
    match locale {
        Locale::EnUs => us(),
        Locale::EnGb => english(
            en::MALE_GB,
            en::FEMALE_GB,
            en::STREETS_GB,
            "GB",
            vec!["Ltd", "Limited", "PLC", "& Sons", "LLP"],
        ),
        Locale::DeDe => Lists {
            rare_male: Words::new(),
            rare_female: Words::new(),
            male: split(de::MALE),
            female: split(de::FEMALE),
            family: split(de::FAMILY),
            streets: split_at(de::STREETS, '|'),
            companies: split(de::FAMILY),
            company_ends: locales::DE_DE::COMPANY_SUFFIX.to_vec(),
            town_starts: split(de::TOWN_STARTS),
            town_ends: split(de::TOWN_ENDS),
            country: "DE",
        },
        Locale::FrFr => Lists {
            rare_male: rare(locales::FR_FR::NAME_FIRST_NAME, Sex::Male, &[fr::MALE, fr::FEMALE]),
            rare_female: rare(locales::FR_FR::NAME_FIRST_NAME, Sex::Female, &[fr::MALE, fr::FEMALE]),
            male: split(fr::MALE),
            female: split(fr::FEMALE),
            family: usable(locales::FR_FR::NAME_LAST_NAME),
            streets: split_at(fr::STREETS, '|'),
            companies: usable(locales::FR_FR::NAME_LAST_NAME),
            company_ends: vec!["SA", "SARL", "SAS", "et Fils", "EURL"],
            town_starts: split(fr::TOWN_STARTS),
            town_ends: split(fr::TOWN_ENDS),
            country: "FR",
        },
        Locale::RuRu => Lists {
            rare_male: Words::new(),
            rare_female: Words::new(),
            male: split(ru::MALE),
            female: split(ru::FEMALE),
            family: split(ru::FAMILY),
            streets: split_at(ru::STREETS, '|'),
            companies: split(ru::COMPANIES),
            company_ends: vec!["ООО", "АО", "ООО", "ПАО", "ИП"],
            town_starts: split(ru::TOWN_STARTS),
            town_ends: split(ru::TOWN_ENDS),
            country: "RU",
        },
        Locale::EsEs => only_names(
            split(world::SPANISH_MALE),
            split(world::SPANISH_FEMALE),
            split(world::SPANISH_FAMILY),
            "ES",
        ),
        Locale::ItIt => unisex(locales::IT_IT::NAME_FIRST_NAME, locales::IT_IT::NAME_LAST_NAME, "IT"),
        Locale::PtBr => unisex(locales::PT_BR::NAME_FIRST_NAME, locales::PT_BR::NAME_LAST_NAME, "BR"),
        Locale::NlNl => unisex(locales::NL_NL::NAME_FIRST_NAME, locales::NL_NL::NAME_LAST_NAME, "NL"),
        Locale::TrTr => unisex(locales::TR_TR::NAME_FIRST_NAME, locales::TR_TR::NAME_LAST_NAME, "TR"),
        Locale::JaJp => unisex(locales::JA_JP::NAME_FIRST_NAME, locales::JA_JP::NAME_LAST_NAME, "JP"),
        Locale::ZhCn => unisex(locales::ZH_CN::NAME_FIRST_NAME, locales::ZH_CN::NAME_LAST_NAME, "CN"),
    }
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| {
    let countries = world::COUNTRIES.iter();
    countries
        .map(|&(code, names, calling, postcode, locale, cities)| Country {
            code,
            calling,
            postcode,
            locale,
            places: match code {
                "US" => gazetteer(en::PLACES_US),
                "GB" => gazetteer(en::PLACES_GB),
                "DE" => gazetteer(de::PLACES),
                "FR" => gazetteer(fr::PLACES),
                "RU" => gazetteer(ru::PLACES),
                _ => cities.split(',').map(|line| line_of(line, ':', false)).collect(),
            },
            names: split_at(names, ','),
        })
        .collect()
});

fn gazetteer(lines: &'static str) -> Vec<Place> {
    lines.lines().map(|line| line_of(line, '|', true)).collect()
}

fn line_of(line: &'static str, mark: char, abbreviated: bool) -> Place {
    let mut parts = line.split(mark);
    let city = parts.next().unwrap_or_default();
    let region = parts.next().unwrap_or_default();
    let abbreviation = if abbreviated { parts.next().unwrap_or_default() } else { "" };
    Place { city, region, abbreviation, prefixes: parts.next().map(split).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_long_enough() {
        for locale in Locale::FULL {
            let lists = locale.lists();
            assert!(lists.male.len() >= 60 && lists.female.len() >= 60, "{locale:?}");
            assert!(lists.family.len() >= 100 && lists.streets.len() >= 55, "{locale:?}");
            let places = &locale.country().places;
            assert!(places.len() >= 40, "{locale:?}: {}", places.len());
            assert!(
                places.iter().all(|place| !place.region.is_empty() && !place.prefixes.is_empty()),
                "{locale:?}"
            );
            assert!(lists.town_starts.len() * lists.town_ends.len() >= 400, "{locale:?}");
        }
        assert!(Locale::RuRu.lists().family.len() >= 150);
        for locale in Locale::ALL {
            assert!(!locale.given(Sex::Female).is_empty() && locale.lists().family.len() > 10, "{locale:?}");
        }
    }

    #[test]
    fn countries_are_known_by_many_names() {
        for name in ["Germany", "deutschland", "DE", "Германия"] {
            assert_eq!(country(name).map(|country| country.code), Some("DE"), "{name}");
        }
        assert!(is_country("Afghanistan") && !is_country("Berlin"));
        assert_eq!(
            place("münchen").map(|(country, place)| (country.code, place.region)),
            Some(("DE", "Bayern"))
        );
    }

    #[test]
    fn names_are_known_with_their_sex() {
        let olga = known(&fold("Ольга")).map(|known| known.given.clone());
        assert_eq!(olga, Some(vec![(Locale::RuRu, Some(Sex::Female))]));
        assert!(known(&fold("Иванова")).is_some_and(|known| known.family.contains(&Locale::RuRu)));
        assert!(known("zxqv").is_none());
    }
}
