//! What a page shows of a value: numbers and short texts as they are, long texts by their beginnings, files by their kind
//! and their size.

use std::{fmt, str::FromStr};

use image::ImageFormat;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};

use crate::{
    audio::SOUNDS,
    music::MIDI,
    source::media::IMAGES,
    table::Type,
    video::{CLIPS, is_film},
};

/// Characters of a text that a page shows.
pub const MAX_CELL_CHARS: usize = 300;
/// Bytes of a file that are looked at to tell what it is: enough to see whether a picture moves.
pub(super) const MAX_HEAD_BYTES: usize = 4 << 10;
/// Integers up to this are exact in JSON as browsers read it; larger ones are texts.
const MAX_EXACT_INTEGER: u64 = (1 << 53) - 1;

/// The number by which [`Browser::media`](super::Browser::media) finds a row again, whatever a page is sorted by: the
/// rowid or the integer key of a database, or else the place of the row.
///
/// In JSON it is a number, or a text of digits where a browser would round it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub i64);

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ItemId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for ItemId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match is_exact(self.0) {
            true => serializer.serialize_i64(self.0),
            false => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for ItemId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        number.map(Self).ok_or_else(|| D::Error::custom("the number of an item is a whole number"))
    }
}

fn is_exact(number: i64) -> bool {
    number.unsigned_abs() <= MAX_EXACT_INTEGER
}

/// What most values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BrowseType {
    Integer,
    Number,
    Text,
    Datetime,
    Boolean,
    Image,
    Audio,
    Music,
    Video,
    /// Bytes of an unknown kind.
    Blob,
}

impl BrowseType {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }

    /// Whether the values are files.
    pub fn is_media(self) -> bool {
        matches!(self, Self::Image | Self::Audio | Self::Music | Self::Video | Self::Blob)
    }
}

impl From<Type> for BrowseType {
    fn from(declared: Type) -> Self {
        match declared {
            Type::Integer => Self::Integer,
            Type::Real | Type::Decimal => Self::Number,
            Type::Boolean => Self::Boolean,
            Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz => Self::Datetime,
            Type::Text | Type::Uuid | Type::Json => Self::Text,
        }
    }
}

impl From<MediaKind> for BrowseType {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Image => Self::Image,
            MediaKind::Audio => Self::Audio,
            MediaKind::Music => Self::Music,
            MediaKind::Video => Self::Video,
            MediaKind::Text => Self::Text,
            MediaKind::Blob => Self::Blob,
        }
    }
}

/// A column of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrowseColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub ty: BrowseType,
}

/// The kinds of files that are told apart by their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    Image,
    Audio,
    Music,
    Video,
    Text,
    /// Bytes of an unknown kind.
    Blob,
}

/// What a file is by its first bytes, and its MIME type.
pub(super) fn sniff(head: &[u8]) -> (MediaKind, &'static str) {
    if (CLIPS.is)(head) {
        return (MediaKind::Video, clip_type(head));
    }
    let image = image::guess_format(head).ok().filter(|_| (IMAGES.is)(head));
    // Others are known by their beginnings, and not decoded here.
    if let Some(
        format @ (ImageFormat::Png
        | ImageFormat::Jpeg
        | ImageFormat::Gif
        | ImageFormat::WebP
        | ImageFormat::Bmp),
    ) = image
    {
        return (MediaKind::Image, format.to_mime_type());
    }
    if (MIDI.is)(head) {
        return (MediaKind::Music, "audio/midi");
    }
    if (SOUNDS.is)(head) {
        return (MediaKind::Audio, sound_type(head));
    }
    (MediaKind::Blob, "application/octet-stream")
}

fn clip_type(head: &[u8]) -> &'static str {
    let has = |name: &[u8]| head.windows(name.len()).take(64).any(|part| part == name);
    match head {
        _ if !is_film(head) && head.starts_with(b"GIF8") => "image/gif",
        _ if !is_film(head) => "image/png",
        [b'R', b'I', b'F', b'F', ..] => "video/x-msvideo",
        [0x1a, 0x45, ..] if has(b"webm") => "video/webm",
        [0x1a, 0x45, ..] => "video/x-matroska",
        _ if head.get(4..12).is_some_and(|brand| brand.starts_with(b"ftyp") && brand != b"ftypqt  ") => {
            "video/mp4"
        }
        _ => "video/quicktime",
    }
}

fn sound_type(head: &[u8]) -> &'static str {
    match head {
        [b'R', b'I', b'F', b'F', ..] => "audio/wav",
        [b'F', b'O', b'R', b'M', ..] => "audio/aiff",
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        _ => "audio/mpeg",
    }
}

/// A file in a cell, of which a page shows what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaCell {
    pub kind: MediaKind,
    pub mime: &'static str,
    /// How long it is.
    pub bytes: u64,
    /// The name of the file, where it lies in a folder.
    pub name: Option<String>,
    /// How a text begins.
    pub head: Option<String>,
}

impl MediaCell {
    /// A file by its first bytes.
    pub(super) fn of(head: &[u8], bytes: u64) -> Self {
        let (kind, mime) = sniff(head);
        Self { kind, mime, bytes, name: None, head: None }
    }

