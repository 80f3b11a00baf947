//! Pages of databases, files and folders.

#![allow(clippy::unwrap_used)]

mod files;

use std::{collections::HashSet, fs, path::Path};

use mintage_data::{
    Animation, Error, ImageShape, Images, PgDefaults, Score,
    audio::{WavDepth, wav_bytes},
    browse::*,
    gif_bytes,
    music::Note,
    png_bytes,
};
use rusqlite::{Connection, params};
use serde_json::json;

fn png(gray: u8, width: usize, height: usize) -> Vec<u8> {
    let shape = ImageShape { channels: 1, height, width };
    let pixels = vec![gray; width * height];
    png_bytes(&Images { shape, pixels, labels: vec![], classes: vec![] }, 0, None).unwrap()
}

fn gif(frames: u8) -> Vec<u8> {
    let shape = ImageShape { channels: 3, height: 20, width: 40 };
    let frame = |at: u8| vec![200 - 20 * at; shape.pixels()];
    gif_bytes(&Animation { shape, fps: 10.0, frames: (0..frames).map(frame).collect() }, None).unwrap()
}

/// Half a second of silence, then half a second of a loud tone.
fn wav() -> Vec<u8> {
    let wave = |at: usize| if at < 4000 { 0.0 } else { 0.8 * (at as f32 * 0.3).sin() };
    wav_bytes(&(0..8000).map(wave).collect::<Vec<f32>>(), 1, 8000, WavDepth::Bits16, "")
}

fn midi() -> Vec<u8> {
    let note = |step: u32| Note {
        start: 12 * step,
        duration: 12,
        pitch: 60 + step as u8,
        velocity: 25,
        programme: 0,
        voice: 0,
    };
    Score::new((0..8).map(note).collect(), vec![], vec![]).to_midi("")
}

fn open(path: &Path) -> Browser {
    Browser::open(&path.display().to_string(), &PgDefaults::default()).unwrap()
}

fn of(table: &str) -> PageRequest {
    PageRequest { table: Some(table.to_owned()), limit: MAX_PAGE_ROWS, ..PageRequest::default() }
}

/// All rows, by small pages.
fn all(browser: &Browser, request: &PageRequest) -> Vec<BrowseRow> {
    let mut rows = Vec::new();
    loop {
        let page =
            browser.page(&PageRequest { offset: rows.len() as u64, limit: 7, ..request.clone() }).unwrap();
        assert!(page.rows.len() <= 7 && page.offset == rows.len() as u64);
        if page.rows.is_empty() {
            assert_eq!(rows.len() as u64, page.total);
            return rows;
        }
        rows.extend(page.rows);
    }
}

/// The cells of one column.
fn column(rows: &[BrowseRow], at: usize) -> Vec<Cell> {
    rows.iter().map(|row| row.cells[at].clone()).collect()
}

fn types(page: &Page) -> Vec<BrowseType> {
    page.columns.iter().map(|column| column.ty).collect()
}

/// The message and the hint of the error that must come.
fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    format!("{error} | {}", error.hint().unwrap_or_default())
}

/// The gray of a picture of one gray.
fn gray(media: &Media) -> u8 {
    image::load_from_memory(&media.bytes).unwrap().to_luma8().get_pixel(0, 0).0[0]
}

/// Sixty goods, every third of whose numbers is free, and the same photos in tables whose rows have no numbers.
fn shop(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    let sql = "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, kind, price REAL, made DATE, ok BOOLEAN, photo BLOB); \
               CREATE TABLE keyed (a TEXT, b INT, photo BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID; \
               CREATE TABLE taken (rowid TEXT, _rowid_ TEXT, oid TEXT, photo BLOB); \
               CREATE VIEW dear AS SELECT name, price, photo FROM goods WHERE price > 20;";
    connection.execute_batch(sql).unwrap();
    for i in 0..60u8 {
        let price = (i % 10 != 9).then(|| f64::from(i) * 0.5 + 1.0);
        let kind = ["coat", "bag", "пальто"][usize::from(i) % 3];
        let (made, name) = (format!("2024-{:02}-{:02}", i / 28 + 1, i % 28 + 1), format!("article {i}"));
        let photo = png(i * 4, 8, 8);
        let values = params![i64::from(i) * 3 + 1, name, kind, price, made, i % 2 == 0, photo];
        connection.execute("INSERT INTO goods VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", values).unwrap();
        let key = params![kind, 60 - i, photo];
        connection.execute("INSERT INTO keyed VALUES (?1, ?2, ?3)", key).unwrap();
        connection.execute("INSERT INTO taken VALUES (?1, 'x', 'y', ?2)", params![name, photo]).unwrap();
    }
    connection
}

