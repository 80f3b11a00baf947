//! Sequences token by token: how the next one is chosen, when a sequence ends, and what to do when it outgrows what the
//! network has learned to see.

use crate::models::Conditioning;
use mintage_data::sequence::{BOUNDARY, NO_TOKEN, SequenceInfo};
use mintage_nn::{
    Rng, cancel,
    layers::{Decoder, KvCache, Positions},
    weights::to_vec,
};
use rayon::prelude::*;

use super::{
    counts::{Counts, Trail},
    plan::{Plan, beside},
};

/// How the next token is chosen among the probable ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingParams {
    /// 1 is the model's own distribution; 0 always takes the most probable token.
    pub temperature: f32,
    /// Only the `k` most probable tokens.
    pub top_k: Option<usize>,
    /// Only the most probable tokens up to this probability in all (Holtzman et al., arXiv:1904.09751).
    pub top_p: Option<f32>,
    /// Only tokens at least this share as probable as the most probable one (Nguyen et al., arXiv:2407.01082).
    pub min_p: Option<f32>,
    /// What the scores of recent tokens are divided by, or multiplied by where negative (Keskar et al.,
    /// arXiv:1909.05858); 1 changes nothing.
    pub repetition: f32,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None, min_p: None, repetition: 1.0 }
    }
}

/// Default weight of classifier-free guidance.
///
/// Without guidance, a model that has not trained for long writes one text in ten, or in four, in another
/// language than the one asked for.
pub const GUIDANCE: f32 = 2.0;
/// Tokens that count as recent.
const RECENT_TOKENS: usize = 64;

impl SamplingParams {
    /// A token by its logits; `recent` came before it. `None` where no token is possible.
    pub fn pick(&self, logits: &mut [f32], recent: &[u32], rng: &mut Rng) -> Option<u32> {
        if self.repetition != 1.0 {
            let recent = &recent[recent.len().saturating_sub(RECENT_TOKENS)..];
            let mut seen = recent.to_vec();
            seen.sort_unstable();
            seen.dedup();
            for token in seen.into_iter().filter(|&token| token != BOUNDARY) {
                if let Some(logit) = logits.get_mut(token as usize) {
                    *logit *= if *logit > 0.0 { 1.0 / self.repetition } else { self.repetition };
                }
            }
        }
        let (best, top) = logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (token, &logit)| {
            if logit > best.1 { (token, logit) } else { best }
        });
        // One number a token, whatever the choice: other knobs do not change what comes of the same seed elsewhere.
        let u = rng.uniform();
        if !top.is_finite() {
            return None;
        }
        if self.temperature <= 0.0 {
            return Some(best as u32);
        }
        let scale = 1.0 / self.temperature;
        let mut chances: Vec<f32> = logits.iter().map(|&logit| ((logit - top) * scale).exp()).collect();
        if let Some(share) = self.min_p {
            chances.iter_mut().filter(|chance| **chance < share).for_each(|chance| *chance = 0.0);
        }
        if self.top_k.is_some() || self.top_p.is_some() {
            self.cut(&mut chances);
        }
        let mut left = u * chances.iter().sum::<f32>();
        let last = chances.iter().rposition(|&chance| chance > 0.0).unwrap_or(best);
        let drawn = chances.iter().position(|&chance| {
            left -= chance;
            left < 0.0 && chance > 0.0
        });
        Some(drawn.unwrap_or(last) as u32)
    }

    /// Leaves the most probable ones.
    fn cut(&self, chances: &mut [f32]) {
        let mut order: Vec<u32> = (0..chances.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| chances[b as usize].total_cmp(&chances[a as usize]));
        let whole: f32 = chances.iter().sum();
        let (mut kept, most) = (0.0, self.top_k.unwrap_or(usize::MAX).max(1));
        for (rank, &token) in order.iter().enumerate() {
            let full = rank >= most || self.top_p.is_some_and(|p| rank > 0 && kept >= p * whole);
            let chance = &mut chances[token as usize];
            kept += *chance;
            if full {
                *chance = 0.0;
            }
        }
    }
}

