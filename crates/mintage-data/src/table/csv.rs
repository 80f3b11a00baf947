//! Delimited text, both ways: dialects, records, and how a cell is quoted.
//!
//! The parser is our own because a cell that is empty and one that is empty between quotes differ: the first
//! is missing, the second is the text "". NUL bytes, which some programs fill files up with, are left out and counted.

use std::{
    io::{self, BufRead},
    str,
};

/// Columns that a table may have at most.
pub(crate) const MAX_COLUMNS: usize = 10_000;
/// Bytes that one record may have at most: a quote that never ends must not read a whole file into memory.
const MAX_RECORD_BYTES: usize = 64 << 20;

/// How cells are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub delimiter: u8,
    pub quote: u8,
}

impl Dialect {
    pub const COMMA: Self = Self { delimiter: b',', quote: b'"' };
    #[cfg(test)]
    pub const TAB: Self = Self { delimiter: b'\t', quote: b'"' };
}

/// In the place of a quote: a byte that UTF-8 does not have, so that nothing is quoted.
pub(crate) const NO_QUOTE: u8 = 0xff;

/// What some programs write beyond plain delimited text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// Lines that begin with this are left out.
    pub comment: Option<u8>,
    /// Within quotes a backslash stands before quotes, line ends and itself, as MySQL writes them.
    pub backslash: bool,
    /// Spaces before a quote do not count: `a, "b"`.
    pub space_before_quote: bool,
    /// Every line begins and ends with a delimiter, as in the tables of Markdown and MySQL.
    pub framed: bool,
    /// Spaces and tabs, however many, are one delimiter.
    pub runs: bool,
}

/// What stands around cells that are padded.
pub(crate) const PADDING: [char; 2] = [' ', '\t'];

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    /// A quote that is opened in this line and never closed.
    Unclosed(u64),
    /// Line and what is wrong with it.
    Line(u64, String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The cells of one line, or of several when quotes hold line ends.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The line that it begins in, from 1.
    pub line: u64,
    bytes: Vec<u8>,
    /// Where each cell ends in `bytes`, and whether it had quotes.
    ends: Vec<(usize, bool)>,
    /// For each column whether the spaces around its cells are no part of them.
    padded: Vec<bool>,
}

impl Record {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A line with nothing in it.
    pub fn is_blank(&self) -> bool {
        self.ends.as_slice() == [(0, false)]
    }

    /// Whether each cell had quotes.
    pub fn quoted(&self) -> impl Iterator<Item = bool> {
        self.ends.iter().map(|&(_, quoted)| quoted)
    }

    /// The cells; an empty one without quotes is missing.
    pub fn cells(&self) -> impl Iterator<Item = Option<&str>> + Clone {
        // The parser cuts only at ASCII, so that text stays text.
        let text = str::from_utf8(&self.bytes).unwrap_or_default();
        let mut start = 0;
        self.ends.iter().enumerate().map(move |(at, &(end, quoted))| {
            let cell = text.get(start..end).unwrap_or_default();
            start = end;
            let padded = !quoted && self.padded.get(at) == Some(&true);
            let cell = if padded { cell.trim_matches(PADDING) } else { cell };
            (quoted || !cell.is_empty()).then_some(cell)
        })
    }

    /// Takes away the empty cells before the first delimiter and behind the last.
    fn unframe(&mut self) {
        let [(first, false), .., (before, _), (last, false)] = self.ends[..] else { return };
        let blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == b' ');
        if blank(&self.bytes[..first]) && blank(&self.bytes[before..last]) {
            self.bytes.truncate(before);
            self.bytes.drain(..first);
            self.ends.pop();
            self.ends.remove(0);
            self.ends.iter_mut().for_each(|(end, _)| *end -= first);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first character of a cell.
    Start,
    Plain,
    Quoted,
    /// After a backslash inside quotes.
    Escape,
    /// After a quote inside quotes: it ends them, or stands for itself when another follows.
    Quote,
    Done,
}

/// Splits UTF-8 into records.
pub(crate) struct Records<R> {
    input: R,
    dialect: Dialect,
    quirks: Quirks,
    /// NUL bytes that were left out.
    nuls: u64,
    /// The line that is being read, from 1.
    line: u64,
    /// A carriage return ended the record before: a line feed after it belongs to it.
    skip_line_feed: bool,
    record: Record,
}

impl<R: BufRead> Records<R> {
    /// `line` is the one of its file that the input begins in.
    pub fn with(input: R, dialect: Dialect, quirks: Quirks, line: u64) -> Self {
        Self { input, dialect, quirks, nuls: 0, line, skip_line_feed: false, record: Record::default() }
    }

