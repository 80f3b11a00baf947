//! Whole databases: all tables learned together, and new rows for all of them with the keys between them.
//!
//! Every table has a model of its rows (an any-order autoregressive model, unless the recipe says otherwise) which sees more
//! than the table's own columns: those of the parent that the rows belong to and of its parent, the place among the
//! siblings, the sibling before, those of further parents, and how many rows of each other table refer to the row.
//! Because such a model draws any of its columns given any others, it is asked for what is not known yet:
//!
//! ```text
//! schema ──► plan ──► for each table, parents first:
//!                       rows without a parent      columns and numbers of children, jointly
//!                       rows of a main parent      given the parent's columns, the index, the sibling before
//!                       further parents            found by the columns drawn of them, as often as was drawn with them
//! ```
//!
//! So the number of children of each parent is exactly what was drawn with it, jointly for all child tables. Composite keys
//! are drawn without repetition, keys of a table to itself form forests of the depths that were learned, and keys to tables
//! that come later in a circle are set when those are there. Short tables that others refer to are kept as they are.
//!
//! Related: Gueye et al. 2022 (row conditional on parent rows), Pang et al., ClavaDDPM (2024), Hudovernik et al. 2024 (how
//! such data are judged).

mod agree;
mod assign;
mod bounds;
mod cells;
mod detect;
mod draw;
mod even;
mod filled;
mod judge;
mod keys;
mod mask;
mod persons;
mod plan;
mod planner;
mod proof;
mod read;
mod report;
mod request;
mod rivals;
mod siblings;
mod summary;
mod totals;
mod view;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use mintage_data::{
    SourceSpec, Table, TableSet,
    database::Schema,
    read_text,
    table::{
        rules::{Rule, RuleChoice, in_force},
        schema::Kind,
    },
};
use mintage_nn::DeviceChoice;
use serde::{Deserialize, Serialize};

pub use detect::Detected;
use even::Targets;
use filled::{Database, numbers};
pub use judge::{ChildShare, DatabaseScores, KeyScores, Score, TableScores, judge, judge_random_keys};
pub use keys::TextKey;
pub use mask::{MaskRequest, Masked, mask};
use persons::is_no_key;
pub use persons::{PersonalColumn, Persons};
use plan::Kinds;
pub use plan::{Bound, Context, Copied, Count, From, Of, Part, TablePlan, Total, Use};
use planner::described;
pub use proof::{Counted, Proof, TableProof, prove};
pub use report::DatabaseReport;
pub use request::DatabaseRequest;
use summary::left;
pub use summary::{How, Summary};

use crate::{
    dataset::AnyData,
    error::Error,
    events::{Event, StopReason},
    model::Model,
    recipe::Recipe,
    run::{Run, RunState},
    train::{Control, train},
};

/// The file of a run that says that it is of a whole database.
const FILE: &str = "database.json";
/// The folder of the models of the tables.
const TABLES: &str = "tables";
/// Its size, at most: the rows of kept tables are in it.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Seed of the persons in tables that are kept.
const KEPT_SEED: u64 = 1;
/// A column for tables that have nothing to learn.
const COIN: &str = "#coin";
/// Seconds of training that every table gets, unless so many tables would get less by equal shares.
const MIN_TABLE_SECS: f64 = 2.0;

/// A database that was read to learn from.
pub struct DatabaseData {
    spec: SourceSpec,
    schema: Schema,
    source: Database,
    kinds: Kinds,
    persons: Vec<Persons>,
    keys: Vec<TextKey>,
    plans: Vec<TablePlan>,
    /// What the user should know: what could not be read, whose rows are kept as they are.
    pub notes: Vec<String>,
}

/// What a run of a database holds beside its models.
#[derive(Serialize, Deserialize)]
struct Saved {
    schema: Schema,
    plans: Vec<TablePlan>,
    /// For each plan what its new rows are to be like together.
    targets: Vec<Targets>,
    persons: Vec<Persons>,
    keys: Vec<TextKey>,
    kept: Vec<KeptTable>,
}

/// A table whose rows are those of the source.
#[derive(Serialize, Deserialize)]
struct KeptTable {
    name: String,
    columns: Vec<(String, mintage_data::Declaration, Vec<Option<String>>)>,
}

/// The models of a whole database.
pub struct DatabaseModel {
    dir: PathBuf,
    source: PathBuf,
    schema: Schema,
    plans: Vec<TablePlan>,
    targets: Vec<Targets>,
    persons: Vec<Persons>,
    keys: Vec<TextKey>,
    kept: Vec<Table>,
    device: DeviceChoice,
}

