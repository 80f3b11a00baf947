//! Parquet and Arrow: a column gets the type that it had in a Parquet file, or else the one that its values have. What made the
//! file stands in its metadata under `mintage`.

use std::{path::Path, sync::Arc};

use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, RecordBatch, StringArray, builder::PrimitiveBuilder, types::*,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};

use super::{
    super::{
        Column, Type,
        schema::{ColumnSchema, Format, TableSchema},
    },
    Writing,
    cast::{Cast, boolean, schema_of},
    rows::{IdRange, Rows},
};
use crate::{Error, sink::Beside, store::PROVENANCE_COLUMN};

/// Rows of a group: so many are held until they are written.
const GROUP_ROWS: usize = 1 << 17;
/// Digits of the widest decimals.
const MAX_DIGITS: u8 = 38;

pub(super) fn write(rows: &mut Rows, path: &Path, how: &mut Writing) -> Result<Beside, Error> {
    let place = path.display().to_string();
    let wrong = |error: ParquetError| Error::bad(&place, error.to_string());
    let mark = how
        .provenance
        .map(|provenance| KeyValue { key: PROVENANCE_COLUMN.to_owned(), value: Some(provenance.to_json()) });
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(mark.map(|mark| vec![mark]))
        .build();
    let mut batches = Batches::of(rows, how, &place)?;
    let file = Beside::create(path).map_err(Error::io(path))?;
    let mut writer =
        ArrowWriter::try_new(&file.file, batches.schema.clone(), Some(properties)).map_err(wrong)?;
    while let Some(batch) = batches.next(rows, how)? {
        writer.write(&batch).map_err(wrong)?;
    }
    writer.close().map_err(wrong)?;
    Ok(file)
}

/// Sends rows as an Arrow stream (the IPC format), a record batch for each part.
pub(super) fn send(
    rows: &mut Rows,
    how: &mut Writing,
    out: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let wrong = |error: ArrowError| Error::bad("the stream of rows", error.to_string());
    let mut batches = Batches::of(rows, how, "the stream of rows")?;
    let mut writer = StreamWriter::try_new(Vec::new(), &batches.schema).map_err(wrong)?;
    while let Some(batch) = batches.next(rows, how)? {
        writer.write(&batch).map_err(wrong)?;
        out(&std::mem::take(writer.get_mut()))?;
    }
    writer.finish().map_err(wrong)?;
    out(writer.get_ref())
}

/// Rows as record batches of Arrow, a part at a time.
struct Batches {
    columns: Vec<ParquetColumn>,
    schema: Arc<Schema>,
    /// Rows so far.
    first: usize,
    place: String,
}

impl Batches {
    fn of(rows: &mut Rows, how: &mut Writing, place: &str) -> Result<Self, Error> {
        let columns: Vec<ParquetColumn> =
            rows.head.columns.iter().map(|column| ParquetColumn::of(column, how.schema)).collect();
        let fields: Vec<Field> = columns.iter().map(ParquetColumn::field).collect();
        rows.bound(how, |column| {
            columns.iter().find(|own| own.name == column.name).and_then(|own| id_range(&own.ty))
        })?;
        Ok(Self { columns, schema: Arc::new(Schema::new(fields)), first: 0, place: place.to_owned() })
    }

    fn next(&mut self, rows: &mut Rows, how: &mut Writing) -> Result<Option<RecordBatch>, Error> {
        let Some(part) = rows.next(how.random)? else { return Ok(None) };
        let arrays =
            part.columns.iter().zip(&self.columns).map(|(column, own)| own.array(column, self.first));
        let arrays = arrays.collect::<Result<Vec<ArrayRef>, Error>>()?;
        self.first += part.rows();
        let bad = |error: ArrowError| Error::bad(&self.place, error.to_string());
        RecordBatch::try_new(self.schema.clone(), arrays).map(Some).map_err(bad)
    }
}

/// A column of the file.
struct ParquetColumn {
    name: String,
    ty: DataType,
    cast: Cast,
}

impl ParquetColumn {
    fn of(column: &Column, schema: Option<&TableSchema>) -> Self {
        let own = schema_of(column, schema);
        let ty = data_type(column, own);
        let cast = Cast::to(type_of(&ty, column.declaration.ty), column, own);
        Self { name: column.name.clone(), ty, cast }
    }

