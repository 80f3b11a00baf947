//! What a text has to be like: a regular expression, or the shape of a JSON value, kept to while the text is made.
//!
//! The expression becomes a deterministic automaton over bytes. Before every token each candidate is walked from where
//! the text has led: one that leaves no way to a match may not come next. Where the text matches, it may end.

use mintage_data::{TextTokenizer, sequence::BOUNDARY};
use regex_automata::{
    Anchored, Input,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson::{self, WhichCaptures},
    util::primitives::StateID,
};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, Look},
};
use serde_json::Value;

use super::Limits;
use crate::{dataset::thousands, error::Error};

/// Groups, repetitions and alternatives of a pattern within each other.
const MAX_NESTING: u32 = 250;
/// Lists and objects of a shape of JSON within each other.
const MAX_JSON_DEPTH: usize = 32;

/// A limit for whole texts.
#[derive(Clone, Debug)]
pub struct Shape {
    dfa: dense::DFA<Vec<u32>>,
}

impl Shape {
    /// The shape of texts that match the regular expression `pattern` from beginning to end, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// `pattern` is not a regular expression, has look-around, is too large, or matches no text.
    pub fn of_pattern(pattern: &str) -> Result<Self, Error> {
        Self::of_pattern_within(pattern, &Limits::default())
    }

    /// The same within other limits.
    ///
    /// # Errors
    ///
    /// Those of [`of_pattern`](Self::of_pattern).
    pub fn of_pattern_within(pattern: &str, limits: &Limits) -> Result<Self, Error> {
        Self::new(pattern, "match", limits).map_err(|error| {
            error.with_hint("write a regular expression without look-around, such as [А-Я][а-я]+ \\d{4}")
        })
    }

    /// The shape of JSON texts like an example whose texts name types, within the default [`Limits`]:
    /// `{"name": "string", "age": "integer", "tags": ["string"]}`.
    ///
    /// # Errors
    ///
    /// The example is not JSON, names a type that is not known, has a list that does not hold exactly one item, or is
    /// too large: a list within a list doubles the size.
    pub fn of_json(example: &str) -> Result<Self, Error> {
        Self::of_json_within(example, &Limits::default())
    }

    /// The same within other limits.
    ///
    /// # Errors
    ///
    /// Those of [`of_json`](Self::of_json).
    pub fn of_json_within(example: &str, limits: &Limits) -> Result<Self, Error> {
        let hint = "write it like {\"name\": \"string\", \"age\": \"integer\", \"tags\": [\"string\"]}; the types are \
                    string, integer, number, boolean, null and any a|b|c of texts";
        let shape = || {
            check_size("json_shape", example.len(), limits)?;
            let value: Value = serde_json::from_str(example)
                .map_err(|error| Error::field("json_shape", format!("is no JSON: {error}")))?;
            let pattern = JsonPattern { most: limits.max_pattern_bytes }.of(&value, 0)?;
            Self::new(&pattern, "json_shape", limits)
        };
        shape().map_err(|error| error.with_hint(hint))
    }

    /// The shape that the `field` of a request asks for by a pattern.
    fn new(pattern: &str, field: &'static str, limits: &Limits) -> Result<Self, Error> {
        let unusable = |cause: String| Error::field(field, format!("cannot be used as a pattern: {cause}"));
        check_size(field, pattern.len(), limits)?;
        // The pattern is read by itself: no bracket or comment of it can reach what stands around it.
        let parsed = ParserBuilder::new().nest_limit(MAX_NESTING).build().parse(pattern);
        let parsed = parsed.map_err(|error| unusable(error.to_string()))?;
        // Without the end the shortest match would do.
        let whole = Hir::concat(vec![Hir::look(Look::Start), parsed, Hir::look(Look::End)]);
        let most = Some(limits.max_automaton_bytes);
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(most))
            .build_from_hir(&whole)
            .map_err(|error| unusable(cause_of(&error)))?;
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(most)
            .determinize_size_limit(most);
        let dfa = dense::Builder::new()
            .configure(config)
            .build_from_nfa(&nfa)
            .map_err(|error| unusable(cause_of(&error)))?;
        let shape = Self { dfa };
        match shape.dfa.is_dead_state(shape.start()) {
            true => Err(Error::field(field, "matches no text")),
            false => Ok(shape),
        }
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

