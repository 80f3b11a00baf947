//! The nearest rows of a table, exactly.
//!
//! A row is a point of numbers and codes. Two points are apart by the differences of their numbers, or the
//! squares of these, and by 2 for every code that differs: what one-hot columns would give, without them.
//! A missing number stands at the mean (or, in the unit scale, the least) of its column and has one more
//! code that says so.
//!
//! All pairs are gone through, 64 rows at a time, in an order in which rows with the same codes lie
//! together. A block is left alone once its codes, or the range of its numbers, are too far from a query
//! to matter: most of them are.

use rayon::prelude::*;

use super::frame::{Frame, Values};

/// Rows of a block.
const LANES: usize = 64;
/// How far apart two points are by a code that differs.
const DIFFERS: f32 = 2.0;

/// How far apart two points are by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Norm {
    /// The sum of differences.
    Absolute,
    /// The sum of squared differences.
    Square,
}

/// How numbers are scaled before they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// To mean 0 and deviation 1.
    Standard,
    /// From 0 to 1.
    Unit,
}

/// What makes points of the rows of all frames of one comparison.
pub(super) struct Space {
    /// Shift, factor and whether missing values have a code, for each column of numbers. A missing value
    /// stands at the shift.
    scales: Vec<(f64, f64, bool)>,
}

impl Space {
    /// Scales are those of `real`; `others` are the frames that will be compared with it.
    pub fn of(real: &Frame, others: &[&Frame], scale: Scale) -> Self {
        let column = |(i, values): (usize, &[f64])| {
            let (shift, spread) = match scale {
                Scale::Standard => mean_and_deviation(values),
                Scale::Unit => least_and_range(values),
            };
            let gaps = |frame: &&Frame| {
                numbers(frame).nth(i).is_some_and(|values| values.iter().any(|x| x.is_nan()))
            };
            let missing = gaps(&real) || others.iter().any(gaps);
            (shift, if spread > 0.0 { 1.0 / spread } else { 1.0 }, missing)
        };
        Self { scales: numbers(real).enumerate().map(column).collect() }
    }

    /// The same, for rows that are not known yet and may miss any number: distances between others stay as they are.
    #[must_use]
    pub fn with_gaps(mut self) -> Self {
        self.scales.iter_mut().for_each(|(.., missing)| *missing = true);
        self
    }

    /// The rows of a frame of this comparison as points.
    pub fn points(&self, frame: &Frame) -> Points {
        let n = frame.rows();
        let columns: Vec<_> = numbers(frame).zip(self.scales.iter().copied()).collect();
        let gaps: Vec<&[f64]> =
            columns.iter().filter(|(_, (.., missing))| *missing).map(|&(values, _)| values).collect();
        let categories: Vec<&[u32]> = frame.columns.iter().filter_map(|c| codes(&c.values)).collect();
        let scaled = |row: usize| {
            columns.iter().map(move |(values, (shift, factor, _))| {
                let scaled = (values[row] - shift) * factor;
                if scaled.is_nan() { 0.0 } else { scaled as f32 }
            })
        };
        let coded = |row: usize| {
            let gaps = gaps.iter().map(move |values| u32::from(values[row].is_nan()));
            categories.iter().map(move |codes| codes[row]).chain(gaps)
        };
        Points {
            n,
            n_numbers: columns.len(),
            n_codes: categories.len() + gaps.len(),
            numbers: (0..n).flat_map(scaled).collect(),
            codes: (0..n).flat_map(coded).collect(),
        }
    }
}

/// The columns of numbers.
fn numbers(frame: &Frame) -> impl Iterator<Item = &[f64]> {
    frame.columns.iter().filter_map(|column| match &column.values {
        Values::Numbers(numbers) => Some(numbers.as_slice()),
        Values::Categories { .. } => None,
    })
}

