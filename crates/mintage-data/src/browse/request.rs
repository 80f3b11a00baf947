//! What is asked of a page: a table, a part of its rows, their order, and what the rows are to meet.

use super::cell::{BrowseColumn, BrowseType, begins_date, number_of};
use crate::{Error, error::suggestion};

/// Rows of a page, at most.
pub const MAX_PAGE_ROWS: usize = 500;
/// Cells of a page, at most: of a table of very many columns a page has fewer rows.
pub(super) const MAX_PAGE_CELLS: usize = 200_000;
/// Rows before a page, at most: a number that databases take as one.
const MAX_OFFSET: u64 = 1 << 53;
/// Conditions of one page.
const MAX_FILTERS: usize = 20;

/// A page of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Of a database; without it, its first table. A file and a folder have one table without a name.
    pub table: Option<String>,
    /// Rows before the page.
    pub offset: u64,
    /// Rows of the page; [`MAX_PAGE_ROWS`] are the most.
    pub limit: usize,
    /// The column to sort by, after `-` from the largest value to the smallest. Missing values come last.
    pub sort: Option<String>,
    /// What every row meets: `COLUMN=VALUE`, `COLUMN=a..b` (numbers and dates, both ends included, either may be left
    /// out), `COLUMN=` (no value).
    pub filters: Vec<String>,
}

/// A request that names columns of a table which are there.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub offset: u64,
    pub limit: usize,
    pub sort: Option<Sort>,
    pub filters: Vec<Filter>,
}

/// The order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    /// The number of the column.
    pub column: usize,
    pub descending: bool,
}

/// A condition on a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    /// The number of the column.
    pub column: usize,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Missing,
    Equals(String),
    IsTrue(bool),
    /// Numbers as texts, so that nothing is rounded.
    Numbers {
        from: Option<String>,
        to: Option<String>,
    },
    /// Beginnings of dates: "2024-05" is any day of that month.
    Dates {
        from: Option<String>,
        to: Option<String>,
    },
}

impl Ask {
    /// Checks a request against the columns of the table.
    ///
    /// # Errors
    /// A column is not there, a condition cannot be met by its column, or there are too many conditions.
    pub fn of(request: &PageRequest, place: &str, columns: &[BrowseColumn]) -> Result<Self, Error> {
        if request.filters.len() > MAX_FILTERS {
            let why = format!("{} conditions are over the limit of {MAX_FILTERS}", request.filters.len());
            return Err(Error::bad(place, why));
        }
        let most = (MAX_PAGE_CELLS / columns.len().max(1)).clamp(1, MAX_PAGE_ROWS);
        let sort = request.sort.as_deref().map(|text| Sort::of(text, place, columns)).transpose()?;
        let filters = request.filters.iter().map(|text| Filter::of(text, place, columns));
        Ok(Self {
            offset: request.offset.min(MAX_OFFSET),
            limit: request.limit.min(most),
            sort,
            filters: filters.collect::<Result<_, _>>()?,
        })
    }
}

impl Sort {
    fn of(text: &str, place: &str, columns: &[BrowseColumn]) -> Result<Self, Error> {
        // A column may itself be called "-x".
        let exact = columns.iter().position(|column| column.name == text);
        let (column, descending) = match (exact, text.strip_prefix('-')) {
            (Some(column), _) => (column, false),
            (None, Some(name)) => (column_named(name, place, columns)?, true),
            (None, None) => (column_named(text, place, columns)?, false),
        };
        if columns[column].ty.is_media() {
            let why = format!("column `{}` holds files, which have no order", columns[column].name);
            return Err(Error::bad(place, why).with_hint("sort by a column of numbers or texts"));
        }
        Ok(Self { column, descending })
    }
}

impl Filter {
    fn of(text: &str, place: &str, columns: &[BrowseColumn]) -> Result<Self, Error> {
        let Some((first, _)) = text.split_once('=') else {
            return Err(Error::bad(place, format!("`{text}` is not a condition"))
                .with_hint("write COLUMN=VALUE, COLUMN=a..b or COLUMN="));
        };
        // A name may hold "=" itself: the longest one that is there is meant.
        let named = columns.iter().enumerate().filter_map(|(number, column)| {
            let value = text.strip_prefix(&column.name)?.strip_prefix('=')?;
            Some((column.name.len(), number, value))
        });
        let Some((_, column, value)) = named.max_by_key(|(length, ..)| *length) else {
            return Err(no_column(first, place, columns));
        };
        let test = Test::of(value, columns[column].ty);
        if columns[column].ty.is_media() && test != Test::Missing {
            let why =
                format!("column `{}` holds files, which have no values to compare", columns[column].name);
            return Err(Error::bad(place, why).with_hint("COLUMN= finds the rows without a file"));
        }
        Ok(Self { column, test })
    }
}

