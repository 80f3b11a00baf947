//! Adversaries over spectrograms: SpecGAN, WaveGAN's other half (Donahue et al., arXiv:1802.04208), with the loss, the
//! penalties and the residual networks of R3GAN (Huang et al., arXiv:2501.05441), as the GAN of images has them.
//!
//! With `x` the levels of each frame's frequencies (the logarithms of its short-time spectrum, `Framing::levels`),
//! `c` the class and `m` which frames come before the end of a sound,
//!
//! ```text
//! L_D = E softplus(D(G(z, c, m), c) − D(x, c)) + γ/2 E‖∇ₓD(x)‖² + γ/2 E‖∇ₓD(G(z, c, m))‖²
//! L_G = E softplus(D(x, c) − D(G(z, c, m), c))
//! ```
//!
//! A real and a generated sound of a pair are of one class and end at the same frame. Both networks work on rows, a
//! frame or several of them each: residual blocks over time, and maps that make one row of two, or two of one.
//! Phases are not learned: they follow from the levels of all frames together (`griffin_lim.rs`). How long a new sound is
//! is drawn as often as sounds of its class were so long. Where items are parts of longer sounds, a new sound longer than
//! an item is several passages, one fading into the next. A training that collapses or diverges goes back to earlier weights
//! (`common/watch.rs`).

mod networks;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::AudioBatch;
use mintage_nn::{NotFinite, Rng, Schedule, Trainable, weights::to_vec};
use serde::{Deserialize, Serialize};

use self::networks::{Critic, Generator, Rates, masked};
use super::Audio;
use super::{
    AudioInfo, AudioSampleParams,
    griffin_lim::signal_of_levels,
    net::{Lengths, SAMPLE_BATCH, signals},
    spectral::Framing,
};
use crate::models::common::adversarial::{Judged, Penalties, adam, diversity, metrics, relativistic_loss};
use crate::models::{
    Conditioning,
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::{
    events::Metrics,
    models::{
        Size,
        common::classes::class_input,
        common::watch::{Vitals, Watch},
    },
};

/// Iterations of Griffin and Lim.
const GRIFFIN_LIM_ITERS: usize = 40;

/// Options of a GAN of sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of the latent vector `z`.
    pub latent: usize,
    /// Width of the rows in both networks, the same at every rate.
    pub width: usize,
    /// Residual blocks a rate.
    pub blocks: usize,
    /// γ of both penalties.
    pub penalty: f64,
    /// Steps from one computation of the penalties to the next; each weighs as many times more (Karras et
    /// al., arXiv:1912.04958).
    pub penalty_every: usize,
    /// Sounds per step.
    pub batch: usize,
    /// Peak learning rate of both networks (AdamW, β₁ = 0).
    pub lr: f64,
    /// How often a training that has collapsed or diverged goes back to earlier weights, each time with half the learning
    /// rate and twice γ; 0 is never.
    #[serde(default)]
    pub recoveries: usize,
    /// Probability that a label is hidden in training, so that sounds without a class are learned as well (Ho
    /// & Salimans, arXiv:2207.12598).
    pub label_drop: f64,
}

impl FamilyConfig<Audio> for Config {
    /// The preset of a size.
    fn preset(size: Size, _info: &AudioInfo) -> Self {
        let (width, blocks) = match size {
            Size::Tiny => (96, 1),
            Size::Small => (160, 2),
            Size::Base => (256, 2),
            Size::Large => (384, 3),
        };
        Self {
            latent: 64,
            width,
            blocks,
            penalty: 5.0,
            penalty_every: 2,
            batch: 32,
            lr: 1e-3,
            recoveries: 3,
            label_drop: 0.1,
        }
    }

    fn activations(&self, info: &AudioInfo) -> u64 {
        memory::of_sound(info, self.width, self.blocks, 1.5)
    }
}

/// A GAN of sounds with both optimisers.
#[derive(Debug)]
pub struct Gan {
    config: Config,
    info: AudioInfo,
    device: Device,
    framing: Framing,
    lengths: Lengths,
    generator: Trainable<Generator>,
    critic: Trainable<Critic>,
    watch: Watch,
}

