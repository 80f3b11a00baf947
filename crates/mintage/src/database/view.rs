//! What the model of a table sees of a row: its own columns, those of its parents, its place among its siblings, the sibling
//! before, and how many children it has.

use mintage_data::{Column, Declaration, Table, database::Schema};

use super::{
    filled::{Database, Filled, NONE, numbers},
    plan::{Context, DEPTH, INDEX, SIBLINGS, TablePlan, column_of, depths},
    siblings::Places,
    summary::left_of,
};
use crate::error::Error;

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
        columns.push(numbers(&plan.named(INDEX), places.index.iter().copied()));
        columns.push(numbers(&plan.named(SIBLINGS), places.siblings));
        for (name, _) in &plan.left {
            columns.push(left_of(&plan.mean_left(name), (filled, name), &places.index, &places.previous));
        }
        for name in &plan.previous {
            columns.push(picked(&plan.before(name), column_of(&filled.table, name)?, &places.previous));
        }
    }
    for (key, name) in &plan.optional {
        columns.push(numbers(name, filled.parents[*key].iter().map(|&row| u32::from(row != NONE))));
    }
    if let Some(forest) = plan.forest() {
        columns.push(numbers(&plan.named(DEPTH), depths(&filled.parents[forest])));
    }
    for count in &plan.counts {
        let child = source.get(&count.table);
        let counts = child.map_or_else(Vec::new, |child| child.children(count.key, filled));
        columns.push(numbers(&count.name, counts));
    }
    for summary in &plan.summaries {
        let children = source.get(&summary.table).unwrap_or(&none);
        columns.push(summary.of(children, filled.rows()));
    }
    let rows = Table { name: plan.name.clone(), columns, ..Table::default() };
    Ok(match filled.learned() {
        learned if learned < rows.rows() => rows.select(&(0..learned as u32).collect::<Vec<u32>>()),
        _ => rows,
    })
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
    new.gather(column, rows.iter().map(|&row| (row != NONE).then_some(row)));
    new
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use mintage_data::table::schema::Kind;

    use super::*;
    use crate::database::testing::{key, planned, table};

    /// Firms with staff of four each; `named` are the names of a column of firms and of two of the staff.
    fn staff(named: [&str; 3]) -> (Schema, Database, Vec<TablePlan>) {
        let firms = vec![
            numbers("id", 1..=20),
            numbers(named[0], (0..20).map(|row| row % 7)),
            numbers("size", (0..20).map(|row| row % 9)),
        ];
        let firm = (0..80).map(|row| row / 4 + 1);
        let boss: Vec<String> = (0..80).map(|row| row.to_string()).collect();
        let boss = boss.iter().enumerate().map(|(row, id)| (row % 4 > 0).then_some(id.as_str()));
        let columns = vec![
            numbers("id", 1..=80),
            numbers("firm", firm),
            Column::of("boss", boss),
            numbers(named[1], (0..80).map(|row| row % 5)),
            numbers(named[2], (0..80).map(|row| row % 3)),
        ];
        let keys = vec![key("firm", "firms", "id", false), key("boss", "staff", "id", true)];
        planned(vec![table("firms", Vec::new(), firms), table("staff", keys, columns)])
    }

    #[test]
    fn columns_that_look_like_added_ones_stay_apart_from_them() {
        for named in [["#of", "#index", "<grade"], ["x", "firm>size", "#depth"], ["#staff.firm", "a", "#of"]]
        {
            let (schema, source, plans) = staff(named);
            for plan in &plans {
                assert_eq!(plan.mark, "##");
                let rows = learned(plan, &schema, &source).unwrap();
                let names: HashSet<&str> = rows.names().collect();
                assert_eq!(names.len(), rows.columns.len(), "{names:?}");
                for name in &plan.own {
                    let own = rows.column(name).unwrap();
                    assert_eq!(own.len(), plan.rows, "{name}");
                    assert!(own.iter().eq(source[&plan.name].table.column(name).unwrap().iter()), "{name}");
                    assert_eq!(plan.kind_of_added(name), None);
                }
            }
            let staff = plans.iter().find(|plan| plan.name == "staff").unwrap();
            let rows = learned(staff, &schema, &source).unwrap();
            for name in [INDEX, SIBLINGS, DEPTH] {
                assert!(rows.column(&staff.named(name)).is_some(), "{name}");
                assert_eq!(staff.kind_of_added(&staff.named(name)), Some(Kind::Integer));
            }
        }
    }

    #[test]
    fn added_columns_are_marked_no_further_where_none_looks_like_them() {
        let (schema, source, plans) = staff(["x", "grade", "team"]);
        assert!(plans.iter().all(|plan| plan.mark.is_empty()));
        let rows = learned(&plans[1], &schema, &source).unwrap();
        let names: Vec<&str> = rows.names().collect();
        for name in ["#index", "#of", "#depth", "firm>size", "<grade", "#staff.boss"] {
            assert!(names.contains(&name), "{name} {names:?}");
        }
        let (_, _, plans) = staff(["x", "grade", "a>b"]);
        assert_eq!(plans[1].mark, "#");
    }
}
