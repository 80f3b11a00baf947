//! Free text that is nobody's: reviews, descriptions, remarks. A language model of each such column, learned with the tables,
//! writes it given the row, and writes no text of the source.
//!
//! ```text
//! column ──► texts, each of the group of its row (groups.rs) ──► an n-gram or a neural model (writers.rs)
//! new rows ──► their groups ──► texts ──► none of the source, else one made of parts (the row's model)
//! ```
//!
//! Whether a row has a text is drawn with the row. What may lead to somebody, such as an e-mail address within a text, is
//! neither learned nor written.

use std::collections::{BTreeMap, HashMap, HashSet};

use mintage_data::{
    Column, DataKind, Declaration, SequenceSet, SourceSpec, Table as Rows, TextSource, TextUnit, Type,
    database::{Schema, Table},
    table::{
        Known, MISSING, listed,
        rules::RuleChoice,
        schema::{Kind, TextMode},
    },
};
use mintage_nn::Rng;
use serde::{Deserialize, Serialize};

use super::{
    DatabaseData,
    groups::Groups,
    ngram::Labelled,
    plan::{Part, TablePlan, column_of, light},
    read, view,
};
use crate::{
    dataset::thousands,
    error::Error,
    models::{Family, Size},
    recipe::{ModelSpec, Recipe},
};

/// Different texts, and characters of them, that a language model can be learned from.
const MIN_TEXTS: usize = 100;
const MIN_CHARACTERS: usize = 10_000;
/// More characters take too long to learn and to write.
const MAX_CHARACTERS: usize = 4_000_000;
/// Words of most free texts, at least.
const MIN_WORDS: usize = 4;
/// Rows with a text for each different one, at most.
const MAX_REPEATS: usize = 2;
/// One text in so many may lead to somebody; where more do, that is what the column is for.
const TELLING_SHARE: usize = 5;
/// Characters of a new text, at most.
const MAX_LENGTH: usize = 4000;
/// Texts of a group, below which it is none.
const MIN_GROUP: usize = 10;
/// Pieces of words: fewer where there is little text.
const VOCABS: [(usize, usize); 2] = [(100_000, 1024), (0, 512)];
/// Fewer characters are learned by the smallest model, which writes faster as well; still fewer in small steps, of which
/// a short time has more.
const TINY_BELOW: usize = 1_000_000;
const SMALL_STEPS_BELOW: usize = 250_000;
/// Windows of a small step.
const SMALL_BATCH: i64 = 8;
/// Characters of a token, about: what a cell is to a row, a token is to a text.
const TOKEN_CHARACTERS: usize = 4;
/// Digits in a row, but for signs between them, of a number that may be somebody's.
const LONG_NUMBER: usize = 7;

/// A column of free text that a language model of its own writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TextPlan {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Characters of its different texts.
    pub characters: usize,
    groups: Groups,
    known: Known,
    /// Characters of the shortest text, and of the longest one that is written.
    lengths: (usize, usize),
    /// Share of rows without a text.
    missing: f64,
    /// Which model writes it; nothing before it is learned.
    #[serde(skip)]
    pub(super) judged: Option<Judged>,
}

/// The texts of a column, each once, but for those that lead to somebody.
pub(super) struct LearnedTexts {
    table: String,
    /// By row its text, where it is learned.
    texts: Column,
    /// By row its group.
    groups: Vec<String>,
}

/// What writes a text, and how well its models tell texts that they have not seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    /// The one that writes.
    pub by: Writer,
    /// Bits a character by the n-gram model.
    pub ngram_bits: f64,
    /// Bits a character by the neural model, where there was time to train one.
    pub neural_bits: Option<f64>,
}

/// A kind of model that writes texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Writer {
    /// One that counts words given those before.
    Ngram,
    /// An autoregressive model of pieces of words.
    Neural,
}

