//! Vector-quantized autoencoder with a transformer prior over its codes.
//!
//! Phase 1: an encoder maps the image to a small grid of vectors, each replaced by the nearest of a
//! finite set of codes (van den Oord et al., arXiv:1711.00937; gradient by rotation, Fifty et al.,
//! arXiv:2410.06424; or FSQ, Mentzer et al., arXiv:2309.15505), and a decoder maps the codes back:
//!
//! `L = ‖x − x̂‖² + ‖x − x̂‖₁ / 10 + β ‖z − sg(c)‖² + λ · DL(x; sg(x̂), s)`,
//!
//! where the squares hardly see small errors, so that the absolute error is beside them, and the last term fits the scale
//! `s` of a discretised logistic around the reconstruction, which makes the whole model a density:
//! `−log p(x) ≤ −log p(codes) − log p(x | codes)`. Where few colours cover the data, a pixel is a choice among them
//! (`common/palette.rs`), and `L = −log p(x | codes) + β ‖z − sg(c)‖²`, with the mean over pixels.
//! Phase 2: the autoencoder is frozen and a causal transformer learns `p(codes | label)` (`common/codes.rs`).

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::ImageBatch;
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, WeightsError,
    layers::Conv2d,
    quantize::{Codebook, Fsq, GradientEstimator, Quantized},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::Image;
use super::{
    batch_classes, in_batches, to_model, to_pixels,
    trunk::{Decoder, Encoder, Trunk, is_hidden},
};
use crate::models::common::stages::Stage;
use crate::models::common::{
    classes::class_input,
    codes::{CodeShape, CodeWriter},
    palette::{Judged, PaletteHead, chosen, judge, logistic, losses},
};
use crate::models::options::{check_even, check_palette};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::recipe::RecipeError;
use crate::{
    events::Metrics,
    models::{Conditioning, ImageInfo, ImageSampleParams, SamplingParams, Size, heads},
};
use mintage_nn::Part;

/// Which quantizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuantizerKind {
    /// A codebook learned by moving averages.
    Ema,
    /// Finite scalar quantization.
    Fsq,
}

/// Options of a VQ-VAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How vectors become codes.
    pub quantizer: QuantizerKind,
    /// How the gradient passes the rounding to a code; FSQ always goes straight through.
    pub gradient: GradientEstimator,
    /// Codes in the codebook; FSQ has about as many, as its levels allow.
    pub codes: usize,
    /// Dimensions of a code vector (EMA); small ones use the codebook better (Yu et al., arXiv:2110.04627).
    pub code_dim: usize,
    /// Longest side of the grid of codes.
    pub grid: usize,
    /// Channels of the convolutions at half size.
    pub width: usize,
    /// Residual blocks per size, in the encoder and in the decoder.
    pub blocks: usize,
    /// β: weight of the commitment loss, the mean squared distance of the encoder's vectors from their codes.
    pub commitment: f64,
    /// Transformer blocks of the prior.
    pub prior_layers: usize,
    /// Width of the prior; even.
    pub prior_width: usize,
    /// Whether every block of the prior looks up vectors of codes and of pairs of codes in tables.
    #[serde(default)]
    pub prior_lookup: bool,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "prior_from")]
    pub prior_start: f64,
    /// Images per step.
    pub batch: usize,
    /// Peak learning rate of the autoencoder, in phase 1; of AdamW and Muon alike.
    pub lr: f64,
    /// Peak learning rate of the prior, in phase 2; of AdamW and Muon alike.
    pub prior_lr: f64,
    /// Probability that a label is hidden in training, so that images without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
    /// Default guidance weight of sampling with labels.
    pub guidance: f64,
    /// Whether a pixel is a choice among the colours of the data, which have to be few; otherwise it is numbers.
    #[serde(default)]
    pub palette: bool,
}

impl FamilyConfig<Image> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &ImageInfo) -> Self {
        let (width, blocks, codes, prior_layers, prior_width) = match size {
            Size::Tiny => (32, 1, 128, 2, 96),
            Size::Small => (48, 1, 512, 4, 192),
            Size::Base => (96, 2, 1024, 6, 384),
            Size::Large => (160, 3, 1024, 10, 512),
        };
        let longest = info.shape.height.max(info.shape.width);
        Self {
            quantizer: QuantizerKind::Ema,
            gradient: GradientEstimator::Rotation,
            codes,
            code_dim: 8,
            grid: if longest > 32 { 16 } else { 8 },
            width,
            blocks,
            commitment: 0.25,
            prior_layers,
            prior_width,
            prior_lookup: true,
            prior_start: 0.45,
            batch: 32,
            lr: 5e-3,
            prior_lr: 1e-2,
            label_drop: 0.1,
            guidance: 1.0,
            palette: false,
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        check_even("prior_width", self.prior_width)
    }

