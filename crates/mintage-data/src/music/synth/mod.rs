//! Scores as sound: a small synthesiser of our own, or a SoundFont where there is one.
//!
//! Ours is meant to be pleasant and light, not to imitate: sums of partials for what is struck or sustained
//! ([`voices`]), Karplus and Strong's string for what is plucked, and drums made of sweeps and noise
//! ([`drums`]), in a room of feedback delays ([`room`]). Every sound begins and ends smoothly. Equal scores
//! give equal samples: the noise is seeded by the note.

mod drums;
mod font;
mod room;
mod voices;

use std::path::Path;

use super::score::{DRUMS, Note, Part, Score, velocity_of};
use crate::Error;

/// Longer scores are refused.
pub const MAX_SECONDS: f64 = 30.0 * 60.0;
/// What sounds on after the last note has ended.
pub const TAIL_SECONDS: f64 = 2.0;
const RATES: std::ops::RangeInclusive<u32> = 16_000..=192_000;

/// Renders a score as interleaved stereo with its peak at −1 dBFS: by the SoundFont (a `.sf2` file) where one
/// is given, by the built-in instruments otherwise. The result lasts [`TAIL_SECONDS`] longer than the score.
///
/// # Errors
/// The rate is out of bounds, the score is too long, or the SoundFont cannot be used.
pub fn render(score: &Score, rate_hz: u32, sound_font: Option<&Path>) -> Result<Vec<f32>, Error> {
    if !RATES.contains(&rate_hz) {
        let why = format!("{rate_hz} Hz is no rate that music is played at");
        return Err(Error::bad("sample rate", why).with_hint("44100 is usual"));
    }
    let secs = score.seconds();
    if secs > MAX_SECONDS {
        let why = format!("would last {:.0} minutes as sound", secs / 60.0);
        return Err(Error::bad("score", why).with_hint(format!(
            "at most {:.0} minutes are rendered: take its first bars",
            MAX_SECONDS / 60.0
        )));
    }
    let frames = ((secs + TAIL_SECONDS) * f64::from(rate_hz)).round() as usize;
    let mut stereo = match sound_font {
        Some(path) => font::render(score, rate_hz, frames, path)?,
        None => {
            let mut dry = built_in(score, rate_hz, frames);
            room::add_reverb(&mut dry, rate_hz);
            dry
        }
    };
    room::limit(&mut stereo);
    room::fade_out(&mut stereo, rate_hz);
    Ok(stereo)
}

/// A note on its way to sound.
#[derive(Clone, Copy, Debug)]
struct Tone {
    pitch: u8,
    programme: u8,
    /// 0 to 1.
    velocity: f32,
    secs: f32,
    rate_hz: f32,
    seed: u32,
}

impl Tone {
    fn hz(&self) -> f32 {
        440.0 * ((f32::from(self.pitch) - 69.0) / 12.0).exp2()
    }
}

/// All notes, dry, in their places between left and right.
fn built_in(score: &Score, rate_hz: u32, frames: usize) -> Vec<f32> {
    let rate = f64::from(rate_hz);
    let mut stereo = vec![0.0; frames * 2];
    let starts = times(score, |note| note.start);
    let ends = times(score, Note::end);
    let parts = score.parts();
    let mut sound = Vec::new();
    for (index, note) in score.notes().iter().enumerate() {
        let tone = Tone {
            pitch: note.pitch,
            programme: note.programme,
            velocity: f32::from(velocity_of(note.velocity)) / 127.0,
            secs: (ends[index] - starts[index]) as f32,
            rate_hz: rate_hz as f32,
            seed: (index as u32).wrapping_mul(0x9e37_79b9) | 1,
        };
        sound.clear();
        match note.is_drum() {
            true => drums::stroke(&tone, &mut sound),
            false => voices::play(&tone, &mut sound),
        }
        mix(&mut stereo, &sound, (starts[index] * rate).round() as usize, pan(note, &parts));
    }
    stereo
}

/// When something about each note happens, in seconds, by the order of the notes.
fn times(score: &Score, tick: impl Fn(&Note) -> u32) -> Vec<f64> {
    let mut order: Vec<usize> = (0..score.notes().len()).collect();
    order.sort_by_key(|index| tick(&score.notes()[*index]));
    let mut clock = score.clock();
    let mut secs = vec![0.0; order.len()];
    for index in order {
        secs[index] = clock.secs_at(tick(&score.notes()[index]));
    }
    secs
}

/// Place between left (−1) and right (1).
fn pan(note: &Note, parts: &[Part]) -> f32 {
    if note.programme == DRUMS {
        return drums::pan(note.pitch);
    }
    let by_pitch = (f32::from(note.pitch) - 64.0) / 64.0 * 0.3;
    let melodic: Vec<&Part> = parts.iter().filter(|part| part.programme != DRUMS).collect();
    let place = melodic.iter().position(|part| **part == note.part()).unwrap_or(0) as f32;
    match melodic.len() {
        0 | 1 => by_pitch,
        count => (place / (count as f32 - 1.0) - 0.5) * 0.9 + by_pitch * 0.4,
    }
}

