//! Conditional generative adversarial network of rows: the image GAN's loss and penalties (R3GAN, Huang et al.,
//! arXiv:2501.05441) on latent vectors (medGAN, Choi et al., arXiv:1703.06490), training by sampling (CTGAN, Xu et
//! al., arXiv:1907.00503) and packs of rows (PacGAN, Lin et al., arXiv:1712.04086).
//!
//! Tokens have no gradient. Phase 1: an autoencoder (`autoencoder.rs`) learns latent vectors that tell nearly all of
//! a row. Phase 2: it is frozen, and the adversaries play over its vectors,
//!
//! ```text
//! z̃ = G(ε, c),  ε ~ N(0, I)
//! L_D = E softplus(D(z̃, c) − D(z, c)) + γ/2 E‖∇D(z, c)‖² + γ/2 E‖∇D(z̃, c)‖²
//! L_G = E softplus(D(z, c) − D(z̃, c))
//! ```
//!
//! `c` is what is known of the row, the same for a real and a generated vector: nothing, any part of the real row, or
//! one token of one field, drawn by the logarithm of its frequency, so that rare ones are learned too.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::{TableBatch, TableInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable, kernels,
    layers::{Embedding, Linear},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Table;
use super::{
    HIDDEN, TableSampleParams,
    autoencoder::{Latents, Shape},
    latent,
    net::{places, smooth_embedding},
};
use crate::models::common::adversarial::{Judged, Penalties, metrics, relativistic_loss};
use crate::models::common::stages::Stage;
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{
    events::Metrics,
    models::{
        Size,
        common::pass::{Pass, act},
    },
};

/// Share of the conditions that are one token, drawn by the logarithm of its frequency.
const ONE_TOKEN: f32 = 0.5;

/// Rows that are drawn to be compared with held-out ones, at least.
const MIN_JUDGED_ROWS: usize = 4096;

/// Options of a GAN of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of the latent vector.
    pub latent: usize,
    /// Width of encoder and decoder.
    pub coder_width: usize,
    /// Residual blocks of each.
    pub coder_blocks: usize,
    /// β: weight of the autoencoder's divergence from N(0, I).
    pub beta: f64,
    /// Peak learning rate of the autoencoder, in phase 1.
    pub coder_lr: f64,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "play_from")]
    pub adversarial_start: f64,
    /// Dimensions of `ε`, the noise that the generator makes a latent vector of.
    pub noise: usize,
    /// Width of generator and discriminator.
    pub width: usize,
    /// Residual blocks of each.
    pub blocks: usize,
    /// Latent vectors that the discriminator scores together (PacGAN).
    pub pack: usize,
    /// γ of both penalties.
    pub penalty: f64,
    /// Steps from one computation of the penalties to the next; each weighs as many times more (Karras et
    /// al., arXiv:1912.04958).
    pub penalty_every: usize,
    /// Share of the training rows with a condition.
    #[serde(alias = "given")]
    pub p_given: f64,
    /// Rows per step; in phase 2 whole packs of them.
    pub batch: usize,
    /// Peak learning rate of generator and discriminator, in phase 2 (AdamW, β₁ = 0).
    pub lr: f64,
}

impl FamilyConfig<Table> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &TableInfo) -> Self {
        let (coder_width, latent, width, blocks) = match size {
            Size::Tiny => (128, 16, 128, 1),
            Size::Small => (256, 32, 256, 2),
            Size::Base => (384, 48, 512, 3),
            Size::Large => (512, 64, 1024, 4),
        };
        Self {
            latent,
            coder_width,
            coder_blocks: 1,
            beta: 0.02,
            coder_lr: 2e-3,
            adversarial_start: 0.2,
            noise: 64,
            width,
            blocks,
            pack: 1,
            penalty: 0.5,
            penalty_every: 2,
            p_given: 0.4,
            batch: 512,
            lr: 5e-4,
        }
    }

    fn activations(&self, info: &TableInfo) -> u64 {
        memory::of_row(info)
    }
}

/// A GAN of rows.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    info: TableInfo,
    starts: Arc<Vec<usize>>,
    groups: Groups,
    device: Device,
    latents: Latents,
    generator: Trainable<Generator>,
    discriminator: Trainable<Discriminator>,
}

