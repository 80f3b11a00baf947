//! Generative adversarial network: the modern baseline R3GAN (Huang et al., arXiv:2501.05441).
//!
//! Relativistic pairing loss (Jolicoeur-Martineau, arXiv:1807.00734): the discriminator is asked which of
//! a real and a generated image *of the same class* is the real one,
//!
//! `L_D = E softplus(D(G(z)) − D(x)) + γ/2 E‖∇ₓD(x)‖² + γ/2 E‖∇ₓD(G(z))‖²`,
//! `L_G = E softplus(D(x) − D(G(z)))`,
//!
//! with zero-centred penalties on real and on generated data (R1 and R2), which make the game converge
//! locally. Neither network has a normalisation layer; residual branches start at zero. With few training
//! images both kinds pass a differentiable augmentation (Zhao et al., arXiv:2006.10738). As in R3GAN, γ falls and β₂ of
//! AdamW rises over a training. A training that collapses or diverges goes back to earlier weights (`common/watch.rs`).

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::{ImageBatch, ImageShape};
use mintage_nn::{
    NotFinite, Rng, Schedule, Trainable, kernels,
    layers::{Conv2d, Embedding, Linear},
};
use serde::{Deserialize, Serialize};

use super::Image;
use super::{augment::diff_augment, in_batches, to_model, to_pixels};
use crate::models::common::adversarial::{Judged, Penalties, adam, diversity, metrics, relativistic_loss};
use crate::models::common::classes::{class_input, indices};
use crate::models::common::padding::{crop_to, pad_to, padded};
use crate::models::common::watch::{Vitals, Watch};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{
    events::Metrics,
    models::{
        Conditioning, Size,
        common::pass::{Pass, PlainBlock, act},
        image::{ImageInfo, ImageSampleParams},
    },
};

/// Options of a GAN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of the latent vector `z`.
    pub latent: usize,
    /// Channels at half the image's size; they double with each halving, up to `4 · width`.
    pub width: usize,
    /// Residual blocks a size.
    pub blocks: usize,
    /// γ of both penalties at the beginning.
    pub penalty: f64,
    /// Share of γ that is left at the end: it falls by half a cosine. 1 keeps it as it is.
    #[serde(default = "constant_penalty")]
    pub penalty_end: f64,
    /// Steps from one computation of the penalties to the next; each weighs as many times more (Karras et
    /// al., arXiv:1912.04958).
    pub penalty_every: usize,
    /// Differentiable augmentation: 0 never, 1 always, in between the share of batches.
    pub augment: f64,
    /// Images per step.
    pub batch: usize,
    /// Peak learning rate of both networks (AdamW, β₁ = 0).
    pub lr: f64,
    /// β₂ of AdamW at the beginning: it comes to 0.99 by half a cosine.
    #[serde(default = "constant_beta2")]
    pub beta2_start: f64,
    /// How often a training that has collapsed or diverged goes back to earlier weights, each time with half the learning
    /// rate and twice γ; 0 is never.
    #[serde(default)]
    pub recoveries: usize,
    /// Probability that a label is hidden in training, so that images without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
}

/// β₂ of AdamW at the end.
const BETA2_END: f64 = 0.99;
/// Half a cosine from 1 to 0.
const FALL: Schedule = Schedule { warmup: 0.0, floor: 0.0 };

/// γ as it was before it could fall, for runs of then.
fn constant_penalty() -> f64 {
    1.0
}

/// β₂ as it was before it could rise, for runs of then.
fn constant_beta2() -> f64 {
    BETA2_END
}

/// Below this number of training images the discriminator overfits without augmentation.
const AUGMENT_BELOW_IMAGES: usize = 10_000;
/// Dimensions of the embedded label.
const D_LABEL: usize = 32;
/// Longest side of the smallest map.
const MAX_BOTTOM_SIDE: usize = 4;

impl FamilyConfig<Image> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &ImageInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (16, 1),
            Size::Small => (32, 1),
            Size::Base => (64, 1),
            Size::Large => (96, 2),
        };
        Self {
            latent: 64,
            width,
            blocks,
            penalty: 2.0,
            penalty_end: 0.1,
            penalty_every: 2,
            augment: if info.train_len < AUGMENT_BELOW_IMAGES { 1.0 } else { 0.0 },
            batch: 32,
            lr: 5e-4,
            beta2_start: 0.9,
            recoveries: 3,
            label_drop: 0.1,
        }
    }

    fn activations(&self, info: &ImageInfo) -> u64 {
        // Real and generated ones.
        2 * memory::of_image(info, self.width, self.blocks)
    }
}

