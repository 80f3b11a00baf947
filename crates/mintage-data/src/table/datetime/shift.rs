//! Date shifting: each date of a column becomes another one, written as it was.

use super::{DAY, dated, detect, exact, format, has_zones, parse, zone};
use crate::table::Column;

/// The column with each date moved by as many days as `days` says of it, a number of days since the first of January 1970, and
/// how many rows have a text in which no date is found, and which stays.
///
/// Dates follow the pattern of the column, or one of their own where they do not.
pub fn shift_dates(column: &Column, days: &dyn Fn(i64) -> i64) -> (Column, usize) {
    let texts: Vec<&str> = column.values().iter().collect();
    let common = detect(texts.iter().copied()).map(|found| found.pattern);
    let moved: Vec<Option<String>> =
        texts.iter().map(|text| shifted(text, common.as_deref(), days)).collect();
    let mut new = Column::new(column.name.clone(), column.declaration.clone());
    let mut stay = 0;
    for (&number, cell) in column.numbers().iter().zip(column.iter()) {
        let text = moved.get(number as usize).and_then(|moved| moved.as_deref());
        stay += usize::from(text.is_none() && cell.is_some_and(|cell| !cell.trim().is_empty()));
        new.push(text.or(cell));
    }
    (new, stay)
}

fn shifted(text: &str, common: Option<&str>, days: &dyn Fn(i64) -> i64) -> Option<String> {
    let pattern = match common.filter(|common| exact(text, common)) {
        Some(common) => common.to_owned(),
        None => detect(std::iter::once(text))?.pattern,
    };
    if !dated(&pattern) {
        return None;
    }
    let micros = parse(text, &pattern)?;
    let by = days(micros.div_euclid(DAY)).checked_mul(DAY)?;
    let own_zone = if has_zones(&pattern) { zone(text) } else { "" };
    Some(format(micros.checked_add(by)?, &pattern) + own_zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(cells: &[Option<&str>]) -> (Vec<Option<String>>, usize) {
        let (column, stay) = shift_dates(&Column::of("born", cells.iter().copied()), &|_| 2);
        (column.iter().map(|cell| cell.map(str::to_owned)).collect(), stay)
    }

    #[test]
    fn dates_are_moved_and_written_as_they_were() {
        let cells = ["31.12.1984", "27.02.2000", "", "n/a", "1969-12-31"].map(Some);
        let expected =
            ["02.01.1985", "29.02.2000", "", "n/a", "1970-01-02"].map(|text| Some(text.to_owned()));
        assert_eq!(moved(&[&cells[..], &[None]].concat()), ([&expected[..], &[None]].concat(), 1));
        let (times, stay) = moved(&[Some("1984-05-30T23:10:00+02:00"), Some("1984-05-31T01:00:00Z")]);
        assert_eq!(times[0].as_deref(), Some("1984-06-01T23:10:00+02:00"));
        assert_eq!((times[1].as_deref(), stay), (Some("1984-06-02T01:00:00Z"), 0));
    }

    #[test]
    fn the_same_day_is_moved_alike_in_every_form() {
        let days = |day: i64| day % 7 + 1;
        let of =
            |text: &str| shift_dates(&Column::of("born", [Some(text)]), &days).0.cell(0).map(str::to_owned);
        assert_eq!(of("30.08.1984").as_deref(), Some("31.08.1984"));
        assert_eq!(of("1984-08-30").as_deref(), Some("1984-08-31"));
        assert_eq!(of("30 August 1984").as_deref(), Some("31 August 1984"));
    }
}
