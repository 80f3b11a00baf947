//! Delimited text: CSV with any of the usual delimiters, and TSV.
//!
//! A line that does not fit is no reason to refuse the others: cells that are missing at the end of a line are missing
//! values, and lines with too many cells are left out and counted, as are a few pictures of a folder that cannot be read.

use std::{cell::Cell, io::BufRead, path::Path};

use super::{
    super::{
        FileFormat, Table,
        csv::{Fault, PADDING, Record, Records, skip_line},
        made::{MadeRows, row_hash},
        text_file::{TextEncoding, with_encoded_text, with_encoded_text_in},
        write::encoding_named,
    },
    Rows, check_names, chosen,
    dialect::{self, Layout, Said},
    empty, file_format,
    header::{Cells, names_in, numbered, owned, place_name},
    rows::{Sieve, again},
    stem,
};
use crate::{Error, SourceSpec, items::MAX_SKIPPED};

/// Short lines at the end of a file that may be notes below the table.
const MAX_FOOTER: usize = 5;

/// Reads a file; `delimiter` is the one that its name tells.
pub(super) fn read(
    path: &Path,
    delimiter: Option<u8>,
    spec: &SourceSpec,
    mut sieve: Option<&mut dyn Sieve>,
) -> Result<Table, Error> {
    let said = said(delimiter, spec)?;
    let encoding = spec.encoding.as_deref().map(encoding_named).transpose()?;
    let unclosed = Cell::new(false);
    let mut read_as = |said: &Said| {
        with_encoded_text_in(path, encoding, |text, encoding| {
            unclosed.set(false);
            read_text(path, text, (encoding, delimiter), said, (spec, again(&mut sieve)))
                .inspect_err(|(_, fault)| unclosed.set(*fault))
                .map_err(|(error, _)| error)
        })
    };
    match read_as(&said) {
        Err(error) if unclosed.get() => {
            // In many files of tabs quotes are inches and nothing else.
            let plain = read_as(&Said { no_quotes: true, ..said });
            let note = "a quote is opened that nothing closes: all quotes are taken for letters";
            plain.map_err(|_| error).map(|mut table| {
                table.notes.push(note.to_owned());
                table
            })
        }
        other => other,
    }
}

/// How a file is written and the names in its header; nothing when the file is empty.
pub(crate) fn header(path: &Path, delimiter: Option<u8>) -> Result<Option<(FileFormat, Vec<String>)>, Error> {
    with_encoded_text(path, |text, encoding| {
        let said = Said { delimiter, ..Said::default() };
        let opened = Opened::of(text, &said, (encoding, delimiter)).map_err(at(path))?;
        let Some(Opened { mut records, layout, format }) = opened else { return Ok(None) };
        let record = first(&mut records).map_err(at(path))?;
        Ok(record.map(|record| {
            let names = match layout.header {
                true => names_in(&owned(record), layout.row_names).0,
                false => numbered(layout.width.max(record.len())),
            };
            (format, names)
        }))
    })
}

/// What the specification says of how files are written.
fn said(delimiter: Option<u8>, spec: &SourceSpec) -> Result<Said, Error> {
    let comment = |sign: char| {
        let bad = || Error::bad("comment", format!("`{sign}` cannot begin lines of comments"));
        let plain =
            u8::try_from(sign).ok().filter(|byte| byte.is_ascii_punctuation() && !b"\"'".contains(byte));
        plain.ok_or_else(|| bad().with_hint("it is one sign, such as # or %"))
    };
    Ok(Said {
        delimiter: spec.delimiter.as_deref().map(delimiter_named).transpose()?.or(delimiter),
        header: spec.header,
        skip: spec.skip,
        comment: spec.comment.map(comment).transpose()?,
        no_quotes: false,
    })
}

/// The byte that a delimiter is called by: itself, or "tab", "space", "comma", …
pub(crate) fn delimiter_named(name: &str) -> Result<u8, Error> {
    let byte = match name {
        "tab" | "\\t" => Some(b'\t'),
        "space" => Some(b' '),
        "comma" => Some(b','),
        "semicolon" => Some(b';'),
        "pipe" => Some(b'|'),
        "colon" => Some(b':'),
        _ => match name.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"'\n\r\0.-+".contains(byte) => {
                Some(*byte)
            }
            _ => None,
        },
    };
    byte.ok_or_else(|| {
        Error::bad("delimiter", format!("`{name}` cannot keep cells apart")).with_hint(
            "it is one sign, such as , or ; or |, or one of tab, space, comma, semicolon, pipe, colon",
        )
    })
}

