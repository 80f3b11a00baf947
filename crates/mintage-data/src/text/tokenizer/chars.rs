//! Characters as tokens: an alphabet, and an escape for whatever is not in it.
//!
//! A foreign character is the escape and then always `digits` tokens of the alphabet, the first of which
//! counts most: its code point to the base of the alphabet's size.

use crate::Error;

use super::Visit;

/// The last code point.
pub(super) const MAX_CODE: u32 = char::MAX as u32;
/// The token before the digits of a foreign character.
pub(super) const ESCAPE: u32 = 1;
/// The token of the first character of the alphabet.
const FIRST_CHAR_TOKEN: u32 = 2;
/// Times that a character must occur to be in the alphabet: of rarer ones nothing is learned.
const MIN_CHAR_COUNT: u32 = 3;
/// Characters that an alphabet has at least: digits to a base of one would be too many.
const MIN_ALPHABET: usize = 2;
/// Code points that there are.
const CODES: usize = MAX_CODE as usize + 1;

pub(super) struct Chars {
    /// By code point.
    alphabet: Vec<char>,
    /// The token of each code point up to the last of the alphabet; 0 is none.
    ids: Vec<u32>,
    digits: u32,
}

impl Chars {
    /// Fits an alphabet: the characters that the train documents show often enough, at most `vocab` tokens of them.
    ///
    /// # Errors
    /// `vocab` is too small, the texts hold no characters, or `visit` fails.
    pub fn fit(visit: &Visit, vocab: Option<usize>) -> Result<Self, Error> {
        let most = vocab.unwrap_or(usize::MAX);
        if most < FIRST_CHAR_TOKEN as usize + MIN_ALPHABET {
            let why = format!("{most} tokens are too few for characters");
            return Err(Error::bad("vocabulary", why).with_hint("leave its size out, or ask for 100 or more"));
        }
        let mut counts = vec![0u32; CODES];
        visit(&mut |text| {
            text.chars().for_each(|letter| {
                let count = &mut counts[letter as usize];
                *count = count.saturating_add(1);
            });
        })?;
        let seen = (0..CODES as u32).filter_map(char::from_u32).filter(|&c| counts[c as usize] > 0);
        let mut alphabet: Vec<char> = seen.collect();
        if alphabet.is_empty() {
            return Err(Error::bad("the texts", "hold no characters to learn"));
        }
        // Frequent ones first; among equals the lower code point.
        alphabet.sort_by_key(|&c| std::cmp::Reverse(counts[c as usize]));
        let frequent = alphabet.iter().take_while(|&&c| counts[c as usize] >= MIN_CHAR_COUNT).count();
        alphabet.truncate(frequent.max(MIN_ALPHABET).min(most - FIRST_CHAR_TOKEN as usize));
        for letter in [' ', '\n'] {
            if alphabet.len() < MIN_ALPHABET && !alphabet.contains(&letter) {
                alphabet.push(letter);
            }
        }
        alphabet.sort_unstable();
        Self::new(alphabet).map_err(|why| Error::bad("the alphabet", why))
    }

    /// The tokenizer of an alphabet that is sorted by code point.
    ///
    /// # Errors
    /// The alphabet has too few characters, or they do not ascend.
    pub fn new(alphabet: Vec<char>) -> Result<Self, String> {
        if alphabet.len() < MIN_ALPHABET {
            return Err(format!("{} characters are no alphabet", alphabet.len()));
        }
        if let Some(pair) = alphabet.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(format!("`{}` and `{}` of the alphabet are out of order", pair[0], pair[1]));
        }
        let mut ids = vec![0; alphabet.last().map_or(0, |&last| last as usize + 1)];
        for (id, &letter) in (FIRST_CHAR_TOKEN..).zip(&alphabet) {
            ids[letter as usize] = id;
        }
        let base = alphabet.len() as u64;
        let digits = (1..).find(|&digits| base.pow(digits) > u64::from(MAX_CODE)).unwrap_or(1);
        Ok(Self { alphabet, ids, digits })
    }

    pub fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    pub fn vocab(&self) -> usize {
        self.alphabet.len() + FIRST_CHAR_TOKEN as usize
    }

    /// Digits of a foreign character.
    pub fn digits(&self) -> u32 {
        self.digits
    }

    /// The value of a token as a digit.
    pub fn digit(&self, token: u32) -> Option<u32> {
        token.checked_sub(FIRST_CHAR_TOKEN).filter(|&digit| (digit as usize) < self.alphabet.len())
    }

    /// The character of a token.
    pub fn letter(&self, token: u32) -> Option<char> {
        self.digit(token).map(|digit| self.alphabet[digit as usize])
    }

    /// The token of a character of the alphabet.
    pub fn id(&self, letter: char) -> Option<u32> {
        self.ids.get(letter as usize).copied().filter(|&id| id != 0)
    }

    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(text.len());
        for letter in text.chars() {
            match self.id(letter) {
                Some(id) => tokens.push(id),
                None => self.escape(letter, &mut tokens),
            }
        }
        tokens
    }

    fn escape(&self, letter: char, tokens: &mut Vec<u32>) {
        let base = self.alphabet.len() as u64;
        tokens.push(ESCAPE);
        for place in (0..self.digits).rev() {
            tokens.push(FIRST_CHAR_TOKEN + (letter as u64 / base.pow(place) % base) as u32);
        }
    }
}
