//! Ties new rows together: which rows of its parents each row refers to, and the cells of its keys.

use std::collections::{HashMap, HashSet};

use mintage_data::{
    Column, Declaration, Table,
    database::{ForeignKey, Schema, Table as TableSchema},
    table::MISSING,
};
use mintage_nn::Rng;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    agree::agree,
    assign::{assign, scaled},
    before::Before,
    even::counts_in,
    filled::{Database, Filled, NONE, columns_at, key_of, put, rows_of},
    forest::Forest,
    plan::{Context, DEPTH, From, Part, TablePlan, Use, are_new},
    rivals::Rivals,
    slice::Slice,
    view::picked,
};

/// Parents that a row of a kept table tries.
const MAX_TRIES: usize = 10_000;

/// The keys of one table.
pub(super) struct Ties<'a> {
    schema: &'a Schema,
    plans: &'a [TablePlan],
    plan: &'a TablePlan,
    table: &'a TableSchema,
    /// Which part of the new rows is tied.
    slice: Slice,
}

impl<'a> Ties<'a> {
    /// Those of the table of the plan at a place; nothing where there is none, or the schema does not have the table.
    pub fn of(schema: &'a Schema, plans: &'a [TablePlan], at: usize) -> Option<Self> {
        let plan = plans.get(at)?;
        Some(Self { schema, plans, plan, table: schema.table(&plan.name)?, slice: Slice::WHOLE })
    }

    /// The same for one part of the new rows.
    pub fn in_part(self, slice: Slice) -> Self {
        Self { slice, ..self }
    }

    /// Finds the parents that are there by now by some keys, and gives rows their cells; returns those of the keys whose parents
    /// are not there yet.
    pub fn tie(&self, made: &mut Database, keys: &[usize], mut rng: Rng) -> Vec<usize> {
        if self.plan.part == Part::Empty {
            return Vec::new();
        }
        let Some(mut filled) = made.remove(&self.plan.name) else { return Vec::new() };
        let mut keys: Vec<usize> = keys.iter().copied().filter(|&key| key < self.plan.keys.len()).collect();
        keys.sort_by_key(|&key| self.turn(key));
        let mut open = Vec::new();
        for (at, &key) in keys.iter().enumerate() {
            let is_set = match self.changes(key) {
                true => self.redirect(&mut filled, made, key, &keys[at + 1..], &mut rng),
                false => self.set(&mut filled, made, key, &mut rng),
            };
            if !is_set {
                open.push(key);
            }
        }
        if self.plan.part == Part::Learned {
            let main = self.plan.main();
            let is_known = |way: &[usize]| Some(way[0]) != main || way.len() > 1;
            agree(self.plan, self.schema, &mut filled, made, is_known);
        }
        self.tell_apart(&mut filled);
        made.insert(self.plan.name.clone(), filled);
        open
    }

    /// The keys of the table.
    pub fn keys(&self) -> Vec<usize> {
        (0..self.table.foreign_keys.len()).collect()
    }

    /// Sets the key of a table, unless its cells are there; false where its parents are not.
    fn set(&self, filled: &mut Filled, made: &Database, key: usize, rng: &mut Rng) -> bool {
        let (foreign, is) = (&self.table.foreign_keys[key], self.plan.keys[key]);
        let is_there = match foreign.only.is_some() && self.plan.part == Part::Learned {
            // Another of its tables may have been first.
            true => filled.parents[key].iter().any(|&row| row != NONE),
            false => foreign.columns.iter().all(|name| filled.table.column(name).is_some()),
        };
        if is_there {
            return self.find_by_cells(filled, made, key);
        }
        let Some(parent) = self.parent_of(foreign, filled, made) else { return false };
        let found = match is {
            Use::Value => return true,
            Use::Through(other) => match self.through(filled, made, other) {
                Some(found) => found,
                None => return false,
            },
            Use::Main if self.plan.part == Part::Learned => filled.parents[key].clone(),
            Use::Forest => self.forest(filled, key, rng),
            Use::Matched | Use::Main => self.matched(filled, parent, key, rng),
        };
        let cells = match &foreign.only {
            None => key_cells(foreign, parent, &found, filled),
            Some(_) => cells_of_some(foreign, parent, &found, filled),
        };
        filled.parents[key] = found;
        put(&mut filled.table, cells);
        true
    }

