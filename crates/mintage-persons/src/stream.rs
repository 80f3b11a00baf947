//! Numbers that look random and are the same for the same seed: SplitMix64 over a seed that SipHash-2-4 made.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// The number that belongs to `parts` under a key of 128 bits; the parts are told apart by their lengths.
pub(crate) fn keyed(key: (u64, u64), parts: &[&str]) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(key.0, key.1);
    for part in parts {
        hasher.write_u64(part.len() as u64);
        hasher.write(part.as_bytes());
    }
    hasher.finish()
}

/// A seed of what `label` names within what `seed` makes.
pub(crate) fn derive(seed: u64, label: &str) -> u64 {
    keyed((seed, 0x6d69_6e74_6167_6521), &[label])
}

/// Which of the values that a seed has is drawn: another attempt where one is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    pub seed: u64,
    pub attempt: u32,
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    state: u64,
    attempt: u32,
}

impl Stream {
    pub fn new(seed: u64, attempt: u32) -> Self {
        Self { state: seed ^ u64::from(attempt).wrapping_mul(0xd1b5_4a32_d192_ed03), attempt }
    }

    /// How many attempts there were before: the more, the further from the lists is what is made.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 where there is none.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// A number of `low..=high`.
    pub fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    pub fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }

    /// One of weighted things; none where there are none.
    pub fn weighted<'a, T>(&mut self, things: &'a [T], weight: impl Fn(&T) -> u32) -> Option<&'a T> {
        let sum: usize = things.iter().map(|thing| weight(thing) as usize).sum();
        let mut at = self.below(sum);
        things.iter().find(|thing| {
            let weight = weight(thing) as usize;
            let found = at < weight;
            at = at.wrapping_sub(weight);
            found
        })
    }

    pub fn digit(&mut self) -> char {
        char::from(b'0' + self.below(10) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for the seed 1234567, as published with the algorithm.
    #[test]
    fn is_splitmix64() {
        let mut stream = Stream::new(1_234_567, 0);
        assert_eq!(stream.next(), 6_457_827_717_110_365_317);
        assert_eq!(stream.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(keyed((1, 2), &["ab", "c"]), keyed((1, 2), &["a", "bc"]));
        let weights = [("a", 0), ("b", 3), ("c", 1)];
        let mut stream = Stream::new(7, 0);
        assert!((0..100).all(|_| stream.weighted(&weights, |w| w.1).is_some_and(|w| w.0 != "a")));
        assert!(stream.weighted(&[(0u8, 0u32)], |w| w.1).is_none());
    }
}
