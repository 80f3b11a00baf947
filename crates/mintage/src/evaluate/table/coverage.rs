//! Is every value reached, and none beyond? Column by column, as SDMetrics defines it, and valid keys.

use std::collections::HashSet;

use mintage_data::Column;

use super::frame::{Frame, Values};

/// Coverage of each column, from 0 to 1, more is better; a mean over no columns is NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// For columns of numbers: the share of new cells between the least and the largest real number.
    ///
    /// A missing cell is within where the real column has missing ones too.
    pub adherence: Vec<Option<f64>>,
    /// For columns of numbers: the share of the real range that the new numbers span.
    ///
    /// `None` for a column with one number.
    pub ranges: Vec<Option<f64>>,
    /// For columns of categories: the share of the real values that occur among the new ones.
    pub categories: Vec<Option<f64>>,
}

impl Coverage {
    /// Compares frames of one comparison, column by column.
    pub fn of(real: &Frame, new: &Frame) -> Self {
        let mut found = Self::default();
        for (real, new) in real.columns.iter().zip(&new.columns) {
            let (adherence, range, categories) = match (&real.values, &new.values) {
                (Values::Numbers(real), Values::Numbers(new)) => {
                    (adherence(real, new), range_coverage(real, new), None)
                }
                (Values::Categories { codes: real, dictionary }, Values::Categories { codes: new, .. }) => {
                    (None, None, category_coverage(real, new, dictionary.len()))
                }
                _ => (None, None, None),
            };
            found.adherence.push(adherence);
            found.ranges.push(range);
            found.categories.push(categories);
        }
        found
    }

    /// Mean of the adherence of all columns of numbers, from 0 to 1; more is better.
    pub fn mean_adherence(&self) -> f64 {
        mean(&self.adherence)
    }

    /// Mean of the range coverage of all columns of numbers, from 0 to 1; more is better.
    pub fn mean_range(&self) -> f64 {
        mean(&self.ranges)
    }

    /// Mean of the category coverage of all columns of categories, from 0 to 1; more is better.
    pub fn mean_category(&self) -> f64 {
        mean(&self.categories)
    }
}

/// The share of cells of a key that are present and occur for the first time; 1 for a valid key.
pub fn key_uniqueness(column: &Column) -> f64 {
    let mut seen = HashSet::new();
    let fresh = column.iter().flatten().filter(|cell| seen.insert(*cell)).count();
    fresh as f64 / column.len() as f64
}

fn adherence(real: &[f64], new: &[f64]) -> Option<f64> {
    let (low, high) = ends(real)?;
    let gaps = real.iter().any(|x| x.is_nan());
    let judged = new.iter().filter(|x| !(gaps && x.is_nan()));
    let (within, all) =
        judged.fold((0, 0), |(within, all), x| (within + usize::from((low..=high).contains(x)), all + 1));
    (all > 0).then(|| within as f64 / f64::from(all))
}

fn range_coverage(real: &[f64], new: &[f64]) -> Option<f64> {
    let (low, high) = ends(real)?;
    if low == high {
        return None;
    }
    let Some((least, largest)) = ends(new) else { return Some(0.0) };
    let lost = |gap: f64| (gap / (high - low)).max(0.0);
    Some((1.0 - lost(least - low) - lost(high - largest)).max(0.0))
}

fn category_coverage(real: &[u32], new: &[u32], levels: usize) -> Option<f64> {
    let present = |codes: &[u32]| {
        let mut present = vec![false; levels];
        codes.iter().for_each(|&code| {
            if let Some(present) = present.get_mut(code as usize) {
                *present = true;
            }
        });
        present
    };
    let (real, new) = (present(real), present(new));
    let all = real.iter().filter(|&&present| present).count();
    let shared = real.iter().zip(&new).filter(|&(&real, &new)| real && new).count();
    (all > 0).then(|| shared as f64 / all as f64)
}

/// The least and the largest number.
fn ends(values: &[f64]) -> Option<(f64, f64)> {
    let known = values.iter().copied().filter(|x| !x.is_nan());
    known.fold(None, |ends: Option<(f64, f64)>, x| {
        Some(ends.map_or((x, x), |(low, high)| (low.min(x), high.max(x))))
    })
}

fn mean(values: &[Option<f64>]) -> f64 {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    known.iter().sum::<f64>() / known.len() as f64
}

#[cfg(test)]
mod tests {
    use super::{super::frame::testing::frame, *};
    use mintage_data::table::MISSING;

    #[test]
    fn coverage_by_hand() {
        let nan = f64::NAN;
        let real = frame(&[&[0.0, 10.0, 5.0, 5.0], &[1.0, nan, 3.0, 2.0]], &[&[0, 1, 2, MISSING]]);
        let new = frame(&[&[2.0, 9.0, 12.0, nan], &[nan, nan, nan, 3.0]], &[&[2, 2, MISSING, 1]]);
        let found = Coverage::of(&real, &new);
        // 2 and 9 of four cells: the real column has no missing ones.
        assert_eq!(found.adherence, [Some(0.5), Some(1.0), None]);
        assert_eq!(found.ranges, [Some(0.8), Some(0.0), None]);
        assert_eq!(found.categories, [None, None, Some(2.0 / 3.0)]);
        assert_eq!((found.mean_adherence(), found.mean_range()), (0.75, 0.4));
        assert!(Coverage::of(&real.select(&[]), &new).mean_category().is_nan());
    }

    #[test]
    fn keys_are_unique_and_there() {
        let column = Column::of("id", [Some("1"), Some("2"), None, Some("2"), Some("3")]);
        assert_eq!(key_uniqueness(&column), 0.6);
        assert_eq!(key_uniqueness(&Column::of("id", [Some("a"), Some("b")])), 1.0);
    }
}