    /// Finds the parents of a key whose cells were drawn or are those of other keys; false where they are not there yet.
    fn find_by_cells(&self, filled: &mut Filled, made: &Database, key: usize) -> bool {
        let foreign = &self.table.foreign_keys[key];
        if self.plan.part != Part::Learned || filled.parents[key].iter().any(|&row| row != NONE) {
            return true;
        }
        let Some(parent) = self.parent_of(foreign, filled, made) else { return false };
        let rows = rows_of(&filled.table, foreign, &parent.table);
        filled.parents[key] = rows;
        true
    }

    /// The rows that a key refers to: those of the table itself, which are `own`, or of another one; nothing where they are not
    /// there yet.
    fn parent_of<'b>(&self, foreign: &ForeignKey, own: &'b Filled, made: &'b Database) -> Option<&'b Filled> {
        if foreign.is_of(&self.plan.name) { Some(own) } else { made.get(&foreign.parent) }
    }

    /// Whether the cells of a key are not those of the source, though the rows of the table are kept: it refers to cells that are
    /// new.
    fn changes(&self, key: usize) -> bool {
        let foreign = &self.table.foreign_keys[key];
        let (schema, plans) = (self.schema, self.plans);
        self.plan.part == Part::Kept && are_new(schema, plans, &foreign.parent, &foreign.parent_columns)
    }

    /// Sets a key of a kept table anew: rows that had no parent have none, and those that had one in common have one in common
    /// again. `later` are keys of the table that change after this one. False where the parents are not there yet.
    fn redirect(
        &self,
        filled: &mut Filled,
        made: &Database,
        key: usize,
        later: &[usize],
        rng: &mut Rng,
    ) -> bool {
        let foreign = &self.table.foreign_keys[key];
        // Rows that refer to each other lose the cells of the key before they get new ones.
        let own = foreign.is_of(&self.plan.name).then(|| filled.clone());
        let Some(parent) = own.as_ref().or_else(|| made.get(&foreign.parent)) else { return false };
        let set = self.set_by_others(key, later);
        let is_set = |name: &String| set.contains(name.as_str());
        if foreign.columns.iter().all(is_set) {
            filled.parents[key] = rows_of(&filled.table, foreign, &parent.table);
            return true;
        }
        let old: Vec<Column> =
            foreign.columns.iter().filter_map(|name| filled.table.column(name)).cloned().collect();
        let mut families = families(&old, filled.rows());
        for (row, family) in families.iter_mut().enumerate() {
            *family = family.filter(|_| filled.is_meant(foreign, row));
        }
        filled.table.columns.retain(|column| !foreign.columns.contains(&column.name) || is_set(&column.name));
        let is_kept = self.plans.iter().any(|plan| plan.name == foreign.parent && plan.part == Part::Kept);
        let through = match self.plan.keys[key] {
            Use::Through(other) => self.through(filled, made, other),
            _ => None,
        };
        let mut found = match through {
            _ if is_kept => filled.parents[key].clone(),
            Some(found) => found,
            None => {
                let mut rivals = Rivals::new(self.table, filled, parent, foreign);
                reunited(&families, parent.rows(), foreign.optional, &mut rivals, rng)
            }
        };
        found.iter_mut().zip(&families).filter(|(_, old)| old.is_none()).for_each(|(row, _)| *row = NONE);
        let mut cells = key_cells(foreign, parent, &found, filled);
        for column in &mut cells {
            let Some(old) = old.iter().find(|old| old.name == column.name) else { continue };
            let is_as_before = |row: &usize| families[*row].is_none() || is_kept && found[*row] == NONE;
            (0..old.len()).filter(is_as_before).for_each(|row| column.set(row, old.cell(row)));
        }
        filled.parents[key] = found;
        put(&mut filled.table, cells);
        true
    }