    /// The same, of columns that are `padded`.
    #[must_use]
    pub fn trimming(mut self, padded: &[bool]) -> Self {
        self.record.padded = padded.to_vec();
        self
    }

    /// NUL bytes that were left out so far.
    pub fn nuls(&self) -> u64 {
        self.nuls
    }

    /// Passes over lines of comments.
    fn skip_comments(&mut self) -> io::Result<()> {
        let Some(comment) = self.quirks.comment else { return Ok(()) };
        loop {
            if self.skip_line_feed && self.input.fill_buf()?.first() == Some(&b'\n') {
                self.input.consume(1);
            }
            self.skip_line_feed &= self.input.fill_buf()?.is_empty();
            if self.input.fill_buf()?.first() != Some(&comment) {
                return Ok(());
            }
            self.skip_line_feed = skip_line(&mut self.input)? == Some(b'\r');
            self.line += 1;
        }
    }

    /// Reads the next record; nothing at the end.
    ///
    /// # Errors
    /// The input cannot be read, a quote is never closed, or a record is too long or has too many columns.
    pub fn next(&mut self) -> Result<Option<&Record>, Fault> {
        self.skip_comments()?;
        self.record.bytes.clear();
        self.record.ends.clear();
        self.record.line = self.line;
        let mut state = State::Start;
        while state != State::Done {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return self.last(state);
            }
            let mut step = Step {
                dialect: self.dialect,
                quirks: self.quirks,
                line: &mut self.line,
                nuls: &mut self.nuls,
                record: &mut self.record,
                state,
            };
            let skipped = usize::from(self.skip_line_feed && chunk[0] == b'\n');
            self.skip_line_feed = false;
            let used = skipped + step.take(&chunk[skipped..])?;
            state = step.state;
            self.skip_line_feed = state == State::Done && chunk[used - 1] == b'\r';
            self.input.consume(used);
        }
        if self.quirks.framed {
            self.record.unframe();
        }
        Ok(Some(&self.record))
    }

    /// The record that `next` gave last, or nothing after the end.
    pub fn current(&self) -> Option<&Record> {
        (!self.record.ends.is_empty()).then_some(&self.record)
    }

    /// The end of the file may be the end of a record.
    fn last(&mut self, state: State) -> Result<Option<&Record>, Fault> {
        match state {
            State::Start if self.record.ends.is_empty() => Ok(None),
            State::Quoted | State::Escape => Err(Fault::Unclosed(self.record.line)),
            State::Start | State::Plain | State::Quote | State::Done => {
                if state != State::Start || !self.quirks.runs {
                    self.record.ends.push((self.record.bytes.len(), state == State::Quote));
                }
                if self.quirks.framed {
                    self.record.unframe();
                }
                Ok(Some(&self.record))
            }
        }
    }
}

/// One chunk of input on its way into a record.
struct Step<'a> {
    dialect: Dialect,
    quirks: Quirks,
    line: &'a mut u64,
    nuls: &'a mut u64,
    record: &'a mut Record,
    state: State,
}

