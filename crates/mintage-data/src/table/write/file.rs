//! Files of text: written whole beside their final place. Where rows are appended, what the file had is copied as it
//! is, byte by byte, and the new rows are written in its own dialect, encoding and line ends.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use encoding_rs::Encoding;
use flate2::write::GzEncoder;

use super::{
    super::{
        Column, Table,
        format::{Compression, FileFormat, Format},
        made::{self, Digest, Part},
        read,
        text_file::{Packing, packing_of, with_encoded_text, with_text},
    },
    IfExists, Writing, Written,
    encode::{Encoded, encoding_named},
    is_there, json, made_meanwhile, parquet,
    rows::{I64_RANGE, IdRange, Rows},
    text::{Delimited, TextWriter},
};
use crate::{
    Error, Provenance, SourceSpec, Type,
    sink::{Beside, lock, target_of},
};

pub(super) fn write(
    rows: &mut Rows,
    path: &Path,
    format: Format,
    how: &mut Writing,
) -> Result<Written, Error> {
    prepare(rows, path, format, how)?.commit(rows.written, format, how)
}

/// A file that is whole, and lies beside its place.
pub(super) struct Ready {
    path: PathBuf,
    place: String,
    /// Until all is done, so that who comes second sees what the first has written.
    held: Option<File>,
    file: Beside,
    /// To rows that were there.
    pub appends: bool,
    /// There was nothing in its place.
    pub is_new: bool,
}

impl Ready {
    /// Gives the file its name, and notes beside it which rows were made.
    ///
    /// # Errors
    /// The file or the note cannot be written.
    pub fn commit(self, rows: usize, format: Format, how: &Writing) -> Result<Written, Error> {
        let Self { path, place, held, file, appends, .. } = self;
        let commit =
            |file: Beside| file.commit_held(held.is_some()).map_err(|error| made_meanwhile(&path, error));
        match how.provenance.filter(|_| format != Format::Parquet) {
            Some(provenance) => {
                let part = part(&file, rows, format, appends, provenance).map_err(|error| error.at(&path))?;
                made::noted(&path, part, appends, || commit(file))?;
            }
            None => drop(commit(file)?),
        }
        Ok(Written { rows, place })
    }
}

/// Writes the rows, and those that are there where new ones stand behind them, beside the place of the file.
///
/// # Errors
/// The file is there and may not be, has other columns, or cannot be written.
pub(super) fn prepare(
    rows: &mut Rows,
    path: &Path,
    format: Format,
    how: &mut Writing,
) -> Result<Ready, Error> {
    let place = path.display().to_string();
    // Of a link, the file that it leads to.
    let path = &target_of(path).map_err(Error::io(path))?;
    // Held until all is done: who comes second sees what the first has written.
    let held = lock(path).map_err(Error::io(path))?;
    let is_full = fs::metadata(path).is_ok_and(|there| there.len() > 0);
    let appends = is_full && how.if_exists == IfExists::Append;
    let file = match (is_full, how.if_exists, format) {
        (true, IfExists::Fail, _) => return Err(is_there(&place)),
        (true, IfExists::Append, Format::Parquet) => {
            return Err(Error::bad(place, "is a Parquet file, to which nothing can be appended")
                .with_hint("write to another file, or choose `if_exists` replace"));
        }
        (true, IfExists::Append, _) => append(rows, path, format, how)?,
        (_, _, Format::Parquet) => parquet::write(rows, path, how)?,
        (..) => {
            let text = Text::new(how.file, format)?;
            let file = Beside::create(path).map_err(Error::io(path))?;
            let packing = match Compression::of(&path.to_string_lossy()) {
                Compression::None => Packing::None,
                Compression::Gzip => Packing::Gzip,
                Compression::Zstd => Packing::Zstd,
            };
            text.fill(&file.file, path, packing, |out| send(rows, format, how, out))?;
            file
        }
    };
    Ok(Ready { path: path.clone(), place, held, file, appends, is_new: !is_full })
}

