//! Even draws: of several candidates for each row the one whose values the rows chosen so far lack most.
//!
//! Rows that are drawn independently stray from their distribution by chance: two samples of 77 rows by a Kolmogorov–Smirnov
//! distance of about .14, and everything that is drawn given them inherits it. So several candidates are drawn for each row,
//! all from the model and given the same parents, and those are taken whose histograms of columns and of pairs of columns
//! are nearest to the source's, as quotas are filled in a survey (herding, Welling 2009, over a finite set). A candidate is
//! never changed; long tables, whose chance is small, have one.
//!
//! ```text
//! source ──► Targets: shares of each bin, by place among the siblings
//! model  ──► candidates, several a row ──► choose ──► one a row
//! ```

use mintage_data::Table;
use mintage_nn::Rng;
use serde::{Deserialize, Serialize};

use super::{cells::Code, filled::Filled, slice::Slice};

/// Parts of a column of numbers.
const BINS: usize = 32;
/// Parts of a column in a pair.
const MAX_PAIR_BINS: usize = 24;
/// Columns that are kept even, and those of them that are in pairs.
const MAX_COLUMNS: usize = 24;
const MAX_PAIRED_COLUMNS: usize = 14;
/// Columns of the table's own that are in pairs at each place of a sequence.
const MAX_SEQUENCE_PAIRED: usize = 7;
/// Fewer rows of the source at a place tell nothing of it; and of pairs, where the rows before tell as well.
const MIN_ROWS: u32 = 20;
const MIN_PAIRED_ROWS: u32 = 200;
/// Candidates of a row, and of all rows of a table together.
const MAX_EACH: usize = 128;
const MAX_CANDIDATES: usize = 50_000;
/// The same of long tables, where few a row are enough to be even.
const MAX_EACH_OF_LONG: usize = 8;
const MAX_CANDIDATES_OF_LONG: usize = 200_000;
/// What a histogram of a column weighs that is not the table's own: the fewer rows there are, the less can all be met.
const OTHERS_WEIGHT: f32 = 0.1;
/// More than any histogram weighs.
const BROKEN_COST: f32 = 1e6;
/// Times that every row is chosen anew among its candidates.
const SWEEPS: usize = 4;

/// What share of the rows of a source has what, by their places among their siblings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    codes: Vec<(String, Code)>,
    /// How many of them are the table's own; the others are of its parents and children.
    own: usize,
    /// By the index of a row among its siblings; 0 where it has none.
    places: Vec<Place>,
}

/// The shares at one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    rows: u32,
    histograms: Vec<Histogram>,
}

/// The rows of the source in each part of one column, or of two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Histogram {
    columns: (usize, Option<usize>),
    rows: Vec<u32>,
}

/// How many candidates to draw for each of `rows` rows.
pub(super) fn candidates(rows: usize) -> usize {
    let of_long = (MAX_CANDIDATES_OF_LONG / rows.max(1)).min(MAX_EACH_OF_LONG);
    (MAX_CANDIDATES / rows.max(1)).clamp(1, MAX_EACH).max(of_long)
}

