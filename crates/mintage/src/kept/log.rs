//! `kept.jsonl`: a line an event, appended and never changed; and the files beside it. Reading plays the events again.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use mintage_data::{atomic_write, is_postgres, real_folder, table::Trace, wait_for_lock};
use serde::{Deserialize, Serialize};

use super::{Head, Heads, KeptItem, MAX_COLUMNS, MAX_KEPT, WrittenTo, content::is_plain};
use crate::{error::Error, run::open_own};

/// The list of what is kept, and the folder of files.
pub(super) const FILE: &str = "kept.jsonl";
const FOLDER: &str = "kept";
/// Whoever writes holds it; readers need none.
const LOCK: &str = "kept.lock";
/// The longest list.
const MAX_LIST_BYTES: u64 = 256 << 20;
/// The longest file of an item.
const MAX_ITEM_BYTES: u64 = 1 << 30;
/// The longest line.
const MAX_LINE_BYTES: usize = 16 << 20;

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Keep(Box<KeptItem>),
    /// What the columns of the rows that name it are.
    Columns(Head),
    Remove(Vec<String>),
    /// Written before a batch is: after a kill it says where to look.
    Writing(Record),
    Wrote(Record),
    /// Nothing of a batch was written.
    Failed(String),
    Undone(String),
}

/// A batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub batch: String,
    pub at: u64,
    pub ids: Vec<String>,
    pub place: String,
    pub trace: Trace,
}

/// A batch that was written, as far as is known.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub record: Record,
    pub complete: bool,
}

impl Batch {
    pub fn written(&self) -> WrittenTo {
        let Record { place, batch, at, .. } = &self.record;
        WrittenTo { place: place.clone(), batch: batch.clone(), at: *at, complete: self.complete }
    }

    pub fn trace(&self) -> &Trace {
        &self.record.trace
    }

    pub fn server(&self) -> Option<&str> {
        match &self.record.trace {
            Trace::Rows(rows) if is_postgres(&rows.target) => Some(&rows.target),
            Trace::Rows(_) | Trace::Files(_) => None,
        }
    }
}

/// What the lines come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    dir: PathBuf,
    pub items: Vec<KeptItem>,
    /// Of the items.
    names: HashSet<String>,
    pub heads: Heads,
    pub batches: Vec<Batch>,
    /// Above every number that was the name of an item.
    next_id: u64,
    /// Bytes of whole lines; what follows was cut off by a crash.
    pub whole_bytes: u64,
    /// The last line has no end.
    is_open: bool,
}

/// The columns of rows that are to be kept.
pub(super) struct HeadFor {
    pub head: Head,
    /// No line has them yet.
    pub is_new: bool,
}

