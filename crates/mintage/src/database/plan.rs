//! What is learned of each table, and what each of its keys is to it.

use mintage_data::{
    Error as DataError, SourceSpec, Table as Rows,
    database::{Generated, Role, Schema, Table},
    table::schema::{Kind, TableSchema, detect},
};
use serde::{Deserialize, Serialize};

use super::{
    even::seen,
    filled::{Database, Filled, NONE, children},
    siblings::order_of,
};
use crate::error::Error;

/// Fewer rows tell nothing of a distribution.
const MIN_ROWS: usize = 10;
/// A parent with more children than this in a row of them is not followed child by child.
const MAX_SEQUENCE: u32 = 64;
/// Columns of a parent that its children are drawn given.
const MAX_PARENT_COLUMNS: usize = 10;
/// Columns of the parent's own parent.
const MAX_GRANDPARENT_COLUMNS: usize = 5;
/// Columns of a further parent, by which it is found.
const MAX_MATCHED_COLUMNS: usize = 6;
/// Columns of the child before.
const MAX_PREVIOUS_COLUMNS: usize = 8;
/// Values of a category that others are drawn given.
const MAX_CATEGORIES: usize = 60;
/// Rows of a kept table whose key is drawn as a category.
const MAX_KEPT_VALUES: usize = 1000;

/// What becomes of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Its rows are drawn from a model.
    Learned,
    /// Its rows are those of the source.
    Kept,
    /// It has no rows.
    Empty,
}

/// What a foreign key is to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Rows are drawn for each row of this parent.
    Main,
    /// The key of a kept table: a category like any other column.
    Value,
    /// A further parent, found by the columns that were drawn of it.
    Matched,
    /// A key of the table to itself: a forest of the depths that were learned.
    Forest,
}

/// A column that is learned beside those of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Its name in what is learned.
    pub name: String,
    /// The key to the parent, and behind it the key of the parent to its own parent.
    pub keys: Vec<usize>,
    /// The column there.
    pub column: String,
}

/// How one table is learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePlan {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub part: Part,
    /// Why.
    pub why: String,
    /// Rows of the source.
    pub rows: usize,
    /// For each foreign key what it is.
    pub keys: Vec<Use>,
    /// Columns of the table that are learned.
    pub own: Vec<String>,
    /// A column that numbers the rows.
    pub number: Option<String>,
    /// Columns of parents.
    pub context: Vec<Context>,
    /// Columns of the child before, where children are drawn one after another.
    pub previous: Vec<String>,
    /// Whether they are.
    pub is_sequence: bool,
    /// The column by which they are in order.
    pub time: Option<String>,
    /// The number of the first child, where that column just numbers them.
    pub first: Option<i64>,
    /// Keys of other tables to this one whose rows are counted.
    pub counts: Vec<Count>,
    /// Rows of the source that have no parent by the main key.
    pub orphans: usize,
    /// Further keys that some rows lack, and in what is learned the name of whether they do.
    pub optional: Vec<(usize, String)>,
    /// For each key to a kept table that is matched how often each of its rows is referred to.
    pub weights: Vec<(usize, Vec<u32>)>,
}

/// A key whose rows are counted for each row of its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Its name in what is learned.
    pub name: String,
    /// The table that has the key.
    pub table: String,
    /// Its place among that table's keys.
    pub key: usize,
    /// How many rows of the source have how many children: a number of children with the rows, the smallest first.
    pub seen: Vec<(u32, u32)>,
}

/// Where a row stands among the children of its parent, from 1; 0 without a parent.
pub(super) const INDEX: &str = "#index";
/// How many children that parent has.
pub(super) const SIBLINGS: &str = "#of";
/// How deep a row lies in the forest of its table: 0 is a root.
pub(super) const DEPTH: &str = "#depth";

