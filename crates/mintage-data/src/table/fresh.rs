//! Texts made afresh: names, addresses, telephone numbers and notes like those seen, and none of them.
//!
//! A text is cut into pieces: words, numbers, and what stands between them. Of each piece only what many texts
//! share is kept:
//!
//! | a piece | is kept as |
//! |---|---|
//! | a word that [`SHARED_WORD`] different texts have, or a number that many have | itself ("Street", "ул", "+49", "Anna") |
//! | any other word | "a rare word": a new one is made of letters that follow each other in many words |
//! | any other number | its length, and the digits that many such numbers have at each place |
//! | the domain of an e-mail address that fewer have | `example.com` |
//!
//! New texts walk from piece to piece by a chain of second order, in which each step is one that [`SHARED_STEP`]
//! different texts make. What comes out is not a value of the column, whatever split the value is in ([`Known`]), nor
//! does it hold a rare word of one. Values are counted, not rows: a person with twenty orders is one person.

mod known;
mod letters;
mod split;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use self::{
    letters::{Letters, draw},
    split::{What, split},
};
use crate::table::pattern::below;
pub use known::{Known, spelled};

/// Different texts that must have a word or a number in common.
const SHARED_WORD: usize = 5;
/// Different texts that must make a step from piece to piece, and texts that must have a separator.
const SHARED_STEP: usize = 3;
/// Words of fewer letters say nothing of anybody.
const SHORT_WORD: usize = 3;
/// Words at so many places in a text have letters of their own: first names, last names, the rest.
const PLACES: usize = 3;
/// Texts that are learned from, evenly spread; all are kept from coming back.
const LEARNED_FROM: usize = 20_000;
/// Draws of a text, and of a word in it; after half of them words and numbers are freer.
const TEXT_DRAWS: usize = 60;
const WORD_DRAWS: usize = 20;
/// Texts that are tried to see whether the pieces suffice, and how many must succeed.
const TRIED_TEXTS: usize = 40;
const SUCCEED: usize = 20;
/// Texts of more words on average, of which more than this share are rare, are no longer readable when these are
/// made up.
const MAX_MADE_UP_WORDS: usize = 6;
const RARE_SHARE: f64 = 0.35;
/// One text of so many must have a number that is kept: an area code, not the number of a house.
const NUMBER_SHARE: usize = 20;
/// Domains that nobody has: RFC 2606.
const NOBODY: &str = "example.com";

/// Pieces that come next, and in how many texts.
type Next = Vec<(u32, u32)>;

/// Makes texts like those of a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextMaker {
    /// Whole texts and rare words that must not come back.
    known: Known,
    /// Whole values of other columns that must not come either.
    #[serde(default, skip_serializing_if = "Known::is_empty")]
    elsewhere: Known,
    pieces: Vec<Piece>,
    /// After two pieces, the last one first; after one.
    after_two: Vec<((u32, u32), Next)>,
    after_one: Vec<(u32, Next)>,
    /// By place of the word in the text.
    letters: Vec<Letters>,
    /// Digits that numbers of a length have at each place, by number of the piece. A list: numbers as keys of JSON are texts
    /// to an enum that is told apart by a tag.
    digits: Vec<(u32, Vec<String>)>,
    /// Characters and pieces of the longest text.
    longest: (usize, usize),
}

/// A kind of piece, with what stands before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Piece {
    before: String,
    text: Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Text {
    /// Where texts begin.
    Start,
    Same(String),
    Rare,
    /// A number of so many digits.
    Digits(usize),
    End,
}

/// Where every text begins: two pieces before the first.
const START: u32 = 0;

impl TextMaker {
    /// What `texts`, which are distinct, have in common; nothing where that is too little to make others of that could be
    /// read. With `email` they are e-mail addresses.
    pub fn of(texts: &[&str], email: bool) -> Option<Self> {
        let step = texts.len().div_ceil(LEARNED_FROM).max(1);
        let learned: Vec<Vec<split::Piece>> =
            texts.iter().step_by(step).map(|text| split(text, email)).collect();
        let shared = Shared::of(&learned);
        if !shared.readable(&learned) {
            return None;
        }
        let mut maker = Self::default();
        maker.longest.0 = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        maker.longest.1 = learned.iter().map(Vec::len).max().unwrap_or(0);
        maker.learn(&learned, &shared);
        let rare =
            learned.iter().flatten().filter(|piece| shared.is_rare_word(piece)).map(|piece| piece.text);
        let parts = parts_of_few(texts.iter().copied());
        maker.known = Known::of(texts.iter().copied().chain(rare.chain(parts).collect::<BTreeSet<&str>>()));
        maker.suffices().then_some(maker)
    }

