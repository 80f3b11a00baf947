//! Tables: rows of a database or of a file, from any source to any sink.
//!
//! Every cell is text, as its source writes it, or missing. A column keeps each distinct text once
//! ([`Texts`]) and a number a row: a million rows of twenty columns take a few hundred megabytes, and
//! whatever depends on a value alone (its kind, its date, its token) is worked out once a distinct value.
//!
//! ```text
//! read ──► Table ──► schema::detect ──► rules.forward ──► codec.encode ──► tokens of a row
//! write ◄── Table ◄────────────────── rules.inverse ◄── codec.decode ◄──┘
//! ```

mod check_digits;
mod csv;
mod datetime;
pub mod encoder;
mod format;
mod fresh;
mod ids;
mod made;
mod pattern;
mod read;
pub mod rules;
pub mod schema;
pub mod set;
pub(crate) mod text_file;
mod texts;
mod values;
mod write;

use crate::Error;
pub use crate::store::postgres::{PgDefaults, password_of, redacted, without_passwords};
pub use datetime::shift_dates;
pub use format::{FileFormat, Habits, LineEnd, Quoting};
pub use fresh::{Known, listed, parts_of_few, spelled};
pub(crate) use made::made_parts;
pub use read::{Sieve, is_database, read, read_sifted, tables_of};
pub(crate) use read::{
    chosen, declared_type, names_rows, only_real, postgres_constraints, sqlite_constraints, stem,
};
use rules::Constraint;
pub use texts::Texts;
pub(crate) use write::{Cast, NOTHING_WRITTEN, copy_escaped, count_on};
pub use write::{
    ChosenBatch, ChosenItem, ChosenWritten, FileTrace, Removed, RowTrace, Trace, trace_of_files, undo_chosen,
    write_chosen_items, write_chosen_rows,
};
pub use write::{
    IfExists, TextKind, Writing, Written, encoding_named, is_delimited, present, write, write_csv,
    write_parts, write_text,
};

/// The number of a missing cell.
pub const MISSING: u32 = u32::MAX;
/// Distinct texts a gathered row for which a list of their numbers saves more than it costs.
const MAX_TEXTS_A_ROW: usize = 4;

/// What a column was declared as where it came from; sinks declare it likewise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Text, or a source without types.
    #[default]
    Text,
    Integer,
    Real,
    Decimal,
    Boolean,
    Date,
    Time,
    Timestamp,
    /// With a time zone.
    TimestampTz,
    Uuid,
    Json,
}

/// What the source says of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Declaration {
    pub ty: Type,
    /// What the values are, where the source has no type for them: found from the values of a CSV file, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Type>,
    /// Whether some values are none of that type, such as "<0.1" among numbers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed: bool,
    /// The type in the source's own words, such as `numeric(10,2)`, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// Part of the primary key.
    pub primary_key: bool,
    /// Has a unique constraint of its own.
    pub unique: bool,
    pub not_null: bool,
    /// `table.column` that it refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<String>,
}

/// One column: a name, a declaration, and a text or nothing a row.
#[derive(Clone, Debug, Default)]
pub struct Column {
    pub name: String,
    pub declaration: Declaration,
    values: Texts,
    cells: Vec<u32>,
}

impl Column {
    pub fn new(name: impl Into<String>, declaration: Declaration) -> Self {
        Self { name: name.into(), declaration, ..Self::default() }
    }

    /// A column of cells, without a declaration.
    pub fn of<'a>(name: &str, cells: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut column = Self::new(name, Declaration::default());
        cells.into_iter().for_each(|cell| column.push(cell));
        column
    }

    /// Adds a cell; `None` is a missing value.
    pub fn push(&mut self, cell: Option<&str>) {
        let number = cell.map_or(MISSING, |text| self.values.insert(text));
        self.cells.push(number);
    }

    /// Adds a cell by the number of its text in [`values`](Self::values), or [`MISSING`].
    pub fn push_number(&mut self, number: u32) {
        debug_assert!(number == MISSING || (number as usize) < self.values.len());
        self.cells.push(number);
    }

    /// Puts another cell in the place of a row's.
    pub fn set(&mut self, row: usize, cell: Option<&str>) {
        self.cells[row] = cell.map_or(MISSING, |text| self.values.insert(text));
    }

    /// The text of a row, or nothing where it is missing.
    pub fn cell(&self, row: usize) -> Option<&str> {
        match self.cells[row] {
            MISSING => None,
            number => Some(self.values.get(number)),
        }
    }

    /// The cells of all rows, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.cell(row))
    }

    /// For each row the number of its text, or [`MISSING`].
    pub fn numbers(&self) -> &[u32] {
        &self.cells
    }

    /// The distinct texts, in the order in which they first came.
    pub fn values(&self) -> &Texts {
        &self.values
    }

    /// How often each distinct text occurs.
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.values.len()];
        self.cells.iter().filter(|&&number| number != MISSING).for_each(|&n| counts[n as usize] += 1);
        counts
    }

    /// Rows without a value.
    pub fn missing(&self) -> usize {
        self.cells.iter().filter(|&&number| number == MISSING).count()
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Adds the cells of some rows of another column, in that order; `None` is a missing value. Texts get the numbers that
    /// they get if the cells are [pushed](Self::push) one by one.
    pub fn gather(&mut self, from: &Self, rows: impl ExactSizeIterator<Item = Option<u32>>) {
        let distinct = from.values.len();
        self.cells.reserve(rows.len());
        // Of so many texts hardly one comes twice in so few rows: each is hashed once in either way, and to clear a list
        // with a place for every text takes longer than that.
        if distinct > MAX_TEXTS_A_ROW * rows.len() {
            return rows.for_each(|row| self.push(row.and_then(|row| from.cell(row as usize))));
        }
        // By the number of a text there its number here, once it is known.
        let mut numbers = vec![MISSING; distinct];
        for row in rows {
            let number = match row.map_or(MISSING, |row| from.cells[row as usize]) {
                MISSING => MISSING,
                theirs => {
                    let own = &mut numbers[theirs as usize];
                    if *own == MISSING {
                        *own = self.values.insert(from.values.get(theirs));
                    }
                    *own
                }
            };
            self.cells.push(number);
        }
    }

    /// The same declaration with the cells of `rows`, in that order.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut column = Self::new(self.name.clone(), self.declaration.clone());
        column.gather(self, rows.iter().map(|&row| Some(row)));
        column
    }
}

