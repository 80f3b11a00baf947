//! New rows for all tables: parents first, then for each of them the children that were drawn with it, then the further
//! parents of those.

use std::collections::{HashMap, HashSet};

use mintage_data::{
    Column, Declaration, Table,
    database::{ForeignKey, Schema, Table as TableSchema},
};
use mintage_nn::Rng;

use super::{
    DatabaseModel, DatabaseRequest,
    agree::{balance, take_over},
    assign::{assign, scaled, shuffle},
    bounds::broken,
    even::{Targets, as_counted, candidates, counts_in},
    filled::{Database, Filled, NONE, key_of, numbers, tied, unique_sets},
    keys::TextKey,
    persons::Persons,
    plan::{DEPTH, From, INDEX, Part, SIBLINGS, TablePlan, Use},
    request::light_part,
    rivals::Rivals,
    siblings::{Places, in_order},
    summary::Left,
    texts, totals,
    view::{before, of_parent, picked},
};
use crate::{error::Error, model::Model, sample::TableRequest};

/// Times that a row is drawn again.
const MAX_ATTEMPTS: u64 = 6;

/// Draws the rows of all tables, in the order of the plan.
pub(super) fn draw(
    model: &DatabaseModel,
    request: &DatabaseRequest,
    on: &mut dyn FnMut(&str, usize),
) -> Result<Vec<Table>, Error> {
    let kept = model.kept.iter().map(|table| (table.name.clone(), table.clone())).collect();
    let mut made = tied(&model.schema, kept);
    for (at, plan) in model.plans.iter().enumerate() {
        let Some(drawer) = Drawer::of(model, at, request) else { continue };
        let rng = Rng::new(request.seed, at as u64);
        let mut filled = match plan.part {
            Part::Empty => Filled::default(),
            Part::Kept => made.remove(&plan.name).unwrap_or_default(),
            Part::Learned => drawer.rows(&model.table(at)?, &made, request.seed ^ (at as u64) << 32)?,
        };
        if plan.part == Part::Learned {
            texts::write(model, &mut filled.table, &plan.name, request)?;
        }
        on(&plan.name, filled.rows());
        made.insert(plan.name.clone(), filled);
        drawer.tie(&mut made, rng)?;
    }
    close_circles(model, request, &mut made)?;
    totals::compute(&model.plans, &mut made);
    let plans = model.plans.iter().filter(|plan| plan.part != Part::Empty);
    Ok(plans.filter_map(|plan| finished(model.schema.table(&plan.name)?, made.remove(&plan.name)?)).collect())
}

/// Keys to tables that were drawn later.
fn close_circles(model: &DatabaseModel, request: &DatabaseRequest, made: &mut Database) -> Result<(), Error> {
    for at in 0..model.plans.len() {
        if let Some(drawer) = Drawer::of(model, at, request) {
            drawer.tie(made, Rng::new(request.seed, (model.plans.len() + at) as u64))?;
        }
    }
    Ok(())
}

/// The columns that the table has, in its order.
fn finished(schema: &TableSchema, filled: Filled) -> Option<Table> {
    let mut table = filled.table;
    table.name.clone_from(&schema.name);
    let mut columns = Vec::new();
    for column in &schema.columns {
        if let Some(at) = table.columns.iter().position(|own| own.name == column.name) {
            columns.push(table.columns.swap_remove(at));
        }
    }
    table.columns = columns;
    Some(table)
}

/// Draws one table.
struct Drawer<'a> {
    schema: &'a Schema,
    plans: &'a [TablePlan],
    persons: &'a [Persons],
    keys: &'a [TextKey],
    plan: &'a TablePlan,
    targets: &'a Targets,
    table: &'a TableSchema,
    request: &'a DatabaseRequest,
}

impl<'a> Drawer<'a> {
    /// Nothing for a table that the schema does not have.
    fn of(model: &'a DatabaseModel, at: usize, request: &'a DatabaseRequest) -> Option<Self> {
        let (plan, targets) = (model.plans.get(at)?, model.targets.get(at)?);
        let table = model.schema.table(&plan.name)?;
        let (schema, plans, persons) = (&model.schema, model.plans.as_slice(), model.persons.as_slice());
        Some(Self { schema, plans, persons, keys: &model.keys, plan, targets, table, request })
    }

