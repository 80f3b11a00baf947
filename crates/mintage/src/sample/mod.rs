//! Drawing from a trained model in memory, one file a kind of data: a typed request, and its items all at once or a chunk
//! at a time. [`generate`](crate::generate) stands on it for those who have a request as text.

pub mod audio;
pub mod image;
mod limits;
pub mod music;
pub mod shape;
pub mod table;
pub mod text;
mod token_healing;
pub mod video;

use std::ops::Range;

use mintage_nn::Rng;

use crate::{
    dataset::thousands,
    error::Error,
    models::{Anchor, Conditioning, MAX_ANCHORS},
};
pub use audio::{AudioRequest, Sounds};
pub use image::ImageRequest;
pub use limits::Limits;
pub use music::MusicRequest;
pub use shape::Shape;
pub use table::{TableChunks, TableRequest};
pub use text::{TextRequest, check_conditioning};
pub use video::{VideoLength, VideoRequest};

/// Cuts `n` items into chunks. Each chunk has a random stream of its own, so that the first items do not depend on how
/// many are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    n: usize,
    each: usize,
    seed: u64,
    done: usize,
    chunks: u64,
}

impl Chunks {
    pub(crate) fn new(n: usize, each: usize, seed: u64) -> Self {
        Self { n, each, seed, done: 0, chunks: 0 }
    }

    /// The items of the next chunk and its random stream, of the seed or of the seeds that are blended; `None` after the
    /// last.
    pub(crate) fn next<T>(&mut self, conditioning: &Conditioning<T>) -> Option<(Range<usize>, Rng)> {
        if self.done >= self.n {
            return None;
        }
        let items = self.done..self.n.min(self.done + self.each);
        self.done = items.end;
        self.chunks += 1;
        Some((items, conditioning.random(self.seed, self.chunks)))
    }
}

/// The seed that classes are drawn by, and whether an item is given that says itself what it is: in a blend as the heaviest
/// anchor has it.
fn class_source<T>(conditioning: &Conditioning<T>, seed: u64) -> (u64, bool) {
    match conditioning.heaviest() {
        Some(Anchor::Seed(seed)) => (*seed, false),
        Some(Anchor::Item(_)) => (seed, true),
        None => (seed, !matches!(conditioning, Conditioning::None)),
    }
}

/// Refuses a blend that no model can make: of one anchor or of too many, of weights that are none, of several items.
fn check_blend<T>(conditioning: &Conditioning<T>, n: usize) -> Result<(), Error> {
    let Conditioning::Blend { anchors, weights } = conditioning else { return Ok(()) };
    if !(2..=MAX_ANCHORS).contains(&anchors.len()) || weights.len() != anchors.len() {
        return Err(Error::field("blend", format!("takes 2 to {MAX_ANCHORS} anchors and a weight for each")));
    }
    let usable = |weight: &f32| weight.is_finite() && *weight >= 0.0;
    if !weights.iter().all(usable) || !weights.iter().any(|weight| *weight > 0.0) {
        return Err(Error::field("blend", "takes weights of 0 or more that are not all 0"));
    }
    match n {
        1 => Ok(()),
        _ => Err(Error::field("n", "must be 1 with `blend`, which is one item")),
    }
}

/// Refuses guidance by an early version where a model keeps none.
fn check_early(is_wanted: bool, has_early: bool) -> Result<(), Error> {
    match is_wanted && !has_early {
        false => Ok(()),
        true => {
            Err(Error::field("autoguidance", "cannot be met: this model keeps no early version of itself")
                .with_hint(
                    "flows of images keep one, and VAEs of sounds, clips and images beyond 32 pixels a side, \
                     once a tenth of their training is over",
                ))
        }
    }
}

/// The labels of some items, where there are labels.
fn labels_of(labels: &[u32], items: Range<usize>) -> &[u32] {
    if labels.is_empty() { labels } else { &labels[items] }
}

/// "1,000 rows".
pub(crate) fn count(n: usize, item: &str) -> String {
    format!("{} {item}{}", thousands(n), if n == 1 { "" } else { "s" })
}
