//! Vectors that a transformer looks up by its tokens in every block, beside those that come in. They take memory and
//! hardly any arithmetic, and know what a small network has no room for.
//!
//! ```text
//! x ← λ_i x + μ_i x_0 + β_i B[x_{t−1}, x_t]     before block i
//! v_h ← v_h + γ_ih V_i[x_t]                      in every second block, the last one among them
//! ```
//!
//! `V_i` has a row for every token, so that attention need not carry it through the blocks (as value residuals do, Zhou et
//! al., arXiv:2410.17897). `B` has one for every pair of neighbouring tokens where there are few tokens; otherwise pairs
//! share rows by a hash (Svenstrup et al., arXiv:1709.03933). The first position of a sequence has no pair, nor has one
//! beside a position without a token.
//!
//! `λ = 1` and `μ = 0` at first, and all tables are zero: a network begins as one without them.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};

use super::{Embedding, basic::constant_param, parameter::parameter};
use crate::kernels::{self, NONE};

/// Rows of the table of pairs for each token, where not every pair has its own.
const PAIR_ROWS_A_TOKEN: usize = 5;
const MIN_PAIR_ROWS: usize = 8_192;
const MAX_PAIR_ROWS: usize = 65_521;
/// `β` at first. A table of zeros would learn nothing beside a weight of zero.
const PAIR_WEIGHT: f32 = 0.5;

/// The tables of all blocks.
#[derive(Module, Debug)]
pub(super) struct Lookup {
    pairs: Embedding,
    blocks: Vec<BlockLookup>,
    #[module(skip)]
    vocab: usize,
}

#[derive(Module, Debug)]
struct BlockLookup {
    /// `λ`, `μ` and `β`.
    mix: Param<Tensor<1>>,
    values: Option<ValueTable>,
}

#[derive(Module, Debug)]
struct ValueTable {
    table: Embedding,
    /// `γ` of each head.
    gates: Param<Tensor<1>>,
}

/// What was looked up for some positions; nothing where there are no tables.
pub(super) struct Found<'a>(Option<Vectors<'a>>);

struct Vectors<'a> {
    lookup: &'a Lookup,
    /// `x_0`
    first: Tensor<2>,
    pairs: Tensor<2>,
    tokens: Arc<Vec<u32>>,
}

impl Lookup {
    /// Tables for a transformer of `layers` blocks over `vocab` tokens.
    pub fn new(layers: usize, heads: usize, width: usize, vocab: usize, device: &Device) -> Self {
        let values = || ValueTable {
            table: Embedding::zeros(vocab, width, device),
            gates: constant_param([heads], 1.0, device),
        };
        let block = |i: usize| BlockLookup {
            mix: parameter([3], device, || {
                Tensor::from_data(TensorData::new(vec![1.0f32, 0.0, PAIR_WEIGHT], [3]), device)
            }),
            values: (layers - 1 - i).is_multiple_of(2).then(values),
        };
        let blocks = (0..layers).map(block).collect();
        Self { pairs: Embedding::zeros(pair_rows(vocab), width, device), blocks, vocab }
    }
}

