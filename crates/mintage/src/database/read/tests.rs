#![allow(clippy::unwrap_used)]

use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::database::filled::NONE;

/// Customers in towns, each with four orders, each with two lines of some product; staff with bosses, three levels of them; one
/// till with very many receipts. `n` customers.
fn shop(path: &Path, n: u32) {
    let db = Connection::open(path).unwrap();
    let sql = format!(
        "CREATE TABLE towns (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE staff (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES staff, grade INTEGER NOT NULL);
         CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL);
         CREATE TABLE customers (id INTEGER PRIMARY KEY, town INTEGER NOT NULL REFERENCES towns, age INTEGER NOT NULL);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, day INTEGER NOT NULL);
         CREATE TABLE lines (\"order\" INTEGER NOT NULL REFERENCES orders, position INTEGER NOT NULL,
             product INTEGER NOT NULL REFERENCES products, amount INTEGER NOT NULL, PRIMARY KEY (\"order\", position));
         CREATE TABLE tills (id INTEGER PRIMARY KEY, area INTEGER NOT NULL);
         CREATE TABLE receipts (id INTEGER PRIMARY KEY, till INTEGER NOT NULL REFERENCES tills, total INTEGER NOT NULL);
         WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 7)
             INSERT INTO towns SELECT i, 'town ' || i FROM k;
         WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 9000)
             INSERT INTO staff SELECT i, CASE WHEN i > 1 THEN i / 20 + 1 END, i % 5 FROM k;
         WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 9000)
             INSERT INTO products SELECT i, i % 90 FROM k;
         WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < {n})
             INSERT INTO customers SELECT i, i % 7 + 1, i % 60 + 18 FROM k;
         INSERT INTO orders SELECT (c.id - 1) * 4 + k.i, c.id, c.id % 300 + k.i
             FROM customers c, (SELECT 1 AS i UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) k;
         INSERT INTO orders SELECT 4 * {n} + id, NULL, 5 FROM customers WHERE id % 4 = 0;
         INSERT INTO lines SELECT o.id, k.i, (o.id * 7 + k.i) % 9000 + 1, o.id % 4 + 1
             FROM orders o, (SELECT 1 AS i UNION SELECT 2) k;
         INSERT INTO tills SELECT id, id * 10 FROM towns;
         INSERT INTO tills SELECT id + 7, id * 9 FROM towns;
         INSERT INTO receipts SELECT id, id % 14 + 1, id % 100 FROM orders;"
    );
    db.execute_batch(&sql).unwrap();
}

fn opened(path: &Path, limit: Option<usize>) -> (Schema, Database, Vec<String>) {
    let spec = SourceSpec { source: path.display().to_string(), limit, ..SourceSpec::default() };
    read(&spec, &[], &[], Extent::Families).unwrap()
}

