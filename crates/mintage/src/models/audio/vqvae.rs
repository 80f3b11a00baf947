//! A neural codec of sound with a language of its codes.
//!
//! Phase 1: an encoder over the compressed short-time spectrum of each frame (`spectral.rs`) gives vectors that codebooks
//! quantize one after another (AudioStream, Zeghidour et al., arXiv:2107.03312), and a decoder gives the spectrum back, from
//! which the signal is added up (Vocos, Siuzdak, arXiv:2306.00814: nothing is convolved at the rate of the samples, so
//! nearly all of the work is products of matrices).
//!
//! Codes are of two kinds. *Coarse* ones `a`, for every second frame, say what is heard; they learn by spectra alone, which
//! forget phases. *Fine* ones `b`, for every frame, add what makes the wave the same. One half of a batch goes without them:
//!
//! ```text
//! L = spectral(x, D(a, 0)) + ‖x − D(sg(a), b)‖² / ‖x‖² + λ · spectral(x, D(sg(a), b)) + β · commitment
//! ```
//!
//! A step uses a random number of levels of each kind, so that fewer of them serve as well.
//! Phase 2: the codec is frozen, and a transformer learns `p(a | label)` (`codes.rs`). Phases are next to noise to a
//! language; so new sounds are spoken by coarse codes, as an acoustic model is by semantic ones (AudioLM, Borsos et al.,
//! arXiv:2209.03143).

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::AudioBatch;
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable,
    layers::Linear,
    rvq::{ResidualQuantized, ResidualQuantizer},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::Audio;
use super::{
    AudioInfo, AudioSampleParams, Conditioning,
    codes::{CodeShape, CodeWriter, Coded, Writing},
    net::{SAMPLE_BATCH, Stack, first_samples, is_hidden, random_shift, signals},
    spectral::{Framing, loss_windows, si_sdr_db, spectral_distance},
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
    models::{Size, common::classes::class_input, heads},
};

/// Frames under one vector of coarse codes.
const GROUP: usize = 2;

/// Options of a VQ-VAE of sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Codes of a level.
    pub codes: usize,
    /// Levels of coarse codes: two frames cost `coarse · log2 codes` bits.
    pub coarse: usize,
    /// Levels of fine codes: a frame costs `fine · log2 codes` bits.
    pub fine: usize,
    /// Dimensions of a code vector.
    pub code_dim: usize,
    /// Width of the blocks over frames, in the encoder and in the decoder.
    pub width: usize,
    /// Blocks of the encoder, and of the decoder.
    pub blocks: usize,
    /// β: weight of the commitment loss, the mean squared distance of the encoder's vectors from their codes.
    pub commitment: f64,
    /// λ: weight of the spectral distance of the signals with all codes, beside that of the waves.
    pub spectral: f64,
    /// Transformer blocks of the prior.
    pub prior_layers: usize,
    /// Width of the prior; even.
    pub prior_width: usize,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "prior_from")]
    pub prior_start: f64,
    /// Sounds per step.
    pub batch: usize,
    /// Peak learning rate of the codec, in phase 1; of AdamW and Muon alike.
    pub lr: f64,
    /// Peak learning rate of the prior, in phase 2; of AdamW and Muon alike.
    pub prior_lr: f64,
    /// Probability that a label is hidden in training, so that sounds without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
    /// Share of every branch's values that is dropped in training, in the prior.
    pub dropout: f64,
    /// Default guidance weight of sampling with labels.
    pub guidance: f64,
}

impl FamilyConfig<Audio> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &AudioInfo) -> Self {
        let (width, blocks, prior_layers, prior_width) = match size {
            Size::Tiny => (96, 2, 3, 96),
            Size::Small => (192, 3, 4, 192),
            Size::Base => (256, 5, 6, 256),
            Size::Large => (384, 8, 8, 512),
        };
        Self {
            codes: 256,
            coarse: 3,
            fine: 4,
            code_dim: 16,
            width,
            blocks,
            commitment: 0.25,
            spectral: 0.5,
            prior_layers,
            prior_width,
            prior_start: 0.4,
            batch: 16,
            lr: 2e-3,
            prior_lr: 1e-2,
            label_drop: 0.1,
            dropout: 0.15,
            guidance: 1.0,
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
    /// Frames → what is to be a fine vector, and a share of a coarse one.
    encoder: Stack,
    to_coarse: Linear,
    from_coarse: Linear,
    decoder: Stack,
    #[module(skip)]
    framing: Framing,
}

impl Autoencoder {
    fn new(config: &Config, info: &AudioInfo, device: &Device, rng: &mut Rng) -> Self {
        let framing = Framing::of_rate(info.rate_hz, info.channels);
        let (d, width, blocks) = (config.code_dim, config.width, config.blocks);
        Self {
            encoder: Stack::new(framing.inputs(), 2 * d, width, blocks, device, rng),
            to_coarse: Linear::new(GROUP * d, d, 1.0, device, rng),
            from_coarse: Linear::new(d, GROUP * d, 1.0, device, rng),
            decoder: Stack::new(2 * d, framing.outputs(), width, blocks, device, rng),
            framing,
        }
    }