/// Sets the logits of tokens that may not come next to `−∞`: takes the row, its new tokens so far, and the
/// logits.
pub type Limit<'a> = dyn FnMut(usize, &[u32], &mut [f32]) + 'a;

/// How to draw sequences.
#[derive(Clone, Debug)]
pub struct SequenceSampleParams<'a> {
    /// Number of sequences to draw.
    pub n: usize,
    /// What every sequence begins with; [`BOUNDARY`] alone for a new document.
    pub prompt: &'a [u32],
    /// The class of all sequences, an index into the classes of the data; `None` for no class in particular.
    pub class: Option<u32>,
    /// Weight of classifier-free guidance towards the class (Ho & Salimans, arXiv:2207.12598); 1 is the plain conditional
    /// model.
    pub guidance: f32,
    /// What the sequences are made from; the tokens of an item begin with [`BOUNDARY`].
    pub conditioning: Conditioning<&'a [u32]>,
    /// Where on an interpolation the first and the last row lie: 0 is its first item, 1 its last.
    pub shares: (f32, f32),
    /// New tokens at most.
    pub length: usize,
    /// Whether a sequence goes on after the end of a document, with another one.
    pub endless: bool,
    /// How the next token is chosen among the probable ones.
    pub choice: SamplingParams,
}

impl SequenceSampleParams<'_> {
    /// `n` new documents of at most `length` tokens.
    pub fn new(n: usize, length: usize) -> Self {
        let (conditioning, choice) = (Conditioning::None, SamplingParams::default());
        let (prompt, shares) = (&[BOUNDARY], (0.0, 1.0));
        Self {
            n,
            prompt,
            class: None,
            guidance: GUIDANCE,
            conditioning,
            shares,
            length,
            endless: false,
            choice,
        }
    }
}

/// A sequence in the making.
struct Row {
    /// The prompt, and what came since.
    tokens: Vec<u32>,
    /// Where they stand among the counts, if there are any.
    trail: Trail,
    rng: Rng,
    done: bool,
}

impl Row {
    fn last(&self, n: usize) -> &[u32] {
        &self.tokens[self.tokens.len() - n..]
    }
}

/// Takes the row and each new token, and returns whether the sequence goes on.
pub type Listener<'a> = dyn FnMut(usize, u32) -> bool + 'a;

/// What to draw, which tokens may come next, and what is called with every token.
pub type Drawing<'a> = (&'a SequenceSampleParams<'a>, &'a mut Limit<'a>, &'a mut Listener<'a>);

/// The network that writes, and how many tokens it has learned to see.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// The causal transformer.
    pub net: &'a Decoder,
    /// Vocabulary, classes and periods of what it writes.
    pub info: &'a SequenceInfo,
    /// Tokens that it has learned to see at once.
    pub context: usize,
    /// Counts of n-grams that have their say beside the network.
    pub counts: Option<&'a Counts>,
}

