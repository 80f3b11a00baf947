//! From the bytes of a sound file to the model's samples: rate, channels, loudness, and how long an item is.
//!
//! The codec is fixed by the training data, saved with the model, and used for everything that the model is shown
//! later. Samples are kept as 16 bits: what is quieter than their noise no model of ours can tell.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    decode::{Input, Reader},
    level::{Clipping, Level, Meter, Phases},
    resample::Resampler,
};
use crate::{Error, SourceSpec, atomic_write, error::damaged};

/// Without `rate` a model hears no more than so many samples a second: speech is whole in it.
pub const DEFAULT_RATE_HZ: u32 = 16_000;
/// RMS of what is loud in a sound, to which every sound is brought as far as its peak allows.
pub const LOUDNESS_DBFS: f32 = -20.0;
/// Without `seconds` sounds are taken whole where nearly all are as short as this …
pub const WHOLE_SECONDS: f64 = 3.0;
/// … and cut into segments of this where not.
pub const SEGMENT_SECONDS: f64 = 1.0;
/// Segments are made of whole steps of so many samples, which strides of networks divide.
pub const SEGMENT_STEP: usize = 256;

const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=48_000;
const SEGMENT_SECS: std::ops::RangeInclusive<f64> = 0.05..=60.0;
/// A file of more is no codec.
const MAX_CODEC_BYTES: u64 = 16 << 20;
const FILE: &str = "audio.json";

/// Everything that turns a sound into the model's samples, and label indices into names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioFormat {
    pub rate_hz: u32,
    /// One or two.
    pub channels: usize,
    pub loudness_dbfs: f32,
    /// Samples of an item, of each channel.
    pub segment: usize,
    /// Whether an item is a sound from its beginning, and not one of the segments that it is cut into.
    pub whole: bool,
    /// Class names by index; empty without labels.
    pub classes: Vec<String>,
}

/// A sound that was listened to.
pub(super) struct DecodedAudio {
    /// Samples of each channel at the model's rate.
    pub frames: u64,
    pub level: Level,
    pub clipped: bool,
    /// The channel that was listened to alone, since mixing it with others leaves nothing.
    pub only: Option<usize>,
    /// As they are stored, interleaved; nothing where the sound is too long to be kept.
    pub words: Option<Vec<u16>>,
}

impl AudioFormat {
    /// The codec that a specification asks for, of sounds most of which have this rate. What an item is follows when
    /// all are known: [`AudioFormat::cut`].
    pub(super) fn of(spec: &SourceSpec, rate_hz: u32) -> Result<Self, Error> {
        let rate_hz = spec.rate_hz.unwrap_or(rate_hz.min(DEFAULT_RATE_HZ));
        if !RATES_HZ.contains(&rate_hz) {
            return Err(Error::bad("rate", format!("must be 4000 to 48000 samples a second, not {rate_hz}")));
        }
        let channels = spec.channels.unwrap_or(1);
        if !(1..=2).contains(&channels) {
            return Err(Error::bad("channels", format!("must be 1 or 2, not {channels}"))
                .with_hint("sounds of more channels are mixed"));
        }
        if let Some(secs) = spec.seconds.filter(|secs| !SEGMENT_SECS.contains(secs)) {
            return Err(Error::bad("seconds", format!("must be 0.05 to 60, not {secs}"))
                .with_hint("it is the length of what a model makes at a time, not of the sounds"));
        }
        let (loudness_dbfs, classes) = (LOUDNESS_DBFS, Vec::new());
        Ok(Self { rate_hz, channels, loudness_dbfs, segment: SEGMENT_STEP, whole: false, classes })
    }

    /// Decides what an item is, by the lengths of all sounds: one each where nearly all fit into a segment, parts of
    /// them otherwise.
    pub(super) fn cut(&mut self, frames: &[u64], seconds: Option<f64>) {
        let mut sorted = frames.to_vec();
        sorted.sort_unstable();
        // Of fifty sounds one may be longer.
        let nearly_all = sorted[(sorted.len() * 49 / 50).min(sorted.len() - 1)];
        let rate = f64::from(self.rate_hz);
        let fits = nearly_all as f64 <= seconds.unwrap_or(WHOLE_SECONDS) * rate;
        // A single sound is no item, but what items are cut from.
        self.whole = fits && sorted.len() > 1;
        let samples = match (seconds, self.whole) {
            (Some(secs), _) => secs * rate,
            (None, true) => nearly_all as f64,
            (None, false) => SEGMENT_SECONDS * rate,
        };
        self.segment = (samples.round() as usize).max(1).next_multiple_of(SEGMENT_STEP);
    }

