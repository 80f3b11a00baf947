//! A new database that is drawn part by part, so that any number of rows takes no more memory than one part.
//!
//! Each part is drawn as a whole database would be, of a share of the rows that all others follow from (`cut.rs`), with a seed
//! of its own and with what it must know of the parts before (`before.rs`). Tables that are kept, and those that come once,
//! come with the first part. They stay in memory as they were written, and rows of later parts refer to them.

use std::{borrow::Cow, mem};

use mintage_data::Table;
use mintage_nn::Rng;

use super::{
    DatabaseModel, DatabaseRequest,
    before::{Before, Made},
    cut::Cut,
    draw,
    filled::{Database, NONE},
    plan::Part,
    request::number_rows,
    slice::Slice,
};
use crate::error::Error;

/// The parts of a new database, one after another.
pub struct DatabaseParts<'a> {
    model: &'a DatabaseModel,
    request: DatabaseRequest,
    cut: Cut,
    /// Of the part that comes next.
    before: Before,
    /// Tables that came with the first part.
    there: Database,
}

/// Draws rows for all tables at once.
///
/// # Errors
/// A model is damaged, or cannot draw such rows.
pub(super) fn whole(
    model: &DatabaseModel,
    request: &DatabaseRequest,
    on: &mut dyn FnMut(&str, usize),
) -> Result<Vec<Table>, Error> {
    let mut made = draw::draw(model, request, &Before::default(), draw::kept(model), on)?;
    Ok(tables(model, |table| Some(made.remove(table)?.table)))
}

/// The new rows of all tables that have any, as `rows_of` gives them.
fn tables(model: &DatabaseModel, mut rows_of: impl FnMut(&str) -> Option<Table>) -> Vec<Table> {
    let plans = model.plans.iter().filter(|plan| plan.part != Part::Empty);
    let table = |name: &str| Some(draw::finished(model.schema.table(name)?, rows_of(name)?));
    plans.map(|plan| plan.name.as_str()).filter_map(table).collect()
}

impl<'a> DatabaseParts<'a> {
    /// The parts of a request that may be met.
    ///
    /// # Errors
    /// It asks for more rows that belong together than can be held, or a model is damaged.
    pub(super) fn of(model: &'a DatabaseModel, request: &DatabaseRequest) -> Result<Self, Error> {
        let cut = Cut::of(&model.schema, &model.plans, request)?;
        let slice = Slice { at: 0, of: cut.parts };
        let before = Before { slice, cut: cut.tables.clone(), ..Before::default() };
        let mut parts = Self { model, request: request.clone(), cut, before, there: Database::new() };
        if parts.total() > 1 {
            parts.watch()?;
            parts.take_given();
        }
        Ok(parts)
    }

    /// How many parts there are.
    pub fn total(&self) -> usize {
        self.cut.parts
    }

    /// How often [`next_tables`](Self::next_tables) tells of a table in all.
    pub fn steps(&self) -> usize {
        let (all, cut) = (self.model.plans.len(), self.cut.tables.len());
        all + cut * (self.cut.parts - 1)
    }

    /// Draws the next part: new rows for all tables, of tables that came with the first part none again. Nothing after the
    /// last. `on` is told of each table when it is drawn.
    ///
    /// # Errors
    /// A model is damaged, or cannot draw such rows. Then no further part can be drawn.
    pub fn next_tables(&mut self, on: &mut dyn FnMut(&str, usize)) -> Result<Option<Vec<Table>>, Error> {
        let slice = self.before.slice;
        if slice.at >= slice.of {
            return Ok(None);
        }
        let made = match slice.at {
            0 => draw::kept(self.model),
            _ => mem::take(&mut self.there),
        };
        let mut made = draw::draw(self.model, &self.part(), &self.before, made, on)?;
        let before = &self.before;
        let is_cut = |table: &str| slice.of == 1 || before.cut.contains(table);
        let tables = tables(self.model, |table| match (is_cut(table), before.has_all(table)) {
            (true, _) => Some(made.remove(table)?.table),
            (false, false) => Some(made.get(table)?.table.clone()),
            (false, true) => None,
        });
        self.before.slice.at += 1;
        if self.before.slice.at < slice.of {
            for table in &tables {
                self.before.add(&table.name, table);
            }
            self.there = self.without_cut_parents(made);
        }
        Ok(Some(tables))
    }

    /// The request for the part that comes next.
    fn part(&self) -> Cow<'_, DatabaseRequest> {
        let (slice, whole) = (self.before.slice, &self.request);
        if slice.of == 1 {
            return Cow::Borrowed(whole);
        }
        let range = |table: &str, n: usize| match self.before.cut.contains(table) {
            true => slice.range(n),
            false if slice.at == 0 => 0..n,
            false => 0..0,
        };
        let rows = self.cut.roots.iter().map(|(table, n)| (table.clone(), range(table, *n).len()));
        let given = whole.given.iter().map(|(table, rows)| {
            let own: Vec<u32> = range(table, rows.rows()).map(|row| row as u32).collect();
            (table.clone(), rows.select(&own))
        });
        Cow::Owned(DatabaseRequest {
            scale: whole.scale / slice.of as f64,
            seed: Rng::new(whole.seed, slice.at as u64).next_u64(),
            temperature: whole.temperature,
            rows: rows.collect(),
            conditions: whole.conditions.clone(),
            given: given.collect(),
            part_cells: whole.part_cells,
        })
    }

    /// Watches the values that must differ over all parts.
    fn watch(&mut self) -> Result<(), Error> {
        let model = self.model;
        let plans = model.plans.iter().enumerate();
        for (at, plan) in plans.filter(|(_, plan)| self.cut.tables.contains(&plan.name)) {
            let Some(table) = model.schema.table(&plan.name) else { continue };
            let (mut distinct, mut others) = (Vec::new(), Vec::new());
            for persons in model.persons.iter().filter(|persons| persons.table == plan.name) {
                let (own, more) = persons.distinct();
                distinct.extend(own);
                others.extend(more);
            }
            let keys = model.keys.iter().filter(|key| key.table == plan.name);
            distinct.extend(keys.map(|key| key.column.as_str()));
            let of_table = model.table(at)?;
            let (_, codec) = of_table.rows()?;
            self.before.taken.watch(plan, table, codec.rules.own(), &Made { distinct, others });
        }
        Ok(())
    }

    /// Numbers given rows that have no number of their own: those of one part do not know the others'. What is given is taken.
    fn take_given(&mut self) {
        for (table, rows) in &mut self.request.given {
            let plan = self.model.plans.iter().find(|plan| plan.name == *table);
            if let Some((plan, number)) = plan.and_then(|plan| Some((plan, plan.number.as_ref()?)))
                && rows.column(number).is_some()
            {
                let n = rows.rows();
                number_rows(rows, number, n, plan.number_from);
            }
            self.before.taken.add(table, rows);
        }
    }

    /// Tables that came with the first part, to be referred to from later ones. Rows of kept tables may refer to rows of a
    /// part, which are no longer there.
    fn without_cut_parents(&self, mut there: Database) -> Database {
        for table in &self.model.schema.tables {
            let Some(filled) = there.get_mut(&table.name) else { continue };
            let keys = table.foreign_keys.iter().zip(&mut filled.parents);
            keys.filter(|(key, _)| self.cut.tables.contains(&key.parent))
                .for_each(|(_, parents)| parents.fill(NONE));
        }
        there
    }
}
