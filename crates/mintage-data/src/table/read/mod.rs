//! Tables from wherever they lie. Cells are texts as the source writes them; of spellings of "missing" only
//! NULL and an empty cell without quotes are known here, all others are the schema's business.

pub(super) mod csv;
mod dialect;
mod file_format;
mod header;
mod json;
pub(super) mod jsonl;
mod objects;
mod parquet;
mod postgres;
mod real;
mod rows;
mod spaces;
pub(super) mod sqlite;

use std::{
    fmt::{Display, LowerExp},
    path::Path,
};

use super::{Table, format::Format, redacted};
use crate::{
    DataKind, Error, SourceSpec,
    files::{check_source, without_packing},
    names::path_of,
    store::sqlite::is_sqlite,
};
pub(super) use file_format::line_end;
pub(crate) use postgres::constraints::constraints as postgres_constraints;
pub(crate) use real::only_real;
pub use rows::Sieve;
pub(crate) use rows::chosen;
use rows::{Rows, check_names, empty};
pub(crate) use sqlite::{constraints::constraints as sqlite_constraints, declared_type};

/// Whether the name of a source is one of rows, as far as that can be told without opening it.
pub(crate) fn names_rows(spec: &SourceSpec) -> bool {
    is_database(&spec.source)
        || !spec.path().is_dir() && named(spec).is_some_and(|format| format != Format::Sqlite)
}

/// The format that the name of a source means, or what is said of it: rows of a file of any other name are those of
/// delimited text.
fn named(spec: &SourceSpec) -> Option<Format> {
    let name = spec.source.to_lowercase();
    let plain = without_packing(&name).unwrap_or(&name);
    let ending = plain.rsplit_once('.').map_or("", |(_, ending)| ending);
    let delimited = spec.kind == Some(DataKind::Table) || spec.delimiter.is_some() || spec.header.is_some();
    Format::of(&spec.source)
        .or(match ending {
            "json" => Some(Format::JsonLines),
            "tab" => Some(Format::Tsv),
            "psv" => Some(Format::Csv),
            _ => Format::of(plain).filter(|format| !matches!(format, Format::Parquet | Format::Sqlite)),
        })
        .or_else(|| (delimited && spec.path().is_file()).then_some(Format::Csv))
}

/// Reads the table that `spec` names: all of it, or at most `limit` rows.
///
/// # Errors
/// The source is not a table that can be read, holds no rows, or does not have what `spec` asks for.
pub fn read(spec: &SourceSpec) -> Result<Table, Error> {
    read_by(spec, None)
}

/// Reads the rows of a table that a sieve keeps, which is asked for each of them, so that no more than about twice as many are
/// held. It may keep none.
///
/// # Errors
/// Those of [`read`].
pub fn read_sifted(spec: &SourceSpec, sieve: &mut dyn Sieve) -> Result<Table, Error> {
    read_by(spec, Some(sieve))
}

fn read_by(spec: &SourceSpec, sieve: Option<&mut dyn Sieve>) -> Result<Table, Error> {
    let format = format_of(spec)?;
    let path = &*spec.path();
    if !matches!(format, Format::Sqlite | Format::Postgres) {
        check_is_plain(spec)?;
    }
    if !matches!(format, Format::Csv | Format::Tsv) {
        check_is_not_described(format, spec)?;
    }
    match format {
        Format::Csv | Format::Tsv => csv::read(path, format.delimiter(), spec, sieve),
        Format::JsonLines => jsonl::read(path, spec, sieve),
        Format::Parquet => parquet::read(path, spec, sieve),
        Format::Sqlite => sqlite::read(path, spec, sieve),
        Format::Postgres => postgres::read(spec, sieve),
    }
}

/// The tables that a source holds and how many rows each has, with a view that is asked for; of a file, the file itself.
///
/// # Errors
/// The source is not a table that can be read.
pub fn tables_of(spec: &SourceSpec) -> Result<Vec<(String, usize)>, Error> {
    match format_of(spec)? {
        Format::Sqlite => sqlite::tables_of(&spec.path(), spec.table.as_deref()),
        Format::Postgres => postgres::tables_of(spec),
        _ => read(spec).map(|table| vec![(table.name.clone(), table.rows())]),
    }
}

/// Whether a source has tables to choose from.
pub fn is_database(source: &str) -> bool {
    Format::of(source) == Some(Format::Postgres) || is_sqlite(&path_of(source))
}

/// The format of a source, which must be there when it is a file.
fn format_of(spec: &SourceSpec) -> Result<Format, Error> {
    let path = &*spec.path();
    let format = named(spec);
    match format {
        Some(Format::Postgres) => return Ok(Format::Postgres),
        _ => check_source(path)?,
    }
    match format {
        _ if is_sqlite(path) => Ok(Format::Sqlite),
        Some(format) if format != Format::Sqlite && path.is_file() => Ok(format),
        _ => Err(Error::bad(&spec.source, "is no table that can be read").with_hint(
            "tables come from SQLite, postgres://…, .csv, .tsv, .json, .jsonl and .parquet files; --kind table reads any \
             other file of text as delimited",
        )),
    }
}

/// Only delimited text needs to be described.
fn check_is_not_described(format: Format, spec: &SourceSpec) -> Result<(), Error> {
    let SourceSpec { header, delimiter, skip, comment, encoding, .. } = spec;
    let encoding = encoding.as_ref().filter(|_| format != Format::JsonLines);
    let said = [
        ("header", header.is_some()),
        ("delimiter", delimiter.is_some()),
        ("skip", skip.is_some()),
        ("comment", comment.is_some()),
        ("encoding", encoding.is_some()),
    ];
    match said.iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::bad(redacted(&spec.source), format!("is no delimited text: it has no `{name}`"))
                .with_hint("header, delimiter, skip, comment and encoding are for CSV and its like"))
        }
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
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("table").to_owned()
}

/// A number in the fewest digits that read back as the same number, as PostgreSQL writes it.
pub(super) fn real_text<T: Copy + Display + LowerExp + Into<f64>>(x: T) -> String {
    match x.into() {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        wide if wide != 0.0 && !(1e-5..1e15).contains(&wide.abs()) => format!("{x:e}"),
        _ => format!("{x}"),
    }
}
