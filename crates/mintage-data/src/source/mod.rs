//! Where data come from: one enum over the sources, all behind "item `i`: its bytes, its label, its name".
//!
//! A source only reads. It decodes nothing: that is the codec's work.

pub(crate) mod column;
pub(crate) mod division;
pub mod folder;
mod held;
pub mod idx;
mod keys;
pub(crate) mod listing;
pub(crate) mod media;
pub(crate) mod metadata;

use std::{borrow::Cow, collections::BTreeMap, fmt, io::Read, ops::Range, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Fit, ImageShape, MusicUnit, TextSource, TextUnit,
    audio::SOUNDS,
    files::{check_source, open_regular},
    items::evenly,
    music::MIDI,
    names::path_of,
    store,
    table::{
        PgDefaults,
        encoder::Rare,
        password_of, redacted,
        rules::RuleChoice,
        schema::{Kind, TextMode},
    },
    transform::Color,
    video::VideoSource,
};
use column::ColumnSource;
use folder::FolderSource;
use held::WithHoldout;
use idx::IdxSource;
pub use keys::KeySpec;
use media::Places;

/// The kinds of data that a source may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataKind {
    Image,
    #[serde(alias = "rows")]
    Table,
    Text,
    Music,
    Video,
    Audio,
}

impl DataKind {
    /// What its items are called.
    pub fn items(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Table => "rows",
            Self::Text => "texts",
            Self::Music => "tunes",
            Self::Video => "clips",
            Self::Audio => "sounds",
        }
    }

    /// As recipes and flags write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Table => "table",
            Self::Text => "text",
            Self::Music => "music",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// `[data]` of a recipe: what to read and how to unify it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSpec {
    /// A database (a SQLite file or a `postgres://` address) or a folder. Images: an IDX file as well. Tables: no folder,
    /// but a file of CSV, Parquet or JSON Lines. Texts and clips: a single file as well. Sounds: one long file as well.
    pub source: String,
    /// What the source is read as, where it could be several things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<DataKind>,
    /// Of a database: the table; found by itself when there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// An SQL query whose rows are the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The column with the images or the texts, found by itself likewise; of a table: the columns to read,
    /// with commas between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Another source, or another table of the same one, that is the holdout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<String>,
    /// The column to condition on (databases, `metadata.csv`); "none" ignores sub-folders and label files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Side of the square that images are brought to; without it the data decide, up to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    pub fit: Fit,
    pub color: Color,
    /// Fail at the first image that cannot be read, instead of skipping up to 5 % of them.
    pub strict: bool,
    /// The share of items that may be left out because they cannot be read; without this 0.05.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_share: Option<f64>,
    /// Texts: bytes that cannot be decoded become U+FFFD instead of an error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lossy: bool,
    /// Learn as well from what mintage made, which is left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_made: bool,
    /// Delimited text: whether its first line has names; without this the lines decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Delimited text: what keeps cells apart, one sign or "tab", "space", …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Delimited text: lines that stand before the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<usize>,
    /// Delimited text: the sign that lines of comments begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<char>,
    /// Delimited text and JSON: the encoding of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Use at most so many items, evenly spread over the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Tables: whether categories of fewer than `rare_below` rows are made ("keep") or not ("group").
    pub rare: Rare,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rare_below: Option<u32>,
    /// Tables: what becomes of texts that point at persons: "fresh" ones in the form of those seen, "empty" cells, or those
    /// seen ("redraw").
    #[serde(skip_serializing_if = "is_default")]
    pub text: TextMode,
    /// Tables: kinds of columns that are to be other than what was found.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, Kind>,
    /// Tables: rules that every new row keeps, beside those that the database declares and those that are found;
    /// or "off", which leaves all of them.
    #[serde(skip_serializing_if = "RuleChoice::is_default")]
    pub rules: RuleChoice,
    /// Whole databases: keys between tables beside those that are declared or found, others in their place, and what is no
    /// key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeySpec>,
    /// Whole databases: tables whose rows stay as they are, but for the persons in them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Whole databases: tables that are learned, though they look like lists that others refer to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learn: Vec<String>,
    /// Texts: what a token is; without this the amount and the script decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<TextUnit>,
    /// Texts: the most different tokens that pieces of words may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab: Option<usize>,
    /// Music: how it is written in tokens; without this the tunes decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub music: Option<MusicUnit>,
    /// Clips: frames a second; without this the clips decide, up to 12.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Clips: frames of an item; without this the clips decide, up to 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Sounds: samples a second that they are brought to, 4,000 to 48,000; without this what most of them have, up
    /// to 16,000.
    #[serde(rename = "rate", skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<u32>,
    /// Sounds: 1 (the default) or 2 channels, to which others are mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Sounds: how long a stretch of sound a model makes at a time, 0.05 to 60; without this the sounds decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What a `postgres://` address leaves open. It holds a password, and is never saved.
    #[serde(skip)]
    pub pg: PgDefaults,
}

