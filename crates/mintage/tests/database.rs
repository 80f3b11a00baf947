//! A whole database is learned and made anew: every key is of a row that is there, and the same seed makes the same rows.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use common::trained;
use mintage::{
    Recipe,
    data::{
        SourceSpec, Table,
        database::{DatabaseWriting, Rows, write_database},
        table::{IfExists, PgDefaults},
    },
    database::{DatabaseData, DatabaseModel, DatabaseRequest, Part, Use},
    nn::DeviceChoice,
};
use rusqlite::{Connection, params};

/// Customers with orders with lines, a short list of countries, staff with bosses, and pairs of customers and tags.
fn shop(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE countries (code TEXT PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE staff (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES staff, grade INTEGER NOT NULL);
         CREATE TABLE customers (id INTEGER PRIMARY KEY, country TEXT NOT NULL REFERENCES countries, kind TEXT NOT NULL,
             helper INTEGER REFERENCES staff);
         CREATE TABLE products (id INTEGER PRIMARY KEY, price REAL NOT NULL, line TEXT NOT NULL);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, day TEXT NOT NULL);
         CREATE TABLE lines (\"order\" INTEGER NOT NULL REFERENCES orders, position INTEGER NOT NULL,
             product INTEGER NOT NULL REFERENCES products, amount INTEGER NOT NULL CHECK (amount > 0),
             PRIMARY KEY (\"order\", position));
         CREATE TABLE tagged (customer INTEGER NOT NULL REFERENCES customers, product INTEGER NOT NULL REFERENCES products,
             PRIMARY KEY (customer, product));
         CREATE TABLE reviews (code TEXT PRIMARY KEY, stars INTEGER NOT NULL);
         CREATE TABLE best (id INTEGER PRIMARY KEY, review TEXT NOT NULL REFERENCES reviews);
         CREATE TABLE empty (id INTEGER PRIMARY KEY);",
    )
    .unwrap();
    for (code, name) in [("de", "Germany"), ("fr", "France"), ("ru", "Россия")] {
        db.execute("INSERT INTO countries VALUES (?1, ?2)", params![code, name]).unwrap();
    }
    for id in 1..=40i64 {
        let boss = (id > 1).then_some(id / 3 + 1).filter(|&boss| boss < id);
        db.execute("INSERT INTO staff VALUES (?1, ?2, ?3)", params![id, boss, 5 - id.ilog2()]).unwrap();
    }
    for id in 1..=50i64 {
        let code = format!("R-{:06}", id * 7919 % 999_983);
        db.execute("INSERT INTO reviews VALUES (?1, ?2)", params![code, id % 5 + 1]).unwrap();
        if id <= 3 {
            db.execute("INSERT INTO best VALUES (?1, ?2)", params![id, code]).unwrap();
        }
    }
    for id in 1..=30i64 {
        let line = ["tea", "cup", "tin"][id as usize % 3];
        db.execute("INSERT INTO products VALUES (?1, ?2, ?3)", params![id, id as f64 * 1.5, line]).unwrap();
    }
    let (mut order, mut rows) = (0i64, 0i64);
    for id in 1..=120i64 {
        let country = ["de", "fr", "ru"][(id * id % 7 % 3) as usize];
        let helper = (id % 5 > 0).then_some(id % 40 + 1);
        let kind = if id % 3 == 0 { "firm" } else { "person" };
        db.execute("INSERT INTO customers VALUES (?1, ?2, ?3, ?4)", params![id, country, kind, helper])
            .unwrap();
        for i in 0..id % 4 {
            order += 1;
            let day = format!("2024-{:02}-{:02}", 1 + (id + i * 3) % 12, 1 + i * 7);
            db.execute("INSERT INTO orders VALUES (?1, ?2, ?3)", params![order, id, day]).unwrap();
            for position in 1..=1 + (order % 3) {
                rows += 1;
                let line = params![order, position, rows * 7 % 30 + 1, 1 + rows % 4];
                db.execute("INSERT INTO lines VALUES (?1, ?2, ?3, ?4)", line).unwrap();
            }
        }
        for product in (0..id % 3).map(|i| (id * 5 + i * 11) % 30 + 1) {
            db.execute("INSERT OR IGNORE INTO tagged VALUES (?1, ?2)", params![id, product]).unwrap();
        }
    }
}

fn made(tables: &[Table]) -> HashMap<&str, &Table> {
    tables.iter().map(|table| (table.name.as_str(), table)).collect()
}

fn cells<'a>(table: &'a Table, column: &str) -> Vec<Option<&'a str>> {
    table.column(column).unwrap_or_else(|| panic!("{} has no {column}", table.name)).iter().collect()
}

