//! Whole databases in SQLite files. Those of a server are in tests/postgres/database.rs.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::{SourceSpec, Type};

/// Writes to a file.
fn write(
    schema: &Schema,
    all: &[Rows],
    path: &Path,
    provenance: Option<&str>,
    if_exists: IfExists,
) -> Result<WrittenDatabase, Error> {
    let (target, pg) = (path.display().to_string(), PgDefaults::default());
    write_database(schema, all, &DatabaseWriting { target: &target, if_exists, provenance, pg: &pg })
}

/// The same part by part.
fn write_parts(
    schema: &Schema,
    parts: Vec<Vec<Rows>>,
    path: &Path,
    if_exists: IfExists,
) -> Result<WrittenDatabase, Error> {
    let (target, pg) = (path.display().to_string(), PgDefaults::default());
    let how = DatabaseWriting { target: &target, if_exists, provenance: Some("{}"), pg: &pg };
    let mut parts = parts.into_iter();
    write_database_parts(schema, &mut || Ok(parts.next()), &how)
}

/// A folder with a source that statements make, and its schema.
fn source(sql: &str) -> (TempDir, Schema) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    let schema = Schema::read(&spec).unwrap();
    (dir, schema)
}

/// "-" is a missing value.
fn cell<'a>(text: &&'a str) -> Option<&'a str> {
    Some(*text).filter(|text| *text != "-")
}

fn rows(name: &str, columns: &[(&str, &[&str])]) -> Rows {
    let columns = columns.iter();
    let columns = columns.map(|(name, cells)| table::Column::of(name, cells.iter().map(cell))).collect();
    let rows = table::Table { name: name.to_owned(), columns, ..table::Table::default() };
    Rows { table: name.to_owned(), rows, is_kept: false }
}

fn counts(written: &WrittenDatabase) -> Vec<(&str, u64, u64)> {
    written.tables.iter().map(|table| (table.table.as_str(), table.rows, table.refused)).collect()
}