    /// New rows with the row of their main parent, and with a number where they have one.
    fn rows(&self, model: &Model, made: &Database, seed: u64) -> Result<Filled, Error> {
        let (table, parents) = match self.plan.main() {
            None => {
                let table = match self.request.given.get(&self.plan.name) {
                    Some(given) => self.completed(model, given, seed)?,
                    None => self.evenly(model, self.scaled_rows(), None, 0, seed)?,
                };
                let n = table.rows();
                (table, vec![NONE; n])
            }
            Some(main) => self.children(model, made, main, seed)?,
        };
        let n = table.rows();
        let none = || vec![NONE; n];
        let parents_of = self.plan.keys.iter().map(|_| none()).collect();
        let mut filled = Filled { table, parents: parents_of, ..Filled::default() };
        self.renew_keys(&mut filled.table, model, seed)?;
        self.people(&mut filled.table, seed);
        let mut rng = Rng::new(seed, 1);
        if self.request.is_plain() {
            self.count(&mut filled, &mut rng);
            self.balance(&mut filled, made, &mut rng);
        }
        if let Some(main) = self.plan.main() {
            filled.parents[main] = parents;
            self.agree(&mut filled, made, |way| way == [main]);
            self.repeat_first(&mut filled, main);
            self.order(&mut filled, main);
        }
        for key in self.keys.iter().filter(|key| key.table == self.plan.name) {
            if filled.table.column(&key.column).is_none() {
                filled.table.columns.push(key.make(n, seed));
            }
        }
        let number = self.plan.number.as_ref();
        if let Some(number) = number.filter(|number| filled.table.column(number).is_none()) {
            let mut column = Column::new(number.clone(), Declaration::default());
            let from = self.plan.number_from;
            (0..n as i64).for_each(|row| column.push(Some(&from.saturating_add(row).to_string())));
            filled.table.columns.push(column);
        }
        Ok(filled)
    }

    /// Rows that a table has at this scale, if as many children are drawn as the source has.
    fn scaled_rows(&self) -> usize {
        if let Some(&rows) = self.request.rows.get(&self.plan.name) {
            return rows;
        }
        (self.plan.rows as f64 * self.request.scale).round().max(1.0) as usize
    }

    /// The numbers of children as the source has them, in the order of those drawn.
    fn count(&self, filled: &mut Filled, rng: &mut Rng) {
        for count in &self.plan.counts {
            let Some(drawn) = counts_in(filled, &count.name) else { continue };
            put(&mut filled.table, [numbers(&count.name, as_counted(&drawn, &count.seen, rng))]);
        }
    }

    /// New rows that are spread as evenly as those of the source at this place among siblings.
    fn evenly(
        &self,
        model: &Model,
        n: usize,
        given: Option<Table>,
        place: usize,
        seed: u64,
    ) -> Result<Table, Error> {
        let each = candidates(self.scaled_rows().max(n));
        if each == 1 || n == 0 || !self.request.is_plain() || !self.targets.has(place) {
            let drawn = self.sampled(model, n, given.clone(), seed)?;
            return self.within_bounds(model, drawn, given, seed);
        }
        // Of identifiers that must all differ there may be enough for the rows, and not for all candidates.
        let mut each = each;
        let drawn = loop {
            let rounds: Vec<u32> = (0..each).flat_map(|_| 0..n as u32).collect();
            let repeated = given.as_ref().map(|given| given.select(&rounds));
            match self.sampled(model, n * each, repeated, seed) {
                Ok(drawn) => break drawn,
                Err(_) if each > 1 => each /= 2,
                Err(error) => return Err(error),
            }
        };
        let broken = broken(&self.plan.bounds, &drawn);
        let taken = self.targets.choose(place, &drawn, &broken, each, &mut Rng::new(seed, 2));
        self.within_bounds(model, drawn.select(&taken), given, seed)
    }

    /// Draws rows again whose dates break a bound, a few times.
    fn within_bounds(
        &self,
        model: &Model,
        mut rows: Table,
        given: Option<Table>,
        seed: u64,
    ) -> Result<Table, Error> {
        for attempt in 1..=MAX_ATTEMPTS {
            let broken_rows = broken(&self.plan.bounds, &rows);
            let wrong: Vec<u32> =
                (0..rows.rows() as u32).filter(|&row| broken_rows[row as usize] > 0).collect();
            if wrong.is_empty() {
                break;
            }
            let given = given.as_ref().map(|given| given.select(&wrong));
            let again = self.sampled(model, wrong.len(), given, seed.wrapping_add(attempt << 40))?;
            let better = broken(&self.plan.bounds, &again);
            let n = rows.rows() as u32;
            rows.append(&again)?;
            let mut order: Vec<u32> = (0..n).collect();
            for (at, &row) in wrong.iter().enumerate().filter(|(at, _)| better[*at] == 0) {
                order[row as usize] = n + at as u32;
            }
            rows = rows.select(&order);
        }
        Ok(rows)
    }

