//! The same database with other persons: every personal value gets a mask, the same one wherever it stands, dates of birth move
//! by some days, and all else stays. Nothing is learned.
//!
//! A part of the rows can be taken: of tables that refer to no other a share at random, of all others the rows of those, and
//! then whatever these refer to, so that every key holds.

use std::collections::{HashMap, HashSet};

use mintage_data::{
    Column, SourceSpec, Table,
    database::{ForeignKey, Role, Schema},
    table::schema::{Kind, TextMode},
};
use mintage_nn::Rng;
use mintage_persons::{Mask, Personal};

use super::{
    births::{BirthDates, Births},
    filled::{Database, NONE},
    persons::Persons,
    planner::described,
    read::{Extent, read},
};
use crate::error::Error;

/// What is to be masked, and how.
#[derive(Clone, Debug, Default)]
pub struct MaskRequest {
    /// These tables alone, where any are named.
    pub only: Vec<String>,
    /// Tables to leave out.
    pub without: Vec<String>,
    /// Columns that stay as they are, as `table.column`.
    pub keep: Vec<String>,
    /// The same key gives the same masks; without it nobody can repeat them.
    pub key: Vec<u8>,
    /// The share of rows to take, from 0 to 1.
    pub share: Option<f64>,
    /// Seed of the choice of rows.
    pub seed: u64,
}

/// A masked database.
#[derive(Clone, Debug)]
pub struct Masked {
    /// The schema of the source.
    pub schema: Schema,
    /// The rows of all tables.
    pub tables: Vec<Table>,
    /// What was masked, and why.
    pub persons: Vec<Persons>,
    /// The dates of birth that were moved, and why.
    pub births: Vec<BirthDates>,
    /// What could not be read, and what may point at persons and stays.
    pub notes: Vec<String>,
}

/// Reads a database and masks it.
///
/// # Errors
/// The source is no database, cannot be read, or has no such table or column.
pub fn mask(spec: &SourceSpec, request: &MaskRequest) -> Result<Masked, Error> {
    let (schema, source, mut notes) = read(spec, &request.only, &request.without, Extent::Everything)?;
    check_kept(&schema, &request.keep)?;
    let is_kept = |table: &str, column: &str| request.keep.contains(&format!("{table}.{column}"));
    // Keys that refer to others follow those that they refer to.
    let may = |table: &mintage_data::database::Table, column: &Column, _: Personal| {
        let follows = table.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
        !follows && !is_kept(&table.name, &column.name)
    };
    let spec = SourceSpec { text: TextMode::Fresh, ..spec.clone() };
    let tables = schema.tables.iter().filter_map(|table| Some((table, &source.get(&table.name)?.table)));
    let mut persons: Vec<Persons> =
        tables.filter_map(|(table, rows)| Persons::of(table, rows, &spec, &may)).collect();
    // Those with names first, so that what is made of names in other tables follows.
    persons.sort_by_key(|own| !own.kinds().any(|(_, what)| is_name(what)));
    let births = Births::of(&schema, &source, &request.key, &is_kept);
    notes.extend(births.notes.iter().cloned());
    let is_seen_to = |table: &str, column: &str| is_kept(table, column) || births.has(table, column);
    notes.extend(remarks(&schema, &source, &persons, &spec, &is_seen_to));
    let mut columns = masks(&schema, &source, &persons, &request.key);
    columns.extend(births.columns);
    let rows = request.share.map(|share| taken(&schema, &source, share, request.seed)).transpose()?;
    let mut tables = Vec::new();
    for of in &schema.tables {
        let Some(filled) = source.get(&of.name) else { continue };
        let mut table = filled.table.clone();
        for column in &mut table.columns {
            if let Some(masked) = columns.get(&(of.name.clone(), column.name.clone())) {
                *column = masked.clone();
            }
        }
        if let Some(rows) = &rows {
            table = table.select(rows.get(&of.name).map_or(&[][..], Vec::as_slice));
        }
        table.name.clone_from(&of.name);
        tables.push(table);
    }
    Ok(Masked { schema, tables, persons, births: births.moved, notes })
}

fn is_name(what: Personal) -> bool {
    matches!(what, Personal::FullName | Personal::GivenName | Personal::FamilyName)
}

