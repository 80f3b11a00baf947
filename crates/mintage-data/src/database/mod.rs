//! The schema of a whole database: its tables with their columns and keys, in what order they can be filled, and what
//! part each table plays. A database is a SQLite file, a PostgreSQL server, or a folder of CSV, Parquet and JSON Lines
//! files, of which each is a table.
//!
//! ```text
//! sqlite ─┐            ┌─► given      keys that the user names, and what is none
//! postgres├─► tables ──┼─► keys       keys that are not declared, by values and names
//! files ──┘            ├─► composite  those of several columns
//!                      ├─► orphans    rows that refer to nothing
//!                      ├─► role       bridge, reference, event, entity; complete: calendars, all combinations
//!                      └─► order      parents before children
//! Schema ──► text, svg
//! ```
//!
//! `choice` is what the user says of tables: which are learned, and which are kept as they are.
//!
//! All but `write` only reads. What the rows hold beside keys is the business of [`table`](crate::table); no row is kept.

mod choice;
mod complete;
mod composite;
mod files;
mod given;
mod keys;
mod layout;
mod names;
mod order;
mod postgres;
mod role;
mod sql;
mod sqlite;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod write;

use serde::{Deserialize, Serialize};

pub use choice::Choice;
pub use files::{holds_tables, table_files};
pub use order::{FillOrder, KeyRef};
pub use role::Role;
pub use sqlite::broken_keys;
pub use svg::{Mark, Paint};
pub use write::{
    DatabaseWriting, Rows, TableWritten, WrittenDatabase, check_another_place, write_database,
    write_database_parts,
};

use crate::{
    Error, KeySpec, SourceSpec,
    error::suggestion,
    store::{self, postgres::is_address, quoted, sqlite::is_sqlite},
    table::redacted,
};

/// How long all the counting of keys in a database may take, in seconds.
const MAX_COUNTING_SECS: u64 = 60;

/// The tables of a database and how they hang together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    pub store: Store,
    pub tables: Vec<Table>,
    /// Views and virtual tables: they can be read, and are never written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<String>,
    /// Tables of a server that the user may not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// Where the tables lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    Sqlite,
    Postgres,
    /// A folder, with a file a table.
    Files,
}

/// A table of a database, or a file of a folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// As the store spells it; with its schema where PostgreSQL does not find it without.
    pub name: String,
    /// Without the column by which Mintage marks what it made.
    pub columns: Vec<Column>,
    /// In the order of the key; empty where there is none.
    pub primary_key: Vec<String>,
    /// The store declares no primary key: the values of this column are there and all differ.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key_found: bool,
    /// Further columns whose values together belong to one row alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Conditions that no row may break, in the SQL of the store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Without the rows that Mintage made.
    pub rows: u64,
    pub role: Role,
    /// Why it has that role.
    pub role_why: String,
    /// The statements that made the table, its indexes and its triggers, where the store keeps them: PostgreSQL keeps
    /// those of indexes and triggers alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ddl: Vec<String>,
}

/// A column as its store declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// The type in the store's own words, empty where it has none; of a file what its values are.
    #[serde(rename = "type")]
    pub ty: String,
    pub nullable: bool,
    /// An expression in the SQL of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// What a computed column is computed by, in the SQL of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The values that an enum of PostgreSQL has, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// Who gives a column its values, if not who writes the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generated {
    /// An expression over the other columns.
    Computed,
    /// A counter of the store, where the row says nothing else.
    Identity,
    /// A counter of the store, whatever the row says.
    Always,
}

/// Columns of a table whose values are those of a row of another table, or of the same one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub columns: Vec<String>,
    /// The table that is referred to.
    pub parent: String,
    /// As many as `columns`.
    pub parent_columns: Vec<String>,
    pub origin: Origin,
    /// A row may refer to nothing, since one of the columns may be NULL.
    pub optional: bool,
    /// A transaction may check it at its end alone. SQLite can do so with any key.
    pub deferrable: bool,
    /// It does so unless it is told otherwise; of SQLite that is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
    /// What becomes of its rows when those that they refer to go or change, in SQL: "ON DELETE CASCADE".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actions: String,
    /// Rows that refer to a row that is not there; nothing where counting took too long.
    pub orphans: Option<u64>,
    /// In which rows it is a key at all; in all of them without this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Condition>,
}

