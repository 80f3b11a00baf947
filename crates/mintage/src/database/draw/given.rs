//! Rows that are given: they stay, and what they lack is drawn.
//!
//! Rows that belong to those of another table say by their keys to which; it is an error where no such row is there. Where they
//! do not say it, they get parents as often as was drawn with these; so the numbers of children no longer follow what was drawn.

use std::collections::HashSet;

use mintage_data::{Column, Table, database::ForeignKey};
use mintage_nn::Rng;

use super::Drawer;
use crate::{
    database::{
        assign::shuffle,
        filled::{Database, NONE, columns_at, key_of, rows_of},
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
        let parents = self.parents_of_given(given, made, main, &mut Rng::new(seed, 4))?;
        let of_parents = self.of_parents(made, main, &parents).columns;
        let mut table = self.completed(model, given, of_parents, seed)?;
        let of_main = &self.table.foreign_keys[main].columns;
        table.columns.retain(|column| !of_main.contains(&column.name));
        self.leave_out_given(&mut table, main);
        Ok((table, parents))
    }

    /// For each given row that of its main parent: the one that its key names, or one of those that were drawn with more
    /// children than name them. A key that may be open and has no value stays open.
    fn parents_of_given(
        &self,
        given: &Table,
        made: &Database,
        main: usize,
        rng: &mut Rng,
    ) -> Result<Vec<u32>, Error> {
        let foreign = &self.table.foreign_keys[main];
        let Some(parent) = made.get(&foreign.parent) else { return Ok(vec![NONE; given.rows()]) };
        let mut parents = rows_of(given, foreign, &parent.table);
        self.check_parents(given, foreign, &parent.table, &parents)?;
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
        Ok(parents)
    }

    /// An error where a given key names no row of the parent; `parents` are the rows that were found.
    fn check_parents(
        &self,
        given: &Table,
        foreign: &ForeignKey,
        parent: &Table,
        parents: &[u32],
    ) -> Result<(), Error> {
        // Without its cells nothing can be said of the parent, nor of keys that are none in some rows.
        let is_known =
            foreign.only.is_none() && foreign.parent_columns.iter().all(|name| parent.column(name).is_some());
        let Some(own) = columns_at(given, &foreign.columns) else { return Ok(()) };
        let mut without = (0..given.rows()).filter(|&row| is_known && parents[row] == NONE);
        let lost = without.find_map(|row| Some((row, key_of(given, &own, row)?)));
        let Some((row, cells)) = lost else { return Ok(()) };
        Err(Error::request(format!(
            "`{}`, row {}: `{}` {} is of no row of `{}`",
            self.plan.name,
            row + 1,
            foreign.columns.join(", "),
            cells.join(", "),
            foreign.parent
        ))
        .with_hint(format!("give that row, too: --given {}=FILE, or leave the cell empty", foreign.parent)))
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
    fn parents(
        column: &str,
        is_optional: bool,
        children: [u32; 3],
        given: Column,
    ) -> Result<Vec<u32>, Error> {
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
        let firm = || Column::of("firm", [Some("9"), None, None, Some("7")]);
        let found = parents("firm", false, [2, 0, 1], firm()).unwrap();
        // The second row takes what is left of the first firm, the third any.
        assert_eq!((found[0], found[1], found[3]), (2, 0, 0));
        assert!(found[2] < 3, "{found:?}");
        assert_eq!(parents("firm", true, [2, 0, 1], firm()).unwrap(), [2, NONE, NONE, 0]);
    }

    #[test]
    fn rejects_given_keys_of_no_row() {
        for is_optional in [false, true] {
            let firm = Column::of("firm", [Some("9"), None, Some("5")]);
            let error = parents("firm", is_optional, [2, 0, 1], firm).unwrap_err();
            assert_eq!(error.to_string(), "`staff`, row 3: `firm` 5 is of no row of `firms`");
            assert!(error.hint().unwrap().contains("--given firms=FILE"), "{error}");
        }
    }

    #[test]
    fn given_rows_share_no_parent_that_may_have_one() {
        let mut found = parents("id", false, [1, 0, 1], numbers("grade", 1..=4)).unwrap();
        assert_eq!(found.pop(), Some(NONE));
        assert_eq!(found.pop(), Some(1));
        found.sort_unstable();
        assert_eq!(found, [0, 2]);
        let named = parents("id", false, [1, 0, 1], Column::of("id", [None, Some("7")])).unwrap();
        assert_eq!(named, [2, 0]);
    }
}
