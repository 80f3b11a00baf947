//! What can be asked of a model of music: new tunes, in a key and a metre, within a range of pitches, of so many bars.

use super::{
    Chunks, Limits as RequestLimits,
    text::{SAMPLE_CHUNK, check_conditioning, encoded, shares},
};
use crate::{
    error::Error,
    model::Model,
    models::{Conditioning, GUIDANCE, GenerativeModel, SamplingParams, SequenceModel, SequenceSampleParams},
};
use mintage_data::{
    MusicTokenizer,
    music::{Metre, Mode, Score, Token, TokenKind, pitch_name},
    sequence::BOUNDARY,
};

/// Bars of a tune that nothing else ends.
const DEFAULT_BARS: usize = 64;
/// Tokens of a bar at most, all parts together.
const TOKENS_A_BAR: usize = 512;
/// Tokens that the last note of a bar may need when the others are at that bound.
const LAST_NOTE: usize = 16;
/// Room for the notes of a bar.
const BYTES_A_BAR: usize = 1024;

/// What to draw from a model of music.
#[derive(Clone, Debug)]
pub struct MusicRequest {
    /// How many items to draw.
    pub n: usize,
    /// A class by name.
    pub label: Option<String>,
    /// Weight of guidance towards the class; 1 is none, without it the model's default.
    pub guidance: Option<f32>,
    /// What every tune begins with.
    pub prompt: Option<Score>,
    /// A tune to vary, or two to interpolate between.
    pub conditioning: Conditioning<Score>,
    /// Exactly so many bars behind the prompt; without it a tune ends where the model ends it.
    pub bars: Option<usize>,
    /// Only notes of this scale.
    pub key: Option<Key>,
    /// Only this metre.
    pub metre: Option<Metre>,
    /// Lowest and highest pitch, as MIDI numbers.
    pub range: Option<(u8, u8)>,
    /// How codes or tokens are chosen among the probable ones.
    pub choice: SamplingParams,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for MusicRequest {
    fn default() -> Self {
        Self {
            n: 1,
            label: None,
            guidance: None,
            prompt: None,
            conditioning: Conditioning::None,
            bars: None,
            key: None,
            metre: None,
            range: None,
            choice: SamplingParams::default(),
            seed: 1,
        }
    }
}

/// The notes of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// 0 is C.
    pub root: u8,
    /// Major or minor.
    pub mode: Mode,
}

impl Key {
    /// Parses the name of a key, such as "C major", "f# minor", "Bb" or "am".
    ///
    /// # Errors
    ///
    /// The text is not the name of a key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::request(format!("`{text}` is no key"))
                .with_hint("write it like \"C major\", \"f# minor\", Bb or am")
                .in_field("key")
        };
        let plain = text.trim().to_lowercase().replace('♯', "#").replace('♭', "b");
        let mut letters = plain.chars();
        let letter = letters.next().ok_or_else(wrong)?;
        let natural = match letter {
            'c' => 0,
            'd' => 2,
            'e' => 4,
            'f' => 5,
            'g' => 7,
            'a' => 9,
            'b' | 'h' => 11,
            _ => return Err(wrong()),
        };
        let rest = letters.as_str();
        let (shift, mode) = match (rest.strip_prefix('#'), rest.strip_prefix('b')) {
            (Some(mode), _) => (1, mode),
            (_, Some(mode)) => (11, mode),
            _ => (0, rest),
        };
        let mode = match mode.trim().trim_start_matches('-') {
            "" | "major" | "maj" | "dur" => Mode::Major,
            "m" | "minor" | "min" | "moll" => Mode::Minor,
            _ => return Err(wrong()),
        };
        Ok(Self { root: (natural + shift) % 12, mode })
    }

    /// Whether a pitch belongs to the scale; of a minor one also the raised seventh.
    pub fn has(self, pitch: u8) -> bool {
        let step = (pitch + 12 - self.root) % 12;
        match self.mode {
            Mode::Major => [0, 2, 4, 5, 7, 9, 11].contains(&step),
            Mode::Minor => [0, 2, 3, 5, 7, 8, 10, 11].contains(&step),
        }
    }
}

