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
//! that come later in a circle are set when those are there. Where one column refers to several tables, another says to which,
//! and each of them is a further parent of the rows that say so. Short tables that others refer to are kept as they are.
//! Free text is written by a language model a column, given the row.
//!
//! Related: Gueye et al. 2022 (row conditional on parent rows), Pang et al., ClavaDDPM (2024), Hudovernik et al. 2024 (how
//! such data are judged).

mod agree;
mod apart;
mod assign;
mod before;
mod births;
mod bounds;
mod budget;
mod cells;
mod conditions;
mod cut;
mod detect;
mod dials;
mod draw;
mod even;
mod families;
mod filled;
mod forest;
mod groups;
mod halves;
mod judge;
mod keys;
mod mask;
mod measures;
mod ngram;
mod outline;
mod pairs;
mod parts;
mod persons;
mod plan;
mod planner;
mod proof;
mod read;
mod remarks;
mod report;
mod request;
mod rivals;
mod saved;
mod sequences;
mod siblings;
mod slice;
mod summary;
#[cfg(test)]
mod testing;
mod texts;
mod tie;
mod totals;
mod view;
mod words;
mod writers;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use mintage_data::{
    SourceSpec, Table, TableSet,
    database::Schema,
    table::{
        rules::{Rule, RuleChoice, in_force},
        schema::Kind,
    },
};
use mintage_nn::DeviceChoice;

use before::Taken;
pub use births::BirthDates;
use births::Births;
use budget::{Budget, TextBudget, timed};
pub use detect::Detected;
pub use dials::{DatabaseDials, TableDials, table_dials};
use even::Targets;
use filled::{Database, numbers};
pub use judge::{ChildShare, DatabaseScores, KeyScores, TableScores, judge, judge_halves, judge_random_keys};
pub use keys::TextKey;
use mask::follow_keys;
pub use mask::{MaskRequest, Masked, mask};
pub use measures::{Means, Score};
pub use outline::DatabaseOutline;
pub use pairs::PairDetected;
pub use parts::DatabaseParts;
use persons::is_free;
pub use persons::{PersonalColumn, Persons};
pub use plan::{Bound, Context, Copied, Count, From, Of, Part, TablePlan, Total, Use};
use plan::{COIN, Kinds};
use planner::described;
pub use proof::{Counted, Proof, TableProof, Written, prove};
use read::{Extent, Opened};
pub use report::DatabaseReport;
pub use request::DatabaseRequest;
use request::Held;
use saved::{KeptTable, Saved};
pub use sequences::SequenceScores;
pub use summary::{How, Summary};
pub use texts::TextPlan;
use writers::train_text;

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
/// Seed of the persons in tables that are kept.
const KEPT_SEED: u64 = 1;

/// A database that was read to learn from.
pub struct DatabaseData {
    spec: SourceSpec,
    schema: Schema,
    source: Database,
    kinds: Kinds,
    persons: Vec<Persons>,
    births: Births,
    keys: Vec<TextKey>,
    plans: Vec<TablePlan>,
    texts: Vec<TextPlan>,
    /// What the user should know: what could not be read, whose rows are kept as they are.
    pub notes: Vec<String>,
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
    texts: Vec<TextPlan>,
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
    /// The source is no database, cannot be read, or has no such table, or one that may not be read and is not left out; its keys
    /// form a circle that no row can begin; or a table that is to be learned has too few rows.
    pub fn open(spec: &SourceSpec, only: &[String], without: &[String]) -> Result<Self, Error> {
        Self::of(spec, read::read(spec, only, without, Extent::Families)?)
    }