/// Whether a run is of a whole database.
pub fn is_database_run(dir: &Path) -> bool {
    dir.join(FILE).is_file()
}

impl DatabaseData {
    /// Reads the schema and all rows of a database; of `only` some tables where it names any, and none of `without`.
    ///
    /// # Errors
    /// The source is no database, cannot be read, or has no such table; or its keys form a circle that no row can begin.
    pub fn open(spec: &SourceSpec, only: &[String], without: &[String]) -> Result<Self, Error> {
        let (schema, mut source, mut notes) = read::read(spec, only, without)?;
        let tables = schema.tables.iter().filter_map(|table| Some((table, &source.get(&table.name)?.table)));
        let persons: Vec<Persons> =
            tables.filter_map(|(table, rows)| Persons::of(&schema, table, rows, spec, &is_no_key)).collect();
        let kinds = kinds_of(&source, &persons, spec);
        let tables = schema
            .tables
            .iter()
            .filter_map(|table| Some((table, &source.get(&table.name)?.table, kinds.get(&table.name)?)));
        let keys: Vec<TextKey> =
            tables.flat_map(|(table, rows, found)| TextKey::all_of(table, rows, found, &persons)).collect();
        let plans = planner::plan(&schema, &source, &kinds, &keys)?;
        sum_up(&plans, &mut source);
        notes.extend(planner::warnings(&plans, &kinds, &persons));
        if plans.iter().all(|plan| plan.part != Part::Learned) {
            return Err(Error::request("no table has enough rows to learn from"));
        }
        Ok(Self { spec: spec.clone(), schema, source, kinds, persons, keys, plans, notes })
    }

    /// The schema of the source.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How each table is learned, parents first.
    pub fn plans(&self) -> &[TablePlan] {
        &self.plans
    }

    /// What of the tables points at persons, and is made afresh.
    pub fn persons(&self) -> &[Persons] {
        &self.persons
    }

    /// The rows of a table of the source.
    pub fn rows(&self, table: &str) -> Option<&Table> {
        self.source.get(table).map(|filled| &filled.table)
    }

    /// The rows of the same tables in another database, to be judged, and notes on what could not be read.
    ///
    /// # Errors
    /// The other one is no database, cannot be read, or has none of the tables.
    pub fn rows_beside(&self, spec: &SourceSpec) -> Result<(Vec<Table>, Vec<String>), Error> {
        read::rows_beside(&self.schema, spec)
    }

    /// Rows that are kept, with persons who do not exist in place of those that are in them.
    fn without_persons(&self, rows: &Table) -> Table {
        let mut new = rows.clone();
        let own = self.persons.iter().filter(|persons| persons.table == rows.name);
        own.for_each(|persons| persons.make(&mut new, KEPT_SEED));
        new
    }

    /// Whether the cells of a column are those of a parent's column that is made afresh.
    fn is_copy_of_fresh(&self, table: &str, column: &str) -> bool {
        let Some(plan) = self.plans.iter().find(|plan| plan.name == table) else { return false };
        let copied = plan.copied.iter().find(|copied| copied.column == column);
        let Some(From::Parent(context)) = copied.map(|copied| &copied.from) else { return false };
        let parent = agree::behind(&self.schema, &self.source, table, &context.keys);
        let Some((_, _, name)) = parent else { return false };
        let found = self.kinds.get(&name).into_iter().flat_map(|found| &found.columns);
        let kind = found.into_iter().find(|column| column.name == context.column).map(|column| column.kind);
        matches!(kind, Some(Kind::Id | Kind::Text)) || self.is_copy_of_fresh(&name, &context.column)
    }

    /// For each table that is learned its share of the time of training: with the root of its cells, so that small tables are
    /// learned as well.
    pub fn shares(&self) -> Vec<f64> {
        let weight = |plan: &TablePlan| match plan.part {
            Part::Learned => {
                ((plan.rows * (plan.own.len() + plan.context.len() + plan.counts.len() + 1)) as f64).sqrt()
            }
            Part::Kept | Part::Empty => 0.0,
        };
        let weights: Vec<f64> = self.plans.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect()
    }
}