/// The encoding that was found, and the delimiter that the name of the file tells.
type Told = (TextEncoding, Option<u8>);

/// A file of which nothing but the lines before the table is read.
struct Opened<'a> {
    records: Records<&'a mut dyn BufRead>,
    layout: Layout,
    format: FileFormat,
}

impl<'a> Opened<'a> {
    /// Nothing where the file is empty.
    fn of(text: &'a mut dyn BufRead, said: &Said, (encoding, suffix): Told) -> Result<Option<Self>, Fault> {
        let sample = text.fill_buf()?;
        if sample.is_empty() {
            return Ok(None);
        }
        check_letters(sample)?;
        let layout = dialect::detect(sample, said);
        let by_suffix = suffix == Some(layout.dialect.delimiter);
        let table = dialect::after_lines(sample, layout.skip);
        let format = file_format::of_sample(table, &layout, encoding, by_suffix);
        let mut text = text;
        for _ in 0..layout.skip {
            if skip_line(&mut text)? == Some(b'\r') && text.fill_buf()?.first() == Some(&b'\n') {
                text.consume(1);
            }
        }
        if layout.marked {
            text.consume(1);
        }
        let line = layout.skip as u64 + 1;
        let records = Records::with(text, layout.dialect, layout.quirks, line).trimming(&layout.padded);
        Ok(Some(Self { records, layout, format }))
    }
}

/// An error where the beginning of a file is no text. A few NUL bytes are left out.
fn check_letters(sample: &[u8]) -> Result<(), Fault> {
    let nuls = sample.iter().take_while(|byte| **byte != 0).count();
    let all = sample.iter().filter(|byte| **byte == 0).count();
    // Behind the text there may be as many as a program liked to set aside.
    let tail = sample.iter().rev().take_while(|byte| **byte == 0).count();
    if (all - tail) * 100 > sample.len() || tail == sample.len() {
        let line = 1 + sample[..nuls].iter().filter(|byte| **byte == b'\n').count() as u64;
        return Err(Fault::Line(line, "holds a NUL byte, which no text has".to_owned()));
    }
    Ok(())
}

/// The table of a file, or an error and whether a quote was never closed.
fn read_text(
    path: &Path,
    text: &mut dyn BufRead,
    told: Told,
    said: &Said,
    (spec, sieve): (&SourceSpec, Option<&mut dyn Sieve>),
) -> Result<Table, (Error, bool)> {
    let whole = |error: Error| (error, false);
    let fault = |fault: Fault| {
        let unclosed = matches!(fault, Fault::Unclosed(_));
        (at(path)(fault), unclosed)
    };
    let place = path.display().to_string();
    let Some(Opened { mut records, layout, format }) = Opened::of(text, said, told).map_err(fault)? else {
        return Err(whole(Error::bad(place, "is empty")));
    };
    let Some(first) = first(&mut records).map_err(fault)? else {
        return Err(whole(Error::bad(place, "is empty")));
    };
    let (line, first) = (first.line, owned(first));
    let mut early = vec![(line, first)];
    let (mut names, mut notes) = (numbered(layout.width.max(early[0].1.len())), Vec::new());
    if layout.header {
        (names, notes) = names_in(&early.remove(0).1, layout.row_names);
        early.extend(next_below(&mut records).map_err(fault)?);
    } else {
        notes.push("no header was found: the columns are named by their place".to_owned());
    }
    check_names(&place, &names).map_err(whole)?;
    let columns = chosen(spec.column.as_deref(), &place, &names).map_err(whole)?;
    if told.0.damaged {
        notes.push(format!("some bytes are no {}: they became \u{fffd}", format.encoding));
    }
    let table = Table { notes, file: Some(format), ..empty(stem(path), &names, &columns) };
    let mut reading = Reading::new(path, Rows::new(table, spec, sieve), &columns, names.len(), spec);
    reading.header = layout.header;
    reading.framed = layout.quirks.framed;
    let mut made = MadeRows::of(path, spec).map_err(whole)?;
    let mut is_made = |hash: &dyn Fn() -> u64| !made.is_empty() && made.has(hash());
    for (line, cells) in early {
        let cells_of = || cells.iter().map(Option::as_deref);
        if is_made(&|| hash(cells_of())) {
            reading.rows.leave_out_made();
        } else {
            reading.add(cells_of(), cells.len(), line).map_err(whole)?;
        }
    }
    while let Some(found) = records.next().map_err(fault)? {
        // Of a single column, an empty line is a missing cell.
        if found.is_blank() && names.len() > 1 || layout.quirks.framed && dialect::is_rule(found) {
            continue;
        }
        if is_made(&|| hash(found.cells())) {
            reading.rows.leave_out_made();
        } else {
            reading.add(found.cells(), found.len(), found.line).map_err(whole)?;
        }
    }
    made.check(&place).map_err(whole)?;
    let nuls = records.nuls();
    reading.finish(nuls, &names).map_err(whole)
}

