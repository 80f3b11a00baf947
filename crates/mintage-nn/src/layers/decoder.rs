//! A transformer over tokens as it is built today: rotary positions (Su et al., arXiv:2104.09864), normalised queries
//! and keys (Henry et al., arXiv:2010.04245), root-mean-square norms before every branch (Zhang & Sennrich,
//! arXiv:1910.07467), gated perceptrons (Shazeer, arXiv:2002.05202), one table for tokens that come in and go out
//! (Press & Wolf, arXiv:1608.05859), no biases.
//!
//! Every position may carry a class and places in periods (a voice, a bar), whose vectors are added to that of its token,
//! and a vector of its own from outside.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use serde::{Deserialize, Serialize};

use super::{Embedding, KvCache, Linear, RmsNorm};
use crate::{
    Rng,
    kernels::{self, KvLayer, NONE},
};

/// Size of a [`Decoder`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderConfig {
    pub layers: usize,
    /// The width of a head, `width / heads`, is even.
    pub heads: usize,
    pub width: usize,
    /// Width inside the gated perceptrons.
    pub hidden: usize,
    /// Number of tokens.
    pub vocab: usize,
    /// Number of classes to condition on; 0 for none.
    pub classes: usize,
    /// Periods in which every position has a place, such as a bar; 0 for none.
    pub periods: [usize; 2],
    /// Whether a position sees only those up to itself.
    pub causal: bool,
}

/// The tokens of `n` sequences of equal length, one sequence after another.
#[derive(Clone, Copy, Debug)]
pub struct Positions<'a> {
    pub n: usize,
    /// Each a token, or [`NONE`] for a position that has none.
    pub tokens: &'a [u32],
    /// The class of each position or [`NONE`]; nothing where there are no classes.
    pub classes: &'a [u32],
    /// The place of each position in every period there is, one after another, or [`NONE`].
    pub period_positions: &'a [u32],
}

/// See the module.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Vectors of all tokens, then of all classes, then of the places of either period.
    embed: Embedding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    #[module(skip)]
    config: DecoderConfig,
}

#[derive(Module, Debug)]
struct Block {
    norm1: RmsNorm,
    qkv: Linear,
    out: Linear,
    norm2: RmsNorm,
    up: Linear,
    down: Linear,
}

/// Dropout of one training step.
struct Dropping<'a> {
    share: f64,
    rng: Option<&'a mut Rng>,
}

impl Dropping<'_> {
    fn apply(&mut self, x: Tensor<2>) -> Tensor<2> {
        match &mut self.rng {
            Some(rng) if self.share > 0.0 => kernels::dropout(x, self.share, rng.next_u64() as u32),
            _ => x,
        }
    }
}

impl Decoder {
    pub fn new(config: DecoderConfig, device: &Device, rng: &mut Rng) -> Self {
        let DecoderConfig { layers, width, hidden, vocab, classes, .. } = config;
        // Branches begin silent: at first every position says what its token says.
        let blocks = (0..layers).map(|_| Block {
            norm1: RmsNorm::new(width, device),
            qkv: Linear::unbiased(width, 3 * width, 1.0, device, rng),
            out: Linear::unbiased(width, width, 0.0, device, rng),
            norm2: RmsNorm::new(width, device),
            up: Linear::unbiased(width, 2 * hidden, 1.0, device, rng),
            down: Linear::unbiased(hidden, width, 0.0, device, rng),
        });
        let blocks = blocks.collect();
        // Normalised rows have length √width: logits begin with about half a unit of spread.
        let entries = vocab + classes + config.periods.iter().sum::<usize>();
        let embed = Embedding::new(entries, width, 0.5 / (width as f32).sqrt(), device, rng);
        Self { embed, blocks, norm: RmsNorm::new(width, device), config }
    }

    pub fn config(&self) -> DecoderConfig {
        self.config
    }

    /// Where the weights lie.
    pub fn device(&self) -> Device {
        self.norm.gain.val().device()
    }

    /// Whether a name is that of a matrix between hidden layers.
    pub fn is_hidden(name: &str) -> bool {
        name.starts_with("blocks.") && name.ends_with(".weight")
    }

