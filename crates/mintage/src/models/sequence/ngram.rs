//! Interpolated modified Kneser–Ney: the n-gram model that networks of sequences are mixed and compared with.
//!
//! Kneser and Ney, "Improved backing-off for m-gram language modeling" (1995), as in Chen and Goodman, "An empirical study of
//! smoothing techniques for language modeling" (1999), section 3:
//!
//! ```text
//! p_k(w | c) = max(a(c w) − D(a(c w)), 0) / A(c) + γ(c) p_{k−1}(w | c without its oldest token)
//! A(c) = Σ_w a(c w)      γ(c) = (D1 N1(c) + D2 N2(c) + D3 N3+(c)) / A(c)      p_0 = 1 / vocab
//! D1 = 1 − 2 Y n2/n1     D2 = 2 − 3 Y n3/n2     D3+ = 3 − 4 Y n4/n3           Y = n1 / (n1 + 2 n2)
//! ```
//!
//! At the highest order a(g) is how often the n-gram g was seen, below it how many tokens were seen before g.
//! N1, N2, N3+ count the tokens after c with a = 1, 2 and more; n1 to n4 count the n-grams of one order. A stream
//! begins as if a boundary stood before it, and no context reaches back over a boundary: documents do not tell of
//! each other. N-grams that begin with the boundary therefore have no tokens before them, and keep the number of
//! times they were seen at every order.
//!
//! An n-gram is one number of 128 bits, its newest token lowest. Those of one order are sorted, so the tokens
//! after a context lie side by side; a table of hashes finds a context.

mod file;

use mintage_data::sequence::BOUNDARY;
use rayon::prelude::*;

/// Discounts where counts of counts say nothing, as on a few lines of text.
const USUAL_DISCOUNTS: [f64; 3] = [0.5, 1.0, 1.5];

/// A fitted n-gram model.
#[derive(Debug)]
pub struct KneserNey {
    packing: Packing,
    vocab: usize,
    /// From unigrams up.
    levels: Vec<Level>,
}

/// The end of what came before a token, as far back as n-grams reach. The default is that nothing is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context(u128);

/// What is known of a context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Tokens of the longest end of it that was seen.
    pub tokens: usize,
    /// A(c) of this end; 0 where nothing was ever seen.
    pub total: f64,
}

