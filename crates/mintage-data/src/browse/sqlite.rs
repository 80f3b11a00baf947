//! Pages of a SQLite file. Every request opens the file anew, read-only, and reads it in one transaction: a file that was
//! replaced or removed is noticed, and nothing stays open between two pages.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, Params, Row, ToSql, params_from_iter, types::ValueRef};

use super::{
    cell::{BrowseType, ItemId, Raw, type_of_values},
    histogram::{Histograms, MAX_HISTOGRAM_ROWS, Tally},
    media::{MAX_MEDIA_BYTES, Media, absent, missing, over_limit},
    page::Page,
    request::{Ask, PageRequest, column_named},
    sql::{Dialect, Heads, MAX_QUERY_TIME, Query, SAMPLE_ROWS, Sample, SqlColumn, TableSql, Value},
};
use crate::{
    Error,
    store::{
        check_table, quoted,
        sqlite::{numbered, open_read_only, tables, views, within_time},
    },
    table::declared_type,
};

/// A SQLite file.
#[derive(Debug)]
pub(super) struct SqliteBrowser {
    path: PathBuf,
    name: String,
}

impl SqliteBrowser {
    /// Opens a file to see that it can be read.
    ///
    /// # Errors
    /// It cannot be read as a database.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let browser = Self { path: path.to_owned(), name: path.display().to_string() };
        browser.tables().map(|_| browser)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tables, then views and virtual tables.
    pub fn tables(&self) -> Result<Vec<String>, Error> {
        self.read(|connection| self.all(connection))
    }

    pub fn page(&self, request: &PageRequest) -> Result<Page, Error> {
        self.read(|connection| {
            let tables = self.all(connection)?;
            let (name, table) = self.table(connection, request.table.as_deref(), &tables)?;
            let ask = Ask::of(request, &self.place(&name), &table.shown())?;
            let total = self.count(connection, table.count(&ask.filters))?;
            let mut page = Page::new(name, tables, total, ask.offset, table.shown());
            for group in table.groups() {
                let query = table.page(&ask, group.clone(), Heads::PAGE);
                let mut place = 0;
                self.each(connection, &query, &mut |row| {
                    let number: Option<i64> = row.get(0)?;
                    let raws = raws(row, &table.columns[group.clone()])?;
                    page.add(place, number, raws);
                    place += 1;
                    Ok(())
                })?;
            }
            Ok(page)
        })
    }

    pub fn media(&self, table: Option<&str>, item: ItemId, column: &str) -> Result<Media, Error> {
        self.read(|connection| {
            let (name, table) = self.table(connection, table, &self.all(connection)?)?;
            let place = self.place(&name);
            let column = column_named(column, &place, &table.shown())?;
            if item.0 < 0 && table.number.is_none() {
                return Err(absent(&place, item));
            }
            let query = table.item(item, column, MAX_MEDIA_BYTES);
            let mut found = None;
            self.each(connection, &query, &mut |row| {
                let (length, is_text) =
                    (row.get::<_, Option<i64>>(0)?, matches!(row.get_ref(1)?, ValueRef::Text(_)));
                let bytes = match row.get_ref(1)? {
                    ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Some(bytes.to_vec()),
                    _ => None,
                };
                found = Some((length.unwrap_or(0) as u64, is_text, bytes));
                Ok(())
            })?;
            match found {
                None => Err(absent(&place, item)),
                Some((0, ..)) => Err(missing(&place, item, &table.columns[column].name)),
                Some((length, _, None)) => Err(over_limit(&place, item, length)),
                Some((_, true, Some(bytes))) => Ok(Media::of_text(bytes)),
                Some((_, false, Some(bytes))) => Ok(Media::of(bytes)),
            }
        })
    }

    pub fn histograms(&self, table: Option<&str>) -> Result<Histograms, Error> {
        self.read(|connection| {
            let (_, table) = self.table(connection, table, &self.all(connection)?)?;
            let total = self.count(connection, table.count(&[]))?;
            let table = table.without_media();
            let mut tallies: Vec<Tally> = table.columns.iter().map(|column| Tally::new(column.ty)).collect();
            let sample = Sample { total, most: MAX_HISTOGRAM_ROWS };
            let mut rows = 0;
            for group in table.groups() {
                rows = 0;
                self.each(connection, &table.sample(sample, group.clone(), Heads::HISTOGRAM), &mut |row| {
                    rows += 1;
                    let raws = raws(row, &table.columns[group.clone()])?;
                    tallies[group.clone()].iter_mut().zip(raws).for_each(|(tally, raw)| tally.add(raw, 1));
                    Ok(())
                })?;
            }
            let names = table.columns.into_iter().map(|column| column.name);
            Ok(Histograms::of(rows, total, names.zip(tallies)))
        })
    }

