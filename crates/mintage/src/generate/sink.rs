//! Writes what was made to a file, a folder or a database. The place is checked before time is spent and again before it is
//! written to; nothing is ever half-written, and everything says what made it.

mod chosen;
mod rows;

use std::path::{Path, PathBuf};

use mintage_data::{
    Column, DataKind, Ffmpeg, IfExists, ItemTable, PgDefaults, Provenance, Table, gif_bytes, is_made_file,
    names::path_of,
    png_bytes, real_folder,
    table::{FileFormat, Writing, write},
    write_clip_folder, write_files, write_folder, write_mp4, write_text, write_through,
};
use mintage_nn::Rng;
use serde_json::{Value, json};

use super::{
    Documents, Encoding, Generation, OnProgress, Output, Samples,
    encode::{film, joined, one_only, wav},
    output::Target,
};
use crate::{error::Error, model::Model, sample::count};

pub(crate) use chosen::{Chosen, ChosenPlace};

/// The column and the table of texts where the data had none.
const TEXT_COLUMN: &str = "text";
const TEXT_TABLE: &str = "texts";

/// A place that was found fit for what a model makes.
pub struct Sink<'a> {
    model: &'a Model,
    output: Output,
    target: Target,
    /// Of items in a database.
    items: Option<ItemPlace>,
    pg: &'a PgDefaults,
}

/// Table and columns of items in a database.
struct ItemPlace {
    table: String,
    column: String,
    label: Option<String>,
}

/// What was written, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// What kind of items.
    pub kind: DataKind,
    /// How many items.
    pub n: usize,
    /// What they are: "8 new clips of 12 frames, 1.0 s".
    pub what: String,
    /// Where they are.
    pub place: Place,
    /// What else there is to know of them, a sentence each.
    pub notes: Vec<String>,
}

impl Written {
    /// The same for programs: `n`, `place`, `seed`, `provenance` (null where the items are not marked), `notes`, of rows
    /// also `rows`, and of texts, where they are at hand, `texts`.
    pub fn to_json(&self, provenance: &Provenance, is_marked: bool, samples: Option<&Samples>) -> Value {
        let mut json = json!({
            "n": self.n, "place": self.place.to_string(), "seed": provenance.seed,
            "provenance": is_marked.then_some(provenance),
        });
        if !self.notes.is_empty() {
            json["notes"] = json!(self.notes);
        }
        if self.kind == DataKind::Table {
            json["rows"] = json!(self.n);
        }
        if let Some(Samples::Text(texts)) = samples {
            json["texts"] = json!(texts.items);
        }
        json
    }
}

/// Where something was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A file or a folder.
    Path(PathBuf),
    /// A table or a column of a database, in words and without a password.
    Rows(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Rows(words) => f.write_str(words),
        }
    }
}

impl<'a> Sink<'a> {
    /// Checks the place of an output, without changing anything there.
    ///
    /// # Errors
    ///
    /// A field that has no meaning for the model, an ending that says nothing, a file of somebody else's in that place, a
    /// database that takes no such items.
    pub fn open(output: &Output, model: &'a Model, pg: &'a PgDefaults) -> Result<Self, Error> {
        output.check(model)?;
        let target = output.target(model.kind())?;
        let mut sink = Self { model, output: output.clone(), target, items: None, pg };
        if matches!(sink.target, Target::Items(_)) {
            sink.items = Some(sink.item_place()?);
        }
        sink.check_place().map_err(|error| error.in_field("out"))?;
        Ok(sink)
    }

    /// Looks at the place: before time is spent, and again right before it is written to, since it may have changed in
    /// between.
    fn check_place(&self) -> Result<(), Error> {
        let if_exists = self.output.if_exists;
        match &self.target {
            Target::File(path, _) => may_write(path, if_exists),
            Target::Folder(path) => stands_beside(path, if_exists),
            Target::Items(target) => {
                stands_beside(&path_of(target), if_exists)?;
                match &self.items {
                    Some(place) => Ok(self.table(place, target).check()?),
                    None => Ok(()),
                }
            }
            Target::Rows(_) if self.model.kind() == DataKind::Table => {
                self.output.file_format(self.model, false).map(drop)
            }
            Target::Rows(_) => Ok(()),
        }
    }

