//! Which columns of a table hold personal data, and why.
//!
//! The name of a column lowers the bar, the values decide, and the rest of the table is the judge of what is in doubt: a city
//! is personal beside a street or a name, a company beside a contact, and neither in a list of airports.
//!
//! **Names of persons** need evidence of both, the names of columns and tables and the values. Where the name of the column is
//! clear (`nameLast`, `prénom`, `фамилия`), values of the form are enough. Where it says only that there is a name (`name`,
//! `nom`, `имя`), or names somebody (`driver`), the words of the column, or else those of the table, say whose it is, and the
//! more that speaks against persons, the more values must have known given names ([`MIN_NAMES`]):
//!
//! | of | whole names | one word each |
//! |---|---|---|
//! | persons: `customers.name`, `orders.driver` | 30 % | 50 % |
//! | unknown | 50 %, in capitals, and 20 % known family names | 70 %, in capitals |
//! | things: `part.p_name`, `Track.Name` | 90 %, in capitals, and 50 % known family names | never |
//! | a column whose name says nothing | 80 %, in capitals, and 30 % known family names | never |
//!
//! A column that is called a text (`note`, `title`, `описание`) never holds names of persons: words such as "call Jörg" are
//! written by a model of texts. `nom` beside `prénom` is the family name, `nombre` beside `apellidos` the given one.

mod headers;
mod values;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    kind::Personal,
    locale::{self, Locale, known, place},
    text::{fold, handle},
};
use headers::{Header, Subject, header, is_password, is_reference, is_text, subject};
use values::{
    clear_national, is_capitalised, is_clear_phone, is_email, is_full_address, is_token, known_words,
    looks_like,
};

pub(crate) use values::name_words;

/// Values of a column that are looked at, spread over all that are given.
const MAX_VALUES: usize = 600;
/// The share of values that must have the form, where the name of the column says what they are.
const NAMED_SHARE: f64 = 0.7;
/// The same, where the name says nothing.
const UNNAMED_SHARE: f64 = 0.95;
/// Values of a column whose name says nothing, at least.
const MIN_UNNAMED: usize = 5;
/// Shares of values with a known given name, and with a known family name, that whole names need at least.
const MIN_NAMES: [(Subject, f64, f64); 3] =
    [(Subject::Persons, 0.3, 0.0), (Subject::Unknown, 0.5, 0.2), (Subject::Things, 0.9, 0.5)];
/// The same where the name of the column says nothing.
const MIN_UNNAMED_NAMES: (f64, f64) = (0.8, 0.3);
/// Shares of values that must be known given or family names, where each is one word.
const MIN_WORDS: [(Subject, f64); 2] = [(Subject::Persons, 0.5), (Subject::Unknown, 0.7)];
/// The share of values of `nom` that may have a word of those of `prénom`, beside which it is a family name.
const MAX_PARTNER_SHARE: f64 = 0.5;

/// A column to look at: its name and its distinct values, or a sample of some thousands of them.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    pub name: &'a str,
    pub values: Vec<&'a str>,
}

/// A column that holds personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its place among the columns that were looked at.
    pub column: usize,
    pub what: Personal,
    /// Of the whole table: the language of its names and places.
    pub locale: Locale,
    /// Whose it is, in the words of the column's name: "billing" of `BillingCity`; often empty.
    pub label: String,
    /// The table is a list of such places: recognised, but a fact about the world, which [`crate::Plan`] leaves alone.
    pub reference: bool,
    /// In words: "the name `e_mail` and 98 % of its values are e-mail addresses".
    pub reason: String,
}

/// What is thought of one column before the others are known.
struct Guess {
    what: Personal,
    label: String,
    reason: String,
    /// Whether it alone shows that the table is about persons or their addresses.
    anchor: bool,
}

/// Which columns of `table` hold personal data, in their order, each with the reason in words.
pub fn recognise(table: &str, columns: &[Sample<'_>]) -> Vec<Found> {
    let subject = subject(table);
    let samples: Vec<Vec<&str>> = columns.iter().map(|column| spread(&column.values)).collect();
    let mut guesses: Vec<Option<Guess>> =
        columns.iter().zip(&samples).map(|(column, values)| guess(column.name, values, subject)).collect();
    add_partners(&mut guesses, columns, &samples, subject);
    keep_in_context(&mut guesses, table);
    add_handles(&mut guesses, columns, &samples);
    let locale = locale_of(&guesses, columns, &samples);
    let found =
        guesses.into_iter().enumerate().filter_map(|(column, guess)| guess.map(|guess| (column, guess)));
    found
        .map(|(column, guess)| {
            let reference = is_reference(table, guess.what);
            let of_list =
                if reference { "; the table is a list of them, so that they are nobody's" } else { "" };
            let reason = format!("{}{of_list}", guess.reason);
            Found { column, what: guess.what, locale, label: guess.label, reference, reason }
        })
        .collect()
}

fn spread<'a>(values: &[&'a str]) -> Vec<&'a str> {
    let step = values.len().div_ceil(MAX_VALUES).max(1);
    values.iter().step_by(step).map(|value| value.trim()).filter(|value| !value.is_empty()).collect()
}

