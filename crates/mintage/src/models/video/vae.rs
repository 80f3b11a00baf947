//! A variational autoencoder of clips with a flow over its latents (latent video diffusion, Blattmann et al.,
//! arXiv:2304.08818).
//!
//! Stage 1: an autoencoder maps each frame to a small grid of Gaussians, and draws from those of all frames back
//! (`autoencoder.rs`).
//! Stage 2: the autoencoder is frozen, and a flow learns `p(z | label, first frames)` (`common/latents.rs`), over latents
//! brought to unit variance. It draws by integrating, so the model has no density to speak of.
//! Stage 3, if a share of the budget is given to it: what comes behind the first half of a window is learned as its mean
//! (`forecast.rs`), and the flow begins there, part of the way from noise.

use burn::tensor::{Device, Tensor};
use mintage_data::VideoBatch;
use mintage_nn::{AdamW, NotFinite, Rng, Schedule, Trainable, weights::to_vec};
use serde::{Deserialize, Serialize};

use super::Video;
use super::{
    Conditioning, VideoInfo, VideoSampleParams,
    autoencoder::{Autoencoder, Coder},
    forecast::Forecaster,
    net::{Trunk, batch_of, first_frames, frames_of, from_frames, in_parts, keep_given, to_frames},
};
use crate::models::common::{
    early::{WithEarly, no_autoguidance},
    latents::{FlowShape, LatentFlowMatching, Wanted},
    palette::{PaletteHead, chosen},
    stages,
};
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

/// Options of a VAE of clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of a latent vector.
    pub latent: usize,
    /// Longest side of the grid of latent vectors of a frame.
    pub grid: usize,
    /// Channels at the size that both ends work at; twice as many below.
    pub width: usize,
    /// Residual blocks a size.
    pub blocks: usize,
    /// Blocks over time, in the encoder and in the decoder.
    pub time_blocks: usize,
    /// β: weight of the divergence from N(0, I), nats per dimension of the latents.
    pub beta: f64,
    /// Transformer blocks of the prior.
    pub prior_layers: usize,
    /// Width of the prior; even.
    pub prior_width: usize,
    /// How much denser the times of training and sampling lie near noise than near the data; 1 is even (Esser
    /// et al., arXiv:2403.03206, eq. 23).
    pub shift: f64,
    /// Share of the training clips whose first frames the prior is given.
    #[serde(alias = "continued")]
    pub p_continue: f64,
    /// Share of the budget at which stage 2 begins.
    #[serde(alias = "prior_from")]
    pub prior_start: f64,
    /// Share of the budget, at its end, of stage 3; 0 leaves it out.
    pub forecast: f64,
    /// How much of a forecast the flow draws anew: 0 keeps the forecast, the mean of all that may come; 1
    /// begins with noise.
    #[serde(alias = "redrawn")]
    pub resample: f64,
    /// Residual blocks of the forecaster.
    pub forecast_layers: usize,
    /// Channels of the forecaster.
    pub forecast_width: usize,
    /// Peak learning rate of the forecaster, in stage 3; of AdamW and Muon alike.
    pub forecast_lr: f64,
    /// Steps of Heun's rule in sampling; each evaluates the prior twice, the last once.
    pub steps: usize,
    /// Clips per step.
    pub batch: usize,
    /// Peak learning rate of the autoencoder, in stage 1; of AdamW and Muon alike.
    pub lr: f64,
    /// Peak learning rate of the prior, in stage 2; of AdamW and Muon alike.
    pub prior_lr: f64,
    /// Probability that a label is hidden in training, so that clips without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
    /// Default guidance weight of sampling with labels; 1 is none.
    pub guidance: f64,
    /// Default weight of guidance by the network's own weights after a tenth of its training (autoguidance,
    /// Karras et al., arXiv:2406.02507), which doubles the time of sampling; 1 is none.
    #[serde(default = "no_autoguidance")]
    pub autoguidance: f64,
    /// Whether a pixel is a choice among the colours of the data, which have to be few; otherwise it is numbers, as in the
    /// forecast always.
    #[serde(default)]
    pub palette: bool,
}

