//! Tables from wherever they lie. Cells are texts as the source writes them; of spellings of "missing" only
//! NULL and an empty cell without quotes are known here, all others are the schema's business.

pub(super) mod csv;
mod dialect;
mod file_format;
pub(super) mod jsonl;
mod parquet;
mod postgres;
mod rows;
pub(super) mod sqlite;

use std::{
    fmt::{Display, LowerExp},
    path::Path,
};

use super::{Table, format::Format};
use crate::{
    Error, SourceSpec,
    source::{not_there, sqlite::is_sqlite},
};
pub(super) use file_format::line_end;
use rows::{Rows, check_names, chosen, empty};

/// Whether `spec` names rows, rather than images.
pub fn is_table(spec: &SourceSpec) -> Result<bool, Error> {
    let path = Path::new(&spec.source);
    if path.is_file() && is_sqlite(path) {
        return sqlite::is_table(path, spec);
    }
    Ok(!path.is_dir() && Format::of(&spec.source).is_some_and(|format| format != Format::Sqlite))
}

/// Reads the table that `spec` names: all of it, or at most `limit` rows.
pub fn read(spec: &SourceSpec) -> Result<Table, Error> {
    let format = format_of(&spec.source)?;
    let path = Path::new(&spec.source);
    if !matches!(format, Format::Sqlite | Format::Postgres) {
        check_is_plain(spec)?;
    }
    match format {
        Format::Csv | Format::Tsv => csv::read(path, format.delimiter(), spec),
        Format::JsonLines => jsonl::read(path, spec),
        Format::Parquet => parquet::read(path, spec),
        Format::Sqlite => sqlite::read(path, spec),
        Format::Postgres => postgres::read(spec),
    }
}

/// The tables that a source holds and how many rows each has; of a file, the file itself.
pub fn tables_of(spec: &SourceSpec) -> Result<Vec<(String, usize)>, Error> {
    match format_of(&spec.source)? {
        Format::Sqlite => sqlite::tables_of(Path::new(&spec.source)),
        Format::Postgres => postgres::tables_of(spec),
        _ => read(spec).map(|table| vec![(table.name.clone(), table.rows())]),
    }
}

/// Whether a source has tables to choose from.
pub fn is_database(source: &str) -> bool {
    Format::of(source) == Some(Format::Postgres) || is_sqlite(Path::new(source))
}

/// The format of a source, which must be there when it is a file.
fn format_of(source: &str) -> Result<Format, Error> {
    let path = Path::new(source);
    match Format::of(source) {
        Some(Format::Postgres) => Ok(Format::Postgres),
        _ if !path.exists() => Err(not_there(path)),
        _ if is_sqlite(path) => Ok(Format::Sqlite),
        Some(format) if format != Format::Sqlite && path.is_file() => Ok(format),
        _ => Err(Error::bad(source, "is no table that can be read")
            .with_hint("tables come from SQLite, postgres://…, .csv, .tsv, .jsonl and .parquet files")),
    }
}

/// Only a database has several tables and takes queries.
fn check_is_plain(spec: &SourceSpec) -> Result<(), Error> {
    let what = match (&spec.table, &spec.query) {
        (Some(_), _) => "a table can be chosen",
        (_, Some(_)) => "a query can be asked",
        (None, None) => return Ok(()),
    };
    Err(Error::bad(&spec.source, format!("is a file: only of a database {what}")))
}

/// The only table of a database, when no table was asked for.
fn the_only(place: &str, all: &mut Vec<String>) -> Result<String, Error> {
    match all.len() {
        0 => Err(Error::bad(place, "has no tables")),
        1 => Ok(all.remove(0)),
        _ => Err(Error::bad(place, "has several tables")
            .with_hint(format!("choose one of them with --table: {}", all.join(", ")))),
    }
}

/// The name of a file without its suffixes.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("table").to_owned()
}

/// A number in the fewest digits that read back as the same number, as PostgreSQL writes it.
fn real_text<T: Copy + Display + LowerExp + Into<f64>>(x: T) -> String {
    match x.into() {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        wide if wide != 0.0 && !(1e-5..1e15).contains(&wide.abs()) => format!("{x:e}"),
        _ => format!("{x}"),
    }
}