impl Model {
    /// Draws tunes, their prompt included. The same request gives the same tunes. `on` hears how many bars of how many
    /// tunes there are.
    ///
    /// # Errors
    ///
    /// The model makes something else, or cannot make what is asked for.
    pub fn sample_tunes(
        &self,
        request: &MusicRequest,
        on: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Score>, Error> {
        let mut chunks = self.tune_chunks(request.clone(), &RequestLimits::default())?;
        let mut tunes = Vec::new();
        while let Some(chunk) = chunks.next_chunk(on) {
            tunes.extend(chunk);
        }
        on(1, 1);
        Ok(tunes)
    }

    /// The tunes of [`sample_tunes`](Self::sample_tunes), a chunk at a time.
    pub(crate) fn tune_chunks(
        &self,
        request: MusicRequest,
        room: &RequestLimits,
    ) -> Result<TuneChunks<'_>, Error> {
        let (parts, codec) = self.music()?;
        let class = parts.class(request.label.as_deref())?;
        let mut prompt = vec![BOUNDARY];
        if let Some(score) = &request.prompt {
            prompt.extend(codec.encode(score));
        }
        let limits = Limits::new(codec, &request, &prompt)?;
        let conditioning = encoded(&request.conditioning, |score| codec.encode(score));
        check_conditioning(&conditioning, self, request.n)?;
        let bars = request.bars.unwrap_or(DEFAULT_BARS);
        room.check_items(request.n, bars.saturating_mul(BYTES_A_BAR), "tunes")?;
        let chunks = Chunks::new(request.n, SAMPLE_CHUNK, request.seed);
        let model = parts.model;
        Ok(TuneChunks { model, codec, class, prompt, limits, conditioning, bars, request, chunks })
    }
}

/// Tunes as they are drawn.
pub(crate) struct TuneChunks<'a> {
    model: &'a SequenceModel,
    codec: &'a MusicTokenizer,
    class: Option<u32>,
    /// The prompt's tokens, boundary first.
    prompt: Vec<u32>,
    limits: Limits<'a>,
    conditioning: Conditioning<Vec<u32>>,
    /// Most bars of a tune.
    bars: usize,
    request: MusicRequest,
    chunks: Chunks,
}

impl TuneChunks<'_> {
    /// The next tunes, their prompt included; `None` after the last.
    pub(crate) fn next_chunk(&mut self, on: &mut dyn FnMut(usize, usize)) -> Option<Vec<Score>> {
        let (items, mut rng) = self.chunks.next(&self.conditioning)?;
        let (request, codec, most) = (&self.request, self.codec, self.bars);
        let draw = SequenceSampleParams {
            n: items.len(),
            prompt: &self.prompt,
            class: self.class,
            guidance: request.guidance.unwrap_or(GUIDANCE),
            conditioning: self.conditioning.map(Vec::as_slice),
            shares: shares(items.start, request.n),
            choice: request.choice,
            ..SequenceSampleParams::new(0, most.saturating_mul(TOKENS_A_BAR))
        };
        let mut states = vec![Progress::default(); items.len()];
        let mut limit = |row: usize, tokens: &[u32], logits: &mut [f32]| {
            self.limits.apply(&mut states[row], tokens, logits);
        };
        let mut bars = 0;
        let mut decode = |row: usize, token: u32| {
            if codec.is_bar(token) && row == 0 {
                bars += 1;
                on(items.start * most + bars * draw.n, request.n * most);
            }
            true
        };
        let rows = self.model.sample((&draw, &mut limit, &mut decode), &mut rng);
        let tune = |tokens: Vec<u32>| self.limits.kept(codec.decode(&[&self.prompt[1..], &tokens].concat()));
        Some(rows.into_iter().map(tune).collect())
    }
}

/// What may come next, so that a tune keeps to what was asked whatever the model prefers.
struct Limits<'a> {
    codec: &'a MusicTokenizer,
    /// For each token whether pitch and metre allow it.
    allowed: Vec<bool>,
    /// The metre that was asked for, and its token where there are several.
    metre: Option<Metre>,
    metre_token: Option<u32>,
    /// The prompt's metre at its end, where it has bars.
    prompt_metre: Option<Metre>,
    prompt_bars: usize,
    bars: Option<usize>,
    most: usize,
}

/// How far a tune of events has come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Tokens that were looked at.
    seen: usize,
    /// Bars begun.
    bars: usize,
    /// Of the present bar.
    metre: Option<Metre>,
    /// Tokens since the present bar began.
    tokens: usize,
    /// Whether a note has begun in it.
    sounds: bool,
}

