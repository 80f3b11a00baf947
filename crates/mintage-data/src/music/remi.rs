//! REMI-like events: a tune as bars, positions in them, and notes.
//!
//! After Huang and Yang, "Pop Music Transformer" (2020, arXiv:2002.00212), and for several instruments after
//! von Rütte et al., "FIGARO" (2022, arXiv:2201.10936):
//!
//! ```text
//! Bar [Metre]  ( Position [Tempo] ( [Part] Pitch Velocity Duration | Drum Velocity )* )*
//! ```
//!
//! - Metre, Tempo and Part come when they change, Position once for all that begins there. A part is a
//!   programme and which of its tracks; a drum needs neither part nor duration.
//! - The vocabulary is what train uses. Metre, tempo, part and velocity take no tokens where train knows only
//!   one of them. Pitches are a range without gaps, so that tunes can be transposed inside it.
//! - What holdout has beyond that is encoded as the nearest that is known: a pitch moves by octaves.
//! - `decode(encode(score)) == score` where the vocabulary has all that the score uses. Any other tokens
//!   decode too: what makes no sense where it stands is passed over.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{
    score::{
        DRUMS, MAX_DURATION, MAX_TICKS, Metre, MetreChange, Note, Part, SIXTEENTH, Score, TEMPO_BINS,
        TempoChange, VELOCITY_BINS, tempo_bin,
    },
    token::{Token, TokenKind, nearest_pitch},
};
use crate::sequence::BOUNDARY;

/// Vocabulary of a [`Remi`] codec, sorted lists of what train has used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vocabulary {
    metres: Vec<Metre>,
    tempos: Vec<u8>,
    positions: Vec<u32>,
    parts: Vec<Part>,
    /// Lowest and highest pitch; nothing where there are only drums.
    pitches: Option<(u8, u8)>,
    drums: Vec<u8>,
    velocities: Vec<u8>,
    durations: Vec<u32>,
    /// The metre with the most bars.
    usual_metre: Option<Metre>,
}

/// A codec between scores and REMI-like tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vocabulary", into = "Vocabulary")]
pub struct Remi {
    vocabulary: Vocabulary,
    tokens: Vec<Token>,
    ids: HashMap<Token, u32>,
}

impl From<Vocabulary> for Remi {
    fn from(vocabulary: Vocabulary) -> Self {
        let tokens = vocabulary.tokens();
        let ids = tokens.iter().enumerate().map(|(id, token)| (*token, id as u32)).collect();
        Self { vocabulary, tokens, ids }
    }
}

impl From<Remi> for Vocabulary {
    fn from(remi: Remi) -> Self {
        remi.vocabulary
    }
}

impl Vocabulary {
    /// All tokens, by id.
    fn tokens(&self) -> Vec<Token> {
        let mut tokens = vec![Token::Boundary, Token::Bar];
        // What has one value only is known without a token.
        fn choices<T: Copy>(values: &[T]) -> impl Iterator<Item = T> {
            values.iter().copied().filter(|_| values.len() > 1)
        }
        tokens.extend(choices(&self.metres).map(Token::Metre));
        tokens.extend(choices(&self.tempos).map(Token::Tempo));
        tokens.extend(self.positions.iter().copied().map(Token::Position));
        tokens.extend(choices(&self.parts).map(Token::Part));
        let (low, high) = self.pitches.unwrap_or((1, 0));
        tokens.extend((low..=high).map(Token::Pitch));
        tokens.extend(self.drums.iter().copied().map(Token::Drum));
        tokens.extend(choices(&self.velocities).map(Token::Velocity));
        tokens.extend(self.durations.iter().copied().map(Token::Duration));
        tokens
    }
}

impl Remi {
    /// The vocabulary of `scores`.
    pub fn fit(scores: &[Score]) -> Self {
        let mut used = Used::default();
        scores.iter().for_each(|score| used.add(score));
        used.vocabulary().into()
    }

    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The metre of most bars.
    pub fn usual_metre(&self) -> Metre {
        self.vocabulary.usual_metre.unwrap_or(Metre::COMMON)
    }

    /// All metres, the usual one first.
    pub fn metres(&self) -> Vec<Metre> {
        let usual = self.usual_metre();
        let others = self.vocabulary.metres.iter().copied().filter(|&metre| metre != usual);
        std::iter::once(usual).chain(others).collect()
    }

    /// Lowest and highest pitch.
    pub fn pitches(&self) -> Option<(u8, u8)> {
        self.vocabulary.pitches
    }

