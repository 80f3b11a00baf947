//! Words that nobody has, made of what many words have in common.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::table::pattern::below;

/// Characters that the next one is drawn after, at most.
const ORDER: usize = 3;
/// Words that must have a sequence of characters in common before it is used. Shorter ones need fewer.
const MIN_WORDS_SHARING: [usize; ORDER + 1] = [1, 2, 2, 3];
/// What stands before a word and behind it.
const EDGE: char = '\u{0}';

/// How characters follow each other in words: a chain of order three that falls back on shorter ones where fewer
/// than [`MIN_WORDS_SHARING`] words have the characters in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Letters {
    /// After which characters; which may follow, and in how many words.
    next: BTreeMap<String, Vec<(char, u32)>>,
    longest: usize,
}

impl Letters {
    /// What distinct words have in common.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut all: BTreeMap<String, BTreeMap<char, BTreeSet<usize>>> = BTreeMap::new();
        let mut longest = 0;
        for (number, word) in words.enumerate() {
            let mut chars = vec![EDGE; ORDER];
            chars.extend(word.chars());
            chars.push(EDGE);
            longest = longest.max(word.chars().count());
            for end in ORDER..chars.len() {
                // A word does not end for no reason.
                let least = usize::from(chars[end] == EDGE);
                for order in least..=ORDER {
                    let before: String = chars[end - order..end].iter().collect();
                    all.entry(before).or_default().entry(chars[end]).or_default().insert(number);
                }
            }
        }
        let shared = |(before, next): (String, BTreeMap<char, BTreeSet<usize>>)| {
            let least = MIN_WORDS_SHARING[before.chars().count().min(ORDER)];
            let next = next.into_iter().map(|(c, words)| (c, words.len()));
            let next: Vec<_> = next.filter(|(_, n)| *n >= least).map(|(c, n)| (c, n as u32)).collect();
            (!next.is_empty()).then_some((before, next))
        };
        Self { next: all.into_iter().filter_map(shared).collect(), longest }
    }

    /// A word; with `free`, of pairs of characters alone.
    pub fn draw(&self, free: bool, random: &mut dyn FnMut() -> u64) -> String {
        let most = if free { 1 } else { ORDER };
        let mut chars = vec![EDGE; ORDER];
        while chars.len() - ORDER <= self.longest {
            let Some(next) = (0..=most).rev().find_map(|order| {
                let before: String = chars[chars.len() - order..].iter().collect();
                self.next.get(&before)
            }) else {
                break;
            };
            match draw(next, random) {
                Some(EDGE) | None => break,
                Some(c) => chars.push(c),
            }
        }
        chars[ORDER..].iter().collect()
    }
}

/// One of several, as often as it occurs.
pub fn draw<T: Copy>(all: &[(T, u32)], random: &mut dyn FnMut() -> u64) -> Option<T> {
    let total: usize = all.iter().map(|a| a.1 as usize).sum();
    let mut left = below(random, total);
    let found = all.iter().find(|(_, n)| match left.checked_sub(*n as usize) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    });
    found.map(|(what, _)| *what)
}
