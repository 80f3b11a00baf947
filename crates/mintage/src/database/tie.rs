//! Ties new rows together: which rows of its parents each row refers to, and the cells of its keys.

use std::collections::HashSet;

use mintage_data::{
    Column, Declaration, Table,
    database::{ForeignKey, Schema, Table as TableSchema},
};
use mintage_nn::Rng;

use super::{
    agree::take_over,
    assign::{assign, scaled, shuffle},
    even::counts_in,
    filled::{Database, Filled, NONE, key_of, put},
    plan::{DEPTH, From, Part, TablePlan, Use},
    rivals::Rivals,
    view::{of_parent, picked},
};

/// The keys of one table.
pub(super) struct Ties<'a> {
    schema: &'a Schema,
    plans: &'a [TablePlan],
    plan: &'a TablePlan,
    table: &'a TableSchema,
}

impl<'a> Ties<'a> {
    /// Those of the table of the plan at a place; nothing where there is none, or the schema does not have the table.
    pub fn of(schema: &'a Schema, plans: &'a [TablePlan], at: usize) -> Option<Self> {
        let plan = plans.get(at)?;
        Some(Self { schema, plans, plan, table: schema.table(&plan.name)? })
    }

    /// Finds the parents that are there by now, and gives rows the cells of their keys.
    pub fn tie(&self, made: &mut Database, mut rng: Rng) {
        let Some(mut filled) = made.remove(&self.plan.name) else { return };
        for (key, (foreign, is)) in self.table.foreign_keys.iter().zip(&self.plan.keys).enumerate() {
            let has_cells = foreign.columns.iter().all(|name| filled.table.column(name).is_some());
            let is_redirected = self.plan.part == Part::Kept && self.is_drawn(foreign);
            if self.plan.part == Part::Empty || has_cells && !is_redirected {
                continue;
            }
            let parent = if *is == Use::Forest { Some(&filled) } else { made.get(&foreign.parent) };
            let Some(parent) = parent else { continue };
            let found = match is {
                Use::Value => continue,
                Use::Through(other) => match self.through(&filled, made, *other) {
                    Some(found) => found,
                    None => continue,
                },
                Use::Main if self.plan.part == Part::Learned => filled.parents[key].clone(),
                Use::Forest => self.forest(&filled, key, &mut rng),
                Use::Matched | Use::Main => self.matched(&filled, parent, key, &mut rng),
            };
            let cells = key_cells(foreign, parent, &found, &filled);
            filled.parents[key] = found;
            put(&mut filled.table, cells);
        }
        if self.plan.part == Part::Learned {
            let main = self.plan.main();
            let is_known = |way: &[usize]| Some(way[0]) != main || way.len() > 1;
            agree(self.plan, self.schema, &mut filled, made, is_known);
        }
        self.tell_apart(&mut filled);
        made.insert(self.plan.name.clone(), filled);
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

    /// Whether the rows of a kept table refer to rows that are new.
    fn is_drawn(&self, foreign: &ForeignKey) -> bool {
        let parent = self.plans.iter().find(|plan| plan.name == foreign.parent);
        parent.is_some_and(|parent| parent.part == Part::Learned)
    }

    /// Further parents: those that are most like what was drawn of them, as often as was drawn with them.
    fn matched(&self, filled: &Filled, parent: &Filled, key: usize, rng: &mut Rng) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[key];
        let optional = self.plan.optional.iter().find(|(at, _)| *at == key);
        let has = |row: u32| optional.is_none_or(|(_, name)| filled.cell(name, row) != Some("0"));
        let rows: Vec<u32> = (0..filled.rows() as u32).filter(|&row| has(row)).collect();
        let weights = self.plan.weights.iter().find(|(at, _)| *at == key).map(|(_, weights)| weights.clone());
        let weights = weights
            .filter(|weights| weights.len() == parent.rows())
            .unwrap_or_else(|| counts_of(self.plans, foreign, parent, (&self.plan.name, key)));
        let quotas = scaled(&weights, rows.len());
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
        let found = assign(&pairs, sizes, &quotas, &mut |at, row| rival.may(rows[at], row), rng);
        let mut all = vec![NONE; filled.rows()];
        rows.iter().zip(found).for_each(|(&row, parent)| all[row as usize] = parent);
        all
    }

