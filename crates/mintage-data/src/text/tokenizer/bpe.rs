//! Pieces of words: byte pair encoding over bytes, as GPT-2 has it, trained and stored by the `tokenizers` crate.
//!
//! The crate cuts a text into words with a regular expression and turns each into letters that stand for its
//! bytes. Both are done here, a few times as fast and with a memory of the words before, and to the same
//! tokens; the merges of a word are the crate's.

use std::{path::Path, sync::LazyLock};

use hashbrown::HashMap;
use regex::Regex;
use tokenizers::{
    Model, ModelWrapper, PreTokenizerWrapper, Tokenizer,
    models::bpe::{BPE, BpeTrainer},
    pre_tokenizers::byte_level::ByteLevel,
    tokenizer::Trainer,
};

use super::{PIECE_BYTES, Pieces, Visit};
use crate::{Error, atomic_write, error::damaged};

/// Text that merges are learned from, at most, so that it takes seconds.
const TRAIN_BYTES: u64 = 32 << 20;
/// Bytes of the stretches that are chosen for it.
const STRETCH_BYTES: usize = PIECE_BYTES / 4;
/// Bytes of a word at which it is cut for training, whose time grows with their square.
const LONG_WORD: usize = 256;
/// Times that a pair must occur to be merged.
const MIN_PAIR_COUNT: u64 = 2;
/// Bounds of a vocabulary. Below, there are hardly any merges.
const VOCABS: std::ops::RangeInclusive<usize> = 300..=65_536;
const FILE: &str = "tokenizer.json";

/// The words of a text. That white space before a word ends one character earlier ("\s+(?!\S)" in the original) is
/// left to [`words`], for this expression has no look-ahead.
static WORD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+").ok());
/// The letter that stands for each byte in a vocabulary: itself where it can be seen, or the next one free from
/// U+0100 on.
static LETTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut free = (0x100..).filter_map(char::from_u32);
    std::array::from_fn(|byte| match byte as u8 {
        byte @ (b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) => char::from(byte),
        byte => free.next().unwrap_or(char::from(byte)),
    })
});

pub(super) struct Bpe {
    model: BPE,
    /// The bytes of each piece.
    pieces: Vec<Vec<u8>>,
}

/// The tokens of words that came before.
#[derive(Default)]
pub(super) struct Memo<'a> {
    words: HashMap<&'a str, (u32, u32)>,
    tokens: Vec<u32>,
}

/// Words that are remembered, and the bytes of the longest of them.
const MAX_CACHED_WORDS: usize = 1 << 16;
const REMEMBERED_BYTES: usize = 64;

impl Bpe {
    /// Learns at most `vocab` tokens from evenly spread stretches of the train documents.
    ///
    /// # Errors
    /// `vocab` is out of bounds, the texts hold no characters, or `visit` or the training fails.
    pub fn fit(visit: &Visit, vocab: usize, bytes: u64) -> Result<Self, Error> {
        if !VOCABS.contains(&vocab) {
            let (least, most) = VOCABS.into_inner();
            return Err(Error::bad("vocabulary", format!("{vocab} tokens are out of bounds for bpe"))
                .with_hint(format!("between {least} and {most} are possible")));
        }
        let stretches = stretches(visit, bytes)?;
        if stretches.is_empty() {
            return Err(Error::bad("the texts", "hold no characters to learn"));
        }
        let mut trainer = BpeTrainer::builder()
            .show_progress(false)
            .min_frequency(MIN_PAIR_COUNT)
            .vocab_size(vocab - 1)
            .initial_alphabet(LETTERS.iter().copied().collect())
            .build();
        let mut model = BPE::default();
        let wrong = |e: tokenizers::Error| Error::bad("the vocabulary", e.to_string());
        trainer
            .feed(stretches.iter(), |text| Ok(words(text).flat_map(short).map(in_letters).collect()))
            .map_err(wrong)?;
        trainer.train(&mut model).map_err(wrong)?;
        Self::new(model).map_err(|why| Error::bad("the vocabulary", why))
    }

    /// A model whose ids are 0, 1, 2, … and that has a piece for every byte.
    fn new(mut model: BPE) -> Result<Self, String> {
        // Words are remembered here.
        model.resize_cache(0);
        let byte_of: HashMap<char, u8> = LETTERS.iter().copied().zip(0..=u8::MAX).collect();
        let piece = |id: u32| {
            let letters = model.id_to_token(id).ok_or(format!("token {id} is missing"))?;
            let bytes = letters.chars().map(|letter| byte_of.get(&letter).copied());
            let bytes: Option<Vec<u8>> = bytes.collect();
            bytes.filter(|bytes| !bytes.is_empty()).ok_or(format!("token {id} is no piece of a word"))
        };
        let pieces = (0..model.get_vocab_size() as u32).map(piece).collect::<Result<Vec<_>, _>>()?;
        if let Some(letter) = LETTERS.iter().find(|letter| model.token_to_id(&letter.to_string()).is_none()) {
            return Err(format!("the byte `{letter}` is missing"));
        }
        Ok(Self { model, pieces })
    }

    pub fn vocab(&self) -> usize {
        self.pieces.len() + 1
    }

