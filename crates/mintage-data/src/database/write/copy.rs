//! Rows to a table of a PostgreSQL server, by COPY. What is refused is halved until the row stands alone: a row that breaks
//! what the table declares is left out, any other failure is an error with the number of the row.

use std::{
    io::{self, Write},
    ops::Range,
};

use ::postgres::{
    Transaction,
    error::{DbError, SqlState},
};

use super::{Rows, TableWritten, nothing_written, shown_cells};
use crate::{
    Error,
    store::{
        PROVENANCE_COLUMN,
        postgres::{Described, failure, type_of},
        quoted,
    },
    table::{Cast, Column, copy_escaped},
};

/// Rows that are sent at once.
const MAX_ROWS: usize = 1000;

/// Classes of errors that are about the server or the whole table, never about a row: a connection, what is not supported,
/// a transaction, a conflict with others, rights and names, resources, and what an operator or the system does.
const CLASSES_OF_NO_ROW: [&str; 11] = ["08", "0A", "25", "26", "40", "42", "53", "55", "57", "58", "XX"];

/// The rows of one table on their way.
pub(super) struct RowCopy<'a> {
    sql: String,
    /// By column: the cells, and for each distinct text what is sent for it.
    columns: Vec<(&'a Column, Vec<String>)>,
    /// What ends every row: values that are the same in all of them, and a new line.
    end: String,
    rows: usize,
    /// The table, for messages.
    place: String,
    /// Rows that an EXCLUDE of the table keeps out are left out, since the source has it as well.
    may_exclude: bool,
}

/// Why rows did not reach a table.
enum Failure {
    Server(::postgres::Error),
    Stream(io::Error),
    /// A trigger or a rule dropped them without a word.
    Dropped,
}

impl<'a> RowCopy<'a> {
    /// Rows for the table `target`. `empty` is what a column gets that must have a value and has none.
    pub fn new(
        target: &str,
        targets: &[Described],
        rows: &'a Rows,
        provenance: Option<&str>,
        empty: &dyn Fn(&Described) -> String,
        place: String,
    ) -> Self {
        let (mut names, mut columns, mut fixed) = (Vec::new(), Vec::new(), Vec::new());
        let mut fixed_names = Vec::new();
        for target in targets.iter().filter(|one| !one.is_computed && one.name != PROVENANCE_COLUMN) {
            match rows.rows.column(&target.name) {
                Some(column) => {
                    names.push(quoted(&target.name));
                    columns.push((column, cells(column, target)));
                }
                None if target.is_required => {
                    fixed_names.push(quoted(&target.name));
                    fixed.push(copy_escaped(&empty(target)).into_owned());
                }
                None => {}
            }
        }
        if let Some(text) = provenance {
            fixed_names.push(quoted(PROVENANCE_COLUMN));
            fixed.push(copy_escaped(text).into_owned());
        }
        names.extend(fixed_names);
        let between = if columns.is_empty() || fixed.is_empty() { "" } else { "\t" };
        Self {
            sql: format!("COPY {target} ({}) FROM STDIN", names.join(", ")),
            columns,
            end: format!("{between}{}\n", fixed.join("\t")),
            rows: rows.rows.rows(),
            place,
            may_exclude: false,
        }
    }

    /// The same, of which rows that an EXCLUDE keeps out are left out.
    pub fn excluding(self, may_exclude: bool) -> Self {
        Self { may_exclude, ..self }
    }

    /// Sends all rows.
    ///
    /// # Errors
    /// A row is refused by what the table does not declare, or the server fails. Then the transaction is of no use any more.
    pub fn send(&self, transaction: &mut Transaction, written: &mut TableWritten) -> Result<(), Error> {
        for start in (0..self.rows).step_by(MAX_ROWS) {
            self.send_part(transaction, start..self.rows.min(start + MAX_ROWS), written)?;
        }
        Ok(())
    }