    /// Whether a match can still come.
    fn leads_on(&self, state: StateID) -> bool {
        !self.dfa.is_dead_state(state) && !self.dfa.is_quit_state(state)
    }
}

/// The inmost message of an error.
fn cause_of(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Refuses a pattern of too many bytes.
fn check_size(field: &'static str, bytes: usize, limits: &Limits) -> Result<(), Error> {
    match bytes <= limits.max_pattern_bytes {
        true => Ok(()),
        false => {
            let most = thousands(limits.max_pattern_bytes);
            Err(Error::field(field, format!("is too large: a pattern has {most} bytes at most")))
        }
    }
}

/// A shape, and how far each of several texts has come in it.
pub(super) struct ShapeLimit<'a> {
    shape: &'a Shape,
    /// The bytes of each token.
    tokens: Vec<Vec<u8>>,
    /// Of each text how many of its tokens were walked, and where they led.
    rows: Vec<(usize, StateID)>,
}

impl<'a> ShapeLimit<'a> {
    /// Of new texts, of which nothing is there yet.
    pub fn new(shape: &'a Shape, codec: &TextTokenizer) -> Self {
        let tokens = (0..codec.vocab() as u32).map(|token| codec.token_text(token)).collect();
        Self { shape, tokens, rows: Vec::new() }
    }

