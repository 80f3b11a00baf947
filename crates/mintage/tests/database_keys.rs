//! Databases with keys that only the user knows, and those that are odd: names, numbers of tables, nothing to learn.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use common::trained;
use mintage::{
    Recipe,
    data::{
        IfExists, PgDefaults, SourceSpec, Table,
        database::{DatabaseWriting, Rows, broken_keys, write_database},
    },
    database::{DatabaseData, DatabaseRequest, Part, Use, prove},
};
use rusqlite::Connection;

fn open(recipe: &Recipe) -> DatabaseData {
    DatabaseData::open(&recipe.data, &[], &[]).unwrap()
}

fn spec(path: &Path) -> SourceSpec {
    SourceSpec { source: path.display().to_string(), ..SourceSpec::default() }
}

/// New rows of a database that was learned for a moment.
fn made(recipe: &Recipe, data: &DatabaseData, run: &Path) -> Vec<Table> {
    made_by_steps(20, recipe, data, run)
}

fn made_by_steps(steps: u64, recipe: &Recipe, data: &DatabaseData, run: &Path) -> Vec<Table> {
    let model = trained(recipe, steps, data, run);
    let request = DatabaseRequest { seed: 3, ..DatabaseRequest::default() };
    model.sample(&request, &mut |_, _| {}).unwrap()
}

fn cells<'a>(tables: &'a [Table], table: &str, column: &str) -> Vec<Option<&'a str>> {
    let table = tables.iter().find(|own| own.name == table).unwrap();
    table.column(column).unwrap().iter().collect()
}

/// Photos and orders, both of which have comments.
fn comments(path: &Path) {
    let db = Connection::open(path).unwrap();
    let mut sql = "CREATE TABLE photos (id INTEGER PRIMARY KEY, width INTEGER NOT NULL);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);
        CREATE TABLE comments (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject INTEGER NOT NULL, stars INTEGER NOT NULL);"
        .to_owned();
    for i in 1..=40 {
        sql.push_str(&format!("INSERT INTO photos VALUES ({i}, {});", i % 5 * 100));
        sql.push_str(&format!("INSERT INTO orders VALUES ({}, {});", i + 500, i * 13 % 90));
    }
    for i in 1..=120 {
        let (kind, of) = if i % 3 == 0 { ("Order", i % 40 + 501) } else { ("Photo", i % 30 + 1) };
        sql.push_str(&format!("INSERT INTO comments VALUES ({i}, '{kind}', {of}, {});", i % 5 + 1));
    }
    db.execute_batch(&sql).unwrap();
}

fn recipe_of_comments(path: &Path) -> Recipe {
    let keys = "[[data.keys]]\ntable = 'comments'\ncolumn = 'subject'\nby = 'kind'\n\
                parents = { Photo = 'photos', Order = 'orders' }\n";
    Recipe::parse(&format!("[data]\nsource = '{}'\n{keys}", path.display())).unwrap()
}

#[test]
fn rows_refer_to_the_table_that_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    comments(&path);
    let recipe = recipe_of_comments(&path);
    // It survives being written.
    let again = Recipe::parse(&recipe.to_toml()).unwrap();
    assert_eq!(again.data.keys, recipe.data.keys);
    let data = open(&recipe);
    assert!(data.notes.iter().all(|note| !note.contains("subject")), "{:?}", data.notes);
    let plan = data.plans().iter().find(|plan| plan.name == "comments").unwrap();
    assert_eq!(plan.keys, [Use::Matched, Use::Matched]);
    assert!(plan.own.contains(&"kind".to_owned()) && !plan.own.contains(&"subject".to_owned()));
    assert!(plan.optional.is_empty());

    let tables = made(&recipe, &data, &folder.path().join("run"));
    let ids = |table: &str| cells(&tables, table, "id").into_iter().flatten().collect::<HashSet<&str>>();
    let parents = HashMap::from([("Photo", ids("photos")), ("Order", ids("orders"))]);
    let (kinds, subjects) = (cells(&tables, "comments", "kind"), cells(&tables, "comments", "subject"));
    assert_eq!(kinds.len(), 120);
    for (kind, subject) in kinds.iter().zip(&subjects) {
        assert!(parents[kind.unwrap()].contains(subject.unwrap()), "{kind:?} {subject:?}");
    }
    assert!(["Photo", "Order"].iter().all(|kind| kinds.contains(&Some(*kind))));
    let proof = prove(&data, data.plans(), &tables);
    assert_eq!((proof.lost(), proof.missing(), proof.duplicates()), (0, 0, 0));
}

