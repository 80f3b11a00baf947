//! Rows of Adult.

use std::sync::Arc;

use mintage::{
    AnyData,
    data::{Column, SourceSpec, Table, TableSet, table},
    evaluate::{NewItems, table::independent_columns},
    nn::Rng,
};

use super::{Ladder, evenly};
use crate::Options;

/// Training rows for each held-out one.
const TRAIN: usize = 9;

pub fn ladder(n: usize, options: &Options) -> Ladder {
    let read = |name: &str| {
        let source = options.data.join(name).to_string_lossy().into_owned();
        table::read(&SourceSpec { source, ..SourceSpec::default() }).unwrap()
    };
    let mut all = read("tables/adult-train.csv");
    all.append(&read("tables/adult-test.csv")).unwrap();
    let order: Vec<u32> = Rng::new(1, 1).permutation(all.rows()).into_iter().map(|i| i as u32).collect();
    let (fresh, rest) = order.split_at(n);
    let known = &rest[..rest.len().min((1 + TRAIN) * n)];
    let (fresh, known) = (all.select(fresh), all.select(known));
    let train: Vec<u32> = evenly(known.rows() - n, n).into_iter().map(|i| (n + i) as u32).collect();
    let trained = known.select(&train);
    let spec = SourceSpec { label: Some("income".into()), ..SourceSpec::default() };
    let set = TableSet::of(known, Some(0..n), &spec).unwrap();
    let half: Vec<u32> = {
        let kept = rows_of(&fresh, "sex", "Male");
        (0..n).map(|i| kept[i % kept.len()]).collect()
    };
    let rungs = vec![
        ("fresh", fresh.clone()),
        ("little noise", scattered(&fresh, 0.1)),
        ("much noise", scattered(&fresh, 0.5)),
        ("noise", uniform(&fresh)),
        ("little mixed", shuffled(&fresh, 3)),
        ("much mixed", shuffled(&fresh, 9)),
        ("trivial", independent_columns(&trained, n, 3)),
        ("half", fresh.select(&half)),
        ("one", fresh.select(&vec![0; n])),
        ("copied", trained.clone()),
        ("half copied", {
            let mut mixed = trained.select(&(0..n as u32 / 2).collect::<Vec<_>>());
            mixed.append(&fresh.select(&(n as u32 / 2..n as u32).collect::<Vec<_>>())).unwrap();
            mixed
        }),
        ("near copies", one_cell_changed(&trained)),
    ];
    let rungs = rungs.into_iter().map(|(name, rows)| (name, NewItems::Table(rows))).collect();
    Ladder { data: AnyData::Table(Arc::new(set)), n, rungs }
}

fn rows_of(table: &Table, column: &str, value: &str) -> Vec<u32> {
    let column = table.column(column).unwrap();
    (0..table.rows()).filter(|&row| column.cell(row) == Some(value)).map(|row| row as u32).collect()
}

/// The table with each cell replaced by what `cell` says.
fn with(table: &Table, mut cell: impl FnMut(usize, &Column, usize) -> Option<String>) -> Table {
    let mut made = table.clone();
    for (at, column) in table.columns.iter().enumerate() {
        for row in 0..table.rows() {
            let text = cell(at, column, row);
            made.columns[at].set(row, text.as_deref());
        }
    }
    made
}

fn own(column: &Column, row: usize) -> Option<String> {
    column.cell(row).map(str::to_owned)
}

/// A share of the cells is that of another row.
fn scattered(table: &Table, share: f32) -> Table {
    let mut rng = Rng::new(5, 0);
    with(table, |_, column, row| {
        let row = if rng.uniform() < share { rng.below(table.rows()) } else { row };
        own(column, row)
    })
}

/// Any number between the least and the largest, any of the texts.
fn uniform(table: &Table) -> Table {
    let mut rng = Rng::new(6, 0);
    with(table, |_, column, _| {
        let numbers: Option<Vec<f64>> = column.values().iter().map(|text| text.trim().parse().ok()).collect();
        match numbers {
            Some(numbers) if !numbers.is_empty() => {
                let (low, high) =
                    numbers.iter().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x), h.max(x)));
                Some((low + (high - low) * f64::from(rng.uniform())).round().to_string())
            }
            _ => Some(column.values().get(rng.below(column.values().len()) as u32).to_owned()),
        }
    })
}

/// The cells of some columns in another order.
fn shuffled(table: &Table, columns: usize) -> Table {
    let orders: Vec<Vec<usize>> =
        (0..table.columns.len()).map(|at| Rng::new(8, at as u64).permutation(table.rows())).collect();
    with(table, |at, column, row| own(column, if at % 10 < columns { orders[at][row] } else { row }))
}

/// In each row the cell of one column is that of another row.
fn one_cell_changed(table: &Table) -> Table {
    let columns = table.columns.len();
    with(table, |at, column, row| {
        own(column, if row % columns == at { (row + 1) % table.rows() } else { row })
    })
}
