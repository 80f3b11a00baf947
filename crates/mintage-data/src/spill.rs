//! Very many numbers of two bytes, in memory while they are few, in a mapped file of their own when they are many.

use std::{
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

/// Builds [`Words`].
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

    pub fn finish(mut self) -> Result<U16Store, Error> {
        self.flush()?;
        let Some(file) = self.file else { return Ok(U16Store(Kept::Memory(self.memory))) };
        let file = file.into_inner().map_err(|error| in_file(self.what)(error.into_error()))?;
        Mapped::of(&file).map_err(in_file(self.what)).map(|map| U16Store(Kept::File(map)))
    }
}

/// What goes wrong with the file, which has no name.
fn in_file(what: &str) -> impl FnOnce(io::Error) -> Error + use<> {
    Error::io(format!("a temporary file for {what}"))
}
