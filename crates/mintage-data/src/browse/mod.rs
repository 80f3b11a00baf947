//! Pages of any source: rows with their cells as they are, files with their kind, thumbnails and histograms. A front end
//! shows them; nothing here knows of models, and nothing is written.
//!
//! ```text
//! Browser ──► page: rows, cells ──► media: one value as a whole ──► thumbnail, peaks_of, tune_of
//!    │
//!    └──────► histograms
//! ```
//!
//! All rows are shown, those that Mintage made with them. A page reads no more of a value than it shows.

mod cell;
mod file;
mod folder;
mod histogram;
mod media;
mod memory;
mod page;
mod player;
mod postgres;
mod request;
mod sql;
mod sqlite;
mod thumb;

use serde::Serialize;

pub use cell::{BrowseColumn, BrowseType, Cell, ItemId, MAX_CELL_CHARS, MediaCell, MediaKind};
pub use file::MAX_FILE_ROWS;
pub use folder::MAX_FOLDER_FILES;
pub use histogram::{Histogram, Histograms, MAX_BINS, MAX_VALUES};
pub use media::{MAX_MEDIA_BYTES, Media};
pub use page::{BrowseRow, Page};
pub use player::{MAX_PEAKS, Peaks, Tune, TuneNote, peaks_of, tune_of};
pub use request::{MAX_PAGE_ROWS, PageRequest};
pub use thumb::thumbnail;

use self::{file::FileBrowser, folder::FolderBrowser, postgres::PostgresBrowser, sqlite::SqliteBrowser};
use crate::{
    Error, PgDefaults, SourceSpec,
    files::{check_source, suffix},
    source::idx::{self, IdxSource},
    store::{postgres::is_address, sqlite::is_sqlite},
    table::names_rows,
};

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    Sqlite,
    Postgres,
    /// A file of rows, or of anything else.
    File,
    Folder,
    Idx,
}

/// A source that is open for reading only. It can be shared by threads.
///
/// Calls read files and wait for servers: they belong on a thread that may block, and so does the end of a browser.
#[derive(Debug)]
pub struct Browser {
    kind: SourceKind,
    of: Of,
}

#[derive(Debug)]
enum Of {
    Sqlite(SqliteBrowser),
    Postgres(PostgresBrowser),
    Rows(FileBrowser),
    Files(FolderBrowser),
}

impl Browser {
    /// Opens a SQLite file, the address of a PostgreSQL database, a file of rows or of anything else, a folder of files,
    /// or IDX files. What an address leaves open comes from `pg`. A file of rows is read as a whole.
    ///
    /// # Errors
    /// The source is not there, cannot be read, or holds nothing.
    pub fn open(source: &str, pg: &PgDefaults) -> Result<Self, Error> {
        if is_address(source) {
            let browser = PostgresBrowser::open(source, pg)?;
            return Ok(Self { kind: SourceKind::Postgres, of: Of::Postgres(browser) });
        }
        let spec = SourceSpec { source: source.to_owned(), ..SourceSpec::default() };
        let path = &*spec.path();
        if source.is_empty() {
            return Err(Error::bad("source", "is empty").with_hint("name a database, a folder or a file"));
        }
        check_source(path)?;
        if is_sqlite(path) {
            return Ok(Self { kind: SourceKind::Sqlite, of: Of::Sqlite(SqliteBrowser::open(path)?) });
        }
        let idx = match path.is_dir() {
            true => IdxSource::find(path),
            false => idx::is_idx(path).then(|| idx::Files::of(path)),
        };
        if let Some(files) = idx {
            let browser = FolderBrowser::open_idx(path, IdxSource::open(files, &spec)?);
            return Ok(Self { kind: SourceKind::Idx, of: Of::Files(browser) });
        }
        if path.is_dir() {
            return Ok(Self { kind: SourceKind::Folder, of: Of::Files(FolderBrowser::open(path, &spec)?) });
        }
        if ["db", "sqlite", "sqlite3"].contains(&suffix(path).as_str()) {
            return Err(Error::bad(
                path.display().to_string(),
                "is not a SQLite database in spite of its name",
            )
            .with_hint("the file is empty, damaged, encrypted, or of another program"));
        }
        let of = match names_rows(&spec) {
            true => Of::Rows(FileBrowser::open(&spec)?),
            false => Of::Files(FolderBrowser::open_file(path)?),
        };
        Ok(Self { kind: SourceKind::File, of })
    }

    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// The path, or the address without a password.
    pub fn name(&self) -> &str {
        match &self.of {
            Of::Sqlite(browser) => browser.name(),
            Of::Postgres(browser) => browser.name(),
            Of::Rows(browser) => browser.name(),
            Of::Files(browser) => browser.name(),
        }
    }

    /// The tables of a database as they are now, views after them; of a file and of a folder one without a name.
    ///
    /// # Errors
    /// The database cannot be read any more.
    pub fn tables(&self) -> Result<Vec<String>, Error> {
        match &self.of {
            Of::Sqlite(browser) => browser.tables(),
            Of::Postgres(browser) => browser.tables(),
            Of::Rows(_) | Of::Files(_) => Ok(vec![String::new()]),
        }
    }

    /// Rows of a table. Without an order of the request they come in one that stays the same as long as the table does:
    /// by the number of the row, by the key, or by place.
    ///
    /// # Errors
    /// The source cannot be read any more, there is no such table or column, a condition is not one, or the query takes
    /// too long.
    pub fn page(&self, request: &PageRequest) -> Result<Page, Error> {
        match &self.of {
            Of::Sqlite(browser) => browser.page(request),
            Of::Postgres(browser) => browser.page(request),
            Of::Rows(browser) => {
                self.check_nameless(request.table.as_deref())?;
                browser.page(request)
            }
            Of::Files(browser) => {
                self.check_nameless(request.table.as_deref())?;
                browser.page(request)
            }
        }
    }

    /// One value as a whole: the bytes of a file, or a text. Without `table`, of the first table.
    ///
    /// # Errors
    /// There is no such row, it has no value in the column, or the value has more than [`MAX_MEDIA_BYTES`] bytes; those of
    /// [`page`](Self::page).
    pub fn media(&self, table: Option<&str>, item: ItemId, column: &str) -> Result<Media, Error> {
        match &self.of {
            Of::Sqlite(browser) => browser.media(table, item, column),
            Of::Postgres(browser) => browser.media(table, item, column),
            Of::Rows(browser) => {
                self.check_nameless(table)?;
                browser.media(item, column)
            }
            Of::Files(browser) => {
                self.check_nameless(table)?;
                browser.media(item, column)
            }
        }
    }

    /// How the values of each column are spread. Without `table`, of the first table.
    ///
    /// # Errors
    /// Those of [`page`](Self::page).
    pub fn histograms(&self, table: Option<&str>) -> Result<Histograms, Error> {
        match &self.of {
            Of::Sqlite(browser) => browser.histograms(table),
            Of::Postgres(browser) => browser.histograms(table),
            Of::Rows(browser) => {
                self.check_nameless(table)?;
                Ok(browser.histograms())
            }
            Of::Files(browser) => {
                self.check_nameless(table)?;
                Ok(browser.histograms())
            }
        }
    }

    /// Only a database has tables with names.
    fn check_nameless(&self, table: Option<&str>) -> Result<(), Error> {
        match table.filter(|table| !table.is_empty()) {
            None => Ok(()),
            Some(table) => Err(Error::bad(self.name(), format!("has no table `{table}`"))
                .with_hint("a file and a folder have one table, which has no name")),
        }
    }
}