    fn check_data(&self, info: &ImageInfo) -> Result<(), RecipeError> {
        check_palette(self.palette, info.palette.as_ref())
    }

    fn activations(&self, info: &ImageInfo) -> u64 {
        let pixels = info.shape.height * info.shape.width;
        let palette = chosen(self.palette, info.palette.as_ref());
        let palette = palette.map_or(0, |palette| PaletteHead::activations(palette, pixels));
        memory::of_image(info, self.width, self.blocks).saturating_add(palette)
    }
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Encoder,
    to_code: Conv2d,
    from_code: Conv2d,
    decoder: Decoder,
    /// Where a pixel is a choice among colours.
    palette: Option<PaletteHead>,
}

/// Either quantizer, with the same three calls.
#[derive(Debug)]
enum Quantizer {
    Ema(Codebook, GradientEstimator),
    Fsq(Fsq),
}

impl Quantizer {
    fn size(&self) -> usize {
        match self {
            Self::Ema(book, _) => book.size(),
            Self::Fsq(fsq) => fsq.size(),
        }
    }

    fn quantize(&self, x: Tensor<2>) -> Quantized {
        match self {
            Self::Ema(book, estimator) => book.quantize(x, *estimator),
            Self::Fsq(fsq) => fsq.quantize(x),
        }
    }

    fn lookup(&self, codes: &[u32], device: &Device) -> Tensor<2> {
        match self {
            Self::Ema(book, _) => book.lookup(codes, device),
            Self::Fsq(fsq) => fsq.lookup(codes, device),
        }
    }
}

impl Part for Quantizer {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        if let Self::Ema(book, _) = self {
            book.save_weights(name, map);
        }
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        match self {
            Self::Ema(book, _) => book.load_weights(name, map),
            Self::Fsq(_) => Ok(()),
        }
    }

    fn parameters(&self) -> usize {
        match self {
            Self::Ema(book, _) => book.parameters(),
            Self::Fsq(_) => 0,
        }
    }
}

/// A VQ-VAE, its prior, and their optimisers.
#[derive(Debug)]
pub struct Vqvae {
    config: Config,
    info: ImageInfo,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    quantizer: Quantizer,
    prior: Trainable<CodeWriter>,
    /// Channels, height and width of the grid of codes.
    grid: (usize, usize, usize),
}

