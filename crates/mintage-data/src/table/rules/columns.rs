//! The columns that rules name, and their numbers.

use super::Bound;
use crate::{
    Error,
    error::suggestion,
    table::{
        MISSING, Table,
        schema::{ColumnSchema, Format, IdFormat, Kind, TableSchema},
        values,
    },
};

/// The place of a column.
pub fn position(name: &str, schema: &TableSchema) -> Option<usize> {
    schema.columns.iter().position(|column| column.name == name)
}

/// No such column, with the nearest name.
pub fn unknown(name: &str, schema: &TableSchema) -> Error {
    let names = || schema.columns.iter().map(|column| column.name.as_str());
    let all = || format!("the columns are {}", names().collect::<Vec<_>>().join(", "));
    Error::bad(format!("column `{name}`"), "is not in the table")
        .with_hint(suggestion(name, names()).unwrap_or_else(all))
}

/// How the identifiers of a column are made.
pub fn made_afresh(form: &ColumnSchema) -> Option<&IdFormat> {
    match &form.format {
        Format::Id(format) if form.kind == Kind::Id => Some(format),
        _ => None,
    }
}

/// The number that a bound means in a column.
pub fn bound(bound: &Bound, schema: &ColumnSchema) -> Option<f64> {
    schema.number(&bound.0).or_else(|| match &schema.format {
        Format::Number(_) => values::parse(&bound.0, '.'),
        _ => None,
    })
}

/// The numbers of some columns, worked out once a distinct text.
pub struct Numbers {
    /// By column: the number of each text, not a number where it has none, and the text of each row.
    columns: Vec<Option<(Vec<f64>, Vec<u32>)>>,
}

impl Numbers {
    pub fn of(table: &Table, schema: &TableSchema, wanted: Vec<usize>) -> Self {
        let mut columns = vec![None; table.columns.len()];
        for at in wanted {
            let (column, schema) = (&table.columns[at], &schema.columns[at]);
            let numbers = column.values().iter().map(|text| schema.number(text).unwrap_or(f64::NAN));
            columns[at] = Some((numbers.collect(), column.numbers().to_vec()));
        }
        Self { columns }
    }

    /// The number of a cell, if it has one.
    pub fn get(&self, column: usize, row: usize) -> Option<f64> {
        let (numbers, cells) = self.columns[column].as_ref()?;
        let number = numbers.get(cells[row] as usize).copied()?;
        (!number.is_nan()).then_some(number)
    }

    pub fn rows(&self) -> usize {
        self.columns.iter().flatten().map(|(_, cells)| cells.len()).next().unwrap_or(0)
    }

    /// The different numbers of a column.
    pub fn distinct(&self, column: usize) -> Vec<f64> {
        let Some((numbers, cells)) = self.columns[column].as_ref() else { return Vec::new() };
        let mut seen = vec![false; numbers.len()];
        cells.iter().filter(|&&cell| cell != MISSING).for_each(|&cell| seen[cell as usize] = true);
        let present = numbers.iter().zip(seen).filter(|(number, seen)| *seen && !number.is_nan());
        present.map(|(&number, _)| number).collect()
    }

    /// The least and the largest number of a column.
    pub fn span(&self, column: usize) -> Option<(f64, f64)> {
        let numbers = self.distinct(column).into_iter();
        numbers.fold(None, |span: Option<(f64, f64)>, number| {
            Some(span.map_or((number, number), |(low, high)| (low.min(number), high.max(number))))
        })
    }
}