    /// The id of a token, if it is part of the vocabulary.
    pub fn id(&self, token: Token) -> Option<u32> {
        self.ids.get(&token).copied()
    }

    /// Whether it could have been fitted: it may come from a file.
    pub(super) fn check(&self) -> Result<(), String> {
        let (low, high) = self.vocabulary.pitches.unwrap_or_default();
        let inside = self.tokens.iter().all(|token| match *token {
            Token::Tempo(tempo) => tempo < TEMPO_BINS,
            Token::Position(ticks) => ticks < MAX_DURATION,
            Token::Part(part) => part.is_known(),
            Token::Drum(drum) => drum < 128,
            Token::Velocity(velocity) => velocity < VELOCITY_BINS,
            Token::Duration(ticks) => (1..=MAX_DURATION).contains(&ticks),
            Token::Boundary | Token::Bar | Token::Metre(_) | Token::Pitch(_) | Token::Rest => true,
        });
        // What has one value only stands in no token.
        let Vocabulary { tempos, velocities, parts, .. } = &self.vocabulary;
        let alone = tempos.iter().all(|&tempo| tempo < TEMPO_BINS)
            && velocities.iter().all(|&velocity| velocity < VELOCITY_BINS)
            && parts.iter().all(|part| part.is_known());
        if low <= high && high < 128 && inside && alone && self.tokens.len() == self.ids.len() {
            Ok(())
        } else {
            Err("the vocabulary has doubled entries or some out of range".to_owned())
        }
    }

    /// Whether a token of kind `next` makes sense right after one of kind `before`.
    pub(super) fn may_follow(&self, before: TokenKind, next: TokenKind) -> bool {
        use TokenKind::*;
        let has_velocities = self.vocabulary.velocities.len() > 1;
        // Whether a note, a bar or the end of the tune can come now.
        let free = match before {
            Boundary => return next == Bar,
            Bar | Metre | Tempo | Velocity | Duration => true,
            Position | Part | Pitch | Drum | Rest => false,
        };
        match next {
            Boundary | Bar => free || before == Drum && !has_velocities,
            Metre => before == Bar,
            Position => free || before == Drum && !has_velocities,
            Tempo => before == Position,
            Part | Pitch | Drum => self.note_may_follow(before, next, has_velocities),
            Velocity => matches!(before, Pitch | Drum),
            Duration => before == Velocity || before == Pitch && !has_velocities,
            Rest => false,
        }
    }

    fn note_may_follow(&self, before: TokenKind, next: TokenKind, has_velocities: bool) -> bool {
        use TokenKind::*;
        match before {
            Position | Tempo | Velocity | Duration => true,
            Part => next == Pitch,
            Drum => !has_velocities,
            _ => false,
        }
    }

    pub fn encode(&self, score: &Score) -> Vec<u32> {
        Encoder { remi: self, out: Vec::new(), metre: None, part: None }.run(score)
    }

    pub fn decode(&self, ids: &[u32]) -> Score {
        let mut decoder = Decoder::new(&self.vocabulary);
        // A boundary at the beginning is the tune's own, a later one is that of the next.
        let ids = ids.iter().skip_while(|id| **id == BOUNDARY).take_while(|id| **id != BOUNDARY);
        for token in ids.filter_map(|id| self.tokens.get(*id as usize)) {
            if decoder.bar_start >= MAX_TICKS {
                break;
            }
            decoder.token(*token);
        }
        Score::new(decoder.notes, decoder.metres, decoder.tempos)
    }
}

/// What scores use.
#[derive(Default)]
struct Used {
    metres: HashMap<Metre, usize>,
    tempos: BTreeSet<u8>,
    positions: BTreeSet<u32>,
    parts: BTreeSet<Part>,
    pitches: BTreeSet<u8>,
    drums: BTreeSet<u8>,
    velocities: BTreeSet<u8>,
    durations: BTreeSet<u32>,
}

impl Used {
    fn add(&mut self, score: &Score) {
        for bar in score.bars() {
            *self.metres.entry(bar.metre).or_default() += 1;
        }
        self.tempos.extend(score.tempos().iter().map(|change| change.tempo));
        self.positions.extend(Events::of(score).map(|event| event.position));
        for note in score.notes() {
            self.velocities.insert(note.velocity);
            if note.is_drum() {
                self.drums.insert(note.pitch);
            } else {
                self.pitches.insert(note.pitch);
                self.parts.insert(note.part());
                self.durations.insert(note.duration);
            }
        }
    }

