//! SQLite files, opened read-only. Bytes stay in the file until they are asked for.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, types::ValueRef};

use super::{
    Ask, Database, HEAD, ItemBytes, Items, LOOKED, NO_LABEL, PROVENANCE_COLUMN, Place, check_table, quoted,
};
use crate::{Error, files::open_regular, table::only_real, transform::MAX_FILE_BYTES};

/// How long another program may keep a database locked.
const PATIENCE: Duration = Duration::from_secs(10);
/// An interrupt ends only the statement that runs: the next one is interrupted after this.
const NEXT_INTERRUPT: Duration = Duration::from_millis(50);

/// Whether the file begins like a SQLite database.
pub(crate) fn is_sqlite(path: &Path) -> bool {
    let mut magic = [0u8; 16];
    open_regular(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
        && &magic == b"SQLite format 3\0"
}

/// Opens a database for reading only.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, Error> {
    drop(open_regular(path)?);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(plain(path), flags).map_err(Error::sqlite(path))?;
    connection.busy_timeout(PATIENCE).map_err(Error::sqlite(path))?;
    match tables(&connection) {
        // A database with a log needs a file beside it, which cannot be made in a folder that is read-only.
        Err(error) if needs_log(&error) && !has_log(path) => open_immutable(path),
        _ => Ok(connection),
    }
}

/// Opens a database that nobody writes to: no lock is taken, and no file is made beside it.
fn open_immutable(path: &Path) -> Result<Connection, Error> {
    let absolute = std::path::absolute(path).map_err(Error::io(path))?;
    let escape = |byte: u8| match byte {
        b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let escaped: String = absolute.as_os_str().as_encoded_bytes().iter().copied().map(escape).collect();
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(Error::sqlite(path))
}

fn needs_log(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Whether something was written that is not in the database itself yet.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// A path that SQLite takes for nothing but a path: neither for an address (`file:…?mode=memory`) nor for a name
/// of its own (`:memory:`).
fn plain(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.starts_with(b"file:") || bytes.starts_with(b":") {
        Path::new(".").join(path)
    } else {
        path.to_owned()
    }
}

/// Opens a database for writing; it is made when it is not there.
pub(crate) fn open_read_write(path: &Path) -> Result<Connection, Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(plain(path), flags).map_err(Error::sqlite(path))?;
    connection.busy_timeout(PATIENCE).map_err(Error::sqlite(path))?;
    Ok(connection)
}

/// Interrupts what the connection does once it has taken too long.
pub(crate) fn within_time<T>(connection: &Connection, most: Duration, work: impl FnOnce() -> T) -> T {
    let handle = connection.get_interrupt_handle();
    let (done, waiting) = channel::<()>();
    thread::scope(|scope| {
        let watch = move || {
            let mut patience = most;
            while waiting.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                handle.interrupt();
                patience = NEXT_INTERRUPT;
            }
        };
        // Where no thread can be made nobody watches.
        let _watch = thread::Builder::new().spawn_scoped(scope, watch);
        let result = work();
        drop(done);
        result
    })
}

/// Tables of the database, without SQLite's own and without those in which a virtual table (such as an index of
/// texts) keeps its contents.
pub(crate) fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Views and virtual tables, which are read when they are asked for by name.
pub(crate) fn views(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('view', 'virtual') ORDER BY name";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Columns of a table.
pub(crate) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

/// A SQLite file, open for reading only.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    path: PathBuf,
    name: String,
    connection: Connection,
}

impl SqliteFile {
    /// Opens a SQLite file for reading only.
    ///
    /// # Errors
    /// The file is not a regular one, or cannot be opened as a database.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = open_read_only(path)?;
        Ok(Self { path: path.to_owned(), name: path.display().to_string(), connection })
    }
}

