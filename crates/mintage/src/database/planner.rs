//! Makes the plan of a database: what is learned of each table, what each key is to it, and what it is drawn given.

use std::collections::BTreeMap;

use mintage_data::{
    Column, SourceSpec, Table as Rows,
    database::{Choice, ForeignKey, Generated, Role, Schema, Table},
    table::schema::{Kind, TableSchema, detect},
};

use super::{
    agree::{behind, copied, is_fixed, is_through},
    apart::differ,
    bounds,
    even::seen,
    filled::{Database, Filled, NONE},
    keys::TextKey,
    persons::Persons,
    plan::{Bound, Context, Copied, Count, From, Kinds, Part, TablePlan, Use, are_new, light, mark},
    siblings::{Places, order_of},
    summary::{How, Summary},
    totals,
};
use crate::error::Error;

/// Fewer rows tell nothing of a distribution.
pub(super) const MIN_ROWS: usize = 10;
/// A parent with more children than this in a row of them is not followed child by child.
const MAX_SEQUENCE: u32 = 64;
/// Columns of a parent that its children are drawn given.
const MAX_PARENT_COLUMNS: usize = 10;
/// Columns of the parent's own parent.
const MAX_GRANDPARENT_COLUMNS: usize = 5;
/// Columns of a further parent, by which it is found.
const MAX_MATCHED_COLUMNS: usize = 6;
/// Columns that are summed up for a parent.
const MAX_SUMMARIES: usize = 6;
/// Columns of the child before.
const MAX_PREVIOUS_COLUMNS: usize = 8;
/// Rows of a kept table whose key is drawn as a category.
const MAX_KEPT_VALUES: usize = 1000;

/// Plans how each table of a database is learned, parents first; with keys that are texts, and with what is made afresh.
/// `choices` are the tables of which the user says whether they are learned.
///
/// # Errors
/// Tables refer to each other in a circle that no row can begin, or one that is to be learned has too few rows.
pub(super) fn plan(
    schema: &Schema,
    source: &Database,
    kinds: &Kinds,
    (keys, persons): (&[TextKey], &[Persons]),
    choices: &BTreeMap<String, Choice>,
) -> Result<Vec<TablePlan>, Error> {
    let order = schema.order()?.tables;
    let kinds_of = |name: &String| (name.clone(), kinds.get(name).cloned().unwrap_or_default());
    let all: Vec<(String, TableSchema)> = order.iter().map(kinds_of).collect();
    let mark = mark(schema);
    let (mut plans, mut asked): (Vec<TablePlan>, Vec<(String, Summary)>) = Default::default();
    for (name, found) in &all {
        let Some(table) = schema.table(name) else { continue };
        let mut planner = Planner {
            schema,
            source,
            kinds: &all,
            keys,
            persons,
            done: &plans,
            table,
            choice: choices.get(name).copied(),
            mark: &mark,
            asked: Vec::new(),
        };
        let plan = planner.plan(found)?;
        asked.append(&mut planner.asked);
        plans.push(plan);
    }
    count_children(schema, source, &mut plans);
    totals::find(schema, source, kinds, &mut plans);
    for plan in &mut plans {
        let own = asked.iter().filter(|(parent, _)| *parent == plan.name);
        plan.summaries = own.map(|(_, summary)| summary.clone()).collect();
    }
    Ok(plans)
}

/// "1 row is", "5 rows are".
fn are(rows: usize) -> String {
    if rows == 1 { "1 row is".to_owned() } else { format!("{rows} rows are") }
}

/// What the columns of a table are: those that point at persons are texts, made afresh.
pub(super) fn described(table: &Rows, spec: &SourceSpec) -> TableSchema {
    let mut found = detect(table);
    found.protect(table, spec, None);
    found
}

struct Planner<'a> {
    schema: &'a Schema,
    source: &'a Database,
    kinds: &'a [(String, TableSchema)],
    keys: &'a [TextKey],
    persons: &'a [Persons],
    done: &'a [TablePlan],
    table: &'a Table,
    /// What the user says of it.
    choice: Option<Choice>,
    /// What the names of added columns begin with.
    mark: &'a str,
    /// What the models of parents are to draw of this table's rows, with their names.
    asked: Vec<(String, Summary)>,
}

