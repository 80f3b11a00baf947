//! Generative adversarial network of clips over the latents of an autoencoder: two critics as in DVD-GAN (Clark et al.,
//! arXiv:1907.06571), loss and penalties of R3GAN (Huang et al., arXiv:2501.05441).
//!
//! Phase 1: an autoencoder maps each frame to a small grid of Gaussians, and draws from those of all frames back
//! (`autoencoder.rs`). Adversaries over pixels learn nothing worth seeing in minutes on a CPU (docs/experiments.md).
//! Phase 2: it is frozen, and adversaries play over its latents `x`, a map for every frame. One critic sees whole clips, a few
//! frames of them the other, which judges each by itself:
//!
//! `L_D = Σ_k E softplus(D_k(G(z)) − D_k(x)) + γ/2 E‖∇ₓD_k(x)‖² + γ/2 E‖∇ₓD_k(G(z))‖²`,
//! `L_G = Σ_k E softplus(D_k(x) − D_k(G(z)))`.
//!
//! The generator makes every frame from one vector for what stays, `z`, one for what moves, `e_t`, and the number of the
//! frame, and mixes over time; so it makes clips of any length, whose numbers come round behind the last that was learned.
//! New clips cannot be begun with frames: nothing leads from these to `z`. To the critic of clips frames are channels, side by
//! side. A game that collapses or diverges goes back to earlier weights (`common/watch.rs`).

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::{ImageShape, VideoBatch};
use mintage_nn::{
    NotFinite, Rng, Schedule, Trainable, kernels,
    layers::{Conv2d, Embedding, Linear, TimeBlock},
};
use serde::{Deserialize, Serialize};

use super::Video;
use super::{
    VideoInfo, VideoSampleParams,
    autoencoder::Autoencoder,
    net::{Trunk, batch_of, in_parts, over_time, to_frames},
};
use crate::models::common::adversarial::{Judged, Penalties, adam, diversity, metrics, relativistic_loss};
use crate::models::common::stages;
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
        common::pass::{Pass, PlainBlock, act},
        common::watch::{Vitals, Watch},
    },
};

/// Options of a GAN of clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of a latent vector.
    pub latent: usize,
    /// Longest side of the grid of latent vectors of a frame.
    pub grid: usize,
    /// Channels of the autoencoder at the size that both of its ends work at; twice as many below.
    pub coder_width: usize,
    /// Residual blocks a size of the autoencoder.
    pub coder_blocks: usize,
    /// β: weight of the autoencoder's divergence from N(0, I), nats per dimension of the latents.
    pub beta: f64,
    /// Peak learning rate of the autoencoder, in phase 1; of AdamW and Muon alike.
    pub coder_lr: f64,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "play_from")]
    pub adversarial_start: f64,
    /// Dimensions of `z`, the noise of a whole clip.
    pub noise: usize,
    /// Dimensions of `e_t`, the noise of each frame.
    pub motion: usize,
    /// Channels of generator and critics on the grid; they double with each halving, up to `4 · width`.
    pub width: usize,
    /// Residual blocks a size of generator and critics.
    pub blocks: usize,
    /// Blocks over time: of encoder and decoder, and of the generator at each of its two smallest sizes.
    pub time_blocks: usize,
    /// γ of both penalties.
    pub penalty: f64,
    /// Steps from one computation of the penalties to the next; each weighs as many times more (Karras et
    /// al., arXiv:1912.04958).
    pub penalty_every: usize,
    /// Clips per step.
    pub batch: usize,
    /// Peak learning rate of generator and critics, in phase 2 (AdamW, β₁ = 0).
    pub lr: f64,
    /// How often a game that has collapsed or diverged goes back to earlier weights, each time with half the learning
    /// rate and twice γ; 0 is never.
    #[serde(default)]
    pub recoveries: usize,
    /// Probability that a label is hidden in training, so that clips without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
}