    fn sampled(&self, model: &Model, n: usize, given: Option<Table>, seed: u64) -> Result<Table, Error> {
        let temperature = self.request.temperature;
        let conditions = self.request.conditions.iter().filter(|(table, _)| *table == self.plan.name);
        let conditions = conditions.map(|(_, condition)| condition.clone()).collect();
        if n == 0 {
            return Ok(model.rows()?.1.head());
        }
        let request = TableRequest { n, conditions, given, seed, temperature, ..TableRequest::default() };
        model.sample_rows(&request, &mut |_, _| {})
    }

    /// Rows that are given, with what they lack.
    fn completed(&self, model: &Model, given: &Table, seed: u64) -> Result<Table, Error> {
        let light = light_part(model, self.plan, given)?;
        let light = (!light.columns.is_empty()).then_some(light);
        let mut table = self.sampled(model, given.rows(), light, seed)?;
        put(&mut table, given.columns.iter().cloned());
        Ok(table)
    }

    /// Identifiers were made wave by wave: where one is there twice, all are made anew, for all rows at once.
    fn renew_keys(&self, table: &mut Table, model: &Model, seed: u64) -> Result<(), Error> {
        if self.plan.main().is_none() {
            return Ok(());
        }
        let repeats = |column: &Column| {
            let mut seen = HashSet::new();
            column.iter().flatten().any(|cell| !seen.insert(cell))
        };
        let single = unique_sets(self.table).filter_map(|set| match set.as_slice() {
            [name] if self.plan.own.contains(name) => Some(name.clone()),
            _ => None,
        });
        let repeated: Vec<String> = single.filter(|name| table.column(name).is_some_and(repeats)).collect();
        if repeated.is_empty() {
            return Ok(());
        }
        let fresh = self.sampled(model, table.rows(), None, seed.wrapping_add(1 << 50))?;
        for name in repeated {
            if let Some(column) = fresh.column(&name).filter(|column| !repeats(column)) {
                put(table, [column.clone()]);
            }
        }
        Ok(())
    }

    /// Persons for the rows, but where they are given.
    fn people(&self, table: &mut Table, seed: u64) {
        let own = self.persons.iter().filter(|persons| persons.table == self.plan.name);
        own.for_each(|persons| persons.make(table, seed));
        if let Some(given) = self.request.given.get(&self.plan.name) {
            put(table, given.columns.iter().cloned());
        }
    }

