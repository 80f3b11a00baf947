//! Whole databases written to a real server: made anew, added to, replaced, and what is refused.

use std::path::Path;

use mintage_data::{
    Error, PgDefaults, Table,
    database::{self, DatabaseWriting, Rows, Schema, WrittenDatabase, write_database, write_database_parts},
    table::{IfExists, read},
};
use postgres::Client;
use rusqlite::Connection;

use super::{
    common::{failure, spec},
    in_table,
    server::{Server, server},
};

fn write(schema: &Schema, all: &[Rows], target: &str, if_exists: IfExists) -> Result<WrittenDatabase, Error> {
    let pg = PgDefaults::default();
    write_database(schema, all, &DatabaseWriting { target, if_exists, provenance: Some("{}"), pg: &pg })
}

fn write_parts(
    schema: &Schema,
    parts: Vec<Vec<Rows>>,
    target: &str,
    if_exists: IfExists,
) -> Result<WrittenDatabase, Error> {
    let pg = PgDefaults::default();
    let how = DatabaseWriting { target, if_exists, provenance: Some("{}"), pg: &pg };
    let mut parts = parts.into_iter();
    write_database_parts(schema, &mut || Ok(parts.next()), &how)
}

/// All rows of a database.
fn all_rows(schema: &Schema, source: &str) -> Vec<Rows> {
    let tables = schema.tables.iter().filter(|table| table.rows > 0);
    let rows = |name: &String| Rows {
        table: name.clone(),
        rows: read(&in_table(source, name)).unwrap(),
        is_kept: false,
    };
    tables.map(|table| rows(&table.name)).collect()
}

/// "-" is a missing value.
fn rows(name: &str, columns: &[(&str, &[&str])]) -> Rows {
    let column = |(name, cells): &(&str, &[&str])| {
        mintage_data::Column::of(name, cells.iter().map(|cell| Some(*cell).filter(|cell| *cell != "-")))
    };
    let columns = columns.iter().map(column).collect();
    Rows {
        table: name.to_owned(),
        rows: Table { name: name.to_owned(), columns, ..Table::default() },
        is_kept: false,
    }
}

fn counts(written: &WrittenDatabase) -> Vec<(&str, u64, u64)> {
    written.tables.iter().map(|table| (table.table.as_str(), table.rows, table.refused)).collect()
}

fn one(client: &mut Client, sql: &str) -> String {
    client.query_one(sql, &[]).unwrap().get(0)
}

