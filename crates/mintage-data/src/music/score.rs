//! A quantised score: notes on a fixed grid, with changes of metre and tempo, in one canonical order.
//!
//! | what | quantised to |
//! |---|---|
//! | time | 12 ticks a quarter ([`RESOLUTION`]): a bar of 4/4 has 48, so sixteenths and triplets both fit |
//! | duration | every tick up to a half note, then sixteenths, at most four bars of 4/4 |
//! | velocity | 32 bins of four MIDI values |
//! | tempo | 32 bins, evenly spaced in the logarithm from 40 to 240 quarters a minute |
//! | metre | bars of a sixteenth to four whole notes; a change inside a bar makes that bar a short one |
//! | drums | pitch and start only: a stroke has no length |
//!
//! A [`Score`] is canonical however it was made ([`Score::new`]), so two that sound alike are equal: notes of
//! one part and pitch never overlap, changes lie where they change something, and nothing follows the last
//! note. Pedals, bends and controllers are not kept.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Ticks a quarter note.
pub const RESOLUTION: u32 = 12;
/// Ticks a bar of 4/4.
pub const COMMON_BAR: u32 = 4 * RESOLUTION;
/// Ticks a sixteenth note.
pub const SIXTEENTH: u32 = RESOLUTION / 4;
/// No note is longer.
pub const MAX_DURATION: u32 = 4 * COMMON_BAR;
/// No score is longer: 20,000 bars of 4/4.
pub const MAX_TICKS: u32 = 20_000 * COMMON_BAR;
/// The programme that stands for drums; 0 to 127 are those of General MIDI.
pub const DRUMS: u8 = 128;
/// Velocities are told apart in so many bins.
pub const VELOCITY_BINS: u8 = 32;
/// Tempos are told apart in so many bins.
pub const TEMPO_BINS: u8 = 32;
/// Tracks of one programme that are told apart.
pub const MAX_VOICES: u8 = 16;

const SLOWEST_BPM: f64 = 40.0;
const FASTEST_BPM: f64 = 240.0;
/// Where nothing is said, as in MIDI files: 120 quarters a minute.
const DEFAULT_BPM: f64 = 120.0;

/// One note. Times are in ticks of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    pub start: u32,
    pub duration: u32,
    /// MIDI number; of a drum: which drum.
    pub pitch: u8,
    /// Bin of [`VELOCITY_BINS`].
    pub velocity: u8,
    /// Programme of General MIDI, or [`DRUMS`].
    pub programme: u8,
    /// Tracks of the same programme are voices 0, 1, 2 and so on.
    pub voice: u8,
}

impl Note {
    pub fn end(&self) -> u32 {
        self.start + self.duration
    }

    pub fn part(&self) -> Part {
        Part { programme: self.programme, voice: self.voice }
    }

    pub fn is_drum(&self) -> bool {
        self.programme == DRUMS
    }
}

/// What plays a note: an instrument, and which of several tracks with that instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    pub programme: u8,
    pub voice: u8,
}

impl Part {
    /// Whether there is such a part: it may come from a file.
    pub(super) fn is_known(self) -> bool {
        self.programme <= DRUMS && self.voice < MAX_VOICES
    }
}

/// A time signature whose bar is a whole number of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Metre {
    numerator: u8,
    denominator: u8,
}

impl Metre {
    /// 4/4.
    pub const COMMON: Self = Self { numerator: 4, denominator: 4 };

    /// A metre, unless its bar does not lie on the grid or is longer than four whole notes.
    pub fn new(numerator: u8, denominator: u8) -> Option<Self> {
        let whole = COMMON_BAR * u32::from(numerator);
        let fits = matches!(denominator, 1 | 2 | 4 | 8 | 16 | 32)
            && whole.is_multiple_of(u32::from(denominator))
            && (SIXTEENTH..=MAX_DURATION).contains(&(whole / u32::from(denominator)));
        fits.then_some(Self { numerator, denominator })
    }

    /// A bar of so many sixteenths, 1 to 64.
    pub(super) fn sixteenths(count: u32) -> Self {
        Self { numerator: count.clamp(1, 64) as u8, denominator: 16 }
    }

    pub fn numerator(self) -> u8 {
        self.numerator
    }

    pub fn denominator(self) -> u8 {
        self.denominator
    }

    /// Ticks a bar.
    pub fn ticks(self) -> u32 {
        COMMON_BAR * u32::from(self.numerator) / u32::from(self.denominator)
    }
}

