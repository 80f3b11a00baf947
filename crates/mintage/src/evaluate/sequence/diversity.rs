//! How varied a set of samples is, and how far its n-grams are from those of real sequences.
//!
//! - distinct-n (Li et al., arXiv:1510.03055): different n-grams over all n-grams of the set.
//! - self-BLEU (Zhu et al., arXiv:1802.01886): the mean over the samples of BLEU-4 of one against all others.
//! - the Jensen–Shannon distance of the n-grams of two sets, the root of
//!   JSD(P, Q) = ½ Σ p log2(p / m) + ½ Σ q log2(q / m) with m = (p + q) / 2: 0 where they are the same, 1 where they
//!   share nothing.
//!
//! BLEU (Papineni et al., 2002) is min(1, exp(1 − r/c)) exp(¼ Σ log p_n): c the length of the sample, r that of the
//! reference nearest to it in length (the shorter of two), p_n the share of its n-grams that a reference has, each
//! counted at most as often as the reference that has it most. Where p_n is 0, a tenth of an n-gram counts as
//! shared (Chen and Cherry, 2014, method 1), and the score is 0 where not even a token is.
//!
//! Distinct-n falls with the size of a set, and the distance with that of both: [`subsample`] makes sizes equal.

use std::collections::HashMap;

use mintage_nn::Rng;
use rayon::prelude::*;

use super::stretches;
use crate::models::sequence::ngram::{Counted, run_lengths};

/// Tokens of the longest n-grams of self-BLEU and of the distances.
const MAX_NGRAM: usize = 4;
/// What counts as shared where no n-gram is.
const EPSILON: f64 = 0.1;

/// distinct-n: different n-grams over all n-grams, for n from 1 to 4; more is more varied.
///
/// NaN where there are none.
pub fn distinct_n(samples: &[&[u32]], n: usize) -> f64 {
    let all = grams(samples, n);
    let different = all.chunk_by(|a, b| a == b).count();
    different as f64 / all.len() as f64
}

/// Self-BLEU-4 of up to `most` samples drawn with `seed`, from 0 to 1; less is more varied.
///
/// NaN with fewer than two. More references find more: compare sets of as many samples.
pub fn self_bleu(samples: &[&[u32]], most: usize, seed: u64) -> f64 {
    let mut order = Rng::new(seed, 0).permutation(samples.len());
    order.truncate(most);
    let counted: Vec<Sample> = order.par_iter().map(|&i| Sample::new(samples[i])).collect();
    if counted.len() < 2 {
        return f64::NAN;
    }
    let references = References::new(&counted);
    let scores: Vec<f64> = (0..counted.len()).into_par_iter().map(|i| references.bleu(&counted, i)).collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}

/// Jensen–Shannon distances between the n-grams of two sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JsDistances {
    /// Jensen–Shannon distance of the n-grams for n from 1 to 4: 0 is the same, 1 nothing in common.
    pub by_n: [f64; MAX_NGRAM],
    /// Number of tokens of either set that were compared.
    pub tokens: usize,
}

/// Jensen–Shannon distances between the n-grams of `a` and `b`; NaN where a set is empty.
///
/// Of as many tokens of either as the smaller has, and at most `most`, drawn with `seed`.
pub fn js_distances(a: &[&[u32]], b: &[&[u32]], most: usize, seed: u64) -> JsDistances {
    let tokens = most.min(size(a)).min(size(b));
    let (a, b) = (subsample(a, tokens, seed), subsample(b, tokens, seed));
    let one = |n: usize| js_distance(&run_lengths(&grams(&a, n)), &run_lengths(&grams(&b, n)));
    let by_n: Vec<f64> = (1..MAX_NGRAM + 1).into_par_iter().map(one).collect();
    JsDistances { by_n: std::array::from_fn(|i| by_n[i]), tokens }
}

/// Sequences in an order drawn with `seed`, until they have `tokens` tokens; the last is cut short.
pub fn subsample<'a>(sequences: &[&'a [u32]], tokens: usize, seed: u64) -> Vec<&'a [u32]> {
    let mut left = tokens;
    let mut taken = Vec::new();
    for i in Rng::new(seed, 0).permutation(sequences.len()) {
        let sequence = &sequences[i][..sequences[i].len().min(left)];
        left -= sequence.len();
        taken.push(sequence);
        if left == 0 {
            break;
        }
    }
    taken
}

fn size(sequences: &[&[u32]]) -> usize {
    sequences.iter().map(|sequence| sequence.len()).sum()
}

/// The n-grams between boundaries, each packed into a number, sorted.
fn grams(sequences: &[&[u32]], n: usize) -> Vec<u128> {
    let n = n.clamp(1, MAX_NGRAM);
    let windows = sequences.iter().flat_map(|s| stretches(s)).flat_map(|stretch| stretch.windows(n));
    let mut packed: Vec<u128> = windows.map(pack).collect();
    packed.par_sort_unstable();
    packed
}

