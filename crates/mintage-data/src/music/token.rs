//! What a token of music stands for, whatever it is written in.

use serde::{Deserialize, Serialize};

use super::{
    names::{drum_name, part_name, pitch_name},
    score::{Metre, Part, RESOLUTION, bpm, velocity_of},
};

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    Boundary,
    Bar,
    Metre(Metre),
    /// Bin of the tempo.
    Tempo(u8),
    /// Ticks from the bar line.
    Position(u32),
    Part(Part),
    Pitch(u8),
    Drum(u8),
    /// Bin of the velocity.
    Velocity(u8),
    /// Ticks.
    Duration(u32),
    Rest,
}

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    Boundary,
    Bar,
    Metre,
    Tempo,
    Position,
    Part,
    Pitch,
    Drum,
    Velocity,
    Duration,
    Rest,
}

impl Token {
    pub fn kind(self) -> TokenKind {
        match self {
            Self::Boundary => TokenKind::Boundary,
            Self::Bar => TokenKind::Bar,
            Self::Metre(_) => TokenKind::Metre,
            Self::Tempo(_) => TokenKind::Tempo,
            Self::Position(_) => TokenKind::Position,
            Self::Part(_) => TokenKind::Part,
            Self::Pitch(_) => TokenKind::Pitch,
            Self::Drum(_) => TokenKind::Drum,
            Self::Velocity(_) => TokenKind::Velocity,
            Self::Duration(_) => TokenKind::Duration,
            Self::Rest => TokenKind::Rest,
        }
    }

    /// In words; positions and durations in quarters.
    pub fn describe(self) -> String {
        let quarters = |ticks: u32| f64::from(ticks * 100 / RESOLUTION) / 100.0;
        match self {
            Self::Boundary => "boundary".to_owned(),
            Self::Bar => "bar".to_owned(),
            Self::Metre(metre) => format!("metre {metre}"),
            Self::Tempo(tempo) => format!("tempo {:.0}", bpm(tempo)),
            Self::Position(ticks) => format!("position {}", quarters(ticks)),
            Self::Part(part) => part_name(part),
            Self::Pitch(pitch) => format!("pitch {}", pitch_name(pitch)),
            Self::Drum(drum) => drum_name(drum),
            Self::Velocity(velocity) => format!("velocity {}", velocity_of(velocity)),
            Self::Duration(ticks) => format!("duration {}", quarters(ticks)),
            Self::Rest => "rest".to_owned(),
        }
    }
}

/// `pitch` moved by octaves into a range, or the nearest in it where the range is less than an octave.
pub(super) fn nearest_pitch(pitch: u8, (low, high): (u8, u8)) -> u8 {
    let mut moved = i32::from(pitch);
    while moved < i32::from(low) {
        moved += 12;
    }
    while moved > i32::from(high) {
        moved -= 12;
    }
    if moved >= i32::from(low) { moved as u8 } else { pitch.clamp(low, high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pitch_moves_by_octaves() {
        assert_eq!(nearest_pitch(90, (48, 72)), 66);
        assert_eq!(nearest_pitch(20, (48, 72)), 56);
        assert_eq!(nearest_pitch(66, (60, 62)), 62);
    }
}
