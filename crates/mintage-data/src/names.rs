//! Names of files as texts. A recipe, a report and a command line hold texts, and a file may have a name that is none:
//! its bytes that are not UTF-8 stand as characters for private use, from which the same name is made again.

use std::{borrow::Cow, ffi::OsStr, path::Path};

/// The character that stands for the byte 0.
const FIRST_BYTE_CHAR: u32 = 0x10_ff00;

/// The text that stands for a name.
pub fn text_of(name: &OsStr) -> String {
    match name.to_str() {
        Some(text) if !text.contains(is_byte) => text.to_owned(),
        _ => escaped(name),
    }
}

/// The path that a text stands for.
pub fn path_of(text: &str) -> Cow<'_, Path> {
    match text.contains(is_byte) {
        false => Cow::Borrowed(Path::new(text)),
        true => unescaped(text),
    }
}

/// The byte that a character stands for, if it is one of those.
pub fn byte_of(c: char) -> Option<u8> {
    u32::from(c)
        .checked_sub(FIRST_BYTE_CHAR)
        .and_then(|byte| u8::try_from(byte).ok())
        .filter(|byte| *byte >= 0x80)
}

fn is_byte(c: char) -> bool {
    byte_of(c).is_some()
}

#[cfg(unix)]
fn escaped(name: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt;
    let escape = |bytes: &[u8]| -> String {
        bytes.iter().filter_map(|&byte| char::from_u32(FIRST_BYTE_CHAR + u32::from(byte))).collect()
    };
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match is_byte(c) {
                // It would come back as a byte: its own bytes stand for it.
                true => text.push_str(&escape(c.encode_utf8(&mut [0; 4]).as_bytes())),
                false => text.push(c),
            }
        }
        text.push_str(&escape(chunk.invalid()));
    }
    text
}

#[cfg(unix)]
fn unescaped(text: &str) -> Cow<'_, Path> {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn escaped(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn unescaped(text: &str) -> Cow<'_, Path> {
    Cow::Borrowed(Path::new(text))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn every_name_comes_back() {
        let names: [&[u8]; 6] =
            [b"shop.db", "лес.csv".as_bytes(), b"caf\xe9.csv", b"\xff", b"\xf4\x8f\xbf\xa9 \xc3", b""];
        for bytes in names {
            let name = OsStr::from_bytes(bytes);
            assert_eq!(path_of(&text_of(name)).as_os_str(), name, "{name:?}");
        }
        assert_eq!(text_of(OsStr::new("лес.csv")), "лес.csv");
        assert_eq!(text_of(OsStr::from_bytes(b"caf\xe9.csv")), "caf\u{10ffe9}.csv");
    }
}
