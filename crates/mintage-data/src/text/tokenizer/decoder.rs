//! Tokens back into text, one by one, never half a character.

use super::{
    BOUNDARY, TextTokenizer,
    chars::{Chars, ESCAPE},
};

const REPLACEMENT: &str = "\u{fffd}";

/// Makes text of tokens as they come.
#[derive(Debug)]
pub struct TextDecoder<'a> {
    pub(super) codec: &'a TextTokenizer,
    pub(super) escape: Escape,
    pub(super) utf8: Utf8,
}

impl TextDecoder<'_> {
    /// Takes a token, and gives what is now complete.
    pub fn push(&mut self, token: u32) -> Option<String> {
        let mut text = String::new();
        self.push_to(token, &mut text);
        Some(text).filter(|text| !text.is_empty())
    }

    /// What is left when no more tokens come: U+FFFD for a character that was begun.
    pub fn finish(mut self) -> Option<String> {
        let mut text = String::new();
        self.finish_to(&mut text);
        Some(text).filter(|text| !text.is_empty())
    }

    pub(super) fn push_to(&mut self, token: u32, text: &mut String) {
        self.codec.append(token, &mut self.escape, &mut self.utf8.bytes);
        self.utf8.drain(text);
        if token == BOUNDARY {
            self.utf8.finish(text);
        }
    }

    pub(super) fn finish_to(&mut self, text: &mut String) {
        self.escape.finish(&mut self.utf8.bytes);
        self.utf8.drain(text);
        self.utf8.finish(text);
    }
}

/// The digits of a foreign character on their way.
#[derive(Debug, Default)]
pub(super) struct Escape {
    /// Digits still to come; 0 outside.
    left: u32,
    code: u64,
}

impl Escape {
    /// Adds what a token of characters gives: a character, U+FFFD for an escape that breaks off, or nothing yet.
    pub fn push(&mut self, token: u32, chars: &Chars, bytes: &mut Vec<u8>) {
        let Some(digit) = chars.digit(token) else {
            self.finish(bytes);
            if token == ESCAPE {
                *self = Self { left: chars.digits(), code: 0 };
            }
            return;
        };
        if self.left == 0 {
            let letter = chars.alphabet()[digit as usize];
            return bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.code = self.code * chars.alphabet().len() as u64 + u64::from(digit);
        self.left -= 1;
        if self.left == 0 {
            let letter = u32::try_from(self.code).ok().and_then(char::from_u32);
            let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// Ends an escape that was begun.
    pub fn finish(&mut self, bytes: &mut Vec<u8>) {
        if self.left > 0 {
            bytes.extend_from_slice(REPLACEMENT.as_bytes());
        }
        *self = Self::default();
    }
}

/// Bytes on their way into UTF-8.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    pub bytes: Vec<u8>,
}

impl Utf8 {
    /// Moves all but the beginning of a character to `text`, with U+FFFD for what can become none.
    fn drain(&mut self, text: &mut String) {
        let mut done = 0;
        for chunk in self.bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            done += chunk.valid().len();
            let is_last = done + chunk.invalid().len() == self.bytes.len();
            if chunk.invalid().is_empty() || is_last && may_go_on(chunk.invalid()) {
                break;
            }
            text.push_str(REPLACEMENT);
            done += chunk.invalid().len();
        }
        self.bytes.drain(..done);
    }

    fn finish(&mut self, text: &mut String) {
        text.push_str(&String::from_utf8_lossy(&self.bytes));
        self.bytes.clear();
    }
}

/// Whether bytes are the beginning of a character.
fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).err().is_some_and(|error| error.error_len().is_none())
}
