//! Samples that a user chose, on their way to any place: each with its own seed and options, shown before they are written,
//! and with what is needed to take them back.

use std::path::Path;

use mintage_data::{
    Column, DataKind, IfExists, PgDefaults, Provenance, Table, gif_bytes,
    names::path_of,
    png_bytes,
    table::{
        ChosenBatch, ChosenItem, ChosenWritten, FileFormat, Trace, Writing, trace_of_files,
        write_chosen_items, write_chosen_rows,
    },
    write_files,
};
use mintage_nn::Rng;
use serde_json::{Value, json};

use super::{Sink, TEXT_COLUMN, TEXT_TABLE, wav};
use crate::{
    error::Error,
    generate::{Output, Samples, output::Target},
    model::Model,
};

/// A sample that was chosen: itself alone, its class, and what made it.
pub(crate) struct Chosen {
    pub samples: Samples,
    pub label: Option<String>,
    pub made_by: Provenance,
}

/// A place that was found fit for chosen samples.
pub(crate) struct ChosenPlace<'a> {
    sink: Sink<'a>,
}

impl<'a> ChosenPlace<'a> {
    /// Looks at the place of an output, without changing anything there.
    ///
    /// # Errors
    ///
    /// Those of [`Sink::open`]; what is there would be replaced, or the rows could not be found again.
    pub fn open(output: &Output, model: &'a Model, pg: &'a PgDefaults) -> Result<Self, Error> {
        if output.no_provenance {
            return Err(Error::field("no_provenance", "is not for samples that were kept")
                .with_hint("what marks them is what an undo finds them by"));
        }
        if output.if_exists == IfExists::Replace {
            return Err(Error::field("if_exists", "replace is not for samples that were kept")
                .with_hint("an undo could not put back what was there: add to it, or write elsewhere"));
        }
        Ok(Self { sink: Sink::open(output, model, pg)? })
    }

    /// What is known of a batch before it is written.
    pub fn planned(&self) -> Trace {
        match &self.sink.target {
            Target::File(path, _) | Target::Folder(path) => Trace::of_path(path),
            Target::Items(target) => {
                let table = self.sink.items.as_ref().map_or("", |place| &place.table);
                Trace::of_rows(target, table)
            }
            Target::Rows(target) if is_database(target) => {
                Trace::of_rows(target, self.sink.table_name().unwrap_or(TEXT_TABLE))
            }
            Target::Rows(target) => Trace::of_path(&path_of(target)),
        }
    }

    /// The place in words, without a password.
    pub fn words(&self) -> String {
        mintage_data::table::redacted(&self.sink.output.out)
    }

    /// Writes the items in one transaction, or shows what would be written. `rows` are those of a model of rows, `whole`
    /// joins the items for a file that holds several.
    ///
    /// # Errors
    ///
    /// The place does not take them: then nothing was written.
    pub fn write(
        &self,
        all: &[Chosen],
        rows: Option<&Table>,
        whole: &dyn Fn() -> Result<Samples, Error>,
        batch: &ChosenBatch,
        seed: u64,
    ) -> Result<ChosenWritten, Error> {
        match &self.sink.target {
            Target::Items(target) => self.to_column(target, all, batch),
            Target::Rows(target) => self.to_rows(target, all, rows, batch, seed),
            Target::Folder(dir) => self.to_folder(dir, all, batch),
            Target::File(path, encoding) => {
                let provenance = common(batch.made_by);
                let is_new = path.symlink_metadata().is_err();
                let samples = whole()?;
                if !encoding.holds_several() && samples.len() != 1 {
                    return Err(super::one_only(&samples));
                }
                let mut trace = Trace::of_path(path);
                if !batch.dry_run {
                    self.sink.write_file(path, *encoding, &samples, &provenance)?;
                    trace = trace_of_files(path, is_new)?;
                }
                let media = self.media();
                let rows = all.iter().map(|one| vec![json!(one.label), json!({ "media": media })]).collect();
                Ok(shown(path, rows, trace, Vec::new()))
            }
        }
    }

