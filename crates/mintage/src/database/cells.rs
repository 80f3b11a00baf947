//! Cells as numbers: values and dates to compare and to put in order, and the parts of a histogram.

use std::collections::BTreeMap;

use mintage_data::Column;
use serde::{Deserialize, Serialize};

/// A number, or a date as days: years, months and days in this order, and a time.
pub(super) fn number(text: &str) -> Option<f64> {
    if let Ok(number) = text.trim().parse::<f64>() {
        return Some(number).filter(|number| number.is_finite());
    }
    if let Some(number) = grouped(text.trim()) {
        return Some(number);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let parts: Vec<f64> =
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    let days = |year: f64, month: f64, day: f64, time: &[f64]| {
        let at = |i: usize| time.get(i).copied().unwrap_or(0.0);
        year * 365.25 + month * 30.44 + day + (at(0) + at(1) / 60.0 + at(2) / 3600.0) / 24.0
    };
    match parts[..] {
        // 22.05.2021, and 05/22/2021 where the first can be no day.
        [day, month, year, ref time @ ..] if year > 31.0 && day <= 31.0 && month <= 12.0 => {
            Some(days(year, month, day, time))
        }
        [month, day, year, ref time @ ..] if year > 31.0 && month <= 12.0 && day <= 31.0 => {
            Some(days(year, month, day, time))
        }
        [year, month, day, ref time @ ..] if year > 31.0 => Some(days(year, month, day, time)),
        [hours, minutes, ref rest @ ..] => {
            Some(hours * 60.0 + minutes + rest.first().copied().unwrap_or(0.0) / 60.0)
        }
        _ => None,
    }
}

/// A number with separators: "1.234,56", "8,942.77", "3,5". With one sign alone it is the decimal one, unless groups of three
/// follow it more than once.
fn grouped(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || c == ',' || c == '.' || c == '-';
    if !text.contains(',') || !text.chars().all(is_plain) {
        return None;
    }
    let (comma, point) = (text.rfind(',')?, text.rfind('.'));
    let decimal = match point {
        Some(point) if point > comma => '.',
        None if text.matches(',').count() > 1 => '.',
        _ => ',',
    };
    let plain: String = text
        .chars()
        .filter(|c| *c == decimal || !",.".contains(*c))
        .map(|c| if c == decimal { '.' } else { c })
        .collect();
    plain.parse().ok().filter(|number: &f64| number.is_finite())
}

/// What stands for the cell of each row: what `of` says of its text, which is asked once a distinct text, or `missing`.
pub(super) fn by_text<T: Copy>(column: &Column, of: impl Fn(&str) -> T, missing: T) -> Vec<T> {
    let values: Vec<T> = column.values().iter().map(of).collect();
    column.numbers().iter().map(|&number| values.get(number as usize).copied().unwrap_or(missing)).collect()
}

/// How the cells of a column become few numbers: 0 where a cell is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Code {
    /// The lower ends of parts of equal numbers of rows.
    Bins(Vec<f64>),
    /// The values, numbered from 1 by how many rows have them, and how many they are.
    Values(BTreeMap<String, u32>),
}

impl Code {
    /// Of numbers and dates `bins` parts; of all else, and of few different numbers, each value.
    pub fn of(column: &Column, bins: usize) -> Self {
        let distinct = column.values().len();
        let mut values: Vec<f64> = column.iter().flatten().map_while(number).collect();
        if values.len() + column.missing() < column.len() || distinct <= 2 * bins {
            let mut values: Vec<(u32, &str)> =
                column.counts().into_iter().zip(column.values().iter()).collect();
            values.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
            let numbered =
                values.iter().enumerate().map(|(at, (_, text))| ((*text).to_owned(), at as u32 + 1));
            return Self::Values(numbered.collect());
        }
        values.sort_by(f64::total_cmp);
        Self::Bins((0..bins).map(|bin| values[bin * values.len() / bins]).collect())
    }

    /// The number of a cell; 0 also for a value that was not there.
    pub fn of_cell(&self, cell: Option<&str>) -> u32 {
        match (self, cell) {
            (_, None) => 0,
            (Self::Values(values), Some(cell)) => values.get(cell).copied().unwrap_or(0),
            (Self::Bins(ends), Some(cell)) => {
                number(cell).map_or(0, |value| ends.partition_point(|&end| end <= value).max(1) as u32)
            }
        }
    }

    /// The numbers of the cells of all rows of a column.
    pub fn of_column(&self, column: &Column) -> Vec<u32> {
        by_text(column, |text| self.of_cell(Some(text)), self.of_cell(None))
    }

    /// Whether every value has a number of its own range, as after reading it from a file.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Bins(ends) => !ends.is_empty(),
            Self::Values(values) => {
                values.values().all(|&number| (1..=values.len() as u32).contains(&number))
            }
        }
    }

    /// How many numbers there are, with 0.
    pub fn parts(&self) -> usize {
        1 + match self {
            Self::Bins(ends) => ends.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// A number out of at most `parts`: neighbouring bins together, rare values together.
    pub fn coarse(&self, number: u32, parts: usize) -> usize {
        let number = number as usize;
        match self {
            Self::Bins(ends) if number > 0 && ends.len() + 1 > parts => {
                1 + (number - 1) * (parts - 1) / ends.len()
            }
            Self::Bins(_) | Self::Values(_) => number.min(parts - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_in_order() {
        let days = ["2023-12-31", "2024-01-01", "2024-01-01 06:00:00", "2024-02-01"]
            .map(|text| number(text).unwrap_or(f64::NAN));
        assert!(days.windows(2).all(|pair| pair[0] < pair[1]), "{days:?}");
        let german = ["31.12.2020", "01.01.2021", "02.01.2021 08:00", "01.02.2021"]
            .map(|text| number(text).unwrap_or(f64::NAN));
        assert!(german.windows(2).all(|pair| pair[0] < pair[1]), "{german:?}");
        let numbers = ["1.234,56", "8,942.77", "3,5", "1,234,567"].map(number);
        assert_eq!(numbers, [Some(1234.56), Some(8942.77), Some(3.5), Some(1_234_567.0)]);
        assert_eq!((number("-1.5"), number("inf"), number("R-1-2")), (Some(-1.5), None, None));
    }

    #[test]
    fn few_numbers_are_values_and_many_are_bins() {
        let texts: Vec<String> = (0..100).map(|x| x.to_string()).collect();
        let column = Column::of("x", texts.iter().map(|text| Some(text.as_str())).chain([None]));
        let code = Code::of(&column, 4);
        assert_eq!((code.parts(), code.of_cell(None), code.of_cell(Some("-5"))), (5, 0, 1));
        assert_eq!((code.of_cell(Some("25")), code.of_cell(Some("1e9"))), (2, 4));
        assert_eq!((1..=4).map(|at| code.coarse(at, 3)).collect::<Vec<_>>(), [1, 1, 2, 2]);
        let column = Column::of("x", [Some("b"), Some("a"), Some("b")]);
        let code = Code::of(&column, 4);
        assert_eq!(["b", "a", "c"].map(|cell| code.of_cell(Some(cell))), [1, 2, 0]);
    }

    #[test]
    fn rows_have_what_their_texts_have() {
        let mut column = Column::of("x", [Some("2"), None, Some("?"), Some("2"), Some("5")]);
        column.set(4, None);
        assert_eq!(by_text(&column, number, None), [Some(2.0), None, None, Some(2.0), None]);
        let code = Code::of(&column, 4);
        let cells: Vec<u32> = column.iter().map(|cell| code.of_cell(cell)).collect();
        assert_eq!(code.of_column(&column), cells);
    }
}
