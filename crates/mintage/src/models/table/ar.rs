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

use burn::tensor::Device;
use mintage_data::{TableBatch, TableInfo};
use mintage_nn::{AdamW, NotFinite, Rng, Schedule, Trainable, kernels::NONE, weights::to_vec};
use serde::{Deserialize, Serialize};

use super::{
    HIDDEN, TableSampleParams,
    any_order::{AnyOrder, MaskedBatch},
};
use super::{Table, max_steps};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{events::Metrics, models::Size};

/// Rows of a batch by default.
const MAX_BATCH_ROWS: usize = 1024;
/// Tokens of all fields up to which a batch has all of its rows by default; beyond, it has fewer in
/// proportion.
const MAX_FULL_BATCH_TOKENS: usize = 32_768;
/// A validation asks for the fields of a row one after another, unless there are more than this.
const MAX_FIELDS_IN_ORDER: usize = 256;

/// Options of an any-order model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Width of the residual blocks, and of the vector of each token.
    pub width: usize,
    /// Residual blocks.
    pub blocks: usize,
    /// Share of the training rows that are hidden as sampling hides them.
    pub in_order: f64,
    /// Passes over the rows after which training ends, even where there is time left.
    pub epochs: usize,
    /// Rows per step.
    pub batch: usize,
    /// Peak learning rate of AdamW.
    pub lr: f64,
    /// Decoupled weight decay of AdamW, on tensors of rank 2 and more (Loshchilov & Hutter,
    /// arXiv:1711.05101).
    pub weight_decay: f64,
    /// Share of the values inside a block that is dropped in training.
    pub dropout: f64,
}

impl FamilyConfig<Table> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &TableInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (128, 2),
            Size::Small => (256, 3),
            Size::Base => (512, 4),
            Size::Large => (1024, 6),
        };
        Self {
            width,
            blocks,
            in_order: 0.5,
            epochs: 80,
            // Logits of all tokens of a batch lie in memory: a table of thousands of columns has smaller ones.
            batch: (MAX_BATCH_ROWS * MAX_FULL_BATCH_TOKENS
                / info.starts()[info.width()].max(MAX_FULL_BATCH_TOKENS))
            .max(64),
            lr: 2e-3,
            weight_decay: 0.05,
            dropout: 0.2,
        }
    }

    fn tolerance(&self) -> f64 {
        0.01
    }

    fn max_steps(&self, train_len: usize) -> Option<u64> {
        Some(max_steps(self.epochs, self.batch, train_len, 2_000))
    }

    fn activations(&self, info: &TableInfo) -> u64 {
        memory::of_row(info)
    }
}

/// An any-order model with its optimiser.
#[derive(Debug)]
pub struct Ar {
    config: Config,
    /// Fields in the order of sampling.
    order: Vec<usize>,
    train: Trainable<AnyOrder>,
}

impl GenerativeModel<Table> for Ar {
    type Config = Config;

    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let net = AnyOrder::new(info, 0, (config.width, config.blocks), &device.clone().autodiff(), rng);
        let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
        Self { config: config.clone(), order: sampling_order(info), train: Trainable::new(net, adam) }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// One step on the mean negative log-likelihood of hidden fields.
    fn step(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let masked_batch = self.masked_batch(batch, rng);
        let loss = self.train.net().loss(masked_batch, self.config.dropout, rng);
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.train.update(loss, lr)?;
        Ok(Metrics::new([("nll", loss * self.width() as f64), ("grad_norm", norm)]))
    }

    /// Nats a row with the averaged weights.
    fn validate(&self, batch: &TableBatch, _progress: f64, rng: &mut Rng) -> Option<Metrics> {
        if self.width() > MAX_FIELDS_IN_ORDER {
            let loss = self.train.averaged().loss(self.masked_batch(batch, rng), 0.0, rng);
            return Some(Metrics::new([("nll", f64::from(to_vec(&loss)[0]) * self.width() as f64)]));
        }
        let nll = self.row_nats(batch);
        Some(Metrics::new([("nll", nll.iter().sum::<f64>() / nll.len().max(1) as f64)]))
    }

    /// Draws rows of tokens with the averaged weights. Fields with a condition that leaves several tokens
    /// come first; then the order of sampling.
    fn sample(&self, draw: &TableSampleParams, rng: &mut Rng) -> Vec<u16> {
        let mut tokens = draw.start(self.width());
        let (first, rest): (Vec<usize>, Vec<usize>) =
            self.order.iter().partition(|&&field| draw.allowed(field).is_some());
        self.train.averaged().complete(&mut tokens, &[first, rest].concat(), draw, rng);
        tokens
    }

    /// Negative log-likelihood of each row in nats, by the order of sampling.
    fn nll(&self, batch: &TableBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        Some(self.row_nats(batch))
    }

    parts!("net" = train);
}

impl Ar {
    /// `−log p` of each row, field by field in the order of sampling.
    fn row_nats(&self, batch: &TableBatch) -> Vec<f64> {
        self.train.averaged().nll(&batch.tokens, &self.order)
    }

    fn width(&self) -> usize {
        self.order.len()
    }

    /// Hides a part of every row; the targets are what is hidden.
    fn masked_batch(&self, batch: &TableBatch, rng: &mut Rng) -> MaskedBatch {
        let width = self.width();
        let mut tokens = batch.tokens.clone();
        let mut targets = vec![NONE; tokens.len()];
        let mut weights = vec![0.0; tokens.len()];
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
                tokens[at] = HIDDEN;
                if place < asked {
                    targets[at] = u32::from(batch.tokens[at]);
                    weights[at] = 1.0 / asked as f32;
                }
            }
        }
        MaskedBatch { tokens, targets, weights }
    }
}

/// From the smallest field to the largest; what tells apart a field's groups right after it.
fn sampling_order(info: &TableInfo) -> Vec<usize> {
    let mut order: Vec<usize> = (0..info.width()).collect();
    // The size of the column's first field: details follow it.
    let leader = |field: usize| (0..=field).rev().find(|&f| !info.fields[f].detail).unwrap_or(field);
    order.sort_by_key(|&field| (info.fields[leader(field)].size, leader(field), field));
    order
}
