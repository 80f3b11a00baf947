//! The counting of keys, in SQL that SQLite and PostgreSQL both understand. Names come as quoted identifiers.

use super::{Column, Condition, Contained, ForeignKey, Values};
use crate::{Error, store::quoted};

/// Rows of a column, at most, of which the distinct values are looked up.
const MAX_ROWS: usize = 1_000_000;
/// Shorter texts are no codes: "yes", "GB".
const MIN_CODE_CHARS: usize = 5;

/// A store that counts by SQL.
pub(super) trait SqlCounts {
    /// Whether it joins by a hash where there is no index.
    const HAS_HASH_JOINS: bool;

    fn table_sql(&self, name: &str) -> Option<&TableSql>;

    /// What counts the different days in a column, and those from the first to the last: two whole numbers, with a comma
    /// between them. Nothing where the column has no dates.
    fn days_sql(column: &Column) -> Option<String>;

    /// The whole numbers in the row of a query; nothing where they cannot be counted in time.
    fn numbers<const N: usize>(&mut self, sql: &str) -> Result<Option<[u64; N]>, Error>;
}

impl<C: SqlCounts> Values for C {
    fn is_unique(&mut self, table: &str, column: &str) -> Result<Option<bool>, Error> {
        let Some(sql) = self.table_sql(table).map(|table| uniqueness(table, column)) else {
            return Ok(None);
        };
        let counts = self.numbers(&sql)?;
        Ok(counts.map(|[rows, there, distinct]| rows > 0 && rows == there && there == distinct))
    }

    fn repeats(&mut self, table: &str, columns: &[String]) -> Result<Option<u64>, Error> {
        let Some(sql) = self.table_sql(table).map(|table| repetition(table, columns)) else {
            return Ok(None);
        };
        Ok(self.numbers(&sql)?.map(|[repeated]| repeated))
    }

    fn contained_together(
        &mut self,
        child: (&str, &[String]),
        parent: (&str, &[String]),
    ) -> Result<Option<Contained>, Error> {
        let (Some(of), Some(among)) = (self.table_sql(child.0), self.table_sql(parent.0)) else {
            return Ok(None);
        };
        let sql = containment_of_tuples((of, child.1), (among, parent.1));
        let counts = self.numbers(&sql)?;
        Ok(counts.map(|[distinct, contained]| Contained { distinct, contained, is_code: false }))
    }

    fn contained(&mut self, child: (&str, &str), parent: (&str, &str)) -> Result<Option<Contained>, Error> {
        let (Some(of), Some(among)) = (self.table_sql(child.0), self.table_sql(parent.0)) else {
            return Ok(None);
        };
        let sql = containment((of, child.1), (among, parent.1));
        let counts = self.numbers(&sql)?;
        Ok(counts.map(|[distinct, contained, others]| Contained {
            distinct,
            contained,
            is_code: others == 0,
        }))
    }

    fn distinct(&mut self, table: &str, column: &str) -> Result<Option<u64>, Error> {
        let Some(TableSql { from, real, .. }) = self.table_sql(table) else { return Ok(None) };
        let sql = format!("SELECT count(DISTINCT {}) FROM {from} WHERE {real}", quoted(column));
        Ok(self.numbers(&sql)?.map(|[distinct]| distinct))
    }

    fn days(&mut self, table: &str, column: &Column) -> Result<Option<(u64, u64)>, Error> {
        let (Some(TableSql { from, real, .. }), Some(days)) = (self.table_sql(table), C::days_sql(column))
        else {
            return Ok(None);
        };
        let sql = format!("SELECT {days} FROM {from} WHERE {real}");
        Ok(self.numbers(&sql)?.map(|[days, span]| (days, span)))
    }

    fn orphans(&mut self, table: &str, key: &ForeignKey) -> Result<Option<u64>, Error> {
        let (Some(child), Some(parent)) = (self.table_sql(table), self.table_sql(&key.parent)) else {
            return Ok(None);
        };
        let sql = orphans(
            (child, &key.columns, key.only.as_ref()),
            (parent, &key.parent_columns),
            C::HAS_HASH_JOINS,
        );
        Ok(self.numbers(&sql)?.map(|[orphans]| orphans))
    }
}

/// A table in SQL.
#[derive(Clone, Debug)]
pub(super) struct TableSql {
    /// With its schema, quoted.
    pub from: String,
    /// The condition that leaves out rows that Mintage made, or "TRUE".
    pub real: String,
    /// Columns by which a row is looked up fast: the primary key and others that are unique.
    pub keys: Vec<Vec<String>>,
}

impl TableSql {
    fn is_indexed(&self, columns: &[String]) -> bool {
        let is_it =
            |key: &Vec<String>| key.len() == columns.len() && columns.iter().all(|one| key.contains(one));
        self.keys.iter().any(is_it)
    }
}

