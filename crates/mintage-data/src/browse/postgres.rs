//! Pages of a PostgreSQL database. Every request is one read-only transaction with a limit of time. The connection stays
//! open from page to page; one that was lost is made anew.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ::postgres::{IsolationLevel, Row, Transaction, types::ToSql, types::Type as PgType};

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
        postgres::{
            Described, Found, PgDefaults, SETTINGS, Server, described, failure, find, no_such_table,
            primary_key, redacted, type_of,
        },
        quoted,
    },
    table::Type,
};

/// How long a connection that was open before may take to say that it still is.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(5);
/// Tables and views that can be read, those outside the search path with their schema.
const TABLES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text ELSE n.nspname || '.' || c.relname END \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't' \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' \
     AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.relkind IN ('v', 'm'), 1";

/// A database of a server.
pub(super) struct PostgresBrowser {
    /// With a password where it came with one.
    source: String,
    defaults: PgDefaults,
    name: String,
    server: Mutex<Option<Server>>,
}

impl std::fmt::Debug for PostgresBrowser {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("PostgresBrowser").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PostgresBrowser {
    /// Connects to a server to see that it can be read.
    ///
    /// # Errors
    /// The server cannot be reached, or lets nobody in.
    pub fn open(source: &str, defaults: &PgDefaults) -> Result<Self, Error> {
        let mut browser = Self {
            source: source.to_owned(),
            defaults: defaults.clone(),
            name: redacted(source),
            server: Mutex::new(None),
        };
        let server = Server::connect(source, defaults)?;
        browser.name.clone_from(&server.place);
        browser.server = Mutex::new(Some(server));
        browser.tables().map(|_| browser)
    }

    /// "postgres://host:port/database".
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn tables(&self) -> Result<Vec<String>, Error> {
        self.read(|transaction| self.all(transaction))
    }

    pub fn page(&self, request: &PageRequest) -> Result<Page, Error> {
        self.read(|transaction| {
            let tables = self.all(transaction)?;
            let (name, table) = self.table(transaction, request.table.as_deref(), &tables)?;
            let ask = Ask::of(request, &self.place(&name), &table.shown())?;
            let total = self.count(transaction, &table.count(&ask.filters))?;
            let mut page = Page::new(name, tables, total, ask.offset, table.shown());
            for group in table.groups() {
                let rows = self.query(transaction, &table.page(&ask, group.clone(), Heads::PAGE))?;
                for (place, row) in rows.iter().enumerate() {
                    let number = row.try_get(0).map_err(failure(&self.name))?;
                    page.add(place, number, self.raws(row, &table.columns[group.clone()])?);
                }
            }
            Ok(page)
        })
    }

    pub fn media(&self, table: Option<&str>, item: ItemId, column: &str) -> Result<Media, Error> {
        self.read(|transaction| {
            let all = self.all(transaction)?;
            let (name, table) = self.table(transaction, table, &all)?;
            let place = self.place(&name);
            let column = column_named(column, &place, &table.shown())?;
            if item.0 < 0 && table.number.is_none() {
                return Err(absent(&place, item));
            }
            let rows = self.query(transaction, &table.item(item, column, MAX_MEDIA_BYTES))?;
            let row = rows.first().ok_or_else(|| absent(&place, item))?;
            let column = &table.columns[column];
            let length: Option<i64> = row.try_get(0).map_err(failure(&self.name))?;
            let bytes: Option<Vec<u8>> = row.try_get(1).map_err(failure(&self.name))?;
            match (length.unwrap_or(0) as u64, bytes) {
                (0, _) => Err(missing(&place, item, &column.name)),
                (length, None) => Err(over_limit(&place, item, length)),
                (_, Some(bytes)) if column.is_bytes => Ok(Media::of(bytes)),
                (_, Some(bytes)) => Ok(Media::of_text(bytes)),
            }
        })
    }

    pub fn histograms(&self, table: Option<&str>) -> Result<Histograms, Error> {
        self.read(|transaction| {
            let all = self.all(transaction)?;
            let (_, table) = self.table(transaction, table, &all)?;
            let total = self.count(transaction, &table.count(&[]))?;
            let table = table.without_media();
            let mut tallies: Vec<Tally> = table.columns.iter().map(|column| Tally::new(column.ty)).collect();
            let sample = Sample { total, most: MAX_HISTOGRAM_ROWS };
            let mut count = 0;
            for group in table.groups() {
                let columns = &table.columns[group.clone()];
                let rows = self.query(transaction, &table.sample(sample, group.clone(), Heads::HISTOGRAM))?;
                count = rows.len() as u64;
                for row in &rows {
                    let raws = self.raws(row, columns)?;
                    tallies[group.clone()].iter_mut().zip(raws).for_each(|(tally, raw)| tally.add(raw, 1));
                }
            }
            let names = table.columns.into_iter().map(|column| column.name);
            Ok(Histograms::of(count, total, names.zip(tallies)))
        })
    }

    /// Reads within one transaction, which sees the database as it is when it begins.
    fn read<T>(&self, work: impl FnOnce(&mut Transaction) -> Result<T, Error>) -> Result<T, Error> {
        let mut slot = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = slot.as_mut().is_some_and(|server| server.client.is_valid(MAX_ANSWER_TIME).is_ok());
        let mut server = match slot.take().filter(|_| is_open) {
            Some(server) => server,
            None => Server::connect(&self.source, &self.defaults)?,
        };
        let wrong = failure(&self.name);
        let builder = server.client.build_transaction();
        let builder = builder.read_only(true).isolation_level(IsolationLevel::RepeatableRead);
        let mut transaction = builder.start().map_err(&wrong)?;
        let limit = MAX_QUERY_TIME.as_millis();
        transaction
            .batch_execute(&format!("{SETTINGS}; SET LOCAL statement_timeout TO {limit}"))
            .map_err(&wrong)?;
        let done = work(&mut transaction);
        // A connection that cannot even do that is of no use any more.
        if transaction.rollback().is_ok() {
            *slot = Some(server);
        }
        done
    }

