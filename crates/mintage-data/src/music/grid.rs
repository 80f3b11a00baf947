//! Serialised voices on a grid, for chorales: one token a voice and step, soprano first.
//!
//! A token is a pitch or a rest; a pitch that repeats is held, as in the JSB chorales of Boulanger-Lewandowski
//! et al. (2012, arXiv:1206.6392). So two notes of one pitch in a row become one. Tempo, metre, velocity and
//! instruments take no tokens: what train has most of them stands for all.
//!
//! Voices are the score's parts where they are those of train. Another score is read by rank: at each step
//! the highest pitch goes to the first voice, and so on.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use serde::{Deserialize, Serialize};

use super::{
    score::{
        MAX_DURATION, MAX_TICKS, Metre, MetreChange, Note, Part, RESOLUTION, SIXTEENTH, Score, TEMPO_BINS,
        TempoChange, VELOCITY_BINS, tempo_bin, velocity_bin,
    },
    token::{Token, nearest_pitch},
};
use crate::sequence::BOUNDARY;

/// At most so many voices.
pub const MAX_GRID_VOICES: usize = 8;
/// Ids: the boundary, the rest, then pitches.
const FIRST_PITCH: u32 = 2;
const REST: u32 = 1;

/// One voice, and how it is played when tokens become a score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Voice {
    part: Part,
    velocity: u8,
}

/// A codec between scores and serialised voices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Ticks a step: a sixteenth or a quarter.
    step: u32,
    /// Highest first.
    voices: Vec<Voice>,
    /// Lowest and highest pitch.
    pitches: (u8, u8),
    tempo: u8,
    metre: Metre,
    /// All metres of train; of older codecs, only the usual one is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metres: Vec<Metre>,
}

impl Grid {
    /// Voices and pitches of `scores`; the step is a quarter where nothing in them needs a sixteenth.
    pub fn fit(scores: &[Score]) -> Self {
        let on_quarters = scores.iter().all(|score| lies_on(score, RESOLUTION));
        Self::fit_step(scores, if on_quarters { RESOLUTION } else { SIXTEENTH })
    }

    /// [`Grid::fit`] with steps of so many ticks.
    pub fn fit_step(scores: &[Score], step: u32) -> Self {
        let notes = || scores.iter().flat_map(Score::notes).filter(|note| !note.is_drum());
        let pitches = notes().map(|note| note.pitch);
        let (low, high) = (pitches.clone().min().unwrap_or(60), pitches.max().unwrap_or(60));
        let usual_parts = usual(scores.iter().map(|score| melodic_parts(score, MAX_GRID_VOICES)));
        let mut parts =
            usual_parts.filter(|parts| !parts.is_empty()).unwrap_or(vec![Part { programme: 0, voice: 0 }]);
        let height = |part: &Part| {
            let pitches = notes().filter(|note| note.part() == *part).map(|note| u64::from(note.pitch));
            let (sum, count) = pitches.fold((0, 0), |(sum, count), pitch| (sum + pitch, count + 1));
            std::cmp::Reverse(sum * 1000 / count.max(1))
        };
        parts.sort_by_cached_key(height);
        let velocity = |part: &Part| usual(notes().filter(|n| n.part() == *part).map(|n| n.velocity));
        let voices = parts
            .into_iter()
            .map(|part| Voice { part, velocity: velocity(&part).unwrap_or(velocity_bin(80)) })
            .collect();
        let tempos = scores.iter().filter_map(|score| score.tempos().first().map(|change| change.tempo));
        let metres = || scores.iter().flat_map(|score| score.bars().map(|bar| bar.metre));
        let known: BTreeSet<Metre> = metres().filter(|metre| metre.ticks().is_multiple_of(step)).collect();
        Self {
            step,
            voices,
            pitches: (low, high),
            tempo: usual(tempos).unwrap_or(tempo_bin(100.0)),
            metre: usual(metres()).unwrap_or(Metre::COMMON),
            metres: known.into_iter().collect(),
        }
    }

    /// Whether scores are what this codec is for: the same two to eight voices everywhere, each one note at a
    /// time, on the grid of sixteenths, without drums.
    pub fn suits(scores: &[Score]) -> bool {
        let Some(first) = scores.first() else { return false };
        let parts = first.parts();
        (2..=MAX_GRID_VOICES).contains(&parts.len())
            && scores.iter().all(|score| {
                score.parts() == parts
                    && !score.notes().iter().any(Note::is_drum)
                    && lies_on(score, SIXTEENTH)
                    && is_monophonic(score)
            })
    }

    /// Whether it could have been fitted: it may come from a file.
    pub(super) fn check(&self) -> Result<(), String> {
        let (low, high) = self.pitches;
        let voices = (1..=MAX_GRID_VOICES).contains(&self.voices.len());
        let played = |voice: &Voice| voice.part.is_known() && voice.velocity < VELOCITY_BINS;
        let sound = voices
            && self.voices.iter().all(played)
            && self.tempo < TEMPO_BINS
            && [SIXTEENTH, RESOLUTION].contains(&self.step)
            && low <= high
            && high < 128;
        if sound { Ok(()) } else { Err("voices, step or pitches are out of range".to_owned()) }
    }

    /// Ticks a step.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Number of voices, which is the number of tokens a step.
    pub fn voices(&self) -> usize {
        self.voices.len()
    }

    pub fn metre(&self) -> Metre {
        self.metre
    }

