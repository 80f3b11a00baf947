//! Chosen rows and items in tables of a server: shown, written in one transaction, taken back.

use mintage_data::{
    ItemTable, PgDefaults, Provenance, Table, Type,
    table::{
        ChosenBatch, ChosenItem, ChosenWritten, FileFormat, IfExists, RowTrace, Trace, Writing, undo_chosen,
        write_chosen_items, write_chosen_rows,
    },
};
use postgres::Client;
use serde_json::{Value, json};

use super::{
    common::{column, counter, failure, provenance},
    server::{PASSWORD, Server, server},
};

fn made_by(seeds: &[u64]) -> Vec<Provenance> {
    seeds.iter().map(|&seed| Provenance { seed, ..provenance() }).collect()
}

fn items(labels: &[Option<&str>]) -> Vec<ChosenItem> {
    let item = |(i, label): (usize, &Option<&str>)| ChosenItem {
        bytes: vec![i as u8; 3 + i],
        label: label.map(str::to_owned),
    };
    labels.iter().enumerate().map(item).collect()
}

fn write_items(source: &str, table: &str, dry_run: bool) -> Result<ChosenWritten, mintage_data::Error> {
    let pg = PgDefaults::default();
    let to = ItemTable { target: source, pg: &pg, table, column: "photo", label: Some("kind") };
    let made_by = made_by(&[1, 1, 2]);
    let batch = ChosenBatch { name: "feed01", made_by: &made_by, dry_run };
    write_chosen_items(&to, &items(&[Some("boot"), None, Some("hat")]), "image", &batch)
}

fn people() -> Table {
    let mut id = column("id", Type::Integer, &[Some("1"), Some("2")]);
    id.declaration.primary_key = true;
    let columns = vec![
        id,
        column("name", Type::Text, &[Some("Анна\t\\"), None]),
        column("height", Type::Real, &[Some("1.75"), Some("0.1")]),
        column("born", Type::Date, &[Some("1970-01-01"), None]),
    ];
    Table { name: "people".into(), columns, ..Table::default() }
}

fn write_rows(source: &str, dry_run: bool) -> Result<ChosenWritten, mintage_data::Error> {
    let (pg, made_by) = (PgDefaults::default(), made_by(&[5, 6]));
    let batch = ChosenBatch { name: "beef02", made_by: &made_by, dry_run };
    let how = Writing {
        target: source,
        table: Some("people"),
        if_exists: IfExists::Append,
        provenance: Some(&made_by[0]),
        ids: &[(0, counter(1))],
        schema: None,
        file: &FileFormat::default(),
        random: &mut || 0,
        refused: None,
        pg: &pg,
    };
    write_chosen_rows(&people(), &batch, how)
}

/// A server's password is in no record: it comes from whoever asks for the undo.
fn undo(
    server: &Server,
    trace: &Trace,
    batch: &str,
) -> Result<mintage_data::table::Removed, mintage_data::Error> {
    let Trace::Rows(RowTrace { target, .. }) = trace else { panic!("{trace:?}") };
    assert!(!target.contains(PASSWORD) && target.contains(&server.port.to_string()), "{target}");
    let pg = PgDefaults { password: Some(PASSWORD.to_owned()), ..PgDefaults::default() };
    undo_chosen(trace, batch, &pg)
}

fn all(client: &mut Client, table: &str) -> Vec<String> {
    let sql = format!("SELECT t::text FROM {table} t ORDER BY 1");
    client.query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

const GOODS: &str = "CREATE TABLE goods (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, kind text, \
                     photo bytea, price numeric(6,2) DEFAULT 9.5, big boolean GENERATED ALWAYS AS (length(photo) > 3) STORED); \
                     INSERT INTO goods (kind, photo) VALUES ('coat', '\\x0102'), (NULL, NULL)";

#[test]
fn items_are_shown_written_and_taken_back() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database("chosen_items", GOODS);
    let before = all(&mut client, "goods");
    let shown = write_items(&source, "goods", true).unwrap();
    assert_eq!(all(&mut client, "goods"), before);
    // Not even a counter has moved.
    assert_eq!(number(&mut client, "SELECT last_value FROM goods_id_seq"), 2);
    assert_eq!(shown.columns, ["id", "n", "kind", "photo", "price", "big"]);
    let media = |bytes: usize| json!({ "media": "image", "bytes": bytes });
    let expected: Vec<Vec<Value>> = vec![
        vec![json!(3), json!(3), json!("boot"), media(3), json!("9.50"), json!(false)],
        vec![json!(4), json!(4), Value::Null, media(4), json!("9.50"), json!(true)],
        vec![json!(5), json!(5), json!("hat"), media(5), json!("9.50"), json!(true)],
    ];
    assert_eq!(shown.rows, expected);
    assert!(shown.notes.iter().any(|note| note.contains("counts `id`, `n`")), "{:?}", shown.notes);
    let written = write_items(&source, "goods", false).unwrap();
    assert_eq!(written.rows, expected);
    assert_eq!(number(&mut client, "SELECT count(DISTINCT mintage::json->>'seed') FROM goods"), 2);
    client.batch_execute("UPDATE goods SET price = 1 WHERE id = 4").unwrap();
    let undone = undo(server, &written.trace, "feed01").unwrap();
    assert_eq!(undone.rows, 3);
    assert!(
        undone.notes.iter().any(|note| note.starts_with("1 of them had been changed")),
        "{:?}",
        undone.notes
    );
    // The column of the marks has gone as well.
    assert_eq!(all(&mut client, "goods"), before);

    // A table that was made for them goes, too; not if others stand on it.
    let written = write_items(&source, "fresh", false).unwrap();
    assert_eq!(number(&mut client, "SELECT count(*) FROM fresh"), 3);
    client.batch_execute("CREATE VIEW seen AS SELECT id FROM fresh").unwrap();
    let undone = undo(server, &written.trace, "feed01").unwrap();
    assert!(undone.notes.iter().any(|note| note.contains("stays")), "{:?}", undone.notes);
    client.batch_execute("DROP VIEW seen; DROP TABLE fresh").unwrap();
    let written = write_items(&source, "fresh", false).unwrap();
    assert_eq!(undo(server, &written.trace, "feed01").unwrap().rows, 3);
    assert_eq!(number(&mut client, "SELECT count(*) FROM pg_class WHERE relname = 'fresh'"), 0);
    assert!(undo(server, &written.trace, "feed01").unwrap().notes[0].contains("not there any more"));
}

