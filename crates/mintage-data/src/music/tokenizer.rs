//! From scores to tokens and back: one enum over the two ways of writing music as a sequence.

use std::{fs, ops::RangeInclusive, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    grid::Grid,
    remi::Remi,
    score::{Metre, RESOLUTION, SIXTEENTH, Score},
    token::{Token, TokenKind},
};
use crate::{Error, atomic_write, error::damaged};

pub use crate::sequence::BOUNDARY;
const FILE: &str = "music.json";

/// How music is written as tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MusicUnit {
    /// Events: bars, positions, notes.
    Remi,
    /// A token a voice and sixteenth, or a quarter where all lies on quarters.
    Grid,
    /// A token a voice and quarter.
    GridQuarter,
}

/// A codec between scores and tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MusicTokenizer {
    Remi(Remi),
    Grid(Grid),
}

impl MusicTokenizer {
    /// The codec for `scores`, those of train. Without a kind, the grid where every score has the same two to
    /// eight voices, each one note at a time on sixteenths, without drums; events otherwise.
    pub fn fit(kind: Option<MusicUnit>, scores: &[Score]) -> Self {
        match kind {
            None if Grid::suits(scores) => Self::Grid(Grid::fit(scores)),
            None | Some(MusicUnit::Remi) => Self::Remi(Remi::fit(scores)),
            Some(MusicUnit::Grid) => Self::Grid(Grid::fit(scores)),
            Some(MusicUnit::GridQuarter) => Self::Grid(Grid::fit_step(scores, RESOLUTION)),
        }
    }

    /// Number of tokens, [`BOUNDARY`] included.
    pub fn vocab(&self) -> usize {
        match self {
            Self::Remi(remi) => remi.tokens().len(),
            Self::Grid(grid) => grid.tokens().len(),
        }
    }

    pub fn unit(&self) -> MusicUnit {
        match self {
            Self::Remi(_) => MusicUnit::Remi,
            Self::Grid(grid) if grid.step() > SIXTEENTH => MusicUnit::GridQuarter,
            Self::Grid(_) => MusicUnit::Grid,
        }
    }

    /// The tokens of a score, without a boundary.
    pub fn encode(&self, score: &Score) -> Vec<u32> {
        match self {
            Self::Remi(remi) => remi.encode(score),
            Self::Grid(grid) => grid.encode(score),
        }
    }

    /// The score of tokens up to the next boundary. Any sequence has one: tokens that make no sense where they
    /// stand are passed over. On a grid nothing says the metre: it is the usual one.
    pub fn decode(&self, ids: &[u32]) -> Score {
        match self {
            Self::Remi(remi) => remi.decode(ids),
            Self::Grid(grid) => grid.decode(ids),
        }
    }

    /// The tokens moved by `semitones`, drums as they are; nothing when a pitch would leave the range known.
    pub fn transpose(&self, ids: &[u32], semitones: i32) -> Option<Vec<u32>> {
        let (low, high) = self.pitches().unwrap_or((1, 0));
        let moved = |id: &u32| match self.pitch_of(*id) {
            None => Some(*id),
            Some(pitch) => {
                let inside = (i32::from(low)..=i32::from(high)).contains(&(i32::from(pitch) + semitones));
                // Ids of pitches lie side by side.
                inside.then(|| id.wrapping_add_signed(semitones))
            }
        };
        ids.iter().map(moved).collect()
    }

    /// By how many semitones the tokens can be moved, 0 among them; for augmentation.
    pub fn transpositions(&self, ids: &[u32]) -> RangeInclusive<i32> {
        let used = ids.iter().filter_map(|id| self.pitch_of(*id));
        let (Some((low, high)), Some(lowest), Some(highest)) =
            (self.pitches(), used.clone().min(), used.max())
        else {
            return 0..=0;
        };
        i32::from(low) - i32::from(lowest)..=i32::from(high) - i32::from(highest)
    }

    /// Lowest and highest pitch of the vocabulary; nothing where there are only drums.
    pub fn pitches(&self) -> Option<(u8, u8)> {
        match self {
            Self::Remi(remi) => remi.pitches(),
            Self::Grid(grid) => Some(grid.pitches()),
        }
    }

