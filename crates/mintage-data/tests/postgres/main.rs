//! Tables from and to a real PostgreSQL server, which the tests start for themselves.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_macros)]

mod browse;
mod chosen;
#[path = "../common/mod.rs"]
mod common;
mod database;
mod items;
#[path = "../common/server.rs"]
mod server;
mod whole;

use std::{fs, thread};

use common::{counter, failure, people, rows, spec, write};
use mintage_data::{
    SourceSpec, Table, Type,
    table::{IfExists, PgDefaults, read, tables_of},
};
use server::{ENCODED, PASSWORD, USER, server};

fn in_table(source: &str, table: &str) -> SourceSpec {
    SourceSpec { table: Some(table.into()), ..spec(source) }
}

fn ask(source: &str, query: &str) -> Result<Table, mintage_data::Error> {
    read(&SourceSpec { query: Some(query.into()), ..spec(source) })
}

#[test]
fn gives_back_what_it_got() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database("round", "");
    assert!(failure(read(&spec(&source))).contains("has no tables"));
    let written = write(&people(), &source, None, IfExists::Fail, &[]).unwrap();
    assert_eq!(written.place, format!("postgres://127.0.0.1:{}/round: table `people`", server.port));
    assert!(failure(read(&spec(&source))).contains("holds no rows"));
    client.batch_execute("UPDATE people SET mintage = NULL").unwrap();
    let back = read(&spec(&source)).unwrap();
    assert_eq!(rows(&back), rows(&people()));
    assert!(
        back.columns.iter().map(|c| c.declaration.ty).eq(people().columns.iter().map(|c| c.declaration.ty))
    );
    assert!(back.columns[0].declaration.primary_key && !back.columns[1].declaration.primary_key);
    assert!(failure(write(&people(), &source, None, IfExists::Fail, &[])).contains("is there already"));
    write(&people(), &source, None, IfExists::Replace, &[]).unwrap();
    let many = ask(&source, "SELECT i, 'x' || i AS name FROM generate_series(1, 50000) i").unwrap();
    assert_eq!((many.rows(), many.columns[1].cell(49_999)), (50_000, Some("x50000")));
}

#[test]
fn tells_what_it_knows_of_columns() {
    let Some(server) = server() else { return };
    let (_, source) = server.database(
        "declared",
        "CREATE SCHEMA sales; CREATE DOMAIN price AS numeric(10,2);
         CREATE TABLE sales.city (name text PRIMARY KEY);
         CREATE TABLE t (id serial PRIMARY KEY, mail varchar(80) UNIQUE NOT NULL, city text REFERENCES sales.city,
                         cost price, ok boolean, at timestamptz, raw bytea, tags text[], x float4, doc jsonb);
         INSERT INTO sales.city VALUES ('Тула');
         INSERT INTO t (mail, city, cost, ok, at, tags, x, doc) VALUES
            (E'a\\tb\\\\', 'Тула', 1.50, true, '2024-01-01 12:00+03', '{a,NULL}', 0.1, '{\"k\": 1}'),
            ('c', NULL, NULL, NULL, NULL, NULL, 'NaN', NULL);",
    );
    let table = read(&in_table(&source, "t")).unwrap();
    let cells =
        ["1", "a\tb\\", "Тула", "1.50", "true", "2024-01-01 09:00:00+00", "{a,NULL}", "0.1", "{\"k\": 1}"];
    assert_eq!(rows(&table)[0], cells.map(Some));
    assert!(table.notes[0].contains("`raw`"));
    let of = |name: &str| table.column(name).unwrap().declaration.clone();
    assert!(of("id").primary_key && of("mail").unique && of("mail").not_null && !of("x").unique);
    assert_eq!(of("city").refers_to.as_deref(), Some("sales.city.name"));
    assert_eq!(of("mail").native.as_deref(), Some("character varying(80)"));
    assert_eq!(
        ["id", "cost", "at", "doc"].map(|n| of(n).ty),
        [Type::Integer, Type::Decimal, Type::TimestampTz, Type::Json]
    );
    assert_eq!(read(&in_table(&source, "sales.city")).unwrap().rows(), 1);
    assert_eq!(tables_of(&spec(&source)).unwrap(), [("sales.city".to_owned(), 1), ("t".to_owned(), 2)]);
    assert!(failure(read(&spec(&source))).contains("--table: sales.city, t"));
    assert!(failure(read(&in_table(&source, "sales.citi"))).contains("did you mean `sales.city`?"));
    let bytes = SourceSpec { column: Some("id,raw".into()), ..in_table(&source, "t") };
    assert!(failure(read(&bytes)).contains("`raw` holds bytes"));
    write(&table, &source, Some("sales.copy"), IfExists::Fail, &[]).unwrap();
    let copy = ask(&source, "SELECT cost, mail FROM sales.copy ORDER BY id").unwrap();
    assert_eq!(rows(&copy), [[Some("1.50"), Some("a\tb\\")], [None, Some("c")]]);
}

