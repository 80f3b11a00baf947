//! The codec of tables: rows of cells ⇄ rows of tokens.
//!
//! A column becomes one **field** or a few; a field is a choice among `size` tokens, and every model of
//! tables sees nothing but fields. What a token stands for:
//!
//! - a value of its own: every category, and every number of a column that has few of them;
//! - a **bin** of numbers. Bins hold about equally many rows, and a value that is frequent enough has a bin
//!   to itself, so that modes stay exact. Within a bin new values follow the training quantiles, and of as many new rows
//!   as it had each has a rank of its own ([`Places`]): tails are as long and as heavy as they were;
//! - in a column of bins, the number that another column has in the same row, where the two are often equal;
//! - parts of a date: a bin of days, the day of the week, a bin of the time of day;
//! - a group of rare categories, told apart by a second field ([`Field::detail`]).
//!
//! Missing values are tokens like any other, one a spelling. What depends on a value alone is worked out
//! once a distinct value. [`RowEncoder::encode`] with [`RowEncoder::positions`] loses nothing but what is made afresh:
//! of identifiers and of texts that point at persons the codec keeps no value.

mod bins;
mod check;
mod column;
mod dates;
mod finish;
mod limits;
mod places;
mod same;
#[cfg(test)]
mod testing;
mod together;

use std::{fs, ops::Range, path::Path};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Column, FileFormat, MISSING, Table,
    rules::Rules,
    schema::{ColumnSchema, Format, IdFormat, Kind, TableSchema},
};
use crate::{
    Error, atomic_write,
    error::{damaged, suggestion},
};
pub use column::ColumnCodec;
use column::Drawn;
pub(super) use column::{check_format, has_own_tokens};
pub use finish::{Finisher, Redraw};
pub use limits::{Allow, Domain, Limit, Limits, Where};
pub use places::Places;
use together::Together;

/// What stands for a value that is made afresh, until it is.
const AFRESH: &str = "\u{1a}";

/// A uniform number in [0, 1) whenever it is called.
pub type Uniform<'a> = dyn FnMut() -> f64 + 'a;

/// A choice among tokens, as models see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The column it belongs to.
    pub column: usize,
    /// Tokens it chooses from.
    pub size: usize,
    /// Whether neighbouring tokens mean neighbouring values; the last `unordered` tokens are apart.
    pub ordinal: bool,
    pub unordered: usize,
    /// Tells apart what the field before leaves open.
    pub detail: bool,
    /// How often each token occurs in the train split.
    pub counts: Vec<u32>,
}

/// What to do with values that few rows have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rare {
    #[default]
    Keep,
    /// Categories of fewer rows than the limit are never made: frequent ones take their place.
    Group,
}

/// Fitted on the train split; saved with the model as `codec/table.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowEncoder {
    pub name: String,
    /// What lies between the table and the form that models see.
    pub rules: Rules,
    /// Of the form that models see.
    pub columns: Vec<ColumnCodec>,
    /// How the file of delimited text was written that it was learned from; new ones are written alike.
    #[serde(default)]
    pub file: Option<FileFormat>,
    /// Persons that no row names by two of its cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    together: Vec<Together>,
}

impl RowEncoder {
    /// Fits the rows `train` of a table. Categories of fewer than `least` rows become rare ones. Numbers of the rows `valid` count
    /// where they lie beyond those of the others: the ends of a column are those of all rows that are not held out.
    pub fn fit(table: &Table, rules: Rules, [train, valid]: [&[u32]; 2], least: u32) -> Self {
        let file = table.file.clone();
        let together = Together::all(table, rules.own());
        let table = rules.forward(table);
        let room = column::room(table.columns.len());
        let columns = table.columns.par_iter().zip(&rules.schema().columns);
        let columns = columns.map(|(column, schema)| {
            let [(counts, missing), (beside, _)] = [train, valid].map(|rows| {
                let (mut counts, mut missing) = (vec![0u32; column.values().len()], 0);
                for &row in rows {
                    match column.numbers()[row as usize] {
                        MISSING => missing += 1,
                        number => counts[number as usize] += 1,
                    }
                }
                (counts, missing)
            });
            ColumnCodec::fit(column, schema, (&counts, missing), &beside, (least, room))
        });
        let mut columns: Vec<ColumnCodec> = columns.collect();
        for (at, other) in same::find(&table, &columns, train) {
            columns[at].same = Some(other);
        }
        Self { name: table.name.clone(), rules, columns, file, together }
    }