fn check_kept(schema: &Schema, keep: &[String]) -> Result<(), Error> {
    for name in keep {
        let tables = schema.tables.iter();
        let mut columns = tables.flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        if !columns.any(|(table, column)| *name == format!("{}.{}", table.name, column.name)) {
            return Err(Error::request(format!("the database has no column `{name}`"))
                .with_hint("write it like customers.city"));
        }
    }
    Ok(())
}

/// The masked columns by table and name: those of persons, and keys that refer to them.
fn masks(
    schema: &Schema,
    source: &Database,
    persons: &[Persons],
    key: &[u8],
) -> HashMap<(String, String), Column> {
    let known = known(source, persons);
    let mut mask = Mask::new(key);
    let mut columns: HashMap<(String, String), Column> = HashMap::new();
    for own in persons {
        let Some(filled) = source.get(&own.table) else { continue };
        let kinds: Vec<Personal> = own.kinds().map(|(_, what)| what).collect();
        let is_known = |at: usize, text: &str| {
            known.iter().any(|(what, texts)| *what == kinds[at] && texts.contains(text))
        };
        for column in own.masked(&mut mask, &filled.table, &is_known) {
            columns.insert((own.table.clone(), column.name.clone()), column);
        }
    }
    follow_keys(schema, source, &|_| true, &mut columns);
    columns
}

/// Adds to the columns that have changed, by table and name, those of keys that refer to them, in the tables that `is_asked`
/// names; `source` has all columns as they were.
pub(super) fn follow_keys(
    schema: &Schema,
    source: &Database,
    is_asked: &dyn Fn(&str) -> bool,
    columns: &mut HashMap<(String, String), Column>,
) {
    let asked = || schema.keys().filter(|(table, _)| is_asked(&table.name));
    // A chain of keys is as long as there are keys, at most.
    for _ in 0..schema.keys().count() {
        let before = columns.len();
        for (table, foreign) in asked().filter(|(_, key)| key.only.is_none()) {
            for (own, theirs) in foreign.columns.iter().zip(&foreign.parent_columns) {
                let place = (table.name.clone(), own.clone());
                if columns.contains_key(&place) {
                    continue;
                }
                let parent = columns.get(&(foreign.parent.clone(), theirs.clone()));
                let before = source.get(&foreign.parent).and_then(|parent| parent.table.column(theirs));
                let cells = source.get(&table.name).and_then(|child| child.table.column(own));
                if let (Some(parent), Some(before), Some(cells)) = (parent, before, cells) {
                    let new = followed(cells, before, parent);
                    columns.insert(place, new);
                }
            }
        }
        if columns.len() == before {
            break;
        }
    }
    for (table, foreign) in asked().filter(|(_, key)| key.only.is_some()) {
        follow_in_some(columns, source, table, foreign);
    }
}

/// Gives the rows in which a key is one the masked values of those that they refer to.
fn follow_in_some(
    columns: &mut HashMap<(String, String), Column>,
    source: &Database,
    table: &mintage_data::database::Table,
    foreign: &ForeignKey,
) {
    for (own, theirs) in foreign.columns.iter().zip(&foreign.parent_columns) {
        let place = (table.name.clone(), own.clone());
        let parent = columns.get(&(foreign.parent.clone(), theirs.clone()));
        let before = source.get(&foreign.parent).and_then(|parent| parent.table.column(theirs));
        let child = source.get(&table.name);
        let cells = child.and_then(|child| child.table.column(own));
        if let (Some(parent), Some(before), Some(child), Some(cells)) = (parent, before, child, cells) {
            let new = followed(cells, before, parent);
            // Another of its tables may have been first.
            let mut column = columns.get(&place).unwrap_or(cells).clone();
            for row in (0..new.len()).filter(|&row| child.is_meant(foreign, row)) {
                column.set(row, new.cell(row));
            }
            columns.insert(place, column);
        }
    }
}

/// All values of each kind in the source.
fn known<'a>(source: &'a Database, persons: &[Persons]) -> Vec<(Personal, HashSet<&'a str>)> {
    let mut known: Vec<(Personal, HashSet<&str>)> = Vec::new();
    for own in persons {
        let Some(filled) = source.get(&own.table) else { continue };
        for (name, what) in own.kinds() {
            let Some(column) = filled.table.column(name) else { continue };
            let at = known.iter().position(|(other, _)| *other == what).unwrap_or_else(|| {
                known.push((what, HashSet::new()));
                known.len() - 1
            });
            known[at].1.extend(column.values().iter());
        }
    }
    known
}

