//! Where in its bin a number lies: anywhere, or so that many rows are spread as evenly as those that were learned from.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Uniform, bins::Bin};

/// Bits of the numbers that are permuted, at least: fewer have too few permutations that are quick to compute.
const MIN_BITS: u32 = 6;

/// The source of numbers in [0, 1) that say where in their bins the numbers of rows lie.
pub struct Places<'a> {
    uniform: &'a mut Uniform<'a>,
    ranks: Option<&'a mut Ranks>,
}

impl<'a> Places<'a> {
    /// The numbers that `uniform` gives, row by row and column by column.
    pub fn given(uniform: &'a mut Uniform<'a>) -> Self {
        Self { uniform, ranks: None }
    }

    /// Ranks without replacement: of as many new rows in a bin as were learned from each has a rank of its own. So the
    /// least and the greatest value of a column are made as often as they were there.
    pub(super) fn even(ranks: &'a mut Ranks, uniform: &'a mut Uniform<'a>) -> Self {
        Self { uniform, ranks: Some(ranks) }
    }

    /// Those of one column.
    pub(super) fn of(&mut self, column: usize) -> ColumnPlaces<'_> {
        let cycles = self.ranks.as_mut().map(|ranks| ranks.of(column));
        ColumnPlaces { uniform: &mut *self.uniform, cycles }
    }
}

/// The ranks that rows have taken so far, in each bin of each column.
#[derive(Debug, Default)]
pub struct Ranks {
    columns: Vec<Vec<Cycle>>,
}

impl Ranks {
    fn of(&mut self, column: usize) -> &mut Vec<Cycle> {
        if self.columns.len() <= column {
            self.columns.resize_with(column + 1, Vec::new);
        }
        &mut self.columns[column]
    }
}

/// One way through all ranks of a bin, and how far it has been gone.
#[derive(Clone, Copy, Debug, Default)]
struct Cycle {
    key: u64,
    taken: u32,
}

/// [`Places`] of one column.
pub struct ColumnPlaces<'a> {
    uniform: &'a mut Uniform<'a>,
    cycles: Option<&'a mut Vec<Cycle>>,
}

impl ColumnPlaces<'_> {
    /// A uniform number in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.uniform)()
    }

    /// A number of the column's bin `at`, of the part that lies between two numbers where they are given: how many rows
    /// that part had is not known, so any place in it will do.
    pub fn number(&mut self, at: usize, bin: &Bin, between: Option<(f64, f64)>) -> f64 {
        let u = match between {
            Some(_) => self.uniform(),
            None => self.within(at, bin),
        };
        bin.between(u, between)
    }

    /// Where in the bin `at` the next number lies.
    fn within(&mut self, at: usize, bin: &Bin) -> f64 {
        let (u, rows) = (self.uniform(), bin.rows());
        let Some(cycles) = self.cycles.as_deref_mut().filter(|_| rows > 0) else { return u };
        if cycles.len() <= at {
            cycles.resize(at + 1, Cycle::default());
        }
        let cycle = &mut cycles[at];
        if cycle.taken == 0 {
            cycle.key = (self.uniform)().to_bits();
        }
        // The end of the column is among the first, since a model may draw fewer rows than there were.
        let end = bin.is_end().then_some(if at == 0 { 0 } else { rows - 1 });
        let rank = permuted(cycle.taken, rows, cycle.key, end);
        cycle.taken = (cycle.taken + 1) % rows;
        (f64::from(rank) + u) / f64::from(rows)
    }
}

