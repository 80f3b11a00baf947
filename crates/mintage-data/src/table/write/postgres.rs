//! Rows of a PostgreSQL table: COPY within one transaction.

use std::{
    borrow::Cow,
    io::{BufWriter, Write},
};

use ::postgres::Transaction;
use regex::Regex;

use super::{
    super::{Column, Declaration, Type},
    IfExists, Writing, Written,
    cast::{Cast, schema_of},
    check_columns, check_no_provenance_column, create_table, is_there,
    rows::{IdRange, Rows},
};
use crate::{
    Error,
    store::{
        PROVENANCE_COLUMN,
        postgres::{
            Described, Found, Server, add_provenance_column, copy_failure, described, failure, find,
            new_name, type_of,
        },
        quoted,
    },
};

pub(super) fn write(rows: &mut Rows, how: &mut Writing) -> Result<Written, Error> {
    check_no_provenance_column(rows.head)?;
    let Server { mut client, place } = Server::connect(how.target, how.pg)?;
    let name = how.table.unwrap_or(&rows.head.name).to_owned();
    let shown = format!("{place}: table `{name}`");
    let wrong = failure(&shown);
    {
        let mut transaction = client.build_transaction().read_only(true).start().map_err(&wrong)?;
        let found = find(&mut transaction, &name).map_err(&wrong)?;
        check(&mut transaction, found.as_ref(), rows, &shown, how)?;
    }
    // While the first rows are made, nobody else is kept waiting.
    rows.prepare()?;
    let mut transaction = client.transaction().map_err(&wrong)?;
    let found = find(&mut transaction, &name).map_err(&wrong)?;
    match (found, how.if_exists) {
        (Some(found), IfExists::Append) => append(&mut transaction, &found, rows, &shown, how)?,
        (found, _) => {
            check(&mut transaction, found.as_ref(), rows, &shown, how)?;
            let target = match found {
                Some(found) => {
                    transaction.batch_execute(&format!("DROP TABLE {}", found.sql)).map_err(&wrong)?;
                    found.sql
                }
                None => new_name(&mut transaction, &name).map_err(&wrong)?,
            };
            let create = create_table(rows, &target, type_name, how);
            transaction.batch_execute(&create).map_err(&wrong)?;
            rows.bound(how, |column| id_range(type_name(&column.declaration)))?;
            let casts = casts(rows, how, |column| column.declaration.strict_type());
            copy(&mut transaction, rows, casts, &target, &[], &shown, how)?;
        }
    }
    transaction.commit().map_err(wrong)?;
    Ok(Written { rows: rows.written, place: shown })
}

/// What can be known before any row is made: whether the table may be there, and whether it takes the rows.
fn check(
    transaction: &mut Transaction,
    found: Option<&Found>,
    rows: &Rows,
    place: &str,
    how: &Writing,
) -> Result<(), Error> {
    match (found, how.if_exists) {
        (Some(_), IfExists::Fail) => Err(is_there(place)),
        (Some(found), IfExists::Append) => {
            let target = Target::of(transaction, found).map_err(failure(place))?;
            check_columns(place, rows.head, &target.names, &target.required)
        }
        _ => Ok(()),
    }
}

fn append(
    transaction: &mut Transaction,
    found: &Found,
    rows: &mut Rows,
    place: &str,
    how: &mut Writing,
) -> Result<(), Error> {
    let wrong = failure(place);
    // Nobody else writes from here on, so that identifiers stay free.
    let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", found.sql);
    transaction.batch_execute(&lock).map_err(&wrong)?;
    let target = Target::of(transaction, found).map_err(&wrong)?;
    check_columns(place, rows.head, &target.names, &target.required)?;
    if how.provenance.is_some() && !target.names.iter().any(|name| name == PROVENANCE_COLUMN) {
        add_provenance_column(transaction, found).map_err(&wrong)?;
    }
    let range = |column: &Column| target.type_of(&column.name).and_then(|(_, name)| id_range(name));
    rows.renew(how, |column| present(transaction, found, column).map_err(&wrong), range)?;
    let casts = casts(rows, how, |column| {
        target.type_of(&column.name).map_or_else(|| column.declaration.value_type(), |(ty, _)| *ty)
    });
    copy(transaction, rows, casts, &found.sql, &target.computed, place, how)?;
    for (i, _) in how.ids {
        if let Some(column) = rows.head.columns.get(*i) {
            count_on(transaction, found, &column.name).map_err(&wrong)?;
        }
    }
    Ok(())
}

/// For each column how its cells become values.
pub(super) fn casts(rows: &Rows, how: &Writing, ty: impl Fn(&Column) -> Type) -> Vec<Cast> {
    let columns = rows.head.columns.iter();
    columns.map(|column| Cast::to(ty(column), column, schema_of(column, how.schema))).collect()
}

/// The whole numbers that a type holds.
pub(super) fn id_range(name: &str) -> Option<IdRange> {
    match name {
        "smallint" => Some((i16::MIN.into(), i16::MAX.into())),
        "integer" => Some((i32::MIN.into(), i32::MAX.into())),
        "bigint" => Some((i64::MIN.into(), i64::MAX.into())),
        _ => None,
    }
}

/// The columns of a table that is there.
pub(super) struct Target {
    pub names: Vec<String>,
    /// That must be given a value.
    pub required: Vec<String>,
    /// That the server computes.
    pub computed: Vec<String>,
    /// By column: what it holds, and the name of its type.
    types: Vec<(Type, String)>,
}

impl Target {
    pub fn type_of(&self, name: &str) -> Option<&(Type, String)> {
        self.types.get(self.names.iter().position(|other| other == name)?)
    }