fn is_default(mode: &TextMode) -> bool {
    *mode == TextMode::default()
}

/// Without the password that an address may hold.
impl fmt::Debug for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { source, kind, table, query, column, holdout, label, size, fit, color, .. } = self;
        let Self { strict, lossy, allow_made, limit, rare, rare_below, text, kinds, rules, keys, .. } = self;
        let Self { keep, learn, unit, vocab, music, .. } = self;
        let Self { header, delimiter, skip, comment, encoding, .. } = self;
        let Self { fps, frames, rate_hz, channels, seconds, skip_share, pg, .. } = self;
        f.debug_struct("SourceSpec")
            .field("source", &redacted(source))
            .field("kind", kind)
            .field("table", table)
            .field("query", query)
            .field("column", column)
            .field("holdout", &holdout.as_deref().map(redacted))
            .field("label", label)
            .field("size", size)
            .field("fit", fit)
            .field("color", color)
            .field("strict", strict)
            .field("skip_share", skip_share)
            .field("lossy", lossy)
            .field("allow_made", allow_made)
            .field("header", header)
            .field("delimiter", delimiter)
            .field("skip", skip)
            .field("comment", comment)
            .field("encoding", encoding)
            .field("limit", limit)
            .field("rare", rare)
            .field("rare_below", rare_below)
            .field("text", text)
            .field("kinds", kinds)
            .field("rules", rules)
            .field("keys", keys)
            .field("keep", keep)
            .field("learn", learn)
            .field("unit", unit)
            .field("vocab", vocab)
            .field("music", music)
            .field("fps", fps)
            .field("frames", frames)
            .field("rate", rate_hz)
            .field("channels", channels)
            .field("seconds", seconds)
            .field("pg", pg)
            .finish()
    }
}

impl SourceSpec {
    /// The path that the source is, unless it is an address.
    pub fn path(&self) -> Cow<'_, Path> {
        path_of(&self.source)
    }

    /// Moves the passwords of addresses to where they are never saved.
    pub fn hide_passwords(&mut self) {
        for address in [Some(&mut self.source), self.holdout.as_mut()].into_iter().flatten() {
            // What can be opened is no address, whatever it looks like.
            if path_of(address).exists() {
                continue;
            }
            // "Postgres://" and " postgres://" mean the same.
            let (scheme, rest) = address.trim_start().split_once("://").unwrap_or_default();
            if ["postgres", "postgresql"].contains(&scheme.to_lowercase().as_str()) {
                *address = format!("{}://{rest}", scheme.to_lowercase());
            }
            let password = password_of(address);
            *address = redacted(address);
            if let Some(password) = password {
                self.pg.known.insert(address.clone(), password);
            }
        }
    }

    /// Whether a table and a column of a database are what is asked for, as far as something is.
    pub(crate) fn asks_for(&self, (table, column): &(String, String)) -> bool {
        self.table.as_ref().is_none_or(|name| name == table)
            && self.column.as_ref().is_none_or(|name| name == column)
    }

    /// Whether labels are unwanted.
    pub(crate) fn no_labels(&self) -> bool {
        self.label.as_deref() == Some("none")
    }
}

/// One item as it lies in the source.
pub(crate) enum Raw {
    /// Bytes of an image file.
    Encoded(Vec<u8>),
    /// CHW bytes of the source's own shape.
    Pixels(ImageShape, Vec<u8>),
}

/// An open source.
#[derive(Debug)]
pub(crate) enum Source {
    Column(ColumnSource),
    Folder(FolderSource),
    Idx(IdxSource),
    WithHoldout(Box<WithHoldout>),
}

