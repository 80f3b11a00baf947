//! What tokens mean: one enum over the codecs of texts and of music.

use std::path::Path;

use super::Modality;
use crate::{Error, MusicTokenizer, TextTokenizer};

/// Between documents and tokens.
// There is one of these in a set or a model.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Tokenizer {
    Text(TextTokenizer),
    Music(MusicTokenizer),
}

impl Tokenizer {
    pub fn modality(&self) -> Modality {
        match self {
            Self::Text(_) => Modality::Text,
            Self::Music(_) => Modality::Music,
        }
    }

    /// Number of tokens, the boundary among them.
    pub fn vocab(&self) -> usize {
        match self {
            Self::Text(codec) => codec.vocab(),
            Self::Music(codec) => codec.vocab(),
        }
    }

    /// Whether a segment may well end between these tokens: behind a sentence or a line, before a bar.
    pub fn parts_between(&self, before: u32, after: u32) -> bool {
        match self {
            Self::Text(codec) => codec.ends_segment(before),
            Self::Music(codec) => codec.is_bar(after),
        }
    }

    /// After how many tokens the same voice comes again, and the same place of a bar, where tokens are so regular.
    pub fn periods(&self) -> Vec<usize> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Music(codec) => {
                let voices = codec.voices().into_iter();
                voices.flat_map(|voices| [voices, voices * codec.positions_per_bar()]).collect()
            }
        }
    }

    /// Writes the tokenizer into the `codec` folder of a model.
    ///
    /// # Errors
    /// The folder cannot be made, or a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        match self {
            Self::Text(codec) => codec.save(dir),
            Self::Music(codec) => codec.save(dir),
        }
    }

    /// Reads the tokenizer of a modality from the `codec` folder of a model.
    ///
    /// # Errors
    /// A file cannot be read, or holds no valid tokenizer.
    pub fn load(dir: &Path, modality: Modality) -> Result<Self, Error> {
        match modality {
            Modality::Text => TextTokenizer::load(dir).map(Self::Text),
            Modality::Music => MusicTokenizer::load(dir).map(Self::Music),
        }
    }

    /// The text of a codec of texts.
    pub fn text(&self) -> Option<&TextTokenizer> {
        match self {
            Self::Text(codec) => Some(codec),
            Self::Music(_) => None,
        }
    }

    /// The codec of music, of one of music.
    pub fn music(&self) -> Option<&MusicTokenizer> {
        match self {
            Self::Music(codec) => Some(codec),
            Self::Text(_) => None,
        }
    }
}
