//! Where clips come from: a folder of GIF, APNG or films, a folder of folders of frames, one such file or folder, or a
//! column of a database; and behind them those that `holdout` names.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    Ffmpeg,
    container::{is_film, is_moving},
    decode::Stored,
    format::VideoFormat,
};
use crate::{
    Error, SourceSpec,
    files::{check_source, not_there, open_regular, read_item_file, suffix},
    items::{MAX_SKIPPED, evenly},
    source::{
        column::ColumnSource,
        folder::FolderSource,
        listing::{files_below, holds_none, is_named_like, unread_note},
        media::{IMAGES, Media, holdout_spec},
    },
    store,
};

/// Bytes of the frames of one clip that is read as a whole, at most: they are in memory twice.
const MAX_CLIP_BYTES: usize = 256 << 20;

pub(crate) const CLIPS: Media = Media {
    name: "clips",
    hint: "clips are BLOBs of animated GIF or PNG, MP4, WebM or AVI bytes; `mintage inspect` shows the columns",
    suffixes: &["gif", "png", "apng", "mp4", "m4v", "mov", "webm", "mkv", "avi"],
    unread: &[
        "mpg", "mpeg", "m2v", "wmv", "flv", "ogv", "3gp", "ts", "m2ts", "mts", "vob", "asf", "rm", "f4v",
    ],
    convert: "convert them to MP4, as by `ffmpeg -i a.wmv a.mp4`",
    is: is_moving,
};
/// Suffixes of what only `ffmpeg` can read.
const FILMS: [&str; 6] = ["mp4", "m4v", "mov", "webm", "mkv", "avi"];
/// Files whose beginnings are looked at to tell whether pictures move.
const FILES_LOOKED_AT: usize = 20;
/// Bytes of a beginning.
const HEAD_BYTES: u64 = 64 << 10;

/// An open source of clips, those of its holdout last.
#[derive(Debug)]
pub(crate) struct VideoSource {
    places: Vec<Place>,
    /// Which place a clip is of, and which of that one's.
    items: Vec<(usize, usize)>,
}

#[derive(Debug)]
enum Place {
    /// Files, or folders of frames, and what is to be told of others.
    Folder(FolderSource, Option<String>),
    Column(ColumnSource),
    /// One file, or one folder of frames.
    One(PathBuf),
}

impl VideoSource {
    /// Opens the clips that `spec.source` names, followed by those of `spec.holdout` where it is given.
    ///
    /// # Errors
    /// A source cannot be read, or holds no clips.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let mut places = vec![Place::open(spec)?];
        if let Some(holdout) = holdout_spec(spec)? {
            places.push(Place::open(&holdout)?);
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

    /// "run/7.gif", "row 17 of clips.gif".
    pub fn name(&self, item: usize) -> String {
        let (place, item) = self.items[item];
        self.places[place].name(item)
    }

    /// The label of every clip as text, or nothing when the source has none. Those of a holdout without labels are of no
    /// class that is known.
    pub fn labels(&self) -> Option<Vec<&str>> {
        self.places[0].labels(false)?;
        let label = |&(place, item): &(usize, usize)| {
            self.places[place].labels(place > 0).map_or("", |labels| labels[item].as_str())
        };
        Some(self.items.iter().map(label).collect())
    }

    /// Clips that the source, or `holdout`, sets aside.
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        let at = |bound: (usize, usize)| self.items.partition_point(|&item| item < bound);
        if self.places.len() > 1 {
            return Some(at((1, 0))..self.items.len());
        }
        let Place::Folder(folder, _) = &self.places[0] else { return None };
        folder.official_holdout().map(|held| at((0, held.start))..at((0, held.end)))
    }

    /// The table and the column of a database.
    pub fn place(&self) -> Option<(String, String)> {
        match &self.places[0] {
            Place::Column(table) => Some((table.table.clone(), table.column.clone())),
            Place::Folder(..) | Place::One(_) => None,
        }
    }

    /// What is worth telling of how clips were chosen.
    pub fn notes(&self) -> Vec<String> {
        let notes = |place: &Place| match place {
            Place::Folder(folder, unread) => folder.notes().into_iter().chain(unread.clone()).collect(),
            Place::Column(_) | Place::One(_) => Vec::new(),
        };
        self.places.iter().flat_map(notes).collect()
    }

    /// Whether more than may be left out of a place can be read by `ffmpeg` only.
    pub fn needs_ffmpeg(&self) -> bool {
        self.places.iter().any(Place::needs_ffmpeg)
    }

    pub(super) fn fetch(&self, item: usize) -> Result<Stored, String> {
        let (place, item) = self.items[item];
        self.places[place].fetch(item)
    }
}

