//! The tokens of all documents, in memory while they are few, in a mapped file of their own when they are many.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
};

use super::BOUNDARY;
use crate::{Error, text::map::Mapped};

/// Bytes of tokens that are kept in memory.
const IN_MEMORY: usize = 64 << 20;

/// Documents of tokens one behind the other, each begun by [`BOUNDARY`].
#[derive(Debug)]
pub struct TokenStore {
    tokens: Tokens,
    /// Where each document begins, and where the last one ends.
    starts: Vec<u64>,
}

#[derive(Debug)]
enum Tokens {
    Memory(Vec<u16>),
    /// Little-endian, in a file without a name that goes when the store does.
    File(Mapped),
}

impl TokenStore {
    /// Documents, from the first to the last.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where documents begin, and where the last one ends.
    pub fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// The stretch of the documents from `first` to before `last`.
    pub fn stretch(&self, documents: Range<usize>) -> Range<u64> {
        self.starts[documents.start]..self.starts[documents.end]
    }

    /// The document that place `at` belongs to.
    pub fn document_at(&self, at: u64) -> usize {
        self.starts.partition_point(|&start| start <= at) - 1
    }

    /// The tokens of a stretch.
    pub fn read(&self, at: Range<u64>) -> Vec<u32> {
        let at = at.start as usize..at.end as usize;
        match &self.tokens {
            Tokens::Memory(tokens) => tokens[at].iter().map(|&token| u32::from(token)).collect(),
            Tokens::File(map) => {
                let bytes = &map.bytes()[2 * at.start..2 * at.end];
                let (pairs, _) = bytes.as_chunks::<2>();
                pairs.iter().map(|&pair| u32::from(u16::from_le_bytes(pair))).collect()
            }
        }
    }

    /// The tokens of a document, its boundary first.
    pub fn document(&self, index: usize) -> Vec<u32> {
        self.read(self.stretch(index..index + 1))
    }
}

/// What goes wrong with the file of the tokens, which has no name.
fn in_file() -> impl FnOnce(io::Error) -> Error {
    Error::io("a temporary file for tokens")
}

/// Builds a [`TokenStore`], document by document.
pub(super) struct Writer {
    memory: Vec<u16>,
    file: Option<BufWriter<File>>,
    written: u64,
    starts: Vec<u64>,
}

impl Writer {
    pub fn new() -> Self {
        Self { memory: Vec::new(), file: None, written: 0, starts: Vec::new() }
    }

    /// Begins the next document.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.starts.push(self.written);
        self.push(&[BOUNDARY])
    }

    /// Adds tokens to the present document.
    pub fn push(&mut self, tokens: &[u32]) -> Result<(), Error> {
        self.written += tokens.len() as u64;
        self.memory.extend(tokens.iter().map(|&token| token as u16));
        if self.file.is_none() && 2 * self.memory.len() > IN_MEMORY {
            self.file = Some(BufWriter::new(tempfile::tempfile().map_err(in_file())?));
        }
        if self.file.is_some() && 2 * self.memory.len() > 1 << 20 {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let bytes: Vec<u8> = self.memory.drain(..).flat_map(u16::to_le_bytes).collect();
        file.write_all(&bytes).map_err(in_file())
    }

    pub fn finish(mut self) -> Result<TokenStore, Error> {
        self.flush()?;
        self.starts.push(self.written);
        let tokens = match self.file {
            None => Tokens::Memory(self.memory),
            Some(file) => {
                let file = file.into_inner().map_err(|error| in_file()(error.into_error()))?;
                Tokens::File(Mapped::of(&file).map_err(in_file())?)
            }
        };
        Ok(TokenStore { tokens, starts: self.starts })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn documents_come_back_from_memory_and_from_a_file() {
        let many: Vec<u32> = (0..(IN_MEMORY as u32 / 2 + 5)).map(|i| i * 7 % 60_000).collect();
        for long in [vec![5, 6], many] {
            let mut writer = Writer::new();
            for document in [&[1, 2, 3][..], &[], &long, &[9]] {
                writer.begin().unwrap();
                document.chunks(1 << 16).for_each(|part| writer.push(part).unwrap());
            }
            let store = writer.finish().unwrap();
            assert_eq!(store.len(), 4);
            assert_eq!(store.document(0), [BOUNDARY, 1, 2, 3]);
            assert_eq!(store.document(1), [BOUNDARY]);
            assert_eq!(store.document(2)[1..], long);
            assert_eq!(store.document(3), [BOUNDARY, 9]);
            assert_eq!(store.read(2..6), [2, 3, BOUNDARY, BOUNDARY]);
            let places = [0, 3, 4, 5].map(|at| store.document_at(at));
            assert_eq!(places, [0, 0, 1, 2]);
            assert_eq!(store.stretch(1..3).end, 6 + long.len() as u64);
        }
    }
}
