//! Masking: each real value becomes one of nobody, the same one wherever it stands.
//!
//! A value's mask is drawn by a seed that SipHash-2-4 makes of the key, the kind and the value, so that it does not depend on
//! the row, the table or the run. Two values whose draws meet are told apart by further attempts, in the order in which they
//! come: the same tables in the same order give the same masks. Names are masked by their parts, so that "Anna Müller" in one
//! column agrees with "Anna" and "Müller" in two; an e-mail address follows the masked name of its row where it was made of
//! the name, and afterwards stays what it has become. Regions stay, and cities and postcodes stay within them.

mod names;

use std::collections::{HashMap, HashSet};

use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

use crate::{
    digits::{content, pour, shape},
    format::{Format, Pattern, address, handle},
    kind::Personal,
    locale::{self, Country, Locale},
    make::{MAX_ATTEMPTS, Whose, host, login, person::Person, place::Address, value},
    plan::{Group, Plan, PlannedColumn},
    sex::Sex,
    stream::{Draw, Stream, derive, keyed},
    text::{Letters, fold},
};
use names::Originals;

/// What became of each value, under a secret key.
pub struct Mask {
    key: (u64, u64),
    /// By kind and value.
    masks: HashMap<(&'static str, String), String>,
    /// By kind: masks that are given away.
    used: HashSet<(&'static str, String)>,
}

/// What the values of one person in one row are masked with.
struct Row<'a> {
    columns: &'a [PlannedColumn],
    /// Places of the person's columns, and what the row holds there.
    cells: Vec<(usize, &'a str)>,
    is_known: &'a dyn Fn(usize, &str) -> bool,
    locale: Locale,
    country: &'static Country,
}

/// The names of a row, and the person that they become.
struct Named<'a> {
    originals: Originals<'a>,
    person: Person,
}

impl Row<'_> {
    /// Whether no column of the kind has this text in the source: a mask is for all of them.
    fn is_new(&self, what: Personal, text: &str) -> bool {
        let known = |(k, column): (usize, &PlannedColumn)| column.what == what && (self.is_known)(k, text);
        !self.columns.iter().enumerate().any(known)
    }

    fn of_kind(&self, what: Personal) -> impl Iterator<Item = (usize, &str)> {
        self.cells.iter().copied().filter(move |(k, _)| self.columns[*k].what == what)
    }
}

impl Mask {
    /// Days that a date of birth is moved by, at most.
    pub const MAX_SHIFT_DAYS: i64 = 180;

    /// Masks under a key of any length; without the key nobody can repeat them.
    pub fn new(key: &[u8]) -> Self {
        let mut hasher = SipHasher24::new_with_keys(0x6d61_736b_2070_6572, 0x736f_6e73_2076_6f31);
        hasher.write(key);
        let hash = hasher.finish128();
        Self { key: (hash.h1, hash.h2), masks: HashMap::new(), used: HashSet::new() }
    }

