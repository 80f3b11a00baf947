//! Ties new rows together: which rows of its parents each row refers to, and the cells of its keys.

use std::collections::HashSet;

use mintage_data::{
    Column, Declaration, Table,
    database::{ForeignKey, Schema, Table as TableSchema},
};
use mintage_nn::Rng;

use super::{
    agree::take_over,
    assign::{assign, scaled},
    even::counts_in,
    filled::{Database, Filled, NONE, key_of, put, rows_of},
    forest::Forest,
    plan::{From, Part, TablePlan, Use},
    rivals::Rivals,
    view::{of_parent, picked},
};

/// The keys of one table.
pub(super) struct Ties<'a> {
    schema: &'a Schema,
    plans: &'a [TablePlan],
    plan: &'a TablePlan,
    table: &'a TableSchema,
}

impl<'a> Ties<'a> {
    /// Those of the table of the plan at a place; nothing where there is none, or the schema does not have the table.
    pub fn of(schema: &'a Schema, plans: &'a [TablePlan], at: usize) -> Option<Self> {
        let plan = plans.get(at)?;
        Some(Self { schema, plans, plan, table: schema.table(&plan.name)? })
    }

    /// Finds the parents that are there by now, and gives rows the cells of their keys.
    pub fn tie(&self, made: &mut Database, mut rng: Rng) {
        let Some(mut filled) = made.remove(&self.plan.name) else { return };
        let mut keys: Vec<usize> = (0..self.table.foreign_keys.len()).collect();
        keys.sort_by_key(|&key| self.turn(key));
        for key in keys {
            let (foreign, is) = (&self.table.foreign_keys[key], self.plan.keys[key]);
            let has_cells = foreign.columns.iter().all(|name| filled.table.column(name).is_some());
            let is_redirected = self.plan.part == Part::Kept && self.is_drawn(foreign);
            if self.plan.part == Part::Empty || has_cells && !is_redirected {
                self.find_by_cells(&mut filled, made, key);
                continue;
            }
            let is_own = foreign.is_of(&self.plan.name);
            let Some(parent) = (if is_own { Some(&filled) } else { made.get(&foreign.parent) }) else {
                continue;
            };
            let found = match is {
                Use::Value => continue,
                Use::Through(other) => match self.through(&filled, made, other) {
                    Some(found) => found,
                    None => continue,
                },
                Use::Main if self.plan.part == Part::Learned => filled.parents[key].clone(),
                Use::Forest => self.forest(&filled, key, &mut rng),
                Use::Matched | Use::Main => self.matched(&filled, parent, key, &mut rng),
            };
            let cells = key_cells(foreign, parent, &found, &filled);
            filled.parents[key] = found;
            put(&mut filled.table, cells);
        }
        if self.plan.part == Part::Learned {
            let main = self.plan.main();
            let is_known = |way: &[usize]| Some(way[0]) != main || way.len() > 1;
            agree(self.plan, self.schema, &mut filled, made, is_known);
        }
        self.tell_apart(&mut filled);
        made.insert(self.plan.name.clone(), filled);
    }

    /// Finds the parents of a key whose cells were drawn or are those of other keys.
    fn find_by_cells(&self, filled: &mut Filled, made: &Database, key: usize) {
        let foreign = &self.table.foreign_keys[key];
        let is_open = filled.parents.get(key).is_some_and(|parents| parents.iter().all(|&row| row == NONE));
        let parent = made.get(&foreign.parent).filter(|_| is_open && self.plan.part == Part::Learned);
        if let Some(parent) = parent {
            filled.parents[key] =
                rows_of(&filled.table, &foreign.columns, &parent.table, &foreign.parent_columns);
        }
    }

    /// When a key is set among those of its table. What the main parent says comes first, and keys of the table to itself
    /// last: they may share columns with others, whose cells are theirs then.
    fn turn(&self, key: usize) -> u8 {
        match self.plan.keys[key] {
            _ if self.table.foreign_keys[key].is_of(&self.plan.name) => 3,
            Use::Main => 0,
            Use::Through(_) => 1,
            Use::Value | Use::Matched | Use::Forest => 2,
        }
    }

    /// The rows that a key of the main parents refers to; nothing where they are not known yet.
    fn through(&self, filled: &Filled, made: &Database, other: usize) -> Option<Vec<u32>> {
        let main = self.plan.main()?;
        let parent = made.get(&self.table.foreign_keys[main].parent)?;
        let foreign = self.schema.table(&self.table.foreign_keys[main].parent)?.foreign_keys.get(other)?;
        let is_known = foreign.columns.iter().all(|name| parent.table.column(name).is_some());
        let up = parent.parents.get(other).filter(|_| is_known)?;
        let row = |&row: &u32| if row == NONE { NONE } else { up[row as usize] };
        Some(filled.parents[main].iter().map(row).collect())
    }

