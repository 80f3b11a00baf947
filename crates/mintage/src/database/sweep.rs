//! Draws columns of new rows again when all rows are there: Gibbs sampling over a whole database, with blocks of columns.
//!
//! Parents are drawn before their children, and know nothing of what these came to. In a sweep each table, from the first to
//! the last and back, has a third of its columns drawn anew given all else that its model sees by now:
//!
//! ```text
//! a row ──► hide a block ──► given: its other columns, its parents, the sibling before, what its children came to
//! ```
//!
//! In a sequence a block is hidden in all rows of a parent and drawn child after child, since the model of a row does not see
//! the sibling after it. What is left of a mean is left of the one that was drawn with the parent: given the mean of the rows
//! themselves, rows would stray from it together, a little more in every round.
//!
//! A new block is taken where it breaks no bound and no rule. Models are not told that a cell has no value, so that such cells
//! are drawn with the block, and the block is taken where they have none again: rejection gives the right distribution.

use std::collections::{HashMap, HashSet};

use mintage_data::{
    Column, RowEncoder, Table,
    database::Schema,
    table::{rules::Rule, schema::Kind},
};
use mintage_nn::{Rng, cancel};

use super::{
    DatabaseModel, DatabaseRequest,
    agree::behind,
    bounds::broken,
    cells::number,
    filled::{Database, NONE, children},
    movable::{Movable, place_behind},
    plan::{Part, TablePlan},
    siblings::Places,
    summary::Left,
    totals,
    view::{learned, picked},
};
use crate::{error::Error, model::Model, sample::TableRequest};

/// One column in so many is drawn at once.
const BLOCK_SHARE: usize = 3;
/// Times that a block is drawn for a row.
const MAX_ATTEMPTS: usize = 3;
/// The first stream of random numbers, behind those of all tables and rounds of ties.
const FIRST_STREAM: u64 = 1 << 32;

/// Goes through all tables as often as the request says, there and back.
///
/// # Errors
/// A model is damaged, or a planned column is not there.
pub(super) fn sweep(
    model: &DatabaseModel,
    request: &DatabaseRequest,
    made: &mut Database,
) -> Result<(), Error> {
    let movable = Movable::of(model, request);
    let is_learned = |at: &usize| model.plans[*at].part == Part::Learned;
    let tables: Vec<usize> = (0..model.plans.len()).filter(is_learned).collect();
    let turns = (0..request.sweeps).flat_map(|_| tables.iter().chain(tables.iter().rev()));
    for (turn, &at) in turns.enumerate() {
        // Whoever set the flag throws the rows away.
        if cancel::wanted() {
            return Ok(());
        }
        totals::compute(&model.plans, made);
        let mut rng = Rng::new(request.seed, FIRST_STREAM + turn as u64);
        let moved = redraw(model, &movable, (at, request.temperature), made, &mut rng)?;
        movable.follow(at, &moved, made);
    }
    Ok(())
}

/// Draws columns of the table at a place again; returns their names.
fn redraw(
    model: &DatabaseModel,
    movable: &Movable,
    (at, temperature): (usize, f32),
    made: &mut Database,
    rng: &mut Rng,
) -> Result<Vec<String>, Error> {
    let plan = &model.plans[at];
    let is_empty = made.get(&plan.name).is_none_or(|filled| filled.rows() == 0);
    if is_empty || !plan.own.iter().any(|name| movable.may_move(at, name)) {
        return Ok(Vec::new());
    }
    let trained = model.table(at)?;
    let (_, codec) = trained.rows()?;
    let units = movable.units(at, codec);
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let mut view = learned(plan, &model.schema, made)?;
    let pass = Pass {
        plan,
        temperature,
        model: &trained,
        codec,
        given: given(codec, &view),
        refused: refused(codec, &view),
        limits: limits(&model.schema, &model.plans, at, made),
        units,
    };
    pass.run(Sequence::of(plan, &model.schema, made), &mut view, rng);
    let moved = pass.units.concat();
    if let Some(filled) = made.get_mut(&plan.name) {
        for own in filled.table.columns.iter_mut().filter(|own| moved.contains(&own.name)) {
            if let Some(column) = view.column(&own.name) {
                *own = column.clone();
            }
        }
    }
    Ok(moved)
}