/// By the places of its cells: their names may be written otherwise, and so may the spaces around the cells.
fn hash<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> u64 {
    let bare = |text: &'a str| {
        let bare = text.trim_matches(PADDING);
        (!bare.is_empty() || text.is_empty()).then_some(bare.as_bytes())
    };
    row_hash(cells.enumerate().map(|(place, cell)| (place as u64, cell.and_then(bare))))
}

/// The hashes of the records of a file, at most so many, its header with them.
pub(crate) fn hashes(path: &Path, delimiter: Option<u8>, most: usize) -> Result<Vec<u64>, Error> {
    with_encoded_text(path, |text, encoding| {
        let said = Said { delimiter, ..Said::default() };
        let opened = Opened::of(text, &said, (encoding, delimiter)).map_err(at(path))?;
        let Some(Opened { mut records, .. }) = opened else { return Ok(Vec::new()) };
        let mut hashes = Vec::new();
        while hashes.len() < most
            && let Some(record) = records.next().map_err(at(path))?
        {
            // Of a single column, an empty line is a missing cell.
            if !record.is_blank() || record.len() == 1 {
                hashes.push(hash(record.cells()));
            }
        }
        Ok(hashes)
    })
}

/// The first record that is neither blank nor a rule, such as MySQL draws above the names.
fn first<R: BufRead>(records: &mut Records<R>) -> Result<Option<&Record>, Fault> {
    while records.next()?.is_some_and(|record| record.is_blank() || dialect::is_rule(record)) {}
    Ok(records.current())
}

/// The first record below the names that is neither blank nor a rule (`---+---`, as databases draw it).
fn next_below<R: BufRead>(records: &mut Records<R>) -> Result<Option<(u64, Cells)>, Fault> {
    while let Some(record) = records.next()? {
        if !record.is_blank() && !dialect::is_rule(record) {
            return Ok(Some((record.line, owned(record))));
        }
    }
    Ok(None)
}

/// Records on their way into a table.
struct Reading<'a, 's> {
    path: &'a Path,
    rows: Rows<'s>,
    /// For each column of the file its place in the table, if it is wanted.
    place_of: Vec<Option<usize>>,
    header: bool,
    /// Rows begin and end with a delimiter, so that a line without any is none.
    framed: bool,
    strict: bool,
    /// Short lines, which are notes below the table if nothing follows them.
    footer: Vec<(u64, Cells)>,
    lines: usize,
    /// Lines with fewer cells than there are columns.
    short: usize,
    /// Lines that were left out, and what is wrong with the first.
    long: usize,
    first_long: Option<Fault>,
}

impl<'p, 's> Reading<'p, 's> {
    fn new(path: &'p Path, rows: Rows<'s>, columns: &[usize], width: usize, spec: &SourceSpec) -> Self {
        let mut place_of = vec![None; width];
        columns.iter().enumerate().for_each(|(place, &column)| place_of[column] = Some(place));
        Self {
            path,
            rows,
            place_of,
            header: true,
            framed: false,
            strict: spec.strict,
            footer: Vec::new(),
            lines: 0,
            short: 0,
            long: 0,
            first_long: None,
        }
    }

    fn width(&self) -> usize {
        self.place_of.len()
    }

