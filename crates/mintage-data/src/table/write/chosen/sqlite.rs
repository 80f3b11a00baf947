//! Chosen rows in a table of a SQLite file, within one transaction, and out of it again.

use std::{fs, path::Path};

use rusqlite::{Connection, Transaction, TransactionBehavior, params, types::Value, types::ValueRef};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{
        IfExists, Writing, check_no_provenance_column, create_table, made_meanwhile,
        rows::{I64_RANGE, Rows},
        sqlite::{Existing, casts, present, type_name, value},
    },
    Cell, Changes, ChosenBatch, ChosenItem, ChosenWritten, Found, Removed, RowTrace, is_kept, is_of,
    is_referred_to, mark, marks_of, notes_of, written,
};
use crate::{
    Column, Error, ItemTable, Type,
    names::path_of,
    sink::sqlite::{NewDatabase, add_provenance_column, label_value, prepare_table},
    store::{
        PROVENANCE_COLUMN, quoted,
        sqlite::{columns, is_sqlite, numbered, open_read_only, tables},
    },
};

/// Rows for a table that is ready for them.
struct Insertion {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

pub(super) fn write_rows(
    rows: &mut Rows,
    path: &Path,
    how: &mut Writing,
    batch: &ChosenBatch,
) -> Result<ChosenWritten, Error> {
    check_no_provenance_column(rows.head)?;
    let name = how.table.unwrap_or(&rows.head.name).to_owned();
    let place = format!("{}: table `{name}`", path.display());
    if path.exists() && is_sqlite(path) {
        let connection = open_read_only(path)?;
        Existing::of(&connection, path, &place, &name, rows.head, how)?;
    }
    let to = To { path, target: how.target, table: &name, place: &place, column: "", media: "" };
    write(to, batch, |transaction| insertion_of_rows(transaction, rows, path, &place, &name, how))
}

/// Makes the table or gets it ready, and makes values of the rows.
fn insertion_of_rows(
    transaction: &Transaction,
    rows: &mut Rows,
    path: &Path,
    place: &str,
    name: &str,
    how: &mut Writing,
) -> Result<Insertion, Error> {
    let sql = |error| Error::sqlite(path)(error);
    let existing = Existing::of(transaction, path, place, name, rows.head, how)?;
    let range = |column: &Column| (column.declaration.value_type() == Type::Integer).then_some(I64_RANGE);
    if existing.is_there && how.if_exists == IfExists::Append {
        add_provenance_column(transaction, name, &existing.names).map_err(sql)?;
        rows.renew(how, |column| present(transaction, name, column).map_err(sql), range)?;
    } else {
        rows.prepare()?;
        transaction.execute_batch(&create_table(rows, &quoted(name), type_name, how)).map_err(sql)?;
        rows.bound(how, range)?;
    }
    let casts = casts(transaction, name, rows.head, how).map_err(sql)?;
    let is_given = |column: &Column| !existing.computed.contains(&column.name);
    let given: Vec<usize> =
        (0..casts.len()).filter(|&i| rows.head.columns.get(i).is_some_and(is_given)).collect();
    let columns = given.iter().map(|&i| rows.head.columns[i].name.clone()).collect();
    let mut all = Vec::new();
    while let Some(part) = rows.next(how.random)? {
        let cell = |row: usize, i: usize| {
            part.columns[i].cell(row).map_or(Value::Null, |text| value(text, &casts[i]))
        };
        all.extend((0..part.rows()).map(|row| given.iter().map(|&i| cell(row, i)).collect::<Vec<_>>()));
    }
    Ok(Insertion { columns, rows: all })
}

pub(super) fn write_items(
    to: &ItemTable,
    items: &[ChosenItem],
    media: &str,
    batch: &ChosenBatch,
) -> Result<ChosenWritten, Error> {
    let path = &*path_of(to.target);
    let place = format!("{}: table `{}`", path.display(), to.table);
    let place = To { path, target: to.target, table: to.table, place: &place, column: to.column, media };
    write(place, batch, |transaction| {
        prepare_table(transaction, path, to.table, to.column, to.label)?;
        let columns = [Some(to.column), to.label].into_iter().flatten().map(str::to_owned).collect();
        let row = |item: &ChosenItem| {
            let label = to.label.map(|_| label_value(item.label.as_deref()));
            std::iter::once(Value::Blob(item.bytes.clone())).chain(label).collect()
        };
        Ok(Insertion { columns, rows: items.iter().map(row).collect() })
    })
}

/// Where a batch goes.
#[derive(Clone, Copy)]
struct To<'a> {
    path: &'a Path,
    target: &'a str,
    table: &'a str,
    /// For messages.
    place: &'a str,
    /// Of items, and what they are.
    column: &'a str,
    media: &'a str,
}