/// Rows with one value in a column: those whose key leads to one of several tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub column: String,
    pub value: String,
}

/// How a key is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The store says so.
    Declared,
    /// The user says so.
    Given,
    /// The values and the names say so.
    Found {
        /// Of the distinct values of the column, how many the parent has: 0 to 1.
        share: f64,
        /// Distinct values of the column.
        distinct: u64,
        /// How well the names fit: 1 is `customer_id` for `customers.id`, 0 that they say nothing.
        name: f64,
    },
}

impl Schema {
    /// Reads the schema of the database that `spec` names; a table or a query that it asks for does not matter.
    ///
    /// # Errors
    /// The source is no database and no folder of tables, cannot be read, or declares a key to a table or a column that is
    /// not there.
    pub fn read(spec: &SourceSpec) -> Result<Self, Error> {
        if is_address(&spec.source) {
            return postgres::read(spec);
        }
        let path = &*spec.path();
        match path.is_dir() {
            true => files::read(spec),
            false if is_sqlite(path) => sqlite::read(path, spec),
            false => Err(Error::bad(redacted(&spec.source), "is no database").with_hint(
                "a database is a SQLite file, a postgres:// address, or a folder of CSV, Parquet and JSON Lines files",
            )),
        }
    }

    /// Whether a source is a database or a folder of several tables.
    ///
    /// # Errors
    /// The database is there and cannot be read.
    pub fn has_several_tables(spec: &SourceSpec) -> Result<bool, Error> {
        match store::open(spec)? {
            Some(mut database) => Ok(database.tables()?.len() > 1),
            None => Ok(holds_tables(spec)),
        }
    }

    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Every key with the table that has it.
    pub fn keys(&self) -> impl Iterator<Item = (&Table, &ForeignKey)> {
        self.tables.iter().flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)))
    }
}

impl Store {
    /// The SQL that reads all rows of a table.
    pub fn select_sql(self, table: &Table) -> String {
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.table_sql(&table.name))
    }

    /// The name of a table as SQL.
    fn table_sql(self, name: &str) -> String {
        match self.split(name) {
            (Some(space), table) => format!("{}.{}", quoted(space), quoted(table)),
            (None, table) => quoted(table),
        }
    }

    /// The schema of the server that a table is in, where its name says so, and its name there.
    fn split(self, name: &str) -> (Option<&str>, &str) {
        match name.split_once('.').filter(|_| self == Self::Postgres) {
            Some((space, table)) => (Some(space), table),
            None => (None, name),
        }
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The primary key, if there is one, and each set of columns that is declared UNIQUE.
    pub fn unique_sets(&self) -> impl Iterator<Item = &Vec<String>> {
        let key = Some(&self.primary_key).filter(|key| !key.is_empty());
        key.into_iter().chain(&self.unique)
    }

    /// Whether columns, in whatever order, are a key of the table: what a foreign key may refer to.
    pub fn has_key(&self, columns: &[String]) -> bool {
        let is_same =
            |set: &Vec<String>| set.len() == columns.len() && columns.iter().all(|c| set.contains(c));
        self.unique_sets().any(is_same)
    }

    /// Whether no two rows have the same values in `columns`, by what is declared or known.
    pub fn tells_apart(&self, columns: &[String]) -> bool {
        self.unique_sets().any(|set| set.iter().all(|name| columns.contains(name)))
    }

    /// Whether a column is one of those of a foreign key.
    pub fn is_foreign(&self, column: &str) -> bool {
        self.foreign_keys.iter().any(|key| key.columns.iter().any(|own| own == column))
    }

    /// Whether the values of a column alone tell rows apart, by what is declared or known.
    fn is_key(&self, column: &str) -> bool {
        self.unique_sets().any(|key| key.len() == 1 && key[0] == column)
    }
}

impl ForeignKey {
    /// Whether it refers to the table that it belongs to.
    pub fn is_of(&self, table: &str) -> bool {
        self.parent == table
    }

