//! Tables from files and SQLite and back, with everything that can be wrong with them.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::Path};

use common::{column, counter, failure, people, provenance, rows, spec, write};
use mintage_data::{
    DataKind, SourceSpec, Table, Type, is_table,
    table::{self, IfExists, Quoting, read, schema::IdFormat, tables_of},
};
use rusqlite::Connection;

/// A file in a folder of its own.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let path = path.display().to_string();
    (dir, path)
}

fn csv(text: impl AsRef<[u8]>) -> Result<Table, mintage_data::Error> {
    let (_dir, path) = file("t.csv", text);
    read(&spec(path))
}

fn database(sql: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let path = path.display().to_string();
    (dir, path)
}

fn in_table(source: &str, table: &str) -> SourceSpec {
    SourceSpec { table: Some(table.into()), ..spec(source) }
}

#[test]
fn every_file_gives_back_what_it_got() {
    let dir = tempfile::tempdir().unwrap();
    for name in
        ["t.csv", "t.tsv", "t.csv.gz", "t.tsv.zst", "t.jsonl", "t.ndjson.gz", "t.jsonl.zst", "t.parquet"]
    {
        let path = dir.path().join(name).display().to_string();
        let written = write(&people(), &path, None, IfExists::Fail, &[]).unwrap();
        assert_eq!(written.rows, 3, "{name}");
        assert!(is_table(&spec(&path)).unwrap(), "{name}");
        let back = read(&spec(&path)).unwrap();
        assert_eq!(rows(&back), rows(&people()), "{name}");
        assert!(back.names().eq(people().names()), "{name}");
        assert!(!dir.path().join(format!("{name}.tmp")).exists());
        let beside = dir.path().join(format!("{name}.mintage.json"));
        if !name.contains("parquet") {
            assert!(fs::read_to_string(beside).unwrap().contains(&provenance().model), "{name}");
        }
        let error = failure(write(&people(), &path, None, IfExists::Fail, &[]));
        assert!(error.contains("is there already") && error.contains("`if_exists`"), "{error}");
        write(&people(), &path, None, IfExists::Replace, &[]).unwrap();
        assert_eq!(read(&spec(&path)).unwrap().rows(), 3, "{name}");
    }
}

