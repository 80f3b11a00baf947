//! The trivial generator, which sets the floor of every scale: each column drawn on its own from the
//! column of the training rows. Every distribution is right and nothing goes together.

use mintage_data::Table;
use mintage_nn::Rng;

/// Draws `n` rows, every column in a random order of its own; where `n` is larger, several times over.
pub fn independent_columns(train: &Table, n: usize, seed: u64) -> Table {
    if train.rows() == 0 {
        return train.clone();
    }
    let mut columns = Vec::with_capacity(train.columns.len());
    for (i, column) in train.columns.iter().enumerate() {
        let mut rng = Rng::new(seed, i as u64);
        let mut rows: Vec<u32> = Vec::with_capacity(n);
        while rows.len() < n {
            let order = rng.permutation(train.rows()).into_iter().take(n - rows.len());
            rows.extend(order.map(|row| row as u32));
        }
        columns.push(column.select(&rows));
    }
    Table { name: train.name.clone(), columns, ..Table::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintage_data::Column;

    #[test]
    fn columns_keep_their_values_and_lose_each_other() {
        let cells: Vec<String> = (0..200).map(|i| i.to_string()).collect();
        let column = |name: &str| Column::of(name, cells.iter().map(|cell| Some(cell.as_str())));
        let train =
            Table { name: "t".to_owned(), columns: vec![column("a"), column("b")], ..Table::default() };
        let new = independent_columns(&train, 500, 1);
        assert_eq!((new.rows(), new.columns.len()), (500, 2));
        for column in &new.columns {
            assert!(column.counts().iter().all(|&count| (2..=3).contains(&count)));
        }
        let same = new.columns[0].iter().zip(new.columns[1].iter()).filter(|(a, b)| a == b).count();
        assert!(same < 20, "{same}");
        assert_eq!(new, independent_columns(&train, 500, 1));
        assert_eq!(independent_columns(&train.select(&[]), 5, 1).rows(), 0);
    }
}
