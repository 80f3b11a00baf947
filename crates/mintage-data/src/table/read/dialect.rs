//! How a file of delimited text is written, found from its beginning: what separates cells, what quotes them, what
//! stands before the table, and whether its first line has the names. What the user says is taken as it is.

use super::{
    super::csv::{Dialect, NO_QUOTE, Quirks, Record, Records, skip_line},
    header::{has_names, is_number, usual_shift},
    spaces::Spaces,
};

/// Records that are looked at.
const SCANNED_RECORDS: usize = 200;
/// What separates cells, the rarer ones first: where nothing tells two apart, the first is meant.
const DELIMITERS: [u8; 6] = *b"\x01^\t;|,";
/// Lines that may stand before the table.
const MAX_TITLES: usize = 30;
/// A delimiter cuts at least this share of the records into equally many cells.
const REGULAR: f64 = 0.5;
const BY_SPACES: Dialect = Dialect { delimiter: b' ', quote: b'"' };

/// What the user, or the name of the file, says of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    pub delimiter: Option<u8>,
    pub header: Option<bool>,
    /// Lines before the table.
    pub skip: Option<usize>,
    pub comment: Option<u8>,
    /// Quotes are letters like any other.
    pub no_quotes: bool,
}

/// How a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub dialect: Dialect,
    pub quirks: Quirks,
    /// Lines before the table: titles, comments, `sep=;`.
    pub skip: usize,
    /// Whether the first record has the names.
    pub header: bool,
    /// The names begin with a sign of comments: `#id`.
    pub marked: bool,
    /// The first column, with the names of the rows, has no name itself.
    pub row_names: bool,
    /// How many cells most records have.
    pub width: usize,
    /// For each column whether the spaces around its cells are no part of them.
    pub padded: Vec<bool>,
    /// Delimiters have a space before them.
    pub space_before: bool,
    /// … behind them.
    pub space_after: bool,
}

/// The cells of a record, and the line that it begins in, from 0.
struct Line {
    at: usize,
    cells: Vec<Option<String>>,
    /// Whether each had quotes.
    quoted: Vec<bool>,
}

/// The first records of a file.
type Head = Vec<Line>;

/// The layout of a file that begins with `sample`.
pub(super) fn detect(sample: &[u8], said: &Said) -> Layout {
    let told = told_by_excel(sample).filter(|_| said.skip.is_none());
    let skip = said.skip.unwrap_or(usize::from(told.is_some()));
    let rest = after_lines(sample, skip);
    let said = Said { delimiter: said.delimiter.or(told), ..*said };
    let mut layout = match comments(rest, &said) {
        Some(layout) => layout,
        None => below(rest, &said, said.comment),
    };
    layout.skip += skip;
    layout
}

/// `sep=;`, with which programs tell Excel the delimiter.
fn told_by_excel(sample: &[u8]) -> Option<u8> {
    let line = sample.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let line = line.strip_prefix(b"\"").map_or(line, |line| line.strip_suffix(b"\"").unwrap_or(line));
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") && delimiter.is_ascii() => {
            Some(*delimiter)
        }
        _ => None,
    }
}

pub(super) fn after_lines(mut sample: &[u8], lines: usize) -> &[u8] {
    for _ in 0..lines {
        let end = skip_line(&mut sample).ok().flatten();
        if end == Some(b'\r') && sample.starts_with(b"\n") {
            sample = &sample[1..];
        }
    }
    sample
}

/// The layout of a file with lines that begin with `#`, where they are no data: they stand above the table, or do not
/// have as many cells as the others. The last of those above may have the names.
fn comments(rest: &[u8], said: &Said) -> Option<Layout> {
    const SIGN: u8 = b'#';
    if said.comment.is_some() || said.skip.is_some() || !begins_a_line(rest, SIGN) {
        return None;
    }
    let mut layout = below(rest, said, Some(SIGN));
    let all = head(rest, layout.dialect, Quirks { comment: None, ..layout.quirks });
    let is_marked = |line: &Line| line.cells.first().is_some_and(|cell| begins(cell, SIGN));
    let above = all.iter().take_while(|line| is_marked(line)).count();
    let body: Vec<&Line> = all.iter().filter(|line| !is_marked(line)).collect();
    let width = body.first()?.cells.len();
    let like_others = |line: &&Line| is_marked(line) && line.cells.len() == width && width > 1;
    let names = above.checked_sub(1).map(|last| &all[last]).filter(|line| like_others(line));
    if all.iter().skip(above).any(|line| like_others(&line)) || above == 0 && width == 1 {
        // Such lines are data, unless they all stand above.
        layout.quirks.comment = None;
        layout.skip = body.first().map_or(0, |line| line.at);
        if above == 0 {
            return None;
        }
    }
    if let Some(names) = names {
        let texts: Vec<&[Option<String>]> = body.iter().map(|line| line.cells.as_slice()).collect();
        if !has_names(&body[0].cells, &texts[1..]) {
            // The line stands apart from the comments, so that its mark does not take it away.
            layout.skip = names.at;
            layout.header = said.header.unwrap_or(true);
            layout.marked = true;
            layout.row_names = false;
        }
    }
    Some(layout)
}

