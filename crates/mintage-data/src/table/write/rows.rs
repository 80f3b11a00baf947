//! Rows on their way to a sink, a part at a time, with identifiers that fit there.

use super::{
    super::{
        Column, Table,
        ids::{self, IdMaker},
        schema::IdFormat,
    },
    Writing,
};
use crate::Error;

/// Whole numbers that a column can hold, both ends with it.
pub(super) type IdRange = (i128, i128);

/// What SQLite's integers can hold.
pub(super) const I64_RANGE: IdRange = (i64::MIN as i128, i64::MAX as i128);

/// Rows that come a part at a time: what a sink takes at once is bounded.
pub(super) struct Rows<'a> {
    /// The columns, without rows.
    pub head: &'a Table,
    /// The first part, where it was made before the sink was opened.
    ready: Option<Table>,
    parts: &'a mut dyn Iterator<Item = Result<Table, Error>>,
    renewals: Vec<Renewal>,
    /// Rows given out so far.
    pub written: usize,
    /// What was given out, where somebody wants to see it.
    pub seen: Option<Vec<Table>>,
}

/// Identifiers of a column that are made here.
struct Renewal {
    column: usize,
    maker: IdMaker,
    range: Option<IdRange>,
    /// Otherwise only those that do not fit the range.
    all: bool,
}

impl<'a> Rows<'a> {
    pub fn new(head: &'a Table, parts: &'a mut dyn Iterator<Item = Result<Table, Error>>) -> Self {
        Self { head, ready: None, parts, renewals: Vec::new(), written: 0, seen: None }
    }

    /// Makes the first part, so that nothing is locked meanwhile.
    ///
    /// # Errors
    /// The first part cannot be made.
    pub fn prepare(&mut self) -> Result<(), Error> {
        if self.ready.is_none() {
            self.ready = self.parts.next().transpose()?;
        }
        Ok(())
    }

    /// The first part, if it was made.
    pub fn first(&self) -> Option<&Table> {
        self.ready.as_ref()
    }

    /// Has [`Rows::next`] replace identifiers with others that the sink does not have: `present` reads those that it
    /// has in a column of that name, `range` says what the column can hold.
    ///
    /// # Errors
    /// `present` fails, or the pattern of the identifiers is not a regular expression.
    pub fn renew(
        &mut self,
        how: &Writing,
        mut present: impl FnMut(&str) -> Result<Column, Error>,
        range: impl Fn(&Column) -> Option<IdRange>,
    ) -> Result<(), Error> {
        for (column, format) in made_here(self.head, how) {
            let own = &self.head.columns[column];
            let present = present(&own.name)?;
            let range = range(own);
            let maker = IdMaker::new(&continued(format, &present), present.values().iter())?.within(range);
            let maker = maker.repeating(!own.declaration.unique && !own.declaration.primary_key);
            self.renewals.push(Renewal { column, maker, range, all: true });
        }
        Ok(())
    }

    /// Has [`Rows::next`] replace identifiers that are out of the range of their column in the sink with others within
    /// it.
    ///
    /// # Errors
    /// The pattern of the identifiers is not a regular expression.
    pub fn bound(&mut self, how: &Writing, range: impl Fn(&Column) -> Option<IdRange>) -> Result<(), Error> {
        for (column, format) in made_here(self.head, how) {
            let Some(range) = range(&self.head.columns[column]) else { continue };
            let maker = IdMaker::new(format, std::iter::empty())?.within(Some(range));
            self.renewals.push(Renewal { column, maker, range: Some(range), all: false });
        }
        Ok(())
    }

    /// The next part; nothing after the last one.
    ///
    /// # Errors
    /// The part cannot be made, or no more identifiers can be made for it.
    pub fn next(&mut self, random: &mut dyn FnMut() -> u64) -> Result<Option<Table>, Error> {
        let part = match self.ready.take() {
            Some(part) => Some(part),
            None => self.parts.next().transpose()?,
        };
        let Some(mut part) = part else { return Ok(None) };
        for renewal in &mut self.renewals {
            if let Some(column) = part.columns.get_mut(renewal.column) {
                renewal.apply(column, random)?;
            }
        }
        self.written += part.rows();
        if let Some(seen) = &mut self.seen {
            seen.push(part.clone());
        }
        Ok(Some(part))
    }
}

impl Renewal {
    fn apply(&mut self, column: &mut Column, random: &mut dyn FnMut() -> u64) -> Result<(), Error> {
        let range = self.range;
        let fits = |text: &str| range.is_none_or(|range| ids::fits(text, range));
        if !self.all && column.values().iter().all(fits) {
            column.values().iter().for_each(|text| self.maker.take(text));
            return Ok(());
        }
        let mut renewed = Column::new(column.name.clone(), column.declaration.clone());
        for cell in column.iter() {
            match cell {
                None => renewed.push(None),
                Some(text) if !self.all && fits(text) => {
                    self.maker.take(text);
                    renewed.push(Some(text));
                }
                Some(_) => renewed.push(self.maker.next_cell(random)?.as_deref()),
            }
        }
        *column = renewed;
        Ok(())
    }
}

/// The columns of identifiers that are made, rather than keys of another table, which are not ours to make.
fn made_here<'a>(head: &Table, how: &Writing<'a>) -> impl Iterator<Item = (usize, &'a IdFormat)> {
    let columns = head.columns.len();
    let ids = how.ids.iter().map(|(place, format)| (*place, format));
    ids.filter(move |(place, format)| *place < columns && !matches!(format, IdFormat::Reference))
}

/// A counter goes on from the largest number present.
fn continued(format: &IdFormat, present: &Column) -> IdFormat {
    let IdFormat::Counter { prefix, width, gaps, .. } = format else { return format.clone() };
    let number = |text: &str| text.strip_prefix(prefix.as_str())?.parse::<i64>().ok();
    let largest = present.values().iter().filter_map(number).max();
    let next = largest.map_or(1, |largest| largest.saturating_add(1));
    IdFormat::Counter { prefix: prefix.clone(), width: *width, next, gaps: gaps.clone() }
}
