//! Rows of files of text that this program made. A row of CSV or JSON Lines has no place that says so; what says so is the
//! file beside theirs, `FILE.mintage.json`, with a hash of each such row. So rows are known wherever they stand, however the
//! file was sorted, cut, extended or saved anew; a row that was changed is its owner's.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::{
    Error, Provenance, SourceSpec,
    files::read_limited,
    sink::{atomic_write, target_of},
};

/// Of a file that is all new, so many rows have a hash of their own; of more, all of the file has one.
pub(super) const MAX_HASHED: usize = 100_000;
const DIGITS: usize = 16;
/// The longest note.
const MAX_BYTES: u64 = 1 << 30;

/// Rows that were made by one command.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub rows: usize,
    pub made_by: Provenance,
    /// Sixteen hexadecimal digits a row.
    #[serde(default)]
    pub hashes: String,
    /// Of a file that has more rows than hashes, all of them made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Digest>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Digest {
    bytes: u64,
    xxh3: String,
}

impl Digest {
    /// The length and the hash of a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (mut file, mut hash, mut buffer) = (File::open(path)?, Xxh3::new(), vec![0; 1 << 20]);
        let mut bytes = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Self { bytes, xxh3: format!("{:016x}", hash.digest()) }),
                n => {
                    bytes += n as u64;
                    hash.update(&buffer[..n]);
                }
            }
        }
    }
}

impl Part {
    pub fn new(made_by: &Provenance, rows: usize, hashes: &[u64], whole: Option<Digest>) -> Self {
        let mut text = String::with_capacity(hashes.len() * DIGITS);
        hashes.iter().for_each(|hash| text.push_str(&format!("{hash:016x}")));
        Self { rows, made_by: made_by.clone(), hashes: text, whole }
    }

    fn hashes(&self) -> impl Iterator<Item = u64> {
        self.hashes
            .as_bytes()
            .chunks(DIGITS)
            .filter_map(|digits| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
    }

    /// Whether some of its rows have no hash.
    fn is_open(&self) -> bool {
        self.hashes.len() < self.rows.saturating_mul(DIGITS)
    }
}

/// The file beside one of rows; of a link, beside the file that it leads to.
fn beside(path: &Path) -> PathBuf {
    let mut name = target_of(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    name.push(".mintage.json");
    PathBuf::from(name)
}

/// What was made of a file, as far as it is noted.
pub(super) fn parts(path: &Path) -> Result<Vec<Part>, Error> {
    let beside = beside(path);
    let json = match read_limited(&beside, MAX_BYTES) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        json => json?,
    };
    serde_json::from_slice(&json).map_err(|error| {
        let why = format!("does not say which rows mintage made ({error})");
        Error::bad(beside.display().to_string(), why)
            .with_hint("put it back as it was; without it all rows count as real ones")
    })
}

/// How many rows of a file each command made, as the note beside it says.
///
/// # Errors
/// There is a note of rows, and it cannot be read.
pub fn made_parts(path: &Path) -> Result<Vec<(usize, Provenance)>, Error> {
    // Only these have such a note; that of a text is another one.
    let is_rows = [".csv", ".tsv", ".jsonl", ".ndjson", ".gz", ".zst", ".json"];
    let name = path.to_string_lossy().to_lowercase();
    if !is_rows.iter().any(|suffix| name.ends_with(suffix)) {
        return Ok(Vec::new());
    }
    Ok(parts(path)?.into_iter().map(|part| (part.rows, part.made_by)).collect())
}

/// Gives a file its name with `commit`, and notes beside it which rows of it were made. The note comes first: it says nothing
/// of any other row, so that neither a crash nor a failure can make a real row out of a made one, or the reverse.
pub(super) fn noted(
    path: &Path,
    part: Part,
    appends: bool,
    commit: impl FnOnce() -> Result<File, Error>,
) -> Result<(), Error> {
    let beside = beside(path);
    let before = read_limited(&beside, MAX_BYTES).ok();
    // Of a file that is replaced a note that cannot be read is worth nothing.
    let old = match parts(path) {
        Err(error) if appends => return Err(error),
        old => old.unwrap_or_default(),
    };
    let both: Vec<Part> = old.iter().cloned().chain([part.clone()]).collect();
    save(path, &both)?;
    let _held = commit().inspect_err(|_| {
        let _ = match before {
            Some(before) => atomic_write(&beside, &before),
            None => fs::remove_file(&beside),
        };
    })?;
    if appends || old.is_empty() { Ok(()) } else { save(path, &[part]) }
}

fn save(path: &Path, parts: &[Part]) -> Result<(), Error> {
    let beside = beside(path);
    let json = serde_json::to_vec_pretty(parts)
        .map_err(|e| Error::bad(beside.display().to_string(), e.to_string()))?;
    atomic_write(&beside, &json).map_err(Error::io(&beside))
}

/// The hash of a row: cells by what names their column. Missing ones do not count.
pub(super) fn row_hash<'a>(cells: impl Iterator<Item = (u64, Option<&'a [u8]>)>) -> u64 {
    // A sum, since the order of keys in JSON means nothing.
    cells.fold(0, |sum, (column, cell)| match cell {
        Some(cell) => sum.wrapping_add(xxh3_64_with_seed(cell, column ^ 0x6d69_6e74)),
        None => sum,
    })
}

