//! Parquet: a column gets the type that it was declared with, or that of texts. What made the file stands in
//! its metadata under `mintage`.

use std::{path::Path, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};

use super::super::{Column, Table, Type};
use crate::{Error, Provenance, sink::Beside, source::sqlite::PROVENANCE_COLUMN};

/// Rows that are built at a time.
const BATCH_ROWS: usize = 1 << 16;

pub(super) fn write(table: &Table, path: &Path, provenance: &Provenance) -> Result<(), Error> {
    let place = path.display().to_string();
    let wrong = |error: ParquetError| Error::bad(&place, error.to_string());
    let fields: Vec<Field> = table.columns.iter().map(field).collect();
    let schema = Arc::new(Schema::new(fields));
    let mark = KeyValue { key: PROVENANCE_COLUMN.to_owned(), value: Some(provenance.to_json()) };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![mark]))
        .build();
    let file = Beside::create(path).map_err(Error::io(path))?;
    let mut writer = ArrowWriter::try_new(&file.file, schema.clone(), Some(properties)).map_err(wrong)?;
    for start in (0..table.rows()).step_by(BATCH_ROWS) {
        let rows = start..(start + BATCH_ROWS).min(table.rows());
        let arrays: Result<Vec<ArrayRef>, Error> =
            table.columns.iter().map(|column| array(column, rows.clone())).collect();
        let batch =
            RecordBatch::try_new(schema.clone(), arrays?).map_err(|e| Error::bad(&place, e.to_string()))?;
        writer.write(&batch).map_err(wrong)?;
    }
    writer.close().map_err(wrong)?;
    file.commit().map_err(Error::io(path))
}

fn field(column: &Column) -> Field {
    let ty = match column.declaration.ty {
        Type::Integer => DataType::Int64,
        Type::Real => DataType::Float64,
        Type::Boolean => DataType::Boolean,
        Type::Date => DataType::Date32,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::Text | Type::Decimal | Type::Time | Type::Uuid | Type::Json => DataType::Utf8,
    };
    Field::new(&column.name, ty, true)
}

fn array(column: &Column, rows: std::ops::Range<usize>) -> Result<ArrayRef, Error> {
    Ok(match column.declaration.ty {
        Type::Integer => {
            Arc::new(Int64Array::from(parsed(column, rows, "whole number", |t| t.parse().ok())?))
        }
        Type::Real => Arc::new(Float64Array::from(parsed(column, rows, "number", |t| t.parse().ok())?)),
        Type::Boolean => Arc::new(BooleanArray::from(parsed(column, rows, "boolean", boolean)?)),
        Type::Date => Arc::new(Date32Array::from(parsed(column, rows, "date", days)?)),
        Type::Timestamp => {
            Arc::new(TimestampMicrosecondArray::from(parsed(column, rows, "date and time", microseconds)?))
        }
        Type::TimestampTz => {
            let parsed = parsed(column, rows, "date and time with a zone", microseconds_utc)?;
            Arc::new(TimestampMicrosecondArray::from(parsed).with_timezone("UTC"))
        }
        Type::Text | Type::Decimal | Type::Time | Type::Uuid | Type::Json => {
            Arc::new(rows.map(|row| column.cell(row)).collect::<StringArray>())
        }
    })
}

/// The cells as values; an error that names the first cell that is none.
fn parsed<T>(
    column: &Column,
    rows: std::ops::Range<usize>,
    wanted: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<Option<T>>, Error> {
    let value = |row: usize| {
        let Some(text) = column.cell(row) else { return Ok(None) };
        let bad = || {
            let why = format!("`{text}` in row {} is no {wanted}", row + 1);
            Error::bad(format!("column `{}`", column.name), why)
        };
        parse(text).map(Some).ok_or_else(bad)
    };
    rows.map(value).collect()
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" => Some(true),
        "false" | "f" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// Days since 1970.
fn days(text: &str) -> Option<i32> {
    let date = text.parse::<NaiveDate>().ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// Microseconds since 1970, of a date with or without a time.
fn microseconds(text: &str) -> Option<i64> {
    const FORMATS: [&str; 4] =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let both = FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let midnight = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    Some(both.or_else(midnight)?.and_utc().timestamp_micros())
}

/// The same with an offset ("+03", "+03:00" or "Z"); without one the time is UTC.
fn microseconds_utc(text: &str) -> Option<i64> {
    const FORMATS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"];
    let text = text.strip_suffix('Z').map_or_else(|| text.to_owned(), |time| format!("{time}+00"));
    let both = FORMATS.iter().find_map(|format| DateTime::parse_from_str(&text, format).ok());
    both.map(|both| both.timestamp_micros()).or_else(|| microseconds(&text))
}
