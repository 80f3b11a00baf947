//! Samples that a user has chosen, kept with a run: `kept.jsonl`, a line an event, and `kept/ID.{png,mid,wav}` without
//! loss, so that what is written later is exactly what was seen.
//!
//! A file is whole on disk before the line that names it, and a line is synced before anybody hears of it: a kill at any
//! moment loses nothing that was reported as kept. Nothing is held in memory between calls, and writers take turns by a
//! lock, so several processes may keep items of one run. The run may be a stranger's: names, sizes and shapes are checked
//! before anything is decoded, and links are neither read nor written.

mod content;
mod log;
mod write;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use mintage_data::{
    DataKind, PgDefaults, Provenance, Table,
    table::{Trace, undo_chosen},
};
use serde::{Deserialize, Serialize};

use crate::{error::Error, generate::Samples};
use content::Content;
use log::{Line, Log};
pub use write::WrittenBatch;

/// Items that a run keeps at most.
pub const MAX_KEPT: usize = 10_000;
/// The longest name of an item.
const MAX_ID_BYTES: usize = 40;
/// Classes have no longer names.
const MAX_LABEL_BYTES: usize = 4096;
/// Columns that a row may have.
const MAX_COLUMNS: usize = 10_000;

/// The kept samples of a run.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Of the run.
    dir: PathBuf,
}

/// A sample that was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptItem {
    /// Its name: letters, digits, `-` and `_`.
    pub id: String,
    /// What it is.
    pub kind: DataKind,
    /// When it was kept, in seconds of Unix time.
    pub kept_at: u64,
    /// Which one of its draw, from 0.
    pub index: usize,
    /// Model, seed and options.
    pub made_by: Provenance,
    /// Its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    content: Content,
    /// Where it was written, if it was.
    #[serde(skip)]
    pub written: Option<WrittenTo>,
}

/// Where kept items were written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrittenTo {
    /// In words, without a password.
    pub place: String,
    /// The name of the batch, which takes it back.
    pub batch: String,
    /// When, in seconds of Unix time.
    pub at: u64,
    /// `false`: the process ended, or is still at it, and nobody knows whether the rows are there. An undo removes them.
    pub complete: bool,
}

/// Items that were written together.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptBatch {
    /// The items, some of which may not be kept any more.
    pub ids: Vec<String>,
    /// Where and when.
    pub written: WrittenTo,
    /// The server that an undo connects to, if it is on one; without a password. The run may be a stranger's: ask first.
    pub server: Option<String>,
}

/// What an undo has done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Undone {
    /// How many rows or items were removed.
    pub removed: usize,
    /// Where they were, without a password.
    pub place: String,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
}

impl KeptItem {
    /// The name of its file in the folder `kept`; rows and texts have none.
    pub fn file(&self) -> Option<String> {
        self.content.suffix().map(|suffix| format!("{}.{suffix}", self.id))
    }

    /// The text of a text.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { text } => Some(text),
            _ => None,
        }
    }

    /// The cells of a row, in the order of its columns; see [`Kept::columns_of`].
    pub fn cells(&self) -> Option<&[Option<String>]> {
        match &self.content {
            Content::Row { cells, .. } => Some(cells),
            _ => None,
        }
    }
}

impl Kept {
    /// The kept samples of the run, or the exported model, in a folder.
    ///
    /// # Errors
    ///
    /// There is no such folder; what was kept cannot be read, or is not what this program writes.
    pub fn open(run_dir: &Path) -> Result<Self, Error> {
        if !run_dir.is_dir() {
            return Err(Error::folder(run_dir, "is no folder of a run"));
        }
        let kept = Self { dir: run_dir.to_owned() };
        kept.read()?;
        Ok(kept)
    }