impl Writer<'_> {
    /// Draws sequences: what follows the prompt, without the boundary that ends a document. Whenever a
    /// sequence outgrows the context, the last half of it is read anew.
    pub fn write(
        &self,
        draw: &SequenceSampleParams,
        limit: &mut Limit,
        on: &mut Listener,
        rng: &mut Rng,
    ) -> Vec<Vec<u32>> {
        self.rows(draw, &[], forks(draw.n, rng), limit, on)
    }

    /// The same by plans: `plan` makes one for a row, given its prompt. An endless sequence is one document after
    /// another, for each of which a plan is asked for.
    pub fn write_planned(
        &self,
        draw: &SequenceSampleParams,
        plan: &mut dyn FnMut(usize, &[u32], &mut Rng) -> Plan,
        limit: &mut Limit,
        on: &mut Listener,
        rng: &mut Rng,
    ) -> Vec<Vec<u32>> {
        let mut rngs = forks(draw.n, rng);
        if draw.endless {
            let rows = rngs.into_iter().enumerate();
            return rows.map(|(row, rng)| self.endless(draw, row, plan, limit, on, rng)).collect();
        }
        let plans: Vec<Plan> =
            rngs.iter_mut().enumerate().map(|(row, rng)| plan(row, draw.prompt, rng)).collect();
        self.rows(draw, &plans, rngs, limit, on)
    }

    fn endless(
        &self,
        draw: &SequenceSampleParams,
        row: usize,
        plan: &mut dyn FnMut(usize, &[u32], &mut Rng) -> Plan,
        limit: &mut Limit,
        on: &mut Listener,
        mut rng: Rng,
    ) -> Vec<u32> {
        let (mut all, mut prompt, mut goes_on) = (Vec::new(), draw.prompt, true);
        while goes_on && all.len() < draw.length && !cancel::wanted() {
            let length = draw.length - all.len();
            let one = SequenceSampleParams { n: 1, prompt, length, endless: false, ..draw.clone() };
            let plans = [plan(row, prompt, &mut rng)];
            // The tokens of this document are added to those of the others as they come.
            let before = all.len();
            let mut limit = |_: usize, new: &[u32], logits: &mut [f32]| {
                all.extend_from_slice(&new[all.len() - before..]);
                limit(row, &all, logits);
            };
            let mut listen = |_, token| {
                goes_on = on(row, token);
                goes_on
            };
            let piece = self.rows(&one, &plans, forks(1, &mut rng), &mut limit, &mut listen).swap_remove(0);
            all.truncate(before);
            all.extend(piece);
            if goes_on && all.len() < draw.length {
                all.push(BOUNDARY);
                goes_on = on(row, BOUNDARY);
            }
            prompt = &[BOUNDARY];
        }
        all
    }

    fn rows(
        &self,
        draw: &SequenceSampleParams,
        plans: &[Plan],
        rngs: Vec<Rng>,
        limit: &mut Limit,
        on: &mut Listener,
    ) -> Vec<Vec<u32>> {
        let first = draw.prompt.len();
        let trail = self.counts.map(|counts| counts.read(draw.prompt)).unwrap_or_default();
        let row = |rng| Row { tokens: draw.prompt.to_vec(), trail, rng, done: draw.length == 0 };
        let mut rows: Vec<Row> = rngs.into_iter().map(row).collect();
        let cache = KvCache::default();
        let guidance = draw.class.map_or(1.0, |_| draw.guidance);
        let mut reader =
            Reader { writer: *self, plans, class: draw.class, guidance, cache, rows: Vec::new() };
        while rows.iter().any(|row| !row.done) && !cancel::wanted() {
            let mut logits = reader.read(&rows);
            let vocab = logits.len() / reader.rows.len();
            for (&at, logits) in reader.rows.iter().zip(logits.chunks_exact_mut(vocab)) {
                let row = &mut rows[at];
                if row.done {
                    continue;
                }
                limit(at, &row.tokens[first..], logits);
                // Where nothing may come, the sequence is at its end.
                let token = draw.choice.pick(logits, &row.tokens, &mut row.rng).unwrap_or(BOUNDARY);
                row.done = token == BOUNDARY && !draw.endless;
                if !row.done {
                    row.trail = self.counts.map_or(row.trail, |counts| counts.next(row.trail, token));
                    row.tokens.push(token);
                    row.done = !on(at, token) || row.tokens.len() - first >= draw.length;
                }
            }
        }
        rows.into_iter().map(|mut row| row.tokens.split_off(first)).collect()
    }
}

/// Random numbers of each row: the first rows do not depend on how many there are.
fn forks(n: usize, rng: &mut Rng) -> Vec<Rng> {
    (0..n).map(|_| rng.fork()).collect()
}

/// The network with what it remembers of some of the rows.
struct Reader<'a> {
    writer: Writer<'a>,
    /// One for each of all rows, or none.
    plans: &'a [Plan],
    class: Option<u32>,
    /// Where it is not 1, the cache holds every row once more, of no class.
    guidance: f32,
    cache: KvCache,
    /// Which rows the cache holds. Those that are done stay until it is made anew.
    rows: Vec<usize>,
}

