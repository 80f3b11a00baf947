//! The statements that a new SQLite database is made with. They are written here alone, and run elsewhere.

use crate::{
    database::{Column, ForeignKey, Generated, Origin, Schema, Store, Table},
    store::quoted,
};

/// What a statement makes, by the word behind CREATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Table,
    UniqueIndex,
    Index,
    Trigger,
}

impl Part {
    fn of(sql: &str) -> Option<Self> {
        let mut words = sql.split_whitespace().map(str::to_ascii_uppercase);
        if words.next()? != "CREATE" {
            return None;
        }
        match words.next()?.as_str() {
            "TABLE" => Some(Self::Table),
            "UNIQUE" => Some(Self::UniqueIndex),
            "INDEX" => Some(Self::Index),
            "TRIGGER" => Some(Self::Trigger),
            _ => None,
        }
    }
}

/// The statements that make one kind of things for a table.
pub(super) fn statements(schema: &Schema, table: &Table, part: Part) -> Vec<String> {
    let own = |part: Part| table.ddl.iter().filter(move |sql| Part::of(sql) == Some(part));
    let is_cloned = schema.store == Store::Sqlite && own(Part::Table).next().is_some();
    match (is_cloned, part) {
        // Such a trigger would fail with every row to come.
        (true, Part::Trigger) => own(part).filter(|sql| !speaks_of(sql, &schema.views)).cloned().collect(),
        (true, _) => own(part).cloned().collect(),
        (false, Part::Table) => vec![create_table(schema, table)],
        (false, _) => Vec::new(),
    }
}

/// Whether one of the names is a word of a statement.
fn speaks_of(sql: &str, names: &[String]) -> bool {
    sql.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| names.iter().any(|name| name.eq_ignore_ascii_case(word)))
}

/// The SQL that makes a table of another store, with its keys.
fn create_table(schema: &Schema, table: &Table) -> String {
    let column = |column: &Column| {
        // Files declare nothing: that no value was missing in them says nothing of other rows.
        let is_filled = schema.store != Store::Files && !column.nullable;
        let not_null = is_filled && column.generated != Some(Generated::Computed);
        let not_null = if not_null { " NOT NULL" } else { "" };
        format!("{} {}{not_null}", quoted(&column.name), type_name(&column.ty))
    };
    let mut parts: Vec<String> = table.columns.iter().map(column).collect();
    if !table.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", names_sql(&table.primary_key)));
    }
    parts.extend(table.unique.iter().map(|key| format!("UNIQUE ({})", names_sql(key))));
    for key in table.foreign_keys.iter().filter(|key| is_kept(key)) {
        // SQLite takes no other columns for those of a parent.
        if schema.table(&key.parent).is_some_and(|parent| tells_apart(parent, &key.parent_columns)) {
            parts.push(format!(
                "FOREIGN KEY ({}) REFERENCES {} ({}) DEFERRABLE INITIALLY DEFERRED",
                names_sql(&key.columns),
                quoted(&key.parent),
                names_sql(&key.parent_columns)
            ));
        }
    }
    format!("CREATE TABLE {} ({})", quoted(&table.name), parts.join(", "))
}

fn names_sql(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// Whether columns are a key of a table, in whatever order.
fn tells_apart(table: &Table, columns: &[String]) -> bool {
    let is_same = |key: &[String]| key.len() == columns.len() && columns.iter().all(|c| key.contains(c));
    is_same(&table.primary_key) || table.unique.iter().any(|key| is_same(key))
}

/// The type of SQLite for one of another store: named as its users know it, and TEXT where they know none.
fn type_name(native: &str) -> &'static str {
    let native = native.to_lowercase();
    match native.split([' ', '(']).next().unwrap_or_default() {
        // A list.
        _ if native.ends_with(']') => "TEXT",
        "smallint" | "integer" | "bigint" | "int" | "int2" | "int4" | "int8" => "INTEGER",
        "real" | "double" | "float" | "float4" | "float8" => "REAL",
        "numeric" | "decimal" => "NUMERIC",
        "boolean" | "bool" => "BOOLEAN",
        "date" => "DATE",
        "time" => "TIME",
        "timestamp" if native.ends_with("with time zone") => "TIMESTAMPTZ",
        "timestamp" => "TIMESTAMP",
        "uuid" => "UUID",
        "bytea" | "blob" => "BLOB",
        _ => "TEXT",
    }
}

/// Whether a new database keeps a key: one that was only found need not hold if it did not in the source.
pub(super) fn is_kept(key: &ForeignKey) -> bool {
    key.origin == Origin::Declared || key.orphans == Some(0)
}

/// The SQL that deletes the rows whose key is of no row of its parent. A row that leaves one of the columns open refers to
/// none.
pub(super) fn deletion(table: &str, key: &ForeignKey) -> String {
    let columns: Vec<String> = key.columns.iter().map(|name| format!("c.{}", quoted(name))).collect();
    let keys: Vec<String> = key.parent_columns.iter().map(|name| format!("p.{}", quoted(name))).collect();
    let there = |names: &[String]| {
        names.iter().map(|name| format!("{name} IS NOT NULL")).collect::<Vec<_>>().join(" AND ")
    };
    // Keys are compared by the type and the collation of the parent: the result of a function has none of its own.
    let values: Vec<String> = columns.iter().map(|column| format!("coalesce({column}, NULL)")).collect();
    format!(
        "DELETE FROM {} AS c WHERE {} AND ({}) NOT IN (SELECT {} FROM {} AS p WHERE {})",
        quoted(table),
        there(&columns),
        values.join(", "),
        keys.join(", "),
        quoted(&key.parent),
        there(&keys)
    )
}
