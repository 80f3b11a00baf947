//! How a file of delimited text is written, found from its beginning: what separates cells, what quotes them,
//! and whether the first line has the names.

use super::super::csv::{Dialect, Records};

/// Records that are looked at.
const SCANNED: usize = 200;

/// The first records of a file, each a list of cells.
type Head = Vec<Vec<Option<String>>>;

/// The dialect of a file that begins with `sample`, and whether its first record is a header.
pub(super) fn detect(sample: &[u8], delimiter: Option<u8>) -> (Dialect, bool) {
    // Where two separators both cut every line alike, the rarer one is meant: "1,5;2,5".
    let candidates: Vec<u8> = delimiter.map_or_else(|| b"\t;|,".to_vec(), |only| vec![only]);
    let scored = candidates.into_iter().map(|delimiter| {
        let dialect = Dialect { delimiter, quote: quote(sample, delimiter) };
        let head = head(sample, dialect);
        (regularity(&head), dialect, head)
    });
    let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
    match best {
        Some((regularity, dialect, head)) if regularity > 0.0 || delimiter.is_some() => {
            (dialect, has_header(&head))
        }
        // One column.
        _ => (Dialect::COMMA, has_header(&head(sample, Dialect::COMMA))),
    }
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

fn head(sample: &[u8], dialect: Dialect) -> Head {
    let mut records = Records::new(sample, dialect);
    let mut head = Head::new();
    while let Ok(Some(record)) = records.next() {
        if !record.is_blank() {
            head.push(record.cells().map(|cell| cell.map(str::to_owned)).collect());
        }
        if head.len() == SCANNED {
            return head;
        }
    }
    // The sample may end within a record.
    if head.len() > 1 && !sample.ends_with(b"\n") {
        head.pop();
    }
    head
}

/// The share of records with as many cells as the first one; nothing when that has only one.
fn regularity(head: &Head) -> f64 {
    let width = head.first().map_or(0, Vec::len);
    if width < 2 {
        return 0.0;
    }
    head.iter().filter(|record| record.len() == width).count() as f64 / head.len() as f64
}

/// The first record has the names, unless it looks like the others: with numbers or dates in it, or with
/// texts that come again below.
fn has_header(head: &Head) -> bool {
    let Some((first, rest)) = head.split_first() else { return true };
    if first.iter().flatten().any(|text| looks_like_a_value(text)) {
        return false;
    }
    let again = |(i, text): &(usize, &Option<String>)| {
        text.is_some() && rest.iter().any(|record| record.get(*i) == Some(*text))
    };
    2 * first.iter().enumerate().filter(again).count() < first.len().max(1)
}

/// A number or a date rather than a name.
fn looks_like_a_value(text: &str) -> bool {
    let text = text.trim();
    text.trim_start_matches(['+', '-', '.']).starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || "+-.,:/ eETZ%".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(sample: &str) -> (char, char, bool) {
        let (dialect, header) = detect(sample.as_bytes(), None);
        (char::from(dialect.delimiter), char::from(dialect.quote), header)
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
        assert_eq!(detected(""), (',', '"', true));
    }
}
