//! Flow matching over numbers and relaxed categories: variational flow matching (Eijkelboom et al.,
//! arXiv:2406.04843).
//!
//! Every token has a point `e_k`: a category is a corner of its field's simplex, and the tokens of a field of
//! many ordered ones lie on a line, each at the normal quantile of its place in the training rows. A row travels
//! from noise `x_0 ~ N(0, I)` to the points `x_1` of its tokens,
//!
//! ```text
//! x_t = (1 − t) x_0 + t x_1,    y = x_t / t = x_1 + σ x_0,    σ = (1 − t) / t
//! ```
//!
//! and the network learns where it will end. The noise of the fields is independent, so what a field's own
//! point says of its token is known, and only what the others say is learned:
//!
//! ```text
//! log q_k = log π_k + log N(y_f; e_k, σ²)
//! log p(x_f = k | x_t) = log q_k + net_k(softmax(log q)) + const,    L = E_t Σ_f −log p(x_f | x_t)
//! ```
//!
//! `softmax(log q)` holds all that `x_t` says, the time too. Sampling follows the flow
//! `dy/dσ = (y − ē(y, σ)) / σ` to the posterior's mean of the end points, by the two-step rule of
//! Lu et al. (arXiv:2211.01095) over equal ratios of `σ`:
//!
//! `y' = σ'/σ y + (1 − σ'/σ) (3/2 ē − 1/2 ē_before)`.
//!
//! In the end every token is drawn from the posterior.
//!
//! Given fields lie on their points at all times, in a part of the training rows as in sampling; tokens that
//! are not allowed have `π_k = 0`.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::{TableBatch, TableInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable, cancel, kernels, layers::Linear, weights::to_vec,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    HIDDEN, TableSampleParams,
    net::{Trunk, log_shares},
};
use super::{Table, max_steps};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{events::Metrics, models::Size};

/// Rows that go through the network together in sampling.
const SAMPLE_ROWS: usize = 2048;
/// Ordered tokens from which on a field is a number.
const MIN_NUMBER_TOKENS: usize = 48;
/// Where the tokens of a number that have no place in its order lie, each on an axis of its own.
const APART: f32 = 2.0;
/// σ of the first point of sampling, where nothing is known yet, and of the last.
const SIGMAS: [f32; 2] = [8.0, 0.04];
/// Share of the training rows at σ = ∞: of their open fields nothing is known.
const AT_START: f32 = 0.05;
/// A logarithm of zero that stays finite.
const LOG_ZERO: f32 = -1e4;

/// Options of a flow of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Width of the residual blocks, and of the vector of each token.
    pub width: usize,
    /// Residual blocks.
    pub blocks: usize,
    /// Evaluations of the network in sampling.
    pub steps: usize,
    /// Share of the training rows of which some fields are given.
    #[serde(alias = "given")]
    pub p_given: f64,
    /// Standard deviation of the points of a number; two categories of a field lie √2 apart.
    pub spread: f64,
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
    fn preset(size: Size, _info: &TableInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (128, 2),
            Size::Small => (256, 3),
            Size::Base => (512, 4),
            Size::Large => (1024, 6),
        };
        Self {
            width,
            blocks,
            steps: 32,
            p_given: 0.3,
            spread: 1.0,
            epochs: 200,
            batch: 1024,
            lr: 2e-3,
            weight_decay: 0.05,
            dropout: 0.2,
        }
    }

    fn tolerance(&self) -> f64 {
        0.08
    }

    fn max_steps(&self, train_len: usize) -> Option<u64> {
        Some(max_steps(self.epochs, self.batch, train_len, 2_000))
    }

    fn activations(&self, info: &TableInfo) -> u64 {
        memory::of_row(info)
    }
}

/// A flow of rows with its optimiser.
#[derive(Debug)]
pub struct Flow {
    config: Config,
    starts: Arc<Vec<usize>>,
    points: Points,
    device: Device,
    train: Trainable<Net>,
}

