//! What to know of a source before it is learned: rows that refer to nothing, keys that tell no rows apart, columns whose values
//! stay, and columns that are left empty.

use std::collections::BTreeSet;

use mintage_data::{
    database::{ForeignKey, Schema, Store, Table},
    table::schema::{ColumnSchema, IdFormat, Kind},
};

use super::{
    filled::{Database, Filled, NONE, columns_at, key_of},
    persons::Persons,
    plan::{Kinds, Part, TablePlan},
};
use crate::{dataset::thousands, error::Error};

/// Values that are listed.
const MAX_LISTED: usize = 4;
/// A value of fewer rows may point at one of them.
const FEW_ROWS: u32 = 5;
/// Values of a category that are worth a word where most of them are of few rows.
const MANY_VALUES: usize = 50;
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

/// What to know of the plans: columns that point at persons in tables whose rows are those of the source, and columns that are
/// left empty or have values of few rows in the others.
pub(super) fn of_plans(
    plans: &[TablePlan],
    kinds: &Kinds,
    persons: &[Persons],
    source: &Database,
) -> Vec<String> {
    let is_made =
        |table: &str, column: &str| persons.iter().any(|own| own.table == table && own.makes(column));
    let kept = plans.iter().filter(|plan| plan.part == Part::Kept);
    let warning = |plan: &TablePlan| {
        let found = kinds.get(&plan.name)?;
        let of_people = found.columns.iter().filter(|column| {
            matches!(column.kind, Kind::Id | Kind::Text)
                && column.made_afresh().is_some()
                && plan.number.as_ref() != Some(&column.name)
                && !is_made(&plan.name, &column.name)
        });
        let names: Vec<&str> = of_people.map(|column| column.name.as_str()).collect();
        let said = format!(
            "{}: its rows are kept as they are ({}), with what may point at persons: {}",
            plan.name,
            plan.why,
            names.join(", ")
        );
        (!names.is_empty()).then_some(said)
    };
    let mut all: Vec<String> = kept.filter_map(warning).collect();
    for plan in plans.iter().filter(|plan| plan.part == Part::Learned) {
        let found = kinds.get(&plan.name).map(|found| found.columns.as_slice()).unwrap_or_default();
        let empty =
            found.iter().filter(|column| is_left_empty(plan, column) && !is_made(&plan.name, &column.name));
        all.extend(empty.map(|column| {
            let how = match column.unique {
                true => "differs in every row",
                false => "differs in most rows, or tells of somebody,",
            };
            format!("{}: `{}` {how} and is left empty", plan.name, column.name)
        }));
        let categories =
            found.iter().filter(|column| column.kind == Kind::Category && plan.own.contains(&column.name));
        let rare = categories.filter(|column| !is_made(&plan.name, &column.name)).filter_map(|column| {
            let counts = source.get(&plan.name)?.table.column(&column.name)?.counts();
            let rare = counts.iter().filter(|&&rows| rows < FEW_ROWS).count();
            let said = format!(
                "{}: {rare} of {} values of `{}` are in fewer than {FEW_ROWS} rows each, and come back as they are; \
                 `rare = \"group\"` of [data] in a recipe leaves them out",
                plan.name,
                counts.len(),
                column.name
            );
            (counts.len() >= MANY_VALUES && rare * 2 >= counts.len()).then_some(said)
        });
        all.extend(rare);
    }
    all
}

/// Whether a column holds what only a program reads, of which none can be made of the parts of others.
fn is_left_empty(plan: &TablePlan, column: &ColumnSchema) -> bool {
    let has_filler = matches!(column.made_afresh(), Some(IdFormat::Empty { filler }) if !filler.is_empty());
    has_filler
        && column.kind == Kind::Text
        && plan.own.contains(&column.name)
        && !plan.copied.iter().any(|copied| copied.column == column.name)
}

/// The rows in which all columns of a key have a value.
fn there(key: &ForeignKey, filled: &Filled) -> Vec<usize> {
    let Some(columns) = columns_at(&filled.table, &key.columns) else { return Vec::new() };
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
