//! What the model of a table sees of a row: its own columns, those of its parents, its place among its siblings, the sibling
//! before, and how many children it has.

use mintage_data::{Column, Declaration, Table, database::Schema};

use super::{
    filled::{Database, Filled, NONE, children, numbers},
    plan::{Context, DEPTH, INDEX, SIBLINGS, TablePlan, column_of, depths},
    siblings::Places,
    summary::left_of,
};
use crate::error::Error;

/// The name of a column of the sibling before.
pub(super) fn before(column: &str) -> String {
    format!("<{column}")
}

/// The rows of a source as the model of their table sees them.
///
/// # Errors
/// A planned column is not there.
pub(super) fn learned(plan: &TablePlan, schema: &Schema, source: &Database) -> Result<Table, Error> {
    let none = Filled::default();
    let filled = source.get(&plan.name).unwrap_or(&none);
    let mut columns = Vec::new();
    for name in &plan.own {
        columns.push(column_of(&filled.table, name)?.clone());
    }
    for context in &plan.context {
        columns.push(of_parent(context, plan, schema, source, &filled.parents[context.keys[0]]));
    }
    if let Some(main) = plan.main().filter(|_| plan.is_sequence) {
        let places = Places::of(filled, &filled.parents[main], plan.time.as_deref());
        columns.push(numbers(INDEX, places.index.iter().copied()));
        columns.push(numbers(SIBLINGS, places.siblings));
        for (name, _) in &plan.left {
            columns.push(left_of(filled, name, &places.index, &places.previous));
        }
        for name in &plan.previous {
            columns.push(picked(&before(name), column_of(&filled.table, name)?, &places.previous));
        }
    }
    for (key, name) in &plan.optional {
        columns.push(numbers(name, filled.parents[*key].iter().map(|&row| u32::from(row != NONE))));
    }
    if let Some(forest) = plan.forest() {
        columns.push(numbers(DEPTH, depths(&filled.parents[forest])));
    }
    for count in &plan.counts {
        let parents = source.get(&count.table).and_then(|child| child.parents.get(count.key));
        let counts = parents.map_or_else(Vec::new, |parents| children(parents, filled.rows()));
        columns.push(numbers(&count.name, counts));
    }
    for summary in &plan.summaries {
        let children = source.get(&summary.table).unwrap_or(&none);
        columns.push(summary.of(children, filled.rows()));
    }
    Ok(Table { name: plan.name.clone(), columns, ..Table::default() })
}

/// A column of a parent, or of its parent, for rows whose parents are `parents`.
pub(super) fn of_parent(
    context: &Context,
    plan: &TablePlan,
    schema: &Schema,
    filled: &Database,
    parents: &[u32],
) -> Column {
    let parent_of = |table: &str, key: usize| {
        let foreign = schema.table(table).and_then(|table| table.foreign_keys.get(key));
        foreign
            .and_then(|foreign| filled.get(&foreign.parent).map(|filled| (foreign.parent.as_str(), filled)))
    };
    let nothing = || picked(&context.name, &Column::default(), &vec![NONE; parents.len()]);
    let Some((mut name, mut parent)) = parent_of(&plan.name, context.keys[0]) else { return nothing() };
    let mut rows = parents.to_vec();
    for &key in &context.keys[1..] {
        let Some(next) = parent_of(name, key) else { return nothing() };
        let up = parent.parents.get(key);
        rows.iter_mut()
            .filter(|row| **row != NONE)
            .for_each(|row| *row = up.map_or(NONE, |up| up[*row as usize]));
        (name, parent) = next;
    }
    match parent.table.column(&context.column).or_else(|| parent.summaries.column(&context.column)) {
        Some(column) => picked(&context.name, column, &rows),
        None => nothing(),
    }
}

/// The cells of some rows of a column under another name: no key, whatever it was declared as.
pub(super) fn picked(name: &str, column: &Column, rows: &[u32]) -> Column {
    let declaration = Declaration {
        primary_key: false,
        unique: false,
        refers_to: None,
        not_null: false,
        ..column.declaration.clone()
    };
    let mut new = Column::new(name, declaration);
    for &row in rows {
        new.push(if row == NONE { None } else { column.cell(row as usize) });
    }
    new
}
