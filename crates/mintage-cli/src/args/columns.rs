//! Flags that say what of a source is read, and how it is written.

use clap::{Args, ValueEnum};

use super::any_name;
use mintage_data::{DataKind, SourceSpec};

const READ: &str = "What to read";
const WRITTEN: &str = "How a file of text is written";

/// What to read of a source.
#[derive(Args, Clone, Debug, Default)]
pub struct Columns {
    /// Table of the database (found by itself when there is only one, or only one with images)
    #[arg(long, value_name = "TABLE", help_heading = READ)]
    pub table: Option<String>,
    /// Rows of a database that this SQL query gives, in place of a table
    #[arg(long, value_name = "SQL", conflicts_with = "table", help_heading = READ)]
    pub query: Option<String>,
    /// Column with the images or the texts (found by itself likewise); of table rows the columns to learn, as a,b,c
    #[arg(long, value_name = "COLUMN", help_heading = READ)]
    pub column: Option<String>,
    /// Column to condition on; "none" ignores the labels that are there. Of table rows the column that
    /// usefulness is measured by
    #[arg(long, value_name = "COLUMN", help_heading = READ)]
    pub label: Option<String>,
    /// What to hold out from training, in place of a tenth: a file, a folder or a table
    #[arg(long, value_name = "SOURCE", value_parser = any_name(), help_heading = READ)]
    pub holdout: Option<String>,
    /// What the source is read as, where it could be several things
    #[arg(long, value_enum, value_name = "KIND", help_heading = READ)]
    pub kind: Option<KindChoice>,
    /// CSV and its like: whether the first line has the names of the columns (the lines tell without this)
    #[arg(long, value_enum, value_name = "yes|no", help_heading = WRITTEN)]
    pub header: Option<YesNo>,
    /// CSV and its like: what keeps cells apart, one sign or tab, space, comma, semicolon, pipe
    #[arg(long, value_name = "SIGN", help_heading = WRITTEN)]
    pub delimiter: Option<String>,
    /// CSV and its like: lines that stand before the table
    #[arg(long, value_name = "N", help_heading = WRITTEN)]
    pub skip: Option<usize>,
    /// CSV and its like: the sign that lines of comments begin with
    #[arg(long, value_name = "SIGN", help_heading = WRITTEN)]
    pub comment: Option<char>,
    /// CSV and JSON: the encoding of the file, such as utf-8, windows-1252 or shift_jis
    #[arg(long, value_name = "NAME", help_heading = WRITTEN)]
    pub encoding: Option<String>,
    /// Texts: put U+FFFD in the place of bytes that cannot be decoded
    #[arg(long, help_heading = WRITTEN)]
    pub lossy: bool,
    /// Fail at the first item that cannot be read (up to 5 % are skipped without this)
    #[arg(long, help_heading = READ)]
    pub strict: bool,
    /// Learn as well from what mintage made, which is left out without this
    #[arg(long, help_heading = READ)]
    pub allow_made: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindChoice {
    Image,
    #[value(alias = "rows")]
    Table,
    Text,
    Music,
    Video,
    Audio,
}

impl From<KindChoice> for DataKind {
    fn from(choice: KindChoice) -> Self {
        match choice {
            KindChoice::Image => Self::Image,
            KindChoice::Table => Self::Table,
            KindChoice::Text => Self::Text,
            KindChoice::Music => Self::Music,
            KindChoice::Video => Self::Video,
            KindChoice::Audio => Self::Audio,
        }
    }
}

impl Columns {
    /// Lays what was said of how a file is written over `spec`.
    pub fn describe(&self, spec: &mut SourceSpec) {
        spec.header = self.header.map(|header| header == YesNo::Yes).or(spec.header);
        spec.delimiter = self.delimiter.clone().or(spec.delimiter.take());
        spec.skip = self.skip.or(spec.skip);
        spec.comment = self.comment.or(spec.comment);
        spec.encoding = self.encoding.clone().or(spec.encoding.take());
    }

    /// Whether something is said of what to read.
    pub fn are_given(&self) -> bool {
        let Self { table, query, column, label, holdout, .. } = self;
        self.describes() || [table, query, column, label, holdout].iter().any(|said| said.is_some())
    }

    /// Whether something is said of how a file is written.
    pub fn describes(&self) -> bool {
        let Self { header, delimiter, skip, comment, encoding, .. } = self;
        header.is_some() || delimiter.is_some() || skip.is_some() || comment.is_some() || encoding.is_some()
    }
}
