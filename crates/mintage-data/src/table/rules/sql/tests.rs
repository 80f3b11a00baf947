#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::table::{
    Column,
    schema::{Kind, detect},
};

/// `lo, hi, price` numbers, `code` texts, `day` dates; some cells are missing.
fn table() -> (Table, TableSchema) {
    let cells = |texts: &[&'static str]| {
        texts.iter().map(|&text| Some(text).filter(|t| !t.is_empty())).collect::<Vec<_>>()
    };
    let column = |name: &str, texts: &[&'static str]| Column::of(name, cells(texts));
    let columns = vec![
        column("lo", &["1", "5", "7", ""]),
        column("hi", &["2", "5", "6", "4"]),
        column("price", &["0.50", "1.25", "-3.00", "2.00"]),
        column("code", &["ABC-1", "abd-2", "X", ""]),
        column("day", &["2024-01-01", "2024-02-01", "2023-12-31", "2024-03-01"]),
    ];
    let table = Table { name: "t".into(), columns, ..Table::default() };
    let mut schema = detect(&table);
    let kinds = [
        ("lo", Kind::Integer),
        ("hi", Kind::Integer),
        ("price", Kind::Number),
        ("code", Kind::Text),
        ("day", Kind::Datetime),
    ];
    let kinds: BTreeMap<String, Kind> = kinds.map(|(name, kind)| (name.to_owned(), kind)).into();
    schema.apply(&table, &kinds).unwrap();
    (table, schema)
}

fn broken(sql: &str) -> Vec<usize> {
    let (table, schema) = table();
    Sql::parse(sql, &schema).unwrap().broken(&table, &schema)
}

#[test]
fn conditions_of_both_databases() {
    let none: [usize; 0] = [];
    for (sql, rows) in [
        ("lo<=hi", &[2][..]),
        ("((lo <= hi))", &[2]),
        ("\"LO\" < [hi]", &[1, 2]),
        ("price > (0)::numeric", &[2]),
        ("lo BETWEEN 1 AND 5", &[2]),
        ("lo NOT BETWEEN 1 AND 5", &[0, 1]),
        ("(lo IS NULL) OR (lo <> 7)", &[2]),
        ("lo is not null", &[3]),
        ("lo IN (1, 5) AND hi > 2", &[0, 2]),
        ("((code)::text = ANY ((ARRAY['ABC-1'::character varying, 'X'::character varying])::text[]))", &[1]),
        ("code <> ALL (ARRAY['X'::text])", &[2]),
        ("code LIKE 'A%'", &[1, 2]),
        ("code ~ '^[A-Z]'::text", &[1]),
        ("code !~~ 'X%'", &[2]),
        ("code glob '???-?'", &[2]),
        ("length(code) >= 5", &[2]),
        ("day >= '2024-01-01'", &[2]),
        ("day < DATE '2024-03-01'", &[3]),
        ("CASE WHEN lo > 6 THEN hi > 6 ELSE TRUE END", &[2]),
        ("abs(price) <= coalesce(lo, 0) + 1.5", &[3]),
        ("hi % 2 = 0 or lo = 5", &none),
        ("lower(code) || '!' <> 'x!'", &[2]),
        ("NOT (lo = 5)", &[1]),
        ("lo IS DISTINCT FROM 7", &[2]),
        ("cast(price as int) + 0 > -3e0", &[2]),
    ] {
        assert_eq!(broken(sql), rows, "{sql}");
    }
}

#[test]
fn what_is_not_understood_is_said() {
    let (_, schema) = table();
    for (sql, why) in [
        ("julianday(day) > 3", "calls julianday(…)"),
        ("lo <= top", "names `top`, which is no column"),
        ("lo <=", "ends too early"),
        ("lo <= hi)", "`)` is not understood"),
        ("lo = (SELECT 1)", "names `SELECT`"),
        ("code LIKE lo", "has a pattern that is no text"),
        ("code = 'x", "cannot be read"),
        (&"(".repeat(5000), "nested too deeply"),
    ] {
        let error = Sql::parse(sql, &schema).unwrap_err().to_string();
        assert!(error.contains(why), "{sql}: {error}");
    }
}

#[test]
fn names_are_found_in_the_text() {
    assert_eq!(
        names("lo <= \"the hi\" AND code LIKE 'lo x' or length(z) > 1e3"),
        ["lo", "the hi", "code", "z"]
    );
}

/// Conditions over `lo`, `hi` and `price`.
fn condition() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("lo".to_owned()),
        Just("hi".to_owned()),
        Just("price".to_owned()),
        (-9i32..9).prop_map(|n| n.to_string()),
        Just("NULL".to_owned()),
    ];
    let sum = (value.clone(), prop_oneof!["\\+", "-", "\\*"], value)
        .prop_map(|(a, op, b)| format!("{a} {op} ({b})"));
    let compare = (sum.clone(), prop_oneof!["<", "<=", "=", "<>", ">"], sum.clone());
    let compare = compare.prop_map(|(a, op, b)| format!("{a} {op} {b}"));
    let leaf = prop_oneof![
        compare,
        sum.clone().prop_map(|a| format!("({a}) IS NULL")),
        (sum.clone(), sum).prop_map(|(a, b)| format!("({a}) IN (1, {b}, 3)")),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) AND ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) OR {b}")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// SQLite itself refuses the same rows, and so does what is written of a condition.
    #[test]
    fn agrees_with_sqlite(sql in condition()) {
        let (table, schema) = table();
        let parsed = Sql::parse(&sql, &schema).unwrap();
        let ours = parsed.broken(&table, &schema);
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (lo INT, hi INT, price REAL)").unwrap();
        for row in 0..table.rows() {
            let cell = |name: &str| table.column(name).unwrap().cell(row).map(|text| text.parse::<f64>().unwrap());
            connection.execute("INSERT INTO t VALUES (?1, ?2, ?3)", (cell("lo"), cell("hi"), cell("price"))).unwrap();
        }
        let query = format!("SELECT rowid - 1 FROM t WHERE NOT ({sql})");
        let theirs: Vec<usize> = connection.prepare(&query).unwrap()
            .query_map([], |row| row.get::<_, i64>(0)).unwrap().map(|row| row.unwrap() as usize).collect();
        prop_assert_eq!(&ours, &theirs, "{}", sql);
        let again = parsed.text(&schema);
        prop_assert_eq!(&Sql::parse(&again, &schema).unwrap().broken(&table, &schema), &theirs, "{} from {}", again, sql);
    }

    #[test]
    fn any_text_is_harmless(text in "[-+*/(),.'\"a-zA-Z0-9я<>=|:~%\\[\\] ]{0,60}") {
        let (table, schema) = table();
        let _ = names(&text);
        if let Ok(sql) = Sql::parse(&text, &schema) {
            sql.broken(&table, &schema);
        }
    }
}