#[test]
fn rows_that_refer_to_no_listed_table_are_said_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    comments(&path);
    let mut recipe = recipe_of_comments(&path);
    recipe.data.keys[0].parents.remove("Order");
    let Err(error) = DatabaseData::open(&recipe.data, &[], &[]) else { panic!("rows are left over") };
    let said = error.to_string();
    assert!(said.contains("in 40 rows `kind` says of no table that `subject` refers to (Order)"), "{said}");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "ALTER TABLE comments RENAME TO old; CREATE TABLE comments (id INTEGER PRIMARY KEY, kind TEXT, subject INTEGER, stars INTEGER);
         INSERT INTO comments SELECT * FROM old; DROP TABLE old;",
    )
    .unwrap();
    let data = open(&recipe);
    assert!(
        data.notes.iter().any(|note| note.ends_with("new rows of these leave it open")),
        "{:?}",
        data.notes
    );
}

#[test]
fn keys_with_orphans_and_keys_that_repeat_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let (mut customers, mut orders) = ("id,city\n".to_owned(), "id,customer_id,total\n".to_owned());
    let (mut places, mut visits) = ("id,size\n".to_owned(), "id,place_id\n".to_owned());
    for i in 1..=100 {
        customers.push_str(&format!("{i},c{}\n", i % 3));
        places.push_str(&format!("{},{}\n", if i == 100 { 1 } else { i }, i % 7));
    }
    for i in 1..=300 {
        let of = if i <= 291 { i % 97 + 1 } else { 1000 + i % 3 };
        orders.push_str(&format!("{i},{of},{}\n", i * 7 % 50));
        visits.push_str(&format!("{i},{}\n", i % 90 + 1));
    }
    let files = [("customers", customers), ("orders", orders), ("places", places), ("visits", visits)];
    for (name, text) in &files {
        fs::write(folder.path().join(format!("{name}.csv")), text).unwrap();
    }
    let data = DatabaseData::open(&spec(folder.path()), &[], &[]).unwrap();
    let expected = [
        "orders: 9 of 300 rows refer by `customer_id` to no row of `customers`: all new rows refer to one",
        "places: `id` tells no rows apart, since 1 of its values are in several rows: nothing can refer to it",
    ];
    for note in expected {
        assert!(data.notes.iter().any(|own| own == note), "{note}: {:?}", data.notes);
    }
    assert_eq!(data.schema().keys().count(), 1);
    // What cannot be a key is no key because the user says so.
    let recipe = format!(
        "[data]\nsource = '{}'\n[[data.keys]]\ntable = 'visits'\ncolumn = 'place_id'\nparent = 'places'\nparent_columns = ['id']\n",
        folder.path().display()
    );
    let recipe = Recipe::parse(&recipe).unwrap();
    let Err(error) = DatabaseData::open(&recipe.data, &[], &[]) else { panic!("values repeat") };
    let said = error.to_string();
    assert!(
        said.contains("refers to places.id, which tells no rows apart: 1 value of it is in several rows"),
        "{said}"
    );
}

/// As many tables of twenty rows, each but the first of which refers to one before.
fn many(path: &Path, tables: usize) {
    let mut sql = "BEGIN;".to_owned();
    for table in 0..tables {
        let parent = if table == 0 { String::new() } else { format!(" REFERENCES t{}", table / 2) };
        sql.push_str(&format!(
            "CREATE TABLE t{table} (id INTEGER PRIMARY KEY, above INTEGER{parent}, kind TEXT, size REAL);"
        ));
        for row in 1..=20 {
            let above = if table == 0 { "NULL".to_owned() } else { (row * 7 % 20 + 1).to_string() };
            sql.push_str(&format!(
                "INSERT INTO t{table} VALUES ({row}, {above}, 'k{}', {}.5);",
                row % 3,
                row * table % 17
            ));
        }
    }
    Connection::open(path).unwrap().execute_batch(&format!("{sql} COMMIT;")).unwrap();
}

#[test]
fn three_hundred_tables_are_planned_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.db");
    many(&path, 300);
    let start = Instant::now();
    let data = DatabaseData::open(&spec(&path), &[], &[]).unwrap();
    // A second or two; a machine in use is given time.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(data.plans().len(), 300);
    assert_eq!(data.schema().keys().count(), 299);
    assert!(data.plans().iter().all(|plan| plan.part == Part::Learned));
}

