//! A table of a SQLite database: one BLOB column holds the images (or other media), another may hold labels.
//!
//! The database is opened read-only. Rows that Mintage itself inserted (their column `mintage` is not
//! null) are left out, so that a model never learns from what another one made.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, types::ValueRef};

use super::SourceSpec;
use crate::{Error, error::suggestion, files::open_regular, transform::MAX_FILE_BYTES, video::CLIPS};

/// Name of the column that marks and describes generated rows.
pub const PROVENANCE_COLUMN: &str = "mintage";

/// How long another program may keep a database locked.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct SqliteSource {
    path: PathBuf,
    pub table: String,
    pub column: String,
    /// How SQL calls the number of a row, and what it is selected from.
    rowid: &'static str,
    from: String,
    rows: Vec<i64>,
    labels: Option<Vec<String>>,
    connection: Mutex<Connection>,
}

/// A kind of files, by which folders and columns that hold it are found.
#[derive(Debug)]
pub(crate) struct Media {
    /// What to call them.
    pub name: &'static str,
    /// What they are, for those who have none.
    pub hint: &'static str,
    /// How their files' names end.
    pub suffixes: &'static [&'static str],
    /// How those of files end that are of the kind, and are not read.
    pub unread: &'static [&'static str],
    /// What to make of these.
    pub convert: &'static str,
    /// Whether a file begins so; at least 16 bytes are given where there are as many.
    pub is: fn(&[u8]) -> bool,
}

pub(crate) const IMAGES: Media = Media {
    name: "images",
    hint: "images are BLOBs of PNG, JPEG, GIF, WebP or BMP bytes; `mintage inspect` shows the columns",
    suffixes: &["png", "jpg", "jpeg", "jpe", "jfif", "gif", "webp", "bmp"],
    unread: &[
        "heic", "heif", "avif", "tif", "tiff", "jxl", "jp2", "j2k", "psd", "xcf", "svg", "eps", "ico", "tga",
        "dds", "exr", "hdr", "pbm", "pgm", "ppm", "pnm", "qoi", "dcm", "cr2", "cr3", "nef", "arw", "dng",
        "orf", "rw2", "raf",
    ],
    convert: "convert them to PNG or JPEG, as by `magick mogrify -format png *.tif`",
    is: |head| image::guess_format(head).is_ok(),
};

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

/// A name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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

/// Bytes of a BLOB that are looked at: enough to see whether a picture moves.
const HEAD: usize = 64 << 10;

/// Whether the first BLOBs of a column begin like such files.
pub(crate) fn holds(
    connection: &Connection,
    media: &Media,
    table: &str,
    column: &str,
) -> rusqlite::Result<bool> {
    let (table, column) = (quoted(table), quoted(column));
    let sql = format!(
        "SELECT substr({column}, 1, {HEAD}) FROM {table} WHERE typeof({column}) = 'blob' \
         AND length({column}) BETWEEN 1 AND {MAX_FILE_BYTES} LIMIT 20"
    );
    let mut statement = connection.prepare(&sql)?;
    let heads: Vec<Vec<u8>> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let found = heads.iter().filter(|head| (media.is)(head)).count();
    Ok(found * 2 > heads.len())
}

/// Every (table, column) that holds such files; of views only the one that is asked for is looked at.
pub(crate) fn media_columns(
    connection: &Connection,
    media: &Media,
    wanted: Option<&str>,
) -> rusqlite::Result<Vec<(String, String)>> {
    let mut all = tables(connection)?;
    if let Some(wanted) = wanted.filter(|wanted| all.iter().all(|table| table != wanted)) {
        all.push(wanted.to_owned());
    }
    let mut found = Vec::new();
    for table in all {
        // Of a table that is not there there are no columns.
        for column in columns(connection, &table)? {
            if holds(connection, media, &table, &column)? {
                found.push((table.clone(), column));
            }
        }
    }
    Ok(found)
}

impl SqliteSource {
    pub fn open(path: &Path, spec: &SourceSpec) -> Result<Self, Error> {
        Self::open_media(path, spec, &IMAGES)
    }

