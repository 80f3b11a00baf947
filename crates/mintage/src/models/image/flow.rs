//! Flow matching (Lipman et al., arXiv:2210.02747; rectified flow, Liu et al., arXiv:2209.03003).
//!
//! A point travels from noise `x_0 ~ N(0, I)` to an image `x_1` on a straight line,
//! `x_t = (1 − t) x_0 + t x_1`. A small U-Net learns the velocity of the line given only where the point
//! is: `L = E ‖v(x_t, t, y) − (x_1 − x_0)‖²`. Sampling integrates `dx/dt = v` from noise to image with the
//! two-step rule of Adams and Bashforth; classifier-free guidance mixes the velocities with and without the label.
//!
//! Guidance is of two kinds. Autoguidance leads away from an early version of the network (`common/early.rs`), and stands
//! inside: what classifier-free guidance mixes are autoguided velocities, with the label and without it.
//!
//! The U-Net sees the image folded into 2×2 patches, so that its first level works on a quarter of the
//! positions.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::ImageBatch;
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable, kernels,
    layers::{Conv2d, Embedding, GroupNorm, Linear, ResBlock, SelfAttention2d, sinusoidal},
};
use serde::{Deserialize, Serialize};

use super::Image;
use super::{batch_classes, in_batches, initial_noise, to_model, to_pixels};
use crate::models::Conditioning;
use crate::models::common::classes::{class_input, indices};
use crate::models::common::early::{WithEarly, autoguided, no_autoguidance};
use crate::models::common::flow_matching::{
    equal_steps, guided, integrate, multistep, negative_log_density, sample_timestep,
};
use crate::models::common::padding::{crop_to, pad_to, padded};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{
    events::Metrics,
    models::{
        Size,
        image::{ImageInfo, ImageSampleParams},
    },
};

/// Options of a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels at half the image's size; twice as many below.
    pub width: usize,
    /// Residual blocks a level, on the way down and again on the way up.
    pub blocks: usize,
    /// Steps of sampling; each evaluates the network once.
    pub steps: usize,
    /// Default guidance weight of sampling with labels; 1 is none.
    pub guidance: f64,
    /// Default weight of guidance by the network's own weights after a tenth of its training (autoguidance,
    /// Karras et al., arXiv:2406.02507), which doubles the time of sampling; 1 is none.
    #[serde(default = "no_autoguidance")]
    pub autoguidance: f64,
    /// Images per step.
    pub batch: usize,
    /// Peak learning rate of AdamW.
    pub lr: f64,
    /// Decoupled weight decay of AdamW, on tensors of rank 2 and more (Loshchilov & Hutter,
    /// arXiv:1711.05101).
    pub weight_decay: f64,
    /// Probability that a label is hidden in training, so that images without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
}

impl FamilyConfig<Image> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &ImageInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (24, 1),
            Size::Small => (48, 1),
            Size::Base => (96, 2),
            Size::Large => (160, 2),
        };
        Self {
            width,
            blocks,
            steps: 10,
            guidance: 1.0,
            // Twice the time of drawing, well spent (docs/experiments.md).
            autoguidance: 1.25,
            batch: 16,
            lr: 1e-3,
            weight_decay: 0.01,
            label_drop: 0.1,
        }
    }

    fn activations(&self, info: &ImageInfo) -> u64 {
        memory::of_image(info, self.width, self.blocks)
    }
}

/// Steps of the midpoint rule from an image back to noise, for its likelihood.
const NLL_STEPS: usize = 12;
/// Images whose likelihood is taken at a time, which bounds memory.
const NLL_BATCH: usize = 16;
/// Levels of a byte to a number of `image_model`.
const LEVELS: f64 = 127.5;

/// A flow with its optimiser.
#[derive(Debug)]
pub struct Flow {
    config: Config,
    info: ImageInfo,
    device: Device,
    train: WithEarly<UNet>,
}

