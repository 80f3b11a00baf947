//! What was made as the bytes of one file.

use std::path::Path;

use mintage_data::{
    Animation, Clips, DataKind, Images, Provenance, Score, apng_bytes,
    audio::{WavDepth, wav_bytes},
    gif_bytes, grid_film, grid_png,
    music::render,
    png_bytes,
};
use serde::{Deserialize, Serialize};

use super::{Documents, Output, Samples, output::suffix};
use crate::{error::Error, sample::Sounds};

/// Samples a second of a tune that is played.
const TUNE_RATE_HZ: u32 = 44_100;
/// Between texts in one file.
const BETWEEN_TEXTS: &str = "\n\n――――――――\n\n";

/// The format of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// An image, or several in a grid.
    Png,
    /// A moving picture in 256 colours.
    Gif,
    /// A moving picture in all colours.
    Apng,
    /// A film; only where there is an `ffmpeg`, and only as a file.
    Mp4,
    /// A tune, as notes.
    Midi,
    /// A sound, or a tune that is played.
    Wav,
    /// Texts in UTF-8, with a line between two.
    Text,
}

impl Encoding {
    /// The format that the ending of a file says, where items of the kind can be written in it.
    pub fn of_file(kind: DataKind, path: &Path) -> Option<Self> {
        match (kind, suffix(path).as_str()) {
            (DataKind::Image, "png") => Some(Self::Png),
            (DataKind::Video, "gif") => Some(Self::Gif),
            (DataKind::Video, "png" | "apng") => Some(Self::Apng),
            (DataKind::Video, "mp4" | "m4v") => Some(Self::Mp4),
            (DataKind::Music, "mid" | "midi") => Some(Self::Midi),
            (DataKind::Music | DataKind::Audio, "wav") => Some(Self::Wav),
            (DataKind::Text, "txt") => Some(Self::Text),
            _ => None,
        }
    }

    /// The format of a kind where nobody says which: PNG, text, MIDI, WAV or GIF. Rows have no such format, see
    /// [`Sink::stream_rows`](super::Sink::stream_rows).
    pub fn for_kind(kind: DataKind) -> Option<Self> {
        match kind {
            DataKind::Image => Some(Self::Png),
            DataKind::Table => None,
            DataKind::Text => Some(Self::Text),
            DataKind::Music => Some(Self::Midi),
            DataKind::Audio => Some(Self::Wav),
            DataKind::Video => Some(Self::Gif),
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Apng => "image/apng",
            Self::Mp4 => "video/mp4",
            Self::Midi => "audio/midi",
            Self::Wav => "audio/wav",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// Whether a file of it holds several items.
    pub fn holds_several(self) -> bool {
        !matches!(self, Self::Midi | Self::Wav)
    }
}

impl Samples {
    /// All of them as the bytes of one file. Rows are written by [`Sink::stream_rows`](super::Sink::stream_rows).
    ///
    /// # Errors
    ///
    /// The kind cannot be written so, or the format holds one item and there are several.
    pub fn encode(
        &self,
        encoding: Encoding,
        output: &Output,
        provenance: &Provenance,
    ) -> Result<Vec<u8>, Error> {
        if self.len() != 1 && !encoding.holds_several() {
            return Err(one_only(self));
        }
        let json = provenance.to_json();
        match (self, encoding) {
            (Self::Image(images), Encoding::Png) => png(images, output, provenance),
            (Self::Text(texts), Encoding::Text) => Ok(joined(texts).into_bytes()),
            (Self::Music(tunes), Encoding::Midi) => Ok(tunes.items[0].to_midi(&json)),
            (Self::Music(tunes), Encoding::Wav) => {
                played(&tunes.items[0], output.sound_font.as_deref(), &json)
            }
            (Self::Audio(sounds), Encoding::Wav) => Ok(wav(sounds, 0, output, &json)),
            (Self::Video(clips), Encoding::Gif) => {
                Ok(gif_bytes(&film(clips, output, provenance)?, Some(provenance))?)
            }
            (Self::Video(clips), Encoding::Apng) => {
                Ok(apng_bytes(&film(clips, output, provenance)?, Some(provenance))?)
            }
            _ => {
                Err(Error::request(format!("{} are not written as {}", self.items(), encoding.media_type())))
            }
        }
    }

    /// What several of them are called.
    fn items(&self) -> &'static str {
        match self {
            Self::Image(_) => "images",
            Self::Table(_) => "rows",
            Self::Text(_) => "texts",
            Self::Music(_) => "tunes",
            Self::Audio(_) => "sounds",
            Self::Video(_) => "clips",
        }
    }
}

/// The error for several items and a file that holds one.
pub(super) fn one_only(samples: &Samples) -> Error {
    let item = samples.items().trim_end_matches('s');
    Error::request(format!("a file holds one {item}")).with_hint("give a folder/ for several").in_field("out")
}

/// How many stand beside each other: as the grid says; the way from one item to another in a row, others in a square.
fn across(n: usize, output: &Output, provenance: &Provenance) -> Result<usize, Error> {
    let is_way = provenance.options.get("between").is_some();
    let own = if is_way { n } else { (n as f64).sqrt().ceil() as usize };
    Ok(output.grid()?.map_or(own, |(columns, _)| columns))
}

fn png(images: &Images, output: &Output, provenance: &Provenance) -> Result<Vec<u8>, Error> {
    Ok(match images.len() {
        1 => png_bytes(images, 0, Some(provenance))?,
        n => {
            let blocks = [(String::new(), images.clone())];
            grid_png(&output.out, &blocks, across(n, output, provenance)?, Some(provenance))?
        }
    })
}

/// Texts of one file.
pub(super) fn joined(texts: &Documents<String>) -> String {
    texts.items.join(BETWEEN_TEXTS) + "\n"
}

/// A tune as a WAV file.
///
/// # Errors
///
/// The SoundFont cannot be read.
pub fn played(tune: &Score, sound_font: Option<&Path>, provenance: &str) -> Result<Vec<u8>, Error> {
    let sound = render(tune, TUNE_RATE_HZ, sound_font)?;
    Ok(wav_bytes(&sound, 2, TUNE_RATE_HZ, WavDepth::Bits16, provenance))
}

/// A sound as a WAV file.
pub(super) fn wav(sounds: &Sounds, sound: usize, output: &Output, provenance: &str) -> Vec<u8> {
    let depth = match output.bits {
        Some(24) => WavDepth::Bits24,
        Some(32) => WavDepth::Float,
        _ => WavDepth::Bits16,
    };
    wav_bytes(&sounds.interleaved(sound), sounds.channels, sounds.rate_hz, depth, provenance)
}

/// One clip, or all of them in a grid.
pub(super) fn film(clips: &Clips, output: &Output, provenance: &Provenance) -> Result<Animation, Error> {
    Ok(match clips.len() {
        1 => clips.film(0),
        n => grid_film(&output.out, &[(String::new(), clips.clone())], across(n, output, provenance)?)?,
    })
}