impl<'a> Limits<'a> {
    fn new(codec: &'a MusicTokenizer, request: &MusicRequest, prompt: &[u32]) -> Result<Self, Error> {
        let tokens = || 0..codec.vocab() as u32;
        let suits = |token: u32| {
            let pitch = codec.pitch_of(token).is_none_or(|pitch| {
                request.key.is_none_or(|key| key.has(pitch))
                    && request.range.is_none_or(|(low, high)| (low..=high).contains(&pitch))
            });
            let metre = match (codec.token(token), request.metre) {
                (Some(Token::Metre(metre)), Some(wanted)) => metre == wanted,
                _ => true,
            };
            pitch && metre
        };
        let allowed: Vec<bool> = tokens().map(suits).collect();
        let has_pitch = |token: u32| allowed[token as usize] && codec.pitch_of(token).is_some();
        if !tokens().any(has_pitch) {
            let known = codec.pitches().map_or_else(String::new, |(low, high)| {
                format!("it knows {} to {}", pitch_name(low), pitch_name(high))
            });
            let field = if request.range.is_some() { "range" } else { "key" };
            return Err(Error::request("the model knows no pitch in this range")
                .with_hint(known)
                .in_field(field));
        }
        if let Some(wanted) = request.metre {
            let known = codec.metres();
            if !known.contains(&wanted) {
                let names: Vec<String> = known.into_iter().map(metre_text).collect();
                return Err(Error::request(format!("the model knows no tunes in {}", metre_text(wanted)))
                    .with_hint(format!("it knows {}", names.join(", ")))
                    .in_field("metre"));
            }
        }
        let is_wanted = |token: &u32| matches!(codec.token(*token), Some(Token::Metre(metre)) if Some(metre) == request.metre);
        let mut limits = Self {
            codec,
            allowed,
            metre: request.metre,
            metre_token: tokens().find(is_wanted),
            prompt_metre: None,
            prompt_bars: 0,
            bars: request.bars,
            most: request.bars.unwrap_or(DEFAULT_BARS),
        };
        let mut begun = Progress::default();
        limits.follow(&mut begun, prompt);
        let Progress { bars, metre, .. } = begun;
        (limits.prompt_bars, limits.prompt_metre) = (bars, metre);
        Ok(limits)
    }

    /// Takes away what may not come after `tokens`; `state` is how far the tune had come at the call before.
    fn apply(&self, state: &mut Progress, tokens: &[u32], logits: &mut [f32]) {
        let allows: Box<dyn Fn(u32) -> bool> = match self.codec.voices() {
            Some(voices) => self.grid_limit(tokens, voices),
            None => {
                self.follow(state, tokens);
                self.event_limit(*state, tokens)
            }
        };
        for (token, logit) in logits.iter_mut().enumerate() {
            if !allows(token as u32) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    /// Of voices in turn on a grid.
    fn grid_limit(&self, tokens: &[u32], voices: usize) -> Box<dyn Fn(u32) -> bool + '_> {
        let metre = self.metre.or(self.codec.metres().first().copied()).unwrap_or(Metre::COMMON);
        let a_bar = self.codec.tokens_per_bar(metre).unwrap_or(voices);
        let full = self.most.saturating_mul(a_bar);
        let complete = tokens.len() >= full;
        // The last bar is one that can be heard: its last note at the latest.
        let mute = || !tokens[full - a_bar..].iter().any(|&token| self.codec.sounds(token));
        let must_sound = self.bars.is_some() && tokens.len() + 1 == full && mute();
        Box::new(move |token| match token {
            BOUNDARY => self.bars.is_none_or(|_| complete),
            _ if complete => false,
            token => self.allowed[token as usize] && (!must_sound || self.codec.sounds(token)),
        })
    }

    /// Of events: bars, positions, notes.
    fn event_limit(&self, now: Progress, tokens: &[u32]) -> Box<dyn Fn(u32) -> bool + '_> {
        let previous = tokens.last().copied().unwrap_or(BOUNDARY);
        let metre = now.metre.or(self.prompt_metre);
        // The first bar says its metre, if it is not the one that goes on.
        if let Some(wanted) = self.metre_token
            && self.codec.is_bar(previous)
            && metre != self.metre
        {
            return Box::new(move |token| token == wanted);
        }
        // A note without its duration is none; a stroke of a drum has no other end.
        if let [.., pitch, velocity] = tokens
            && self.codec.pitch_of(*pitch).is_some()
            && self.codec.token_kind(*velocity) == Some(TokenKind::Velocity)
        {
            return Box::new(|token| self.codec.token_kind(token) == Some(TokenKind::Duration));
        }
        let ticks = metre.or(self.codec.metres().first().copied()).map_or(u32::MAX, Metre::ticks);
        let complete = now.bars >= self.most;
        // The last bar is one that can be heard.
        let ends = self.bars.is_none() || complete && now.sounds;
        let is_long = now.tokens + LAST_NOTE >= TOKENS_A_BAR;
        // Its note is made while there is room for one.
        let must_sound = is_long && complete && !ends;
        let may_end_bar = tokens.is_empty() || self.may_end_bar(previous);
        Box::new(move |token| match token {
            BOUNDARY => ends && may_end_bar,
            // A tune that has all its bars ends before the next one.
            token if self.codec.is_bar(token) => !complete && self.codec.may_follow(previous, token),
            _ if is_long && may_end_bar && !must_sound => false,
            token => {
                let inside = match self.codec.token(token) {
                    Some(Token::Position(position)) => position < ticks,
                    Some(Token::Tempo(_)) => !must_sound,
                    _ => true,
                };
                inside && self.allowed[token as usize] && self.codec.may_follow(previous, token)
            }
        })
    }