impl GenerativeModel<Table> for Flow {
    type Config = Config;

    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let net = Net::new(config, info, &device.clone().autodiff(), rng);
        let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
        Self {
            config: config.clone(),
            starts: Arc::new(info.starts()),
            points: Points::new(info, config.spread as f32),
            device: device.clone(),
            train: Trainable::new(net, adam),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// One step on the cross-entropy of the end points.
    fn step(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let on = self.device.clone().autodiff();
        let loss = self.loss(self.train.net(), batch, [self.config.p_given, self.config.dropout], &on, rng);
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.train.update(loss, lr)?;
        Ok(Metrics::new([("loss", loss), ("grad_norm", norm)]))
    }

    /// The same loss on held-out rows with the averaged weights, nothing given.
    fn validate(&self, batch: &TableBatch, _progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let loss = self.loss(&self.train.averaged(), batch, [0.0, 0.0], &self.device, rng);
        Some(Metrics::new([("loss", f64::from(loss.into_scalar::<f32>()))]))
    }

    /// Draws rows of tokens with the averaged weights.
    fn sample(&self, draw: &TableSampleParams, rng: &mut Rng) -> Vec<u16> {
        let net = self.train.averaged();
        let mut log_prior = self.points.log_prior.clone();
        for field in 0..self.fields() {
            let tokens = draw.allowed(field).into_iter().flatten().enumerate();
            tokens.filter(|(_, allowed)| !**allowed).for_each(|(token, _)| {
                log_prior[self.starts[field] + token] = LOG_ZERO;
            });
        }
        let given = draw.start(self.fields());
        let parts = given.chunks(SAMPLE_ROWS * self.fields());
        let mut part = |given: &[u16]| match cancel::wanted() {
            true => {
                let mut tokens = given.to_vec();
                super::fill_hidden(&mut tokens);
                tokens
            }
            false => self.denoise(&net, given, &log_prior, draw.temperature, rng),
        };
        parts.flat_map(&mut part).collect()
    }

    parts!("net" = train);
}

impl Flow {
    fn fields(&self) -> usize {
        self.starts.len() - 1
    }

    fn loss(
        &self,
        net: &Net,
        batch: &TableBatch,
        [given, dropout]: [f64; 2],
        device: &Device,
        rng: &mut Rng,
    ) -> Tensor<1> {
        let fields = self.fields();
        let known = some_given(&batch.tokens, fields, given, rng);
        let shift = rng.uniform();
        // Evenly over the logarithm, which one batch would not be by chance.
        let sigmas: Vec<f32> = (0..batch.n)
            .map(|row| match (row as f32 + shift) / batch.n as f32 {
                u if u < AT_START => f32::INFINITY,
                u => sigma((u - AT_START) / (1.0 - AT_START)),
            })
            .collect();
        let noise = rng.normals(batch.n * self.points.axes());
        let y = self.points.noisy(&batch.tokens, &sigmas, &noise);
        let log_posterior = self.log_posterior(&y, &sigmas, &known, &self.points.log_prior, device);
        let targets = batch.tokens.iter().zip(&known);
        let targets =
            targets.map(|(&token, &known)| if known == HIDDEN { u32::from(token) } else { kernels::NONE });
        let targets: Vec<u32> = targets.collect();
        let weights = vec![1.0; targets.len()];
        let logits = net.forward(log_posterior, &self.starts, dropout, rng);
        kernels::fields_cross_entropy(logits, &self.starts, &Arc::new(targets), &Arc::new(weights)).mean()
    }

    /// Unnormalised log-posterior of every token given its own point alone: `[n, tokens]`. `known` tokens are
    /// certain.
    fn log_posterior(
        &self,
        y: &[f32],
        sigmas: &[f32],
        known: &[u16],
        log_prior: &[f32],
        device: &Device,
    ) -> Tensor<2> {
        let (total, n) = (log_prior.len(), sigmas.len());
        let mut log_posterior = vec![0.0; n * total];
        let rows = log_posterior.par_chunks_mut(total).zip(y.par_chunks(self.points.axes())).zip(sigmas);
        rows.zip(known.par_chunks(self.fields())).for_each(|(((log_posterior, y), &sigma), known)| {
            self.points.log_posterior(y, sigma, log_prior, log_posterior);
            for (field, &token) in known.iter().enumerate().filter(|(_, token)| **token != HIDDEN) {
                log_posterior[self.starts[field]..self.starts[field + 1]].fill(LOG_ZERO);
                log_posterior[self.starts[field] + token as usize] = 0.0;
            }
        });
        Tensor::from_data(TensorData::new(log_posterior, [n, total]), device)
    }

