//! Very many bytes, or numbers of two bytes, in memory while they are few, in a mapped file of their own when they are
//! many.

use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
};

use crate::{Error, text::map::Mapped};

/// Words that are gathered before they go to the file.
const FLUSHED: usize = 1 << 19;

/// What was written, to be read at any place.
#[derive(Debug)]
pub(crate) struct U16Store(Kept);

#[derive(Debug)]
enum Kept {
    Memory(Vec<u16>),
    /// Little-endian, in a file without a name that goes when this does.
    File(Mapped),
}

impl U16Store {
    /// A stretch of them, each as `read` sees it.
    pub fn read<T>(&self, at: Range<u64>, read: impl Fn(u16) -> T) -> Vec<T> {
        let at = at.start as usize..at.end as usize;
        match &self.0 {
            Kept::Memory(words) => words[at].iter().map(|&word| read(word)).collect(),
            Kept::File(map) => {
                let (pairs, _) = map.bytes()[2 * at.start..2 * at.end].as_chunks::<2>();
                pairs.iter().map(|&pair| read(u16::from_le_bytes(pair))).collect()
            }
        }
    }

    /// Whether they lie in a file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Kept::File(_))
    }
}

/// Builds a [`U16Store`].
#[derive(Debug)]
pub(crate) struct Writer {
    /// Bytes that are kept in memory.
    limit: usize,
    /// What they are, for messages about a file that has no name.
    what: &'static str,
    memory: Vec<u16>,
    file: Option<BufWriter<File>>,
    written: u64,
}

impl Writer {
    pub fn new(limit: usize, what: &'static str) -> Self {
        Self { limit, what, memory: Vec::new(), file: None, written: 0 }
    }

    /// How many were written.
    pub fn len(&self) -> u64 {
        self.written
    }

    /// Adds words; once they exceed the limit they go to a temporary file.
    ///
    /// # Errors
    /// The temporary file cannot be made or written.
    pub fn push(&mut self, words: impl ExactSizeIterator<Item = u16>) -> Result<(), Error> {
        self.written += words.len() as u64;
        self.memory.extend(words);
        if self.file.is_none() && 2 * self.memory.len() > self.limit {
            self.file = Some(BufWriter::new(tempfile::tempfile().map_err(in_file(self.what))?));
        }
        if self.file.is_some() && self.memory.len() > FLUSHED {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        for words in self.memory.chunks(FLUSHED) {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            file.write_all(&bytes).map_err(in_file(self.what))?;
        }
        self.memory.clear();
        self.memory.shrink_to(2 * FLUSHED);
        Ok(())
    }

    /// Returns a store of all that was written.
    ///
    /// # Errors
    /// The temporary file cannot be written or mapped.
    pub fn finish(mut self) -> Result<U16Store, Error> {
        self.flush()?;
        let Some(file) = self.file else { return Ok(U16Store(Kept::Memory(self.memory))) };
        let file = file.into_inner().map_err(|error| in_file(self.what)(error.into_error()))?;
        Mapped::of(&file).map_err(in_file(self.what)).map(|map| U16Store(Kept::File(map)))
    }
}

/// Bytes that are kept before they are written to the file.
const BUFFER: usize = 1 << 20;

/// Bytes one behind the other.
pub(crate) enum ByteStore {
    Memory(Vec<u8>),
    /// It goes when the store does.
    File(Mapped),
}

impl ByteStore {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(map) => map.bytes(),
        }
    }
}

/// Without the bytes.
impl fmt::Debug for ByteStore {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if matches!(self, Self::Memory(_)) { "Memory" } else { "File" };
        f.debug_tuple(kind).field(&self.bytes().len()).finish()
    }
}

/// Builds a [`ByteStore`].
pub(crate) struct ByteWriter {
    memory: Vec<u8>,
    file: Option<BufWriter<File>>,
    /// Bytes that may stay in memory.
    limit: usize,
    /// What they are, for messages about a file that has no name.
    what: &'static str,
    written: usize,
}

impl ByteWriter {
    pub fn new(limit: usize, what: &'static str) -> Self {
        Self { memory: Vec::new(), file: None, limit, what, written: 0 }
    }

    /// How many were written.
    pub fn len(&self) -> usize {
        self.written
    }

    /// Adds bytes; once they exceed the limit they go to a temporary file.
    ///
    /// # Errors
    /// The temporary file cannot be made or written.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len();
        if self.file.is_none() && self.memory.len() + bytes.len() > self.limit {
            let mut file =
                BufWriter::with_capacity(BUFFER, tempfile::tempfile().map_err(in_file(self.what))?);
            file.write_all(&std::mem::take(&mut self.memory)).map_err(in_file(self.what))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(in_file(self.what)),
            None => {
                self.memory.extend(bytes);
                Ok(())
            }
        }
    }

    /// Returns a store of all that was written.
    ///
    /// # Errors
    /// The temporary file cannot be written or mapped.
    pub fn finish(self) -> Result<ByteStore, Error> {
        let Some(file) = self.file else { return Ok(ByteStore::Memory(self.memory)) };
        let file = file.into_inner().map_err(|error| in_file(self.what)(error.into_error()))?;
        Mapped::of(&file).map(ByteStore::File).map_err(in_file(self.what))
    }
}

/// What goes wrong with the file, which has no name.
fn in_file(what: &str) -> impl FnOnce(io::Error) -> Error + use<> {
    Error::io(format!("a temporary file for {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_come_back_from_memory_and_from_a_file() {
        for limit in [1000, 30, 0] {
            let mut writer = ByteWriter::new(limit, "bytes");
            (0..10u8).for_each(|i| writer.push(&[i; 8]).unwrap());
            let store = writer.finish().unwrap();
            assert_eq!(matches!(store, ByteStore::Memory(_)), limit == 1000);
            let expected: Vec<u8> = (0..10u8).flat_map(|i| [i; 8]).collect();
            assert_eq!(store.bytes(), expected);
        }
    }
}
