//! Rows that are given: they stay, and what they lack is drawn.
//!
//! Rows that belong to those of another table say by their keys to which. Where they do not, or no such row is there, they get
//! parents as often as was drawn with these; so the numbers of children no longer follow what was drawn.

use std::collections::HashSet;

use mintage_data::{Column, Table};
use mintage_nn::Rng;

use super::Drawer;
use crate::{
    database::{
        assign::shuffle,
        filled::{Database, NONE, rows_of},
        request::{light_part, put_given},
    },
    error::Error,
    model::Model,
};

impl Drawer<'_> {
    /// Whether the request says what a column of the table holds.
    pub(super) fn is_given(&self, column: &str) -> bool {
        self.request.given.get(&self.plan.name).is_some_and(|given| given.column(column).is_some())
    }

    /// Rows that are given, with what they lack; of their parents the columns `of_parents` are known.
    pub(super) fn completed(
        &self,
        model: &Model,
        given: &Table,
        of_parents: Vec<Column>,
        seed: u64,
    ) -> Result<Table, Error> {
        let mut light = light_part(model, self.plan, given)?;
        light.columns.extend(of_parents);
        let light = (!light.columns.is_empty()).then_some(light);
        let mut table = self.sampled(model, given.rows(), light, seed)?;
        put_given(&mut table, given, self.table);
        Ok(table)
    }

    /// The same of rows that belong to others, with the rows of their main parents.
    pub(super) fn given_children(
        &self,
        model: &Model,
        given: &Table,
        (made, main): (&Database, usize),
        seed: u64,
    ) -> Result<(Table, Vec<u32>), Error> {
        let parents = self.parents_of_given(given, made, main, &mut Rng::new(seed, 4));
        let of_parents = self.of_parents(made, main, &parents).columns;
        let mut table = self.completed(model, given, of_parents, seed)?;
        let of_main = &self.table.foreign_keys[main].columns;
        table.columns.retain(|column| !of_main.contains(&column.name));
        self.leave_out_given(&mut table, main);
        Ok((table, parents))
    }

    /// For each given row that of its main parent: the one that its key names, or one of those that were drawn with more
    /// children than name them. A key that may be open and has no value stays open.
    fn parents_of_given(&self, given: &Table, made: &Database, main: usize, rng: &mut Rng) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[main];
        let Some(parent) = made.get(&foreign.parent) else { return vec![NONE; given.rows()] };
        let mut parents = rows_of(given, foreign, &parent.table);
        let mut counts = self.counts(made, main);
        for &row in parents.iter().filter(|row| **row != NONE) {
            let count = &mut counts[row as usize];
            *count = count.saturating_sub(1);
        }
        let all = counts.iter().enumerate();
        let mut drawn: Vec<u32> =
            all.flat_map(|(row, &n)| std::iter::repeat_n(row as u32, n as usize)).collect();
        shuffle(&mut drawn, rng);
        // When those are used up, any; but no row twice that may have one child alone.
        let is_one = self.table.tells_apart(&foreign.columns);
        let used: HashSet<u32> =
            parents.iter().chain(&drawn).copied().filter(|row| is_one && *row != NONE).collect();
        let mut others: Vec<u32> = (0..counts.len() as u32).filter(|row| !used.contains(row)).collect();
        shuffle(&mut others, rng);
        let times = if is_one { others.len() } else { usize::MAX };
        let mut next = drawn.into_iter().chain(others.into_iter().cycle().take(times));
        let is_empty = |row: usize| {
            let mut cells = foreign.columns.iter().filter_map(|name| given.column(name));
            foreign.optional && cells.any(|column| column.cell(row).is_none())
        };
        for row in 0..parents.len() {
            if parents[row] == NONE && !is_empty(row) {
                parents[row] = next.next().unwrap_or(NONE);
            }
        }
        parents
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{
        DatabaseRequest,
        before::Before,
        even::Targets,
        filled::numbers,
        testing::{drawn, key, planned, table, untrained},
    };

    /// The parents of given rows of a table with a key `column` to three firms that were drawn with `children` of it.
    fn parents(column: &str, is_optional: bool, children: [u32; 3], given: Column) -> Vec<u32> {
        let firms = vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
        let mut staff = vec![numbers("id", 1..=20), numbers("grade", (0..20).map(|row| row * 7 % 5))];
        if column != "id" {
            staff.push(numbers(column, (0..20).map(|row| row / 4 + 1)));
        }
        let staff = table("staff", vec![key(column, "firms", "id", is_optional)], staff);
        let (schema, _, plans) = planned(vec![table("firms", Vec::new(), firms), staff]);
        let at = |name: &str| plans.iter().position(|plan| plan.name == name).unwrap();
        let (firms, staff) = (at("firms"), at("staff"));
        let count = numbers(&plans[firms].counts[0].name, children);
        let made = Database::from([("firms".to_owned(), drawn(vec![numbers("id", 7..=9), count], 0))]);
        let mut model = untrained(schema, plans);
        model.targets = model.plans.iter().map(|_| Targets::default()).collect();
        let (request, before) = (DatabaseRequest::default(), Before::default());
        let drawer = Drawer::of(&model, staff, &request, &before).unwrap();
        let given = Table { columns: vec![given], ..Table::default() };
        drawer.parents_of_given(&given, &made, 0, &mut Rng::new(1, 0))
    }

    #[test]
    fn given_rows_belong_to_what_their_keys_name_and_else_to_those_drawn_with_more() {
        let firm = || Column::of("firm", [Some("9"), None, Some("5"), Some("7")]);
        let found = parents("firm", false, [2, 0, 1], firm());
        // The second row takes what is left of the first firm, the third any.
        assert_eq!((found[0], found[1], found[3]), (2, 0, 0));
        assert!(found[2] < 3, "{found:?}");
        assert_eq!(parents("firm", true, [2, 0, 1], firm()), [2, NONE, 0, 0]);
    }

    #[test]
    fn given_rows_share_no_parent_that_may_have_one() {
        let mut found = parents("id", false, [1, 0, 1], numbers("grade", 1..=4));
        assert_eq!(found.pop(), Some(NONE));
        assert_eq!(found.pop(), Some(1));
        found.sort_unstable();
        assert_eq!(found, [0, 2]);
        let named = parents("id", false, [1, 0, 1], Column::of("id", [None, Some("7")]));
        assert_eq!(named, [2, 0]);
    }
}
