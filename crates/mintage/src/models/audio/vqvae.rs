//! A neural codec of sound with a language of its codes.
//!
//! Phase 1: an encoder over the compressed short-time spectrum of each frame (`spectral.rs`) gives a vector a frame, which
//! several codebooks quantize one after another (SoundStream, Zeghidour et al., arXiv:2107.03312), and a decoder gives the
//! spectrum back, from which the signal is added up (Vocos, Siuzdak, arXiv:2306.00814: nothing is convolved at the rate
//! of the samples, so nearly all of the work is products of matrices):
//!
//! `L = ‖x − x̂‖² / ‖x‖² + λ · spectral distance(x, x̂) + β · commitment`.
//!
//! A step uses a random number of levels, so that fewer of them serve as well.
//! Phase 2: the codec is frozen, and a transformer learns `p(codes | label)` (`codes.rs`).

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::SoundBatch;
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, TensorMap, Trainable, WeightsError, rvq::ResidualQuantizer,
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::{
    SoundDraw, SoundInfo, SoundStart,
    codes::{CodeShape, CodeWriter, Coded},
    net::{SAMPLE_BATCH, Stack, heads, is_hidden, signals},
    spectral::{Framing, loss_windows, si_sdr_db, spectral_distance},
};
use crate::{events::Metrics, models::Size};

/// All choices of a VQ-VAE of sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Codes of a level, and levels: a frame costs `levels · log2 codes` bits.
    pub codes: usize,
    pub levels: usize,
    /// Dimensions of a code vector.
    pub code_dim: usize,
    pub width: usize,
    /// Blocks of the encoder, and of the decoder.
    pub blocks: usize,
    pub commitment: f64,
    /// Weight of the spectral distance.
    pub spectral: f64,
    pub prior_layers: usize,
    pub prior_width: usize,
    /// Share of the budget at which phase 2 begins.
    pub prior_from: f64,
    pub batch: usize,
    pub lr: f64,
    pub prior_lr: f64,
    pub label_drop: f64,
}

impl Config {
    /// The preset of a size.
    pub fn preset(size: Size, _info: &SoundInfo) -> Self {
        let (width, blocks, prior_layers, prior_width) = match size {
            Size::Tiny => (96, 2, 3, 96),
            Size::Small => (192, 3, 4, 192),
            Size::Base => (256, 5, 6, 256),
            Size::Large => (384, 8, 8, 512),
        };
        Self {
            codes: 256,
            levels: 6,
            code_dim: 16,
            width,
            blocks,
            commitment: 0.25,
            spectral: 0.5,
            prior_layers,
            prior_width,
            prior_from: 0.5,
            batch: 16,
            lr: 2e-3,
            prior_lr: 1e-2,
            label_drop: 0.1,
        }
    }
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Stack,
    decoder: Stack,
    #[module(skip)]
    framing: Framing,
}

impl Autoencoder {
    fn new(config: &Config, info: &SoundInfo, device: &Device, rng: &mut Rng) -> Self {
        let framing = Framing::of_rate(info.rate_hz, info.channels);
        let Config { code_dim, width, blocks, .. } = *config;
        Self {
            encoder: Stack::new(framing.inputs(), code_dim, width, blocks, device, rng),
            decoder: Stack::new(code_dim, framing.outputs(), width, blocks, device, rng),
            framing,
        }
    }

    fn frames(&self, x: &Tensor<2>) -> usize {
        x.dims()[1] / self.framing.channels / self.framing.hop
    }

    /// `[n, channels · time] → [n · frames, code_dim]`.
    fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        let frames = self.frames(&x);
        self.encoder.forward(self.framing.features(x), frames)
    }

    /// `[n · frames, code_dim] → [n, channels · time]`.
    fn decode(&self, vectors: Tensor<2>, n: usize) -> Tensor<2> {
        let frames = vectors.dims()[0] / n;
        self.framing.signal(self.decoder.forward(vectors, frames), n)
    }
}

/// A VQ-VAE of sounds with its optimisers.
#[derive(Debug)]
pub struct Vqvae {
    config: Config,
    info: SoundInfo,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    quantizer: ResidualQuantizer,
    prior: Trainable<CodeWriter>,
}

