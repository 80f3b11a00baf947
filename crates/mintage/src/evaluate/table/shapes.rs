//! Column shapes and pair trends, as SDMetrics 0.24 defines them: 1 is the same, 0 altogether different.
//!
//! | of | score |
//! |---|---|
//! | a column of numbers | 1 − D, the Kolmogorov–Smirnov statistic |
//! | a column of categories | 1 − ½ Σ \|p − q\|, the total variation |
//! | two columns of numbers | 1 − ½ \|ρ − ρ'\|, Pearson's correlations |
//! | any other two | 1 − ½ Σ \|p − q\| over the cells of their contingency table |
//!
//! In a contingency table numbers stand in ten bins of equal width. SDMetrics takes the bins of each
//! table from that table's own range, counts a missing number with the largest one, and a missing
//! category as one more category; scores that published ones are to be compared with must do so too.
//!
//! For people to look at there is the association of every pair in either table: Pearson's correlation or Cramér's V. These
//! two can be held against each other, since numbers of both tables stand in the bins of the real one, and in one
//! more where they are missing.

use rayon::prelude::*;

use super::frame::{Frame, Values};

/// Bins of a number in a contingency table.
const BINS: usize = 10;
/// Cells of a contingency table that are counted in an array; larger tables are sorted.
const MAX_DENSE_CELLS: usize = 1 << 16;
/// Stands for a missing number until it gets a bin of its own.
const MISSING_BIN: u32 = u32::MAX;

/// The quality of SDMetrics: how alike two tables are by columns and by pairs of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// Score of each column, from 0 to 1, 1 is the same; NaN where it cannot be taken.
    pub shapes: Vec<f64>,
    /// Score of each pair of columns.
    pub trends: Vec<Trend>,
}

/// The trend score of a pair of columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Places of the two columns in the frame.
    pub columns: (usize, usize),
    /// Score from 0 to 1, 1 is the same; NaN where it cannot be taken, such as the correlation with a
    /// constant.
    pub score: f64,
}

/// How strongly a pair of columns goes together in the real and in the new table.
///
/// From −1 to 1 for two numbers, else from 0 to 1. NaN where it cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Association {
    /// Places of the two columns in the frame.
    pub columns: (usize, usize),
    /// Association in the real table.
    pub real: f64,
    /// Association in the new table.
    pub new: f64,
}

impl Association {
    /// The associations of all pairs of columns.
    pub fn of_all(real: &Frame, new: &Frame) -> Vec<Self> {
        let columns = real.columns.iter().zip(&new.columns);
        let codes: Vec<[Codes; 2]> = columns
            .map(|(real, new)| {
                let edges = Edges::of(&real.values);
                [&real.values, &new.values].map(|values| Codes::between(values, &edges))
            })
            .collect();
        let one = |&columns: &(usize, usize)| {
            let (a, b) = columns;
            let [real, new] =
                [(real, 0), (new, 1)].map(|(frame, side)| match (values(frame, a), values(frame, b)) {
                    (Values::Numbers(x), Values::Numbers(y)) => pearson(x, y),
                    _ => {
                        let sides = [&codes[a][side], &codes[b][side]];
                        Contingency::count(sides, sides.map(|codes| codes.levels)).cramer()
                    }
                });
            Self { columns, real, new }
        };
        pairs(real.columns.len()).par_iter().map(one).collect()
    }

    /// The absolute difference of the two; less is better.
    pub fn difference(&self) -> f64 {
        (self.real - self.new).abs()
    }
}