    fn field(&self) -> Field {
        Field::new(&self.name, self.ty.clone(), true)
    }

    /// The cells of a part, whose first row is `first` of all.
    fn array(&self, column: &Column, first: usize) -> Result<ArrayRef, Error> {
        use DataType as D;
        let cells = Cells { column, own: self, first };
        match &self.ty {
            D::Boolean => Ok(Arc::new(BooleanArray::from(cells.parsed("boolean", boolean)?))),
            D::Int8 => cells.whole::<Int8Type>(),
            D::Int16 => cells.whole::<Int16Type>(),
            D::Int32 => cells.whole::<Int32Type>(),
            D::Int64 => cells.whole::<Int64Type>(),
            D::UInt8 => cells.whole::<UInt8Type>(),
            D::UInt16 => cells.whole::<UInt16Type>(),
            D::UInt32 => cells.whole::<UInt32Type>(),
            D::UInt64 => cells.whole::<UInt64Type>(),
            D::Float16 => cells.primitive::<Float16Type>("number", |text| {
                text.parse().ok().map(<Float16Type as ArrowPrimitiveType>::Native::from_f32)
            }),
            D::Float32 => cells.primitive::<Float32Type>("number", |text| text.parse().ok()),
            D::Float64 => cells.primitive::<Float64Type>("number", |text| text.parse().ok()),
            &D::Decimal128(_, scale) => {
                cells.primitive::<Decimal128Type>("decimal number", |text| decimal(text, scale))
            }
            D::Date32 => cells.primitive::<Date32Type>("date", |text| i32::try_from(days(text)?).ok()),
            D::Date64 => cells.primitive::<Date64Type>("date", |text| days(text)?.checked_mul(86_400_000)),
            D::Time32(TimeUnit::Second) => cells.clock::<Time32SecondType>(1),
            D::Time32(_) => cells.clock::<Time32MillisecondType>(1_000),
            D::Time64(TimeUnit::Nanosecond) => cells.clock::<Time64NanosecondType>(1_000_000_000),
            D::Time64(_) => cells.clock::<Time64MicrosecondType>(1_000_000),
            D::Timestamp(unit, zone) => {
                let moment: fn(&str) -> Option<DateTime<chrono::Utc>> =
                    if zone.is_some() { moment_with_zone } else { moment };
                match unit {
                    TimeUnit::Second => {
                        cells.moment::<TimestampSecondType>(moment, |at| Some(at.timestamp()))
                    }
                    TimeUnit::Millisecond => {
                        cells.moment::<TimestampMillisecondType>(moment, |at| Some(at.timestamp_millis()))
                    }
                    TimeUnit::Microsecond => {
                        cells.moment::<TimestampMicrosecondType>(moment, |at| Some(at.timestamp_micros()))
                    }
                    TimeUnit::Nanosecond => {
                        cells.moment::<TimestampNanosecondType>(moment, |at| at.timestamp_nanos_opt())
                    }
                }
            }
            _ => {
                let texts: Vec<_> = column.values().iter().map(|text| self.cast.text(text)).collect();
                let cell = |&number: &u32| texts.get(number as usize).and_then(Option::as_deref);
                Ok(Arc::new(column.numbers().iter().map(cell).collect::<StringArray>()))
            }
        }
    }
}

/// The type of a column: its own where it comes from Parquet.
fn data_type(column: &Column, schema: Option<&ColumnSchema>) -> DataType {
    let declaration = &column.declaration;
    if let Some(own) = declaration.native.as_deref().and_then(parquet_type) {
        return own;
    }
    match declaration.strict_type() {
        Type::Integer => DataType::Int64,
        Type::Real => DataType::Float64,
        Type::Decimal => decimal_type(column, schema),
        Type::Boolean => DataType::Boolean,
        Type::Date => DataType::Date32,
        Type::Time => DataType::Time64(TimeUnit::Microsecond),
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::Text | Type::Uuid | Type::Json => DataType::Utf8,
    }
}

