//! The token of a column that stands for the number of another one.

use super::{super::bins, ColumnCodec, How};

impl ColumnCodec {
    /// Whether its numbers lie in bins.
    pub(in super::super) fn is_binned(&self) -> bool {
        matches!(self.how, How::Binned { .. })
    }

    /// The token that stands for the number of another column, where there is one: the last of its field.
    pub(in super::super) fn same_token(&self) -> Option<u16> {
        match (&self.how, self.same) {
            (How::Binned { bins, rest }, Some(_)) => Some((bins.len() + rest.len()) as u16),
            _ => None,
        }
    }

    /// The number of a cell, as it is compared with those of other columns.
    pub(in super::super) fn comparable(&self, text: &str) -> Option<f64> {
        // Of the two zeros the one without a sign.
        self.schema.number(text).map(|number| if number == 0.0 { 0.0 } else { number })
    }

    /// The same where its bin leaves open which number it is, and the column writes that number as the cell has it.
    pub(in super::super) fn left_open(&self, text: &str) -> Option<f64> {
        let How::Binned { bins, .. } = &self.how else { return None };
        let number = self.comparable(text)?;
        let bin = &bins[bins::find(bins, number)];
        (bin.low() < bin.high() && self.schema.text(number) == text).then_some(number)
    }
}