fn begins(cell: &Option<String>, sign: u8) -> bool {
    cell.as_ref().is_some_and(|text| text.as_bytes().first() == Some(&sign))
}

fn begins_a_line(text: &[u8], sign: u8) -> bool {
    let ends = |byte: u8| matches!(byte, b'\n' | b'\r');
    text.first() == Some(&sign) || text.windows(2).any(|pair| ends(pair[0]) && pair[1] == sign)
}

/// The layout of what stands below lines that were passed over.
fn below(rest: &[u8], said: &Said, comment: Option<u8>) -> Layout {
    let quirks_of = |dialect: Dialect| Quirks { comment, ..quirks(rest, dialect) };
    let with = |delimiter: u8| {
        let quote = if said.no_quotes { NO_QUOTE } else { quote(rest, delimiter) };
        let dialect = Dialect { delimiter, quote };
        let head = head(rest, dialect, quirks_of(dialect));
        (regularity(&head), dialect, head)
    };
    let aligned = (!said.no_quotes).then(|| aligned(rest, quirks_of(BY_SPACES))).flatten();
    let (dialect, mut head, runs) = match said.delimiter {
        Some(b' ') if aligned.is_some() => (BY_SPACES, aligned.unwrap_or_default(), true),
        Some(delimiter) => {
            let (_, dialect, head) = with(delimiter);
            (dialect, head, false)
        }
        None => cut(rest, &with, aligned),
    };
    let mut quirks = Quirks { runs, ..quirks_of(dialect) };
    if is_framed(&head, dialect) {
        quirks.framed = true;
        head = self::head(rest, dialect, quirks);
    }
    let start = if said.skip.is_some() { 0 } else { titles(&head) };
    let table = head.get(start..).unwrap_or_default();
    let cells: Vec<&[Option<String>]> = table.iter().map(|line| line.cells.as_slice()).collect();
    let found = cells.split_first().is_none_or(|(first, others)| has_names(first, others));
    let header = said.header.unwrap_or(found);
    let spaces = spaces(table.get(usize::from(header)..).unwrap_or_default());
    quirks.space_before_quote |= spaces.after;
    Layout {
        dialect,
        quirks,
        skip: if start == 0 { 0 } else { table[0].at },
        header,
        marked: false,
        row_names: cells.split_first().is_some_and(|(first, others)| usual_shift(first.len(), others) > 0),
        width: usual_width(table),
        padded: spaces.padded,
        space_before: spaces.before,
        space_after: spaces.after,
    }
}

/// The dialect that cuts the beginning of a file best, its records, and whether runs of spaces cut them.
fn cut(
    rest: &[u8],
    with: &dyn Fn(u8) -> (f64, Dialect, Head),
    aligned: Option<Head>,
) -> (Dialect, Head, bool) {
    let scored = DELIMITERS.map(with);
    // Where two separators cut every line alike, cells tell: "1,5;2,5" is two numbers, and a line of twelve commas with
    // one semicolon in a sentence is no line of two cells.
    let best = |score: &dyn Fn(&(f64, Dialect, Head)) -> f64| {
        let scores = scored.iter().map(|candidate| score(candidate) * whole(&candidate.2, candidate.1));
        let better = |best: (f64, usize), next: (f64, usize)| if next.0 > best.0 { next } else { best };
        scores.zip(0..).reduce(better).filter(|(score, _)| *score > 0.0).map(|(_, place)| place)
    };
    let regular = best(&|(share, _, _)| if *share >= REGULAR { *share } else { 0.0 });
    // A tab before the last column is one more space.
    let wider = |place: usize, head: &Head| {
        scored[place].1.delimiter == b'\t' && usual_width(head) > usual_width(&scored[place].2)
    };
    if let Some(head) = aligned
        && regular.is_none_or(|place| wider(place, &head))
    {
        return (BY_SPACES, head, true);
    }
    // Lines that do not fit are told of; they do not make one column of a table.
    let place = regular.or_else(|| best(&|(_, _, head)| like_first(head)));
    let mut scored = scored.into_iter();
    match place.and_then(|place| scored.nth(place)).or_else(|| by_spaces(with(b' '))) {
        Some((_, dialect, head)) => (dialect, head, false),
        None => {
            let (_, dialect, head) = with(one_column(rest));
            (dialect, head, false)
        }
    }
}