    /// The children of all rows of the main parent: as many as were drawn with each, those of a sequence one after another.
    fn children(
        &self,
        model: &Model,
        made: &Database,
        main: usize,
        seed: u64,
    ) -> Result<(Table, Vec<u32>), Error> {
        let counts = self.counts(made, main);
        let mut waves: Vec<Vec<u32>> = Vec::new();
        for (row, &count) in counts.iter().enumerate() {
            for at in 0..count as usize {
                let wave = if self.plan.is_sequence { at } else { 0 };
                if waves.len() <= wave {
                    waves.push(Vec::new());
                }
                waves[wave].push(row as u32);
            }
        }
        let (mut all, mut parents): (Option<Table>, Vec<u32>) = (None, Vec::new());
        // Where each parent's latest child lies.
        let mut latest = vec![NONE; counts.len()];
        let mut add = |part: Table, rows: &[u32], latest: &mut [u32], all: &mut Option<Table>| {
            for (at, &row) in rows.iter().enumerate().filter(|(_, row)| **row != NONE) {
                latest[row as usize] = (parents.len() + at) as u32;
            }
            parents.extend(rows);
            match all {
                Some(all) => all.append(&part),
                None => {
                    *all = Some(part);
                    Ok(())
                }
            }
        };
        let parent = made.get(&self.table.foreign_keys[main].parent);
        let lefts = self.plan.left.iter().filter(|_| self.plan.is_sequence);
        let mut lefts: Vec<Left> =
            lefts.filter_map(|(name, summary)| Some(Left::new(name, parent?, summary, &counts))).collect();
        for (at, rows) in waves.iter().enumerate() {
            let mut given = self.of_parents(made, main, rows);
            if self.plan.is_sequence {
                given.columns.extend(lefts.iter().map(|left| left.given(rows)));
                given.columns.push(numbers(INDEX, vec![at as u32 + 1; rows.len()]));
                if let (Some(name), Some(first)) = (&self.plan.time, self.plan.first) {
                    let number = first.saturating_add(at as i64).to_string();
                    given.columns.push(Column::of(name, rows.iter().map(|_| Some(number.as_str()))));
                }
                given.columns.push(numbers(SIBLINGS, rows.iter().map(|&row| counts[row as usize])));
                let previous: Vec<u32> = rows.iter().map(|&row| latest[row as usize]).collect();
                for name in all.as_ref().map_or(&[][..], |_| &self.plan.previous) {
                    if let Some(column) = all.as_ref().and_then(|all| all.column(name)) {
                        given.columns.push(picked(&before(name), column, &previous));
                    }
                }
            }
            let given = (!given.columns.is_empty()).then_some(given);
            let place = if self.plan.is_sequence { at + 1 } else { 0 };
            let part = self.evenly(model, rows.len(), given, place, seed.wrapping_add(at as u64))?;
            lefts.iter_mut().for_each(|left| left.take(rows, &part));
            add(part, rows, &mut latest, &mut all)?;
        }
        let foreign = &self.table.foreign_keys[main];
        let parents_before =
            self.plans.iter().find(|plan| plan.name == foreign.parent).map_or(0, |plan| plan.rows);
        let share = counts.len() as f64 / parents_before.max(1) as f64;
        let orphans = if foreign.optional { (self.plan.orphans as f64 * share).round() as usize } else { 0 };
        if orphans > 0 || all.is_none() {
            let mut given = Table::default();
            if self.plan.is_sequence {
                given.columns.push(numbers(INDEX, vec![0; orphans]));
            }
            let given = (self.plan.is_sequence && orphans > 0).then_some(given);
            let part = self.sampled(model, orphans, given, seed.wrapping_add(waves.len() as u64))?;
            add(part, &vec![NONE; orphans], &mut latest, &mut all)?;
        }
        Ok((all.unwrap_or_default(), parents))
    }

