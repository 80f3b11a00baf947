//! Random numbers for what is made up: SplitMix64 (Steele et al. 2014), the same on every machine.

/// The state, which is the seed at first.
pub struct Random(pub u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// From 0 to `n` − 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// One of a list with commas between its words.
    pub fn word(&mut self, list: &'static str) -> &'static str {
        let words: Vec<&'static str> = list.split(", ").collect();
        words[self.below(words.len())]
    }

    /// One of a list with bars between its sentences.
    pub fn sentence(&mut self, list: &'static str) -> &'static str {
        let sentences: Vec<&'static str> = list.split('|').collect();
        sentences[self.below(sentences.len())]
    }

    /// A place in `weights`, each as often as its weight says.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return at;
            }
        }
        weights.len() - 1
    }

    /// About normal, with mean 0 and deviation 1: the sum of twelve uniform numbers.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Waiting times with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// `#` becomes a digit and `@` a letter of British postcodes.
    pub fn fill(&mut self, pattern: &str) -> String {
        const LETTERS: [char; 20] = [
            'A', 'B', 'D', 'E', 'F', 'G', 'H', 'J', 'L', 'N', 'P', 'Q', 'R', 'S', 'T', 'U', 'W', 'X', 'Y',
            'Z',
        ];
        let fill = |c| match c {
            '#' => char::from(b'0' + self.below(10) as u8),
            '@' => *self.pick(&LETTERS),
            other => other,
        };
        pattern.chars().map(fill).collect()
    }
}
