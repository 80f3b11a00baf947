//! A column by its distinct values: what detection, corrections and alerts look at.

use super::spellings::{self, Certainty};
use crate::table::Column;

/// Values of a column, at least, before they count as nearly all different: fewer differ by chance.
pub(super) const MIN_VALUES: usize = 20;

/// A distinct text and the rows that have it.
pub(super) type Value<'a> = (&'a str, u32);

/// A column by its distinct values: those that mean "missing" apart from the rest.
pub(super) struct Profile<'a> {
    pub column: &'a Column,
    pub rows: usize,
    pub values: Vec<Value<'a>>,
    /// Rows with a value.
    pub present: usize,
    pub missing: Vec<&'a str>,
}

impl<'a> Profile<'a> {
    /// Spellings of "missing" that are as uncertain as `limit`, or less so, count as such.
    pub fn of(column: &'a Column, rows: usize, limit: Certainty) -> Self {
        let counted = column.values().iter().zip(column.counts());
        let (mut missing, mut values): (Vec<Value>, Vec<Value>) = counted
            .filter(|(_, n)| *n > 0)
            .partition(|(text, _)| spellings::missing(text).is_some_and(|found| found <= limit));
        // Beside other signs a dash is one of them: "+" and "-".
        if values.iter().all(|v| !v.0.contains(char::is_alphanumeric)) {
            let is_sign = |v: &Value| spellings::missing(v.0) == Some(Certainty::Likely);
            let signs;
            (signs, missing) = missing.into_iter().partition(is_sign);
            values.extend(signs);
        }
        // Among codes of two letters "NA" is Namibia or North America.
        let code = |(text, _): &Value| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        let codes = values.len() > 1 && values.iter().all(code);
        let (back, missing): (Vec<Value>, Vec<Value>) = missing.into_iter().partition(|m| codes && code(m));
        let values: Vec<Value> = values.into_iter().chain(back).collect();
        let present = values.iter().map(|v| v.1 as usize).sum();
        Self { column, rows, values, present, missing: missing.into_iter().map(|m| m.0).collect() }
    }

    pub fn texts(&self) -> Vec<&'a str> {
        self.values.iter().map(|v| v.0).collect()
    }

    /// Every row has a value of its own.
    pub fn unique(&self) -> bool {
        self.values.len() == self.rows
    }

    /// Nearly every row that has a value has one of its own.
    pub fn nearly_unique(&self) -> bool {
        self.present >= MIN_VALUES && self.values.len() * 20 >= self.present * 19
    }
}