/// A small model of a few steps.
fn learned(data: &DatabaseData, spec: &SourceSpec, run: &Path) -> DatabaseModel {
    trained(&Recipe::for_source(&spec.source), 40, data, run)
}

#[test]
fn learns_all_tables_and_makes_rows_whose_keys_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shop(&path);
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    let data = DatabaseData::open(&spec, &[], &[]).unwrap();
    let part = |name: &str| data.plans().iter().find(|plan| plan.name == name).unwrap();
    assert_eq!(part("countries").part, Part::Kept);
    assert_eq!(part("best").part, Part::Kept);
    assert_eq!(part("empty").part, Part::Empty);
    assert_eq!(part("customers").keys, [Use::Value, Use::Main]);
    assert_eq!(part("lines").keys, [Use::Main, Use::Matched], "{:?}", part("lines"));
    assert!(part("lines").is_sequence && part("orders").time.as_deref() == Some("day"));

    let run = folder.path().join("run");
    let model = learned(&data, &spec, &run);
    let request = DatabaseRequest { scale: 1.5, seed: 7, ..DatabaseRequest::default() };
    let tables = model.sample(&request, &mut |_, _| {}).unwrap();
    assert_eq!(tables, model.sample(&request, &mut |_, _| {}).unwrap());

    let all = made(&tables);
    assert_eq!(all["products"].rows(), 45);
    assert_eq!(all["staff"].rows(), 60);
    for table in &data.schema().tables {
        let Some(rows) = all.get(table.name.as_str()) else { continue };
        for key in &table.foreign_keys {
            let parents: HashSet<&str> =
                cells(all[key.parent.as_str()], &key.parent_columns[0]).into_iter().flatten().collect();
            let own = cells(rows, &key.columns[0]);
            assert!(own.iter().flatten().all(|cell| parents.contains(cell)), "{} {key:?}", table.name);
            assert!(key.optional || own.iter().all(Option::is_some), "{} {:?}", table.name, key.columns);
        }
        for set in std::iter::once(&table.primary_key).chain(&table.unique).filter(|set| !set.is_empty()) {
            let columns: Vec<_> = set.iter().map(|name| cells(rows, name)).collect();
            let keys: HashSet<Vec<_>> =
                (0..rows.rows()).map(|row| columns.iter().map(|c| c[row]).collect()).collect();
            assert_eq!(keys.len(), rows.rows(), "{} repeats its key {set:?}", table.name);
        }
    }
    // Nobody is his own boss, however far up.
    let (ids, bosses) = (cells(all["staff"], "id"), cells(all["staff"], "boss"));
    let boss_of: HashMap<_, _> = ids.iter().zip(&bosses).map(|(id, boss)| (id.unwrap(), *boss)).collect();
    for id in ids.iter().flatten() {
        let steps = std::iter::successors(Some(*id), |id| boss_of[id]).take(100).count();
        assert!(steps < 100, "{id} is above himself");
    }
    assert!(bosses.iter().flatten().count() > 20);
    // Orders of a customer are in the order of time.
    let (customers, days) = (cells(all["orders"], "customer"), cells(all["orders"], "day"));
    let pairs = customers.windows(2).zip(days.windows(2));
    assert!(pairs.filter(|(who, _)| who[0] == who[1]).all(|(_, day)| day[0] <= day[1]));

    // What is damaged is said, and nothing falls over.
    let file = run.join("database.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let damaged = [
        text.replacen("\"keys\":[", "\"keys\":[\"main\",", 1),
        text.replacen("\"keys\":[0]", "\"keys\":[99]", 1),
        text.replacen("\"code\"", "\"cod\"", 1)[..text.len() / 2].to_owned(),
    ];
    for damaged in damaged {
        assert_ne!(damaged, text);
        std::fs::write(&file, damaged).unwrap();
        assert!(DatabaseModel::load(&run, &DeviceChoice::Cpu).is_err());
    }
}

