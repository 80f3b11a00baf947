//! The training rows nearest to a new one, by the distance to the closest record; see [`privacy`](super::privacy).

use mintage_data::{Table, TableSet, table::schema::TableSchema};

use super::{
    super::nearest::Hits,
    Frame,
    neighbours::{Norm, Scale, Space, by_nearness, nearest},
};
use crate::error::Error;

/// Training rows that are compared with one row at a time.
pub(in crate::evaluate) struct RowIndex {
    schema: TableSchema,
    train: Table,
    /// The row of the data that each of them is.
    items: Vec<u32>,
    /// Distances of held-out rows to the nearest training row, ascending.
    expected: Vec<f64>,
}

impl RowIndex {
    /// Of these training rows and held-out ones.
    pub fn new(data: &TableSet, train: &[u32], holdout: &[u32]) -> Result<Self, Error> {
        let (items, train) = (train.to_vec(), data.table().select(train));
        let holdout = data.table().select(holdout);
        let schema = data.schema().clone();
        let [known, held] = Frame::together([&train, &holdout], &schema)?;
        let space = Space::of(&known, &[], Scale::Standard).with_gaps();
        let found = nearest(&space.points(&held), &space.points(&known), Norm::Absolute);
        let mut expected: Vec<f64> = found.iter().map(|found| f64::from(found.distance)).collect();
        expected.sort_unstable_by(f64::total_cmp);
        Ok(Self { schema, train, items, expected })
    }

    /// The `k` training rows nearest to a row of `rows`.
    pub fn search(&self, rows: &Table, row: u32, k: usize) -> Result<Hits, Error> {
        let [known, query] = Frame::together([&self.train, &rows.select(&[row])], &self.schema)?;
        let space = Space::of(&known, &[], Scale::Standard).with_gaps();
        let found = by_nearness(&space.points(&query), &space.points(&known));
        let equals = found.iter().take_while(|&&(_, distance)| distance == 0.0).count();
        let hit = |&(place, distance): &(usize, f32)| (self.items[place], f64::from(distance));
        let neighbours = found.iter().take(k).map(hit).collect();
        Ok(Hits { neighbours, equals, expected: self.expected.clone(), ..Hits::default() })
    }
}
