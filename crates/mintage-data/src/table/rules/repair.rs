//! What is put right on the way back: bounds, patterns, and rows that must differ.

use std::collections::HashSet;

use super::{Limits, Origin, Rule, Rules, holds, order::Scale};
use crate::{
    Error,
    table::{
        Column, Table,
        ids::IdMaker,
        pattern::{Pattern, below},
        schema::{ColumnSchema, Format, IdFormat, Kind, TableSchema},
    },
};

/// Times that all rows are looked at.
const PASSES: usize = 4;
/// Draws until a row differs from all others.
const DRAWS: usize = 200;

/// Numbers below or above what is allowed become the nearest that is.
pub fn limits(limits: &[Limits], schema: &TableSchema, table: &mut Table) {
    for &Limits { column, low, high } in limits {
        let form = &schema.columns[column];
        replace(&mut table.columns[column], |text| {
            let number = form.number(text)?;
            let kept = number.max(low.unwrap_or(number)).min(high.unwrap_or(f64::INFINITY));
            (kept != number).then(|| form.text(kept))
        });
    }
}

/// Puts other texts in the place of those for which `new` has one; it is asked once a distinct text.
fn replace(column: &mut Column, new: impl Fn(&str) -> Option<String>) {
    let texts: Vec<Option<String>> = column.values().iter().map(new).collect();
    if texts.iter().all(Option::is_none) {
        return;
    }
    let mut replaced = Column::new(&column.name, column.declaration.clone());
    for (cell, &number) in column.iter().zip(column.numbers()) {
        let new = texts.get(number as usize).and_then(Option::as_deref);
        replaced.push(new.or(cell));
    }
    *column = replaced;
}

/// Texts that do not match their pattern: identifiers are made by it, others are drawn from those that do.
pub fn patterns(
    rules: &[Rule],
    schema: &TableSchema,
    table: &mut Table,
    random: &mut dyn FnMut() -> u64,
) -> Result<(), Error> {
    for rule in rules {
        let Rule::Regex { column, pattern } = rule else { continue };
        let Some(at) = holds::position(column, schema) else { continue };
        let form = &schema.columns[at];
        let pattern = Pattern::new(pattern)?;
        let rows = holds::broken(rule, table, table, schema);
        if rows.is_empty() {
            continue;
        }
        let own = &mut table.columns[at];
        if let Some(format) = made_afresh(form) {
            let mut maker = IdMaker::new(format, own.values().iter())?;
            for row in rows {
                own.set(row, Some(&maker.next(random)?));
            }
            continue;
        }
        let good: Vec<String> =
            own.values().iter().filter(|text| pattern.matches(text)).map(str::to_owned).collect();
        if good.is_empty() {
            let why = "none of the new values matches it, and there is none to draw from";
            return Err(Error::bad(format!("rule `{rule}`"), why));
        }
        for row in rows {
            own.set(row, Some(&good[below(random, good.len())]));
        }
    }
    Ok(())
}

/// How the identifiers of a column are made.
fn made_afresh(form: &ColumnSchema) -> Option<&IdFormat> {
    match &form.format {
        Format::Id(format) if form.kind == Kind::Id => Some(format),
        _ => None,
    }
}

/// Rows that have the values of another one get values of their own.
pub fn unique(rules: &Rules, table: &mut Table, random: &mut dyn FnMut() -> u64) -> Result<(), Error> {
    let all: Vec<&Rule> = rules.rules.iter().filter(|rule| matches!(rule, Rule::Unique { .. })).collect();
    // To keep one of two rules of the same columns may break the other.
    for _ in 0..PASSES {
        let mut kept = true;
        for &rule in &all {
            let rows = holds::broken(rule, table, table, &rules.own);
            if !rows.is_empty() {
                let columns = rule.columns();
                let columns = columns.iter().filter_map(|name| holds::position(name, &rules.own)).collect();
                Different { rules, rule, columns }.make(&rows, table, random)?;
                kept = false;
            }
        }
        if kept {
            return Ok(());
        }
    }
    let names: Vec<String> = all.iter().map(|rule| format!("`{rule}`")).collect();
    let why = "cannot be kept together: rows that differ by one of them repeat others by another";
    Err(Error::bad(format!("rules {}", names.join(" and ")), why)
        .with_hint("ask for fewer rows, or take one out"))
}

