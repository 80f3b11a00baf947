//! Vector-quantized autoencoder of rows (van den Oord et al., arXiv:1711.00937) with an autoregressive prior
//! over its codes.
//!
//! Phase 1: as the codes of an image each see a patch of it, the codes of a row each see a few neighbouring
//! fields, as many as a codebook can tell apart. The encoder's vector of such a slot is replaced by the nearest
//! of the slot's codes; a decoder draws every field from all codes together,
//!
//! ```text
//! L = Σ_f −log p(x_f | c) + β ‖z − sg(c)‖²
//! ```
//!
//! with the gradient by rotation (Fifty et al., arXiv:2410.06424) and codebooks that follow by moving averages.
//! Phase 2: the autoencoder is frozen, and the network of the any-order model learns `Π_m p(c_m | c_<m, known)`.
//! `known` is any part of the row, nothing in half of the rows. Both parts together bound the likelihood:
//! `−log p(x) ≤ −log p(c) − log p(x | c)`.

use std::{ops::Range, sync::Arc};

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::{TableBatch, TableInfo, table::encoder::Field};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable,
    kernels::{self, NONE},
    layers::Linear,
    quantize::{Codebook, GradientEstimator},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::Table;
use super::{
    HIDDEN, TableSampleParams,
    any_order::{AnyOrder, MaskedBatch},
    latent,
    net::{Decoder, Trunk, places},
};
use crate::models::common::stages::Stage;
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{events::Metrics, models::Size};

/// Options of a VQ-VAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Most codes of a slot.
    pub codes: usize,
    /// Dimensions of a code vector.
    pub code_dim: usize,
    /// Width of the encoder; the decoder is twice as wide.
    pub width: usize,
    /// Residual blocks of each.
    pub blocks: usize,
    /// β: weight of the commitment loss, the mean squared distance of the encoder's vectors from their codes.
    pub commitment: f64,
    /// Width of the prior, the any-order network over fields and codes.
    pub prior_width: usize,
    /// Residual blocks of the prior.
    pub prior_blocks: usize,
    /// Share of the values inside a block of the prior that is dropped in training.
    pub prior_dropout: f64,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "prior_from")]
    pub prior_start: f64,
    /// Rows per step.
    pub batch: usize,
    /// Peak learning rate of the autoencoder, in phase 1.
    pub lr: f64,
    /// Peak learning rate of the prior, in phase 2.
    pub prior_lr: f64,
}

impl FamilyConfig<Table> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &TableInfo) -> Self {
        let (width, blocks, codes, prior_width, prior_blocks) = match size {
            Size::Tiny => (64, 1, 64, 128, 2),
            Size::Small => (128, 1, 256, 256, 3),
            Size::Base => (192, 1, 256, 512, 4),
            Size::Large => (256, 2, 512, 1024, 6),
        };
        Self {
            codes,
            code_dim: 8,
            width,
            blocks,
            commitment: 0.25,
            prior_width,
            prior_blocks,
            prior_dropout: 0.1,
            prior_start: 0.3,
            batch: 1024,
            lr: 2e-3,
            prior_lr: 2e-3,
        }
    }

    fn tolerance(&self) -> f64 {
        0.01
    }

    fn activations(&self, info: &TableInfo) -> u64 {
        memory::of_row(info)
    }
}

/// A VQ-VAE, its prior, and their optimisers.
#[derive(Debug)]
pub struct Vqvae {
    config: Config,
    info: TableInfo,
    starts: Arc<Vec<usize>>,
    device: Device,
    /// The fields that each slot sees.
    slots: Vec<Range<usize>>,
    autoencoder: Trainable<Autoencoder>,
    /// One a slot.
    codebooks: Vec<Codebook>,
    prior: Trainable<AnyOrder>,
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Trunk,
    to_codes: Linear,
    decoder: Decoder,
}

