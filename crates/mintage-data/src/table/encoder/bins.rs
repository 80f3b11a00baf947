//! Bins of numbers that hold about equally many rows.

use std::{cmp::Reverse, iter, ops::Range};

use serde::{Deserialize, Serialize};

use super::check::MAX_TOKENS;

/// Bins of a column of numbers, at most.
pub(super) const BINS: usize = 128;
/// Rows that a bin should have.
pub(super) const ROWS_A_BIN: usize = 8;
/// Values kept of a bin, its ends included: between two of them new values are spread evenly.
const KNOTS: usize = 17;
/// Values of a bin, beside its knots, that are kept with the share of rows that have them: atoms of its distribution.
const ATOMS: usize = 24;
/// What is left free at either side of an atom, in rows: values between two atoms have a place, too.
const GAP: f64 = 0.001;

/// Numbers from the first knot to the last. Knots stand for equal shares of the bin's rows, or at `ranks` of them. Between
/// two equal knots lie the rows of an atom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    knots: Vec<f64>,
    /// The rank of each knot among the rows, from 0 to the last one, where a bin has atoms or lies at an end of its column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ranks: Vec<u32>,
    /// Whether it has ranks but lies at no end of its column.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    inner: bool,
    /// Rows that it was fitted to; 0 where a file of before does not say.
    #[serde(default)]
    rows: u32,
}

impl Bin {
    /// Of distinct ascending values with their counts. The least of them is that of the column, or the greatest is.
    fn of(values: &[(f64, u32)], (least, greatest): (bool, bool)) -> Self {
        let rows = values.iter().fold(0u32, |rows, value| rows.saturating_add(value.1));
        let (atoms, is_end) = (atoms(values), (least || greatest) && values.len() > 1);
        if is_end || !atoms.is_empty() {
            let ranks = if is_end { ranks(rows, (least, greatest)) } else { even(rows).collect() };
            let ranks = with_atoms(ranks, &atoms);
            return Self { knots: at_ranks(values, ranks.iter().copied()), ranks, inner: !is_end, rows };
        }
        let knots = match values.len() <= KNOTS && values.iter().all(|v| v.1 == values[0].1) {
            true => values.iter().map(|v| v.0).collect(),
            false => at_ranks(values, even(rows)),
        };
        Self { knots, ranks: Vec::new(), inner: false, rows }
    }

    /// Whether it could have been fitted: it may come from a file. All its numbers are `within` bounds.
    pub fn is_sound(&self, within: impl Fn(f64) -> bool) -> bool {
        let numbers = self.knots.iter().all(|&knot| knot.is_finite() && within(knot));
        let ranks = self.ranks.len() == self.knots.len()
            && self.ranks.first() == Some(&0)
            && self.ranks.last().copied() == self.rows.checked_sub(1)
            && self.ranks.is_sorted_by(|a, b| a < b);
        let sound = numbers && (ranks || self.ranks.is_empty());
        sound && !self.knots.is_empty() && self.knots.is_sorted()
    }

    /// Rows that it was fitted to; 0 where that is not known.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Whether its least value or its greatest is that of the column, and others are beside it.
    pub fn is_end(&self) -> bool {
        !self.ranks.is_empty() && !self.inner
    }

    pub fn low(&self) -> f64 {
        self.knots[0]
    }

    pub fn high(&self) -> f64 {
        self.knots[self.knots.len() - 1]
    }

    /// The quantile at `u` ∈ [0, 1].
    pub fn quantile(&self, u: f64) -> f64 {
        let place = self.knot_at(u);
        let below = (place as usize).min(self.knots.len() - 1);
        let above = (below + 1).min(self.knots.len() - 1);
        let (low, high) = (self.knots[below], self.knots[above]);
        if low == high { low } else { low + (place - below as f64) * (high - low) }
    }

    /// The quantile at `u`, of the part that lies between two numbers where they are given.
    pub fn between(&self, u: f64, between: Option<(f64, f64)>) -> f64 {
        let Some((low, high)) = between else { return self.quantile(u) };
        let (from, to) = self.part(low, high);
        self.quantile(from + u * (to - from)).clamp(low, high)
    }

