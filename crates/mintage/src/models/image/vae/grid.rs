//! A small grid of latent vectors an image, drawn by a flow (latent diffusion, Rombach et al., arXiv:2112.10752).
//!
//! Stage 1: an autoencoder maps the image to a grid of Gaussians, and draws from them back:
//!
//! `L = ‖x − x̂‖² + ‖x − x̂‖₁ / 10 + λ KL(q(z|x) ‖ N(0, I))`, `z = μ + σ ε`,
//!
//! with a small λ: it keeps the latents smooth and of one size, and what they are distributed like is learned apart. Where a
//! pixel is a choice among the colours of a palette (`common/palette.rs`), `L = −log p(x|z) + λ KL`, with the mean over pixels.
//! Stage 2: the autoencoder is frozen, and a transformer learns the flow `p(z | label)` (`common/latents.rs`), over
//! latents brought to a mean square of one in each dimension. The grid is as large for large images as for small ones,
//! and so is the work of the flow. It draws by integrating, so the model has no density to speak of.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::{ImageBatch, Palette};
use mintage_nn::{AdamW, NotFinite, Rng, Schedule, Trainable, kernels, layers::Conv2d, weights::to_vec};

use super::Config;
use crate::{
    events::Metrics,
    models::{
        Conditioning,
        common::{
            classes::class_input,
            early::WithEarly,
            gaussian::{divergence, reparametrise},
            latents::{FlowShape, LatentFlowMatching},
            mean_squares::MeanSquares,
            palette::{Judged, PaletteHead},
            reconstruction::Missed,
            stages::Stage,
        },
        generative::{GenerativeModel, parts},
        heads,
        image::{
            Image, ImageInfo, ImageSampleParams, batch_classes, in_batches, initial_noise, to_model,
            to_pixels,
            trunk::{Decoder, Encoder, Trunk, is_hidden},
        },
    },
};

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Encoder,
    posterior: Conv2d,
    from_latent: Conv2d,
    decoder: Decoder,
    /// Where a pixel is a choice among colours.
    palette: Option<PaletteHead>,
    /// Height and width of the grid.
    #[module(skip)]
    grid: (usize, usize),
}

impl Autoencoder {
    /// With `d` dimensions of a latent vector; a pixel is a choice among the colours of a `palette`, or else numbers.
    fn new(trunk: &Trunk, d: usize, palette: Option<&Palette>, device: &Device, rng: &mut Rng) -> Self {
        let (channels, height, width) = trunk.bottom();
        let outputs = palette.map_or(trunk.shape.channels, PaletteHead::features);
        Self {
            encoder: Encoder::new(trunk, device, rng),
            posterior: Conv2d::new(channels, 2 * d, 1, 1.0, device, rng),
            from_latent: Conv2d::new(d, channels, 3, 1.0, device, rng),
            decoder: Decoder::new(trunk, outputs, device, rng),
            palette: palette.map(|palette| PaletteHead::new(palette, device, rng)),
            grid: (height, width),
        }
    }

    /// `x [n, c, h, w]` → mean and log-variance of the latents, both `[n · cells, d]`.
    fn encode(&self, x: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let out = kernels::pixel_rows(self.posterior.forward(self.encoder.forward(x, None)));
        let d = out.dims()[1] / 2;
        (out.clone().narrow(1, 0, d), out.narrow(1, d, d).clamp(-12.0, 4.0))
    }

    /// Latents `[n · cells, d]` → what the decoder says of each pixel, `[n, outputs, h, w]`.
    fn decode(&self, z: Tensor<2>) -> Tensor<4> {
        let (height, width) = self.grid;
        let map = self.from_latent.forward(kernels::row_pixels(z, height, width));
        self.decoder.forward(map, None)
    }

    /// The most probable colours, or the means, of images of these latents.
    fn pixels(&self, z: Tensor<2>) -> Vec<u8> {
        let out = self.decode(z);
        let [_, _, height, width] = out.dims();
        match &self.palette {
            Some(palette) => palette.pixels(out, height * width),
            None => to_pixels(&out),
        }
    }
}

/// The averaged autoencoder, to be used: latents have a mean square of one.
struct Coder {
    net: Autoencoder,
    /// What latents are multiplied by: `[1, d]`.
    scale: Tensor<2>,
}

impl Coder {
    /// Draws of `q(z|x)`: `x [n, c, h, w]` → `[n · cells, d]`.
    fn draw(&self, x: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        let (mu, logvar) = self.net.encode(x);
        reparametrise(&mu, &logvar, rng) * self.scale.clone()
    }