fn write(
    to: To,
    batch: &ChosenBatch,
    ready: impl FnOnce(&Transaction) -> Result<Insertion, Error>,
) -> Result<ChosenWritten, Error> {
    let mut new = NewDatabase::beside(to.path)?;
    match within(&mut new, to, batch, ready) {
        Err(error) => {
            new.give_up();
            Err(error)
        }
        // What is not finished is thrown away.
        Ok(shown) if batch.dry_run => Ok(shown),
        Ok(done) => {
            new.finish().map_err(|error| made_meanwhile(to.path, error))?;
            Ok(done)
        }
    }
}

fn within(
    new: &mut NewDatabase,
    to: To,
    batch: &ChosenBatch,
    ready: impl FnOnce(&Transaction) -> Result<Insertion, Error>,
) -> Result<ChosenWritten, Error> {
    let sql = |error| Error::sqlite(to.path)(error);
    let made_file = new.is_new();
    // Whoever else writes is waited for before anything is read.
    let behavior = TransactionBehavior::Immediate;
    let transaction = new.connection.transaction_with_behavior(behavior).map_err(sql)?;
    let had_table = tables(&transaction).map_err(sql)?.iter().any(|name| name == to.table);
    let had_column = has_marks(&transaction, to.table).map_err(sql)?;
    let insertion = ready(&transaction)?;
    let keys = insert(&transaction, to, &insertion, batch)?;
    let columns = shown_columns(&transaction, to.table).map_err(sql)?;
    let found = found(&transaction, to.table, &columns, batch.name).map_err(sql)?;
    let made_table = if had_table { None } else { Some(declared(&transaction, to.table).map_err(sql)?) };
    let changes = Changes { made_table, made_column: had_table && !had_column, made_file };
    let names = (to.target, to.table, to.place.to_owned());
    let done = written(names, columns, found, &keys, (to.column, to.media), changes)?;
    // A transaction that is not committed is forgotten.
    if !batch.dry_run {
        transaction.commit().map_err(sql)?;
    }
    Ok(done)
}

/// Inserts the rows and gives what the database calls each.
fn insert(
    transaction: &Transaction,
    to: To,
    insertion: &Insertion,
    batch: &ChosenBatch,
) -> Result<Vec<String>, Error> {
    let sql = |error| Error::sqlite(to.path)(error);
    let mut list: Vec<String> = insertion.columns.iter().map(|name| quoted(name)).collect();
    list.push(quoted(PROVENANCE_COLUMN));
    let marks = vec!["?"; list.len()].join(", ");
    let insert = format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(to.table), list.join(", "));
    let mut statement = transaction.prepare(&insert).map_err(sql)?;
    let mut keys = Vec::new();
    for (i, (row, made_by)) in insertion.rows.iter().zip(batch.made_by).enumerate() {
        for (at, value) in row.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value).map_err(sql)?;
        }
        statement.raw_bind_parameter(list.len(), mark(made_by, batch.name)).map_err(sql)?;
        let taken = statement.raw_execute().map_err(|error| refused(to, i, error))?;
        // A trigger may drop rows without a word.
        if taken != 1 {
            return Err(Error::bad(to.place, format!("did not take item {}", i + 1))
                .with_hint("nothing was written; look at the triggers of the table"));
        }
        keys.push(transaction.last_insert_rowid().to_string());
    }
    Ok(keys)
}

fn refused(to: To, i: usize, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => {
            Error::bad(to.place, format!("item {} was refused: {error}", i + 1))
                .with_hint("nothing was written; leave the item out, or write to another table")
        }
        _ => Error::sqlite(to.path)(error),
    }
}

fn has_marks(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    Ok(columns(connection, table)?.iter().any(|name| name == PROVENANCE_COLUMN))
}

