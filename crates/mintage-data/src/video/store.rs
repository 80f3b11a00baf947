//! The frames of all clips, one behind the other: in memory while they are few, in a mapped file without a name when
//! they are many.

use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
};

use crate::{Error, text::map::Mapped};

/// Bytes that are kept before they are written to the file.
const BUFFER_BYTES: usize = 1 << 20;

pub(super) enum FrameStore {
    Memory(Vec<u8>),
    /// It goes when the store does.
    File(Mapped),
}

impl FrameStore {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(map) => map.bytes(),
        }
    }
}

/// Without the bytes.
impl fmt::Debug for FrameStore {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if matches!(self, Self::Memory(_)) { "Memory" } else { "File" };
        f.debug_tuple(kind).field(&self.bytes().len()).finish()
    }
}

fn in_file() -> impl FnOnce(io::Error) -> Error {
    Error::io("a temporary file for frames")
}

/// Builds a [`FrameStore`].
pub(super) struct Writer {
    memory: Vec<u8>,
    file: Option<BufWriter<File>>,
    /// Bytes that may stay in memory.
    limit: usize,
}

impl Writer {
    pub fn new(limit: usize) -> Self {
        Self { memory: Vec::new(), file: None, limit }
    }

    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.file.is_none() && self.memory.len() + bytes.len() > self.limit {
            let mut file = BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile().map_err(in_file())?);
            file.write_all(&std::mem::take(&mut self.memory)).map_err(in_file())?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(in_file()),
            None => {
                self.memory.extend(bytes);
                Ok(())
            }
        }
    }

    pub fn finish(self) -> Result<FrameStore, Error> {
        let Some(file) = self.file else { return Ok(FrameStore::Memory(self.memory)) };
        let file = file.into_inner().map_err(|error| in_file()(error.into_error()))?;
        Mapped::of(&file).map(FrameStore::File).map_err(in_file())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn frames_come_back_from_memory_and_from_a_file() {
        for limit in [1000, 30, 0] {
            let mut writer = Writer::new(limit);
            (0..10u8).for_each(|i| writer.push(&[i; 8]).unwrap());
            let store = writer.finish().unwrap();
            assert_eq!(matches!(store, FrameStore::Memory(_)), limit == 1000);
            let expected: Vec<u8> = (0..10u8).flat_map(|i| [i; 8]).collect();
            assert_eq!(store.bytes(), expected);
        }
    }
}