    /// Whether the rows of a kept table refer to rows that are new.
    fn is_drawn(&self, foreign: &ForeignKey) -> bool {
        let parent = self.plans.iter().find(|plan| plan.name == foreign.parent);
        parent.is_some_and(|parent| parent.part == Part::Learned)
    }

    /// Further parents: those that are most like what was drawn of them, as often as was drawn with them.
    fn matched(&self, filled: &Filled, parent: &Filled, key: usize, rng: &mut Rng) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[key];
        let optional = self.plan.optional.iter().find(|(at, _)| *at == key);
        let has = |row: u32| optional.is_none_or(|(_, name)| filled.cell(name, row) != Some("0"));
        let rows: Vec<u32> = (0..filled.rows() as u32).filter(|&row| has(row)).collect();
        let weights = self.plan.weights.iter().find(|(at, _)| *at == key).map(|(_, weights)| weights.clone());
        let weights = weights
            .filter(|weights| weights.len() == parent.rows())
            .unwrap_or_else(|| counts_of(self.plans, foreign, parent, (&self.plan.name, key)));
        let quotas = scaled(&weights, rows.len());
        let context = self.plan.context.iter().filter(|context| context.keys == [key]);
        let pairs: Vec<(Column, Column)> = context
            .filter_map(|context| {
                let drawn = filled.table.column(&context.name)?;
                let drawn = picked(&context.name, drawn, &rows);
                Some((parent.table.column(&context.column)?.clone(), drawn))
            })
            .collect();
        let pairs: Vec<(&Column, &Column)> = pairs.iter().map(|(a, b)| (a, b)).collect();
        let mut rival = Rivals::new(self.table, filled, parent, foreign);
        let sizes = (parent.rows(), rows.len());
        let is_own = foreign.is_of(&self.plan.name);
        let may = &mut |at: usize, parent| !(is_own && rows[at] == parent) && rival.may(rows[at], parent);
        let found = assign(&pairs, sizes, &quotas, may, rng);
        let mut all = vec![NONE; filled.rows()];
        for (&row, parent) in rows.iter().zip(found) {
            let must_be_itself = parent == NONE && is_own && !foreign.optional;
            all[row as usize] = if must_be_itself { row } else { parent };
        }
        all
    }

    /// Parents within the table.
    fn forest(&self, filled: &Filled, key: usize, rng: &mut Rng) -> Vec<u32> {
        let foreign = &self.table.foreign_keys[key];
        let quotas = counts_of(self.plans, foreign, filled, (&self.plan.name, key));
        Forest::new(self.table, filled, foreign, quotas).grow(rng)
    }

    /// Makes keys differ by a number of theirs, where they have one.
    fn tell_apart(&self, filled: &mut Filled) {
        for set in self.table.unique_sets() {
            let places = |table: &Table| -> Option<Vec<usize>> {
                let at = |name: &String| table.columns.iter().position(|column| &column.name == name);
                set.iter().map(at).collect()
            };
            let Some(columns) = places(&filled.table) else { continue };
            let is_number = |at: &usize| {
                let column = &filled.table.columns[*at];
                let mut values = column.values().iter();
                self.plan.own.contains(&column.name)
                    && !self.table.is_foreign(&column.name)
                    && values.all(|text| text.parse::<i64>().is_ok())
            };
            let Some(number) = columns.iter().copied().find(is_number) else { continue };
            let mut seen: HashSet<Vec<String>> = HashSet::new();
            for row in 0..filled.rows() {
                let Some(key) = key_of(&filled.table, &columns, row) else { continue };
                let mut key: Vec<String> = key.into_iter().map(str::to_owned).collect();
                let at = columns.iter().position(|&column| column == number).unwrap_or(0);
                let mut changed = false;
                while !seen.insert(key.clone()) {
                    let Some(next) = key[at].parse::<i64>().ok().and_then(|number| number.checked_add(1))
                    else {
                        break;
                    };
                    key[at] = next.to_string();
                    changed = true;
                }
                if changed {
                    filled.table.columns[number].set(row, Some(&key[at]));
                }
            }
        }
    }
}

