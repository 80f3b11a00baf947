//! One rule: how a recipe has it, and in words.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::sql;

/// One rule, as a recipe has it in `[[data.rules]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Numbers or dates from `min` to `max`.
    Range {
        column: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<Bound>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Bound>,
    },
    /// Numbers or dates of which none is less than one before it, or equal to it where `strict`.
    Order {
        columns: Vec<String>,
        #[serde(default)]
        strict: bool,
    },
    /// Only combinations of values that occur in the table.
    Combination { columns: Vec<String> },
    /// No two rows have the same values, or no two of those in which a condition is true.
    Unique {
        columns: Vec<String>,
        /// In the words of SQL.
        #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
        condition: Option<String>,
    },
    /// Exactly one of the columns says yes.
    OneHot { columns: Vec<String> },
    /// The column is computed from others: `price * quantity`.
    Formula { column: String, equals: String },
    /// Texts that match a regular expression as a whole.
    Regex { column: String, pattern: String },
    /// Numbers above zero.
    Positive { column: String },
    /// Numbers with at most so many digits after the point.
    Rounded { column: String, digits: i8 },
    /// A condition in the words of SQL, such as `low <= high OR high IS NULL`: rows for which it is false are drawn
    /// again.
    Check { sql: String },
}

/// A number or a date, as the column writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound(pub String);

impl Rule {
    /// The columns that the rule names.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Order { columns, .. }
            | Self::Combination { columns }
            | Self::Unique { columns, .. }
            | Self::OneHot { columns } => columns.iter().map(String::as_str).collect(),
            Self::Range { column, .. }
            | Self::Formula { column, .. }
            | Self::Regex { column, .. }
            | Self::Positive { column }
            | Self::Rounded { column, .. } => vec![column],
            Self::Check { sql } => sql::names(sql),
        }
    }
}

/// The rule in words.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Range { column, min: Some(min), max: Some(max) } => {
                write!(f, "{column} from {min} to {max}")
            }
            Self::Range { column, min: Some(min), max: None } => write!(f, "{column} at least {min}"),
            Self::Range { column, min: None, max: Some(max) } => write!(f, "{column} at most {max}"),
            Self::Range { column, min: None, max: None } => write!(f, "{column} without bounds"),
            Self::Order { columns, strict } => {
                f.write_str(&columns.join(if *strict { " < " } else { " <= " }))
            }
            Self::Combination { columns } => write!(f, "{}: combinations that occur", columns.join(" + ")),
            Self::Unique { columns, condition: None } => write!(f, "{} unique", columns.join(" + ")),
            Self::Unique { columns, condition: Some(sql) } => {
                write!(f, "{} unique where {sql}", columns.join(" + "))
            }
            Self::OneHot { columns } => write!(f, "exactly one of {}", columns.join(", ")),
            Self::Formula { column, equals } => write!(f, "{column} = {equals}"),
            Self::Regex { column, pattern } => write!(f, "{column} like {pattern}"),
            Self::Positive { column } => write!(f, "{column} > 0"),
            Self::Check { sql } => f.write_str(sql),
            Self::Rounded { column, digits } => write!(f, "{column} rounded to {digits} digits"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0.parse::<i64>(), self.0.parse::<f64>()) {
            (Ok(whole), _) if whole.to_string() == self.0 => serializer.serialize_i64(whole),
            (_, Ok(number)) if number.to_string() == self.0 => serializer.serialize_f64(number),
            _ => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl de::Visitor<'_> for Any {
            type Value = Bound;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, or a date in quotation marks")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Bound, E> {
                Ok(Bound(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Bound, E> {
                Ok(Bound(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Bound, E> {
                Ok(Bound(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bound, E> {
                Ok(Bound(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