    /// What it is called among the keys of its table: `customer_id`, `a+b`, and `subject_id[Photo]` where it is a key in some
    /// rows alone.
    pub fn label(&self) -> String {
        let only = self.only.as_ref().map(|only| format!("[{}]", only.value));
        format!("{}{}", self.columns.join("+"), only.unwrap_or_default())
    }

    /// "customers.id", "parts.(a, b)".
    fn target(&self) -> String {
        format!("{}.{}", self.parent, listed(&self.parent_columns))
    }
}

/// "id", "(a, b)".
fn listed(columns: &[String]) -> String {
    match columns {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    }
}

/// A key as a store declares it, whose parent may not be there.
#[derive(Debug)]
struct RawKey {
    columns: Vec<String>,
    parent: String,
    /// Without them the primary key of the parent is meant.
    parent_columns: Option<Vec<String>>,
    deferrable: bool,
    deferred: bool,
    actions: String,
}

/// What a key does when a row that is referred to goes or changes; nothing of what every key does.
fn actions(on_delete: &str, on_update: &str) -> String {
    let clause = |event: &str, action: &str| match action {
        "NO ACTION" => None,
        action => Some(format!("ON {event} {action}")),
    };
    let clauses = [clause("DELETE", on_delete), clause("UPDATE", on_update)];
    clauses.into_iter().flatten().collect::<Vec<String>>().join(" ")
}

/// Counts values in a store. Nothing is known of what takes too long.
trait Values {
    /// Whether the values of a column are there in every row and all differ.
    fn is_unique(&mut self, table: &str, column: &str) -> Result<Option<bool>, Error>;

    /// How many different values columns together have that are in more than one row; rows that lack one of them do not
    /// count.
    fn repeats(&mut self, table: &str, columns: &[String]) -> Result<Option<u64>, Error>;

    /// How many distinct values columns together have that are among those of as many others.
    fn contained_together(
        &mut self,
        child: (&str, &[String]),
        parent: (&str, &[String]),
    ) -> Result<Option<Contained>, Error>;

    /// How many distinct values of a column are among those of another.
    fn contained(&mut self, child: (&str, &str), parent: (&str, &str)) -> Result<Option<Contained>, Error>;

    /// How many different values a column has.
    fn distinct(&mut self, table: &str, column: &str) -> Result<Option<u64>, Error>;

    /// On how many different days the dates of a column are, and how many days there are from the first to the last; 0 of
    /// either where it has no dates.
    fn days(&mut self, table: &str, column: &Column) -> Result<Option<(u64, u64)>, Error>;

    /// The rows of `table` whose key is of no row of its parent.
    fn orphans(&mut self, table: &str, key: &ForeignKey) -> Result<Option<u64>, Error>;
}

/// What [`Values::contained`] counts.
#[derive(Clone, Copy, Debug)]
struct Contained {
    distinct: u64,
    contained: u64,
    /// No value is short or has a space in it: those of a key that are texts are like that.
    is_code: bool,
}

/// A schema from what the store says, completed with what its values say.
fn finish(
    place: &str,
    store: Store,
    (mut tables, views): (Vec<Table>, Vec<String>),
    (declared, given): (Vec<Vec<RawKey>>, &[KeySpec]),
    values: &mut dyn Values,
) -> Result<Schema, Error> {
    if tables.is_empty() {
        return Err(Error::bad(place, "has no tables"));
    }
    let declared = given::without(declared, &tables, given);
    resolve(place, &mut tables, &views, declared)?;
    let has_declared = tables.iter().any(|table| !table.foreign_keys.is_empty());
    given::add(place, &mut tables, given, values)?;
    keys::find(&mut tables, values)?;
    if !has_declared {
        composite::find(&mut tables, store, values)?;
    }
    given::remove(&mut tables, given);
    for at in 0..tables.len() {
        for key in 0..tables[at].foreign_keys.len() {
            let orphans = values.orphans(&tables[at].name, &tables[at].foreign_keys[key])?;
            tables[at].foreign_keys[key].orphans = orphans;
        }
    }
    role::assign(&mut tables, values)?;
    Ok(Schema { store, tables, views, unreadable: Vec::new() })
}