    /// What every position holds at the end: `[n · time, width]`.
    pub fn forward(&self, at: Positions, beside: Option<Tensor<2>>) -> Tensor<2> {
        self.run(at, beside, Dropping { share: 0.0, rng: None })
    }

    /// The same in training, with dropout on every branch.
    pub fn forward_train(
        &self,
        at: Positions,
        beside: Option<Tensor<2>>,
        share: f64,
        rng: &mut Rng,
    ) -> Tensor<2> {
        self.run(at, beside, Dropping { share, rng: Some(rng) })
    }

    fn run(&self, at: Positions, beside: Option<Tensor<2>>, mut dropping: Dropping) -> Tensor<2> {
        let mut x = dropping.apply(self.input(at, beside));
        for block in &self.blocks {
            x = block.forward(x, at.n, self.config, &mut dropping).0;
        }
        self.norm.forward(x)
    }

    /// Logits of the next token from what positions hold: `[rows, width] → [rows, vocab]`.
    pub fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        let tokens = self.embed.weight.val().narrow(0, 0, self.config.vocab);
        kernels::linear(x, tokens.transpose(), None)
    }

    /// Vectors of positions before the first block.
    fn input(&self, at: Positions, beside: Option<Tensor<2>>) -> Tensor<2> {
        let DecoderConfig { vocab, classes, periods, .. } = self.config;
        let kinds = periods.iter().filter(|&&period| period > 0).count();
        let with_class = classes > 0 && !at.classes.is_empty();
        let fields = 1 + usize::from(with_class) + kinds;
        let place = |index: u32, first: usize| if index == NONE { NONE } else { first as u32 + index };
        let mut entries = Vec::with_capacity(at.tokens.len() * fields);
        for (i, &token) in at.tokens.iter().enumerate() {
            entries.push(token);
            if with_class {
                entries.push(place(at.classes[i], vocab));
            }
            let firsts = [vocab + classes, vocab + classes + periods[0]];
            let period_positions = at.period_positions[i * kinds..(i + 1) * kinds].iter().zip(firsts);
            entries.extend(period_positions.map(|(&phase, first)| place(phase, first)));
        }
        let x = self.embed.bag(&Arc::new(entries), fields);
        match beside {
            Some(beside) => kernels::add(x, beside),
            None => x,
        }
    }

    /// Reads the first positions of `n` sequences into an empty cache; what the last of each holds: `[n, width]`.
    pub fn read(&self, at: Positions, beside: Option<Tensor<2>>, cache: &mut KvCache) -> Tensor<2> {
        let (n, time) = (at.n, at.tokens.len() / at.n);
        let mut x = self.input(at, beside);
        cache.layers.clear();
        for block in &self.blocks {
            let (y, qkv) = block.forward(x, n, self.config, &mut Dropping { share: 0.0, rng: None });
            cache.layers.push(KvLayer::of(qkv, n, self.config.heads));
            x = y;
        }
        cache.time = time;
        let last = Tensor::cat((0..n).map(|row| x.clone().narrow(0, row * time + time - 1, 1)).collect(), 0);
        self.norm.forward(last)
    }

    /// What the next position of each of `n` sequences holds, one token each: `[n, width]`.
    pub fn next(&self, at: Positions, beside: Option<Tensor<2>>, cache: &mut KvCache) -> Tensor<2> {
        let mut x = self.input(at, beside);
        cache.layers.resize_with(self.blocks.len(), Default::default);
        for (block, layer) in self.blocks.iter().zip(&mut cache.layers) {
            x = block.next(x, self.config.heads, cache.time, layer);
        }
        cache.time += 1;
        self.norm.forward(x)
    }
}

impl Block {
    /// Also the rows of queries, keys and values as attention sees them.
    fn forward(
        &self,
        x: Tensor<2>,
        n: usize,
        config: DecoderConfig,
        dropping: &mut Dropping,
    ) -> (Tensor<2>, Tensor<2>) {
        let time = x.dims()[0] / n.max(1);
        let qkv = self.qkv.forward(self.norm1.forward(x.clone())); // [n·time, 3·width]
        let qkv = kernels::rotate_heads(qkv, time, config.heads, 0);
        let y = kernels::self_attention(qkv.clone(), n, config.heads, config.causal); // [n·time, width]
        let x = kernels::add(x, dropping.apply(self.out.forward(y)));
        let y = dropping.apply(self.perceptron(x.clone()));
        (kernels::add(x, y), qkv)
    }

