//! What is learned of each table, and what each of its keys is to it.

use std::collections::HashMap;

use mintage_data::{
    Error as DataError, Table as Rows,
    database::{ForeignKey, Schema, Table},
    table::schema::{Kind, TableSchema},
};
use serde::{Deserialize, Serialize};

use super::{
    filled::NONE,
    summary::{How, Summary},
};
use crate::error::Error;

/// Kept tables one behind the other whose keys change with those of the last.
const MAX_WAY: usize = 4;
/// Values of a category that others are drawn given.
const MAX_CATEGORIES: usize = 60;

/// What the columns of all tables are.
pub(super) type Kinds = HashMap<String, TableSchema>;

/// What becomes of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Its rows are drawn from a model.
    Learned,
    /// Its rows are those of the source.
    Kept,
    /// It has no rows.
    Empty,
}

/// What a foreign key is to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Rows are drawn for each row of this parent.
    Main,
    /// The key of a kept table: a category like any other column.
    Value,
    /// A further parent, found by the columns that were drawn of it.
    Matched,
    /// The row that this key of the main parent refers to, in every row of the source.
    Through(usize),
    /// A key of the table to itself: a forest of the depths that were learned.
    Forest,
}

/// A column that is learned beside those of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Its name in what is learned.
    pub name: String,
    /// The key to the parent, and behind it the key of the parent to its own parent.
    pub keys: Vec<usize>,
    /// The column there.
    pub column: String,
}

/// A column whose cells come from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The column of the table.
    pub column: String,
    /// Where they come from.
    pub from: From,
}

/// Where the cells of a copied column come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// A column of a parent.
    Parent(Context),
    /// The first of the rows of the same main parent.
    FirstSibling,
}

/// A date that another one bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The column of the table.
    pub column: String,
    /// The name of the parent's column in what is learned.
    pub parent: String,
    /// Whether it is the later of the two.
    pub is_later: bool,
}

/// A column of a parent that is computed from its children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The column of the parent.
    pub column: String,
    /// The table of the children.
    pub table: String,
    /// The place of their key to the parent among the table's keys.
    pub key: usize,
    /// What of them.
    pub of: Of,
    /// Digits after the point.
    pub decimals: usize,
}

/// What is made of the children of a parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// How many they are.
    Number,
    /// The sum of a column.
    Sum(String),
    /// The sum of the products of two columns.
    Product(String, String),
    /// The smallest value of a column, as it is written there.
    Least(String),
    /// The largest.
    Most(String),
}

/// How one table is learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePlan {
    /// Its name.
    pub name: String,
    /// What the names of all columns begin with that are added to those of the table: nothing, unless a column of the schema
    /// looks like one of them.
    #[serde(default)]
    pub mark: String,
    /// What becomes of it.
    pub part: Part,
    /// Why.
    pub why: String,
    /// Rows of the source.
    pub rows: usize,
    /// For each foreign key what it is.
    pub keys: Vec<Use>,
    /// Columns of the table that are learned.
    pub own: Vec<String>,
    /// Keys of texts, which are made for all rows at once.
    pub codes: Vec<String>,
    /// A column that numbers the rows.
    pub number: Option<String>,
    /// The smallest of its numbers.
    pub number_from: i64,
    /// Columns of parents.
    pub context: Vec<Context>,
    /// Columns of the child before, where children are drawn one after another.
    pub previous: Vec<String>,
    /// Whether they are.
    pub is_sequence: bool,
    /// The column by which they are in order.
    pub time: Option<String>,
    /// The number of the first child, where that column just numbers them.
    pub first: Option<i64>,
    /// Columns in which each row of a main parent has a value of its own.
    #[serde(default)]
    pub apart: Vec<String>,
    /// Keys of other tables to this one whose rows are counted.
    pub counts: Vec<Count>,
    /// Columns of those rows that are summed up for each row of this table.
    pub summaries: Vec<Summary>,
    /// Columns whose means are drawn with the main parent, and the names of those means: rows that are drawn one after
    /// another are given what is left of them.
    pub left: Vec<(String, String)>,
    /// Columns whose cells come from elsewhere.
    pub copied: Vec<Copied>,
    /// Dates that a date of the main parent, or of its parent, bounds.
    pub bounds: Vec<Bound>,
    /// Columns that the rows of other tables come to.
    pub totals: Vec<Total>,
    /// Rows of the source that have no parent by the main key.
    pub orphans: usize,
    /// Further keys that some rows lack, and in what is learned the name of whether they do.
    pub optional: Vec<(usize, String)>,
    /// For each key to a kept table how often each of its rows is referred to.
    pub weights: Vec<(usize, Vec<u32>)>,
}

