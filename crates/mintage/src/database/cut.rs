//! How a request for a new database is cut into parts that are drawn one after another.
//!
//! A table without a parent and all tables that belong to it are a **family**. Each part is a small database of its own: it
//! has its share of the rows of every family, so that numbers of children stay exact, and its rows refer to rows of the same
//! part. Small families that refer to nothing else, such as thirty products that millions of orders refer to, are not cut:
//! they come with the first part, and the rows of all parts refer to them, as they do to tables that are kept.

use std::collections::HashSet;

use mintage_data::database::Schema;

use super::{
    plan::{Part, TablePlan},
    request::{DatabaseRequest, MAX_CELLS, scaled_rows, sizes},
};
use crate::error::Error;

/// The share of a part's cells that families which are not cut may have together: they stay in memory.
const MAX_SHARED: f64 = 0.25;

/// The parts of a request.
#[derive(Debug)]
pub(super) struct Cut {
    pub parts: usize,
    /// Learned tables without a parent, and their rows in all parts together.
    pub roots: Vec<(String, usize)>,
    /// Tables whose rows are drawn in every part; those of all others come with the first. None where there is one part.
    pub tables: HashSet<String>,
}

/// A table without a parent and all that belong to it.
struct Family<'a> {
    root: &'a TablePlan,
    tables: Vec<&'a TablePlan>,
    /// Of the root.
    rows: usize,
    /// Of all its tables.
    cells: f64,
}

impl Cut {
    /// Cuts a request into parts of about as many cells as it says.
    ///
    /// # Errors
    /// It asks for more rows that belong together than can be held.
    pub fn of(schema: &Schema, plans: &[TablePlan], request: &DatabaseRequest) -> Result<Self, Error> {
        let sizes = sizes(schema, plans, request);
        let (rows, cells) = sizes.iter().fold((0.0, 0.0), |all, own| (all.0 + own.0, all.1 + own.1));
        let families = Family::all_of(schema, plans, &sizes, request);
        let roots = families.iter().map(|family| (family.root.name.clone(), family.rows)).collect();
        // Without a number at all every cell would be a part.
        let part_cells = request.part_cells.max(1.0);
        // Children that are given may belong to any rows: all are drawn together.
        let has_given_children =
            plans.iter().any(|plan| plan.main().is_some() && request.given.contains_key(&plan.name));
        let wanted = if has_given_children { 1.0 } else { (cells / part_cells).ceil() };
        let cut = match wanted > 1.0 {
            true => cut_families(schema, plans, families, part_cells * MAX_SHARED),
            false => Vec::new(),
        };
        let parts = if cut.is_empty() { 1 } else { parts_of(schema, &cut, wanted as usize) };
        let of_cut: f64 = cut.iter().map(|family| family.cells).sum();
        let largest = cells - of_cut + cut.iter().map(|family| family.largest_share(parts)).sum::<f64>();
        if largest > MAX_CELLS {
            return Err(Error::request(format!(
                "about {:.0} million rows are asked for, with {:.0} million cells, of which {:.0} million belong \
                 together, which is more than are held at once",
                rows / 1e6,
                cells / 1e6,
                largest / 1e6
            ))
            .with_hint("ask for fewer rows: -n TABLE=N, or a smaller --scale"));
        }
        let tables =
            cut.iter().filter(|_| parts > 1).flat_map(|family| family.names()).map(str::to_owned).collect();
        Ok(Self { parts, roots, tables })
    }
}

