//! Learn a generative model from the data you have; mint new data like it.
//!
//! This crate is what a Rust user imports: a [`Recipe`] says what to learn from and how, [`train`](train())
//! makes a run folder, [`Model`] samples from it, [`evaluate`](evaluate::evaluate) judges the samples
//! against data that was never trained on. It never prints and never reads the environment: progress
//! comes out as [`Event`]s, and the clock and the wish to stop come in through [`Control`].
//!
//! ```
//! use std::{sync::{Arc, atomic::AtomicBool}, time::Instant};
//! use mintage::{Control, Model, Recipe, Run, ImageRequest, train};
//! use mintage::{data::{ImageSet, ImageShape, Images}, nn::DeviceChoice};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Two hundred pictures of bars; `ImageSet::open(&recipe.data)` reads a database or a folder.
//! let shape = ImageShape { channels: 1, height: 8, width: 8 };
//! let pixels = (0..200 * 64).map(|i| if i % 8 <= i / 64 % 7 { 255 } else { 0 }).collect();
//! let data = Arc::new(ImageSet::from_memory(Images { shape, pixels, labels: vec![], classes: vec![] }));
//!
//! let recipe = Recipe::parse("data.source = 'bars'\nmodel = { family = 'vae', size = 'tiny' }\ntrain.steps = 5")?;
//! let folder = tempfile::tempdir()?;
//! let mut run = Run::create(&folder.path().join("bars"), &recipe)?;
//! let (stop, start) = (AtomicBool::new(false), Instant::now());
//! let control = Control { stop: &stop, clock: &|| start.elapsed() };
//! train(&recipe, &data.into(), &mut run, &DeviceChoice::Cpu, &control, &mut |event| println!("{event:?}"))?;
//!
//! let model = Model::load(run.dir(), &DeviceChoice::Cpu)?;
//! let new = model.sample(&ImageRequest { n: 4, ..ImageRequest::default() }, &mut |_, _| {})?;
//! assert_eq!(new.pixels.len(), 4 * 64);
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

pub mod copy;
pub mod curve;
pub mod database;
pub mod dataset;
pub mod error;
pub mod evaluate;
pub mod events;
mod folder;
pub mod generate;
pub mod kept;
pub mod meaning;
pub mod model;
pub mod models;
pub mod recipe;
pub mod report;
pub mod run;
pub mod sample;
pub mod train;

pub use dataset::{AnyData, AnyTransform};
pub use error::Error;
pub use events::{Event, Metrics, Plan, StopReason};
pub use kept::Kept;
pub use mintage_data as data;
pub use mintage_nn as nn;
pub use model::Model;
pub use models::{Anchor, AnyConfig, AnyModel, Batch, Conditioning, DataInfo, Family, SamplingParams, Size};
pub use recipe::Recipe;
pub use run::Run;
pub use sample::{AudioRequest, ImageRequest, MusicRequest, Shape, TableRequest, TextRequest, VideoRequest};
pub use train::{Control, train};
