//! What players show of sounds and tunes: peaks over time, and notes.

use serde::Serialize;

use super::media::Media;
use crate::{
    Error, Score,
    audio::{Input, Reader},
    music::{RESOLUTION, velocity_of},
};

/// Peaks of a sound, at most.
pub const MAX_PEAKS: usize = 2000;
/// Seconds of a sound that are decoded for its peaks.
const MAX_PEAK_SECONDS: u64 = 600;
/// Peaks that are gathered before they are joined to as many as are wanted.
const GATHERED: usize = 8192;
/// Notes of a tune that are shown.
const MAX_NOTES: usize = 20_000;

/// How loud a sound is over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Peaks {
    /// The largest sample of each stretch of time, of any channel, from 0 to 1 (full scale).
    pub peaks: Vec<f32>,
    /// How long the sound is, as far as it was decoded.
    pub secs: f64,
    /// Whether that is all of it: no more than ten minutes are decoded.
    pub whole: bool,
}

/// A tune as a piano roll shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tune {
    pub notes: Vec<TuneNote>,
    pub bars: usize,
    /// Quarter notes.
    pub beats: f64,
    pub secs: f64,
    /// Whether these are all notes: no more than 20,000 are shown.
    pub whole: bool,
}

/// Onset and length in quarter notes, MIDI pitch, velocity from 0 to 127, number of the part. In JSON a list of five.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TuneNote(pub f64, pub f64, pub u8, pub u8, pub u16);

/// The peaks of a sound in `n` stretches of equal length, 1 to 2000.
///
/// # Errors
/// The file is not a sound that can be read, or is damaged.
pub fn peaks_of(media: &Media, n: usize) -> Result<Peaks, Error> {
    let wrong = |why: String| Error::bad(media.name.as_deref().unwrap_or("the sound"), why);
    let mut reader = Reader::open(Input::Bytes(media.bytes.clone())).map_err(wrong)?;
    let rate_hz = reader.format().rate_hz;
    let most = MAX_PEAK_SECONDS * u64::from(rate_hz);
    let mut gathered = Gathered { span: 1, current: 0.0, filled: 0, peaks: Vec::new() };
    let (mut frames, mut whole) = (0, false);
    while frames < most {
        let Some(planes) = reader.read().map_err(wrong)? else {
            whole = true;
            break;
        };
        let length = planes[0].len();
        for frame in 0..length {
            gathered.add(planes.iter().fold(0.0, |peak, plane| f32::max(peak, plane[frame].abs())));
        }
        frames += length as u64;
    }
    let peaks = gathered.finish(n.clamp(1, MAX_PEAKS));
    Ok(Peaks { peaks, secs: frames as f64 / f64::from(rate_hz), whole })
}

/// Peaks of a sound whose length is not known before it ends: of stretches that grow with it.
struct Gathered {
    /// Samples of a stretch.
    span: usize,
    current: f32,
    /// Samples of the current stretch.
    filled: usize,
    peaks: Vec<f32>,
}

impl Gathered {
    fn add(&mut self, sample: f32) {
        self.current = self.current.max(sample);
        self.filled += 1;
        if self.filled < self.span {
            return;
        }
        self.peaks.push(self.current);
        (self.current, self.filled) = (0.0, 0);
        if self.peaks.len() == GATHERED {
            self.peaks = self.peaks.chunks(2).map(|pair| pair[0].max(pair[1])).collect();
            self.span *= 2;
        }
    }

    fn finish(mut self, n: usize) -> Vec<f32> {
        if self.filled > 0 {
            self.peaks.push(self.current);
        }
        let all = self.peaks.len();
        let stretch = |i: usize| {
            let (from, to) = (i * all / n, ((i + 1) * all).div_ceil(n));
            self.peaks[from..to].iter().copied().fold(0.0, f32::max).min(1.0)
        };
        (0..n).map(stretch).collect()
    }
}

/// The notes of a MIDI file.
///
/// # Errors
/// The file is not MIDI that can be read, or is damaged.
pub fn tune_of(media: &Media) -> Result<Tune, Error> {
    Ok(Tune::of(&score_of(media)?))
}

pub(super) fn score_of(media: &Media) -> Result<Score, Error> {
    Score::from_midi(&media.bytes)
}

impl Tune {
    /// The notes of a score.
    pub fn of(score: &Score) -> Self {
        let parts = score.parts();
        let beats = |ticks: u32| f64::from(ticks) / f64::from(RESOLUTION);
        let notes = score.notes().iter().take(MAX_NOTES).map(|note| {
            let part = parts.binary_search(&note.part()).unwrap_or(0);
            TuneNote(
                beats(note.start),
                beats(note.duration),
                note.pitch,
                velocity_of(note.velocity),
                part as u16,
            )
        });
        Self {
            notes: notes.collect(),
            bars: score.bars().count(),
            beats: beats(score.end()),
            secs: score.seconds(),
            whole: score.notes().len() <= MAX_NOTES,
        }
    }
}