    fn learn(&mut self, learned: &[Vec<split::Piece>], shared: &Shared) {
        let mut numbers = HashMap::from([(Piece { before: String::new(), text: Text::Start }, START)]);
        let mut two: Steps<(u32, u32)> = Steps::default();
        let mut one: Steps<u32> = Steps::default();
        let mut words: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); PLACES];
        let mut digits: BTreeMap<u32, Vec<BTreeMap<char, usize>>> = BTreeMap::new();
        for (text, pieces) in learned.iter().enumerate() {
            let (mut before, mut last, mut place) = (START, START, 0);
            for piece in pieces {
                let own = shared.piece(piece);
                let next = numbers.len() as u32;
                let number = *numbers.entry(own.clone()).or_insert(next);
                if piece.what == What::Word {
                    words[place.min(PLACES - 1)].insert(piece.text);
                    place += 1;
                }
                if let Text::Digits(n) = own.text {
                    let places = digits.entry(number).or_insert_with(|| vec![BTreeMap::new(); n]);
                    places
                        .iter_mut()
                        .zip(piece.text.chars())
                        .for_each(|(p, c)| *p.entry(c).or_default() += 1);
                }
                two.add((last, before), number, text);
                one.add(last, number, text);
                (before, last) = (last, number);
            }
        }
        let mut pieces: Vec<(Piece, u32)> = numbers.into_iter().collect();
        pieces.sort_by_key(|piece| piece.1);
        self.pieces = pieces.into_iter().map(|piece| piece.0).collect();
        self.after_two = two.shared();
        self.after_one = one.shared();
        self.letters = words.iter().map(|words| Letters::of(words.iter().copied())).collect();
        self.digits = digits.into_iter().map(|(number, places)| (number, usual(&places))).collect();
        self.forget_unused();
    }

    /// Pieces that no step leads to are those of a few texts: nothing of them is kept.
    fn forget_unused(&mut self) {
        let used: BTreeSet<u32> =
            self.after_one.iter().flat_map(|(_, next)| next.iter().map(|n| n.0)).collect();
        for (number, piece) in self.pieces.iter_mut().enumerate() {
            if !used.contains(&(number as u32)) {
                *piece = Piece { before: String::new(), text: Text::End };
            }
        }
        self.digits.retain(|(number, _)| used.contains(number));
        self.after_two.retain(|((last, before), _)| {
            let kept = |piece: &u32| *piece == START || used.contains(piece);
            kept(last) && kept(before)
        });
    }

    /// Whether texts can be made at all.
    fn suffices(&self) -> bool {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.rotate_left(29)
        };
        (0..TRIED_TEXTS).filter(|_| self.make(&mut random).is_some()).count() >= SUCCEED
    }

    /// Makes none of these texts either.
    pub fn avoid(&mut self, others: &Known) {
        self.elsewhere = others.clone();
    }

    /// A new text; nothing where none could be made.
    pub fn make(&self, random: &mut dyn FnMut() -> u64) -> Option<String> {
        (0..TEXT_DRAWS).find_map(|draw| {
            let text = self.walk(draw > TEXT_DRAWS / 2, random)?;
            let fits = text.chars().count() <= self.longest.0 && text.contains(char::is_alphanumeric);
            let known = |text: &str| self.known.may_hold(text) || self.elsewhere.may_hold(text);
            (fits && !known(&text) && !listed(&text).any(known)).then_some(text)
        })
    }

    fn walk(&self, free: bool, random: &mut dyn FnMut() -> u64) -> Option<String> {
        let mut text = String::new();
        let (mut before, mut last, mut place) = (START, START, 0);
        for _ in 0..=self.longest.1 {
            let next = self.next(before, last)?;
            let number = draw(next, random)?;
            let Piece { before: separator, text: own } = self.pieces.get(number as usize)?;
            text.push_str(separator);
            match own {
                Text::End => return Some(text),
                Text::Start => return None,
                Text::Same(word) => text.push_str(word),
                Text::Rare => text.push_str(&self.word(place, free, random)?),
                Text::Digits(n) if free => text.extend((0..*n).filter_map(|at| digit(at, *n, random))),
                Text::Digits(_) => {
                    let (_, places) = self.digits.iter().find(|digits| digits.0 == number)?;
                    text.extend(places.iter().filter_map(|all| one_of(all, random)));
                }
            }
            place += usize::from(!matches!(own, Text::Digits(_)));
            (before, last) = (last, number);
        }
        None
    }

    fn next(&self, before: u32, last: u32) -> Option<&[(u32, u32)]> {
        let two = self.after_two.binary_search_by_key(&(last, before), |step| step.0);
        if let Ok(at) = two {
            return Some(&self.after_two[at].1);
        }
        let one = self.after_one.binary_search_by_key(&last, |step| step.0).ok()?;
        Some(&self.after_one[one].1)
    }

    /// A word that is no rare word of the column.
    fn word(&self, place: usize, free: bool, random: &mut dyn FnMut() -> u64) -> Option<String> {
        let letters = self.letters.get(place.min(PLACES - 1))?;
        (0..WORD_DRAWS).find_map(|draw| {
            let word = cased(&letters.draw(free || draw > WORD_DRAWS / 2, random));
            (word.chars().count() >= SHORT_WORD && !self.known.may_hold(&word)).then_some(word)
        })
    }
}

