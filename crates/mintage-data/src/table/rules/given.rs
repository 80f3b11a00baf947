//! Rows of which a part is given: rules hold between that part and what is drawn.

use super::{
    Origin, Rule, Rules,
    columns::{Numbers, position},
    joint,
    order::Scale,
    sql::Sql,
};
use crate::{
    Error,
    table::{Table, encoder::Uniform},
};

impl Rules {
    /// Checks that no computed column is given without all that it is computed from.
    ///
    /// # Errors
    /// A computed cell is given, and not all cells that it is computed from.
    pub fn check_given(&self, given: &Table) -> Result<(), Error> {
        let formulas = self.formulas.iter().map(|formula| (formula.column, formula.expression.columns()));
        let computed = self.computed.iter().map(|computed| {
            let operands = Sql::parse(&computed.sql, &self.own).map(|sql| sql.columns());
            (computed.column, operands.unwrap_or_default())
        });
        for (of, operands) in formulas.chain(computed) {
            let name = |column: usize| self.own.columns[column].name.as_str();
            let Some(column) = given.column(name(of)) else { continue };
            let own = &self.own.columns[of];
            let operands: Vec<&str> = operands.into_iter().map(name).collect();
            let has_all = |row: usize| {
                operands
                    .iter()
                    .all(|name| given.column(name).is_some_and(|column| column.cell(row).is_some()))
            };
            let lacks = |row: &usize| !own.is_missing(column.cell(*row)) && !has_all(*row);
            if (0..given.rows()).any(|row| lacks(&row)) {
                let rule = self
                    .rules
                    .iter()
                    .find(|rule| matches!(rule, Rule::Formula { column, .. } if *column == own.name));
                let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
                let why = format!("is computed from {}{rule}, which are not all given", operands.join(", "));
                return Err(Error::bad(format!("column `{}`", own.name), why)
                    .with_hint("give those instead, or leave the column out"));
            }
        }
        Ok(())
    }

    /// Fills up combinations of which some cells are given: one of those that have these cells, rather one of the
    /// frequent ones. `texts` are those of a column of the form that models see, the most frequent first.
    pub(in crate::table) fn complete<'a>(
        &self,
        whole: &mut Table,
        texts: &dyn Fn(usize) -> Vec<&'a str>,
        uniform: &mut Uniform,
    ) {
        for (at, origin) in self.origins.iter().enumerate() {
            let Origin::Joint(joint) = *origin else { continue };
            let members = &self.joints[joint].members;
            let mut known: Option<Vec<Vec<Option<&str>>>> = None;
            for row in 0..whole.rows() {
                let cell = |column: &usize| {
                    let cell = whole.columns[*column].cell(row);
                    cell.filter(|cell| !self.own.columns[*column].is_missing(Some(cell)))
                };
                let cells: Vec<Option<&str>> = members.iter().map(cell).collect();
                let given = cells.iter().flatten().count();
                if given == 0 || given == cells.len() {
                    continue;
                }
                let known = known.get_or_insert_with(|| {
                    texts(at).into_iter().map(|text| joint::split(text).collect()).collect()
                });
                let fits = |all: &&Vec<Option<&str>>| {
                    all.iter().zip(&cells).all(|(known, own)| own.is_none() || known == own)
                };
                let fitting: Vec<&Vec<Option<&str>>> = known.iter().filter(fits).collect();
                // Frequencies of categories fall about like one over their rank.
                let weight = |rank: usize| 1.0 / (rank + 1) as f64;
                let mut left = uniform() * (0..fitting.len()).map(weight).sum::<f64>();
                let chosen = fitting.iter().enumerate().find(|(rank, _)| {
                    left -= weight(*rank);
                    left < 0.0
                });
                let Some((_, all)) = chosen.or(fitting.iter().enumerate().next()) else { continue };
                let all: Vec<Option<String>> = all.iter().map(|cell| cell.map(str::to_owned)).collect();
                for (column, cell) in members.iter().zip(all) {
                    whole.columns[*column].set(row, cell.as_deref());
                }
            }
        }
    }

    /// Of the columns that models see as distances, for each row whether it has to be drawn since none of what it is
    /// counted from is given.
    pub(in crate::table) fn undetermined(&self, whole: &Table) -> Vec<(usize, Vec<bool>)> {
        let follower = |(at, origin): (usize, &Origin)| {
            let Origin::Follower(follower) = *origin else { return None };
            let missing = |column: usize, row: usize| {
                self.own.columns[column].is_missing(whole.columns[column].cell(row))
            };
            let parents = &self.followers[follower].parents;
            let open = |row: usize| parents.iter().any(|parent| missing(parent.column, row));
            Some((at, (0..whole.rows()).map(open).collect()))
        };
        self.origins.iter().enumerate().filter_map(follower).collect()
    }

    /// What was drawn gives way to what is given: a column that another follows is lowered to it, and what is
    /// computed is computed again.
    pub(in crate::table) fn reconcile(&self, table: &mut Table, given: &Table) {
        let given = |column: usize, row: usize| {
            let own = &self.own.columns[column];
            given.column(&own.name).is_some_and(|column| !own.is_missing(column.cell(row)))
        };
        let mut changed = false;
        for follower in self.followers.iter().rev() {
            for parent in &follower.parents {
                let numbers = Numbers::of(table, &self.own, vec![follower.column, parent.column]);
                let form = &self.own.columns[parent.column];
                for row in 0..table.rows() {
                    let both = numbers.get(follower.column, row).zip(numbers.get(parent.column, row));
                    let Some((low, high)) = both else { continue };
                    let wrong = high > low || parent.strict && high == low;
                    if wrong && !given(parent.column, row) {
                        let text = form.text(Scale::of(form).largest(low, parent.strict));
                        table.columns[parent.column].set(row, Some(&text));
                        changed = true;
                    }
                }
            }
        }
        if changed {
            self.compute(table);
        }
    }

    /// The columns of a table that are given in some row, by their place.
    pub(in crate::table) fn given_columns(&self, given: &Table) -> Vec<usize> {
        let present = given.columns.iter().filter(|column| column.missing() < column.len());
        present.filter_map(|column| position(&column.name, &self.own)).collect()
    }
}
