//! A folder of files with sub-folders as labels, and the list of what was made: what a source can read again, or leave out.
//!
//! New files are written in a hidden folder beside the others, and get their names when all of them are whole and both
//! lists say what they are; so a crash leaves nothing that is half or not listed, and a failure nothing at all. `metadata.csv`
//! is gone on with where there is one, and begun only where all files are ours: it would hide the others.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    Beside, Images, Provenance, atomic_write,
    beside::nameless,
    lock,
    made::{Batch, LIST, Listed, MAX_LISTED, count_listed, hash_of, is_all_listed},
    metadata::{MAX_BYTES, METADATA, Metadata, fresh},
    png_bytes, real_folder,
};
use crate::{Error, files::read_limited, source::listing::files_below};

/// The longest name of a folder that a label becomes, in bytes: with what is hidden beside it, file systems take 255.
const LONGEST: usize = 240;
const STAGE: (&str, &str) = (".mintage-", ".tmp");

/// Adds images to a folder as PNG files; the numbers continue after those that are there.
///
/// # Errors
/// A label cannot become the name of a folder, or a file cannot be written: then nothing is added.
pub fn write_folder(dir: &Path, images: &Images, provenance: &Provenance) -> Result<(), Error> {
    let file = |i: usize| Ok((images.label(i).unwrap_or_default(), png_bytes(images, i, Some(provenance))?));
    write_files(dir, images.len(), "png", &file, provenance)
}

/// Adds `n` files with this suffix to a folder, each given by `file` as its label (or nothing) and its bytes; the
/// numbers continue after those that are there.
///
/// # Errors
/// `file` fails, a label cannot become the name of a folder, or a file cannot be written: then nothing is added.
pub fn write_files<'a>(
    dir: &Path,
    n: usize,
    suffix: &str,
    file: &dyn Fn(usize) -> Result<(&'a str, Vec<u8>), Error>,
    provenance: &Provenance,
) -> Result<(), Error> {
    let mut files = NewFiles::begin(dir, provenance)?;
    for i in 0..n {
        let (label, bytes) = file(i)?;
        let path = files.next(label, suffix, Some(&bytes))?;
        fs::write(&path, bytes).map_err(|error| files.failed(error))?;
    }
    files.finish()
}

/// Files on their way into a folder.
pub(super) struct NewFiles<'a> {
    dir: &'a Path,
    /// Folders that were made for this, the outermost first.
    new_dirs: Vec<PathBuf>,
    stage: Option<TempDir>,
    /// Held so that nobody takes the stage for one that a killed process left.
    _held: Option<File>,
    files: Vec<NewFile>,
    folders: HashMap<String, String>,
    provenance: &'a Provenance,
}

struct NewFile {
    staged: PathBuf,
    label: String,
    /// The label as a folder, or nothing.
    sub: String,
    suffix: String,
    hash: Option<String>,
}

impl<'a> NewFiles<'a> {
    /// Makes the folder and a stage in it, where the new files lie until [`NewFiles::finish`].
    ///
    /// # Errors
    /// The folder or the stage cannot be made, or `mintage.jsonl` in it is not a regular file.
    pub fn begin(dir: &'a Path, provenance: &'a Provenance) -> Result<Self, Error> {
        let is_new = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
        let mut new_dirs: Vec<PathBuf> = dir.ancestors().take_while(is_new).map(Path::to_owned).collect();
        new_dirs.reverse();
        let mut new = Self {
            dir,
            new_dirs,
            stage: None,
            _held: None,
            files: Vec::new(),
            folders: HashMap::new(),
            provenance,
        };
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let list = dir.join(LIST);
        if fs::symlink_metadata(&list).is_ok_and(|there| !there.is_file()) {
            let why = "is where mintage keeps the list of what it made, and no file";
            return Err(Error::bad(list.display().to_string(), why).with_hint("write to another folder"));
        }
        // Under the lock, so that nobody takes the new stage for a left one before it is locked itself.
        let _alone = lock(dir).map_err(Error::io(dir))?;
        remove_stale(dir);
        let stage = tempfile::Builder::new().prefix(STAGE.0).suffix(STAGE.1).rand_bytes(8).tempdir_in(dir);
        let stage = stage.map_err(|error| Error::io(dir)(nameless(error)))?;
        new._held = File::open(stage.path()).ok().filter(|held| held.try_lock().is_ok());
        new.stage = Some(stage);
        Ok(new)
    }