/// All pairs of `n` columns.
fn pairs(n: usize) -> Vec<(usize, usize)> {
    (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect()
}

impl Quality {
    /// Compares frames of one comparison by all columns and all pairs of columns.
    pub fn of(real: &Frame, new: &Frame) -> Self {
        let n = real.columns.len();
        let shapes = (0..n).into_par_iter().map(|c| shape(values(real, c), values(new, c))).collect();
        let (real_codes, new_codes) = (Codes::of_all(real), Codes::of_all(new));
        let trend = |&(a, b): &(usize, usize)| {
            let numbers = (values(real, a), values(real, b), values(new, a), values(new, b));
            let score = match numbers {
                (Values::Numbers(x), Values::Numbers(y), Values::Numbers(u), Values::Numbers(v)) => {
                    1.0 - (pearson(x, y) - pearson(u, v)).abs() / 2.0
                }
                _ => contingencies([&real_codes[a], &real_codes[b]], [&new_codes[a], &new_codes[b]]),
            };
            Trend { columns: (a, b), score }
        };
        Self { shapes, trends: pairs(n).par_iter().map(trend).collect() }
    }

    /// The mean of the column shapes.
    pub fn shape(&self) -> f64 {
        known_mean(self.shapes.iter().copied())
    }

    /// The mean of the pair trends.
    pub fn trend(&self) -> f64 {
        known_mean(self.trends.iter().map(|trend| trend.score))
    }

    /// The quality score of SDMetrics.
    pub fn score(&self) -> f64 {
        known_mean([self.shape(), self.trend()].into_iter())
    }

    /// The pairs that differ most, the worst first.
    pub fn worst_pairs(&self, n: usize) -> Vec<Trend> {
        let mut trends: Vec<Trend> = self.trends.iter().filter(|t| !t.score.is_nan()).copied().collect();
        trends.sort_by(|a, b| a.score.total_cmp(&b.score));
        trends.truncate(n);
        trends
    }
}

fn values(frame: &Frame, column: usize) -> &Values {
    &frame.columns[column].values
}

/// The mean of all that are known; NaN without any.
fn known_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.filter(|x| !x.is_nan()).fold((0.0, 0), |(sum, n), x| (sum + x, n + 1));
    sum / f64::from(n)
}

fn shape(real: &Values, new: &Values) -> f64 {
    match (real, new) {
        (Values::Numbers(real), Values::Numbers(new)) => kolmogorov_smirnov(real, new),
        (Values::Categories { codes: real, dictionary }, Values::Categories { codes: new, .. }) => {
            total_variation(real, new, dictionary.len())
        }
        _ => f64::NAN,
    }
}

/// One less the largest distance of the two empirical distribution functions, missing values left out.
pub(crate) fn kolmogorov_smirnov(real: &[f64], new: &[f64]) -> f64 {
    let (real, new) = (sorted(real), sorted(new));
    if real.is_empty() || new.is_empty() {
        return f64::NAN;
    }
    let (mut i, mut j, mut largest) = (0, 0, 0.0f64);
    while i < real.len() && j < new.len() {
        let value = real[i].min(new[j]);
        i += real[i..].iter().take_while(|&&x| x == value).count();
        j += new[j..].iter().take_while(|&&x| x == value).count();
        largest = largest.max((i as f64 / real.len() as f64 - j as f64 / new.len() as f64).abs());
    }
    1.0 - largest
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut known: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    known
}

/// One less the total variation of the two distributions, missing values left out.
fn total_variation(real: &[u32], new: &[u32], levels: usize) -> f64 {
    let shares = |codes: &[u32]| {
        let mut counts = vec![0.0f64; levels];
        codes.iter().for_each(|&code| {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1.0;
            }
        });
        let total: f64 = counts.iter().sum();
        counts.into_iter().map(move |count| count / total)
    };
    1.0 - 0.5 * shares(real).zip(shares(new)).map(|(p, q)| (p - q).abs()).sum::<f64>()
}

/// Pearson's correlation over the rows where both are known; NaN where one of them is constant.
pub(crate) fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let both = x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let (x, y): (Vec<f64>, Vec<f64>) = both.unzip();
    let constant = |values: &[f64]| values.iter().all(|&value| value == values[0]);
    if constant(&x) || constant(&y) {
        return f64::NAN;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(&y) {
        let (x, y) = (x - mean_x, y - mean_y);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0)
}

/// A column as one of a contingency table.
struct Codes {
    codes: Vec<u32>,
    levels: usize,
}

impl Codes {
    fn of_all(frame: &Frame) -> Vec<Self> {
        frame.columns.par_iter().map(|column| Self::of(&column.values)).collect()
    }