/// Shorter texts, in characters, name nobody by themselves: codes of departments, words such as "Ms B".
const MIN_NAME_LETTERS: usize = 6;

/// Whether a text alone names somebody: of several words, or with digits or an "@".
pub fn points_at_one(text: &str) -> bool {
    text.chars().count() >= MIN_NAME_LETTERS
        && text.contains(char::is_alphabetic)
        && text.contains(|c: char| c == ' ' || c == '@' || c.is_ascii_digit())
}

/// The parts of a list of several names, addresses or the like; nothing of a text that is none.
pub fn listed(text: &str) -> impl Iterator<Item = &str> {
    let is_list = text.contains([';', '|', '\n']);
    let parts = text.split([';', '|', '\n']).filter(move |_| is_list).map(str::trim);
    parts.filter(|part| points_at_one(part))
}

/// The parts of lists that few of the texts have: what many have is nobody's.
pub fn parts_of_few<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    texts.flat_map(listed).for_each(|part| *counts.entry(part).or_default() += 1);
    counts.into_iter().filter(|(_, n)| *n < SHARED_WORD).map(|(part, _)| part).collect()
}

/// A word with capitals where words have them: all of them, or the first, also behind a mark.
fn cased(word: &str) -> String {
    if !word.contains(char::is_lowercase) {
        return word.to_owned();
    }
    let mut within = false;
    let mut lower = |c: char| {
        let text = if within { c.to_lowercase().collect::<String>() } else { c.to_string() };
        within = c.is_alphabetic();
        text
    };
    word.chars().map(&mut lower).collect()
}

/// What enough texts have in common.
struct Shared<'a> {
    n: usize,
    texts: HashMap<&'a str, usize>,
    separators: HashMap<&'a str, usize>,
}

