//! Which rows of a database are read where it has more than are held: whole families, a parent with all its children.
//!
//! ```text
//! roots         a share of them, by chance
//! children      those of the chosen parents; of parents with very many, a share of those
//! further parents, ancestors of chosen rows: read too, for what their columns tell, and not learned
//! ```
//!
//! Every row is seen once in the order of the source and no more than the chosen ones are held. On the way the rows that refer
//! to a chosen row are counted, also those that are not chosen themselves: so numbers of children are those of the whole
//! database. The same source gives the same rows.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use mintage_data::{
    SourceSpec, Table as Rows,
    database::{Choice, ForeignKey, Role, Schema, Table},
    table::{Sieve, read_sifted},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    filled::{columns_at, hash_of, is_meant},
    planner::MIN_ROWS,
};
use crate::{dataset::thousands, error::Error};

/// Cells of all tables together that are read: what a gigabyte holds, with the new rows beside them.
const MAX_CELLS: f64 = 25e6;
/// Rows of a table that are read at least, if it has as many.
const MIN_SHARE_ROWS: f64 = 2000.0;
/// … as a part of the rows of all tables where these are said.
const MIN_PART: f64 = 0.02;
/// A table with more rows for each of its parents' than this is no sequence, and need not be read with whole families.
const MAX_FAMILY: f64 = 64.0;
/// Generations of a table with a key to itself that are read above a chosen row.
const MAX_GENERATIONS: usize = 16;
/// Halvings by which the share that fits is found.
const STEPS: usize = 40;

/// What is read of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Share {
    /// Of all its rows, about: 1 is all of them.
    rows: f64,
    /// The key to the parent that its rows come with.
    main: Option<usize>,
    /// Of the rows of chosen parents, or of all where there is none.
    of_family: f64,
}

/// The rows that are read of a database, and what is known of the others.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    pub tables: HashMap<String, Rows>,
    /// How many rows of a table are learned, from its first on; of a table that is not here, all.
    pub learned: HashMap<String, usize>,
    /// For each key of a table of which not all rows were chosen that refer to chosen ones: how many rows refer to each row
    /// of its parent, by the places of the parent's rows.
    pub degrees: HashMap<String, Vec<Option<Vec<u32>>>>,
    /// What was left out, for the user.
    pub notes: Vec<String>,
}

/// Reads a part of a database that is too large; nothing where all of it can be read. [`SourceSpec::limit`] is how many rows of
/// all tables are read at most, `source` the source of each of them.
///
/// # Errors
/// A table cannot be read, or the tables cannot be filled in any order.
pub(super) fn sample(
    schema: &Schema,
    spec: &SourceSpec,
    source: &dyn Fn(&str) -> SourceSpec,
) -> Result<Option<Sampled>, Error> {
    let choices = schema.choices(spec)?;
    let order = schema.order()?.tables;
    let least =
        spec.limit.map_or(MIN_SHARE_ROWS, |limit| (limit as f64 * MIN_PART).clamp(20.0, MIN_SHARE_ROWS));
    let fits = |share: f64| {
        let all = shares(schema, &order, &choices, (share, least));
        match spec.limit {
            Some(limit) => size(schema, &all, |_| 1.0) <= limit as f64,
            None => size(schema, &all, |table| table.columns.len() as f64) <= MAX_CELLS,
        }
    };
    if fits(1.0) {
        return Ok(None);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        if fits(middle) { low = middle } else { high = middle }
    }
    let shares = shares(schema, &order, &choices, (low, least));
    if shares.values().all(|share| share.rows >= 1.0) {
        return Ok(None);
    }
    let mut reading = Reading {
        schema,
        source,
        limit: spec.limit,
        shares,
        places: HashMap::new(),
        sampled: Sampled::default(),
    };
    for name in &order {
        reading.choose(name)?;
    }
    for name in &order {
        reading.count_late(name)?;
    }
    for name in &order {
        reading.add_parents(name)?;
    }
    reading.note();
    Ok(Some(reading.sampled))
}

