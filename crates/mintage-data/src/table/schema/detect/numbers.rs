//! Numbers among the values of a column, and how they are written.

use super::{Guess, MIN_VALUES, Profile, Value, many};
use crate::table::{
    Type,
    check_digits::CheckDigits,
    encoder::has_own_tokens,
    schema::{
        Cause, Format, IdFormat, Kind, NumberFormat, NumberStyle,
        phrases::{examples, percent, rows},
        spellings::{self, Hint},
    },
    values,
};

/// Fewer different numbers than this, with frequent values among them that are none, are a list of values: 1, X, 2.
const FEW_NUMBERS: usize = 10;
/// Digits of a code with letters at its end: "1234AB".
const CODE_DIGITS: i32 = 4;
/// Digits of a telephone number in groups of three.
const PHONE_DIGITS: i32 = 9;

/// The numbers of a column.
pub struct Numbers<'a> {
    pub format: NumberFormat,
    /// Values that are written otherwise than the format has it.
    inexact: usize,
    /// Values that are no numbers.
    pub odd: Vec<Value<'a>>,
}

impl<'a> Profile<'a> {
    /// The values as numbers in the format that fits most of them.
    pub fn as_numbers(&self) -> Numbers<'a> {
        let texts = || self.values.iter().map(|v| v.0);
        let of = |point: char, style: NumberStyle| {
            let (format, inexact) = NumberFormat::of(texts(), point, style);
            let odd = self.values.iter().copied().filter(|v| format.parse(v.0).is_none()).collect();
            Numbers { format, inexact, odd }
        };
        let plain = of(values::point_of(texts()), NumberStyle::default());
        if plain.odd.is_empty() && values::dot_groups(texts()) {
            return of(',', NumberStyle { group: Some('.'), ..NumberStyle::default() });
        }
        if plain.odd.is_empty() {
            return plain;
        }
        let dressed = NumberStyle::detect(texts()).map(|(style, point)| of(point, style));
        match dressed {
            Some(dressed) if dressed.odd.len() < plain.odd.len() => dressed,
            _ => plain,
        }
    }

    pub(super) fn numbers(&self) -> Option<Guess> {
        let numbers = self.as_numbers();
        if numbers.odd.len() == self.values.len() || self.dressed_codes(&numbers) {
            return None;
        }
        if !numbers.odd.is_empty() && !self.beside_numbers(&numbers) {
            return self.mixed(&numbers.odd);
        }
        let Numbers { format, inexact, .. } = &numbers;
        let hint = spellings::hint(&self.column.name);
        let declaration = &self.column.declaration;
        let text = declaration.ty == Type::Text && declaration.native.is_some();
        if format.integer() && format.least == 0 && *inexact == 0 && format.style.is_plain() {
            let named = numbers.odd.is_empty();
            if named && (self.counted() || hint == Some(Hint::Id) && self.unique()) {
                return Some(self.id("whole numbers, each in one row: made afresh"));
            }
            if hint == Some(Hint::Id) {
                let reason = format!(
                    "by its name a key of another table: one of the {} seen",
                    many(self.values.len(), "keys")
                );
                return Some(Guess::new(Kind::Category, Format::Id(IdFormat::Reference), reason));
            }
            if named && self.checked() {
                return Some(match self.nearly_unique() {
                    true => self.id("whole numbers with check digits: made afresh"),
                    false => self.category("whole numbers with check digits: "),
                });
            }
            if text || hint == Some(Hint::Code) {
                let why = if text { "its type is text" } else { "by its name a code" };
                return Some(self.category(&format!("{why}: ")));
            }
            if hint == Some(Hint::Phone) {
                return Some(self.words());
            }
        }
        Some(self.number(numbers))
    }

    /// Whether the values that are no numbers leave the column one of numbers.
    fn beside_numbers(&self, numbers: &Numbers) -> bool {
        let odd = &numbers.odd;
        let off: usize = odd.iter().map(|v| v.1 as usize).sum();
        // Codes that begin with zeros, and whole numbers that are too large for quantities, belong to the rest.
        let digits = |v: &Value| v.0.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
        let named = spellings::hint(&self.column.name)
            .is_some_and(|hint| hint != Hint::Time && numbers.format.integer());
        let listed = self.values.len() - odd.len() < FEW_NUMBERS && off * 20 > self.present;
        self.few(odd) && !odd.iter().any(digits) && !named && !listed
    }

    /// Whether the numbers are codes that all end alike, or telephone numbers: "1001AB", "912 345 678".
    fn dressed_codes(&self, numbers: &Numbers) -> bool {
        let NumberFormat { style, digits, min, .. } = &numbers.format;
        let length = self.values.first().map_or(0, |v| v.0.len());
        let alike =
            *digits == Some(0) && self.nearly_unique() && self.values.iter().all(|v| v.0.len() == length);
        if !alike || style.is_plain() {
            return false;
        }
        let attached = style.suffix.starts_with(char::is_alphabetic) && !style.is_known();
        let blank = style.prefix.is_empty()
            && style.suffix.is_empty()
            && style.group.is_some_and(|c| c != ',' && c != '.');
        attached && *min >= 10f64.powi(CODE_DIGITS - 1) || blank && *min >= 10f64.powi(PHONE_DIGITS - 1)
    }

    /// Whether all have check digits: articles, books, cards. So many have them by no chance.
    fn checked(&self) -> bool {
        self.values.len() >= MIN_VALUES && CheckDigits::find(&self.texts()).is_some()
    }

    /// Whole numbers without gaps, in order.
    fn counted(&self) -> bool {
        if !self.unique() || self.rows < MIN_VALUES {
            return false;
        }
        let numbers: Option<Vec<i64>> = self.values.iter().map(|v| v.0.parse().ok()).collect();
        let steps = |step: i64| numbers.iter().flatten().is_sorted_by(|&&a, &&b| b == a + step);
        numbers.is_some() && (steps(1) || steps(-1))
    }

    /// Numbers, with values of their own beside them.
    pub fn number(&self, numbers: Numbers) -> Guess {
        let Numbers { format, inexact, odd } = numbers;
        let kind = if format.integer() { Kind::Integer } else { Kind::Number };
        let what = if kind == Kind::Integer { "whole numbers" } else { "numbers" };
        let (from, to) = (format.format(format.min), format.format(format.max));
        let rounded = match format.digits {
            Some(digits @ 1..) => format!(", up to {} after the point", many(digits as usize, "digits")),
            Some(digits @ ..0) => format!(", all multiples of {}", 10f64.powi(-i32::from(digits))),
            Some(0) | None => String::new(),
        };
        let distinct = self.values.len() - odd.len();
        let reason = format!("{} from {from} to {to}{rounded}", many(distinct, &format!("different {what}")));
        let off: usize = odd.iter().map(|v| v.1 as usize).sum();
        let mut alerts = Vec::new();
        if inexact > 0 && !has_own_tokens(distinct, self.present - off) {
            let other = |v: &&Value| format.parse(v.0).is_some_and(|number| format.format(number) != v.0);
            let others: Vec<Value> = self.values.iter().filter(other).copied().collect();
            let message = format!("written otherwise than the rest, and not kept so: {}", examples(&others));
            alerts.push((Cause::Spelling, message));
        }
        let mut guess = Guess { alerts, ..Guess::new(kind, Format::Number(format), reason) };
        guess.set_odd(&odd, Cause::Mixed, "no number");
        guess
    }

    /// Mostly numbers, and among them words.
    fn mixed(&self, odd: &[Value]) -> Option<Guess> {
        let off: usize = odd.iter().map(|v| v.1 as usize).sum();
        if off * 2 > self.present {
            return None;
        }
        let mut guess = self.words();
        // Codes belong there, those of digits that begin with zeros too.
        let codes = odd.iter().all(|v| v.0.bytes().all(|b| b.is_ascii_digit()));
        let named = spellings::hint(&self.column.name).is_some_and(|hint| hint != Hint::Time);
        if !codes && !named && !matches!(guess.kind, Kind::Id | Kind::Text) {
            let numbers = percent(self.present - off, self.present);
            let message = format!("{numbers} are numbers, {} no numbers: {}", rows(off), examples(odd));
            guess.alerts.push((Cause::Mixed, message));
        }
        Some(guess)
    }
}
