//! Tables that hold all there is of something: a calendar with a row a day, and all combinations of a few categories. A new
//! row of one could only be wrong or there already. They are looked for where other tables refer to them.

use super::{Error, Table, Values, names::is_time, text::count};
use crate::table::{Type, declared_type};

/// Rows of such a table: of fewer it is chance, and more take long to count and to keep.
const MIN_ROWS: u64 = 12;
const MAX_ROWS: u64 = 100_000;
/// Days of a calendar, at least: a few days in a row have something else to say.
const MIN_DAYS: u64 = 60;
/// Columns of a table of combinations, at most.
const MAX_COLUMNS: usize = 12;
/// Columns of it that differ and refer to nothing, at least.
const MIN_CATEGORIES: usize = 2;

/// Why new rows of a table could only be wrong; nothing where they could be right, or where nobody knows.
///
/// # Errors
/// The values cannot be read.
pub(super) fn reason(table: &Table, values: &mut dyn Values) -> Result<Option<String>, Error> {
    if !(MIN_ROWS..=MAX_ROWS).contains(&table.rows) {
        return Ok(None);
    }
    match calendar(table, values)? {
        Some(why) => Ok(Some(why)),
        None => combinations(table, values),
    }
}

/// A date in each row, each of them once, from a first to a last one without a gap. What is measured each day has numbers with
/// a point, which a calendar has not.
fn calendar(table: &Table, values: &mut dyn Values) -> Result<Option<String>, Error> {
    let is_measured = |ty: &str| matches!(declared_type(ty), Some(Type::Real | Type::Decimal));
    if table.rows < MIN_DAYS || table.columns.iter().any(|column| is_measured(&column.ty)) {
        return Ok(None);
    }
    for column in table.columns.iter().filter(|column| is_time(column) && !table.is_foreign(&column.name)) {
        if values.days(&table.name, column)?.is_some_and(|(days, span)| (days, span) == (table.rows, days)) {
            let days = count(table.rows, "day");
            return Ok(Some(format!("a calendar: its {days} in {} follow each other", column.name)));
        }
    }
    Ok(None)
}

/// As many rows as there are combinations of the values of its columns, and none of them twice.
fn combinations(table: &Table, values: &mut dyn Values) -> Result<Option<String>, Error> {
    if table.columns.len() > MAX_COLUMNS {
        return Ok(None);
    }
    let (mut columns, mut product, mut categories): (Vec<String>, u64, usize) = (Vec::new(), 1, 0);
    for column in table.columns.iter().filter(|column| !table.is_key(&column.name)) {
        let Some(distinct) = values.distinct(&table.name, &column.name)? else { return Ok(None) };
        // A number of the rows that is not declared as their key.
        if distinct == table.rows && declared_type(&column.ty) == Some(Type::Integer) {
            continue;
        }
        product = product.saturating_mul(distinct);
        if product == 0 || product > table.rows {
            return Ok(None);
        }
        if distinct > 1 {
            categories += usize::from(!table.is_foreign(&column.name));
            columns.push(column.name.clone());
        }
    }
    if product != table.rows || categories < MIN_CATEGORIES {
        return Ok(None);
    }
    let own = (table.name.as_str(), columns.as_slice());
    let counts = values.contained_together(own, own)?;
    let is_each_once = counts.is_some_and(|counts| counts.distinct == table.rows);
    Ok(is_each_once.then(|| format!("its rows are all combinations of {}", columns.join(", "))))
}
