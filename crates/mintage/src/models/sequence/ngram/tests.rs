//! Kneser–Ney beside its definitions, word for word.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use mintage_nn::Rng;

use super::*;

/// Documents with habits, a boundary after each.
fn text(n: usize, vocab: u32, seed: u64) -> Vec<u32> {
    let mut rng = Rng::new(seed, 0);
    let mut tokens = vec![1];
    while tokens.len() < n {
        let last = tokens[tokens.len() - 1];
        let step = rng.below(3) as u32 * rng.below(3) as u32;
        tokens.push(if rng.below(30) == 0 { 0 } else { (2 * last + step) % vocab });
    }
    tokens
}

/// The definitions, word for word.
struct Naive {
    counts: Vec<BTreeMap<Vec<u32>, u32>>,
    vocab: usize,
}

impl Naive {
    fn fit(order: usize, vocab: usize, streams: &[&[u32]]) -> Self {
        let mut seen: Vec<BTreeMap<Vec<u32>, u32>> = vec![BTreeMap::new(); order + 1];
        let mut before: Vec<BTreeMap<Vec<u32>, BTreeSet<u32>>> = vec![BTreeMap::new(); order + 1];
        for stream in streams {
            let padded = [&[0], *stream].concat();
            for i in 1..padded.len() {
                let boundary = (0..i).rev().find(|&j| padded[j] == 0).unwrap_or(0);
                for k in 1..=order.min(i + 1 - boundary) {
                    let start = i + 1 - k;
                    let gram = padded[start..=i].to_vec();
                    let whole = k == order || k > 1 && padded[start] == 0;
                    if whole {
                        *seen[k].entry(gram).or_default() += 1;
                    } else {
                        before[k].entry(gram).or_default().insert(padded[start - 1]);
                    }
                }
            }
        }
        for (seen, before) in seen.iter_mut().zip(before) {
            seen.extend(before.into_iter().map(|(gram, set)| (gram, set.len() as u32)));
        }
        Self { counts: seen, vocab }
    }

    fn probability(&self, context: &[u32], token: u32) -> f64 {
        let k = context.len() + 1;
        let below = || match context {
            [] => 1.0 / self.vocab as f64,
            [_, rest @ ..] => self.probability(rest, token),
        };
        let after = |w: u32| self.counts[k].get(&[context, &[w]].concat()).copied().unwrap_or(0);
        let total: u32 = (0..self.vocab as u32).map(after).sum();
        if total == 0 {
            return below();
        }
        let d = discounts(&self.counts[k].values().copied().collect::<Vec<_>>());
        let taken = |a: u32| if a == 0 { 0.0 } else { d[a.min(3) as usize - 1] };
        let gamma = (0..self.vocab as u32).map(|w| taken(after(w))).sum::<f64>() / f64::from(total);
        (f64::from(after(token)) - taken(after(token))) / f64::from(total) + gamma * below()
    }

    fn nll(&self, order: usize, sequence: &[u32]) -> f64 {
        let padded = [&[0], sequence].concat();
        let nats = |i: usize| {
            let boundary = (0..i).rev().find(|&j| padded[j] == 0).unwrap_or(0);
            -self.probability(&padded[boundary.max((i + 1).saturating_sub(order))..i], padded[i]).ln()
        };
        (1..padded.len()).map(nats).sum()
    }
}

#[test]
fn it_is_what_the_definitions_say() {
    for (n, vocab, order) in [(12, 5, 3), (400, 11, 1), (3_000, 7, 2), (5_000, 13, 4), (5_000, 300, 5)] {
        let (a, b) = (text(n, vocab, 1), text(n / 2, vocab, 2));
        let new = text(200, vocab, 3);
        let model = KneserNey::fit(order, vocab as usize, [&a[..], &b[..]].into_iter());
        let naive = Naive::fit(order, vocab as usize, &[&a, &b]);
        let (ours, theirs) = (model.nll(&new), naive.nll(order, &new));
        assert!((ours - theirs).abs() < 1e-9 * theirs, "{order}: {ours} {theirs}");
        assert!((model.nll_per_token(&[&new]) - ours / new.len() as f64).abs() < 1e-12);
    }
}

#[test]
fn probabilities_sum_to_one() {
    let train = text(4_000, 40, 1);
    for order in 1..=6 {
        let model = KneserNey::fit(order, 40, std::iter::once(&train[..]));
        for context in [&[][..], &[0], &[7], &[39, 1, 2], &train[90..95], &train[7..9], &[3, 0, 1]] {
            let each: Vec<f64> = (0..40).map(|token| model.probability(context, token)).collect();
            let sum: f64 = each.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "{order} {context:?} {sum}");
            let start = model.next(Context::default(), BOUNDARY);
            let all = model.chances(context.iter().fold(start, |before, &token| model.next(before, token)));
            assert!(
                all.iter().zip(&each).all(|(all, each)| (all - each).abs() < 1e-12),
                "{order} {context:?}"
            );
        }
    }
}

