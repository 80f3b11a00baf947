//! Numbers with right check digits, out of ranges that are nobody's where there are such.
//!
//! | number | range |
//! |---|---|
//! | telephone, US and Canada | 555-0100 to 555-0199 of any area |
//! | telephone, UK, France, Germany | those that Ofcom, Arcep and the Bundesnetzagentur keep for films |
//! | cards | first digits that payment providers publish for tests |
//! | SSN | 9xx with a group below 50, which is neither an SSN nor an ITIN |
//! | NINO | a first letter Q, which is given to nobody |
//! | Steuer-ID | a first digit 0, which is for tests |
//! | NIR | a number 000 within the town |
//! | SNILS, INN | a first digit 9, a first region 00: not issued |
//! | Russian passport | printed between 2050 and 2089 |
//! | IP, MAC | benchmarks (RFC 2544), documentation (RFC 3849), private; locally administered |

use crate::{
    digits::{self, fill, pour},
    kind::{NationalId, Personal},
    locale::Country,
    sex::Sex,
    stream::Stream,
};

/// From this attempt on a telephone number may be any of the shape.
const ANY_PHONE: u32 = 10;

/// First digits after the trunk "0", which three or more digits follow.
const UK: &[&str] = &[
    "7700900", "1632960", "2079460", "1134960", "1144960", "1154960", "1164960", "1174960", "1214960",
    "1314960", "1414960", "1514960", "1614960", "1914980", "3069990", "8081570",
];
const FRANCE: &[&str] = &["19900", "26191", "35301", "46571", "53649", "63998"];
const GERMANY: &[&str] = &["3023125", "6990009", "4066969", "2214710", "8999998"];

const CARDS: &[&str] = &["424242", "411111", "400000", "555555", "520082", "222300", "601111", "220000"];

/// A telephone number of the shape.
pub(super) fn phone(pattern: &str, country: &Country, stream: &mut Stream) -> String {
    let wanted: String = pattern.chars().filter(|c| *c == '#' || c.is_ascii_digit()).collect();
    let reserved =
        (stream.attempt() < ANY_PHONE).then(|| reserved(&wanted, pattern, country, stream)).flatten();
    let number = reserved.unwrap_or_else(|| {
        let mut drawn = String::with_capacity(wanted.len());
        for (at, c) in wanted.chars().enumerate() {
            drawn.push(match c {
                '#' if at == 0 => first_digit(&wanted, country, stream),
                '#' if at == 1 && country.calling == "7" && wanted.len() == 11 => {
                    char::from(b"348999"[stream.below(6)])
                }
                '#' => stream.digit(),
                c => c,
            });
        }
        drawn
    });
    let mut digits = number.chars();
    pattern
        .chars()
        .map(|c| if c == '#' || c.is_ascii_digit() { digits.next().unwrap_or('0') } else { c })
        .collect()
}

/// The first digit of a number that is not international: the trunk prefix where the country has one.
fn first_digit(wanted: &str, country: &Country, stream: &mut Stream) -> char {
    match (country.calling, wanted.len()) {
        ("44" | "49" | "33", 9..) => '0',
        ("7", 11) => '8',
        _ => char::from(b'1' + stream.below(9) as u8),
    }
}

/// A number that films may show, where one has as many digits and agrees with those that stand in the shape.
fn reserved(wanted: &str, pattern: &str, country: &Country, stream: &mut Stream) -> Option<String> {
    let international = pattern.starts_with('+');
    let code = if international && !wanted.starts_with(country.calling) {
        return None;
    } else {
        country.calling
    };
    let national = match country.calling {
        "1" => {
            let mut digit = |low: usize, high: usize| stream.within(low, high).to_string();
            let area = format!("{}{}{}", digit(2, 9), digit(0, 8), digit(2, 9));
            let line = format!("55501{}{}", digit(0, 9), digit(0, 9));
            if wanted.len() == 7 { line } else { area + &line }
        }
        "44" => drawn(UK, 10, stream),
        "33" => drawn(FRANCE, 9, stream),
        "49" => drawn(GERMANY, 10, stream),
        _ => return None,
    };
    let trunk = format!("0{national}");
    let forms = match (international, code) {
        (true, _) => vec![format!("{code}{national}"), format!("{code}{trunk}")],
        (false, "1") => vec![national.clone(), format!("1{national}")],
        (false, _) => vec![trunk],
    };
    let agrees = |form: &String| {
        form.len() == wanted.len() && form.chars().zip(wanted.chars()).all(|(a, b)| b == '#' || a == b)
    };
    forms.into_iter().find(agrees)
}

