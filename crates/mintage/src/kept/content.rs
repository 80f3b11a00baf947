//! What a kept item is: a row and a text in its line, anything else in a file of its own, from which the same bits come back.

use mintage_data::{
    Clips, DataKind, ImageShape, Images, MAX_CLIP_BYTES, Provenance, Score, Table, apng_bytes,
    audio::{WavDepth, wav_bytes},
    music::{Metre, MetreChange, Note, TempoChange},
    pixels_of_apng, pixels_of_png, png_bytes, samples_of_wav,
};
use serde::{Deserialize, Serialize};

use super::{Head, HeadColumn, Heads, KeptItem, MAX_COLUMNS, MAX_ID_BYTES, MAX_LABEL_BYTES};
use crate::{
    error::Error,
    generate::{Documents, Samples},
    sample::Sounds,
};

/// No side of a kept picture is longer.
const MAX_SIDE: usize = 16_384;
/// Frames that a kept clip may have.
const MAX_FRAMES: usize = 100_000;
/// Channels that a kept sound may have.
const MAX_CHANNELS: usize = 8;
/// Bytes that items may take that are read together.
const MAX_TOTAL_BYTES: usize = 4 << 30;

/// What an item is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    /// In a PNG.
    Image {
        shape: ImageShape,
    },
    /// In a PNG that moves. Frames a second stand as a text, which keeps every bit.
    Video {
        shape: ImageShape,
        frames: usize,
        fps: String,
    },
    /// In a WAV of floats.
    Audio {
        channels: usize,
        rate_hz: u32,
        samples: usize,
    },
    /// In a MIDI file, and here as well where that says less.
    Music {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        score: Option<Notes>,
    },
    Text {
        text: String,
    },
    /// `columns` names the line that says what they are.
    Row {
        columns: String,
        cells: Vec<Option<String>>,
    },
}

/// A tune as numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    /// Start, duration, pitch, velocity, programme, voice.
    notes: Vec<(u32, u32, u8, u8, u8, u8)>,
    metres: Vec<(u32, Metre)>,
    tempos: Vec<(u32, u8)>,
}

impl Notes {
    fn of(score: &Score) -> Self {
        let note = |n: &Note| (n.start, n.duration, n.pitch, n.velocity, n.programme, n.voice);
        Self {
            notes: score.notes().iter().map(note).collect(),
            metres: score.metres().iter().map(|change| (change.tick, change.metre)).collect(),
            tempos: score.tempos().iter().map(|change| (change.tick, change.tempo)).collect(),
        }
    }

    fn score(&self) -> Score {
        let note = |&(start, duration, pitch, velocity, programme, voice)| Note {
            start,
            duration,
            pitch,
            velocity,
            programme,
            voice,
        };
        Score::new(
            self.notes.iter().map(note).collect(),
            self.metres.iter().map(|&(tick, metre)| MetreChange { tick, metre }).collect(),
            self.tempos.iter().map(|&(tick, tempo)| TempoChange { tick, tempo }).collect(),
        )
    }
}

impl Content {
    /// An item of a draw, and the bytes of its file.
    pub fn of(
        samples: &Samples,
        i: usize,
        head: Option<&str>,
        provenance: &Provenance,
    ) -> Result<(Self, Option<Vec<u8>>), Error> {
        Ok(match samples {
            Samples::Image(images) => {
                (Self::Image { shape: images.shape }, Some(png_bytes(images, i, Some(provenance))?))
            }
            Samples::Video(clips) => {
                let content =
                    Self::Video { shape: clips.shape, frames: clips.frames, fps: format!("{:?}", clips.fps) };
                (content, Some(apng_bytes(&clips.film(i), Some(provenance))?))
            }
            Samples::Audio(sounds) => {
                let (channels, rate_hz) = (sounds.channels, sounds.rate_hz);
                let samples = sounds.interleaved(i);
                let wav = wav_bytes(&samples, channels, rate_hz, WavDepth::Float, &provenance.to_json());
                (Self::Audio { channels, rate_hz, samples: samples.len() }, Some(wav))
            }
            Samples::Music(tunes) => {
                let tune = &tunes.items[i];
                let midi = tune.to_midi(&provenance.to_json());
                let is_same = Score::from_midi(&midi).is_ok_and(|read| read == *tune);
                (Self::Music { score: (!is_same).then(|| Notes::of(tune)) }, Some(midi))
            }
            Samples::Text(texts) => (Self::Text { text: texts.items[i].clone() }, None),
            Samples::Table(rows) => {
                let cells = rows.columns.iter().map(|column| column.cell(i).map(str::to_owned)).collect();
                (Self::Row { columns: head.unwrap_or_default().to_owned(), cells }, None)
            }
        })
    }