/// Three hundred would do as well, but their models and what is saved of each take minutes.
#[test]
fn sixty_tables_are_learned_drawn_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.db");
    many(&path, 60);
    let recipe = Recipe::for_source(&spec(&path).source);
    let data = open(&recipe);
    let tables = made_by_steps(1, &recipe, &data, &folder.path().join("run"));
    assert_eq!(tables.len(), 60);
    assert_eq!(cells(&tables, "t0", "id").len(), 20);
    for table in 1..60 {
        let ids = cells(&tables, &format!("t{}", table / 2), "id");
        let ids: HashSet<Option<&str>> = ids.into_iter().collect();
        let keys = cells(&tables, &format!("t{table}"), "above");
        assert!(!keys.is_empty() && keys.iter().flatten().all(|key| ids.contains(&Some(*key))), "t{table}");
    }
    let proof = prove(&data, data.plans(), &tables);
    assert_eq!((proof.lost(), proof.missing(), proof.duplicates()), (0, 0, 0));
    let new = folder.path().join("new.db");
    let (target, pg) = (new.display().to_string(), PgDefaults::default());
    let how = DatabaseWriting { target: &target, if_exists: IfExists::Fail, provenance: None, pg: &pg };
    let rows = tables.into_iter().map(|rows| Rows { table: rows.name.clone(), is_kept: false, rows });
    let written = write_database(data.schema(), &rows.collect::<Vec<_>>(), &how).unwrap();
    assert!(written.tables.iter().all(|table| table.rows > 0 && table.refused == 0), "{written:?}");
    assert_eq!((written.tables.len(), broken_keys(&new).unwrap()), (60, 0));
}

#[test]
fn tables_of_any_names_and_with_nothing_to_learn_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.db");
    let mut sql = "PRAGMA foreign_keys = OFF; CREATE TABLE \"Заказы клиентов\" (\"номер\" INTEGER PRIMARY KEY, \"the \"\"size\"\"\" INTEGER NOT NULL);
        CREATE TABLE \"it's; --\" (\"a b\" INTEGER PRIMARY KEY, \"ссылка, на\" INTEGER NOT NULL REFERENCES \"Заказы клиентов\");
        CREATE TABLE numbers (id INTEGER PRIMARY KEY); CREATE TABLE hollow (id INTEGER PRIMARY KEY, x TEXT);"
        .to_owned();
    for i in 1..=30 {
        sql.push_str(&format!(
            "INSERT INTO \"Заказы клиентов\" VALUES ({i}, {}); INSERT INTO numbers VALUES ({i});
             INSERT INTO \"it's; --\" VALUES ({i}, {});",
            i * 7 % 11,
            i % 12 + 1
        ));
    }
    Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    let recipe = Recipe::for_source(&spec(&path).source);
    let data = open(&recipe);
    let part = |name: &str| data.plans().iter().find(|plan| plan.name == name).unwrap().part;
    assert_eq!((part("numbers"), part("hollow")), (Part::Learned, Part::Empty));
    let tables = made(&recipe, &data, &folder.path().join("run"));
    let numbers: HashSet<Option<&str>> = cells(&tables, "Заказы клиентов", "номер").into_iter().collect();
    let keys = cells(&tables, "it's; --", "ссылка, на");
    assert!(!keys.is_empty() && keys.iter().all(|key| key.is_some() && numbers.contains(key)));
    assert_eq!(cells(&tables, "numbers", "id").len(), 30);
    let proof = prove(&data, data.plans(), &tables);
    assert_eq!((proof.lost(), proof.missing(), proof.duplicates()), (0, 0, 0));
}

/// Names that differ by case alone are two tables and two columns, where the store knows cases.
#[cfg(target_os = "linux")]
#[test]
fn names_that_differ_by_case_are_two() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (1..=30).map(|i| format!("{i},{},{}\n", i % 4, i * 3 % 20)).collect();
    fs::write(folder.path().join("Item.csv"), format!("id,kind,Kind\n{text}")).unwrap();
    fs::write(folder.path().join("item.csv"), format!("id,kind,Kind\n{text}")).unwrap();
    let data = DatabaseData::open(&spec(folder.path()), &[], &[]).unwrap();
    let mut names: Vec<&str> = data.plans().iter().map(|plan| plan.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Item", "item"]);
    assert!(
        data.plans()
            .iter()
            .all(|plan| ["kind", "Kind"].iter().all(|name| plan.own.iter().any(|own| own == name)))
    );
}
