//! What is put right on the way back: bounds and patterns.

use super::{
    Limits, Rule,
    columns::{made_afresh, position},
    holds,
};
use crate::{
    Error,
    table::{
        Column, Table,
        ids::IdMaker,
        pattern::{Pattern, below},
        schema::TableSchema,
    },
};

/// Numbers below or above what is allowed become the nearest that is.
pub fn limits(limits: &[Limits], schema: &TableSchema, table: &mut Table) {
    for &Limits { column, low, high } in limits {
        let form = &schema.columns[column];
        replace(&mut table.columns[column], |text| {
            let number = form.number(text)?;
            let kept = number.max(low.unwrap_or(number)).min(high.unwrap_or(f64::INFINITY));
            (kept != number).then(|| form.text(kept))
        });
    }
}

/// Puts other texts in the place of those for which `new` has one; it is asked once a distinct text.
fn replace(column: &mut Column, new: impl Fn(&str) -> Option<String>) {
    let texts: Vec<Option<String>> = column.values().iter().map(new).collect();
    if texts.iter().all(Option::is_none) {
        return;
    }
    let mut replaced = Column::new(&column.name, column.declaration.clone());
    for (cell, &number) in column.iter().zip(column.numbers()) {
        let new = texts.get(number as usize).and_then(Option::as_deref);
        replaced.push(new.or(cell));
    }
    *column = replaced;
}

/// Replaces texts that do not match their pattern: identifiers are made by it, others are drawn from those that match.
///
/// # Errors
/// There is no matching text to draw from, or no more identifiers can be made.
pub fn patterns(
    rules: &[Rule],
    schema: &TableSchema,
    table: &mut Table,
    random: &mut dyn FnMut() -> u64,
) -> Result<(), Error> {
    for rule in rules {
        let Rule::Regex { column, pattern } = rule else { continue };
        let Some(at) = position(column, schema) else { continue };
        let form = &schema.columns[at];
        let pattern = Pattern::new(pattern)?;
        let rows = holds::broken(rule, table, table, schema);
        if rows.is_empty() {
            continue;
        }
        let own = &mut table.columns[at];
        if let Some(format) = made_afresh(form) {
            let mut maker = IdMaker::new(format, own.values().iter())?;
            for row in rows {
                own.set(row, Some(&maker.next(random)?));
            }
            continue;
        }
        let good: Vec<String> =
            own.values().iter().filter(|text| pattern.matches(text)).map(str::to_owned).collect();
        if good.is_empty() {
            let why = "none of the new values matches it, and there is none to draw from";
            return Err(Error::bad(format!("rule `{rule}`"), why));
        }
        for row in rows {
            own.set(row, Some(&good[below(random, good.len())]));
        }
    }
    Ok(())
}