#[test]
fn reads_whole_families_and_counts_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shop(&path, 8000);
    let (_, whole, notes) = opened(&path, None);
    assert!(whole.values().all(|filled| filled.learned.is_none()), "{notes:?}");
    let (schema, part, notes) = opened(&path, Some(60_000));
    assert!(notes.iter().any(|note| note.contains("no more than 60,000 rows are asked for")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("of 8,000 rows of customers")), "{notes:?}");
    let learned = |name: &str| part[name].learned();
    assert_eq!((part["towns"].learned, part["tills"].learned), (None, None));
    assert!((1800..4500).contains(&learned("customers")), "{}", learned("customers"));
    let all: usize = part.keys().map(|name| learned(name)).sum();
    assert!((30_000..66_000).contains(&all), "{all}");
    // Every customer has all of its orders, every order all of its lines.
    let (customers, orders, lines) = (&part["customers"], &part["orders"], &part["lines"]);
    assert!(orders.is_whole(0) && lines.is_whole(0));
    assert!(orders.children(0, customers)[..customers.learned()].iter().all(|&n| n == 4));
    assert!(lines.children(0, orders)[..orders.learned()].iter().all(|&n| n == 2));
    // Orders of nobody keep their share.
    let nobody = orders.parents[0][..orders.learned()].iter().filter(|&&row| row == NONE).count();
    let share = nobody as f64 / orders.learned() as f64;
    assert!((share - 1.0 / 17.0).abs() < 0.02, "{share}");
    // Each product has the lines of the whole database, and each line has its product.
    let products = &part["products"];
    let numbers = lines.children(1, products);
    assert!(!lines.is_whole(1) && products.learned() < products.rows());
    let mean = numbers[..products.learned()].iter().sum::<u32>() as f64 / products.learned() as f64;
    assert!((mean - 68_000.0 / 9000.0).abs() < 0.3, "{mean}");
    assert!(lines.parents[1][..lines.learned()].iter().all(|&row| row != NONE));
    // Above every chosen member of the staff stand all the others up to the first.
    let staff = &part["staff"];
    assert!(staff.learned() < staff.rows());
    let has_boss = |row: usize| {
        staff.parents[0][row] != NONE || staff.table.column("id").unwrap().cell(row) == Some("1")
    };
    assert!((0..staff.rows()).all(has_boss));
    let numbers = &staff.degrees[0].as_ref().unwrap()[..staff.learned()];
    assert!(numbers.iter().all(|n| [0, 1, 18, 20].contains(n)), "{:?}", &numbers[..9]);
    // Of a till with thousands of receipts a part is enough, and all of them are counted.
    let (tills, receipts) = (&part["tills"], &part["receipts"]);
    assert!(receipts.learned() < 20_000 && !receipts.is_whole(0));
    assert!(receipts.children(0, tills).iter().all(|&n| (2250..2600).contains(&n)));
    let again = opened(&path, Some(60_000)).1;
    assert!(again.iter().all(|(name, filled)| filled.table == part[name].table));
    assert_eq!(schema.tables.len(), part.len());
}

#[test]
fn plans_of_a_part_are_those_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shop(&path, 8000);
    let open = |limit| {
        let spec = SourceSpec { source: path.display().to_string(), limit, ..SourceSpec::default() };
        crate::database::DatabaseData::open(&spec, &[], &[]).unwrap()
    };
    let (whole, part) = (open(None), open(Some(60_000)));
    assert!(whole.rows_read().is_empty() && part.rows_read().contains_key("customers"));
    for (a, b) in whole.plans().iter().zip(part.plans()) {
        assert_eq!((&a.name, a.part, a.rows, &a.keys), (&b.name, b.part, b.rows, &b.keys));
        assert_eq!((&a.number, a.number_from), (&b.number, b.number_from), "{}", a.name);
        assert!((a.orphans as f64 - b.orphans as f64).abs() <= 0.3 * a.orphans as f64, "{}", a.name);
    }
}

#[test]
fn rows_that_were_made_are_judged_beside_the_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        SourceSpec { source: path.display().to_string(), allow_made: true, ..SourceSpec::default() }
    };
    let columns = "CREATE TABLE \"a \"\"shop\" (id INTEGER PRIMARY KEY, \"the area\" INT, twice INT AS (\"the area\" * 2)";
    let real = file("real.db", &format!("{columns}); INSERT INTO \"a \"\"shop\" VALUES (1, 5), (2, 6);"));
    let made = file(
        "made.db",
        &format!(
            "{columns}, mintage TEXT); INSERT INTO \"a \"\"shop\" VALUES (1, 5, 'x'), (2, 7, 'x'), (3, 8, 'x');"
        ),
    );
    let (schema, _, _) = read(&real, &[], &[], Extent::Everything).unwrap();
    let (tables, notes) = rows_beside(&schema, &made).unwrap();
    assert!(notes.is_empty() && tables.len() == 1, "{notes:?}");
    assert_eq!(tables[0].names().collect::<Vec<_>>(), ["id", "the area", "twice"]);
    assert_eq!(tables[0].column("twice").unwrap().iter().collect::<Vec<_>>(), ["10", "14", "16"].map(Some));
}