    /// The means of `q(z|x)`.
    fn encode(&self, x: Tensor<4>) -> Tensor<2> {
        self.net.encode(x).0 * self.scale.clone()
    }

    /// Latents `[n · cells, d]` → bytes of images.
    fn pixels(&self, z: Tensor<2>) -> Vec<u8> {
        self.net.pixels(z / self.scale.clone())
    }
}

/// A VAE with a grid of latent vectors an image, its prior, and their optimisers.
#[derive(Debug)]
pub struct GridVae {
    config: Config,
    info: ImageInfo,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    squares: MeanSquares,
    prior: WithEarly<LatentFlowMatching>,
    /// Vectors of an image, and dimensions of each.
    size: (usize, usize),
}

impl GenerativeModel<Image> for GridVae {
    type Config = Config;

    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let trunk = Trunk {
            shape: info.shape,
            width: config.width,
            blocks: config.blocks,
            halvings: Trunk::halvings_to(info.shape, config.grid.max(2)),
            d_cond: 0,
        };
        let (_, height, width) = trunk.bottom();
        let (cells, d) = (height * width, config.channels.max(1));
        let shape = FlowShape {
            d,
            cells,
            frames: 1,
            classes: info.classes,
            layers: config.prior_layers,
            heads: heads(config.prior_width),
            width: config.prior_width,
            shift: 1.0,
        };
        let on = device.clone().autodiff();
        let autoencoder = Autoencoder::new(&trunk, d, config.palette(info), &on, rng);
        let prior = LatentFlowMatching::new(shape, &on, rng);
        Self {
            autoencoder: trained(autoencoder, config, is_hidden),
            squares: MeanSquares::new(d),
            prior: WithEarly::new(trained(prior, config, LatentFlowMatching::is_hidden)),
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            size: (cells, d),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("autoencoder", 0.0), ("prior over latents", self.config.prior_start)]
    }

    /// One step of whichever stage `progress` lies in; each stage has a schedule of its own.
    fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.step_autoencoder(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }
    }

    /// Stage 1: mean squared error in [0, 1], nats a dimension of the latents; with a palette, bits of the pixels given the
    /// means of the latents come first. Stage 2: the loss of the flow.
    fn validate(&self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        if let Stage::First(_) = Stage::at(progress, self.config.prior_start) {
            let net = self.autoencoder.averaged();
            let x = to_model(&batch.pixels, self.info.shape, &self.device);
            let (mu, logvar) = net.encode(x.clone());
            if let Some(palette) = &net.palette {
                let Judged { mse, nats } = palette.judge(net.decode(mu.clone()), &batch.pixels, self.area());
                let dims = (nats.len() * self.info.shape.pixels()).max(1) as f64;
                let bits = nats.iter().sum::<f64>() / dims / std::f64::consts::LN_2;
                let kl = f64::from(divergence(mu, logvar).mean().into_scalar::<f32>());
                return Some(Metrics::new([("pixel_bits_per_dim", bits), ("mse", mse), ("kl_per_dim", kl)]));
            }
            let Missed { mse, .. } = Missed::of(net.decode(mu.clone()), x);
            let [mse, kl] = [mse, divergence(mu, logvar).mean()].map(|t| f64::from(t.into_scalar::<f32>()));
            return Some(Metrics::new([("mse", mse), ("kl_per_dim", kl)]));
        }
        let z = self.latents(batch, rng);
        let classes = batch_classes(batch, self.info.classes);
        let loss = self.prior.averaged().loss(z, &classes, 0.0, rng);
        Some(Metrics::new([("loss", f64::from(loss.into_scalar::<f32>()))]))
    }

    /// Latents carried by the flow, then decoded.
    fn sample(&self, draw: &ImageSampleParams, rng: &mut Rng) -> Vec<u8> {
        let (prior, coder) = (self.prior.averaged(), self.coder());
        let guidance = draw.guidance.map_or(self.config.guidance, f64::from);
        let early = self.prior.early(draw.autoguidance.map_or(self.config.autoguidance, f64::from));
        in_batches(draw, self.info.classes, |part| {
            let (x, begin) = self.beginning(part, &prior, &coder, rng);
            let z = prior.carried(x, begin, part.labels, self.steps(), guidance, early);
            coder.pixels(z)
        })
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Continue { .. })
    }

    fn has_early(&self) -> bool {
        self.prior.has_early()
    }

    /// Decodes the mean of `q(z|x)`.
    fn reconstruct(&self, batch: &ImageBatch, _rng: &mut Rng) -> Option<Vec<u8>> {
        let net = self.autoencoder.averaged();
        let (mu, _) = net.encode(to_model(&batch.pixels, self.info.shape, &self.device));
        Some(net.pixels(mu))
    }

    parts!("autoencoder" = autoencoder, "squares" = squares, "prior" = prior);
}