    /// How many children each row of the main parent has, as was drawn with it.
    fn counts(&self, made: &Database, main: usize) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[main];
        let is_one = self.is_unique(&foreign.columns);
        let Some(parent) = made.get(&foreign.parent) else { return Vec::new() };
        let counts = counts_of(parent, &self.plan.name, foreign);
        counts.into_iter().map(|count| if is_one { count.min(1) } else { count }).collect()
    }

    fn is_unique(&self, columns: &[String]) -> bool {
        unique_sets(self.table).any(|set| set.iter().all(|name| columns.contains(name)))
    }

    /// What is known of the main parents of new rows.
    fn of_parents(&self, made: &Database, main: usize, parents: &[u32]) -> Table {
        let context = self.plan.context.iter().filter(|context| context.keys[0] == main);
        let columns = context.map(|context| of_parent(context, self.plan, self.schema, made, parents));
        Table { name: self.plan.name.clone(), columns: columns.collect(), ..Table::default() }
    }

    /// As many rows for each row of a kept parent as the source has, where nearly as many were drawn.
    fn balance(&self, filled: &mut Filled, made: &Database, rng: &mut Rng) {
        for (key, weights) in self.plan.weights.iter().filter(|(key, _)| self.plan.keys[*key] == Use::Value) {
            let foreign = &self.table.foreign_keys[*key];
            let ([own], [theirs]) = (foreign.columns.as_slice(), foreign.parent_columns.as_slice()) else {
                continue;
            };
            let parent = made.get(&foreign.parent).and_then(|parent| parent.table.column(theirs));
            let column = filled.table.columns.iter_mut().find(|column| &column.name == own);
            if let (Some(column), Some(parent)) = (column, parent) {
                balance(column, parent, weights, rng);
            }
        }
    }

    /// Gives rows the cells that agree with those of parents, behind ways of keys that are known by now.
    fn agree(&self, filled: &mut Filled, made: &Database, is_known: impl Fn(&[usize]) -> bool) {
        for copied in &self.plan.copied {
            let From::Parent(context) = &copied.from else { continue };
            if is_known(&context.keys) {
                let parents = &filled.parents[context.keys[0]];
                let column = of_parent(context, self.plan, self.schema, made, parents);
                take_over(&mut filled.table, &column, |row| parents[row] != NONE);
            }
        }
    }

    /// Gives rows what the first of their siblings has, in columns where siblings are all alike.
    fn repeat_first(&self, filled: &mut Filled, main: usize) {
        let parents = &filled.parents[main];
        let mut first: HashMap<u32, u32> = HashMap::new();
        let rows = 0..parents.len() as u32;
        let firsts: Vec<u32> = rows
            .map(|row| match parents[row as usize] {
                NONE => row,
                parent => *first.entry(parent).or_insert(row),
            })
            .collect();
        for copied in self.plan.copied.iter().filter(|copied| copied.from == From::FirstSibling) {
            if let Some(column) = filled.table.column(&copied.column) {
                let column = picked(&copied.column, column, &firsts);
                take_over(&mut filled.table, &column, |_| true);
            }
        }
    }

    /// Puts the rows of a parent behind each other, in the order of their times; what just numbers them does so.
    fn order(&self, filled: &mut Filled, main: usize) {
        let all = (0..filled.rows() as u32).collect();
        let order = in_order(all, filled, &filled.parents[main], self.plan.time.as_deref());
        filled.parents[main] = order.iter().map(|&row| filled.parents[main][row as usize]).collect();
        filled.table = filled.table.select(&order);
        let (Some(name), Some(first)) = (&self.plan.time, self.plan.first) else { return };
        let places = Places::of(filled, &filled.parents[main], None);
        let Some(column) = filled.table.columns.iter_mut().find(|column| &column.name == name) else {
            return;
        };
        for (row, &index) in places.index.iter().enumerate().filter(|(_, index)| **index > 0) {
            column.set(row, Some(&first.saturating_add(i64::from(index) - 1).to_string()));
        }
    }

    /// Finds the parents that are there by now, and gives rows the cells of their keys.
    fn tie(&self, made: &mut Database, mut rng: Rng) -> Result<(), Error> {
        let Some(mut filled) = made.remove(&self.plan.name) else { return Ok(()) };
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
                Use::Forest => self.forest(&filled, foreign, &mut rng),
                Use::Matched | Use::Main => self.matched(&filled, parent, key, &mut rng),
            };
            let cells = key_cells(foreign, parent, &found, &filled);
            filled.parents[key] = found;
            put(&mut filled.table, cells);
        }
        if self.plan.part == Part::Learned {
            let main = self.plan.main();
            self.agree(&mut filled, made, |way| Some(way[0]) != main || way.len() > 1);
        }
        self.tell_apart(&mut filled);
        made.insert(self.plan.name.clone(), filled);
        Ok(())
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
            .unwrap_or_else(|| counts_of(parent, &self.plan.name, foreign));
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
        let mut rival = Rivals::new(unique_sets(self.table), filled, parent, foreign);
        let sizes = (parent.rows(), rows.len());
        let found = assign(&pairs, sizes, &quotas, &mut |at, row| rival.may(rows[at], row), rng);
        let mut all = vec![NONE; filled.rows()];
        rows.iter().zip(found).for_each(|(&row, parent)| all[row as usize] = parent);
        all
    }

    /// Parents within the table: each row takes one that lies a step less deep.
    fn forest(&self, filled: &Filled, foreign: &ForeignKey, rng: &mut Rng) -> Vec<u32> {
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
        let quotas = counts_of(filled, &self.plan.name, foreign);
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
        for set in unique_sets(self.table) {
            let places = |table: &Table| -> Option<Vec<usize>> {
                let at = |name: &String| table.columns.iter().position(|column| &column.name == name);
                set.iter().map(at).collect()
            };
            let Some(columns) = places(&filled.table) else { continue };
            let is_number = |at: &usize| {
                let column = &filled.table.columns[*at];
                let mut values = column.values().iter();
                let is_key = self.table.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
                self.plan.own.contains(&column.name)
                    && !is_key
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

/// Puts columns in the place of those of their names.
fn put(table: &mut Table, columns: impl IntoIterator<Item = Column>) {
    for column in columns {
        table.columns.retain(|own| own.name != column.name);
        table.columns.push(column);
    }
}

/// How many rows of a table refer to each row of its parent, as was drawn with the parent; once each where nothing was.
fn counts_of(parent: &Filled, child: &str, foreign: &ForeignKey) -> Vec<u32> {
    let name = format!("#{child}.{}", foreign.columns.join("+"));
    counts_in(parent, &name).unwrap_or_else(|| vec![1; parent.rows()])
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
