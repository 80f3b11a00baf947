//! Rows of a SQLite table, within one transaction.
//!
//! A table that is replaced takes nothing of another one with it: SQLite would delete the rows that refer to it, or empty
//! their columns. Its own indexes and triggers are made again as they were.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, Transaction, types::Value};

use super::{
    super::{Column, Declaration, Table, Type, read::sqlite::declared_type},
    IfExists, NOTHING_WRITTEN, Writing, Written,
    cast::{Cast, schema_of},
    check_columns, check_no_provenance_column, create_table, is_there, made_meanwhile,
    rows::{I64_RANGE, Rows},
};
use crate::{
    Error,
    sink::sqlite::{NewDatabase, add_provenance_column, required_columns},
    store::{
        PROVENANCE_COLUMN, quoted,
        sqlite::{columns, open_read_only, tables, views},
    },
};

pub(super) fn write(rows: &mut Rows, path: &Path, how: &mut Writing) -> Result<Written, Error> {
    check_no_provenance_column(rows.head)?;
    let name = how.table.unwrap_or(&rows.head.name).to_owned();
    let place = format!("{}: table `{name}`", path.display());
    let is_new = !path.exists();
    if !is_new {
        let connection = open_read_only(path)?;
        Existing::of(&connection, path, &place, &name, rows.head, how)?;
        // While the first rows are made, nobody else is kept waiting.
        rows.prepare()?;
    }
    let mut new = NewDatabase::beside(path)?;
    if how.if_exists == IfExists::Replace {
        // With them, dropping a table deletes its rows first, and what refers to them. Within a transaction it is too late.
        new.connection.pragma_update(None, "foreign_keys", false).map_err(Error::sqlite(path))?;
    }
    if let Err(error) = fill(&mut new.connection, rows, path, &place, &name, how) {
        new.give_up();
        return Err(error);
    }
    new.finish().map_err(|error| made_meanwhile(path, error))?;
    Ok(Written { rows: rows.written, place })
}

/// The table that rows are to go to, as it is now.
pub(super) struct Existing {
    pub is_there: bool,
    /// Those that SQLite computes.
    pub computed: Vec<String>,
    pub names: Vec<String>,
}

impl Existing {
    /// An error where the table may not be there, or cannot take the rows.
    pub fn of(
        connection: &Connection,
        path: &Path,
        place: &str,
        name: &str,
        head: &Table,
        how: &Writing,
    ) -> Result<Self, Error> {
        let sql = |error| Error::sqlite(path)(error);
        if views(connection).map_err(sql)?.iter().any(|view| view == name) {
            return Err(Error::bad(place, "is a view or a virtual table, to which no rows are written")
                .with_hint("name a table with `table`, or write to another file"));
        }
        let is_there_now = tables(connection).map_err(sql)?.iter().any(|other| other == name);
        let mut existing = Self { is_there: is_there_now, computed: Vec::new(), names: Vec::new() };
        match (is_there_now, how.if_exists) {
            (true, IfExists::Fail) => return Err(is_there(place)),
            (true, IfExists::Append) => {
                existing.names = columns(connection, name).map_err(sql)?;
                existing.computed = computed_columns(connection, name).map_err(sql)?;
                let all: Vec<String> = existing.names.iter().chain(&existing.computed).cloned().collect();
                check_columns(place, head, &all, &required_columns(connection, name).map_err(sql)?)?;
            }
            (true, IfExists::Replace) => check_not_referred_to(connection, path, place, name)?,
            _ => {}
        }
        Ok(existing)
    }
}

/// An error where rows of another table refer to the one that is to be replaced.
fn check_not_referred_to(connection: &Connection, path: &Path, place: &str, name: &str) -> Result<(), Error> {
    for other in referring(connection, name).map_err(Error::sqlite(path))? {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quoted(&other));
        if connection.query_row(&sql, [], |row| row.get::<_, bool>(0)).map_err(Error::sqlite(path))? {
            let why = format!("cannot be replaced: rows of the table `{other}` refer to its rows");
            return Err(Error::bad(place, why)
                .with_hint("choose `if_exists` append, another table with `table`, or another database"));
        }
    }
    Ok(())
}

/// An error where a table without rows refers to columns that the new table does not have as a key: neither would take
/// rows any more.
fn check_still_fits(connection: &Connection, path: &Path, place: &str, name: &str) -> Result<(), Error> {
    for other in referring(connection, name).map_err(Error::sqlite(path))? {
        let sql = format!("PRAGMA foreign_key_check({})", quoted(&other));
        let checked = connection.prepare(&sql).and_then(|mut check| check.query([])?.next().map(drop));
        checked.map_err(|error| {
            let why = format!("cannot be replaced: the table `{other}` refers to a key of it ({error})");
            Error::bad(place, why)
                .with_hint("choose `if_exists` append, another table with `table`, or another database")
        })?;
    }
    Ok(())
}

