//! Persons: a given name that fits the sex, a family name in its form, a patronymic of a father.

use std::{borrow::Cow, sync::LazyLock};

use super::{MAX_PLAIN, handle_or, level};
use crate::{
    locale::Locale,
    russian::{self, Case},
    sex::Sex,
    stream::{Stream, derive},
};

/// Attempts at rarer given names, between the frequent ones and composed ones.
const RARE: std::ops::Range<u32> = MAX_PLAIN..10;

/// The names of somebody who does not exist, in the nominative.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub locale: Locale,
    pub sex: Sex,
    pub given: String,
    pub middle: String,
    pub family: String,
    pub patronymic: String,
}

impl Person {
    pub fn draw(locale: Locale, sex: Sex, seed: u64) -> Self {
        Self {
            locale,
            sex,
            given: given(locale, sex, derive(seed, "given"), 0),
            middle: given(locale, sex, derive(seed, "middle"), 0),
            family: family(locale, sex, derive(seed, "family"), 0),
            patronymic: patronymic(sex, derive(seed, "patronymic"), 0),
        }
    }

    /// Given and family name as they stand in logins.
    pub fn handles(&self) -> (String, String) {
        let (male, family) = (Locale::EnUs.given(Sex::Male), &Locale::EnUs.lists().family);
        let seed = derive(self.given.len() as u64, &self.family);
        (handle_or(&self.given, seed, male), handle_or(&self.family, seed, family))
    }

    /// The names in a case; those that are not Russian have none.
    pub fn declined(&self, case: Case) -> Cow<'_, Self> {
        if self.locale != Locale::RuRu || case == Case::Nominative {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self {
            given: russian::decline_given(&self.given, self.sex, case),
            middle: russian::decline_given(&self.middle, self.sex, case),
            family: russian::decline_family(&self.family, self.sex, case),
            patronymic: russian::decline_patronymic(&self.patronymic, self.sex, case),
            ..*self
        })
    }
}

/// Different names of a list, as many as the attempt asks for, joined.
fn several(names: &[&'static str], seed: u64, attempt: u32) -> Vec<&'static str> {
    let mut stream = Stream::new(seed, attempt);
    let n = (level(attempt) + 1).min(names.len().max(1));
    let mut parts: Vec<&str> = Vec::with_capacity(n);
    while parts.len() < n {
        let name = stream.pick(names);
        if !parts.contains(&name) {
            parts.push(name);
        }
    }
    parts
}

fn joint(locale: Locale) -> &'static str {
    if matches!(locale, Locale::JaJp | Locale::ZhCn) { "" } else { "-" }
}

pub(crate) fn given(locale: Locale, sex: Sex, seed: u64, attempt: u32) -> String {
    let rare = locale.rare_given(sex);
    if RARE.contains(&attempt) && !rare.is_empty() {
        return Stream::new(seed, attempt).pick(rare).to_owned();
    }
    several(locale.given(sex), seed, attempt).join(joint(locale))
}

/// A family name in the form that somebody of that sex bears.
pub(crate) fn family(locale: Locale, sex: Sex, seed: u64, attempt: u32) -> String {
    let name = several(&locale.lists().family, seed, attempt).join(joint(locale));
    if locale == Locale::RuRu && sex == Sex::Female { russian::feminine(&name) } else { name }
}

/// A male family name that has, or has not, a form of its own for women: Russian ones only differ.
pub(crate) fn family_alike(locale: Locale, varies: bool, seed: u64, attempt: u32) -> String {
    if locale != Locale::RuRu {
        return family(locale, Sex::Male, seed, attempt);
    }
    static BY_FORM: LazyLock<[Vec<&str>; 2]> = LazyLock::new(|| {
        let of = |varies: bool| {
            let alike = |name: &&&str| (russian::feminine(name) != **name) == varies;
            Locale::RuRu.lists().family.iter().filter(alike).copied().collect()
        };
        [of(false), of(true)]
    });
    let names = &BY_FORM[usize::from(varies)];
    several(names, seed, attempt).join("-")
}

pub(crate) fn patronymic(sex: Sex, seed: u64, attempt: u32) -> String {
    let fathers = several(Locale::RuRu.given(Sex::Male), seed, attempt);
    let (last, others) = fathers.split_last().unwrap_or((&"Иван", &[]));
    let mut parts: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
    parts.push(russian::patronymic(last, sex));
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sexes_share_a_seed() {
        let (he, she) =
            (Person::draw(Locale::RuRu, Sex::Male, 7), Person::draw(Locale::RuRu, Sex::Female, 7));
        assert_eq!(russian::feminine(&he.family), she.family);
        assert!(Locale::RuRu.given(Sex::Female).contains(&she.given.as_str()));
        assert!(he.patronymic.ends_with("ич") && she.patronymic.ends_with("на"));
        assert!(given(Locale::DeDe, Sex::Male, 3, 20).contains('-'));
    }
}
