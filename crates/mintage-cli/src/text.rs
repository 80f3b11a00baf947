//! Numbers, lengths of time and tables as text.

use std::{borrow::Cow, path::Path, time::Duration};

pub use mintage::dataset::thousands;
use mintage_data::{
    names::{byte_of, text_of},
    table::{redacted, without_passwords},
};

/// A text from outside (a name, a value, a message) as it may stand on a terminal: without passwords, and with what
/// would move the cursor, change colours or turn the direction of reading made visible.
pub fn shown(text: &str) -> Cow<'_, str> {
    match without_passwords(text) {
        Cow::Borrowed(text) => visible(text),
        Cow::Owned(text) => Cow::Owned(visible(&text).into_owned()),
    }
}

/// The same for data: passwords are the data's own business.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| match byte_of(c) {
        Some(byte) => format!("\\x{byte:02x}"),
        None if is_unseen(c) => c.escape_default().to_string(),
        None => c.to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Control characters but line ends and tabs, those that turn the direction of reading, and bytes of names that are no
/// text.
fn is_unseen(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || byte_of(c).is_some()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// "9m 58s", "1h 3m", "0.4s".
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return "?".to_owned();
    }
    // Longer than anybody has waited: it stands in a file that somebody changed.
    let secs = secs.min(1e10);
    if secs < 10.0 {
        return format!("{secs:.1}s");
    }
    // Whoever waits for hours does not count seconds.
    let whole = if secs >= 3600.0 { (secs / 60.0).round() as u64 * 60 } else { secs.round() as u64 };
    humantime::format_duration(Duration::from_secs(whole)).to_string()
}

/// A number with about four significant digits.
pub fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        a if !a.is_finite() => x.to_string(),
        a if a >= 10_000.0 => format!("{x:.0}"),
        a if a >= 100.0 => format!("{x:.1}"),
        a if a >= 1.0 => format!("{x:.3}"),
        a if a >= 1e-3 => format!("{x:.4}"),
        _ => format!("{x:.2e}"),
    }
}

/// "3.4 MB".
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n >= 1e9 => format!("{:.1} GB", n / 1e9),
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        n => format!("{n:.0} B"),
    }
}

/// "1 image", "3 images".
pub fn count(n: usize, what: &str) -> String {
    format!("{} {what}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// Rules that are listed; a table may have more.
const MAX_LISTED_RULES: usize = 20;

/// "2 rules in force: low <= high; total = price * quantity (`rules = "off"` in `[data]` leaves them)".
pub fn rules_in_force(rules: &[String]) -> String {
    let mut listed = rules.iter().take(MAX_LISTED_RULES).cloned().collect::<Vec<_>>().join("; ");
    if rules.len() > MAX_LISTED_RULES {
        listed.push_str(&format!("; and {} more", rules.len() - MAX_LISTED_RULES));
    }
    format!("{} in force: {listed} (`rules = \"off\"` in [data] leaves them)", count(rules.len(), "rule"))
}

/// A path as it is typed in a shell.
pub fn shell(path: &Path) -> String {
    // In quotes a password would not be known any more.
    let text = redacted(&text_of(path.as_os_str()));
    let plain = |c: char| c.is_alphanumeric() || "-_./:,+=@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else if text.contains(is_unseen) {
        format!("$'{}'", visible(&text.replace('\\', "\\\\").replace('\'', "\\'")))
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A table whose columns line up.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// Vertical bars and a rule under the head, as in Markdown.
    pub bars: bool,
}

impl Table {
    /// A table with a head.
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec()], bars: false }
    }

    /// A table whose head is only known now.
    pub fn with_head(head: Vec<String>) -> Self {
        Self { rows: vec![head], bars: false }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table, one line a row.
    pub fn text(&self) -> String {
        self.within(usize::MAX)
    }

    /// The same in lines of at most `most` characters: cells are cut, those of the last columns first.
    pub fn within(&self, most: usize) -> String {
        /// What is left of a column of texts at least.
        const MIN_COLUMN_WIDTH: usize = 12;
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| {
            self.rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        let total = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
        let mut over = total.saturating_sub(most);
        for c in (0..columns).rev().filter(|&c| !self.is_numeric(c)) {
            let less = over.min(widths[c].saturating_sub(MIN_COLUMN_WIDTH));
            widths[c] -= less;
            over -= less;
        }
        let cell =
            |row: &Vec<String>, c: usize| row.get(c).map(|cell| cut(cell, widths[c])).unwrap_or_default();
        let numeric: Vec<bool> = (0..columns).map(|c| self.is_numeric(c)).collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = (0..columns).map(|c| pad(&cell(row, c), widths[c], numeric[c]));
            text.push_str(&self.line(cells.collect()));
            if index == 0 && self.bars {
                text.push_str(&self.rule(&widths, &numeric));
            }
        }
        text
    }

    fn line(&self, cells: Vec<String>) -> String {
        match self.bars {
            true => format!("| {} |\n", cells.join(" | ")),
            false => format!("{}\n", cells.join("  ").trim_end()),
        }
    }

    fn rule(&self, widths: &[usize], numeric: &[bool]) -> String {
        let dashes = |(&w, &right): (&usize, &bool)| match right {
            true => format!("{}:", "-".repeat(w.saturating_sub(1).max(1))),
            false => "-".repeat(w.max(1)),
        };
        self.line(widths.iter().zip(numeric).map(dashes).collect())
    }

    /// Columns of numbers are set to the right: "1,234", "9m 58s", "3.4 MB", "33 (31–34)", but no list and no sentence.
    fn is_numeric(&self, column: usize) -> bool {
        let looks = |cell: &String| {
            let number = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
            let letters = cell.chars().filter(|c| c.is_alphabetic()).count();
            cell.is_empty() || cell == "–" || number && letters <= 3 && !cell.contains(", ")
        };
        self.rows.len() > 1 && self.rows[1..].iter().filter_map(|row| row.get(column)).all(looks)
    }
}