    fn vocabulary(self) -> Vocabulary {
        let usual = self.metres.iter().max_by_key(|(metre, count)| (**count, **metre));
        let usual_metre = usual.map(|(metre, _)| *metre);
        let mut metres: Vec<Metre> = self.metres.into_keys().collect();
        metres.sort_unstable();
        Vocabulary {
            metres,
            tempos: sorted(self.tempos),
            positions: sorted(self.positions),
            parts: sorted(self.parts),
            pitches: self.pitches.first().copied().zip(self.pitches.last().copied()),
            drums: sorted(self.drums),
            velocities: sorted(self.velocities),
            durations: sorted(self.durations),
            usual_metre,
        }
    }
}

fn sorted<T>(set: BTreeSet<T>) -> Vec<T> {
    set.into_iter().collect()
}

/// Something that begins inside a bar.
struct Event<'a> {
    /// Number of the bar.
    bar: usize,
    position: u32,
    what: What<'a>,
}

enum What<'a> {
    Tempo(u8),
    Note(&'a Note),
}

/// Tempo changes and notes in order, with the bar that each lies in.
struct Events<'a> {
    score: &'a Score,
    bars: Vec<u32>,
    bar: usize,
    tempos: usize,
    notes: usize,
}

impl<'a> Events<'a> {
    fn of(score: &'a Score) -> Self {
        Self { score, bars: score.bars().map(|bar| bar.start).collect(), bar: 0, tempos: 0, notes: 0 }
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let tempo = self.score.tempos().get(self.tempos);
        let note = self.score.notes().get(self.notes);
        let (tick, what) = match (tempo, note) {
            (Some(tempo), note) if note.is_none_or(|note| tempo.tick <= note.start) => {
                self.tempos += 1;
                (tempo.tick, What::Tempo(tempo.tempo))
            }
            (_, Some(note)) => {
                self.notes += 1;
                (note.start, What::Note(note))
            }
            _ => return None,
        };
        while self.bars.get(self.bar + 1).is_some_and(|start| *start <= tick) {
            self.bar += 1;
        }
        let position = tick - self.bars.get(self.bar)?;
        Some(Event { bar: self.bar, position, what })
    }
}

struct Encoder<'a> {
    remi: &'a Remi,
    out: Vec<u32>,
    metre: Option<Metre>,
    part: Option<Part>,
}

impl Encoder<'_> {
    fn run(mut self, score: &Score) -> Vec<u32> {
        let several_tempos = self.remi.vocabulary.tempos.len() > 1;
        let mut events = Events::of(score).peekable();
        let last_change = score.metres().last().map_or(0, |change| change.tick);
        for (number, bar) in score.bars().enumerate() {
            if events.peek().is_none() && bar.start > last_change {
                break;
            }
            self.push(Token::Bar);
            self.bar_metre(bar.metre);
            let mut position = None;
            while let Some(event) = events.next_if(|event| event.bar == number) {
                if matches!(event.what, What::Tempo(_)) && !several_tempos {
                    continue;
                }
                if position != Some(event.position) {
                    self.push(Token::Position(nearest(&self.remi.vocabulary.positions, event.position)));
                    position = Some(event.position);
                }
                match event.what {
                    What::Tempo(tempo) => {
                        let known = nearest(&self.remi.vocabulary.tempos, u32::from(tempo));
                        self.push(Token::Tempo(known));
                    }
                    What::Note(note) => self.note(note),
                }
            }
        }
        self.out
    }

    /// Adds a token, unless it has no id since it is the only one of its kind.
    fn push(&mut self, token: Token) {
        self.out.extend(self.remi.id(token));
    }

    fn bar_metre(&mut self, metre: Metre) {
        let distance = |known: &&Metre| (known.ticks().abs_diff(metre.ticks()), **known != metre);
        let Some(known) = self.remi.vocabulary.metres.iter().min_by_key(distance) else { return };
        if self.metre != Some(*known) {
            self.metre = Some(*known);
            self.push(Token::Metre(*known));
        }
    }

    fn note(&mut self, note: &Note) {
        let known = &self.remi.vocabulary;
        let velocity = nearest(&known.velocities, u32::from(note.velocity));
        if note.is_drum() {
            if known.drums.is_empty() {
                return;
            }
            self.push(Token::Drum(nearest(&known.drums, u32::from(note.pitch))));
            return self.push(Token::Velocity(velocity));
        }
        let (Some(range), Some(part)) = (known.pitches, nearest_part(&known.parts, note.part())) else {
            return;
        };
        let duration = nearest(&known.durations, note.duration);
        if self.part != Some(part) {
            self.part = Some(part);
            self.push(Token::Part(part));
        }
        self.push(Token::Pitch(nearest_pitch(note.pitch, range)));
        self.push(Token::Velocity(velocity));
        self.push(Token::Duration(duration));
    }
}