fn text(path: &Path, sql: &str) -> String {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn count(path: &Path, from: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {from}");
    Connection::open(path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn keys_in_circles_hold_and_what_they_lost_goes() {
    let (dir, schema) = source(
        "CREATE TABLE store (id INTEGER PRIMARY KEY, manager INT REFERENCES staff);
         CREATE TABLE staff (id INTEGER PRIMARY KEY, store INT NOT NULL REFERENCES store,
             boss INT REFERENCES staff ON DELETE RESTRICT);
         CREATE INDEX by_store ON staff (store); CREATE VIEW heads AS SELECT * FROM staff WHERE boss IS NULL;
         CREATE TRIGGER forget AFTER INSERT ON staff BEGIN UPDATE staff SET boss = NULL; END;
         CREATE TRIGGER ask AFTER DELETE ON staff BEGIN SELECT count(*) FROM heads; END;",
    );
    // No store 9: so no staff 3, no staff 4, whose boss that is, and no store 2, whose manager.
    let staff: [(&str, &[&str]); 3] =
        [("id", &["1", "2", "3", "4"]), ("store", &["1", "1", "9", "1"]), ("boss", &["2", "-", "1", "3"])];
    let all = [rows("staff", &staff), rows("store", &[("id", &["1", "2"]), ("manager", &["2", "3"])])];
    let path = dir.path().join("new.db");
    let written = write(&schema, &all, &path, Some("{}"), IfExists::Fail).unwrap();
    assert_eq!(counts(&written), [("staff", 2, 2), ("store", 1, 1)]);
    assert_eq!(written.tables[0].why.as_deref(), Some("its store refers to no row of store"));
    assert_eq!(count(&path, "pragma_foreign_key_check"), 0);
    assert_eq!(count(&path, "staff WHERE boss = 2 AND mintage = '{}'"), 1);
    assert_eq!(count(&path, "sqlite_schema WHERE name IN ('by_store', 'forget')"), 2);
    assert_eq!(count(&path, "sqlite_schema WHERE name IN ('heads', 'ask')"), 0);
    let [views, trigger] = written.notes.as_slice() else { panic!("{:?}", written.notes) };
    assert_eq!(views, "views and virtual tables are left out: heads");
    assert!(
        trigger.starts_with("staff: `CREATE TRIGGER ask AFTER") && trigger.ends_with("it speaks of a view"),
        "{trigger}"
    );
}

#[test]
fn refused_rows_are_counted_and_the_others_stay() {
    let (dir, schema) = source(
        "CREATE TABLE item (code TEXT NOT NULL UNIQUE ON CONFLICT REPLACE, price REAL CHECK (price > 0),
             kind TEXT NOT NULL, stock INT NOT NULL DEFAULT 5, twice REAL AS (price * 2), any);",
    );
    let columns: [(&str, &[&str]); 4] = [
        ("code", &["a", "a", "b", "-"]),
        ("price", &["1.5", "2", "-1", "3"]),
        ("twice", &["8", "8", "8", "8"]),
        ("any", &["7", "7", "7", "7"]),
    ];
    let mut all = [rows("item", &columns)];
    all[0].rows.columns[3].declaration.ty = Type::Integer;
    let path = dir.path().join("new.db");
    let written = write(&schema, &all, &path, None, IfExists::Fail).unwrap();
    assert_eq!(counts(&written), [("item", 1, 3)]);
    assert!(written.tables[0].why.as_deref().unwrap().contains("UNIQUE"), "{written:?}");
    let whole =
        "item WHERE price = 1.5 AND twice = 3 AND kind = '' AND stock = 5 AND typeof(\"any\") = 'integer'";
    assert_eq!(count(&path, whole), 1);
    assert_eq!(count(&path, "pragma_table_info('item') WHERE name = 'mintage'"), 0);
}

#[test]
fn what_is_there_stays_until_the_new_one_is_whole() {
    let (dir, mut schema) = source("CREATE TABLE a (id INTEGER PRIMARY KEY, at TEXT)");
    let path = dir.path().join("source.db");
    let before = fs::read(&path).unwrap();
    let good = [rows("a", &[("id", &["1"])])];
    let failure = |schema: &Schema, all: &[Rows], if_exists: IfExists| {
        let error = write(schema, all, &path, None, if_exists).unwrap_err();
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read_dir(dir.path()).unwrap().count()),
            (before.clone(), 1)
        );
        error.to_string()
    };
    assert!(failure(&schema, &good, IfExists::Fail).contains("is there already"));
    let other = [rows("b", &[("id", &["1"])])];
    let mut two = schema.clone();
    two.tables.push(Table {
        name: "b".into(),
        columns: schema.tables[0].columns.clone(),
        ..Table::default()
    });
    assert!(failure(&two, &other, IfExists::Append).contains("the table `b` is not there"));
    assert!(failure(&schema, &[rows("a", &[("it", &["1"])])], IfExists::Replace).contains("no column `it`"));
    schema.tables[0].ddl.push("CREATE INDEX broken ON a (nothing)".to_owned());
    assert!(failure(&schema, &good, IfExists::Replace).contains("CREATE INDEX broken"));
    let (same, pg) = (path.display().to_string(), PgDefaults::default());
    assert!(check_another_place(&same, &same, IfExists::Replace, &pg).is_err());
    assert!(check_another_place(&same, &same, IfExists::Append, &pg).is_ok());
    // As another store would have it: made from its columns and keys.
    schema.tables[0].ddl.clear();
    write(&schema, &good, &path, None, IfExists::Replace).unwrap();
    assert_eq!(count(&path, "a WHERE id = 1"), 1);
}