impl GenerativeModel<Image> for Flow {
    type Config = Config;

    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let net = UNet::new(config, info, &device.clone().autodiff(), rng);
        let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
        Self {
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            train: WithEarly::new(Trainable::new(net, adam)),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// One step on the flow-matching loss (mean squared error of the velocity).
    fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let device = self.device.clone().autodiff();
        let classes =
            class_input(&batch.labels, batch.n, self.info.classes, self.config.label_drop as f32, rng);
        let loss = self.loss(self.train.net(), batch, &classes, &device, rng);
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.train.update(loss, lr, progress)?;
        Ok(Metrics::new([("loss", loss), ("grad_norm", norm)]))
    }

    /// The same loss on held-out items with the averaged weights.
    fn validate(&self, batch: &ImageBatch, _progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let classes = batch_classes(batch, self.info.classes);
        let loss = self.loss(&self.train.averaged(), batch, &classes, &self.device, rng);
        Some(Metrics::new([("loss", f64::from(loss.into_scalar::<f32>()))]))
    }

    /// From noise to image with one evaluation a step, twice as many with each kind of guidance. The noise of a given image is
    /// found by going back; there and back by Heun's rule, which takes two evaluations and strays less.
    fn sample(&self, draw: &ImageSampleParams, rng: &mut Rng) -> Vec<u8> {
        let net = self.train.averaged();
        let shape = self.info.shape;
        let guidance = match self.info.classes {
            0 => 1.0,
            _ => f64::from(draw.guidance.unwrap_or(self.config.guidance as f32)),
        };
        // Guidance bends the way, so that it would lead away from an image that is given.
        let unasked = if draw.conditioning.is_noise() { self.config.autoguidance } else { 1.0 };
        let early = self.train.early(draw.autoguidance.map_or(unasked, f64::from));
        let steps = self.config.steps.max(1);
        let dt = 1.0 / steps as f32;
        let forth = equal_steps(0.0, dt, steps);
        in_batches(draw, self.info.classes, |part| {
            let velocity = |x: Tensor<4>, t: f32| self.velocity(&net, early, x, t, part.labels, guidance);
            let noise_of = |image: &[u8]| {
                // Guidance bends the way: what was never bent is not bent back.
                let plain = |x: Tensor<4>, t: f32| self.velocity(&net, None, x, t, &part.labels[..1], 1.0);
                let back = equal_steps(1.0, -dt, steps);
                let x_0 = integrate(to_model(image, shape, &self.device), &back, plain);
                x_0.flatten::<2>(1, 3)
            };
            let x_0 = initial_noise(part, shape.pixels(), noise_of, &self.device, rng);
            let x_0 = x_0.reshape([part.n, shape.channels, shape.height, shape.width]);
            to_pixels(&match draw.conditioning.is_noise() {
                true => multistep(x_0, &forth, velocity),
                false => integrate(x_0, &forth, velocity),
            })
        })
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Continue { .. })
    }

    fn has_early(&self) -> bool {
        self.train.has_early()
    }

    /// `−log p(x)` by the way back to noise, nats an item: of pixels spread evenly over their levels, which on average bounds
    /// that of the levels (Theis et al., arXiv:1511.01844), and of the plain model without guidance. It is an estimate, no
    /// bound: one divergence is taken at each of a dozen steps, whatever `samples` says. An item takes the time of drawing
    /// two or three.
    fn nll(&self, batch: &ImageBatch, _samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        // Where gradients are, but with none of its own: the divergence is a derivative by the image.
        let net = self.train.averaged().no_grad().train();
        let classes = batch_classes(batch, self.info.classes);
        let size = self.info.shape.pixels().max(1);
        let mut nats = Vec::with_capacity(batch.n);
        for (images, classes) in batch.pixels.chunks(NLL_BATCH * size).zip(classes.chunks(NLL_BATCH)) {
            let velocity = |x: Tensor<4>, t: f32| net.forward(x, &vec![t; classes.len()], classes);
            let x_1 = self.dequantised(images, rng);
            nats.extend(negative_log_density(x_1, NLL_STEPS, velocity, rng));
        }
        Some(nats.iter().map(|nats| nats + size as f64 * LEVELS.ln()).collect())
    }

    fn nll_is_slow(&self) -> bool {
        true
    }

    parts!("unet" = train);
}

