//! Texts: documents from files, folders and columns of tables, and the codecs that make tokens of them.
//!
//! ```text
//! TextSource ──► text(i) ──► TextCodec.encode ──► tokens, before each document a BOUNDARY
//!                            TextCodec.decode ◄── tokens
//! ```
//!
//! A text is kept exactly as it is written: line ends, spaces and letters are not normalised, and every codec
//! gives back any text as it was.

pub mod codec;
mod column;
mod file;
mod folder;
pub(crate) mod map;
pub mod source;

pub use codec::{BOUNDARY, TextCodec, TextDecoder, TextUnit, Visit};
pub(crate) use file::has_text_suffix;
pub use source::{TextSource, is_text};
