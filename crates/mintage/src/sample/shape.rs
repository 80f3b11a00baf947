//! What a text has to be like: a regular expression, or the shape of a JSON value, kept to while the text is made.
//!
//! The expression becomes a deterministic automaton over bytes. Before every token each candidate is walked from where
//! the text has led: one that leaves no way to a match may not come next. Where the text matches, it may end.

use mintage_data::{TextTokenizer, sequence::BOUNDARY};
use regex_automata::{
    Anchored, Input,
    dfa::{Automaton, StartKind, dense},
    util::primitives::StateID,
};
use serde_json::Value;

use crate::error::Error;

/// Bytes of the largest automaton.
const MAX_BYTES: usize = 64 << 20;

/// A limit for whole texts.
#[derive(Clone, Debug)]
pub struct Shape {
    dfa: dense::DFA<Vec<u32>>,
}

impl Shape {
    /// The shape of texts that match the regular expression `pattern` from beginning to end.
    ///
    /// # Errors
    ///
    /// `pattern` is not a regular expression, has look-around, is too large, or matches no text.
    pub fn of_pattern(pattern: &str) -> Result<Self, Error> {
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(MAX_BYTES))
            .determinize_size_limit(Some(MAX_BYTES));
        // Without the end the shortest match would do.
        let whole = format!(r"\A(?:{pattern})\z");
        let dfa = dense::Builder::new().configure(config).build(&whole).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), |e| e.to_string());
            Error::request(format!("`{pattern}` cannot be used as a pattern: {cause}"))
                .with_hint("write a regular expression without look-around, such as [А-Я][а-я]+ \\d{4}")
        })?;
        let shape = Self { dfa };
        match shape.dfa.is_dead_state(shape.start()) {
            true => Err(Error::request(format!("no text matches `{pattern}`"))),
            false => Ok(shape),
        }
    }

    /// The shape of JSON texts like an example whose texts name types:
    /// `{"name": "string", "age": "integer", "tags": ["string"]}`.
    ///
    /// # Errors
    ///
    /// The example is not JSON, names a type that is not known, has a list that does not hold exactly one item, or is
    /// too large.
    pub fn of_json(example: &str) -> Result<Self, Error> {
        let hint = "write it like {\"name\": \"string\", \"age\": \"integer\", \"tags\": [\"string\"]}; the types are \
                    string, integer, number, boolean, null and any a|b|c of texts";
        let value: Value = serde_json::from_str(example)
            .map_err(|error| Error::request(format!("the shape is no JSON: {error}")).with_hint(hint))?;
        Self::of_pattern(&json_pattern(&value).map_err(|error| error.with_hint(hint))?)
    }

    /// Whether a whole text is like this.
    pub fn matches(&self, text: &str) -> bool {
        let end = self.walk(self.start(), text.as_bytes());
        self.dfa.is_match_state(self.dfa.next_eoi_state(end))
    }

    fn start(&self) -> StateID {
        // Only a quit byte fails here, and there are none without Unicode word boundaries.
        self.dfa.start_state_forward(&Input::new("").anchored(Anchored::Yes)).unwrap_or(StateID::ZERO)
    }

    fn walk(&self, from: StateID, bytes: &[u8]) -> StateID {
        bytes.iter().fold(from, |state, &byte| self.dfa.next_state(state, byte))
    }

    /// Takes away what may not come behind `tokens`.
    pub fn limit(&self, codec: &TextTokenizer, tokens: &[u32], logits: &mut [f32]) {
        let state = self.walk(self.start(), &codec.decode_bytes(tokens));
        for (token, logit) in logits.iter_mut().enumerate() {
            let possible = match token as u32 {
                BOUNDARY => self.dfa.is_match_state(self.dfa.next_eoi_state(state)),
                token => {
                    let bytes = codec.token_text(token);
                    !bytes.is_empty() && self.leads_on(self.walk(state, &bytes))
                }
            };
            if !possible {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    /// Whether a match can still come.
    fn leads_on(&self, state: StateID) -> bool {
        !self.dfa.is_dead_state(state) && !self.dfa.is_quit_state(state)
    }
}

/// The expression of JSON texts of a shape.
fn json_pattern(shape: &Value) -> Result<String, Error> {
    const STRING: &str = r#""(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])*""#;
    const INTEGER: &str = r"-?(?:0|[1-9][0-9]{0,17})";
    Ok(match shape {
        Value::String(kind) => match kind.as_str() {
            "string" => STRING.to_owned(),
            "integer" => INTEGER.to_owned(),
            "number" => format!(r"{INTEGER}(?:\.[0-9]{{1,9}})?"),
            "boolean" => "(?:true|false)".to_owned(),
            "null" => "null".to_owned(),
            choice if choice.contains('|') => {
                let texts = choice.split('|').map(|text| quoted(text.trim()));
                format!("(?:{})", texts.collect::<Vec<_>>().join("|"))
            }
            other => return Err(Error::request(format!("`{other}` is no type of a JSON value"))),
        },
        Value::Array(items) => match items.as_slice() {
            [item] => {
                let item = json_pattern(item)?;
                format!(r"\[(?:{item}(?:, {item})*)?\]")
            }
            _ => return Err(Error::request("a list in the shape has exactly one item, the type of all")),
        },
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| Ok(format!("{}: {}", quoted(name), json_pattern(value)?));
            let fields = fields.iter().map(field).collect::<Result<Vec<_>, Error>>()?;
            format!(r"\{{{}\}}", fields.join(", "))
        }
        other => return Err(Error::request(format!("`{other}` is no type of a JSON value"))),
    })
}

/// A JSON string, as an expression of itself alone.
fn quoted(text: &str) -> String {
    regex_syntax::escape(&Value::String(text.to_owned()).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The bytes that may come behind a text, and whether it may end.
    fn next(shape: &Shape, text: &str) -> (Vec<u8>, bool) {
        let codec = TextTokenizer::bytes();
        let mut logits = vec![0.0; codec.vocab()];
        shape.limit(&codec, &codec.encode(text), &mut logits);
        let open = |token: &usize| logits[*token].is_finite();
        ((1..logits.len()).filter(open).map(|token| token as u8 - 1).collect(), open(&0))
    }

    #[test]
    fn only_what_leads_to_a_match_may_come() {
        let shape = Shape::of_pattern("[ab]c{2}|да").unwrap();
        assert_eq!(next(&shape, ""), (vec![b'a', b'b', 0xd0], false));
        assert_eq!(next(&shape, "ac"), (vec![b'c'], false));
        assert_eq!(next(&shape, "acc"), (vec![], true));
        assert!(shape.matches("acc") && !shape.matches("ac") && !shape.matches("accc"));
        assert_eq!(next(&shape, "д"), (vec![0xd0], false));
        assert!(Shape::of_pattern("(").is_err());
        assert!(Shape::of_pattern(r"a\bb").is_err());
    }

    #[test]
    fn json_keeps_its_shape() {
        let shape = Shape::of_json(r#"{"имя": "string", "n": ["integer"], "who": "a|b"}"#).unwrap();
        let whole = r#"{"имя": "Анна \"К.\"", "n": [1, -20], "who": "b"}"#;
        assert_eq!(next(&shape, whole), (vec![], true));
        assert!(!next(&shape, &whole[..20]).1);
        assert_eq!(next(&shape, r#"{"имя": "", "n": [0"#).0, b",]");
        for bad in ["{", "[]", "\"text\"", "3"] {
            assert!(Shape::of_json(bad).is_err(), "{bad}");
        }
    }
}
