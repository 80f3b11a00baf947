//! Numbers as texts, and back to exactly the same texts.
//!
//! A number is a sign, digits, a point, digits, an exponent. What looks like one and is none: codes
//! ("007"), integers that `f64` cannot hold, "inf", "nan", numbers with thousands separators.

use super::schema::NumberFormat;

/// Integers from ±2^53 on are not all numbers of `f64`.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_992.0;
/// More digits after the point than `f64` can tell apart.
const MOST_DIGITS: i8 = 15;
/// Numbers that are all multiples of a power of ten are rounded to it, where there are so many to tell.
const ENOUGH_TO_ROUND: usize = 20;

/// A number with what its text shows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Written {
    value: f64,
    /// Digits after the point.
    digits: u8,
    /// … that are left without zeros at the end.
    used: u8,
    exponent: bool,
}

/// The number that `text` writes with `point` before its fraction.
pub fn parse(text: &str, point: char) -> Option<f64> {
    scan(text, point).map(|written| written.value)
}

fn scan(text: &str, point: char) -> Option<Written> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once(point) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let code = whole.len() > 1 && whole.starts_with('0');
    let whole_fits = digits(whole) || whole.is_empty() && fraction.is_some();
    if code || !whole_fits || fraction.is_some_and(|f| !digits(f)) {
        return None;
    }
    if exponent.is_some_and(|e| !digits(e.strip_prefix(['+', '-']).unwrap_or(e))) {
        return None;
    }
    let value: f64 = if point == '.' { text.parse() } else { text.replacen(point, ".", 1).parse() }.ok()?;
    let integer = fraction.is_none() && exponent.is_none();
    if !value.is_finite() || integer && value.abs() >= LARGEST_INTEGER {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    let short = |n: usize| n.min(usize::from(u8::MAX)) as u8;
    let used = short(fraction.trim_end_matches('0').len());
    Some(Written { value, digits: short(fraction.len()), used, exponent: exponent.is_some() })
}

/// The character before fractions that makes most of `texts` numbers.
pub fn point_of<'a>(texts: impl Iterator<Item = &'a str>) -> char {
    let (mut dots, mut commas, mut grouped) = (0usize, 0usize, true);
    for text in texts {
        if text.contains('.') && scan(text, '.').is_some() {
            dots += 1;
        } else if let Some((whole, fraction)) = text.split_once(',')
            && scan(text, ',').is_some()
        {
            commas += 1;
            grouped &= fraction.len() == 3 && !matches!(whole, "0" | "-0");
        }
    }
    // "1,200" and "12,400" everywhere: the comma groups thousands, and these are no numbers of ours.
    if commas > dots && !grouped { ',' } else { '.' }
}

impl NumberFormat {
    /// The format that writes all of `texts`, which are numbers, exactly as they are; else the one that
    /// writes most of them so, with how many it does not.
    pub fn of<'a, I: Iterator<Item = &'a str> + Clone>(texts: I, point: char) -> (Self, usize) {
        let written = || texts.clone().filter_map(|text| Some((text, scan(text, point)?)));
        let mut format =
            Self { digits: None, least: u8::MAX, exponent: false, point, min: f64::MAX, max: f64::MIN };
        let (mut used, mut count) = (0, 0);
        for (_, number) in written() {
            used = used.max(number.used);
            if !number.exponent {
                format.least = format.least.min(number.digits);
            }
            format.min = format.min.min(number.value);
            format.max = format.max.max(number.value);
            count += 1;
        }
        if format.least == u8::MAX {
            format.least = 0;
        }
        let mut best = (format.clone(), usize::MAX);
        let digits = match used as i8 {
            0 if count >= ENOUGH_TO_ROUND => -common_zeros(written().map(|w| w.1.value)),
            used => used,
        };
        for (digits, exponent) in [(Some(digits), false), (None, false), (None, true)] {
            if digits.is_some_and(|d| d > MOST_DIGITS || exponent) {
                continue;
            }
            let candidate = Self { digits, exponent, ..format.clone() };
            let differ = |(text, number): &(&str, Written)| candidate.format(number.value) != **text;
            let inexact = written().filter(differ).count();
            if inexact < best.1 {
                best = (candidate, inexact);
            }
            if best.1 == 0 {
                break;
            }
        }
        best
    }

    pub fn parse(&self, text: &str) -> Option<f64> {
        parse(text, self.point)
    }

    /// Whether the numbers are written as programs read them.
    pub fn is_plain(&self) -> bool {
        self.point == '.'
    }

    /// Whether all numbers are whole.
    pub fn integer(&self) -> bool {
        self.digits.is_some_and(|digits| digits <= 0)
    }

