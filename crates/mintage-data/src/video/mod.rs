//! Clips: short pieces of moving pictures, all of one size, one length and one rate.
//!
//! ```text
//! GIF, APNG, folders of frames ─► container (limits) ─► decode ─┐
//!                                                               ├─► ByteStore ─► windows ─► VideoBatch
//! MP4, WebM, AVI ─► ffmpeg, a program of its own, by a pipe ────┘
//! ```
//!
//! A clip is brought to the codec's rate and size frame by frame, so that none ever lies whole at the size it has in
//! its source. Sound is left behind.

mod container;
mod decode;
mod ffmpeg;
mod format;
mod set;
mod source;

pub(crate) use container::is_film;
pub use container::provenance_of_clip;
pub use ffmpeg::Ffmpeg;
pub use format::VideoFormat;
pub use set::VideoSet;
pub(crate) use source::{CLIPS, VideoSource, is_clip_file, is_film_file, most_move};

/// A batch of clips.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoBatch {
    pub pixels: Vec<u8>, // [n, channels, frames, height, width]
    /// One class index a clip; empty without labels.
    pub labels: Vec<u32>,
    pub n: usize,
}