impl FamilyConfig<Video> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &VideoInfo) -> Self {
        let (width, blocks, prior_layers, prior_width) = match size {
            Size::Tiny => (32, 1, 2, 96),
            Size::Small => (64, 1, 4, 192),
            Size::Base => (96, 2, 6, 384),
            Size::Large => (160, 3, 10, 512),
        };
        Self {
            latent: 8,
            grid: 8,
            width,
            blocks,
            time_blocks: 2,
            beta: 3e-3,
            prior_layers,
            prior_width,
            shift: 1.0,
            p_continue: 0.5,
            prior_start: 0.3,
            forecast: 0.0,
            resample: 0.5,
            forecast_layers: 10,
            forecast_width: 96,
            forecast_lr: 3e-3,
            steps: 12,
            batch: batch_of(64, info),
            lr: 5e-3,
            prior_lr: 5e-3,
            label_drop: 0.1,
            guidance: 1.0,
            autoguidance: 1.0,
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

/// A VAE of clips, its prior, and their optimisers.
#[derive(Debug)]
pub struct Vae {
    config: Config,
    info: VideoInfo,
    device: Device,
    autoencoder: Autoencoder,
    prior: WithEarly<LatentFlowMatching>,
    forecaster: Option<Trainable<Forecaster>>,
}

/// What a step teaches.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Autoencoder,
    Prior,
    Forecast,
}

impl GenerativeModel<Video> for Vae {
    type Config = Config;

    fn new(config: &Config, info: &VideoInfo, device: &Device, rng: &mut Rng) -> Self {
        let trunk = Trunk::new(info.shape, config.width, config.blocks, config.time_blocks, config.grid);
        let on = device.clone().autodiff();
        let d = config.latent;
        let palette = chosen(config.palette, info.palette.as_ref());
        let autoencoder = Autoencoder::new(trunk, d, info, palette, device, rng);
        let width = config.prior_width;
        let prior = FlowShape {
            d,
            cells: trunk.cells(),
            frames: info.frames,
            classes: info.classes,
            layers: config.prior_layers,
            heads: heads(width),
            width,
            shift: config.shift,
        };
        let forecaster = (config.forecast > 0.0).then(|| {
            let (width, layers) = (config.forecast_width, config.forecast_layers);
            let net = Forecaster::new(info.shape, info.frames, width, layers, &on, rng);
            Trainable::with_muon(net, AdamW::default(), Forecaster::is_hidden)
        });
        Self {
            autoencoder,
            prior: WithEarly::new(Trainable::with_muon(
                LatentFlowMatching::new(prior, &on, rng),
                AdamW::default(),
                LatentFlowMatching::is_hidden,
            )),
            forecaster,
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        let before = 1.0 - self.config.forecast;
        let mut stages = vec![("autoencoder", 0.0), ("prior over latents", before * self.config.prior_start)];
        stages.extend(self.forecaster.as_ref().map(|_| ("what comes next", before)));
        stages
    }

    /// One step of whichever stage `progress` lies in; each stage has a schedule of its own.
    fn step(&mut self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match self.stage(progress) {
            (Stage::Autoencoder, over) => {
                let lr = self.config.lr * Schedule::default().factor(over);
                self.autoencoder.step(batch, self.config.beta, lr, rng)
            }
            (Stage::Prior, over) => self.step_prior(batch, over, rng),
            (Stage::Forecast, over) => self.step_forecast(batch, over),
        }
    }

    /// Stages 1 and 3: mean squared error in [0, 1], and in stage 1 nats a dimension of the latents, with a palette behind
    /// the bits of pixels. Stage 2: the loss of the flow.
    fn validate(&self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let VideoInfo { shape, frames, .. } = self.info;
        let (stage, _) = self.stage(progress);
        if let (Stage::Forecast, Some(forecaster)) = (stage, &self.forecaster) {
            let x = to_frames(&batch.pixels, shape, frames, &self.device);
            let mse = forecaster.averaged().loss(x).into_scalar::<f32>();
            return Some(Metrics::new([("mse", f64::from(mse))]));
        }
        if stage == Stage::Autoencoder {
            return Some(self.autoencoder.validate(batch));
        }
        let z = self.latents(batch, rng);
        let classes = class_input(&batch.labels, batch.n, self.info.classes, 0.0, rng);
        let loss = self.prior.averaged().loss(z, &classes, self.config.p_continue, rng);
        Some(Metrics::new([("loss", f64::from(loss.into_scalar::<f32>()))]))
    }

    /// Latents drawn by the flow, then decoded. Variations of a clip begin with its own latents and some
    /// noise, and what follows given frames with the latents of a forecast, where there is one.
    fn sample(&self, draw: &VideoSampleParams, rng: &mut Rng) -> Vec<u8> {
        let &VideoSampleParams { n, labels, frames, ref conditioning, choice, guidance, autoguidance } = draw;
        let (prior, coder) = (self.prior.averaged(), self.autoencoder.coder());
        let early = self.prior.early(autoguidance.unwrap_or(self.config.autoguidance));
        let (mut known, mut like) = (Vec::new(), None);
        match conditioning {
            Conditioning::None | Conditioning::Interpolate { .. } => {}
            Conditioning::Blend { .. } => like = self.blended(&coder, conditioning, frames),
            Conditioning::Vary { item: pixels, strength } => {
                let z = self.means(&coder, pixels, frames);
                like = (!z.is_empty()).then_some((z, 1.0 - strength));
            }
            Conditioning::Continue { item: pixels } => {
                let mean = self.forecast(pixels, frames);
                if let (Some(mean), 0.0) = (&mean, self.config.resample) {
                    return self.repeated(mean, n, conditioning);
                }
                known = self.means(&coder, pixels, frames);
                let begin = 1.0 - self.config.resample as f32;
                like = mean.map(|mean| (to_vec(&coder.encode(mean, frames)), begin));
            }
        }
        let like = like.as_ref().map(|(z, begin)| (&z[..], *begin));
        let mut pixels = in_parts(n, labels, frames, self.info.classes, |classes| {
            let (steps, temperature) = (self.config.steps, choice.temperature);
            let guidance = guidance.unwrap_or(self.config.guidance);
            let wanted = Wanted { classes, frames, known: &known, like, steps, guidance, early, temperature };
            coder.pixels(prior.sample(&wanted, &self.device, rng), frames)
        });
        keep_given(&mut pixels, conditioning, self.info.shape, frames);
        pixels
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Interpolate { .. })
    }

