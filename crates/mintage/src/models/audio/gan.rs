//! Adversaries over spectrograms: SpecGAN, WaveGAN's other half (Donahue et al., arXiv:1802.04208), with the loss, the
//! penalties and the residual networks of R3GAN (Huang et al., arXiv:2501.05441), as the GAN of images has them.
//!
//! With `x` the levels of each frame's frequencies (the logarithms of its short-time spectrum, `Framing::levels`),
//! `c` the class and `m` which frames come before the end of a sound,
//!
//! ```text
//! L_D = E softplus(D(G(z, c, m), c) − D(x, c)) + γ/2 E‖∇ₓD(x)‖² + γ/2 E‖∇ₓD(G(z, c, m))‖²
//! L_G = E softplus(D(x, c) − D(G(z, c, m), c))
//! ```
//!
//! A real and a generated sound of a pair are of one class and end at the same frame. Both networks work on rows, a
//! frame or several of them each: residual blocks over time, and maps that make one row of two, or two of one.
//! Phases are not learned: they follow from the levels of all frames together (`griffin_lim.rs`). How long a new sound is
//! is drawn as often as sounds of its class were so long. Where items are parts of longer sounds, a new sound longer than
//! an item is several passages, one fading into the next. A training that collapses or diverges goes back to earlier weights
//! (`common/watch.rs`).

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::AudioBatch;
use mintage_nn::{
    NotFinite, Rng, Schedule, Trainable, kernels,
    layers::{DepthwiseTime, Embedding, Linear},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::Audio;
use super::{
    AudioInfo, AudioSampleParams,
    griffin_lim::signal_of_levels,
    net::{Lengths, SAMPLE_BATCH, signals},
    spectral::Framing,
};
use crate::models::common::adversarial::{Judged, Penalties, adam, diversity, metrics, relativistic_loss};
use crate::models::{
    Conditioning,
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{
    events::Metrics,
    models::{
        Size,
        common::classes::{class_input, indices},
        common::pass::{Pass, act},
        common::watch::{Vitals, Watch},
    },
};

/// Iterations of Griffin and Lim.
const GRIFFIN_LIM_ITERS: usize = 40;

/// Options of a GAN of sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of the latent vector `z`.
    pub latent: usize,
    /// Width of the rows in both networks, the same at every rate.
    pub width: usize,
    /// Residual blocks a rate.
    pub blocks: usize,
    /// γ of both penalties.
    pub penalty: f64,
    /// Steps from one computation of the penalties to the next; each weighs as many times more (Karras et
    /// al., arXiv:1912.04958).
    pub penalty_every: usize,
    /// Sounds per step.
    pub batch: usize,
    /// Peak learning rate of both networks (AdamW, β₁ = 0).
    pub lr: f64,
    /// How often a training that has collapsed or diverged goes back to earlier weights, each time with half the learning
    /// rate and twice γ; 0 is never.
    #[serde(default)]
    pub recoveries: usize,
    /// Probability that a label is hidden in training, so that sounds without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
}

/// Dimensions of the embedded label.
const D_LABEL: usize = 32;
/// Most rows at the lowest rate.
const MAX_BOTTOM_ROWS: usize = 16;

impl FamilyConfig<Audio> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &AudioInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (96, 1),
            Size::Small => (160, 2),
            Size::Base => (256, 2),
            Size::Large => (384, 3),
        };
        Self {
            latent: 64,
            width,
            blocks,
            penalty: 5.0,
            penalty_every: 2,
            batch: 32,
            lr: 1e-3,
            recoveries: 3,
            label_drop: 0.1,
        }
    }

    fn activations(&self, info: &AudioInfo) -> u64 {
        memory::of_sound(info, self.width, self.blocks, 1.5)
    }
}

/// A GAN of sounds with both optimisers.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    info: AudioInfo,
    device: Device,
    framing: Framing,
    lengths: Lengths,
    generator: Trainable<Generator>,
    critic: Trainable<Critic>,
    watch: Watch,
}

impl GenerativeModel<Audio> for Gan {
    type Config = Config;

