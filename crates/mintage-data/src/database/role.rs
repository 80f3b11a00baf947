//! What part a table plays among the others. A rule of thumb each, with its reason in words, so that it can be corrected.
//!
//! * A **bridge** joins rows of other tables: its primary key is made of keys to them.
//! * A **reference** table is a short list of values that others refer to, such as countries: it refers to nothing, has a
//!   text, at most three columns beside its key and [`MAX_REFERENCE_ROWS`] rows, and is a fifth as long as any table that
//!   refers to it. Columns that people have make it none.
//!   A table that others refer to and that is a calendar, or holds all combinations of a few categories, is one as well
//!   (`complete.rs`).
//! * An **event** has a parent, of whose rows each has several on average, and a time that is no key.
//! * Everything else is an **entity**.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    Column, Error, Table, Values, complete, listed,
    names::{has_word, is_time},
};
use crate::table::{Type, declared_type};

/// Rows of a reference table, at most.
const MAX_REFERENCE_ROWS: u64 = 1000;
/// Columns of a reference table beside its key, at most.
const MAX_REFERENCE_COLUMNS: usize = 3;
/// Rows that refer to a row of a reference table, on average, at least.
const MIN_USES: u64 = 5;
/// Events of a parent, on average, at least.
const MIN_EVENTS: f64 = 1.5;
/// Words of columns that people have.
const OF_PEOPLE: [&str; 14] = [
    "surname",
    "forename",
    "firstname",
    "lastname",
    "birth",
    "birthdate",
    "birthday",
    "dob",
    "email",
    "mail",
    "phone",
    "passport",
    "ssn",
    "gender",
];

/// The part that a table plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Rows of their own.
    #[default]
    Entity,
    /// What happened to rows of a parent, in time.
    Event,
    /// Pairs of rows of other tables.
    Bridge,
    /// A short list that others refer to.
    Reference,
}

impl Role {
    /// As texts and drawings call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Event => "event",
            Self::Bridge => "bridge",
            Self::Reference => "reference",
        }
    }
}

/// Gives every table its role and the reason.
///
/// # Errors
/// The values cannot be read.
pub(super) fn assign(tables: &mut [Table], values: &mut dyn Values) -> Result<(), Error> {
    let rows: HashMap<String, u64> = tables.iter().map(|table| (table.name.clone(), table.rows)).collect();
    // Rows of the shortest table that refers to each.
    let mut uses: HashMap<String, u64> = HashMap::new();
    for table in tables.iter() {
        for key in table.foreign_keys.iter().filter(|key| !key.is_of(&table.name)) {
            let least = uses.entry(key.parent.clone()).or_insert(u64::MAX);
            *least = table.rows.min(*least);
        }
    }
    for table in tables {
        let least_uses = uses.get(&table.name).copied();
        let mut found = bridge(table)
            .map(|why| (Role::Bridge, why))
            .or_else(|| reference(table, least_uses).map(|why| (Role::Reference, why)));
        if found.is_none() && least_uses.is_some() && !has_people(table) {
            found = complete::reason(table, values)?.map(|why| (Role::Reference, why));
        }
        let found = found.or_else(|| event(table, &rows).map(|why| (Role::Event, why)));
        (table.role, table.role_why) = found.unwrap_or_else(|| (Role::Entity, entity(table)));
    }
    Ok(())
}

/// Its primary key is made of at least two keys; where it has none, all its columns are.
fn bridge(table: &Table) -> Option<String> {
    let all: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let (key, what) = match table.primary_key.is_empty() {
        true => (&all, "its columns"),
        false => (&table.primary_key, "its primary key"),
    };
    let inside = |columns: &[String]| columns.iter().all(|column| key.contains(column));
    let parts: Vec<_> = table.foreign_keys.iter().filter(|foreign| inside(&foreign.columns)).collect();
    let is_covered = |column: &String| parts.iter().any(|foreign| foreign.columns.contains(column));
    if parts.len() < 2 || key.len() < 2 || !key.iter().all(is_covered) {
        return None;
    }
    let parents: Vec<&str> = parts.iter().map(|foreign| foreign.parent.as_str()).collect();
    Some(format!("{what} {} is made of keys to {}", listed(key), parents.join(" and ")))
}

fn reference(table: &Table, least_uses: Option<u64>) -> Option<String> {
    let least = least_uses?;
    let others = table.columns.iter().filter(|column| !table.primary_key.contains(&column.name)).count();
    let has_text = table.columns.iter().any(|column| declared_type(&column.ty) == Some(Type::Text));
    let is_short = (1..=MAX_REFERENCE_ROWS).contains(&table.rows) && table.rows * MIN_USES <= least;
    let is_list =
        table.foreign_keys.is_empty() && has_text && others <= MAX_REFERENCE_COLUMNS && !has_people(table);
    (is_short && is_list).then(|| {
        let rows = if table.rows == 1 { "its only row" } else { "its few rows" };
        format!("others refer to {rows}, and it refers to nothing")
    })
}

fn event(table: &Table, rows: &HashMap<String, u64>) -> Option<String> {
    if has_people(table) {
        return None;
    }
    let own_key = |columns: &[String]| {
        columns == table.primary_key.as_slice() || table.unique.iter().any(|key| key == columns)
    };
    let is_parent = |key: &&super::ForeignKey| {
        let parents = rows.get(&key.parent).copied().unwrap_or(0);
        !key.is_of(&table.name) && !own_key(&key.columns) && table.rows as f64 >= MIN_EVENTS * parents as f64
    };
    let key = table.foreign_keys.iter().find(is_parent)?;
    // A key to a calendar says when as well, but not by itself.
    let time = table.columns.iter().find(|column| is_time(column) && !table.is_foreign(&column.name))?;
    Some(format!("rows of {} have several each, with a time in {}", key.parent, time.name))
}

fn entity(table: &Table) -> String {
    let own = table.foreign_keys.iter().find(|key| key.columns == table.primary_key);
    if let Some(key) = own {
        return format!("one row each for rows of {}: its primary key refers to them", key.parent);
    }
    if has_people(table) {
        return "its columns are those of people".to_owned();
    }
    let mut parents: Vec<&str> = Vec::new();
    for key in table.foreign_keys.iter().filter(|key| !key.is_of(&table.name)) {
        if !parents.contains(&key.parent.as_str()) {
            parents.push(&key.parent);
        }
    }
    match parents.is_empty() {
        true => "rows of their own".to_owned(),
        false => format!("rows of their own, which belong to {}", parents.join(", ")),
    }
}

fn has_people(table: &Table) -> bool {
    let is_of_people = |column: &Column| {
        let is_name = has_word(&column.name, &["name"]);
        is_name && has_word(&column.name, &["first", "last", "given", "family"])
            || has_word(&column.name, &OF_PEOPLE)
    };
    table.columns.iter().any(is_of_people)
}