    fn has_early(&self) -> bool {
        self.prior.has_early()
    }

    /// Decodes the means of `q(z|x)`: bytes as in the batch.
    fn reconstruct(&self, batch: &VideoBatch, _rng: &mut Rng) -> Option<Vec<u8>> {
        Some(self.autoencoder.reconstruct(batch))
    }

    parts!("autoencoder" = autoencoder, "prior" = prior, "forecaster" = forecaster);
}

impl Vae {
    /// The stage that `progress` lies in, and how much of it is over.
    fn stage(&self, progress: f64) -> (Stage, f64) {
        let before = 1.0 - self.config.forecast;
        if progress >= before && self.forecaster.is_some() {
            return (Stage::Forecast, (progress - before) / self.config.forecast);
        }
        match stages::Stage::at(progress / before, self.config.prior_start) {
            stages::Stage::First(over) => (Stage::Autoencoder, over),
            stages::Stage::Second(over) => (Stage::Prior, over),
        }
    }

    fn step_prior(&mut self, batch: &VideoBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let z = self.latents(batch, rng);
        let drop = self.config.label_drop as f32;
        let classes = class_input(&batch.labels, batch.n, self.info.classes, drop, rng);
        self.prior.step(&z, &classes, self.config.p_continue, self.config.prior_lr, progress, rng)
    }

    fn step_forecast(&mut self, batch: &VideoBatch, progress: f64) -> Result<Metrics, NotFinite> {
        let VideoInfo { shape, frames, .. } = self.info;
        let x = to_frames(&batch.pixels, shape, frames, &self.device.clone().autodiff());
        let lr = self.config.forecast_lr * Schedule::default().factor(progress);
        let Some(forecaster) = &mut self.forecaster else { return Ok(Metrics::default()) };
        let (loss, norm) = forecaster.update(forecaster.net().loss(x), lr)?;
        Ok(Metrics::new([("loss", loss), ("grad_norm", norm)]))
    }

