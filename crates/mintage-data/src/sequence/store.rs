//! The tokens of all documents, in memory while they are few, in a mapped file of their own when they are many.

use std::ops::Range;

use super::BOUNDARY;
use crate::{
    Error,
    spill::{self, U16Store},
};

/// Bytes of tokens that are kept in memory.
const IN_MEMORY: usize = 64 << 20;

/// Documents of tokens one behind the other, each begun by [`BOUNDARY`].
#[derive(Debug)]
pub struct TokenStore {
    tokens: U16Store,
    /// Where each document begins, and where the last one ends.
    starts: Vec<u64>,
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
        self.tokens.read(at, u32::from)
    }

    /// The tokens of a document, its boundary first.
    pub fn document(&self, index: usize) -> Vec<u32> {
        self.read(self.stretch(index..index + 1))
    }
}

/// Builds a [`TokenStore`], document by document.
pub(super) struct Writer {
    tokens: spill::Writer,
    starts: Vec<u64>,
}

impl Writer {
    pub fn new() -> Self {
        Self { tokens: spill::Writer::new(IN_MEMORY, "tokens"), starts: Vec::new() }
    }

    /// Begins the next document.
    ///
    /// # Errors
    /// The temporary file for the tokens cannot be written.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.starts.push(self.tokens.len());
        self.push(&[BOUNDARY])
    }

    /// Adds tokens to the current document.
    ///
    /// # Errors
    /// The temporary file for the tokens cannot be written.
    pub fn push(&mut self, tokens: &[u32]) -> Result<(), Error> {
        self.tokens.push(tokens.iter().map(|&token| token as u16))
    }

    /// Ends the last document, and returns the store.
    ///
    /// # Errors
    /// The temporary file for the tokens cannot be written or mapped.
    pub fn finish(mut self) -> Result<TokenStore, Error> {
        self.starts.push(self.tokens.len());
        Ok(TokenStore { tokens: self.tokens.finish()?, starts: self.starts })
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