/// Rows that are still to be found while a file is read.
#[derive(Default)]
pub(super) struct MadeRows {
    left: HashMap<u64, u32>,
    /// All rows were made.
    all: bool,
    /// A command made more rows than there are hashes of, and the file is not as it was then.
    open: bool,
    hashed: usize,
    found: usize,
}

impl MadeRows {
    /// The rows of the file at `path` that Mintage made; none where the reader wants all rows.
    ///
    /// # Errors
    /// The note beside the file, or the file itself, cannot be read.
    pub fn of(path: &Path, spec: &SourceSpec) -> Result<Self, Error> {
        let mut made = Self::default();
        if spec.allow_made {
            return Ok(made);
        }
        let parts = parts(path)?;
        if parts.iter().any(|part| part.whole.is_some()) {
            let now = Digest::of(path).map_err(Error::io(path))?;
            made.all = parts.iter().any(|part| part.whole.as_ref() == Some(&now));
        }
        for part in &parts {
            made.open |= part.is_open() && !made.all;
            for hash in part.hashes() {
                *made.left.entry(hash).or_default() += 1;
                made.hashed += 1;
            }
        }
        Ok(made)
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        !self.all && self.left.is_empty()
    }

    /// Whether a row was made.
    pub fn has(&mut self, hash: u64) -> bool {
        if let Some(count) = self.left.get_mut(&hash).filter(|count| **count > 0) {
            *count -= 1;
            self.found += 1;
            return true;
        }
        self.all
    }

    /// Checks that the rows that Mintage made can be told from the real ones.
    ///
    /// # Errors
    /// Mintage made some rows, and the file was changed since, so that nobody can tell which.
    pub fn check(&self, place: &str) -> Result<(), Error> {
        if !self.open || self.hashed > 0 && self.found * 2 < self.hashed {
            return Ok(());
        }
        let why = "holds rows that mintage made, and was changed since: which are real cannot be told";
        Err(Error::bad(place, why)
            .with_hint("keep real rows in a file of their own, or learn from all of these with --allow-made"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_are_known_by_their_cells() {
        let row = |cells: &[Option<&str>]| {
            row_hash(cells.iter().enumerate().map(|(i, cell)| (i as u64, cell.map(str::as_bytes))))
        };
        assert_ne!(row(&[Some("a"), Some("b")]), row(&[Some("b"), Some("a")]));
        assert_ne!(row(&[Some(""), Some("b")]), row(&[None, Some("b")]));
        let made_by = Provenance {
            model: "m".into(),
            weights: String::new(),
            family: "ar".into(),
            seed: 1,
            options: "".into(),
            version: "0".into(),
        };
        let hashes = [row(&[Some("a")]), u64::MAX, 0];
        let part = Part::new(&made_by, 3, &hashes, None);
        assert_eq!(part.hashes().collect::<Vec<_>>(), hashes);
        assert!(!part.is_open());
    }
}
