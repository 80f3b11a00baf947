//! Keys between tables that only the user knows.

use rusqlite::Connection;

use crate::helpers::Place;

/// Shops with sales, whose key is called after nothing, and a key to a table that is not there.
fn sales(place: &Place) {
    let db = Connection::open(place.path("shop.db")).unwrap();
    let mut sql =
        "PRAGMA foreign_keys = OFF; CREATE TABLE shops (id INTEGER PRIMARY KEY, size INTEGER NOT NULL);
         CREATE TABLE sales (id INTEGER PRIMARY KEY, seller INTEGER NOT NULL, amount INTEGER NOT NULL,
             old INTEGER REFERENCES gone (id));"
            .to_owned();
    for i in 1..=40 {
        sql.push_str(&format!("INSERT INTO shops VALUES ({i}, {});", i * 7 % 90));
        sql.push_str(&format!("INSERT INTO sales VALUES ({i}, {}, {}, {});", i % 15 + 1, i % 6, i % 4));
    }
    db.execute_batch(&sql).unwrap();
}

#[test]
fn keys_are_said_on_the_command_line() {
    let place = Place::new();
    sales(&place);
    let error = place.refused("train shop.db --size tiny --steps 2");
    assert!(error.contains("table `gone`, which is not there") && error.contains("=none"), "{error}");
    let keys = "--key sales.old=none --key sales.seller=shops";
    let said = place.ok(&format!("inspect shop.db {keys}"));
    assert!(said.text().contains("  seller ⇢ shops.id, given\n"), "{}", said.text());
    assert!(!said.text().contains("→ gone"), "{}", said.text());
    place.ok(&format!("train shop.db {keys} --size tiny --steps 5 --name shop"));
    place.ok("sample shop -o new.db");
    let new = Connection::open(place.path("new.db")).unwrap();
    let count = |sql: &str| new.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM sales WHERE seller NOT IN (SELECT id FROM shops)"), 0);
    assert!(count("SELECT count(*) FROM sales") > 0);
}

#[test]
fn keys_of_a_recipe_are_for_whole_databases() {
    let place = Place::new();
    sales(&place);
    let keys = "[[data.keys]]\ntable = 'sales'\ncolumn = 'old'\nremove = true\n[[data.keys]]\ntable = 'sales'\ncolumn = 'seller'\nparent = 'shops'\n";
    place.write("recipe.toml", format!("[data]\nsource = 'shop.db'\n{keys}[train]\nsteps = 2\n"));
    assert!(place.refused("train recipe.toml").contains("--tables all"));
    let said = place.ok("train recipe.toml --tables all --dry-run --json").json();
    assert_eq!(said["tables"][1]["keys"][0], "main", "{said}");
    place.write("wrong.toml", format!("[data]\nsource = 'shop.db'\n{keys}colum = 'x'\n"));
    assert!(place.refused("train wrong.toml --tables all").contains("colum"));
}

#[test]
fn keys_that_cannot_be_are_refused() {
    let place = Place::new();
    sales(&place);
    let refused = |flags: &str| place.refused(&format!("inspect shop.db --key sales.old=none {flags}"));
    assert!(refused("--key sales.seller=shop").contains("did you mean `shops`?"));
    assert!(refused("--key seller").contains("orders.customer_id=customers.id"));
    let error = refused("--key sales.seller=sales.amount");
    assert!(error.replace("\n  ", " ").contains("6 values of it are in several rows"), "{error}");
    place.write("rows.csv", "a,b\n1,2\n3,4\n");
    assert!(place.refused("inspect rows.csv --key a.b=c.d").contains("--key is for databases"));
}

#[test]
fn reference_tables_are_corrected_on_the_command_line() {
    let place = Place::new();
    let db = Connection::open(place.path("shop.db")).unwrap();
    let mut sql = "PRAGMA foreign_keys = OFF; CREATE TABLE sizes (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE goods (id INTEGER PRIMARY KEY, size INTEGER REFERENCES sizes, price INTEGER);
         CREATE TABLE sales (id INTEGER PRIMARY KEY, good INTEGER REFERENCES goods, amount INTEGER);"
        .to_owned();
    for i in 1..=120 {
        sql.push_str(&format!("INSERT OR IGNORE INTO sizes VALUES ({}, 'size {}');", i % 12, i % 12 % 5));
        sql.push_str(&format!("INSERT INTO goods VALUES ({i}, {}, {});", i % 12, i * 7 % 50));
        sql.push_str(&format!("INSERT INTO sales VALUES ({i}, {}, {});", i * 3 % 60 + 1, i % 6));
    }
    db.execute_batch(&sql).unwrap();
    let plan = |flags: &str| {
        let said = place.ok(&format!("train {flags} --dry-run --json")).json();
        let of = |plan: &serde_json::Value| {
            let [name, part, why] = ["name", "part", "why"].map(|key| plan[key].as_str().unwrap().to_owned());
            (name, (part, why))
        };
        let plans = said["tables"].as_array().unwrap().iter().map(of);
        plans.collect::<std::collections::HashMap<String, (String, String)>>()
    };
    let asked = |part: &str| (part.to_owned(), "as was asked".to_owned());
    assert_eq!(plan("shop.db")["sizes"].0, "kept");
    let plans = plan("shop.db --learn sizes --keep goods");
    assert_eq!((&plans["sizes"], &plans["goods"]), (&asked("learned"), &asked("kept")));
    assert_eq!(plans["sales"].0, "learned");
    // A flag has the last word.
    place.write(
        "recipe.toml",
        "[data]\nsource = 'shop.db'\nkeep = ['goods']\nlearn = ['sizes']\n[train]\nsteps = 2\n",
    );
    let plans = plan("recipe.toml --tables all --keep sizes");
    assert_eq!((&plans["sizes"], &plans["goods"]), (&asked("kept"), &asked("kept")));
    assert!(place.refused("train recipe.toml").contains("`keep` of [data] is for whole databases"));
    let refused =
        |flags: &str| place.refused(&format!("train shop.db --steps 2 {flags}")).replace("\n  ", " ");
    assert!(refused("--keep good").contains("did you mean `goods`?"));
    let error = refused("--keep goods --learn goods");
    assert!(error.contains("table `goods` is to be kept as it is, and to be learned"), "{error}");
}