    /// Keeps some items of a draw, each by its place in it, and gives their names. `at_unix`: the time, in seconds of Unix
    /// time.
    ///
    /// # Errors
    ///
    /// There is no such item, too many are kept, or something cannot be written (the disk is full): then nothing was kept.
    pub fn keep(
        &self,
        samples: &Samples,
        items: &[usize],
        provenance: &Provenance,
        at_unix: u64,
    ) -> Result<Vec<String>, Error> {
        if let Some(&item) = items.iter().find(|&&item| item >= samples.len()) {
            let why = format!("there is no item {item} among {}", samples.len());
            return Err(Error::request(why).with_hint("items are counted from 0"));
        }
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let folder = log::folder_for_writing(&self.dir)?;
        let (_held, mut log) = Log::lock(&self.dir)?;
        if log.items.len() + items.len() > MAX_KEPT {
            return Err(Error::request(format!("a run keeps {MAX_KEPT} samples at most"))
                .with_hint("write some of them, and remove those from what is kept"));
        }
        let head = content::head_of(samples).map(|head| log.head_for(head));
        let mut lines: Vec<Line> = Vec::new();
        lines.extend(head.iter().filter(|head| head.is_new).map(|head| Line::Columns(head.head.clone())));
        let head = head.map(|head| head.head.id);
        let mut files = log::NewFiles::default();
        let mut ids = Vec::new();
        for &index in items {
            let (content, bytes) = Content::of(samples, index, head.as_deref(), provenance)?;
            let item = KeptItem {
                id: log.new_id(),
                kind: samples.kind(),
                kept_at: at_unix,
                index,
                made_by: provenance.clone(),
                label: content::label_of(samples, index).map(str::to_owned),
                content,
                written: None,
            };
            item.check()?;
            if let (Some(name), Some(bytes)) = (item.file(), bytes) {
                files.write(folder.join(name), &bytes)?;
            }
            ids.push(item.id.clone());
            lines.push(Line::Keep(Box::new(item)));
        }
        log.append(&lines)?;
        files.stay();
        Ok(ids)
    }

