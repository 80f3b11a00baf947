//! JSON Lines: an object a row. Numbers, booleans and JSON go in as what they are, if the column is declared
//! so and the cell is one; all else as a string.

use std::io::{self, Write};

use serde_json::value::RawValue;

use super::super::{Column, Table, Type};

pub(super) fn write_lines(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let keys: Vec<String> = table.names().map(quoted).collect();
    // Worked out once a distinct value.
    let values: Vec<Vec<String>> = table.columns.iter().map(values).collect();
    for row in 0..table.rows() {
        for (i, column) in table.columns.iter().enumerate() {
            out.write_all(if i == 0 { b"{" } else { b"," })?;
            out.write_all(keys[i].as_bytes())?;
            out.write_all(b":")?;
            let value = values[i].get(column.numbers()[row] as usize);
            out.write_all(value.map_or("null", String::as_str).as_bytes())?;
        }
        out.write_all(b"}\n")?;
    }
    Ok(())
}

/// The JSON of each distinct value.
fn values(column: &Column) -> Vec<String> {
    column.values().iter().map(|text| value(text, column.declaration.ty)).collect()
}

fn value(text: &str, ty: Type) -> String {
    let is_json = || serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text);
    let is_plain = match ty {
        Type::Integer | Type::Real | Type::Decimal => {
            text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && is_json()
        }
        Type::Boolean => matches!(text, "true" | "false"),
        // A line must stay a line.
        Type::Json => !text.contains(['\n', '\r']) && is_json(),
        _ => false,
    };
    if is_plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
