//! Judging sequences of tokens: plain functions of `&[u32]`, one a document or a sample, whatever the tokens mean.
//!
//! ```text
//! train ──────────► KneserNey ·· what counting alone predicts and writes: the floor of a model of sequences
//! train, samples ─► copies ····· the longest run of each sample that train has too, and where it lies
//! samples ────────► diversity ·· distinct-n, self-BLEU, distances between the n-grams of two sets
//! both ───────────► classifier · can new ones be told from real ones? do classes learned from them hold?
//! tunes ──────────► music ······ figures of tunes within the spread of held-out ones
//! ```
//!
//! Token 0 ([`BOUNDARY`]) stands between documents. To a model it is a token like another, which has to be
//! predicted; n-grams of copies and diversity do not cross it. What a token is, and how text or music became one,
//! nothing here knows.

mod classifier;
mod conformity;
mod copies;
mod diversity;
mod explain;
mod judge;
mod music;
mod nearest;
mod sets;
mod steps;
mod view;
mod vocabulary;

pub use crate::models::sequence::KneserNey;
pub use mintage_data::sequence::BOUNDARY;

pub use classifier::{Classifier, Features, detect};
pub(super) use conformity::DocumentConformity;
pub use conformity::score;
pub use copies::{Copied, Run, copies, lengths, passage, shared_runs};
pub use diversity::{JsDistances, distinct_n, js_distances, self_bleu, subsample};
pub(super) use explain::PassageDetector;
pub use judge::evaluate;
pub(super) use judge::{judge, judge_others};
pub use music::{Spread, figures};
pub(super) use nearest::RunIndex;
pub(super) use sets::passages_of;

/// The stretches of a sequence between boundaries, those without tokens left out.
fn stretches(sequence: &[u32]) -> impl Iterator<Item = &[u32]> {
    sequence.split(|&token| token == BOUNDARY).filter(|stretch| !stretch.is_empty())
}
