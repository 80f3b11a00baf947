//! Texts in pieces: words, numbers, and what stands between them.

/// Pieces of a text that are looked at.
const MAX_PIECES: usize = 400;

/// A piece of a text, with what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Neither letters nor digits.
    pub before: &'a str,
    /// Letters alone, digits alone, the domain of an e-mail address; empty at the end of the text.
    pub text: &'a str,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Word,
    Digits,
    Domain,
    End,
}

/// The pieces of a text in order; the last one is its end. With `email`, what follows the "@" is one piece.
pub fn split(text: &str, email: bool) -> Vec<Piece<'_>> {
    let local = if email { text.find('@').map_or(text.len(), |at| at + 1) } else { text.len() };
    let mut pieces = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < local && pieces.len() < MAX_PIECES {
        let what = kind(&text[at..]);
        let end = at + length(&text[at..local], what);
        if let Some(what) = what {
            pieces.push(Piece { before: &text[start..at], text: &text[at..end], what });
            start = end;
        }
        at = end;
    }
    if local < text.len() {
        pieces.push(Piece { before: &text[start..local], text: &text[local..], what: What::Domain });
        start = text.len();
    }
    let rest = if pieces.len() < MAX_PIECES { &text[start..] } else { "" };
    pieces.push(Piece { before: rest, text: "", what: What::End });
    pieces
}

/// What begins here, if it is no separator.
fn kind(text: &str) -> Option<What> {
    let first = text.chars().next()?;
    match () {
        () if first.is_numeric() => Some(What::Digits),
        () if first.is_alphabetic() => Some(What::Word),
        () => None,
    }
}

/// Bytes that belong together at the beginning of a text that is not empty.
fn length(text: &str, what: Option<What>) -> usize {
    let belongs = |(at, c): (usize, char)| match what {
        Some(What::Digits) => c.is_numeric(),
        // "O'Neil", and letters with their marks apart.
        Some(What::Word) => {
            let inside = |c: char| c.is_alphabetic();
            inside(c)
                || ('\u{300}'..='\u{36f}').contains(&c)
                || "'’".contains(c) && text[at + c.len_utf8()..].starts_with(inside)
        }
        _ => !c.is_alphanumeric(),
    };
    text.char_indices().find(|&found| !belongs(found)).map_or(text.len(), |(at, _)| at).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, email: bool) -> Vec<String> {
        split(text, email).iter().map(|p| format!("{}|{}", p.before, p.text)).collect()
    }

    #[test]
    fn texts_come_in_pieces() {
        assert_eq!(shown("ул. Ленина, 12а", false), ["|ул", ". |Ленина", ", |12", "|а", "|"]);
        assert_eq!(shown("Pat O'Neil (sen.)", false), ["|Pat", " |O'Neil", " (|sen", ".)|"]);
        assert_eq!(shown("ann.lee7@x.org", true), ["|ann", ".|lee", "|7", "@|x.org", "|"]);
        assert_eq!(shown("+49 40 1", false), ["+|49", " |40", " |1", "|"]);
        assert_eq!(shown("", false), ["|"]);
        assert_eq!(shown("½ 'x'", false), ["|½", " '|x", "'|"]);
    }
}
