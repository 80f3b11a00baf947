//! SQLite files: new ones, made beside their place, and those that are there and get more rows.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use rusqlite::{
    Connection, ErrorCode, Row, Statement, Transaction, TransactionBehavior, ffi::SQLITE_CONSTRAINT_TRIGGER,
    types::Value,
};

use super::{
    DatabaseWriting, Parts, Rows, TableWritten, WrittenDatabase, check_none_missing,
    ddl::{Part, deletion, is_kept, orphans_exist, statements, views_left_out},
    file::NewFile,
    none_written, nothing_written,
    renumber::{Present, Renumbering},
    shown_cells,
    values::{Binding, empty_value},
};
use crate::{
    Error,
    database::{ForeignKey, Schema},
    sink::sqlite::{NewDatabase, add_provenance_column},
    store::{PROVENANCE_COLUMN, check_column, quoted, sqlite::tables},
    table,
};

/// A key that new rows must keep, with the place of its table in the schema.
type Watched<'a> = (usize, &'a ForeignKey);

/// An error where two tables, or two columns of one, differ by case alone: SQLite takes their names for one.
///
/// # Errors
/// There are such, which are named.
pub(super) fn check_names(schema: &Schema, path: &Path) -> Result<(), Error> {
    let tables = schema.tables.iter();
    let of_columns = tables.clone().filter_map(|table| {
        let (one, other) = alike(table.columns.iter().map(|column| column.name.as_str()))?;
        Some((format!("the columns `{one}` and `{other}` of table `{}`", table.name), table.name.as_str()))
    });
    let of_tables = alike(tables.map(|table| table.name.as_str())).into_iter();
    let of_tables = of_tables.map(|(one, other)| (format!("the tables `{one}` and `{other}`"), other));
    let Some((what, table)) = of_tables.chain(of_columns).next() else { return Ok(()) };
    let why = format!("cannot have {what}: SQLite takes their names for one");
    let hint = format!(
        "write to a server (postgres://…), or leave one out where it is learned (--exclude {table}); nothing was written"
    );
    Err(Error::bad(path.display().to_string(), why).with_hint(hint))
}

/// Two names that differ by the case of Latin letters alone: of others SQLite knows no case.
fn alike<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<(&'a str, &'a str)> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    names.find_map(|name| Some((seen.insert(name.to_ascii_lowercase(), name)?, name)))
}

/// Writes a new file.
pub(super) fn write(
    schema: &Schema,
    parts: Parts,
    path: &Path,
    how: &DatabaseWriting,
) -> Result<WrittenDatabase, Error> {
    let mut new = NewFile::beside(path, how.if_exists)?;
    let mut notes = Vec::new();
    let tables = fill(&mut new.connection, schema, parts, path, how.provenance, &mut notes)?;
    new.finish(path)?;
    Ok(WrittenDatabase { place: path.display().to_string(), tables, notes })
}

/// Adds rows to a file that is there.
pub(super) fn append(
    schema: &Schema,
    parts: Parts,
    path: &Path,
    provenance: Option<&str>,
) -> Result<WrittenDatabase, Error> {
    let place = path.display().to_string();
    let mut there = NewDatabase::beside(path)?;
    if there.is_new() {
        return Err(Error::bad(place, "is not there, and rows can only be added to a database that is")
            .with_hint("leave `if_exists` append out to make it"));
    }
    // Within a transaction it is too late.
    let added = there.connection.pragma_update(None, "foreign_keys", false).map_err(Error::sqlite(path));
    let added = added.and_then(|()| add(&mut there.connection, schema, parts, path, provenance));
    match added {
        Ok(tables) => {
            there.finish().map_err(Error::io(path))?;
            Ok(WrittenDatabase { place, tables, notes: Vec::new() })
        }
        Err(error) => {
            there.give_up();
            Err(nothing_written(error))
        }
    }
}