    /// As SDMetrics has them, numbers by bins of their own range.
    fn of(values: &Values) -> Self {
        match values {
            Values::Numbers(numbers) => {
                Self { codes: bins(numbers, &Edges::of(values), BINS as u32 + 1), levels: BINS + 2 }
            }
            categories => Self::between(categories, &Edges::default()),
        }
    }

    /// Numbers by the bins of these edges, what lies outside in the nearest one and what is missing in one of its own.
    fn between(values: &Values, edges: &Edges) -> Self {
        match values {
            Values::Numbers(numbers) => {
                let inside = |bin: u32| if bin == MISSING_BIN { 0 } else { bin.clamp(1, BINS as u32) };
                let codes = bins(numbers, edges, MISSING_BIN).into_iter().map(inside).collect();
                Self { codes, levels: BINS + 1 }
            }
            Values::Categories { codes, dictionary } => {
                let levels = dictionary.len() + 1;
                let known = |&code: &u32| code.min(levels as u32 - 1);
                Self { codes: codes.iter().map(known).collect(), levels }
            }
        }
    }
}

/// The edges of ten bins of equal width over the range of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Edges([f64; BINS + 1]);

impl Edges {
    /// Of no use to categories, which have none.
    fn of(values: &Values) -> Self {
        let Values::Numbers(numbers) = values else { return Self::default() };
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        numbers.iter().filter(|x| !x.is_nan()).for_each(|&x| (low, high) = (low.min(x), high.max(x)));
        if low > high {
            (low, high) = (0.0, 1.0);
        } else if low == high {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let step = (high - low) / BINS as f64;
        Self(std::array::from_fn(|i| if i == BINS { high } else { low + step * i as f64 }))
    }
}

/// How many edges are not above each number: the largest has one more than the last bin. `missing` for what is missing.
fn bins(numbers: &[f64], Edges(edges): &Edges, missing: u32) -> Vec<u32> {
    let bin = |x: &f64| if x.is_nan() { missing } else { edges.partition_point(|edge| edge <= x) as u32 };
    numbers.iter().map(bin).collect()
}

/// The score of the contingency tables of the real and of the new table.
fn contingencies(real: [&Codes; 2], new: [&Codes; 2]) -> f64 {
    let levels = [0, 1].map(|side: usize| real[side].levels.max(new[side].levels));
    let (a, b) = (Contingency::count(real, levels), Contingency::count(new, levels));
    1.0 - 0.5 * a.distance(&b)
}

/// The cells of a contingency table that are not empty, in order.
struct Contingency {
    cells: Vec<(u64, u32)>,
    n: f64,
    levels: [usize; 2],
}

impl Contingency {
    fn count([a, b]: [&Codes; 2], levels: [usize; 2]) -> Self {
        let width = levels[1] as u64;
        let keys = a.codes.iter().zip(&b.codes).map(|(&a, &b)| u64::from(a) * width + u64::from(b));
        let n_cells = levels[0].saturating_mul(levels[1]);
        let cells = if n_cells <= MAX_DENSE_CELLS { dense(keys, n_cells) } else { by_sorting(keys) };
        Self { cells, n: a.codes.len() as f64, levels }
    }

    /// Σ |p − q| over all cells; NaN where a table is empty.
    fn distance(&self, other: &Self) -> f64 {
        if self.n == 0.0 || other.n == 0.0 {
            return f64::NAN;
        }
        let (mut i, mut j, mut sum) = (0, 0, 0.0);
        let cell = |table: &Self, at: usize| table.cells.get(at).copied().unwrap_or((u64::MAX, 0));
        loop {
            let ((a, p), (b, q)) = (cell(self, i), cell(other, j));
            if a == u64::MAX && b == u64::MAX {
                return sum;
            }
            let p = if a <= b { f64::from(p) / self.n } else { 0.0 };
            let q = if b <= a { f64::from(q) / other.n } else { 0.0 };
            sum += (p - q).abs();
            (i, j) = (i + usize::from(a <= b), j + usize::from(b <= a));
        }
    }

