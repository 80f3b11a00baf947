//! Types of PostgreSQL for columns of other stores: what is declared, where all values are of it.
//!
//! SQLite declares types and takes anything; a file declares nothing that binds. So a column is a date where it is called one
//! and every text in it is one, and TEXT where nothing narrower holds all of its values.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::{
    database::{Schema, write::Rows},
    table::{Column, schema::is_uuid},
};

/// The types of all columns of a schema, by table and column.
pub(super) struct Types(HashMap<(String, String), String>);

impl Types {
    /// A type for every column that holds its values; keys get the type of what they refer to.
    pub fn of(schema: &Schema, all: &[Rows]) -> Self {
        let cells = |table: &str, column: &str| {
            all.iter().find(|rows| rows.table == table).and_then(|rows| rows.rows.column(column))
        };
        let mut types = Self(HashMap::new());
        for table in &schema.tables {
            for column in &table.columns {
                let ty = translated(&column.ty, cells(&table.name, &column.name));
                types.set(&table.name, &column.name, ty);
            }
        }
        // A chain of keys is as long as there are keys, at most.
        for _ in 0..schema.keys().count() {
            let mut changed = false;
            for (table, key) in schema.keys() {
                for (own, theirs) in key.columns.iter().zip(&key.parent_columns) {
                    changed |=
                        types.agree((&table.name, own), (&key.parent, theirs), cells(&table.name, own));
                }
            }
            if !changed {
                break;
            }
        }
        types
    }

    /// Those of PostgreSQL, as it calls them.
    pub fn native(schema: &Schema) -> Self {
        let mut types = Self(HashMap::new());
        for table in &schema.tables {
            for column in &table.columns {
                types.set(&table.name, &column.name, column.ty.clone());
            }
        }
        types
    }

    pub fn set(&mut self, table: &str, column: &str, ty: String) {
        self.0.insert((table.to_owned(), column.to_owned()), ty);
    }

    pub fn get(&self, table: &str, column: &str) -> &str {
        let ty = self.0.get(&(table.to_owned(), column.to_owned()));
        ty.map_or("text", String::as_str)
    }

    /// Gives a column of a key the type of the column that it refers to, or both TEXT where its values are not of that.
    fn agree(&mut self, child: (&str, &str), parent: (&str, &str), cells: Option<&Column>) -> bool {
        let wanted = self.get(parent.0, parent.1).to_owned();
        if wanted == self.get(child.0, child.1) {
            return false;
        }
        let fits = holds_all(&wanted, cells);
        let ty = if fits { wanted } else { "text".to_owned() };
        if !fits {
            self.set(parent.0, parent.1, ty.clone());
        }
        self.set(child.0, child.1, ty);
        true
    }
}

/// The first type that holds all cells, of those that what is declared may mean.
fn translated(declared: &str, cells: Option<&Column>) -> String {
    let fits = |ty: &&String| holds_all(ty, cells);
    meanings(declared).iter().find(fits).cloned().unwrap_or_else(|| "text".to_owned())
}

/// The types that a declared one may mean, the narrowest first (SQLite's rules for names, datatype3.html, 3.1, and the
/// words that its users have for dates and the like).
fn meanings(declared: &str) -> Vec<String> {
    let name = declared.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let types: &[&str] = match () {
        () if has(&["bool"]) => &["boolean", "bigint"],
        () if has(&["uuid", "guid"]) => &["uuid"],
        () if has(&["json"]) => &["jsonb"],
        () if has(&["timestamptz", "with time zone"]) => &["timestamptz", "timestamp"],
        () if has(&["datetime", "timestamp"]) => &["timestamp", "timestamptz"],
        () if has(&["date"]) => &["date", "timestamp", "timestamptz"],
        () if has(&["time"]) => &["time"],
        () if has(&["int"]) => &["bigint", "numeric"],
        () if has(&["char", "clob", "text", "string"]) => &[],
        () if has(&["real", "floa", "doub"]) => &["double precision"],
        () if has(&["dec", "num"]) => &["numeric"],
        () if has(&["blob", "binary"]) => &["bytea"],
        () => &["bigint", "double precision"],
    };
    let scaled = name.split_once('(').and_then(|(_, size)| size.split_once(')')).map(|(size, _)| size);
    let scaled = scaled.filter(|_| types == ["numeric"]).and_then(precision);
    let scaled = scaled.map(|(digits, scale)| format!("numeric({digits},{scale})"));
    scaled.into_iter().chain(types.iter().map(|&ty| ty.to_owned())).collect()
}