    fn send_part(
        &self,
        transaction: &mut Transaction,
        rows: Range<usize>,
        written: &mut TableWritten,
    ) -> Result<(), Error> {
        let wrong = failure(&self.place);
        let n = rows.len();
        // What fails takes back this inner transaction alone.
        let mut inner = transaction.transaction().map_err(&wrong)?;
        let failed = match self.copied(&mut inner, rows.clone()) {
            Ok(taken) if taken == n as u64 => {
                inner.commit().map_err(&wrong)?;
                written.rows += taken;
                return Ok(());
            }
            Ok(_) => Failure::Dropped,
            Err(failed) => failed,
        };
        let taken_back = inner.rollback();
        if !failed.is_of_a_row() {
            return Err(failed.error(&self.place));
        }
        taken_back.map_err(&wrong)?;
        if n == 1 {
            return self.leave_out(failed, rows.start, written);
        }
        let middle = rows.start + n / 2;
        self.send_part(transaction, rows.start..middle, written)?;
        self.send_part(transaction, middle..rows.end, written)
    }

    fn copied(&self, transaction: &mut Transaction, rows: Range<usize>) -> Result<u64, Failure> {
        let mut out = transaction.copy_in(&self.sql).map_err(Failure::Server)?;
        out.write_all(&self.text(rows)).map_err(Failure::of_stream)?;
        out.finish().map_err(Failure::Server)
    }

    fn text(&self, rows: Range<usize>) -> Vec<u8> {
        let mut text = Vec::new();
        for row in rows {
            for (at, (column, cells)) in self.columns.iter().enumerate() {
                if at > 0 {
                    text.push(b'\t');
                }
                let cell = cells.get(column.numbers()[row] as usize);
                text.extend_from_slice(cell.map_or("\\N", String::as_str).as_bytes());
            }
            text.extend_from_slice(self.end.as_bytes());
        }
        text
    }

    /// Counts a row that the table refuses by what it declares.
    fn leave_out(&self, failed: Failure, row: usize, written: &mut TableWritten) -> Result<(), Error> {
        if let Failure::Server(error) = &failed
            && let Some(said) = error.as_db_error()
            && self.is_refusal(said)
        {
            written.refuse(1, || words(said));
            return Ok(());
        }
        let cells = shown_cells(self.columns.iter().map(|(column, _)| *column), row);
        Err(failed.error(&format!("{}: row {}", self.place, row + 1)).with_more(&cells))
    }

    /// Whether a row is at fault by what the table declares. What a function of a trigger says is nothing of that.
    fn is_refusal(&self, said: &DbError) -> bool {
        let of_function =
            said.where_().is_some_and(|text| text.lines().any(|line| line.starts_with("PL/pgSQL function")));
        let is_declared = match said.code() {
            code if *code == SqlState::CHECK_VIOLATION => said.constraint().is_some(),
            code if *code == SqlState::EXCLUSION_VIOLATION => self.may_exclude,
            code => code.code().starts_with("22") || code.code().starts_with("23"),
        };
        !of_function && is_declared
    }
}

impl Failure {
    fn of_stream(error: io::Error) -> Self {
        match error.downcast::<::postgres::Error>() {
            Ok(error) => Self::Server(error),
            Err(error) => Self::Stream(error),
        }
    }

    /// Whether fewer rows may fare better.
    fn is_of_a_row(&self) -> bool {
        let is_of_no_row = |code: &str| CLASSES_OF_NO_ROW.iter().any(|class| code.starts_with(class));
        match self {
            Self::Server(error) => error.code().is_some_and(|code| !is_of_no_row(code.code())),
            Self::Stream(_) => false,
            Self::Dropped => true,
        }
    }

    fn error(self, place: &str) -> Error {
        nothing_written(match self {
            Self::Server(error) => failure(place)(error),
            Self::Stream(error) => Error::bad(place, error.to_string()),
            Self::Dropped => Error::bad(place, "was not taken")
                .with_hint("nothing was written; look at the triggers and rules of the table"),
        })
    }
}

/// For each distinct text of a column what is sent for it.
fn cells(column: &Column, target: &Described) -> Vec<String> {
    let cast = Cast::to(type_of(target.ty), column, None);
    let cell = |text: &str| {
        cast.text(text).map_or_else(|| "\\N".to_owned(), |cell| copy_escaped(&cell).into_owned())
    };
    column.values().iter().map(cell).collect()
}

/// What the server says, with its details.
pub(super) fn words(said: &DbError) -> String {
    match said.detail() {
        Some(detail) => format!("{}; {detail}", said.message()),
        None => said.message().to_owned(),
    }
}
