//! What samples have word for word from the training data, and where from.
//!
//! A suffix automaton of the samples (Blumer et al., 1985; of several strings as in Mohri, Moreno and Weinstein,
//! 2009) reads the training tokens once and keeps, for each of its states, the longest run that was found there.
//! Reading the samples again gives the *matching statistics*: for every place in a sample the longest run ending
//! there that train has as well. All is exact, memory goes by the samples, about 100 bytes a token, and the training
//! data, which are many times larger, need no index of their own.
//!
//! A run ends at a boundary. Held-out documents put through the same function say how much of a new text stands in
//! train by chance: sayings, names, and n-grams that nobody can avoid.

use std::ops::Range;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::BOUNDARY;

/// A run of tokens that a sample shares with train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Number of tokens; 0 where nothing is shared.
    pub length: usize,
    /// Index in the sample of its first token.
    pub sample: usize,
    /// Index in train of its first token.
    pub train: usize,
}

/// What one sample shares with train word for word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copied {
    /// The longest run, the first of several; of length 0 where no token is shared.
    pub longest: Run,
    /// Share of the n-grams of the sample that train has, from 0 to 1; NaN where it is too short to have any.
    pub ngrams: f64,
}

/// What each of `samples` shares with `train`: its longest run, and the share of its `n`-grams.
///
/// `train` has its documents with boundaries between. In parallel over parts of train.
pub fn copies(train: &[u32], samples: &[&[u32]], n: usize) -> Vec<Copied> {
    let automaton = Automaton::new(samples);
    let found = automaton.read(train);
    samples.par_iter().map(|sample| automaton.copied(&found, sample, n.max(1))).collect()
}

/// At every place of each of `samples` the length of the longest run ending there that `train` has.
pub fn lengths(train: &[u32], samples: &[&[u32]]) -> Vec<Vec<usize>> {
    let automaton = Automaton::new(samples);
    let found = automaton.read(train);
    let of = |sample: &&[u32]| automaton.runs(&found, sample).map(|run| run.length).collect();
    samples.par_iter().map(of).collect()
}

/// At every place of `train` the length of the longest run ending there that one of `samples` has.
pub fn shared_runs(train: &[u32], samples: &[&[u32]]) -> Vec<u32> {
    let automaton = Automaton::new(samples);
    let read = |part: Range<usize>| {
        let (mut state, mut length) = (ROOT, 0);
        let mut one = |place: usize| {
            (state, length) = automaton.follow(state, length, train[place]);
            length
        };
        part.map(&mut one).collect::<Vec<u32>>()
    };
    let parts = parts(train, rayon::current_num_threads());
    let found: Vec<Vec<u32>> = parts.into_par_iter().map(read).collect();
    found.concat()
}

/// The range of a run in train with up to `context` tokens on either side, within its document.
pub fn passage(train: &[u32], run: &Run, context: usize) -> Range<usize> {
    let start = run.train.min(train.len());
    let end = (start + run.length).min(train.len());
    let before = train[..start].iter().rev().take(context).take_while(|&&t| t != BOUNDARY).count();
    let after = train[end..].iter().take(context).take_while(|&&t| t != BOUNDARY).count();
    start - before..end + after
}

const ROOT: u32 = 0;
/// The root has no link, the last edge of a state no next one.
const NONE: u32 = u32::MAX;

/// A set of substrings of the samples that end in the same places.
#[derive(Clone, Copy)]
struct State {
    /// The length of the longest of them; the others are its suffixes.
    length: u32,
    /// The state of the longest suffix that is not among them.
    link: u32,
    /// Its first edge.
    edge: u32,
}

#[derive(Clone, Copy)]
struct Edge {
    token: u32,
    target: u32,
    /// The next edge of the same state.
    next: u32,
}

/// The longest match of a state, and where in train it ends.
#[derive(Clone, Copy, Default)]
struct Match {
    length: u32,
    end: usize,
}

impl Match {
    /// The longer one, the earlier of equal ones: whatever the order, the result is the same.
    fn better(self, other: Self) -> Self {
        let key = |m: &Self| (std::cmp::Reverse(m.length), m.end);
        if key(&other) < key(&self) { other } else { self }
    }
}

struct Automaton {
    states: Vec<State>,
    edges: Vec<Edge>,
    /// The edge of a state and a token.
    places: HashMap<(u32, u32), u32>,
}

impl Automaton {
    fn new(samples: &[&[u32]]) -> Self {
        let root = State { length: 0, link: NONE, edge: NONE };
        let mut automaton = Self { states: vec![root], edges: Vec::new(), places: HashMap::new() };
        for sample in samples {
            let mut last = ROOT;
            for &token in *sample {
                last = if token == BOUNDARY { ROOT } else { automaton.extend(last, token) };
            }
        }
        automaton
    }