    fn next(&self, x: Tensor<2>, heads: usize, position: usize, cache: &mut KvLayer) -> Tensor<2> {
        let qkv = self.qkv.forward(self.norm1.forward(x.clone()));
        let qkv = kernels::rotate_heads(qkv, 1, heads, position);
        let x = kernels::add(x, self.out.forward(kernels::attend_next(qkv, heads, cache)));
        let y = self.perceptron(x.clone());
        kernels::add(x, y)
    }

    fn perceptron(&self, x: Tensor<2>) -> Tensor<2> {
        self.down.forward(kernels::swiglu(self.up.forward(self.norm2.forward(x))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::to_vec;

    fn config(causal: bool) -> DecoderConfig {
        DecoderConfig {
            layers: 2,
            heads: 2,
            width: 16,
            hidden: 24,
            vocab: 7,
            classes: 3,
            periods: [2, 3],
            causal,
        }
    }

    /// Branches that are not silent.
    fn decoder(causal: bool) -> Decoder {
        let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
        let mut net = Decoder::new(config(causal), &device, &mut rng);
        for block in &mut net.blocks {
            block.out = Linear::unbiased(16, 16, 1.0, &device, &mut rng);
            block.down = Linear::unbiased(24, 16, 1.0, &device, &mut rng);
        }
        net
    }

    const TOKENS: [u32; 10] = [1, 2, 3, 4, 5, 6, 5, 4, 3, 2];
    const CLASSES: [u32; 10] = [0, 0, 0, 2, 2, NONE, NONE, 1, 1, 1];
    /// Places in periods of two and three.
    const PHASES: [u32; 20] = [0, 0, 1, 1, 0, 2, 1, 0, 0, 1, 1, 2, 0, 0, 1, 1, NONE, 2, 1, 0];

    #[test]
    fn cached_steps_equal_the_whole_sequence() {
        let net = decoder(true);
        let whole = Positions { n: 2, tokens: &TOKENS, classes: &CLASSES, period_positions: &PHASES };
        let whole = to_vec(&net.logits(net.forward(whole, None)));
        // The first `known` positions at once, the others one by one.
        for known in 0..5 {
            let of = |all: &[u32], t: std::ops::Range<usize>| -> Vec<u32> {
                let each = all.len() / 10;
                all.chunks(5 * each).flat_map(|row| row[t.start * each..t.end * each].to_vec()).collect()
            };
            let mut cache = KvCache::default();
            for t in known.max(1) - 1..5 {
                let first = t + 1 == known;
                let range = if first { 0..known } else { t..t + 1 };
                let [tokens, classes, period_positions] =
                    [&TOKENS[..], &CLASSES, &PHASES].map(|all| of(all, range.clone()));
                let at = Positions {
                    n: 2,
                    tokens: &tokens,
                    classes: &classes,
                    period_positions: &period_positions,
                };
                let x = if first { net.read(at, None, &mut cache) } else { net.next(at, None, &mut cache) };
                let step = to_vec(&net.logits(x));
                for (row, k) in (0..2).flat_map(|row| (0..7).map(move |k| (row, k))) {
                    let (a, b) = (step[row * 7 + k], whole[(row * 5 + t) * 7 + k]);
                    assert!((a - b).abs() < 1e-4, "t {t} row {row} k {k}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn what_comes_later_shows_only_without_causality() {
        for causal in [true, false] {
            let net = decoder(causal);
            let mut changed = TOKENS;
            changed[4] = 0;
            let [a, b] = [TOKENS, changed].map(|tokens| {
                let at = Positions { n: 2, tokens: &tokens, classes: &CLASSES, period_positions: &PHASES };
                to_vec(&net.forward(at, None))[..4 * 16].to_vec()
            });
            assert_eq!(a == b, causal);
        }
    }
}
