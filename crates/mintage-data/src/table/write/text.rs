//! Delimited text and JSON Lines, a part of the rows at a time.

use super::{
    super::{
        Column, Table,
        csv::{Dialect, PADDING, push_cell},
        format::{FileFormat, Format, Habits, Quoting},
        schema::TableSchema,
    },
    json,
};

/// How rows become text.
pub(super) enum TextWriter {
    Delimited(Delimited),
    Json(json::Lines),
}

impl TextWriter {
    /// For a file in `format` with the columns of `head`, delimited text written as `file` says.
    pub fn new(head: &Table, schema: Option<&TableSchema>, format: Format, file: &FileFormat) -> Self {
        match format {
            Format::JsonLines => Self::Json(json::Lines::new(head, schema, None)),
            _ => Self::Delimited(Delimited::new(head, format, file)),
        }
    }

    /// What stands before the first row.
    pub fn head(&self, head: &Table) -> Vec<u8> {
        match self {
            Self::Delimited(delimited) => delimited.header(head),
            Self::Json(_) => Vec::new(),
        }
    }

    /// Adds the text of all rows of a part.
    pub fn rows(&self, part: &Table, out: &mut Vec<u8>) {
        match self {
            Self::Delimited(delimited) => delimited.rows(part, out),
            Self::Json(lines) => lines.rows(part, out),
        }
    }
}

/// Rows as delimited text.
pub(super) struct Delimited {
    dialect: Dialect,
    file: FileFormat,
    /// By column: whether every cell has quotes.
    quoted: Vec<bool>,
    habits: Habits,
    /// Before the first cell, between cells, and behind the last.
    edges: [Vec<u8>; 3],
}

impl Delimited {
    pub fn new(head: &Table, format: Format, file: &FileFormat) -> Self {
        let always = |column: &Column| match &file.quoting {
            Quoting::Needed => false,
            Quoting::All => true,
            Quoting::Columns(names) => names.contains(&column.name),
        };
        let dialect = file.dialect(format);
        let same = file.habits.delimiter == Some(char::from(dialect.delimiter));
        let backslash = Habits { backslash: file.habits.backslash, ..Habits::default() };
        let habits = if same { file.habits.clone() } else { backslash };
        let edges = edges(dialect.delimiter, &habits);
        let quoted = head.columns.iter().map(always).collect();
        Self { dialect, file: file.clone(), quoted, habits, edges }
    }

    /// Adds a line.
    fn line<'a>(&self, cells: impl Iterator<Item = (Option<&'a str>, bool)>, out: &mut Vec<u8>) {
        let [begin, between, end] = &self.edges;
        let Habits { backslash, space_before, space_after, framed, aligned, .. } = self.habits;
        out.extend_from_slice(begin);
        for (i, (cell, quoted)) in cells.enumerate() {
            if i > 0 {
                out.extend_from_slice(between);
            }
            // Else the spaces of a cell would be taken for those around it, and a missing one for none at all.
            let bare = |text: &str| text.trim_matches(PADDING).len() == text.len();
            let quoted =
                quoted || space_before | space_after | framed && cell.is_some_and(|cell| !bare(cell));
            let cell = if aligned { cell.or(Some("")) } else { cell };
            push_cell(out, self.dialect, cell, quoted, backslash);
        }
        out.extend_from_slice(end);
        out.extend_from_slice(self.file.line_end.text().as_bytes());
    }

    fn header(&self, head: &Table) -> Vec<u8> {
        let mut out = Vec::new();
        if self.file.header {
            self.line(head.names().map(|name| (Some(name), self.file.quoted_header)), &mut out);
        }
        out
    }

    fn rows(&self, part: &Table, out: &mut Vec<u8>) {
        for row in 0..part.rows() {
            let cells = part.columns.iter().zip(&self.quoted);
            self.line(cells.map(|(column, &quoted)| (column.cell(row), quoted)), out);
        }
    }
}

/// What stands before the first cell of a line, between cells, and behind the last.
fn edges(delimiter: u8, habits: &Habits) -> [Vec<u8>; 3] {
    let with = |before: bool, after: bool| {
        let space = |is: bool| if is { &b" "[..] } else { b"" };
        [space(before), &[delimiter], space(after)].concat()
    };
    let Habits { space_before, space_after, framed, .. } = *habits;
    let outer = |edge: Vec<u8>| if framed { edge } else { Vec::new() };
    [outer(with(false, space_after)), with(space_before, space_after), outer(with(space_before, false))]
}
