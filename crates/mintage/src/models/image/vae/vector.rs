//! One latent vector an image, with a learned prior (Kingma & Welling, arXiv:1312.6114).
//!
//! Encoder `q(z|x) = N(μ(x), σ²(x))`, decoder `p(x|z)`, prior `p(z|y)` a small flow (see
//! `real_nvp.rs`). Training maximises the importance-weighted bound of Burda et al.
//! (arXiv:1509.00519) with `k` samples, which for k = 1 is the ELBO:
//!
//! `L_k = E log (1/k) Σᵢ p(x|zᵢ) p(zᵢ)^β / q(zᵢ|x)^β`, `zᵢ ~ q(z|x)`.
//!
//! The test log-likelihood is the same expression with many samples. `p(x|z)` is Bernoulli (binary
//! pixels, or gray read as probabilities), a discretised logistic over the 256 levels, or a Gaussian of
//! one learned variance.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, activation},
};
use mintage_data::{ImageBatch, ImageShape};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable, kernels,
    layers::{Embedding, Linear},
    losses::{gaussian_log_prob, log_sum_exp, standard_normal_log_prob},
    weights::to_vec,
};

use super::{Arch, Binarize, Config, Likelihood, Prior};
use crate::{
    events::Metrics,
    models::{
        Conditioning,
        common::{
            classes::{class_input, indices},
            gaussian::reparametrise,
        },
        generative::{GenerativeModel, parts},
        image::{
            Image, ImageInfo, ImageSampleParams, batch_classes, in_batches, initial_noise,
            real_nvp::RealNvp,
            to_model, to_pixels,
            trunk::{Decoder, Encoder, Trunk, is_hidden},
        },
        log_mean_exp,
    },
};

/// Width of the embedded label.
const D_COND: usize = 64;

#[derive(Module, Debug)]
struct Net {
    label: Option<Embedding>,
    body: Body,
    posterior: Linear,
    prior: Option<RealNvp>,
    /// Log-variance of the Gaussian likelihood.
    logvar: Option<Param<Tensor<1>>>,
}

#[derive(Module, Debug)]
// There is one of these in a model.
#[allow(clippy::large_enum_variant)]
enum Body {
    Conv(ConvBody),
    Mlp(MlpBody),
}

#[derive(Module, Debug)]
struct ConvBody {
    encoder: Encoder,
    expand: Linear,
    decoder: Decoder,
    #[module(skip)]
    bottom: (usize, usize, usize),
}

#[derive(Module, Debug)]
struct MlpBody {
    encoder: Vec<Linear>,
    decoder: Vec<Linear>,
    out: Linear,
}

impl Net {
    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let d_cond = if info.classes > 0 { D_COND } else { 0 };
        let outputs = match config.likelihood {
            Likelihood::Logistic => 2,
            Likelihood::Bernoulli | Likelihood::Gaussian => 1,
        };
        let (body, features) = match config.arch {
            Arch::Conv => ConvBody::build(config, info.shape, outputs, d_cond, device, rng),
            Arch::Mlp => MlpBody::build(config, info.shape, outputs, d_cond, device, rng),
        };
        Self {
            label: (info.classes > 0).then(|| Embedding::new(info.classes + 1, D_COND, 1.0, device, rng)),
            body,
            posterior: Linear::new(features, 2 * config.latent, 0.5, device, rng),
            prior: (config.prior == Prior::Flow)
                .then(|| RealNvp::new(config.latent, d_cond, 128.max(2 * config.latent), 6, device, rng)),
            logvar: (config.likelihood == Likelihood::Gaussian)
                .then(|| Param::from_tensor(Tensor::full([1], -2.0, device))),
        }
    }

    fn condition(&self, classes: &[u32], device: &Device) -> Option<Tensor<2>> {
        self.label.as_ref().map(|label| label.forward(indices(classes, device)))
    }

    /// `x [n, c, h, w]` → mean and log-variance of q, both `[n, latent]`.
    fn encode(&self, x: Tensor<4>, cond: Option<&Tensor<2>>) -> (Tensor<2>, Tensor<2>) {
        let out = self.posterior.forward(match &self.body {
            Body::Conv(body) => body.encoder.forward(x, cond).flatten(1, 3),
            Body::Mlp(body) => {
                let flat: Tensor<2> = x.flatten(1, 3);
                hidden_layers(&body.encoder, with_condition(flat, cond))
            }
        });
        let d = out.dims()[1] / 2;
        // Bounded below, so that a collapsed dimension cannot drive the density to infinity.
        (out.clone().narrow(1, 0, d), out.narrow(1, d, d).clamp(-12.0, 4.0))
    }

    /// `z [n, latent]` → the raw outputs, `[n, outputs · c, h, w]` flattened to rows.
    fn decode(&self, z: Tensor<2>, cond: Option<&Tensor<2>>) -> Tensor<2> {
        match &self.body {
            Body::Conv(body) => {
                let n = z.dims()[0];
                let (c, h, w) = body.bottom;
                body.decoder.forward(body.expand.forward(z).reshape([n, c, h, w]), cond).flatten(1, 3)
            }
            Body::Mlp(body) => body.out.forward(hidden_layers(&body.decoder, with_condition(z, cond))),
        }
    }

    fn prior_log_prob(&self, z: Tensor<2>, cond: Option<&Tensor<2>>) -> Tensor<1> {
        match &self.prior {
            Some(flow) => flow.log_prob(z, cond),
            None => standard_normal_log_prob(z),
        }
    }
}