/// Members who are known by their addresses, with visits, and a few agents, who are kept, with an address each.
fn club(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE agents (email TEXT PRIMARY KEY, last_name TEXT NOT NULL, boss TEXT REFERENCES agents (email));
         CREATE TABLE members (email TEXT PRIMARY KEY, last_name TEXT NOT NULL, age INTEGER NOT NULL,
             agent TEXT NOT NULL REFERENCES agents (email));
         CREATE TABLE visits (id INTEGER PRIMARY KEY, member TEXT NOT NULL REFERENCES members (email), score INTEGER NOT NULL);",
    )
    .unwrap();
    let family = ["Smith", "Jones", "Miller", "Becker", "Wagner", "Hughes"];
    let agent = |at: usize| format!("{}@agency.com", family[at].to_lowercase());
    for (at, name) in family.iter().enumerate() {
        let boss = (at > 0).then(|| agent(0));
        db.execute("INSERT INTO agents VALUES (?1, ?2, ?3)", params![agent(at), name, boss]).unwrap();
    }
    let mut visit = 0i64;
    for id in 0..80usize {
        let (name, age) = (family[id % 6], 20 + id as i64 * 7 % 50);
        let email = format!("ann.{}{id}@mail.com", name.to_lowercase());
        let row = params![email, name, age, agent(id * 5 % 6)];
        db.execute("INSERT INTO members VALUES (?1, ?2, ?3, ?4)", row).unwrap();
        for i in 0..id % 4 {
            visit += 1;
            let row = params![visit, email, (id + i) as i64 % 10];
            db.execute("INSERT INTO visits VALUES (?1, ?2, ?3)", row).unwrap();
        }
    }
}

#[test]
fn addresses_that_are_keys_are_made_afresh_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("club.db");
    club(&path);
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    let data = DatabaseData::open(&spec, &[], &[]).unwrap();
    let plan = |name: &str| data.plans().iter().find(|plan| plan.name == name).unwrap();
    assert_eq!((plan("agents").part, plan("members").part), (Part::Kept, Part::Learned));
    assert_eq!(plan("members").keys, [Use::Matched]);
    let run = folder.path().join("run");
    let model = learned(&data, &spec, &run);
    let request = DatabaseRequest { scale: 2.0, seed: 3, ..DatabaseRequest::default() };
    let tables = model.sample(&request, &mut |_, _| {}).unwrap();
    let all = made(&tables);
    for table in ["agents", "members"] {
        let emails: HashSet<&str> = cells(all[table], "email").into_iter().flatten().collect();
        assert_eq!(emails.len(), all[table].rows(), "{table}: {emails:?}");
        let known: HashSet<&str> = cells(data.rows(table).unwrap(), "email").into_iter().flatten().collect();
        assert!(emails.is_disjoint(&known), "{table}: {emails:?}");
    }
    for (table, column, parent) in
        [("agents", "boss", "agents"), ("members", "agent", "agents"), ("visits", "member", "members")]
    {
        let known: HashSet<&str> = cells(all[parent], "email").into_iter().flatten().collect();
        let own = cells(all[table], column);
        assert!(own.iter().flatten().all(|cell| known.contains(cell)), "{table}.{column}: {own:?}");
        assert!(table == "agents" || own.iter().all(Option::is_some), "{table}.{column}");
    }
    assert_eq!(all["members"].rows(), 160);
    assert!(all["visits"].rows() > 160);
}

