//! A variational autoencoder of sounds (Kingma & Welling, arXiv:1312.6114) with a learned prior over its latent frames, as
//! latent diffusion has it (Rombach et al., arXiv:2112.10752).
//!
//! Phase 1: the encoder hears how loud each frequency of a frame is, `X` (levels, `spectral.rs`), not its phase, and gives a
//! few numbers for every few frames; the decoder gives the levels back:
//!
//! `L = mean |X − X̂| + λ Σ| |S| − |Ŝ| | / Σ|S| + β KL(q(z|X) ‖ N(0, I))`, `S` the magnitudes.
//!
//! Nothing of a phase is in the latent frames, which is what makes them easy to learn: phases are found behind the decoder,
//! by Griffin and Lim. So a sound that comes back sounds like the original, and is not the same wave.
//! Phase 2: the autoencoder is frozen, and flow matching learns `p(z | label, length)` (`latents.rs`). How long whole sounds
//! are is drawn by class. There is no likelihood: that of latent frames would say nothing of the sounds.

mod sampling;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::AudioBatch;
use mintage_nn::{AdamW, NotFinite, Rng, Schedule, Trainable, layers::Linear, weights::to_vec};
use serde::{Deserialize, Serialize};

use super::Audio;
use super::{
    AudioInfo, AudioSampleParams, Conditioning,
    griffin_lim::signal_of_levels,
    latents::{FlowShape, Frames, LatentFlowMatching, Whitening},
    net::{Lengths, SAMPLE_BATCH, Stack, first_samples, is_hidden, signals},
    spectral::{Framing, loudness},
};
use crate::models::common::stages::Stage;
use crate::models::options::check_even;
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::recipe::RecipeError;
use crate::{
    events::Metrics,
    models::{
        Size,
        common::classes::class_input,
        common::early::{WithEarly, no_autoguidance},
        common::gaussian::{divergence, reparametrise},
        heads,
    },
};

/// Options of a VAE of sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Numbers of a latent frame.
    pub latent: usize,
    /// Frames that a latent frame stands for.
    pub group: usize,
    /// Width of the blocks over frames, in the encoder and in the decoder.
    pub width: usize,
    /// Blocks of the encoder, and of the decoder.
    pub blocks: usize,
    /// β: weight of the divergence from N(0, I), the mean over the numbers of the latent frames.
    pub beta: f64,
    /// λ: weight of the distance of magnitudes.
    pub spectral: f64,
    /// Transformer blocks of the prior.
    pub prior_layers: usize,
    /// Width of the prior; even.
    pub prior_width: usize,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "prior_from")]
    pub prior_start: f64,
    /// Steps of Heun's rule in sampling; each evaluates the prior twice, the last once.
    pub steps: usize,
    /// Default guidance weight of sampling with labels; 1 is none.
    pub guidance: f64,
    /// Default weight of guidance by the network's own weights after a tenth of its training (autoguidance,
    /// Karras et al., arXiv:2406.02507), which doubles the time of sampling; 1 is none.
    #[serde(default = "no_autoguidance")]
    pub autoguidance: f64,
    /// Iterations of Griffin and Lim.
    #[serde(alias = "rounds")]
    pub griffin_lim_iters: usize,
    /// Sounds per step.
    pub batch: usize,
    /// Peak learning rate of the autoencoder, in phase 1; of AdamW and Muon alike.
    pub lr: f64,
    /// Peak learning rate of the prior, in phase 2; of AdamW and Muon alike.
    pub prior_lr: f64,
    /// Probability that a label is hidden in training, so that sounds without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
}

impl FamilyConfig<Audio> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &AudioInfo) -> Self {
        let (width, blocks, prior_layers, prior_width) = match size {
            Size::Tiny => (96, 1, 4, 128),
            Size::Small => (128, 2, 5, 192),
            Size::Base => (192, 3, 8, 256),
            Size::Large => (256, 4, 10, 448),
        };
        Self {
            latent: 24,
            group: 4,
            width,
            blocks,
            beta: 0.002,
            spectral: 0.065,
            prior_layers,
            prior_width,
            prior_start: 0.3,
            steps: 16,
            guidance: 2.0,
            autoguidance: 1.0,
            griffin_lim_iters: 50,
            batch: 32,
            lr: 3e-3,
            prior_lr: 5e-3,
            label_drop: 0.1,
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        check_even("prior_width", self.prior_width)
    }

