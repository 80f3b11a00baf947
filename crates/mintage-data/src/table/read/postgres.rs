//! Tables and queries of a PostgreSQL server, read within one read-only transaction with COPY.

pub(super) mod constraints;

use std::{borrow::Cow, io::BufRead};

use ::postgres::{IsolationLevel, Row, Transaction, types::Type as PgType};

use super::{
    super::{Declaration, Table, Type},
    Rows, Sieve, check_names, chosen, empty,
    real::{only_real, over_real_rows},
};
use crate::{
    Error, SourceSpec,
    store::{
        PROVENANCE_COLUMN,
        postgres::{Found, SETTINGS, Server, copy_failure, failure, find, no_such_table, tables, type_of},
        quoted,
    },
};

/// Names and numbers of rows of all tables, without the rows that Mintage made.
pub(super) fn tables_of(spec: &SourceSpec) -> Result<Vec<(String, usize)>, Error> {
    let Server { mut client, place } = Server::connect(&spec.source, &spec.pg)?;
    let wrong = failure(&place);
    let mut transaction = client.build_transaction().read_only(true).start().map_err(&wrong)?;
    let mut counted = Vec::new();
    let mut names = tables(&mut transaction).map_err(&wrong)?;
    // A view counts when it is asked for.
    names.extend(spec.table.clone().filter(|wanted| !names.contains(wanted)));
    for name in names {
        // A table may be dropped at any time.
        if let Some(found) = find(&mut transaction, &name).map_err(&wrong)? {
            let columns = columns(&mut transaction, &found).map_err(&wrong)?;
            let filter = only_real(columns.iter().map(|column| column.name.as_str()));
            let sql = format!("SELECT count(*) FROM {}{filter}", found.sql);
            let rows: i64 =
                transaction.query_one(&sql, &[]).and_then(|row| row.try_get(0)).map_err(&wrong)?;
            counted.push((name, rows as usize));
        }
    }
    Ok(counted)
}

pub(super) fn read(spec: &SourceSpec, sieve: Option<&mut dyn Sieve>) -> Result<Table, Error> {
    let Server { mut client, place } = Server::connect(&spec.source, &spec.pg)?;
    let wrong = failure(&place);
    let builder = client.build_transaction().read_only(true).isolation_level(IsolationLevel::RepeatableRead);
    let mut transaction = builder.start().map_err(&wrong)?;
    transaction.batch_execute(SETTINGS).map_err(&wrong)?;
    match &spec.query {
        Some(query) => read_query(&mut transaction, &place, query, (spec, sieve)),
        None => read_table(&mut transaction, &place, (spec, sieve)),
    }
}

fn read_table(
    transaction: &mut Transaction,
    place: &str,
    (spec, sieve): (&SourceSpec, Option<&mut dyn Sieve>),
) -> Result<Table, Error> {
    let name = choose(transaction, place, spec)?;
    let wrong = failure(place);
    let Some(found) = find(transaction, &name).map_err(&wrong)? else {
        return Err(no_such_table(place, &name, &tables(transaction).map_err(&wrong)?));
    };
    if found.is_table {
        // From here on nobody can drop or change it.
        transaction
            .batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", found.sql))
            .map_err(&wrong)?;
    }
    let place = format!("{place}: table `{name}`");
    let mut all = columns(transaction, &found).map_err(&wrong)?;
    let filter = only_real(all.iter().map(|column| column.name.as_str()));
    all.retain(|column| column.name != PROVENANCE_COLUMN);
    let from = format!(" FROM {}{filter}", found.sql);
    let mut selection = Selection::new(&place, name, all, spec)?;
    selection.table.constraints = constraints::constraints(transaction, &found).map_err(&wrong)?;
    let list: Vec<String> = selection.table.names().map(quoted).collect();
    let copy = format!("COPY (SELECT {}{from}) TO STDOUT", list.join(", "));
    let sources = (0..list.len()).collect();
    selection.copy(transaction, &place, &copy, (sources, None), (spec, sieve))
}

fn read_query(
    transaction: &mut Transaction,
    place: &str,
    query: &str,
    (spec, sieve): (&SourceSpec, Option<&mut dyn Sieve>),
) -> Result<Table, Error> {
    let place = format!("{place}: the query");
    let marked = marked_tables(transaction).map_err(failure(&place))?;
    let real = over_real_rows(query, &marked).filter(|real| is_understood(transaction, real));
    let query = real.as_deref().unwrap_or(query);
    // Preparing it shows that it is one statement, which nothing can follow.
    let statement = transaction.prepare(query).map_err(failure(&place))?;
    let column = |column: &::postgres::Column| PgColumn {
        name: column.name().to_owned(),
        is_bytes: *column.type_() == PgType::BYTEA,
        declaration: Declaration {
            ty: type_of(column.type_().oid()),
            native: Some(column.type_().name().to_owned()),
            ..Declaration::default()
        },
    };
    let mut all: Vec<PgColumn> = statement.columns().iter().map(column).collect();
    let names: Vec<String> = all.iter().map(|column| column.name.clone()).collect();
    let mark = names.iter().position(|name| name == PROVENANCE_COLUMN);
    all.retain(|column| column.name != PROVENANCE_COLUMN);
    let name = spec.table.clone().unwrap_or("query".to_owned());
    let selection = Selection::new(&place, name, all, spec)?;
    let find = |column: &str| names.iter().position(|name| name == column);
    let sources = selection.table.names().filter_map(find).collect();
    let query = query.trim().trim_end_matches(';');
    // The line end closes a comment.
    selection.copy(
        transaction,
        &place,
        &format!("COPY ({query}\n) TO STDOUT"),
        (sources, mark),
        (spec, sieve),
    )
}