    fn new(config: &Config, info: &AudioInfo, device: &Device, rng: &mut Rng) -> Self {
        let framing = Framing::of_rate(info.rate_hz, info.channels);
        let (generator, critic) = networks(config, info, framing, device, rng);
        Self {
            lengths: Lengths::new(info, framing.hop),
            generator,
            critic,
            watch: Watch::new(config.recoveries),
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            framing,
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// A step of the game; where the watch finds that it is lost, it goes on from earlier weights or from new ones.
    fn step(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let played = self.play(batch, progress, rng);
        let seen = played.as_ref().ok().map(|(_, vitals)| *vitals);
        if self.watch.after(seen, [&mut self.generator, &mut self.critic]) {
            (self.generator, self.critic) =
                networks(&self.config, &self.info, self.framing, &self.device, rng);
        }
        played.map(|(metrics, _)| metrics)
    }

    fn notes(&mut self) -> Vec<String> {
        self.watch.notes()
    }

    /// Draws from the averaged generator; a temperature below 1 draws `z` nearer to the middle. Whole sounds end where
    /// sounds of their class do, others last as long as asked.
    fn sample(&self, draw: &AudioSampleParams, rng: &mut Rng) -> Vec<Vec<f32>> {
        let net = self.generator.averaged();
        let (segment, none) = (self.info.segment, self.info.classes as u32);
        let fade = segment / 8;
        let passages = match self.info.whole {
            true => 1,
            false => 1 + draw.length.saturating_sub(segment).div_ceil(segment - fade),
        };
        let mut sounds = Vec::with_capacity(draw.n);
        for start in (0..draw.n).step_by(SAMPLE_BATCH) {
            let n = SAMPLE_BATCH.min(draw.n - start);
            let labels: Vec<u32> = (start..start + n)
                .map(|i| draw.labels.get(i).map_or(none, |&label| label.min(none)))
                .collect();
            let ends: Vec<usize> = labels.iter().map(|&label| self.end(label, rng)).collect();
            let mut parts: Vec<Vec<Vec<f32>>> = vec![Vec::new(); n];
            for _ in 0..passages {
                let passage = self.passage(&net, &labels, &ends, draw.choice.temperature, rng);
                parts
                    .iter_mut()
                    .zip(passage.chunks_exact(segment * self.info.channels))
                    .for_each(|(parts, passage)| parts.push(passage.to_vec()));
            }
            for (parts, &end) in parts.iter().zip(&ends) {
                let most = match self.info.whole {
                    true => draw.length.min(end * self.framing.hop),
                    false => draw.length,
                };
                let channel = |channel: usize| {
                    let parts = parts.iter().map(|part| &part[channel * segment..][..segment]);
                    let mut joined = joined(parts, fade);
                    joined.truncate(most);
                    joined
                };
                sounds.push((0..self.info.channels).flat_map(channel).collect());
            }
        }
        sounds
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        conditioning.is_noise()
    }

    parts!("generator" = generator, "critic" = critic, "lengths" = lengths, "watch" = watch);
}

impl Gan {
    /// One step of the critic, then one of the generator. Metrics: the critic's loss, the generator's, how well
    /// real and generated are told apart (0.5: not at all), the penalty when due, and the diversity of the generated batch
    /// against the real one (0: collapsed).
    fn play(
        &mut self,
        batch: &AudioBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<(Metrics, Vitals), NotFinite> {
        let (on, n) = (self.device.clone().autodiff(), batch.n);
        let lr = self.config.lr * Schedule::default().factor(progress) * self.watch.lr_factor();
        let classes = class_input(&batch.labels, n, self.info.classes, self.config.label_drop as f32, rng);
        let rates = self.generator.net().rates;
        let mask = rates.mask(&self.frames_of(batch), &self.device);
        let real = self.levels(batch, &mask);
        let z = rng.normal_tensor([n, self.config.latent], &self.device);
        let fake = self.generator.net().valid().forward(z, &classes, &mask);
        let diversity = diversity(&fake, &real);

        let (sounds, labels) = (Tensor::from_inner(Tensor::cat(vec![real, fake], 0)), classes.repeat(2));
        let critic = self.critic.net();
        let gamma = self.config.penalty * self.watch.penalty_factor();
        let penalties = Penalties { gamma, every: self.config.penalty_every };
        let due = penalties.due(self.critic.steps());
        let judged = Judged::of(critic, sounds, due, |critic, x, pass| critic.pass(x, &labels, pass));
        let (loss, penalty) = penalties.added(judged.loss, judged.penalty);
        let (d_loss, _) = self.critic.update(loss, lr)?;

        // The generator's step reads D(x) of above: it is a constant there, one update old.
        let z = rng.normal_tensor([n, self.config.latent], &on);
        let fake = self.generator.net().forward(z, &classes, &Tensor::from_inner(mask));
        let d_fake = self.critic.net().clone().no_grad().forward(fake, &classes);
        let loss = relativistic_loss(d_fake, judged.real);
        let (g_loss, gradient) = self.generator.update(loss, lr)?;
        self.lengths.note(batch, self.framing.hop);

        let losses = [d_loss, g_loss];
        let vitals = Vitals { losses, gradient, diversity: (n > 1).then_some(diversity) };
        Ok((metrics(losses, judged.accuracy, Some(diversity), penalty), vitals))
    }

    /// What the critic sees of a batch: `[n, frames, channels · bins]`, zero after the end of a sound.
    fn levels(&self, batch: &AudioBatch, mask: &Tensor<3>) -> Tensor<3> {
        let Rates { frames, frame, .. } = self.generator.net().rates;
        let levels = self.framing.levels(signals(batch, &self.device));
        masked(levels.reshape([batch.n, frames, frame]), mask)
    }

    fn frames_of(&self, batch: &AudioBatch) -> Vec<usize> {
        batch.lengths.iter().map(|&length| (length as usize).div_ceil(self.framing.hop).max(1)).collect()
    }

    /// The frame that a new sound ends before.
    fn end(&self, label: u32, rng: &mut Rng) -> usize {
        if self.info.whole { self.lengths.draw(label, rng) } else { self.generator.net().rates.frames }
    }

    /// Samples of one item a label, channel by channel.
    fn passage(
        &self,
        net: &Generator,
        labels: &[u32],
        ends: &[usize],
        temperature: f32,
        rng: &mut Rng,
    ) -> Vec<f32> {
        let (n, Rates { frames, frame, .. }) = (labels.len(), net.rates);
        let z = rng.normal_tensor([n, self.config.latent], &self.device) * temperature;
        let levels = net.forward(z, labels, &net.rates.mask(ends, &self.device));
        to_vec(&signal_of_levels(
            self.framing,
            levels.reshape([n * frames, frame]),
            n,
            GRIFFIN_LIM_ITERS,
            rng,
        ))
    }
}

/// Both networks with their optimisers, untrained.
fn networks(
    config: &Config,
    info: &AudioInfo,
    framing: Framing,
    device: &Device,
    rng: &mut Rng,
) -> (Trainable<Generator>, Trainable<Critic>) {
    let on = device.clone().autodiff();
    let rates = Rates::new(info, framing);
    let generator = Trainable::new(Generator::new(config, info.classes, rates, &on, rng), adam(0.999));
    (generator, Trainable::new(Critic::new(config, info.classes, rates, &on, rng), adam(0.0)))
}

/// `[n, frames, frame]` where the mask `[n, frames, 1]` is 1, nothing elsewhere.
fn masked(levels: Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
    let shape = levels.dims();
    levels * mask.clone().expand(shape)
}

/// Passages one after the other, `fade` samples of each lying over the next, with the power of both (they have
/// nothing to do with each other).
fn joined<'a>(parts: impl Iterator<Item = &'a [f32]>, fade: usize) -> Vec<f32> {
    let mut all: Vec<f32> = Vec::new();
    for part in parts {
        let over = fade.min(all.len());
        let start = all.len() - over;
        for (i, (old, new)) in all[start..].iter_mut().zip(part).enumerate() {
            let (up, down) = (std::f32::consts::FRAC_PI_2 * (i as f32 + 0.5) / over as f32).sin_cos();
            *old = *old * down + new * up;
        }
        all.extend(&part[over..]);
    }
    all
}

/// What both networks are built from: rows of frames, half as many at each lower rate.
#[derive(Clone, Copy, Debug)]
struct Rates {
    frames: usize,
    /// Numbers of a frame.
    frame: usize,
    halvings: usize,
}

impl Rates {
    fn new(info: &AudioInfo, framing: Framing) -> Self {
        let frames = info.segment / framing.hop;
        let halvings = (1..16).find(|&h| frames.div_ceil(1 << h) <= MAX_BOTTOM_ROWS).unwrap_or(16);
        Self { frames, frame: framing.bins() * framing.channels, halvings }
    }

    /// Rows after `halvings` halvings.
    fn rows(self, halvings: usize) -> usize {
        self.frames.next_multiple_of(1 << self.halvings) >> halvings
    }

    /// Which frames come before the end of each sound: `[n, frames, 1]`, 1 or 0.
    fn mask(self, ends: &[usize], device: &Device) -> Tensor<3> {
        let of = |&end: &usize| (0..self.frames).map(move |frame| f32::from(u8::from(frame < end)));
        let values: Vec<f32> = ends.iter().flat_map(of).collect();
        Tensor::from_data(TensorData::new(values, [ends.len(), self.frames, 1]), device)
    }
}

/// `x + W₃ act(depthwise(act(W₁ x)))`, the identity at first (Zhang et al., arXiv:1901.09321): the block of
/// R3GAN, over time.
#[derive(Module, Debug)]
struct PlainBlock {
    up: Linear,
    across: DepthwiseTime,
    down: Linear,
}

impl PlainBlock {
    fn new(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            up: Linear::new(width, 2 * width, 1.0, device, rng),
            across: DepthwiseTime::new(2 * width, device, rng),
            down: Linear::new(2 * width, width, 0.0, device, rng),
        }
    }

    /// `[n · time, width]` → the same.
    fn forward(&self, x: Tensor<2>, time: usize, pass: &mut Pass) -> Tensor<2> {
        let h = pass.linear(&self.up, x.clone());
        let h = pass.act(h);
        let h = pass.depthwise(&self.across, h, time);
        let h = pass.act(h);
        kernels::add(x, pass.linear(&self.down, h))
    }
}

/// Residual blocks at one rate, and the map between this rate and the next higher one.
#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<PlainBlock>,
    between: Linear,
}

