//! A language model that counts: words given those before them and the group of the row, by interpolated Kneser-Ney.
//!
//! ```text
//! p(w | c) = (n(c w) − D)⁺ / n(c) + D · |{w : n(c w) > 0}| / n(c) · p(w | the next level's c)
//! ```
//!
//! The levels go from three words and the group down to nothing (`LEVELS`), then to any word alike. At the highest order n
//! counts; below it is the number of different words before (Kneser & Ney 1995), as a word that follows few others is
//! seldom asked for where those are not there. The discount of each level is D = n₁ / (n₁ + 2 n₂) (Ney et al. 1994; Chen &
//! Goodman 1999), where n₁ n-grams were seen once and n₂ twice.
//!
//! What was learned holds n-grams of four words of the source's texts. A word that one text alone has may be a name: it is
//! learned as unknown and never written. Nor is a longer run of words that one text alone has: of such runs hashes are kept.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use mintage_data::{atomic_write, read_text};
use mintage_nn::Rng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::words::{Spelling, tokens};
use crate::error::Error;

/// Words before a word that it is told by, at most.
const CONTEXT: usize = 3;
/// Words before, and whether the group, that each level is given.
const LEVELS: [(usize, bool); 7] =
    [(3, true), (3, false), (2, false), (1, true), (1, false), (0, true), (0, false)];
/// What stands before a text and behind it, and what is in the place of words that are not written.
const END: u32 = 0;
const UNKNOWN: u32 = 1;
/// Texts that a word is in, at least.
const MIN_TEXTS: usize = 2;
/// Tokens in a row that one text alone has, from which on they are not written.
const MAX_RUN: usize = 12;
/// Words less probable than this share of the most probable one are not written.
const MIN_P: f64 = 0.05;
/// Bounds of a discount.
const DISCOUNTS: (f64, f64) = (0.1, 0.9);
/// Bytes of a file of counts: four million characters make some thirty million.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A text and the group of its row.
#[derive(Clone)]
pub(super) struct Labelled {
    pub text: String,
    pub group: String,
}

/// A word given those before it, in a group: how often.
type Gram = (u32, [u32; CONTEXT + 1], u32);
/// What a word is told by: the group and 1, or 0 where it says nothing; as many words as the level has; zeros.
type Key = [u32; CONTEXT + 1];

/// What is counted of texts, and kept in a run's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Names of the groups.
    groups: Vec<String>,
    /// Tokens by number; `END` and `UNKNOWN` have none.
    words: Vec<String>,
    /// N-grams with their counts.
    grams: Vec<Gram>,
    /// Hashes of runs of `MAX_RUN` tokens that one text alone has, in order.
    runs: Vec<u32>,
}