impl KneserNey {
    /// Counts the n-grams of `streams`, documents or many of them with boundaries between, of tokens below `vocab`
    /// (those beyond count as one unknown token). `order` is at least 1 and at most what fits into 128 bits: 16
    /// for 200 tokens, 9 for 8,000.
    ///
    /// It takes 16 bytes a token while it counts.
    pub fn fit<'a>(order: usize, vocab: usize, streams: impl Iterator<Item = &'a [u32]>) -> Self {
        let packing = Packing::new(order, vocab);
        let levels = levels(packing, packing.count(streams), usize::MAX).unwrap_or_default();
        Self { packing, vocab: vocab.max(1), levels }
    }

    /// The same; `None` where that makes more than `most` n-grams of all orders together, each of which takes some 35 bytes.
    pub(super) fn fit_within<'a>(
        order: usize,
        vocab: usize,
        streams: impl Iterator<Item = &'a [u32]>,
        most: usize,
    ) -> Option<Self> {
        let packing = Packing::new(order, vocab);
        let levels = levels(packing, packing.count(streams), most)?;
        Some(Self { packing, vocab: vocab.max(1), levels })
    }

    /// Tokens of the longest n-grams.
    pub fn order(&self) -> usize {
        self.packing.order
    }

    /// Tokens that there are.
    pub(super) fn vocab(&self) -> usize {
        self.vocab
    }

    /// Number of the n-grams of all orders together.
    pub fn n_grams(&self) -> usize {
        self.levels.iter().map(|level| level.tokens.len()).sum()
    }

    /// The probability of `token` after `context`, of which the last `order − 1` tokens count.
    pub fn probability(&self, context: &[u32], token: u32) -> f64 {
        let packed = context.iter().fold(self.packing.start(), |packed, &t| self.packing.next(packed, t));
        self.after(packed, token)
    }

    /// Negative log-likelihood in nats of a whole sequence that begins after a boundary.
    pub fn nll(&self, sequence: &[u32]) -> f64 {
        let mut context = self.packing.start();
        let mut nats = 0.0;
        for &token in sequence {
            nats -= self.after(context, token).ln();
            context = self.packing.next(context, token);
        }
        nats
    }

    /// Negative log-likelihood in nats a token over all `sequences`; NaN where there are none. In parallel.
    pub fn nll_per_token(&self, sequences: &[&[u32]]) -> f64 {
        let tokens: usize = sequences.iter().map(|s| s.len()).sum();
        let nats: Vec<f64> = sequences.par_iter().map(|s| self.nll(s)).collect();
        nats.iter().sum::<f64>() / tokens as f64
    }

    /// Draws `n` tokens that begin after a boundary; `uniform` gives numbers in [0, 1).
    pub fn sample(&self, n: usize, uniform: &mut dyn FnMut() -> f32) -> Vec<u32> {
        let mut context = self.packing.start();
        let mut draw = |_| {
            let token = self.draw(context, uniform);
            context = self.packing.next(context, token);
            token
        };
        (0..n).map(&mut draw).collect()
    }

    /// The context of what comes behind a token.
    pub(super) fn next(&self, context: Context, token: u32) -> Context {
        Context(self.packing.next(context.0, token))
    }

    /// How much of a context was seen.
    pub(super) fn known(&self, context: Context) -> Known {
        let longest = self.ends(context.0).enumerate().last();
        let known =
            |(tokens, (level, at)): (usize, (&Level, usize))| Known { tokens, total: level.totals[at] };
        longest.map_or(Known { tokens: 0, total: 0.0 }, known)
    }

    /// The probability of a token in a context.
    pub(super) fn chance(&self, context: Context, token: u32) -> f64 {
        self.after(context.0, token)
    }

    /// The probabilities of all tokens in a context.
    pub(super) fn chances(&self, context: Context) -> Vec<f64> {
        let ends: Vec<(&Level, usize)> = self.ends(context.0).collect();
        let (mut chances, mut rest) = (vec![0.0; self.vocab], 1.0);
        for (level, at) in ends.into_iter().rev() {
            for place in level.range(at) {
                let token = self.packing.token(level.tokens[place]) as usize;
                if let Some(chance) = chances.get_mut(token) {
                    *chance += rest * level.share(at, place);
                }
            }
            rest *= level.gamma[at];
        }
        let each = rest / self.vocab as f64;
        chances.iter_mut().for_each(|chance| *chance += each);
        chances
    }

    /// How often the n-gram of the highest order was seen that a token ends; 0 also where the context is shorter.
    pub(super) fn times_seen(&self, context: Context, token: u32) -> u32 {
        let (before, symbol) = (self.packing.order - 1, self.packing.symbol(token));
        let Some((level, context)) = self.levels.last().zip(self.packing.last(context.0, before)) else {
            return 0;
        };
        let place = level.find(context).and_then(|at| level.place(at, symbol));
        place.map_or(0, |place| level.counts[place])
    }

    /// The levels that know an end of a context, from the empty one up, and where each has it.
    fn ends(&self, context: u128) -> impl Iterator<Item = (&Level, usize)> {
        // A context that was never seen was not seen with one more token before it either.
        self.levels.iter().enumerate().map_while(move |(shorter, level)| {
            let end = self.packing.last(context, shorter)?;
            Some((level, level.find(end)?))
        })
    }

    fn after(&self, context: u128, token: u32) -> f64 {
        let symbol = self.packing.symbol(token);
        let blind = 1.0 / self.vocab as f64;
        self.ends(context)
            .fold(blind, |p, (level, found)| level.discounted(found, symbol) + level.gamma[found] * p)
    }

    /// From the longest context that was seen down: one of its tokens, or with probability γ the next shorter.
    fn draw(&self, context: u128, uniform: &mut dyn FnMut() -> f32) -> u32 {
        for (shorter, level) in self.levels.iter().enumerate().rev() {
            let Some(found) = self.packing.last(context, shorter).and_then(|c| level.find(c)) else {
                continue;
            };
            if let Some(symbol) = level.draw(found, f64::from(uniform())) {
                return self.packing.token(symbol).min(self.vocab as u32 - 1);
            }
        }
        ((f64::from(uniform()) * self.vocab as f64) as usize).min(self.vocab - 1) as u32
    }
}

/// How tokens become a number: each is a symbol from 1 up, so that 0 can mean that nothing is there.
#[derive(Clone, Copy, Debug)]
struct Packing {
    order: usize,
    bits: usize,
    unknown: u32,
}

