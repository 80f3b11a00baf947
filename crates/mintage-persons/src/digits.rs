//! Check digits, and shapes: patterns in which `#` is a digit, `A` a capital letter and `a` a small one.

use crate::stream::Stream;

/// The pattern of a text: its digits and ASCII letters by their signs, all else as it is.
pub(crate) fn shape(text: &str) -> String {
    let sign = |c: char| match c {
        c if c.is_ascii_digit() => '#',
        c if c.is_ascii_uppercase() => 'A',
        c if c.is_ascii_lowercase() => 'a',
        c => c,
    };
    text.chars().map(sign).collect()
}

/// A text of that shape: signs are drawn, all else stays.
pub(crate) fn fill(shape: &str, stream: &mut Stream) -> String {
    let draw = |c: char| match c {
        '#' => stream.digit(),
        'A' => char::from(b'A' + stream.below(26) as u8),
        'a' => char::from(b'a' + stream.below(26) as u8),
        c => c,
    };
    shape.chars().map(draw).collect()
}

/// The letters and digits of `content`, one after another, at the places of signs in `shape`; digits and letters that the
/// shape states are counted too, so that both have the same number of letters and digits.
pub(crate) fn pour(shape: &str, content: &str) -> Option<String> {
    let mut content = content.chars();
    let mut poured = String::with_capacity(shape.len());
    for c in shape.chars() {
        poured.push(if c == '#' || c.is_ascii_alphanumeric() { content.next()? } else { c });
    }
    content.next().is_none().then_some(poured)
}