    fn activations(&self, info: &AudioInfo) -> u64 {
        memory::of_sound(info, self.width, self.blocks, 1.0)
    }
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Stack,
    posterior: Linear,
    expand: Linear,
    decoder: Stack,
    #[module(skip)]
    framing: Framing,
    #[module(skip)]
    group: usize,
}

impl Autoencoder {
    fn new(config: &Config, info: &AudioInfo, device: &Device, rng: &mut Rng) -> Self {
        let framing = Framing::of_rate(info.rate_hz, info.channels);
        let Config { latent, group, width, blocks, .. } = *config;
        Self {
            encoder: Stack::new(framing.level_count(), width, width, blocks, device, rng),
            posterior: Linear::new(group * width, 2 * latent, 1.0, device, rng),
            expand: Linear::new(latent, group * width, 1.0, device, rng),
            decoder: Stack::new(width, framing.level_count(), width, blocks, device, rng),
            framing,
            group,
        }
    }

    /// Levels of signals `[n, channels · time]`, followed by silence until the last latent frame is full: `[n
    /// · frames, level_count]`.
    fn levels(&self, x: Tensor<2>) -> Tensor<2> {
        let ([n, all], channels) = (x.dims(), self.framing.channels);
        let time = all / channels;
        let whole = time.next_multiple_of(self.group * self.framing.hop);
        let x = match whole - time {
            0 => x,
            more => x.reshape([n * channels, time]).pad((0, more, 0, 0), 0.0).reshape([n, channels * whole]),
        };
        self.framing.levels(x)
    }

    /// Mean and log-variance of `q(z|X)`: `[n · frames, level_count]` → two of `[n · frames / group, latent]`.
    fn encode(&self, levels: Tensor<2>, n: usize) -> (Tensor<2>, Tensor<2>) {
        let rows = levels.dims()[0];
        let h = self.encoder.forward(levels, rows / n);
        let width = h.dims()[1];
        let out = self.posterior.forward(h.reshape([rows / self.group, self.group * width]));
        let latent = out.dims()[1] / 2;
        // Bounded, so that a number that says nothing cannot drive the divergence to infinity.
        (out.clone().narrow(1, 0, latent), out.narrow(1, latent, latent).clamp(-10.0, 2.0))
    }

    /// `[n · frames / group, latent] → [n · frames, level_count]`.
    fn decode(&self, z: Tensor<2>, n: usize) -> Tensor<2> {
        let rows = z.dims()[0] * self.group;
        let h = self.expand.forward(z);
        let width = h.dims()[1] / self.group;
        self.decoder.forward(h.reshape([rows, width]), rows / n)
    }
}

/// A VAE of sounds with its optimisers.
#[derive(Debug)]
pub struct Vae {
    config: Config,
    info: AudioInfo,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    prior: WithEarly<LatentFlowMatching>,
    whitening: Whitening,
    lengths: Lengths,
}

impl GenerativeModel<Audio> for Vae {
    type Config = Config;