    fn all(&self, transaction: &mut Transaction) -> Result<Vec<String>, Error> {
        let rows = transaction.query(TABLES, &[]);
        let names = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
        names.map_err(failure(&self.name))
    }

    fn place(&self, table: &str) -> String {
        format!("{}: table `{table}`", self.name)
    }

    /// The table of a name, or the first one.
    fn table(
        &self,
        transaction: &mut Transaction,
        wanted: Option<&str>,
        all: &[String],
    ) -> Result<(String, TableSql), Error> {
        let wrong = failure(&self.name);
        let Some(name) = wanted.or(all.first().map(String::as_str)) else {
            return Err(Error::bad(&self.name, "has no tables"));
        };
        // Of what is not listed, such as tables of the server's own, nothing is shown.
        let found = match all.iter().any(|other| other == name) {
            true => find(transaction, name).map_err(&wrong)?,
            false => None,
        };
        let Some(found) = found else { return Err(no_such_table(&self.name, name, all)) };
        let columns = described(transaction, &found).map_err(&wrong)?;
        let key = primary_key(transaction, &found).map_err(&wrong)?;
        let mut table = table_of(found, columns, &key);
        for group in table.groups() {
            let bytes: Vec<usize> = group.filter(|&column| table.columns[column].is_bytes).collect();
            self.tell_bytes(transaction, &mut table, &bytes)?;
        }
        Ok((name.to_owned(), table))
    }

    /// Looks at the first values of columns of bytes.
    fn tell_bytes(
        &self,
        transaction: &mut Transaction,
        table: &mut TableSql,
        columns: &[usize],
    ) -> Result<(), Error> {
        let ask = Ask { offset: 0, limit: SAMPLE_ROWS, sort: None, filters: Vec::new() };
        for &column in columns {
            let rows = self.query(transaction, &table.page(&ask, column..column + 1, Heads::PAGE))?;
            let seen: Vec<Vec<Raw>> = rows
                .iter()
                .map(|row| self.raws(row, &table.columns[column..=column]))
                .collect::<Result<_, _>>()?;
            table.columns[column].ty = type_of_values(Some(BrowseType::Blob), seen.iter().flatten());
        }
        Ok(())
    }

    fn count(&self, transaction: &mut Transaction, query: &Query) -> Result<u64, Error> {
        let rows = self.query(transaction, query)?;
        let count = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose();
        Ok(count.map_err(failure(&self.name))?.unwrap_or(0) as u64)
    }

    fn query(&self, transaction: &mut Transaction, query: &Query) -> Result<Vec<Row>, Error> {
        let text = |value: &Value| match value {
            Value::Text(text) | Value::Number(text) => text.clone(),
        };
        let texts: Vec<String> = query.values.iter().map(text).collect();
        if texts.iter().any(|text| text.contains('\0')) {
            return Err(Error::bad(&self.name, "no text of a server holds the character zero"));
        }
        let values: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        transaction.query(&query.sql, &values).map_err(failure(&self.name))
    }

    /// The values of a row, of which the first is not one.
    fn raws(&self, row: &Row, columns: &[SqlColumn]) -> Result<Vec<Raw>, Error> {
        let raw = |(place, column): (usize, &SqlColumn)| {
            let length: Option<i64> = row.try_get(2 * place + 2)?;
            let Some(length) = length else { return Ok(Raw::Missing) };
            if column.is_bytes {
                let bytes: Option<Vec<u8>> = row.try_get(2 * place + 1)?;
                return Ok(Raw::Bytes(bytes.unwrap_or_default(), length as u64));
            }
            let text: Option<&str> = row.try_get(2 * place + 1)?;
            Ok(Raw::typed(text.unwrap_or_default(), length as u64, column.ty))
        };
        columns.iter().enumerate().map(raw).collect::<Result<_, _>>().map_err(failure(&self.name))
    }
}

/// A table as the catalogue describes it.
fn table_of(found: Found, columns: Vec<Described>, key: &[String]) -> TableSql {
    let integers = [PgType::INT2, PgType::INT4, PgType::INT8].map(|ty| ty.oid());
    let is_integer =
        |name: &String| columns.iter().any(|column| column.name == *name && integers.contains(&column.ty));
    let number = match key {
        [only] if is_integer(only) => Some(quoted(only)),
        _ => None,
    };
    let order: Vec<String> = match key {
        // Rows without a key have places.
        [] if found.is_table => ["tableoid", "ctid"].map(str::to_owned).to_vec(),
        key => key.iter().map(|name| quoted(name)).collect(),
    };
    let columns = columns.into_iter().map(column_of).collect();
    TableSql {
        dialect: Dialect::Postgres,
        from: found.sql,
        number,
        order,
        columns,
        can_sample: found.is_table,
    }
}

fn column_of(column: Described) -> SqlColumn {
    let (sql, ty) = (quoted(&column.name), type_of(column.ty));
    // Of other types some have no order.
    let is_plain = !matches!(ty, Type::Text | Type::Json) || column.is_bytes();
    SqlColumn {
        ty: if column.is_bytes() { BrowseType::Blob } else { BrowseType::from(ty) },
        sort: if is_plain { sql.clone() } else { format!("{sql}::text") },
        is_bytes: column.is_bytes(),
        is_untyped: false,
        name: column.name,
        sql,
    }
}
