//! Identifiers of appended rows: none may be there already.

use std::borrow::Cow;

use super::{
    super::{Column, Table, schema::IdFormat},
    Writing,
};
use crate::Error;

/// The table with new identifiers in the columns `how.ids`. `present` gives the identifiers that the target
/// has in a column of that name.
pub(super) fn afresh<'a>(
    table: &'a Table,
    how: &mut Writing,
    mut present: impl FnMut(&str) -> Result<Column, Error>,
) -> Result<Cow<'a, Table>, Error> {
    let mut table = Cow::Borrowed(table);
    for (place, format) in how.ids {
        let Some(column) = table.columns.get(*place) else { continue };
        // A key of another table is not ours to make.
        if !matches!(format, IdFormat::Counter { .. }) {
            continue;
        }
        let renewed = counted_on(column, &present(&column.name)?);
        table.to_mut().columns[*place] = renewed;
    }
    Ok(table)
}

/// The column with numbers that go on from the largest one present.
fn counted_on(column: &Column, present: &Column) -> Column {
    let largest = present.values().iter().filter_map(|text| text.parse::<i64>().ok()).max();
    let mut next = largest.map_or(1, |largest| largest.saturating_add(1));
    let mut renewed = Column::new(column.name.clone(), column.declaration.clone());
    for cell in column.iter() {
        renewed.push(cell.map(|_| next.to_string()).as_deref());
        next = next.saturating_add(1);
    }
    renewed
}