    /// A file in the model's own folder, `samples/seed-1.png`, where nobody says where new items go. Rows and texts have
    /// no such place.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or a link lies there: a model may come from a stranger, and nothing in it is written
    /// through a link.
    pub fn own_place(model: &Model, seed: u64) -> Result<Option<PathBuf>, Error> {
        let suffix = match model.kind() {
            DataKind::Image => "png",
            DataKind::Music | DataKind::Audio => "wav",
            DataKind::Video => "gif",
            DataKind::Table | DataKind::Text => return Ok(None),
        };
        in_samples(model, &format!("seed-{seed}.{suffix}")).map(Some)
    }

    /// Draws what is asked for and writes it.
    ///
    /// # Errors
    ///
    /// Those of drawing and of writing; then nothing of it was written.
    pub fn write(self, generation: &mut Generation, on: &mut OnProgress) -> Result<Written, Error> {
        let provenance = generation.provenance();
        if let Target::File(_, encoding) = &self.target
            && !encoding.holds_several()
            && generation.total() > 1
        {
            return Err(one_only(&generation.head()));
        }
        if let (Target::Rows(target), DataKind::Table) = (&self.target, self.model.kind()) {
            return self.write_table(target, generation, &provenance, on);
        }
        let samples = generation.all(on)?;
        self.write_samples(&samples, &provenance)
    }

    /// Writes what was drawn before: all of it or, for a user who chose, a part.
    ///
    /// # Errors
    ///
    /// The place takes no such items.
    pub fn write_samples(self, samples: &Samples, provenance: &Provenance) -> Result<Written, Error> {
        if let Samples::Music(tunes) = samples
            && tunes.items.iter().all(mintage_data::Score::is_empty)
        {
            return Err(Error::request("the model has composed nothing but silence")
                .with_hint("train it longer, or try another seed"));
        }
        self.check_place().map_err(|error| error.in_field("out"))?;
        let what = what(samples);
        let mut notes = Vec::new();
        let place = match &self.target {
            Target::File(path, encoding) => {
                Place::Path(self.write_file(path, *encoding, samples, provenance)?)
            }
            Target::Folder(dir) => {
                self.write_into(dir, samples, provenance)?;
                Place::Path(dir.clone())
            }
            Target::Items(target) => self.write_items(target, samples, provenance, &mut notes)?,
            Target::Rows(target) => self.write_rows(target, samples, provenance)?,
        };
        Ok(Written { kind: self.model.kind(), n: samples.len(), what, place, notes })
    }

    /// The table that is named, or the one that was learned from.
    fn table_name(&self) -> Option<&str> {
        self.output.table.as_deref().or(self.model.config.source.table.as_deref())
    }

    fn write_file(
        &self,
        path: &Path,
        encoding: Encoding,
        samples: &Samples,
        provenance: &Provenance,
    ) -> Result<PathBuf, Error> {
        make_parent(path)?;
        match (samples, encoding) {
            (Samples::Video(clips), Encoding::Mp4) => {
                write_mp4(
                    path,
                    &film(clips, &self.output, provenance)?,
                    Some(provenance),
                    &Ffmpeg::default(),
                )?;
            }
            // It has no place for its provenance in it.
            (Samples::Text(texts), _) => {
                write_text(path, &joined(texts), provenance).map_err(Error::io(path))?
            }
            _ => {
                let bytes = samples.encode(encoding, &self.output, provenance)?;
                write_through(path, &bytes).map_err(Error::io(path))?;
            }
        }
        Ok(path.to_owned())
    }

    /// Adds a file an item to a folder.
    fn write_into(&self, dir: &Path, samples: &Samples, provenance: &Provenance) -> Result<(), Error> {
        let json = provenance.to_json();
        let n = samples.len();
        match samples {
            Samples::Image(images) => write_folder(dir, images, provenance)?,
            Samples::Video(clips) => write_clip_folder(dir, clips, "gif", provenance, &Ffmpeg::default())?,
            Samples::Text(texts) => {
                let file = |i: usize| Ok((label_of(texts), texts.items[i].clone().into_bytes()));
                write_files(dir, n, "txt", &file, provenance)?;
            }
            Samples::Music(tunes) => {
                let file = |i: usize| Ok((label_of(tunes), tunes.items[i].to_midi(&json)));
                write_files(dir, n, "mid", &file, provenance)?;
            }
            Samples::Audio(sounds) => {
                let file =
                    |i: usize| Ok((sounds.class(i).unwrap_or_default(), wav(sounds, i, &self.output, &json)));
                write_files(dir, n, "wav", &file, provenance)?;
            }
            Samples::Table(_) => return Err(Error::request("rows are not written as a folder of files")),
        }
        Ok(())
    }

