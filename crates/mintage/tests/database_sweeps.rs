//! Columns of new rows are drawn again when all rows are there: what held before holds afterwards.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::{collections::HashMap, path::Path, sync::atomic::AtomicBool, time::Instant};

use mintage::{
    Control, Recipe,
    data::{Column, SourceSpec, Table, table::encoder::Where},
    database::{DatabaseData, DatabaseModel, DatabaseRequest, Part, TablePlan, prove, train_database},
    nn::DeviceChoice,
};
use rusqlite::{Connection, params};

/// Firms with staff, who earn by the size of the firm, have its line, and were hired after it was founded.
fn firms(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE firms (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, line TEXT NOT NULL, founded TEXT NOT NULL);
         CREATE TABLE staff (id INTEGER PRIMARY KEY, firm INTEGER NOT NULL REFERENCES firms, desk INTEGER NOT NULL,
             level INTEGER NOT NULL, line TEXT NOT NULL, hired TEXT NOT NULL, gone TEXT, UNIQUE (firm, desk));",
    )
    .unwrap();
    let mut staff = 0i64;
    for id in 1..=60i64 {
        let (size, line) = (id % 7 + 1, ["tea", "cup", "tin"][id as usize % 3]);
        let day = |year: i64| format!("20{:02}-{:02}-01", year, id % 12 + 1);
        let founded = id % 10;
        db.execute("INSERT INTO firms VALUES (?1, ?2, ?3, ?4)", params![id, size, line, day(founded)])
            .unwrap();
        for desk in 1..=id % 4 + 1 {
            staff += 1;
            let hired = founded + desk % 3;
            let gone = (staff % 2 == 0).then(|| day(hired + 2));
            let row = params![staff, id, desk, size * 10, line, day(hired), gone];
            db.execute("INSERT INTO staff VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", row).unwrap();
        }
    }
}

/// A small model of a few steps.
fn learned(data: &DatabaseData, source: &str, run: &Path) -> DatabaseModel {
    let mut recipe = Recipe::for_source(source);
    recipe.set("model.size=tiny").unwrap();
    recipe.set("train.steps=40").unwrap();
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let control = Control { stop: &stop, clock: &|| start.elapsed() };
    train_database(&recipe, data, run, &DeviceChoice::Cpu, &control, &mut |_, _| {}).unwrap();
    DatabaseModel::load(run, &DeviceChoice::Cpu).unwrap()
}

fn cells<'a>(tables: &'a [Table], table: &str, column: &str) -> Vec<Option<&'a str>> {
    let table = tables.iter().find(|own| own.name == table).unwrap();
    table.column(column).unwrap().iter().collect()
}

/// For each of the staff the cell of the firm.
fn of_firms<'a>(tables: &'a [Table], column: &str) -> Vec<Option<&'a str>> {
    let firms: HashMap<_, _> =
        cells(tables, "firms", "id").into_iter().zip(cells(tables, "firms", column)).collect();
    cells(tables, "staff", "firm").iter().map(|firm| firms[firm]).collect()
}

/// Staff who were hired before their firm was founded.
fn hired_too_early(tables: &[Table]) -> usize {
    let pairs = cells(tables, "staff", "hired").into_iter().zip(of_firms(tables, "founded"));
    pairs.filter(|(hired, founded)| hired < founded).count()
}

#[test]
fn sweeps_keep_what_held_and_what_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("firms.db");
    firms(&path);
    let learn = vec!["firms".to_owned(), "staff".to_owned()];
    let spec = SourceSpec { source: path.display().to_string(), learn, ..SourceSpec::default() };
    let data = DatabaseData::open(&spec, &[], &[]).unwrap();
    let staff: &TablePlan = data.plans().iter().find(|plan| plan.name == "staff").unwrap();
    assert!(data.plans().iter().all(|plan| plan.part == Part::Learned));
    assert!(staff.copied.iter().any(|copied| copied.column == "line"), "{staff:?}");
    assert!(staff.bounds.iter().any(|bound| bound.column == "hired" && bound.is_later), "{staff:?}");
    assert_eq!((staff.is_sequence, staff.time.as_deref()), (true, Some("desk")));
    let model = learned(&data, &spec.source, &folder.path().join("run"));
    let made = |request: &DatabaseRequest| model.sample(request, &mut |_, _| {}).unwrap();

    let plain = DatabaseRequest { seed: 7, ..DatabaseRequest::default() };
    let twice = DatabaseRequest { sweeps: 2, ..plain.clone() };
    let (drawn, swept) = (made(&plain), made(&twice));
    assert_eq!(drawn, made(&DatabaseRequest { sweeps: 0, ..plain.clone() }));
    assert_eq!(swept, made(&twice));
    for (table, column) in [("firms", "id"), ("staff", "id"), ("staff", "firm"), ("staff", "desk")] {
        assert_eq!(cells(&drawn, table, column), cells(&swept, table, column), "{table}.{column}");
    }
    for (table, column) in [("firms", "size"), ("firms", "line"), ("staff", "level")] {
        assert_ne!(cells(&drawn, table, column), cells(&swept, table, column), "{table}.{column}");
    }
    assert_eq!(cells(&swept, "staff", "line"), of_firms(&swept, "line"));
    assert!(hired_too_early(&swept) <= hired_too_early(&drawn));
    let proof = prove(&data, model.plans(), &swept);
    assert_eq!((proof.duplicates(), proof.missing(), proof.lost()), (0, 0, 0));

    // Rows that are given stay, and so does what a condition says.
    let size = Column::of("size", (0..30).map(|row| Some(["1", "4", "7"][row % 3])));
    let given = Table { name: "firms".to_owned(), columns: vec![size], ..Table::default() };
    let mut request = DatabaseRequest { sweeps: 1, ..plain.clone() };
    request.given.insert("firms".to_owned(), given.clone());
    let swept = made(&request);
    assert_eq!(cells(&swept, "firms", "size"), cells(&[given], "firms", "size"));
    assert_eq!(cells(&swept, "staff", "line"), of_firms(&swept, "line"));
    let mut request = DatabaseRequest { sweeps: 1, ..plain };
    request.conditions.push(("firms".to_owned(), Where::parse("line=tea").unwrap()));
    let swept = made(&request);
    for table in ["firms", "staff"] {
        assert!(cells(&swept, table, "line").iter().all(|line| *line == Some("tea")), "{table}");
    }
}