/// What is read of each table if `share` of all families is, and at least so many rows of each root.
fn shares(
    schema: &Schema,
    order: &[String],
    choices: &BTreeMap<String, Choice>,
    (share, least_rows): (f64, f64),
) -> HashMap<String, Share> {
    let mut all: HashMap<String, Share> = HashMap::new();
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for name in order {
        let Some(table) = schema.table(name) else { continue };
        let rows = table.rows as f64;
        if is_kept(table, choices) {
            all.insert(name.clone(), Share { rows: 1.0, main: None, of_family: 1.0 });
            continue;
        }
        let is_drawn = |parent: &str| schema.table(parent).is_some_and(|parent| !is_kept(parent, choices));
        let main = main_key(schema, table, &depths, &is_drawn);
        let least = |of: f64| share.max(least_rows / of.max(1.0)).min(1.0);
        let own = match main {
            None => Share { rows: least(rows), main, of_family: least(rows) },
            Some(at) => {
                let parent = &table.foreign_keys[at].parent;
                let theirs = all.get(parent).map_or(1.0, |parent| parent.rows);
                let parents = schema.table(parent).map_or(0.0, |parent| parent.rows as f64);
                let of_family = match rows > MAX_FAMILY * parents {
                    true => (least(rows) / theirs).min(1.0),
                    false => 1.0,
                };
                Share { rows: theirs * of_family, main, of_family }
            }
        };
        let above = main.and_then(|at| depths.get(table.foreign_keys[at].parent.as_str()));
        let depth = above.map_or(0, |depth| depth + 1);
        depths.insert(&table.name, depth);
        all.insert(name.clone(), own);
    }
    all
}

/// Whether the rows of a table are kept as they are: all of them are read.
fn is_kept(table: &Table, choices: &BTreeMap<String, Choice>) -> bool {
    match choices.get(&table.name) {
        Some(Choice::Keep) => true,
        Some(Choice::Learn) => false,
        None => table.role == Role::Reference || table.rows < MIN_ROWS as u64,
    }
}

/// The key to the parent that rows come with, chosen as the plan of the models chooses it; `depths` are of the tables that come
/// before.
fn main_key(
    schema: &Schema,
    table: &Table,
    depths: &HashMap<&str, usize>,
    is_drawn: &dyn Fn(&str) -> bool,
) -> Option<usize> {
    let keys = &table.foreign_keys;
    let rank = |at: usize| {
        let parent = keys[at].parent.as_str();
        let rows = schema.table(parent).map_or(0, |parent| parent.rows);
        let is_primary = keys[at].columns.iter().any(|own| table.primary_key.contains(own));
        let depth = depths.get(parent).copied().unwrap_or(0);
        (depth, rows, is_primary, !keys[at].optional, std::cmp::Reverse(at))
    };
    let is_before = |at: &usize| {
        let key = &keys[*at];
        key.only.is_none()
            && !key.is_of(&table.name)
            && is_drawn(&key.parent)
            && depths.contains_key(key.parent.as_str())
    };
    (0..keys.len()).filter(is_before).max_by_key(|&at| rank(at))
}

/// The rows of all tables that are read, each of a weight; with those of further parents, as many as refer to them at most.
fn size(schema: &Schema, shares: &HashMap<String, Share>, weight: impl Fn(&Table) -> f64) -> f64 {
    let share = |table: &str| shares.get(table).copied().map_or(1.0, |share| share.rows);
    let own = |table: &Table| {
        let rows = table.rows as f64 * share(&table.name);
        let main = shares.get(&table.name).and_then(|share| share.main);
        let further = table.foreign_keys.iter().enumerate().filter(|(at, _)| Some(*at) != main);
        let beyond = further.filter_map(|(_, key)| {
            let parent = schema.table(&key.parent)?;
            let left = parent.rows as f64 * (1.0 - share(&key.parent));
            Some(rows.min(left) * weight(parent))
        });
        rows * weight(table) + beyond.sum::<f64>()
    };
    schema.tables.iter().map(own).sum()
}

