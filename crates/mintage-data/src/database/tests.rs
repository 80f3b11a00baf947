//! Schemas of real SQLite files, made here.

#![allow(clippy::unwrap_used)]

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

mod keys;

/// A SQLite file made by statements.
fn file(sql: &str) -> (TempDir, SourceSpec) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    // Orphans are what is tested.
    Connection::open(&path).unwrap().execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    (dir, spec)
}

fn schema(sql: &str) -> Schema {
    let (_dir, spec) = file(sql);
    Schema::read(&spec).unwrap()
}

fn failure(sql: &str) -> Error {
    let (_dir, spec) = file(sql);
    Schema::read(&spec).unwrap_err()
}

/// "orders.customer → customers.id" for every key.
fn keys(schema: &Schema) -> Vec<String> {
    schema
        .keys()
        .map(|(table, key)| format!("{}.{} → {}", table.name, listed(&key.columns), key.target()))
        .collect()
}

#[test]
fn tables_are_read_as_they_are_declared() {
    let schema = schema(
        "CREATE TABLE city (name TEXT PRIMARY KEY, country TEXT NOT NULL DEFAULT 'x''y') WITHOUT ROWID;
         CREATE TABLE shop (id INTEGER PRIMARY KEY, city TEXT REFERENCES city, area REAL CHECK (area > 0),
             twice REAL AS (area * 2), code TEXT UNIQUE, mintage TEXT, UNIQUE (city, code));
         CREATE INDEX by_city ON shop (city);
         CREATE TRIGGER no_moon BEFORE INSERT ON shop WHEN new.city = 'moon' BEGIN SELECT RAISE(ABORT, 'no'); END;
         CREATE VIEW big AS SELECT * FROM shop WHERE area > 9; CREATE VIRTUAL TABLE docs USING fts5(body);
         INSERT INTO city VALUES ('Тула', 'RU'); INSERT INTO shop (city, area) VALUES ('Тула', 1), (NULL, 2);
         INSERT INTO shop (city, mintage) VALUES ('made', 'made');",
    );
    assert_eq!(schema.store, Store::Sqlite);
    assert_eq!(schema.views, ["big", "docs"]);
    let [city, shop] = schema.tables.as_slice() else { panic!("{:?}", schema.tables) };
    assert_eq!(
        (city.primary_key.as_slice(), city.columns[1].default.as_deref()),
        (&["name".to_owned()][..], Some("'x''y'"))
    );
    assert!(!city.columns[0].nullable && !city.columns[1].nullable && shop.columns[1].nullable);
    assert_eq!(city.columns[0].generated, None);
    let generated: Vec<_> = shop.columns.iter().map(|column| column.generated).collect();
    assert_eq!(generated, [Some(Generated::Identity), None, None, Some(Generated::Computed), None]);
    assert_eq!((shop.rows, shop.checks.as_slice()), (2, &["area > 0".to_owned()][..]));
    assert_eq!(shop.unique.len(), 2);
    assert_eq!(shop.ddl.len(), 3);
    assert!(shop.ddl[2].starts_with("CREATE TRIGGER no_moon"), "{:?}", shop.ddl);
    assert_eq!(keys(&schema), ["shop.city → city.name"]);
    assert_eq!(shop.foreign_keys[0].orphans, Some(0));
    let back: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
    assert_eq!(back, schema);
}