/// Codes of a batch.
struct Quantized {
    /// `n × slots`.
    codes: Vec<u32>,
    /// `[n, slots · code_dim]`, carries the gradient.
    vectors: Tensor<2>,
    commitment: Tensor<1>,
}

impl GenerativeModel<Table> for Vqvae {
    type Config = Config;

    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let slots = slots(info, config.codes);
        let sizes: Vec<usize> = slots.iter().map(|fields| combinations(info, fields, config.codes)).collect();
        let d = slots.len() * config.code_dim;
        let autoencoder = Autoencoder {
            encoder: Trunk::new(info, config.width, config.blocks, &on, rng),
            to_codes: Linear::new(config.width, config.code_dim, 1.0, &on, rng),
            decoder: Decoder::new(info, d, (2 * config.width, config.blocks), &on, rng),
        };
        let shape = (config.prior_width, config.prior_blocks);
        let prior = AnyOrder::new(&with_codes(info, &sizes), info.width(), shape, &on, rng);
        Self {
            config: config.clone(),
            info: info.clone(),
            starts: Arc::new(info.starts()),
            device: device.clone(),
            autoencoder: Trainable::new(autoencoder, AdamW { weight_decay: 0.01, ..AdamW::default() }),
            codebooks: sizes.iter().map(|&size| Codebook::new(size, config.code_dim)).collect(),
            slots,
            prior: Trainable::new(prior, AdamW { weight_decay: 0.05, ..AdamW::default() }),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("codes", 0.0), ("prior over codes", self.config.prior_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.step_autoencoder(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }
    }

    /// Phase 1: nats of a row given its codes. Phase 2: nats of codes and row.
    fn validate(&self, batch: &TableBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        let mean = |nats: &[f64]| nats.iter().sum::<f64>() / nats.len().max(1) as f64;
        let (codes, row_nats) = self.coded(batch);
        if progress < self.config.prior_start {
            return Some(Metrics::new([("reconstruction", mean(&row_nats))]));
        }
        let code_nats = self.code_nats(&codes, batch.n);
        let nll = mean(&row_nats) + mean(&code_nats);
        Some(Metrics::new([
            ("nll", nll),
            ("code_nats", mean(&code_nats)),
            ("reconstruction", mean(&row_nats)),
        ]))
    }

    /// Draws rows: codes that suit what is known, one after another, then all fields.
    fn sample(&self, draw: &TableSampleParams, rng: &mut Rng) -> Vec<u16> {
        let (net, prior) = (self.autoencoder.averaged(), self.prior.averaged());
        let (fields, order) = (self.info.width(), self.order());
        latent::sample(&self.info, draw, rng, |known, rng| {
            let n = known.len() / fields;
            let mut tokens = beside(known, &vec![HIDDEN; n * order.len()], n);
            let free = TableSampleParams { temperature: draw.temperature, ..TableSampleParams::new(n) };
            prior.complete(&mut tokens, &order, &free, rng);
            let rows = tokens.chunks_exact(fields + order.len());
            let codes: Vec<u32> =
                rows.flat_map(|row| row[fields..].iter().map(|&code| u32::from(code))).collect();
            to_vec(&net.decoder.forward(self.lookup(&codes)))
        })
    }

    /// `−log p(c) − log p(x | c)`: an upper bound of `−log p(x)`, nats a row.
    fn nll(&self, batch: &TableBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        let (codes, row_nats) = self.coded(batch);
        let code_nats = self.code_nats(&codes, batch.n);
        Some(row_nats.iter().zip(code_nats).map(|(row, codes)| row + codes).collect())
    }

    parts!("autoencoder" = autoencoder, "prior" = prior, "codebooks" = codebooks);
}

impl Vqvae {
    fn step_autoencoder(
        &mut self,
        batch: &TableBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let z = self.encode(self.autoencoder.net(), batch);
        let inputs: Vec<Vec<f32>> = (0..self.slots.len()).map(|slot| to_vec(&self.part(&z, slot))).collect();
        for (codebook, inputs) in self.codebooks.iter_mut().zip(&inputs) {
            if !codebook.is_initialised() {
                codebook.initialise(inputs, rng);
            }
        }
        let Quantized { codes, vectors, commitment } = self.quantize(&z);
        let reconstruction = self.decoding_nll(self.autoencoder.net(), vectors, batch).mean();
        let nll = f64::from(reconstruction.clone().into_scalar::<f32>());
        let loss = reconstruction + commitment * self.config.commitment;
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.autoencoder.update(loss, lr)?;
        let mut revived = 0;
        for (slot, (codebook, inputs)) in self.codebooks.iter_mut().zip(&inputs).enumerate() {
            let codes: Vec<u32> = codes.iter().skip(slot).step_by(self.slots.len()).copied().collect();
            revived += codebook.update(inputs, &codes, rng);
        }
        Ok(Metrics::new([
            ("loss", loss),
            ("reconstruction", nll),
            ("revived", revived as f64),
            ("grad_norm", norm),
        ]))
    }