/// At most four tokens of 32 bits.
fn pack(gram: &[u32]) -> u128 {
    gram.iter().fold(0, |packed, &token| (packed << 32) | u128::from(token))
}

fn js_distance(a: &Counted, b: &Counted) -> f64 {
    let total = |counted: &Counted| counted.1.iter().map(|&c| f64::from(c)).sum::<f64>();
    let (total_a, total_b) = (total(a), total(b));
    let mut sum = 0.0;
    let (mut i, mut j) = (0, 0);
    while i < a.0.len() || j < b.0.len() {
        let least = a.0.get(i).into_iter().chain(b.0.get(j)).min();
        let share = |counted: &Counted, place: &mut usize, total: f64| {
            let here = counted.0.get(*place) == least;
            let count = if here { f64::from(counted.1[*place]) } else { 0.0 };
            *place += usize::from(here);
            count / total
        };
        sum += divergence(share(a, &mut i, total_a), share(b, &mut j, total_b));
    }
    if total_a > 0.0 && total_b > 0.0 { sum.clamp(0.0, 1.0).sqrt() } else { f64::NAN }
}

/// What one n-gram adds to JSD, in bits.
fn divergence(p: f64, q: f64) -> f64 {
    let m = (p + q) / 2.0;
    let half = |p: f64| if p > 0.0 { 0.5 * p * (p / m).log2() } else { 0.0 };
    half(p) + half(q)
}

/// The n-grams of a sample, for n from 1 to 4.
struct Sample {
    length: usize,
    by_n: [Counted; MAX_NGRAM],
}

impl Sample {
    fn new(sequence: &[u32]) -> Self {
        let by_n: [Counted; MAX_NGRAM] = std::array::from_fn(|i| run_lengths(&grams(&[sequence], i + 1)));
        Self { length: by_n[0].1.iter().map(|&count| count as usize).sum(), by_n }
    }
}

/// How often the sample that has an n-gram most has it, which sample that is, and how often any other has it: all
/// that has to be known to leave one sample out.
#[derive(Clone, Copy, Default)]
struct Most {
    count: u32,
    owner: usize,
    second: u32,
}

struct References {
    by_n: [HashMap<u128, Most>; MAX_NGRAM],
}

impl References {
    fn new(samples: &[Sample]) -> Self {
        let mut by_n: [HashMap<u128, Most>; MAX_NGRAM] = Default::default();
        for (owner, sample) in samples.iter().enumerate() {
            for (most, (grams, counts)) in by_n.iter_mut().zip(&sample.by_n) {
                for (&gram, &count) in grams.iter().zip(counts) {
                    let most = most.entry(gram).or_default();
                    if count > most.count {
                        *most = Most { count, owner, second: most.count };
                    } else {
                        most.second = most.second.max(count);
                    }
                }
            }
        }
        Self { by_n }
    }

    /// BLEU-4 of one sample against all others.
    fn bleu(&self, samples: &[Sample], one: usize) -> f64 {
        let sample = &samples[one];
        let mut logs = 0.0;
        for (n, (grams, counts)) in sample.by_n.iter().enumerate() {
            let others = |gram: &u128| match self.by_n[n].get(gram) {
                Some(most) if most.owner == one => most.second,
                Some(most) => most.count,
                None => 0,
            };
            let shared: u32 = grams.iter().zip(counts).map(|(gram, &count)| count.min(others(gram))).sum();
            if n == 0 && shared == 0 {
                return 0.0;
            }
            let all: u32 = counts.iter().sum();
            let shared = if shared == 0 { EPSILON } else { f64::from(shared) };
            logs += (shared / f64::from(all.max(1))).ln() / MAX_NGRAM as f64;
        }
        brevity(sample.length, nearest_length(samples, one)) * logs.exp()
    }
}

fn brevity(length: usize, reference: usize) -> f64 {
    (1.0 - reference as f64 / length as f64).min(0.0).exp()
}

