//! Numbers that all have an exponent: "8.67e-09", "1.20E+05".

use serde::{Deserialize, Serialize};

/// How they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scientific {
    /// Digits after the point.
    pub digits: u8,
    /// "E" rather than "e".
    pub upper: bool,
    /// Exponents that are not negative have a sign, too.
    pub plus: bool,
    /// Digits that an exponent has at least.
    pub width: u8,
}

impl Scientific {
    /// That of texts that have an exponent each.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a str>, point: char) -> Option<Self> {
        let (mut found, mut plus, mut bare) = (None::<Self>, false, false);
        for text in texts {
            let (mantissa, exponent) = text.split_once(['e', 'E'])?;
            let digits = mantissa.split_once(point).map_or(0, |(_, fraction)| fraction.len());
            let width = exponent.trim_start_matches(['+', '-']).len();
            let own = Self {
                digits: u8::try_from(digits).ok()?,
                upper: text.contains('E'),
                plus: true,
                width: u8::try_from(width).ok()?,
            };
            let found = found.get_or_insert(own);
            found.width = found.width.min(own.width);
            plus |= exponent.starts_with('+');
            bare |= exponent.starts_with(|c: char| c.is_ascii_digit());
        }
        found.map(|found| Self { plus: plus || !bare, ..found })
    }

    /// The text of a number, with "." before its fraction.
    pub(super) fn write(self, value: f64) -> String {
        // A zero has no sign.
        let text = format!("{:.*e}", usize::from(self.digits), value + 0.0);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => (if self.plus { "+" } else { "" }, exponent),
        };
        let e = if self.upper { 'E' } else { 'e' };
        format!("{mantissa}{e}{sign}{exponent:0>width$}", width = usize::from(self.width))
    }
}
