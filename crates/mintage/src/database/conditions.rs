//! Conditions that a store declares of columns that are made afresh, such as `CHECK (length(phone) = 12)`.
//!
//! Known are those that look at such columns alone, are understood, and hold in every row of the source. Rows that break one
//! are made again; what the values are is no matter of this module.

use std::collections::BTreeMap;

use mintage_data::{
    Column, Table as Rows,
    database::Table,
    table::{
        rules::{Rule, Rules},
        schema::{Kind, TableSchema, detect},
    },
};
use serde::{Deserialize, Serialize};

/// Conditions on columns of one table, in the SQL of the store. Nothing of the source is in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Conditions(Vec<String>);

impl Conditions {
    /// Those of a table that look at the columns `made` alone, and that its rows keep.
    pub fn of(table: &Table, rows: &Rows, made: &[&str]) -> Self {
        if table.checks.is_empty() {
            return Self::default();
        }
        let columns = made.iter().filter_map(|name| rows.column(name).cloned()).collect();
        let own = Rows { name: rows.name.clone(), columns, ..Rows::default() };
        let Some(found) = texts(&own) else { return Self::default() };
        // Other columns are not there, so that what looks at them is an error.
        let holds = |sql: &&String| Rules::new(vec![check(sql)], &own, &found).is_ok();
        Self(table.checks.iter().filter(holds).cloned().collect())
    }

    /// Whether a condition looks at a column.
    pub fn name(&self, column: &str) -> bool {
        self.0.iter().any(|sql| check(sql).columns().iter().any(|name| name.eq_ignore_ascii_case(column)))
    }

    /// The rows of columns that break a condition, in their order.
    pub fn broken(&self, columns: &[Column]) -> Vec<usize> {
        if self.0.is_empty() || columns.iter().all(Column::is_empty) {
            return Vec::new();
        }
        let own = Rows { columns: columns.to_vec(), ..Rows::default() };
        let rules: Vec<Rule> = self.0.iter().map(|sql| check(sql)).collect();
        // The rows may break them: of a table without rows they can be planned.
        let planned = texts(&own).and_then(|found| Rules::new(rules, &own.head(), &found).ok());
        planned.map_or_else(Vec::new, |rules| rules.refused(&own).into_iter().map(|(row, _)| row).collect())
    }
}

fn check(sql: &str) -> Rule {
    Rule::Check { sql: sql.to_owned() }
}

/// What the columns are, as texts: a telephone number is compared by its letters.
fn texts(own: &Rows) -> Option<TableSchema> {
    let mut found = detect(own);
    let varied = own.columns.iter().filter(|column| column.values().len() > 1);
    let kinds: BTreeMap<String, Kind> = varied.map(|column| (column.name.clone(), Kind::Text)).collect();
    found.apply(own, &kinds).ok()?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, cells: &[&str]) -> Column {
        Column::of(name, cells.iter().map(|cell| Some(*cell).filter(|cell| !cell.is_empty())))
    }

    #[test]
    fn conditions_on_what_is_made_are_known_and_broken_rows_found() {
        let columns = vec![
            column("phone", &["491234567890", "491234567891", "491234567892", ""]),
            column("email", &["a@x.de", "b@x.de", "c@x.de", "d@x.de"]),
            column("age", &["20", "30", "40", "50"]),
        ];
        let rows = Rows { columns, ..Rows::default() };
        let checks = [
            "length(phone) = 12",
            "email LIKE '%@%'",
            "age > 18",
            "length(phone) + age > 3",
            "length(email) = 3",
            "a (b",
        ];
        let table = Table { checks: checks.map(str::to_owned).to_vec(), ..Table::default() };
        let conditions = Conditions::of(&table, &rows, &["phone", "email"]);
        assert_eq!(conditions.0, ["length(phone) = 12", "email LIKE '%@%'"]);
        assert!(conditions.name("phone") && conditions.name("email") && !conditions.name("age"));
        let new = [
            column("phone", &["491234567800", "4912", "", "49123456780011"]),
            column("email", &["e@x.de", "f@x.de", "nobody", "g@x.de"]),
        ];
        assert_eq!(conditions.broken(&new), [1, 2, 3]);
        assert!(conditions.broken(&[]).is_empty());
    }
}