#[test]
fn keys_of_all_kinds_are_read_and_their_orphans_counted() {
    let schema = schema(
        "CREATE TABLE part (a INT, b INT, boss INT REFERENCES PART (\"A\"), PRIMARY KEY (a, b), UNIQUE (a));
         CREATE TABLE line (id INTEGER PRIMARY KEY, x INT, y INT NOT NULL, sold INT REFERENCES person, bought INT REFERENCES person (id),
             FOREIGN KEY (x, y) REFERENCES part);
         CREATE TABLE person (id INTEGER PRIMARY KEY); CREATE TABLE passport (person INTEGER PRIMARY KEY REFERENCES person);
         INSERT INTO part VALUES (1, 1, NULL), (2, 1, 1), (3, 1, 9); INSERT INTO person VALUES (1), (2);
         INSERT INTO passport VALUES (1), (5);
         INSERT INTO line VALUES (1, 1, 1, 1, 2), (2, 1, 2, 1, NULL), (3, NULL, 7, 3, 4), (4, 2, 1, 2, 3);",
    );
    let expected = [
        ("line.sold → person.id", true, 1),
        ("line.bought → person.id", true, 2),
        ("line.(x, y) → part.(a, b)", true, 1),
        ("part.boss → part.a", true, 1),
        ("passport.person → person.id", false, 1),
    ];
    let found: Vec<(String, bool, u64)> = keys(&schema)
        .into_iter()
        .zip(schema.keys())
        .map(|(text, (_, key))| (text, key.optional, key.orphans.unwrap()))
        .collect();
    let expected = expected.map(|(text, optional, orphans)| (text.to_owned(), optional, orphans));
    assert_eq!(found, expected);
    let order = schema.order().unwrap();
    assert_eq!(order.tables, ["part", "person", "line", "passport"]);
    assert_eq!(order.last, [KeyRef { table: "part".into(), key: 0 }]);
    assert!(schema.table("passport").unwrap().role_why.starts_with("one row each for rows of person"));
}

#[test]
fn broken_keys_are_named_with_what_to_do() {
    let error =
        failure("CREATE TABLE a (x INT REFERENCES custmers (id)); CREATE TABLE customers (id INT UNIQUE)");
    let message = error.to_string();
    assert!(
        message.contains("table `a`: the key x refers to table `custmers`, which is not there"),
        "{message}"
    );
    assert!(error.hint().unwrap().starts_with("did you mean `customers`?"), "{:?}", error.hint());
    let error = failure("CREATE TABLE a (x INT REFERENCES b (idd)); CREATE TABLE b (id INT UNIQUE)");
    assert!(
        error.to_string().contains("the key x refers to column `idd`, which table `b` does not have"),
        "{error}"
    );
    let error = failure(
        "CREATE TABLE a (x INT REFERENCES b, y INT REFERENCES v); CREATE TABLE b (id INT); CREATE VIEW v AS SELECT 1 AS id",
    );
    assert!(
        error.to_string().contains("table `b`, which has no primary key (and one more key is broken)"),
        "{error}"
    );
    assert!(error.list()[1].contains("table `v`, which is a view"), "{:?}", error.list());
    assert!(failure("CREATE VIEW v AS SELECT 1").to_string().contains("has no tables"));
}

#[test]
fn rows_that_were_made_count_where_they_may() {
    let (_dir, spec) = file(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, area INT, mintage TEXT);
         INSERT INTO shop VALUES (1, 5, NULL), (2, 6, 'made'), (3, 7, 'made');",
    );
    let both = SourceSpec { allow_made: true, ..spec.clone() };
    let rows = |spec: &SourceSpec| Schema::read(spec).unwrap().tables[0].rows;
    assert_eq!((rows(&spec), rows(&both)), (1, 3));
}

#[test]
fn names_in_queries_are_those_of_their_store() {
    let column = |name: &str| Column { name: name.to_owned(), ..Column::default() };
    let columns = vec![column("id"), column("the \"area\"")];
    let table = Table { name: "sales.shop".to_owned(), columns, ..Table::default() };
    let from = r#"SELECT "id", "the ""area""" FROM"#;
    assert_eq!(Store::Sqlite.select_sql(&table), format!("{from} \"sales.shop\""));
    assert_eq!(Store::Postgres.select_sql(&table), format!("{from} \"sales\".\"shop\""));
    let table = Table { name: "shop".to_owned(), ..table };
    assert_eq!(Store::Postgres.select_sql(&table), format!("{from} \"shop\""));
}

#[test]
fn broken_keys_of_rows_that_were_made_count() {
    let (_dir, spec) = file(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY); CREATE TABLE sale (shop INT REFERENCES shop, mintage TEXT);
         INSERT INTO shop VALUES (1); INSERT INTO sale VALUES (1, 'made'), (2, 'made'), (3, NULL), (NULL, NULL);",
    );
    assert_eq!(broken_keys(&spec.path()).unwrap(), 2);
}

