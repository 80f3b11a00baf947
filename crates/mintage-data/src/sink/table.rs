//! New items beside the rows of a table, in any database: their bytes, a label, and what made them.

use std::fmt;

use super::{Images, Provenance, png_bytes, postgres, sqlite};
use crate::{
    Error,
    names::path_of,
    store,
    table::{PgDefaults, redacted},
};

/// A table of a database, and the columns of it that new items go to.
#[derive(Clone, Copy)]
pub struct ItemTable<'a> {
    /// A SQLite file, which is made where it is not there, or a `postgres://` address.
    pub target: &'a str,
    /// What an address leaves open.
    pub pg: &'a PgDefaults,
    /// It is made where it is not there.
    pub table: &'a str,
    /// Of bytes.
    pub column: &'a str,
    pub label: Option<&'a str>,
}

/// Gives the bytes and the label of new item `i`.
pub type NewItem<'a, 'b> = dyn Fn(usize) -> Result<(Vec<u8>, Option<&'b str>), Error> + 'a;

impl ItemTable<'_> {
    /// Finds what would be wrong with a table of a server before time is spent on items for it.
    ///
    /// # Errors
    /// The server cannot be reached, or its table does not take such items.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_on_server() { postgres::check(self) } else { Ok(()) }
    }

    /// Inserts `n` items, a row each, in one transaction; returns how many. The table and the column `mintage` are made
    /// when absent; other columns stay at their defaults.
    ///
    /// # Errors
    /// The table does not take such items, or one could not be made: then nothing was changed.
    pub fn append(&self, n: usize, item: &NewItem, provenance: &Provenance) -> Result<usize, Error> {
        if self.is_on_server() {
            return postgres::append(self, n, item, provenance);
        }
        let path = &*path_of(self.target);
        sqlite::append_blobs(path, self.table, self.column, self.label, n, item, provenance)
    }

    /// The same for images, as PNG.
    ///
    /// # Errors
    /// Those of [`ItemTable::append`].
    pub fn append_images(&self, images: &Images, provenance: &Provenance) -> Result<usize, Error> {
        let item = |i: usize| Ok((png_bytes(images, i, Some(provenance))?, images.label(i)));
        self.append(images.len(), &item, provenance)
    }

    /// Columns of the table that are empty in every row that was made, such as the names of pictures.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn left_empty(&self) -> Result<Vec<String>, Error> {
        if self.is_on_server() {
            return postgres::left_empty(self);
        }
        sqlite::left_empty(&path_of(self.target), self.table)
    }

    /// Whether the database is not a file.
    pub fn is_on_server(&self) -> bool {
        store::postgres::is_address(self.target)
    }
}

/// Without the password that an address may hold.
impl fmt::Debug for ItemTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { target, table, column, label, pg: _ } = self;
        f.debug_struct("ItemTable")
            .field("target", &redacted(target))
            .field("table", table)
            .field("column", column)
            .field("label", label)
            .finish_non_exhaustive()
    }
}
