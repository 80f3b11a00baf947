//! A vector-quantized autoencoder of clips with a transformer over its codes (VideoGPT, Yan et al., arXiv:2104.10157).
//!
//! Phase 1: an encoder of 2 + 1 dimensions (`net.rs`) maps each frame to a small grid of vectors, each replaced by the
//! nearest of a finite set of codes (van den Oord et al., arXiv:1711.00937; gradient by rotation, Fifty et al.,
//! arXiv:2410.06424), and a decoder maps the codes of all frames back:
//!
//! `L = ‖x − x̂‖² + ‖x − x̂‖₁ / 10 + β ‖z − sg(c)‖² + λ · DL(x; sg(x̂), s)`,
//!
//! where the last term fits the scale `s` of a discretised logistic around the reconstruction, which makes the whole
//! model a density: `−log p(x) ≤ −log p(codes) − log p(x | codes)`. Where few colours cover the data, a pixel is a choice
//! among them (`common/palette.rs`), and `L = −log p(x | codes) + β ‖z − sg(c)‖²`, with the mean over pixels. The encoder
//! looks back only: frames that are known are encoded alone, and the codes of later ones are written behind theirs.
//! Phase 2: the autoencoder is frozen and a causal transformer learns `p(codes | label)` (`common/codes.rs`).

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::VideoBatch;
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable,
    quantize::{Codebook, GradientEstimator},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::Video;
use super::{
    Conditioning, VideoInfo, VideoSampleParams,
    net::{
        Trunk, VideoDecoder, VideoEncoder, batch_of, first_frames, frames_of, from_frames, in_parts,
        is_hidden, keep_given, parts_of, to_frames,
    },
};
use crate::models::common::codes::{CodeShape, CodeWriter};
use crate::models::common::palette::{Judged, PaletteHead, chosen, judge, logistic, losses};
use crate::models::common::stages::Stage;
use crate::models::options::{check_even, check_palette};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::recipe::RecipeError;
use crate::{
    events::Metrics,
    models::{Size, common::classes::class_input, heads},
};

/// Options of a VQ-VAE of clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Codes in the codebook.
    pub codes: usize,
    /// Dimensions of a code vector; small ones use the codebook better (Yu et al., arXiv:2110.04627).
    pub code_dim: usize,
    /// Longest side of the grid of codes of a frame.
    pub grid: usize,
    /// Channels at the size that both ends work at; twice as many below.
    pub width: usize,
    /// Residual blocks a size.
    pub blocks: usize,
    /// Blocks over time, in the encoder and in the decoder.
    pub time_blocks: usize,
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
    /// Clips per step.
    pub batch: usize,
    /// Peak learning rate of the autoencoder, in phase 1; of AdamW and Muon alike.
    pub lr: f64,
    /// Peak learning rate of the prior, in phase 2; of AdamW and Muon alike.
    pub prior_lr: f64,
    /// Probability that a label is hidden in training, so that clips without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
    /// Default guidance weight of sampling with labels; 1 is none.
    pub guidance: f64,
    /// Whether a pixel is a choice among the colours of the data, which have to be few; otherwise it is numbers.
    #[serde(default)]
    pub palette: bool,
}

impl FamilyConfig<Video> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &VideoInfo) -> Self {
        let (width, blocks, codes, prior_layers, prior_width) = match size {
            Size::Tiny => (32, 1, 256, 2, 96),
            Size::Small => (64, 1, 512, 4, 192),
            Size::Base => (96, 2, 1024, 6, 384),
            Size::Large => (160, 3, 1024, 10, 512),
        };
        Self {
            codes,
            code_dim: 8,
            grid: 8,
            width,
            blocks,
            time_blocks: 2,
            commitment: 0.25,
            prior_layers,
            prior_width,
            prior_lookup: true,
            prior_start: 0.4,
            batch: batch_of(64, info),
            lr: 5e-3,
            prior_lr: 1e-2,
            label_drop: 0.1,
            guidance: 1.5,
            palette: false,
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        check_even("prior_width", self.prior_width)
    }