#[test]
fn pages_of_a_database_show_every_row_once_and_media_find_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    shop(&path);
    let browser = open(&path);
    assert_eq!(
        (browser.kind(), browser.tables().unwrap().join(" ")),
        (SourceKind::Sqlite, "goods keyed taken dear".into())
    );
    let page = browser.page(&of("goods")).unwrap();
    {
        use BrowseType::*;
        assert_eq!(types(&page), [Integer, Text, Text, Number, Datetime, Boolean, Image]);
    }
    assert_eq!((page.total, page.rows[1].item), (60, ItemId(4)));
    assert_eq!(
        page.rows[0].cells[..6],
        [
            Cell::Integer(1),
            Cell::Text("article 0".to_owned()),
            Cell::Text("coat".to_owned()),
            Cell::Real(1.0),
            Cell::Text("2024-01-01".to_owned()),
            Cell::Boolean(true)
        ]
    );
    let Cell::Media(photo) = &page.rows[0].cells[6] else { unreachable!("a photo") };
    assert!(photo.kind == MediaKind::Image && photo.mime == "image/png" && photo.has_thumbnail());
    assert_eq!(photo.bytes, png(0, 8, 8).len() as u64);
    for (table, count, orders) in [
        ("goods", 60, &["", "-price", "kind", "made"][..]),
        ("keyed", 60, &["", "-b", "a"]),
        ("taken", 60, &["", "-rowid"]),
        ("dear", 18, &["", "-price"]),
    ] {
        let mut natural: Option<HashSet<ItemId>> = None;
        for sort in orders {
            let sort = Some(sort.to_string()).filter(|sort| !sort.is_empty());
            let request = PageRequest { sort: sort.clone(), ..of(table) };
            let rows = all(&browser, &request);
            let items: HashSet<ItemId> = rows.iter().map(|row| row.item).collect();
            assert_eq!((rows.len(), items.len()), (count, count), "{table} {sort:?}");
            // The same numbers whatever the order.
            assert_eq!(*natural.get_or_insert_with(|| items.clone()), items, "{table} {sort:?}");
            for row in [&rows[0], &rows[count / 2], &rows[count - 1]] {
                let media = browser.media(Some(table), row.item, "photo").unwrap();
                let expected = match (table, &row.cells[0], &row.cells[1]) {
                    ("goods", Cell::Integer(id), _) => (id - 1) / 3 * 4,
                    ("keyed", _, Cell::Integer(b)) => (60 - b) * 4,
                    (_, Cell::Text(name), _) => {
                        name.trim_start_matches("article ").parse::<i64>().unwrap() * 4
                    }
                    _ => unreachable!("a key"),
                };
                assert_eq!(i64::from(gray(&media)), expected, "{table} {sort:?}");
            }
        }
    }
}

