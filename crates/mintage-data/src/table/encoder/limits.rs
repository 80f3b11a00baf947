//! What conditions such as `age=30..40` leave of each column.

use std::fmt;

use super::{AFRESH, ColumnCodec, RowEncoder};
use crate::{
    Error,
    error::suggestion,
    table::{
        Table, datetime,
        rules::{Place, Scale},
        schema::{ColumnSchema, Format, Kind, NumberFormat, TableSchema},
        values::{self, NumberStyle},
    },
};

/// Values that are named when one is not known.
const VALUES_SHOWN: usize = 8;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

/// One condition on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Where {
    pub column: String,
    pub allow: Allow,
}

/// As [`Where::parse`] reads it.
impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let end = |end: &Option<String>| end.clone().unwrap_or_default();
        match &self.allow {
            // What would be read as a range, or lose its quotes or spaces.
            Allow::Value(value)
                if value.contains("..") || value.starts_with('"') || value.trim() != value =>
            {
                write!(f, "{}=\"{value}\"", self.column)
            }
            Allow::Value(value) => write!(f, "{}={value}", self.column),
            Allow::Range(from, to) => write!(f, "{}={}..{}", self.column, end(from), end(to)),
        }
    }
}

/// The values that a condition allows.
#[derive(Clone, Debug, PartialEq)]
pub enum Allow {
    /// This value; empty for a missing one.
    Value(String),
    /// Numbers or dates from one to another, both included; an open end allows all.
    Range(Option<String>, Option<String>),
}

impl Where {
    /// Parses `COLUMN=VALUE` or `COLUMN=FROM..TO`; a value in double quotes is taken as it is.
    ///
    /// # Errors
    /// There is no `=`, no column before it, or a range without either end.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::bad(format!("`{text}`"), "is no condition")
                .with_hint("write it like label=coat, age=30, age=30..40, age=30.. or 'income=\">50K\"'")
        };
        let (column, value) = text.split_once('=').ok_or_else(wrong)?;
        let (column, value) = (column.trim(), value.trim());
        if column.is_empty() {
            return Err(wrong());
        }
        let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        let end = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let allow = match (quoted, value.split_once("..")) {
            (Some(value), _) => Allow::Value(value.to_owned()),
            (None, Some((from, to))) => match (end(from), end(to)) {
                (None, None) => return Err(wrong()),
                (from, to) => Allow::Range(from, to),
            },
            (None, None) => Allow::Value(value.to_owned()),
        };
        Ok(Self { column: column.to_owned(), allow })
    }
}

/// What conditions can ask of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    pub column: String,
    pub kind: Kind,
    /// The values that a column lists, the most frequent category first.
    pub values: Vec<String>,
    /// The least and the greatest number or date, as they are written.
    pub range: Option<(String, String)>,
    /// Whether a value may be missing, which a condition on "" asks for.
    pub has_missing: bool,
}

/// What is left of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// For each token of the column's first field whether it may be chosen.
    pub tokens: Vec<bool>,
    /// The same of its other fields; nothing where all may be.
    pub parts: Vec<Option<Vec<bool>>>,
    /// The numbers that may be chosen.
    pub between: Option<(f64, f64)>,
    /// For each text that the column lists whether it may be chosen.
    pub texts: Vec<bool>,
}

/// What is left of each column; `None` where everything is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub columns: Vec<Option<Limit>>,
    /// Fields of each column.
    widths: Vec<usize>,
    /// For each column the tokens of its first field that mean a value, not a missing one.
    present: Vec<Vec<bool>>,
    /// Conditions on columns that rules compute: they are looked at when a row is whole.
    afterwards: Vec<Where>,
    /// The columns of the table that conditions are on.
    fixed: Vec<usize>,
}

impl RowEncoder {
    /// What conditions can ask of each column. Identifiers and texts that every row gets afresh are left out, and so are
    /// columns that rules compute from others.
    pub fn domains(&self) -> Vec<Domain> {
        let own = self.rules.own().columns.iter();
        let domain = |own: &ColumnSchema| {
            let is_afresh = own.kind == Kind::Id || own.kind == Kind::Text && own.made_afresh().is_some();
            let place = self.rules.place(&own.name).ok().flatten().filter(|_| !is_afresh)?;
            let codec = self.columns.get(place.column())?;
            let mut values: Vec<String> = Vec::new();
            for text in codec.texts().into_iter().filter_map(|text| place.cell(Some(text))) {
                // A column that is a part of a joint one has the same value in several.
                if !text.is_empty() && !values.iter().any(|value| value == text) {
                    values.push(text.to_owned());
                }
            }
            Some(Domain {
                column: own.name.clone(),
                kind: own.kind,
                values,
                range: codec.range().filter(|_| matches!(place, Place::Own(_))),
                has_missing: own.missing_count > 0,
            })
        };
        own.filter_map(domain).collect()
    }