    /// The columns of identifiers, by their place in the table, and how they are made.
    pub fn ids(&self) -> Vec<(usize, IdFormat)> {
        Self::ids_of(self.rules.own())
    }

    fn ids_of(schema: &TableSchema) -> Vec<(usize, IdFormat)> {
        let columns = schema.columns.iter().enumerate();
        let format = |(at, column): (usize, &ColumnSchema)| match (column.kind, &column.format) {
            (Kind::Id, Format::Id(format)) => Some((at, format.clone())),
            _ => None,
        };
        columns.filter_map(format).collect()
    }

    /// The fields of all columns, in order, with how often each token occurs in `tokens`.
    pub fn fields(&self, tokens: &[u16], rows: &[u32]) -> Vec<Field> {
        let columns = self.columns.iter().enumerate();
        let mut fields: Vec<Field> = columns.flat_map(|(at, column)| column.fields(at)).collect();
        let width = fields.len();
        for &row in rows {
            let row = &tokens[row as usize * width..][..width];
            row.iter().zip(&mut fields).for_each(|(&token, field)| field.counts[token as usize] += 1);
        }
        fields
    }

    /// Fields of a row.
    pub fn width(&self) -> usize {
        self.columns.iter().map(ColumnCodec::width).sum()
    }

    /// The fields of each column among those of a row.
    fn spans(&self) -> Vec<Range<usize>> {
        let mut first = 0;
        let span = |codec: &ColumnCodec| {
            let span = first..first + codec.width();
            first = span.end;
            span
        };
        self.columns.iter().map(span).collect()
    }

    /// The tokens of every row, one row after another. A number that the train split does not have is
    /// encoded as the nearest one or the bin it would be in, another category as `unknown`.
    pub fn encode(&self, table: &Table, unknown: u16) -> Vec<u16> {
        let forward = self.rules.forward(table);
        let mut tokens = self.encode_forward(&forward, unknown);
        self.mark_same(&mut tokens, &forward, None);
        tokens
    }

    /// The same of a table in the form that models see, each column for itself.
    fn encode_forward(&self, table: &Table, unknown: u16) -> Vec<u16> {
        let width = self.width();
        let mut tokens = vec![0u16; table.rows() * width];
        let mut first = 0;
        for (codec, column) in self.columns.iter().zip(&table.columns) {
            let w = codec.width();
            if w == 0 {
                continue;
            }
            let (of_value, of_missing) = codec.tokens(column, unknown);
            tokens.par_chunks_mut(width).zip(column.numbers()).for_each(|(row, &number)| {
                let from = match number {
                    MISSING => &of_missing[..],
                    number => &of_value[number as usize * w..][..w],
                };
                row[first..first + w].copy_from_slice(from);
            });
            first += w;
        }
        tokens
    }

    /// The numbers that [`decode`](Self::decode) must be [given](Places::given) to get exactly these rows back.
    pub fn positions(&self, table: &Table) -> Vec<f64> {
        let table = self.rules.forward(table);
        let rows = 0..table.rows();
        let row = |row: usize| {
            let cells = self.columns.iter().zip(&table.columns);
            cells.flat_map(|(codec, column)| codec.positions(column.cell(row))).collect::<Vec<f64>>()
        };
        rows.flat_map(row).collect()
    }

