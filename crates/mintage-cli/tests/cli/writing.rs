//! How new rows are written: with the types that were found, in the dialect of their source, fresh each time, a part
//! at a time.

use std::{fs, process::Stdio};

use rusqlite::Connection;

use crate::helpers::Place;

/// A shop as spreadsheets export it: every kind of column, all of them text.
fn shop(place: &Place) {
    let mut text = "price,count,zip,day,paid,kind\n".to_owned();
    for i in 0..300u32 {
        let (price, count) = (f64::from(i * 7919 % 150_000) / 100.0, i * 31 % 97);
        let (zip, day) = (i * 997 % 9000, i % 28 + 1);
        let (paid, kind) = (["yes", "no"][i as usize % 2], ["a", "b", "c"][i as usize % 3]);
        text.push_str(&format!("{price:.2},{count},{zip:05},2024-01-{day:02},{paid},{kind}\n"));
    }
    place.write("shop.csv", text);
    place.ok("train shop.csv --model mixture --size tiny --steps 30 --name shop");
}

#[test]
fn what_was_found_is_what_is_written() {
    let place = Place::new();
    shop(&place);
    place.ok("sample shop -n 50 -o new.db");
    let database = Connection::open(place.path("new.db")).unwrap();
    let one = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let types = "SELECT group_concat(type) FROM pragma_table_info('shop')";
    assert_eq!(one(types), "REAL,INTEGER,TEXT,DATE,BOOLEAN,TEXT,TEXT");
    let stored = "SELECT typeof(price) || typeof(count) || typeof(zip) || typeof(paid) FROM shop GROUP BY 1";
    assert_eq!(one(stored), "realintegertextinteger");
    assert_eq!(one("SELECT count(*) || '' FROM shop WHERE paid IN (0, 1) AND length(zip) = 5"), "50");
    place.ok("sample shop -n 3 -o new.jsonl");
    let line: serde_json::Value =
        serde_json::from_str(place.text("new.jsonl").lines().next().unwrap()).unwrap();
    assert!(line["price"].is_number() && line["count"].is_i64() && line["paid"].is_boolean(), "{line}");
    assert!(line["zip"].is_string() && line["day"].is_string(), "{line}");
    place.ok("sample shop -n 3 -o new.parquet");
    let said = place.ok("inspect new.parquet --json").json();
    assert!(said.to_string().contains("Float64") && said.to_string().contains("Date32"), "{said}");
}

#[test]
fn a_file_keeps_how_its_source_was_written() {
    let place = Place::new();
    let mut text = "имя;цена\r\n".to_owned();
    for i in 0..200 {
        text.push_str(&format!("{};{},{:02}\r\n", ["Анна", "Пётр", "Жан"][i % 3], i * 7 % 90, i * 13 % 100));
    }
    let cp1251: Vec<u8> = encoded(&text);
    place.write("source.csv", &cp1251);
    place.ok("train source.csv --model mixture --size tiny --steps 20 --name m");
    place.ok("sample m -n 5 -o new.csv");
    let new = place.read("new.csv");
    assert!(new.starts_with(&encoded("имя;цена\r\n")));
    assert_eq!(new.iter().filter(|&&byte| byte == b'\r').count(), 6);
    // Appended rows leave every byte as it was.
    place.write("old.csv", &cp1251);
    place.ok("sample m -n 5 -o old.csv --if-exists append");
    let old = place.read("old.csv");
    assert!(old.starts_with(&cp1251) && old.len() > cp1251.len());
    assert!(std::str::from_utf8(&old).is_err());
    // Flags say otherwise; a stream is UTF-8.
    place.ok_args(&["sample", "m", "-n", "2", "-o", "tabs.csv", "--encoding", "utf-8", "--delimiter", "tab"]);
    assert!(place.text("tabs.csv").starts_with("имя\tцена\r\n"));
    assert!(place.ok("sample m -n 2").text().starts_with("имя;цена\n"));
    assert!(place.refused("sample m -o a.csv --encoding klingon").contains("no encoding"));
    assert!(place.refused("sample m -o a.csv --delimiter ab").contains("cannot separate cells"));
    let refused = place.refused("sample m -o a.jsonl --encoding utf-16le");
    assert!(refused.contains("--encoding has no meaning for a.jsonl"), "{refused}");
    assert!(!place.path("a.jsonl").exists());
}

/// In windows-1251, as far as the test needs it.
fn encoded(text: &str) -> Vec<u8> {
    let byte = |letter: char| match letter {
        'ё' => 0xb8,
        'а'..='я' => (letter as u32 - 'а' as u32 + 0xe0) as u8,
        'А'..='Я' => (letter as u32 - 'А' as u32 + 0xc0) as u8,
        other => other as u8,
    };
    text.chars().map(byte).collect()
}

