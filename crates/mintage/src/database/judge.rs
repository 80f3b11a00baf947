//! How well a new database conforms to its source: scores from 0 to 1, 1 is the best.
//!
//! Those of SDMetrics, averaged as in GRDM (Ketata et al. 2025): how many children parents have (1 − Kolmogorov and
//! Smirnov's distance), the distribution of each column (the same, of categories 1 − total variation), that of pairs of
//! columns of a table (of two numbers 1 − half the difference of Pearson's correlations, else 1 − total variation of the
//! joint histogram, numbers in ten bins of equal width), and that of a column with one of a parent, a grandparent and so
//! on, over each way along the keys ("hops"). Beside them stands what the source's own rows reach with their keys at
//! random: whatever is not above that has learned nothing of how tables belong together; and what one half of the source's
//! families reaches beside the other: of that much two databases differ by chance alone.

use std::collections::HashMap;

use mintage_data::{Table, database::Schema, table::schema::Kind};
use mintage_nn::Rng;
use serde::Serialize;

use super::{
    DatabaseData,
    assign::shuffle,
    cells::number,
    detect::{Detected, Judged, Scale, detected},
    filled::{Database, Filled, NONE, tied},
    halves::halves,
    measures::{Means, Score, correlation, ks, mean, mean_of, mean_of_values, total_variation},
    pairs::{PairDetected, pairs},
    plan::{Kinds, TablePlan},
    sequences::{SequenceScores, sequences},
};
use crate::evaluate::Interval;

/// Bins of a number in a joint histogram.
const BINS: usize = 10;
/// Columns of a table that are judged in pairs.
const MAX_COLUMNS: usize = 40;
/// Values of a category that are told apart; of more it is no category.
const MAX_CATEGORIES: usize = 1000;
/// The longest way along keys.
const MAX_HOPS: usize = 3;
/// Rows of a table that are judged beside those of its parents: of more, as many that lie evenly among them.
const MAX_WALK_ROWS: usize = 100_000;
/// Bars of a histogram of numbers of children.
const MAX_BARS: u32 = 12;

/// How well a new database conforms.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DatabaseScores {
    /// Numbers of children, a key each: `child.key`.
    pub cardinality: Vec<Score>,
    /// Columns.
    pub shapes: Vec<Score>,
    /// Pairs of columns of a table.
    pub trends: Vec<Score>,
    /// Pairs of a column and one of a parent, by how many keys lie between them: from 1.
    pub hops: Vec<Vec<Score>>,
    /// How well a classifier tells the rows of each table, with what can be told of the rows that refer to them.
    pub detection: Vec<Detected>,
    /// How well a classifier tells rows joined with the row that they refer to, by key; of new rows only.
    pub pairs: Vec<PairDetected>,
    /// How well rows of a parent follow one another, by table.
    pub sequences: Vec<SequenceScores>,
    /// The scores of columns and their pairs by table.
    pub tables: Vec<TableScores>,
    /// Those of keys and pairs over them by key.
    pub keys: Vec<KeyScores>,
    /// The means of all scores of a kind.
    pub means: Means,
}

/// The scores of a table, each a mean with its interval over what it is the mean of, as in [`Means`]; nothing where nothing of
/// it can be judged.
#[derive(Clone, Debug, Serialize)]
pub struct TableScores {
    /// The table.
    pub table: String,
    /// Of its columns.
    pub shapes: Option<Interval>,
    /// Of pairs of its columns.
    pub trends: Option<Interval>,
}

/// The scores of a key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyScores {
    /// `child.key`.
    pub of: String,
    /// The table that has the key.
    pub table: String,
    /// The key's place among the keys of that table.
    pub key: usize,
    /// The table that it refers to.
    pub parent: String,
    /// Of the numbers of children.
    pub cardinality: f64,
    /// Of pairs of a column of the table and one of the parent, their mean with its interval over the pairs; nothing of a key
    /// of a table to itself.
    pub pairs: Option<Interval>,
    /// How many parents have how many children.
    pub children: Vec<ChildShare>,
}

