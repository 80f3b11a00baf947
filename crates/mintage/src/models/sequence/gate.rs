//! How much counts tell beside a network, by what is known before a token comes.
//!
//! ```text
//! p = (1 − λ) p_network + λ p_counts      λ of a cell: tokens of the longest context that was counted,
//!                                         how often it was seen, how sure the network is
//! λ ← (Σ_t λ p_counts / p + κ λ_above) / (T + κ)
//! ```
//!
//! That is interpolation with weights that depend on counts, by EM over tokens that neither was learned from (Jelinek and
//! Mercer, "Interpolated estimation of Markov source parameters from sparse data", 1980); mixing a neural model with counts
//! helps where either is surer than the other (Li et al., arXiv:2210.14431). A cell of few tokens keeps to λ_above, that of all
//! tokens whose context is as long and as frequent, that one to all whose context is as long, and that to all tokens.

use std::ops::Range;

use super::ngram::Known;

/// How often a context was seen: from each of these on, another cell.
const SEEN: [f64; 4] = [2.0, 4.0, 16.0, 64.0];
/// The same for the probability of the token that the network finds likeliest.
const SURE: [f32; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];
const SEEN_CELLS: usize = SEEN.len() + 1;
const SURE_CELLS: usize = SURE.len() + 1;
/// κ: tokens that the weight above counts for.
const PRIOR_TOKENS: f64 = 20.0;
/// λ before anything is known.
const FIRST_WEIGHT: f64 = 0.5;
/// Rounds of EM: what is left to move after them is far below what chance does to a weight.
const ROUNDS: usize = 40;
/// Tokens in a row that one half of a cross-validation has.
const BLOCK_TOKENS: usize = 256;

/// What network and counts say of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Where its weight stands.
    pub cell: usize,
    /// Its probability by the network.
    pub network: f64,
    /// The same by counts.
    pub counts: f64,
}

impl Evidence {
    /// `−log p` of a token that has these probabilities: nats.
    pub fn nats(self, weight: f64) -> f64 {
        let both = (1.0 - weight) * self.network + weight * self.counts;
        -both.max(f64::MIN_POSITIVE).ln()
    }
}

/// The cell of what is known before a token comes: its context, and the probability of the token that the network finds
/// likeliest.
pub fn cell(known: Known, top: f32) -> usize {
    let seen = SEEN.iter().filter(|&&least| known.total >= least).count();
    let sure = SURE.iter().filter(|&&least| top >= least).count();
    (known.tokens * SEEN_CELLS + seen) * SURE_CELLS + sure
}

/// Weights of counts by cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    weights: Vec<f64>,
}

impl Gate {
    /// Learns weights of n-grams of up to `order` tokens from tokens that neither network nor counts have seen.
    pub fn learn(order: usize, mut tokens: Vec<Evidence>) -> Self {
        let sizes = [order, SEEN_CELLS, SURE_CELLS];
        let mut gate = Self { weights: vec![FIRST_WEIGHT; sizes.iter().product()] };
        // In the order of their cells, whatever is above them has a stretch of its own. The sort is stable.
        tokens.sort_by_key(|token| token.cell);
        gate.fill(&tokens, 0..gate.weights.len(), FIRST_WEIGHT, &sizes);
        gate
    }

    /// Weights of some cells from their tokens and the weight above; `sizes` says into how many each is parted further.
    fn fill(&mut self, tokens: &[Evidence], cells: Range<usize>, above: f64, sizes: &[usize]) {
        let weight = weight(tokens, above);
        let Some((&parts, sizes)) = sizes.split_first() else {
            self.weights[cells].fill(weight);
            return;
        };
        let each = cells.len() / parts.max(1);
        for part in 0..parts {
            let start = cells.start + part * each;
            let place = |cell: usize| tokens.partition_point(|token| token.cell < cell);
            let own = &tokens[place(start)..place(start + each)];
            self.fill(own, start..start + each, weight, sizes);
        }
    }

    /// The weight of a cell.
    pub fn weight(&self, cell: usize) -> f64 {
        self.weights.get(cell).copied().unwrap_or(0.0)
    }

    /// `−log p` of all tokens by both: nats.
    pub fn nats(&self, tokens: &[Evidence]) -> f64 {
        tokens.iter().map(|token| token.nats(self.weight(token.cell))).sum()
    }

    /// Adds its weights as bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.weights.iter().flat_map(|weight| weight.to_le_bytes()));
    }

    /// Takes weights of n-grams of up to `order` tokens from the front of bytes; `None` where they are none.
    pub fn read(bytes: &mut &[u8], order: usize) -> Option<Self> {
        let (own, rest) = bytes.split_at_checked(order * SEEN_CELLS * SURE_CELLS * size_of::<f64>())?;
        *bytes = rest;
        let (each, _) = own.as_chunks::<8>();
        let weights: Vec<f64> = each.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
        weights.iter().all(|weight| (0.0..=1.0).contains(weight)).then_some(Self { weights })
    }
}