    /// From noise to tokens.
    fn denoise(
        &self,
        net: &Net,
        given: &[u16],
        log_prior: &[f32],
        temperature: f32,
        rng: &mut Rng,
    ) -> Vec<u16> {
        let n = given.len() / self.fields();
        let mut tokens = given.to_vec();
        let steps = self.config.steps.max(3);
        let look = |y: &[f32], sigma: f32, rng: &mut Rng| {
            let log_posterior = self.log_posterior(y, &vec![sigma; n], given, log_prior, &self.device);
            let logits = net.forward(log_posterior, &self.starts, 0.0, rng) / temperature.max(1e-3);
            to_vec(&kernels::fields_softmax(logits, &self.starts))
        };
        // Nothing is known at σ = ∞; points drawn there and blurred are where the way begins.
        let mut y = vec![0.0; n * self.points.axes()];
        self.draw(&look(&y, f32::INFINITY, rng), given, &rng.uniforms(given.len()), &mut tokens);
        let mut now = sigma(0.0);
        let noise = rng.normals(y.len());
        y = self.points.noisy(&tokens, &vec![now; n], &noise);
        let mut before: Option<Vec<f32>> = None;
        for step in 1..steps - 1 {
            if cancel::wanted() {
                break;
            }
            let next = sigma(step as f32 / (steps - 2) as f32);
            let ends = self.points.means(&look(&y, now, rng), n);
            let kept = next / now;
            let older = before.as_ref().unwrap_or(&ends);
            y.par_iter_mut().zip(&ends).zip(older).for_each(|((y, end), older)| {
                *y = kept * *y + (1.0 - kept) * (1.5 * end - 0.5 * older);
            });
            (before, now) = (Some(ends), next);
        }
        self.draw(&look(&y, now, rng), given, &rng.uniforms(given.len()), &mut tokens);
        tokens
    }

    /// Draws a token for every field that is not given.
    fn draw(&self, chances: &[f32], given: &[u16], uniforms: &[f32], tokens: &mut [u16]) {
        let fields = self.fields();
        let total = self.starts[fields];
        let rows = tokens.par_chunks_mut(fields).zip(chances.par_chunks(total)).zip(given.par_chunks(fields));
        rows.zip(uniforms.par_chunks(fields)).for_each(|(((tokens, chances), given), uniforms)| {
            for field in (0..fields).filter(|&field| given[field] == HIDDEN) {
                let chances = &chances[self.starts[field]..self.starts[field + 1]];
                tokens[field] = pick_of(chances, uniforms[field]) as u16;
            }
        });
    }
}

/// σ at a place between the first point (0) and the last (1).
fn sigma(place: f32) -> f32 {
    let [first, last] = SIGMAS;
    first * (last / first).powf(place.clamp(0.0, 1.0))
}

/// A random part of the fields of a share of the rows; all else is hidden.
fn some_given(tokens: &[u16], fields: usize, share: f64, rng: &mut Rng) -> Vec<u16> {
    let mut known = vec![HIDDEN; tokens.len()];
    for (known, tokens) in known.chunks_exact_mut(fields).zip(tokens.chunks_exact(fields)) {
        if f64::from(rng.uniform()) < share {
            let count = rng.below(fields);
            for field in rng.permutation(fields).into_iter().take(count) {
                known[field] = tokens[field];
            }
        }
    }
    known
}

/// The token that `u` of the whole falls on; the last possible one where rounding leaves a rest.
fn pick_of(chances: &[f32], u: f32) -> usize {
    let mut rest = u;
    let found = chances.iter().position(|&chance| {
        rest -= chance;
        rest < 0.0
    });
    found.or_else(|| chances.iter().rposition(|&chance| chance > 0.0)).unwrap_or(0)
}

/// Where tokens lie: each on one axis, at one value of it.
#[derive(Debug)]
struct Points {
    /// Of each token its axis and its value there.
    places: Vec<(u32, f32)>,
    /// Where the tokens and where the axes of each field begin, and where the last ones end.
    fields: Vec<[usize; 2]>,
    /// log π
    log_prior: Vec<f32>,
}

impl Points {
    fn new(info: &TableInfo, spread: f32) -> Self {
        let mut points = Self { places: Vec::new(), fields: vec![[0, 0]], log_prior: Vec::new() };
        for field in &info.fields {
            let first = points.axes() as u32;
            let ordered = if field.ordinal { field.size - field.unordered } else { 0 };
            if ordered >= MIN_NUMBER_TOKENS {
                points.places.extend(quantiles(&field.counts[..ordered]).map(|at| (first, at * spread)));
                points.places.extend((0..field.unordered).map(|i| (first + 1 + i as u32, APART)));
                points.end_field(field.unordered + 1);
            } else {
                points.places.extend((0..field.size).map(|token| (first + token as u32, 1.0)));
                points.end_field(field.size);
            }
            points.log_prior.extend(log_shares(&field.counts));
        }
        points
    }