/// The columns that rows are drawn given where they are not hidden. Identifiers say nothing, and what is computed says no more
/// than what it is computed from.
fn given(codec: &RowEncoder, view: &Table) -> Vec<String> {
    let is_computed = |name: &str| {
        let mut rules = codec.rules.rules().iter();
        rules.any(|rule| matches!(rule, Rule::Formula { column, .. } if column == name))
    };
    let columns = codec.rules.own().columns.iter().filter(|column| {
        !matches!(column.kind, Kind::Id | Kind::Constant)
            && !is_computed(&column.name)
            && view.column(&column.name).is_some()
    });
    columns.map(|column| column.name.clone()).collect()
}

/// Rows that break a rule as they are: what is drawn beside could not mend it.
fn refused(codec: &RowEncoder, view: &Table) -> HashSet<u32> {
    if !codec.rules.rules().iter().any(|rule| matches!(rule, Rule::Check { .. })) {
        return HashSet::new();
    }
    let columns = codec.rules.own().columns.iter().map(|column| view.column(&column.name).cloned());
    let Some(columns) = columns.collect::<Option<Vec<Column>>>() else { return HashSet::new() };
    let rows = Table { columns, ..Table::default() };
    codec.rules.refused(&rows).into_iter().map(|(row, _)| row as u32).collect()
}

/// For each unit of columns whether it is hidden in a row: as many in every row, the same ones in rows of one parent.
fn blocks(units: usize, rows: usize, parents: Option<&[u32]>, rng: &mut Rng) -> Vec<Vec<bool>> {
    let mut hidden = vec![vec![false; rows]; units];
    let mut of_family: HashMap<u32, Vec<usize>> = HashMap::new();
    for row in 0..rows {
        let parent = parents.map_or(NONE, |parents| parents[row]);
        let block = match of_family.get(&parent) {
            Some(block) => block.clone(),
            None => {
                let mut block = rng.permutation(units);
                block.truncate(units.div_ceil(BLOCK_SHARE));
                block
            }
        };
        block.iter().for_each(|&unit| hidden[unit][row] = true);
        if parent != NONE {
            of_family.insert(parent, block);
        }
    }
    hidden
}

/// Puts the cells of a column in place of those of the table's column of its name, in some rows.
fn set_rows(table: &mut Table, column: &Column, rows: &[u32]) {
    let Some(own) = table.columns.iter_mut().find(|own| own.name == column.name) else { return };
    for (at, &row) in rows.iter().enumerate() {
        own.set(row as usize, column.cell(at));
    }
}

/// What the rows that belong to a row leave to a column of it.
struct Limit {
    column: String,
    /// By row.
    least: Vec<f64>,
    most: Vec<f64>,
}

impl Limit {
    fn allows(&self, row: u32, cell: Option<&str>) -> bool {
        let row = row as usize;
        cell.and_then(number).is_none_or(|value| self.least[row] <= value && value <= self.most[row])
    }
}

/// What children leave to the dates of the table at a place that bound theirs. A date that breaks a bound already may come
/// nearer.
fn limits(schema: &Schema, plans: &[TablePlan], at: usize, made: &Database) -> Vec<Limit> {
    let mut limits = Vec::new();
    for plan in plans {
        for bound in &plan.bounds {
            let context = plan.context.iter().find(|context| context.name == bound.parent);
            let Some(context) = context else { continue };
            if place_behind(schema, plans, &plan.name, &context.keys) != Some(at) {
                continue;
            }
            let Some((rows, parent, _)) = behind(schema, made, &plan.name, &context.keys) else { continue };
            let own = made.get(&plan.name).and_then(|filled| filled.table.column(&bound.column));
            let (Some(own), Some(theirs)) = (own, parent.table.column(&context.column)) else { continue };
            let (mut least, mut most) =
                (vec![f64::NEG_INFINITY; theirs.len()], vec![f64::INFINITY; theirs.len()]);
            for (row, &parent) in rows.iter().enumerate().filter(|(_, parent)| **parent != NONE) {
                let Some(value) = own.cell(row).and_then(number) else { continue };
                let parent = parent as usize;
                match bound.is_later {
                    true => most[parent] = most[parent].min(value),
                    false => least[parent] = least[parent].max(value),
                }
            }
            for (row, value) in theirs.iter().enumerate() {
                let Some(value) = value.and_then(number) else { continue };
                (least[row], most[row]) = (least[row].min(value), most[row].max(value));
            }
            limits.push(Limit { column: context.column.clone(), least, most });
        }
    }
    limits
}

