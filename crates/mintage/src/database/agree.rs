//! What agrees across tables in every row: the customer of a payment is that of its rental, the billing address of an invoice
//! is the customer's, the name of a guest is the same in all stays. What agrees in the source agrees in new rows.

use std::collections::{HashMap, HashSet};

use mintage_data::{Column, Table, database::Schema};
use mintage_nn::Rng;

use super::{
    assign::scaled,
    filled::{Database, Filled, NONE},
    plan::{Context, From, TablePlan},
    slice::Slice,
    view::of_parent,
};

/// Rows that must agree, of all and of those that do not have the most frequent value.
const MIN_SHARE: f64 = 0.995;
/// Rows that tell whether a closer look is worth the time, and of them those that may not agree.
const FIRST_ROWS: usize = 64;
const MAX_FIRST_OTHERS: usize = 2;
/// Fewer rows that could differ say nothing.
const MIN_ROWS: usize = 8;

/// One key in so many may be moved so that each parent has as many rows as in the source.
const MAX_MOVED: usize = 10;
/// Times that a cell is drawn again which a sibling has.
const MAX_DRAWS: usize = 100;

/// Whether a key leads where the key `other` of the main parent leads, in all rows that have both.
pub(super) fn is_through(filled: &Filled, key: usize, main: usize, parent: &Filled, other: usize) -> bool {
    let Some(up) = parent.parents.get(other) else { return false };
    let both = filled.parents[main].iter().zip(&filled.parents[key]).filter(|(main, _)| **main != NONE);
    let pairs: Vec<(u32, u32)> = both.map(|(&main, &own)| (up[main as usize], own)).collect();
    let agree = pairs.iter().filter(|(theirs, own)| theirs == own).count();
    let different = pairs.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    different >= MIN_ROWS && agree as f64 >= MIN_SHARE * pairs.len() as f64
}

/// A way of keys, the rows behind it, the table there and those of its columns that are learned.
pub(super) type Way<'a> = (Vec<usize>, Vec<u32>, &'a Filled, &'a [String]);

/// The column of a parent, by one of `ways` of keys, that has the cells of `column` in every row.
pub(super) fn copied(column: &Column, filled: &Filled, ways: &[Way]) -> Option<From> {
    for (keys, rows, parent, names) in ways {
        let same = names.iter().filter(|name| **name == column.name);
        let others = names.iter().filter(|name| **name != column.name);
        for name in same.chain(others) {
            let Some(theirs) = parent.table.column(name) else { continue };
            let pairs = (0..filled.rows()).filter(|&row| rows[row] != NONE);
            let pairs = pairs.map(|row| (column.cell(row), theirs.cell(rows[row] as usize)));
            if are_same(pairs) {
                let context = Context { name: column.name.clone(), keys: keys.clone(), column: name.clone() };
                return Some(From::Parent(context));
            }
        }
    }
    None
}

/// Whether the rows of a parent all have the same cell.
pub(super) fn is_fixed(column: &Column, previous: &[u32]) -> bool {
    let pairs = previous.iter().enumerate().filter(|(_, before)| **before != NONE);
    are_same(pairs.map(|(row, &before)| (column.cell(row), column.cell(before as usize))))
}

/// Whether pairs of cells are the same, also where they are not what most are.
fn are_same<'a>(pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)> + Clone) -> bool {
    let others = pairs.clone().take(FIRST_ROWS).filter(|(a, b)| a != b).count();
    if others > MAX_FIRST_OTHERS {
        return false;
    }
    let first = pairs.clone().next();
    let Some((first, _)) = first else { return false };
    let share = |is: &dyn Fn(Option<&str>) -> bool| {
        let (mut all, mut same) = (0usize, 0usize);
        for (a, b) in pairs.clone().filter(|(a, _)| is(*a)) {
            all += 1;
            same += usize::from(a == b);
        }
        (all, same as f64 >= MIN_SHARE * all as f64)
    };
    // Those of the first cell and all others apart: so one frequent value does not speak for all.
    let (other, others_agree) = share(&|cell| cell != first);
    let (_, all_agree) = share(&|_| true);
    other >= MIN_ROWS && others_agree && all_agree
}

