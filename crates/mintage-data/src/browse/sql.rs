//! The queries of a page, in the SQL of both kinds of databases. Names are quoted identifiers of columns that are there;
//! what a user compares with is bound, never written into the text of a query.

use std::{ops::Range, time::Duration};

use super::{
    cell::{BrowseColumn, BrowseType, ItemId, MAX_CELL_CHARS, MAX_HEAD_BYTES},
    histogram::MAX_VALUE_CHARS,
    request::{Ask, Filter, Test},
};

/// How long a request may take.
pub(super) const MAX_QUERY_TIME: Duration = Duration::from_secs(20);
/// Rows by which the types of columns are told.
pub(super) const SAMPLE_ROWS: usize = 50;
/// Columns of one query, at most: both kinds of databases bound how many expressions a row may have.
pub(super) const MAX_QUERY_COLUMNS: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// A column in SQL.
#[derive(Clone, Debug)]
pub(super) struct SqlColumn {
    pub name: String,
    pub ty: BrowseType,
    /// Its quoted name.
    pub sql: String,
    /// The expression by which it is sorted.
    pub sort: String,
    /// PostgreSQL: whether it is of bytes.
    pub is_bytes: bool,
    /// SQLite: whether its values are compared as they are stored, since it was declared without a type.
    pub is_untyped: bool,
}

/// A table in SQL.
#[derive(Clone, Debug)]
pub(super) struct TableSql {
    pub dialect: Dialect,
    pub from: String,
    /// The expression of the number of a row, where rows have one of their own.
    pub number: Option<String>,
    /// The expressions that order the rows always in the same way, where there are such.
    pub order: Vec<String>,
    pub columns: Vec<SqlColumn>,
    /// Whether the database can sample the rows of the table itself.
    pub can_sample: bool,
}

/// How much of a value is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub chars: usize,
    pub bytes: usize,
}

impl Heads {
    /// What a page shows, and whether there is more.
    pub const PAGE: Self = Self { chars: MAX_CELL_CHARS + 1, bytes: MAX_HEAD_BYTES };
    /// What a histogram counts.
    pub const HISTOGRAM: Self = Self { chars: MAX_VALUE_CHARS + 1, bytes: 16 };
}

/// A query and the values that it binds, in their order.
#[derive(Debug)]
pub(super) struct Query {
    pub sql: String,
    pub values: Vec<Value>,
}

/// A value that a query binds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// A number as it was written.
    Number(String),
}

/// How many rows are read for histograms, and how they are chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub total: u64,
    pub most: u64,
}

impl TableSql {
    pub fn shown(&self) -> Vec<BrowseColumn> {
        self.columns.iter().map(|column| BrowseColumn { name: column.name.clone(), ty: column.ty }).collect()
    }

    /// The same table with the columns that hold no files.
    #[must_use]
    pub fn without_media(mut self) -> Self {
        self.columns.retain(|column| !column.ty.is_media());
        self
    }