/// The columns of free text of all tables that are learned, and notes on those that are too large.
///
/// # Errors
/// A planned column is not there.
pub(super) fn find(data: &DatabaseData) -> Result<(Vec<TextPlan>, Vec<String>), Error> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    if data.spec.text != TextMode::Fresh {
        return Ok((found, notes));
    }
    for plan in data.plans.iter().filter(|plan| plan.part == Part::Learned) {
        let (Some(table), Some(source)) = (data.schema.table(&plan.name), data.rows(&plan.name)) else {
            continue;
        };
        let free = plan.own.iter().filter(|name| is_written(plan, table, data, name));
        let free = free.filter_map(|name| source.column(name)).filter(|column| is_free(column));
        let (small, large): (Vec<&Column>, Vec<&Column>) =
            free.partition(|column| characters(column) <= MAX_CHARACTERS);
        notes.extend(large.iter().map(|column| {
            format!(
                "{}: `{}` has {} characters, which take too long to write: its texts are made of the parts of those seen",
                plan.name,
                column.name,
                thousands(characters(column))
            )
        }));
        if small.is_empty() {
            continue;
        }
        let rows = view::learned(plan, &data.schema, &data.source)?;
        let candidates = candidates(plan, data);
        for column in small {
            let groups = Groups::find(&rows, &candidates, column);
            found.push(TextPlan::of(&plan.name, column, groups));
        }
    }
    Ok((found, notes))
}

/// Whether a column is of texts that are drawn with the row, and may be any: nobody's, no key, no copy, under no condition.
fn is_written(plan: &TablePlan, table: &Table, data: &DatabaseData, name: &str) -> bool {
    let Some(declared) = table.column(name) else { return false };
    let found = data.kinds.get(&plan.name).and_then(|found| found.column(name));
    let is_text = found.is_some_and(|found| found.kind == Kind::Text);
    let ty = declared.ty.to_lowercase();
    let holds_any =
        !ty.contains('[') && ["char", "text", "clob", "string"].iter().any(|word| ty.contains(word));
    let is_personal = data.persons.iter().any(|persons| persons.table == plan.name && persons.makes(name));
    let is_it = |own: &String| own == name;
    is_text
        && (ty.is_empty() || holds_any)
        && declared.generated.is_none()
        && declared.labels.is_empty()
        && !is_personal
        && !table.is_foreign(name)
        && !data
            .schema
            .keys()
            .any(|(_, key)| key.parent == table.name && key.parent_columns.iter().any(is_it))
        && !plan.copied.iter().any(|copied| copied.column == name)
        && !plan.totals.iter().any(|total| total.column == name)
        && !table.unique_sets().any(|set| set.iter().any(is_it))
        && !table.checks.iter().any(|check| check.contains(name))
}

/// Whether the texts of a column are free: many different ones, mostly of several words, and neither lists of somebody's
/// addresses nor what a program reads.
fn is_free(column: &Column) -> bool {
    let texts: Vec<&str> = column.values().iter().filter(|text| !text.trim().is_empty()).collect();
    if texts.len() < MIN_TEXTS || matches!(column.declaration.ty, Type::Json | Type::Uuid) {
        return false;
    }
    let present = column.iter().flatten().filter(|text| !text.trim().is_empty()).count();
    let mut words: Vec<usize> = texts.iter().map(|text| text.split_whitespace().count()).collect();
    words.sort_unstable();
    let is_read = |text: &&&str| text.trim_start().starts_with(['{', '[', '<']);
    present <= MAX_REPEATS * texts.len()
        && characters(column) >= MIN_CHARACTERS
        && words[words.len() / 2] >= MIN_WORDS
        && 2 * texts.iter().filter(is_read).count() < texts.len()
        && TELLING_SHARE * texts.iter().filter(|text| tells_whom(text)).count() < texts.len()
}

/// Characters of the different texts of a column.
fn characters(column: &Column) -> usize {
    column.values().iter().map(|text| text.chars().count()).sum()
}

/// Whether a text leads to somebody: an e-mail address, a page, or a number as long as those of telephones and accounts.
fn tells_whom(text: &str) -> bool {
    let mut digits = 0;
    let is_long = text.chars().any(|c| {
        digits = match c {
            '0'..='9' => digits + 1,
            ' ' | '-' | '.' | '(' | ')' | '/' => digits,
            _ => 0,
        };
        digits >= LONG_NUMBER
    });
    is_long
        || text.contains("://")
        || text.split_whitespace().any(|word| word.trim_matches('@').contains('@'))
}

