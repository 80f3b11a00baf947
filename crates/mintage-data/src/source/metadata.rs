//! Files that say which label belongs to which file of a folder: `metadata.csv` in any dialect and encoding, `metadata.tsv`,
//! `metadata.jsonl` or `metadata.parquet`, beside the files or above them. The column `file_name` holds paths from where
//! the file lies; without one, it is the column whose values are names of files there.

use std::{
    collections::HashMap,
    io::Read,
    path::{Component, Path, PathBuf},
};

use super::{SourceSpec, listing::some_of};
use crate::{
    Error,
    error::suggestion,
    files::open_regular,
    sink::metadata::Metadata as Known,
    table::{Column, Table, read},
};

const NAMES: [&str; 4] = ["metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet"];
const FILE_COLUMN: &str = "file_name";
const LABEL_COLUMN: &str = "label";

/// What metadata say of the files of a folder.
pub(crate) struct Metadata {
    /// For each file its label, which may be empty; nothing where it is not to be used.
    pub named: Vec<Option<String>>,
    /// Whether there are labels.
    pub labelled: bool,
}

/// Whether a file is one of metadata, by its name.
pub(crate) fn is_metadata(file: &Path) -> bool {
    file.file_name().is_some_and(|name| NAMES.contains(&name.to_string_lossy().to_lowercase().as_str()))
}

/// Reads the metadata among `all` the files below `root`, of which `items` are of the kind that is wanted. What is worth
/// telling is added to `notes`.
pub(crate) fn find(
    root: &Path,
    all: &[PathBuf],
    items: &[PathBuf],
    spec: &SourceSpec,
    notes: &mut Vec<String>,
) -> Result<Option<Metadata>, Error> {
    let mut files: Vec<&PathBuf> = all.iter().filter(|file| is_metadata(file)).collect();
    files.sort();
    let index = Index::of(items);
    // What lies below no metadata is used all the same.
    let mut found = Metadata { named: vec![Some(String::new()); items.len()], labelled: false };
    let mut used = false;
    for file in files {
        let path = root.join(file);
        let base = file.parent().unwrap_or(Path::new(""));
        match listing(&path, base, &index, spec)? {
            Ok(listing) => {
                used = true;
                found.labelled |= listing.labelled;
                found.take(listing, base, items, &path, notes)?;
            }
            Err(why) => notes.push(format!("{} is not used: {why}", file.display())),
        }
    }
    Ok(used.then_some(found))
}

impl Metadata {
    fn take(
        &mut self,
        listing: Listing,
        base: &Path,
        items: &[PathBuf],
        path: &Path,
        notes: &mut Vec<String>,
    ) -> Result<(), Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Listing { mut named, absent, .. } = listing;
        if named.is_empty() {
            return Err(Error::bad(path.display().to_string(), "names none of the files in the folder"));
        }
        if !absent.is_empty() {
            let verb = if absent.len() == 1 { "is" } else { "are" };
            notes.push(format!(
                "{name} names {} that {verb} not there: {}",
                files(absent.len()),
                some_of(&absent)
            ));
        }
        let mut unnamed = Vec::new();
        for (place, item) in items.iter().enumerate().filter(|(_, item)| item.starts_with(base)) {
            self.named[place] = named.remove(&place);
            if self.named[place].is_none() {
                unnamed.push(item);
            }
        }
        if !unnamed.is_empty() {
            let verb = if unnamed.len() == 1 { "is" } else { "are" };
            let shown = some_of(&unnamed);
            notes
                .push(format!("{} that {name} does not name {verb} left out: {shown}", files(unnamed.len())));
        }
        Ok(())
    }
}

/// What one file says.
struct Listing {
    /// Labels by the place of their file.
    named: HashMap<usize, String>,
    labelled: bool,
    /// Names of files that are not there.
    absent: Vec<String>,
}