    /// Adds a row an item to a table of a database.
    fn write_items(
        &self,
        target: &str,
        samples: &Samples,
        provenance: &Provenance,
        notes: &mut Vec<String>,
    ) -> Result<Place, Error> {
        let place = self.items.as_ref().ok_or_else(|| Error::request("no table was chosen"))?;
        let mut table = self.table(place, target);
        let json = provenance.to_json();
        let n = samples.len();
        match samples {
            Samples::Image(images) => table.append(
                n,
                &|i| Ok((png_bytes(images, i, Some(provenance))?, images.label(i))),
                provenance,
            )?,
            Samples::Video(clips) => table.append(
                n,
                &|i| Ok((gif_bytes(&clips.film(i), Some(provenance))?, clips.label(i))),
                provenance,
            )?,
            Samples::Music(tunes) => {
                // Tunes are of a class only where one was asked for.
                table.label = table.label.filter(|_| tunes.label.is_some());
                let item = |i: usize| Ok((tunes.items[i].to_midi(&json), tunes.label.as_deref()));
                table.append(n, &item, provenance)?
            }
            Samples::Audio(sounds) => table.append(
                n,
                &|i| Ok((wav(sounds, i, &self.output, &json), sounds.class(i))),
                provenance,
            )?,
            Samples::Table(_) | Samples::Text(_) => {
                return Err(Error::request("rows and texts are not written as bytes of a column"));
            }
        };
        notes.push("their column `mintage` says what made them; training leaves them out".to_owned());
        // Those who look for them by name must know that they have none.
        let empty = table.left_empty().unwrap_or_default();
        if !empty.is_empty() {
            notes.push(format!("nothing was made for the columns {}", empty.join(", ")));
        }
        let of = mintage_data::table::without_passwords(target);
        Ok(Place::Rows(format!("{}.{} of {of}", place.table, place.column)))
    }

    /// Adds texts as rows of a file or a database: their column, and the label's.
    fn write_rows(&self, target: &str, samples: &Samples, provenance: &Provenance) -> Result<Place, Error> {
        let source = &self.model.config.source;
        let mut rng = Rng::new(provenance.seed, u64::MAX);
        let codec = self.model.rows().ok().map(|(_, codec)| codec);
        let ids = codec.map(|codec| codec.ids()).unwrap_or_default();
        let (rows, file) = match samples {
            Samples::Table(rows) => (rows.clone(), self.output.file_format(self.model, false)?),
            Samples::Text(texts) => {
                let column = self.output.column.as_deref().or(source.column.as_deref());
                let label =
                    self.output.label_column.as_deref().or(source.label.as_deref()).unwrap_or("label");
                let cells = texts.items.iter().map(|text| Some(text.as_str()));
                let mut columns = vec![Column::of(column.unwrap_or(TEXT_COLUMN), cells)];
                if let Some(class) = &texts.label {
                    columns.push(Column::of(label, texts.items.iter().map(|_| Some(class.as_str()))));
                }
                let name = self.table_name().unwrap_or(TEXT_TABLE).to_owned();
                (Table { name, columns, ..Table::default() }, FileFormat::default())
            }
            _ => return Err(Error::request("only rows and texts are written as rows")),
        };
        let how = Writing {
            target,
            table: self.table_name(),
            if_exists: self.output.if_exists,
            provenance: (!self.output.no_provenance).then_some(provenance),
            ids: &ids,
            schema: codec.map(|codec| codec.rules.own()),
            file: &file,
            random: &mut || rng.next_u64(),
            refused: None,
            pg: self.pg,
        };
        Ok(Place::Rows(write(&rows, how)?.place))
    }

