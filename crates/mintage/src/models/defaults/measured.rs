//! Made by `cargo xtask generate defaults` from bench/results/quality.jsonl; do not edit.

use super::Cell;

/// Families and sizes as they measured, by kind, items, extent and budget.
pub(super) const MEASURED: &[Cell] = &[];
