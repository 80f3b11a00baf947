//! Rows that must differ by some of their columns, from each other and from those that are there already.
//!
//! A key is kept as a hash of 64 bits, so that millions of rows cost little; two keys that share one only
//! have a row drawn again for nothing.

use std::collections::HashSet;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    Origin, Rule, Rules,
    columns::{Numbers, made_afresh, position},
    order::Scale,
    sql::Sql,
};
use crate::{
    Error,
    table::{
        Column, Table,
        ids::IdMaker,
        pattern::below,
        schema::{ColumnSchema, Format, Kind, TableSchema},
    },
};

/// Times that all rows are looked at.
const MAX_PASSES: usize = 4;
/// Draws until a row differs from all others.
const MAX_DRAWS: usize = 200;
/// Values that are gone through for the rows of one part, at most.
const MAX_WALK: u64 = 5_000_000;
/// Different values that show on what grid a column lies.
const GRID_VALUES: usize = 20;

/// Values of columns that a row gets in place of its own.
type Others = Vec<(usize, String)>;

/// The keys that rows have by now, one set a rule.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    rules: Vec<Key>,
    /// Columns that refer to another table of the target.
    references: Vec<Reference>,
}

/// What a column that refers to another table may be.
#[derive(Clone, Debug)]
struct Reference {
    column: usize,
    keys: Column,
    hashes: HashSet<u64>,
}

/// By which rules rows are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    All,
    /// Those of a part of the rows: another draw may not be in that part.
    Conditions,
    None,
}

/// What rows must differ by.
#[derive(Clone, Debug)]
pub(super) struct Key {
    rule: Rule,
    columns: Vec<usize>,
    /// Rows in which it is not true may be alike.
    condition: Option<Sql>,
    taken: HashSet<u64>,
}

impl Keys {
    /// Nothing taken yet.
    pub fn of(rules: &Rules) -> Self {
        let unique = rules.rules.iter().filter(|rule| matches!(rule, Rule::Unique { .. }));
        Self { rules: unique.map(|rule| Key::of(rule, &rules.own)).collect(), references: Vec::new() }
    }

    /// The columns that must be known of rows to tell whether others repeat them.
    pub fn columns(&self) -> Vec<usize> {
        let conditions = self.rules.iter().filter_map(|key| key.condition.as_ref());
        let own = self.rules.iter().flat_map(|key| key.columns.iter().copied());
        own.chain(conditions.flat_map(Sql::columns)).collect()
    }

    /// Takes the keys of rows that are there already; a key of which they lack a column is left alone.
    pub fn add_present(&mut self, present: &Table, rules: &Rules) {
        let all = |form: &ColumnSchema| present.column(&form.name).cloned();
        // Those that are not there are not asked for.
        let none = || Column::of("", (0..present.rows()).map(|_| None));
        let columns: Vec<Option<Column>> = rules.own.columns.iter().map(all).collect();
        let is_there: Vec<bool> = columns.iter().map(Option::is_some).collect();
        let columns = columns.into_iter().map(|column| column.unwrap_or_else(none)).collect();
        let present = Table { columns, ..Table::default() };
        for key in self.rules.iter_mut().filter(|key| key.columns.iter().all(|&at| is_there[at])) {
            let hashes = key.hashes(&present, &rules.own);
            key.taken.extend(hashes.into_iter().flatten());
        }
    }

    /// Takes the keys that a column may refer to.
    pub fn add_references(&mut self, name: &str, keys: &Column, rules: &Rules) {
        if let Some(at) = position(name, &rules.own) {
            let form = &rules.own.columns[at];
            let hashes = keys.values().iter().filter_map(|text| cell_hash(text, form)).collect();
            self.references.push(Reference { column: at, keys: keys.clone(), hashes });
        }
    }