    /// Reads within one transaction, which sees the database as it is when it begins.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let connection = open_read_only(&self.path)?;
        let wrong = || Error::sqlite(&self.path);
        // What a view of a database from elsewhere calls may do nothing but compute.
        connection.pragma_update(None, "trusted_schema", false).map_err(wrong())?;
        connection.execute_batch("BEGIN").map_err(wrong())?;
        within_time(&connection, MAX_QUERY_TIME, || work(&connection))
    }

    fn all(&self, connection: &Connection) -> Result<Vec<String>, Error> {
        let all = tables(connection).and_then(|all| Ok([all, views(connection)?].concat()));
        all.map_err(|error| self.wrong(error))
    }

    /// "shop.db: table `goods`".
    fn place(&self, table: &str) -> String {
        format!("{}: table `{table}`", self.name)
    }

    /// The table of a name, or the first one.
    fn table(
        &self,
        connection: &Connection,
        wanted: Option<&str>,
        all: &[String],
    ) -> Result<(String, TableSql), Error> {
        let Some(name) = wanted.or(all.first().map(String::as_str)) else {
            return Err(Error::bad(&self.name, "has no tables"));
        };
        check_table(&self.name, name, all)?;
        let described = describe(connection, name).map_err(|error| self.wrong(error))?;
        let mut table = described.table;
        let declared = described.types;
        for group in table.groups() {
            let ask = Ask { offset: 0, limit: SAMPLE_ROWS, sort: None, filters: Vec::new() };
            let mut seen: Vec<Vec<Raw>> = vec![Vec::new(); group.len()];
            self.each(connection, &table.page(&ask, group.clone(), Heads::PAGE), &mut |row| {
                let raws = raws(row, &table.columns[group.clone()])?;
                seen.iter_mut().zip(raws).for_each(|(seen, raw)| seen.push(raw));
                Ok(())
            })?;
            for (place, seen) in group.zip(seen) {
                table.columns[place].ty = type_of_values(declared[place], seen.iter());
            }
        }
        Ok((name.to_owned(), table))
    }

    fn count(&self, connection: &Connection, query: Query) -> Result<u64, Error> {
        let mut count = 0;
        self.each(connection, &query, &mut |row| {
            count = row.get::<_, i64>(0)? as u64;
            Ok(())
        })?;
        Ok(count)
    }

    /// Shows every row of a query in turn.
    fn each(
        &self,
        connection: &Connection,
        query: &Query,
        see: &mut dyn FnMut(&Row) -> rusqlite::Result<()>,
    ) -> Result<(), Error> {
        each(connection, &query.sql, params_from_iter(query.values.iter().map(bound)), see)
            .map_err(|error| self.wrong(error))
    }

    fn wrong(&self, error: rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                let why = format!("the query took more than {} seconds", MAX_QUERY_TIME.as_secs());
                Error::bad(&self.name, why).with_hint("ask for less of it, or make an index on the column")
            }
            _ => Error::sqlite(&self.path)(error),
        }
    }
}

fn each(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    see: &mut dyn FnMut(&Row) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        see(row)?;
    }
    Ok(())
}

/// A value as SQLite compares it.
fn bound(value: &Value) -> Box<dyn ToSql> {
    match value {
        Value::Text(text) => Box::new(text.clone()),
        Value::Number(text) => match text.parse::<i64>() {
            Ok(integer) => Box::new(integer),
            Err(_) => Box::new(text.parse::<f64>().unwrap_or(f64::NAN)),
        },
    }
}

/// The values of a row, of which the first is not one.
fn raws(row: &Row, columns: &[SqlColumn]) -> rusqlite::Result<Vec<Raw>> {
    let raw = |(place, column): (usize, &SqlColumn)| {
        let (value, length) = (row.get_ref(2 * place + 1)?, row.get::<_, Option<i64>>(2 * place + 2)?);
        let length = length.unwrap_or(0) as u64;
        let raw = match value {
            ValueRef::Null => Raw::Missing,
            ValueRef::Integer(x) => Raw::Integer(x),
            ValueRef::Real(x) => Raw::Real(x),
            ValueRef::Text(text) => Raw::Text(String::from_utf8_lossy(text).into_owned(), length),
            ValueRef::Blob(bytes) => Raw::Bytes(bytes.to_vec(), length),
        };
        Ok(raw.of_column(column.ty))
    };
    columns.iter().enumerate().map(raw).collect()
}

/// A table as its definition describes it.
struct Described {
    table: TableSql,
    /// The type that each column was declared as, where that has a meaning.
    types: Vec<Option<BrowseType>>,
}

fn describe(connection: &Connection, name: &str) -> rusqlite::Result<Described> {
    let (mut columns, mut types, mut key) = (Vec::new(), Vec::new(), Vec::new());
    let sql = "SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    each(connection, sql, [name], &mut |row| {
        let (column, native, place): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (sql, upper) = (quoted(&column), native.to_uppercase());
        if place > 0 {
            key.push((place, sql.clone()));
        }
        let is_blob = upper.contains("BLOB");
        types.push(match declared_type(&native) {
            _ if is_blob => Some(BrowseType::Blob),
            declared => declared.map(BrowseType::from),
        });
        columns.push(SqlColumn {
            name: column,
            ty: BrowseType::Text,
            sort: sql.clone(),
            sql,
            is_bytes: false,
            is_untyped: native.is_empty() || is_blob,
        });
        Ok(())
    })?;
    key.sort();
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let number = numbered(connection, name, &names)?.map(str::to_owned);
    let order = match &number {
        Some(number) => vec![number.clone()],
        None => key.into_iter().map(|(_, column)| column).collect(),
    };
    let from = format!("main.{}", quoted(name));
    let table = TableSql { dialect: Dialect::Sqlite, from, number, order, columns, can_sample: false };
    Ok(Described { table, types })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_takes_too_long_is_interrupted() {
        let connection = Connection::open_in_memory().unwrap();
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let run = || connection.query_row(endless, [], |row| row.get::<_, i64>(0));
        let twice = within_time(&connection, Duration::from_millis(20), || [run(), run()]);
        for result in twice {
            assert_eq!(result.unwrap_err().sqlite_error_code(), Some(ErrorCode::OperationInterrupted));
        }
        let browser = SqliteBrowser { path: "a.db".into(), name: "a.db".into() };
        let error = browser.wrong(within_time(&connection, Duration::ZERO, run).unwrap_err());
        assert!(error.to_string().contains("took more than 20 seconds") && error.hint().is_some(), "{error}");
    }
}