    /// The share of its values that lies between two numbers, about: a bound that is a value is one of them.
    pub fn share(&self, low: f64, high: f64) -> f64 {
        if self.high() < low || self.low() > high {
            return 0.0;
        }
        let (from, to) = self.part(low, high);
        // Places of atoms are as long as their share: what may lack is a row.
        let atoms = (0..self.ranks.len()).any(|knot| self.is_atom(knot));
        let parts = if atoms { f64::from(self.rows) } else { self.knots.len() as f64 };
        (to - from + 1.0 / parts).min(1.0)
    }

    /// From where to where [`quantile`](Self::quantile) lies between two numbers, both of which belong to it.
    fn part(&self, low: f64, high: f64) -> (f64, f64) {
        let before = self.knots.partition_point(|&knot| knot < low);
        let from = if low <= self.low() { 0.0 } else { self.position_behind(before, low) };
        let to = if high >= self.high() { 1.0 } else { self.position(high) };
        (from, to)
    }

    /// Where [`quantile`](Self::quantile) is `value`; the end of that place where it is long.
    pub fn position(&self, value: f64) -> f64 {
        self.position_behind(self.knots.partition_point(|&knot| knot <= value), value)
    }

    /// Where it is `value`, behind so many knots.
    fn position_behind(&self, before: usize, value: f64) -> f64 {
        let last = self.knots.len() - 1;
        if last == 0 {
            return 0.0;
        }
        let below = before.saturating_sub(1).min(last - 1);
        let (low, high) = (self.knots[below], self.knots[below + 1]);
        let part = if low == high { 0.0 } else { ((value - low) / (high - low)).clamp(0.0, 1.0) };
        if self.ranks.is_empty() {
            return (below as f64 + part) / last as f64;
        }
        let (from, to) = (self.place(below), self.place(below + 1));
        // Exactly the knot where it is one.
        if part < 1.0 { from + part * (to - from) } else { to }
    }

    /// The number of the knot that stands at `u`, with the part of the way from it to the next one.
    fn knot_at(&self, u: f64) -> f64 {
        if self.ranks.is_empty() {
            return u * (self.knots.len() - 1) as f64;
        }
        let next = self.knots_until(u);
        let Some(below) = next.checked_sub(1) else { return 0.0 };
        let from = self.place(below);
        let part = if next < self.ranks.len() { (u - from) / (self.place(next) - from) } else { 0.0 };
        below as f64 + part
    }

    /// How many knots stand at `u` or before it. They stand in ascending order, as their ranks do.
    fn knots_until(&self, u: f64) -> usize {
        let (mut known, mut end) = (0, self.ranks.len());
        while known < end {
            let middle = usize::midpoint(known, end);
            if self.place(middle) <= u { known = middle + 1 } else { end = middle }
        }
        known
    }

    /// Where a knot stands. Each row has an equal share of 0 to 1 and stands in the middle of its own; the first and the
    /// last value and atoms take all of theirs, so that they are made as often as they are there.
    fn place(&self, knot: usize) -> f64 {
        let (rank, rows) = (f64::from(self.ranks[knot]), f64::from(self.rows));
        if self.is_atom(knot) {
            return (rank + GAP) / rows;
        }
        if knot > 0 && self.is_atom(knot - 1) {
            return (rank + 1.0 - GAP) / rows;
        }
        // Two rows leave a gap for what lies between them.
        let end = (0.45 * rows).min(1.0);
        (rank + 0.5).clamp(end, rows - end) / rows
    }

    /// Whether an atom lies between this knot and the next one.
    fn is_atom(&self, knot: usize) -> bool {
        let next = self.ranks.get(knot + 1);
        next.is_some_and(|next| next - self.ranks[knot] >= ROWS_A_BIN as u32 - 1)
            && self.knots[knot] == self.knots[knot + 1]
    }
}