/// Whether every line with bars has nothing before its first and behind its last.
fn is_framed(head: &[Line], dialect: Dialect) -> bool {
    let blank = |cell: Option<&Option<String>>| {
        cell.is_some_and(|cell| cell.as_deref().is_none_or(|text| text.trim().is_empty()))
    };
    let framed = |line: &Line| line.cells.len() > 2 && blank(line.cells.first()) && blank(line.cells.last());
    let mut barred = head.iter().filter(|line| line.cells.len() > 1).peekable();
    dialect.delimiter == b'|' && barred.peek().is_some() && barred.all(framed)
}

/// The spaces around the cells of rows, but for those with more or fewer cells than most: notes have no padding.
fn spaces(rows: &[Line]) -> Spaces {
    let width = usual_width(rows);
    let mut columns = vec![Vec::new(); width];
    for line in rows.iter().filter(|line| line.cells.len() == width) {
        for ((cell, quoted), column) in line.cells.iter().zip(&line.quoted).zip(&mut columns) {
            column.extend(cell.as_deref().filter(|_| !quoted));
        }
    }
    Spaces::of(&columns)
}

/// The records of columns that stand below each other, with more than one space between them in most lines: each line
/// has as many cells, and one column at least is of numbers.
fn aligned(rest: &[u8], quirks: Quirks) -> Option<Head> {
    let lines = || {
        let lines = rest.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
        lines.filter(|line| !line.is_empty()).take(SCANNED_RECORDS)
    };
    let is_wide = |line: &&[u8]| line.windows(2).any(|pair| pair.iter().all(|b| matches!(b, b' ' | b'\t')));
    if 2 * lines().filter(is_wide).count() < lines().count() {
        return None;
    }
    let head = head(rest, BY_SPACES, Quirks { runs: true, ..quirks });
    let (first, others) = head.split_first()?;
    let width = others.first()?.cells.len();
    let regular = others.iter().all(|line| line.cells.len() == width);
    let names = first.cells.len() == width || first.cells.len() + 1 == width;
    let numbers = |i: usize| others.iter().all(|line| line.cells[i].as_deref().is_some_and(is_number));
    (regular && names && width >= 2 && others.len() >= 2 && (0..width).any(numbers)).then_some(head)
}

/// The share of cells that are whole: without another delimiter, but for the commas of numbers, and without a quote in
/// their midst.
fn whole(head: &[Line], dialect: Dialect) -> f64 {
    let foreign = |cell: &str| {
        let bytes = cell.as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        bytes.iter().enumerate().any(|(at, &byte)| match byte {
            b',' if at > 0 && digit(at - 1) && digit(at + 1) => false,
            _ => byte == dialect.quote || DELIMITERS.contains(&byte) && byte != dialect.delimiter,
        })
    };
    let cells = || head.iter().flat_map(|line| &line.cells);
    let foreign = cells().flatten().filter(|cell| foreign(cell)).count();
    1.0 - foreign as f64 / (cells().count() + 1) as f64
}

/// The share of records with as many cells as the first, where it has several and others are like it.
fn like_first(head: &[Line]) -> f64 {
    let width = head.first().map_or(0, |line| line.cells.len());
    let alike = head.iter().filter(|line| line.cells.len() == width).count();
    if width < 2 || alike < 2 { 0.0 } else { alike as f64 / head.len() as f64 }
}

/// A delimiter for a file of one column: a comma, unless commas are part of its cells.
fn one_column(rest: &[u8]) -> u8 {
    let head = head(rest, Dialect::COMMA, Quirks::default());
    let whole = head.iter().all(|line| line.cells.len() == 1);
    let unused = b";|\t\x1f".iter().find(|byte| !rest.contains(byte)).copied();
    if whole { b',' } else { unused.unwrap_or(b'\x1f') }
}

