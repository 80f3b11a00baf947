//! Rows of a SQLite table, within one transaction.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, Transaction, params_from_iter, types::Value};

use super::{
    super::{Column, Declaration, Table, Type},
    IfExists, Writing, Written, check_columns, check_no_provenance_column, create_table, ids, is_there,
};
use crate::{
    Error,
    sink::sqlite::{add_provenance_column, required_columns},
    source::sqlite::{PROVENANCE_COLUMN, columns, open_read_write, quoted, tables},
};

pub(super) fn write(table: &Table, path: &Path, how: &mut Writing) -> Result<Written, Error> {
    check_no_provenance_column(table)?;
    let name = how.table.unwrap_or(&table.name);
    let place = format!("{}: table `{name}`", path.display());
    let is_new = !path.exists();
    let mut connection = open_read_write(path)?;
    let result = fill(&mut connection, table, path, &place, name, how);
    if result.is_err() && is_new {
        drop(connection);
        // SQLite makes the file before the first row is in it.
        let _ = std::fs::remove_file(path);
    }
    result.map(|()| Written { rows: table.rows(), place })
}

fn fill(
    connection: &mut Connection,
    table: &Table,
    path: &Path,
    place: &str,
    name: &str,
    how: &mut Writing,
) -> Result<(), Error> {
    let sql = |error| Error::sqlite(path)(error);
    // Nobody else writes from here on, so that identifiers stay free.
    let behavior = rusqlite::TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior).map_err(sql)?;
    let exists = tables(&transaction).map_err(sql)?.iter().any(|other| other == name);
    match (exists, how.if_exists) {
        (true, IfExists::Fail) => return Err(is_there(place)),
        (true, IfExists::Append) => {
            let names = columns(&transaction, name).map_err(sql)?;
            let computed = computed_columns(&transaction, name).map_err(sql)?;
            let all: Vec<String> = names.iter().chain(&computed).cloned().collect();
            check_columns(place, table, &all, &required_columns(&transaction, name).map_err(sql)?)?;
            add_provenance_column(&transaction, name, &names).map_err(sql)?;
            let present = |column: &str| present(&transaction, name, column).map_err(sql);
            let table = ids::afresh(table, how, present)?;
            insert(&transaction, &table, path, place, name, &computed, how)?;
        }
        (exists, _) => {
            if exists {
                transaction.execute_batch(&format!("DROP TABLE {}", quoted(name))).map_err(sql)?;
            }
            transaction.execute_batch(&create_table(table, &quoted(name), type_name)).map_err(sql)?;
            insert(&transaction, table, path, place, name, &[], how)?;
        }
    }
    transaction.commit().map_err(sql)
}

/// Columns that SQLite computes, and that nothing can be written to.
fn computed_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden IN (2, 3)";
    connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// The identifiers in a column of the target, whatever made them.
fn present(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Column> {
    let sql =
        format!("SELECT CAST({0} AS TEXT) FROM {1} WHERE {0} IS NOT NULL", quoted(column), quoted(table));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut column = Column::new(column, Declaration::default());
    while let Some(row) = rows.next()? {
        column.push(Some(&row.get::<_, String>(0)?));
    }
    Ok(column)
}

/// The type in the words of the source if SQLite's users know them, or the usual name.
fn type_name(declaration: &Declaration) -> &str {
    if let Some(native) = declaration.native.as_deref().filter(|native| is_known(native)) {
        return native;
    }
    match declaration.ty {
        Type::Text => "TEXT",
        Type::Integer => "INTEGER",
        Type::Real => "REAL",
        Type::Decimal => "NUMERIC",
        Type::Boolean => "BOOLEAN",
        Type::Date => "DATE",
        Type::Time => "TIME",
        Type::Timestamp => "TIMESTAMP",
        Type::TimestampTz => "TIMESTAMPTZ",
        Type::Uuid => "UUID",
        Type::Json => "JSON",
    }
}

/// Whether a type's name may stand in SQL as it is: a word from a list, with numbers in parentheses or none.
fn is_known(native: &str) -> bool {
    const WORDS: &str = "int integer tinyint smallint mediumint bigint text char character varchar nchar nvarchar \
                         clob real float double decimal numeric boolean bool date time datetime timestamp uuid json";
    let (word, size) = native.split_once('(').map_or((native, None), |(word, size)| (word, Some(size)));
    let word = word.trim().to_lowercase();
    let is_size = |size: &str| {
        size.strip_suffix(')')
            .is_some_and(|size| size.bytes().all(|b| b.is_ascii_digit() || b", ".contains(&b)))
    };
    WORDS.split_whitespace().any(|known| known == word) && size.is_none_or(is_size)
}

fn insert(
    transaction: &Transaction,
    table: &Table,
    path: &Path,
    place: &str,
    name: &str,
    computed: &[String],
    how: &Writing,
) -> Result<(), Error> {
    let columns: Vec<&Column> =
        table.columns.iter().filter(|column| !computed.contains(&column.name)).collect();
    let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let marks = "?, ".repeat(columns.len());
    let mark = quoted(PROVENANCE_COLUMN);
    let sql = format!("INSERT INTO {} ({}, {mark}) VALUES ({marks}?)", quoted(name), list.join(", "));
    let mut statement = transaction.prepare(&sql).map_err(Error::sqlite(path))?;
    let json = how.provenance.to_json();
    for row in 0..table.rows() {
        let values = columns.iter().map(|column| value(column.cell(row), column.declaration.ty));
        let values = values.chain([Value::Text(json.clone())]);
        statement.execute(params_from_iter(values)).map_err(|error| refused(error, place, path, row))?;
    }
    Ok(())
}

/// Numbers go in as numbers if they come out as the same text; the column's own type decides over the rest.
fn value(cell: Option<&str>, ty: Type) -> Value {
    let Some(text) = cell else { return Value::Null };
    match ty {
        Type::Integer | Type::Boolean | Type::Real | Type::Decimal => {
            let integer = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
            let real = || text.parse::<f64>().ok().filter(|number| number.is_finite() && ty == Type::Real);
            integer.map(Value::Integer).or_else(|| real().map(Value::Real))
        }
        _ => None,
    }
    .unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// A row that the table does not take.
fn refused(error: rusqlite::Error, place: &str, path: &Path, row: usize) -> Error {
    if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
        return Error::sqlite(path)(error);
    }
    Error::bad(place, format!("row {} was refused: {error}", row + 1))
        .with_hint("nothing was written: the transaction was rolled back")
}