fn fill(
    connection: &mut Connection,
    schema: &Schema,
    mut parts: Parts,
    path: &Path,
    provenance: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<TableWritten>, Error> {
    let transaction = connection.transaction().map_err(Error::sqlite(path))?;
    let mut written = none_written(schema);
    let filling = Filling { transaction: &transaction, schema, path, provenance };
    notes.extend(views_left_out(schema));
    filling.create(Part::Table, notes)?;
    // They refuse rows, so they come before them; the others are made faster of all rows at once.
    filling.create(Part::UniqueIndex, notes)?;
    while let Some(part) = parts.take_next()? {
        for rows in part.iter() {
            if let Some(table) = written.iter_mut().find(|table| table.table == rows.table) {
                filling.insert(rows, table)?;
            }
        }
    }
    filling.drop_orphans(&filling.keys(), &mut written).map_err(Error::sqlite(path))?;
    filling.create(Part::Index, notes)?;
    // Last, so that the rows do not set them off.
    filling.create(Part::Trigger, notes)?;
    transaction.commit().map_err(Error::sqlite(path))?;
    Ok(written)
}

/// Adds the rows in one transaction, within which nobody else writes.
fn add(
    connection: &mut Connection,
    schema: &Schema,
    mut parts: Parts,
    path: &Path,
    provenance: Option<&str>,
) -> Result<Vec<TableWritten>, Error> {
    let wrong = || Error::sqlite(path);
    let behavior = TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior).map_err(wrong())?;
    let mut written = none_written(schema);
    let filling = Filling { transaction: &transaction, schema, path, provenance };
    filling.check_takes(parts.first())?;
    let watched = filling.watched()?;
    let mut renumbering = Renumbering::of(schema);
    while let Some(part) = parts.take_next()? {
        let new = renumbering.renumbered(&part, &mut There { transaction: &transaction, path })?;
        drop(part);
        for (rows, present) in new {
            if let Some(table) = written.iter_mut().find(|table| table.table == rows.table) {
                table.present += present;
                filling.insert(&rows, table)?;
            }
        }
    }
    filling.drop_orphans(&watched, &mut written).map_err(wrong())?;
    filling.check_keys()?;
    transaction.commit().map_err(wrong())?;
    Ok(written)
}

/// A database within the only transaction that writes to it.
struct Filling<'a> {
    transaction: &'a Transaction<'a>,
    schema: &'a Schema,
    path: &'a Path,
    provenance: Option<&'a str>,
}

/// What is bound to a column of a new row.
enum Cells<'a> {
    /// The cells of the rows at hand.
    Of(&'a table::Column, Binding),
    /// One value for all rows.
    Fixed(Value),
}

impl<'a> Filling<'a> {
    /// Makes one kind of things for all tables.
    fn create(&self, part: Part, notes: &mut Vec<String>) -> Result<(), Error> {
        for table in &self.schema.tables {
            for sql in statements(self.schema, table, part, &is_understood, notes) {
                // Not as a batch: a file from elsewhere may hold more than one statement where one belongs.
                self.transaction.execute(&sql, []).map_err(|error| {
                    let start: String = sql.chars().take(60).collect();
                    let place = format!("{}: table `{}`", self.path.display(), table.name);
                    Error::bad(place, format!("`{start}…` failed: {error}"))
                        .with_hint("nothing was written; change the schema of the source")
                })?;
            }
        }
        Ok(())
    }