    /// The path at which the next file is to be written, or the next folder where there is no suffix. `bytes` are what
    /// the file will hold.
    ///
    /// # Errors
    /// The label cannot become the name of a folder.
    pub fn next(&mut self, label: &str, suffix: &str, bytes: Option<&[u8]>) -> Result<PathBuf, Error> {
        let sub = match self.folders.get(label) {
            Some(sub) => sub.clone(),
            None => {
                let sub = checked_name(self.dir, label)?;
                self.folders.insert(label.to_owned(), sub.clone());
                sub
            }
        };
        let Some(stage) = &self.stage else { return Err(Error::bad("folder", "is finished")) };
        let staged = stage.path().join(self.files.len().to_string());
        let (label, suffix, hash) = (label.to_owned(), suffix.to_owned(), bytes.map(hash_of));
        self.files.push(NewFile { staged: staged.clone(), label, sub, suffix, hash });
        Ok(staged)
    }

    /// The error of a file that could not be written.
    pub fn failed(&self, error: io::Error) -> Error {
        Error::io(self.dir)(error)
    }

    /// Gives all files their names, and adds them to the lists.
    ///
    /// # Errors
    /// The folder cannot be read, locked or written: then nothing is added.
    pub fn finish(mut self) -> Result<(), Error> {
        let files = std::mem::take(&mut self.files);
        let dir = self.dir;
        let _alone = lock(dir).map_err(Error::io(dir))?;
        let mut undo = Undo::default();
        match put(dir, &files, self.provenance, &mut undo) {
            Ok(()) => {
                self.new_dirs.clear();
                Ok(())
            }
            Err(error) => {
                undo.all();
                Err(error)
            }
        }
    }
}

impl Drop for NewFiles<'_> {
    fn drop(&mut self) {
        drop(self.stage.take());
        // Only what is still empty can be removed so.
        for dir in self.new_dirs.iter().rev() {
            let _ = fs::remove_dir(dir);
        }
    }
}

/// What to do when something fails half-way.
#[derive(Default)]
struct Undo {
    /// Files (or folders of frames), then folders of labels, that are there now and were not.
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// The list and the bytes that it had; nothing when it was not there.
    list: Option<(PathBuf, Option<u64>)>,
    metadata: Option<(PathBuf, Option<Vec<u8>>)>,
}

impl Undo {
    fn all(&self) {
        for file in &self.files {
            let _ = if file.is_dir() { fs::remove_dir_all(file) } else { fs::remove_file(file) };
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        match &self.metadata {
            Some((path, Some(before))) => drop(atomic_write(path, before)),
            Some((path, None)) => drop(fs::remove_file(path)),
            None => {}
        }
        match &self.list {
            Some((path, Some(length))) => {
                let _ = File::options().write(true).open(path).and_then(|file| file.set_len(*length));
            }
            Some((path, None)) => drop(fs::remove_file(path)),
            None => {}
        }
    }
}

fn put(dir: &Path, files: &[NewFile], provenance: &Provenance, undo: &mut Undo) -> Result<(), Error> {
    let names = names_for(dir, files)?;
    let pairs: Vec<(String, String)> =
        names.iter().zip(files).map(|(name, file)| (name.clone(), file.label.clone())).collect();
    let metadata = more_metadata(dir, &pairs, provenance)?;
    // Whoever reads the folder knows of the files before they are there.
    append_list(dir, files, &names, provenance, undo).map_err(Error::io(dir.join(LIST)))?;
    if let Some((before, after)) = metadata {
        let path = dir.join(METADATA);
        let file = Beside::create(&path).map_err(Error::io(&path))?;
        (&file.file).write_all(&after).map_err(Error::io(&path))?;
        undo.metadata = Some((path.clone(), before));
        file.commit().map_err(Error::io(&path))?;
    }
    for (file, name) in files.iter().zip(&names) {
        if !file.sub.is_empty() && !undo.folders.iter().any(|folder| folder.ends_with(&file.sub)) {
            let folder = dir.join(&file.sub);
            let is_new = !folder.exists();
            real_folder(dir, Path::new(&file.sub)).map_err(Error::io(&folder))?;
            if is_new {
                undo.folders.push(folder);
            }
        }
        let path = dir.join(name);
        put_one(&file.staged, &path).map_err(Error::io(&path))?;
        undo.files.push(path);
    }
    Ok(())
}

/// Gives a file, or a folder, its name, which nothing may have.
fn put_one(staged: &Path, path: &Path) -> io::Result<()> {
    if staged.is_dir() {
        return fs::rename(staged, path);
    }
    tempfile::TempPath::try_from_path(staged)?.persist_noclobber(path).map_err(|error| error.error)
}

/// A name for each file, below the folder: a number that no file beside it has, whatever its suffix.
fn names_for(dir: &Path, files: &[NewFile]) -> Result<Vec<String>, Error> {
    let mut taken: HashMap<&str, HashSet<String>> = HashMap::new();
    for file in files {
        if !taken.contains_key(file.sub.as_str()) {
            taken.insert(&file.sub, stems(&dir.join(&file.sub))?);
        }
    }
    let mut number = count_made(dir);
    let mut names = Vec::new();
    for NewFile { sub, suffix, .. } in files {
        let beside = taken.entry(sub).or_default();
        let stem = loop {
            let stem = format!("{number:06}");
            number += 1;
            if beside.insert(stem.clone()) {
                break stem;
            }
        };
        let file = if suffix.is_empty() { stem } else { format!("{stem}.{suffix}") };
        names.push(if sub.is_empty() { file } else { format!("{sub}/{file}") });
    }
    Ok(names)
}

/// The names in a folder without their suffixes; none where it is not there.
fn stems(dir: &Path) -> Result<HashSet<String>, Error> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.map_err(Error::io(dir))?,
    };
    let stem = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.split_once('.').map_or(name.clone(), |(stem, _)| stem.to_owned())
    };
    Ok(entries.flatten().map(stem).collect())
}

