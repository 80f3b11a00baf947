//! Sources, sinks, codecs and splits: everything with a file format or a database.
//!
//! This crate knows no tensor engine: it yields plain arrays of bytes. It is synchronous, never prints
//! and decodes nothing before its size has been checked.

pub mod audio;
pub mod batch;
pub mod browse;
pub mod database;
pub mod detect;
pub mod error;
mod files;
mod guard;
pub mod images;
pub mod inspect;
mod items;
pub mod music;
pub mod names;
mod palette;
pub mod sequence;
pub mod sink;
pub mod source;
mod spill;
pub mod split;
mod store;
pub mod table;
pub mod text;
pub mod transform;
pub mod video;

pub use audio::{AudioBatch, AudioFormat, AudioSet};
pub use batch::{ImageBatch, Loader, Order};
pub use detect::{Detected, detect, is_music, is_sound, is_table, is_text, is_video};
pub use error::Error;
pub use files::{check_limited, open_regular, read_item_file, read_limited, read_text};
pub use guard::panic_is_caught;
pub use images::ImageSet;
pub use inspect::{Inspection, inspect};
pub use music::{MusicSource, MusicTokenizer, MusicUnit, Score};
pub use palette::{Palette, PaletteIndices};
pub use sequence::SequenceSet;
pub use sink::{
    Animation, Clips, apng_bytes, filmstrip_png, gif_bytes, grid_film, write_clip_folder,
    write_frame_folders, write_mp4,
};
pub use sink::{
    Images, ItemTable, Made, NewItem, Provenance, append_blobs, append_rows, atomic_write, grid_png,
    is_made_file, made_by, png_bytes, provenance_of, real_folder, target_of, write_files, write_folder,
    write_grid, write_grid_rows, write_text, write_through,
};
pub use sink::{MAX_CLIP_BYTES, pixels_of_apng, pixels_of_png, samples_of_wav, wait_for_lock};
pub use source::{DataKind, KeySpec, SourceSpec, has_own_holdout};
pub use split::{Split, Splits};
pub use store::postgres::is_address as is_postgres;
pub use table::{
    Column, Declaration, IfExists, PgDefaults, Table, Type,
    encoder::RowEncoder,
    set::{TableBatch, TableInfo, TableSet},
};
pub use text::{TextSource, TextTokenizer, TextUnit};
pub use transform::{Color, Fit, ImageShape, ImageTransform};
pub use video::{Ffmpeg, VideoBatch, VideoFormat, VideoSet, provenance_of_clip};
