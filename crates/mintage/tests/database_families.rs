//! Every family of rows makes whole databases, through the same keys.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::{collections::HashSet, path::Path};

use common::trained;
use mintage::{
    Family, Recipe,
    data::{SourceSpec, Table},
    database::{DatabaseData, DatabaseRequest, Part, Use, prove},
};
use rusqlite::Connection;

/// Customers with up to three orders each, one after another in time, and the products that these are of.
fn shop(path: &Path) {
    let mut sql = "CREATE TABLE customers (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, age INTEGER NOT NULL);
         CREATE TABLE products (id INTEGER PRIMARY KEY, line TEXT NOT NULL, price REAL NOT NULL);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers,
             product INTEGER NOT NULL REFERENCES products, day TEXT NOT NULL, amount INTEGER NOT NULL);"
        .to_owned();
    for id in 1..=20 {
        let line = ["tea", "cup", "tin"][id % 3];
        sql.push_str(&format!("INSERT INTO products VALUES ({id}, '{line}', {}.5);", id * 7 % 19));
    }
    for id in 1..=40 {
        let kind = ["firm", "person"][id % 2];
        sql.push_str(&format!("INSERT INTO customers VALUES ({id}, '{kind}', {});", id * 11 % 60 + 18));
        for i in 0..id % 4 {
            sql.push_str(&format!(
                "INSERT INTO orders (customer, product, day, amount) VALUES ({id}, {}, '2024-{:02}-{:02}', {});",
                (id * 3 + i * 7) % 20 + 1,
                id % 12 + 1,
                i * 8 + id % 7 + 1,
                (id + i) % 6 + 1
            ));
        }
    }
    Connection::open(path).unwrap().execute_batch(&sql).unwrap();
}

/// New rows, half as many as there are, by small models of a family that took a few steps.
fn made(family: Family, data: &DatabaseData, spec: &SourceSpec, run: &Path) -> Vec<Table> {
    let mut recipe = Recipe::for_source(&spec.source);
    recipe.model.family = Some(family);
    let model = trained(&recipe, 5, data, run);
    let request = DatabaseRequest { scale: 0.5, seed: 5, ..DatabaseRequest::default() };
    model.sample(&request, &mut |_, _| {}).unwrap()
}

#[test]
fn every_family_makes_rows_whose_keys_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shop(&path);
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    let data = DatabaseData::open(&spec, &[], &[]).unwrap();
    assert!(data.plans().iter().all(|plan| plan.part == Part::Learned));
    let orders = data.plans().iter().find(|plan| plan.name == "orders").unwrap();
    assert_eq!(orders.keys, [Use::Main, Use::Matched]);
    // The default is learned in the tests of everything else.
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Ar) {
        let name = family.name();
        let tables = made(family, &data, &spec, &folder.path().join(name));
        let of = |table: &str| tables.iter().find(|own| own.name == table).unwrap();
        assert_eq!((of("customers").rows(), of("products").rows()), (20, 10), "{name}");
        assert!(of("orders").rows() > 0, "{name}");
        for (column, parent) in [("customer", "customers"), ("product", "products")] {
            let ids: HashSet<Option<&str>> = of(parent).column("id").unwrap().iter().collect();
            let keys: Vec<Option<&str>> = of("orders").column(column).unwrap().iter().collect();
            assert!(keys.iter().all(|key| key.is_some() && ids.contains(key)), "{name}: {keys:?}");
        }
        let proof = prove(&data, data.plans(), &tables);
        assert_eq!((proof.lost(), proof.missing(), proof.duplicates()), (0, 0, 0), "{name}");
    }
}