/// The type that a column of a Parquet file had, by its name there, if it can be written.
fn parquet_type(name: &str) -> Option<DataType> {
    use DataType::*;
    Some(match name.parse().ok()? {
        ty @ (Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float16
        | Float32 | Float64 | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..)) => ty,
        Decimal32(digits, scale)
        | Decimal64(digits, scale)
        | Decimal128(digits, scale)
        | Decimal256(digits @ ..=MAX_DIGITS, scale) => Decimal128(digits, scale),
        Utf8 | LargeUtf8 | Utf8View => Utf8,
        _ => return None,
    })
}

/// Decimals with the digits that their type names, such as `numeric(10,2)`, or that the values have.
fn decimal_type(column: &Column, schema: Option<&ColumnSchema>) -> DataType {
    let seen = match schema.map(|schema| &schema.format) {
        Some(Format::Number(format)) => {
            format.digits.map(|digits| (digits.max(0), format.max.max(-format.min)))
        }
        _ => None,
    };
    let (named, seen) = (column.declaration.native.as_deref().and_then(precision), seen);
    match (named, seen) {
        (Some((digits, scale)), Some((after, largest))) => {
            let before = (largest.max(1.0).log10().floor() as i16) + 1;
            let fits = after <= scale && before + i16::from(scale) <= i16::from(digits);
            if fits { DataType::Decimal128(digits, scale) } else { widest(after.max(scale)) }
        }
        (Some((digits, scale)), None) => DataType::Decimal128(digits, scale),
        (None, Some((after, _))) => widest(after),
        (None, None) => DataType::Utf8,
    }
}

fn widest(scale: i8) -> DataType {
    DataType::Decimal128(MAX_DIGITS, scale)
}

/// Digits in all and after the point of `numeric(10,2)`.
fn precision(native: &str) -> Option<(u8, i8)> {
    let inside = native.split_once('(')?.1.split_once(')')?.0;
    let (digits, scale) = inside.split_once(',').unwrap_or((inside, "0"));
    let (digits, scale): (u8, i8) = (digits.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=MAX_DIGITS).contains(&digits) && (0..=digits as i8).contains(&scale)).then_some((digits, scale))
}

/// What the cells of a column of this type are.
fn type_of(ty: &DataType, own: Type) -> Type {
    match ty {
        DataType::Boolean => Type::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Real,
        DataType::Decimal128(..) => Type::Decimal,
        DataType::Date32 | DataType::Date64 => Type::Date,
        DataType::Time32(_) | DataType::Time64(_) => Type::Time,
        DataType::Timestamp(_, None) => Type::Timestamp,
        DataType::Timestamp(_, Some(_)) => Type::TimestampTz,
        DataType::Utf8 if own == Type::Uuid || own == Type::Json => own,
        DataType::Utf8 => Type::Text,
        _ => Type::Integer,
    }
}

/// The whole numbers that a type holds.
fn id_range(ty: &DataType) -> Option<IdRange> {
    let bits = |bits: u32| Some((-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1));
    match ty {
        DataType::Int8 => bits(8),
        DataType::Int16 => bits(16),
        DataType::Int32 => bits(32),
        DataType::Int64 => bits(64),
        DataType::UInt8 => Some((0, (1 << 8) - 1)),
        DataType::UInt16 => Some((0, (1 << 16) - 1)),
        DataType::UInt32 => Some((0, (1 << 32) - 1)),
        DataType::UInt64 => Some((0, (1 << 64) - 1)),
        _ => None,
    }
}

/// The cells of a part of a column.
struct Cells<'a> {
    column: &'a Column,
    own: &'a ParquetColumn,
    first: usize,
}