/// A GAN with both optimisers.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    info: ImageInfo,
    device: Device,
    generator: Trainable<Generator>,
    discriminator: Trainable<Discriminator>,
    watch: Watch,
}

impl GenerativeModel<Image> for Gan {
    type Config = Config;

    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let (generator, discriminator) = networks(config, info, device, rng);
        Self {
            generator,
            discriminator,
            watch: Watch::new(config.recoveries),
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// A step of the game; where the watch finds that it is lost, it goes on from earlier weights or from new ones.
    fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let played = self.play(batch, progress, rng);
        let seen = played.as_ref().ok().map(|(_, vitals)| *vitals);
        if self.watch.after(seen, [&mut self.generator, &mut self.discriminator]) {
            (self.generator, self.discriminator) = networks(&self.config, &self.info, &self.device, rng);
        }
        played.map(|(metrics, _)| metrics)
    }

    fn notes(&mut self) -> Vec<String> {
        self.watch.notes()
    }

    /// Draws from the averaged generator; a temperature below 1 draws `z` nearer to the middle.
    fn sample(&self, draw: &ImageSampleParams, rng: &mut Rng) -> Vec<u8> {
        let net = self.generator.averaged();
        in_batches(draw, self.info.classes, |part| {
            let z = rng.normal_tensor([part.n, self.config.latent], &self.device) * draw.temperature;
            to_pixels(&net.forward(z, part.labels))
        })
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        conditioning.is_noise()
    }

    parts!("generator" = generator, "discriminator" = discriminator, "watch" = watch);
}

impl Gan {
    /// One step of the discriminator, then one of the generator. Metrics: the discriminator's loss, the
    /// generator's, how well real and generated are told apart (0.5: not at all), the penalty when due,
    /// and the diversity of the generated batch against the real one (0: collapsed).
    fn play(
        &mut self,
        batch: &ImageBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<(Metrics, Vitals), NotFinite> {
        let on = self.device.clone().autodiff();
        let lr = self.config.lr * Schedule::default().factor(progress) * self.watch.lr_factor();
        let beta2 = self.beta2(progress);
        self.generator.optimizer.config.beta2 = beta2;
        self.discriminator.optimizer.config.beta2 = beta2;
        let classes =
            class_input(&batch.labels, batch.n, self.info.classes, self.config.label_drop as f32, rng);
        let augmented = rng.uniform() < self.config.augment as f32;
        let augment = |x: Tensor<4>, rng: &mut Rng| if augmented { diff_augment(x, rng) } else { x };

        let real = to_model(&batch.pixels, self.info.shape, &self.device);
        let z = rng.normal_tensor([batch.n, self.config.latent], &self.device);
        let fake = self.generator.net().valid().forward(z, &classes);
        let diversity = diversity(&fake, &real);
        let real = augment(Tensor::from_inner(real), rng);
        let fake = augment(Tensor::from_inner(fake), rng);

        let (images, labels) = (Tensor::cat(vec![real, fake], 0), classes.repeat(2));
        let d = self.discriminator.net();
        let penalties = self.penalties(progress);
        let due = penalties.due(self.discriminator.steps());
        let judged = Judged::of(d, images, due, |d, x, pass| d.pass(x, &labels, pass));
        let (loss, penalty) = penalties.added(judged.loss, judged.penalty);
        let (d_loss, _) = self.discriminator.update(loss, lr)?;

        // The generator's step reads D(x) of above: it is a constant there, one update old.
        let z = rng.normal_tensor([batch.n, self.config.latent], &on);
        let fake = augment(self.generator.net().forward(z, &classes), rng);
        let d_fake = self.discriminator.net().clone().no_grad().forward(fake, &classes);
        let loss = relativistic_loss(d_fake, judged.real);
        let (g_loss, gradient) = self.generator.update(loss, lr)?;

        let losses = [d_loss, g_loss];
        let vitals = Vitals { losses, gradient, diversity: (batch.n > 1).then_some(diversity) };
        Ok((metrics(losses, judged.accuracy, Some(diversity), penalty), vitals))
    }

    /// Both penalties at `progress`.
    fn penalties(&self, progress: f64) -> Penalties {
        let left = Schedule { floor: self.config.penalty_end, ..FALL }.factor(progress);
        let gamma = self.config.penalty * left * self.watch.penalty_factor();
        Penalties { gamma, every: self.config.penalty_every }
    }

    /// β₂ of both networks at `progress`.
    fn beta2(&self, progress: f64) -> f32 {
        (BETA2_END + (self.config.beta2_start - BETA2_END) * FALL.factor(progress)) as f32
    }
}

/// Both networks with their optimisers, untrained.
fn networks(
    config: &Config,
    info: &ImageInfo,
    device: &Device,
    rng: &mut Rng,
) -> (Trainable<Generator>, Trainable<Discriminator>) {
    let on = device.clone().autodiff();
    let generator = Trainable::new(Generator::new(config, info, &on, rng), adam(0.999));
    (generator, Trainable::new(Discriminator::new(config, info, &on, rng), adam(0.0)))
}

/// What both networks are built from: sizes by halving, channels by level.
#[derive(Clone, Copy, Debug)]
struct Pyramid {
    shape: ImageShape,
    width: usize,
    halvings: usize,
}

impl Pyramid {
    fn new(config: &Config, shape: ImageShape) -> Self {
        let longest = shape.height.max(shape.width);
        let halvings = (2..8).find(|&h| padded(longest, h) >> h <= MAX_BOTTOM_SIDE).unwrap_or(8);
        Self { shape, width: config.width, halvings }
    }

