//! Scores by a SoundFont, through `rustysynth`.

use std::{io::BufReader, path::Path, sync::Arc};

use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};

use super::super::score::{DRUMS, Part, Score, velocity_of};
use crate::{Error, files::open_regular, guard::caught};

const DRUM_CHANNEL: i32 = 9;
const PROGRAM_CHANGE: i32 = 0xc0;
const PAN: i32 = 10;
const CONTROL_CHANGE: i32 = 0xb0;

/// Renders `frames` of interleaved stereo with the SoundFont at `path`.
///
/// # Errors
/// The file cannot be read, is not a SoundFont or is damaged, or the synthesiser does not support the rate.
pub fn render(score: &Score, rate_hz: u32, frames: usize, path: &Path) -> Result<Vec<f32>, Error> {
    // The crate indexes by what the file says: a damaged one can make it panic, and a file is the user's.
    caught(|| play(score, rate_hz, frames, path))
        .unwrap_or_else(|| Err(bad(path, "is a damaged SoundFont".to_owned())))
}

fn play(score: &Score, rate_hz: u32, frames: usize, path: &Path) -> Result<Vec<f32>, Error> {
    let mut file = BufReader::new(open_regular(path)?);
    let font = SoundFont::new(&mut file).map_err(|error| bad(path, format!("is no SoundFont: {error}")))?;
    let settings = SynthesizerSettings::new(rate_hz as i32);
    let mut synth = Synthesizer::new(&Arc::new(font), &settings).map_err(|e| bad(path, e.to_string()))?;
    let parts = score.parts();
    for (part, channel) in parts.iter().zip(channels(&parts)) {
        if part.programme != DRUMS {
            synth.process_midi_message(channel, PROGRAM_CHANGE, i32::from(part.programme), 0);
            synth.process_midi_message(channel, CONTROL_CHANGE, PAN, 34 + (channel * 17) % 60);
        }
    }
    let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
    let mut done = 0;
    for event in events(score, &parts) {
        let frame = ((event.secs * f64::from(rate_hz)).round() as usize).clamp(done, frames);
        synth.render(&mut left[done..frame], &mut right[done..frame]);
        done = frame;
        match event.velocity {
            0 => synth.note_off(event.channel, event.key),
            velocity => synth.note_on(event.channel, event.key, velocity),
        }
    }
    synth.render(&mut left[done..], &mut right[done..]);
    Ok(left.into_iter().zip(right).flat_map(|(left, right)| [left, right]).collect())
}

/// Sixteen channels are all there are: programmes share them from the sixteenth on.
fn channels(parts: &[Part]) -> Vec<i32> {
    let melodic = parts.iter().filter(|part| part.programme != DRUMS).count();
    let mut programmes: Vec<u8> = parts.iter().map(|part| part.programme).collect();
    programmes.dedup();
    let channel = |(index, part): (usize, &Part)| {
        let by_programme = programmes.iter().position(|p| *p == part.programme).unwrap_or(0);
        let place = if melodic > 15 { by_programme } else { index } as i32 % 15;
        if part.programme == DRUMS { DRUM_CHANNEL } else { place + i32::from(place >= DRUM_CHANNEL) }
    };
    parts.iter().enumerate().map(channel).collect()
}

struct Event {
    secs: f64,
    channel: i32,
    key: i32,
    /// 0 ends the note.
    velocity: i32,
}

fn events(score: &Score, parts: &[Part]) -> Vec<Event> {
    let channels = channels(parts);
    let mut ticks: Vec<(u32, i32, i32, i32)> = Vec::with_capacity(score.notes().len() * 2);
    for note in score.notes() {
        let Ok(part) = parts.binary_search(&note.part()) else { continue };
        let (channel, key) = (channels[part], i32::from(note.pitch));
        ticks.push((note.start, i32::from(velocity_of(note.velocity)), channel, key));
        ticks.push((note.end(), 0, channel, key));
    }
    // Ends come before beginnings of the same tick.
    ticks.sort_unstable();
    let mut clock = score.clock();
    let event = |(tick, velocity, channel, key)| Event { secs: clock.secs_at(tick), channel, key, velocity };
    ticks.into_iter().map(event).collect()
}

fn bad(path: &Path, why: String) -> Error {
    Error::bad(path.display().to_string(), why).with_hint("give a SoundFont 2 file (.sf2)")
}