/// Reads one file of metadata; the inner error says why it is none that is meant for these files.
fn listing(
    path: &Path,
    base: &Path,
    index: &Index,
    spec: &SourceSpec,
) -> Result<Result<Listing, String>, Error> {
    let place = path.display().to_string();
    let rows = match read(&SourceSpec { source: place.clone(), ..SourceSpec::default() }) {
        Ok(rows) => rows,
        // One that says nothing.
        Err(_) if Known::read(path).is_ok_and(|known| known.rows.is_empty()) => {
            return Ok(Err("names no files".to_owned()));
        }
        // One that is for something else, such as the transcripts of a corpus of speech.
        Err(error) if spec.label.is_none() && !says_file_name(path) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error),
    };
    let Some(column) = file_column(&rows, base, index) else {
        let why = format!("has no column `{FILE_COLUMN}`");
        return match &spec.label {
            Some(_) => Err(Error::bad(place, why).with_hint("it says which file each line is of")),
            None => Ok(Err(why)),
        };
    };
    let label = label_column(&rows, &place, spec)?;
    let mut listing = Listing { named: HashMap::new(), labelled: label.is_some(), absent: Vec::new() };
    // A file without a header: what was taken for one names a file as well.
    listing.named.extend(index.find(base, &column.name).map(|item| (item, String::new())));
    for (row, name) in column.iter().enumerate() {
        let Some(name) = name else { continue };
        match index.find(base, name) {
            Some(item) => {
                let text = label.and_then(|label| label.cell(row)).unwrap_or_default().to_owned();
                listing.named.insert(item, text);
            }
            None if !path.with_file_name(clean(name)).exists() => listing.absent.push(name.to_owned()),
            None => {}
        }
    }
    Ok(Ok(listing))
}

/// Whether the beginning of a file speaks of the column with the names.
fn says_file_name(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = open_regular(path).is_ok_and(|file| file.take(4096).read_to_end(&mut head).is_ok());
    // Of two bytes a letter every second one is zero.
    head.retain(|&byte| byte != 0);
    read && head.windows(FILE_COLUMN.len()).any(|part| part == FILE_COLUMN.as_bytes())
}

/// The column that says which file a row is of.
fn file_column<'a>(rows: &'a Table, base: &Path, index: &Index) -> Option<&'a Column> {
    let named = rows.columns.iter().find(|column| column.name.eq_ignore_ascii_case(FILE_COLUMN));
    named.or_else(|| {
        let matching = |column: &&Column| {
            let found = column.iter().flatten().filter(|name| index.find(base, name).is_some()).count();
            found * 2 > column.len()
        };
        rows.columns.iter().find(matching)
    })
}

/// The column with the labels: as asked for, or `label` where there is one.
fn label_column<'a>(rows: &'a Table, place: &str, spec: &SourceSpec) -> Result<Option<&'a Column>, Error> {
    let Some(wanted) = &spec.label else {
        return Ok(rows.columns.iter().find(|column| column.name.eq_ignore_ascii_case(LABEL_COLUMN)));
    };
    match rows.column(wanted) {
        Some(column) => Ok(Some(column)),
        None => {
            let hint = suggestion(wanted, rows.names()).unwrap_or_else(|| {
                format!("its columns are {}", rows.names().collect::<Vec<_>>().join(", "))
            });
            Err(Error::bad(place, format!("has no column `{wanted}`")).with_hint(hint))
        }
    }
}

/// Files by their paths, and by their names alone where these are of one file only.
struct Index<'a> {
    paths: HashMap<&'a Path, usize>,
    names: HashMap<String, Option<usize>>,
}

impl<'a> Index<'a> {
    fn of(items: &'a [PathBuf]) -> Self {
        let mut names: HashMap<String, Option<usize>> = HashMap::new();
        for (place, item) in items.iter().enumerate() {
            let text =
                |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
            let (name, stem) = (text(item.file_name()), text(item.file_stem()));
            // A folder of frames has no suffix.
            let both = if name == stem { vec![name] } else { vec![name, stem] };
            for name in both {
                names.entry(name).and_modify(|known| *known = None).or_insert(Some(place));
            }
        }
        let paths = items.iter().enumerate().map(|(place, item)| (item.as_path(), place)).collect();
        Self { paths, names }
    }

    /// The file that metadata in the folder `base` call `name`.
    fn find(&self, base: &Path, name: &str) -> Option<usize> {
        let path = clean(name);
        let known = self.paths.get(base.join(&path).as_path()).copied();
        known.or_else(|| self.names.get(path.to_str()?).copied().flatten())
    }
}

/// A path as it is written on any system, without "./".
fn clean(name: &str) -> PathBuf {
    let path = PathBuf::from(name.trim().replace('\\', "/"));
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn files(n: usize) -> String {
    if n == 1 { "1 file".to_owned() } else { format!("{n} files") }
}
