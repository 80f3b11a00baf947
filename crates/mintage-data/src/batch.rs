//! Batches in a random order that depends on nothing but (seed, step), read ahead by a thread of its own.

use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use crate::Error;

/// A batch of images: `n` × CHW bytes, and one label an item (empty when there are no labels).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageBatch {
    pub pixels: Vec<u8>,
    pub labels: Vec<u32>,
    pub n: usize,
}

/// Yields training batches for ever.
#[derive(Debug)]
pub struct Loader<B> {
    batches: Receiver<Result<B, Error>>,
}

/// Batches read ahead.
const BATCHES_AHEAD: usize = 2;

impl<B: Send + 'static> Loader<B> {
    /// Batches of `items` from step `start` on, which a thread reads ahead with `read`, given the items and the step. It ends
    /// when the loader is dropped.
    pub fn new(
        items: Vec<u32>,
        batch: usize,
        seed: u64,
        start: u64,
        read: impl Fn(&[u32], u64) -> Result<B, Error> + Send + 'static,
    ) -> Self {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        thread::spawn(move || {
            let mut order = Order::new(&items, seed);
            for step in start.. {
                if sender.send(read(&order.batch(batch, step), step)).is_err() {
                    return;
                }
            }
        });
        Self { batches }
    }

    /// The next batch, as soon as it has been read.
    ///
    /// # Errors
    /// The items of the batch cannot be read, or the thread that reads them has ended.
    pub fn next_batch(&mut self) -> Result<B, Error> {
        self.batches.recv().unwrap_or_else(|_| Err(Error::bad("data", "the loader has stopped")))
    }
}

/// The order in which items are visited: every epoch all of them once, in an order of its own.
#[derive(Debug)]
pub struct Order<'a> {
    items: &'a [u32],
    seed: u64,
    /// The latest epoch and its order: a shuffle of all items is too dear for every step.
    epoch: Option<(u64, Vec<u32>)>,
}

impl<'a> Order<'a> {
    pub fn new(items: &'a [u32], seed: u64) -> Self {
        Self { items, seed, epoch: None }
    }

    /// The items of one step; the same whatever was asked for before.
    pub fn batch(&mut self, batch: usize, step: u64) -> Vec<u32> {
        let n = self.items.len() as u64;
        let first = step * batch as u64;
        let positions = if n == 0 { 0..0 } else { first..first + batch as u64 };
        positions.map(|position| self.at(position / n, (position % n) as usize)).collect()
    }

    fn at(&mut self, epoch: u64, place: usize) -> u32 {
        match &self.epoch {
            Some((of, order)) if *of == epoch => order[place],
            _ => {
                let order = shuffled(self.items, self.seed, epoch);
                let item = order[place];
                self.epoch = Some((epoch, order));
                item
            }
        }
    }
}

/// Fisher–Yates with SplitMix64 (Steele et al., 2014) seeded by (seed, epoch).
pub(crate) fn shuffled(items: &[u32], seed: u64, epoch: u64) -> Vec<u32> {
    let mut state = mix(seed ^ mix(epoch.wrapping_add(0x51_7c_c1_b7_27_22_0a_95)));
    let mut order = items.to_vec();
    for i in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // Multiply-shift maps 64 random bits to 0..=i without a division.
        let j = ((u128::from(mix(state)) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_every_item_once() {
        let items: Vec<u32> = (100..137).collect();
        let mut order = Order::new(&items, 5);
        let mut seen: Vec<u32> = (0..37).flat_map(|step| order.batch(1, step)).collect();
        assert_ne!(seen, items);
        seen.sort_unstable();
        assert_eq!(seen, items);
    }

    #[test]
    fn batches_depend_on_seed_and_step_only() {
        let items: Vec<u32> = (0..10).collect();
        let at = |seed, batch, step| Order::new(&items, seed).batch(batch, step);
        let mut order = Order::new(&items, 1);
        let in_turn: Vec<_> = (0..8).map(|step| order.batch(4, step)).collect();
        assert_eq!(in_turn[7], at(1, 4, 7));
        assert_ne!(at(1, 8, 7), at(2, 8, 7));
        assert_eq!(at(1, 25, 0).len(), 25);
        assert!(Order::new(&[], 1).batch(4, 3).is_empty());
    }
}
