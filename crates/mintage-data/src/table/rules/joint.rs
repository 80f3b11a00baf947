//! Several columns as one: their texts, one after another. Only combinations that occur can be drawn.

use serde::{Deserialize, Serialize};

use crate::table::{Column, Declaration, Table};

/// Between two cells, and in the place of a missing one: characters for just that, which no text has.
pub const SEPARATOR: char = '\u{1f}';
const MISSING: &str = "\u{1e}";

/// Columns that are learned as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joint {
    pub name: String,
    /// In the order of the table.
    pub members: Vec<usize>,
}

impl Joint {
    /// The texts of all members in each row.
    pub fn forward(&self, table: &Table) -> Column {
        let mut column = Column::new(&self.name, Declaration::default());
        let mut text = String::new();
        for row in 0..table.rows() {
            self.write(table, row, &mut text);
            column.push(Some(&text));
        }
        column
    }

    /// The text of one row, in the place of what `text` was.
    fn write(&self, table: &Table, row: usize, text: &mut String) {
        text.clear();
        for (at, &member) in self.members.iter().enumerate() {
            if at > 0 {
                text.push(SEPARATOR);
            }
            text.push_str(table.columns[member].cell(row).unwrap_or(MISSING));
        }
    }

    /// Adds each row's texts to the members' columns.
    pub fn inverse(&self, from: &Column, table: &mut Table) {
        for cell in from.iter() {
            let mut cells = split(cell.unwrap_or(MISSING));
            for &member in &self.members {
                table.columns[member].push(cells.next().flatten());
            }
        }
    }
}

/// The cells of a joint text.
pub fn split(text: &str) -> impl Iterator<Item = Option<&str>> {
    text.split(SEPARATOR).map(|cell| (cell != MISSING).then_some(cell))
}
