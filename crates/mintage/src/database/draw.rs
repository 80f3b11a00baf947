//! New rows for all tables: parents first, then for each of them the children that were drawn with it, then the further
//! parents of those.

mod given;
mod waves;

use std::collections::{HashMap, HashSet};

use mintage_data::{
    Column, Table,
    database::{Schema, Table as TableSchema},
};
use mintage_nn::Rng;

use super::{
    DatabaseModel, DatabaseRequest,
    agree::{agree, apart, balance, take_over},
    apart::Apart,
    before::Before,
    bounds::broken,
    even::{Targets, as_counted, candidates, counts_in},
    filled::{Database, Filled, NONE, numbers, put, tied},
    keys::TextKey,
    persons::Persons,
    plan::{From, INDEX, Part, SIBLINGS, TablePlan, Use},
    request::{number_rows, put_given, scaled_rows},
    siblings::{Places, in_order},
    summary::Left,
    texts::TextPlan,
    tie::{Ties, close_circles, counts_of},
    totals,
    view::{of_parent, picked},
    writers,
};
use crate::{error::Error, model::Model, sample::TableRequest};
use waves::Families;

/// Times that a row is drawn again.
const MAX_ATTEMPTS: u64 = 6;

/// The tables whose rows are those of the source.
pub(super) fn kept(model: &DatabaseModel) -> Database {
    tied(&model.schema, model.kept.iter().map(|table| (table.name.clone(), table.clone())).collect())
}

/// Draws the rows of all tables, in the order of the plan; `made` are those that are there.
pub(super) fn draw(
    model: &DatabaseModel,
    request: &DatabaseRequest,
    before: &Before,
    mut made: Database,
    on: &mut dyn FnMut(&str, usize),
) -> Result<Database, Error> {
    // For each table the keys whose parents were not there when it was drawn.
    let mut open: Vec<Vec<usize>> = vec![Vec::new(); model.plans.len()];
    for (at, plan) in model.plans.iter().enumerate().filter(|(_, plan)| !before.has_all(&plan.name)) {
        let Some(drawer) = Drawer::of(model, at, request, before) else { continue };
        let rng = Rng::new(request.seed, at as u64);
        let mut filled = match plan.part {
            Part::Empty => Filled::default(),
            Part::Kept => made.remove(&plan.name).unwrap_or_default(),
            Part::Learned => drawer.rows(&model.table(at)?, &made, request.seed ^ (at as u64) << 32)?,
        };
        if plan.part == Part::Learned {
            writers::write(model, &mut filled.table, &plan.name, request)?;
        }
        on(&plan.name, filled.rows());
        made.insert(plan.name.clone(), filled);
        if let Some(ties) = Ties::of(&model.schema, &model.plans, at) {
            let ties = ties.in_part(before.slice_of(&plan.name));
            open[at] = ties.tie(&mut made, &ties.keys(), rng);
        }
    }
    close_circles(&model.schema, &model.plans, &mut made, open, request.seed, before);
    totals::compute(&model.plans, &mut made);
    Ok(made)
}

/// The columns that the table has, in its order.
pub(super) fn finished(schema: &TableSchema, mut table: Table) -> Table {
    table.name.clone_from(&schema.name);
    let mut columns = Vec::new();
    for column in &schema.columns {
        if let Some(at) = table.columns.iter().position(|own| own.name == column.name) {
            columns.push(table.columns.swap_remove(at));
        }
    }
    table.columns = columns;
    table
}

/// Draws one table.
struct Drawer<'a> {
    schema: &'a Schema,
    plans: &'a [TablePlan],
    persons: &'a [Persons],
    keys: &'a [TextKey],
    texts: &'a [TextPlan],
    plan: &'a TablePlan,
    targets: &'a Targets,
    table: &'a TableSchema,
    request: &'a DatabaseRequest,
    before: &'a Before,
}

impl<'a> Drawer<'a> {
    /// Nothing for a table that the schema does not have.
    fn of(
        model: &'a DatabaseModel,
        at: usize,
        request: &'a DatabaseRequest,
        before: &'a Before,
    ) -> Option<Self> {
        let (plan, targets) = (model.plans.get(at)?, model.targets.get(at)?);
        let table = model.schema.table(&plan.name)?;
        let (schema, plans, persons) = (&model.schema, model.plans.as_slice(), model.persons.as_slice());
        let (keys, texts) = (model.keys.as_slice(), model.texts.as_slice());
        Some(Self { schema, plans, persons, keys, texts, plan, targets, table, request, before })
    }