    /// The masked values of the personal columns of one row, in the order of [`Plan::columns`].
    ///
    /// `cell` gives what the row holds by the name of a column: the values to mask, and sex and country. `is_known(at, text)`
    /// says of the column at that place of [`Plan::columns`] that a text occurs in the source: none such is returned, but
    /// for values that have got their mask in another table before. `None` stays `None`, and so becomes a value for which no
    /// mask was left.
    pub fn row<'a>(
        &mut self,
        plan: &Plan,
        cell: &dyn Fn(&str) -> Option<&'a str>,
        is_known: &dyn Fn(usize, &str) -> bool,
    ) -> Vec<Option<String>> {
        let columns = plan.columns();
        let mut masked = vec![None; columns.len()];
        for (at, group) in plan.groups().iter().enumerate() {
            let of_group = (0..columns.len()).filter(|&k| columns[k].group == at);
            let cells: Vec<(usize, &str)> = of_group
                .filter_map(|k| Some((k, cell(&columns[k].name).filter(|text| !text.trim().is_empty())?)))
                .collect();
            let (locale, country) = group.place(cell);
            let row = Row { columns, cells, is_known, locale, country };
            self.group(&row, group, group.sex(cell), &mut masked);
        }
        masked
    }

    /// By how many days a date of birth is moved, which is `day` days after the first of January 1970: the same for the same
    /// date, never none, and so few that ages stay about as they are.
    pub fn shift_days(&self, day: i64) -> i64 {
        let seed = keyed(self.key, &["birth date", &day.to_string()]);
        let days =
            Stream::new(seed, 0).below(2 * Self::MAX_SHIFT_DAYS as usize) as i64 - Self::MAX_SHIFT_DAYS;
        if days < 0 { days } else { days + 1 }
    }

    fn group(&mut self, row: &Row<'_>, group: &Group, sex: Option<Sex>, masked: &mut [Option<String>]) {
        let originals = Originals::of(row, sex, group.locale);
        let person = self.person(row, &originals);
        let named = Named { originals, person };
        for &(k, text) in &row.cells {
            let column = &row.columns[k];
            masked[k] = match column.what {
                what if what.is_name() => self.name(row, k, text, &named),
                Personal::Email | Personal::UserName => self.login(row, k, text, &named),
                Personal::Region => Some(text.to_owned()),
                Personal::City => self.city(row, k, text),
                Personal::Street | Personal::FullAddress => self.address(row, k, text),
                _ => self.number(row, k, text, &named.person),
            };
        }
    }

    /// The mask of a value of a kind: the one that it has, or the first draw that is nobody else's and that `accept` takes.
    fn once(
        &mut self,
        kind: &'static str,
        input: &str,
        mut draw: impl FnMut(u64, u32) -> Option<String>,
        accept: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let own = (kind, input.to_owned());
        if let Some(mask) = self.masks.get(&own) {
            return Some(mask.clone());
        }
        let seed = keyed(self.key, &[kind, input]);
        for attempt in 0..MAX_ATTEMPTS {
            let Some(text) = draw(seed, attempt) else { continue };
            let identity = (kind, identity(&text));
            if text.is_empty() || fold(&text) == input || self.used.contains(&identity) || !accept(&text) {
                continue;
            }
            self.used.insert(identity);
            self.masks.insert(own, text.clone());
            return Some(text);
        }
        None
    }

    /// An e-mail address or a login: of the masked name where it was of the name, else of the masks of its parts.
    fn login(&mut self, row: &Row<'_>, k: usize, text: &str, named: &Named<'_>) -> Option<String> {
        let email = row.columns[k].what == Personal::Email;
        let (local, domain) = match text.split_once('@') {
            Some((local, domain)) if email => (local, Some(domain)),
            _ => (text, None),
        };
        let input = text.to_lowercase();
        let kind = if email { "email" } else { "login" };
        let letters = Letters::of(&[local]);
        if let Some(mask) = self.masks.get(&(kind, input.clone())) {
            return Some(respelled(mask, letters));
        }
        let trimmed = local.trim_end_matches(|c: char| c.is_ascii_digit());
        let numbered = "#".repeat((local.len() - trimmed.len()).min(6));
        let (pattern, person) = match named.originals.pattern_of(trimmed) {
            Some(pattern) => (pattern.to_owned(), named.person.clone()),
            None => self.by_parts(row, trimmed, named.originals.sex),
        };
        let pattern = pattern.trim_end_matches('#').to_owned() + &numbered;
        let domain = domain.map(|domain| self.domain(domain));
        let draw = |seed, attempt| {
            let local = login(&pattern, letters, &person, &mut Stream::new(seed, attempt))?;
            Some(domain.as_ref().map_or(local.clone(), |domain| format!("{local}@{domain}")))
        };
        self.once(kind, &input, draw, |text| row.is_new(row.columns[k].what, text))
    }

    fn domain(&mut self, domain: &str) -> String {
        let draw = |seed, attempt| Some(host(&mut Stream::new(seed, attempt + 1)));
        self.once("domain", &domain.to_lowercase(), draw, |_| true)
            .unwrap_or_else(|| "example.org".to_owned())
    }

    fn city(&mut self, row: &Row<'_>, k: usize, text: &str) -> Option<String> {
        let format = &row.columns[k].format;
        let prefixed = text.strip_prefix("г.").map(str::trim_start);
        let accept = |city: &str| row.is_new(Personal::City, &written(city, format, text));
        let city = self.city_named(row, prefixed.unwrap_or(text), &accept)?;
        Some(written(&city, format, text))
    }

    /// The mask of a city: of the same region.
    fn city_named(&mut self, row: &Row<'_>, city: &str, accept: &dyn Fn(&str) -> bool) -> Option<String> {
        let (locale, country) = (row.locale, row.country);
        let place =
            locale::place(city).filter(|(of, _)| of.code == country.code).map(|(_, place)| place.region);
        let told = row.of_kind(Personal::Region).next().map(|(_, text)| text);
        let region = place.or(told).filter(|region| !region.is_empty());
        let draw = |seed, attempt| Some(Address::draw(country, locale, region, Draw { seed, attempt }).city);
        self.once("city", &fold(city), draw, accept)
    }

    fn address(&mut self, row: &Row<'_>, k: usize, text: &str) -> Option<String> {
        let what = row.columns[k].what;
        let parsed = address::parse(text, what == Personal::FullAddress, row.locale);
        let part = |slot| parsed.as_ref().and_then(|parsed| parsed.part(slot));
        let beside = Draw { seed: keyed(self.key, &["place", text]), attempt: 0 };
        let mut address = Address::draw(row.country, row.locale, None, beside);
        if let Some(city) = part("city") {
            address.city = self.city_named(row, city, &|city| row.is_new(Personal::City, city))?;
        }
        if let Some(region) = part("region") {
            address.region = region.to_owned();
        }
        if let Some(region) = part("abbreviation") {
            address.abbreviation = region.to_owned();
        }
        if let Some(postcode) = part("postcode") {
            address.prefix = kept_of(postcode);
        }
        let one = Format::of_one(what, text, row.locale);
        let letters = one.letters;
        let format = Format { ascii: row.columns[k].format.ascii, letters: Letters::Natural, ..one };
        let person = Person::draw(row.locale, Sex::Female, 0);
        let whose = Whose { locale: row.locale, country: row.country, person: &person, address: &address };
        let draw = |seed, attempt| value(what, &format, &whose, Draw { seed, attempt });
        let kind = if what == Personal::Street { "street" } else { "address" };
        let mask = self.once(kind, &fold(text), draw, |text| row.is_new(what, &letters.write(text)))?;
        Some(letters.write(&mask))
    }

    /// Everything that is known by its letters and digits, whatever stands between them; and companies and web addresses.
    fn number(&mut self, row: &Row<'_>, k: usize, text: &str, person: &Person) -> Option<String> {
        let what = row.columns[k].what;
        let spaced = matches!(
            what,
            Personal::Phone
                | Personal::Postcode
                | Personal::Card
                | Personal::Iban
                | Personal::National(_)
                | Personal::Mac
        );
        let format = match what {
            Personal::Phone => phone_format(&row.columns[k].format, text),
            _ => Format { ascii: row.columns[k].format.ascii, ..Format::of_one(what, text, row.locale) },
        };
        let mut address = Address::draw(row.country, row.locale, None, Draw { seed: 0, attempt: 0 });
        address.prefix = kept_of(text);
        let whose = Whose { locale: row.locale, country: row.country, person, address: &address };
        let own = |text: &str| if spaced { content(text) } else { text.to_owned() };
        // Secrets that differ by case are different ones.
        let input = if what == Personal::Secret { text.to_owned() } else { own(text).to_lowercase() };
        let again = |mask: &str| {
            if spaced { pour(&shape(text), mask).unwrap_or_else(|| mask.to_owned()) } else { mask.to_owned() }
        };
        let draw =
            |seed, attempt| value(what, &format, &whose, Draw { seed, attempt }).map(|text| own(&text));
        // A mask is for all columns of the kind, in each of their shapes.
        let elsewhere = |mask: &str| {
            let columns = row.columns.iter().enumerate().filter(|(_, column)| spaced && column.what == what);
            let known = |k: usize, pattern: &Pattern| {
                pour(&pattern.text, mask).is_some_and(|text| (row.is_known)(k, &text))
            };
            columns
                .into_iter()
                .any(|(k, column)| column.format.patterns.iter().any(|pattern| known(k, pattern)))
        };
        let accept = |mask: &str| row.is_new(what, &again(mask)) && !elsewhere(mask);
        let mask = self.once(kind_of(what), &input, draw, accept)?;
        Some(again(&mask))
    }
}

