//! A PostgreSQL server as a store: all that is read of it is read in one read-only transaction, which sees the database as
//! it was when the transaction began.
//!
//! Items are read once, row by row, into a temporary file, and the connection is closed: training may take days, and a
//! transaction that is open for so long would keep the server from cleaning up.

use std::ops::Range;

use ::postgres::{Client, GenericClient, Row, fallible_iterator::FallibleIterator, types::Type as PgType};

use super::{Described, Found, Server, described, failure, find, no_such_table, tables};
use crate::{
    Error, SourceSpec,
    spill::{ByteStore, ByteWriter},
    store::{
        Ask, Database, HEAD, ItemBytes, Items, LOOKED, NO_LABEL, PROVENANCE_COLUMN, Place, check_column,
        quoted,
    },
    table::only_real,
    transform::MAX_FILE_BYTES,
};

/// Bytes of items that are kept in memory; more go to a temporary file.
const IN_MEMORY: usize = 64 << 20;

/// One snapshot of everything, in which nothing can be changed. How values are written must not depend on the settings of
/// server or user.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// The same for transactions that were begun otherwise.
pub(crate) const SETTINGS: &str = "SET LOCAL DateStyle TO 'ISO'; SET LOCAL TimeZone TO 'UTC'; \
                                   SET LOCAL IntervalStyle TO 'postgres'; SET LOCAL extra_float_digits TO 1";

/// A connection within its transaction.
pub(crate) struct PostgresServer {
    client: Client,
    name: String,
}

impl PostgresServer {
    /// Connects and begins the transaction.
    ///
    /// # Errors
    /// The server cannot be reached, or lets nobody in.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let Server { mut client, place } = Server::connect(&spec.source, &spec.pg)?;
        client.batch_execute(&format!("{SNAPSHOT}; {SETTINGS}")).map_err(failure(&place))?;
        Ok(Self { client, name: place })
    }

    fn found(&mut self, table: &str) -> Result<Found, Error> {
        match find(&mut self.client, table).map_err(failure(&self.name))? {
            Some(found) => Ok(found),
            None => {
                let all = self.tables()?;
                Err(no_such_table(&self.name, table, &all))
            }
        }
    }

    fn described(&mut self, found: &Found) -> Result<Vec<Described>, Error> {
        described(&mut self.client, found).map_err(failure(&self.name))
    }
}

/// The columns of the primary key in their order.
pub(crate) fn primary_key(
    client: &mut impl GenericClient,
    found: &Found,
) -> Result<Vec<String>, ::postgres::Error> {
    let sql = "SELECT a.attname::text FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, at) \
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
               WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.at";
    client.query(sql, &[&found.oid])?.iter().map(|row| row.try_get(0)).collect()
}

impl Database for PostgresServer {
    fn name(&self) -> &str {
        &self.name
    }

