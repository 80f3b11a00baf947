//! A table as its judges see it: columns of numbers and columns of codes.
//!
//! Numbers and dates are `f64`, NaN where missing. Categories and booleans are codes of a dictionary that
//! all frames of one comparison share, [`MISSING`] where missing. Identifiers, texts and constants are
//! left out: there is nothing in their distribution to compare.

use std::sync::Arc;

use mintage_data::{
    Column, Error, Table,
    table::{
        MISSING, Texts,
        schema::{ColumnSchema, Kind, TableSchema},
    },
};

/// The columns of a table that can be compared, all of one length.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The columns, in the order of the schema.
    pub columns: Vec<FrameColumn>,
    rows: usize,
}

/// A column with its name.
#[derive(Clone, Debug)]
pub struct FrameColumn {
    /// Name of the column, as in the table.
    pub name: String,
    /// The cells, one for each row.
    pub values: Values,
}

/// The cells of a column.
#[derive(Clone, Debug)]
pub enum Values {
    /// Numbers, or dates as numbers; NaN where missing.
    Numbers(Vec<f64>),
    /// Categories or booleans.
    Categories {
        /// Index of each cell in the dictionary; [`MISSING`] where missing.
        codes: Vec<u32>,
        /// The values, shared by all frames of one comparison.
        dictionary: Arc<Texts>,
    },
}

impl Frame {
    /// Makes the frames of tables with the same columns; their codes mean the same.
    ///
    /// # Errors
    /// A table lacks a column of the schema.
    pub fn together<const N: usize>(tables: [&Table; N], schema: &TableSchema) -> Result<[Self; N], Error> {
        let mut frames = tables.map(|table| Self { columns: Vec::new(), rows: table.rows() });
        for of in &schema.columns {
            let columns = find(&tables, &of.name)?;
            match of.kind {
                Kind::Integer | Kind::Number | Kind::Datetime => {
                    for (frame, column) in frames.iter_mut().zip(columns) {
                        frame.push(&of.name, Values::Numbers(numbers(column, of)));
                    }
                }
                Kind::Boolean | Kind::Category => {
                    let (codes, dictionary) = encode(&columns, of);
                    for (frame, codes) in frames.iter_mut().zip(codes) {
                        let dictionary = Arc::clone(&dictionary);
                        frame.push(&of.name, Values::Categories { codes, dictionary });
                    }
                }
                Kind::Id | Kind::Text | Kind::Constant => {}
            }
        }
        Ok(frames)
    }

    /// A frame of rows of `width` numbers each, one after the other; columns have their places as names.
    pub fn of_numbers(width: usize, values: &[f32]) -> Self {
        let column = |at: usize| FrameColumn {
            name: at.to_string(),
            values: Values::Numbers(values.iter().skip(at).step_by(width).map(|&x| f64::from(x)).collect()),
        };
        Self { columns: (0..width).map(column).collect(), rows: values.len() / width.max(1) }
    }

    /// A frame of columns of one length.
    pub(crate) fn of_columns(columns: Vec<FrameColumn>) -> Self {
        let rows = columns.first().map_or(0, |column| match &column.values {
            Values::Numbers(numbers) => numbers.len(),
            Values::Categories { codes, .. } => codes.len(),
        });
        Self { columns, rows }
    }

    fn push(&mut self, name: &str, values: Values) {
        self.columns.push(FrameColumn { name: name.to_owned(), values });
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The place of the column `name`, if there is one.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The rows of `rows`, in that order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let column = |column: &FrameColumn| FrameColumn {
            name: column.name.clone(),
            values: column.values.select(rows),
        };
        Self { columns: self.columns.iter().map(column).collect(), rows: rows.len() }
    }

    /// The rows of `self`, then those of `other`, which must be a frame of the same comparison.
    #[must_use]
    pub fn followed_by(&self, other: &Self) -> Self {
        let column = |(a, b): (&FrameColumn, &FrameColumn)| FrameColumn {
            name: a.name.clone(),
            values: a.values.followed_by(&b.values),
        };
        let columns = self.columns.iter().zip(&other.columns).map(column).collect();
        Self { columns, rows: self.rows + other.rows }
    }

    /// The same rows without the column at `place`.
    #[must_use]
    pub fn without(&self, place: usize) -> Self {
        let mut frame = self.clone();
        frame.columns.remove(place);
        frame
    }
}

impl Values {
    /// The cells of `rows`, in that order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Self::Categories { codes, dictionary } => Self::Categories {
                codes: rows.iter().map(|&row| codes[row]).collect(),
                dictionary: Arc::clone(dictionary),
            },
        }
    }

    fn followed_by(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) => Self::Numbers([a.as_slice(), b].concat()),
            (Self::Categories { codes: a, dictionary }, Self::Categories { codes: b, .. }) => {
                Self::Categories { codes: [a.as_slice(), b].concat(), dictionary: Arc::clone(dictionary) }
            }
            _ => unreachable!("frames of one comparison have columns of the same kinds"),
        }
    }
}

/// The column `name` of every table.
fn find<'a, const N: usize>(tables: &[&'a Table; N], name: &str) -> Result<Vec<&'a Column>, Error> {
    let of = |table: &&'a Table| {
        let columns = table.names().collect::<Vec<_>>().join(", ");
        let why = || Error::bad(format!("column {name}"), format!("{} has no such column", table.name));
        let hint = || format!("its columns are {columns}");
        table.column(name).ok_or_else(|| why().with_hint(hint()))
    };
    tables.iter().map(of).collect()
}