impl<'a> Shared<'a> {
    fn of(learned: &[Vec<split::Piece<'a>>]) -> Self {
        let mut shared = Self { n: learned.len(), texts: HashMap::new(), separators: HashMap::new() };
        for pieces in learned {
            let texts: BTreeSet<&str> = pieces.iter().map(|piece| piece.text).collect();
            let separators: BTreeSet<&str> = pieces.iter().map(|piece| piece.before).collect();
            texts.into_iter().for_each(|text| *shared.texts.entry(text).or_default() += 1);
            separators.into_iter().for_each(|text| *shared.separators.entry(text).or_default() += 1);
        }
        shared
    }

    fn is_shared(&self, piece: &split::Piece) -> bool {
        let enough = |n: usize| piece.what != What::Digits || n * NUMBER_SHARE >= self.n;
        self.texts.get(piece.text).is_some_and(|&n| n >= SHARED_WORD && enough(n))
    }

    fn is_rare_word(&self, piece: &split::Piece) -> bool {
        piece.what == What::Word && piece.text.chars().count() >= SHORT_WORD && !self.is_shared(piece)
    }

    fn piece(&self, piece: &split::Piece) -> Piece {
        let before = match self.separators.get(piece.before).is_some_and(|&n| n >= SHARED_STEP) {
            true => piece.before.to_owned(),
            false if piece.before.contains(char::is_whitespace) => " ".to_owned(),
            false => piece.before.chars().take(1).collect(),
        };
        let text = match piece.what {
            What::End => Text::End,
            _ if self.is_shared(piece) => Text::Same(piece.text.to_owned()),
            What::Word => Text::Rare,
            What::Digits => Text::Digits(piece.text.chars().count()),
            What::Domain => Text::Same(NOBODY.to_owned()),
        };
        Piece { before, text }
    }

    /// Names and addresses may consist of made-up words, sentences may not.
    fn readable(&self, learned: &[Vec<split::Piece>]) -> bool {
        let words = || learned.iter().flatten().filter(|piece| piece.what == What::Word);
        let (all, rare) = (words().count(), words().filter(|piece| !self.is_shared(piece)).count());
        all <= MAX_MADE_UP_WORDS * learned.len() || rare as f64 <= RARE_SHARE * all as f64
    }
}

/// Steps between pieces, with the last text that made each and how many did.
struct Steps<K>(BTreeMap<K, BTreeMap<u32, (usize, u32)>>);

impl<K> Default for Steps<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Copy> Steps<K> {
    fn add(&mut self, from: K, to: u32, text: usize) {
        let (last, n) = self.0.entry(from).or_default().entry(to).or_insert((usize::MAX, 0));
        *n += u32::from(*last != text);
        *last = text;
    }