impl fmt::Display for Metre {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl FromStr for Metre {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (above, below) = text.split_once('/').unwrap_or_default();
        let parse = |number: &str| number.parse::<u8>().ok();
        parse(above)
            .zip(parse(below))
            .and_then(|(above, below)| Self::new(above, below))
            .ok_or_else(|| format!("`{text}` is no metre"))
    }
}

impl TryFrom<String> for Metre {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Metre> for String {
    fn from(metre: Metre) -> Self {
        metre.to_string()
    }
}

/// From this tick on, bars have this metre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetreChange {
    pub tick: u32,
    pub metre: Metre,
}

/// From this tick on, this tempo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TempoChange {
    pub tick: u32,
    /// Bin of [`TEMPO_BINS`].
    pub tempo: u8,
}

/// A bar of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    pub start: u32,
    pub metre: Metre,
}

/// A quantised score in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    notes: Vec<Note>,
    metres: Vec<MetreChange>,
    tempos: Vec<TempoChange>,
}

impl Score {
    /// Brings whatever is given into canonical form: sorts, clamps, joins doubled notes, ends a note where the
    /// next of its part and pitch begins, and drops changes that change nothing.
    pub fn new(mut notes: Vec<Note>, metres: Vec<MetreChange>, tempos: Vec<TempoChange>) -> Self {
        notes.retain(|note| note.start < MAX_TICKS);
        notes.iter_mut().for_each(clamp);
        notes.sort_by_key(|n| (n.start, n.part(), n.pitch, u32::MAX - n.duration, u8::MAX - n.velocity));
        let notes = without_overlaps(notes);
        let end = notes.iter().map(Note::end).max().unwrap_or(0);
        Self { metres: canonical_metres(metres, end), tempos: canonical_tempos(tempos, end), notes }
    }

    /// By start, then part, then pitch.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// At least one, the first at tick 0; each lies on a bar line of those before it.
    pub fn metres(&self) -> &[MetreChange] {
        &self.metres
    }

    /// At least one, the first at tick 0.
    pub fn tempos(&self) -> &[TempoChange] {
        &self.tempos
    }

    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The tick at which the last note ends.
    pub fn end(&self) -> u32 {
        self.notes.iter().map(Note::end).max().unwrap_or(0)
    }

    /// The parts that play, sorted.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = self.notes.iter().map(Note::part).collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// The bars from tick 0 to the end of the last note.
    pub fn bars(&self) -> impl Iterator<Item = Bar> {
        let end = self.end();
        let mut next = 0;
        let mut changes = self.metres.iter().peekable();
        let mut metre = Metre::COMMON;
        std::iter::from_fn(move || {
            let start = next;
            while let Some(change) = changes.next_if(|change| change.tick <= start) {
                metre = change.metre;
            }
            next = start + metre.ticks();
            (start < end).then_some(Bar { start, metre })
        })
    }

    /// The first `count` bars, with what begins in them.
    #[must_use]
    pub fn first_bars(&self, count: usize) -> Self {
        let stop = self.bars().nth(count).map_or(u32::MAX, |bar| bar.start);
        let notes = self.notes.iter().filter(|note| note.start < stop);
        let notes = notes.map(|n| Note { duration: n.duration.min(stop - n.start), ..*n }).collect();
        Self::new(notes, self.metres.clone(), self.tempos.clone())
    }

    /// The same notes in bars of one metre.
    #[must_use]
    pub fn in_metre(self, metre: Metre) -> Self {
        Self::new(self.notes, vec![MetreChange { tick: 0, metre }], self.tempos)
    }

    /// Everything but drums moved by `semitones`, or nothing when a pitch would leave MIDI's range.
    pub fn transposed(&self, semitones: i32) -> Option<Self> {
        let mut score = self.clone();
        for note in score.notes.iter_mut().filter(|note| !note.is_drum()) {
            let pitch = i32::from(note.pitch) + semitones;
            note.pitch = u8::try_from(pitch).ok().filter(|pitch| *pitch < 128)?;
        }
        Some(score)
    }

    /// When a tick sounds, in seconds from the beginning; ticks must come in ascending order.
    pub fn clock(&self) -> Clock<'_> {
        Clock { changes: &self.tempos, tick: 0, secs: 0.0, tempo: 0 }
    }

    /// How long the score sounds, in seconds.
    pub fn seconds(&self) -> f64 {
        self.clock().secs_at(self.end())
    }
}

/// Turns ticks into seconds; see [`Score::clock`].
#[derive(Clone, Debug)]
pub struct Clock<'a> {
    changes: &'a [TempoChange],
    tick: u32,
    secs: f64,
    tempo: u8,
}

