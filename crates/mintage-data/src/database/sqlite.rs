//! The schema of a SQLite file, from its catalogue, read within one read-only transaction.

use std::{collections::HashMap, path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};

use super::{
    Column, Generated, MAX_COUNTING_SECS, RawKey, Schema, Store, Table, actions, finish,
    sql::{SqlCounts, TableSql},
};
use crate::{
    Error, SourceSpec,
    store::{
        PROVENANCE_COLUMN, quoted,
        sqlite::{open_read_only, tables, views, within_time},
    },
    table::{rules::Constraint, sqlite_constraints},
};

/// What a date looks like.
const DATE: &str = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]";

/// The schema of a file, with the keys that `spec` gives beside those that it declares.
pub(super) fn read(path: &Path, spec: &SourceSpec) -> Result<Schema, Error> {
    let connection = open_read_only(path)?;
    let wrong = || Error::sqlite(path);
    // What a database from elsewhere calls may do nothing but compute.
    connection.pragma_update(None, "trusted_schema", false).map_err(wrong())?;
    connection.execute_batch("BEGIN").map_err(wrong())?;
    let names = tables(&connection).map_err(wrong())?;
    let (mut all, mut declared, mut sqls) = (Vec::new(), Vec::new(), HashMap::new());
    for name in names {
        let (table, sql) = table(&connection, &name, spec.allow_made).map_err(wrong())?;
        declared.push(keys(&connection, &name).map_err(wrong())?);
        all.push(table);
        sqls.insert(name, sql);
    }
    let views = views(&connection).map_err(wrong())?;
    let mut counts = Counts { path, connection: &connection, sqls };
    let place = path.display().to_string();
    within_time(&connection, Duration::from_secs(MAX_COUNTING_SECS), || {
        finish(&place, Store::Sqlite, (all, views), (declared, &spec.keys), &mut counts)
    })
}

/// Rows of a SQLite file that refer to nothing by a key that is declared, those that Mintage made too: SQLite's own count.
///
/// # Errors
/// The file is no database, or cannot be read.
pub fn broken_keys(path: &Path) -> Result<usize, Error> {
    let connection = open_read_only(path)?;
    let sql = "SELECT count(*) FROM pragma_foreign_key_check";
    let broken: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(Error::sqlite(path))?;
    Ok(broken as usize)
}

/// A table without its keys to others; its rows are those that are real, unless `allow_made`.
fn table(connection: &Connection, name: &str, allow_made: bool) -> rusqlite::Result<(Table, TableSql)> {
    let (mut columns, primary_key, is_marked) = columns(connection, name)?;
    let real = match is_marked && !allow_made {
        true => format!("{} IS NULL", quoted(PROVENANCE_COLUMN)),
        false => "TRUE".to_owned(),
    };
    let from = format!("main.{}", quoted(name));
    let count = format!("SELECT count(*) FROM {from} WHERE {real}");
    let rows: i64 = connection.query_row(&count, [], |row| row.get(0))?;
    let (mut unique, mut checks) = (Vec::new(), Vec::new());
    for constraint in sqlite_constraints(connection, name)? {
        match constraint {
            Constraint::Unique { columns, condition: None } if columns != primary_key => unique.push(columns),
            Constraint::Check(condition) => checks.push(condition),
            Constraint::Generated { column, sql } => {
                let computed = columns.iter_mut().find(|other| other.name.eq_ignore_ascii_case(&column));
                computed.into_iter().for_each(|computed| computed.expression = Some(sql.clone()));
            }
            _ => {}
        }
    }
    let keys = [std::slice::from_ref(&primary_key), &unique].concat();
    let (name, ddl) = (name.to_owned(), ddl(connection, name)?);
    let table =
        Table { name, columns, primary_key, unique, checks, rows: rows as u64, ddl, ..Table::default() };
    Ok((table, TableSql { from, real, keys }))
}

