//! Conditional generative adversarial network of rows: the image GAN's loss and penalties (R3GAN, Huang et al.,
//! arXiv:2501.05441), training by sampling (CTGAN, Xu et al., arXiv:1907.00503) and packs of rows (PacGAN, Lin et
//! al., arXiv:1712.04086).
//!
//! ```text
//! x̃_f = one_hot(argmax(l_f + g)),    l = G(z, c),  z ~ N(0, I),  g ~ Gumbel
//! L_D = E softplus(D(x̃) − D(x)) + γ/2 E‖∇ₓD(x)‖² + γ/2 E‖∇ₓD(x̃)‖²
//! L_G = E softplus(D(x) − D(x̃))
//! ```
//!
//! A token is drawn exactly, and its gradient is that of `softmax((l_f + g) / τ)` (straight through; Jang et al.,
//! arXiv:1611.01144). A pair of a real and a generated row has the same condition `c`, tokens that both have: none,
//! any part of the real row, or one token of one field, drawn by the logarithm of its frequency, so that rare
//! ones are learned too.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation},
};
use mintage_data::{RowBatch, RowInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, WeightsError, kernels,
    layers::{Embedding, Linear},
    weights::to_vec,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    HIDDEN, RowDraw,
    net::{log_shares, places, smooth_embedding},
};
use crate::{
    events::Metrics,
    models::{
        Size,
        pass::{Pass, act, gradient_penalty_before},
    },
};

/// Rows that go through the network together in sampling.
const SAMPLE_ROWS: usize = 2048;
/// A logarithm of zero that stays finite.
const NEVER: f32 = -1e4;
/// Share of the conditions that are one token, drawn by the logarithm of its frequency.
const ONE_TOKEN: f32 = 0.5;

/// All choices of a GAN of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub latent: usize,
    pub width: usize,
    /// Residual blocks of the generator and of the discriminator.
    pub blocks: usize,
    /// Rows that the discriminator judges together.
    pub pack: usize,
    /// τ of the gradient through drawn tokens.
    pub tau: f64,
    /// γ of both penalties.
    pub penalty: f64,
    /// The penalties are computed every so many steps, and weighted as many times (Karras et al., arXiv:1912.04958).
    pub penalty_every: usize,
    /// Share of the training rows with a condition.
    pub given: f64,
    pub batch: usize,
    pub lr: f64,
}

impl Config {
    /// The preset of a size.
    pub fn preset(size: Size, _info: &RowInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (128, 1),
            Size::Small => (256, 2),
            Size::Base => (512, 3),
            Size::Large => (1024, 4),
        };
        Self {
            latent: 128,
            width,
            blocks,
            pack: 8,
            tau: 0.5,
            penalty: 0.5,
            penalty_every: 2,
            given: 0.4,
            batch: 512,
            lr: 5e-4,
        }
    }
}

/// A GAN of rows with both optimisers.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    starts: Arc<Vec<usize>>,
    groups: Groups,
    device: Device,
    generator: Trainable<Generator>,
    discriminator: Trainable<Discriminator>,
    /// Steps made: says when the penalties are due.
    steps: u64,
}