    /// How its file ends.
    pub fn suffix(&self) -> Option<&'static str> {
        match self {
            Self::Image { .. } | Self::Video { .. } => Some("png"),
            Self::Audio { .. } => Some("wav"),
            Self::Music { .. } => Some("mid"),
            Self::Text { .. } | Self::Row { .. } => None,
        }
    }

    /// The line that says what the columns of a row are.
    pub fn head(&self) -> Option<&str> {
        match self {
            Self::Row { columns, .. } => Some(columns),
            _ => None,
        }
    }

    fn kind(&self) -> DataKind {
        match self {
            Self::Image { .. } => DataKind::Image,
            Self::Video { .. } => DataKind::Video,
            Self::Audio { .. } => DataKind::Audio,
            Self::Music { .. } => DataKind::Music,
            Self::Text { .. } => DataKind::Text,
            Self::Row { .. } => DataKind::Table,
        }
    }

    /// Bytes that it takes in memory.
    fn bytes(&self) -> usize {
        match self {
            Self::Image { shape } => shape.pixels(),
            Self::Video { shape, frames, .. } => shape.pixels().saturating_mul(*frames),
            Self::Audio { samples, .. } => samples.saturating_mul(4),
            Self::Music { .. } => 0,
            Self::Text { text } => text.len(),
            Self::Row { cells, .. } => cells.iter().flatten().map(String::len).sum(),
        }
    }

    /// What is wrong with it; it may be a stranger's.
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Image { shape } => shape.check(MAX_SIDE),
            Self::Video { shape, frames, fps } => {
                shape.check(MAX_SIDE)?;
                let is_rate = fps.parse::<f64>().is_ok_and(|fps| fps.is_finite() && fps > 0.0);
                let is_size = (1..=MAX_FRAMES).contains(frames)
                    && shape.pixels().saturating_mul(*frames) <= MAX_CLIP_BYTES;
                (is_rate && is_size).then_some(()).ok_or_else(|| "is no clip".to_owned())
            }
            Self::Audio { channels, rate_hz, samples } => {
                let is_sound = (1..=MAX_CHANNELS).contains(channels)
                    && *rate_hz > 0
                    && *samples <= MAX_TOTAL_BYTES / 4
                    && samples.is_multiple_of(*channels);
                is_sound.then_some(()).ok_or_else(|| "is no sound".to_owned())
            }
            Self::Row { cells, .. } if cells.len() > MAX_COLUMNS => Err("has too many columns".to_owned()),
            Self::Music { .. } | Self::Text { .. } | Self::Row { .. } => Ok(()),
        }
    }
}

impl KeptItem {
    /// An error unless it is what this program writes.
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |why: String| {
            let shown: String = self.id.chars().take(MAX_ID_BYTES).collect();
            Error::request(format!("kept item `{shown}` {why}"))
                .with_hint("the file is damaged, or made to do harm: remove that line")
        };
        if !is_plain(&self.id) {
            return Err(wrong("has a name that is none".to_owned()));
        }
        if self.kind != self.content.kind() {
            return Err(wrong("is of another kind than it says".to_owned()));
        }
        if self.label.as_ref().is_some_and(|label| label.len() > MAX_LABEL_BYTES) {
            return Err(wrong("has a label that is too long".to_owned()));
        }
        self.content.check().map_err(wrong)
    }

    /// It alone, as it was drawn; `bytes` are those of its file.
    pub(super) fn samples(&self, bytes: Option<&[u8]>, heads: &Heads) -> Result<Samples, Error> {
        let bytes = bytes.unwrap_or_default();
        let label = self.label.clone();
        let classes: Vec<String> = label.iter().cloned().collect();
        let labels = vec![0; classes.len()];
        Ok(match &self.content {
            Content::Image { shape } => {
                let pixels = pixels_of_png(bytes, *shape)?;
                Samples::Image(Images { shape: *shape, pixels, labels, classes })
            }
            Content::Video { shape, frames, fps } => {
                let pixels = pixels_of_apng(bytes, *shape, *frames)?;
                let fps = fps.parse().unwrap_or(1.0);
                Samples::Video(Clips { shape: *shape, frames: *frames, fps, pixels, labels, classes })
            }
            Content::Audio { channels, rate_hz, samples } => {
                let interleaved = samples_of_wav(bytes, *channels, *rate_hz)?;
                if interleaved.len() != *samples {
                    return Err(Error::request(format!("{}.wav is not as long as it was", self.id)));
                }
                let by_channel = |c: usize| interleaved.iter().skip(c).step_by(*channels).copied();
                let samples = vec![(0..*channels).flat_map(by_channel).collect()];
                Samples::Audio(Sounds { rate_hz: *rate_hz, channels: *channels, samples, labels, classes })
            }
            Content::Music { score } => {
                let tune = match score {
                    Some(notes) => notes.score(),
                    None => Score::from_midi(bytes)?,
                };
                Samples::Music(Documents { items: vec![tune], label })
            }
            Content::Text { text } => Samples::Text(Documents { items: vec![text.clone()], label }),
            Content::Row { columns, cells } => {
                let head = heads.get(columns).filter(|head| head.columns.len() == cells.len());
                let head = head.ok_or_else(|| {
                    Error::request(format!("nothing says what the columns of the kept row `{}` are", self.id))
                })?;
                let mut table = head.table();
                table.columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell.as_deref()));
                Samples::Table(table)
            }
        })
    }
}

