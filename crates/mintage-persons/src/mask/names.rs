//! Names under a mask: by their parts, in the form and the case of the original.

use super::{Mask, Named, Row};
use crate::{
    format::{Format, Parsed, Pattern, name as whole},
    kind::Personal,
    locale::{Locale, known},
    make::{self, person, person::Person},
    plan::{PlannedColumn, is_initial},
    russian::{self, Case},
    sex::Sex,
    stream::{Stream, derive, keyed},
    text::{Letters, fold},
};

/// Ways in which logins are made of names.
const PATTERNS: &[&str] = &[
    "{given}.{family}",
    "{given}_{family}",
    "{given}-{family}",
    "{given}{family}",
    "{g}{family}",
    "{g}.{family}",
    "{g}_{family}",
    "{family}.{given}",
    "{family}_{given}",
    "{family}{given}",
    "{family}.{g}",
    "{family}_{g}",
    "{family}{g}",
    "{given}{f}",
    "{given}.{f}",
    "{given}",
    "{family}",
    "{family:3}",
];

/// The names of a row before they are masked.
pub(super) struct Originals<'a> {
    pub given: Option<&'a str>,
    pub middle: Option<&'a str>,
    pub family: Option<&'a str>,
    pub patronymic: Option<&'a str>,
    pub sex: Option<Sex>,
    locale: Locale,
}

impl<'a> Originals<'a> {
    /// What the columns of single names say, else the first whole name in the nominative.
    pub fn of(row: &'a Row<'_>, sex: Option<Sex>, locale: Locale) -> Self {
        let single =
            |what| row.of_kind(what).find(|(k, _)| is_nominative(row, *k)).map(|(_, text)| text.trim());
        let full = row.of_kind(Personal::FullName).find(|(k, _)| is_nominative(row, *k));
        let parsed =
            full.and_then(|(k, text)| whole::parse(text, given_first(&row.columns[k].format, row.locale)));
        let part = |slot| parsed.as_ref().and_then(|parsed: &Parsed<'a>| parsed.part(slot));
        let given = single(Personal::GivenName).or_else(|| part("given"));
        let family = single(Personal::FamilyName).or_else(|| part("family"));
        let patronymic = single(Personal::Patronymic).or_else(|| part("patronymic"));
        let middle = single(Personal::MiddleName).or_else(|| part("middle"));
        let sex = sex.or_else(|| sex_of(given, patronymic, family));
        Self { given, middle, family, patronymic, sex, locale }
    }

    /// The way in which a login is made of these names, if any.
    pub fn pattern_of(&self, local: &str) -> Option<&'static str> {
        self.given.or(self.family)?;
        // People write "kohler" and "koehler" of themselves.
        let plain =
            |name: &str| name.replace(['ä', 'Ä'], "a").replace(['ö', 'Ö'], "o").replace(['ü', 'Ü'], "u");
        let lower = local.to_lowercase();
        let mut person = Person::draw(self.locale, Sex::Male, 1);
        [str::to_owned, plain].into_iter().find_map(|spelled: fn(&str) -> String| {
            person.given = spelled(self.given.unwrap_or_default());
            person.family = spelled(self.family.unwrap_or_default());
            let made = |pattern: &&&str| {
                let there = |name: Option<&str>, slot: &str| name.is_some() || !pattern.contains(slot);
                let login = || make::login(pattern, Letters::Lower, &person, &mut Stream::new(0, 0));
                there(self.given, "{g") && there(self.family, "{f") && login().as_deref() == Some(&*lower)
            };
            PATTERNS.iter().find(made).copied()
        })
    }
}

/// The sex that names say: a patronymic surely, a known given name, a female form of a family name.
fn sex_of(given: Option<&str>, patronymic: Option<&str>, family: Option<&str>) -> Option<Sex> {
    let by_father =
        patronymic.and_then(|text| russian::patronymic_stem(&text.to_lowercase()).map(|(_, sex)| sex));
    let by_given = || known(&fold(given?))?.given.iter().find_map(|(_, sex)| *sex);
    let by_family = || {
        let lower = family?.to_lowercase();
        (russian::masculine(&lower) != lower).then_some(Sex::Female)
    };
    by_father.or_else(by_given).or_else(by_family)
}

fn is_nominative(row: &Row<'_>, k: usize) -> bool {
    row.columns[k].format.case == Case::Nominative
}

/// Whether the patterns of a column have given names first.
fn given_first(format: &Format, locale: Locale) -> bool {
    let place = |pattern: &Pattern| Some(pattern.text.find("{g")? < pattern.text.find("{f")?);
    format
        .patterns
        .iter()
        .filter(|pattern| !pattern.text.contains(','))
        .find_map(place)
        .unwrap_or(locale != Locale::RuRu)
}

impl Row<'_> {
    /// Whether no column of the kind has this name in the source, written as its values are: a mask is for all of them.
    fn is_new_name(&self, what: Personal, name: &str) -> bool {
        let known = |(k, column): (usize, &PlannedColumn)| {
            let format = &column.format;
            let name = if format.ascii { crate::text::ascii(name) } else { name.to_owned() };
            column.what == what && (self.is_known)(k, &format.letters.write(&name))
        };
        !self.columns.iter().enumerate().any(known)
    }
}