/// How many parents have a number of children, in the source and in the new database.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChildShare {
    /// The smallest number of children that counts.
    pub from: u32,
    /// The largest.
    pub to: u32,
    /// Share of the parents of the source, from 0 to 1.
    pub source: f64,
    /// Share of the new parents.
    pub new: f64,
}

impl DatabaseScores {
    /// The mean accuracy of the classifiers of all tables.
    pub fn accuracy(&self) -> Option<f64> {
        let total: f64 = self.detection.iter().map(|table| table.accuracy).sum();
        (!self.detection.is_empty()).then(|| total / self.detection.len() as f64)
    }

    /// The mean of some scores; nothing where there are none.
    pub fn mean(scores: &[Score]) -> Option<f64> {
        mean(scores)
    }
}

/// Judges new rows by the rows of their source.
pub fn judge(data: &DatabaseData, made: Vec<Table>, seed: u64) -> DatabaseScores {
    let tables = made.into_iter().map(|table| (table.name.clone(), table)).collect();
    let made = tied(&data.schema, tables);
    let judge = Judge::of(data);
    let pairs = pairs((&data.schema, data.plans.as_slice()), &judge.columns, [&data.source, &made], seed);
    DatabaseScores { pairs, ..judge.scores(&made, seed) }
}

/// What the rows of the source reach with their keys at random, each parent with as many children as before.
pub fn judge_random_keys(data: &DatabaseData, seed: u64) -> DatabaseScores {
    let mut source = data.source.clone();
    let mut rng = Rng::new(seed, 0);
    let mut names: Vec<&String> = data.source.keys().collect();
    names.sort();
    for name in names {
        let Some(filled) = source.get_mut(name) else { continue };
        filled.parents.iter_mut().for_each(|parents| shuffle(parents, &mut rng));
    }
    Judge::of(data).scores(&source, seed)
}

/// What one half of the families of the source reaches when it is judged by the other; nothing where there are too few rows
/// to be parted. Of a large source the halves are of some of its families.
pub fn judge_halves(data: &DatabaseData, seed: u64) -> Option<DatabaseScores> {
    let [half, other] = halves(&data.schema, &data.source, &data.plans, seed)?;
    let judge = Judge { source: &half, ..Judge::of(data) };
    Some(judge.scores(&other, seed))
}

struct Judge<'a> {
    schema: &'a Schema,
    plans: &'a [TablePlan],
    kinds: &'a Kinds,
    source: &'a Database,
    /// The columns of each table that are judged.
    columns: Judged<'a>,
}

impl<'a> Judge<'a> {
    fn of(data: &'a DatabaseData) -> Self {
        let mut columns = HashMap::new();
        for table in &data.schema.tables {
            if data.source.get(&table.name).is_none_or(|filled| filled.rows() < 2) {
                continue;
            }
            let is_key = |name: &String| table.primary_key.contains(name) || table.is_foreign(name);
            // What points at persons is made afresh, and has no likeness to be judged; nor has a copy of it.
            let found = data.kinds.get(&table.name).into_iter().flat_map(|found| &found.columns);
            let found = found
                .filter(|column| !is_key(&column.name) && !data.is_copy_of_fresh(&table.name, &column.name));
            let judged = found.filter_map(|column| {
                let scale = match column.kind {
                    Kind::Integer | Kind::Number | Kind::Datetime => Scale::Number,
                    Kind::Boolean => Scale::Category,
                    Kind::Category if column.distinct <= MAX_CATEGORIES => Scale::Category,
                    Kind::Category | Kind::Id | Kind::Text | Kind::Constant => return None,
                };
                Some((column.name.clone(), scale))
            });
            columns.insert(table.name.as_str(), judged.take(MAX_COLUMNS).collect());
        }
        let (schema, plans, kinds) = (&data.schema, data.plans.as_slice(), &data.kinds);
        Self { schema, plans, kinds, source: &data.source, columns }
    }

