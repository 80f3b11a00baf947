//! Parquet: columns of every primitive type as text, lists and structs as JSON text. What its decoder gives up on is
//! a damaged file.

mod json;

use std::{fmt::Display, fs::File, path::Path};

use arrow_array::{
    Array, ArrowPrimitiveType,
    cast::AsArray,
    temporal_conversions::{as_date, as_datetime, as_time},
    types::*,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    errors::ParquetError,
};

use super::{
    super::{Column, Declaration, Table, Type},
    Rows, Sieve, check_names, chosen, empty, real_text, stem,
};
use crate::{
    Error, SourceSpec,
    files::open_regular,
    guard::{GAVE_UP, caught},
    store::PROVENANCE_COLUMN,
};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 4096;

pub(super) fn read(path: &Path, spec: &SourceSpec, sieve: Option<&mut dyn Sieve>) -> Result<Table, Error> {
    let place = path.display().to_string();
    let gave_up = || Error::bad(&place, GAVE_UP).with_hint("write the file anew from where it came");
    caught(|| read_within(path, &place, spec, sieve)).unwrap_or_else(|| Err(gave_up()))
}

fn read_within(
    path: &Path,
    place: &str,
    spec: &SourceSpec,
    sieve: Option<&mut dyn Sieve>,
) -> Result<Table, Error> {
    let wrong = |error: ParquetError| Error::bad(place, error.to_string());
    let file = open_regular(path)?;
    let noted = noted_schema(&file);
    // What another program noted of its own types is not needed: dictionaries come as their values.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(wrong)?;
    let metadata = reader.metadata().file_metadata();
    let is_made = metadata
        .key_value_metadata()
        .is_some_and(|pairs| pairs.iter().any(|pair| pair.key == PROVENANCE_COLUMN));
    if is_made && !spec.allow_made {
        let count = usize::try_from(metadata.num_rows()).unwrap_or(0);
        return Err(Error::OnlyMade { what: place.to_owned(), count });
    }
    let schema = reader.schema().clone();
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    check_names(place, &names)?;
    let mut columns = chosen(spec.column.as_deref(), place, &names)?;
    let mut notes = Vec::new();
    if spec.column.is_none() {
        columns.retain(|&i| match declaration(schema.field(i)) {
            Err(what) => {
                notes.push(format!("column `{}` holds {what} and was left out", names[i]));
                false
            }
            Ok(_) => true,
        });
        if columns.is_empty() {
            return Err(
                Error::bad(place, "holds no columns that a table model learns").with_hint(notes.join("; "))
            );
        }
    }
    let mut table = empty(stem(path), &names, &columns);
    table.notes = notes;
    for (column, &i) in table.columns.iter_mut().zip(&columns) {
        column.declaration = declaration(schema.field(i)).map_err(|what| {
            let why = format!("column `{}` holds {what}, which no table model learns", names[i]);
            Error::bad(place, why).with_hint("name the others with --column a,b,c")
        })?;
        if let Some(zone) = noted.as_ref().and_then(|noted| zone_of(noted, schema.field(i))) {
            column.declaration.native = Some(zone.to_string());
        }
    }
    let mask = ProjectionMask::roots(reader.parquet_schema(), columns.iter().copied());
    let batches = reader.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(wrong)?;
    let mut rows = Rows::new(table, spec, sieve);
    for batch in batches {
        let batch = batch.map_err(|error| Error::bad(place, error.to_string()))?;
        rows.add_batch(batch.num_rows(), |table, kept| {
            for column in &mut table.columns {
                if let Some(array) = batch.column_by_name(&column.name) {
                    push_all(column, array, kept);
                }
            }
        });
    }
    rows.finish(place)
}

/// The columns as the program that wrote the file noted them, if it did.
fn noted_schema(file: &File) -> Option<SchemaRef> {
    let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).ok()?;
    Some(metadata.schema().clone())
}

/// The type of moments with their zone. Parquet's own types know none but UTC.
fn zone_of<'a>(noted: &'a Schema, field: &Field) -> Option<&'a DataType> {
    let noted = noted.field_with_name(field.name()).ok()?.data_type();
    let both = (field.data_type(), noted);
    matches!(both, (DataType::Timestamp(..), DataType::Timestamp(_, Some(_)))).then_some(noted)
}

/// What a field means; what it holds when it can be no column of texts.
fn declaration(field: &Field) -> Result<Declaration, String> {
    use DataType::*;
    let ty = match field.data_type() {
        Boolean => Type::Boolean,
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Type::Integer,
        Float16 | Float32 | Float64 => Type::Real,
        Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Type::Decimal,
        Date32 | Date64 => Type::Date,
        Time32(_) | Time64(_) => Type::Time,
        Timestamp(_, None) => Type::Timestamp,
        Timestamp(_, Some(_)) => Type::TimestampTz,
        Utf8 | LargeUtf8 | Utf8View | Null => Type::Text,
        other if json::is_nested(other) => Type::Json,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => return Err("bytes".to_owned()),
        other => return Err(format!("values of the type {other}")),
    };
    let native = Some(field.data_type().to_string());
    Ok(Declaration { ty, native, not_null: !field.is_nullable(), ..Declaration::default() })
}

