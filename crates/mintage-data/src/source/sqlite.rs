//! A table of a SQLite database: one BLOB column holds the images (or other media), another may hold labels.
//!
//! The database is opened read-only. Rows that Mintage itself inserted (their column `mintage` is not
//! null) are left out, so that a model never learns from what another one made.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags, types::ValueRef};

use super::SourceSpec;
use crate::{Error, codec::MAX_FILE_BYTES, error::suggestion, video::CLIPS};

/// Name of the column that marks and describes generated rows.
pub const PROVENANCE_COLUMN: &str = "mintage";

#[derive(Debug)]
pub(crate) struct SqliteSource {
    path: PathBuf,
    pub table: String,
    pub column: String,
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
    File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok() && &magic == b"SQLite format 3\0"
}

/// Opens a database for reading only.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Error::sqlite(path))?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(Error::sqlite(path))?;
    Ok(connection)
}

/// Opens a database for writing; it is made when it is not there.
pub(crate) fn open_read_write(path: &Path) -> Result<Connection, Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Error::sqlite(path))?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(Error::sqlite(path))?;
    Ok(connection)
}

/// A name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Tables of the database, without SQLite's own.
pub(crate) fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
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
    let sql =
        format!("SELECT substr({column}, 1, {HEAD}) FROM {table} WHERE typeof({column}) = 'blob' LIMIT 20");
    let mut statement = connection.prepare(&sql)?;
    let heads: Vec<Vec<u8>> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let found = heads.iter().filter(|head| (media.is)(head)).count();
    Ok(found * 2 > heads.len())
}

/// Every (table, column) that holds images.
pub(crate) fn image_columns(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    media_columns(connection, &IMAGES)
}

/// Every (table, column) that holds such files.
pub(crate) fn media_columns(
    connection: &Connection,
    media: &Media,
) -> rusqlite::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for table in tables(connection)? {
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
        let (rows, labels) =
            read_rows(&connection, &table, &column, label, &names).map_err(Error::sqlite(path))?;
        if rows.is_empty() {
            return Err(Error::bad(
                format!("{}: {table}.{column}", path.display()),
                "holds no rows to learn from",
            )
            .with_hint("empty values do not count, nor do rows that mintage made"));
        }
        Ok(Self { path: path.to_owned(), table, column, rows, labels, connection: Mutex::new(connection) })
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
        let sql = format!("SELECT {} FROM {} WHERE rowid = ?1", quoted(&self.column), quoted(&self.table));
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(&sql).map_err(Error::sqlite(&self.path))?;
        let bytes = statement
            .query_row([self.rows[item]], |row| {
                Ok(match row.get_ref(0)? {
                    ValueRef::Blob(bytes) if bytes.len() as u64 <= MAX_FILE_BYTES => bytes.to_vec(),
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
        check_table(&shown, table, &tables(connection).map_err(sql)?)?;
        if let Some(column) = &spec.column {
            let names = columns(connection, table).map_err(Error::sqlite(path))?;
            check_column(path, table, column, &names)?;
            return Ok((table.clone(), column.clone()));
        }
    }
    let all = media_columns(connection, media).map_err(Error::sqlite(path))?;
    let mut found: Vec<(String, String)> = all.iter().filter(|place| spec.asks_for(place)).cloned().collect();
    if found.len() > 1 && media.name == IMAGES.name {
        // Every GIF is an image, too: where others are there, clips are not meant.
        let moving = media_columns(connection, &CLIPS).map_err(Error::sqlite(path))?;
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

/// Row ids in their order, and the label of each as text.
fn read_rows(
    connection: &Connection,
    table: &str,
    column: &str,
    label: Option<&str>,
    names: &[String],
) -> rusqlite::Result<(Vec<i64>, Option<Vec<String>>)> {
    let generated = names.iter().any(|n| n == PROVENANCE_COLUMN);
    let only_real =
        if generated { format!("AND {} IS NULL", quoted(PROVENANCE_COLUMN)) } else { String::new() };
    let label_sql = label.map_or_else(|| "NULL".to_owned(), quoted);
    let (table, column) = (quoted(table), quoted(column));
    let sql = format!(
        "SELECT rowid, {label_sql} FROM {table} WHERE {column} IS NOT NULL {only_real} ORDER BY rowid"
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