    /// Channels after `level ≥ 1` halvings.
    fn channels(&self, level: usize) -> usize {
        self.width << (level - 1).min(2)
    }

    /// Channels, height, width of the smallest map.
    fn bottom(&self) -> (usize, usize, usize) {
        let small = |size: usize| padded(size, self.halvings) >> self.halvings;
        (self.channels(self.halvings), small(self.shape.height), small(self.shape.width))
    }
}

/// `z [n, latent]` and classes → `[n, c, h, w]`, about in [−1, 1]. Nothing bounds the output: a hyperbolic tangent
/// saturates where most pixels are black, and the gradient with it.
#[derive(Module, Debug)]
struct Generator {
    label: Option<Embedding>,
    start: Linear,
    stages: Vec<GrowStage>,
    /// To four times the channels at half the size, shuffled to the full size.
    unfold: Conv2d,
    out: Conv2d,
    #[module(skip)]
    bottom: (usize, usize, usize),
    #[module(skip)]
    size: (usize, usize),
}

/// Residual blocks at one size, then a change of channels before the next size.
#[derive(Module, Debug)]
struct GrowStage {
    blocks: Vec<PlainBlock>,
    change: Option<Conv2d>,
}

impl Generator {
    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let pyramid = Pyramid::new(config, info.shape);
        let (c, h, w) = pyramid.bottom();
        let d_label = if info.classes > 0 { D_LABEL } else { 0 };
        let stages = (1..=pyramid.halvings)
            .rev()
            .map(|level| {
                let (from, to) = (pyramid.channels(level), pyramid.channels(level.max(2) - 1));
                GrowStage {
                    blocks: (0..config.blocks).map(|_| PlainBlock::new(from, device, rng)).collect(),
                    change: (from != to).then(|| Conv2d::new(from, to, 1, 1.0, device, rng)),
                }
            })
            .collect();
        let fine = (config.width / 2).max(8);
        Self {
            label: (info.classes > 0).then(|| Embedding::new(info.classes + 1, D_LABEL, 1.0, device, rng)),
            start: Linear::new(config.latent + d_label, c * h * w, 1.0, device, rng),
            stages,
            unfold: Conv2d::new(config.width, 4 * fine, 3, 1.0, device, rng),
            out: Conv2d::new(fine, info.shape.channels, 3, 0.5, device, rng),
            bottom: (c, h, w),
            size: (info.shape.height, info.shape.width),
        }
    }

