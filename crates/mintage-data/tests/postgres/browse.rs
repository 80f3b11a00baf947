//! Pages of a database of a server.

use std::collections::HashSet;

use mintage_data::browse::{
    BrowseRow, BrowseType, Browser, Cell, Histogram, ItemId, MediaKind, PageRequest, SourceKind,
};
use mintage_data::table::PgDefaults;

use super::{
    common::failure,
    items::png,
    server::{PASSWORD, server},
};

fn open(source: &str) -> Browser {
    Browser::open(source, &PgDefaults::default()).unwrap()
}

fn of(table: &str) -> PageRequest {
    PageRequest { table: Some(table.to_owned()), limit: 100, ..PageRequest::default() }
}

/// All rows, by small pages.
fn all(browser: &Browser, request: &PageRequest) -> Vec<BrowseRow> {
    let mut rows = Vec::new();
    loop {
        let page =
            browser.page(&PageRequest { offset: rows.len() as u64, limit: 7, ..request.clone() }).unwrap();
        if page.rows.is_empty() {
            assert_eq!(rows.len() as u64, page.total);
            return rows;
        }
        rows.extend(page.rows);
    }
}

const SHOP: &str = "CREATE SCHEMA side; CREATE DOMAIN price AS numeric(10,2);
    CREATE TABLE goods (id int PRIMARY KEY, name text, cost price, made timestamp, ok boolean, doc json, photo bytea,
                        big bigint, share float8);
    CREATE TABLE keyed (a text, b int, photo bytea, PRIMARY KEY (a, b));
    CREATE TABLE side.bare (n int, photo bytea);
    CREATE TABLE nothing ();
    CREATE VIEW dear AS SELECT name, cost, photo FROM goods WHERE cost > 20;
    CREATE TABLE \"we\"\"ird'; DROP TABLE goods; --\" (\"c\"\"=1; --\" text, \"mintage place\" bytea);
    INSERT INTO \"we\"\"ird'; DROP TABLE goods; --\" VALUES ('x'' OR ''1''=''1', 'MThd'), ('plain', NULL)";

fn fill(client: &mut postgres::Client) {
    for i in (0..60i32).rev() {
        let photo = png(i as usize);
        let name = format!("article {i}");
        client
            .execute(
                "INSERT INTO goods VALUES ($1::int, $2, CASE WHEN $1::int % 10 <> 9 THEN $1::int * 0.5 + 1 END,
                 '2024-01-01 10:00'::timestamp + make_interval(days => $1::int), $1::int % 2 = 0, '{\"k\": 1}', $3,
                 9007199254740993, '0.1'::float8 + '0.2'::float8)",
                &[&i, &name, &photo],
            )
            .unwrap();
        let kind = ["a", "b", "c"][i as usize % 3];
        client.execute("INSERT INTO keyed VALUES ($1, $2, $3)", &[&kind, &(60 - i), &photo]).unwrap();
        client.execute("INSERT INTO side.bare VALUES ($1, $2)", &[&i, &photo]).unwrap();
    }
}

