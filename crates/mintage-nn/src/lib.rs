//! Layers, losses, quantizers, optimisers, EMA, schedules and device choice.
//!
//! Everything with a gradient lives here. This crate knows no modality (an image is a `[batch,
//! channels, height, width]` array, nothing more), no file format but safetensors, and takes every
//! random number from an explicit [`Rng`]: the same seed and thread count give the same bytes. Its operations are those of [`kernels`], a crate of its own that has all `unsafe` code.

#![forbid(unsafe_code)]

pub mod cancel;
pub mod device;
pub mod layers;
pub mod losses;
pub mod optim;
pub mod part;
pub mod quantize;
pub mod rng;
pub mod rvq;
pub mod schedule;
pub mod weights;

pub use mintage_kernels as kernels;

pub use device::{DeviceChoice, DeviceError};
pub use optim::{AdamW, NotFinite, Optimizer, Trainable};
pub use part::Part;
pub use rng::Rng;
pub use schedule::Schedule;
pub use weights::{TensorMap, WeightsError};