    /// Draws of `q(z|x)` of a batch, as the prior sees them.
    fn latents(&self, batch: &VideoBatch, rng: &mut Rng) -> Tensor<2> {
        let VideoInfo { shape, frames, .. } = self.info;
        self.autoencoder.coder().draw(to_frames(&batch.pixels, shape, frames, &self.device), frames, rng)
    }

    /// The means of `q(z|x)` of one clip's first frames, as the prior sees them.
    fn means(&self, coder: &Coder, pixels: &[u8], frames: usize) -> Vec<f32> {
        let first = first_frames(pixels, self.info.shape, frames);
        match frames_of(&first, self.info.shape) {
            0 => Vec::new(),
            known => {
                let x = to_frames(&first, self.info.shape, known, &self.device);
                to_vec(&coder.encode(x, known))
            }
        }
    }

    /// The weighted mean of the clips of a blend, which stand still after their ends, and the time at which the flow begins
    /// with it: the share of the seeds is noise, on the straight way that it has learned.
    fn blended(&self, coder: &Coder, blend: &Conditioning<&[u8]>, frames: usize) -> Option<(Vec<f32>, f32)> {
        let items = blend.item_shares();
        let total: f32 = items.iter().map(|(_, share)| share).sum();
        let mut mean = Vec::new();
        for (pixels, share) in items {
            let mut z = self.means(coder, pixels, frames);
            let known = frames_of(pixels, self.info.shape).min(frames);
            let last = z.split_at(z.len() - z.len().checked_div(known)?).1.to_vec();
            (known..frames).for_each(|_| z.extend_from_slice(&last));
            mean.resize(z.len(), 0.0);
            mean.iter_mut().zip(z).for_each(|(sum, z)| *sum += share / total * z);
        }
        (!mean.is_empty()).then_some((mean, total.min(1.0)))
    }

    /// Given frames and the mean of all that may follow them, `frames` in all: `image_model` of one clip.
    /// `None` where that was not learned, or fewer frames are given than it takes.
    fn forecast(&self, pixels: &[u8], frames: usize) -> Option<Tensor<4>> {
        let (forecaster, shape) = (self.forecaster.as_ref()?.averaged(), self.info.shape);
        let known = frames_of(pixels, shape);
        let enough = known >= forecaster.known() && known < frames;
        enough.then(|| forecaster.continued(to_frames(pixels, shape, known, &self.device), frames))
    }

    /// The same clip `n` times: a mean has no variations.
    fn repeated(&self, clip: &Tensor<4>, n: usize, start: &Conditioning<&[u8]>) -> Vec<u8> {
        let frames = clip.dims()[0];
        let mut pixels = from_frames(clip, frames).repeat(n);
        keep_given(&mut pixels, start, self.info.shape, frames);
        pixels
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        SamplingParams,
        common::test_support::{check_overfits, check_save_load},
        video::test_support::{tiny_batch, tiny_info, tiny_palette},
    };

    fn tiny() -> Vae {
        of_info(&tiny_info())
    }

    /// The same, whose pixels are choices among the colours of the tiny batch.
    fn tiny_with_palette() -> Vae {
        of_info(&VideoInfo { palette: Some(tiny_palette()), ..tiny_info() })
    }

