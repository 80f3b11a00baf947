//! Texts on their way into columns of SQLite, which makes numbers of them by the type of a column.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::table::{Column, Type};

/// How the texts of a column become values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// As they are: the type of the column in SQLite makes numbers of them.
    Text,
    /// Numbers, in a column that has no type to make them.
    Number,
    /// SQLite has 1 and 0 for true and false.
    Boolean,
}

impl Binding {
    pub fn of(declared: &str, column: &Column) -> Self {
        let is_untyped = matches!(empty_value(declared), Value::Blob(_));
        match column.declaration.found.unwrap_or(column.declaration.ty) {
            Type::Boolean if declared.to_uppercase().contains("BOOL") => Self::Boolean,
            Type::Integer | Type::Real | Type::Decimal if is_untyped => Self::Number,
            _ => Self::Text,
        }
    }

    pub fn value(self, cell: Option<&str>) -> ToSqlOutput<'_> {
        let Some(text) = cell else { return ToSqlOutput::Borrowed(ValueRef::Null) };
        ToSqlOutput::Borrowed(match (self, text) {
            (Self::Boolean, "true" | "t") => ValueRef::Integer(1),
            (Self::Boolean, "false" | "f") => ValueRef::Integer(0),
            (Self::Number, _) => number(text),
            _ => ValueRef::Text(text.as_bytes()),
        })
    }
}

/// A number, or the text as it is where it is none that SQLite has.
fn number(text: &str) -> ValueRef<'_> {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(integer), _) => ValueRef::Integer(integer),
        (_, Ok(real)) if real.is_finite() => ValueRef::Real(real),
        _ => ValueRef::Text(text.as_bytes()),
    }
}

/// What stands in a column that must have a value and gets none, by the rules of SQLite for the names of types
/// (datatype3.html, 3.1). A BLOB for a column without a type.
pub(super) fn empty_value(declared: &str) -> Value {
    let declared = declared.to_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    let is_integer = has(&["INT"]);
    if !is_integer && has(&["CHAR", "CLOB", "TEXT"]) {
        Value::Text(String::new())
    } else if declared.is_empty() || !is_integer && has(&["BLOB"]) {
        Value::Blob(Vec::new())
    } else {
        Value::Integer(0)
    }
}