    fn scores(&self, made: &Database, seed: u64) -> DatabaseScores {
        let detection = detected(self.schema, &self.columns, self.source, made, seed);
        let sequences = sequences((self.plans, self.kinds), &self.columns, [self.source, made]);
        let hops = vec![Vec::new(); MAX_HOPS];
        let mut scores = DatabaseScores { hops, detection, sequences, ..DatabaseScores::default() };
        for table in &self.schema.tables {
            let (Some(real), Some(new)) = (self.source.get(&table.name), made.get(&table.name)) else {
                continue;
            };
            let keys = table.foreign_keys.iter().enumerate();
            // A half of the source may be without a small table.
            for (at, key) in keys.filter(|(_, key)| self.source.contains_key(&key.parent)) {
                let counts = |own: &Filled, database: &Database| {
                    let Some(parent) = database.get(&key.parent) else { return Vec::new() };
                    let counts = own.children(at, parent).into_iter().take(parent.learned());
                    counts.map(f64::from).collect::<Vec<_>>()
                };
                let (source, new) = (counts(real, self.source), counts(new, made));
                let (of, score) = (format!("{}.{}", table.name, key.label()), ks(&source, &new));
                scores.cardinality.push(Score { of: of.clone(), score });
                scores.keys.push(KeyScores {
                    of,
                    table: table.name.clone(),
                    key: at,
                    parent: key.parent.clone(),
                    cardinality: score,
                    pairs: None,
                    children: child_shares(&source, &new),
                });
            }
            let (shapes, trends) = (scores.shapes.len(), scores.trends.len());
            let own = self.cells(&table.name, real.learned(), new.learned(), |row| row, |row| row, made);
            for (at, a) in own.iter().enumerate() {
                scores.shapes.push(Score { of: a.name.clone(), score: a.shape() });
                let pairs = own[at + 1..].iter();
                scores
                    .trends
                    .extend(pairs.map(|b| Score { of: format!("{}, {}", a.name, b.name), score: a.with(b) }));
            }
            scores.tables.push(TableScores {
                table: table.name.clone(),
                shapes: mean_of(&scores.shapes[shapes..], seed),
                trends: mean_of(&scores.trends[trends..], seed),
            });
            let pairs = self.walk(&table.name, &own, made, &mut scores.hops, seed);
            let keys = scores.keys.iter_mut().filter(|key| key.table == table.name);
            keys.for_each(|key| key.pairs = pairs.get(&key.key).copied());
        }
        while scores.hops.last().is_some_and(Vec::is_empty) {
            scores.hops.pop();
        }
        let accuracies: Vec<f64> = scores.detection.iter().map(|table| table.accuracy).collect();
        scores.means = Means {
            cardinality: mean_of(&scores.cardinality, seed),
            shapes: mean_of(&scores.shapes, seed),
            trends: mean_of(&scores.trends, seed),
            hops: scores.hops.iter().map(|hop| mean_of(hop, seed)).collect(),
            detection: mean_of_values(&accuracies, seed),
        };
        scores
    }

