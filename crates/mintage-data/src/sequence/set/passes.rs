//! Batches of training whose passes over the documents differ in more than where windows begin.
//!
//! A shuffled pass is a stream of all documents of train in an order of its own, whose end leads on to its beginning.
//! Windows cut it from a place of its own on, one behind the other, so that a pass has every token. Tunes may be transposed
//! in every pass by another number of semitones.

use std::{
    ops::{Range, RangeInclusive},
    sync::{Arc, PoisonError},
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SequenceSet;
use crate::{
    MusicTokenizer, Split,
    batch::shuffled,
    sequence::{Augmentation, Chunking, NO_TOKEN, SequenceBatch, TokenStore, Tokenizer, Transpose},
};

/// Added to the seed, which shuffles windows as well.
const DOCUMENT_ORDER: u64 = 0x646f_6375_6d65_6e74;

/// By how many semitones music is moved in training.
const SEMITONES: RangeInclusive<i32> = -5..=6;

/// The documents of train in the order of a pass.
#[derive(Debug)]
pub(super) struct Pass {
    seed: u64,
    number: u64,
    documents: Vec<u32>,
    /// Where each of them begins in the stream of the pass, and where the last one ends.
    starts: Vec<u64>,
    /// What chooses where its first window begins.
    random: u64,
}

impl SequenceSet {
    /// The items of a step of training, as many and in the order that [`Order`](crate::Order) gives them. Without an
    /// `augmentation` this is a [`batch`](Self::batch) of a seed that is made of `seed` and `step`.
    pub fn training_batch(
        &self,
        items: &[u32],
        cut: Chunking,
        augmentation: Augmentation,
        seed: u64,
        step: u64,
    ) -> SequenceBatch {
        let of_step = seed ^ step.rotate_left(32);
        if augmentation == Augmentation::default() {
            return self.batch(items, cut, Some(of_step));
        }
        let each_pass = self.items(Split::Train, cut).len().max(1) as u64;
        let mut batch = SequenceBatch { n: items.len(), ..SequenceBatch::default() };
        for (place, &item) in items.iter().enumerate() {
            let pass = (step * items.len() as u64 + place as u64) / each_pass;
            let (random, first) = (random_of(of_step, place, item), batch.tokens.len());
            let stretches = match cut {
                Chunking::Windows(time) => {
                    let stretches = match augmentation.shuffle {
                        true => shuffled_window(&self.store, item, time, &self.pass(seed, pass)),
                        false => vec![self.window_stretch(item, time, Some(random))],
                    };
                    stretches.iter().for_each(|stretch| self.add_stretch(stretch.clone(), &mut batch));
                    self.fill(&mut batch, time + 1);
                    stretches
                }
                Chunking::Segments(longest) => {
                    self.segment(item, longest, &mut batch);
                    let (start, len) = self.segments(longest).places[item as usize];
                    // Its row begins with a boundary in place of the token before it.
                    let stretch = start - 1..start + u64::from(len);
                    vec![stretch]
                }
            };
            let row = &mut batch.tokens[first..];
            match (&self.codec, augmentation.transpose) {
                (Tokenizer::Music(codec), Transpose::Window) => transpose(codec, random >> 32, row),
                (Tokenizer::Music(codec), Transpose::Document) => {
                    self.transpose_documents(codec, &stretches, (seed, pass), row);
                }
                _ => {}
            }
        }
        batch
    }

    /// Moves what a row has of every document by the semitones of the document in a pass.
    fn transpose_documents(
        &self,
        codec: &MusicTokenizer,
        stretches: &[Range<u64>],
        of_pass: (u64, u64),
        row: &mut [u32],
    ) {
        let mut first = 0;
        for stretch in stretches {
            let mut at = stretch.start;
            while at < stretch.end {
                let document = self.store.document_at(at);
                let end = self.store.starts()[document + 1].min(stretch.end);
                let part = &mut row[first..first + (end - at) as usize];
                if let Some(moved) = codec.transpose(part, self.semitones(codec, document as u32, of_pass)) {
                    part.copy_from_slice(&moved);
                }
                first += part.len();
                at = end;
            }
        }
    }

    /// By how many semitones a document is moved in a pass: each number that keeps it in the range of the codec has its turn.
    fn semitones(&self, codec: &MusicTokenizer, document: u32, (seed, pass): (u64, u64)) -> i32 {
        let reach = self.reach(codec, document);
        let low = *reach.start().max(SEMITONES.start());
        let high = *reach.end().min(SEMITONES.end());
        let turn = xxh3_64_with_seed(&document.to_le_bytes(), seed).wrapping_add(pass);
        low + (turn % (high - low + 1).max(1) as u64) as i32
    }

    /// By how many semitones a document can be moved: all of it is read once, not for each of its windows.
    fn reach(&self, codec: &MusicTokenizer, document: u32) -> RangeInclusive<i32> {
        // Nobody panics with the lock in hand.
        let mut known = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        let find = || codec.transpositions(&self.document(document));
        known.entry(document).or_insert_with(find).clone()
    }

    /// The documents in the order of a pass, made once while no other pass is asked for.
    fn pass(&self, seed: u64, number: u64) -> Arc<Pass> {
        // Nobody panics with the lock in hand.
        let mut latest = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pass) = latest.as_ref().filter(|pass| (pass.seed, pass.number) == (seed, number)) {
            return Arc::clone(pass);
        }
        let new = Arc::new(self.new_pass(seed, number));
        *latest = Some(Arc::clone(&new));
        new
    }

    fn new_pass(&self, seed: u64, number: u64) -> Pass {
        let of_order = seed ^ DOCUMENT_ORDER;
        let documents = shuffled(self.splits.get(Split::Train), of_order, number);
        let mut starts = vec![0];
        let mut end = 0;
        for &document in &documents {
            let whole = self.store.stretch(document as usize..document as usize + 1);
            end += whole.end - whole.start;
            starts.push(end);
        }
        Pass { seed, number, documents, starts, random: xxh3_64_with_seed(&number.to_le_bytes(), of_order) }
    }
}