/// Makes rows differ in some columns.
struct Different<'a> {
    rules: &'a Rules,
    rule: &'a Rule,
    columns: Vec<usize>,
}

impl Different<'_> {
    fn make(&self, rows: &[usize], table: &mut Table, random: &mut dyn FnMut() -> u64) -> Result<(), Error> {
        let schema = &self.rules.own;
        let id =
            self.columns.iter().find_map(|&column| Some((column, made_afresh(&schema.columns[column])?)));
        if let Some((id, format)) = id {
            let column = &mut table.columns[id];
            let mut maker = IdMaker::new(format, column.values().iter())?;
            for &row in rows {
                column.set(row, Some(&maker.next(random)?));
            }
            return Ok(());
        }
        let free: Vec<usize> = self.columns.iter().copied().filter(|&column| self.free(column)).collect();
        if free.is_empty() {
            return Err(self.impossible(rows.len(), "all its columns are bound by other rules"));
        }
        let again: HashSet<usize> = rows.iter().copied().collect();
        let key = |row: usize, table: &Table| holds::key(&self.columns, row, table, schema);
        let mut taken: HashSet<String> =
            (0..table.rows()).filter(|row| !again.contains(row)).filter_map(|row| key(row, table)).collect();
        let mut sources: Vec<Source> = free.iter().map(|&column| Source::of(column, table, schema)).collect();
        for (done, &row) in rows.iter().enumerate() {
            let differs = (0..DRAWS).any(|_| {
                let source = &sources[below(random, sources.len())];
                table.columns[source.column].set(row, Some(&source.draw(random, schema)));
                key(row, table).is_some_and(|key| taken.insert(key))
            });
            if !differs && !self.go_through(&mut sources, row, table, &mut taken) {
                return Err(self.impossible(rows.len() - done, "too few values are left"));
            }
        }
        Ok(())
    }

    /// Whether other rules leave the column alone.
    fn free(&self, column: usize) -> bool {
        let own = self.rules.origins.contains(&Origin::Column(column));
        let parent =
            self.rules.followers.iter().any(|f| f.parents.iter().any(|parent| parent.column == column));
        let pattern = |rule: &Rule| matches!(rule, Rule::Regex { column: name, .. } if holds::position(name, &self.rules.own) == Some(column));
        let constant = self.rules.own.columns[column].kind == Kind::Constant;
        own && !parent && !constant && !self.rules.rules.iter().any(pattern)
    }

    /// Gives the row the next value that is left, one after another.
    fn go_through(
        &self,
        sources: &mut [Source],
        row: usize,
        table: &mut Table,
        taken: &mut HashSet<String>,
    ) -> bool {
        let schema = &self.rules.own;
        for source in sources {
            while let Some(text) = source.next(schema) {
                table.columns[source.column].set(row, Some(&text));
                if holds::key(&self.columns, row, table, schema).is_some_and(|key| taken.insert(key)) {
                    return true;
                }
            }
            // Beside the values of another column all of them may be free again.
            if self.columns.len() > 1 {
                source.at = 0;
            }
        }
        false
    }

    fn impossible(&self, rows: usize, why: &str) -> Error {
        let why = format!("cannot be kept: {rows} new rows would repeat others, and {why}");
        Error::bad(format!("rule `{}`", self.rule), why).with_hint("ask for fewer rows, or take the rule out")
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
    /// So many steps from `low` on.
    Steps { low: f64, scale: Scale, count: u64 },
}

impl Source {
    fn of(column: usize, table: &Table, schema: &TableSchema) -> Self {
        let form = &schema.columns[column];
        let span = holds::Numbers::of(table, schema, vec![column]).span(column);
        let scale = Scale::of(form);
        let values = match span {
            Some((low, high)) if scale != Scale::Float => {
                Values::Steps { low, scale, count: scale.steps(low, high) + 1 }
            }
            _ => {
                let texts = table.columns[column].values().iter().filter(|text| !form.is_missing(Some(text)));
                Values::Texts(texts.map(str::to_owned).collect())
            }
        };
        Self { column, values, at: 0 }
    }

    fn text(&self, at: u64, schema: &TableSchema) -> Option<String> {
        match &self.values {
            Values::Texts(texts) => texts.get(at as usize).cloned(),
            Values::Steps { count, .. } if at >= *count => None,
            Values::Steps { low, scale, .. } => Some(schema.columns[self.column].text(scale.up(*low, at))),
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