    fn forward(&self, z: Tensor<2>, classes: &[u32]) -> Tensor<4> {
        let n = z.dims()[0];
        let z = match &self.label {
            Some(label) => {
                let device = z.device();
                Tensor::cat(vec![z, label.forward(indices(classes, &device))], 1)
            }
            None => z,
        };
        let (c, h, w) = self.bottom;
        let mut x = self.start.forward(z).reshape([n, c, h, w]);
        for (i, stage) in self.stages.iter().enumerate() {
            for block in &stage.blocks {
                x = block.forward(x, &mut Pass::Plain);
            }
            // The last stage is at half the size: `unfold` makes the last doubling.
            if i + 1 < self.stages.len() {
                if let Some(change) = &stage.change {
                    x = change.forward(x);
                }
                x = kernels::upsample2(x);
            }
        }
        let x = act(kernels::pixel_shuffle2(self.unfold.forward(act(x))));
        crop_to(self.out.forward(x), self.size.0, self.size.1)
    }
}

/// `[n, c, h, w]` and classes → `[n]`, unbounded; larger is more real.
#[derive(Module, Debug)]
struct Discriminator {
    stem: Conv2d,
    stages: Vec<ShrinkStage>,
    last: Linear,
    score: Linear,
    /// Projection of the class onto the features (Miyato & Koyama, arXiv:1802.05637).
    label: Option<Embedding>,
    #[module(skip)]
    padded: (usize, usize),
}

/// Residual blocks at one size, then a change of channels before the next halving.
#[derive(Module, Debug)]
struct ShrinkStage {
    blocks: Vec<PlainBlock>,
    change: Option<Conv2d>,
}

