//! What the columns of a table are, found from their values, with the reason why.
//!
//! [`detect`] says what each column holds and how its values are written; [`TableSchema::apply`] puts the
//! kinds that people ask for in the place of those that were found. Both look at distinct values and their counts,
//! never at all cells.

mod alerts;
mod correct;
mod detect;
mod identifiers;
mod nested;
mod persons;
pub(super) mod phrases;
mod profile;
mod spellings;
mod typed;
mod types;

use serde::{Deserialize, Serialize};

use super::{
    Declaration,
    check_digits::CheckDigits,
    datetime,
    fresh::{Known, TextMaker},
};
pub use super::{
    fresh::points_at_one,
    values::{NumberFormat, NumberStyle},
};
pub use detect::detect;
pub(crate) use identifiers::is_uuid;
pub use persons::TextMode;
pub use spellings::is_yes;
pub(in crate::table) use types::iso_pattern;

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
    /// Names, addresses, sentences: too many to be a list; made afresh, left empty, or drawn from those seen.
    Text,
    /// One value alone.
    Constant,
}

impl Kind {
    /// As recipes have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Category => "category",
            Self::Datetime => "datetime",
            Self::Id => "id",
            Self::Text => "text",
            Self::Constant => "constant",
        }
    }
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
    /// Texts among numbers or dates that are none, such as "<0.1" or "never": values of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<String>,
    /// Zones of dates that have one each of their own, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
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

/// How new identifiers are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "lowercase")]
pub enum IdFormat {
    /// Counted on from the largest: `prefix`, then the number with zeros before it up to `width` digits. From one to the
    /// next it is one of `gaps`, or 1 where there are none.
    Counter {
        prefix: String,
        width: u8,
        next: i64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gaps: Vec<i64>,
    },
    /// `prefix`, then a number of `width` digits from `low` to `high` that is free; counted on above `high` only when none
    /// is left: AB-9999 is the largest there is, and the other three quarters are not in use.
    Free { prefix: String, width: u8, low: i64, high: i64, known: Known },
    /// Whole numbers from `low` to `low + span`.
    Number { low: i64, span: u64, known: Known },
    /// Random UUIDs, upper or lower case.
    Uuid { upper: bool },
    /// Random texts that match a regular expression.
    Pattern { regex: String },
    /// Dates and times of a calendar, between two in microseconds since 1970 as long as there are free ones: `step` of the
    /// smallest steps that the pattern shows are between two of them, or 1 where it is 0.
    Date {
        pattern: String,
        first: i64,
        last: i64,
        #[serde(default)]
        step: i64,
    },
    /// The same with right check digits, and none of those seen.
    Code { regex: String, check: Option<CheckDigits>, known: Known },
    /// Made of the parts that many of those seen have.
    Text { maker: Box<TextMaker> },
    /// Left empty.
    Empty {
        /// What a row has that may not be without a value, where an empty text would be none that a program reads: `{}`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        filler: String,
    },
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
    pub cause: Cause,
    /// Without the name of the column.
    pub message: String,
}

/// Why there is an alert; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Texts that belong to one person or thing each.
    Leak,
    NearlyUnique,
    /// Values that few rows have.
    Rare,
    AllMissing,
    Constant,
    /// Numbers or dates, and among them words.
    Mixed,
    NearlyMissing,
    /// Dates that no calendar has.
    Calendar,
    /// More categories than can be learned well.
    ManyValues,
    /// Values that are written otherwise than the rest, and would not come back as they are.
    Spelling,
    FewRows,
}

impl ColumnSchema {
    /// The number of a text: its value, or the microseconds of a date since 1970. Nothing for missing values
    /// and for columns without numbers.
    pub fn number(&self, text: &str) -> Option<f64> {
        if self.is_missing(Some(text)) {
            return None;
        }
        match &self.format {
            Format::Number(format) => format.parse(text),
            Format::Datetime { pattern } => datetime::parse(text, pattern).map(|micros| micros as f64),
            Format::Plain | Format::Id(_) => None,
        }
    }

    /// The text of a number, written and rounded as the column is.
    pub fn text(&self, number: f64) -> String {
        self.text_in(number, self.zones.first().map_or("", String::as_str))
    }

    /// The same in a zone, where each date has one of its own.
    pub(super) fn text_in(&self, number: f64, zone: &str) -> String {
        match &self.format {
            Format::Number(format) => format.format(number),
            Format::Datetime { pattern } => datetime::format(number as i64, pattern) + zone,
            Format::Plain | Format::Id(_) => number.to_string(),
        }
    }

    /// How values are made afresh, where they are: all of an identifier or a text, those of few rows of a category.
    pub fn made_afresh(&self) -> Option<&IdFormat> {
        match &self.format {
            Format::Id(IdFormat::Reference) => None,
            Format::Id(format) => Some(format),
            _ => None,
        }
    }

    /// Whether a cell has no value, or a text that stands for none.
    pub fn is_missing(&self, cell: Option<&str>) -> bool {
        cell.is_none_or(|text| self.missing.iter().any(|spelling| spelling == text))
    }
}

impl TableSchema {
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == name)
    }
}