    /// The rows that refer to what is not there, with the column.
    pub fn dangling<'a>(&self, table: &Table, schema: &'a TableSchema) -> Vec<(usize, &'a str)> {
        let mut rows = Vec::new();
        for Reference { column: at, hashes: keys, .. } in &self.references {
            let (column, form) = (&table.columns[*at], &schema.columns[*at]);
            let is_there = |text: &str| cell_hash(text, form).is_none_or(|hash| keys.contains(&hash));
            let there: Vec<bool> = column.values().iter().map(is_there).collect();
            let cells = column.numbers().iter().enumerate();
            let dangling = cells.filter(|(_, number)| there.get(**number as usize) == Some(&false));
            rows.extend(dangling.map(|(row, _)| (row, form.name.as_str())));
        }
        rows
    }

    /// The rows that repeat one that is there or one before them by these rules, each once and in order.
    pub fn repeated(&self, by: By, table: &Table, schema: &TableSchema) -> Vec<usize> {
        let asked = |key: &&Key| by == By::All || by == By::Conditions && key.condition.is_some();
        let keys = self.rules.iter().filter(asked);
        let mut rows: Vec<usize> = keys.flat_map(|key| key.repeated(table, schema)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Changes rows that repeat others, in columns other than `fixed`. Where only keys of another table are left to
    /// change, a row gets other keys of that table.
    ///
    /// # Errors
    /// Too few values are left for rows to differ, or two rules undo each other.
    pub fn make_differ(
        &self,
        rules: &Rules,
        table: &mut Table,
        fixed: &[usize],
        random: &mut dyn FnMut() -> u64,
    ) -> Result<(), Error> {
        // To keep one of two rules of the same columns may break the other.
        for pass in 0..MAX_PASSES {
            let mut kept = true;
            for key in &self.rules {
                let rows = key.repeated(table, &rules.own);
                if !rows.is_empty() {
                    Different { rules, key, fixed, references: &self.references }
                        .make(&rows, table, random)?;
                    kept = false;
                }
            }
            if kept {
                if pass > 0 {
                    rules.compute(table);
                }
                return Ok(());
            }
        }
        let names: Vec<String> = self.rules.iter().map(|key| format!("`{}`", key.rule)).collect();
        let why = "cannot be kept together: rows that differ by one of them repeat others by another";
        Err(Error::bad(format!("rules {}", names.join(" and ")), why)
            .with_hint("ask for fewer rows, or take one out"))
    }

    /// Takes the keys of rows that are done.
    pub fn remember(&mut self, table: &Table, schema: &TableSchema) {
        for key in &mut self.rules {
            let all = key.hashes(table, schema);
            key.taken.extend(all.into_iter().flatten());
        }
    }
}

impl Key {
    /// The key of a rule about columns of `schema`, nothing taken.
    pub(super) fn of(rule: &Rule, schema: &TableSchema) -> Self {
        let columns = rule.columns().iter().filter_map(|name| position(name, schema)).collect();
        let condition = match rule {
            Rule::Unique { condition: Some(sql), .. } => Sql::parse(sql, schema).ok(),
            _ => None,
        };
        Self { rule: rule.clone(), columns, condition, taken: HashSet::new() }
    }

    /// The keys of all rows; nothing where a cell is missing, as in SQL, or the condition is not true.
    fn hashes(&self, table: &Table, schema: &TableSchema) -> Vec<Option<u64>> {
        let column = |&at: &usize| (&table.columns[at], &schema.columns[at]);
        let mut keys = hashes(&self.columns.iter().map(column).collect::<Vec<_>>());
        if let Some(condition) = &self.condition {
            let truths = condition.truths(table, schema);
            keys.iter_mut()
                .zip(truths)
                .filter(|(_, truth)| *truth != Some(true))
                .for_each(|(key, _)| *key = None);
        }
        keys
    }

    /// The rows that repeat one that is taken or one before them.
    pub(super) fn repeated(&self, table: &Table, schema: &TableSchema) -> Vec<usize> {
        let mut seen = HashSet::new();
        let keys = self.hashes(table, schema).into_iter().enumerate();
        let again = keys.filter_map(|(row, key)| {
            let key = key?;
            (self.taken.contains(&key) || !seen.insert(key)).then_some(row)
        });
        again.collect()
    }

    /// The key of a row, with other texts in the place of some of its cells.
    fn hash(
        &self,
        row: usize,
        table: &Table,
        schema: &TableSchema,
        others: &[(usize, String)],
    ) -> Option<u64> {
        let mut hash = Xxh3::new();
        for &at in &self.columns {
            let other = others.iter().find(|(column, _)| *column == at).map(|(_, text)| text.as_str());
            let cell = other.or(table.columns[at].cell(row));
            hash.update(&cell_hash(cell?, &schema.columns[at])?.to_le_bytes());
        }
        Some(hash.digest())
    }
}

/// The keys of all rows; nothing where a cell is missing, as in SQL.
fn hashes(columns: &[(&Column, &ColumnSchema)]) -> Vec<Option<u64>> {
    let of_value = |(column, form): &(&Column, &ColumnSchema)| {
        column.values().iter().map(|text| cell_hash(text, form)).collect::<Vec<_>>()
    };
    let values: Vec<Vec<Option<u64>>> = columns.iter().map(of_value).collect();
    let rows = columns.first().map_or(0, |(column, _)| column.len());
    let key = |row: usize| {
        let mut hash = Xxh3::new();
        for ((column, _), values) in columns.iter().zip(&values) {
            let cell = values.get(column.numbers()[row] as usize).copied().flatten();
            hash.update(&cell?.to_le_bytes());
        }
        Some(hash.digest())
    };
    (0..rows).map(key).collect()
}

/// Equal for texts that mean the same number or date; nothing for a missing value.
fn cell_hash(text: &str, form: &ColumnSchema) -> Option<u64> {
    if form.is_missing(Some(text)) {
        return None;
    }
    // A zero has two signs.
    Some(form.number(text).map_or_else(|| xxh3_64(text.as_bytes()), |number| (number + 0.0).to_bits()))
}

/// Makes rows differ in the columns of one key.
struct Different<'a> {
    rules: &'a Rules,
    key: &'a Key,
    /// Columns that conditions have chosen the values of.
    fixed: &'a [usize],
    references: &'a [Reference],
}

