//! How well does each row conform to what a model learned from?
//!
//! A conformal p-value, as for images: the share of held-out rows that are at least as strange. Strange is what
//! lies far from every training row, and what the model gives a low likelihood (where it has one): the smaller
//! of the two p-values counts, doubled (Bonferroni). Categories that the training rows do not have are far from
//! all of them, whatever the model thinks.

use mintage_data::TableSet;

use super::{
    super::{ItemScore, Options, work},
    Frame, privacy,
};
use crate::{error::Error, events::Event, model::Model, models::Batch};

/// Held-out rows that items are compared with.
const MAX_REFERENCES: usize = 10_000;

/// Scores every row of `items` by how well it conforms to `data`.
///
/// `items` must be read with the transform of the model.
///
/// # Errors
/// There are too few rows to compare with, or the items lack a column.
pub fn score(
    model: &Model,
    data: &TableSet,
    items: &TableSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<ItemScore>, Error> {
    let splits = data.splits();
    // A tiny table may have no holdout to speak of; the valid split was not trained on either.
    let mut fresh: Vec<u32> = splits.holdout.iter().chain(&splits.valid).copied().collect();
    fresh.truncate(MAX_REFERENCES);
    if fresh.is_empty() || items.is_empty() {
        return Err(Error::request("there are too few rows to compare with"));
    }
    on(work("scoring", 0, 2));
    let (train, real) = (data.table().select(&splits.train), data.table().select(&fresh));
    let [train, real, rows] = Frame::together([&train, &real, items.table()], data.schema())?;
    let distances = |frame: &Frame| {
        let found = privacy(frame, &train, &real, options.seed);
        found.neighbours.into_iter().map(|(_, distance)| f64::from(distance)).collect::<Vec<f64>>()
    };
    let mut shares = vec![p_values(&distances(&rows), distances(&real))];
    on(work("scoring", 1, 2));
    let all: Vec<u32> = (0..items.len() as u32).collect();
    let nll = model.nll(&Batch::Table(items.batch(&all)), 1, options.seed);
    let of_fresh = model.nll(&Batch::Table(data.batch(&fresh)), 1, options.seed);
    if let (Some(nll), Some(of_fresh)) = (&nll, of_fresh) {
        shares.push(p_values(nll, of_fresh));
    }
    on(work("scoring", 2, 2));
    let row = |i: usize| {
        let least = shares.iter().map(|s| s[i]).fold(1.0, f64::min);
        ItemScore {
            name: format!("row {}", i + 1),
            conformity: (100.0 * least * shares.len() as f64).min(100.0),
            nll: nll.as_ref().map(|nll| nll[i]),
        }
    };
    Ok((0..items.len()).map(row).collect())
}

/// For each value the share of the expected ones that are at least as large.
pub(crate) fn p_values(values: &[f64], mut expected: Vec<f64>) -> Vec<f64> {
    expected.sort_unstable_by(f64::total_cmp);
    let n = expected.len();
    let share = |&value: &f64| (1 + n - expected.partition_point(|&e| e < value)) as f64 / (n + 1) as f64;
    values.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_count_what_is_as_strange() {
        let found = p_values(&[0.0, 2.0, 9.0], vec![3.0, 1.0, 2.0]);
        assert_eq!(found, [1.0, 0.75, 0.25]);
    }
}