    fn media(&self) -> &'static str {
        self.sink.model.kind().name()
    }

    fn to_column(&self, target: &str, all: &[Chosen], batch: &ChosenBatch) -> Result<ChosenWritten, Error> {
        let place = self.sink.items.as_ref().ok_or_else(|| Error::request("no table was chosen"))?;
        let mut table = self.sink.table(place, target);
        if self.sink.model.kind() == DataKind::Music {
            // Tunes are of a class only where one was asked for.
            table.label = table.label.filter(|_| all.iter().any(|one| one.label.is_some()));
        }
        let item = |one: &Chosen| Ok(ChosenItem { bytes: self.bytes(one)?, label: one.label.clone() });
        let items = all.iter().map(item).collect::<Result<Vec<_>, Error>>()?;
        Ok(write_chosen_items(&table, &items, self.media(), batch)?)
    }

    fn to_rows(
        &self,
        target: &str,
        all: &[Chosen],
        rows: Option<&Table>,
        batch: &ChosenBatch,
        seed: u64,
    ) -> Result<ChosenWritten, Error> {
        let Sink { model, output, pg, .. } = &self.sink;
        let codec = model.rows().ok().map(|(_, codec)| codec);
        let ids = codec.map(|codec| codec.ids()).unwrap_or_default();
        let (table, file) = match rows {
            Some(rows) => (rows.clone(), output.file_format(model, false)?),
            None => (self.texts(all)?, FileFormat::default()),
        };
        let mut rng = Rng::new(seed, u64::MAX);
        // A file has one place for what made its rows.
        let provenance = common(batch.made_by);
        let how = Writing {
            target,
            table: self.sink.table_name(),
            if_exists: output.if_exists,
            provenance: Some(&provenance),
            ids: &ids,
            schema: codec.map(|codec| codec.rules.own()),
            file: &file,
            random: &mut || rng.next_u64(),
            refused: None,
            pg,
        };
        Ok(write_chosen_rows(&table, batch, how)?)
    }

    /// Texts as rows: their column, and the label's where there are labels.
    fn texts(&self, all: &[Chosen]) -> Result<Table, Error> {
        let (output, source) = (&self.sink.output, &self.sink.model.config.source);
        let text = |one: &Chosen| match &one.samples {
            Samples::Text(texts) => Ok(texts.items.first().cloned().unwrap_or_default()),
            _ => Err(Error::request("only rows and texts are written as rows")),
        };
        let texts = all.iter().map(text).collect::<Result<Vec<_>, Error>>()?;
        let column = output.column.as_deref().or(source.column.as_deref()).unwrap_or(TEXT_COLUMN);
        let mut columns = vec![Column::of(column, texts.iter().map(|text| Some(text.as_str())))];
        if all.iter().any(|one| one.label.is_some()) {
            let label = output.label_column.as_deref().or(source.label.as_deref()).unwrap_or("label");
            columns.push(Column::of(label, all.iter().map(|one| one.label.as_deref())));
        }
        let name = self.sink.table_name().unwrap_or(TEXT_TABLE).to_owned();
        Ok(Table { name, columns, ..Table::default() })
    }

    fn to_folder(&self, dir: &Path, all: &[Chosen], batch: &ChosenBatch) -> Result<ChosenWritten, Error> {
        let is_new = dir.symlink_metadata().is_err();
        let suffix = match self.sink.model.kind() {
            DataKind::Image => "png",
            DataKind::Video => "gif",
            DataKind::Text => "txt",
            DataKind::Music => "mid",
            DataKind::Audio => "wav",
            DataKind::Table => {
                return Err(Error::request("rows are not written as a folder of files"));
            }
        };
        let bytes = all.iter().map(|one| self.bytes(one)).collect::<Result<Vec<_>, Error>>()?;
        let row = |(one, bytes): (&Chosen, &Vec<u8>)| {
            vec![json!(one.label), json!({ "media": self.media(), "bytes": bytes.len() })]
        };
        let rows = all.iter().zip(&bytes).map(row).collect();
        let mut trace = Trace::of_path(dir);
        if !batch.dry_run {
            let file = |i: usize| Ok((all[i].label.as_deref().unwrap_or_default(), bytes[i].clone()));
            write_files(dir, all.len(), suffix, &file, &common(batch.made_by))?;
            trace = trace_of_files(dir, is_new)?;
        }
        let mut notes = vec!["files are numbered on from those that are there".to_owned()];
        if !is_new {
            notes.push("the folder was there before: they are not taken back by an undo".to_owned());
        }
        Ok(shown(dir, rows, trace, notes))
    }

    /// An item as a file of a folder or as the bytes of a column has it.
    fn bytes(&self, one: &Chosen) -> Result<Vec<u8>, Error> {
        let json = one.made_by.to_json();
        Ok(match &one.samples {
            Samples::Image(images) => png_bytes(images, 0, Some(&one.made_by))?,
            Samples::Video(clips) => gif_bytes(&clips.film(0), Some(&one.made_by))?,
            Samples::Audio(sounds) => wav(sounds, 0, &self.sink.output, &json),
            Samples::Music(tunes) => tunes.items.first().map(|tune| tune.to_midi(&json)).unwrap_or_default(),
            Samples::Text(texts) => texts.items.first().cloned().unwrap_or_default().into_bytes(),
            Samples::Table(_) => {
                return Err(Error::request("rows are not written as bytes of a column"));
            }
        })
    }
}

fn is_database(target: &str) -> bool {
    let ends = [".db", ".db3", ".sqlite", ".sqlite3"];
    target.contains("://")
        || ends.iter().any(|end| target.to_lowercase().ends_with(end))
        || mintage_data::table::is_database(target)
}

fn shown(path: &Path, rows: Vec<Vec<Value>>, trace: Trace, notes: Vec<String>) -> ChosenWritten {
    let columns = vec!["label".to_owned(), "item".to_owned()];
    ChosenWritten { place: path.display().to_string(), columns, rows, notes, trace }
}

/// What made all of them, where one place says it for all: the options of several draws stand in a list.
fn common(all: &[Provenance]) -> Provenance {
    let mut draws: Vec<Value> = Vec::new();
    for made_by in all {
        let draw = json!({ "seed": made_by.seed, "options": made_by.options });
        if !draws.contains(&draw) {
            draws.push(draw);
        }
    }
    let Some(first) = all.first() else {
        return Provenance {
            model: String::new(),
            weights: String::new(),
            family: String::new(),
            seed: 0,
            options: Value::Null,
            version: String::new(),
        };
    };
    match draws.len() {
        1 => first.clone(),
        _ => Provenance { options: json!({ "draws": draws }), ..first.clone() },
    }
}
