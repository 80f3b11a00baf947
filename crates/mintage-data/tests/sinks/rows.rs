//! Rows that are added to files and tables of real ones, or take their place.

use std::{collections::BTreeSet, fs, path::Path, thread};

use mintage_data::{
    Error, SourceSpec, Table,
    table::{IfExists, read},
};

use super::{common::write, people, real_rows, spec};

#[test]
fn appended_rows_are_never_read_as_real_ones() {
    for name in ["a.csv", "a.tsv", "a.csv.gz", "a.jsonl", "a.jsonl.zst"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let target = path.display().to_string();
        real_rows(&path, 300);
        for from in [1000, 2000] {
            write(&people(from, 100), &target, None, IfExists::Append, &[]).unwrap();
        }
        let table = read(&spec(&target)).unwrap();
        assert_eq!(
            (table.rows(), &table.notes[..]),
            (300, &["200 rows made by mintage, left out".to_owned()][..]),
            "{name}"
        );
        assert!(table.columns[0].iter().all(|cell| cell.unwrap().len() < "имя, \"1000\"".len()));
        let few = read(&SourceSpec { limit: Some(50), column: Some("age".into()), ..spec(&target) }).unwrap();
        assert_eq!(few.rows(), 50);
        assert_eq!(read(&SourceSpec { allow_made: true, ..spec(&target) }).unwrap().rows(), 500);
    }
}

#[test]
fn rows_are_known_wherever_their_owner_puts_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let target = path.display().to_string();
    real_rows(&path, 30);
    write(&people(1000, 10), &target, None, IfExists::Append, &[]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    // Sorted, with other separators and line ends, and with one more real row.
    let mut rows: Vec<String> = rows.lines().map(str::to_owned).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.clone()));
    rows.push("\"new one\",33".to_owned());
    fs::write(&path, format!("{header}\r\n{}\r\n", rows.join("\r\n"))).unwrap();
    assert_eq!(read(&spec(&target)).unwrap().rows(), 31);
    // One that was changed is real, one that is gone does not matter.
    let changed = fs::read_to_string(&path).unwrap().replace("1003", "ten-oh-three");
    fs::write(&path, changed).unwrap();
    assert_eq!(read(&spec(&target)).unwrap().rows(), 32);
}

#[test]
fn files_of_made_rows_alone_are_read_when_asked() {
    for name in ["a.csv", "a.jsonl", "a.parquet"] {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join(name).display().to_string();
        write(&people(0, 40), &target, None, IfExists::Fail, &[]).unwrap();
        let error = read(&spec(&target)).unwrap_err();
        assert!(matches!(error, Error::OnlyMade { count: 40, .. }), "{name}: {error}");
        assert_eq!(read(&SourceSpec { allow_made: true, ..spec(&target) }).unwrap().rows(), 40);
        // Rows of another file that replaces them are of that one alone.
        write(&people(500, 20), &target, None, IfExists::Replace, &[]).unwrap();
        assert!(matches!(read(&spec(&target)), Err(Error::OnlyMade { count: 20, .. })));
    }
}

#[test]
fn a_note_without_its_rows_makes_no_row_unreal() {
    let dir = tempfile::tempdir().unwrap();
    let (old, path) = (dir.path().join("old.csv"), dir.path().join("a.csv"));
    write(&people(5000, 50), &old.display().to_string(), None, IfExists::Fail, &[]).unwrap();
    real_rows(&path, 50);
    // As after a crash between the note and the rows.
    fs::rename(dir.path().join("old.csv.mintage.json"), dir.path().join("a.csv.mintage.json")).unwrap();
    assert_eq!(read(&spec(path.display())).unwrap().rows(), 50);
}

#[test]
fn many_appenders_to_one_file_lose_no_row() {
    for name in ["a.csv", "a.jsonl"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        real_rows(&path, 50);
        thread::scope(|scope| {
            for writer in 1..5 {
                let target = path.display().to_string();
                scope.spawn(move || {
                    for part in 0..5 {
                        let rows = people(writer * 1000 + part * 100, 20);
                        write(&rows, &target, None, IfExists::Append, &[]).unwrap();
                    }
                });
            }
        });
        let all = SourceSpec { allow_made: true, ..spec(path.display()) };
        let names: BTreeSet<String> =
            read(&all).unwrap().columns[0].iter().map(|cell| cell.unwrap().to_owned()).collect();
        assert_eq!(names.len(), 450, "{name}");
        assert_eq!(read(&spec(path.display())).unwrap().rows(), 50);
    }
}

/// A database in which rows of `orders` belong to rows of `people`, with an index and a trigger on these.
fn with_orders(path: &Path, orders: usize) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    let sql = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); \
               INSERT INTO people VALUES (1, 'Anna'), (2, 'Boris'); \
               CREATE INDEX by_name ON people (name); CREATE TABLE log (name TEXT); \
               CREATE TRIGGER told AFTER INSERT ON people BEGIN INSERT INTO log VALUES (new.name); END; \
               CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER REFERENCES People ON DELETE CASCADE);";
    connection.execute_batch(sql).unwrap();
    for i in 0..orders {
        connection.execute("INSERT INTO orders VALUES (?1, 1)", [i as i64]).unwrap();
    }
    connection
}

#[test]
fn replacing_a_table_takes_no_other_rows_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let connection = with_orders(&path, 3);
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let target = path.display().to_string();
    let replace = |table: &Table| write(table, &target, Some("people"), IfExists::Replace, &[]);
    let error = replace(&people(10, 4)).unwrap_err();
    assert!(error.to_string().contains("rows of the table `orders` refer to"), "{error}");
    assert!(error.hint().unwrap().contains("`if_exists` append"));
    assert_eq!((count("SELECT count(*) FROM orders"), count("SELECT count(*) FROM people")), (3, 2));
    connection.execute("DELETE FROM orders", []).unwrap();
    let error = replace(&people(10, 4)).unwrap_err();
    assert!(error.to_string().contains("the table `orders` refers to a key of it"), "{error}");
    connection.execute_batch("DROP TABLE orders").unwrap();
    replace(&people(10, 4)).unwrap();
    assert_eq!((count("SELECT count(*) FROM people"), count("SELECT count(*) FROM log")), (4, 0));
    let own = "SELECT count(*) FROM sqlite_schema WHERE tbl_name = 'people' AND name IN ('by_name', 'told')";
    assert_eq!(count(own), 2);
    connection.execute("INSERT INTO people (name) VALUES ('Vera')", []).unwrap();
    assert_eq!(count("SELECT count(*) FROM log WHERE name = 'Vera'"), 1);
    // An index of a column that the new table does not have.
    let mut other = people(20, 4);
    let at = other.columns.iter().position(|column| column.name == "name").unwrap();
    other.columns[at].name = "title".to_owned();
    let error = replace(&other).unwrap_err();
    assert!(error.to_string().contains("its index `by_name` does not fit"), "{error}");
    connection.execute_batch("DROP INDEX by_name").unwrap();
    let error = replace(&other).unwrap_err();
    assert!(error.to_string().contains("its trigger `told` does not fit"), "{error}");
    assert_eq!(count("SELECT count(*) FROM people"), 5);
}
