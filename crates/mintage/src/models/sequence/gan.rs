//! Adversarial model of sequences: a language model that goes on learning from a critic (Yu et al., arXiv:1609.05473;
//! rewards at every token as in de Masson d'Autume et al., arXiv:1905.09922).
//!
//! Phase 1: the generator is an autoregressive model, as in `ar.rs`. Phase 2: it is given the first half of real windows and
//! writes the other half; the critic `D` says of every token how real what came up to it looks, and the generator is moved
//! by the policy gradient (Williams, 1992) of what the critic will say,
//!
//! ```text
//! L_D = E_real softplus(−D_t) + E_new softplus(D_t)
//! r_t = 2 σ(D_t) − 1      R_t = Σ_{s ≥ t} γ^(s−t) r_s      A_t = (R_t − mean R_t) / std
//! L_G = −E_new A_t log p(x_t | x_<t) − λ E_real log p(x_t | x_<t)
//! ```
//!
//! where the means go over the windows of a batch. The critic begins with what the generator has learned: whoever is to find
//! faults in a language has to know it. The second term holds the generator near the language that it knows. It
//! stays a model with a likelihood.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::sequence::{NO_TOKEN, SequenceBatch, SequenceInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, kernels,
    layers::{Decoder, DecoderConfig, KvCache, Linear, Positions},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::{Drawing, Sequence, check_heads, check_share};
use super::{
    ar,
    generate::{SamplingParams, Writer},
    net::{Shifted, document_nll, nll, shape, validation},
};
use crate::models::common::stages::Stage;
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::recipe::RecipeError;
use crate::{events::Metrics, models::Size};
use mintage_data::sequence::Chunking;

/// Options of an adversarial model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Blocks of the generator, and of the critic.
    pub layers: usize,
    /// Attention heads of a block; `width` is a multiple of twice their number.
    pub heads: usize,
    /// Width of the generator, and of the critic.
    pub width: usize,
    /// Width inside the gated perceptrons.
    pub hidden: usize,
    /// Tokens that the generator sees at once.
    pub context: usize,
    /// Windows per step.
    pub batch: usize,
    /// Peak learning rate of the generator in phase 1; of AdamW and Muon alike.
    pub lr: f64,
    /// Decoupled weight decay of AdamW and Muon, in the generator, on tensors of rank 2 and more (Loshchilov
    /// & Hutter, arXiv:1711.05101).
    pub weight_decay: f64,
    /// Share of every branch's values that is dropped in phase 1.
    pub dropout: f64,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "critic_from")]
    pub critic_start: f64,
    /// Peak learning rate of the critic, in phase 2.
    pub critic_lr: f64,
    /// Peak learning rate of the generator in phase 2.
    pub policy_lr: f64,
    /// λ: weight of the likelihood of real windows beside the critic's rewards.
    pub likelihood: f64,
    /// γ: factor of a reward for each token that it comes later.
    pub discount: f64,
    /// Whether every block looks up vectors of tokens and of pairs of tokens in tables, in generator and critic.
    #[serde(default)]
    pub lookup: bool,
}

impl FamilyConfig<Sequence> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &SequenceInfo) -> Self {
        let ar::Config { layers, heads, width, hidden, context, batch, lr, dropout, lookup, .. } =
            ar::Config::preset(size, info);
        Self {
            layers,
            heads,
            width,
            hidden,
            context,
            batch,
            lr,
            weight_decay: 0.1,
            dropout,
            critic_start: 0.7,
            critic_lr: 1e-3,
            policy_lr: lr / 20.0,
            likelihood: 1.0,
            discount: 0.9,
            lookup,
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        check_heads(self.width, self.heads)?;
        check_share("critic_start", self.critic_start, 0.01..=0.99)
    }

    fn chunking(&self) -> Option<Chunking> {
        Some(Chunking::Windows(self.context))
    }

    fn activations(&self, info: &SequenceInfo) -> u64 {
        memory::of_document(info, self.context, self.width, self.layers)
    }
}

/// A generator and its critic with their optimisers.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    info: SequenceInfo,
    generator: Trainable<Decoder>,
    critic: Trainable<Critic>,
}

#[derive(Module, Debug)]
struct Critic {
    net: Decoder,
    head: Linear,
}

impl GenerativeModel<Sequence> for Gan {
    type Config = Config;