    fn frames(&self, x: &Tensor<2>) -> usize {
        x.dims()[1] / self.framing.channels / self.framing.hop
    }

    /// `[n, channels · time]` → coarse vectors `[n · frames / GROUP, d]` and fine ones `[n · frames, d]`.
    fn encode(&self, x: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let frames = self.frames(&x);
        let h = self.encoder.forward(self.framing.features(x), frames);
        let [rows, both] = h.dims();
        let d = both / 2;
        let grouped = h.clone().narrow(1, 0, d).reshape([rows / GROUP, GROUP * d]);
        (self.to_coarse.forward(grouped), h.narrow(1, d, d))
    }

    /// Coarse and fine vectors `→ [n, channels · time]`.
    fn decode(&self, coarse: Tensor<2>, fine: Tensor<2>, n: usize) -> Tensor<2> {
        let [rows, d] = fine.dims();
        let coarse = self.from_coarse.forward(coarse).reshape([rows, d]);
        let h = self.decoder.forward(Tensor::cat(vec![coarse, fine], 1), rows / n);
        self.framing.signal(h, n)
    }
}

/// A VQ-VAE of sounds with its optimisers.
#[derive(Debug)]
pub struct Vqvae {
    config: Config,
    info: AudioInfo,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    coarse: ResidualQuantizer,
    fine: ResidualQuantizer,
    prior: Trainable<CodeWriter>,
}

/// Codes of sounds, level by level.
struct Codes {
    coarse: Vec<Vec<u32>>,
    fine: Vec<Vec<u32>>,
}

impl GenerativeModel<Audio> for Vqvae {
    type Config = Config;

