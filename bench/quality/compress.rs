//! What compressors make of held-out data once they know the training data: the oldest models of sequences.
//!
//! ```text
//! bits = 8 (size(train and test) − size(train))
//! ```
//!
//! `xz -9e` looks for repetitions; its dictionary is widened here to hold all of train. PPMd (Shkarin, 2002) mixes
//! contexts of all lengths up to its order, as n-gram models do, and adapts to the test data while it reads them,
//! which neither our models nor Kneser–Ney do.

use std::io::{self, Write};

use liblzma::{
    stream::{Check, Filters, LzmaOptions, MatchFinder, Mode, Stream},
    write::XzEncoder,
};
use ppmd_rust::Ppmd7Encoder;

/// The largest dictionary of LZMA.
const LARGEST: usize = 1536 << 20;
/// What PPMd may hold: bytes a byte of data, and at most. It forgets everything when that is full.
const PPMD_SHARE: usize = 32;
const PPMD_MOST: usize = 3 << 30;

/// A compressor and how it is set.
#[derive(Clone, Copy, Debug)]
pub enum Compressor {
    /// `xz -9e`.
    Xz,
    /// Contexts of up to as many bytes; at most 64.
    Ppmd(u32),
}

/// Bits that `test` takes when `train` is known, by two compressions at once.
pub fn conditional_bits(compressor: Compressor, train: &[u8], test: &[u8]) -> io::Result<f64> {
    let all = train.len() + test.len();
    let known = || compressor.size(&[train], all);
    let (known, both) = rayon::join(known, || compressor.size(&[train, test], all));
    Ok(8.0 * (both? as f64 - known? as f64))
}

impl Compressor {
    pub fn name(self) -> String {
        match self {
            Self::Xz => "xz -9e".to_owned(),
            Self::Ppmd(order) => format!("PPMd of order {order}"),
        }
    }

    /// The bytes that `parts`, one after the other, become; set for `all` bytes.
    fn size(self, parts: &[&[u8]], all: usize) -> io::Result<u64> {
        let count = Count(0);
        match self {
            Self::Xz => {
                let mut encoder = XzEncoder::new_stream(count, xz(all)?);
                parts.iter().try_for_each(|part| encoder.write_all(part))?;
                Ok(encoder.finish()?.0)
            }
            Self::Ppmd(order) => {
                let memory = (PPMD_SHARE * all).clamp(1 << 20, PPMD_MOST) as u32;
                let mut encoder = Ppmd7Encoder::new(count, order, memory).map_err(io::Error::other)?;
                parts.iter().try_for_each(|part| encoder.write_all(part))?;
                Ok(encoder.finish(true)?.0)
            }
        }
    }
}

/// The settings of `xz -9e`, with a dictionary that takes everything.
fn xz(dictionary: usize) -> io::Result<Stream> {
    /// `LZMA_PRESET_EXTREME`.
    const EXTREME: u32 = 1 << 31;
    let mut options = LzmaOptions::new_preset(9 | EXTREME)?;
    options.dict_size(dictionary.clamp(64 << 20, LARGEST) as u32);
    options.mode(Mode::Normal).match_finder(MatchFinder::BinaryTree4);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    Ok(Stream::new_stream_encoder(&filters, Check::None)?)
}

/// Counts what is written to it.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
