//! A whole new SQLite database: the schema of another one, and rows for all of its tables.
//!
//! Nothing is ever half-written: the database lies beside its place until it is whole. Its keys all hold. While rows go in,
//! in any order, SQLite does not watch the keys; afterwards every row that refers to nothing is taken out again. Done so, a
//! key may lead in a circle or miss its index, and no `ON DELETE` changes or keeps a row behind our back.
//!
//! A database of SQLite is made again by its own statements; of any other, columns and keys are. Conditions and computed
//! columns of another store are in other SQL: the first are left out, the second are columns like any other. Views and
//! virtual tables are left out as well, and triggers that speak of them.

mod ddl;
mod file;
mod values;

use std::path::Path;

use rusqlite::{Connection, ErrorCode, Statement, Transaction, types::Value};
use serde::Serialize;

use super::{Schema, Table, listed};
use crate::{
    Error,
    error::suggestion,
    sink::sqlite::add_provenance_column,
    store::{PROVENANCE_COLUMN, quoted},
    table::{self, IfExists},
};
use ddl::{Part, deletion, is_kept, statements};
use file::NewFile;
pub use file::check_another_file;
use values::{Binding, empty_value};

/// The rows of one table on their way into a database. Columns that are not there get their default, or NULL; those that
/// may not be NULL and have no default, an empty value.
#[derive(Clone, Debug)]
pub struct Rows {
    /// As the schema spells it.
    pub table: String,
    pub rows: table::Table,
}

/// What became of the rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableWritten {
    pub table: String,
    /// Rows that are in the database now.
    pub rows: u64,
    /// Rows that are not: the database refused them, or they referred to a row that is not there.
    pub refused: u64,
    /// Why the first of them was refused.
    pub why: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenDatabase {
    /// The file.
    pub place: String,
    /// Every table of the schema, in its order, those without rows too.
    pub tables: Vec<TableWritten>,
}

/// Writes a new SQLite database with the tables of `schema` and the rows of `all`. Tables with rows get the column
/// `mintage`, with the text of `provenance` in each of them.
///
/// A file in its place is replaced if `if_exists` says so and it is a SQLite database. That it is not the source, the
/// schema cannot tell: see [`check_another_file`].
///
/// # Errors
/// `all` has a table or a column that the schema does not have, the target is there and may not be replaced, a statement
/// of the schema fails, or the file cannot be written. Then whatever was there stays as it was.
pub fn write_database(
    schema: &Schema,
    all: &[Rows],
    path: &Path,
    provenance: Option<&str>,
    if_exists: IfExists,
) -> Result<WrittenDatabase, Error> {
    check_rows(schema, all)?;
    let mut new = NewFile::beside(path, if_exists)?;
    let tables = fill(&mut new.connection, schema, all, path, provenance)?;
    new.finish(path)?;
    Ok(WrittenDatabase { place: path.display().to_string(), tables })
}

/// An error where rows have no place in the schema.
fn check_rows(schema: &Schema, all: &[Rows]) -> Result<(), Error> {
    let hinted = |error: Error, hint: Option<String>| match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    };
    for Rows { table: name, rows } in all {
        let Some(table) = schema.table(name) else {
            let names = schema.tables.iter().map(|table| table.name.as_str());
            return Err(hinted(Error::bad(name, "is no table of the database"), suggestion(name, names)));
        };
        if let Some(column) = rows.names().find(|column| table.column(column).is_none()) {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let error = Error::bad(name, format!("has no column `{column}`"));
            return Err(hinted(error, suggestion(column, names)));
        }
    }
    Ok(())
}

fn fill(
    connection: &mut Connection,
    schema: &Schema,
    all: &[Rows],
    path: &Path,
    provenance: Option<&str>,
) -> Result<Vec<TableWritten>, Error> {
    let transaction = connection.transaction().map_err(Error::sqlite(path))?;
    let none = |table: &Table| TableWritten { table: table.name.clone(), ..TableWritten::default() };
    let mut written: Vec<TableWritten> = schema.tables.iter().map(none).collect();
    let filling = Filling { transaction: &transaction, schema, path, provenance };
    filling.create(Part::Table)?;
    // They refuse rows, so they come before them; the others are made faster of all rows at once.
    filling.create(Part::UniqueIndex)?;
    for rows in all {
        if let Some(table) = written.iter_mut().find(|table| table.table == rows.table) {
            filling.insert(rows, table)?;
        }
    }
    filling.drop_orphans(&mut written).map_err(Error::sqlite(path))?;
    filling.create(Part::Index)?;
    // Last, so that the rows do not set them off.
    filling.create(Part::Trigger)?;
    transaction.commit().map_err(Error::sqlite(path))?;
    Ok(written)
}