impl Targets {
    /// Of the rows that a model learns: `names` are their columns that are to be even, the most important first, of which the
    /// first `own` are the table's own. `index` is the column of the place of a row among its siblings, where there is one.
    pub fn of(rows: &Table, names: &[String], own: usize, index: &str) -> Self {
        let columns: Vec<_> = names.iter().filter_map(|name| rows.column(name)).take(MAX_COLUMNS).collect();
        let codes: Vec<(String, Code)> =
            columns.iter().map(|column| (column.name.clone(), Code::of(column, BINS))).collect();
        let cells: Vec<Vec<u32>> =
            columns.iter().zip(&codes).map(|(column, (_, code))| code.of_column(column)).collect();
        let index: Vec<usize> = match rows.column(index) {
            Some(column) => {
                column.iter().map(|cell| cell.and_then(|cell| cell.parse().ok()).unwrap_or(0)).collect()
            }
            None => vec![0; rows.rows()],
        };
        let mut places = vec![Place::default(); index.iter().max().map_or(0, |most| most + 1)];
        let own =
            columns.iter().filter(|column| names[..own.min(names.len())].contains(&column.name)).count();
        for &at in &index {
            places[at].rows += 1;
        }
        // At each place of a sequence the rows before say most: pairs are those of the table's own columns.
        let is_sequence = places.len() > 1;
        for place in &mut places {
            let paired = match is_sequence {
                false => codes.len().min(MAX_PAIRED_COLUMNS),
                true if place.rows < MIN_PAIRED_ROWS => 0,
                true => own.min(MAX_SEQUENCE_PAIRED),
            };
            let one = |at: usize| Histogram::new((at, None), &codes);
            let pairs = (0..paired).flat_map(|a| (a + 1..paired).map(move |b| (a, Some(b))));
            place.histograms = (0..codes.len()).map(one).collect();
            place.histograms.extend(pairs.map(|pair| Histogram::new(pair, &codes)));
        }
        for (row, &at) in index.iter().enumerate() {
            for histogram in &mut places[at].histograms {
                let part = histogram.part(&codes, |column| cells[column][row]);
                histogram.rows[part] += 1;
            }
        }
        for place in places.iter_mut().filter(|place| place.rows < MIN_ROWS) {
            place.histograms.clear();
        }
        Self { codes, own, places }
    }

    /// Whether there is anything to keep even at a place.
    pub fn has(&self, place: usize) -> bool {
        self.places.get(place).is_some_and(|place| !place.histograms.is_empty())
    }

    /// Whether every number in it has its place, as after reading it from a file.
    pub fn is_whole(&self) -> bool {
        let of_columns = |histogram: &Histogram| {
            let (a, b) = histogram.columns;
            let known = a < self.codes.len() && b.is_none_or(|b| b < self.codes.len());
            known && histogram.rows.len() == Histogram::parts(histogram.columns, &self.codes)
        };
        self.codes.iter().all(|(_, code)| code.is_whole())
            && self.places.iter().flat_map(|place| &place.histograms).all(of_columns)
    }

    /// Of `each` candidates for each row, which lie in `drawn` one round of all rows after the other, the rows of `drawn`
    /// that are taken. Of those that break something, as `broken` counts, none is where there is another.
    pub fn choose(
        &self,
        place: usize,
        drawn: &Table,
        broken: &[u32],
        each: usize,
        rng: &mut Rng,
    ) -> Vec<u32> {
        let n = drawn.rows() / each.max(1);
        let Some(place) = self.places.get(place) else { return (0..n as u32).collect() };
        let cells: Vec<Vec<u32>> = self
            .codes
            .iter()
            .map(|(name, code)| match drawn.column(name) {
                Some(column) => code.of_column(column),
                None => Vec::new(),
            })
            .collect();
        let is_there = |column: usize| cells[column].len() == drawn.rows();
        let mut counted: Vec<Counted> = place
            .histograms
            .iter()
            .filter(|histogram| is_there(histogram.columns.0) && histogram.columns.1.is_none_or(is_there))
            .map(|histogram| Counted::new(histogram, &self.codes, &cells, n, place.rows))
            .collect();
        let mut taken: Vec<u32> = (0..n as u32).collect();
        for (row, &at) in taken.iter().enumerate() {
            debug_assert_eq!(row as u32, at);
            counted.iter_mut().for_each(|counted| counted.add(at as usize, 1.0));
        }
        let weights = self.weights(&counted);
        for _ in 0..SWEEPS {
            for slot in rng.permutation(n) {
                let now = taken[slot] as usize;
                counted.iter_mut().for_each(|counted| counted.add(now, -1.0));
                let cost = |at: usize| -> f32 {
                    let parts = counted.iter().zip(&weights);
                    let uneven: f32 = parts.map(|(counted, weight)| weight * counted.cost(at)).sum();
                    uneven + broken.get(at).map_or(0.0, |&n| n as f32 * BROKEN_COST)
                };
                let all = (0..each).map(|round| round * n + slot).map(|at| (cost(at), at));
                let best = all.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(now, |(_, at)| at);
                counted.iter_mut().for_each(|counted| counted.add(best, 1.0));
                taken[slot] = best as u32;
            }
        }
        taken
    }
}

