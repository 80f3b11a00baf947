//! What of a folder this program made: a file that says so itself (the provenance in PNG, GIF, WAV, MIDI and MP4), or one
//! that is listed in the folder's `mintage.jsonl` and is still as it was written. Neither depends on where the folder lies,
//! and a file that the user changed or put in the place of one that was made counts as the user's again.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, BufReader, Read, Seek, Write},
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use super::{Beside, Provenance, atomic_write, beside::folder_of, target_of};
use crate::{
    Error, SourceSpec,
    files::{read_limited, suffix},
};

/// The list of what was made, at the top of a folder: a line a command.
pub(crate) const LIST: &str = "mintage.jsonl";
/// Bytes of a file in which a provenance is sought where it stands at the beginning.
const HEAD: u64 = 64 << 10;
/// Parts of a file that are looked at before it is taken for one of somebody else.
const MAX_PARTS: usize = 100_000;
/// Folders above that of the data whose lists are looked at: a label is one below its list.
const MAX_FOLDERS_ABOVE: usize = 4;
/// The longest list.
pub(super) const MAX_LISTED: u64 = 1 << 30;
/// The longest provenance.
const LONGEST: u64 = 1 << 20;

/// A line of the list.
#[derive(Serialize, Deserialize)]
pub(super) struct Batch {
    pub made_by: Provenance,
    pub files: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Listed {
    /// Below the folder, with `/`.
    pub file: String,
    pub label: String,
    /// Of its bytes; a folder of frames has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xxh3: Option<String>,
}

/// The hash of a file's bytes as it stands in a list.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
}

/// Takes what mintage made away from `files` below `root`, says so, and gives it; an error where nothing else is there.
pub(crate) fn leave_out_made(
    root: &Path,
    files: &mut Vec<PathBuf>,
    spec: &SourceSpec,
    notes: &mut Vec<String>,
) -> Result<HashSet<PathBuf>, Error> {
    if spec.allow_made {
        return Ok(HashSet::new());
    }
    let is_made = made(root, files);
    if !is_made.contains(&true) {
        return Ok(HashSet::new());
    }
    let (made, real): (Vec<_>, Vec<_>) =
        std::mem::take(files).into_iter().zip(is_made).partition(|(_, is_made)| *is_made);
    if real.is_empty() {
        return Err(Error::OnlyMade { what: root.display().to_string(), count: made.len() });
    }
    notes.push(format!("{} made by mintage, left out", made.len()));
    files.extend(real.into_iter().map(|(file, _)| file));
    Ok(made.into_iter().map(|(file, _)| file).collect())
}

/// Whether each of these files below `root` (or folders, that are one item each) was made by this program.
fn made(root: &Path, files: &[PathBuf]) -> Vec<bool> {
    let listed = listed_around(root, files);
    let is_made = |file: &PathBuf| {
        let path = root.join(file);
        // What a link leads to is listed where that lies.
        let is_made_there = || path.is_symlink() && is_made_text(&path);
        says_so(&path) || is_as_listed(&path, listed.get(file)) || is_noted(&path) || is_made_there()
    };
    files.par_iter().map(is_made).collect()
}

/// Whether all there is in a folder, as far as it has data, was made by this program: nothing, or what its list names.
pub(super) fn is_all_listed(root: &Path, files: &[PathBuf]) -> bool {
    let listed = listed(root);
    files.iter().all(|file| {
        let inside = || file.ancestors().skip(1).any(|above| listed.contains_key(above));
        listed.contains_key(file) || inside()
    })
}

/// Whether a single text is one that this program wrote, alone or into a folder, and still is.
pub(crate) fn is_made_text(path: &Path) -> bool {
    let Ok(path) = target_of(path) else { return false };
    let Some(name) = path.file_name().map(PathBuf::from) else { return false };
    is_noted(&path) || {
        let listed = listed_around(folder_of(&path), std::slice::from_ref(&name));
        is_as_listed(&path, listed.get(&name))
    }
}

/// Whether a single file of any kind was made by this program, and still is as it was made.
pub fn is_made_file(path: &Path) -> bool {
    says_so(path) || is_made_text(path)
}

/// What the file beside a text says of it, as long as the text is as it was written.
fn note_of(path: &Path) -> Option<Batch> {
    let json = read_limited(&beside(path), LONGEST).ok()?;
    let batch = serde_json::from_slice::<Batch>(&json).ok()?;
    let hash = batch.files.first()?.xxh3.as_deref()?;
    file_hash(path).is_ok_and(|now| now == hash).then_some(batch)
}

/// Whether a text is as the file beside it says that [`write_text`] wrote it.
fn is_noted(path: &Path) -> bool {
    note_of(path).is_some()
}

