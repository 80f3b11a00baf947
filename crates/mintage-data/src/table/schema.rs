//! What the columns of a table are, found from their values, with the reason why.

use serde::{Deserialize, Serialize};

use super::Declaration;

/// What a column holds, and so how it is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whole numbers that are quantities.
    Integer,
    /// Numbers with a fraction.
    Number,
    /// Two values that mean yes and no.
    Boolean,
    /// One of a list of values.
    Category,
    /// A date, a time or both.
    Datetime,
    /// A key or another identifier: made afresh, never learned.
    Id,
    /// Words in sentences: too many to be a list; drawn from those seen.
    Text,
    /// One value alone.
    Constant,
}

/// What is known of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnSchema {
    pub name: String,
    pub kind: Kind,
    /// Why it is that kind, for people.
    pub reason: String,
    pub declaration: Declaration,
    /// Texts that mean "missing", beside NULL: "", "NA", "?", …
    pub missing: Vec<String>,
    /// How numbers and dates are written.
    pub format: Format,
    /// Every value differs from every other.
    pub unique: bool,
    pub distinct: usize,
    pub missing_count: usize,
}

/// How values are written, so that new ones look the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "lowercase")]
pub enum Format {
    /// As they are.
    #[default]
    Plain,
    /// Numbers; see [`NumberFormat`].
    Number(NumberFormat),
    /// Dates and times by a pattern of `strftime`.
    Datetime { pattern: String },
    /// Identifiers; see [`IdFormat`].
    Id(IdFormat),
}

/// How numbers are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberFormat {
    /// Digits after the point that no value exceeds; `None`: as many as there are.
    pub digits: Option<u8>,
    /// Whether all values are written with exactly so many digits ("1.50", not "1.5").
    pub fixed: bool,
    /// "." or ",".
    pub point: char,
    pub min: f64,
    pub max: f64,
}

/// How new identifiers are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "lowercase")]
pub enum IdFormat {
    /// Whole numbers, counted on from the largest.
    Counter { next: i64 },
    /// Random UUIDs, upper or lower case.
    Uuid { upper: bool },
    /// A pattern of characters: for each place the characters seen there.
    Pattern { places: Vec<String> },
    /// A key of another table: one of the values seen.
    Reference,
}

/// What is known of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableSchema {
    pub columns: Vec<ColumnSchema>,
    /// What will hurt, the worst first.
    pub alerts: Vec<Alert>,
}

/// Something about the data that will hurt what is learned from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub column: Option<String>,
    pub message: String,
}