fn in_file(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// An empty database of the server, and the schema of one that statements make.
fn two(server: &Server, name: &str, sql: &str) -> (Client, String, Schema) {
    let (_, source) = server.database(&format!("{name}_source"), sql);
    let (client, target) = server.database(name, "");
    (client, target, Schema::read(&spec(source)).unwrap())
}

#[test]
fn a_file_goes_to_a_server_and_back() {
    let Some(server) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "PRAGMA foreign_keys = OFF; CREATE TABLE \"Заказ \"\"x\"\"\" (id INTEGER PRIMARY KEY AUTOINCREMENT, \"сумма, р\" NUMERIC(8,2) CHECK (\"сумма, р\" >= 0),
                 day DATE, paid BOOLEAN NOT NULL DEFAULT 0 CHECK (paid IN (0, 1)), note VARCHAR(3), odd TEXT CHECK (odd GLOB 'a*'));
             CREATE INDEX by_day ON \"Заказ \"\"x\"\"\" (Day);
             CREATE TABLE item (a INT, b TEXT, PRIMARY KEY (a, b)); CREATE INDEX by_letters ON item (lower(B), a);
             CREATE TABLE line (\"order\" INT NOT NULL REFERENCES \"Заказ \"\"x\"\"\" ON DELETE CASCADE, n INT, a INT, b TEXT,
                 PRIMARY KEY (\"order\", n), FOREIGN KEY (a, b) REFERENCES item);
             CREATE TABLE staff (id INTEGER PRIMARY KEY, boss INT REFERENCES staff, team INT NOT NULL REFERENCES team);
             CREATE TABLE team (id INTEGER PRIMARY KEY, head INT NOT NULL REFERENCES staff);
             CREATE UNIQUE INDEX one_head ON team (head) WHERE head > 0;
             INSERT INTO \"Заказ \"\"x\"\"\" (id, \"сумма, р\", day, paid, note) VALUES
                 (1, 10.5, '2024-02-29', 1, 'a'), (5, 3, '2024-03-01', 0, 'longer than three');
             INSERT INTO item VALUES (1, 'x'), (2, 'it''s; \\N');
             INSERT INTO line VALUES (1, 1, 1, 'x'), (5, 1, 2, 'it''s; \\N'), (5, 2, NULL, NULL);
             INSERT INTO staff VALUES (1, 2, 1), (2, 2, 1); INSERT INTO team VALUES (1, 2);",
        )
        .unwrap();
    let source = path.display().to_string();
    let schema = Schema::read(&spec(&source)).unwrap();
    let (mut client, target) = server.database("whole_round", "");
    let written = write(&schema, &all_rows(&schema, &source), &target, IfExists::Fail).unwrap();
    assert_eq!(written.place, format!("postgres://127.0.0.1:{}/whole_round", server.port));
    assert!(written.tables.iter().all(|table| table.refused == 0), "{written:?}");
    assert!(written.notes.len() == 1 && written.notes[0].contains("GLOB"), "{:?}", written.notes);
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute \
                 WHERE attrelid = '\"Заказ \"\"x\"\"\"'::regclass AND attnum > 0";
    assert_eq!(one(&mut client, types), "bigint, numeric(8,2), date, boolean, text, text, text");
    let made = "SELECT count(*)::text || (SELECT count(*) FROM pg_indexes WHERE indexname = 'by_day') \
                || (SELECT count(*) FROM pg_constraint WHERE confdeltype = 'c') FROM pg_constraint WHERE contype = 'f'";
    assert_eq!(one(&mut client, made), "511");
    let indexes = "SELECT string_agg(indexdef, '; ' ORDER BY indexname) FROM pg_indexes WHERE indexname IN ('by_letters', 'one_head')";
    let both = "CREATE INDEX by_letters ON public.item USING btree (lower(b), a); \
                CREATE UNIQUE INDEX one_head ON public.team USING btree (head) WHERE (head > 0)";
    assert_eq!(one(&mut client, indexes), both);
    let next = "INSERT INTO \"Заказ \"\"x\"\"\" (note) VALUES ('n') RETURNING id || ' ' || paid";
    assert_eq!(one(&mut client, next), "6 false");
    client.batch_execute("DELETE FROM \"Заказ \"\"x\"\"\" WHERE id = 6").unwrap();

    let error = failure(write(&schema, &all_rows(&schema, &source), &target, IfExists::Fail));
    assert!(error.contains("`item`, `line`") && error.contains("if_exists"), "{error}");

    // What was made is not read as rows of the schema, unless it is made one's own.
    for table in ["\"Заказ \"\"x\"\"\"", "item", "line", "staff", "team"] {
        client.batch_execute(&format!("ALTER TABLE {table} DROP COLUMN mintage")).unwrap();
    }
    let there = Schema::read(&spec(&target)).unwrap();
    assert!(there.order().is_ok(), "{there:?}");
    let back = dir.path().join("back.db");
    let written =
        write(&there, &all_rows(&there, &target), &back.display().to_string(), IfExists::Fail).unwrap();
    assert!(written.tables.iter().all(|table| table.refused == 0), "{written:?}");
    assert_eq!(in_file(&back, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE name IN ('by_letters', 'one_head')";
    assert_eq!(in_file(&back, indexes), 2);
    let same = "SELECT (SELECT count(*) FROM line WHERE b = 'it''s; \\N' AND a = 2) + (SELECT count(*) FROM staff WHERE boss = 2) \
                + (SELECT count(*) FROM \"Заказ \"\"x\"\"\" WHERE \"сумма, р\" = 10.5 AND day = '2024-02-29' AND paid = 1)";
    assert_eq!(in_file(&back, same), 4);
    assert_eq!(
        in_file(&back, "SELECT count(*) FROM pragma_foreign_key_list('line') WHERE on_delete = 'CASCADE'"),
        1
    );
}

#[test]
fn a_server_is_cloned_with_all_that_it_declares() {
    let Some(server) = server() else { return };
    let (mut client, target, schema) = two(
        server,
        "whole_clone",
        "CREATE SCHEMA sales; CREATE TYPE sales.\"My mood\" AS ENUM ('sad', 'it''s'); CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0);
         CREATE TABLE \"Item\" (a int, b text, PRIMARY KEY (a, b)); CREATE TABLE item (id uuid PRIMARY KEY,
             up uuid REFERENCES item DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE sales.\"заказ \"\"x\"\"\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b text, note varchar(9) UNIQUE,
             cost price NOT NULL DEFAULT 1.5, twice numeric GENERATED ALWAYS AS (cost * 2) STORED, feels sales.\"My mood\" NOT NULL,
             at timestamptz DEFAULT now(), tags text[], FOREIGN KEY (a, b) REFERENCES \"Item\" ON DELETE SET NULL DEFERRABLE,
             CHECK (note <> ''));
         CREATE INDEX by_note ON sales.\"заказ \"\"x\"\"\" (lower(note));
         CREATE UNIQUE INDEX one_sad ON sales.\"заказ \"\"x\"\"\" (feels) WHERE feels = 'sad';
         CREATE TABLE n (id serial PRIMARY KEY, k int, UNIQUE (k));",
    );
    let columns: [(&str, &[&str]); 7] = [
        ("id", &["1", "2", "3", "4", "7"]),
        ("a", &["1", "1", "9", "-", "-"]),
        ("b", &["x", "x", "x", "-", "-"]),
        ("note", &["p", "p", "q", "r", "s\t\\"]),
        ("cost", &["1", "1", "1", "-3", "2.5"]),
        ("feels", &["sad", "it's", "it's", "it's", "it's"]),
        ("tags", &["{a,NULL}", "-", "-", "-", "-"]),
    ];
    let up: [(&str, &[&str]); 2] = [
        ("id", &["00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"]),
        ("up", &["00000000-0000-0000-0000-00000000000b", "-"]),
    ];
    let all = [
        rows("sales.заказ \"x\"", &columns),
        rows("item", &up),
        rows("Item", &[("a", &["1"]), ("b", &["x"])]),
        rows("n", &[("id", &["4"]), ("k", &["1"])]),
    ];
    let written = write(&schema, &all, &target, IfExists::Fail).unwrap();
    assert_eq!(written.notes, [""; 0]);
    let order = written.tables.iter().find(|table| table.table.starts_with("sales")).unwrap();
    // The second has the note of the first, the third refers to nothing, the fourth costs less than nothing.
    assert_eq!((order.rows, order.refused), (2, 3), "{written:?}");
    assert!(order.why.as_deref().unwrap().contains("Key (note)=(p) already exists"), "{written:?}");
    let whole = "SELECT string_agg(id || note || twice || (at IS NOT NULL) || coalesce(tags::text, ''), ',' ORDER BY id) \
                 FROM sales.\"заказ \"\"x\"\"\" WHERE mintage = '{}'";
    assert_eq!(one(&mut client, whole), "1p2.00true{a,NULL},7s\t\\5.00true");
    let keys = "SELECT string_agg(condeferrable || ' ' || condeferred, ', ' ORDER BY condeferred) FROM pg_constraint WHERE contype = 'f'";
    assert_eq!(one(&mut client, keys), "true false, true true");
    let again = Schema::read(&spec(&target)).unwrap();
    assert_eq!(again.tables.len(), 4);
    // A serial column becomes one that counts by itself: its default names a sequence of the source.
    let columns = |table: &database::Table| -> Vec<database::Column> {
        let plain = |column: &database::Column| database::Column {
            default: column.default.clone().filter(|_| column.generated.is_none()),
            ..column.clone()
        };
        table.columns.iter().map(plain).collect()
    };
    for (mine, theirs) in again.tables.iter().zip(&schema.tables) {
        let checks = [mine, theirs].map(|table| {
            let mut checks = table.checks.clone();
            checks.sort();
            checks
        });
        assert_eq!((&mine.name, columns(mine), &checks[0]), (&theirs.name, columns(theirs), &checks[1]));
        let mut keys = [mine.unique.clone(), theirs.unique.clone()];
        keys.iter_mut().for_each(|keys| keys.sort());
        assert_eq!((&keys[0], mine.ddl.len()), (&keys[1], theirs.ddl.len()));
    }
    let next = "INSERT INTO sales.\"заказ \"\"x\"\"\" (feels) VALUES ('it''s') RETURNING id::text";
    assert_eq!(one(&mut client, next), "8");
    assert_eq!(one(&mut client, "INSERT INTO n (k) VALUES (2) RETURNING id::text"), "5");
}

#[test]
fn rows_that_are_refused_among_many_are_found() {
    let Some(server) = server() else { return };
    let (mut client, target, schema) = two(
        server,
        "whole_refused",
        "CREATE TABLE a (id int PRIMARY KEY, n smallint CHECK (n > 0)); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);",
    );
    // One has the key of another, one breaks the condition, one is too large.
    let key = |id: u32| if id == 1700 { 5 } else { id };
    let number = |id: u32| match id {
        3 => 0,
        2400 => 40_000,
        _ => 1,
    };
    let ids: Vec<String> = (1..=2500).map(|id| key(id).to_string()).collect();
    let ns: Vec<String> = (1..=2500).map(|id| number(id).to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let ns: Vec<&str> = ns.iter().map(String::as_str).collect();
    let all = [
        rows("a", &[("id", &ids[..]), ("n", &ns[..])]),
        rows("b", &[("id", &["1", "2", "3"]), ("a", &["3", "4", "2400"])]),
    ];
    let written = write(&schema, &all, &target, IfExists::Fail).unwrap();
    assert_eq!(counts(&written), [("a", 2497, 3), ("b", 1, 2)]);
    assert!(written.tables[0].why.as_deref().unwrap().contains("a_n_check"), "{written:?}");
    assert_eq!(written.tables[1].why.as_deref(), Some("its a refers to no row of a"));
    assert_eq!(one(&mut client, "SELECT count(*)::text FROM a"), "2497");
}

#[test]
fn added_rows_take_keys_of_their_own() {
    let Some(server) = server() else { return };
    let (mut client, target) = server.database(
        "whole_append",
        "CREATE TABLE town (code text PRIMARY KEY, name text); CREATE TABLE person (id serial PRIMARY KEY,
             boss int REFERENCES person, town text REFERENCES town, mail text UNIQUE);
         CREATE TABLE visit (person int NOT NULL REFERENCES person ON DELETE CASCADE, n int, PRIMARY KEY (person, n));
         INSERT INTO town VALUES ('a', 'Aden'); INSERT INTO person (boss, town, mail) VALUES (NULL, 'a', 'x'), (1, 'a', 'y');
         INSERT INTO visit VALUES (1, 1);",
    );
    let schema = Schema::read(&spec(&target)).unwrap();
    let mut towns = rows("town", &[("code", &["a", "b"]), ("name", &["Other", "Bonn"])]);
    towns.is_kept = true;
    let people: [(&str, &[&str]); 4] = [
        ("id", &["1", "2", "3"]),
        ("boss", &["2", "-", "1"]),
        ("town", &["a", "b", "b"]),
        ("mail", &["p", "q", "x"]),
    ];
    let visits = rows("visit", &[("person", &["1", "3"]), ("n", &["1", "1"])]);
    let all = [visits, towns, rows("person", &people)];
    let written = write(&schema, &all, &target, IfExists::Append).unwrap();
    assert_eq!(counts(&written), [("person", 2, 1), ("town", 1, 0), ("visit", 1, 1)]);
    assert_eq!(written.tables[1].present, 1);
    let made = "SELECT string_agg(id || '<' || coalesce(boss::text, '') || town, ' ' ORDER BY id) FROM person WHERE mintage = '{}'";
    assert_eq!(one(&mut client, made), "3<4a 4<b");
    assert_eq!(one(&mut client, "SELECT string_agg(person::text, ' ') FROM visit WHERE mintage = '{}'"), "3");
    let kept = "SELECT count(*)::text FROM pg_constraint WHERE contype = 'f' AND convalidated";
    assert_eq!(one(&mut client, kept), "3");
    assert_eq!(one(&mut client, "INSERT INTO person (mail) VALUES ('later') RETURNING id::text"), "5");
    let mut more = schema.clone();
    more.tables[0].name = "nobody".to_owned();
    more.tables[2].foreign_keys.clear();
    let error = failure(write(&more, &[rows("nobody", &[("id", &["1"])])], &target, IfExists::Append));
    assert!(error.contains("the table `nobody` is not there"), "{error}");
}

#[test]
fn rows_come_in_parts() {
    let Some(server) = server() else { return };
    let sql = "CREATE TABLE town (code text PRIMARY KEY); CREATE TABLE person (id serial PRIMARY KEY, town text REFERENCES town,
                   boss int REFERENCES person, mail text UNIQUE);";
    let (mut client, target, schema) = two(server, "whole_parts", sql);
    let person = |ids: [&str; 2], mails: [&str; 2]| {
        let columns: [(&str, &[&str]); 4] =
            [("id", &ids), ("town", &["a", "a"]), ("boss", &[ids[1], "-"]), ("mail", &mails)];
        rows("person", &columns)
    };
    let parts = |mails: [[&str; 2]; 2]| {
        let mut town = rows("town", &[("code", &["a"])]);
        town.is_kept = true;
        vec![vec![person(["1", "2"], mails[0]), town], vec![person(["3", "4"], mails[1])]]
    };
    let written = write_parts(&schema, parts([["p", "q"], ["r", "s"]]), &target, IfExists::Fail).unwrap();
    assert_eq!(counts(&written), [("person", 4, 0), ("town", 1, 0)]);
    // The boss of the seventh has a mail that is taken.
    let written = write_parts(&schema, parts([["t", "u"], ["v", "p"]]), &target, IfExists::Append).unwrap();
    assert_eq!(counts(&written), [("person", 2, 2), ("town", 0, 0)]);
    assert_eq!(written.tables[1].present, 1);
    let all = "SELECT string_agg(id || '<' || coalesce(boss::text, '') || mail, ' ' ORDER BY id) FROM person";
    assert_eq!(one(&mut client, all), "1<2p 2<q 3<4r 4<s 5<6t 6<u");
    assert_eq!(one(&mut client, "INSERT INTO person (mail) VALUES ('later') RETURNING id::text"), "7");
    // What fails in the second part takes back the first.
    let late = vec![vec![person(["1", "2"], ["x", "y"])], vec![rows("town", &[("code", &["b"])])]];
    let error = failure(write_parts(&schema, late, &target, IfExists::Append));
    assert!(error.contains("town: has rows in a later part"), "{error}");
    assert_eq!(one(&mut client, "SELECT count(*)::text FROM person"), "7");
}

#[test]
fn what_is_found_by_writing_takes_everything_back() {
    let Some(server) = server() else { return };
    let (mut client, target) = server.database(
        "whole_hidden",
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.id = 3 THEN RAISE EXCEPTION 'no threes' USING DETAIL = 'really'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION no();
         CREATE TABLE c (id int PRIMARY KEY, x int, EXCLUDE USING btree (x WITH =));",
    );
    let schema = Schema::read(&spec(&target)).unwrap();
    let both =
        [rows("a", &[("id", &["1"])]), rows("b", &[("id", &["1", "2", "3"]), ("a", &["1", "1", "1"])])];
    let error = failure(write(&schema, &both, &target, IfExists::Append));
    assert!(
        error.contains("table `b`: row 3: no threes; really") && error.contains("nothing was written"),
        "{error}"
    );
    assert!(error.contains("(id=3, a=1)"), "{error}");
    let excluded = [rows("a", &[("id", &["1"])]), rows("c", &[("id", &["1", "2"]), ("x", &["7", "7"])])];
    let error = failure(write(&schema, &excluded, &target, IfExists::Append));
    assert!(error.contains("table `c`: row 2: conflicting key value"), "{error}");
    assert_eq!(one(&mut client, "SELECT count(*)::text FROM a"), "0");

    // A view that stands on a table keeps it.
    client.batch_execute("INSERT INTO a VALUES (70); CREATE VIEW v AS SELECT id FROM a").unwrap();
    let error = failure(write(&schema, &both, &target, IfExists::Replace));
    assert!(error.contains("other objects depend on") && error.contains("nothing was written"), "{error}");
    // One of the source is said to be missing in a new database.
    let with_view = Schema::read(&spec(&target)).unwrap();
    let (_, other) = server.database("whole_hidden_new", "");
    let written = write(&with_view, &both, &other, IfExists::Fail).unwrap();
    assert!(written.notes.contains(&"views are left out: v".to_owned()), "{:?}", written.notes);
    client.batch_execute("DROP VIEW v").unwrap();
    let written = write(&schema, &both, &target, IfExists::Replace).unwrap();
    assert_eq!(counts(&written), [("a", 1, 0), ("b", 3, 0), ("c", 0, 0)]);
    assert!(written.notes.iter().any(|note| note.contains("triggers")), "{:?}", written.notes);
    assert_eq!(one(&mut client, "SELECT string_agg(id::text, ' ') FROM a"), "1");
}

#[test]
fn a_table_that_may_not_be_written_is_named() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database(
        "whole_rights",
        "CREATE ROLE limited LOGIN PASSWORD 'geheim'; CREATE TABLE a (id int PRIMARY KEY, mintage text);
         CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, mintage text);
         GRANT SELECT, INSERT, UPDATE, DELETE ON a TO limited; GRANT SELECT ON b TO limited;",
    );
    let schema = Schema::read(&spec(source)).unwrap();
    let all = [rows("a", &[("id", &["1"])]), rows("b", &[("id", &["1"]), ("a", &["1"])])];
    let target = format!("postgres://limited:geheim@127.0.0.1:{}/whole_rights", server.port);
    let error = failure(write(&schema, &all, &target, IfExists::Append));
    assert!(error.contains("table `b`: permission denied for table b"), "{error}");
    assert!(error.contains("nothing was written") && !error.contains("geheim"), "{error}");
    assert_eq!(one(&mut client, "SELECT count(*)::text FROM a"), "0");
    let written = write(&schema, &all[..1], &target, IfExists::Append).unwrap();
    assert_eq!(counts(&written), [("a", 1, 0), ("b", 0, 0)]);
}
