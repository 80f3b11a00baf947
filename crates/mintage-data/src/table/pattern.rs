//! Texts that match a regular expression: how many there are, one of them, the next one.

use regex::Regex;
use regex_syntax::{
    Parser,
    hir::{Class, Hir, HirKind},
};

use crate::Error;

/// "+" and "*" repeat so often more than they must, at most.
const MAX_EXTRA_REPEATS: u32 = 8;
/// Classes of more characters ("any but a comma", "a letter of any script") are cut down to plain ones.
const LARGE_CLASS: usize = 128;

/// A regular expression for whole texts, which can make such texts.
#[derive(Clone, Debug)]
pub struct Pattern {
    node: Node,
    regex: Regex,
}

/// What a text is put together from.
#[derive(Clone, Debug)]
enum Node {
    Text(String),
    /// One of these characters.
    Class(Vec<char>),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat(Box<Node>, u32, u32),
}

impl Pattern {
    /// Compiles a regular expression for whole texts.
    ///
    /// # Errors
    /// `pattern` is not a regular expression, or is too large.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        let bad = |why: String| {
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Error::bad(format!("pattern `{pattern}`"), why)
                .with_hint("write a regular expression, such as [A-Z]{2}[0-9]{4}")
        };
        let hir = Parser::new().parse(pattern).map_err(|error| bad(error.to_string()))?;
        let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| bad(error.to_string()))?;
        Ok(Self { node: Node::of(&hir), regex })
    }

    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// A text drawn at random, length by length and character by character.
    pub fn draw(&self, random: &mut dyn FnMut() -> u64) -> String {
        let mut text = String::new();
        self.node.draw(random, &mut text);
        text
    }

    /// How many texts there are, as far as a `u128` can count; those that can be put together in two ways
    /// count twice.
    pub fn count(&self) -> u128 {
        self.node.count()
    }

    /// The text of a number below [`count`](Self::count).
    pub fn nth(&self, number: u128) -> String {
        let mut text = String::new();
        self.node.nth(number, &mut text);
        text
    }
}

impl Node {
    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::Text(String::new()),
            HirKind::Literal(literal) => Self::Text(String::from_utf8_lossy(&literal.0).into_owned()),
            HirKind::Class(class) => Self::Class(characters(class)),
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(repetition.min.saturating_add(MAX_EXTRA_REPEATS));
                Self::Repeat(Box::new(Self::of(&repetition.sub)), repetition.min, most)
            }
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Concat(parts) => Self::Sequence(parts.iter().map(Self::of).collect()),
            HirKind::Alternation(parts) => Self::Either(parts.iter().map(Self::of).collect()),
        }
    }

    fn draw(&self, random: &mut dyn FnMut() -> u64, text: &mut String) {
        match self {
            Self::Text(literal) => text.push_str(literal),
            Self::Class(all) => text.extend(all.get(below(random, all.len()))),
            Self::Sequence(parts) => parts.iter().for_each(|part| part.draw(random, text)),
            Self::Either(parts) => {
                let part = below(random, parts.len());
                parts[part].draw(random, text);
            }
            Self::Repeat(part, least, most) => {
                let times = least + below(random, (most - least) as usize + 1) as u32;
                (0..times).for_each(|_| part.draw(random, text));
            }
        }
    }

    fn count(&self) -> u128 {
        match self {
            Self::Text(_) => 1,
            Self::Class(all) => all.len() as u128,
            Self::Sequence(parts) => parts.iter().fold(1, |n: u128, part| n.saturating_mul(part.count())),
            Self::Either(parts) => parts.iter().fold(0, |n: u128, part| n.saturating_add(part.count())),
            Self::Repeat(part, least, most) => {
                let each = part.count();
                (*least..=*most).fold(0, |n: u128, times| n.saturating_add(each.saturating_pow(times)))
            }
        }
    }

    fn nth(&self, mut number: u128, text: &mut String) {
        match self {
            Self::Text(literal) => text.push_str(literal),
            Self::Class(all) => text.extend(all.get(number as usize)),
            Self::Sequence(parts) => {
                let counts = parts.iter().map(Self::count).collect::<Vec<_>>();
                digits(&counts, number).zip(parts).for_each(|(digit, part)| part.nth(digit, text));
            }
            Self::Either(parts) => {
                for part in parts {
                    let count = part.count();
                    if number < count {
                        return part.nth(number, text);
                    }
                    number -= count;
                }
            }
            Self::Repeat(part, least, most) => {
                let each = part.count();
                for times in *least..=*most {
                    let count = each.saturating_pow(times);
                    if number < count {
                        let counts = vec![each; times as usize];
                        digits(&counts, number).for_each(|digit| part.nth(digit, text));
                        return;
                    }
                    number -= count;
                }
            }
        }
    }
}

/// The digits of a number where each place counts up to its own base; the last changes fastest.
fn digits(bases: &[u128], mut number: u128) -> impl Iterator<Item = u128> {
    let mut digits: Vec<u128> = bases
        .iter()
        .rev()
        .map(|&base| {
            let digit = number % base.max(1);
            number /= base.max(1);
            digit
        })
        .collect();
    digits.reverse();
    digits.into_iter()
}

/// The characters that new texts take of a class.
fn characters(class: &Class) -> Vec<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => {
            class.ranges().iter().map(|r| (char::from(r.start()), char::from(r.end()))).collect()
        }
    };
    let all = || ranges.iter().flat_map(|&(first, last)| first..=last);
    let few: Vec<char> = all().take(LARGE_CLASS + 1).collect();
    if few.len() <= LARGE_CLASS {
        return few;
    }
    let plain: [fn(&char) -> bool; 2] = [char::is_ascii_alphanumeric, |c| (' '..='~').contains(c)];
    let plain = plain.into_iter().map(|is| all().take_while(char::is_ascii).filter(is).collect::<Vec<_>>());
    plain.into_iter().find(|plain| !plain.is_empty()).unwrap_or(few)
}

/// A number below `n`, which is small beside 2^64.
pub fn below(random: &mut dyn FnMut() -> u64, n: usize) -> usize {
    (random() % n.max(1) as u64) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_and_lists_all_texts() {
        let pattern = Pattern::new("(a|b[0-2])?-[xy]{1,2}").unwrap();
        assert_eq!(pattern.count(), 5 * 6);
        let all: HashSet<String> = (0..30).map(|number| pattern.nth(number)).collect();
        assert_eq!(all.len(), 30);
        assert!(all.iter().all(|text| pattern.matches(text)), "{all:?}");
        assert_eq!(Pattern::new("[0-9]{60}").unwrap().count(), u128::MAX);
        assert!(Pattern::new("[a-").unwrap_err().to_string().contains("unclosed character class"));
    }

    proptest! {
        #[test]
        fn what_is_made_matches(seed: u64, number: u128, at in 0usize..8) {
            let all = ["[A-Z]{2}-[0-9]{4}", "\\+7 \\d{3} \\w+", "[^@ ]+@[a-z]+\\.(com|org)", ".{3}", "^a.*z$", "я{2,5}|[а-я]", "", "[0-9]{80}"];
            let pattern = Pattern::new(all[at]).unwrap();
            let mut state = seed;
            let mut random = || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); state >> 16 };
            let drawn = pattern.draw(&mut random);
            prop_assert!(pattern.matches(&drawn), "{drawn}");
            let listed = pattern.nth(number % pattern.count());
            prop_assert!(pattern.matches(&listed), "{listed}");
        }
    }
}
