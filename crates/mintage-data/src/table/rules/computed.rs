//! Columns that are computed otherwise than by arithmetic: `first || ' ' || last`, `CASE WHEN … END`.

use serde::{Deserialize, Serialize};

use super::{
    Expression,
    columns::{position, unknown},
    sql::{Sql, Value, values},
};
use crate::{
    Error,
    table::{
        Column, Table,
        schema::{Format, TableSchema},
    },
};

/// A formula over the columns of a table.
pub(super) fn expression(text: &str, schema: &TableSchema) -> Result<Expression, Error> {
    Expression::parse(text, &|name| position(name, schema).ok_or_else(|| unknown(name, schema)))
}

/// Whether a formula is no arithmetic, and an expression of SQL.
pub(super) fn is_sql(equals: &str, schema: &TableSchema) -> bool {
    let is_number = |at: &usize| matches!(schema.columns[*at].format, Format::Number(_));
    match expression(equals, schema) {
        // Texts that are copied, say.
        Ok(formula) => !formula.columns().iter().all(is_number) && Sql::parse(equals, schema).is_ok(),
        Err(_) => Sql::parse(equals, schema).is_ok(),
    }
}

/// A column that an expression of SQL gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Computed {
    pub column: usize,
    pub sql: String,
}

impl Computed {
    /// Fills the column of `table`; a model folder of others may name what is not there, and that stays missing.
    pub fn compute(&self, table: &mut Table, schema: &TableSchema) {
        let own = &table.columns[self.column];
        let mut column = Column::new(&own.name, own.declaration.clone());
        for row in self.texts(table, schema) {
            column.push(row.as_deref());
        }
        table.columns[self.column] = column;
    }

    /// The rows whose cell is another.
    pub fn broken(&self, table: &Table, schema: &TableSchema) -> Vec<usize> {
        let form = &schema.columns[self.column];
        let own = &table.columns[self.column];
        let differs = |(row, text): (usize, Option<String>)| {
            let same = match &text {
                Some(text) => own.cell(row) == Some(text.as_str()),
                None => form.is_missing(own.cell(row)),
            };
            (!same).then_some(row)
        };
        self.texts(table, schema).into_iter().enumerate().filter_map(differs).collect()
    }

    fn texts(&self, table: &Table, schema: &TableSchema) -> Vec<Option<String>> {
        let Ok(sql) = Sql::parse(&self.sql, schema) else { return vec![None; table.rows()] };
        let columns = sql.columns();
        let cells: Vec<Vec<Value>> = columns.iter().map(|&at| values(table, schema, at)).collect();
        let text = |row: usize| {
            let cell = |at: usize| {
                let number = table.columns[at].numbers()[row];
                let of = columns.iter().position(|&column| column == at);
                of.and_then(|of| cells[of].get(number as usize)).cloned().unwrap_or(Value::Null)
            };
            match sql.value(&cell) {
                Value::Null => None,
                Value::Number(number) => Some(schema.columns[self.column].text(number)),
                Value::Text(text) | Value::Time(_, text) => Some(text),
            }
        };
        (0..table.rows()).map(text).collect()
    }
}
