//! Pages of files: those of a folder, each with its label where sub-folders or a list of metadata say one, a single file,
//! or the images of IDX files. They are listed once; what lies in them is read when a page shows it.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    cell::{
        BrowseColumn, BrowseType, Cell, ItemId, MAX_CELL_CHARS, MAX_HEAD_BYTES, MediaCell, MediaKind, Raw,
        type_of_values,
    },
    histogram::Histograms,
    media::{MAX_MEDIA_BYTES, Media, absent, missing, over_limit},
    memory::Rows,
    page::Page,
    request::{Ask, PageRequest, column_named},
};
use crate::{
    Error, Images, SourceSpec,
    files::{check_source, open_regular, read_limited},
    png_bytes,
    source::{
        Raw as Stored,
        division::divide,
        idx::IdxSource,
        listing::{files_below, is_about_data},
        metadata::{self, is_metadata},
    },
    table::{
        Column, Table,
        text_file::{decode, encoding_of},
    },
    text::has_text_suffix,
};

/// Files of a folder, at most.
pub const MAX_FOLDER_FILES: usize = 1_000_000;
/// Files by which the type of all is told.
const FILES_LOOKED_AT: usize = 50;
/// Names of the columns.
const FILE: &str = "file";
const LABEL: &str = "label";
const ITEM: &str = "item";

/// Files, and what is known of each.
#[derive(Debug)]
pub(super) struct FolderBrowser {
    name: String,
    /// Names and labels.
    rows: Rows,
    /// The columns of `rows`, and the one of the files.
    columns: Vec<BrowseColumn>,
    items: Items,
    notes: Vec<String>,
}

/// Where the files lie.
#[derive(Debug)]
enum Items {
    /// Below a folder, whose path has no links.
    Files {
        root: PathBuf,
        files: Vec<PathBuf>,
    },
    Idx(IdxSource),
}

impl FolderBrowser {
    /// Lists the files of a folder.
    ///
    /// # Errors
    /// The folder cannot be read, or holds no files.
    pub fn open(path: &Path, spec: &SourceSpec) -> Result<Self, Error> {
        let root = fs::canonicalize(path).map_err(Error::io(path))?;
        let mut all = files_below(&root)?;
        all.sort();
        let mut notes = Vec::new();
        let listed = all.len();
        all.truncate(MAX_FOLDER_FILES);
        if all.len() < listed {
            notes.push(format!("of {listed} files the first {MAX_FOLDER_FILES} are shown"));
        }
        let before = all.len();
        all.retain(|file| !leads_outside(&root, file));
        if all.len() < before {
            notes.push(format!("{} links that lead out of the folder are left out", before - all.len()));
        }
        let files: Vec<PathBuf> = all.iter().filter(|file| !is_metadata(file)).cloned().collect();
        if files.is_empty() {
            return Err(Error::bad(path.display().to_string(), "holds no files"));
        }
        let labels = labels(&root, &all, &files, spec);
        let names = files.iter().map(|file| file.display().to_string()).collect();
        Ok(Self::of(path, names, labels, Items::Files { root, files }, notes))
    }