impl Targets {
    /// What each histogram weighs: pairs together as much as single columns.
    fn weights(&self, counted: &[Counted]) -> Vec<f32> {
        let of_column = |column: usize| if column < self.own { 1.0 } else { OTHERS_WEIGHT };
        let weight = |counted: &Counted| {
            let (a, b) = counted.columns;
            of_column(a) * b.map_or(1.0, of_column)
        };
        let total = |is_pair: bool| -> f32 {
            counted.iter().filter(|counted| counted.columns.1.is_some() == is_pair).map(weight).sum()
        };
        let share = total(false) / total(true).max(f32::MIN_POSITIVE);
        let scaled = |counted: &Counted| if counted.columns.1.is_some() { share } else { 1.0 };
        counted.iter().map(|counted| weight(counted) * scaled(counted)).collect()
    }
}

impl Histogram {
    fn new(columns: (usize, Option<usize>), codes: &[(String, Code)]) -> Self {
        Self { columns, rows: vec![0; Self::parts(columns, codes)] }
    }

    fn parts((a, b): (usize, Option<usize>), codes: &[(String, Code)]) -> usize {
        match b {
            None => codes[a].1.parts(),
            Some(b) => codes[a].1.parts().min(MAX_PAIR_BINS) * codes[b].1.parts().min(MAX_PAIR_BINS),
        }
    }

    /// The part that a row belongs to, whose cells are numbered by `cell`.
    fn part(&self, codes: &[(String, Code)], cell: impl Fn(usize) -> u32) -> usize {
        let (a, b) = self.columns;
        match b {
            None => cell(a) as usize,
            Some(b) => {
                let width = codes[b].1.parts().min(MAX_PAIR_BINS);
                let coarse = |column: usize| codes[column].1.coarse(cell(column), MAX_PAIR_BINS);
                coarse(a) * width + coarse(b)
            }
        }
    }
}

/// A histogram of the rows that are taken.
struct Counted {
    /// The part of each candidate.
    parts: Vec<u32>,
    /// What is still to come of each part: below 0 where there is too much of it.
    missing: Vec<f32>,
    /// What a row more or less weighs: rare parts may stray by more of themselves.
    scale: Vec<f32>,
    columns: (usize, Option<usize>),
}

impl Counted {
    fn new(histogram: &Histogram, codes: &[(String, Code)], cells: &[Vec<u32>], n: usize, rows: u32) -> Self {
        let wanted = |count: &u32| *count as f32 * n as f32 / rows.max(1) as f32;
        let missing: Vec<f32> = histogram.rows.iter().map(wanted).collect();
        let candidates = cells[histogram.columns.0].len();
        let part = |row: usize| histogram.part(codes, |column| cells[column][row]) as u32;
        Self {
            parts: (0..candidates).map(part).collect(),
            scale: missing.iter().map(|wanted| 1.0 / (wanted + 1.0)).collect(),
            missing,
            columns: histogram.columns,
        }
    }

    fn add(&mut self, candidate: usize, rows: f32) {
        self.missing[self.parts[candidate] as usize] -= rows;
    }

    /// By how much the sum of the squared distances over what is wanted grows with a candidate (χ²).
    fn cost(&self, candidate: usize) -> f32 {
        let part = self.parts[candidate] as usize;
        (1.0 - 2.0 * self.missing[part]) * self.scale[part]
    }
}

