//! The convolutional network behind every judgement: feature space, detector, utility classifier.
//!
//! One small architecture, trained three ways: on class labels, on telling real from generated, and,
//! where there are no labels, on recognising two distorted views of one image (Chen et al.,
//! arXiv:2002.05709). It never sees the generator.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::{ImageShape, Images};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, WeightsError, cancel, kernels,
    layers::{Conv2d, GroupNorm, Linear},
    weights::to_vec,
};
use rayon::prelude::*;

use super::distance::Features;
use crate::models::{
    common::{
        classes::indices,
        padding::{pad_to, padded},
    },
    image::to_model,
};

/// Images a step, and images at a time when nothing is learned.
const BATCH: usize = 64;
/// Channels of the last map, which are the features.
pub(super) const FEATURES: usize = 128;
/// Side in pixels at or below which a map is not halved further.
const MIN_MAP_SIDE: usize = 4;
/// Temperature of the contrast between views.
const TEMPERATURE: f64 = 0.2;

/// How long and how a network is trained.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// Number of training steps of 64 images.
    pub steps: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Largest shift of a training image, as a share of its side.
    pub shift: f32,
    /// Seed of the initial weights, of the order of the images and of their distortions.
    pub seed: u64,
}

#[derive(Module, Debug)]
struct Net {
    stages: Vec<Stage>,
    head: Linear,
    #[module(skip)]
    padded: (usize, usize),
}

/// Halves the map, then one more convolution beside a shortcut.
#[derive(Module, Debug)]
struct Stage {
    down: Conv2d,
    norm1: GroupNorm,
    conv: Conv2d,
    norm2: GroupNorm,
}

impl Net {
    fn new(shape: ImageShape, outputs: usize, device: &Device, rng: &mut Rng) -> Self {
        let longest = shape.height.max(shape.width);
        let halvings = (1..9).find(|&h| padded(longest, h) >> h <= MIN_MAP_SIDE).unwrap_or(9);
        let channels = |stage: usize| (FEATURES >> (halvings - stage)).clamp(32, FEATURES);
        let gain = std::f32::consts::SQRT_2;
        let stage = |i: usize, rng: &mut Rng| {
            let (c_in, c) = (if i == 1 { shape.channels } else { channels(i - 1) }, channels(i));
            Stage {
                down: Conv2d::halving(c_in, c, gain, device, rng),
                norm1: GroupNorm::new(c, device),
                // At full resolution a second convolution costs more than it brings.
                conv: Conv2d::new(c, c, if i == 1 { 1 } else { 3 }, gain, device, rng),
                norm2: GroupNorm::new(c, device),
            }
        };
        Self {
            stages: (1..=halvings).map(|i| stage(i, rng)).collect(),
            head: Linear::new(FEATURES, outputs, 1.0, device, rng),
            padded: (padded(shape.height, halvings), padded(shape.width, halvings)),
        }
    }

    /// `[n, c, h, w]` in [−1, 1] → `[n, FEATURES]`.
    fn features(&self, x: Tensor<4>) -> Tensor<2> {
        let mut h = pad_to(x, self.padded.0, self.padded.1);
        for stage in &self.stages {
            h = stage.norm1.forward_silu(stage.down.forward(h));
            h = h.clone() + stage.norm2.forward_silu(stage.conv.forward(h));
        }
        let [n, c, _, _] = h.dims();
        h.reshape([n as i32, c as i32, -1]).mean_dim(2).reshape([n, c])
    }
}

/// A trained convolutional network.
#[derive(Debug)]
pub struct ConvNet {
    shape: ImageShape,
    device: Device,
    net: Net,
}

impl ConvNet {
    /// Trains a classifier of images; those of no class (`labels[i] >= classes`) are left out.
    pub fn classifier(
        images: &Images,
        labels: &[u32],
        classes: usize,
        training: Training,
        device: &Device,
        on: &mut dyn FnMut(usize, usize),
    ) -> Self {
        let known: Vec<usize> = (0..images.len()).filter(|&i| (labels[i] as usize) < classes).collect();
        let loss = |net: &Net, picked: &[usize], device: &Device, rng: &mut Rng| {
            let picked: Vec<usize> = picked.iter().map(|&i| known[i]).collect();
            let x = to_model(&shifted(images, &picked, training.shift, rng), images.shape, device);
            let targets: Vec<u32> = picked.iter().map(|&i| labels[i]).collect();
            kernels::cross_entropy(net.head.forward(net.features(x)), indices(&targets, device)).mean()
        };
        Self::train(images.shape, known.len(), classes, training, device, on, loss)
    }

