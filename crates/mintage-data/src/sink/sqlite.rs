//! Rows beside the old ones: the image as a BLOB, its label, and the provenance in the column `mintage`.

use std::{fs, io, path::Path};

use rusqlite::{Connection, Transaction, TransactionBehavior, params, types::Value};

use super::{Beside, Images, Provenance, png_bytes, target_of};
use crate::{
    Error,
    store::{
        PROVENANCE_COLUMN, check_column, quoted,
        sqlite::{columns, open_read_only, open_read_write, tables},
    },
};

/// Inserts one row per image in one transaction; returns how many. The table and the column `mintage` are made when
/// absent; other columns stay at their defaults.
///
/// # Errors
/// The database cannot be opened or written, lacks a column, or has one that needs a value and gets none: then nothing
/// is added.
pub fn append_rows(
    path: &Path,
    table: &str,
    column: &str,
    label: Option<&str>,
    images: &Images,
    provenance: &Provenance,
) -> Result<usize, Error> {
    let row = |i: usize| Ok((png_bytes(images, i, Some(provenance))?, images.label(i)));
    append_blobs(path, table, column, label, images.len(), &row, provenance)
}

/// [`append_rows`] for any media: `n` rows, each given by `row` as its bytes and a label, or none.
///
/// # Errors
/// Those of [`append_rows`], or `row` fails.
pub fn append_blobs<'a>(
    path: &Path,
    table: &str,
    column: &str,
    label: Option<&str>,
    n: usize,
    row: &dyn Fn(usize) -> Result<(Vec<u8>, Option<&'a str>), Error>,
    provenance: &Provenance,
) -> Result<usize, Error> {
    loop {
        let mut new = NewDatabase::beside(path)?;
        if let Err(error) = insert(&mut new.connection, path, table, column, label, n, row, provenance) {
            new.give_up();
            return Err(error);
        }
        match new.finish() {
            // Another program has made it in the meantime: now they are added to that one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| n).map_err(Error::io(path)),
        }
    }
}

fn insert<'a>(
    connection: &mut Connection,
    path: &Path,
    table: &str,
    column: &str,
    label: Option<&str>,
    n: usize,
    row: &dyn Fn(usize) -> Result<(Vec<u8>, Option<&'a str>), Error>,
    provenance: &Provenance,
) -> Result<(), Error> {
    // Whoever else writes is waited for before anything is read: a lock that has to grow cannot be waited for.
    let behavior = TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior).map_err(Error::sqlite(path))?;
    prepare_table(&transaction, path, table, column, label)?;
    let label_sql = label.map_or_else(String::new, |l| format!(", {}", quoted(l)));
    let marks = if label.is_some() { "?1, ?2, ?3" } else { "?1, ?2" };
    let sql = format!(
        "INSERT INTO {} ({}, {}{label_sql}) VALUES ({marks})",
        quoted(table),
        quoted(column),
        quoted(PROVENANCE_COLUMN)
    );
    let json = provenance.to_json();
    {
        let mut insert = transaction.prepare(&sql).map_err(Error::sqlite(path))?;
        for i in 0..n {
            let (bytes, text) = row(i)?;
            let done = match label {
                Some(_) => insert.execute(params![bytes, json, label_value(text)]),
                None => insert.execute(params![bytes, json]),
            };
            done.map_err(Error::sqlite(path))?;
        }
    }
    transaction.commit().map_err(Error::sqlite(path))
}

/// The columns of a table that are empty in every row that Mintage made, such as the names of pictures.
///
/// # Errors
/// The database cannot be read.
pub fn left_empty(path: &Path, table: &str) -> Result<Vec<String>, Error> {
    let connection = open_read_only(&Path::new(".").join(path))?;
    let find = || -> rusqlite::Result<Vec<String>> {
        let names = columns(&connection, table)?.into_iter();
        let mut empty = Vec::new();
        for name in names.filter(|name| name != PROVENANCE_COLUMN) {
            let (table, column, mark) = (quoted(table), quoted(&name), quoted(PROVENANCE_COLUMN));
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM {table} WHERE {mark} IS NOT NULL AND {column} IS NOT NULL)"
            );
            if !connection.query_row(&sql, [], |row| row.get::<_, bool>(0))? {
                empty.push(name);
            }
        }
        Ok(empty)
    };
    find().map_err(Error::sqlite(path))
}

