//! A set of sounds, opened: decoded once, brought to one rate and loudness, and kept as samples of 16 bits, in memory
//! or in a mapped file; split by whole sounds, and cut into items.

use std::collections::HashMap;

use rayon::prelude::*;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::{
    AudioBatch,
    decode::Reader,
    format::{AudioFormat, DecodedAudio, Ears, planes},
    source::{SOUNDS, input},
};
use crate::{
    Error, SourceSpec, Split, Splits,
    items::{Skipped, class_names, evenly, label_indices},
    source::media::Places,
    spill::{self, U16Store},
};

/// Samples are kept in memory up to this many bytes.
const MEMORY_LIMIT: usize = 512 << 20;
/// Sounds looked at to find the rate.
const SURVEYED_SOUNDS: usize = 400;
/// Longer sounds are decoded twice while opening, so as never to lie in memory: 17 minutes at 16 kHz.
const MAX_SAMPLES_IN_MEMORY: usize = 16 << 20;
/// Sounds decoded at a time while opening, at least, which bounds memory.
const MIN_SOUNDS_PER_CHUNK: usize = 16;
/// A single sound is learned from in so many parts, of which the last two are held out and one validates.
const PARTS_OF_ONE_SOUND: u64 = 20;
const VALID_PART: u64 = 9;
const HELD_PARTS: u64 = 2;

/// Sounds of one rate, split into train, valid and holdout.
#[derive(Debug)]
pub struct AudioSet {
    codec: AudioFormat,
    places: Places,
    /// Interleaved.
    samples: U16Store,
    sounds: Vec<Sound>,
    labels: Vec<u32>,
    splits: Splits,
    /// Sounds in the order of the splits, and behind each how many items there are up to its end.
    items: Vec<(u32, u32)>,
    fingerprint: u64,
    skipped: Skipped,
    notes: Vec<String>,
}

/// Where the samples of a sound lie.
#[derive(Clone, Copy, Debug)]
struct Sound {
    /// Of the source.
    item: u32,
    /// In the store.
    start: u64,
    /// Samples of each channel.
    frames: u64,
    /// How many of its item's come before it: some where it is a part of a single sound.
    before: u64,
}

/// What reading everything once found.
struct Scan {
    samples: U16Store,
    sounds: Vec<Sound>,
    hashes: Vec<u64>,
    skipped: Skipped,
    offset: Found,
    clipped: Found,
    /// Channels of which one is heard alone.
    alone: Found,
}

/// Sounds with something about them.
#[derive(Default)]
struct Found {
    count: usize,
    first: String,
}

impl Found {
    fn add(&mut self, name: String) {
        if self.count == 0 {
            self.first = name;
        }
        self.count += 1;
    }
}