/// Dimensions of the embedded label.
const D_LABEL: usize = 32;
/// Longest side of the smallest map.
const MAX_BOTTOM_SIDE: usize = 4;
/// Frames of a clip that are judged by themselves.
const FRAMES_JUDGED: usize = 2;

impl FamilyConfig<Video> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &VideoInfo) -> Self {
        let (width, blocks, coder_width, coder_blocks) = match size {
            Size::Tiny => (48, 1, 32, 1),
            Size::Small => (96, 1, 64, 1),
            Size::Base => (160, 1, 96, 2),
            Size::Large => (256, 2, 160, 3),
        };
        Self {
            latent: 8,
            grid: 8,
            coder_width,
            coder_blocks,
            beta: 3e-3,
            coder_lr: 5e-3,
            adversarial_start: 0.3,
            noise: 64,
            motion: 16,
            width,
            blocks,
            time_blocks: 2,
            penalty: 2.0,
            penalty_every: 2,
            batch: batch_of(64, info),
            lr: 5e-4,
            recoveries: 3,
            label_drop: 0.1,
        }
    }

    fn activations(&self, info: &VideoInfo) -> u64 {
        memory::of_clip(info, self.coder_width, self.coder_blocks)
    }
}

/// Both critics.
#[derive(Module, Debug)]
struct Critics {
    clip: Critic,
    frame: Critic,
}

/// A GAN of clips, its autoencoder, and their optimisers.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    info: VideoInfo,
    device: Device,
    autoencoder: Autoencoder,
    /// Of generator and critics: the grid and its halvings.
    trunk: Trunk,
    generator: Trainable<Generator>,
    critics: Trainable<Critics>,
    watch: Watch,
}

/// A batch as the critics see it: clips and some of their frames, both as maps of latents.
#[derive(Clone)]
struct Shown {
    clips: Tensor<4>,
    frames: Tensor<4>,
}

impl GenerativeModel<Video> for Gan {
    type Config = Config;