impl ConvBody {
    /// The body, and how many features its encoder ends in.
    fn build(
        config: &Config,
        shape: ImageShape,
        outputs: usize,
        d_cond: usize,
        device: &Device,
        rng: &mut Rng,
    ) -> (Body, usize) {
        let trunk = Trunk {
            shape,
            width: config.width,
            blocks: config.blocks,
            halvings: Trunk::halvings_to(shape, 8),
            d_cond,
        };
        let (c, h, w) = trunk.bottom();
        let body = Self {
            encoder: Encoder::new(&trunk, device, rng),
            expand: Linear::new(config.latent, c * h * w, 1.0, device, rng),
            decoder: Decoder::new(&trunk, outputs * shape.channels, device, rng),
            bottom: (c, h, w),
        };
        (Body::Conv(body), c * h * w)
    }
}

impl MlpBody {
    /// The body, and how many features its encoder ends in.
    fn build(
        config: &Config,
        shape: ImageShape,
        outputs: usize,
        d_cond: usize,
        device: &Device,
        rng: &mut Rng,
    ) -> (Body, usize) {
        let gain = std::f32::consts::SQRT_2;
        let stack = |d_in: usize, rng: &mut Rng| -> Vec<Linear> {
            (0..config.blocks)
                .map(|i| {
                    Linear::new(
                        if i == 0 { d_in + d_cond } else { config.width },
                        config.width,
                        gain,
                        device,
                        rng,
                    )
                })
                .collect()
        };
        let body = Self {
            encoder: stack(shape.pixels(), rng),
            decoder: stack(config.latent, rng),
            out: Linear::new(config.width, outputs * shape.pixels(), 0.5, device, rng),
        };
        (Body::Mlp(body), config.width)
    }
}

fn hidden_layers(layers: &[Linear], x: Tensor<2>) -> Tensor<2> {
    layers.iter().fold(x, |h, layer| kernels::leaky_relu(layer.forward(h), 0.0, 1.0))
}

fn with_condition(x: Tensor<2>, cond: Option<&Tensor<2>>) -> Tensor<2> {
    match cond {
        Some(cond) => Tensor::cat(vec![x, cond.clone()], 1),
        None => x,
    }
}

/// A VAE with one latent vector an image, and its optimiser.
#[derive(Debug)]
pub struct VectorVae {
    config: Config,
    info: ImageInfo,
    device: Device,
    train: Trainable<Net>,
}

/// The two parts of a bound, each `[n]`: `log p(x|z)` and `log q(z|x) − log p(z)`.
struct Terms {
    reconstruction: Tensor<1>,
    kl: Tensor<1>,
}