impl Packing {
    fn new(order: usize, vocab: usize) -> Self {
        // One symbol more for nothing, one for tokens beyond the vocabulary.
        let unknown = vocab.clamp(1, u32::MAX as usize - 2) as u32;
        let bits = (u32::BITS - (unknown + 1).leading_zeros()) as usize;
        Self { order: order.clamp(1, 128 / bits), bits, unknown }
    }

    fn symbol(self, token: u32) -> u32 {
        token.min(self.unknown) + 1
    }

    fn token(self, symbol: u32) -> u32 {
        symbol.saturating_sub(1)
    }

    /// How often each n-gram of the highest order occurs, and of those behind a boundary each that is as long as can be.
    fn count<'a>(self, streams: impl Iterator<Item = &'a [u32]>) -> Counted {
        let mut grams = Vec::new();
        for stream in streams {
            let mut context = self.start();
            for &token in stream {
                grams.push(self.gram(context, token));
                context = self.next(context, token);
            }
        }
        grams.par_sort_unstable();
        run_lengths(&grams)
    }

    /// The context of a first token.
    fn start(self) -> u128 {
        self.next(0, BOUNDARY)
    }

    fn next(self, context: u128, token: u32) -> u128 {
        let before = if token == BOUNDARY { 0 } else { context };
        self.gram(before, token) & low_bits((self.order - 1) * self.bits)
    }

    fn gram(self, context: u128, token: u32) -> u128 {
        (context << self.bits) | u128::from(self.symbol(token))
    }

    /// The last `n` tokens of a context, if it has as many.
    fn last(self, context: u128, n: usize) -> Option<u128> {
        let last = context & low_bits(n * self.bits);
        (n == 0 || last >> ((n - 1) * self.bits) != 0).then_some(last)
    }

    fn length(self, gram: u128) -> usize {
        ((u128::BITS - gram.leading_zeros()) as usize).div_ceil(self.bits)
    }
}

fn low_bits(n: usize) -> u128 {
    1u128.checked_shl(n as u32).map_or(u128::MAX, |bit| bit - 1)
}

/// Different n-grams of one order, sorted, and a count of each.
pub(crate) type Counted = (Vec<u128>, Vec<u32>);

pub(crate) fn run_lengths(sorted: &[u128]) -> Counted {
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.map(|run| (run[0], u32::try_from(run.len()).unwrap_or(u32::MAX))).unzip()
}

/// The levels of all orders from how often each n-gram of the highest was seen. Those that begin with the boundary
/// may be shorter. `None` where the levels have more than `most` n-grams.
fn levels(packing: Packing, (grams, counts): Counted, most: usize) -> Option<Vec<Level>> {
    // The number of a shorter n-gram is smaller, so each length is a range.
    let mut ends: Vec<usize> =
        (1..packing.order).map(|k| grams.partition_point(|&gram| packing.length(gram) <= k)).collect();
    ends.push(grams.len());
    let range = |k: usize| if k == 1 { 0..ends[0] } else { ends[k - 2]..ends[k - 1] };
    let (mut levels, mut left) = (Vec::with_capacity(packing.order), most);
    let mut above: Vec<u128> = Vec::new();
    for k in (1..=packing.order).rev() {
        let mask = low_bits(k * packing.bits);
        let mut suffixes: Vec<u128> = above.iter().map(|gram| gram & mask).collect();
        suffixes.par_sort_unstable();
        let begun = (&grams[range(k)], &counts[range(k)]);
        let counted = merged(run_lengths(&suffixes), begun);
        left = left.checked_sub(counted.0.len())?;
        levels.push(Level::new(packing, &counted));
        above = counted.0;
    }
    levels.reverse();
    Some(levels)
}

/// One sorted list of two that share no n-gram.
fn merged(a: Counted, (grams, counts): (&[u128], &[u32])) -> Counted {
    let mut all: Vec<(u128, u32)> =
        a.0.into_iter().zip(a.1).chain(grams.iter().copied().zip(counts.iter().copied())).collect();
    // Two sorted runs one after the other: this merges them.
    all.sort_by_key(|&(gram, _)| gram);
    all.into_iter().unzip()
}

/// The n-grams of one order by context.
#[derive(Debug)]
struct Level {
    /// Different contexts, packed and sorted; tokens after context i are `starts[i]..starts[i + 1]`.
    contexts: Vec<u128>,
    starts: Vec<u32>,
    tokens: Vec<u32>,
    counts: Vec<u32>,
    /// A(c) and γ(c).
    totals: Vec<f64>,
    gamma: Vec<f64>,
    discounts: [f64; 3],
    index: Index,
}