impl TablePlan {
    /// Whether a plan that was read from a file is of this schema: every key and column that it names is there.
    pub(super) fn suits(&self, schema: &Schema, plans: &[Self]) -> bool {
        let Some(table) = schema.table(&self.name) else { return false };
        let has_key = |table: &Table, key: usize| key < table.foreign_keys.len();
        let is_way = |context: &Context| {
            let mut at = Some(table);
            for &key in &context.keys {
                let Some(table) = at.filter(|table| has_key(table, key)) else { return false };
                at = schema.table(&table.foreign_keys[key].parent);
            }
            !context.keys.is_empty()
        };
        let is_count =
            |count: &Count| schema.table(&count.table).is_some_and(|table| has_key(table, count.key));
        let parents_are_planned =
            table.foreign_keys.iter().all(|key| plans.iter().any(|plan| plan.name == key.parent));
        self.keys.len() == table.foreign_keys.len()
            && parents_are_planned
            && self.context.iter().all(is_way)
            && self.counts.iter().all(is_count)
            && self.optional.iter().all(|(key, _)| has_key(table, *key))
            && self.weights.iter().all(|(key, _)| has_key(table, *key))
    }

    /// The columns of what is learned that new rows are to be spread over as evenly as those of the source: own ones first.
    pub(super) fn even(&self, found: &TableSchema) -> Vec<String> {
        let own = light(found).filter(|name| self.own.contains(name));
        let counts = self.counts.iter().map(|count| count.name.clone());
        let depth = self.forest().map(|_| DEPTH.to_owned());
        let optional = self.optional.iter().map(|(_, name)| name.clone());
        // Those of the main parent are given in a sequence: the same for every candidate.
        let main = self.main().filter(|_| self.is_sequence);
        let context = self.context.iter().filter(|context| Some(context.keys[0]) != main);
        let context = context.map(|context| context.name.clone());
        own.chain(counts).chain(depth).chain(optional).chain(context).collect()
    }

    /// The key whose parent rows are drawn for.
    pub fn main(&self) -> Option<usize> {
        self.keys.iter().position(|&key| key == Use::Main)
    }

    /// The key of the table to itself.
    pub fn forest(&self) -> Option<usize> {
        self.keys.iter().position(|&key| key == Use::Forest)
    }
}

/// Plans how each table of a database is learned, parents first.
///
/// # Errors
/// Tables refer to each other in a circle that no row can begin.
pub(super) fn plan(schema: &Schema, source: &Database, spec: &SourceSpec) -> Result<Vec<TablePlan>, Error> {
    let order = schema.order()?.tables;
    let kinds =
        |name: &str| source.get(name).map(|filled| described(&filled.table, spec)).unwrap_or_default();
    let kinds: Vec<(String, TableSchema)> = order.iter().map(|name| (name.clone(), kinds(name))).collect();
    let mut plans: Vec<TablePlan> = Vec::new();
    for (name, found) in &kinds {
        let Some(table) = schema.table(name) else { continue };
        let mut planner = Planner { schema, source, kinds: &kinds, done: &plans, table };
        plans.push(planner.plan(found)?);
    }
    count_children(schema, source, &mut plans);
    Ok(plans)
}

/// What the columns of a table are: those that point at persons are texts, made afresh.
pub(super) fn described(table: &Rows, spec: &SourceSpec) -> TableSchema {
    let mut found = detect(table);
    found.protect(table, spec, None);
    found
}

/// What to know of the tables whose rows are those of the source: columns that point at persons.
pub(super) fn warnings(plans: &[TablePlan], source: &Database, spec: &SourceSpec) -> Vec<String> {
    let kept = plans.iter().filter(|plan| plan.part == Part::Kept);
    let warning = |plan: &TablePlan| {
        let found = described(&source.get(&plan.name)?.table, spec);
        let of_people = found.columns.iter().filter(|column| {
            matches!(column.kind, Kind::Id | Kind::Text)
                && column.made_afresh().is_some()
                && plan.number.as_ref() != Some(&column.name)
        });
        let names: Vec<&str> = of_people.map(|column| column.name.as_str()).collect();
        let said = format!(
            "{}: its rows are kept as they are ({}), with what may point at persons: {}",
            plan.name,
            plan.why,
            names.join(", ")
        );
        (!names.is_empty()).then_some(said)
    };
    kept.filter_map(warning).collect()
}