#[test]
fn added_rows_take_keys_of_their_own() {
    let (dir, schema) = source(
        "CREATE TABLE town (code TEXT PRIMARY KEY, name TEXT);
         CREATE TABLE person (id INTEGER PRIMARY KEY, boss INT REFERENCES person, town TEXT REFERENCES town,
             mail TEXT UNIQUE);
         CREATE TABLE visit (person INT NOT NULL REFERENCES person ON DELETE CASCADE, n INT, PRIMARY KEY (person, n))
             WITHOUT ROWID;
         INSERT INTO town VALUES ('a', 'Aden');
         INSERT INTO person VALUES (1, NULL, 'a', 'x'), (7, 1, 'a', 'y');
         INSERT INTO visit VALUES (1, 1), (7, 1);",
    );
    let path = dir.path().join("source.db");
    let mut towns = rows("town", &[("code", &["a", "b"]), ("name", &["Other", "Bonn"])]);
    towns.is_kept = true;
    // The third has the mail of one who is there, and the second visit is hers.
    let people: [(&str, &[&str]); 4] = [
        ("id", &["1", "2", "3"]),
        ("boss", &["2", "-", "1"]),
        ("town", &["a", "b", "b"]),
        ("mail", &["p", "q", "x"]),
    ];
    let all = [rows("visit", &[("person", &["1", "3"]), ("n", &["1", "1"])]), towns, rows("person", &people)];
    let written = write(&schema, &all, &path, Some("{}"), IfExists::Append).unwrap();
    assert_eq!(counts(&written), [("person", 2, 1), ("town", 1, 0), ("visit", 1, 1)]);
    assert_eq!(written.tables[1].present, 1);
    assert_eq!(count(&path, "pragma_foreign_key_check"), 0);
    assert_eq!(count(&path, "town WHERE name = 'Aden' AND mintage IS NULL"), 1);
    assert_eq!(count(&path, "person WHERE id = 8 AND boss = 9 AND town = 'a' AND mintage = '{}'"), 1);
    assert_eq!(count(&path, "visit WHERE person = 8 AND n = 1"), 1);
    assert_eq!((count(&path, "person"), count(&path, "visit")), (4, 3));
}

#[test]
fn what_a_trigger_refuses_takes_everything_back() {
    let (dir, schema) = source(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, n INT, note TEXT, b, c, d);
         CREATE TRIGGER odd BEFORE INSERT ON a WHEN NEW.n = 3 BEGIN SELECT RAISE(ABORT, 'no threes'); END;",
    );
    let path = dir.path().join("source.db");
    let long = "a note of two lines\nthat is longer than forty characters";
    let columns: [(&str, &[&str]); 6] = [
        ("id", &["1", "2"]),
        ("n", &["2", "3"]),
        ("note", &["", long]),
        ("b", &["-", "-"]),
        ("c", &["7", "8"]),
        ("d", &["7", "8"]),
    ];
    let all = [rows("a", &columns)];
    let error = write(&schema, &all, &path, Some("{}"), IfExists::Append).unwrap_err();
    assert!(error.to_string().contains("table `a`: row 2 cannot be written: no threes"), "{error}");
    let cells = "(id=2, n=3, note=a note of two lines that is longer than …, b=NULL, c=8)";
    assert!(error.to_string().ends_with(cells), "{error}");
    assert_eq!(error.hint().as_deref(), Some("nothing was written"));
    assert_eq!((count(&path, "a"), count(&path, "pragma_table_info('a')")), (0, 6));
    // A new database has its triggers last.
    let written = write(&schema, &all, &dir.path().join("new.db"), None, IfExists::Fail).unwrap();
    assert_eq!(counts(&written), [("a", 2, 0)]);
}

/// People of a town that is kept, with visits, in two parts. The second refers to the town of the first, and its last person has
/// the mail of the first one.
fn two_parts() -> Vec<Vec<Rows>> {
    let part = |ids: [&str; 2], mails: [&str; 2], of: &str| {
        let people: [(&str, &[&str]); 3] = [("id", &ids), ("town", &["a", "a"]), ("mail", &mails)];
        vec![rows("person", &people), rows("visit", &[("person", &[of]), ("n", &["1"])])]
    };
    let mut first = part(["1", "2"], ["p", "q"], "2");
    let mut town = rows("town", &[("code", &["a"])]);
    town.is_kept = true;
    first.push(town);
    vec![first, part(["3", "4"], ["r", "p"], "4")]
}

const PEOPLE: &str = "CREATE TABLE town (code TEXT PRIMARY KEY);
     CREATE TABLE person (id INTEGER PRIMARY KEY, town TEXT NOT NULL REFERENCES town, mail TEXT UNIQUE);
     CREATE TABLE visit (person INT NOT NULL REFERENCES person, n INT, PRIMARY KEY (person, n));
     CREATE INDEX by_town ON person (town);";
const ALL_PEOPLE: &str = "SELECT group_concat(id || town || mail || coalesce(mintage, '-')) FROM (SELECT * FROM person ORDER BY id)";