/// The columns of a table, those that are computed as well, but for that of the marks.
fn shown_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden IN (0, 2, 3) AND name <> ?2";
    connection.prepare(sql)?.query_map(params![table, PROVENANCE_COLUMN], |row| row.get(0))?.collect()
}

/// The rows of a batch, in the order of the table.
fn found(
    connection: &Connection,
    table: &str,
    names: &[String],
    batch: &str,
) -> rusqlite::Result<Vec<Found>> {
    let key = numbered(connection, table, &columns(connection, table)?)?;
    let cells: Vec<String> = names.iter().map(|name| format!(", {}", quoted(name))).collect();
    let (mark, table) = (quoted(PROVENANCE_COLUMN), quoted(table));
    let sql = format!(
        "SELECT {}, {mark}{} FROM {table} WHERE typeof({mark}) = 'text' AND instr({mark}, ?1) > 0",
        key.unwrap_or("NULL"),
        cells.concat()
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([batch])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mark: String = row.get(1)?;
        if !is_of(&mark, batch) {
            continue;
        }
        let key = row.get::<_, Option<i64>>(0)?.map(|key| key.to_string());
        let cells = (0..names.len()).map(|i| Ok(cell(row.get_ref(i + 2)?)));
        let cells = cells.collect::<rusqlite::Result<_>>()?;
        all.push(Found { key, mark, cells });
    }
    Ok(all)
}

fn cell(value: ValueRef) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

/// How a table, its indexes and its triggers are declared, as a hash.
fn declared(connection: &Connection, table: &str) -> rusqlite::Result<String> {
    let sql = "SELECT coalesce(sql, name) FROM sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE ORDER BY type, name";
    let mut statement = connection.prepare(sql)?;
    let all: Vec<String> = statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(format!("{:016x}", xxh3_64(all.join("\n").as_bytes())))
}

pub(super) fn undo(trace: &RowTrace, batch: &str) -> Result<Removed, Error> {
    let path = &*path_of(&trace.target);
    let place = format!("{}: table `{}`", path.display(), trace.table);
    let nothing = |why: &str| {
        Ok(Removed { rows: 0, all: true, place: place.clone(), notes: vec![format!("{place} {why}")] })
    };
    if !path.exists() {
        return nothing("is not there any more");
    }
    if !is_sqlite(path) {
        let why = "is no SQLite database any more";
        return Err(Error::bad(path.display().to_string(), why).with_hint("put it back as it was"));
    }
    let mut database = NewDatabase::beside(path)?;
    // Else rows that refer to these would be left behind.
    database.connection.pragma_update(None, "foreign_keys", true).map_err(Error::sqlite(path))?;
    let undone = match undo_within(&mut database.connection, path, &place, trace, batch) {
        Ok(Some(undone)) => undone,
        Ok(None) => return nothing("is not there any more, or has no marks"),
        Err(error) => {
            database.give_up();
            return Err(error);
        }
    };
    let is_empty = database
        .connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get::<_, bool>(0))
        .is_ok_and(|is_empty| is_empty);
    database.finish().map_err(Error::io(path))?;
    if trace.made_file && is_empty {
        fs::remove_file(path).map_err(Error::io(path))?;
    }
    Ok(undone)
}

/// Nothing where the table is not there, or has no marks.
fn undo_within(
    connection: &mut Connection,
    path: &Path,
    place: &str,
    trace: &RowTrace,
    batch: &str,
) -> Result<Option<Removed>, Error> {
    let sql = |error| Error::sqlite(path)(error);
    let table = trace.table.as_str();
    let mut transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    let is_there = tables(&transaction).map_err(sql)?.iter().any(|name| name == table);
    if !is_there || !has_marks(&transaction, table).map_err(sql)? {
        return Ok(None);
    }
    let there = shown_columns(&transaction, table).map_err(sql)?;
    let all_columns = there == trace.columns;
    let found = found(&transaction, table, if all_columns { &there } else { &[] }, batch).map_err(sql)?;
    let mut notes = notes_of(trace, &found, all_columns);
    let marks = serde_json::json!(marks_of(&found)).to_string();
    check_no_actions(&transaction, path, place, table, &marks)?;
    let delete = format!(
        "DELETE FROM {} WHERE {} IN (SELECT value FROM json_each(?1))",
        quoted(table),
        quoted(PROVENANCE_COLUMN)
    );
    let kept = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => is_kept(place, &error.to_string()),
        _ => sql(error),
    };
    let removed = transaction.execute(&delete, [&marks]).map_err(kept)?;
    if removed != found.len() {
        let why = format!("let go of {removed} of {} rows", found.len());
        return Err(is_kept(place, &why));
    }
    tidy(&mut transaction, trace, &mut notes).map_err(sql)?;
    // Keys that are only looked at in the end are looked at here.
    transaction.commit().map_err(kept)?;
    Ok(Some(Removed { rows: removed, all: true, place: place.to_owned(), notes }))
}

