//! How well does each row conform to what a model learned from?
//!
//! A conformal p-value, as for images: the share of held-out rows that are at least as strange. Strange is what
//! lies far from every training row, and what the model gives a low likelihood (where it has one): the smaller
//! of the two p-values counts, doubled (Bonferroni). Categories that the training rows do not have are far from
//! all of them, whatever the model thinks.

use mintage_data::{Table, TableSet};

use super::{
    super::{ItemScore, Options, work},
    Frame,
    neighbours::{Norm, Scale, Space, nearest},
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
    if items.is_empty() {
        return Err(too_few());
    }
    on(work("scoring", 0, 2));
    let conformity = RowConformity::new(model, data, options.seed)?;
    on(work("scoring", 1, 2));
    let scores = conformity.of(model, data, items, options.seed);
    on(work("scoring", 2, 2));
    scores
}

/// What rows are compared with.
pub(in crate::evaluate) struct RowConformity {
    train: Table,
    /// Distances of held-out rows to the nearest training row.
    distances: Vec<f64>,
    /// Their negative log-likelihoods, where the family has any.
    nll: Option<Vec<f64>>,
}

impl RowConformity {
    /// From the data that a model learned from.
    ///
    /// # Errors
    /// There are too few rows to compare with.
    pub fn new(model: &Model, data: &TableSet, seed: u64) -> Result<Self, Error> {
        let splits = data.splits();
        // A tiny table may have no holdout to speak of; the valid split was not trained on either.
        let mut fresh: Vec<u32> = splits.holdout.iter().chain(&splits.valid).copied().collect();
        fresh.truncate(MAX_REFERENCES);
        if fresh.is_empty() {
            return Err(too_few());
        }
        let train = data.table().select(&splits.train);
        let [known, real] = Frame::together([&train, &data.table().select(&fresh)], data.schema())?;
        let nll = model.nll(&Batch::Table(data.batch(&fresh)), 1, seed);
        Ok(Self { train, distances: distances(&real, &known), nll })
    }

    /// The scores of rows that are read as those of `data` are.
    ///
    /// # Errors
    /// The rows lack a column.
    pub fn of(
        &self,
        model: &Model,
        data: &TableSet,
        items: &TableSet,
        seed: u64,
    ) -> Result<Vec<ItemScore>, Error> {
        let [known, rows] = Frame::together([&self.train, items.table()], data.schema())?;
        let mut shares = vec![p_values(&distances(&rows, &known), self.distances.clone())];
        let all: Vec<u32> = (0..items.len() as u32).collect();
        let nll = model.nll(&Batch::Table(items.batch(&all)), 1, seed);
        if let (Some(nll), Some(of_fresh)) = (&nll, &self.nll) {
            shares.push(p_values(nll, of_fresh.clone()));
        }
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
}

fn too_few() -> Error {
    Error::request("there are too few rows to compare with")
}

/// The distance of each row to the nearest training row, as copies are judged.
fn distances(rows: &Frame, train: &Frame) -> Vec<f64> {
    let space = Space::of(train, &[], Scale::Standard).with_gaps();
    let found = nearest(&space.points(rows), &space.points(train), Norm::Absolute);
    found.into_iter().map(|found| f64::from(found.distance)).collect()
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