/// Rows that follow one another, with what is left of the means that were drawn with their parents.
struct Sequence {
    /// The row of the main parent of each.
    parents: Vec<u32>,
    places: Places,
    lefts: Vec<Left>,
}

impl Sequence {
    /// Nothing where the rows of a table are drawn at once.
    fn of(plan: &TablePlan, schema: &Schema, made: &Database) -> Option<Self> {
        let main = plan.main().filter(|_| plan.is_sequence)?;
        let filled = made.get(&plan.name)?;
        let parent = made.get(&schema.table(&plan.name)?.foreign_keys.get(main)?.parent)?;
        let parents = filled.parents.get(main)?.clone();
        let places = Places::of(filled, &parents, plan.time.as_deref());
        let counts = children(&parents, parent.rows());
        let left = |(name, summary): &(String, String)| {
            Left::new(plan.mean_left(name), name, (parent, summary), &counts)
        };
        let lefts = plan.left.iter().map(left).collect();
        Some(Self { parents, places, lefts })
    }

    /// The rows that are drawn at once: those without a parent, then the first children of all, the second and so on.
    fn waves(&self) -> Vec<Vec<u32>> {
        let n = self.places.index.iter().max().map_or(0, |most| *most as usize + 1);
        let mut waves = vec![Vec::new(); n];
        for (row, &index) in self.places.index.iter().enumerate() {
            waves[index as usize].push(row as u32);
        }
        waves
    }

    fn parents_of(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|&row| self.parents[row as usize]).collect()
    }

    /// Tells rows of the siblings before them as these are by now.
    fn tell(&self, plan: &TablePlan, view: &mut Table, rows: &[u32]) {
        let parents = self.parents_of(rows);
        let previous: Vec<u32> = rows.iter().map(|&row| self.places.previous[row as usize]).collect();
        let mut told: Vec<Column> = self.lefts.iter().map(|left| left.given(&parents)).collect();
        for name in &plan.previous {
            let before = view.column(name).map(|column| picked(&plan.before(name), column, &previous));
            told.extend(before);
        }
        told.iter().for_each(|column| set_rows(view, column, rows));
    }

    /// Takes off what rows are from what is left to those after them.
    fn take(&mut self, plan: &TablePlan, view: &Table, rows: &[u32]) {
        let parents = self.parents_of(rows);
        let columns = plan.left.iter().filter_map(|(name, _)| Some(view.column(name)?.select(rows)));
        let drawn = Table { columns: columns.collect(), ..Table::default() };
        self.lefts.iter_mut().for_each(|left| left.take(&parents, &drawn));
    }
}

/// One pass over a table.
struct Pass<'a> {
    plan: &'a TablePlan,
    temperature: f32,
    model: &'a Model,
    codec: &'a RowEncoder,
    /// Columns that are drawn again, those together that have to be.
    units: Vec<Vec<String>>,
    /// Columns that rows are drawn given.
    given: Vec<String>,
    /// Rows that stay as they are.
    refused: HashSet<u32>,
    limits: Vec<Limit>,
}

