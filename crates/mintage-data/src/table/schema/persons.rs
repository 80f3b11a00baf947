//! Columns whose values point at persons: never drawn from those seen unless that is asked for.
//!
//! | column | what becomes of it |
//! |---|---|
//! | e-mail addresses, telephone numbers, accounts, cards, addresses of networks, logins, however often they repeat | made afresh |
//! | texts with e-mail addresses in them, addresses of pages, what another such column holds | made afresh or left empty |
//! | texts of which most rows have their own: names, addresses, notes | made afresh; left empty where nothing readable can be made |
//! | keys and numbers of persons (accounts, passports) of which most rows have their own | identifiers, made afresh |
//! | whole names, addresses, and sentences about somebody, whatever the column is called and however often they repeat | made afresh |
//! | parts of names, and notes, that repeat | frequent ones are categories, rare ones are made afresh |
//! | with `rare = "group"`: categories of which most rows have a rare one | rare ones are made afresh |
//!
//! Keys that the source declares to refer to another table stay keys of that table. It decides by shapes and shares of the
//! values; names of columns only lower the bar.

mod names;
mod people;

use std::collections::{BTreeSet, HashSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Alert, Cause, ColumnSchema, Format, IdFormat, Kind, TableSchema,
    identifiers::{self, Identifier},
    nested,
    phrases::{count, rows},
    spellings::{self, Hint},
    typed::{self, Typed},
};
use crate::{
    SourceSpec,
    table::{
        Column, Table,
        check_digits::CheckDigits,
        encoder::Rare,
        fresh::{Known, TextMaker, points_at_one},
        set::RARE_BELOW,
    },
};
use names::{Personal, personal};

/// Fewer values say little, where the name of the column says nothing.
const MIN_VALUES: usize = 20;
/// Digits of a number by which a person is known, and of one with check digits.
const LONG_NUMBER: usize = 6;
const LONG_CODE: usize = 9;
/// One value in so many that another column is protected for makes a column one of persons.
const VALUES_PER_SHARED: usize = 3;

/// What to do with texts that point at persons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextMode {
    /// New ones in the form of those seen, none of which comes back; free text of a whole database is written by a language
    /// model.
    #[default]
    Fresh,
    /// Drawn from those seen.
    Redraw,
    /// Left empty.
    Empty,
}

/// How the values of a column are to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Making {
    /// As the kind of the column says.
    Learned,
    /// All of them afresh, as this kind.
    All(Kind),
    /// Those of few rows.
    Rare(u32),
}

impl TableSchema {
    /// Has values that point at persons made afresh, or as `spec` wants them; says so in reasons and alerts. `train` are the
    /// rows that are learned from, where they are known.
    pub fn protect(&mut self, table: &Table, spec: &SourceSpec, train: Option<&[u32]>) {
        let columns = self.columns.par_iter_mut().zip(&table.columns);
        let changed: Vec<Option<Alert>> =
            columns.map(|(schema, column)| Values::of(schema, column, train).protect(schema, spec)).collect();
        let changed: Vec<Option<Alert>> =
            changed.into_iter().chain(self.protect_alike(table, spec)).collect();
        for alert in changed.into_iter().flatten() {
            let about_values =
                |cause| matches!(cause, Cause::Leak | Cause::NearlyUnique | Cause::Rare | Cause::ManyValues);
            self.alerts.retain(|other| other.column != alert.column || !about_values(other.cause));
            self.alerts.push(alert);
        }
        self.alerts.sort_by_key(|alert| alert.cause);
    }

    /// The same for categories that hold what another column is protected for: managers are employees. What is made of
    /// the parts of one column is a whole value of no other.
    fn protect_alike(&mut self, table: &Table, spec: &SourceSpec) -> Vec<Option<Alert>> {
        let all = self.columns.iter().zip(&table.columns);
        let known: HashSet<&str> = all
            .filter(|(schema, _)| {
                matches!(schema.kind, Kind::Id | Kind::Text) && schema.made_afresh().is_some()
            })
            .flat_map(|(_, column)| column.values().iter())
            .filter(|text| points_at_one(text))
            .collect();
        if known.is_empty() {
            return Vec::new();
        }
        let alerts = self.make_alike_afresh(table, spec, &known);
        let known = Known::of(known.into_iter());
        for schema in self.columns.iter_mut().filter(|schema| schema.kind == Kind::Text) {
            if let Format::Id(IdFormat::Text { maker }) = &mut schema.format {
                maker.avoid(&known);
            }
        }
        alerts
    }

