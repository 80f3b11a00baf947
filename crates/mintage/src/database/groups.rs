//! Groups of rows whose texts are alike: by the language of a review and its stars, say.
//!
//! A text is written given its row. What of the row tells most of the words in it is found by mutual information, column by
//! column, each given those before; the rows with the same values in them are a group.

use std::collections::{BTreeSet, HashMap};

use mintage_data::{Column, Table};
use serde::{Deserialize, Serialize};

/// Columns that make groups.
const MAX_COLUMNS: usize = 3;
/// Groups, those without a value counted.
const MAX_GROUPS: usize = 48;
/// Different values of a column that are taken as they are.
const MAX_VALUES: usize = 12;
/// Parts of as many rows that numbers are cut into.
const BINS: usize = 4;
/// Rows that are looked at.
const MAX_ROWS: usize = 4000;
/// Words that are looked at, the most frequent first.
const MAX_WORDS: usize = 300;
/// Rows with a word, below which it says nothing.
const MIN_WORD_ROWS: usize = 5;
/// Share of what is open of the words that a further column must tell, beside what so many groups may tell by chance.
const MIN_TOLD: f64 = 0.01;

/// What the group of a row is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Groups {
    by: Vec<By>,
}

/// One column of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct By {
    column: String,
    cut: Cut,
}

/// How the values of a column are parted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cut {
    /// Each of these values for itself.
    Values(Vec<String>),
    /// Numbers at these bounds, the smallest first.
    Bounds(Vec<f64>),
}

impl Groups {
    /// What of the columns `candidates` tells most of the words of `text`, a column of as many rows.
    pub fn find(rows: &Table, candidates: &[String], text: &Column) -> Self {
        let is_there = |row: &u32| text.cell(*row as usize).is_some_and(|text| !text.trim().is_empty());
        let all: Vec<u32> = (0..text.len() as u32).filter(is_there).collect();
        let step = all.len().div_ceil(MAX_ROWS).max(1);
        let looked: Vec<u32> = all.into_iter().step_by(step).collect();
        let words = Words::of(looked.iter().filter_map(|&row| text.cell(row as usize)));
        let cut = |name: &String| {
            let column = rows.column(name).filter(|column| column.len() == text.len())?;
            let cut = Cut::of(column)?;
            let places: Vec<usize> = looked.iter().map(|&row| cut.place(column.cell(row as usize))).collect();
            Some((By { column: name.clone(), cut }, places))
        };
        let cuts: Vec<(By, Vec<usize>)> = candidates.iter().filter_map(cut).collect();
        let (mut found, mut groups, mut told) = (Self::default(), vec![0; looked.len()], 0.0);
        while found.by.len() < MAX_COLUMNS {
            let open = cuts.iter().filter(|(by, _)| !found.by.contains(by));
            let further = open.filter_map(|(by, places)| {
                let (joint, n) = joined(&groups, places);
                let share = if n <= MAX_GROUPS { words.told(&joint, n) } else { 0.0 };
                let least = MIN_TOLD + n as f64 / looked.len() as f64;
                (share - told >= least).then_some((by, share, joint))
            });
            let best = further.max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((by, share, joint)) = best else { break };
            (groups, told) = (joint, share);
            found.by.push(by.clone());
        }
        found
    }

    /// The columns that make them.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.by.iter().map(|by| by.column.as_str())
    }

    /// Whether what was read from a file can be used.
    pub fn is_whole(&self) -> bool {
        let is_whole = |by: &By| match &by.cut {
            Cut::Values(values) => values.len() <= MAX_VALUES,
            Cut::Bounds(bounds) => bounds.len() < BINS && bounds.iter().all(|bound| bound.is_finite()),
        };
        self.by.len() <= MAX_COLUMNS && self.by.iter().all(is_whole)
    }

    /// The group of each row; empty texts where there is but one.
    pub fn labels(&self, rows: &Table) -> Vec<String> {
        let columns: Vec<(Option<&Column>, &Cut)> =
            self.by.iter().map(|by| (rows.column(&by.column), &by.cut)).collect();
        let label = |row: usize| {
            let place = |(column, cut): &(Option<&Column>, &Cut)| {
                cut.place(column.and_then(|column| column.cell(row))).to_string()
            };
            columns.iter().map(place).collect::<Vec<_>>().join(".")
        };
        (0..rows.rows()).map(label).collect()
    }
}