#[test]
fn conditions_and_orders_of_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    shop(&path);
    let browser = open(&path);
    let asked = |filters: &[&str], sort: Option<&str>| PageRequest {
        filters: filters.iter().map(|filter| filter.to_string()).collect(),
        sort: sort.map(str::to_owned),
        ..of("goods")
    };
    let count = |filters: &[&str]| browser.page(&asked(filters, None)).unwrap().total;
    assert_eq!(count(&["kind=пальто"]), 20);
    assert_eq!(count(&["price=10..12"]), 4);
    assert_eq!(count(&["price=10..12", "kind=bag"]), 1);
    assert_eq!(count(&["price=..1.5"]), 2);
    assert_eq!(count(&["price=1"]), 1);
    assert_eq!(count(&["price="]), 6);
    assert_eq!(count(&["made=2024-02"]), 28);
    assert_eq!(count(&["made=2024-01-28..2024-02"]), 29);
    assert_eq!(count(&["ok=true"]), 30);
    assert_eq!(count(&["id=4"]), 1);
    assert_eq!(count(&["photo="]), 0);
    assert_eq!(count(&["name=article 7", "name=article 8"]), 0);
    let rows = all(&browser, &asked(&["kind=bag"], Some("-price")));
    let prices = column(&rows, 3);
    let there = prices.iter().filter(|cell| **cell != Cell::Missing).count();
    assert!(prices[there..].iter().all(|cell| *cell == Cell::Missing) && there == 18, "{prices:?}");
    let numbers: Vec<f64> =
        prices[..there].iter().map(|cell| if let Cell::Real(x) = cell { *x } else { f64::NAN }).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    let empty = browser.page(&PageRequest { limit: 0, ..of("keyed") }).unwrap();
    assert_eq!((empty.total, empty.rows.len()), (60, 0));
    let beyond = browser.page(&PageRequest { offset: u64::MAX, ..of("goods") }).unwrap();
    assert!(beyond.rows.is_empty());
}

#[test]
fn hostile_names_and_values_are_nothing_but_names_and_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let connection = shop(&path);
    let table = "we\"ird'; DROP TABLE goods; --";
    let sql = "CREATE TABLE \"we\"\"ird'; DROP TABLE goods; --\" (\"c\"\"=1; --\" TEXT, \"mintage place\" BLOB, [rowid] INT)";
    connection.execute(sql, []).unwrap();
    let value = "x' OR '1'='1";
    let insert = "INSERT INTO \"we\"\"ird'; DROP TABLE goods; --\" VALUES (?1, ?2, 1)";
    connection.execute(insert, params![value, b"MThd".to_vec()]).unwrap();
    connection.execute(insert, params!["plain", b"MThd".to_vec()]).unwrap();
    drop(connection);
    let browser = open(&path);
    assert_eq!(browser.page(&of(table)).unwrap().rows.len(), 2);
    let request = PageRequest {
        filters: vec![format!("c\"=1; --={value}")],
        sort: Some("-c\"=1; --".to_owned()),
        ..of(table)
    };
    let page = browser.page(&request).unwrap();
    assert_eq!((page.total, &page.rows[0].cells[0]), (1, &Cell::Text(value.to_owned())));
    assert_eq!(browser.media(Some(table), page.rows[0].item, "c\"=1; --").unwrap().bytes, value.as_bytes());
    assert_eq!(browser.histograms(Some(table)).unwrap().columns.len(), 2);
    for (request, why) in [
        (of("goods; DROP TABLE goods"), "has no table"),
        (of("goods\0"), "has no table"),
        (of("sqlite_master"), "has no table"),
        (of("pragma_table_list"), "has no table"),
        (PageRequest { sort: Some("name; DROP TABLE goods".to_owned()), ..of("goods") }, "has no column"),
        (PageRequest { sort: Some("random()".to_owned()), ..of("goods") }, "has no column"),
        (PageRequest { sort: Some("naem".to_owned()), ..of("goods") }, "did you mean `name`?"),
        (PageRequest { filters: vec!["1=1".to_owned()], ..of("goods") }, "has no column `1`"),
        (PageRequest { filters: vec!["name IS NOT NULL".to_owned()], ..of("goods") }, "is not a condition"),
        (PageRequest { filters: vec!["photo=x".to_owned()], ..of("goods") }, "holds files"),
    ] {
        assert!(failure(browser.page(&request)).contains(why), "{request:?}");
    }
    let hostile = ["' OR 1=1 --", "\0", "\"", "?1", "%", "1..2; DROP TABLE goods"];
    for value in hostile {
        let request =
            PageRequest { filters: vec![format!("name={value}"), format!("price={value}")], ..of("goods") };
        assert_eq!(browser.page(&request).unwrap().total, 0, "{value}");
    }
    assert!(
        failure(browser.media(Some("goods"), ItemId(1), "photo\" FROM goods --")).contains("has no column")
    );
    assert!(failure(browser.media(Some("goods"), ItemId(2), "photo")).contains("has no row 2"));
    assert!(failure(browser.media(Some("keyed"), ItemId(-1), "photo")).contains("has no row -1"));
    assert_eq!(browser.page(&of("goods")).unwrap().total, 60);
}

