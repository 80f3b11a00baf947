//! Addresses: a city of the map with its region and the beginning of its postcodes, or a composed town beside one.

use super::{MAX_PLAIN, Whose, level, person};
use crate::{
    digits::content,
    format::render,
    kind::Personal,
    locale::{Country, Locale, Place},
    russian::{self, Case},
    sex::Sex,
    stream::{Draw, Stream, derive},
};

/// Letters of the last half of a British postcode, and of Canadian ones.
const INWARD: &[u8] = b"ABDEFGHJLNPQRSTUWXYZ";
const CANADIAN: &[u8] = b"ABCEGHJKLMNPRSTVWXYZ";

#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub city: String,
    pub region: String,
    pub abbreviation: String,
    /// First characters of the postcodes; empty where they are not told.
    pub prefix: String,
    pub locale: Locale,
}

/// Whether a pattern suits the country: postcodes of its shape, telephone numbers of its code.
pub(super) fn fits(what: Personal, pattern: &str, whose: &Whose<'_>) -> bool {
    match what {
        Personal::Postcode => {
            let (own, country) = (content_shape(pattern), content_shape(whose.country.postcode));
            let british = whose.country.code == "GB" && own.starts_with('A') && own.ends_with("#AA");
            let letters = |text: &str| text.chars().take_while(char::is_ascii_alphabetic).count();
            if british {
                letters(&own) == letters(&whose.address.prefix)
            } else {
                own == country || whose.country.code == "US" && own == "#########"
            }
        }
        Personal::Phone => match pattern.strip_prefix('+') {
            Some(rest) => content(rest).starts_with(whose.country.calling),
            None => true,
        },
        _ => true,
    }
}

fn content_shape(pattern: &str) -> String {
    pattern
        .chars()
        .filter(|c| *c == '#' || c.is_ascii_alphanumeric())
        .map(|c| if c.is_ascii_digit() { '#' } else { c })
        .collect()
}

impl Address {
    /// A city of the country for an attempt, of this region where one is told. Composed towns lie beside one of the map.
    pub fn draw(country: &'static Country, locale: Locale, region: Option<&str>, draw: Draw) -> Self {
        let mut stream = Stream::new(derive(draw.seed, "city"), draw.attempt);
        let of_region =
            |place: &&Place| region.is_none_or(|region| [place.region, place.abbreviation].contains(&region));
        let places: Vec<&Place> = country.places.iter().filter(of_region).collect();
        let place = places.get(stream.below(places.len())).copied();
        let city = match place {
            Some(place) if level(draw.attempt) == 0 => place.city.to_owned(),
            _ => town(locale, &mut stream),
        };
        let text = |of: fn(&Place) -> &'static str| place.map(of).unwrap_or_default().to_owned();
        Self {
            city,
            region: region.map_or_else(|| text(|place| place.region), str::to_owned),
            abbreviation: text(
                |place| if place.abbreviation.is_empty() { place.region } else { place.abbreviation },
            ),
            prefix: place.map(|place| stream.pick(&place.prefixes)).unwrap_or_default().to_owned(),
            locale,
        }
    }

    /// City or region in its pattern.
    pub fn name(&self, pattern: &str) -> Option<String> {
        let text = render(pattern, |slot, _| self.slot(slot))?;
        (!text.is_empty()).then_some(text)
    }

    fn slot(&self, slot: &str) -> Option<String> {
        match slot {
            "city" => Some(self.city.clone()),
            "region" => Some(self.region.clone()),
            "abbreviation" => Some(self.abbreviation.clone()),
            _ => None,
        }
    }

    /// Street, house and, of whole addresses, the place.
    pub fn render(&self, pattern: &str, whose: &Whose<'_>, stream: &mut Stream) -> Option<String> {
        let street = street(self.locale, stream);
        render(pattern, |slot, detail| {
            Some(match slot {
                "street" => match detail {
                    "long" => in_full(&street, self.locale),
                    "bare" => street.split_once(' ').map_or(street.as_str(), |(_, name)| name).to_owned(),
                    _ => street.clone(),
                },
                "house" | "flat" | "block" => house(detail, stream),
                "postcode" => self.postcode(whose.country.postcode, whose.country, stream),
                slot => self.slot(slot)?,
            })
        })
    }

    /// A postcode that begins as those of the place; from the 24th attempt on only its first characters do.
    pub fn postcode(&self, pattern: &str, country: &Country, stream: &mut Stream) -> String {
        if country.code == "GB" && (pattern.starts_with('A') || pattern.is_empty()) {
            return self.british(pattern, stream);
        }
        let kept = match stream.attempt() {
            0..24 => self.prefix.chars().count(),
            24..40 => 1,
            _ => 0,
        };
        let mut prefix = self.prefix.chars().take(kept);
        let draw = |c: char| match c {
            '#' | 'A' => {
                let kept = prefix.next().filter(|kept| kept.is_ascii_digit() == (c == '#'));
                kept.unwrap_or_else(|| draw_sign(c, stream))
            }
            c => c,
        };
        pattern.chars().map(draw).collect()
    }