/// Other tables with a foreign key to this one.
fn referring(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT DISTINCT t.name FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS f \
               WHERE t.schema = 'main' AND t.type = 'table' AND t.name <> ?1 COLLATE NOCASE \
               AND f.\"table\" = ?1 COLLATE NOCASE ORDER BY t.name";
    connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// The names of a table's indexes or triggers, and the SQL that made them.
fn own(connection: &Connection, table: &str, kind: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT name, sql FROM sqlite_schema \
               WHERE tbl_name = ?1 COLLATE NOCASE AND type = ?2 AND sql IS NOT NULL";
    connection.prepare(sql)?.query_map([table, kind], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Makes the indexes of a table that was replaced again.
fn make_indexes(connection: &Connection, place: &str, indexes: &[(String, String)]) -> Result<(), Error> {
    for (name, sql) in indexes {
        connection.execute_batch(sql).map_err(|error| does_not_fit(place, "index", name, error))?;
    }
    Ok(())
}

/// The same for its triggers. That one speaks of a column which is not there any more shows when a row is to come or go.
fn make_triggers(
    connection: &Connection,
    place: &str,
    table: &str,
    triggers: &[(String, String)],
) -> Result<(), Error> {
    for (name, sql) in triggers {
        let refused = |error| does_not_fit(place, "trigger", name, error);
        connection.execute_batch(sql).map_err(refused)?;
        for sql in [format!("INSERT INTO {table} DEFAULT VALUES"), format!("DELETE FROM {table}")] {
            connection.prepare(&sql).map_err(refused)?;
        }
    }
    Ok(())
}

fn does_not_fit(place: &str, kind: &str, name: &str, error: rusqlite::Error) -> Error {
    let why = format!("cannot be replaced: its {kind} `{name}` does not fit the new table ({error})");
    Error::bad(place, why).with_hint(format!(
        "remove the {kind} first, or write to another table with `table`; nothing was written"
    ))
}

fn fill(
    connection: &mut Connection,
    rows: &mut Rows,
    path: &Path,
    place: &str,
    name: &str,
    how: &mut Writing,
) -> Result<(), Error> {
    let sql = |error| Error::sqlite(path)(error);
    // Nobody else writes from here on, so that identifiers stay free.
    let behavior = rusqlite::TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior).map_err(sql)?;
    let existing = Existing::of(&transaction, path, place, name, rows.head, how)?;
    let mut triggers = Vec::new();
    let range = |column: &Column| (column.declaration.value_type() == Type::Integer).then_some(I64_RANGE);
    if existing.is_there && how.if_exists == IfExists::Append {
        if how.provenance.is_some() {
            add_provenance_column(&transaction, name, &existing.names).map_err(sql)?;
        }
        let present = |column: &str| present(&transaction, name, column).map_err(sql);
        rows.renew(how, present, range)?;
    } else {
        let mut indexes = Vec::new();
        if existing.is_there {
            indexes = own(&transaction, name, "index").map_err(sql)?;
            triggers = own(&transaction, name, "trigger").map_err(sql)?;
            transaction.execute_batch(&format!("DROP TABLE {}", quoted(name))).map_err(sql)?;
        }
        rows.prepare()?;
        transaction.execute_batch(&create_table(rows, &quoted(name), type_name, how)).map_err(sql)?;
        make_indexes(&transaction, place, &indexes)?;
        check_still_fits(&transaction, path, place, name)?;
        rows.bound(how, range)?;
    }
    insert(&transaction, rows, path, place, name, &existing.computed, how)?;
    // Last, so that the new rows do not set them off.
    make_triggers(&transaction, place, &quoted(name), &triggers)?;
    transaction.commit().map_err(sql)
}

/// Rows that a table may refuse, beside ten times those that it took, until something is wrong with all of them.
const MAX_REFUSED_ROWS: usize = 1000;

/// Columns that SQLite computes, and that nothing can be written to.
fn computed_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden IN (2, 3)";
    connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// The identifiers in a column of the target, whatever made them.
pub(super) fn present(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Column> {
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
pub(super) fn type_name(declaration: &Declaration) -> &str {
    if let Some(native) = declaration.native.as_deref().filter(|native| is_known(native)) {
        return native;
    }
    match declaration.value_type() {
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

/// For each column how its cells become values: the type that the table declares decides.
pub(super) fn casts(
    transaction: &Transaction,
    name: &str,
    head: &Table,
    how: &Writing,
) -> rusqlite::Result<Vec<Cast>> {
    let sql = "SELECT name, type FROM pragma_table_xinfo(?1)";
    let mut statement = transaction.prepare(sql)?;
    let declared = statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let declared = declared.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    let ty = |column: &Column| {
        let declaration = &column.declaration;
        match declared.iter().find(|(other, _)| *other == column.name) {
            // As the source has it: there, cells may differ from what is declared.
            Some((_, native)) if declaration.native.as_deref() == Some(native) => declaration.ty,
            Some((_, native)) => declared_type(native).unwrap_or_else(|| declaration.value_type()),
            None => declaration.value_type(),
        }
    };
    Ok(head.columns.iter().map(|c| Cast::to(ty(c), c, schema_of(c, how.schema))).collect())
}

fn insert(
    transaction: &Transaction,
    rows: &mut Rows,
    path: &Path,
    place: &str,
    name: &str,
    computed: &[String],
    how: &mut Writing,
) -> Result<(), Error> {
    let casts = casts(transaction, name, rows.head, how).map_err(Error::sqlite(path))?;
    let given: Vec<usize> =
        (0..casts.len()).filter(|&i| !computed.contains(&rows.head.columns[i].name)).collect();
    let mut list: Vec<String> = given.iter().map(|&i| quoted(&rows.head.columns[i].name)).collect();
    list.extend(how.provenance.map(|_| quoted(PROVENANCE_COLUMN)));
    let marks = vec!["?"; list.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(name), list.join(", "));
    let mut statement = transaction.prepare(&sql).map_err(Error::sqlite(path))?;
    if let Some(provenance) = how.provenance {
        // It stays bound for all rows.
        statement.raw_bind_parameter(list.len(), provenance.to_json()).map_err(Error::sqlite(path))?;
    }
    let mut first = 0;
    while let Some(part) = rows.next(how.random)? {
        // Worked out once a distinct text.
        let columns: Vec<(&Column, Vec<Value>)> = given
            .iter()
            .map(|&i| {
                (&part.columns[i], part.columns[i].values().iter().map(|t| value(t, &casts[i])).collect())
            })
            .collect();
        let mut again = 0;
        for row in 0..part.rows() {
            for (at, (column, values)) in columns.iter().enumerate() {
                let value = values.get(column.numbers()[row] as usize).unwrap_or(&Value::Null);
                statement.raw_bind_parameter(at + 1, value).map_err(Error::sqlite(path))?;
            }
            let Err(error) = statement.raw_execute() else { continue };
            let error = refused(&error, place, first + row).ok_or(error);
            again += 1;
            match (error, how.refused) {
                (Err(error), _) => return Err(Error::sqlite(path)(error)),
                // Some conflicts end the transaction.
                (Ok(_), Some(_))
                    if !transaction.is_autocommit() && again <= MAX_REFUSED_ROWS + 10 * first => {}
                (Ok(error), _) => return Err(error),
            }
        }
        if let Some(refused) = how.refused {
            refused.set(refused.get() + again);
            rows.written -= again;
        }
        first += part.rows() - again;
    }
    Ok(())
}

/// Numbers and booleans go in as numbers. SQLite has no number that is not one: it takes it for NULL.
pub(super) fn value(text: &str, cast: &Cast) -> Value {
    let Some(cell) = cast.text(text) else { return Value::Null };
    let integer = || cell.parse::<i64>().ok().filter(|number| number.to_string() == *cell);
    let real = || cell.parse::<f64>().ok().filter(|_| cast.ty == Type::Real);
    match cast.ty {
        Type::Boolean if matches!(&*cell, "true" | "false") => Value::Integer(i64::from(cell == "true")),
        Type::Integer | Type::Boolean | Type::Real | Type::Decimal => match integer() {
            Some(integer) => Value::Integer(integer),
            None if cell.eq_ignore_ascii_case("nan") => Value::Null,
            None => real().map_or_else(|| Value::Text(cell.into_owned()), Value::Real),
        },
        _ => Value::Text(cell.into_owned()),
    }
}

/// The error of a row that the table does not take; nothing where something else is wrong.
fn refused(error: &rusqlite::Error, place: &str, row: usize) -> Option<Error> {
    let why = || format!("row {} was refused: {error}", row + 1);
    let is_refused = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
    is_refused.then(|| Error::bad(place, why()).with_hint(NOTHING_WRITTEN))
}
