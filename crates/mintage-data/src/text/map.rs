#![allow(unsafe_code)] // Mapping a file is unsafe by nature: the text of a gigabyte is borrowed, not copied.
//! A large file as text without a copy of it in memory.

use std::{fs::File, io, path::Path};

use memmap2::Mmap;

use crate::{Error, files::open_regular};

/// The bytes of a file. Nobody may change or shorten the file while it is read: as with every reader of
/// mapped files, that ends the program. So only large files are mapped.
#[derive(Debug)]
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// Maps a file into memory.
    ///
    /// # Errors
    /// The file is not a regular one, or cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::of(&open_regular(path)?).map_err(Error::io(path))
    }

    /// Maps an open file into memory.
    ///
    /// # Errors
    /// The file cannot be mapped.
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the map is only read, and it keeps the file open.
        unsafe { Mmap::map(file) }.map(Self)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A mapped file that was found to be UTF-8.
#[derive(Debug)]
pub(super) struct MappedText {
    map: Mapped,
    /// Where the text begins: behind the mark (BOM), if there is one.
    start: usize,
}

impl MappedText {
    /// The text of the bytes from `start` on.
    ///
    /// # Errors
    /// The bytes are not UTF-8: the map is given back.
    pub fn new(map: Mapped, start: usize) -> Result<Self, Mapped> {
        let is_text = map.bytes().get(start..).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
        if is_text { Ok(Self { map, start }) } else { Err(map) }
    }

    pub fn text(&self) -> &str {
        // SAFETY: `new` checked these bytes, and they do not change while the file does not.
        unsafe { std::str::from_utf8_unchecked(&self.map.bytes()[self.start..]) }
    }
}