    /// Writes a number as the column does, rounded as the column is.
    pub fn format(&self, value: f64) -> String {
        let mut text = match self.digits {
            Some(digits @ 0..) => format!("{value:.*}", digits as usize),
            Some(digits) => {
                let unit = 10f64.powi(-i32::from(digits));
                format!("{:.0}", (value / unit).round() * unit)
            }
            None if self.exponent && has_exponent(value) => return self.with_point(scientific(value)),
            None => format!("{value}"),
        };
        self.pad(&mut text);
        if text.starts_with('-') && text.bytes().all(|b| !(b'1'..=b'9').contains(&b)) {
            text.remove(0);
        }
        self.with_point(text)
    }

    /// As few zeros at the end as `least` wants, and as many.
    fn pad(&self, text: &mut String) {
        let least = usize::from(self.least);
        let mut digits = text.find('.').map_or(0, |at| text.len() - at - 1);
        while digits > least && text.ends_with('0') {
            text.pop();
            digits -= 1;
        }
        if digits == 0 && text.ends_with('.') {
            text.pop();
        }
        if digits < least {
            if digits == 0 {
                text.push('.');
            }
            text.extend(std::iter::repeat_n('0', least - digits));
        }
    }

    fn with_point(&self, text: String) -> String {
        if self.point == '.' { text } else { text.replacen('.', &self.point.to_string(), 1) }
    }
}

/// Zeros that all whole numbers have at their ends, six at most.
fn common_zeros(values: impl Iterator<Item = f64> + Clone) -> i8 {
    let all = |zeros: &i8| values.clone().all(|value| value % 10f64.powi(i32::from(*zeros)) == 0.0);
    (1..=6).take_while(all).last().unwrap_or(0)
}

/// Whether programs that write numbers the short way (Python, Java) use an exponent for it.
fn has_exponent(value: f64) -> bool {
    let size = value.abs();
    size != 0.0 && !(1e-4..1e16).contains(&size)
}

/// "1.5e-07": an exponent has a sign and two digits at least.
fn scientific(value: f64) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(texts: &[&str]) -> NumberFormat {
        let (format, inexact) = NumberFormat::of(texts.iter().copied(), point_of(texts.iter().copied()));
        assert_eq!(inexact, 0, "{texts:?} {format:?}");
        for text in texts {
            assert_eq!(format.parse(text).map(|value| format.format(value)).as_deref(), Some(*text));
        }
        format
    }

    #[test]
    fn tells_numbers_from_what_looks_like_them() {
        for text in ["0", "-1", "+2.50", "1e5", "1.5E-7", ".5", "0.0", "9007199254740991"] {
            assert!(parse(text, '.').is_some(), "{text}");
        }
        for text in [
            "",
            "-",
            "007",
            "00",
            "1.",
            "1,5",
            "inf",
            "nan",
            "0x1f",
            "1e",
            "1e999",
            "9007199254740992",
            "٣",
            "1 2",
        ] {
            assert!(parse(text, '.').is_none(), "{text}");
        }
        assert_eq!(parse("-1,5", ','), Some(-1.5));
        assert_eq!(point_of(["1,5", "2", "3,25"].into_iter()), ',');
        assert_eq!(point_of(["1,200", "12,400", "7"].into_iter()), '.');
        assert_eq!(point_of(["0,125", "0,250", "7"].into_iter()), ',');
    }

    #[test]
    fn writes_numbers_as_columns_do() {
        assert_eq!(exact(&["1.50", "20.25", "-3.00"]).format(7.0), "7.00");
        assert_eq!(exact(&["1.5", "20.25", "-3"]).format(7.126), "7.13");
        assert_eq!(exact(&["39.0", "40.0"]).format(41.3), "41.0");
        assert_eq!(exact(&["0,5", "12,75"]).format(0.25), "0,25");
        assert_eq!(exact(&["39", "40"]).format(-0.2), "0");
        assert_eq!(exact(&["0.1", "1e-05", "3.0", "2.5e+16"]).format(0.00002), "2e-05");
        assert_eq!(exact(&["0.1234567890123456", "12.5"]).digits, None);
        let thousands: Vec<String> = (1..30).map(|i| format!("{}", i * 1000)).collect();
        let thousands: Vec<&str> = thousands.iter().map(String::as_str).collect();
        assert_eq!(exact(&thousands).format(12_345.6), "12000");
        assert_eq!(NumberFormat::of(["1.5", "1.50", "+3"].into_iter(), '.').1, 2);
    }

    proptest! {
        #[test]
        fn fixed_digits_are_exact(values in prop::collection::vec(-1_000_000_000i64..1_000_000_000, 1..40), digits in 0usize..5) {
            let texts: Vec<String> = values.iter().map(|&v| format!("{:.*}", digits, v as f64 / 10f64.powi(digits as i32))).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).filter(|t| !t.starts_with("-0") || t.contains(|c| ('1'..='9').contains(&c))).collect();
            exact(&texts);
        }

        #[test]
        fn shortest_forms_are_exact(values in prop::collection::vec(-1e12f64..1e12, 1..40)) {
            let texts: Vec<String> = values.iter().map(f64::to_string).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            exact(&texts);
        }
    }
}
