//! Which of so many parts of a new database is drawn, and what comes out right over all of them together.

use std::ops::Range;

/// One of `of` parts of about equal size.
///
/// What each part rounds by itself would stray all in one direction: of a row that is referred to a third of a time in every
/// part, none would. So each part rounds from another start, and all together come to what one draw of everything has:
/// `Σ ⌊x + (p + ½)/k⌋ = ⌊kx + ½⌋` over the parts `p` of `k` (Hermite's identity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub at: usize,
    pub of: usize,
}

impl Default for Slice {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl Slice {
    /// All of it.
    pub const WHOLE: Self = Self { at: 0, of: 1 };

    /// A share of this part as a whole number.
    pub fn rounded(self, share: f64) -> usize {
        let start = (2 * self.at + 1) as f64 / (2 * self.of) as f64 - 0.5;
        (share + start).round() as usize
    }

    /// The items of `n` that belong to this part.
    pub fn range(self, n: usize) -> Range<usize> {
        let start = |at: usize| (n as u128 * at as u128 / self.of as u128) as usize;
        start(self.at)..start(self.at + 1)
    }

    /// Which of `total` sorted values the row at a rank among `n` has: that in the middle of its share.
    pub fn quantile(self, rank: usize, n: usize, total: u64) -> u64 {
        let (at, of) = (self.at as u128, self.of as u128);
        let place = (2 * of * rank as u128 + 2 * at + 1) * u128::from(total) / (2 * of * n.max(1) as u128);
        place as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(of: usize) -> impl Iterator<Item = Slice> {
        (0..of).map(move |at| Slice { at, of })
    }

    #[test]
    fn parts_together_are_rounded_as_the_whole() {
        for of in [1, 3, 7, 40] {
            for tenths in 0..200 {
                let share = f64::from(tenths) / 10.0 + 0.01;
                let sum: usize = all(of).map(|slice| slice.rounded(share / of as f64)).sum();
                assert_eq!(sum, Slice::WHOLE.rounded(share), "{share} in {of}");
            }
        }
        assert_eq!(Slice::WHOLE.rounded(2.5), 3);
        assert_eq!(all(9).map(|slice| slice.rounded(0.0)).sum::<usize>(), 0);
    }

    #[test]
    fn ranges_cover_every_item_once() {
        for (n, of) in [(10, 3), (2, 5), (0, 4), (17, 1)] {
            let items: Vec<usize> = all(of).flat_map(|slice| slice.range(n)).collect();
            assert_eq!(items, (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn parts_have_the_quantiles_of_the_whole() {
        // Of twelve values four parts of three rows have each once, the largest too.
        let mut places: Vec<u64> =
            all(4).flat_map(|slice| (0..3).map(move |rank| slice.quantile(rank, 3, 12))).collect();
        places.sort_unstable();
        assert_eq!(places, (0..12).collect::<Vec<u64>>());
        assert_eq!((0..3).map(|rank| Slice::WHOLE.quantile(rank, 3, 12)).collect::<Vec<_>>(), [2, 6, 10]);
    }
}
