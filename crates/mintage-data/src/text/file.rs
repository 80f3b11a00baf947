//! One file as text: mapped when it is large UTF-8, decoded in memory otherwise, refused when it is no text.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

use encoding_rs::{UTF_16BE, UTF_16LE};

use super::map::{Mapped, MappedText};
use crate::{
    Error,
    files::without_packing,
    table::text_file::{SAMPLE_BYTES, decode, decompressed, encoding_of, is_packed, marked},
};

/// Files from this size on are mapped: smaller ones are as fast to copy, and may then change unhindered.
const MAPPED_FROM: u64 = 64 << 20;
/// The most that a file may be when it is unpacked and decoded.
const MAX_BYTES: usize = 8 << 30;
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
/// How the files begin that are taken for texts by mistake.
const NO_TEXTS: [(&[u8], &str); 12] = [
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive, such as .docx, .odt and .epub files are"),
    (b"\xd0\xcf\x11\xe0", "a Microsoft Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"MThd", "a MIDI file"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
];

/// The text of a file.
#[derive(Debug)]
pub(super) enum FileText {
    Mapped(MappedText),
    Held(String),
}

impl FileText {
    pub fn text(&self) -> &str {
        match self {
            Self::Mapped(mapped) => mapped.text(),
            Self::Held(text) => text,
        }
    }
}

/// Opens a file of any size.
pub(super) fn open(path: &Path, lossy: bool) -> Result<FileText, Error> {
    if is_packed(path)? {
        return open_packed(path, lossy);
    }
    let size = fs::metadata(path).map_err(Error::io(path))?.len();
    if size < MAPPED_FROM {
        return read(path, lossy).map(FileText::Held);
    }
    of_map(path, Mapped::open(path)?, lossy)
}

/// What a large file unpacks to is kept in a file without a name, not in memory.
fn open_packed(path: &Path, lossy: bool) -> Result<FileText, Error> {
    let io = || Error::io(path);
    let mut unpacked = decompressed(path)?;
    let mut beginning = Vec::new();
    (&mut unpacked).take(MAPPED_FROM).read_to_end(&mut beginning).map_err(io())?;
    if (beginning.len() as u64) < MAPPED_FROM {
        return text_of(path, beginning, lossy).map(FileText::Held);
    }
    check_bytes(path, &beginning)?;
    let mut file = tempfile::tempfile().map_err(io())?;
    file.write_all(&beginning).map_err(io())?;
    drop(beginning);
    std::io::copy(&mut unpacked, &mut file).map_err(io())?;
    of_map(path, Mapped::of(&file).map_err(io())?, lossy)
}

fn of_map(path: &Path, map: Mapped, lossy: bool) -> Result<FileText, Error> {
    check_bytes(path, map.bytes())?;
    let start = if map.bytes().starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
    let mapped = if is_wide(map.bytes()) { Err(map) } else { MappedText::new(map, start) };
    let text = match mapped {
        Ok(mapped) => FileText::Mapped(mapped),
        Err(map) => FileText::Held(decoded(path, map.bytes(), lossy)?),
    };
    check_letters(path, text.text())?;
    Ok(text)
}

/// Reads a file into memory.
pub(super) fn read(path: &Path, lossy: bool) -> Result<String, Error> {
    let mut bytes = Vec::new();
    decompressed(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    text_of(path, bytes, lossy)
}

fn text_of(path: &Path, bytes: Vec<u8>, lossy: bool) -> Result<String, Error> {
    check_size(path, bytes.len())?;
    check_bytes(path, &bytes)?;
    let text = if is_wide(&bytes) {
        decoded(path, &bytes, lossy)?
    } else {
        match String::from_utf8(bytes) {
            Ok(text) => without_mark(text),
            Err(error) => decoded(path, error.as_bytes(), lossy)?,
        }
    };
    check_letters(path, &text)?;
    Ok(text)
}

fn without_mark(mut text: String) -> String {
    if text.as_bytes().starts_with(UTF8_MARK) {
        text.drain(..UTF8_MARK.len());
    }
    text
}

/// The text of bytes that are not all UTF-8.
fn decoded(path: &Path, bytes: &[u8], lossy: bool) -> Result<String, Error> {
    let encoding = encoding_of(bytes);
    let text = decode(bytes, encoding, lossy, MAX_BYTES).map_err(|at| {
        let why = format!("byte {at} is no text in {}", encoding.name());
        Error::bad(path.display().to_string(), why).with_hint("`--lossy` replaces such bytes")
    })?;
    check_size(path, text.len())?;
    Ok(text)
}

fn check_size(path: &Path, bytes: usize) -> Result<(), Error> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let why = format!("is over {} GiB of text", MAX_BYTES >> 30);
    Err(Error::bad(path.display().to_string(), why)
        .with_hint("only plain files of UTF-8 may be larger: unpack and convert it, or take a part of it"))
}

/// Refuses bytes that are no text in any encoding.
fn check_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    if let Some((_, what)) = NO_TEXTS.iter().find(|(magic, _)| sample.starts_with(magic)) {
        return Err(no_text(path, format!("is {what}, not plain text")));
    }
    match sample.iter().position(|&byte| byte == 0) {
        Some(at) if !is_wide(sample) => Err(no_text(path, format!("is binary: byte {at} is zero"))),
        _ => Ok(()),
    }
}

/// Whether bytes are UTF-16. Those of many languages would pass as UTF-8.
fn is_wide(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    marked(sample).is_some_and(|encoding| encoding == UTF_16LE || encoding == UTF_16BE)
}

/// Refuses what was decoded to control characters.
fn check_letters(path: &Path, text: &str) -> Result<(), Error> {
    let (mut all, mut odd) = (0usize, 0usize);
    for letter in text.chars().take(SAMPLE_BYTES) {
        all += 1;
        odd += usize::from(letter.is_control() && !matches!(letter, '\t' | '\n' | '\r' | '\u{c}' | '\u{85}'));
    }
    // One in two hundred: escape sequences of a terminal are still text.
    if odd * 200 <= all {
        return Ok(());
    }
    Err(no_text(path, format!("is binary: {odd} of its first {all} characters are control characters")))
}

fn no_text(path: &Path, why: String) -> Error {
    Error::bad(path.display().to_string(), why).with_hint("save it as plain text (.txt) first")
}

/// Whether `name` is that of a file of plain text, compressed or not.
pub(crate) fn has_text_suffix(name: &str) -> bool {
    let name = name.to_lowercase();
    let plain = without_packing(&name).unwrap_or(&name);
    plain.rsplit_once('.').is_some_and(|(stem, suffix)| !stem.is_empty() && SUFFIXES.contains(&suffix))
}

/// Whether the suffix of `name` says that it is compressed.
pub(super) fn has_packed_suffix(name: &str) -> bool {
    without_packing(&name.to_lowercase()).is_some()
}

/// Suffixes of plain text.
pub(super) const SUFFIXES: [&str; 10] =
    ["txt", "text", "md", "markdown", "rst", "tex", "srt", "adoc", "org", "log"];
