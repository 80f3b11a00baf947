//! Codecs of texts: any text ⇄ tokens, exactly. Token 0 is the [`BOUNDARY`] that stands before every document
//! and behind the last; what the others are is the [`TextUnit`]:
//!
//! - **bytes**: 256 of them, nothing to fit;
//! - **chars**: the alphabet of the train split; any other character is an escape and a number in digits;
//! - **bpe**: pieces of words, learned from the train split by byte pair encoding (Sennrich et al., 2016) over
//!   bytes, so that no text is foreign to it.
//!
//! Tokens that a model made need not spell a text: decoding them never fails, and writes U+FFFD where no character
//! comes out.

mod bpe;
mod chars;
mod decoder;
mod pieces;
#[cfg(test)]
mod tests;

use std::{fmt, fs, path::Path, sync::Arc};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Error, atomic_write, error::damaged};
use bpe::{Bpe, Memo};
use chars::Chars;
pub use decoder::TextDecoder;
use decoder::{Escape, Utf8};
use pieces::{PIECE_BYTES, Pieces};

pub use crate::sequence::BOUNDARY;

/// Bytes of text from which on pieces of words are better than characters, by default.
const CHARS_BELOW: u64 = 4 << 20;
/// Characters of the largest alphabet that is chosen by default.
const DEFAULT_ALPHABET: usize = 256;
/// Pieces of words of a default vocabulary, by bytes of text.
const DEFAULT_VOCABS: [(u64, usize); 3] = [(200 << 20, 8192), (32 << 20, 4096), (8 << 20, 2048)];
const SMALL_VOCAB: usize = 1024;
const FILE: &str = "text.json";

/// What a token of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextUnit {
    Bytes,
    Chars,
    Bpe,
}

impl TextUnit {
    pub const ALL: [Self; 3] = [Self::Bytes, Self::Chars, Self::Bpe];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Chars => "chars",
            Self::Bpe => "bpe",
        }
    }
}

/// Shows every train document, or a stretch of it, to a function; called more than once.
pub type Visit<'a> = dyn Fn(&mut dyn FnMut(&str)) -> Result<(), Error> + 'a;

/// Fitted on the train split; saved with the model as `codec/text.json` and `codec/tokenizer.json`.
#[derive(Clone)]
pub struct TextTokenizer {
    coder: Coder,
}

#[derive(Clone)]
enum Coder {
    Bytes,
    Chars(Arc<Chars>),
    Bpe(Arc<Bpe>),
}

/// What `text.json` holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    unit: TextUnit,
    /// The boundary counts.
    vocab: usize,
    /// Of characters: the alphabet, by code point.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    alphabet: String,
}

impl TextTokenizer {
    /// Bytes as tokens, which need no fitting.
    pub fn bytes() -> Self {
        Self { coder: Coder::Bytes }
    }

    /// Fits a tokenizer on the train documents that `visit` shows, of about `bytes` bytes in all. Without a `unit` the
    /// amount and the script of the text decide; `vocab` is the largest number of tokens, the boundary included.
    ///
    /// # Errors
    /// `vocab` does not suit the unit, the texts hold no characters, or `visit` fails.
    pub fn fit(
        unit: Option<TextUnit>,
        vocab: Option<usize>,
        visit: &Visit,
        bytes: u64,
    ) -> Result<Self, Error> {
        match unit {
            Some(TextUnit::Bytes) => match vocab {
                Some(vocab) if vocab != BYTES_VOCAB => Err(Error::bad(
                    "vocabulary",
                    format!("bytes always have {BYTES_VOCAB} tokens, not {vocab}"),
                )
                .with_hint("leave the size of the vocabulary out, or learn bpe")),
                _ => Ok(Self::bytes()),
            },
            Some(TextUnit::Chars) => Ok(Self::of_chars(Chars::fit(visit, vocab)?)),
            Some(TextUnit::Bpe) => Self::fit_bpe(visit, vocab, bytes),
            None if vocab.is_some() || bytes >= CHARS_BELOW => Self::fit_bpe(visit, vocab, bytes),
            None => match Chars::fit(visit, None)? {
                chars if chars.alphabet().len() <= DEFAULT_ALPHABET => Ok(Self::of_chars(chars)),
                _ => Self::fit_bpe(visit, None, bytes),
            },
        }
    }

