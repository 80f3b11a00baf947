//! What models of sequences share: from batches to losses, and the likelihood of documents of any length.

use std::{ops::Range, sync::Arc};

use burn::tensor::Tensor;
use mintage_data::sequence::{NO_TOKEN, SequenceBatch, SequenceInfo};
use mintage_nn::{
    Rng, kernels,
    layers::{Decoder, DecoderConfig, Positions},
    weights::{into_vec, to_vec},
};
use rayon::prelude::*;

use super::token_metrics;
use crate::events::Metrics;

/// Share of the training rows that lose their class.
const CLASSLESS: f32 = 0.1;
/// Rows that go through a network together when nothing is learned.
pub const EVAL_CHUNK_ROWS: usize = 16;
/// Positions of windows that go through a network together.
const MAX_TOLD_POSITIONS: usize = 4096;

/// Size of a network for sequences that sees what came before.
pub fn shape(info: &SequenceInfo, layers: usize, [heads, width, hidden]: [usize; 3]) -> DecoderConfig {
    let period = |i: usize| info.periods.get(i).copied().unwrap_or(0);
    let (vocab, classes, periods) = (info.vocab, info.classes.len(), [period(0), period(1)]);
    DecoderConfig { layers, heads, width, hidden, vocab, classes, periods, causal: true, lookup: false }
}

/// Inputs of a network and their targets, the tokens one place later.
pub struct Shifted {
    /// Number of rows.
    pub n: usize,
    /// Inputs: each row but for its last token, `[n · time]`.
    pub tokens: Vec<u32>,
    /// The class of each position or `NO_TOKEN`, `[n · time]`; nothing where there are no classes.
    pub classes: Vec<u32>,
    /// The place of each position in each period, `[n · time · periods]`.
    pub period_positions: Vec<u32>,
    /// Targets: each row but for its first token, `[n · time]`; `NO_TOKEN` after its end.
    pub targets: Arc<Vec<u32>>,
    /// 1 where there is a target, 0 elsewhere.
    pub weights: Arc<Vec<f32>>,
}

impl Shifted {
    /// Inputs and targets of a batch of rows of `time + 1` tokens.
    pub fn of(batch: &SequenceBatch) -> Self {
        let row = batch.time() + 1;
        // How many numbers each place has.
        let kinds = batch.period_positions.len() / batch.tokens.len().max(1);
        let inputs = |all: &[u32], each: usize| {
            let rows = all.chunks_exact((row * each).max(1));
            rows.flat_map(|row| &row[..row.len() - each]).copied().collect()
        };
        let targets: Vec<u32> = batch.tokens.chunks_exact(row).flat_map(|row| &row[1..]).copied().collect();
        let weights = targets.iter().map(|&target| f32::from(target != NO_TOKEN)).collect();
        Self {
            n: batch.n,
            tokens: inputs(&batch.tokens, 1),
            classes: inputs(&batch.classes, 1),
            period_positions: inputs(&batch.period_positions, kinds),
            targets: Arc::new(targets),
            weights: Arc::new(weights),
        }
    }

    /// The same in training: some rows lose their class, so that the model knows documents of no class in particular as
    /// well (Ho & Salimans, arXiv:2207.12598).
    pub fn of_training(batch: &SequenceBatch, rng: &mut Rng) -> Self {
        let mut shifted = Self::of(batch);
        let time = batch.time().max(1);
        for row in shifted.classes.chunks_exact_mut(time) {
            if rng.uniform() < CLASSLESS {
                row.fill(NO_TOKEN);
            }
        }
        shifted
    }