fn codes(values: &Values) -> Option<&[u32]> {
    match values {
        Values::Categories { codes, .. } => Some(codes),
        Values::Numbers(_) => None,
    }
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let known = || values.iter().filter(|x| !x.is_nan());
    let n = (known().count() as f64).max(1.0);
    let mean = known().sum::<f64>() / n;
    (mean, (known().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

fn least_and_range(values: &[f64]) -> (f64, f64) {
    let known = values.iter().filter(|x| !x.is_nan());
    let (low, high) =
        known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    if low > high { (0.0, 0.0) } else { (low, high - low) }
}

/// Rows as points, one after the other.
pub(super) struct Points {
    /// Number of points.
    pub n: usize,
    /// Number of numbers of each point.
    pub n_numbers: usize,
    /// Number of codes of each point.
    pub n_codes: usize,
    numbers: Vec<f32>,
    codes: Vec<u32>,
}

impl Points {
    /// The numbers of a point, `[n_numbers]`.
    pub fn numbers(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.n_numbers..][..self.n_numbers]
    }

    /// The codes of a point, `[n_codes]`.
    pub fn codes(&self, row: usize) -> &[u32] {
        &self.codes[row * self.n_codes..][..self.n_codes]
    }

    /// The points from the first on, `n` of them at most.
    #[must_use]
    pub fn first(mut self, n: usize) -> Self {
        self.n = self.n.min(n);
        self.numbers.truncate(self.n * self.n_numbers);
        self.codes.truncate(self.n * self.n_codes);
        self
    }
}

/// What a search found for one query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// The nearest point, the first of several, and how far it is.
    pub index: usize,
    pub distance: f32,
    /// How far the second nearest is.
    pub second: f32,
    /// A distance that is given, and how many points are nearer than that, or just as near.
    pub mark: f32,
    pub nearer: usize,
    pub level: usize,
    /// A point that is left out.
    pub skip: usize,
}

impl Found {
    /// Nothing found yet, no mark, and no point left out.
    pub const NONE: Self = Self {
        index: usize::MAX,
        distance: f32::INFINITY,
        second: f32::INFINITY,
        mark: -1.0,
        nearer: 0,
        level: 0,
        skip: usize::MAX,
    };

    /// Beyond this nothing matters.
    fn bound(&self) -> f32 {
        self.second.max(self.mark)
    }

    fn add(&mut self, index: usize, distance: f32) {
        if index == self.skip {
            return;
        }
        if distance < self.distance || (distance == self.distance && index < self.index) {
            (self.second, self.distance, self.index) = (self.distance, distance, index);
        } else if distance < self.second {
            self.second = distance;
        }
        if distance < self.mark {
            self.nearer += 1;
        } else if distance == self.mark {
            self.level += 1;
        }
    }
}

/// For each query what is found among `base`; `start` gives its mark and the point to leave out.
pub(super) fn search(
    queries: &Points,
    base: &Points,
    norm: Norm,
    start: impl Fn(usize) -> Found + Sync,
) -> Vec<Found> {
    let blocks = Blocks::of(base);
    let one = |query: usize| {
        let (numbers, codes) = (queries.numbers(query), queries.codes(query));
        match norm {
            Norm::Absolute => blocks.search(numbers, codes, start(query), |x| x.abs()),
            Norm::Square => blocks.search(numbers, codes, start(query), |x| x * x),
        }
    };
    (0..queries.n).into_par_iter().map(one).collect()
}

/// All points of `base`, the nearest to the first query first, of equal ones the first; and how far each is.
pub(super) fn by_nearness(query: &Points, base: &Points) -> Vec<(usize, f32)> {
    let (numbers, codes) = (query.numbers(0), query.codes(0));
    let distance = |row: usize| {
        // In the order in which blocks are summed.
        let differ = base.codes(row).iter().zip(codes).map(|(a, b)| if a == b { 0.0 } else { DIFFERS });
        let apart = base.numbers(row).iter().zip(numbers).map(|(a, b)| (a - b).abs());
        differ.chain(apart).sum::<f32>()
    };
    let mut all: Vec<(usize, f32)> = (0..base.n).into_par_iter().map(|row| (row, distance(row))).collect();
    all.par_sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all
}

/// The nearest point of `base` for each query.
pub(super) fn nearest(queries: &Points, base: &Points, norm: Norm) -> Vec<Found> {
    search(queries, base, norm, |_| Found::NONE)
}

/// The nearest other point for each point.
pub(super) fn nearest_other(points: &Points, norm: Norm) -> Vec<Found> {
    search(points, points, norm, |query| Found { skip: query, ..Found::NONE })
}

/// Points in blocks, in the order of their codes; within a block column by column.
struct Blocks {
    n_numbers: usize,
    n_codes: usize,
    /// Which point stands where.
    order: Vec<usize>,
    numbers: Vec<[f32; LANES]>,
    codes: Vec<[u32; LANES]>,
    /// The least and the largest of each column of each block.
    number_ranges: Vec<(f32, f32)>,
    code_ranges: Vec<(u32, u32)>,
    /// The codes of the first point of each block, to find those that are like a query.
    firsts: Vec<Vec<u32>>,
}

impl Blocks {
    fn of(points: &Points) -> Self {
        let mut order: Vec<usize> = (0..points.n).collect();
        order.par_sort_by(|&a, &b| {
            let numbers = || points.numbers(a).partial_cmp(points.numbers(b));
            let by_numbers = || numbers().unwrap_or(std::cmp::Ordering::Equal);
            points.codes(a).cmp(points.codes(b)).then_with(by_numbers).then(a.cmp(&b))
        });
        let mut blocks = Self {
            n_numbers: points.n_numbers,
            n_codes: points.n_codes,
            order: Vec::new(),
            numbers: Vec::new(),
            codes: Vec::new(),
            number_ranges: Vec::new(),
            code_ranges: Vec::new(),
            firsts: Vec::new(),
        };
        for rows in order.chunks(LANES) {
            // The places of a last, short block are filled with its first point and never looked at.
            let row = |lane: usize| rows.get(lane).copied().unwrap_or(rows[0]);
            for i in 0..points.n_numbers {
                let values: [f32; LANES] = std::array::from_fn(|lane| points.numbers(row(lane))[i]);
                blocks.number_ranges.push(
                    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |r, &x| (r.0.min(x), r.1.max(x))),
                );
                blocks.numbers.push(values);
            }
            for i in 0..points.n_codes {
                let values: [u32; LANES] = std::array::from_fn(|lane| points.codes(row(lane))[i]);
                blocks.code_ranges.push(values.iter().fold((u32::MAX, 0), |r, &x| (r.0.min(x), r.1.max(x))));
                blocks.codes.push(values);
            }
            blocks.firsts.push(points.codes(rows[0]).to_vec());
        }
        blocks.order = order;
        blocks
    }

    fn search(&self, numbers: &[f32], codes: &[u32], mut found: Found, apart: impl Fn(f32) -> f32) -> Found {
        let likely = self.firsts.partition_point(|first| first.as_slice() <= codes).saturating_sub(1);
        if likely < self.firsts.len() {
            self.visit(likely, numbers, codes, &mut found, &apart);
        }
        for block in (0..self.firsts.len()).filter(|&block| block != likely) {
            if self.least(block, numbers, codes, &apart) <= found.bound() {
                self.visit(block, numbers, codes, &mut found, &apart);
            }
        }
        found
    }

    /// Nothing in the block is nearer.
    fn least(&self, block: usize, numbers: &[f32], codes: &[u32], apart: &impl Fn(f32) -> f32) -> f32 {
        let mut sum = 0.0;
        let ranges = &self.code_ranges[block * self.n_codes..][..self.n_codes];
        for (&(low, high), &code) in ranges.iter().zip(codes) {
            sum += if code < low || code > high { DIFFERS } else { 0.0 };
        }
        let ranges = &self.number_ranges[block * self.n_numbers..][..self.n_numbers];
        for (&(low, high), &number) in ranges.iter().zip(numbers) {
            sum += apart((low - number).max(number - high).max(0.0));
        }
        // The sum may be rounded up where that of the distance itself is rounded down.
        sum * (1.0 - 1e-5)
    }

    fn visit(
        &self,
        block: usize,
        numbers: &[f32],
        codes: &[u32],
        found: &mut Found,
        apart: &impl Fn(f32) -> f32,
    ) {
        let mut sums = [0.0f32; LANES];
        for (lane, &code) in self.codes[block * self.n_codes..].iter().zip(codes) {
            for i in 0..LANES {
                sums[i] += if lane[i] == code { 0.0 } else { DIFFERS };
            }
        }
        if least(&sums) > found.bound() {
            return;
        }
        for (lane, &number) in self.numbers[block * self.n_numbers..].iter().zip(numbers) {
            for i in 0..LANES {
                sums[i] += apart(lane[i] - number);
            }
        }
        if least(&sums) > found.bound() {
            return;
        }
        let rows = &self.order[block * LANES..];
        for (&row, &sum) in rows.iter().zip(&sums) {
            if sum <= found.bound() {
                found.add(row, sum);
            }
        }
    }
}