fn nearest_length(samples: &[Sample], one: usize) -> usize {
    let others = samples.iter().enumerate().filter(|&(i, _)| i != one).map(|(_, sample)| sample.length);
    others.min_by_key(|&length| (length.abs_diff(samples[one].length), length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn distinct_counts_what_is_different() {
        // 1 2 1 2 | 3: of five unigrams three are different, of the bigrams 12 21 12 two.
        let samples: [&[u32]; 2] = [&[1, 2, 1, 2, 0, 3], &[]];
        close(distinct_n(&samples, 1), 3.0 / 5.0);
        close(distinct_n(&samples, 2), 2.0 / 3.0);
        close(distinct_n(&samples, 3), 1.0);
        close(distinct_n(&samples, 4), 1.0);
        assert!(distinct_n(&[], 1).is_nan());
    }

    #[test]
    fn distances_worked_out_by_hand() {
        // Unigrams ½ ½ 0 and ½ 0 ½: JSD = 2 · ½ · ½ · log2(½ / ¼) = ½. Bigrams 12 and 13 share nothing.
        let found = js_distances(&[&[1, 2]], &[&[1, 3]], 100, 1);
        close(found.by_n[0], 0.5f64.sqrt());
        close(found.by_n[1], 1.0);
        assert!(found.by_n[2].is_nan());
        assert_eq!(found.tokens, 2);
        // Unigrams ¾ ¼ and ¼ ¾, m = ½: JSD = ¾ log2(3/2) + ¼ log2(1/2) = 1 − H(¼) bits.
        let found = js_distances(&[&[1, 1, 1, 2]], &[&[2, 2], &[2, 1]], 100, 1);
        close(found.by_n[0], (0.75 * 1.5f64.log2() - 0.25).sqrt());
        let same: [&[u32]; 2] = [&[1, 2, 3, 4, 0, 5, 6], &[7, 7, 7, 7]];
        assert_eq!(js_distances(&same, &same, 100, 1).by_n, [0.0; 4]);
    }

    #[test]
    fn sets_are_made_equal() {
        let (a, b) = (vec![5; 1_000], vec![6; 30]);
        let many: Vec<&[u32]> = a.chunks(70).collect();
        let found = js_distances(&many, &[&b[..10], &b[10..]], 25, 3);
        assert_eq!(found.tokens, 25);
        assert_eq!(found.by_n, [1.0; 4]);
        let taken = subsample(&many, 333, 9);
        assert_eq!(size(&taken), 333);
        assert_eq!(taken, subsample(&many, 333, 9));
        assert_eq!(size(&subsample(&many, 9_999, 9)), 1_000);
        assert!(subsample(&[], 5, 1).is_empty());
    }

    #[test]
    fn self_bleu_worked_out_by_hand() {
        // a = 1 2 3 4 5 against b = 1 2 3 4 6 7: p = 4/5, 3/4, 2/3, 1/2, and a is shorter by one: exp(1 − 6/5).
        // b against a: p = 4/6, 3/5, 2/4, 1/3, no penalty.
        let a = (-0.2f64).exp() * (0.8f64 * 0.75 * (2.0 / 3.0) * 0.5).powf(0.25);
        let b = (4.0 / 6.0 * 0.6 * 0.5 / 3.0f64).powf(0.25);
        close(self_bleu(&[&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 6, 7]], 200, 1), (a + b) / 2.0);
        // 1 1 2 against 1 2 2: clipped 2/3, one bigram of two, no longer ones: (⅔ · ½ · 0.1/1 · 0.1/1)^¼ each.
        let each = (2.0 / 3.0 * 0.5 * 0.1 * 0.1f64).powf(0.25);
        close(self_bleu(&[&[1, 1, 2], &[1, 2, 2]], 200, 1), each);
        assert_eq!(self_bleu(&[&[1, 2, 3, 4], &[5, 6, 7, 8]], 200, 1), 0.0);
        assert_eq!(self_bleu(&[&[1, 2, 3, 4, 5][..]; 3], 200, 1), 1.0);
        assert!(self_bleu(&[&[1, 2]], 200, 1).is_nan());
        assert_eq!(self_bleu(&[&[], &[1]], 200, 1), 0.0);
    }

    #[test]
    fn leaving_one_out_is_what_all_other_references_say() {
        let mut rng = Rng::new(4, 0);
        let mut sample = |_| (0..30).map(|_| 1 + rng.below(4) as u32).collect::<Vec<u32>>();
        let samples: Vec<Vec<u32>> = (0..8).map(&mut sample).collect();
        let slices: Vec<&[u32]> = samples.iter().map(|s| &s[..]).collect();
        let count = |s: &[u32], gram: &[u32]| s.windows(gram.len()).filter(|w| *w == gram).count();
        let mut sum = 0.0;
        for (i, one) in slices.iter().enumerate() {
            let mut product = 1.0;
            for n in 1..=4 {
                let mut different: Vec<&[u32]> = one.windows(n).collect();
                different.sort_unstable();
                different.dedup();
                let others = |gram: &[u32]| {
                    (0..8).filter(|&j| j != i).map(|j| count(slices[j], gram)).max().unwrap_or(0)
                };
                let shared: usize = different.iter().map(|gram| count(one, gram).min(others(gram))).sum();
                product *= (shared as f64).max(0.1) / (31 - n) as f64;
            }
            sum += product.powf(0.25);
        }
        close(self_bleu(&slices, 200, 7), sum / 8.0);
        assert_eq!(self_bleu(&slices, 3, 7), self_bleu(&slices, 3, 7));
    }
}