impl Source {
    /// Opens the images that `spec.source` names, followed by those of `spec.holdout` where it is given.
    ///
    /// # Errors
    /// A source is not there, cannot be read, or holds no images.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        if let Some(both) = WithHoldout::open(spec)? {
            return Ok(Self::WithHoldout(Box::new(both)));
        }
        let path = &*spec.path();
        if spec.source.is_empty() {
            return Err(Error::bad("source", "is empty").with_hint("name a database or a folder of images"));
        }
        if let Some(database) = store::open(spec)? {
            return ColumnSource::open(database, spec, &media::IMAGES).map(Self::Column);
        }
        check_source(path)?;
        if path.is_dir() {
            return match IdxSource::find(path) {
                Some(files) => IdxSource::open(files, spec).map(Self::Idx),
                None => FolderSource::open(path, spec).map(Self::Folder),
            };
        }
        if idx::is_idx(path) {
            return IdxSource::open(idx::Files::of(path), spec).map(Self::Idx);
        }
        Err(unknown(path))
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Column(s) => s.len(),
            Self::Folder(s) => s.len(),
            Self::Idx(s) => s.len(),
            Self::WithHoldout(s) => s.len(),
        }
    }

    /// "row 17 of products.photo", "cats/1.png", "image 3 of train-images…".
    pub fn name(&self, item: usize) -> String {
        match self {
            Self::Column(s) => s.name(item),
            Self::Folder(s) => s.name(item),
            Self::Idx(s) => s.name(item),
            Self::WithHoldout(s) => s.name(item),
        }
    }

    /// The label of every item as text, or nothing when the source has none.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Column(s) => s.labels(),
            Self::Folder(s) => s.labels(),
            Self::Idx(s) => s.labels(),
            Self::WithHoldout(s) => s.labels(),
        }
    }

    /// The label of every item, also where all have the same: those of a holdout.
    fn labels_alone(&self) -> Option<&[String]> {
        match self {
            Self::Folder(s) => s.labels_alone(),
            other => other.labels(),
        }
    }

    /// Items to learn from at most, `limit` of them, and all that are held out by another source.
    pub fn chosen(&self, limit: usize) -> Vec<usize> {
        match self {
            Self::WithHoldout(s) => evenly(s.own().len(), limit).into_iter().chain(s.holdout()).collect(),
            other => evenly(other.len(), limit),
        }
    }

    /// What is worth telling of how items were chosen.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Folder(s) => s.notes(),
            Self::Column(_) | Self::Idx(_) => Vec::new(),
            Self::WithHoldout(s) => s.notes(),
        }
    }

    /// The table and the column of a database.
    pub fn place(&self) -> Option<(String, String)> {
        match self {
            Self::Column(s) => Some((s.table.clone(), s.column.clone())),
            Self::WithHoldout(s) => s.own().place(),
            Self::Folder(_) | Self::Idx(_) => None,
        }
    }

    /// Reads one item.
    ///
    /// # Errors
    /// The item cannot be read any more.
    pub fn fetch(&self, item: usize) -> Result<Raw, Error> {
        match self {
            Self::Column(s) => s.fetch(item).map(Raw::Encoded),
            Self::Folder(s) => s.fetch(item).map(Raw::Encoded),
            Self::Idx(s) => Ok(s.fetch(item)),
            Self::WithHoldout(s) => s.fetch(item),
        }
    }

    /// Items that the source itself sets aside for testing.
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        match self {
            Self::Idx(s) => s.official_holdout(),
            Self::Folder(s) => s.official_holdout(),
            Self::WithHoldout(s) => Some(s.holdout()),
            Self::Column(_) => None,
        }
    }
}

/// Whether a source of `kind` itself sets items aside for testing: a folder with a part `test`, or a folder of IDX files.
///
/// # Errors
/// The folder cannot be opened as a source of this kind.
pub fn has_own_holdout(spec: &SourceSpec, kind: DataKind) -> Result<bool, Error> {
    let spec = &SourceSpec { holdout: None, ..spec.clone() };
    if !spec.path().is_dir() {
        return Ok(false);
    }
    let held = match kind {
        DataKind::Table => None,
        DataKind::Image => Source::open(spec)?.official_holdout(),
        DataKind::Text => TextSource::open(spec)?.official_holdout(),
        DataKind::Music => Places::open(spec, &MIDI)?.official_holdout(),
        DataKind::Audio => Places::open(spec, &SOUNDS)?.official_holdout(),
        DataKind::Video => VideoSource::open(spec)?.official_holdout(),
    };
    Ok(held.is_some())
}

/// Bytes that tell what a file is.
const HEAD_BYTES: u64 = 4096;
/// What is read at all.
const KINDS: &str = "SQLite, CSV, TSV, JSON and JSON Lines, Parquet, IDX, texts (.txt, .md, …), MIDI, WAV, FLAC, Ogg, MP3, \
                     GIF, APNG, MP4 and WebM, folders of images, texts, tunes, sounds or clips, and postgres:// addresses";

/// A file of a kind that is not read, with what to do about it as far as its first bytes tell.
fn unknown(path: &Path) -> Error {
    let head = open_regular(path).ok().map(|file| {
        let mut head = Vec::new();
        let _ = file.take(HEAD_BYTES).read_to_end(&mut head);
        head
    });
    let head = head.unwrap_or_default();
    let begins = |magic: &[u8]| head.starts_with(magic);
    let is_text = !head.is_empty()
        && !head.contains(&0)
        && std::str::from_utf8(&head).map_or_else(|error| error.error_len().is_none(), |_| true);
    let hint = if head.is_empty() {
        "the file is empty".to_owned()
    } else if (media::IMAGES.is)(&head) {
        "one image is not enough to learn from: name the folder of images".to_owned()
    } else if begins(b"PK\x03\x04") || begins(b"\xd0\xcf\x11\xe0") {
        "save the sheet of a workbook as CSV, or unpack the archive, and name that".to_owned()
    } else if begins(b"%PDF-") {
        "save what is in the document as text or as CSV, and name that".to_owned()
    } else if is_text {
        "--kind text reads the file as a text, --kind table as a table of delimited text".to_owned()
    } else {
        "save the data as one of these".to_owned()
    };
    Error::bad(path.display().to_string(), format!("is of no kind that is read, which are {KINDS}"))
        .with_hint(hint)
}
