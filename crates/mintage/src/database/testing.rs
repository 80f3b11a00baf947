//! Small databases for tests: schemas with rows, and the plans that are made for them.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use mintage_data::{
    Column, SourceSpec, Table,
    database::{Column as ColumnSchema, ForeignKey, Origin, Schema, Store, Table as TableSchema},
};
use mintage_nn::DeviceChoice;

use super::{
    DatabaseModel,
    filled::{Database, Filled, NONE, tied},
    plan::TablePlan,
    planner::{described, plan},
};

fn names(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

/// A key by the names of its columns, with spaces between them.
pub(super) fn key(columns: &str, parent: &str, parent_columns: &str, optional: bool) -> ForeignKey {
    ForeignKey {
        columns: names(columns),
        parent: parent.to_owned(),
        parent_columns: names(parent_columns),
        origin: Origin::Declared,
        optional,
        deferrable: false,
        deferred: false,
        only: None,
        actions: String::new(),
        orphans: None,
    }
}

/// A table whose primary key is `id`, with rows of a source.
pub(super) fn table(name: &str, foreign_keys: Vec<ForeignKey>, columns: Vec<Column>) -> (TableSchema, Table) {
    let optional = |column: &str| {
        foreign_keys.iter().any(|key| key.optional && key.columns.iter().any(|own| own == column))
    };
    let schema = TableSchema {
        name: name.to_owned(),
        columns: columns
            .iter()
            .map(|column| ColumnSchema {
                name: column.name.clone(),
                nullable: optional(&column.name),
                ..ColumnSchema::default()
            })
            .collect(),
        primary_key: names("id"),
        foreign_keys,
        ..TableSchema::default()
    };
    (schema, Table { name: name.to_owned(), columns, ..Table::default() })
}

/// A schema with the rows of its tables tied, and their plans.
pub(super) fn planned(all: Vec<(TableSchema, Table)>) -> (Schema, Database, Vec<TablePlan>) {
    let (tables, rows): (Vec<TableSchema>, Vec<Table>) = all.into_iter().unzip();
    let schema = Schema { store: Store::Sqlite, tables, views: Vec::new(), unreadable: Vec::new() };
    let kinds =
        rows.iter().map(|rows| (rows.name.clone(), described(rows, &SourceSpec::default()))).collect();
    let rows: HashMap<String, Table> = rows.into_iter().map(|rows| (rows.name.clone(), rows)).collect();
    let source = tied(&schema, rows);
    let plans = plan(&schema, &source, &kinds, (&[], &[]), &BTreeMap::new()).unwrap();
    (schema, source, plans)
}

/// New rows with no parents yet.
pub(super) fn drawn(columns: Vec<Column>, keys: usize) -> Filled {
    let n = columns[0].len();
    Filled {
        table: Table { columns, ..Table::default() },
        parents: vec![vec![NONE; n]; keys],
        ..Filled::default()
    }
}

/// A database of which no model is trained.
pub(super) fn untrained(schema: Schema, plans: Vec<TablePlan>) -> DatabaseModel {
    DatabaseModel {
        dir: PathBuf::new(),
        source: PathBuf::new(),
        schema,
        plans,
        targets: Vec::new(),
        persons: Vec::new(),
        keys: Vec::new(),
        texts: Vec::new(),
        kept: Vec::new(),
        device: DeviceChoice::Cpu,
    }
}