impl GenerativeModel<Image> for VectorVae {
    type Config = Config;

    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let mut config = config.clone();
        // A coupling layer needs two equal halves.
        config.latent = config.latent.max(2).next_multiple_of(2);
        let net = Net::new(&config, info, &device.clone().autodiff(), rng);
        let adam = AdamW { weight_decay: config.weight_decay as f32, clip: 100.0, ..AdamW::default() };
        let train = Trainable::with_muon(net, adam, |name| config.muon && is_hidden(name));
        Self { config, info: info.clone(), device: device.clone(), train }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// One step on the importance-weighted bound. Metrics: the loss in nats an item, its parts, the
    /// gradient's norm.
    fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let device = self.device.clone().autodiff();
        let x = self.input(batch, &device, rng);
        let classes =
            class_input(&batch.labels, batch.n, self.info.classes, self.config.label_drop as f32, rng);
        let k = self.config.importance.max(1);
        let terms = self.terms(self.train.net(), x, &classes, k, rng);
        let beta = self.config.beta * (progress / self.config.warmup.max(1e-9)).min(1.0);
        let log_weights = terms.reconstruction.clone() - terms.kl.clone() * beta;
        let loss = match k {
            1 => log_weights.mean().neg(),
            _ => (log_sum_exp(log_weights.reshape([batch.n, k])) - (k as f64).ln()).mean().neg(),
        };
        let (rec, kl) =
            (terms.reconstruction.mean().into_scalar::<f32>(), terms.kl.mean().into_scalar::<f32>());
        // Nats an item grow with the number of pixels; the step should not.
        let loss_per_pixel = loss / self.info.shape.pixels() as f64;
        let (loss, norm) =
            self.train.update(loss_per_pixel, self.config.lr * Schedule::default().factor(progress))?;
        Ok(Metrics::new([
            ("loss", loss * self.info.shape.pixels() as f64),
            ("reconstruction", -f64::from(rec)),
            ("kl", f64::from(kl)),
            ("grad_norm", norm),
        ]))
    }

    /// The ELBO on held-out items (nats an item, β = 1), and bits per dimension.
    fn validate(&self, batch: &ImageBatch, _progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let net = self.train.averaged();
        let x = self.input(batch, &self.device, rng);
        let terms = self.terms(&net, x, &batch_classes(batch, self.info.classes), 1, rng);
        let (rec, kl) =
            (terms.reconstruction.mean().into_scalar::<f32>(), terms.kl.mean().into_scalar::<f32>());
        let nelbo = f64::from(kl - rec);
        let bits = nelbo / self.info.shape.pixels() as f64 / std::f64::consts::LN_2;
        Some(Metrics::new([("nelbo", nelbo), ("kl", f64::from(kl)), ("bits_per_dim", bits)]))
    }

    /// Decodes draws from the prior, or from around given images; what is shown is the mean of `p(x|z)`.
    fn sample(&self, draw: &ImageSampleParams, rng: &mut Rng) -> Vec<u8> {
        let net = self.train.averaged();
        in_batches(draw, self.info.classes, |part| {
            let cond = net.condition(part.labels, &self.device);
            let noise_of = |image: &[u8]| self.noise_of(&net, image, part.labels[0]);
            let u = initial_noise(part, self.config.latent, noise_of, &self.device, rng);
            let z = match &net.prior {
                Some(flow) => flow.sample(u, cond.as_ref()),
                None => u,
            };
            to_pixels(&self.mean_image(net.decode(z, cond.as_ref())))
        })
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Continue { .. })
    }

    /// Decodes the mean of `q(z|x)`.
    fn reconstruct(&self, batch: &ImageBatch, rng: &mut Rng) -> Option<Vec<u8>> {
        let net = self.train.averaged();
        let cond = net.condition(&batch_classes(batch, self.info.classes), &self.device);
        let (mu, _) = net.encode(self.input(batch, &self.device, rng), cond.as_ref());
        Some(to_pixels(&self.mean_image(net.decode(mu, cond.as_ref()))))
    }

    /// `−log p(x)` by importance sampling with `samples` draws from `q(z|x)`: nats an item.
    fn nll(&self, batch: &ImageBatch, samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        /// Decoder rows at a time, which bounds memory.
        const MAX_DECODER_ROWS: usize = 2048;
        let net = self.train.averaged();
        let x = self.input(batch, &self.device, rng);
        let classes = batch_classes(batch, self.info.classes);
        let mut log_weights: Vec<Vec<f64>> = vec![Vec::with_capacity(samples); batch.n];
        let mut left = samples.max(1);
        while left > 0 {
            let k = left.min((MAX_DECODER_ROWS / batch.n.max(1)).max(1));
            let terms = self.terms(&net, x.clone(), &classes, k, rng);
            let values = to_vec(&(terms.reconstruction - terms.kl));
            for (row, weights) in values.chunks(k).zip(&mut log_weights) {
                weights.extend(row.iter().map(|&v| f64::from(v)));
            }
            left -= k;
        }
        Some(log_weights.iter().map(|w| -log_mean_exp(w)).collect())
    }

    parts!("vae" = train);
}

