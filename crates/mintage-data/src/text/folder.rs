//! A folder of texts, a file a document: sub-folders are labels. Folders `train` and `test` at the top, as data
//! sets often have them, are no labels: `test` becomes the holdout. Files are read when they are asked for.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use super::file::{SUFFIXES, has_packed_suffix, has_text_suffix, read};
use crate::{
    Error, SourceSpec,
    source::folder::{names_of_folders, official_holdout},
};

const MAX_DEPTH: usize = 8;
/// By how much texts shrink when they are compressed, about.
const PACKED_RATIO: u64 = 3;
/// Suffixes of what else a folder may be meant for.
const OTHER_SUFFIXES: [&str; 21] = [
    "png", "jpg", "jpeg", "gif", "webp", "bmp", "mid", "midi", "wav", "flac", "ogg", "mp3", "mp4", "webm",
    "csv", "tsv", "jsonl", "parquet", "db", "sqlite", "sqlite3",
];
/// Files that are looked at to tell what a folder holds.
const SURVEYED: usize = 2000;

#[derive(Debug)]
pub(super) struct TextFolder {
    root: PathBuf,
    /// Relative to the root, in natural order.
    files: Vec<PathBuf>,
    /// About so many bytes of text are in all of them.
    pub bytes: u64,
    pub notes: Vec<String>,
    lossy: bool,
}

impl TextFolder {
    pub fn open(root: &Path, spec: &SourceSpec) -> Result<Self, Error> {
        let mut all = Vec::new();
        walk(root, Path::new(""), 0, usize::MAX, &mut all)?;
        let mut files: Vec<PathBuf> =
            all.iter().filter(|file| has_text_suffix(&file.to_string_lossy())).cloned().collect();
        if files.is_empty() {
            return Err(no_texts(root, &all));
        }
        files.sort_by(|a, b| natural_paths(a, b));
        if let Some(limit) = spec.limit.filter(|&limit| limit < files.len()) {
            let n = files.len();
            files = (0..limit.max(1)).map(|i| std::mem::take(&mut files[i * n / limit.max(1)])).collect();
        }
        let mut folder =
            Self { root: root.to_owned(), files, bytes: 0, notes: Vec::new(), lossy: spec.lossy };
        folder.weigh();
        if folder.files.is_empty() {
            return Err(Error::bad(root.display().to_string(), "holds only empty files"));
        }
        Ok(folder)
    }

    /// Leaves out what is empty or no file, and adds up the rest.
    fn weigh(&mut self) {
        let Self { root, files, bytes, notes, .. } = self;
        let all = files.len();
        files.retain(|file| {
            let size =
                fs::metadata(root.join(file)).ok().filter(fs::Metadata::is_file).map_or(0, |m| m.len());
            let packed = has_packed_suffix(&file.to_string_lossy());
            *bytes += if packed { size * PACKED_RATIO } else { size };
            size > 0
        });
        match all - files.len() {
            0 => {}
            1 => notes.push("1 empty file was left out".to_owned()),
            n => notes.push(format!("{n} empty files were left out")),
        }
    }

    /// The folder that each file lies in, when every one lies in one; `alone` says whether a single label for
    /// all is a label.
    pub fn labels(&self, spec: &SourceSpec, alone: bool) -> Result<Option<Vec<String>>, Error> {
        if spec.no_labels() {
            return Ok(None);
        }
        if let Some(label) = &spec.label {
            let why = format!("is a folder: it has no column `{label}`");
            return Err(Error::bad(self.root.display().to_string(), why)
                .with_hint("without --label the names of the sub-folders are the labels"));
        }
        let labels = names_of_folders(&self.files);
        Ok(labels.filter(|labels| alone || labels.iter().any(|label| *label != labels[0])))
    }

    /// The files below `test` (or `holdout`).
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        official_holdout(&self.files)
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn name(&self, item: usize) -> String {
        self.files[item].display().to_string()
    }