    /// "SW1A 2AA": area, district, sector, unit.
    fn british(&self, pattern: &str, stream: &mut Stream) -> String {
        let spaced = pattern.contains(' ') || pattern.is_empty();
        let outward = match pattern.split(' ').next() {
            Some(outward) if spaced => outward,
            _ => pattern.strip_suffix("#AA").unwrap_or("A##"),
        };
        let district = outward.trim_start_matches('A');
        let area = if self.prefix.is_empty() { "ZZ" } else { &self.prefix };
        let number = if district.starts_with("##") { stream.within(10, 39) } else { stream.within(1, 9) };
        let letter = if district.ends_with('A') {
            char::from(INWARD[stream.below(8)]).to_string()
        } else {
            String::new()
        };
        let mut unit = || char::from(INWARD[stream.below(INWARD.len())]);
        let units = [unit(), unit()];
        let space = if spaced { " " } else { "" };
        format!("{area}{number}{letter}{space}{}{}{}", stream.below(10), units[0], units[1])
    }
}

/// Signs are drawn one by one; what the prefix has put there stays.
fn draw_sign(sign: char, stream: &mut Stream) -> char {
    match sign {
        '#' => stream.digit(),
        _ => char::from(CANADIAN[stream.below(CANADIAN.len())]),
    }
}

/// A number of so many digits: houses of one or two digits are told apart by a third where many are needed.
fn house(digits: &str, stream: &mut Stream) -> String {
    let n: u32 = digits.parse().unwrap_or(2).clamp(1, 5);
    let (low, high) = (10usize.pow(n - 1), 10usize.pow(n) - 1);
    stream.within(low, high).to_string()
}

/// A town that is on no map.
fn town(locale: Locale, stream: &mut Stream) -> String {
    let lists = locale.lists();
    let start = stream.pick(&lists.town_starts);
    let mut name = format!("{start}{}", stream.pick(&lists.town_ends));
    if level(stream.attempt()) > 1 {
        let second = format!("{}{}", stream.pick(&lists.town_starts), stream.pick(&lists.town_ends));
        name = format!("{name}-{second}");
    }
    name
}

/// A street of the list, or one called after somebody.
fn street(locale: Locale, stream: &mut Stream) -> String {
    let attempt = stream.attempt();
    let lists = locale.lists();
    if level(attempt) == 0 {
        return stream.pick(&lists.streets).to_owned();
    }
    let family = person::family(locale, Sex::Male, stream.next(), attempt - MAX_PLAIN);
    match locale {
        Locale::EnGb => {
            format!("{family} {}", stream.pick(&["Road", "Street", "Close", "Way", "Drive", "Gardens"]))
        }
        Locale::DeDe => format!("{family}{}", stream.pick(&["str.", "weg", "allee", "platz", "gasse"])),
        Locale::FrFr => {
            format!("{} {family}", stream.pick(&["rue", "avenue", "impasse", "allée", "boulevard"]))
        }
        Locale::RuRu => {
            let name = russian::decline_family(&family, Sex::Male, Case::Genitive);
            format!("{} {name}", stream.pick(&["ул.", "пер.", "пр-т"]))
        }
        _ => format!("{family} {}", stream.pick(&["St", "Ave", "Rd", "Ln", "Dr", "Ct", "Way"])),
    }
}

/// The street with its type written in full.
fn in_full(street: &str, locale: Locale) -> String {
    let pairs: &[(&str, &str)] = match locale {
        Locale::DeDe => &[("str.", "straße"), ("Str.", "Straße")],
        Locale::RuRu => &[
            ("ул.", "улица"),
            ("пр-т", "проспект"),
            ("пер.", "переулок"),
            ("б-р", "бульвар"),
            ("наб.", "набережная"),
            ("ш.", "шоссе"),
        ],
        _ => &[
            (" St", " Street"),
            (" Ave", " Avenue"),
            (" Rd", " Road"),
            (" Ln", " Lane"),
            (" Dr", " Drive"),
            (" Blvd", " Boulevard"),
            (" Ct", " Court"),
            (" Pl", " Place"),
            (" Ter", " Terrace"),
        ],
    };
    for (short, long) in pairs {
        let found = if locale == Locale::RuRu {
            street.strip_prefix(short).map(|rest| format!("{long}{rest}"))
        } else {
            street.strip_suffix(short).map(|rest| format!("{rest}{long}"))
        };
        if let Some(full) = found {
            return full;
        }
    }
    street.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cities_lie_in_their_regions() {
        for locale in Locale::FULL {
            let country = locale.country();
            for seed in 0..50 {
                let address = Address::draw(country, locale, None, Draw { seed, attempt: 0 });
                let place = country
                    .places
                    .iter()
                    .find(|place| place.city == address.city && place.region == address.region);
                assert!(
                    place.is_some_and(|place| place.prefixes.contains(&address.prefix.as_str())),
                    "{address:?}"
                );
                let code = address.postcode(country.postcode, country, &mut Stream::new(seed, 0));
                assert!(code.starts_with(&address.prefix), "{code} {address:?}");
            }
        }
    }

    #[test]
    fn streets_are_written_in_full() {
        assert_eq!(in_full("Hauptstr.", Locale::DeDe), "Hauptstraße");
        assert_eq!(in_full("ул. Мира", Locale::RuRu), "улица Мира");
        assert_eq!(in_full("Oak St", Locale::EnUs), "Oak Street");
    }
}