    fn make_alike_afresh(
        &mut self,
        table: &Table,
        spec: &SourceSpec,
        known: &HashSet<&str>,
    ) -> Vec<Option<Alert>> {
        let columns = self.columns.par_iter_mut().zip(&table.columns);
        let open = |schema: &ColumnSchema| {
            schema.kind == Kind::Category
                && schema.declaration.refers_to.is_none()
                && !spec.kinds.contains_key(&schema.name)
        };
        columns
            .filter(|(schema, _)| open(schema))
            .map(|(schema, column)| {
                let values = Values::of(schema, column, None);
                let shared = values.texts.iter().filter(|text| known.contains(*text)).count();
                let alike = shared > 1 && shared * VALUES_PER_SHARED >= values.texts.len();
                alike.then(|| values.change(schema, spec, Making::All(Kind::Text))).flatten()
            })
            .collect()
    }
}

impl ColumnSchema {
    /// Where values of new rows come from, in words.
    pub fn making(&self) -> String {
        match (self.kind, &self.format) {
            (Kind::Category, Format::Id(IdFormat::Reference)) => "one of the keys seen".to_owned(),
            (Kind::Category, Format::Id(_)) => format!("learned; values of few rows are {}", how(self)),
            (_, Format::Id(_)) | (Kind::Text, _) => how(self),
            (Kind::Constant, _) => "the same in every row".to_owned(),
            _ => "learned".to_owned(),
        }
    }

    /// The values of a column that point at persons, so that no new row may have one: all of an identifier or a text, those
    /// of fewer than `rare` rows of a category that holds names, addresses or the like, or of any category where `spec` wants
    /// rare ones out. Keys of other tables are none, unless they are e-mail addresses or the like.
    pub fn personal_values<'a>(&self, column: &'a Column, spec: &SourceSpec) -> Vec<&'a str> {
        let values = Values::of(self, column, None);
        let least = spec.rare_below.unwrap_or(RARE_BELOW);
        let all = matches!(self.kind, Kind::Id | Kind::Text);
        let rare = self.kind == Kind::Category
            && (self.made_afresh().is_some()
                || spec.rare == Rare::Group
                || personal(&self.name).is_some()
                || values.named().is_some());
        let whole = || self.declaration.refers_to.is_none() && values.names_somebody();
        if self.kind == Kind::Category && (values.known_by() || whole()) {
            return values.texts;
        }
        if self.format == Format::Id(IdFormat::Reference) || !all && !rare {
            return Vec::new();
        }
        let kept = values.texts.into_iter().zip(values.counts).filter(|(_, n)| all || *n < least);
        kept.map(|(text, _)| text).collect()
    }

    /// Whether the column holds parts of names of persons, of which frequent ones come back.
    pub fn names_persons(&self) -> bool {
        self.kind == Kind::Category && personal(&self.name) == Some(Personal::Name)
    }
}

/// What the values of a column are like.
struct Values<'a> {
    column: &'a Column,
    /// Distinct values, and rows to learn from that have each.
    texts: Vec<&'a str>,
    counts: Vec<u32>,
    /// Rows with a value.
    present: usize,
    kind: Option<Identifier>,
}

impl<'a> Values<'a> {
    fn of(schema: &ColumnSchema, column: &'a Column, train: Option<&[u32]>) -> Self {
        let all = column.counts();
        let mut own = all.clone();
        if let Some(train) = train {
            own.fill(0);
            for &row in train {
                if let Some(n) = own.get_mut(column.numbers()[row as usize] as usize) {
                    *n += 1;
                }
            }
        }
        let there = |at: &usize| all[*at] > 0 && !schema.is_missing(Some(column.values().get(*at as u32)));
        let places: Vec<usize> = (0..all.len()).filter(there).collect();
        let texts: Vec<&str> = places.iter().map(|&at| column.values().get(at as u32)).collect();
        let present = places.iter().map(|&at| all[at] as usize).sum();
        let learned = matches!(schema.kind, Kind::Constant | Kind::Boolean | Kind::Datetime | Kind::Number);
        // What is within an object or a list is not what the column holds.
        let is_other = learned || nested::filler(&column.declaration, &texts).is_some();
        let kind = if is_other { None } else { identifiers::recognise(&texts) };
        let counts = places.iter().map(|&at| own[at]).collect();
        Self { column, counts, texts, present, kind }
    }