/// `z [n, latent]`, classes and mask `[n, frames, 1]` → levels `[n, frames, frame]`.
#[derive(Module, Debug)]
struct Generator {
    label: Option<Embedding>,
    start: Linear,
    /// From the lowest rate to the highest; each row becomes two, at last of the numbers of a frame.
    stages: Vec<Stage>,
    #[module(skip)]
    rates: Rates,
}

impl Generator {
    fn new(config: &Config, classes: usize, rates: Rates, device: &Device, rng: &mut Rng) -> Self {
        let (width, rows) = (config.width, rates.rows(rates.halvings));
        let d_label = if classes > 0 { D_LABEL } else { 0 };
        let stage = |halvings: usize, rng: &mut Rng| Stage {
            blocks: (0..config.blocks).map(|_| PlainBlock::new(width, device, rng)).collect(),
            between: match halvings {
                1 => Linear::new(width, 2 * rates.frame, 0.5, device, rng),
                _ => Linear::new(width, 2 * width, 1.0, device, rng),
            },
        };
        Self {
            label: (classes > 0).then(|| Embedding::new(classes + 1, D_LABEL, 1.0, device, rng)),
            start: Linear::new(config.latent + d_label + rates.frames, rows * width, 1.0, device, rng),
            stages: (1..=rates.halvings).rev().map(|halvings| stage(halvings, rng)).collect(),
            rates,
        }
    }