    /// Checks that the given cells, which are kept, meet the conditions.
    ///
    /// # Errors
    /// A given cell breaks a condition, or the range of a condition does not suit its column.
    pub fn check_given(&self, given: &Table, conditions: &[Where]) -> Result<(), Error> {
        for Where { column: name, allow } in conditions {
            let (Some(own), Some(column)) = (self.rules.own().column(name), given.column(name)) else {
                continue;
            };
            let between = allow.numbers(own)?;
            let breaks = |cell: &Option<&str>| !own.is_missing(*cell) && !allow.holds(*cell, own, between);
            if let Some((row, cell)) = column.iter().enumerate().find(|(_, cell)| breaks(cell)) {
                let what = format!("row {} of the given ones has {}", row + 1, cell.unwrap_or_default());
                return Err(Error::bad(format!("condition on `{name}`"), what)
                    .with_hint("given cells are kept: leave out the condition, or those rows"));
            }
        }
        Ok(())
    }

    /// The limits that conditions set for each column. Two conditions on one column must both hold.
    ///
    /// # Errors
    /// A column is unknown or made afresh, a range does not suit its column, or no value meets all conditions on a
    /// column.
    pub fn limits(&self, conditions: &[Where]) -> Result<Limits, Error> {
        let mut columns: Vec<Option<Limit>> = vec![None; self.columns.len()];
        let (mut afterwards, mut fixed) = (Vec::new(), Vec::new());
        for condition in conditions {
            let place = self.rules.place(&condition.column)?;
            let Some(own) = self.rules.own().column(&condition.column) else { continue };
            fixed.extend(self.rules.own().columns.iter().position(|column| column.name == own.name));
            let Some(place) = place else {
                condition.allow.numbers(own)?;
                afterwards.push(condition.clone());
                continue;
            };
            let at = place.column();
            let limit = self.columns[at].limit(&condition.allow, place, own)?;
            columns[at] = Some(match columns[at].take() {
                Some(before) => both(before, limit, &condition.column)?,
                None => limit,
            });
        }
        Ok(Limits {
            columns,
            widths: self.columns.iter().map(ColumnCodec::width).collect(),
            present: self
                .columns
                .iter()
                .map(|c| c.allowed(&|text| !c.schema.is_missing(text), ALL))
                .collect(),
            afterwards,
            fixed,
        })
    }
}

/// All numbers.
pub(super) const ALL: Option<(f64, f64)> = Some((f64::NEG_INFINITY, f64::INFINITY));

impl Limits {
    /// The rows that break a condition on a column that rules compute, with that condition.
    pub(super) fn refused(&self, table: &Table, schema: &TableSchema) -> Vec<(usize, &Where)> {
        let mut refused = Vec::new();
        for condition in &self.afterwards {
            let (Some(own), Some(column)) =
                (schema.column(&condition.column), table.column(&condition.column))
            else {
                continue;
            };
            let between = condition.allow.numbers(own).ok().flatten();
            let holds: Vec<bool> =
                column.values().iter().map(|text| condition.allow.holds(Some(text), own, between)).collect();
            let missing = condition.allow.holds(None, own, between);
            let rows = column.numbers().iter().enumerate();
            let broken = rows.filter(|(_, n)| !holds.get(**n as usize).copied().unwrap_or(missing));
            refused.extend(broken.map(|(row, _)| (row, condition)));
        }
        refused
    }

    /// The columns of the table that conditions are on.
    pub(super) fn fixed(&self) -> &[usize] {
        &self.fixed
    }

    /// What is left of a column, where something is taken away.
    pub(super) fn of(&self, column: usize) -> Option<&Limit> {
        self.columns.get(column)?.as_ref()
    }