impl Cells<'_> {
    /// The cells as values, worked out once a distinct text; an error that names the first that is none.
    fn parsed<T: Copy>(
        &self,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<Option<T>>, Error> {
        let value = |(number, text): (usize, &str)| {
            let Some(cell) = self.own.cast.text(text) else { return Ok(None) };
            // PostgreSQL knows dates without an end.
            if matches!(self.own.cast.ty, Type::Date | Type::Timestamp | Type::TimestampTz)
                && matches!(&*cell, "infinity" | "-infinity")
            {
                return Ok(None);
            }
            parse(&cell).map(Some).ok_or_else(|| {
                let row = self.column.numbers().iter().position(|&n| n as usize == number).unwrap_or(0);
                let why = format!("`{text}` in row {} is no {wanted}", self.first + row + 1);
                Error::bad(format!("column `{}`", self.column.name), why)
            })
        };
        let values = self.column.values().iter().enumerate().map(value).collect::<Result<Vec<_>, _>>()?;
        let cell = |&number: &u32| values.get(number as usize).copied().flatten();
        Ok(self.column.numbers().iter().map(cell).collect())
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef, Error> {
        let values = self.parsed(wanted, parse)?;
        let mut array =
            PrimitiveBuilder::<T>::with_capacity(values.len()).with_data_type(self.own.ty.clone());
        values.into_iter().for_each(|value| array.append_option(value));
        Ok(Arc::new(array.finish()))
    }

    fn whole<T: ArrowPrimitiveType<Native: std::str::FromStr>>(&self) -> Result<ArrayRef, Error> {
        self.primitive::<T>("whole number of its type", |text| text.parse().ok())
    }

    /// Times of day, as so many units a second.
    fn clock<T: ArrowPrimitiveType<Native: TryFrom<i64>>>(&self, units: i64) -> Result<ArrayRef, Error> {
        self.primitive::<T>("time of day", |text| {
            const FORMATS: [&str; 2] = ["%H:%M:%S%.f", "%H:%M"];
            let time = FORMATS.iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())?;
            let nanos =
                i128::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i128::from(time.nanosecond());
            let counted = nanos * i128::from(units) / 1_000_000_000;
            T::Native::try_from(i64::try_from(counted).ok()?).ok()
        })
    }

    fn moment<T: ArrowPrimitiveType<Native = i64>>(
        &self,
        parse: fn(&str) -> Option<DateTime<chrono::Utc>>,
        count: impl Fn(DateTime<chrono::Utc>) -> Option<i64>,
    ) -> Result<ArrayRef, Error> {
        self.primitive::<T>("date and time", |text| count(parse(text)?))
    }
}

/// A decimal number in units of 10^-scale; nothing where it has more digits than that.
fn decimal(text: &str, scale: i8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::try_from(scale).ok()?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > scale || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i128 = format!("0{whole}{fraction:0<scale$}").parse().ok()?;
    Some(if negative { -number } else { number })
}

/// Days since 1970.
fn days(text: &str) -> Option<i64> {
    // What was cut off is the time of a date.
    let date = text.get(..10).unwrap_or(text).parse::<NaiveDate>().ok()?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days())
}

/// A date with or without a time.
fn moment(text: &str) -> Option<DateTime<chrono::Utc>> {
    const FORMATS: [&str; 4] =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let both = FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let midnight = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    Some(both.or_else(midnight)?.and_utc())
}

/// The same with an offset ("+03", "+03:00" or "Z"); without one the time is UTC.
fn moment_with_zone(text: &str) -> Option<DateTime<chrono::Utc>> {
    const FORMATS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"];
    let text = text.strip_suffix('Z').map_or_else(|| text.to_owned(), |time| format!("{time}+00"));
    let both = FORMATS.iter().find_map(|format| DateTime::parse_from_str(&text, format).ok());
    both.map(|both| both.to_utc()).or_else(|| moment(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        assert_eq!(decimal("1234.50", 2), Some(123_450));
        assert_eq!(decimal("-0.5", 2), Some(-50));
        assert_eq!(decimal("7", 2), Some(700));
        assert_eq!(decimal("1.005", 2), None);
        assert_eq!(decimal("99999999999999999999.99", 2), Some(9_999_999_999_999_999_999_999));
        assert_eq!(decimal("1e3", 2), None);
        assert_eq!(precision("numeric(10,2)"), Some((10, 2)));
        assert_eq!(precision("DECIMAL(5)"), Some((5, 0)));
        assert_eq!((precision("numeric"), precision("numeric(99,2)")), (None, None));
    }

    #[test]
    fn types_of_parquet_are_known_by_their_names() {
        let zone = DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into()));
        for ty in [DataType::Int8, DataType::UInt64, DataType::Float32, DataType::Decimal128(10, 2), zone] {
            assert_eq!(parquet_type(&ty.to_string()), Some(ty));
        }
        for other in ["integer", "VARCHAR(80)", "numeric(10,2)", "text"] {
            assert_eq!(parquet_type(other), None, "{other}");
        }
    }
}
