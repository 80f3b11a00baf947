//! What front ends ask of a trained model: a [`Request`] as data, checked against the model before anything is drawn;
//! [`Samples`] in chunks, with progress and a flag that cancels; an [`Output`] to any file or store; and who made a file.
//!
//! A command line, a server and a Python package fill in a [`Request`] and need nothing else. The typed requests of
//! [`sample`](crate::sample) are for Rust code that has its items in memory.
//!
//! ```no_run
//! use std::{path::Path, sync::{Arc, atomic::AtomicBool}};
//! use mintage::{Model, generate::{Request, generate}, nn::DeviceChoice};
//!
//! # fn main() -> Result<(), mintage::Error> {
//! let model = Model::load(Path::new("runs/vae-shop-1"), &DeviceChoice::Cpu)?;
//! let request = Request::parse(r#"{"n": 8, "seed": 1, "where": {"label": "coat"}}"#)?;
//! let cancel = Arc::new(AtomicBool::new(false));
//! generate(&model, &request, &cancel, &mut |samples| {
//!     println!("{} more", samples.len());
//!     Ok(())
//! })?;
//! # Ok(())
//! # }
//! ```

mod encode;
pub mod fields;
mod output;
mod request;
mod samples;
mod schema;
mod sink;
#[cfg(test)]
mod tests;
mod typed;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mintage_data::{DataKind, Provenance, sequence::Modality};
use mintage_nn::cancel;

pub use crate::sample::Limits;
use crate::{
    error::Error,
    model::Model,
    models::DataInfo,
    sample::{
        TableChunks, audio::SoundChunks, image::ImageChunks, music::TuneChunks, text::TextChunks,
        video::ClipChunks,
    },
};
pub use encode::{Encoding, played};
pub use mintage_data::{Made, made_by};
pub use output::Output;
pub use request::{Blend, BlendAnchor, DEFAULT_SEED, Item, Request, Rows};
pub use samples::{Documents, Samples};
pub use schema::{classes, schema, schema_with};
pub(crate) use sink::{Chosen, ChosenPlace};
pub use sink::{Place, Sink, Written, in_samples, make_parent, may_write};

/// What a caller is told while a model draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress<'a> {
    /// How much of the request is drawn. Only the ratio of both numbers counts: they are items, or bars of tunes.
    Work {
        /// From 0 to `total`.
        done: usize,
        /// 1 or more.
        total: usize,
    },
    /// The next characters of a text that is being written. The pieces of a text, put together, are the text; the first
    /// one is its prompt.
    Text {
        /// Which text of the request, from 0.
        index: usize,
        /// The characters that come after those of earlier calls.
        new: &'a str,
    },
}

/// What a cell of a row that is held takes, its number and its share of the texts.
const BYTES_A_CELL: usize = 16;

/// Is called with progress.
pub type OnProgress<'a> = dyn FnMut(Progress) + 'a;

/// Draws all that a request asks for and hands it over a chunk at a time. It ends early, within a chunk too, where `cancel`
/// is set, and where `on` returns an error.
///
/// # Errors
///
/// Those of [`Model::generate`] and of `on`; [`Error::Cancelled`].
pub fn generate(
    model: &Model,
    request: &Request,
    cancel: &Arc<AtomicBool>,
    on: &mut dyn FnMut(Samples) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut generation = model.generate(request)?.cancelled_by(cancel.clone());
    while let Some(samples) = generation.next_chunk(&mut |_| {})? {
        on(samples)?;
    }
    Ok(())
}

/// A request that a model has accepted, and what is left to draw of it.
pub struct Generation<'a> {
    model: &'a Model,
    request: Request,
    limits: Limits,
    drawing: Drawing<'a>,
    /// What the user should know before anything is drawn, such as a prompt longer than the model sees.
    notes: Vec<String>,
    n: usize,
    done: usize,
    cancel: Option<Arc<AtomicBool>>,
}

