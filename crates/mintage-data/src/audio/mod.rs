//! Sounds.

mod wav;

pub use wav::{WavDepth, provenance_of_wav, wav_bytes, write_wav};