    /// Table and columns for items: as the output says, or those that were learned from.
    fn item_place(&self) -> Result<ItemPlace, Error> {
        let (output, source) = (&self.output, &self.model.config.source);
        let missing = |what: &'static str| {
            Error::field(what, "of the database is needed: this model did not learn from one")
                .with_hint("look into the database to see which there are")
        };
        let labelled = match self.model.kind() {
            DataKind::Image => !self.model.images()?.codec.classes.is_empty(),
            DataKind::Audio => !self.model.sounds()?.codec.classes.is_empty(),
            DataKind::Video => !self.model.clips()?.codec.classes.is_empty(),
            DataKind::Music => !self.model.sequences()?.info.classes.is_empty(),
            DataKind::Table | DataKind::Text => false,
        };
        if output.label_column.is_some() && !labelled {
            return Err(Error::field(
                "label_column",
                "has no meaning for a model that was trained without labels",
            ));
        }
        let label = output.label_column.clone().or_else(|| source.label.clone());
        Ok(ItemPlace {
            table: self.table_name().map(str::to_owned).ok_or_else(|| missing("table"))?,
            column: output
                .column
                .clone()
                .or_else(|| source.column.clone())
                .ok_or_else(|| missing("column"))?,
            label: label.filter(|_| labelled),
        })
    }

    fn table<'b>(&'b self, place: &'b ItemPlace, target: &'b str) -> ItemTable<'b> {
        let ItemPlace { table, column, label } = place;
        ItemTable { target, pg: self.pg, table, column, label: label.as_deref() }
    }
}

fn label_of<T>(documents: &Documents<T>) -> &str {
    documents.label.as_deref().unwrap_or_default()
}

/// "3 new sounds of 1.2 s".
fn what(samples: &Samples) -> String {
    let n = samples.len();
    match samples {
        Samples::Image(_) => count(n, "new image"),
        Samples::Table(_) => count(n, "new row"),
        Samples::Text(_) => count(n, "new text"),
        Samples::Music(tunes) if n == 1 => format!("1 new tune of {:.0} s", tunes.items[0].seconds()),
        Samples::Music(_) => count(n, "new tune"),
        Samples::Audio(sounds) if n == 1 => format!("1 new sound of {:.1} s", sounds.seconds(0)),
        Samples::Audio(_) => count(n, "new sound"),
        Samples::Video(clips) => {
            let secs = clips.frames as f64 / clips.fps;
            format!("{} of {} frames, {secs:.1} s", count(n, "new clip"), clips.frames)
        }
    }
}

/// A file among a model's samples. A model may come from a stranger: nothing in it is written through a link.
///
/// # Errors
///
/// The folder cannot be made, or a link lies in that place.
pub fn in_samples(model: &Model, name: &str) -> Result<PathBuf, Error> {
    let dir = real_folder(&model.dir, Path::new("samples")).map_err(Error::io(&model.dir))?;
    let path = dir.join(name);
    match path.is_symlink() {
        true => Err(Error::request(format!(
            "{}: is a link, and nothing in a model is written through it",
            path.display()
        ))
        .with_hint("remove the link, or say where to write")),
        false => Ok(path),
    }
}

/// Whether a file of one picture, text, sound, tune or film may be written. One that mintage made, and that is as it was
/// made, may be replaced: it can be made again.
///
/// # Errors
///
/// A file that mintage did not make is there, and is not to be replaced; a file is to be added to.
pub fn may_write(path: &Path, if_exists: IfExists) -> Result<(), Error> {
    let is_there = path.metadata().is_ok_and(|there| there.is_file() && there.len() > 0);
    if is_there && if_exists == IfExists::Append && is_made_file(path) {
        let why = format!("cannot be append: {} holds what was written at once", path.display());
        return Err(Error::field("if_exists", why)
            .with_hint("choose another name, or `if_exists` replace; a folder/ keeps what it has"));
    }
    if !is_there || if_exists == IfExists::Replace || is_made_file(path) {
        return Ok(());
    }
    Err(Error::request(format!("{} is there already, and was not made by mintage", path.display()))
        .with_hint("choose another name, or `if_exists` replace")
        .in_field("out"))
}

/// An error for `replace` where new items stand beside others.
fn stands_beside(place: &Path, if_exists: IfExists) -> Result<(), Error> {
    if if_exists != IfExists::Replace {
        return Ok(());
    }
    Err(Error::field(
        "if_exists",
        format!("replace is for single files and for rows: {} keeps what it has", place.display()),
    )
    .with_hint("leave it out: what is new stands beside what is there"))
}

/// Makes the folder that a file is to lie in.
///
/// # Errors
///
/// It cannot be made.
pub fn make_parent(path: &Path) -> Result<(), Error> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => std::fs::create_dir_all(dir).map_err(Error::io(dir)),
        None => Ok(()),
    }
}
