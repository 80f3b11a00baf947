//! Files of text: written whole beside their final place, what they had before with it when rows are
//! appended.

use std::{
    fs,
    io::{self, BufRead, BufWriter, Write},
    path::{Path, PathBuf},
};

use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        Column, Table,
        csv::Dialect,
        format::{Compression, Format},
        read,
        text_file::with_text,
    },
    IfExists, Writing, Written, ids, is_there, json, parquet, write_header, write_records,
};
use crate::{
    Error, Provenance, SourceSpec,
    sink::{Beside, atomic_write},
};

pub(super) fn write(table: &Table, path: &Path, format: Format, how: &mut Writing) -> Result<Written, Error> {
    let place = path.display().to_string();
    let is_full = fs::metadata(path).is_ok_and(|there| there.len() > 0);
    let appends = is_full && how.if_exists == IfExists::Append;
    match (is_full, how.if_exists, format) {
        (true, IfExists::Fail, _) => return Err(is_there(&place)),
        (true, IfExists::Append, Format::Parquet) => {
            return Err(Error::bad(place, "is a Parquet file, to which nothing can be appended")
                .with_hint("write to another file, or choose --if-exists replace"));
        }
        (true, IfExists::Append, _) => append(table, path, format, how)?,
        (_, _, Format::Parquet) => parquet::write(table, path, how.provenance)?,
        (_, _, Format::JsonLines) => fill(path, |out| json::write_lines(table, out))?,
        (..) => fill(path, |out| {
            write_header(table, format.dialect(), out)?;
            write_records(table, format.dialect(), out)
        })?,
    }
    if format != Format::Parquet {
        write_provenance(path, table.rows(), how.provenance, appends)?;
    }
    Ok(Written { rows: table.rows(), place })
}

fn append(table: &Table, path: &Path, format: Format, how: &mut Writing) -> Result<(), Error> {
    let present = |name: &str| -> Result<Column, Error> {
        let source = path.display().to_string();
        let spec = SourceSpec { source, column: Some(name.to_owned()), ..SourceSpec::default() };
        Ok(read(&spec)?.columns.swap_remove(0))
    };
    if format == Format::JsonLines {
        check_keys(table, path)?;
        let table = ids::afresh(table, how, present)?;
        return extend(path, |out| json::write_lines(&table, out));
    }
    let dialect = check_header(table, path, format)?;
    let table = ids::afresh(table, how, present)?;
    extend(path, |out| write_records(&table, dialect, out))
}

/// The dialect of a file, which must have the columns of `table` in their order.
fn check_header(table: &Table, path: &Path, format: Format) -> Result<Dialect, Error> {
    let Some((dialect, names)) = read::csv::header(path, format.delimiter())? else {
        return Ok(format.dialect());
    };
    if table.names().eq(names.iter().map(String::as_str)) {
        Ok(dialect)
    } else {
        Err(differs(table, path, &names))
    }
}

/// Every key of a file of JSON Lines must be a column of `table`, and the other way round.
fn check_keys(table: &Table, path: &Path) -> Result<(), Error> {
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    let names: Vec<String> = read(&spec)?.names().map(str::to_owned).collect();
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
        .with_hint("write to another file, or choose --if-exists replace")
}

/// Writes a new file.
fn fill(path: &Path, rows: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let fill = || {
        let file = Beside::create(path)?;
        let out = BufWriter::new(&file.file);
        let mut out = match Compression::of(&path.to_string_lossy()) {
            Compression::None => {
                let mut out = out;
                rows(&mut out)?;
                out
            }
            Compression::Gzip => {
                let mut out = GzEncoder::new(out, flate2::Compression::default());
                rows(&mut out)?;
                out.finish()?
            }
            Compression::Zstd => {
                let mut out = zstd::stream::write::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                rows(&mut out)?;
                out.finish()?
            }
        };
        out.flush()?;
        drop(out);
        file.commit()
    };
    fill().map_err(Error::io(path))
}

/// Writes a file anew with `rows` after what it has, now in UTF-8.
fn extend(path: &Path, rows: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    with_text(path, |old| {
        fill(path, |out| {
            copy_lines(old, out)?;
            rows(out)
        })
    })
}

/// Copies text; the last line is ended if it is not.
fn copy_lines(old: &mut dyn BufRead, out: &mut dyn Write) -> io::Result<()> {
    let mut last = b'\n';
    loop {
        let chunk = old.fill_buf()?;
        let Some(&end) = chunk.last() else { break };
        last = end;
        out.write_all(chunk)?;
        let length = chunk.len();
        old.consume(length);
    }
    if last == b'\n' { Ok(()) } else { out.write_all(b"\n") }
}

/// Rows of a file that were made, and by what: the last ones are those of the last entry.
#[derive(Serialize, Deserialize)]
struct Part {
    rows: usize,
    made_by: Provenance,
}

/// Notes in `FILE.mintage.json` what made the last rows of a file.
fn write_provenance(path: &Path, rows: usize, provenance: &Provenance, appended: bool) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".mintage.json");
    let beside = PathBuf::from(name);
    let before = fs::read(&beside).ok().filter(|_| appended);
    let mut parts: Vec<Part> = before.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    parts.push(Part { rows, made_by: provenance.clone() });
    let json = serde_json::to_vec_pretty(&parts)
        .map_err(|e| Error::bad(beside.display().to_string(), e.to_string()))?;
    atomic_write(&beside, &json).map_err(Error::io(&beside))
}
