//! Generative adversarial network of clips: two critics as in DVD-GAN (Clark et al., arXiv:1907.06571), loss and
//! penalties of R3GAN (Huang et al., arXiv:2501.05441).
//!
//! One critic sees whole clips, a few frames of them the other, which judges each by itself:
//!
//! `L_D = Σ_k E softplus(D_k(G(z)) − D_k(x)) + γ/2 E‖∇ₓD_k(x)‖² + γ/2 E‖∇ₓD_k(G(z))‖²`,
//! `L_G = Σ_k E softplus(D_k(x) − D_k(G(z)))`.
//!
//! The generator makes every frame from one vector for what stays, `z`, and one for what moves, `e_t`, and mixes over time
//! where maps are small; so it makes clips of any length. It has no encoder: nothing can be continued or varied.
//! To the critic of clips frames are channels, side by side.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation},
};
use mintage_data::ClipBatch;
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, WeightsError, kernels,
    layers::{Conv2d, Embedding, Linear, TimeBlock},
};
use serde::{Deserialize, Serialize};

use super::{
    ClipDraw, ClipInfo,
    net::{Trunk, batch_of, from_frames, in_parts, over_time, to_frames},
};
use crate::{
    events::Metrics,
    models::{
        Size,
        image::{class_input, gan::diff_augment, indices},
        pass::{Pass, act, gradient_penalty},
    },
};

/// All choices of a GAN of clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of what stays in a clip, and of what moves in every frame.
    pub latent: usize,
    pub motion: usize,
    /// Channels at the size that the ends work at; they double with each halving, up to `4 · width`.
    pub width: usize,
    /// Residual blocks a size.
    pub blocks: usize,
    /// Blocks over time of the generator, at its two smallest sizes.
    pub time_blocks: usize,
    /// γ of both penalties.
    pub penalty: f64,
    /// The penalties are computed every so many steps, and weighted as many times (Karras et al., arXiv:1912.04958).
    pub penalty_every: usize,
    /// Differentiable augmentation: 0 never, 1 always, in between the share of batches.
    pub augment: f64,
    pub batch: usize,
    pub lr: f64,
    pub label_drop: f64,
}

/// Below this number of training clips the critics would learn them by heart.
const FEW_CLIPS: usize = 10_000;
/// Dimensions of the embedded label.
const D_LABEL: usize = 32;
/// Longest side of the smallest map.
const BOTTOM: usize = 4;
/// Frames of a clip that are judged by themselves.
const FRAMES_JUDGED: usize = 2;

impl Config {
    /// The preset of a size.
    pub fn preset(size: Size, info: &ClipInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (24, 1),
            Size::Small => (48, 1),
            Size::Base => (80, 1),
            Size::Large => (128, 2),
        };
        Self {
            latent: 64,
            motion: 16,
            width,
            blocks,
            time_blocks: 2,
            penalty: 2.0,
            penalty_every: 2,
            augment: if info.train_len < FEW_CLIPS { 1.0 } else { 0.0 },
            batch: batch_of(128, info),
            lr: 5e-4,
            label_drop: 0.1,
        }
    }
}

/// Both critics.
#[derive(Module, Debug)]
struct Critics {
    clip: Critic,
    frame: Critic,
}

/// A GAN of clips with both optimisers.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    info: ClipInfo,
    device: Device,
    trunk: Trunk,
    generator: Trainable<Generator>,
    critics: Trainable<Critics>,
    /// Steps made: says when the penalties are due.
    steps: u64,
}

/// A batch as the critics see it: clips and some of their frames, both as channels of squares of pixels.
#[derive(Clone)]
struct Shown {
    clips: Tensor<4>,
    frames: Tensor<4>,
}

impl Gan {
    pub fn new(config: &Config, info: &ClipInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let adam = |ema| AdamW { beta1: 0.0, beta2: 0.99, clip: 0.0, ema, ..AdamW::default() };
        let trunk = Trunk::new(info.shape, config.width, config.blocks, config.time_blocks, BOTTOM);
        let critic = |frames: usize, rng: &mut Rng| Critic::new(trunk, frames, info.classes, &on, rng);
        let critics = Critics { clip: critic(info.frames, rng), frame: critic(1, rng) };
        Self {
            generator: Trainable::new(Generator::new(config, trunk, info.classes, &on, rng), adam(0.999)),
            critics: Trainable::new(critics, adam(0.0)),
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            trunk,
            steps: 0,
        }
    }