fn drawn(starts: &[&str], n: usize, stream: &mut Stream) -> String {
    let start = stream.pick(starts);
    start.to_owned() + &some(n - start.len(), stream)
}

/// So many digits.
fn some(n: usize, stream: &mut Stream) -> String {
    (0..n).map(|_| stream.digit()).collect()
}

/// A number of another kind in the shape of the pattern.
pub(super) fn number(what: Personal, pattern: &str, sex: Sex, stream: &mut Stream) -> Option<String> {
    match what {
        Personal::Card => card(pattern, stream),
        Personal::Iban => iban(pattern, stream),
        Personal::National(id) => national(id, pattern, sex, stream),
        Personal::Ip => Some(ip(pattern, stream)),
        Personal::Mac => Some(mac(pattern, stream)),
        _ => None,
    }
}

fn card(pattern: &str, stream: &mut Stream) -> Option<String> {
    let n = pattern.matches('#').count().clamp(12, 19);
    let start = if n == 15 { "378282" } else { stream.pick(CARDS) };
    let body = start.to_owned() + &some(n - 1 - start.len(), stream);
    pour(pattern, &format!("{body}{}", digits::luhn(&body)?))
}

fn iban(pattern: &str, stream: &mut Stream) -> Option<String> {
    let signs: String = pattern.chars().filter(|c| *c == '#' || c.is_ascii_alphanumeric()).collect();
    let (country, account) = (signs.get(..2)?, signs.get(4..)?);
    let mut account = fill(account, stream);
    if country == "FR"
        && account.len() == 23
        && let Some(key) = digits::rib(&account[..5], &account[5..10], &account[10..21])
    {
        account.replace_range(21.., &key);
    }
    pour(pattern, &digits::iban(country, &account)?)
}

fn national(id: NationalId, pattern: &str, sex: Sex, stream: &mut Stream) -> Option<String> {
    let n = pattern.chars().filter(|c| *c == '#' || c.is_ascii_alphanumeric()).count();
    let number = match (id, n) {
        (NationalId::Ssn, 9) => {
            format!("9{}{:02}{:04}", some(2, stream), stream.within(1, 49), stream.within(1, 9999))
        }
        (NationalId::Nino, 9) => {
            let second = stream.pick(&[
                "A", "B", "C", "E", "G", "H", "J", "K", "L", "M", "N", "P", "R", "S", "T", "W", "X", "Y", "Z",
            ]);
            format!("Q{second}{}{}", some(6, stream), stream.pick(&["A", "B", "C", "D"]))
        }
        (NationalId::SteuerId, 11) => {
            let body = steuer_body(stream);
            format!("{body}{}", digits::steuer_id(&body)?)
        }
        (NationalId::Nir, 15) => {
            let sex = if sex == Sex::Male { 1 } else { 2 };
            let (month, department) = (stream.within(1, 12), stream.within(21, 95));
            let body =
                format!("{sex}{}{month:02}{department:02}{:03}000", some(2, stream), stream.within(1, 989));
            format!("{body}{}", digits::nir(&body)?)
        }
        (NationalId::Snils, 11) => {
            let body = format!("9{}", some(8, stream));
            format!("{body}{}", digits::snils(&body)?)
        }
        (NationalId::Inn, 10 | 12) => {
            let body = format!("00{}", some(if n == 12 { 8 } else { 7 }, stream));
            format!("{body}{}", digits::inn(&body)?)
        }
        (NationalId::Passport, 10) if !pattern.contains('A') => {
            format!("{:02}{}{}", stream.within(1, 99), stream.within(50, 89), some(6, stream))
        }
        _ => return Some(fill(pattern, stream)),
    };
    pour(pattern, &number)
}

