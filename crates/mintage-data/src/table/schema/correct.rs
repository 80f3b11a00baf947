//! Kinds that people ask for in the place of those that were found.

use std::collections::BTreeMap;

use super::{
    Format, IdFormat, Kind, TableSchema,
    detect::{Found, Guess},
    phrases::{count, examples, quoted},
    profile::{Profile, Value},
    spellings::Certainty,
};
use crate::{
    Error,
    error::suggestion,
    table::{Column, Table},
};

impl TableSchema {
    /// Replaces the kinds that were found with those of `kinds`, by name of column.
    ///
    /// # Errors
    /// There is no such column, or its values do not suit the kind; the error names those that do not.
    pub fn apply(&mut self, table: &Table, kinds: &BTreeMap<String, Kind>) -> Result<(), Error> {
        for (name, &kind) in kinds {
            let Some(at) = table.columns.iter().position(|column| column.name == *name) else {
                let error =
                    Error::bad(format!("column `{name}`"), format!("is not in table `{}`", table.name));
                let near = suggestion(name, table.names());
                let all = || format!("its columns are {}", table.names().collect::<Vec<_>>().join(", "));
                return Err(error.with_hint(near.unwrap_or_else(all)));
            };
            if self.columns[at].kind == kind {
                continue;
            }
            let Found { schema, alerts } = as_kind(&table.columns[at], table.rows(), kind)?;
            self.columns[at] = schema;
            self.alerts.retain(|alert| alert.column.as_ref() != Some(name));
            self.alerts.extend(alerts);
        }
        self.alerts.sort_by_key(|alert| alert.cause);
        Ok(())
    }
}

/// The column as one of this kind.
fn as_kind(column: &Column, rows: usize, kind: Kind) -> Result<Found, Error> {
    let certainty = match kind {
        Kind::Text | Kind::Constant => Certainty::Sure,
        _ => Certainty::Likely,
    };
    let profile = Profile::of(column, rows, certainty);
    let mut guess = match kind {
        Kind::Integer | Kind::Number => number(&profile, kind)?,
        Kind::Datetime => datetime(&profile)?,
        Kind::Boolean if profile.values.len() <= 2 => profile.yes_and_no(),
        Kind::Constant if profile.values.len() <= 1 && (profile.present == rows || profile.present == 0) => {
            let value = profile.values.first().map_or("", |v| v.0);
            Guess::new(kind, Format::Plain, format!("every row has {}", quoted(value)))
        }
        Kind::Boolean | Kind::Constant => {
            let more = if kind == Kind::Boolean { "more than two values" } else { "more than one value" };
            return Err(unfit(column, kind, &format!("it has {more}"), &profile.values));
        }
        Kind::Category if column.declaration.refers_to.is_some() => {
            let guess = profile.category("");
            Guess { format: Format::Id(IdFormat::Reference), ..guess }
        }
        Kind::Category => profile.category(""),
        Kind::Id => profile.id("made afresh"),
        Kind::Text => profile.text(),
    };
    guess.reason = format!("as the recipe wants: {}", guess.reason);
    Ok(profile.found(guess))
}

fn number(profile: &Profile, kind: Kind) -> Result<Guess, Error> {
    let mut numbers = profile.as_numbers();
    if !mostly(profile, &numbers.odd) {
        return Err(unfit(profile.column, kind, "these are no numbers", &numbers.odd));
    }
    let format = &mut numbers.format;
    if kind == Kind::Number && format.integer() {
        format.digits = Some(0);
    }
    if kind == Kind::Integer && !format.integer() {
        let fraction = |v: &&Value| format.parse(v.0).is_some_and(|number| number.fract() != 0.0);
        let rest: Vec<Value> = profile.values.iter().filter(fraction).copied().collect();
        if !rest.is_empty() {
            return Err(unfit(profile.column, kind, "these have a fraction", &rest));
        }
        format.digits = Some(0);
    }
    Ok(Guess { kind, ..profile.number(numbers) })
}

/// Whether most rows have a value that fits; the rest are values of their own.
fn mostly(profile: &Profile, odd: &[Value]) -> bool {
    let off: usize = odd.iter().map(|v| v.1 as usize).sum();
    off * 2 < profile.present && odd.len() * 2 < profile.values.len()
}

fn datetime(profile: &Profile) -> Result<Guess, Error> {
    let bad =
        |rest: &[Value]| unfit(profile.column, Kind::Datetime, "not all follow one pattern of dates", rest);
    match profile.date_pattern() {
        Some((found, odd)) if mostly(profile, &odd) => Ok(profile.datetime(&found, &odd)),
        Some((found, odd)) => {
            let why = format!("most are written {}, but these are no such dates", found.pattern);
            Err(unfit(profile.column, Kind::Datetime, &why, &odd))
        }
        None => Err(bad(&profile.values)),
    }
}

/// Why a column cannot be of a kind, with the values that say so.
fn unfit(column: &Column, kind: Kind, why: &str, rest: &[Value]) -> Error {
    let rows: usize = rest.iter().map(|v| v.1 as usize).sum();
    let why =
        format!("cannot be of kind {}: {why}, in {} rows: {}", kind.name(), count(rows), examples(rest));
    Error::bad(format!("column `{}`", column.name), why)
        .with_hint("correct these values in the source, or take the kind that was found")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::table::schema::detect;

    fn corrected(cells: &[&str], kind: Kind) -> Result<TableSchema, Error> {
        let table = Table {
            name: "t".into(),
            columns: vec![Column::of("x", cells.iter().map(|&c| Some(c)))],
            ..Table::default()
        };
        let mut schema = detect(&table);
        schema.apply(&table, &BTreeMap::from([("x".to_owned(), kind)])).map(|()| schema)
    }

    #[test]
    fn kinds_can_be_asked_for() {
        let codes = &["1", "2", "3", "1"];
        for kind in [Kind::Category, Kind::Text, Kind::Id, Kind::Number, Kind::Integer] {
            assert_eq!(corrected(codes, kind).unwrap().columns[0].kind, kind);
        }
        let schema = corrected(&["1.0", "2.0", "unknown"], Kind::Integer).unwrap();
        assert_eq!(
            (schema.columns[0].text(7.0), &schema.columns[0].odd[0]),
            ("7.0".into(), &"unknown".into())
        );
        assert!(schema.columns[0].reason.ends_with("different whole numbers from 1.0 to 2.0"));
    }

    #[test]
    fn values_that_do_not_fit_are_named() {
        let error = corrected(&["1", "2", "abc", "abc"], Kind::Integer).unwrap_err().to_string();
        let expected =
            "column `x`: cannot be of kind integer: these are no numbers, in 2 rows: \"abc\" (2 rows)";
        assert_eq!(error, expected);
        assert!(corrected(&["1", "2.5"], Kind::Integer).unwrap_err().to_string().contains("\"2.5\" (1 row)"));
        let error = corrected(
            &["2024-01-01", "2024-02-30", "2024-01-02", "2024-02-31", "2024-02-30"],
            Kind::Datetime,
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("\"2024-02-30\" (2 rows)"), "{error}");
        assert!(corrected(&["a", "b", "c"], Kind::Boolean).is_err());
        assert!(corrected(&["a", "b"], Kind::Constant).is_err());
    }

    #[test]
    fn unknown_columns_are_named() {
        let table =
            Table { name: "t".into(), columns: vec![Column::of("price", [Some("1")])], ..Table::default() };
        let wanted = BTreeMap::from([("prise".to_owned(), Kind::Number)]);
        let error = detect(&table).apply(&table, &wanted).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("did you mean `price`?"));
    }
}