impl GenerativeModel<Image> for Vqvae {
    type Config = Config;

    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        let trunk = Trunk {
            shape: info.shape,
            width: config.width,
            blocks: config.blocks,
            halvings: Trunk::halvings_to(info.shape, config.grid.max(2)),
            d_cond: 0,
        };
        let (channels, height, width) = trunk.bottom();
        let (quantizer, d) = match config.quantizer {
            QuantizerKind::Ema => (
                Quantizer::Ema(Codebook::new(config.codes, config.code_dim), config.gradient),
                config.code_dim,
            ),
            QuantizerKind::Fsq => {
                let fsq = Fsq::of_size(config.codes);
                let d = fsq.dims();
                (Quantizer::Fsq(fsq), d)
            }
        };
        let on = device.clone().autodiff();
        let palette = chosen(config.palette, info.palette.as_ref());
        let outputs = palette.map_or(2 * info.shape.channels, PaletteHead::features);
        let autoencoder = Autoencoder {
            encoder: Encoder::new(&trunk, &on, rng),
            to_code: Conv2d::new(channels, d, 1, 1.0, &on, rng),
            from_code: Conv2d::new(d, channels, 3, 1.0, &on, rng),
            decoder: Decoder::new(&trunk, outputs, &on, rng),
            palette: palette.map(|palette| PaletteHead::new(palette, &on, rng)),
        };
        let prior = CodeShape {
            size: quantizer.size(),
            grid: (height, width),
            frames: 1,
            classes: info.classes,
            layers: config.prior_layers,
            heads: heads(config.prior_width),
            width: config.prior_width,
            lookup: config.prior_lookup,
        };
        let adam = AdamW { weight_decay: 0.05, ..AdamW::default() };
        Self {
            autoencoder: Trainable::with_muon(autoencoder, AdamW::default(), is_hidden),
            prior: CodeWriter::new(prior, &on, rng).trainable(adam),
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            quantizer,
            grid: (d, height, width),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("codes", 0.0), ("prior over codes", self.config.prior_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.step_autoencoder(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }
    }

    /// Phase 1: mean squared error in [0, 1], bits of the pixels given the codes, usage of the codes; with a palette the
    /// bits come first. Phase 2: total bits per dimension (codes and pixels given the codes).
    fn validate(&self, batch: &ImageBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        let net = self.autoencoder.averaged();
        let (codes, mse, pixel_nats) = self.pixel_nats(&net, batch);
        let dims = self.info.shape.pixels() as f64;
        let bits = |nats: f64| nats / dims / std::f64::consts::LN_2;
        let mean = |nats: &[f64]| nats.iter().sum::<f64>() / nats.len().max(1) as f64;
        let usage = used(&codes) as f64 / self.quantizer.size() as f64;
        if progress < self.config.prior_start {
            let pixel_bits = bits(mean(&pixel_nats));
            let mut metrics = [("mse", mse), ("pixel_bits_per_dim", pixel_bits), ("usage", usage)];
            if net.palette.is_some() {
                metrics.swap(0, 1);
            }
            return Some(Metrics::new(metrics));
        }
        let code_nats = self.code_nats(&self.prior.averaged(), &codes, batch);
        let total = mean(&pixel_nats) + mean(&code_nats);
        Some(Metrics::new([
            ("bits_per_dim", bits(total)),
            ("code_nats", mean(&code_nats)),
            ("mse", mse),
            ("usage", usage),
        ]))
    }

    /// Codes drawn one after another from the prior (keys and values cached), then decoded. Variations of an
    /// image keep its first codes, the upper part of the picture, and draw the rest.
    fn sample(&self, draw: &ImageSampleParams, rng: &mut Rng) -> Vec<u8> {
        let prior = self.prior.averaged();
        let net = self.autoencoder.averaged();
        let guidance = draw.guidance.map_or(self.config.guidance, f64::from);
        let kept = self.kept_codes(&net, draw.conditioning);
        let ImageSampleParams { temperature, top_k, top_p, .. } = *draw;
        let choice = SamplingParams { temperature, top_k, top_p, ..SamplingParams::default() };
        in_batches(draw, self.info.classes, |part| {
            let codes = prior.write(part.labels, &kept, 1, choice, guidance, rng);
            self.pixels(&net, &codes)
        })
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        matches!(conditioning, Conditioning::None | Conditioning::Vary { .. })
    }

    /// Through the codes and back.
    fn reconstruct(&self, batch: &ImageBatch, _rng: &mut Rng) -> Option<Vec<u8>> {
        let net = self.autoencoder.averaged();
        let codes = self.codes(&net, batch);
        Some(self.pixels(&net, &codes))
    }

    /// `−log p(codes) − log p(x | codes)`: an upper bound of `−log p(x)`, nats an item.
    fn nll(&self, batch: &ImageBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        let (codes, _, pixel_nats) = self.pixel_nats(&self.autoencoder.averaged(), batch);
        let code_nats = self.code_nats(&self.prior.averaged(), &codes, batch);
        Some(pixel_nats.iter().zip(code_nats).map(|(pixels, codes)| pixels + codes).collect())
    }

    parts!("autoencoder" = autoencoder, "prior" = prior, "codebook" = quantizer);
}

impl Vqvae {
    fn step_autoencoder(
        &mut self,
        batch: &ImageBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let device = self.device.clone().autodiff();
        let x = to_model(&batch.pixels, self.info.shape, &device);
        let z = self.encode(self.autoencoder.net(), x.clone()); // [n·h·w, d]
        let inputs = to_vec(&z);
        if let Quantizer::Ema(book, _) = &mut self.quantizer
            && !book.is_initialised()
        {
            book.initialise(&inputs, rng);
        }
        let quantized = self.quantizer.quantize(z);
        let net = self.autoencoder.net();
        let out = self.decode(net, quantized.vectors.clone());
        let [watched, nll, loss] = losses(net.palette.as_ref(), out, x, &batch.pixels, self.area(), rng);
        let loss = loss + quantized.commitment.clone() * self.config.commitment;
        let commitment = f64::from(quantized.commitment.into_scalar::<f32>());
        let [watched, nll] = [watched, nll].map(|t| f64::from(t.into_scalar::<f32>()));
        let (_, norm) =
            self.autoencoder.update(loss, self.config.lr * Schedule::default().factor(progress))?;
        let perplexity = perplexity(&quantized.codes, self.quantizer.size());
        let revived = match &mut self.quantizer {
            Quantizer::Ema(book, _) => book.update(&inputs, &quantized.codes, rng),
            Quantizer::Fsq(_) => 0,
        };
        Ok(Metrics::new([
            ("loss", watched),
            ("bits_per_dim", nll / std::f64::consts::LN_2),
            ("commitment", commitment),
            ("perplexity", perplexity),
            ("revived", revived as f64),
            ("grad_norm", norm),
        ]))
    }

