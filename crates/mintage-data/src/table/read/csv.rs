//! Delimited text: CSV with any of the usual delimiters, and TSV.

use std::{io::BufRead, path::Path};

use super::{
    super::{
        FileFormat, Table,
        csv::{Fault, Record, Records},
        made::{MadeRows, row_hash},
        text_file::{TextEncoding, with_encoded_text},
    },
    Rows, check_names, chosen, dialect, empty, file_format, stem,
};
use crate::{Error, SourceSpec};

/// Reads a file; `delimiter` is found when it is not given.
pub(super) fn read(path: &Path, delimiter: Option<u8>, spec: &SourceSpec) -> Result<Table, Error> {
    with_encoded_text(path, |text, encoding| read_text(path, text, encoding, delimiter, spec))
}

/// How a file is written and the names in its header; nothing when the file is empty.
pub(crate) fn header(path: &Path, delimiter: Option<u8>) -> Result<Option<(FileFormat, Vec<String>)>, Error> {
    with_encoded_text(path, |text, encoding| {
        let sample = text.fill_buf().map_err(Error::io(path))?;
        if sample.is_empty() {
            return Ok(None);
        }
        let (dialect, has_header) = dialect::detect(sample, delimiter);
        let format = file_format::of_sample(sample, dialect, has_header, encoding, delimiter.is_some());
        let mut records = Records::new(text, dialect);
        let record = first(&mut records).map_err(at(path))?;
        Ok(record.map(|record| (format, if has_header { names_in(record) } else { numbered(record) })))
    })
}

fn read_text(
    path: &Path,
    text: &mut dyn BufRead,
    encoding: TextEncoding,
    delimiter: Option<u8>,
    spec: &SourceSpec,
) -> Result<Table, Error> {
    let place = path.display().to_string();
    let sample = text.fill_buf().map_err(Error::io(path))?;
    let (dialect, has_header) = dialect::detect(sample, delimiter);
    let format = file_format::of_sample(sample, dialect, has_header, encoding, delimiter.is_some());
    let mut records = Records::new(text, dialect);
    let mut record = first(&mut records).map_err(at(path))?;
    let Some(header) = record else { return Err(Error::bad(place, "is empty")) };
    let names = if has_header { names_in(header) } else { numbered(header) };
    check_names(&place, &names)?;
    let columns = chosen(spec.column.as_deref(), &place, &names)?;
    let table = Table { file: Some(format), ..empty(stem(path), &names, &columns) };
    let mut rows = Rows::new(table, spec);
    if has_header {
        record = records.next().map_err(at(path))?;
    } else {
        rows.table.notes.push("no header was found: the columns are named by their place".to_owned());
    }
    let column_of = places(&columns, names.len());
    let mut made = MadeRows::of(path, spec)?;
    while let Some(found) = record {
        // Of a single column, an empty line is a missing cell.
        if !found.is_blank() || names.len() == 1 {
            check_width(found, names.len(), has_header).map_err(at(path))?;
            if !made.is_empty() && made.has(hash(found)) {
                rows.leave_out_made();
            } else {
                add(&mut rows, found, &column_of);
            }
        }
        record = records.next().map_err(at(path))?;
    }
    made.check(&place)?;
    rows.finish(&place)
}

/// By the places of its cells: their names may be written otherwise.
fn hash(record: &Record) -> u64 {
    row_hash(record.cells().enumerate().map(|(place, cell)| (place as u64, cell.map(str::as_bytes))))
}

/// The hashes of the records of a file, at most so many, its header with them.
pub(crate) fn hashes(path: &Path, delimiter: Option<u8>, most: usize) -> Result<Vec<u64>, Error> {
    with_encoded_text(path, |text, _| {
        let sample = text.fill_buf().map_err(Error::io(path))?;
        let (dialect, _) = dialect::detect(sample, delimiter);
        let mut records = Records::new(text, dialect);
        let mut hashes = Vec::new();
        while hashes.len() < most
            && let Some(record) = records.next().map_err(at(path))?
        {
            // Of a single column, an empty line is a missing cell.
            if !record.is_blank() || record.len() == 1 {
                hashes.push(hash(record));
            }
        }
        Ok(hashes)
    })
}

/// The first record that is not blank.
fn first<R: BufRead>(records: &mut Records<R>) -> Result<Option<&Record>, Fault> {
    while records.next()?.is_some_and(Record::is_blank) {}
    Ok(records.current())
}

/// For each column of the file its place in the table, if it is wanted.
fn places(columns: &[usize], width: usize) -> Vec<Option<usize>> {
    let mut places = vec![None; width];
    columns.iter().enumerate().for_each(|(place, &column)| places[column] = Some(place));
    places
}

fn add(rows: &mut Rows, record: &Record, column_of: &[Option<usize>]) {
    if !rows.keeps_next() {
        return;
    }
    for (cell, place) in record.cells().zip(column_of) {
        if let Some(place) = *place {
            rows.table.columns[place].push(cell);
        }
    }
}

fn check_width(record: &Record, width: usize, has_header: bool) -> Result<(), Fault> {
    if record.len() == width {
        return Ok(());
    }
    let other = if has_header { "the header" } else { "the first line" };
    let cells = |n: usize| format!("{n} cell{}", if n == 1 { "" } else { "s" });
    Err(Fault::Line(record.line, format!("has {}, and {other} {width}", cells(record.len()))))
}

/// Names without the spaces around them; a column without a name is named by its place.
pub(super) fn names_in(record: &Record) -> Vec<String> {
    let name = |(i, cell): (usize, Option<&str>)| match cell.map(str::trim) {
        None | Some("") => format!("column_{}", i + 1),
        Some(name) => name.to_owned(),
    };
    record.cells().enumerate().map(name).collect()
}

fn numbered(record: &Record) -> Vec<String> {
    (1..=record.len()).map(|i| format!("column_{i}")).collect()
}

fn at(path: &Path) -> impl FnOnce(Fault) -> Error {
    move |fault| match fault {
        Fault::Io(error) => Error::io(path)(error),
        Fault::Line(line, why) => Error::bad(format!("{}, line {line}", path.display()), why)
            .with_hint("mend the line, or write the file anew from where it came"),
    }
}