impl Reader<'_> {
    /// Logits of the next token of each of `self.rows`, which hold all that are not done.
    fn read(&mut self, rows: &[Row]) -> Vec<f32> {
        let Writer { net, info, context, counts } = self.writer;
        let open: Vec<usize> = (0..rows.len()).filter(|&row| !rows[row].done).collect();
        let anew = self.cache.time == 0 || self.cache.time >= context || 2 * open.len() <= self.rows.len();
        if anew {
            self.rows = open;
            self.cache = KvCache::default();
        }
        // Rows that are not done are of one length.
        let known = rows[self.rows[0]].tokens.len();
        let window = match anew {
            true if known >= context => (context / 2).max(1),
            true => known,
            false => 1,
        };
        let guided = self.guidance != 1.0;
        let copies = if guided { 2 } else { 1 };
        let read: Vec<usize> = self.rows.repeat(copies);
        let tokens: Vec<u32> = read.iter().flat_map(|&row| rows[row].last(window)).copied().collect();
        let mut classes = vec![self.class.unwrap_or(NO_TOKEN); tokens.len()];
        classes[self.rows.len() * window..].fill(NO_TOKEN);
        let places = || (known - window..known).flat_map(|place| info.period_positions(place as u64));
        let period_positions: Vec<u32> = read.iter().flat_map(|_| places()).collect();
        let at = Positions {
            n: read.len(),
            tokens: &tokens,
            classes: &classes,
            period_positions: &period_positions,
        };
        let planned = (!self.plans.is_empty()).then(|| {
            let plans = read.iter().map(|&row| &self.plans[row]);
            beside(plans, known - window..known, &net.device())
        });
        let h = match anew {
            true => net.read(at, planned, &mut self.cache),
            false => net.next(at, planned, &mut self.cache),
        };
        let mut logits = to_vec(&net.logits(h));
        let free = if guided { logits.split_off(logits.len() / 2) } else { Vec::new() };
        let changes = counts.map(|counts| self.changes(counts, rows, &logits)).unwrap_or_default();
        // Guidance is by the network alone, which knows classes; it moves what counts find probable as well.
        let guide = |(logit, free): (&mut f32, f32)| *logit = free + self.guidance * (*logit - free);
        logits.iter_mut().zip(free).for_each(guide);
        logits.iter_mut().zip(changes).for_each(|(logit, change)| *logit += change);
        logits
    }

    /// What counts change of the logits of each of `self.rows`.
    fn changes(&self, counts: &Counts, rows: &[Row], logits: &[f32]) -> Vec<f32> {
        let each = logits.par_chunks_exact(logits.len() / self.rows.len());
        let each = self.rows.par_iter().zip(each);
        each.flat_map_iter(|(&row, logits)| counts.changes(rows[row].trail, logits)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn draws(choice: SamplingParams, logits: &[f32]) -> Vec<u32> {
        let mut rng = Rng::new(1, 0);
        (0..2000).map(|_| choice.pick(&mut logits.to_vec(), &[2, 2], &mut rng).unwrap()).collect()
    }

    #[test]
    fn choices_cut_what_they_say() {
        let logits = [0.0, 1.0, 2.0, -1.0, f32::NEG_INFINITY];
        let kinds = |choice: SamplingParams| {
            let mut drawn = draws(choice, &logits);
            drawn.sort_unstable();
            drawn.dedup();
            drawn
        };
        assert_eq!(kinds(SamplingParams::default()), [0, 1, 2, 3]);
        assert_eq!(kinds(SamplingParams { temperature: 0.0, ..SamplingParams::default() }), [2]);
        assert_eq!(kinds(SamplingParams { top_k: Some(2), ..SamplingParams::default() }), [1, 2]);
        assert_eq!(kinds(SamplingParams { top_p: Some(0.8), ..SamplingParams::default() }), [1, 2]);
        assert_eq!(kinds(SamplingParams { min_p: Some(0.1), ..SamplingParams::default() }), [0, 1, 2]);
        let share = |choice| draws(choice, &logits).iter().filter(|&&t| t == 2).count();
        assert!(
            share(SamplingParams { repetition: 2.0, ..SamplingParams::default() })
                < share(SamplingParams::default()) * 3 / 4
        );
        assert_eq!(
            SamplingParams::default().pick(&mut [f32::NEG_INFINITY; 3], &[], &mut Rng::new(1, 0)),
            None
        );
    }
}