/// How many rows, values and distinct values a column has.
fn uniqueness(table: &TableSql, column: &str) -> String {
    let (column, TableSql { from, real, .. }) = (quoted(column), table);
    format!("SELECT count(*), count({column}), count(DISTINCT {column}) FROM {from} WHERE {real}")
}

/// How many distinct values a column has, how many of them another has, and how many are no codes.
fn containment(child: (&TableSql, &str), parent: (&TableSql, &str)) -> String {
    let (TableSql { from, real, .. }, column) = (child.0, quoted(child.1));
    let (parent, key) = (&parent.0.from, quoted(parent.1));
    format!(
        "SELECT count(*), count(p.v), coalesce(sum(CASE WHEN length(CAST(c.v AS text)) < {MIN_CODE_CHARS} \
         OR CAST(c.v AS text) LIKE '% %' THEN 1 ELSE 0 END), 0) \
         FROM (SELECT DISTINCT v FROM (SELECT {column} AS v FROM {from} WHERE {real} AND {column} IS NOT NULL \
         LIMIT {MAX_ROWS}) AS seen) AS c LEFT JOIN (SELECT DISTINCT {key} AS v FROM {parent}) AS p ON p.v = c.v"
    )
}

/// How many different values columns together have in more than one row.
fn repetition(table: &TableSql, columns: &[String]) -> String {
    let TableSql { from, real, .. } = table;
    let names = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>();
    let there = names.iter().map(|name| format!("{name} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    let names = names.join(", ");
    format!(
        "SELECT count(*) FROM (SELECT 1 AS one FROM {from} WHERE {real} AND {there} GROUP BY {names} \
         HAVING count(*) > 1) AS repeated"
    )
}

/// How many distinct values columns together have, and how many of them others have.
fn containment_of_tuples(child: (&TableSql, &[String]), parent: (&TableSql, &[String])) -> String {
    let (TableSql { from, real, .. }, of) = (child.0, &parent.0.from);
    let each = |form: &dyn Fn(usize, &str) -> String, columns: &[String], between: &str| {
        let all = columns.iter().enumerate().map(|(at, name)| form(at, &quoted(name)));
        all.collect::<Vec<String>>().join(between)
    };
    let named = |columns: &[String]| each(&|at, name| format!("{name} AS v{at}"), columns, ", ");
    let there = each(&|_, name| format!("{name} IS NOT NULL"), child.1, " AND ");
    let values = each(&|at, _| format!("v{at}"), child.1, ", ");
    let same = each(&|at, _| format!("p.v{at} = c.v{at}"), child.1, " AND ");
    format!(
        "SELECT count(*), count(p.v0) FROM (SELECT DISTINCT {values} FROM (SELECT {} FROM {from} WHERE {real} \
         AND {there} LIMIT {MAX_ROWS}) AS seen) AS c LEFT JOIN (SELECT DISTINCT {} FROM {of}) AS p ON {same}",
        named(child.1),
        named(parent.1)
    )
}

/// How many rows refer to a row that is not there: a row that leaves one of the columns open refers to none. Without an
/// index SQLite would look through the whole parent for each row, where PostgreSQL joins by a hash in any case.
fn orphans(
    child: (&TableSql, &[String], Option<&Condition>),
    parent: (&TableSql, &[String]),
    has_hash_joins: bool,
) -> String {
    let is_fast = has_hash_joins || parent.0.is_indexed(parent.1);
    let TableSql { from, real, .. } = child.0;
    let columns: Vec<String> = child.1.iter().map(|name| quoted(name)).collect();
    let keys: Vec<String> = parent.1.iter().map(|name| quoted(name)).collect();
    let parent = &parent.0.from;
    let there = |names: &[String], of: &str| {
        names.iter().map(|name| format!("{of}{name} IS NOT NULL")).collect::<Vec<_>>().join(" AND ")
    };
    let meant = child.2.map(|only| {
        let value = only.value.replace('\'', "''");
        format!(" AND CAST(c.{} AS text) = '{value}'", quoted(&only.column))
    });
    let given = format!("{}{}", there(&columns, "c."), meant.unwrap_or_default());
    // The marks are of the child; inside the query they would be looked for in both.
    let rows = format!("SELECT count(*) FROM (SELECT * FROM {from} WHERE {real}) AS c WHERE {given} AND ");
    match is_fast {
        true => {
            let same = |(key, column): (&String, &String)| format!("p.{key} = c.{column}");
            let same: Vec<String> = keys.iter().zip(&columns).map(same).collect();
            format!("{rows}NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {})", same.join(" AND "))
        }
        false => {
            let columns: Vec<String> = columns.iter().map(|name| format!("c.{name}")).collect();
            let keys_there = there(&keys, "p.");
            let keys: Vec<String> = keys.iter().map(|name| format!("p.{name}")).collect();
            format!(
                "{rows}({}) NOT IN (SELECT {} FROM {parent} AS p WHERE {keys_there})",
                columns.join(", "),
                keys.join(", ")
            )
        }
    }
}