/// Spaces are delimiters only where nothing else is, each line has as many of them, and one column at least is of
/// numbers: three columns, or quotes as R writes them.
fn by_spaces(scored: (f64, Dialect, Head)) -> Option<(f64, Dialect, Head)> {
    let (_, _, head) = &scored;
    let (first, others) = head.split_first()?;
    let width = others.first()?.cells.len();
    let regular = others.iter().all(|line| line.cells.len() == width);
    let whole =
        regular && (first.cells.len() == width && width >= 3 || first.cells.len() + 1 == width && width >= 2);
    let numbers = |i: usize| others.iter().all(|line| line.cells[i].as_deref().is_some_and(is_number));
    (whole && others.len() >= 2 && (0..width).any(numbers)).then_some(scored)
}

/// An apostrophe quotes only where it stands on both sides of cells, and the usual quote nowhere.
fn quote(sample: &[u8], delimiter: u8) -> u8 {
    let count = |quote: u8, before: bool| {
        let pairs = sample.windows(2).filter(|pair| {
            let (edge, mark) = if before { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
            mark == quote && (edge == delimiter || edge == b'\n' || edge == b'\r')
        });
        pairs.count()
    };
    let (opened, closed) = (count(b'\'', true), count(b'\'', false));
    let single = opened >= 2 && opened.abs_diff(closed) <= 1 && count(b'"', true) == 0;
    if single { b'\'' } else { b'"' }
}

/// What else than plain delimited text the beginning of a file shows.
fn quirks(sample: &[u8], Dialect { delimiter, quote }: Dialect) -> Quirks {
    let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'\r');
    // `\"` within a cell, never at the end of one and never `""`: paths of Windows end in a backslash, too.
    let escaped = sample.windows(3).filter(|w| w[0] == b'\\' && w[1] == quote);
    let (mut within, mut at_end) = (0usize, 0usize);
    escaped.for_each(|w| if ends(&w[2]) { at_end += 1 } else { within += 1 });
    let doubled = sample.windows(4);
    let doubled = doubled.filter(|w| !ends(&w[0]) && w[1] == quote && w[2] == quote && !ends(&w[3])).count();
    let spaced = sample.windows(3).filter(|w| w[0] == delimiter && w[1] == b' ' && w[2] == quote).count();
    Quirks {
        backslash: within > at_end.max(doubled),
        space_before_quote: delimiter != b' ' && spaced > 0,
        ..Quirks::default()
    }
}

fn head(sample: &[u8], dialect: Dialect, quirks: Quirks) -> Head {
    let mut records = Records::with(sample, dialect, quirks, 0);
    let mut head = Head::new();
    while let Ok(Some(record)) = records.next() {
        if !record.is_blank() && !is_rule(record) {
            let cells = record.cells().map(|cell| cell.map(str::to_owned)).collect();
            head.push(Line { at: record.line as usize, cells, quoted: record.quoted().collect() });
        }
        if head.len() == SCANNED_RECORDS {
            return head;
        }
    }
    // The sample may end within a record.
    if head.len() > 1 && !sample.ends_with(b"\n") && !sample.ends_with(b"\r") {
        head.pop();
    }
    head
}

/// Whether a record is a line under the names, such as databases draw: `---+---`.
pub(super) fn is_rule(record: &Record) -> bool {
    record.cells().flatten().any(|cell| cell.contains("---"))
        && record.cells().flatten().all(|cell| cell.chars().all(|c| "-+=|: ".contains(c)))
}

/// How many cells most records have; of several numbers the largest.
fn usual_width(head: &[Line]) -> usize {
    let count = |width: usize| head.iter().filter(|line| line.cells.len() == width).count();
    head.iter().map(|line| line.cells.len()).max_by_key(|&width| (count(width), width)).unwrap_or(0)
}

/// The share of records with as many cells as most of them; nothing when that is only one. A line of names that is
/// longer or shorter by one is none against it, and titles above do not count.
fn regularity(head: &[Line]) -> f64 {
    let width = usual_width(head);
    if width < 2 {
        return 0.0;
    }
    let table = &head[titles(head)..];
    if table.first().is_none_or(|line| line.cells.len() + 1 < width || line.cells.len() < 2) {
        return 0.0;
    }
    let fits = |(i, line): (usize, &Line)| {
        line.cells.len() == width || i == 0 && line.cells.len().abs_diff(width) == 1 && width > 2
    };
    table.iter().enumerate().filter(|&(i, line)| fits((i, line))).count() as f64 / table.len().max(1) as f64
}