/// What is to be noted of the rows that were made, the last ones of a file that has no name yet.
fn part(
    file: &Beside,
    rows: usize,
    format: Format,
    appends: bool,
    provenance: &Provenance,
) -> Result<Part, Error> {
    let written = file.temporary();
    let hashes = |most| match format {
        Format::JsonLines => read::jsonl::hashes(written, most),
        _ => read::csv::hashes(written, format.delimiter(), most),
    };
    if !appends && rows > made::MAX_HASHED {
        let whole = Digest::of(written).map_err(Error::io(written))?;
        return Ok(Part::new(provenance, rows, &hashes(made::MAX_HASHED)?, Some(whole)));
    }
    let hashes = hashes(usize::MAX)?;
    let first = hashes.len().saturating_sub(rows);
    Ok(Part::new(provenance, rows, &hashes[first..], None))
}

/// Sends the text of all rows, the header first.
pub(super) fn send(
    rows: &mut Rows,
    format: Format,
    how: &mut Writing,
    out: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    rows.bound(how, id_range)?;
    let writer = TextWriter::new(rows.head, how.schema, format, how.file);
    out(&writer.head(rows.head))?;
    send_rows(rows, &writer, how, out)
}

fn send_rows(
    rows: &mut Rows,
    writer: &TextWriter,
    how: &mut Writing,
    out: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut text = Vec::new();
    while let Some(part) = rows.next(how.random)? {
        text.clear();
        writer.rows(&part, &mut text);
        out(&text)?;
    }
    Ok(())
}

/// The whole numbers that a column of the source holds.
fn id_range(column: &Column) -> Option<IdRange> {
    let declaration = &column.declaration;
    let of_type = declaration.native.as_deref().and_then(|native| match native {
        "UInt64" => Some((0, i128::from(u64::MAX))),
        "Int32" => Some((i32::MIN.into(), i32::MAX.into())),
        _ => None,
    });
    of_type.or((declaration.value_type() == Type::Integer).then_some(I64_RANGE))
}

fn append(rows: &mut Rows, path: &Path, format: Format, how: &mut Writing) -> Result<Beside, Error> {
    let packing = packing_of(path)?;
    if packing == Packing::Xz {
        return Err(Error::bad(
            path.display().to_string(),
            "is packed by xz, to which nothing can be appended",
        )
        .with_hint("unpack it first, or write to another file"));
    }
    let spec = |column: Option<&str>| SourceSpec {
        source: path.display().to_string(),
        column: column.map(str::to_owned),
        allow_made: true,
        ..SourceSpec::default()
    };
    let (writer, file) = if format == Format::JsonLines {
        let theirs = read(&spec(None))?;
        check_keys(rows.head, path, &theirs)?;
        let file = lines_of(path)?;
        let lines = json::Lines::new(rows.head, how.schema, Some(&theirs)).ending(file.line_end);
        (TextWriter::Json(lines), file)
    } else {
        let file = check_header(rows.head, path, format)?.unwrap_or_else(|| how.file.clone());
        (TextWriter::Delimited(Delimited::new(rows.head, format, &file)), file)
    };
    let present = |name: &str| Ok(read(&spec(Some(name)))?.columns.swap_remove(0));
    rows.renew(how, present, id_range)?;
    let text = Text { encoding: encoding_named(&file.encoding)?, bom: false };
    let beside = Beside::create(path).map_err(Error::io(path))?;
    let mut old = File::open(path).map_err(Error::io(path))?;
    io::copy(&mut old, &mut &beside.file).map_err(Error::io(path))?;
    let ended = last_line_is_ended(path)?;
    text.fill(&beside.file, path, packing, |out| {
        if !ended {
            out(file.line_end.text().as_bytes())?;
        }
        send_rows(rows, &writer, how, out)
    })?;
    Ok(beside)
}

/// How a file is written, which must have the columns of `table` in their order; nothing for an empty one.
fn check_header(table: &Table, path: &Path, format: Format) -> Result<Option<FileFormat>, Error> {
    let Some((file, names)) = read::csv::header(path, format.delimiter())? else { return Ok(None) };
    let same = match file.header {
        true => table.names().eq(names.iter().map(String::as_str)),
        // Without names, the places must do.
        false => table.columns.len() == names.len(),
    };
    if same { Ok(Some(file)) } else { Err(differs(table, path, &names)) }
}