/// The least of all, in a way that has a vector instruction.
fn least(sums: &[f32; LANES]) -> f32 {
    let mut least = [f32::INFINITY; 8];
    for eight in sums.as_chunks::<8>().0 {
        for i in 0..8 {
            least[i] = if eight[i] < least[i] { eight[i] } else { least[i] };
        }
    }
    least.iter().fold(f32::INFINITY, |a, &b| a.min(b))
}

#[cfg(test)]
pub(super) mod testing {
    use super::{super::frame::testing::frame, *};
    use mintage_data::table::MISSING;
    use mintage_nn::Rng;

    /// Rows in three columns of numbers and four of codes, some missing, some twice.
    pub fn mixed(n: usize, seed: u64) -> Frame {
        let mut rng = Rng::new(seed, 0);
        let mut numbers = vec![vec![0.0f64; n]; 3];
        let mut codes = vec![vec![0u32; n]; 4];
        for row in 0..n {
            let from = if row > 10 && rng.below(10) == 0 { Some(rng.below(row)) } else { None };
            for (i, column) in numbers.iter_mut().enumerate() {
                column[row] = match from {
                    Some(from) => column[from],
                    None if i == 1 && rng.below(6) == 0 => f64::NAN,
                    None => f64::from((8.0 * rng.normal()).round()),
                };
            }
            for (i, column) in codes.iter_mut().enumerate() {
                column[row] = match from {
                    Some(from) => column[from],
                    None if i == 0 && rng.below(6) == 0 => MISSING,
                    None => rng.below(1 + 3 * i) as u32,
                };
            }
        }
        let numbers: Vec<&[f64]> = numbers.iter().map(Vec::as_slice).collect();
        frame(&numbers, &codes.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::mixed, *};

    fn apart(a: &Points, x: usize, b: &Points, y: usize, norm: Norm) -> f64 {
        let codes = a.codes(x).iter().zip(b.codes(y)).filter(|(x, y)| x != y).count() as f64;
        let numbers = a.numbers(x).iter().zip(b.numbers(y)).map(|(&x, &y)| f64::from(x - y));
        2.0 * codes
            + match norm {
                Norm::Absolute => numbers.map(f64::abs).sum::<f64>(),
                Norm::Square => numbers.map(|x| x * x).sum::<f64>(),
            }
    }

    #[test]
    fn everything_found_is_what_a_plain_search_finds() {
        let (real, new) = (mixed(700, 1), mixed(150, 2));
        for (norm, scale) in [(Norm::Absolute, Scale::Standard), (Norm::Square, Scale::Unit)] {
            let space = Space::of(&real, &[&new], scale);
            let (base, queries) = (space.points(&real), space.points(&new));
            assert_eq!((base.n_numbers, base.n_codes), (3, 5));
            let mark = |query: usize| Found { mark: query as f32 * 0.05, skip: query * 3, ..Found::NONE };
            for (query, found) in search(&queries, &base, norm, mark).iter().enumerate() {
                let mut all: Vec<(f64, usize)> = (0..base.n)
                    .filter(|&row| row != query * 3)
                    .map(|row| (apart(&queries, query, &base, row, norm), row))
                    .collect();
                all.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
                assert!((f64::from(found.distance) - all[0].0).abs() < 1e-5, "{found:?} {:?}", all[0]);
                assert!((f64::from(found.second) - all[1].0).abs() < 1e-5, "{found:?} {:?}", all[1]);
                let mark = f64::from(found.mark);
                let within = all.iter().filter(|(distance, _)| *distance < mark - 1e-5).count();
                let beyond = all.iter().filter(|(distance, _)| *distance > mark + 1e-5).count();
                assert!(found.nearer >= within && found.nearer + found.level <= all.len() - beyond);
            }
        }
    }

    #[test]
    fn a_row_is_nearest_to_itself_unless_left_out() {
        let real = mixed(300, 3);
        let points = Space::of(&real, &[], Scale::Standard).points(&real);
        let all = nearest(&points, &points, Norm::Absolute);
        assert!(all.iter().enumerate().all(|(row, found)| found.distance == 0.0 && found.index <= row));
        let others = nearest_other(&points, Norm::Absolute);
        assert!(others.iter().enumerate().all(|(row, found)| found.index != row));
        // About a tenth of the rows are copies of others.
        let twins = others.iter().filter(|found| found.distance == 0.0).count();
        assert!((20..120).contains(&twins), "{twins}");
    }

    #[test]
    fn without_points_nothing_is_found() {
        let real = mixed(5, 4);
        let space = Space::of(&real, &[], Scale::Unit);
        let (points, none) = (space.points(&real), space.points(&real.select(&[])));
        assert_eq!(nearest(&points, &none, Norm::Square)[0], Found::NONE);
        assert!(nearest(&none, &points, Norm::Square).is_empty());
    }
}