    /// The columns in groups that one query can read.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let n = self.columns.len();
        (0..n).step_by(MAX_QUERY_COLUMNS).map(move |first| first..n.min(first + MAX_QUERY_COLUMNS))
    }

    /// How many rows meet the conditions.
    pub fn count(&self, filters: &[Filter]) -> Query {
        let mut values = Vec::new();
        let conditions = self.conditions(filters, &mut values);
        Query { sql: format!("SELECT count(*) FROM {}{conditions}", self.from), values }
    }

    /// The rows of a page: the number of each, or nothing where it is that of its place, then for each column its value
    /// and its length.
    pub fn page(&self, ask: &Ask, columns: Range<usize>, heads: Heads) -> Query {
        let mut values = Vec::new();
        let conditions = self.conditions(&ask.filters, &mut values);
        let is_plain = ask.sort.is_none() && ask.filters.is_empty();
        let (number, from, natural) = match &self.number {
            Some(number) => (number.clone(), self.from.clone(), self.order.clone()),
            None if is_plain => ("NULL".to_owned(), self.from.clone(), self.order.clone()),
            None => {
                let place = self.free_name();
                let numbered = format!("row_number() OVER ({}) - 1 AS {place}", ordered_by(&self.order));
                (place.clone(), format!("(SELECT *, {numbered} FROM {}) AS items", self.from), vec![place])
            }
        };
        let mut order = Vec::new();
        if let Some(sort) = ask.sort {
            let SqlColumn { sql, sort: by, .. } = &self.columns[sort.column];
            let direction = if sort.descending { " DESC" } else { "" };
            order.extend([format!("{sql} IS NULL"), format!("{by}{direction}")]);
        }
        order.extend(natural);
        let list = self.list(columns, heads);
        let sql = format!(
            "SELECT CAST({number} AS BIGINT){list} FROM {from}{conditions} {} LIMIT {} OFFSET {}",
            ordered_by(&order),
            ask.limit,
            ask.offset
        );
        Query { sql, values }
    }

    /// One value: how many bytes it has, and the bytes unless there are more than `most`; no row where there is no such
    /// item.
    pub fn item(&self, item: ItemId, column: usize, most: u64) -> Query {
        let SqlColumn { sql: c, is_bytes, .. } = &self.columns[column];
        let (length, value) = match self.dialect {
            Dialect::Sqlite => (
                format!("length(CAST({c} AS BLOB))"),
                format!("CASE typeof({c}) WHEN 'blob' THEN {c} ELSE CAST({c} AS TEXT) END"),
            ),
            Dialect::Postgres if *is_bytes => (format!("octet_length({c}::bytea)"), format!("{c}::bytea")),
            Dialect::Postgres => {
                (format!("octet_length({c}::text)"), format!("convert_to({c}::text, 'UTF8')"))
            }
        };
        let which = match &self.number {
            Some(number) => format!(" WHERE {number} = {}", item.0),
            None => format!(" {} LIMIT 1 OFFSET {}", ordered_by(&self.order), item.0.max(0)),
        };
        let value = format!("CASE WHEN {length} <= {most} THEN {value} END");
        let sql = format!("SELECT CAST({length} AS BIGINT), {value} FROM {}{which}", self.from);
        Query { sql, values: Vec::new() }
    }

    /// Rows that are spread over the table, where it can be said which, or else the first ones.
    pub fn sample(&self, sample: Sample, columns: Range<usize>, heads: Heads) -> Query {
        let Sample { total, most } = sample;
        let list = self.list(columns, heads);
        let which = match (&self.number, self.dialect) {
            _ if total <= most => String::new(),
            (_, Dialect::Postgres) if self.can_sample => {
                let percent = 100.0 * most as f64 / total as f64;
                format!(" TABLESAMPLE BERNOULLI ({percent}) REPEATABLE (1)")
            }
            (Some(number), _) => format!(
                " WHERE {number} IN (SELECT n FROM (SELECT {number} AS n, row_number() OVER (ORDER BY {number}) AS at \
                 FROM {}) AS numbered WHERE at % {} = 0)",
                self.from,
                total.div_ceil(most)
            ),
            (None, _) => String::new(),
        };
        let sql = format!("SELECT CAST(NULL AS BIGINT){list} FROM {}{which} LIMIT {most}", self.from);
        Query { sql, values: Vec::new() }
    }

    /// ", value, length" for each column.
    fn list(&self, columns: Range<usize>, Heads { chars, bytes }: Heads) -> String {
        let both = |SqlColumn { sql: c, is_bytes, .. }: &SqlColumn| match self.dialect {
            Dialect::Sqlite => format!(
                ", CASE typeof({c}) WHEN 'blob' THEN substr({c}, 1, {bytes}) WHEN 'text' THEN substr({c}, 1, {chars}) \
                 ELSE {c} END, CASE WHEN typeof({c}) IN ('blob', 'text') THEN length({c}) END"
            ),
            Dialect::Postgres if *is_bytes => format!(
                ", substring({c}::bytea FROM 1 FOR {bytes}), CAST(octet_length({c}::bytea) AS BIGINT)"
            ),
            Dialect::Postgres => {
                format!(", left({c}::text, {chars}), CAST(length({c}::text) AS BIGINT)")
            }
        };
        self.columns[columns].iter().map(both).collect()
    }

    /// " WHERE …", or nothing.
    fn conditions(&self, filters: &[Filter], values: &mut Vec<Value>) -> String {
        let all: Vec<String> = filters.iter().map(|filter| self.condition(filter, values)).collect();
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }

    fn condition(&self, Filter { column, test }: &Filter, values: &mut Vec<Value>) -> String {
        let SqlColumn { sql: c, is_bytes, is_untyped, .. } = &self.columns[*column];
        let dialect = self.dialect;
        let mut bind = |value: Value| {
            values.push(value);
            match dialect {
                Dialect::Sqlite => format!("?{}", values.len()),
                Dialect::Postgres => format!("${}::text", values.len()),
            }
        };
        match (test, dialect) {
            (Test::Missing, Dialect::Sqlite) => format!("({c} IS NULL OR length({c}) = 0)"),
            (Test::Missing, Dialect::Postgres) if *is_bytes => {
                format!("({c} IS NULL OR octet_length({c}::bytea) = 0)")
            }
            (Test::Missing, Dialect::Postgres) => format!("({c} IS NULL OR {c}::text = '')"),
            (Test::Equals(text), Dialect::Sqlite) => {
                let value = bind(Value::Text(text.clone()));
                if *is_untyped {
                    format!("({c} = {value} OR CAST({c} AS TEXT) = {value})")
                } else {
                    format!("{c} = {value}")
                }
            }
            (Test::Equals(text), Dialect::Postgres) => {
                format!("{c}::text = {}", bind(Value::Text(text.clone())))
            }
            (Test::IsTrue(is), Dialect::Sqlite) => {
                let values = if *is { "'true', '1'" } else { "'false', '0'" };
                format!("lower(CAST({c} AS TEXT)) IN ({values})")
            }
            (Test::IsTrue(is), Dialect::Postgres) => format!("{c}::text = '{is}'"),
            (Test::Numbers { from, to }, _) => {
                let mut compare = |sign: &str, end: &String| {
                    let value = bind(Value::Number(end.clone()));
                    match dialect {
                        Dialect::Sqlite => {
                            format!("typeof({c}) IN ('integer', 'real') AND {c} {sign} {value}")
                        }
                        Dialect::Postgres => format!("{c}::text::numeric {sign} {value}::numeric"),
                    }
                };
                ends(from.as_ref(), to.as_ref(), &mut compare)
            }
            (Test::Dates { from, to }, _) => {
                // The beginning of a date, as long as the end: a month has all of its days.
                let mut compare = |sign: &str, end: &String| {
                    let (value, chars) = (bind(Value::Text(end.clone())), end.chars().count());
                    match dialect {
                        Dialect::Sqlite => format!("substr({c}, 1, {chars}) {sign} {value}"),
                        Dialect::Postgres => format!("left({c}::text, {chars}) COLLATE \"C\" {sign} {value}"),
                    }
                };
                ends(from.as_ref(), to.as_ref(), &mut compare)
            }
        }
    }

    /// A name that no column of the table has.
    fn free_name(&self) -> String {
        let mut name = "mintage place".to_owned();
        while self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            name.push('_');
        }
        format!("\"{name}\"")
    }
}

fn ends(
    from: Option<&String>,
    to: Option<&String>,
    compare: &mut dyn FnMut(&str, &String) -> String,
) -> String {
    let from = from.map(|end| compare(">=", end));
    let to = to.map(|end| compare("<=", end));
    format!("({})", from.into_iter().chain(to).collect::<Vec<_>>().join(" AND "))
}

fn ordered_by(order: &[String]) -> String {
    if order.is_empty() { String::new() } else { format!("ORDER BY {}", order.join(", ")) }
}