    /// Parents within the table: each row takes one that lies a step less deep.
    fn forest(&self, filled: &Filled, key: usize, rng: &mut Rng) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[key];
        let depth =
            |row: u32| filled.cell(DEPTH, row).and_then(|cell| cell.parse::<usize>().ok()).unwrap_or(0);
        let mut levels: Vec<Vec<u32>> = Vec::new();
        for row in 0..filled.rows() as u32 {
            // A depth that no row above has would hang in the air.
            let at = depth(row);
            levels.resize_with(levels.len().max(at + 1), Vec::new);
            levels[at].push(row);
        }
        levels.retain(|rows| !rows.is_empty());
        let quotas = counts_of(self.plans, foreign, filled, (&self.plan.name, key));
        let mut found = vec![NONE; filled.rows()];
        for pair in levels.windows(2) {
            let weights: Vec<u32> = pair[0].iter().map(|&row| quotas[row as usize]).collect();
            let shares = scaled(&weights, pair[1].len());
            let slots = pair[0].iter().zip(shares).flat_map(|(&row, n)| std::iter::repeat_n(row, n as usize));
            let mut slots: Vec<u32> = slots.collect();
            shuffle(&mut slots, rng);
            pair[1].iter().zip(slots).for_each(|(&row, parent)| found[row as usize] = parent);
        }
        if !foreign.optional {
            // Where every row must refer to one, the first refer to themselves.
            (0..found.len()).filter(|&row| found[row] == NONE).collect::<Vec<_>>().into_iter().for_each(
                |row| {
                    found[row] = row as u32;
                },
            );
        }
        found
    }

    /// Makes keys differ by a number of theirs, where they have one.
    fn tell_apart(&self, filled: &mut Filled) {
        for set in self.table.unique_sets() {
            let places = |table: &Table| -> Option<Vec<usize>> {
                let at = |name: &String| table.columns.iter().position(|column| &column.name == name);
                set.iter().map(at).collect()
            };
            let Some(columns) = places(&filled.table) else { continue };
            let is_number = |at: &usize| {
                let column = &filled.table.columns[*at];
                let mut values = column.values().iter();
                self.plan.own.contains(&column.name)
                    && !self.table.is_foreign(&column.name)
                    && values.all(|text| text.parse::<i64>().is_ok())
            };
            let Some(number) = columns.iter().copied().find(is_number) else { continue };
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

/// Gives rows the cells that agree with those of parents, behind ways of keys that are known by now.
pub(super) fn agree(
    plan: &TablePlan,
    schema: &Schema,
    filled: &mut Filled,
    made: &Database,
    is_known: impl Fn(&[usize]) -> bool,
) {
    for copied in &plan.copied {
        let From::Parent(context) = &copied.from else { continue };
        if is_known(&context.keys) {
            let parents = &filled.parents[context.keys[0]];
            let column = of_parent(context, plan, schema, made, parents);
            take_over(&mut filled.table, &column, |row| parents[row] != NONE);
        }
    }
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

/// The columns of a key: the cells of the parents, or those that are there already of columns that another key shares.
fn key_cells(foreign: &ForeignKey, parent: &Filled, found: &[u32], filled: &Filled) -> Vec<Column> {
    let pairs = foreign.columns.iter().zip(&foreign.parent_columns);
    let new = pairs.filter(|(own, _)| filled.table.column(own).is_none() || foreign.columns.len() == 1);
    new.map(|(own, theirs)| match parent.table.column(theirs) {
        Some(column) => picked(own, column, found),
        None => Column::new(own.clone(), Declaration::default()),
    })
    .filter(|column| column.len() == found.len())
    .collect()
}
