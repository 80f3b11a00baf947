//! Prompts that end within a token.
//!
//! Pieces of words begin with the space before them, and words that a model has read were cut where the tokenizer cuts
//! whole texts. A prompt that ends in a space or within a word is cut where no text ever was, and a model goes on from
//! there with whatever it has seen least of. So the last word of a prompt is taken back, with the space before it, and what
//! comes first has to spell it (token healing, as Lundberg named it in 2023).

use mintage_data::{TextTokenizer, TextUnit, sequence::BOUNDARY};

/// Tokens that are taken back at most: a longer word is none.
const MAX_TOKENS_BACK: usize = 16;

/// The text of the tokens that were taken back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenHealing {
    text: String,
}

impl TokenHealing {
    /// Takes the last word of a prompt back, where pieces of words are tokens.
    pub fn of(codec: &TextTokenizer, prompt: &mut Vec<u32>) -> Self {
        if codec.unit() != TextUnit::Bpe {
            return Self::default();
        }
        let begins = |&token: &u32| codec.token_text(token).first().is_some_and(u8::is_ascii_whitespace);
        let is_word = |&&token: &&u32| token != BOUNDARY;
        let word = prompt.iter().rev().take(MAX_TOKENS_BACK).take_while(is_word);
        let length = match word.clone().position(begins) {
            Some(before) => before + 1,
            None => word.count(),
        };
        let at = prompt.len() - length;
        // A part of a character is no text.
        match String::from_utf8(codec.decode_bytes(&prompt[at..])) {
            Ok(text) => {
                prompt.truncate(at);
                Self { text }
            }
            Err(_) => Self::default(),
        }
    }

    /// Bytes that new text begins with and that are the prompt's.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Takes away tokens that do not spell what is left of it behind the new `tokens`.
    pub fn limit(&self, codec: &TextTokenizer, tokens: &[u32], logits: &mut [f32]) {
        // A token spells at least a byte.
        if tokens.len() >= self.text.len() {
            return;
        }
        let written = codec.decode_bytes(tokens);
        let left = self.text.as_bytes().get(written.len()..).unwrap_or_default();
        if left.is_empty() {
            return;
        }
        for (token, logit) in logits.iter_mut().enumerate() {
            let text = if token as u32 == BOUNDARY { Vec::new() } else { codec.token_text(token as u32) };
            let spells = !text.is_empty() && (text.starts_with(left) || left.starts_with(&text));
            if !spells {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn codec(unit: TextUnit) -> TextTokenizer {
        let text = "Было уже поздно, когда подошла подруга. Поздно было подойти к подоконнику. ".repeat(40);
        let visit = |see: &mut dyn FnMut(&str)| {
            see(&text);
            Ok(())
        };
        let vocab = (unit == TextUnit::Bpe).then_some(340);
        TextTokenizer::fit(Some(unit), vocab, &visit, text.len() as u64).unwrap()
    }

    /// Texts of the tokens that may come first behind a prompt.
    fn first(codec: &TextTokenizer, prompt: &str) -> (Vec<u32>, Vec<String>) {
        let mut tokens = codec.encode(prompt);
        let healing = TokenHealing::of(codec, &mut tokens);
        let mut logits = vec![0.0; codec.vocab()];
        healing.limit(codec, &[], &mut logits);
        let left = (0..codec.vocab() as u32).filter(|&token| logits[token as usize] == 0.0);
        (tokens, left.map(|token| String::from_utf8_lossy(&codec.token_text(token)).into_owned()).collect())
    }

    #[test]
    fn a_space_at_the_end_begins_the_next_word() {
        let codec = codec(TextUnit::Bpe);
        let (tokens, may) = first(&codec, "Было уже ");
        assert_eq!(codec.decode(&tokens), "Было уже");
        assert!(
            may.iter().all(|text| text.starts_with(' ')) && may.iter().any(|text| text.len() > 2),
            "{may:?}"
        );
    }

    #[test]
    fn a_part_of_a_word_may_become_any_word_that_begins_so() {
        let codec = codec(TextUnit::Bpe);
        let (tokens, may) = first(&codec, "Было уже по");
        assert_eq!(codec.decode(&tokens), "Было уже");
        let begins = |text: &&String| " по".starts_with(text.as_str()) || text.starts_with(" по");
        assert!(may.iter().all(|text| begins(&text) || text.contains('\u{fffd}')), "{may:?}");
        // Behind the space alone what is left of it has to come.
        let healing = TokenHealing::of(&codec, &mut codec.encode("Было уже по"));
        assert_eq!(healing.bytes(), " по".len());
        let space = codec.encode(" ");
        let mut logits = vec![0.0; codec.vocab()];
        healing.limit(&codec, &space, &mut logits);
        for (token, logit) in logits.iter().enumerate() {
            let (text, left) = (codec.token_text(token as u32), "по".as_bytes());
            let spells = !text.is_empty() && (text.starts_with(left) || left.starts_with(&text));
            assert_eq!(*logit == 0.0, spells && token as u32 != BOUNDARY, "{text:?}");
        }
        // And behind all of it anything.
        let mut logits = vec![0.0; codec.vocab()];
        healing.limit(&codec, &codec.encode(" под"), &mut logits);
        assert!(logits.iter().all(|&logit| logit == 0.0));
    }

    #[test]
    fn characters_are_never_cut() {
        let codec = codec(TextUnit::Chars);
        let mut tokens = codec.encode("уже ");
        assert_eq!(TokenHealing::of(&codec, &mut tokens), TokenHealing::default());
        assert_eq!(codec.decode(&tokens), "уже ");
    }
}