impl Gan {
    pub fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let adam = |ema| AdamW { beta1: 0.0, beta2: 0.99, clip: 0.0, ema, ..AdamW::default() };
        Self {
            generator: Trainable::new(Generator::new(config, info, &on, rng), adam(0.999)),
            discriminator: Trainable::new(Discriminator::new(config, info, &on, rng), adam(0.0)),
            config: config.clone(),
            starts: Arc::new(info.starts()),
            groups: Groups::new(info),
            device: device.clone(),
            steps: 0,
        }
    }

    fn fields(&self) -> usize {
        self.starts.len() - 1
    }

    /// One step of the discriminator, then one of the generator. Metrics: the losses of both, how well real and
    /// generated are told apart (0.5: not at all), and the penalty when due.
    pub fn step(&mut self, batch: &RowBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let on = self.device.clone().autodiff();
        let lr = self.config.lr * Schedule::default().factor(progress);
        // Whole packs.
        let n = (batch.n / self.config.pack).max(1) * self.config.pack;
        let (rows, known) = self.conditions(batch, n, rng);
        let mask = known.iter().map(|&token| f32::from(u8::from(token != HIDDEN))).collect();
        let mask: Vec<f32> = mask;
        let mask = Tensor::from_data(TensorData::new(mask, [n, self.fields()]), &self.device);

        let logits = self.generator.net().forward(self.noise(n, &on, rng), &known, &self.starts);
        let (fake, drawn) = self.straight_through(logits, &self.gumbel(&known, rng));

        let d = self.discriminator.net();
        let rows = Arc::new(places(&[rows, drawn].concat(), &self.starts));
        let masks = Tensor::from_inner(Tensor::cat(vec![mask.clone(), mask.clone()], 0));
        let seen = kernels::add(d.tokens.bag(&rows, self.fields()), d.given.forward(masks));
        let scores = d.pass(seen.clone(), &mut Pass::Plain);
        let packs = n / self.config.pack;
        let (d_real, d_fake) = (scores.clone().narrow(0, 0, packs), scores.narrow(0, packs, packs));
        let mut loss = activation::softplus(d_fake.clone() - d_real.clone(), 1.0).mean();
        let told = d_real.clone().greater(d_fake).float().mean().into_scalar::<f32>();
        let every = self.config.penalty_every.max(1);
        let mut penalty = None;
        if self.steps.is_multiple_of(every as u64) {
            // The mean over both kinds is half of R1 + R2.
            let r1_r2 = d.gradient_penalty(seen) * 2.0;
            penalty = Some(f64::from(r1_r2.clone().into_scalar::<f32>()));
            loss = loss + r1_r2 * (self.config.penalty / 2.0 * every as f64);
        }
        let (d_loss, _) = self.discriminator.update(loss, lr)?;

        // The generator's step reads D(x) of above: it is a constant there, one update old.
        let d = self.discriminator.net().clone().no_grad();
        let seen = kernels::linear(fake, d.tokens.weight.val(), None);
        let seen = kernels::add(seen, d.given.forward(Tensor::from_inner(mask)));
        let d_fake = d.pass(seen, &mut Pass::Plain);
        let loss = activation::softplus(d_real.detach() - d_fake, 1.0).mean();
        let (g_loss, _) = self.generator.update(loss, lr)?;
        self.steps += 1;

        let told = f64::from(told);
        let mut metrics = Metrics::new([("d_loss", d_loss), ("g_loss", g_loss), ("told_apart", told)]);
        metrics.0.extend(penalty.map(|value| ("penalty".to_owned(), value)));
        Ok(metrics)
    }

    /// How far generated rows are from held-out ones: the total variation between the tables of two fields, the mean
    /// over all pairs, with large fields in groups of tokens.
    pub fn validate(&self, batch: &RowBatch, _progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let generated = self.sample(&RowDraw::new(batch.n), rng);
        Some(Metrics::new([("pair_distance", self.groups.pair_distance(&batch.tokens, &generated))]))
    }

    /// Real rows and what of them is given.
    fn conditions(&self, batch: &RowBatch, n: usize, rng: &mut Rng) -> (Vec<u16>, Vec<u16>) {
        let fields = self.fields();
        let row = |row: usize| &batch.tokens[row * fields..][..fields];
        let (mut rows, mut known) = (Vec::with_capacity(n * fields), vec![HIDDEN; n * fields]);
        for (i, known) in known.chunks_exact_mut(fields).enumerate() {
            let mut real = row(i % batch.n);
            if f64::from(rng.uniform()) < self.config.given {
                if rng.uniform() < ONE_TOKEN {
                    let field = rng.below(fields);
                    real = row(self.rare_row(batch, field, rng));
                    known[field] = real[field];
                } else {
                    let count = 1 + rng.below(fields.saturating_sub(1));
                    rng.permutation(fields)
                        .into_iter()
                        .take(count)
                        .for_each(|field| known[field] = real[field]);
                }
            }
            rows.extend_from_slice(real);
        }
        (rows, known)
    }

    /// A row of the batch by a token of `field`, tokens weighted by the logarithm of their frequency in it.
    fn rare_row(&self, batch: &RowBatch, field: usize, rng: &mut Rng) -> usize {
        let mut counts = vec![0u32; self.starts[field + 1] - self.starts[field]];
        let tokens = || batch.tokens.iter().skip(field).step_by(self.fields());
        tokens().for_each(|&token| counts[token as usize] += 1);
        let weights: Vec<f32> = counts.iter().map(|&count| (count as f32).ln_1p()).collect();
        let token = rng.categorical(&weights);
        let nth = rng.below(counts[token] as usize);
        tokens().enumerate().filter(|(_, t)| **t as usize == token).nth(nth).map_or(0, |(row, _)| row)
    }

    fn noise(&self, n: usize, device: &Device, rng: &mut Rng) -> Tensor<2> {
        rng.normal_tensor([n, self.config.latent], device)
    }

    /// Gumbel noise for every token, and certainty where one is given.
    fn gumbel(&self, known: &[u16], rng: &mut Rng) -> Vec<f32> {
        let (fields, total) = (self.fields(), self.starts[self.fields()]);
        let mut noise = rng.uniforms(known.len() / fields * total);
        noise.par_chunks_mut(total).zip(known.par_chunks(fields)).for_each(|(noise, known)| {
            noise.iter_mut().for_each(|u| *u = -(-(*u).max(1e-20).ln()).max(1e-20).ln());
            for (field, &token) in known.iter().enumerate().filter(|(_, token)| **token != HIDDEN) {
                noise[self.starts[field] + token as usize] = -NEVER;
            }
        });
        noise
    }

    /// Drawn tokens, and as points `[n, tokens]` with the gradient of the relaxed ones.
    fn straight_through(&self, logits: Tensor<2>, gumbel: &[f32]) -> (Tensor<2>, Vec<u16>) {
        let gumbel = Tensor::from_data(TensorData::new(gumbel.to_vec(), logits.dims()), &logits.device());
        let relaxed = kernels::fields_softmax((logits + gumbel) / self.config.tau, &self.starts);
        let drawn = self.largest(&to_vec(&relaxed));
        let hard = self.one_hot(&drawn);
        (relaxed.clone() + Tensor::from_inner(hard - relaxed.inner()), drawn)
    }

    /// The token of the largest value of each field.
    fn largest(&self, values: &[f32]) -> Vec<u16> {
        let rows = values.par_chunks(self.starts[self.fields()]);
        let row = |row: &[f32]| {
            let largest = |field: &[usize]| {
                let values = row[field[0]..field[1]].iter().enumerate();
                values.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(token, _)| token as u16)
            };
            self.starts.windows(2).map(largest).collect::<Vec<u16>>()
        };
        rows.flat_map_iter(row).collect()
    }

    /// `[n, tokens]`.
    fn one_hot(&self, tokens: &[u16]) -> Tensor<2> {
        let (n, total) = (tokens.len() / self.fields(), self.starts[self.fields()]);
        let mut points = vec![0.0; n * total];
        for (at, place) in places(tokens, &self.starts).into_iter().enumerate() {
            points[at / self.fields() * total + place as usize] = 1.0;
        }
        Tensor::from_data(TensorData::new(points, [n, total]), &self.device)
    }

    /// Draws from the averaged generator.
    pub fn sample(&self, draw: &RowDraw, rng: &mut Rng) -> Vec<u16> {
        let net = self.generator.averaged();
        let given = draw.start(self.fields());
        let parts = given.chunks(SAMPLE_ROWS * self.fields());
        parts.flat_map(|given| self.sample_part(&net, draw, given.to_vec(), rng)).collect()
    }

    /// Fields with a condition that leaves several tokens come first, one by one, each known to what follows.
    fn sample_part(&self, net: &Generator, draw: &RowDraw, mut known: Vec<u16>, rng: &mut Rng) -> Vec<u16> {
        let fields = self.fields();
        for field in (0..fields).filter(|&field| draw.allowed(field).is_some()) {
            let drawn = self.draw(net, draw, &known, rng);
            known.iter_mut().zip(drawn).skip(field).step_by(fields).for_each(|(known, drawn)| *known = drawn);
        }
        self.draw(net, draw, &known, rng)
    }

    /// A token for every field that is not known.
    fn draw(&self, net: &Generator, draw: &RowDraw, known: &[u16], rng: &mut Rng) -> Vec<u16> {
        let (fields, total) = (self.fields(), self.starts[self.fields()]);
        let z = self.noise(known.len() / fields, &self.device, rng);
        let mut logits = to_vec(&(net.forward(z, known, &self.starts) / draw.temperature.max(1e-3)));
        let gumbel = self.gumbel(known, rng);
        logits.par_chunks_mut(total).zip(gumbel.par_chunks(total)).for_each(|(logits, gumbel)| {
            logits.iter_mut().zip(gumbel).for_each(|(logit, gumbel)| *logit += gumbel);
            for field in 0..fields {
                let tokens = draw.allowed(field).into_iter().flatten().enumerate();
                tokens.filter(|(_, allowed)| !**allowed).for_each(|(token, _)| {
                    logits[self.starts[field] + token] += NEVER;
                });
            }
        });
        self.largest(&logits)
    }

    pub fn save_weights(&self, map: &mut TensorMap) {
        self.generator.save_weights("generator", map);
        self.discriminator.save_weights("discriminator", map);
    }

    pub fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.generator.load_weights("generator", map)?;
        self.discriminator.load_weights("discriminator", map)
    }

    pub fn save_state(&self, map: &mut TensorMap) {
        self.generator.save_state("generator", map);
        self.discriminator.save_state("discriminator", map);
    }

    pub fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.generator.load_state("generator", map)?;
        self.discriminator.load_state("discriminator", map)?;
        self.steps = self.discriminator.optimizer.steps();
        Ok(())
    }

    pub fn parameters(&self) -> usize {
        self.generator.net().num_params() + self.discriminator.net().num_params()
    }
}

