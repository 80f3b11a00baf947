//! The rows that a table of a database has already, as far as new ones must not repeat them.

use rusqlite::{Connection, types::ValueRef};

use super::super::{Column, PgDefaults, Table, format::Format, read::real_text};
use crate::{
    Error,
    names::path_of,
    store::{
        postgres::{Server, failure, find},
        quoted,
        sqlite::{columns, is_sqlite, open_read_only, tables},
    },
};

/// Reads the cells of the columns `wanted`, as far as the target has them, of all its rows, whatever made them; nothing
/// where the target is no database or has no such table.
///
/// # Errors
/// The database cannot be opened or read.
pub fn present(target: &str, table: &str, wanted: &[&str], pg: &PgDefaults) -> Result<Option<Table>, Error> {
    let path = &*path_of(target);
    if wanted.is_empty() {
        return Ok(None);
    }
    if Format::of(target) == Some(Format::Postgres) {
        return of_postgres(target, table, wanted, pg);
    }
    if path.is_file() && is_sqlite(path) {
        let connection = open_read_only(path)?;
        return of_sqlite(&connection, table, wanted).map_err(Error::sqlite(path));
    }
    Ok(None)
}

/// Those of `wanted` that are there, as columns without rows and in SQL; nothing where none is.
fn selection(wanted: &[&str], there: &[String]) -> Option<(Vec<Column>, Vec<String>)> {
    let wanted: Vec<&str> =
        wanted.iter().copied().filter(|name| there.iter().any(|other| other == name)).collect();
    let empty = |name: &&str| Column::new(*name, Default::default());
    (!wanted.is_empty())
        .then(|| (wanted.iter().map(empty).collect(), wanted.iter().map(|n| quoted(n)).collect()))
}

fn of_sqlite(connection: &Connection, table: &str, wanted: &[&str]) -> rusqlite::Result<Option<Table>> {
    if !tables(connection)?.iter().any(|other| other == table) {
        return Ok(None);
    }
    let Some((mut found, list)) = selection(wanted, &columns(connection, table)?) else { return Ok(None) };
    let mut statement = connection.prepare(&format!("SELECT {} FROM {}", list.join(", "), quoted(table)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for (at, column) in found.iter_mut().enumerate() {
            match row.get_ref(at)? {
                ValueRef::Null | ValueRef::Blob(_) => column.push(None),
                ValueRef::Integer(number) => column.push(Some(&number.to_string())),
                ValueRef::Real(number) => column.push(Some(&real_text(number))),
                ValueRef::Text(bytes) => column.push(Some(&String::from_utf8_lossy(bytes))),
            }
        }
    }
    Ok(Some(Table { name: table.to_owned(), columns: found, ..Table::default() }))
}

fn of_postgres(target: &str, table: &str, wanted: &[&str], pg: &PgDefaults) -> Result<Option<Table>, Error> {
    let Server { mut client, place } = Server::connect(target, pg)?;
    let wrong = failure(&place);
    let mut transaction = client.build_transaction().read_only(true).start().map_err(&wrong)?;
    // As rows are read to be learned.
    let settings =
        "SET LOCAL DateStyle TO 'ISO'; SET LOCAL TimeZone TO 'UTC'; SET LOCAL extra_float_digits TO 1";
    transaction.batch_execute(settings).map_err(&wrong)?;
    let Some(there) = find(&mut transaction, table).map_err(&wrong)? else { return Ok(None) };
    let sql =
        "SELECT attname::text FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped";
    let names = transaction.query(sql, &[&there.oid]).map_err(&wrong)?;
    let names: Vec<String> = names.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let Some((mut found, list)) = selection(wanted, &names) else { return Ok(None) };
    let list: Vec<String> = list.iter().map(|name| format!("{name}::text")).collect();
    let sql = format!("SELECT {} FROM {}", list.join(", "), there.sql);
    for row in transaction.query(&sql, &[]).map_err(&wrong)? {
        for (at, column) in found.iter_mut().enumerate() {
            column.push(row.try_get::<_, Option<&str>>(at).map_err(&wrong)?);
        }
    }
    Ok(Some(Table { name: table.to_owned(), columns: found, ..Table::default() }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_that_were_made_count_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("CREATE TABLE t (a INT, b REAL, mintage TEXT); INSERT INTO t VALUES (1, 0.5, NULL), (2, NULL, '{}');")
            .unwrap();
        let find = |table: &str, wanted: &[&str]| {
            present(&path.display().to_string(), table, wanted, &PgDefaults::default()).unwrap()
        };
        let found = find("t", &["b", "a", "c"]).unwrap();
        assert_eq!(found.names().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(found.columns[0].iter().collect::<Vec<_>>(), [Some("0.5"), None]);
        assert!(find("u", &["a"]).is_none() && find("t", &["c"]).is_none() && find("t", &[]).is_none());
    }
}