/// Where `at` goes in a permutation of the numbers below `n` that `key` chooses; to `end` one of the first half goes. No order is held in memory: numbers of
/// enough bits are permuted by steps that can be undone, again and again until one is below `n` (cycle walking; Black
/// and Rogaway, 2002).
fn permuted(at: u32, n: u32, key: u64, end: Option<u32>) -> u32 {
    let n = u64::from(n.max(1));
    let bits = (u64::BITS - (n - 1).leading_zeros()).max(MIN_BITS);
    let mask = (1u64 << bits) - 1;
    let [turn, rounds @ ..] = [0u8, 1, 2, 3, 4].map(|round| xxh3_64_with_seed(&[round], key));
    let mixed = |at: u32| {
        let mut place = u64::from(at);
        loop {
            for round in rounds {
                place = place.wrapping_mul((round >> 32) | 1) & mask;
                place ^= place >> (bits / 2);
                place ^= round & mask;
            }
            if place < n {
                return place;
            }
        }
    };
    let below = |n: u64| ((turn >> 32) * n) >> 32;
    // Few bits mix less well: turned by a number below `n`, any place is as likely as another.
    let turn = match end {
        Some(end) => n + u64::from(end) - mixed(below(n.div_ceil(2)) as u32),
        None => below(n),
    };
    ((mixed(at) + turn) % n) as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::table::{
        Column, Table,
        encoder::{Limits, RowEncoder, testing::random, unit},
        rules::Rules,
        schema::detect,
    };

    #[test]
    fn permutations_hold_every_number_once() {
        for n in [1, 2, 3, 8, 9, 40, 63, 64, 65, 360, 5000] {
            for key in 0..4 {
                let mut all: Vec<u32> = (0..n).map(|at| permuted(at, n, key, None)).collect();
                assert!(n < 40 || !all.is_sorted());
                all.sort_unstable();
                assert!(all.iter().copied().eq(0..n), "{n}, {key}");
            }
        }
        assert!(permuted(u32::MAX - 1, u32::MAX, 7, None) < u32::MAX);
        for (n, end) in [(1, 0), (2, 1), (9, 8), (360, 359), (360, 0)] {
            let mut all: Vec<u32> = (0..n).map(|at| permuted(at, n, 11, Some(end))).collect();
            assert!(all[..n.div_ceil(2) as usize].contains(&end));
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..n));
        }
        // The first number goes anywhere, and the next one anywhere beside it.
        let mut pairs = [0u32; 81];
        let mut key = random(5);
        for _ in 0..7200 {
            let key = key();
            pairs[permuted(0, 9, key, None) as usize * 9 + permuted(1, 9, key, None) as usize] += 1;
        }
        let uneven =
            |(at, &n): (usize, &u32)| if at.is_multiple_of(10) { n > 0 } else { !(50..=150).contains(&n) };
        assert!(!pairs.iter().enumerate().any(uneven), "{pairs:?}");
    }

    /// Lognormal prices: the largest is several times the next ones.
    fn prices(rows: usize) -> Table {
        let mut next = random(1);
        let mut normal = || {
            let (u, v) = (1.0 - unit(next()), unit(next()));
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        let cells: Vec<String> = (0..rows).map(|_| format!("{:.2}", (8.0 + normal()).exp())).collect();
        let column = Column::of("price", cells.iter().map(|cell| Some(cell.as_str())));
        Table { name: "t".to_owned(), columns: vec![column], ..Table::default() }
    }

    fn fitted(table: &Table) -> RowEncoder {
        let rules = Rules::new(Vec::new(), table, &detect(table)).unwrap();
        RowEncoder::fit(table, rules, [&(0..table.rows() as u32).collect::<Vec<u32>>(), &[]], 0)
    }

    /// New rows with the tokens of `table`, in parts of so many rows.
    fn made(codec: &RowEncoder, table: &Table, parts: &[usize], seed: u64) -> Table {
        let tokens = codec.encode(table, 0);
        let width = codec.width();
        let (mut finisher, mut random) = (codec.finisher().unwrap(), random(seed));
        let (mut all, mut first) = (codec.head(), 0);
        for &n in parts {
            let own = &tokens[first * width..(first + n) * width];
            let rows = finisher.part(own, n, &Limits::default(), None, None, &mut random).unwrap();
            all.append(&rows).unwrap();
            first += n;
        }
        all
    }

    fn ascending(table: &Table) -> Vec<f64> {
        let mut numbers: Vec<f64> =
            table.columns[0].iter().map(|cell| cell.unwrap().parse().unwrap()).collect();
        numbers.sort_by(f64::total_cmp);
        numbers
    }

    /// The shares of ten bins of equal width, as SDMetrics has them.
    fn shares(ascending: &[f64]) -> [f64; 10] {
        let (low, high) = (ascending[0], ascending[ascending.len() - 1]);
        let mut shares = [0.0; 10];
        for number in ascending {
            let at = ((number - low) / (high - low) * 10.0) as usize;
            shares[at.min(9)] += 1.0 / ascending.len() as f64;
        }
        shares
    }

    #[test]
    fn tails_are_as_long_and_as_heavy_as_they_were() {
        let table = prices(5000);
        let codec = fitted(&table);
        let old = ascending(&table);
        for seed in [1, 2] {
            let new = ascending(&made(&codec, &table, &[1500, 3500], seed));
            assert_eq!((new[0], new[4999]), (old[0], old[4999]));
            assert_ne!(new, old);
            // The deciles of the largest 2 %.
            for rank in (0..=100).step_by(10).map(|from_above| 4999 - from_above) {
                let off = (new[rank] / old[rank] - 1.0).abs();
                assert!(off < 0.06, "rank {rank}: {} for {}", new[rank], old[rank]);
            }
            let differences = shares(&old).into_iter().zip(shares(&new)).map(|(a, b)| (a - b).abs());
            let distance = 0.5 * differences.sum::<f64>();
            assert!(distance < 0.01, "{distance}");
        }
    }

    #[test]
    fn the_ends_are_those_of_rows_that_are_not_trained_on() {
        let mut table = prices(900);
        table.columns[0].set(3, Some("9999999.25"));
        let rules = Rules::new(Vec::new(), &table, &detect(&table)).unwrap();
        let train: Vec<u32> = (40..900).collect();
        let codec = RowEncoder::fit(&table, rules, [&train, &[1, 2, 3]], 0);
        let new = ascending(&made(&codec, &table, &[900], 1));
        assert_eq!(new.last(), Some(&9999999.25));
    }

    #[test]
    fn the_same_seed_makes_the_same_rows() {
        let table = prices(600);
        let codec = fitted(&table);
        let all = made(&codec, &table, &[600], 3);
        assert_eq!(all, made(&codec, &table, &[600], 3));
        assert_ne!(all, made(&codec, &table, &[600], 4));
        // The first rows do not depend on how many come after them.
        let few = made(&codec, &table, &[200], 3);
        assert!(few.columns[0].iter().eq(all.columns[0].iter().take(200)));
    }

    #[test]
    fn bins_of_unknown_size_are_filled_at_random() {
        let (mut ranks, mut half) = (Ranks::default(), || 0.5);
        let mut places = Places::even(&mut ranks, &mut half);
        let mut places = places.of(3);
        let bin = |rows: u32| -> Bin {
            serde_json::from_value(serde_json::json!({ "knots": [0.0, 1.0], "rows": rows })).unwrap()
        };
        assert_eq!(places.within(0, &bin(0)), 0.5);
        let mut all: Vec<f64> = (0..4).map(|_| places.within(2, &bin(4))).collect();
        all.sort_by(f64::total_cmp);
        assert_eq!(all, [0.125, 0.375, 0.625, 0.875]);
    }
}