    /// Columns of a kept table that other keys have set than `key` and those of `later` that change.
    fn set_by_others(&self, key: usize, later: &[usize]) -> HashSet<&'a str> {
        let is_later = |at: usize| later.contains(&at) && self.changes(at);
        let others = self.table.foreign_keys.iter().enumerate();
        // Of a column that refers to one of several tables each key says its own rows alone.
        let others = others.filter(|(at, other)| *at != key && other.only.is_none() && !is_later(*at));
        others.flat_map(|(_, other)| other.columns.iter().map(String::as_str)).collect()
    }

    /// When a key is set among those of its table. What the main parent says comes first, and keys of the table to itself
    /// last: they may share columns with others, whose cells are theirs then.
    fn turn(&self, key: usize) -> u8 {
        match self.plan.keys[key] {
            _ if self.table.foreign_keys[key].is_of(&self.plan.name) => 3,
            Use::Main => 0,
            Use::Through(_) => 1,
            Use::Value | Use::Matched | Use::Forest => 2,
        }
    }

    /// The rows that a key of the main parents refers to; nothing where they are not known yet.
    fn through(&self, filled: &Filled, made: &Database, other: usize) -> Option<Vec<u32>> {
        let main = self.plan.main()?;
        let parent = made.get(&self.table.foreign_keys[main].parent)?;
        let foreign = self.schema.table(&self.table.foreign_keys[main].parent)?.foreign_keys.get(other)?;
        let is_known = foreign.columns.iter().all(|name| parent.table.column(name).is_some());
        let up = parent.parents.get(other).filter(|_| is_known)?;
        let row = |&row: &u32| if row == NONE { NONE } else { up[row as usize] };
        Some(filled.parents[main].iter().map(row).collect())
    }

    /// Further parents: those that are most like what was drawn of them, as often as was drawn with them.
    fn matched(&self, filled: &Filled, parent: &Filled, key: usize, rng: &mut Rng) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[key];
        let optional = self.plan.optional.iter().find(|(at, _)| *at == key);
        let is_there = |row: u32| optional.is_none_or(|(_, name)| filled.cell(name, row) != Some("0"));
        let has = |row: u32| filled.is_meant(foreign, row as usize) && is_there(row);
        let rows: Vec<u32> = (0..filled.rows() as u32).filter(|&row| has(row)).collect();
        let weights = self.plan.weights.iter().find(|(at, _)| *at == key).map(|(_, weights)| weights.clone());
        let weights = weights
            .filter(|weights| weights.len() == parent.rows())
            .unwrap_or_else(|| counts_of(self.plans, foreign, parent, (&self.plan.name, key)));
        let quotas = scaled(&weights, rows.len(), self.slice);
        let context = self.plan.context.iter().filter(|context| context.keys == [key]);
        let pairs: Vec<(Column, Column)> = context
            .filter_map(|context| {
                let drawn = filled.table.column(&context.name)?;
                let drawn = picked(&context.name, drawn, &rows);
                Some((parent.table.column(&context.column)?.clone(), drawn))
            })
            .collect();
        let pairs: Vec<(&Column, &Column)> = pairs.iter().map(|(a, b)| (a, b)).collect();
        let mut rival = Rivals::new(self.table, filled, parent, foreign);
        let sizes = (parent.rows(), rows.len());
        let is_own = foreign.is_of(&self.plan.name);
        let may = &mut |at: usize, parent| !(is_own && rows[at] == parent) && rival.may(rows[at], parent);
        let found = assign(&pairs, sizes, &quotas, may, rng);
        let mut all = vec![NONE; filled.rows()];
        for (&row, parent) in rows.iter().zip(found) {
            let must_be_itself = parent == NONE && is_own && !foreign.optional && foreign.only.is_none();
            all[row as usize] = if must_be_itself { row } else { parent };
        }
        all
    }

    /// Parents within the table.
    fn forest(&self, filled: &Filled, key: usize, rng: &mut Rng) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[key];
        let quotas = counts_of(self.plans, foreign, filled, (&self.plan.name, key));
        Forest::new(self.table, (filled, &self.plan.named(DEPTH)), foreign, quotas).grow(rng)
    }

    /// Makes keys differ by a number of theirs, where they have one.
    fn tell_apart(&self, filled: &mut Filled) {
        for set in self.table.unique_sets() {
            let Some(columns) = columns_at(&filled.table, set) else { continue };
            let is_number = |at: &usize| {
                let column = &filled.table.columns[*at];
                let mut values = column.values().iter();
                self.plan.own.contains(&column.name)
                    && !self.table.is_foreign(&column.name)
                    && values.all(|text| text.parse::<i64>().is_ok())
            };
            let Some(number) = columns.iter().copied().find(is_number) else { continue };
            if !has_repeats(&filled.table, &columns) {
                continue;
            }
            let mut seen: HashSet<Vec<String>> = HashSet::new();
            for row in 0..filled.rows() {
                let Some(key) = key_of(&filled.table, &columns, row) else { continue };
                let mut key: Vec<String> = key.into_iter().map(str::to_owned).collect();
                let at = columns.iter().position(|&column| column == number).unwrap_or(0);
                let mut changed = false;
                while !seen.insert(key.clone()) {
                    let Some(next) = key[at].parse::<i64>().ok().and_then(|number| number.checked_add(1))
                    else {
                        break;
                    };
                    key[at] = next.to_string();
                    changed = true;
                }
                if changed {
                    filled.table.columns[number].set(row, Some(&key[at]));
                }
            }
        }
    }
}

