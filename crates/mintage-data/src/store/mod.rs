//! Databases: where rows and bytes lie, read only and never as a whole in memory. A store knows tables, columns and
//! values; what the bytes mean, and which of them are wanted, it does not know. A further kind of database is one file
//! here and a line in [`open`].

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;

use crate::{Error, SourceSpec, error::suggestion};
use postgres::PostgresServer;
use sqlite::SqliteFile;

/// Name of the column that marks and describes generated rows.
pub const PROVENANCE_COLUMN: &str = "mintage";

/// Values of a column whose beginnings are looked at.
const LOOKED: usize = 20;
/// Bytes of a value that are looked at: enough to see whether a picture moves.
const HEAD: usize = 64 << 10;

/// A table and one of its columns.
pub(crate) type Place = (String, String);

/// An open database, of which nothing changes while it is read.
pub(crate) trait Database {
    /// What to call it in messages, without a password.
    fn name(&self) -> &str;

    /// What it calls the type of bytes.
    fn bytes_type(&self) -> &'static str;

    /// The tables that need not be asked for by name.
    ///
    /// # Errors
    /// The database cannot be read; so it is for all that follow.
    fn tables(&mut self) -> Result<Vec<String>, Error>;

    /// An error with the nearest name unless there is such a table or view.
    ///
    /// # Errors
    /// There is none.
    fn check_table(&mut self, table: &str) -> Result<(), Error>;

    /// The columns of a table; none of one that is not there.
    fn columns(&mut self, table: &str) -> Result<Vec<String>, Error>;

    /// Every column that may hold bytes. Of views only the one that is `wanted` counts, under that name.
    fn byte_columns(&mut self, wanted: Option<&str>) -> Result<Vec<Place>, Error>;

    /// How the first values of a column of bytes begin.
    fn heads(&mut self, place: &Place) -> Result<Vec<Vec<u8>>, Error>;

    /// How many rows have a value in a column and how many have none, without those that Mintage made.
    fn counts(&mut self, place: &Place) -> Result<(u64, u64), Error>;

    /// The values of the column `mintage` of a table that has one, and how many rows have each.
    ///
    /// # Errors
    /// The table cannot be read.
    fn made(&mut self, table: &str) -> Result<Vec<(String, u64)>, Error>;

    /// The bytes in a column, a row an item, in an order that is always the same. Empty values are left out, and rows
    /// that Mintage made, so that a model never learns from what another one made.
    ///
    /// # Errors
    /// A column holds something else than is asked for, or cannot be read.
    fn items(self: Box<Self>, ask: &Ask) -> Result<Items, Error>;
}

/// What is asked of a database.
pub(crate) struct Ask<'a> {
    pub table: &'a str,
    /// Of bytes.
    pub column: &'a str,
    pub label: Option<&'a str>,
    /// At most this many items are needed, evenly spread. A store may give more.
    pub limit: Option<usize>,
}

/// The bytes in a column, fetched one by one.
#[derive(Debug)]
pub(crate) struct Items {
    /// What each row is called in messages.
    pub numbers: Arc<[i64]>,
    pub labels: Option<Vec<String>>,
    pub bytes: Box<dyn ItemBytes>,
}

/// Where the bytes of items lie.
pub(crate) trait ItemBytes: std::fmt::Debug + Send + Sync {
    /// The bytes of an item; none of one that is too long to be meant.
    ///
    /// # Errors
    /// The item cannot be read any more.
    fn read(&self, item: usize) -> Result<Vec<u8>, Error>;
}

/// The label of a row that has none.
pub(crate) const NO_LABEL: &str = "(missing)";

/// The database that a source is; nothing for files and folders.
///
/// # Errors
/// The database is there and cannot be opened.
pub(crate) fn open(spec: &SourceSpec) -> Result<Option<Box<dyn Database>>, Error> {
    if postgres::is_address(&spec.source) {
        return Ok(Some(Box::new(PostgresServer::open(spec)?)));
    }
    let path = &*spec.path();
    if sqlite::is_sqlite(path) {
        return Ok(Some(Box::new(SqliteFile::open(path)?)));
    }
    Ok(None)
}

/// A name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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
pub(crate) fn check_column(place: &str, table: &str, column: &str, names: &[String]) -> Result<(), Error> {
    if names.iter().any(|n| n == column) {
        return Ok(());
    }
    let error = Error::bad(place, format!("table `{table}` has no column `{column}`"));
    let hint = suggestion(column, names.iter().map(String::as_str))
        .unwrap_or_else(|| format!("the columns are {}", names.join(", ")));
    Err(error.with_hint(hint))
}