    /// Trains features without labels, by contrast (Chen et al., arXiv:2002.05709).
    ///
    /// Two distorted views of an image are drawn near to each other and away from those of other images.
    pub fn contrast(
        images: &Images,
        training: Training,
        device: &Device,
        on: &mut dyn FnMut(usize, usize),
    ) -> Self {
        let loss = |net: &Net, picked: &[usize], device: &Device, rng: &mut Rng| {
            let embed = |rng: &mut Rng| {
                let pixels = distorted(images, picked, training.shift, rng);
                let z = net.head.forward(net.features(to_model(&pixels, images.shape, device)));
                z.clone() / (z.powi_scalar(2).sum_dim(1) + 1e-8).sqrt()
            };
            let (a, b) = (embed(rng), embed(rng));
            let logits = a.matmul(b.transpose()) * (1.0 / TEMPERATURE);
            let own: Vec<u32> = (0..picked.len() as u32).collect();
            kernels::cross_entropy(logits, indices(&own, device)).mean()
        };
        Self::train(images.shape, images.len(), FEATURES, training, device, on, loss)
    }

    fn train(
        shape: ImageShape,
        n: usize,
        outputs: usize,
        training: Training,
        device: &Device,
        on: &mut dyn FnMut(usize, usize),
        loss: impl Fn(&Net, &[usize], &Device, &mut Rng) -> Tensor<1>,
    ) -> Self {
        let with_gradients = device.clone().autodiff();
        let net = Net::new(shape, outputs, &with_gradients, &mut Rng::new(training.seed, u64::MAX));
        let mut train = Trainable::new(net, AdamW { weight_decay: 0.02, ema: 0.99, ..AdamW::default() });
        let schedule = Schedule { warmup: 0.05, floor: 0.0 };
        let mut epoch = (usize::MAX, Vec::new());
        let batch = BATCH.min(n);
        for step in 0..if n == 0 { 0 } else { training.steps } {
            // Whoever set the flag throws the network away.
            if cancel::wanted() {
                break;
            }
            let picked: Vec<usize> = (step * batch..(step + 1) * batch)
                .map(|position| {
                    if epoch.0 != position / n {
                        epoch = (position / n, Rng::new(training.seed, (position / n) as u64).permutation(n));
                    }
                    epoch.1[position % n]
                })
                .collect();
            let mut rng = Rng::new(training.seed ^ 0x5eed, step as u64);
            let value = loss(train.net(), &picked, &with_gradients, &mut rng);
            let lr = training.lr * schedule.factor(step as f64 / training.steps as f64);
            // A step without a finite gradient changes nothing, and the next one has other images.
            let _: Result<(f64, f64), NotFinite> = train.update(value, lr);
            if step % 20 == 0 {
                on(step, training.steps);
            }
        }
        on(training.steps, training.steps);
        Self { shape, device: device.clone(), net: train.averaged() }
    }

    /// Features of each image, `[n, FEATURES]`.
    pub fn features(&self, images: &Images) -> Features {
        Features::new(FEATURES, self.each(images, |net, x| net.features(x)))
    }

    /// Logits of each image, `n × outputs`.
    pub fn logits(&self, images: &Images) -> Vec<f32> {
        self.each(images, |net, x| net.head.forward(net.features(x)))
    }

    /// The most probable class of each image.
    pub fn classes(&self, images: &Images) -> Vec<u32> {
        let logits = self.logits(images);
        let outputs = logits.len() / images.len().max(1);
        let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        logits.chunks(outputs.max(1)).map(|row| best(row) as u32).collect()
    }

    fn each(&self, images: &Images, f: impl Fn(&Net, Tensor<4>) -> Tensor<2>) -> Vec<f32> {
        let size = self.shape.pixels() * BATCH;
        let run = |pixels: &[u8]| to_vec(&f(&self.net, to_model(pixels, self.shape, &self.device)));
        images.pixels.chunks(size.max(1)).flat_map(run).collect()
    }

    /// Adds the weights to `map`, below the name `judge`.
    pub(super) fn save(&self, map: &mut TensorMap) {
        map.insert_module("judge", &self.net);
    }

    /// Reads weights back; `outputs` as in training.
    pub(super) fn load(
        map: &TensorMap,
        shape: ImageShape,
        outputs: usize,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let fresh = Net::new(shape, outputs, device, &mut Rng::new(0, 0));
        Ok(Self { shape, device: device.clone(), net: map.load_module("judge", fresh)? })
    }
}

/// Probability of the second of two classes from their logits.
pub(super) fn second_of_two(logits: &[f32]) -> Vec<f64> {
    logits.chunks_exact(2).map(|pair| 1.0 / (1.0 + f64::from(pair[0] - pair[1]).exp())).collect()
}