impl Database for SqliteFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn bytes_type(&self) -> &'static str {
        "BLOB"
    }

    fn tables(&mut self) -> Result<Vec<String>, Error> {
        tables(&self.connection).map_err(Error::sqlite(&self.path))
    }

    fn check_table(&mut self, table: &str) -> Result<(), Error> {
        let all = tables(&self.connection).and_then(|all| Ok([all, views(&self.connection)?].concat()));
        check_table(&self.name, table, &all.map_err(Error::sqlite(&self.path))?)
    }

    fn columns(&mut self, table: &str) -> Result<Vec<String>, Error> {
        columns(&self.connection, table).map_err(Error::sqlite(&self.path))
    }

    /// Any column may: SQLite has types of values, not of columns.
    fn byte_columns(&mut self, wanted: Option<&str>) -> Result<Vec<Place>, Error> {
        let mut all = self.tables()?;
        if let Some(wanted) = wanted.filter(|wanted| all.iter().all(|table| table != wanted)) {
            all.push(wanted.to_owned());
        }
        let mut places = Vec::new();
        for table in all {
            places.extend(self.columns(&table)?.into_iter().map(|column| (table.clone(), column)));
        }
        Ok(places)
    }

    fn heads(&mut self, (table, column): &Place) -> Result<Vec<Vec<u8>>, Error> {
        let (table, column) = (quoted(table), quoted(column));
        let sql = format!(
            "SELECT substr({column}, 1, {HEAD}) FROM {table} WHERE typeof({column}) = 'blob' \
             AND length({column}) BETWEEN 1 AND {MAX_FILE_BYTES} LIMIT {LOOKED}"
        );
        let heads = || -> rusqlite::Result<Vec<Vec<u8>>> {
            self.connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
        };
        heads().map_err(Error::sqlite(&self.path))
    }

    fn counts(&mut self, (table, column): &Place) -> Result<(u64, u64), Error> {
        let names = self.columns(table)?;
        let sql = format!(
            "SELECT count({0}), count(*) - count({0}) FROM {1}{2}",
            quoted(column),
            quoted(table),
            only_real(names.iter().map(String::as_str))
        );
        let counts =
            self.connection.query_row(&sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        counts.map(|(there, missing)| (there as u64, missing as u64)).map_err(Error::sqlite(&self.path))
    }

    fn made(&mut self, table: &str) -> Result<Vec<(String, u64)>, Error> {
        let (table, mark) = (quoted(table), quoted(PROVENANCE_COLUMN));
        let sql =
            format!("SELECT {mark}, count(*) FROM {table} WHERE {mark} IS NOT NULL GROUP BY 1 ORDER BY 1");
        let read = || {
            let mut statement = self.connection.prepare(&sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(Error::sqlite(&self.path))
    }

    fn items(self: Box<Self>, ask: &Ask) -> Result<Items, Error> {
        let Self { path, connection, .. } = *self;
        let (items, sql) = items(&connection, ask).map_err(Error::sqlite(&path))?;
        let (numbers, labels) = items;
        let numbers: Arc<[i64]> = numbers.into();
        let bytes = Box::new(Blobs { path, sql, rows: numbers.clone(), connection: Mutex::new(connection) });
        Ok(Items { numbers, labels, bytes })
    }
}

/// The rows of a column and their labels, and the query for the value of one of them.
fn items(connection: &Connection, ask: &Ask) -> rusqlite::Result<(Rows, String)> {
    let Ask { table, column, label, .. } = *ask;
    let names = columns(connection, table)?;
    let rowid = numbered(connection, table, &names)?;
    let from = match rowid {
        Some(_) => quoted(table),
        None => copied(connection, table, column, label, &names)?,
    };
    let rowid = rowid.unwrap_or(ROW_NUMBERS[0]);
    let rows = read_rows(connection, rowid, &from, column, label, &names)?;
    let column = quoted(column);
    // What is too long to be meant is not even loaded.
    let value = format!("CASE WHEN length({column}) <= {MAX_FILE_BYTES} THEN {column} END");
    Ok((rows, format!("SELECT {value} FROM {from} WHERE {rowid} = ?1")))
}

/// Numbers of rows in their order, and the label of each as text.
type Rows = (Vec<i64>, Option<Vec<String>>);

/// BLOBs that stay in the database until they are asked for.
#[derive(Debug)]
struct Blobs {
    path: PathBuf,
    /// Gives the value of the row of a number.
    sql: String,
    rows: Arc<[i64]>,
    connection: Mutex<Connection>,
}

impl ItemBytes for Blobs {
    fn read(&self, item: usize) -> Result<Vec<u8>, Error> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(&self.sql).map_err(Error::sqlite(&self.path))?;
        let blob = |row: &rusqlite::Row| {
            Ok(match row.get_ref(0)? {
                ValueRef::Blob(bytes) => bytes.to_vec(),
                _ => Vec::new(),
            })
        };
        statement.query_row([self.rows[item]], blob).map_err(Error::sqlite(&self.path))
    }
}

/// What SQLite calls the number of a row, where no column has taken the name.
const ROW_NUMBERS: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// The name of the row numbers of a table, if it has such: views have none, nor have tables WITHOUT ROWID.
pub(crate) fn numbered(
    connection: &Connection,
    table: &str,
    names: &[String],
) -> rusqlite::Result<Option<&'static str>> {
    let sql = "SELECT type = 'table' AND NOT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1";
    let has_numbers: bool = connection.query_row(sql, [table], |row| row.get(0))?;
    let is_free = |number: &&&str| !names.iter().any(|name| name.eq_ignore_ascii_case(number));
    Ok(ROW_NUMBERS.iter().find(is_free).filter(|_| has_numbers).copied())
}