/// The chunks of each kind.
// There is one of these in a generation.
#[allow(clippy::large_enum_variant)]
enum Drawing<'a> {
    Image(ImageChunks<'a>),
    Table(TableChunks<'a>),
    /// `begun`: of which texts the head was told.
    Text {
        chunks: TextChunks<'a>,
        head: String,
        label: Option<String>,
        begun: Vec<bool>,
    },
    Music {
        chunks: TuneChunks<'a>,
        label: Option<String>,
    },
    Audio(SoundChunks<'a>),
    Video(ClipChunks<'a>),
}

impl Model {
    /// The kind of data that it makes.
    pub fn kind(&self) -> DataKind {
        match &self.config.info {
            DataInfo::Image(_) => DataKind::Image,
            DataInfo::Table(_) => DataKind::Table,
            DataInfo::Sequence(info) => match info.modality {
                Modality::Text => DataKind::Text,
                Modality::Music => DataKind::Music,
            },
            DataInfo::Audio(_) => DataKind::Audio,
            DataInfo::Video(_) => DataKind::Video,
        }
    }

    /// Checks a request against the model and reads what it names; nothing is drawn yet. Unlike [`Request::check`] it
    /// reads files, and finds conditions that no item can meet. What it may take at most is said by the default [`Limits`].
    ///
    /// # Errors
    ///
    /// Names the field that the model cannot meet, and what it can; a file that cannot be read.
    pub fn generate(&self, request: &Request) -> Result<Generation<'_>, Error> {
        self.generate_within(request, &Limits::default())
    }

    /// The same within other limits: of a program that takes requests from others.
    ///
    /// # Errors
    ///
    /// Those of [`generate`](Self::generate).
    pub fn generate_within(&self, request: &Request, limits: &Limits) -> Result<Generation<'_>, Error> {
        request.check(self)?;
        request.check_texts(limits)?;
        let mut notes = Vec::new();
        let (n, drawing) = match self.kind() {
            DataKind::Image => {
                let typed = request.to_image(self)?;
                (typed.n, Drawing::Image(self.image_chunks(typed, limits)?))
            }
            DataKind::Table => {
                let typed = request.to_table(self, limits)?;
                limits.check_items(typed.n, 0, "rows")?;
                let chunks = self.row_chunks(typed)?;
                (chunks.len(), Drawing::Table(chunks))
            }
            DataKind::Text => {
                let typed = request.to_text(self, limits, &mut notes)?;
                // A prompt is part of its text; a file that is continued is there already.
                let head = request.prompt.clone().unwrap_or_default();
                let (n, label) = (typed.n, typed.label.clone());
                // Refuses a number of texts that there is no memory for.
                let chunks = self.text_chunks(typed, limits)?;
                (n, Drawing::Text { begun: vec![false; n], chunks, head, label })
            }
            DataKind::Music => {
                let typed = request.to_music(self, &mut notes)?;
                let label = typed.label.clone();
                (typed.n, Drawing::Music { chunks: self.tune_chunks(typed, limits)?, label })
            }
            DataKind::Audio => {
                let typed = request.to_audio(self)?;
                (typed.n, Drawing::Audio(self.sound_chunks(typed, limits)?))
            }
            DataKind::Video => {
                let typed = request.to_video(self)?;
                (typed.n, Drawing::Video(self.clip_chunks(typed, limits)?))
            }
        };
        let (request, limits) = (request.clone(), limits.clone());
        Ok(Generation { model: self, request, limits, drawing, notes, n, done: 0, cancel: None })
    }
}

impl<'a> Generation<'a> {
    /// The model that draws.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// What was asked for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The seed of what is drawn: the request's, or the one that stands for none.
    pub fn seed(&self) -> u64 {
        self.request.seed_or_default()
    }

    /// How many items were asked for.
    pub fn total(&self) -> usize {
        self.n
    }

    /// What the user should know before anything is drawn.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What goes into every file and row that is made of it.
    pub fn provenance(&self) -> Provenance {
        self.model.provenance(self.seed(), self.request.options())
    }

    /// Ends the drawing with [`Error::Cancelled`] once the flag is set, within a chunk as well.
    #[must_use]
    pub fn cancelled_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// The flag of [`cancelled_by`](Self::cancelled_by); a new one where none was given.
    pub fn cancel_flag(&mut self) -> Arc<AtomicBool> {
        self.cancel.get_or_insert_default().clone()
    }

    /// The next items, as many as the model draws at once; `None` after the last.
    ///
    /// # Errors
    ///
    /// No text came to the shape that was asked for, rows cannot meet their rules; [`Error::Cancelled`].
    pub fn next_chunk(&mut self, on: &mut OnProgress) -> Result<Option<Samples>, Error> {
        let Some(flag) = self.cancel.clone() else { return self.draw(on) };
        let drawn = cancel::with(&flag, || self.draw(on));
        // What was drawn then is cut short.
        if flag.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { drawn }
    }

    /// All that is left, held together. Of rows there may be more than there is room for: those are taken a chunk at a time.
    ///
    /// # Errors
    ///
    /// Those of [`next_chunk`](Self::next_chunk); more rows than fit in memory.
    pub fn all(&mut self, on: &mut OnProgress) -> Result<Samples, Error> {
        let mut all = self.head();
        if let Samples::Table(head) = &all {
            let bytes = head.columns.len().saturating_mul(BYTES_A_CELL);
            self.limits.check_items(self.n, bytes, "rows")?;
        }
        while let Some(chunk) = self.next_chunk(on)? {
            match all.is_empty() {
                true => all = chunk,
                false => all.append(chunk)?,
            }
        }
        Ok(all)
    }

    fn draw(&mut self, on: &mut OnProgress) -> Result<Option<Samples>, Error> {
        let chunk = match &mut self.drawing {
            Drawing::Image(chunks) => chunks.next_chunk().map(Samples::Image),
            Drawing::Table(chunks) => chunks.next_rows()?.map(Samples::Table),
            Drawing::Text { chunks, head, label, begun } => {
                let mut tell = |index: usize, new: &str| {
                    if let Some(begun) = begun.get_mut(index).filter(|begun| !**begun) {
                        *begun = true;
                        on(Progress::Text { index, new: head });
                    }
                    on(Progress::Text { index, new });
                    !cancel::wanted()
                };
                let shape = if self.request.json_shape.is_some() { "json_shape" } else { "match" };
                let texts = chunks.next_chunk(&mut tell).map_err(|error| error.in_field(shape))?;
                let whole = |text: String| if head.is_empty() { text } else { format!("{head}{text}") };
                texts
                    .map(|texts| Documents {
                        items: texts.into_iter().map(whole).collect(),
                        label: label.clone(),
                    })
                    .map(Samples::Text)
            }
            Drawing::Music { chunks, label } => {
                let tunes = chunks.next_chunk(&mut |done, total| on(Progress::Work { done, total }));
                tunes.map(|items| Samples::Music(Documents { items, label: label.clone() }))
            }
            Drawing::Audio(chunks) => chunks.next_chunk().map(Samples::Audio),
            Drawing::Video(chunks) => chunks.next_chunk().map(Samples::Video),
        };
        self.done += chunk.as_ref().map_or(0, Samples::len);
        if chunk.is_some() {
            on(Progress::Work { done: self.done, total: self.n.max(self.done) });
        }
        Ok(chunk)
    }

    /// No items, but of the shape of those to come.
    fn head(&self) -> Samples {
        match &self.drawing {
            Drawing::Image(chunks) => Samples::Image(chunks.head()),
            Drawing::Table(chunks) => Samples::Table(chunks.head()),
            Drawing::Text { label, .. } => {
                Samples::Text(Documents { items: Vec::new(), label: label.clone() })
            }
            Drawing::Music { label, .. } => {
                Samples::Music(Documents { items: Vec::new(), label: label.clone() })
            }
            Drawing::Audio(chunks) => Samples::Audio(chunks.head()),
            Drawing::Video(chunks) => Samples::Video(chunks.head()),
        }
    }
}
