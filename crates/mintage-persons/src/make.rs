//! One value of each kind, drawn for a person and an address: what a plan and a mask have in common.
//!
//! A draw is tried again under another `attempt` where its value is taken: first others of the same lists, then composed ones
//! (two names, a town that is on no map, a number after the login), so that values do not run out.

mod number;
pub(crate) mod person;
pub(crate) mod place;

use crate::{
    format::{Format, handle::DOMAINS, render},
    kind::Personal,
    locale::{Country, Locale},
    secret,
    sex::Sex,
    stream::{Draw, Stream, derive},
    text::{Letters, ascii, handle, initial},
};
use person::Person;
use place::Address;

/// Attempts at one value; after them there is none.
pub(crate) const MAX_ATTEMPTS: u32 = 64;

/// Attempts at words as the lists have them. With more of them the few words that a large source has not would come again
/// and again, and so show which these are.
pub(crate) const MAX_PLAIN: u32 = 4;

/// How far from the lists an attempt goes: 0 as they are, 1 two of them, 2 more.
pub(crate) fn level(attempt: u32) -> usize {
    match attempt {
        0..MAX_PLAIN => 0,
        MAX_PLAIN..32 => 1,
        _ => 2,
    }
}

/// Whose value it is.
pub(crate) struct Whose<'a> {
    pub locale: Locale,
    pub country: &'static Country,
    pub person: &'a Person,
    pub address: &'a Address,
}

/// A value of a kind that is no part of a name, for an attempt; none where the kind is not made. Everything follows `draw`.
pub(crate) fn value(what: Personal, format: &Format, whose: &Whose<'_>, draw: Draw) -> Option<String> {
    let mut stream = Stream::new(draw.seed, draw.attempt);
    let mut choice = Stream::new(derive(draw.seed, "pattern"), 0);
    let pattern =
        choose(format, &mut choice, |text| place::fits(what, text, whose)).unwrap_or(default(what, whose));
    let text = match what {
        Personal::Email => email(pattern, format.letters, whose.person, &mut stream)?,
        Personal::UserName => login(pattern, format.letters, whose.person, &mut stream)?,
        Personal::Url => return Some(url(pattern, whose.person, &mut stream)),
        Personal::Company => company(pattern, whose.locale, &mut stream)?,
        Personal::Street | Personal::FullAddress => whose.address.render(pattern, whose, &mut stream)?,
        Personal::City | Personal::Region => whose.address.name(pattern)?,
        Personal::Postcode => whose.address.postcode(pattern, whose.country, &mut stream),
        Personal::Phone => number::phone(pattern, whose.country, &mut stream),
        Personal::Card | Personal::Iban | Personal::National(_) | Personal::Ip | Personal::Mac => {
            number::number(what, pattern, whose.person.sex, &mut stream)?
        }
        Personal::Secret => return Some(secret::fill(pattern, &mut stream)),
        _ => return None,
    };
    let text = if format.ascii { ascii(&text) } else { text };
    let plain = matches!(what, Personal::Email | Personal::UserName | Personal::Postcode | Personal::Phone);
    Some(if plain { text } else { format.letters.write(&text) })
}

/// One of the patterns that fit, by their weights; of all where none fits.
fn choose<'a>(format: &'a Format, stream: &mut Stream, fits: impl Fn(&str) -> bool) -> Option<&'a str> {
    let any = format.patterns.iter().any(|pattern| fits(&pattern.text));
    let weight =
        |pattern: &crate::format::Pattern| if !any || fits(&pattern.text) { pattern.weight } else { 0 };
    stream.weighted(&format.patterns, weight).map(|pattern| pattern.text.as_str())
}

/// The pattern of a column that has shown none.
fn default(what: Personal, whose: &Whose<'_>) -> &'static str {
    match what {
        Personal::FullName if whose.locale == Locale::RuRu => "{family} {given} {patronymic}",
        Personal::FullName => "{given} {family}",
        Personal::MiddleName => "{middle}",
        Personal::Email => "{given}.{family}@{domain}",
        Personal::UserName => "{g}{family}",
        Personal::Url => "https://{host}/{user}",
        Personal::Company => "{company} {end}",
        Personal::Street => "{street} {house:2}",
        Personal::FullAddress => "{street} {house:2}, {city}",
        Personal::City => "{city}",
        Personal::Region => "{region}",
        Personal::Postcode => whose.country.postcode,
        Personal::Phone => "+# ### ###-####",
        Personal::Card => "#### #### #### ####",
        Personal::Iban => "DE####################",
        Personal::National(_) => "#########",
        Personal::Ip => "v4",
        Personal::Mac => "##:##:##:##:##:##",
        Personal::Secret => "wwwwwwwwwwwwwwww",
        _ => "",
    }
}

/// Something of a person's name in the format of a column; `seed` chooses among its patterns.
pub(crate) fn name(what: Personal, format: &Format, person: &Person, seed: u64) -> Option<String> {
    let mut choice = Stream::new(derive(seed, "pattern"), 0);
    let chosen = choose(format, &mut choice, |_| true);
    let pattern = match what {
        Personal::GivenName => chosen.unwrap_or("{given}"),
        Personal::FamilyName => "{family}",
        Personal::Patronymic => "{patronymic}",
        Personal::MiddleName => chosen.unwrap_or("{middle}"),
        _ => chosen.unwrap_or(if person.locale == Locale::RuRu {
            "{family} {given} {patronymic}"
        } else {
            "{given} {family}"
        }),
    };
    let declined = person.declined(format.case);
    let text = render(pattern, |slot, _| {
        Some(match slot {
            "given" => declined.given.clone(),
            "family" => declined.family.clone(),
            "patronymic" => declined.patronymic.clone(),
            "middle" => declined.middle.clone(),
            "g" => initial(&declined.given),
            "f" => initial(&declined.family),
            "p" => initial(&declined.patronymic),
            "m" => initial(&declined.middle),
            "title" => title(person).to_owned(),
            _ => return None,
        })
    })?;
    Some(format.letters.write(&if format.ascii { ascii(&text) } else { text }))
}

fn title(person: &Person) -> &'static str {
    match (person.locale, person.sex) {
        (Locale::DeDe, Sex::Female) => "Frau",
        (Locale::DeDe, Sex::Male) => "Herr",
        (Locale::FrFr, Sex::Female) => "Mme",
        (Locale::FrFr, Sex::Male) => "M",
        (_, Sex::Female) => "Ms",
        (_, Sex::Male) => "Mr",
    }
}

