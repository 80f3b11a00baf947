//! Whether the first line of delimited text has the names of the columns (where it differs in kind from the lines
//! below it), and what these names are.

use std::collections::HashSet;

use super::super::csv::Record;

/// The cells of a record.
pub(super) type Cells = Vec<Option<String>>;

/// What a cell looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Number,
    /// A date or a time.
    Date,
    Text,
}

/// Spellings of "missing", which say nothing of what a column is.
const MISSING: [&str; 8] = ["na", "nan", "null", "none", "n/a", "-", "?", "\\n"];
/// Of so many cells of a column at least one part of ten may be something else.
const MIN_SHARE_OF_KIND: f64 = 0.9;
const YEARS: std::ops::Range<i64> = 1900..2100;
/// So many numbers that count on are no values.
const MIN_COUNTED_NAMES: usize = 6;

/// Whether `first` has names and not values like those of the records below.
pub(super) fn has_names(first: &[Option<String>], below: &[&[Option<String>]]) -> bool {
    let shift = usual_shift(first.len(), below);
    let counted = is_counted(first, below, shift);
    let (mut names, mut values) = (0usize, 0usize);
    for (i, cell) in first.iter().enumerate() {
        let Some(text) = cell.as_deref().map(str::trim).filter(|text| !is_missing(text)) else { continue };
        let column: Vec<&str> =
            below.iter().filter_map(|line| line.get(i + shift)?.as_deref()).map(str::trim).collect();
        match (look(text), usual_look(&column)) {
            (Look::Number, _) if counted => names += 1,
            (own, Some(usual)) if own != usual => names += 1,
            (Look::Text, Some(Look::Text)) if !column.contains(&text) => {}
            (Look::Text, None) => {}
            // Without rows below nothing is known: numbers are rarely names.
            _ => values += 1,
        }
    }
    match names + values {
        0 => true,
        _ if names > 0 => names >= values,
        // Texts that come again below are values where most are such.
        _ => first.iter().flatten().all(|text| look(text) == Look::Text) && 2 * values < first.len(),
    }
}

/// R leaves out the name of its first column, which has the names of the rows.
pub(super) fn usual_shift(width: usize, below: &[&[Option<String>]]) -> usize {
    let longer = below.iter().filter(|line| line.len() == width + 1).count();
    let has_last = |line: &&&[Option<String>]| line.len() == width + 1 && line[width].is_some();
    usize::from(width > 1 && 2 * longer > below.len() && below.iter().any(|line| has_last(&line)))
}

/// Whether the numbers of the first line are names that count on by one: 0, 1, 2 of pandas, years, months. A line of
/// values may look like that, too, so that more must tell names from values.
fn is_counted(first: &[Option<String>], below: &[&[Option<String>]], shift: usize) -> bool {
    let places: Vec<usize> = (0..first.len()).filter(|&i| whole(&first[i]).is_some()).collect();
    let shifted: Vec<usize> = places.iter().map(|i| i + shift).collect();
    let Some(start) = places.first().and_then(|&i| whole(&first[i])) else { return false };
    let year = YEARS.contains(&start);
    let likely = places.len() >= 3 || places.len() == 2 && (start == 0 || year);
    let alike = below.iter().filter(|line| counts_on(line, &shifted)).count();
    let column = |i: usize| -> Vec<&str> {
        below.iter().filter_map(|line| line.get(i + shift)?.as_deref()).map(str::trim).collect()
    };
    // All others are texts that do not come again.
    let others: Vec<usize> = (0..first.len()).filter(|i| !places.contains(i)).collect();
    let is_value = |&i: &usize| {
        let text = first[i].as_deref().map(str::trim).filter(|text| !text.is_empty());
        text.is_some_and(|text| look(text) != Look::Text || column(i).contains(&text))
    };
    if !likely || below.is_empty() || !counts_on(first, &places) || 10 * alike > below.len() {
        return false;
    }
    if others.iter().any(is_value) {
        return false;
    }
    let whole_below = |text: &&str| text.parse::<i64>().is_ok();
    let of_another_kind = |&i: &usize| {
        let column = column(i);
        2 * column.iter().filter(|text| whole_below(text)).count() < column.len()
    };
    let numbers_below =
        |&i: &usize| first[i].is_some() && matches!(usual_look(&column(i)), Some(Look::Number | Look::Date));
    let years_below = |i: usize| {
        let column = column(i);
        2 * column.iter().filter(|text| text.parse().is_ok_and(|n| YEARS.contains(&n))).count() > column.len()
    };
    shift > 0
        || first[0].is_none()
        || places.len() >= MIN_COUNTED_NAMES
        || year && !years_below(places[0])
        || places.iter().any(of_another_kind)
        || others.iter().any(numbers_below)
}