/// Reads the tables one after another.
struct Reading<'a> {
    schema: &'a Schema,
    source: &'a dyn Fn(&str) -> SourceSpec,
    /// Rows of all tables that the user asks for at most.
    limit: Option<usize>,
    shares: HashMap<String, Share>,
    /// The chosen rows of a table by the hashes of the cells of some of its columns.
    places: HashMap<(String, Vec<String>), Places>,
    sampled: Sampled,
}

type Places = HashMap<u64, u32>;

impl Reading<'_> {
    fn share(&self, table: &str) -> Share {
        let all = Share { rows: 1.0, main: None, of_family: 1.0 };
        self.shares.get(table).copied().unwrap_or(all)
    }

    /// Whether all rows of a table are read.
    fn is_whole(&self, table: &str) -> bool {
        self.share(table).rows >= 1.0
    }

    /// Reads the chosen rows of a table, whose parents are read.
    fn choose(&mut self, name: &str) -> Result<(), Error> {
        let Some(table) = self.schema.table(name) else { return Ok(()) };
        if table.rows == 0 {
            let rows = Rows { name: name.to_owned(), ..Rows::default() };
            self.sampled.tables.insert(name.to_owned(), rows);
            return Ok(());
        }
        let share = self.share(name);
        let keys = &table.foreign_keys;
        // Those of parents that come later are counted when they are there.
        let there: Vec<usize> =
            (0..keys.len()).filter(|&at| self.sampled.tables.contains_key(&keys[at].parent)).collect();
        there.iter().for_each(|&at| self.note_places(&keys[at].parent, &keys[at].parent_columns));
        let is_whole = self.is_whole(name);
        // All children of a chosen parent are chosen with it.
        let is_complete = |at: usize| share.main == Some(at) && share.of_family >= 1.0;
        let counted = there.iter().filter(|&&at| !is_whole && !is_complete(at));
        let counted: Vec<Counted> = counted.filter_map(|&at| self.counted((at, &keys[at]))).collect();
        let family =
            share.main.filter(|_| !is_whole).and_then(|at| Some((&keys[at], self.places_of(&keys[at])?)));
        let of_family = if is_whole { 1.0 } else { share.of_family };
        let seed = xxh3_64(name.as_bytes());
        let mut sieve = Chosen { family, seed, of_family, orphans: share.rows, counted };
        let mut rows = read_sifted(&(self.source)(name), &mut sieve)?;
        let counts = counts_of(sieve.counted);
        name.clone_into(&mut rows.name);
        if !is_whole {
            self.sampled.learned.insert(name.to_owned(), rows.rows());
        }
        self.sampled.tables.insert(name.to_owned(), rows);
        self.keep_counts(table, counts);
        Ok(())
    }

    /// Counts the rows that refer to chosen ones of tables that were read after theirs, or of their own.
    fn count_late(&mut self, name: &str) -> Result<(), Error> {
        let Some(table) = self.schema.table(name).filter(|table| table.rows > 0) else { return Ok(()) };
        let share = self.share(name);
        let is_open = |at: usize| {
            let counted = self.sampled.degrees.get(name).and_then(|degrees| degrees[at].as_ref());
            counted.is_none() && share.main != Some(at)
        };
        let open: Vec<usize> = (0..table.foreign_keys.len()).filter(|&at| is_open(at)).collect();
        if open.is_empty() || self.is_whole(name) {
            return Ok(());
        }
        for &at in &open {
            let key = &table.foreign_keys[at];
            self.note_places(&key.parent, &key.parent_columns);
        }
        let counted = open.iter().filter_map(|&at| self.counted((at, &table.foreign_keys[at]))).collect();
        let mut sieve = Counting { counted };
        read_sifted(&(self.source)(name), &mut sieve)?;
        let counts = counts_of(sieve.counted);
        self.keep_counts(table, counts);
        Ok(())
    }

    /// Keeps how many rows of a table refer to each chosen row by some of its keys.
    fn keep_counts(&mut self, table: &Table, counts: Vec<(usize, Vec<u32>)>) {
        let none = || vec![None; table.foreign_keys.len()];
        let degrees = self.sampled.degrees.entry(table.name.clone()).or_insert_with(none);
        counts.into_iter().for_each(|(at, counts)| degrees[at] = Some(counts));
    }

    /// Reads the rows of a table that chosen rows refer to and that are not chosen themselves; of its own those above them.
    fn add_parents(&mut self, name: &str) -> Result<(), Error> {
        if self.is_whole(name) {
            return Ok(());
        }
        let Some(table) = self.schema.table(name) else { return Ok(()) };
        let has_own = table.foreign_keys.iter().any(|key| key.is_of(name));
        for _ in 0..if has_own { MAX_GENERATIONS } else { 1 } {
            let needed = self.needed(name);
            if needed.iter().all(|(_, keys)| keys.is_empty()) {
                return Ok(());
            }
            let mut sieve = Needed { needed };
            let more = read_sifted(&(self.source)(name), &mut sieve)?;
            let Some(rows) = self.sampled.tables.get_mut(name) else { return Ok(()) };
            if more.rows() == 0 {
                return Ok(());
            }
            rows.append(&more)?;
            // The rows that were added have places of their own.
            self.places.retain(|(of, _), _| of != name);
        }
        Ok(())
    }

    /// The keys of rows of a table that are referred to and not read, by the columns that they are of.
    fn needed(&mut self, name: &str) -> Vec<(Vec<String>, HashSet<u64>)> {
        let schema = self.schema;
        let mut needed: BTreeMap<Vec<String>, HashSet<u64>> = BTreeMap::new();
        for (child, key) in schema.keys().filter(|(_, key)| key.parent == name) {
            self.note_places(name, &key.parent_columns);
            let (Some(rows), Some(places)) = (self.sampled.tables.get(&child.name), self.places_of(key))
            else {
                continue;
            };
            // Above rows of the same table that were added stand others; of all else what is learned counts.
            let n = match key.is_of(name) {
                true => rows.rows(),
                false => self.sampled.learned.get(&child.name).copied().unwrap_or(rows.rows()),
            };
            let Some(columns) = columns_at(rows, &key.columns) else { continue };
            let meant = (0..n).filter(|&row| is_meant(key, rows, row));
            let keys = meant.filter_map(|row| hash_of(rows, &columns, row));
            let keys = keys.filter(|key| !places.contains_key(key));
            needed.entry(key.parent_columns.clone()).or_default().extend(keys);
        }
        needed.into_iter().collect()
    }

    /// Notes where the rows of a table lie by the cells of some columns.
    fn note_places(&mut self, table: &str, columns: &[String]) {
        let of = (table.to_owned(), columns.to_vec());
        let Some(rows) = self.sampled.tables.get(table).filter(|_| !self.places.contains_key(&of)) else {
            return;
        };
        let mut places = Places::new();
        if let Some(columns) = columns_at(rows, columns) {
            for row in 0..rows.rows() {
                if let Some(key) = hash_of(rows, &columns, row) {
                    places.entry(key).or_insert(row as u32);
                }
            }
        }
        self.places.insert(of, places);
    }

    fn places_of(&self, key: &ForeignKey) -> Option<&Places> {
        self.places.get(&(key.parent.clone(), key.parent_columns.clone()))
    }

    fn counted<'k>(&'k self, (at, key): (usize, &'k ForeignKey)) -> Option<Counted<'k>> {
        let rows = self.sampled.tables.get(&key.parent)?.rows();
        Some(Counted { at, key, places: self.places_of(key)?, counts: vec![0; rows] })
    }

    /// Says how much of each table was read.
    fn note(&mut self) {
        let tables = self.schema.tables.iter().filter(|table| !self.is_whole(&table.name));
        let of = |table: &Table| {
            let read = self.sampled.learned.get(&table.name).copied().unwrap_or(0);
            format!("{} of {} rows of {}", thousands(read), thousands(table.rows as usize), table.name)
        };
        let all: Vec<String> = tables.map(of).collect();
        let why = match self.limit {
            Some(limit) => format!("no more than {} rows are asked for", thousands(limit)),
            None => "the database is larger than what is held at once".to_owned(),
        };
        self.sampled.notes.push(format!("{why}: whole families are learned from, {}", all.join(", ")));
    }
}