    fn new(config: &Config, info: &AudioInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let autoencoder = Autoencoder::new(config, info, &on, rng);
        let shape = FlowShape {
            dims: config.latent,
            classes: info.classes,
            layers: config.prior_layers,
            heads: heads(config.prior_width),
            width: config.prior_width,
        };
        let prior = LatentFlowMatching::new(shape, &on, rng);
        Self {
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            whitening: Whitening::new(config.latent),
            lengths: Lengths::new(info, autoencoder.framing.hop),
            autoencoder: Trainable::with_muon(autoencoder, AdamW::default(), is_hidden),
            prior: WithEarly::new(Trainable::with_muon(
                prior,
                AdamW::default(),
                LatentFlowMatching::is_hidden,
            )),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("autoencoder", 0.0), ("prior over latent frames", self.config.prior_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let metrics = match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.step_autoencoder(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }?;
        self.lengths.note(batch, self.hop());
        Ok(metrics)
    }

    /// Phase 1: the loss without the divergence, at the means of `q(z|X)`. Phase 2: the flow-matching loss.
    fn validate(&self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let loss = if progress < self.config.prior_start {
            let net = self.autoencoder.averaged();
            let levels = net.levels(signals(batch, &self.device));
            let (mu, _) = net.encode(levels.clone(), batch.n);
            self.distance(levels, net.decode(mu, batch.n))
        } else {
            let x_1 = self.latents(signals(batch, &self.device), batch.n);
            self.prior.averaged().loss(x_1, &self.frames(batch), rng)
        };
        Some(Metrics::new([("loss", f64::from(loss.into_scalar::<f32>()))]))
    }

    /// New sounds: lengths, latent frames of the prior, the decoder, phases. Each as long as it is; channel by channel.
    fn sample(&self, draw: &AudioSampleParams, rng: &mut Rng) -> Vec<Vec<f32>> {
        let begin = self.beginning(draw);
        let mut sounds = Vec::with_capacity(draw.n);
        for start in (0..draw.n).step_by(SAMPLE_BATCH) {
            let n = SAMPLE_BATCH.min(draw.n - start);
            let labels = draw.labels_of(start..start + n, self.info.classes as u32);
            let lengths: Vec<usize> =
                labels.iter().map(|&label| self.length(draw, &begin, label, rng)).collect();
            let z = self.written(draw, &begin, &labels, &lengths, rng);
            let most = lengths.iter().map(|&length| (length * self.hop()).min(draw.length));
            let cut = |(sound, most): (&Vec<f32>, usize)| first_samples(sound, self.info.channels, most);
            sounds.extend(self.vocode(z, n, rng).iter().zip(most).map(cut));
        }
        sounds
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Interpolate { .. })
    }

    fn has_early(&self) -> bool {
        self.prior.has_early()
    }

    /// Through the encoder and back, samples as in the batch: the mean of `q(z|X)`, and phases from the same random ones
    /// each time.
    fn reconstruct(&self, batch: &AudioBatch, _rng: &mut Rng) -> Option<Vec<f32>> {
        let z = self.whitening.colour(self.latents(signals(batch, &self.device), batch.n));
        let time = batch.samples.len() / batch.n / self.info.channels;
        let sounds = self.vocode(z, batch.n, &mut Rng::new(0, 0));
        Some(sounds.iter().flat_map(|sound| first_samples(sound, self.info.channels, time)).collect())
    }

    parts!("autoencoder" = autoencoder, "prior" = prior, "whitening" = whitening, "lengths" = lengths);
}

impl Vae {
    fn hop(&self) -> usize {
        self.autoencoder.net().framing.hop
    }

    /// Latent frames of an item.
    fn context(&self) -> usize {
        (self.info.segment / self.hop()).div_ceil(self.config.group).max(1)
    }

    fn step_autoencoder(
        &mut self,
        batch: &AudioBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let net = self.autoencoder.net();
        let levels = net.levels(signals(batch, &self.device));
        let (mu, logvar) = net.encode(levels.clone(), batch.n);
        let z = reparametrise(&mu, &logvar, rng);
        let loss = self.distance(levels, net.decode(z, batch.n));
        let kl = divergence(mu.clone(), logvar).mean();
        let kl_value = f64::from(kl.clone().into_scalar::<f32>());
        let found = to_vec(&mu);
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.autoencoder.update(loss + kl * self.config.beta, lr)?;
        self.whitening.note(&found, &self.valid_mask(batch));
        // Nats of a number of a latent frame.
        Ok(Metrics::new([("loss", loss), ("kl", kl_value), ("grad_norm", norm)]))
    }

    /// How far levels are from others, and their magnitudes from the others' magnitudes.
    fn distance(&self, x: Tensor<2>, y: Tensor<2>) -> Tensor<1> {
        let (loud, found) = (loudness(x.clone()), loudness(y.clone()));
        let linear = (found - loud.clone()).abs().sum() / loud.sum();
        (x - y).abs().mean() + linear * self.config.spectral
    }

