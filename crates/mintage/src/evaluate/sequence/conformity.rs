//! How well does each document conform to what a model learned from?
//!
//! A conformal p-value, as for rows: the share of held-out documents that are at least as strange. Strange is what the
//! model finds improbable, in nats a token, so that length does not count.

use mintage_data::{SequenceSet, sequence::Chunking};
use mintage_nn::Rng;

use super::super::{ItemScore, Options, table::p_values, work};
use crate::models::GenerativeModel;
use crate::{error::Error, events::Event, model::Model, models::sequence::vae};

/// Tokens of a document that are read.
const MAX_TOKENS: usize = 4_096;
/// Held-out documents that items are compared with.
const MAX_REFERENCES: usize = 300;

/// Scores every document of `items` by how well it conforms to `data`.
///
/// `items` must be read with the tokenizer of the model.
///
/// # Errors
/// The model is not one of sequences, or there are too few documents to compare with.
pub fn score(
    model: &Model,
    data: &SequenceSet,
    items: &SequenceSet,
    _options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<ItemScore>, Error> {
    if items.is_empty() {
        return Err(too_few());
    }
    let conformity = DocumentConformity::new(model, data, items.len(), on)?;
    let mut documents = Vec::with_capacity(items.len());
    for document in 0..items.len() as u32 {
        on(work("scoring", conformity.len() + documents.len(), conformity.len() + items.len()));
        documents.push((items.beginning(document, MAX_TOKENS), items.class(document)));
    }
    let mut scores = conformity.of(model, data, &documents)?;
    let total = conformity.len() + items.len();
    on(work("scoring", total, total));
    scores.iter_mut().enumerate().for_each(|(i, score)| items.name(i as u32).clone_into(&mut score.name));
    Ok(scores)
}

/// What documents are compared with: how improbable a model finds held-out ones, in nats a token.
pub(in crate::evaluate) struct DocumentConformity(Vec<f64>);

impl DocumentConformity {
    /// From the data that a model learned from; `more` items will be scored, which counts for progress alone.
    ///
    /// # Errors
    /// The model is not one of sequences, or there are too few documents to compare with.
    pub fn new(
        model: &Model,
        data: &SequenceSet,
        more: usize,
        on: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let splits = data.splits();
        let mut fresh: Vec<u32> = splits.holdout.iter().chain(&splits.valid).copied().collect();
        fresh.truncate(MAX_REFERENCES);
        if fresh.is_empty() {
            return Err(too_few());
        }
        let mut rates = Vec::with_capacity(fresh.len());
        for &document in &fresh {
            on(work("scoring", rates.len(), fresh.len() + more));
            let (nats, tokens) =
                nats(model, data, &data.beginning(document, MAX_TOKENS), data.class(document))?;
            rates.push(nats / tokens);
        }
        Ok(Self(rates))
    }

    /// How many documents are compared with.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The scores of documents: their tokens, boundary first, each with its class. They have no names.
    ///
    /// # Errors
    /// The model is not one of sequences.
    pub fn of(
        &self,
        model: &Model,
        data: &SequenceSet,
        documents: &[(Vec<u32>, Option<u32>)],
    ) -> Result<Vec<ItemScore>, Error> {
        let one = |(tokens, class): &(Vec<u32>, Option<u32>)| {
            nats(model, data, &tokens[..tokens.len().min(MAX_TOKENS)], *class)
        };
        let own = documents.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        let rates: Vec<f64> = own.iter().map(|(nats, tokens)| nats / tokens).collect();
        let shares = p_values(&rates, self.0.clone());
        let score = |(share, (nats, _)): (f64, (f64, f64))| ItemScore {
            name: String::new(),
            conformity: 100.0 * share,
            nll: Some(nats),
        };
        Ok(shares.into_iter().zip(own).map(score).collect())
    }
}

fn too_few() -> Error {
    Error::request("there are too few documents to compare with")
}

/// The negative log-likelihood of a document in nats, and of how many tokens.
fn nats(model: &Model, data: &SequenceSet, tokens: &[u32], class: Option<u32>) -> Result<(f64, f64), Error> {
    let parts = model.sequences()?;
    if let Some(nats) = parts.model.whole_nll(tokens, class) {
        return Ok((nats, tokens.len().saturating_sub(1).max(1) as f64));
    }
    let (Chunking::Segments(longest) | Chunking::Windows(longest)) = parts.model.config().cut();
    let batch = data.batch_of(tokens, class, longest);
    if batch.n == 0 {
        return Ok((0.0, 1.0));
    }
    let nats = parts.model.nll(&batch, vae::SAMPLES, &mut Rng::new(0, 0)).unwrap_or_default();
    Ok((nats.iter().sum(), batch.targets().max(1) as f64))
}
