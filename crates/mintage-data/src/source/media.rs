//! Files of one kind (tunes, sounds): in a folder, in a column of a SQLite database, or a single one; and behind
//! them those that `holdout` names. What is in the files only their codec knows.

use std::{
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    DataKind, SourceSpec,
    folder::FolderSource,
    listing::{is_named_like, kind_of_folder},
    sqlite::{Media, SqliteSource, columns, is_sqlite, media_columns, open_read_only, tables},
};
use crate::{
    Error,
    files::{check_source, open_regular, read_item_file},
    items::evenly,
    names::path_of,
};

/// The items of a source, those of its holdout last.
#[derive(Debug)]
pub(crate) struct Places {
    places: Vec<Place>,
    /// Which place an item is of, and which of that one's.
    items: Vec<(usize, usize)>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Folder(FolderSource),
    Sqlite(SqliteSource),
}

impl Place {
    fn open(spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        let path = &*spec.path();
        check_source(path)?;
        if path.is_dir() {
            return FolderSource::open_media(path, spec, media).map(Self::Folder);
        }
        if is_sqlite(path) {
            return SqliteSource::open_media(path, spec, media).map(Self::Sqlite);
        }
        if is_file_of(path, media) {
            return Ok(Self::File(path.to_owned()));
        }
        let why = match is_named_like(path, media) {
            true => format!("holds no {} in spite of its name", media.name),
            false => format!("is neither a folder of {} nor a SQLite database", media.name),
        };
        Err(Error::bad(path.display().to_string(), why).with_hint(media.hint))
    }

    fn len(&self) -> usize {
        match self {
            Self::File(_) => 1,
            Self::Folder(folder) => folder.len(),
            Self::Sqlite(table) => table.len(),
        }
    }

    /// `alone` says whether a single label for all is one.
    fn labels(&self, alone: bool) -> Option<&[String]> {
        match self {
            Self::File(_) => None,
            Self::Folder(folder) if alone => folder.labels_alone(),
            Self::Folder(folder) => folder.labels(),
            Self::Sqlite(table) => table.labels(),
        }
    }
}

impl Places {
    /// Opens what `spec.source` names, and `spec.holdout` where it is given.
    pub fn open(spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        if spec.limit == Some(0) {
            return Err(Error::bad("limit", "must be at least 1"));
        }
        let mut places = vec![Place::open(spec, media)?];
        if let Some(holdout) = holdout_spec(spec) {
            places.push(Place::open(&holdout, media)?);
        }
        let mut items = Vec::new();
        for (number, place) in places.iter().enumerate() {
            // The limit is on what is learned from.
            let limit = spec.limit.filter(|_| number == 0).unwrap_or(usize::MAX);
            items.extend(evenly(place.len(), limit).into_iter().map(|item| (number, item)));
        }
        Ok(Self { places, items })
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// "bach/001.mid", "row 7 of songs.midi".
    pub fn name(&self, item: usize) -> String {
        let (place, item) = self.items[item];
        match &self.places[place] {
            Place::File(path) => path.display().to_string(),
            Place::Folder(folder) => folder.name(item),
            Place::Sqlite(table) => table.name(item),
        }
    }

    /// The label of every item, or nothing when the source has none. Those of a holdout without labels are of
    /// no class that is known.
    pub fn labels(&self) -> Option<Vec<String>> {
        self.places[0].labels(false)?;
        let label = |&(place, item): &(usize, usize)| {
            self.places[place].labels(place > 0).map_or_else(String::new, |labels| labels[item].clone())
        };
        Some(self.items.iter().map(label).collect())
    }

    /// What is worth telling of how files were chosen.
    pub fn notes(&self) -> Vec<String> {
        let notes = |place: &Place| match place {
            Place::Folder(folder) => folder.notes(),
            Place::File(_) | Place::Sqlite(_) => Vec::new(),
        };
        self.places.iter().flat_map(notes).collect()
    }

    /// Items that the source, or `holdout`, sets aside for testing.
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        let at = |bound: (usize, usize)| self.items.partition_point(|&item| item < bound);
        if self.places.len() > 1 {
            return Some(at((1, 0))..self.items.len());
        }
        let Place::Folder(folder) = &self.places[0] else { return None };
        folder.official_holdout().map(|held| at((0, held.start))..at((0, held.end)))
    }