#[test]
fn parts_are_written_as_if_they_were_one() {
    let (dir, schema) = source(PEOPLE);
    let paths = ["parts.db", "one.db"].map(|name| dir.path().join(name));
    let parts = two_parts();
    let all: Vec<Rows> = parts.iter().flatten().cloned().collect();
    let in_parts = write_parts(&schema, parts, &paths[0], IfExists::Fail).unwrap();
    let at_once = write(&schema, &all, &paths[1], Some("{}"), IfExists::Fail).unwrap();
    // So the visit of the one who is refused refers to nobody.
    assert_eq!(counts(&in_parts), [("person", 3, 1), ("town", 1, 0), ("visit", 1, 1)]);
    assert_eq!(in_parts.tables, at_once.tables);
    for path in &paths {
        assert_eq!(text(path, ALL_PEOPLE), "1ap{},2aq{},3ar{}");
        assert_eq!(count(path, "pragma_foreign_key_check"), 0);
        assert_eq!(count(path, "sqlite_schema WHERE name = 'by_town'"), 1);
    }
}

#[test]
fn added_parts_go_on_after_each_other() {
    let (dir, schema) = source(&format!(
        "{PEOPLE} INSERT INTO town VALUES ('a'); INSERT INTO person VALUES (5, 'a', 'x'), (7, 'a', 'y');"
    ));
    let path = dir.path().join("source.db");
    let mut parts = two_parts();
    // Tables without rows yet are numbered when they get some.
    let later = parts[0][0].clone();
    parts[0][0].rows = later.rows.head();
    parts[0][1].rows = parts[0][1].rows.head();
    parts[1][0] = later;
    parts[1][1] = rows("visit", &[("person", &["2"]), ("n", &["1"])]);
    let third = rows("person", &[("id", &["3"]), ("town", &["a"]), ("mail", &["z"])]);
    parts.push(vec![third]);
    let written = write_parts(&schema, parts, &path, IfExists::Append).unwrap();
    assert_eq!(counts(&written), [("person", 3, 0), ("town", 0, 0), ("visit", 1, 0)]);
    assert_eq!(written.tables[1].present, 1);
    assert_eq!(text(&path, ALL_PEOPLE), "5ax-,7ay-,8ap{},9aq{},10az{}");
    assert_eq!(count(&path, "visit WHERE person = 9"), 1);
}