impl Clock<'_> {
    /// The time of a tick, which is not below that asked for before.
    pub fn secs_at(&mut self, tick: u32) -> f64 {
        while let Some((change, later)) = self.changes.split_first() {
            if change.tick > tick {
                break;
            }
            self.go_to(change.tick);
            self.tempo = change.tempo;
            self.changes = later;
        }
        self.go_to(tick);
        self.secs
    }

    fn go_to(&mut self, tick: u32) {
        let ticks = f64::from(tick.saturating_sub(self.tick));
        self.secs += ticks * 60.0 / (bpm(self.tempo) * f64::from(RESOLUTION));
        self.tick = tick.max(self.tick);
    }
}

/// Quarters a minute of a tempo bin.
pub fn bpm(bin: u8) -> f64 {
    let share = f64::from(bin.min(TEMPO_BINS - 1)) / f64::from(TEMPO_BINS - 1);
    SLOWEST_BPM * (FASTEST_BPM / SLOWEST_BPM).powf(share)
}

/// The tempo bin nearest to so many quarters a minute.
pub fn tempo_bin(bpm: f64) -> u8 {
    let share = (bpm.clamp(SLOWEST_BPM, FASTEST_BPM) / SLOWEST_BPM).ln() / (FASTEST_BPM / SLOWEST_BPM).ln();
    (share * f64::from(TEMPO_BINS - 1)).round() as u8
}

/// The bin of a MIDI velocity.
pub fn velocity_bin(velocity: u8) -> u8 {
    velocity.min(127) / (128 / VELOCITY_BINS)
}

/// The MIDI velocity in the middle of a bin.
pub fn velocity_of(bin: u8) -> u8 {
    let width = 128 / VELOCITY_BINS;
    bin.min(VELOCITY_BINS - 1) * width + width / 2
}

/// The nearest duration of the grid.
pub fn quantised_duration(ticks: u32) -> u32 {
    match ticks {
        0 => 1,
        1..=24 => ticks,
        _ => ((ticks + 1) / SIXTEENTH * SIXTEENTH).min(MAX_DURATION),
    }
}

/// The longest duration of the grid that is not above `ticks`, at least 1.
fn duration_within(ticks: u32) -> u32 {
    match ticks {
        0..=24 => ticks.max(1),
        _ => (ticks / SIXTEENTH * SIXTEENTH).min(MAX_DURATION),
    }
}

fn clamp(note: &mut Note) {
    note.pitch = note.pitch.min(127);
    note.velocity = note.velocity.min(VELOCITY_BINS - 1);
    note.programme = note.programme.min(DRUMS);
    note.voice = note.voice.min(MAX_VOICES - 1);
    note.duration = quantised_duration(note.duration);
    if note.is_drum() {
        note.voice = 0;
        note.duration = SIXTEENTH;
    }
}

/// Of sorted notes: one a part, pitch and start (the longest, at the loudest velocity), each at most as long as
/// the next of its part and pitch allows.
fn without_overlaps(sorted: Vec<Note>) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::with_capacity(sorted.len());
    let mut latest: HashMap<(Part, u8), usize> = HashMap::new();
    for note in sorted {
        let before = latest.get(&(note.part(), note.pitch)).map(|&index| &mut notes[index]);
        match before {
            Some(before) if before.start == note.start => {
                before.velocity = before.velocity.max(note.velocity);
                continue;
            }
            Some(before) if before.end() > note.start && !note.is_drum() => {
                before.duration = duration_within(note.start - before.start);
            }
            _ => {}
        }
        latest.insert((note.part(), note.pitch), notes.len());
        notes.push(note);
    }
    notes
}

/// Changes of metre on bar lines. A change inside a bar cuts that bar short, to whole sixteenths.
fn canonical_metres(mut given: Vec<MetreChange>, end: u32) -> Vec<MetreChange> {
    given.retain(|change| change.tick == 0 || change.tick < end);
    given.sort_by_key(|change| change.tick);
    let mut metres = vec![MetreChange { tick: 0, metre: Metre::COMMON }];
    for change in given {
        let current = metres[metres.len() - 1];
        if current.metre == change.metre {
            continue;
        }
        let bar = current.metre.ticks();
        let rest = (change.tick.max(current.tick) - current.tick) % bar;
        let line = change.tick.max(current.tick) - rest;
        let short = (rest + SIXTEENTH / 2) / SIXTEENTH * SIXTEENTH;
        if short == 0 {
            put(&mut metres, line, change.metre);
        } else if short >= bar {
            put(&mut metres, line + bar, change.metre);
        } else {
            put(&mut metres, line, Metre::sixteenths(short / SIXTEENTH));
            put(&mut metres, line + short, change.metre);
        }
    }
    metres.retain(|change| change.tick == 0 || change.tick < end);
    metres.dedup_by(|later, earlier| later.metre == earlier.metre);
    metres
}