    /// Changes the schema; an alert where it did.
    fn protect(&self, schema: &mut ColumnSchema, spec: &SourceSpec) -> Option<Alert> {
        let asked = spec.kinds.contains_key(&schema.name);
        let making = self.making(schema, spec, asked);
        match &schema.declaration.refers_to {
            Some(other) if making == Making::Learned && (self.known_by() || self.names_somebody()) => {
                let what = self.described(schema);
                let message = format!(
                    "{what}, which may point at a person: new rows have those of the source, as keys of {other}"
                );
                Some(Alert { column: Some(schema.name.clone()), cause: Cause::Leak, message })
            }
            _ => self.change(schema, spec, making),
        }
    }

    fn change(&self, schema: &mut ColumnSchema, spec: &SourceSpec, making: Making) -> Option<Alert> {
        let redrawn = spec.text == TextMode::Redraw && schema.kind != Kind::Id;
        match making {
            Making::Learned => return None,
            Making::All(kind) if !(redrawn && kind == Kind::Text) => self.all(schema, kind, spec.text),
            Making::Rare(least) if !redrawn || spec.rare == Rare::Group => {
                schema.format = Format::Id(self.texts_made(schema, spec.text, self.is_email()));
                schema.reason.push_str(&format!(
                    "; values of fewer than {} are {}",
                    rows(least as usize),
                    how(schema)
                ));
            }
            Making::All(_) | Making::Rare(_) => return self.redrawn(schema),
        }
        let message =
            format!("{}, which may point at a person: {}", self.described(schema), how_not_copied(schema));
        (schema.kind != Kind::Id
            || self.named().is_some()
            || matches!(schema.format, Format::Id(IdFormat::Text { .. })))
        .then(|| Alert { column: Some(schema.name.clone()), cause: Cause::Leak, message })
    }

    /// What is drawn from the values seen, since that is wanted.
    fn redrawn(&self, schema: &mut ColumnSchema) -> Option<Alert> {
        if schema.kind == Kind::Text && !schema.reason.contains("drawn from those seen") {
            schema.reason.push_str(": drawn from those seen");
        }
        let message = format!(
            "{}, which may point at a person: new rows have those of the source, as text = \"redraw\" wants",
            self.described(schema)
        );
        Some(Alert { column: Some(schema.name.clone()), cause: Cause::Leak, message })
    }

    fn all(&self, schema: &mut ColumnSchema, kind: Kind, mode: TextMode) {
        let before = schema.kind;
        schema.kind = kind;
        schema.format = Format::Id(match kind {
            Kind::Id => self.ids_made(schema, before),
            _ => self.texts_made(schema, mode, self.is_email()),
        });
        // Where a reason quotes values, they are those of persons.
        let why = match before == Kind::Id && !schema.reason.contains('"') {
            true => schema.reason.trim_end_matches(": made afresh").to_owned(),
            false => self.described(schema),
        };
        schema.reason = format!("{why}: {}", how(schema));
    }

    /// How identifiers are made: as they were found to be, in the form of addresses of networks, of the parts that many
    /// share, or of signs.
    fn ids_made(&self, schema: &ColumnSchema, before: Kind) -> IdFormat {
        use IdFormat::{Counter, Date, Number, Pattern, Uuid};
        let found = schema.made_afresh();
        let settled = matches!(
            found,
            Some(Counter { .. } | Number { .. } | Uuid { .. } | Date { .. } | Pattern { .. })
        );
        if let Some(typed) = self.network().filter(|_| !settled) {
            let regex = typed::pattern(typed, &self.texts);
            return IdFormat::Code { regex, check: None, known: Known::of(self.texts.iter().copied()) };
        }
        let words = !matches!(self.kind, Some(Identifier::Code | Identifier::Uuid))
            && !matches!(before, Kind::Integer | Kind::Number);
        let maker = (words && !settled).then(|| TextMaker::of(&self.texts, self.is_email())).flatten();
        let format = match (maker, found) {
            (Some(maker), _) => IdFormat::Text { maker: Box::new(maker) },
            (None, Some(found)) => found.clone(),
            (None, None) => identifiers::format(&self.texts, &schema.declaration),
        };
        match format {
            Number { low, span, known } => {
                let (low, span) = rounded(low, span);
                Number { low, span, known }
            }
            other => other,
        }
    }

    /// How texts are made: by their parts, or not at all.
    fn texts_made(&self, schema: &ColumnSchema, mode: TextMode, email: bool) -> IdFormat {
        let filler = nested::filler(&schema.declaration, &self.texts);
        // Of the letters of a few words no others are made that anybody could read.
        let enough = self.texts.len() >= MIN_VALUES || email;
        let is_made = mode != TextMode::Empty && filler.is_none() && enough;
        match is_made.then(|| TextMaker::of(&self.texts, email)).flatten() {
            Some(maker) => IdFormat::Text { maker: Box::new(maker) },
            None => IdFormat::Empty { filler: filler.unwrap_or_default().to_owned() },
        }
    }

