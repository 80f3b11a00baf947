//! A part of the rows of a table.

use serde::Serialize;

use super::cell::{BrowseColumn, Cell, ItemId, Raw};

/// Rows of a table, one after another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page {
    /// The name of the table; of a file and a folder nothing.
    pub table: String,
    /// All tables of the source.
    pub tables: Vec<String>,
    /// Rows that meet the conditions.
    pub total: u64,
    /// Rows before the first one here.
    pub offset: u64,
    pub columns: Vec<BrowseColumn>,
    pub rows: Vec<BrowseRow>,
    /// What is to be known of how the source was read, such as files that were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A row: in JSON `{"i": item, "cells": […]}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BrowseRow {
    /// By what [`Browser::media`](super::Browser::media) finds it again.
    #[serde(rename = "i")]
    pub item: ItemId,
    /// One a column.
    pub cells: Vec<Cell>,
}

impl Page {
    pub(super) fn new(
        table: String,
        tables: Vec<String>,
        total: u64,
        offset: u64,
        columns: Vec<BrowseColumn>,
    ) -> Self {
        Self { table, tables, total, offset, columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds values to the row at a place of the page; without a number of its own a row is called by its place in the
    /// table.
    pub(super) fn add(&mut self, place: usize, number: Option<i64>, values: Vec<Raw>) {
        if place == self.rows.len() {
            let item = ItemId(number.unwrap_or(self.offset as i64 + place as i64));
            self.rows.push(BrowseRow { item, cells: Vec::with_capacity(self.columns.len()) });
        }
        if let Some(row) = self.rows.get_mut(place) {
            row.cells.extend(values.into_iter().map(Cell::from));
        }
    }
}
