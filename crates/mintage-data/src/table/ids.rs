//! Identifiers made afresh: unique, in the format of those seen, and none of them.

use super::{
    Texts,
    pattern::{Pattern, below},
    schema::IdFormat,
};
use crate::Error;

/// Draws before the texts of a pattern are gone through in order.
const DRAWS: usize = 20;
/// Texts that are gone through at most, beside as many as are taken.
const TRIES: usize = 1000;

/// Makes identifiers of one column.
pub struct IdMaker {
    how: How,
    taken: Texts,
}

enum How {
    Counter { prefix: String, width: usize, next: i64 },
    Uuid { upper: bool },
    Pattern { pattern: Pattern, count: u128 },
    Reference,
}

impl IdMaker {
    /// Identifiers of this format other than those of `taken`; for [`IdFormat::Reference`] those of `taken`.
    pub fn new<'a>(format: &IdFormat, taken: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        let how = match format {
            IdFormat::Counter { prefix, width, next } => {
                How::Counter { prefix: prefix.clone(), width: usize::from(*width), next: *next }
            }
            IdFormat::Uuid { upper } => How::Uuid { upper: *upper },
            IdFormat::Pattern { regex } => {
                let pattern = Pattern::new(regex)?;
                How::Pattern { count: pattern.count(), pattern }
            }
            IdFormat::Reference => How::Reference,
        };
        let mut all = Texts::default();
        taken.for_each(|text| {
            all.insert(text);
        });
        Ok(Self { how, taken: all })
    }

    /// A new identifier; an error when there are no more.
    pub fn next(&mut self, random: &mut dyn FnMut() -> u64) -> Result<String, Error> {
        let taken = &self.taken;
        let free = |text: &String| taken.find(text).is_none();
        let text = match &mut self.how {
            How::Counter { prefix, width, next } => {
                let texts = std::iter::from_fn(|| {
                    let text = format!("{prefix}{next:0width$}");
                    *next = next.checked_add(1)?;
                    Some(text)
                });
                texts.take(taken.len() + 1).find(free)
            }
            How::Uuid { upper } => std::iter::repeat_with(|| uuid(random, *upper)).take(DRAWS).find(free),
            How::Pattern { pattern, count } => {
                let drawn = std::iter::repeat_with(|| pattern.draw(random)).take(DRAWS).find(free);
                drawn.or_else(|| {
                    let start = u128::from(random()) << 64 | u128::from(random());
                    let tries = (taken.len() as u128 * 2 + TRIES as u128).min(*count);
                    (0..tries).map(|i| pattern.nth((start % *count + i) % *count)).find(free)
                })
            }
            How::Reference if taken.is_empty() => None,
            How::Reference => return Ok(taken.get(below(random, taken.len()) as u32).to_owned()),
        };
        let text = text.ok_or_else(|| self.exhausted())?;
        self.taken.insert(&text);
        Ok(text)
    }

    fn exhausted(&self) -> Error {
        let taken = self.taken.len();
        let (what, why) = match &self.how {
            How::Pattern { pattern, count } => (
                format!("identifiers like `{}`", pattern.nth(0)),
                format!("{taken} of {count} are taken, no other is left"),
            ),
            How::Reference => ("keys of another table".to_owned(), "none is known to choose from".to_owned()),
            How::Counter { .. } | How::Uuid { .. } => ("identifiers".to_owned(), "none is left".to_owned()),
        };
        Error::bad(what, why).with_hint("ask for fewer rows, or say another kind for the column")
    }
}

/// A random UUID, version 4.
fn uuid(random: &mut dyn FnMut() -> u64, upper: bool) -> String {
    let high = random() & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = random() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
    let (d, e) = (low >> 48, low & 0xffff_ffff_ffff);
    let text = format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}");
    if upper { text.to_uppercase() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    fn random() -> impl FnMut() -> u64 {
        let mut state = 7u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.rotate_left(32)
        }
    }

    fn make(format: &IdFormat, taken: &[&str], n: usize) -> Result<Vec<String>, Error> {
        let mut maker = IdMaker::new(format, taken.iter().copied())?;
        let mut random = random();
        (0..n).map(|_| maker.next(&mut random)).collect()
    }

    #[test]
    fn counters_go_on_and_keep_their_width() {
        let counter = IdFormat::Counter { prefix: "CUST-".into(), width: 6, next: 124 };
        assert_eq!(make(&counter, &["CUST-000125"], 2).unwrap(), ["CUST-000124", "CUST-000126"]);
        let last = IdFormat::Counter { prefix: String::new(), width: 0, next: i64::MAX };
        assert!(make(&last, &[], 1).is_err());
    }

    #[test]
    fn patterns_give_every_text_once_and_then_an_error() {
        let pattern = IdFormat::Pattern { regex: "[A-C][0-9]{2}".into() };
        let all = make(&pattern, &["A07", "C99"], 298).unwrap();
        let different: HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), 298);
        assert!(!all.contains(&"A07".to_owned()));
        let error = make(&pattern, &["A07", "C99"], 299).unwrap_err();
        assert_eq!(error.to_string(), "identifiers like `A00`: 300 of 300 are taken, no other is left");
    }

    #[test]
    fn uuids_are_of_version_4() {
        let all = make(&IdFormat::Uuid { upper: true }, &[], 100).unwrap();
        assert!(all.iter().all(|id| id.len() == 36 && &id[14..15] == "4" && "89AB".contains(&id[19..20])));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 100);
    }

    #[test]
    fn references_are_those_seen() {
        let all = make(&IdFormat::Reference, &["7", "9"], 50).unwrap();
        assert!(all.iter().all(|id| id == "7" || id == "9"));
        assert!(make(&IdFormat::Reference, &[], 1).is_err());
    }
}
