//! Symbolic music: MIDI files and BLOBs become quantised scores, scores become tokens, and new tokens become
//! MIDI, sound and pictures of notes.
//!
//! ```text
//! MusicSource ──► Score ──► MusicTokenizer.encode ──► tokens
//!   (MIDI)         ▲  │                             │
//!                  │  └─► figures, piano roll, WAV  │
//!                  └───── MusicTokenizer.decode ◄───────┘
//! ```
//!
//! MIDI is the only notation that is read: no crate at hand reads MusicXML or ABC.

mod events;
mod figures;
mod grid;
mod midi;
mod names;
mod remi;
mod roll;
mod score;
mod source;
mod synth;
mod token;
mod tokenizer;

pub use figures::{Figures, Mode, pitch_in_scale_rate};
pub use grid::{Grid, MAX_GRID_VOICES};
pub use names::{drum_name, part_name, pitch_name, programme_name};
pub use remi::Remi;
pub use roll::piano_roll_svg;
pub use score::{
    Bar, COMMON_BAR, Clock, DRUMS, MAX_DURATION, MAX_TICKS, Metre, MetreChange, Note, Part, RESOLUTION,
    SIXTEENTH, Score, TEMPO_BINS, TempoChange, VELOCITY_BINS, bpm, quantised_duration, tempo_bin,
    velocity_bin, velocity_of,
};
pub(crate) use source::MIDI;
pub use source::MusicSource;
pub use synth::{MAX_SECONDS, TAIL_SECONDS, render};
pub use token::{Token, TokenKind};
pub use tokenizer::{BOUNDARY, MusicTokenizer, MusicUnit};