    /// What the codes are chosen by: `[n, slots · code_dim]`. Each slot sees its own fields alone.
    fn encode(&self, net: &Autoencoder, batch: &TableBatch) -> Tensor<2> {
        let most = self.slots.iter().map(Range::len).max().unwrap_or(0);
        let places = places(&batch.tokens, &self.starts);
        let mut seen = Vec::with_capacity(batch.n * self.slots.len() * most);
        for row in places.chunks_exact(self.info.width()) {
            for fields in &self.slots {
                seen.extend(&row[fields.clone()]);
                seen.extend(std::iter::repeat_n(NONE, most - fields.len()));
            }
        }
        let z = net.to_codes.forward(net.encoder.forward(&Arc::new(seen), most)); // [n · slots, code_dim]
        z.reshape([batch.n, self.slots.len() * self.config.code_dim])
    }

    fn part(&self, z: &Tensor<2>, slot: usize) -> Tensor<2> {
        z.clone().narrow(1, slot * self.config.code_dim, self.config.code_dim)
    }

    fn quantize(&self, z: &Tensor<2>) -> Quantized {
        let slots = self.codebooks.iter().enumerate();
        let parts: Vec<_> = slots
            .map(|(slot, codebook)| codebook.quantize(self.part(z, slot), GradientEstimator::Rotation))
            .collect();
        let n = z.dims()[0];
        let codes = (0..n).flat_map(|row| parts.iter().map(move |part| part.codes[row])).collect();
        let commitments = parts.iter().map(|part| part.commitment.clone()).collect();
        Quantized {
            codes,
            vectors: Tensor::cat(parts.into_iter().map(|part| part.vectors).collect(), 1),
            commitment: Tensor::cat(commitments, 0).mean(),
        }
    }

    /// The vectors of codes `n × slots`: `[n, slots · code_dim]`.
    fn lookup(&self, codes: &[u32]) -> Tensor<2> {
        let of_slot = |(slot, codebook): (usize, &Codebook)| {
            let codes: Vec<u32> = codes.iter().skip(slot).step_by(self.slots.len()).copied().collect();
            codebook.lookup(&codes, &self.device)
        };
        Tensor::cat(self.codebooks.iter().enumerate().map(of_slot).collect(), 1)
    }

    /// `−log p(x | c)` of each row, in nats.
    fn decoding_nll(&self, net: &Autoencoder, vectors: Tensor<2>, batch: &TableBatch) -> Tensor<1> {
        let targets = Arc::new(batch.tokens.iter().map(|&token| u32::from(token)).collect());
        let weights = Arc::new(vec![1.0; batch.tokens.len()]);
        kernels::fields_cross_entropy(net.decoder.forward(vectors), &self.starts, &targets, &weights)
    }

    fn step_prior(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let masked_batch = self.masked_batch(batch, rng);
        let loss = self.prior.net().loss(masked_batch, self.config.prior_dropout, rng);
        let lr = self.config.prior_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(loss, lr)?;
        Ok(Metrics::new([("code_nats", loss * self.slots.len() as f64), ("grad_norm", norm)]))
    }