    /// The file that an item is, unless it lies in a database.
    pub fn path(&self, item: usize) -> Option<PathBuf> {
        let (place, item) = self.items[item];
        match &self.places[place] {
            Place::File(path) => Some(path.clone()),
            Place::Folder(folder) => Some(folder.path(item)),
            Place::Sqlite(_) => None,
        }
    }

    /// The bytes of an item.
    pub fn fetch(&self, item: usize) -> Result<Vec<u8>, Error> {
        let (place, item) = self.items[item];
        match &self.places[place] {
            Place::File(path) => read_item_file(path),
            Place::Folder(folder) => folder.fetch(item),
            Place::Sqlite(table) => table.fetch(item),
        }
    }

    /// `spec` with the table and the column that were found: another one with such files, which may come
    /// later, does not make it ambiguous then.
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        let mut spec = spec.clone();
        if let Place::Sqlite(source) = &self.places[0] {
            spec.table.get_or_insert_with(|| source.table.clone());
            spec.column.get_or_insert_with(|| source.column.clone());
        }
        spec
    }
}

/// Whether a source holds such files, which are data of `kind`: a folder where most files are, one of them, or a SQLite
/// database where they are in the column asked for, or else none of the media in `before` is. Nothing is decoded.
pub(crate) fn holds_media(
    spec: &SourceSpec,
    kind: DataKind,
    media: &Media,
    before: &[&Media],
) -> Result<bool, Error> {
    let path = &*spec.path();
    if spec.kind.is_some() {
        return Ok(spec.kind == Some(kind));
    }
    if path.is_dir() {
        return Ok(kind_of_folder(path, spec)? == Some(kind));
    }
    if !path.is_file() || spec.query.is_some() {
        return Ok(false);
    }
    if !is_sqlite(path) {
        // One that is not what its name says is best told so.
        return Ok(is_file_of(path, media) || is_named_like(path, media));
    }
    let connection = open_read_only(path)?;
    let found = |media| -> Result<bool, Error> {
        Ok(media_columns(&connection, media, spec.table.as_deref())
            .map_err(Error::sqlite(path))?
            .iter()
            .any(|place| spec.asks_for(place)))
    };
    if !found(media)? {
        return Ok(false);
    }
    let other = || before.iter().try_fold(false, |any, media| Ok(any || found(media)?));
    Ok(spec.column.is_some() || !other()?)
}

/// By its beginning.
fn is_file_of(path: &Path, media: &Media) -> bool {
    let mut head = Vec::new();
    let read = open_regular(path).is_ok_and(|file| file.take(16).read_to_end(&mut head).is_ok());
    read && (media.is)(&head)
}

/// The holdout as a source: another path, or else another table of the same database.
pub(crate) fn holdout_spec(spec: &SourceSpec) -> Option<SourceSpec> {
    let holdout = spec.holdout.clone()?;
    let mut spec = SourceSpec { holdout: None, limit: None, ..spec.clone() };
    if is_table_of(&spec.source, &holdout) {
        spec.table = Some(holdout);
    } else {
        // The table and column of the one need not be those of the other.
        let same = spec.source == holdout;
        spec.source = holdout;
        spec.table = spec.table.filter(|_| same);
        spec.label = spec.label.filter(|label| has_column(&spec.source, label));
    }
    Some(spec)
}

fn is_table_of(source: &str, table: &str) -> bool {
    let path = &*path_of(source);
    let known = || tables(&open_read_only(path).ok()?).ok();
    is_sqlite(path) && known().is_some_and(|names| names.iter().any(|name| name == table))
}

/// Whether a label column is to be found there; folders say for themselves.
fn has_column(source: &str, column: &str) -> bool {
    let path = &*path_of(source);
    if column == "none" || !is_sqlite(path) {
        return true;
    }
    let Ok(connection) = open_read_only(path) else { return false };
    let all = tables(&connection).unwrap_or_default();
    all.iter().any(|table| columns(&connection, table).is_ok_and(|names| names.iter().any(|n| n == column)))
}
