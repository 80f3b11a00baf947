//! Delimited text and JSON Lines, a part of the rows at a time.

use super::{
    super::{
        Column, Table, Type,
        csv::{Dialect, push_cell},
        format::{FileFormat, Format, Quoting},
        schema::TableSchema,
    },
    cast::{Cast, schema_of},
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
}

impl Delimited {
    pub fn new(head: &Table, format: Format, file: &FileFormat) -> Self {
        let always = |column: &Column| match &file.quoting {
            Quoting::Needed => false,
            Quoting::All => true,
            Quoting::Columns(names) => names.contains(&column.name),
        };
        Self {
            dialect: file.dialect(format),
            file: file.clone(),
            quoted: head.columns.iter().map(always).collect(),
        }
    }

    fn header(&self, head: &Table) -> Vec<u8> {
        let mut out = Vec::new();
        if self.file.header {
            for (i, name) in head.names().enumerate() {
                if i > 0 {
                    out.push(self.dialect.delimiter);
                }
                push_cell(&mut out, self.dialect, Some(name), self.file.quoted_header);
            }
            out.extend_from_slice(self.file.line_end.text().as_bytes());
        }
        out
    }

    fn rows(&self, part: &Table, out: &mut Vec<u8>) {
        let end = self.file.line_end.text().as_bytes();
        for row in 0..part.rows() {
            for (i, (column, &quoted)) in part.columns.iter().zip(&self.quoted).enumerate() {
                if i > 0 {
                    out.push(self.dialect.delimiter);
                }
                push_cell(out, self.dialect, column.cell(row), quoted);
            }
            out.extend_from_slice(end);
        }
    }
}

/// Casts for all columns to the types that `ty` names.
pub(super) fn casts(head: &Table, schema: Option<&TableSchema>, ty: impl Fn(&Column) -> Type) -> Vec<Cast> {
    let cast = |column: &Column| Cast::to(ty(column), column, schema_of(column, schema));
    head.columns.iter().map(cast).collect()
}