/// Where a window of a shuffled pass lies in the stream of all documents: a stretch for each document that it meets.
fn shuffled_window(store: &TokenStore, item: u32, time: usize, pass: &Pass) -> Vec<Range<u64>> {
    let total = pass.starts.last().copied().unwrap_or(0);
    let first = pass.random % time.max(1) as u64 + u64::from(item) * time as u64;
    let (mut at, mut left) = (first % total.max(1), total.min(time as u64 + 1));
    let mut stretches = Vec::new();
    while left > 0 {
        // Every document has a boundary at least, so that no two begin at one place.
        let place = pass.starts.partition_point(|&start| start <= at) - 1;
        let document = pass.documents[place] as usize;
        let whole = store.stretch(document..document + 1);
        let start = whole.start + at - pass.starts[place];
        let end = whole.end.min(start + left);
        left -= end - start;
        at = (at + end - start) % total;
        stretches.push(start..end);
    }
    stretches
}

/// What chooses the beginning and the pitches of an item at a place of a batch.
pub(super) fn random_of(seed: u64, place: usize, item: u32) -> u64 {
    xxh3_64_with_seed(&(place as u64).to_le_bytes(), seed ^ u64::from(item))
}

/// Moves a row of music by up to half an octave either way, where it stays within what the codec knows.
pub(super) fn transpose(codec: &MusicTokenizer, random: u64, tokens: &mut [u32]) {
    let semitones = (random % 12) as i32 + SEMITONES.start();
    let known = tokens.iter().position(|&token| token == NO_TOKEN).unwrap_or(tokens.len());
    if let Some(moved) = codec.transpose(&tokens[..known], semitones) {
        tokens[..known].copy_from_slice(&moved);
    }
}
