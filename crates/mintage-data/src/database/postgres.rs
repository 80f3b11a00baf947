//! The schema of a PostgreSQL database, from its catalogue, read within one read-only transaction: all tables that can be
//! read, those outside the search path with their schema before their names.

use std::collections::HashMap;

use ::postgres::{IsolationLevel, Row, Transaction};

use super::{
    Column, Generated, RawKey, Schema, Store, Table, actions, finish,
    sql::{SqlCounts, TableSql},
};
use crate::{
    Error, SourceSpec,
    store::{
        PROVENANCE_COLUMN,
        postgres::{Found, SETTINGS, Server, failure, find, primary_key, tables, unreadable_tables},
        quoted,
    },
    table::{postgres_constraints, rules::Constraint},
};

/// How long one count may take, in seconds, and after how many that took longer nothing is counted any more.
const MAX_COUNT_SECS: u64 = 20;
const MAX_TIMEOUTS: usize = 3;

pub(super) fn read(spec: &SourceSpec) -> Result<Schema, Error> {
    let Server { mut client, place } = Server::connect(&spec.source, &spec.pg)?;
    let wrong = failure(&place);
    let builder = client.build_transaction().read_only(true).isolation_level(IsolationLevel::RepeatableRead);
    let mut transaction = builder.start().map_err(&wrong)?;
    let limit = format!("{SETTINGS}; SET LOCAL statement_timeout TO '{MAX_COUNT_SECS}s'");
    transaction.batch_execute(&limit).map_err(&wrong)?;
    let mut counts = Counts { place: &place, transaction, sqls: HashMap::new(), timeouts: 0 };
    let unreadable = unreadable_tables(&mut counts.transaction).map_err(&wrong)?;
    let (mut all, mut declared) = (Vec::new(), Vec::new());
    for name in tables(&mut counts.transaction).map_err(&wrong)? {
        // A table may be dropped at any time.
        if let Some(found) = find(&mut counts.transaction, &name).map_err(&wrong)? {
            all.push(table(&mut counts, &name, &found, spec.allow_made)?);
            let mut keys = keys(&mut counts.transaction, &found).map_err(&wrong)?;
            // The values of a key to what may not be read are those of any column.
            keys.retain(|key| !unreadable.contains(&key.parent));
            declared.push(keys);
        }
    }
    if all.is_empty() && !unreadable.is_empty() {
        return Err(Error::bad(&place, "has no tables that may be read")
            .with_hint("ask their owner for the right to it, or connect as another user"));
    }
    let views = views(&mut counts.transaction).map_err(&wrong)?;
    let schema = finish(&place, Store::Postgres, (all, views), (declared, &spec.keys), &mut counts)?;
    Ok(Schema { unreadable, ..schema })
}

/// A table without its keys to others; its rows are those that are real, unless `allow_made`.
fn table(counts: &mut Counts, name: &str, found: &Found, allow_made: bool) -> Result<Table, Error> {
    let wrong = failure(counts.place);
    let transaction = &mut counts.transaction;
    let mut columns = columns(transaction, found).map_err(&wrong)?;
    let primary_key = primary_key(transaction, found).map_err(&wrong)?;
    let before = columns.len();
    columns.retain(|column| column.name != PROVENANCE_COLUMN);
    let real = match columns.len() < before && !allow_made {
        true => format!("{} IS NULL", quoted(PROVENANCE_COLUMN)),
        false => "TRUE".to_owned(),
    };
    let (mut unique, mut checks) = (Vec::new(), Vec::new());
    for constraint in postgres_constraints(transaction, found).map_err(&wrong)? {
        match constraint {
            Constraint::Unique { columns, condition: None } if columns != primary_key => unique.push(columns),
            Constraint::Check(condition) | Constraint::Other(condition) => checks.push(condition),
            _ => {}
        }
    }
    let ddl = ddl(transaction, found).map_err(&wrong)?;
    let keys = [std::slice::from_ref(&primary_key), &unique].concat();
    let sql = TableSql { from: found.sql.clone(), real, keys };
    let count = format!("SELECT count(*) FROM {} WHERE {}", sql.from, sql.real);
    counts.sqls.insert(name.to_owned(), sql);
    let rows = match counts.numbers(&count)? {
        Some([rows]) => rows,
        None => estimated_rows(&mut counts.transaction, found).map_err(&wrong)?,
    };
    let name = name.to_owned();
    Ok(Table { name, columns, primary_key, unique, checks, rows, ddl, ..Table::default() })
}

/// What the server believes, for a table that takes too long to count.
fn estimated_rows(transaction: &mut Transaction, found: &Found) -> Result<u64, ::postgres::Error> {
    let sql = "SELECT greatest(reltuples, 0)::float8 FROM pg_class WHERE oid = $1";
    transaction.query_one(sql, &[&found.oid])?.try_get::<_, f64>(0).map(|rows| rows as u64)
}