    /// [`SqliteSource::open`] for files of another kind.
    pub fn open_media(path: &Path, spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        let connection = open_read_only(path)?;
        let (table, column) = choose(&connection, path, spec, media)?;
        let label = spec.label.as_deref().filter(|_| !spec.no_labels());
        let names = columns(&connection, &table).map_err(Error::sqlite(path))?;
        if let Some(label) = label {
            check_column(path, &table, label, &names)?;
        }
        let rowid = numbered(&connection, &table, &names).map_err(Error::sqlite(path))?;
        let from = match rowid {
            Some(_) => quoted(&table),
            None => copied(&connection, &table, &column, label, &names).map_err(Error::sqlite(path))?,
        };
        let rowid = rowid.unwrap_or(ROW_NUMBERS[0]);
        let (rows, labels) =
            read_rows(&connection, rowid, &from, &column, label, &names).map_err(Error::sqlite(path))?;
        if rows.is_empty() {
            return Err(Error::bad(
                format!("{}: {table}.{column}", path.display()),
                "holds no rows to learn from",
            )
            .with_hint("empty values do not count, nor do rows that mintage made"));
        }
        let connection = Mutex::new(connection);
        Ok(Self { path: path.to_owned(), table, column, rowid, from, rows, labels, connection })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn name(&self, item: usize) -> String {
        format!("row {} of {}.{}", self.rows[item], self.table, self.column)
    }

    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    pub fn fetch(&self, item: usize) -> Result<Vec<u8>, Error> {
        let column = quoted(&self.column);
        // What is too long to be meant is not even loaded.
        let value = format!("CASE WHEN length({column}) <= {MAX_FILE_BYTES} THEN {column} END");
        let sql = format!("SELECT {value} FROM {} WHERE {} = ?1", self.from, self.rowid);
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(&sql).map_err(Error::sqlite(&self.path))?;
        let bytes = statement
            .query_row([self.rows[item]], |row| {
                Ok(match row.get_ref(0)? {
                    ValueRef::Blob(bytes) => bytes.to_vec(),
                    _ => Vec::new(),
                })
            })
            .map_err(Error::sqlite(&self.path))?;
        Ok(bytes)
    }
}

/// The table and the column to read: as asked for, or the only ones that hold what is looked for.
fn choose(
    connection: &Connection,
    path: &Path,
    spec: &SourceSpec,
    media: &Media,
) -> Result<(String, String), Error> {
    let name = media.name;
    let shown = path.display().to_string();
    let sql = Error::sqlite(path);
    if let Some(table) = &spec.table {
        let all = tables(connection).and_then(|all| Ok([all, views(connection)?].concat()));
        check_table(&shown, table, &all.map_err(sql)?)?;
        if let Some(column) = &spec.column {
            let names = columns(connection, table).map_err(Error::sqlite(path))?;
            check_column(path, table, column, &names)?;
            return Ok((table.clone(), column.clone()));
        }
    }
    let columns_with = |media| media_columns(connection, media, spec.table.as_deref());
    let all = columns_with(media).map_err(Error::sqlite(path))?;
    let mut found: Vec<(String, String)> = all.iter().filter(|place| spec.asks_for(place)).cloned().collect();
    if found.len() > 1 && media.name == IMAGES.name {
        // Every GIF is an image, too: where others are there, clips are not meant.
        let moving = columns_with(&CLIPS).map_err(Error::sqlite(path))?;
        if !found.iter().all(|place| moving.contains(place)) {
            found.retain(|place| !moving.contains(place));
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 if !all.is_empty() => {
            let places: Vec<String> = all.iter().map(|(t, c)| format!("--table {t} --column {c}")).collect();
            Err(Error::bad(shown, format!("no column with {name} was found where you asked for it"))
                .with_hint(format!("{name} are in {}", places.join(", "))))
        }
        0 => Err(Error::bad(shown, format!("no column with {name} was found")).with_hint(media.hint)),
        _ => {
            let all: Vec<String> = found.iter().map(|(t, c)| format!("--table {t} --column {c}")).collect();
            Err(Error::bad(shown, format!("several columns hold {name}"))
                .with_hint(format!("choose: {}", all.join(" or "))))
        }
    }
}

/// An error with the nearest name unless `table` is one of the tables of a database.
pub(crate) fn check_table(place: &str, table: &str, all: &[String]) -> Result<(), Error> {
    if all.iter().any(|name| name == table) {
        return Ok(());
    }
    let hint = suggestion(table, all.iter().map(String::as_str))
        .unwrap_or_else(|| format!("the tables are {}", all.join(", ")));
    Err(Error::bad(place, format!("has no table `{table}`")).with_hint(hint))
}

/// An error with the nearest name unless the table has the column.
pub(crate) fn check_column(path: &Path, table: &str, column: &str, names: &[String]) -> Result<(), Error> {
    if names.iter().any(|n| n == column) {
        return Ok(());
    }
    let error = Error::bad(path.display().to_string(), format!("table `{table}` has no column `{column}`"));
    let hint = suggestion(column, names.iter().map(String::as_str))
        .unwrap_or_else(|| format!("the columns are {}", names.join(", ")));
    Err(error.with_hint(hint))
}

/// What SQLite calls the number of a row, where no column has taken the name.
const ROW_NUMBERS: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// The name of the row numbers of a table, if it has such: views have none, nor have tables WITHOUT ROWID.
fn numbered(
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
) -> rusqlite::Result<(Vec<i64>, Option<Vec<String>>)> {
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
        ValueRef::Null | ValueRef::Blob(_) => "(missing)".to_owned(),
        ValueRef::Integer(i) => i.to_string(),
        ValueRef::Real(x) => x.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ImageSet, ImageShape, Images, png_bytes};

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
