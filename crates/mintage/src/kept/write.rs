//! Kept items on their way to a database or a file: shown first, written in one transaction, recorded so that they can be
//! taken back.

use std::ops::Range;

use mintage_data::{DataKind, PgDefaults, Provenance, table::ChosenBatch};
use serde::Serialize;
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use super::{
    Kept, KeptItem,
    content::{joined, rows_of},
    log::{Line, Log, Record},
};
use crate::{
    error::Error,
    generate::{Chosen, ChosenPlace, Output, Samples},
    model::Model,
};

/// The batch that is only shown.
const PREVIEW_BATCH: &str = "preview";

/// What was written, or would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrittenBatch {
    /// How many items.
    pub n: usize,
    /// Where, in words and without a password.
    pub place: String,
    /// The name by which an undo finds them; nothing where they were only shown.
    pub batch: Option<String>,
    /// The columns of the rows, without that of the marks.
    pub columns: Vec<String>,
    /// Each row's cells, exactly as they stand there: a number, a text, `true` or `false`, nothing, or
    /// `{"media": "image", "bytes": 512}`.
    pub rows: Vec<Vec<Value>>,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
}

impl Kept {
    /// Writes items to a database, a file or a folder, in one transaction; each row's mark names the batch, so that
    /// [`undo`](Self::undo) finds exactly these. With `dry_run` nothing changes, and the rows are those that would be written:
    /// a database is given them and told to forget them, so that its keys, defaults and rules are seen as well.
    /// `at_unix`: the time, in seconds of Unix time.
    ///
    /// # Errors
    ///
    /// There is no such item, the items are not of the model's kind, the output has no meaning for them or would replace
    /// something, the place refuses one of them: then nothing was written, and what was kept stays.
    pub fn write(
        &self,
        ids: &[String],
        model: &Model,
        output: &Output,
        pg: &PgDefaults,
        dry_run: bool,
        at_unix: u64,
    ) -> Result<WrittenBatch, Error> {
        let log = self.read()?;
        let all = self.contents(&log, ids)?;
        if let Some((item, _)) = all.iter().find(|(item, _)| item.kind != model.kind()) {
            let why = format!("the kept sample `{}` is not of the kind that this model makes", item.id);
            return Err(Error::request(why).with_hint("write it with the model that made it"));
        }
        let place = ChosenPlace::open(output, model, pg)?;
        if dry_run {
            return write_all(&place, all, ids, model, PREVIEW_BATCH, true).map(|(written, _)| written);
        }
        let batch = self.new_batch(&log, ids, at_unix);
        let mut record = Record {
            batch: batch.clone(),
            at: at_unix,
            ids: ids.to_vec(),
            place: place.words(),
            trace: place.planned(),
        };
        // First, so that a kill in between leaves no rows of which nobody knows.
        let lines = self.record(Line::Writing(record.clone()))?;
        let (mut written, trace) = match write_all(&place, all, ids, model, &batch, false) {
            Ok(done) => done,
            Err(error) => {
                // What is wrong with the place counts, whatever becomes of the record.
                let _ = self.forget(lines, batch);
                return Err(error);
            }
        };
        (record.place, record.trace) = (written.place.clone(), trace);
        if let Err(error) = self.record(Line::Wrote(record)) {
            written.notes.push(format!("they are written, but the record of it is not complete: {error}"));
        }
        Ok(written)
    }

    /// Adds a line, and says from where to where it stands.
    fn record(&self, line: Line) -> Result<Range<u64>, Error> {
        let (_held, mut log) = Log::lock(&self.dir)?;
        let before = log.whole_bytes;
        log.append(&[line])?;
        Ok(before..log.whole_bytes)
    }

    /// Takes back what was recorded of a batch of which nothing was written.
    fn forget(&self, line: Range<u64>, batch: String) -> Result<(), Error> {
        let (_held, mut log) = Log::lock(&self.dir)?;
        match log.retract(line.start, line.end)? {
            true => Ok(()),
            false => log.append(&[Line::Failed(batch)]),
        }
    }

    /// A name that no other batch has, of this run or another.
    fn new_batch(&self, log: &Log, ids: &[String], at_unix: u64) -> String {
        let mut hash = Xxh3::new();
        let dir = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
        hash.update(dir.as_os_str().as_encoded_bytes());
        hash.update(&at_unix.to_le_bytes());
        hash.update(&log.whole_bytes.to_le_bytes());
        for item in log.items.iter().filter(|item| ids.contains(&item.id)) {
            hash.update(item.made_by.to_json().as_bytes());
            hash.update(item.id.as_bytes());
        }
        format!("{:016x}", hash.digest())
    }
}

fn write_all(
    place: &ChosenPlace,
    all: Vec<(KeptItem, Samples)>,
    ids: &[String],
    model: &Model,
    batch: &str,
    dry_run: bool,
) -> Result<(WrittenBatch, mintage_data::table::Trace), Error> {
    let rows = (model.kind() == DataKind::Table).then(|| rows_of(&all)).transpose()?;
    let made_by: Vec<Provenance> = all.iter().map(|(item, _)| item.made_by.clone()).collect();
    let chosen: Vec<Chosen> = all
        .into_iter()
        .map(|(item, samples)| Chosen { samples, label: item.label, made_by: item.made_by })
        .collect();
    let whole = || joined(chosen.iter().map(|one| one.samples.clone()).collect());
    // The same identifiers are made when they are shown and when they are written.
    let seed = xxhash_rust::xxh3::xxh3_64(ids.join(" ").as_bytes());
    let to = ChosenBatch { name: batch, made_by: &made_by, dry_run };
    let done = place.write(&chosen, rows.as_ref(), &whole, &to, seed)?;
    let written = WrittenBatch {
        n: chosen.len(),
        place: done.place,
        batch: (!dry_run).then(|| batch.to_owned()),
        columns: done.columns,
        rows: done.rows,
        notes: done.notes,
    };
    Ok((written, done.trace))
}