/// The first and the last rank of each value that rows enough share, so that it says nothing of one of them; the most
/// frequent ones where there are many. A bin of one value needs none.
fn atoms(values: &[(f64, u32)]) -> Vec<(u32, u32)> {
    if values.len() <= 1 {
        return Vec::new();
    }
    let (mut atoms, mut passed) = (Vec::new(), 0u32);
    for &(_, count) in values {
        let first = passed;
        passed = passed.saturating_add(count);
        if count >= ROWS_A_BIN as u32 {
            atoms.push((first, passed - 1));
        }
    }
    atoms.sort_by_key(|(first, last)| Reverse(last - first));
    atoms.truncate(ATOMS);
    atoms
}

/// Ascending ranks with the ends of atoms in place of what lies within these.
fn with_atoms(mut ranks: Vec<u32>, atoms: &[(u32, u32)]) -> Vec<u32> {
    ranks.retain(|rank| !atoms.iter().any(|(first, last)| first < rank && rank < last));
    ranks.extend(atoms.iter().flat_map(|&(first, last)| [first, last]));
    if !atoms.is_empty() {
        ranks.sort_unstable();
        ranks.dedup();
    }
    ranks
}

/// Ranks that cut so many rows into equal shares.
fn even(rows: u32) -> impl Iterator<Item = u32> {
    let shares = KNOTS as u64 - 1;
    (0..=shares).map(move |knot| (knot * u64::from(rows.saturating_sub(1)) / shares) as u32)
}

/// The values at ascending ranks.
fn at_ranks(values: &[(f64, u32)], ranks: impl Iterator<Item = u32>) -> Vec<f64> {
    let (mut at, mut passed) = (0, u64::from(values[0].1));
    let value = |rank: u32| {
        while passed <= u64::from(rank) {
            at += 1;
            passed += u64::from(values[at].1);
        }
        values[at].0
    };
    ranks.map(value).collect()
}

/// The ranks of knots among the rows of a bin that has the least value of its column, the greatest, or both: the nearer
/// to it, the closer they stand. What lies between two knots is spread evenly, and a tail is not.
fn ranks(rows: u32, (least, greatest): (bool, bool)) -> Vec<u32> {
    let last = rows.saturating_sub(1);
    let backwards = |ranks: Vec<u32>| ranks.into_iter().rev().map(move |rank| last - rank);
    match (least, greatest) {
        (true, true) => {
            let middle = last / 2;
            let mut ranks = spreading(middle, KNOTS - KNOTS / 2);
            ranks.extend(backwards(spreading(last - middle - 1, KNOTS / 2)));
            ranks
        }
        (true, false) => spreading(last, KNOTS),
        (false, _) => backwards(spreading(last, KNOTS)).collect(),
    }
}

/// Ascending ranks from 0 to `last`, `most` of them at most: each one at first, then in steps that grow in proportion.
fn spreading(last: u32, most: usize) -> Vec<u32> {
    if (last as usize) < most {
        return (0..=last).collect();
    }
    let rows = f64::from(last) + 1.0;
    let mut ranks = vec![0];
    let mut rank = 0;
    for step in 1..most - 1 {
        let grown = rows.powf(step as f64 / (most - 1) as f64) - 1.0;
        rank = (grown as u32).max(rank + 1);
        ranks.push(rank);
    }
    ranks.push(last);
    ranks
}

/// Cuts distinct ascending values with their counts into at most `most` bins.
pub fn cut(values: &[(f64, u32)], most: usize) -> Vec<Bin> {
    let total: u64 = values.iter().map(|v| u64::from(v.1)).sum();
    let share = total.div_ceil(most.max(1) as u64).max(1);
    let bin = |from: usize, to: usize| Bin::of(&values[from..to], (from == 0, to == values.len()));
    let mut bins = Vec::new();
    let (mut first, mut held) = (0, 0);
    for (at, &(_, count)) in values.iter().enumerate() {
        let count = u64::from(count);
        // A frequent value has a bin to itself.
        if count >= share && at > first {
            bins.push(bin(first, at));
            (first, held) = (at, 0);
        }
        held += count;
        if held >= share {
            bins.push(bin(first, at + 1));
            (first, held) = (at + 1, 0);
        }
    }
    if first < values.len() {
        bins.push(bin(first, values.len()));
    }
    bins
}