    fn forward(&self, z: Tensor<2>, classes: &[u32], mask: &Tensor<3>) -> Tensor<3> {
        let (n, Rates { frames, frame, halvings }) = (z.dims()[0], self.rates);
        let label = self.label.as_ref().map(|label| label.forward(indices(classes, &z.device())));
        let given = [z].into_iter().chain(label).chain([mask.clone().reshape([n, frames])]);
        let mut time = self.rates.rows(halvings);
        let h = self.start.forward(Tensor::cat(given.collect(), 1));
        let mut h = h.reshape([n * time, self.start.weight.dims()[1] / time]);
        for stage in &self.stages {
            h = stage.blocks.iter().fold(h, |h, block| block.forward(h, time, &mut Pass::Plain));
            let two = stage.between.forward(act(h));
            time *= 2;
            let width = two.dims()[1] / 2;
            h = two.reshape([n * time, width]);
        }
        let levels = h.reshape([n, time, frame]).narrow(1, 0, frames);
        masked(levels, mask)
    }
}

/// `[n, frames, frame]` and classes → `[n]`, unbounded; larger is more real.
#[derive(Module, Debug)]
struct Critic {
    /// From the highest rate to the lowest; first two rows become one.
    stages: Vec<Stage>,
    last: Linear,
    score: Linear,
    /// Projection of the class onto the features (Miyato & Koyama, arXiv:1802.05637).
    label: Option<Embedding>,
    #[module(skip)]
    rates: Rates,
}