    /// For each row one of its codes, given those before it and a part of the row.
    fn masked_batch(&self, batch: &TableBatch, rng: &mut Rng) -> MaskedBatch {
        let (slots, order) = (self.slots.len(), self.order());
        let codes = self.quantize(&self.encode(&self.autoencoder.averaged(), batch)).codes;
        let known = latent::conditions(batch, self.info.width(), rng);
        let mut targets = vec![NONE; codes.len()];
        let mut shown = vec![HIDDEN; codes.len()];
        // Equally many rows of each slot; conditions go by pairs of rows, so slots go by pairs as well.
        let shift = rng.below(slots);
        for row in 0..batch.n {
            let asked = (row / 2 + shift) % slots;
            let at = |place: usize| row * slots + order[place] - self.info.width();
            (0..asked).for_each(|place| shown[at(place)] = codes[at(place)] as u16);
            targets[at(asked)] = codes[at(asked)];
        }
        let weights = vec![1.0; targets.len()];
        MaskedBatch { tokens: beside(&known, &shown, batch.n), targets, weights }
    }

    /// The codes of each row, and `−log p(x | c)`.
    fn coded(&self, batch: &TableBatch) -> (Vec<u32>, Vec<f64>) {
        let net = self.autoencoder.averaged();
        let Quantized { codes, vectors, .. } = self.quantize(&self.encode(&net, batch));
        let nats = to_vec(&self.decoding_nll(&net, vectors, batch));
        (codes, nats.into_iter().map(f64::from).collect())
    }

    /// `−log p(c)` of each row.
    fn code_nats(&self, codes: &[u32], n: usize) -> Vec<f64> {
        let codes: Vec<u16> = codes.iter().map(|&code| code as u16).collect();
        let hidden = vec![HIDDEN; n * self.info.width()];
        self.prior.averaged().nll(&beside(&hidden, &codes, n), &self.order())
    }

    /// Fields of the prior that are codes, small codebooks first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_by_key(|&slot| self.codebooks[slot].size());
        order.into_iter().map(|slot| self.info.width() + slot).collect()
    }
}

/// Neighbouring fields go into one slot as long as `codes` can tell all their combinations apart.
fn slots(info: &TableInfo, codes: usize) -> Vec<Range<usize>> {
    let mut slots: Vec<Range<usize>> = Vec::new();
    for field in 0..info.width() {
        match slots.last_mut() {
            Some(slot) if combinations(info, &(slot.start..field + 1), usize::MAX) <= codes => {
                slot.end = field + 1
            }
            _ => slots.push(field..field + 1),
        }
    }
    slots
}

/// How many rows of tokens some fields can have, `most` if it is more.
fn combinations(info: &TableInfo, fields: &Range<usize>, most: usize) -> usize {
    let sizes = info.fields[fields.clone()].iter().map(|field| field.size);
    sizes.fold(1usize, |product, size| product.saturating_mul(size).min(most))
}

/// The fields of a table, and after them one a slot.
fn with_codes(info: &TableInfo, sizes: &[usize]) -> TableInfo {
    let slot = |&size: &usize| Field {
        column: 0,
        size,
        ordinal: false,
        unordered: 0,
        detail: false,
        counts: vec![1; size],
    };
    let fields = info.fields.iter().cloned().chain(sizes.iter().map(slot));
    TableInfo { fields: fields.collect(), train_len: info.train_len }
}

/// Rows of tokens, each continued by a row of codes.
fn beside(tokens: &[u16], codes: &[u16], n: usize) -> Vec<u16> {
    let (width, slots) = (tokens.len() / n.max(1), codes.len() / n.max(1));
    (0..n)
        .flat_map(|row| [&tokens[row * width..][..width], &codes[row * slots..][..slots]].concat())
        .collect()
}
