//! An n-gram model as bytes: the n-grams that all levels follow from, as differences from one to the next.
//!
//! Numbers have seven bits a byte, the lowest first, and the highest bit of a byte says that more follow: order, vocabulary,
//! how many n-grams, then of each the difference to the one before and how often it was seen.

use mintage_data::sequence::BOUNDARY;

use super::{KneserNey, Level, Packing, levels, low_bits};

impl KneserNey {
    /// Adds what [`read`](Self::read) makes the same model of.
    pub(in crate::models::sequence) fn write(&self, out: &mut Vec<u8>) {
        let grams: Vec<(u128, u32)> = self.seen().collect();
        for number in [self.packing.order, self.vocab, grams.len()] {
            put(number as u128, out);
        }
        let mut last = 0;
        for (gram, count) in grams {
            put(gram - last, out);
            put(u128::from(count), out);
            last = gram;
        }
    }

    /// Takes a model from the front of bytes that anybody may have written; `None` where they are none, or where it has more
    /// than `most` n-grams.
    pub(in crate::models::sequence) fn read(bytes: &mut &[u8], most: usize) -> Option<Self> {
        let (order, vocab, n) = (size(bytes)?, size(bytes)?, size(bytes)?);
        let packing = Packing::new(order, vocab);
        if packing.order != order || vocab == 0 || n > most {
            return None;
        }
        let (mut grams, mut counts, mut gram) = (Vec::new(), Vec::new(), 0u128);
        for _ in 0..n {
            let step = take(bytes)?;
            gram = gram.checked_add(step)?;
            let count = u32::try_from(take(bytes)?).ok()?;
            if step == 0 || count == 0 || !packing.can_count(gram) {
                return None;
            }
            grams.push(gram);
            counts.push(count);
        }
        let levels = levels(packing, (grams, counts), most)?;
        Some(Self { packing, vocab, levels })
    }

    /// The n-grams that were counted, in order: those of the highest order, and shorter ones that begin with the boundary.
    fn seen(&self) -> impl Iterator<Item = (u128, u32)> {
        let Packing { order, bits, .. } = self.packing;
        let boundary = u128::from(self.packing.symbol(BOUNDARY));
        self.levels.iter().zip(1usize..).flat_map(move |(level, length)| {
            let begins = move |gram: u128| length > 1 && gram >> ((length - 1) * bits) == boundary;
            level.grams(bits).filter(move |&(gram, _)| length == order || begins(gram))
        })
    }
}

impl Level {
    /// The n-grams with their counts, in order.
    fn grams(&self, bits: usize) -> impl Iterator<Item = (u128, u32)> {
        self.contexts.iter().enumerate().flat_map(move |(at, &context)| {
            let gram = move |place: usize| (context << bits) | u128::from(self.tokens[place]);
            self.range(at).map(move |place| (gram(place), self.counts[place]))
        })
    }
}

impl Packing {
    /// Whether counting can come to a number: it is an n-gram of the highest order or behind a boundary, and has no boundary
    /// between its tokens.
    fn can_count(self, gram: u128) -> bool {
        let (length, boundary) = (self.length(gram), self.symbol(BOUNDARY));
        if length == 0 || length > self.order {
            return false;
        }
        let symbol = |back: usize| ((gram >> (back * self.bits)) & low_bits(self.bits)) as u32;
        let is_symbol = |back: usize| (1..=self.unknown + 1).contains(&symbol(back));
        let is_within = |back: usize| symbol(back) != boundary;
        (0..length).all(is_symbol)
            && (1..length.saturating_sub(1)).all(is_within)
            && (length == self.order || length > 1 && symbol(length - 1) == boundary)
    }
}

fn put(mut number: u128, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    for shift in (0..u128::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn size(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take(bytes)?).ok()
}