#[test]
fn circles_open_at_keys_that_may_be_null() {
    let schema = schema(
        "CREATE TABLE store (id INTEGER PRIMARY KEY, manager INT REFERENCES staff);
         CREATE TABLE staff (id INTEGER PRIMARY KEY, store INT NOT NULL REFERENCES store, boss INT REFERENCES staff);
         CREATE TABLE sale (id INTEGER PRIMARY KEY, staff INT NOT NULL REFERENCES staff);",
    );
    let order = schema.order().unwrap();
    assert_eq!(order.tables, ["store", "staff", "sale"]);
    let key = |table: &str, key: usize| KeyRef { table: table.into(), key };
    assert_eq!(order.last, [key("staff", 1), key("store", 0)]);
    assert!(order.deferred.is_empty() && order.within.is_empty());
}

#[test]
fn circles_that_may_not_be_null_wait_or_are_told() {
    let mut schema = schema(
        "CREATE TABLE store (id INTEGER PRIMARY KEY, manager INT NOT NULL REFERENCES staff);
         CREATE TABLE staff (id INTEGER PRIMARY KEY, store INT NOT NULL REFERENCES store, boss INT NOT NULL REFERENCES staff);",
    );
    let order = schema.order().unwrap();
    assert_eq!(order.tables.len(), 2);
    assert_eq!((order.last.len(), order.deferred.len()), (0, 2));
    // A store that checks keys at once.
    for table in &mut schema.tables {
        table.foreign_keys.iter_mut().for_each(|key| key.deferrable = false);
    }
    let error = schema.order().unwrap_err();
    assert!(
        error.to_string().contains("`staff`, `store`: these tables refer to each other in a circle"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("DEFERRABLE"));
    assert!(schema.text().contains("! `staff`, `store`"), "{}", schema.text());
    assert!(schema.svg().contains("</svg>"));
}

#[test]
fn names_are_names_and_never_sql_or_xml() {
    let schema = schema(
        "CREATE TABLE \"a\"\"b'; DROP TABLE x; --\" (\"the \"\"id\"\"\" INTEGER PRIMARY KEY, \"<b>&\" TEXT);
         CREATE TABLE \"Заказы клиентов\" (\"номер\" INTEGER PRIMARY KEY, \"ссылка на\" INT REFERENCES \"A\"\"B'; drop table x; --\");
         CREATE TABLE x (id INTEGER PRIMARY KEY, ID2 INT);
         INSERT INTO \"Заказы клиентов\" VALUES (1, 4);",
    );
    assert_eq!(keys(&schema), ["Заказы клиентов.ссылка на → a\"b'; DROP TABLE x; --.the \"id\""]);
    assert_eq!(schema.tables.iter().filter_map(|table| table.foreign_keys.first()?.orphans).sum::<u64>(), 1);
    let svg = schema.svg();
    assert!(svg.contains("a&quot;b'; DROP TABLE x; --") && !svg.contains("a\"b'"), "{svg}");
    assert!(svg.contains("Заказы клиентов") && svg.contains("1 lost") && !svg.contains("<script"));
    assert!(
        schema
            .text()
            .contains("  ссылка на → a\"b'; DROP TABLE x; --.the \"id\", optional, 1 row to nothing")
    );
}

/// Tables that are equal but for case, which SQLite does not have.
#[test]
fn a_name_that_is_exact_comes_first() {
    let table = |name: &str| Table { name: name.into(), primary_key: vec!["id".into()], ..Table::default() };
    let tables = [table("Item"), table("item")];
    assert_eq!(named(&tables, "item", |table| &table.name).unwrap().name, "item");
    assert_eq!(named(&tables, "ITEM", |table| &table.name).unwrap().name, "Item");
}

#[test]
fn keys_are_found_by_values_and_names() {
    let mut sql = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, rank INT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INT, parent_id INT, quantity INT, rank INT, tracking TEXT);
        CREATE TABLE parcels (code TEXT PRIMARY KEY, weight REAL); CREATE TABLE notes (order_id INT, customer INT, at TEXT);"
        .to_owned();
    for i in 1..=60 {
        sql.push_str(&format!(
            "INSERT INTO customers VALUES ({i}, 'n{i}', {i}); INSERT INTO parcels VALUES ('PX-{i:05}', 1.5);
             INSERT INTO orders VALUES ({i}, {}, {}, {}, {}, 'PX-{i:05}'); INSERT INTO notes VALUES ({i}, {}, 'x');",
            i / 2 + 1,
            if i > 1 { i / 2 } else { 1 },
            i % 5 + 1,
            i % 7 + 1,
            if i < 30 { i } else { 1000 + i },
        ));
    }
    let schema = schema(&sql);
    let expected = [
        "notes.order_id → orders.id",
        "orders.customer_id → customers.id",
        "orders.parent_id → orders.id",
        "orders.tracking → parcels.code",
    ];
    assert_eq!(keys(&schema), expected);
    let origins: Vec<Origin> = schema.keys().map(|(_, key)| key.origin).collect();
    let found = |distinct, name| Origin::Found { share: 1.0, distinct, name };
    assert_eq!(origins, [found(60, 1.0), found(31, 1.0), found(30, 0.6), found(60, 0.0)]);
    assert!(schema.text().contains(
        "  customer_id ⇢ customers.id, optional, found: all its 31 values are there and the names fit"
    ));
}