#[test]
fn keys_go_on_and_a_clash_rolls_everything_back() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database(
        "clash",
        "CREATE TABLE t (id serial PRIMARY KEY, name text UNIQUE, age int CHECK (age < 200), twice int GENERATED ALWAYS AS (age * 2) STORED);
         INSERT INTO t (name, age) VALUES ('a', 1), ('b', 2); INSERT INTO t (id, name, age) VALUES (70, 'c', 3);",
    );
    let mut table = read(&spec(&source)).unwrap();
    let fresh = ["d", "e", "f"].map(Some);
    table.columns[1] = common::column("name", Type::Text, &fresh);
    let ids = [(0, counter(1))];
    write(&table, &source, None, IfExists::Append, &ids).unwrap();
    let mut one = |sql: &str| client.query_one(sql, &[]).unwrap().get::<_, String>(0);
    let made = "SELECT string_agg(id || name || twice, ',' ORDER BY id) FROM t WHERE mintage IS NOT NULL";
    assert_eq!(one(made), "71d2,72e4,73f6");
    let real = ask(&source, "SELECT name FROM t ORDER BY id").unwrap();
    assert_eq!(rows(&real), [[Some("a")], [Some("b")], [Some("c")]]);
    let own = ask(&source, "WITH t AS (SELECT 1 AS one) SELECT one FROM t").unwrap();
    assert_eq!(rows(&own), [[Some("1")]]);
    assert_eq!(one("INSERT INTO t (name) VALUES ('later') RETURNING id::text"), "74");
    let count = "SELECT count(*)::text FROM t";
    let error = failure(write(&table, &source, None, IfExists::Append, &ids));
    assert!(
        error.contains("Key (name)=(d) already exists") && error.contains("nothing was written"),
        "{error}"
    );
    table.columns[1] = common::column("name", Type::Text, &["g", "h", "i"].map(Some));
    table.columns[2] = common::column("age", Type::Integer, &["1", "old", "2"].map(Some));
    let error = failure(write(&table, &source, None, IfExists::Append, &ids));
    assert!(error.contains("\"old\"") && error.contains("column age"), "{error}");
    table.columns[2].name = "agee".into();
    let error = failure(write(&table, &source, None, IfExists::Append, &ids));
    assert!(error.contains("has other columns: it lacks `agee`"), "{error}");
    assert_eq!(one(count), "7");
}

#[test]
fn numbers_stay_within_the_type_of_their_column() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database(
        "types",
        "CREATE TABLE t (id int PRIMARY KEY, x real, ok boolean, n int);
         INSERT INTO t VALUES (2147483647, 'NaN', true, 1), (2, 1.5, false, 2)",
    );
    let mut table = read(&spec(&source)).unwrap();
    // What a model of a file would make: another type than the column's.
    table.columns[2] = common::column("ok", Type::Text, &["yes", "no"].map(Some));
    table.columns[3] = common::column("n", Type::Real, &["3.0", "4.0"].map(Some));
    write(&table, &source, None, IfExists::Append, &[(0, counter(2_147_483_648))]).unwrap();
    let mut one = |sql: &str| client.query_one(sql, &[]).unwrap().get::<_, String>(0);
    let made = "SELECT string_agg(id || ' ' || x || ' ' || ok || ' ' || n, ',' ORDER BY id) FROM t WHERE mintage IS NOT NULL";
    assert_eq!(one(made), "1 NaN true 3,3 1.5 false 4");
}

#[test]
fn names_are_names_and_never_sql() {
    let Some(server) = server() else { return };
    let (_, source) = server.database("hostile", "CREATE TABLE y (a int)");
    let hostile = "x\"; DROP TABLE y; --";
    let mut table = people();
    table.columns[1].name = "a\"); DROP TABLE y; --".to_owned();
    table.columns[1].declaration.native = Some("text); DROP TABLE y; --".to_owned());
    let ids = [(0, counter(1))];
    write(&table, &source, Some(hostile), IfExists::Fail, &ids).unwrap();
    write(&table, &source, Some(hostile), IfExists::Append, &ids).unwrap();
    write(&table, &source, Some(hostile), IfExists::Replace, &ids).unwrap();
    let names = tables_of(&spec(&source)).unwrap();
    assert_eq!(names, [(hostile.to_owned(), 0), ("y".to_owned(), 0)]);
    for query in [
        "SELECT 1) TO PROGRAM 'true' --",
        "SELECT 1; DROP TABLE y",
        "DELETE FROM y RETURNING a",
        "DROP TABLE y",
    ] {
        assert!(ask(&source, query).is_err(), "{query}");
    }
    assert_eq!(tables_of(&spec(&source)).unwrap().len(), 2);
}

