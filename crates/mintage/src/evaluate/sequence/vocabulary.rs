//! The words of texts, so that models with tokens of different kinds are judged alike.
//!
//! A word is a run of letters or digits (with apostrophes and hyphens inside); every other character that is no white
//! space is a word of its own. Case counts.

use std::collections::HashMap;

/// Numbers words from 1 on; 0 is the boundary.
#[derive(Debug, Default)]
pub struct Vocabulary {
    known: HashMap<String, u32>,
    names: Vec<String>,
}

impl Vocabulary {
    /// The numbers of the words of a text; new ones are added.
    pub fn number(&mut self, text: &str) -> Vec<u32> {
        let mut numbers = Vec::new();
        for (start, end) in spans(text) {
            let word = &text[start..end];
            let next = self.known.len() as u32 + 1;
            let number = match self.known.get(word) {
                Some(&number) => number,
                None => {
                    self.names.push(word.to_owned());
                    *self.known.entry(word.to_owned()).or_insert(next)
                }
            };
            numbers.push(number);
        }
        numbers
    }

    /// The numbers of the words of a text that are known; 0, the boundary, stands for those that are not.
    pub fn find(&self, text: &str) -> Vec<u32> {
        let number = |(start, end): (usize, usize)| self.known.get(&text[start..end]).copied().unwrap_or(0);
        spans(text).into_iter().map(number).collect()
    }

    /// Words in a row, with spaces where there were probably some.
    pub fn text(&self, numbers: &[u32]) -> String {
        let mut text = String::new();
        for number in numbers {
            let Some(word) = (*number as usize).checked_sub(1).and_then(|at| self.names.get(at)) else {
                continue;
            };
            let closing = word.starts_with(['.', ',', '!', '?', ';', ':', '…', ')', '»', '”']);
            if !text.is_empty() && !closing && !text.ends_with(['(', '«', '“']) {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }
}

/// Where the words of a text stand, in bytes.
pub fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut inside = false;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let end = at + letter.len_utf8();
        let joint = matches!(letter, '\'' | '’' | '-' | '‑')
            && inside
            && letters.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if letter.is_alphanumeric() || joint {
            match found.last_mut().filter(|_| inside) {
                Some(last) => last.1 = end,
                None => found.push((at, end)),
            }
            inside = true;
        } else {
            inside = false;
            if !letter.is_whitespace() {
                found.push((at, end));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_two_languages() {
        let words = |text: &'static str| -> Vec<&str> {
            spans(text).into_iter().map(|(start, end)| &text[start..end]).collect()
        };
        assert_eq!(words("Don't, всё-таки, stop-!"), ["Don't", ",", "всё-таки", ",", "stop", "-", "!"]);
        let mut numbers = Vocabulary::default();
        assert_eq!(numbers.number("а б а"), [1, 2, 1]);
        assert_eq!(numbers.number("б в"), [2, 3]);
        let line = numbers.number("Да, (нет)!");
        assert_eq!(numbers.text(&line), "Да, (нет)!");
    }
}