    /// Cramér's V: 0 for independent columns, 1 where one is a function of the other.
    fn cramer(&self) -> f64 {
        let mut sides = [0, 1].map(|side: usize| vec![0.0f64; self.levels[side]]);
        let place = |key: u64| {
            let width = self.levels[1] as u64;
            ((key / width) as usize, (key % width) as usize)
        };
        for &(key, count) in &self.cells {
            let (a, b) = place(key);
            sides[0][a] += f64::from(count);
            sides[1][b] += f64::from(count);
        }
        let used = sides.each_ref().map(|side| side.iter().filter(|&&count| count > 0.0).count());
        let fewer = used[0].min(used[1]);
        if fewer < 2 {
            return f64::NAN;
        }
        let expected = |(key, count): &(u64, u32)| {
            let (a, b) = place(*key);
            f64::from(*count).powi(2) / (sides[0][a] * sides[1][b])
        };
        let phi = (self.cells.iter().map(expected).sum::<f64>() - 1.0).max(0.0);
        (phi / (fewer - 1) as f64).sqrt().min(1.0)
    }
}

fn dense(keys: impl Iterator<Item = u64>, n_cells: usize) -> Vec<(u64, u32)> {
    let mut counts = vec![0u32; n_cells];
    keys.for_each(|key| counts[key as usize] += 1);
    let cells = counts.into_iter().enumerate().filter(|&(_, count)| count > 0);
    cells.map(|(key, count)| (key as u64, count)).collect()
}

fn by_sorting(keys: impl Iterator<Item = u64>) -> Vec<(u64, u32)> {
    let mut keys: Vec<u64> = keys.collect();
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        super::{
            attacks::testing::table,
            frame::testing::{column, frame},
        },
        *,
    };
    use mintage_data::table::{
        MISSING,
        schema::{Kind, TableSchema},
    };
    use mintage_nn::Rng;

