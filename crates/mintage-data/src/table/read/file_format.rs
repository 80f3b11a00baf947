//! How a file of delimited text is written, found from its beginning: what new files and rows are written like.

use super::super::{
    csv::{NO_QUOTE, Records, needs_quotes},
    format::{FileFormat, Habits, LineEnd, Quoting},
    text_file::TextEncoding,
};
use super::{
    dialect::{Layout, is_rule},
    header::names_of,
};

/// Records that are looked at.
const SCANNED_RECORDS: usize = 200;

/// The format of a file that begins with `sample`. `by_suffix`: the suffix of the file says its delimiter.
pub(super) fn of_sample(
    sample: &[u8],
    layout: &Layout,
    encoding: TextEncoding,
    by_suffix: bool,
) -> FileFormat {
    let quotes = Quotes::count(sample, layout);
    let (dialect, quirks) = (layout.dialect, layout.quirks);
    FileFormat {
        delimiter: (!by_suffix).then_some(char::from(dialect.delimiter)),
        quote: if dialect.quote == NO_QUOTE { '"' } else { char::from(dialect.quote) },
        quoted_header: quotes.header,
        quoting: quotes.quoting(),
        line_end: line_end(sample),
        encoding: encoding.encoding.name().to_owned(),
        bom: encoding.bom,
        header: layout.header,
        habits: Habits {
            backslash: quirks.backslash,
            delimiter: Some(char::from(dialect.delimiter)),
            space_before: layout.space_before,
            space_after: layout.space_after,
            framed: quirks.framed,
            aligned: quirks.runs,
        },
    }
}

/// The line end that most lines have.
pub(in crate::table) fn line_end(sample: &[u8]) -> LineEnd {
    let count = |byte: u8| sample.iter().filter(|&&b| b == byte).count();
    let both = sample.windows(2).filter(|pair| pair == b"\r\n").count();
    let (lf, cr) = (count(b'\n') - both, count(b'\r') - both);
    if both > lf && both >= cr {
        LineEnd::Crlf
    } else if cr > lf {
        LineEnd::Cr
    } else {
        LineEnd::Lf
    }
}

/// Cells of a column.
#[derive(Clone, Copy, Default)]
struct Cells {
    present: usize,
    quoted: usize,
    /// Quoted without need.
    needless: usize,
}

/// Where a file has quotes.
struct Quotes {
    names: Vec<String>,
    /// Whether all names in the header have quotes.
    header: bool,
    columns: Vec<Cells>,
}

impl Quotes {
    fn count(sample: &[u8], layout: &Layout) -> Self {
        let Layout { dialect, header, .. } = *layout;
        let mut quotes = Self { names: Vec::new(), header: false, columns: Vec::new() };
        let mut records = Records::with(sample, dialect, layout.quirks, 1).trimming(&layout.padded);
        let mut seen = 0;
        while let Ok(Some(record)) = records.next()
            && seen < SCANNED_RECORDS
        {
            if record.is_blank() || is_rule(record) {
                continue;
            }
            if seen == 0 && header {
                quotes.header = record.quoted().all(|quoted| quoted);
                quotes.names = names_of(record);
            } else {
                quotes.columns.resize(quotes.columns.len().max(record.len()), Cells::default());
                let cells = record.cells().zip(record.quoted()).zip(&mut quotes.columns);
                for ((cell, quoted), column) in cells {
                    let Some(text) = cell else { continue };
                    column.present += 1;
                    column.quoted += usize::from(quoted);
                    column.needless += usize::from(quoted && !needs_quotes(text, dialect));
                }
            }
            seen += 1;
        }
        quotes
    }

    fn quoting(self) -> Quoting {
        let sum = |of: fn(&Cells) -> usize| self.columns.iter().map(of).sum::<usize>();
        let always = |cells: &Cells| cells.needless > 0 && cells.quoted == cells.present;
        if sum(|cells| cells.needless) == 0 {
            return Quoting::Needed;
        }
        if sum(|cells| cells.quoted) == sum(|cells| cells.present) {
            return Quoting::All;
        }
        let named = self.names.into_iter().zip(&self.columns);
        let names: Vec<String> = named.filter(|(_, cells)| always(cells)).map(|(name, _)| name).collect();
        if names.is_empty() { Quoting::Needed } else { Quoting::Columns(names) }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::UTF_8;

    use super::{
        super::dialect::{Said, detect},
        *,
    };

    fn found(sample: &str) -> FileFormat {
        let utf8 = TextEncoding { encoding: UTF_8, bom: false, damaged: false };
        let said = Said { delimiter: Some(b';'), header: Some(true), ..Said::default() };
        of_sample(sample.as_bytes(), &detect(sample.as_bytes(), &said), utf8, false)
    }

    #[test]
    fn finds_line_ends_and_quotes() {
        assert_eq!(found("a;b\r\n1;2\r\n").line_end, LineEnd::Crlf);
        assert_eq!(found("a;b\r1;2\r").line_end, LineEnd::Cr);
        assert_eq!(found("a;b\n1;\"x\r\ny\"\n").line_end, LineEnd::Lf);
        let quoting = |sample| {
            let found = found(sample);
            (found.quoting, found.quoted_header)
        };
        assert_eq!(quoting("a;b\n1;x\n2;\"x;y\"\n"), (Quoting::Needed, false));
        assert_eq!(quoting("\"a\";\"b\"\n\"1\";\"x\"\n;\"y\"\n"), (Quoting::All, true));
        let texts = Quoting::Columns(vec!["b".to_owned()]);
        assert_eq!(quoting("\"a\";\"b\"\n1;\"x\"\n2;\n3;\"y\"\n"), (texts, true));
        assert_eq!(quoting("a;b\n1;\"x\"\n2;y\n"), (Quoting::Needed, false));
    }
}