    /// The keys that rows must keep.
    fn keys(&self) -> Vec<Watched<'a>> {
        let tables = self.schema.tables.iter().enumerate();
        let keys = tables.flat_map(|(at, table)| table.foreign_keys.iter().map(move |key| (at, key)));
        keys.filter(|(_, key)| is_kept(key)).collect()
    }

    /// Those that all rows keep that are there: what refers to nothing after them is new.
    ///
    /// # Errors
    /// The database breaks a key that it declares.
    fn watched(&self) -> Result<Vec<Watched<'a>>, Error> {
        let name = |at: usize| &self.schema.tables[at].name;
        if let Some(table) = self.broken_table()? {
            let place = format!("{}: table `{table}`", self.path.display());
            return Err(Error::bad(
                place,
                "has rows already that refer to nothing, against a key that it declares",
            )
            .with_hint("take them out, or give them the rows that they refer to, first"));
        }
        let mut watched = Vec::new();
        for (at, key) in self.keys() {
            let sql = orphans_exist(name(at), key);
            let is_broken = self.transaction.query_row(&sql, [], |row| row.get::<_, bool>(0));
            if !is_broken.map_err(Error::sqlite(self.path))? {
                watched.push((at, key));
            }
        }
        Ok(watched)
    }

    /// A table with rows that break a key that the database declares.
    fn broken_table(&self) -> Result<Option<String>, Error> {
        let sql = "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1";
        let find = || -> rusqlite::Result<Option<String>> {
            let mut statement = self.transaction.prepare(sql)?;
            statement.query([])?.next()?.map(|row| row.get(0)).transpose()
        };
        find().map_err(Error::sqlite(self.path))
    }

    /// An error where new rows break a key that the database declares and the source does not.
    fn check_keys(&self) -> Result<(), Error> {
        match self.broken_table()? {
            None => Ok(()),
            Some(table) => {
                let place = format!("{}: table `{table}`", self.path.display());
                Err(Error::bad(
                    place,
                    "new rows would refer to nothing by a key that the source does not have",
                )
                .with_hint("nothing was written; write to a new database"))
            }
        }
    }

    /// An error where the database lacks a table or a column.
    fn check_takes(&self, all: &[Rows]) -> Result<(), Error> {
        let place = self.path.display().to_string();
        let there = tables(self.transaction).map_err(Error::sqlite(self.path))?;
        let missing: Vec<String> =
            all.iter().map(|rows| &rows.table).filter(|name| !there.contains(name)).cloned().collect();
        check_none_missing(&place, &missing)?;
        for rows in all {
            let targets = targets(self.transaction, &rows.table).map_err(Error::sqlite(self.path))?;
            let names: Vec<String> = targets.into_iter().map(|target| target.name).collect();
            for column in rows.rows.names() {
                check_column(&place, &rows.table, column, &names)?;
            }
        }
        Ok(())
    }

    /// Inserts the rows of one table. A row that the table refuses leaves no trace.
    fn insert(&self, rows: &Rows, written: &mut TableWritten) -> Result<(), Error> {
        let wrong = || Error::sqlite(self.path);
        if rows.rows.rows() == 0 {
            return Ok(());
        }
        let targets = targets(self.transaction, &rows.table).map_err(wrong())?;
        if self.provenance.is_some() {
            let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
            add_provenance_column(self.transaction, &rows.table, &names).map_err(wrong())?;
        }
        let given = given(&targets, &rows.rows, self.provenance);
        let mut statement = self.transaction.prepare(&insertion(&rows.table, &given)).map_err(wrong())?;
        for row in 0..rows.rows.rows() {
            bind(&mut statement, &given, row).map_err(wrong())?;
            let why = match statement.raw_execute() {
                // A trigger may drop rows without a word.
                Ok(0) => "was not taken: look at the triggers of the table".to_owned(),
                Ok(_) => {
                    written.rows += 1;
                    continue;
                }
                Err(error) if is_refusal(&error) => {
                    written.refuse(1, || error.to_string());
                    continue;
                }
                Err(error) => format!("cannot be written: {error}"),
            };
            let place = format!("{}: table `{}`", self.path.display(), rows.table);
            let cells = shown_cells(rows.rows.columns.iter(), row);
            let error = Error::bad(place, format!("row {} {why}", row + 1)).with_more(&cells);
            return Err(error.with_hint("nothing was written"));
        }
        Ok(())
    }

    /// Takes out rows that refer to nothing, then those that referred to them, until all keys hold.
    fn drop_orphans(&self, keys: &[Watched], written: &mut [TableWritten]) -> rusqlite::Result<()> {
        loop {
            let mut deleted = 0;
            for &(at, key) in keys {
                let sql = deletion(&self.schema.tables[at].name, key);
                let orphans = self.transaction.execute(&sql, [])? as u64;
                if orphans > 0 {
                    written[at].lose(orphans, key);
                    deleted += orphans;
                }
            }
            if deleted == 0 {
                return Ok(());
            }
        }
    }
}

/// Whether SQLite understands statements, the first of which makes a table `t`.
fn is_understood(sqls: &[&str]) -> bool {
    let Ok(connection) = Connection::open_in_memory() else { return false };
    // Some of what stands in a table is looked at when a row is to come.
    sqls.iter().all(|sql| connection.execute(sql, []).is_ok())
        && connection.prepare("INSERT INTO t DEFAULT VALUES").is_ok()
}

/// A database that rows are added to.
struct There<'a> {
    transaction: &'a Transaction<'a>,
    path: &'a Path,
}

