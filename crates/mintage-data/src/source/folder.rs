//! A folder of images, or of other files of one kind: sub-folders are labels, or a list (`metadata.rs`) says which file has
//! which; parts of a data set (`division.rs`) divide it.

use std::{
    collections::HashSet,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    SourceSpec,
    division::{Division, divide},
    listing::{files_below, holds_none, is_named_like, unread_note},
    media::{IMAGES, Media},
    metadata,
};
use crate::{
    Error,
    files::read_item_file,
    sink::{
        made::leave_out_made,
        metadata::{METADATA, Metadata},
    },
};

#[derive(Debug)]
pub(crate) struct FolderSource {
    root: PathBuf,
    /// Relative to the root.
    division: Division,
}

impl FolderSource {
    /// Opens a folder of images.
    ///
    /// # Errors
    /// The folder cannot be read, holds no images besides those that Mintage made, or has no labels of the name that
    /// `spec` asks for.
    pub fn open(root: &Path, spec: &SourceSpec) -> Result<Self, Error> {
        Self::open_media(root, spec, &IMAGES)
    }

    /// [`FolderSource::open`] for files of another kind.
    ///
    /// # Errors
    /// The folder cannot be read, holds no such files besides those that Mintage made, or has no labels of the name
    /// that `spec` asks for.
    pub fn open_media(root: &Path, spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        let all = files_below(root)?;
        let mut files: Vec<PathBuf> = all.iter().filter(|file| is_named_like(file, media)).cloned().collect();
        if files.is_empty() {
            return Err(holds_none(root, &all, media));
        }
        files.sort();
        let mut source = Self::of(root, &all, files, spec)?;
        source.division.notes.extend(unread_note(&all, media));
        Ok(source)
    }

    /// A source of items that were found already among `all` the files below `root`, in their order; each is a file or
    /// a folder.
    ///
    /// # Errors
    /// Mintage made all of the items, the metadata cannot be read, or there are no labels of the name that `spec` asks
    /// for.
    pub fn of(root: &Path, all: &[PathBuf], items: Vec<PathBuf>, spec: &SourceSpec) -> Result<Self, Error> {
        let (mut items, mut notes) = (items, Vec::new());
        let made = leave_out_made(root, &mut items, spec, &mut notes)?;
        let source = |division| Self { root: root.to_owned(), division };
        if spec.no_labels() {
            let mut division = divide(items, false);
            division.notes.extend(notes);
            return Ok(source(division));
        }
        let mut all = all.to_vec();
        // Metadata that mintage began for what it made itself hide nothing else.
        if !made.is_empty() {
            all.retain(|file| !file.ends_with(METADATA) || !names_only(root, file, &made));
        }
        if let Some(found) = metadata::find(root, &all, &items, spec, &mut notes)? {
            return Ok(source(by_metadata(items, found, notes)));
        }
        if let Some(label) = &spec.label {
            let why = format!("has no metadata.csv or metadata.jsonl with a column `{label}`");
            return Err(Error::bad(root.display().to_string(), why)
                .with_hint("without --label the names of the sub-folders are the labels"));
        }
        let mut division = divide(items, true);
        division.notes.extend(notes);
        Ok(source(division))
    }

    /// Leaves out items that `keeps`, given the number and the place of each, does not want.
    pub fn retain(&mut self, mut keeps: impl FnMut(usize, &Path) -> bool) {
        let files = self.division.files.iter().enumerate();
        let kept: Vec<bool> = files.map(|(item, file)| keeps(item, &self.root.join(file))).collect();
        self.division.select(&kept);
    }

    /// The items that are held out.
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        self.division.held.clone()
    }

    pub fn len(&self) -> usize {
        self.division.files.len()
    }

    pub fn name(&self, item: usize) -> String {
        self.division.files[item].display().to_string()
    }

    /// Where an item lies.
    pub fn path(&self, item: usize) -> PathBuf {
        self.root.join(&self.division.files[item])
    }

    /// The label of every item, where there are several.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels_alone().filter(|_| self.division.has_classes())
    }

    /// The label of every item, also where all have the same: those of a holdout.
    pub fn labels_alone(&self) -> Option<&[String]> {
        self.division.labels.as_deref()
    }

    /// What is worth telling of how the files were chosen.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.division.notes.clone();
        notes.extend(self.division.held_note());
        notes
    }

    /// Reads the bytes of an item.
    ///
    /// # Errors
    /// The file cannot be read any more, or is too long.
    pub fn fetch(&self, item: usize) -> Result<Vec<u8>, Error> {
        read_item_file(&self.path(item))
    }
}

/// Whether the `metadata.csv` at `list` below the root names nothing but what mintage made.
fn names_only(root: &Path, list: &Path, made: &HashSet<PathBuf>) -> bool {
    Metadata::read(&root.join(list)).is_ok_and(|metadata| {
        let is_made = |row: &Vec<String>| {
            metadata.is_made(row)
                || row.get(metadata.files()).is_some_and(|file| made.contains(&list.with_file_name(file)))
        };
        metadata.rows.iter().all(is_made)
    })
}

/// The items that metadata name, with their labels.
fn by_metadata(items: Vec<PathBuf>, found: metadata::Metadata, notes: Vec<String>) -> Division {
    let kept: Vec<bool> = found.named.iter().map(Option::is_some).collect();
    let mut division = Division { files: items, notes, ..Division::default() };
    if found.labelled {
        division.labels = Some(found.named.into_iter().map(Option::unwrap_or_default).collect());
    }
    division.select(&kept);
    division.hold_out();
    division
}
