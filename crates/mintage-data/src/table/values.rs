//! Numbers as texts, and back to exactly the same texts.
//!
//! A plain number is a sign, digits, a point, digits, an exponent. What looks like one and is none: codes
//! ("007"), integers that `f64` cannot hold, "inf", "nan". Whatever else people write around the digits of a
//! number ("$1,200.50", "5.7 %") is a [`NumberStyle`].

mod scientific;
mod style;

use serde::{Deserialize, Serialize};

pub use scientific::Scientific;
pub use style::NumberStyle;
pub(super) use style::dot_groups;

/// Integers from ±2^53 on are not all numbers of `f64`.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_992.0;
/// More digits after the point than `f64` can tell apart.
const MAX_DIGITS: i8 = 15;
/// Numbers that are all multiples of a power of ten are rounded to it, where there are so many to tell.
const ENOUGH_TO_ROUND: usize = 20;

/// How numbers are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberFormat {
    /// Digits after the point that no value exceeds, zeros at the end not counted; -3: whole thousands;
    /// `None`: as many as there are.
    pub digits: Option<i8>,
    /// Digits after the point that all values have: "3.0" and "3.25" with 1, "3.00" and "3.25" with 2.
    pub least: u8,
    /// Very small and very large ones have an exponent: "1e-05".
    pub exponent: bool,
    /// "." or ",".
    pub point: char,
    pub min: f64,
    pub max: f64,
    /// What stands around the digits: "$1,200", "5.7 %".
    #[serde(default, skip_serializing_if = "NumberStyle::is_default")]
    pub style: NumberStyle,
}

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
    pub fn of<'a, I>(texts: I, point: char, style: NumberStyle) -> (Self, usize)
    where
        I: Iterator<Item = &'a str> + Clone,
    {
        let (min, max) = (f64::MAX, f64::MIN);
        let mut format = Self { digits: None, least: u8::MAX, exponent: false, point, min, max, style };
        let reader = format.clone();
        let written = || texts.clone().filter_map(|text| Some((text, reader.scan(text)?)));
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
            if digits.is_some_and(|d| d > MAX_DIGITS || exponent) {
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
        // Numbers that all have an exponent keep it, with as many digits.
        let scientific = Scientific::of(written().map(|w| w.0), point).filter(|_| best.1 > 0);
        if let Some(scientific) = scientific.filter(|_| format.style.is_plain()) {
            let style = NumberStyle { scientific: Some(scientific), ..format.style.clone() };
            let candidate = Self { digits: None, exponent: true, style, ..format };
            let inexact = written().filter(|(text, n)| candidate.format(n.value) != **text).count();
            if inexact < best.1 {
                best = (candidate, inexact);
            }
        }
        best
    }

    pub fn parse(&self, text: &str) -> Option<f64> {
        self.scan(text).map(|written| written.value)
    }

    fn scan(&self, text: &str) -> Option<Written> {
        match self.style.is_plain() {
            true => scan(text, self.point),
            false => scan(&self.style.plain(text, self.point)?, '.'),
        }
    }

    /// Whether the numbers are written as programs read them.
    pub fn is_plain(&self) -> bool {
        self.point == '.' && self.style.is_plain()
    }

    /// Whether all numbers are whole.
    pub fn integer(&self) -> bool {
        self.digits.is_some_and(|digits| digits <= 0)
    }

    /// Writes a number as the column does, rounded as the column is.
    pub fn format(&self, value: f64) -> String {
        if let Some(scientific) = self.style.scientific {
            return self.dressed(scientific.write(value));
        }
        let mut text = match self.digits {
            Some(digits @ 0..) => format!("{value:.*}", digits as usize),
            Some(digits) => {
                let unit = 10f64.powi(-i32::from(digits));
                format!("{:.0}", (value / unit).round() * unit)
            }
            None if self.exponent && has_exponent(value) => return self.dressed(scientific(value)),
            None => format!("{value}"),
        };
        self.pad(&mut text);
        if text.starts_with('-') && text.bytes().all(|b| !(b'1'..=b'9').contains(&b)) {
            text.remove(0);
        }
        self.dressed(text)
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

    fn dressed(&self, plain: String) -> String {
        match self.style.is_plain() {
            true if self.point == '.' => plain,
            true => plain.replacen('.', &self.point.to_string(), 1),
            false => self.style.dress(&plain, self.point),
        }
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
        let (format, inexact) =
            NumberFormat::of(texts.iter().copied(), point_of(texts.iter().copied()), NumberStyle::default());
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
        assert_eq!(NumberFormat::of(["1.5", "1.50", "+3"].into_iter(), '.', NumberStyle::default()).1, 2);
    }

    #[test]
    fn exponents_keep_their_form() {
        assert_eq!(exact(&["8.67e-09", "1.20e+05", "9.99e-01"]).format(0.005_714_28), "5.71e-03");
        assert_eq!(exact(&["1.500E+12", "-2.000E-03"]).format(0.0), "0.000E+00");
        assert_eq!(exact(&["1.5e7", "2.5e-7", "1.0e12"]).format(123.0), "1.2e2");
        assert_eq!(exact(&["1,50e-07", "2,25e+07"]).format(-3e9), "-3,00e+09");
        assert!(exact(&["8.67e-09", "1.20e+05"]).is_plain());
    }

    /// A dressed column: each text comes back, and `number` is written as `expected`.
    #[track_caller]
    fn dressed(texts: &[&str], numbers: &[f64], number: f64, expected: &str) {
        let (style, point) = NumberStyle::detect(texts.iter().copied()).expect("a column of numbers");
        let (format, inexact) = NumberFormat::of(texts.iter().copied(), point, style);
        for (text, number) in texts.iter().zip(numbers) {
            assert_eq!(format.parse(text), Some(*number), "{text} {format:?}");
            assert_eq!(format.format(*number), *text, "{format:?}");
        }
        assert_eq!((inexact, format.format(number).as_str()), (0, expected), "{format:?}");
    }

    #[test]
    fn numbers_keep_their_dress() {
        dressed(&["71,829", "850", "1,234,567"], &[71_829.0, 850.0, 1_234_567.0], -1234.0, "-1,234");
        dressed(&["$66,083.09", "$5.00", "-$1,200.50"], &[66_083.09, 5.0, -1200.5], 999.999, "$1,000.00");
        dressed(&["($5.25)", "$1,000.00"], &[-5.25, 1000.0], -2.0, "($2.00)");
        dressed(&["$-5", "$17"], &[-5.0, 17.0], -2.0, "$-2");
        dressed(&["1.234,50 €", "0,99 €", "-3,10 €"], &[1234.5, 0.99, -3.1], 1e6, "1.000.000,00 €");
        dressed(&["1\u{a0}234,5", "7,25", "−3"], &[1234.5, 7.25, -3.0], -1234.0, "−1\u{a0}234");
        dressed(&["12\u{202f}345 ₽", "1\u{202f}000 ₽"], &[12_345.0, 1000.0], 5.0, "5 ₽");
        dressed(&["1'234.50", "12'000.00"], &[1234.5, 12_000.0], 1e6, "1'000'000.00");
        dressed(&["12,34,567", "1,00,000", "999"], &[1_234_567.0, 100_000.0, 999.0], 1e7, "1,00,00,000");
        dressed(&["5.7%", "-0.3%", "12.0%"], &[5.7, -0.3, 12.0], 3.1299, "3.1%");
        dressed(&["+3.2 %", "-1.5 %", "0.0 %"], &[3.2, -1.5, 0.0], 2.0, "+2.0 %");
        dressed(&["5,7 %", "12 %"], &[5.7, 12.0], 3.5, "3,5 %");
        dressed(&["1,234.50-", "7.00"], &[-1234.5, 7.0], -3.0, "3.00-");
        dressed(&["5kg", "12kg"], &[5.0, 12.0], 7.4, "7kg");
        dressed(&["USD 1,200", "USD 85"], &[1200.0, 85.0], 2500.0, "USD 2,500");
        dressed(&["1200,00 руб.", "85,50 руб."], &[1200.0, 85.5], 3.0, "3,00 руб.");
        dressed(&["1234", "12 345", "123 456"], &[1234.0, 12_345.0, 123_456.0], 5678.0, "5678");
        dressed(&["€ 1.234", "€ 850"], &[1234.0, 850.0], 7000.0, "€ 7.000");
        dressed(&["21 °C", "-4 °C"], &[21.0, -4.0], 3.0, "3 °C");
        for other in
            ["A9", "CUST-17", "2024-01-05", "10:30", "+7 912 345-67-89", "1,2,3", "v1.2", "10-20", "№ 5"]
        {
            let found = NumberStyle::detect([other].into_iter());
            let parsed = found.is_some_and(|(style, point)| {
                NumberFormat::of([other].into_iter(), point, style).0.parse(other).is_some()
            });
            assert!(!parsed, "{other}");
        }
        assert!(
            NumberFormat::of(
                ["1,23,45", "1,234"].into_iter(),
                '.',
                NumberStyle { group: Some(','), ..NumberStyle::default() }
            )
            .0
            .parse("1,23,45")
            .is_none()
        );
    }

    proptest! {
        #[test]
        fn dressed_numbers_are_exact(
            values in prop::collection::vec(-100_000_000i64..100_000_000, 30..60),
            digits in 0i8..4,
            dress in 0usize..9,
        ) {
            let group = [Some(','), Some('.'), Some('\u{a0}'), Some(' '), Some('\''), None][dress % 6];
            let point = if group == Some(',') || group == Some('\'') || group.is_none() { '.' } else { ',' };
            let (prefix, suffix) = [("$", ""), ("", " €"), ("", "%"), ("", ""), ("USD ", ""), ("", " kg"), ("(", ")")][dress % 7];
            let style = NumberStyle {
                prefix: if prefix == "(" { "£".into() } else { prefix.to_owned() },
                suffix: if suffix == ")" { String::new() } else { suffix.to_owned() },
                group,
                indian: group == Some(',') && digits == 2,
                negative: match dress { 6 => style::Negative::Parentheses, 2 => style::Negative::After, _ => style::Negative::Before },
                minus: (dress == 3).then_some('\u{2212}'),
                ..NumberStyle::default()
            };
            let own = NumberFormat { digits: Some(digits), least: digits as u8, exponent: false, point, min: 0.0, max: 0.0, style };
            let texts: Vec<String> = values.iter().map(|&v| own.format(v as f64 / 1000.0)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            // As the file's own style reads them, and as the one that is found does.
            prop_assert!(texts.iter().all(|text| own.parse(text).map(|n| own.format(n)).as_deref() == Some(text)));
            if let Some((found, point)) = NumberStyle::detect(texts.iter().copied()) {
                let (format, inexact) = NumberFormat::of(texts.iter().copied(), point, found);
                prop_assert_eq!(inexact, 0, "{:?} {:?}", format, texts);
                prop_assert!(texts.iter().all(|text| format.parse(text).map(|n| format.format(n)).as_deref() == Some(text)), "{:?}", format);
            }
        }

        #[test]
        fn any_text_is_harmless(texts in prop::collection::vec("[-+(]?[$€ ]{0,2}[0-9.,' ]{0,9}[%кk)]{0,2}|.{0,8}", 1..8)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            if let Some((style, point)) = NumberStyle::detect(texts.iter().copied()) {
                let (format, _) = NumberFormat::of(texts.iter().copied(), point, style);
                texts.iter().for_each(|text| drop(format.parse(text).map(|n| format.format(n))));
            }
        }

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