    /// Whether a bar, or the tune, can be at its end behind a token.
    fn may_end_bar(&self, previous: u32) -> bool {
        self.codec.may_follow(previous, BOUNDARY)
    }

    /// Takes `progress` on by the tokens that it has not seen: `tokens` are those of the tune so far.
    fn follow(&self, progress: &mut Progress, tokens: &[u32]) {
        if tokens.len() < progress.seen {
            *progress = Progress::default();
        }
        for &token in &tokens[progress.seen..] {
            progress.tokens += 1;
            if self.codec.is_bar(token) {
                *progress =
                    Progress { bars: progress.bars + 1, metre: progress.metre, ..Progress::default() };
            } else if let Some(Token::Metre(metre)) = self.codec.token(token) {
                progress.metre = Some(metre);
            }
            progress.sounds |= self.codec.sounds(token);
        }
        progress.seen = tokens.len();
    }

    /// A tune as it was asked for: in its metre, which no token of a grid says, and without what sounds beyond its last bar.
    fn kept(&self, tune: Score) -> Score {
        match (self.codec.voices(), self.metre, self.bars) {
            (Some(_), Some(metre), _) => tune.in_metre(metre),
            (None, _, Some(bars)) => tune.first_bars(self.prompt_bars + bars),
            _ => tune,
        }
    }
}