    /// The bytes of a token, none of what is no piece.
    pub fn piece(&self, token: u32) -> &[u8] {
        let piece = token.checked_sub(1).and_then(|id| self.pieces.get(id as usize));
        piece.map_or(&[], Vec::as_slice)
    }

    pub fn encode<'a>(&self, text: &'a str, memo: &mut Memo<'a>) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(text.len() / 3);
        for word in words(text) {
            if let Some(&(start, end)) = memo.words.get(word) {
                tokens.extend_from_slice(&memo.tokens[start as usize..end as usize]);
                continue;
            }
            let start = tokens.len();
            self.encode_word(word, &mut tokens);
            if memo.words.len() < MAX_CACHED_WORDS && word.len() <= REMEMBERED_BYTES {
                let from = memo.tokens.len() as u32;
                memo.tokens.extend_from_slice(&tokens[start..]);
                memo.words.insert(word, (from, memo.tokens.len() as u32));
            }
        }
        tokens
    }

    fn encode_word(&self, word: &str, tokens: &mut Vec<u32>) {
        match self.model.tokenize(&in_letters(word)) {
            Ok(found) => tokens.extend(found.iter().map(|token| token.id + 1)),
            // It fails only for lack of an unknown token, and nothing is unknown.
            Err(_) => tokens.extend(word.bytes().filter_map(|byte| self.token_of(byte))),
        }
    }

    fn token_of(&self, byte: u8) -> Option<u32> {
        self.model.token_to_id(&LETTERS[usize::from(byte)].to_string()).map(|id| id + 1)
    }

    /// Writes `tokenizer.json` into a folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let text = self.tokenizer().to_string(false).map_err(|e| damaged(&path, e))?;
        atomic_write(&path, text.as_bytes()).map_err(Error::io(&path))
    }

    /// Reads `tokenizer.json` from a folder.
    ///
    /// # Errors
    /// The file cannot be read, or is not a byte pair encoding of the form that is written here.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = std::fs::read(&path).map_err(Error::io(&path))?;
        let tokenizer = Tokenizer::from_bytes(&text).map_err(|e| damaged(&path, e))?;
        Self::from_tokenizer(&tokenizer).map_err(|why| damaged(&path, why))
    }

    /// The whole of it as other programs know it.
    pub fn tokenizer(&self) -> Tokenizer {
        let mut tokenizer = Tokenizer::new(self.model.clone());
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, false, true)));
        tokenizer.with_decoder(Some(ByteLevel::new(false, false, true)));
        tokenizer
    }

    fn from_tokenizer(tokenizer: &Tokenizer) -> Result<Self, String> {
        let cuts_words = matches!(tokenizer.get_pre_tokenizer(),
            Some(PreTokenizerWrapper::ByteLevel(level)) if level.use_regex && !level.add_prefix_space);
        if !cuts_words || tokenizer.get_normalizer().is_some() {
            return Err("it changes texts in ways that are not known here".to_owned());
        }
        let ModelWrapper::BPE(model) = tokenizer.get_model() else {
            return Err("its model is not BPE".to_owned());
        };
        let marks_words = model.continuing_subword_prefix.is_some() || model.end_of_word_suffix.is_some();
        if marks_words || model.dropout.is_some() {
            return Err("its BPE is of a sort that is not known here".to_owned());
        }
        Self::new(model.clone())
    }
}

/// The words of a text, which together are all of it.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        if rest.is_empty() {
            return None;
        }
        let found = WORD.as_ref().and_then(|word| word.find_at(text, at));
        let end = found.map_or(rest.len(), |found| found.end() - at);
        let word = &rest[..end];
        // White space leaves its last character to the word behind it.
        let last = word.char_indices().next_back().map_or(0, |(last, _)| last);
        let gives = last > 0
            && end < rest.len()
            && word.starts_with(char::is_whitespace)
            && word.ends_with(char::is_whitespace);
        let word = if gives { &word[..last] } else { word };
        at += word.len();
        Some(word)
    })
}

/// A word, or the parts of one that is none: a line of dashes, a file in base64.
fn short(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at(rest.floor_char_boundary(LONG_WORD));
        rest = after;
        Some(part).filter(|part| !part.is_empty())
    })
}

/// A word in the letters of its bytes.
fn in_letters(word: &str) -> String {
    word.bytes().map(|byte| LETTERS[usize::from(byte)]).collect()
}

/// Stretches of the train documents, evenly spread, that are [`TRAIN_BYTES`] together if `bytes` is right.
fn stretches(visit: &Visit, bytes: u64) -> Result<Vec<String>, Error> {
    let share = TRAIN_BYTES as f64 / bytes.max(TRAIN_BYTES) as f64;
    let (mut seen, mut taken) = (0, 0);
    let mut stretches = Vec::new();
    visit(&mut |text| {
        for stretch in Pieces::of_size(text, STRETCH_BYTES) {
            // What was told may be wrong by far.
            if taken as f64 <= share * seen as f64 && taken < 2 * TRAIN_BYTES {
                taken += stretch.len() as u64;
                stretches.push(stretch.to_owned());
            }
            seen += stretch.len() as u64;
        }
    })?;
    Ok(stretches)
}