/// Tokens of each field in a few groups: neighbours of an ordinal field, otherwise the most frequent ones alone
/// and the rest together.
#[derive(Debug)]
struct Groups {
    of: Vec<Vec<u8>>,
}

impl Groups {
    const MOST: usize = 10;

    fn new(info: &RowInfo) -> Self {
        let of = info.fields.iter().map(|field| {
            let mut order: Vec<usize> = (0..field.size).collect();
            if field.ordinal {
                let total: u64 = field.counts.iter().map(|&n| u64::from(n)).sum();
                let mut below = 0u64;
                let group = field.counts.iter().map(|&count| {
                    let middle = below + u64::from(count / 2);
                    below += u64::from(count);
                    (middle * Self::MOST as u64 / total.max(1)).min(Self::MOST as u64 - 1) as u8
                });
                return group.collect();
            }
            order.sort_by_key(|&token| std::cmp::Reverse(field.counts[token]));
            let mut group = vec![0; field.size];
            order.iter().enumerate().for_each(|(rank, &token)| group[token] = rank.min(Self::MOST - 1) as u8);
            group
        });
        Self { of: of.collect() }
    }

    /// The mean over all pairs of fields of the total variation between their tables in rows `a` and rows `b`.
    fn pair_distance(&self, a: &[u16], b: &[u16]) -> f64 {
        let fields = self.of.len();
        let pairs: Vec<(usize, usize)> = (0..fields).flat_map(|i| (i..fields).map(move |j| (i, j))).collect();
        let table = |rows: &[u16], (i, j): (usize, usize)| {
            let mut table = [0.0; Self::MOST * Self::MOST];
            let share = fields as f64 / rows.len() as f64;
            for row in rows.chunks_exact(fields) {
                let group = |field: usize| self.of[field][row[field] as usize] as usize;
                table[group(i) * Self::MOST + group(j)] += share;
            }
            table
        };
        let distance = |&pair: &(usize, usize)| {
            let (a, b) = (table(a, pair), table(b, pair));
            a.iter().zip(&b).map(|(a, b): (&f64, &f64)| (a - b).abs()).sum::<f64>() / 2.0
        };
        pairs.par_iter().map(distance).collect::<Vec<f64>>().iter().sum::<f64>() / pairs.len() as f64
    }
}

