//! The statements that a new SQLite database is made with. They are written here alone, and run elsewhere.
//!
//! A database of SQLite is made again by its own statements; of any other, what the schema knows of it is.

use super::expression::for_sqlite;
use crate::{
    database::{Column, ForeignKey, Generated, Origin, Schema, Store, Table},
    store::quoted,
};

/// Characters of a statement that are shown.
const MAX_SHOWN_CHARS: usize = 60;

/// What a statement makes, by the word behind CREATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Table,
    UniqueIndex,
    Index,
    Trigger,
}

impl Part {
    pub fn of(sql: &str) -> Option<Self> {
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

/// The statements that make one kind of things for a table. What SQLite does not understand of another store, as `takes`
/// finds out with statements that make a table `t`, is left out and noted.
pub(super) fn statements(
    schema: &Schema,
    table: &Table,
    part: Part,
    takes: &dyn Fn(&[&str]) -> bool,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let own = |part: Part| table.ddl.iter().filter(move |sql| Part::of(sql) == Some(part));
    let is_cloned = schema.store == Store::Sqlite && own(Part::Table).next().is_some();
    match (is_cloned, part) {
        (true, Part::Trigger) => {
            // Such a trigger would fail with every row to come.
            let (left_out, kept): (Vec<&String>, Vec<&String>) =
                own(part).partition(|sql| speaks_of(sql, &schema.views));
            let note = |sql: &String| {
                format!("{}: `{}` is left out: it speaks of a view", table.name, beginning(sql))
            };
            notes.extend(left_out.into_iter().map(note));
            kept.into_iter().cloned().collect()
        }
        (true, _) => own(part).cloned().collect(),
        (false, Part::Table) => vec![NewTable { schema, table, takes }.sql(notes)],
        (false, Part::Index | Part::UniqueIndex) => {
            let new = NewTable { schema, table, takes };
            own(part).filter_map(|sql| new.index(sql, part, notes)).collect()
        }
        (false, Part::Trigger) => {
            if own(part).next().is_some() {
                notes.push(format!("{}: its triggers are left out", table.name));
            }
            Vec::new()
        }
    }
}

/// What a new database goes without though it can be read.
pub(super) fn views_left_out(schema: &Schema) -> Option<String> {
    let what = match schema.store {
        Store::Sqlite => "views and virtual tables",
        Store::Postgres | Store::Files => "views",
    };
    (!schema.views.is_empty()).then(|| format!("{what} are left out: {}", schema.views.join(", ")))
}

/// How a statement begins, in one line.
fn beginning(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_SHOWN_CHARS) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

/// The name and the columns of an index that is over nothing but columns, and over all rows.
pub(super) fn simple_index(sql: &str, table: &Table) -> Option<(String, Vec<String>)> {
    let (head, list) = sql.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    let name = index_name(head)?;
    let column = |item: &str| {
        let item = item.trim();
        let plain = item.strip_prefix('"').and_then(|item| item.strip_suffix('"'));
        let plain = plain.map_or_else(|| item.to_owned(), |item| item.replace("\"\"", "\""));
        let all = &table.columns;
        let found = all.iter().find(|column| column.name == plain);
        let found = found.or_else(|| all.iter().find(|column| column.name.eq_ignore_ascii_case(&plain)));
        found.map(|column| column.name.clone())
    };
    Some((name, list.split(',').map(column).collect::<Option<Vec<String>>>()?))
}

/// The name of any index, and all that follows the names of its table and of its kind: `(lower(a)) WHERE b > 0`.
pub(super) fn index_parts(sql: &str) -> Option<(String, &str)> {
    let mut is_quoted = false;
    let begin = sql.find(|c: char| {
        is_quoted ^= c == '"';
        c == '(' && !is_quoted
    })?;
    Some((index_name(&sql[..begin])?, &sql[begin..]))
}

/// The name of an index in what stands before its columns.
fn index_name(head: &str) -> Option<String> {
    // Capitals are as long as small letters.
    let name = &head[head.to_ascii_uppercase().find("INDEX ")? + "INDEX ".len()..];
    let name = name.strip_prefix("IF NOT EXISTS ").unwrap_or(name);
    if name.contains('(') {
        return None;
    }
    match name.strip_prefix('"') {
        Some(name) => Some(name.split_once("\" ON ")?.0.replace("\"\"", "\"")),
        None => name.split_whitespace().next().map(str::to_owned),
    }
}

/// Whether one of the names is a word of a statement.
fn speaks_of(sql: &str, names: &[String]) -> bool {
    sql.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| names.iter().any(|name| name.eq_ignore_ascii_case(word)))
}

/// A table of another store that is made anew.
struct NewTable<'a> {
    schema: &'a Schema,
    table: &'a Table,
    takes: &'a dyn Fn(&[&str]) -> bool,
}

