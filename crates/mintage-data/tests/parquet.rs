//! Parquet files that other programs write: every type that a column can have.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs::File, sync::Arc};

use arrow_array::{
    ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int8Array,
    Int64Array, ListArray, RecordBatch, Time64MicrosecondArray, TimestampNanosecondArray, UInt64Array,
    types::Int32Type,
};
use common::{failure, rows, spec, write};
use mintage_data::{
    SourceSpec, Type,
    table::{IfExists, read},
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};

fn file(columns: Vec<(&str, ArrayRef)>) -> (tempfile::TempDir, SourceSpec) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    (dir, spec(path.display()))
}

#[test]
fn every_flat_type_is_read() {
    let decimals = Decimal128Array::from(vec![Some(-150), None]).with_precision_and_scale(10, 2).unwrap();
    let moments = TimestampNanosecondArray::from(vec![Some(-1), None]).with_timezone("Europe/Moscow");
    let words: DictionaryArray<Int32Type> = [Some("да"), None].into_iter().collect();
    let (_dir, spec) = file(vec![
        ("tiny", Arc::new(Int8Array::from(vec![Some(-128), None]))),
        ("huge", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("narrow", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
        ("wide", Arc::new(Float64Array::from(vec![Some(1e300), None]))),
        ("money", Arc::new(decimals)),
        ("clock", Arc::new(Time64MicrosecondArray::from(vec![Some(3_661_500_000), None]))),
        ("moment", Arc::new(moments)),
        ("word", Arc::new(words)),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\0"[..]), None]))),
    ]);
    let table = read(&spec).unwrap();
    let cells = ["-128", "18446744073709551615", "0.1", "1e300", "-1.50", "01:01:01.500"].map(Some);
    assert_eq!(rows(&table)[0][..6], cells);
    assert_eq!(rows(&table)[0][6..], ["1969-12-31 23:59:59.999999999+00:00", "да"].map(Some));
    assert_eq!(rows(&table)[1], [None; 8]);
    let types: Vec<Type> = table.columns.iter().map(|column| column.declaration.ty).collect();
    let (integer, real) = (Type::Integer, Type::Real);
    assert_eq!(types[..4], [integer, integer, real, real]);
    assert_eq!(types[4..], [Type::Decimal, Type::Time, Type::TimestampTz, Type::Text]);
    assert!(table.notes[0].contains("`bytes`"));
    let named = SourceSpec { column: Some("bytes".into()), ..spec };
    assert!(failure(read(&named)).contains("`bytes` holds bytes"));
}

#[test]
fn a_list_is_a_value_of_its_own() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
    let (_dir, spec) =
        file(vec![("n", Arc::new(Int8Array::from(vec![1, 2]))), ("tags", Arc::new(list) as ArrayRef)]);
    // A list is one value, written as JSON.
    assert_eq!(rows(&read(&spec).unwrap()), [[Some("1"), Some("[1]")], [Some("2"), None]]);
    assert_eq!(
        rows(&read(&SourceSpec { column: Some("n".into()), ..spec }).unwrap()),
        [[Some("1")], [Some("2")]]
    );
}

/// What a source holds is told by two hundred rows; from the 401st on they are thinned out within a batch.
#[test]
fn chosen_columns_are_thinned_out_together() {
    let numbers = |from: i64| Arc::new(Int64Array::from_iter_values(from..from + 401)) as ArrayRef;
    let (_dir, spec) = file(vec![("a", numbers(0)), ("b", numbers(1000)), ("c", numbers(5000))]);
    let spec = SourceSpec { column: Some("a,b".into()), ..spec };
    assert_eq!(read(&spec).unwrap().rows(), 401);
    for limit in [100, 200, 400] {
        let table = read(&SourceSpec { limit: Some(limit), ..spec.clone() }).unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["a", "b"]);
        let [a, b] = ["a", "b"].map(|name| {
            let cells = table.column(name).unwrap().iter();
            cells.map(|cell| cell.unwrap().parse().unwrap()).collect::<Vec<i64>>()
        });
        assert!(a.len() <= limit && a.len() > limit / 2 && a.is_sorted(), "{limit}: {a:?}");
        assert!(b.into_iter().eq(a.into_iter().map(|a| a + 1000)), "{limit}");
    }
}

#[test]
fn types_come_out_as_they_went_in() {
    let decimals = Decimal128Array::from(vec![Some(-150), None]).with_precision_and_scale(10, 2).unwrap();
    let moments = TimestampNanosecondArray::from(vec![Some(-1), None]).with_timezone("Europe/Berlin");
    let (dir, spec) = file(vec![
        ("tiny", Arc::new(Int8Array::from(vec![Some(-128), None]))),
        ("huge", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("narrow", Arc::new(Float32Array::from(vec![Some(f32::NAN), None]))),
        ("wide", Arc::new(Float64Array::from(vec![Some(1e300), None]))),
        ("money", Arc::new(decimals)),
        ("clock", Arc::new(Time64MicrosecondArray::from(vec![Some(3_661_500_000), None]))),
        ("moment", Arc::new(moments)),
    ]);
    let table = read(&spec).unwrap();
    let path = dir.path().join("new.parquet").display().to_string();
    write(&table, &path, None, IfExists::Fail, &[]).unwrap();
    let types = |path: &str| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        reader.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>()
    };
    assert_eq!(types(&path), types(&spec.source));
    assert_eq!(rows(&read(&common::spec(&path)).unwrap()), rows(&table));
    // SQLite has no number that is not one.
    let path = dir.path().join("new.db").display().to_string();
    write(&table, &path, Some("t"), IfExists::Fail, &[]).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT typeof(tiny) || typeof(narrow) || typeof(wide) FROM t";
    let stored: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(stored, "integernullreal");
}