/// `h + W_2 act(W_1 act(h))`; starts as the identity.
#[derive(Module, Debug)]
struct Block {
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            up: Linear::new(width, width, 1.0, device, rng),
            down: Linear::new(width, width, 0.0, device, rng),
        }
    }

    fn pass(&self, h: Tensor<2>, pass: &mut Pass) -> Tensor<2> {
        let inside = pass.act(h.clone());
        let inside = pass.linear(&self.up, inside);
        let inside = pass.act(inside);
        kernels::add(h, pass.linear(&self.down, inside))
    }
}

/// `z [n, latent]` and known tokens → logits of all fields.
#[derive(Module, Debug)]
struct Generator {
    input: Linear,
    known: Embedding,
    blocks: Vec<Block>,
    head: Linear,
}

impl Generator {
    fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let total = info.starts()[info.width()];
        let mut head = Linear::new(config.width, total, 1.0, device, rng);
        // Begin with how often each token occurs.
        let bias: Vec<f32> = info.fields.iter().flat_map(|field| log_shares(&field.counts)).collect();
        head.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::new(bias, [total]), device)));
        Self {
            input: Linear::new(config.latent, config.width, 1.0, device, rng),
            known: Embedding { weight: smooth_embedding(info, total, config.width, device, rng) },
            blocks: (0..config.blocks).map(|_| Block::new(config.width, device, rng)).collect(),
            head,
        }
    }

    fn forward(&self, z: Tensor<2>, known: &[u16], starts: &[usize]) -> Tensor<2> {
        let known = self.known.bag(&Arc::new(places(known, starts)), starts.len() - 1);
        let h = kernels::add(self.input.forward(z), known);
        let h = self.blocks.iter().fold(h, |h, block| block.pass(h, &mut Pass::Plain));
        self.head.forward(act(h))
    }
}