/// What the columns of all tables are.
fn kinds_of(source: &Database, persons: &[Persons], spec: &SourceSpec) -> Kinds {
    let described = |(name, filled): (&String, &filled::Filled)| {
        let mut found = described(&filled.table, spec);
        persons
            .iter()
            .filter(|persons| persons.table == *name)
            .for_each(|persons| persons.describe(&mut found));
        (name.clone(), found)
    };
    source.iter().map(described).collect()
}

/// Gives parents what is told of them by their children.
fn sum_up(plans: &[TablePlan], source: &mut Database) {
    for plan in plans.iter().filter(|plan| !plan.summaries.is_empty()) {
        let rows = source.get(&plan.name).map_or(0, filled::Filled::rows);
        let columns = plan.summaries.iter();
        let columns =
            columns.filter_map(|summary| Some(summary.of(source.get(&summary.table)?, rows))).collect();
        if let Some(filled) = source.get_mut(&plan.name) {
            filled.summaries = Table { columns, ..Table::default() };
        }
    }
}

/// Trains the models of all tables in the folder of a run, which it makes: `recipe` says with which family and for how long
/// in all. Tables that are done already are not trained again.
///
/// # Errors
/// The folder cannot be written, the family does not suit rows, or a table cannot be learned.
pub fn train_database(
    recipe: &Recipe,
    data: &DatabaseData,
    dir: &Path,
    device: &DeviceChoice,
    control: &Control,
    on: &mut dyn FnMut(&str, Event),
) -> Result<StopReason, Error> {
    let run = match Run::open(dir) {
        Ok(run) if is_database_run(dir) => run,
        _ => Run::create(dir, recipe)?,
    };
    check_same(data, dir)?;
    save(data, dir)?;
    let seconds = recipe.train.budget()?.map(|budget| budget.as_secs_f64());
    let learned = data.plans.iter().filter(|plan| plan.part == Part::Learned).count();
    let start = (control.clock)();
    for (at, (plan, share)) in data.plans.iter().zip(data.shares()).enumerate() {
        if plan.part != Part::Learned {
            continue;
        }
        let folder = folder_of(dir, at);
        if Run::open(&folder).and_then(|run| run.file()).is_ok_and(|file| file.state == RunState::Done) {
            continue;
        }
        let mut recipe = recipe.clone();
        recipe.train.previews = 0;
        if let Some(seconds) = seconds {
            let least = MIN_TABLE_SECS.min(seconds / learned as f64);
            recipe.train.time = format!("{:.3}s", (seconds * share).max(least));
        }
        let reason = train_table(&recipe, data, plan, &folder, device, control, on)?;
        if reason == StopReason::Interrupted {
            return Ok(reason);
        }
    }
    let spent = (control.clock)().saturating_sub(start).as_secs_f64();
    run.set_state(RunState::Done, 0, spent)?;
    Ok(StopReason::Budget)
}

/// An error where the folder is of a database that was another one then: its models do not suit this one.
fn check_same(data: &DatabaseData, dir: &Path) -> Result<(), Error> {
    let path = dir.join(FILE);
    if !path.is_file() {
        return Ok(());
    }
    let saved = serde_json::from_str::<Saved>(&read_text(&path, MAX_FILE_BYTES)?);
    match saved.is_ok_and(|saved| saved.plans == data.plans) {
        true => Ok(()),
        false => Err(Error::folder(dir, "is of another database, or of this one as it was before")
            .with_hint("choose another name: --name")),
    }
}

fn folder_of(dir: &Path, at: usize) -> PathBuf {
    dir.join(TABLES).join(at.to_string())
}

fn train_table(
    recipe: &Recipe,
    data: &DatabaseData,
    plan: &TablePlan,
    folder: &Path,
    device: &DeviceChoice,
    control: &Control,
    on: &mut dyn FnMut(&str, Event),
) -> Result<StopReason, Error> {
    let mut rows = view::learned(plan, &data.schema, &data.source)?;
    if !has_to_learn(&rows, &data.spec) {
        // Identifiers and texts alone are made afresh: the model draws a coin, and they come with it.
        let coins = (0..rows.rows() as u32).map(|row| row.wrapping_mul(0x9e37_79b9) >> 31);
        rows.columns.push(numbers(COIN, coins));
    }
    let mut recipe = recipe.clone();
    recipe.data = read::of_table(&recipe.data, &plan.name, &[]);
    recipe.data.rules = RuleChoice::Only(rules(plan, data)?);
    recipe.data.kinds = kinds(plan, data, &rows);
    let set = TableSet::of(rows, None, &recipe.data)?;
    let mut run = match Run::resume(folder) {
        Ok(run) => run,
        Err(_) => Run::create(folder, &recipe)?,
    };
    let set = AnyData::Table(Arc::new(set));
    train(&recipe, &set, &mut run, device, control, &mut |event| on(&plan.name, event))
}