fn share(values: &[&str], is: impl Fn(&str) -> bool) -> f64 {
    match values.len() {
        0 => 0.0,
        n => values.iter().filter(|value| is(value)).count() as f64 / n as f64,
    }
}

fn percent(share: f64) -> u32 {
    (share * 100.0).round() as u32
}

fn guess(name: &str, values: &[&str], subject: Subject) -> Option<Guess> {
    let header = header(name);
    let by_name = header.as_ref().and_then(|header| by_name(name, header, values, subject));
    by_name.or_else(|| by_values(name, header.as_ref(), values, whose(name, subject)))
}

/// What a column is about: what its own name says, or else that of its table.
fn whose(name: &str, of_table: Subject) -> Subject {
    match subject(name) {
        Subject::Unknown => of_table,
        own => own,
    }
}

/// What the values say alone: forms that nothing else has.
fn by_values(name: &str, header: Option<&Header>, values: &[&str], subject: Subject) -> Option<Guess> {
    let label = header.map(|header| header.label.clone()).unwrap_or_default();
    let found = |what: Personal, share: f64| Guess {
        what,
        label: label.clone(),
        reason: format!("{} % of the values of `{name}` are {}", percent(share), what.described()),
        anchor: is_anchor(what),
    };
    let emails = share(values, is_email);
    if emails >= NAMED_SHARE && !values.is_empty() {
        return Some(found(Personal::Email, emails));
    }
    if values.len() < MIN_UNNAMED {
        return None;
    }
    for what in [Personal::Iban, Personal::Mac, Personal::Ip] {
        let share = share(values, |value| looks_like(what, value));
        if share >= UNNAMED_SHARE {
            return Some(found(what, share));
        }
    }
    let cards = share(values, |value| looks_like(Personal::Card, value) && value.len() >= 15);
    if cards >= UNNAMED_SHARE {
        return Some(found(Personal::Card, cards));
    }
    if let Some(id) = values.first().and_then(|value| clear_national(value)) {
        let share = share(values, |value| clear_national(value) == Some(id));
        if share >= UNNAMED_SHARE {
            return Some(found(Personal::National(id), share));
        }
    }
    let phones = share(values, is_clear_phone);
    if phones >= UNNAMED_SHARE {
        return Some(found(Personal::Phone, phones));
    }
    let addresses = share(values, is_full_address);
    if addresses >= UNNAMED_SHARE && subject != Subject::Things {
        return Some(found(Personal::FullAddress, addresses));
    }
    let may_be_names = header.is_none() && subject != Subject::Things && !is_text(name);
    let names = if may_be_names { whole_names(values) } else { None }?;
    let (given, family) = MIN_UNNAMED_NAMES;
    (names.form >= given && names.given >= given && names.family >= family)
        .then(|| found(Personal::FullName, names.given))
}

/// What speaks for whole names: shares of all values.
struct WholeNames {
    /// Of the form, with capitals.
    form: f64,
    /// Of the form, with or without capitals.
    loose_form: f64,
    /// With a known given name, or with initials before or behind a known family name.
    given: f64,
    /// With a known family name.
    family: f64,
}

/// Nothing where there are no values, or most are one word.
fn whole_names(values: &[&str]) -> Option<WholeNames> {
    if values.is_empty() || is_one_word(values) {
        return None;
    }
    let is_form = |value: &str| looks_like(Personal::FullName, value);
    let has_given = |value: &str| {
        let (given, family) = known_words(value);
        is_form(value) && (given > 0 || value.contains('.') && family > 0)
    };
    Some(WholeNames {
        form: share(values, |value| is_form(value) && is_capitalised(value)),
        loose_form: share(values, is_form),
        given: share(values, has_given),
        family: share(values, |value| is_form(value) && known_words(value).1 > 0),
    })
}

