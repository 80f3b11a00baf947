//! What can be asked of a model of sounds: new ones, variations of one, what comes behind one, reconstructions.

use mintage_data::{AudioBatch, AudioFormat};
use mintage_nn::Rng;

use super::{Chunks, Limits, check_blend, check_early, class_source, labels_of};
use crate::{
    dataset::AnyTransform,
    error::Error,
    model::Model,
    models::{
        AnyModel, AudioInfo, AudioModel, AudioSampleParams, Conditioning, DataInfo, GenerativeModel,
        SamplingParams,
    },
};

/// Sounds drawn between two words about progress.
const SAMPLE_CHUNK: usize = 16;
/// The longest sound: ten minutes.
const MAX_SECONDS: f64 = 600.0;

/// What to draw from a model.
#[derive(Clone, Debug, Default)]
pub struct AudioRequest {
    /// How many items to draw.
    pub n: usize,
    /// A class by name; `None` draws classes as often as they are in the data.
    pub label: Option<String>,
    /// Items are as the model's transform makes them: samples, channel by channel.
    pub conditioning: Conditioning<Vec<f32>>,
    /// The longest that a sound may be; `None`: as long as an item of the data, or as what it begins with.
    pub seconds: Option<f64>,
    /// How codes or tokens are chosen among the probable ones.
    pub choice: SamplingParams,
    /// Classifier-free guidance weight; `None`: the model's default.
    pub guidance: Option<f32>,
    /// Weight of guidance by an early version of the model; `None`: the model's default.
    pub autoguidance: Option<f32>,
    /// Seed of every random choice.
    pub seed: u64,
}

/// Sounds of one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Sounds {
    /// Samples a second of each channel.
    pub rate_hz: u32,
    /// 1 is mono, 2 stereo.
    pub channels: usize,
    /// Channel by channel.
    pub samples: Vec<Vec<f32>>,
    /// One a sound; nothing without classes. One past the last class is none in particular.
    pub labels: Vec<u32>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl Sounds {
    /// Adds sounds of the same rate, channels and classes after these.
    pub fn append(&mut self, other: Self) {
        self.samples.extend(other.samples);
        self.labels.extend(other.labels);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The class of a sound.
    pub fn class(&self, sound: usize) -> Option<&str> {
        self.classes.get(*self.labels.get(sound)? as usize).map(String::as_str)
    }

    /// How long a sound lasts.
    pub fn seconds(&self, sound: usize) -> f64 {
        (self.samples[sound].len() / self.channels) as f64 / f64::from(self.rate_hz)
    }

    /// The samples of a sound as files have them: one of each channel by turns.
    pub fn interleaved(&self, sound: usize) -> Vec<f32> {
        interleaved(&self.samples[sound], self.channels)
    }
}

/// From channel by channel to one of each by turns.
pub fn interleaved(samples: &[f32], channels: usize) -> Vec<f32> {
    let time = samples.len() / channels;
    (0..time).flat_map(|t| (0..channels).map(move |channel| samples[channel * time + t])).collect()
}

/// The parts of a model of sounds.
pub struct AudioParts<'a> {
    /// The network.
    pub model: &'a AudioModel,
    /// What it knows of its data.
    pub info: &'a AudioInfo,
    /// How items become what the network sees, and back.
    pub codec: &'a AudioFormat,
}

/// Sounds as they are drawn.
pub(crate) struct SoundChunks<'a> {
    parts: AudioParts<'a>,
    request: AudioRequest,
    /// Samples of each channel, at most.
    length: usize,
    labels: Vec<u32>,
    chunks: Chunks,
}

impl SoundChunks<'_> {
    /// No sounds.
    pub(crate) fn head(&self) -> Sounds {
        let AudioInfo { rate_hz, channels, .. } = *self.parts.info;
        let classes = self.parts.codec.classes.clone();
        Sounds { rate_hz, channels, samples: Vec::new(), labels: Vec::new(), classes }
    }

    /// The next sounds; `None` after the last.
    pub(crate) fn next_chunk(&mut self) -> Option<Sounds> {
        let (items, mut rng) = self.chunks.next(&self.request.conditioning)?;
        let labels = labels_of(&self.labels, items.clone());
        let request = &self.request;
        let draw = AudioSampleParams {
            n: items.len(),
            labels,
            length: self.length,
            conditioning: request.conditioning.map(Vec::as_slice),
            choice: request.choice,
            guidance: request.guidance,
            autoguidance: request.autoguidance,
        };
        let samples = self.parts.model.sample(&draw, &mut rng);
        Some(Sounds { samples, labels: labels.to_vec(), ..self.head() })
    }
}

