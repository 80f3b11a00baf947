//! Check digits of known numbers: found where all values have them, and put right in new ones.

use serde::{Deserialize, Serialize};

/// Fewer values may have right check digits by chance.
const MIN_VALUES: usize = 8;

/// How check digits are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckDigits {
    /// Bank accounts: the third and fourth character, modulo 97 (ISO 13616).
    Iban,
    /// The last of ten characters, modulo 11, ten as "X".
    Isbn10,
    /// The last digit of GTIN-8, -12, -13 and -14, also called UPC, EAN and ISBN-13.
    Gtin,
    /// Cards and many others: the last digit (ISO/IEC 7812).
    Luhn,
    /// Russian taxpayers: the last of ten digits, or the last two of twelve.
    Inn,
    /// Russian pensions: the last two of eleven digits.
    Snils,
    /// Russian companies: the last of 13 or 15 digits.
    Ogrn,
}

impl CheckDigits {
    /// The kind that all of `values` have.
    pub fn find(values: &[&str]) -> Option<Self> {
        use CheckDigits::{Gtin, Iban, Inn, Isbn10, Luhn, Ogrn, Snils};
        if values.len() < MIN_VALUES {
            return None;
        }
        let all = |kind: &Self| values.iter().all(|value| kind.put(value).as_deref() == Some(*value));
        [Iban, Isbn10, Gtin, Inn, Snils, Ogrn, Luhn].into_iter().find(all)
    }

    /// The text with right check digits; nothing where it is no such number.
    pub fn put(self, text: &str) -> Option<String> {
        let mut chars: Vec<char> = text.chars().collect();
        // Spaces and dashes between the characters do not count.
        let places: Vec<usize> = (0..chars.len()).filter(|&at| chars[at].is_ascii_alphanumeric()).collect();
        if chars.iter().any(|c| !c.is_ascii_alphanumeric() && !" -".contains(*c)) {
            return None;
        }
        let own: Vec<char> = places.iter().map(|&at| chars[at]).collect();
        for (place, c) in self.check(&own)? {
            chars[places[place]] = c;
        }
        Some(chars.into_iter().collect())
    }

    /// The places of the check digits among letters and digits, and what stands there.
    fn check(self, own: &[char]) -> Option<Vec<(usize, char)>> {
        if self == Self::Iban {
            let check = iban(own)?;
            return Some(vec![(2, digit(check / 10)), (3, digit(check % 10))]);
        }
        let n = own.len();
        let checked = if self == Self::Isbn10 { n.checked_sub(1)? } else { n };
        let digits: Vec<u32> = own[..checked].iter().map(|c| c.to_digit(10)).collect::<Option<_>>()?;
        let sum = |weights: &[u32]| digits.iter().zip(weights).map(|(d, w)| d * w).sum::<u32>();
        let last = |value: u32| Some(vec![(n - 1, digit(value))]);
        match (self, n) {
            (Self::Isbn10, 10) if own[9].is_ascii_digit() || own[9] == 'X' => {
                match (11 - sum(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 {
                    10 => Some(vec![(9, 'X')]),
                    value => last(value),
                }
            }
            (Self::Gtin, 8 | 12 | 13 | 14) => {
                let weighted = digits[..n - 1].iter().rev().enumerate();
                let sum: u32 = weighted.map(|(at, d)| d * if at % 2 == 0 { 3 } else { 1 }).sum();
                last((10 - sum % 10) % 10)
            }
            (Self::Luhn, 8..=24) => {
                let double = |(at, d): (usize, &u32)| if at % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { *d };
                let sum: u32 = digits[..n - 1].iter().rev().enumerate().map(double).sum();
                last((10 - sum % 10) % 10)
            }
            (Self::Inn, 10) => last(sum(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10),
            (Self::Inn, 12) => {
                let first = sum(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
                let second = (sum(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6]) + 8 * first) % 11 % 10;
                Some(vec![(10, digit(first)), (11, digit(second))])
            }
            (Self::Snils, 11) => {
                let value = sum(&[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
                Some(vec![(9, digit(value / 10)), (10, digit(value % 10))])
            }
            (Self::Ogrn, 13 | 15) => {
                let base = if n == 13 { 11 } else { 13 };
                let number = digits[..n - 1].iter().fold(0u64, |number, &d| number * 10 + u64::from(d));
                last((number % base % 10) as u32)
            }
            _ => None,
        }
    }
}

/// The two check digits of an IBAN.
fn iban(own: &[char]) -> Option<u32> {
    let country = own.len() >= 15 && own.len() <= 34 && own[..2].iter().all(char::is_ascii_uppercase);
    if !country || !own[2..4].iter().all(char::is_ascii_digit) {
        return None;
    }
    let moved = own[4..].iter().chain(&own[..2]).chain(&['0', '0']);
    let rest = moved.map(|c| c.to_digit(36)).try_fold(0u32, |rest, value| {
        let value = value?;
        Some((rest * if value < 10 { 10 } else { 100 } + value) % 97)
    })?;
    Some(98 - rest)
}

fn digit(value: u32) -> char {
    char::from_digit(value % 10, 10).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published examples of each kind.
    #[test]
    fn known_numbers_are_right_and_others_are_put_right() {
        let all = [
            (CheckDigits::Iban, "DE89 3704 0044 0532 0130 00"),
            (CheckDigits::Iban, "GB82WEST12345698765432"),
            (CheckDigits::Isbn10, "0-306-40615-2"),
            (CheckDigits::Isbn10, "080442957X"),
            (CheckDigits::Gtin, "4006381333931"),
            (CheckDigits::Gtin, "978-0-306-40615-7"),
            (CheckDigits::Gtin, "036000291452"),
            (CheckDigits::Luhn, "4539 1488 0343 6467"),
            (CheckDigits::Inn, "7707083893"),
            (CheckDigits::Inn, "500100732259"),
            (CheckDigits::Snils, "112-233-445 95"),
            (CheckDigits::Ogrn, "1027700132195"),
            (CheckDigits::Ogrn, "304500116000157"),
        ];
        for (kind, text) in all {
            assert_eq!(kind.put(text).as_deref(), Some(text), "{kind:?}");
            let places: Vec<usize> =
                text.char_indices().filter(|c| c.1.is_ascii_digit()).map(|c| c.0).collect();
            let at = if kind == CheckDigits::Iban { 2 } else { places[places.len() - 1] };
            let mut wrong = text.to_owned();
            wrong.replace_range(at..=at, if &text[at..=at] == "1" { "2" } else { "1" });
            let (right, wrong) = (kind.put(text), kind.put(&wrong));
            assert!(kind == CheckDigits::Isbn10 || right == wrong, "{kind:?}: {right:?} {wrong:?}");
        }
        assert_eq!(CheckDigits::Iban.put("DE8"), None);
        assert_eq!(CheckDigits::Gtin.put("400638133393x"), None);
        assert_eq!(CheckDigits::Isbn10.put(""), None);
    }

    #[test]
    fn a_kind_is_found_where_all_have_it() {
        let cards: Vec<String> = (0..40)
            .filter_map(|i| CheckDigits::Luhn.put(&format!("4539{:011}0", i * 7_919_773u64)))
            .collect();
        let mut texts: Vec<&str> = cards.iter().map(String::as_str).collect();
        assert_eq!(CheckDigits::find(&texts), Some(CheckDigits::Luhn));
        texts.push("4539000000000001");
        assert_eq!(CheckDigits::find(&texts), None);
        assert_eq!(CheckDigits::find(&["7707083893"]), None);
    }
}