    /// New rows with the row of their main parent, and with a number where they have one.
    fn rows(&self, model: &Model, made: &Database, seed: u64) -> Result<Filled, Error> {
        let given = self.request.given.get(&self.plan.name);
        let (table, parents) = match (self.plan.main(), given) {
            (None, _) => {
                let table = match given {
                    Some(given) => self.completed(model, given, Vec::new(), seed)?,
                    None => self.evenly(model, scaled_rows(self.plan, self.request), None, 0, seed)?,
                };
                let n = table.rows();
                (table, vec![NONE; n])
            }
            (Some(main), Some(given)) => self.given_children(model, given, (made, main), seed)?,
            (Some(main), None) => self.children(model, made, main, seed)?,
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
            // Its cells are set when keys are, also those that were given.
            let of_main = &self.table.foreign_keys[main].columns;
            filled.table.columns.retain(|column| !of_main.contains(&column.name));
            self.keep_apart(&mut filled, main, &mut rng);
            agree(self.plan, self.schema, &mut filled, made, |way| way == [main]);
            self.repeat_first(&mut filled, main);
            self.order(&mut filled, main);
        }
        self.renew_taken(&mut filled.table, model, seed)?;
        for key in self.keys.iter().filter(|key| key.table == self.plan.name) {
            let given = filled.table.column(&key.column).cloned();
            if given.as_ref().is_none_or(|given| given.missing() > 0) {
                let taken = self.before.taken.of(&key.table, &key.column);
                put(&mut filled.table, [key.make(n, seed, taken)]);
            }
            if let Some(given) = given.filter(|given| given.missing() > 0) {
                let given = Table { columns: vec![given], ..Table::default() };
                put_given(&mut filled.table, &given, self.table);
            }
        }
        if let Some(number) = &self.plan.number {
            let first = self.plan.number_from.saturating_add(self.before.rows_of(&self.plan.name));
            number_rows(&mut filled.table, number, n, first);
        }
        Ok(filled)
    }

