//! A transformer over tokens as it is built today: rotary positions (Su et al., arXiv:2104.09864), normalised queries
//! and keys (Henry et al., arXiv:2010.04245), root-mean-square norms before every branch (Zhang & Sennrich,
//! arXiv:1910.07467), gated perceptrons (Shazeer, arXiv:2002.05202), one table for tokens that come in and go out
//! (Press & Wolf, arXiv:1608.05859), no biases.
//!
//! Every position may carry a class and places in periods (a voice, a bar), whose vectors are added to that of its token,
//! and a vector of its own from outside. Tables that are looked up in every block may stand beside (`lookup.rs`).

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use serde::{Deserialize, Serialize};

use super::{
    Embedding, KvCache, Linear, RmsNorm,
    lookup::{Found, Lookup},
};
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
    /// Whether every block looks up vectors of its tokens, and of pairs of neighbouring ones.
    #[serde(default)]
    pub lookup: bool,
}

impl DecoderConfig {
    /// A causal transformer without classes, periods and tables, whose every vector comes from beside.
    pub fn of_size(layers: usize, heads: usize, width: usize) -> Self {
        let hidden = gated_width(width);
        Self {
            layers,
            heads,
            width,
            hidden,
            vocab: 1,
            classes: 0,
            periods: [0; 2],
            causal: true,
            lookup: false,
        }
    }
}

/// The usual width inside a gated perceptron: as many weights as four widths without a gate, in whole vectors.
pub fn gated_width(width: usize) -> usize {
    (width * 8 / 3).next_multiple_of(32)
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
    lookup: Option<Lookup>,
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
        let lookup = config.lookup.then(|| Lookup::new(layers, config.heads, width, vocab, device));
        Self { embed, blocks, norm: RmsNorm::new(width, device), lookup, config }
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

    /// Whether a name, maybe below others, is that of a table of which a step looks up a few rows.
    pub fn is_lookup(name: &str) -> bool {
        name.split('.').any(|part| part == "lookup") && name.ends_with(".weight")
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
        let found = self.found(at, &[], &x, &mut dropping);
        for (i, block) in self.blocks.iter().enumerate() {
            let values = |qkv| found.values(i, qkv);
            x = block.forward(found.stream(i, x), at.n, self.config, &mut dropping, values).0;
        }
        self.norm.forward(x)
    }

    /// What the tables say of some positions, whose vectors are `x` and before which the tokens `before` came last.
    fn found(&self, at: Positions, before: &[u32], x: &Tensor<2>, dropping: &mut Dropping) -> Found<'_> {
        Found::new(self.lookup.as_ref(), at.n, at.tokens, before, x, |pairs| dropping.apply(pairs))
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
        let (mut x, mut dropping) = (self.input(at, beside), Dropping { share: 0.0, rng: None });
        let found = self.found(at, &[], &x, &mut dropping);
        cache.layers.clear();
        for (i, block) in self.blocks.iter().enumerate() {
            let values = |qkv| found.values(i, qkv);
            let (y, qkv) = block.forward(found.stream(i, x), n, self.config, &mut dropping, values);
            cache.layers.push(KvLayer::of(qkv, n, self.config.heads));
            x = y;
        }
        cache.time = time;
        cache.last = at.tokens.chunks(time.max(1)).filter_map(|row| row.last().copied()).collect();
        let last = Tensor::cat((0..n).map(|row| x.clone().narrow(0, row * time + time - 1, 1)).collect(), 0);
        self.norm.forward(last)
    }

    /// What the next position of each of `n` sequences holds, one token each: `[n, width]`.
    pub fn next(&self, at: Positions, beside: Option<Tensor<2>>, cache: &mut KvCache) -> Tensor<2> {
        let mut x = self.input(at, beside);
        let found = self.found(at, &cache.last, &x, &mut Dropping { share: 0.0, rng: None });
        cache.layers.resize_with(self.blocks.len(), Default::default);
        for (i, (block, layer)) in self.blocks.iter().zip(&mut cache.layers).enumerate() {
            let values = |qkv| found.values(i, qkv);
            x = block.next(found.stream(i, x), self.config.heads, cache.time, layer, values);
        }
        cache.time += 1;
        cache.last = at.tokens.to_vec();
        self.norm.forward(x)
    }
}

impl Block {
    /// Also the rows of queries, keys and values as attention sees them. `values` may add to the values.
    fn forward(
        &self,
        x: Tensor<2>,
        n: usize,
        config: DecoderConfig,
        dropping: &mut Dropping,
        values: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let time = x.dims()[0] / n.max(1);
        let qkv = self.qkv.forward(self.norm1.forward(x.clone())); // [n·time, 3·width]
        let qkv = values(kernels::rotate_heads(qkv, time, config.heads, 0));
        let y = kernels::self_attention(qkv.clone(), n, config.heads, config.causal); // [n·time, width]
        let x = kernels::add(x, dropping.apply(self.out.forward(y)));
        let y = dropping.apply(self.perceptron(x.clone()));
        (kernels::add(x, y), qkv)
    }