/// A login or an address in the letters of the original, where those are of one case.
fn respelled(mask: &str, letters: Letters) -> String {
    match mask.split_once('@') {
        _ if letters == Letters::Natural => mask.to_owned(),
        Some((local, domain)) => format!("{}@{domain}", letters.write(local)),
        None => letters.write(mask),
    }
}

/// What two masks must not share: letters without case and accents.
fn identity(text: &str) -> String {
    fold(&crate::text::ascii(text)) + if text.is_ascii() { "" } else { text }
}

/// A city in the pattern of its column and the letters of the value.
fn written(city: &str, format: &Format, original: &str) -> String {
    let city = if format.ascii { crate::text::ascii(city) } else { city.to_owned() };
    let marked = original.strip_prefix("г.").map(|rest| if rest.starts_with(' ') { "г. " } else { "г." });
    marked.unwrap_or_default().to_owned() + &Letters::of(&[original]).write(&city)
}

/// The characters of a postcode that say its region, and stay.
fn kept_of(postcode: &str) -> String {
    let own = content(postcode);
    let letters = own.chars().take_while(char::is_ascii_alphabetic).count();
    let n = if letters > 0 { letters } else { own.len().saturating_sub(3).clamp(1, 3) };
    own.chars().take(n).collect()
}

/// The pattern of the column that has the shape of the number, or the number's own.
fn phone_format(format: &Format, text: &str) -> Format {
    let bare =
        |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>();
    let digits = content(text);
    let agrees = |pattern: &&Pattern| {
        let signs = pattern.text.chars().filter(|c| *c == '#' || c.is_ascii_alphanumeric());
        bare(&pattern.text) == bare(text)
            && signs.zip(digits.chars()).all(|(sign, digit)| sign == '#' || sign == digit)
    };
    match format.patterns.iter().find(agrees) {
        Some(pattern) => Format { patterns: vec![pattern.clone()], ..Format::default() },
        None => Format::of_one(Personal::Phone, text, Locale::EnUs),
    }
}