    /// Whether the values, or the texts within objects and lists, are whole names, addresses and the like.
    fn names_somebody(&self) -> bool {
        if !nested::is_json(&self.texts) {
            return people::name_somebody(&self.texts);
        }
        let mut leaves = BTreeSet::new();
        let parsed = self.texts.iter().filter_map(|text| serde_json::from_str(text).ok());
        parsed.for_each(|value| collect_texts(&value, &mut leaves));
        let leaves: Vec<&str> = leaves.iter().map(String::as_str).collect();
        people::name_somebody(&leaves) || leaves.iter().any(|text| identifiers::holds_email(text))
    }

    fn making(&self, schema: &ColumnSchema, spec: &SourceSpec, asked: bool) -> Making {
        let declared = schema.declaration.refers_to.is_some();
        let reference = schema.format == Format::Id(IdFormat::Reference);
        let personal = personal(&schema.name);
        let named_number =
            personal == Some(Personal::Number) || spellings::hint(&schema.name) == Some(Hint::Phone);
        let own_each = self.texts.len() * 2 > self.present;
        // Where each row has its own, however few there are, each is somebody's.
        let many = self.texts.len() >= MIN_VALUES || self.texts.len() == self.present && self.present > 2;
        let codes = matches!(self.kind, Some(Identifier::Code | Identifier::Uuid));
        let number = named_number || personal == Some(Personal::Handle) || personal.is_some() && codes;
        let known_by = self.known_by() || many && number;
        match schema.kind {
            Kind::Text => Making::All(Kind::Text),
            Kind::Id => Making::All(Kind::Id),
            Kind::Integer | Kind::Number if !asked && self.long() && (named_number || self.is_account()) => {
                Making::All(Kind::Id)
            }
            Kind::Category if declared => Making::Learned,
            Kind::Category if !asked && (known_by || own_each && many && (reference || codes)) => {
                Making::All(Kind::Id)
            }
            Kind::Category if !asked && self.names_somebody() => Making::All(Kind::Text),
            Kind::Category if reference => self.grouped(spec),
            Kind::Category
                if !asked
                    && (own_each && (many || personal.is_some_and(Personal::is_text))
                        || many && (self.whole() || self.tells_whom())) =>
            {
                Making::All(Kind::Text)
            }
            Kind::Category if personal.is_some() => {
                let least = spec.rare_below.unwrap_or(RARE_BELOW).max(RARE_BELOW);
                if self.counts.iter().any(|n| *n < least) { Making::Rare(least) } else { Making::Learned }
            }
            Kind::Category => self.grouped(spec),
            _ => Making::Learned,
        }
    }

    /// What a person or a device is known by, whatever the column is called and however often it repeats.
    fn known_by(&self) -> bool {
        let contact = matches!(self.kind, Some(Identifier::Email | Identifier::Phone));
        contact || self.texts.len() >= MIN_VALUES && (self.network().is_some() || self.is_account())
    }

    /// Numbers of accounts, cards and persons, with right check digits. Goods, books and companies are nobody.
    fn is_account(&self) -> bool {
        use CheckDigits::{Gtin, Isbn10, Ogrn};
        let long = self.texts.iter().all(|text| text.len() >= LONG_CODE);
        long && CheckDigits::find(&self.texts).is_some_and(|check| !matches!(check, Gtin | Isbn10 | Ogrn))
    }

    /// Addresses of networks and devices.
    fn network(&self) -> Option<Typed> {
        typed::recognise(&self.texts).filter(|typed| matches!(typed, Typed::Ip | Typed::Mac))
    }

    /// Texts with e-mail addresses in them, addresses of pages, names with a patronymic.
    fn tells_whom(&self) -> bool {
        const PATRONYMICS: [&str; 5] = ["вич", "вна", "чна", "оглы", "кызы"];
        let whom = |text: &&&str| {
            let page =
                text.split_once("://").is_some_and(|(_, rest)| rest.trim_end_matches('/').contains('/'));
            let named = || text.split(' ').any(|word| PATRONYMICS.iter().any(|end| word.ends_with(end)));
            page || identifiers::holds_email(text) || named()
        };
        self.texts.iter().filter(whom).count() * 2 > self.texts.len()
    }