/// Columns of a row that may tell what its text is like: its own and those of its parents, but for texts and keys.
fn candidates(plan: &TablePlan, data: &DatabaseData) -> Vec<String> {
    let makes = |name: &String| data.persons.iter().any(|own| own.table == plan.name && own.makes(name));
    let own = data.kinds.get(&plan.name).map(|found| light(found).collect::<Vec<_>>()).unwrap_or_default();
    let own = own.into_iter().filter(|name| plan.own.contains(name) && !makes(name));
    let context = plan.context.iter().filter(|context| !context.column.starts_with('#'));
    own.chain(context.map(|context| context.name.clone())).collect()
}

/// Whether two lists are of the same columns.
pub(super) fn are_same(a: &[TextPlan], b: &[TextPlan]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (&a.table, &a.column) == (&b.table, &b.column))
}

impl TextPlan {
    fn of(table: &str, column: &Column, groups: Groups) -> Self {
        let texts: Vec<&str> = column.values().iter().filter(|text| !text.trim().is_empty()).collect();
        let lengths = || texts.iter().map(|text| text.chars().count());
        let (shortest, longest) = (lengths().min().unwrap_or(1), lengths().max().unwrap_or(1));
        let present = column.iter().flatten().filter(|text| !text.trim().is_empty()).count();
        Self {
            table: table.to_owned(),
            column: column.name.clone(),
            characters: characters(column),
            groups,
            known: Known::of(texts.iter().copied()),
            lengths: (shortest, longest.min(MAX_LENGTH)),
            missing: 1.0 - present as f64 / column.len().max(1) as f64,
            judged: None,
        }
    }

    /// `table.column`, by which its training is named.
    pub fn label(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }

    /// The columns of the row that it is written by, as the model of the table names them.
    pub fn by(&self) -> impl Iterator<Item = &str> {
        self.groups.columns()
    }

    /// The model that writes it, in words: "an n-gram model (1.32 bits a character; the neural one 1.80)".
    pub fn writer(&self) -> String {
        let Some(Judged { by, ngram_bits, neural_bits }) = self.judged else {
            return "a language model of its own".to_owned();
        };
        match (by, neural_bits) {
            (Writer::Ngram, None) => format!("an n-gram model ({ngram_bits:.2} bits a character)"),
            (Writer::Ngram, Some(neural)) => {
                format!("an n-gram model ({ngram_bits:.2} bits a character; the neural one {neural:.2})")
            }
            (Writer::Neural, Some(neural)) => {
                format!("a neural model ({neural:.2} bits a character; the n-gram one {ngram_bits:.2})")
            }
            (Writer::Neural, None) => "a neural model".to_owned(),
        }
    }

    /// The groups of rows.
    pub(super) fn labels(&self, rows: &Rows) -> Vec<String> {
        self.groups.labels(rows)
    }

    /// Characters of a new text, at most.
    pub(super) fn longest(&self) -> usize {
        self.lengths.1
    }

    /// Whether a plan that was read from a file is of a column that is drawn, and within bounds.
    pub(super) fn suits(&self, schema: &Schema, plans: &[TablePlan]) -> bool {
        let is_own = |plan: &TablePlan| {
            plan.name == self.table && plan.part == Part::Learned && plan.own.contains(&self.column)
        };
        let is_there = schema.table(&self.table).is_some_and(|table| table.column(&self.column).is_some());
        is_there
            && plans.iter().any(is_own)
            && self.groups.is_whole()
            && self.lengths.1 <= MAX_LENGTH
            && (0.0..=1.0).contains(&self.missing)
    }

    /// What its share of the time of training is measured by: the root of its tokens.
    pub(super) fn weight(&self) -> f64 {
        ((self.characters / TOKEN_CHARACTERS) as f64).sqrt()
    }