impl Counts {
    /// Counts what is in texts, each of which is there once.
    pub fn of(texts: &[Labelled]) -> Self {
        let shared = shared_words(texts);
        let names: BTreeSet<&str> = texts.iter().map(|text| text.group.as_str()).collect();
        let groups: HashMap<&str, u32> = names.iter().copied().zip(0..).collect();
        let mut grams: HashMap<(u32, [u32; CONTEXT + 1]), u32> = HashMap::new();
        let mut words = vec![String::new(); 2];
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut runs: HashMap<u32, Option<usize>> = HashMap::new();
        for (at, text) in texts.iter().enumerate() {
            let mut number = |token| {
                if shared.get(word_of(token)).is_none_or(|(_, n)| *n < MIN_TEXTS) {
                    return UNKNOWN;
                }
                *numbers.entry(token).or_insert_with(|| {
                    words.push(token.to_owned());
                    words.len() as u32 - 1
                })
            };
            let own: Vec<u32> = tokens(&text.text).into_iter().map(&mut number).collect();
            let group = groups.get(text.group.as_str()).copied().unwrap_or(0);
            let mut before = [END; CONTEXT];
            for &word in own.iter().chain(&[END]) {
                let [a, b, c] = before;
                *grams.entry((group, [a, b, c, word])).or_default() += 1;
                before = [b, c, word];
            }
            for run in own.windows(MAX_RUN).filter(|run| !run.contains(&UNKNOWN)) {
                let whose = runs.entry(hash(run)).or_insert(Some(at));
                *whose = whose.filter(|text| *text == at);
            }
        }
        let mut grams: Vec<Gram> = grams.into_iter().map(|((group, gram), n)| (group, gram, n)).collect();
        grams.sort_unstable();
        let mut runs: Vec<u32> =
            runs.into_iter().filter(|(_, whose)| whose.is_some()).map(|(run, _)| run).collect();
        runs.sort_unstable();
        Self { groups: names.into_iter().map(str::to_owned).collect(), words, grams, runs }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes = serde_json::to_vec(self).map_err(|error| Error::folder(path, error.to_string()))?;
        atomic_write(path, &bytes).map_err(Error::io(path))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, is too long, or its parts do not belong together.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let hint = "the file is damaged: put back a copy of it, or train again";
        let damaged = |error: serde_json::Error| {
            Error::folder(path, format!("cannot be read ({error})")).with_hint(hint)
        };
        let counts: Self = serde_json::from_str(&read_text(path, MAX_FILE_BYTES)?).map_err(damaged)?;
        match counts.is_whole() {
            true => Ok(counts),
            false => Err(Error::folder(path, "its parts do not belong together").with_hint(hint)),
        }
    }

    /// Whether all numbers are of words and groups that are there.
    fn is_whole(&self) -> bool {
        let is_known = |(group, gram, n): &Gram| {
            let are_words = gram.iter().all(|&word| (word as usize) < self.words.len());
            (*group as usize) < self.groups.len() && are_words && *n > 0
        };
        self.words.len() > UNKNOWN as usize
            && self.words.iter().skip(2).all(|word| !word.is_empty())
            && self.runs.is_sorted()
            && self.grams.iter().all(is_known)
    }
}

/// A token without the white space before it.
fn word_of(token: &str) -> &str {
    token.trim_start()
}

/// For each word the last text that has it, and how many have.
fn shared_words(texts: &[Labelled]) -> HashMap<&str, (usize, usize)> {
    let mut all = HashMap::new();
    for (at, text) in texts.iter().enumerate() {
        for token in tokens(&text.text) {
            let (last, n) = all.entry(word_of(token)).or_insert((at, 1));
            if *last != at {
                (*last, *n) = (at, *n + 1);
            }
        }
    }
    all
}

fn hash(run: &[u32]) -> u32 {
    let bytes: Vec<u8> = run.iter().flat_map(|word| word.to_le_bytes()).collect();
    xxh3_64(&bytes) as u32
}

/// The counts of one level.
struct Level {
    words: usize,
    has_group: bool,
    /// In the order of their keys.
    contexts: Vec<Context>,
    /// Of one context after the other the words that follow, in their order, with their counts.
    followers: Vec<(u32, u32)>,
    discount: f64,
}

struct Context {
    key: Key,
    /// Where its followers begin.
    start: usize,
    /// The sum of their counts.
    total: f64,
}

impl Level {
    fn of(counts: &Counts, words: usize, has_group: bool) -> Self {
        let is_highest = words == CONTEXT;
        let mut level =
            Self { words, has_group, contexts: Vec::new(), followers: Vec::new(), discount: DISCOUNTS.0 };
        let entry = |(group, gram, n): &Gram| {
            let [a, b, c, word] = *gram;
            let before = if is_highest { 0 } else { gram[CONTEXT - 1 - words] };
            (level.key(*group, [a, b, c]), word, before, *n)
        };
        let mut all: Vec<(Key, u32, u32, u32)> = counts.grams.iter().map(entry).collect();
        all.sort_unstable();
        if !is_highest {
            all.dedup_by_key(|(key, word, before, _)| (*key, *word, *before));
        }
        for (key, word, _, n) in all {
            level.add(key, word, if is_highest { n } else { 1 });
        }
        let seen = |times: u32| level.followers.iter().filter(|(_, n)| *n == times).count() as f64;
        let (once, twice) = (seen(1), seen(2));
        level.discount = (once / (once + 2.0 * twice).max(1.0)).clamp(DISCOUNTS.0, DISCOUNTS.1);
        level
    }