/// Copies the columns that are wanted into a table of the connection's own, whose rows are numbered; its name as SQL.
/// SQLite keeps it in a temporary file without a name.
fn copied(
    connection: &Connection,
    table: &str,
    column: &str,
    label: Option<&str>,
    names: &[String],
) -> rusqlite::Result<String> {
    const COPY: &str = "temp.\"mintage items\"";
    let mark = names.iter().any(|name| name == PROVENANCE_COLUMN).then_some(PROVENANCE_COLUMN);
    let mut wanted = vec![column];
    wanted.extend([label, mark].into_iter().flatten().filter(|name| *name != column));
    wanted.dedup();
    let list: Vec<String> = wanted.into_iter().map(quoted).collect();
    let sql =
        format!("CREATE TEMP TABLE \"mintage items\" AS SELECT {} FROM {}", list.join(", "), quoted(table));
    connection.execute(&sql, []).map(|_| COPY.to_owned())
}

/// Numbers of rows in their order, and the label of each as text.
fn read_rows(
    connection: &Connection,
    rowid: &str,
    from: &str,
    column: &str,
    label: Option<&str>,
    names: &[String],
) -> rusqlite::Result<Rows> {
    let generated = names.iter().any(|n| n == PROVENANCE_COLUMN);
    let only_real =
        if generated { format!("AND {} IS NULL", quoted(PROVENANCE_COLUMN)) } else { String::new() };
    let label_sql = label.map_or_else(|| "NULL".to_owned(), quoted);
    let column = quoted(column);
    // An empty BLOB holds nothing.
    let sql = format!(
        "SELECT {rowid}, {label_sql} FROM {from} \
         WHERE {column} IS NOT NULL AND length({column}) > 0 {only_real} ORDER BY {rowid}"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = Vec::new();
    let mut labels = Vec::new();
    let mut query = statement.query([])?;
    while let Some(row) = query.next()? {
        rows.push(row.get(0)?);
        if label.is_some() {
            labels.push(label_text(row.get_ref(1)?));
        }
    }
    Ok((rows, label.map(|_| labels)))
}

fn label_text(value: ValueRef) -> String {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => NO_LABEL.to_owned(),
        ValueRef::Integer(i) => i.to_string(),
        ValueRef::Real(x) => x.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ImageSet, ImageShape, Images, SourceSpec, png_bytes};

    fn png(gray: u8) -> Vec<u8> {
        let shape = ImageShape { channels: 1, height: 4, width: 4 };
        png_bytes(&Images { shape, pixels: vec![gray; 16], labels: vec![], classes: vec![] }, 0, None)
            .unwrap()
    }

    /// Photos whose rows cannot be called by `rowid`: of a table WITHOUT ROWID, of one with a column of that name,
    /// of a view, and of one in which all names of row numbers are taken.
    fn photos(path: &Path) {
        let connection = Connection::open(path).unwrap();
        let sql = "CREATE TABLE p (a TEXT, b INT, kind TEXT, photo BLOB, mintage TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID; \
                   CREATE TABLE q (rowid TEXT, kind TEXT, photo BLOB); \
                   CREATE TABLE r (rowid TEXT, _rowid_ TEXT, OID TEXT, kind TEXT, photo BLOB); \
                   CREATE VIEW v AS SELECT kind, photo FROM q;";
        connection.execute_batch(sql).unwrap();
        for i in 0..20u8 {
            let (kind, photo) = (["x", "y"][usize::from(i) % 2], png(i * 10));
            let p = rusqlite::params![format!("k{i}"), i, kind, photo];
            connection.execute("INSERT INTO p VALUES (?1, ?2, ?3, ?4, NULL)", p).unwrap();
            let q = rusqlite::params![format!("k{i}"), kind, photo];
            connection.execute("INSERT INTO q VALUES (?1, ?2, ?3)", q).unwrap();
            connection.execute("INSERT INTO r VALUES (?1, 'b', 'c', ?2, ?3)", q).unwrap();
        }
        let made = rusqlite::params![png(5)];
        connection.execute("INSERT INTO p VALUES ('z', 1, 'x', ?1, 'made')", made).unwrap();
        connection.execute("INSERT INTO q VALUES ('z', 'x', x'')", []).unwrap();
    }

    #[test]
    fn pictures_of_tables_without_row_numbers_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("photos.db");
        photos(&path);
        for table in ["p", "q", "r", "v"] {
            let spec = SourceSpec {
                source: path.display().to_string(),
                table: Some(table.to_owned()),
                label: Some("kind".to_owned()),
                ..SourceSpec::default()
            };
            let set = ImageSet::open(&spec).unwrap();
            assert_eq!((set.len(), set.classes().len()), (20, 2), "{table}");
            let all: Vec<u32> = (0..20).collect();
            let grays: Vec<u8> = set.batch(&all).unwrap().pixels.chunks(16).map(|image| image[0]).collect();
            let mut sorted = grays.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..20u8).map(|i| i * 10).collect::<Vec<_>>(), "{table}");
            for (item, gray) in grays.iter().enumerate() {
                assert_eq!(set.labels()[item], u32::from(gray / 10 % 2), "{table}");
            }
        }
    }

    #[test]
    fn shadow_tables_stay_away_and_views_are_asked_for() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "CREATE TABLE people (a); CREATE VIRTUAL TABLE docs USING fts5(body); CREATE VIEW v AS SELECT 1 AS b; \
                   CREATE TABLE sqliteology (a)";
        connection.execute_batch(sql).unwrap();
        assert_eq!(tables(&connection).unwrap(), ["people", "sqliteology"]);
        assert_eq!(views(&connection).unwrap(), ["docs", "v"]);
    }

    #[test]
    fn a_name_is_nothing_but_a_path() {
        for name in ["file:y?mode=memory&z=.db", ":memory:", "file::memory:"] {
            assert_eq!(plain(Path::new(name)), Path::new(".").join(name));
        }
        assert_eq!(plain(Path::new("/tmp/file:a")), Path::new("/tmp/file:a"));
    }

    #[test]
    fn a_closed_database_with_a_log_is_read_without_writing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b%#?.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (7)").unwrap();
        assert!(has_log(&path));
        drop(connection);
        assert!(!has_log(&path));
        let immutable = open_immutable(&path).unwrap();
        let a: i64 = immutable.query_row("SELECT a FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(a, 7);
        drop(immutable);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
