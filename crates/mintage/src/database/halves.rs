//! Two halves of a source, each with whole families of rows: parents with all their children. What one half says of the other
//! is as much as new rows can be expected to reach.
//!
//! Roots are split by chance; rows of a main parent, and below others in a table's own forest, are where that row is. Tables
//! that are kept as they are stand in both halves. A further key to a row of the other half leads nowhere, alike in both.

use std::collections::HashMap;

use mintage_data::database::{ForeignKey, Schema, Table};
use mintage_nn::Rng;

use super::{
    filled::{Database, Filled, NONE},
    plan::{Part, TablePlan, depths},
};

/// A table with fewer rows in one of the halves is in none.
const MIN_ROWS: usize = 20;
/// Rows of the largest table in a half, about: of more, each half has a part of the roots alone.
const MAX_ROWS: usize = 200_000;
/// The stream of random numbers by which roots are split.
const STREAM: u64 = 3;

/// In which half a row is: one bit each.
const FIRST: u8 = 1;
const SECOND: u8 = 2;
const BOTH: u8 = FIRST | SECOND;
/// It is not said yet.
const OPEN: u8 = 4;

/// The two halves; nothing where no table that is learned has enough rows.
pub(super) fn halves(
    schema: &Schema,
    source: &Database,
    plans: &[TablePlan],
    seed: u64,
) -> Option<[Database; 2]> {
    let largest = source.values().map(Filled::rows).max().unwrap_or(0);
    let share = (2.0 * MAX_ROWS as f64 / largest.max(1) as f64).min(1.0);
    let mut rng = Rng::new(seed, STREAM);
    let mut sides: HashMap<&str, Vec<u8>> = HashMap::new();
    for plan in plans {
        let Some(filled) = source.get(&plan.name) else { continue };
        let mut own = match plan.part {
            Part::Kept => vec![BOTH; filled.rows()],
            Part::Learned | Part::Empty => {
                let mut own = with_parents(plan, schema, filled, &sides);
                split(plan, filled, &mut own, share, &mut rng);
                own
            }
        };
        // Rows that are there for others alone are in none.
        own[filled.learned()..].fill(0);
        sides.insert(&plan.name, own);
    }
    let is = |name: &str, part: Part| plans.iter().any(|plan| plan.name == name && plan.part == part);
    let mut rows = [FIRST, SECOND].map(|half| rows_in(&sides, half));
    for name in sides.keys().copied().filter(|&name| !is(name, Part::Kept)) {
        let is_small = rows.iter().any(|half| half.get(name).is_none_or(|rows| rows.len() < MIN_ROWS));
        if is_small {
            for half in &mut rows {
                half.remove(name);
            }
        }
    }
    let is_some = rows[0].keys().copied().any(|name| is(name, Part::Learned));
    is_some.then(|| rows.map(|rows| half(schema, source, &rows)))
}

/// For each row of a table the half of its main parent; open where that is not split, or there is none.
fn with_parents(
    plan: &TablePlan,
    schema: &Schema,
    filled: &Filled,
    sides: &HashMap<&str, Vec<u8>>,
) -> Vec<u8> {
    let open = || vec![OPEN; filled.rows()];
    let Some((key, table)) = plan.main().zip(schema.table(&plan.name)) else { return open() };
    let theirs = table.foreign_keys.get(key).and_then(|key| sides.get(key.parent.as_str()));
    let Some((theirs, parents)) = theirs.zip(filled.parents.get(key)) else { return open() };
    let side = |&parent: &u32| match theirs.get(parent as usize) {
        Some(&side) if side != BOTH => side,
        _ => OPEN,
    };
    parents.iter().map(side).collect()
}