/// Whether the server understands a query; one that it does not leaves the transaction as it was.
fn is_understood(transaction: &mut Transaction, query: &str) -> bool {
    transaction.transaction().is_ok_and(|mut inner| inner.prepare(query).is_ok())
}

/// Tables with rows that may have been made, by name and in SQL.
fn marked_tables(transaction: &mut Transaction) -> Result<Vec<(String, String)>, ::postgres::Error> {
    let sql = "SELECT c.relname::text, quote_ident(n.nspname) || '.' || quote_ident(c.relname) \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $1 AND NOT a.attisdropped \
               WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) AND has_table_privilege(c.oid, 'SELECT')";
    let rows = transaction.query(sql, &[&PROVENANCE_COLUMN])?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The table that is asked for, or the only one.
fn choose(transaction: &mut Transaction, place: &str, spec: &SourceSpec) -> Result<String, Error> {
    match &spec.table {
        Some(table) => Ok(table.clone()),
        None => super::the_only(place, &mut tables(transaction).map_err(failure(place))?),
    }
}

struct PgColumn {
    name: String,
    is_bytes: bool,
    declaration: Declaration,
}

/// The columns of a table; a domain counts as the type below it.
fn columns(transaction: &mut Transaction, found: &Found) -> Result<Vec<PgColumn>, ::postgres::Error> {
    let sql = "SELECT a.attname::text, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, \
               format_type(a.atttypid, a.atttypmod), a.attnotnull, \
               EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary \
                       AND a.attnum = ANY (i.indkey)), \
               EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique \
                       AND NOT i.indisprimary AND i.indpred IS NULL AND i.indnkeyatts = 1 \
                       AND i.indkey[0] = a.attnum), \
               (SELECT min(k.confrelid::regclass || '.' || r.attname) FROM pg_constraint k \
                JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[1] \
                WHERE k.contype = 'f' AND k.conrelid = a.attrelid AND k.conkey = ARRAY[a.attnum]) \
               FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let column = |row: &Row| {
        let oid: u32 = row.try_get(1)?;
        let declaration = Declaration {
            ty: type_of(oid),
            native: row.try_get(2)?,
            not_null: row.try_get(3)?,
            primary_key: row.try_get(4)?,
            unique: row.try_get(5)?,
            refers_to: row.try_get(6)?,
            ..Declaration::default()
        };
        Ok(PgColumn { name: row.try_get(0)?, is_bytes: oid == PgType::BYTEA.oid(), declaration })
    };
    transaction.query(sql, &[&found.oid])?.iter().map(column).collect()
}

/// What is read: a table that is still empty.
struct Selection {
    table: Table,
}

impl Selection {
    /// The columns that are wanted. Those of bytes are left out, or an error when they were asked for.
    fn new(place: &str, name: String, all: Vec<PgColumn>, spec: &SourceSpec) -> Result<Self, Error> {
        let names: Vec<String> = all.iter().map(|column| column.name.clone()).collect();
        check_names(place, &names)?;
        let mut columns = chosen(spec.column.as_deref(), place, &names)?;
        let (bytes, others): (Vec<usize>, Vec<usize>) = columns.iter().partition(|&&i| all[i].is_bytes);
        if let Some(&first) = bytes.first().filter(|_| spec.column.is_some() || others.is_empty()) {
            let why = format!("column `{}` holds bytes, which no table model learns", names[first]);
            return Err(Error::bad(place, why));
        }
        columns.retain(|i| others.contains(i));
        let mut table = empty(name, &names, &columns);
        let note = |&i: &usize| format!("column `{}` holds bytes and was left out", names[i]);
        table.notes = bytes.iter().map(note).collect();
        for (column, &i) in table.columns.iter_mut().zip(&columns) {
            column.declaration = all[i].declaration.clone();
        }
        Ok(Self { table })
    }

    /// Reads what the server sends. `sources` are the places of the columns in a row of it; rows with a value
    /// at `mark` are skipped.
    fn copy(
        self,
        transaction: &mut Transaction,
        place: &str,
        copy: &str,
        (sources, mark): (Vec<usize>, Option<usize>),
        (spec, sieve): (&SourceSpec, Option<&mut dyn Sieve>),
    ) -> Result<Table, Error> {
        let mut rows = Rows::new(self.table, spec, sieve);
        let mut lines = transaction.copy_out(copy).map_err(failure(place))?;
        let mut line = Vec::new();
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line).map_err(copy_failure(place))? == 0 {
                return rows.finish(place);
            }
            let not_utf8 = |_| Error::bad(place, "holds bytes that are no UTF-8");
            let text = std::str::from_utf8(&line).map_err(not_utf8)?;
            let cells: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
            let is_real = mark.is_none_or(|mark| cells.get(mark).copied() == Some("\\N"));
            if is_real && rows.keeps_next() {
                for (column, &source) in rows.table.columns.iter_mut().zip(&sources) {
                    let cell = cells.get(source).copied().and_then(unescaped);
                    column.push(cell.as_deref().map(|text| match (column.declaration.ty, text) {
                        (Type::Boolean, "t") => "true",
                        (Type::Boolean, "f") => "false",
                        (_, text) => text,
                    }));
                }
            }
        }
    }
}

/// A cell of COPY's text format; nothing for NULL.
fn unescaped(cell: &str) -> Option<Cow<'_, str>> {
    if cell == "\\N" {
        return None;
    }
    if !cell.contains('\\') {
        return Some(Cow::Borrowed(cell));
    }
    let mut text = String::with_capacity(cell.len());
    let mut letters = cell.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => match letters.next().unwrap_or('\\') {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                other => other,
            },
            other => other,
        });
    }
    Some(Cow::Owned(text))
}
