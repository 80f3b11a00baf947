//! How the personal columns of one table are made: whose each is, in which format, and where sex and country stand.

use serde::{Deserialize, Serialize};

use crate::{
    format::{Format, Names},
    kind::Personal,
    locale::{self, Country, Locale},
    make::{
        MAX_ATTEMPTS, Whose, name,
        person::{self, Person},
        place::Address,
        value,
    },
    recognise::{Found, Sample},
    sex::Sex,
    stream::{Draw, derive},
    text::{fold, words},
};

/// How the personal columns of one table are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    columns: Vec<PlannedColumn>,
    groups: Vec<Group>,
}

/// A column that is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedColumn {
    pub name: String,
    /// Its place among the columns of the table.
    pub column: usize,
    pub what: Personal,
    /// Its place among [`Plan::groups`].
    pub group: usize,
    pub format: Format,
}

/// Columns of one person with one address: `billing_city` and `billing_street`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What the names of its columns share; empty of the person that the rows are about.
    pub label: String,
    pub locale: Locale,
    /// The sex that the label says: that of a mother.
    pub sex: Option<Sex>,
    /// The columns that tell sex and country of each row.
    pub sex_column: Option<String>,
    pub country_column: Option<String>,
}

impl Plan {
    /// The plan of a table, from what was found in it. Lists of places and what is learned elsewhere are left out.
    pub fn of(columns: &[Sample<'_>], found: &[Found]) -> Self {
        let made: Vec<&Found> =
            found.iter().filter(|found| !found.reference && found.what.is_made()).collect();
        let labels = labels(&made);
        let mut names = Names::default();
        for found in found {
            names.add(found.what, &columns[found.column].values);
        }
        let mut order: Vec<&str> = labels.iter().map(String::as_str).collect();
        order.sort_by_key(|label| {
            (!label.is_empty(), std::cmp::Reverse(labels.iter().filter(|l| l == label).count()), *label)
        });
        order.dedup();
        let groups = order.iter().map(|label| Group::of(label, columns, found)).collect();
        let planned = made.iter().zip(&labels).map(|(found, label)| {
            let column = &columns[found.column];
            let values: Vec<&str> =
                column.values.iter().map(|value| value.trim()).filter(|v| !v.is_empty()).collect();
            PlannedColumn {
                name: column.name.to_owned(),
                column: found.column,
                what: found.what,
                group: order.iter().position(|other| other == label).unwrap_or(0),
                format: Format::of(found.what, &values, found.locale, &names, &words(column.name)),
            }
        });
        Self { columns: planned.collect(), groups }
    }

    /// The columns that are made, in the order of [`Plan::row`].
    pub fn columns(&self) -> &[PlannedColumn] {
        &self.columns
    }

    /// The persons of a row; the first is the one that the rows are about.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// New values for the personal columns of one row, in the order of [`Plan::columns`]; the same for the same `seed`.
    ///
    /// `cell` gives what the row holds by the name of a column: sex and country, and of personal columns whether they have a
    /// value (`None` stays `None`; what else it says does not matter). `is_known(at, text)` says of the column at that place
    /// of [`Plan::columns`] that a text occurs in the source: no such text is returned. Regions and initials are closed
    /// lists and are not asked for. A value is `None` too where all attempts were known.
    ///
    /// The first person of the row is `seed` alone: rows of other tables about the same person are given the same seed.
    pub fn row<'a>(
        &self,
        seed: u64,
        cell: &dyn Fn(&str) -> Option<&'a str>,
        is_known: &dyn Fn(usize, &str) -> bool,
    ) -> Vec<Option<String>> {
        let seed_of = |(at, group): (usize, &Group)| if at == 0 { seed } else { derive(seed, &group.label) };
        let seeds: Vec<u64> = self.groups.iter().enumerate().map(seed_of).collect();
        self.row_of(&seeds, cell, is_known)
    }

    /// The same with a seed for each of [`Plan::groups`]: an order names a customer and a courier, who have keys of their own.
    pub fn row_of<'a>(
        &self,
        seeds: &[u64],
        cell: &dyn Fn(&str) -> Option<&'a str>,
        is_known: &dyn Fn(usize, &str) -> bool,
    ) -> Vec<Option<String>> {
        let mut row = vec![None; self.columns.len()];
        for (at, group) in self.groups.iter().enumerate() {
            let present = |k: &usize| self.columns[*k].group == at && cell(&self.columns[*k].name).is_some();
            let places: Vec<usize> = (0..self.columns.len()).filter(present).collect();
            let seed = seeds.get(at).copied().unwrap_or(at as u64);
            Maker { columns: &self.columns, places: &places, is_known, seed }.fill(group, cell, &mut row);
        }
        row
    }
}

