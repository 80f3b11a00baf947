//! Figures of one score, for comparing many: what MuSpy measures, and a few more.
//!
//! Definitions are those of `muspy.metrics` (Dong et al., "MuSpy", 2020, arXiv:2008.01951), with our ticks as
//! its time steps; `tests/fixtures/muspy.json` holds MuSpy's own figures. Where MuSpy says NaN there is
//! nothing here. A measure is the bar of the metre with the most bars, throughout.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::score::{Metre, Note, RESOLUTION, SIXTEENTH, Score};

/// Figures of one score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Highest less lowest pitch, in semitones.
    pub pitch_range: u32,
    pub n_pitches_used: u32,
    pub n_pitch_classes_used: u32,
    /// Pitches that sound at once, over the steps where any does.
    pub polyphony: Option<f64>,
    /// Share of all steps where more than two pitches sound.
    pub polyphony_rate: Option<f64>,
    /// Share of notes in the best of the 24 major and natural minor scales.
    pub scale_consistency: Option<f64>,
    /// Entropy of the pitches, in bits.
    pub pitch_entropy: Option<f64>,
    /// Entropy of the pitch classes, in bits.
    pub pitch_class_entropy: Option<f64>,
    /// Share of beats where nothing sounds.
    pub empty_beat_rate: Option<f64>,
    /// Share of measures where nothing sounds.
    pub empty_measure_rate: Option<f64>,
    /// One less the share of places where neighbouring measures differ in whether a note begins.
    pub groove_consistency: Option<f64>,
    /// Share of drum strokes on sixteenths, or on triplets where that is more.
    pub drum_pattern_consistency: Option<f64>,
    /// Notes and drum strokes a bar.
    pub notes_per_bar: f64,
    /// Bars, the last of which may be incomplete.
    pub bars: u32,
    /// Shares of the twelve pitch classes, C first.
    pub pitch_classes: [f64; 12],
    /// Shares of durations: up to a sixteenth, eighth, quarter, half note, whole note, and longer.
    pub durations: [f64; 6],
}

/// The two modes that scale figures know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Major,
    /// Natural minor.
    Minor,
}

impl Figures {
    pub fn of(score: &Score) -> Self {
        let measure = usual_metre(score).ticks();
        let bars = score.bars().count() as u32;
        let pitches = histogram::<128>(score, |note| usize::from(note.pitch));
        let classes = histogram::<12>(score, |note| usize::from(note.pitch % 12));
        let (polyphony, polyphony_rate) = polyphony(score);
        let range = melodic(score).map(|note| u32::from(note.pitch));
        let lowest = range.clone().min().unwrap_or(0);
        Self {
            pitch_range: range.max().unwrap_or(0) - lowest,
            n_pitches_used: used(&pitches),
            n_pitch_classes_used: used(&classes),
            polyphony,
            polyphony_rate,
            scale_consistency: scale_consistency(score),
            pitch_entropy: entropy(&pitches),
            pitch_class_entropy: entropy(&classes),
            empty_beat_rate: empty_rate(score, RESOLUTION),
            empty_measure_rate: empty_rate(score, measure),
            groove_consistency: groove_consistency(score, measure),
            drum_pattern_consistency: drum_pattern_consistency(score),
            notes_per_bar: score.notes().len() as f64 / f64::from(bars.max(1)),
            bars,
            pitch_classes: shares(&classes),
            durations: shares(&histogram::<6>(score, duration_class)),
        }
    }