/// Splits what is open: roots by chance, a part of `share` of them into two halves; what lies below others where those are.
fn split(plan: &TablePlan, filled: &Filled, own: &mut [u8], share: f64, rng: &mut Rng) {
    let parents = plan.forest().and_then(|key| filled.parents.get(key));
    let depths = parents.map(|parents| depths(parents)).unwrap_or_default();
    let depth = |row: usize| depths.get(row).copied().unwrap_or(0);
    let open: Vec<usize> = (0..own.len()).filter(|&row| own[row] == OPEN).collect();
    let (roots, mut below): (Vec<usize>, Vec<usize>) = open.into_iter().partition(|&row| depth(row) == 0);
    let taken = (roots.len() as f64 * share).round() as usize;
    for (place, at) in rng.permutation(roots.len()).into_iter().enumerate() {
        own[roots[at]] = if place < taken.div_ceil(2) {
            FIRST
        } else if place < taken {
            SECOND
        } else {
            0
        };
    }
    below.sort_by_key(|&row| depth(row));
    for row in below {
        let parent = parents.and_then(|parents| parents.get(row)).copied().unwrap_or(NONE);
        own[row] = own.get(parent as usize).copied().unwrap_or(OPEN);
    }
}

/// The rows of each table that are in a half.
fn rows_in<'a>(sides: &HashMap<&'a str, Vec<u8>>, half: u8) -> HashMap<&'a str, Vec<u32>> {
    let mut all = HashMap::new();
    for (&name, own) in sides {
        let rows = own.iter().zip(0u32..).filter(|(side, _)| *side & half > 0);
        all.insert(name, rows.map(|(_, row)| row).collect());
    }
    all
}

/// The rows of a half, tied together.
fn half(schema: &Schema, source: &Database, rows: &HashMap<&str, Vec<u32>>) -> Database {
    let mut places: HashMap<&str, Vec<u32>> = HashMap::new();
    for (&name, rows) in rows {
        let mut own = vec![NONE; source.get(name).map_or(0, Filled::rows)];
        rows.iter().zip(0u32..).for_each(|(&row, place)| own[row as usize] = place);
        places.insert(name, own);
    }
    let mut half = Database::new();
    for (&name, rows) in rows {
        let (Some(filled), Some(table)) = (source.get(name), schema.table(name)) else { continue };
        let mut parents = Vec::with_capacity(table.foreign_keys.len());
        for (key, theirs) in table.foreign_keys.iter().zip(&filled.parents) {
            let place = |row: u32| places.get(key.parent.as_str())?.get(row as usize).copied();
            parents.push(rows.iter().map(|&row| place(theirs[row as usize]).unwrap_or(NONE)).collect());
        }
        let degrees = degrees(table, filled, &places);
        let part = Filled { table: filled.table.select(rows), parents, degrees, ..Filled::default() };
        half.insert(name.to_owned(), part);
    }
    half
}