    /// Writes the codec into a model's `codec` folder.
    ///
    /// # Errors
    /// The folder cannot be made, or the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let text = serde_json::to_vec_pretty(self).map_err(|e| Error::bad("codec", e.to_string()))?;
        let path = dir.join(FILE);
        atomic_write(&path, &text).map_err(Error::io(&path))
    }

    /// Reads what [`AudioFormat::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, is too long, or holds no valid codec.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        if fs::metadata(&path).map_err(Error::io(&path))?.len() > MAX_CODEC_BYTES {
            return Err(damaged(&path, "it is too long to be a codec"));
        }
        let text = fs::read(&path).map_err(Error::io(&path))?;
        let codec: Self = serde_json::from_slice(&text).map_err(|e| damaged(&path, e))?;
        let longest = (SEGMENT_SECS.end() * f64::from(codec.rate_hz)) as usize + SEGMENT_STEP;
        let is_sane = RATES_HZ.contains(&codec.rate_hz)
            && (1..=2).contains(&codec.channels)
            && (-60.0..=0.0).contains(&codec.loudness_dbfs)
            && (1..=longest).contains(&codec.segment)
            && codec.segment.is_multiple_of(SEGMENT_STEP);
        if is_sane { Ok(codec) } else { Err(damaged(&path, "it holds values that no sound has")) }
    }

    /// Length of an item.
    pub fn segment_seconds(&self) -> f64 {
        self.segment as f64 / f64::from(self.rate_hz)
    }

    /// Decodes the bytes of a sound file (WAV, AIFF, FLAC, Ogg Vorbis, MP3) into the model's samples, channel by
    /// channel.
    ///
    /// # Errors
    /// The bytes are not a sound that can be decoded, or the sound is silent or too short.
    pub fn decode(&self, bytes: Vec<u8>) -> Result<Vec<f32>, String> {
        let heard = self.decode_audio(&mut || Ok(Input::Bytes(bytes.clone())), usize::MAX)?;
        Ok(planes(&heard.words.unwrap_or_default(), self.channels))
    }

    /// Listens to a sound, and keeps it unless it has more than `most` samples. It is opened once more where its channels
    /// cancel each other out, to listen to one of them.
    pub(super) fn decode_audio(
        &self,
        open: &mut dyn FnMut() -> Result<Input, String>,
        most: usize,
    ) -> Result<DecodedAudio, String> {
        let mut ears = Ears::default();
        let heard = self.hear_channels(open()?, None, most, &mut ears);
        match ears.phases.cancelled().filter(|_| self.channels == 1) {
            Some(channel) => self.hear_channels(open()?, Some(channel), most, &mut Ears::default()),
            None => heard,
        }
    }

    fn hear_channels(
        &self,
        input: Input,
        only: Option<usize>,
        most: usize,
        ears: &mut Ears,
    ) -> Result<DecodedAudio, String> {
        let mut meter = Meter::new(self.rate_hz, self.channels);
        let mut kept = Some(Vec::new());
        let frames = self.stream(input, only, ears, &mut |samples| {
            meter.add(samples);
            match &mut kept {
                Some(all) if all.len() + samples.len() <= most => all.extend_from_slice(samples),
                _ => kept = None,
            }
            Ok(())
        })?;
        let level = meter.level(self.loudness_dbfs)?;
        let words = kept.map(|samples| level.apply(&samples, self.channels).collect());
        Ok(DecodedAudio { frames, level, clipped: ears.clipping.is_clipped(), only, words })
    }

    /// Sends the samples of a file, or of one of its channels, to `sink` as they come, interleaved, at the model's rate but
    /// not yet at its level; returns how many there are of each channel.
    pub(super) fn stream(
        &self,
        input: Input,
        only: Option<usize>,
        ears: &mut Ears,
        sink: &mut dyn FnMut(&[f32]) -> Result<(), String>,
    ) -> Result<u64, String> {
        let mut reader = Reader::open(input)?;
        let mut resampler = Resampler::new(reader.format().rate_hz, self.rate_hz, self.channels)?;
        while let Some(planes) = reader.read()? {
            let planes = only.and_then(|channel| planes.get(channel..=channel)).unwrap_or(planes);
            ears.clipping.add(planes);
            ears.phases.add(planes);
            resampler.push(planes, sink)?;
        }
        resampler.finish(sink)
    }
}

/// What is noticed while a sound is decoded.
#[derive(Debug, Default)]
pub(super) struct Ears {
    pub clipping: Clipping,
    pub phases: Phases,
}