#[test]
fn a_database_that_changes_or_goes_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let connection = shop(&path);
    let browser = open(&path);
    connection.execute_batch("DROP VIEW dear; DROP TABLE goods").unwrap();
    assert!(failure(browser.page(&of("goods"))).contains("has no table `goods` | "));
    assert_eq!(browser.tables().unwrap(), ["keyed", "taken"]);
    connection.execute_batch("DROP TABLE keyed; DROP TABLE taken").unwrap();
    assert!(failure(browser.page(&PageRequest::default())).contains("has no tables"));
    drop(connection);
    fs::write(&path, "no database").unwrap();
    assert!(failure(browser.page(&PageRequest::default())).contains("no SQLite database"));
    fs::remove_file(&path).unwrap();
    assert!(failure(browser.tables()).contains("shop.db"));
    let open =
        |name: &str| Browser::open(&dir.path().join(name).display().to_string(), &PgDefaults::default());
    assert!(failure(open("shop.db")).contains("there is no such file"));
    fs::write(dir.path().join("empty.db"), "").unwrap();
    assert!(failure(open("empty.db")).contains("is not a SQLite database"));
}

#[test]
fn values_of_any_size_are_shown_by_their_beginnings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "encoding", "UTF-16le").unwrap();
    connection.execute_batch("CREATE TABLE t (x, file BLOB)").unwrap();
    let long = "ё<b>".repeat(100_000);
    let insert = "INSERT INTO t VALUES (?1, ?2)";
    connection.execute(insert, params![long, gif(3)]).unwrap();
    connection.execute(insert, params![i64::MAX, wav()]).unwrap();
    connection.execute(insert, params![f64::NEG_INFINITY, midi()]).unwrap();
    connection.execute("INSERT INTO t VALUES (NULL, x'')", []).unwrap();
    connection
        .execute("INSERT INTO t VALUES (CAST(x'ff00fe' AS TEXT), zeroblob(?1))", [MAX_MEDIA_BYTES as i64 + 1])
        .unwrap();
    drop(connection);
    let browser = open(&path);
    let page = browser.page(&PageRequest { limit: 10, ..PageRequest::default() }).unwrap();
    let json = serde_json::to_value(&page).unwrap();
    assert_eq!(json["columns"][0], json!({"name": "x", "type": "text"}));
    assert_eq!(json["rows"][0]["cells"][0], json!({"media": "text", "text": long[..375], "chars": 400_000}));
    let gif_bytes = gif(3).len();
    assert_eq!(
        json["rows"][0]["cells"][1],
        json!({"media": "video", "type": "image/gif", "bytes": gif_bytes})
    );
    assert_eq!(json["rows"][1]["cells"][0], json!(i64::MAX.to_string()));
    assert_eq!(json["rows"][2]["cells"][0], json!("-inf"));
    assert_eq!(json["rows"][3], json!({"i": 4, "cells": [null, null]}));
    let media = |row: i64, column: &str| browser.media(None, ItemId(row), column);
    assert_eq!(media(1, "x").unwrap(), Media::of_text(long.clone().into_bytes()));
    assert_eq!(media(2, "x").unwrap().bytes, i64::MAX.to_string().into_bytes());
    assert_eq!(media(3, "file").unwrap().kind, MediaKind::Music);
    assert!(failure(media(4, "x")).contains("is empty") && failure(media(4, "file")).contains("is empty"));
    assert!(failure(media(5, "file")).contains("over the limit of 64 MiB"));
    // Text that is none is shown as far as it can be.
    assert!(matches!(page.rows[4].cells[0], Cell::Text(_)));
}