    /// The inputs, as a network takes them.
    pub fn positions(&self) -> Positions<'_> {
        Positions {
            n: self.n,
            tokens: &self.tokens,
            classes: &self.classes,
            period_positions: &self.period_positions,
        }
    }

    /// Number of targets.
    pub fn count(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    /// `−log p` of every target, 0 where there is none: nats, `[n · time]`.
    pub fn losses(&self, logits: Tensor<2>) -> Tensor<1> {
        let starts = Arc::new(vec![0, logits.dims()[1]]);
        kernels::fields_cross_entropy(logits, &starts, &self.targets, &self.weights)
    }

    /// The sum of [`losses`](Self::losses) over each row: nats.
    pub fn nats(&self, logits: &Tensor<2>) -> Vec<f64> {
        let losses = to_vec(&self.losses(logits.clone()));
        let rows = losses.chunks_exact(losses.len() / self.n);
        rows.map(|row| row.iter().map(|&loss| f64::from(loss)).sum()).collect()
    }

    /// One of its rows.
    pub fn row(&self, row: usize) -> Self {
        let of = |all: &[u32]| {
            let each = all.len() / self.n.max(1);
            all[row * each..(row + 1) * each].to_vec()
        };
        let (targets, time) = (of(&self.targets), self.weights.len() / self.n.max(1));
        Self {
            n: 1,
            tokens: of(&self.tokens),
            classes: of(&self.classes),
            period_positions: of(&self.period_positions),
            targets: Arc::new(targets),
            weights: Arc::new(self.weights[row * time..(row + 1) * time].to_vec()),
        }
    }

    /// Its rows, and those of another of the same length.
    pub fn joined(&self, other: &Self) -> Self {
        Self {
            n: self.n + other.n,
            tokens: [&self.tokens[..], &other.tokens].concat(),
            classes: [&self.classes[..], &other.classes].concat(),
            period_positions: [&self.period_positions[..], &other.period_positions].concat(),
            targets: Arc::new([&self.targets[..], &other.targets].concat()),
            weights: Arc::new([&self.weights[..], &other.weights].concat()),
        }
    }

    /// All rows `times` times, one copy of all after another.
    pub fn times(&self, times: usize) -> Self {
        Self {
            n: self.n * times,
            tokens: self.tokens.repeat(times),
            classes: self.classes.repeat(times),
            period_positions: self.period_positions.repeat(times),
            targets: Arc::new(self.targets.repeat(times)),
            weights: Arc::new(self.weights.repeat(times)),
        }
    }

    /// The mean of [`losses`](Self::losses) over all targets.
    pub fn mean_loss(&self, logits: Tensor<2>) -> Tensor<1> {
        self.losses(logits).sum() / self.count().max(1.0)
    }
}

/// `−log p` of each item of a batch: nats.
pub fn nll(net: &Decoder, batch: &SequenceBatch) -> Vec<f64> {
    let shifted = Shifted::of(batch);
    shifted.nats(&net.logits(net.forward(shifted.positions(), None)))
}

/// Nats a token of a batch; of texts also bits a character.
pub fn validation(net: &Decoder, batch: &SequenceBatch, info: &SequenceInfo) -> Metrics {
    let nats: f64 = nll(net, batch).iter().sum();
    token_metrics(nats / batch.targets().max(1) as f64, info)
}

/// What a network says of the token that comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// The logarithm of its probability; 0 where nothing comes.
    pub log_p: f64,
    /// The probability of the token that the network finds likeliest.
    pub top: f32,
}

impl Told {
    fn of(logits: &[f32], target: u32) -> Self {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from((logit - most).exp())).sum();
        let log_p = |&logit: &f32| f64::from(logit - most) - sum.ln();
        Self { log_p: logits.get(target as usize).map_or(0.0, log_p), top: (1.0 / sum) as f32 }
    }
}

/// What a network says of every target, `[n · time]`.
pub fn told(net: &Decoder, shifted: &Shifted) -> Vec<Told> {
    told_by(net.logits(net.forward(shifted.positions(), None)), &shifted.targets)
}

/// What a network says of the targets of each row but for its first ones, `known` of them: logits are taken of the others
/// alone.
pub fn told_behind(net: &Decoder, shifted: &Shifted, known: &[usize]) -> Vec<Told> {
    let time = shifted.targets.len() / shifted.n.max(1);
    let new = |(row, &known): (usize, &usize)| row * time + known..(row + 1) * time;
    let ranges: Vec<Range<usize>> = known.iter().enumerate().map(new).collect();
    let h = net.forward(shifted.positions(), None);
    let h = Tensor::cat(ranges.iter().map(|new| h.clone().narrow(0, new.start, new.len())).collect(), 0);
    let targets: Vec<u32> = ranges.into_iter().flat_map(|new| &shifted.targets[new]).copied().collect();
    told_by(net.logits(h), &targets)
}

fn told_by(logits: Tensor<2>, targets: &[u32]) -> Vec<Told> {
    let logits = into_vec(logits);
    let vocab = (logits.len() / targets.len().max(1)).max(1);
    let each = logits.par_chunks_exact(vocab).zip(targets.par_iter());
    each.map(|(logits, &target)| Told::of(logits, target)).collect()
}