    /// Encodes rows of which some columns, or some cells, are not known: the tokens of those are `hidden`, as are those
    /// of values that the model never saw. `random` chooses among combinations that have the given cells.
    ///
    /// # Errors
    /// The model has no column of a given name, or a computed cell is given without all that it is computed from.
    pub fn encode_given(
        &self,
        given: &Table,
        hidden: u16,
        random: &mut dyn FnMut() -> u64,
    ) -> Result<Vec<u16>, Error> {
        let own = &self.rules.own().columns;
        if let Some(name) = given.names().find(|name| self.rules.own().column(name).is_none()) {
            let names: Vec<&str> = own.iter().map(|column| column.name.as_str()).collect();
            let hint = suggestion(name, names.iter().copied())
                .unwrap_or_else(|| format!("the columns are {}", names.join(", ")));
            return Err(Error::bad(format!("`{name}`"), "the model knows no such column").with_hint(hint));
        }
        self.rules.check_given(given)?;
        let n = given.rows();
        let column = |schema: &ColumnSchema| match given.column(&schema.name) {
            Some(column) => column.clone(),
            None => Column::of(&schema.name, (0..n).map(|_| None)),
        };
        let columns = own.iter().map(column).collect();
        let mut whole = Table { name: given.name.clone(), columns, ..Table::default() };
        self.rules.complete(&mut whole, &|at| self.columns[at].texts(), &mut || unit(random()));
        let undetermined = self.rules.undetermined(&whole);
        let forward = self.rules.forward(&whole);
        let mut tokens = self.encode_forward(&forward, hidden);
        let width = self.width();
        let columns = self.columns.iter().zip(&forward.columns).zip(self.spans()).enumerate();
        for (at, ((codec, column), span)) in columns.filter(|(_, (_, span))| !span.is_empty()) {
            let open = undetermined.iter().find(|(of, _)| *of == at).map(|(_, open)| open);
            let has_value = |text: &str| !codec.schema.is_missing(Some(text));
            let has_value: Vec<bool> = column.values().iter().map(has_value).collect();
            let rows = tokens.par_chunks_mut(width).zip(column.numbers()).enumerate();
            rows.for_each(|(row, (tokens, &number))| {
                let is_open = open.is_some_and(|open| open[row]);
                if is_open || has_value.get(number as usize) != Some(&true) {
                    tokens[span.clone()].fill(hidden);
                }
            });
        }
        self.mark_same(&mut tokens, &forward, Some(hidden));
        Ok(tokens)
    }

    /// Rows of tokens back to cells of the form that models see, within `limits` where there are any. `places` says
    /// where in its bin a number lies, row by row and column by column. A sign stands for what is made afresh.
    pub fn decode(&self, tokens: &[u16], n: usize, limits: &Limits, places: &mut Places) -> Table {
        let (width, spans) = (self.width(), self.spans());
        let of_cell = |row: usize, span: &Range<usize>| &tokens[row * width + span.start..][..span.len()];
        let mut drawn: Vec<Vec<Drawn>> = self.columns.iter().map(|_| Vec::with_capacity(n)).collect();
        for row in 0..n {
            let columns = self.columns.iter().zip(&spans).zip(&mut drawn).enumerate();
            columns.for_each(|(at, ((codec, span), drawn))| {
                drawn.push(codec.draw(of_cell(row, span), limits.of(at), &mut places.of(at)));
            });
        }
        // What is drawn takes its turn; what takes time is to write and to hash it.
        let columns = self.columns.par_iter().zip(&spans).zip(&drawn).enumerate();
        let columns = columns.map(|(at, ((codec, span), drawn))| {
            let mut column = Column::new(&codec.schema.name, codec.schema.declaration.clone());
            for (row, &drawn) in drawn.iter().enumerate() {
                codec.write(of_cell(row, span), drawn, limits.of(at), &mut column);
            }
            column
        });
        let mut table = Table { name: self.name.clone(), columns: columns.collect(), ..Table::default() };
        self.copy_same(tokens, limits, Some(&drawn), &mut table);
        table
    }

    /// A [`Finisher`], which makes rows of tokens, a part at a time.
    ///
    /// # Errors
    /// The pattern of the identifiers in a column is not a regular expression.
    pub fn finisher(&self) -> Result<Finisher<'_>, Error> {
        Finisher::new(self)
    }

    /// The columns of the rows that are made, without rows.
    pub fn head(&self) -> Table {
        let columns = self.rules.own().columns.iter();
        let columns = columns.map(|column| Column::new(&column.name, column.declaration.clone()));
        Table {
            name: self.name.clone(),
            columns: columns.collect(),
            file: self.file.clone(),
            ..Table::default()
        }
    }

    /// Writes `table.json` into a folder.
    ///
    /// # Errors
    /// The folder cannot be made, or the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let path = dir.join("table.json");
        let text = serde_json::to_vec(self).unwrap_or_default();
        atomic_write(&path, &text).map_err(Error::io(path))
    }

    /// Reads `table.json` from a folder.
    ///
    /// # Errors
    /// The file cannot be read, or holds no valid codec.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("table.json");
        let text = fs::read(&path).map_err(Error::io(&path))?;
        let codec: Self = serde_json::from_slice(&text).map_err(|e| damaged(&path, e))?;
        codec.check().map_err(|why| damaged(&path, why))?;
        Ok(codec)
    }
}