    fn end_field(&mut self, axes: usize) {
        self.fields.push([self.places.len(), self.axes() + axes]);
    }

    fn axes(&self) -> usize {
        self.fields.last().map_or(0, |ends| ends[1])
    }

    /// For each field of a row its axes, and the place of its token.
    fn of_row<'a>(
        &'a self,
        tokens: &'a [u16],
    ) -> impl Iterator<Item = (std::ops::Range<usize>, (u32, f32))> + 'a {
        self.fields.windows(2).zip(tokens).map(|(ends, &token)| {
            let [[start, axis], [_, end]] = [ends[0], ends[1]];
            (axis..end, self.places[start + token as usize])
        })
    }

    /// `x_1 + σ x_0` of each row.
    fn noisy(&self, tokens: &[u16], sigmas: &[f32], noise: &[f32]) -> Vec<f32> {
        let (axes, fields) = (self.axes(), self.fields.len() - 1);
        let mut y = vec![0.0; noise.len()];
        let rows = y.par_chunks_mut(axes).zip(noise.par_chunks(axes)).zip(sigmas);
        rows.zip(tokens.par_chunks(fields)).for_each(|(((y, noise), &sigma), tokens)| {
            // Where nothing is known any number will do.
            let sigma = if sigma.is_finite() { sigma } else { 0.0 };
            y.iter_mut().zip(noise).for_each(|(y, noise)| *y = sigma * noise);
            self.of_row(tokens).for_each(|(_, (axis, value))| y[axis as usize] += value);
        });
        y
    }

    /// `log π_k + log N(y; e_k, σ²)`, without what all tokens of a field have in common.
    fn log_posterior(&self, y: &[f32], sigma: f32, log_prior: &[f32], out: &mut [f32]) {
        let precision = 1.0 / (sigma * sigma);
        for ((out, prior), &(axis, value)) in out.iter_mut().zip(log_prior).zip(&self.places) {
            *out = prior + (y[axis as usize] - 0.5 * value) * value * precision;
        }
    }

    /// The mean of the points of each of `n` rows, by the chances of their tokens: `n × axes`.
    fn means(&self, chances: &[f32], n: usize) -> Vec<f32> {
        let (axes, total) = (self.axes(), self.places.len());
        let mut means = vec![0.0; n * axes];
        means.par_chunks_mut(axes).zip(chances.par_chunks(total)).for_each(|(means, chances)| {
            for (&(axis, value), chance) in self.places.iter().zip(chances) {
                means[axis as usize] += chance * value;
            }
        });
        means
    }
}

/// Normal quantiles of the middle of each token's part of the rows, by Tukey's lambda distribution: within 0.01
/// of the exact ones, and any increasing function would do.
fn quantiles(counts: &[u32]) -> impl Iterator<Item = f32> + '_ {
    const LAMBDA: f64 = 0.14;
    let total: f64 = counts.iter().map(|&n| f64::from(n) + 0.1).sum();
    let mut below = 0.0;
    counts.iter().map(move |&n| {
        let share = (f64::from(n) + 0.1) / total;
        let p: f64 = below + 0.5 * share;
        below += share;
        (4.91 * (p.powf(LAMBDA) - (1.0 - p).max(0.0).powf(LAMBDA))) as f32
    })
}

/// Logits `log_posterior` of the points → logits of the end points.
#[derive(Module, Debug)]
struct Net {
    trunk: Trunk,
    head: Linear,
}

impl Net {
    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let total = info.starts()[info.width()];
        Self {
            trunk: Trunk::new(info, config.width, config.blocks, device, rng),
            head: Linear::new(config.width, total, 0.0, device, rng),
        }
    }

    /// `[n, tokens] → [n, tokens]`.
    fn forward(
        &self,
        log_posterior: Tensor<2>,
        starts: &Arc<Vec<usize>>,
        dropout: f64,
        rng: &mut Rng,
    ) -> Tensor<2> {
        let shares = kernels::fields_softmax(log_posterior.clone(), starts);
        kernels::add(log_posterior, self.head.forward(self.trunk.forward_shares(shares, dropout, rng)))
    }
}