/// A bin for each of a few distinct ascending values with their counts, but for those at either end that few rows have: these
/// share one. Alone a model would have seen them too seldom to make them. Nothing where the ends are frequent, or all of it
/// would be one bin.
pub fn cut_tails(values: &[(f64, u32)]) -> Option<Vec<Bin>> {
    let low = rare(values.iter().map(|value| value.1));
    let high = rare(values.iter().rev().map(|value| value.1));
    if low + high == 0 || low + high >= values.len() {
        return None;
    }
    let end = values.len() - high;
    let each = (low..end).map(|at| at..at + 1);
    let ranges = iter::once(0..low).chain(each).chain(iter::once(end..values.len()));
    let bin =
        |range: Range<usize>| Bin::of(&values[range.clone()], (range.start == 0, range.end == values.len()));
    Some(ranges.filter(|range| !range.is_empty()).map(bin).collect())
}

/// How many counts there are before a bin has rows enough, or before one that has them by itself.
fn rare(counts: impl Iterator<Item = u32>) -> usize {
    let (least, mut held) = (ROWS_A_BIN as u32, 0u32);
    let is_rare = |&count: &u32| {
        let is_rare = held < least && count < least;
        held = held.saturating_add(count);
        is_rare
    };
    counts.take_while(is_rare).count()
}

/// The bin that holds `value`, or the nearest one.
pub fn find(bins: &[Bin], value: f64) -> usize {
    let next = bins.partition_point(|bin| bin.low() <= value);
    if next == 0 {
        return 0;
    }
    let before = next - 1;
    let between = next < bins.len() && value > bins[before].high();
    if between && bins[next].low() - value < value - bins[before].high() { next } else { before }
}

/// The number at `u` ∈ [0, 1) of all rows of some bins, of those between two numbers where they are given.
pub fn anywhere(bins: &[Bin], u: f64, between: Option<(f64, f64)>) -> f64 {
    let (low, high) = between.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let weights: Vec<f64> =
        bins.iter().map(|bin| f64::from(bin.rows().max(1)) * bin.share(low, high)).collect();
    let mut left = u * weights.iter().sum::<f64>();
    for (bin, &weight) in bins.iter().zip(&weights) {
        if left < weight {
            return bin.between(left / weight, between);
        }
        left -= weight;
    }
    // No bin has any of them.
    bins[find(bins, low)].between(u, between)
}

/// That bins hold numbers in ascending order, all of them `within` bounds.
pub(super) fn check_bins(bins: &[Bin], within: impl Fn(f64) -> bool) -> Result<(), String> {
    // Each for itself first: a bin without knots has no ends.
    let each = !bins.is_empty() && bins.iter().all(|bin| bin.is_sound(&within));
    let sound = each && bins.windows(2).all(|pair| pair[0].high() <= pair[1].low());
    sound.then_some(()).ok_or_else(|| "has bins that do not ascend".to_owned())
}