    /// Opens a single file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open_file(path: &Path) -> Result<Self, Error> {
        let real = fs::canonicalize(path).map_err(Error::io(path))?;
        drop(open_regular(&real)?);
        let (Some(root), Some(file)) = (real.parent(), real.file_name()) else {
            return Err(Error::bad(path.display().to_string(), "is not a file"));
        };
        let shown = path.file_name().unwrap_or(file).to_string_lossy().into_owned();
        let items = Items::Files { root: root.to_owned(), files: vec![PathBuf::from(file)] };
        Ok(Self::of(path, vec![shown], None, items, Vec::new()))
    }

    /// The images of IDX files.
    pub fn open_idx(path: &Path, source: IdxSource) -> Self {
        let names = (0..source.len()).map(|item| source.name(item)).collect();
        let labels = source.labels().map(|labels| labels.iter().cloned().map(Some).collect());
        Self::of(path, names, labels, Items::Idx(source), Vec::new())
    }

    fn of(
        path: &Path,
        names: Vec<String>,
        labels: Option<Vec<Option<String>>>,
        items: Items,
        notes: Vec<String>,
    ) -> Self {
        let mut columns = vec![Column::of(FILE, names.iter().map(|name| Some(name.as_str())))];
        columns.extend(labels.map(|labels| Column::of(LABEL, labels.iter().map(Option::as_deref))));
        let rows = Rows::new(Table { columns, ..Table::default() });
        let mut columns = rows.columns().to_vec();
        let ty = items.ty(rows.len());
        columns.push(BrowseColumn { name: ITEM.to_owned(), ty });
        Self { name: path.display().to_string(), rows, columns, items, notes }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn page(&self, request: &PageRequest) -> Result<Page, Error> {
        if let Items::Files { root, .. } = &self.items {
            check_source(root)?;
        }
        let ask = Ask::of(request, &self.name, &self.columns)?;
        let rows = self.rows.select(&ask);
        let (total, columns) = (rows.len() as u64, self.columns.clone());
        let mut page = Page::new(String::new(), vec![String::new()], total, ask.offset, columns);
        let first = usize::try_from(ask.offset).unwrap_or(usize::MAX);
        for (place, &row) in rows.iter().skip(first).take(ask.limit).enumerate() {
            page.add(place, Some(i64::from(row)), self.rows.values(row as usize));
            // A file that has gone since it was listed is a missing value.
            let cell = self.items.cell(row as usize).unwrap_or(Cell::Missing);
            page.rows[place].cells.push(cell);
        }
        page.notes.clone_from(&self.notes);
        Ok(page)
    }

    pub fn media(&self, item: ItemId, column: &str) -> Result<Media, Error> {
        let number = column_named(column, &self.name, &self.columns)?;
        let row = usize::try_from(item.0).ok().filter(|&row| row < self.rows.len());
        let row = row.ok_or_else(|| absent(&self.name, item))?;
        if number + 1 < self.columns.len() {
            let text = self.rows.text(row, number).ok_or_else(|| missing(&self.name, item, column))?;
            return Ok(Media::of_text(text.as_bytes().to_vec()));
        }
        self.items.media(row, &self.name)
    }

    pub fn histograms(&self) -> Histograms {
        self.rows.histograms()
    }
}

impl Items {
    /// What most of the first files are.
    fn ty(&self, n: usize) -> BrowseType {
        let Self::Files { .. } = self else { return BrowseType::Image };
        let seen: Vec<Raw> = (0..n.min(FILES_LOOKED_AT))
            .filter_map(|item| match self.cell(item)? {
                Cell::Media(MediaCell { kind: MediaKind::Text, .. }) => Some(Raw::Text(String::new(), 0)),
                Cell::Media(_) => self.head(item).map(|(head, bytes)| Raw::Bytes(head, bytes)),
                _ => None,
            })
            .collect();
        type_of_values(Some(BrowseType::Blob), seen.iter())
    }

