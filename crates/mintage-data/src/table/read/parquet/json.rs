//! Lists, structs and maps as JSON text, such as JSON Lines would have in their place.

use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::DataType;

use super::{super::super::Column, push_all};

/// Whether values of a type hold others.
pub(super) fn is_nested(ty: &DataType) -> bool {
    use DataType::*;
    matches!(ty, List(_) | LargeList(_) | FixedSizeList(..) | Struct(_) | Map(..))
}

/// The JSON text of a row, or nothing where there is no value.
pub(super) fn cell(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::List(_) => Some(list(&array.as_list::<i32>().value(row))),
        DataType::LargeList(_) => Some(list(&array.as_list::<i64>().value(row))),
        DataType::FixedSizeList(..) => Some(list(&array.as_fixed_size_list().value(row))),
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let entry = |(field, column): (&arrow_schema::FieldRef, &ArrayRef)| {
                let value = items(&column.slice(row, 1)).pop().unwrap_or_default();
                format!("{}:{value}", quoted(field.name()))
            };
            Some(format!("{{{}}}", columns.map(entry).collect::<Vec<_>>().join(",")))
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (texts(entries.column(0)), items(entries.column(1)));
            let entry = |(key, value): (Option<String>, String)| {
                format!("{}:{value}", quoted(&key.unwrap_or_default()))
            };
            Some(format!("{{{}}}", keys.into_iter().zip(values).map(entry).collect::<Vec<_>>().join(",")))
        }
        _ => None,
    }
}

fn list(values: &ArrayRef) -> String {
    format!("[{}]", items(values).join(","))
}

/// Every value of an array as JSON.
fn items(array: &ArrayRef) -> Vec<String> {
    let is_plain = is_nested(array.data_type())
        || array.data_type().is_numeric()
        || matches!(array.data_type(), DataType::Boolean);
    let item = |text: Option<String>| match text {
        None => "null".to_owned(),
        // Of numbers NaN and the infinities are none of JSON's.
        Some(text) if is_plain && !text.ends_with(['N', 'y']) => text,
        Some(text) => quoted(&text),
    };
    texts(array).into_iter().map(item).collect()
}

/// Every value of an array as the text of a cell.
fn texts(array: &ArrayRef) -> Vec<Option<String>> {
    let rows: Vec<usize> = (0..array.len()).collect();
    let mut column = Column::default();
    push_all(&mut column, array, &rows);
    column.iter().map(|cell| cell.map(str::to_owned)).collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow_array::{
        BooleanArray, Float64Array, Int64Array, ListArray, StringArray, StructArray,
        builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder},
        types::Int64Type,
    };
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn nested_values_become_json() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1), None, Some(-3)]),
            None,
            Some(vec![]),
        ]);
        let of = |array: &dyn Array| (0..array.len()).map(|row| cell(array, row)).collect::<Vec<_>>();
        assert_eq!(of(&lists), [Some("[1,null,-3]".to_owned()), None, Some("[]".to_owned())]);
        let field =
            |name: &str, array: &dyn Array| Arc::new(Field::new(name, array.data_type().clone(), true));
        let (text, real, flag) = (
            StringArray::from(vec![Some("a \"b\""), None, Some("true")]),
            Float64Array::from(vec![0.5, f64::NAN, f64::INFINITY]),
            BooleanArray::from(vec![true, false, true]),
        );
        let whole = StructArray::from(vec![
            (field("s", &text), Arc::new(text) as ArrayRef),
            (field("x", &real), Arc::new(real)),
            (field("f", &flag), Arc::new(flag)),
            (field("l", &lists), Arc::new(lists)),
        ]);
        let rows: Vec<String> = of(&whole).into_iter().flatten().collect();
        assert_eq!(rows[0], r#"{"s":"a \"b\"","x":0.5,"f":true,"l":[1,null,-3]}"#);
        assert_eq!(rows[1], r#"{"s":null,"x":"NaN","f":false,"l":null}"#);
        assert_eq!(rows[2], r#"{"s":"true","x":"Infinity","f":true,"l":[]}"#);
        for row in rows {
            assert!(serde_json::from_str::<serde_json::Value>(&row).unwrap().is_object());
        }
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        map.keys().append_value("k");
        map.values().append_value(7);
        map.append(true).unwrap();
        assert_eq!(of(&map.finish()), [Some(r#"{"k":7}"#.to_owned())]);
        let mut nested = ListBuilder::new(ListBuilder::new(Int64Builder::new()));
        nested.values().values().append_value(1);
        nested.values().append(true);
        nested.append(true);
        assert_eq!(of(&nested.finish()), [Some("[[1]]".to_owned())]);
        assert_eq!(cell(&Int64Array::from(vec![1]), 0), None);
    }
}
