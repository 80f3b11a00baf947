//! JSON Lines: an object a row. Numbers, booleans and JSON go in as what they are, if the column is of such a type and
//! the cell is one; all else as a string. JSON has no number that is not one: it is null.

use serde_json::value::RawValue;

use super::{
    super::{Column, LineEnd, Table, Type, schema::TableSchema},
    cast::{Cast, casts},
};

/// Rows as lines.
pub(super) struct Lines {
    keys: Vec<String>,
    casts: Vec<Cast>,
    end: LineEnd,
}

impl Lines {
    /// `theirs` are the types of a file that has rows already.
    pub fn new(head: &Table, schema: Option<&TableSchema>, theirs: Option<&Table>) -> Self {
        let ty = |column: &Column| {
            let there = theirs.and_then(|table| table.column(&column.name));
            there.map_or_else(|| column.declaration.value_type(), |there| there.declaration.ty)
        };
        let keys = head.names().map(quoted).collect();
        Self { keys, casts: casts(head, schema, ty), end: LineEnd::default() }
    }

    /// With the line ends of a file that has rows already.
    pub fn ending(self, end: LineEnd) -> Self {
        Self { end, ..self }
    }

    pub fn rows(&self, part: &Table, out: &mut Vec<u8>) {
        // Worked out once a distinct value.
        let columns = part.columns.iter().zip(&self.casts);
        let values: Vec<Vec<String>> = columns.map(|(column, cast)| values(column, cast)).collect();
        for row in 0..part.rows() {
            for (i, column) in part.columns.iter().enumerate() {
                out.push(if i == 0 { b'{' } else { b',' });
                out.extend_from_slice(self.keys[i].as_bytes());
                out.push(b':');
                let value = values[i].get(column.numbers()[row] as usize);
                out.extend_from_slice(value.map_or("null", String::as_str).as_bytes());
            }
            out.push(b'}');
            out.extend_from_slice(self.end.text().as_bytes());
        }
    }
}

/// The JSON of each distinct value.
fn values(column: &Column, cast: &Cast) -> Vec<String> {
    column.values().iter().map(|text| value(text, cast)).collect()
}

fn value(text: &str, cast: &Cast) -> String {
    let Some(mut cell) = cast.text(text) else { return "null".to_owned() };
    if matches!(cast.ty, Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz) {
        // A string, written as its source writes it.
        cell = text.into();
    }
    let is_json = || serde_json::from_str::<&RawValue>(&cell).is_ok_and(|raw| raw.get() == cell);
    let is_plain = match cast.ty {
        Type::Integer | Type::Real | Type::Decimal if cell.eq_ignore_ascii_case("nan") => {
            return "null".to_owned();
        }
        Type::Integer | Type::Real | Type::Decimal => {
            cell.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && is_json()
        }
        Type::Boolean => matches!(&*cell, "true" | "false"),
        // A line must stay a line.
        Type::Json => !cell.contains(['\n', '\r']) && is_json(),
        _ => false,
    };
    if is_plain { cell.into_owned() } else { quoted(&cell) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