    /// Whether [`thumbnail`](super::thumbnail) can make a picture of such a file: films and texts have none.
    pub fn has_thumbnail(&self) -> bool {
        has_thumbnail(self.kind, self.mime)
    }
}

/// Whether there is a picture of a file of this kind.
pub(super) fn has_thumbnail(kind: MediaKind, mime: &str) -> bool {
    !matches!(kind, MediaKind::Text | MediaKind::Blob) && !mime.starts_with("video/")
}

/// A value as a page shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Missing,
    /// At most 2⁵³ − 1 from zero; larger integers are texts.
    Integer(i64),
    /// Finite; what is not is a text.
    Real(f64),
    Boolean(bool),
    /// At most [`MAX_CELL_CHARS`] characters.
    Text(String),
    /// The first [`MAX_CELL_CHARS`] of so many characters.
    LongText {
        head: String,
        chars: u64,
    },
    Media(MediaCell),
}

/// `null`, a number, a text, true or false; of a long text `{"media": "text", "text", "chars"}`, of a file
/// `{"media", "type", "bytes", "name"?, "text"?}`.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => serializer.serialize_none(),
            Self::Integer(x) => serializer.serialize_i64(*x),
            Self::Real(x) => serializer.serialize_f64(*x),
            Self::Boolean(x) => serializer.serialize_bool(*x),
            Self::Text(text) => serializer.serialize_str(text),
            Self::LongText { head, chars } => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("media", &MediaKind::Text)?;
                map.serialize_entry("text", head)?;
                map.serialize_entry("chars", chars)?;
                map.end()
            }
            Self::Media(MediaCell { kind, mime, bytes, name, head }) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("media", kind)?;
                map.serialize_entry("type", mime)?;
                map.serialize_entry("bytes", bytes)?;
                if let Some(name) = name {
                    map.serialize_entry("name", name)?;
                }
                if let Some(head) = head {
                    map.serialize_entry("text", head)?;
                }
                map.end()
            }
        }
    }
}

/// A value as a store gives it: no more of it than a page shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Missing,
    Integer(i64),
    Real(f64),
    Boolean(bool),
    /// At least one character more than a page shows, where there is one, and how many there are.
    Text(String, u64),
    /// The first bytes, and how many there are.
    Bytes(Vec<u8>, u64),
}

impl Raw {
    pub fn text(text: &str) -> Self {
        let chars = text.chars().count() as u64;
        Self::Text(text.chars().take(MAX_CELL_CHARS + 1).collect(), chars)
    }
}

impl Raw {
    /// A text, or the number or truth that it writes where the column is of such.
    pub fn typed(text: &str, chars: u64, ty: BrowseType) -> Self {
        // More digits are those of a decimal number that no `f64` holds.
        const MAX_DIGITS: usize = 17;
        let digits = || text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
        let typed = match ty {
            BrowseType::Integer => text.parse().ok().map(Self::Integer),
            BrowseType::Number if digits() <= MAX_DIGITS => number_of(text).map(Self::Real),
            BrowseType::Boolean if text.eq_ignore_ascii_case("true") => Some(Self::Boolean(true)),
            BrowseType::Boolean if text.eq_ignore_ascii_case("false") => Some(Self::Boolean(false)),
            _ => None,
        };
        typed.unwrap_or_else(|| Self::Text(text.to_owned(), chars))
    }

    /// In a column of truths 0 and 1 are such.
    pub fn of_column(self, ty: BrowseType) -> Self {
        match (ty, self) {
            (BrowseType::Boolean, Self::Integer(x @ (0 | 1))) => Self::Boolean(x == 1),
            (_, raw) => raw,
        }
    }
}

impl From<Raw> for Cell {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::Missing | Raw::Bytes(_, 0) => Self::Missing,
            Raw::Integer(x) if is_exact(x) => Self::Integer(x),
            Raw::Integer(x) => Self::Text(x.to_string()),
            Raw::Real(x) if x.is_finite() => Self::Real(x),
            Raw::Real(x) => Self::Text(x.to_string()),
            Raw::Boolean(x) => Self::Boolean(x),
            Raw::Text(text, chars) => match text.char_indices().nth(MAX_CELL_CHARS) {
                Some((end, _)) => Self::LongText { head: text[..end].to_owned(), chars },
                None => Self::Text(text),
            },
            Raw::Bytes(head, bytes) => Self::Media(MediaCell::of(&head, bytes)),
        }
    }
}

/// The plain number that a text is: neither a code such as "007" nor "inf".
pub(super) fn number_of(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = unsigned.split(['.', 'e', 'E']).next().unwrap_or_default();
    let is_code = whole.len() > 1 && whole.starts_with('0');
    let is_plain = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|number: &f64| is_plain && !is_code && number.is_finite())
}

/// Whether a text begins with a date as ISO 8601 writes it and goes on with nothing but a time.
pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_day = bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_day && bytes[10..].iter().all(|byte| byte.is_ascii_digit() || b" T:.+-Z".contains(byte))
}