impl GenerativeModel<Audio> for Gan {
    type Config = Config;

    fn new(config: &Config, info: &AudioInfo, device: &Device, rng: &mut Rng) -> Self {
        let framing = Framing::of_rate(info.rate_hz, info.channels);
        let (generator, critic) = networks(config, info, framing, device, rng);
        Self {
            lengths: Lengths::new(info, framing.hop),
            generator,
            critic,
            watch: Watch::new(config.recoveries),
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            framing,
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// A step of the game; where the watch finds that it is lost, it goes on from earlier weights or from new ones.
    fn step(&mut self, batch: &AudioBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let played = self.play(batch, progress, rng);
        let seen = played.as_ref().ok().map(|(_, vitals)| *vitals);
        if self.watch.after(seen, [&mut self.generator, &mut self.critic]) {
            (self.generator, self.critic) =
                networks(&self.config, &self.info, self.framing, &self.device, rng);
        }
        played.map(|(metrics, _)| metrics)
    }

    fn notes(&mut self) -> Vec<String> {
        self.watch.notes()
    }

    /// Draws from the averaged generator; a temperature below 1 draws `z` nearer to the middle. Whole sounds end where
    /// sounds of their class do, others last as long as asked.
    fn sample(&self, draw: &AudioSampleParams, rng: &mut Rng) -> Vec<Vec<f32>> {
        let net = self.generator.averaged();
        let (segment, none) = (self.info.segment, self.info.classes as u32);
        let fade = segment / 8;
        let passages = match self.info.whole {
            true => 1,
            false => 1 + draw.length.saturating_sub(segment).div_ceil(segment - fade),
        };
        let mut sounds = Vec::with_capacity(draw.n);
        for start in (0..draw.n).step_by(SAMPLE_BATCH) {
            let n = SAMPLE_BATCH.min(draw.n - start);
            let labels = draw.labels_of(start..start + n, none);
            let labels: Vec<u32> = labels.into_iter().map(|label| label.min(none)).collect();
            let ends: Vec<usize> = labels.iter().map(|&label| self.end(label, rng)).collect();
            let mut parts: Vec<Vec<Vec<f32>>> = vec![Vec::new(); n];
            for _ in 0..passages {
                let passage = self.passage(&net, &labels, &ends, draw.choice.temperature, rng);
                parts
                    .iter_mut()
                    .zip(passage.chunks_exact(segment * self.info.channels))
                    .for_each(|(parts, passage)| parts.push(passage.to_vec()));
            }
            for (parts, &end) in parts.iter().zip(&ends) {
                let most = match self.info.whole {
                    true => draw.length.min(end * self.framing.hop),
                    false => draw.length,
                };
                let channel = |channel: usize| {
                    let parts = parts.iter().map(|part| &part[channel * segment..][..segment]);
                    let mut joined = joined(parts, fade);
                    joined.truncate(most);
                    joined
                };
                sounds.push((0..self.info.channels).flat_map(channel).collect());
            }
        }
        sounds
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        conditioning.is_noise()
    }

    parts!("generator" = generator, "critic" = critic, "lengths" = lengths, "watch" = watch);
}

impl Gan {
    /// One step of the critic, then one of the generator. Metrics: the critic's loss, the generator's, how well
    /// real and generated are told apart (0.5: not at all), the penalty when due, and the diversity of the generated batch
    /// against the real one (0: collapsed).
    fn play(
        &mut self,
        batch: &AudioBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<(Metrics, Vitals), NotFinite> {
        let (on, n) = (self.device.clone().autodiff(), batch.n);
        let lr = self.config.lr * Schedule::default().factor(progress) * self.watch.lr_factor();
        let classes = class_input(&batch.labels, n, self.info.classes, self.config.label_drop as f32, rng);
        let rates = self.generator.net().rates;
        let mask = rates.mask(&self.frames_of(batch), &self.device);
        let real = self.levels(batch, &mask);
        let z = rng.normal_tensor([n, self.config.latent], &self.device);
        let fake = self.generator.net().valid().forward(z, &classes, &mask);
        let diversity = diversity(&fake, &real);

        let (sounds, labels) = (Tensor::from_inner(Tensor::cat(vec![real, fake], 0)), classes.repeat(2));
        let critic = self.critic.net();
        let gamma = self.config.penalty * self.watch.penalty_factor();
        let penalties = Penalties { gamma, every: self.config.penalty_every };
        let due = penalties.due(self.critic.steps());
        let judged = Judged::of(critic, sounds, due, |critic, x, pass| critic.pass(x, &labels, pass));
        let (loss, penalty) = penalties.added(judged.loss, judged.penalty);
        let (d_loss, _) = self.critic.update(loss, lr)?;

        // The generator's step reads D(x) of above: it is a constant there, one update old.
        let z = rng.normal_tensor([n, self.config.latent], &on);
        let fake = self.generator.net().forward(z, &classes, &Tensor::from_inner(mask));
        let d_fake = self.critic.net().clone().no_grad().forward(fake, &classes);
        let loss = relativistic_loss(d_fake, judged.real);
        let (g_loss, gradient) = self.generator.update(loss, lr)?;
        self.lengths.note(batch, self.framing.hop);

        let losses = [d_loss, g_loss];
        let vitals = Vitals { losses, gradient, diversity: (n > 1).then_some(diversity) };
        Ok((metrics(losses, judged.accuracy, Some(diversity), penalty), vitals))
    }

    /// What the critic sees of a batch: `[n, frames, channels · bins]`, zero after the end of a sound.
    fn levels(&self, batch: &AudioBatch, mask: &Tensor<3>) -> Tensor<3> {
        let Rates { frames, frame, .. } = self.generator.net().rates;
        let levels = self.framing.levels(signals(batch, &self.device));
        masked(levels.reshape([batch.n, frames, frame]), mask)
    }

    fn frames_of(&self, batch: &AudioBatch) -> Vec<usize> {
        batch.lengths.iter().map(|&length| (length as usize).div_ceil(self.framing.hop).max(1)).collect()
    }

    /// The frame that a new sound ends before.
    fn end(&self, label: u32, rng: &mut Rng) -> usize {
        if self.info.whole { self.lengths.draw(label, rng) } else { self.generator.net().rates.frames }
    }

    /// Samples of one item a label, channel by channel.
    fn passage(
        &self,
        net: &Generator,
        labels: &[u32],
        ends: &[usize],
        temperature: f32,
        rng: &mut Rng,
    ) -> Vec<f32> {
        let (n, Rates { frames, frame, .. }) = (labels.len(), net.rates);
        let z = rng.normal_tensor([n, self.config.latent], &self.device) * temperature;
        let levels = net.forward(z, labels, &net.rates.mask(ends, &self.device));
        to_vec(&signal_of_levels(
            self.framing,
            levels.reshape([n * frames, frame]),
            n,
            GRIFFIN_LIM_ITERS,
            rng,
        ))
    }
}

/// Both networks with their optimisers, untrained.
fn networks(
    config: &Config,
    info: &AudioInfo,
    framing: Framing,
    device: &Device,
    rng: &mut Rng,
) -> (Trainable<Generator>, Trainable<Critic>) {
    let on = device.clone().autodiff();
    let rates = Rates::new(info, framing);
    let generator = Trainable::new(Generator::new(config, info.classes, rates, &on, rng), adam(0.999));
    (generator, Trainable::new(Critic::new(config, info.classes, rates, &on, rng), adam(0.0)))
}

/// Passages one after the other, `fade` samples of each lying over the next, with the power of both (they have
/// nothing to do with each other).
fn joined<'a>(parts: impl Iterator<Item = &'a [f32]>, fade: usize) -> Vec<f32> {
    let mut all: Vec<f32> = Vec::new();
    for part in parts {
        let over = fade.min(all.len());
        let start = all.len() - over;
        for (i, (old, new)) in all[start..].iter_mut().zip(part).enumerate() {
            let (up, down) = (std::f32::consts::FRAC_PI_2 * (i as f32 + 0.5) / over as f32).sin_cos();
            *old = *old * down + new * up;
        }
        all.extend(&part[over..]);
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::models::{
        SamplingParams,
        audio::test_support::{tiny_batch, tiny_info},
    };

    fn config(info: &AudioInfo) -> Config {
        Config { width: 16, lr: 5e-3, ..Config::preset(Size::Tiny, info) }
    }

    fn tiny(info: &AudioInfo) -> Gan {
        Gan::new(&config(info), info, &Device::flex(), &mut Rng::new(1, 0))
    }

    fn draw(labels: &[u32], length: usize) -> AudioSampleParams<'_> {
        let (conditioning, choice) = (Conditioning::None, SamplingParams::default());
        AudioSampleParams {
            n: labels.len(),
            labels,
            length,
            conditioning,
            choice,
            guidance: None,
            autoguidance: None,
        }
    }

    #[test]
    fn learns_how_loud_one_batch_is() {
        for channels in [1, 2] {
            let (info, batch) = (tiny_info(channels), tiny_batch(channels));
            let mut model = tiny(&info);
            let mask = model.generator.net().rates.mask(&model.frames_of(&batch), &model.device);
            let mean = |levels: Tensor<3>| f64::from(levels.mean().into_scalar::<f32>());
            let real = mean(model.levels(&batch, &mask));
            let far = |model: &Gan| {
                let z = Rng::new(3, 0).normal_tensor([4, model.config.latent], &model.device);
                (mean(model.generator.averaged().forward(z, &batch.labels, &mask)) - real).abs()
            };
            let before = far(&model);
            for i in 0..60 {
                model.step(&batch, f64::from(i) / 60.0, &mut Rng::new(2, i as u64)).unwrap();
            }
            let after = far(&model);
            assert!(after < before, "{channels} channels: {before} to {after}");
        }
    }

    #[test]
    fn save_load_is_bit_exact() {
        let (info, batch) = (tiny_info(1), tiny_batch(1));
        let mut a = tiny(&info);
        a.step(&batch, 0.5, &mut Rng::new(2, 0)).unwrap();
        let (mut b, mut map) = (tiny(&info), mintage_nn::TensorMap::default());
        a.save_state(&mut map);
        b.load_state(&map).unwrap();
        let draw = draw(&[0, 1, 9], 512);
        assert_eq!(a.sample(&draw, &mut Rng::new(3, 0)), b.sample(&draw, &mut Rng::new(3, 0)));
        for i in 0..4 {
            let step = |m: &mut Gan| m.step(&batch, 0.6, &mut Rng::new(4, i)).unwrap();
            assert_eq!(step(&mut a), step(&mut b));
        }
    }

    #[test]
    fn sounds_end_where_those_of_their_class_do() {
        let (info, batch) = (tiny_info(2), tiny_batch(2));
        let mut model = tiny(&info);
        model.step(&batch, 0.1, &mut Rng::new(2, 0)).unwrap();
        let lengths = |labels: &[u32], length: usize| -> Vec<usize> {
            model.sample(&draw(labels, length), &mut Rng::new(3, 0)).iter().map(|s| s.len() / 2).collect()
        };
        // Of class 0 there are two of 512 samples, of class 1 one of 400 and one of 300, in frames of 32.
        assert_eq!(lengths(&[0, 0], 5_000), [512, 512]);
        assert!(lengths(&[1; 8], 5_000).iter().all(|length| [416, 320].contains(length)));
        assert_eq!(lengths(&[0, 1], 100), [100, 100]);
    }

    #[test]
    fn parts_of_sounds_have_any_length() {
        let info = AudioInfo { whole: false, ..tiny_info(2) };
        let model = tiny(&info);
        for length in [1, 512, 513, 2_000] {
            let sounds = model.sample(&draw(&[0], length), &mut Rng::new(3, 0));
            assert_eq!(sounds[0].len(), 2 * length);
        }
        let (ones, none) = ([1.0; 8], [0.0; 8]);
        let fade = joined([&ones[..], &none[..]].into_iter(), 4);
        assert_eq!((fade.len(), fade[3], fade[8]), (12, 1.0, 0.0));
        assert!(fade[4..8].windows(2).all(|pair| pair[0] > pair[1]));
    }
}