    fn key(&self, group: u32, before: [u32; CONTEXT]) -> Key {
        let mut key = [0; CONTEXT + 1];
        if self.has_group {
            key[0] = group.saturating_add(1);
        }
        key[1..=self.words].copy_from_slice(&before[CONTEXT - self.words..]);
        key
    }

    /// Counts a word behind what is told; they come in order.
    fn add(&mut self, key: Key, word: u32, n: u32) {
        let is_new = self.contexts.last().is_none_or(|last| last.key != key);
        if is_new {
            self.contexts.push(Context { key, start: self.followers.len(), total: 0.0 });
        }
        if let Some(context) = self.contexts.last_mut() {
            context.total += f64::from(n);
        }
        match self.followers.last_mut() {
            Some((last, sum)) if !is_new && *last == word => *sum = sum.saturating_add(n),
            _ => self.followers.push((word, n)),
        }
    }

    /// The words that follow with their counts, and the sum of these; nothing where the context was never seen.
    fn after(&self, group: u32, before: [u32; CONTEXT]) -> Option<(&[(u32, u32)], f64)> {
        let key = self.key(group, before);
        let at = self.contexts.binary_search_by_key(&key, |context| context.key).ok()?;
        let end = self.contexts.get(at + 1).map_or(self.followers.len(), |next| next.start);
        let context = &self.contexts[at];
        Some((&self.followers[context.start..end], context.total))
    }
}

/// The model that counts make.
pub(super) struct NGram {
    groups: Vec<String>,
    words: Vec<String>,
    levels: Vec<Level>,
    runs: Vec<u32>,
}

impl NGram {
    pub fn of(counts: Counts) -> Self {
        let levels = LEVELS.iter().map(|&(words, has_group)| Level::of(&counts, words, has_group)).collect();
        Self { groups: counts.groups, words: counts.words, levels, runs: counts.runs }
    }

    /// Writes texts one after another.
    pub fn writer(&self) -> NGramWriter<'_> {
        NGramWriter { model: self, weights: vec![0.0; self.words.len()], touched: Vec::new() }
    }

    /// The number of a group; none of those that are known where it is not.
    fn group(&self, name: &str) -> u32 {
        self.groups.iter().position(|group| group == name).unwrap_or(self.groups.len()) as u32
    }

    fn probability(&self, group: u32, before: [u32; CONTEXT], word: u32) -> f64 {
        let (mut p, mut rest) = (0.0, 1.0);
        for level in &self.levels {
            let Some((followers, total)) = level.after(group, before) else { continue };
            if let Ok(at) = followers.binary_search_by_key(&word, |(word, _)| *word) {
                p += rest * (f64::from(followers[at].1) - level.discount) / total;
            }
            rest *= level.discount * followers.len() as f64 / total;
        }
        p + rest / self.words.len() as f64
    }

    /// Bits a character of texts that it was not learned from, their ends included; words that are unknown are spelled.
    pub fn bits(&self, held: &[Labelled], spelling: &Spelling) -> f64 {
        let numbers: HashMap<&str, u32> = self.words.iter().map(String::as_str).zip(0..).skip(2).collect();
        let (mut bits, mut characters) = (0.0, 0);
        for text in held {
            let (group, mut before) = (self.group(&text.group), [END; CONTEXT]);
            for token in tokens(&text.text).into_iter().map(Some).chain([None]) {
                let word = token.map_or(END, |token| numbers.get(token).copied().unwrap_or(UNKNOWN));
                bits -= self.probability(group, before, word).log2();
                bits += token.filter(|_| word == UNKNOWN).map_or(0.0, |token| spelling.bits(token));
                before = [before[1], before[2], word];
            }
            characters += text.text.chars().count();
        }
        bits / characters.max(1) as f64
    }
}

