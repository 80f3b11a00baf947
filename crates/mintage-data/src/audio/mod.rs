//! Sounds: files and BLOBs become samples of one rate and loudness, and new samples become WAV files and pictures.
//!
//! ```text
//! Places ─► Reader ─► Resampler ─► Meter ─► AudioSet ─► items of one length ─► AudioBatch
//! (files,   (WAV, FLAC, (rate,      (level,   (16 bits,
//!  BLOBs)    Ogg, MP3)   channels)   offset)   split)
//! ```
//!
//! Models hear nothing of rates and loudness: they see numbers in [-1, 1], and a [`AudioFormat`] says what they are.

mod decode;
mod features;
mod format;
mod level;
mod resample;
mod set;
mod source;
mod wav;

pub(crate) use decode::{Input, Reader};
pub use decode::{SOURCE_CHANNELS, SOURCE_RATES_HZ, SourceFormat};
pub use features::{LogMel, MelParams};
pub use format::{AudioFormat, DEFAULT_RATE_HZ, LOUDNESS_DBFS, SEGMENT_SECONDS, SEGMENT_STEP, WHOLE_SECONDS};
pub use set::AudioSet;
pub(crate) use source::SOUNDS;
pub use wav::{WavDepth, provenance_of_wav, wav_bytes, write_wav};

/// `n` items of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AudioBatch {
    /// `[n, channels, segment]`, in [-1, 1]; silent behind the end of a short sound.
    pub samples: Vec<f32>,
    /// Samples of each item, of each channel, that are there.
    pub lengths: Vec<u32>,
    /// The class of each item; nothing without classes.
    pub labels: Vec<u32>,
    pub n: usize,
}
