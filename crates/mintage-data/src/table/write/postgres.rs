//! Rows of a PostgreSQL table: COPY within one transaction.

use std::{
    borrow::Cow,
    io::{self, BufWriter, Write},
};

use ::postgres::Transaction;
use regex::Regex;

use super::{
    super::{
        Column, Declaration, Table, Type,
        postgres::{Found, Server, copy_failure, failure, find},
    },
    IfExists, Writing, Written, check_columns, check_no_provenance_column, create_table, ids, is_there,
};
use crate::{
    Error,
    source::sqlite::{PROVENANCE_COLUMN, quoted},
};

pub(super) fn write(table: &Table, how: &mut Writing) -> Result<Written, Error> {
    check_no_provenance_column(table)?;
    let Server { mut client, place } = Server::connect(how.target, how.pg)?;
    let name = how.table.unwrap_or(&table.name);
    let shown = format!("{place}: table `{name}`");
    let wrong = failure(&shown);
    let mut transaction = client.transaction().map_err(&wrong)?;
    let found = find(&mut transaction, name).map_err(&wrong)?;
    match (found, how.if_exists) {
        (Some(_), IfExists::Fail) => return Err(is_there(&shown)),
        (Some(found), IfExists::Append) => append(&mut transaction, &found, table, &shown, how)?,
        (found, _) => {
            let target = match found {
                Some(found) => {
                    transaction.batch_execute(&format!("DROP TABLE {}", found.sql)).map_err(&wrong)?;
                    found.sql
                }
                None => new_name(&mut transaction, name).map_err(&wrong)?,
            };
            transaction.batch_execute(&create_table(table, &target, type_name)).map_err(&wrong)?;
            copy(&mut transaction, table, &target, &[], &shown, how)?;
        }
    }
    transaction.commit().map_err(wrong)?;
    Ok(Written { rows: table.rows(), place: shown })
}

fn append(
    transaction: &mut Transaction,
    found: &Found,
    table: &Table,
    place: &str,
    how: &mut Writing,
) -> Result<(), Error> {
    let wrong = failure(place);
    // Nobody else writes from here on, so that identifiers stay free.
    let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", found.sql);
    transaction.batch_execute(&lock).map_err(&wrong)?;
    let target = Target::of(transaction, found.oid).map_err(&wrong)?;
    check_columns(place, table, &target.names, &target.required)?;
    if !target.names.iter().any(|name| name == PROVENANCE_COLUMN) {
        let add = format!("ALTER TABLE {} ADD COLUMN {} text", found.sql, quoted(PROVENANCE_COLUMN));
        transaction.batch_execute(&add).map_err(&wrong)?;
    }
    let fresh = ids::afresh(table, how, |column| present(transaction, found, column).map_err(&wrong))?;
    copy(transaction, &fresh, &found.sql, &target.computed, place, how)?;
    for (i, _) in how.ids {
        if let Some(column) = table.columns.get(*i) {
            count_on(transaction, found, &column.name).map_err(&wrong)?;
        }
    }
    Ok(())
}

/// The columns of a table that is there.
struct Target {
    names: Vec<String>,
    /// That must be given a value.
    required: Vec<String>,
    /// That the server computes.
    computed: Vec<String>,
}

impl Target {
    fn of(transaction: &mut Transaction, oid: u32) -> Result<Self, ::postgres::Error> {
        let sql = "SELECT attname::text, attnotnull AND NOT atthasdef AND attidentity = '', attgenerated <> '' \
                   FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let mut target = Self { names: Vec::new(), required: Vec::new(), computed: Vec::new() };
        for row in transaction.query(sql, &[&oid])? {
            let name: String = row.try_get(0)?;
            if row.try_get(1)? {
                target.required.push(name.clone());
            }
            if row.try_get(2)? {
                target.computed.push(name.clone());
            }
            target.names.push(name);
        }
        Ok(target)
    }
}