/// Stored samples, interleaved, as numbers channel by channel.
pub(super) fn planes(words: &[u16], channels: usize) -> Vec<f32> {
    let one = |&word: &u16| f32::from(word as i16) / 32_768.0;
    (0..channels).flat_map(|channel| words.iter().skip(channel).step_by(channels).map(one)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audio::{WavDepth, wav_bytes};

    fn codec(rate_hz: u32, channels: usize) -> AudioFormat {
        let spec = SourceSpec { rate_hz: Some(rate_hz), channels: Some(channels), ..SourceSpec::default() };
        AudioFormat::of(&spec, 8000).unwrap()
    }

    #[test]
    fn stereo_comes_channel_by_channel() {
        let samples: Vec<f32> = (0..4000).flat_map(|i| [(i as f32 * 0.1).sin() * 0.2, 0.0]).collect();
        let wav = wav_bytes(&samples, 2, 8000, WavDepth::Float, "");
        let decoded = codec(8000, 2).decode(wav).unwrap();
        assert_eq!(decoded.len(), 8000);
        assert!(decoded[4000..].iter().all(|&sample| sample == 0.0));
        let rms = (decoded[..4000].iter().map(|x| x * x).sum::<f32>() / 4000.0).sqrt();
        // Both channels count, and one is silent.
        assert!((rms - 0.1 * 2f32.sqrt()).abs() < 2e-3, "{rms}");
    }

    #[test]
    fn channels_that_cancel_each_other_out_are_not_mixed() {
        let tone = |i: usize| (i as f32 * 0.1).sin() * 0.2;
        let sound = |right: f32| -> Vec<u8> {
            let samples: Vec<f32> = (0..4000).flat_map(|i| [tone(i), right * tone(i)]).collect();
            wav_bytes(&samples, 2, 8000, WavDepth::Float, "")
        };
        let heard = |right: f32| {
            let bytes = sound(right);
            codec(8000, 1).decode_audio(&mut || Ok(Input::Bytes(bytes.clone())), usize::MAX).unwrap()
        };
        let rms = |words: Vec<u16>| {
            let all = planes(&words, 1);
            (all.iter().map(|x| x * x).sum::<f32>() / all.len() as f32).sqrt()
        };
        assert_eq!(heard(1.0).only, None);
        assert_eq!(heard(0.0).only, None);
        for right in [-1.0, -0.9] {
            let alone = heard(right);
            assert_eq!(alone.only, Some(0));
            assert!((rms(alone.words.unwrap()) - 0.1).abs() < 2e-3);
        }
        assert_eq!(heard(-1.1).only, Some(1));
        // Two channels stay two.
        assert_eq!(codec(8000, 2).decode(sound(-1.0)).unwrap().len(), 8000);
    }

    #[test]
    fn items_are_sounds_where_sounds_are_short() {
        let mut words = codec(8000, 1);
        words.cut(&[2000, 3000, 4000, 5000], None);
        assert_eq!((words.whole, words.segment), (true, 5120));
        words.cut(&[2000, 3000, 500_000], None);
        assert_eq!((words.whole, words.segment), (false, 8192));
        words.cut(&[2000, 3000], Some(0.1));
        assert_eq!((words.whole, words.segment), (false, 1024));
        words.cut(&[2000], None);
        assert!(!words.whole);
    }

    #[test]
    fn the_specification_is_checked() {
        let wrong = |spec: SourceSpec| AudioFormat::of(&spec, 44_100).unwrap_err().to_string();
        assert!(wrong(SourceSpec { rate_hz: Some(96_000), ..SourceSpec::default() }).contains("rate: must"));
        assert!(wrong(SourceSpec { channels: Some(0), ..SourceSpec::default() }).contains("1 or 2"));
        assert!(wrong(SourceSpec { seconds: Some(f64::NAN), ..SourceSpec::default() }).contains("seconds"));
        assert_eq!(AudioFormat::of(&SourceSpec::default(), 44_100).unwrap().rate_hz, DEFAULT_RATE_HZ);
        assert_eq!(AudioFormat::of(&SourceSpec::default(), 11_025).unwrap().rate_hz, 11_025);
    }

    #[test]
    fn save_and_load() {
        let dir = tempfile::tempdir().unwrap();
        let codec = AudioFormat { classes: vec!["ноль".into(), "one".into()], ..codec(16_000, 2) };
        codec.save(dir.path()).unwrap();
        assert_eq!(AudioFormat::load(dir.path()).unwrap(), codec);
        AudioFormat { segment: 1 << 40, ..codec }.save(dir.path()).unwrap();
        assert!(AudioFormat::load(dir.path()).unwrap_err().to_string().contains("no sound"));
    }
}