impl Mask {
    /// The person that a row's names become; what the row does not say of it is drawn.
    pub(super) fn person(&mut self, row: &Row<'_>, originals: &Originals<'_>) -> Person {
        let said = [originals.given, originals.family, originals.patronymic].map(Option::unwrap_or_default);
        let other = row.cells.first().map_or("", |(_, text)| text);
        let seed = keyed(
            self.key,
            &["person", said[0], said[1], said[2], if said.concat().is_empty() { other } else { "" }],
        );
        let sex = originals.sex.unwrap_or(if derive(seed, "sex") & 1 == 0 { Sex::Female } else { Sex::Male });
        let mut person = Person::draw(row.locale, sex, seed);
        if let Some(mask) = originals.given.and_then(|text| self.given(row, text, Some(sex))) {
            person.given = mask;
        }
        if let Some(mask) = originals.middle.and_then(|text| self.given(row, text, Some(sex))) {
            person.middle = mask;
        }
        if let Some(mask) = originals.family.and_then(|text| self.family(row, text, sex)) {
            person.family = mask;
        }
        if let Some(mask) = originals.patronymic.and_then(|text| self.patronymic(row, text, sex)) {
            person.patronymic = mask;
        }
        person
    }

    /// A given name of the same sex.
    pub(super) fn given(&mut self, row: &Row<'_>, text: &str, sex: Option<Sex>) -> Option<String> {
        let folded = fold(text);
        let own = known(&folded).and_then(|known| known.given.iter().find_map(|(_, sex)| *sex));
        let sex = own.or(sex).unwrap_or(Sex::Female);
        let draw = |seed, attempt| Some(person::given(row.locale, sex, seed, attempt));
        self.once("given", &folded, draw, |name| {
            row.is_new_name(Personal::GivenName, name) && row.is_new_name(Personal::MiddleName, name)
        })
    }

    /// A family name: one for "Иванов" and "Иванова", in the form that fits.
    pub(super) fn family(&mut self, row: &Row<'_>, text: &str, sex: Sex) -> Option<String> {
        let russian = row.locale == Locale::RuRu;
        let folded = fold(text);
        let own = if russian && sex == Sex::Female { russian::masculine(&folded) } else { folded };
        // What women bear as men do becomes a name of which that is true: one value has one mask.
        let varies = russian::feminine(&own) != own;
        let draw = |seed, attempt| Some(person::family_alike(row.locale, varies, seed, attempt));
        let mask = self.once("family", &own, draw, |name| {
            row.is_new_name(Personal::FamilyName, name)
                && (!russian || row.is_new_name(Personal::FamilyName, &russian::feminine(name)))
        })?;
        Some(if russian && sex == Sex::Female { russian::feminine(&mask) } else { mask })
    }

    /// A patronymic: sons and daughters of one father stay so.
    fn patronymic(&mut self, row: &Row<'_>, text: &str, sex: Sex) -> Option<String> {
        let folded = fold(text);
        let stem = russian::patronymic_stem(&folded).map_or(folded.as_str(), |(stem, _)| stem);
        let draw = |seed, attempt| Some(person::patronymic(Sex::Male, seed, attempt));
        let mask = self.once("patronymic", stem, draw, |name| {
            let forms = [name.to_owned(), daughter(name)];
            forms.iter().all(|form| row.is_new_name(Personal::Patronymic, form))
        })?;
        Some(if sex == Sex::Female { daughter(&mask) } else { mask })
    }

    /// What a column of names becomes: a part of the person, or the whole in the pattern of the original.
    pub(super) fn name(&mut self, row: &Row<'_>, k: usize, text: &str, named: &Named<'_>) -> Option<String> {
        let Named { originals, person } = named;
        let column = &row.columns[k];
        let letters = Letters::of(&[text]);
        let mut format = Format { letters, ..column.format.clone() };
        if column.what != Personal::FullName {
            let masked = match column.what {
                Personal::MiddleName => originals.middle.is_some(),
                Personal::GivenName => originals.given.is_some(),
                Personal::FamilyName => originals.family.is_some(),
                _ => originals.patronymic.is_some(),
            };
            if column.what == Personal::MiddleName {
                format =
                    Format { letters, ascii: format.ascii, ..Format::of_one(column.what, text, row.locale) };
            }
            if column.what == Personal::GivenName {
                format.patterns = Format::of_one(column.what, text, row.locale).patterns;
            }
            let text = make::name(column.what, &format, person, 0).filter(|_| masked)?;
            return (is_initial(&text) || !(row.is_known)(k, &text)).then_some(text);
        }
        let parsed = whole::parse(text.trim(), given_first(&column.format, row.locale));
        let pattern = parsed.map(|parsed| parsed.pattern);
        format.patterns = pattern.map(|text| vec![Pattern { text, weight: 1 }]).unwrap_or_default();
        format.letters = Letters::Natural;
        let draw = |seed, attempt| {
            let mut person = person.clone();
            if attempt > 0 {
                person.given = person::given(person.locale, person.sex, derive(seed, "given"), attempt);
                person.family = person::family(person.locale, person.sex, derive(seed, "family"), attempt);
            }
            make::name(Personal::FullName, &format, &person, 0)
        };
        let mask = self
            .once("full", &fold(text), draw, |text| row.is_new(Personal::FullName, &letters.write(text)))?;
        Some(letters.write(&mask))
    }
}

/// The patronymic of a daughter whose brother has this one.
fn daughter(son: &str) -> String {
    let ends = [("ович", "овна"), ("евич", "евна"), ("китич", "китична"), ("ич", "инична")];
    let found =
        ends.into_iter().find_map(|(male, female)| Some(format!("{}{female}", son.strip_suffix(male)?)));
    found.unwrap_or_else(|| son.to_owned())
}