impl Present for There<'_> {
    fn largest(&mut self, table: &str, column: &str) -> Result<Option<i64>, Error> {
        let sql = format!("SELECT CAST(max({}) AS TEXT) FROM {}", quoted(column), quoted(table));
        let largest = self.transaction.query_row(&sql, [], |row| row.get::<_, Option<String>>(0));
        Ok(largest.map_err(Error::sqlite(self.path))?.and_then(|text| text.parse().ok()))
    }

    fn keys(&mut self, table: &str, columns: &[String]) -> Result<HashSet<Vec<String>>, Error> {
        let list: Vec<String> =
            columns.iter().map(|name| format!("coalesce(CAST({} AS TEXT), '')", quoted(name))).collect();
        let sql = format!("SELECT {} FROM {}", list.join(", "), quoted(table));
        let key =
            |row: &Row| (0..columns.len()).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<String>>>();
        let find = || -> rusqlite::Result<HashSet<Vec<String>>> {
            let mut statement = self.transaction.prepare(&sql)?;
            statement.query_map([], key)?.collect()
        };
        find().map_err(Error::sqlite(self.path))
    }

    fn has_rows(&mut self, table: &str) -> Result<bool, Error> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quoted(table));
        self.transaction.query_row(&sql, [], |row| row.get(0)).map_err(Error::sqlite(self.path))
    }
}

/// Whether a row is at fault rather than the database: a constraint, or a text for the number of a row. What a trigger
/// raises is nothing that the table declares.
fn is_refusal(error: &rusqlite::Error) -> bool {
    let of_trigger =
        error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_CONSTRAINT_TRIGGER);
    let code = error.sqlite_error_code();
    !of_trigger && matches!(code, Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// A column of the table that rows go to.
struct Target {
    name: String,
    ty: String,
    /// SQLite gives it its values, and takes none.
    is_computed: bool,
    /// It may not be NULL, and nothing fills it.
    is_required: bool,
}

fn targets(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Target>> {
    // A key that is the number of the row fills itself.
    let sql = "SELECT name, type, hidden IN (2, 3), (\"notnull\" = 1 OR pk > 0) AND dflt_value IS NULL \
               AND NOT (pk = 1 AND upper(type) = 'INTEGER') FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    let mut statement = connection.prepare(sql)?;
    let all = statement.query_map([table], |row| {
        Ok(Target { name: row.get(0)?, ty: row.get(1)?, is_computed: row.get(2)?, is_required: row.get(3)? })
    })?;
    all.collect()
}

/// The columns that are written, and what with.
fn given<'a>(
    targets: &'a [Target],
    rows: &'a table::Table,
    provenance: Option<&str>,
) -> Vec<(&'a str, Cells<'a>)> {
    let mut given = Vec::new();
    for target in targets.iter().filter(|target| !target.is_computed && target.name != PROVENANCE_COLUMN) {
        match rows.column(&target.name) {
            Some(column) => given.push((&*target.name, Cells::Of(column, Binding::of(&target.ty, column)))),
            None if target.is_required => given.push((&*target.name, Cells::Fixed(empty_value(&target.ty)))),
            None => {}
        }
    }
    given.extend(provenance.map(|text| (PROVENANCE_COLUMN, Cells::Fixed(Value::Text(text.to_owned())))));
    given
}

fn insertion(table: &str, given: &[(&str, Cells)]) -> String {
    // What the table says of conflicts, such as REPLACE, would take out other rows without a word.
    let insert = format!("INSERT OR ABORT INTO {}", quoted(table));
    if given.is_empty() {
        return format!("{insert} DEFAULT VALUES");
    }
    let names: Vec<String> = given.iter().map(|(name, _)| quoted(name)).collect();
    let marks = vec!["?"; names.len()].join(", ");
    format!("{insert} ({}) VALUES ({marks})", names.join(", "))
}

/// Binds the values of one row; fixed ones stay bound after the first.
fn bind(statement: &mut Statement, given: &[(&str, Cells)], row: usize) -> rusqlite::Result<()> {
    for (at, (_, cells)) in given.iter().enumerate() {
        match cells {
            Cells::Of(column, binding) => {
                statement.raw_bind_parameter(at + 1, binding.value(column.cell(row)))?;
            }
            Cells::Fixed(value) if row == 0 => statement.raw_bind_parameter(at + 1, value)?,
            Cells::Fixed(_) => {}
        }
    }
    Ok(())
}