    fn next(
        &self,
        x: Tensor<2>,
        heads: usize,
        position: usize,
        cache: &mut KvLayer,
        values: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let qkv = self.qkv.forward(self.norm1.forward(x.clone()));
        let qkv = values(kernels::rotate_heads(qkv, 1, heads, position));
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
    use crate::{AdamW, TensorMap, Trainable, optim, weights::to_vec};

    fn config(causal: bool, lookup: bool) -> DecoderConfig {
        DecoderConfig {
            layers: 3,
            heads: 2,
            width: 16,
            hidden: 24,
            vocab: 7,
            classes: 3,
            periods: [2, 3],
            causal,
            lookup,
        }
    }

    /// Branches and tables that are not silent.
    fn decoder(causal: bool, lookup: bool, device: &Device) -> Decoder {
        let mut rng = Rng::new(1, 0);
        let mut net = Decoder::new(config(causal, lookup), device, &mut rng);
        for block in &mut net.blocks {
            block.out = Linear::unbiased(16, 16, 1.0, device, &mut rng);
            block.down = Linear::unbiased(24, 16, 1.0, device, &mut rng);
        }
        if let Some(lookup) = &mut net.lookup {
            lookup.randomise(device, &mut rng);
        }
        net
    }

    const TOKENS: [u32; 10] = [1, 2, 3, 4, 5, 6, 5, 4, 3, 2];
    const CLASSES: [u32; 10] = [0, 0, 0, 2, 2, NONE, NONE, 1, 1, 1];
    /// Places in periods of two and three.
    const PHASES: [u32; 20] = [0, 0, 1, 1, 0, 2, 1, 0, 0, 1, 1, 2, 0, 0, 1, 1, NONE, 2, 1, 0];

    const WHOLE: Positions<'static> =
        Positions { n: 2, tokens: &TOKENS, classes: &CLASSES, period_positions: &PHASES };

    #[test]
    fn cached_steps_equal_the_whole_sequence() {
        // The first `known` positions at once, the others one by one.
        for (known, lookup) in (0..5).flat_map(|known| [(known, false), (known, true)]) {
            let net = decoder(true, lookup, &Device::flex());
            let whole = to_vec(&net.logits(net.forward(WHOLE, None)));
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
                    assert!((a - b).abs() < 1e-4, "t {t} row {row} k {k} lookup {lookup}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn what_comes_later_shows_only_without_causality() {
        for (causal, lookup) in [(true, false), (true, true), (false, false), (false, true)] {
            let net = decoder(causal, lookup, &Device::flex());
            let mut changed = TOKENS;
            changed[4] = 0;
            let [a, b] = [TOKENS, changed].map(|tokens| {
                let at = Positions { tokens: &tokens, ..WHOLE };
                to_vec(&net.forward(at, None))[..4 * 16].to_vec()
            });
            assert_eq!(a == b, causal);
        }
    }

    #[test]
    fn a_network_begins_as_one_without_tables() {
        let [without, with] = [false, true]
            .map(|lookup| Decoder::new(config(true, lookup), &Device::flex(), &mut Rng::new(1, 0)));
        let [a, b] = [&without, &with].map(|net| to_vec(&net.logits(net.forward(WHOLE, None))));
        assert_eq!(a, b);
        let [names, all] = [without, with].map(|net| optim::names(&net));
        let name = |(name, _): &(String, _)| name.clone();
        let [tables, others]: [Vec<String>; 2] = [true, false]
            .map(|is| all.iter().map(name).filter(|name| name.contains("lookup") == is).collect());
        assert_eq!(names.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), others);
        assert!(!tables.iter().any(|name| Decoder::is_hidden(name)), "{tables:?}");
        let looked_up = ["pairs.weight", "blocks.0.values.table.weight", "blocks.2.values.table.weight"];
        let wanted = looked_up.map(|name| format!("lookup.{name}"));
        let found: Vec<&String> = tables.iter().filter(|name| Decoder::is_lookup(name)).collect();
        assert!(found.into_iter().eq(&wanted), "{tables:?}");
        assert!(!others.iter().any(|name| Decoder::is_lookup(name)));
    }

    #[test]
    fn every_table_learns() {
        let device = Device::flex().autodiff();
        let net = decoder(true, true, &device);
        let loss = net.logits(net.forward(WHOLE, None)).powi_scalar(2).sum();
        let (before, mut train) = (to_map(&net), Trainable::new(net, AdamW::default()));
        assert!(train.update(loss, 0.01).is_ok());
        for (name, new) in to_map(train.net()).tensors {
            assert!(new.values.iter().all(|value| value.is_finite()), "{name}");
            assert!(!name.contains("lookup") || new.values != before.tensors[&name].values, "{name}");
        }
    }

    fn to_map(net: &Decoder) -> TensorMap {
        let mut map = TensorMap::default();
        map.insert_module("net", net);
        map
    }

    #[test]
    fn a_size_of_before_has_no_tables() {
        let with = config(true, true);
        let mut value = serde_json::json!(with);
        assert!(value.as_object_mut().is_some_and(|sizes| sizes.remove("lookup").is_some()));
        let read = serde_json::from_value::<DecoderConfig>(value);
        assert!(read.is_ok_and(|read| read == DecoderConfig { lookup: false, ..with }));
    }
}