    /// Reads all tables of a database that may be read, to judge others by them.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_readable(spec: &SourceSpec) -> Result<Self, Error> {
        Self::of(spec, read::read_readable(spec, Extent::Families)?)
    }

    fn of(spec: &SourceSpec, (schema, mut source, mut notes): Opened) -> Result<Self, Error> {
        notes.extend(remarks::of_keys(&schema, &source)?);
        let tables = schema.tables.iter().filter_map(|table| Some((table, &source.get(&table.name)?.table)));
        let may = |table: &mintage_data::database::Table, column: &mintage_data::Column, what| {
            is_free(&schema, table, column, what)
        };
        let persons: Vec<Persons> =
            tables.filter_map(|(table, rows)| Persons::of(table, rows, spec, &may)).collect();
        let kinds = kinds_of(&source, &persons, spec);
        let tables = schema
            .tables
            .iter()
            .filter_map(|table| Some((table, &source.get(&table.name)?.table, kinds.get(&table.name)?)));
        let makes = |table: &str, column: &str| {
            persons.iter().any(|own: &Persons| own.table == table && own.makes(column))
        };
        let keys = tables.flat_map(|(table, rows, found)| {
            TextKey::all_of(table, rows, found, &|column| makes(&table.name, column))
        });
        let keys: Vec<TextKey> = keys.collect();
        let made = (keys.as_slice(), persons.as_slice());
        let plans = planner::plan(&schema, &source, &kinds, made, &schema.choices(spec)?)?;
        sum_up(&plans, &mut source);
        notes.extend(remarks::of_plans(&plans, &kinds, &persons, &source));
        if plans.iter().all(|plan| plan.part != Part::Learned) {
            return Err(Error::request("no table has enough rows to learn from"));
        }
        let mut births = Births::of_kept((&schema, &source), &plans, spec);
        notes.append(&mut births.notes);
        let (spec, texts) = (spec.clone(), Vec::new());
        let mut data = Self { spec, schema, source, kinds, persons, births, keys, plans, texts, notes };
        let (texts, notes) = texts::find(&data)?;
        data.texts = texts;
        data.notes.extend(notes);
        Ok(data)
    }

    /// The schema of the source.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How each table is learned, parents first.
    pub fn plans(&self) -> &[TablePlan] {
        &self.plans
    }

    /// Of a source that is too large to be read: how many rows of each table without a parent are to be made beside those that
    /// were read, so that both are about as large. Empty where everything was read.
    pub fn rows_read(&self) -> BTreeMap<String, usize> {
        let roots = self.plans.iter().filter(|plan| plan.part == Part::Learned && plan.main().is_none());
        let read = |plan: &TablePlan| Some((plan.name.clone(), self.source.get(&plan.name)?.learned?));
        let rows: BTreeMap<String, usize> = roots.filter_map(read).collect();
        if rows.is_empty() {
            return rows;
        }
        let request = DatabaseRequest { rows, ..DatabaseRequest::default() };
        let (_, cells) = request::size(&self.schema, &self.plans, &request);
        let share = (request::MAX_CELLS / cells.max(1.0)).min(1.0);
        let fewer = |n: usize| ((n as f64 * share) as usize).max(1);
        request.rows.into_iter().map(|(table, n)| (table, fewer(n))).collect()
    }

    /// What of the tables points at persons, and is made afresh.
    pub fn persons(&self) -> &[Persons] {
        &self.persons
    }

    /// The dates of birth that are moved in tables whose rows are kept as they are.
    pub fn births(&self) -> &[BirthDates] {
        &self.births.moved
    }

    /// The columns of free text that are written by a language model of their own.
    pub fn texts(&self) -> &[TextPlan] {
        &self.texts
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

    /// The tables that are kept, with persons who do not exist in place of those that are in them, keys that refer to those, and
    /// other dates of birth.
    fn kept_without_persons(&self) -> Vec<Table> {
        let is_kept =
            |table: &str| self.plans.iter().any(|plan| plan.name == table && plan.part == Part::Kept);
        let mut columns = HashMap::new();
        for own in self.persons.iter().filter(|own| is_kept(&own.table)) {
            let Some(mut new) = self.rows(&own.table).cloned() else { continue };
            own.make(&mut new, KEPT_SEED, &Taken::default());
            let made = new.columns.into_iter().filter(|column| own.makes(&column.name));
            columns.extend(made.map(|column| ((own.table.clone(), column.name.clone()), column)));
        }
        follow_keys(&self.schema, &self.source, &is_kept, &mut columns);
        columns.extend(self.births.columns.clone());
        let kept = self.plans.iter().filter(|plan| plan.part == Part::Kept);
        let without = |plan: &TablePlan| {
            let mut table = self.rows(&plan.name)?.clone();
            for column in &mut table.columns {
                if let Some(new) = columns.remove(&(plan.name.clone(), column.name.clone())) {
                    *column = new;
                }
            }
            Some(table)
        };
        kept.filter_map(without).collect()
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

/// Trains the models of all tables and texts in the folder of a run, which it makes: `recipe` says with which family and for
/// how long in all. Those that are done already are not trained again. `on` is told of each by its name, `table` or
/// `table.column`.
///
/// # Errors
/// The folder cannot be written, the family does not suit rows, or a table or a text cannot be learned.
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
    saved::check_same(data, dir)?;
    saved::save(data, dir)?;
    let budget = Budget::of(data, recipe)?;
    let start = (control.clock)();
    for (at, (plan, seconds)) in data.plans.iter().zip(&budget.tables).enumerate() {
        let folder = folder_of(dir, at);
        if plan.part != Part::Learned || is_done(&folder) {
            continue;
        }
        let recipe = timed(recipe, *seconds);
        let reason = train_table(&recipe, data, plan, &folder, device, control, on)?;
        if reason == StopReason::Interrupted {
            return Ok(reason);
        }
    }
    for (at, budget) in budget.texts.iter().enumerate() {
        let own = match budget {
            TextBudget::Counted => None,
            TextBudget::Neural(seconds) => Some(timed(recipe, *seconds)),
        };
        let reason = train_text(own.as_ref(), data, (dir, at), device, control, on)?;
        if reason == StopReason::Interrupted {
            return Ok(reason);
        }
    }
    let spent = (control.clock)().saturating_sub(start).as_secs_f64();
    run.set_state(RunState::Done, 0, spent)?;
    Ok(StopReason::Budget)
}

/// Whether what is trained in a folder is done.
fn is_done(folder: &Path) -> bool {
    Run::open(folder).and_then(|run| run.file()).is_ok_and(|file| file.state == RunState::Done)
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
        let learned = data.source.get(&plan.name).map_or(0, filled::Filled::learned);
        let coins = (0..learned as u32).map(|row| row.wrapping_mul(0x9e37_79b9) >> 31);
        rows.columns.push(numbers(&plan.named(COIN), coins));
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
    let numbers = rows.names().filter_map(|name| Some((name.to_owned(), plan.kind_of_added(name)?)));
    // A column of one value has nothing to be told of.
    let varies = |name: &String| rows.column(name).is_some_and(|column| column.values().len() > 1);
    let persons = data.persons.iter().filter(|persons| persons.table == plan.name);
    let persons =
        persons.flat_map(|persons| persons.columns().iter().map(|own| (own.name.clone(), Kind::Text)));
    let persons = persons.filter(|(name, _)| is_own(name));
    // By them rows say which of several tables they refer to.
    let told = keys.iter().filter_map(|key| Some((key.only.as_ref()?.column.clone(), Kind::Category)));
    values.chain(numbers).chain(persons).chain(told).filter(|(name, _)| varies(name)).collect()
}

impl DatabaseModel {
    /// Loads what a run of a database holds; the model of each table is loaded when its rows are drawn.
    ///
    /// # Errors
    /// The folder is no finished run of a database, or is damaged.
    pub fn load(dir: &Path, device: &DeviceChoice) -> Result<Self, Error> {
        let saved = Saved::read(dir)?;
        let kept = saved.kept.into_iter().map(KeptTable::table).collect();
        let source = PathBuf::from(Run::open(dir)?.recipe()?.data.source);
        let (dir_of, device) = (dir.to_owned(), device.clone());
        let mut model = Self {
            dir: dir_of,
            source,
            schema: saved.schema,
            plans: saved.plans,
            targets: saved.targets,
            persons: saved.persons,
            keys: saved.keys,
            texts: saved.texts,
            kept,
            device,
        };
        let learned = model.plans.iter().enumerate().filter(|(_, plan)| plan.part == Part::Learned);
        for (at, plan) in learned {
            if !folder_of(dir, at).join("config.json").is_file() {
                let why = format!("the table `{}` is not learned yet", plan.name);
                return Err(
                    Error::folder(dir, why).with_hint("train it again under the same name: it goes on")
                );
            }
        }
        for (at, text) in model.texts.iter_mut().enumerate() {
            text.judged = Some(writers::judged(dir, at, &text.label())?);
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

    /// The columns of free text that are written by a language model of their own.
    pub fn texts(&self) -> &[TextPlan] {
        &self.texts
    }

    /// What to know of a request: further parents whose rows get far more children than in the source, or fewer.
    pub fn remarks(&self, request: &DatabaseRequest) -> Vec<String> {
        request::remarks(&self.schema, &self.plans, request)
    }

    fn table(&self, at: usize) -> Result<Model, Error> {
        Model::load(&folder_of(&self.dir, at), &self.device)
    }

    /// Draws rows for all tables at once. The same request gives the same rows. `on` is told of each table when it is drawn.
    ///
    /// # Errors
    /// A model is damaged, or cannot draw such rows; the request is of a table that is not there, or whose rows follow from
    /// those of another, or of more rows than can be held.
    pub fn sample(
        &self,
        request: &DatabaseRequest,
        on: &mut dyn FnMut(&str, usize),
    ) -> Result<Vec<Table>, Error> {
        request::check(self, request, Held::AtOnce)?;
        parts::whole(self, request, on)
    }

    /// The same rows part by part, so that any number of them takes no more memory than one part: a request for no more than
    /// [`DatabaseRequest::part_cells`] is one part, with the rows that [`sample`](Self::sample) draws.
    ///
    /// # Errors
    /// A model is damaged; the request is of a table that is not there, or whose rows follow from those of another, or of more
    /// rows that belong together than can be held.
    pub fn parts(&self, request: &DatabaseRequest) -> Result<DatabaseParts<'_>, Error> {
        request::check(self, request, Held::InParts)?;
        DatabaseParts::of(self, request)
    }
}
