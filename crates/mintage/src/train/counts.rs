//! Counts of n-grams that are mixed with a network of sequences once its weights are final: a file beside them.

use std::fs;

use crate::{
    dataset::AnyData,
    error::Error,
    events::Metrics,
    folder::{COUNTS_FILE, write},
    models::AnyModel,
    run::Run,
};

/// Validations that take about as long as learning what counts tell beside a network.
pub const VALIDATIONS: f64 = 2.0;

/// Whether a model is to have counts.
pub fn are_wanted(model: &AnyModel) -> bool {
    matches!(model, AnyModel::Sequence(model) if model.wants_counts())
}

/// Counts the train split for a model that is to have counts, writes them into the run and says in its log what they came to;
/// numbers of validation to be told beside those of the network.
///
/// # Errors
/// A file of the run cannot be written.
pub fn count(model: &mut AnyModel, data: &AnyData, run: &Run) -> Result<Metrics, Error> {
    let counted = match (model, data) {
        (AnyModel::Sequence(model), AnyData::Sequence(set)) => model.learn_counts(set),
        _ => None,
    };
    let path = run.dir().join(COUNTS_FILE);
    match counted.as_ref().and_then(|counted| counted.bytes.as_ref()) {
        Some(bytes) => write(&path, bytes)?,
        // Of an earlier training, which may have had other options.
        None if fs::symlink_metadata(&path).is_ok() => fs::remove_file(&path).map_err(Error::io(&path))?,
        None => {}
    }
    let Some(counted) = counted else { return Ok(Metrics::default()) };
    run.log(&counted.said)?;
    Ok(counted.metrics)
}
