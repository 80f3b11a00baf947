//! Counts of n-grams beside a network, and both as one model of sequences:
//!
//! ```text
//! p(x_t | x_{<t}, c) = (1 − λ) p_network(x_t | x_{<t}, c) + λ p_counts(x_t | x_{t−n+1..t})
//! ```
//!
//! Counts (`ngram.rs`) know at once what a network learns slowly: names, set phrases, how words are spelled. A network knows
//! what lies further back, and the class. λ is a table (`gate.rs`) that is learned once the network's weights are final, from
//! documents of the valid split: counts find everything that was trained on probable. What both come to is told by halves of
//! these documents, each by the λ of the other.
//!
//! A sequence that goes on word for word as one or two documents do gets its next token from the network alone, until it has left
//! them.

use std::fmt;

use mintage_data::{
    SequenceSet, Split,
    sequence::{BOUNDARY, SequenceInfo},
};

use super::{
    gate::{Evidence, Gate, cell, cross_validated},
    net::Told,
    ngram::{Context, KneserNey},
    token_metrics,
};
use crate::events::Metrics;

/// Tokens of an n-gram, where there are as few as characters and bytes are, and where there are more.
const ORDER_OF_FEW: usize = 7;
const ORDER: usize = 5;
const FEW_TOKENS: usize = 512;
/// Tokens of the train split that are counted: they take 16 bytes each while they are.
const MAX_COUNTED_TOKENS: u64 = 12_000_000;
/// N-grams of all orders: some 400 MB.
const MAX_N_GRAMS: usize = 12_000_000;
/// Documents from which on some are counted as a whole, where not all can be, and not the beginning of each.
const MANY_DOCUMENTS: usize = 100;
/// Tokens and documents of the valid split that weights are learned from.
const MAX_HELD_TOKENS: usize = 65_536;
const MAX_HELD_DOCUMENTS: usize = 512;
/// How often an n-gram occurs that tells of one or two documents.
const MAX_RARE: u32 = 2;
/// Rare n-grams in a row after which counts say nothing: those that end with each of so many characters, or tokens of music.
const MAX_COPIED_CHARS: f64 = 40.0;
const MAX_COPIED_TOKENS: usize = 16;
/// What a file of counts begins with.
const MAGIC: &[u8] = b"MINTCNT1";

/// What a network says of the tokens of a document of a class but for the first.
type Network<'a> = dyn Fn(&[u32], Option<u32>) -> Vec<Told> + 'a;

/// Counts, and how much they tell beside a network.
#[derive(Debug)]
pub struct Counts {
    ngrams: KneserNey,
    gate: Gate,
    /// Rare n-grams in a row after which they say nothing.
    max_copied: usize,
}

/// Where a sequence in the making stands among the counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trail {
    context: Context,
    /// Rare n-grams since the last one that was never counted.
    copied: usize,
}

/// What counting came to.
pub struct Counted {
    /// In a line for the log.
    pub said: String,
    /// Nats a token of held-out documents by network and counts together, and of texts bits a character.
    pub metrics: Metrics,
    /// The counts as a file; nothing where they tell no more than the network.
    pub bytes: Option<Vec<u8>>,
}

impl Counts {
    /// Counts the train split, and learns from the valid split how much that tells beside a network: `told` is what the network
    /// says of the tokens of a document of a class but for the first. `None` where it needs no counts.
    pub fn learn(set: &SequenceSet, told: &Network) -> (Option<Self>, Counted) {
        let (ngrams, counted) = count(set);
        let mut tokens = Vec::new();
        for (document, class) in held_out(set) {
            tokens.extend(evidence(&ngrams, &document, &told(&document, class)));
        }
        let n = tokens.len().max(1) as f64;
        let mean = |weight: f64| tokens.iter().map(|token| token.nats(weight)).sum::<f64>() / n;
        let found = Found {
            order: ngrams.order(),
            n_grams: ngrams.n_grams(),
            counted,
            of: set.tokens(Split::Train),
            held: tokens.len(),
            network: mean(0.0),
            counts: mean(1.0),
            both: cross_validated(ngrams.order(), &tokens) / n,
        };
        let metrics = found.metrics(set.info());
        if !found.helps() {
            return (None, Counted { said: found.to_string(), metrics, bytes: None });
        }
        let gate = Gate::learn(ngrams.order(), tokens);
        let max_copied = max_copied(set.info());
        let counts = Self { ngrams, gate, max_copied };
        let bytes = Some(counts.to_bytes());
        (Some(counts), Counted { said: found.to_string(), metrics, bytes })
    }