    /// Categories that are nobody's, where rare ones are not to be made: frequent ones take their place, unless rare ones
    /// are most of them.
    fn grouped(&self, spec: &SourceSpec) -> Making {
        let least = spec.rare_below.unwrap_or(RARE_BELOW);
        let rare: u64 = self.counts.iter().filter(|n| **n < least).map(|n| u64::from(*n)).sum();
        let all: u64 = self.counts.iter().map(|n| u64::from(*n)).sum();
        let most = rare * 2 > all || all > 0 && self.counts.iter().all(|n| *n < least);
        if spec.rare == Rare::Group && most { Making::Rare(least) } else { Making::Learned }
    }

    /// Whole names and addresses, of one person in however many rows: names of several words, streets with numbers.
    fn whole(&self) -> bool {
        let most = |is: &dyn Fn(&str) -> bool| {
            self.texts.iter().filter(|text| is(text)).count() * 2 > self.texts.len()
        };
        match personal(&self.column.name) {
            Some(Personal::Name) => most(&|text| text.trim().contains(' ')),
            Some(Personal::Address) => most(&|text| text.contains(|c: char| c.is_ascii_digit())),
            Some(Personal::Handle | Personal::Note | Personal::Number) | None => false,
        }
    }

    /// Whole numbers too long for a quantity.
    fn long(&self) -> bool {
        // Tables with gaps hold whole numbers as "4915.0".
        let whole = |text: &&str| {
            let digits = text.strip_suffix(".0").unwrap_or(text).trim_start_matches('+');
            digits.len() >= LONG_NUMBER && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        !self.texts.is_empty() && self.texts.iter().all(whole)
    }

    fn is_email(&self) -> bool {
        self.kind == Some(Identifier::Email)
    }

    fn named(&self) -> Option<&'static str> {
        match self.kind {
            Some(Identifier::Email) => Some("e-mail addresses"),
            Some(Identifier::Phone) => Some("telephone numbers"),
            _ => None,
        }
    }

    /// "3,000 different e-mail addresses".
    fn described(&self, schema: &ColumnSchema) -> String {
        let what = self.named().unwrap_or(match personal(&self.column.name) {
            _ if schema.kind == Kind::Id => "identifiers",
            Some(Personal::Name) => "names",
            Some(Personal::Address) => "addresses",
            Some(Personal::Handle) => "logins",
            Some(Personal::Number | Personal::Note) | None => "texts",
        });
        format!("{} different {what}", count(self.texts.len()))
    }
}

/// The texts within an object or a list, however deep: what is read is limited in depth.
fn collect_texts(value: &serde_json::Value, into: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::String(text) => drop(into.insert(text.clone())),
        serde_json::Value::Array(all) => all.iter().for_each(|value| collect_texts(value, into)),
        serde_json::Value::Object(all) => all.values().for_each(|value| collect_texts(value, into)),
        _ => {}
    }
}

/// A range whose ends are nobody's numbers.
fn rounded(low: i64, span: u64) -> (i64, u64) {
    let high = i128::from(low) + i128::from(span);
    let unit = 10i128.pow((high.abs().max(1).ilog10()).saturating_sub(1));
    let (first, last) = (i128::from(low).div_euclid(unit) * unit, (high.div_euclid(unit) + 1) * unit - 1);
    // Within the type of those seen.
    let ends = [i128::from(i16::MAX), i128::from(i32::MAX), i128::from(i64::MAX), i128::from(u64::MAX)];
    let last = last.min(ends.into_iter().find(|end| high <= *end).unwrap_or(high));
    let first = first.max(if low < 0 { i128::from(low) } else { 0 });
    match (i64::try_from(first), u64::try_from(last - first)) {
        (Ok(first), Ok(span)) => (first, span),
        _ => (low, span),
    }
}

/// What happens to the values, in words.
fn how(schema: &ColumnSchema) -> String {
    match &schema.format {
        Format::Id(IdFormat::Empty { .. }) => "left empty".to_owned(),
        Format::Id(format) if *format != IdFormat::Reference => {
            format!("made afresh, {}", identifiers::form(format))
        }
        _ => "drawn from those seen".to_owned(),
    }
}

fn how_not_copied(schema: &ColumnSchema) -> &'static str {
    match (&schema.format, schema.kind) {
        (Format::Id(IdFormat::Empty { .. }), Kind::Category) => "those of few rows are left empty",
        (Format::Id(IdFormat::Empty { .. }), _) => "left empty, since too little is shared to make others of",
        (_, Kind::Category) => "those of few rows are made afresh, none is copied",
        _ => "new ones are made afresh in the same form, none is copied",
    }
}

#[cfg(test)]
mod tests;