#[test]
fn tables_of_very_many_columns_are_read_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide.db");
    let connection = Connection::open(&path).unwrap();
    let names: Vec<String> = (0..1999).map(|i| format!("c{i}")).collect();
    connection.execute_batch(&format!("CREATE TABLE wide ({})", names.join(", "))).unwrap();
    for row in 0..150 {
        let cells: Vec<String> = (0..1999).map(|i| format!("{}", i * 1000 + row)).collect();
        connection.execute(&format!("INSERT INTO wide VALUES ({})", cells.join(", ")), []).unwrap();
    }
    let browser = open(&path);
    let page = browser.page(&PageRequest { sort: Some("-c1998".to_owned()), ..of("wide") }).unwrap();
    assert_eq!((page.total, page.rows.len(), page.columns.len()), (150, 100, 1999));
    for (place, row) in page.rows.iter().enumerate() {
        let cells: Vec<Cell> = (0..1999).map(|i| Cell::Integer(i * 1000 + 149 - place as i64)).collect();
        assert_eq!(row.cells, cells);
    }
    assert_eq!(browser.histograms(None).unwrap().columns.len(), 1999);
}

#[test]
fn histograms_count_every_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let connection = shop(&path);
    let many = "CREATE TABLE many (n INTEGER PRIMARY KEY, parity); \
                WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM i WHERE x < 249999) \
                INSERT INTO many SELECT x, CASE x % 2 WHEN 0 THEN 'even' ELSE 'odd' END FROM i";
    connection.execute_batch(many).unwrap();
    let browser = open(&path);
    let found = browser.histograms(Some("goods")).unwrap();
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!((found.rows, found.total), (60, 60));
    let keys: Vec<&String> = json["columns"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "name", "kind", "price", "made", "ok"]);
    assert_eq!(
        json["columns"]["kind"],
        json!({"kind": "category", "values": [["bag", 20], ["coat", 20], ["пальто", 20]], "others": 0, "missing": 0})
    );
    assert_eq!(json["columns"]["ok"]["values"], json!([["false", 30], ["true", 30]]));
    assert_eq!(json["columns"]["made"]["values"], json!([["2024-01", 28], ["2024-02", 28], ["2024-03", 4]]));
    assert_eq!(
        json["columns"]["name"],
        json!({"kind": "category", "values": [], "others": 60, "missing": 0})
    );
    let Histogram::Number { edges, counts, missing, .. } = &found.columns[3].1 else {
        unreachable!("prices")
    };
    assert_eq!((edges.len(), counts.iter().sum::<u64>(), *missing), (MAX_BINS + 1, 54, 6));
    assert_eq!((edges[0], edges[MAX_BINS]), (1.0, 30.0));
    // Of many rows a part that is spread over all of them.
    let found = browser.histograms(Some("many")).unwrap();
    assert!((80_000..=100_000).contains(&found.rows) && found.total == 250_000, "{}", found.rows);
    let Histogram::Number { counts, edges, .. } = &found.columns[0].1 else { unreachable!("numbers") };
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(edges[0] < 10.0 && edges[edges.len() - 1] > 249_000.0 && least * 2 > *most, "{counts:?}");
    let csv = dir.path().join("a.csv");
    fs::write(&csv, "n,s\n1,a\n2,a\n3,b\n,c\n4,\n").unwrap();
    let json = serde_json::to_value(open(&csv).histograms(None).unwrap()).unwrap();
    assert_eq!(
        json["columns"],
        json!({
            "n": {"kind": "number", "edges": [0.5, 1.5, 2.5, 3.5, 4.5], "counts": [1, 1, 1, 1], "others": 0, "missing": 1},
            "s": {"kind": "category", "values": [["a", 2], ["b", 1], ["c", 1]], "others": 0, "missing": 1}
        })
    );
}