impl GenerativeModel<Table> for Gan {
    type Config = Config;

    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let adam = |ema| AdamW { beta1: 0.0, beta2: 0.99, clip: 0.0, ema, ..AdamW::default() };
        let &Config { latent, coder_width: width, coder_blocks: blocks, beta, coder_lr: lr, .. } = config;
        Self {
            latents: Latents::new(Shape { latent, width, blocks, beta, lr }, info, device, rng),
            generator: Trainable::new(Generator::new(config, info, &on, rng), adam(0.999)),
            discriminator: Trainable::new(Discriminator::new(config, info, &on, rng), adam(0.0)),
            config: config.clone(),
            info: info.clone(),
            starts: Arc::new(info.starts()),
            groups: Groups::new(info),
            device: device.clone(),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("latent vectors", 0.0), ("adversaries", self.config.adversarial_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.adversarial_start) {
            Stage::First(progress) => self.latents.step(batch, progress, rng),
            Stage::Second(progress) => self.play(batch, progress, rng),
        }
    }

    /// Phase 1: the autoencoder's loss. Phase 2: how far generated rows are from held-out ones, the total variation
    /// between the tables of two fields, the mean over all pairs, with large fields in groups of tokens.
    fn validate(&self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        if progress < self.config.adversarial_start {
            return Some(self.latents.validate(batch, rng));
        }
        let generated = self.sample(&TableSampleParams::new(batch.n.max(MIN_JUDGED_ROWS)), rng);
        Some(Metrics::new([("pair_distance", self.groups.pair_distance(&batch.tokens, &generated))]))
    }

    /// Draws from the averaged generator.
    fn sample(&self, draw: &TableSampleParams, rng: &mut Rng) -> Vec<u16> {
        let (net, fields) = (self.generator.averaged(), self.fields());
        latent::sample(&self.info, draw, rng, |tokens, rng| {
            let noise = self.noise(tokens.len() / fields, &self.device, rng);
            let noise = noise * f64::from(draw.temperature);
            self.latents.decode(&net.forward(noise, &Arc::new(places(tokens, &self.starts)), fields))
        })
    }

    parts!("autoencoder" = latents, "generator" = generator, "discriminator" = discriminator);
}

impl Gan {
    fn fields(&self) -> usize {
        self.starts.len() - 1
    }

    /// One step of the discriminator, then one of the generator. Metrics: the losses of both, how well real and
    /// generated are told apart (0.5: not at all), and the penalty when due.
    fn play(&mut self, batch: &TableBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let on = self.device.clone().autodiff();
        let lr = self.config.lr * Schedule::default().factor(progress);
        // Whole packs.
        let n = (batch.n / self.config.pack).max(1) * self.config.pack;
        let (tokens, known) = self.conditions(batch, n, rng);
        let known = Arc::new(places(&known, &self.starts));
        let twice = Arc::new([known.as_slice(), &known].concat());
        let real = self.latents.encode(&TableBatch { tokens, n }, rng);
        let real = Tensor::from_data(TensorData::new(real, [n, self.config.latent]), &self.device);
        let fake = self.generator.net().forward(self.noise(n, &on, rng), &known, self.fields());

        let d = self.discriminator.net();
        let both = Tensor::from_inner(Tensor::cat(vec![real, fake.clone().inner()], 0));
        let penalties = Penalties { gamma: self.config.penalty, every: self.config.penalty_every };
        let due = penalties.due(self.discriminator.steps());
        let judged =
            Judged::of(d, both, due, |d, z, pass| d.pass(z, &d.known.bag(&twice, self.fields()), pass));
        let (loss, penalty) = penalties.added(judged.loss, judged.penalty);
        let (d_loss, _) = self.discriminator.update(loss, lr)?;

        // The generator's step reads D(z) of above: it is a constant there, one update old.
        let d = self.discriminator.net().clone().no_grad();
        let d_fake = d.pass(fake, &d.known.bag(&known, self.fields()), &mut Pass::Plain);
        let loss = relativistic_loss(d_fake, judged.real);
        let (g_loss, _) = self.generator.update(loss, lr)?;

        Ok(metrics([d_loss, g_loss], judged.accuracy, None, penalty))
    }

