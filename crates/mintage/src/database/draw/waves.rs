//! Rows that are drawn wave by wave: the first children of all parents, then the second ones, and so on.

use mintage_data::{Column, Table};

use crate::{
    database::{filled::NONE, plan::TablePlan, view::picked},
    error::Error,
};

/// Rows that are drawn wave by wave, with the row of the parent of each.
pub(super) struct Families {
    pub rows: Option<Table>,
    pub parents: Vec<u32>,
    /// Where each parent's latest child lies.
    latest: Vec<u32>,
}

impl Families {
    /// No rows yet of `n` parents.
    pub fn new(n: usize) -> Self {
        Self { rows: None, parents: Vec::new(), latest: vec![NONE; n] }
    }

    /// Adds rows with their parents.
    ///
    /// # Errors
    /// The rows lack a column.
    pub fn add(&mut self, rows: Table, parents: &[u32]) -> Result<(), Error> {
        for (at, &parent) in parents.iter().enumerate().filter(|(_, parent)| **parent != NONE) {
            self.latest[parent as usize] = (self.parents.len() + at) as u32;
        }
        self.parents.extend(parents);
        match &mut self.rows {
            Some(all) => all.append(&rows)?,
            None => self.rows = Some(rows),
        }
        Ok(())
    }

    /// What is known of the latest children of parents; nothing before the first.
    pub fn previous(&self, plan: &TablePlan, parents: &[u32]) -> Vec<Column> {
        let Some(rows) = &self.rows else { return Vec::new() };
        let latest: Vec<u32> = parents.iter().map(|&parent| self.latest[parent as usize]).collect();
        let columns = plan.previous.iter().filter_map(|name| Some((name, rows.column(name)?)));
        columns.map(|(name, column)| picked(&plan.before(name), column, &latest)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{
        filled::numbers,
        testing::{key, planned, table},
    };

    #[test]
    fn children_follow_the_latest_of_their_parent() {
        let firms = vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
        let staff = vec![
            numbers("id", 1..=80),
            numbers("firm", (0..80).map(|row| row / 4 + 1)),
            numbers("grade", (0..80).map(|row| row * 7 % 5)),
        ];
        let staff = table("staff", vec![key("firm", "firms", "id", false)], staff);
        let (_, _, plans) = planned(vec![table("firms", Vec::new(), firms), staff]);
        let plan = plans.iter().find(|plan| plan.name == "staff").unwrap();
        assert_eq!(plan.previous, ["grade"]);
        let wave = |grades: &[u32]| Table {
            columns: vec![numbers("grade", grades.iter().copied())],
            ..Table::default()
        };
        let mut families = Families::new(3);
        assert!(families.previous(plan, &[0, 2]).is_empty());
        families.add(wave(&[5, 6]), &[0, 2]).unwrap();
        families.add(wave(&[7]), &[2]).unwrap();
        families.add(wave(&[8]), &[NONE]).unwrap();
        let previous = families.previous(plan, &[2, 0]);
        assert_eq!(previous[0].iter().collect::<Vec<_>>(), [Some("7"), Some("5")]);
        assert_eq!(families.parents, [0, 2, 2, NONE]);
    }
}
