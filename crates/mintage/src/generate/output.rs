//! Where what was made goes, as data: the place, whose ending says the format, and how it is written.

use std::path::{Path, PathBuf};

use mintage_data::{
    DataKind, Ffmpeg, IfExists, is_postgres,
    names::path_of,
    table::{FileFormat, encoding_named, is_delimited},
};
use serde::{Deserialize, Serialize};

use super::{Encoding, fields};
use crate::{Model, error::Error};

/// Where new items go, and how they are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// A file, whose ending says the format; a folder, which ends in `/`; a database (`.db`, `postgres://`).
    pub out: String,
    /// What to do where the file or the table is there already.
    #[serde(skip_serializing_if = "is_default")]
    pub if_exists: IfExists,
    /// Table of a database; without it the one that was learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Column for the new items; without it the one that was learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Column for their label; without it the one that was learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Encoding of delimited text; without it that of the file that was learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What separates the cells of delimited text: a character, `tab`, `comma`, `semicolon`, `pipe` or `space`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Put an apostrophe before texts of delimited text that a spreadsheet would take for formulas: those that begin with
    /// `=`, `+`, `-`, `@`, a tab or a carriage return (OWASP, "CSV Injection").
    #[serde(skip_serializing_if = "is_default")]
    pub quote_formulas: bool,
    /// Leave no mark of what made the rows: training takes them for real.
    #[serde(skip_serializing_if = "is_default")]
    pub no_provenance: bool,
    /// Columns and rows of a grid of images or clips: "8x6".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<String>,
    /// Bits of a sample of sound: 16, 24, or 32 in floating point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
    /// The SoundFont that plays a tune; without it a small synthesiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound_font: Option<PathBuf>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What the place of an output is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    File(PathBuf, Encoding),
    Folder(PathBuf),
    /// A database, with a column that holds items: a SQLite file or an address.
    Items(String),
    /// A table of a file or a database.
    Rows(String),
}

impl Output {
    /// An output to a place.
    pub fn to(out: impl Into<String>) -> Self {
        Self { out: out.into(), ..Self::default() }
    }

    /// Columns and rows of the grid, where one is asked for.
    ///
    /// # Errors
    ///
    /// It is not written like 8x6, or a side is not 1 to 1,000.
    pub fn grid(&self) -> Result<Option<(usize, usize)>, Error> {
        let Some(text) = self.grid.as_deref() else { return Ok(None) };
        let parsed = text
            .split_once(['x', '×', 'X'])
            .and_then(|(columns, rows)| Some((columns.trim().parse().ok()?, rows.trim().parse().ok()?)));
        match parsed {
            Some((columns, rows)) if (1..=1000).contains(&columns) && (1..=1000).contains(&rows) => {
                Ok(Some((columns, rows)))
            }
            _ => Err(Error::request(format!("`{text}` is no grid"))
                .with_hint("write it like 8x6: columns, rows")
                .in_field("grid")),
        }
    }

    /// Refuses fields that have no meaning for what the model makes.
    ///
    /// # Errors
    ///
    /// Names the field, and what it is for.
    pub fn check(&self, model: &Model) -> Result<(), Error> {
        // Only a path can fail to be a text.
        let given = serde_json::to_value(self)
            .map_err(|_| Error::field("sound_font", "has a name that is no text"))?;
        fields::check(&|name| given.get(name).is_some(), fields::OUTPUT, model)?;
        self.grid()?;
        match self.bits {
            None | Some(16 | 24 | 32) => Ok(()),
            Some(bits) => Err(Error::request(format!("a WAV file is not written with {bits} bits a sample"))
                .with_hint("give 16, 24 or 32 `bits`")
                .in_field("bits")),
        }
    }

    /// What its place is for a kind of data.
    ///
    /// # Errors
    ///
    /// The ending says nothing, or something that this kind cannot be written as.
    pub(super) fn target(&self, kind: DataKind) -> Result<Target, Error> {
        self.find_target(kind).map_err(|error| error.in_field("out"))
    }