#[test]
fn roles_have_their_reasons() {
    let mut sql = "CREATE TABLE kind (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE person (id INTEGER PRIMARY KEY, first_name TEXT, born DATE, kind INT REFERENCES kind);
        CREATE TABLE club (id INTEGER PRIMARY KEY, motto TEXT);
        CREATE TABLE member (person INT REFERENCES person, club INT REFERENCES club, since DATE, PRIMARY KEY (person, club));
        CREATE TABLE visit (id INTEGER PRIMARY KEY, person INT REFERENCES person, visited_at TEXT);
        INSERT INTO kind VALUES (1, 'a'), (2, 'b'); INSERT INTO club VALUES (1, 'x'), (2, 'y'), (3, 'z');"
        .to_owned();
    for i in 1..=20 {
        sql.push_str(&format!("INSERT INTO person VALUES ({i}, 'n', '2000-01-01', {});", i % 2 + 1));
        sql.push_str(&format!("INSERT INTO member VALUES ({}, {}, NULL);", i % 7 + 1, i % 3 + 1));
        sql.push_str(&format!("INSERT INTO visit (person) VALUES ({i}), ({i});"));
    }
    let schema = schema(&sql);
    let roles: Vec<(&str, Role)> =
        schema.tables.iter().map(|table| (table.name.as_str(), table.role)).collect();
    let expected = [
        ("club", Role::Reference),
        ("kind", Role::Reference),
        ("member", Role::Bridge),
        ("person", Role::Entity),
        ("visit", Role::Event),
    ];
    assert_eq!(roles, expected);
    assert!(schema.tables.iter().all(|table| !table.role_why.is_empty()));
    assert_eq!(
        schema.table("visit").unwrap().role_why,
        "rows of person have several each, with a time in visited_at"
    );
}

#[test]
fn a_key_to_a_calendar_is_no_time() {
    let mut sql = "CREATE TABLE item (id INTEGER PRIMARY KEY); CREATE TABLE day (sk INTEGER PRIMARY KEY, d TEXT);
        CREATE TABLE sale (id INTEGER PRIMARY KEY, item INT REFERENCES item, sold_date_sk INT REFERENCES day);
        CREATE TABLE dated (id INTEGER PRIMARY KEY, item INT REFERENCES item, sold_date_sk INT REFERENCES day, sent_at TEXT);"
        .to_owned();
    for i in 1..=20 {
        let (item, day) = (i % 5 + 1, i % 10 + 1);
        sql.push_str(&format!(
            "INSERT OR IGNORE INTO item VALUES ({item}); INSERT OR IGNORE INTO day VALUES ({day}, 'd{day}');
             INSERT INTO sale VALUES ({i}, {item}, {day}); INSERT INTO dated VALUES ({i}, {item}, {day}, 'x{i}');",
        ));
    }
    let schema = schema(&sql);
    let sale = schema.table("sale").unwrap();
    assert_eq!(
        (sale.role, sale.role_why.as_str()),
        (Role::Entity, "rows of their own, which belong to item, day")
    );
    let dated = schema.table("dated").unwrap();
    assert_eq!((dated.role, dated.role_why.ends_with("with a time in sent_at")), (Role::Event, true));
}

