//! What can be asked of a model of music: new tunes, in a key and a metre, within a range of pitches, of so many bars.

use mintage_data::{
    MusicCodec,
    music::{Metre, Mode, Score, Token, pitch_name},
    sequence::BOUNDARY,
};
use mintage_nn::Rng;

use super::sequences::{PART, Resemble};
use crate::{
    error::Error,
    model::Model,
    models::{Choice, SequenceDraw},
};

/// Bars of a tune that nothing else ends.
const DEFAULT_BARS: usize = 64;
/// Tokens of a bar at most, all parts together.
const TOKENS_A_BAR: usize = 512;

/// What to draw from a model of music.
#[derive(Clone, Debug)]
pub struct TuneRequest {
    pub n: usize,
    /// A class by name.
    pub label: Option<String>,
    /// What every tune begins with.
    pub prompt: Option<Score>,
    pub resemble: Resemble<Score>,
    /// Exactly so many bars behind the prompt; without it a tune ends where the model ends it.
    pub bars: Option<usize>,
    pub key: Option<Key>,
    pub metre: Option<Metre>,
    /// Lowest and highest pitch, as MIDI numbers.
    pub range: Option<(u8, u8)>,
    pub choice: Choice,
    pub seed: u64,
}

impl Default for TuneRequest {
    fn default() -> Self {
        Self {
            n: 1,
            label: None,
            prompt: None,
            resemble: Resemble::Nothing,
            bars: None,
            key: None,
            metre: None,
            range: None,
            choice: Choice::default(),
            seed: 1,
        }
    }
}

/// The notes of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// 0 is C.
    pub root: u8,
    pub mode: Mode,
}

impl Key {
    /// "C major", "f# minor", "Bb", "am".
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::request(format!("`{text}` is no key"))
                .with_hint("write it like \"C major\", \"f# minor\", Bb or am")
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
    pub fn sample_tunes(
        &self,
        request: &TuneRequest,
        on: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Score>, Error> {
        let (parts, codec) = self.music()?;
        let class = parts.class(request.label.as_deref())?;
        let limits = Limits::new(codec, request)?;
        let mut prompt = vec![BOUNDARY];
        if let Some(score) = &request.prompt {
            prompt.extend(codec.encode(score));
        }
        let resemble = request.resemble.encoded(|score| codec.encode(score));
        resemble.check(self, request.n)?;
        let most = request.bars.unwrap_or(DEFAULT_BARS);
        let mut tunes = Vec::with_capacity(request.n);
        for (part, first) in (0..request.n).step_by(PART).enumerate() {
            let draw = SequenceDraw {
                n: PART.min(request.n - first),
                prompt: &prompt,
                class,
                start: resemble.start(first, request.n),
                choice: request.choice,
                ..SequenceDraw::new(0, most.saturating_mul(TOKENS_A_BAR))
            };
            let mut limit = |_: usize, tokens: &[u32], logits: &mut [f32]| limits.apply(tokens, logits);
            let mut bars = 0;
            let mut hear = |row: usize, token: u32| {
                if codec.is_bar(token) && row == 0 {
                    bars += 1;
                    on(first * most + bars * draw.n, request.n * most);
                }
                true
            };
            let mut rng = Rng::new(request.seed, part as u64 + 1);
            for tokens in parts.model.sample(&draw, &mut limit, &mut hear, &mut rng) {
                tunes.push(codec.decode(&[&prompt[1..], &tokens].concat()));
            }
        }
        on(1, 1);
        Ok(tunes)
    }
}

/// What may come next.
struct Limits<'a> {
    codec: &'a MusicCodec,
    /// For each token whether pitch and metre allow it.
    allowed: Vec<bool>,
    bars: Option<usize>,
    most: usize,
}

impl<'a> Limits<'a> {
    fn new(codec: &'a MusicCodec, request: &TuneRequest) -> Result<Self, Error> {
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
        let allowed: Vec<bool> = (0..codec.vocab() as u32).map(suits).collect();
        let has_pitch = |token: u32| allowed[token as usize] && codec.pitch_of(token).is_some();
        if !(0..codec.vocab() as u32).any(has_pitch) {
            let known = codec.pitches().map_or_else(String::new, |(low, high)| {
                format!("it knows {} to {}", pitch_name(low), pitch_name(high))
            });
            return Err(Error::request("the model knows no pitch in this range").with_hint(known));
        }
        if let Some(wanted) = request.metre {
            let known =
                |token: u32| matches!(codec.token(token), Some(Token::Metre(metre)) if metre == wanted);
            // Where all tunes are in common time there are no tokens of metre.
            if wanted != Metre::COMMON && !(0..codec.vocab() as u32).any(known) {
                return Err(Error::request(format!("the model knows no tunes in {}", metre_text(wanted))));
            }
        }
        Ok(Self { codec, allowed, bars: request.bars, most: request.bars.unwrap_or(DEFAULT_BARS) })
    }

    /// Takes away what may not come behind `tokens`.
    fn apply(&self, tokens: &[u32], logits: &mut [f32]) {
        let previous = tokens.last().copied().unwrap_or(BOUNDARY);
        let (complete, full) = self.bars_done(tokens);
        for (token, logit) in logits.iter_mut().enumerate() {
            let id = token as u32;
            let suits = match id {
                BOUNDARY => self.bars.is_none_or(|_| complete),
                _ if full => false,
                id => self.allowed[token] && self.codec.may_follow(previous, id),
            };
            if !suits {
                *logit = f32::NEG_INFINITY;
            }
        }
        // A tune that has all its bars ends before the next one.
        if complete {
            let next = |id: &usize| self.codec.is_bar(*id as u32);
            (0..logits.len()).filter(next).for_each(|id| logits[id] = f32::NEG_INFINITY);
        }
    }

    /// Whether all bars are begun, and whether the last one is full.
    fn bars_done(&self, tokens: &[u32]) -> (bool, bool) {
        match self.codec.voices() {
            Some(voices) => {
                let full = tokens.len() >= self.most * self.codec.positions_per_bar() * voices;
                (full, full)
            }
            None => (tokens.iter().filter(|&&token| self.codec.is_bar(token)).count() >= self.most, false),
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
    use super::*;

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
