//! Keys that are texts, such as `ABC` or `smithjo01`: new ones in the form of those seen, all different, none of the source.
//!
//! A model of rows makes identifiers of the parts of those seen, and may run out of them; a table cannot do without its key.

use std::collections::HashSet;

use mintage_data::{
    Column, Declaration, Table as Rows,
    database::Table,
    table::{
        Known,
        schema::{IdFormat, TableSchema},
    },
};
use mintage_nn::Rng;
use serde::{Deserialize, Serialize};

use super::before::is_taken;

/// Forms that are kept.
const MAX_SHAPES: usize = 500;
/// A longer text is no code.
const MAX_CHARS: usize = 40;
/// Times that a code is drawn before it gets a digit more.
const MAX_TRIES: usize = 50;

/// A key of texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TextKey {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What all begin with.
    prefix: String,
    /// What follows, with a letter or a digit for its kind.
    shapes: Vec<String>,
    known: Known,
}

impl TextKey {
    /// The keys of a table that are made here: codes of one column that all differ, of which a model makes words or codes.
    /// `is_person` says of a column that it is made with the persons.
    pub(super) fn all_of(
        table: &Table,
        rows: &Rows,
        found: &TableSchema,
        is_person: &dyn Fn(&str) -> bool,
    ) -> Vec<Self> {
        let single = table.unique_sets().filter_map(|set| match set.as_slice() {
            [name] => Some(name),
            _ => None,
        });
        let is_free = |name: &&String| !is_person(name) && !table.is_foreign(name);
        let is_made = |name: &&String| {
            let column = found.columns.iter().find(|column| &column.name == *name);
            let format = column.and_then(|column| column.made_afresh());
            matches!(format, Some(IdFormat::Text { .. } | IdFormat::Code { check: None, .. }))
        };
        let mut all: Vec<Self> = Vec::new();
        for name in single.filter(is_free).filter(is_made) {
            let Some(column) = rows.column(name) else { continue };
            let is_code = |text: &str| {
                text.len() <= MAX_CHARS
                    && !text.is_empty()
                    && !text.contains(|c: char| c.is_whitespace() || c == '@')
            };
            let is_whole = column.missing() == 0 && column.values().iter().all(is_code);
            if is_whole && !all.iter().any(|own| own.column == *name) {
                all.push(Self::of(&table.name, column));
            }
        }
        all
    }

    /// The form of the texts of a column, of which there are some.
    pub(super) fn of(table: &str, column: &Column) -> Self {
        let mut texts = column.values().iter();
        let first = texts.next().unwrap_or_default().to_owned();
        let common = |prefix: String, text: &str| -> String {
            prefix.chars().zip(text.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
        };
        let prefix = column.values().iter().fold(first, common);
        let step = column.values().len().div_ceil(MAX_SHAPES).max(1);
        let shapes = column
            .values()
            .iter()
            .step_by(step)
            .map(|text| text.chars().skip(prefix.chars().count()).map(kind_of).collect::<String>());
        Self {
            table: table.to_owned(),
            column: column.name.clone(),
            shapes: shapes.collect(),
            prefix,
            known: Known::of(column.values().iter()),
        }
    }

    /// New keys for `n` rows, none of those that are taken.
    pub(super) fn make(&self, n: usize, seed: u64, taken: Option<&HashSet<u64>>) -> Column {
        let mut rng = Rng::new(seed, 4);
        let mut used: HashSet<String> = HashSet::with_capacity(n);
        let mut column = Column::new(self.column.clone(), Declaration::default());
        for _ in 0..n {
            let mut tries = 0;
            let text = loop {
                let shape = self.shapes.get(rng.below(self.shapes.len().max(1))).map_or("", String::as_str);
                let more = std::iter::repeat_n('0', tries / MAX_TRIES);
                let text: String = self
                    .prefix
                    .chars()
                    .chain(shape.chars().chain(more).map(|kind| drawn(kind, &mut rng)))
                    .collect();
                tries += 1;
                if !self.known.may_hold(&text) && !used.contains(&text) && !is_taken(taken, &text) {
                    break text;
                }
            };
            column.push(Some(&text));
            used.insert(text);
        }
        column
    }
}

/// A letter or a digit that stands for all of its kind.
fn kind_of(c: char) -> char {
    match c {
        '0'..='9' => '0',
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        'а'..='я' => 'а',
        'А'..='Я' => 'А',
        other => other,
    }
}

/// Another one of its kind.
fn drawn(kind: char, rng: &mut Rng) -> char {
    let mut from =
        |first: char, n: usize| char::from_u32(first as u32 + rng.below(n) as u32).unwrap_or(first);
    match kind {
        '0' => from('0', 10),
        'a' => from('a', 26),
        'A' => from('A', 26),
        'а' => from('а', 32),
        'А' => from('А', 32),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    #[test]
    fn codes_are_of_the_form_and_do_not_run_out() {
        let texts = ["X-ab1", "X-cd2", "X-ef3", "X-Я9"];
        let key = TextKey::of("t", &Column::of("code", texts.map(Some)));
        assert_eq!(
            (key.prefix.as_str(), key.shapes[0].as_str(), key.shapes[3].as_str()),
            ("X-", "aa0", "А0")
        );
        let made = key.make(20_000, 1, None);
        let different: HashSet<&str> = made.iter().flatten().collect();
        assert_eq!(different.len(), 20_000);
        assert!(texts.iter().all(|text| !different.contains(text)));
        assert!(different.iter().all(|text| text.starts_with("X-")));
        assert_eq!(made.iter().collect::<Vec<_>>(), key.make(20_000, 1, None).iter().collect::<Vec<_>>());
        let taken: HashSet<u64> = different.iter().map(|text| xxh3_64(text.as_bytes())).collect();
        let others = key.make(1000, 1, Some(&taken));
        assert!(others.iter().flatten().all(|text| !different.contains(text)));
    }
}
