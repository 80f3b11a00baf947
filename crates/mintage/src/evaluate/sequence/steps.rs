//! What tunes are compared by: how the highest voice moves, what sounds together, and when in the bar. Tokens say too little
//! of it: between a note and the next stand its velocity and its length, and other parts.

use std::collections::BTreeMap;

use mintage_data::music::{Note, Score};
use mintage_nn::Rng;

use super::BOUNDARY;

/// Largest step of a melody in semitones, up and down; larger ones count as this.
const MAX_STEP: i32 = 24;
/// Largest time to the next note in ticks; longer ones count as this.
const MAX_TICKS: u32 = 191;
/// First number of chords; those of the melody begin at 1.
const CHORDS: u32 = 20_000;
/// First number of places in the bar.
const RHYTHM: u32 = 30_000;
/// First number of drums.
const DRUMS: u32 = 40_000;

/// Steps of the highest voice with the time that each takes; pitch classes above the bass, whenever a note begins; places
/// in the bar where notes begin; drums. One after the other, with boundaries between.
pub fn steps(score: &Score) -> Vec<u32> {
    placed_steps(score).into_iter().map(|(_, step)| step).collect()
}

/// The same, each behind the tick that it is heard at; boundaries are at no tick in particular.
pub fn placed_steps(score: &Score) -> Vec<(u32, u32)> {
    let mut onsets: BTreeMap<u32, u8> = BTreeMap::new();
    for note in score.notes().iter().filter(|note| !note.is_drum()) {
        let highest = onsets.entry(note.start).or_default();
        *highest = note.pitch.max(*highest);
    }
    let onsets: Vec<(u32, u8)> = onsets.into_iter().collect();
    let melody = onsets.windows(2).map(|pair| {
        let [(from, low), (to, high)] = [pair[0], pair[1]];
        let step = (i32::from(high) - i32::from(low)).clamp(-MAX_STEP, MAX_STEP) + MAX_STEP;
        (to, 1 + step as u32 * (MAX_TICKS + 1) + (to - from).min(MAX_TICKS))
    });
    let mut all: Vec<(u32, u32)> = melody.collect();
    all.push((0, BOUNDARY));
    all.extend(onsets.iter().filter_map(|&(at, _)| Some((at, chord(score.notes(), at)?))));
    all.push((0, BOUNDARY));
    let bars: Vec<u32> = score.bars().map(|bar| bar.start).collect();
    all.extend(onsets.iter().map(|&(at, _)| {
        let bar = bars.partition_point(|&start| start <= at).saturating_sub(1);
        (at, RHYTHM + (at - bars.get(bar).copied().unwrap_or(0)).min(DRUMS - RHYTHM - 1))
    }));
    all.push((0, BOUNDARY));
    let drums = score.notes().iter().filter(|note| note.is_drum());
    all.extend(drums.map(|note| (note.start, DRUMS + u32::from(note.pitch))));
    all
}

/// The pitch classes that sound at a time, counted from the lowest note, a bit each.
fn chord(notes: &[Note], at: u32) -> Option<u32> {
    // Notes lie in the order of their starts.
    let begun = notes[..notes.partition_point(|note| note.start <= at)].iter();
    let sounding: Vec<u8> =
        begun.filter(|note| !note.is_drum() && note.end() > at).map(|note| note.pitch).collect();
    let bass = *sounding.iter().min()?;
    Some(CHORDS + sounding.iter().fold(0, |mask, pitch| mask | 1 << ((pitch - bass) % 12)))
}

/// A trivial generator: as many notes as a real tune has, in its bars; pitch, length and place in the bar of each are those
/// of three notes of other tunes.
pub fn of_any_notes(like: &Score, others: &[Score], rng: &mut Rng) -> Score {
    let bars: Vec<u32> = like.bars().map(|bar| bar.start).collect();
    let known: Vec<(&Score, Vec<u32>)> = others
        .iter()
        .filter(|score| !score.is_empty())
        .map(|score| (score, score.bars().map(|bar| bar.start).collect()))
        .collect();
    if known.is_empty() || bars.is_empty() {
        return like.clone();
    }
    let mut any = || {
        let (score, bars) = &known[rng.below(known.len())];
        let note = score.notes()[rng.below(score.notes().len())];
        let bar = bars.partition_point(|&start| start <= note.start).saturating_sub(1);
        (note, note.start - bars[bar], rng.uniform())
    };
    let mut note = || {
        let (pitch, ..) = any();
        let (length, ..) = any();
        let (_, place, bar) = any();
        let bar = bars[((bar * bars.len() as f32) as usize).min(bars.len() - 1)];
        Note { start: bar + place, duration: length.duration, velocity: length.velocity, ..pitch }
    };
    let notes = like.notes().iter().map(|_| note()).collect();
    Score::new(notes, like.metres().to_vec(), like.tempos().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(start: u32, pitch: u8) -> Note {
        Note { start, duration: 12, pitch, velocity: 20, programme: 0, voice: 0 }
    }

    #[test]
    fn the_same_in_another_key_is_the_same() {
        let tune = |up: u8| {
            let notes = vec![note(0, 60 + up), note(0, 64 + up), note(12, 67 + up), note(48, 59 + up)];
            Score::new(notes, Vec::new(), Vec::new())
        };
        let found = steps(&tune(0));
        assert_eq!(found, steps(&tune(5)));
        let up_a_third = 1 + (MAX_STEP as u32 + 3) * (MAX_TICKS + 1) + 12;
        let down = 1 + (MAX_STEP as u32 - 8) * (MAX_TICKS + 1) + 36;
        let third = CHORDS + 0b1_0001;
        let (alone, first, second) = (CHORDS + 1, RHYTHM, RHYTHM + 12);
        assert_eq!(found, [up_a_third, down, 0, third, alone, alone, 0, first, second, first, 0]);
    }

    #[test]
    fn trivial_tunes_have_notes_of_others() {
        let other = Score::new(vec![note(6, 40), note(60, 80)], Vec::new(), Vec::new());
        let like = Score::new((0..8).map(|i| note(12 * i, 60)).collect(), Vec::new(), Vec::new());
        let tune = of_any_notes(&like, &[other], &mut Rng::new(1, 0));
        assert!(!tune.is_empty() && tune.notes().len() <= 8);
        assert!(
            tune.notes().iter().all(|n| [40, 80].contains(&n.pitch) && [6, 12].contains(&(n.start % 48)))
        );
    }
}