/// Adds a change that takes the place of one at the same tick.
fn put(metres: &mut Vec<MetreChange>, tick: u32, metre: Metre) {
    metres.pop_if(|last| last.tick >= tick);
    metres.push(MetreChange { tick, metre });
}

fn canonical_tempos(mut given: Vec<TempoChange>, end: u32) -> Vec<TempoChange> {
    given.retain(|change| change.tick == 0 || change.tick < end);
    given.sort_by_key(|change| change.tick);
    let mut tempos = vec![TempoChange { tick: 0, tempo: tempo_bin(DEFAULT_BPM) }];
    for change in given {
        let tempo = change.tempo.min(TEMPO_BINS - 1);
        tempos.pop_if(|last| last.tick == change.tick);
        tempos.push(TempoChange { tempo, ..change });
    }
    tempos.dedup_by(|later, earlier| later.tempo == earlier.tempo);
    tempos
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Any score of a few hundred notes, with doubled and overlapping ones, drums, metres and tempos.
    pub fn any_score() -> impl Strategy<Value = Score> {
        let programme = prop_oneof![0u8..4, Just(52), Just(DRUMS)];
        let note = (0u32..2000, 1u32..250, 20u8..110, 0..VELOCITY_BINS, programme, 0u8..3).prop_map(
            |(start, duration, pitch, velocity, programme, voice)| Note {
                start,
                duration,
                pitch,
                velocity,
                programme,
                voice,
            },
        );
        let metre = (0u32..2000, 1u8..13, 0usize..5).prop_filter_map("metre", |(tick, n, d)| {
            Some(MetreChange { tick, metre: Metre::new(n, [2, 4, 8, 16, 32][d])? })
        });
        let tempo = (0u32..2000, 0..TEMPO_BINS).prop_map(|(tick, tempo)| TempoChange { tick, tempo });
        (
            prop::collection::vec(note, 1..200),
            prop::collection::vec(metre, 0..6),
            prop::collection::vec(tempo, 0..6),
        )
            .prop_map(|(notes, metres, tempos)| Score::new(notes, metres, tempos))
    }

    proptest! {
        #[test]
        fn canonical_form_is_a_fixed_point(score in any_score()) {
            let again = Score::new(score.notes.clone(), score.metres.clone(), score.tempos.clone());
            prop_assert_eq!(&score, &again);
            prop_assert!(score.notes.is_sorted_by_key(|n| (n.start, n.part(), n.pitch)));
        }

        #[test]
        fn metres_change_on_bar_lines(score in any_score()) {
            let lines: Vec<u32> = score.bars().map(|bar| bar.start).collect();
            for change in score.metres() {
                prop_assert!(lines.contains(&change.tick), "{} not in {:?}", change.tick, lines);
            }
        }
    }

    #[test]
    fn metre_change_inside_a_bar_makes_it_short() {
        let note = Note { start: 0, duration: 192, pitch: 60, velocity: 9, programme: 0, voice: 0 };
        let change = MetreChange { tick: 48 + 12, metre: Metre::new(3, 4).unwrap() };
        let score = Score::new(vec![note], vec![change], vec![]);
        let bars: Vec<String> = score.bars().map(|bar| format!("{} {}", bar.start, bar.metre)).collect();
        assert_eq!(bars[..4], ["0 4/4", "48 4/16", "60 3/4", "96 3/4"]);
    }

    #[test]
    fn bins_and_their_values_agree() {
        for bin in 0..32 {
            assert_eq!((tempo_bin(bpm(bin)), velocity_bin(velocity_of(bin))), (bin, bin));
        }
        for ticks in 1..400 {
            let duration = quantised_duration(ticks);
            assert_eq!(quantised_duration(duration), duration);
            assert!(duration.abs_diff(ticks.min(MAX_DURATION)) <= 1, "{ticks} {duration}");
            assert!(duration_within(ticks) <= ticks);
        }
        assert!(Metre::new(0, 4).is_none() && Metre::new(1, 32).is_none() && Metre::new(17, 4).is_none());
    }

    #[test]
    fn seconds_follow_the_tempo() {
        let note = Note { start: 48, duration: 48, pitch: 60, velocity: 9, programme: 0, voice: 0 };
        let tempos = vec![TempoChange { tick: 0, tempo: 0 }, TempoChange { tick: 48, tempo: TEMPO_BINS - 1 }];
        let score = Score::new(vec![note], vec![], tempos);
        assert!((score.seconds() - (4.0 * 1.5 + 4.0 * 0.25)).abs() < 1e-9);
    }
}