impl Place {
    /// Opens whatever `spec.source` names.
    fn open(spec: &SourceSpec) -> Result<Self, Error> {
        if let Some(database) = store::open(spec)? {
            return ColumnSource::open(database, spec, &CLIPS).map(Self::Column);
        }
        let path = &*spec.path();
        check_source(path)?;
        if path.is_dir() {
            let all = files_below(path)?;
            let mut items = clips_among(path, &all);
            items.sort();
            return match items.as_slice() {
                [] if unread_note(&all, &CLIPS).is_some() => Err(holds_none(path, &all, &CLIPS)),
                [] => Err(Error::bad(&spec.source, "holds no clips").with_hint(
                    "clips are animated GIF or PNG files, films (MP4, WebM, AVI, MOV), and folders of numbered pictures",
                )),
                [only] if only.as_os_str().is_empty() => Ok(Self::One(path.to_owned())),
                _ => FolderSource::of(path, &all, items, spec).map(|folder| Self::Folder(folder, unread_note(&all, &CLIPS))),
            };
        }
        match CLIPS.suffixes.contains(&suffix(path).as_str()) || is_moving(&head(path)) {
            true => Ok(Self::One(path.to_owned())),
            false => Err(Error::bad(&spec.source, "is neither a clip nor a database with clips")
                .with_hint("clips are animated GIF or PNG files and films (MP4, WebM, AVI, MOV)")),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Folder(folder, _) => folder.len(),
            Self::Column(table) => table.len(),
            Self::One(_) => 1,
        }
    }