impl Different<'_> {
    fn make(&self, rows: &[usize], table: &mut Table, random: &mut dyn FnMut() -> u64) -> Result<(), Error> {
        let Self { rules, key, .. } = self;
        let schema = &rules.own;
        let id = key.columns.iter().find_map(|&at| Some((at, made_afresh(&schema.columns[at])?)));
        if let Some((id, format)) = id {
            let column = &mut table.columns[id];
            let mut maker = IdMaker::new(format, column.values().iter())?;
            for &row in rows {
                column.set(row, Some(&maker.next(random)?));
            }
            return Ok(());
        }
        let free: Vec<usize> = key.columns.iter().copied().filter(|&column| self.free(column)).collect();
        let (keys, own): (Vec<usize>, Vec<usize>) = free.into_iter().partition(|&column| self.refers(column));
        let free = if own.is_empty() { keys } else { own };
        if free.is_empty() {
            return Err(self.impossible(rows.len(), "all its columns are bound by other rules"));
        }
        let again: HashSet<usize> = rows.iter().copied().collect();
        let mut taken: HashSet<u64> = key
            .hashes(table, schema)
            .into_iter()
            .enumerate()
            .filter(|(row, _)| !again.contains(row))
            .filter_map(|(_, key)| key)
            .collect();
        let mut sources: Vec<Source> = free.iter().map(|&at| self.source(at, table)).collect();
        let mut walk = MAX_WALK;
        for (done, &row) in rows.iter().enumerate() {
            let mut fits = |others: &Others| {
                let hash = key.hash(row, table, schema, others);
                hash.is_some_and(|hash| !key.taken.contains(&hash) && taken.insert(hash))
            };
            let mut others = Others::new();
            let differs = (0..MAX_DRAWS).any(|_| {
                let source = &sources[below(random, sources.len())];
                put(&mut others, source.column, source.draw(random, schema));
                fits(&others)
            });
            if !differs && !self.go_through(&mut sources, &mut walk, &mut others, &mut fits) {
                return Err(self.impossible(rows.len() - done, "too few values are left"));
            }
            for (column, text) in others {
                table.columns[column].set(row, Some(&text));
            }
        }
        Ok(())
    }

    fn refers(&self, column: usize) -> bool {
        self.references.iter().any(|reference| reference.column == column)
    }

    /// What a column may be: where it refers to another table all of the keys there, those that no row has yet too.
    fn source(&self, column: usize, table: &Table) -> Source {
        let mut all = self.references.iter().filter(|reference| reference.column == column);
        let Some(first) = all.next() else { return Source::of(column, table, self.rules) };
        let others: Vec<&Reference> = all.collect();
        let form = &self.rules.own.columns[column];
        let is_key = |text: &&str| {
            cell_hash(text, form).is_some_and(|hash| others.iter().all(|other| other.hashes.contains(&hash)))
        };
        let texts = first.keys.values().iter().filter(is_key).map(str::to_owned).collect();
        Source { column, values: Values::Texts(texts), at: 0 }
    }

    /// Whether other rules leave the column alone.
    fn free(&self, column: usize) -> bool {
        let Rules { own, origins, followers, rules, .. } = self.rules;
        let as_it_is = origins.contains(&Origin::Column(column));
        let parent = followers.iter().any(|f| f.parents.iter().any(|parent| parent.column == column));
        let bound = |rule: &Rule| {
            let binds = matches!(rule, Rule::Regex { .. } | Rule::Check { .. });
            binds && rule.columns().iter().any(|name| position(name, own) == Some(column))
        };
        let constant = own.columns[column].kind == Kind::Constant;
        as_it_is && !parent && !constant && !self.fixed.contains(&column) && !rules.iter().any(bound)
    }

    /// Gives a row the next values that are left, one after another.
    fn go_through(
        &self,
        sources: &mut [Source],
        walk: &mut u64,
        others: &mut Others,
        fits: &mut dyn FnMut(&Others) -> bool,
    ) -> bool {
        let schema = &self.rules.own;
        // Where a column goes on without end, the others need not be gone through.
        sources.sort_by_key(|source| !source.endless());
        for source in sources {
            while let Some(text) = source.next(schema) {
                let Some(left) = walk.checked_sub(1) else { return false };
                *walk = left;
                put(others, source.column, text);
                if fits(others) {
                    return true;
                }
            }
            // Beside the values of another column all of them may be free again.
            if self.key.columns.len() > 1 {
                source.at = 0;
            }
        }
        false
    }

    fn impossible(&self, rows: usize, why: &str) -> Error {
        let rows = if rows == 1 { "a new row".to_owned() } else { format!("{rows} new rows") };
        let why = format!("cannot be kept: {rows} would repeat others, and {why}");
        Error::bad(format!("rule `{}`", self.key.rule), why)
            .with_hint("ask for fewer rows, or take the rule out")
    }
}