/// The columns of a table, its primary key, and whether rows may be marked as made.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<(Vec<Column>, Vec<String>, bool)> {
    // The type of a key that is the number of the row is exactly this word.
    let sql = "SELECT name, type, \"notnull\", dflt_value, pk, hidden, \
               pk = 1 AND upper(type) = 'INTEGER' AND (SELECT count(*) FROM pragma_table_xinfo(?1) WHERE pk > 0) = 1 \
               AND NOT (SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1) \
               FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    let column = |row: &Row| {
        let (place, hidden, is_number): (i64, i64, bool) = (row.get(4)?, row.get(5)?, row.get(6)?);
        let column = Column {
            name: row.get(0)?,
            ty: row.get(1)?,
            nullable: !row.get::<_, bool>(2)? && place == 0,
            default: row.get(3)?,
            generated: match hidden {
                2 | 3 => Some(Generated::Computed),
                _ => is_number.then_some(Generated::Identity),
            },
            expression: None,
            labels: Vec::new(),
        };
        Ok((column, place))
    };
    let mut statement = connection.prepare(sql)?;
    let mut all = statement.query_map([table], column)?.collect::<rusqlite::Result<Vec<(Column, i64)>>>()?;
    let mut key: Vec<(i64, String)> =
        all.iter().filter(|(_, place)| *place > 0).map(|(c, place)| (*place, c.name.clone())).collect();
    key.sort();
    let before = all.len();
    all.retain(|(column, _)| column.name != PROVENANCE_COLUMN);
    let is_marked = all.len() < before;
    let key = key.into_iter().map(|(_, name)| name).collect();
    Ok((all.into_iter().map(|(column, _)| column).collect(), key, is_marked))
}

/// The statements that made a table, its indexes and its triggers.
fn ddl(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT sql FROM sqlite_master WHERE tbl_name = ?1 AND sql IS NOT NULL \
               AND type IN ('table', 'index', 'trigger') \
               ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, rowid";
    connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// The keys of a table to others, in the order in which they are declared.
fn keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<RawKey>> {
    // SQLite numbers them from the last to the first.
    let sql = "SELECT id, \"table\", \"from\", \"to\", on_delete, on_update \
               FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([table], |row| {
        let actions = actions(&row.get::<_, String>(4)?, &row.get::<_, String>(5)?);
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<String>>(3)?, actions))
    })?;
    let mut keys: Vec<(i64, RawKey)> = Vec::new();
    for row in rows {
        let (id, parent, column, to, actions): (i64, String, String, Option<String>, String) = row?;
        match keys.last_mut().filter(|(last, _)| *last == id) {
            Some((_, key)) => {
                key.columns.push(column);
                key.parent_columns.as_mut().zip(to).into_iter().for_each(|(all, to)| all.push(to));
            }
            None => {
                let parent_columns = to.map(|to| vec![to]);
                // Any key is checked at the end of a transaction that asks for it (`defer_foreign_keys`).
                let (deferrable, deferred) = (true, false);
                keys.push((
                    id,
                    RawKey { columns: vec![column], parent, parent_columns, deferrable, deferred, actions },
                ));
            }
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// Counts in the file, until it takes too long.
struct Counts<'a> {
    path: &'a Path,
    connection: &'a Connection,
    sqls: HashMap<String, TableSql>,
}

impl SqlCounts for Counts<'_> {
    const HAS_HASH_JOINS: bool = false;

    fn table_sql(&self, name: &str) -> Option<&TableSql> {
        self.sqls.get(name)
    }

    /// Dates are texts here, whatever is declared; a number would be taken for a day of the Julian calendar.
    fn days_sql(column: &Column) -> Option<String> {
        let column = quoted(&column.name);
        let is_date = |value: &str| format!("typeof({value}) = 'text' AND {value} GLOB '{DATE}*'");
        let (first, last) = (format!("min({column})"), format!("max({column})"));
        Some(format!(
            "count(DISTINCT substr({column}, 1, 10)), CASE WHEN {} AND {} THEN CAST(coalesce(\
             julianday(substr({last}, 1, 10)) - julianday(substr({first}, 1, 10)) + 1, 0) AS INTEGER) ELSE 0 END",
            is_date(&first),
            is_date(&last)
        ))
    }

    /// Nothing where it was interrupted.
    fn numbers<const N: usize>(&mut self, sql: &str) -> Result<Option<[u64; N]>, Error> {
        let numbers = |row: &Row| {
            let mut numbers = [0; N];
            for (at, number) in numbers.iter_mut().enumerate() {
                *number = row.get::<_, i64>(at)? as u64;
            }
            Ok(numbers)
        };
        match self.connection.query_row(sql, [], numbers).optional() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
            found => found.map_err(Error::sqlite(self.path)),
        }
    }
}