    /// The recipe of a neural model of it, for as long as `recipe` says.
    pub(super) fn recipe(&self, recipe: &Recipe) -> Recipe {
        let vocab = VOCABS.iter().find(|(least, _)| self.characters >= *least).map(|(_, vocab)| *vocab);
        let size = if self.characters < TINY_BELOW { Size::Tiny } else { Size::Small };
        let data = SourceSpec {
            kind: Some(DataKind::Text),
            column: Some(self.column.clone()),
            unit: Some(TextUnit::Bpe),
            vocab,
            label: None,
            holdout: None,
            limit: None,
            kinds: BTreeMap::new(),
            rules: RuleChoice::default(),
            ..read::of_table(&recipe.data, &self.table, &[])
        };
        let mut model = ModelSpec { family: Some(Family::Ar), size, ..ModelSpec::default() };
        // Those of a source's texts would hold what one text alone has, as names are.
        model.options.insert("counts".to_owned(), false.into());
        if self.characters < SMALL_STEPS_BELOW {
            model.options.insert("batch".to_owned(), SMALL_BATCH.into());
        }
        Recipe { data, model, train: recipe.train.clone() }
    }

    /// The texts of the source that are learned.
    ///
    /// # Errors
    /// The column is not there.
    pub(super) fn learned(&self, data: &DatabaseData) -> Result<LearnedTexts, Error> {
        let plan = data.plans.iter().find(|plan| plan.name == self.table);
        let plan = plan.ok_or_else(|| Error::request(format!("`{}` is not planned", self.table)))?;
        let rows = view::learned(plan, &data.schema, &data.source)?;
        let column = column_of(&rows, &self.column)?;
        let mut seen = HashSet::new();
        let mut texts = Column::new(self.column.clone(), Declaration::default());
        for (row, &number) in column.numbers().iter().enumerate() {
            let is_new = number != MISSING && seen.insert(number);
            texts.push(column.cell(row).filter(|text| is_new && !tells_whom(text)));
        }
        let groups = known_groups(self.labels(&rows), &texts);
        Ok(LearnedTexts { table: self.table.clone(), texts, groups })
    }

    /// The rows that get a text: those that were drawn with one, or where the row's model could make none as many as in the
    /// source.
    pub(super) fn asked(&self, own: &Column, rng: &mut Rng) -> Vec<usize> {
        let has_text = |row: usize| own.cell(row).is_some_and(|text| !text.trim().is_empty());
        let all = 0..own.len();
        match all.clone().any(has_text) {
            true => all.filter(|&row| has_text(row)).collect(),
            false => all.filter(|_| f64::from(rng.uniform()) >= self.missing).collect(),
        }
    }

    /// A text as it can stand in a row; nothing where it is one of the source, leads to somebody or is none.
    pub(super) fn accepted(&self, text: &str) -> Option<String> {
        let uncut = text.trim();
        let text = whole(text, self.lengths.1).trim();
        let is_plain =
            |c: char| c != char::REPLACEMENT_CHARACTER && (!c.is_control() || "\n\r\t".contains(c));
        // A part of a list that is shorter than all texts is none of them.
        let mut parts = listed(text).filter(|part| part.chars().count() >= self.lengths.0);
        let is_known = self.known.may_hold(uncut)
            || self.known.may_hold(text)
            || parts.any(|part| self.known.may_hold(part));
        let is_text = text.chars().any(char::is_alphanumeric) && text.chars().all(is_plain);
        (is_text && !is_known && !tells_whom(text)).then(|| text.to_owned())
    }
}

impl LearnedTexts {
    /// As a neural model learns them.
    ///
    /// # Errors
    /// There is too little to learn from.
    pub fn set(self, spec: &SourceSpec) -> Result<SequenceSet, Error> {
        let groups = Column::of("group", self.groups.iter().map(|group| Some(group.as_str())));
        let source = TextSource::of_column(&self.table, self.texts, Some(&groups))?;
        Ok(SequenceSet::of_texts(source, spec)?)
    }

    /// As an n-gram model learns them.
    pub fn labelled(&self) -> Vec<Labelled> {
        let cells = self.texts.iter().zip(&self.groups).filter_map(|(text, group)| Some((text?, group)));
        let cells = cells.filter(|(text, _)| !text.trim().is_empty());
        cells.map(|(text, group)| Labelled { text: text.to_owned(), group: group.clone() }).collect()
    }
}

/// Groups with too few texts to learn anything of are none.
fn known_groups(mut labels: Vec<String>, texts: &Column) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (label, _) in labels.iter().zip(texts.iter()).filter(|(_, text)| text.is_some()) {
        *counts.entry(label.clone()).or_default() += 1;
    }
    for label in &mut labels {
        if counts.get(label.as_str()).is_none_or(|&n| n < MIN_GROUP) {
            label.clear();
        }
    }
    labels
}