impl Level {
    fn new(packing: Packing, (grams, counts): &Counted) -> Self {
        let discounts = discounts(counts);
        let mut level = Self {
            contexts: Vec::new(),
            starts: vec![0],
            tokens: grams.iter().map(|gram| (gram & low_bits(packing.bits)) as u32).collect(),
            counts: counts.clone(),
            totals: Vec::new(),
            gamma: Vec::new(),
            discounts,
            index: Index::default(),
        };
        for run in grams.chunk_by(|a, b| a >> packing.bits == b >> packing.bits) {
            let start = level.starts.last().map_or(0, |&start| start as usize);
            let counts = &counts[start..start + run.len()];
            let total = counts.iter().map(|&a| f64::from(a)).sum::<f64>();
            let taken = counts.iter().map(|&a| discount(discounts, a)).sum::<f64>();
            level.contexts.push(run[0] >> packing.bits);
            level.starts.push((start + run.len()) as u32);
            level.totals.push(total);
            level.gamma.push(taken / total);
        }
        level.index = Index::new(&level.contexts);
        level
    }

    fn find(&self, context: u128) -> Option<usize> {
        self.index.find(&self.contexts, context)
    }

    fn range(&self, context: usize) -> std::ops::Range<usize> {
        self.starts[context] as usize..self.starts[context + 1] as usize
    }

    /// Where a token stands among those after a context.
    fn place(&self, context: usize, symbol: u32) -> Option<usize> {
        let range = self.range(context);
        let place = self.tokens[range.clone()].binary_search(&symbol).ok()?;
        Some(range.start + place)
    }

    /// max(a − D, 0) / A of a token after a context.
    fn discounted(&self, context: usize, symbol: u32) -> f64 {
        self.place(context, symbol).map_or(0.0, |place| self.share(context, place))
    }

    /// The same of the token at a place.
    fn share(&self, context: usize, place: usize) -> f64 {
        let a = self.counts[place];
        (f64::from(a) - discount(self.discounts, a)) / self.totals[context]
    }

    /// The symbol at place `u` of the distribution; `None` in the part that the shorter context has.
    fn draw(&self, context: usize, u: f64) -> Option<u32> {
        let mut rest = u * self.totals[context];
        self.range(context).find_map(|place| {
            let a = self.counts[place];
            rest -= f64::from(a) - discount(self.discounts, a);
            (rest < 0.0).then(|| self.tokens[place])
        })
    }
}

fn discount(discounts: [f64; 3], count: u32) -> f64 {
    // A count of at least 1 is never discounted to below 0: `discounts` sees to it.
    discounts[(count.clamp(1, 3) - 1) as usize]
}

/// D1, D2, D3+ from the counts of counts.
fn discounts(counts: &[u32]) -> [f64; 3] {
    let mut n = [0.0f64; 4];
    counts.iter().filter(|&&a| (1..=4).contains(&a)).for_each(|&a| n[a as usize - 1] += 1.0);
    let y = n[0] / (n[0] + 2.0 * n[1]);
    let found = [0, 1, 2].map(|i| (i + 1) as f64 - (i + 2) as f64 * y * n[i + 1] / n[i]);
    let sound = found.iter().zip(1u32..).all(|(&d, count)| d > 0.0 && d < f64::from(count));
    if sound { found } else { USUAL_DISCOUNTS }
}

/// Where a context stands among the sorted ones: open addressing, half full at most.
#[derive(Debug, Default)]
struct Index {
    /// Places plus one; 0 is free.
    slots: Vec<u32>,
}

impl Index {
    fn new(keys: &[u128]) -> Self {
        let mut index = Self { slots: vec![0; (2 * keys.len()).next_power_of_two()] };
        for (place, &key) in keys.iter().enumerate() {
            let mut slot = index.slot(key);
            while index.slots[slot] != 0 {
                slot = (slot + 1) & (index.slots.len() - 1);
            }
            index.slots[slot] = place as u32 + 1;
        }
        index
    }

    fn find(&self, keys: &[u128], key: u128) -> Option<usize> {
        let mut slot = self.slot(key);
        loop {
            let place = (*self.slots.get(slot)?).checked_sub(1)? as usize;
            if keys[place] == key {
                return Some(place);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The high bits of a product with an odd constant, of both halves.
    fn slot(&self, key: u128) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (key as u64).wrapping_mul(ODD) ^ ((key >> 64) as u64).wrapping_add(ODD);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(ODD);
        (mixed >> 20) as usize & self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests;
