//! Pages of a file of rows, which is read once: delimited text, JSON Lines, Parquet.

use super::{
    cell::ItemId,
    histogram::Histograms,
    media::{Media, absent, missing},
    memory::Rows,
    page::Page,
    request::{Ask, PageRequest, column_named},
};
use crate::{Error, SourceSpec, table::read};

/// Rows of a file that are kept, at most; of more these are spread over all of it.
pub const MAX_FILE_ROWS: usize = 1_000_000;

/// A file of rows.
#[derive(Debug)]
pub(super) struct FileBrowser {
    name: String,
    rows: Rows,
    notes: Vec<String>,
}

impl FileBrowser {
    /// Reads a file, with the rows that Mintage made.
    ///
    /// # Errors
    /// It cannot be read as rows, or holds none.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let table = read(&SourceSpec { allow_made: true, limit: Some(MAX_FILE_ROWS), ..spec.clone() })?;
        let mut notes = table.notes.clone();
        if table.rows() == MAX_FILE_ROWS {
            notes.push(format!(
                "of a file of very many rows {MAX_FILE_ROWS} are shown, spread over all of it"
            ));
        }
        Ok(Self { name: spec.path().display().to_string(), rows: Rows::new(table), notes })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn page(&self, request: &PageRequest) -> Result<Page, Error> {
        let ask = Ask::of(request, &self.name, self.rows.columns())?;
        let rows = self.rows.select(&ask);
        let columns = self.rows.columns().to_vec();
        let mut page = Page::new(String::new(), vec![String::new()], rows.len() as u64, ask.offset, columns);
        let first = usize::try_from(ask.offset).unwrap_or(usize::MAX);
        for (place, &row) in rows.iter().skip(first).take(ask.limit).enumerate() {
            page.add(place, Some(i64::from(row)), self.rows.values(row as usize));
        }
        page.notes.clone_from(&self.notes);
        Ok(page)
    }

    /// A cell as a text.
    pub fn media(&self, item: ItemId, column: &str) -> Result<Media, Error> {
        let number = column_named(column, &self.name, self.rows.columns())?;
        let row = usize::try_from(item.0).ok().filter(|&row| row < self.rows.len());
        let row = row.ok_or_else(|| absent(&self.name, item))?;
        let text = self.rows.text(row, number).ok_or_else(|| missing(&self.name, item, column))?;
        Ok(Media::of_text(text.as_bytes().to_vec()))
    }

    pub fn histograms(&self) -> Histograms {
        self.rows.histograms()
    }
}
