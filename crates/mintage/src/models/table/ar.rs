//! Any-order autoregressive model of rows (Uria et al., arXiv:1310.1757; Hoogeboom et al., arXiv:2110.02037;
//! for tables TabularARGN, arXiv:2501.12012, and TabMT, arXiv:2312.06089).
//!
//! One network sees any part of a row and gives a distribution over every field that is hidden. For an order
//! `σ` of the `D` fields, `log p(x) = Σ_d log p(x_σ(d) | x_σ(<d))`; training hides a random part of each row,
//!
//! ```text
//! L = E_h E_H 1/h Σ_{f ∈ H} −log p(x_f | x_¬H),    h uniform in 1..D, H a set of h fields
//! ```
//!
//! which is the mean over orders, places and fields. In a share of the rows `H` is what the order of
//! sampling hides instead, so that sampling without conditions, which always goes that way, is learned best.
//! Any set of columns can be given, and a cell is never drawn twice.
//!
//! Sampling goes from the smallest field to the largest. Rows that agree in all that is known so far share
//! one evaluation of the network: the first fields of thousands of rows cost a few dozen evaluations.

use std::{collections::HashMap, sync::Arc};

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::{RowBatch, RowInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, WeightsError,
    kernels::{self, NONE},
    layers::Linear,
    weights::to_vec,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    HIDDEN, RowDraw,
    net::{Trunk, places},
    pick,
};
use crate::{events::Metrics, models::Size};

/// Rows that go through the network together in sampling.
const SAMPLE_ROWS: usize = 2048;

/// All choices of an any-order model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub width: usize,
    /// Residual blocks.
    pub blocks: usize,
    /// Share of the training rows that are hidden as sampling hides them.
    pub in_order: f64,
    pub batch: usize,
    pub lr: f64,
    pub weight_decay: f64,
    /// Share of the values inside a block that are dropped in training.
    pub dropout: f64,
}

impl Config {
    /// The preset of a size.
    pub fn preset(size: Size, _info: &RowInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (128, 2),
            Size::Small => (256, 3),
            Size::Base => (512, 4),
            Size::Large => (1024, 6),
        };
        Self { width, blocks, in_order: 0.5, batch: 1024, lr: 2e-3, weight_decay: 0.05, dropout: 0.1 }
    }
}

/// An any-order model with its optimiser.
#[derive(Debug)]
pub struct Ar {
    config: Config,
    starts: Arc<Vec<usize>>,
    /// Fields in the order of sampling.
    order: Vec<usize>,
    train: Trainable<Net>,
}