    /// `−log p` of the tokens of a document but for the first, by network and counts together: nats.
    pub fn nats(&self, tokens: &[u32], told: &[Told]) -> f64 {
        self.gate.nats(&evidence(&self.ngrams, tokens, told))
    }

    /// The same of each of them.
    pub fn each_nats(&self, tokens: &[u32], told: &[Told]) -> Vec<f64> {
        let each = evidence(&self.ngrams, tokens, told).into_iter();
        each.map(|token| token.nats(self.gate.weight(token.cell))).collect()
    }

    /// Where a sequence stands that begins with some tokens.
    pub fn read(&self, tokens: &[u32]) -> Trail {
        tokens.iter().fold(Trail::default(), |trail, &token| self.next(trail, token))
    }

    /// Where it stands one token later.
    pub fn next(&self, trail: Trail, token: u32) -> Trail {
        let copied = match self.ngrams.times_seen(trail.context, token) {
            0 => 0,
            times if times <= MAX_RARE => trail.copied + 1,
            _ => trail.copied,
        };
        Trail { context: self.ngrams.next(trail.context, token), copied }
    }

    /// What is added to a network's logits of the next token of a sequence, so that they are those of network and counts
    /// together, but for a constant.
    pub fn changes(&self, trail: Trail, logits: &[f32]) -> Vec<f32> {
        if trail.copied >= self.max_copied {
            return vec![0.0; logits.len()];
        }
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let own: Vec<f64> = logits.iter().map(|&logit| f64::from((logit - most).exp())).collect();
        let sum: f64 = own.iter().sum();
        let weight = self.gate.weight(cell(self.ngrams.known(trail.context), (1.0 / sum) as f32));
        let chances = self.ngrams.chances(trail.context);
        let change = |((own, chance), &logit): ((&f64, f64), &f32)| {
            let both = (1.0 - weight) * own / sum + weight * chance;
            ((both * sum).ln() + f64::from(most) - f64::from(logit)) as f32
        };
        own.iter().zip(chances).zip(logits).map(change).collect()
    }

    /// A file of them.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        self.ngrams.write(&mut bytes);
        self.gate.write(&mut bytes);
        bytes
    }

    /// Reads a file, which anybody may have written, for sequences of which this is known.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_bytes(bytes: &[u8], info: &SequenceInfo) -> Result<Self, String> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or("is no file of counts, or of another version")?;
        let ngrams = KneserNey::read(&mut rest, MAX_N_GRAMS).ok_or("its n-grams are damaged, or too many")?;
        let gate = Gate::read(&mut rest, ngrams.order()).ok_or("its weights are damaged")?;
        if !rest.is_empty() {
            return Err("holds more than counts and their weights".to_owned());
        }
        match ngrams.vocab() == info.vocab {
            true => Ok(Self { ngrams, gate, max_copied: max_copied(info) }),
            false => Err(format!("counts {} different tokens, not {}", ngrams.vocab(), info.vocab)),
        }
    }
}

/// What is said of counts: how many there are, and nats a token of held-out documents.
struct Found {
    order: usize,
    n_grams: usize,
    /// Tokens that were counted, and that there are.
    counted: u64,
    of: u64,
    /// Held-out tokens.
    held: usize,
    network: f64,
    counts: f64,
    both: f64,
}

impl Found {
    fn helps(&self) -> bool {
        self.held > 0 && self.both < self.network
    }