#[test]
fn what_ends_a_later_part_takes_everything_back() {
    let (dir, schema) = source(&format!(
        "{PEOPLE} CREATE TRIGGER odd BEFORE INSERT ON person WHEN NEW.mail = 'r' BEGIN SELECT RAISE(ABORT, 'no r'); END;"
    ));
    let path = dir.path().join("source.db");
    let error = write_parts(&schema, two_parts(), &path, IfExists::Append).unwrap_err();
    assert!(error.to_string().contains("no r"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("nothing was written"));
    // So does a failure of what makes the parts, which is handed on.
    let (target, pg) = (path.display().to_string(), PgDefaults::default());
    for (target, if_exists) in [(target.clone(), IfExists::Append), (format!("{target}.new"), IfExists::Fail)]
    {
        let how = DatabaseWriting { target: &target, if_exists, provenance: None, pg: &pg };
        let mut parts = two_parts().into_iter().take(1);
        let mut next = || parts.next().map(Some).ok_or_else(|| Error::bad("the model", "is tired"));
        let error = write_database_parts(&schema, &mut next, &how).unwrap_err();
        assert_eq!(error.to_string(), "the model: is tired");
    }
    // And a table that comes late.
    let mut late = two_parts();
    late[0].remove(1);
    let error = write_parts(&schema, late, &path, IfExists::Append).unwrap_err().to_string();
    assert!(error.contains("visit: has rows in a later part"), "{error}");
    assert_eq!((count(&path, "person"), count(&path, "town")), (0, 0));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_database_that_breaks_its_keys_is_not_added_to() {
    let (dir, schema) = source(
        "PRAGMA foreign_keys = OFF; CREATE TABLE a (id INTEGER PRIMARY KEY);
         CREATE TABLE b (id INTEGER PRIMARY KEY, a INT REFERENCES a); INSERT INTO b VALUES (1, 9);",
    );
    let path = dir.path().join("source.db");
    let all = [rows("a", &[("id", &["1"])])];
    let error = write(&schema, &all, &path, None, IfExists::Append).unwrap_err().to_string();
    assert!(error.contains("table `b`: has rows already that refer to nothing"), "{error}");
    let gone = dir.path().join("gone.db");
    assert!(write(&schema, &all, &gone, None, IfExists::Append).is_err() && !gone.exists());
}

#[test]
fn names_that_differ_by_case_alone_are_told_before_rows_are_drawn() {
    let (dir, schema) =
        source("CREATE TABLE item (id INTEGER PRIMARY KEY, n INT); CREATE TABLE \"Ёж\" (id INT);");
    let path = dir.path().join("new.db");
    let mut two = schema.clone();
    two.tables.push(Table { name: "Item".into(), ..schema.tables[0].clone() });
    let (target, pg) = (path.display().to_string(), PgDefaults::default());
    let how = DatabaseWriting { target: &target, if_exists: IfExists::Replace, provenance: None, pg: &pg };
    let mut next = || -> Result<Option<Vec<Rows>>, Error> { panic!("rows are drawn in vain") };
    let error = write_database_parts(&two, &mut next, &how).unwrap_err();
    assert!(error.to_string().contains("cannot have the tables `item` and `Item`"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("postgres://") && hint.contains("--exclude Item"), "{hint}");
    let mut columns = schema.clone();
    let other = crate::database::Column { name: "N".into(), ..schema.tables[0].columns[1].clone() };
    columns.tables[0].columns.push(other);
    let error = write(&columns, &[], &path, None, IfExists::Fail).unwrap_err().to_string();
    assert!(error.contains("the columns `n` and `N` of table `item`"), "{error}");
    assert!(!path.exists());
    // Of these letters SQLite knows no case.
    let mut cyrillic = schema.clone();
    let hedgehog = schema.tables.iter().find(|table| table.name == "Ёж").unwrap();
    cyrillic.tables.push(Table { name: "ёж".into(), ddl: Vec::new(), ..hedgehog.clone() });
    write(&cyrillic, &[], &path, None, IfExists::Fail).unwrap();
    assert_eq!(count(&path, "sqlite_schema WHERE type = 'table'"), 3);
}

#[test]
fn a_table_of_a_server_keeps_what_sqlite_understands() {
    let column = |name: &str, ty: &str, default: Option<&str>| crate::database::Column {
        name: name.into(),
        ty: ty.into(),
        nullable: true,
        default: default.map(str::to_owned),
        ..crate::database::Column::default()
    };
    let mut mood = column("mood", "sales.mood", None);
    mood.labels = vec!["sad".into(), "it's".into()];
    let table = Table {
        name: "sales.Item".into(),
        columns: vec![
            column("id", "bigint", None),
            column("kind", "character varying(9)", Some("'a::b'::character varying")),
            column("at", "timestamp without time zone", Some("now()")),
            column("n", "integer", Some("floor(random() * pg_backend_pid())")),
            mood,
        ],
        primary_key: vec!["id".into()],
        checks: vec![
            "((kind)::text = ANY ((ARRAY['a::b'::character varying, 'c'::character varying])::text[]))"
                .into(),
            "(kind ~ '^a'::text)".into(),
        ],
        ddl: vec![
            "CREATE INDEX by_kind ON sales.\"Item\" USING btree (kind)".into(),
            "CREATE UNIQUE INDEX one_sad ON sales.\"Item\" USING btree (mood) WHERE (mood = 'sad'::sales.mood)".into(),
            "CREATE INDEX by_lower ON sales.\"Item\" USING btree (lower((kind)::text), n)".into(),
            "CREATE INDEX by_words ON sales.\"Item\" USING gin (to_tsvector('simple'::regconfig, (kind)::text))".into(),
        ],
        ..Table::default()
    };
    let schema = Schema {
        store: crate::database::Store::Postgres,
        tables: vec![table],
        views: Vec::new(),
        unreadable: Vec::new(),
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.db");
    let item: [(&str, &[&str]); 2] = [("id", &["1", "2"]), ("mood", &["it's", "gay"])];
    let written = write(&schema, &[rows("sales.Item", &item)], &path, None, IfExists::Fail).unwrap();
    assert_eq!((counts(&written), written.notes.len()), (vec![("sales.Item", 1, 1)], 3));
    assert_eq!(count(&path, "\"sales.Item\" WHERE kind = 'a::b' AND at > '2020' AND n IS NULL"), 1);
    assert_eq!(count(&path, "sqlite_schema WHERE name IN ('by_kind', 'one_sad', 'by_lower')"), 3);
}