    /// Every way up from a table; returns the mean score over each of its own keys, by the key's place.
    fn walk(
        &self,
        table: &str,
        own: &[Pair],
        made: &Database,
        hops: &mut [Vec<Score>],
        seed: u64,
    ) -> HashMap<usize, Interval> {
        let mut means = HashMap::new();
        let rows = |database: &Database| database.get(table).map_or(0, Filled::learned);
        let is_large = rows(self.source).max(rows(made)) > MAX_WALK_ROWS;
        let (real, new) = (spaced(rows(self.source)), spaced(rows(made)));
        let of_fewer = is_large.then(|| {
            let (of_real, of_new) = (|row: u32| real[row as usize], |row: u32| new[row as usize]);
            self.cells(table, real.len(), new.len(), of_real, of_new, made)
        });
        let own = of_fewer.as_deref().unwrap_or(own);
        let mut ways: Vec<(String, Vec<u32>, Vec<u32>)> = vec![(table.to_owned(), real, new)];
        for (depth, hop) in hops.iter_mut().enumerate() {
            let mut next = Vec::new();
            for (at, real, new) in &ways {
                let keys =
                    self.schema.table(at).map(|table| table.foreign_keys.as_slice()).unwrap_or_default();
                for (key, foreign) in keys.iter().enumerate().filter(|(_, key)| !key.is_of(at)) {
                    let up = |rows: &[u32], database: &Database| -> Vec<u32> {
                        let parents = database.get(at).and_then(|filled| filled.parents.get(key));
                        let parent = |&row: &u32| match (row, parents) {
                            (NONE, _) | (_, None) => NONE,
                            (row, Some(parents)) => parents[row as usize],
                        };
                        rows.iter().map(parent).collect()
                    };
                    let (real, new) = (up(real, self.source), up(new, made));
                    let theirs = self.cells(
                        &foreign.parent,
                        real.len(),
                        new.len(),
                        |row| real[row as usize],
                        |row| new[row as usize],
                        made,
                    );
                    let before = hop.len();
                    for a in own {
                        hop.extend(
                            theirs
                                .iter()
                                .map(|b| Score { of: format!("{}, {}", a.name, b.name), score: a.with(b) }),
                        );
                    }
                    if depth == 0
                        && let Some(mean) = mean_of(&hop[before..], seed)
                    {
                        means.insert(key, mean);
                    }
                    next.push((foreign.parent.clone(), real, new));
                }
            }
            ways = next;
        }
        means
    }

    /// The cells of all judged columns of a table, of real and of new rows.
    fn cells(
        &self,
        table: &str,
        real: usize,
        new: usize,
        of_real: impl Fn(u32) -> u32,
        of_new: impl Fn(u32) -> u32,
        made: &Database,
    ) -> Vec<Pair> {
        let (Some(columns), Some(source), Some(made)) =
            (self.columns.get(table), self.source.get(table), made.get(table))
        else {
            return Vec::new();
        };
        let pair = |(column, scale): &(String, Scale)| {
            let name = format!("{table}.{column}");
            let texts = |filled: &Filled, n: usize, row: &dyn Fn(u32) -> u32| -> Vec<Option<String>> {
                (0..n as u32).map(|at| filled.cell(column, row(at)).map(str::to_owned)).collect()
            };
            let (real, new) = (texts(source, real, &of_real), texts(made, new, &of_new));
            Pair::new(name, *scale == Scale::Number, &real, &new)
        };
        columns.iter().map(pair).collect()
    }
}

/// The values of a column in real and in new rows.
struct Pair {
    name: String,
    /// As numbers, NaN where there is none; nothing of a category.
    numbers: Option<(Vec<f64>, Vec<f64>)>,
    /// As parts of a histogram.
    codes: (Vec<u32>, Vec<u32>),
}