/// "10, 2".
fn precision(size: &str) -> Option<(usize, usize)> {
    let (digits, scale) = size.split_once(',').unwrap_or((size, "0"));
    let (digits, scale) = (digits.trim().parse().ok()?, scale.trim().parse().ok()?);
    (1..=1000).contains(&digits).then_some((digits, scale)).filter(|_| scale <= digits)
}

fn holds_all(ty: &str, cells: Option<&Column>) -> bool {
    match cells {
        // Bytes are of no row that is written.
        Some(cells) => cells.values().iter().all(|text| holds(ty, text)),
        None => true,
    }
}

/// Whether a text is a value of a type as PostgreSQL reads it, without losing any of it.
fn holds(ty: &str, text: &str) -> bool {
    match ty {
        "text" => true,
        "boolean" => matches!(text, "true" | "false" | "t" | "f" | "1" | "0"),
        "bigint" => whole(text).parse::<i64>().is_ok(),
        "double precision" => text.parse::<f64>().is_ok(),
        "numeric" => text.parse::<f64>().is_ok_and(f64::is_finite),
        "date" => text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "time" => is_time(text),
        "timestamp" => is_timestamp(text),
        "timestamptz" => is_timestamp(text) || has_zone(text),
        "uuid" => is_uuid(text),
        "jsonb" => serde_json::from_str::<serde_json::Value>(text).is_ok() && !text.contains("\\u0000"),
        "bytea" => false,
        _ => ty
            .strip_prefix("numeric(")
            .and_then(|size| size.strip_suffix(')'))
            .and_then(precision)
            .is_some_and(|(digits, scale)| has_digits(text, digits - scale, scale)),
    }
}

/// "7" of "7.00".
fn whole(text: &str) -> &str {
    let zeros = text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|byte| byte == b'0'));
    zeros.map_or(text, |(whole, _)| whole)
}

fn is_time(text: &str) -> bool {
    ["%H:%M:%S%.f", "%H:%M"].iter().any(|form| NaiveTime::parse_from_str(text, form).is_ok())
}

fn is_timestamp(text: &str) -> bool {
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    holds("date", text) || forms.iter().any(|form| NaiveDateTime::parse_from_str(text, form).is_ok())
}

fn has_zone(text: &str) -> bool {
    let forms = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"];
    forms.iter().any(|form| DateTime::parse_from_str(text, form).is_ok())
}

/// Whether a number has so many digits before its point and behind it, at most.
fn has_digits(text: &str, before: usize, behind: usize) -> bool {
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    !number.is_empty()
        && is_number(whole)
        && is_number(fraction)
        && whole.trim_start_matches('0').len() <= before
        && fraction.trim_end_matches('0').len() <= behind
}

/// What stands in a column of PostgreSQL that must have a value and gets none.
pub(super) fn empty_text(base_type: &str) -> &'static str {
    match base_type {
        "smallint" | "integer" | "bigint" | "real" | "double precision" | "numeric" | "interval"
        | "money" => "0",
        "boolean" => "false",
        "date" => "1970-01-01",
        "time without time zone" | "time with time zone" => "00:00:00",
        "timestamp without time zone" | "timestamp with time zone" => "1970-01-01 00:00:00",
        "uuid" => "00000000-0000-0000-0000-000000000000",
        "json" | "jsonb" => "{}",
        list if list.ends_with("[]") => "{}",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(declared: &str, cells: &[&str]) -> String {
        translated(declared, Some(&Column::of("x", cells.iter().map(|cell| Some(*cell)))))
    }

    #[test]
    fn a_column_is_what_it_declares_where_its_values_are() {
        assert_eq!(ty("INTEGER", &["1", "7.0"]), "bigint");
        assert_eq!(ty("INT", &["1", "x"]), "text");
        assert_eq!(ty("NUMERIC(5, 2)", &["123.40", "-1"]), "numeric(5,2)");
        assert_eq!(ty("DECIMAL(5,2)", &["1234.5"]), "numeric");
        assert_eq!(ty("VARCHAR(3)", &["longer"]), "text");
        assert_eq!(ty("BOOLEAN", &["1", "false"]), "boolean");
        assert_eq!(ty("BOOLEAN", &["1", "2"]), "bigint");
        assert_eq!(ty("DATE", &["2024-02-29"]), "date");
        assert_eq!(ty("DATE", &["2023-02-29"]), "text");
        assert_eq!(ty("DATETIME", &["2024-02-29 12:00:00", "2024-01-01"]), "timestamp");
        assert_eq!(ty("DATETIME", &["2024-02-29T12:00:00+03:00"]), "timestamptz");
        assert_eq!(ty("", &["1", "2.5"]), "double precision");
        assert_eq!(translated("BLOB", None), "bytea");
    }
}