fn whole(cell: &Option<String>) -> Option<i64> {
    cell.as_deref()?.trim().parse().ok()
}

/// Whether the cells at these places are whole numbers, each one more than the one before.
fn counts_on(line: &[Option<String>], places: &[usize]) -> bool {
    let numbers: Vec<i64> = places.iter().filter_map(|&i| line.get(i).and_then(whole)).collect();
    numbers.len() == places.len() && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

/// What nearly all cells of a column look like.
fn usual_look(column: &[&str]) -> Option<Look> {
    let looks: Vec<Look> =
        column.iter().filter(|text| !is_missing(text.trim())).map(|text| look(text)).collect();
    let share =
        |wanted: Look| looks.iter().filter(|look| **look == wanted).count() as f64 / looks.len() as f64;
    if looks.is_empty() {
        return None;
    }
    let plain = [Look::Number, Look::Date].into_iter().find(|&look| share(look) >= MIN_SHARE_OF_KIND);
    plain.or((share(Look::Text) > 0.0).then_some(Look::Text))
}

fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.contains(&text.to_lowercase().as_str())
}

/// Whether a text is a number or looks like a date.
pub(super) fn is_number_or_date(text: &str) -> bool {
    matches!(look(text), Look::Number | Look::Date)
}

fn look(text: &str) -> Look {
    let text = text.trim();
    let digits = text.chars().any(|c| c.is_ascii_digit());
    if is_number(text) {
        Look::Number
    } else if digits && text.chars().all(|c| c.is_ascii_digit() || "-./: TZ+".contains(c)) {
        Look::Date
    } else {
        Look::Text
    }
}

/// A number in any of the usual spellings, with a currency or a percent sign.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['+', '-', '$', '€', '£', '¥', '₽', ' ']);
    let text = text.trim_end_matches(['%', '€', '$', '£', '₽', ' ', '\u{a0}']);
    let begins = text.trim_start_matches(['.', ',', '-']).starts_with(|c: char| c.is_ascii_digit());
    let plain = text.chars().all(|c| c.is_ascii_digit() || ".,' \u{a0}\u{202f}".contains(c));
    // 1.2.2020 is a date, and 1.234.567 a number.
    let dots = text.matches('.').count();
    let grouped = dots < 2 || text.split('.').skip(1).all(|group| group.len() == 3);
    begins && (plain && grouped || text.parse::<f64>().is_ok())
}

/// Names without the spaces around them; a column without a name is named by its place, and one whose name was there
/// before gets a number, of which a note tells. The names of rows have no name in files of R.
pub(super) fn names_in(cells: &Cells, row_names: bool) -> (Vec<String>, Vec<String>) {
    let (mut names, mut notes) = (Vec::with_capacity(cells.len() + 1), Vec::new());
    if row_names {
        names.push(place_name(1));
    }
    let mut seen: HashSet<String> = HashSet::new();
    for cell in cells {
        let mut name = match cell.as_deref().map(str::trim) {
            None | Some("") => place_name(names.len() + 1),
            Some(name) => name.to_owned(),
        };
        if seen.contains(&name) {
            let renamed = (2..).map(|n| format!("{name}_{n}")).find(|name| !seen.contains(name));
            let renamed = renamed.unwrap_or_default();
            notes.push(format!("there are several columns named `{name}`; one is called `{renamed}` here"));
            name = renamed;
        }
        seen.insert(name.clone());
        names.push(name);
    }
    (names, notes)
}

