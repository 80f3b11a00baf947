//! A new database that is drawn and written part by part is one database: keys hold across parts, numbers go on, and nothing
//! that must differ comes twice.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::path::Path;

use common::trained;
use mintage::{
    Error, Recipe,
    data::{
        IfExists, PgDefaults, Table,
        database::{DatabaseWriting, Rows, WrittenDatabase, write_database_parts},
    },
    database::{DatabaseData, DatabaseModel, DatabaseRequest, Part, Use},
};
use rusqlite::{Connection, params};

/// Customers with addresses that differ and orders line by line; products that lines refer to, countries that are kept, favourites
/// that are kept and refer to reviews, and reviews with codes and numbers of their own.
fn shop(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE countries (code TEXT PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
             country TEXT NOT NULL REFERENCES countries);
         CREATE TABLE products (id INTEGER PRIMARY KEY, price REAL NOT NULL, line TEXT NOT NULL);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, day TEXT NOT NULL);
         CREATE TABLE lines (\"order\" INTEGER NOT NULL REFERENCES orders, position INTEGER NOT NULL,
             product INTEGER NOT NULL REFERENCES products, amount INTEGER NOT NULL, PRIMARY KEY (\"order\", position));
         CREATE TABLE reviews (code TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, stars INTEGER NOT NULL);
         CREATE TABLE favourites (id INTEGER PRIMARY KEY, review TEXT NOT NULL REFERENCES reviews);",
    )
    .unwrap();
    for (code, name) in [("de", "Germany"), ("fr", "France"), ("ru", "Россия")] {
        db.execute("INSERT INTO countries VALUES (?1, ?2)", params![code, name]).unwrap();
    }
    for id in 1..=30i64 {
        let line = ["tea", "cup", "tin"][id as usize % 3];
        db.execute("INSERT INTO products VALUES (?1, ?2, ?3)", params![id, id as f64 * 1.5, line]).unwrap();
    }
    for id in 1..=50i64 {
        let code = format!("R-{:06}", id * 7919 % 999_983);
        let row = params![code, format!("NO-{id:04}"), id % 5 + 1];
        db.execute("INSERT INTO reviews VALUES (?1, ?2, ?3)", row).unwrap();
        if id <= 3 {
            db.execute("INSERT INTO favourites VALUES (?1, ?2)", params![id, code]).unwrap();
        }
    }
    let (family, mut order, mut rows) =
        (["smith", "jones", "miller", "becker", "wagner", "hughes"], 0i64, 0i64);
    for id in 1..=120i64 {
        let country = ["de", "fr", "ru"][(id * id % 7 % 3) as usize];
        let (email, kind) = (
            format!("ann.{}{id}@mail.com", family[id as usize % 6]),
            if id % 3 == 0 { "firm" } else { "person" },
        );
        db.execute("INSERT INTO customers VALUES (?1, ?2, ?3, ?4)", params![id, email, kind, country])
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
    }
}

/// A small model of a few steps, of a shop in a folder.
fn learned(folder: &Path) -> DatabaseModel {
    let path = folder.join("shop.db");
    shop(&path);
    let text = format!("[data]\nsource = '{}'\nlearn = ['products', 'reviews']\n", path.display());
    let recipe = Recipe::parse(&text).unwrap();
    let data = DatabaseData::open(&recipe.data, &[], &[]).unwrap();
    let plan = |name: &str| data.plans().iter().find(|plan| plan.name == name).unwrap();
    assert_eq!((plan("countries").part, plan("favourites").part), (Part::Kept, Part::Kept));
    assert_eq!(plan("lines").keys, [Use::Main, Use::Matched]);
    assert!(data.persons().iter().any(|persons| persons.table == "customers" && persons.makes("email")));
    trained(&recipe, 20, &data, &folder.join("run"))
}

/// All parts of a request.
fn drawn(model: &DatabaseModel, request: &DatabaseRequest) -> Vec<Vec<Table>> {
    let mut parts = model.parts(request).unwrap();
    let (steps, mut told) = (parts.steps(), 0);
    let mut all = Vec::new();
    while let Some(tables) = parts.next_tables(&mut |_, _| told += 1).unwrap() {
        all.push(tables);
    }
    assert_eq!((all.len(), told), (parts.total(), steps));
    all
}

