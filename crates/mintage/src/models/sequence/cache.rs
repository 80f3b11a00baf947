//! Counts of what a document has said so far, beside whatever else tells of its next token:
//!
//! ```text
//! p_k(w | c) = max(a(c w) − D, 0) / A(c) + D n(c) / A(c) p_{k−1}(w | c without its oldest token)
//! p = (1 − μ) p_model + μ p_k       p_{−1} = p_model       k: tokens of the longest context that the document had before
//! ```
//!
//! a(c w) is how often w came after c in this document, n(c) how many tokens did, A(c) how often any did. With D = 1/2 that is
//! prediction by partial matching (PPM; method D of Howard, "The design and analysis of efficient lossless data compression
//! systems", 1993), whose last resort is the model. μ is learned on the way by one pass of EM, for each k: names that come again
//! make it large, and in texts that do not repeat themselves it goes to nothing. A token is counted once it is told.

use hashbrown::HashMap;

/// D
const DISCOUNT: f64 = 0.5;
/// μ at first, and how many tokens it counts for.
const PRIOR_WEIGHT: f64 = 0.05;
const PRIOR_TOKENS: f64 = 20.0;
/// N-grams of all orders that are counted: some 200 MB with their contexts, and more than an evaluation reads of a document.
const MAX_N_GRAMS: usize = 3_600_000;

/// What a document has said so far.
pub struct Cache<'a> {
    /// How often each n-gram came.
    times: HashMap<&'a [u32], u32>,
    /// What came after each context.
    after: HashMap<&'a [u32], After>,
    /// How far the cache is trusted, by the tokens of the longest context that was seen.
    trust: Vec<Trust>,
    /// N-grams that are counted, at most.
    most: usize,
}

/// What came after a context: how many tokens, and how many different ones.
#[derive(Clone, Copy, Default)]
struct After {
    total: u32,
    different: u32,
}

/// Tokens so far, and for how many of them the cache answers.
#[derive(Clone, Copy, Default)]
struct Trust {
    tokens: f64,
    cached: f64,
}

impl<'a> Cache<'a> {
    /// Of n-grams of up to `order` tokens, at the beginning of a document. Of one that has more than [`MAX_N_GRAMS`], those that
    /// come later are not counted; the ones that came before go on to be.
    pub fn new(order: usize) -> Self {
        let trust = vec![Trust::default(); order.max(1)];
        Self { times: HashMap::new(), after: HashMap::new(), trust, most: MAX_N_GRAMS }
    }

    /// `−log p` of the tokens of a part of the document but for the first: nats. `told` has what each takes without the cache.
    pub fn nats(&mut self, tokens: &'a [u32], told: &[f64]) -> f64 {
        let each = (1..tokens.len()).zip(told);
        each.map(|(at, &nats)| self.next(&tokens[..=at], nats)).sum()
    }

    /// `−log p` of the last of the tokens that were `read`; `nats` is that without the cache.
    fn next(&mut self, read: &'a [u32], nats: f64) -> f64 {
        let model = (-nats).exp();
        let (mut cached, mut longest) = (model, None);
        for (context, n_gram) in ends(read, self.trust.len()) {
            // A context that was never seen was not seen with one more token before it either.
            let Some(after) = self.after.get(context) else { break };
            cached = after.chance(self.times.get(n_gram).copied().unwrap_or(0), cached);
            longest = Some(context.len());
        }
        let both = longest.map_or(model, |length: usize| self.trust[length].mixed(model, cached));
        for (context, n_gram) in ends(read, self.trust.len()) {
            // One that was left out was left out of longer ones as well.
            if self.times.len() >= self.most && !self.times.contains_key(n_gram) {
                break;
            }
            let times = self.times.entry(n_gram).or_default();
            *times += 1;
            let after = self.after.entry(context).or_default();
            after.total += 1;
            after.different += u32::from(*times == 1);
        }
        -both.max(f64::MIN_POSITIVE).ln()
    }
}

/// The last tokens as n-grams of one up to `order`, each behind its context.
fn ends(tokens: &[u32], order: usize) -> impl Iterator<Item = (&[u32], &[u32])> {
    (1..=order.min(tokens.len())).map(move |n| {
        let n_gram = &tokens[tokens.len() - n..];
        (&n_gram[..n - 1], n_gram)
    })
}

impl After {
    /// The probability of a token that came so many `times`; `shorter` is that by the next shorter context.
    fn chance(self, times: u32, shorter: f64) -> f64 {
        let left = DISCOUNT * f64::from(self.different);
        ((f64::from(times) - DISCOUNT).max(0.0) + left * shorter) / f64::from(self.total)
    }
}

