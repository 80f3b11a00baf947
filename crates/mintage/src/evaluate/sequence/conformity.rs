//! How well does each document conform to what a model learned from?
//!
//! A conformal p-value, as for rows: the share of held-out documents that are at least as strange. Strange is what the
//! model finds improbable, in nats a token, so that length does not count.

use mintage_data::SequenceSet;
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
    let parts = model.sequences()?;
    let splits = data.splits();
    let mut fresh: Vec<u32> = splits.holdout.iter().chain(&splits.valid).copied().collect();
    fresh.truncate(MAX_REFERENCES);
    if fresh.is_empty() || items.is_empty() {
        return Err(Error::request("there are too few documents to compare with"));
    }
    let total = fresh.len() + items.len();
    let mut done = 0;
    let mut read = |set: &SequenceSet, document: u32| {
        on(work("scoring", done, total));
        done += 1;
        let cut = parts.model.config().cut();
        let tokens = set.beginning(document, MAX_TOKENS);
        if let Some(nats) = parts.model.whole_nll(&tokens, set.class(document)) {
            return (nats, (tokens.len() - 1).max(1) as f64);
        }
        let items: Vec<u32> = set.items_of(document, cut).take(MAX_TOKENS / cut.time() + 1).collect();
        if items.is_empty() {
            return (0.0, 1.0);
        }
        let batch = set.batch(&items, cut, None);
        let nats = parts
            .model
            .nll(&batch, vae::SAMPLES, &mut Rng::new(0, 0))
            .unwrap_or_default()
            .iter()
            .sum::<f64>();
        (nats, batch.targets().max(1) as f64)
    };
    let of_fresh: Vec<(f64, f64)> = fresh.iter().map(|&document| read(data, document)).collect();
    let own: Vec<(f64, f64)> = (0..items.len() as u32).map(|document| read(items, document)).collect();
    on(work("scoring", total, total));
    let rates = |all: &[(f64, f64)]| -> Vec<f64> { all.iter().map(|(nats, tokens)| nats / tokens).collect() };
    let shares = p_values(&rates(&own), rates(&of_fresh));
    let item = |i: usize| ItemScore {
        name: items.name(i as u32).to_owned(),
        conformity: 100.0 * shares[i],
        nll: Some(own[i].0),
    };
    Ok((0..items.len()).map(item).collect())
}