/// Whether two rows may have the same cells in some columns, none of them missing.
fn has_repeats(table: &Table, columns: &[usize]) -> bool {
    let key = |row: usize| {
        let numbers = columns.iter().map(|&column| table.columns[column].numbers()[row]);
        let is_whole = |bytes: &Vec<u8>| bytes.len() == 4 * columns.len();
        let bytes: Vec<u8> = numbers.filter(|&number| number != MISSING).flat_map(u32::to_le_bytes).collect();
        Some(bytes).filter(is_whole).map(|bytes| xxh3_64(&bytes))
    };
    let mut keys: Vec<u64> = (0..table.rows()).filter_map(key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

/// Ties the keys to tables that were drawn later, which are `open` by table, and has copies of what lies behind them agree.
pub(super) fn close_circles(
    schema: &Schema,
    plans: &[TablePlan],
    made: &mut Database,
    mut open: Vec<Vec<usize>>,
    seed: u64,
    before: &Before,
) {
    let tables: Vec<usize> = (0..plans.len()).filter(|&at| waits(schema, plans, &open, at)).collect();
    let all = |open: &[Vec<usize>]| open.iter().map(Vec::len).sum::<usize>();
    for round in 1u64.. {
        let were_open = all(&open);
        for &at in &tables {
            if let Some(ties) = Ties::of(schema, plans, at) {
                let stream = round * plans.len() as u64 + at as u64;
                let ties = ties.in_part(before.slice_of(&plans[at].name));
                open[at] = ties.tie(made, &open[at], Rng::new(seed, stream));
            }
        }
        // One key may wait for another one, of a table that comes later.
        if all(&open) == 0 || all(&open) == were_open {
            return;
        }
    }
}

/// Whether a table has open keys, or copies what lies behind an open key of a parent.
fn waits(schema: &Schema, plans: &[TablePlan], open: &[Vec<usize>], at: usize) -> bool {
    let is_open = |context: &Context| {
        let [first, up, ..] = context.keys[..] else { return false };
        let key = schema.table(&plans[at].name).and_then(|table| table.foreign_keys.get(first));
        let parent = key.and_then(|key| plans.iter().position(|plan| plan.name == key.parent));
        parent.is_some_and(|parent| open[parent].contains(&up))
    };
    let mut copied = plans[at].copied.iter();
    !open[at].is_empty()
        || copied.any(|copied| matches!(&copied.from, From::Parent(context) if is_open(context)))
}

/// How many rows of a table refer by a key to each row of its parent, as was drawn with the parent; once each where nothing
/// was. The key is named by the table that has it and its place among the table's keys.
pub(super) fn counts_of(
    plans: &[TablePlan],
    foreign: &ForeignKey,
    parent: &Filled,
    (child, key): (&str, usize),
) -> Vec<u32> {
    let plan = plans.iter().find(|plan| plan.name == foreign.parent);
    let count =
        plan.and_then(|plan| plan.counts.iter().find(|count| count.table == child && count.key == key));
    count.and_then(|count| counts_in(parent, &count.name)).unwrap_or_else(|| vec![1; parent.rows()])
}

/// For each row the number of its key among all that differ; nothing where one of its cells is missing.
fn families(columns: &[Column], rows: usize) -> Vec<Option<usize>> {
    let mut known: HashMap<Vec<&str>, usize> = HashMap::new();
    let number = |row: usize| {
        let key: Option<Vec<&str>> = columns.iter().map(|column| column.cell(row)).collect();
        let next = known.len();
        key.map(|key| *known.entry(key).or_insert(next))
    };
    (0..rows).map(number).collect()
}

/// Gives the rows of a family one parent of `n`, and each family another one as long as there are any. Where all are taken, a
/// row has none if that may be.
fn reunited(
    families: &[Option<usize>],
    n: usize,
    is_optional: bool,
    rivals: &mut Rivals,
    rng: &mut Rng,
) -> Vec<u32> {
    let order: Vec<u32> = rng.permutation(n).into_iter().map(|row| row as u32).collect();
    let mut of_family: HashMap<usize, u32> = HashMap::new();
    let mut next = 0usize;
    let mut found = vec![NONE; families.len()];
    for (row, family) in families.iter().enumerate() {
        let (Some(family), row_number) = (family, row as u32) else { continue };
        if let Some(&parent) = of_family.get(family)
            && rivals.may(row_number, parent)
        {
            found[row] = parent;
            continue;
        }
        let free = (0..n.min(MAX_TRIES)).find(|step| rivals.may(row_number, order[(next + step) % n]));
        if let Some(step) = free {
            found[row] = order[(next + step) % n];
            next = (next + step + 1) % n;
            of_family.insert(*family, found[row]);
        } else if !is_optional {
            let fit = order.iter().find(|&&parent| rivals.fits(row_number, parent));
            found[row] = fit.copied().unwrap_or(NONE);
        }
    }
    found
}

/// The columns of a key that is one in some rows alone: there the cells of the parents, elsewhere what another of its tables
/// has set.
fn cells_of_some(foreign: &ForeignKey, parent: &Filled, found: &[u32], filled: &Filled) -> Vec<Column> {
    let cells = |(own, theirs): (&String, &String)| {
        let new = picked(own, parent.table.column(theirs)?, found);
        let Some(mut column) = filled.table.column(own).cloned() else { return Some(new) };
        for row in (0..new.len()).filter(|&row| filled.is_meant(foreign, row)) {
            column.set(row, new.cell(row));
        }
        Some(column)
    };
    foreign.columns.iter().zip(&foreign.parent_columns).filter_map(cells).collect()
}

/// The columns of a key: the cells of the parents, or those that are there already of columns that another key shares.
fn key_cells(foreign: &ForeignKey, parent: &Filled, found: &[u32], filled: &Filled) -> Vec<Column> {
    let pairs = foreign.columns.iter().zip(&foreign.parent_columns);
    let new = pairs.filter(|(own, _)| filled.table.column(own).is_none());
    new.map(|(own, theirs)| match parent.table.column(theirs) {
        Some(column) => picked(own, column, found),
        None => Column::new(own.clone(), Declaration::default()),
    })
    .filter(|column| column.len() == found.len())
    .collect()
}

#[cfg(test)]
mod tests;