/// Writes a text, and beside it `FILE.mintage.json` with the provenance, for which the text itself has no place.
///
/// # Errors
/// `path` is a link to a file that is not there, or one of the two files cannot be written: then both are as they were.
pub fn write_text(path: &Path, text: &str, provenance: &Provenance) -> io::Result<()> {
    let path = target_of(path)?;
    let beside = beside(&path);
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let listed = Listed { file, label: String::new(), xxh3: Some(hash_of(text.as_bytes())) };
    let batch = Batch { made_by: provenance.clone(), files: vec![listed] };
    let whole = Beside::create(&path)?;
    (&whole.file).write_all(text.as_bytes())?;
    // First, so that the text is never without it; of another text it says nothing.
    let before = read_limited(&beside, LONGEST).ok();
    atomic_write(&beside, &serde_json::to_vec_pretty(&batch).map_err(io::Error::other)?)?;
    whole.commit().inspect_err(|_| match before {
        Some(before) => drop(atomic_write(&beside, &before)),
        None => drop(fs::remove_file(&beside)),
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".mintage.json");
    PathBuf::from(name)
}

/// How many files a folder's list names.
pub(super) fn count_listed(root: &Path) -> usize {
    listed(root).len()
}

/// What each command made of a folder, as its list says. A line that is none, as after a crash, says nothing.
fn list_of(root: &Path) -> Vec<Batch> {
    let text = read_limited(&root.join(LIST), MAX_LISTED).unwrap_or_default();
    text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The files in a folder's list and their hashes.
fn listed(root: &Path) -> HashMap<PathBuf, Option<String>> {
    let files = list_of(root).into_iter().flat_map(|batch| batch.files);
    files.map(|file| (PathBuf::from(file.file), file.xxh3)).collect()
}

/// What made the files of a folder's list, and how many of those of each command are still as they were made.
pub(super) fn batches(root: &Path) -> Vec<(u64, Provenance)> {
    let is_there = |file: &&Listed| {
        let path = root.join(&file.file);
        path.exists() && file.xxh3.as_ref().is_none_or(|hash| file_hash(&path).is_ok_and(|now| now == *hash))
    };
    let count = |batch: Batch| (batch.files.iter().filter(is_there).count() as u64, batch.made_by);
    list_of(root).into_iter().map(count).collect()
}

/// What made a file that says nothing itself: the note beside it, or the list of a folder that it lies in, as long as it is
/// as it was made.
pub(super) fn listed_by(path: &Path) -> Option<Provenance> {
    let whole = fs::canonicalize(path).ok()?;
    if let Some(batch) = note_of(&whole) {
        return Some(batch.made_by);
    }
    let now = file_hash(&whole).ok()?;
    whole.ancestors().skip(1).take(MAX_FOLDERS_ABOVE + 1).find_map(|above| {
        let below = whole.strip_prefix(above).ok()?;
        let is_it = |file: &Listed| Path::new(&file.file) == below && file.xxh3.as_ref() == Some(&now);
        list_of(above).into_iter().find(|batch| batch.files.iter().any(is_it)).map(|batch| batch.made_by)
    })
}

/// The hashes of files below `root` in its list, in those of the folders in it, and in those of the folders above it.
fn listed_around(root: &Path, files: &[PathBuf]) -> HashMap<PathBuf, Vec<String>> {
    let mut all: HashMap<PathBuf, Vec<String>> = HashMap::new();
    let mut add = |file: PathBuf, hash: Option<String>| all.entry(file).or_default().extend(hash);
    let folders: HashSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    for folder in folders {
        listed(&root.join(folder)).into_iter().for_each(|(file, hash)| add(folder.join(file), hash));
    }
    let whole = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    for above in whole.ancestors().skip(1).take(MAX_FOLDERS_ABOVE) {
        let Ok(way) = whole.strip_prefix(above) else { continue };
        for (file, hash) in listed(above) {
            if let Ok(below) = file.strip_prefix(way) {
                add(below.to_owned(), hash);
            }
        }
    }
    all
}

/// Whether a file has one of the hashes that lists have for it.
fn is_as_listed(path: &Path, hashes: Option<&Vec<String>>) -> bool {
    hashes.is_some_and(|hashes| file_hash(path).is_ok_and(|now| hashes.contains(&now)))
}

/// The hash of a file's bytes as it stands in a list; nothing for a folder.
pub(crate) fn file_hash(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Ok(String::new());
    }
    let (mut hash, mut file, mut buffer) = (Xxh3::new(), File::open(path)?, vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:016x}", hash.digest())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Whether a file, or the first picture of a folder, has a provenance of this program in it.
fn says_so(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => first_picture(path).is_some_and(|picture| says_so(&picture)),
        Ok(there) if there.is_file() => found_in(path).is_ok_and(|found| found),
        // A pipe is not opened: nobody may be at its other end.
        _ => false,
    }
}

fn first_picture(dir: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    files.filter(|file| suffix(file) == "png").min()
}

fn found_in(path: &Path) -> io::Result<bool> {
    let open = || File::open(path).map(BufReader::new);
    Ok(match suffix(path).as_str() {
        "png" | "apng" => in_png(&mut open()?)?,
        "wav" => in_wav(&mut open()?)?,
        "mp4" | "m4v" | "mov" => in_mp4(&mut open()?)?,
        // Both have it before anything else.
        "gif" | "mid" | "midi" | "kar" => {
            let mut head = Vec::new();
            open()?.take(HEAD).read_to_end(&mut head)?;
            in_head(&head).is_some()
        }
        _ => false,
    })
}

/// Whether a text is a provenance of this program.
fn is_provenance(text: &[u8]) -> bool {
    let Ok(Value::Object(map)) = serde_json::from_slice::<Value>(text) else { return false };
    ["model", "family", "seed", "version"].iter().all(|key| map.contains_key(*key))
}

/// JSON that stands among the first bytes of a GIF (in sub-blocks of up to 255 bytes) or a MIDI file.
pub(super) fn in_head(head: &[u8]) -> Option<Provenance> {
    let is_gif = head.starts_with(b"GIF8");
    if !is_gif && !head.starts_with(b"MThd") {
        return None;
    }
    let mut rest = head;
    while let Some(at) = memfind(rest, b"{\"model\":") {
        let text = match is_gif {
            // The length of the sub-block stands before its first byte.
            true if at > 0 => sub_blocks(&rest[at - 1..]),
            _ => rest[at..].to_vec(),
        };
        let mut values = serde_json::Deserializer::from_slice(&text).into_iter::<Provenance>();
        if let Some(Ok(found)) = values.next() {
            return Some(found);
        }
        rest = &rest[at + 1..];
    }
    None
}

fn sub_blocks(mut rest: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (part, behind) = after.split_at(after.len().min(usize::from(length)));
        text.extend(part);
        rest = behind;
    }
    text
}