    fn find_target(&self, kind: DataKind) -> Result<Target, Error> {
        let out = &self.out;
        let path = path_of(out).into_owned();
        if kind == DataKind::Table {
            return Ok(Target::Rows(out.clone()));
        }
        if is_folder(out) {
            return Ok(Target::Folder(path));
        }
        if kind == DataKind::Text {
            return text_target(out, path);
        }
        if is_database(out) {
            return Ok(Target::Items(out.clone()));
        }
        match Encoding::of_file(kind, &path) {
            Some(Encoding::Mp4) => {
                Ffmpeg::default().check(&path.display().to_string())?;
                Ok(Target::File(path, Encoding::Mp4))
            }
            Some(encoding) => Ok(Target::File(path, encoding)),
            None if out.contains("://") => {
                Err(Error::request(format!("{out}: of servers only PostgreSQL is written to"))
                    .with_hint("give an address that begins with postgres://, or a file that ends in .db"))
            }
            None => {
                Err(Error::request(format!("{out}: does not say what to write")).with_hint(endings(kind)))
            }
        }
    }

    /// How delimited text is written: like the file that was learned from, unless this says otherwise. `of_stream`: not to a
    /// file.
    ///
    /// # Errors
    ///
    /// There is no such encoding, no such delimiter, or the output is no delimited text.
    pub(super) fn file_format(&self, model: &Model, of_stream: bool) -> Result<FileFormat, Error> {
        let mut file = model.rows()?.1.file.clone().unwrap_or_default();
        let given = [
            ("encoding", self.encoding.is_some()),
            ("delimiter", self.delimiter.is_some()),
            ("quote_formulas", self.quote_formulas),
        ];
        if let Some((field, _)) = given.iter().find(|(_, given)| *given)
            && !of_stream
            && !is_delimited(&self.out)
        {
            return Err(Error::field(field, format!("has no meaning for {}", self.out))
                .with_hint("it is for delimited text: files that end in .csv or .tsv"));
        }
        if of_stream {
            file = file.of_stream();
        }
        if let Some(name) = &self.encoding {
            encoding_named(name)
                .map_err(|error| Error::from(error).in_field("encoding"))?
                .name()
                .clone_into(&mut file.encoding);
            // Only of these is the mark usual everywhere.
            file.bom = file.encoding.starts_with("UTF-16");
        }
        if let Some(text) = &self.delimiter {
            file.delimiter = Some(delimiter(text)?);
        }
        Ok(file)
    }
}

/// Texts are a file of any name, unless its ending says rows.
fn text_target(out: &str, path: PathBuf) -> Result<Target, Error> {
    const ROW_SUFFIXES: [&str; 11] =
        ["csv", "tsv", "jsonl", "ndjson", "parquet", "db", "db3", "sqlite", "sqlite3", "gz", "zst"];
    const OTHER_SUFFIXES: [&str; 9] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "mid", "midi", "wav"];
    match suffix(&path).as_str() {
        suffix if ROW_SUFFIXES.contains(&suffix) || out.contains("://") => Ok(Target::Rows(out.to_owned())),
        suffix if OTHER_SUFFIXES.contains(&suffix) => {
            Err(Error::request(format!("{out}: this model makes texts")).with_hint(endings(DataKind::Text)))
        }
        _ => Ok(Target::File(path, Encoding::Text)),
    }
}

/// How places of a kind end.
fn endings(kind: DataKind) -> &'static str {
    match kind {
        DataKind::Image => {
            "end it with .png for a picture, / for a folder, .db for rows of a database, or give a postgres:// address"
        }
        DataKind::Table => "end it with .csv, .tsv, .jsonl, .parquet or .db, or give a postgres:// address",
        DataKind::Text => {
            "end it with .txt for a text, / for a folder, .csv, .jsonl, .parquet or .db for rows"
        }
        DataKind::Music => {
            "end it with .mid or .wav for a tune, / for a folder of MIDI files, .db or a postgres:// address for rows of a \
             database"
        }
        DataKind::Audio => {
            "end it with .wav for a sound, / for a folder of sounds, .db or a postgres:// address for rows of a database"
        }
        DataKind::Video => {
            "end it with .gif, .png or .mp4 for moving pictures, / for a folder of GIFs, .db or a postgres:// address for \
             rows of a database"
        }
    }
}

