//! Types for sinks that have them, found from values of sources that have none.

use super::{ColumnSchema, Format, Kind, TableSchema};
use crate::table::{Column, Table, Type};

impl TableSchema {
    /// Says of the columns of a source without types what their values are. Where the source has types, it is only
    /// asked which of its texts are dates.
    pub fn find_types(&mut self, table: &Table) {
        let untyped = table.file.is_some();
        for schema in &mut self.columns {
            let Some(column) = table.column(&schema.name) else { continue };
            if schema.declaration.ty != Type::Text {
                continue;
            }
            let dated = schema.kind == Kind::Datetime;
            if let Some(ty) = found(schema, column).filter(|_| untyped || dated) {
                schema.declaration.found = Some(ty);
                schema.declaration.mixed = is_mixed(schema, column);
            }
        }
    }
}

/// The type of the values, where it is more than text.
fn found(schema: &ColumnSchema, column: &Column) -> Option<Type> {
    match (schema.kind, &schema.format) {
        (Kind::Integer, Format::Number(format)) => {
            let fits = |number: f64| number.abs() < i64::MAX as f64;
            Some(if fits(format.min) && fits(format.max) { Type::Integer } else { Type::Real })
        }
        (Kind::Number, Format::Number(_)) => Some(Type::Real),
        (Kind::Datetime, Format::Datetime { pattern }) => type_of_pattern(pattern),
        (Kind::Boolean, _) => Some(Type::Boolean),
        (Kind::Text, _) => None,
        _ if schema.distinct == 0 => None,
        // Codes, keys and what is always the same.
        _ if texts(schema, column).all(is_plain_integer) => Some(Type::Integer),
        _ if texts(schema, column).all(is_plain_number) => Some(Type::Real),
        _ => None,
    }
}

/// The texts that stand for no missing value.
fn texts<'a>(schema: &'a ColumnSchema, column: &'a Column) -> impl Iterator<Item = &'a str> {
    column.values().iter().filter(|text| !schema.is_missing(Some(text)))
}

/// Whether some values are no numbers or dates.
fn is_mixed(schema: &ColumnSchema, column: &Column) -> bool {
    matches!(schema.kind, Kind::Integer | Kind::Number | Kind::Datetime)
        && texts(schema, column).any(|text| schema.number(text).is_none())
}

/// A whole number that comes back as it was written: "007" and "+7" would not.
fn is_plain_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

/// The same for a number: "1.10" may be a version.
fn is_plain_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|number| number.is_finite() && number.to_string() == text)
}

/// What texts of a pattern are; nothing for parts of a date, such as months.
fn type_of_pattern(pattern: &str) -> Option<Type> {
    let has = |parts: &[&str]| parts.iter().any(|part| pattern.contains(part));
    if has(&["%s"]) {
        return Some(Type::Integer);
    }
    let day = has(&["%d", "%-d", "%e"]) && has(&["%m", "%-m", "%b", "%B"]) && has(&["%Y", "%y"]);
    let time = has(&["%H", "%-H", "%I", "%-I"]);
    match (day, time, zone(pattern).is_some()) {
        (true, true, true) => Some(Type::TimestampTz),
        (true, true, false) => Some(Type::Timestamp),
        (true, false, _) => Some(Type::Date),
        (false, true, false) => Some(Type::Time),
        (false, ..) => None,
    }
}

/// The zone that a pattern ends with, as ISO 8601 writes it.
fn zone(pattern: &str) -> Option<&str> {
    for zone in ["Z", " UTC", "UTC", " GMT"] {
        if pattern.ends_with(zone) && !pattern.ends_with("%Z") {
            return Some("+00:00");
        }
    }
    if pattern.ends_with("%z") || pattern.ends_with("%:z") {
        return Some("%:z");
    }
    let digits = pattern.trim_end_matches(|c: char| c.is_ascii_digit() || c == ':');
    let sign = digits.len().checked_sub(1)?;
    (digits.ends_with(['+', '-']) && pattern.len() > digits.len() && pattern.contains("%M"))
        .then(|| &pattern[sign..])
}

/// The pattern by which ISO 8601 writes what `pattern` shows, as a value of the type `ty`.
pub(in crate::table) fn iso_pattern(pattern: &str, ty: Type) -> Option<String> {
    const DATE: &str = "%Y-%m-%d";
    const TIME: &str = "%H:%M:%S%.f";
    let found = type_of_pattern(pattern)?;
    match (ty, found) {
        (Type::Date, Type::Date | Type::Timestamp) => Some(DATE.to_owned()),
        (Type::Time, Type::Time) => Some(TIME.to_owned()),
        (Type::Timestamp, Type::Date | Type::Timestamp) => Some(format!("{DATE} {TIME}")),
        (Type::TimestampTz, Type::Timestamp | Type::TimestampTz) => {
            Some(format!("{DATE} {TIME}{}", zone(pattern).unwrap_or("")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::schema::detect;

    /// A name and the cell of each row.
    type Cells = (&'static str, fn(usize) -> String);

    fn found_types(cells: &[Cells]) -> Vec<Option<Type>> {
        let columns = cells.iter().map(|(name, cell)| {
            let cells: Vec<String> = (0..100).map(cell).collect();
            Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
        });
        let table = Table { columns: columns.collect(), file: Some(Default::default()), ..Table::default() };
        let mut schema = detect(&table);
        schema.find_types(&table);
        schema.columns.iter().map(|column| column.declaration.found).collect()
    }

    #[test]
    fn values_tell_their_type() {
        let found = found_types(&[
            ("price", |i| format!("{}.{:02}", i * 7 % 50, i)),
            ("count", |i| (i * 31 % 97).to_string()),
            ("zip", |i| format!("{:05}", i * 997 % 9000)),
            ("ok", |i| ["yes", "no"][i % 2].to_owned()),
            ("day", |i| format!("2024-01-{:02}", 1 + i % 28)),
            ("at", |i| format!("2024-01-{:02}T10:{:02}:00Z", 1 + i % 28, i % 60)),
            ("clock", |i| format!("{:02}:{:02}", i % 24, i % 60)),
            ("month", |i| format!("2024-{:02}", 1 + i % 12)),
            ("class", |i| ["a", "b"][i % 2].to_owned()),
        ]);
        let types = [Type::Real, Type::Integer, Type::Boolean, Type::Date, Type::TimestampTz, Type::Time];
        let [real, integer, boolean, date, at, time] = types.map(Some);
        assert_eq!(found, [real, integer, None, boolean, date, at, time, None, None]);
    }

    #[test]
    fn zones_are_written_as_iso_has_them() {
        let iso = |pattern: &str| iso_pattern(pattern, Type::TimestampTz);
        assert_eq!(iso("%d.%m.%Y %H:%M UTC").as_deref(), Some("%Y-%m-%d %H:%M:%S%.f+00:00"));
        assert_eq!(iso("%d.%m.%Y %H:%M+03").as_deref(), Some("%Y-%m-%d %H:%M:%S%.f+03"));
        assert_eq!(iso("%Y-%m"), None);
        assert_eq!(iso_pattern("%d-%m-%Y", Type::Date).as_deref(), Some("%Y-%m-%d"));
    }
}
