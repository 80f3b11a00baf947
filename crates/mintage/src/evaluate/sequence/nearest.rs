//! The training texts or tunes that a new one has most from, word for word: the longest run in common, as copies are judged
//! (see [`copies`](super::copies)). Tunes are searched in every key, since a copy in another key is one.
//!
//! A distance is the share of a passage outside that run: 0 where the whole of it stands in one training document. Held-out
//! passages are cut to the length of the new one, for a run of ten words is much of a sentence and little of a page.

use mintage_data::{
    MusicTokenizer, Score, SequenceSet, Split,
    sequence::{BOUNDARY, Modality, Tokenizer},
};

use super::{
    super::{
        nearest::{Hits, MIN_FREQUENT},
        real::documents,
    },
    lengths,
    sets::{Kind, Reader, passages},
    shared_runs,
    vocabulary::{Vocabulary, spans},
};
use crate::{
    error::Error,
    generate::{Documents, Samples},
};

/// Units of the train split that are searched.
const MAX_UNITS: usize = 5_000_000;
/// Held-out passages, and of tunes, each of which is searched in twelve keys.
const MAX_PASSAGES: usize = 200;
const MAX_TUNES: usize = 60;
/// Tokens of a held-out passage.
const MAX_PASSAGE_TOKENS: usize = 1024;
/// Units that a long document is divided into, so that several places of one can be neighbours.
const STRETCH: usize = 512;
/// A text is shown whole up to so many times the length of the new one.
const WHOLE: usize = 3;

/// The training documents in units: words of a text, tokens of a tune.
pub(in crate::evaluate) struct RunIndex {
    /// Documents with boundaries between, a boundary first.
    units: Vec<u32>,
    /// Each document, and where its first unit stands.
    documents: Vec<(u32, usize)>,
    words: Vocabulary,
    /// Of each held-out passage, the longest run within its first i + 1 units that train has.
    held: Vec<Vec<usize>>,
    modality: Modality,
}

/// A run in common with a training document.
#[derive(Clone, Copy)]
struct Shared {
    length: usize,
    /// Behind its last unit in `units`.
    end: usize,
}

impl RunIndex {
    /// Of these training documents and of passages of the held-out ones.
    pub fn new(data: &SequenceSet, train: &[u32], holdout: &[u32]) -> Self {
        let mut reader = Reader::new(data.codec());
        let (mut units, mut documents) = (vec![BOUNDARY], Vec::new());
        for &document in train {
            documents.push((document, units.len()));
            units.extend(reader.units(&data.document(document).split_off(1)));
            units.truncate(MAX_UNITS);
            units.push(BOUNDARY);
            if units.len() > MAX_UNITS {
                break;
            }
        }
        let modality = data.info().modality;
        let most = if modality == Modality::Text { MAX_PASSAGES } else { MAX_TUNES };
        let kind = Kind::of(data, mintage_data::sequence::Chunking::Windows(1)).at_most(MAX_PASSAGE_TOKENS);
        let mut fresh = passages(data, Split::Holdout, kind, most, &mut reader);
        // As many as are asked for have been taken from both splits.
        if holdout.len() > data.splits().holdout.len() {
            let left = most.saturating_sub(fresh.len()).max(1);
            fresh.extend(passages(data, Split::Valid, kind, left, &mut reader));
        }
        let words = reader.words;
        let mut index = Self { units, documents, words, held: Vec::new(), modality };
        let fresh: Vec<Vec<u32>> = fresh.into_iter().map(|passage| passage.units).collect();
        index.held = index.longest_within(&fresh, data.codec().music());
        index
    }

    /// How many documents are searched.
    pub fn documents(&self) -> usize {
        self.documents.len()
    }