/// The cells of a key where those that it refers to have changed from `before` to `after`.
fn followed(cells: &Column, before: &Column, after: &Column) -> Column {
    let pairs = before.iter().zip(after.iter());
    let new: HashMap<&str, &str> = pairs.filter_map(|(before, after)| before.zip(after)).collect();
    let mut column = Column::new(cells.name.clone(), cells.declaration.clone());
    for cell in cells.iter() {
        column.push(cell.map(|cell| new.get(cell).copied().unwrap_or(cell)));
    }
    column
}

/// Columns that stay although they may point at persons; `is_seen_to` says of one that it stays on purpose, or does not.
fn remarks(
    schema: &Schema,
    source: &Database,
    persons: &[Persons],
    spec: &SourceSpec,
    is_seen_to: &dyn Fn(&str, &str) -> bool,
) -> Vec<String> {
    let mut all = Vec::new();
    for table in &schema.tables {
        let Some(filled) = source.get(&table.name) else { continue };
        let is_masked = |column: &str| persons.iter().any(|own| own.table == table.name && own.makes(column));
        let is_key = |column: &str| {
            table.primary_key.iter().any(|own| own == column)
                || table.foreign_keys.iter().any(|key| key.columns.iter().any(|own| own == column))
        };
        let found = described(&filled.table, spec);
        let stays = found.columns.iter().filter(|column| {
            column.kind == Kind::Text
                && !is_masked(&column.name)
                && !is_key(&column.name)
                && !is_seen_to(&table.name, &column.name)
        });
        let names: Vec<&str> = stays.map(|column| column.name.as_str()).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            all.push(format!("{}: texts stay as they are, and may tell of persons: {names}", table.name));
        }
    }
    all
}

/// The rows to take of each table, in their order.
fn taken(
    schema: &Schema,
    source: &Database,
    share: f64,
    seed: u64,
) -> Result<HashMap<String, Vec<u32>>, Error> {
    let mut rng = Rng::new(seed, 0);
    let mut taken: HashMap<String, Vec<bool>> = HashMap::new();
    for name in schema.order()?.tables {
        let (Some(table), Some(filled)) = (schema.table(&name), source.get(&name)) else { continue };
        let keys = table.foreign_keys.iter().enumerate().filter(|(_, key)| !key.is_of(&name));
        let keys = keys.filter(|(_, key)| taken.contains_key(&key.parent));
        let main = keys.max_by_key(|(_, key)| source.get(&key.parent).map_or(0, |parent| parent.rows()));
        let rows = 0..filled.rows();
        let of_table: Vec<bool> = match main {
            Some((at, key)) => {
                let parents = &taken[&key.parent];
                let has = |row: usize| match filled.parents[at][row] {
                    NONE => f64::from(rng.uniform()) < share,
                    parent => parents[parent as usize],
                };
                rows.map(has).collect()
            }
            None if table.role == Role::Reference => vec![true; filled.rows()],
            None => rows.map(|_| f64::from(rng.uniform()) < share).collect(),
        };
        taken.insert(name, of_table);
    }
    while add_parents(schema, source, &mut taken) {}
    let places = |flags: Vec<bool>| (0..flags.len() as u32).filter(|&row| flags[row as usize]).collect();
    Ok(taken.into_iter().map(|(name, flags)| (name, places(flags))).collect())
}

/// Takes the rows that those taken refer to; whether there were any.
fn add_parents(schema: &Schema, source: &Database, taken: &mut HashMap<String, Vec<bool>>) -> bool {
    let mut more = false;
    for table in &schema.tables {
        let Some(filled) = source.get(&table.name) else { continue };
        for (at, key) in table.foreign_keys.iter().enumerate() {
            let Some(own) = taken.get(&table.name) else { continue };
            let rows = (0..filled.rows()).filter(|&row| own[row]);
            let parents: Vec<u32> =
                rows.map(|row| filled.parents[at][row]).filter(|&parent| parent != NONE).collect();
            let Some(theirs) = taken.get_mut(&key.parent) else { continue };
            for parent in parents {
                more |= !std::mem::replace(&mut theirs[parent as usize], true);
            }
        }
    }
    more
}