impl AudioSet {
    /// Opens a source; the rate, the length of an item and the classes follow from the specification and the data.
    ///
    /// # Errors
    /// The source cannot be read, an option of `spec` is out of bounds, too many sounds cannot be decoded, or a single
    /// sound is too short to learn from.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        Self::open_within(spec, MEMORY_LIMIT)
    }

    /// [`AudioSet::open`] with its own limit on the bytes that are kept in memory; beyond it they lie in a mapped file.
    ///
    /// # Errors
    /// Those of [`AudioSet::open`].
    pub fn open_within(spec: &SourceSpec, memory: usize) -> Result<Self, Error> {
        Self::open_with(spec, None, memory)
    }

    /// Opens a source as a trained model hears it: its rate, its items, its classes. Labels that the model does not
    /// know become "no class".
    ///
    /// # Errors
    /// The source cannot be read, or too many of its sounds cannot be decoded.
    pub fn open_as(spec: &SourceSpec, codec: &AudioFormat) -> Result<Self, Error> {
        Self::open_with(spec, Some(codec.clone()), MEMORY_LIMIT)
    }

    fn open_with(spec: &SourceSpec, codec: Option<AudioFormat>, memory: usize) -> Result<Self, Error> {
        let given = codec.is_some();
        let places = Places::open(spec, &SOUNDS)?;
        let mut notes = Vec::new();
        let mut codec = match codec {
            Some(codec) => codec,
            None => survey(&places, spec, &mut notes)?,
        };
        let mut scan = Scan::of(&places, &codec, spec, memory)?;
        notes.extend(places.notes());
        notes.extend(scan.skipped.told(places.len(), "sounds", spec)?);
        if !given {
            codec.cut(&scan.sounds.iter().map(|sound| sound.frames).collect::<Vec<_>>(), spec.seconds);
        }
        let splits = match scan.sounds.len() {
            1 => scan.splits_of_one(&codec, given, spec)?,
            _ => scan.splits(&places),
        };
        let all = places.labels();
        let texts: Option<Vec<&str>> = all
            .as_ref()
            .map(|all| scan.sounds.iter().map(|sound| all[sound.item as usize].as_str()).collect());
        if !given && let Some(texts) = &texts {
            codec.classes = class_names(texts, "sounds", &spec.source)?;
        }
        let labels = label_indices(texts.as_deref(), &codec.classes);
        notes.extend(scan.notes(&codec));
        let mut set = Self {
            fingerprint: fingerprint(&scan.hashes, &labels, &codec),
            items: Vec::new(),
            codec,
            places,
            samples: scan.samples,
            sounds: scan.sounds,
            labels,
            splits,
            skipped: scan.skipped,
            notes,
        };
        set.number_items();
        Ok(set)
    }

    fn number_items(&mut self) {
        let mut end = 0;
        let Splits { train, valid, holdout } = &self.splits;
        for &sound in train.iter().chain(valid).chain(holdout) {
            end += items_in(self.sounds[sound as usize].frames, &self.codec);
            self.items.push((sound, end));
        }
    }

    /// `spec` with the table and the column that were found.
    #[must_use]
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        self.places.resolved(spec)
    }

    pub fn codec(&self) -> &AudioFormat {
        &self.codec
    }

    /// Number of sounds, of all splits.
    pub fn len(&self) -> usize {
        self.sounds.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sounds.is_empty()
    }

    /// Whether all are parts of a single sound.
    pub fn is_one(&self) -> bool {
        self.sounds.len() > 1 && self.sounds.iter().all(|sound| sound.item == self.sounds[0].item)
    }

    /// Class names by index; empty without labels.
    pub fn classes(&self) -> &[String] {
        &self.codec.classes
    }

    /// One class index a sound; empty without labels.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Sounds of each split.
    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// Makes what validates a part of train; items keep their numbers.
    pub fn train_on_valid(&mut self) {
        self.splits.train_on_valid();
    }

    /// The same for the same sounds read the same way; names caches.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Sounds of the source that could not be read.
    pub fn skipped(&self) -> usize {
        self.skipped.count
    }

    /// Name and reason of the first of them.
    pub fn first_skip(&self) -> Option<&str> {
        self.skipped.first()
    }

    /// Name and reason of all that could not be read.
    pub fn skips(&self) -> &[String] {
        &self.skipped.reasons
    }

    /// What opening found worth telling.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether samples lie in a file because they would not fit in memory.
    pub fn is_mapped(&self) -> bool {
        self.samples.is_mapped()
    }

    /// What to call a sound in a message: "dogs/7.wav", "talk.mp3 from 0:09:00".
    pub fn name(&self, sound: u32) -> String {
        let Sound { item, before, .. } = self.sounds[sound as usize];
        let name = self.places.name(item as usize);
        if before == 0 {
            return name;
        }
        let secs = before / u64::from(self.codec.rate_hz);
        format!("{name} from {}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
    }

    /// How long a sound lasts.
    pub fn seconds(&self, sound: u32) -> f64 {
        self.sounds[sound as usize].frames as f64 / f64::from(self.codec.rate_hz)
    }

    /// All samples of a sound, channel by channel.
    pub fn sound(&self, sound: u32) -> Vec<f32> {
        self.stretch(sound, 0, u64::MAX)
    }

    /// The items of a split: its sounds, or the segments that they are cut into.
    pub fn items(&self, split: Split) -> std::ops::Range<u32> {
        let Splits { train, valid, .. } = &self.splits;
        let before = match split {
            Split::Train => 0,
            Split::Valid => train.len(),
            Split::Holdout => train.len() + valid.len(),
        };
        let end = |sounds: usize| sounds.checked_sub(1).map_or(0, |last| self.items[last].1);
        end(before)..end(before + self.splits.get(split).len())
    }

    /// The items of a sound.
    pub fn items_of(&self, sound: u32) -> std::ops::Range<u32> {
        let found = self.items.iter().position(|&(other, _)| other == sound);
        let Some(at) = found else { return 0..0 };
        at.checked_sub(1).map_or(0, |last| self.items[last].1)..self.items[at].1
    }

    /// Items by number. With a `seed`, as they are trained on: segments begin anywhere.
    pub fn batch(&self, items: &[u32], seed: Option<u64>) -> AudioBatch {
        let (segment, channels) = (self.codec.segment, self.codec.channels);
        let mut batch = AudioBatch { n: items.len(), ..AudioBatch::default() };
        batch.samples.reserve(items.len() * channels * segment);
        for (place, &item) in items.iter().enumerate() {
            let (sound, nth) = self.place(item);
            let mut start = u64::from(nth) * segment as u64;
            if let Some(seed) = seed.filter(|_| !self.codec.whole) {
                let random = xxh3_64_with_seed(&(place as u64).to_le_bytes(), seed ^ u64::from(item));
                // The last segment reaches to the very end.
                let last = self.sounds[sound as usize].frames.saturating_sub(segment as u64);
                start = (start + random % segment as u64).min(last);
            }
            let found = self.stretch(sound, start, segment as u64);
            let length = found.len() / channels;
            for channel in found.chunks(length.max(1)) {
                batch.samples.extend(channel);
                batch.samples.resize(batch.samples.len() + segment - length, 0.0);
            }
            batch.lengths.push(length as u32);
            batch.labels.extend(self.labels.get(sound as usize));
        }
        batch
    }

    /// The sound of an item, and which of its items this is, from 0.
    pub fn place(&self, item: u32) -> (u32, u32) {
        let at = self.items.partition_point(|&(_, end)| end <= item);
        let first = at.checked_sub(1).map_or(0, |last| self.items[last].1);
        (self.items[at].0, item - first)
    }

    /// At most so many samples from a place in a sound on, channel by channel.
    fn stretch(&self, sound: u32, start: u64, most: u64) -> Vec<f32> {
        let Sound { start: first, frames, .. } = self.sounds[sound as usize];
        let channels = self.codec.channels as u64;
        let start = start.min(frames);
        let end = frames.min(start.saturating_add(most));
        let words = self.samples.read(first + start * channels..first + end * channels, |word| word);
        planes(&words, self.codec.channels)
    }
}