/// Rows `[n, tokens]` and which of their fields are given `[n, fields]` → a score for every pack of them, unbounded;
/// larger is more real.
///
/// Rows are points only where the generator learns from them; elsewhere the sum of a vector a token is the same,
/// and thousands of tokens cost as little as a few.
#[derive(Module, Debug)]
struct Discriminator {
    tokens: Embedding,
    given: Linear,
    blocks: Vec<Block>,
    together: Linear,
    last: Block,
    score: Linear,
    #[module(skip)]
    pack: usize,
}

impl Discriminator {
    fn new(config: &Config, info: &RowInfo, device: &Device, rng: &mut Rng) -> Self {
        let (width, total) = (config.width, info.starts()[info.width()]);
        Self {
            tokens: Embedding { weight: smooth_embedding(info, total, width, device, rng) },
            given: Linear::new(info.width(), width, 1.0, device, rng),
            blocks: (0..config.blocks).map(|_| Block::new(width, device, rng)).collect(),
            together: Linear::new(config.pack * width, width, 1.0, device, rng),
            last: Block::new(width, device, rng),
            score: Linear::new(width, 1, 1.0, device, rng),
            pack: config.pack,
        }
    }

    /// From what the first layer makes of rows, `[n, width]`.
    fn pass(&self, mut h: Tensor<2>, pass: &mut Pass) -> Tensor<1> {
        let packs = h.dims()[0] / self.pack;
        for block in &self.blocks {
            h = block.pass(h, pass);
        }
        let h = pass.act(h);
        let width = h.dims()[1];
        let h = pass.linear(&self.together, h.reshape([packs, self.pack * width]));
        let h = self.last.pass(h, pass);
        let h = pass.act(h);
        pass.linear(&self.score, h).reshape([packs])
    }