    /// Real rows and what of them is given.
    fn conditions(&self, batch: &TableBatch, n: usize, rng: &mut Rng) -> (Vec<u16>, Vec<u16>) {
        let fields = self.fields();
        let row = |row: usize| &batch.tokens[row * fields..][..fields];
        let (mut rows, mut known) = (Vec::with_capacity(n * fields), vec![HIDDEN; n * fields]);
        for (i, known) in known.chunks_exact_mut(fields).enumerate() {
            let mut real = row(i % batch.n);
            if f64::from(rng.uniform()) < self.config.p_given {
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
    fn rare_row(&self, batch: &TableBatch, field: usize, rng: &mut Rng) -> usize {
        let mut counts = vec![0u32; self.starts[field + 1] - self.starts[field]];
        let tokens = || batch.tokens.iter().skip(field).step_by(self.fields());
        tokens().for_each(|&token| counts[token as usize] += 1);
        let weights: Vec<f32> = counts.iter().map(|&count| (count as f32).ln_1p()).collect();
        let token = rng.categorical(&weights);
        let nth = rng.below(counts[token] as usize);
        tokens().enumerate().filter(|(_, t)| **t as usize == token).nth(nth).map_or(0, |(row, _)| row)
    }

    fn noise(&self, n: usize, device: &Device, rng: &mut Rng) -> Tensor<2> {
        rng.normal_tensor([n, self.config.noise], device)
    }
}

/// Tokens of each field in a few groups: neighbours of an ordinal field, otherwise the most frequent ones alone
/// and the rest together.
#[derive(Debug)]
struct Groups {
    of: Vec<Vec<u8>>,
}

impl Groups {
    const MAX_GROUPS: usize = 10;

    fn new(info: &TableInfo) -> Self {
        let of = info.fields.iter().map(|field| {
            let mut order: Vec<usize> = (0..field.size).collect();
            if field.ordinal {
                let total: u64 = field.counts.iter().map(|&n| u64::from(n)).sum();
                let mut below = 0u64;
                let group = field.counts.iter().map(|&count| {
                    let middle = below + u64::from(count / 2);
                    below += u64::from(count);
                    (middle * Self::MAX_GROUPS as u64 / total.max(1)).min(Self::MAX_GROUPS as u64 - 1) as u8
                });
                return group.collect();
            }
            order.sort_by_key(|&token| std::cmp::Reverse(field.counts[token]));
            let mut group = vec![0; field.size];
            order
                .iter()
                .enumerate()
                .for_each(|(rank, &token)| group[token] = rank.min(Self::MAX_GROUPS - 1) as u8);
            group
        });
        Self { of: of.collect() }
    }

    /// The mean over all pairs of fields of the total variation between their tables in rows `a` and rows `b`.
    fn pair_distance(&self, a: &[u16], b: &[u16]) -> f64 {
        let fields = self.of.len();
        let pairs: Vec<(usize, usize)> = (0..fields).flat_map(|i| (i..fields).map(move |j| (i, j))).collect();
        let table = |rows: &[u16], (i, j): (usize, usize)| {
            let mut table = [0.0; Self::MAX_GROUPS * Self::MAX_GROUPS];
            let share = fields as f64 / rows.len() as f64;
            for row in rows.chunks_exact(fields) {
                let group = |field: usize| self.of[field][row[field] as usize] as usize;
                table[group(i) * Self::MAX_GROUPS + group(j)] += share;
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

/// `ε [n, noise]` and known tokens → standardised latent vectors `[n, latent]`.
#[derive(Module, Debug)]
struct Generator {
    input: Linear,
    known: Embedding,
    blocks: Vec<Block>,
    output: Linear,
}

impl Generator {
    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let (width, total) = (config.width, info.starts()[info.width()]);
        Self {
            input: Linear::new(config.noise, width, 1.0, device, rng),
            known: Embedding { weight: smooth_embedding(info, total, width, device, rng) },
            blocks: (0..config.blocks).map(|_| Block::new(width, device, rng)).collect(),
            output: Linear::new(width, config.latent, 1.0, device, rng),
        }
    }

    fn forward(&self, noise: Tensor<2>, known: &Arc<Vec<u32>>, fields: usize) -> Tensor<2> {
        let h = kernels::add(self.input.forward(noise), self.known.bag(known, fields));
        let h = self.blocks.iter().fold(h, |h, block| block.pass(h, &mut Pass::Plain));
        self.output.forward(act(h))
    }
}

/// Latent vectors `[n, latent]` and known tokens → a score for every pack of them, unbounded; larger is more real.
#[derive(Module, Debug)]
struct Discriminator {
    input: Linear,
    known: Embedding,
    blocks: Vec<Block>,
    together: Linear,
    last: Block,
    score: Linear,
    #[module(skip)]
    pack: usize,
}

impl Discriminator {
    fn new(config: &Config, info: &TableInfo, device: &Device, rng: &mut Rng) -> Self {
        let (width, total) = (config.width, info.starts()[info.width()]);
        Self {
            input: Linear::new(config.latent, width, 1.0, device, rng),
            known: Embedding { weight: smooth_embedding(info, total, width, device, rng) },
            blocks: (0..config.blocks).map(|_| Block::new(width, device, rng)).collect(),
            together: Linear::new(config.pack * width, width, 1.0, device, rng),
            last: Block::new(width, device, rng),
            score: Linear::new(width, 1, 1.0, device, rng),
            pack: config.pack,
        }
    }

    /// `known [n, width]`: what the embedding makes of the known tokens. It does not move where derivatives pass.
    fn pass(&self, z: Tensor<2>, known: &Tensor<2>, pass: &mut Pass) -> Tensor<1> {
        let packs = z.dims()[0] / self.pack;
        let mut h = pass.linear(&self.input, z);
        if !matches!(pass, Pass::Tangent(_)) {
            h = kernels::add(h, known.clone());
        }
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::common::pass::gradient_penalty;
    use burn::module::Param;
    use mintage_data::table::encoder::Field;
    use mintage_nn::weights::to_vec;

    const OPTIONS: &str = "width = 32\nlatent = 8\nbatch = 64\npack = 4\nlr = 0.003";

    /// Two small fields of which the second follows from the first, an ordinal field of which the last token
    /// stands apart, and a number of many tokens that goes with it.
    fn tiny_rows() -> (TableInfo, TableBatch) {
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
        (TableInfo { fields: fields.map(field).collect(), train_len: ROWS }, TableBatch { tokens, n: ROWS })
    }

    #[test]
    fn penalty_has_the_gradient_of_differences() {
        let (device, mut rng) = (Device::flex(), Rng::new(5, 0));
        let on = device.clone().autodiff();
        let (info, batch) = tiny_rows();
        let config = Config { width: 16, pack: 2, ..Config::preset(Size::Tiny, &info) };
        let mut net = Discriminator::new(&config, &info, &on, &mut rng);
        // Residual branches start silent; here they must speak.
        for block in net.blocks.iter_mut().chain([&mut net.last]) {
            block.down.weight = Param::from_tensor(rng.normal_tensor([16, 16], &on) * 0.1);
        }
        let z = Tensor::from_inner(rng.normal_tensor([batch.n, config.latent], &device));
        let known = Arc::new(places(&batch.tokens, &info.starts()));
        let penalty = |net: &Discriminator| {
            let scores = |net: &Discriminator, z, pass: &mut Pass| {
                net.pass(z, &net.known.bag(&known, info.width()), pass)
            };
            gradient_penalty(net, z.clone(), scores)
        };
        let gradient = net.input.weight.val().grad(&penalty(&net).backward()).unwrap();

        let length = f64::from(to_vec(&gradient.clone().powi_scalar(2).sum())[0]).sqrt();
        let penalty_at = |by: f64| {
            let mut net = net.clone();
            let by = gradient.clone() * (by / length);
            net.input.weight = net.input.weight.map(|w| Tensor::from_inner(w.inner() + by.clone()));
            f64::from(penalty(&net).into_scalar::<f32>())
        };
        // A longer step crosses kinks, where the penalty jumps.
        const STEP: f64 = 3e-4;
        let expected = (penalty_at(STEP) - penalty_at(-STEP)) / (2.0 * STEP);
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
            let rows = gan.sample(&TableSampleParams::new(1000), &mut Rng::new(3, 0));
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