/// Each distinct text is read once; what is no number or date counts as missing.
fn numbers(column: &Column, of: &ColumnSchema) -> Vec<f64> {
    let read = |text: &str| of.number(text).unwrap_or(f64::NAN);
    let values: Vec<f64> = column.values().iter().map(read).collect();
    let value = |&number: &u32| values.get(number as usize).copied().unwrap_or(f64::NAN);
    column.numbers().iter().map(value).collect()
}

/// Codes of one dictionary for all columns.
fn encode(columns: &[&Column], of: &ColumnSchema) -> (Vec<Vec<u32>>, Arc<Texts>) {
    let mut dictionary = Texts::default();
    let mut code = |text: &str| {
        if of.is_missing(Some(text)) { MISSING } else { dictionary.insert(text) }
    };
    let mut codes = |column: &&Column| {
        let renumbered: Vec<u32> = column.values().iter().map(&mut code).collect();
        let numbers = column.numbers().iter();
        numbers.map(|&number| renumbered.get(number as usize).copied().unwrap_or(MISSING)).collect()
    };
    let codes = columns.iter().map(&mut codes).collect();
    (codes, Arc::new(dictionary))
}

#[cfg(test)]
pub(super) mod testing {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_data::table::schema::{Format, NumberFormat, NumberStyle};

    /// A frame of columns of numbers and of codes, for tests of the metrics.
    pub fn frame(numbers: &[&[f64]], codes: &[&[u32]]) -> Frame {
        let levels = codes.iter().flat_map(|codes| codes.iter()).filter(|&&c| c != MISSING).max();
        let mut dictionary = Texts::default();
        (0..levels.map_or(0, |&l| l + 1)).for_each(|code| _ = dictionary.insert(&code.to_string()));
        let dictionary = Arc::new(dictionary);
        let rows = numbers.iter().map(|n| n.len()).chain(codes.iter().map(|c| c.len())).next().unwrap();
        let mut frame = Frame { columns: Vec::new(), rows };
        for (i, numbers) in numbers.iter().enumerate() {
            frame.push(&format!("n{i}"), Values::Numbers(numbers.to_vec()));
        }
        for (i, codes) in codes.iter().enumerate() {
            let dictionary = Arc::clone(&dictionary);
            frame.push(&format!("c{i}"), Values::Categories { codes: codes.to_vec(), dictionary });
        }
        frame
    }

    /// What a test says of a column: its numbers have this decimal point, its dates year, month and day.
    pub fn column(name: &str, kind: Kind, point: char) -> ColumnSchema {
        let style = NumberStyle::default();
        let number =
            NumberFormat { digits: None, least: 0, exponent: false, point, min: 0.0, max: 0.0, style };
        let format = match kind {
            Kind::Integer | Kind::Number => Format::Number(number),
            Kind::Datetime => Format::Datetime { pattern: "%Y-%m-%d".to_owned() },
            _ => Format::Plain,
        };
        ColumnSchema {
            name: name.to_owned(),
            kind,
            reason: String::new(),
            declaration: mintage_data::Declaration::default(),
            missing: vec![String::new(), "NA".to_owned()],
            odd: Vec::new(),
            zones: Vec::new(),
            format,
            unique: false,
            distinct: 0,
            missing_count: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{testing::column, *};

    fn table(prices: [Option<&str>; 3], colours: [Option<&str>; 3], days: [Option<&str>; 3]) -> Table {
        let columns =
            vec![Column::of("price", prices), Column::of("colour", colours), Column::of("day", days)];
        Table { name: "shop".to_owned(), columns, ..Table::default() }
    }

    #[test]
    fn frames_share_their_codes() {
        let columns = vec![
            column("price", Kind::Number, ','),
            column("colour", Kind::Category, '.'),
            column("day", Kind::Datetime, '.'),
        ];
        let schema = TableSchema { columns, alerts: Vec::new() };
        let real = table(
            [Some("1,50"), None, Some("NA")],
            [Some("red"), Some("blue"), Some("")],
            [Some("1970-01-02"), Some("x"), None],
        );
        let new = table([Some("2"), Some("2"), Some("-3,5")], [Some("blue"), None, Some("green")], [None; 3]);
        let [real, new] = Frame::together([&real, &new], &schema).unwrap();
        let numbers = |frame: &Frame, i: usize| match &frame.columns[i].values {
            Values::Numbers(numbers) => numbers.clone(),
            Values::Categories { .. } => panic!("{i} holds categories"),
        };
        let codes = |frame: &Frame| match &frame.columns[1].values {
            Values::Categories { codes, .. } => codes.clone(),
            Values::Numbers(_) => panic!("colours are categories"),
        };
        assert_eq!(numbers(&real, 0)[0], 1.5);
        assert!(numbers(&real, 0)[1..].iter().all(|x| x.is_nan()));
        assert_eq!(numbers(&new, 0), [2.0, 2.0, -3.5]);
        assert_eq!((numbers(&real, 2)[0], numbers(&real, 2)[1].is_nan()), (86_400e6, true));
        assert_eq!(codes(&real), [0, 1, MISSING]);
        assert_eq!(codes(&new), [1, MISSING, 2]);
        let both = real.followed_by(&new);
        assert_eq!((both.rows(), codes(&both)), (6, vec![0, 1, MISSING, 1, MISSING, 2]));
        assert_eq!(codes(&both.select(&[5, 0])), [2, 0]);
        assert_eq!(both.without(0).position("day"), Some(1));
    }

    #[test]
    fn a_column_that_is_not_there_is_named() {
        let table = table([None; 3], [None; 3], [None; 3]);
        let schema = TableSchema { columns: vec![column("size", Kind::Number, '.')], alerts: Vec::new() };
        let error = Frame::together([&table], &schema).unwrap_err();
        assert_eq!(error.to_string(), "column size: shop has no such column");
        assert_eq!(error.hint().unwrap(), "its columns are price, colour, day");
    }
}