    fn bytes_type(&self) -> &'static str {
        "bytea"
    }

    fn tables(&mut self) -> Result<Vec<String>, Error> {
        tables(&mut self.client).map_err(failure(&self.name))
    }

    fn check_table(&mut self, table: &str) -> Result<(), Error> {
        self.found(table).map(drop)
    }

    fn columns(&mut self, table: &str) -> Result<Vec<String>, Error> {
        let Some(found) = find(&mut self.client, table).map_err(failure(&self.name))? else {
            return Ok(Vec::new());
        };
        Ok(self.described(&found)?.into_iter().map(|column| column.name).collect())
    }

    fn byte_columns(&mut self, wanted: Option<&str>) -> Result<Vec<Place>, Error> {
        let mut all = self.tables()?;
        if let Some(wanted) = wanted {
            // A table may be asked for by its name alone or with its schema.
            let qualified = wanted.split_once('.').map(|(_, table)| table);
            all.retain(|table| table != wanted && Some(table.as_str()) != qualified);
            all.push(wanted.to_owned());
        }
        let mut places = Vec::new();
        for table in all {
            // A table may be dropped at any time.
            let Some(found) = find(&mut self.client, &table).map_err(failure(&self.name))? else { continue };
            let columns = self.described(&found)?.into_iter().filter(Described::is_bytes);
            places.extend(columns.map(|column| (table.clone(), column.name)));
        }
        Ok(places)
    }

    fn heads(&mut self, (table, column): &Place) -> Result<Vec<Vec<u8>>, Error> {
        let (from, column) = (self.found(table)?.sql, quoted(column));
        let sql = format!(
            "SELECT substring({column}::bytea FROM 1 FOR {HEAD}) FROM {from} \
             WHERE octet_length({column}) BETWEEN 1 AND {MAX_FILE_BYTES} LIMIT {LOOKED}"
        );
        let rows = self.client.query(&sql, &[]);
        let heads = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
        heads.map_err(failure(&self.name))
    }

    fn counts(&mut self, (table, column): &Place) -> Result<(u64, u64), Error> {
        let found = self.found(table)?;
        let names = self.columns(table)?;
        let filter = only_real(names.iter().map(String::as_str));
        let sql =
            format!("SELECT count({0}), count(*) - count({0}) FROM {1}{filter}", quoted(column), found.sql);
        let counted = self.client.query_one(&sql, &[]);
        let counts = counted.and_then(|row| Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?)));
        counts.map(|(there, missing)| (there as u64, missing as u64)).map_err(failure(&self.name))
    }

    fn made(&mut self, table: &str) -> Result<Vec<(String, u64)>, Error> {
        let found = self.found(table)?;
        let mark = quoted(PROVENANCE_COLUMN);
        let sql = format!(
            "SELECT {mark}::text, count(*) FROM {} WHERE {mark} IS NOT NULL GROUP BY 1 ORDER BY 1",
            found.sql
        );
        let rows = self.client.query(&sql, &[]).map_err(failure(&self.name))?;
        let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get::<_, i64>(1)? as u64));
        rows.iter().map(pair).collect::<Result<_, _>>().map_err(failure(&self.name))
    }

    fn items(mut self: Box<Self>, ask: &Ask) -> Result<Items, Error> {
        let found = self.found(ask.table)?;
        let columns = self.described(&found)?;
        check_types(&self.name, ask, &columns)?;
        let place = format!("{}: table `{}`", self.name, ask.table);
        let key = primary_key(&mut self.client, &found).map_err(failure(&place))?;
        let query = Query::new(&found, ask, &columns, &key);
        query.spill(&mut self.client, &place)
    }
}

/// An error unless the columns that are asked for are there, the one of bytes has bytes, and that of the labels others.
fn check_types(name: &str, ask: &Ask, columns: &[Described]) -> Result<(), Error> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let of = |wanted: &str| {
        check_column(name, ask.table, wanted, &names)?;
        Ok(columns
            .iter()
            .find(|column| column.name == wanted)
            .map_or((false, ""), |column| (column.is_bytes(), column.type_name.as_str())))
    };
    let (is_bytes, type_name) = of(ask.column)?;
    if !is_bytes {
        let why =
            format!("column `{}` of table `{}` is of type {type_name}, not bytea", ask.column, ask.table);
        return Err(Error::bad(name, why).with_hint(
            "files lie in columns of bytes; name one with --column (`mintage inspect` shows them)",
        ));
    }
    if let Some(label) = ask.label
        && of(label)?.0
    {
        let why = format!("column `{label}` of table `{}` holds bytes, which are no labels", ask.table);
        return Err(Error::bad(name, why).with_hint("name a column of texts or numbers with --label"));
    }
    Ok(())
}

/// What is sent for the items of a column.
struct Query<'a> {
    ask: &'a Ask<'a>,
    /// The table with the condition that its rows are to meet.
    from: String,
    /// What each row is called: the key, or nothing where that is no single number.
    number: Option<String>,
    /// By what rows are ordered; nothing where they have no order of their own.
    order: String,
}

