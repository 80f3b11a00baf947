//! Images, sounds and clips as the judges of images see them: an image as it is, a sound as its spectrogram, a clip as an
//! image with a channel for every frame. What is longer than an item of the data is several pictures.

use std::ops::Range;

use mintage_data::{AudioFormat, ImageShape, Images, VideoFormat};

use super::{
    audio::Spectrograms,
    image::smaller,
    real::other_kind,
    video::pictures::{self as clips, MAX_FRAMES},
};
use crate::{dataset::AnyData, error::Error, generate::Samples, sample::Sounds};

/// Bytes of an image that a network learns from in seconds: 64 × 64 in colour.
const MAX_IMAGE_BYTES: usize = 3 * 64 * 64;

/// Makes pictures of the items of some data, and of samples like them.
pub(super) enum Pictures {
    Image(ImageShape),
    Audio(Box<Spectrograms>, AudioFormat),
    Video(VideoFormat),
}

impl Pictures {
    /// None for rows, texts and tunes.
    pub fn of(data: &AnyData) -> Option<Self> {
        match data {
            AnyData::Image(set) => Some(Self::Image(set.shape())),
            AnyData::Audio(set) => Some(Self::Audio(Box::new(Spectrograms::new(set)), set.codec().clone())),
            AnyData::Video(set) => Some(Self::Video(set.codec().clone())),
            AnyData::Table(_) | AnyData::Sequence(_) => None,
        }
    }

    /// What distances are taken of.
    pub fn space(&self) -> &'static str {
        match self {
            Self::Image(_) => "pixels",
            Self::Audio(..) => "spectrograms",
            Self::Video(_) => "pixels of all frames",
        }
    }

    /// A picture of each of some items of the data.
    pub fn read(&self, data: &AnyData, items: &[u32]) -> Result<Images, Error> {
        match (self, data) {
            (Self::Image(_), AnyData::Image(set)) => Ok(set.images(items)?),
            (Self::Audio(spectrograms, _), AnyData::Audio(set)) => Ok(spectrograms.of_items(set, items)),
            (Self::Video(_), AnyData::Video(set)) => Ok(clips::of_items(set, items)),
            _ => Err(other_kind()),
        }
    }

    /// The pictures of all samples, one of each: what is longer than an item is cut.
    pub fn of_all(&self, samples: &Samples) -> Result<Images, Error> {
        let mut all: Option<Images> = None;
        for item in 0..samples.len() {
            let mut first = self.of_item(samples, item)?.select(&[0]);
            first.labels.clear();
            match &mut all {
                Some(all) => all.append(first),
                None => all = Some(first),
            }
        }
        all.ok_or_else(|| Error::request("there are no items to look at"))
    }

    /// The pictures of one item: one, or as many as it has parts of the length of an item of the data.
    pub fn of_item(&self, samples: &Samples, item: usize) -> Result<Images, Error> {
        match (self, samples) {
            (Self::Image(shape), Samples::Image(images)) if images.shape == *shape => {
                Ok(images.select(&[item]))
            }
            (Self::Audio(spectrograms, format), Samples::Audio(sounds))
                if (sounds.rate_hz, sounds.channels) == (format.rate_hz, format.channels) =>
            {
                let parts = parts_of_sound(format, sounds, item);
                let sound = &sounds.samples[item];
                let parts: Vec<Vec<f32>> =
                    parts.into_iter().map(|part| part_of(sound, sounds.channels, part)).collect();
                Ok(spectrograms.of_sounds(&parts, Vec::new()))
            }
            (Self::Video(format), Samples::Video(all)) if all.shape == format.shape => {
                let mut pictures: Option<Images> = None;
                for part in parts_of_clip(format, all.frames) {
                    let clip = window(all, item, part.start, format.frames);
                    let picture = clips::pictures(&clip);
                    match &mut pictures {
                        Some(pictures) => pictures.append(picture),
                        None => pictures = Some(picture),
                    }
                }
                pictures.ok_or_else(other_kind)
            }
            (Self::Image(_), Samples::Image(_))
            | (Self::Audio(..), Samples::Audio(_))
            | (Self::Video(_), Samples::Video(_)) => {
                Err(Error::request("the items are of another size or rate than the data"))
            }
            _ => Err(other_kind()),
        }
    }

    /// The frames of a clip that the channels of its pictures are, in their order: those of each picture.
    pub fn frames_of(&self, samples: &Samples) -> Vec<Vec<usize>> {
        let (Self::Video(format), Samples::Video(all)) = (self, samples) else { return Vec::new() };
        let shown = format.frames.min(MAX_FRAMES);
        let of = |part: Range<usize>| {
            (0..shown).map(|i| (part.start + i * format.frames / shown).min(all.frames - 1)).collect()
        };
        parts_of_clip(format, all.frames).into_iter().map(of).collect()
    }

    /// As a detector sees them: large images smaller.
    pub fn for_detector(&self, images: Images) -> Images {
        match self {
            Self::Image(_) => smaller(&images, MAX_IMAGE_BYTES),
            Self::Audio(..) | Self::Video(_) => images,
        }
    }
}

/// The parts of a sound that are as long as an item, as [`AudioSet`](mintage_data::AudioSet) cuts: what is left over is one
/// where it is at least half a segment.
pub(super) fn parts_of_sound(format: &AudioFormat, sounds: &Sounds, item: usize) -> Vec<Range<usize>> {
    let time = (sounds.samples[item].len() / sounds.channels.max(1)).max(1);
    let count = if format.whole { 1 } else { ((time + format.segment / 2) / format.segment).max(1) };
    (0..count).map(|part| part * format.segment..((part + 1) * format.segment).min(time)).collect()
}

/// A part of a sound, channel by channel.
pub(super) fn part_of(sound: &[f32], channels: usize, part: Range<usize>) -> Vec<f32> {
    let time = (sound.len() / channels.max(1)).max(1);
    sound
        .chunks_exact(time)
        .flat_map(|channel| &channel[part.start.min(time)..part.end.min(time)])
        .copied()
        .collect()
}

/// The parts of a clip that are as long as an item; a shorter rest is none.
pub(super) fn parts_of_clip(format: &VideoFormat, frames: usize) -> Vec<Range<usize>> {
    let count = (frames / format.frames.max(1)).max(1);
    (0..count).map(|part| part * format.frames..(part + 1) * format.frames).collect()
}

/// So many frames of a clip from one on; behind its end it stands still.
pub(super) fn window(
    all: &mintage_data::Clips,
    item: usize,
    first: usize,
    frames: usize,
) -> mintage_data::Clips {
    let area = all.shape.height * all.shape.width;
    let planes = all.clip(item).chunks_exact(area * all.frames);
    let numbers = (first..first + frames).map(|frame| frame.min(all.frames - 1));
    let pixels = planes
        .flat_map(|plane| numbers.clone().flat_map(move |frame| &plane[frame * area..][..area]))
        .copied()
        .collect();
    mintage_data::Clips { frames, pixels, labels: Vec::new(), classes: all.classes.clone(), ..*all }
}
