//! What can be asked of a trained model, one file a kind of data.

pub mod audio;
pub mod image;
pub mod music;
pub mod shape;
pub mod table;
pub mod text;
mod token_healing;
pub mod video;

use crate::error::Error;
pub use audio::{AudioRequest, Sounds};
pub use image::ImageRequest;
pub use music::MusicRequest;
pub use shape::Shape;
pub use table::{TableParts, TableRequest};
pub use text::{TextRequest, check_conditioning};
pub use video::{VideoLength, VideoRequest};

/// Bytes that the items of one request may take.
const MAX_BYTES: usize = 4 << 30;

/// Whether `n` items of `bytes` each fit in memory together: an error in words is better than an end without any.
fn check_memory(n: usize, bytes: usize, items: &str) -> Result<(), Error> {
    if n.saturating_mul(bytes) <= MAX_BYTES {
        return Ok(());
    }
    let most = (MAX_BYTES / bytes.max(1)).max(1);
    Err(Error::request(format!("{n} {items} at once do not fit in memory"))
        .with_hint(format!("ask for {most} at most, and for the others with another --seed")))
}