#[test]
fn thumbnails_of_every_kind() {
    let picture = |media: &Media, side| image::load_from_memory(&thumbnail(media, side).unwrap()).unwrap();
    let size = |media: &Media, side| (picture(media, side).width(), picture(media, side).height());
    let image = Media::of(png(90, 300, 100));
    assert_eq!(size(&image, 96), (96, 32));
    assert!(picture(&image, 96).to_luma8().pixels().all(|pixel| pixel.0[0].abs_diff(90) < 3));
    assert_eq!(size(&Media::of(png(90, 28, 28)), 96), (28, 28));
    assert_eq!(size(&Media::of(png(90, 1000, 2)), 1 << 40), (512, 2));
    let clip = Media::of(gif(4));
    assert_eq!((clip.kind, size(&clip, 64)), (MediaKind::Video, (40, 20)));
    assert!(picture(&clip, 64).to_luma8().get_pixel(9, 9).0[0].abs_diff(200) < 6, "the first frame");
    let sound = Media::of(wav());
    let wave = picture(&sound, 128).to_rgba8();
    let bars = |x: u32| (0..64).filter(|&y| wave.get_pixel(x, y).0[3] > 0).count();
    assert_eq!(wave.dimensions(), (128, 64));
    assert!((1..=2).contains(&bars(20)) && (45..=58).contains(&bars(100)), "{} {}", bars(20), bars(100));
    let tune = Media::of(midi());
    let roll = picture(&tune, 128).to_rgba8();
    let middle = |x: u32| {
        let filled: Vec<u32> = (0..64).filter(|&y| roll.get_pixel(x, y).0[3] > 0).collect();
        filled[filled.len() / 2]
    };
    // Eight notes, each higher than the one before.
    let heights: Vec<u32> = (0..8).map(|note| middle(note * 16 + 8)).collect();
    assert!(heights.is_sorted_by(|a, b| a > b), "{heights:?}");
    for media in [
        Media::of_text(b"text".to_vec()),
        Media::of(b"\0\0\0\x20ftypisom\0\0".to_vec()),
        Media::of(vec![1, 2, 3]),
        Media::of(png(0, 40, 40)[..60].to_vec()),
        Media::of(gif(2)[..40].to_vec()),
        Media::of(wav()[..100].to_vec()),
        Media::of(midi()[..30].to_vec()),
    ] {
        assert!(thumbnail(&media, 64).is_err(), "{}", media.mime);
    }
}

#[test]
fn players_get_peaks_and_notes() {
    let peaks = peaks_of(&Media::of(wav()), 200).unwrap();
    assert_eq!((peaks.peaks.len(), peaks.whole), (200, true));
    assert!((peaks.secs - 1.0).abs() < 1e-9);
    assert!(peaks.peaks[..99].iter().all(|peak| *peak < 0.01));
    assert!(peaks.peaks[101..].iter().all(|peak| (0.75..0.85).contains(peak)), "{:?}", peaks.peaks);
    let long = wav_bytes(&vec![0.5; 30_000], 1, 4000, WavDepth::Bits16, "");
    assert!(peaks_of(&Media::of(long), 7).unwrap().peaks.iter().all(|peak| (peak - 0.5).abs() < 1e-3));
    assert_eq!(peaks_of(&Media::of(wav()), 0).unwrap().peaks.len(), 1);
    let tune = tune_of(&Media::of(midi())).unwrap();
    let json = serde_json::to_value(&tune).unwrap();
    assert_eq!((tune.notes.len(), tune.bars, tune.beats, tune.whole), (8, 2, 8.0, true));
    assert_eq!(json["notes"][2], json!([2.0, 1.0, 62, tune.notes[0].3, 0]));
    assert!(tune_of(&Media::of(wav())).is_err() && peaks_of(&Media::of(midi()), 9).is_err());
}