    /// What a token stands for.
    pub fn token(&self, id: u32) -> Option<Token> {
        match self {
            Self::Remi(remi) => remi.tokens().get(id as usize).copied(),
            Self::Grid(grid) => match id {
                BOUNDARY => Some(Token::Boundary),
                1 => Some(Token::Rest),
                _ => grid.pitch_of(id).map(Token::Pitch),
            },
        }
    }

    pub fn token_kind(&self, id: u32) -> Option<TokenKind> {
        self.token(id).map(Token::kind)
    }

    /// "bar", "position 2.5", "pitch C4", for people.
    pub fn describe(&self, id: u32) -> String {
        self.token(id).map_or_else(|| format!("token {id}"), Token::describe)
    }

    pub fn is_bar(&self, id: u32) -> bool {
        self.token(id) == Some(Token::Bar)
    }

    /// Whether a token is a note or a drum.
    pub fn sounds(&self, id: u32) -> bool {
        matches!(self.token(id), Some(Token::Pitch(_) | Token::Drum(_)))
    }

    /// The pitch of a token, unless it is a drum or no note.
    pub fn pitch_of(&self, id: u32) -> Option<u8> {
        match self.token(id) {
            Some(Token::Pitch(pitch)) => Some(pitch),
            _ => None,
        }
    }

    /// The tokens of a pitch: none where it is out of range.
    pub fn id_of_pitch(&self, pitch: u8) -> Option<u32> {
        (0..self.vocab() as u32).find(|id| self.pitch_of(*id) == Some(pitch))
    }

    /// Places in a usual bar where something can begin: ticks of the bar, or steps of the grid.
    pub fn positions_per_bar(&self) -> usize {
        match self {
            Self::Remi(remi) => remi.usual_metre().ticks() as usize,
            Self::Grid(grid) => (grid.metre().ticks() / grid.step()).max(1) as usize,
        }
    }

    /// The metres that tunes can be written in, those of train, the usual one first.
    pub fn metres(&self) -> Vec<Metre> {
        match self {
            Self::Remi(remi) => remi.metres(),
            Self::Grid(grid) => grid.metres(),
        }
    }

    /// Tokens of a bar of this metre on the grid, all voices together; nothing for events.
    pub fn tokens_per_bar(&self, metre: Metre) -> Option<usize> {
        match self {
            Self::Remi(_) => None,
            Self::Grid(grid) => Some((metre.ticks() / grid.step()).max(1) as usize * grid.voices()),
        }
    }

    /// Tokens a step of the grid, which is the number of voices; nothing for events.
    pub fn voices(&self) -> Option<usize> {
        match self {
            Self::Remi(_) => None,
            Self::Grid(grid) => Some(grid.voices()),
        }
    }

    /// Whether `next` can follow `previous`. For constrained sampling: a sequence of such tokens decodes
    /// without one being passed over, but for positions beyond a short bar's end.
    pub fn may_follow(&self, previous: u32, next: u32) -> bool {
        let (Some(before), Some(next)) = (self.token_kind(previous), self.token_kind(next)) else {
            return false;
        };
        match self {
            Self::Remi(remi) => remi.may_follow(before, next),
            Self::Grid(_) => true,
        }
    }

