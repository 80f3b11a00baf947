//! SQL in pieces.

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name or a keyword.
    Word(String),
    /// A name in quotation marks.
    Name(String),
    Number(f64),
    Text(String),
    /// An operator or a mark, such as `<=` or `(`.
    Mark(&'static str),
}

/// Marks, the longer ones first.
const MARKS: [&str; 30] = [
    "!~~*", "!~~", "!~*", "~~*", "!~", "~~", "~*", "::", "<=", ">=", "<>", "!=", "==", "||", "<", ">", "=",
    "~", "(", ")", "[", "]", ",", "+", "-", "*", "/", "%", ".", ";",
];

/// The pieces of `text`; nothing where it cannot be read.
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut rest = text.trim_start();
    let mut all = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, len) = match first {
            '\'' => {
                let (text, len) = quoted(rest, '\'')?;
                (Token::Text(text), len)
            }
            '"' | '`' => {
                let (text, len) = quoted(rest, first)?;
                (Token::Name(text), len)
            }
            '[' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '_') && !after_array(&all) => {
                let end = rest.find(']')?;
                (Token::Name(rest[1..end].to_owned()), end + 1)
            }
            c if c.is_ascii_digit() || c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let len = number_len(rest);
                (Token::Number(rest[..len].parse().ok()?), len)
            }
            c if c.is_alphabetic() || c == '_' => {
                let len =
                    rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                (Token::Word(rest[..len].to_owned()), len)
            }
            _ => {
                let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark))?;
                (Token::Mark(mark), mark.len())
            }
        };
        all.push(token);
        rest = rest[len..].trim_start();
    }
    Some(all)
}

/// A bracket after this word begins a list, not a name.
fn after_array(all: &[Token]) -> bool {
    matches!(all.last(), Some(Token::Word(word)) if word.eq_ignore_ascii_case("array"))
}

/// The text between quotation marks at the start of `text`, and how long it is with them; two marks stand for one.
fn quoted(text: &str, mark: char) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != mark {
            inner.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == mark) {
            letters.next();
            inner.push(mark);
        } else {
            return Some((inner, at + mark.len_utf8()));
        }
    }
    None
}

/// Digits, a fraction, an exponent.
fn number_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut len = digits(0);
    if bytes.get(len) == Some(&b'.') {
        len = digits(len + 1);
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let end = digits(len + 1 + sign);
        if end > len + 1 + sign {
            len = end;
        }
    }
    len
}

/// The names that may be columns, as they stand in `text`: words that are no keywords, and names in quotation marks.
pub fn names(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '\'' => quoted(rest, first).map_or(rest.len(), |(_, len)| len),
            '"' | '`' => {
                let len = quoted(rest, first).map_or(rest.len(), |(_, len)| len);
                found.push(rest.get(1..len - 1).unwrap_or_default());
                len
            }
            c if c.is_alphabetic() || c == '_' => {
                let len =
                    rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                let called = rest[len..].trim_start().starts_with('(');
                let typed = text[..text.len() - rest.len()].trim_end().ends_with("::");
                if !called && !typed && !is_keyword(&rest[..len]) {
                    found.push(&rest[..len]);
                }
                len
            }
            c if c.is_ascii_digit() => number_len(rest).max(1),
            c => c.len_utf8(),
        };
        rest = &rest[len..];
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|name| seen.insert(*name));
    found
}

/// Words that never name a column where they stand alone.
fn is_keyword(word: &str) -> bool {
    const WORDS: &str = "and or not in is null between like ilike glob regexp escape case when then else end cast as \
                         collate any all array true false distinct from varying precision without with zone";
    WORDS.split_whitespace().any(|keyword| keyword.eq_ignore_ascii_case(word))
}