/// A key whose rows are counted for each row of its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Its name in what is learned.
    pub name: String,
    /// The table that has the key.
    pub table: String,
    /// Its place among that table's keys.
    pub key: usize,
    /// How many rows of the source have how many children: a number of children with the rows, the smallest first.
    pub seen: Vec<(u32, u32)>,
}

/// Digits after the point of a total, at most.
pub(super) const MAX_DECIMALS: usize = 6;
/// Where a row stands among the children of its parent, from 1; 0 without a parent.
pub(super) const INDEX: &str = "#index";
/// How many children that parent has.
pub(super) const SIBLINGS: &str = "#of";
/// How deep a row lies in the forest of its table: 0 is a root.
pub(super) const DEPTH: &str = "#depth";
/// For tables that have nothing to learn.
pub(super) const COIN: &str = "#coin";

/// What the names of added columns begin with, so that none is that of a column of the schema. They have `#`, `<` or `>` of
/// their own: only where a column of the schema has as well do they begin with more `#` than any of those.
pub(super) fn mark(schema: &Schema) -> String {
    let names = || schema.tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str());
    if !names().any(|name| name.starts_with(['#', '<']) || name.contains('>')) {
        return String::new();
    }
    let most = names().map(|name| name.len() - name.trim_start_matches('#').len()).max();
    "#".repeat(most.unwrap_or(0) + 1)
}

impl TablePlan {
    /// Whether a plan that was read from a file is of this schema: every key and column that it names is there.
    pub(super) fn suits(&self, schema: &Schema, plans: &[Self]) -> bool {
        let Some(table) = schema.table(&self.name) else { return false };
        let has_key = |table: &Table, key: usize| key < table.foreign_keys.len();
        let is_way = |context: &Context| {
            let mut at = Some(table);
            for &key in &context.keys {
                let Some(table) = at.filter(|table| has_key(table, key)) else { return false };
                at = schema.table(&table.foreign_keys[key].parent);
            }
            !context.keys.is_empty()
        };
        let is_count =
            |count: &Count| schema.table(&count.table).is_some_and(|table| has_key(table, count.key));
        let parents_are_planned =
            table.foreign_keys.iter().all(|key| plans.iter().any(|plan| plan.name == key.parent));
        self.keys.len() == table.foreign_keys.len()
            && parents_are_planned
            && self.context.iter().all(is_way)
            && self.counts.iter().all(is_count)
            && self.copied.iter().all(|copied| match &copied.from {
                From::Parent(context) => is_way(context),
                From::FirstSibling => true,
            })
            && self.keys.iter().all(|is| !matches!(is, Use::Through(_)) || self.main().is_some())
            && self.forest().is_none_or(|key| table.foreign_keys[key].is_of(&self.name))
            && self.totals.iter().all(|total| total.decimals <= MAX_DECIMALS)
            && self.orphans <= self.rows
            && self.rows <= u32::MAX as usize
            && self.optional.iter().all(|(key, _)| has_key(table, *key))
            && self.weights.iter().all(|(key, _)| has_key(table, *key))
    }

    /// The name of a column that is added to those of the table, such as [`INDEX`].
    pub(super) fn named(&self, name: &str) -> String {
        format!("{}{name}", self.mark)
    }

    /// The name of a column of the sibling before.
    pub(super) fn before(&self, column: &str) -> String {
        format!("{}<{column}", self.mark)
    }

    /// The name of the mean of a column of a child and of those after it.
    pub(super) fn mean_left(&self, column: &str) -> String {
        format!("{}#left {column}", self.mark)
    }

    /// What a column that is added to those of the table holds; nothing for columns of the table, of its parents and of the
    /// sibling before.
    pub(super) fn kind_of_added(&self, name: &str) -> Option<Kind> {
        let mut means = self.summaries.iter().filter(|summary| summary.how == How::Mean);
        if means.any(|summary| summary.name == name)
            || self.left.iter().any(|(column, _)| self.mean_left(column) == name)
        {
            return Some(Kind::Number);
        }
        let is_number = [INDEX, SIBLINGS, DEPTH, COIN].iter().any(|own| self.named(own) == name)
            || self.counts.iter().any(|count| count.name == name)
            || self.optional.iter().any(|(_, own)| own == name)
            || self.summaries.iter().any(|summary| summary.name == name);
        is_number.then_some(Kind::Integer)
    }