/// The rows of the parents behind a way of keys, for each row of a table.
pub(super) fn behind<'a>(
    schema: &Schema,
    database: &'a Database,
    table: &str,
    keys: &[usize],
) -> Option<(Vec<u32>, &'a Filled, String)> {
    let mut at = database.get(table)?;
    let mut name = table.to_owned();
    let mut rows: Vec<u32> = (0..at.rows() as u32).collect();
    for &key in keys {
        let up = at.parents.get(key)?;
        rows.iter_mut().filter(|row| **row != NONE).for_each(|row| *row = up[*row as usize]);
        name.clone_from(&schema.table(&name)?.foreign_keys.get(key)?.parent);
        at = database.get(&name)?;
    }
    Some((rows, at, name))
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

/// Puts the cells of a column in place of those of the table's column of its name, in rows that `is_meant` names.
pub(super) fn take_over(table: &mut Table, column: &Column, is_meant: impl Fn(usize) -> bool) {
    let Some(own) = table.columns.iter_mut().find(|own| own.name == column.name) else { return };
    for row in (0..column.len().min(own.len())).filter(|&row| is_meant(row)) {
        if own.cell(row) != column.cell(row) {
            own.set(row, column.cell(row));
        }
    }
}

/// Gives a column of keys the shares of `weights`, one for each of `keys`, by changing as few cells as can be: none where
/// more than a tenth would have to be.
pub(super) fn balance(column: &mut Column, keys: &Column, weights: &[u32], slice: Slice, rng: &mut Rng) {
    let place: HashMap<&str, usize> = (0..keys.len()).filter_map(|at| Some((keys.cell(at)?, at))).collect();
    let places: Vec<Option<usize>> =
        column.iter().map(|cell| cell.and_then(|cell| place.get(cell).copied())).collect();
    let there = places.iter().flatten().count();
    let mut open = scaled(weights, there, slice);
    if open.len() != keys.len() {
        return;
    }
    let mut surplus = Vec::new();
    for row in rng.permutation(places.len()) {
        let Some(at) = places[row] else { continue };
        match open[at] {
            0 => surplus.push(row),
            _ => open[at] -= 1,
        }
    }
    if surplus.len() * MAX_MOVED > there {
        return;
    }
    let free = open.iter().enumerate().flat_map(|(at, &n)| std::iter::repeat_n(at, n as usize));
    for (row, at) in surplus.into_iter().zip(free) {
        column.set(row, keys.cell(at));
    }
}

/// Gives rows of the same parent different cells: a repeated one is drawn again, as often as each is there, a few times.
pub(super) fn apart(column: &mut Column, parents: &[u32], rng: &mut Rng) {
    let all: Vec<String> = column.iter().flatten().map(str::to_owned).collect();
    let mut seen: HashSet<(u32, String)> = HashSet::new();
    for (row, &parent) in parents.iter().enumerate().filter(|(_, parent)| **parent != NONE) {
        let Some(cell) = column.cell(row).map(str::to_owned) else { continue };
        if seen.insert((parent, cell)) {
            continue;
        }
        let mut again = (0..MAX_DRAWS).map(|_| all[rng.below(all.len())].clone());
        if let Some(cell) = again.find(|cell| seen.insert((parent, cell.clone()))) {
            column.set(row, Some(&cell));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: impl Iterator<Item = usize>) -> Column {
        let cells: Vec<String> = cells.map(|cell| cell.to_string()).collect();
        Column::of("x", cells.iter().map(|cell| Some(cell.as_str())))
    }

    #[test]
    fn cells_that_go_with_those_before_are_fixed() {
        let previous: Vec<u32> = (0..40).map(|row| if row % 4 == 0 { NONE } else { row - 1 }).collect();
        assert!(is_fixed(&column((0..40).map(|row| row / 4)), &previous));
        assert!(!is_fixed(&column((0..40).map(|row| row / 3)), &previous));
        // One value that nearly all have says nothing of the others.
        assert!(!is_fixed(&column((0..40).map(|row| usize::from(row == 30))), &previous));
        assert!(!is_fixed(&column((0..40).map(|_| 7)), &previous));
    }

    #[test]
    fn siblings_get_different_cells() {
        let parents: Vec<u32> = (0..60).map(|row| row / 3).chain([NONE, NONE]).collect();
        let mut cells = column((0..62).map(|row| usize::from(row % 5 == 0) + 2 * usize::from(row % 7 == 0)));
        apart(&mut cells, &parents, &mut Rng::new(1, 0));
        let different: HashSet<(u32, Option<&str>)> = parents.iter().copied().zip(cells.iter()).collect();
        assert_eq!(different.len(), 62);
        // Where there is no other, it stays.
        let mut alike = column((0..4).map(|_| 1));
        apart(&mut alike, &[0, 0, 1, 2], &mut Rng::new(1, 0));
        assert!(alike.iter().all(|cell| cell == Some("1")));
    }

    #[test]
    fn keys_are_balanced_by_few_changes() {
        let keys = Column::of("id", [Some("a"), Some("b")]);
        let count = |column: &Column, key: &str| column.iter().filter(|cell| *cell == Some(key)).count();
        let drawn = |a: usize| Column::of("key", (0..40).map(|row| Some(if row < a { "a" } else { "b" })));
        let mut near = drawn(22);
        balance(&mut near, &keys, &[1, 1], Slice::WHOLE, &mut Rng::new(1, 0));
        assert_eq!((count(&near, "a"), count(&near, "b")), (20, 20));
        let mut far = drawn(30);
        balance(&mut far, &keys, &[1, 1], Slice::WHOLE, &mut Rng::new(1, 0));
        assert_eq!(count(&far, "a"), 30);
    }
}