impl Pair {
    fn new(name: String, is_number: bool, real: &[Option<String>], new: &[Option<String>]) -> Self {
        if is_number {
            let numbers = |cells: &[Option<String>]| -> Vec<f64> {
                cells.iter().map(|cell| cell.as_deref().and_then(number).unwrap_or(f64::NAN)).collect()
            };
            let (real, new) = (numbers(real), numbers(new));
            let finite = || real.iter().copied().filter(|x| x.is_finite());
            let (low, high) =
                (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
            let bin = |x: &f64| match x.is_finite() {
                true => {
                    1 + ((x - low) / (high - low).max(f64::MIN_POSITIVE) * BINS as f64)
                        .clamp(0.0, BINS as f64 - 1.0) as u32
                }
                false => 0,
            };
            let codes = (real.iter().map(bin).collect(), new.iter().map(bin).collect());
            return Self { name, numbers: Some((real, new)), codes };
        }
        let mut known: HashMap<&str, u32> = HashMap::new();
        for text in real.iter().chain(new).flatten() {
            let next = known.len() as u32 + 1;
            known.entry(text.as_str()).or_insert(next);
        }
        let code = |cells: &[Option<String>]| -> Vec<u32> {
            cells.iter().map(|cell| cell.as_deref().map_or(0, |text| known[text])).collect()
        };
        let codes = (code(real), code(new));
        Self { name, numbers: None, codes }
    }

    fn shape(&self) -> f64 {
        match &self.numbers {
            Some((real, new)) => ks(real, new),
            None => {
                let of = |codes: &[u32]| codes.iter().map(|&code| (code, 0)).collect::<Vec<_>>();
                total_variation(&of(&self.codes.0), &of(&self.codes.1))
            }
        }
    }

    /// The score of the pair of this column and another.
    fn with(&self, other: &Self) -> f64 {
        if let (Some(a), Some(b)) = (&self.numbers, &other.numbers) {
            return match (correlation(&a.0, &b.0), correlation(&a.1, &b.1)) {
                (Some(real), Some(new)) => 1.0 - (real - new).abs() / 2.0,
                (None, None) => 1.0,
                _ => 0.5,
            };
        }
        let pairs = |a: &[u32], b: &[u32]| a.iter().copied().zip(b.iter().copied()).collect::<Vec<_>>();
        total_variation(&pairs(&self.codes.0, &other.codes.0), &pairs(&self.codes.1, &other.codes.1))
    }
}

/// The numbers of `n` rows, or of [`MAX_WALK_ROWS`] of them that lie evenly among all.
fn spaced(n: usize) -> Vec<u32> {
    let few = n.min(MAX_WALK_ROWS);
    (0..few).map(|at| (at as u64 * n as u64 / few as u64) as u32).collect()
}

/// How many parents have how many children: each number has a bar, or as many numbers as make [`MAX_BARS`] of them.
fn child_shares(source: &[f64], new: &[f64]) -> Vec<ChildShare> {
    let most = source.iter().chain(new).fold(0.0, |most: f64, &n| most.max(n)) as u32;
    let width = most / MAX_BARS + 1;
    let share = |counts: &[f64], from: u32| {
        let inside = counts.iter().filter(|&&n| n as u32 / width == from / width).count();
        inside as f64 / counts.len().max(1) as f64
    };
    let bars = (0..=most / width).map(|bar| bar * width);
    bars.map(|from| ChildShare {
        from,
        to: from + width - 1,
        source: share(source, from),
        new: share(new, from),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_judged_by_some_that_lie_evenly_among_them() {
        assert_eq!(spaced(4), [0, 1, 2, 3]);
        let rows = spaced(5 * MAX_WALK_ROWS / 2);
        assert_eq!((rows.len(), &rows[..4]), (MAX_WALK_ROWS, &[0, 2, 5, 7][..]));
        assert!(spaced(0).is_empty());
    }

    #[test]
    fn numbers_of_children_have_few_bars() {
        let bar = |from, to, source, new| ChildShare { from, to, source, new };
        let few = child_shares(&[0.0, 0.0, 2.0, 1.0], &[2.0, 2.0]);
        assert_eq!(few, [bar(0, 0, 0.5, 0.0), bar(1, 1, 0.25, 0.0), bar(2, 2, 0.25, 1.0)]);
        let many = child_shares(&[0.0, 1000.0], &[]);
        assert!(many.len() <= 13 && many[0].source == 0.5, "{many:?}");
        assert_eq!(many.iter().map(|bar| bar.source).sum::<f64>(), 1.0);
        assert_eq!(child_shares(&[], &[]), [bar(0, 0, 0.0, 0.0)]);
    }
}
