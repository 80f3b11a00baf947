//! What to know of the keys of a source before it is learned: rows that refer to nothing, keys that tell no rows apart.

use std::collections::BTreeSet;

use mintage_data::database::{ForeignKey, Schema, Store, Table};

use super::filled::{Database, Filled, NONE, key_of};
use crate::{dataset::thousands, error::Error};

/// Values that are listed.
const MAX_LISTED: usize = 4;
/// A column that is called like a key and of which one value in so many is there twice is meant to be one.
const MAX_REPEATED: usize = 10;

/// Notes on the keys of all tables.
///
/// # Errors
/// Rows whose key may not be left open refer to a table that is not said.
pub(super) fn of_keys(schema: &Schema, source: &Database) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    for table in &schema.tables {
        let Some(filled) = source.get(&table.name) else { continue };
        for (at, key) in table.foreign_keys.iter().enumerate() {
            notes.extend(lost(table, key, filled, &filled.parents[at]));
            let is_first = table.foreign_keys[..at].iter().all(|other| other.columns != key.columns);
            if is_first {
                notes.extend(of_no_table(table, key, filled)?);
            }
        }
        if schema.store == Store::Files {
            notes.extend(repeated(table, filled));
        }
    }
    Ok(notes)
}

/// The rows in which all columns of a key have a value.
fn there(key: &ForeignKey, filled: &Filled) -> Vec<usize> {
    let at = |name: &String| filled.table.columns.iter().position(|column| &column.name == name);
    let Some(columns) = key.columns.iter().map(at).collect::<Option<Vec<usize>>>() else { return Vec::new() };
    (0..filled.rows()).filter(|&row| key_of(&filled.table, &columns, row).is_some()).collect()
}

/// Rows that refer to nothing.
fn lost(table: &Table, key: &ForeignKey, filled: &Filled, parents: &[u32]) -> Option<String> {
    let rows = there(key, filled);
    let lost = rows.iter().filter(|&&row| parents[row] == NONE && filled.is_meant(key, row)).count();
    let becomes = if key.optional { "new rows of these leave it open" } else { "all new rows refer to one" };
    (lost > 0).then(|| {
        format!(
            "{}: {} of {} rows refer by `{}` to no row of `{}`: {becomes}",
            table.name,
            thousands(lost),
            thousands(filled.rows()),
            key.columns.join(", "),
            key.parent
        )
    })
}

/// Rows whose key leads to none of several tables, by the value that says to which.
fn of_no_table(table: &Table, key: &ForeignKey, filled: &Filled) -> Result<Option<String>, Error> {
    let Some(only) = &key.only else { return Ok(None) };
    let all = table.foreign_keys.iter().filter(|other| other.columns == key.columns);
    let known: Vec<&str> =
        all.filter_map(|other| other.only.as_ref()).map(|only| only.value.as_str()).collect();
    let told = filled.table.column(&only.column);
    let value = |row: usize| told.and_then(|told| told.cell(row));
    let is_known = |row: usize| value(row).is_some_and(|value| known.contains(&value));
    let rows: Vec<usize> = there(key, filled).into_iter().filter(|&row| !is_known(row)).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let others: BTreeSet<&str> = rows.iter().map(|&row| value(row).unwrap_or("no value")).collect();
    let mut listed: Vec<&str> = others.iter().take(MAX_LISTED).copied().collect();
    listed.extend((others.len() > MAX_LISTED).then_some("…"));
    let (name, columns, by) = (&table.name, key.columns.join(", "), &only.column);
    let what = format!(
        "{name}: in {} rows `{by}` says of no table that `{columns}` refers to ({})",
        thousands(rows.len()),
        listed.join(", ")
    );
    match key.optional {
        true => Ok(Some(format!("{what}: new rows of these leave it open"))),
        false => Err(Error::request(format!("{what}, and none may leave it open"))
            .with_hint("list them among the `parents` of the key")),
    }
}

/// A column of a file that would be the key, if its values did not repeat.
fn repeated(table: &Table, filled: &Filled) -> Option<String> {
    if !table.primary_key.is_empty() {
        return None;
    }
    let of = table.name.to_lowercase();
    let one = of.strip_suffix('s').unwrap_or(&of);
    let names = ["id".to_owned(), format!("{of}_id"), format!("{one}_id"), format!("{one}id")];
    let column = filled.table.columns.iter().find(|column| names.contains(&column.name.to_lowercase()))?;
    let counts = column.counts();
    let repeated = counts.iter().filter(|&&rows| rows > 1).count();
    (repeated > 0 && repeated * MAX_REPEATED <= counts.len()).then(|| {
        format!(
            "{}: `{}` tells no rows apart, since {} of its values are in several rows: nothing can refer to it",
            table.name,
            column.name,
            thousands(repeated)
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{
        filled::numbers,
        testing::{key, planned, table},
    };

    #[test]
    fn what_becomes_of_rows_that_refer_to_nothing_is_said() {
        for (is_optional, becomes) in
            [(true, "new rows of these leave it open"), (false, "all new rows refer to one")]
        {
            let firms = vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
            let staff = vec![numbers("id", 1..=25), numbers("firm", 1..=25)];
            let staff = table("staff", vec![key("firm", "firms", "id", is_optional)], staff);
            let (schema, source, _) = planned(vec![table("firms", Vec::new(), firms), staff]);
            let said = format!("staff: 5 of 25 rows refer by `firm` to no row of `firms`: {becomes}");
            assert_eq!(of_keys(&schema, &source).unwrap(), [said]);
        }
    }
}