impl Trust {
    /// The probability by both, from which it learns.
    fn mixed(&mut self, model: f64, cached: f64) -> f64 {
        let weight = (self.cached + PRIOR_TOKENS * PRIOR_WEIGHT) / (self.tokens + PRIOR_TOKENS);
        let both = (1.0 - weight) * model + weight * cached;
        self.tokens += 1.0;
        self.cached += weight * cached / both.max(f64::MIN_POSITIVE);
        both
    }
}

#[cfg(test)]
mod tests {
    use mintage_nn::Rng;

    use super::*;

    /// Nats of tokens that a model finds equally probable, ten of them.
    fn nats(tokens: &[u32]) -> f64 {
        Cache::new(5).nats(tokens, &vec![10f64.ln(); tokens.len() - 1]) / (tokens.len() - 1) as f64
    }

    #[test]
    fn what_comes_again_is_told_at_once_and_chance_costs_little() {
        let mut rng = Rng::new(1, 0);
        let random: Vec<u32> = (0..400).map(|_| rng.below(10) as u32).collect();
        let alone = 10f64.ln();
        let (once, again) = (nats(&random), nats(&random[..50].repeat(8)));
        assert!(once < 1.02 * alone, "{once}");
        assert!(again < 0.5 * alone, "{again}");
        assert!(Cache::new(5).nats(&random[..1], &[]) == 0.0);
    }

    #[test]
    fn chances_are_those_of_ppm() {
        let (p, tokens) = (0.1f64, [0, 1, 2, 1]);
        let found = Cache::new(3).nats(&tokens, &[-p.ln(); 3]);
        // Nothing was seen, then a one, then a one and a two, and never a longer context.
        let chances = [0.5 * p, (0.5 + p) / 2.0];
        let mixed = |weight: f64, chance: f64| (1.0 - weight) * p + weight * chance;
        let second = mixed(0.05, chances[0]);
        let weight = (0.05 * chances[0] / second + 20.0 * 0.05) / (1.0 + 20.0);
        let expected = -p.ln() - second.ln() - mixed(weight, chances[1]).ln();
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    /// Of n-grams of up to four tokens, and so many of them.
    fn within<'a>(most: usize) -> Cache<'a> {
        Cache { most, ..Cache::new(4) }
    }

    #[test]
    fn probabilities_come_to_one_with_room_for_all_n_grams_and_without() {
        let text: Vec<u32> = [1, 2, 3, 1, 2, 4, 1, 2, 3, 5, 1, 2].to_vec();
        let model = [0.1, 0.2, 0.3, 0.15, 0.2, 0.05];
        for most in [MAX_N_GRAMS, 9, 0] {
            let sum: f64 = (0..6u32)
                .map(|token| {
                    let all = [&text[..], &[token]].concat();
                    let told: Vec<f64> =
                        all[1..].iter().map(|&token| -f64::ln(model[token as usize])).collect();
                    let (mut whole, mut known) = (within(most), within(most));
                    (known.nats(&text, &told) - whole.nats(&all, &told)).exp()
                })
                .sum();
            assert!((sum - 1.0).abs() < 1e-9, "{most}: {sum}");
        }
    }

    #[test]
    fn counts_no_more_n_grams_than_there_is_room_for() {
        let mut rng = Rng::new(3, 0);
        let part: Vec<u32> = (0..100).map(|_| rng.below(10) as u32).collect();
        let text = part.repeat(8);
        let told = vec![10f64.ln(); text.len() - 1];
        let (mut few, mut all) = (within(150), within(MAX_N_GRAMS));
        let (of_few, of_all) = (few.nats(&text, &told), all.nats(&text, &told));
        assert!(few.times.len() == 150 && few.after.len() <= 150 && all.times.len() > 200);
        // What was counted is of use when it comes again.
        let alone: f64 = told.iter().sum();
        assert!(of_all < of_few && of_few < alone, "{of_all} {of_few} {alone}");
    }

    #[test]
    fn parts_of_a_document_go_on() {
        let mut rng = Rng::new(2, 0);
        let part: Vec<u32> = (0..100).map(|_| rng.below(10) as u32).collect();
        let told = vec![10f64.ln(); 99];
        let mut cache = Cache::new(5);
        let (first, second) = (cache.nats(&part, &told), cache.nats(&part, &told));
        assert!(second < 0.6 * first, "{first} {second}");
    }
}
