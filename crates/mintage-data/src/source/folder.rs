//! A folder of images: sub-folders are labels, or `metadata.csv` says which file has which. Folders `train`
//! and `test` at the top, as data sets often have them, are no labels: `test` becomes the holdout.

use std::{
    collections::HashMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    SourceSpec,
    media::read_limited,
    sqlite::{IMAGES, Media},
};
use crate::{Error, error::suggestion};

const MAX_DEPTH: usize = 8;
const METADATA: &str = "metadata.csv";
/// Names of folders that divide the data instead of labelling them; the last two are held out.
const PARTS: [&str; 6] = ["train", "valid", "val", "validation", "test", "holdout"];
const HELD_OUT: [&str; 2] = ["test", "holdout"];

#[derive(Debug)]
pub(crate) struct FolderSource {
    root: PathBuf,
    /// Relative to the root, sorted.
    files: Vec<PathBuf>,
    labels: Option<Vec<String>>,
}

impl FolderSource {
    pub fn open(root: &Path, spec: &SourceSpec) -> Result<Self, Error> {
        Self::open_media(root, spec, &IMAGES)
    }

    /// [`FolderSource::open`] for files of another kind.
    pub fn open_media(root: &Path, spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        let mut files = files_below(root)?;
        files.retain(|file| media.suffixes.contains(&suffix(file).as_str()));
        if files.is_empty() {
            let Media { name, suffixes, .. } = media;
            return Err(Error::bad(root.display().to_string(), format!("holds no {name}"))
                .with_hint(format!("{name} are files that end in {}", suffixes.join(", "))));
        }
        Self::of(root, files, spec)
    }

    /// Items below `root` that were found already: files, or folders that are one item each.
    pub fn of(root: &Path, mut files: Vec<PathBuf>, spec: &SourceSpec) -> Result<Self, Error> {
        files.sort();
        let mut source = Self { root: root.to_owned(), files, labels: None };
        if !spec.no_labels() {
            source.labels = source.find_labels(spec)?;
        }
        Ok(source)
    }

    fn find_labels(&mut self, spec: &SourceSpec) -> Result<Option<Vec<String>>, Error> {
        if self.root.join(METADATA).is_file() {
            return self.metadata_labels(spec);
        }
        if let Some(label) = &spec.label {
            return Err(Error::bad(
                self.root.display().to_string(),
                format!("has no {METADATA} with a column `{label}`"),
            )
            .with_hint("without --label the names of the sub-folders are the labels"));
        }
        // Labels only when every file lies in a sub-folder and there are at least two of these.
        let Some(labels) = names_of_folders(&self.files) else {
            return Ok(None);
        };
        let several = labels.iter().any(|l| *l != labels[0]);
        Ok(several.then_some(labels))
    }

    /// Labels from `metadata.csv`; keeps only the files it names.
    fn metadata_labels(&mut self, spec: &SourceSpec) -> Result<Option<Vec<String>>, Error> {
        let path = self.root.join(METADATA);
        let fail = |why: String| Error::bad(path.display().to_string(), why);
        let mut reader = csv::Reader::from_path(&path).map_err(|e| fail(e.to_string()))?;
        let headers = reader.headers().map_err(|e| fail(e.to_string()))?.clone();
        let find = |name: &str| headers.iter().position(|h| h.trim_start_matches('\u{feff}') == name);
        let Some(file_column) = find("file_name") else {
            return Err(fail("has no column `file_name`".to_owned()));
        };
        let wanted = spec.label.as_deref().unwrap_or("label");
        let label_column = match (find(wanted), &spec.label) {
            (Some(column), _) => Some(column),
            (None, None) => None,
            (None, Some(name)) => {
                let error = fail(format!("has no column `{name}`"));
                return Err(match suggestion(name, headers.iter()) {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                });
            }
        };
        let mut named = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|e| fail(e.to_string()))?;
            let file = PathBuf::from(record.get(file_column).unwrap_or_default());
            let label = label_column.and_then(|c| record.get(c)).unwrap_or_default().to_owned();
            named.insert(file, label);
        }
        self.files.retain(|file| named.contains_key(file));
        if self.files.is_empty() {
            return Err(fail("names none of the files in the folder".to_owned()));
        }
        Ok(label_column.map(|_| self.files.iter().map(|file| named[file].clone()).collect()))
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

    /// Where an item lies.
    pub fn path(&self, item: usize) -> PathBuf {
        self.root.join(&self.files[item])
    }

    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    pub fn fetch(&self, item: usize) -> Result<Vec<u8>, Error> {
        read_limited(&self.path(item))
    }
}

/// Whether the folders at the top are parts of a data set, `train` being one of several.
pub(crate) fn is_divided(files: &[PathBuf]) -> bool {
    let mut tops = files.iter().map(|file| top(file));
    let train = files.iter().any(|file| top(file) == Some("train"));
    let other = files.iter().any(|file| top(file) != Some("train"));
    train && other && tops.all(|top| top.is_some_and(|name| PARTS.contains(&name)))
}

/// The files below `test` (or `holdout`) of a divided folder, which lie side by side since all are sorted.
pub(crate) fn official_holdout(files: &[PathBuf]) -> Option<Range<usize>> {
    let held = HELD_OUT.iter().find(|name| files.iter().any(|file| top(file) == Some(name)))?;
    let first = files.iter().position(|file| top(file) == Some(held))?;
    let count = files.iter().filter(|file| top(file) == Some(held)).count();
    is_divided(files).then_some(first..first + count)
}

/// The sub-folder of each file, below the parts of a divided folder; nothing where a file lies in none.
pub(crate) fn names_of_folders(files: &[PathBuf]) -> Option<Vec<String>> {
    let above = usize::from(is_divided(files));
    let folder = |file: &PathBuf| -> Option<String> {
        let mut parts = file.components().skip(above);
        let label = parts.next()?.as_os_str().to_string_lossy().into_owned();
        parts.next().map(|_| label)
    };
    files.iter().map(folder).collect()
}

/// The folder at the top that a file lies in, if it lies in one.
fn top(file: &Path) -> Option<&str> {
    let mut parts = file.components();
    let first = parts.next()?.as_os_str().to_str();
    parts.next().and(first)
}

/// All files below a folder, relative to it.
pub(crate) fn files_below(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    walk(root, Path::new(""), 0, &mut files)?;
    Ok(files)
}

/// How the name of a file ends, in small letters.
pub(crate) fn suffix(file: &Path) -> String {
    file.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Collects files below `root/at`; links to folders are not followed, so that no loop can form.
fn walk(root: &Path, at: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let dir = root.join(at);
    for entry in fs::read_dir(&dir).map_err(Error::io(&dir))? {
        let entry = entry.map_err(Error::io(&dir))?;
        let relative = at.join(entry.file_name());
        let kind = entry.file_type().map_err(Error::io(&dir))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && depth < MAX_DEPTH && !hidden {
            walk(root, &relative, depth + 1, files)?;
        }
        if !kind.is_dir() && !hidden {
            files.push(relative);
        }
    }
    Ok(())
}