#[test]
fn rows_are_shown_written_and_taken_back() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database(
        "chosen_rows",
        "CREATE TABLE people (id bigserial PRIMARY KEY, name varchar(8), height float4, born date, at timestamptz DEFAULT '2024-01-01 00:00+03'); \
         INSERT INTO people (name, height) VALUES ('a', 1), ('b', 2)",
    );
    let before = all(&mut client, "people");
    let shown = write_rows(&source, true).unwrap();
    assert_eq!(all(&mut client, "people"), before);
    assert_eq!(number(&mut client, "SELECT last_value FROM people_id_seq"), 2);
    let at = "2023-12-31 21:00:00+00";
    let expected: Vec<Vec<Value>> = vec![
        vec![json!(3), json!("Анна\t\\"), json!(1.75), json!("1970-01-01"), json!(at)],
        vec![json!(4), Value::Null, json!(0.1), Value::Null, json!(at)],
    ];
    assert_eq!(shown.rows, expected);
    let written = write_rows(&source, false).unwrap();
    assert_eq!(written.rows, expected);
    // Others go on behind them.
    client.batch_execute("INSERT INTO people (name) VALUES ('c')").unwrap();
    assert_eq!(number(&mut client, "SELECT max(id) FROM people"), 5);
    let undone = undo(server, &written.trace, "beef02").unwrap();
    assert_eq!((undone.rows, undone.notes), (2, vec![]));
    client.batch_execute("DELETE FROM people WHERE id = 5").unwrap();
    assert_eq!(all(&mut client, "people"), before);
}

#[test]
fn rejects_what_the_table_refuses_and_changes_nothing() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database("chosen_refused", GOODS);
    client.batch_execute("ALTER TABLE goods ADD COLUMN mintage text").unwrap();
    let trigger = |body: &str| {
        format!(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$; \
             CREATE TRIGGER no BEFORE INSERT ON goods FOR EACH ROW EXECUTE FUNCTION no()"
        )
    };
    const WITHOUT: &str = "DROP TRIGGER no ON goods; DROP FUNCTION no()";
    let cases = [
        (
            trigger("IF NEW.kind = 'hat' THEN RAISE EXCEPTION 'no hats'; END IF; RETURN NEW;"),
            "no hats",
            WITHOUT,
        ),
        (trigger("RETURN NULL;"), "did not take item 1", WITHOUT),
        (trigger("NEW.mintage := NULL; RETURN NEW;"), "with their mark", WITHOUT),
        ("CREATE UNIQUE INDEX no ON goods (price) WHERE id > 2".to_owned(), "unique", "DROP INDEX no"),
    ];
    let before = all(&mut client, "goods");
    for (rule, said, without) in cases {
        client.batch_execute(&rule).unwrap();
        for dry_run in [true, false] {
            let error = failure(write_items(&source, "goods", dry_run));
            assert!(error.contains(said), "{error}");
            assert_eq!(all(&mut client, "goods"), before);
        }
        client.batch_execute(without).unwrap();
    }
}

#[test]
fn rejects_an_undo_that_other_rows_stand_against() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database("chosen_keys", GOODS);
    for (action, said) in [
        ("", "does not let the rows go"),
        ("ON DELETE CASCADE", "refer to rows of this batch"),
        ("DEFERRABLE INITIALLY DEFERRED", "does not let the rows go"),
    ] {
        let written = write_items(&source, "goods", false).unwrap();
        client
            .batch_execute(&format!(
                "CREATE TABLE orders (good int REFERENCES goods (id) {action}); \
                 INSERT INTO orders SELECT max(id) FROM goods"
            ))
            .unwrap();
        let before = all(&mut client, "goods");
        let error = failure(undo(server, &written.trace, "feed01"));
        assert!(error.contains(said), "{error}");
        assert_eq!(all(&mut client, "goods"), before);
        assert_eq!(number(&mut client, "SELECT count(*) FROM orders"), 1);
        client.batch_execute("DROP TABLE orders").unwrap();
        assert_eq!(undo(server, &written.trace, "feed01").unwrap().rows, 3);
    }
}