impl Step<'_> {
    /// Reads as far as the record goes; returns how many bytes those are.
    fn take(&mut self, chunk: &[u8]) -> Result<usize, Fault> {
        let Dialect { quote, .. } = self.dialect;
        let mut at = 0;
        while at < chunk.len() && self.state != State::Done {
            match self.state {
                State::Start if chunk[at] == quote => {
                    self.state = State::Quoted;
                    self.forget_spaces();
                    at += 1;
                }
                State::Start if chunk[at] == b' ' && self.quirks.space_before_quote => {
                    self.push(b" ")?;
                    at += 1;
                }
                State::Start if self.quirks.runs && matches!(chunk[at], b' ' | b'\t') => at += 1,
                State::Start | State::Plain => {
                    let special = |b: &u8| matches!(*b, b'\n' | b'\r' | 0) || self.separates(*b);
                    let end = chunk[at..].iter().position(special).map_or(chunk.len(), |n| at + n);
                    self.push(&chunk[at..end])?;
                    self.state = if end > at { State::Plain } else { self.state };
                    at = end;
                    if let Some(&byte) = chunk.get(at) {
                        self.end_cell(byte, false)?;
                        at += 1;
                    }
                }
                State::Quoted => {
                    let backslash = self.quirks.backslash;
                    let special = |b: &u8| matches!(*b, b'\n' | 0) || *b == quote || *b == b'\\' && backslash;
                    let end = chunk[at..].iter().position(special).map_or(chunk.len(), |n| at + n);
                    self.push(&chunk[at..end])?;
                    at = end;
                    match chunk.get(at) {
                        None => {}
                        Some(0) => *self.nuls += 1,
                        Some(b'\n') => {
                            *self.line += 1;
                            self.push(b"\n")?;
                        }
                        Some(&byte) if byte == quote => self.state = State::Quote,
                        Some(_) => self.state = State::Escape,
                    }
                    at += 1;
                }
                State::Escape => {
                    let byte = chunk[at];
                    *self.line += u64::from(byte == b'\n');
                    match byte {
                        b'n' => self.push(b"\n")?,
                        b'r' => self.push(b"\r")?,
                        b't' => self.push(b"\t")?,
                        b'0' | 0 => {}
                        other => self.push(&[other])?,
                    }
                    self.state = State::Quoted;
                    at += 1;
                }
                State::Quote => {
                    let byte = chunk[at];
                    if byte == quote {
                        self.push(&[quote])?;
                        self.state = State::Quoted;
                    } else if matches!(byte, b'\n' | b'\r' | 0) || self.separates(byte) {
                        self.end_cell(byte, true)?;
                    } else {
                        // Text after the closing quote: kept as it is.
                        self.push(&[byte])?;
                        self.state = State::Plain;
                    }
                    at += 1;
                }
                State::Done => {}
            }
        }
        Ok(at.min(chunk.len()))
    }

    fn separates(&self, byte: u8) -> bool {
        byte == self.dialect.delimiter || self.quirks.runs && byte == b'\t'
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.record.bytes.extend_from_slice(bytes);
        if self.record.bytes.len() > MAX_RECORD_BYTES {
            let why = format!("begins a record of more than {} MiB", MAX_RECORD_BYTES >> 20);
            return Err(Fault::Line(self.record.line, why));
        }
        Ok(())
    }

    /// Takes back the spaces that stood before a quote.
    fn forget_spaces(&mut self) {
        let start = self.record.ends.last().map_or(0, |(end, _)| *end);
        self.record.bytes.truncate(start);
    }

    /// A delimiter or the end of a line; a NUL byte ends nothing.
    fn end_cell(&mut self, byte: u8, quoted: bool) -> Result<(), Fault> {
        if byte == 0 {
            *self.nuls += 1;
            return Ok(());
        }
        let separates = self.separates(byte);
        // After spaces at the end of a line there is no cell.
        let trailing = self.quirks.runs && !separates && self.state == State::Start;
        if !trailing || self.record.ends.is_empty() {
            self.record.ends.push((self.record.bytes.len(), quoted));
        }
        if separates && self.record.ends.len() >= MAX_COLUMNS {
            return Err(Fault::Line(self.record.line, format!("has more than {MAX_COLUMNS} columns")));
        }
        self.state = if separates { State::Start } else { State::Done };
        *self.line += u64::from(self.state == State::Done);
        Ok(())
    }
}

/// Passes over the rest of a line; the byte that ended it, or nothing at the end of the file.
pub(crate) fn skip_line(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(None);
        }
        let length = chunk.len();
        match chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(at) => {
                let end = chunk[at];
                input.consume(at + 1);
                return Ok(Some(end));
            }
            None => input.consume(length),
        }
    }
}

/// Adds a cell to a record that is being written. A missing one is empty; a text that is empty or would break the
/// line has quotes, and so has any where `always`. Quotes within are doubled, or have a backslash before them.
pub(crate) fn push_cell(
    out: &mut Vec<u8>,
    dialect: Dialect,
    cell: Option<&str>,
    always: bool,
    backslash: bool,
) {
    match cell {
        None => {}
        Some(text) if !always && !needs_quotes(text, dialect) => out.extend_from_slice(text.as_bytes()),
        Some(text) if backslash => {
            let quote = char::from(dialect.quote);
            let escaped = text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
            out.push(dialect.quote);
            out.extend_from_slice(escaped.as_bytes());
            out.push(dialect.quote);
        }
        Some(text) => push_quoted(out, text, dialect.quote),
    }
}

pub(crate) fn needs_quotes(text: &str, Dialect { delimiter, quote }: Dialect) -> bool {
    let special = |b: u8| matches!(b, b'\n' | b'\r') || b == delimiter || b == quote;
    text.is_empty() || text.starts_with('\u{feff}') || text.bytes().any(special)
}

