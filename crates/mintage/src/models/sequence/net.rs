//! What models of sequences share: from batches to losses, and the likelihood of documents of any length.

use std::sync::Arc;

use burn::tensor::Tensor;
use mintage_data::sequence::{NO_TOKEN, SequenceBatch, SequenceInfo};
use mintage_nn::{
    Rng, kernels,
    layers::{Decoder, DecoderConfig, Positions},
    weights::to_vec,
};

use super::token_metrics;
use crate::events::Metrics;

/// Share of the training rows that lose their class.
const CLASSLESS: f32 = 0.1;
/// Rows that go through a network together when nothing is learned.
pub const EVAL_CHUNK_ROWS: usize = 16;

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

/// `−log p` of a document but for its first token, each token given at least half a `context` of those before
/// it, or all where there are fewer: nats.
pub fn document_nll(
    net: &Decoder,
    info: &SequenceInfo,
    context: usize,
    tokens: &[u32],
    class: Option<u32>,
) -> f64 {
    let (time, step) = (context.min(tokens.len().saturating_sub(1)), (context / 2).max(1));
    if time == 0 {
        return 0.0;
    }
    // Windows of `time` targets; all but the first only tell of those behind the half that they share.
    let last = tokens.len() - 1 - time;
    let mut starts: Vec<usize> = (0..last).step_by(step).collect();
    starts.push(last);
    let (mut nats, mut done) = (0.0, 0);
    for group in starts.chunks(EVAL_CHUNK_ROWS) {
        let rows = group.iter().flat_map(|&start| &tokens[start..=start + time]).copied().collect();
        let places = group
            .iter()
            .flat_map(|&start| (start..=start + time).flat_map(|at| info.period_positions(at as u64)));
        let period_positions = places.collect();
        let mut batch = SequenceBatch { tokens: rows, classes: Vec::new(), period_positions, n: group.len() };
        if let Some(class) = class {
            batch.classes = vec![class; batch.tokens.len()];
        }
        let shifted = Shifted::of(&batch);
        let losses = to_vec(&shifted.losses(net.logits(net.forward(shifted.positions(), None))));
        for (&start, losses) in group.iter().zip(losses.chunks_exact(time)) {
            nats += losses[done - start..].iter().map(|&loss| f64::from(loss)).sum::<f64>();
            done = start + time;
        }
    }
    nats
}
