//! Sound files: WAV with 16 bits a sample and the provenance as a comment.

use std::{io::Cursor, path::Path};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::{Error, atomic_write};

/// Writes interleaved stereo, with `provenance` in the comment (`ICMT`) of the `LIST INFO` chunk.
pub fn write_wav(path: &Path, samples: &[f32], rate_hz: u32, provenance: &str) -> Result<(), Error> {
    atomic_write(path, &wav_bytes(samples, rate_hz, provenance)).map_err(Error::io(path))
}

/// The same as bytes. Nothing can fail in memory.
pub fn wav_bytes(samples: &[f32], rate_hz: u32, provenance: &str) -> Vec<u8> {
    let spec =
        WavSpec { channels: 2, sample_rate: rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::with_capacity(samples.len() * 2 + 256));
    if let Ok(mut writer) = WavWriter::new(&mut bytes, spec) {
        for sample in samples {
            let _ = writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16);
        }
        let _ = writer.finalize();
    }
    let mut bytes = bytes.into_inner();
    add_comment(&mut bytes, provenance);
    bytes
}

/// Adds a chunk after the samples, and its length to the file's.
fn add_comment(wav: &mut Vec<u8>, text: &str) {
    if text.is_empty() {
        return;
    }
    // A text ends with zero, a chunk at an even place.
    let mut comment = text.as_bytes().to_vec();
    comment.push(0);
    let length = comment.len() as u32;
    comment.resize(comment.len().next_multiple_of(2), 0);
    wav.extend(b"LIST");
    wav.extend((comment.len() as u32 + 12).to_le_bytes());
    wav.extend(b"INFOICMT");
    wav.extend(length.to_le_bytes());
    wav.extend(comment);
    let whole = wav.len() as u32 - 8;
    wav[4..8].copy_from_slice(&whole.to_le_bytes());
}