struct Planner<'a> {
    schema: &'a Schema,
    source: &'a Database,
    kinds: &'a [(String, TableSchema)],
    done: &'a [TablePlan],
    table: &'a Table,
}

impl Planner<'_> {
    fn plan(&mut self, found: &TableSchema) -> Result<TablePlan, Error> {
        let rows = self.source.get(&self.table.name).map_or(0, |filled| filled.rows());
        let (part, why) = self.part(rows);
        let keys = self.keys();
        let by_key = self.columns_of_keys(&keys);
        let number = self.number(found);
        let is_own = |name: &str| {
            let computed = self.table.column(name).is_some_and(|c| c.generated == Some(Generated::Computed));
            !computed && Some(name) != number.as_deref() && !by_key.iter().any(|key| key == name)
        };
        let own: Vec<String> =
            found.columns.iter().map(|column| column.name.clone()).filter(|name| is_own(name)).collect();
        let mut plan = TablePlan {
            name: self.table.name.clone(),
            part,
            why,
            rows,
            keys,
            number,
            context: Vec::new(),
            previous: Vec::new(),
            is_sequence: false,
            time: None,
            first: None,
            counts: Vec::new(),
            orphans: 0,
            optional: Vec::new(),
            weights: Vec::new(),
            own,
        };
        self.count_parents(&mut plan);
        if part == Part::Learned {
            plan.context = self.context(&plan);
            plan.is_sequence = self.is_sequence(&plan);
            (plan.time, plan.first) = self.order(&plan, found);
            if plan.is_sequence {
                let light = light(found).filter(|name| plan.own.contains(name));
                plan.previous = light.take(MAX_PREVIOUS_COLUMNS).collect();
            }
        }
        Ok(plan)
    }

    fn part(&self, rows: usize) -> (Part, String) {
        match rows {
            0 => (Part::Empty, "it has no rows".to_owned()),
            rows if rows < MIN_ROWS => (Part::Kept, format!("{rows} rows are too few to learn")),
            _ if self.table.role == Role::Reference => (Part::Kept, self.table.role_why.clone()),
            _ => (Part::Learned, self.table.role_why.clone()),
        }
    }

    fn part_of(&self, table: &str) -> Part {
        self.done.iter().find(|plan| plan.name == table).map_or(Part::Empty, |plan| plan.part)
    }

    /// What each key is: the main parent is the one that is deepest itself, and of those the one with the most rows.
    fn keys(&self) -> Vec<Use> {
        let keys = &self.table.foreign_keys;
        let mut uses: Vec<Use> = keys
            .iter()
            .map(|key| {
                let kept = self.part_of(&key.parent) == Part::Kept;
                let few = self.source.get(&key.parent).is_some_and(|p| p.rows() <= MAX_KEPT_VALUES);
                match () {
                    () if key.is_of(&self.table.name) => Use::Forest,
                    () if kept && few && key.columns.len() == 1 => Use::Value,
                    () => Use::Matched,
                }
            })
            .collect();
        let rank = |at: usize| {
            let parent = &keys[at].parent;
            let rows = self.source.get(parent).map_or(0, |filled| filled.rows());
            (self.depth(parent), rows)
        };
        let parent_is_drawn = |at: &usize| self.part_of(&keys[*at].parent) == Part::Learned;
        let candidates = (0..keys.len()).filter(|&at| uses[at] == Use::Matched).filter(parent_is_drawn);
        if let Some(main) = candidates.max_by_key(|&at| rank(at)) {
            uses[main] = Use::Main;
        }
        // A second key to itself would be another forest: it is found like any other parent.
        let forests: Vec<usize> = (0..uses.len()).filter(|&at| uses[at] == Use::Forest).collect();
        forests.into_iter().skip(1).for_each(|at| uses[at] = Use::Matched);
        uses
    }

    /// Rows without parents, and how often rows of kept parents are referred to.
    fn count_parents(&self, plan: &mut TablePlan) {
        let Some(filled) = self.source.get(&plan.name) else { return };
        for (at, (is, parents)) in plan.keys.iter().zip(&filled.parents).enumerate() {
            let orphans = parents.iter().filter(|&&row| row == NONE).count();
            let foreign = &self.table.foreign_keys[at];
            match is {
                Use::Main => plan.orphans = orphans,
                Use::Matched if orphans > 0 => {
                    plan.optional.push((at, format!("#has {}", foreign.columns.join("+"))));
                }
                Use::Matched | Use::Value | Use::Forest => {}
            }
            if *is == Use::Matched && self.part_of(&foreign.parent) == Part::Kept {
                let rows = self.source.get(&foreign.parent).map_or(0, |parent| parent.rows());
                plan.weights.push((at, children(parents, rows)));
            }
        }
    }

    /// How many parents lie behind a table, one behind the other.
    fn depth(&self, table: &str) -> usize {
        let Some(plan) = self.done.iter().find(|plan| plan.name == table) else { return 0 };
        let Some(main) = plan.main() else { return 0 };
        let parent = self.schema.table(table).map(|table| &table.foreign_keys[main].parent);
        parent.filter(|parent| *parent != table).map_or(0, |parent| 1 + self.depth(parent))
    }

    /// Columns whose values come from parents.
    fn columns_of_keys(&self, uses: &[Use]) -> Vec<String> {
        let keys = self.table.foreign_keys.iter().zip(uses);
        keys.filter(|(_, is)| **is != Use::Value).flat_map(|(key, _)| key.columns.clone()).collect()
    }

    /// The column that only numbers the rows.
    fn number(&self, found: &TableSchema) -> Option<String> {
        let [key] = self.table.primary_key.as_slice() else { return None };
        let is_foreign = self.table.foreign_keys.iter().any(|foreign| foreign.columns.contains(key));
        let column = found.columns.iter().find(|column| &column.name == key)?;
        let rows = &self.source.get(&self.table.name)?.table;
        let cells: Option<Vec<i64>> =
            rows.column(key)?.iter().map(|cell| cell?.parse::<i64>().ok()).collect();
        let smallest = cells?.into_iter().min()?;
        let name = key.to_lowercase();
        let counts = ["id", "key", "no", "nr", "num", "number", "code"].iter().any(|end| name.ends_with(end));
        (!is_foreign && (counts || smallest <= 1 || column.kind == Kind::Id)).then(|| key.clone())
    }

    /// Columns of parents that rows are drawn given, or are found by.
    fn context(&self, plan: &TablePlan) -> Vec<Context> {
        let mut context = Vec::new();
        for (at, is) in plan.keys.iter().enumerate() {
            let most = match is {
                Use::Main => MAX_PARENT_COLUMNS,
                Use::Matched => MAX_MATCHED_COLUMNS,
                Use::Value | Use::Forest => continue,
            };
            let key = &self.table.foreign_keys[at];
            let label = key.columns.join("+");
            let columns = self.light_of(&key.parent).into_iter().take(most);
            context.extend(columns.map(|column| Context {
                name: format!("{label}>{column}"),
                keys: vec![at],
                column,
            }));
            if *is != Use::Main {
                continue;
            }
            let Some(parent) = self.done.iter().find(|done| done.name == key.parent) else { continue };
            let Some((up, grand)) = parent.main().and_then(|up| {
                let grand = &self.schema.table(&key.parent)?.foreign_keys[up].parent;
                Some((up, grand))
            }) else {
                continue;
            };
            let columns = self.light_of(grand).into_iter().take(MAX_GRANDPARENT_COLUMNS);
            context.extend(columns.map(|column| Context {
                name: format!("{label}>>{column}"),
                keys: vec![at, up],
                column,
            }));
        }
        context
    }

    /// The columns of a table that others can be drawn given: no keys, and no texts.
    fn light_of(&self, table: &str) -> Vec<String> {
        let Some((_, found)) = self.kinds.iter().find(|(name, _)| name == table) else { return Vec::new() };
        let Some(plan) = self.done.iter().find(|plan| plan.name == table) else { return Vec::new() };
        light(found).filter(|name| plan.own.contains(name)).collect()
    }

    /// In what order the children of a parent stand.
    fn order(&self, plan: &TablePlan, found: &TableSchema) -> (Option<String>, Option<i64>) {
        let Some(filled) = self.source.get(&self.table.name) else { return (None, None) };
        let parents = plan.main().map(|main| filled.parents[main].as_slice());
        order_of(found, &plan.own, filled, parents)
    }

    fn is_sequence(&self, plan: &TablePlan) -> bool {
        let Some(main) = plan.main() else { return false };
        let Some(filled) = self.source.get(&self.table.name) else { return false };
        let Some(parent) = self.source.get(&self.table.foreign_keys[main].parent) else { return false };
        let counts = children(&filled.parents[main], parent.rows());
        counts.into_iter().max().is_some_and(|most| (2..=MAX_SEQUENCE).contains(&most))
    }
}