fn written(model: &DatabaseModel, parts: Vec<Vec<Table>>, path: &Path) -> WrittenDatabase {
    let (target, pg) = (path.display().to_string(), PgDefaults::default());
    let how = DatabaseWriting { target: &target, if_exists: IfExists::Fail, provenance: None, pg: &pg };
    let mut parts = parts.into_iter();
    let mut next = || -> Result<Option<Vec<Rows>>, Error> {
        let rows = |rows: Table| Rows { table: rows.name.clone(), rows, is_kept: false };
        Ok(parts.next().map(|tables| tables.into_iter().map(rows).collect()))
    };
    write_database_parts(model.schema(), &mut next, &how).unwrap()
}

#[test]
fn parts_are_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let model = learned(folder.path());
    // About 5,300 cells.
    let whole = DatabaseRequest { scale: 2.0, seed: 5, ..DatabaseRequest::default() };
    let request = DatabaseRequest { part_cells: 1200.0, ..whole.clone() };

    let parts = drawn(&model, &request);
    assert!(parts.len() >= 4, "{}", parts.len());
    assert_eq!(parts, drawn(&model, &request));
    let tables = |at: usize| parts[at].iter().map(|table| table.name.as_str()).collect::<Vec<_>>();
    assert!(tables(0).contains(&"countries") && tables(0).contains(&"products"), "{:?}", tables(0));
    for at in 1..parts.len() {
        let mut names = tables(at);
        names.sort_unstable();
        assert_eq!(names, ["customers", "lines", "orders", "reviews"]);
    }

    let path = folder.path().join("new.db");
    let written = written(&model, parts, &path);
    assert!(written.tables.iter().all(|table| table.refused == 0), "{:?}", written.tables);
    let db = Connection::open(&path).unwrap();
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    // Kept tables are there once, and rows of others as many as were asked for.
    for (table, rows) in
        [("countries", 3), ("favourites", 3), ("customers", 240), ("products", 60), ("reviews", 100)]
    {
        assert_eq!(number(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    // Numbers of children are those of the source in all parts together: a quarter of the customers has 0, 1, 2 and 3.
    assert_eq!(number("SELECT count(*) FROM orders"), 360);
    for table in ["customers", "orders", "products"] {
        let gaps = format!("SELECT max(id) - count(DISTINCT id) + abs(min(id) - 1) FROM {table}");
        assert_eq!(number(&gaps), 0, "{table}");
    }
    for (table, column) in [("customers", "email"), ("reviews", "code"), ("reviews", "number")] {
        let repeated = format!("SELECT count(*) - count(DISTINCT {column}) FROM {table}");
        assert_eq!(number(&repeated), 0, "{table}.{column}");
    }
    // Rows of every part refer to the same products.
    assert!(number("SELECT max(n) FROM (SELECT count(*) AS n FROM lines GROUP BY product)") > 4);
}

#[test]
fn a_request_of_one_part_is_drawn_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let model = learned(folder.path());
    let request = DatabaseRequest { scale: 1.5, seed: 9, ..DatabaseRequest::default() };
    let parts = drawn(&model, &request);
    assert_eq!(parts, [model.sample(&request, &mut |_, _| {}).unwrap()]);

    // Given rows are cut as well, and keep what they have.
    let given = Table {
        name: "customers".to_owned(),
        columns: vec![
            mintage::data::Column::of("id", [Some("900"), None, Some("7"), None, None, None]),
            mintage::data::Column::of("country", ["de", "fr", "de", "fr", "de", "fr"].map(Some)),
        ],
        ..Table::default()
    };
    let given = [("customers".to_owned(), given)].into();
    let parts = drawn(&model, &DatabaseRequest { given, part_cells: 60.0, ..request });
    assert!(parts.len() > 1);
    let customers = || parts.iter().flatten().filter(|table| table.name == "customers");
    let cells = |name: &str| -> Vec<String> {
        let all = customers().flat_map(|table| table.column(name).unwrap().iter());
        all.flatten().map(str::to_owned).collect()
    };
    assert_eq!(cells("id"), ["900", "901", "7", "902", "903", "904"]);
    assert_eq!(cells("country"), ["de", "fr", "de", "fr", "de", "fr"]);
}
