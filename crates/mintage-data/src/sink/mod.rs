//! Where new data go: the mirror of the sources. Every file made carries its provenance, and nothing is
//! ever half-written: a temporary file is renamed, a database gets one transaction. What was there stays as it was.

mod animation;
mod beside;
mod folder;
mod font;
mod grid;
mod lock;
mod lossless;
pub(crate) mod made;
mod made_by;
pub(crate) mod metadata;
mod png;
pub(crate) mod postgres;
pub(crate) mod sqlite;
mod table;

use serde::{Deserialize, Serialize};

use crate::ImageShape;
pub use animation::{
    Animation, Clips, apng_bytes, filmstrip_png, gif_bytes, grid_film, write_clip_folder,
    write_frame_folders, write_mp4,
};
pub(crate) use beside::Beside;
pub use beside::{atomic_write, real_folder, target_of, write_through};
pub use folder::{write_files, write_folder};
pub use grid::{grid_png, write_grid, write_grid_rows};
pub(crate) use lock::lock;
pub use lock::lock as wait_for_lock;
pub use lossless::{MAX_CLIP_BYTES, pixels_of_apng, pixels_of_png, samples_of_wav};
pub use made::{is_made_file, write_text};
pub use made_by::{Made, made_by};
pub use png::{png_bytes, provenance_of};
pub use sqlite::{append_blobs, append_rows};
pub use table::{ItemTable, NewItem};

/// Images on their way out: `n` × CHW bytes, with labels when the model has classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    pub shape: ImageShape,
    pub pixels: Vec<u8>,
    /// One class index an image, or empty; `classes.len()` stands for "no class".
    pub labels: Vec<u32>,
    pub classes: Vec<String>,
}

impl Images {
    /// Puts images of the same shape and classes behind these.
    pub fn append(&mut self, other: Self) {
        self.pixels.extend(other.pixels);
        self.labels.extend(other.labels);
    }

    pub fn len(&self) -> usize {
        self.pixels.len() / self.shape.pixels().max(1)
    }

    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// CHW bytes of one image.
    pub fn image(&self, i: usize) -> &[u8] {
        let size = self.shape.pixels();
        &self.pixels[i * size..(i + 1) * size]
    }

    /// The class name of one image.
    pub fn label(&self, i: usize) -> Option<&str> {
        self.classes.get(*self.labels.get(i)? as usize).map(String::as_str)
    }

    /// The images of `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            shape: self.shape,
            pixels: indices.iter().flat_map(|&i| self.image(i).iter().copied()).collect(),
            labels: if self.labels.is_empty() {
                Vec::new()
            } else {
                indices.iter().map(|&i| self.labels[i]).collect()
            },
            classes: self.classes.clone(),
        }
    }
}

/// What made a piece of data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The name of the run, or of the model's folder; of the previews inside a run nothing.
    pub model: String,
    /// A short hash of the weights, which tells models of one name apart; of older files nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub weights: String,
    pub family: String,
    pub seed: u64,
    /// What was asked for, without the number of items.
    #[serde(default)]
    pub options: serde_json::Value,
    /// Of the program.
    pub version: String,
}

impl Provenance {
    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
