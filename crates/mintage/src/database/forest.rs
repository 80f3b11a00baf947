//! Keys of a table to itself: forests of the depths that were drawn with the rows.

use std::{cmp::Reverse, collections::BTreeMap};

use mintage_data::database::{ForeignKey, Table as TableSchema};
use mintage_nn::Rng;

use super::{
    assign::{scaled, shuffle},
    filled::{Filled, NONE},
    rivals::Rivals,
    slice::Slice,
};

/// Parents that a row tries before it is left without.
const MAX_TRIES: usize = 1000;

/// The rows of a table that look for parents among each other.
pub(super) struct Forest<'a> {
    /// How deep each row lies.
    depths: Vec<u32>,
    rivals: Rivals<'a>,
    /// How many children each row is to have.
    quotas: Vec<u32>,
    /// No two rows may have the same parent.
    is_one: bool,
    /// A row may have none.
    is_optional: bool,
    found: Vec<u32>,
}

impl<'a> Forest<'a> {
    /// Of a key of `table`, whose rows are `filled` with their depths in a column of that name, to itself.
    pub fn new(
        table: &TableSchema,
        (filled, depth): (&'a Filled, &str),
        foreign: &ForeignKey,
        quotas: Vec<u32>,
    ) -> Self {
        let depth_of =
            |row: u32| filled.cell(depth, row).and_then(|cell| cell.parse::<u32>().ok()).unwrap_or(0);
        Self {
            depths: (0..filled.rows() as u32).map(depth_of).collect(),
            rivals: Rivals::new(table, filled, filled, foreign),
            quotas,
            is_one: table.tells_apart(&foreign.columns),
            is_optional: foreign.optional,
            found: vec![NONE; filled.rows()],
        }
    }

    /// For each row its parent, which lies a step less deep, or [`NONE`] for roots. Where every row must refer to one, roots
    /// refer to themselves.
    pub fn grow(mut self, rng: &mut Rng) -> Vec<u32> {
        for levels in self.groups() {
            if !self.is_optional {
                levels.iter().take(1).flatten().for_each(|&row| {
                    self.take(row, row);
                });
            }
            for at in 1..levels.len() {
                let slots = self.slots(&levels[at - 1], levels[at].len(), rng);
                self.fill(&levels[at], slots);
                if !self.is_optional {
                    self.settle(&levels[at], &levels[..at]);
                }
            }
            // Roots that may not have themselves.
            if !self.is_optional && !levels.is_empty() {
                self.settle(&levels[0], &[]);
            }
        }
        self.found
    }

    /// Rows that have the same cells in those columns of the key that are set already, since none refers to one with others;
    /// of each group the rows by their depths, the roots first. A depth that no row has is left out, or those below it would
    /// hang in the air.
    fn groups(&self) -> Vec<Vec<Vec<u32>>> {
        let mut groups: BTreeMap<Vec<Option<&str>>, BTreeMap<u32, Vec<u32>>> = BTreeMap::new();
        for (row, &depth) in self.depths.iter().enumerate() {
            let levels = groups.entry(self.rivals.shared(row as u32)).or_default();
            levels.entry(depth).or_default().push(row as u32);
        }
        groups.into_values().map(|levels| levels.into_values().collect()).collect()
    }

    /// Parents of a level as often as they are to be found by `n` children, in a random order.
    fn slots(&self, parents: &[u32], n: usize, rng: &mut Rng) -> Vec<u32> {
        let quota = |&row: &u32| self.quotas[row as usize];
        let shares = match self.is_one {
            true => vec![1; parents.len()],
            false => scaled(&parents.iter().map(quota).collect::<Vec<u32>>(), n, Slice::WHOLE),
        };
        let slots = parents.iter().zip(shares).flat_map(|(&row, n)| std::iter::repeat_n(row, n as usize));
        let mut slots: Vec<u32> = slots.collect();
        shuffle(&mut slots, rng);
        if self.is_one {
            // Those that were drawn with a child have one first.
            slots.sort_by_key(|row| Reverse(quota(row).min(1)));
        }
        slots
    }

    /// Gives each row the first of the slots that it may have.
    fn fill(&mut self, rows: &[u32], mut slots: Vec<u32>) {
        let mut next = 0;
        for &row in rows {
            let mut open = next..slots.len().min(next + MAX_TRIES);
            if let Some(slot) = open.find(|&slot| self.take(row, slots[slot])) {
                slots.swap(next, slot);
                next += 1;
            }
        }
    }

    /// Rows that must have a parent and found none take any of the levels above, or themselves.
    fn settle(&mut self, rows: &[u32], above: &[Vec<u32>]) {
        for &row in rows {
            if self.found[row as usize] != NONE {
                continue;
            }
            let mut others = above.iter().rev().flatten().take(MAX_TRIES);
            if !others.any(|&parent| self.take(row, parent)) && !self.take(row, row) {
                self.found[row as usize] = row;
            }
        }
    }

    /// Whether a row may have a parent; then it has it.
    fn take(&mut self, row: u32, parent: u32) -> bool {
        let may = self.rivals.may(row, parent);
        if may {
            self.found[row as usize] = parent;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mintage_data::Table;

    use super::*;
    use crate::database::{filled::numbers, plan::DEPTH, testing};

    /// A key of the table to itself.
    fn key(columns: &str, parent_columns: &str, optional: bool) -> ForeignKey {
        testing::key(columns, "staff", parent_columns, optional)
    }

    fn staff(unique: &[&str]) -> TableSchema {
        let unique: Vec<String> = unique.iter().map(|name| (*name).to_owned()).collect();
        TableSchema {
            name: "staff".to_owned(),
            unique: vec![unique].into_iter().filter(|set| !set.is_empty()).collect(),
            ..TableSchema::default()
        }
    }

    /// Rows of two firms by turns, of some depths.
    fn rows(n: u32, depth: impl Fn(u32) -> u32) -> Filled {
        let columns = vec![
            numbers("id", 0..n),
            numbers("firm", (0..n).map(|row| row % 2)),
            numbers(DEPTH, (0..n).map(depth)),
        ];
        Filled { table: Table { columns, ..Table::default() }, ..Filled::default() }
    }

    #[test]
    fn rows_lie_below_those_that_are_less_deep() {
        let filled = rows(30, |row| row / 10);
        let forest = Forest::new(&staff(&[]), (&filled, DEPTH), &key("boss", "id", true), vec![1; 30]);
        let found = forest.grow(&mut Rng::new(1, 0));
        assert!(found[..10].iter().all(|&parent| parent == NONE), "{found:?}");
        assert!((10..30).all(|row| found[row] / 10 == row as u32 / 10 - 1), "{found:?}");
    }

    #[test]
    fn no_parent_has_two_children_where_the_key_is_unique() {
        let filled = rows(15, |row| row / 5);
        let grown = |optional| {
            let key = key("boss", "id", optional);
            Forest::new(&staff(&["boss"]), (&filled, DEPTH), &key, vec![3; 15]).grow(&mut Rng::new(1, 0))
        };
        let found = grown(true);
        let parents: HashSet<u32> = found.iter().copied().filter(|&parent| parent != NONE).collect();
        assert_eq!((parents.len(), found.iter().filter(|&&parent| parent == NONE).count()), (10, 5));
        // Where each must have one, and roots have themselves, nothing is left but themselves.
        let found = grown(false);
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), 15, "{found:?}");
    }

    #[test]
    fn parents_have_the_cells_that_another_key_has_set() {
        let filled = rows(40, |row| u32::from(row > 5) + u32::from(row > 20));
        let key = key("firm boss", "firm id", true);
        let forest = Forest::new(&staff(&[]), (&filled, DEPTH), &key, vec![2; 40]);
        let found = forest.grow(&mut Rng::new(1, 0));
        for row in 6..40 {
            let parent = found[row];
            assert!(parent != NONE && parent < row as u32 && parent % 2 == row as u32 % 2, "{row} {parent}");
        }
        // Of another column of theirs as well.
        let key = self::key("firm boss", "id id", true);
        let found = Forest::new(&staff(&[]), (&filled, DEPTH), &key, vec![2; 40]).grow(&mut Rng::new(1, 0));
        assert!(found.iter().all(|&parent| parent == NONE || parent < 2), "{found:?}");
        assert!(found.iter().any(|&parent| parent != NONE));
    }

    #[test]
    fn siblings_differ_by_what_is_unique_with_the_key() {
        let filled = rows(6, |row| u32::from(row > 0));
        let key = key("boss", "id", true);
        let found = Forest::new(&staff(&["firm", "boss"]), (&filled, DEPTH), &key, vec![5; 6])
            .grow(&mut Rng::new(1, 0));
        // One root: a child of each firm.
        assert_eq!(found.iter().filter(|&&parent| parent == 0).count(), 2, "{found:?}");
    }
}