/// How many rows refer to each row of the parents that are in a half, where that is known of rows that were not read as well.
fn degrees(table: &Table, filled: &Filled, places: &HashMap<&str, Vec<u32>>) -> Vec<Option<Vec<u32>>> {
    let of_key = |(key, degrees): (&ForeignKey, &Option<Vec<u32>>)| {
        let (degrees, places) = (degrees.as_ref()?, places.get(key.parent.as_str())?);
        let there = degrees.iter().zip(places).filter(|(_, place)| **place != NONE);
        Some(there.map(|(&degree, _)| degree).collect())
    };
    table.foreign_keys.iter().zip(&filled.degrees).map(of_key).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use mintage_data::Column;

    use super::*;
    use crate::database::{
        plan::Use,
        testing::{key, planned, table},
    };

    fn column(name: &str, n: usize, value: &dyn Fn(usize) -> Option<usize>) -> Column {
        let cells = (0..n).map(|row| value(row).map(|value| value.to_string()));
        let cells: Vec<Option<String>> = cells.collect();
        Column::of(name, cells.iter().map(Option::as_deref))
    }

    /// Shops with three sales each in one of four countries, and staff of whom each five have a boss in common.
    fn shops(n: usize) -> (Schema, Database, Vec<TablePlan>) {
        let id = |n: usize| column("id", n, &|row| Some(row + 1));
        let countries = vec![id(4), column("size", 4, &|row| Some(row * 7))];
        let shops = vec![
            id(n),
            column("country", n, &|row| Some(row % 4 + 1)),
            column("area", n, &|row| Some(row % 50)),
        ];
        let sales = vec![
            id(3 * n),
            column("shop", 3 * n, &|row| Some(row / 3 + 1)),
            column("amount", 3 * n, &|row| Some(row * 7 % 90)),
        ];
        let boss = |row: usize| (!row.is_multiple_of(6)).then_some(row / 6 * 6 + 1);
        let grade = |row: usize| Some(row % 30);
        let staff = vec![id(6 * n), column("boss", 6 * n, &boss), column("grade", 6 * n, &grade)];
        let (schema, source, mut plans) = planned(vec![
            table("countries", Vec::new(), countries),
            table("shops", vec![key("country", "countries", "id", false)], shops),
            table("sales", vec![key("shop", "shops", "id", false)], sales),
            table("staff", vec![key("boss", "staff", "id", true)], staff),
        ]);
        for plan in &mut plans {
            (plan.part, plan.keys) = match plan.name.as_str() {
                "countries" => (Part::Kept, Vec::new()),
                "shops" => (Part::Learned, vec![Use::Value]),
                "sales" => (Part::Learned, vec![Use::Main]),
                _ => (Part::Learned, vec![Use::Forest]),
            };
        }
        (schema, source, plans)
    }

    fn ids(half: &Database, table: &str) -> HashSet<String> {
        half[table].table.column("id").unwrap().iter().flatten().map(str::to_owned).collect()
    }

    #[test]
    fn families_stay_whole_and_no_row_is_in_both_halves() {
        let (schema, source, plans) = shops(50);
        let both = halves(&schema, &source, &plans, 1).unwrap();
        for (name, n) in [("shops", 25), ("sales", 75), ("staff", 150)] {
            let [first, second] = [0, 1].map(|half| ids(&both[half], name));
            assert_eq!((first.len(), second.len()), (n, n), "{name}");
            assert!(first.is_disjoint(&second), "{name}");
        }
        for half in &both {
            assert_eq!(half["countries"].rows(), 4);
            assert!(half["shops"].parents[0].iter().all(|&country| country < 4));
            // Each shop has its three sales, and each boss five others.
            let counts = |table: &str, n: usize| {
                let mut counts = vec![0; n];
                let parents = half[table].parents[0].iter().filter(|parent| **parent != NONE);
                parents.for_each(|&parent| counts[parent as usize] += 1);
                counts
            };
            assert_eq!(counts("sales", 25), [3; 25]);
            assert_eq!(counts("staff", 150).into_iter().filter(|&n| n == 5).count(), 25);
            // Keys lead to the row that they led to before.
            let (sales, shops) = (&half["sales"], &half["shops"]);
            for (row, &shop) in sales.parents[0].iter().enumerate() {
                assert_eq!(sales.cell("shop", row as u32), shops.cell("id", shop));
            }
        }
    }

    #[test]
    fn the_seed_says_which_rows_are_where() {
        let (schema, source, plans) = shops(50);
        let first = |seed: u64| ids(&halves(&schema, &source, &plans, seed).unwrap()[0], "shops");
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }

    #[test]
    fn small_tables_are_left_out() {
        let (schema, source, plans) = shops(30);
        let [half, _] = halves(&schema, &source, &plans, 1).unwrap();
        // Fifteen shops are too few, their sales are not, and refer to nothing.
        assert!(!half.contains_key("shops") && half["sales"].rows() == 45);
        assert!(half["sales"].parents[0].iter().all(|&shop| shop == NONE));
        let (schema, source, plans) = shops(2);
        assert!(halves(&schema, &source, &plans, 1).is_none());
    }
}
