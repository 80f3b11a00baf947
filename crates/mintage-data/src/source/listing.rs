//! What lies in a folder: its files, without those that belong to a system or are about the data, and the kind of data
//! that most of them are. Names decide; only pictures are looked into, since some move.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::{
    DataKind, SourceSpec,
    idx::IdxSource,
    media::{IMAGES, Media},
    metadata::is_metadata,
};
use crate::{
    Error, audio::SOUNDS, files::suffix, music::MIDI, sink::made::LIST, text::has_text_suffix, video,
};

const MAX_DEPTH: usize = 8;
/// What file managers and archives leave behind, in small letters.
const OF_SYSTEMS: [&str; 8] = [
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "$recycle.bin",
    "system volume information",
    "lost+found",
];
/// Names of documents about the data, whatever follows behind a sign: `README.md`, `LICENSE-MIT`, `readme_first.txt`.
const ABOUT: [&str; 5] = ["readme", "license", "licence", "copying", "copyright"];
/// Such names that count alone, before a suffix: `notice-7.txt` is one of many notices.
const ABOUT_ALONE: [&str; 9] = [
    "notice",
    "authors",
    "contributors",
    "contributing",
    "changelog",
    "changes",
    "citation",
    "credits",
    "attribution",
];
/// Suffixes of tables and databases: of few texts beside them it is not the texts that are meant.
const TABLES: [&str; 7] = ["csv", "tsv", "jsonl", "parquet", "db", "sqlite", "sqlite3"];

/// All files below a folder, relative to it. Hidden ones and what a system leaves do not count, nor does what is no
/// file: a pipe or a device would be waited for.
pub(crate) fn files_below(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    walk(root, Path::new(""), 0, &mut files)?;
    Ok(files)
}

/// Collects files below `root/at`; links to folders are not followed, so that no loop can form.
fn walk(root: &Path, at: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let dir = root.join(at);
    for entry in fs::read_dir(&dir).map_err(Error::io(&dir))? {
        let entry = entry.map_err(Error::io(&dir))?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        // The list of what mintage made is as good as hidden.
        if name.starts_with('.') || name == LIST || OF_SYSTEMS.contains(&name.as_str()) {
            continue;
        }
        let relative = at.join(entry.file_name());
        let kind = entry.file_type().map_err(Error::io(&dir))?;
        if kind.is_dir() {
            if depth < MAX_DEPTH {
                walk(root, &relative, depth + 1, files)?;
            }
        } else if kind.is_file() || kind.is_symlink() && root.join(&relative).is_file() {
            files.push(relative);
        }
    }
    Ok(())
}

/// Whether a file is a document about the data, such as a README or a licence.
pub(crate) fn is_about_data(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let word = &name[..name.find(|c: char| !c.is_alphabetic()).unwrap_or(name.len())];
    let stem = name.split('.').next().unwrap_or_default();
    let is_document = has_text_suffix(&name)
        || ["", "html", "htm", "pdf", "rtf", "docx", "cff", "bib"].contains(&suffix(file).as_str())
        || !name.contains('.');
    is_document && (ABOUT.contains(&word) || ABOUT_ALONE.contains(&stem))
}

/// Whether the name of a file ends as those of a kind do.
pub(crate) fn is_named_like(file: &Path, media: &Media) -> bool {
    media.suffixes.contains(&suffix(file).as_str())
}

/// The kind of data that a folder holds: what `spec` says, or else what most of its files are. Nothing where it holds
/// nothing that is known; an error where no kind has the most.
pub(crate) fn kind_of_folder(root: &Path, spec: &SourceSpec) -> Result<Option<DataKind>, Error> {
    if spec.kind.is_some() {
        return Ok(spec.kind);
    }
    if IdxSource::find(root).is_some() {
        return Ok(Some(DataKind::Image));
    }
    Census::of(&files_below(root)?).kind(root)
}

/// The files of a folder by what their names say they are.
#[derive(Default)]
struct Census<'a> {
    /// Images, and clips.
    pictures: Vec<&'a PathBuf>,
    tunes: usize,
    sounds: usize,
    texts: usize,
}

impl<'a> Census<'a> {
    fn of(files: &'a [PathBuf]) -> Self {
        let mut census = Self::default();
        let (mut texts, mut tables) = (Vec::new(), 0);
        let mut described: HashSet<&OsStr> = HashSet::new();
        for file in files.iter().filter(|file| !is_metadata(file)) {
            let media = if is_named_like(file, &MIDI) {
                census.tunes += 1;
                true
            } else if is_named_like(file, &SOUNDS) {
                census.sounds += 1;
                true
            } else if is_named_like(file, &IMAGES) || is_named_like(file, &video::CLIPS) {
                census.pictures.push(file);
                true
            } else {
                false
            };
            if media {
                described.extend(file.file_stem());
            } else if has_text_suffix(&file.to_string_lossy()) {
                texts.push(file);
            } else if TABLES.contains(&suffix(file).as_str()) {
                tables += 1;
            }
        }
        census.drop_posters();
        census.texts = texts_alone(texts, &described);
        if census.texts <= tables {
            census.texts = 0;
        }
        census
    }

