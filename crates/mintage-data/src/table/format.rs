//! Which format a path or an address means, and how a file of delimited text is written.

use serde::{Deserialize, Serialize};

use super::csv::Dialect;
use crate::store::postgres::is_address;

/// The kinds of places that rows come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Tsv,
    JsonLines,
    Parquet,
    Sqlite,
    Postgres,
}

/// How a file of text is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Format {
    /// The format that `place` names by its suffix or its scheme.
    pub fn of(place: &str) -> Option<Self> {
        if is_address(place) {
            return Some(Self::Postgres);
        }
        let name = place.to_lowercase();
        let plain = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let of_text = match plain.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        };
        of_text.or(match name.rsplit_once('.')?.1 {
            "parquet" => Some(Self::Parquet),
            "db" | "sqlite" | "sqlite3" => Some(Self::Sqlite),
            _ => None,
        })
    }

    /// The delimiter that the format fixes for reading.
    pub fn delimiter(self) -> Option<u8> {
        (self == Self::Tsv).then_some(b'\t')
    }
}

/// How a file of delimited text is written, beside what stands in it. Kept with a model, so that new files look
/// like the one that was learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileFormat {
    /// Between cells; `None`: what the suffix of the file says.
    pub delimiter: Option<char>,
    pub quote: char,
    pub quoting: Quoting,
    /// Whether the names in the header have quotes.
    pub quoted_header: bool,
    pub line_end: LineEnd,
    /// By the name that the WHATWG gives it: "UTF-8", "windows-1251", "UTF-16LE".
    pub encoding: String,
    /// Whether the file begins with a byte order mark.
    pub bom: bool,
    /// Whether the first line has the names of the columns.
    pub header: bool,
    #[serde(skip_serializing_if = "Habits::is_none")]
    pub habits: Habits,
}

/// What a file has beyond plain delimited text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// Within quotes a backslash stands before quotes and itself.
    pub backslash: bool,
    /// The delimiter that what follows goes with.
    pub delimiter: Option<char>,
    pub space_before: bool,
    pub space_after: bool,
    /// A delimiter begins and ends each line, too.
    pub framed: bool,
    /// The columns stand below each other; spaces, however many, are one delimiter.
    pub aligned: bool,
}

impl Habits {
    fn is_none(&self) -> bool {
        !(self.backslash || self.space_before || self.space_after || self.framed || self.aligned)
    }
}

/// Which cells have quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quoting {
    /// Those that could not be read without.
    #[default]
    Needed,
    /// All that are not missing.
    All,
    /// All of these columns, by their names, as programs do that quote texts and leave numbers alone.
    Columns(Vec<String>),
}

/// How lines end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineEnd {
    #[default]
    Lf,
    Crlf,
    Cr,
}

impl LineEnd {
    pub fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
            Self::Cr => "\r",
        }
    }
}

impl Default for FileFormat {
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: '"',
            quoting: Quoting::Needed,
            quoted_header: false,
            line_end: LineEnd::Lf,
            encoding: "UTF-8".to_owned(),
            bom: false,
            header: true,
            habits: Habits::default(),
        }
    }
}

impl FileFormat {
    /// The delimiter and the quote of a file in `format`. The suffix .tsv says what its delimiter is.
    pub(crate) fn dialect(&self, format: Format) -> Dialect {
        let own = self.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok());
        let delimiter = format.delimiter().or(own).unwrap_or(Dialect::COMMA.delimiter);
        Dialect { delimiter, quote: u8::try_from(self.quote).unwrap_or(Dialect::COMMA.quote) }
    }

    /// The same for a stream of text: what is written into a pipe or on a terminal is UTF-8.
    #[must_use]
    pub fn of_stream(&self) -> Self {
        let Self { encoding, bom, line_end, .. } = Self::default();
        Self { encoding, bom, line_end, ..self.clone() }
    }
}

impl Compression {
    /// The compression that the suffix of `path` means.
    pub fn of(path: &str) -> Self {
        let name = path.to_lowercase();
        if name.ends_with(".gz") {
            Self::Gzip
        } else if name.ends_with(".zst") {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_format() {
        let of = |place| Format::of(place);
        assert_eq!(of("a.csv"), Some(Format::Csv));
        assert_eq!(of("dir.d/A.CSV.GZ"), Some(Format::Csv));
        assert_eq!(of("a.tsv.zst"), Some(Format::Tsv));
        assert_eq!(of("a.ndjson"), Some(Format::JsonLines));
        assert_eq!(of("a.parquet"), Some(Format::Parquet));
        assert_eq!(of("a.parquet.gz"), None);
        assert_eq!(of("shop.db"), Some(Format::Sqlite));
        assert_eq!(of("postgres://x/y.csv"), Some(Format::Postgres));
        assert_eq!(of("photos"), None);
        assert_eq!(Compression::of("a.csv.zst"), Compression::Zstd);
    }
}