    #[test]
    fn shapes_by_hand() {
        let nan = f64::NAN;
        assert_eq!(kolmogorov_smirnov(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, nan, 6.0]), 0.5);
        assert_eq!(kolmogorov_smirnov(&[1.0, 1.0, 2.0], &[1.0, 2.0, 1.0]), 1.0);
        assert!(kolmogorov_smirnov(&[nan], &[1.0]).is_nan());
        assert_eq!(total_variation(&[0, 0, 1, MISSING, 1], &[0, 2, 2, 2], 3), 0.25);
        assert!(total_variation(&[MISSING], &[0], 1).is_nan());
    }

    #[test]
    fn trends_by_hand() {
        let (x, y) = ([1.0, 2.0, 3.0, f64::NAN], [2.0, 4.0, 6.0, 0.0]);
        assert!((pearson(&x, &y) - 1.0).abs() < 1e-12);
        assert!(pearson(&x, &[5.0; 4]).is_nan());
        let real = frame(&[], &[&[0, 0, 1, 1], &[0, 0, 1, 1]]);
        let new = frame(&[], &[&[0, 0, 1, 1], &[0, 1, 0, 1]]);
        let quality = Quality::of(&real, &new);
        assert_eq!((quality.shape(), quality.trend(), quality.score()), (1.0, 0.5, 0.75));
        assert_eq!(quality.worst_pairs(3)[0].columns, (0, 1));
        let pair = Association::of_all(&real, &new)[0];
        assert_eq!((pair.columns, pair.real, pair.new, pair.difference()), ((0, 1), 1.0, 0.0, 1.0));
    }

    #[test]
    fn associations_stand_in_the_bins_of_the_real_numbers() {
        let half: Vec<u32> = (0..100).map(|i| u32::from(i >= 50)).collect();
        let numbers: Vec<f64> = (0..100).map(f64::from).collect();
        let mut far = numbers.clone();
        // By its own range all but one number of the new table would stand in one bin.
        far[99] = 1e9;
        let [real, new] = [&numbers, &far].map(|numbers| frame(&[numbers], &[&half]));
        let pair = Association::of_all(&real, &new)[0];
        assert!((pair.real - 1.0).abs() < 1e-12 && pair.difference() < 1e-12, "{pair:?}");
        // What is missing is not what is largest.
        let mut gaps = numbers.clone();
        gaps[..50].fill(f64::NAN);
        let gaps = Association::of_all(&real, &frame(&[&gaps], &[&half]))[0];
        assert!((gaps.new - 1.0).abs() < 1e-12, "{gaps:?}");
        // The way two numbers go together has a sign.
        let falling: Vec<f64> = numbers.iter().map(|x| -x).collect();
        let (rising, falling) = (frame(&[&numbers, &numbers], &[]), frame(&[&numbers, &falling], &[]));
        let pair = Association::of_all(&rising, &falling)[0];
        assert!((pair.difference() - 2.0).abs() < 1e-12, "{pair:?}");
    }

    #[test]
    fn bins_are_those_of_numpy() {
        // numpy.digitize([0, 1, 4.9, 5, 10, nan], numpy.histogram_bin_edges([0, 10]))
        let codes = |numbers: &[f64]| Codes::of(&Values::Numbers(numbers.to_vec())).codes;
        assert_eq!(codes(&[0.0, 1.0, 4.9, 5.0, 10.0, f64::NAN]), [1, 2, 5, 6, 11, 11]);
        assert_eq!(codes(&[3.0, 3.0]), [6, 6]);
        assert_eq!(codes(&[f64::NAN]), [11]);
    }

    #[test]
    fn counted_or_sorted_the_cells_are_the_same() {
        let mut rng = Rng::new(1, 0);
        let keys: Vec<u64> = (0..1000).map(|_| rng.below(50) as u64).collect();
        assert_eq!(dense(keys.iter().copied(), 50), by_sorting(keys.iter().copied()));
    }

    #[test]
    fn the_same_table_is_perfect_and_empty_ones_are_unknown() {
        let one = frame(&[&[1.0, f64::NAN, 3.0], &[0.0, 2.0, 9.0]], &[&[1, MISSING, 0]]);
        let quality = Quality::of(&one, &one);
        assert_eq!((quality.shape(), quality.trend()), (1.0, 1.0));
        let empty = one.select(&[]);
        assert!(Quality::of(&one, &empty).score().is_nan());
    }

    #[test]
    fn sdmetrics_gives_the_same() {
        macro_rules! fixture {
            ($name:literal) => {
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sdmetrics/", $name))
            };
        }
        let expected: serde_json::Value = serde_json::from_str(fixture!("expected.json")).unwrap();
        let (real, new) = (table(fixture!("real.csv")), table(fixture!("new.csv")));
        let kind = |name: &str| match name {
            "student_id" => Kind::Id,
            "start_date" | "end_date" => Kind::Datetime,
            "placed" | "work_experience" => Kind::Boolean,
            "gender" | "high_spec" | "degree_type" | "mba_spec" => Kind::Category,
            _ => Kind::Number,
        };
        let columns = real.names().map(|name| column(name, kind(name), '.')).collect();
        let schema = TableSchema { columns, alerts: Vec::new() };
        let [real, new] = Frame::together([&real, &new], &schema).unwrap();
        let quality = Quality::of(&real, &new);
        let near = |found: f64, expected: &serde_json::Value, what: &str| match expected.as_f64() {
            Some(expected) => assert!((found - expected).abs() < 1e-9, "{what}: {found}, {expected}"),
            None => assert!(found.is_nan(), "{what}: {found}"),
        };
        let place = |name: &serde_json::Value| real.position(name.as_str().unwrap()).unwrap();
        for of in expected["shapes"].as_array().unwrap() {
            near(quality.shapes[place(&of[0])], &of[1], &of[0].to_string());
        }
        let trends = expected["trends"].as_array().unwrap();
        assert_eq!((trends.len(), quality.trends.len()), (120, 120));
        for of in trends {
            let pair = (place(&of[0]), place(&of[1]));
            let found = quality.trends.iter().find(|trend| trend.columns == pair).unwrap();
            near(found.score, &of[2], &format!("{} × {}", of[0], of[1]));
        }
        let means = [quality.score(), quality.shape(), quality.trend()];
        (0..3).for_each(|i| near(means[i], &expected["quality"][i], "mean"));
    }
}