    fn check_data(&self, info: &VideoInfo) -> Result<(), RecipeError> {
        check_palette(self.palette, info.palette.as_ref())
    }

    fn activations(&self, info: &VideoInfo) -> u64 {
        let pixels = info.frames * info.shape.height * info.shape.width;
        let palette = chosen(self.palette, info.palette.as_ref());
        let palette = palette.map_or(0, |palette| PaletteHead::activations(palette, pixels));
        memory::of_clip(info, self.width, self.blocks).saturating_add(palette)
    }
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: VideoEncoder,
    decoder: VideoDecoder,
    /// Where a pixel is a choice among colours.
    palette: Option<PaletteHead>,
}

/// A VQ-VAE of clips, its prior, and their optimisers.
#[derive(Debug)]
pub struct Vqvae {
    config: Config,
    info: VideoInfo,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    codebook: Codebook,
    prior: Trainable<CodeWriter>,
}

impl GenerativeModel<Video> for Vqvae {
    type Config = Config;

    fn new(config: &Config, info: &VideoInfo, device: &Device, rng: &mut Rng) -> Self {
        let trunk = Trunk::new(info.shape, config.width, config.blocks, config.time_blocks, config.grid);
        let on = device.clone().autodiff();
        let palette = chosen(config.palette, info.palette.as_ref());
        let outputs = palette.map_or(2 * info.shape.channels, PaletteHead::features);
        let autoencoder = Autoencoder {
            encoder: VideoEncoder::new(trunk, config.code_dim, &on, rng),
            decoder: VideoDecoder::new(trunk, config.code_dim, outputs, &on, rng),
            palette: palette.map(|palette| PaletteHead::new(palette, &on, rng)),
        };
        let width = config.prior_width;
        let prior = CodeShape {
            size: config.codes,
            grid: trunk.grid(),
            frames: info.frames,
            classes: info.classes,
            layers: config.prior_layers,
            heads: heads(width),
            width,
            lookup: config.prior_lookup,
        };
        Self {
            autoencoder: Trainable::with_muon(autoencoder, AdamW::default(), is_hidden),
            prior: CodeWriter::new(prior, &on, rng).trainable(AdamW::default()),
            codebook: Codebook::new(config.codes, config.code_dim),
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("codes", 0.0), ("prior over codes", self.config.prior_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.step_autoencoder(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }
    }

    /// Phase 1: mean squared error in [0, 1], bits of the pixels given the codes, usage of the codes; with a palette the
    /// bits come first. Phase 2: total bits per dimension (codes and pixels given the codes).
    fn validate(&self, batch: &VideoBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        let Coded { codes, mse, pixel_nats } = self.coded(&self.autoencoder.averaged(), batch);
        let dims = (self.info.frames * self.info.shape.pixels()) as f64;
        let bits = |nats: f64| nats / dims / std::f64::consts::LN_2;
        let mean = |nats: &[f64]| nats.iter().sum::<f64>() / nats.len().max(1) as f64;
        let used = codes.iter().collect::<std::collections::HashSet<_>>().len();
        let usage = used as f64 / self.codebook.size() as f64;
        if progress < self.config.prior_start {
            let pixel_bits = bits(mean(&pixel_nats));
            let mut metrics = [("mse", mse), ("pixel_bits_per_dim", pixel_bits), ("usage", usage)];
            if self.autoencoder.net().palette.is_some() {
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

    /// Codes drawn one after another from the prior, then decoded. Variations of a clip keep its first codes and draw
    /// the rest.
    fn sample(&self, draw: &VideoSampleParams, rng: &mut Rng) -> Vec<u8> {
        let &VideoSampleParams { n, labels, frames, ref conditioning, choice, guidance, .. } = draw;
        let (prior, net) = (self.prior.averaged(), self.autoencoder.averaged());
        let guidance = guidance.unwrap_or(self.config.guidance);
        let known = self.known(&net, conditioning, frames);
        let mut pixels = in_parts(n, labels, frames, self.info.classes, |labels| {
            let codes = prior.write(labels, &known, frames, choice, guidance, rng);
            self.pixels(&net, &codes, frames)
        });
        keep_given(&mut pixels, conditioning, self.info.shape, frames);
        pixels
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Interpolate { .. } | Conditioning::Blend { .. })
    }

    /// Through the codes and back: bytes as in the batch.
    fn reconstruct(&self, batch: &VideoBatch, _rng: &mut Rng) -> Option<Vec<u8>> {
        let (net, frames) = (self.autoencoder.averaged(), self.info.frames);
        let through = |part: VideoBatch| {
            let codes = self.codes(&net, &part.pixels, frames);
            self.pixels(&net, &codes, frames)
        };
        Some(parts_of(batch, &self.info).into_iter().flat_map(through).collect())
    }

    /// `−log p(codes) − log p(x | codes)`: an upper bound of `−log p(x)`, nats an item.
    fn nll(&self, batch: &VideoBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        let (net, prior) = (self.autoencoder.averaged(), self.prior.averaged());
        let bound = |part: VideoBatch| -> Vec<f64> {
            let Coded { codes, pixel_nats, .. } = self.coded(&net, &part);
            let code_nats = self.code_nats(&prior, &codes, &part);
            pixel_nats.iter().zip(code_nats).map(|(pixels, codes)| pixels + codes).collect()
        };
        Some(parts_of(batch, &self.info).into_iter().flat_map(bound).collect())
    }

    parts!("autoencoder" = autoencoder, "prior" = prior, "codebook" = codebook);
}

impl Vqvae {
    fn step_autoencoder(
        &mut self,
        batch: &VideoBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let VideoInfo { shape, frames, .. } = self.info;
        let x = to_frames(&batch.pixels, shape, frames, &self.device.clone().autodiff());
        let z = self.autoencoder.net().encoder.forward(x.clone(), frames); // [n · frames · cells, d]
        let inputs = to_vec(&z);
        if !self.codebook.is_initialised() {
            self.codebook.initialise(&inputs, rng);
        }
        let found = self.codebook.quantize(z, GradientEstimator::Rotation);
        let net = self.autoencoder.net();
        let out = net.decoder.forward(found.vectors.clone(), frames);
        let area = self.area(frames);
        let [watched, nll, loss] = losses(net.palette.as_ref(), out, x, &batch.pixels, area, rng);
        let values = [&watched, &nll, &found.commitment].map(|t| f64::from(t.clone().into_scalar::<f32>()));
        let loss = loss + found.commitment.clone() * self.config.commitment;
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (_, norm) = self.autoencoder.update(loss, lr)?;
        let revived = self.codebook.update(&inputs, &found.codes, rng);
        Ok(Metrics::new([
            ("loss", values[0]),
            ("bits_per_dim", values[1] / std::f64::consts::LN_2),
            ("commitment", values[2]),
            ("revived", revived as f64),
            ("grad_norm", norm),
        ]))
    }

    fn step_prior(&mut self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let codes = self.codes(&self.autoencoder.averaged(), &batch.pixels, self.info.frames);
        let drop = self.config.label_drop as f32;
        let labels = class_input(&batch.labels, batch.n, self.info.classes, drop, rng);
        let loss = self.prior.net().losses(&codes, batch.n, &labels).mean();
        let lr = self.config.prior_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(loss, lr)?;
        Ok(Metrics::new([("loss", loss), ("perplexity", loss.exp()), ("grad_norm", norm)]))
    }

    /// The codes that clips begin with.
    fn known(&self, net: &Autoencoder, start: &Conditioning<&[u8]>, frames: usize) -> Vec<u32> {
        let (pixels, share) = match start {
            Conditioning::Vary { item: pixels, strength } => (pixels, 1.0 - strength),
            Conditioning::Continue { item: pixels } => (pixels, 1.0),
            _ => return Vec::new(),
        };
        let first = first_frames(pixels, self.info.shape, frames);
        let mut codes = match frames_of(&first, self.info.shape) {
            0 => Vec::new(),
            known => self.codes(net, &first, known),
        };
        codes.truncate((share * codes.len() as f32).round() as usize);
        codes
    }

    /// The codes of each item of a batch, for usage counts: frame after frame, item after item.
    pub fn codes_of(&self, batch: &VideoBatch) -> Vec<u32> {
        self.codes(&self.autoencoder.averaged(), &batch.pixels, self.info.frames)
    }

    /// Number of codes there are.
    pub fn code_count(&self) -> usize {
        self.codebook.size()
    }

    /// Pixels of a channel of a clip.
    fn area(&self, frames: usize) -> usize {
        frames * self.info.shape.height * self.info.shape.width
    }

    /// What the decoder says of each pixel: `[n · frames, outputs, h, w]`.
    fn decode(&self, net: &Autoencoder, codes: &[u32], frames: usize) -> Tensor<4> {
        net.decoder.forward(self.codebook.lookup(codes, &self.device), frames)
    }

    /// The most probable colours, or the means, of clips of these codes.
    fn pixels(&self, net: &Autoencoder, codes: &[u32], frames: usize) -> Vec<u8> {
        let out = self.decode(net, codes, frames);
        match &net.palette {
            Some(palette) => palette.pixels(out, self.area(frames)),
            None => from_frames(&logistic(out).0, frames),
        }
    }

    /// The codes of clips of `frames` frames.
    fn codes(&self, net: &Autoencoder, pixels: &[u8], frames: usize) -> Vec<u32> {
        let x = to_frames(pixels, self.info.shape, frames, &self.device);
        self.codebook.nearest(&to_vec(&net.encoder.forward(x, frames)))
    }

    fn coded(&self, net: &Autoencoder, batch: &VideoBatch) -> Coded {
        let VideoInfo { shape, frames, .. } = self.info;
        let x = to_frames(&batch.pixels, shape, frames, &self.device);
        let codes = self.codebook.nearest(&to_vec(&net.encoder.forward(x.clone(), frames)));
        let out = self.decode(net, &codes, frames);
        let Judged { mse, nats } = judge(net.palette.as_ref(), out, x, &batch.pixels, self.area(frames));
        Coded { codes, mse, pixel_nats: nats }
    }

    /// `−log p(codes | label)` of each item.
    fn code_nats(&self, prior: &CodeWriter, codes: &[u32], batch: &VideoBatch) -> Vec<f64> {
        let nats = to_vec(&prior.losses(codes, batch.n, &batch.labels));
        let clip = |codes: &[f32]| codes.iter().map(|&v| f64::from(v)).sum();
        nats.chunks_exact((nats.len() / batch.n.max(1)).max(1)).map(clip).collect()
    }
}

/// A batch through the autoencoder.
struct Coded {
    codes: Vec<u32>,
    /// In [0, 1].
    mse: f64,
    /// `−log p(x | codes)` of each item.
    pixel_nats: Vec<f64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        Family, SamplingParams, VideoConfig,
        common::test_support::{check_colours, check_overfits, check_save_load},
        video::test_support::{tiny_batch, tiny_info, tiny_palette},
    };

    fn tiny() -> Vqvae {
        of_info(&tiny_info())
    }

    /// The same, whose pixels are choices among the colours of the tiny batch.
    fn tiny_with_palette() -> Vqvae {
        of_info(&VideoInfo { palette: Some(tiny_palette()), ..tiny_info() })
    }

    fn of_info(info: &VideoInfo) -> Vqvae {
        let config = Config {
            codes: 32,
            grid: 3,
            width: 16,
            prior_width: 32,
            palette: info.palette.is_some(),
            ..Config::preset(Size::Tiny, info)
        };
        Vqvae::new(&config, info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn draw<'a>(n: usize, frames: usize, start: Conditioning<&'a [u8]>) -> VideoSampleParams<'a> {
        VideoSampleParams {
            n,
            labels: &[0, 1, 2],
            frames,
            conditioning: start,
            choice: SamplingParams::default(),
            guidance: None,
            autoguidance: None,
        }
    }

    #[test]
    fn overfits_one_batch() {
        for mut model in [tiny(), tiny_with_palette()] {
            let from = model.config.prior_start;
            check_overfits(60, |p, rng| model.step(&tiny_batch(), p * from * 0.99, rng).unwrap());
            check_overfits(60, |p, rng| model.step(&tiny_batch(), from + p * (1.0 - from), rng).unwrap());
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let both: [fn() -> Vqvae; 2] = [tiny, tiny_with_palette];
        for fresh in both {
            let mut a = fresh();
            a.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
            a.step(&tiny_batch(), 0.6, &mut Rng::new(2, 1)).unwrap();
            let mut b = fresh();
            check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
            let draw = VideoSampleParams { guidance: Some(2.0), ..draw(3, 4, Conditioning::None) };
            assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
            for progress in [0.2, 0.7] {
                let step = |m: &mut Vqvae| m.step(&tiny_batch(), progress, &mut Rng::new(4, 0)).unwrap();
                assert_eq!(step(&mut a), step(&mut b));
            }
        }
    }

    #[test]
    fn new_clips_have_only_colours_of_the_palette() {
        let mut model = tiny_with_palette();
        let area = model.area(4);
        for i in 0..3 {
            model.step(&tiny_batch(), 0.1, &mut Rng::new(2, i)).unwrap();
        }
        let made = model.sample(&draw(3, 4, Conditioning::None), &mut Rng::new(3, 0));
        let back = model.reconstruct(&tiny_batch(), &mut Rng::new(3, 0)).unwrap();
        assert_eq!((made.len(), back.len()), (3 * 3 * area, 4 * 3 * area));
        let told = |progress: f64| model.validate(&tiny_batch(), progress, &mut Rng::new(1, 0)).unwrap();
        assert_eq!((&told(0.1).0[0].0[..], &told(0.9).0[0].0[..]), ("pixel_bits_per_dim", "bits_per_dim"));
        let nats = model.nll(&tiny_batch(), 1, &mut Rng::new(1, 0));
        check_colours(&tiny_palette(), area, &[made, back], nats, 4);
    }

    #[test]
    fn a_palette_is_refused_where_there_is_none_and_left_out_unless_asked_for() {
        let options: toml::Table = "palette = true".parse().unwrap();
        let preset = |info: &VideoInfo, options: &toml::Table| {
            VideoConfig::preset(Some(Family::Vqvae), Size::Tiny, info, options)
        };
        assert!(preset(&tiny_info(), &options).is_err());
        let info = VideoInfo { palette: Some(tiny_palette()), ..tiny_info() };
        assert!(preset(&info, &options).is_ok());
        let model =
            Vqvae::new(&Config::preset(Size::Tiny, &info), &info, &Device::flex(), &mut Rng::new(1, 0));
        assert!(model.autoencoder.net().palette.is_none());
    }

    #[test]
    fn clips_have_any_length_and_keep_what_they_begin_with() {
        let mut model = tiny();
        model.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
        let (batch, shape) = (tiny_batch(), model.info.shape);
        let clip = &batch.pixels[..4 * shape.pixels()];
        for frames in [1, 2, 7] {
            for known in [1, 4] {
                let given = first_frames(clip, shape, known);
                let start = Conditioning::Continue { item: &given[..] };
                let made = model.sample(&draw(2, frames, start), &mut Rng::new(3, 0));
                assert_eq!(made.len(), 2 * frames * shape.pixels());
                let kept = known.min(frames);
                for made in made.chunks_exact(frames * shape.pixels()) {
                    assert_eq!(first_frames(made, shape, kept), first_frames(clip, shape, kept));
                }
            }
        }
        let one = VideoBatch { pixels: clip.to_vec(), labels: vec![], n: 1 };
        let same = draw(1, 4, Conditioning::Vary { item: clip, strength: 0.0 });
        let back = model.reconstruct(&one, &mut Rng::new(1, 0)).unwrap();
        assert_eq!(model.sample(&same, &mut Rng::new(3, 0)), back);
        let net = model.autoencoder.averaged();
        let half = model.known(&net, &Conditioning::Vary { item: clip, strength: 0.5 }, 4);
        assert_eq!(half, model.codes_of(&one)[..2 * 9]);
        let nats = model.nll(&batch, 1, &mut Rng::new(1, 0)).unwrap();
        assert!(nats.len() == 4 && nats.iter().all(|nats| nats.is_finite()));
    }
}