impl VectorVae {
    /// The noise `[1, latent]` from which the prior makes the mean of `q(z|x)`.
    fn noise_of(&self, net: &Net, image: &[u8], class: u32) -> Tensor<2> {
        let cond = net.condition(&[class], &self.device);
        let (mu, _) = net.encode(to_model(image, self.info.shape, &self.device), cond.as_ref());
        match &net.prior {
            Some(flow) => flow.to_base(mu, cond.as_ref()).0,
            None => mu,
        }
    }

    /// The batch in [−1, 1], binarised if the configuration says so.
    fn input(&self, batch: &ImageBatch, device: &Device, rng: &mut Rng) -> Tensor<4> {
        let binary = |on: bool| if on { 255 } else { 0 };
        match self.config.binarize {
            Binarize::No => to_model(&batch.pixels, self.info.shape, device),
            Binarize::Threshold => {
                let pixels: Vec<u8> = batch.pixels.iter().map(|&p| binary(p > 127)).collect();
                to_model(&pixels, self.info.shape, device)
            }
            Binarize::Dynamic => {
                let pixels: Vec<u8> =
                    batch.pixels.iter().map(|&p| binary(rng.uniform() * 255.0 < f32::from(p))).collect();
                to_model(&pixels, self.info.shape, device)
            }
        }
    }

    /// Both parts of the bound for `k` draws an item: `[n · k]`, the draws of an item side by side.
    fn terms(&self, net: &Net, x: Tensor<4>, classes: &[u32], k: usize, rng: &mut Rng) -> Terms {
        let device = x.device();
        let cond = net.condition(classes, &device);
        let (mu, logvar) = net.encode(x.clone(), cond.as_ref());
        let (mu, logvar) = (repeat_rows(mu, k), repeat_rows(logvar, k));
        let cond = cond.map(|cond| repeat_rows(cond, k));
        let z = reparametrise(&mu, &logvar, rng); // [n·k, d]
        let log_q = gaussian_log_prob(z.clone(), mu, logvar);
        let log_prior = net.prior_log_prob(z.clone(), cond.as_ref());
        let flat: Tensor<2> = x.flatten(1, 3);
        let reconstruction = self.log_likelihood(net, repeat_rows(flat, k), net.decode(z, cond.as_ref()));
        Terms { reconstruction, kl: log_q - log_prior }
    }

    /// `log p(x|z)` of rows `x [n, pixels]` in [−1, 1] from the decoder's raw outputs: `[n]`.
    fn log_likelihood(&self, net: &Net, x: Tensor<2>, out: Tensor<2>) -> Tensor<1> {
        let pixels = self.info.shape.pixels();
        match self.config.likelihood {
            Likelihood::Bernoulli => kernels::bernoulli_nll(out, (x + 1.0) * 0.5).neg(),
            Likelihood::Logistic => {
                let (mean, log_scale) = (out.clone().narrow(1, 0, pixels), out.narrow(1, pixels, pixels));
                kernels::discretised_logistic_nll(x, mean, log_scale - 2.0).neg()
            }
            Likelihood::Gaussian => {
                let n = x.dims()[0];
                let logvar = net.logvar.as_ref().map_or_else(|| Tensor::zeros([1], &x.device()), Param::val);
                // The density of a byte: the level's width is 2/255.
                let width = (2.0f64 / 255.0).ln() * pixels as f64;
                gaussian_log_prob(x, out, logvar.unsqueeze::<2>().expand([n, pixels])) + width
            }
        }
    }