impl GridVae {
    fn step_autoencoder(
        &mut self,
        batch: &ImageBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let x = to_model(&batch.pixels, self.info.shape, &self.device.clone().autodiff());
        let net = self.autoencoder.net();
        let (mu, logvar) = net.encode(x.clone());
        let z = reparametrise(&mu, &logvar, rng);
        let seen = to_vec(&z);
        let out = net.decode(z);
        let (watched, loss) = match &net.palette {
            Some(palette) => {
                let nats = palette.loss(out, &batch.pixels, self.area(), rng);
                (nats.clone(), nats)
            }
            None => {
                let Missed { mse, loss } = Missed::of(out, x);
                (mse, loss)
            }
        };
        let kl = divergence(mu, logvar).mean();
        let values = [&watched, &kl].map(|t| f64::from(t.clone().into_scalar::<f32>()));
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (_, norm) = self.autoencoder.update(loss + kl * self.config.kl_weight, lr)?;
        self.squares.follow(&seen);
        Ok(Metrics::new([("loss", values[0]), ("kl_per_dim", values[1]), ("grad_norm", norm)]))
    }

    fn step_prior(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let z = self.latents(batch, rng);
        let drop = self.config.label_drop as f32;
        let classes = class_input(&batch.labels, batch.n, self.info.classes, drop, rng);
        self.prior.step(&z, &classes, 0.0, self.config.prior_lr, progress, rng)
    }

    /// The averaged autoencoder as it is now.
    fn coder(&self) -> Coder {
        Coder { net: self.autoencoder.averaged(), scale: self.squares.scale(&self.device) }
    }

    /// Draws of `q(z|x)` of a batch, as the prior sees them.
    fn latents(&self, batch: &ImageBatch, rng: &mut Rng) -> Tensor<2> {
        self.coder().draw(to_model(&batch.pixels, self.info.shape, &self.device), rng)
    }

    /// Pixels of a channel.
    fn area(&self) -> usize {
        self.info.shape.height * self.info.shape.width
    }

    fn steps(&self) -> usize {
        self.config.steps.max(1)
    }

    /// What the flow begins with, `[n · cells, d]`, and when. An image is varied from its own latents and some noise, part of
    /// the way, so that nothing of it is lost without noise; images are mixed as the noise that leads to them.
    fn beginning(
        &self,
        part: &ImageSampleParams,
        prior: &LatentFlowMatching,
        coder: &Coder,
        rng: &mut Rng,
    ) -> (Tensor<2>, f32) {
        let ((cells, d), n) = (self.size, part.n);
        let each = cells * d;
        let latents_of = |image: &[u8]| coder.encode(to_model(image, self.info.shape, &self.device));
        let (x, begin) = match part.conditioning {
            Conditioning::Vary { item, strength } => {
                let z: Tensor<2> = latents_of(item).reshape([1, each]).expand([n, each]);
                let noise = rng.normal_tensor([n, each], &self.device);
                let begin = 1.0 - *strength;
                (z * begin + noise * (*strength * part.temperature), begin)
            }
            _ => {
                let noise_of = |image: &[u8]| {
                    let noise = prior.noise_of(latents_of(image), &part.labels[..1], self.steps());
                    noise.reshape([1, each])
                };
                (initial_noise(part, each, noise_of, &self.device, rng), 0.0)
            }
        };
        (x.reshape([n * cells, d]), begin)
    }
}