/// Items that a sound makes: what is left over is one where it is at least half a segment.
fn items_in(frames: u64, codec: &AudioFormat) -> u32 {
    let segment = codec.segment as u64;
    if codec.whole { 1 } else { ((frames + segment / 2) / segment).max(1) as u32 }
}

/// The codec that the specification and the headers of some of the sounds ask for.
fn survey(places: &Places, spec: &SourceSpec, notes: &mut Vec<String>) -> Result<AudioFormat, Error> {
    let header = |item: usize| input(places, item).and_then(Reader::open).map(|reader| reader.format());
    let looked: Vec<_> = evenly(places.len(), SURVEYED_SOUNDS).into_par_iter().map(header).collect();
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for format in looked.iter().flatten() {
        *counts.entry(format.rate_hz).or_default() += 1;
    }
    let Some((rate_hz, _)) = counts.into_iter().max_by_key(|&(rate_hz, n)| (n, rate_hz)) else {
        let why = looked.into_iter().find_map(Result::err).unwrap_or_default();
        let why = format!("none of its sounds can be read; {}: {why}", places.name(0));
        return Err(Error::bad(&spec.source, why));
    };
    let codec = AudioFormat::of(spec, rate_hz)?;
    if spec.rate_hz.is_none() && codec.rate_hz < rate_hz {
        let (most, half) = (codec.rate_hz, codec.rate_hz / 2);
        notes.push(format!(
            "{rate_hz} samples a second become {most}: what is higher than {half} Hz is not learned; `rate` sets it"
        ));
    }
    Ok(codec)
}

impl Scan {
    /// Reads and decodes every sound once, long ones twice.
    fn of(places: &Places, codec: &AudioFormat, spec: &SourceSpec, memory: usize) -> Result<Self, Error> {
        let mut writer = spill::Writer::new(memory, "sounds");
        let (mut sounds, mut hashes, mut skipped) = (Vec::new(), Vec::new(), Skipped::default());
        let (mut offset, mut clipped, mut alone) = (Found::default(), Found::default(), Found::default());
        let items: Vec<usize> = (0..places.len()).collect();
        for chunk in items.chunks(MIN_SOUNDS_PER_CHUNK.max(2 * rayon::current_num_threads())) {
            let heard: Vec<_> = chunk.par_iter().map(|&item| decode_audio(places, item, codec)).collect();
            for (&item, heard) in chunk.iter().zip(heard) {
                let start = writer.len();
                let written = match heard {
                    Ok((heard, hash)) => {
                        write(places, item, codec, &heard, &mut writer)?.map(|()| (heard, hash))
                    }
                    Err(why) => Err(why),
                };
                let (heard, hash) = match written {
                    Ok(found) => found,
                    Err(why) => {
                        skipped.add(format!("{}: {why}", places.name(item)), spec)?;
                        continue;
                    }
                };
                if heard.level.has_offset() {
                    offset.add(places.name(item));
                }
                if heard.only.is_some() {
                    alone.add(places.name(item));
                }
                if heard.clipped {
                    clipped.add(places.name(item));
                }
                sounds.push(Sound { item: item as u32, start, frames: heard.frames, before: 0 });
                hashes.push(hash);
            }
        }
        if sounds.is_empty() {
            let why = format!("none of its sounds can be read; {}", skipped.first().unwrap_or_default());
            return Err(Error::bad(&spec.source, why));
        }
        Ok(Self { samples: writer.finish()?, sounds, hashes, skipped, offset, clipped, alone })
    }