    /// A still of the name of a film shows what is in the film.
    fn drop_posters(&mut self) {
        let is_film = |file: &PathBuf| video::is_film_file(file);
        let films: HashSet<PathBuf> =
            self.pictures.iter().filter(|file| is_film(file)).map(|file| file.with_extension("")).collect();
        self.pictures.retain(|file| is_film(file) || !films.contains(&file.with_extension("")));
    }

    fn kind(&self, root: &Path) -> Result<Option<DataKind>, Error> {
        let counts = [self.pictures.len(), self.tunes, self.sounds, self.texts];
        let all: usize = counts.iter().sum();
        let Some(most) = (0..counts.len()).max_by_key(|&kind| counts[kind]).filter(|_| all > 0) else {
            return Ok(None);
        };
        let pictures = || match video::most_move(root, &self.pictures) {
            true => DataKind::Video,
            false => DataKind::Image,
        };
        let kind = |number: usize| match number {
            0 => pictures(),
            1 => DataKind::Music,
            2 => DataKind::Audio,
            _ => DataKind::Text,
        };
        if counts[most] * 2 > all {
            return Ok(Some(kind(most)));
        }
        let there: Vec<(DataKind, usize)> = (0..counts.len())
            .filter(|&number| counts[number] > 0)
            .map(|number| (kind(number), counts[number]))
            .collect();
        Err(ambiguous(root, &there))
    }
}

/// How many texts are more than the transcripts, lyrics or captions of other files: those of their names. Documents about
/// the data count where they are most of the texts.
fn texts_alone(texts: Vec<&PathBuf>, described: &HashSet<&OsStr>) -> usize {
    let alone = texts.iter().filter(|file| file.file_stem().is_none_or(|stem| !described.contains(stem)));
    let (about, texts) = alone.partition::<Vec<&&PathBuf>, _>(|file| is_about_data(file));
    if about.len() > texts.len() && described.is_empty() { about.len() + texts.len() } else { texts.len() }
}

fn ambiguous(root: &Path, there: &[(DataKind, usize)]) -> Error {
    let (mut what, mut flags) = (Vec::new(), Vec::new());
    for &(kind, n) in there {
        let (one, many, flag) = match kind {
            DataKind::Image => ("image", "images", "image"),
            DataKind::Video => ("clip", "clips", "video"),
            DataKind::Music => ("tune", "tunes", "music"),
            DataKind::Audio => ("sound", "sounds", "audio"),
            DataKind::Text | DataKind::Table => ("text", "texts", "text"),
        };
        what.push(format!("{n} {}", if n == 1 { one } else { many }));
        flags.push(format!("--kind {flag}"));
    }
    Error::bad(
        root.display().to_string(),
        format!("holds {}: it does not say what is meant", listed(&what, "and")),
    )
    .with_hint(format!("choose with {}", listed(&flags, "or")))
}

/// The error of a folder without files of a kind, which says what lies there instead.
pub(crate) fn holds_none(root: &Path, files: &[PathBuf], media: &Media) -> Error {
    let Media { name, suffixes, .. } = media;
    let place = root.display().to_string();
    let all_unread = unread_kinds(files);
    let why = match suffix_counts(files).as_slice() {
        [] => format!("holds no {name}"),
        counts => format!("holds no {name}; found: {}", named_counts(counts)),
    };
    let hint = match all_unread.as_slice() {
        [] => format!("{name} are files that end in {}", suffixes.join(", ")),
        kinds => kinds
            .iter()
            .map(|media| format!("{}: {}", media.name, media.convert))
            .collect::<Vec<_>>()
            .join("; "),
    };
    Error::bad(place, why).with_hint(hint)
}

/// "5 files are left out, which are no images that can be read: 3 .heic, 2 .tif; …", or nothing.
pub(crate) fn unread_note(files: &[PathBuf], media: &Media) -> Option<String> {
    let unread: Vec<PathBuf> = files.iter().filter(|file| is_unread(file, media)).cloned().collect();
    let counts = suffix_counts(&unread);
    let Media { name, convert, .. } = media;
    let verb = if unread.len() == 1 { "file is" } else { "files are" };
    (!counts.is_empty()).then(|| {
        format!(
            "{} {verb} left out, {name} of kinds that are not read: {}; {convert}",
            unread.len(),
            named_counts(&counts)
        )
    })
}

fn is_unread(file: &Path, media: &Media) -> bool {
    media.unread.contains(&suffix(file).as_str())
}

