//! Which format a path or an address means.

use super::csv::Dialect;

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
        if place.starts_with("postgres://") || place.starts_with("postgresql://") {
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

    /// How delimited text is written.
    pub fn dialect(self) -> Dialect {
        if self == Self::Tsv { Dialect::TAB } else { Dialect::COMMA }
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