/// The value nearest to `wanted`; itself where nothing is known.
fn nearest<T: Copy + Into<u32> + TryFrom<u32> + Default>(known: &[T], wanted: u32) -> T {
    let distance = |value: &T| (*value).into().abs_diff(wanted);
    known.iter().copied().min_by_key(distance).unwrap_or_default()
}

/// The part itself, else one of its programme, else one of its family of eight programmes, else the nearest.
fn nearest_part(known: &[Part], wanted: Part) -> Option<Part> {
    let distance = |part: &Part| {
        let family = part.programme / 8 != wanted.programme / 8;
        let programme = part.programme.abs_diff(wanted.programme);
        (family, programme, part.voice.abs_diff(wanted.voice))
    };
    known.iter().copied().min_by_key(distance)
}

struct Decoder {
    notes: Vec<Note>,
    metres: Vec<MetreChange>,
    tempos: Vec<TempoChange>,
    bar_start: u32,
    metre: Metre,
    /// Whether a bar has begun; what comes before the first one lies in a bar of its own.
    in_bar: bool,
    /// Whether anything has begun in the bar: then its metre stands.
    filled: bool,
    position: u32,
    part: Option<Part>,
    pitch: Option<Token>,
    velocity: Option<u8>,
    only_velocity: Option<u8>,
}

impl Decoder {
    fn new(known: &Vocabulary) -> Self {
        fn only<T: Copy>(values: &[T]) -> Option<T> {
            if let [value] = values { Some(*value) } else { None }
        }
        let metre = known.usual_metre.unwrap_or(Metre::COMMON);
        let tempo = only(&known.tempos).unwrap_or(tempo_bin(120.0));
        Self {
            notes: Vec::new(),
            metres: vec![MetreChange { tick: 0, metre }],
            tempos: vec![TempoChange { tick: 0, tempo }],
            bar_start: 0,
            metre,
            in_bar: false,
            filled: false,
            position: 0,
            part: known.parts.first().copied(),
            pitch: None,
            velocity: None,
            only_velocity: only(&known.velocities),
        }
    }

    fn token(&mut self, token: Token) {
        match token {
            Token::Bar => self.bar(),
            Token::Metre(metre) if !self.filled => {
                self.metre = metre;
                self.metres.push(MetreChange { tick: self.bar_start, metre });
            }
            Token::Position(position) if position < self.metre.ticks() => {
                (self.position, self.pitch) = (position, None);
                self.filled = true;
            }
            Token::Tempo(tempo) => {
                self.tempos.push(TempoChange { tick: self.tick(), tempo });
                self.filled = true;
            }
            Token::Part(part) => (self.part, self.pitch) = (Some(part), None),
            Token::Pitch(_) => (self.pitch, self.velocity) = (Some(token), self.only_velocity),
            Token::Drum(_) => {
                (self.pitch, self.velocity) = (Some(token), self.only_velocity);
                self.finish_drum();
            }
            Token::Velocity(velocity) => {
                self.velocity = Some(velocity);
                self.finish_drum();
            }
            Token::Duration(duration) => self.finish_note(duration),
            Token::Metre(_) | Token::Position(_) | Token::Boundary | Token::Rest => {}
        }
    }

    fn tick(&self) -> u32 {
        self.bar_start + self.position
    }

    fn bar(&mut self) {
        if self.in_bar || self.filled {
            self.bar_start += self.metre.ticks();
        }
        (self.in_bar, self.filled, self.position, self.pitch) = (true, false, 0, None);
    }

    fn finish_drum(&mut self) {
        if let (Some(Token::Drum(pitch)), Some(velocity)) = (self.pitch, self.velocity) {
            self.push(Part { programme: DRUMS, voice: 0 }, pitch, velocity, SIXTEENTH);
        }
    }

    fn finish_note(&mut self, duration: u32) {
        if let (Some(Token::Pitch(pitch)), Some(velocity), Some(part)) =
            (self.pitch, self.velocity, self.part)
        {
            self.push(part, pitch, velocity, duration);
        }
    }

    fn push(&mut self, part: Part, pitch: u8, velocity: u8, duration: u32) {
        let Part { programme, voice } = part;
        self.notes.push(Note { start: self.tick(), duration, pitch, velocity, programme, voice });
        self.pitch = None;
        self.filled = true;
    }
}