impl<'a> Query<'a> {
    fn new(found: &Found, ask: &'a Ask<'a>, columns: &[Described], key: &[String]) -> Self {
        let column = quoted(ask.column);
        let real = only_real(columns.iter().map(|column| column.name.as_str()));
        let with = if real.is_empty() { "WHERE" } else { "AND" };
        let from = format!("{}{real} {with} octet_length({column}) > 0", found.sql);
        let is_number = |name: &&String| {
            let integers = [PgType::INT2, PgType::INT4, PgType::INT8].map(|ty| ty.oid());
            columns.iter().any(|column| column.name == **name && integers.contains(&column.ty))
        };
        let number = match key {
            [only] => Some(only).filter(is_number).map(|name| quoted(name)),
            _ => None,
        };
        let order = match key {
            // Rows without a key have places.
            [] if found.is_table => "ORDER BY tableoid, ctid".to_owned(),
            [] => String::new(),
            key => format!("ORDER BY {}", key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")),
        };
        Self { ask, from, number, order }
    }

    /// The rows: number, label, bytes. Of very many only those that are needed.
    fn sql(&self, limit: Option<i64>, count: i64) -> String {
        let Self { ask, from, number, order } = self;
        let column = quoted(ask.column);
        let label = ask.label.map_or_else(|| "NULL".to_owned(), |label| format!("{}::text", quoted(label)));
        // What is too long to be meant is not even sent.
        let bytes =
            format!("CASE WHEN octet_length({column}) <= {MAX_FILE_BYTES} THEN {column}::bytea ELSE '' END");
        let number = number.as_ref().map_or("NULL", String::as_str);
        let chosen = limit.filter(|&limit| limit < count).map_or_else(String::new, |limit| {
            // As `evenly` chooses: row i where a whole number k gives i = k · count / limit, rounded down.
            let k = format!("(at * {limit} + {count} - 1) / {count}");
            format!("WHERE {k} < {limit} AND ({k}) * {count} / {limit} = at")
        });
        format!(
            "SELECT coalesce(number, at + 1), label, bytes FROM (\
             SELECT {number}::bigint AS number, {label} AS label, {bytes} AS bytes, \
             row_number() OVER ({order}) - 1 AS at FROM {from}) AS items {chosen} ORDER BY at"
        )
    }

    /// Reads all rows.
    fn spill(&self, client: &mut Client, place: &str) -> Result<Items, Error> {
        let wrong = failure(place);
        let limit = self.ask.limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let count = match limit {
            Some(_) => client.query_one(&format!("SELECT count(*) FROM {}", self.from), &[]),
            None => client.query_one("SELECT 0::bigint", &[]),
        };
        let count: i64 = count.and_then(|row| row.try_get(0)).map_err(&wrong)?;
        let none: [&str; 0] = [];
        let mut rows = client.query_raw(&self.sql(limit, count), none).map_err(&wrong)?;
        let (mut numbers, mut labels, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = ByteWriter::new(IN_MEMORY, "the items of a database");
        while let Some(row) = rows.next().map_err(&wrong)? {
            numbers.push(row.try_get::<_, i64>(0).map_err(&wrong)?);
            if self.ask.label.is_some() {
                let label: Option<String> = row.try_get(1).map_err(&wrong)?;
                labels.push(label.unwrap_or_else(|| NO_LABEL.to_owned()));
            }
            bytes.push(row.try_get(2).map_err(&wrong)?)?;
            ends.push(bytes.len());
        }
        let labels = self.ask.label.map(|_| labels);
        let bytes = Box::new(Spilled { ends, bytes: bytes.finish()? });
        Ok(Items { numbers: numbers.into(), labels, bytes })
    }
}

/// The bytes of all items, one behind the other.
#[derive(Debug)]
struct Spilled {
    /// Where the bytes of each end.
    ends: Vec<usize>,
    bytes: ByteStore,
}

impl Spilled {
    fn range(&self, item: usize) -> Range<usize> {
        let start = if item == 0 { 0 } else { self.ends[item - 1] };
        start..self.ends[item]
    }
}

impl ItemBytes for Spilled {
    fn read(&self, item: usize) -> Result<Vec<u8>, Error> {
        Ok(self.bytes.bytes()[self.range(item)].to_vec())
    }
}