impl NewTable<'_> {
    /// The SQL that makes the table, with its keys and all that SQLite understands of its conditions and defaults.
    fn sql(&self, notes: &mut Vec<String>) -> String {
        let table = self.table;
        let mut parts: Vec<String> = table.columns.iter().map(|column| self.column(column, notes)).collect();
        if !table.primary_key.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", names_sql(&table.primary_key)));
        }
        let mut unique = table.unique.clone();
        unique.dedup();
        parts.extend(unique.iter().map(|key| format!("UNIQUE ({})", names_sql(key))));
        parts.extend(self.checks(notes));
        for key in table.foreign_keys.iter().filter(|key| is_kept(key)) {
            // SQLite takes no other columns for those of a parent.
            if self.schema.table(&key.parent).is_some_and(|parent| parent.has_key(&key.parent_columns)) {
                parts.push(format!(
                    "FOREIGN KEY ({}) REFERENCES {} ({}) {} DEFERRABLE INITIALLY DEFERRED",
                    names_sql(&key.columns),
                    quoted(&key.parent),
                    names_sql(&key.parent_columns),
                    known_actions(key)
                ));
            }
        }
        format!("CREATE TABLE {} ({})", quoted(&table.name), parts.join(", "))
    }

    /// A column with its name, its type and whether it may be NULL.
    fn plain(&self, column: &Column) -> String {
        // Files declare nothing: that no value was missing in them says nothing of other rows.
        let is_filled = self.schema.store != Store::Files && !column.nullable;
        let not_null = is_filled && column.generated != Some(Generated::Computed);
        let not_null = if not_null { " NOT NULL" } else { "" };
        format!("{} {}{not_null}", quoted(&column.name), type_name(&column.ty))
    }

    /// A column with its default, or with what computes it.
    fn column(&self, column: &Column, notes: &mut Vec<String>) -> String {
        let plain = self.plain(column);
        let (more, what) = match (&column.expression, &column.default) {
            (Some(expression), _) => (format!("AS ({})", for_sqlite(expression)), "what computes"),
            // A counter is what SQLite has for keys anyhow.
            (_, Some(default)) if column.generated.is_none() => {
                (format!("DEFAULT ({})", default_for_sqlite(default)), "the default of")
            }
            _ => return plain,
        };
        let with = format!("{plain} {more}");
        let others = self.table.columns.iter().filter(|other| other.name != column.name);
        let others: String = others.map(|other| format!(", {}", self.plain(other))).collect();
        if (self.takes)(&[format!("CREATE TABLE t ({with}{others})").as_str()]) {
            return with;
        }
        notes.push(format!(
            "{}: {what} `{}` is nothing that SQLite understands",
            self.table.name, column.name
        ));
        plain
    }

    /// An index. One that is unique over columns is part of the table; of what is over expressions, or over some rows alone,
    /// SQLite is asked whether it understands it.
    fn index(&self, sql: &str, part: Part, notes: &mut Vec<String>) -> Option<String> {
        let of = quoted(&self.table.name);
        if let Some((name, columns)) = simple_index(sql, self.table) {
            let columns = names_sql(&columns);
            return (part == Part::Index)
                .then(|| format!("CREATE INDEX {} ON {of} ({columns})", quoted(&name)));
        }
        let unique = if part == Part::UniqueIndex { "UNIQUE " } else { "" };
        let is_tree = |rest: &str| sql[..sql.len() - rest.len()].trim_end().ends_with("USING btree");
        if let Some((name, rest)) = index_parts(sql).filter(|(_, rest)| is_tree(rest)) {
            let rest = for_sqlite(rest);
            let all: Vec<String> = self.table.columns.iter().map(|column| self.plain(column)).collect();
            let table = format!("CREATE TABLE t ({})", all.join(", "));
            let index = format!("CREATE {unique}INDEX i ON t {rest}");
            if (self.takes)(&[table.as_str(), index.as_str()]) {
                return Some(format!("CREATE {unique}INDEX {} ON {of} {rest}", quoted(&name)));
            }
        }
        notes.push(format!("{}: `{sql}` is nothing that SQLite understands", self.table.name));
        None
    }

    /// The conditions, with one for every column of an enum.
    fn checks(&self, notes: &mut Vec<String>) -> Vec<String> {
        let all: Vec<String> = self.table.columns.iter().map(|column| self.plain(column)).collect();
        let mut checks = Vec::new();
        for check in &self.table.checks {
            let sql = format!("CHECK ({})", for_sqlite(check));
            match (self.takes)(&[format!("CREATE TABLE t ({}, {sql})", all.join(", ")).as_str()]) {
                true => checks.push(sql),
                false => {
                    notes.push(format!("{}: `{check}` is nothing that SQLite understands", self.table.name));
                }
            }
        }
        for column in self.table.columns.iter().filter(|column| !column.labels.is_empty()) {
            let labels: Vec<String> = column.labels.iter().map(|label| text_sql(label)).collect();
            checks.push(format!("CHECK ({} IN ({}))", quoted(&column.name), labels.join(", ")));
        }
        checks
    }
}