#[test]
fn two_samples_differ_and_say_their_seeds() {
    let place = Place::new();
    shop(&place);
    let fresh = |out: &str| {
        let mut command = place.program(env!("CARGO_BIN_EXE_mintage"));
        command.args(["sample", "shop", "-n", "20", "--if-exists", "append", "-o", out]);
        let done = command.output().unwrap();
        assert!(done.status.success());
        let said = String::from_utf8(done.stderr).unwrap();
        let line = said.lines().find(|line| line.starts_with("seed ")).expect(&said).to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let seeds = [fresh("a.csv"), fresh("a.csv")];
    assert_ne!(seeds[0], seeds[1]);
    let rows = place.text("a.csv");
    let lines: Vec<&str> = rows.lines().collect();
    assert_eq!(lines.len(), 41);
    assert_ne!(lines[1..21], lines[21..]);
    // The seed gives the same rows again.
    place.ok(&format!("sample shop -n 20 -o b.csv --seed {}", seeds[0]));
    assert_eq!(place.text("b.csv").lines().collect::<Vec<_>>(), lines[..21]);
}

#[test]
fn rows_leave_no_mark_where_none_is_wanted() {
    let place = Place::new();
    shop(&place);
    let said = place.ok("sample shop -n 5 -o new.db --no-provenance").stderr;
    assert!(said.contains("training takes them for real"), "{said}");
    place.ok("sample shop -n 5 -o new.csv --no-provenance");
    assert!(!place.path("new.csv.mintage.json").exists());
    let database = Connection::open(place.path("new.db")).unwrap();
    let names = "SELECT group_concat(name) FROM pragma_table_info('shop')";
    let names: String = database.query_row(names, [], |row| row.get(0)).unwrap();
    assert_eq!(names, "price,count,zip,day,paid,kind");
    assert!(place.ok("inspect new.db").text().contains("5 rows"));
}

#[test]
fn what_was_made_says_by_which_model() {
    let place = Place::new();
    shop(&place);
    place.ok("sample shop -n 5 -o new.csv --where kind=a --seed 7");
    place.ok("sample shop -n 3 -o new.db");
    place.ok("sample shop -n 4 -o new.db --if-exists append --seed 9");
    let said = place.ok("show new.csv");
    assert!(
        said.text().contains("5 items, new.csv") && said.text().contains("seed     7"),
        "{}",
        said.text()
    );
    assert!(said.text().contains(r#"{"where":["kind=a"]}"#), "{}", said.text());
    let made = place.ok("show new.db --table shop --json").json();
    let counts: Vec<u64> =
        made["made"].as_array().unwrap().iter().map(|made| made["n"].as_u64().unwrap()).collect();
    assert_eq!(counts, [3, 4]);
    assert!(made["made"][0]["made_by"]["model"].as_str().unwrap().contains("shop"), "{made}");
    // Of what is the user's own nothing is claimed, and a table that is not there is an error.
    let own = place.run("show shop.csv");
    assert_eq!(own.code, Some(1), "{}", own.stderr);
    assert!(own.text().contains("nothing says that mintage made any of shop.csv"), "{}", own.text());
    assert!(place.refused("show new.db --table goods").contains("goods"));
}

#[test]
fn a_schema_says_what_can_be_asked() {
    let place = Place::new();
    shop(&place);
    let schema: serde_json::Value = serde_json::from_str(place.ok("show shop --schema").text()).unwrap();
    let columns = schema["properties"]["where"]["properties"].as_object().unwrap();
    assert!(columns.contains_key("kind") && columns.contains_key("price"), "{schema}");
    assert!(schema["properties"].get("top_k").is_none(), "{schema}");
}

#[test]
fn rows_stream_and_a_reader_may_leave() {
    let place = Place::new();
    shop(&place);
    // More parts than one begin alike.
    let many = place.ok("sample shop -n 40000");
    let few = place.ok("sample shop -n 20000");
    assert!(many.text().lines().take(16_385).eq(few.text().lines().take(16_385)));
    assert_eq!((many.text().lines().count(), few.text().lines().count()), (40_001, 20_001));
    // No end is in sight, and the reader takes one line.
    let mut command = place.mintage(&["sample", "shop", "-n", "1000000000000"]);
    let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = std::io::BufReader::new(running.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert_eq!(line, "price,count,zip,day,paid,kind\n");
    drop(reader);
    let done = running.wait_with_output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    // As JSON Lines, and what was made as JSON.
    let lines = place.ok("sample shop -n 3 --json");
    assert!(lines.text().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let made = place.ok("sample shop -n 3 -o new.csv --json").json();
    assert_eq!((made["rows"].as_u64(), made["seed"].as_u64()), (Some(3), Some(1)));
}

#[test]
fn targets_are_checked_before_anything_is_drawn() {
    let place = Place::new();
    shop(&place);
    place.write("there.csv", "x\n1\n");
    // That no row was drawn shows in the time it takes.
    for (out, said) in [
        ("there.csv", "is there already"),
        ("new.docx", "names no format"),
        ("nowhere/new.csv", "its folder is not there"),
        ("nowhere/new.db", "its folder is not there"),
        ("nowhere/new.parquet", "its folder is not there"),
    ] {
        let error = place.refused(&format!("sample shop -n 1000000000000 -o {out}"));
        assert!(error.contains(said), "{out}: {error}");
    }
    fs::remove_file(place.path("there.csv")).unwrap();
}