impl Group {
    fn of(label: &str, columns: &[Sample<'_>], found: &[Found]) -> Self {
        let tells = |what: Personal| {
            let of_label = |found: &&Found| found.what == what && found.label == label;
            let any = |found: &&Found| found.what == what && found.label.is_empty();
            let found = found.iter().find(of_label).or_else(|| found.iter().find(any))?;
            Some(columns[found.column].name.to_owned())
        };
        let says = |list: &[&str]| label.split('_').any(|word| list.contains(&word));
        let sex = match () {
            () if says(&[
                "father", "husband", "son", "brother", "отец", "отца", "муж", "vater", "pere", "mari",
            ]) =>
            {
                Some(Sex::Male)
            }
            () if says(&[
                "mother",
                "wife",
                "daughter",
                "sister",
                "мать",
                "матери",
                "жена",
                "mutter",
                "mere",
            ]) =>
            {
                Some(Sex::Female)
            }
            () => None,
        };
        Self {
            label: label.to_owned(),
            locale: found.first().map_or(Locale::EnUs, |found| found.locale),
            sex,
            sex_column: tells(Personal::Sex),
            country_column: tells(Personal::Country),
        }
    }

    /// Locale and country of a row.
    pub(crate) fn place<'a>(&self, cell: &dyn Fn(&str) -> Option<&'a str>) -> (Locale, &'static Country) {
        let told = self.country_column.as_deref().and_then(cell).and_then(locale::country);
        match told {
            // A table in Cyrillic keeps its letters.
            Some(country) if country.code == self.locale.country().code => (self.locale, country),
            Some(country) => (country.locale, country),
            None => (self.locale, self.locale.country()),
        }
    }

    /// The sex that label or row says.
    pub(crate) fn sex<'a>(&self, cell: &dyn Fn(&str) -> Option<&'a str>) -> Option<Sex> {
        self.sex.or_else(|| self.sex_column.as_deref().and_then(cell).and_then(sex_of))
    }
}

/// The label of each column's group: logins and numbers go with the only person who has a name, or with the only label.
fn labels(made: &[&Found]) -> Vec<String> {
    let mut named: Vec<&str> =
        made.iter().filter(|found| found.what.is_name()).map(|found| found.label.as_str()).collect();
    named.sort_unstable();
    named.dedup();
    let is_place =
        |what: Personal| what.is_place() || matches!(what, Personal::Street | Personal::FullAddress);
    let label = |found: &&Found| match named.as_slice() {
        [only]
            if !is_place(found.what)
                && (found.label.is_empty() || only.is_empty() && !found.what.is_name()) =>
        {
            (*only).to_owned()
        }
        _ => found.label.clone(),
    };
    made.iter().map(label).collect()
}

/// "M.": a letter that a few names share is nobody's, and there are no others.
pub(crate) fn is_initial(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphabetic()).count() < 2
}

/// The sex that a word of a column says, in some languages.
pub(crate) fn sex_of(text: &str) -> Option<Sex> {
    const MALE: &[&str] = &[
        "m",
        "male",
        "man",
        "maennlich",
        "mann",
        "herr",
        "h",
        "homme",
        "masculin",
        "mr",
        "м",
        "муж",
        "мужской",
        "мужчина",
        "муж.",
        "boy",
        "м.",
        "monsieur",
        "mr.",
    ];
    const FEMALE: &[&str] = &[
        "f",
        "female",
        "woman",
        "weiblich",
        "frau",
        "w",
        "femme",
        "feminin",
        "mrs",
        "ms",
        "miss",
        "ж",
        "жен",
        "женский",
        "женщина",
        "жен.",
        "girl",
        "ж.",
        "madame",
        "mme",
        "mrs.",
        "ms.",
    ];
    let folded = fold(text);
    match () {
        () if MALE.contains(&folded.as_str()) => Some(Sex::Male),
        () if FEMALE.contains(&folded.as_str()) => Some(Sex::Female),
        () => None,
    }
}

/// Makes the values of one person.
struct Maker<'a> {
    columns: &'a [PlannedColumn],
    /// Those of the person that have a value in this row.
    places: &'a [usize],
    is_known: &'a dyn Fn(usize, &str) -> bool,
    seed: u64,
}

