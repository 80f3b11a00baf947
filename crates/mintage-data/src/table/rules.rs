//! Rules that rows keep, whatever model makes them.
//!
//! A model never sees a rule. [`Rules::forward`] rewrites the table so that no row of the new form can break
//! one, the model learns that form, and [`Rules::inverse`] rewrites its rows back:
//!
//! | rule | what the model sees |
//! |---|---|
//! | combination, one_hot | one category in the place of the columns: only what occurs can be drawn |
//! | order | the first column, and of the others how far they are above it, never less than nothing |
//! | formula | the column is left out, and computed from the others |
//! | range, positive, rounded, regex | the column as it is; put right on the way back |
//! | unique, check | the columns as they are; rows that break it are drawn again |
//!
//! A missing cell breaks no rule, but a formula of missing cells is missing. Rules that cannot all hold, and
//! rules that the table itself breaks, are errors of [`Rules::new`].

mod bounds;
mod check;
mod columns;
mod computed;
mod declared;
mod expression;
mod force;
mod given;
mod holds;
mod joint;
mod order;
mod plan;
mod propose;
mod repair;
mod rule;
mod sql;
mod unique;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    Column, Table,
    schema::{ColumnSchema, TableSchema},
};
use crate::Error;
use computed::Computed;
pub use declared::Constraint;
use expression::Expression;
pub use force::{RuleChoice, in_force};
use joint::Joint;
use order::Follower;
pub(super) use order::Scale;
pub use propose::propose;
pub use rule::{Bound, Rule};
pub use unique::{By, Keys};

/// The rules of a table, with what it takes to keep them. Saved with the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Of the table as it is read.
    own: TableSchema,
    /// Of the table as models see it.
    forward: TableSchema,
    /// Where each column of that table comes from.
    origins: Vec<Origin>,
    joints: Vec<Joint>,
    /// In an order in which each comes after those that it follows.
    followers: Vec<Follower>,
    /// In an order in which each comes after those that it is computed from.
    formulas: Vec<Formula>,
    /// From columns other than each other, when all formulas are computed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    computed: Vec<Computed>,
    limits: Vec<Limits>,
}

/// Where a column of the new form comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// The column of that number, as it is.
    Column(usize),
    /// Several columns in one.
    Joint(usize),
    /// How far a column is above those that it follows.
    Follower(usize),
}

/// A column that is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Formula {
    column: usize,
    expression: Expression,
    /// Halves are rounded up or down as the column does; a part of the number that turns them.
    nudge: f64,
    /// What stands where a number it is computed from is missing.
    missing: Option<String>,
}

/// The least and the largest number of a column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Limits {
    column: usize,
    low: Option<f64>,
    high: Option<f64>,
}

/// Where a column of the table is found in the form that models see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As it is, in the column of that number.
    Own(usize),
    /// A part of the texts of a column; see [`Place::cell`].
    Joint { column: usize, member: usize },
}

impl Place {
    /// The column of the form that models see.
    pub fn column(self) -> usize {
        match self {
            Self::Own(column) | Self::Joint { column, .. } => column,
        }
    }

    /// The cell of the table that a cell of the other form holds.
    pub fn cell(self, cell: Option<&str>) -> Option<&str> {
        match self {
            Self::Own(_) => cell,
            Self::Joint { member, .. } => cell.and_then(|text| joint::split(text).nth(member).flatten()),
        }
    }
}