    pub fn phases(&self) -> Vec<(&'static str, f64)> {
        vec![("training", 0.0)]
    }

    /// One step of the critics, then one of the generator. Metrics: the critics' loss, the generator's, how well real and
    /// generated clips are told apart (0.5: not at all), the penalty when due, and the diversity of the generated batch
    /// against the real one (0: collapsed).
    pub fn step(&mut self, batch: &ClipBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let (n, frames) = (batch.n, self.info.frames);
        let lr = self.config.lr * Schedule::default().factor(progress);
        let classes = class_input(&batch.labels, n, self.info.classes, self.config.label_drop as f32, rng);
        let augmented = rng.uniform() < self.config.augment as f32;
        let judged: Vec<usize> = (0..FRAMES_JUDGED).map(|_| rng.below(frames)).collect();

        let real = to_frames(&batch.pixels, self.info.shape, frames, &self.device);
        let noise = Noise::new(&self.config, n, frames, 1.0, &self.device, rng);
        let fake = self.generator.net().valid().forward(noise, &classes);
        let diversity = spread(&fake, frames) / spread(&real, frames).max(1e-9);
        let real = self.shown(Tensor::from_inner(real), augmented, &judged, rng);
        let fake = self.shown(Tensor::from_inner(fake), augmented, &judged, rng);
        let due = self.steps.is_multiple_of(self.config.penalty_every.max(1) as u64);
        let Judged { loss, real: scores, told, penalty } = self.judged(&real, &fake, &classes, due);
        let (d_loss, _) = self.critics.update(loss, lr)?;

        // The generator's step reads D(x) of above: it is a constant there, one update old.
        let noise = Noise::new(&self.config, n, frames, 1.0, &self.device.clone().autodiff(), rng);
        let fake = self.generator.net().forward(noise, &classes);
        let fake = self.shown(fake, augmented, &judged, rng);
        let critics = self.critics.net().clone().no_grad();
        let [of_clips, of_frames] = critics.scores(&fake, &classes);
        let loss = pairing(of_clips, scores[0].clone()) + pairing(of_frames, scores[1].clone());
        let (g_loss, _) = self.generator.update(loss, lr)?;
        self.steps += 1;

        let mut metrics = Metrics::new([
            ("d_loss", d_loss),
            ("g_loss", g_loss),
            ("told_apart", told),
            ("diversity", diversity),
        ]);
        metrics.0.extend(penalty.map(|value| ("penalty".to_owned(), value)));
        Ok(metrics)
    }

    /// The loss of both critics.
    fn judged(&self, real: &Shown, fake: &Shown, classes: &[u32], due: bool) -> Judged {
        let critics = self.critics.net();
        let both = |a: &Tensor<4>, b: &Tensor<4>| Tensor::cat(vec![a.clone(), b.clone()], 0);
        let inputs = [both(&real.clips, &fake.clips), both(&real.frames, &fake.frames)];
        let labels = [classes.repeat(2), of_frames(classes).repeat(2)];
        let (mut losses, mut scores, mut penalties) = (Vec::new(), Vec::new(), Vec::new());
        let mut told = 0.0;
        let parts = [&critics.clip, &critics.frame].into_iter().zip(inputs).zip(&labels).enumerate();
        for (number, ((critic, x), labels)) in parts {
            let n = x.dims()[0] / 2;
            let found = critic.pass(x.clone(), labels, &mut Pass::Plain);
            let (d_real, d_fake) = (found.clone().narrow(0, 0, n), found.narrow(0, n, n));
            if number == 0 {
                let larger = d_real.clone().greater(d_fake.clone()).float().mean();
                told = f64::from(larger.into_scalar::<f32>());
            }
            losses.push(pairing(d_real.clone(), d_fake));
            scores.push(d_real.detach());
            if due {
                // The mean over 2n is half of R1 + R2.
                let pass = |net: &Critic, x, pass: &mut Pass| net.pass(x, labels, pass);
                penalties.push(gradient_penalty(critic, x, pass) * 2.0);
            }
        }
        let mut loss = Tensor::cat(losses, 0).sum();
        let penalty = (!penalties.is_empty()).then(|| Tensor::cat(penalties, 0).sum());
        if let Some(penalty) = &penalty {
            let every = self.config.penalty_every.max(1) as f64;
            loss = loss + penalty.clone() * (self.config.penalty / 2.0 * every);
        }
        let penalty = penalty.map(|penalty| f64::from(penalty.into_scalar::<f32>()));
        Judged { loss, real: scores, told, penalty }
    }