fn columns(transaction: &mut Transaction, found: &Found) -> Result<Vec<Column>, ::postgres::Error> {
    // A domain is the type below it: what it asks for beside stands among the checks.
    let sql = "SELECT a.attname::text, CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) \
               ELSE format_type(a.atttypid, a.atttypmod) END, a.attnotnull OR t.typnotnull, \
               pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated <> '', \
               ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = a.atttypid ORDER BY e.enumsortorder) \
               FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
               LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let column = |row: &Row| {
        let (identity, is_computed): (String, bool) = (row.try_get(4)?, row.try_get(5)?);
        let expression: Option<String> = row.try_get(3)?;
        Ok(Column {
            name: row.try_get(0)?,
            ty: row.try_get(1)?,
            nullable: !row.try_get::<_, bool>(2)?,
            generated: match identity.as_str() {
                _ if is_computed => Some(Generated::Computed),
                "a" => Some(Generated::Always),
                "d" => Some(Generated::Identity),
                // A serial column is one whose default is the next of a sequence.
                _ => expression
                    .as_ref()
                    .filter(|default| default.starts_with("nextval("))
                    .map(|_| Generated::Identity),
            },
            default: expression.clone().filter(|_| !is_computed),
            expression: expression.filter(|_| is_computed),
            labels: row.try_get(6)?,
        })
    };
    transaction.query(sql, &[&found.oid])?.iter().map(column).collect()
}

/// The keys of a table to others, by name; what the server adds for partitions is left out.
fn keys(transaction: &mut Transaction, found: &Found) -> Result<Vec<RawKey>, ::postgres::Error> {
    let columns = |numbers: &str, table: &str| {
        format!(
            "ARRAY(SELECT a.attname::text FROM unnest({numbers}) WITH ORDINALITY AS k (at, n) \
             JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = k.at ORDER BY k.n)"
        )
    };
    let sql = format!(
        "SELECT {}, CASE WHEN pg_table_is_visible(p.oid) THEN p.relname::text ELSE n.nspname || '.' || p.relname END, \
         {}, c.condeferrable, c.confdeltype::text, c.confupdtype::text, c.condeferred \
         FROM pg_constraint c JOIN pg_class p ON p.oid = c.confrelid \
         JOIN pg_namespace n ON n.oid = p.relnamespace \
         WHERE c.conrelid = $1 AND c.contype = 'f' AND NOT p.relispartition ORDER BY c.conname",
        columns("c.conkey", "c.conrelid"),
        columns("c.confkey", "c.confrelid")
    );
    let key = |row: &Row| {
        Ok(RawKey {
            columns: row.try_get(0)?,
            parent: row.try_get(1)?,
            parent_columns: Some(row.try_get(2)?),
            deferrable: row.try_get(3)?,
            deferred: row.try_get(6)?,
            actions: actions(action(row.try_get(4)?), action(row.try_get(5)?)),
        })
    };
    transaction.query(&sql, &[&found.oid])?.iter().map(key).collect()
}

/// The words for the letter by which the catalogue knows an action.
fn action(letter: &str) -> &'static str {
    match letter {
        "c" => "CASCADE",
        "r" => "RESTRICT",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => "NO ACTION",
    }
}

/// The statements that made the indexes and triggers of a table, without those of its constraints.
fn ddl(transaction: &mut Transaction, found: &Found) -> Result<Vec<String>, ::postgres::Error> {
    let sql = "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = $1 \
               AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = $1) \
               UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal";
    transaction.query(sql, &[&found.oid])?.iter().map(|row| row.try_get(0)).collect()
}

fn views(transaction: &mut Transaction) -> Result<Vec<String>, ::postgres::Error> {
    let sql = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text ELSE n.nspname || '.' || c.relname END \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm', 'f') \
               AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
               AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1";
    transaction.query(sql, &[])?.iter().map(|row| row.try_get(0)).collect()
}

/// Counts on the server, each count within its time.
struct Counts<'a> {
    place: &'a str,
    transaction: Transaction<'a>,
    sqls: HashMap<String, TableSql>,
    timeouts: usize,
}

impl SqlCounts for Counts<'_> {
    const HAS_HASH_JOINS: bool = true;

    fn table_sql(&self, name: &str) -> Option<&TableSql> {
        self.sqls.get(name)
    }

    /// Of types of dates alone: the server fails at what it cannot take for a date, and at days without an end.
    fn days_sql(column: &Column) -> Option<String> {
        let ty = column.ty.as_str();
        if ty != "date" && !ty.starts_with("timestamp") || ty.ends_with(']') {
            return None;
        }
        let column = quoted(&column.name);
        Some(format!(
            "count(DISTINCT {column}::date), CASE WHEN isfinite(min({column})) AND isfinite(max({column})) \
             THEN (max({column})::date - min({column})::date + 1)::bigint ELSE 0::bigint END"
        ))
    }

    /// Nothing also where the server cannot compare the types of two columns.
    fn numbers<const N: usize>(&mut self, sql: &str) -> Result<Option<[u64; N]>, Error> {
        use ::postgres::error::SqlState;
        if self.timeouts >= MAX_TIMEOUTS {
            return Ok(None);
        }
        let wrong = failure(self.place);
        // What fails takes back this inner transaction alone.
        let mut inner = self.transaction.transaction().map_err(&wrong)?;
        let row = match inner.query_one(sql, &[]) {
            Ok(row) => row,
            Err(error) => {
                return match error.code() {
                    Some(code) if *code == SqlState::QUERY_CANCELED => {
                        self.timeouts += 1;
                        Ok(None)
                    }
                    Some(code) if *code == SqlState::UNDEFINED_FUNCTION => Ok(None),
                    _ => Err(wrong(error)),
                };
            }
        };
        let mut numbers = [0; N];
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = row.try_get::<_, i64>(at).map_err(&wrong)? as u64;
        }
        inner.commit().map_err(&wrong)?;
        Ok(Some(numbers))
    }
}
