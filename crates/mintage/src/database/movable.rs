//! Which columns of new rows can be drawn again when all rows are there, and what has to follow them.
//!
//! Keys stay, and what rows are found, ordered, named or written by; copies of a column in other tables follow it.

use std::collections::{BTreeMap, HashSet};

use mintage_data::{RowEncoder, database::Schema, table::rules::Rule};

use super::{
    DatabaseModel, DatabaseRequest,
    agree::take_over,
    filled::{Database, NONE},
    plan::{Context, From, TablePlan, light},
    view::of_parent,
};

/// What of the tables of a model may change, for one request.
pub(super) struct Movable<'a> {
    model: &'a DatabaseModel,
    request: &'a DatabaseRequest,
    /// In the order of the plans, so that a copy of a copy comes after it.
    copies: Vec<CopiedColumn<'a>>,
}

/// A column that has the cells of a parent.
struct CopiedColumn<'a> {
    /// The table of the copy, and that of the parent, by their places among the plans.
    at: usize,
    source: usize,
    column: &'a str,
    context: &'a Context,
}

/// The table behind a way of keys, by its place among the plans.
pub(super) fn place_behind(
    schema: &Schema,
    plans: &[TablePlan],
    table: &str,
    keys: &[usize],
) -> Option<usize> {
    let mut behind = schema.table(table)?;
    for &key in keys {
        behind = schema.table(&behind.foreign_keys.get(key)?.parent)?;
    }
    plans.iter().position(|plan| plan.name == behind.name)
}

impl<'a> Movable<'a> {
    pub fn of(model: &'a DatabaseModel, request: &'a DatabaseRequest) -> Self {
        let mut copies = Vec::new();
        for (at, plan) in model.plans.iter().enumerate() {
            for copied in &plan.copied {
                let From::Parent(context) = &copied.from else { continue };
                let source = place_behind(&model.schema, &model.plans, &plan.name, &context.keys);
                // Parents come first.
                if let Some(source) = source.filter(|source| *source < at) {
                    copies.push(CopiedColumn { at, source, column: &copied.column, context });
                }
            }
        }
        Self { model, request, copies }
    }

    /// Whether a column of the table at a place can have other cells.
    pub fn may_move(&self, at: usize, column: &str) -> bool {
        let plan = &self.model.plans[at];
        !plan.copied.iter().any(|copied| copied.column == column)
            && !plan.totals.iter().any(|total| total.column == column)
            && !self.is_held(at, column)
            && !self.is_copied_to_held(at, column)
    }

    /// The columns of a table that can be drawn again. What a rule says of several columns it can say of new cells of all of
    /// them alone: they are one unit, which stays where one of them has to.
    pub fn units(&self, at: usize, codec: &RowEncoder) -> Vec<Vec<String>> {
        let own = codec.rules.own();
        let names: Vec<&str> = own.columns.iter().map(|column| column.name.as_str()).collect();
        let mut groups: Vec<usize> = (0..names.len()).collect();
        for rule in codec.rules.rules() {
            let tied = (0..names.len()).filter(|&column| is_about(rule, names[column]));
            let tied: Vec<usize> = tied.map(|column| groups[column]).collect();
            let Some(&first) = tied.first() else { continue };
            for group in &mut groups {
                if tied.contains(group) {
                    *group = first;
                }
            }
        }
        let mut units: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (name, group) in names.into_iter().zip(groups) {
            units.entry(group).or_default().push(name);
        }
        let plan = &self.model.plans[at];
        let light: HashSet<String> = light(own).collect();
        let is_drawn = |name: &str| light.contains(name) && plan.own.iter().any(|own| own == name);
        let may_move = |unit: &Vec<&str>| unit.iter().all(|name| is_drawn(name) && self.may_move(at, name));
        let units = units.into_values().filter(may_move);
        units.map(|unit| unit.into_iter().map(str::to_owned).collect()).collect()
    }

    /// Gives copies of columns of the table at a place, and copies of those, the cells that these have by now.
    pub fn follow(&self, at: usize, moved: &[String], made: &mut Database) {
        let mut changed: Vec<(usize, &str)> = moved.iter().map(|column| (at, column.as_str())).collect();
        for copy in &self.copies {
            if !changed.contains(&(copy.source, copy.context.column.as_str())) {
                continue;
            }
            let plan = &self.model.plans[copy.at];
            let Some(mut filled) = made.remove(&plan.name) else { continue };
            let parents = &filled.parents[copy.context.keys[0]];
            let column = of_parent(copy.context, plan, &self.model.schema, made, parents);
            take_over(&mut filled.table, &column, |row| parents[row] != NONE);
            made.insert(plan.name.clone(), filled);
            changed.push((copy.at, copy.column));
        }
    }

    /// Whether something else than a value depends on a column: which row is which, in what order rows stand, who they name,
    /// what is written in them. Or the request says what it is.
    fn is_held(&self, at: usize, column: &str) -> bool {
        let plan = &self.model.plans[at];
        let Some(table) = self.model.schema.table(&plan.name) else { return true };
        let is_it = |name: &String| name == column;
        let is_of_key = table.is_foreign(column)
            || table.unique_sets().any(|set| set.iter().any(is_it))
            || table
                .foreign_keys
                .iter()
                .any(|key| key.only.as_ref().is_some_and(|only| only.column == column));
        let mut keys = self.model.schema.keys();
        let is_referred_to =
            keys.any(|(_, key)| key.parent == plan.name && key.parent_columns.iter().any(is_it));
        let is_order = plan.main().is_some() && plan.time.as_deref() == Some(column);
        let mut persons = self.model.persons.iter().filter(|persons| persons.table == plan.name);
        is_of_key
            || is_referred_to
            || is_order
            || persons.any(|persons| persons.makes(column) || persons.reads(column))
            || self.is_asked(&plan.name, column)
            || self.is_written_by(at, column)
    }