    /// Clips `[n · frames, c, h, w]` as the critics see them, all frames of a clip augmented alike.
    fn shown(&self, x: Tensor<4>, augmented: bool, judged: &[usize], rng: &mut Rng) -> Shown {
        let [all, c, h, w] = x.dims();
        let frames = self.info.frames;
        let x = x.reshape([all / frames, frames * c, h, w]);
        let x = if augmented { diff_augment(x, rng) } else { x };
        let patches = self.trunk.folded(x.reshape([all, c, h, w]));
        let [_, c, h, w] = patches.dims();
        let clips = patches.reshape([all / frames, frames * c, h, w]);
        // The first frame chosen of all clips, then the second.
        let chosen = judged.iter().map(|frame| clips.clone().narrow(1, frame * c, c)).collect();
        Shown { frames: Tensor::cat(chosen, 0), clips }
    }

    /// A GAN has no number on held-out items that is worth minimising: it is judged by its samples.
    pub fn validate(&self, _batch: &ClipBatch, _progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        None
    }

    /// Draws from the averaged generator; a temperature below 1 draws nearer to the middle.
    pub fn sample(&self, draw: &ClipDraw, rng: &mut Rng) -> Vec<u8> {
        let net = self.generator.averaged();
        in_parts(draw.n, draw.labels, draw.frames, self.info.classes, |classes| {
            let (n, temperature) = (classes.len(), draw.choice.temperature);
            let noise = Noise::new(&self.config, n, draw.frames, temperature, &self.device, rng);
            from_frames(&net.forward(noise, classes), draw.frames)
        })
    }

    pub fn save_weights(&self, map: &mut TensorMap) {
        self.generator.save_weights("generator", map);
        self.critics.save_weights("critics", map);
    }

    pub fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.generator.load_weights("generator", map)?;
        self.critics.load_weights("critics", map)
    }

    pub fn save_state(&self, map: &mut TensorMap) {
        self.generator.save_state("generator", map);
        self.critics.save_state("critics", map);
    }

    pub fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.generator.load_state("generator", map)?;
        self.critics.load_state("critics", map)?;
        self.steps = self.critics.optimizer.steps();
        Ok(())
    }

    pub fn parameters(&self) -> usize {
        self.generator.net().num_params() + self.critics.net().num_params()
    }
}

/// What the critics say of a batch.
struct Judged {
    loss: Tensor<1>,
    /// Scores of the real ones, by either critic.
    real: Vec<Tensor<1>>,
    /// Share of pairs whose real clip has the higher score.
    told: f64,
    penalty: Option<f64>,
}

/// `E softplus(low − high)`: small where `high` is above `low`.
fn pairing(high: Tensor<1>, low: Tensor<1>) -> Tensor<1> {
    activation::softplus(low - high, 1.0).mean()
}

/// The classes of the frames that are judged.
fn of_frames(classes: &[u32]) -> Vec<u32> {
    classes.repeat(FRAMES_JUDGED)
}

/// Mean squared distance of neighbours in the batch by their first frames: near 0 when all clips are the same.
fn spread(x: &Tensor<4>, frames: usize) -> f64 {
    let n = x.dims()[0] / frames;
    if n < 2 {
        return 0.0;
    }
    let first = |clip: usize| x.clone().narrow(0, clip * frames, 1);
    let far = |clip: usize| (first(clip) - first(clip + 1)).powi_scalar(2).mean().into_scalar::<f32>();
    (0..n - 1).map(|clip| f64::from(far(clip))).sum::<f64>() / (n - 1) as f64
}

/// What clips are made from.
struct Noise {
    stays: Tensor<2>, // [n, latent]
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
        let stays = rng.normal_tensor([n, config.latent], device) * temperature;
        Self { stays, moves: rng.normal_tensor([n * frames, config.motion], device) * temperature }
    }
}

/// Channels after `level` halvings.
fn channels(trunk: &Trunk, level: usize) -> usize {
    trunk.width << level.min(2)
}