/// A network with its optimiser: Muon moves what `is_hidden` says where the options ask for it.
fn trained<M: Module>(net: M, config: &Config, is_hidden: fn(&str) -> bool) -> Trainable<M> {
    let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
    Trainable::with_muon(net, adam, |name| config.muon && is_hidden(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        FamilyConfig, Size,
        common::test_support::{check_overfits, check_save_load},
        image::{
            test_support::{tiny_batch, tiny_info, tiny_palette},
            vae::Latents,
        },
    };

    fn tiny() -> GridVae {
        of_info(&tiny_info())
    }

    fn of_info(info: &ImageInfo) -> GridVae {
        let config = Config {
            latents: Latents::Grid,
            channels: 4,
            grid: 3,
            width: 16,
            prior_width: 32,
            steps: 6,
            palette: info.palette.is_some(),
            ..Config::preset(Size::Tiny, info)
        };
        GridVae::new(&config, info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn image(i: usize) -> Vec<u8> {
        tiny_batch().pixels[i * 144..(i + 1) * 144].to_vec()
    }

    fn seen(model: &GridVae, i: usize) -> Vec<u8> {
        let one = ImageBatch { pixels: image(i), labels: vec![], n: 1 };
        model.reconstruct(&one, &mut Rng::new(1, 0)).unwrap()
    }

    fn draw(model: &GridVae, conditioning: &Conditioning<Vec<u8>>) -> Vec<u8> {
        let draw = ImageSampleParams { conditioning, ..ImageSampleParams::new(3, &[]) };
        model.sample(&draw, &mut Rng::new(3, 0))
    }

    /// The largest difference of two images.
    fn far(a: &[u8], b: &[u8]) -> u8 {
        a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn overfits_one_batch() {
        let mut model = tiny();
        let from = model.config.prior_start;
        check_overfits(80, |p, rng| model.step(&tiny_batch(), p * from * 0.99, rng).unwrap());
        check_overfits(150, |p, rng| model.step(&tiny_batch(), from + p * (1.0 - from), rng).unwrap());
    }

    #[test]
    fn save_load_is_bit_exact() {
        let mut a = tiny();
        a.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
        a.step(&tiny_batch(), 0.6, &mut Rng::new(2, 1)).unwrap();
        let mut b = tiny();
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        assert!(a.has_early());
        let draw = ImageSampleParams {
            guidance: Some(2.0),
            autoguidance: Some(2.0),
            ..ImageSampleParams::new(3, &[0, 1, 2])
        };
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        for progress in [0.2, 0.7] {
            let step = |m: &mut GridVae| m.step(&tiny_batch(), progress, &mut Rng::new(4, 0)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn a_palette_is_learned_saved_and_drawn_from() {
        let info = ImageInfo { palette: Some(tiny_palette()), ..tiny_info() };
        let (mut a, mut b) = (of_info(&info), of_info(&info));
        let from = a.config.prior_start;
        check_overfits(80, |p, rng| a.step(&tiny_batch(), p * from * 0.99, rng).unwrap());
        a.step(&tiny_batch(), 0.6, &mut Rng::new(2, 1)).unwrap();
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        let made = draw(&a, &Conditioning::None);
        assert_eq!(made, draw(&b, &Conditioning::None));
        assert!(made.len() == 3 * 144 && tiny_palette().indices(&made, 144).missing.is_empty());
        let told = a.validate(&tiny_batch(), 0.1, &mut Rng::new(1, 0)).unwrap();
        assert_eq!(told.0[0].0, "pixel_bits_per_dim");
    }

    #[test]
    fn variations_begin_at_the_image_and_ways_end_at_it() {
        let mut model = tiny();
        for i in 0..30 {
            model.step(&tiny_batch(), 0.2, &mut Rng::new(2, i)).unwrap();
        }
        model.step(&tiny_batch(), 0.6, &mut Rng::new(2, 30)).unwrap();
        let like = |strength: f32| draw(&model, &Conditioning::Vary { item: image(0), strength });
        assert!(far(&like(0.0)[..144], &seen(&model, 0)) <= 1);
        assert!(far(&like(1.0)[..144], &seen(&model, 0)) > 1 && like(0.5)[..144] != like(0.5)[144..288]);
        let way = draw(&model, &Conditioning::Interpolate { from: image(0), to: image(1) });
        // There and back along the flow, in six steps.
        assert!(far(&way[..144], &seen(&model, 0)) <= 8 && far(&way[288..], &seen(&model, 1)) <= 8);
    }

    #[test]
    fn larger_images_have_no_more_latent_vectors() {
        for side in [48, 64, 128] {
            let mut info = tiny_info();
            (info.shape.height, info.shape.width) = (side, side / 2);
            let config = Config { width: 4, blocks: 0, ..Config::preset(Size::Tiny, &info) };
            let model = GridVae::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0));
            let (cells, d) = model.size;
            assert!(cells <= 32 && d == config.channels, "{cells} vectors of {side} pixels a side");
            let made = model.sample(&ImageSampleParams::new(1, &[0]), &mut Rng::new(2, 0));
            assert_eq!(made.len(), info.shape.pixels());
        }
    }
}