/// Whether a name stays what it is as that of a file.
pub(super) fn is_plain(id: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(is_letter)
}

/// An error where items do not fit in memory together.
pub(super) fn check_memory<'a>(all: impl Iterator<Item = &'a Content>) -> Result<(), Error> {
    let bytes = all.fold(0usize, |sum, content| sum.saturating_add(content.bytes()));
    match bytes <= MAX_TOTAL_BYTES {
        true => Ok(()),
        false => Err(Error::request("so many items do not fit in memory together").with_hint("name fewer")),
    }
}

/// The class of an item.
pub(super) fn label_of(samples: &Samples, i: usize) -> Option<&str> {
    match samples {
        Samples::Image(images) => images.label(i),
        Samples::Video(clips) => clips.label(i),
        Samples::Audio(sounds) => sounds.class(i),
        Samples::Text(texts) => texts.label.as_deref(),
        Samples::Music(tunes) => tunes.label.as_deref(),
        Samples::Table(_) => None,
    }
}

/// The columns of rows.
pub(super) fn head_of(samples: &Samples) -> Option<Head> {
    let Samples::Table(rows) = samples else { return None };
    let column = |column: &mintage_data::Column| HeadColumn {
        name: column.name.clone(),
        declaration: column.declaration.clone(),
    };
    Some(Head {
        id: String::new(),
        table: rows.name.clone(),
        columns: rows.columns.iter().map(column).collect(),
    })
}

/// Samples of one each, together. Classes are those of the items; texts and tunes of different classes have none.
pub(super) fn joined(all: Vec<Samples>) -> Result<Samples, Error> {
    let labels: Vec<Option<String>> = all.iter().map(|one| label_of(one, 0).map(str::to_owned)).collect();
    let mut classes: Vec<String> = Vec::new();
    for label in labels.iter().flatten() {
        if !classes.contains(label) {
            classes.push(label.clone());
        }
    }
    let number = |label: &Option<String>| {
        let found = label.as_ref().and_then(|label| classes.iter().position(|class| class == label));
        found.unwrap_or(classes.len()) as u32
    };
    let numbers: Vec<u32> = if classes.is_empty() { Vec::new() } else { labels.iter().map(number).collect() };
    let mut all = all.into_iter();
    let mut whole = all.next().ok_or_else(|| Error::request("no item was named"))?;
    for one in all {
        append(&mut whole, one)?;
    }
    let common = match &labels[..] {
        [first, others @ ..] if others.iter().all(|other| other == first) => first.clone(),
        _ => None,
    };
    match &mut whole {
        Samples::Image(Images { labels, classes: names, .. })
        | Samples::Video(Clips { labels, classes: names, .. })
        | Samples::Audio(Sounds { labels, classes: names, .. }) => (*labels, *names) = (numbers, classes),
        Samples::Text(texts) => texts.label = common,
        Samples::Music(tunes) => tunes.label = common,
        Samples::Table(_) => {}
    }
    Ok(whole)
}

fn append(whole: &mut Samples, one: Samples) -> Result<(), Error> {
    let is_same = match (&*whole, &one) {
        (Samples::Image(a), Samples::Image(b)) => a.shape == b.shape,
        (Samples::Video(a), Samples::Video(b)) => (a.shape, a.frames, a.fps) == (b.shape, b.frames, b.fps),
        (Samples::Audio(a), Samples::Audio(b)) => (a.channels, a.rate_hz) == (b.channels, b.rate_hz),
        _ => true,
    };
    if !is_same {
        return Err(Error::request("items of different shapes or lengths do not go together")
            .with_hint("take those of one draw; a database or a folder takes all of them"));
    }
    whole.append(one)
}

/// The rows of items, together; declarations are those of the first.
pub(super) fn rows_of(all: &[(KeptItem, Samples)]) -> Result<Table, Error> {
    let mut tables = all.iter().filter_map(|(_, samples)| match samples {
        Samples::Table(rows) => Some(rows),
        _ => None,
    });
    let mut whole = tables.next().cloned().unwrap_or_default();
    tables.try_for_each(|rows| whole.append(rows))?;
    Ok(whole)
}