/// The rules between a table's own columns, declared or found. One between a column of a parent and one of the child could
/// not be kept, since the first is given; that rows differ is seen to when they are written.
fn rules(plan: &TablePlan, data: &DatabaseData) -> Result<Vec<Rule>, Error> {
    let Some(filled) = data.source.get(&plan.name) else { return Ok(Vec::new()) };
    let is_given = |name: &str| {
        let numbers = plan.first.is_some() && plan.time.as_deref() == Some(name);
        numbers
            || plan.copied.iter().any(|copied| copied.column == name)
            || plan.totals.iter().any(|total| total.column == name)
            || data.persons.iter().any(|persons| persons.table == plan.name && persons.makes(name))
    };
    let is_own = |column: &&mintage_data::Column| plan.own.contains(&column.name) && !is_given(&column.name);
    let table = Table {
        columns: filled.table.columns.iter().filter(is_own).cloned().collect(),
        ..filled.table.head()
    };
    let (rules, _) = in_force(&RuleChoice::default(), &table, &described(&table, &data.spec))?;
    let is_of_a_row = |rule: &&Rule| !matches!(rule, Rule::Unique { .. } | Rule::Combination { .. });
    let is_whole = |rule: &&Rule| rule.columns().iter().all(|name| table.column(name).is_some());
    Ok(rules.rules().iter().filter(is_of_a_row).filter(is_whole).cloned().collect())
}

/// Whether a table has a column that a model learns.
fn has_to_learn(rows: &Table, spec: &SourceSpec) -> bool {
    let is_learned = |kind: Kind| !matches!(kind, Kind::Id | Kind::Text | Kind::Constant);
    described(rows, spec).columns.iter().any(|column| is_learned(column.kind))
}

/// Kinds of columns that are known: counts are numbers, keys of kept tables are categories.
fn kinds(plan: &TablePlan, data: &DatabaseData, rows: &Table) -> BTreeMap<String, Kind> {
    let keys = data.schema.table(&plan.name).map(|table| table.foreign_keys.as_slice()).unwrap_or_default();
    let values = keys.iter().zip(&plan.keys).filter(|(_, is)| **is == Use::Value);
    let values = values.flat_map(|(key, _)| key.columns.iter().map(|name| (name.clone(), Kind::Category)));
    let is_own = |name: &str| plan.own.iter().any(|own| own == name);
    let is_mean = |name: &str| {
        let mut means = plan.summaries.iter().filter(|summary| summary.how == How::Mean);
        means.any(|summary| summary.name == name) || plan.left.iter().any(|(column, _)| left(column) == name)
    };
    let kind = |name: &str| if is_mean(name) { Kind::Number } else { Kind::Integer };
    let numbers = rows.names().filter(|name| name.starts_with('#') && !is_own(name));
    let numbers = numbers.map(|name| (name.to_owned(), kind(name)));
    // A column of one value has nothing to be told of.
    let varies = |name: &String| rows.column(name).is_some_and(|column| column.values().len() > 1);
    let persons = data.persons.iter().filter(|persons| persons.table == plan.name);
    let persons =
        persons.flat_map(|persons| persons.columns().iter().map(|own| (own.name.clone(), Kind::Text)));
    let persons = persons.filter(|(name, _)| is_own(name));
    values.chain(numbers).chain(persons).filter(|(name, _)| varies(name)).collect()
}

fn save(data: &DatabaseData, dir: &Path) -> Result<(), Error> {
    let kept = data.plans.iter().filter(|plan| plan.part == Part::Kept);
    let kept =
        kept.filter_map(|plan| data.rows(&plan.name)).map(|rows| KeptTable::of(&data.without_persons(rows)));
    let kept = kept.collect();
    let targets = data.plans.iter().map(|plan| targets(plan, data)).collect::<Result<_, _>>()?;
    let saved = Saved {
        schema: data.schema.clone(),
        plans: data.plans.clone(),
        targets,
        persons: data.persons.clone(),
        keys: data.keys.clone(),
        kept,
    };
    let path = dir.join(FILE);
    let text = serde_json::to_vec(&saved).map_err(|error| Error::folder(&path, error.to_string()))?;
    mintage_data::atomic_write(&path, &text).map_err(Error::io(&path))
}