    fn step_prior(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let x_1 = self.latents(signals(batch, &self.device), batch.n);
        let mut frames = self.frames(batch);
        frames.known = LatentFlowMatching::some_known(&frames.valid_mask, batch.n, rng);
        let drop = self.config.label_drop as f32;
        frames.labels = class_input(&batch.labels, batch.n, self.info.classes, drop, rng);
        let loss = self.prior.net().loss(x_1, &frames, rng);
        let lr = self.config.prior_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(loss, lr, progress)?;
        Ok(Metrics::new([("loss", loss), ("grad_norm", norm)]))
    }

    /// Means of the latent frames of signals, as the prior sees them: `[n · latent frames, latent]`.
    fn latents(&self, x: Tensor<2>, n: usize) -> Tensor<2> {
        let net = self.autoencoder.averaged();
        self.whitening.whiten(net.encode(net.levels(x), n).0)
    }

    /// How much of each latent frame of a batch lies before the end of its sound.
    fn valid_mask(&self, batch: &AudioBatch) -> Vec<f32> {
        let hop = self.hop();
        let frames = |&length: &u32| (length as usize).div_ceil(hop);
        batch.lengths.iter().flat_map(|length| self.ends(frames(length), self.context())).collect()
    }

    /// The same for `time` latent frames of a sound of `frames` frames.
    fn ends(&self, frames: usize, time: usize) -> impl Iterator<Item = f32> + use<> {
        let group = self.config.group;
        (0..time).map(move |at| frames.saturating_sub(at * group).min(group) as f32 / group as f32)
    }

    /// What is said of the items of a batch, of which nothing is known.
    fn frames(&self, batch: &AudioBatch) -> Frames {
        let valid_mask = self.valid_mask(batch);
        let label = |i: usize| batch.labels.get(i).copied().unwrap_or(self.info.classes as u32);
        Frames { known: vec![0.0; valid_mask.len()], valid_mask, labels: (0..batch.n).map(label).collect() }
    }