    /// The mean of `p(x|z)` in [−1, 1], `[n, pixels]`.
    fn mean_image(&self, out: Tensor<2>) -> Tensor<2> {
        match self.config.likelihood {
            Likelihood::Bernoulli => activation::sigmoid(out) * 2.0 - 1.0,
            Likelihood::Logistic => out.narrow(1, 0, self.info.shape.pixels()),
            Likelihood::Gaussian => out,
        }
    }
}

/// Each row `k` times, side by side: `[n, d] → [n · k, d]`.
fn repeat_rows(x: Tensor<2>, k: usize) -> Tensor<2> {
    let [n, d] = x.dims();
    match k {
        1 => x,
        _ => x.reshape([n, 1, d]).expand([n, k, d]).reshape([n * k, d]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        FamilyConfig, Size,
        common::test_support::{check_overfits, check_save_load},
        image::test_support::{tiny_batch, tiny_info},
    };

    fn tiny(arch: Arch, likelihood: Likelihood) -> VectorVae {
        let info = tiny_info();
        // Binary pixels, so that a Bernoulli can fit them without an entropy that stays.
        let binarize = if likelihood == Likelihood::Bernoulli { Binarize::Threshold } else { Binarize::No };
        let width = if arch == Arch::Mlp { 64 } else { 16 };
        let preset = Config::preset(Size::Tiny, &info);
        let config = Config { arch, likelihood, binarize, latent: 8, width, warmup: 0.3, lr: 3e-3, ..preset };
        VectorVae::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0))
    }

    #[test]
    fn overfits_one_batch() {
        for (arch, likelihood) in [
            (Arch::Conv, Likelihood::Logistic),
            (Arch::Mlp, Likelihood::Bernoulli),
            (Arch::Conv, Likelihood::Gaussian),
        ] {
            let mut model = tiny(arch, likelihood);
            check_overfits(120, |p, rng| model.step(&tiny_batch(), p, rng).unwrap());
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let mut a = tiny(Arch::Conv, Likelihood::Logistic);
        a.step(&tiny_batch(), 0.5, &mut Rng::new(2, 0)).unwrap();
        let mut b = tiny(Arch::Conv, Likelihood::Logistic);
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        let draw = ImageSampleParams::new(3, &[0, 1, 2]);
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        let (mut rng_a, mut rng_b) = (Rng::new(4, 0), Rng::new(4, 0));
        assert_eq!(
            a.step(&tiny_batch(), 0.6, &mut rng_a).unwrap(),
            b.step(&tiny_batch(), 0.6, &mut rng_b).unwrap()
        );
    }

    #[test]
    fn variations_begin_at_the_image_and_ways_end_at_it() {
        let mut model = tiny(Arch::Conv, Likelihood::Logistic);
        for i in 0..30 {
            model.step(&tiny_batch(), 0.5, &mut Rng::new(2, i)).unwrap();
        }
        let image = |i: usize| tiny_batch().pixels[i * 144..(i + 1) * 144].to_vec();
        let seen = |i: usize| {
            let one = ImageBatch { pixels: image(i), labels: vec![], n: 1 };
            model.reconstruct(&one, &mut Rng::new(1, 0)).unwrap()
        };
        let draw = |start: &Conditioning<Vec<u8>>| {
            model.sample(
                &ImageSampleParams { conditioning: start, ..ImageSampleParams::new(3, &[]) },
                &mut Rng::new(3, 0),
            )
        };
        let same = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1);
        let like = |strength: f32| draw(&Conditioning::Vary { item: image(0), strength });
        assert!(same(&like(0.0)[..144], &seen(0)));
        assert!(!same(&like(1.0)[..144], &seen(0)) && like(0.5)[..144] != like(0.5)[144..288]);
        let way = draw(&Conditioning::Interpolate { from: image(0), to: image(1) });
        assert!(same(&way[..144], &seen(0)) && same(&way[288..], &seen(1)));
    }

    #[test]
    fn more_importance_samples_tighten_the_bound() {
        let model = tiny(Arch::Mlp, Likelihood::Bernoulli);
        let mean = |k| {
            let nll = model.nll(&tiny_batch(), k, &mut Rng::new(1, 0)).unwrap();
            nll.iter().sum::<f64>() / nll.len() as f64
        };
        assert!(mean(500) < mean(1) + 1e-3);
    }
}