impl Vqvae {
    pub fn new(config: &Config, info: &SoundInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let autoencoder = Autoencoder::new(config, info, &on, rng);
        let width = config.prior_width;
        let prior = CodeShape {
            levels: config.levels,
            size: config.codes,
            classes: info.classes,
            layers: config.prior_layers,
            heads: heads(width),
            width,
            context: info.segment / autoencoder.framing.hop,
        };
        Self {
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            autoencoder: Trainable::with_muon(autoencoder, AdamW::default(), is_hidden),
            quantizer: ResidualQuantizer::new(config.levels, config.codes, config.code_dim),
            prior: Trainable::with_muon(
                CodeWriter::new(prior, &on, rng),
                AdamW::default(),
                CodeWriter::is_hidden,
            ),
        }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn phases(&self) -> Vec<(&'static str, f64)> {
        vec![("codec", 0.0), ("prior over codes", self.config.prior_from)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    pub fn step(&mut self, batch: &SoundBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let from = self.config.prior_from;
        if progress < from {
            self.step_codec(batch, progress / from, rng)
        } else {
            self.step_prior(batch, (progress - from) / (1.0 - from).max(1e-9), rng)
        }
    }

    fn step_codec(&mut self, batch: &SoundBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let x = signals(batch, &self.device);
        let z = self.autoencoder.net().encode(x.clone());
        if !self.quantizer.is_initialised() {
            self.quantizer.initialise(&to_vec(&z), rng);
        }
        // Half of the steps use all levels.
        let levels = match rng.uniform() < 0.5 {
            true => self.config.levels,
            false => 1 + rng.below(self.config.levels),
        };
        let found = self.quantizer.quantize(z, levels);
        let y = self.autoencoder.net().decode(found.vectors.clone(), batch.n);
        let (wave, spectral) = self.distances(&x, &y);
        let told = [&wave, &spectral].map(|t| f64::from(t.clone().into_scalar::<f32>()));
        let loss = wave + spectral * self.config.spectral + found.commitment.clone() * self.config.commitment;
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.autoencoder.update(loss, lr)?;
        let revived = self.quantizer.update(&found, rng) as f64;
        Ok(Metrics::new([
            ("loss", loss),
            ("wave", told[0]),
            ("spectral", told[1]),
            ("revived", revived),
            ("grad_norm", norm),
        ]))
    }

    /// Share of the power that is missed, and the spectral distance.
    fn distances(&self, x: &Tensor<2>, y: &Tensor<2>) -> (Tensor<1>, Tensor<1>) {
        let power = x.clone().powi_scalar(2).mean() + 1e-8;
        let wave = (x.clone() - y.clone()).powi_scalar(2).mean() / power;
        let alone = |t: &Tensor<2>| {
            let [n, all] = t.dims();
            t.clone().reshape([n * self.info.channels, all / self.info.channels])
        };
        (wave, spectral_distance(&alone(x), &alone(y), &loss_windows(self.info.rate_hz)))
    }

    fn step_prior(&mut self, batch: &SoundBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let coded = self.codes(batch);
        let drop = self.config.label_drop as f32;
        let none = self.info.classes as u32;
        let labels: Vec<u32> =
            batch.labels.iter().map(|&label| if rng.uniform() < drop { none } else { label }).collect();
        let (losses, count) = self.prior.net().losses(&coded, &labels);
        let lr = self.config.prior_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(losses.sum() / count.max(1.0), lr)?;
        Ok(Metrics::new([("code_nll", loss), ("grad_norm", norm)]))
    }

    /// Phase 1: the loss, and decibel of signal over what is missed (SI-SDR, all levels). Phase 2: nats a code.
    pub fn validate(&self, batch: &SoundBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        if progress < self.config.prior_from {
            let (x, y) = (signals(batch, &self.device), self.through(batch));
            let (wave, spectral) = self.distances(&x, &y);
            let [wave, spectral] = [wave, spectral].map(|t| f64::from(t.into_scalar::<f32>()));
            let ratios = si_sdr_db(&to_vec(&x), &to_vec(&y), batch.samples.len() / batch.n);
            let mean = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
            return Some(Metrics::new([
                ("loss", wave + self.config.spectral * spectral),
                ("si_sdr_db", mean),
            ]));
        }
        let (losses, count) = self.prior.averaged().losses(&self.codes(batch), &batch.labels);
        Some(Metrics::new([("code_nll", f64::from(losses.sum().into_scalar::<f32>()) / count.max(1.0))]))
    }

    /// New sounds: codes from the prior, then the codec. Of a sound that ends, the samples up to there; channel by channel.
    pub fn sample(&self, draw: &SoundDraw, rng: &mut Rng) -> Vec<Vec<f32>> {
        let (prior, net) = (self.prior.averaged(), self.autoencoder.averaged());
        let hop = net.framing.hop;
        let frames = draw.length.div_ceil(hop).max(1);
        let known = self.known(draw.start, frames);
        let mut sounds = Vec::with_capacity(draw.n);
        for start in (0..draw.n).step_by(SAMPLE_BATCH) {
            let n = SAMPLE_BATCH.min(draw.n - start);
            let none = self.info.classes as u32;
            let labels: Vec<u32> =
                (start..start + n).map(|i| draw.labels.get(i).copied().unwrap_or(none)).collect();
            let coded = prior.write(n, &labels, &known, frames, draw.choice, rng);
            let y = to_vec(&net.decode(self.quantizer.lookup(&coded.levels, &self.device), n));
            let time = y.len() / n / self.info.channels;
            for (sound, &length) in y.chunks_exact(y.len() / n).zip(&coded.lengths) {
                let most = (length * hop).min(draw.length);
                sounds.push(sound.chunks_exact(time).flat_map(|channel| &channel[..most]).copied().collect());
            }
        }
        sounds
    }

    /// The codes that sounds begin with.
    fn known(&self, start: SoundStart, frames: usize) -> Vec<Vec<u32>> {
        let (samples, share) = match start {
            SoundStart::Fresh => return Vec::new(),
            SoundStart::Like { samples, strength } => (samples, 1.0 - strength),
            SoundStart::Behind { samples } => (samples, 1.0),
        };
        let (hop, channels) = (self.autoencoder.net().framing.hop, self.info.channels);
        let time = samples.len() / channels;
        let whole = time / hop * hop;
        if whole == 0 {
            return Vec::new();
        }
        // Channel by channel, the end that fills no frame left out.
        let values: Vec<f32> =
            samples.chunks_exact(time).flat_map(|channel| &channel[..whole]).copied().collect();
        let x = Tensor::from_data(TensorData::new(values, [1, whole * channels]), &self.device);
        let codes = self.encoded(x);
        let kept = (share * codes[0].len() as f32).round() as usize;
        codes.into_iter().map(|codes| codes.into_iter().take(kept.min(frames)).collect()).collect()
    }

    /// Through the codes and back: samples as in the batch.
    pub fn reconstruct(&self, batch: &SoundBatch) -> Vec<f32> {
        to_vec(&self.through(batch))
    }

    fn through(&self, batch: &SoundBatch) -> Tensor<2> {
        let codes = self.encoded(signals(batch, &self.device));
        self.autoencoder.averaged().decode(self.quantizer.lookup(&codes, &self.device), batch.n)
    }

    /// `−log p` of the codes of each item: nats. What the codec loses has no density.
    pub fn nll(&self, batch: &SoundBatch) -> Vec<f64> {
        let (losses, _) = self.prior.averaged().losses(&self.codes(batch), &batch.labels);
        let losses = to_vec(&losses);
        losses
            .chunks_exact(losses.len() / batch.n)
            .map(|row| row.iter().map(|&v| f64::from(v)).sum())
            .collect()
    }

    /// Codes of each level, frame after frame, item after item.
    fn encoded(&self, x: Tensor<2>) -> Vec<Vec<u32>> {
        let z = self.autoencoder.averaged().encode(x);
        self.quantizer.encode(&to_vec(&z), self.config.levels)
    }

    fn codes(&self, batch: &SoundBatch) -> Coded {
        let hop = self.autoencoder.net().framing.hop;
        let lengths = batch.lengths.iter().map(|&length| (length as usize).div_ceil(hop).max(1)).collect();
        Coded { levels: self.encoded(signals(batch, &self.device)), lengths }
    }

    /// Codes of the items of a batch, for usage counts: one list a level.
    pub fn codes_of(&self, batch: &SoundBatch) -> Vec<Vec<u32>> {
        self.codes(batch).levels
    }

    /// Bits of a second.
    pub fn bits_a_second(&self) -> f64 {
        let frames = f64::from(self.info.rate_hz) / self.autoencoder.net().framing.hop as f64;
        frames * self.config.levels as f64 * (self.config.codes as f64).log2()
    }

    pub fn save_weights(&self, map: &mut TensorMap) {
        self.autoencoder.save_weights("autoencoder", map);
        self.prior.save_weights("prior", map);
        self.quantizer.save_into("codebooks", map);
    }

    pub fn load_weights(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.autoencoder.load_weights("autoencoder", map)?;
        self.prior.load_weights("prior", map)?;
        self.quantizer.load_from("codebooks", map)
    }

    pub fn save_state(&self, map: &mut TensorMap) {
        self.autoencoder.save_state("autoencoder", map);
        self.prior.save_state("prior", map);
        self.quantizer.save_into("codebooks", map);
    }

    pub fn load_state(&mut self, map: &TensorMap) -> Result<(), WeightsError> {
        self.autoencoder.load_state("autoencoder", map)?;
        self.prior.load_state("prior", map)?;
        self.quantizer.load_from("codebooks", map)
    }

    pub fn parameters(&self) -> usize {
        self.autoencoder.net().num_params() + self.prior.net().num_params()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        Choice,
        audio::tests_common::{tiny_batch, tiny_info},
    };

    fn tiny(info: &SoundInfo) -> Vqvae {
        let config = Config {
            codes: 16,
            levels: 2,
            code_dim: 8,
            width: 32,
            blocks: 1,
            prior_layers: 1,
            prior_width: 32,
            ..Config::preset(Size::Tiny, info)
        };
        Vqvae::new(&config, info, &Device::flex(), &mut Rng::new(1, 0))
    }

    #[test]
    fn overfits_one_batch() {
        for channels in [1, 2] {
            let (info, batch) = (tiny_info(channels), tiny_batch(channels));
            let mut model = tiny(&info);
            let from = model.config.prior_from;
            let mut run = |steps: usize, place: &dyn Fn(f64) -> f64| -> (f64, f64) {
                let told = (0..steps).map(|i| {
                    let progress = place(i as f64 / steps as f64);
                    model.step(&batch, progress, &mut Rng::new(2, i as u64)).unwrap().first().unwrap()
                });
                let told: Vec<f64> = told.collect();
                (told[0], told[told.len() - 1])
            };
            let (first, last) = run(150, &|p| p * from * 0.99);
            assert!(last < 0.6 * first, "{channels} channels, codec: {first} to {last}");
            let (first, last) = run(100, &|p| from + p * (1.0 - from));
            assert!(last < 0.5 * first, "{channels} channels, prior: {first} to {last}");
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let (info, batch) = (tiny_info(1), tiny_batch(1));
        let mut a = tiny(&info);
        a.step(&batch, 0.1, &mut Rng::new(2, 0)).unwrap();
        a.step(&batch, 0.7, &mut Rng::new(2, 1)).unwrap();
        let (mut b, mut map) = (tiny(&info), TensorMap::default());
        a.save_state(&mut map);
        b.load_state(&map).unwrap();
        let draw = SoundDraw {
            n: 3,
            labels: &[0, 1, 9],
            length: 300,
            start: SoundStart::Fresh,
            choice: Choice::default(),
            guidance: None,
        };
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        for progress in [0.2, 0.8] {
            let step = |m: &mut Vqvae| m.step(&batch, progress, &mut Rng::new(4, 0)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn variations_keep_the_first_codes_and_any_length_is_drawn() {
        let (info, batch) = (tiny_info(2), tiny_batch(2));
        let mut model = tiny(&info);
        model.step(&batch, 0.1, &mut Rng::new(2, 0)).unwrap();
        let each = batch.samples.len() / batch.n;
        let samples = &batch.samples[..each];
        let frames = each / 2 / 32;
        let known = |strength| model.known(SoundStart::Like { samples, strength }, frames);
        let whole: Vec<Vec<u32>> =
            model.codes_of(&batch).iter().map(|codes| codes[..frames].to_vec()).collect();
        assert_eq!(known(0.0), whole);
        assert_eq!(known(0.5)[1], whole[1][..frames / 2]);
        for length in [1, 100, 3 * each] {
            let draw = SoundDraw {
                n: 1,
                labels: &[],
                length,
                start: SoundStart::Fresh,
                choice: Choice::default(),
                guidance: None,
            };
            let sounds = model.sample(&draw, &mut Rng::new(3, 0));
            assert!(sounds[0].len() <= 2 * length && !sounds[0].is_empty());
        }
    }
}