/// The letters and digits of a text.
pub(crate) fn content(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn values(digits: &str) -> Option<Vec<u32>> {
    digits.chars().map(|c| c.to_digit(10)).collect()
}

fn digit(value: u32) -> char {
    char::from_digit(value % 10, 10).unwrap_or('0')
}

/// The Luhn digit after `body` (ISO/IEC 7812).
pub(crate) fn luhn(body: &str) -> Option<char> {
    let digits = values(body)?;
    let double = |(at, d): (usize, &u32)| if at % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { *d };
    let sum: u32 = digits.iter().rev().enumerate().map(double).sum();
    Some(digit((10 - sum % 10) % 10))
}

pub(crate) fn is_luhn(number: &str) -> bool {
    number.len() > 1 && number.is_ascii() && luhn(&number[..number.len() - 1]) == number.chars().last()
}

/// The remainder of a text of letters and digits by 97, letters counting from 10.
fn mod97(text: impl Iterator<Item = char>) -> Option<u32> {
    text.map(|c| c.to_digit(36)).try_fold(0u32, |rest, value| {
        let value = value?;
        Some((rest * if value < 10 { 10 } else { 100 } + value) % 97)
    })
}

/// An IBAN with right check digits, of a country and an account (ISO 13616).
pub(crate) fn iban(country: &str, account: &str) -> Option<String> {
    let rest = mod97(account.chars().chain(country.chars()).chain("00".chars()))?;
    Some(format!("{country}{:02}{account}", 98 - rest))
}

pub(crate) fn is_iban(text: &str) -> bool {
    let own = content(text);
    (15..=34).contains(&own.len())
        && own[..2].bytes().all(|b| b.is_ascii_uppercase())
        && own[2..4].bytes().all(|b| b.is_ascii_digit())
        && mod97(own[4..].chars().chain(own[..4].chars())) == Some(1)
}

/// The key of a French account (RIB): 97 less the weighted sum of bank, branch and account.
pub(crate) fn rib(bank: &str, branch: &str, account: &str) -> Option<String> {
    let number = |text: &str| text.parse::<u64>().ok();
    let sum = 89 * number(bank)? + 15 * number(branch)? + 3 * number(account)?;
    Some(format!("{:02}", 97 - sum % 97))
}

/// The two digits after the nine of a SNILS.
pub(crate) fn snils(body: &str) -> Option<String> {
    let sum: u32 = values(body)?.iter().zip((1..=9).rev()).map(|(d, w)| d * w).sum();
    Some(format!("{:02}", sum % 101 % 100))
}

/// The last two digits of the INN of a person, whose first ten are `body`; the last one of a company's after nine.
pub(crate) fn inn(body: &str) -> Option<String> {
    let digits = values(body)?;
    let sum = |weights: &[u32]| digits.iter().zip(weights).map(|(d, w)| d * w).sum::<u32>();
    match digits.len() {
        9 => Some(digit(sum(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10).to_string()),
        10 => {
            let first = sum(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
            let second = (sum(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6]) + 8 * first) % 11 % 10;
            Some(format!("{}{}", digit(first), digit(second)))
        }
        _ => None,
    }
}

pub(crate) fn is_snils(text: &str) -> bool {
    let own = content(text);
    own.len() == 11 && snils(&own[..9]).as_deref() == Some(&own[9..])
}

pub(crate) fn is_inn(text: &str) -> bool {
    let own = content(text);
    let body = if own.len() == 12 { 10 } else { 9 };
    matches!(own.len(), 10 | 12) && inn(&own[..body]).as_deref() == Some(&own[body..])
}

/// The last digit of a German Steuer-ID (ISO 7064, MOD 11,10).
pub(crate) fn steuer_id(body: &str) -> Option<char> {
    let product = values(body)?.iter().fold(10, |product, d| {
        let sum = (d + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    Some(digit((11 - product) % 10))
}

/// Eleven digits with a right last one, of the first ten of which one digit comes twice or thrice.
pub(crate) fn is_steuer_id(text: &str) -> bool {
    let own = content(text);
    let repeated = || ('0'..='9').filter(|d| own[..10].matches(*d).count() > 1).count() == 1;
    own.len() == 11
        && own.bytes().all(|b| b.is_ascii_digit())
        && repeated()
        && steuer_id(&own[..10]) == own.chars().last()
}

/// The two digits after the thirteen of a French NIR; Corsica's "2A" and "2B" count as 19 and 18.
pub(crate) fn nir(body: &str) -> Option<String> {
    let number: u64 = body.replace("2A", "19").replace("2B", "18").parse().ok()?;
    Some(format!("{:02}", 97 - number % 97))
}

pub(crate) fn is_nir(text: &str) -> bool {
    let own = content(text);
    own.len() == 15 && own.starts_with(['1', '2']) && nir(&own[..13]).as_deref() == Some(&own[13..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published examples of each kind.
    #[test]
    fn known_numbers_are_right() {
        assert!(is_luhn("4539148803436467") && !is_luhn("4539148803436468"));
        assert!(
            is_iban("DE89 3704 0044 0532 0130 00") && is_iban("GB82WEST12345698765432") && !is_iban("DE88")
        );
        assert_eq!(iban("DE", "370400440532013000").as_deref(), Some("DE89370400440532013000"));
        assert_eq!(rib("20041", "01005", "0500013").map(|_| ()), Some(()));
        assert!(is_snils("112-233-445 95") && is_inn("7707083893") && is_inn("500100732259"));
        assert!(is_steuer_id("86095742719") && !is_steuer_id("86095742718"));
        assert!(is_nir("2 55 08 14 168 025 38") && !is_nir("255081416802539"));
    }

    #[test]
    fn shapes_are_filled_and_poured_into() {
        assert_eq!(shape("+7 (912) 34-ab"), "+# (###) ##-aa");
        assert_eq!(pour("+7 (###) ##", "789012").as_deref(), Some("+7 (890) 12"));
        assert_eq!(pour("(###) ##", "1234567"), None);
        assert_eq!(pour("(###) ##", "12345").as_deref(), Some("(123) 45"));
        let filled = fill("#A-a", &mut Stream::new(1, 0));
        assert_eq!(shape(&filled), "#A-a");
    }
}