fn memfind(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Chunks: length, name, body, checksum. Ours is a text with the keyword `mintage`.
fn in_png(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut head = [0; 8];
    file.read_exact(&mut head)?;
    if &head != b"\x89PNG\r\n\x1a\n" {
        return Ok(false);
    }
    for _ in 0..MAX_PARTS {
        file.read_exact(&mut head)?;
        let length = i64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        match &head[4..] {
            b"iTXt" if length >= 8 => {
                let mut keyword = [0; 8];
                file.read_exact(&mut keyword)?;
                if &keyword == b"mintage\0" {
                    return Ok(true);
                }
                file.seek_relative(length - 8 + 4)?;
            }
            b"IEND" => return Ok(false),
            _ => file.seek_relative(length + 4)?,
        }
    }
    Ok(false)
}

/// Chunks: name, length, body, at even places. Ours is the comment in the list `INFO`.
fn in_wav(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut head = [0; 12];
    file.read_exact(&mut head)?;
    if !head.starts_with(b"RIFF") || &head[8..] != b"WAVE" {
        return Ok(false);
    }
    for _ in 0..MAX_PARTS {
        let mut head = [0; 8];
        if file.read_exact(&mut head).is_err() {
            return Ok(false);
        }
        let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        if head.starts_with(b"LIST") && length <= LONGEST {
            let mut body = vec![0; length as usize];
            file.read_exact(&mut body)?;
            if let Some(at) = memfind(&body, b"ICMT") {
                let text = body.get(at + 8..).unwrap_or_default();
                let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
                if is_provenance(&text[..end]) {
                    return Ok(true);
                }
            }
            file.seek_relative((length % 2) as i64)?;
        } else {
            file.seek_relative(length.next_multiple_of(2) as i64)?;
        }
    }
    Ok(false)
}

/// Atoms: length, name, body. Ours is the comment `©cmt`, deep in `moov`.
fn in_mp4(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    for _ in 0..MAX_PARTS {
        let mut head = [0; 8];
        if file.read_exact(&mut head).is_err() {
            return Ok(false);
        }
        let length = i64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        if &head[4..] == b"moov" && length as u64 <= 64 * LONGEST {
            let mut body = Vec::new();
            file.take((length - 8).max(0) as u64).read_to_end(&mut body)?;
            let Some(at) = body.windows(4).rposition(|name| name == b"\xa9cmt") else { return Ok(false) };
            // An atom `data` inside: length, name, kind, language, text.
            let length = body
                .get(at + 4..at + 8)
                .map_or(0, |four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
            return Ok(body.get(at + 20..at + 4 + length as usize).is_some_and(is_provenance));
        }
        match length {
            0 => return Ok(false),
            1 => {
                let mut wide = [0; 8];
                file.read_exact(&mut wide)?;
                let length = i64::try_from(u64::from_be_bytes(wide)).unwrap_or(i64::MAX);
                file.seek_relative((length - 16).max(0))?;
            }
            _ => file.seek_relative((length - 8).max(0))?,
        }
    }
    Ok(false)
}