    /// The first bytes of a file and its length; nothing of one that cannot be read.
    fn head(&self, item: usize) -> Option<(Vec<u8>, u64)> {
        let Self::Files { root, files } = self else { return None };
        let path = inside(root, &files[item]).ok()?;
        let file = open_regular(&path).ok()?;
        let length = file.metadata().ok()?.len();
        let mut head = Vec::new();
        file.take(MAX_HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
        Some((head, length))
    }

    fn cell(&self, item: usize) -> Option<Cell> {
        let (file, (head, bytes)) = match self {
            Self::Files { files, .. } => (&files[item], self.head(item)?),
            Self::Idx(source) => {
                let Stored::Pixels(shape, _) = source.fetch(item) else { return None };
                let (kind, mime, bytes) = (MediaKind::Image, "image/png", shape.pixels() as u64);
                return Some(Cell::Media(MediaCell { kind, mime, bytes, name: None, head: None }));
            }
        };
        let mut cell = MediaCell::of(&head, bytes);
        if cell.kind == MediaKind::Blob && is_text(file, &head) {
            let (kind, mime) = (MediaKind::Text, Media::of_text(Vec::new()).mime);
            let text = text_of(&head);
            cell = MediaCell { kind, mime, head: Some(text.chars().take(MAX_CELL_CHARS).collect()), ..cell };
        }
        cell.name = Some(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        Some(Cell::Media(cell))
    }

    fn media(&self, item: usize, place: &str) -> Result<Media, Error> {
        match self {
            Self::Files { root, files } => {
                let path = inside(root, &files[item])?;
                let length = open_regular(&path)?.metadata().map_err(Error::io(&path))?.len();
                if length > MAX_MEDIA_BYTES {
                    return Err(over_limit(place, ItemId(item as i64), length));
                }
                let mut media = Media::of(read_limited(&path, MAX_MEDIA_BYTES)?);
                let head = &media.bytes[..media.bytes.len().min(MAX_HEAD_BYTES)];
                if media.kind == MediaKind::Blob && is_text(&files[item], head) {
                    media = match text_of(&media.bytes) {
                        Cow::Borrowed(_) => Media::of_text(media.bytes),
                        Cow::Owned(text) => Media::of_text(text.into_bytes()),
                    };
                }
                let name = files[item].file_name().unwrap_or_default().to_string_lossy();
                Ok(Media { name: Some(name.into_owned()), ..media })
            }
            Self::Idx(source) => {
                let Stored::Pixels(shape, pixels) = source.fetch(item) else {
                    return Err(absent(place, ItemId(item as i64)));
                };
                let images = Images { shape, pixels, labels: Vec::new(), classes: Vec::new() };
                Ok(Media::of(png_bytes(&images, 0, None)?))
            }
        }
    }
}

/// Whether a file is a link to something outside of the folder.
fn leads_outside(root: &Path, file: &Path) -> bool {
    let path = root.join(file);
    fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) && inside(root, file).is_err()
}

/// The path of a file below a folder, however links lead there.
///
/// # Errors
/// The file is gone, or lies outside of the folder.
fn inside(root: &Path, file: &Path) -> Result<PathBuf, Error> {
    let path = root.join(file);
    let real = fs::canonicalize(&path).map_err(Error::io(&path))?;
    match real.starts_with(root) {
        true => Ok(real),
        false => Err(Error::bad(path.display().to_string(), "is a link that leads out of the folder")),
    }
}

/// Whether a file whose bytes are of no known kind is a text: its name says so, or its bytes are UTF-8 without controls.
fn is_text(file: &Path, head: &[u8]) -> bool {
    const ALLOWED: [u8; 5] = [b'\n', b'\r', b'\t', 0x0c, 0x1b];
    // The head may end within a character.
    let is_utf8 = || std::str::from_utf8(head).err().is_none_or(|error| error.error_len().is_none());
    let is_plain = || head.iter().all(|byte| *byte >= b' ' || ALLOWED.contains(byte));
    let is_packed =
        [&[0x1f, 0x8b][..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ"].iter().any(|magic| head.starts_with(magic));
    !is_packed && (has_text_suffix(&file.to_string_lossy()) || is_plain() && is_utf8())
}

/// Bytes as a text, whatever their encoding; the bytes themselves where they are UTF-8.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let text = decode(bytes, encoding_of(bytes), true, 2 * MAX_MEDIA_BYTES as usize);
    Cow::Owned(text.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned()))
}

/// The label of each file, where metadata or the names of sub-folders tell several apart.
fn labels(root: &Path, all: &[PathBuf], files: &[PathBuf], spec: &SourceSpec) -> Option<Vec<Option<String>>> {
    let given = |label: String| Some(label).filter(|label| !label.is_empty());
    // Metadata that cannot be read are no reason to show nothing.
    let found = metadata::find(root, all, files, spec, &mut Vec::new()).ok().flatten();
    if let Some(found) = found.filter(|found| found.labelled) {
        return Some(found.named.into_iter().map(|label| label.and_then(given)).collect());
    }
    let about = |file: &&PathBuf| !is_about_data(file);
    let division = divide(files.iter().filter(about).cloned().collect(), true);
    if !division.has_classes() {
        return None;
    }
    let by_file: HashMap<PathBuf, String> = division.files.into_iter().zip(division.labels?).collect();
    Some(files.iter().map(|file| by_file.get(file).cloned().and_then(given)).collect())
}