    /// Names and values of the figures that are one number; what is not defined for the score is left out.
    pub fn numbers(&self) -> Vec<(&'static str, f64)> {
        let all = [
            ("pitch_range", Some(f64::from(self.pitch_range))),
            ("n_pitches_used", Some(f64::from(self.n_pitches_used))),
            ("n_pitch_classes_used", Some(f64::from(self.n_pitch_classes_used))),
            ("polyphony", self.polyphony),
            ("polyphony_rate", self.polyphony_rate),
            ("scale_consistency", self.scale_consistency),
            ("pitch_entropy", self.pitch_entropy),
            ("pitch_class_entropy", self.pitch_class_entropy),
            ("empty_beat_rate", self.empty_beat_rate),
            ("empty_measure_rate", self.empty_measure_rate),
            ("groove_consistency", self.groove_consistency),
            ("drum_pattern_consistency", self.drum_pattern_consistency),
            ("notes_per_bar", Some(self.notes_per_bar)),
            ("bars", Some(f64::from(self.bars))),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Share of notes in a scale; nothing without notes. `root` is a pitch class, C being 0.
pub fn pitch_in_scale_rate(score: &Score, root: u8, mode: Mode) -> Option<f64> {
    let classes = histogram::<12>(score, |note| usize::from(note.pitch % 12));
    in_scale_rate(&classes, root, mode)
}

fn in_scale_rate(classes: &[u64; 12], root: u8, mode: Mode) -> Option<f64> {
    const MAJOR: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];
    const MINOR: [usize; 7] = [0, 2, 3, 5, 7, 8, 10];
    let scale = match mode {
        Mode::Major => MAJOR,
        Mode::Minor => MINOR,
    };
    let inside: u64 = scale.iter().map(|step| classes[(step + usize::from(root)) % 12]).sum();
    ratio(inside, classes.iter().sum())
}

fn scale_consistency(score: &Score) -> Option<f64> {
    let classes = histogram::<12>(score, |note| usize::from(note.pitch % 12));
    let scales = (0..12).flat_map(|root| [(root, Mode::Major), (root, Mode::Minor)]);
    scales.filter_map(|(root, mode)| in_scale_rate(&classes, root, mode)).max_by(f64::total_cmp)
}

/// The metre of most bars.
fn usual_metre(score: &Score) -> Metre {
    let mut counts: BTreeMap<Metre, usize> = BTreeMap::new();
    for bar in score.bars() {
        *counts.entry(bar.metre).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(Metre::COMMON, |(metre, _)| metre)
}

fn melodic(score: &Score) -> impl Iterator<Item = &Note> + Clone {
    score.notes().iter().filter(|note| !note.is_drum())
}

/// How many notes, drums aside, fall into each class.
fn histogram<const N: usize>(score: &Score, class: impl Fn(&Note) -> usize) -> [u64; N] {
    let mut counts = [0; N];
    melodic(score).for_each(|note| counts[class(note)] += 1);
    counts
}

fn duration_class(note: &Note) -> usize {
    const UPPER: [u32; 5] = [3, 6, 12, 24, 48];
    UPPER.iter().position(|upper| note.duration <= *upper).unwrap_or(UPPER.len())
}

fn used(counts: &[u64]) -> u32 {
    counts.iter().filter(|count| **count > 0).count() as u32
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn shares<const N: usize>(counts: &[u64; N]) -> [f64; N] {
    let sum: u64 = counts.iter().sum();
    counts.map(|count| ratio(count, sum).unwrap_or(0.0))
}

/// Entropy of a histogram in bits; nothing where it is empty.
fn entropy<const N: usize>(counts: &[u64; N]) -> Option<f64> {
    let bits = |share: f64| if share > 0.0 { -share * share.log2() } else { 0.0 };
    (used(counts) > 0).then(|| shares(counts).into_iter().map(bits).sum())
}

/// Mean number of pitches where any sounds, and the share of steps with more than two.
fn polyphony(score: &Score) -> (Option<f64>, Option<f64>) {
    // At each tick where something changes: pitches that begin (+1) and end (-1) to sound.
    let mut by_pitch: Vec<Vec<(u32, u32)>> = vec![Vec::new(); 128];
    melodic(score).for_each(|note| by_pitch[usize::from(note.pitch)].push((note.start, note.end())));
    let mut changes: BTreeMap<u32, i64> = BTreeMap::new();
    for (start, end) in by_pitch.into_iter().flat_map(union) {
        *changes.entry(start).or_default() += 1;
        *changes.entry(end).or_default() -= 1;
    }
    let (mut sounding, mut pitches, mut many) = (0u64, 0u64, 0u64);
    let (mut now, mut before) = (0i64, 0u32);
    for (tick, change) in changes {
        let ticks = u64::from(tick - before);
        pitches += ticks * now as u64;
        sounding += if now > 0 { ticks } else { 0 };
        many += if now > 2 { ticks } else { 0 };
        (now, before) = (now + change, tick);
    }
    (ratio(pitches, sounding), ratio(many, u64::from(score.end())))
}

/// Intervals in order of their starts, those that touch made one.
fn union(intervals: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(intervals.len());
    for (start, end) in intervals {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// Share of stretches of `length` ticks that no note touches. A note that ends where a stretch begins touches
/// it, and the tune has one stretch more than fit into it: both as in MuSpy.
fn empty_rate(score: &Score, length: u32) -> Option<f64> {
    let end = score.end();
    if end == 0 {
        return None;
    }
    let mut touched = vec![false; (end / length + 1) as usize];
    for note in score.notes() {
        touched[(note.start / length) as usize..=(note.end() / length) as usize].fill(true);
    }
    Some(1.0 - touched.iter().filter(|touched| **touched).count() as f64 / touched.len() as f64)
}

fn groove_consistency(score: &Score, measure: u32) -> Option<f64> {
    let measures = score.end() / measure + 1;
    if measures < 2 {
        return None;
    }
    let onsets: BTreeSet<u32> = score.notes().iter().map(|note| note.start).collect();
    // A place differs from that a measure later, or an earlier one, where only one of the two has an onset.
    let last = (measures - 1) * measure;
    let alone_after = |tick: &&u32| **tick < last && !onsets.contains(&(**tick + measure));
    let alone_before = |tick: &&u32| **tick >= measure && !onsets.contains(&(**tick - measure));
    let differ = onsets.iter().filter(alone_after).count() + onsets.iter().filter(alone_before).count();
    Some(1.0 - differ as f64 / f64::from(measure * (measures - 1)))
}

fn drum_pattern_consistency(score: &Score) -> Option<f64> {
    let strokes = || score.notes().iter().filter(|note| note.is_drum());
    let on = |step: u32| strokes().filter(|note| note.start.is_multiple_of(step)).count() as u64;
    ratio(on(SIXTEENTH).max(on(RESOLUTION / 3)), strokes().count() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        super::score::{DRUMS, MetreChange},
        *,
    };

    #[derive(serde::Deserialize)]
    struct Case {
        /// Bars are this metre.
        metre: Metre,
        /// Start, duration, pitch, programme.
        notes: Vec<(u32, u32, u8, u8)>,
        /// By name; null for NaN.
        figures: BTreeMap<String, Option<f64>>,
        /// Of the twelve major scales, then the minor ones.
        in_scale: Vec<Option<f64>>,
    }

    #[test]
    fn figures_are_those_of_muspy() {
        let json = include_str!("../../tests/fixtures/muspy.json");
        let cases: Vec<Case> = serde_json::from_str(json).unwrap();
        assert!(cases.len() >= 6);
        for (number, case) in cases.iter().enumerate() {
            let note = |&(start, duration, pitch, programme): &(u32, u32, u8, u8)| Note {
                start,
                duration,
                pitch,
                velocity: 16,
                programme,
                voice: 0,
            };
            let metre = MetreChange { tick: 0, metre: case.metre };
            let score = Score::new(case.notes.iter().map(note).collect(), vec![metre], vec![]);
            assert_eq!(score.notes().len(), case.notes.len(), "case {number} is not canonical");
            let ours: BTreeMap<&str, f64> = Figures::of(&score).numbers().into_iter().collect();
            for (name, theirs) in &case.figures {
                assert!(near(ours.get(name.as_str()).copied(), *theirs), "case {number}: {name}: {ours:?}");
            }
            for (index, theirs) in case.in_scale.iter().enumerate() {
                let mode = if index < 12 { Mode::Major } else { Mode::Minor };
                assert!(near(pitch_in_scale_rate(&score, (index % 12) as u8, mode), *theirs));
            }
        }
    }

    fn near(ours: Option<f64>, theirs: Option<f64>) -> bool {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours - theirs).abs() < 1e-6,
            (ours, theirs) => ours.is_none() && theirs.is_none(),
        }
    }

    #[test]
    fn histograms_are_shares() {
        let note = |i: u32| Note {
            start: i * 12,
            duration: 12,
            pitch: 60 + i as u8,
            velocity: 9,
            programme: if i == 0 { DRUMS } else { 0 },
            voice: 0,
        };
        let figures = Figures::of(&Score::new((0..5).map(note).collect(), vec![], vec![]));
        assert_eq!(figures.pitch_classes[1..5], [0.25; 4]);
        assert_eq!(figures.durations, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!((figures.bars, figures.notes_per_bar), (2, 2.5));
        let empty = Figures::of(&Score::new(vec![], vec![], vec![]));
        assert_eq!((empty.polyphony, empty.bars), (None, 0));
    }
}