    fn new(config: &Config, info: &AudioInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let autoencoder = Autoencoder::new(config, info, &on, rng);
        let width = config.prior_width;
        let prior = CodeShape {
            levels: config.coarse,
            size: config.codes,
            classes: info.classes,
            layers: config.prior_layers,
            heads: heads(width),
            width,
            context: info.segment / autoencoder.framing.hop / GROUP,
        };
        let quantizer = |levels: usize| ResidualQuantizer::new(levels, config.codes, config.code_dim);
        Self {
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            autoencoder: Trainable::with_muon(autoencoder, AdamW::default(), is_hidden),
            coarse: quantizer(config.coarse),
            fine: quantizer(config.fine),
            prior: Trainable::with_muon(
                CodeWriter::new(prior, &on, rng),
                AdamW::default(),
                CodeWriter::is_hidden,
            ),
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("codec", 0.0), ("prior over codes", self.config.prior_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.step_codec(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }
    }

    /// Phase 1: the loss, the spectral distance by coarse codes alone, and decibel of signal over what is missed (SI-SDR,
    /// all codes). Phase 2: nats a code.
    fn validate(&self, batch: &AudioBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        if progress < self.config.prior_start {
            let x = signals(batch, &self.device);
            let codes = self.encoded(x.clone());
            let y = self.decoded(&codes, batch.n);
            let heard = self.decoded(&codes.without_fine(), batch.n);
            let values = [wave(&x, &y), self.spectral(&x, &y), self.spectral(&x, &heard)];
            let [wave, spectral, coarse] = values.map(|t| f64::from(t.into_scalar::<f32>()));
            let ratios = si_sdr_db(&to_vec(&x), &to_vec(&y), batch.samples.len() / batch.n);
            let mean = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
            return Some(Metrics::new([
                ("loss", coarse + wave + self.config.spectral * spectral),
                ("coarse", coarse),
                ("si_sdr_db", mean),
            ]));
        }
        let (losses, count) = self.prior.averaged().losses(&self.coded(batch), &batch.labels);
        Some(Metrics::new([("code_nll", f64::from(losses.sum().into_scalar::<f32>()) / count.max(1.0))]))
    }

    /// New sounds: coarse codes from the prior, then the decoder. Of a sound that ends, the samples up to there; channel by
    /// channel.
    fn sample(&self, draw: &AudioSampleParams, rng: &mut Rng) -> Vec<Vec<f32>> {
        let (prior, stride) = (self.prior.averaged(), self.stride());
        let steps = draw.length.div_ceil(stride).max(1);
        let known = self.known(&draw.conditioning, steps);
        let guidance = draw.guidance.unwrap_or(self.config.guidance as f32);
        let mut sounds = Vec::with_capacity(draw.n);
        for start in (0..draw.n).step_by(SAMPLE_BATCH) {
            let n = SAMPLE_BATCH.min(draw.n - start);
            let labels = draw.labels_of(start..start + n, self.info.classes as u32);
            let how = Writing { labels: &labels, guidance, choice: draw.choice };
            let coded = prior.write(&how, &known.coarse, steps, rng);
            let y = to_vec(&self.decoded(&Codes { coarse: coded.levels, fine: known.fine.clone() }, n));
            for (sound, &length) in y.chunks_exact(y.len() / n).zip(&coded.lengths) {
                let most = (length * stride).min(draw.length);
                sounds.push(first_samples(sound, self.info.channels, most));
            }
        }
        sounds
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Interpolate { .. } | Conditioning::Blend { .. })
    }

    /// Through the codes and back: samples as in the batch.
    fn reconstruct(&self, batch: &AudioBatch, _rng: &mut Rng) -> Option<Vec<f32>> {
        Some(to_vec(&self.decoded(&self.encoded(signals(batch, &self.device)), batch.n)))
    }

    /// `−log p` of the coarse codes of each item: nats. What they leave out has no density.
    fn nll(&self, batch: &AudioBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        let (losses, _) = self.prior.averaged().losses(&self.coded(batch), &batch.labels);
        let losses = to_vec(&losses);
        let items = losses.chunks_exact(losses.len() / batch.n);
        Some(items.map(|item| item.iter().map(|&v| f64::from(v)).sum()).collect())
    }

    parts!("autoencoder" = autoencoder, "prior" = prior, "coarse" = coarse, "fine" = fine);
}

impl Vqvae {
    /// Samples of each channel under one vector of coarse codes.
    fn stride(&self) -> usize {
        GROUP * self.autoencoder.net().framing.hop
    }

    fn step_codec(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let (x, n) = (signals(&random_shift(batch, &self.info, self.stride(), rng), &self.device), batch.n);
        let (a, b) = self.autoencoder.net().encode(x.clone());
        if !self.coarse.is_initialised() {
            self.coarse.initialise(&to_vec(&a), rng);
            self.fine.initialise(&to_vec(&b), rng);
        }
        let (a, b) = (quantized(&self.coarse, a, rng), quantized(&self.fine, b, rng));
        // Half of the sounds go without fine codes; a single one by turns.
        let n_coarse_only = (n + rng.below(2)) / 2;
        let y = self.autoencoder.net().decode(
            stop_gradient(a.vectors.clone(), n_coarse_only, n),
            zeroed(b.vectors.clone(), n_coarse_only, n),
            n,
        );
        let parts = |t: &Tensor<2>, from: usize, to: usize| t.clone().narrow(0, from, to - from);
        let mut loss = (a.commitment.clone() + b.commitment.clone()) * self.config.commitment;
        let mut terms = Vec::new();
        if n_coarse_only > 0 {
            let coarse = self.spectral(&parts(&x, 0, n_coarse_only), &parts(&y, 0, n_coarse_only));
            terms.push(("coarse", coarse.clone()));
            loss = loss + coarse;
        }
        if n_coarse_only < n {
            let (x, y) = (parts(&x, n_coarse_only, n), parts(&y, n_coarse_only, n));
            let (wave, spectral) = (wave(&x, &y), self.spectral(&x, &y));
            terms.extend([("wave", wave.clone()), ("spectral", spectral.clone())]);
            loss = loss + wave + spectral * self.config.spectral;
        }
        let terms: Vec<_> =
            terms.into_iter().map(|(name, value)| (name, f64::from(value.into_scalar::<f32>()))).collect();
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.autoencoder.update(loss, lr)?;
        let revived = self.coarse.update(&a, rng) + self.fine.update(&b, rng);
        let metrics = Metrics::new([("loss", loss), ("revived", revived as f64), ("grad_norm", norm)]);
        Ok(terms.into_iter().fold(metrics, |metrics, (name, value)| metrics.and(name, value)))
    }

