//! Distinct texts, each kept once: one string of all of them, where each ends, and a table of hashes.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// A set of texts that numbers them in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    all: String,
    /// Where the text of each number ends in `all`.
    ends: Vec<usize>,
    index: HashTable<u32>,
}

impl Texts {
    /// The number of `text`, which is added where it is new.
    pub fn insert(&mut self, text: &str) -> u32 {
        let hash = xxh3_64(text.as_bytes());
        let Self { all, ends, index } = self;
        if let Some(&number) = index.find(hash, |&number| at(all, ends, number) == text) {
            return number;
        }
        let number = ends.len() as u32;
        all.push_str(text);
        ends.push(all.len());
        index.insert_unique(hash, number, |&number| xxh3_64(at(all, ends, number).as_bytes()));
        number
    }

    /// The number of `text`, if it is there.
    pub fn find(&self, text: &str) -> Option<u32> {
        let equal = |&number: &u32| self.get(number) == text;
        self.index.find(xxh3_64(text.as_bytes()), equal).copied()
    }

    /// The text of a number.
    pub fn get(&self, number: u32) -> &str {
        at(&self.all, &self.ends, number)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.ends.len() as u32).map(|number| self.get(number))
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

fn at<'a>(all: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &all[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_as_they_come() {
        let mut texts = Texts::default();
        let numbers: Vec<u32> = ["да", "", "нет", "да", ""].map(|text| texts.insert(text)).to_vec();
        assert_eq!(numbers, [0, 1, 2, 0, 1]);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["да", "", "нет"]);
        assert_eq!((texts.find("нет"), texts.find("не")), (Some(2), None));
        for i in 0..5000 {
            assert_eq!(texts.insert(&format!("text {i}")), i + 3);
        }
        assert_eq!(texts.find("text 4321"), Some(4324));
    }
}
