//! Files of run and model folders: their limits, and how they are read and written.

use std::{collections::BTreeMap, path::Path};

use mintage_data::{atomic_write, open_regular, read_text};
use mintage_nn::TensorMap;
use serde::{Serialize, de::DeserializeOwned};

use crate::error::Error;

/// Bytes of a file of a run, other than weights and metrics, which may be a stranger's.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 30;

/// Counts of n-grams that belong to the weights of a model of texts or music.
pub(crate) const COUNTS_FILE: &str = "counts.bin";
/// Bytes of this file; an n-gram takes some ten.
pub(crate) const MAX_COUNTS_BYTES: u64 = 256 << 20;

/// Name of the file that makes a folder a sweep: the runs in it belong together.
pub const SWEEP_FILE: &str = "sweep.json";

/// Reads a safetensors file, which may be a stranger's.
pub(crate) fn load_weights(path: &Path) -> Result<TensorMap, Error> {
    drop(open_regular(path)?);
    Ok(TensorMap::load(path)?)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    atomic_write(path, bytes).map_err(Error::io(path))
}

/// Writes tensors as a safetensors file.
pub(crate) fn write_weights(path: &Path, tensors: &TensorMap) -> Result<(), Error> {
    write(path, &tensors.to_bytes(BTreeMap::new())?)
}

/// Writes a value as indented JSON.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::folder(path, e.to_string()))?;
    text.push('\n');
    write(path, text.as_bytes())
}

/// Reads what [`write_json`] wrote, by whomever.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = read_text(path, MAX_FILE_BYTES)?;
    serde_json::from_str(&text).map_err(|e| Error::folder(path, e.to_string()))
}

/// An error where a weight is not finite: whatever was drawn from such a model would be the same blank.
pub(crate) fn refuse_not_finite(weights: &TensorMap, path: &Path) -> Result<(), Error> {
    match weights.not_finite() {
        None => Ok(()),
        Some(name) => {
            let why = format!("the weights are not finite (`{name}`)");
            let hint = "training diverged, or the file is damaged: train again, with a lower -s model.lr=…";
            Err(Error::folder(path, why).with_hint(hint))
        }
    }
}
