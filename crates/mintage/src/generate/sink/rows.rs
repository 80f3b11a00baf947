//! Rows, which are sent or written while they are drawn, a chunk at a time.

use std::{cell::Cell, io};

use mintage_data::{
    DataKind, Error as DataError, IfExists, PgDefaults, Provenance, Table,
    table::{TextKind, Writing, present, write_parts, write_text},
};
use mintage_nn::Rng;

use super::{Place, Sink, Written};
use crate::{
    error::Error,
    generate::{Drawing, Generation, OnProgress, Output, Samples},
    sample::{TableChunks, count},
};

impl Sink<'_> {
    /// Draws rows and sends them as text, a chunk at a time: to a pipe, or over a network.
    ///
    /// # Errors
    ///
    /// Those of drawing and of `out`.
    pub fn stream_rows(
        generation: &mut Generation,
        kind: TextKind,
        output: &Output,
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
        on: &mut OnProgress,
    ) -> Result<usize, Error> {
        let model = generation.model;
        output.check(model)?;
        let file = output.file_format(model, true)?;
        let (_, codec) = model.rows()?;
        let mut rng = Rng::new(generation.seed(), u64::MAX);
        let pg = PgDefaults::default();
        let mut how = Writing {
            refused: None,
            target: "-",
            table: None,
            if_exists: IfExists::Fail,
            provenance: None,
            ids: &codec.ids(),
            schema: Some(codec.rules.own()),
            file: &file,
            random: &mut || rng.next_u64(),
            pg: &pg,
        };
        let head = table_of(generation.head())?;
        let mut failed = None;
        let quotes = output.quote_formulas && kind == TextKind::Csv;
        let mut parts = std::iter::from_fn(|| shown(next_rows(generation, on, &mut failed)?, quotes));
        let mut out = |text: &[u8]| out(text).map_err(|source| DataError::Io { path: "-".into(), source });
        let sent = write_text(&head, &mut parts, kind, &mut how, &mut out);
        failed.map_or(Ok(()), Err)?;
        Ok(sent?)
    }

    /// Rows are written while they are drawn, and those that a database refuses are drawn again.
    pub(super) fn write_table(
        &self,
        target: &str,
        generation: &mut Generation,
        provenance: &Provenance,
        on: &mut OnProgress,
    ) -> Result<Written, Error> {
        self.look_beside(target, generation)?;
        let (_, codec) = self.model.rows()?;
        let file = self.output.file_format(self.model, false)?;
        let provenance = (!self.output.no_provenance).then_some(provenance);
        let mut rng = Rng::new(generation.seed(), u64::MAX);
        let refused = Cell::new(0);
        let given = generation.request.given.is_some() || generation.request.fill.is_some();
        let how = Writing {
            refused: (!given).then_some(&refused),
            target,
            table: self.table_name(),
            if_exists: self.output.if_exists,
            provenance,
            ids: &codec.ids(),
            schema: Some(codec.rules.own()),
            file: &file,
            random: &mut || rng.next_u64(),
            pg: self.pg,
        };
        let head = table_of(generation.head())?;
        let mut failed = None;
        let mut parts = std::iter::from_fn(|| {
            chunks_of(generation)?.draw_more(refused.take());
            shown(next_rows(generation, on, &mut failed)?, self.output.quote_formulas)
        });
        let written = write_parts(&head, &mut parts, how);
        failed.map_or(Ok(()), Err)?;
        let written = written?;
        let mut notes = Vec::new();
        let replaced = chunks_of(generation).map_or(0, |chunks| chunks.replaced());
        if replaced > 0 {
            notes.push(format!(
                "{} that the table refused, by rules that are not known here, were drawn again",
                count(replaced, "row")
            ));
        }
        if provenance.is_none() {
            notes.push("nothing marks them as made: training takes them for real rows".to_owned());
        }
        let what = count(written.rows, "new row");
        let place = Place::Rows(written.place);
        Ok(Written { kind: DataKind::Table, n: written.rows, what, place, notes })
    }

    /// Reads what is there already: the keys of the rows that new ones are added to, so that none is made twice, and the
    /// keys of other tables that columns refer to.
    fn look_beside(&self, target: &str, generation: &mut Generation) -> Result<(), Error> {
        let (_, codec) = self.model.rows()?;
        let Some(chunks) = chunks_of(generation) else { return Ok(()) };
        if self.output.if_exists == IfExists::Append {
            let keys = codec.rules.key_columns();
            let table = self.table_name().unwrap_or(&codec.name);
            if let Some(there) = present(target, table, &keys, self.pg)? {
                chunks.add_present(&there);
            }
        }
        for own in &codec.rules.own().columns {
            let refers_to = own.declaration.refers_to.as_ref().and_then(|to| to.rsplit_once('.'));
            let Some((table, column)) = refers_to else { continue };
            let found = present(target, table, &[column], self.pg)?;
            if let Some(keys) = found.and_then(|mut found| found.columns.pop()) {
                chunks.add_references(&own.name, &keys);
            }
        }
        Ok(())
    }
}

/// The chunks of rows that are drawn.
fn chunks_of<'b, 'a>(generation: &'b mut Generation<'a>) -> Option<&'b mut TableChunks<'a>> {
    match &mut generation.drawing {
        Drawing::Table(chunks) => Some(chunks),
        _ => None,
    }
}

/// The next rows for a writer that takes errors of data only; any other error is left in `failed`.
fn next_rows(
    generation: &mut Generation,
    on: &mut OnProgress,
    failed: &mut Option<Error>,
) -> Option<Result<Table, DataError>> {
    match generation.next_chunk(on).and_then(|chunk| chunk.map(table_of).transpose()) {
        Ok(rows) => rows.map(Ok),
        Err(Error::Data(error)) => Some(Err(error)),
        Err(error) => {
            let told = DataError::bad("rows", error.to_string());
            *failed = Some(error);
            Some(Err(told))
        }
    }
}

/// Rows as they are written, with or without an apostrophe before what a spreadsheet would take for a formula.
fn shown(rows: Result<Table, DataError>, quotes: bool) -> Option<Result<Table, DataError>> {
    Some(rows.map(|rows| if quotes { quoted(rows) } else { rows }))
}

/// An apostrophe before texts that a spreadsheet would take for formulas. Numbers stay: "-5" is none.
fn quoted(mut rows: Table) -> Table {
    let n = rows.rows();
    for column in &mut rows.columns {
        for row in 0..n {
            let is_formula = |text: &str| {
                text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err()
            };
            if let Some(text) =
                column.cell(row).filter(|text| is_formula(text)).map(|text| format!("'{text}"))
            {
                column.set(row, Some(&text));
            }
        }
    }
    rows
}

fn table_of(samples: Samples) -> Result<Table, Error> {
    match samples {
        Samples::Table(rows) => Ok(rows),
        other => Err(Error::request(format!("{} items are no rows", other.len()))),
    }
}