/// A text of at most so many characters, with a sign where something is missing.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A text in lines of at most `most` characters where its words allow; `indent` stands before all but the first.
pub fn wrapped(text: &str, most: usize, indent: &str) -> String {
    let (mut lines, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        let letters = word.chars().count();
        if length > indent.len() && length + 1 + letters > most {
            lines.push('\n');
            lines.push_str(indent);
            length = indent.len();
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += letters;
    }
    lines
}

fn pad(cell: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(cell.chars().count()));
    if right { format!("{space}{cell}") } else { format!("{cell}{space}") }
}

#[cfg(test)]
mod tests {
    use mintage_data::names::path_of;

    use super::*;

    #[test]
    fn times_and_numbers() {
        assert_eq!(duration(0.44), "0.4s");
        assert_eq!(duration(598.2), "9m 58s");
        assert_eq!(duration(3785.0), "1h 3m");
        assert!(duration(1e300).contains("years"));
        assert_eq!(number(0.231_47), "0.2315");
        assert_eq!(number(-12.5), "-12.500");
        assert_eq!(number(0.000_012_3), "1.23e-5");
        assert_eq!(bytes(3_400_000), "3.4 MB");
        assert_eq!(count(1, "image"), "1 image");
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["run", "steps"]);
        table.row(["vae-1".to_owned(), "7".to_owned()]);
        table.row(["ё".to_owned(), "1,234".to_owned()]);
        assert_eq!(table.text(), "run    steps\nvae-1      7\nё      1,234\n");
        table.bars = true;
        assert!(table.text().contains("| ----- | ----: |\n"));
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        assert_eq!(shown("a\x1b[2J\u{9b}b\rc\u{202e}\n"), "a\\u{1b}[2J\\u{9b}b\\rc\\u{202e}\n");
        assert_eq!(shown("postgres://a:geheim@h/d \x07"), "postgres://a@h/d \\u{7}");
        assert_eq!(shown("Привет,\t мир"), "Привет,\t мир");
    }

    #[test]
    fn long_lines_are_cut_or_wrapped() {
        let mut table = Table::new(["name", "n", "why"]);
        table.row(["a".to_owned(), "1,000".to_owned(), "because of this and that".to_owned()]);
        assert_eq!(table.within(28), "name      n  why\na     1,000  because of thi…\n");
        assert_eq!(table.within(99), table.text());
        let mut table = Table::new(["values", "why"]);
        table.row(["1, 2, 3", "3 different values, most often \"1\""].map(str::to_owned));
        assert_eq!(table.within(24), "values   why\n1, 2, 3  3 different va…\n");
        assert_eq!(cut("ёжик", 3), "ёж…");
        assert_eq!(wrapped("! one two three", 9, "  "), "! one two\n  three");
        assert_eq!(wrapped("a  b", 9, "  "), "a  b");
    }

    #[test]
    fn shell_words() {
        assert_eq!(shell(Path::new("runs/a-1")), "runs/a-1");
        assert_eq!(shell(Path::new("my runs/it's")), "'my runs/it'\\''s'");
        assert!(!shell(Path::new("host=h password = 'geheim'")).contains("geheim"));
        assert_eq!(shell(&path_of("caf\u{10ffe9}/it's")), "$'caf\\xe9/it\\'s'");
    }
}