impl Maker<'_> {
    fn fill<'a>(&self, group: &Group, cell: &dyn Fn(&str) -> Option<&'a str>, row: &mut [Option<String>]) {
        if self.places.is_empty() {
            return;
        }
        let (locale, country) = group.place(cell);
        let by_seed = if derive(self.seed, "sex") & 1 == 0 { Sex::Female } else { Sex::Male };
        let mut person = Person::draw(locale, group.sex(cell).unwrap_or(by_seed), self.seed);
        self.names(&mut person, row);
        let address = self.address(country, locale);
        let whose = Whose { locale, country, person: &person, address: &address };
        for &k in self.places.iter().filter(|&&k| !self.columns[k].what.is_name()) {
            row[k] = self.first_new(k, &whose);
        }
    }

    /// The first attempt at a column's value that is not of the source.
    fn first_new(&self, k: usize, whose: &Whose<'_>) -> Option<String> {
        let column = &self.columns[k];
        let seed = derive(self.seed, &column.name);
        let attempts =
            if matches!(column.what, Personal::City | Personal::Region) { 1 } else { MAX_ATTEMPTS };
        let made = |attempt| value(column.what, &column.format, whose, Draw { seed, attempt });
        (0..attempts)
            .filter_map(made)
            .find(|text| !(text.is_empty() || column.what.is_fresh() && (self.is_known)(k, text)))
    }

    /// Draws each part of the name until no column shows one of the source, then whole names.
    fn names(&self, person: &mut Person, row: &mut [Option<String>]) {
        type Draw = fn(&Person, u64, u32) -> String;
        type Part = fn(&mut Person) -> &mut String;
        let parts: [(Personal, &str, Draw, Part); 4] = [
            (Personal::GivenName, "given", |p, s, n| person::given(p.locale, p.sex, s, n), |p| &mut p.given),
            (
                Personal::MiddleName,
                "middle",
                |p, s, n| person::given(p.locale, p.sex, s, n),
                |p| &mut p.middle,
            ),
            (
                Personal::Patronymic,
                "patronymic",
                |p, s, n| person::patronymic(p.sex, s, n),
                |p| &mut p.patronymic,
            ),
            (
                Personal::FamilyName,
                "family",
                |p, s, n| person::family(p.locale, p.sex, s, n),
                |p| &mut p.family,
            ),
        ];
        for (what, label, draw, part) in parts {
            let seed = derive(self.seed, label);
            let new = |person: &mut Person, attempt| {
                *part(person) = draw(person, seed, attempt);
                self.show(what, person)
            };
            let shown = (0..MAX_ATTEMPTS).find_map(|attempt| new(person, attempt));
            self.put(shown, row);
        }
        let seed = derive(self.seed, "family");
        let shown = self.show(Personal::FullName, person).or_else(|| {
            (1..MAX_ATTEMPTS).find_map(|attempt| {
                person.family = person::family(person.locale, person.sex, seed, attempt);
                // Columns with the family name alone follow.
                self.show(Personal::FullName, person).zip(self.show(Personal::FamilyName, person)).map(
                    |(mut full, family)| {
                        full.extend(family);
                        full
                    },
                )
            })
        });
        self.put(shown, row);
    }

    fn put(&self, shown: Option<Vec<(usize, String)>>, row: &mut [Option<String>]) {
        for (k, text) in shown.into_iter().flatten() {
            row[k] = Some(text);
        }
    }

    /// The values of all columns of a kind of name; none where one is of the source.
    fn show(&self, what: Personal, person: &Person) -> Option<Vec<(usize, String)>> {
        let places = self.places.iter().copied().filter(|&k| self.columns[k].what == what);
        let shown = |k: usize| {
            let text =
                name(what, &self.columns[k].format, person, self.seed).filter(|text| !text.is_empty())?;
            (is_initial(&text) || !(self.is_known)(k, &text)).then_some((k, text))
        };
        places.map(shown).collect()
    }

    /// An address whose city is new in all its columns; the last attempt where none is.
    fn address(&self, country: &'static Country, locale: Locale) -> Address {
        let draw = |attempt| Address::draw(country, locale, None, Draw { seed: self.seed, attempt });
        let cities: Vec<usize> =
            self.places.iter().copied().filter(|&k| self.columns[k].what == Personal::City).collect();
        let is_new = |address: &Address| {
            cities.iter().all(|&k| {
                let format = &self.columns[k].format;
                let shown =
                    address.name(format.patterns.first().map_or("{city}", |pattern| pattern.text.as_str()));
                shown.is_some_and(|text| {
                    let text = if format.ascii { crate::text::ascii(&text) } else { text };
                    !(self.is_known)(k, &format.letters.write(&text))
                })
            })
        };
        (0..MAX_ATTEMPTS).map(draw).find(is_new).unwrap_or_else(|| draw(MAX_ATTEMPTS))
    }
}