/// Columns of equal length.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The name of the table or the stem of the file.
    pub name: String,
    pub columns: Vec<Column>,
    /// What the user should know of how it was read, such as columns left out.
    pub notes: Vec<String>,
    /// How the file of delimited text was written that it was read from.
    pub file: Option<FileFormat>,
    /// What its database declares of its rows.
    pub constraints: Vec<Constraint>,
}

impl Table {
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The same columns without rows.
    #[must_use]
    pub fn head(&self) -> Self {
        let columns = self.columns.iter();
        let columns = columns.map(|column| Column::new(column.name.clone(), column.declaration.clone()));
        Self {
            name: self.name.clone(),
            columns: columns.collect(),
            notes: Vec::new(),
            file: self.file.clone(),
            constraints: self.constraints.clone(),
        }
    }

    /// The rows as CSV text, with a line of names.
    pub fn to_csv(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory cannot fail, nor can text be anything but UTF-8.
        let _ = write_csv(self, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Appends the rows of another table with the same columns, in whatever order.
    ///
    /// # Errors
    /// The other table lacks a column.
    pub fn append(&mut self, other: &Self) -> Result<(), Error> {
        let find = |column: &Column| {
            other.column(&column.name).ok_or_else(|| {
                let why = format!("has no column `{}`, which {} has", column.name, self.name);
                Error::bad(&other.name, why).with_hint("both need the same columns")
            })
        };
        let others = self.columns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        for (column, other) in self.columns.iter_mut().zip(others) {
            column.gather(other, (0..other.len() as u32).map(Some));
        }
        Ok(())
    }

    /// The rows of `rows`, in that order.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let columns = self.columns.iter().map(|column| column.select(rows)).collect();
        let (notes, file, constraints) = (self.notes.clone(), self.file.clone(), self.constraints.clone());
        Self { name: self.name.clone(), columns, notes, file, constraints }
    }
}

/// Equal when names, declarations and cells are; the numbering of the texts does not matter.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.declaration == other.declaration && self.iter().eq(other.iter())
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.columns == other.columns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(cells: &[Option<String>]) -> Column {
        Column::of("c", cells.iter().map(Option::as_deref))
    }

    /// The numbers of the rows, and the texts in the order of theirs.
    fn numbered(column: &Column) -> (Vec<u32>, Vec<String>) {
        (column.numbers().to_vec(), column.values().iter().map(str::to_owned).collect())
    }

    proptest! {
        // Short selections have few rows of many texts, long ones most texts several times.
        #[test]
        fn gathered_cells_are_numbered_as_pushed_ones(
            before in proptest::collection::vec(proptest::option::of("[a-f]{0,1}"), 0..6),
            cells in proptest::collection::vec(proptest::option::of("[a-j]{0,2}"), 1..90),
            picks in proptest::collection::vec(proptest::option::of(any::<prop::sample::Index>()), 0..120),
        ) {
            let (from, mut gathered, mut pushed) = (column(&cells), column(&before), column(&before));
            let rows: Vec<Option<u32>> =
                picks.iter().map(|pick| pick.as_ref().map(|pick| pick.index(cells.len()) as u32)).collect();
            gathered.gather(&from, rows.iter().copied());
            rows.iter().for_each(|row| pushed.push(row.and_then(|row| from.cell(row as usize))));
            prop_assert_eq!(numbered(&gathered), numbered(&pushed));

            let rows: Vec<u32> = rows.into_iter().flatten().collect();
            let selected = from.select(&rows);
            let cell = |&row: &u32| from.cell(row as usize);
            prop_assert_eq!(numbered(&selected), numbered(&Column::of("c", rows.iter().map(cell))));
        }

        #[test]
        fn appended_cells_are_numbered_as_pushed_ones(
            first in proptest::collection::vec(proptest::option::of("[a-d]{0,2}"), 0..40),
            second in proptest::collection::vec(proptest::option::of("[c-f]{0,2}"), 0..40),
        ) {
            let table = |cells: &[Option<String>]| Table { columns: vec![column(cells)], ..Table::default() };
            let mut both = table(&first);
            prop_assert!(both.append(&table(&second)).is_ok());
            prop_assert_eq!(numbered(&both.columns[0]), numbered(&column(&[first, second].concat())));
        }
    }
}