    /// "run/7.gif", "row 17 of clips.gif".
    fn name(&self, item: usize) -> String {
        match self {
            Self::Folder(folder, _) => folder.name(item),
            Self::Column(table) => table.name(item),
            Self::One(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// The label of every clip as text, or nothing when the source has none; `alone` says whether a single label for all
    /// is one.
    fn labels(&self, alone: bool) -> Option<&[String]> {
        match self {
            Self::Folder(folder, _) if alone => folder.labels_alone(),
            Self::Folder(folder, _) => folder.labels(),
            Self::Column(table) => table.labels(),
            Self::One(_) => None,
        }
    }

    /// Whether more than may be left out can be read by `ffmpeg` only, as far as names and the first BLOB tell.
    fn needs_ffmpeg(&self) -> bool {
        match self {
            Self::Folder(folder, _) => {
                let films = (0..folder.len()).filter(|&item| is_film_file(&folder.path(item))).count();
                films as f64 > MAX_SKIPPED * folder.len() as f64
            }
            Self::Column(table) => table.fetch(0).is_ok_and(|bytes| is_film(&bytes)),
            Self::One(path) => is_film(&head(path)),
        }
    }

    fn fetch(&self, item: usize) -> Result<Stored, String> {
        match self {
            Self::Folder(folder, _) => stored(&folder.path(item)),
            Self::Column(table) => table.fetch(item).map(Stored::Bytes).map_err(|error| error.to_string()),
            Self::One(path) => stored(path),
        }
    }
}

/// Whether a file's name says that it is a film.
pub(crate) fn is_film_file(path: &Path) -> bool {
    FILMS.contains(&suffix(path).as_str())
}

impl VideoFormat {
    /// Reads all frames of one clip, a file or a folder of numbered pictures, as a model sees them: channel, frame,
    /// row, column.
    ///
    /// # Errors
    /// There is no clip at `path`, it cannot be decoded or is too long, or it is a film and `ffmpeg` is missing.
    pub fn read(&self, path: &Path, ffmpeg: &Ffmpeg) -> Result<Vec<u8>, Error> {
        if !path.exists() {
            return Err(not_there(path));
        }
        let shown = path.display().to_string();
        let clip = stored(path).map_err(|why| Error::bad(&shown, why))?;
        self.all_frames(&clip, &shown, ffmpeg)
    }

    /// [`VideoFormat::read`] for the bytes of a file; `shown` is what they are called in messages.
    ///
    /// # Errors
    /// The bytes are no clip, one of a film where there is no `ffmpeg`, or too long a one.
    pub fn decode(&self, bytes: Vec<u8>, shown: &str, ffmpeg: &Ffmpeg) -> Result<Vec<u8>, Error> {
        self.all_frames(&Stored::Bytes(bytes), shown, ffmpeg)
    }

    fn all_frames(&self, clip: &Stored, shown: &str, ffmpeg: &Ffmpeg) -> Result<Vec<u8>, Error> {
        if clip.is_film() {
            ffmpeg.check(shown)?;
        }
        let (mut frames, most) = (Vec::new(), MAX_CLIP_BYTES / self.shape.pixels().max(1));
        let put = &mut |frame: &[u8]| {
            if frames.len() == most {
                return Err(format!("is longer than {most} frames: cut it into parts"));
            }
            frames.push(frame.to_vec());
            Ok(())
        };
        clip.frames(self, ffmpeg, 0, put).map_err(|why| Error::bad(shown, why))?;
        let area = self.shape.height * self.shape.width;
        let planes = (0..self.shape.channels).flat_map(|channel| {
            frames.iter().flat_map(move |frame| &frame[channel * area..(channel + 1) * area])
        });
        Ok(planes.copied().collect())
    }
}

/// Whether a file is a clip, or is called a film: one that is none is refused as such by whoever reads it.
pub(crate) fn is_clip_file(path: &Path) -> bool {
    is_moving(&head(path)) || is_film_file(path)
}

/// A file, or a folder of frames.
pub(super) fn stored(path: &Path) -> Result<Stored, String> {
    if path.is_dir() {
        let names = files_below(path).map_err(|error| error.to_string())?;
        let pictures = numbered(&names).ok_or("is no folder of numbered pictures")?;
        return Ok(Stored::Pictures(pictures.into_iter().map(|name| path.join(name)).collect()));
    }
    // By its content: only what begins like a film is given to another program.
    if is_film(&head(path)) {
        return Ok(Stored::Animation(path.to_owned()));
    }
    read_item_file(path).map(Stored::Bytes).map_err(|error| error.to_string())
}

/// How a file begins; nothing where it cannot be read.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    let read = open_regular(path).is_ok_and(|file| file.take(HEAD_BYTES).read_to_end(&mut head).is_ok());
    if read { head } else { Vec::new() }
}

/// Whether most of these pictures and films below `root` move.
pub(crate) fn most_move(root: &Path, pictures: &[impl AsRef<Path>]) -> bool {
    let looked = evenly(pictures.len(), FILES_LOOKED_AT);
    let moving = looked.iter().filter(|&&i| is_moving(&head(&root.join(&pictures[i])))).count();
    moving * 2 > looked.len()
}

/// The clips among all the files below a folder: files, or else folders of frames; of one that is a clip itself the empty
/// path.
fn clips_among(root: &Path, all: &[PathBuf]) -> Vec<PathBuf> {
    let is_clip = |file: &&PathBuf| is_named_like(file, &CLIPS);
    let pictures: Vec<&PathBuf> =
        all.iter().filter(|file| is_named_like(file, &IMAGES) || is_clip(file)).collect();
    let files = || all.iter().filter(is_clip).cloned().collect();
    if most_move(root, &pictures) {
        return files();
    }
    let folders = frame_folders(all);
    if folders.is_empty() { files() } else { folders }
}

/// Folders without others below them that hold pictures, all of them numbered, and at least two.
fn frame_folders(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders: BTreeMap<&Path, Vec<PathBuf>> = BTreeMap::new();
    for file in files.iter().filter(|file| IMAGES.suffixes.contains(&suffix(file).as_str())) {
        folders.entry(file.parent().unwrap_or(Path::new(""))).or_default().push(file.clone());
    }
    let above: BTreeSet<&Path> = folders.keys().flat_map(|folder| folder.ancestors().skip(1)).collect();
    let is_clip =
        |(folder, pictures): &(&Path, Vec<PathBuf>)| !above.contains(folder) && numbered(pictures).is_some();
    folders.into_iter().filter(is_clip).map(|(folder, _)| folder.to_owned()).collect()
}

/// The pictures among these files in the order of their numbers; nothing where there are none, or one has no number.
fn numbered(files: &[PathBuf]) -> Option<Vec<PathBuf>> {
    let pictures = files.iter().filter(|file| IMAGES.suffixes.contains(&suffix(file).as_str()));
    let number = |file: &PathBuf| -> Option<(u64, PathBuf)> {
        let stem = file.file_stem()?.to_string_lossy().into_owned();
        let digits = stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        Some((stem[digits..].parse().ok()?, file.clone()))
    };
    let mut pictures: Vec<(u64, PathBuf)> = pictures.map(number).collect::<Option<_>>()?;
    pictures.sort();
    (!pictures.is_empty()).then(|| pictures.into_iter().map(|(_, file)| file).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn pictures_are_ordered_by_their_numbers() {
        let names = paths(&["f10.png", "f9.png", "f0001.png", "notes.txt"]);
        assert_eq!(numbered(&names).unwrap(), paths(&["f0001.png", "f9.png", "f10.png"]));
        assert_eq!(numbered(&paths(&["1.png", "cover.png"])), None);
        assert_eq!(numbered(&paths(&["notes.txt"])), None);
    }

    #[test]
    fn folders_of_frames_are_those_at_the_end() {
        let names = paths(&["run/a/1.png", "run/a/2.png", "run/b/1.png", "cover.png", "walk/c/x.png"]);
        assert_eq!(frame_folders(&names), paths(&["run/a", "run/b"]));
        assert_eq!(frame_folders(&paths(&["1.png", "2.png"])), paths(&[""]));
    }
}
