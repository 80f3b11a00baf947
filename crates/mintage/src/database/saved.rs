//! The file of a run of a whole database: what it holds beside the models of the tables.

use std::path::Path;

use mintage_data::{Table, database::Schema, read_text};
use serde::{Deserialize, Serialize};

use super::{
    DatabaseData, FILE,
    even::Targets,
    keys::TextKey,
    persons::Persons,
    plan::{INDEX, Part, TablePlan},
    texts::{self, TextPlan},
    view,
};
use crate::error::Error;

/// Its size, at most: the rows of kept tables are in it.
pub(super) const MAX_FILE_BYTES: u64 = 256 << 20;

/// What a run of a database holds beside its models.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    pub schema: Schema,
    pub plans: Vec<TablePlan>,
    /// For each plan what its new rows are to be like together.
    pub targets: Vec<Targets>,
    pub persons: Vec<Persons>,
    pub keys: Vec<TextKey>,
    /// Columns of free text that have a model of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextPlan>,
    pub kept: Vec<KeptTable>,
}

/// A table whose rows are those of the source.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptTable {
    name: String,
    columns: Vec<(String, mintage_data::Declaration, Vec<Option<String>>)>,
}

/// An error where the folder is of a database that was another one then: its models do not suit this one.
///
/// # Errors
/// It is of another one.
pub(super) fn check_same(data: &DatabaseData, dir: &Path) -> Result<(), Error> {
    let path = dir.join(FILE);
    if !path.is_file() {
        return Ok(());
    }
    let saved = serde_json::from_str::<Saved>(&read_text(&path, MAX_FILE_BYTES)?);
    match saved.is_ok_and(|saved| saved.plans == data.plans && texts::are_same(&saved.texts, &data.texts)) {
        true => Ok(()),
        false => Err(Error::folder(dir, "is of another database, or of this one as it was before")
            .with_hint("choose another name: --name")),
    }
}

/// Writes what a run of a database holds beside its models.
///
/// # Errors
/// The file cannot be written, or would be larger than what is read.
pub(super) fn save(data: &DatabaseData, dir: &Path) -> Result<(), Error> {
    let kept = data.kept_without_persons().iter().map(KeptTable::of).collect();
    let targets = data.plans.iter().map(|plan| targets(plan, data)).collect::<Result<_, _>>()?;
    let saved = Saved {
        schema: data.schema.clone(),
        plans: data.plans.clone(),
        targets,
        persons: data.persons.clone(),
        keys: data.keys.clone(),
        texts: data.texts.clone(),
        kept,
    };
    let path = dir.join(FILE);
    let text = serde_json::to_vec(&saved).map_err(|error| Error::folder(&path, error.to_string()))?;
    check_size(text.len() as u64)?;
    mintage_data::atomic_write(&path, &text).map_err(Error::io(&path))
}

/// An error where so many bytes would not be read again: tables that the user keeps may have any number of rows.
fn check_size(bytes: u64) -> Result<(), Error> {
    if bytes <= MAX_FILE_BYTES {
        return Ok(());
    }
    let [bytes, most] = [bytes, MAX_FILE_BYTES].map(|bytes| bytes >> 20);
    let why = format!("the tables that are kept as they are take {bytes} MB, and {most} MB are the most");
    Err(Error::request(why).with_hint("keep fewer tables: name less in `keep`, or some of them in `learn`"))
}

/// What the rows of a table are like together.
fn targets(plan: &TablePlan, data: &DatabaseData) -> Result<Targets, Error> {
    let Some(found) = data.kinds.get(&plan.name).filter(|_| plan.part == Part::Learned) else {
        return Ok(Targets::default());
    };
    let rows = view::learned(plan, &data.schema, &data.source)?;
    let (names, own) = plan.even(found);
    Ok(Targets::of(&rows, &names, own, &plan.named(INDEX)))
}

impl Saved {
    /// Reads the file of a run.
    ///
    /// # Errors
    /// It cannot be read, or its parts do not belong together.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = read_text(&path, MAX_FILE_BYTES)?;
        let damaged = |error: serde_json::Error| Error::folder(&path, format!("cannot be read ({error})"));
        let saved: Self = serde_json::from_str(&text).map_err(damaged)?;
        if !saved.plans.iter().all(|plan| plan.suits(&saved.schema, &saved.plans)) || !saved.are_whole() {
            let hint = "the file is damaged: put back a copy of it, or train again";
            return Err(Error::folder(&path, "its parts do not belong together").with_hint(hint));
        }
        Ok(saved)
    }

    /// Whether the columns of each kept table have as many cells, and each key as many columns as it refers to.
    fn are_whole(&self) -> bool {
        let is_even = |table: &KeptTable| {
            let mut lengths = table.columns.iter().map(|(_, _, cells)| cells.len());
            let first = lengths.next();
            lengths.all(|length| Some(length) == first)
        };
        let mut keys = self.schema.keys();
        let has_targets =
            self.targets.len() == self.plans.len() && self.targets.iter().all(Targets::is_whole);
        has_targets
            && self.texts.iter().all(|text| text.suits(&self.schema, &self.plans))
            && self.persons.iter().all(Persons::is_whole)
            && self
                .plans
                .iter()
                .all(|plan| plan.part != Part::Kept || self.kept.iter().any(|table| table.name == plan.name))
            && self.kept.iter().all(is_even)
            && keys.all(|(_, key)| key.columns.len() == key.parent_columns.len())
    }
}

impl KeptTable {
    fn of(table: &Table) -> Self {
        let cells =
            |column: &mintage_data::Column| column.iter().map(|cell| cell.map(str::to_owned)).collect();
        let columns = table
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.declaration.clone(), cells(column)));
        Self { name: table.name.clone(), columns: columns.collect() }
    }

    /// The table itself.
    pub fn table(self) -> Table {
        let column = |(name, declaration, cells): (String, _, Vec<Option<String>>)| {
            let mut column = mintage_data::Column::new(name, declaration);
            cells.iter().for_each(|cell| column.push(cell.as_deref()));
            column
        };
        Table { name: self.name, columns: self.columns.into_iter().map(column).collect(), ..Table::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_more_than_is_read_again() {
        assert!(check_size(MAX_FILE_BYTES).is_ok());
        let error = check_size(MAX_FILE_BYTES + (2 << 20)).err().map(|error| error.to_string());
        let why = "the tables that are kept as they are take 258 MB, and 256 MB are the most";
        assert_eq!(error.as_deref(), Some(why));
    }
}
