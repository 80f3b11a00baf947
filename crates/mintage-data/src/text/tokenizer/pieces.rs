//! A long text in pieces, cut where a tokenizer would cut it too.

/// Bytes of a piece, unless there is no place to cut before that.
pub(super) const PIECE_BYTES: usize = 256 << 10;
/// Bytes at which a piece ends wherever a character does.
const MAX_BYTES: usize = 8 * PIECE_BYTES;

/// Pieces of about [`PIECE_BYTES`]. Each but the first begins with white space that follows something else: no
/// match of the word pattern reaches across such a place, so the tokens of the pieces are those of the whole.
pub(super) struct Pieces<'a> {
    rest: &'a str,
    size: usize,
}

impl<'a> Pieces<'a> {
    pub fn of(text: &'a str) -> Self {
        Self::of_size(text, PIECE_BYTES)
    }

    pub fn of_size(text: &'a str, size: usize) -> Self {
        Self { rest: text, size }
    }

    fn end(&self) -> usize {
        let text = self.rest;
        if text.len() <= self.size {
            return text.len();
        }
        let start = text.floor_char_boundary(self.size);
        let most = text.floor_char_boundary(start.saturating_add(MAX_BYTES));
        let mut before_is_space = text[..start].chars().next_back().is_none_or(char::is_whitespace);
        for (at, letter) in text[start..most].char_indices() {
            let is_space = letter.is_whitespace();
            if is_space && !before_is_space {
                return start + at;
            }
            before_is_space = is_space;
        }
        most
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (piece, rest) = self.rest.split_at(self.end());
        self.rest = rest;
        Some(piece).filter(|piece| !piece.is_empty())
    }
}