impl Ar {
    pub fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let net = Net::new(config, info, &device.clone().autodiff(), rng);
        let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
        Self {
            config: config.clone(),
            starts: Arc::new(info.starts()),
            order: sampling_order(info),
            train: Trainable::new(net, adam),
        }
    }

    /// One step on the mean negative log-likelihood of hidden fields.
    pub fn step(&mut self, batch: &RowBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let loss = self.loss(self.train.net(), batch, rng);
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.train.update(loss, lr)?;
        Ok(Metrics::new([("nll", loss * self.width() as f64), ("grad_norm", norm)]))
    }

    /// Nats a row with the averaged weights.
    pub fn validate(&self, batch: &RowBatch, _progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let nll = self.nll(batch, rng);
        Some(Metrics::new([("nll", nll.iter().sum::<f64>() / nll.len().max(1) as f64)]))
    }

    fn width(&self) -> usize {
        self.order.len()
    }

    fn loss(&self, net: &Net, batch: &RowBatch, rng: &mut Rng) -> Tensor<1> {
        let width = self.width();
        let mut indices = places(&batch.tokens, &self.starts);
        let mut targets = vec![NONE; indices.len()];
        let mut weights = vec![0.0; indices.len()];
        let shift = rng.uniform();
        for row in 0..batch.n {
            // Equally many rows of each count of hidden fields, which one batch would not have by chance.
            let spread = ((row as f32 + shift) / batch.n as f32).fract();
            let hidden = 1 + ((spread * width as f32) as usize).min(width - 1);
            let in_order = f64::from(rng.uniform()) < self.config.in_order;
            let order = if in_order { self.order.clone() } else { rng.permutation(width) };
            // On the way of sampling the next field alone is asked for, elsewhere any hidden one.
            let asked = if in_order { 1 } else { hidden };
            for (place, &field) in order[width - hidden..].iter().enumerate() {
                let at = row * width + field;
                indices[at] = NONE;
                if place < asked {
                    targets[at] = u32::from(batch.tokens[at]);
                    weights[at] = 1.0 / asked as f32;
                }
            }
        }
        let logits = net.head.forward(net.trunk.forward_dropping(&Arc::new(indices), width, self.config.dropout, rng));
        kernels::fields_cross_entropy(logits, &self.starts, &Arc::new(targets), &Arc::new(weights)).mean()
    }

    /// Draws rows of tokens with the averaged weights. Fields with a condition that leaves several tokens
    /// come first; then the order of sampling.
    pub fn sample(&self, draw: &RowDraw, rng: &mut Rng) -> Vec<u16> {
        let net = self.train.averaged();
        let width = self.width();
        let mut tokens = draw.start(width);
        let (first, rest): (Vec<usize>, Vec<usize>) =
            self.order.iter().partition(|&&field| draw.allowed(field).is_some());
        let mut known = Known::of(&tokens, width);
        for field in first.into_iter().chain(rest) {
            let uniforms = rng.uniforms(draw.n);
            let head = net.head_of(field, &self.starts);
            let open = |row: usize| tokens[row * width + field] == HIDDEN;
            let asked = known.asked(draw.n, open);
            let chances = self.distributions(&net, &head, &tokens, &asked.rows);
            let size = self.starts[field + 1] - self.starts[field];
            let cumulative: Vec<f32> = chances
                .par_chunks(size)
                .flat_map_iter(|logits| cumulative(logits, draw.temperature, draw.allowed(field)))
                .collect();
            for row in 0..draw.n {
                if tokens[row * width + field] == HIDDEN {
                    let chances = &cumulative[asked.of[row] as usize * size..][..size];
                    tokens[row * width + field] = pick(chances, uniforms[row]) as u16;
                }
            }
            known.learn(|row| tokens[row * width + field]);
        }
        tokens
    }

    /// Logits of one field for some of the rows: `rows.len() × size`.
    fn distributions(&self, net: &Net, head: &Linear, tokens: &[u16], rows: &[u32]) -> Vec<f32> {
        let width = self.width();
        let logits = |rows: &[u32]| {
            let known: Vec<u16> = rows
                .iter()
                .flat_map(|&row| tokens[row as usize * width..][..width].iter().copied())
                .collect();
            let h = net.trunk.forward(&Arc::new(places(&known, &self.starts)), width);
            to_vec(&head.forward(h))
        };
        rows.chunks(SAMPLE_ROWS).flat_map(logits).collect()
    }

    /// Negative log-likelihood of each row in nats, by the order of sampling.
    pub fn nll(&self, batch: &RowBatch, _rng: &mut Rng) -> Vec<f64> {
        let net = self.train.averaged();
        let width = self.width();
        let mut tokens = vec![HIDDEN; batch.tokens.len()];
        let mut known = Known::of(&tokens, width);
        let mut nll = vec![0.0; batch.n];
        for &field in &self.order {
            let head = net.head_of(field, &self.starts);
            let asked = known.asked(batch.n, |_| true);
            let logits = self.distributions(&net, &head, &tokens, &asked.rows);
            let size = self.starts[field + 1] - self.starts[field];
            for row in 0..batch.n {
                let logits = &logits[asked.of[row] as usize * size..][..size];
                let at = row * width + field;
                nll[row] -= f64::from(log_softmax(logits, batch.tokens[at] as usize));
                tokens[at] = batch.tokens[at];
            }
            known.learn(|row| tokens[row * width + field]);
        }
        nll
    }

    pub fn save_weights(&self, map: &mut TensorMap) {
        self.train.save_weights("net", map);
    }

    pub fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.train.load_weights("net", map)
    }

    pub fn save_state(&self, map: &mut TensorMap) {
        self.train.save_state("net", map);
    }

    pub fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.train.load_state("net", map)
    }

    pub fn parameters(&self) -> usize {
        self.train.net().num_params()
    }
}

/// From the smallest field to the largest; what tells apart a field's groups right after it.
fn sampling_order(info: &RowInfo) -> Vec<usize> {
    let mut order: Vec<usize> = (0..info.width()).collect();
    // The size of the column's first field: details follow it.
    let leader = |field: usize| (0..=field).rev().find(|&f| !info.fields[f].detail).unwrap_or(field);
    order.sort_by_key(|&field| (info.fields[leader(field)].size, leader(field), field));
    order
}

/// Rows by what is known of them: rows of one number agree in every field so far.
struct Known {
    number: Vec<u32>,
    count: usize,
}

