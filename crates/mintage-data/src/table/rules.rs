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
//! | range, positive, rounded, regex, unique | the column as it is; put right on the way back |
//!
//! A missing cell breaks no rule, but a formula of missing cells is missing. Rules that cannot all hold, and
//! rules that the table itself breaks, are errors of [`Rules::new`].

mod bounds;
mod check;
mod expression;
mod holds;
mod joint;
mod order;
mod plan;
mod propose;
mod repair;

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Column, Table,
    schema::{ColumnSchema, TableSchema},
};
use crate::Error;
use expression::Expression;
use joint::Joint;
use order::Follower;
pub(super) use order::Scale;
pub use propose::propose;

/// One rule, as a recipe has it in `[[data.rules]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Numbers or dates from `min` to `max`.
    Range {
        column: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<Bound>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Bound>,
    },
    /// Numbers or dates of which none is less than one before it, or equal to it where `strict`.
    Order {
        columns: Vec<String>,
        #[serde(default)]
        strict: bool,
    },
    /// Only combinations of values that occur in the table.
    Combination { columns: Vec<String> },
    /// No two rows have the same values.
    Unique { columns: Vec<String> },
    /// Exactly one of the columns says yes.
    OneHot { columns: Vec<String> },
    /// The column is computed from others: `price * quantity`.
    Formula { column: String, equals: String },
    /// Texts that match a regular expression as a whole.
    Regex { column: String, pattern: String },
    /// Numbers above zero.
    Positive { column: String },
    /// Numbers with at most so many digits after the point.
    Rounded { column: String, digits: i8 },
}

/// A number or a date, as the column writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound(pub String);

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
    /// The rules for a table that keeps them. It is an error when it does not, and when they cannot hold
    /// together.
    pub fn new(rules: Vec<Rule>, table: &Table, schema: &TableSchema) -> Result<Self, Error> {
        plan::plan(rules, table, schema)
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
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

    /// The table in its own form, every rule kept. `random` is drawn from where a value has to be replaced.
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
        repair::unique(self, &mut table, random)?;
        for formula in &self.formulas {
            formula.compute(&mut table, &self.own);
        }
        Ok(table)
    }

    /// Each rule in words, with how many rows of `table` break it. Combinations are those of `real`.
    pub fn check(&self, table: &Table, real: &Table) -> Vec<(String, usize)> {
        let rules = self.rules.iter();
        rules.map(|rule| (rule.to_string(), holds::broken(rule, table, real, &self.own).len())).collect()
    }

    /// Where the column of that name is found in the form that models see.
    pub fn place(&self, name: &str) -> Result<Place, Error> {
        let Some(column) = self.own.columns.iter().position(|column| column.name == name) else {
            return Err(plan::unknown(name, &self.own));
        };
        for (at, origin) in self.origins.iter().enumerate() {
            match *origin {
                Origin::Column(own) if own == column => return Ok(Place::Own(at)),
                Origin::Joint(joint) => {
                    if let Some(member) = self.joints[joint].members.iter().position(|&m| m == column) {
                        return Ok(Place::Joint { column: at, member });
                    }
                }
                Origin::Column(_) | Origin::Follower(_) => {}
            }
        }
        let names = |columns: &[usize]| {
            let names = columns.iter().map(|&column| format!("`{}`", self.own.columns[column].name));
            names.collect::<Vec<_>>().join(", ")
        };
        let (why, instead) = match self.formulas.iter().find(|formula| formula.column == column) {
            Some(formula) => ("is computed by a formula", names(&formula.expression.columns())),
            None => {
                let follower = self.followers.iter().find(|follower| follower.column == column);
                let first = follower
                    .map_or_else(Vec::new, |f| f.parents.iter().map(|parent| parent.column).collect());
                ("is kept as a distance from another by the rule of its order", names(&first))
            }
        };
        let why = format!("{why}, so that no value can be asked of it");
        Err(Error::bad(format!("column `{name}`"), why)
            .with_hint(format!("ask for values of {instead} instead")))
    }
}

impl Formula {
    /// The text of a row, or nothing where a number is missing.
    fn text(&self, value: impl Fn(usize) -> Option<f64>, schema: &TableSchema) -> Option<String> {
        let value = self.expression.value(&value)?;
        Some(schema.columns[self.column].text(value + value.abs() * self.nudge))
    }

    fn compute(&self, table: &mut Table, schema: &TableSchema) {
        let numbers = holds::Numbers::of(table, schema, self.expression.columns());
        let mut column =
            Column::new(&table.columns[self.column].name, table.columns[self.column].declaration.clone());
        for row in 0..numbers.rows() {
            let text = self.text(|of| numbers.get(of, row), schema);
            column.push(text.as_deref().or(self.missing.as_deref()));
        }
        table.columns[self.column] = column;
    }
}

impl Rule {
    /// The columns that the rule names.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Order { columns, .. }
            | Self::Combination { columns }
            | Self::Unique { columns }
            | Self::OneHot { columns } => columns.iter().map(String::as_str).collect(),
            Self::Range { column, .. }
            | Self::Formula { column, .. }
            | Self::Regex { column, .. }
            | Self::Positive { column }
            | Self::Rounded { column, .. } => vec![column],
        }
    }
}

/// The rule in words.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Range { column, min: Some(min), max: Some(max) } => {
                write!(f, "{column} from {min} to {max}")
            }
            Self::Range { column, min: Some(min), max: None } => write!(f, "{column} at least {min}"),
            Self::Range { column, min: None, max: Some(max) } => write!(f, "{column} at most {max}"),
            Self::Range { column, min: None, max: None } => write!(f, "{column} without bounds"),
            Self::Order { columns, strict } => {
                f.write_str(&columns.join(if *strict { " < " } else { " <= " }))
            }
            Self::Combination { columns } => write!(f, "{}: combinations that occur", columns.join(" + ")),
            Self::Unique { columns } => write!(f, "{} unique", columns.join(" + ")),
            Self::OneHot { columns } => write!(f, "exactly one of {}", columns.join(", ")),
            Self::Formula { column, equals } => write!(f, "{column} = {equals}"),
            Self::Regex { column, pattern } => write!(f, "{column} like {pattern}"),
            Self::Positive { column } => write!(f, "{column} > 0"),
            Self::Rounded { column, digits } => write!(f, "{column} rounded to {digits} digits"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0.parse::<i64>(), self.0.parse::<f64>()) {
            (Ok(whole), _) if whole.to_string() == self.0 => serializer.serialize_i64(whole),
            (_, Ok(number)) if number.to_string() == self.0 => serializer.serialize_f64(number),
            _ => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl de::Visitor<'_> for Any {
            type Value = Bound;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, or a date in quotation marks")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Bound, E> {
                Ok(Bound(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Bound, E> {
                Ok(Bound(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Bound, E> {
                Ok(Bound(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bound, E> {
                Ok(Bound(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests;