/// Columns that others can be drawn given.
fn light(found: &TableSchema) -> impl Iterator<Item = String> {
    let is_light = |kind: Kind, distinct: usize| match kind {
        Kind::Integer | Kind::Number | Kind::Boolean | Kind::Datetime => true,
        Kind::Category => distinct <= MAX_CATEGORIES,
        Kind::Id | Kind::Text | Kind::Constant => false,
    };
    let columns = found.columns.iter().filter(move |column| is_light(column.kind, column.distinct));
    columns.map(|column| column.name.clone())
}

/// Notes at each table whose keys refer to it from tables that are drawn.
fn count_children(schema: &Schema, source: &Database, plans: &mut [TablePlan]) {
    let mut counts: Vec<(String, Count)> = Vec::new();
    for plan in plans.iter().filter(|plan| plan.part == Part::Learned) {
        let Some(table) = schema.table(&plan.name) else { continue };
        for (key, (foreign, is)) in table.foreign_keys.iter().zip(&plan.keys).enumerate() {
            if *is != Use::Value {
                let name = format!("#{}.{}", plan.name, foreign.columns.join("+"));
                let parents = source.get(&plan.name).map_or(&[][..], |filled| &filled.parents[key]);
                let rows = source.get(&foreign.parent).map_or(0, Filled::rows);
                let seen = seen(&children(parents, rows));
                counts.push((foreign.parent.clone(), Count { name, table: plan.name.clone(), key, seen }));
            }
        }
    }
    for plan in plans {
        plan.counts = counts
            .iter()
            .filter(|(parent, _)| *parent == plan.name)
            .map(|(_, count)| count.clone())
            .collect();
    }
}

/// How deep each row lies in the forest of its table; rows of a circle are roots.
pub(super) fn depths(parents: &[u32]) -> Vec<u32> {
    let depth = |mut row: u32| {
        let mut depth = 0;
        let start = row;
        while parents[row as usize] != NONE && parents[row as usize] != row {
            row = parents[row as usize];
            depth += 1;
            if row == start || depth as usize > parents.len() {
                return 0;
            }
        }
        depth
    };
    (0..parents.len() as u32).map(depth).collect()
}

/// The rows of a table without those columns that are its number or come from elsewhere.
pub(super) fn column_of<'a>(rows: &'a Rows, name: &str) -> Result<&'a mintage_data::Column, Error> {
    rows.column(name).ok_or_else(|| {
        DataError::bad(&rows.name, format!("has no column `{name}`, which was planned")).into()
    })
}