/// One row for each number, and for each row the place of its number among them.
struct Asked {
    rows: Vec<u32>,
    of: Vec<u32>,
}

impl Known {
    /// Of rows that begin with given tokens.
    fn of(tokens: &[u16], width: usize) -> Self {
        let mut numbers: HashMap<&[u16], u32> = HashMap::new();
        let number = tokens
            .chunks_exact(width)
            .map(|row| {
                let next = numbers.len() as u32;
                *numbers.entry(row).or_insert(next)
            })
            .collect();
        Self { number, count: numbers.len() }
    }

    /// The rows to evaluate for those of `0..n` that are `open`.
    fn asked(&self, n: usize, open: impl Fn(usize) -> bool) -> Asked {
        let mut place = vec![NONE; self.count];
        let mut rows = Vec::new();
        let of = (0..n).map(|row| {
            let place = &mut place[self.number[row] as usize];
            if *place == NONE && open(row) {
                *place = rows.len() as u32;
                rows.push(row as u32);
            }
            *place
        });
        let of = of.collect();
        Asked { rows, of }
    }

    /// One more field is known.
    fn learn(&mut self, token: impl Fn(usize) -> u16) {
        let mut numbers: HashMap<(u32, u16), u32> = HashMap::new();
        for row in 0..self.number.len() {
            let next = numbers.len() as u32;
            self.number[row] = *numbers.entry((self.number[row], token(row))).or_insert(next);
        }
        self.count = numbers.len();
    }
}

/// Running sums of `softmax(logits / temperature)` over the allowed tokens, up to a factor.
fn cumulative(logits: &[f32], temperature: f32, allowed: Option<&[bool]>) -> Vec<f32> {
    let open = |token: usize| allowed.is_none_or(|allowed| allowed[token]);
    let top = (0..logits.len()).filter(|&t| open(t)).fold(f32::NEG_INFINITY, |top, t| top.max(logits[t]));
    let mut sum = 0.0;
    let scale = 1.0 / temperature.max(1e-3);
    let add = |token: usize| {
        if open(token) {
            sum += ((logits[token] - top) * scale).exp();
        }
        sum
    };
    (0..logits.len()).map(add).collect()
}

fn log_softmax(logits: &[f32], token: usize) -> f32 {
    let top = logits.iter().fold(f32::NEG_INFINITY, |top, &l| top.max(l));
    logits[token] - top - logits.iter().map(|l| (l - top).exp()).sum::<f32>().ln()
}

/// Logits of all fields given the known ones.
#[derive(Module, Debug)]
struct Net {
    trunk: Trunk,
    head: Linear,
}

impl Net {
    fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let starts = info.starts();
        let trunk = Trunk::new(info, config.width, config.blocks, device, rng);
        let mut head = Linear::new(config.width, starts[info.width()], 0.0, device, rng);
        // Begin with how often each token occurs.
        let bias: Vec<f32> = info.fields.iter().flat_map(|field| log_shares(&field.counts)).collect();
        let data = TensorData::new(bias, [starts[info.width()]]);
        head.bias = Some(burn::module::Param::from_tensor(Tensor::from_data(data, device)));
        Self { trunk, head }
    }

    /// The part of the head that belongs to one field.
    fn head_of(&self, field: usize, starts: &[usize]) -> Linear {
        let (start, size) = (starts[field], starts[field + 1] - starts[field]);
        let part = |weight: Tensor<2>| burn::module::Param::from_tensor(weight.narrow(1, start, size));
        Linear {
            weight: part(self.head.weight.val()),
            bias: self
                .head
                .bias
                .as_ref()
                .map(|bias| burn::module::Param::from_tensor(bias.val().narrow(0, start, size))),
        }
    }
}

/// Logarithms of the shares of counts, none of them zero.
fn log_shares(counts: &[u32]) -> Vec<f32> {
    let total: f32 = counts.iter().map(|&n| n as f32 + 0.1).sum();
    counts.iter().map(|&n| ((n as f32 + 0.1) / total).ln()).collect()
}

#[cfg(test)]
mod tests {
    use crate::models::{Family, table::tests_common};

    const OPTIONS: &str = "width = 64";

    #[test]
    fn overfits_one_batch() {
        tests_common::check_overfits(Family::Ar, OPTIONS, 150);
    }

    #[test]
    fn save_load_is_bit_exact() {
        tests_common::check_save_load(Family::Ar, OPTIONS);
    }

    #[test]
    fn keeps_conditions() {
        tests_common::check_conditions(Family::Ar, OPTIONS);
    }
}