/// How many were made into a folder so far, as far as its lists tell.
fn count_made(dir: &Path) -> usize {
    let metadata = Metadata::read(&dir.join(METADATA)).ok();
    let rows =
        metadata.map_or(0, |metadata| metadata.rows.iter().filter(|row| metadata.is_made(row)).count());
    rows.max(count_listed(dir))
}

/// What `metadata.csv` has and what it is to have; nothing where it is not ours to begin or to go on with.
type Metadatas = (Option<Vec<u8>>, Vec<u8>);

fn more_metadata(
    dir: &Path,
    files: &[(String, String)],
    provenance: &Provenance,
) -> Result<Option<Metadatas>, Error> {
    let path = dir.join(METADATA);
    let json = provenance.to_json();
    match fs::symlink_metadata(&path) {
        Ok(there) if there.is_file() => {
            let before = read_limited(&path, MAX_BYTES)?;
            // One that is no list of files is nobody's business here.
            let Ok(metadata) = Metadata::parse(&before) else { return Ok(None) };
            let after = [&before[..], &metadata.more(files, &json)?].concat();
            Ok(Some((Some(before), after)))
        }
        Ok(_) => Ok(None),
        Err(_) if is_all_listed(dir, &files_below(dir)?) => {
            let (metadata, head) = fresh();
            Ok(Some((None, [head, metadata.more(files, &json)?].concat())))
        }
        Err(_) => Ok(None),
    }
}

fn append_list(
    dir: &Path,
    files: &[NewFile],
    names: &[String],
    provenance: &Provenance,
    undo: &mut Undo,
) -> io::Result<()> {
    let path = dir.join(LIST);
    let listed = |(file, name): (&NewFile, &String)| Listed {
        file: name.clone(),
        label: file.label.clone(),
        xxh3: file.hash.clone(),
    };
    let batch = Batch { made_by: provenance.clone(), files: files.iter().zip(names).map(listed).collect() };
    let mut line = serde_json::to_vec(&batch).map_err(io::Error::other)?;
    line.push(b'\n');
    let before = read_limited(&path, MAX_LISTED).ok();
    // A line that a crash has cut off stays a line of its own.
    if before.as_ref().is_some_and(|before| before.last().is_some_and(|&last| last != b'\n')) {
        line.insert(0, b'\n');
    }
    undo.list = Some((path.clone(), before.map(|before| before.len() as u64)));
    let mut file = File::options().create(true).append(true).open(&path)?;
    file.write_all(&line)?;
    file.sync_all()
}

/// Removes what killed writers have left. To be called while the folder is locked.
fn remove_stale(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_stage = name.to_str().is_some_and(|name| name.starts_with(STAGE.0) && name.ends_with(STAGE.1));
        if is_stage && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let free = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if free {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// The folder that a label becomes; an error where there can be none, before anything is written.
fn checked_name(dir: &Path, label: &str) -> Result<String, Error> {
    let name = safe_name(label);
    let shown: String = label.chars().take(40).collect();
    let cannot = |why: &str| {
        Error::bad(format!("label `{shown}`"), why.to_owned())
            .with_hint("give the class another name in the data, or write to a database (.db)")
    };
    if name.len() > LONGEST {
        return Err(cannot("is too long to become the name of a folder"));
    }
    if [METADATA, LIST].contains(&name.as_str()) {
        return Err(cannot("cannot become the name of a folder: a list of the files has it"));
    }
    match fs::symlink_metadata(dir.join(&name)) {
        Ok(there) if there.is_symlink() && !name.is_empty() => Err(cannot(&format!(
            "would go into `{name}`, which is a link, and nothing is written through it"
        ))),
        Ok(there) if !there.is_dir() && !name.is_empty() => {
            Err(cannot(&format!("would go into a folder `{name}`, and a file has that name")))
        }
        _ => Ok(name),
    }
}

/// A label as the name of a folder.
fn safe_name(label: &str) -> String {
    let name: String =
        label.chars().map(|c| if c.is_alphanumeric() || " -_.".contains(c) { c } else { '_' }).collect();
    name.trim().trim_start_matches('.').to_owned()
}
