//! What models of sequences share: from batches to losses, and the likelihood of documents of any length.

use std::sync::Arc;

use burn::tensor::Tensor;
use mintage_data::sequence::{NO_TOKEN, SequenceBatch};
use mintage_nn::{
    kernels,
    layers::{Decoder, Positions},
    weights::to_vec,
};

/// Rows that go through a network together when nothing is learned.
const ROWS: usize = 16;

/// What goes in and what is to come out.
pub struct Shifted {
    pub n: usize,
    pub tokens: Vec<u32>,
    pub classes: Vec<u32>,
    pub targets: Arc<Vec<u32>>,
    /// 1 where there is a target, 0 elsewhere.
    pub weights: Arc<Vec<f32>>,
}

impl Shifted {
    pub fn of(batch: &SequenceBatch) -> Self {
        let row = batch.time() + 1;
        let inputs =
            |all: &[u32]| all.chunks_exact(row).flat_map(|row| &row[..row.len() - 1]).copied().collect();
        let targets: Vec<u32> = batch.tokens.chunks_exact(row).flat_map(|row| &row[1..]).copied().collect();
        let weights = targets.iter().map(|&target| f32::from(target != NO_TOKEN)).collect();
        Self {
            n: batch.n,
            tokens: inputs(&batch.tokens),
            classes: inputs(&batch.classes),
            targets: Arc::new(targets),
            weights: Arc::new(weights),
        }
    }

    pub fn positions(&self) -> Positions<'_> {
        Positions { n: self.n, tokens: &self.tokens, classes: &self.classes }
    }

    /// Tokens that are to come out.
    pub fn count(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    /// `−log p` of every target, 0 where there is none: nats, `[n · time]`.
    pub fn losses(&self, logits: Tensor<2>) -> Tensor<1> {
        let starts = Arc::new(vec![0, logits.dims()[1]]);
        kernels::fields_cross_entropy(logits, &starts, &self.targets, &self.weights)
    }

    /// The mean of [`losses`](Self::losses) over all targets.
    pub fn mean_loss(&self, logits: Tensor<2>) -> Tensor<1> {
        self.losses(logits).sum() / self.count().max(1.0)
    }
}

/// `−log p` of every token of a document but the first, each given at least half a `context` of those before it where
/// there are so many: nats.
pub fn document_nll(net: &Decoder, context: usize, tokens: &[u32], class: Option<u32>) -> Vec<f64> {
    let (time, step) = (context.min(tokens.len().saturating_sub(1)), (context / 2).max(1));
    if time == 0 {
        return Vec::new();
    }
    // Windows of `time` targets; all but the first only tell of those behind the half that they share.
    let last = tokens.len() - 1 - time;
    let mut starts: Vec<usize> = (0..last).step_by(step).collect();
    starts.push(last);
    let mut nll: Vec<f64> = Vec::with_capacity(tokens.len() - 1);
    for group in starts.chunks(ROWS) {
        let rows = group.iter().flat_map(|&start| &tokens[start..=start + time]).copied().collect();
        let mut batch = SequenceBatch { tokens: rows, classes: Vec::new(), n: group.len() };
        if let Some(class) = class {
            batch.classes = vec![class; batch.tokens.len()];
        }
        let shifted = Shifted::of(&batch);
        let losses = to_vec(&shifted.losses(net.logits(net.forward(shifted.positions(), None))));
        for (&start, losses) in group.iter().zip(losses.chunks_exact(time)) {
            let known = nll.len() - start;
            nll.extend(losses[known..].iter().map(|&loss| f64::from(loss)));
        }
    }
    nll
}