    /// Adds a record of `length` cells, which begins in `line`.
    fn add<'a>(
        &mut self,
        cells: impl Iterator<Item = Option<&'a str>> + Clone,
        length: usize,
        line: u64,
    ) -> Result<(), Error> {
        let width = self.width();
        let is_empty = width > 1 && cells.clone().all(|cell| cell.is_none());
        if length < width && !self.strict || is_empty {
            self.footer.push((line, cells.map(|cell| cell.map(str::to_owned)).collect()));
            return if self.footer.len() > MAX_FOOTER { self.release() } else { Ok(()) };
        }
        self.release()?;
        self.lines += 1;
        if length != width && (length < width || cells.clone().skip(width).any(|cell| cell.is_some())) {
            let fault = self.misfit(line, length);
            if self.strict {
                return Err(at(self.path)(fault));
            }
            self.long += 1;
            self.first_long.get_or_insert(fault);
            return Ok(());
        }
        self.push(cells);
        Ok(())
    }

    /// Adds the short lines that were held back: more follow, so they are rows.
    fn release(&mut self) -> Result<(), Error> {
        for (_, cells) in std::mem::take(&mut self.footer) {
            self.lines += 1;
            self.short += usize::from(cells.len() < self.width());
            self.push(cells.iter().map(Option::as_deref));
        }
        Ok(())
    }

    fn push<'a>(&mut self, cells: impl Iterator<Item = Option<&'a str>>) {
        if !self.rows.keeps_next() {
            return;
        }
        let all = cells.chain(std::iter::repeat(None));
        for (cell, place) in all.zip(&self.place_of) {
            if let Some(place) = *place {
                self.rows.table.columns[place].push(cell);
            }
        }
    }

    fn misfit(&self, line: u64, length: usize) -> Fault {
        let other = if self.header { "the header" } else { "the first line" };
        let cells = |n: usize| format!("{n} cell{}", if n == 1 { "" } else { "s" });
        Fault::Line(line, format!("has {}, and {other} {}", cells(length), self.width()))
    }

    fn finish(mut self, nuls: u64, names: &[String]) -> Result<Table, Error> {
        self.end()?;
        let place = self.path.display().to_string();
        if let Some(first) = self.first_long.take() {
            let first = at(self.path)(first);
            if self.long as f64 > MAX_SKIPPED * self.lines as f64 {
                return Err(first);
            }
            let lines = if self.long == 1 { "1 line has" } else { &format!("{} lines have", self.long) };
            let note =
                format!("{lines} more cells than there are columns and are left out; the first: {first}");
            self.rows.table.notes.push(note);
        }
        if self.short > 0 {
            let lines = if self.short == 1 { "1 line has" } else { &format!("{} lines have", self.short) };
            let note = format!("{lines} fewer cells than there are columns: those at the end are missing");
            self.rows.table.notes.push(note);
        }
        if nuls > 0 {
            self.rows.table.notes.push(format!("{nuls} NUL bytes are left out"));
        }
        let mut table = self.rows.finish(&place)?;
        drop_nameless(&mut table, names);
        Ok(table)
    }

    /// What the last lines are, if they are short: an empty row, a note, or rows after all.
    fn end(&mut self) -> Result<(), Error> {
        let filled = |cells: &Cells| cells.iter().flatten().count();
        let width = self.width();
        let is_note = |cells: &Cells| {
            filled(cells) == 0 || filled(cells) == 1 && cells.len() < width && (width > 2 || self.framed)
        };
        let held = std::mem::take(&mut self.footer);
        let last = held.iter().rposition(|(_, cells)| !is_note(cells)).map_or(0, |last| last + 1);
        let note = held.get(last..).unwrap_or_default().iter().find(|(_, cells)| filled(cells) > 0);
        if let Some((line, cells)) = note.filter(|_| self.lines > 0) {
            let text = cells.iter().flatten().next().cloned().unwrap_or_default();
            let short: String = text.chars().take(40).collect();
            self.rows
                .table
                .notes
                .push(format!("line {line}, `{short}`, stands below the table and is left out"));
        }
        // A table of nothing but short lines is one that is told of.
        let keep = if self.lines == 0 && last == 0 { held.len() } else { last };
        self.footer = held.into_iter().take(keep).collect();
        self.release()
    }
}

/// Leaves out the last column where it has neither a name nor a value: every line ends in a delimiter.
fn drop_nameless(table: &mut Table, names: &[String]) {
    let nameless = names.len() > 1 && names.last().is_some_and(|name| *name == place_name(names.len()));
    let is_it =
        |column: &super::super::Column| column.name == place_name(names.len()) && column.values().is_empty();
    if nameless && table.columns.len() > 1 && table.columns.last().is_some_and(is_it) {
        table.columns.pop();
    }
}

fn at(path: &Path) -> impl FnOnce(Fault) -> Error {
    move |fault| {
        let (line, why) = match fault {
            Fault::Io(error) => return Error::io(path)(error),
            Fault::Unclosed(line) => (line, "opens a quote that nothing closes".to_owned()),
            Fault::Line(line, why) => (line, why),
        };
        Error::bad(format!("{}, line {line}", path.display()), why).with_hint(
            "mend the line, or say how the file is written: --delimiter, --header, --skip, --comment",
        )
    }
}