fn push_quoted(out: &mut Vec<u8>, text: &str, quote: u8) {
    out.push(quote);
    for (i, part) in text.split(char::from(quote)).enumerate() {
        if i > 0 {
            out.extend_from_slice(&[quote, quote]);
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    type Cells = Vec<Option<String>>;

    fn parse(text: &[u8], dialect: Dialect, chunk: usize) -> Result<Vec<Cells>, Fault> {
        parse_with(text, dialect, Quirks::default(), chunk)
    }

    fn parse_with(text: &[u8], dialect: Dialect, quirks: Quirks, chunk: usize) -> Result<Vec<Cells>, Fault> {
        let mut records = Records::with(BufReader::with_capacity(chunk, text), dialect, quirks, 1);
        let mut all = Vec::new();
        while let Some(record) = records.next()? {
            all.push(record.cells().map(|cell| cell.map(str::to_owned)).collect());
        }
        Ok(all)
    }

    #[test]
    fn tells_an_empty_text_from_a_missing_one() {
        let text = b"a,\"\",\r\n\"x \"\"y\"\"\",\"1,\n2\"z,  \"q\"\rlast,,";
        let wanted: Vec<Cells> = [
            [Some("a"), Some(""), None],
            [Some("x \"y\""), Some("1,\n2z"), Some("  \"q\"")],
            [Some("last"), None, None],
        ]
        .map(|row| row.map(|cell| cell.map(str::to_owned)).to_vec())
        .to_vec();
        for chunk in [1, 2, 3, 100] {
            assert_eq!(parse(text, Dialect::COMMA, chunk).unwrap(), wanted);
        }
    }

    #[test]
    fn says_which_line_is_bad() {
        let line = |text: &str| match parse(text.as_bytes(), Dialect::COMMA, 7).unwrap_err() {
            Fault::Line(line, why) => (line, why),
            Fault::Unclosed(line) => (line, String::new()),
            Fault::Io(error) => panic!("{error}"),
        };
        assert_eq!(line("a,b\n\"1\n2\",3\n\"4,\n").0, 4);
        assert_eq!(line("a,b\n1,2\n\"3,4\n5,6\n").0, 3);
        assert!(line(&format!("a\n{}", ",".repeat(MAX_COLUMNS))).1.contains("10000 columns"));
    }

    #[test]
    fn quirks_of_other_programs() {
        let quirks =
            Quirks { comment: Some(b'#'), backslash: true, space_before_quote: true, ..Quirks::default() };
        let text = b"#c\r\n# \"d\n1,  \"a \\\"b\\\" \\\\ \\n\", x\0y\r#e\r2, \"\"\"\", \n#f";
        for chunk in [1, 2, 3, 100] {
            let mut records =
                Records::with(BufReader::with_capacity(chunk, &text[..]), Dialect::COMMA, quirks, 5);
            let mut next = || {
                let record = records.next().unwrap()?;
                let cells: Vec<String> = record.cells().map(|cell| cell.unwrap_or("-").to_owned()).collect();
                Some((record.line, cells.join("|")))
            };
            assert_eq!(next(), Some((7, "1|a \"b\" \\ \n| xy".to_owned())), "{chunk}");
            assert_eq!(next(), Some((9, "2|\"| ".to_owned())), "{chunk}");
            assert_eq!(next(), None, "{chunk}");
            assert_eq!(records.nuls(), 1);
        }
    }

    fn cell() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(proptest::string::string_regex("[ab,;'\"\n\r\t\\\\я🙂]{0,5}").unwrap())
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(
            rows in proptest::collection::vec(proptest::collection::vec(cell(), 2..5), 1..6),
            chunk in 1usize..20,
            tab: bool,
            quoted: bool,
            backslash: bool,
        ) {
            let dialect = if tab { Dialect::TAB } else { Dialect { delimiter: b';', quote: b'\'' } };
            let mut out = Vec::new();
            for row in &rows {
                for (i, cell) in row.iter().enumerate() {
                    if i > 0 {
                        out.push(dialect.delimiter);
                    }
                    push_cell(&mut out, dialect, cell.as_deref(), quoted, backslash);
                }
                out.push(b'\n');
            }
            let quirks = Quirks { backslash, ..Quirks::default() };
            prop_assert_eq!(parse_with(&out, dialect, quirks, chunk).unwrap(), rows);
        }

        #[test]
        fn never_panics(text: Vec<u8>, chunk in 1usize..20) {
            let _ = parse(&text, Dialect::COMMA, chunk);
            let quirks = Quirks { comment: Some(b'#'), backslash: true, space_before_quote: true, ..Quirks::default() };
            let framed = Quirks { framed: true, runs: true, ..Quirks::default() };
            for quirks in [quirks, framed] {
                let mut records = Records::with(BufReader::with_capacity(chunk, &text[..]), Dialect::COMMA, quirks, 1);
                while let Ok(Some(record)) = records.next() {
                    let _ = record.cells().count();
                }
            }
        }
    }
}