/// What the name says, where the values agree.
fn by_name(name: &str, header: &Header, values: &[&str], subject: Subject) -> Option<Guess> {
    let what = match header.what {
        Personal::FullName | Personal::GivenName | Personal::FamilyName if !header.strong => {
            of_weak_name(values, header, whose(name, subject))?
        }
        Personal::MiddleName
            if share(values, |value| looks_like(Personal::Patronymic, value)) >= NAMED_SHARE =>
        {
            Personal::Patronymic
        }
        Personal::Street if share(values, is_full_address) >= 0.5 => Personal::FullAddress,
        Personal::FullName if is_one_word(values) => of_one_word(values, 0.3)?,
        Personal::Secret if !is_password(name) && share(values, is_token) < NAMED_SHARE => return None,
        what => what,
    };
    let agreeing = share(values, |value| looks_like(what, value));
    let least = match what {
        Personal::Sex | Personal::Email | Personal::Ip | Personal::Mac | Personal::Iban => 0.6,
        Personal::Country => 0.5,
        // Check digits: few numbers have them by chance.
        Personal::Card | Personal::National(_) => 0.6,
        _ => NAMED_SHARE,
    };
    if values.is_empty() || agreeing < least {
        return None;
    }
    if matches!(what, Personal::Card | Personal::City | Personal::Region)
        && subject == Subject::Things
        && header.label.is_empty()
    {
        let listed = is_list(what, values);
        if !listed {
            return None;
        }
    }
    Some(Guess {
        what,
        label: header.label.clone(),
        reason: format!(
            "the name `{name}`, and {} % of its values are in the form of {}",
            percent(agreeing),
            what.described()
        ),
        anchor: is_anchor(what),
    })
}

/// Whether cities and regions of a table of things are at least known ones.
fn is_list(what: Personal, values: &[&str]) -> bool {
    what == Personal::Card
        || share(values, |value| place(value).is_some()) >= 0.02
        || values.len() < MIN_UNNAMED
}

fn is_one_word(values: &[&str]) -> bool {
    share(values, |value| name_words(value).count() == 1) >= 0.8
}

/// Given or family names, where enough of the words are known as such.
fn of_one_word(values: &[&str], least: f64) -> Option<Personal> {
    let given = share(values, |value| known_words(value).0 > 0);
    let family = share(values, |value| known_words(value).1 > 0);
    (given.max(family) >= least).then_some(if given >= family {
        Personal::GivenName
    } else {
        Personal::FamilyName
    })
}

/// What a column called `name`, `имя` or `driver` holds: persons need known names, the more the less it is about persons.
fn of_weak_name(values: &[&str], header: &Header, subject: Subject) -> Option<Personal> {
    let strict = subject != Subject::Persons;
    if is_one_word(values) {
        let (_, least) = MIN_WORDS.into_iter().find(|(of, _)| *of == subject)?;
        let is_written = !strict || share(values, is_capitalised) >= NAMED_SHARE;
        let found = of_one_word(values, least).filter(|_| is_written)?;
        // `last` says which it is.
        return Some(if header.plain || header.what == Personal::FullName { found } else { header.what });
    }
    let names = whole_names(values)?;
    let (_, given, family) = MIN_NAMES.into_iter().find(|(of, ..)| *of == subject)?;
    let form = if strict { names.form } else { names.loose_form };
    (form >= NAMED_SHARE && names.given >= given && names.family >= family).then_some(Personal::FullName)
}

