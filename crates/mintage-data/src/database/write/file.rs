//! The file of a new database, which takes its place when it is whole. Unlike [`NewDatabase`](crate::sink::sqlite::NewDatabase),
//! which adds to a database that is there, it replaces it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{
    Error,
    names::path_of,
    sink::{Beside, sqlite::check_no_journal, target_of},
    store::{
        postgres::{are_same_database, is_address},
        sqlite::{is_sqlite, open_read_write},
    },
    table::{IfExists, PgDefaults},
};

/// An error where a new database would take the place of the one that it is made from. Rows may be added to that.
///
/// # Errors
/// Both are one file, or one database of one server.
pub fn check_another_place(
    source: &str,
    target: &str,
    if_exists: IfExists,
    pg: &PgDefaults,
) -> Result<(), Error> {
    let is_same = match (is_address(source), is_address(target)) {
        (true, true) => are_same_database(source, target, pg),
        (false, false) => {
            let (source, target) = (fs::canonicalize(path_of(source)), fs::canonicalize(path_of(target)));
            matches!((source, target), (Ok(source), Ok(other)) if source == other)
        }
        _ => false,
    };
    match is_same && if_exists != IfExists::Append {
        true => {
            Err(Error::bad(target, "is the source itself, and would be lost")
                .with_hint("choose another place"))
        }
        false => Ok(()),
    }
}

/// A database beside its place. Dropped before it is finished, it is gone.
pub(super) struct NewFile {
    pub connection: Connection,
    beside: Beside,
    target: PathBuf,
    replaces: bool,
}

impl NewFile {
    /// Opens an empty database beside `path`.
    ///
    /// # Errors
    /// A file is there that may not be replaced, a journal is left of one, or no file can be made.
    pub fn beside(path: &Path, if_exists: IfExists) -> Result<Self, Error> {
        // SQLite takes a name such as "file:x?mode=memory" for something else than a file, unless a folder stands before it.
        let target = target_of(&Path::new(".").join(path)).map_err(Error::io(path))?;
        let there = fs::metadata(&target).ok();
        // An empty file is as good as none.
        if there.as_ref().is_some_and(|there| !there.is_file() || there.len() > 0) {
            check_replaceable(path, &target, if_exists)?;
        }
        check_no_journal(&target)?;
        let beside = Beside::create(&target).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::bad(path.display().to_string(), error.to_string())
                    .with_hint("check that its folder is there and can be written")
            }
            _ => Error::io(path)(error),
        })?;
        let connection = open_read_write(beside.temporary())?;
        // Nobody else knows of it: what fails is thrown away, and needs no journal.
        connection.pragma_update(None, "journal_mode", "OFF").map_err(Error::sqlite(path))?;
        // Within a transaction it is too late.
        connection.pragma_update(None, "foreign_keys", false).map_err(Error::sqlite(path))?;
        // What a database from elsewhere calls may do nothing but compute.
        connection.pragma_update(None, "trusted_schema", false).map_err(Error::sqlite(path))?;
        Ok(Self { connection, beside, target, replaces: there.is_some() })
    }

    /// Closes the database and gives it its name.
    ///
    /// # Errors
    /// The file cannot be closed or named, or another program has made or opened one of its name in the meantime.
    pub fn finish(self, path: &Path) -> Result<(), Error> {
        let Self { connection, beside, target, replaces } = self;
        connection.close().map_err(|(_, error)| Error::sqlite(path)(error))?;
        // Another program may have begun to write to the one before.
        check_no_journal(&target)?;
        beside.commit_held(replaces).map(drop).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::bad(path.display().to_string(), "was made by another program in the meantime")
                    .with_hint("nothing was written; choose another file, or `if_exists` replace")
            }
            _ => Error::io(path)(error),
        })
    }
}

/// An error unless the file that is there may be replaced.
fn check_replaceable(path: &Path, target: &Path, if_exists: IfExists) -> Result<(), Error> {
    let (why, hint) = match if_exists {
        IfExists::Fail | IfExists::Append => {
            ("is there already", "choose another file, or `if_exists` append or replace")
        }
        IfExists::Replace if is_sqlite(target) => return Ok(()),
        IfExists::Replace => ("is there already, and is no SQLite database", "choose another file"),
    };
    Err(Error::bad(path.display().to_string(), why).with_hint(hint))
}
