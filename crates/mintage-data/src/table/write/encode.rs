//! UTF-8 on its way into a file of another encoding.

use std::io::{self, Write};

use encoding_rs::{Encoder, EncoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::Error;

/// Bytes that are converted at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// The encoding that people call `label`, such as "cp1251" or "utf-16".
///
/// # Errors
/// No encoding is known by this name.
pub fn encoding_named(label: &str) -> Result<&'static Encoding, Error> {
    let plain = label.trim().to_lowercase();
    let known = match plain.strip_prefix("cp").or(plain.strip_prefix("windows")) {
        Some(page) => format!("windows-{}", page.trim_start_matches(['-', '_'])),
        None => plain.replace('_', "-"),
    };
    let found = Encoding::for_label(known.as_bytes()).or_else(|| Encoding::for_label(plain.as_bytes()));
    // What a browser calls so is an empty text.
    found.filter(|encoding| *encoding != encoding_rs::REPLACEMENT).ok_or_else(|| {
        Error::bad(format!("`{label}`"), "is no encoding that is known").with_hint(
            "the usual ones are utf-8, utf-16le, windows-1252, windows-1251, koi8-r, shift_jis, gbk",
        )
    })
}

/// Writes text in an encoding. Everything that is written must be UTF-8; characters may be cut in two.
pub(super) struct Encoded<W> {
    out: W,
    how: How,
    /// UTF-8 that is not converted yet.
    pending: Vec<u8>,
}

enum How {
    Utf8,
    Utf16 { big: bool },
    Other(Box<Encoder>),
}

impl<W: Write> Encoded<W> {
    pub fn new(out: W, encoding: &'static Encoding) -> Self {
        let how = match encoding {
            e if e == UTF_8 => How::Utf8,
            e if e == UTF_16LE => How::Utf16 { big: false },
            e if e == UTF_16BE => How::Utf16 { big: true },
            other => How::Other(Box::new(other.new_encoder())),
        };
        Self { out, how, pending: Vec::new() }
    }

    /// Converts the rest, and returns the writer.
    ///
    /// # Errors
    /// A letter does not exist in the encoding, or the writer fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.convert(true)?;
        Ok(self.out)
    }

    /// Converts what is a whole text of `pending`.
    fn convert(&mut self, last: bool) -> io::Result<()> {
        let whole = match std::str::from_utf8(&self.pending) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = std::str::from_utf8(&self.pending[..whole]).unwrap_or_default();
        match &mut self.how {
            How::Utf8 => self.out.write_all(text.as_bytes())?,
            How::Utf16 { big } => {
                let bytes = |unit: u16| if *big { unit.to_be_bytes() } else { unit.to_le_bytes() };
                let all: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
                self.out.write_all(&all)?;
            }
            How::Other(encoder) => encode(encoder, text, last, &mut self.out)?,
        }
        self.pending.drain(..whole);
        Ok(())
    }
}

impl<W: Write> Write for Encoded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.how, How::Utf8) {
            return self.out.write(bytes);
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= CHUNK_BYTES {
            self.convert(false)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.convert(false)?;
        self.out.flush()
    }
}

fn encode(encoder: &mut Encoder, mut text: &str, last: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = vec![0; CHUNK_BYTES];
    loop {
        let (result, read, written) = encoder.encode_from_utf8_without_replacement(text, &mut bytes, last);
        out.write_all(&bytes[..written])?;
        text = &text[read..];
        match result {
            EncoderResult::InputEmpty => return Ok(()),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(letter) => {
                let name = encoder.encoding().name();
                let why = format!(
                    "`{letter}` cannot be written in {name}: say another encoding, such as `encoding` utf-8"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(text: &str, label: &str) -> io::Result<Vec<u8>> {
        let mut out = Encoded::new(Vec::new(), encoding_named(label).unwrap());
        // A byte at a time cuts every character.
        text.bytes().try_for_each(|byte| out.write_all(&[byte]))?;
        out.finish()
    }

    #[test]
    fn writes_the_usual_encodings() {
        let text = "Цена: 5 €, 😀\n";
        assert_eq!(written(text, "utf8").unwrap(), text.as_bytes());
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(written(text, "UTF-16BE").unwrap(), units);
        assert_eq!(
            written("Цена €", "cp1251").unwrap(),
            encoding_rs::WINDOWS_1251.encode("Цена €").0.as_ref()
        );
        assert_eq!(written("Zürich", "latin1").unwrap(), b"Z\xfcrich");
        let long = "я".repeat(CHUNK_BYTES);
        assert_eq!(written(&long, "koi8-r").unwrap(), vec![0xd1; CHUNK_BYTES]);
    }

    #[test]
    fn says_what_cannot_be_written() {
        let error = written("Цена", "latin1").unwrap_err().to_string();
        assert!(error.contains("`Ц`") && error.contains("windows-1252"), "{error}");
        assert!(encoding_named("klingon").is_err());
    }
}