/// Writes texts by an n-gram model.
pub(super) struct NGramWriter<'a> {
    model: &'a NGram,
    /// By word: how probable it is next, and which words are.
    weights: Vec<f64>,
    touched: Vec<u32>,
}

impl NGramWriter<'_> {
    /// A text of about `most` characters at most; nothing where all that could follow is of one text alone.
    pub fn text(&mut self, group: &str, most: usize, temperature: f32, rng: &mut Rng) -> Option<String> {
        let (group, mut before) = (self.model.group(group), [END; CONTEXT]);
        let (mut text, mut characters, mut written) = (String::new(), 0, Vec::new());
        while characters < most {
            if self.weigh(group, before) {
                // The word that comes is left out.
                (characters, before) = (characters + 1, [before[1], before[2], UNKNOWN]);
                written.push(UNKNOWN);
                continue;
            }
            let word = self.next(&written, f64::from(temperature.max(f32::MIN_POSITIVE)), rng)?;
            if word == END {
                break;
            }
            let token = self.model.words.get(word as usize)?;
            text.push_str(token);
            // No token is empty, so that this ends.
            characters += token.chars().count().max(1);
            written.push(word);
            before = [before[1], before[2], word];
        }
        Some(text)
    }

    /// Weighs what may come next; whether that is an unknown word and nothing else. Levels without a word before are asked
    /// only where no other knows any, and none whose words would be too improbable all the same. Words that no text of the
    /// group has are passed over: a language stays what it is where little was seen.
    fn weigh(&mut self, group: u32, before: [u32; CONTEXT]) -> bool {
        self.touched.drain(..).for_each(|word| self.weights[word as usize] = 0.0);
        let levels = &self.model.levels;
        let of_group = levels.iter().find(|level| level.words == 0 && level.has_group);
        let of_group = of_group.and_then(|level| level.after(group, before)).map(|(words, _)| words);
        let is_own =
            |word: u32| of_group.is_none_or(|own| own.binary_search_by_key(&word, |(own, _)| *own).is_ok());
        let (mut rest, mut best, mut is_unknown) = (1.0, 0.0, false);
        for level in levels {
            let is_told = is_unknown || !self.touched.is_empty();
            if level.words == 0 && is_told || rest < MIN_P * best {
                break;
            }
            let Some((followers, total)) = level.after(group, before) else { continue };
            for &(word, n) in followers {
                is_unknown |= word == UNKNOWN;
                if word == UNKNOWN || !is_own(word) {
                    continue;
                }
                let weight = &mut self.weights[word as usize];
                if *weight == 0.0 {
                    self.touched.push(word);
                }
                *weight += rest * (f64::from(n) - level.discount) / total;
                best = f64::max(best, *weight);
            }
            rest *= level.discount * followers.len() as f64 / total;
        }
        is_unknown && self.touched.is_empty()
    }

    /// Draws one of them that continues no run of one text alone.
    fn next(&mut self, written: &[u32], temperature: f64, rng: &mut Rng) -> Option<u32> {
        loop {
            let best = self.touched.iter().map(|&word| self.weights[word as usize]).fold(0.0, f64::max);
            if best <= 0.0 {
                return None;
            }
            let share = |&word: &u32| match self.weights[word as usize] / best {
                share if share < MIN_P => 0.0,
                share => share.powf(1.0 / temperature) as f32,
            };
            let shares: Vec<f32> = self.touched.iter().map(share).collect();
            let word = self.touched[rng.categorical(&shares)];
            if !self.ends_run(written, word) {
                return Some(word);
            }
            self.weights[word as usize] = 0.0;
        }
    }

    /// Whether a word would be the last of a run that one text alone has.
    fn ends_run(&self, written: &[u32], word: u32) -> bool {
        let Some(start) = (written.len() + 1).checked_sub(MAX_RUN).filter(|_| word != END) else {
            return false;
        };
        let run = [&written[start..], &[word]].concat();
        self.model.runs.binary_search(&hash(&run)).is_ok()
    }
}

#[cfg(test)]
mod tests;