/// The weight of some tokens by EM, which begins at the weight above and is drawn towards it.
fn weight(tokens: &[Evidence], above: f64) -> f64 {
    let mut weight = above;
    for _ in 0..ROUNDS {
        let by_counts = |token: &Evidence| {
            let counts = weight * token.counts;
            counts / (counts + (1.0 - weight) * token.network).max(f64::MIN_POSITIVE)
        };
        let sum: f64 = tokens.iter().map(by_counts).sum();
        weight = (sum + PRIOR_TOKENS * above) / (tokens.len() as f64 + PRIOR_TOKENS);
    }
    weight
}

/// `−log p` of all tokens in nats, each half of them by weights that were learned from the other.
pub fn cross_validated(order: usize, tokens: &[Evidence]) -> f64 {
    let half = |which: usize| -> Vec<Evidence> {
        tokens.chunks(BLOCK_TOKENS).skip(which).step_by(2).flatten().copied().collect()
    };
    let (a, b) = (half(0), half(1));
    Gate::learn(order, b.clone()).nats(&a) + Gate::learn(order, a).nats(&b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_nn::Rng;

    use super::*;

    /// Tokens of two cells: in one counts are right, in the other the network is.
    fn tokens(n: usize) -> Vec<Evidence> {
        let mut rng = Rng::new(1, 0);
        let frequent = cell(Known { tokens: 4, total: 100.0 }, 0.3);
        let rare = cell(Known { tokens: 1, total: 1.0 }, 0.8);
        let token = |at: usize| {
            let (good, bad) = (0.5 + 0.4 * f64::from(rng.uniform()), 0.1 * f64::from(rng.uniform()) + 0.01);
            match at % 2 {
                0 => Evidence { cell: frequent, network: bad, counts: good },
                _ => Evidence { cell: rare, network: good, counts: bad },
            }
        };
        (0..n).map(token).collect()
    }

    #[test]
    fn each_cell_takes_the_better_of_both() {
        let tokens = tokens(4_000);
        let gate = Gate::learn(5, tokens.clone());
        assert!(gate.weight(tokens[0].cell) > 0.9 && gate.weight(tokens[1].cell) < 0.1, "{gate:?}");
        let nats = |weight: f64| tokens.iter().map(|token| token.nats(weight)).sum::<f64>();
        let best = tokens.iter().map(|token| -token.network.max(token.counts).ln()).sum::<f64>();
        assert!(gate.nats(&tokens) < 0.5 * nats(0.0).min(nats(1.0)).min(nats(0.5)));
        assert!(gate.nats(&tokens) < best + 0.1 * tokens.len() as f64);
        let crossed = cross_validated(5, &tokens);
        assert!((crossed / gate.nats(&tokens) - 1.0).abs() < 0.02, "{crossed}");
    }

    #[test]
    fn cells_of_few_tokens_keep_to_those_above() {
        let mut all = tokens(2_000);
        // Nothing is known of the cell beside, but that its context is as long and as frequent.
        let beside = cell(Known { tokens: 4, total: 100.0 }, 0.95);
        let gate = Gate::learn(5, all.clone());
        assert!(gate.weight(beside) > 0.9, "{gate:?}");
        all.push(Evidence { cell: beside, network: 0.9, counts: 0.01 });
        assert!(Gate::learn(5, all).weight(beside) > 0.8);
        assert_eq!(Gate::learn(5, Vec::new()).weight(beside), FIRST_WEIGHT);
        assert_eq!(gate.weight(usize::MAX), 0.0);
    }

    #[test]
    fn a_network_that_knows_nothing_leaves_all_to_counts() {
        let blind = |at: usize| Evidence { cell: at % 150, network: 1e-9, counts: 0.3 };
        let gate = Gate::learn(5, (0..600).map(blind).collect());
        assert!((0..150).all(|cell| gate.weight(cell) > 0.95), "{gate:?}");
    }

    #[test]
    fn bytes_give_the_same_weights() {
        let gate = Gate::learn(3, tokens(500));
        let mut bytes = Vec::new();
        gate.write(&mut bytes);
        bytes.push(7);
        let mut rest = &bytes[..];
        assert_eq!(Gate::read(&mut rest, 3).unwrap(), gate);
        assert_eq!(rest, [7]);
        assert!(Gate::read(&mut &bytes[..], 4).is_none());
        bytes[..8].copy_from_slice(&f64::NAN.to_le_bytes());
        assert!(Gate::read(&mut &bytes[..], 3).is_none());
    }
}