/// The line ends and the encoding of a file of JSON Lines.
fn lines_of(path: &Path) -> Result<FileFormat, Error> {
    with_encoded_text(path, |text, encoding| {
        let line_end = read::line_end(text.fill_buf().map_err(Error::io(path))?);
        let encoding = encoding.encoding.name().to_owned();
        Ok(FileFormat { line_end, encoding, ..FileFormat::default() })
    })
}

/// Every key of a file of JSON Lines must be a column of `table`, and the other way round.
fn check_keys(table: &Table, path: &Path, theirs: &Table) -> Result<(), Error> {
    let names: Vec<String> = theirs.names().map(str::to_owned).collect();
    let same =
        names.len() == table.columns.len() && table.names().all(|name| names.iter().any(|n| n == name));
    if same { Ok(()) } else { Err(differs(table, path, &names)) }
}

fn differs(table: &Table, path: &Path, names: &[String]) -> Error {
    let shown = |mut names: Vec<String>| {
        let more = names.len() > 20;
        names.truncate(20);
        format!("{}{}", names.join(", "), if more { ", …" } else { "" })
    };
    let lacks: Vec<String> =
        table.names().filter(|n| !names.iter().any(|m| m == n)).map(str::to_owned).collect();
    let has: Vec<String> = names.iter().filter(|n| table.column(n).is_none()).cloned().collect();
    let why = match (lacks.is_empty(), has.is_empty()) {
        (true, true) => "has the same columns in another order".to_owned(),
        (false, true) => format!("has other columns: it lacks {}", shown(lacks)),
        (true, false) => format!("has other columns: {} besides", shown(has)),
        (false, false) => format!("has other columns: {} instead of {}", shown(has), shown(lacks)),
    };
    Error::bad(path.display().to_string(), why)
        .with_hint("write to another file, or choose `if_exists` replace")
}

/// Text on its way into a file.
struct Text {
    encoding: &'static Encoding,
    bom: bool,
}

impl Text {
    /// As `file` says; JSON is always UTF-8.
    fn new(file: &FileFormat, format: Format) -> Result<Self, Error> {
        match format {
            Format::JsonLines => Ok(Self { encoding: encoding_rs::UTF_8, bom: false }),
            _ => Ok(Self { encoding: encoding_named(&file.encoding)?, bom: file.bom }),
        }
    }

    /// Writes what `rows` sends at the end of `file`, encoded and packed.
    fn fill(
        &self,
        file: &File,
        path: &Path,
        packing: Packing,
        rows: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let out = BufWriter::new(file);
        let io = |error| Error::io(path)(error);
        let mut out = match packing {
            Packing::None | Packing::Xz => self.encode(out, path, rows)?,
            Packing::Gzip => {
                let packed = GzEncoder::new(out, flate2::Compression::default());
                self.encode(packed, path, rows)?.finish().map_err(io)?
            }
            Packing::Zstd => {
                let level = zstd::DEFAULT_COMPRESSION_LEVEL;
                let packed = zstd::stream::write::Encoder::new(out, level).map_err(io)?;
                self.encode(packed, path, rows)?.finish().map_err(io)?
            }
        };
        out.flush().map_err(io)
    }

    fn encode<W: Write>(
        &self,
        out: W,
        path: &Path,
        rows: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<W, Error> {
        let mut out = Encoded::new(out, self.encoding);
        if self.bom {
            out.write_all("\u{feff}".as_bytes()).map_err(Error::io(path))?;
        }
        rows(&mut |text| out.write_all(text).map_err(Error::io(path)))?;
        out.finish().map_err(Error::io(path))
    }
}

/// Whether the text of a file ends with the end of a line.
fn last_line_is_ended(path: &Path) -> Result<bool, Error> {
    with_text(path, |text| {
        let mut last = b'\n';
        loop {
            let chunk = text.fill_buf().map_err(Error::io(path))?;
            let Some(&end) = chunk.last() else { return Ok(matches!(last, b'\n' | b'\r')) };
            last = end;
            let length = chunk.len();
            text.consume(length);
        }
    })
}