    /// The zero-centred penalty, by the gradient in the tokens of rows that the first layer made `h` of.
    ///
    /// `∇ₓD = W ∇ₕD` has a number for every token; only `WᵀW` is needed of it.
    fn gradient_penalty(&self, h: Tensor<2>) -> Tensor<1> {
        let there_and_back = |net: &Self, v: Tensor<2>| {
            let w = net.tokens.weight.val();
            v.matmul(w.clone().detach().transpose().matmul(w))
        };
        gradient_penalty_before(self, h, there_and_back, |net, h, pass| net.pass(h, pass))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_data::table::codec::Field;

    const OPTIONS: &str = "width = 32\nlatent = 8\nbatch = 64\npack = 4\nlr = 0.003";

    /// Two small fields of which the second follows from the first, an ordinal field of which the last token
    /// stands apart, and a number of many tokens that goes with it.
    fn tiny_rows() -> (RowInfo, RowBatch) {
        const ROWS: usize = 64;
        let mut rng = Rng::new(3, 0);
        let row = |_| {
            let (a, c) = (rng.below(3) as u16, rng.below(8) as u16);
            [a, (2 * a + 1) % 3, c, c * 7 + rng.below(7) as u16]
        };
        let tokens: Vec<u16> = (0..ROWS).flat_map(row).collect();
        let fields = [(3, false, 0), (3, false, 0), (8, true, 1), (56, true, 2)].into_iter().enumerate();
        let field = |(column, (size, ordinal, unordered)): (usize, (usize, bool, usize))| {
            let mut counts = vec![0; size];
            tokens.iter().skip(column).step_by(4).for_each(|&token| counts[token as usize] += 1);
            Field { column, size, ordinal, unordered, detail: false, counts }
        };
        (RowInfo { fields: fields.map(field).collect(), train_len: ROWS }, RowBatch { tokens, n: ROWS })
    }

    #[test]
    fn penalty_has_the_gradient_of_differences() {
        let (device, mut rng) = (Device::flex(), Rng::new(5, 0));
        let on = device.clone().autodiff();
        let (info, batch) = tiny_rows();
        let config = Config { width: 16, pack: 2, ..Config::preset(Size::Tiny, &info) };
        let gan = Gan::new(&config, &info, &device, &mut rng);
        let mut net = Discriminator::new(&config, &info, &on, &mut rng);
        // Residual branches start silent; here they must speak.
        for block in net.blocks.iter_mut().chain([&mut net.last]) {
            block.down.weight = Param::from_tensor(rng.normal_tensor([16, 16], &on) * 0.1);
        }
        let rows = Tensor::from_inner(gan.one_hot(&batch.tokens));
        let given = rng.uniform_tensor([batch.n, info.width()], &on);
        let seen = |net: &Discriminator| {
            let rows = kernels::linear(rows.clone(), net.tokens.weight.val(), None);
            kernels::add(rows, net.given.forward(given.clone()))
        };
        let grads = net.gradient_penalty(seen(&net)).backward();
        let gradient = net.tokens.weight.val().grad(&grads).unwrap();

        let length = f64::from(to_vec(&gradient.clone().powi_scalar(2).sum())[0]).sqrt();
        let moved = |by: f64| {
            let mut net = net.clone();
            let by = gradient.clone() * (by / length);
            net.tokens.weight = net.tokens.weight.map(|w| Tensor::from_inner(w.inner() + by.clone()));
            f64::from(net.gradient_penalty(seen(&net)).into_scalar::<f32>())
        };
        // A longer step crosses kinks, where the penalty jumps.
        const STEP: f64 = 3e-4;
        let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        assert!((length / expected - 1.0).abs() < 0.02, "{length} {expected}");
    }

    #[test]
    fn learns_what_goes_together() {
        let (info, batch) = tiny_rows();
        let options: toml::Table = OPTIONS.parse().unwrap();
        let preset = Config::preset(Size::Tiny, &info);
        let config = crate::recipe::merge_options(preset, &options).unwrap();
        let mut gan = Gan::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0));
        let distance = |gan: &Gan| {
            let rows = gan.sample(&RowDraw::new(1000), &mut Rng::new(3, 0));
            gan.groups.pair_distance(&batch.tokens, &rows)
        };
        let before = distance(&gan);
        for i in 0..300 {
            gan.step(&batch, f64::from(i) / 300.0, &mut Rng::new(2, i as u64)).unwrap();
        }
        let after = distance(&gan);
        assert!(after < 0.7 * before, "{before} {after}");
    }
}