impl<'a> Family<'a> {
    fn all_of(
        schema: &Schema,
        plans: &'a [TablePlan],
        sizes: &[(f64, f64)],
        request: &DatabaseRequest,
    ) -> Vec<Self> {
        let mut families: Vec<Self> = Vec::new();
        for (plan, (_, cells)) in plans.iter().zip(sizes).filter(|(plan, _)| plan.part == Part::Learned) {
            let parent = plan.main().zip(schema.table(&plan.name));
            let parent = parent.map(|(main, table)| table.foreign_keys[main].parent.as_str());
            // Parents come before their children.
            let own = families.iter_mut().find(|own| parent.is_some_and(|parent| own.has(parent)));
            match own {
                Some(family) => {
                    family.tables.push(plan);
                    family.cells += cells;
                }
                None => families.push(Self {
                    root: plan,
                    tables: vec![plan],
                    rows: scaled_rows(plan, request),
                    cells: *cells,
                }),
            }
        }
        families
    }

    fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let tables: Vec<&'a TablePlan> = self.tables.clone();
        tables.into_iter().map(|plan| plan.name.as_str())
    }

    fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|plan| plan.name == table)
    }

    /// The cells of its largest share.
    fn largest_share(&self, parts: usize) -> f64 {
        self.cells * self.rows.div_ceil(parts) as f64 / self.rows.max(1) as f64
    }

    /// Whether it may come with the first part alone, where the tables of `there` do so: nothing of it may refer to what is cut
    /// or be computed of it, and no two rows of what is cut may have to refer to different rows of it.
    fn may_come_once(&self, schema: &Schema, there: &HashSet<&str>) -> bool {
        let is_there = |table: &str| there.contains(table) || self.has(table);
        let mut totals = self.tables.iter().flat_map(|plan| &plan.totals);
        let mut keys = schema.keys();
        totals.all(|total| is_there(&total.table))
            && keys.all(|(table, key)| match (self.has(&table.name), self.has(&key.parent)) {
                (true, _) => is_there(&key.parent),
                (false, true) => is_there(&table.name) || !table.tells_apart(&key.columns),
                (false, false) => true,
            })
    }
}

/// The families whose rows are drawn in parts: all but small ones, of `most` cells together.
fn cut_families<'a>(
    schema: &Schema,
    plans: &'a [TablePlan],
    mut families: Vec<Family<'a>>,
    most: f64,
) -> Vec<Family<'a>> {
    families.sort_by(|a, b| a.cells.total_cmp(&b.cells));
    let mut there: HashSet<&str> =
        plans.iter().filter(|plan| plan.part != Part::Learned).map(|plan| plan.name.as_str()).collect();
    let mut left = most;
    // What comes once may let others do so.
    loop {
        let may = |family: &Family| family.cells <= left && family.may_come_once(schema, &there);
        let Some(at) = families.iter().position(may) else { return families };
        let family = families.remove(at);
        left -= family.cells;
        there.extend(family.names());
    }
}