    /// The columns of what is learned that new rows are to be spread over as evenly as those of the source: own ones first.
    /// With how many are its own.
    pub(super) fn even(&self, found: &TableSchema) -> (Vec<String>, usize) {
        let own: Vec<String> = light(found).filter(|name| self.own.contains(name)).collect();
        let n = own.len();
        let counts = self.counts.iter().map(|count| count.name.clone());
        let depth = self.forest().map(|_| self.named(DEPTH));
        let optional = self.optional.iter().map(|(_, name)| name.clone());
        // Those of the main parent are given in a sequence: the same for every candidate.
        let main = self.main().filter(|_| self.is_sequence);
        let context = self.context.iter().filter(|context| Some(context.keys[0]) != main);
        let context = context.map(|context| context.name.clone());
        let summaries = self.summaries.iter().map(|summary| summary.name.clone());
        let all = own.into_iter().chain(counts).chain(summaries).chain(depth).chain(optional).chain(context);
        (all.collect(), n)
    }

    /// The key whose parent rows are drawn for.
    pub fn main(&self) -> Option<usize> {
        self.keys.iter().position(|&key| key == Use::Main)
    }

    /// The key of the table to itself.
    pub fn forest(&self) -> Option<usize> {
        self.keys.iter().position(|&key| key == Use::Forest)
    }
}

/// Whether the cells of some columns of a table are not those of the source: it is drawn, or it is kept and they are of a key to
/// such cells.
pub(super) fn are_new(schema: &Schema, plans: &[TablePlan], table: &str, columns: &[String]) -> bool {
    are_new_within(schema, plans, (table, columns), MAX_WAY)
}

fn are_new_within(
    schema: &Schema,
    plans: &[TablePlan],
    (table, columns): (&str, &[String]),
    steps: usize,
) -> bool {
    let part = plans.iter().find(|plan| plan.name == table).map(|plan| plan.part);
    let keys = schema.table(table).map(|table| table.foreign_keys.as_slice()).unwrap_or_default();
    let mut keys = keys.iter().filter(|key| key.columns.iter().any(|own| columns.contains(own)));
    let is_new = |key: &ForeignKey| {
        are_new_within(schema, plans, (&key.parent, &key.parent_columns), steps.saturating_sub(1))
    };
    part == Some(Part::Learned) || part == Some(Part::Kept) && steps > 0 && keys.any(is_new)
}

/// How deep each row lies in the forest of its table; rows of a circle are roots.
pub(super) fn depths(parents: &[u32]) -> Vec<u32> {
    const OPEN: u32 = u32::MAX;
    const ON_THE_WAY: u32 = u32::MAX - 1;
    let mut depths = vec![OPEN; parents.len()];
    for start in 0..parents.len() {
        let (mut way, mut at) = (Vec::new(), start);
        let above = loop {
            match depths[at] {
                // A circle: its rows are roots.
                ON_THE_WAY => break None,
                OPEN => {}
                depth => break Some(depth),
            }
            depths[at] = ON_THE_WAY;
            way.push(at);
            match parents[at] {
                NONE => break None,
                parent if parent as usize == at => break None,
                parent => at = parent as usize,
            }
        };
        let circle = match above {
            None if depths[at] == ON_THE_WAY => way.iter().position(|&row| row == at).unwrap_or(0),
            _ => way.len(),
        };
        let mut depth = above.map_or(0, |above| above + 1);
        for (place, &row) in way.iter().enumerate().rev() {
            if place >= circle {
                depths[row] = 0;
                depth = 1;
            } else {
                depths[row] = depth;
                depth += 1;
            }
        }
    }
    depths
}

/// The rows of a table without those columns that are its number or come from elsewhere.
pub(super) fn column_of<'a>(rows: &'a Rows, name: &str) -> Result<&'a mintage_data::Column, Error> {
    rows.column(name).ok_or_else(|| {
        DataError::bad(&rows.name, format!("has no column `{name}`, which was planned")).into()
    })
}

/// Columns that others can be drawn given.
pub(super) fn light(found: &TableSchema) -> impl Iterator<Item = String> {
    let is_light = |kind: Kind, distinct: usize| match kind {
        Kind::Integer | Kind::Number | Kind::Boolean | Kind::Datetime => true,
        Kind::Category => distinct <= MAX_CATEGORIES,
        Kind::Id | Kind::Text | Kind::Constant => false,
    };
    let columns = found.columns.iter().filter(move |column| is_light(column.kind, column.distinct));
    columns.map(|column| column.name.clone())
}