impl Model {
    /// The parts of a model of sounds.
    ///
    /// # Errors
    ///
    /// The model makes something else.
    pub fn sounds(&self) -> Result<AudioParts<'_>, Error> {
        match (&self.any, &self.config.info, &self.codec) {
            (AnyModel::Audio(model), DataInfo::Audio(info), AnyTransform::Audio(codec)) => {
                Ok(AudioParts { model, info, codec })
            }
            _ => {
                Err(Error::request(format!("{} makes {}s, not sounds", self.name(), self.config.info.item())))
            }
        }
    }

    /// Draws `request.n` sounds. The same request gives the same samples.
    ///
    /// # Errors
    ///
    /// The model makes something else, or cannot make what is asked for.
    pub fn sample_sounds(
        &self,
        request: &AudioRequest,
        on: &mut dyn FnMut(usize, usize),
    ) -> Result<Sounds, Error> {
        let mut chunks = self.sound_chunks(request.clone(), &Limits::default())?;
        let mut all = chunks.head();
        on(0, request.n);
        while let Some(chunk) = chunks.next_chunk() {
            all.append(chunk);
            on(all.len(), request.n);
        }
        Ok(all)
    }

    /// The sounds of [`sample_sounds`](Self::sample_sounds), a chunk at a time.
    pub(crate) fn sound_chunks(
        &self,
        request: AudioRequest,
        limits: &Limits,
    ) -> Result<SoundChunks<'_>, Error> {
        let parts = self.sounds()?;
        let length = length(parts.info, &request)?;
        limits.check_items(
            request.n,
            length.saturating_mul(parts.info.channels * size_of::<f32>()),
            "sounds",
        )?;
        let (seed, given) = class_source(&request.conditioning, request.seed);
        let labels =
            self.labels_for(&parts.codec.classes, request.label.as_deref(), request.n, given, seed)?;
        self.check_beginning(parts.model, &request.conditioning)?;
        check_blend(&request.conditioning, request.n)?;
        check_early(request.autoguidance.is_some(), parts.model.has_early())?;
        let chunks = Chunks::new(request.n, SAMPLE_CHUNK, request.seed);
        Ok(SoundChunks { parts, request, length, labels, chunks })
    }

    fn check_beginning(&self, model: &AudioModel, begin: &Conditioning<Vec<f32>>) -> Result<(), Error> {
        let (field, what, able) = match begin {
            Conditioning::None => return Ok(()),
            Conditioning::Vary { .. } => ("like", "variations of a sound", "vqvae and vae"),
            Conditioning::Interpolate { .. } => ("between", "the way between two sounds", "no family"),
            blend @ Conditioning::Blend { .. } if blend.is_noise() => {
                ("blend", "a blend of seeds", "vae and gan")
            }
            Conditioning::Blend { .. } => ("blend", "a blend of sounds", "a vae"),
            Conditioning::Continue { .. } => ("continue", "what comes after a sound", "vqvae and vae"),
        };
        match model.supports(&begin.map(|_| ())) {
            true => Ok(()),
            false => {
                let family = self.config.model.family().name();
                Err(Error::field(field, format!("cannot be met: a {family} cannot draw {what}; {able} can")))
            }
        }
    }

    /// Reconstructs a sound in the codec's samples, channel by channel: through the encoder and back, segment by
    /// segment.
    ///
    /// # Errors
    ///
    /// The model makes something else, or has no encoder.
    pub fn reconstruct_sound(&self, samples: &[f32]) -> Result<Vec<f32>, Error> {
        let AudioParts { model, info, .. } = self.sounds()?;
        let time = samples.len() / info.channels;
        let mut back = vec![Vec::with_capacity(time); info.channels];
        for first in (0..time).step_by(info.segment) {
            let length = info.segment.min(time - first);
            let mut batch = AudioBatch { n: 1, lengths: vec![length as u32], ..AudioBatch::default() };
            for channel in samples.chunks_exact(time) {
                batch.samples.extend(&channel[first..first + length]);
                batch.samples.resize(batch.samples.len() + info.segment - length, 0.0);
            }
            let Some(found) = model.reconstruct(&batch, &mut Rng::new(0, 0)) else {
                let family = self.config.model.family().name();
                return Err(Error::request(format!(
                    "a {family} has no encoder; reconstruct works for vae and vqvae"
                )));
            };
            let channels = back.iter_mut().zip(found.chunks_exact(info.segment));
            channels.for_each(|(back, found)| back.extend(&found[..length]));
        }
        Ok(back.concat())
    }
}

/// Samples of each channel that a sound has at most.
fn length(info: &AudioInfo, request: &AudioRequest) -> Result<usize, Error> {
    let rate = f64::from(info.rate_hz);
    let begun = request.conditioning.item().map_or(0, Vec::len) / info.channels;
    let most = match (request.seconds, &request.conditioning) {
        (Some(secs), _) if !(secs > 0.0 && secs <= MAX_SECONDS) => {
            let why = format!("a sound lasts more than 0 and at most {MAX_SECONDS:.0} seconds, not {secs}");
            return Err(Error::request(why).in_field("seconds"));
        }
        (Some(secs), _) => (secs * rate).round() as usize,
        (None, Conditioning::None | Conditioning::Interpolate { .. }) => info.segment,
        (None, Conditioning::Blend { .. }) if begun == 0 => info.segment,
        (None, Conditioning::Vary { .. } | Conditioning::Blend { .. }) => begun,
        (None, Conditioning::Continue { .. }) => begun + info.segment,
    };
    if most > (MAX_SECONDS * rate) as usize {
        let field = if request.seconds.is_some() { "seconds" } else { "continue" };
        return Err(Error::request(format!("a sound lasts at most {MAX_SECONDS:.0} seconds")).in_field(field));
    }
    Ok(most.max(1))
}
