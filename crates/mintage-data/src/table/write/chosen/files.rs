//! Chosen rows in a file, and files that are removed again if nobody has changed them.

use std::{fs, io, path::Path};

use serde_json::Value;

use super::{
    super::{super::format::Format, Rows, Writing, file},
    ChosenBatch, ChosenWritten, FileTrace, Removed, Trace, lasting_path,
};
use crate::{
    Error, SourceSpec, Type, made_by,
    names::path_of,
    sink::made::file_hash,
    store::PROVENANCE_COLUMN,
    table::{Column, values},
};

/// Files of a folder that are looked at before it is taken for one of somebody else.
const MAX_FILES: usize = 100_000;
/// What a file of rows has beside it.
const NOTE_SUFFIX: &str = ".mintage.json";

pub(super) fn write_rows(
    rows: &mut Rows,
    path: &Path,
    format: Format,
    how: &mut Writing,
    batch: &ChosenBatch,
) -> Result<ChosenWritten, Error> {
    rows.seen = Some(Vec::new());
    let ready = file::prepare(rows, path, format, how)?;
    let (is_new, appends) = (ready.is_new, ready.appends);
    let seen = rows.seen.take().unwrap_or_default();
    let cells = |column: &Column, row: usize| cell(column, row);
    let rows_of = seen.iter().flat_map(|part| {
        (0..part.rows()).map(move |row| part.columns.iter().map(|column| cells(column, row)).collect())
    });
    let shown: Vec<Vec<Value>> = rows_of.collect();
    let mut notes = Vec::new();
    match format {
        Format::Parquet => notes.push(format!("the file says itself what made them ({PROVENANCE_COLUMN})")),
        _ => notes.push(format!("the file beside it, {NOTE_SUFFIX}, says what made them")),
    }
    if appends {
        notes.push("they stand behind rows of that file, and are not taken back by an undo".to_owned());
    }
    let columns = rows.head.names().map(str::to_owned).collect();
    let mut trace = Trace::of_path(path);
    let place = path.display().to_string();
    if !batch.dry_run {
        ready.commit(rows.written, format, how)?;
        trace = trace_of_files(path, is_new)?;
    }
    Ok(ChosenWritten { place, columns, rows: shown, notes, trace })
}

/// A cell as JSON: numbers and booleans where the column holds such.
fn cell(column: &Column, row: usize) -> Value {
    let Some(text) = column.cell(row) else { return Value::Null };
    // "007" and "+1" are texts.
    let number = || text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Value::from);
    match column.declaration.value_type() {
        Type::Integer => number(),
        Type::Real => number().or_else(|| values::parse(text, '.').map(Value::from)),
        Type::Boolean if matches!(text, "true" | "false") => Some((text == "true").into()),
        _ => None,
    }
    .unwrap_or_else(|| text.into())
}

/// What there is to know of a file or a folder that was written, for an undo: `is_new`, where nothing was in its place.
///
/// # Errors
/// It cannot be read.
pub fn trace_of_files(path: &Path, is_new: bool) -> Result<Trace, Error> {
    let files = if is_new { files_of(path).map_err(Error::io(path))? } else { Vec::new() };
    Ok(Trace::Files(FileTrace { path: lasting_path(path), is_new, files }))
}

/// Every file below a folder, or the file itself and the note beside it, with their hashes.
fn files_of(path: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    if !fs::symlink_metadata(path)?.is_dir() {
        let mut note = path.as_os_str().to_owned();
        note.push(NOTE_SUFFIX);
        let both = [path, Path::new(&note)];
        for file in both.into_iter().filter(|file| fs::symlink_metadata(file).is_ok()) {
            found.push((lasting_path(file), hash_of(file)?));
        }
        return Ok(found);
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let file = entry?.path();
            if found.len() > MAX_FILES {
                return Err(io::Error::other("holds too many files"));
            }
            match fs::symlink_metadata(&file)?.is_dir() {
                true => folders.push(file),
                false => found.push((lasting_path(&file), hash_of(&file)?)),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Nothing for a link, which is none of ours.
fn hash_of(file: &Path) -> io::Result<String> {
    match fs::symlink_metadata(file)?.is_file() {
        true => file_hash(file),
        false => Ok("-".to_owned()),
    }
}

pub(super) fn undo(trace: &FileTrace) -> Result<Removed, Error> {
    let path = &*path_of(&trace.path);
    let place = path.display().to_string();
    let stays = |all: bool, why: &str| {
        Ok(Removed { rows: 0, all, place: place.clone(), notes: vec![format!("{place} {why}")] })
    };
    if fs::symlink_metadata(path).is_err() {
        return stays(true, "is not there any more");
    }
    if !trace.is_new {
        return stays(false, "was there before: what was added to it is to be removed by hand");
    }
    let now = files_of(path).map_err(Error::io(path))?;
    if now != trace.files || now.iter().any(|(_, hash)| hash == "-") {
        return stays(false, "stays: it is not as it was written any more");
    }
    // The record may be a stranger's, who would have other files removed.
    let spec = SourceSpec { source: trace.path.clone(), ..SourceSpec::default() };
    if made_by(&spec).unwrap_or_default().is_empty() {
        return stays(false, "stays: nothing says any more that mintage made it");
    }
    match fs::symlink_metadata(path).map_err(Error::io(path))?.is_dir() {
        // Only what was listed, so that what comes meanwhile stays.
        true => {
            remove_all(&now).map_err(Error::io(path))?;
            remove_empty(path).map_err(Error::io(path))?;
        }
        false => remove_all(&now).map_err(Error::io(path))?,
    }
    Ok(Removed { rows: now.len(), all: true, place, notes: Vec::new() })
}

fn remove_all(files: &[(String, String)]) -> io::Result<()> {
    files.iter().try_for_each(|(file, _)| fs::remove_file(path_of(file)))
}

/// Removes a folder and those in it, as far as they are empty.
fn remove_empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    fs::remove_dir(dir)
}