    /// For each field the tokens that may be chosen; with `present`, missing values may not.
    pub fn allowed(&self, present: bool) -> Vec<Option<Vec<bool>>> {
        let column = |at: usize| {
            let limit = self.columns[at].as_ref().map(|limit| limit.tokens.clone());
            let all = &self.present[at];
            let first = match (limit, present && all.contains(&false)) {
                (Some(limit), true) => Some(limit.iter().zip(all).map(|(a, b)| *a && *b).collect()),
                (None, true) => Some(all.clone()),
                (limit, false) => limit,
            };
            let parts = self.columns[at].as_ref().map_or(&[][..], |limit| &limit.parts);
            let others = (1..self.widths[at]).map(move |field| parts.get(field - 1).cloned().flatten());
            (self.widths[at] > 0).then_some(first).into_iter().chain(others)
        };
        (0..self.columns.len()).flat_map(column).collect()
    }
}

impl ColumnCodec {
    /// What one condition on a column of the table leaves of this one, which holds it at `place`; an error
    /// where that is nothing.
    fn limit(&self, allow: &Allow, place: Place, own: &ColumnSchema) -> Result<Limit, Error> {
        let name = &own.name;
        if own.kind == Kind::Id {
            return Err(Error::bad(format!("`{name}`"), "is an identifier, which every row gets afresh")
                .with_hint("leave the condition out, or give the rows with `given`"));
        }
        if own.kind == Kind::Text && own.made_afresh().is_some() {
            return Err(Error::bad(
                format!("`{name}`"),
                "is made afresh in every row, as texts that may point at a person are",
            )
            .with_hint("leave the condition out, or train with text = \"redraw\" in [data]"));
        }
        let between = allow.numbers(own)?.map(|range| writable(range, own)).transpose()?;
        let is_whole = matches!(place, Place::Own(_));
        let allowed = |cell: Option<&str>| allow.holds(place.cell(cell), own, between);
        let bins = between.filter(|_| is_whole);
        let limit = Limit {
            tokens: self.allowed(&allowed, bins),
            parts: self.allowed_parts(bins),
            between: bins,
            texts: self.texts().iter().map(|text| allowed(Some(text))).collect(),
        };
        let possible = match self.constant() {
            Some(constant) => allowed(constant),
            None => limit.tokens.contains(&true),
        };
        if possible { Ok(limit) } else { Err(self.never_seen(allow, own, place, between)) }
    }

    fn never_seen(
        &self,
        allow: &Allow,
        own: &ColumnSchema,
        place: Place,
        between: Option<(f64, f64)>,
    ) -> Error {
        let name = &own.name;
        let (what, wanted) = match allow {
            Allow::Value(text) => {
                (format!("`{name}` is never `{text}` in the rows that were trained on"), text.as_str())
            }
            Allow::Range(..) => (format!("no value of `{name}` lies in that range"), ""),
        };
        let error = Error::bad("condition", what);
        let nearest = between.map(|between| self.nearest(between)).unwrap_or_default();
        if !nearest.is_empty() && matches!(place, Place::Own(_)) {
            return error.with_hint(named(&nearest));
        }
        let mut texts: Vec<&str> =
            self.texts().into_iter().filter_map(|text| place.cell(Some(text))).collect();
        let mut seen = std::collections::HashSet::new();
        texts.retain(|text| *text != AFRESH && seen.insert(*text));
        let near = suggestion(wanted, texts.iter().copied()).filter(|_| !wanted.is_empty());
        error.with_hint(near.unwrap_or_else(|| match (texts.is_empty(), self.range()) {
            (true, Some((low, high))) => format!("the values lie between {low} and {high}"),
            _ => {
                let more = if texts.len() > VALUES_SHOWN { ", …" } else { "" };
                texts.truncate(VALUES_SHOWN);
                let held = "; a value that only held-out rows have cannot be drawn";
                let held = if wanted.is_empty() { "" } else { held };
                format!("its values are {}{more}{held}", texts.join(", "))
            }
        }))
    }

    /// The values next to a range of numbers in which there is none, as they are written.
    fn nearest(&self, (low, high): (f64, f64)) -> Vec<String> {
        let known = self.landmarks();
        let below = known.iter().copied().filter(|&number| number < low).reduce(f64::max);
        let above = known.iter().copied().filter(|&number| number > high).reduce(f64::min);
        below.into_iter().chain(above).map(|number| self.schema.text(number)).collect()
    }
}