#[test]
fn tables_are_kept_or_learned_as_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shop(&path);
    let text = format!("[data]\nsource = '{}'\nkeep = ['orders', 'reviews']\n", path.display());
    let recipe = Recipe::parse(&text).unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml()).unwrap().data.keep, ["orders", "reviews"]);
    let data = DatabaseData::open(&recipe.data, &[], &[]).unwrap();
    let plan = |name: &str| data.plans().iter().find(|plan| plan.name == name).unwrap();
    assert_eq!((plan("orders").part, plan("orders").why.as_str()), (Part::Kept, "as was asked"));
    assert_eq!((plan("customers").part, plan("lines").part), (Part::Learned, Part::Learned));

    let model = trained(&recipe, 10, &data, &folder.path().join("run"));
    let tables = model.sample(&DatabaseRequest::default(), &mut |_, _| {}).unwrap();
    let all = made(&tables);
    // Rows that refer to new ones refer to others; what they hold beside is theirs.
    for (table, column) in [("orders", "day"), ("orders", "id"), ("reviews", "code")] {
        assert_eq!(cells(all[table], column), cells(data.rows(table).unwrap(), column), "{table}.{column}");
    }
    let ids: HashSet<Option<&str>> = cells(all["customers"], "id").into_iter().collect();
    assert!(cells(all["orders"], "customer").iter().all(|customer| ids.contains(customer)));
    let orders: HashSet<Option<&str>> = cells(all["orders"], "id").into_iter().collect();
    assert!(cells(all["lines"], "order").iter().all(|order| orders.contains(order)));

    // Three rows tell nothing.
    let few = SourceSpec { keep: Vec::new(), learn: vec!["countries".to_owned()], ..recipe.data.clone() };
    let Err(error) = DatabaseData::open(&few, &[], &[]) else { panic!("three rows are learned") };
    assert_eq!(error.to_string(), "table `countries` cannot be learned: 3 rows are too few to learn");
    assert!(error.hint().unwrap().contains("10 rows"), "{:?}", error.hint());
}

#[test]
fn keeps_rows_whose_json_differs_in_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docs.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TABLE docs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, doc TEXT NOT NULL CHECK (json_valid(doc)),
             list TEXT NOT NULL CHECK (json_type(list) = 'array'), more TEXT CHECK (json_valid(more)));",
    )
    .unwrap();
    for id in 1..=60i64 {
        let (doc, list) =
            (format!("{{\"n\":{id},\"mail\":\"a{id}@mail.example\"}}"), format!("[\"tea\", {id}]"));
        let more = (id % 3 > 0).then_some(doc.as_str());
        let row = params![id, ["tea", "tin"][id as usize % 2], doc, list, more];
        db.execute("INSERT INTO docs VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
    }
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    let data = DatabaseData::open(&spec, &[], &[]).unwrap();
    for note in [
        "docs: `doc` differs in every row and is left empty",
        "docs: `list` differs in every row and is left empty",
        "docs: `more` differs in most rows, or tells of somebody, and is left empty",
    ] {
        assert!(data.notes.iter().any(|own| own == note), "{note}: {:?}", data.notes);
    }
    let model = learned(&data, &spec, &folder.path().join("run"));
    let rows = model.sample(&DatabaseRequest::default(), &mut |_, _| {}).unwrap().remove(0);
    assert!(cells(&rows, "doc").iter().all(|cell| *cell == Some("{}")), "{:?}", cells(&rows, "doc"));
    assert!(cells(&rows, "list").iter().all(|cell| *cell == Some("[]")), "{:?}", cells(&rows, "list"));
    let all = [Rows { table: "docs".to_owned(), rows, is_kept: false }];
    let (target, pg) = (folder.path().join("new.db").display().to_string(), PgDefaults::default());
    let how = DatabaseWriting { target: &target, if_exists: IfExists::Fail, provenance: None, pg: &pg };
    let written = write_database(data.schema(), &all, &how).unwrap();
    assert_eq!((written.tables[0].rows, written.tables[0].refused), (60, 0), "{written:?}");
}
