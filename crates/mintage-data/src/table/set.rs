//! A table, opened to learn from: read, described, split, encoded.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{
    Column, Table,
    encoder::{Field, Limits, Rare, RowEncoder},
    read::{is_database, read},
    rules::in_force,
    schema::{ColumnSchema, Kind, TableSchema, detect, phrases},
};
use crate::{Error, SourceSpec, Splits};

/// Rows that tell nothing of a distribution.
const MIN_ROWS: usize = 10;

/// Rows below which a category is rare, where rare ones are not made.
pub(super) const RARE_BELOW: u32 = 5;

/// Rows of tokens, one row after another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableBatch {
    pub tokens: Vec<u16>,
    pub n: usize,
}

/// What a model must know of a table before it sees its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableInfo {
    pub fields: Vec<Field>,
    /// Rows of the train split.
    pub train_len: usize,
}

impl TableInfo {
    pub fn width(&self) -> usize {
        self.fields.len()
    }

    /// Where the tokens of each field begin when all fields lie side by side, and where the last one ends.
    pub fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        starts.extend(self.fields.iter().scan(0, |end, field| {
            *end += field.size;
            Some(*end)
        }));
        starts
    }
}

/// A table split into train, valid and holdout, with the tokens of every row.
#[derive(Debug)]
pub struct TableSet {
    /// As read.
    table: Table,
    schema: TableSchema,
    codec: RowEncoder,
    tokens: Vec<u16>,
    info: TableInfo,
    splits: Splits,
}

impl TableSet {
    /// Opens the table that `spec` names, and fits the codec on its train split.
    ///
    /// # Errors
    /// The table cannot be read, has too few rows or no column to learn, or does not suit the kinds or rules of `spec`.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let (table, official) = read_all(spec)?;
        Self::of(table, official, spec)
    }

    /// Opens the table that `spec` names as a trained model sees it: with the codec's columns, in its order.
    ///
    /// # Errors
    /// The table cannot be read, or lacks a column that the model knows.
    pub fn open_as(spec: &SourceSpec, codec: &RowEncoder) -> Result<Self, Error> {
        let (table, official) = read_all(spec)?;
        Self::of_as(table, official, codec, &spec.source)
    }

    /// A set of a table in memory as a trained model sees it. `official` are rows that were set aside; `source` names
    /// the table in errors.
    ///
    /// # Errors
    /// The table lacks a column that the model knows.
    pub fn of_as(
        table: Table,
        official: Option<Range<usize>>,
        codec: &RowEncoder,
        source: &str,
    ) -> Result<Self, Error> {
        let columns = codec.rules.own().columns.iter().map(|schema| {
            let name = &schema.name;
            table.column(name).cloned().ok_or_else(|| {
                Error::bad(source, format!("has no column `{name}`, which the model knows"))
                    .with_hint("give the data that it was trained on, or data with the same columns")
            })
        });
        let mut table =
            Table { name: table.name.clone(), columns: columns.collect::<Result<_, _>>()?, ..table };
        let schema = codec.rules.own().clone();
        let strange = table.columns.iter().zip(&schema.columns).filter_map(strange_values);
        let strange: Vec<String> = strange.collect();
        table.notes.extend(strange);
        let splits = Splits::of_rows(&row_hashes(&table), official);
        Ok(Self::encoded(table, schema, codec.clone(), splits))
    }

    /// A set of a table in memory; `official` are rows that were set aside.
    ///
    /// # Errors
    /// The table has too few rows or no column to learn, or does not suit the kinds or rules of `spec`.
    pub fn of(mut table: Table, official: Option<Range<usize>>, spec: &SourceSpec) -> Result<Self, Error> {
        check(&table)?;
        let mut schema = detect(&table);
        schema.apply(&table, &spec.kinds)?;
        schema.find_types(&table);
        let splits = Splits::of_rows(&row_hashes(&table), official);
        schema.protect(&table, spec, Some(&splits.train));
        let least = match spec.rare {
            Rare::Keep => 0,
            Rare::Group => spec.rare_below.unwrap_or(RARE_BELOW),
        };
        let (rules, notes) = in_force(&spec.rules, &table, &schema)?;
        table.notes.extend(notes);
        let codec = RowEncoder::fit(&table, rules, [&splits.train, &splits.valid], least);
        if codec.width() == 0 {
            return Err(Error::bad(&table.name, "has no column to learn: all are identifiers or constant")
                .with_hint("`mintage inspect` says why; [data.kinds] in a recipe corrects it"));
        }
        Ok(Self::encoded(table, schema, codec, splits))
    }

    fn encoded(table: Table, schema: TableSchema, codec: RowEncoder, splits: Splits) -> Self {
        // Categories that the train split lacks are encoded as the most frequent one.
        let tokens = codec.encode(&table, 0);
        let fields = codec.fields(&tokens, &splits.train);
        let info = TableInfo { fields, train_len: splits.train.len() };
        Self { table, schema, codec, tokens, info, splits }
    }

    pub fn len(&self) -> usize {
        self.table.rows()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As read.
    pub fn table(&self) -> &Table {
        &self.table
    }

    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    pub fn codec(&self) -> &RowEncoder {
        &self.codec
    }

    pub fn info(&self) -> &TableInfo {
        &self.info
    }

    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// Makes what validates a part of train.
    pub fn train_on_valid(&mut self) {
        self.splits.train_on_valid();
        self.info.train_len = self.splits.train.len();
    }

    /// The tokens of some rows, in that order.
    pub fn batch(&self, rows: &[u32]) -> TableBatch {
        let width = self.info.width();
        let tokens = rows.iter().flat_map(|&row| &self.tokens[row as usize * width..][..width]);
        TableBatch { tokens: tokens.copied().collect(), n: rows.len() }
    }

    /// Whole rows of the tokens that a model of this table drew.
    ///
    /// # Errors
    /// No rows can be made that keep every rule, or no more identifiers can be made.
    pub fn decode(&self, tokens: &[u16], random: &mut dyn FnMut() -> u64) -> Result<Table, Error> {
        let n = tokens.len() / self.info.width();
        self.codec.finisher()?.part(tokens, n, &Limits::default(), None, None, random)
    }

    /// `spec` with what opening decided.
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        let mut spec = spec.clone();
        if spec.query.is_none() && spec.table.is_none() && is_database(&spec.source) {
            spec.table = Some(self.table.name.clone());
        }
        spec
    }
}