    pub fn of(transaction: &mut Transaction, found: &Found) -> Result<Self, ::postgres::Error> {
        let columns = described(transaction, found)?;
        let named = |is: &dyn Fn(&Described) -> bool| {
            columns.iter().filter(|&column| is(column)).map(|column| column.name.clone()).collect()
        };
        Ok(Self {
            required: named(&|column| column.is_required),
            computed: named(&|column| column.is_computed),
            names: named(&|_| true),
            types: columns.into_iter().map(|column| (type_of(column.ty), column.base_name)).collect(),
        })
    }
}

/// The identifiers in a column of the target, whatever made them.
pub(super) fn present(
    transaction: &mut Transaction,
    found: &Found,
    name: &str,
) -> Result<Column, ::postgres::Error> {
    let sql = format!("SELECT {0}::text FROM {1} WHERE {0} IS NOT NULL", quoted(name), found.sql);
    let mut column = Column::new(name, Declaration::default());
    for row in transaction.query(&sql, &[])? {
        column.push(row.try_get(0)?);
    }
    Ok(column)
}

/// Lets the sequence behind a column, if it has one, go on after the largest number: what others insert
/// later must not collide either.
pub(crate) fn count_on(
    transaction: &mut Transaction,
    found: &Found,
    name: &str,
) -> Result<(), ::postgres::Error> {
    let sequence = transaction.query_one("SELECT pg_get_serial_sequence($1, $2)", &[&found.sql, &name])?;
    let Some(sequence) = sequence.try_get::<_, Option<String>>(0)? else { return Ok(()) };
    let sql = format!(
        "SELECT setval($1::text::regclass, max({0})) FROM {1} HAVING max({0}) > 0",
        quoted(name),
        found.sql
    );
    transaction.query(&sql, &[&sequence]).map(|_| ())
}

/// The type in the server's own words if the source was one, or the usual name.
pub(super) fn type_name(declaration: &Declaration) -> &str {
    // From a list, since the words stand in SQL as they are.
    let known = Regex::new(
        r"^(smallint|integer|bigint|real|double precision|text|date|uuid|jsonb?|boolean|(character|character varying|numeric)(\(\d+(,-?\d+)?\))?|(time|timestamp)(\(\d\))? with(out)? time zone)$",
    );
    let native = declaration.native.as_deref();
    if let Some(native) = native.filter(|native| known.is_ok_and(|known| known.is_match(native))) {
        return native;
    }
    if let Some(same) = native.and_then(parquet_type_name) {
        return same;
    }
    match declaration.strict_type() {
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

/// The type that holds what a column of a Parquet file holds, where another one than the usual is meant.
fn parquet_type_name(native: &str) -> Option<&'static str> {
    Some(match native {
        "Int8" | "UInt8" | "Int16" => "smallint",
        "UInt16" | "Int32" => "integer",
        "UInt64" => "numeric(20,0)",
        "Float16" | "Float32" => "real",
        _ => return None,
    })
}

/// Sends all rows.
fn copy(
    transaction: &mut Transaction,
    rows: &mut Rows,
    casts: Vec<Cast>,
    target: &str,
    computed: &[String],
    place: &str,
    how: &mut Writing,
) -> Result<(), Error> {
    let given: Vec<usize> =
        (0..casts.len()).filter(|&i| !computed.contains(&rows.head.columns[i].name)).collect();
    let mut list: Vec<String> = given.iter().map(|&i| quoted(&rows.head.columns[i].name)).collect();
    list.extend(how.provenance.map(|_| quoted(PROVENANCE_COLUMN)));
    let sql = format!("COPY {target} ({}) FROM STDIN", list.join(", "));
    let mut out = BufWriter::new(transaction.copy_in(&sql).map_err(failure(place))?);
    // What ends every row.
    let mark = how.provenance.map(|provenance| escaped(&provenance.to_json()).into_owned());
    let end = format!("{}\n", mark.map_or_else(String::new, |mark| format!("\t{mark}")));
    let mut text = Vec::new();
    while let Some(part) = rows.next(how.random)? {
        text.clear();
        // Worked out once a distinct text.
        let columns: Vec<(&Column, Vec<String>)> =
            given.iter().map(|&i| (&part.columns[i], cells(&part.columns[i], &casts[i]))).collect();
        for row in 0..part.rows() {
            for (at, (column, cells)) in columns.iter().enumerate() {
                if at > 0 {
                    text.push(b'\t');
                }
                let cell = cells.get(column.numbers()[row] as usize);
                text.extend_from_slice(cell.map_or("\\N", String::as_str).as_bytes());
            }
            text.extend_from_slice(end.as_bytes());
        }
        out.write_all(&text).map_err(copy_failure(place))?;
    }
    let sent = out.into_inner().map_err(|error| copy_failure(place)(error.into_error()))?;
    let taken = sent.finish().map_err(failure(place))?;
    if taken != rows.written as u64 {
        return Err(Error::bad(place, format!("took {taken} of {} rows", rows.written)));
    }
    Ok(())
}

/// The cells that COPY is sent for each distinct text of a column.
fn cells(column: &Column, cast: &Cast) -> Vec<String> {
    let cell =
        |text: &str| cast.text(text).map_or_else(|| "\\N".to_owned(), |cell| escaped(&cell).into_owned());
    column.values().iter().map(cell).collect()
}

/// A text as a cell of COPY's text format.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '\n', '\r', '\t']) {
        return Cow::Borrowed(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    Cow::Owned(escaped)
}