/// Gives every table its declared keys.
///
/// # Errors
/// A key refers to a table or a column that is not there. All of them are listed.
fn resolve(
    place: &str,
    tables: &mut [Table],
    views: &[String],
    declared: Vec<Vec<RawKey>>,
) -> Result<(), Error> {
    let (mut faults, mut resolved) = (Vec::new(), Vec::new());
    for (table, raw) in tables.iter().zip(declared) {
        let mut keys = Vec::new();
        for key in raw {
            let what = format!("table `{}`: the key {} refers to ", table.name, listed(&key.columns));
            match resolved_key(table, key, tables, views) {
                Ok(key) => keys.push(key),
                Err((why, hint)) => faults.push((format!("{what}{why}"), hint)),
            }
        }
        resolved.push(keys);
    }
    for (table, keys) in tables.iter_mut().zip(resolved) {
        table.foreign_keys = keys;
    }
    let Some((first, hint)) = faults.first() else { return Ok(()) };
    let more = match faults.len() {
        1 => String::new(),
        2 => " (and one more key is broken)".to_owned(),
        n => format!(" (and {} more keys are broken)", n - 1),
    };
    let or = if hint.ends_with('?') { " Otherwise" } else { ", or" };
    let hint = format!(
        "{hint}{or} drop the key, or say that it is none: --key TABLE.COLUMN=none; each table can be learned alone, with --table"
    );
    let error = Error::bad(place, format!("{first}{more}")).with_hint(hint);
    Err(error.with_list(faults.into_iter().map(|(fault, _)| fault).collect()))
}

/// A key with its parent; or what is not there, and what to do.
fn resolved_key(
    table: &Table,
    key: RawKey,
    tables: &[Table],
    views: &[String],
) -> Result<ForeignKey, (String, String)> {
    let names = || tables.iter().map(|table| table.name.as_str());
    let Some(parent) = named(tables, &key.parent, |table| &table.name) else {
        let is_view = views.iter().any(|view| view.eq_ignore_ascii_case(&key.parent));
        let what = if is_view { "is a view" } else { "is not there, or may not be read" };
        let hint = suggestion(&key.parent, names()).filter(|_| !is_view);
        let hint = hint.unwrap_or_else(|| "make the table that it refers to".to_owned());
        return Err((format!("table `{}`, which {what}", key.parent), hint));
    };
    let wanted = match key.parent_columns {
        Some(columns) => columns,
        None if parent.primary_key.len() == key.columns.len() => parent.primary_key.clone(),
        None => {
            let has = match parent.primary_key.len() {
                0 => "no primary key".to_owned(),
                n => format!("a primary key of {n} columns"),
            };
            let hint = "name the columns that it refers to".to_owned();
            return Err((format!("table `{}`, which has {has}", parent.name), hint));
        }
    };
    let mut parent_columns = Vec::new();
    for name in wanted {
        let Some(column) = named(&parent.columns, &name, |column| &column.name) else {
            let all = parent.columns.iter().map(|column| column.name.as_str());
            let hint = suggestion(&name, all).unwrap_or_else(|| "make the column".to_owned());
            return Err((format!("column `{name}`, which table `{}` does not have", parent.name), hint));
        };
        parent_columns.push(column.name.clone());
    }
    Ok(ForeignKey {
        optional: key.columns.iter().any(|name| table.column(name).is_some_and(|column| column.nullable)),
        columns: key.columns,
        parent: parent.name.clone(),
        parent_columns,
        origin: Origin::Declared,
        deferrable: key.deferrable,
        deferred: key.deferred,
        actions: key.actions,
        orphans: None,
        only: None,
    })
}

/// What has a name. One that differs by case alone counts where none has it exactly: SQLite knows no cases.
fn named<'a, T>(all: &'a [T], name: &str, of: impl Fn(&T) -> &str) -> Option<&'a T> {
    all.iter()
        .find(|one| of(one) == name)
        .or_else(|| all.iter().find(|one| of(one).eq_ignore_ascii_case(name)))
}