impl Flow {
    fn loss(
        &self,
        net: &UNet,
        batch: &ImageBatch,
        classes: &[u32],
        device: &Device,
        rng: &mut Rng,
    ) -> Tensor<1> {
        let x_1 = to_model(&batch.pixels, self.info.shape, device); // [n, c, h, w]
        let x_0 = rng.normal_tensor(x_1.dims(), device);
        let t: Vec<f32> = (0..batch.n).map(|i| sample_timestep(i, rng)).collect();
        let share: Tensor<4> = Tensor::<1>::from_floats(&t[..], device).reshape([batch.n, 1, 1, 1]);
        let x_t = x_0.clone() + (x_1.clone() - x_0.clone()) * share;
        let v = net.forward(x_t, &t, classes);
        kernels::mean_squared_error(v, x_1 - x_0)
    }

    /// `pixels_u8` → `image_model` `[n, c, h, w]`, each number drawn evenly from what its level stands for.
    fn dequantised(&self, images: &[u8], rng: &mut Rng) -> Tensor<4> {
        let x = to_model(images, self.info.shape, &self.device);
        let within = rng.uniform_tensor(x.dims(), &self.device) - 0.5;
        x + within / LEVELS
    }

    /// The velocity at one time for one class an item, with guidance by an early network and by the classes.
    fn velocity(
        &self,
        net: &UNet,
        early: Option<(&UNet, f64)>,
        x: Tensor<4>,
        t: f32,
        labels: &[u32],
        guidance: f64,
    ) -> Tensor<4> {
        let times = vec![t; labels.len()];
        guided(guidance, labels, self.info.classes as u32, |labels| {
            autoguided(net, early, |net| net.forward(x.clone(), &times, labels))
        })
    }
}

/// Longest side of the map at which attention joins in.
const MAX_ATTENTION_SIDE: usize = 8;

/// `v(x_t, t, y)`.
#[derive(Module, Debug)]
struct UNet {
    time1: Linear,
    time2: Linear,
    label: Option<Embedding>,
    stem: Conv2d,
    down: Vec<DownLevel>,
    middle: ResBlock,
    up: Vec<UpLevel>,
    norm: GroupNorm,
    out: Conv2d,
    #[module(skip)]
    size: (usize, usize, usize),
}

#[derive(Module, Debug)]
struct DownLevel {
    blocks: Vec<ResBlock>,
    attention: Option<SelfAttention2d>,
    shrink: Option<Conv2d>,
}

#[derive(Module, Debug)]
struct UpLevel {
    blocks: Vec<ResBlock>,
    attention: Option<SelfAttention2d>,
    grow: Option<Conv2d>,
}