#[test]
fn longer_contexts_predict_better_and_samples_look_like_the_text() {
    let (train, new) = (text(60_000, 20, 1), text(5_000, 20, 2));
    let fit = |order| KneserNey::fit(order, 20, std::iter::once(&train[..]));
    let (one, three) = (fit(1), fit(3));
    assert!(three.nll(&new) < 0.8 * one.nll(&new));
    let mut rng = Rng::new(5, 0);
    let drawn = three.sample(20_000, &mut || rng.uniform());
    // The text is a Markov chain of order 1: what is drawn costs what new text costs.
    let (drawn, new) = (three.nll_per_token(&[&drawn]), three.nll_per_token(&[&new]));
    assert!((drawn - new).abs() < 0.04, "{drawn} {new}");
}

#[test]
fn unigrams_are_drawn_as_often_as_they_were_seen() {
    let train: Vec<u32> = (0..3_000).map(|i| [1, 1, 1, 2, 2, 0][i % 6]).collect();
    let model = KneserNey::fit(1, 3, std::iter::once(&train[..]));
    let mut rng = Rng::new(5, 0);
    let drawn = model.sample(30_000, &mut || rng.uniform());
    let share = drawn.iter().filter(|&&token| token == 1).count() as f64 / 30_000.0;
    assert!((share - 0.5).abs() < 0.02, "{share}");
    assert!((model.probability(&[2, 2], 1) - 0.5).abs() < 0.01);
}

#[test]
fn nothing_and_strangers_do_no_harm() {
    let empty = KneserNey::fit(5, 10, std::iter::empty());
    assert!((empty.nll(&[3]) - 10f64.ln()).abs() < 1e-12);
    assert!(empty.nll_per_token(&[]).is_nan());
    assert_eq!(empty.sample(3, &mut || 0.99), [9, 9, 9]);
    let model = KneserNey::fit(9, 4, [&[1, 2, 3, 9, 900][..], &[]].into_iter());
    assert!(model.nll(&[1, 2, 3, 77, 0, 0, 5]).is_finite());
    assert!(model.sample(50, &mut || 0.5).iter().all(|&token| token < 4));
    assert_eq!(KneserNey::fit(0, 0, std::iter::empty()).sample(2, &mut || 0.0), [0, 0]);
    assert_eq!(KneserNey::fit(99, 8_000, std::iter::empty()).order(), 9);
}

#[test]
fn knows_how_much_of_a_context_was_seen() {
    let model = KneserNey::fit(3, 10, [&[1, 2, 3, 1, 2, 4, 1, 2, 3, 0][..]].into_iter());
    let after = |tokens: &[u32]| tokens.iter().fold(Context::default(), |at, &token| model.next(at, token));
    assert_eq!(model.known(after(&[5, 1, 2])), Known { tokens: 2, total: 3.0 });
    assert_eq!(model.known(after(&[2, 2])).tokens, 1);
    assert_eq!(model.known(after(&[1, 9])).tokens, 0);
    assert_eq!((model.times_seen(after(&[1, 2]), 3), model.times_seen(after(&[1, 2]), 4)), (2, 1));
    assert_eq!((model.times_seen(after(&[1, 2]), 1), model.times_seen(after(&[2]), 3)), (0, 0));
    let nothing = KneserNey::fit(3, 10, std::iter::empty());
    assert_eq!(nothing.known(after(&[1, 2])), Known { tokens: 0, total: 0.0 });
    assert!(nothing.chances(after(&[1, 2])).iter().all(|chance| (chance - 0.1).abs() < 1e-12));
}

#[test]
fn bytes_give_the_same_model_and_damaged_ones_none() {
    let (train, new) = (text(3_000, 40, 1), text(500, 40, 2));
    for order in [1, 2, 5] {
        let model = KneserNey::fit(order, 40, train.split(|&token| token == 0));
        let mut bytes = Vec::new();
        model.write(&mut bytes);
        bytes.extend([1, 2, 3]);
        let mut rest = &bytes[..];
        let same = KneserNey::read(&mut rest, model.n_grams()).unwrap();
        assert_eq!(rest, [1, 2, 3]);
        assert_eq!((same.order(), same.vocab(), same.n_grams()), (order, 40, model.n_grams()));
        assert_eq!(same.nll(&new).to_bits(), model.nll(&new).to_bits());
        let mut again = Vec::new();
        same.write(&mut again);
        assert_eq!(again, bytes[..bytes.len() - 3]);
        // Nothing of it panics, whatever it comes to.
        assert!(KneserNey::read(&mut &bytes[..bytes.len() / 2], usize::MAX).is_none());
        assert!(KneserNey::read(&mut &bytes[..], model.n_grams() - 1).is_none());
        for at in 0..200 {
            let mut damaged = bytes.clone();
            damaged[at * bytes.len() / 200] ^= 1 << (at % 8);
            if let Some(other) = KneserNey::read(&mut &damaged[..], 100_000) {
                assert!(other.nll(&new[..50]).is_finite());
            }
        }
    }
}

#[test]
fn more_n_grams_than_may_be_are_refused() {
    let train = text(3_000, 40, 1);
    let streams = || std::iter::once(&train[..]);
    let all = KneserNey::fit(4, 40, streams()).n_grams();
    assert!(KneserNey::fit_within(4, 40, streams(), all - 1).is_none());
    assert_eq!(KneserNey::fit_within(4, 40, streams(), all).unwrap().n_grams(), all);
}