impl Log {
    /// Reads the lines of a run; none where there is no such file.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let mut log = Self { dir: dir.to_owned(), next_id: 1, ..Self::default() };
        if fs::symlink_metadata(&path).is_err() {
            return Ok(log);
        }
        let bytes = read_real(&path, MAX_LIST_BYTES)?;
        let mut rest = &bytes[..];
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let end = rest.iter().position(|&byte| byte == b'\n');
            let line = &rest[..end.unwrap_or(rest.len())];
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            let parsed = parse(line);
            if end.is_none() && parsed.is_err() {
                // Cut off by a crash: it was never reported.
                break;
            }
            let wrong = |why: String| {
                Error::folder(&path, format!("line {number}: {why}"))
                    .with_hint("the file is damaged: put back a copy of it, or remove that line")
            };
            if let Some(line) = parsed.map_err(wrong)? {
                log.play(line).map_err(wrong)?;
            }
            log.whole_bytes = (bytes.len() - rest.len()) as u64;
            log.is_open = end.is_none();
        }
        log.mark_written();
        Ok(log)
    }

    fn play(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Keep(item) => {
                item.check().map_err(|error| error.to_string())?;
                if !self.names.insert(item.id.clone()) {
                    return Err(format!("the item `{}` is there already", item.id));
                }
                if self.items.len() >= MAX_KEPT {
                    return Err(format!("more than {MAX_KEPT} samples are kept"));
                }
                let number = item.id.parse::<u64>().unwrap_or(0);
                self.next_id = self.next_id.max(number.saturating_add(1));
                self.items.push(*item);
            }
            Line::Columns(head) => {
                if head.columns.len() > MAX_COLUMNS || !is_plain(&head.id) {
                    return Err("names columns that no table has".to_owned());
                }
                self.heads.insert(head.id.clone(), head);
            }
            Line::Remove(ids) => {
                let gone: HashSet<String> = ids.into_iter().collect();
                self.items.retain(|item| !gone.contains(&item.id));
                self.names.retain(|name| !gone.contains(name));
            }
            Line::Writing(record) => self.add_batch(record, false)?,
            Line::Wrote(record) => self.add_batch(record, true)?,
            Line::Failed(batch) | Line::Undone(batch) => {
                self.batches.retain(|known| known.record.batch != batch);
            }
        }
        Ok(())
    }

    fn add_batch(&mut self, record: Record, complete: bool) -> Result<(), String> {
        if !is_plain(&record.batch) {
            return Err("names a batch that is none".to_owned());
        }
        self.batches.retain(|known| known.record.batch != record.batch);
        self.batches.push(Batch { record, complete });
        Ok(())
    }

    fn mark_written(&mut self) {
        let all = self.batches.iter().flat_map(|batch| batch.record.ids.iter().map(move |id| (id, batch)));
        let last: HashMap<&String, &Batch> = all.collect();
        for item in &mut self.items {
            item.written = last.get(&item.id).map(|batch| batch.written());
        }
    }

    /// The item of a name.
    pub fn item(&self, id: &str) -> Result<&KeptItem, Error> {
        self.items.iter().find(|item| item.id == id).ok_or_else(|| {
            Error::request(format!("no sample `{id}` is kept"))
                .with_hint("`mintage keep MODEL --list` shows those that are")
        })
    }

    /// The columns under the name that they have, or are to have.
    pub fn head_for(&self, head: Head) -> HeadFor {
        let is_it = |known: &&Head| (&known.table, &known.columns) == (&head.table, &head.columns);
        match self.heads.values().find(is_it) {
            Some(known) => HeadFor { head: known.clone(), is_new: false },
            None => HeadFor { head: Head { id: format!("c{}", self.heads.len() + 1), ..head }, is_new: true },
        }
    }

    /// A name that no item has or had.
    pub fn new_id(&mut self) -> String {
        let id = self.next_id.to_string();
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    /// Waits for the turn of this writer, and reads what the others have written.
    pub fn lock(dir: &Path) -> Result<(Option<File>, Self), Error> {
        let path = dir.join(LOCK);
        drop(open_own(&path, false)?);
        let held = wait_for_lock(&path).map_err(Error::io(&path))?;
        Ok((held, Self::read(dir)?))
    }

    /// Takes the last lines back, where they are still the last: the list is as it was `before` them, and `after` them nobody
    /// has written. Whether they were. The lock is held.
    pub fn retract(&mut self, before: u64, after: u64) -> Result<bool, Error> {
        if self.whole_bytes != after {
            return Ok(false);
        }
        let path = self.dir.join(FILE);
        let file = open_own(&path, true)?;
        check_same(&path, &file)?;
        file.set_len(before).and_then(|()| file.sync_all()).map_err(Error::io(&path))?;
        self.whole_bytes = before;
        Ok(true)
    }

    /// Adds lines, all or none, and returns when they are on disk. The lock is held.
    pub fn append(&mut self, lines: &[Line]) -> Result<(), Error> {
        let path = self.dir.join(FILE);
        let mut bytes = if self.is_open { vec![b'\n'] } else { Vec::new() };
        for line in lines {
            let line = serde_json::to_vec(line).map_err(|error| Error::folder(&path, error.to_string()))?;
            if line.len() > MAX_LINE_BYTES {
                return Err(Error::request("an item is too long to be kept"));
            }
            bytes.extend(line);
            bytes.push(b'\n');
        }
        let end = self.whole_bytes + bytes.len() as u64;
        if end > MAX_LIST_BYTES {
            return Err(Error::folder(&path, "is as long as it may become")
                .with_hint("take a copy of it away, and begin a new one"));
        }
        let is_new = fs::symlink_metadata(&path).is_err();
        let file = open_own(&path, true)?;
        check_same(&path, &file)?;
        // What a crash has cut off goes first.
        let written = file
            .set_len(self.whole_bytes)
            .and_then(|()| (&file).write_all(&bytes))
            .and_then(|()| file.sync_all());
        if let Err(error) = written {
            let _ = file.set_len(self.whole_bytes);
            return Err(Error::io(&path)(error));
        }
        if is_new {
            sync_folder(&self.dir);
        }
        (self.whole_bytes, self.is_open) = (end, false);
        Ok(())
    }
}