    /// The metres that it can be written in: those of train whose bars are whole steps, the usual one first.
    pub fn metres(&self) -> Vec<Metre> {
        let others = self.metres.iter().copied().filter(|&metre| metre != self.metre);
        std::iter::once(self.metre).chain(others).collect()
    }

    /// Lowest and highest pitch.
    pub fn pitches(&self) -> (u8, u8) {
        self.pitches
    }

    /// All tokens, by id.
    pub fn tokens(&self) -> Vec<Token> {
        let pitches = (self.pitches.0..=self.pitches.1).map(Token::Pitch);
        [Token::Boundary, Token::Rest].into_iter().chain(pitches).collect()
    }

    pub fn encode(&self, score: &Score) -> Vec<u32> {
        let steps = score.end().div_ceil(self.step) as usize;
        let mut grid = vec![None; steps * self.voices.len()];
        let parts: Vec<Part> = self.voices.iter().map(|voice| voice.part).collect();
        if score.parts().iter().all(|part| parts.contains(part)) {
            self.fill_by_part(score, &parts, &mut grid);
        } else {
            self.fill_by_rank(score, &mut grid);
        }
        let id = |pitch: &Option<u8>| match pitch {
            None => REST,
            Some(pitch) => u32::from(nearest_pitch(*pitch, self.pitches) - self.pitches.0) + FIRST_PITCH,
        };
        grid.iter().map(id).collect()
    }

    /// The steps at whose beginning a note sounds.
    fn steps_of(&self, note: &Note) -> std::ops::Range<usize> {
        let first = note.start.div_ceil(self.step);
        let last = note.end().div_ceil(self.step);
        first as usize..last as usize
    }

    /// Where two notes of a part sound at once, the higher one is taken.
    fn fill_by_part(&self, score: &Score, parts: &[Part], grid: &mut [Option<u8>]) {
        for note in score.notes() {
            let Some(voice) = parts.iter().position(|part| *part == note.part()) else { continue };
            for step in self.steps_of(note) {
                let place = &mut grid[step * parts.len() + voice];
                *place = (*place).max(Some(note.pitch));
            }
        }
    }

    fn fill_by_rank(&self, score: &Score, grid: &mut [Option<u8>]) {
        for note in score.notes().iter().filter(|note| !note.is_drum()) {
            let count = self.voices.len();
            for step in self.steps_of(note) {
                let row = &mut grid[step * count..(step + 1) * count];
                // Pitches of a row lie in descending order: what is pushed out at the end is the lowest.
                let at = row.iter().position(|pitch| pitch.is_none_or(|pitch| pitch < note.pitch));
                if let Some(at) = at.filter(|_| !row.contains(&Some(note.pitch))) {
                    row[at..].rotate_right(1);
                    row[at] = Some(note.pitch);
                }
            }
        }
    }

    pub fn decode(&self, ids: &[u32]) -> Score {
        let ids = ids.iter().skip_while(|id| **id == BOUNDARY).take_while(|id| **id != BOUNDARY);
        let most = (MAX_TICKS / self.step) as usize * self.voices.len();
        let mut notes: Vec<Note> = Vec::new();
        let mut open: Vec<Option<usize>> = vec![None; self.voices.len()];
        for (place, id) in ids.take(most).enumerate() {
            let (step, voice) = ((place / self.voices.len()) as u32, place % self.voices.len());
            // A token that is none keeps its place as a rest, or all voices after it would be exchanged.
            let pitch = self.pitch_of(*id);
            match open[voice].map(|index| &mut notes[index]) {
                Some(note) if Some(note.pitch) == pitch && note.duration < MAX_DURATION => {
                    note.duration += self.step;
                }
                _ => {
                    open[voice] = pitch.map(|_| notes.len());
                    notes.extend(pitch.map(|pitch| self.note(voice, step * self.step, pitch)));
                }
            }
        }
        let metre = MetreChange { tick: 0, metre: self.metre };
        Score::new(notes, vec![metre], vec![TempoChange { tick: 0, tempo: self.tempo }])
    }

    fn note(&self, voice: usize, start: u32, pitch: u8) -> Note {
        let Voice { part: Part { programme, voice }, velocity } = self.voices[voice];
        Note { start, duration: self.step, pitch, velocity, programme, voice }
    }

    pub fn pitch_of(&self, id: u32) -> Option<u8> {
        let pitch = u32::from(self.pitches.0) + id.checked_sub(FIRST_PITCH)?;
        u8::try_from(pitch).ok().filter(|pitch| *pitch <= self.pitches.1)
    }
}

/// Parts without drums, of at most `most` voices.
fn melodic_parts(score: &Score, most: usize) -> Vec<Part> {
    let parts = score.parts().into_iter().filter(|part| part.programme != super::score::DRUMS);
    parts.take(most).collect()
}

fn lies_on(score: &Score, step: u32) -> bool {
    score.notes().iter().all(|note| note.start.is_multiple_of(step) && note.duration.is_multiple_of(step))
}

/// Whether no part has two notes at once.
fn is_monophonic(score: &Score) -> bool {
    let mut ends: HashMap<Part, u32> = HashMap::new();
    score.notes().iter().all(|note| {
        let before = ends.insert(note.part(), note.end());
        before.is_none_or(|end| end <= note.start)
    })
}

/// The most frequent value, the greater of several.
fn usual<T: Eq + Hash + Ord + Clone>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: HashMap<T, usize> = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter().max_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0))).map(|(value, _)| value)
}