    /// The steps that enough texts make, in order.
    fn shared(self) -> Vec<(K, Vec<(u32, u32)>)> {
        let enough = |(to, (_, n)): (u32, (usize, u32))| (n as usize >= SHARED_STEP).then_some((to, n));
        let steps = self.0.into_iter().map(|(from, to)| (from, to.into_iter().filter_map(enough).collect()));
        steps.filter(|(_, to): &(K, Vec<_>)| !to.is_empty()).collect()
    }
}

/// For each place of a number the digits that enough numbers have there; all where none is so frequent.
fn usual(places: &[BTreeMap<char, usize>]) -> Vec<String> {
    let usual = |(at, place): (usize, &BTreeMap<char, usize>)| {
        let digits: String = place.iter().filter(|(_, n)| **n >= SHARED_WORD).map(|(c, _)| *c).collect();
        match (digits.is_empty(), at) {
            (false, _) => digits,
            (true, 0) if places.len() > 1 => "123456789".to_owned(),
            (true, _) => "0123456789".to_owned(),
        }
    };
    places.iter().enumerate().map(usual).collect()
}

/// A digit of a number of `n`, which does not begin with zero.
fn digit(at: usize, n: usize, random: &mut dyn FnMut() -> u64) -> Option<char> {
    one_of(if at == 0 && n > 1 { "123456789" } else { "0123456789" }, random)
}

fn one_of(all: &str, random: &mut dyn FnMut() -> u64) -> Option<char> {
    all.chars().nth(below(random, all.chars().count()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::table::schema::IdFormat;

    #[test]
    fn lists_have_parts() {
        assert_eq!(listed("Anna Lee; Bob Ray;x").collect::<Vec<_>>(), ["Anna Lee", "Bob Ray"]);
        assert_eq!(listed("Anna Lee").count(), 0);
    }

    #[test]
    fn capitals_begin_words() {
        assert_eq!(cased("JMas"), "Jmas");
        assert_eq!(cased("mHma"), "mhma");
        assert_eq!(cased("O'neil-sMith"), "O'neil-smith");
        assert_eq!(cased("IBM"), "IBM");
    }

    fn random() -> impl FnMut() -> u64 {
        let mut state = 7u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.rotate_left(32)
        }
    }

    const FIRST: [&str; 12] =
        ["Anna", "Peter", "Maria", "Jonas", "Lena", "Paul", "Clara", "Felix", "Ida", "Max", "Nora", "Emil"];
    const PARTS: [&str; 10] =
        ["Schmi", "Mül", "Wag", "Fisch", "Web", "Kowal", "Stein", "Berg", "Hof", "Lind"];
    const ENDS: [&str; 9] = ["dt", "ler", "ner", "er", "mann", "ski", "bach", "feld", "hauser"];

    fn last(i: usize) -> String {
        format!("{}{}", PARTS[i % 10], ENDS[i / 10 % 9])
    }

    fn made(texts: &[String], email: bool, n: usize) -> Vec<String> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let maker = TextMaker::of(&texts, email).unwrap();
        let mut random = random();
        let made: Vec<String> = (0..n).filter_map(|_| maker.make(&mut random)).collect();
        assert!(made.len() * 10 > n * 9, "{} of {n}", made.len());
        assert!(made.iter().all(|text| !texts.contains(&text.as_str())), "a real value");
        // As it lies in the schema of a column.
        let format = IdFormat::Text { maker: Box::new(maker) };
        let saved = serde_json::to_string(&format).unwrap();
        assert_eq!(serde_json::from_str::<IdFormat>(&saved).unwrap(), format);
        for text in texts {
            assert!(!saved.contains(text), "{text} is saved");
        }
        made
    }

    #[test]
    fn names_keep_their_form_and_are_nobodys() {
        let names: Vec<String> = (0..360).map(|i| format!("{} {}", FIRST[i * 7 % 12], last(i / 4))).collect();
        let all: BTreeSet<String> = names.iter().cloned().collect();
        let names: Vec<String> = all.into_iter().collect();
        for name in made(&names, false, 500) {
            let words: Vec<&str> = name.split(' ').collect();
            assert!(words.len() == 2 && FIRST.contains(&words[0]), "{name}");
            // Last names of fewer than five people do not come back in parts either.
            assert!(
                words[1].chars().next().unwrap().is_uppercase() && words[1].chars().count() >= 3,
                "{name}"
            );
            assert!((0..90).all(|i| words[1] != last(i)), "{name}");
        }
    }

    #[test]
    fn addresses_telephones_and_mail_keep_what_all_share() {
        let streets = ["Ленина", "Мира", "Гагарина", "Кирова", "Садовая", "Новая"];
        let texts: Vec<String> =
            (0..300).map(|i| format!("ул. {}, {}", streets[i % 6], 1 + i / 6 + i % 5)).collect();
        for text in made(&texts, false, 200) {
            let (street, house) = text.strip_prefix("ул. ").unwrap().split_once(", ").unwrap();
            assert!(streets.contains(&street) && house.parse::<u32>().is_ok(), "{text}");
        }
        let texts: Vec<String> = (0..300).map(|i| format!("+49 40 {}", 1_000_000 + i * 7919)).collect();
        for text in made(&texts, false, 200) {
            assert!(text.starts_with("+49 40 ") && text.len() == 14, "{text}");
        }
        let texts: Vec<String> = (0..300)
            .map(|i| match i {
                0 => "ann@ann-lees-own-house.org".to_owned(),
                _ => format!("{}.{}{i}@mail.org", FIRST[i % 12].to_lowercase(), last(i).to_lowercase()),
            })
            .collect();
        for text in made(&texts, true, 200) {
            assert!(text.ends_with("@mail.org") || text.ends_with("@example.com"), "{text}");
        }
    }

    #[test]
    fn notes_are_made_of_what_many_share_or_not_at_all() {
        let notes: Vec<String> = (0..300)
            .map(|i| {
                let ask = ["Called about", "Wrote about", "Asked for"][i % 3];
                let end = ["wants it by mail", "will call again", "was pleased with the answer"][i / 3 % 3];
                format!("{ask} invoice {}, {end}; speaks for {}.", 4000 + i * 13, last(i))
            })
            .collect();
        for note in made(&notes, false, 100) {
            assert!(note.contains(" invoice ") && (0..90).all(|i| !note.contains(&last(i))), "{note}");
        }
        let letter = |i: usize, at: u32| char::from(b'a' + (i * 7919 / 26usize.pow(at) % 26) as u8);
        let letters = |i: usize| (0..5).map(|at| letter(i + 100, at)).collect::<String>();
        let own: Vec<String> =
            (0..100).map(|i| (0..12).map(|w| letters(i * 12 + w)).collect::<Vec<_>>().join(" ")).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        assert_eq!(TextMaker::of(&own, false), None);
    }
}
