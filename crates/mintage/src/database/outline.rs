//! What a run of a whole database says of itself without its models being loaded: its tables, and how far each is learned.

use std::path::Path;

use mintage_data::{database::Schema, read_text};
use serde::Deserialize;

use super::{
    FILE, folder_of, persons::Persons, plan::TablePlan, saved::MAX_FILE_BYTES, texts::TextPlan, writers,
};
use crate::{
    error::Error,
    run::{Run, RunInfo},
};

/// The tables of a run of a whole database, and what has become of their models so far.
#[derive(Clone, Debug, Deserialize)]
pub struct DatabaseOutline {
    /// The schema of the source.
    pub schema: Schema,
    /// How each table is learned, parents first.
    pub plans: Vec<TablePlan>,
    /// What of the tables points at persons, and is made afresh.
    #[serde(default)]
    pub persons: Vec<Persons>,
    /// The columns of free text that are written by a language model of their own.
    #[serde(default)]
    pub texts: Vec<TextPlan>,
    /// By plan the training of its model, as far as it has come; nothing where there is none.
    #[serde(skip)]
    pub trainings: Vec<Option<RunInfo>>,
}

impl DatabaseOutline {
    /// Reads the outline of the run in a folder, also of one that is not finished.
    ///
    /// # Errors
    /// The folder is no run of a database, or its file cannot be read.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = read_text(&path, MAX_FILE_BYTES)?;
        let damaged = |error: serde_json::Error| Error::folder(&path, format!("cannot be read ({error})"));
        let mut outline: Self = serde_json::from_str(&text).map_err(damaged)?;
        let training = |at: usize| Run::open(&folder_of(dir, at)).and_then(|run| run.info()).ok();
        outline.trainings = (0..outline.plans.len()).map(training).collect();
        for (at, text) in outline.texts.iter_mut().enumerate() {
            text.judged = writers::judged(dir, at, &text.label()).ok();
        }
        Ok(outline)
    }

    /// Rows of all tables of the source.
    pub fn rows(&self) -> usize {
        // The file may be a stranger's.
        self.plans.iter().fold(0_usize, |rows, plan| rows.saturating_add(plan.rows))
    }

    /// Steps of the trainings of all tables.
    pub fn steps(&self) -> u64 {
        self.trainings.iter().flatten().map(|training| training.step).sum()
    }

    /// The columns of a table that point at persons, and are made afresh.
    pub fn personal(&self, table: &str) -> Vec<&str> {
        let own = self.persons.iter().filter(|persons| persons.table == table);
        own.flat_map(Persons::columns).map(|column| column.name.as_str()).collect()
    }

    /// The tables that the rows of a plan refer to, the one that they belong to first.
    pub fn parents(&self, plan: &TablePlan) -> Vec<&str> {
        let table = self.schema.table(&plan.name);
        let keys = table.map(|table| table.foreign_keys.as_slice()).unwrap_or_default();
        let main = plan.main().and_then(|main| keys.get(main));
        let mut names: Vec<&str> = Vec::new();
        for key in main.into_iter().chain(keys) {
            if !names.contains(&key.parent.as_str()) {
                names.push(&key.parent);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{
        filled::numbers,
        plan::Use,
        testing::{key, planned, table},
    };

    #[test]
    fn names_parents_once_and_the_main_one_first() {
        let parent = || vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
        let lines = vec![
            numbers("id", 1..=80),
            numbers("track", (0..80).map(|row| row * 7 % 20 + 1)),
            numbers("gift", (0..80).map(|row| row * 3 % 20 + 1)),
            numbers("bill", (0..80).map(|row| row / 4 + 1)),
        ];
        let keys = ["track", "gift", "bill"];
        let parents = ["tracks", "tracks", "bills"];
        let keys = keys.iter().zip(parents).map(|(own, parent)| key(own, parent, "id", false)).collect();
        let (schema, _, mut plans) = planned(vec![
            table("tracks", Vec::new(), parent()),
            table("bills", Vec::new(), parent()),
            table("lines", keys, lines),
        ]);
        for plan in plans.iter_mut().filter(|plan| plan.name == "lines") {
            plan.keys = vec![Use::Matched, Use::Matched, Use::Main];
        }
        let (persons, texts, trainings) = (Vec::new(), Vec::new(), Vec::new());
        let outline = DatabaseOutline { schema, plans, persons, texts, trainings };
        let of = |name: &str| {
            let plan = outline.plans.iter().find(|plan| plan.name == name);
            plan.map(|plan| outline.parents(plan)).unwrap_or_default()
        };
        assert_eq!(of("lines"), ["bills", "tracks"]);
        assert!(of("bills").is_empty());
        assert_eq!((outline.rows(), outline.steps()), (120, 0));
    }
}