impl Cut {
    /// Nothing for columns of one value, and for those of many that are no numbers.
    fn of(column: &Column) -> Option<Self> {
        let counts = column.counts();
        let values: Vec<&str> =
            column.values().iter().zip(&counts).filter(|(_, n)| **n > 0).map(|(text, _)| text).collect();
        if values.len() <= MAX_VALUES {
            let mut values: Vec<String> = values.into_iter().map(str::to_owned).collect();
            values.sort_unstable();
            let varies = values.len() > 1 || !values.is_empty() && column.missing() > 0;
            return varies.then_some(Self::Values(values));
        }
        let mut numbers: Vec<f64> = column.iter().flatten().filter_map(number).collect();
        if numbers.len() + column.missing() < column.len() {
            return None;
        }
        numbers.sort_unstable_by(f64::total_cmp);
        let mut bounds: Vec<f64> =
            (1..BINS).filter_map(|at| numbers.get(at * numbers.len() / BINS).copied()).collect();
        bounds.dedup();
        Some(Self::Bounds(bounds))
    }

    /// The part that a cell is in: 0 without a value that is known.
    fn place(&self, cell: Option<&str>) -> usize {
        match (self, cell) {
            (_, None) => 0,
            (Self::Values(values), Some(text)) => {
                values.iter().position(|value| value == text).map_or(0, |at| at + 1)
            }
            (Self::Bounds(bounds), Some(text)) => {
                number(text).map_or(0, |x| bounds.partition_point(|bound| *bound <= x) + 1)
            }
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// The groups that two partings make together, numbered as they come, and how many they are.
fn joined(a: &[usize], b: &[usize]) -> (Vec<usize>, usize) {
    let mut numbers: HashMap<(usize, usize), usize> = HashMap::new();
    let mut number = |pair| {
        let next = numbers.len();
        *numbers.entry(pair).or_insert(next)
    };
    let joint: Vec<usize> = a.iter().copied().zip(b.iter().copied()).map(&mut number).collect();
    let n = numbers.len();
    (joint, n)
}

/// Which rows have which words.
struct Words {
    rows: usize,
    /// For each word its rows.
    of: Vec<Vec<u32>>,
}

impl Words {
    /// The frequent words of some texts, but for those that nearly all of them have.
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut all: HashMap<String, Vec<u32>> = HashMap::new();
        let mut rows = 0;
        for (row, text) in texts.enumerate() {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            let words: BTreeSet<String> = words.map(str::to_lowercase).collect();
            for word in words {
                all.entry(word).or_default().push(row as u32);
            }
            rows = row + 1;
        }
        let is_told = |n: usize| n >= MIN_WORD_ROWS.max(rows / 100) && n * 10 <= rows * 9;
        let mut all: Vec<(String, Vec<u32>)> =
            all.into_iter().filter(|(_, rows)| is_told(rows.len())).collect();
        // By the word where as many rows have two: the same texts give the same groups.
        all.sort_unstable_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
        all.truncate(MAX_WORDS);
        Self { rows, of: all.into_iter().map(|(_, rows)| rows).collect() }
    }

    /// The share of what is open of the words that the groups tell: their mutual information with each word, less what `n`
    /// groups at random have, out of the entropy of the words.
    fn told(&self, groups: &[usize], n: usize) -> f64 {
        let rows = self.rows.max(1) as f64;
        let mut sizes = vec![0usize; n];
        groups.iter().for_each(|&group| sizes[group] += 1);
        let by_chance = n.saturating_sub(1) as f64 / (2.0 * rows);
        let (mut told, mut open) = (0.0, 0.0);
        for of in &self.of {
            let mut counts = vec![0usize; n];
            of.iter().for_each(|&row| counts[groups[row as usize]] += 1);
            let whole = entropy(of.len() as f64 / rows);
            let rest = counts.iter().zip(&sizes).filter(|(_, size)| **size > 0);
            let rest = rest.map(|(&count, &size)| size as f64 / rows * entropy(count as f64 / size as f64));
            told += whole - rest.sum::<f64>() - by_chance;
            open += whole;
        }
        if open > 0.0 { told / open } else { 0.0 }
    }
}

/// The entropy of what happens with this probability, or does not: nats.
fn entropy(p: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(p) + term(1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two languages, in each of which the stars choose some of the words; `noise` has nothing to do with them.
    fn reviews() -> (Table, Column) {
        let n = 1200usize;
        let word = |row: usize, at: usize| {
            let mixed = (row * 31 + at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let (good, i) = (row % 5 > 2, mixed % 6);
            let all = match (row.is_multiple_of(2), good) {
                (true, true) => ["fine", "warm", "lovely", "the", "tea", "again"],
                (true, false) => ["poor", "cold", "broken", "the", "tea", "never"],
                (false, true) => ["чудо", "тепло", "славно", "этот", "чай", "снова"],
                (false, false) => ["плохо", "холод", "разбит", "этот", "чай", "никогда"],
            };
            all[i]
        };
        let cells = |cell: &dyn Fn(usize) -> String| (0..n).map(cell).collect::<Vec<_>>();
        let column =
            |name: &str, cells: &[String]| Column::of(name, cells.iter().map(|cell| Some(cell.as_str())));
        let language = cells(&|row| if row % 2 == 0 { "en" } else { "ru" }.to_owned());
        let stars = cells(&|row| (row % 5 + 1).to_string());
        let price = cells(&|row| format!("{}.5", row % 97));
        let noise = cells(&|row| format!("n{}", row / 2 % 3));
        let text = cells(&|row| (0..5).map(|at| word(row, at)).collect::<Vec<_>>().join(" "));
        let columns = vec![
            column("language", &language),
            column("stars", &stars),
            column("price", &price),
            column("noise", &noise),
        ];
        (Table { columns, ..Table::default() }, column("text", &text))
    }

    #[test]
    fn finds_what_tells_the_words() {
        let (rows, text) = reviews();
        let all: Vec<String> = rows.names().map(str::to_owned).collect();
        let groups = Groups::find(&rows, &all, &text);
        assert_eq!(groups.columns().collect::<Vec<_>>(), ["language", "stars"]);
        let labels = groups.labels(&rows);
        let different: BTreeSet<&String> = labels.iter().collect();
        assert_eq!(different.len(), 10);
        assert_eq!((labels[0].as_str(), labels[1].as_str()), ("1.1", "2.2"));
        assert!(groups.is_whole());
        // Nothing tells anything of texts that are all alike.
        assert_eq!(Groups::find(&rows, &["noise".to_owned()], &text), Groups::default());
        assert!(Groups::default().labels(&rows).iter().all(String::is_empty));
    }

    #[test]
    fn cuts_numbers_into_parts_of_as_many_rows() {
        let (rows, _) = reviews();
        let price = rows.column("price").and_then(Cut::of);
        let Some(cut @ Cut::Bounds(_)) = price else { panic!("{price:?}") };
        let places: Vec<usize> =
            ["0.5", "30.5", "60.5", "96.5", "?"].iter().map(|text| cut.place(Some(text))).collect();
        assert_eq!(places, [1, 2, 3, 4, 0]);
        assert_eq!(cut.place(None), 0);
        // Words of many kinds are no groups.
        let many: Vec<String> = (0..40).map(|i| format!("w{i}")).collect();
        assert_eq!(Cut::of(&Column::of("w", many.iter().map(|cell| Some(cell.as_str())))), None);
        let broken = Groups { by: vec![By { column: "a".to_owned(), cut: Cut::Bounds(vec![f64::NAN]) }] };
        assert!(!broken.is_whole());
    }
}