    /// Takes away what may not come after `tokens`, all new ones of a text. An escape has no bytes and never comes.
    pub fn apply(&mut self, row: usize, tokens: &[u32], logits: &mut [f32]) {
        let start = (0, self.shape.start());
        if self.rows.len() <= row {
            self.rows.resize(row + 1, start);
        }
        let (walked, state) = match self.rows[row] {
            at if at.0 <= tokens.len() => at,
            _ => start,
        };
        let new = tokens[walked..].iter().filter_map(|&token| self.tokens.get(token as usize));
        let state = new.fold(state, |state, bytes| self.shape.walk(state, bytes));
        self.rows[row] = (tokens.len(), state);
        for (token, (logit, bytes)) in logits.iter_mut().zip(&self.tokens).enumerate() {
            let possible = match token as u32 {
                BOUNDARY => self.shape.dfa.is_match_state(self.shape.dfa.next_eoi_state(state)),
                _ => !bytes.is_empty() && self.shape.leads_on(self.shape.walk(state, bytes)),
            };
            if !possible {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

/// Writes the expression of JSON texts of a shape, of `most` bytes.
struct JsonPattern {
    most: usize,
}

impl JsonPattern {
    fn of(&self, shape: &Value, depth: usize) -> Result<String, Error> {
        const STRING: &str = r#""(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])*""#;
        const INTEGER: &str = r"-?(?:0|[1-9][0-9]{0,17})";
        let wrong = |why: String| Error::field("json_shape", why);
        if depth > MAX_JSON_DEPTH {
            return Err(wrong(format!("is nested more than {MAX_JSON_DEPTH} deep")));
        }
        let pattern = match shape {
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
                other => return Err(wrong(format!("names `{other}`, which is no type of a JSON value"))),
            },
            Value::Array(items) => match items.as_slice() {
                [item] => {
                    let item = self.of(item, depth + 1)?;
                    format!(r"\[(?:{item}(?:, {item})*)?\]")
                }
                _ => {
                    return Err(wrong(
                        "has a list that does not hold exactly one item, the type of all".into(),
                    ));
                }
            },
            Value::Object(fields) => {
                let mut all = String::new();
                for (name, value) in fields {
                    let comma = if all.is_empty() { "" } else { ", " };
                    all.extend([comma, &quoted(name), ": ", &self.of(value, depth + 1)?]);
                    self.check(all.len())?;
                }
                format!(r"\{{{all}\}}")
            }
            other => return Err(wrong(format!("holds `{other}`, which is no type of a JSON value"))),
        };
        self.check(pattern.len()).map(|()| pattern)
    }

    fn check(&self, bytes: usize) -> Result<(), Error> {
        match bytes <= self.most {
            true => Ok(()),
            false => Err(Error::field("json_shape", "is too large: a list within a list doubles it")),
        }
    }
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
        ShapeLimit::new(shape, &codec).apply(0, &codec.encode(text), &mut logits);
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
    #[test]
    fn what_was_walked_is_not_walked_again() {
        let (shape, codec) = (Shape::of_pattern("(ab)*c").unwrap(), TextTokenizer::bytes());
        let mut limit = ShapeLimit::new(&shape, &codec);
        let mut open = |row: usize, text: &str| {
            let mut logits = vec![0.0; codec.vocab()];
            limit.apply(row, &codec.encode(text), &mut logits);
            (1..logits.len()).filter(|&token| logits[token] == 0.0).map(|t| t as u8 - 1).collect::<Vec<_>>()
        };
        assert_eq!((open(3, "ab"), open(0, "a"), open(3, "aba")), (vec![b'a', b'c'], vec![b'b'], vec![b'b']));
        // A shorter text is a new one.
        assert_eq!(open(3, ""), [b'a', b'c']);
    }

    #[test]
    fn rejects_patterns_that_reach_beyond_themselves_or_are_too_large() {
        // With the ends around it as text, each of these would let more through.
        let comment = Shape::of_pattern("(?x)a # all of it").unwrap();
        assert!(comment.matches("a") && !comment.matches("ab"));
        for bad in ["a)|(?:.*", "a)(b", "(?x)a # )("] {
            assert_eq!(Shape::of_pattern(bad).is_err(), !bad.contains('#'), "{bad}");
        }
        let limits = Limits { max_automaton_bytes: 1 << 20, max_pattern_bytes: 1 << 12, ..Limits::default() };
        let refused = |pattern: &str| {
            let error = Shape::of_pattern_within(pattern, &limits).unwrap_err();
            assert!(matches!(error, Error::Field { field: "match", .. }), "{error}");
            error.to_string()
        };
        refused(&r"\w".repeat(1000));
        refused(r"(?:(?:\w{100}){100}){100}");
        refused("(?:[ab]*a[ab]{20})");
        refused(&format!("{}a{}", "(".repeat(1000), ")".repeat(1000)));
        assert!(refused(&"a".repeat(5000)).contains("4,096 bytes"));
    }

    #[test]
    fn rejects_shapes_of_json_that_grow_too_large() {
        let nested = |depth: usize| format!("{}\"integer\"{}", "[".repeat(depth), "]".repeat(depth));
        let limits = Limits { max_pattern_bytes: 1 << 10, ..Limits::default() };
        assert!(Shape::of_json(&nested(3)).unwrap().matches("[[[1]], []]"));
        let refused = |example: &str, limits: &Limits| {
            let error = Shape::of_json_within(example, limits).unwrap_err();
            assert!(matches!(error, Error::Field { field: "json_shape", .. }), "{error}");
            error.to_string()
        };
        assert!(refused(&nested(12), &limits).contains("doubles"));
        assert!(refused(&nested(30), &Limits::default()).contains("is too large"));
        let deep = format!("{}\"null\"{}", "{\"a\":".repeat(40), "}".repeat(40));
        assert!(refused(&deep, &Limits::default()).contains("nested"));
        let wide: Vec<String> = (0..200).map(|i| format!("\"field{i}\": \"null\"")).collect();
        refused(&format!("{{{}}}", wide.join(", ")), &limits);
    }
}
