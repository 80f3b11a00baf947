//! Train, valid, holdout: by a hash of each item's bytes, so that an item stays where it is from run to
//! run, however the source is ordered, and copies of an image, a text or a sound never fall on both sides.
//!
//! Rows of a table are counted instead: many are equal where a table has few columns, and all of one content
//! held out would be a content that no model can learn. So copies of a row are spread over the parts in proportion.

use std::collections::HashMap;

/// Indices of each part, in the source's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    pub train: Vec<u32>,
    pub valid: Vec<u32>,
    /// Never trained on, never validated on: every score is read against it.
    pub holdout: Vec<u32>,
}

/// One of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Train,
    Valid,
    Holdout,
}

/// Shares in per mille.
const VALID: u64 = 50;
const HOLDOUT: u64 = 100;
/// Places of 1,000 from one copy of a row to the next: near the golden section, so that any number of copies is
/// spread evenly, and without a common divisor, so that a thousand of them take every place once.
const NEXT_COPY: u64 = 617;

impl Splits {
    /// Splits by content hashes; `official_holdout` marks items that the source itself set aside.
    pub fn of(hashes: &[u64], official_holdout: Option<std::ops::Range<usize>>) -> Self {
        Self::by_place(hashes.iter().map(|hash| hash % 1000), official_holdout)
    }

    /// Splits rows by the hashes of their contents, of which each may occur often.
    pub fn of_rows(hashes: &[u64], official_holdout: Option<std::ops::Range<usize>>) -> Self {
        let mut copies: HashMap<u64, u64> = HashMap::with_capacity(hashes.len());
        let places = hashes.iter().map(|&hash| {
            let copy = copies.entry(hash).or_default();
            let place = (hash % 1000 + *copy % 1000 * NEXT_COPY) % 1000;
            *copy += 1;
            place
        });
        Self::by_place(places, official_holdout)
    }

    /// Splits by a place in 0..1000 for each item.
    fn by_place(places: impl Iterator<Item = u64>, official_holdout: Option<std::ops::Range<usize>>) -> Self {
        let mut splits = Self::default();
        for (i, place) in places.enumerate() {
            let held = match &official_holdout {
                Some(range) => range.contains(&i),
                None => place >= 1000 - HOLDOUT,
            };
            let part = match held {
                true => &mut splits.holdout,
                false if place < VALID => &mut splits.valid,
                false => &mut splits.train,
            };
            part.push(i as u32);
        }
        // Tiny data: no part may stay empty while another has two.
        for _ in 0..2 {
            let Self { train, valid, holdout } = &mut splits;
            if train.is_empty() {
                train.extend(valid.pop().or_else(|| holdout.pop()));
            }
            for part in [valid, holdout] {
                if part.is_empty() && train.len() > 1 {
                    part.extend(train.pop());
                }
            }
        }
        splits
    }

    /// Makes what validates a part of train, behind what is train already: nobody validates by data that are only compared.
    pub(crate) fn train_on_valid(&mut self) {
        self.train.append(&mut self.valid);
    }

    pub fn get(&self, split: Split) -> &[u32] {
        match split {
            Split::Train => &self.train,
            Split::Valid => &self.valid,
            Split::Holdout => &self.holdout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn shares_and_order() {
        let hashes: Vec<u64> = (0..20_000u32).map(|i| xxh3_64(&i.to_le_bytes())).collect();
        let s = Splits::of(&hashes, None);
        assert_eq!(s.train.len() + s.valid.len() + s.holdout.len(), 20_000);
        assert!((800..1200).contains(&s.valid.len()) && (1800..2200).contains(&s.holdout.len()));
        assert!(s.train.is_sorted() && s.holdout.is_sorted());
    }

    #[test]
    fn equal_rows_fall_on_both_sides_in_proportion() {
        for copies in [100, 230, 1000, 5000] {
            let rows: Vec<u64> = (0..copies * 3).map(|i| xxh3_64(&[(i % 3) as u8])).collect();
            let splits = Splits::of_rows(&rows, None);
            for content in 0..3 {
                let share = |part: &[u32]| {
                    let n = part.iter().filter(|&&row| row as usize % 3 == content).count();
                    n as f64 / copies as f64
                };
                assert!((share(&splits.holdout) - 0.1).abs() < 0.05, "{copies} {}", share(&splits.holdout));
                assert!((share(&splits.valid) - 0.05).abs() < 0.04, "{copies} {}", share(&splits.valid));
            }
        }
        let different: Vec<u64> = (0..2000u32).map(|i| xxh3_64(&i.to_le_bytes())).collect();
        assert_eq!(Splits::of_rows(&different, None), Splits::of(&different, None));
    }

    #[test]
    fn no_part_is_empty_on_tiny_data() {
        for n in 3..20 {
            let s = Splits::of(&vec![500; n], None);
            assert!(!s.train.is_empty() && !s.valid.is_empty() && !s.holdout.is_empty(), "{n}");
        }
    }

    #[test]
    fn official_holdout_is_kept() {
        let hashes: Vec<u64> = (0..100u32).map(|i| xxh3_64(&i.to_le_bytes())).collect();
        let s = Splits::of(&hashes, Some(80..100));
        assert_eq!(s.holdout, (80..100).collect::<Vec<u32>>());
    }
}
