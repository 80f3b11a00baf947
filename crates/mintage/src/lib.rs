//! Learn a generative model from the data you have; mint new data like it.
//!
//! This crate is what a Rust user imports: a [`Recipe`] says what to learn from and how, [`train`](train())
//! makes a run folder, [`Model`] samples from it, [`evaluate`](evaluate::evaluate) judges the samples
//! against data that was never trained on. It never prints and never reads the environment: progress
//! comes out as [`Event`]s, and the clock and the wish to stop come in through [`Control`].

pub mod error;
pub mod evaluate;
pub mod events;
pub mod model;
pub mod models;
pub mod recipe;
pub mod report;
pub mod run;
pub mod train;

pub use error::Error;
pub use events::{Event, Metrics, Plan, StopReason};
pub use mintage_data as data;
pub use mintage_nn as nn;
pub use model::{Model, SampleRequest};
pub use models::{AnyModel, DataInfo, Family, Size};
pub use recipe::Recipe;
pub use run::Run;
pub use train::{Control, train};
