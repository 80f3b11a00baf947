//! `mintage keep`: chosen samples, shown before they are written, written, taken back; and nothing else changed.

use rusqlite::Connection;

use crate::helpers::{Place, QUICK};

/// All rows of a table, as texts.
fn rows(place: &Place, file: &str, table: &str) -> Vec<String> {
    let connection = Connection::open(place.path(file)).unwrap();
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = statement.column_count();
    let mut found = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = found.next().unwrap() {
        all.push(
            (0..columns).map(|i| format!("{:?}", row.get_ref(i).unwrap())).collect::<Vec<_>>().join("|"),
        );
    }
    all
}

#[test]
fn images_are_kept_shown_written_and_taken_back() {
    let place = Place::new();
    drop(place.shop("shop.db", 60));
    let columns = "--table goods --column photo --label kind";
    place.ok(&format!("train shop.db {columns} --model vae {QUICK} --name m"));
    let before = rows(&place, "shop.db", "goods");
    let said = place.refused("keep m --write -o shop.db");
    assert!(said.contains("nothing is kept"), "{said}");
    let kept = place.ok("keep m -n 6 --items 0,3..4 --seed 1 --json").json();
    assert_eq!(kept["kept"], serde_json::json!(["1", "2", "3"]));
    place.ok("keep m -n 2 --where kind=boot --seed 2");
    assert!(place.refused("keep m -n 2 --items 5 --seed 2").contains("no item 5"));
    assert_eq!(place.ok("keep m --list").text().lines().count(), 5);
    place.ok("keep m --remove 2");

    let database = place.read("shop.db");
    let shown = place.ok("keep m --write -o shop.db --dry-run");
    assert_eq!(place.read("shop.db"), database);
    let lines: Vec<&str> = shown.text().lines().collect();
    assert_eq!((lines.len(), lines[0]), (5, "id\tkind\tphoto"));
    assert!(lines[1].starts_with("61\t") && lines[4].starts_with("64\tboot\t(image of "), "{lines:?}");
    let written = place.ok("keep m --write -o shop.db --json").json();
    let batch = written["batch"].as_str().unwrap();
    assert_eq!((&written["n"], &written["rows"][3][0]), (&4.into(), &64.into()));
    assert_eq!(rows(&place, "shop.db", "goods").len(), 64);
    assert!(place.ok("keep m --list").text().contains(&format!("batch {batch}: 4 items in")));
    // All are written, unless they are named.
    assert!(place.refused("keep m --write -o shop.db").contains("nothing is kept that was not written"));
    assert!(place.refused("keep m --undo abc").contains("no batch `abc`"));
    let undone = place.ok(&format!("keep m --undo {batch}"));
    assert!(
        undone.stderr.contains("4 items from shop.db") || undone.stderr.contains("4 items from /"),
        "{}",
        undone.stderr
    );
    assert_eq!(rows(&place, "shop.db", "goods"), before);
    // What is kept is never learned from.
    place.ok("keep m --write 1 4..5 -o shop.db");
    assert!(place.ok("inspect shop.db").text().contains("60 images"));
}

#[test]
fn rows_are_kept_shown_written_and_taken_back() {
    let place = Place::new();
    let connection = Connection::open(place.path("people.db")).unwrap();
    connection
        .execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY, age INTEGER NOT NULL, kind TEXT)")
        .unwrap();
    for i in 0..200 {
        let row = rusqlite::params![(20 + i * 7 % 50) as i64, ["a", "b", "c"][i % 3]];
        connection.execute("INSERT INTO people (age, kind) VALUES (?1, ?2)", row).unwrap();
    }
    drop(connection);
    place.ok("train people.db --table people --model mixture --size tiny --steps 20 --name p");
    let before = rows(&place, "people.db", "people");
    place.ok_args(&["keep", "p", "--request", r#"{"n": 3, "seed": 4, "where": {"kind": "b"}}"#]);
    let said = place.refused("keep p --write -o people.db");
    assert!(said.contains("is there already") && said.contains("--if-exists"), "{said}");
    let shown = place.ok("keep p --write -o people.db --if-exists append --dry-run");
    assert_eq!(rows(&place, "people.db", "people"), before);
    let lines: Vec<&str> = shown.text().lines().collect();
    assert_eq!(lines[0], "id\tage\tkind");
    assert!(lines[1].starts_with("201\t") && lines[1].ends_with("\tb"), "{lines:?}");
    let written = place.ok("keep p --write -o people.db --if-exists append --json").json();
    assert_eq!(written["rows"][0][0], 201);
    let made = place.ok("show people.db --json").json();
    assert_eq!((&made["made"][0]["n"], &made["made"][0]["made_by"]["seed"]), (&3.into(), &4.into()));
    Connection::open(place.path("people.db"))
        .unwrap()
        .execute("UPDATE people SET age = 1 WHERE id = 202", [])
        .unwrap();
    let undone = place.ok(&format!("keep p --undo {}", written["batch"].as_str().unwrap()));
    assert!(undone.stderr.contains("1 of them had been changed"), "{}", undone.stderr);
    assert_eq!(rows(&place, "people.db", "people"), before);
}
