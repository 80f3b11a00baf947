//! Batches of training whose passes over the documents differ in more than where windows begin.
//!
//! A shuffled pass is a stream of all documents of train in an order of its own, whose end leads on to its beginning.
//! Windows cut it from a place of its own on, one behind the other, so that a pass has every token.

use std::sync::{Arc, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{SequenceSet, random_of, transpose};
use crate::{
    Split,
    batch::shuffled,
    sequence::{Augmentation, Chunking, SequenceBatch, Tokenizer},
};

/// Added to the seed, which shuffles windows as well.
const DOCUMENT_ORDER: u64 = 0x646f_6375_6d65_6e74;

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
        let (Chunking::Windows(time), true) = (cut, augmentation.shuffle) else {
            return self.batch(items, cut, Some(of_step));
        };
        let row = time + 1;
        let windows = self.items(Split::Train, cut).len().max(1) as u64;
        let mut batch = SequenceBatch { n: items.len(), ..SequenceBatch::default() };
        for (place, &item) in items.iter().enumerate() {
            let pass = (step * items.len() as u64 + place as u64) / windows;
            self.shuffled_window(item, time, &self.pass(seed, pass), &mut batch);
            if let Tokenizer::Music(codec) = &self.codec {
                let random = random_of(of_step, place, item);
                transpose(codec, random >> 32, &mut batch.tokens[place * row..]);
            }
        }
        batch
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

    fn shuffled_window(&self, item: u32, time: usize, pass: &Pass, batch: &mut SequenceBatch) {
        let total = pass.starts.last().copied().unwrap_or(0);
        let first = pass.random % time.max(1) as u64 + u64::from(item) * time as u64;
        let (mut at, mut left) = (first % total.max(1), total.min(time as u64 + 1));
        while left > 0 {
            // Every document has a boundary at least, so that no two begin at one place.
            let place = pass.starts.partition_point(|&start| start <= at) - 1;
            let document = pass.documents[place] as usize;
            let whole = self.store.stretch(document..document + 1);
            let start = whole.start + at - pass.starts[place];
            let end = whole.end.min(start + left);
            batch.tokens.extend(self.store.read(start..end));
            self.add_places(start..end, batch);
            left -= end - start;
            at = (at + end - start) % total;
        }
        self.fill(batch, time + 1);
    }
}