    fn splits(&self, places: &Places) -> Splits {
        // Sounds that were left out shift the range.
        let official = places.official_holdout().map(|range| {
            let at = |bound: usize| self.sounds.partition_point(|sound| (sound.item as usize) < bound);
            at(range.start)..at(range.end)
        });
        Splits::of(&self.hashes, official)
    }

    /// A single sound becomes several: parts, of which the last ones are held out.
    fn splits_of_one(
        &mut self,
        codec: &AudioFormat,
        given: bool,
        spec: &SourceSpec,
    ) -> Result<Splits, Error> {
        let one = self.sounds[0];
        let least = PARTS_OF_ONE_SOUND * codec.segment as u64;
        if given && (codec.whole || one.frames < least) {
            return Ok(Splits::of(&self.hashes, None));
        }
        if one.frames < least {
            let secs = |frames: u64| frames as f64 / f64::from(codec.rate_hz);
            let why =
                format!("holds one sound only, of {:.1} s; there is nothing to learn from", secs(one.frames));
            let hint = format!("a few hundred are a good beginning, or one of at least {:.0} s", secs(least));
            return Err(Error::bad(&spec.source, why).with_hint(hint));
        }
        let at = |part: u64| part * one.frames / PARTS_OF_ONE_SOUND;
        let part = |part: u64| Sound {
            start: one.start + at(part) * codec.channels as u64,
            frames: at(part + 1) - at(part),
            before: at(part),
            ..one
        };
        self.sounds = (0..PARTS_OF_ONE_SOUND).map(part).collect();
        let mut splits = Splits::default();
        for part in 0..PARTS_OF_ONE_SOUND {
            match part {
                VALID_PART => splits.valid.push(part as u32),
                _ if part >= PARTS_OF_ONE_SOUND - HELD_PARTS => splits.holdout.push(part as u32),
                _ => splits.train.push(part as u32),
            }
        }
        Ok(splits)
    }

    fn notes(&self, codec: &AudioFormat) -> Vec<String> {
        let n = self.hashes.len();
        let mut notes = Vec::new();
        let Found { count, first } = &self.clipped;
        if *count > 0 {
            notes.push(format!(
                "{count} of {n} sounds are clipped; the first is {first}; what was cut off cannot be had back"
            ));
        }
        let Found { count, first } = &self.offset;
        if *count > 0 {
            notes.push(format!(
                "{count} of {n} sounds lie off the zero line and were put on it; the first is {first}"
            ));
        }
        let Found { count, first } = &self.alone;
        if *count > 0 {
            notes.push(format!(
                "in {count} of {n} sounds the channels cancel each other out: one of them is heard; the first is {first}"
            ));
        }
        let long = self.sounds.iter().filter(|sound| sound.frames > codec.segment as u64).count();
        if codec.whole && long > 0 {
            let secs = codec.segment_seconds();
            notes.push(format!(
                "{long} of {n} sounds are cut off at {secs:.2} s; `seconds` sets their length"
            ));
        }
        notes
    }
}

/// A sound with a hash of its bytes.
fn decode_audio(places: &Places, item: usize, codec: &AudioFormat) -> Result<(DecodedAudio, u64), String> {
    let hash = input(places, item)?.hash()?;
    Ok((codec.decode_audio(&mut || input(places, item), MAX_SAMPLES_IN_MEMORY)?, hash))
}

/// Stores a sound. One that was too long to be kept is decoded once more, now that its level is known: that may
/// fail for a reason of its own, and so may writing.
fn write(
    places: &Places,
    item: usize,
    codec: &AudioFormat,
    heard: &DecodedAudio,
    writer: &mut spill::Writer,
) -> Result<Result<(), String>, Error> {
    if let Some(words) = &heard.words {
        return writer.push(words.iter().copied()).map(Ok);
    }
    let mut failed = None;
    let mut sink = |samples: &[f32]| {
        writer.push(heard.level.apply(samples, codec.channels)).map_err(|error| {
            failed = Some(error);
            String::new()
        })
    };
    let input = input(places, item);
    let read = input.and_then(|input| codec.stream(input, heard.only, &mut Ears::default(), &mut sink));
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Ok(frames)) if frames != heard.frames => Ok(Err("changed while it was read".to_owned())),
        (None, read) => Ok(read.map(drop)),
    }
}

fn fingerprint(hashes: &[u64], labels: &[u32], codec: &AudioFormat) -> u64 {
    let mut hasher = Xxh3::new();
    hashes.iter().for_each(|h| hasher.update(&h.to_le_bytes()));
    labels.iter().for_each(|l| hasher.update(&l.to_le_bytes()));
    hasher.update(format!("{codec:?}").as_bytes());
    hasher.digest()
}