/// ";", "tab" or "\\t".
fn delimiter(text: &str) -> Result<char, Error> {
    let named = match text.to_lowercase().as_str() {
        "tab" | "\\t" => Some('\t'),
        "comma" => Some(','),
        "semicolon" => Some(';'),
        "pipe" => Some('|'),
        "space" => Some(' '),
        _ => None,
    };
    let mut letters = text.chars();
    let only =
        letters.next().filter(|c| letters.next().is_none() && c.is_ascii() && !c.is_ascii_alphanumeric());
    let usable = |c: &char| !['"', '\n', '\r', '\0', '.', '-'].contains(c);
    named.or(only).filter(usable).ok_or_else(|| {
        Error::request(format!("`{text}` cannot separate cells"))
            .with_hint("give one character, such as `;`, or `tab`")
            .in_field("delimiter")
    })
}

/// How the name of a file ends, in small letters.
pub(super) fn suffix(path: &Path) -> String {
    path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Whether it is a folder: by its end, or because it is there.
fn is_folder(out: &str) -> bool {
    !is_postgres(out) && (out.ends_with(['/', std::path::MAIN_SEPARATOR]) || path_of(out).is_dir())
}

/// Whether it is a database that takes items.
fn is_database(out: &str) -> bool {
    let is_file = ["db", "db3", "sqlite", "sqlite3"].contains(&suffix(&path_of(out)).as_str());
    is_postgres(out) || is_file
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn target(kind: DataKind, out: &str) -> Option<Target> {
        Output::to(out).target(kind).ok()
    }

    #[test]
    fn the_ending_says_what_is_written() {
        let file = |path: &str, encoding| Some(Target::File(path.into(), encoding));
        assert_eq!(target(DataKind::Image, "a/new.PNG"), file("a/new.PNG", Encoding::Png));
        assert_eq!(target(DataKind::Music, "a.MID"), file("a.MID", Encoding::Midi));
        assert_eq!(target(DataKind::Music, "a.wav"), file("a.wav", Encoding::Wav));
        assert_eq!(target(DataKind::Audio, "a.WAV"), file("a.WAV", Encoding::Wav));
        assert_eq!(target(DataKind::Video, "a.GIF"), file("a.GIF", Encoding::Gif));
        assert_eq!(target(DataKind::Video, "a.png"), file("a.png", Encoding::Apng));
        assert_eq!(target(DataKind::Text, "new.txt"), file("new.txt", Encoding::Text));
        assert_eq!(target(DataKind::Text, "глава"), file("глава", Encoding::Text));
        let rows = |out: &str| Some(Target::Rows(out.to_owned()));
        assert_eq!(target(DataKind::Text, "new.jsonl.gz"), rows("new.jsonl.gz"));
        assert_eq!(target(DataKind::Text, "postgres://h/d"), rows("postgres://h/d"));
        assert_eq!(target(DataKind::Table, "new.csv"), rows("new.csv"));
        for kind in [DataKind::Image, DataKind::Text, DataKind::Music, DataKind::Audio, DataKind::Video] {
            assert_eq!(target(kind, "new/"), Some(Target::Folder("new/".into())));
        }
        for kind in [DataKind::Image, DataKind::Music, DataKind::Audio, DataKind::Video] {
            assert_eq!(target(kind, "shop.sqlite3"), Some(Target::Items("shop.sqlite3".to_owned())));
            assert_eq!(target(kind, "postgres://x/y"), Some(Target::Items("postgres://x/y".to_owned())));
            assert_eq!(target(kind, "new"), None);
        }
        assert_eq!(target(DataKind::Image, "new.jpg"), None);
        assert_eq!(target(DataKind::Image, "mysql://x/y"), None);
        assert_eq!(target(DataKind::Text, "new.png"), None);
        assert_eq!(target(DataKind::Audio, "a.mp3"), None);
        assert_eq!(target(DataKind::Video, "a.avi"), None);
    }

    #[test]
    fn grids() {
        let grid = |text: &str| Output { grid: Some(text.to_owned()), ..Output::default() }.grid();
        assert_eq!(grid("8x6").unwrap(), Some((8, 6)));
        assert_eq!(grid("3 × 2").unwrap(), Some((3, 2)));
        for bad in ["8", "x", "0x3", "8x", "-1x2", "99999x1"] {
            assert!(grid(bad).is_err(), "{bad}");
        }
    }
}