    pub fn text(&self, item: usize) -> Result<String, Error> {
        read(&self.root.join(&self.files[item]), self.lossy)
    }
}

/// Whether texts are most of what a folder holds, as far as suffixes tell.
pub(super) fn is_of_texts(root: &Path) -> Result<bool, Error> {
    let mut files = Vec::new();
    walk(root, Path::new(""), 0, SURVEYED, &mut files)?;
    let texts = files.iter().filter(|file| has_text_suffix(&file.to_string_lossy())).count();
    let others = files.iter().filter(|file| OTHER_SUFFIXES.contains(&suffix(file).as_str())).count();
    Ok(texts > others)
}

/// Says what is in a folder instead of texts.
fn no_texts(root: &Path, files: &[PathBuf]) -> Error {
    let place = root.display().to_string();
    if files.is_empty() {
        return Error::bad(place, "holds no files").with_hint("hidden files do not count");
    }
    let mut counts = BTreeMap::<String, usize>::new();
    files.iter().for_each(|file| *counts.entry(suffix(file)).or_default() += 1);
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let shown = counts.iter().take(3).map(|(suffix, n)| match suffix.as_str() {
        "" => format!("{n} without a suffix"),
        suffix => format!("{n} .{suffix}"),
    });
    let shown: Vec<String> = shown.collect();
    let hint = format!("texts are files that end in .{}; found: {}", SUFFIXES.join(", ."), shown.join(", "));
    Error::bad(place, "holds no text files").with_hint(hint)
}

fn suffix(file: &Path) -> String {
    file.extension().map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Collects at most `most` files below `root/at`, hidden ones left out; links to folders are not followed, so
/// that no loop can form.
fn walk(root: &Path, at: &Path, depth: usize, most: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let dir = root.join(at);
    for entry in fs::read_dir(&dir).map_err(Error::io(&dir))? {
        let entry = entry.map_err(Error::io(&dir))?;
        if files.len() >= most {
            break;
        }
        let relative = at.join(entry.file_name());
        let is_dir = entry.file_type().map_err(Error::io(&dir))?.is_dir();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if !is_dir {
            files.push(relative);
        } else if depth < MAX_DEPTH {
            walk(root, &relative, depth + 1, most, files)?;
        }
    }
    Ok(())
}

/// Paths folder by folder, each in natural order.
fn natural_paths(a: &Path, b: &Path) -> Ordering {
    let parts = |path: &Path| -> Vec<String> {
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let (a_parts, b_parts) = (parts(a), parts(b));
    let differ = a_parts.iter().zip(&b_parts).map(|(a, b)| natural(a, b)).find(|order| order.is_ne());
    differ.unwrap_or_else(|| a_parts.len().cmp(&b_parts.len())).then_with(|| a.cmp(b))
}

/// Names with the numbers in them by size: `2.txt` stands before `10.txt`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    while !a_rest.is_empty() && !b_rest.is_empty() {
        let (x, y) = (run(&mut a_rest), run(&mut b_rest));
        let is_number = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
        let order = if is_number(x) && is_number(y) {
            let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            x.cmp(y)
        };
        if order.is_ne() {
            return order;
        }
    }
    a_rest.len().cmp(&b_rest.len()).then_with(|| a.cmp(b))
}

/// Takes the digits that `rest` begins with, or what lies before the first of them.
fn run<'a>(rest: &mut &'a str) -> &'a str {
    let digits = rest.starts_with(|c: char| c.is_ascii_digit());
    let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
    let (run, after) = rest.split_at(end);
    *rest = after;
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count() {
        let mut names = ["b/1.txt", "10.txt", "2.txt", "a10/1.txt", "a9/2.txt", "02.txt", "a9/01.txt"];
        names.sort_by(|a, b| natural_paths(Path::new(a), Path::new(b)));
        assert_eq!(names, ["02.txt", "2.txt", "10.txt", "a9/01.txt", "a9/2.txt", "a10/1.txt", "b/1.txt"]);
    }
}
