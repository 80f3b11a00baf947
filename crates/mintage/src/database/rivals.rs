//! What speaks against a further parent for a row: a cell that another key has set, a key that another row has.

use std::collections::HashSet;

use mintage_data::{
    Table,
    database::{ForeignKey, Table as TableSchema},
};

use super::filled::Filled;

/// What speaks against a parent for a row: cells that another key has set, and keys that are taken.
pub(super) struct Rivals<'a> {
    filled: &'a Filled,
    parent: &'a Filled,
    /// Columns of the key that are set already, with those of the parent.
    set: Vec<(usize, usize)>,
    /// Keys of the table that this one completes.
    keys: Vec<Completed>,
}

/// A key of a table, partly of its own columns, partly of those of a parent.
struct Completed {
    columns: Vec<Place>,
    taken: HashSet<Vec<String>>,
}

/// Where a column of a key is.
#[derive(Clone, Copy)]
enum Place {
    Own(usize),
    OfParent(usize),
}

impl<'a> Rivals<'a> {
    /// Of a key of `table`, whose rows are `filled`, to the rows of `parent`.
    pub fn new(table: &TableSchema, filled: &'a Filled, parent: &'a Filled, foreign: &ForeignKey) -> Self {
        let at = |table: &Table, name: &str| table.columns.iter().position(|column| column.name == name);
        let pairs: Vec<(&String, &String)> = foreign.columns.iter().zip(&foreign.parent_columns).collect();
        let set = pairs
            .iter()
            .filter_map(|(own, theirs)| Some((at(&filled.table, own)?, at(&parent.table, theirs)?)));
        let place = |name: &String| {
            let theirs =
                pairs.iter().find(|(own, _)| *own == name).and_then(|(_, theirs)| at(&parent.table, theirs));
            theirs.map(Place::OfParent).or_else(|| at(&filled.table, name).map(Place::Own))
        };
        let completes = |set: &&Vec<String>| set.iter().any(|name| foreign.columns.contains(name));
        let keys = table.unique_sets().filter(completes).filter_map(|set| set.iter().map(place).collect());
        Self {
            filled,
            parent,
            set: set.collect(),
            keys: keys.map(|columns| Completed { columns, taken: HashSet::new() }).collect(),
        }
    }

    /// Of a table whose rows refer to each other the cells of a row in those columns of the key that are set already and that
    /// it refers to as well: rows have them in common with their parents.
    pub fn shared(&self, row: u32) -> Vec<Option<&'a str>> {
        let same = self.set.iter().filter(|(own, theirs)| own == theirs);
        same.map(|&(own, _)| self.filled.table.columns[own].cell(row as usize)).collect()
    }

    /// Whether a parent has the cells of a row that are set already.
    pub fn fits(&self, row: u32, parent: u32) -> bool {
        let own = |column: usize| self.filled.table.columns[column].cell(row as usize);
        let theirs = |column: usize| self.parent.table.columns[column].cell(parent as usize);
        self.set.iter().all(|&(a, b)| own(a).is_none_or(|cell| Some(cell) == theirs(b)))
    }

    /// Whether a row may have a parent; then it has it.
    pub fn may(&mut self, row: u32, parent: u32) -> bool {
        if !self.fits(row, parent) {
            return false;
        }
        let own = |column: usize| self.filled.table.columns[column].cell(row as usize);
        let theirs = |column: usize| self.parent.table.columns[column].cell(parent as usize);
        let tuples: Vec<Option<Vec<String>>> = self
            .keys
            .iter()
            .map(|key| {
                let cell = |place: &Place| match *place {
                    Place::Own(column) => own(column),
                    Place::OfParent(column) => theirs(column),
                };
                key.columns.iter().map(|column| cell(column).map(str::to_owned)).collect()
            })
            .collect();
        let is_taken = |(tuple, key): (&Option<Vec<String>>, &Completed)| {
            tuple.as_ref().is_some_and(|tuple| key.taken.contains(tuple))
        };
        if tuples.iter().zip(&self.keys).any(is_taken) {
            return false;
        }
        for (tuple, key) in tuples.into_iter().zip(&mut self.keys) {
            key.taken.extend(tuple);
        }
        true
    }
}
