//! What can be asked of a trained model, one file a kind of data.

pub mod clips;
mod healing;
pub mod images;
pub mod rows;
pub mod sequences;
pub mod shape;
pub mod sounds;
pub mod tunes;

pub use clips::{ClipBeginning, ClipLength, ClipRequest};
pub use images::SampleRequest;
pub use rows::RowRequest;
pub use sequences::{Resemble, SequenceRequest};
pub use shape::Shape;
pub use sounds::{SoundBeginning, SoundRequest, Sounds};
pub use tunes::TuneRequest;
