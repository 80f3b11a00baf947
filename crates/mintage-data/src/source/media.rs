//! Files of one kind (tunes, sounds): in a folder, in a column of a database, or a single one; and behind them those
//! that `holdout` names. What is in the files only their codec knows.

use std::{
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{SourceSpec, column::ColumnSource, folder::FolderSource, listing::is_named_like};
use crate::{
    Error,
    files::{check_source, open_regular, read_item_file},
    items::evenly,
    store,
};

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
    Column(ColumnSource),
}

impl Place {
    fn open(spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        if let Some(database) = store::open(spec)? {
            return ColumnSource::open(database, spec, media).map(Self::Column);
        }
        let path = &*spec.path();
        check_source(path)?;
        if path.is_dir() {
            return FolderSource::open_media(path, spec, media).map(Self::Folder);
        }
        if is_file_of(path, media) {
            return Ok(Self::File(path.to_owned()));
        }
        let why = match is_named_like(path, media) {
            true => format!("holds no {} in spite of its name", media.name),
            false => format!("is neither a folder of {} nor a database", media.name),
        };
        Err(Error::bad(path.display().to_string(), why).with_hint(media.hint))
    }

    fn len(&self) -> usize {
        match self {
            Self::File(_) => 1,
            Self::Folder(folder) => folder.len(),
            Self::Column(table) => table.len(),
        }
    }

    /// `alone` says whether a single label for all is one.
    fn labels(&self, alone: bool) -> Option<&[String]> {
        match self {
            Self::File(_) => None,
            Self::Folder(folder) if alone => folder.labels_alone(),
            Self::Folder(folder) => folder.labels(),
            Self::Column(table) => table.labels(),
        }
    }
}

impl Places {
    /// Opens the files of one kind that `spec.source` names, followed by those of `spec.holdout` where it is given.
    ///
    /// # Errors
    /// A source cannot be read or holds no such files, or `spec.limit` is zero.
    pub fn open(spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        if spec.limit == Some(0) {
            return Err(Error::bad("limit", "must be at least 1"));
        }
        let mut places = vec![Place::open(spec, media)?];
        if let Some(holdout) = holdout_spec(spec)? {
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
            Place::Column(table) => table.name(item),
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
            Place::File(_) | Place::Column(_) => Vec::new(),
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
            Place::Column(_) => None,
        }
    }

    /// Reads the bytes of an item.
    ///
    /// # Errors
    /// The item cannot be read any more.
    pub fn fetch(&self, item: usize) -> Result<Vec<u8>, Error> {
        let (place, item) = self.items[item];
        match &self.places[place] {
            Place::File(path) => read_item_file(path),
            Place::Folder(folder) => folder.fetch(item),
            Place::Column(table) => table.fetch(item),
        }
    }

    /// `spec` with the table and the column that were found: another one with such files, which may come
    /// later, does not make it ambiguous then.
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        let mut spec = spec.clone();
        if let Place::Column(source) = &self.places[0] {
            spec.table.get_or_insert_with(|| source.table.clone());
            spec.column.get_or_insert_with(|| source.column.clone());
        }
        spec
    }
}

/// Whether a file begins like those of a kind.
pub(crate) fn is_file_of(path: &Path, media: &Media) -> bool {
    let mut head = Vec::new();
    let read = open_regular(path).is_ok_and(|file| file.take(16).read_to_end(&mut head).is_ok());
    read && (media.is)(&head)
}

/// The holdout as a source: another path or address, or else another table of the same database.
///
/// # Errors
/// A database that is there cannot be read.
pub(crate) fn holdout_spec(spec: &SourceSpec) -> Result<Option<SourceSpec>, Error> {
    let Some(holdout) = spec.holdout.clone() else { return Ok(None) };
    let mut spec = SourceSpec { holdout: None, limit: None, ..spec.clone() };
    if is_table_of(&spec, &holdout)? {
        spec.table = Some(holdout);
        return Ok(Some(spec));
    }
    // The table and column of the one need not be those of the other.
    let same = spec.source == holdout;
    spec.source = holdout;
    spec.table = spec.table.filter(|_| same);
    if spec.label.is_some() && !spec.no_labels() && !may_have_label(&spec)? {
        spec.label = None;
    }
    Ok(Some(spec))
}

fn is_table_of(spec: &SourceSpec, table: &str) -> Result<bool, Error> {
    let Some(mut database) = store::open(spec)? else { return Ok(false) };
    Ok(database.tables()?.iter().any(|name| name == table))
}

/// Whether the column of the labels is to be found in a source; folders say for themselves.
fn may_have_label(spec: &SourceSpec) -> Result<bool, Error> {
    let Some(mut database) = store::open(spec)? else { return Ok(true) };
    for table in database.tables()? {
        if database.columns(&table)?.iter().any(|name| Some(name) == spec.label.as_ref()) {
            return Ok(true);
        }
    }
    Ok(false)
}
