//! The schema of a whole database of a real server.

use mintage_data::database::{Generated, Origin, Role, Schema, Store};

use super::{common::spec, server::server};

#[test]
fn a_schema_is_read_as_it_is() {
    let Some(server) = server() else { return };
    let (_, source) = server.database(
        "schema",
        "CREATE SCHEMA sales; CREATE TYPE mood AS ENUM ('sad', 'gay'); CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0);
         CREATE TABLE \"Item\" (a int, b text, PRIMARY KEY (a, b)); CREATE TABLE item (id uuid PRIMARY KEY, up uuid REFERENCES item);
         CREATE TABLE sales.\"заказ \"\"x\"\"\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b text, note text UNIQUE,
             cost price NOT NULL DEFAULT 1.5, twice numeric GENERATED ALWAYS AS (cost * 2) STORED, feels mood, tags text[],
             item_id uuid, FOREIGN KEY (a, b) REFERENCES \"Item\" DEFERRABLE, CHECK (note <> ''));
         CREATE INDEX by_note ON sales.\"заказ \"\"x\"\"\" (lower(note)); CREATE VIEW v AS SELECT 1 AS one;
         CREATE TABLE parts (at date, n serial) PARTITION BY RANGE (at);
         CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         INSERT INTO \"Item\" VALUES (1, 'x'), (2, 'y');
         INSERT INTO item SELECT gen_random_uuid() FROM generate_series(1, 30);
         INSERT INTO sales.\"заказ \"\"x\"\"\" (a, b, item_id) SELECT 1, 'x', id FROM item;
         INSERT INTO sales.\"заказ \"\"x\"\"\" (a, b) VALUES (7, NULL), (NULL, NULL);",
    );
    let schema = Schema::read(&spec(&source)).unwrap();
    assert_eq!(schema.store, Store::Postgres);
    assert_eq!(schema.views, ["v"]);
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    let order = schema.table("sales.заказ \"x\"").unwrap();
    let column = |name: &str| order.column(name).unwrap();
    assert_eq!(column("id").generated, Some(Generated::Always));
    assert_eq!(column("twice").generated, Some(Generated::Computed));
    assert_eq!(schema.table("parts").unwrap().column("n").unwrap().generated, Some(Generated::Identity));
    assert_eq!((column("cost").default.as_deref(), column("cost").nullable), (Some("1.5"), false));
    assert_eq!(
        (column("feels").labels.len(), column("feels").ty.as_str(), column("tags").ty.as_str()),
        (2, "mood", "text[]")
    );
    assert_eq!((order.rows, order.checks.len(), order.unique.len(), order.ddl.len()), (32, 2, 1, 1));
    let [declared, found] = order.foreign_keys.as_slice() else { panic!("{:?}", order.foreign_keys) };
    assert_eq!(
        (declared.parent.as_str(), declared.parent_columns.as_slice()),
        ("Item", &["a".to_owned(), "b".to_owned()][..])
    );
    assert!(declared.deferrable && declared.optional && declared.origin == Origin::Declared);
    assert_eq!((found.parent.as_str(), found.orphans), ("item", Some(0)));
    assert_eq!(found.origin, Origin::Found { share: 1.0, distinct: 30, name: 1.0 });
    let filled = schema.order().unwrap();
    let place = |name: &str| filled.tables.iter().position(|table| table == name);
    assert!(place("Item") < place(&order.name) && filled.is_last("item", 0));
    assert_eq!((schema.table("Item").unwrap().role, order.role), (Role::Reference, Role::Entity));
    assert!(
        schema.text().contains("  item_id ⇢ item.id, optional, found: all its 30 values"),
        "{}",
        schema.text()
    );
}

#[test]
fn circles_and_orphans_of_a_server_are_told() {
    let Some(server) = server() else { return };
    let (_, source) = server.database(
        "circle",
        "CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
         INSERT INTO a VALUES (1, 1), (2, 9); INSERT INTO b VALUES (1, 1);
         ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b NOT VALID;",
    );
    let schema = Schema::read(&spec(&source)).unwrap();
    assert_eq!(schema.table("a").unwrap().foreign_keys[0].orphans, Some(1));
    let error = schema.order().unwrap_err();
    assert!(
        error.to_string().starts_with("`a`, `b`: these tables refer to each other in a circle"),
        "{error}"
    );
}

#[test]
fn tables_that_may_not_be_read_are_told() {
    let Some(server) = server() else { return };
    let (mut client, _) = server.database(
        "schema_rights",
        "CREATE ROLE reader LOGIN PASSWORD 'geheim'; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE secret (id int PRIMARY KEY);
         CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, s int REFERENCES secret);
         CREATE SCHEMA hidden; CREATE TABLE hidden.c (id int); GRANT SELECT ON a, b TO reader;",
    );
    let source = format!("postgres://reader:geheim@127.0.0.1:{}/schema_rights", server.port);
    let schema = Schema::read(&spec(&source)).unwrap();
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(
        (names.as_slice(), schema.unreadable.as_slice()),
        (&["a", "b"][..], &["secret".to_owned()][..])
    );
    let parents: Vec<&str> = schema.keys().map(|(_, key)| key.parent.as_str()).collect();
    assert_eq!(parents, ["a"]);
    assert!(schema.text().ends_with("tables that may not be read: secret\n"), "{}", schema.text());
    client.batch_execute("REVOKE SELECT ON a, b FROM reader").unwrap();
    let error = Schema::read(&spec(&source)).unwrap_err().to_string();
    assert!(error.contains("has no tables that may be read") && !error.contains("geheim"), "{error}");
}