    fn step(&self, state: u32, token: u32) -> Option<u32> {
        self.places.get(&(state, token)).map(|&edge| self.edges[edge as usize].target)
    }

    fn state(&self, state: u32) -> State {
        self.states[state as usize]
    }

    fn push(&mut self, state: State) -> u32 {
        self.states.push(state);
        self.states.len() as u32 - 1
    }

    fn connect(&mut self, state: u32, token: u32, target: u32) {
        let edges = &mut self.edges;
        let place = *self.places.entry((state, token)).or_insert_with(|| {
            let head = &mut self.states[state as usize].edge;
            edges.push(Edge { token, target, next: *head });
            *head = edges.len() as u32 - 1;
            *head
        });
        edges[place as usize].target = target;
    }

    /// The state of `last`'s longest string with `token` after it.
    fn extend(&mut self, last: u32, token: u32) -> u32 {
        let length = self.state(last).length + 1;
        if let Some(next) = self.step(last, token) {
            return if self.state(next).length == length { next } else { self.split(last, token, next) };
        }
        let new = self.push(State { length, link: ROOT, edge: NONE });
        let mut from = last;
        while from != NONE {
            if let Some(next) = self.step(from, token) {
                let whole = self.state(next).length == self.state(from).length + 1;
                self.states[new as usize].link = if whole { next } else { self.split(from, token, next) };
                break;
            }
            self.connect(from, token, new);
            from = self.state(from).link;
        }
        new
    }

    /// Takes out of `next` the strings that `from` and its suffixes reach: they now end in more places.
    fn split(&mut self, from: u32, token: u32, next: u32) -> u32 {
        let length = self.state(from).length + 1;
        let new = self.push(State { length, link: self.state(next).link, edge: NONE });
        let mut edge = self.state(next).edge;
        while edge != NONE {
            let Edge { token, target, next } = self.edges[edge as usize];
            self.connect(new, token, target);
            edge = next;
        }
        self.states[next as usize].link = new;
        let mut from = from;
        while from != NONE && self.step(from, token) == Some(next) {
            self.connect(from, token, new);
            from = self.state(from).link;
        }
        new
    }

    /// For each state the longest of its strings that train has; where it has none, that of its suffixes.
    fn read(&self, train: &[u32]) -> Vec<Match> {
        let none = || vec![Match::default(); self.states.len()];
        let merge = |mut a: Vec<Match>, b: Vec<Match>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = a.better(b));
            a
        };
        let parts = parts(train, rayon::current_num_threads());
        let mut found = parts.into_par_iter().map(|part| self.scan(train, part)).reduce(none, merge);
        let mut by_length: Vec<u32> = (1..self.states.len() as u32).collect();
        by_length.sort_unstable_by_key(|&state| self.state(state).length);
        for &state in by_length.iter().rev() {
            let link = self.state(state).link;
            let Match { length, end } = found[state as usize];
            let suffix = Match { length: length.min(self.state(link).length), end };
            found[link as usize] = found[link as usize].better(suffix);
        }
        for &state in &by_length {
            if found[state as usize].length == 0 {
                found[state as usize] = found[self.state(state).link as usize];
            }
        }
        found
    }

    /// Follows a part of train, always with the longest suffix that a sample has.
    fn scan(&self, train: &[u32], part: Range<usize>) -> Vec<Match> {
        let mut found = vec![Match::default(); self.states.len()];
        let (mut state, mut length) = (ROOT, 0);
        for place in part {
            (state, length) = self.follow(state, length, train[place]);
            let end = place + 1;
            found[state as usize] = found[state as usize].better(Match { length, end });
        }
        found
    }

    fn follow(&self, mut state: u32, mut length: u32, token: u32) -> (u32, u32) {
        if token == BOUNDARY {
            return (ROOT, 0);
        }
        loop {
            if let Some(next) = self.step(state, token) {
                return (next, length + 1);
            }
            if state == ROOT {
                return (ROOT, 0);
            }
            state = self.state(state).link;
            length = self.state(state).length;
        }
    }

    /// The longest run that ends at each place of a sample.
    fn runs<'a>(&'a self, found: &'a [Match], sample: &'a [u32]) -> impl Iterator<Item = Run> + 'a {
        let (mut state, mut length) = (ROOT, 0);
        sample.iter().enumerate().map(move |(place, &token)| {
            (state, length) = self.follow(state, length, token);
            let Match { length: in_train, end } = found[state as usize];
            let run = in_train.min(length) as usize;
            Run { length: run, sample: place + 1 - run, train: end - run }
        })
    }

    fn copied(&self, found: &[Match], sample: &[u32], n: usize) -> Copied {
        let mut longest = Run::default();
        let (mut all, mut shared, mut since) = (0, 0, 0);
        for (run, &token) in self.runs(found, sample).zip(sample) {
            since = if token == BOUNDARY { 0 } else { since + 1 };
            all += usize::from(since >= n);
            shared += usize::from(run.length >= n);
            if run.length > longest.length {
                longest = run;
            }
        }
        Copied { longest, ngrams: shared as f64 / all as f64 }
    }
}

