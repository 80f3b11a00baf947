//! The layers that models are built from. Every constructor takes the device and an [`Rng`](crate::Rng).

mod attention;
mod basic;
mod decoder;
mod lookup;
mod parameter;
mod residual;
mod time;

pub use attention::{KvCache, SelfAttention2d};
pub use basic::{Conv2d, Embedding, GroupNorm, LayerNorm, Linear, RmsNorm};
pub use decoder::{Decoder, DecoderConfig, Positions, gated_width};
pub use parameter::{parameter, with_numbers, without_numbers};
pub use residual::{ResBlock, sinusoidal};
pub use time::{DepthwiseTime, TimeBlock};