    /// The numbers of children as the source has them, in the order of those drawn.
    fn count(&self, filled: &mut Filled, rng: &mut Rng) {
        for count in &self.plan.counts {
            let Some(drawn) = counts_in(filled, &count.name) else { continue };
            let slice = self.before.slice_of(&self.plan.name);
            put(&mut filled.table, [numbers(&count.name, as_counted(&drawn, &count.seen, slice, rng))]);
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
        let each = candidates(scaled_rows(self.plan, self.request).max(n));
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

    /// Identifiers were made wave by wave: where one is there twice, all are made anew, for all rows at once.
    fn renew_keys(&self, table: &mut Table, model: &Model, seed: u64) -> Result<(), Error> {
        if self.plan.main().is_none() {
            return Ok(());
        }
        let repeats = |column: &Column| column.counts().into_iter().any(|rows| rows > 1);
        let single = self.table.unique_sets().filter_map(|set| match set.as_slice() {
            [name] if self.plan.own.contains(name) && !self.is_given(name) => Some(name.clone()),
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

    /// Gives rows other values in the place of those that parts before have, where no two rows may share them.
    fn renew_taken(&self, table: &mut Table, model: &Model, seed: u64) -> Result<(), Error> {
        let is_given = |name: &str| self.is_given(name);
        let mut draw =
            |n: usize, attempt: u64| self.sampled(model, n, None, seed.wrapping_add((1 << 51) + attempt));
        self.before.taken.renew(table, &self.plan.name, &is_given, &mut draw)
    }

    /// Persons for the rows, but where they are given.
    fn people(&self, table: &mut Table, seed: u64) {
        let own = self.persons.iter().filter(|persons| persons.table == self.plan.name);
        own.for_each(|persons| persons.make(table, seed, &self.before.taken));
        if let Some(given) = self.request.given.get(&self.plan.name) {
            put_given(table, given, self.table);
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
        let waves = self.waves(&counts);
        let mut families = Families::new(counts.len());
        let mut apart = self.apart(main);
        let parent = made.get(&self.table.foreign_keys[main].parent);
        let lefts = self.plan.left.iter().filter(|_| self.plan.is_sequence);
        let mut lefts: Vec<Left> = lefts
            .filter_map(|(name, summary)| {
                Some(Left::new(self.plan.mean_left(name), name, (parent?, summary), &counts))
            })
            .collect();
        for (at, parents) in waves.iter().enumerate() {
            let mut given = self.of_parents(made, main, parents);
            if self.plan.is_sequence {
                given.columns.extend(lefts.iter().map(|left| left.given(parents)));
                self.add_places(&mut given, at, parents, &counts);
                given.columns.extend(families.previous(self.plan, parents));
            }
            let given = (!given.columns.is_empty()).then_some(given);
            let place = if self.plan.is_sequence { at + 1 } else { 0 };
            let seed = seed.wrapping_add(at as u64);
            let known = if apart.is_empty() { None } else { given.clone() };
            let mut rows = self.evenly(model, parents.len(), given, place, seed)?;
            self.set_apart(model, &mut rows, (parents, known), &mut apart, &families, seed)?;
            lefts.iter_mut().for_each(|left| left.take(parents, &rows));
            self.leave_out_given(&mut rows, main);
            families.add(rows, parents)?;
        }
        let n = self.orphans(main, counts.len());
        if n > 0 || families.rows.is_none() {
            let mut orphans = self.without_parents(model, n, seed.wrapping_add(waves.len() as u64))?;
            self.leave_out_given(&mut orphans, main);
            families.add(orphans, &vec![NONE; n])?;
        }
        Ok((families.rows.unwrap_or_default(), families.parents))
    }

    /// The columns in which siblings differ. What comes from elsewhere than the model does not, and what the request says, or
    /// rows of several parents may not share, is not changed.
    fn apart(&self, main: usize) -> Apart<'a> {
        let (plan, of_main) = (self.plan, &self.table.foreign_keys[main].columns);
        let is_drawn = |name: &&String| {
            !plan.copied.iter().any(|copied| copied.column == **name)
                && !plan.totals.iter().any(|total| total.column == **name)
                && !self.persons.iter().any(|persons| persons.table == plan.name && persons.makes(name))
                && !self.texts.iter().any(|text| text.table == plan.name && text.column == **name)
        };
        let may_change = |name: &String| {
            let is_of_siblings =
                |set: &Vec<String>| set.iter().all(|own| own == name || of_main.contains(own));
            let mut conditions = self.request.conditions.iter();
            self.table.unique_sets().filter(|set| set.contains(name)).all(is_of_siblings)
                && !conditions.any(|(table, on)| *table == plan.name && on.column == *name)
        };
        let columns = plan.apart.iter().filter(is_drawn).map(|name| (name.as_str(), may_change(name)));
        Apart::new(columns, &plan.bounds)
    }

    /// Draws rows again that have what a sibling may not have as well, and changes what repeats even then. Of the rows their
    /// parents are known, and what they are drawn given.
    fn set_apart(
        &self,
        model: &Model,
        rows: &mut Table,
        (parents, given): (&[u32], Option<Table>),
        apart: &mut Apart,
        families: &Families,
        seed: u64,
    ) -> Result<(), Error> {
        let mut draw = |open: &[u32], attempt: u64| {
            let given = given.as_ref().map(|given| given.select(open));
            self.sampled(model, open.len(), given, seed.wrapping_add((1 << 52) + (attempt << 40)))
        };
        let open = apart.redraw(rows, parents, &mut draw)?;
        if !open.is_empty() {
            let (_, codec) = model.rows()?;
            let mut rng = Rng::new(seed, 3);
            apart.settle(rows, (&open, parents), families.rows.as_ref(), &codec.rules, &mut rng);
        }
        Ok(())
    }

    /// Leaves out what rows were only drawn given, of their main parent and their siblings, but for what their texts are written
    /// by: in long tables it is most of what they hold.
    fn leave_out_given(&self, rows: &mut Table, main: usize) {
        let plan = self.plan;
        let context = plan.context.iter().filter(|context| context.keys[0] == main);
        let mut given: HashSet<String> = context.map(|context| context.name.clone()).collect();
        given.extend(plan.previous.iter().map(|name| plan.before(name)));
        given.extend(plan.left.iter().map(|(name, _)| plan.mean_left(name)));
        given.extend([plan.named(INDEX), plan.named(SIBLINGS)]);
        for text in self.texts.iter().filter(|text| text.table == plan.name) {
            text.by().for_each(|name| {
                given.remove(name);
            });
        }
        match rows.columns.iter().all(|column| given.contains(&column.name)) {
            // How many rows there are is known by a column.
            true => rows.columns.truncate(1),
            false => rows.columns.retain(|column| !given.contains(&column.name)),
        }
    }

    /// The parents of rows that are drawn at once: of a sequence those of the first children, then of the second and so on.
    fn waves(&self, counts: &[u32]) -> Vec<Vec<u32>> {
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
        waves
    }

    /// Says of the children that are drawn next where they stand among their siblings; `at` is 0 for the first of each parent.
    fn add_places(&self, given: &mut Table, at: usize, parents: &[u32], counts: &[u32]) {
        given.columns.push(numbers(&self.plan.named(INDEX), vec![at as u32 + 1; parents.len()]));
        if let (Some(name), Some(first)) = (&self.plan.time, self.plan.first) {
            let number = first.saturating_add(at as i64).to_string();
            given.columns.push(Column::of(name, parents.iter().map(|_| Some(number.as_str()))));
        }
        let siblings = parents.iter().map(|&row| counts[row as usize]);
        given.columns.push(numbers(&self.plan.named(SIBLINGS), siblings));
    }

    /// How many rows have no main parent where it has so many rows: the share of the source.
    fn orphans(&self, main: usize, parents: usize) -> usize {
        let foreign = &self.table.foreign_keys[main];
        let before = self.plans.iter().find(|plan| plan.name == foreign.parent).map_or(0, |plan| plan.rows);
        let share = parents as f64 / before.max(1) as f64;
        let slice = self.before.slice_of(&self.plan.name);
        if foreign.optional { slice.rounded(self.plan.orphans as f64 * share) } else { 0 }
    }

    /// Rows of no main parent.
    fn without_parents(&self, model: &Model, n: usize, seed: u64) -> Result<Table, Error> {
        let mut given = Table::default();
        if self.plan.is_sequence {
            given.columns.push(numbers(&self.plan.named(INDEX), vec![0; n]));
        }
        let given = (self.plan.is_sequence && n > 0).then_some(given);
        self.sampled(model, n, given, seed)
    }

    /// How many children each row of the main parent has, as was drawn with it.
    fn counts(&self, made: &Database, main: usize) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[main];
        let is_one = self.table.tells_apart(&foreign.columns);
        let Some(parent) = made.get(&foreign.parent) else { return Vec::new() };
        let counts = counts_of(self.plans, foreign, parent, (&self.plan.name, main));
        counts.into_iter().map(|count| if is_one { count.min(1) } else { count }).collect()
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
                balance(column, parent, weights, self.before.slice_of(&self.plan.name), rng);
            }
        }
    }

    /// Siblings do not have the same key of a kept table where the two keys together tell rows apart: a track is in a playlist
    /// once.
    fn keep_apart(&self, filled: &mut Filled, main: usize, rng: &mut Rng) {
        let keys = self.table.foreign_keys.iter().zip(&self.plan.keys);
        let values: Vec<&String> =
            keys.filter(|(_, is)| **is == Use::Value).filter_map(|(key, _)| key.columns.first()).collect();
        for set in self.table.unique_sets() {
            let of_main = &self.table.foreign_keys[main].columns;
            let others: Vec<&String> = set.iter().filter(|name| !of_main.contains(name)).collect();
            let [name] = others.as_slice() else { continue };
            let column = filled.table.columns.iter_mut().find(|column| &column.name == *name);
            if let Some(column) = column.filter(|_| values.contains(name) && !self.is_given(name)) {
                apart(column, &filled.parents[main], rng);
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
        let fixed = self.plan.copied.iter().filter(|copied| copied.from == From::FirstSibling);
        for copied in fixed.filter(|copied| !self.is_given(&copied.column)) {
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
        // One column after another: a copy of a long table beside it would be too much.
        filled.table.columns.iter_mut().for_each(|column| *column = column.select(&order));
        let (Some(name), Some(first)) = (&self.plan.time, self.plan.first) else { return };
        if self.is_given(name) {
            return;
        }
        let places = Places::of(filled, &filled.parents[main], None);
        let Some(column) = filled.table.columns.iter_mut().find(|column| &column.name == name) else {
            return;
        };
        for (row, &index) in places.index.iter().enumerate().filter(|(_, index)| **index > 0) {
            column.set(row, Some(&first.saturating_add(i64::from(index) - 1).to_string()));
        }
    }
}