/// The upper 53 bits of a random number as a fraction.
fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::table::{
        encoder::{Allow, Where},
        schema::detect,
    };

    fn codec_of(table: &Table) -> RowEncoder {
        let rules = Rules::new(Vec::new(), table, &detect(table)).unwrap();
        let train: Vec<u32> = (0..table.rows() as u32).collect();
        RowEncoder::fit(table, rules, [&train, &[]], 0)
    }

    /// Decoded with the positions of the rows themselves.
    fn there_and_back(table: &Table) -> Table {
        let codec = codec_of(table);
        let mut positions = codec.positions(table).into_iter();
        let tokens = codec.encode(table, 0);
        let mut next = || positions.next().unwrap();
        codec.decode(&tokens, table.rows(), &Limits::default(), &mut Places::given(&mut next))
    }

    /// Gaps in one row of nine.
    fn column(name: &str, cells: Vec<(u8, String)>) -> Column {
        let cells = cells.iter().map(|(gap, text)| (gap % 9 != 0).then_some(text.as_str()));
        Column::of(name, cells)
    }

    fn cells<S: Strategy<Value = String>>(texts: S) -> impl Strategy<Value = Vec<(u8, String)>> {
        proptest::collection::vec((any::<u8>(), texts), 400)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn rows_come_back_as_they_were(
            counts in cells((0..40i32).prop_map(|n| n.to_string())),
            amounts in cells((-1_000_000..1_000_000i64).prop_map(|n| format!("{}.{:02}", n / 100, (n % 100).abs()))),
            precise in cells((-1.0e3..1.0e3f64).prop_map(|x| x.to_string())),
            words in cells("[а-яa-z]{1,2}".prop_map(|word| word)),
            days in cells((0..9000i64, 0..86_400i64).prop_map(|(day, second)| {
                crate::table::datetime::format((day * 86_400 + second) * 1_000_000, "%Y-%m-%d %H:%M:%S")
            })),
        ) {
            let columns = vec![
                column("count", counts),
                column("amount", amounts),
                column("precise", precise),
                column("word", words),
                column("day", days),
            ];
            let table = Table { name: "t".to_owned(), columns, ..Table::default() };
            let back = there_and_back(&table);
            for (own, back) in table.columns.iter().zip(&back.columns) {
                prop_assert_eq!(own, back);
            }
        }
    }

    #[test]
    fn rows_are_drawn_one_after_another() {
        let of = |name: &str, cell: &dyn Fn(i64) -> Option<String>| {
            let cells: Vec<Option<String>> = (0..900).map(cell).collect();
            Column::of(name, cells.iter().map(Option::as_deref))
        };
        let time = |i: i64| crate::table::datetime::format(i * 40_271_000_000, "%Y-%m-%d %H:%M:%S");
        let columns = vec![
            of("amount", &|i| (i % 7 > 0).then(|| format!("{}.{:02}", i * 77 % 1009, i % 100))),
            of("at", &|i| (i % 11 > 0).then(|| time(i))),
            of("kind", &|i| Some(format!("k{}", i * i % 40))),
        ];
        let table = Table { name: "t".to_owned(), columns, ..Table::default() };
        let rules = Rules::new(Vec::new(), &table, &detect(&table)).unwrap();
        let codec = RowEncoder::fit(&table, rules, [&(0..900).collect::<Vec<u32>>(), &[]], 30);
        let (tokens, width) = (codec.encode(&table, 0), codec.width());
        let uniforms = || {
            let mut n = 0u32;
            move || {
                n += 1;
                f64::from(n % 101) / 101.0
            }
        };
        let none = Limits::default();
        let all = codec.decode(&tokens, 900, &none, &mut Places::given(&mut uniforms()));
        let mut uniform = uniforms();
        for (row, tokens) in tokens.chunks(width).enumerate() {
            let one = codec.decode(tokens, 1, &none, &mut Places::given(&mut uniform));
            for (one, all) in one.columns.iter().zip(&all.columns) {
                assert_eq!(one.cell(0), all.cell(row), "row {row} of {}", all.name);
            }
        }
    }

    #[test]
    fn many_categories_take_two_fields_and_come_back() {
        let cells: Vec<String> = (0..40_000u32).map(|i| format!("c{}", i * i % 30_011)).collect();
        let column = Column::of("code", cells.iter().map(|cell| Some(cell.as_str())));
        let table = Table { name: "t".to_owned(), columns: vec![column], ..Table::default() };
        let codec = codec_of(&table);
        assert_eq!(codec.width(), 2);
        assert!(codec.columns[0].fields(0).iter().all(|field| field.size < 1000));
        assert_eq!(there_and_back(&table).columns[0], table.columns[0]);
        // A condition on a rare value holds whichever member of its group a model chooses.
        let wanted = Where { column: "code".into(), allow: Allow::Value(cells[39_999].clone()) };
        let limits = codec.limits(&[wanted]).unwrap();
        let allowed = limits.allowed(false)[0].clone().unwrap();
        let token = allowed.iter().position(|&may| may).unwrap() as u16;
        for member in 0..100 {
            let rows = codec.decode(&[token, member], 1, &limits, &mut Places::given(&mut || 0.5));
            assert_eq!(rows.columns[0].cell(0), Some(cells[39_999].as_str()));
        }
    }

    /// All that a condition leaves of a column, wherever in their bins the values lie.
    fn allowed(codec: &RowEncoder, condition: &str) -> Result<Vec<String>, Error> {
        let limits = codec.limits(&[Where::parse(condition)?])?;
        let at = limits.columns.iter().position(Option::is_some).unwrap();
        let fields: Vec<usize> = codec.columns.iter().map(ColumnCodec::width).collect();
        let first: usize = fields[..at].iter().sum();
        let mut all = Vec::new();
        let open = limits.allowed(false)[first].clone().unwrap();
        for token in (0..open.len()).filter(|&token| open[token]) {
            for u in 0..60 {
                let mut row = vec![0u16; codec.width()];
                row[first] = token as u16;
                let mut place = || f64::from(u) / 60.0;
                let rows = codec.decode(&row, 1, &limits, &mut Places::given(&mut place));
                all.push(rows.columns[at].cell(0).unwrap().to_owned());
            }
        }
        Ok(all)
    }

    #[test]
    fn conditions_hold_on_what_is_written() {
        let rows = 0..4000u32;
        let of = |name: &str, cell: &dyn Fn(u32) -> String| {
            let cells: Vec<String> = rows.clone().map(cell).collect();
            Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
        };
        let day = |i: u32| i64::from(i * 7 % 1500) * 86_400_000_000;
        let columns = vec![
            of("carat", &|i| format!("{}.{:02}", i % 5, i / 5 * 31 % 100)),
            of("price", &|i| (300 + i * 7919 % 9001).to_string()),
            of("salary", &|i| format!("${},{:03}.{:02}", 1 + i % 90, i * 77 % 1000, i % 100)),
            of("day", &|i| crate::table::datetime::format(day(i), "%d.%m.%Y")),
            of("few", &|i| format!("{}.5", i % 9)),
        ];
        let table = Table { name: "t".to_owned(), columns, ..Table::default() };
        let codec = codec_of(&table);
        for (condition, column, low, high) in [
            ("carat=0.454..0.496", "carat", 0.454, 0.496),
            ("carat=..0.456", "carat", 0.0, 0.456),
            ("carat=4.555..", "carat", 4.555, 5.0),
            ("carat=0.46", "carat", 0.46, 0.46),
            ("price=1000.4..1004.6", "price", 1001.0, 1004.0),
            ("salary=20000.004..20100.126", "salary", 20_000.01, 20_100.12),
            ("salary=$20,000.50..$30,000.00", "salary", 20_000.5, 30_000.0),
            ("few=1.2..3.1", "few", 1.2, 3.1),
        ] {
            let schema = codec.rules.own().column(column).unwrap();
            let all = allowed(&codec, condition).unwrap();
            let inside = |text: &String| schema.number(text).is_some_and(|n| low <= n && n <= high);
            assert!(!all.is_empty() && all.iter().all(inside), "{condition}: {all:?}");
        }
        let days = allowed(&codec, "day=03.02.1971..05.02.1971").unwrap();
        assert!(
            days.iter().all(|day| ["03.02.1971", "04.02.1971", "05.02.1971"].contains(&day.as_str())),
            "{days:?}"
        );
        for (condition, nearest) in [
            ("carat=0.455", "0.45 and 0.46"),
            ("carat=0.451..0.459", "0.45 and 0.46"),
            ("price=1000.4", "1000 and 1001"),
            ("price=1000.2..1000.8", "1000 and 1001"),
            ("few=1.6..2.4", "1.5 and 2.5"),
            ("few=9.5..", "8.5"),
        ] {
            let error = allowed(&codec, condition).unwrap_err();
            assert!(
                error.hint().is_some_and(|hint| hint.contains(nearest)),
                "{condition}: {error} {:?}",
                error.hint()
            );
        }
    }

    #[test]
    fn a_given_cell_does_not_break_a_condition() {
        let cells = (0..200).map(|i| Some(["1", "2", "3"][i % 3]));
        let table = Table { name: "t".to_owned(), columns: vec![Column::of("k", cells)], ..Table::default() };
        let codec = codec_of(&table);
        let given = |cell: Option<&str>| Table {
            columns: vec![Column::of("k", [Some("2"), cell])],
            ..Table::default()
        };
        let condition = [Where::parse("k=2..3").unwrap()];
        assert!(codec.check_given(&given(Some("3")), &condition).is_ok());
        assert!(codec.check_given(&given(None), &condition).is_ok());
        let error = codec.check_given(&given(Some("1")), &condition).unwrap_err();
        assert_eq!(error.to_string(), "condition on `k`: row 2 of the given ones has 1");
    }

    #[test]
    fn odd_cells_and_dressed_numbers_come_back() {
        let of = |name: &str, cell: &dyn Fn(usize) -> String| {
            let cells: Vec<String> = (0..900).map(cell).collect();
            Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
        };
        let day = |i: usize| crate::table::datetime::format(i as i64 * 86_400_000_000, "%Y-%m-%d");
        let columns = vec![
            of("lead", &|i| if i % 300 == 0 { "<0.1".into() } else { format!("{:.3}", i as f64 / 7.0) }),
            of("at", &|i| {
                let at = i as i64 * 7_001_000_000 * (i as i64 % 11);
                let zone = ["+01:00", "+02:00", "Z"][i % 3];
                crate::table::datetime::format(at, "%Y-%m-%dT%H:%M:%S") + zone
            }),
            of("taken", &|i| if i == 7 { "2021-02-30".into() } else { day(i) }),
            of("salary", &|i| format!("${},{:03}.{:02}", 1 + i % 90, i * 77 % 1000, i % 100)),
            of("growth", &|i| if i % 90 == 0 { "n.k.".into() } else { format!("{}.{}%", i % 50, i % 10) }),
        ];
        let table = Table { name: "t".to_owned(), columns, ..Table::default() };
        assert!(codec_of(&table).columns.iter().all(|column| column.texts().len() < 400));
        assert_eq!(there_and_back(&table), table);
        // Odd values that are rare are not made where rare values are not.
        let rules = Rules::new(Vec::new(), &table, &detect(&table)).unwrap();
        let codec = RowEncoder::fit(&table, rules, [&(0..900).collect::<Vec<u32>>(), &[]], 5);
        let tokens = codec.encode(&table, 0);
        let back = codec.decode(&tokens, 900, &Limits::default(), &mut Places::given(&mut || 0.5));
        assert!(back.columns[0].iter().all(|cell| cell != Some("<0.1")));
        assert!(back.columns[4].iter().any(|cell| cell == Some("n.k.")));
    }

    #[test]
    fn thousands_of_columns_have_few_tokens_each() {
        let cells: Vec<String> = (0..60).map(|i| format!("{}.5", i * 37 % 101)).collect();
        let column = |at: usize| Column::of(&format!("c{at}"), cells.iter().map(|cell| Some(cell.as_str())));
        let tokens = |n: usize| {
            let table =
                Table { name: "t".to_owned(), columns: (0..n).map(column).collect(), ..Table::default() };
            codec_of(&table).columns.iter().flat_map(|c| c.fields(0)).map(|field| field.size).sum::<usize>()
        };
        assert!(tokens(3000) < 60_000 && tokens(3) >= 21, "{}", tokens(3000));
    }

    #[test]
    fn rare_values_are_never_made() {
        let cells = (0..200).map(|i| Some(["a", "b", "c"][if i == 7 { 2 } else { i % 2 }]));
        let table =
            Table { name: "t".to_owned(), columns: vec![Column::of("kind", cells)], ..Table::default() };
        let rules = Rules::new(Vec::new(), &table, &detect(&table)).unwrap();
        let codec = RowEncoder::fit(&table, rules, [&(0..200).collect::<Vec<u32>>(), &[]], 5);
        let tokens = codec.encode(&table, 0);
        for u in [0.0, 0.4, 0.9] {
            let back = codec.decode(&tokens, 200, &Limits::default(), &mut Places::given(&mut || u));
            assert!(back.columns[0].iter().all(|cell| cell != Some("c")));
        }
    }
}