    fn new(config: &Config, info: &VideoInfo, device: &Device, rng: &mut Rng) -> Self {
        let coder =
            Trunk::new(info.shape, config.coder_width, config.coder_blocks, config.time_blocks, config.grid);
        let autoencoder = Autoencoder::new(coder, config.latent, info, None, device, rng);
        let (height, width) = coder.grid();
        let cells = ImageShape { channels: config.latent, height, width };
        let trunk = Trunk::over_maps(cells, config.width, config.blocks, config.time_blocks, MAX_BOTTOM_SIDE);
        let (generator, critics) = networks(config, trunk, info, device, rng);
        Self {
            generator,
            critics,
            watch: Watch::new(config.recoveries),
            autoencoder,
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            trunk,
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("autoencoder", 0.0), ("adversaries over latents", self.config.adversarial_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match stages::Stage::at(progress, self.config.adversarial_start) {
            stages::Stage::First(progress) => {
                let lr = self.config.coder_lr * Schedule::default().factor(progress);
                self.autoencoder.step(batch, self.config.beta, lr, rng)
            }
            stages::Stage::Second(progress) => self.step_adversaries(batch, progress, rng),
        }
    }

    fn notes(&mut self) -> Vec<String> {
        self.watch.notes()
    }

    /// Phase 1: mean squared error in [0, 1], nats a dimension of the latents. Adversaries have no number on held-out items that
    /// is worth minimising: they are judged by their samples.
    fn validate(&self, batch: &VideoBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        (progress < self.config.adversarial_start).then(|| self.autoencoder.validate(batch))
    }

    /// Draws from the averaged generator; a temperature below 1 draws nearer to the middle.
    fn sample(&self, draw: &VideoSampleParams, rng: &mut Rng) -> Vec<u8> {
        let (net, coder) = (self.generator.averaged(), self.autoencoder.coder());
        in_parts(draw.n, draw.labels, draw.frames, self.info.classes, |classes| {
            let (n, temperature) = (classes.len(), draw.choice.temperature);
            let noise = Noise::new(&self.config, n, draw.frames, temperature, &self.device, rng);
            let rows = kernels::pixel_rows(net.forward(noise, classes));
            coder.pixels(rows, draw.frames)
        })
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        conditioning.is_noise()
    }

    parts!("autoencoder" = autoencoder, "generator" = generator, "critics" = critics, "watch" = watch);
}

impl Gan {
    /// A step of the game; where the watch finds that it is lost, it goes on from earlier weights or from new ones.
    fn step_adversaries(
        &mut self,
        batch: &VideoBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let played = self.play(batch, progress, rng);
        let seen = played.as_ref().ok().map(|(_, vitals)| *vitals);
        if self.watch.after(seen, [&mut self.generator, &mut self.critics]) {
            (self.generator, self.critics) =
                networks(&self.config, self.trunk, &self.info, &self.device, rng);
        }
        played.map(|(metrics, _)| metrics)
    }

    /// One step of the critics, then one of the generator. Metrics: the critics' loss, the generator's, how well real and
    /// generated clips are told apart (0.5: not at all), the penalty when due, and the diversity of the generated batch
    /// against the real one (0: collapsed).
    fn play(
        &mut self,
        batch: &VideoBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<(Metrics, Vitals), NotFinite> {
        let (n, frames) = (batch.n, self.info.frames);
        let lr = self.config.lr * Schedule::default().factor(progress) * self.watch.lr_factor();
        let classes = class_input(&batch.labels, n, self.info.classes, self.config.label_drop as f32, rng);
        let judged: Vec<usize> = (0..FRAMES_JUDGED).map(|_| rng.below(frames)).collect();

        let real = self.latents(batch);
        let noise = Noise::new(&self.config, n, frames, 1.0, &self.device, rng);
        let fake = self.generator.net().valid().forward(noise, &classes);
        let diversity = diversity(&first_frames(&fake, frames), &first_frames(&real, frames));
        let real = self.shown(Tensor::from_inner(real), &judged);
        let fake = self.shown(Tensor::from_inner(fake), &judged);
        let gamma = self.config.penalty * self.watch.penalty_factor();
        let penalties = Penalties { gamma, every: self.config.penalty_every };
        let due = penalties.due(self.critics.steps());
        let [by_clip, by_frame] = self.judged(&real, &fake, &classes, due);
        let penalty = by_clip.penalty.zip(by_frame.penalty).map(|(a, b)| Tensor::cat(vec![a, b], 0).sum());
        let (loss, penalty) =
            penalties.added(Tensor::cat(vec![by_clip.loss, by_frame.loss], 0).sum(), penalty);
        let (d_loss, _) = self.critics.update(loss, lr)?;

        // The generator's step reads D(x) of above: it is a constant there, one update old.
        let noise = Noise::new(&self.config, n, frames, 1.0, &self.device.clone().autodiff(), rng);
        let fake = self.generator.net().forward(noise, &classes);
        let fake = self.shown(fake, &judged);
        let critics = self.critics.net().clone().no_grad();
        let [of_clips, of_frames] = critics.scores(&fake, &classes);
        let loss = relativistic_loss(of_clips, by_clip.real) + relativistic_loss(of_frames, by_frame.real);
        let (g_loss, gradient) = self.generator.update(loss, lr)?;

        let losses = [d_loss, g_loss];
        let vitals = Vitals { losses, gradient, diversity: (n > 1).then_some(diversity) };
        Ok((metrics(losses, by_clip.accuracy, Some(diversity), penalty), vitals))
    }

    /// What the critics of clips and of frames say.
    fn judged(&self, real: &Shown, fake: &Shown, classes: &[u32], due: bool) -> [Judged; 2] {
        let critics = self.critics.net();
        let both = |a: &Tensor<4>, b: &Tensor<4>| Tensor::cat(vec![a.clone(), b.clone()], 0);
        let judged = |critic: &Critic, x: Tensor<4>, labels: &[u32]| {
            Judged::of(critic, x, due, |critic, x, pass| critic.pass(x, labels, pass))
        };
        [
            judged(&critics.clip, both(&real.clips, &fake.clips), &classes.repeat(2)),
            judged(&critics.frame, both(&real.frames, &fake.frames), &of_frames(classes).repeat(2)),
        ]
    }

    /// The means of the latents of real clips: `[n · frames, latent, h, w]`. Draws have noise of their own in every number,
    /// which a generator would have to make from the few that it is given.
    fn latents(&self, batch: &VideoBatch) -> Tensor<4> {
        let VideoInfo { shape, frames, .. } = self.info;
        let x = to_frames(&batch.pixels, shape, frames, &self.device);
        let rows = self.autoencoder.coder().encode(x, frames);
        kernels::row_pixels(rows, self.trunk.shape.height, self.trunk.shape.width)
    }

    /// Maps `[n · frames, c, h, w]` as the critics see them.
    fn shown(&self, x: Tensor<4>, judged: &[usize]) -> Shown {
        let [all, ..] = x.dims();
        let maps = self.trunk.folded(x); // padded
        let [_, c, h, w] = maps.dims();
        let clips = maps.reshape([all / self.info.frames, self.info.frames * c, h, w]);
        // The first frame chosen of all clips, then the second.
        let chosen = judged.iter().map(|frame| clips.clone().narrow(1, frame * c, c)).collect();
        Shown { frames: Tensor::cat(chosen, 0), clips }
    }
}

/// Generator and critics with their optimisers, untrained.
fn networks(
    config: &Config,
    trunk: Trunk,
    info: &VideoInfo,
    device: &Device,
    rng: &mut Rng,
) -> (Trainable<Generator>, Trainable<Critics>) {
    let on = device.clone().autodiff();
    let critic = |frames: usize, rng: &mut Rng| Critic::new(trunk, frames, info.classes, &on, rng);
    let critics = Critics { clip: critic(info.frames, rng), frame: critic(1, rng) };
    let generator = Trainable::new(Generator::new(config, trunk, info, &on, rng), adam(0.999));
    (generator, Trainable::new(critics, adam(0.0)))
}

/// The classes of the frames that are judged.
fn of_frames(classes: &[u32]) -> Vec<u32> {
    classes.repeat(FRAMES_JUDGED)
}

/// The first frames of clips, `[n, 1, c · h · w]`.
fn first_frames(x: &Tensor<4>, frames: usize) -> Tensor<3> {
    let [all, c, h, w] = x.dims();
    x.clone().reshape([all / frames, frames, c * h * w]).narrow(1, 0, 1)
}

/// What clips are made from.
struct Noise {
    stays: Tensor<2>, // [n, noise]
    moves: Tensor<2>, // [n · frames, motion]
}

impl Noise {
    fn new(
        config: &Config,
        n: usize,
        frames: usize,
        temperature: f32,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let stays = rng.normal_tensor([n, config.noise], device) * temperature;
        Self { stays, moves: rng.normal_tensor([n * frames, config.motion], device) * temperature }
    }
}

/// Channels after `level` halvings.
fn channels(trunk: &Trunk, level: usize) -> usize {
    trunk.width << level.min(2)
}

/// Blocks of one size, then a change of channels before the next.
#[derive(Module, Debug)]
struct Stage {
    time: Vec<TimeBlock>,
    blocks: Vec<PlainBlock>,
    change: Option<Conv2d>,
}

/// Noise and classes → maps of latents `[n · frames, c, h, w]`.
#[derive(Module, Debug)]
struct Generator {
    label: Embedding,
    /// Of the number of a frame, as many as a clip has; longer ones come round.
    moment: Embedding,
    start: Linear,
    stages: Vec<Stage>,
    out: Conv2d,
    #[module(skip)]
    trunk: Trunk,
}

impl Generator {
    fn new(config: &Config, trunk: Trunk, info: &VideoInfo, device: &Device, rng: &mut Rng) -> Self {
        let (height, width) = trunk.grid();
        let stages = (0..=trunk.halvings)
            .rev()
            .map(|level| {
                let (from, to) = (channels(&trunk, level), channels(&trunk, level.max(1) - 1));
                let times = if level + 2 > trunk.halvings { trunk.time_blocks } else { 0 };
                Stage {
                    time: (0..times).map(|_| TimeBlock::new(from, device, rng)).collect(),
                    blocks: (0..trunk.blocks).map(|_| PlainBlock::new(from, device, rng)).collect(),
                    change: (from != to).then(|| Conv2d::new(from, to, 1, 1.0, device, rng)),
                }
            })
            .collect();
        let inputs = config.noise + config.motion + 2 * D_LABEL;
        let bottom = channels(&trunk, trunk.halvings) * height * width;
        Self {
            label: Embedding::new(info.classes + 1, D_LABEL, 1.0, device, rng),
            moment: Embedding::new(info.frames, D_LABEL, 1.0, device, rng),
            start: Linear::new(inputs, bottom, 1.0, device, rng),
            stages,
            out: Conv2d::new(trunk.width, config.latent, 3, 0.5, device, rng),
            trunk,
        }
    }

    /// What tells a frame its number, of `all` frames of clips of `frames` each.
    fn moments(&self, all: usize, frames: usize, device: &Device) -> Tensor<2> {
        let learned = self.moment.weight.val().dims()[0];
        let numbers: Vec<u32> = (0..all).map(|i| (i % frames % learned) as u32).collect();
        self.moment.forward(indices(&numbers, device))
    }

    fn forward(&self, noise: Noise, classes: &[u32]) -> Tensor<4> {
        let (all, n) = (noise.moves.dims()[0], classes.len());
        let frames = all / n.max(1);
        let label = self.label.forward(indices(classes, &noise.moves.device()));
        let stays = Tensor::cat(vec![noise.stays, label], 1); // [n, noise + label]
        let d = stays.dims()[1];
        let stays = stays.reshape([n, 1, d]).repeat_dim(1, frames).reshape([all, d]);
        let (mut height, mut width) = self.trunk.grid();
        let c = channels(&self.trunk, self.trunk.halvings);
        let moment = self.moments(all, frames, &stays.device());
        let start = self.start.forward(Tensor::cat(vec![stays, moment, noise.moves], 1));
        let mut x: Tensor<4> = start.reshape([all, c, height, width]);
        for (i, stage) in self.stages.iter().enumerate() {
            if !stage.time.is_empty() {
                let rows = over_time(kernels::pixel_rows(x), &stage.time, frames, height * width);
                x = kernels::row_pixels(rows, height, width);
            }
            x = stage.blocks.iter().fold(x, |x, block| block.forward(x, &mut Pass::Plain));
            if i + 1 < self.stages.len() {
                if let Some(change) = &stage.change {
                    x = change.forward(x);
                }
                x = kernels::upsample2(x);
                (height, width) = (2 * height, 2 * width);
            }
        }
        self.trunk.unfolded(self.out.forward(act(x)))
    }
}

/// Maps of some frames, side by side as channels, and classes → `[n]`, unbounded; larger is more real.
#[derive(Module, Debug)]
struct Critic {
    stem: Conv2d,
    stages: Vec<Stage>,
    last: Linear,
    score: Linear,
    /// Projection of the class onto the features (Miyato & Koyama, arXiv:1802.05637).
    label: Embedding,
}

impl Critic {
    fn new(trunk: Trunk, frames: usize, classes: usize, device: &Device, rng: &mut Rng) -> Self {
        let (height, width) = trunk.grid();
        let stages = (0..=trunk.halvings)
            .map(|level| {
                let (from, to) = (channels(&trunk, level), channels(&trunk, (level + 1).min(trunk.halvings)));
                Stage {
                    time: Vec::new(),
                    blocks: (0..trunk.blocks).map(|_| PlainBlock::new(from, device, rng)).collect(),
                    change: (from != to).then(|| Conv2d::new(from, to, 1, 1.0, device, rng)),
                }
            })
            .collect();
        let c = channels(&trunk, trunk.halvings);
        let inputs = frames * trunk.shape.channels;
        Self {
            stem: Conv2d::new(inputs, trunk.width, 3, 1.0, device, rng),
            stages,
            last: Linear::new(c * height * width, c, 1.0, device, rng),
            score: Linear::new(c, 1, 1.0, device, rng),
            label: Embedding::new(classes + 1, c, 0.1, device, rng),
        }
    }

    fn pass(&self, x: Tensor<4>, classes: &[u32], pass: &mut Pass) -> Tensor<1> {
        let n = x.dims()[0];
        let mut h = pass.conv(&self.stem, x);
        for (i, stage) in self.stages.iter().enumerate() {
            h = stage.blocks.iter().fold(h, |h, block| block.forward(h, pass));
            if i + 1 < self.stages.len() {
                h = kernels::downsample2(h);
                if let Some(change) = &stage.change {
                    h = pass.conv(change, h);
                }
            }
        }
        let h = pass.act(h).flatten(1, 3);
        let features = pass.linear(&self.last, h);
        let features = pass.act(features); // [n, c]
        let d = features.dims()[1] as f64;
        let score = pass.linear(&self.score, features.clone()).reshape([n]);
        let label = self.label.forward(indices(classes, &features.device()));
        score + (features * label).sum_dim(1).reshape([n]) / d.sqrt()
    }
}

impl Critics {
    /// Scores of clips and of frames.
    fn scores(&self, shown: &Shown, classes: &[u32]) -> [Tensor<1>; 2] {
        let clips = self.clip.pass(shown.clips.clone(), classes, &mut Pass::Plain);
        [clips, self.frame.pass(shown.frames.clone(), &of_frames(classes), &mut Pass::Plain)]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        SamplingParams,
        common::test_support::check_save_load,
        video::test_support::{tiny_batch, tiny_info},
    };

    fn tiny() -> Gan {
        let info = tiny_info();
        let config =
            Config { width: 8, coder_width: 8, grid: 3, latent: 4, ..Config::preset(Size::Tiny, &info) };
        Gan::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn draw(n: usize, frames: usize) -> VideoSampleParams<'static> {
        let (conditioning, choice) = (Conditioning::None, SamplingParams::default());
        VideoSampleParams {
            n,
            labels: &[0, 1, 2],
            frames,
            conditioning,
            choice,
            guidance: None,
            autoguidance: None,
        }
    }

    #[test]
    fn learns_the_brightness_of_one_batch() {
        let (mut model, batch) = (tiny(), tiny_batch());
        let mean = |pixels: &[u8]| pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / pixels.len() as f64;
        let far =
            |model: &Gan| (mean(&model.sample(&draw(4, 4), &mut Rng::new(1, 1))) - mean(&batch.pixels)).abs();
        let before = far(&model);
        assert_eq!(model.stages().len(), 2);
        for i in 0..120 {
            model.step(&batch, f64::from(i) / 120.0, &mut Rng::new(2, i as u64)).unwrap();
        }
        assert!(far(&model) < before.max(10.0), "{before} {}", far(&model));
    }

    #[test]
    fn save_load_is_bit_exact() {
        let mut a = tiny();
        a.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
        a.step(&tiny_batch(), 0.5, &mut Rng::new(2, 1)).unwrap();
        let mut b = tiny();
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        let sample = |model: &Gan| model.sample(&draw(3, 4), &mut Rng::new(3, 0));
        assert_eq!(sample(&a), sample(&b));
        for i in 0..3 {
            let step = |m: &mut Gan| m.step(&tiny_batch(), 0.6, &mut Rng::new(4, i)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn clips_have_any_length() {
        let model = tiny();
        for frames in [1, 2, 9] {
            let made = model.sample(&draw(2, frames), &mut Rng::new(3, 0));
            assert_eq!(made.len(), 2 * frames * model.info.shape.pixels());
        }
    }
}
