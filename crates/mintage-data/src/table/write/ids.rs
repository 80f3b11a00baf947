//! Identifiers of appended rows: none may be there already.

use std::borrow::Cow;

use super::{
    super::{Column, Table, ids::IdMaker, schema::IdFormat},
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
        if matches!(format, IdFormat::Reference) {
            continue;
        }
        let present = present(&column.name)?;
        let mut ids = IdMaker::new(&continued(format, &present), present.values().iter())?;
        let mut renewed = Column::new(column.name.clone(), column.declaration.clone());
        for cell in column.iter() {
            let id = cell.map(|_| ids.next(how.random)).transpose()?;
            renewed.push(id.as_deref());
        }
        table.to_mut().columns[*place] = renewed;
    }
    Ok(table)
}

/// A counter goes on from the largest number present.
fn continued(format: &IdFormat, present: &Column) -> IdFormat {
    let IdFormat::Counter { prefix, width, .. } = format else { return format.clone() };
    let number = |text: &str| text.strip_prefix(prefix.as_str())?.parse::<i64>().ok();
    let largest = present.values().iter().filter_map(number).max();
    let next = largest.map_or(1, |largest| largest.saturating_add(1));
    IdFormat::Counter { prefix: prefix.clone(), width: *width, next }
}
