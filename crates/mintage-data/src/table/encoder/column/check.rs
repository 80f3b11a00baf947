//! That the codec of a column could have been fitted: it may have been read from a file of a stranger's, and whatever
//! else reads it takes its lengths and its indices for granted.

use std::ops::RangeInclusive;

use super::{
    super::{
        bins::{check_bins, check_count},
        check::MAX_TOKENS,
    },
    ColumnCodec, How,
};
use crate::table::{
    pattern::Pattern,
    schema::{ColumnSchema, Format, IdFormat},
};

/// Digits after the point, or zeros before it, that a number of 64 bits may have.
const DIGITS: RangeInclusive<i8> = -30..=30;

impl ColumnCodec {
    /// What is wrong with it.
    pub(in super::super) fn check(&self) -> Result<(), String> {
        check_format(&self.schema)?;
        match &self.how {
            How::Unlearned { .. } => Ok(()),
            How::Listed { texts, unordered, others, .. } => {
                let tokens = texts.len();
                let sound = (1..=MAX_TOKENS).contains(&tokens)
                    && *unordered <= tokens
                    && (others.is_empty() || others.len() + 1 == tokens);
                sound.then_some(()).ok_or_else(|| format!("does not list its {tokens} values as it should"))
            }
            How::Grouped { texts, listed, size } => {
                let rare = texts.len().checked_sub(*listed);
                let groups = rare.filter(|_| *size > 0).map(|rare| rare.div_ceil(*size));
                let sound = groups.is_some_and(|groups| listed + groups <= MAX_TOKENS)
                    && (1..=texts.len().min(MAX_TOKENS)).contains(size);
                sound.then_some(()).ok_or_else(|| "has groups of values that do not add up".to_owned())
            }
            How::Binned { bins, rest } => {
                check_bins(bins, |_| true)?;
                check_count(bins.len() + rest.len() + usize::from(self.same.is_some()))
            }
            How::Dated(dates) => dates.check(),
        }
    }
}

/// Checks that values can be written in the format of a column.
///
/// # Errors
/// No number has such digits or bounds, or the pattern of dates or of identifiers is not valid.
pub fn check_format(schema: &ColumnSchema) -> Result<(), String> {
    match &schema.format {
        Format::Number(format) => {
            let digits = format.digits.is_none_or(|digits| DIGITS.contains(&digits));
            let sound = digits && format.min.is_finite() && format.max.is_finite();
            sound.then_some(()).ok_or_else(|| "has a format that no number has".to_owned())
        }
        Format::Datetime { pattern } | Format::Id(IdFormat::Date { pattern, .. }) => {
            let sound = crate::table::datetime::is_pattern(pattern);
            sound.then_some(()).ok_or_else(|| format!("has `{pattern}` for a pattern of dates"))
        }
        Format::Id(IdFormat::Pattern { regex }) => {
            Pattern::new(regex).map(|_| ()).map_err(|error| error.to_string())
        }
        Format::Plain | Format::Id(_) => Ok(()),
    }
}