/// The part of a range of numbers that the column can write, both ends of it; an error where it can write none.
fn writable((low, high): (f64, f64), own: &ColumnSchema) -> Result<(f64, f64), Error> {
    let scale = Scale::of(own);
    let least = if low.is_finite() { scale.least(low, false) } else { low };
    let largest = if high.is_finite() { scale.largest(high, false) } else { high };
    if least <= largest {
        return Ok((least, largest));
    }
    let what = match low == high {
        true => format!("`{}` is never written as {low}", own.name),
        false => format!("`{}` has no value between {} and {}", own.name, plain(low, own), plain(high, own)),
    };
    let digits = match &own.format {
        Format::Number(format) => match format.digits {
            Some(0) => ": it has whole numbers".to_owned(),
            Some(digits @ 1..) => format!(": it has {digits} digits after the point"),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let nearest = [largest, least].map(|number| own.text(number));
    Err(Error::bad("condition", what + &digits).with_hint(named(&nearest)))
}

/// A bound as it was given: dates in their own form, numbers with all their digits.
fn plain(number: f64, own: &ColumnSchema) -> String {
    if own.kind == Kind::Datetime { own.text(number) } else { number.to_string() }
}

/// "the nearest values are 0.45 and 0.46".
fn named(nearest: &[String]) -> String {
    let verb = if nearest.len() == 1 { "value is" } else { "values are" };
    format!("the nearest {verb} {}", nearest.join(" and "))
}

impl Allow {
    /// The numbers or dates that are allowed, where they are; both ends belong to it.
    fn numbers(&self, own: &ColumnSchema) -> Result<Option<(f64, f64)>, Error> {
        let end = |text: &Option<String>, open: f64| match text {
            None => Ok(open),
            Some(text) => {
                span(text, own).map(|(low, high)| if open > 0.0 { high } else { low }).ok_or_else(|| {
                    let why = format!("cannot be a bound of `{}`, a {}", own.name, own.kind.name());
                    Error::bad(format!("`{text}`"), why)
                        .with_hint("ranges work for numbers and dates, written as in the data")
                })
            }
        };
        match self {
            Self::Value(text) => Ok(span(text, own)),
            Self::Range(from, to) => {
                let (low, high) = (end(from, f64::NEG_INFINITY)?, end(to, f64::INFINITY)?);
                if low > high {
                    return Err(Error::bad(format!("`{}`", own.name), "the range ends before it begins"));
                }
                Ok(Some((low, high)))
            }
        }
    }

    /// Whether a cell is allowed; `numbers` are those that are.
    fn holds(&self, cell: Option<&str>, own: &ColumnSchema, numbers: Option<(f64, f64)>) -> bool {
        let inside = || {
            let number = cell.and_then(|text| own.number(text));
            number.zip(numbers).is_some_and(|(number, (low, high))| low <= number && number <= high)
        };
        match self {
            Self::Value(text) => cell.unwrap_or_default() == text || inside(),
            Self::Range(..) => inside(),
        }
    }
}

/// The numbers that a bound means, the least and the largest: a day is all of its times.
fn span(text: &str, own: &ColumnSchema) -> Option<(f64, f64)> {
    if let Some(number) = own.number(text) {
        return Some((number, number));
    }
    let one = |number: f64| (number, number);
    match &own.format {
        Format::Number(format) => amount(text, format).map(one),
        Format::Datetime { pattern } => moments(text, pattern),
        Format::Plain | Format::Id(_) => None,
    }
}

/// A number without the currency and the unit of its column, as the column writes the others; else as programs write it.
fn amount(text: &str, format: &NumberFormat) -> Option<f64> {
    if format.style.is_plain() {
        return (format.point != '.').then(|| values::parse(text, '.')).flatten();
    }
    let bare = NumberStyle { prefix: String::new(), suffix: String::new(), ..format.style.clone() };
    let bare = NumberFormat { style: bare, ..format.clone() };
    let own =
        || bare.style.group.is_some_and(|group| text.contains(group)).then(|| bare.parse(text)).flatten();
    own().or_else(|| values::parse(text, '.')).or_else(|| bare.parse(text))
}

/// A date or a time as ISO 8601 writes it, or the date alone as the column does, in microseconds: all that it may mean.
fn moments(text: &str, pattern: &str) -> Option<(f64, f64)> {
    const ISO: [(&str, i64); 5] = [
        ("%Y-%m-%d", DAY),
        ("%Y-%m-%dT%H:%M", MINUTE),
        ("%Y-%m-%d %H:%M", MINUTE),
        ("%Y-%m-%dT%H:%M:%S", SECOND),
        ("%Y-%m-%d %H:%M:%S", SECOND),
    ];
    if !datetime::dated(pattern) {
        return None;
    }
    let own = [" ", "T", ", "].into_iter().find_map(|between| {
        let (date, rest) = pattern.split_once(between)?;
        rest.starts_with("%H").then_some((date, DAY))
    });
    let (from, lasts) = own.into_iter().chain(ISO).find_map(|(pattern, lasts)| {
        let micros = datetime::parse(text, pattern)?;
        Some((micros, lasts))
    })?;
    Some((from as f64, (from + lasts - 1) as f64))
}

/// Both of two conditions on one column.
fn both(a: Limit, b: Limit, column: &str) -> Result<Limit, Error> {
    let tokens: Vec<bool> = a.tokens.iter().zip(&b.tokens).map(|(a, b)| *a && *b).collect();
    let between = match (a.between, b.between) {
        (Some(a), Some(b)) => Some((a.0.max(b.0), a.1.min(b.1))),
        (a, b) => a.or(b),
    };
    if !tokens.contains(&true) || between.is_some_and(|(low, high)| low > high) {
        return Err(Error::bad(format!("`{column}`"), "no value meets both conditions on it"));
    }
    let texts = a.texts.iter().zip(&b.texts).map(|(a, b)| *a && *b).collect();
    let parts = a.parts.into_iter().zip(b.parts).map(both_parts).collect();
    Ok(Limit { tokens, parts, between, texts })
}

/// What two conditions leave of a field; the first alone where they leave nothing together.
fn both_parts(parts: (Option<Vec<bool>>, Option<Vec<bool>>)) -> Option<Vec<bool>> {
    let (Some(a), Some(b)) = &parts else { return parts.0.or(parts.1) };
    let both: Vec<bool> = a.iter().zip(b).map(|(a, b)| *a && *b).collect();
    if both.contains(&true) { Some(both) } else { parts.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn conditions_are_read() {
        let value =
            |column: &str, text: &str| Where { column: column.into(), allow: Allow::Value(text.into()) };
        assert_eq!(Where::parse("age=30").unwrap(), value("age", "30"));
        assert_eq!(Where::parse("income=\">50K\"").unwrap(), value("income", ">50K"));
        assert_eq!(Where::parse("доход = да").unwrap(), value("доход", "да"));
        assert_eq!(Where::parse("a=\"1..2\"").unwrap(), value("a", "1..2"));
        let range = Where::parse("age=30..40").unwrap();
        assert_eq!(range.allow, Allow::Range(Some("30".into()), Some("40".into())));
        assert_eq!(
            Where::parse("day=..2020-01-05").unwrap().allow,
            Allow::Range(None, Some("2020-01-05".into()))
        );
        for bad in ["age", "=3", "age=.."] {
            assert!(Where::parse(bad).is_err(), "{bad}");
        }
    }

    fn schema(cells: &[&str]) -> ColumnSchema {
        let rows: Vec<Option<&str>> = cells.iter().cycle().take(60).map(|cell| Some(*cell)).collect();
        let table = Table { columns: vec![crate::table::Column::of("c", rows)], ..Table::default() };
        crate::table::schema::detect(&table).columns.remove(0)
    }

    #[test]
    fn bounds_are_read_as_the_column_is_written() {
        let euros = schema(&["1.838,02 €", "6.520,47 €", "913,50 €", "12.000,00 €", "1.100,25 €"]);
        let one = |number: f64| Some((number, number));
        assert_eq!(span("1.000", &euros), one(1000.0));
        assert_eq!(span("1.838,02 €", &euros), one(1838.02));
        assert_eq!(span("1838.02", &euros), one(1838.02));
        assert_eq!(span("1838,02", &euros), one(1838.02));
        let days = schema(&["13.06.2023", "24.03.2023", "01.12.2022", "30.01.2023", "17.08.2022"]);
        assert_eq!(
            span("2023-06-13", &days).map(|span| span.0),
            span("13.06.2023", &days).map(|span| span.0)
        );
        let moments = schema(&[
            "2020-02-06 04:15:00",
            "2020-01-13 22:45:10",
            "2020-03-01 12:00:00",
            "2020-04-30 03:59:12",
        ]);
        let (from, to) = span("2020-01-31", &moments).unwrap();
        assert_eq!(from, moments.number("2020-01-31 00:00:00").unwrap());
        assert!(to > moments.number("2020-01-31 23:59:59").unwrap());
        assert!(to < moments.number("2020-02-01 00:00:00").unwrap());
        let january = Allow::Range(Some("2020-01-01".into()), Some("2020-01-31".into()));
        assert_eq!(january.numbers(&moments).unwrap().unwrap().1, to);
        assert_eq!(span("soon", &moments), None);
    }
}