/// What the rows of a table are like together.
fn targets(plan: &TablePlan, data: &DatabaseData) -> Result<Targets, Error> {
    let Some(found) = data.kinds.get(&plan.name).filter(|_| plan.part == Part::Learned) else {
        return Ok(Targets::default());
    };
    let rows = view::learned(plan, &data.schema, &data.source)?;
    let (names, own) = plan.even(found);
    Ok(Targets::of(&rows, &names, own))
}

impl Saved {
    /// Whether the columns of each kept table have as many cells, and each key as many columns as it refers to.
    fn are_whole(&self) -> bool {
        let is_even = |table: &KeptTable| {
            let mut lengths = table.columns.iter().map(|(_, _, cells)| cells.len());
            let first = lengths.next();
            lengths.all(|length| Some(length) == first)
        };
        let mut keys = self.schema.keys();
        let has_targets =
            self.targets.len() == self.plans.len() && self.targets.iter().all(Targets::is_whole);
        has_targets
            && self.persons.iter().all(Persons::is_whole)
            && self
                .plans
                .iter()
                .all(|plan| plan.part != Part::Kept || self.kept.iter().any(|table| table.name == plan.name))
            && self.kept.iter().all(is_even)
            && keys.all(|(_, key)| key.columns.len() == key.parent_columns.len())
    }
}

impl KeptTable {
    fn of(table: &Table) -> Self {
        let cells =
            |column: &mintage_data::Column| column.iter().map(|cell| cell.map(str::to_owned)).collect();
        let columns = table
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.declaration.clone(), cells(column)));
        Self { name: table.name.clone(), columns: columns.collect() }
    }

    fn table(self) -> Table {
        let column = |(name, declaration, cells): (String, _, Vec<Option<String>>)| {
            let mut column = mintage_data::Column::new(name, declaration);
            cells.iter().for_each(|cell| column.push(cell.as_deref()));
            column
        };
        Table { name: self.name, columns: self.columns.into_iter().map(column).collect(), ..Table::default() }
    }
}

impl DatabaseModel {
    /// Loads what a run of a database holds; the model of each table is loaded when its rows are drawn.
    ///
    /// # Errors
    /// The folder is no finished run of a database, or is damaged.
    pub fn load(dir: &Path, device: &DeviceChoice) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = read_text(&path, MAX_FILE_BYTES)?;
        let damaged = |error: serde_json::Error| Error::folder(&path, format!("cannot be read ({error})"));
        let saved: Saved = serde_json::from_str(&text).map_err(damaged)?;
        if !saved.plans.iter().all(|plan| plan.suits(&saved.schema, &saved.plans)) || !saved.are_whole() {
            let hint = "the file is damaged: put back a copy of it, or train again";
            return Err(Error::folder(&path, "its parts do not belong together").with_hint(hint));
        }
        let kept = saved.kept.into_iter().map(KeptTable::table).collect();
        let source = PathBuf::from(Run::open(dir)?.recipe()?.data.source);
        let (dir_of, device) = (dir.to_owned(), device.clone());
        let model = Self {
            dir: dir_of,
            source,
            schema: saved.schema,
            plans: saved.plans,
            targets: saved.targets,
            persons: saved.persons,
            keys: saved.keys,
            kept,
            device,
        };
        for (at, plan) in model.plans.iter().enumerate().filter(|(_, plan)| plan.part == Part::Learned) {
            if !folder_of(dir, at).join("config.json").is_file() {
                let why = format!("the table `{}` is not learned yet", plan.name);
                return Err(
                    Error::folder(dir, why).with_hint("train it again under the same name: it goes on")
                );
            }
        }
        Ok(model)
    }

    /// The schema of the source.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Where the source was, without a password.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// How each table was learned, parents first.
    pub fn plans(&self) -> &[TablePlan] {
        &self.plans
    }

    fn table(&self, at: usize) -> Result<Model, Error> {
        Model::load(&folder_of(&self.dir, at), &self.device)
    }

    /// Draws rows for all tables. The same request gives the same rows. `on` is told of each table when it is drawn.
    ///
    /// # Errors
    /// A model is damaged, or cannot draw such rows; the request is of a table that is not there, or whose rows follow from
    /// those of another.
    pub fn sample(
        &self,
        request: &DatabaseRequest,
        on: &mut dyn FnMut(&str, usize),
    ) -> Result<Vec<Table>, Error> {
        request::check(self, request)?;
        draw::draw(self, request, on)
    }
}