/// An error where the database would remove or change other rows with those of the batch.
fn check_no_actions(
    transaction: &Transaction,
    path: &Path,
    place: &str,
    table: &str,
    marks: &str,
) -> Result<(), Error> {
    let sql = |error| Error::sqlite(path)(error);
    for (other, pairs) in references(transaction, table).map_err(sql)? {
        let same: Vec<String> =
            pairs.iter().map(|(from, to)| format!("c.{} = p.{}", quoted(from), quoted(to))).collect();
        let mark = quoted(PROVENANCE_COLUMN);
        // Rows of the batch may refer to each other.
        let others = match other.eq_ignore_ascii_case(table) {
            true => format!("AND (c.{mark} IS NULL OR c.{mark} NOT IN (SELECT value FROM json_each(?1)))"),
            false => String::new(),
        };
        let exists = format!(
            "SELECT EXISTS (SELECT 1 FROM {} AS c JOIN {} AS p ON {} \
             WHERE p.{mark} IN (SELECT value FROM json_each(?1)) {others})",
            quoted(&other),
            quoted(table),
            same.join(" AND ")
        );
        if transaction.query_row(&exists, [marks], |row| row.get::<_, bool>(0)).map_err(sql)? {
            return Err(is_referred_to(place, &other));
        }
    }
    Ok(())
}

/// A table that refers to another, and the pairs of columns.
type Reference = (String, Vec<(String, String)>);

/// Tables that refer to this one by keys that act when its rows go.
fn references(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Reference>> {
    let keys = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
    let keys: Vec<String> =
        connection.prepare(keys)?.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let sql = "SELECT t.name, f.id, f.seq, f.\"from\", f.\"to\" \
               FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS f \
               WHERE t.schema = 'main' AND t.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE \
               AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') ORDER BY 1, 2, 3";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([table])?;
    let mut all: Vec<(i64, Reference)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, id, seq): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // Without a name it is the key.
        let to = row
            .get::<_, Option<String>>(4)?
            .or_else(|| keys.get(usize::try_from(seq).unwrap_or(usize::MAX)).cloned());
        let Some(to) = to else { continue };
        if all.last().is_none_or(|(last_id, (last, _))| *last != name || *last_id != id) {
            all.push((id, (name, Vec::new())));
        }
        if let Some((_, (_, pairs))) = all.last_mut() {
            pairs.push((row.get(3)?, to));
        }
    }
    Ok(all.into_iter().map(|(_, reference)| reference).collect())
}

/// Takes back what was made for the batch besides its rows, where nothing else stands on it by now.
fn tidy(transaction: &mut Transaction, trace: &RowTrace, notes: &mut Vec<String>) -> rusqlite::Result<()> {
    let table = quoted(&trace.table);
    let has = |transaction: &Transaction, condition: &str| {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table}{condition})");
        transaction.query_row(&sql, [], |row| row.get::<_, bool>(0))
    };
    let change = if let Some(before) = &trace.made_table {
        if has(transaction, "")? {
            return Ok(());
        }
        if declared(transaction, &trace.table)? != *before {
            notes.push("the table stays: it is declared in another way by now".to_owned());
            return Ok(());
        }
        format!("DROP TABLE {table}")
    } else if trace.made_column {
        let mark = quoted(PROVENANCE_COLUMN);
        if has(transaction, &format!(" WHERE {mark} IS NOT NULL"))? {
            return Ok(());
        }
        format!("ALTER TABLE {table} DROP COLUMN {mark}")
    } else {
        return Ok(());
    };
    let savepoint = transaction.savepoint()?;
    match savepoint.execute_batch(&change) {
        Ok(()) => savepoint.commit(),
        Err(error) => {
            notes.push(format!("what was made for them stays: {error}"));
            savepoint.finish()
        }
    }
}
