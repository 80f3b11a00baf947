//! That a codec of a table could have been fitted: it may have been read from a stranger's file.

use super::RowEncoder;
use crate::table::set::TableInfo;

/// Tokens of a field: numbers of 16 bits, the last of which stands for what is hidden.
pub(super) const MAX_TOKENS: usize = u16::MAX as usize;

impl RowEncoder {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        self.rules.check_plan()?;
        let forward = &self.rules.schema().columns;
        if forward.len() != self.columns.len() {
            return Err(format!("{} columns, and rules for {}", self.columns.len(), forward.len()));
        }
        for (at, (codec, schema)) in self.columns.iter().zip(forward).enumerate() {
            if codec.schema.name != schema.name || codec.schema.kind != schema.kind {
                return Err(format!("column `{}` where `{}` should be", codec.schema.name, schema.name));
            }
            codec.check().map_err(|why| format!("column `{}` {why}", schema.name))?;
            let sound = |other: usize| other < at && codec.is_binned() && self.columns[other].is_binned();
            if codec.same.is_some_and(|other| !sound(other)) {
                return Err(format!("column `{}` has the numbers of none before it", schema.name));
            }
        }
        let known = self.rules.own().columns.len();
        if self.together.iter().any(|pair| pair.columns.iter().any(|&column| column >= known)) {
            return Err("names in columns that are not there".to_owned());
        }
        if self.width() == 0 { Err("no column that is learned".to_owned()) } else { Ok(()) }
    }

    /// Checks that what a model was told of its table fits this codec.
    ///
    /// # Errors
    /// The fields of `info` are not those of the codec, or it counts no rows.
    pub fn check_info(&self, info: &TableInfo) -> Result<(), String> {
        let fields = self.columns.iter().enumerate().flat_map(|(at, column)| column.fields(at));
        let mut told = info.fields.iter();
        for own in fields {
            let Some(field) = told.next() else { return Err("too few fields".to_owned()) };
            let alike = own.counts.len() == field.counts.len()
                && (own.column, own.size, own.ordinal, own.unordered, own.detail)
                    == (field.column, field.size, field.ordinal, field.unordered, field.detail);
            if !alike {
                return Err(format!("another field for column `{}`", self.columns[own.column].schema.name));
            }
        }
        match (told.next(), info.train_len) {
            (Some(_), _) => Err("too many fields".to_owned()),
            (None, 0) => Err("no rows to have learned from".to_owned()),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::table::{
        Column, Table,
        rules::{Rule, Rules},
        schema::detect,
    };

    /// Numbers in bins, dates in parts, categories, two columns in one, and one that follows another.
    fn codec() -> RowEncoder {
        let days = |add: i64| {
            let day = move |i: i64| Some(format!("2024-{:02}-{:02}", i % 12 + 1, i * 7 % 26 + 1 + add));
            (0..400).map(day).collect::<Vec<_>>()
        };
        let column =
            |name: &str, cells: Vec<Option<String>>| Column::of(name, cells.iter().map(Option::as_deref));
        let text = |f: &dyn Fn(i64) -> String| (0..400).map(|i| Some(f(i))).collect::<Vec<_>>();
        let columns = vec![
            column("amount", text(&|i| format!("{}.{:02}", i * i % 997, i % 100))),
            column("from", days(0)),
            column("to", days(1)),
            column("kind", text(&|i| ["a", "b"][i as usize % 2].to_owned())),
            column("colour", text(&|i| ["red", "blue"][i as usize % 2].to_owned())),
        ];
        let table = Table { name: "t".to_owned(), columns, ..Table::default() };
        let names = |all: [&str; 2]| all.map(str::to_owned).to_vec();
        let rules = vec![
            Rule::Combination { columns: names(["kind", "colour"]) },
            Rule::Order { columns: names(["from", "to"]), strict: false },
        ];
        let rules = Rules::new(rules, &table, &detect(&table)).unwrap();
        RowEncoder::fit(&table, rules, [&(0..400).collect::<Vec<u32>>(), &[]], 0)
    }

    /// What is said of the codec after `change`.
    fn changed(change: impl Fn(&mut Value)) -> Result<(), String> {
        let mut value = serde_json::to_value(codec()).unwrap();
        change(&mut value);
        serde_json::from_value::<RowEncoder>(value).map_err(|e| e.to_string())?.check()
    }

    #[test]
    fn what_was_fitted_is_sound() {
        assert_eq!(changed(|_| {}), Ok(()));
    }

    #[test]
    fn knots_ascend_and_there_are_some() {
        for knots in [json!([]), json!([3.0, 1.0]), json!([1e300, 0.0])] {
            let error =
                changed(|value| value["columns"][0]["how"]["binned"]["bins"][0]["knots"] = knots.clone());
            assert!(error.unwrap_err().contains("`amount` has bins"));
        }
        let bins = |value: &mut Value| value["columns"][0]["how"]["binned"]["bins"] = json!([]);
        assert!(changed(bins).is_err());
    }

    #[test]
    fn rejects_ranks_that_no_rows_have() {
        let with = |ranks: Value, rows: u32| {
            changed(|value| {
                let bin = &mut value["columns"][0]["how"]["binned"]["bins"][0];
                *bin = json!({ "knots": [-3.0, -2.0, -1.0], "ranks": ranks, "rows": rows });
            })
        };
        assert_eq!(with(json!([0, 1, 3]), 4), Ok(()));
        for (ranks, rows) in [
            (json!([0, 3]), 4),
            (json!([1, 2, 3]), 4),
            (json!([0, 3, 3]), 4),
            (json!([0, 4, 3]), 4),
            (json!([0, 1, 2]), 4),
            (json!([0, 1, 3]), 0),
        ] {
            assert!(with(ranks.clone(), rows).unwrap_err().contains("`amount` has bins"), "{ranks}");
        }
        assert!(with(json!([0, 1, 3]), u32::MAX).is_err());
        assert!(with(json!([0, 1, -3]), 4).is_err());
    }

    #[test]
    fn reads_files_that_know_no_ranks() {
        let plain = |value: &mut Value| {
            for bin in value["columns"][0]["how"]["binned"]["bins"].as_array_mut().unwrap() {
                *bin = json!({ "knots": bin["knots"] });
            }
        };
        assert_eq!(changed(plain), Ok(()));
    }

    #[test]
    fn every_index_is_within_its_table() {
        let places = [
            "/rules/origins/0/column",
            "/rules/joints/0/members/0",
            "/rules/followers/0/column",
            "/rules/followers/0/parents/0/column",
        ];
        for place in places {
            let error = changed(|value| *value.pointer_mut(place).unwrap() = json!(99)).unwrap_err();
            assert!(error.contains("column 99"), "{place}: {error}");
        }
        assert!(changed(|value| value["rules"]["origins"][0] = json!({ "joint": 7 })).is_err());
    }

    #[test]
    fn no_column_is_filled_twice() {
        let twice = |value: &mut Value| value["rules"]["origins"][1] = value["rules"]["origins"][0].clone();
        assert!(changed(twice).unwrap_err().contains("twice"));
    }

    #[test]
    fn a_model_is_told_of_the_same_fields() {
        let codec = codec();
        let tokens = vec![0; codec.width()];
        let told = TableInfo { fields: codec.fields(&tokens, &[0]), train_len: 1 };
        assert_eq!(codec.check_info(&told), Ok(()));
        let mut longer = told.clone();
        longer.fields[0].size += 1;
        assert!(codec.check_info(&longer).is_err());
        let mut fewer = told.clone();
        fewer.fields[0].counts.pop();
        assert!(codec.check_info(&fewer).is_err());
        let mut missing = told;
        missing.fields.pop();
        assert!(codec.check_info(&missing).is_err());
    }
}
