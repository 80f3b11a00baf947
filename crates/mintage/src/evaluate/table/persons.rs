//! Do new rows give persons away? Column by column: values that point at a person, such as names and e-mail addresses, of
//! rows that were learned from.

use std::collections::HashSet;

use mintage_data::{
    Column, SourceSpec, Table, TableSet,
    table::{listed, schema::ColumnSchema, spelled},
};

/// Which new rows give persons of the training data away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persons {
    /// Name of each column with values that point at persons, and how many new cells have one of a training
    /// row.
    pub columns: Vec<(String, usize)>,
    /// For each new row 1 where any of its cells has such a value, else 0.
    ///
    /// Empty where no column has such values.
    pub rows: Vec<f64>,
}

/// The values of the training rows that point at persons, by column, however they are spelled.
pub struct KnownPersons<'a>(Vec<(&'a str, HashSet<String>)>);

impl<'a> KnownPersons<'a> {
    /// Those of the train split of `set`, which was read as `spec` says.
    pub fn of(set: &'a TableSet, spec: &SourceSpec) -> Self {
        let known = |(schema, column): (&'a ColumnSchema, &Column)| {
            let train = column.select(&set.splits().train);
            let known: HashSet<String> =
                schema.personal_values(&train, spec).into_iter().map(spelled).collect();
            (!known.is_empty()).then_some((schema.name.as_str(), known))
        };
        Self(set.schema().columns.iter().zip(&set.table().columns).filter_map(known).collect())
    }

    /// Looks for these values in `new`.
    pub fn within(&self, new: &Table) -> Persons {
        let mut found = Persons::default();
        for (name, known) in &self.0 {
            let Some(cells) = new.column(name) else { continue };
            let is_known: Vec<bool> = cells.values().iter().map(|text| holds(known, text)).collect();
            let flags = cells.numbers().iter().map(|&number| is_known.get(number as usize) == Some(&true));
            let flags: Vec<bool> = flags.collect();
            found.rows.resize(new.rows(), 0.0);
            found.rows.iter_mut().zip(&flags).filter(|(_, is)| **is).for_each(|(row, _)| *row = 1.0);
            found.columns.push(((*name).to_owned(), flags.iter().filter(|is| **is).count()));
        }
        found
    }
}

/// Whether a text, or a part of it where it is a list, is one of `known`, which are spelled as by [`spelled`].
pub(crate) fn holds(known: &HashSet<String>, text: &str) -> bool {
    known.contains(&spelled(text)) || listed(text).any(|part| known.contains(&spelled(part)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn real_names_are_found_and_others_are_not() {
        let of = |name: &str, cell: &dyn Fn(usize) -> String| {
            let cells: Vec<String> = (0..200).map(cell).collect();
            Column::of(name, cells.iter().map(|text| Some(text.as_str())))
        };
        let name = |i: usize| format!("Ann{} Lee{}", "a".repeat(i % 20), "e".repeat(i / 20));
        let columns = vec![of("name", &name), of("spent", &|i| (i % 13).to_string())];
        let table = Table { name: "people".to_owned(), columns, ..Table::default() };
        let spec = SourceSpec::default();
        let set = TableSet::of(table, Some(0..40), &spec).unwrap();
        let mut new = set.table().select(&(40..200).collect::<Vec<u32>>());
        let train: HashSet<u32> = set.splits().train.iter().copied().collect();
        let known = KnownPersons::of(&set, &spec);
        let found = known.within(&new);
        assert_eq!(found.columns, [("name".to_owned(), train.len())]);
        assert_eq!(found.rows.iter().sum::<f64>(), train.len() as f64);
        (0..160).for_each(|row| new.columns[0].set(row, Some(&format!("Bob{row} Ray"))));
        assert_eq!(known.within(&new).columns[0].1, 0);
    }
}