/// The identifiers in a column of the target, whatever made them.
fn present(transaction: &mut Transaction, found: &Found, name: &str) -> Result<Column, ::postgres::Error> {
    let sql = format!("SELECT {0}::text FROM {1} WHERE {0} IS NOT NULL", quoted(name), found.sql);
    let mut column = Column::new(name, Declaration::default());
    for row in transaction.query(&sql, &[])? {
        column.push(row.try_get(0)?);
    }
    Ok(column)
}

/// Lets the sequence behind a column, if it has one, go on after the largest number: what others insert
/// later must not collide either.
fn count_on(transaction: &mut Transaction, found: &Found, name: &str) -> Result<(), ::postgres::Error> {
    let sequence = transaction.query_one("SELECT pg_get_serial_sequence($1, $2)", &[&found.sql, &name])?;
    let Some(sequence) = sequence.try_get::<_, Option<String>>(0)? else { return Ok(()) };
    let sql = format!(
        "SELECT setval($1::text::regclass, max({0})) FROM {1} HAVING max({0}) > 0",
        quoted(name),
        found.sql
    );
    transaction.query(&sql, &[&sequence]).map(|_| ())
}

/// The name of a table that is to be made, as SQL: in a schema if there is one of that name before a dot.
fn new_name(transaction: &mut Transaction, name: &str) -> Result<String, ::postgres::Error> {
    if let Some((schema, table)) = name.split_once('.') {
        let is_there = transaction.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema])?;
        if is_there.is_some() {
            return Ok(format!("{}.{}", quoted(schema), quoted(table)));
        }
    }
    Ok(quoted(name))
}

/// The type in the server's own words if the source was one, or the usual name.
fn type_name(declaration: &Declaration) -> &str {
    // From a list, since the words stand in SQL as they are.
    let known = Regex::new(
        r"^(smallint|integer|bigint|real|double precision|text|date|uuid|jsonb?|boolean|(character|character varying|numeric)(\(\d+(,-?\d+)?\))?|(time|timestamp)(\(\d\))? with(out)? time zone)$",
    );
    let native = declaration.native.as_deref();
    if let Some(native) = native.filter(|native| known.is_ok_and(|known| known.is_match(native))) {
        return native;
    }
    match declaration.ty {
        Type::Text => "text",
        Type::Integer => "bigint",
        Type::Real => "double precision",
        Type::Decimal => "numeric",
        Type::Boolean => "boolean",
        Type::Date => "date",
        Type::Time => "time",
        Type::Timestamp => "timestamp",
        Type::TimestampTz => "timestamptz",
        Type::Uuid => "uuid",
        Type::Json => "jsonb",
    }
}

/// Sends all rows.
fn copy(
    transaction: &mut Transaction,
    table: &Table,
    target: &str,
    computed: &[String],
    place: &str,
    how: &Writing,
) -> Result<(), Error> {
    let columns: Vec<&Column> =
        table.columns.iter().filter(|column| !computed.contains(&column.name)).collect();
    let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let sql = format!("COPY {target} ({}, {}) FROM STDIN", list.join(", "), quoted(PROVENANCE_COLUMN));
    let mut out = BufWriter::new(transaction.copy_in(&sql).map_err(failure(place))?);
    let mark = escaped(&how.provenance.to_json()).into_owned();
    for row in 0..table.rows() {
        send(&mut out, &columns, row, &mark).map_err(copy_failure(place))?;
    }
    let sent = out.into_inner().map_err(|error| copy_failure(place)(error.into_error()))?;
    let rows = sent.finish().map_err(failure(place))?;
    if rows != table.rows() as u64 {
        return Err(Error::bad(place, format!("took {rows} of {} rows", table.rows())));
    }
    Ok(())
}

fn send(out: &mut dyn Write, columns: &[&Column], row: usize, mark: &str) -> io::Result<()> {
    for column in columns {
        match column.cell(row) {
            None => out.write_all(b"\\N")?,
            Some(text) => out.write_all(escaped(text).as_bytes())?,
        }
        out.write_all(b"\t")?;
    }
    out.write_all(mark.as_bytes())?;
    out.write_all(b"\n")
}

/// A text as a cell of COPY's text format.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '\n', '\r', '\t']) {
        return Cow::Borrowed(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    Cow::Owned(escaped)
}