/// Counts in the order of those drawn, of which as many have each value as in the source: `seen` has values, the smallest
/// first, with the rows of the source that have them.
pub(super) fn as_counted(drawn: &[u32], seen: &[(u32, u32)], slice: Slice, rng: &mut Rng) -> Vec<u32> {
    let total: u64 = seen.iter().map(|(_, rows)| u64::from(*rows)).sum();
    if total == 0 {
        return drawn.to_vec();
    }
    let mut order = rng.permutation(drawn.len());
    order.sort_by_key(|&row| drawn[row]);
    let mut counts = vec![0; drawn.len()];
    let (mut at, mut below) = (0, u64::from(seen[0].1));
    for (rank, row) in order.into_iter().enumerate() {
        let place = slice.quantile(rank, drawn.len(), total);
        while place >= below && at + 1 < seen.len() {
            at += 1;
            below += u64::from(seen[at].1);
        }
        counts[row] = seen[at].0;
    }
    counts
}

/// The values of a column of counts with the rows that have each, the smallest first.
pub(super) fn seen(counts: &[u32]) -> Vec<(u32, u32)> {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
}

/// The numbers in a column of counts.
pub(super) fn counts_in(filled: &Filled, name: &str) -> Option<Vec<u32>> {
    let column = filled.table.column(name)?;
    Some(column.iter().map(|cell| cell.and_then(|cell| cell.parse().ok()).unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    use mintage_data::Column;

    use super::*;

    fn table(columns: &[(&str, Vec<String>)]) -> Table {
        let column = |(name, cells): &(&str, Vec<String>)| {
            Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
        };
        Table { columns: columns.iter().map(column).collect(), ..Table::default() }
    }

    #[test]
    fn chosen_rows_are_as_the_source() {
        let mut rng = Rng::new(1, 0);
        let mut rows = |n: usize| {
            let a: Vec<f32> = rng.normals(n);
            let b: Vec<usize> = a.iter().map(|a| usize::from(*a > 0.0) + rng.below(2)).collect();
            let texts = |x: &f32| x.to_string();
            table(&[("a", a.iter().map(texts).collect()), ("b", b.iter().map(usize::to_string).collect())])
        };
        let (source, drawn) = (rows(80), rows(8 * 80));
        let targets = Targets::of(&source, &["a".to_owned(), "b".to_owned()], 2, "#index");
        assert!(targets.has(0) && targets.is_whole());
        let taken = targets.choose(0, &drawn, &[], 8, &mut Rng::new(2, 0));
        assert_eq!(taken.len(), 80);
        assert!(taken.iter().enumerate().all(|(row, &at)| at as usize % 80 == row), "{taken:?}");
        let share = |table: &Table, value: &str| {
            let column = table.column("b").unwrap_or(&table.columns[0]);
            column.iter().filter(|cell| *cell == Some(value)).count()
        };
        let chosen = drawn.select(&taken);
        for value in ["0", "1", "2"] {
            assert!(share(&source, value).abs_diff(share(&chosen, value)) <= 2, "{value}");
        }
    }

    #[test]
    fn long_tables_have_few_candidates() {
        assert_eq!(
            [77, 600, 5_000, 10_000, 28_000, 150_000, 1_000_000].map(candidates),
            [128, 83, 10, 8, 7, 1, 1]
        );
        assert_eq!(candidates(0), 128);
    }

    #[test]
    fn counts_are_those_of_the_source_in_the_order_drawn() {
        let seen = seen(&[0, 0, 1, 5]);
        assert_eq!(seen, [(0, 2), (1, 1), (5, 1)]);
        assert_eq!(as_counted(&[7, 3, 9, 1], &seen, Slice::WHOLE, &mut Rng::new(1, 0)), [1, 0, 5, 0]);
        let twice = as_counted(&[1, 2, 3, 4, 5, 6, 7, 8], &seen, Slice::WHOLE, &mut Rng::new(1, 0));
        assert_eq!(twice, [0, 0, 0, 0, 1, 1, 5, 5]);
        assert_eq!(as_counted(&[4], &[], Slice::WHOLE, &mut Rng::new(1, 0)), [4]);
    }
}