impl<'a> Found<'a> {
    /// What `lookup` says of the tokens of `n` sequences, one after another. `before` has the token of each that came last,
    /// where there was one; `first` are the vectors that come in, and `drop` is the dropout of those of pairs.
    pub fn new(
        lookup: Option<&'a Lookup>,
        n: usize,
        tokens: &[u32],
        before: &[u32],
        first: &Tensor<2>,
        drop: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Self {
        Self(lookup.map(|lookup| {
            let pairs = Arc::new(pairs(tokens, n, before, lookup.vocab));
            Vectors {
                lookup,
                first: first.clone(),
                pairs: drop(lookup.pairs.bag(&pairs, 1)),
                tokens: Arc::new(tokens.to_vec()),
            }
        }))
    }

    /// What goes into a block, from what came out of the one before.
    pub fn stream(&self, block: usize, x: Tensor<2>) -> Tensor<2> {
        let Some(Vectors { lookup, first, pairs, .. }) = &self.0 else { return x };
        kernels::weighted_sum([x, first.clone(), pairs.clone()], lookup.blocks[block].mix.val())
    }

    /// Queries, keys and values of a block with what is added to the values.
    pub fn values(&self, block: usize, qkv: Tensor<2>) -> Tensor<2> {
        let Some(Vectors { lookup, tokens, .. }) = &self.0 else { return qkv };
        match &lookup.blocks[block].values {
            Some(ValueTable { table, gates }) => {
                kernels::add_to_values(qkv, table.bag(tokens, 1), gates.val())
            }
            None => qkv,
        }
    }
}

/// Rows of the table of pairs.
fn pair_rows(vocab: usize) -> usize {
    let shared = PAIR_ROWS_A_TOKEN.saturating_mul(vocab).clamp(MIN_PAIR_ROWS, MAX_PAIR_ROWS);
    vocab.saturating_mul(vocab).min(shared)
}

/// The row of each position's pair, or [`NONE`].
fn pairs(tokens: &[u32], n: usize, before: &[u32], vocab: usize) -> Vec<u32> {
    let time = (tokens.len() / n.max(1)).max(1);
    let mut rows = Vec::with_capacity(tokens.len());
    for (sequence, tokens) in tokens.chunks(time).enumerate() {
        let mut previous = before.get(sequence).copied().unwrap_or(NONE);
        for &token in tokens {
            rows.push(pair_row(previous, token, vocab));
            previous = token;
        }
    }
    rows
}

fn pair_row(previous: u32, token: u32, vocab: usize) -> u32 {
    if previous == NONE || token == NONE {
        return NONE;
    }
    let (rows, vocab) = (pair_rows(vocab) as u64, vocab as u64);
    let pair = u64::from(previous) * vocab + u64::from(token);
    let row = if rows == vocab.saturating_mul(vocab) { pair } else { hash(pair) % rows };
    row as u32
}

/// The finaliser of SplitMix64 (Steele et al., 2014).
fn hash(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
impl Lookup {
    /// Random numbers in place of those that a network begins with.
    pub fn randomise(&mut self, device: &Device, rng: &mut crate::Rng) {
        use super::basic::normal_param;
        let [rows, width] = self.pairs.weight.val().dims();
        self.pairs.weight = normal_param([rows, width], 0.5, device, rng);
        for block in &mut self.blocks {
            block.mix = normal_param([3], 1.0, device, rng);
            if let Some(values) = &mut block.values {
                let [vocab, heads] = [values.table.weight.val().dims()[0], values.gates.val().dims()[0]];
                values.table.weight = normal_param([vocab, width], 1.0, device, rng);
                values.gates = normal_param([heads], 1.0, device, rng);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_few_tokens_has_a_row_of_its_own() {
        for vocab in [1, 2, 7, 90] {
            let pairs = (0..vocab as u32).flat_map(|a| (0..vocab as u32).map(move |b| (a, b)));
            let mut rows: Vec<u32> = pairs.map(|(a, b)| pair_row(a, b, vocab)).collect();
            rows.sort_unstable();
            assert!(rows.iter().copied().eq(0..(vocab * vocab) as u32), "{vocab}");
        }
    }

    #[test]
    fn pairs_of_many_tokens_share_rows_evenly() {
        for (vocab, rows) in [(300, 8_192), (4_096, 20_480), (60_000, 65_521), (usize::MAX, 65_521)] {
            assert_eq!(pair_rows(vocab), rows);
        }
        let mut counts = vec![0; pair_rows(300)];
        for (a, b) in (0..300).flat_map(|a| (0..300).map(move |b| (a, b))) {
            counts[pair_row(a, b, 300) as usize] += 1;
        }
        // Eleven a row.
        assert!(
            counts.iter().all(|count| *count < 40) && counts.iter().filter(|count| **count == 0).count() < 5
        );
    }

    #[test]
    fn a_pair_is_of_the_token_and_the_one_before() {
        let pair = |a: u32, b: u32| 10 * a + b;
        assert_eq!(
            pairs(&[1, 2, 3, 4, 5, 6], 2, &[], 10),
            [NONE, pair(1, 2), pair(2, 3), NONE, pair(4, 5), pair(5, 6)]
        );
        assert_eq!(pairs(&[1, 2], 2, &[9, NONE], 10), [pair(9, 1), NONE]);
        assert_eq!(pairs(&[1, NONE, 3, 4], 1, &[], 10), [NONE, NONE, NONE, pair(3, 4)]);
        assert_eq!(pairs(&[], 2, &[], 10), [0u32; 0]);
    }
}