impl Discriminator {
    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let pyramid = Pyramid::new(config, info.shape);
        let (c, h, w) = pyramid.bottom();
        let stages = (1..=pyramid.halvings)
            .map(|level| {
                let (from, to) =
                    (pyramid.channels(level), pyramid.channels((level + 1).min(pyramid.halvings)));
                ShrinkStage {
                    blocks: (0..config.blocks).map(|_| PlainBlock::new(from, device, rng)).collect(),
                    change: (from != to).then(|| Conv2d::new(from, to, 1, 1.0, device, rng)),
                }
            })
            .collect();
        let features = c;
        Self {
            stem: Conv2d::halving(info.shape.channels, config.width, 1.0, device, rng),
            stages,
            last: Linear::new(c * h * w, features, 1.0, device, rng),
            score: Linear::new(features, 1, 1.0, device, rng),
            label: (info.classes > 0).then(|| Embedding::new(info.classes + 1, features, 0.1, device, rng)),
            padded: (padded(info.shape.height, pyramid.halvings), padded(info.shape.width, pyramid.halvings)),
        }
    }

    fn forward(&self, x: Tensor<4>, classes: &[u32]) -> Tensor<1> {
        self.pass(x, classes, &mut Pass::Plain)
    }

    fn pass(&self, x: Tensor<4>, classes: &[u32], pass: &mut Pass) -> Tensor<1> {
        let [n, ..] = x.dims();
        let mut h = pass.conv(&self.stem, pad_to(x, self.padded.0, self.padded.1));
        for (i, stage) in self.stages.iter().enumerate() {
            for block in &stage.blocks {
                h = block.forward(h, pass);
            }
            if i + 1 < self.stages.len() {
                h = kernels::downsample2(h);
                if let Some(change) = &stage.change {
                    h = pass.conv(change, h);
                }
            }
        }
        let h = pass.act(h).flatten(1, 3);
        let features = pass.linear(&self.last, h);
        let features = pass.act(features); // [n, features]
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
        common::test_support::check_save_load,
        image::test_support::{tiny_batch, tiny_info},
    };
    use mintage_nn::{optim::all_finite, weights::to_vec};

    fn tiny() -> Gan {
        let info = tiny_info();
        of(Config { width: 8, ..Config::preset(Size::Tiny, &info) })
    }

    fn of(config: Config) -> Gan {
        Gan::new(&config, &tiny_info(), &Device::flex(), &mut Rng::new(1, 0))
    }

    /// A step in the middle of a training.
    fn step_at(model: &mut Gan, lr: f64, i: u64) -> Result<Metrics, NotFinite> {
        model.config.lr = lr;
        model.step(&tiny_batch(), 0.5, &mut Rng::new(4, i))
    }

    #[test]
    fn penalty_has_the_gradient_of_differences() {
        let (device, mut rng) = (Device::flex(), Rng::new(5, 0));
        let on = device.clone().autodiff();
        let info = tiny_info();
        let config = Config { width: 8, ..Config::preset(Size::Tiny, &info) };
        let mut net = Discriminator::new(&config, &info, &on, &mut rng);
        // Residual branches start silent; here they must speak.
        for block in net.stages.iter_mut().flat_map(|stage| &mut stage.blocks) {
            let noise = rng.normal_tensor(block.conv2.weight.dims(), &on) * 0.1;
            block.conv2.weight = Param::from_tensor(noise);
        }
        let (shape, classes) = (info.shape, [0, 1, 2, 3]);
        let x = rng.normal_tensor([4, shape.channels, shape.height, shape.width], &on) * 0.5;
        let grads = gradient_penalty(&net, x.clone(), |net, x, pass| net.pass(x, &classes, pass)).backward();
        let gradient = net.stem.weight.val().grad(&grads).unwrap();

        let length = f64::from(to_vec(&gradient.clone().powi_scalar(2).sum())[0]).sqrt();
        let penalty_at = |by: f64| {
            let mut net = net.clone();
            let by = gradient.clone() * (by / length);
            net.stem.weight = net.stem.weight.map(|w| Tensor::from_inner(w.inner() + by.clone()));
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
    fn learns_the_brightness_of_one_batch() {
        let mut model = tiny();
        let mean = |model: &Gan| {
            let pixels =
                model.sample(&ImageSampleParams::new(8, &[0, 1, 2, 0, 1, 2, 0, 1]), &mut Rng::new(1, 1));
            pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / pixels.len() as f64
        };
        let real =
            tiny_batch().pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / tiny_batch().pixels.len() as f64;
        let before = (mean(&model) - real).abs();
        for i in 0..60 {
            model.step(&tiny_batch(), f64::from(i) / 60.0, &mut Rng::new(2, i as u64)).unwrap();
        }
        let after = (mean(&model) - real).abs();
        assert!(after < before.max(10.0), "{before} {after}");
    }

    #[test]
    fn save_load_is_bit_exact() {
        let mut a = tiny();
        a.step(&tiny_batch(), 0.5, &mut Rng::new(2, 0)).unwrap();
        let mut b = tiny();
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        let draw = ImageSampleParams::new(3, &[0, 1, 2]);
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        for i in 0..4 {
            let step = |m: &mut Gan| m.step(&tiny_batch(), 0.6, &mut Rng::new(4, i)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn the_watch_changes_no_bit_of_a_healthy_training() {
        let trained = |recoveries: usize| {
            let mut model = of(Config { recoveries, ..tiny().config });
            let lr = model.config.lr;
            let metrics: Vec<Metrics> = (0..70).map(|i| step_at(&mut model, lr, i).unwrap()).collect();
            (metrics, model.sample(&ImageSampleParams::new(3, &[0, 1, 2]), &mut Rng::new(3, 0)))
        };
        assert_eq!(trained(0), trained(3));
    }

    #[test]
    fn comes_back_from_a_divergence_resumed_or_not() {
        let (mut a, mut b) = (tiny(), tiny());
        let lr = a.config.lr;
        for i in 0..70 {
            step_at(&mut a, lr, i).unwrap();
        }
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        let come_back = |model: &mut Gan| {
            model.config.penalty = 0.0;
            let note = (70..200).find_map(|i| {
                let _ = step_at(model, 1e20, i);
                model.notes().pop()
            });
            let metrics: Vec<Metrics> = (200..203).map(|i| step_at(model, lr, i).unwrap()).collect();
            let pixels = model.sample(&ImageSampleParams::new(3, &[0, 1, 2]), &mut Rng::new(3, 0));
            assert!(all_finite(model.generator.net()) && pixels.iter().any(|&p| p != pixels[0]));
            (note, metrics, pixels)
        };
        let came_back = come_back(&mut a);
        let note = came_back.0.clone().unwrap_or_default();
        assert!(note.contains("half the learning rate"), "{note}");
        assert_eq!(came_back, come_back(&mut b));
    }

    #[test]
    fn options_of_earlier_runs_mean_what_they_did() {
        let mut old = toml::Table::try_from(tiny().config).unwrap();
        for key in ["penalty_end", "beta2_start", "recoveries"] {
            old.remove(key).unwrap();
        }
        let config: Config = old.try_into().unwrap();
        let model = of(config.clone());
        assert_eq!(config.recoveries, 0);
        for progress in [0.0, 0.3, 1.0] {
            let found = (model.penalties(progress).gamma, model.beta2(progress));
            assert_eq!(found, (config.penalty, 0.99), "{progress}");
        }
    }
}