    /// The spectral distance of signals, channel by channel.
    fn spectral(&self, x: &Tensor<2>, y: &Tensor<2>) -> Tensor<1> {
        let by_channel = |t: &Tensor<2>| {
            let [n, all] = t.dims();
            t.clone().reshape([n * self.info.channels, all / self.info.channels])
        };
        spectral_distance(&by_channel(x), &by_channel(y), &loss_windows(self.info.rate_hz))
    }

    fn step_prior(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let coded = self.coded(&random_shift(batch, &self.info, self.stride(), rng));
        let Config { label_drop, dropout, .. } = self.config;
        let labels = class_input(&batch.labels, batch.n, self.info.classes, label_drop as f32, rng);
        let (losses, count) = self.prior.net().losses_train(&coded, &labels, dropout, rng);
        let lr = self.config.prior_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(losses.sum() / count.max(1.0), lr)?;
        Ok(Metrics::new([("code_nll", loss), ("grad_norm", norm)]))
    }

    /// The codes that sounds begin with, of one sound.
    fn known(&self, start: &Conditioning<&[f32]>, steps: usize) -> Codes {
        let nothing = Codes { coarse: Vec::new(), fine: Vec::new() };
        let (samples, share) = match start {
            Conditioning::Vary { item: samples, strength } => (samples, 1.0 - strength),
            Conditioning::Continue { item: samples } => (samples, 1.0),
            _ => return nothing,
        };
        let (stride, channels) = (self.stride(), self.info.channels);
        let time = samples.len() / channels;
        let whole = time / stride * stride;
        let kept = ((share * (whole / stride) as f32).round() as usize).min(steps);
        if kept == 0 {
            return nothing;
        }
        // Channel by channel, the end that fills no step left out.
        let values = first_samples(samples, channels, whole);
        let Codes { mut coarse, mut fine } =
            self.encoded(Tensor::from_data(TensorData::new(values, [1, whole * channels]), &self.device));
        coarse.iter_mut().for_each(|codes| codes.truncate(kept));
        fine.iter_mut().for_each(|codes| codes.truncate(GROUP * kept));
        Codes { coarse, fine }
    }

    /// `[n, channels · time]` → the codes of each level, item after item.
    fn encoded(&self, x: Tensor<2>) -> Codes {
        let (a, b) = self.autoencoder.averaged().encode(x);
        Codes {
            coarse: self.coarse.encode(&to_vec(&a), self.config.coarse),
            fine: self.fine.encode(&to_vec(&b), self.config.fine),
        }
    }

    /// The signals of `n` sounds; fine codes are those of the first frames of each sound, or none.
    fn decoded(&self, codes: &Codes, n: usize) -> Tensor<2> {
        let coarse = self.coarse.lookup(&codes.coarse, &self.device);
        let [steps, d] = coarse.dims();
        let frames = GROUP * steps / n;
        let known = codes.fine.first().map_or(0, Vec::len);
        let fine = match known {
            0 => Tensor::zeros([n * frames, d], &self.device),
            all if all == n * frames => self.fine.lookup(&codes.fine, &self.device),
            // Those of one sound, with which each of them begins.
            known => {
                let begun = self.fine.lookup(&codes.fine, &self.device).reshape([1, known, d]);
                begun.pad((0, 0, 0, frames - known), 0.0).repeat_dim(0, n).reshape([n * frames, d])
            }
        };
        self.autoencoder.averaged().decode(coarse, fine, n)
    }

    /// The coarse codes of the items of a batch.
    fn coded(&self, batch: &AudioBatch) -> Coded {
        let stride = self.stride();
        let lengths = batch.lengths.iter().map(|&length| (length as usize).div_ceil(stride).max(1)).collect();
        Coded { levels: self.encoded(signals(batch, &self.device)).coarse, lengths }
    }

    /// Codes of the items of a batch, for usage counts: one list a level, the coarse ones first.
    pub fn codes_of(&self, batch: &AudioBatch) -> Vec<Vec<u32>> {
        let Codes { coarse, fine } = self.encoded(signals(batch, &self.device));
        [coarse, fine].concat()
    }