/// A database that is written to: one that is there as it is, a new one beside its place, so that neither a crash nor a
/// failure leaves an empty one, or a journal that would undo a later one of its name.
pub(crate) struct NewDatabase {
    pub connection: Connection,
    /// Where it lies until it is whole.
    new: Option<Beside>,
    /// An empty file lies in its place.
    was_empty: bool,
}

impl NewDatabase {
    /// Opens the database at `path` for writing, or a new one beside its place where there is none.
    ///
    /// # Errors
    /// The database cannot be opened or made, or a journal is left of another one of its name.
    pub fn beside(path: &Path) -> Result<Self, Error> {
        // SQLite takes a name such as "file:x?mode=memory" for something else than a file, unless a folder stands before it.
        let shown = path;
        let path = target_of(&Path::new(".").join(path)).map_err(Error::io(shown))?;
        let there = fs::metadata(&path);
        let was_empty = there.as_ref().is_ok_and(|there| there.len() == 0);
        if there.is_ok() && !was_empty {
            return Ok(Self { connection: open_read_write(&path)?, new: None, was_empty });
        }
        check_no_journal(&path)?;
        let new = Beside::create(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::bad(shown.display().to_string(), error.to_string())
                    .with_hint("check that its folder is there and can be written")
            }
            _ => Error::io(shown)(error),
        })?;
        let connection = open_read_write(new.temporary())?;
        // Nobody else knows of it: what fails is thrown away, and needs no journal.
        connection.pragma_update(None, "journal_mode", "OFF").map_err(Error::sqlite(shown))?;
        Ok(Self { connection, new: Some(new), was_empty })
    }

    /// Whether nothing was in its place, or an empty file.
    pub fn is_new(&self) -> bool {
        self.new.is_some()
    }

    /// After a failure: what a full disk has left half-written in a database that was there is taken back at once, and not
    /// only by whoever opens it next.
    pub fn give_up(self) {
        let Self { connection, new, .. } = self;
        let path = connection.path().map(str::to_owned);
        drop(connection);
        if new.is_some() {
            return;
        }
        let again = path.and_then(|path| open_read_write(Path::new(&path)).ok());
        let _ = again.map(|again| again.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())));
    }

    /// Closes the database, and gives a new one its name.
    ///
    /// # Errors
    /// The database cannot be closed, or cannot get its name; where another program has made one in the meantime, the
    /// error is `AlreadyExists`.
    pub fn finish(self) -> io::Result<()> {
        let Self { connection, new, was_empty } = self;
        connection.close().map_err(|(_, error)| io::Error::other(error))?;
        // An empty file in its place is as good as none.
        new.map_or(Ok(()), |new| new.commit_held(was_empty).map(drop))
    }
}

/// An error where another database of this name has left what would be played back into a new one.
pub(crate) fn check_no_journal(path: &Path) -> Result<(), Error> {
    for suffix in ["-journal", "-wal"] {
        let mut left = path.as_os_str().to_owned();
        left.push(suffix);
        if fs::symlink_metadata(&left).is_ok_and(|left| left.len() > 0) {
            let why = "is left of a database that is not there, or not closed, and would be played back into a new one";
            return Err(Error::bad(Path::new(&left).display().to_string(), why).with_hint(
                "close the program that has the database open; put its database back, or remove the file; \
                 or choose another name",
            ));
        }
    }
    Ok(())
}

/// Numbers go back as numbers, so that a label column of integers stays one.
pub(crate) fn label_value(text: Option<&str>) -> Value {
    match text {
        None | Some("(missing)") => Value::Null,
        Some(text) => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Value::Integer(number),
            _ => Value::Text(text.to_owned()),
        },
    }
}

/// Makes a table of items, or checks that the one that is there takes them.
pub(crate) fn prepare_table(
    transaction: &Transaction,
    path: &Path,
    table: &str,
    column: &str,
    label: Option<&str>,
) -> Result<(), Error> {
    let sql = |e| Error::sqlite(path)(e);
    if !tables(transaction).map_err(sql)?.iter().any(|t| t == table) {
        let label = label.map_or_else(String::new, |l| format!("{} TEXT, ", quoted(l)));
        let (table, column, mark) = (quoted(table), quoted(column), quoted(PROVENANCE_COLUMN));
        let create =
            format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, {column} BLOB, {label}{mark} TEXT)");
        return transaction.execute_batch(&create).map_err(sql);
    }
    let names = columns(transaction, table).map_err(sql)?;
    check_column(&path.display().to_string(), table, column, &names)?;
    if let Some(label) = label {
        check_column(&path.display().to_string(), table, label, &names)?;
    }
    let given = |name: &str| name == column || Some(name) == label || name == PROVENANCE_COLUMN;
    if let Some(name) = required_columns(transaction, table).map_err(sql)?.iter().find(|name| !given(name)) {
        let why = format!("column `{name}` of `{table}` must have a value, and the model makes none");
        return Err(Error::bad(path.display().to_string(), why)
            .with_hint("give the column a default, or write to another table with `table`"));
    }
    add_provenance_column(transaction, table, &names).map_err(sql)
}