#[test]
fn rows_are_appended_with_numbers_that_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let ids = [(0, counter(1))];
    for name in ["t.csv", "t.tsv.zst", "t.csv.gz", "t.jsonl"] {
        let path = dir.path().join(name).display().to_string();
        write(&people(), &path, None, IfExists::Append, &ids).unwrap();
        write(&people(), &path, None, IfExists::Append, &ids).unwrap();
        let back = read(&spec(&path)).unwrap();
        assert_eq!(
            back.columns[0].iter().flatten().collect::<Vec<_>>(),
            ["1", "2", "3", "4", "5", "6"],
            "{name}"
        );
        assert_eq!(rows(&back)[4][1..], rows(&people())[1][1..], "{name}");
        let mut other = people();
        other.columns[2].name = "weight".into();
        let before = fs::read(&path).unwrap();
        let error = failure(write(&other, &path, None, IfExists::Append, &ids));
        assert!(error.contains("height") && error.contains("weight"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    let path = dir.path().join("t.parquet").display().to_string();
    write(&people(), &path, None, IfExists::Append, &ids).unwrap();
    assert!(
        failure(write(&people(), &path, None, IfExists::Append, &ids)).contains("nothing can be appended")
    );
}

#[test]
fn identifiers_of_any_format_are_made_afresh() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db").display().to_string();
    let cells = |texts: [&str; 2]| texts.map(str::to_owned);
    let [codes, keys, cities] = [
        cells(["K-008", "K-009"]),
        cells(["0b6e2a51-3f0f-4b0e-9d1c-5a4f1c2d3e4f", "1b6e2a51-3f0f-4b0e-9d1c-5a4f1c2d3e4f"]),
        cells(["1", "2"]),
    ];
    let column =
        |name: &str, cells: &[String; 2]| column(name, Type::Text, &[Some(&cells[0]), Some(&cells[1])]);
    let columns = vec![column("code", &codes), column("key", &keys), column("city", &cities)];
    let table = Table { name: "t".into(), columns, ..Table::default() };
    let ids = [
        (0, IdFormat::Counter { prefix: "K-".into(), width: 3, next: 1, gaps: Vec::new() }),
        (1, IdFormat::Uuid { upper: false }),
        (2, IdFormat::Reference),
    ];
    write(&table, &path, None, IfExists::Fail, &ids).unwrap();
    write(&table, &path, None, IfExists::Append, &ids).unwrap();
    let connection = Connection::open(&path).unwrap();
    let sql = "SELECT group_concat(code) || ' ' || count(DISTINCT key) || ' ' || group_concat(city) FROM t";
    let all: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(all, "K-008,K-009,K-010,K-011 4 1,2,1,2");
}

/// Two columns of a city and its price.
fn prices(city: &str) -> Table {
    Table {
        columns: vec![column("город", Type::Text, &[Some(city)]), column("цена", Type::Text, &[Some("3,5")])],
        ..Table::default()
    }
}

#[test]
fn appending_leaves_every_byte_and_goes_on_alike() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let cp1251 = |text: &str| encoding_rs::WINDOWS_1251.encode(text).0.into_owned();
    let utf8 = |text: &str| text.as_bytes().to_vec();
    let old = "город;цена\r\nМосква;1,5\r\nСанкт-Петербург;2,5";
    // A name, how texts are encoded, and what the file begins with.
    type Encoding<'a> = (&'a str, &'a dyn Fn(&str) -> Vec<u8>, Vec<u8>);
    let encodings: [Encoding; 4] = [
        ("cp1251", &cp1251, Vec::new()),
        ("utf-16", &utf16, vec![0xff, 0xfe]),
        ("utf-8", &utf8, Vec::new()),
        ("utf-8 with a mark", &utf8, b"\xef\xbb\xbf".to_vec()),
    ];
    for (name, encoded, mark) in encodings {
        // The last line may have an end or not.
        for end in ["", "\r\n"] {
            let before = [mark.clone(), encoded(&format!("{old}{end}"))].concat();
            let (_dir, path) = file("t.csv", &before);
            write(&prices("Казань; Кремль"), &path, None, IfExists::Append, &[]).unwrap();
            let rest =
                encoded(&format!("{}\"Казань; Кремль\";3,5\r\n", if end.is_empty() { "\r\n" } else { "" }));
            assert_eq!(fs::read(&path).unwrap(), [before, rest].concat(), "{name}");
        }
    }
    // What cannot be written is an error, and the file stays.
    let before = cp1251(old);
    let (_dir, path) = file("t.csv", &before);
    let error = failure(write(&prices("東京"), &path, None, IfExists::Append, &[]));
    assert!(error.contains("`東` cannot be written in windows-1251"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_packed_file_gets_one_more_part() {
    for name in ["t.csv.gz", "t.csv.zst"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name).display().to_string();
        write(&prices("Москва"), &path, None, IfExists::Fail, &[]).unwrap();
        let before = fs::read(&path).unwrap();
        write(&prices("Казань"), &path, None, IfExists::Append, &[]).unwrap();
        assert!(fs::read(&path).unwrap().starts_with(&before), "{name}");
        let cities = [[Some("Москва"), Some("3,5")], [Some("Казань"), Some("3,5")]];
        assert_eq!(rows(&read(&spec(&path)).unwrap()), cities, "{name}");
    }
}

#[test]
fn quotes_of_a_file_are_kept() {
    let before = "\"n\";\"name\"\n1;\"a\"\n2;\"b\"\n";
    let (_dir, path) = file("t.csv", before);
    let table = read(&spec(&path)).unwrap();
    assert_eq!(table.file.as_ref().unwrap().quoting, Quoting::Columns(vec!["name".to_owned()]));
    write(&table, &path, None, IfExists::Append, &[]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{before}1;\"a\"\n2;\"b\"\n"));
}

#[test]
fn reads_csv_as_people_have_it() {
    let table = csv("\u{feff}a;b;c\r\n1,5;;\"\"\r\n\r\n2;x;NA\r\n").unwrap();
    assert_eq!(rows(&table), [[Some("1,5"), None, Some("")], [Some("2"), Some("x"), Some("NA")]]);
    let headless = csv("39, State-gov\n50, Private\n").unwrap();
    assert!(headless.names().eq(["column_1", "column_2"]));
    assert_eq!((headless.rows(), headless.notes.len()), (2, 1));
    let one = csv("name\na\n\nb\n").unwrap();
    assert_eq!(rows(&one), [[Some("a")], [None], [Some("b")]]);
    let wide: String = (0..3000).map(|i| format!("c{i},")).collect();
    assert_eq!(csv(format!("{wide}end\n{wide}end\n")).unwrap().columns.len(), 3001);
}

#[test]
fn csv_that_is_no_table_says_where() {
    let ragged = failure(csv("a,b\n1,2\n\"3\n3\",4\n5,6,7\n"));
    assert!(ragged.contains("t.csv, line 5: has 3 cells, and the header 2"), "{ragged}");
    assert!(failure(csv("a,b\n1,2\n3,\0\n")).contains("line 3: holds a NUL byte"));
    assert!(failure(csv("a,b\n")).contains("holds no rows"));
    assert!(failure(csv("")).contains("is empty"));
    assert!(failure(csv("a,".repeat(10_001))).contains("line 1: has more than 10000 columns"));
    let (_dir, path) = file("people.csv", "a\n1\n");
    assert!(failure(read(&spec(path.replace("people", "poeple")))).contains("did you mean `people.csv`?"));
    assert!(
        failure(read(&SourceSpec { query: Some("SELECT 1".into()), ..spec(&path) }))
            .contains("only of a database")
    );
    assert!(failure(read(&in_table(&path, "t"))).contains("only of a database"));
    assert!(failure(read(&SourceSpec { column: Some("b".into()), ..spec(&path) })).contains("no column `b`"));
}

#[test]
fn columns_and_rows_can_be_chosen() {
    let text: String = (0..100).map(|i| format!("{i},x{i},y\n")).collect();
    let (_dir, path) = file("t.csv", format!("a,b,c\n{text}"));
    let table = read(&SourceSpec { column: Some("b,a".into()), limit: Some(10), ..spec(&path) }).unwrap();
    assert!(table.names().eq(["b", "a"]));
    assert_eq!(
        (table.rows(), table.columns[0].cell(0), table.columns[1].values().len()),
        (10, Some("x0"), 10)
    );
}

#[test]
fn json_lines_keep_every_number_and_every_key() {
    let text = "{\"a\":1,\"b\":\"x\\u0041\",\"n\":{\"k\":[1,2]}}\n\n{\"a\":123456789012345678901234567890,\"c\":true,\"d\":1.50}\n{\"b\":null,\"a\":3}\n";
    let (_dir, path) = file("t.jsonl", text);
    let table = read(&spec(&path)).unwrap();
    assert!(table.names().eq(["a", "b", "n", "c", "d"]));
    assert_eq!(
        rows(&table),
        [
            [Some("1"), Some("xA"), Some("{\"k\":[1,2]}"), None, None],
            [Some("123456789012345678901234567890"), None, None, Some("true"), Some("1.50")],
            [Some("3"), None, None, None, None],
        ]
    );
    let types: Vec<Type> = table.columns.iter().map(|column| column.declaration.ty).collect();
    assert_eq!(types, [Type::Integer, Type::Text, Type::Json, Type::Boolean, Type::Real]);
    let of = |text: &str| {
        let (_dir, path) = file("t.jsonl", text);
        failure(read(&spec(path)))
    };
    assert!(of("{\"a\":1}\n{\"a\":}\n").contains("t.jsonl, line 2: expected value at column 6"));
    assert!(of("{\"a\":1}\n[1]\n").contains("line 2: invalid type: sequence, expected an object"));
    assert!(of("{\"a\":1,\"a\":2}\n").contains("line 1: key `a` comes twice"));
    assert!(of("").contains("is empty"));
}

#[test]
fn parquet_says_which_cell_has_another_type() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet").display().to_string();
    let mut table = people();
    table.columns[0] = column("id", Type::Integer, &[Some("1"), Some("2.5"), Some("3")]);
    let error = failure(write(&table, &path, None, IfExists::Fail, &[]));
    assert!(error.contains("column `id`: `2.5` in row 2 is no whole number"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    write(&people(), &path, None, IfExists::Fail, &[]).unwrap();
    let back = read(&spec(&path)).unwrap();
    assert!(
        back.columns.iter().map(|c| c.declaration.ty).eq(people().columns.iter().map(|c| c.declaration.ty))
    );
    // A file that was cut short is an error, not a panic.
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(97) {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(read(&spec(&path)).is_err());
    }
}

#[test]
fn sqlite_tells_what_it_knows_of_columns() {
    let (_dir, path) = database(
        "CREATE TABLE city (name TEXT PRIMARY KEY);
         CREATE TABLE t (id INTEGER PRIMARY KEY, mail VARCHAR(80) UNIQUE NOT NULL, city REFERENCES city, x REAL,
                         photo BLOB, made DATETIME, odd INT, twice AS (2 * x));
         INSERT INTO city VALUES ('Tula');
         INSERT INTO t VALUES (1, 'a@b', 'Tula', 1.0, x'00', '2024-01-01 10:00', 1),
                              (2, 'c@d', NULL, 0.1, NULL, NULL, 'one');",
    );
    let table = read(&in_table(&path, "t")).unwrap();
    assert!(table.names().eq(["id", "mail", "city", "x", "made", "odd", "twice"]));
    assert!(table.notes[0].contains("`photo`"));
    assert_eq!(rows(&table)[0], ["1", "a@b", "Tula", "1", "2024-01-01 10:00", "1", "2"].map(Some));
    let of = |name: &str| table.column(name).unwrap().declaration.clone();
    assert!(of("id").primary_key && of("mail").unique && of("mail").not_null && !of("x").unique);
    assert_eq!(of("city").refers_to.as_deref(), Some("city.name"));
    assert_eq!(of("mail").native.as_deref(), Some("VARCHAR(80)"));
    assert_eq!(
        ["id", "x", "made", "odd", "twice"].map(|name| of(name).ty),
        [Type::Integer, Type::Real, Type::Timestamp, Type::Text, Type::Real]
    );
    let photo = SourceSpec { column: Some("id,photo".into()), ..in_table(&path, "t") };
    assert!(failure(read(&photo)).contains("`photo` holds BLOBs"));
    assert!(failure(read(&spec(&path))).contains("choose one of them with --table: city, t"));
    assert!(failure(read(&in_table(&path, "tt"))).contains("did you mean `t`?"));
    assert_eq!(tables_of(&spec(&path)).unwrap(), [("city".to_owned(), 1), ("t".to_owned(), 2)]);
}

#[test]
fn views_are_looked_at_and_not_written_to() {
    let (_dir, path) = database(
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); CREATE VIEW v AS SELECT a FROM t;
         CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES ('x');",
    );
    assert_eq!(tables_of(&in_table(&path, "v")).unwrap()[1], ("v".to_owned(), 2));
    let found = mintage_data::inspect::inspect(&in_table(&path, "v")).unwrap();
    assert_eq!((found.tables[0].name.as_str(), found.tables[0].rows), ("v", 2));
    let table = Table {
        name: "t".into(),
        columns: vec![column("a", Type::Integer, &[Some("3")])],
        ..Table::default()
    };
    for target in ["v", "f"] {
        let error = failure(write(&table, &path, Some(target), IfExists::Append, &[]));
        assert!(error.contains("is a view or a virtual table"), "{error}");
    }
}

#[test]
fn rows_are_appended_as_the_file_is_written() {
    let said = "say \"hi\", ok";
    for (text, wanted) in [
        ("a,b\n\"he said \\\"hi\\\" to\",1\n\"x\",2\n", "\"say \\\"hi\\\", ok\",7\n"),
        ("a, b\nx, 1\ny, 2\n", "\"say \"\"hi\"\", ok\", 7\n"),
        ("| a | b |\n|---|---|\n| x | 1 |\n| y | 2 |\n", "| \"say \"\"hi\"\", ok\" | 7 |\n"),
        ("a      b\nx      1\nyy     2\n", "\"say \"\"hi\"\", ok\" 7\n"),
    ] {
        let (_dir, path) = file("t.csv", text);
        let columns = [("a", Type::Text, said), ("b", Type::Integer, "7")];
        let columns = columns.map(|(name, ty, cell)| column(name, ty, &[Some(cell)])).to_vec();
        let table = Table { name: "t".into(), columns, ..Table::default() };
        write(&table, &path, None, IfExists::Append, &[]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}{wanted}"));
        let back = read(&SourceSpec { allow_made: true, ..spec(&path) }).unwrap();
        assert_eq!(rows(&back)[2], [Some(said), Some("7")], "{text}");
        let real = read(&SourceSpec { allow_made: false, ..spec(&path) }).unwrap();
        assert_eq!(real.rows(), 2, "{text}");
    }
}

#[test]
fn a_query_is_a_source_and_changes_nothing() {
    let (_dir, path) =
        database("CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, NULL);");
    let ask = |query: &str| read(&SourceSpec { query: Some(query.into()), ..spec(&path) });
    let table = ask("SELECT b, a * 2 AS twice FROM t WHERE a > 1 ORDER BY a DESC; -- the end").unwrap();
    assert_eq!(rows(&table), [[None, Some("6")], [Some("y"), Some("4")]]);
    assert_eq!(table.columns[1].declaration.ty, Type::Integer);
    assert!(failure(ask("SELEC 1")).contains("the query: near \"SELEC\""));
    assert!(failure(ask("SELECT a, a FROM t")).contains("several columns named `a`"));
    for change in ["DELETE FROM t", "DELETE FROM t RETURNING a", "SELECT 1; DELETE FROM t", "DROP TABLE t"] {
        assert!(ask(change).is_err(), "{change}");
    }
    assert_eq!(tables_of(&spec(&path)).unwrap(), [("t".to_owned(), 3)]);
    assert!(is_table(&SourceSpec { query: Some("SELECT 1".into()), ..spec(&path) }).unwrap());
}

#[test]
fn made_rows_go_beside_the_old_ones_and_are_never_read() {
    let (_dir, path) = database(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', age INT, half AS (age / 2));
         INSERT INTO people VALUES (5, 'x', 40), (9, 'y', 20);",
    );
    let mut table = read(&spec(&path)).unwrap();
    let ids = [(0, counter(6))];
    write(&table, &path, Some("people"), IfExists::Append, &ids).unwrap();
    assert_eq!(read(&spec(&path)).unwrap(), table);
    let connection = Connection::open(&path).unwrap();
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let sql = "SELECT group_concat(id || typeof(id) || age || half) FROM people WHERE mintage IS NOT NULL";
    assert_eq!(one(sql), "10integer4020,11integer2010");
    assert_eq!(
        serde_json::from_str::<mintage_data::Provenance>(&one("SELECT max(mintage) FROM people")).unwrap(),
        provenance()
    );
    let marked =
        read(&SourceSpec { query: Some("SELECT mintage, id FROM people".into()), ..spec(&path) }).unwrap();
    assert_eq!((marked.rows(), marked.columns.len()), (2, 1));
    for query in ["SELECT id FROM People", "WITH p AS (SELECT * FROM people) SELECT id FROM p WHERE age > 1"]
    {
        let real = read(&SourceSpec { query: Some(query.into()), ..spec(&path) }).unwrap();
        assert_eq!(rows(&real), [[Some("5")], [Some("9")]], "{query}");
    }
    connection.execute_batch("CREATE VIEW old AS SELECT id FROM people WHERE age > 1; -- all").unwrap();
    assert_eq!(read(&in_table(&path, "old")).unwrap().rows(), 2);
    assert!(tables_of(&in_table(&path, "old")).unwrap().contains(&("old".to_owned(), 2)));
    // The same keys again, and not as identifiers.
    let error = failure(write(&table, &path, Some("people"), IfExists::Append, &[]));
    assert!(
        error.contains("UNIQUE constraint failed: people.id") && error.contains("nothing was written"),
        "{error}"
    );
    assert_eq!(one("SELECT count(*) || '' FROM people"), "4");
    table.columns[1].name = "nane".into();
    let error = failure(write(&table, &path, Some("people"), IfExists::Append, &ids));
    assert!(error.contains("has other columns: it lacks `nane`"), "{error}");
    connection.execute_batch("CREATE TABLE strict (id INTEGER, age INT, code TEXT NOT NULL)").unwrap();
    table.columns.retain(|column| ["id", "age"].contains(&column.name.as_str()));
    let error = failure(write(&table, &path, Some("strict"), IfExists::Append, &[]));
    assert!(error.contains("`code` must have a value"), "{error}");
}

#[test]
fn a_new_sqlite_table_is_declared_like_the_old_one() {
    let (_dir, path) = database(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mail VARCHAR(80) NOT NULL UNIQUE, x, y REAL, z NUMERIC(5,2));
         INSERT INTO t VALUES (1, 'a', 5, 1.0, 2.5), (2, 'b', NULL, 1e300, 3);",
    );
    let table = read(&spec(&path)).unwrap();
    write(&table, &path, Some("copy"), IfExists::Fail, &[]).unwrap();
    let connection = Connection::open(&path).unwrap();
    let types = |table: &str| {
        let sql = format!("SELECT group_concat(typeof(x) || typeof(y) || typeof(z)) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!(types("copy"), types("t"));
    connection.execute_batch("UPDATE copy SET mintage = NULL").unwrap();
    let copy = read(&in_table(&path, "copy")).unwrap();
    assert_eq!(rows(&copy), rows(&table));
    let declaration = |table: &Table, i: usize| table.columns[i].declaration.clone();
    assert!([0, 1, 3, 4].iter().all(|&i| declaration(&copy, i) == declaration(&table, i)));
}

#[test]
fn names_are_names_and_never_sql() {
    let hostile = "x\"; DROP TABLE y; --";
    let (_dir, path) = database("CREATE TABLE y (a)");
    let mut table = people();
    table.name = hostile.to_owned();
    table.columns[1].name = "a\"); DROP TABLE y; --".to_owned();
    table.columns[1].declaration.native = Some("TEXT); DROP TABLE y; --".to_owned());
    let ids = [(0, counter(1))];
    write(&table, &path, None, IfExists::Fail, &[]).unwrap();
    write(&table, &path, None, IfExists::Append, &ids).unwrap();
    write(&table, &path, None, IfExists::Replace, &ids).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(&format!("UPDATE \"{}\" SET mintage = NULL", hostile.replace('"', "\"\"")))
        .unwrap();
    assert_eq!(tables_of(&spec(&path)).unwrap(), [(hostile.to_owned(), 3), ("y".to_owned(), 0)]);
    let column = SourceSpec { column: Some(table.columns[1].name.clone()), ..in_table(&path, hostile) };
    assert_eq!(read(&column).unwrap().rows(), 3);
    table.columns[0].name = "mintage".into();
    assert!(failure(write(&table, &path, None, IfExists::Replace, &[])).contains("has a column `mintage`"));
}

#[test]
fn a_failed_write_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = people();
    table.columns[0] = column("id", Type::Integer, &[Some("1"), Some("1"), Some("3")]);
    table.columns[0].declaration.primary_key = true;
    let path = dir.path().join("new.db").display().to_string();
    assert!(failure(write(&table, &path, None, IfExists::Fail, &[])).contains("row 2 was refused"));
    assert!(!Path::new(&path).exists());
    assert!(failure(write(&table, "x.docx", None, IfExists::Fail, &[])).contains("names no format"));
}

#[test]
fn images_are_no_tables() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!is_table(&spec(dir.path().display())).unwrap());
    let path = dir.path().join("shop.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE t (id INT, photo BLOB); CREATE TABLE u (id INT)").unwrap();
    let png = b"\x89PNG\r\n\x1a\n0000000000";
    connection.execute("INSERT INTO t VALUES (1, ?1)", [&png[..]]).unwrap();
    let asked = |table: Option<&str>, column: Option<&str>| {
        let spec = SourceSpec {
            table: table.map(str::to_owned),
            column: column.map(str::to_owned),
            ..spec(path.display())
        };
        is_table(&spec).unwrap()
    };
    assert!(!asked(None, None) && !asked(Some("t"), None) && !asked(Some("t"), Some("photo")));
    assert!(asked(Some("u"), None) && asked(Some("t"), Some("id")));
    assert!(!is_table(&spec("photos")).unwrap());
    let said = SourceSpec { kind: Some(DataKind::Table), ..spec(path.display()) };
    assert!(is_table(&said).unwrap(), "what is said comes first");
}

#[test]
fn stdout_gets_csv() {
    let mut out = Vec::new();
    table::write_csv(&people(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("id,\"имя, фамилия\",height,member,born,seen\n1,\"Анна \"\"К.\"\"\",1.75,true,"),
        "{text}"
    );
}