impl Rules {
    /// The rules of a table that keeps them.
    ///
    /// # Errors
    /// The table breaks a rule, or the rules cannot hold together.
    pub fn new(rules: Vec<Rule>, table: &Table, schema: &TableSchema) -> Result<Self, Error> {
        let own = rules.len();
        plan::plan(rules, own, table, schema)
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The columns by which rows must differ: what must be known of rows that new ones will stand beside.
    pub fn key_columns(&self) -> Vec<&str> {
        let columns = Keys::of(self).columns();
        let mut all: Vec<&str> = columns.into_iter().map(|at| self.own.columns[at].name.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The schema of the table as it is read.
    pub fn own(&self) -> &TableSchema {
        &self.own
    }

    /// The schema of the table as models see it.
    pub fn schema(&self) -> &TableSchema {
        &self.forward
    }

    /// The table as models see it: the same one where no rule changes any column.
    #[must_use]
    pub fn forward<'a>(&self, table: &'a Table) -> Cow<'a, Table> {
        let kept = self.origins.iter().enumerate().all(|(at, origin)| *origin == Origin::Column(at));
        if kept && self.origins.len() == table.columns.len() {
            return Cow::Borrowed(table);
        }
        let columns = self.origins.iter().map(|origin| match *origin {
            Origin::Column(column) => table.columns[column].clone(),
            Origin::Joint(joint) => self.joints[joint].forward(table),
            Origin::Follower(follower) => self.followers[follower].forward(table, &self.own),
        });
        Cow::Owned(Table { name: table.name.clone(), columns: columns.collect(), ..Table::default() })
    }

    /// Brings a table from the form that models see into its own, with every rule kept that takes no more than the row
    /// itself; [`Keys`] and [`Rules::refused`] are about the rest. `random` is drawn from where a value has to be
    /// replaced.
    ///
    /// # Errors
    /// No value matches the pattern of a rule, or no more identifiers can be made.
    pub fn inverse(&self, forward: &Table, random: &mut dyn FnMut() -> u64) -> Result<Table, Error> {
        let empty = |schema: &ColumnSchema| Column::new(&schema.name, schema.declaration.clone());
        let columns = self.own.columns.iter().map(empty).collect();
        let mut table = Table { name: forward.name.clone(), columns, ..Table::default() };
        for (origin, from) in self.origins.iter().zip(&forward.columns) {
            match *origin {
                Origin::Column(column) => table.columns[column] = from.clone(),
                Origin::Joint(joint) => self.joints[joint].inverse(from, &mut table),
                Origin::Follower(_) => {}
            }
        }
        // What is computed below is missing until then.
        let rows = forward.rows();
        let open = table.columns.iter_mut().filter(|column| column.len() < rows);
        open.for_each(|column| (0..rows).for_each(|_| column.push(None)));
        repair::limits(&self.limits, &self.own, &mut table);
        for (at, follower) in self.followers.iter().enumerate() {
            let gaps = self.origins.iter().position(|origin| *origin == Origin::Follower(at));
            if let Some(gaps) = gaps {
                follower.inverse(&forward.columns[gaps], &self.forward.columns[gaps], &mut table, &self.own);
            }
        }
        repair::patterns(&self.rules, &self.own, &mut table, random)?;
        self.compute(&mut table);
        Ok(table)
    }

    /// Fills the columns that are computed from others.
    fn compute(&self, table: &mut Table) {
        self.formulas.iter().for_each(|formula| formula.compute(table, &self.own));
        self.computed.iter().for_each(|computed| computed.compute(table, &self.own));
    }

    /// The rows that break a rule which nothing but another draw can mend, with the first such rule.
    pub fn refused(&self, table: &Table) -> Vec<(usize, &Rule)> {
        let mut refused: Vec<(usize, &Rule)> = Vec::new();
        for rule in self.rules.iter().filter(|rule| matches!(rule, Rule::Check { .. })) {
            let rows = holds::broken(rule, table, table, &self.own);
            refused.extend(rows.into_iter().map(|row| (row, rule)));
        }
        refused.sort_by_key(|(row, _)| *row);
        refused.dedup_by_key(|(row, _)| *row);
        refused
    }

    /// Each rule in words, with how many rows of `table` break it. Combinations are those of `real`.
    pub fn check(&self, table: &Table, real: &Table) -> Vec<(String, usize)> {
        let rules = self.rules.iter();
        rules.map(|rule| (rule.to_string(), holds::broken(rule, table, real, &self.own).len())).collect()
    }

    /// Where a column is found in the form that models see; nothing where a rule computes it from others.
    ///
    /// # Errors
    /// The table has no column of this name.
    pub fn place(&self, name: &str) -> Result<Option<Place>, Error> {
        let Some(column) = self.own.columns.iter().position(|column| column.name == name) else {
            return Err(columns::unknown(name, &self.own));
        };
        let place = |(at, origin): (usize, &Origin)| match *origin {
            Origin::Column(own) => (own == column).then_some(Place::Own(at)),
            Origin::Joint(joint) => {
                let member = self.joints[joint].members.iter().position(|&member| member == column)?;
                Some(Place::Joint { column: at, member })
            }
            Origin::Follower(_) => None,
        };
        Ok(self.origins.iter().enumerate().find_map(place))
    }
}

impl Formula {
    /// The text of a row, or nothing where a number is missing.
    fn text(&self, value: impl Fn(usize) -> Option<f64>, schema: &TableSchema) -> Option<String> {
        let value = self.expression.value(&value)?;
        Some(schema.columns[self.column].text(value + value.abs() * self.nudge))
    }

    fn compute(&self, table: &mut Table, schema: &TableSchema) {
        let numbers = columns::Numbers::of(table, schema, self.expression.columns());
        let mut column =
            Column::new(&table.columns[self.column].name, table.columns[self.column].declaration.clone());
        for row in 0..numbers.rows() {
            let text = self.text(|of| numbers.get(of, row), schema);
            column.push(text.as_deref().or(self.missing.as_deref()));
        }
        table.columns[self.column] = column;
    }
}

#[cfg(test)]
mod tests;