/// Adds a sound at equal power.
fn mix(stereo: &mut [f32], sound: &[f32], first: usize, pan: f32) {
    let angle = (pan.clamp(-1.0, 1.0) + 1.0) * std::f32::consts::FRAC_PI_4;
    let (right, left) = angle.sin_cos();
    for (place, sample) in stereo.chunks_exact_mut(2).skip(first).zip(sound) {
        place[0] += left * sample;
        place[1] += right * sample;
    }
}

/// White noise between −1 and 1, by Marsaglia's xorshift.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as f32 / 2f32.powi(31) - 1.0
    }
}

/// From 0 to 1 with a level beginning and end.
fn smooth(share: f32) -> f32 {
    let x = share.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::score::TempoChange, *};

    const RATE: u32 = 44_100;

    fn one_note(pitch: u8, programme: u8, duration: u32) -> Score {
        let note = Note { start: 0, duration, pitch, velocity: 24, programme, voice: 0 };
        Score::new(vec![note], vec![], vec![])
    }

    fn power_at(samples: &[f32], hz: f64) -> f64 {
        let step = std::f64::consts::TAU * hz / f64::from(RATE);
        let (mut re, mut im) = (0.0, 0.0);
        for (i, x) in samples.iter().enumerate() {
            let window = (std::f64::consts::PI * i as f64 / samples.len() as f64).sin().powi(2);
            let (sin, cos) = (step * i as f64).sin_cos();
            (re, im) = (re + f64::from(*x) * window * cos, im + f64::from(*x) * window * sin);
        }
        re * re + im * im
    }

    /// The strongest frequency within a third of `around`.
    fn peak(samples: &[f32], around: f64) -> f64 {
        let candidates = (-200..=200).map(|i| around * (1.0 + f64::from(i) / 1000.0));
        candidates.max_by(|a, b| power_at(samples, *a).total_cmp(&power_at(samples, *b))).unwrap()
    }

    #[test]
    fn a4_is_at_440_hz() {
        for programme in [0, 11, 19, 24, 33, 48, 52, 56, 73, 80, 89, 105] {
            let stereo = render(&one_note(69, programme, 24), RATE, None).unwrap();
            let left: Vec<f32> = stereo.iter().step_by(2).copied().skip(4000).take(20_000).collect();
            let hz = peak(&left, 440.0);
            assert!((hz / 440.0 - 1.0).abs() < 0.01, "programme {programme}: {hz}");
        }
    }

    #[test]
    fn every_programme_sounds_and_stays_in_range() {
        for programme in (0..128).step_by(4).chain([DRUMS]) {
            for pitch in [0, 36, 60, 100, 127] {
                let score = one_note(pitch, programme, 12);
                let stereo = render(&score, 22_050, None).unwrap();
                let frames = ((score.seconds() + TAIL_SECONDS) * 22_050.0).round() as usize;
                assert_eq!(stereo.len(), frames * 2);
                assert!(stereo.iter().all(|x| x.is_finite() && x.abs() <= 0.8914));
                let highest = stereo.iter().fold(0f32, |peak, x| peak.max(x.abs()));
                assert!(highest > 0.5, "programme {programme} pitch {pitch}: {highest}");
                assert!(stereo[..2].iter().chain(&stereo[stereo.len() - 2..]).all(|x| x.abs() < 0.01));
            }
        }
    }

    #[test]
    fn louder_is_brighter() {
        let centroid = |velocity| {
            let note = Note { start: 0, duration: 24, pitch: 60, velocity, programme: 0, voice: 0 };
            let stereo = render(&Score::new(vec![note], vec![], vec![]), RATE, None).unwrap();
            let left: Vec<f32> = stereo.iter().step_by(2).copied().take(16_000).collect();
            let powers: Vec<f64> = (1..12).map(|k| power_at(&left, 261.63 * f64::from(k))).collect();
            let weighted: f64 = powers.iter().enumerate().map(|(k, p)| p * (k + 1) as f64).sum();
            weighted / powers.iter().sum::<f64>()
        };
        assert!(centroid(30) > centroid(6));
    }

    #[test]
    fn what_cannot_be_rendered_says_why() {
        let slow = vec![TempoChange { tick: 0, tempo: 0 }];
        let note = Note { start: 20_000, duration: 12, pitch: 60, velocity: 9, programme: 0, voice: 0 };
        let error = render(&Score::new(vec![note], vec![], slow), RATE, None).unwrap_err();
        assert!(error.to_string().contains("minutes"));
        assert!(render(&one_note(60, 0, 12), 1, None).is_err());
        let error = render(&one_note(60, 0, 12), RATE, Some(Path::new("no.sf2"))).unwrap_err();
        assert!(error.to_string().contains("no.sf2"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.sf2");
        std::fs::write(&path, b"RIFF\0\0\0\0sfbk").unwrap();
        assert!(
            render(&one_note(60, 0, 12), RATE, Some(&path)).unwrap_err().to_string().contains("SoundFont")
        );
    }

    #[test]
    fn nothing_is_silence() {
        let stereo = render(&Score::new(vec![], vec![], vec![]), RATE, None).unwrap();
        assert!(stereo.iter().all(|x| *x == 0.0));
    }
}