    fn new(config: &Config, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let Config { heads, width, hidden, lookup, .. } = *config;
        let shape = DecoderConfig { lookup, ..shape(info, config.layers, [heads, width, hidden]) };
        let generator = Decoder::new(shape, &on, rng);
        let critic =
            Critic { net: Decoder::new(shape, &on, rng), head: Linear::new(width, 1, 0.0, &on, rng) };
        let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
        Self {
            config: config.clone(),
            info: info.clone(),
            generator: Trainable::with_muon(generator, adam, Decoder::is_hidden)
                .with_lookup(Decoder::is_lookup),
            critic: Trainable::new(critic, AdamW::default()).with_lookup(Decoder::is_lookup),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("language", 0.0), ("critic", self.config.critic_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &SequenceBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.critic_start) {
            Stage::First(progress) => self.step_language(batch, progress, rng),
            Stage::Second(progress) => self.step_critic(batch, progress, rng),
        }
    }

    /// Phase 1: nats a token of the generator. Phase 2: `None`, since there is no number to minimise.
    fn validate(&self, batch: &SequenceBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        let is_language = progress < self.config.critic_start;
        is_language.then(|| validation(&self.generator.averaged(), batch, &self.info))
    }

    /// Draws sequences with the averaged weights.
    fn sample(&self, (draw, limit, on): Drawing, rng: &mut Rng) -> Vec<Vec<u32>> {
        let (net, info, context) = (&self.generator.averaged(), &self.info, self.config.context);
        Writer { net, info, context, counts: None }.write(draw, limit, on, rng)
    }

    /// `−log p` of each item of a batch by the generator: nats.
    fn nll(&self, batch: &SequenceBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        Some(nll(&self.generator.averaged(), batch))
    }

    /// `−log p` of a document after its boundary: nats.
    fn whole_nll(&self, tokens: &[u32], class: Option<u32>) -> Option<f64> {
        Some(document_nll(&self.generator.averaged(), &self.info, self.config.context, tokens, class))
    }

    parts!("generator" = generator, "critic" = critic);
}

impl Gan {
    fn step_language(
        &mut self,
        batch: &SequenceBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let shifted = Shifted::of_training(batch, rng);
        let net = self.generator.net();
        let h = net.forward_train(shifted.positions(), None, self.config.dropout, rng);
        let loss = shifted.mean_loss(net.logits(h));
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.generator.update(loss, lr)?;
        Ok(Metrics::new([("nll", loss), ("grad_norm", norm)]))
    }

    fn step_critic(
        &mut self,
        batch: &SequenceBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        if self.critic.steps() == 0 {
            self.teach_critic();
        }
        let real = Shifted::of_training(batch, rng);
        let new = self.continued(&real, rng);
        let factor = Schedule::default().factor(progress);
        let mut both = real.joined(&new);
        let (n, known) = (real.n, known(&real));
        let d_logits = to_vec(&self.critic.averaged().judge(&both, known));
        let written = d_logits.len() / (2 * n);
        let of_new = &d_logits[n * written..];
        let right = d_logits.iter().enumerate().filter(|&(i, &d)| (d > 0.0) == (i < n * written)).count();
        let advantages = advantages(of_new, written, self.config.discount as f32);

        let critic_loss = self.critic_loss(&both, known);
        let (critic_loss, _) = self.critic.update(critic_loss, self.config.critic_lr * factor)?;

        // Both in one pass: real windows weigh by their likelihood, new ones by what the critic says of them.
        let time = real.tokens.len() / n;
        let (likelihood, count) = (self.config.likelihood as f32, real.count().max(1.0));
        let mut weights: Vec<f32> = real.weights.iter().map(|&weight| weight * likelihood).collect();
        weights.resize(2 * n * time, 0.0);
        let share = time as f32 / written as f32;
        for (row, advantages) in advantages.chunks_exact(written).enumerate() {
            let row = &mut weights[(n + row) * time..][..time];
            row[known - 1..].iter_mut().zip(advantages).for_each(|(weight, &a)| *weight = a * share);
        }
        both.weights = Arc::new(weights);
        let net = self.generator.net();
        let losses = both.losses(net.logits(net.forward(both.positions(), None)));
        let (loss, norm) = self.generator.update(losses.sum() / count, self.config.policy_lr * factor)?;
        Ok(Metrics::new([
            ("loss", loss),
            ("critic", critic_loss),
            ("accuracy", right as f64 / d_logits.len() as f64),
            ("grad_norm", norm),
        ]))
    }

    /// Gives the critic what the generator knows.
    fn teach_critic(&mut self) {
        let mut known = TensorMap::default();
        known.insert_module("critic.net", &self.generator.averaged());
        known.insert_module("critic.head", &self.critic.net().head);
        let taught = self.critic.load_weights("critic", &known);
        taught.unwrap_or_else(|_| unreachable!("both are of one shape"));
    }

