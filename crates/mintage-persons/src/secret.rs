//! Passwords, their hashes, salts, tokens and keys: texts of the same length and the same classes of characters.
//!
//! In a pattern `#` is a digit, `A` a capital letter and `a` a small one, `Я` and `я` those of Cyrillic, `H` and `h` hexadecimal
//! digits in capital and small letters, `w` any letter or digit; what follows a backslash stands for itself.

use crate::stream::Stream;

/// Values whose patterns are looked at: those of random texts all differ.
const MAX_VALUES: usize = 150;
/// Letters and digits of one case that are taken to be hexadecimal without a digit among them, at least.
const MIN_HEX: usize = 8;
/// Characters of a text that is taken to be one of a random alphabet (Base64), at least.
const MIN_BASE64: usize = 16;
/// What the first part of a hash says of how it was made, in the form `$2b$12$…`.
const CRYPT: &[&str] = &["1", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "apr1"];
/// How the names of methods begin.
const METHODS: &[&str] =
    &["argon2", "bcrypt", "crypt", "md5", "pbkdf2", "scrypt", "sha", "smd5", "ssha", "noop"];

/// The patterns of a column, of some values spread over all.
pub(crate) fn patterns(values: &[&str]) -> Vec<String> {
    let step = values.len().div_ceil(MAX_VALUES).max(1);
    values.iter().step_by(step).map(|value| pattern(value)).collect()
}

/// A text of that pattern.
pub(crate) fn fill(pattern: &str, stream: &mut Stream) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        let drawn = match sign {
            '\\' => signs.next(),
            '#' => Some(stream.digit()),
            'A' => letter('A', 26, stream),
            'a' => letter('a', 26, stream),
            'Я' => letter('А', 32, stream),
            'я' => letter('а', 32, stream),
            'h' => char::from_digit(stream.below(16) as u32, 16),
            'H' => char::from_digit(stream.below(16) as u32, 16).map(|c| c.to_ascii_uppercase()),
            'w' => match stream.below(62) {
                0..10 => Some(stream.digit()),
                10..36 => letter('A', 26, stream),
                _ => letter('a', 26, stream),
            },
            c => Some(c),
        };
        text.extend(drawn);
    }
    text
}

fn letter(first: char, n: usize, stream: &mut Stream) -> Option<char> {
    char::from_u32(u32::from(first) + stream.below(n) as u32)
}

/// The pattern of one value.
fn pattern(value: &str) -> String {
    let (scheme, rest) = value.split_at(scheme(value));
    let mut pattern = String::new();
    scheme.chars().for_each(|c| keep(&mut pattern, c));
    let own: String = rest.chars().filter(|c| c.is_alphanumeric()).collect();
    let whole = hex(&own);
    let has = |is: fn(&char) -> bool| rest.chars().any(|c| is(&c));
    let is_base64 = rest.len() >= MIN_BASE64
        && !has(|c| c.is_whitespace())
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit);
    for part in rest.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_alphanumeric());
        let of_part = whole.or_else(|| hex(word).filter(|_| word.len() >= MIN_HEX));
        for c in part.chars() {
            match of_part {
                _ if !c.is_alphanumeric() => keep(&mut pattern, c),
                Some(sign) => pattern.push(sign),
                None if is_base64 => pattern.push('w'),
                None => pattern.push(class(c)),
            }
        }
    }
    pattern
}

fn keep(pattern: &mut String, c: char) {
    pattern.push('\\');
    pattern.push(c);
}

fn class(c: char) -> char {
    match c {
        'А'..='Я' | 'Ё' => 'Я',
        'а'..='я' | 'ё' => 'я',
        c if c.is_numeric() => '#',
        c if c.is_uppercase() => 'A',
        _ => 'a',
    }
}

/// The sign of hexadecimal digits, where a text has nothing else: digits alone stay such.
fn hex(text: &str) -> Option<char> {
    let is_hex = text.chars().all(|c| c.is_ascii_hexdigit());
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_number = digits == text.len();
    if !is_hex || is_number || digits == 0 && text.len() < MIN_HEX {
        return None;
    }
    let has_upper = text.chars().any(|c| c.is_ascii_uppercase());
    let has_lower = text.chars().any(|c| c.is_ascii_lowercase());
    match (has_upper, has_lower) {
        (true, false) => Some('H'),
        (false, true) => Some('h'),
        _ => None,
    }
}

/// How many bytes at the start say how the rest was made: `{SSHA}`, `$2b$12$`, `pbkdf2_sha256$260000$`.
fn scheme(value: &str) -> usize {
    let is_method = |text: &str| {
        let lower = text.to_lowercase();
        METHODS.iter().any(|method| lower.starts_with(method))
    };
    let braced = value.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let mut at = braced.filter(|(name, _)| is_method(name)).map_or(0, |(name, _)| name.len() + 2);
    let rest = &value[at..];
    let is_crypt = rest.starts_with('$');
    let mut parts: Vec<&str> = rest.split('$').collect();
    // What follows the last sign is no part of the scheme.
    parts.pop();
    let mut parts = parts.into_iter().skip(usize::from(is_crypt));
    let Some(name) = parts.next().filter(|name| is_method(name) || is_crypt && CRYPT.contains(name)) else {
        return at;
    };
    at += usize::from(is_crypt) + name.len() + 1;
    let is_number = |text: &str| text.len() <= 7 && text.chars().all(|c| c.is_ascii_digit());
    for part in parts.take_while(|part| is_number(part) || part.contains('=')) {
        at += part.len() + 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_keep_schemes_and_classes() {
        for (value, expected) in [
            ("8cb2237d", "hhhhhhhh"),
            ("8CB2-237D", r"HHHH\-HHHH"),
            ("hunter2!", r"aaaaaa#\!"),
            ("Пароль1", "Яяяяяя#"),
            ("123456", "######"),
            ("$2b$12$Ab1Ab1Ab1Ab1Ab1./", r"\$\2\b\$\1\2\$wwwwwwwwwwwwwww\.\/"),
            ("sha256$8cb2237d", r"\s\h\a\2\5\6\$hhhhhhhh"),
            ("{SSHA}hunter", r"\{\S\S\H\A\}aaaaaa"),
        ] {
            assert_eq!(pattern(value), expected, "{value}");
        }
    }

    #[test]
    fn filled_patterns_have_their_own_pattern() {
        for value in ["$2b$12$", "hunter2!", "Ключ-17", "00-11"] {
            let filled = fill(&pattern(value), &mut Stream::new(5, 0));
            assert_eq!(pattern(&filled), pattern(value), "{filled}");
        }
    }
}