/// Adds the rows `kept` of an array.
fn push_all(column: &mut Column, array: &dyn Array, kept: &[usize]) {
    use DataType::*;
    match array.data_type() {
        Boolean => {
            let array = array.as_boolean();
            push_each(column, array, kept, |row| array.value(row));
        }
        Int8 => push_shown::<Int8Type>(column, array, kept),
        Int16 => push_shown::<Int16Type>(column, array, kept),
        Int32 => push_shown::<Int32Type>(column, array, kept),
        Int64 => push_shown::<Int64Type>(column, array, kept),
        UInt8 => push_shown::<UInt8Type>(column, array, kept),
        UInt16 => push_shown::<UInt16Type>(column, array, kept),
        UInt32 => push_shown::<UInt32Type>(column, array, kept),
        UInt64 => push_shown::<UInt64Type>(column, array, kept),
        // In the fewest digits of the narrower type: 0.1 stays 0.1.
        Float16 => push_primitive::<Float16Type, _>(column, array, kept, |x| real_text(x.to_f32())),
        Float32 => push_primitive::<Float32Type, _>(column, array, kept, real_text),
        Float64 => push_primitive::<Float64Type, _>(column, array, kept, real_text),
        Decimal32(..) => push_decimal::<Decimal32Type>(column, array, kept),
        Decimal64(..) => push_decimal::<Decimal64Type>(column, array, kept),
        Decimal128(..) => push_decimal::<Decimal128Type>(column, array, kept),
        Decimal256(..) => push_decimal::<Decimal256Type>(column, array, kept),
        Date32 => push_time::<Date32Type>(column, array, kept, ""),
        Date64 => push_time::<Date64Type>(column, array, kept, ""),
        Time32(TimeUnit::Second) => push_time::<Time32SecondType>(column, array, kept, ""),
        Time32(_) => push_time::<Time32MillisecondType>(column, array, kept, ""),
        Time64(TimeUnit::Nanosecond) => push_time::<Time64NanosecondType>(column, array, kept, ""),
        Time64(_) => push_time::<Time64MicrosecondType>(column, array, kept, ""),
        Timestamp(unit, zone) => {
            let zone = if zone.is_some() { "+00:00" } else { "" };
            match unit {
                TimeUnit::Second => push_time::<TimestampSecondType>(column, array, kept, zone),
                TimeUnit::Millisecond => push_time::<TimestampMillisecondType>(column, array, kept, zone),
                TimeUnit::Microsecond => push_time::<TimestampMicrosecondType>(column, array, kept, zone),
                TimeUnit::Nanosecond => push_time::<TimestampNanosecondType>(column, array, kept, zone),
            }
        }
        Utf8 => {
            let array = array.as_string::<i32>();
            push_each(column, array, kept, |row| array.value(row));
        }
        LargeUtf8 => {
            let array = array.as_string::<i64>();
            push_each(column, array, kept, |row| array.value(row));
        }
        Utf8View => {
            let array = array.as_string_view();
            push_each(column, array, kept, |row| array.value(row));
        }
        nested if json::is_nested(nested) => {
            for &row in kept {
                column.push(json::cell(array, row).as_deref());
            }
        }
        // Nothing else passes `declaration` but columns without any value.
        _ => kept.iter().for_each(|_| column.push(None)),
    }
}

/// Adds `text_of` each row that is not null.
fn push_each<T: Display>(
    column: &mut Column,
    array: &dyn Array,
    kept: &[usize],
    text_of: impl Fn(usize) -> T,
) {
    let mut text = String::new();
    for &row in kept {
        if array.is_null(row) {
            column.push(None);
            continue;
        }
        text.clear();
        // Writing into a string cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{}", text_of(row)));
        column.push(Some(&text));
    }
}

fn push_primitive<T: ArrowPrimitiveType, D: Display>(
    column: &mut Column,
    array: &dyn Array,
    kept: &[usize],
    text_of: impl Fn(T::Native) -> D,
) {
    let array = array.as_primitive::<T>();
    push_each(column, array, kept, |row| text_of(array.value(row)));
}

fn push_shown<T: ArrowPrimitiveType<Native: Display>>(
    column: &mut Column,
    array: &dyn Array,
    kept: &[usize],
) {
    push_primitive::<T, _>(column, array, kept, |x| x);
}

fn push_decimal<T: DecimalType + ArrowPrimitiveType>(column: &mut Column, array: &dyn Array, kept: &[usize]) {
    let array = array.as_primitive::<T>();
    push_each(column, array, kept, |row| array.value_as_string(row));
}

/// Adds dates or times in ISO form; what lies outside the calendar is written as its number.
fn push_time<T: ArrowPrimitiveType<Native: Into<i64>>>(
    column: &mut Column,
    array: &dyn Array,
    kept: &[usize],
    zone: &str,
) {
    push_primitive::<T, _>(column, array, kept, |x| {
        let x: i64 = x.into();
        let text = match T::DATA_TYPE {
            DataType::Date32 | DataType::Date64 => as_date::<T>(x).map(|date| date.to_string()),
            DataType::Time32(_) | DataType::Time64(_) => as_time::<T>(x).map(|time| time.to_string()),
            _ => as_datetime::<T>(x).map(|both| format!("{} {}{zone}", both.date(), both.time())),
        };
        text.unwrap_or_else(|| x.to_string())
    });
}