/// The table, and the rows of it that an official holdout makes up.
fn read_all(spec: &SourceSpec) -> Result<(Table, Option<Range<usize>>), Error> {
    let mut table = read(spec)?;
    let Some(holdout) = &spec.holdout else { return Ok((table, None)) };
    let source = SourceSpec { source: holdout.clone(), holdout: None, limit: None, ..spec.clone() };
    let (own, held) = (table.rows(), read(&source)?);
    table.append(&held)?;
    Ok((table, Some(own..own + held.rows())))
}

/// Refuses tables that nothing can be learned from.
fn check(table: &Table) -> Result<(), Error> {
    let rows = table.rows();
    match rows {
        0 => Err(Error::bad(&table.name, "has no rows")),
        n if n < MIN_ROWS => {
            let rows = if n == 1 { "a single row".to_owned() } else { format!("{n} rows") };
            let hint = format!("{MIN_ROWS} are the least; a few hundred make a usable model");
            Err(Error::bad(&table.name, format!("{rows} cannot teach a model anything")).with_hint(hint))
        }
        _ => Ok(()),
    }
}

/// A hash of the cells of each row, which says what part of the split it and its copies take ([`Splits::of_rows`]).
pub fn row_hashes(table: &Table) -> Vec<u64> {
    let rows = (0..table.rows()).into_par_iter();
    let hash = |row: usize| {
        let mut hash = Xxh3::new();
        for column in &table.columns {
            // A byte that no text has tells a missing cell from an empty one, and cells from each other.
            hash.update(column.cell(row).map_or(&[0xfe][..], str::as_bytes));
            hash.update(&[0xff]);
        }
        hash.digest()
    };
    rows.map(hash).collect()
}

/// Says so where most values of a column are not what the model knows the column as: it sees gaps there.
fn strange_values((column, known): (&Column, &ColumnSchema)) -> Option<String> {
    let what = match known.kind {
        Kind::Integer | Kind::Number => "number",
        Kind::Datetime => "date",
        _ => return None,
    };
    let counts = column.counts();
    let (mut values, mut strange, mut example) = (0, 0, None);
    for (text, &count) in
        column.values().iter().zip(&counts).filter(|(text, _)| !known.is_missing(Some(text)))
    {
        values += count as usize;
        if known.number(text).is_none() {
            strange += count as usize;
            example = example.or(Some(text));
        }
    }
    let example = example.filter(|_| 2 * strange > values)?;
    let (name, strange) = (&column.name, phrases::count(strange));
    let (values, example) = (phrases::count(values), phrases::quoted(example));
    Some(format!(
        "column `{name}`: {strange} of {values} values, such as {example}, are no {what}s as the model knows them"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use super::*;
    use crate::table::Column;

    #[test]
    fn no_combination_is_held_out_as_a_whole() {
        let of = |all: [&'static str; 4], step: usize| {
            Column::of(all[0], (0..2000).map(|i| Some(all[i / step % 4])).collect::<Vec<_>>())
        };
        let columns = vec![of(["a", "b", "c", "d"], 1), of(["e", "f", "g", "h"], 4)];
        let table = Table { name: "votes".into(), columns, ..Table::default() };
        let set = TableSet::of(table, None, &SourceSpec::default()).unwrap();
        let mut shares: HashMap<Vec<Option<&str>>, [f64; 2]> = HashMap::new();
        for (part, rows) in [&set.splits().train, &set.splits().holdout].into_iter().enumerate() {
            for &row in rows {
                let cells = set.table().columns.iter().map(|column| column.cell(row as usize)).collect();
                shares.entry(cells).or_default()[part] += 1.0 / 125.0;
            }
        }
        assert_eq!(shares.len(), 16);
        let fits = |[train, held]: &[f64; 2]| (0.8..0.9).contains(train) && (0.05..0.15).contains(held);
        assert!(shares.values().all(fits), "{shares:?}");
    }
}