/// A new database within its only transaction.
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

impl Filling<'_> {
    /// Makes one kind of things for all tables.
    fn create(&self, part: Part) -> Result<(), Error> {
        for table in &self.schema.tables {
            for sql in statements(self.schema, table, part) {
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
            match statement.raw_execute() {
                Ok(_) => written.rows += 1,
                Err(error) if is_refusal(&error) => written.refuse(1, || error.to_string()),
                Err(error) => {
                    let place = format!("{}: table `{}`", self.path.display(), rows.table);
                    return Err(Error::bad(place, format!("row {} cannot be written: {error}", row + 1))
                        .with_hint("nothing was written"));
                }
            }
        }
        Ok(())
    }

    /// Takes out rows that refer to nothing, then those that referred to them, until all keys hold.
    fn drop_orphans(&self, written: &mut [TableWritten]) -> rusqlite::Result<()> {
        loop {
            let mut deleted = 0;
            for (table, written) in self.schema.tables.iter().zip(written.iter_mut()) {
                for key in table.foreign_keys.iter().filter(|key| is_kept(key)) {
                    let orphans = self.transaction.execute(&deletion(&table.name, key), [])? as u64;
                    if orphans > 0 {
                        let why =
                            || format!("its {} refers to no row of {}", listed(&key.columns), key.parent);
                        written.refuse(orphans, why);
                        written.rows = written.rows.saturating_sub(orphans);
                        deleted += orphans;
                    }
                }
            }
            if deleted == 0 {
                return Ok(());
            }
        }
    }
}

impl TableWritten {
    fn refuse(&mut self, rows: u64, why: impl FnOnce() -> String) {
        self.refused += rows;
        if self.why.is_none() {
            self.why = Some(why());
        }
    }
}