/// A default of PostgreSQL in the words of SQLite.
fn default_for_sqlite(sql: &str) -> String {
    match sql.to_lowercase().as_str() {
        "now()" | "transaction_timestamp()" | "localtimestamp" => "CURRENT_TIMESTAMP".to_owned(),
        _ => for_sqlite(sql),
    }
}

/// A text as SQL.
pub(super) fn text_sql(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What a key does when the row that it refers to goes or changes, where that is made of the words for it.
pub(super) fn known_actions(key: &ForeignKey) -> &str {
    const WORDS: [&str; 8] = ["ON", "DELETE", "UPDATE", "CASCADE", "RESTRICT", "SET", "NULL", "DEFAULT"];
    if key.actions.split_whitespace().all(|word| WORDS.contains(&word)) { &key.actions } else { "" }
}

pub(super) fn names_sql(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
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

/// Whether a new database keeps a key: one that was only found or given need not hold if it did not in the source, and no
/// store knows keys of some rows alone.
pub(super) fn is_kept(key: &ForeignKey) -> bool {
    key.only.is_none() && (key.origin == Origin::Declared || key.orphans == Some(0))
}

/// The SQL that deletes the rows whose key is of no row of its parent. A row that leaves one of the columns open refers to
/// none.
pub(super) fn deletion(table: &str, key: &ForeignKey) -> String {
    format!("DELETE FROM {}", orphans(table, key))
}

/// The SQL that asks whether there are such rows.
pub(super) fn orphans_exist(table: &str, key: &ForeignKey) -> String {
    format!("SELECT EXISTS (SELECT 1 FROM {})", orphans(table, key))
}

fn orphans(table: &str, key: &ForeignKey) -> String {
    let columns: Vec<String> = key.columns.iter().map(|name| format!("c.{}", quoted(name))).collect();
    let keys: Vec<String> = key.parent_columns.iter().map(|name| format!("p.{}", quoted(name))).collect();
    let there = |names: &[String]| {
        names.iter().map(|name| format!("{name} IS NOT NULL")).collect::<Vec<_>>().join(" AND ")
    };
    // Keys are compared by the type and the collation of the parent: the result of a function has none of its own.
    let values: Vec<String> = columns.iter().map(|column| format!("coalesce({column}, NULL)")).collect();
    format!(
        "{} AS c WHERE {} AND ({}) NOT IN (SELECT {} FROM {} AS p WHERE {})",
        quoted(table),
        there(&columns),
        values.join(", "),
        keys.join(", "),
        quoted(&key.parent),
        there(&keys)
    )
}
