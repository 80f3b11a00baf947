//! Words of a text with the white space before them, so that they make the text again.

use std::collections::HashMap;

/// Signs within a word that it goes on after, and such that it ends with: "T-shirt" is one word, "qu'en" and "don't" are two.
const HYPHENS: [char; 3] = ['-', '\u{2010}', '\u{2011}'];
const APOSTROPHES: [char; 2] = ['\'', '’'];

/// The tokens of a text: words, and each other sign for itself, with the white space before them. White space at the end is
/// one as well. Joined they are the text.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let (mut all, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (token, more) = rest.split_at(first(rest));
        all.push(token);
        rest = more;
    }
    all
}

/// Bytes of the first token of a text that is not empty.
fn first(text: &str) -> usize {
    let word = text.trim_start();
    let (space, mut end) = (text.len() - word.len(), 0);
    loop {
        let rest = &word[end..];
        let run = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
        end += run;
        let mut next = word[end..].chars();
        let (sign, goes_on) = (next.next(), next.next().is_some_and(is_of_word));
        let Some(sign) = sign else { return space + end };
        match run > 0 && goes_on {
            true if HYPHENS.contains(&sign) => end += sign.len_utf8(),
            true if APOSTROPHES.contains(&sign) => return space + end + sign.len_utf8(),
            _ if end == 0 => return space + sign.len_utf8(),
            _ => return space + end,
        }
    }
}

/// Letters, digits, and accents that stand behind their letter.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c)
}

/// How frequent each letter is: what words that no model knows are spelled by, when it is judged.
pub(super) struct Spelling {
    letters: HashMap<char, f64>,
    /// Words, and letters with them.
    words: f64,
    total: f64,
}

impl Spelling {
    /// That of some texts.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut letters: HashMap<char, f64> = HashMap::new();
        let mut words = 1.0;
        for text in texts {
            text.chars().for_each(|c| *letters.entry(c).or_default() += 1.0);
            words += tokens(text).len() as f64;
        }
        // One for the letters that are not in them.
        let total = letters.values().sum::<f64>() + words + 1.0;
        Self { letters, words, total }
    }

    /// Bits that a token takes, its end included.
    pub fn bits(&self, token: &str) -> f64 {
        let letters = token.chars().map(|c| self.letters.get(&c).copied().unwrap_or(1.0));
        letters.chain([self.words]).map(|n| (self.total / n).log2()).sum()
    }
}

#[cfg(test)]
mod tests {
    use mintage_nn::Rng;

    use super::*;

    #[test]
    fn words_keep_their_hyphens_and_part_at_apostrophes() {
        let all = tokens("Le t-shirt, qu'en dit-on?\n Тёмно-синий чай - 30 %… ");
        let wanted = [
            "Le",
            " t-shirt",
            ",",
            " qu'",
            "en",
            " dit-on",
            "?",
            "\n Тёмно-синий",
            " чай",
            " -",
            " 30",
            " %",
            "…",
            " ",
        ];
        assert_eq!(all, wanted);
        assert_eq!(tokens("'tis a--b rock-"), ["'", "tis", " a", "-", "-", "b", " rock", "-"]);
        assert!(tokens("").is_empty());
    }

    #[test]
    fn frequent_letters_take_fewer_bits() {
        let spelling = Spelling::of(["tea and tea", "a tea"].into_iter());
        assert!(spelling.bits("tea") < spelling.bits("and") && spelling.bits("and") < spelling.bits("Юля"));
        assert!(spelling.bits("") > 0.0 && spelling.bits("teatea") > spelling.bits("tea"));
    }

    #[test]
    fn joined_they_are_the_text() {
        let signs = [
            "a",
            "Ж",
            "ё",
            "e\u{301}",
            "7",
            "-",
            "'",
            "’",
            " ",
            "\n",
            "\t",
            "\u{a0}",
            ".",
            "…",
            "👩‍🚀",
            "🫖",
            "語",
            "\u{200d}",
            "\u{301}",
            "\r\n",
            "\"",
            "\u{2011}",
        ];
        let mut rng = Rng::new(5, 0);
        for _ in 0..2000 {
            let n = rng.below(30);
            let text: String = (0..n).map(|_| signs[rng.below(signs.len())]).collect();
            let all = tokens(&text);
            assert_eq!(all.concat(), text);
            assert!(all.iter().all(|token| !token.is_empty()));
        }
    }
}