/// Ten digits that begin with 0, of which one comes twice and one not at all.
fn steuer_body(stream: &mut Stream) -> String {
    let absent = stream.within(1, 9);
    let mut digits: Vec<usize> = (0..10).filter(|digit| *digit != absent).collect();
    digits.push(digits[stream.below(9)]);
    for at in (1..digits.len()).rev() {
        digits.swap(at, stream.below(at + 1));
    }
    if let Some(zero) = digits.iter().position(|digit| *digit == 0) {
        digits.swap(0, zero);
    }
    digits.iter().map(usize::to_string).collect()
}

fn ip(pattern: &str, stream: &mut Stream) -> String {
    let attempt = stream.attempt();
    let mut byte = || stream.below(256);
    match pattern {
        "v6" => {
            let mut word = || byte() * 256 + byte();
            format!("2001:db8:{:x}:{:x}::{:x}", word(), word(), word())
        }
        "private" => format!("10.{}.{}.{}", byte(), byte(), byte()),
        _ if attempt < 20 => format!("198.{}.{}.{}", 18 + byte() % 2, byte(), byte()),
        _ => format!("{}.{}.{}.{}", 240 + byte() % 14, byte(), byte(), byte()),
    }
}

/// A locally administered address: the second digit says so.
fn mac(pattern: &str, stream: &mut Stream) -> String {
    let mut at = 0;
    let hex = |n: usize| char::from(b"0123456789ABCDEF"[n]);
    let draw = |c: char| match c {
        '#' => {
            at += 1;
            if at == 2 { hex([2, 6, 10, 14][stream.below(4)]) } else { hex(stream.below(16)) }
        }
        c => c,
    };
    pattern.chars().map(draw).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{digits::content, locale::Locale};

    #[test]
    fn numbers_are_right_and_nobodys() {
        for seed in 0..200 {
            let mut stream = Stream::new(seed, 0);
            let mut make = |what, pattern: &str| number(what, pattern, Sex::Female, &mut stream).unwrap();
            assert!(digits::is_luhn(&content(&make(Personal::Card, "#### #### #### ####"))));
            assert!(digits::is_iban(&make(Personal::Iban, "DE## #### #### #### #### ##")));
            assert!(digits::is_iban(&make(Personal::Iban, "GB##AAAA##############")));
            assert!(digits::is_steuer_id(&make(Personal::National(NationalId::SteuerId), "## ### ### ###")));
            assert!(digits::is_snils(&make(Personal::National(NationalId::Snils), "###-###-### ##")));
            assert!(digits::is_inn(&make(Personal::National(NationalId::Inn), "############")));
            let nir = make(Personal::National(NationalId::Nir), "# ## ## ## ### ### ##");
            assert!(digits::is_nir(&nir) && nir.starts_with('2'));
            assert!(make(Personal::National(NationalId::Ssn), "###-##-####").starts_with('9'));
            assert!(make(Personal::Ip, "v4").starts_with("198.1"));
        }
    }

    #[test]
    fn telephone_numbers_are_those_of_films_where_the_shape_allows() {
        let mut stream = Stream::new(5, 0);
        let mut make = |pattern: &str, locale: Locale| phone(pattern, locale.country(), &mut stream);
        assert!(make("+1 (###) ###-####", Locale::EnUs).contains(") 555-01"));
        assert!(make("555-####", Locale::EnUs).starts_with("555-01"));
        assert!(content(&make("0## #### ####", Locale::EnGb)).starts_with('0'));
        assert!(make("+33 # ## ## ## ##", Locale::FrFr).starts_with("+33 "));
        assert!(make("+7 (9##) ###-##-##", Locale::RuRu).starts_with("+7 (9"));
        let uk = content(&make("+44 #### ######", Locale::EnGb));
        assert!(UK.iter().any(|start| uk[2..].starts_with(start)), "{uk}");
    }
}