    fn of_info(info: &VideoInfo) -> Vae {
        let config = Config {
            latent: 4,
            grid: 3,
            width: 16,
            prior_width: 32,
            steps: 4,
            forecast: 0.4,
            forecast_layers: 1,
            forecast_width: 16,
            palette: info.palette.is_some(),
            ..Config::preset(Size::Tiny, info)
        };
        Vae::new(&config, info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn draw(n: usize, frames: usize, start: Conditioning<&[u8]>) -> VideoSampleParams<'_> {
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
        let mut model = tiny();
        let stages: Vec<f64> = model.stages().iter().map(|(_, from)| *from).chain([1.0]).collect();
        assert_eq!(stages.len(), 4);
        for (stage, steps) in stages.windows(2).zip([60, 100, 60]) {
            let within = |p: f64| stage[0] + p * 0.99 * (stage[1] - stage[0]);
            check_overfits(steps, |p, rng| model.step(&tiny_batch(), within(p), rng).unwrap());
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let mut a = tiny();
        a.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
        a.step(&tiny_batch(), 0.5, &mut Rng::new(2, 1)).unwrap();
        a.step(&tiny_batch(), 0.8, &mut Rng::new(2, 2)).unwrap();
        let mut b = tiny();
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        assert!(a.has_early());
        let draw = VideoSampleParams {
            guidance: Some(2.0),
            autoguidance: Some(2.0),
            ..draw(3, 4, Conditioning::None)
        };
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        for progress in [0.1, 0.5, 0.8] {
            let step = |m: &mut Vae| m.step(&tiny_batch(), progress, &mut Rng::new(4, 0)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn a_palette_is_learned_saved_and_drawn_from() {
        let (mut a, mut b) = (tiny_with_palette(), tiny_with_palette());
        let prior_start = a.stages()[1].1;
        check_overfits(60, |p, rng| a.step(&tiny_batch(), p * 0.99 * prior_start, rng).unwrap());
        a.step(&tiny_batch(), 0.5, &mut Rng::new(2, 1)).unwrap();
        check_save_load(|map| a.save_state(map), |map| b.load_state(map).unwrap());
        let made = a.sample(&draw(3, 4, Conditioning::None), &mut Rng::new(3, 0));
        assert_eq!(made, b.sample(&draw(3, 4, Conditioning::None), &mut Rng::new(3, 0)));
        let (palette, area) = (tiny_palette(), 4 * 144);
        assert!(made.len() == 3 * 3 * area && palette.indices(&made, area).missing.is_empty());
        let told = a.validate(&tiny_batch(), 0.1, &mut Rng::new(1, 0)).unwrap();
        assert_eq!(told.0[0].0, "pixel_bits_per_dim");
    }

    #[test]
    fn what_comes_next_is_the_forecast_or_drawn_from_it() {
        let mut model = tiny();
        for progress in [0.1, 0.5, 0.8] {
            model.step(&tiny_batch(), progress, &mut Rng::new(2, 0)).unwrap();
        }
        let (batch, shape) = (tiny_batch(), model.info.shape);
        let given = first_frames(&batch.pixels[..4 * shape.pixels()], shape, 2);
        let start = Conditioning::Continue { item: &given[..] };
        let mut made = |redrawn: f64, seed: u64| {
            model.config.resample = redrawn;
            model.sample(&draw(2, 6, start.clone()), &mut Rng::new(seed, 0))
        };
        let mean = made(0.0, 3);
        assert_eq!(mean, made(0.0, 4));
        let (first, second) = mean.split_at(mean.len() / 2);
        assert_eq!(first, second);
        assert_eq!(first_frames(first, shape, 2), given);
        assert_ne!(made(0.5, 3), made(0.5, 4));
        assert_ne!(made(0.5, 3), mean);
    }

    #[test]
    fn clips_have_any_length_and_keep_what_they_begin_with() {
        let mut model = tiny();
        model.step(&tiny_batch(), 0.1, &mut Rng::new(2, 0)).unwrap();
        let (batch, shape) = (tiny_batch(), model.info.shape);
        let clip = &batch.pixels[..4 * shape.pixels()];
        for (frames, known) in [(1, 1), (2, 1), (2, 4), (7, 1), (7, 4)] {
            let given = first_frames(clip, shape, known);
            let start = Conditioning::Continue { item: &given[..] };
            let made = model.sample(&draw(2, frames, start), &mut Rng::new(3, 0));
            assert_eq!(made.len(), 2 * frames * shape.pixels());
            let kept = known.min(frames);
            for made in made.chunks_exact(frames * shape.pixels()) {
                assert_eq!(first_frames(made, shape, kept), first_frames(clip, shape, kept));
            }
        }
        // A variation of strength 0 is the clip as the model sees it, which stands still where it is too short.
        let one = VideoBatch { pixels: clip.to_vec(), labels: vec![], n: 1 };
        let back = model.reconstruct(&one, &mut Rng::new(1, 0)).unwrap();
        let same = |frames: usize| {
            let start = Conditioning::Vary { item: clip, strength: 0.0 };
            model.sample(&draw(1, frames, start), &mut Rng::new(3, 0))
        };
        let far = |made: &[u8]| made.iter().zip(&back).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(far(&same(4)) <= 1);
        assert_eq!(same(6).len(), 6 * shape.pixels());
    }
}