#[test]
fn a_table_that_goes_away_is_an_error() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database(
        "gone",
        "CREATE TABLE t AS SELECT i FROM generate_series(1, 200000) i; CREATE TABLE u (i int)",
    );
    // The read breaks in the middle of the rows.
    let error = failure(ask(&source, "SELECT 1 / (150000 - i) FROM t"));
    assert!(error.contains("division by zero"), "{error}");
    let error = failure(ask(
        &source,
        "SELECT CASE WHEN i = 150000 THEN pg_terminate_backend(pg_backend_pid()) END FROM t",
    ));
    let ended = ["terminating connection", "closed", "communicating"];
    assert!(ended.iter().any(|text| error.contains(text)), "{error}");
    // While a table is read, whoever drops it waits; before and after, it is there or it is not.
    let dropper = thread::spawn(move || client.batch_execute("DROP TABLE t").unwrap());
    for _ in 0..3 {
        match read(&in_table(&source, "t")) {
            Ok(table) => assert_eq!(table.rows(), 200_000),
            Err(error) => assert!(error.to_string().contains("`t`"), "{error}"),
        }
    }
    dropper.join().unwrap();
    assert!(failure(read(&in_table(&source, "t"))).contains("has no table `t`"));
}

#[test]
fn a_wrong_address_or_password_is_said_without_the_password() {
    let Some(server) = server() else { return };
    let port = server.port;
    let error = failure(read(&spec(format!("postgres://{USER}:wrong-geheim@127.0.0.1:{port}/postgres"))));
    assert!(error.contains("password authentication failed") && error.contains("PGPASSWORD"), "{error}");
    assert!(!error.contains("geheim"), "{error}");
    let error = failure(read(&spec(server.at("nowhere", ""))));
    assert!(error.contains("\"nowhere\" does not exist") && !error.contains("geheim"), "{error}");
    let error = failure(read(&spec(format!("postgres://{USER}:{ENCODED}@127.0.0.1:1/postgres"))));
    assert!(error.contains("refused") && !error.contains("geheim"), "{error}");
    // From the environment, as it were.
    let pg = PgDefaults {
        host: Some("127.0.0.1".into()),
        port: Some(port.to_string()),
        user: Some(USER.into()),
        password: Some(PASSWORD.into()),
        database: Some("postgres".into()),
        ..PgDefaults::default()
    };
    let query = Some("SELECT 1 AS one".to_owned());
    assert_eq!(read(&SourceSpec { pg, query, ..spec("postgres://") }).unwrap().rows(), 1);
}

#[test]
fn connections_are_encrypted_as_asked_for() {
    let Some(server) = server() else { return };
    if !server.has_tls {
        println!("skipped: no openssl on this machine to make a certificate with");
        return;
    }
    let certificate = server.dir.join("data/server.crt");
    // The server's folder belongs to its own user alone.
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(&certificate, copy.path()).unwrap();
    let copy = copy.path().display();
    let with = |host: &str, more: &str| {
        let source = server.at("postgres", more).replace("127.0.0.1", host);
        let query = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        ask(&source, query).map(|table| table.columns[0].cell(0) == Some("true"))
    };
    assert!(!with("127.0.0.1", "?sslmode=disable").unwrap());
    assert!(with("127.0.0.1", "").unwrap());
    assert!(with("127.0.0.1", "?sslmode=require").unwrap());
    assert!(with("127.0.0.1", &format!("?sslmode=verify-ca&sslrootcert={copy}")).unwrap());
    assert!(with("localhost", &format!("?sslmode=verify-full&sslrootcert={copy}")).unwrap());
    let error = failure(with("127.0.0.1", &format!("?sslmode=verify-full&sslrootcert={copy}")));
    assert!(error.contains("not valid for name"), "{error}");
    let error = failure(with("localhost", "?sslmode=verify-ca"));
    assert!(error.contains("certificate"), "{error}");
    assert!(
        failure(with("localhost", "?sslmode=verify-full&sslrootcert=nowhere.crt")).contains("nowhere.crt")
    );
}