/// How many parts families are cut into: each must have a row that the others can refer to.
fn parts_of(schema: &Schema, cut: &[Family], wanted: usize) -> usize {
    let is_referred_to = |family: &&Family| {
        schema.keys().any(|(table, key)| family.has(&key.parent) && !family.has(&table.name))
    };
    let rows = cut.iter().filter(is_referred_to).map(|family| family.rows).filter(|&rows| rows > 0);
    rows.min().map_or(wanted, |rows| wanted.min(rows))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use mintage_data::Table;

    use super::*;
    use crate::database::{
        filled::numbers,
        testing::{key, planned, table},
    };

    /// Firms with staff of four each, and notes of others that refer to tools and perhaps to staff.
    fn office(notes_have_staff: bool) -> (Schema, Vec<TablePlan>) {
        let firms = vec![numbers("id", 1..=100), numbers("size", (0..100).map(|row| row % 9))];
        let staff = vec![numbers("id", 1..=400), numbers("firm", (0..400).map(|row| row / 4 + 1))];
        let tools = vec![numbers("id", 1..=10), numbers("weight", (0..10).map(|row| row * 3 % 7))];
        let mut used = vec![
            numbers("id", 1..=300),
            numbers("staff", (0..300).map(|row| row * 7 % 400 + 1)),
            numbers("tool", (0..300).map(|row| row % 10 + 1)),
        ];
        let mut keys = vec![key("staff", "staff", "id", false), key("tool", "tools", "id", false)];
        if !notes_have_staff {
            keys.remove(0);
            used.remove(1);
        }
        let (schema, _, plans) = planned(vec![
            table("firms", Vec::new(), firms),
            table("staff", vec![key("firm", "firms", "id", false)], staff),
            table("tools", Vec::new(), tools),
            table("notes", keys, used),
        ]);
        (schema, plans)
    }

    fn sorted(cut: &Cut) -> Vec<&str> {
        let mut tables: Vec<&str> = cut.tables.iter().map(String::as_str).collect();
        tables.sort_unstable();
        tables
    }

    #[test]
    fn requests_of_one_part_are_not_cut() {
        let (schema, plans) = office(true);
        let cut = Cut::of(&schema, &plans, &DatabaseRequest::default()).unwrap();
        assert_eq!((cut.parts, cut.tables.len()), (1, 0));
        assert_eq!(cut.roots, [("firms".to_owned(), 100), ("tools".to_owned(), 10)]);
    }

    #[test]
    fn small_families_that_refer_to_nothing_come_once() {
        let (schema, plans) = office(true);
        // 200 + 800 + 20 + 900 cells.
        let request = DatabaseRequest { part_cells: 400.0, ..DatabaseRequest::default() };
        let cut = Cut::of(&schema, &plans, &request).unwrap();
        assert_eq!((cut.parts, sorted(&cut)), (5, vec!["firms", "notes", "staff"]));
        // Where they are not small enough, there are no more parts than rows that others refer to.
        let request = DatabaseRequest { part_cells: 40.0, ..request };
        let cut = Cut::of(&schema, &plans, &request).unwrap();
        assert_eq!((cut.parts, sorted(&cut)), (10, vec!["firms", "notes", "staff", "tools"]));
        // Rows that belong to tools may be any number.
        let (schema, plans) = office(false);
        let cut = Cut::of(&schema, &plans, &DatabaseRequest { part_cells: 400.0, ..request }).unwrap();
        assert_eq!((cut.parts, sorted(&cut)), (5, vec!["firms", "notes", "staff", "tools"]));
    }

    #[test]
    fn children_that_are_given_are_drawn_with_all_parents() {
        let (schema, plans) = office(true);
        let mut request = DatabaseRequest { part_cells: 400.0, ..DatabaseRequest::default() };
        let rows = |name: &str| Table { columns: vec![numbers(name, 1..=100)], ..Table::default() };
        request.given.insert("firms".to_owned(), rows("size"));
        assert_eq!(Cut::of(&schema, &plans, &request).unwrap().parts, 5);
        request.given.insert("staff".to_owned(), rows("firm"));
        assert_eq!(Cut::of(&schema, &plans, &request).unwrap().parts, 1);
    }

    #[test]
    fn rejects_what_belongs_together_and_is_too_large() {
        let (schema, plans) = office(true);
        let of = |n: usize| DatabaseRequest {
            rows: BTreeMap::from([("firms".to_owned(), n)]),
            ..DatabaseRequest::default()
        };
        let cut = Cut::of(&schema, &plans, &of(100_000_000)).unwrap();
        assert_eq!(cut.parts, 77);
        let request = DatabaseRequest { part_cells: f64::INFINITY, ..of(100_000_000) };
        let error = Cut::of(&schema, &plans, &request).unwrap_err();
        assert!(error.to_string().contains("1900 million belong together"), "{error}");
        // All that belongs to one row is in one part.
        let plans: Vec<TablePlan> = plans
            .into_iter()
            .map(|plan| {
                let rows = match plan.name.as_str() {
                    "firms" => 1,
                    "staff" => 1_000_000_000,
                    _ => plan.rows,
                };
                TablePlan { rows, ..plan }
            })
            .collect();
        assert!(Cut::of(&schema, &plans, &of(1)).is_err());
    }
}