/// Days with what follows from them, all combinations of three categories, and sales that refer to both.
fn calendar_and_combinations() -> String {
    let mut sql = "CREATE TABLE day (sk INTEGER PRIMARY KEY, d_date TEXT, d_year INT);
        CREATE TABLE band (id INTEGER PRIMARY KEY, low INT);
        CREATE TABLE demo (sk INTEGER PRIMARY KEY, band INT REFERENCES band, cars INT, potential TEXT);
        CREATE TABLE sale (id INTEGER PRIMARY KEY, sold INT REFERENCES day, demo INT REFERENCES demo, price REAL);"
        .to_owned();
    for i in 0..90 {
        sql.push_str(&format!(
            "INSERT INTO day SELECT {i} + 2450000, date('1999-12-01', '+{i} days'), strftime('%Y', '1999-12-01', '+{i} days');",
        ));
    }
    for i in 0..4 {
        sql.push_str(&format!("INSERT INTO band VALUES ({i}, {});", i * 100));
    }
    for i in 0..24 {
        sql.push_str(&format!("INSERT INTO demo VALUES ({i}, {}, {}, 'p{}');", i % 4, i / 4 % 2, i / 8));
    }
    for i in 0..60 {
        sql.push_str(&format!("INSERT INTO sale VALUES ({i}, {}, {}, 1.5);", i + 2450003, i % 24));
    }
    sql
}

#[test]
fn calendars_and_all_combinations_are_kept() {
    let roles = |sql: &str| {
        let schema = schema(sql);
        let of = |name: &str| schema.table(name).map(|table| (table.role, table.role_why.clone())).unwrap();
        [of("day"), of("demo"), of("sale")]
    };
    let sql = calendar_and_combinations();
    let [day, demo, sale] = roles(&sql);
    assert_eq!(day, (Role::Reference, "a calendar: its 90 days in d_date follow each other".to_owned()));
    let why = "its rows are all combinations of band, cars, potential".to_owned();
    assert_eq!((demo, sale.0), ((Role::Reference, why), Role::Entity));
    // A gap, a combination that is there twice, and nobody who refers to them.
    let [day, demo, _] = roles(&format!(
        "{sql} UPDATE day SET d_date = '2001-01-01' WHERE sk = 2450089; UPDATE demo SET cars = 1 WHERE sk = 0;"
    ));
    assert_eq!((day.0, demo.0), (Role::Entity, Role::Entity));
    let alone = schema(&format!("{sql} DROP TABLE sale;"));
    assert!(alone.tables.iter().all(|table| table.role == Role::Entity), "{}", alone.text());
}

#[test]
fn files_of_a_folder_are_tables() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = [
        ("films.csv", "film_id,title\n".to_owned()),
        ("film_kinds.tsv", "film_id\tkind_id\tnoted\n".to_owned()),
    ];
    for i in 1..=50 {
        all[0].1.push_str(&format!("{i},Film {i}\n"));
        // Each film has one kind, and so the film tells these rows apart.
        all[1].1.push_str(&format!(
            "{i}\t{}\tx{i}\n",
            if i == 7 { "9.0".into() } else { format!("{}.0", i % 4 + 1) }
        ));
    }
    let kinds = "{\"id\": 1, \"name\": \"a\"}\n{\"id\": 2, \"name\": \"b\"}\n{\"id\": 3, \"name\": \"c\"}\n{\"id\": 4, \"name\": \"d\"}\n{\"id\": 9, \"name\": \"e\"}\n";
    for (name, text) in
        [&all[0], &all[1], &("kinds.jsonl", kinds.to_owned()), &("README.md", "# x".to_owned())]
    {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let spec = SourceSpec { source: dir.path().display().to_string(), ..SourceSpec::default() };
    assert!(holds_tables(&spec));
    let schema = Schema::read(&spec).unwrap();
    assert_eq!(keys(&schema), ["film_kinds.film_id → films.film_id", "film_kinds.kind_id → kinds.id"]);
    let [bridge, films, kinds] = schema.tables.as_slice() else { panic!("{:?}", schema.tables) };
    assert_eq!((bridge.role, bridge.key_found, bridge.primary_key.len()), (Role::Bridge, true, 2));
    assert_eq!((films.role, films.rows, kinds.role), (Role::Entity, 50, Role::Reference));
    assert!(schema.keys().all(|(_, key)| key.orphans == Some(0)));
    let types: Vec<&str> =
        films.columns.iter().chain(&kinds.columns).map(|column| column.ty.as_str()).collect();
    assert_eq!(types, ["integer", "text", "integer", "text"]);
}