/// A login in the pattern; a number follows from the third attempt on.
pub(crate) fn login(pattern: &str, letters: Letters, person: &Person, stream: &mut Stream) -> Option<String> {
    let attempt = stream.attempt();
    let coded = pattern.contains(":3}");
    let drawn: String = pattern.chars().map(|c| if c == '#' { stream.digit() } else { c }).collect();
    let (given, family) = person.handles();
    let write = |text: &str| match letters {
        Letters::Natural => {
            let mut chars = text.chars();
            chars
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + chars.as_str())
                .unwrap_or_default()
        }
        Letters::Upper => text.to_ascii_uppercase(),
        Letters::Lower => text.to_owned(),
    };
    let first = |text: &str, n: usize| text.chars().take(n).collect::<String>();
    let text = render(&drawn, |slot, detail| {
        let text = match (slot, detail) {
            ("given", _) => given.clone(),
            ("family", "3") => code(&family, stream),
            ("family", _) => family.clone(),
            ("g", _) => first(&given, 1),
            ("f", _) => first(&family, 1),
            _ => return None,
        };
        Some(write(&text))
    })?;
    let more = match attempt {
        _ if coded => 0,
        0..3 => 0,
        3..10 => 2,
        10..24 => 4,
        _ => 7,
    };
    Some(text + &(0..more).map(|_| stream.digit()).collect::<String>())
}

/// Three letters of a family name: the first three, then its first and two others.
fn code(family: &str, stream: &mut Stream) -> String {
    let attempt = stream.attempt();
    let mut letters: Vec<char> = family.chars().filter(char::is_ascii_alphabetic).take(3).collect();
    letters.resize(3, 'x');
    for (at, letter) in letters.iter_mut().enumerate() {
        if attempt > 1 && at > 0 || attempt > 20 {
            *letter = char::from(b'a' + stream.below(26) as u8);
        }
    }
    letters.into_iter().collect()
}

fn email(pattern: &str, letters: Letters, person: &Person, stream: &mut Stream) -> Option<String> {
    let (local, domain) = pattern.split_once('@')?;
    let domain = if domain == "{domain}" { stream.pick(DOMAINS) } else { domain };
    Some(format!("{}@{domain}", login(local, letters, person, stream)?))
}

/// A word for a host under `.example`, which is nobody's.
pub(crate) fn host(stream: &mut Stream) -> String {
    let attempt = stream.attempt();
    let words = &Locale::EnUs.lists().companies;
    let mut host = stream.pick(words).to_ascii_lowercase();
    if attempt > 2 {
        host.push('-');
        host.push_str(&stream.pick(words).to_ascii_lowercase());
    }
    if attempt > 12 {
        host.push_str(&stream.within(10, 99_999).to_string());
    }
    host + ".example"
}

fn url(pattern: &str, person: &Person, stream: &mut Stream) -> String {
    let (given, family) = person.handles();
    let more = if stream.attempt() > 6 { stream.within(1, 9999).to_string() } else { String::new() };
    let fill = |slot: &str, _: &str| match slot {
        "host" => Some(host(stream)),
        "user" => Some(format!("{given}-{family}{more}")),
        _ => None,
    };
    render(pattern, fill).unwrap_or_default()
}

fn company(pattern: &str, locale: Locale, stream: &mut Stream) -> Option<String> {
    let lists = locale.lists();
    let n = level(stream.attempt()) + 1;
    let joint = if matches!(locale, Locale::RuRu | Locale::DeDe) { "-" } else { " " };
    let words: Vec<&str> = (0..n).map(|_| stream.pick(&lists.companies)).collect();
    let end = stream.pick(&lists.company_ends);
    render(pattern, |slot, _| match slot {
        "company" => Some(words.join(joint)),
        "end" => Some(end.to_owned()),
        _ => None,
    })
}

/// The handle of a name, or a word where it has no letters that ASCII can write.
pub(crate) fn handle_or(name: &str, seed: u64, among: &[&'static str]) -> String {
    match handle(name) {
        text if text.is_empty() => handle(Stream::new(seed, 0).pick(among)),
        text => text,
    }
}