    /// Writes `music.json` into a folder.
    ///
    /// # Errors
    /// The folder cannot be made, or the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let path = dir.join(FILE);
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| Error::bad(path.display().to_string(), error.to_string()))?;
        atomic_write(&path, json.as_bytes()).map_err(Error::io(&path))
    }

    /// Reads `music.json` from a folder.
    ///
    /// # Errors
    /// The file cannot be read, or holds no valid tokenizer.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let json = fs::read_to_string(&path).map_err(Error::io(&path))?;
        let codec: Self = serde_json::from_str(&json).map_err(|error| damaged(&path, error))?;
        match &codec {
            Self::Remi(remi) => remi.check(),
            Self::Grid(grid) => grid.check(),
        }
        .map_err(|why| damaged(&path, why))?;
        Ok(codec)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        super::score::{DRUMS, MetreChange, Note, TempoChange, tests::any_score},
        *,
    };
    use proptest::prelude::*;

    /// A chorale of four voices on a grid, as rows of pitches with rests.
    fn chorale(rows: &[Vec<Option<u8>>], step: u32) -> Score {
        let note = |(i, pitch): (usize, &Option<u8>)| {
            let (start, voice) = ((i / 4) as u32 * step, (i % 4) as u8);
            pitch.map(|pitch| Note { start, duration: step, pitch, velocity: 20, programme: 52, voice })
        };
        let notes = rows.iter().flatten().enumerate().filter_map(note).collect();
        Score::new(notes, vec![], vec![TempoChange { tick: 0, tempo: 15 }])
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<Option<u8>>>> {
        let voice = |low: u8| prop::option::weighted(0.9, low..low + 12);
        let row = (voice(70), voice(58), voice(47), voice(36)).prop_map(|(s, a, t, b)| vec![s, a, t, b]);
        prop::collection::vec((row, 1usize..80), 2..20)
            .prop_map(|runs| runs.into_iter().flat_map(|(row, count)| vec![row; count]).collect())
    }

    proptest! {
        #[test]
        fn events_lose_nothing(score in any_score()) {
            let codec = MusicTokenizer::fit(Some(MusicUnit::Remi), std::slice::from_ref(&score));
            let ids = codec.encode(&score);
            prop_assert!(ids.iter().all(|id| *id != BOUNDARY && (*id as usize) < codec.vocab()));
            prop_assert_eq!(&codec.decode(&ids), &score);
            for pair in ids.windows(2) {
                prop_assert!(
                    codec.may_follow(pair[0], pair[1]),
                    "{} → {}", codec.describe(pair[0]), codec.describe(pair[1])
                );
            }
        }

        #[test]
        fn events_of_a_larger_vocabulary_lose_nothing(a in any_score(), b in any_score()) {
            let codec = MusicTokenizer::fit(Some(MusicUnit::Remi), &[a.clone(), b.clone()]);
            prop_assert_eq!(codec.decode(&codec.encode(&a)), a);
            prop_assert_eq!(codec.decode(&codec.encode(&b)), b);
        }

        #[test]
        fn any_tokens_are_a_score(a in any_score(), ids in prop::collection::vec(0u32..300, 0..400)) {
            for kind in [MusicUnit::Remi, MusicUnit::Grid, MusicUnit::GridQuarter] {
                let codec = MusicTokenizer::fit(Some(kind), std::slice::from_ref(&a));
                let score = codec.decode(&ids);
                prop_assert_eq!(Score::from_midi(&score.to_midi("")).is_ok(), !score.is_empty());
                let known: Vec<u32> = ids.iter().map(|id| 1 + id % (codec.vocab() as u32 - 1)).collect();
                let score = codec.decode(&known);
                let again = Score::new(score.notes().to_vec(), score.metres().to_vec(), score.tempos().to_vec());
                prop_assert_eq!(score, again);
            }
        }

        #[test]
        fn what_train_lacks_becomes_the_nearest(a in any_score(), b in any_score()) {
            for kind in [MusicUnit::Remi, MusicUnit::Grid, MusicUnit::GridQuarter] {
                let codec = MusicTokenizer::fit(Some(kind), std::slice::from_ref(&a));
                let ids = codec.encode(&b);
                prop_assert!(ids.iter().all(|id| *id != BOUNDARY && (*id as usize) < codec.vocab()));
            }
        }

        #[test]
        fn voices_on_a_grid_lose_nothing(rows in rows()) {
            // The last row sounds, so that the end is known.
            let mut rows = rows;
            rows.push(vec![Some(72), Some(60), Some(48), Some(36)]);
            rows.push(vec![Some(71), Some(59), Some(50), Some(37)]);
            let score = chorale(&rows, 3);
            let codec = MusicTokenizer::fit(Some(MusicUnit::Grid), std::slice::from_ref(&score));
            let ids = codec.encode(&score);
            let pitches: Vec<Option<u8>> = ids.iter().map(|id| codec.pitch_of(*id)).collect();
            prop_assert_eq!(pitches, rows.concat());
            let again = codec.decode(&ids);
            prop_assert_eq!(codec.encode(&again), ids);
            prop_assert_eq!(again.tempos(), score.tempos());
        }

        #[test]
        fn transposed_tokens_are_a_transposed_score(score in any_score(), semitones in -12i32..=12) {
            let codec = MusicTokenizer::fit(Some(MusicUnit::Remi), std::slice::from_ref(&score));
            let ids = codec.encode(&score);
            let moved = codec.transpose(&ids, semitones);
            prop_assert_eq!(moved.is_some(), codec.pitches().is_none() || codec.transpositions(&ids).contains(&semitones));
            if let Some(moved) = moved {
                prop_assert_eq!(Some(codec.decode(&moved)), score.transposed(semitones));
            }
        }
    }

    fn scale() -> Score {
        let note = |i: u8| Note {
            start: u32::from(i) * 12,
            duration: 12,
            pitch: 60 + i,
            velocity: 20,
            programme: if i == 3 { DRUMS } else { 0 },
            voice: 0,
        };
        let metre = MetreChange { tick: 0, metre: Metre::new(3, 4).unwrap() };
        Score::new((0..7).map(note).collect(), vec![metre], vec![])
    }

    #[test]
    fn constant_things_take_no_tokens() {
        let codec = MusicTokenizer::fit(None, &[scale()]);
        let words: Vec<String> = codec.encode(&scale()).iter().map(|id| codec.describe(*id)).collect();
        assert_eq!(words[..4], ["bar", "position 0", "pitch C4", "duration 1"]);
        let expected = ["bar", "position 0", "drum 63", "position 1", "pitch E4", "duration 1"];
        assert_eq!(words[10..16], expected);
        assert_eq!(codec.positions_per_bar(), 36);
        assert_eq!(codec.transpose(&codec.encode(&scale()), 1), None);
    }

    #[test]
    fn chorales_are_written_on_the_grid() {
        let rows = |shift: u8| -> Vec<Vec<Option<u8>>> {
            (0..16).map(|i| [72, 64, 55, 48].map(|p| Some(p + i % 3 + shift)).to_vec()).collect()
        };
        let scores = [chorale(&rows(0), 3), chorale(&rows(1), 3)];
        let codec = MusicTokenizer::fit(None, &scores);
        assert_eq!((codec.unit(), codec.voices()), (MusicUnit::Grid, Some(4)));
        let quarters = [chorale(&rows(0), 12), chorale(&rows(1), 12)];
        assert_eq!(MusicTokenizer::fit(None, &quarters).unit(), MusicUnit::GridQuarter);
        assert_eq!(MusicTokenizer::fit(None, &[scores[0].clone(), scale()]).unit(), MusicUnit::Remi);
        assert_eq!(MusicTokenizer::fit(None, &[]).unit(), MusicUnit::Remi);
    }

    #[test]
    fn an_unheard_part_goes_by_rank() {
        let rows = vec![vec![Some(72), Some(64), Some(55), Some(48)]; 4];
        let codec = MusicTokenizer::fit(Some(MusicUnit::Grid), &[chorale(&rows, 3)]);
        let chord = |pitch| Note { start: 0, duration: 12, pitch, velocity: 9, programme: 0, voice: 0 };
        let score = Score::new([50, 72, 60, 65].map(chord).to_vec(), vec![], vec![]);
        let ids = codec.encode(&score);
        let pitches: Vec<u8> = ids.iter().filter_map(|id| codec.pitch_of(*id)).take(4).collect();
        assert_eq!(pitches, [72, 65, 60, 50]);
    }

    #[test]
    fn saved_and_loaded_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        for kind in [MusicUnit::Remi, MusicUnit::Grid] {
            let codec = MusicTokenizer::fit(Some(kind), &[scale()]);
            codec.save(dir.path()).unwrap();
            assert_eq!(MusicTokenizer::load(dir.path()).unwrap(), codec);
        }
        let path = dir.path().join(FILE);
        let bad = fs::read_to_string(&path).unwrap().replace("\"step\": 3", "\"step\": 0");
        fs::write(&path, bad).unwrap();
        assert!(MusicTokenizer::load(dir.path()).is_err());
    }
}