/// The images of `picked`, each moved by up to `share` of its side; the border is repeated.
fn shifted(images: &Images, picked: &[usize], share: f32, rng: &mut Rng) -> Vec<u8> {
    let reach = |side: usize| (share * side as f32) as isize;
    let shape = images.shape;
    let mut draw = |side: usize| match reach(side) {
        0 => 0,
        reach => rng.below(2 * reach as usize + 1) as isize - reach,
    };
    let moves: Vec<(isize, isize)> = picked.iter().map(|_| (draw(shape.height), draw(shape.width))).collect();
    let mut pixels = vec![0; picked.len() * shape.pixels()];
    pixels.par_chunks_mut(shape.pixels()).zip(picked).zip(moves).for_each(|((to, &i), (dy, dx))| {
        move_image(images.image(i), shape, dy, dx, to);
    });
    pixels
}

fn move_image(from: &[u8], shape: ImageShape, dy: isize, dx: isize, to: &mut [u8]) {
    let (h, w) = (shape.height, shape.width);
    let at = |i: usize, d: isize, side: usize| (i as isize + d).clamp(0, side as isize - 1) as usize;
    for (from, to) in from.chunks_exact(h * w).zip(to.chunks_exact_mut(h * w)) {
        for (y, row) in to.chunks_exact_mut(w).enumerate() {
            let source = &from[at(y, dy, h) * w..][..w];
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = source[at(x, dx, w)];
            }
        }
    }
}

/// [`shifted`], then brightness and contrast changed and a rectangle grayed out.
fn distorted(images: &Images, picked: &[usize], share: f32, rng: &mut Rng) -> Vec<u8> {
    let mut pixels = shifted(images, picked, share, rng);
    let shape = images.shape;
    let (h, w) = (shape.height, shape.width);
    for image in pixels.chunks_exact_mut(shape.pixels()) {
        let (contrast, brightness) = (0.6 + 0.8 * rng.uniform(), 60.0 * (rng.uniform() - 0.5));
        let change = |p: u8| ((f32::from(p) - 128.0) * contrast + 128.0 + brightness).clamp(0.0, 255.0) as u8;
        image.iter_mut().for_each(|p| *p = change(*p));
        let (top, left) = (rng.below(h), rng.below(w));
        for plane in image.chunks_exact_mut(h * w) {
            for row in plane.chunks_exact_mut(w).skip(top).take(h / 3) {
                row[left..(left + w / 3).min(w)].fill(128);
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_nn::DeviceChoice;

    /// Bright in the left or the right half, with noise.
    pub fn halves(n: usize, seed: u64) -> (Images, Vec<u32>) {
        let shape = ImageShape { channels: 1, height: 12, width: 12 };
        let mut rng = Rng::new(seed, 0);
        let labels: Vec<u32> = (0..n).map(|_| rng.below(2) as u32).collect();
        let mut pixels = Vec::new();
        for &label in &labels {
            for i in 0..144 {
                let bright = (i % 12 < 6) == (label == 0);
                pixels
                    .push((if bright { 140.0 } else { 100.0 } + 30.0 * rng.normal()).clamp(0.0, 255.0) as u8);
            }
        }
        (Images { shape, pixels, labels: vec![], classes: vec![] }, labels)
    }

    #[test]
    fn learns_classes_and_survives_a_save() {
        let device = DeviceChoice::Cpu.open().unwrap();
        let (images, labels) = halves(256, 1);
        let training = Training { steps: 60, lr: 3e-3, shift: 0.0, seed: 1 };
        let net = ConvNet::classifier(&images, &labels, 2, training, &device, &mut |_, _| {});
        let (fresh, truth) = halves(200, 2);
        let right = net.classes(&fresh).iter().zip(&truth).filter(|(a, b)| a == b).count();
        assert!(right > 190, "{right} of 200");
        let mut map = TensorMap::default();
        net.save(&mut map);
        let back = ConvNet::load(&map, images.shape, 2, &device).unwrap();
        assert_eq!(back.logits(&fresh), net.logits(&fresh));
    }

    #[test]
    fn contrast_separates_what_looks_different() {
        let device = DeviceChoice::Cpu.open().unwrap();
        let (images, labels) = halves(128, 1);
        let training = Training { steps: 40, lr: 2e-3, shift: 0.1, seed: 1 };
        let net = ConvNet::contrast(&images, training, &device, &mut |_, _| {});
        let features = net.features(&images);
        let mean = |label: u32| {
            let rows: Vec<usize> = (0..128).filter(|&i| labels[i] == label).collect();
            features.select(&rows).mean()
        };
        let spread = features.select(&(0..128).filter(|&i| labels[i] == 0).collect::<Vec<_>>());
        let centre = spread.mean();
        let within = (0..spread.n)
            .map(|i| {
                spread.row(i).iter().zip(centre.iter()).map(|(&x, m)| (f64::from(x) - m).powi(2)).sum::<f64>()
            })
            .sum::<f64>()
            / spread.n as f64;
        assert!((mean(0) - mean(1)).norm_squared() > within, "classes do not separate");
    }
}