    /// The rows with their second half written by the generator.
    fn continued(&self, real: &Shifted, rng: &mut Rng) -> Shifted {
        let net = self.generator.averaged();
        let (n, time, known) = (real.n, real.tokens.len() / real.n, known(real));
        let mut tokens: Vec<Vec<u32>> =
            real.tokens.chunks_exact(time).map(|row| row[..known].to_vec()).collect();
        let mut cache = KvCache::default();
        for at in known..=time {
            let range = if at == known { 0..known } else { at - 1..at };
            let kinds = self.info.periods.len();
            let part = |all: &[u32], each: usize| -> Vec<u32> {
                let rows = all.chunks_exact((time * each).max(1));
                rows.flat_map(|row| &row[range.start * each..range.end * each]).copied().collect()
            };
            let (classes, period_positions) = (part(&real.classes, 1), part(&real.period_positions, kinds));
            let seen: Vec<u32> = tokens.iter().flat_map(|row| &row[range.clone()]).copied().collect();
            let positions =
                Positions { n, tokens: &seen, classes: &classes, period_positions: &period_positions };
            let h = match at == known {
                true => net.read(positions, None, &mut cache),
                false => net.next(positions, None, &mut cache),
            };
            let mut logits = to_vec(&net.logits(h));
            let each = logits.len() / n;
            for (row, logits) in tokens.iter_mut().zip(logits.chunks_exact_mut(each)) {
                row.push(SamplingParams::default().pick(logits, row, rng).unwrap_or(NO_TOKEN));
            }
        }
        Shifted {
            n,
            tokens: tokens.iter().flat_map(|row| &row[..time]).copied().collect(),
            classes: real.classes.clone(),
            period_positions: real.period_positions.clone(),
            targets: Arc::new(tokens.iter().flat_map(|row| &row[1..]).copied().collect()),
            weights: Arc::clone(&real.weights),
        }
    }

    /// The loss on real rows, followed by as many new ones.
    fn critic_loss(&self, both: &Shifted, known: usize) -> Tensor<1> {
        let d_logits = self.critic.net().judge(both, known); // [2 · n, written]
        let [rows, written] = d_logits.dims();
        let truth =
            (0..rows * written).map(|i| f32::from(u8::from(i < rows * written / 2))).collect::<Vec<_>>();
        let truth = Tensor::from_data(TensorData::new(truth, [rows, written]), &d_logits.device());
        kernels::bernoulli_nll(d_logits, truth).mean() / written as f64
    }
}

/// Tokens of each row that are given; the generator writes the rest.
fn known(rows: &Shifted) -> usize {
    (rows.tokens.len() / rows.n / 2).max(1)
}

/// `A_t` of rows of `written` tokens, from what the critic says of them.
fn advantages(d_logits: &[f32], written: usize, discount: f32) -> Vec<f32> {
    let mut returns: Vec<f32> = d_logits.iter().map(|&d| (0.5 * d).tanh()).collect(); // 2 σ(d) − 1
    for row in returns.chunks_exact_mut(written) {
        for at in (1..written).rev() {
            row[at - 1] += discount * row[at];
        }
    }
    let n = (returns.len() / written) as f32;
    for at in 0..written {
        let mean = returns.iter().skip(at).step_by(written).sum::<f32>() / n;
        returns.iter_mut().skip(at).step_by(written).for_each(|r| *r -= mean);
    }
    let variance = returns.iter().map(|r| r * r).sum::<f32>() / returns.len() as f32;
    let scale = 1.0 / variance.sqrt().max(1e-3);
    returns.iter().map(|r| r * scale).collect()
}

impl Critic {
    /// How real each row looks up to each of its targets from `known` on: logits, `[n, time + 1 − known]`.
    fn judge(&self, rows: &Shifted, known: usize) -> Tensor<2> {
        let at = Positions { tokens: &rows.targets, ..rows.positions() };
        let time = rows.tokens.len() / rows.n;
        let d_logits = self.head.forward(self.net.forward(at, None)); // [n · time, 1]
        d_logits.reshape([rows.n, time]).narrow(1, known - 1, time + 1 - known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advantages_are_of_what_comes_later() {
        // Two rows of two tokens; the critic is sure of the last ones.
        let found = advantages(&[0.0, 20.0, 0.0, -20.0], 2, 0.5);
        let scale = (2.0f32 * (0.25 + 1.0) / 4.0).sqrt();
        let wanted = [0.5 / scale, 1.0 / scale, -0.5 / scale, -1.0 / scale];
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
    }
}
