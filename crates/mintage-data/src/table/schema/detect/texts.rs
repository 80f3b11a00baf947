//! What is neither a number nor a date: identifiers, lists of values, sentences.

use super::{Guess, MIN_VALUES, Profile, many};
use crate::table::{
    Type, datetime,
    schema::{
        Format, IdFormat, Kind,
        identifiers::{self, Identifier},
        nested,
        phrases::{percent, quoted},
        spellings::{self, Hint},
        typed,
    },
};

/// Characters of a text, at most: longer ones are sentences.
const MAX_CODE_CHARS: usize = 30;
/// Words of a text, at most: one of more is a sentence.
const MAX_CODE_WORDS: usize = 4;

impl Profile<'_> {
    /// Identifiers, categories or sentences.
    pub(super) fn words(&self) -> Guess {
        let texts = self.texts();
        // What a program reads is no code: it would not understand others in the same form.
        let is_nested = nested::filler(&self.column.declaration, &texts).is_some();
        let identifier = identifiers::recognise(&texts).filter(|_| !is_nested);
        let hint = spellings::hint(&self.column.name).filter(|_| !is_nested);
        let one_each =
            format!("each in one row of {}: made afresh", percent(self.values.len(), self.present));
        if let Some(typed) = typed::recognise(&texts) {
            return match self.nearly_unique() {
                true => self.id(&format!("{}, {one_each}", typed.name())),
                false => self.category(&format!("{}: ", typed.name())),
            };
        }
        // Dates of which too many are none have the signs of telephone numbers, and of codes.
        let dated = self
            .date_pattern()
            .filter(|(found, odd)| found.pattern != datetime::DAY_OF_YEAR && self.is_credible(found, odd));
        let identifier = identifier.filter(|_| dated.is_none());
        match identifier {
            Some(Identifier::Uuid) if self.nearly_unique() || self.unique() => {
                return self.id("UUIDs: made afresh");
            }
            Some(Identifier::Email) if self.values.len() * 2 > self.present => {
                return self.id("e-mail addresses: made afresh");
            }
            Some(Identifier::Phone) if self.values.len() * 2 > self.present => {
                return self.id("telephone numbers: made afresh");
            }
            Some(Identifier::Code) if self.nearly_unique() => return self.id(&format!("codes, {one_each}")),
            _ if hint == Some(Hint::Id) && self.unique() => {
                return self.id("by its name an identifier: made afresh");
            }
            _ if hint == Some(Hint::Id) && identifier.is_some() => {
                let reason =
                    format!("a key of another table: one of the {} seen", many(self.values.len(), "keys"));
                return Guess::new(Kind::Category, Format::Id(IdFormat::Reference), reason);
            }
            _ => {}
        }
        if self.column.declaration.ty == Type::Json && self.seldom_same()
            || self.sentences()
            || self.nearly_unique() && identifier.is_none()
        {
            return self.text();
        }
        self.category("")
    }

    /// Long texts that are seldom the same.
    fn sentences(&self) -> bool {
        let n = self.values.len();
        let letters: usize = self.values.iter().map(|v| v.0.chars().count()).sum();
        let words: usize = self.values.iter().map(|v| v.0.split_whitespace().count()).sum();
        let long = letters > MAX_CODE_CHARS * n || words > MAX_CODE_WORDS * n;
        long && self.seldom_same()
    }

    fn seldom_same(&self) -> bool {
        let n = self.values.len();
        n > MIN_VALUES && (n * 2 > self.present || n > 1000)
    }

    pub fn text(&self) -> Guess {
        let letters: usize = self.values.iter().map(|v| v.0.chars().count()).sum();
        let average = letters / self.values.len().max(1);
        let different = many(self.values.len(), "different texts");
        let reason =
            format!("{different} of {} on average: drawn from those seen", many(average, "characters"));
        Guess::new(Kind::Text, Format::Plain, reason)
    }

    pub fn category(&self, why: &str) -> Guess {
        let frequent = self.values.iter().max_by_key(|v| v.1);
        let frequent = frequent.map_or_else(String::new, |&(text, n)| {
            format!(", most often {} ({})", quoted(text), percent(n as usize, self.present))
        });
        let reason = format!("{why}{}{frequent}", many(self.values.len(), "different values"));
        Guess::new(Kind::Category, Format::Plain, reason)
    }
}