fn parse(line: &[u8]) -> Result<Option<Line>, String> {
    if line.len() > MAX_LINE_BYTES {
        return Err("is too long".to_owned());
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(line).map(Some).map_err(|error| format!("cannot be read ({error})"))
}

/// The folder of the files, made where it is not there; no link.
pub(super) fn folder_for_writing(dir: &Path) -> Result<PathBuf, Error> {
    real_folder(dir, Path::new(FOLDER)).map_err(Error::io(dir))
}

/// The bytes of the file of an item, whose name was checked.
pub(super) fn read_file(dir: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let folder = dir.join(FOLDER);
    if folder.is_symlink() {
        return Err(is_link(&folder));
    }
    read_real(&folder.join(name), MAX_ITEM_BYTES)
}

fn is_link(path: &Path) -> Error {
    Error::folder(path, "is a link, and nothing that is kept is read or written through it")
        .with_hint("remove the link")
}

/// Reads a regular file of limited length, not through a link.
fn read_real(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let there = fs::symlink_metadata(path).map_err(Error::io(path))?;
    if there.is_symlink() {
        return Err(is_link(path));
    }
    if !there.is_file() {
        return Err(Error::folder(path, "is no file"));
    }
    let file = File::open(path).map_err(Error::io(path))?;
    check_same(path, &file)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    match bytes.len() as u64 > most {
        true => Err(Error::folder(path, format!("is longer than {most} bytes"))),
        false => Ok(bytes),
    }
}

/// An error where a link has come between the look and the opening: what is open is what lies there, and no link.
fn check_same(path: &Path, file: &File) -> Result<(), Error> {
    let there = fs::symlink_metadata(path).map_err(Error::io(path))?;
    let open = file.metadata().map_err(Error::io(path))?;
    match !there.is_symlink() && open.is_file() && is_one(&there, &open) {
        true => Ok(()),
        false => Err(is_link(path)),
    }
}

#[cfg(unix)]
fn is_one(there: &fs::Metadata, open: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (there.dev(), there.ino()) == (open.dev(), open.ino())
}

#[cfg(not(unix))]
fn is_one(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// After this a new name outlives a power failure, where folders can be synced.
fn sync_folder(dir: &Path) {
    if cfg!(unix) {
        let _ = File::open(dir).and_then(|dir| dir.sync_all());
    }
}

/// Files that go again unless they are to stay.
#[derive(Default)]
pub(super) struct NewFiles(Vec<PathBuf>);

impl NewFiles {
    /// Writes a file, whole and synced; a link in its place is replaced.
    pub fn write(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() as u64 > MAX_ITEM_BYTES {
            return Err(Error::request("an item is too long to be kept"));
        }
        atomic_write(&path, bytes).map_err(Error::io(&path))?;
        self.0.push(path);
        Ok(())
    }

    /// They are named by lines now.
    pub fn stay(mut self) {
        self.0.clear();
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}