    /// Bits per second, of the coarse codes alone and of all codes.
    pub fn bits_a_second(&self) -> (f64, f64) {
        let frames = f64::from(self.info.rate_hz) / self.autoencoder.net().framing.hop as f64;
        let bits = frames * (self.config.codes as f64).log2();
        let coarse = bits * self.config.coarse as f64 / GROUP as f64;
        (coarse, coarse + bits * self.config.fine as f64)
    }
}

impl Codes {
    fn without_fine(self) -> Self {
        Self { fine: Vec::new(), ..self }
    }
}

/// Quantized by all levels half of the time, and by a random number of them otherwise.
fn quantized(quantizer: &ResidualQuantizer, x: Tensor<2>, rng: &mut Rng) -> ResidualQuantized {
    let levels = quantizer.levels();
    let used = if rng.uniform() < 0.5 { levels } else { 1 + rng.below(levels) };
    quantizer.quantize(x, used)
}

/// Coarse vectors, without a gradient but for those of the first `n_coarse_only` of `n` sounds.
fn stop_gradient(vectors: Tensor<2>, n_coarse_only: usize, n: usize) -> Tensor<2> {
    let [rows, _] = vectors.dims();
    let first = n_coarse_only * rows / n;
    match n_coarse_only {
        0 => vectors.detach(),
        _ if n_coarse_only == n => vectors,
        _ => {
            let others = vectors.clone().narrow(0, first, rows - first).detach();
            Tensor::cat(vec![vectors.narrow(0, 0, first), others], 0)
        }
    }
}

/// Fine vectors, zero in the first `n_coarse_only` of `n` sounds.
fn zeroed(vectors: Tensor<2>, n_coarse_only: usize, n: usize) -> Tensor<2> {
    let [rows, d] = vectors.dims();
    let first = n_coarse_only * rows / n;
    let none = Tensor::zeros([first, d], &vectors.device());
    match n_coarse_only {
        0 => vectors,
        _ if n_coarse_only == n => none,
        _ => Tensor::cat(vec![none, vectors.narrow(0, first, rows - first)], 0),
    }
}

/// Share of the power that is missed.
fn wave(x: &Tensor<2>, y: &Tensor<2>) -> Tensor<1> {
    let power = x.clone().powi_scalar(2).mean() + 1e-8;
    (x.clone() - y.clone()).powi_scalar(2).mean() / power
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        SamplingParams,
        audio::test_support::{tiny_batch, tiny_info},
    };

    fn tiny(info: &AudioInfo) -> Vqvae {
        let config = Config {
            codes: 16,
            coarse: 2,
            fine: 2,
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
            let from = model.config.prior_start;
            let mut run = |steps: usize, place: &dyn Fn(f64) -> f64| -> (f64, f64) {
                let losses = (0..steps).map(|i| {
                    let progress = place(i as f64 / steps as f64);
                    model.step(&batch, progress, &mut Rng::new(2, i as u64)).unwrap().first().unwrap()
                });
                let losses: Vec<f64> = losses.collect();
                (losses[0], losses[losses.len() - 1])
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
        let (mut b, mut map) = (tiny(&info), mintage_nn::TensorMap::default());
        a.save_state(&mut map);
        b.load_state(&map).unwrap();
        let draw = AudioSampleParams {
            n: 3,
            labels: &[0, 1, 9],
            length: 300,
            conditioning: Conditioning::None,
            choice: SamplingParams::default(),
            guidance: None,
            autoguidance: None,
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
        let steps = each / 2 / model.stride();
        let known = |strength| model.known(&Conditioning::Vary { item: samples, strength }, steps);
        let whole = model.codes_of(&batch);
        let (all, half) = (known(0.0), known(0.5));
        assert_eq!(all.coarse[1], whole[1][..steps]);
        assert_eq!(all.fine[1], whole[3][..GROUP * steps]);
        assert_eq!(half.coarse[1], whole[1][..steps / 2]);
        assert_eq!(half.fine[1], whole[3][..steps / 2 * GROUP]);
        for length in [1, 100, 3 * each] {
            let (conditioning, choice) = (Conditioning::None, SamplingParams::default());
            let draw = AudioSampleParams {
                n: 1,
                labels: &[],
                length,
                conditioning,
                choice,
                guidance: None,
                autoguidance: None,
            };
            let sounds = model.sample(&draw, &mut Rng::new(3, 0));
            assert!(sounds[0].len() <= 2 * length && !sounds[0].is_empty());
        }
    }
}