    fn of_chars(chars: Chars) -> Self {
        Self { coder: Coder::Chars(Arc::new(chars)) }
    }

    fn fit_bpe(visit: &Visit, vocab: Option<usize>, bytes: u64) -> Result<Self, Error> {
        let default = DEFAULT_VOCABS.iter().find(|(least, _)| bytes >= *least).map_or(SMALL_VOCAB, |d| d.1);
        let bpe = Bpe::fit(visit, vocab.unwrap_or(default), bytes)?;
        Ok(Self { coder: Coder::Bpe(Arc::new(bpe)) })
    }

    pub fn unit(&self) -> TextUnit {
        match self.coder {
            Coder::Bytes => TextUnit::Bytes,
            Coder::Chars(_) => TextUnit::Chars,
            Coder::Bpe(_) => TextUnit::Bpe,
        }
    }

    /// Tokens that there are, the boundary counted.
    pub fn vocab(&self) -> usize {
        match &self.coder {
            Coder::Bytes => BYTES_VOCAB,
            Coder::Chars(chars) => chars.vocab(),
            Coder::Bpe(bpe) => bpe.vocab(),
        }
    }

    /// The tokens of a text, without a boundary.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let pieces: Vec<&str> = Pieces::of(text).collect();
        self.encode_pieces(&pieces, &mut |more| tokens.extend_from_slice(more));
        tokens
    }

    /// Passes the tokens of a text to `sink` in their order, some at a time, so that they need not all be held.
    ///
    /// # Errors
    /// `sink` fails.
    pub fn encode_into(
        &self,
        text: &str,
        sink: &mut dyn FnMut(&[u32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut pieces = Pieces::of(text);
        // Enough pieces at a time to keep every thread busy.
        let at_once = 8 * rayon::current_num_threads();
        loop {
            let some: Vec<&str> = pieces.by_ref().take(at_once).collect();
            if some.is_empty() {
                return Ok(());
            }
            let mut result = Ok(());
            self.encode_pieces(&some, &mut |tokens| {
                if result.is_ok() {
                    result = sink(tokens);
                }
            });
            result?;
        }
    }

    fn encode_pieces(&self, pieces: &[&str], each: &mut dyn FnMut(&[u32])) {
        if let [only] = pieces {
            return each(&self.encode_piece(only, &mut Memo::default()));
        }
        let encoded = pieces.par_iter().map_init(Memo::default, |memo, piece| self.encode_piece(piece, memo));
        encoded.collect::<Vec<_>>().iter().for_each(|tokens| each(tokens));
    }

    fn encode_piece<'a>(&self, piece: &'a str, memo: &mut Memo<'a>) -> Vec<u32> {
        match &self.coder {
            Coder::Bytes => piece.bytes().map(|byte| u32::from(byte) + 1).collect(),
            Coder::Chars(chars) => chars.encode(piece),
            Coder::Bpe(bpe) => bpe.encode(piece, memo),
        }
    }

    /// The text of tokens. A boundary gives nothing, and ends a character that is not complete.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let mut decoder = self.decoder();
        let mut text = String::new();
        tokens.iter().for_each(|&token| decoder.push_to(token, &mut text));
        decoder.finish_to(&mut text);
        text
    }

    /// The bytes of tokens, which need not be UTF-8 when a model made them.
    pub fn decode_bytes(&self, tokens: &[u32]) -> Vec<u8> {
        let (mut bytes, mut escape) = (Vec::new(), Escape::default());
        tokens.iter().for_each(|&token| self.append(token, &mut escape, &mut bytes));
        escape.finish(&mut bytes);
        bytes
    }

    /// A decoder of tokens that come one by one.
    pub fn decoder(&self) -> TextDecoder<'_> {
        TextDecoder { codec: self, escape: Escape::default(), utf8: Utf8::default() }
    }

    /// Adds the bytes that a token gives after those before it. Tokens that there are not give none.
    fn append(&self, token: u32, escape: &mut Escape, bytes: &mut Vec<u8>) {
        match &self.coder {
            Coder::Chars(chars) => escape.push(token, chars, bytes),
            Coder::Bytes | Coder::Bpe(_) => self.with_token(token, |own| bytes.extend_from_slice(own)),
        }
    }

    /// The bytes of a token by itself: none of the boundary and of the escape.
    pub fn token_text(&self, id: u32) -> Vec<u8> {
        self.with_token(id, <[u8]>::to_vec)
    }

    fn with_token<T>(&self, id: u32, f: impl FnOnce(&[u8]) -> T) -> T {
        match &self.coder {
            Coder::Bytes => match id.checked_sub(1).map(u8::try_from) {
                Some(Ok(byte)) => f(&[byte]),
                _ => f(&[]),
            },
            Coder::Chars(chars) => match chars.letter(id) {
                Some(letter) => f(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                None => f(&[]),
            },
            Coder::Bpe(bpe) => f(bpe.piece(id)),
        }
    }

    /// Whether a text may well be cut behind the token: it holds a line end, or ends a sentence.
    pub fn ends_segment(&self, id: u32) -> bool {
        self.with_token(id, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let closing =
                |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | ']' | '»' | '”' | '’');
            let ends = ['.', '?', '!', '…', '。', '？', '！'];
            text.contains('\n') || text.trim_end_matches(closing).ends_with(ends)
        })
    }

    /// The characters of a prompt that the train split lacks, each once. They can be encoded, but a model knows
    /// nothing of them. Only an alphabet has limits.
    pub fn unknown_chars(&self, prompt: &str) -> Vec<char> {
        let Coder::Chars(chars) = &self.coder else { return Vec::new() };
        let mut unknown = Vec::new();
        for letter in prompt.chars() {
            if chars.id(letter).is_none() && !unknown.contains(&letter) {
                unknown.push(letter);
            }
        }
        unknown
    }

    /// The token that says that a foreign character follows, where tokens are characters.
    pub fn escape(&self) -> Option<u32> {
        matches!(self.coder, Coder::Chars(_)).then_some(chars::ESCAPE)
    }

    /// Writes `text.json`, and `tokenizer.json` in the format of Hugging Face if there are pieces of words. The ids
    /// in that file are one less than the tokens here, which begin with the boundary.
    ///
    /// # Errors
    /// The folder cannot be made, or a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let alphabet = match &self.coder {
            Coder::Chars(chars) => chars.alphabet().iter().collect(),
            Coder::Bytes => String::new(),
            Coder::Bpe(bpe) => {
                bpe.save(dir)?;
                String::new()
            }
        };
        let saved = Saved { unit: self.unit(), vocab: self.vocab(), alphabet };
        let path = dir.join(FILE);
        atomic_write(&path, &serde_json::to_vec(&saved).unwrap_or_default()).map_err(Error::io(&path))
    }

    /// Reads what [`TextTokenizer::save`] wrote.
    ///
    /// # Errors
    /// A file cannot be read, or holds no valid tokenizer.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = fs::read(&path).map_err(Error::io(&path))?;
        let saved: Saved = serde_json::from_slice(&text).map_err(|e| damaged(&path, e.to_string()))?;
        let coder = match saved.unit {
            TextUnit::Bytes => Coder::Bytes,
            TextUnit::Chars => {
                let chars = Chars::new(saved.alphabet.chars().collect());
                Coder::Chars(Arc::new(chars.map_err(|why| damaged(&path, why))?))
            }
            TextUnit::Bpe => Coder::Bpe(Arc::new(Bpe::load(dir)?)),
        };
        let codec = Self { coder };
        if codec.vocab() != saved.vocab {
            let why = format!("it speaks of {} tokens, and there are {}", saved.vocab, codec.vocab());
            return Err(damaged(&path, why));
        }
        Ok(codec)
    }
}

/// The boundary and every byte.
const BYTES_VOCAB: usize = 257;

/// Without the vocabulary.
impl fmt::Debug for TextTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("TextTokenizer").field("unit", &self.unit()).field("vocab", &self.vocab()).finish()
    }
}