/// `x + conv(act(conv(act(x))))`, the last convolution starting at zero (Zhang et al., arXiv:1901.09321).
#[derive(Module, Debug)]
struct PlainBlock {
    conv1: Conv2d,
    conv2: Conv2d,
}

impl PlainBlock {
    fn new(channels: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            conv1: Conv2d::new(channels, channels, 3, 1.0, device, rng),
            conv2: Conv2d::new(channels, channels, 3, 0.0, device, rng),
        }
    }

    fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        let h = pass.act(x.clone());
        let h = pass.conv(&self.conv1, h);
        let h = pass.act(h);
        kernels::add(x, pass.conv(&self.conv2, h))
    }
}

/// Blocks of one size, then a change of channels on the way to the next.
#[derive(Module, Debug)]
struct Stage {
    time: Vec<TimeBlock>,
    blocks: Vec<PlainBlock>,
    change: Option<Conv2d>,
}

/// Noise and classes → frames `[n · frames, c, h, w]`, about in [−1, 1].
#[derive(Module, Debug)]
struct Generator {
    label: Embedding,
    start: Linear,
    stages: Vec<Stage>,
    out: Conv2d,
    #[module(skip)]
    trunk: Trunk,
}

impl Generator {
    fn new(config: &Config, trunk: Trunk, classes: usize, device: &Device, rng: &mut Rng) -> Self {
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
        let inputs = config.latent + config.motion + D_LABEL;
        let bottom = channels(&trunk, trunk.halvings) * height * width;
        let patch = trunk.shape.channels << (2 * trunk.folds);
        Self {
            label: Embedding::new(classes + 1, D_LABEL, 1.0, device, rng),
            start: Linear::new(inputs, bottom, 1.0, device, rng),
            stages,
            out: Conv2d::new(trunk.width, patch, 3, 0.5, device, rng),
            trunk,
        }
    }

    fn forward(&self, noise: Noise, classes: &[u32]) -> Tensor<4> {
        let (all, n) = (noise.moves.dims()[0], classes.len());
        let frames = all / n.max(1);
        let label = self.label.forward(indices(classes, &noise.moves.device()));
        let stays = Tensor::cat(vec![noise.stays, label], 1); // [n, latent + label]
        let d = stays.dims()[1];
        let stays = stays.reshape([n, 1, d]).repeat_dim(1, frames).reshape([all, d]);
        let (mut height, mut width) = self.trunk.grid();
        let c = channels(&self.trunk, self.trunk.halvings);
        let start = self.start.forward(Tensor::cat(vec![stays, noise.moves], 1));
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

/// Squares of pixels of some frames, side by side as channels, and classes → `[n]`, unbounded; larger is more real.
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
        let patch = frames * (trunk.shape.channels << (2 * trunk.folds));
        Self {
            stem: Conv2d::new(patch, trunk.width, 3, 1.0, device, rng),
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
        Choice,
        image::tests_common::check_save_load,
        video::{
            ClipStart,
            tests_common::{tiny_batch, tiny_info},
        },
    };

    fn tiny() -> Gan {
        let info = tiny_info();
        let config = Config { width: 8, ..Config::preset(Size::Tiny, &info) };
        Gan::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn draw(n: usize, frames: usize) -> ClipDraw<'static> {
        let (start, choice) = (ClipStart::Fresh, Choice::default());
        ClipDraw { n, labels: &[0, 1, 2], frames, start, choice, guidance: None }
    }

    #[test]
    fn learns_the_brightness_of_one_batch() {
        let (mut model, batch) = (tiny(), tiny_batch());
        let mean = |pixels: &[u8]| pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / pixels.len() as f64;
        let far =
            |model: &Gan| (mean(&model.sample(&draw(4, 4), &mut Rng::new(1, 1))) - mean(&batch.pixels)).abs();
        let before = far(&model);
        for i in 0..60 {
            model.step(&batch, f64::from(i) / 60.0, &mut Rng::new(2, i as u64)).unwrap();
        }
        assert!(far(&model) < before.max(10.0), "{before} {}", far(&model));
    }

    #[test]
    fn save_load_is_bit_exact() {
        let mut a = tiny();
        a.step(&tiny_batch(), 0.5, &mut Rng::new(2, 0)).unwrap();
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