    /// Under names that say of what they are.
    fn metrics(&self, info: &SequenceInfo) -> Metrics {
        if self.held == 0 {
            return Metrics::default();
        }
        let named = token_metrics(self.both, info).0.into_iter();
        Metrics(named.map(|(name, value)| (format!("{name}_with_counts"), value)).collect())
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, n_grams, counted, of, held, network, counts, both } = self;
        write!(f, "counts: {n_grams} n-grams of up to {order} tokens in {counted} of {of} tokens; ")?;
        if *held == 0 {
            return write!(f, "nothing is there to validate them by, so they are not used");
        }
        let end = if self.helps() { "" } else { ", so they are not used" };
        write!(f, "nats of {held} validation tokens: network {network:.4}, counts {counts:.4}, ")?;
        write!(f, "both {both:.4}{end}")
    }
}

/// Tokens of an n-gram, by how many different ones there are.
pub fn order(vocab: usize) -> usize {
    if vocab <= FEW_TOKENS { ORDER_OF_FEW } else { ORDER }
}

/// Counts n-grams of the train split, or of so much of it as memory is for; with how many tokens that are.
fn count(set: &SequenceSet) -> (KneserNey, u64) {
    let vocab = set.info().vocab;
    let order = order(vocab);
    let mut share = (MAX_COUNTED_TOKENS as f64 / set.tokens(Split::Train).max(1) as f64).min(1.0);
    loop {
        let documents = learned(set, share);
        let counted = documents.iter().map(|tokens| tokens.len() as u64).sum();
        let streams = documents.iter().map(Vec::as_slice);
        if let Some(ngrams) = KneserNey::fit_within(order, vocab, streams, MAX_N_GRAMS) {
            return (ngrams, counted);
        }
        share *= 0.75;
    }
}

/// Documents of the train split without the boundary before them and with the one behind: a share of all that there are, or of
/// each where there are few.
fn learned(set: &SequenceSet, share: f64) -> Vec<Vec<u32>> {
    let documents = &set.splits().train;
    let are_many = documents.len() >= MANY_DOCUMENTS;
    let is_taken = |at: usize| !are_many || ((at + 1) as f64 * share) as usize > (at as f64 * share) as usize;
    let tokens = |(_, &document): (usize, &u32)| {
        let mut tokens = set.document(document);
        tokens.push(BOUNDARY);
        tokens.remove(0);
        if !are_many {
            tokens.truncate((tokens.len() as f64 * share).ceil() as usize);
        }
        tokens
    };
    documents.iter().enumerate().filter(|(at, _)| is_taken(*at)).map(tokens).collect()
}

/// Documents of the valid split, or their beginnings, with the boundaries around them and their classes.
fn held_out(set: &SequenceSet) -> Vec<(Vec<u32>, Option<u32>)> {
    let documents = &set.splits().valid;
    let step = documents.len().div_ceil(MAX_HELD_DOCUMENTS).max(1);
    let each = MAX_HELD_TOKENS / documents.len().div_ceil(step).max(1);
    let beginning = |&document: &u32| {
        let mut tokens = set.beginning(document, each);
        if tokens.len() < each {
            tokens.push(BOUNDARY);
        }
        (tokens, set.class(document))
    };
    documents.iter().step_by(step).map(beginning).collect()
}

/// What network and counts say of each token of a document but the first.
fn evidence(ngrams: &KneserNey, tokens: &[u32], told: &[Told]) -> Vec<Evidence> {
    let Some((&first, tokens)) = tokens.split_first() else { return Vec::new() };
    let mut context = ngrams.next(Context::default(), first);
    let each = tokens.iter().zip(told).map(|(&token, told)| {
        let (known, counts) = (ngrams.known(context), ngrams.chance(context, token));
        context = ngrams.next(context, token);
        Evidence { cell: cell(known, told.top), network: told.log_p.exp(), counts }
    });
    each.collect()
}

/// Rare n-grams in a row after which counts say nothing.
fn max_copied(info: &SequenceInfo) -> usize {
    match info.chars_per_token > 0.0 {
        true => ((MAX_COPIED_CHARS / info.chars_per_token) as usize).max(1),
        false => MAX_COPIED_TOKENS,
    }
}

#[cfg(test)]
mod tests;