    /// Removes items from what is kept, and gives how many there were; what was written of them stays where it is.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn remove(&self, ids: &[String]) -> Result<usize, Error> {
        if !self.exists() {
            return Ok(0);
        }
        let folder = log::folder_for_writing(&self.dir)?;
        let (_held, mut log) = Log::lock(&self.dir)?;
        let gone: Vec<KeptItem> = log.items.iter().filter(|item| ids.contains(&item.id)).cloned().collect();
        if gone.is_empty() {
            return Ok(0);
        }
        // The line first: a file without a line is nothing, a line without a file would be damage.
        log.append(&[Line::Remove(gone.iter().map(|item| item.id.clone()).collect())])?;
        for name in gone.iter().filter_map(KeptItem::file) {
            let _ = fs::remove_file(folder.join(name));
        }
        Ok(gone.len())
    }

    /// All items, in the order in which they were kept.
    ///
    /// # Errors
    ///
    /// What was kept cannot be read, or is not what this program writes.
    pub fn list(&self) -> Result<Vec<KeptItem>, Error> {
        Ok(self.read()?.items)
    }

    /// What was written and not taken back, in the order in which it was.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    pub fn batches(&self) -> Result<Vec<KeptBatch>, Error> {
        let log = self.read()?;
        Ok(log
            .batches
            .into_iter()
            .map(|batch| KeptBatch {
                written: batch.written(),
                server: batch.server().map(str::to_owned),
                ids: batch.record.ids,
            })
            .collect())
    }

    /// Names of the columns of a row; nothing for any other item.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    pub fn columns_of(&self, item: &KeptItem) -> Result<Vec<String>, Error> {
        let log = self.read()?;
        let head = item.content.head().and_then(|id| log.heads.get(id));
        Ok(head
            .map(|head| head.columns.iter().map(|column| column.name.clone()).collect())
            .unwrap_or_default())
    }

    /// The bytes of an item's file: a PNG (of clips one that moves), a MIDI file, a WAV of floats.
    ///
    /// # Errors
    ///
    /// There is no such item, or it has no file; the file cannot be read.
    pub fn bytes(&self, id: &str) -> Result<Vec<u8>, Error> {
        let log = self.read()?;
        let item = log.item(id)?;
        let name = item.file().ok_or_else(|| Error::request(format!("`{id}` has no file")))?;
        log::read_file(&self.dir, &name)
    }

    /// The items as they were drawn, in the order of `ids`. Classes are those of the items.
    ///
    /// # Errors
    ///
    /// There is no such item, a file is missing or damaged; the items are of different shapes.
    pub fn samples(&self, ids: &[String]) -> Result<Samples, Error> {
        let log = self.read()?;
        let all = self.contents(&log, ids)?;
        content::joined(all.into_iter().map(|(_, samples)| samples).collect())
    }

    /// Each item, and what it is as samples of one.
    fn contents(&self, log: &Log, ids: &[String]) -> Result<Vec<(KeptItem, Samples)>, Error> {
        if ids.is_empty() {
            return Err(
                Error::request("no item was named").with_hint("keep some first, or name some that are")
            );
        }
        let mut seen = HashSet::new();
        if let Some(id) = ids.iter().find(|id| !seen.insert(*id)) {
            return Err(Error::request(format!("the item `{id}` is named twice")));
        }
        let items: Vec<&KeptItem> = ids.iter().map(|id| log.item(id)).collect::<Result<_, _>>()?;
        content::check_memory(items.iter().map(|item| &item.content))?;
        let one = |item: &KeptItem| {
            let bytes = item.file().map(|name| log::read_file(&self.dir, &name)).transpose()?;
            let samples = item.samples(bytes.as_deref(), &log.heads)?;
            Ok((item.clone(), samples))
        };
        items.into_iter().map(one).collect()
    }

    /// Takes a batch back: its rows are removed from their database, exactly those and in one transaction; of files only
    /// those that the batch made, if nobody has changed them.
    ///
    /// # Errors
    ///
    /// There is no such batch; the database cannot be reached, or does not let the rows go: then nothing was removed.
    pub fn undo(&self, batch: &str, pg: &PgDefaults) -> Result<Undone, Error> {
        let log = self.read()?;
        let found = log.batches.iter().find(|known| known.record.batch == batch);
        let found = found.ok_or_else(|| {
            let known: Vec<&str> = log.batches.iter().map(|known| known.record.batch.as_str()).collect();
            let hint = match known.is_empty() {
                true => "nothing was written, or all of it was taken back".to_owned(),
                false => format!("there are {}", known.join(", ")),
            };
            Error::request(format!("no batch `{batch}` was written")).with_hint(hint)
        })?;
        let trace = found.trace();
        let removed = undo_chosen(trace, batch, pg)?;
        let is_files = matches!(trace, Trace::Files(_));
        let n = if is_files && removed.rows > 0 { found.record.ids.len() } else { removed.rows };
        let mut notes = removed.notes;
        if removed.all
            && let Err(error) = self.forget_batch(batch)
        {
            notes.push(format!("that they are gone could not be recorded: {error}"));
        }
        Ok(Undone { removed: n, place: removed.place, notes })
    }

    fn forget_batch(&self, batch: &str) -> Result<(), Error> {
        let (_held, mut log) = Log::lock(&self.dir)?;
        log.append(&[Line::Undone(batch.to_owned())])
    }

    fn read(&self) -> Result<Log, Error> {
        Log::read(&self.dir)
    }

    fn exists(&self) -> bool {
        fs::symlink_metadata(self.dir.join(log::FILE)).is_ok()
    }
}

/// The columns of rows, as they were declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    id: String,
    table: String,
    columns: Vec<HeadColumn>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct HeadColumn {
    name: String,
    declaration: mintage_data::Declaration,
}

/// Columns of rows by name.
type Heads = BTreeMap<String, Head>;

impl Head {
    /// A table without rows.
    fn table(&self) -> Table {
        let columns = self.columns.iter();
        let columns = columns
            .map(|column| mintage_data::Column::new(column.name.clone(), column.declaration.clone()))
            .collect();
        Table { name: self.table.clone(), columns, ..Table::default() }
    }
}
