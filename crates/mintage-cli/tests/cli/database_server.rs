//! Whole databases of a server: learned there, and made anew on it and in a file.

use rusqlite::Connection;

use crate::{helpers::Place, server::server};

/// Firms with what PostgreSQL alone has, their sales, and shifts by day and number.
const FIRMS: &str = "CREATE TYPE mood AS ENUM ('sad', 'gay'); CREATE DOMAIN price AS numeric(8,2) CHECK (VALUE >= 0);
     CREATE TABLE firm (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, feels mood NOT NULL, tags text[] NOT NULL,
         words text[] NOT NULL, doc jsonb NOT NULL, at inet, d date);
     CREATE TABLE sale (id serial PRIMARY KEY, firm int NOT NULL REFERENCES firm, cost price NOT NULL,
         twice numeric GENERATED ALWAYS AS (cost * 2) STORED);
     CREATE TABLE shift (d date, k int, hours int NOT NULL, PRIMARY KEY (d, k));
     INSERT INTO firm (feels, tags, words, doc, at, d)
         SELECT (CASE WHEN i % 3 = 0 THEN 'sad' ELSE 'gay' END)::mood,
             ARRAY['tea', CASE i % 4 WHEN 0 THEN 'a \"b\", c\\' WHEN 1 THEN '{' ELSE 'tin' END],
             ARRAY['word ' || i, repeat('{', i % 3), 'a,b'],
             jsonb_build_object('n', i, 'of', repeat('x', i % 7)),
             CASE WHEN i % 5 > 0 THEN ('10.0.' || i % 4 || '.' || i)::inet END,
             CASE WHEN i = 7 THEN 'infinity' ELSE date '2024-01-01' + i END
         FROM generate_series(1, 60) AS i;
     INSERT INTO sale (firm, cost) SELECT 1 + i * 7 % 60, (i * 37 % 900) / 4.0 FROM generate_series(1, 200) AS i;
     INSERT INTO shift SELECT date '2024-01-01' + i / 3, i % 3, 4 + i % 5 FROM generate_series(0, 199) AS i;";

#[test]
fn a_database_of_a_server_is_learned_and_made_anew() {
    let Some(server) = server() else { return };
    let place = Place::new();
    let (_, source) = server.database("cli_firms", FIRMS);
    let said = place.ok(&format!("train {source} --tables all --size tiny --steps 5 --name pg"));
    assert!(!said.stderr.contains("geheim"), "{}", said.stderr);
    for column in ["words", "doc"] {
        let note = format!("firm: `{column}` differs in every row and is left empty");
        assert!(said.stderr.contains(&note), "{note}: {}", said.stderr);
    }
    let (mut client, target) = server.database("cli_firms_new", "");
    let made = [
        place.ok(&format!("sample pg -o {target} --json")).json(),
        place.ok("sample pg -o new.db --json").json(),
    ];
    for said in &made {
        let tables = said["tables"].as_array().unwrap();
        let names: Vec<&str> = tables.iter().filter_map(|table| table["table"].as_str()).collect();
        assert_eq!(names, ["firm", "sale", "shift"], "{said}");
        assert!(tables.iter().all(|table| table["refused"] == 0 && table["rows"] != 0), "{said}");
        assert_eq!(tables[0]["rows"], 60, "{said}");
    }

    let mut count = |sql: &str| client.query_one(sql, &[]).unwrap().get::<_, i64>(0);
    assert_eq!(count("SELECT count(*) FROM firm WHERE pg_typeof(feels)::text = 'mood'"), 60);
    let whole = "SELECT count(*) FROM firm WHERE tags[1] = 'tea' AND cardinality(tags) = 2 \
                 AND cardinality(words) = 0 AND jsonb_typeof(doc) = 'object'";
    assert_eq!(count(whole), 60);
    let sales = count("SELECT count(*) FROM sale JOIN firm ON firm.id = firm");
    assert!(sales > 0 && count("SELECT count(*) FROM sale WHERE cost >= 0 AND twice = cost * 2") == sales);

    let new = Connection::open(place.path("new.db")).unwrap();
    let count = |sql: &str| new.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let whole = "SELECT count(*) FROM firm WHERE feels IN ('sad', 'gay') AND tags LIKE '{tea,%}' AND words = '{}' AND json_valid(doc)";
    assert_eq!(count(whole), 60);
    assert_eq!(count("SELECT count(*) FROM sale WHERE abs(twice - cost * 2) < 1e-6"), sales);
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

#[test]
fn a_table_that_may_not_be_read_is_named_and_left_out_when_asked() {
    let Some(server) = server() else { return };
    let place = Place::new();
    server.database(
        "cli_rights",
        "CREATE ROLE reader LOGIN PASSWORD 'geheim'; CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL);
         CREATE TABLE secret (id int PRIMARY KEY);
         CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a, s int REFERENCES secret);
         INSERT INTO a SELECT i, i % 7 FROM generate_series(1, 30) AS i; INSERT INTO secret VALUES (1), (2);
         INSERT INTO b SELECT i, 1 + i % 30, 1 + i % 2 FROM generate_series(1, 60) AS i;
         GRANT SELECT ON a, b TO reader;",
    );
    let source = format!("postgres://reader:geheim@127.0.0.1:{}/cli_rights", server.port);
    let said = place.ok(&format!("inspect {source}"));
    assert!(said.text().contains("\ntables that may not be read: secret\n"), "{}", said.text());
    for tables in ["", "--tables all", "--tables a,secret"] {
        let error = place.refused(&format!("train {source} {tables} --size tiny --steps 2"));
        assert!(error.contains("permission denied on `secret`"), "{tables}: {error}");
        assert!(error.contains("--exclude secret") && !error.contains("geheim"), "{tables}: {error}");
    }
    place.ok(&format!("train {source} --exclude secret --size tiny --steps 2 --name some"));
    place.ok(&format!("train {source} --tables a,b --size tiny --steps 2 --name others"));
    let said = place.ok("sample some -o new.db --json").json();
    let tables = said["tables"].as_array().unwrap();
    assert!(tables.len() == 2 && tables.iter().all(|table| table["refused"] == 0), "{said}");
}
