//! What texts and music have in common: documents of tokens.
//!
//! ```text
//! TextSource  ─► TextTokenizer  ─┐
//!                            ├─► TokenStore ─► windows or segments ─► SequenceBatch
//! MusicSource ─► MusicTokenizer ─┘
//! ```
//!
//! Every document begins with the token [`BOUNDARY`], which also ends the one before it. Documents of a split lie side by
//! side, so a split is one stream of tokens. A model sees nothing else: what a token means, only its codec knows.

mod set;
mod store;
mod tokenizer;

use serde::{Deserialize, Serialize};

pub use set::SequenceSet;
pub use store::TokenStore;
pub use tokenizer::Tokenizer;

/// The token before every document, and after it.
pub const BOUNDARY: u32 = 0;

/// The place of a batch where there is no token, or no class.
pub const NO_TOKEN: u32 = u32::MAX;

/// What sequences are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    Text,
    Music,
}

/// What a model must know of sequences before it sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceInfo {
    #[serde(alias = "matter")]
    pub modality: Modality,
    /// Number of tokens, [`BOUNDARY`] among them.
    pub vocab: usize,
    /// What documents are conditioned on; empty without labels.
    pub classes: Vec<String>,
    /// Documents of the train split.
    pub train_len: usize,
    /// Their tokens.
    pub train_tokens: u64,
    /// Characters a token, on average over the train split; of music 0.
    pub chars_per_token: f64,
    /// Of voices in turn on a grid: after how many tokens the same voice comes again, and the same place of a bar. What
    /// is so regular stands in no token, and a model is told it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<usize>,
}

impl SequenceInfo {
    /// Where a token stands in each of the periods, by its place in its document (the boundary is 0).
    pub fn period_positions(&self, place: u64) -> impl Iterator<Item = u32> {
        // The boundary is before the first of all.
        self.periods.iter().map(move |&period| ((place + period as u64 - 1) % period as u64) as u32)
    }
}

/// How a stream of documents becomes the items of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chunking {
    /// So many tokens in a row, from anywhere.
    Windows(usize),
    /// Parts of documents of at most so many tokens, which end where a sentence, a line or a bar does.
    Segments(usize),
}

impl Chunking {
    /// Tokens of an item that a model is to predict.
    pub fn time(self) -> usize {
        match self {
            Self::Windows(time) => time,
            // The boundary that ends a segment is one of them.
            Self::Segments(longest) => longest + 1,
        }
    }
}

/// What is changed in documents from pass to pass over them; by default what always was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation {
    /// Whether documents follow each other in another order in every pass, and are cut into windows at other places. Without
    /// it windows begin anywhere too, but what comes before a document is the same for ever. Segments know no order.
    pub shuffle: bool,
    /// How tunes are transposed; texts never are.
    pub transpose: Transpose,
}

/// How tunes are transposed in training. Drums stay, and no pitch leaves the range of the train split; what is held out is
/// never transposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transpose {
    /// Not at all.
    Off,
    /// Every window or segment by −5 to 6 semitones; it stays where that would lead out of the range.
    #[default]
    Window,
    /// Every document by −5 to 6 semitones at which all of it stays in the range: one after another from pass to pass.
    Document,
}

/// `n` rows of `time + 1` tokens: all but the last go in, all but the first are to come out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceBatch {
    /// Behind the end of a short row there is [`NO_TOKEN`].
    pub tokens: Vec<u32>,
    /// The class of each place, or [`NO_TOKEN`]; nothing where there are no classes.
    pub classes: Vec<u32>,
    /// Where each place stands in the [periods](SequenceInfo::periods), one after another; nothing without any.
    pub period_positions: Vec<u32>,
    pub n: usize,
}

impl SequenceBatch {
    /// Tokens that go in, and come out, of each row.
    pub fn time(&self) -> usize {
        (self.tokens.len() / self.n.max(1)).saturating_sub(1)
    }

    /// Tokens of all rows that are to come out.
    pub fn targets(&self) -> usize {
        let row = self.time() + 1;
        let targets = self.tokens.chunks_exact(row).flat_map(|row| &row[1..]);
        targets.filter(|&&token| token != NO_TOKEN).count()
    }
}