impl Pass<'_> {
    /// Draws a block of each row of `view` again, which is what the model sees of the rows.
    fn run(&self, sequence: Option<Sequence>, view: &mut Table, rng: &mut Rng) {
        let parents = sequence.as_ref().map(|sequence| sequence.parents.as_slice());
        let hidden = blocks(self.units.len(), view.rows(), parents, rng);
        let Some(mut sequence) = sequence else {
            let all: Vec<u32> = (0..view.rows() as u32).collect();
            return self.draw(view, &all, &hidden, rng);
        };
        for (index, rows) in sequence.waves().iter().enumerate() {
            // Those without a parent have no siblings.
            if index == 0 {
                self.draw(view, rows, &hidden, rng);
                continue;
            }
            sequence.tell(self.plan, view, rows);
            self.draw(view, rows, &hidden, rng);
            sequence.take(self.plan, view, rows);
        }
    }

    /// Draws the hidden cells of some rows, a few times where they may not be as they were drawn; then they stay as they are.
    fn draw(&self, view: &mut Table, rows: &[u32], hidden: &[Vec<bool>], rng: &mut Rng) {
        let mut open: Vec<u32> = rows.iter().copied().filter(|row| !self.refused.contains(row)).collect();
        for _ in 0..MAX_ATTEMPTS {
            if open.is_empty() {
                return;
            }
            let old = view.select(&open);
            let request = TableRequest {
                given: Some(self.known(&old, &open, hidden)),
                seed: rng.next_u64(),
                temperature: self.temperature,
                ..TableRequest::default()
            };
            // There are rows already: where no others can be made, these will do.
            let Ok(drawn) = self.model.sample_rows(&request, &mut |_, _| {}) else { return };
            if drawn.rows() != open.len() {
                return;
            }
            let new = self.changed(&old, &drawn, &open, hidden);
            let is_good = self.good(&old, &new, &drawn, &open, hidden);
            let good: Vec<u32> = (0..open.len() as u32).filter(|&at| is_good[at as usize]).collect();
            let taken: Vec<u32> = good.iter().map(|&at| open[at as usize]).collect();
            for name in self.units.iter().flatten() {
                if let Some(column) = new.column(name) {
                    set_rows(view, &column.select(&good), &taken);
                }
            }
            open =
                open.into_iter().zip(is_good).filter(|(_, is_good)| !is_good).map(|(row, _)| row).collect();
        }
    }

    fn unit_of(&self, name: &str) -> Option<usize> {
        self.units.iter().position(|unit| unit.iter().any(|own| own == name))
    }

    /// What is given of the rows `open`, whose cells are `old`: without those that are hidden.
    fn known(&self, old: &Table, open: &[u32], hidden: &[Vec<bool>]) -> Table {
        let column = |name: &String| {
            let mut column = old.column(name)?.clone();
            if let Some(unit) = self.unit_of(name) {
                let rows = open.iter().enumerate().filter(|(_, row)| hidden[unit][**row as usize]);
                rows.for_each(|(at, _)| column.set(at, None));
            }
            Some(column)
        };
        let columns = self.given.iter().filter_map(column).collect();
        Table { name: self.plan.name.clone(), columns, ..Table::default() }
    }

    /// The rows `open` with what was drawn in hidden cells.
    fn changed(&self, old: &Table, drawn: &Table, open: &[u32], hidden: &[Vec<bool>]) -> Table {
        let mut new = old.clone();
        for own in &mut new.columns {
            let (Some(unit), Some(from)) = (self.unit_of(&own.name), drawn.column(&own.name)) else {
                continue;
            };
            for (at, _) in open.iter().enumerate().filter(|(_, row)| hidden[unit][**row as usize]) {
                own.set(at, from.cell(at));
            }
        }
        new
    }

    /// Which of the rows `open` may be `new`: they break no more bounds than the `old` ones, and what had no value has none among
    /// what was `drawn`.
    fn good(&self, old: &Table, new: &Table, drawn: &Table, open: &[u32], hidden: &[Vec<bool>]) -> Vec<bool> {
        let mut good = vec![true; open.len()];
        for bound in &self.plan.bounds {
            let bound = std::slice::from_ref(bound);
            let pairs = broken(bound, old).into_iter().zip(broken(bound, new));
            good.iter_mut().zip(pairs).for_each(|(good, (before, after))| *good &= after <= before);
        }
        for limit in &self.limits {
            let Some(column) = new.column(&limit.column) else { continue };
            for (at, &row) in open.iter().enumerate() {
                good[at] &= limit.allows(row, column.cell(at));
            }
        }
        let own = self.codec.rules.own();
        for name in self.given.iter().filter(|name| self.plan.own.contains(name)) {
            let (Some(schema), Some(was), Some(is)) =
                (own.column(name), old.column(name), drawn.column(name))
            else {
                continue;
            };
            let unit = self.unit_of(name);
            for (at, &row) in open.iter().enumerate() {
                let is_hidden = unit.is_some_and(|unit| hidden[unit][row as usize]);
                let has_gained = schema.is_missing(was.cell(at)) && !schema.is_missing(is.cell(at));
                good[at] &= is_hidden || !has_gained;
            }
        }
        good
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{
        filled::numbers,
        plan::{Bound, Context},
        testing::{key, planned, table},
    };

    #[test]
    fn a_third_of_the_columns_is_hidden_alike_in_a_family() {
        let parents: Vec<u32> = (0..60).map(|row| row / 4).chain([NONE, NONE]).collect();
        let hidden = blocks(7, 62, Some(&parents), &mut Rng::new(1, 0));
        let block = |row: usize| hidden.iter().map(|unit| unit[row]).collect::<Vec<bool>>();
        for row in 0..62 {
            assert_eq!(block(row).iter().filter(|is| **is).count(), 3, "{row}");
        }
        assert!((0..60).all(|row| block(row) == block(row / 4 * 4)));
        let of_families: HashSet<Vec<bool>> = (0..15).map(|family| block(family * 4)).collect();
        assert!(of_families.len() > 5, "{of_families:?}");
        let apart = blocks(3, 30, None, &mut Rng::new(1, 0));
        assert!(apart.iter().all(|unit| unit.contains(&true) && unit.contains(&false)));
    }

    #[test]
    fn children_limit_the_dates_of_their_parents() {
        let firms = vec![numbers("id", 1..=20), numbers("founded", (0..20).map(|row| 1000 + row % 7))];
        let staff = vec![
            numbers("id", 1..=80),
            numbers("firm", (0..80).map(|row| row / 4 + 1)),
            // The last firm is younger than one of its staff.
            numbers("hired", (0..80).map(|row| if row == 79 { 900 } else { 1010 + row % 4 })),
        ];
        let staff = table("staff", vec![key("firm", "firms", "id", false)], staff);
        let (schema, made, mut plans) = planned(vec![table("firms", Vec::new(), firms), staff]);
        let at = plans.iter().position(|plan| plan.name == "firms").unwrap();
        let plan = plans.iter_mut().find(|plan| plan.name == "staff").unwrap();
        let name = "firm>founded".to_owned();
        plan.context = vec![Context { name: name.clone(), keys: vec![0], column: "founded".to_owned() }];
        plan.bounds = vec![Bound { column: "hired".to_owned(), parent: name, is_later: true }];
        let limits = limits(&schema, &plans, at, &made);
        assert_eq!((limits.len(), limits[0].column.as_str()), (1, "founded"));
        assert!(limits[0].allows(3, Some("1010")) && !limits[0].allows(3, Some("1011")));
        assert!(limits[0].allows(3, None) && limits[0].allows(3, Some("1")));
        // It may not be younger still: 1000 + 19 % 7.
        assert!(limits[0].allows(19, Some("1005")) && !limits[0].allows(19, Some("1006")));
    }

    #[test]
    fn rows_of_a_sequence_know_those_before_them_as_they_are_by_now() {
        let firms = vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
        let staff = vec![
            numbers("id", 1..=80),
            numbers("firm", (0..80).map(|row| row / 4 + 1)),
            numbers("grade", (0..80).map(|row| row * 7 % 31)),
        ];
        let staff = table("staff", vec![key("firm", "firms", "id", false)], staff);
        let (schema, mut made, plans) = planned(vec![table("firms", Vec::new(), firms), staff]);
        let plan = plans.iter().find(|plan| plan.name == "staff").unwrap();
        let (_, summary) = plan.left.iter().find(|(name, _)| name == "grade").unwrap();
        made.get_mut("firms").unwrap().table.columns.push(numbers(summary, [2; 20]));
        let mut view = learned(plan, &schema, &made).unwrap();
        let mut sequence = Sequence::of(plan, &schema, &made).unwrap();
        let waves = sequence.waves();
        assert_eq!(waves.iter().map(Vec::len).collect::<Vec<_>>(), [0, 20, 20, 20, 20]);
        let grades = Column::of("grade", [Some("5"); 20]);
        sequence.tell(plan, &mut view, &waves[1]);
        set_rows(&mut view, &grades, &waves[1]);
        sequence.take(plan, &view, &waves[1]);
        sequence.tell(plan, &mut view, &waves[2]);
        let cell = |name: &str, row: usize| view.column(name).unwrap().cell(row);
        assert_eq!((cell("#left grade", 0), cell("#left grade", 1)), (Some("2"), Some("1")));
        assert_eq!((cell("<grade", 0), cell("<grade", 1)), (None, Some("5")));
    }
}