/// Gives a column another text.
fn put(others: &mut Others, column: usize, text: String) {
    match others.iter_mut().find(|(at, _)| *at == column) {
        Some((_, own)) => *own = text,
        None => others.push((column, text)),
    }
}

/// Values that a column may have.
struct Source {
    column: usize,
    values: Values,
    /// The next one in order.
    at: u64,
}

enum Values {
    /// Those seen.
    Texts(Vec<String>),
    /// Every `step`th value of the scale, `count` of them from `low` on; dates go on behind the last.
    Steps { low: f64, scale: Scale, step: u64, count: u64, endless: bool },
}

impl Source {
    fn of(column: usize, table: &Table, rules: &Rules) -> Self {
        let form = &rules.own.columns[column];
        let numbers = Numbers::of(table, &rules.own, vec![column]);
        let scale = Scale::of(form);
        let values = match numbers.span(column) {
            Some((low, high)) if scale != Scale::Float => {
                let (low, high) = match &form.format {
                    Format::Number(format) => (low.min(format.min), high.max(format.max)),
                    _ => (low, high),
                };
                let step = grid(low, scale, &numbers, column);
                let bounded = rules.limits.iter().any(|limit| limit.column == column && limit.high.is_some());
                let endless = matches!(form.format, Format::Datetime { .. }) && !bounded;
                Values::Steps { low, scale, step, count: scale.steps(low, high) / step + 1, endless }
            }
            _ => {
                let texts = table.columns[column].values().iter().filter(|text| !form.is_missing(Some(text)));
                Values::Texts(texts.map(str::to_owned).collect())
            }
        };
        Self { column, values, at: 0 }
    }

    fn endless(&self) -> bool {
        matches!(self.values, Values::Steps { endless: true, .. })
    }

    fn text(&self, at: u64, schema: &TableSchema) -> Option<String> {
        match &self.values {
            Values::Texts(texts) => texts.get(at as usize).cloned(),
            Values::Steps { count, endless, .. } if at >= *count && !endless => None,
            Values::Steps { low, scale, step, .. } => {
                Some(schema.columns[self.column].text(scale.up(*low, at.saturating_mul(*step))))
            }
        }
    }

    fn draw(&self, random: &mut dyn FnMut() -> u64, schema: &TableSchema) -> String {
        let count = match &self.values {
            Values::Texts(texts) => texts.len() as u64,
            Values::Steps { count, .. } => *count,
        };
        self.text(random() % count.max(1), schema).unwrap_or_default()
    }

    fn next(&mut self, schema: &TableSchema) -> Option<String> {
        let text = self.text(self.at, schema);
        self.at += 1;
        text
    }
}

/// The largest step of the scale that leads to all values: times that are all on the hour stay there.
fn grid(low: f64, scale: Scale, numbers: &Numbers, column: usize) -> u64 {
    let values = numbers.distinct(column);
    if values.len() < GRID_VALUES {
        return 1;
    }
    let step = values.into_iter().fold(0, |step, value| gcd(step, scale.steps(low, value)));
    step.max(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