    fn step_prior(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let codes = self.codes(&self.autoencoder.averaged(), batch);
        let classes =
            class_input(&batch.labels, batch.n, self.info.classes, self.config.label_drop as f32, rng);
        let loss = self.prior.net().losses(&codes, batch.n, &classes).mean();
        let (loss, norm) =
            self.prior.update(loss, self.config.prior_lr * Schedule::default().factor(progress))?;
        Ok(Metrics::new([("loss", loss), ("perplexity", loss.exp()), ("grad_norm", norm)]))
    }

    /// The codes that samples begin with: the first share of an image's, nothing otherwise.
    fn kept_codes(&self, net: &Autoencoder, start: &Conditioning<Vec<u8>>) -> Vec<u32> {
        let Conditioning::Vary { item: image, strength } = start else { return Vec::new() };
        let batch = ImageBatch { pixels: image.clone(), labels: Vec::new(), n: 1 };
        let mut codes = self.codes(net, &batch);
        codes.truncate(((1.0 - strength) * codes.len() as f32).round() as usize);
        codes
    }

    /// The codes of each item of a batch, for usage counts: row-major, item after item.
    pub fn codes_of(&self, batch: &ImageBatch) -> Vec<u32> {
        self.codes(&self.autoencoder.averaged(), batch)
    }

    /// Number of codes there are.
    pub fn code_count(&self) -> usize {
        self.quantizer.size()
    }

    /// `x [n, c, h, w]` → one vector a grid cell, `[n · h' · w', d]`.
    fn encode(&self, net: &Autoencoder, x: Tensor<4>) -> Tensor<2> {
        let (d, h, w) = self.grid;
        let n = x.dims()[0];
        net.to_code.forward(net.encoder.forward(x, None)).permute([0, 2, 3, 1]).reshape([n * h * w, d])
    }

    /// Code vectors `[n · h' · w', d]` → what the decoder says of each pixel, `[n, outputs, h, w]`.
    fn decode(&self, net: &Autoencoder, vectors: Tensor<2>) -> Tensor<4> {
        let (d, h, w) = self.grid;
        let n = vectors.dims()[0] / (h * w);
        let map = vectors.reshape([n, h, w, d]).permute([0, 3, 1, 2]);
        net.decoder.forward(net.from_code.forward(map), None)
    }

    /// The most probable colours, or the means, of images of these codes.
    fn pixels(&self, net: &Autoencoder, codes: &[u32]) -> Vec<u8> {
        let out = self.decode(net, self.quantizer.lookup(codes, &self.device));
        match &net.palette {
            Some(palette) => palette.pixels(out, self.area()),
            None => to_pixels(&logistic(out).0),
        }
    }

    /// Pixels of a channel.
    fn area(&self) -> usize {
        self.info.shape.height * self.info.shape.width
    }

    fn codes(&self, net: &Autoencoder, batch: &ImageBatch) -> Vec<u32> {
        let x = to_model(&batch.pixels, self.info.shape, &self.device);
        self.quantizer.quantize(self.encode(net, x)).codes
    }

    /// Codes, mean squared error in [0, 1], and `−log p(x | codes)` of each item.
    fn pixel_nats(&self, net: &Autoencoder, batch: &ImageBatch) -> (Vec<u32>, f64, Vec<f64>) {
        let x = to_model(&batch.pixels, self.info.shape, &self.device);
        let quantized = self.quantizer.quantize(self.encode(net, x.clone()));
        let out = self.decode(net, quantized.vectors);
        let Judged { mse, nats } = judge(net.palette.as_ref(), out, x, &batch.pixels, self.area());
        (quantized.codes, mse, nats)
    }