/// Windows that pass over a document of any length.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Tokens that the network sees at once.
    pub context: usize,
    /// Tokens from the beginning of one to that of the next.
    pub step: usize,
    /// Windows that go through the network together.
    pub at_once: usize,
}

impl Windows {
    /// Each token is given at least seven eighths of a context of those before it, or all where there are fewer. Every token
    /// goes through the network eight times.
    pub fn close(context: usize) -> Self {
        Self::parted(context, 8)
    }

    /// The same of half a context: four times as fast.
    pub fn wide(context: usize) -> Self {
        Self::parted(context, 2)
    }

    fn parted(context: usize, parts: usize) -> Self {
        let at_once = (MAX_TOLD_POSITIONS / context.max(1)).clamp(1, EVAL_CHUNK_ROWS);
        Self { context, step: (context / parts).max(1), at_once }
    }
}

/// What a network says of the tokens of a document but for the first.
pub fn document_told(
    net: &Decoder,
    info: &SequenceInfo,
    windows: Windows,
    tokens: &[u32],
    class: Option<u32>,
) -> Vec<Told> {
    let mut all = Vec::with_capacity(tokens.len());
    over_windows(info, windows, tokens, class, &mut |shifted, known| {
        all.extend(told_behind(net, shifted, known));
    });
    all
}

/// `−log p` of a document but for its first token, by [close](Windows::close) windows: nats.
pub fn document_nll(
    net: &Decoder,
    info: &SequenceInfo,
    context: usize,
    tokens: &[u32],
    class: Option<u32>,
) -> f64 {
    let told = document_told(net, info, Windows::close(context), tokens, class);
    told.iter().map(|told| -told.log_p).sum()
}

/// Passes windows over a document to `see`, so many at once, and of each how many of its targets were seen before: all but
/// the first window only tell of those behind the part that they share.
pub fn over_windows(
    info: &SequenceInfo,
    Windows { context, step, at_once }: Windows,
    tokens: &[u32],
    class: Option<u32>,
    see: &mut dyn FnMut(&Shifted, &[usize]),
) {
    let time = context.min(tokens.len().saturating_sub(1));
    if time == 0 {
        return;
    }
    let last = tokens.len() - 1 - time;
    let mut starts: Vec<usize> = (0..last).step_by(step).collect();
    starts.push(last);
    let mut done = 0;
    for group in starts.chunks(at_once) {
        let rows = group.iter().flat_map(|&start| &tokens[start..=start + time]).copied().collect();
        let places = group
            .iter()
            .flat_map(|&start| (start..=start + time).flat_map(|at| info.period_positions(at as u64)));
        let period_positions = places.collect();
        let mut batch = SequenceBatch { tokens: rows, classes: Vec::new(), period_positions, n: group.len() };
        if let Some(class) = class {
            batch.classes = vec![class; batch.tokens.len()];
        }
        let known = |&start: &usize| {
            let known = done - start;
            done = start + time;
            known
        };
        let known: Vec<usize> = group.iter().map(known).collect();
        see(&Shifted::of(&batch), &known);
    }
}

#[cfg(test)]
mod tests {
    use mintage_data::sequence::Modality;

    use super::*;

    #[test]
    fn windows_tell_every_token_once_after_most_of_a_context() {
        let info = SequenceInfo {
            modality: Modality::Text,
            vocab: 200,
            classes: Vec::new(),
            train_len: 1,
            train_tokens: 200,
            chars_per_token: 1.0,
            periods: Vec::new(),
        };
        for (windows, least) in [(Windows::close(16), 14), (Windows::wide(16), 8), (Windows::close(1), 1)] {
            for length in [1, 2, 16, 17, 18, 50, 101u32] {
                // Each token says how many come before it.
                let tokens: Vec<u32> = (0..length).collect();
                let mut told = Vec::new();
                over_windows(&info, windows, &tokens, None, &mut |shifted, known| {
                    let rows = shifted.targets.chunks_exact(shifted.targets.len() / shifted.n);
                    for (targets, &known) in rows.zip(known) {
                        for (seen, &target) in (1..).zip(targets).skip(known) {
                            assert!(seen >= least || seen == target, "{windows:?} {length} {target}");
                            told.push(target);
                        }
                    }
                });
                assert!(told.into_iter().eq(1..length), "{windows:?} {length}");
            }
        }
    }
}