#[test]
fn pages_show_every_row_once_and_media_find_it_again() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database("browsed", SHOP);
    fill(&mut client);
    let browser = open(&source);
    assert_eq!(browser.kind(), SourceKind::Postgres);
    assert!(!browser.name().contains(PASSWORD) && !format!("{browser:?}").contains("geheim"));
    let tables = browser.tables().unwrap();
    assert!(tables.contains(&"side.bare".to_owned()) && tables.last().is_some_and(|view| view == "dear"));
    let page = browser.page(&of("goods")).unwrap();
    let types: Vec<BrowseType> = page.columns.iter().map(|column| column.ty).collect();
    {
        use BrowseType::*;
        assert_eq!(types, [Integer, Text, Number, Datetime, Boolean, Text, Image, Integer, Number]);
    }
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(
        page.rows[2].cells[..6],
        [
            Cell::Integer(2),
            text("article 2"),
            Cell::Real(2.0),
            text("2024-01-03 10:00:00"),
            Cell::Boolean(true),
            text("{\"k\": 1}")
        ]
    );
    assert_eq!(page.rows[2].cells[7..], [text("9007199254740993"), Cell::Real(0.1 + 0.2)]);
    assert!(matches!(&page.rows[2].cells[6], Cell::Media(photo) if photo.kind == MediaKind::Image));
    for (table, count, orders) in [
        ("goods", 60, &["", "-cost", "doc", "ok"][..]),
        ("keyed", 60, &["", "-b", "a"]),
        ("side.bare", 60, &["", "n", "-n"]),
        ("dear", 18, &["", "-cost"]),
    ] {
        let mut natural: Option<HashSet<ItemId>> = None;
        for sort in orders {
            let sort = Some(sort.to_string()).filter(|sort| !sort.is_empty());
            let rows = all(&browser, &PageRequest { sort: sort.clone(), ..of(table) });
            let items: HashSet<ItemId> = rows.iter().map(|row| row.item).collect();
            assert_eq!((rows.len(), items.len()), (count, count), "{table} {sort:?}");
            assert_eq!(*natural.get_or_insert_with(|| items.clone()), items, "{table} {sort:?}");
            for row in [&rows[0], &rows[count / 2], &rows[count - 1]] {
                let i = match (table, &row.cells[0], &row.cells[1]) {
                    ("keyed", _, Cell::Integer(b)) => 60 - b,
                    (_, Cell::Integer(i), _) => *i,
                    (_, Cell::Text(name), _) => name.trim_start_matches("article ").parse().unwrap(),
                    _ => unreachable!("a key"),
                };
                let media = browser.media(Some(table), row.item, "photo").unwrap();
                assert_eq!(media.bytes, png(i as usize), "{table} {sort:?}");
            }
        }
    }
    assert!(browser.page(&of("nothing")).unwrap().rows.is_empty());
    let found = browser.histograms(Some("goods")).unwrap();
    let of = |name: &str| &found.columns.iter().find(|(column, _)| column == name).unwrap().1;
    assert!(
        matches!(of("cost"), Histogram::Number { missing: 6, counts, .. } if counts.iter().sum::<u64>() == 54)
    );
    let halves = [("false".to_owned(), 30), ("true".to_owned(), 30)];
    assert!(matches!(of("ok"), Histogram::Category { values, .. } if *values == halves));
    assert_eq!((found.rows, found.columns.len()), (60, 8));
}

#[test]
fn conditions_bind_their_values_and_changes_are_told() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database("asked", SHOP);
    fill(&mut client);
    let browser = open(&source);
    let count = |filters: &[&str]| {
        let filters = filters.iter().map(|filter| filter.to_string()).collect();
        browser.page(&PageRequest { filters, ..of("goods") }).map(|page| page.total)
    };
    for (filters, expected) in [
        (&["cost=10..12"][..], 4),
        (&["cost=1.0"], 1),
        (&["cost="], 6),
        (&["cost=n/a"], 0),
        (&["name=article 7"], 1),
        (&["name=' OR 1=1 --"], 0),
        (&["name=$1"], 0),
        (&["made=2024-02"], 29),
        (&["made=2024-01-30..2024-02-01"], 3),
        (&["ok=false", "id=..10"], 5),
        (&["doc={\"k\": 1}"], 60),
        (&["big=9007199254740993"], 60),
        (&["share=0.30000000000000004"], 60),
        (&["photo="], 0),
    ] {
        assert_eq!(count(filters).unwrap(), expected, "{filters:?}");
    }
    assert!(failure(count(&["name=\0"])).contains("character zero"));
    assert!(failure(count(&["naem=x"])).contains("did you mean `name`?"));
    let weird = "we\"ird'; DROP TABLE goods; --";
    let request = PageRequest {
        filters: vec!["c\"=1; --=x' OR '1'='1".to_owned()],
        sort: Some("-c\"=1; --".to_owned()),
        ..of(weird)
    };
    let page = browser.page(&request).unwrap();
    assert_eq!((page.total, page.rows.len()), (1, 1));
    assert_eq!(browser.media(Some(weird), page.rows[0].item, "c\"=1; --").unwrap().bytes, b"x' OR '1'='1");
    for table in ["goods; DROP TABLE goods", "goods\0", "godos", "pg_authid", "pg_catalog.pg_authid"] {
        assert!(failure(browser.page(&of(table))).contains("has no table"), "{table}");
    }
    assert!(failure(browser.media(Some("goods"), ItemId(77), "photo")).contains("has no row 77"));
    assert!(failure(browser.media(Some("goods"), ItemId(9), "cost")).contains("is empty"));
    // A connection that the server ended is made anew.
    client.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'asked' AND pid <> pg_backend_pid()", &[]).unwrap();
    assert_eq!(count(&[]).unwrap(), 60);
    client.batch_execute("DROP VIEW dear; DROP TABLE goods").unwrap();
    assert!(failure(count(&[])).contains("has no table `goods`"));
    // Nothing is written, whatever a view calls.
    client
        .batch_execute(
            "CREATE FUNCTION put() RETURNS int LANGUAGE sql AS 'INSERT INTO keyed VALUES (''z'', 1) RETURNING 1';
             CREATE VIEW trap AS SELECT put() AS x",
        )
        .unwrap();
    assert!(failure(browser.page(&of("trap"))).contains("read-only transaction"));
}