/// Records above the table: those with fewer cells than most, or with one that is not empty.
fn titles(head: &[Line]) -> usize {
    let width = usual_width(head);
    if width < 2 {
        return 0;
    }
    let filled = |line: &Line| line.cells.iter().flatten().filter(|text| !text.trim().is_empty()).count();
    let is_title = |line: &Line| {
        line.cells.len() + 1 < width
            || line.cells.len() == 1
            || filled(line) == 0
            || filled(line) == 1 && width > 2
    };
    let above = head.iter().take_while(|line| is_title(line)).count();
    // Where most of the lines are like that, it is how the rows are.
    let alike = head.iter().skip(above).filter(|line| is_title(line)).count();
    if above == 0 || above > MAX_TITLES || 2 * (above + alike) > head.len() {
        return 0;
    }
    // A blank line below them, or names: else "price" above "1,5" is the name of one column.
    let below: Vec<&[Option<String>]> = head[above..].iter().map(|line| line.cells.as_slice()).collect();
    let apart = head[above].at > head[above - 1].at + 1;
    if apart || below.split_first().is_some_and(|(first, others)| has_names(first, others)) {
        above
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn detected(sample: &str) -> (char, char, bool) {
        let layout = detect(sample.as_bytes(), &Said::default());
        (char::from(layout.dialect.delimiter), char::from(layout.dialect.quote), layout.header)
    }

    #[test]
    fn finds_delimiter_quote_and_header() {
        assert_eq!(detected("a,b\n1,2\n"), (',', '"', true));
        assert_eq!(detected("price;sum\n1,5;2,5\n1,7;3,5\n"), (';', '"', true));
        assert_eq!(detected("1,5;2,5\n1,7;3,5\n"), (';', '"', false));
        assert_eq!(detected("a\tb\n1,5\t2\n"), ('\t', '"', true));
        assert_eq!(detected("a|b|c\nx|y|z\n"), ('|', '"', true));
        assert_eq!(detected("a,b\n\"x; y; z\",2\n\"u; v\",3"), (',', '"', true));
        assert_eq!(detected("name,n\n'Smith, J.',1\n'O''Neil, P.',2\n"), (',', '\'', true));
        assert_eq!(detected("name,n\nO'Neil,1\n'tis,2\n"), (',', '"', true));
        assert_eq!(detected("39, State-gov\n40, Private\n"), (',', '"', false));
        assert_eq!(detected("p,x,s\ne,x,s\np,b,y\ne,x,y\n"), (',', '"', false));
        assert_eq!(detected("2020-01-01,a\n2020-01-02,b\n"), (',', '"', false));
        assert_eq!(detected("word\nbut one column\n"), (',', '"', true));
        assert_eq!(detected("text\nHello, you\nfine\nbye, then, friend\nwell\n"), (';', '"', true));
        assert_eq!(detected("name\nJohn Smith\nMary Jones\nApollo 11\n"), (',', '"', true));
        assert_eq!(detected("\"a\" \"b\"\n\"1\" 1 \"x y\"\n\"2\" 2 \"z\"\n"), (' ', '"', true));
        assert_eq!(detected("a b c\n1 2 x\n3 4 y\n"), (' ', '"', true));
        assert_eq!(detected("a^b\n1^x\n3^y, z\n"), ('^', '"', true));
        assert_eq!(detected("a\u{1}b\n1\u{1}x, u\n3\u{1}y, z\n"), ('\u{1}', '"', true));
        assert_eq!(detected("name    age   score\ncarla   45    0.5\nbob     9     0.2\n"), (' ', '"', true));
        assert_eq!(detected("x y\n  7.8e-01  -6.5e-01\n  1.2e-01   1.9e+00\n"), (' ', '"', true));
        assert_eq!(
            detected("18.0   8   307.0\t\"chevy\"\n9.0    4   97.5\t\"vw\"\n9.5    4   97.5\t\"vw\"\n").0,
            ' '
        );
        assert_eq!(detected("a;b\r1;2\r3;4\r"), (';', '"', true));
        assert_eq!(detected("price\n1,5\n2,5\n3,5\n"), (';', '"', true));
        assert_eq!(detect(b"price\n1,5\n2,5\n3,5\n", &Said::default()).skip, 0);
        assert_eq!(detected(""), (',', '"', true));
        // A semicolon in every line, within a sentence.
        let customers = "id,name,street,notes\n1,Anna,\"Hauptstr. 5\",Asked; prefers mail\n2,Olga,\"Ring 9\",Wrote; likes tea\n";
        assert_eq!(detected(customers), (',', '"', true));
        assert_eq!(detected(customers.split_once('\n').unwrap().1), (',', '"', false));
        assert_eq!(detected("id,name,notes; more\n1,Anna,a; b\n2,Olga,c; d\n"), (',', '"', true));
        assert_eq!(detected("id;name;sum\n1;Meier, Eva;1,50\n2;Roth, Jan;2,50\n"), (';', '"', true));
        assert_eq!(detected("1;Meier, Eva;1,50\n2;Roth, Jan;2,50\n"), (';', '"', false));
    }

    #[test]
    fn finds_where_the_table_begins() {
        let skip = |sample: &str| {
            let layout = detect(sample.as_bytes(), &Said::default());
            (layout.skip, layout.quirks.comment.map(char::from), layout.marked)
        };
        assert_eq!(skip("a,b\n1,2\n"), (0, None, false));
        assert_eq!(skip("\n\na,b\n1,2\n"), (0, None, false));
        assert_eq!(skip("sep=;\na;b\n1;2\n"), (1, None, false));
        assert_eq!(skip("\"SEP=,\"\r\na,b\r\n1,2\r\n"), (1, None, false));
        assert_eq!(skip("Report of 2024\n\nname;age;city\nA;1;x\nB;2;y\n"), (2, None, false));
        assert_eq!(skip("Report,,\n,,\nname,age,city\nA,1,x\nB,2,y\nC,2,y\n"), (2, None, false));
        assert_eq!(skip("# made by x\na,b\n1,2\n# a note\n3,4\n"), (0, Some('#'), false));
        assert_eq!(skip("##v=1,2,3\n#id,name\n1,x\n2,y\n"), (1, Some('#'), true));
        assert_eq!(skip("#id,name\n1,x\n2,y\n"), (0, Some('#'), true));
        assert_eq!(skip("color,name\n#ff0000,red\nnone,clear\n#00ff00,green\n"), (0, None, false));
        assert_eq!(skip("tag\n#one\n#two\nthree\n"), (0, None, false));
        assert_eq!(skip("a,b,c\nx,,\ny,,\nz,1,2\n"), (0, None, false));
    }

    #[test]
    fn what_is_said_counts() {
        let said = Said { delimiter: Some(b':'), header: Some(false), skip: Some(1), ..Said::default() };
        let layout = detect(b"x;y\na:1\nb:2\n", &said);
        assert_eq!((layout.dialect.delimiter, layout.header, layout.skip), (b':', false, 1));
        let said = Said { comment: Some(b'%'), no_quotes: true, ..Said::default() };
        let layout = detect(b"% x\na\tb\n5\" pipe\t1\n\"odd\t2\n", &said);
        assert_eq!((layout.dialect.delimiter, layout.dialect.quote), (b'\t', NO_QUOTE));
        assert!(layout.header && layout.quirks.comment == Some(b'%'));
    }

    #[test]
    fn quirks_show_in_the_beginning() {
        let of = |sample: &str| detect(sample.as_bytes(), &Said::default()).quirks;
        assert!(of("a,b\n\"say \\\"hi\\\" to\",1\n\"x\",2\n").backslash);
        assert!(!of("a,b\n\"C:\\dir\\\",1\n\"x\",2\n").backslash);
        assert!(!of("a,b\n\"say \"\"hi\"\" to\",1\n").backslash);
        assert!(of("a,b\n\"say \\\"hi\\\" to\",1\n\"say \\\"ho\\\" to\",1\n\"a \"\"b\"\" c\",2\n").backslash);
        assert!(of("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n").framed);
        assert!(!of("|a|b\n|1|2\n|3|4\n").framed);
        assert!(of("a, b\n1, \"x, y\"\n2, \"z\"\n").space_before_quote);
        assert!(!of("a,b\n1,\"x, y\"\n").space_before_quote);
    }
}
