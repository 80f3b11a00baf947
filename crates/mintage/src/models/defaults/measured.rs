//! Made by `cargo xtask generate defaults` from bench/results/quality.jsonl; do not edit.

use mintage_data::DataKind;

use super::{Cell, Ranked};
use crate::models::{Family, Size};

/// Families and sizes as they measured, by kind, items, extent and budget.
pub(super) const MEASURED: &[Cell] = &[Cell {
    kind: DataKind::Image,
    items: 10000,
    extent: 64,
    budget_secs: 240.0,
    ranked: &[
        Ranked {
            family: Family::Vqvae,
            size: Size::Small,
            fidelity: 67.4,
            coverage: 93.2,
            ready_secs: 233.0,
        },
        Ranked { family: Family::Vae, size: Size::Small, fidelity: 66.0, coverage: 88.8, ready_secs: 239.6 },
        Ranked { family: Family::Flow, size: Size::Small, fidelity: 62.7, coverage: 80.7, ready_secs: 236.5 },
        Ranked { family: Family::Gan, size: Size::Small, fidelity: 45.6, coverage: 58.6, ready_secs: 239.8 },
    ],
}];