/// Gives rows the cells that agree with those of parents, behind ways of keys that are known by now.
pub(super) fn agree(
    plan: &TablePlan,
    schema: &Schema,
    filled: &mut Filled,
    made: &Database,
    is_known: impl Fn(&[usize]) -> bool,
) {
    for copied in &plan.copied {
        let From::Parent(context) = &copied.from else { continue };
        if is_known(&context.keys) {
            let parents = &filled.parents[context.keys[0]];
            let column = of_parent(context, plan, schema, made, parents);
            take_over(&mut filled.table, &column, |row| parents[row] != NONE);
        }
    }
}

/// How many rows of a table refer by a key to each row of its parent, as was drawn with the parent; once each where nothing
/// was. The key is named by the table that has it and its place among the table's keys.
pub(super) fn counts_of(
    plans: &[TablePlan],
    foreign: &ForeignKey,
    parent: &Filled,
    (child, key): (&str, usize),
) -> Vec<u32> {
    let plan = plans.iter().find(|plan| plan.name == foreign.parent);
    let count =
        plan.and_then(|plan| plan.counts.iter().find(|count| count.table == child && count.key == key));
    count.and_then(|count| counts_in(parent, &count.name)).unwrap_or_else(|| vec![1; parent.rows()])
}

/// The columns of a key: the cells of the parents, or those that are there already of columns that another key shares.
fn key_cells(foreign: &ForeignKey, parent: &Filled, found: &[u32], filled: &Filled) -> Vec<Column> {
    let pairs = foreign.columns.iter().zip(&foreign.parent_columns);
    let new = pairs.filter(|(own, _)| filled.table.column(own).is_none() || foreign.columns.len() == 1);
    new.map(|(own, theirs)| match parent.table.column(theirs) {
        Some(column) => picked(own, column, found),
        None => Column::new(own.clone(), Declaration::default()),
    })
    .filter(|column| column.len() == found.len())
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use mintage_data::{
        SourceSpec,
        database::{Column as ColumnSchema, Origin, Store},
    };

    use super::*;
    use crate::database::{
        filled::{numbers, tied},
        plan::DEPTH,
        planner::{described, plan},
    };

    fn names(list: &str) -> Vec<String> {
        list.split_whitespace().map(str::to_owned).collect()
    }

    fn key(columns: &str, parent: &str, parent_columns: &str, optional: bool) -> ForeignKey {
        ForeignKey {
            columns: names(columns),
            parent: parent.to_owned(),
            parent_columns: names(parent_columns),
            origin: Origin::Declared,
            optional,
            deferrable: false,
            actions: String::new(),
            orphans: None,
        }
    }

    /// A table whose primary key is `id`, with rows of a source.
    fn table(name: &str, foreign_keys: Vec<ForeignKey>, columns: Vec<Column>) -> (TableSchema, Table) {
        let optional = |column: &str| {
            foreign_keys.iter().any(|key| key.optional && key.columns.iter().any(|own| own == column))
        };
        let schema = TableSchema {
            name: name.to_owned(),
            columns: columns
                .iter()
                .map(|column| ColumnSchema {
                    name: column.name.clone(),
                    nullable: optional(&column.name),
                    ..ColumnSchema::default()
                })
                .collect(),
            primary_key: names("id"),
            foreign_keys,
            ..TableSchema::default()
        };
        (schema, Table { name: name.to_owned(), columns, ..Table::default() })
    }

    /// A schema with the plans of its tables.
    fn planned(all: Vec<(TableSchema, Table)>) -> (Schema, Vec<TablePlan>) {
        let (tables, rows): (Vec<TableSchema>, Vec<Table>) = all.into_iter().unzip();
        let schema = Schema { store: Store::Sqlite, tables, views: Vec::new() };
        let kinds =
            rows.iter().map(|rows| (rows.name.clone(), described(rows, &SourceSpec::default()))).collect();
        let rows: HashMap<String, Table> = rows.into_iter().map(|rows| (rows.name.clone(), rows)).collect();
        let plans = plan(&schema, &tied(&schema, rows), &kinds, &[]).unwrap();
        (schema, plans)
    }

    /// Ties the keys of one table of new ones.
    fn tie(schema: &Schema, plans: &[TablePlan], made: &mut Database, table: &str) {
        let at = plans.iter().position(|plan| plan.name == table).unwrap();
        Ties::of(schema, plans, at).unwrap().tie(made, Rng::new(1, 0));
    }

    /// New rows with no parents yet.
    fn drawn(columns: Vec<Column>, keys: usize) -> Filled {
        let n = columns[0].len();
        Filled {
            table: Table { columns, ..Table::default() },
            parents: vec![vec![NONE; n]; keys],
            ..Filled::default()
        }
    }

    fn cells<'a>(made: &'a Database, table: &str, column: &str) -> Vec<Option<&'a str>> {
        made[table].table.column(column).unwrap().iter().collect()
    }

    #[test]
    fn a_second_key_of_a_table_to_itself_is_filled() {
        let keys = vec![key("boss", "staff", "id", true), key("mate", "staff", "id", false)];
        let boss = (1..=20u32).map(|row| row / 2);
        let mut bosses = Column::of("boss", [None]);
        boss.skip(1).for_each(|boss| bosses.push(Some(&boss.to_string())));
        let source = vec![numbers("id", 1..=20), bosses, numbers("mate", (1..=20).map(|row| 21 - row))];
        let (schema, plans) = planned(vec![table("staff", keys, source)]);
        let depth = numbers(DEPTH, (0..30).map(|row| u32::from(row > 3)));
        let mut made = Database::from([("staff".to_owned(), drawn(vec![numbers("id", 1..=30), depth], 2))]);
        tie(&schema, &plans, &mut made, "staff");
        let (ids, mates) = (cells(&made, "staff", "id"), cells(&made, "staff", "mate"));
        assert!(ids.iter().zip(&mates).all(|(id, mate)| mate.is_some() && id != mate), "{mates:?}");
        assert_eq!(cells(&made, "staff", "boss").into_iter().flatten().count(), 26);
    }

    #[test]
    fn a_key_leads_through_one_that_was_drawn() {
        let countries = table("countries", Vec::new(), vec![numbers("id", 1..=3), numbers("size", 5..=7)]);
        let customers = (1..=40).map(|row| row * 7 % 3 + 1);
        let customers = vec![numbers("id", 1..=40), numbers("country", customers)];
        let customers = table("customers", vec![key("country", "countries", "id", false)], customers);
        let of_customer = |row: u32| (row % 40 + 1, (row % 40 + 1) * 7 % 3 + 1);
        let orders = vec![
            numbers("id", 1..=90),
            numbers("customer", (0..90).map(|row| of_customer(row).0)),
            numbers("country", (0..90).map(|row| of_customer(row).1)),
        ];
        let keys = vec![key("customer", "customers", "id", false), key("country", "countries", "id", false)];
        let (schema, plans) = planned(vec![countries.clone(), customers, table("orders", keys, orders)]);
        assert_eq!(plans[2].keys, [Use::Main, Use::Through(0)]);
        let drawn_country = numbers("country", [3, 1, 2]);
        let mut orders = drawn(vec![numbers("id", 1..=4)], 2);
        orders.parents[0] = vec![0, 0, 1, 2];
        let mut made = Database::from([
            ("countries".to_owned(), drawn(countries.1.columns, 0)),
            ("customers".to_owned(), drawn(vec![numbers("id", 1..=3), drawn_country], 1)),
            ("orders".to_owned(), orders),
        ]);
        ["customers", "orders"].iter().for_each(|name| tie(&schema, &plans, &mut made, name));
        assert_eq!(cells(&made, "orders", "country"), [Some("3"), Some("3"), Some("1"), Some("2")]);
    }

    #[test]
    fn bosses_are_of_the_same_firm() {
        let firms = table("firms", Vec::new(), vec![numbers("id", 1..=12), numbers("size", 5..=16)]);
        // The key that shares a column with the other comes first.
        let keys = vec![key("firm boss", "staff", "firm id", true), key("firm", "firms", "id", false)];
        let firm = numbers("firm", (0..60).map(|row| row % 12 + 1));
        let mut bosses = Column::of("boss", [None; 12]);
        (12..60u32).for_each(|row| bosses.push(Some(&(row % 12 + 1).to_string())));
        let source = vec![numbers("id", 1..=60), firm, bosses, numbers("grade", (0..60).map(|row| row / 12))];
        let (schema, plans) = planned(vec![firms, table("staff", keys, source)]);
        let mut staff = drawn(vec![numbers("id", 1..=40), numbers(DEPTH, (0..40).map(|row| row / 10))], 2);
        staff.parents[1] = (0..40).map(|row| row % 4).collect();
        let firms = drawn(vec![numbers("id", 1..=4)], 0);
        let mut made = Database::from([("firms".to_owned(), firms), ("staff".to_owned(), staff)]);
        tie(&schema, &plans, &mut made, "staff");
        let (firms, bosses) = (cells(&made, "staff", "firm"), cells(&made, "staff", "boss"));
        assert_eq!(bosses.iter().flatten().count(), 30, "{bosses:?}");
        for (firm, boss) in firms.iter().zip(&bosses) {
            let boss = boss.map(|boss| boss.parse::<usize>().unwrap());
            assert!(boss.is_none_or(|boss| firms[boss - 1] == *firm), "{firm:?} {boss:?}");
        }
    }
}