impl Critic {
    fn new(config: &Config, classes: usize, rates: Rates, device: &Device, rng: &mut Rng) -> Self {
        let width = config.width;
        let stage = |halvings: usize, rng: &mut Rng| Stage {
            between: match halvings {
                1 => Linear::new(2 * rates.frame, width, 1.0, device, rng),
                _ => Linear::new(2 * width, width, 1.0, device, rng),
            },
            blocks: (0..config.blocks).map(|_| PlainBlock::new(width, device, rng)).collect(),
        };
        Self {
            stages: (1..=rates.halvings).map(|halvings| stage(halvings, rng)).collect(),
            last: Linear::new(rates.rows(rates.halvings) * width, 2 * width, 1.0, device, rng),
            score: Linear::new(2 * width, 1, 1.0, device, rng),
            label: (classes > 0).then(|| Embedding::new(classes + 1, 2 * width, 0.1, device, rng)),
            rates,
        }
    }

    fn forward(&self, x: Tensor<3>, classes: &[u32]) -> Tensor<1> {
        self.pass(x, classes, &mut Pass::Plain)
    }

    fn pass(&self, x: Tensor<3>, classes: &[u32], pass: &mut Pass) -> Tensor<1> {
        let [n, frames, frame] = x.dims();
        let mut time = self.rates.rows(0);
        // Silence is 0, and so are its derivatives.
        let mut h = x.pad((0, 0, 0, time - frames), 0.0).reshape([n * time, frame]);
        for stage in &self.stages {
            time /= 2;
            let width = 2 * h.dims()[1];
            h = pass.linear(&stage.between, h.reshape([n * time, width]));
            for block in &stage.blocks {
                h = block.forward(h, time, pass);
            }
            h = pass.act(h);
        }
        let width = h.dims()[1];
        let h = pass.linear(&self.last, h.reshape([n, time * width]));
        let features = pass.act(h); // [n, features]
        let d = features.dims()[1] as f64;
        let score = pass.linear(&self.score, features.clone()).reshape([n]);
        match &self.label {
            Some(label) => {
                let e = label.forward(indices(classes, &features.device()));
                score + (features * e).sum_dim(1).reshape([n]) / d.sqrt()
            }
            None => score,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::module::Param;

    use super::*;
    use crate::models::common::pass::gradient_penalty;
    use crate::models::{
        SamplingParams,
        audio::test_support::{tiny_batch, tiny_info},
    };

    fn config(info: &AudioInfo) -> Config {
        Config { width: 16, lr: 5e-3, ..Config::preset(Size::Tiny, info) }
    }

    fn tiny(info: &AudioInfo) -> Gan {
        Gan::new(&config(info), info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn draw(labels: &[u32], length: usize) -> AudioSampleParams<'_> {
        let (conditioning, choice) = (Conditioning::None, SamplingParams::default());
        AudioSampleParams {
            n: labels.len(),
            labels,
            length,
            conditioning,
            choice,
            guidance: None,
            autoguidance: None,
        }
    }

    #[test]
    fn penalty_has_the_gradient_of_differences() {
        let (on, mut rng, info) = (Device::flex().autodiff(), Rng::new(5, 0), tiny_info(1));
        // An odd number of frames, so that rows are filled up.
        let rates = Rates { frames: 13, frame: 9, halvings: 2 };
        let mut net = Critic::new(&config(&info), 2, rates, &on, &mut rng);
        // Residual branches start silent; here they must speak.
        for block in net.stages.iter_mut().flat_map(|stage| &mut stage.blocks) {
            let noise = rng.normal_tensor(block.down.weight.dims(), &on) * 0.2;
            block.down.weight = Param::from_tensor(noise);
        }
        let classes = [0, 1, 2, 1];
        let x = rng.normal_tensor([4, 13, 9], &on);
        let grads = gradient_penalty(&net, x.clone(), |net, x, pass| net.pass(x, &classes, pass)).backward();
        let gradient = net.stages[0].between.weight.val().grad(&grads).unwrap();

        let length = f64::from(to_vec(&gradient.clone().powi_scalar(2).sum())[0]).sqrt();
        let penalty_at = |by: f64| {
            let mut net = net.clone();
            let by = gradient.clone() * (by / length);
            let between = &mut net.stages[0].between;
            between.weight = between.weight.clone().map(|w| Tensor::from_inner(w.inner() + by.clone()));
            f64::from(
                gradient_penalty(&net, x.clone(), |net, x, pass| net.pass(x, &classes, pass))
                    .into_scalar::<f32>(),
            )
        };
        // A longer step crosses kinks, where the penalty jumps.
        const STEP: f64 = 3e-4;
        let expected = (penalty_at(STEP) - penalty_at(-STEP)) / (2.0 * STEP);
        assert!((length / expected - 1.0).abs() < 0.02, "{length} {expected}");
    }

    #[test]
    fn learns_how_loud_one_batch_is() {
        for channels in [1, 2] {
            let (info, batch) = (tiny_info(channels), tiny_batch(channels));
            let mut model = tiny(&info);
            let mask = model.generator.net().rates.mask(&model.frames_of(&batch), &model.device);
            let mean = |levels: Tensor<3>| f64::from(levels.mean().into_scalar::<f32>());
            let real = mean(model.levels(&batch, &mask));
            let far = |model: &Gan| {
                let z = Rng::new(3, 0).normal_tensor([4, model.config.latent], &model.device);
                (mean(model.generator.averaged().forward(z, &batch.labels, &mask)) - real).abs()
            };
            let before = far(&model);
            for i in 0..60 {
                model.step(&batch, f64::from(i) / 60.0, &mut Rng::new(2, i as u64)).unwrap();
            }
            let after = far(&model);
            assert!(after < before, "{channels} channels: {before} to {after}");
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let (info, batch) = (tiny_info(1), tiny_batch(1));
        let mut a = tiny(&info);
        a.step(&batch, 0.5, &mut Rng::new(2, 0)).unwrap();
        let (mut b, mut map) = (tiny(&info), mintage_nn::TensorMap::default());
        a.save_state(&mut map);
        b.load_state(&map).unwrap();
        let draw = draw(&[0, 1, 9], 512);
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        for i in 0..4 {
            let step = |m: &mut Gan| m.step(&batch, 0.6, &mut Rng::new(4, i)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn sounds_end_where_those_of_their_class_do() {
        let (info, batch) = (tiny_info(2), tiny_batch(2));
        let mut model = tiny(&info);
        model.step(&batch, 0.1, &mut Rng::new(2, 0)).unwrap();
        let lengths = |labels: &[u32], length: usize| -> Vec<usize> {
            model.sample(&draw(labels, length), &mut Rng::new(3, 0)).iter().map(|s| s.len() / 2).collect()
        };
        // Of class 0 there are two of 512 samples, of class 1 one of 400 and one of 300, in frames of 32.
        assert_eq!(lengths(&[0, 0], 5_000), [512, 512]);
        assert!(lengths(&[1; 8], 5_000).iter().all(|length| [416, 320].contains(length)));
        assert_eq!(lengths(&[0, 1], 100), [100, 100]);
    }

    #[test]
    fn parts_of_sounds_have_any_length() {
        let info = AudioInfo { whole: false, ..tiny_info(2) };
        let model = tiny(&info);
        for length in [1, 512, 513, 2_000] {
            let sounds = model.sample(&draw(&[0], length), &mut Rng::new(3, 0));
            assert_eq!(sounds[0].len(), 2 * length);
        }
        let (ones, none) = ([1.0; 8], [0.0; 8]);
        let fade = joined([&ones[..], &none[..]].into_iter(), 4);
        assert_eq!((fade.len(), fade[3], fade[8]), (12, 1.0, 0.0));
        assert!(fade[4..8].windows(2).all(|pair| pair[0] > pair[1]));
    }
}
