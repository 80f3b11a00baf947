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

/// What a document has said so far.
pub struct Cache<'a> {
    seen: HashMap<&'a [u32], Seen>,
    /// How far the cache is trusted, by the tokens of the longest context that was seen.
    trust: Vec<Trust>,
}

/// What came after a context.
#[derive(Default)]
struct Seen {
    total: u32,
    /// Each token with how often it came.
    tokens: Vec<(u32, u32)>,
}

/// Tokens so far, and for how many of them the cache answers.
#[derive(Clone, Copy, Default)]
struct Trust {
    tokens: f64,
    cached: f64,
}

impl<'a> Cache<'a> {
    /// Of n-grams of up to `order` tokens, at the beginning of a document.
    pub fn new(order: usize) -> Self {
        Self { seen: HashMap::new(), trust: vec![Trust::default(); order.max(1)] }
    }

    /// `−log p` of the tokens of a part of the document but for the first: nats. `told` has what each takes without the cache.
    pub fn nats(&mut self, tokens: &'a [u32], told: &[f64]) -> f64 {
        let each = (1..tokens.len()).zip(told);
        each.map(|(at, &nats)| self.next(&tokens[..at], tokens[at], nats)).sum()
    }

    fn next(&mut self, before: &'a [u32], token: u32, nats: f64) -> f64 {
        let model = (-nats).exp();
        let (mut cached, mut longest) = (model, None);
        for context in ends(before, self.trust.len()) {
            // A context that was never seen was not seen with one more token before it either.
            let Some(seen) = self.seen.get(&context) else { break };
            cached = seen.chance(token, cached);
            longest = Some(context.len());
        }
        let both = longest.map_or(model, |length: usize| self.trust[length].mixed(model, cached));
        for context in ends(before, self.trust.len()) {
            self.seen.entry(context).or_default().count(token);
        }
        -both.max(f64::MIN_POSITIVE).ln()
    }
}

/// The last tokens, from none up to one fewer than `order`.
fn ends(tokens: &[u32], order: usize) -> impl Iterator<Item = &[u32]> {
    (0..order.min(tokens.len() + 1)).map(move |length| &tokens[tokens.len() - length..])
}

impl Seen {
    /// The probability of a token; `shorter` is that by the next shorter context.
    fn chance(&self, token: u32, shorter: f64) -> f64 {
        let times =
            self.tokens.iter().find(|(own, _)| *own == token).map_or(0.0, |&(_, times)| f64::from(times));
        let left = DISCOUNT * self.tokens.len() as f64;
        ((times - DISCOUNT).max(0.0) + left * shorter) / f64::from(self.total)
    }

    fn count(&mut self, token: u32) {
        self.total += 1;
        match self.tokens.iter_mut().find(|(own, _)| *own == token) {
            Some((_, times)) => *times += 1,
            None => self.tokens.push((token, 1)),
        }
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
    fn probabilities_come_to_one() {
        let text: Vec<u32> = [1, 2, 3, 1, 2, 4, 1, 2, 3, 5, 1, 2].to_vec();
        let model = [0.1, 0.2, 0.3, 0.15, 0.2, 0.05];
        let sum: f64 = (0..6u32)
            .map(|token| {
                let all = [&text[..], &[token]].concat();
                let told: Vec<f64> = all[1..].iter().map(|&token| -f64::ln(model[token as usize])).collect();
                let (mut whole, mut known) = (Cache::new(4), Cache::new(4));
                (known.nats(&text, &told) - whole.nats(&all, &told)).exp()
            })
            .sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
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
