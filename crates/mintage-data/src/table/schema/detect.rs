//! From the values of a column to its kind.
//!
//! What is asked, in this order: is there anything at all, is it a key, yes and no, dates, numbers, and if
//! it is none of these, is it an identifier, a list of values, or sentences. A few other values among numbers
//! or dates do not decide: they are values of their own beside them.

mod dates;
mod numbers;
mod texts;

use rayon::prelude::*;

use super::{
    Alert, Cause, ColumnSchema, Format, IdFormat, Kind, TableSchema, alerts, identifiers,
    phrases::{count, examples, percent, quoted, rows},
    profile::{MIN_VALUES, Profile, Value},
    spellings::{self, Certainty},
    typed,
};
use crate::table::{Column, Table, Type};

/// So many different values among numbers or dates are values of their own at least …
const FEW_ODD: usize = 3;
/// … or one for so many different numbers, and never more than this.
const NUMBERS_AN_ODD: usize = 20;
const MAX_ODD_TEXTS: usize = 200;

/// What the columns of `table` hold, and what will hurt.
pub fn detect(table: &Table) -> TableSchema {
    let rows = table.rows();
    let found: Vec<Found> = table.columns.par_iter().map(|column| Found::detect(column, rows)).collect();
    let mut schema = TableSchema::default();
    for Found { schema: column, alerts } in found {
        schema.columns.push(column);
        schema.alerts.extend(alerts);
    }
    schema.alerts.extend(alerts::of_table(rows));
    schema.alerts.sort_by_key(|alert| alert.cause);
    schema
}

/// A column with what is wrong with it.
pub(super) struct Found {
    pub schema: ColumnSchema,
    pub alerts: Vec<Alert>,
}

impl Found {
    fn detect(column: &Column, rows: usize) -> Self {
        let mut profile = Profile::of(column, rows, Certainty::Sure);
        let mut guess = profile.guess();
        let likely = Profile::of(column, rows, Certainty::Likely);
        if likely.missing.len() > profile.missing.len() && !likely.values.is_empty() {
            let without = likely.guess();
            if without.kind != Kind::Text {
                (profile, guess) = (likely, without);
            }
        }
        profile.found(guess)
    }
}

/// What a column may hold, how it is written, and why.
pub(super) struct Guess {
    pub kind: Kind,
    pub format: Format,
    pub reason: String,
    /// Texts among numbers or dates that are none.
    pub odd: Vec<String>,
    pub alerts: Vec<(Cause, String)>,
}

impl Guess {
    pub fn new(kind: Kind, format: Format, reason: String) -> Self {
        Self { kind, format, reason, odd: Vec::new(), alerts: Vec::new() }
    }

    /// Says which values are none of the kind, and what they are.
    fn set_odd(&mut self, odd: &[Value], cause: Cause, what: &str) {
        if odd.is_empty() {
            return;
        }
        self.odd = odd.iter().map(|v| v.0.to_owned()).collect();
        let off: usize = odd.iter().map(|v| v.1 as usize).sum();
        let has = if off == 1 { "has" } else { "have" };
        let message = format!("{} {has} {what}, kept as values of their own: {}", rows(off), examples(odd));
        self.alerts.push((cause, message));
    }
}

impl<'a> Profile<'a> {
    /// The schema of the column as `guess` has it.
    pub fn found(&self, guess: Guess) -> Found {
        let schema = ColumnSchema {
            name: self.column.name.clone(),
            kind: guess.kind,
            reason: guess.reason,
            declaration: self.column.declaration.clone(),
            missing: self.missing.iter().map(|&text| text.to_owned()).collect(),
            odd: guess.odd,
            zones: self.zones(&guess.format),
            format: guess.format,
            unique: self.unique(),
            distinct: self.values.len(),
            missing_count: self.rows - self.present,
        };
        let own = guess.alerts.into_iter();
        let mut alerts: Vec<Alert> = own.map(|(cause, message)| alerts::new(self, cause, message)).collect();
        alerts.extend(alerts::of_column(self, &schema));
        Found { schema, alerts }
    }

    fn guess(&self) -> Guess {
        if self.values.is_empty() {
            return Guess::new(Kind::Constant, Format::Plain, "no row has a value".into());
        }
        if self.values.len() == 1 && self.present == self.rows {
            let reason = format!("every row has {}", quoted(self.values[0].0));
            return Guess::new(Kind::Constant, Format::Plain, reason);
        }
        self.key()
            .or_else(|| self.boolean())
            .or_else(|| self.dates())
            .or_else(|| self.numbers())
            .unwrap_or_else(|| self.words())
    }

    /// Keys, by what the source declares.
    fn key(&self) -> Option<Guess> {
        let declaration = &self.column.declaration;
        if let Some(other) = &declaration.refers_to {
            let reason = format!("refers to {other}: one of the {} keys seen", count(self.values.len()));
            return Some(Guess::new(Kind::Category, Format::Id(IdFormat::Reference), reason));
        }
        if !self.unique() || !(declaration.primary_key || declaration.unique) {
            return None;
        }
        let measured = matches!(
            declaration.ty,
            Type::Real | Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz
        );
        if measured && !declaration.primary_key {
            return None;
        }
        let what = if declaration.primary_key { "the primary key" } else { "declared unique" };
        Some(self.id(&format!("{what}: made afresh")))
    }

    /// An identifier in the format of the values: a date of the calendar, an address that there can be, a code.
    pub fn id(&self, why: &str) -> Guess {
        let texts = self.texts();
        let typed = || {
            let typed = typed::recognise(&texts)?;
            Some(IdFormat::Pattern { regex: typed::pattern(typed, &texts) })
        };
        let format = self.date_ids().or_else(typed);
        let format = format.unwrap_or_else(|| identifiers::format(&texts, &self.column.declaration));
        Guess::new(Kind::Id, Format::Id(format), why.to_owned())
    }

    fn boolean(&self) -> Option<Guess> {
        let texts = self.texts();
        let two = matches!(texts[..], [a, b] if spellings::yes_and_no(a, b));
        let declared = self.column.declaration.ty == Type::Boolean && texts.len() <= 2;
        (two || declared).then(|| self.yes_and_no())
    }

    /// Whether so few different values are no numbers, or no dates, that they are values of their own beside them.
    fn few(&self, odd: &[Value]) -> bool {
        let numbers = self.values.len() - odd.len();
        let rows: usize = odd.iter().map(|v| v.1 as usize).sum();
        let most = (numbers / NUMBERS_AN_ODD).clamp(FEW_ODD, MAX_ODD_TEXTS);
        odd.len() <= most && (rows * 2 < self.present || numbers >= MIN_VALUES)
    }

    pub fn yes_and_no(&self) -> Guess {
        let both =
            self.values.iter().map(|v| format!("{} in {}", quoted(v.0), percent(v.1 as usize, self.present)));
        let reason = format!("yes or no: {}", both.collect::<Vec<_>>().join(", "));
        Guess::new(Kind::Boolean, Format::Plain, reason)
    }
}

/// "1 value", "1,200 values".
fn many(n: usize, what: &str) -> String {
    let what = if n == 1 { what.strip_suffix('s').unwrap_or(what) } else { what };
    let what = if n == 1 { what.strip_prefix("different ").unwrap_or(what) } else { what };
    format!("{} {what}", count(n))
}

#[cfg(test)]
mod tests;