    /// `−log p(codes | label)` of each item.
    fn code_nats(&self, prior: &CodeWriter, codes: &[u32], batch: &ImageBatch) -> Vec<f64> {
        let nats = to_vec(&prior.losses(codes, batch.n, &batch_classes(batch, self.info.classes)));
        nats.chunks(nats.len() / batch.n.max(1))
            .map(|item| item.iter().map(|&v| f64::from(v)).sum())
            .collect()
    }
}

fn used(codes: &[u32]) -> usize {
    codes.iter().collect::<std::collections::HashSet<_>>().len()
}

/// `exp` of the entropy of the codes' frequencies: how many codes are used, as if evenly.
fn perplexity(codes: &[u32], size: usize) -> f64 {
    let mut counts = vec![0usize; size];
    codes.iter().for_each(|&c| counts[c as usize] += 1);
    let n = codes.len() as f64;
    let entropy: f64 =
        counts.iter().filter(|&&c| c > 0).map(|&c| -(c as f64 / n) * (c as f64 / n).ln()).sum();
    entropy.exp()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        common::test_support::{check_colours, check_overfits, check_save_load},
        image::test_support::{tiny_batch, tiny_info, tiny_palette},
    };

    fn tiny(quantizer: QuantizerKind) -> Vqvae {
        of_info(quantizer, &tiny_info())
    }

    /// The same, whose pixels are choices among the colours of the tiny batch.
    fn tiny_with_palette() -> Vqvae {
        of_info(QuantizerKind::Ema, &ImageInfo { palette: Some(tiny_palette()), ..tiny_info() })
    }

    fn of_info(quantizer: QuantizerKind, info: &ImageInfo) -> Vqvae {
        let config = Config {
            quantizer,
            codes: 32,
            grid: 4,
            width: 16,
            prior_width: 48,
            palette: info.palette.is_some(),
            ..Config::preset(Size::Tiny, info)
        };
        Vqvae::new(&config, info, &Device::flex(), &mut Rng::new(1, 0))
    }

    #[test]
    fn overfits_one_batch() {
        for mut model in [tiny(QuantizerKind::Ema), tiny(QuantizerKind::Fsq), tiny_with_palette()] {
            let from = model.config.prior_start;
            check_overfits(60, |p, rng| model.step(&tiny_batch(), p * from * 0.99, rng).unwrap());
            check_overfits(60, |p, rng| model.step(&tiny_batch(), from + p * (1.0 - from), rng).unwrap());
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let both: [fn() -> Vqvae; 2] = [|| tiny(QuantizerKind::Ema), tiny_with_palette];
        for fresh in both {
            let mut a = fresh();
            a.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
            a.step(&tiny_batch(), 0.6, &mut Rng::new(2, 1)).unwrap();
            let mut b = fresh();
            check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
            let draw = ImageSampleParams::new(3, &[0, 1, 2]);
            assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
            for progress in [0.2, 0.7] {
                let step = |m: &mut Vqvae| m.step(&tiny_batch(), progress, &mut Rng::new(4, 0)).unwrap();
                assert_eq!(step(&mut a), step(&mut b));
            }
        }
    }

    #[test]
    fn new_images_have_only_colours_of_the_palette() {
        let mut model = tiny_with_palette();
        for i in 0..3 {
            model.step(&tiny_batch(), 0.1, &mut Rng::new(2, i)).unwrap();
        }
        let made = model.sample(&ImageSampleParams::new(3, &[0, 1, 2]), &mut Rng::new(3, 0));
        let back = model.reconstruct(&tiny_batch(), &mut Rng::new(3, 0)).unwrap();
        assert_eq!((made.len(), back.len()), (3 * 144, 8 * 144));
        let nats = model.nll(&tiny_batch(), 1, &mut Rng::new(1, 0));
        check_colours(&tiny_palette(), 144, &[made, back], nats, 8);
    }

    #[test]
    fn variations_keep_the_first_codes() {
        let mut model = tiny(QuantizerKind::Ema);
        model.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
        let image = tiny_batch().pixels[..144].to_vec();
        let one = ImageBatch { pixels: image.clone(), labels: vec![], n: 1 };
        let net = model.autoencoder.averaged();
        let kept = |strength| model.kept_codes(&net, &Conditioning::Vary { item: image.clone(), strength });
        assert_eq!(kept(0.0), model.codes_of(&one));
        // Of nine codes a third is drawn anew.
        assert_eq!(kept(1.0 / 3.0), model.codes_of(&one)[..6]);
        assert!(kept(1.0).is_empty());
        let start = Conditioning::Vary { item: image.clone(), strength: 0.0 };
        let same = model.sample(
            &ImageSampleParams { conditioning: &start, ..ImageSampleParams::new(1, &[]) },
            &mut Rng::new(3, 0),
        );
        assert_eq!(Some(same), model.reconstruct(&one, &mut Rng::new(1, 0)));
    }
}