impl Test {
    fn of(value: &str, ty: BrowseType) -> Self {
        if value.is_empty() {
            return Self::Missing;
        }
        let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let range = |fits: &dyn Fn(&str) -> bool| {
            let (from, to) = value.split_once("..")?;
            let fits = |text: &str| text.is_empty() || fits(text);
            (value != ".." && fits(from) && fits(to)).then(|| (end(from), end(to)))
        };
        match ty {
            _ if ty.is_number() => match range(&|text| number_of(text).is_some()) {
                Some((from, to)) => Self::Numbers { from, to },
                None if number_of(value).is_some() => Self::Numbers { from: end(value), to: end(value) },
                None => Self::Equals(value.to_owned()),
            },
            BrowseType::Datetime => match range(&begins_date) {
                Some((from, to)) => Self::Dates { from, to },
                None => Self::Dates { from: end(value), to: end(value) },
            },
            BrowseType::Boolean => match value.to_lowercase().as_str() {
                "true" | "t" | "1" | "yes" => Self::IsTrue(true),
                "false" | "f" | "0" | "no" => Self::IsTrue(false),
                _ => Self::Equals(value.to_owned()),
            },
            _ => Self::Equals(value.to_owned()),
        }
    }
}

/// The number of the column of a name.
///
/// # Errors
/// There is none; the hint says the nearest name.
pub(super) fn column_named(name: &str, place: &str, columns: &[BrowseColumn]) -> Result<usize, Error> {
    columns.iter().position(|column| column.name == name).ok_or_else(|| no_column(name, place, columns))
}

fn no_column(name: &str, place: &str, columns: &[BrowseColumn]) -> Error {
    const MAX_NAMES: usize = 30;
    let names = || columns.iter().map(|column| column.name.as_str());
    let hint = suggestion(name, names()).unwrap_or_else(|| {
        let more = if columns.len() > MAX_NAMES { ", …" } else { "" };
        format!("the columns are {}{more}", names().take(MAX_NAMES).collect::<Vec<_>>().join(", "))
    });
    Error::bad(place, format!("has no column `{name}`")).with_hint(hint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn columns() -> Vec<BrowseColumn> {
        use BrowseType::*;
        [
            ("n", Number),
            ("a", Text),
            ("a=b", Text),
            ("-n", Text),
            ("day", Datetime),
            ("ok", Boolean),
            ("photo", Image),
        ]
        .map(|(name, ty)| BrowseColumn { name: name.to_owned(), ty })
        .to_vec()
    }

    fn test(filter: &str) -> Test {
        Filter::of(filter, "t", &columns()).unwrap().test
    }

    #[test]
    fn conditions_follow_the_type_of_their_column() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(test("n=1..2.5"), Test::Numbers { from: some("1"), to: some("2.5") });
        assert_eq!(test("n=..-3"), Test::Numbers { from: None, to: some("-3") });
        assert_eq!(test("n=7"), Test::Numbers { from: some("7"), to: some("7") });
        assert_eq!(test("n=x..y"), Test::Equals("x..y".to_owned()));
        assert_eq!(test("a=1..2"), Test::Equals("1..2".to_owned()));
        assert_eq!(test("a="), Test::Missing);
        assert_eq!(
            test("day=2024-05..2024-06-02"),
            Test::Dates { from: some("2024-05"), to: some("2024-06-02") }
        );
        assert_eq!(test("day=2024"), Test::Dates { from: some("2024"), to: some("2024") });
        assert_eq!(test("ok=TRUE"), Test::IsTrue(true));
        assert_eq!(
            Filter::of("a=b=c", "t", &columns()).unwrap(),
            Filter { column: 2, test: Test::Equals("c".to_owned()) }
        );
        assert_eq!(Filter::of("a=c=b", "t", &columns()).unwrap().column, 1);
    }

    #[test]
    fn rejects_what_no_column_can_meet() {
        for (filter, why) in [
            ("n", "is not a condition"),
            ("m=1", "has no column `m`"),
            ("n\" OR 1=1 --=1", "has no column"),
            ("photo=x", "holds files"),
        ] {
            let error = Filter::of(filter, "t", &columns()).unwrap_err();
            assert!(error.to_string().contains(why) && error.hint().is_some(), "{error}");
        }
        assert_eq!(test("photo="), Test::Missing);
        let sort = |text: &str| Sort::of(text, "t", &columns());
        assert_eq!(sort("-day").unwrap(), Sort { column: 4, descending: true });
        assert_eq!(sort("-n").unwrap(), Sort { column: 3, descending: false });
        assert!(sort("photo").is_err() && sort("n DESC").is_err() && sort("--n").unwrap().descending);
        let many = PageRequest { filters: vec!["n=1".to_owned(); 21], ..PageRequest::default() };
        assert!(Ask::of(&many, "t", &columns()).unwrap_err().to_string().contains("over the limit of 20"));
        let page = PageRequest { limit: usize::MAX, ..PageRequest::default() };
        assert_eq!(Ask::of(&page, "t", &columns()).unwrap().limit, MAX_PAGE_ROWS);
    }
}