/// About `count` parts of train that begin after a boundary.
fn parts(train: &[u32], count: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for part in 1..count.max(1) {
        let wanted = (train.len() * part / count).max(start);
        let Some(boundary) = train[wanted..].iter().position(|&token| token == BOUNDARY) else { break };
        parts.push(start..wanted + boundary);
        start = wanted + boundary;
    }
    parts.push(start..train.len());
    parts
}

#[cfg(test)]
mod tests {
    use mintage_nn::Rng;

    use super::*;

    fn text(n: usize, vocab: usize, seed: u64) -> Vec<u32> {
        let mut rng = Rng::new(seed, 0);
        (0..n).map(|_| if rng.below(25) == 0 { BOUNDARY } else { 1 + rng.below(vocab) as u32 }).collect()
    }

    fn has(train: &[u32], run: &[u32]) -> bool {
        !run.contains(&BOUNDARY) && train.windows(run.len()).any(|window| window == run)
    }

    fn naive(train: &[u32], sample: &[u32], n: usize) -> (usize, f64) {
        let runs = |length: usize| sample.windows(length).filter(|run| !run.contains(&BOUNDARY));
        let longest = (1..=sample.len()).rev().find(|&length| runs(length).any(|run| has(train, run)));
        let shared = runs(n).filter(|run| has(train, run)).count();
        (longest.unwrap_or(0), shared as f64 / runs(n).count() as f64)
    }

    #[test]
    fn runs_are_those_of_a_plain_search() {
        for (vocab, n) in [(1, 3), (2, 8), (3, 4), (20, 2)] {
            let train = text(1_500, vocab, 1);
            let mut samples: Vec<Vec<u32>> = (0..12).map(|i| text(60, vocab, 10 + i)).collect();
            samples.push(train[400..460].to_vec());
            samples.push(samples[0].clone());
            let slices: Vec<&[u32]> = samples.iter().map(|s| &s[..]).collect();
            for (copied, sample) in copies(&train, &slices, n).iter().zip(&samples) {
                let Run { length, sample: at, train: from } = copied.longest;
                assert_eq!(sample[at..at + length], train[from..from + length]);
                let (longest, share) = naive(&train, sample, n);
                assert_eq!(length, longest);
                assert!((copied.ngrams - share).abs() < 1e-12 || copied.ngrams.is_nan() && share.is_nan());
            }
        }
    }

    #[test]
    fn a_planted_passage_is_found_with_what_stands_around_it() {
        let train = text(20_000, 1_000, 1);
        let at =
            (0..train.len()).find(|&i| i > 9_000 && !train[i - 3..i + 15].contains(&BOUNDARY)).unwrap_or(0);
        let mut sample = text(200, 1_000, 2);
        sample[0..20].fill(2_000);
        sample[5..17].copy_from_slice(&train[at..at + 12]);
        let copied = copies(&train, &[&sample], 8)[0];
        assert_eq!(copied.longest, Run { length: 12, sample: 5, train: at });
        assert_eq!(passage(&train, &copied.longest, 3), at - 3..at + 15);
        let whole = passage(&train, &copied.longest, 1_000);
        assert!(!train[whole.clone()].contains(&BOUNDARY));
        assert!(train[whole.start - 1] == BOUNDARY && train[whole.end] == BOUNDARY);
    }

    #[test]
    fn threads_change_nothing() {
        let (train, sample) = (text(5_000, 3, 1), text(300, 3, 2));
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.map(|pool| pool.install(|| copies(&train, &[&sample], 8))).unwrap_or_default()
        };
        assert_eq!(with(1), with(5));
        assert_eq!(with(1).len(), 1);
        let parts = parts(&train, 7);
        assert_eq!(parts.iter().map(Range::len).sum::<usize>(), train.len());
        assert!(parts.iter().skip(1).all(|part| train[part.start] == BOUNDARY));
    }

    #[test]
    fn nothing_in_common_is_no_run() {
        let found = copies(&[1, 2, 3], &[&[4, 5], &[], &[0, 0], &[3]], 1);
        assert_eq!(found[0], Copied { longest: Run::default(), ngrams: 0.0 });
        assert!(found[1].ngrams.is_nan() && found[2].ngrams.is_nan());
        assert_eq!(found[3].longest, Run { length: 1, sample: 0, train: 2 });
        assert_eq!(copies(&[], &[&[1]], 8)[0].longest.length, 0);
        assert_eq!(passage(&[], &Run::default(), 5), 0..0);
    }
}