/// Whether a text is the beginning of a date or of a time, such as "2024-05".
pub(super) fn begins_date(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b" T:.+-Z".contains(&byte))
}

/// What most values are, where nothing is declared: the type of all texts and numbers, or the kind of most files.
pub(super) fn type_of_values<'a>(
    declared: Option<BrowseType>,
    values: impl Iterator<Item = &'a Raw>,
) -> BrowseType {
    let (mut all, mut files, mut integers, mut reals, mut dates) = (0, Vec::new(), 0, 0, 0);
    for value in values {
        match value {
            Raw::Missing | Raw::Bytes(_, 0) => continue,
            Raw::Bytes(head, _) => files.push(sniff(head).0),
            Raw::Integer(_) | Raw::Boolean(_) => integers += 1,
            Raw::Real(_) => reals += 1,
            Raw::Text(text, _) => dates += usize::from(is_date(text)),
        }
        all += 1;
    }
    if all == 0 {
        return declared.unwrap_or(BrowseType::Text);
    }
    if 2 * files.len() > all {
        let count = |kind: MediaKind| files.iter().filter(|other| **other == kind).count();
        let most = files.iter().copied().max_by_key(|&kind| count(kind));
        return most.map_or(BrowseType::Blob, BrowseType::from);
    }
    match declared.filter(|ty| *ty != BrowseType::Text) {
        Some(BrowseType::Boolean | BrowseType::Integer) if integers == all => {
            declared.unwrap_or(BrowseType::Integer)
        }
        Some(BrowseType::Datetime) if integers + reals == 0 => BrowseType::Datetime,
        Some(BrowseType::Number) if integers + reals == all => BrowseType::Number,
        _ if integers == all => BrowseType::Integer,
        _ if integers + reals == all => BrowseType::Number,
        _ if dates == all => BrowseType::Datetime,
        _ => BrowseType::Text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        for (head, kind, mime) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], MediaKind::Image, "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", MediaKind::Image, "image/jpeg"),
            (b"RIFF\0\0\0\0WEBPVP8 ", MediaKind::Image, "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", MediaKind::Audio, "audio/wav"),
            (b"fLaC\0\0\0\x22", MediaKind::Audio, "audio/flac"),
            (b"OggS\0\x02", MediaKind::Audio, "audio/ogg"),
            (b"ID3\x04", MediaKind::Audio, "audio/mpeg"),
            (b"MThd\0\0\0\x06", MediaKind::Music, "audio/midi"),
            (b"\0\0\0\x20ftypisom\0\0", MediaKind::Video, "video/mp4"),
            (b"\x1a\x45\xdf\xa3\x01\0\0\0\x42\x82\x84webm", MediaKind::Video, "video/webm"),
            (b"II*\0\x08\0\0\0", MediaKind::Blob, "application/octet-stream"),
            (b"<svg onload=alert(1)>", MediaKind::Blob, "application/octet-stream"),
            (b"", MediaKind::Blob, "application/octet-stream"),
        ] {
            assert_eq!(sniff(head), (kind, mime), "{head:?}");
        }
    }

    #[test]
    fn json_of_cells_is_exact() {
        let long = "ж".repeat(301);
        let cells: Vec<Cell> = [
            Raw::Missing,
            Raw::Integer(-7),
            Raw::Integer((1 << 53) + 1),
            Raw::Real(0.5),
            Raw::Real(f64::INFINITY),
            Raw::Boolean(true),
            Raw::text("x\"<"),
            Raw::text(&long),
            Raw::Bytes(b"MThd".to_vec(), 90),
            Raw::Bytes(Vec::new(), 0),
        ]
        .map(Cell::from)
        .to_vec();
        assert_eq!(
            serde_json::to_value(cells).unwrap(),
            json!([
                null, -7, "9007199254740993", 0.5, "inf", true, "x\"<",
                {"media": "text", "text": "ж".repeat(300), "chars": 301},
                {"media": "music", "type": "audio/midi", "bytes": 90}, null
            ])
        );
        for id in [0, -5, (1 << 53) - 1, (1 << 53) + 1, i64::MIN] {
            let text = serde_json::to_string(&ItemId(id)).unwrap();
            assert_eq!(serde_json::from_str::<ItemId>(&text).unwrap(), ItemId(id));
            assert_eq!(text.starts_with('"'), id.unsigned_abs() >= 1 << 53, "{text}");
        }
        assert!(serde_json::from_str::<ItemId>("1.5").is_err() && "a".parse::<ItemId>().is_err());
    }

    #[test]
    fn codes_are_no_numbers() {
        assert_eq!(
            ["1", "-0.5", ".5", "1e3"].map(number_of),
            [Some(1.0), Some(-0.5), Some(0.5), Some(1000.0)]
        );
        for text in ["007", "inf", "NaN", "+1", "", "1,5", "1_0", "-"] {
            assert_eq!(number_of(text), None, "{text}");
        }
        assert!(is_date("2024-02-29") && is_date("2024-02-29T23:59:59.5Z"));
        assert!(!is_date("2024-02") && !is_date("2024-02-29 noon") && !is_date("дата-дата-"));
    }
}