impl Planner<'_> {
    fn plan(&mut self, found: &TableSchema) -> Result<TablePlan, Error> {
        let rows = self.rows_of(&self.table.name);
        let (part, why) = self.part(rows)?;
        let keys = self.keys();
        let by_key = self.columns_of_keys(&keys);
        let (number, number_from) = self.number(found).unzip();
        let codes = self.keys.iter().filter(|key| key.table == self.table.name);
        let codes: Vec<String> = codes.map(|key| key.column.clone()).collect();
        let is_own = |name: &str| {
            let computed = self.table.column(name).is_some_and(|c| c.generated == Some(Generated::Computed));
            !computed
                && !codes.iter().any(|code| code == name)
                && Some(name) != number.as_deref()
                && !by_key.iter().any(|key| key == name)
        };
        let own: Vec<String> =
            found.columns.iter().map(|column| column.name.clone()).filter(|name| is_own(name)).collect();
        let mut plan = TablePlan {
            name: self.table.name.clone(),
            mark: self.mark.to_owned(),
            part,
            why,
            rows,
            keys,
            number,
            number_from: number_from.unwrap_or(1),
            context: Vec::new(),
            previous: Vec::new(),
            is_sequence: false,
            time: None,
            first: None,
            apart: Vec::new(),
            counts: Vec::new(),
            summaries: Vec::new(),
            left: Vec::new(),
            copied: Vec::new(),
            bounds: Vec::new(),
            totals: Vec::new(),
            orphans: 0,
            optional: Vec::new(),
            weights: Vec::new(),
            own,
            codes,
        };
        self.count_parents(&mut plan);
        if part == Part::Learned {
            plan.context = self.context(&plan);
            plan.is_sequence = self.is_sequence(&plan);
            (plan.time, plan.first) = self.order(&plan, found);
            plan.apart = self.apart(&plan);
            if plan.is_sequence {
                let light = light(found).filter(|name| plan.own.contains(name));
                plan.previous = light.take(MAX_PREVIOUS_COLUMNS).collect();
            }
            plan.copied = self.copied(&plan);
            plan.bounds = self.bounds(&plan, found);
            self.sum_up(&mut plan, found);
        }
        Ok(plan)
    }

    /// How many rows a table has, also those that were not read.
    fn rows_of(&self, table: &str) -> usize {
        let Some(filled) = self.source.get(table) else { return 0 };
        let all = self.schema.table(table).map_or(0, |table| table.rows as usize);
        filled.learned.map_or_else(|| filled.rows(), |_| all)
    }

    fn part(&self, rows: usize) -> Result<(Part, String), Error> {
        let few = || format!("{} too few to learn", are(rows));
        let asked = || "as was asked".to_owned();
        Ok(match (self.choice, rows) {
            (Some(Choice::Learn), rows) if rows < MIN_ROWS => {
                let why = format!("table `{}` cannot be learned: {}", self.table.name, few());
                let hint =
                    format!("leave it out of `learn`: it stays as it is; {MIN_ROWS} rows are the least");
                return Err(Error::request(why).with_hint(hint));
            }
            (_, 0) => (Part::Empty, "it has no rows".to_owned()),
            (Some(Choice::Keep), _) => (Part::Kept, asked()),
            (Some(Choice::Learn), _) => (Part::Learned, asked()),
            (None, rows) if rows < MIN_ROWS => (Part::Kept, few()),
            (None, _) if self.table.role == Role::Reference => (Part::Kept, self.table.role_why.clone()),
            (None, _) => (Part::Learned, self.table.role_why.clone()),
        })
    }

    /// Whether a column is made afresh.
    fn is_personal(&self, table: &str, column: &str) -> bool {
        self.persons.iter().any(|own| own.table == table && own.makes(column))
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
                // What a model learned of keys says nothing of rows whose keys are others then.
                let stays = !are_new(self.schema, self.done, &key.parent, &key.parent_columns);
                // A model of values would know those of the source.
                let is_fresh = key.parent_columns.iter().any(|own| self.is_personal(&key.parent, own));
                match () {
                    // One of several tables: which one, the row says.
                    () if key.only.is_some() => Use::Matched,
                    () if key.is_of(&self.table.name) => Use::Forest,
                    () if kept && few && stays && !is_fresh && key.columns.len() == 1 => Use::Value,
                    () => Use::Matched,
                }
            })
            .collect();
        // Of keys to the same table the one that belongs to the primary key, or may not be missing, or comes first.
        let rank = |at: usize| {
            let parent = &keys[at].parent;
            let rows = self.rows_of(parent);
            let is_primary = keys[at].columns.iter().any(|own| self.table.primary_key.contains(own));
            (self.depth(parent), rows, is_primary, !keys[at].optional, std::cmp::Reverse(at))
        };
        let parent_is_drawn = |at: &usize| self.part_of(&keys[*at].parent) == Part::Learned;
        let candidates = (0..keys.len()).filter(|&at| uses[at] == Use::Matched && keys[at].only.is_none());
        let candidates = candidates.filter(parent_is_drawn);
        if let Some(main) = candidates.max_by_key(|&at| rank(at)) {
            uses[main] = Use::Main;
        }
        if let Some(main) = uses.iter().position(|is| *is == Use::Main) {
            self.find_ways_through(main, &mut uses);
        }
        // A second key to itself would be another forest: it is found like any other parent.
        let forests: Vec<usize> = (0..uses.len()).filter(|&at| uses[at] == Use::Forest).collect();
        forests.into_iter().skip(1).for_each(|at| uses[at] = Use::Matched);
        uses
    }

    /// Keys that lead where a key of the main parent leads.
    fn find_ways_through(&self, main: usize, uses: &mut [Use]) {
        let keys = &self.table.foreign_keys;
        let parent = &keys[main].parent;
        let (Some(filled), Some(above), Some(schema)) =
            (self.source.get(&self.table.name), self.source.get(parent), self.schema.table(parent))
        else {
            return;
        };
        for (at, key) in keys
            .iter()
            .enumerate()
            .filter(|(at, key)| *at != main && !key.is_of(&self.table.name) && key.only.is_none())
        {
            let same = |(_, other): &(usize, &ForeignKey)| {
                other.parent == key.parent
                    && other.parent_columns == key.parent_columns
                    && !other.is_of(parent)
                    && other.only.is_none()
            };
            let mut ways = schema.foreign_keys.iter().enumerate().filter(same);
            if let Some((other, _)) = ways.find(|(other, _)| is_through(filled, at, main, above, *other)) {
                uses[at] = Use::Through(other);
            }
        }
    }

    /// Columns that have the cells of a parent, or the same cell in all rows of the main parent.
    fn copied(&self, plan: &TablePlan) -> Vec<Copied> {
        let Some(filled) = self.source.get(&self.table.name) else { return Vec::new() };
        let ways = self.ways(plan);
        let ways = ways.iter().filter_map(|keys| {
            let (rows, parent, name) = behind(self.schema, self.source, &self.table.name, keys)?;
            let done = self.done.iter().find(|done| done.name == name)?;
            Some((keys.clone(), rows, parent, done.own.as_slice()))
        });
        let ways: Vec<_> = ways.collect();
        let main = plan.main().map(|main| filled.parents[main].as_slice());
        let previous = main.map(|main| Places::of(filled, main, None).previous);
        let from = |name: &String| {
            let column = filled.table.column(name)?;
            let fixed = || previous.as_ref().is_some_and(|previous| is_fixed(column, previous));
            copied(column, filled, &ways).or_else(|| fixed().then_some(From::FirstSibling))
        };
        plan.own.iter().filter_map(|name| Some(Copied { column: name.clone(), from: from(name)? })).collect()
    }

    /// Dates that those of the main parent, or of its parent, bound.
    fn bounds(&self, plan: &TablePlan, found: &TableSchema) -> Vec<Bound> {
        let (Some(filled), Some(main)) = (self.source.get(&self.table.name), plan.main()) else {
            return Vec::new();
        };
        let is_date = |table: &str, column: &str| {
            let found = self.kinds.iter().find(|(name, _)| name == table).map(|(_, found)| found);
            found.is_some_and(|found| {
                found.columns.iter().any(|own| own.name == column && own.kind == Kind::Datetime)
            })
        };
        let parent = |context: &'_ Context| {
            let (rows, parent, name) = behind(self.schema, self.source, &self.table.name, &context.keys)?;
            is_date(&name, &context.column).then_some((rows, parent))
        };
        let contexts = plan.context.iter().filter(|context| context.keys[0] == main);
        let parents: Vec<_> = contexts
            .filter_map(|context| parent(context).map(|(rows, parent)| (context, rows, parent)))
            .collect();
        bounds::find(found, &plan.own, filled, &parents)
    }

    /// The ways along keys to parents that rows know when they are drawn or found: one key, or through the main parent.
    fn ways(&self, plan: &TablePlan) -> Vec<Vec<usize>> {
        let main = plan.main();
        let way = |(at, is): (usize, &Use)| match is {
            Use::Main | Use::Matched => Some(vec![at]),
            Use::Through(other) => Some(vec![main?, *other]),
            Use::Value | Use::Forest => None,
        };
        plan.keys.iter().enumerate().filter_map(way).collect()
    }

    /// Asks the parents' models for the means of this table's numbers, and this one for rows that come to them.
    fn sum_up(&mut self, plan: &mut TablePlan, found: &TableSchema) {
        let is_copied = |name: &String| plan.copied.iter().any(|copied| &copied.column == name);
        let order = plan.time.clone().filter(|_| plan.first.is_some());
        let own = light(found)
            .filter(|name| plan.own.contains(name) && !is_copied(name) && order.as_ref() != Some(name));
        let is_number = |name: &String| {
            let kind = found.columns.iter().find(|column| &column.name == name).map(|column| column.kind);
            matches!(kind, Some(Kind::Integer | Kind::Number | Kind::Datetime))
        };
        let (numbers, categories): (Vec<String>, Vec<String>) = own.partition(is_number);
        let all = numbers.iter().map(|name| (name, How::Mean));
        let all: Vec<_> = all.chain(categories.iter().map(|name| (name, How::Different))).collect();
        for (at, is) in plan.keys.iter().enumerate() {
            let key = &self.table.foreign_keys[at];
            let is_whole = self.source.get(&self.table.name).is_none_or(|filled| filled.is_whole(at));
            let is_asked = matches!(is, Use::Main | Use::Matched) && is_whole;
            if !is_asked || self.part_of(&key.parent) == Part::Kept {
                continue;
            }
            let label = key.label();
            let mut context = Vec::new();
            for &(name, how) in all.iter().take(MAX_SUMMARIES) {
                let summary = Summary::new(self.mark, &self.table.name, (at, key), name, how);
                self.asked.push((key.parent.clone(), summary.clone()));
                match *is == Use::Main && plan.is_sequence && how == How::Mean {
                    true => plan.left.push((name.clone(), summary.name)),
                    false => context.push(Context {
                        name: format!("{}{label}>{}", self.mark, summary.name),
                        keys: vec![at],
                        column: summary.name,
                    }),
                }
            }
            // They tell most of the rows that belong to a parent.
            let first =
                plan.context.iter().position(|context| context.keys[0] == at).unwrap_or(plan.context.len());
            plan.context.splice(first..first, context);
        }
    }

    /// Rows without parents, and how often rows of kept parents are referred to.
    fn count_parents(&self, plan: &mut TablePlan) {
        let Some(filled) = self.source.get(&plan.name) else { return };
        for (at, (is, parents)) in plan.keys.iter().zip(&filled.parents).enumerate() {
            let foreign = &self.table.foreign_keys[at];
            let is_lost = |(row, parent): &(usize, &u32)| **parent == NONE && filled.is_meant(foreign, *row);
            let learned = filled.learned();
            let orphans = parents.iter().enumerate().take(learned).filter(is_lost).count();
            match is {
                // As many as all rows have, of which those that are learned may be a part.
                Use::Main => {
                    plan.orphans = (orphans as u64 * plan.rows as u64 / learned.max(1) as u64) as usize
                }
                Use::Matched if orphans > 0 && (foreign.only.is_none() || foreign.optional) => {
                    plan.optional.push((at, format!("{}#has {}", self.mark, foreign.label())));
                }
                Use::Matched | Use::Value | Use::Forest | Use::Through(_) => {}
            }
            if matches!(is, Use::Matched | Use::Value) && self.part_of(&foreign.parent) == Part::Kept {
                let none = Filled::default();
                let parent = self.source.get(&foreign.parent).unwrap_or(&none);
                plan.weights.push((at, filled.children(at, parent)));
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
    fn number(&self, found: &TableSchema) -> Option<(String, i64)> {
        let [key] = self.table.primary_key.as_slice() else { return None };
        let is_foreign = self.table.is_foreign(key);
        let column = found.columns.iter().find(|column| &column.name == key)?;
        let rows = &self.source.get(&self.table.name)?.table;
        let cells: Option<Vec<i64>> =
            rows.column(key)?.iter().map(|cell| cell?.parse::<i64>().ok()).collect();
        let mut smallest = cells?.into_iter().min()?;
        if self.source.get(&self.table.name).is_some_and(|filled| filled.learned.is_some()) {
            // The first number may be of a row that was not read.
            smallest = smallest.min(1);
        }
        let name = key.to_lowercase();
        let counts = ["id", "key", "no", "nr", "num", "number", "code"].iter().any(|end| name.ends_with(end));
        let is_free = !is_foreign && !self.is_personal(&self.table.name, key);
        (is_free && (counts || smallest <= 1 || column.kind == Kind::Id)).then(|| (key.clone(), smallest))
    }

    /// Columns of parents that rows are drawn given, or are found by.
    fn context(&self, plan: &TablePlan) -> Vec<Context> {
        let mut context = Vec::new();
        for (at, is) in plan.keys.iter().enumerate() {
            let most = match is {
                Use::Main => MAX_PARENT_COLUMNS,
                Use::Matched => MAX_MATCHED_COLUMNS,
                Use::Value | Use::Forest | Use::Through(_) => continue,
            };
            let key = &self.table.foreign_keys[at];
            let label = key.label();
            let columns = self.light_of(&key.parent).into_iter().take(most);
            context.extend(columns.map(|column| Context {
                name: format!("{}{label}>{column}", self.mark),
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
            context.extend(self.grandparent(&label, vec![at, up], grand));
        }
        context.extend(self.context_through(plan));
        context
    }

    fn grandparent(&self, label: &str, keys: Vec<usize>, table: &str) -> Vec<Context> {
        let columns = self.light_of(table).into_iter().take(MAX_GRANDPARENT_COLUMNS);
        let name = |column: &str| format!("{}{label}>>{column}", self.mark);
        let context = |column: String| Context { name: name(&column), keys: keys.clone(), column };
        columns.map(context).collect()
    }

    /// Columns of further parents of the main parent, where rows belong to the same ones.
    fn context_through(&self, plan: &TablePlan) -> Vec<Context> {
        let Some(main) = plan.main() else { return Vec::new() };
        let parent = self.done.iter().find(|done| done.name == self.table.foreign_keys[main].parent);
        let above = parent.and_then(TablePlan::main);
        let through = plan.keys.iter().enumerate().filter_map(|(at, is)| match is {
            Use::Through(other) if Some(*other) != above => Some((at, *other)),
            _ => None,
        });
        let context = |(at, other): (usize, usize)| {
            let key = &self.table.foreign_keys[at];
            self.grandparent(&key.label(), vec![main, other], &key.parent)
        };
        through.flat_map(context).collect()
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

    /// Columns in which each row of a main parent has a value of its own: the time, where that is so in the source, and what
    /// is unique together with the key to the parent. Whole numbers of those are made to differ when keys are set, and keys
    /// of kept tables when all rows are there.
    fn apart(&self, plan: &TablePlan) -> Vec<String> {
        let (Some(filled), Some(main)) = (self.source.get(&self.table.name), plan.main()) else {
            return Vec::new();
        };
        let parents = filled.parents[main].get(..filled.learned()).unwrap_or_default();
        let is_apart =
            |name: &&String| filled.table.column(name).is_some_and(|column| differ(column, parents));
        // What just numbers the rows is set when they are in order.
        let mut apart: Vec<String> =
            plan.time.iter().filter(|_| plan.first.is_none()).filter(is_apart).cloned().collect();
        let of_main = &self.table.foreign_keys[main].columns;
        for set in self.table.unique_sets().filter(|set| set.len() == of_main.len() + 1) {
            let others: Vec<&String> = set.iter().filter(|name| !of_main.contains(name)).collect();
            let [name] = others.as_slice() else { continue };
            let values = filled.table.column(name).map(Column::values);
            let is_whole = values.is_none_or(|values| values.iter().all(|text| text.parse::<i64>().is_ok()));
            let is_own = plan.own.contains(name) && !self.table.is_foreign(name);
            if is_own && !is_whole && !apart.contains(name) {
                apart.push((*name).clone());
            }
        }
        apart
    }

    fn is_sequence(&self, plan: &TablePlan) -> bool {
        let Some(main) = plan.main() else { return false };
        let Some(filled) = self.source.get(&self.table.name) else { return false };
        let Some(parent) = self.source.get(&self.table.foreign_keys[main].parent) else { return false };
        let mut counts = filled.children(main, parent);
        counts.truncate(parent.learned());
        counts.into_iter().max().is_some_and(|most| (2..=MAX_SEQUENCE).contains(&most))
    }
}

/// Notes at each table whose keys refer to it from tables that are drawn.
fn count_children(schema: &Schema, source: &Database, plans: &mut [TablePlan]) {
    let mut counts: Vec<(String, Count)> = Vec::new();
    for plan in plans.iter().filter(|plan| plan.part == Part::Learned) {
        let Some(table) = schema.table(&plan.name) else { continue };
        for (key, (foreign, is)) in table.foreign_keys.iter().zip(&plan.keys).enumerate() {
            if !matches!(is, Use::Value | Use::Through(_)) {
                let name = format!("{}#{}.{}", plan.mark, plan.name, foreign.label());
                let both = source.get(&plan.name).zip(source.get(&foreign.parent));
                let mut counts_of = both.map_or_else(Vec::new, |(own, parent)| own.children(key, parent));
                counts_of.truncate(source.get(&foreign.parent).map_or(0, Filled::learned));
                let seen = seen(&counts_of);
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
