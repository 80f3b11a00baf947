//! A folder of texts, a file a document: sub-folders are labels, or metadata say which file has which. Folders `train` and
//! `test` at the top, as data sets often have them, are no labels: `test` becomes the holdout. Files are read when they
//! are asked for. A README or a licence beside the texts is no text to learn from.

use std::{
    cmp::Ordering,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use super::file::{SUFFIXES, has_packed_suffix, has_text_suffix, read};
use crate::{
    Error, SourceSpec,
    source::{
        folder::FolderSource,
        listing::{files_below, found_in, is_about_data, some_of},
        metadata::is_metadata,
    },
};

/// By how much texts shrink when they are compressed, about.
const PACKED_RATIO: u64 = 3;

#[derive(Debug)]
pub(super) struct TextFolder {
    source: FolderSource,
    /// About so many bytes of text are in all of them.
    pub bytes: u64,
    pub notes: Vec<String>,
    lossy: bool,
}

impl TextFolder {
    /// Opens a folder of texts.
    ///
    /// # Errors
    /// The folder cannot be read, holds no texts or only empty ones, or has no labels of the name that `spec` asks for.
    pub fn open(root: &Path, spec: &SourceSpec) -> Result<Self, Error> {
        let all = files_below(root)?;
        let is_text = |file: &&PathBuf| has_text_suffix(&file.to_string_lossy()) && !is_metadata(file);
        let mut files: Vec<PathBuf> = all.iter().filter(is_text).cloned().collect();
        if files.is_empty() {
            return Err(no_texts(root, &all));
        }
        let mut notes = Vec::new();
        let (about, others): (Vec<PathBuf>, Vec<PathBuf>) =
            files.iter().cloned().partition(|file| is_about_data(file));
        // Where they are most of the texts, they are what is meant.
        if !about.is_empty() && about.len() <= others.len() {
            let what = if about.len() == 1 { "is no text" } else { "are no texts" };
            notes.push(format!("{} {what} to learn from", some_of(&about)));
            files = others;
        }
        files.sort_by(|a, b| natural_paths(a, b));
        let mut folder =
            Self { source: FolderSource::of(root, &all, files, spec)?, bytes: 0, notes, lossy: spec.lossy };
        folder.take_evenly(spec.limit);
        folder.weigh();
        if folder.source.len() == 0 {
            return Err(Error::bad(root.display().to_string(), "holds only empty files"));
        }
        let of_source = folder.source.notes();
        folder.notes.extend(of_source);
        Ok(folder)
    }

    /// Leaves so many, evenly spread.
    fn take_evenly(&mut self, limit: Option<usize>) {
        let n = self.source.len();
        let Some(limit) = limit.map(|limit| limit.max(1)).filter(|&limit| limit < n) else { return };
        let taken: Vec<usize> = (0..limit).map(|i| i * n / limit).collect();
        self.source.retain(|item, _| taken.binary_search(&item).is_ok());
    }

    /// Leaves out what is empty or no file, and adds up the rest.
    fn weigh(&mut self) {
        let all = self.source.len();
        let mut bytes = 0;
        self.source.retain(|_, file| {
            let size = fs::metadata(file).ok().filter(fs::Metadata::is_file).map_or(0, |m| m.len());
            let packed = has_packed_suffix(&file.to_string_lossy());
            bytes += if packed { size * PACKED_RATIO } else { size };
            size > 0
        });
        self.bytes = bytes;
        match all - self.source.len() {
            0 => {}
            1 => self.notes.push("1 empty file was left out".to_owned()),
            n => self.notes.push(format!("{n} empty files were left out")),
        }
    }

    /// The folder that each file lies in, or what metadata say of it; `alone` says whether a single label for all is a
    /// label.
    pub fn labels(&self, alone: bool) -> Option<Vec<String>> {
        let labels = if alone { self.source.labels_alone() } else { self.source.labels() };
        labels.map(<[String]>::to_vec)
    }

    /// The files below `test` (or `holdout`).
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        self.source.official_holdout()
    }

    pub fn len(&self) -> usize {
        self.source.len()
    }

    pub fn name(&self, item: usize) -> String {
        self.source.name(item)
    }

    /// Reads the text of a document.
    ///
    /// # Errors
    /// The file cannot be read any more, or does not hold text.
    pub fn text(&self, item: usize) -> Result<String, Error> {
        read(&self.source.path(item), self.lossy)
    }
}

/// Says what is in a folder instead of texts.
fn no_texts(root: &Path, files: &[PathBuf]) -> Error {
    let place = root.display().to_string();
    if files.is_empty() {
        return Error::bad(place, "holds no files").with_hint("hidden files do not count");
    }
    let suffixes = SUFFIXES.join(", .");
    let hint = format!("texts are files that end in .{suffixes}; found: {}", found_in(files));
    Error::bad(place, "holds no text files").with_hint(hint)
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
