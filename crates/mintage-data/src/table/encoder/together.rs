//! Persons by several cells: a first and a last name that one real row alone has together are somebody, though each of
//! them is many people's.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::table::{MISSING, Table, fresh::Known, schema::TableSchema};

/// Columns whose cells name somebody together, and those whom one real row alone names so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Together {
    pub columns: [usize; 2],
    known: Known,
}

impl Together {
    /// Of each two columns with parts of names.
    pub fn all(table: &Table, schema: &TableSchema) -> Vec<Self> {
        let columns = schema.columns.iter().enumerate().filter(|(_, column)| column.names_persons());
        let columns: Vec<usize> = columns.map(|(at, _)| at).collect();
        let pairs =
            columns.iter().enumerate().flat_map(|(at, &a)| columns[at + 1..].iter().map(move |&b| [a, b]));
        pairs.map(|columns| Self { columns, known: singles(table, columns) }).collect()
    }

    /// Whether a row names one of them, or may.
    pub fn may_hold(&self, table: &Table, row: usize) -> bool {
        let [a, b] = self.columns.map(|at| table.columns[at].cell(row));
        a.zip(b).is_some_and(|(a, b)| self.known.may_hold(&joined(a, b)))
    }
}

fn singles(table: &Table, [a, b]: [usize; 2]) -> Known {
    let (a, b) = (&table.columns[a], &table.columns[b]);
    let mut counts: HashMap<(u32, u32), u32> = HashMap::new();
    for pair in a.numbers().iter().copied().zip(b.numbers().iter().copied()) {
        if pair.0 != MISSING && pair.1 != MISSING {
            *counts.entry(pair).or_default() += 1;
        }
    }
    let single = counts.into_iter().filter(|(_, n)| *n == 1).map(|(pair, _)| pair);
    let texts: Vec<String> = single.map(|(x, y)| joined(a.values().get(x), b.values().get(y))).collect();
    Known::of(texts.iter().map(String::as_str))
}

/// Neither letter is lost where one ends and the other begins: a digit stands between.
fn joined(a: &str, b: &str) -> String {
    format!("{a} 0 {b}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, schema::detect};

    #[test]
    fn first_and_last_names_of_one_row_are_known() {
        let first = ["Anna", "Peter", "Maria", "Jonas"];
        let last = ["Schmidt", "Weber", "Wagner", "Fischer"];
        let row = |i: usize| if i < 4 { (first[i], last[i]) } else { (first[i % 4], last[(i + 1) % 4]) };
        let column = |name: &str, cell: &dyn Fn(usize) -> &'static str| {
            Column::of(name, (0..100).map(|i| Some(cell(i))))
        };
        let columns = vec![column("first_name", &|i| row(i).0), column("last_name", &|i| row(i).1)];
        let table = Table { name: "t".into(), columns, ..Table::default() };
        let found = Together::all(&table, &detect(&table));
        assert_eq!(found.len(), 1);
        assert!((0..4).all(|row| found[0].may_hold(&table, row)));
        let others = (4..8).filter(|&row| found[0].may_hold(&table, row)).count();
        assert!(others < 3, "{others} of 4 that are many people's");
    }
}