/// "3/4".
fn metre_text(metre: Metre) -> String {
    format!("{}/{}", metre.numerator(), metre.denominator())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::{
        MusicUnit,
        music::{MetreChange, Note, TempoChange},
    };
    use mintage_nn::Rng;

    use super::*;

    fn metre(numerator: u8, denominator: u8) -> Metre {
        Metre::new(numerator, denominator).unwrap()
    }

    /// A tune of two voices over two octaves in four bars of a metre.
    fn tune(metre: Metre, seed: u64) -> Score {
        let mut rng = Rng::new(seed, 7);
        let notes = (0..4 * metre.ticks()).step_by(6).flat_map(|start| [(start, 0), (start, 1)]);
        let note = |(start, voice): (u32, u8)| Note {
            start,
            duration: 6,
            pitch: 48 + 12 * (1 - voice) + (rng.next_u64() % 12) as u8,
            velocity: 20 + voice,
            programme: 0,
            voice,
        };
        let tempo = TempoChange { tick: 0, tempo: (10 + seed % 3) as u8 };
        Score::new(notes.map(note).collect(), vec![MetreChange { tick: 0, metre }], vec![tempo])
    }

    /// What a model writes that knows nothing, and prefers `liked` where it may have it.
    fn scribbled(codec: &MusicTokenizer, request: &MusicRequest, liked: &dyn Fn(u32) -> bool) -> Score {
        let mut prompt = vec![BOUNDARY];
        prompt.extend(request.prompt.iter().flat_map(|score| codec.encode(score)));
        let limits = Limits::new(codec, request, &prompt).unwrap();
        let (mut rng, mut tokens, mut state) = (Rng::new(request.seed, 0), Vec::new(), Progress::default());
        while tokens.len() < limits.most * TOKENS_A_BAR {
            let mut logits: Vec<f32> = (0..codec.vocab() as u32)
                .map(|token| rng.uniform() + if liked(token) { 9.0 } else { 0.0 })
                .collect();
            limits.apply(&mut state, &tokens, &mut logits);
            match SamplingParams::default().pick(&mut logits, &tokens, &mut rng) {
                None | Some(BOUNDARY) => break,
                Some(token) => tokens.push(token),
            }
        }
        limits.kept(codec.decode(&[&prompt[1..], &tokens].concat()))
    }

    #[test]
    fn what_is_asked_for_is_kept_to_whatever_a_model_prefers() {
        let metres = [metre(4, 4), metre(3, 4), metre(6, 8)];
        let tunes: Vec<Score> = (0..6).map(|i| tune(metres[i % 3], i as u64)).collect();
        for unit in [MusicUnit::Remi, MusicUnit::Grid, MusicUnit::GridQuarter] {
            let codec = MusicTokenizer::fit(Some(unit), &tunes);
            for (seed, wanted) in (0..8).flat_map(|seed| metres.map(|metre| (seed, metre))) {
                let key = Key { root: 2, mode: Mode::Major };
                let prompt = (seed % 2 == 1).then(|| tunes[seed as usize % 3].clone());
                let request = MusicRequest {
                    prompt: prompt.clone(),
                    bars: Some(4),
                    key: Some(key),
                    metre: Some(wanted),
                    range: Some((50, 66)),
                    seed,
                    ..MusicRequest::default()
                };
                let positions = |token| matches!(codec.token(token), Some(Token::Position(_)));
                let bars = |token| codec.is_bar(token);
                let notes = |token| codec.sounds(token);
                let nothing = |_| false;
                let likings: [&dyn Fn(u32) -> bool; 4] = [&positions, &bars, &notes, &nothing];
                for liked in likings {
                    let made = scribbled(&codec, &request, liked);
                    let before = prompt.as_ref().map_or(0, |tune| tune.bars().count());
                    let new: Vec<_> = made.bars().skip(before).collect();
                    assert!(
                        new.iter().all(|bar| bar.metre == wanted),
                        "{unit:?} {seed} {wanted}: {:?}",
                        made.metres()
                    );
                    if codec.voices().is_none() || prompt.is_none() {
                        assert_eq!(new.len(), 4, "{unit:?} {seed} {wanted}");
                    }
                    let start = new.first().map_or(0, |bar| bar.start);
                    for note in made.notes().iter().filter(|note| note.start >= start) {
                        assert!(key.has(note.pitch) && (50..=66).contains(&note.pitch) || prompt.is_some());
                    }
                }
            }
        }
    }

    #[test]
    fn metres_that_are_not_known_are_refused_with_those_that_are() {
        for unit in [MusicUnit::Remi, MusicUnit::Grid] {
            for known in [&[metre(3, 4)][..], &[metre(3, 4), metre(6, 8)]] {
                let tunes: Vec<Score> = known.iter().map(|&metre| tune(metre, 1)).collect();
                let codec = MusicTokenizer::fit(Some(unit), &tunes);
                let asked = |metre| MusicRequest { metre: Some(metre), ..MusicRequest::default() };
                let error = Limits::new(&codec, &asked(Metre::COMMON), &[]).err().unwrap();
                assert!(error.to_string().contains("no tunes in 4/4"), "{error}");
                assert!(error.hint().unwrap().contains("3/4"), "{error:?}");
                assert!(Limits::new(&codec, &asked(metre(3, 4)), &[]).is_ok());
            }
        }
    }

    #[test]
    fn keys_in_several_notations() {
        let key = |root, mode| Key { root, mode };
        assert_eq!(Key::parse("C major").unwrap(), key(0, Mode::Major));
        assert_eq!(Key::parse("f# minor").unwrap(), key(6, Mode::Minor));
        assert_eq!(Key::parse("Bb").unwrap(), key(10, Mode::Major));
        assert_eq!(Key::parse("am").unwrap(), key(9, Mode::Minor));
        assert_eq!(Key::parse("h-moll").unwrap(), key(11, Mode::Minor));
        assert!(Key::parse("").is_err() && Key::parse("x").is_err() && Key::parse("c dorian").is_err());
        assert!(key(9, Mode::Minor).has(60) && key(9, Mode::Minor).has(56) && !key(0, Mode::Major).has(61));
    }
}
