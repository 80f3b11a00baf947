//! `metadata.csv` of a folder, read and gone on with as it is: its encoding, what separates its cells, its line ends and
//! its columns are its owner's.

use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::{
    Error,
    files::read_limited,
    table::text_file::{decode, encoding_of},
};

pub(crate) const METADATA: &str = "metadata.csv";
const FILE: &str = "file_name";
const LABEL: &str = "label";
const MADE: &str = "mintage";
/// The most that such a file may be.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// A `metadata.csv` that names files.
pub(crate) struct Metadata {
    encoding: &'static Encoding,
    delimiter: u8,
    crlf: bool,
    /// Whether its last line is ended.
    ended: bool,
    pub names: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Metadata {
    /// Reads a `metadata.csv`.
    ///
    /// # Errors
    /// The file cannot be read, is not text in the encoding that it seems to have, or is not a CSV file with a column
    /// `file_name`.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::parse(&read_limited(path, MAX_BYTES).map_err(|error| error.to_string())?)
    }

    /// Parses the contents of a `metadata.csv`.
    ///
    /// # Errors
    /// The bytes are not text in the encoding that they seem to have, or are not a CSV file with a column `file_name`.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let encoding = encoding_of(bytes);
        let text = decode(bytes, encoding, false, MAX_BYTES as usize)
            .map_err(|at| format!("byte {at} is no text in {}", encoding.name()))?;
        let delimiter = b",;\t|".iter().copied().find(|&delimiter| {
            let header = header(&text, delimiter);
            header.is_ok_and(|names| names.iter().any(|name| name == FILE))
        });
        let Some(delimiter) = delimiter else { return Err(format!("has no column `{FILE}`")) };
        let names = header(&text, delimiter).map_err(|error| error.to_string())?;
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            rows.push(record.iter().map(str::to_owned).collect());
        }
        let (crlf, ended) = (text.contains("\r\n"), text.ends_with('\n'));
        Ok(Self { encoding, delimiter, crlf, ended, names, rows })
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// The place of the column with the files' names.
    pub fn files(&self) -> usize {
        self.column(FILE).unwrap_or(0)
    }

    /// Whether a row says that its file was made.
    pub fn is_made(&self, row: &[String]) -> bool {
        self.column(MADE).and_then(|at| row.get(at)).is_some_and(|cell| !cell.is_empty())
    }

    /// Encodes lines for new files, each a name and a label, which are to be appended to the file.
    ///
    /// # Errors
    /// A name or a label has letters that the encoding of the file lacks.
    pub fn more(&self, files: &[(String, String)], provenance: &str) -> Result<Vec<u8>, Error> {
        let end = if self.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer =
            csv::WriterBuilder::new().delimiter(self.delimiter).terminator(end).from_writer(Vec::new());
        for (file, label) in files {
            let cell = |name: &String| match name.as_str() {
                FILE => file.as_str(),
                LABEL => label.as_str(),
                MADE => provenance,
                _ => "",
            };
            writer
                .write_record(self.names.iter().map(cell))
                .map_err(|e| Error::bad(METADATA, e.to_string()))?;
        }
        let lines = writer.into_inner().map_err(|e| Error::bad(METADATA, e.to_string()))?;
        let mut text = String::from_utf8(lines).map_err(|e| Error::bad(METADATA, e.to_string()))?;
        if !self.ended {
            text.insert_str(0, if self.crlf { "\r\n" } else { "\n" });
        }
        self.encoded(&text).ok_or_else(|| {
            let why = format!("is in {}, which has not all letters of the labels", self.encoding.name());
            Error::bad(METADATA, why).with_hint("save it as UTF-8, or write to another folder")
        })
    }

    fn encoded(&self, text: &str) -> Option<Vec<u8>> {
        if self.encoding == UTF_16LE || self.encoding == UTF_16BE {
            let bytes =
                |unit: u16| if self.encoding == UTF_16LE { unit.to_le_bytes() } else { unit.to_be_bytes() };
            return Some(text.encode_utf16().flat_map(bytes).collect());
        }
        let (bytes, _, lossy) = self.encoding.encode(text);
        (!lossy).then(|| bytes.into_owned())
    }
}

/// A new file, with nothing in it but the names of its columns.
pub(super) fn fresh() -> (Metadata, Vec<u8>) {
    let names = [FILE, LABEL, MADE].map(str::to_owned).to_vec();
    let head = format!("{}\n", names.join(",")).into_bytes();
    let fresh =
        Metadata { encoding: UTF_8, delimiter: b',', crlf: false, ended: true, names, rows: Vec::new() };
    (fresh, head)
}

fn header(text: &str, delimiter: u8) -> Result<Vec<String>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    Ok(reader.headers()?.iter().map(|name| name.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn more(before: &[u8]) -> Vec<u8> {
        let files = [("кот/1.png".to_owned(), "кот".to_owned())];
        [before, &Metadata::parse(before).unwrap().more(&files, "{}").unwrap()].concat()
    }

    #[test]
    fn goes_on_in_the_owners_way() {
        let before = "file_name;label;author\r\nгод.png;кот;Аня";
        let cp1251 = encoding_rs::WINDOWS_1251.encode(before).0.into_owned();
        let after = more(&cp1251);
        assert!(after.starts_with(&cp1251));
        let text = encoding_rs::WINDOWS_1251.decode(&after).0.into_owned();
        assert_eq!(text, format!("{before}\r\nкот/1.png;кот;\r\n"));
        let wide: Vec<u8> =
            [0xfeff].into_iter().chain(before.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let after = Metadata::parse(&more(&wide)).unwrap();
        assert_eq!(after.rows, [["год.png", "кот", "Аня"], ["кот/1.png", "кот", ""]]);
        assert_eq!(
            more(b"label,file_name,mintage\n"),
            "label,file_name,mintage\nкот,кот/1.png,{}\n".as_bytes()
        );
        assert!(Metadata::parse(b"name,label\n1.png,a\n").is_err());
        let latin = encoding_rs::WINDOWS_1252
            .encode("file_name,label\ncaf\u{e9}.png,\u{fc}ber gr\u{fc}n\n")
            .0
            .into_owned();
        let files = [("1.png".to_owned(), "кот".to_owned())];
        assert!(
            Metadata::parse(&latin)
                .unwrap()
                .more(&files, "{}")
                .unwrap_err()
                .to_string()
                .contains("windows-1252")
        );
    }
}