/// Whether a row is among a share of all, scattered by their places in the source.
fn is_among(row: u64, seed: u64, share: f64) -> bool {
    share >= 1.0 || (xxh3_64_with_seed(&row.to_le_bytes(), seed) as f64) < share * u64::MAX as f64
}

/// Rows that refer to each row of a parent by a key, counted.
struct Counted<'a> {
    at: usize,
    key: &'a ForeignKey,
    places: &'a Places,
    counts: Vec<u32>,
}

impl Counted<'_> {
    fn begin(&mut self) {
        self.counts.fill(0);
    }

    fn count(&mut self, table: &Rows, rows: Range<usize>) {
        let Some(columns) = columns_at(table, &self.key.columns) else { return };
        let foreign = self.key;
        for row in rows.filter(|&row| is_meant(foreign, table, row)) {
            if let Some(&place) = hash_of(table, &columns, row).and_then(|key| self.places.get(&key)) {
                self.counts[place as usize] = self.counts[place as usize].saturating_add(1);
            }
        }
    }
}

/// What was counted, by the places of the keys.
fn counts_of(counted: Vec<Counted>) -> Vec<(usize, Vec<u32>)> {
    counted.into_iter().map(|counted| (counted.at, counted.counts)).collect()
}

/// Keeps the rows of chosen families.
struct Chosen<'a> {
    /// The key to the parent that rows come with, and its chosen rows; nothing of a root.
    family: Option<(&'a ForeignKey, &'a Places)>,
    seed: u64,
    /// The share of the rows of a family, or of all of a root.
    of_family: f64,
    /// The share of rows without a parent.
    orphans: f64,
    counted: Vec<Counted<'a>>,
}