/// The names in a header, as they are called here.
pub(super) fn names_of(record: &Record) -> Vec<String> {
    names_in(&owned(record), false).0
}

/// Names of columns that have none: by their place.
pub(super) fn numbered(width: usize) -> Vec<String> {
    (1..=width).map(place_name).collect()
}

/// The name of a column that has none; `place` counts from 1.
pub(super) fn place_name(place: usize) -> String {
    format!("column_{place}")
}

/// The cells of a record, in memory of their own.
pub(super) fn owned(record: &Record) -> Cells {
    record.cells().map(|cell| cell.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> bool {
        let cell = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let lines: Vec<Vec<Option<String>>> =
            lines.iter().map(|line| line.split(';').map(cell).collect()).collect();
        let below: Vec<&[Option<String>]> = lines[1..].iter().map(Vec::as_slice).collect();
        has_names(&lines[0], &below)
    }

    #[test]
    fn a_first_line_of_another_kind_has_names() {
        assert!(found(&["country;2019;2020;2021", "C0;26;88;79", "C1;41;12;27"]));
        assert!(found(&[";0;1;2", "0;0.723;0.764;a", "1;0.217;0.617;b"]));
        assert!(found(&["0;1;2", "0.5;7;a", "0.25;8;b"]));
        assert!(found(&["id;name;0;1;2", "7;ann;5;9;4", "8;bob;6;7;1"]));
        assert!(found(&["0;1;2;3;4;5;6", "7;5;9;4;8;8;1", "8;6;7;1;0;0;1"]));
        assert!(found(&["2019;2020;2021", "26;88;79", "41;12;27"]));
        assert!(found(&["shop;2024-01;2024-02", "A;10;20", "B;5;6.5"]));
        assert!(found(&["shop;01.02.2024;02.02.2024", "A;10;20", "B;5;6"]));
        assert!(found(&["id;7", "1;2", "4;5"]));
        assert!(found(&["a;b", "1;x", "2;y"]));
        assert!(found(&["price;made", "€ 1.234,50;2024-01-05", "€ 7,00;2024-02-01"]));
        // R: the column of the names of rows has no name.
        assert!(found(&["x;y", "1;0.5;a", "2;0.7;b"]));
    }

    #[test]
    fn a_first_line_like_the_others_has_values() {
        assert!(!found(&["1;2;3", "4;5;6", "7;8;9"]));
        assert!(!found(&["1;2;3", "2;3;4", "3;4;5"]));
        assert!(!found(&["NA;2;x", "4;5;x", "7;8;y"]));
        assert!(!found(&["5.1;3.5;setosa", "4.9;3.0;setosa", "7.0;3.2;virginica"]));
        assert!(!found(&["2024-01-01;a", "2024-01-02;b"]));
        assert!(!found(&["<0.1;5;6", "0.2;6;7", "0.4;7;8"]));
        assert!(!found(&["1"]));
        assert!(!found(&["0;1;blue", "1;1;red", "2;1;red", "3;0;blue"]));
        assert!(!found(&["0;1;1.08", "1;0;-0.86", "0;1;-0.23"]));
        assert!(!found(&["0;1;2", "1;5;3", "4;4;4"]));
        assert!(!found(&["a;0;1;2", "b;1;1;9", "a;2;6;5"]));
        assert!(!found(&["0;1", "1;1", "1;0"]));
        assert!(!found(&["2001;2002;x", "2005;2001;x", "2009;2003;y"]));
    }

    #[test]
    fn numbers_have_many_spellings() {
        for text in ["1", "-1.5", "1,5", "$1,234.50", "12 %", "1 234,5", "1e-5", ".5", "1.234.567", "7€"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "a", "1.2.2020", "2020-01-01", "12:30", "1a", "-"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