/// Whether a row is at fault rather than the database: a constraint, or a text for the number of a row.
fn is_refusal(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// A column of the new table.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::{SourceSpec, Type};

    /// A folder with a source that statements make, and its schema.
    fn source(sql: &str) -> (TempDir, Schema) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
        let schema = Schema::read(&spec).unwrap();
        (dir, schema)
    }

    /// "-" is a missing value.
    fn cell<'a>(text: &&'a str) -> Option<&'a str> {
        Some(*text).filter(|text| *text != "-")
    }

    fn rows(name: &str, columns: &[(&str, &[&str])]) -> Rows {
        let columns = columns.iter();
        let columns = columns.map(|(name, cells)| table::Column::of(name, cells.iter().map(cell))).collect();
        let rows = table::Table { name: name.to_owned(), columns, ..table::Table::default() };
        Rows { table: name.to_owned(), rows }
    }

    fn counts(written: &WrittenDatabase) -> Vec<(&str, u64, u64)> {
        written.tables.iter().map(|table| (table.table.as_str(), table.rows, table.refused)).collect()
    }

    fn count(path: &Path, from: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {from}");
        Connection::open(path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn keys_in_circles_hold_and_what_they_lost_goes() {
        let (dir, schema) = source(
            "CREATE TABLE store (id INTEGER PRIMARY KEY, manager INT REFERENCES staff);
             CREATE TABLE staff (id INTEGER PRIMARY KEY, store INT NOT NULL REFERENCES store,
                 boss INT REFERENCES staff ON DELETE RESTRICT);
             CREATE INDEX by_store ON staff (store); CREATE VIEW heads AS SELECT * FROM staff WHERE boss IS NULL;
             CREATE TRIGGER forget AFTER INSERT ON staff BEGIN UPDATE staff SET boss = NULL; END;
             CREATE TRIGGER ask AFTER DELETE ON staff BEGIN SELECT count(*) FROM heads; END;",
        );
        // No store 9: so no staff 3, no staff 4, whose boss that is, and no store 2, whose manager.
        let staff: [(&str, &[&str]); 3] = [
            ("id", &["1", "2", "3", "4"]),
            ("store", &["1", "1", "9", "1"]),
            ("boss", &["2", "-", "1", "3"]),
        ];
        let all = [rows("staff", &staff), rows("store", &[("id", &["1", "2"]), ("manager", &["2", "3"])])];
        let path = dir.path().join("new.db");
        let written = write_database(&schema, &all, &path, Some("{}"), IfExists::Fail).unwrap();
        assert_eq!(counts(&written), [("staff", 2, 2), ("store", 1, 1)]);
        assert_eq!(written.tables[0].why.as_deref(), Some("its store refers to no row of store"));
        assert_eq!(count(&path, "pragma_foreign_key_check"), 0);
        assert_eq!(count(&path, "staff WHERE boss = 2 AND mintage = '{}'"), 1);
        assert_eq!(count(&path, "sqlite_schema WHERE name IN ('by_store', 'forget')"), 2);
        assert_eq!(count(&path, "sqlite_schema WHERE name IN ('heads', 'ask')"), 0);
    }

    #[test]
    fn refused_rows_are_counted_and_the_others_stay() {
        let (dir, schema) = source(
            "CREATE TABLE item (code TEXT NOT NULL UNIQUE ON CONFLICT REPLACE, price REAL CHECK (price > 0),
                 kind TEXT NOT NULL, stock INT NOT NULL DEFAULT 5, twice REAL AS (price * 2), any);",
        );
        let columns: [(&str, &[&str]); 4] = [
            ("code", &["a", "a", "b", "-"]),
            ("price", &["1.5", "2", "-1", "3"]),
            ("twice", &["8", "8", "8", "8"]),
            ("any", &["7", "7", "7", "7"]),
        ];
        let mut all = [rows("item", &columns)];
        all[0].rows.columns[3].declaration.ty = Type::Integer;
        let path = dir.path().join("new.db");
        let written = write_database(&schema, &all, &path, None, IfExists::Fail).unwrap();
        assert_eq!(counts(&written), [("item", 1, 3)]);
        assert!(written.tables[0].why.as_deref().unwrap().contains("UNIQUE"), "{written:?}");
        let whole = "item WHERE price = 1.5 AND twice = 3 AND kind = '' AND stock = 5 AND typeof(\"any\") = 'integer'";
        assert_eq!(count(&path, whole), 1);
        assert_eq!(count(&path, "pragma_table_info('item') WHERE name = 'mintage'"), 0);
    }

    #[test]
    fn what_is_there_stays_until_the_new_one_is_whole() {
        let (dir, mut schema) = source("CREATE TABLE a (id INTEGER PRIMARY KEY, at TEXT)");
        let path = dir.path().join("source.db");
        let before = fs::read(&path).unwrap();
        let good = [rows("a", &[("id", &["1"])])];
        let failure = |schema: &Schema, all: &[Rows], if_exists: IfExists| {
            let error = write_database(schema, all, &path, None, if_exists).unwrap_err();
            assert_eq!(
                (fs::read(&path).unwrap(), fs::read_dir(dir.path()).unwrap().count()),
                (before.clone(), 1)
            );
            error.to_string()
        };
        assert!(failure(&schema, &good, IfExists::Fail).contains("is there already"));
        assert!(failure(&schema, &good, IfExists::Append).contains("cannot be appended to yet"));
        assert!(
            failure(&schema, &[rows("a", &[("it", &["1"])])], IfExists::Replace).contains("no column `it`")
        );
        schema.tables[0].ddl.push("CREATE INDEX broken ON a (nothing)".to_owned());
        assert!(failure(&schema, &good, IfExists::Replace).contains("CREATE INDEX broken"));
        assert!(check_another_file(&path, &path).is_err());
        // As another store would have it: made from its columns and keys.
        schema.tables[0].ddl.clear();
        write_database(&schema, &good, &path, None, IfExists::Replace).unwrap();
        assert_eq!(count(&path, "a WHERE id = 1"), 1);
    }
}