    /// What distances are.
    pub fn metric(&self) -> &'static str {
        match self.modality {
            Modality::Text => "share of the words outside the longest run in common",
            Modality::Music => "share of the tokens outside the longest run in common, in any key",
        }
    }

    /// The `k` places of the training texts that a text has the longest runs from.
    pub fn search_text(&self, data: &SequenceSet, text: &str, k: usize) -> Result<Hits, Error> {
        let Tokenizer::Text(codec) = data.codec() else { return Err(super::super::real::other_kind()) };
        // As the model sees it: what is no token of its is none here.
        let units = self.words.find(&codec.decode(&codec.encode(text)));
        let (hits, runs) = self.search(vec![units.clone()], k)?;
        let passage = |run: &Shared| self.passage(data, run, units.len());
        let items = Samples::Text(Documents { items: runs.iter().map(passage).collect(), label: None });
        Ok(Hits { items: Some(items), ..hits })
    }

    /// The `k` training tunes that a tune has the longest runs from; the neighbours are whole tunes.
    pub fn search_tune(&self, data: &SequenceSet, tune: &Score, k: usize) -> Result<Hits, Error> {
        let Tokenizer::Music(codec) = data.codec() else { return Err(super::super::real::other_kind()) };
        let (hits, _) = self.search(keys(codec, &codec.encode(tune)), k)?;
        let tokens = hits.neighbours.iter().map(|&(item, _)| data.document(item).split_off(1));
        Ok(Hits { items: Some(documents(data, tokens.collect())), ..hits })
    }

    /// A passage is given in every key that it is searched in.
    fn search(&self, keys: Vec<Vec<u32>>, k: usize) -> Result<(Hits, Vec<Shared>), Error> {
        let length = keys.first().map_or(0, Vec::len);
        if length == 0 {
            return Err(Error::request("there is nothing in this item to search for"));
        }
        let keys: Vec<&[u32]> = keys.iter().map(Vec::as_slice).collect();
        let mut runs = self.longest(&shared_runs(&self.units, &keys), k.max(MIN_FREQUENT));
        let distance = |run: usize, length: usize| 1.0 - run as f64 / length as f64;
        let mut expected: Vec<f64> = self
            .held
            .iter()
            .filter(|held| !held.is_empty())
            .map(|held| {
                let within = length.min(held.len());
                distance(held[within - 1], within)
            })
            .collect();
        expected.sort_unstable_by(f64::total_cmp);
        let equals = runs.iter().filter(|run| run.length == length).count();
        runs.truncate(k);
        let neighbours: Vec<(u32, f64)> =
            runs.iter().map(|run| (self.document_at(run.end - 1).0, distance(run.length, length))).collect();
        let shorter = self.held.iter().filter(|held| held.len() < length).count();
        let is_longer = 2 * shorter > self.held.len();
        Ok((Hits { neighbours, equals, expected, is_longer, ..Hits::default() }, runs))
    }

    /// The `k` longest runs, one of a stretch of a document at most: the longest first, of equal ones the first.
    fn longest(&self, lengths: &[u32], k: usize) -> Vec<Shared> {
        let mut best: Vec<(usize, Shared)> = Vec::new();
        for (place, &length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let (document, start) = self.document_at(place);
            let stretch = ((document as usize) << 32) | ((place - start) / STRETCH);
            let run = Shared { length: length as usize, end: place + 1 };
            match best.last_mut() {
                Some((same, known)) if *same == stretch => {
                    if run.length > known.length {
                        *known = run;
                    }
                }
                _ => best.push((stretch, run)),
            }
        }
        best.sort_by(|(_, a), (_, b)| b.length.cmp(&a.length).then(a.end.cmp(&b.end)));
        let mut found: Vec<Shared> = Vec::new();
        for (_, run) in best {
            // A run over the border of two stretches is one.
            let overlaps = |other: &Shared| {
                run.end.max(other.end) - run.length.max(1) < run.end.min(other.end)
                    && self.document_at(run.end - 1) == self.document_at(other.end - 1)
            };
            // Tunes are shown whole: one is a neighbour once.
            let same = |other: &Shared| {
                self.modality == Modality::Music
                    && self.document_at(run.end - 1) == self.document_at(other.end - 1)
            };
            if !found.iter().any(|other| overlaps(other) || same(other)) {
                found.push(run);
            }
            if found.len() == k {
                break;
            }
        }
        found
    }

    /// The document that a unit belongs to, and where that begins.
    fn document_at(&self, place: usize) -> (u32, usize) {
        let at = self.documents.partition_point(|&(_, start)| start <= place);
        self.documents[at.saturating_sub(1)]
    }

    /// The text around a run, about as long as `length` words; a short document whole.
    fn passage(&self, data: &SequenceSet, run: &Shared, length: usize) -> String {
        let (document, start) = self.document_at(run.end - 1);
        let tokens = data.document(document).split_off(1);
        let text = data.codec().text().map(|codec| codec.decode(&tokens)).unwrap_or_default();
        let words = spans(&text);
        if words.len() <= WHOLE * length.max(1) {
            return text;
        }
        let context = length.saturating_sub(run.length) / 2;
        let from = (run.end - run.length - start).saturating_sub(context).min(words.len() - 1);
        let to = (run.end - start + context).clamp(from + 1, words.len());
        text[words[from].0..words[to - 1].1].to_owned()
    }

    /// For each passage the longest run within its first i + 1 units that train has, in any key.
    fn longest_within(&self, passages: &[Vec<u32>], codec: Option<&MusicTokenizer>) -> Vec<Vec<usize>> {
        let mut most: Vec<Vec<usize>> = passages.iter().map(|passage| vec![0; passage.len()]).collect();
        let all: Vec<Vec<Vec<u32>>> = passages
            .iter()
            .map(|passage| match codec {
                Some(codec) => keys(codec, passage),
                None => vec![passage.clone()],
            })
            .collect();
        let of: Vec<usize> =
            all.iter().enumerate().flat_map(|(i, keys)| std::iter::repeat_n(i, keys.len())).collect();
        let samples: Vec<&[u32]> = all.iter().flatten().map(Vec::as_slice).collect();
        for (i, lengths) in of.into_iter().zip(lengths(&self.units, &samples)) {
            most[i].iter_mut().zip(lengths).for_each(|(most, length)| *most = length.max(*most));
        }
        for passage in &mut most {
            let mut longest = 0;
            passage.iter_mut().for_each(|length| {
                longest = longest.max(*length);
                *length = longest;
            });
        }
        most
    }
}

/// A tune in every key that the tokens have, its own first.
fn keys(codec: &MusicTokenizer, tokens: &[u32]) -> Vec<Vec<u32>> {
    let others = (-5..=6).filter(|&up| up != 0).filter_map(|up| codec.transpose(tokens, up));
    std::iter::once(tokens.to_vec()).chain(others).collect()
}
