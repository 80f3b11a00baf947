//! What one request may take at most.

use crate::{dataset::thousands, error::Error};

/// What one request may take at most. The defaults suit a user at their own machine; whoever takes requests from strangers
/// sets lower ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all items that are held together. Rows that are streamed are not held. Default: 4 GiB.
    pub max_bytes: usize,
    /// Items of one request. Default: 2⁴⁰; rows that are streamed end when nobody reads them.
    pub max_items: usize,
    /// Characters of a prompt, of a text that is continued or varied, and of all stops together. Default: 10 million.
    pub max_prompt_chars: usize,
    /// Bytes of the regular expression of texts, and of the one that the shape of JSON stands for. Default: 1 MiB.
    pub max_pattern_bytes: usize,
    /// Bytes of each automaton that a regular expression becomes (NFA, then DFA). Default: 64 MiB.
    pub max_automaton_bytes: usize,
    /// Cells of the rows that stand in a request itself. Default: 50 million.
    pub max_cells: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 4 << 30,
            max_items: 1 << 40,
            max_prompt_chars: 10_000_000,
            max_pattern_bytes: 1 << 20,
            max_automaton_bytes: 64 << 20,
            max_cells: 50_000_000,
        }
    }
}

impl Limits {
    /// Whether `n` items are allowed, of `bytes` each where they are held: an error in words is better than an end
    /// without any.
    pub(crate) fn check_items(&self, n: usize, bytes: usize, items: &str) -> Result<(), Error> {
        // What takes no bytes is not held.
        let of_memory = self.max_bytes.checked_div(bytes).unwrap_or(usize::MAX);
        if n <= of_memory.min(self.max_items) {
            return Ok(());
        }
        let most = thousands(of_memory.min(self.max_items).max(1));
        let why = match n > of_memory {
            true => format!("cannot be {}: so many {items} at once do not fit in memory", thousands(n)),
            false => format!("cannot be {}: a request is for {most} {items} at most", thousands(n)),
        };
        Err(Error::field("n", why)
            .with_hint(format!("ask for {most} at most, and for the others with another seed")))
    }

    /// Whether the text of a field is not too long.
    pub(crate) fn check_text(&self, field: &'static str, text: &str) -> Result<(), Error> {
        // A text has no more characters than bytes.
        if text.len() <= self.max_prompt_chars || text.chars().count() <= self.max_prompt_chars {
            return Ok(());
        }
        let most = thousands(self.max_prompt_chars);
        Err(Error::field(field, format!("has more than {most} characters")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rejects_more_than_there_is_room_for() {
        let limits = Limits { max_bytes: 1000, max_items: 50, max_prompt_chars: 3, ..Limits::default() };
        assert!(limits.check_items(10, 100, "images").is_ok() && limits.check_items(50, 0, "rows").is_ok());
        let said = |n, bytes| limits.check_items(n, bytes, "images").unwrap_err().to_string();
        assert_eq!(said(11, 100), "`n` cannot be 11: so many images at once do not fit in memory");
        assert_eq!(said(51, 1), "`n` cannot be 51: a request is for 50 images at most");
        assert!(said(usize::MAX, usize::MAX).contains("do not fit in memory"));
        assert!(limits.check_text("prompt", "яяя").is_ok());
        assert_eq!(
            limits.check_text("prompt", "яяяя").unwrap_err().to_string(),
            "`prompt` has more than 3 characters"
        );
    }
}
