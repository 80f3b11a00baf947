//! What the tests of tables share: sources by name, tables by hand, writing with defaults.

#![allow(dead_code)] // Not every test needs all of it.

use mintage_data::{
    Column, Declaration, Error, Provenance, SourceSpec, Table, Type,
    table::{self, FileFormat, IfExists, PgDefaults, Writing, Written, schema::IdFormat},
};

/// A source, of which also what was made is read: tests read again what they wrote.
pub fn spec(source: impl ToString) -> SourceSpec {
    SourceSpec { source: source.to_string(), allow_made: true, ..SourceSpec::default() }
}

pub fn provenance() -> Provenance {
    Provenance {
        model: "runs/пример".into(),
        weights: "3f9c2a7b".into(),
        family: "ar".into(),
        seed: 7,
        options: serde_json::json!({"n": 3}),
        version: "0".into(),
    }
}

/// Writes with the identifiers in the columns `ids`.
pub fn write(
    table: &Table,
    target: &str,
    name: Option<&str>,
    if_exists: IfExists,
    ids: &[(usize, IdFormat)],
) -> Result<Written, Error> {
    let (provenance, pg) = (provenance(), PgDefaults::default());
    let file = FileFormat::default();
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state
    };
    let how = Writing {
        refused: None,
        target,
        table: name,
        if_exists,
        provenance: Some(&provenance),
        ids,
        schema: None,
        file: &file,
        random: &mut random,
        pg: &pg,
    };
    table::write(table, how)
}

pub fn column(name: &str, ty: Type, cells: &[Option<&str>]) -> Column {
    let mut column = Column::new(name, Declaration { ty, ..Declaration::default() });
    cells.iter().for_each(|cell| column.push(*cell));
    column
}

/// Plain numbers.
pub fn counter(next: i64) -> IdFormat {
    IdFormat::Counter { prefix: String::new(), width: 0, next, gaps: Vec::new() }
}

/// Cells of every kind, with what is hard to write.
pub fn people() -> Table {
    let mut id = column("id", Type::Integer, &[Some("1"), Some("2"), Some("3")]);
    id.declaration.primary_key = true;
    id.declaration.not_null = true;
    let columns = vec![
        id,
        column(
            "имя, фамилия",
            Type::Text,
            &[Some("Анна \"К.\""), Some("a,b;c\td\\N\\"), Some("two\nlines\r")],
        ),
        column("height", Type::Real, &[Some("1.75"), None, Some("0.1")]),
        column("member", Type::Boolean, &[Some("true"), Some("false"), None]),
        column("born", Type::Date, &[Some("1970-01-01"), Some("2024-02-29"), None]),
        column(
            "seen",
            Type::Timestamp,
            &[Some("2024-02-29 23:59:59.123"), None, Some("1969-12-31 00:00:00")],
        ),
    ];
    Table { name: "people".into(), columns, ..Table::default() }
}

/// The rows as lists of cells.
pub fn rows(table: &Table) -> Vec<Vec<Option<&str>>> {
    (0..table.rows()).map(|row| table.columns.iter().map(|column| column.cell(row)).collect()).collect()
}

/// The message and the hint of the error that must come.
pub fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    format!("{error} | {}", error.hint().unwrap_or_default())
}
