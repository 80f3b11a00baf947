//! Texts: documents from files, folders and columns of tables, and the codecs that make tokens of them.
//!
//! ```text
//! TextSource ──► text(i) ──► TextTokenizer.encode ──► tokens, before each document a BOUNDARY
//!                            TextTokenizer.decode ◄── tokens
//! ```
//!
//! A text is kept exactly as it is written: line ends, spaces and letters are not normalised, and every codec
//! gives back any text as it was.

mod column;
mod file;
mod folder;
pub(crate) mod map;
pub mod source;
pub mod tokenizer;

pub(crate) use column::is_of_texts;
pub(crate) use file::has_text_suffix;
pub use source::TextSource;
pub use tokenizer::{BOUNDARY, TextDecoder, TextTokenizer, TextUnit, Visit};