/// That a field has as many tokens as a number of 16 bits tells apart.
pub(super) fn check_count(tokens: usize) -> Result<(), String> {
    let sound = (1..=MAX_TOKENS).contains(&tokens);
    sound.then_some(()).ok_or_else(|| format!("has {tokens} tokens, where 1 to {MAX_TOKENS} are possible"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn frequent_values_have_bins_of_their_own() {
        let values: Vec<(f64, u32)> =
            (0..1000).map(|i| (f64::from(i), if i == 500 { 3000 } else { 1 })).collect();
        let bins = cut(&values, 40);
        assert!(bins.len() <= 41, "{}", bins.len());
        let own = &bins[find(&bins, 500.0)];
        assert_eq!((own.low(), own.high()), (500.0, 500.0));
        assert_eq!(find(&bins, -7.0), 0);
        assert_eq!(find(&bins, 1e9), bins.len() - 1);
    }

    /// A tail: the distance to the next value grows, and the last one lies far off.
    fn tail(n: u32) -> Vec<(f64, u32)> {
        (0..n).map(|i| (f64::from(i * i) + if i + 1 == n { 1e6 } else { 0.0 }, 1 + i % 3)).collect()
    }

    #[test]
    fn rare_values_at_the_ends_share_a_bin() {
        let counts = [1, 2, 30, 3, 50, 60, 4, 3, 2];
        let values: Vec<(f64, u32)> = counts.iter().enumerate().map(|(at, &n)| (at as f64, n)).collect();
        let bins = cut_tails(&values).unwrap_or_default();
        let ends: Vec<(f64, f64)> = bins.iter().map(|bin| (bin.low(), bin.high())).collect();
        // What is rare between frequent ones stays alone.
        assert_eq!(ends, [(0.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0), (5.0, 5.0), (6.0, 8.0)]);
        assert_eq!((bins[0].rows(), bins[5].rows()), (3, 9));
        assert!((bins[5].quantile(1.0), bins[0].quantile(0.0)) == (8.0, 0.0));
        assert_eq!(cut_tails(&[(1.0, 8), (2.0, 1), (3.0, 9)]), None);
        assert_eq!(cut_tails(&[(1.0, 1), (2.0, 1), (3.0, 1)]), None);
    }

    #[test]
    fn position_undoes_quantile() {
        for (n, most) in [(300, 10), (300, 1), (40, 1), (3, 1), (3, 3)] {
            for bin in cut(&tail(n), most) {
                for i in 0..=50 {
                    let value = bin.low() + f64::from(i) / 50.0 * (bin.high() - bin.low());
                    assert!((bin.quantile(bin.position(value)) - value).abs() < 1e-6 * value.max(1.0));
                }
                for end in [bin.low(), bin.high()] {
                    assert_eq!(bin.quantile(bin.position(end)), end);
                }
                assert_eq!((bin.quantile(0.0), bin.quantile(1.0)), (bin.low(), bin.high()));
                assert!(bin.is_sound(|_| true) && bin.knots.len() <= KNOTS, "{bin:?}");
            }
        }
        // Of two rows, too.
        let bin = Bin::of(&[(1.0, 1), (2.0, 1)], (false, true));
        assert_eq!(bin.quantile(bin.position(1.25)), 1.25);
    }

    #[test]
    fn ends_of_a_column_have_the_weight_of_their_rows() {
        let values: Vec<(f64, u32)> =
            (0..1000).map(|i| (f64::from(i) + if i == 999 { 1e6 } else { 0.0 }, 1)).collect();
        for (most, rows) in [(10, 100), (1, 1000)] {
            let bins = cut(&values, most);
            let (first, last) = (&bins[0], &bins[bins.len() - 1]);
            assert_eq!((first.rows(), last.rows()), (rows, rows));
            // A number in the share of each row, wherever in it.
            for within in [0.0, 0.5, 0.999] {
                let all = |bin: &Bin| -> Vec<f64> {
                    (0..rows).map(|row| bin.quantile((f64::from(row) + within) / f64::from(rows))).collect()
                };
                assert_eq!((all(first)[0], all(last)[rows as usize - 1]), (0.0, 1_000_999.0));
                // The row before may lie anywhere between its neighbours.
                assert!(all(last).iter().filter(|&&value| value > 999.0).count() <= 2);
            }
        }
        // About half of the rows have the last value.
        let bins = cut(&[(0.0, 10), (1.0, 10), (2.0, 1), (3.0, 19)], 1);
        assert!((0.3..0.6).contains(&bins[0].share(3.0, 9.0)), "{}", bins[0].share(3.0, 9.0));
        assert_eq!(bins[0].between(0.5, Some((2.5, 9.0))), 3.0);
    }

    #[test]
    fn keeps_the_shares_of_values_that_rows_share() {
        let counts =
            |i: u32| [(125, 40), (175, 12)].into_iter().find(|own| own.0 == i).map_or(1, |own| own.1);
        let values: Vec<(f64, u32)> = (0..250).map(|i| (f64::from(4 * i), counts(i))).collect();
        for ends in [(false, false), (true, false), (false, true), (true, true)] {
            let bin = Bin::of(&values, ends);
            assert!(bin.is_sound(|_| true) && bin.knots.len() <= KNOTS + 4, "{bin:?}");
            assert_eq!(bin.is_end(), ends != (false, false));
            let made: Vec<f64> = (0..3000).map(|i| bin.quantile((f64::from(i) + 0.5) / 3000.0)).collect();
            assert!(made.is_sorted());
            for same in made.chunk_by(|a, b| a == b) {
                match same[0] {
                    500.0 => assert!(same.len().abs_diff(400) <= 6, "{}", same.len()),
                    700.0 => assert!(same.len().abs_diff(120) <= 6, "{}", same.len()),
                    _ => assert!(same.len() <= 11, "{} times {}", same.len(), same[0]),
                }
            }
            for common in [500.0, 700.0] {
                assert_eq!(bin.quantile(bin.position(common)), common);
                assert!(made.contains(&common) && bin.between(0.7, Some((common, common))) == common);
            }
            assert!((bin.share(500.0, 500.0) - 40.0 / 300.0).abs() < 0.005);
            let read: Bin = serde_json::from_str(&serde_json::to_string(&bin).unwrap()).unwrap();
            assert_eq!(read, bin);
        }
    }

    #[test]
    fn values_between_shared_ones_have_a_place() {
        // Nothing but atoms, at first as many as are kept, then more.
        for n in [3, 24, 40] {
            let values: Vec<(f64, u32)> = (0..n).map(|i| (f64::from(i), 8 + i % 5)).collect();
            let bin = Bin::of(&values, (n == 40, false));
            assert!(bin.is_sound(|_| true) && bin.knots.len() <= KNOTS + 2 * ATOMS, "{bin:?}");
            for i in 0..=4 * (n - 1) {
                let value = f64::from(i) / 4.0;
                assert!((bin.quantile(bin.position(value)) - value).abs() < 1e-6, "{value}");
            }
            assert_eq!((bin.quantile(0.0), bin.quantile(1.0)), (bin.low(), bin.high()));
        }
    }

    #[test]
    fn finds_the_knots_that_counting_finds() {
        let shared: Vec<(f64, u32)> = (0..60).map(|i| (f64::from(i), 1 + i % 5 * 7)).collect();
        let ends: Vec<(f64, u32)> = (0..30).map(|i| (f64::from(i), 1 + (29 - i) % 29)).collect();
        let mut bins = [cut(&tail(300), 1), cut(&tail(40), 3), cut(&shared, 2), cut(&ends, 1)].concat();
        bins.extend([2, 3, 4].map(|n| Bin::of(&tail(n), (true, true))));
        assert!(bins.iter().filter(|bin| !bin.ranks.is_empty()).count() >= 8);
        for bin in bins {
            let places: Vec<f64> = (0..bin.ranks.len()).map(|knot| bin.place(knot)).collect();
            assert!(places.is_sorted(), "{bin:?}");
            let near = places.iter().flat_map(|place| [place.next_down(), *place, place.next_up()]);
            for u in near.chain([f64::NAN, -1.0, 0.0, 0.25, 0.5, 1.0, 2.0]) {
                let counted = places.iter().take_while(|place| **place <= u).count();
                assert_eq!(bin.knots_until(u), counted, "{u} {bin:?}");
            }
        }
    }

    #[test]
    fn bins_without_shared_values_are_as_before() {
        let values: Vec<(f64, u32)> = (0..100).map(|i| (f64::from(i), 1 + i % 7)).collect();
        let json = serde_json::to_string(&Bin::of(&values, (false, false))).unwrap();
        assert!(!json.contains("ranks") && !json.contains("inner"), "{json}");
        let json = serde_json::to_string(&Bin::of(&values, (true, false))).unwrap();
        assert!(json.contains("ranks") && !json.contains("inner"), "{json}");
    }

    #[test]
    fn bins_of_before_are_read() {
        let bin: Bin = serde_json::from_str(r#"{"knots":[1.0,2.0,4.0]}"#).unwrap();
        assert!(bin.is_sound(|_| true));
        assert_eq!(
            (bin.rows(), bin.quantile(0.5), bin.quantile(0.75), bin.position(3.0)),
            (0, 2.0, 3.0, 0.75)
        );
    }
}