impl Sieve for Chosen<'_> {
    fn begin(&mut self) {
        self.counted.iter_mut().for_each(Counted::begin);
    }

    fn keeps(&mut self, table: &Rows, rows: Range<usize>, first: u64) -> Vec<bool> {
        self.counted.iter_mut().for_each(|counted| counted.count(table, rows.clone()));
        let family = self.family.and_then(|(key, places)| Some((columns_at(table, &key.columns)?, places)));
        let keeps = |(row, number): (usize, u64)| match &family {
            None => is_among(number, self.seed, self.of_family),
            Some((columns, places)) => match hash_of(table, columns, row) {
                Some(key) => places.contains_key(&key) && is_among(number, self.seed, self.of_family),
                None => is_among(number, self.seed, self.orphans),
            },
        };
        rows.zip(first..).map(keeps).collect()
    }
}

/// Keeps no row and counts them.
struct Counting<'a> {
    counted: Vec<Counted<'a>>,
}

impl Sieve for Counting<'_> {
    fn begin(&mut self) {
        self.counted.iter_mut().for_each(Counted::begin);
    }

    fn keeps(&mut self, table: &Rows, rows: Range<usize>, _: u64) -> Vec<bool> {
        self.counted.iter_mut().for_each(|counted| counted.count(table, rows.clone()));
        vec![false; rows.len()]
    }
}

/// Keeps the rows with one of some keys.
struct Needed {
    needed: Vec<(Vec<String>, HashSet<u64>)>,
}

impl Sieve for Needed {
    fn begin(&mut self) {}

    fn keeps(&mut self, table: &Rows, rows: Range<usize>, _: u64) -> Vec<bool> {
        let all = self.needed.iter().filter_map(|(names, keys)| Some((columns_at(table, names)?, keys)));
        let all: Vec<_> = all.collect();
        let is_needed = |row: usize| {
            let is_in = |(columns, keys): &(Vec<usize>, &HashSet<u64>)| {
                hash_of(table, columns, row).is_some_and(|key| keys.contains(&key))
            };
            all.iter().any(is_in)
        };
        rows.map(is_needed).collect()
    }
}