    /// Whether the request says what a column holds.
    fn is_asked(&self, table: &str, column: &str) -> bool {
        let given = self.request.given.get(table);
        let mut conditions = self.request.conditions.iter();
        given.is_some_and(|given| given.column(column).is_some())
            || conditions.any(|(of, on)| of == table && on.column == column)
    }

    /// Whether texts of the table or of its children are written by a column.
    fn is_written_by(&self, at: usize, column: &str) -> bool {
        let model = self.model;
        model.texts.iter().any(|text| {
            let Some(plan) = model.plans.iter().find(|plan| plan.name == text.table) else { return false };
            let is_own = plan.name == model.plans[at].name;
            let is_it = |context: &Context| self.leads_to(plan, context, (at, column));
            text.by().any(|name| {
                let mut contexts = plan.context.iter().filter(|context| context.name == name);
                is_own && name == column || contexts.any(is_it)
            })
        })
    }

    /// Whether a column of a parent that a table sees is this one of the table at a place.
    fn leads_to(&self, plan: &TablePlan, context: &Context, (at, column): (usize, &str)) -> bool {
        let (schema, plans) = (&self.model.schema, self.model.plans.as_slice());
        context.column == column && place_behind(schema, plans, &plan.name, &context.keys) == Some(at)
    }

    /// Whether a column has a copy that has to stay, or that is bounded, which nothing would see to.
    fn is_copied_to_held(&self, at: usize, column: &str) -> bool {
        let mut copies = self.copies.iter().filter(|copy| copy.source == at && copy.context.column == column);
        copies.any(|copy| {
            self.is_held(copy.at, copy.column)
                || self.is_bounded(copy.at, copy.column)
                || self.is_copied_to_held(copy.at, copy.column)
        })
    }

    /// Whether a column bounds another one, or is bounded.
    fn is_bounded(&self, at: usize, column: &str) -> bool {
        let bounds = |plan: &TablePlan| {
            plan.bounds.iter().any(|bound| {
                let mut contexts = plan.context.iter().filter(|context| context.name == bound.parent);
                contexts.any(|context| self.leads_to(plan, context, (at, column)))
            })
        };
        self.model.plans[at].bounds.iter().any(|bound| bound.column == column)
            || self.model.plans.iter().any(bounds)
    }
}

/// Whether a rule is about a column.
fn is_about(rule: &Rule, name: &str) -> bool {
    let names_it = rule.columns().iter().any(|own| own.eq_ignore_ascii_case(name));
    // What a column is computed from stands in the text of its rule.
    names_it || matches!(rule, Rule::Formula { equals, .. } if equals.contains(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::{Column, Table, table::encoder::Where};

    use super::*;
    use crate::database::{
        filled::numbers,
        testing::{key, planned, table, untrained},
    };

    /// Twenty firms, and staff of four each who have the line of their firm.
    fn firms() -> (DatabaseModel, Database) {
        let line = |row: usize| Some(["tea", "cup", "tin"][row % 3]);
        let firms = vec![
            numbers("id", 1..=20),
            numbers("size", (0..20).map(|row| row % 9)),
            Column::of("line", (0..20).map(line)),
        ];
        let staff = vec![
            numbers("id", 1..=80),
            numbers("firm", (0..80).map(|row| row / 4 + 1)),
            numbers("place", (0..80).map(|row| row % 4 + 1)),
            numbers("grade", (0..80).map(|row| row * 7 % 5)),
            Column::of("line", (0..80).map(|row| line(row / 4))),
        ];
        let staff = table("staff", vec![key("firm", "firms", "id", false)], staff);
        let (schema, made, plans) = planned(vec![table("firms", Vec::new(), firms), staff]);
        (untrained(schema, plans), made)
    }

    fn at(model: &DatabaseModel, table: &str) -> usize {
        model.plans.iter().position(|plan| plan.name == table).unwrap()
    }

    #[test]
    fn keeps_keys_copies_orders_and_what_is_asked() {
        let (model, _) = firms();
        let (firms, staff) = (at(&model, "firms"), at(&model, "staff"));
        let plain = DatabaseRequest::default();
        let movable = Movable::of(&model, &plain);
        for (table, column) in [(firms, "size"), (firms, "line"), (staff, "grade")] {
            assert!(movable.may_move(table, column), "{column}");
        }
        for (table, column) in
            [(firms, "id"), (staff, "id"), (staff, "firm"), (staff, "place"), (staff, "line")]
        {
            assert!(!movable.may_move(table, column), "{column}");
        }
        let mut asked = DatabaseRequest::default();
        let size = Table { columns: vec![numbers("size", [3, 4])], ..Table::default() };
        asked.given.insert("firms".to_owned(), size);
        asked.conditions.push(("staff".to_owned(), Where::parse("line=tea").unwrap()));
        let movable = Movable::of(&model, &asked);
        assert!(!movable.may_move(firms, "size") && !movable.may_move(firms, "line"));
        assert!(movable.may_move(staff, "grade"));
    }

    #[test]
    fn copies_follow_their_parents() {
        let (model, mut made) = firms();
        let request = DatabaseRequest::default();
        let movable = Movable::of(&model, &request);
        let line = made.get_mut("firms").unwrap().table.columns.iter_mut().find(|own| own.name == "line");
        line.unwrap().set(2, Some("pot"));
        movable.follow(at(&model, "firms"), &["line".to_owned()], &mut made);
        let staff = made["staff"].table.column("line").unwrap();
        assert!((0..80).all(|row| (staff.cell(row) == Some("pot")) == (row / 4 == 2)));
        assert_eq!(staff.cell(79), Some("cup"));
    }
}