/// Adds the column `mintage` to a table with the columns `names`, where it is not there yet.
pub(crate) fn add_provenance_column(
    transaction: &Transaction,
    table: &str,
    names: &[String],
) -> rusqlite::Result<()> {
    if names.iter().any(|n| n == PROVENANCE_COLUMN) {
        return Ok(());
    }
    let add = format!("ALTER TABLE {} ADD COLUMN {} TEXT", quoted(table), quoted(PROVENANCE_COLUMN));
    transaction.execute_batch(&add)
}

/// Columns that are NOT NULL without a default; an INTEGER PRIMARY KEY fills itself.
pub(crate) fn required_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_info(?1) WHERE (\"notnull\" = 1 OR pk > 0) AND dflt_value IS NULL \
               AND NOT (pk = 1 AND upper(type) = 'INTEGER')";
    connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ImageSet, ImageShape, SourceSpec};

    fn images() -> Images {
        let shape = ImageShape { channels: 1, height: 4, width: 4 };
        let pixels = (0..160).collect();
        Images {
            shape,
            pixels,
            labels: vec![0, 1, 0, 1, 0, 1, 0, 1, 0, 1],
            classes: vec!["1".into(), "coat".into()],
        }
    }

    fn provenance() -> Provenance {
        Provenance {
            model: "m".into(),
            weights: "3f9c2a7b".into(),
            family: "vae".into(),
            seed: 1,
            options: "".into(),
            version: "0".into(),
        }
    }

    fn count(path: &Path, sql: &str) -> i64 {
        Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn fill_real(path: &Path) {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, photo BLOB, kind TEXT)").unwrap();
        for i in 0..10 {
            let png = png_bytes(&images(), i, None).unwrap();
            connection
                .execute("INSERT INTO t (photo, kind) VALUES (?1, ?2)", params![png, ["1", "coat"][i % 2]])
                .unwrap();
        }
    }

    #[test]
    fn creates_appends_and_is_never_read_back_as_real() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        fill_real(&path);
        assert_eq!(append_rows(&path, "t", "photo", Some("kind"), &images(), &provenance()).unwrap(), 10);
        assert_eq!(append_rows(&path, "fresh", "photo", None, &images(), &provenance()).unwrap(), 10);
        assert_eq!(count(&path, "SELECT count(*) FROM t"), 20);
        assert_eq!(count(&path, "SELECT count(*) FROM t WHERE mintage IS NOT NULL"), 10);
        let spec = SourceSpec {
            source: path.display().to_string(),
            table: Some("t".into()),
            label: Some("kind".into()),
            ..SourceSpec::default()
        };
        let set = ImageSet::open(&spec).unwrap();
        assert_eq!((set.len(), set.classes().len()), (10, 2));
        assert_eq!(left_empty(&path, "t").unwrap(), [""; 0]);
        Connection::open(&path).unwrap().execute_batch("ALTER TABLE t ADD COLUMN name TEXT").unwrap();
        assert_eq!(left_empty(&path, "t").unwrap(), ["name"]);
    }

    #[test]
    fn refuses_what_it_cannot_fill_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t (photo BLOB, name TEXT NOT NULL)").unwrap();
        let error = append_rows(&path, "t", "photo", None, &images(), &provenance()).unwrap_err();
        assert!(error.to_string().contains("`name`"), "{error}");
        assert_eq!(columns(&connection, "t").unwrap().len(), 2);
        let error = append_rows(&path, "t", "phto", None, &images(), &provenance()).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("did you mean `photo`?"));
    }

    #[test]
    fn a_failure_rolls_everything_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        let connection = Connection::open(&path).unwrap();
        // The sixth insert breaks the constraint.
        connection
            .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, photo BLOB, CHECK (id < 6))")
            .unwrap();
        assert!(append_rows(&path, "t", "photo", None, &images(), &provenance()).is_err());
        assert_eq!(count(&path, "SELECT count(*) FROM t"), 0);
        assert_eq!(columns(&connection, "t").unwrap().len(), 2);
    }
}