/// `nom` beside `prénom` is the family name, `имя` beside `фамилия` the given name: a column that says only that there is a
/// name holds the one that is not there, unless it repeats that of the other.
fn add_partners(
    guesses: &mut [Option<Guess>],
    columns: &[Sample<'_>],
    samples: &[Vec<&str>],
    subject: Subject,
) {
    let headers: Vec<Option<Header>> = columns.iter().map(|column| header(column.name)).collect();
    for at in 0..guesses.len() {
        let Some(own) = headers[at].as_ref().filter(|header| header.plain) else { continue };
        if whose(columns[at].name, subject) == Subject::Things {
            continue;
        }
        let named = |what: Personal| {
            let is_it = |other: usize| {
                let clear =
                    headers[other].as_ref().is_some_and(|header| header.strong && header.label == own.label);
                clear && guesses[other].as_ref().is_some_and(|guess| guess.what == what)
            };
            (0..columns.len()).find(|&other| is_it(other))
        };
        let (what, partner) = match (named(Personal::GivenName), named(Personal::FamilyName)) {
            (Some(given), None) => (Personal::FamilyName, given),
            (None, Some(family)) => (Personal::GivenName, family),
            _ => continue,
        };
        let others: HashSet<String> =
            samples[partner].iter().flat_map(|value| name_words(value)).map(fold).collect();
        let repeats = |value: &str| {
            name_words(value).count() > 1 && name_words(value).any(|word| others.contains(&fold(word)))
        };
        let agreeing = share(&samples[at], |value| looks_like(what, value));
        if agreeing < NAMED_SHARE || share(&samples[at], repeats) >= MAX_PARTNER_SHARE {
            continue;
        }
        let reason = format!(
            "the name `{}` beside `{}`, and {} % of its values are in the form of {}",
            columns[at].name,
            columns[partner].name,
            percent(agreeing),
            what.described()
        );
        guesses[at] = Some(Guess { what, label: own.label.clone(), reason, anchor: true });
    }
}

fn is_anchor(what: Personal) -> bool {
    what.is_name()
        || matches!(
            what,
            Personal::Email
                | Personal::Phone
                | Personal::UserName
                | Personal::BirthDate
                | Personal::National(_)
                | Personal::Card
                | Personal::Iban
                | Personal::Street
                | Personal::FullAddress
        )
}

/// Drops what is personal only beside something else.
fn keep_in_context(guesses: &mut [Option<Guess>], table: &str) {
    let kinds: Vec<Personal> = guesses.iter().flatten().map(|guess| guess.what).collect();
    let anchored = guesses.iter().flatten().any(|guess| guess.anchor);
    let persons =
        kinds.iter().any(|what| what.is_name() || matches!(what, Personal::Email | Personal::UserName));
    for slot in guesses.iter_mut() {
        let keep = slot.as_ref().is_some_and(|guess| match guess.what {
            Personal::City | Personal::Region | Personal::Country | Personal::Postcode => {
                anchored || is_reference(table, guess.what)
            }
            Personal::Sex => anchored || kinds.contains(&Personal::City),
            Personal::Company => persons,
            Personal::Url => kinds.iter().any(|what| what.is_name()),
            _ => true,
        });
        if !keep {
            *slot = None;
        }
    }
}

/// Columns that hold logins or codes made of the names of another column: `driverRef` of `surname`, "HAM" of "Hamilton".
fn add_handles(guesses: &mut [Option<Guess>], columns: &[Sample<'_>], samples: &[Vec<&str>]) {
    let named = |what: Personal| {
        let column =
            guesses.iter().position(|guess| guess.as_ref().is_some_and(|guess| guess.what == what))?;
        let names: HashSet<String> = columns[column].values.iter().map(|value| handle(value)).collect();
        Some((columns[column].name.to_owned(), names))
    };
    let sources: Vec<(String, HashSet<String>)> =
        [Personal::FamilyName, Personal::GivenName].into_iter().filter_map(named).collect();
    for (at, slot) in guesses.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
        let values = &samples[at];
        let short =
            share(values, |value| value.len() == 3 && value.bytes().all(|b| b.is_ascii_uppercase())) >= 0.9;
        for (source, names) in sources.iter().filter(|_| values.len() >= MIN_UNNAMED) {
            let starts: HashSet<&str> = names.iter().filter_map(|name| name.get(..3)).collect();
            let made = |value: &str| {
                let name = handle(value);
                let first = value.split(['_', '.', '-']).next_back().map(handle).unwrap_or_default();
                names.contains(&name) || names.contains(&first) || short && starts.contains(name.as_str())
            };
            let share = share(values, |value| looks_like(Personal::UserName, value) && made(value));
            if share >= 0.5 {
                let reason = format!(
                    "{} % of the values of `{}` are made of those of `{source}`",
                    percent(share),
                    columns[at].name
                );
                *slot = Some(Guess { what: Personal::UserName, label: String::new(), reason, anchor: false });
                break;
            }
        }
    }
}

/// The locale that most of the table's columns speak for; en_US where none does.
fn locale_of(guesses: &[Option<Guess>], columns: &[Sample<'_>], samples: &[Vec<&str>]) -> Locale {
    let mut votes: BTreeMap<Locale, f64> = BTreeMap::new();
    for ((guess, column), values) in guesses.iter().zip(columns).zip(samples) {
        let Some(guess) = guess else { continue };
        let mut own: BTreeMap<Locale, f64> = BTreeMap::new();
        for value in values.iter().take(200) {
            for (locale, weight) in spoken_for(guess.what, value) {
                *own.entry(locale).or_default() += weight / values.len().min(200) as f64;
            }
        }
        for (locale, weight) in own.into_iter().chain(of_header(column.name, guess.what)) {
            *votes.entry(locale).or_default() += weight;
        }
    }
    let most = votes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    most.map_or(Locale::EnUs, |(locale, _)| locale)
}

/// The locales of which a value is typical, with weights.
fn spoken_for(what: Personal, value: &str) -> Vec<(Locale, f64)> {
    if value.chars().any(|c| ('а'..='я').contains(&c)) {
        return vec![(Locale::RuRu, 2.0)];
    }
    match what {
        _ if what.is_name() => {
            let mut all: Vec<(Locale, f64)> = Vec::new();
            for word in name_words(value) {
                let Some(known) = known(&fold(word)) else { continue };
                let mut locales: Vec<Locale> =
                    known.given.iter().map(|given| given.0).chain(known.family.clone()).collect();
                locales.sort();
                locales.dedup();
                let n = locales.len() as f64;
                all.extend(locales.into_iter().map(|locale| (locale, 1.0 / n)));
            }
            all
        }
        Personal::City => place(value).map(|(country, _)| (country.locale, 1.5)).into_iter().collect(),
        Personal::Region => {
            let abbreviated = locale::countries().iter().take(5).find(|country| {
                country
                    .places
                    .iter()
                    .any(|place| place.region == value || place.abbreviation == value && value.len() == 2)
            });
            abbreviated.map(|country| (country.locale, 1.0)).into_iter().collect()
        }
        Personal::Phone => {
            let digits = value.trim().strip_prefix('+').map(crate::digits::content);
            let full = |country: &&locale::Country| Locale::FULL.contains(&country.locale);
            let country = digits.and_then(|digits| {
                let countries = locale::countries();
                countries.iter().take(5).filter(full).find(|country| digits.starts_with(country.calling))
            });
            country.map(|country| (country.locale, 1.0)).into_iter().collect()
        }
        Personal::Postcode => match crate::digits::shape(value).as_str() {
            "A# #AA" | "A## #AA" | "AA# #AA" | "AA## #AA" | "A#A #AA" | "AA#A #AA" => {
                vec![(Locale::EnGb, 3.0)]
            }
            "#####-####" => vec![(Locale::EnUs, 2.0)],
            "######" => vec![(Locale::RuRu, 1.0)],
            _ => Vec::new(),
        },
        Personal::Street | Personal::FullAddress => {
            let lower = value.to_lowercase();
            let any = |marks: &[&str]| marks.iter().any(|mark| lower.contains(mark));
            match () {
                () if any(&["str.", "straße", "strasse", "weg ", "platz "]) => vec![(Locale::DeDe, 1.0)],
                () if any(&["rue ", "avenue de", "allée", "chemin ", "impasse "]) => {
                    vec![(Locale::FrFr, 1.0)]
                }
                () if any(&[" close", " crescent", "high street"]) => vec![(Locale::EnGb, 1.0)],
                () => Vec::new(),
            }
        }
        Personal::Email => match value.rsplit('.').next() {
            Some("de") => vec![(Locale::DeDe, 0.5)],
            Some("fr") => vec![(Locale::FrFr, 0.5)],
            Some("ru") => vec![(Locale::RuRu, 0.5)],
            Some("uk") => vec![(Locale::EnGb, 0.5)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// What the language of the name says: "PLZ" is German, "zip" American.
fn of_header(name: &str, what: Personal) -> Option<(Locale, f64)> {
    use crate::kind::NationalId;
    let lower = name.to_lowercase();
    let any = |marks: &[&str]| marks.iter().any(|mark| lower.contains(mark));
    match what {
        Personal::National(NationalId::Ssn) => Some((Locale::EnUs, 1.0)),
        Personal::National(NationalId::Nino) => Some((Locale::EnGb, 1.0)),
        Personal::National(NationalId::SteuerId) => Some((Locale::DeDe, 1.0)),
        Personal::National(NationalId::Nir) => Some((Locale::FrFr, 1.0)),
        Personal::National(NationalId::Snils | NationalId::Inn) => Some((Locale::RuRu, 1.0)),
        _ if name.chars().any(|c| ('а'..='я').contains(&c.to_lowercase().next().unwrap_or(c))) => {
            Some((Locale::RuRu, 1.0))
        }
        _ if any(&[
            "vorname",
            "nachname",
            "plz",
            "strasse",
            "straße",
            "telefon",
            "geburt",
            "stadt",
            "familienname",
        ]) =>
        {
            Some((Locale::DeDe, 0.5))
        }
        _ if any(&["prenom", "prénom", "nom", "ville", "naissance", "postal_code_fr", "adresse"]) => {
            Some((Locale::FrFr, 0.5))
        }
        _ if any(&["county", "postcode"]) => Some((Locale::EnGb, 0.5)),
        _ if any(&["zip", "state"]) => Some((Locale::EnUs, 0.5)),
        _ => None,
    }
}