/// The kinds of media of which a folder holds files that are not read.
fn unread_kinds(files: &[PathBuf]) -> Vec<&'static Media> {
    let all = [&IMAGES, &MIDI, &SOUNDS, &video::CLIPS];
    all.into_iter().filter(|media| files.iter().any(|file| is_unread(file, media))).collect()
}

/// Suffixes and how many files have them, the most frequent first.
fn suffix_counts(files: &[PathBuf]) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::<String, usize>::new();
    files.iter().for_each(|file| *counts.entry(suffix(file)).or_default() += 1);
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}

/// "12 .aiff, 3 without a suffix", the first few.
fn named_counts(counts: &[(String, usize)]) -> String {
    let shown = counts.iter().take(4).map(|(suffix, n)| match suffix.as_str() {
        "" => format!("{n} without a suffix"),
        suffix => format!("{n} .{suffix}"),
    });
    let more = if counts.len() > 4 { ", …" } else { "" };
    shown.collect::<Vec<_>>().join(", ") + more
}

/// "12 .pdf, 3 .docx": what a folder holds, for messages.
pub(crate) fn found_in(files: &[PathBuf]) -> String {
    named_counts(&suffix_counts(files))
}

/// "a, b and c".
fn listed(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// "a.png, b.png and 3 more": the first few of some files.
pub(crate) fn some_of(files: &[impl AsRef<Path>]) -> String {
    const MAX_NAMES: usize = 3;
    let mut names: Vec<String> =
        files.iter().take(MAX_NAMES).map(|file| file.as_ref().display().to_string()).collect();
    if files.len() > MAX_NAMES {
        names.push(format!("{} more", files.len() - MAX_NAMES));
    }
    if files.len() > MAX_NAMES { listed(&names, "and") } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kind(names: &[&str]) -> Result<Option<DataKind>, Error> {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        kind_of_folder(dir.path(), &SourceSpec::default())
    }

    #[test]
    fn most_files_say_what_a_folder_holds() {
        let is = |names: &[&str]| kind(names).unwrap();
        assert_eq!(is(&["0.wav", "0.txt", "1.wav", "1.txt"]), Some(DataKind::Audio));
        assert_eq!(
            is(&["wavs/0.wav", "wavs/1.wav", "txt/0.txt", "txt/1.txt", "metadata.csv"]),
            Some(DataKind::Audio)
        );
        assert_eq!(is(&["0.mid", "0.txt", "1.mid", "1.txt"]), Some(DataKind::Music));
        assert_eq!(is(&["0.png", "0.txt", "1.jfif", "1.txt"]), Some(DataKind::Image));
        assert_eq!(is(&["0.wav", "0.m4a", "1.wav", "1.m4a"]), Some(DataKind::Audio));
        assert_eq!(is(&["0.mp4", "0.jpg"]), Some(DataKind::Image));
        assert_eq!(is(&["0.pdf", "1.pdf", "2.mid"]), Some(DataKind::Music));
        assert_eq!(is(&["README.md", "LICENSE.txt", "0.txt"]), Some(DataKind::Text));
        assert_eq!(is(&["a/README.md", "b/README.md"]), Some(DataKind::Text));
        assert_eq!(is(&["README.md", "0.png"]), Some(DataKind::Image));
        assert_eq!(is(&["0.txt", "1.csv", "2.csv"]), None);
        assert_eq!(is(&["Thumbs.db", ".DS_Store", ".gitattributes"]), None);
    }

    #[test]
    fn no_kind_in_front_is_an_error_that_names_what_is_there() {
        let error = kind(&["0.mp3", "0.mid", "1.mp3", "1.mid"]).unwrap_err();
        assert!(error.to_string().contains("holds 2 tunes and 2 sounds"), "{error}");
        assert_eq!(error.hint().unwrap(), "choose with --kind music or --kind audio");
        let error = kind(&["a.wav", "b.txt"]).unwrap_err();
        assert!(error.to_string().contains("1 sound and 1 text:"), "{error}");
    }

    #[test]
    fn what_is_about_the_data_is_told_by_its_name() {
        for name in [
            "README",
            "README.md",
            "readme_first.txt",
            "LICENSE-MIT",
            "x/Licence.TXT",
            "CITATION.cff",
            "README.ru.md",
        ] {
            assert!(is_about_data(Path::new(name)), "{name}");
        }
        for name in ["readmes.txt", "notice-7.txt", "README.png", "credits.mid", "my readme.txt"] {
            assert!(!is_about_data(Path::new(name)), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_files_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.png"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path().join("a.png"), dir.path().join("b.png")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("c.png")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let mut found = files_below(dir.path()).unwrap();
        found.sort();
        assert_eq!(found, [PathBuf::from("a.png"), PathBuf::from("b.png")]);
    }
}