impl UNet {
    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let longest = info.shape.height.max(info.shape.width);
        // Patches first, then halvings down to the side where attention is cheap.
        let halvings = (1..8).find(|&h| padded(longest, h) >> h <= MAX_ATTENTION_SIDE).unwrap_or(8).max(2);
        let d_cond = 4 * config.width;
        let channels = |level: usize| if level == 0 { config.width } else { 2 * config.width };
        let attends = |level: usize| level + 1 == halvings;
        let gain = std::f32::consts::SQRT_2;
        let patch = 4 * info.shape.channels;
        let down = (0..halvings)
            .map(|level| {
                let c = channels(level);
                let last = level + 1 == halvings;
                DownLevel {
                    blocks: (0..config.blocks).map(|_| ResBlock::new(c, c, d_cond, device, rng)).collect(),
                    attention: attends(level).then(|| SelfAttention2d::new(c, device, rng)),
                    shrink: (!last).then(|| Conv2d::halving(c, channels(level + 1), 1.0, device, rng)),
                }
            })
            .collect();
        let up = (0..halvings)
            .rev()
            .map(|level| {
                let c = channels(level);
                let block = |_, rng: &mut Rng| ResBlock::new(2 * c, c, d_cond, device, rng);
                UpLevel {
                    blocks: (0..config.blocks).map(|i| block(i, rng)).collect(),
                    attention: attends(level).then(|| SelfAttention2d::new(c, device, rng)),
                    grow: (level > 0).then(|| Conv2d::new(c, channels(level - 1), 3, 1.0, device, rng)),
                }
            })
            .collect();
        let bottom = channels(halvings - 1);
        Self {
            time1: Linear::new(config.width, d_cond, gain, device, rng),
            time2: Linear::new(d_cond, d_cond, 1.0, device, rng),
            label: (info.classes > 0).then(|| Embedding::new(info.classes + 1, d_cond, 1.0, device, rng)),
            stem: Conv2d::new(patch, config.width, 3, 1.0, device, rng),
            down,
            middle: ResBlock::new(bottom, bottom, d_cond, device, rng),
            up,
            norm: GroupNorm::new(config.width, device),
            out: Conv2d::new(config.width, patch, 3, 0.0, device, rng),
            size: (info.shape.height, info.shape.width, halvings),
        }
    }

    /// `x [n, c, h, w]`, one time in [0, 1] and one class an item → the velocity, `[n, c, h, w]`.
    fn forward(&self, x: Tensor<4>, t: &[f32], classes: &[u32]) -> Tensor<4> {
        let device = x.device();
        let (height, width, halvings) = self.size;
        let features = sinusoidal(t, self.time1.weight.dims()[0], 1000.0, &device);
        let mut cond = self.time2.forward(kernels::silu(self.time1.forward(features)));
        if let Some(label) = &self.label {
            cond = cond + label.forward(indices(classes, &device));
        }
        let cond = kernels::silu(cond); // [n, d_cond]
        let x = pad_to(x, padded(height, halvings), padded(width, halvings));
        let mut h = self.stem.forward(kernels::pixel_unshuffle2(x));
        let mut skips = Vec::new();
        for level in &self.down {
            for block in &level.blocks {
                h = block.forward(h, Some(&cond));
                if let Some(attention) = &level.attention {
                    h = attention.forward(h);
                }
                skips.push(h.clone());
            }
            if let Some(shrink) = &level.shrink {
                h = shrink.forward(h);
            }
        }
        h = self.middle.forward(h, Some(&cond));
        for level in &self.up {
            for block in &level.blocks {
                if let Some(skip) = skips.pop() {
                    h = Tensor::cat(vec![h, skip], 1);
                }
                h = block.forward(h, Some(&cond));
                if let Some(attention) = &level.attention {
                    h = attention.forward(h);
                }
            }
            if let Some(grow) = &level.grow {
                h = kernels::upsample2(grow.forward(h));
            }
        }
        let patches = self.out.forward(self.norm.forward_silu(h));
        crop_to(kernels::pixel_shuffle2(patches), height, width)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_nn::{TensorMap, weights::to_vec};

    use crate::models::Conditioning;
    use crate::models::{
        common::test_support::{check_overfits, check_save_load},
        image::test_support::{tiny_batch, tiny_info},
    };

    fn tiny() -> Flow {
        let info = tiny_info();
        let config = Config { width: 16, ..Config::preset(Size::Tiny, &info) };
        Flow::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0))
    }

    #[test]
    fn overfits_one_batch() {
        let mut model = tiny();
        check_overfits(120, |p, rng| model.step(&tiny_batch(), p, rng).unwrap());
    }

    #[test]
    fn the_way_back_leads_to_where_it_came_from() {
        let mut model = tiny();
        for i in 0..40 {
            model.step(&tiny_batch(), 0.5, &mut Rng::new(2, i)).unwrap();
        }
        model.config.steps = 40;
        let image = tiny_batch().pixels[..144].to_vec();
        let start = Conditioning::Vary { item: image.clone(), strength: 0.0 };
        let back = model.sample(
            &ImageSampleParams { conditioning: &start, ..ImageSampleParams::new(1, &[]) },
            &mut Rng::new(3, 0),
        );
        let far = image.iter().zip(&back).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 144.0;
        assert!(far < 10.0, "{far}");
    }

    #[test]
    fn save_load_is_bit_exact() {
        let mut a = tiny();
        a.step(&tiny_batch(), 0.5, &mut Rng::new(2, 0)).unwrap();
        let mut b = tiny();
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        let mut draw = ImageSampleParams::new(3, &[0, 1, 2]);
        draw.guidance = Some(2.0);
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        let step = |m: &mut Flow| m.step(&tiny_batch(), 0.6, &mut Rng::new(4, 0)).unwrap();
        assert_eq!(step(&mut a), step(&mut b));
    }

    #[test]
    fn a_fresh_flow_has_the_likelihood_of_a_standard_normal() {
        let (mut model, batch) = (tiny(), tiny_batch());
        let nll = |model: &Flow| model.nll(&batch, 1, &mut Rng::new(5, 0)).unwrap();
        let fresh = nll(&model);
        let x = to_vec(&model.dequantised(&batch.pixels, &mut Rng::new(5, 0)));
        assert_eq!(fresh.len(), batch.n);
        for (x, found) in x.chunks(144).zip(&fresh) {
            let squares = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
            let wanted = 0.5 * squares + 144.0 * (0.5 * std::f64::consts::TAU.ln() + 127.5f64.ln());
            assert!((found - wanted).abs() < 1e-9 * wanted, "{found} {wanted}");
        }
        // What it has learned becomes likelier.
        for i in 0..80 {
            model.step(&batch, 0.5, &mut Rng::new(2, i)).unwrap();
        }
        let mean = |nll: &[f64]| nll.iter().sum::<f64>() / nll.len() as f64;
        let learned = nll(&model);
        assert!(mean(&learned) < mean(&fresh), "{learned:?} {fresh:?}");
    }

    #[test]
    fn an_early_version_guides_where_it_is_asked_to() {
        let mut model = tiny();
        model.config.autoguidance = 1.0;
        for (i, progress) in [0.0, 0.1, 0.5, 0.6].into_iter().enumerate() {
            assert_eq!(model.has_early(), i > 1);
            model.step(&tiny_batch(), progress, &mut Rng::new(2, i as u64)).unwrap();
        }
        let drawn = |model: &Flow, autoguidance: Option<f32>, guidance: f32| {
            let draw = ImageSampleParams {
                autoguidance,
                guidance: Some(guidance),
                ..ImageSampleParams::new(3, &[0, 1, 2])
            };
            model.sample(&draw, &mut Rng::new(3, 0))
        };
        // What a version wrote that kept no early weights: the same images, and none to be guided by.
        let mut map = TensorMap::default();
        model.save_weights(&mut map);
        map.tensors.retain(|name, _| !name.starts_with("early."));
        let mut old = tiny();
        old.config.autoguidance = 1.0;
        old.load_weights(&map).unwrap();
        assert!(!old.has_early());
        for guidance in [1.0, 2.0] {
            let plain = drawn(&model, None, guidance);
            assert_eq!(plain, drawn(&model, Some(1.0), guidance));
            assert_eq!(plain, drawn(&old, Some(3.0), guidance));
            assert_ne!(plain, drawn(&model, Some(3.0), guidance));
        }
        // The option is what is taken where nothing is asked for.
        let asked = drawn(&model, Some(3.0), 1.0);
        model.config.autoguidance = 3.0;
        assert_eq!(drawn(&model, None, 1.0), asked);
        let mut read = tiny();
        check_save_load(|map| model.save_weights(map), |map| read.load_weights(map).unwrap());
        assert_eq!(drawn(&read, Some(3.0), 1.0), asked);
    }
}