fn kind_of(what: Personal) -> &'static str {
    match what {
        Personal::Phone => "phone",
        Personal::Postcode => "postcode",
        Personal::Card => "card",
        Personal::Iban => "iban",
        Personal::Company => "company",
        Personal::Url => "url",
        Personal::Ip => "ip",
        Personal::Mac => "mac",
        Personal::Secret => "secret",
        _ => "number",
    }
}

impl Mask {
    /// A pattern and a person for a login that no name of its row explains: known names in it are masked as names.
    fn by_parts(&mut self, row: &Row<'_>, local: &str, sex: Option<Sex>) -> (String, Person) {
        let pattern = handle::pattern(local, &crate::format::Names::default());
        let parts: Vec<&str> = local.split(['.', '_', '-']).filter(|part| !part.is_empty()).collect();
        let seed = keyed(self.key, &["login", &local.to_lowercase()]);
        let sex = sex.unwrap_or(if derive(seed, "sex") & 1 == 0 { Sex::Female } else { Sex::Male });
        let mut person = Person::draw(row.locale, sex, seed);
        let given_first = pattern.find("{g").unwrap_or(0) < pattern.find("{f").unwrap_or(usize::MAX);
        let (given, family) = match parts.as_slice() {
            [one] if pattern == "{given}" => (Some(*one), None),
            [one] if pattern == "{family}" => (None, Some(*one)),
            [first, second] if given_first => (Some(*first), Some(*second)),
            [first, second] => (Some(*second), Some(*first)),
            _ => (None, None),
        };
        if let Some(mask) =
            given.filter(|name| name.len() > 1).and_then(|name| self.given(row, name, Some(sex)))
        {
            person.given = mask;
        }
        if let Some(mask) = family.filter(|name| name.len() > 1).and_then(|name| self.family(row, name, sex))
        {
            person.family = mask;
        }
        (pattern, person)
    }
}