/// A text that was cut at its most characters, up to the end of a sentence or at least of a word.
fn whole(text: &str, most: usize) -> &str {
    if text.chars().count() < most {
        return text;
    }
    let is_end = |c: char| matches!(c, '.' | '!' | '?' | '…' | '。' | '\n');
    let sentence = text.char_indices().rfind(|(_, c)| is_end(*c)).map(|(at, c)| at + c.len_utf8());
    let word = || text.rfind(char::is_whitespace);
    let end = sentence.filter(|end| *end * 2 > text.len()).or_else(word).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn column(cell: impl Fn(usize) -> String) -> Column {
        let cells: Vec<String> = (0..400).map(cell).collect();
        Column::of("text", cells.iter().map(|cell| Some(cell.as_str())))
    }

    #[test]
    fn tells_free_texts_from_others() {
        assert!(is_free(&column(|i| format!("The {i}th cup of this tea was as good as the one before"))));
        let others: [fn(usize) -> String; 6] = [
            // Labels, too few, codes, what a program reads, and what leads to somebody.
            |i| format!("Jasmine-and-green-tea-of-spring {i} tins"),
            |i| format!("The {}th cup of this tea was as good as the one before", i % 90),
            |i| format!("tea-{i}-{}", "x".repeat(40)),
            |i| format!("{{\"cup\": {i}, \"of\": \"this tea was as good as the one before\"}}"),
            |i| format!("Write to anna{i}@mail.example about the tea, please do"),
            |i| format!("The tea is fine, call me back at 030 1234{:03} any day", i),
        ];
        for other in others {
            let column = column(other);
            assert!(!is_free(&column), "{:?}", column.cell(1));
        }
    }

    #[test]
    fn accepts_no_text_of_the_source() {
        let source = column(|i| format!("The {i}th cup of this tea was as good as the one before"));
        let plan = TextPlan::of("reviews", &source, Groups::default());
        assert!(source.iter().flatten().all(|text| plan.accepted(text).is_none()));
        assert!(source.iter().flatten().all(|text| plan.accepted(&text.to_uppercase()).is_none()));
        let new: Vec<String> =
            (0..100).filter_map(|i| plan.accepted(&format!(" Tea {i} came late "))).collect();
        assert!(new.len() > 70 && new[0].starts_with("Tea "), "{new:?}");
        for none in ["", " \n", "?!", "tea \u{fffd}", "tea \u{0}", "write to a@b.example now"] {
            assert_eq!(plan.accepted(none), None, "{none}");
        }
    }

    #[test]
    fn texts_that_were_cut_end_where_a_sentence_does() {
        assert_eq!(whole("Good. Tea", 99), "Good. Tea");
        assert_eq!(whole("Very good tea. And the cu", 25), "Very good tea.");
        assert_eq!(whole("No. And then there was the cu", 29), "No. And then there was the");
        assert_eq!(whole("чай", 3), "чай");
    }

    #[test]
    fn rows_without_a_text_stay_so() {
        let cells =
            |i: usize| (!i.is_multiple_of(4)).then(|| format!("The {i}th cup of this tea was as good"));
        let all: Vec<Option<String>> = (0..400).map(cells).collect();
        let source = Column::of("text", all.iter().map(Option::as_deref));
        let plan = TextPlan::of("reviews", &source, Groups::default());
        let mut rng = Rng::new(1, 0);
        let asked = plan.asked(&source, &mut rng);
        assert!(asked.len() == 300 && asked.iter().all(|row| row % 4 > 0));
        // Where none could be made, as many as in the source.
        let n = plan.asked(&Column::of("text", (0..400).map(|_| None)), &mut rng).len();
        assert!((250..350).contains(&n), "{n}");
    }

    #[test]
    fn small_groups_are_none() {
        let texts = Column::of("text", (0..30).map(|i| (i != 3).then_some("a text")));
        let labels: Vec<String> = (0..30).map(|i| if i < 10 { "1" } else { "2" }.to_owned()).collect();
        let known = known_groups(labels, &texts);
        assert!(known[..10].iter().all(String::is_empty) && known[10..].iter().all(|label| label == "2"));
    }
}
