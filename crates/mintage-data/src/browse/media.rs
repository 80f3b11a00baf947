//! A value as a whole: the bytes of a file, or a text of any length.

use super::cell::{ItemId, MediaKind, has_thumbnail, sniff};
use crate::{Error, files::in_words};

/// Bytes of one value, at most.
pub const MAX_MEDIA_BYTES: u64 = 64 << 20;
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// A file, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub kind: MediaKind,
    /// Of texts always plain text, whatever is written in them.
    pub mime: &'static str,
    pub bytes: Vec<u8>,
    /// The name of the file, where it lies in a folder.
    pub name: Option<String>,
}

impl Media {
    /// A file by its first bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        let (kind, mime) = sniff(&bytes);
        Self { kind, mime, bytes, name: None }
    }

    /// A text in UTF-8.
    pub fn of_text(bytes: Vec<u8>) -> Self {
        Self { kind: MediaKind::Text, mime: PLAIN_TEXT, bytes, name: None }
    }

    /// Whether [`thumbnail`](super::thumbnail) can make a picture of it: films and texts have none.
    pub fn has_thumbnail(&self) -> bool {
        has_thumbnail(self.kind, self.mime)
    }
}

/// The error of an item that is not there.
pub(super) fn absent(place: &str, item: ItemId) -> Error {
    Error::bad(place, format!("has no row {item}"))
        .with_hint("the rows have changed since they were shown: load the page again")
}

/// The error of an item without a value.
pub(super) fn missing(place: &str, item: ItemId, column: &str) -> Error {
    Error::bad(place, format!("column `{column}` of row {item} is empty"))
}

/// The error of a value that is too long.
pub(super) fn over_limit(place: &str, item: ItemId, bytes: u64) -> Error {
    let why = format!("row {item} holds {bytes} bytes, over the limit of {}", in_words(MAX_MEDIA_BYTES));
    Error::bad(place, why)
}
