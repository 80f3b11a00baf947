//! WAV files on their way out: 16 or 24 bits or 32-bit float a sample, with the provenance as a comment.

use std::{io::Cursor, path::Path};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::{Error, Provenance, atomic_write};

/// How samples are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WavDepth {
    #[default]
    Bits16,
    Bits24,
    /// Single precision; nothing is cut off at full scale.
    Float,
}

impl WavDepth {
    fn bits(self) -> u16 {
        match self {
            Self::Bits16 => 16,
            Self::Bits24 => 24,
            Self::Float => 32,
        }
    }
}

/// Writes interleaved samples, with `provenance` in the comment (`ICMT`) of the `LIST INFO` chunk.
///
/// # Errors
/// The file cannot be written.
pub fn write_wav(
    path: &Path,
    samples: &[f32],
    channels: usize,
    rate_hz: u32,
    depth: WavDepth,
    provenance: &str,
) -> Result<(), Error> {
    let bytes = wav_bytes(samples, channels, rate_hz, depth, provenance);
    atomic_write(path, &bytes).map_err(Error::io(path))
}

/// The same as bytes. Nothing can fail in memory.
pub fn wav_bytes(
    samples: &[f32],
    channels: usize,
    rate_hz: u32,
    depth: WavDepth,
    provenance: &str,
) -> Vec<u8> {
    let sample_format = if depth == WavDepth::Float { SampleFormat::Float } else { SampleFormat::Int };
    let bits_per_sample = depth.bits();
    let spec = WavSpec { channels: channels as u16, sample_rate: rate_hz, bits_per_sample, sample_format };
    let mut bytes = Cursor::new(Vec::with_capacity(samples.len() * usize::from(bits_per_sample / 8) + 256));
    if let Ok(mut writer) = WavWriter::new(&mut bytes, spec) {
        // Readers take 2ⁿ⁻¹ for 1, and so what was read is written as it was.
        let one = f64::from(1u32 << (bits_per_sample - 1));
        for &sample in samples {
            let _ = match depth {
                WavDepth::Float => writer.write_sample(sample),
                _ => writer.write_sample((f64::from(sample) * one).round().clamp(-one, one - 1.0) as i32),
            };
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
    wav.resize(wav.len().next_multiple_of(2), 0);
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

/// The provenance inside a WAV file made by this program.
pub fn provenance_of_wav(wav: &[u8]) -> Option<Provenance> {
    let info = chunks(wav.get(12..)?).find_map(|(name, body)| match name == b"LIST" {
        true => body.strip_prefix(b"INFO"),
        false => None,
    })?;
    let (_, comment) = chunks(info).find(|(name, _)| *name == b"ICMT")?;
    serde_json::from_slice(comment.strip_suffix(b"\0").unwrap_or(comment)).ok()
}

/// The chunks of a RIFF file, their names and bodies, as far as they are whole.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (name, length) = (rest.get(..4)?, rest.get(4..8)?);
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let body = rest.get(8..8usize.checked_add(length)?)?;
        rest = rest.get(8 + length.next_multiple_of(2)..).unwrap_or_default();
        Some((name, body))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn provenance_survives_in_every_depth() {
        let provenance = Provenance {
            model: "голос".into(),
            weights: "3f9c2a7b".into(),
            family: "vqvae".into(),
            seed: 3,
            options: serde_json::json!({"temperature": 0.9}),
            version: "0".into(),
        };
        for (depth, channels) in [(WavDepth::Bits16, 1), (WavDepth::Bits24, 1), (WavDepth::Float, 2)] {
            // Three samples of 24 bits end at an odd place.
            let samples = [0.5, -1.0, 2.0, 0.25];
            let wav = wav_bytes(&samples[..channels + 2], channels, 8000, depth, &provenance.to_json());
            assert_eq!(u32::from_le_bytes(wav[4..8].try_into().unwrap()) as usize, wav.len() - 8);
            assert_eq!(provenance_of_wav(&wav), Some(provenance.clone()));
            assert_eq!(
                hound::WavReader::new(Cursor::new(&wav)).unwrap().spec().bits_per_sample,
                depth.bits()
            );
            assert_eq!(provenance_of_wav(&wav[..wav.len() - 9]), None);
        }
        assert_eq!(provenance_of_wav(&wav_bytes(&[0.0], 1, 8000, WavDepth::Bits16, "")), None);
        assert_eq!(provenance_of_wav(b"RIFF"), None);
    }
}
