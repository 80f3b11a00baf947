//! Train, valid, holdout: by a hash of each item's bytes, so that an item stays where it is from run to
//! run, however the source is ordered, and exact duplicates never fall on both sides.

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

impl Splits {
    /// Splits by content hashes; `official_holdout` marks items that the source itself set aside.
    pub fn of(hashes: &[u64], official_holdout: Option<std::ops::Range<usize>>) -> Self {
        let mut splits = Self::default();
        for (i, hash) in hashes.iter().enumerate() {
            // The low bits of one hash serve as the place in 0..1000.
            let place = hash % 1000;
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