    /// The sound of latent frames `[n · time, latent]`: samples of each sound, channel by channel.
    fn vocode(&self, z: Tensor<2>, n: usize, rng: &mut Rng) -> Vec<Vec<f32>> {
        let net = self.autoencoder.averaged();
        let samples =
            to_vec(&signal_of_levels(net.framing, net.decode(z, n), n, self.config.griffin_lim_iters, rng));
        samples.chunks_exact(samples.len() / n).map(<[f32]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        SamplingParams,
        audio::test_support::{tiny_batch, tiny_info},
    };

    fn tiny(info: &AudioInfo) -> Vae {
        let config = Config {
            latent: 6,
            width: 32,
            blocks: 1,
            prior_layers: 1,
            prior_width: 32,
            steps: 2,
            griffin_lim_iters: 2,
            ..Config::preset(Size::Tiny, info)
        };
        Vae::new(&config, info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn draw(n: usize, length: usize, start: Conditioning<&[f32]>) -> AudioSampleParams<'_> {
        AudioSampleParams {
            n,
            labels: &[],
            length,
            conditioning: start,
            choice: SamplingParams::default(),
            guidance: None,
            autoguidance: None,
        }
    }

    #[test]
    fn overfits_one_batch() {
        for channels in [1, 2] {
            let (info, batch) = (tiny_info(channels), tiny_batch(channels));
            let mut model = tiny(&info);
            let from = model.config.prior_start;
            let mut run = |steps: usize, place: &dyn Fn(f64) -> f64| -> (f64, f64) {
                let losses = (0..steps).map(|i| {
                    let progress = place(i as f64 / steps as f64);
                    model.step(&batch, progress, &mut Rng::new(2, i as u64)).unwrap().first().unwrap()
                });
                let losses: Vec<f64> = losses.collect();
                let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
                (losses[0], mean(&losses[losses.len() - 10..]))
            };
            let (first, last) = run(150, &|p| p * from * 0.99);
            assert!(last < 0.5 * first, "{channels} channels, autoencoder: {first} to {last}");
            let (first, last) = run(200, &|p| from + p * (1.0 - from));
            assert!(last < 0.7 * first, "{channels} channels, prior: {first} to {last}");
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let (info, batch) = (tiny_info(1), tiny_batch(1));
        let mut a = tiny(&info);
        a.step(&batch, 0.1, &mut Rng::new(2, 0)).unwrap();
        a.step(&batch, 0.7, &mut Rng::new(2, 1)).unwrap();
        let (mut b, mut map) = (tiny(&info), mintage_nn::TensorMap::default());
        a.save_state(&mut map);
        b.load_state(&map).unwrap();
        assert!(a.has_early());
        let draw = AudioSampleParams {
            labels: &[0, 1, 9],
            autoguidance: Some(2.0),
            ..draw(3, 300, Conditioning::None)
        };
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        for progress in [0.1, 0.8] {
            let step = |m: &mut Vae| m.step(&batch, progress, &mut Rng::new(4, 0)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn sounds_are_as_long_as_their_class_and_as_asked() {
        let (info, batch) = (tiny_info(2), tiny_batch(2));
        let mut model = tiny(&info);
        model.step(&batch, 0.1, &mut Rng::new(2, 0)).unwrap();
        // Class 0 always fills its segment, class 1 never does; a label that is none may.
        let labelled = AudioSampleParams { labels: &[0, 1, 0, 1], ..draw(4, 512, Conditioning::None) };
        let lengths: Vec<usize> =
            model.sample(&labelled, &mut Rng::new(3, 0)).iter().map(|sound| sound.len() / 2).collect();
        assert_eq!((lengths[0], lengths[2]), (512, 512));
        assert!([lengths[1], lengths[3]].iter().all(|n| [320, 416].contains(n)), "{lengths:?}");
        let cut = model.sample(&draw(1, 100, Conditioning::None), &mut Rng::new(3, 0));
        assert_eq!(cut[0].len(), 2 * 100);
        // Parts of longer sounds have no end.
        let mut endless = tiny(&AudioInfo { whole: false, ..info });
        endless.step(&batch, 0.1, &mut Rng::new(2, 0)).unwrap();
        for length in [1, 100, 512, 1700] {
            let sounds = endless.sample(&draw(2, length, Conditioning::None), &mut Rng::new(3, 0));
            assert!(sounds.iter().all(|sound| sound.len() == 2 * length));
            assert!(sounds.iter().flatten().all(|v| v.is_finite()));
        }
    }

    #[test]
    fn variations_stay_near_and_what_is_known_stays() {
        let (info, batch) = (tiny_info(1), tiny_batch(1));
        let mut model = tiny(&AudioInfo { whole: false, ..info });
        for i in 0..5 {
            model.step(&batch, 0.1, &mut Rng::new(2, i)).unwrap();
            model.step(&batch, 0.5, &mut Rng::new(3, i)).unwrap();
        }
        let samples = &batch.samples[..512];
        let heard = to_vec(&model.latents(signals(&batch, &Device::flex()), 4));
        let time = model.context();
        let written = |start: Conditioning<&[f32]>, time: usize| {
            let draw = draw(1, time * 128, start);
            let begin = model.beginning(&draw);
            let z = model.written(&draw, &begin, &[2], &[time * 4], &mut Rng::new(4, 0));
            to_vec(&model.whitening.whiten(z))
        };
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        let same = written(Conditioning::Vary { item: samples, strength: 0.0 }, time);
        assert!(near(&same, &heard[..time * 6]));
        let other = written(Conditioning::Vary { item: samples, strength: 0.9 }, time);
        assert!(!near(&other, &same));
        let more = written(Conditioning::Continue { item: samples }, 3 * time);
        assert_eq!(more.len(), 3 * time * 6);
        assert!(near(&more[..time * 6], &same));
    }

    #[test]
    fn reconstructions_are_as_long_as_the_batch() {
        for segment in [512, 480] {
            let info = AudioInfo { segment, ..tiny_info(2) };
            let batch = AudioBatch {
                samples: vec![0.1; 2 * 2 * segment],
                lengths: vec![segment as u32; 2],
                labels: vec![0, 1],
                n: 2,
            };
            let back = tiny(&info).reconstruct(&batch, &mut Rng::new(1, 0)).unwrap();
            assert_eq!(back.len(), batch.samples.len());
            assert!(back.iter().all(|v| v.is_finite()));
        }
    }
}
