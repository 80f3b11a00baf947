//! Tables of persons: none of them comes back, and a safe copy says so or is not written.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use crate::helpers::Place;

const FIRST: [&str; 30] = [
    "Anna",
    "Peter",
    "Maria",
    "Jonas",
    "Lena",
    "Paul",
    "Clara",
    "Felix",
    "Ida",
    "Max",
    "Nora",
    "Emil",
    "Greta",
    "Karl",
    "Marta",
    "Hugo",
    "Frieda",
    "Otto",
    "Elsa",
    "Bruno",
    "Анна",
    "Пётр",
    "Мария",
    "Иван",
    "Ольга",
    "Олег",
    "Вера",
    "Юрий",
    "Нина",
    "Глеб",
];
const LATIN: [[&str; 10]; 3] = [
    ["Schmi", "Mül", "Wag", "Fisch", "Web", "Kowal", "Stein", "Berg", "Hof", "Lind"],
    ["", "en", "er", "in", "el", "ar", "on", "an", "il", "ul"],
    ["dt", "ler", "ner", "er", "mann", "ski", "bach", "feld", "hauser", "son"],
];
const CYRILLIC: [[&str; 10]; 3] = [
    ["Ков", "Пет", "Сид", "Лаз", "Мор", "Вол", "Зай", "Бел", "Гор", "Тих"],
    ["", "ар", "ен", "ол", "ин", "ов", "ат", "ер", "ил", "ун"],
    ["ов", "ев", "ин", "енко", "ский", "ых", "ук", "ян", "ец", "ко"],
];
const STREETS: [&str; 6] = ["Lange Straße", "Am Markt", "Bergweg", "ул. Ленина", "ул. Мира", "пр. Победы"];
const CITIES: [&str; 5] = ["Berlin", "Hamburg", "Köln", "Москва", "Казань"];
/// Columns of which no value may come back.
const PERSONAL: [&str; 7] = ["id", "full_name", "email", "phone", "street", "notes", "iban"];

/// Numbers that look as if drawn at random.
fn mixed(i: usize) -> usize {
    (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 20
}

/// The two digits that make an IBAN right.
fn iban(bban: usize) -> String {
    let moved = format!("{bban:018}131400");
    let rest = moved.bytes().fold(0u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{bban:018}", 98 - rest)
}

/// `n` customers as CSV: names of persons, in one column and in two, and whatever else points at them.
pub fn customers(n: usize) -> String {
    let mut text =
        "id,full_name,first_name,last_name,email,phone,street,city,birth,notes,iban,spent,segment\n"
            .to_owned();
    for i in 0..n {
        let m = mixed(i);
        let first = FIRST[m % 30];
        let parts = if m % 30 < 20 { LATIN } else { CYRILLIC };
        // A hundred last names are frequent, the others are those of few.
        let l = if (m / 30).is_multiple_of(3) { m / 90 % 1000 } else { m / 90 % 100 };
        let last = format!("{}{}{}", parts[0][l % 10], parts[1][l / 100], parts[2][l / 10 % 10]);
        let mail = if m % 30 < 20 { format!("{first}.{last}").to_lowercase() } else { format!("client{m}") };
        let host = if m.is_multiple_of(11) {
            format!("{}-{i}.de", LATIN[0][m % 10].to_lowercase())
        } else {
            "mail.org".to_owned()
        };
        let (city, segment) = (CITIES[m / 7 % 5], ["gold", "basic", "new"][m / 13 % 3]);
        let ask = ["Called about invoice", "Wrote about invoice", "Спросил про счёт"][m / 17 % 3];
        text.push_str(&format!(
            "{},{first} {last},{first},{last},{mail}{i}@{host},+49 {} {},\"{} {}\",{city},{}-{:02}-{:02},\"{ask} {}; prefers {}.\",{},{}.{:02},{segment}\n",
            1000 + i,
            [30, 40, 221, 89][m / 3 % 4],
            1_000_000 + m / 5 % 8_999_999,
            STREETS[m / 11 % 6],
            1 + m / 19 % 180,
            1950 + m / 23 % 55,
            1 + m / 29 % 12,
            1 + m / 31 % 28,
            10_000 + m / 37 % 89_999,
            ["mail", "the telephone", "to come by"][m / 41 % 3],
            iban(m % 1_000_000_000_000_000),
            m / 43 % 900,
            m / 47 % 100,
        ));
    }
    text
}

/// The columns of a CSV whose cells hold no line ends.
fn columns(text: &str) -> HashMap<String, Vec<String>> {
    let cells = |line: &str| {
        let mut cells = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    let mut lines = text.lines().map(cells);
    let names = lines.next().unwrap();
    let rows: Vec<Vec<String>> = lines.collect();
    names
        .into_iter()
        .enumerate()
        .map(|(at, name)| (name, rows.iter().map(|row| row[at].clone()).collect()))
        .collect()
}

/// New rows have no value of a real customer.
fn nobody_comes_back(real: &str, new: &str) {
    let (real, new) = (columns(real), columns(new));
    let plain = |text: &String| text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
    for name in PERSONAL {
        let known: HashSet<String> = real[name].iter().map(plain).collect();
        let found: Vec<&String> =
            new[name].iter().filter(|v| !v.is_empty() && known.contains(&plain(v))).collect();
        assert!(found.is_empty(), "{name}: {} of {} are real: {found:?}", found.len(), new[name].len());
    }
    for name in ["first_name", "last_name"] {
        let mut counts: HashMap<&String, usize> = HashMap::new();
        real[name].iter().for_each(|value| *counts.entry(value).or_default() += 1);
        let rare = new[name].iter().find(|value| counts.get(value).is_some_and(|n| *n < 5));
        assert_eq!(rare, None, "{name}");
    }
    // … and they look like customers.
    let all = |name: &str, fits: fn(&str) -> bool| {
        let wrong = new[name].iter().find(|value| !value.is_empty() && !fits(value));
        assert_eq!(wrong, None, "{name}");
    };
    all("full_name", |v| v.split(' ').count() == 2 && !v.contains(|c: char| c.is_ascii_digit()));
    all("email", |v| v.ends_with("@mail.org") || v.ends_with("@example.com"));
    all("phone", |v| v.starts_with("+49 "));
    all("iban", |v| v.len() == 22 && v.starts_with("DE") && iban(v[4..].parse().unwrap()) == v);
    all("street", |v| STREETS.iter().any(|street| v.starts_with(street)));
    assert!(new["notes"].iter().filter(|note| note.contains("prefers")).count() * 2 > new["notes"].len());
    assert!(new["full_name"].iter().filter(|name| name.is_empty()).count() * 20 < new["full_name"].len());
}

#[test]
fn no_customer_comes_back() {
    let place = Place::new();
    let real = customers(3000);
    place.write("customers.csv", &real);
    let said = place.ok("inspect customers.csv").text().to_owned();
    assert!(said.contains("which may point at a person: new ones are made afresh"), "{said}");
    for (name, rare) in [("keep", "keep"), ("group", "group")] {
        let said = place
            .ok(&format!("train customers.csv --size tiny --steps 3 --name {name} -s data.rare={rare}"))
            .stderr;
        assert!(said.contains("made afresh: id, full_name, email, phone, street, notes, iban"), "{said}");
        assert!(said.contains("rare values made afresh: last_name"), "{said}");
        nobody_comes_back(&real, place.ok(&format!("sample {name} -n 1000")).text());
        // What is saved does not hold them either.
        let saved = place.text(&format!("runs/{name}/codec/table.json"));
        let real = columns(&real);
        for column in PERSONAL {
            let leaked = real[column].iter().find(|value| value.len() > 5 && saved.contains(*value));
            assert_eq!(leaked, None, "{column}");
        }
    }
}

#[test]
fn a_safe_copy_is_checked_and_says_so() {
    let place = Place::new();
    let real = customers(300);
    place.write("customers.csv", &real);
    let done = place.ok("copy customers.csv new.csv --safe --size tiny --steps 3 --json");
    let report = done.json();
    assert_eq!((report["passed"].as_bool(), report["report"]["rows"].as_u64()), (Some(true), Some(300)));
    let new = place.text("new.csv");
    assert_eq!(columns(&new)["id"].len(), 300);
    nobody_comes_back(&real, &new);
    let page = place.text("new.csv.html");
    assert!(page.contains("Every check passed") && page.contains("values that point at a person"), "{page}");
    assert!(!place.path("runs").exists(), "the run was to be temporary");
    // What is there stays, and that is known before anything is learned.
    assert!(place.refused("copy customers.csv new.csv --safe").contains("is there already"));
    assert!(place.refused("copy customers.csv nowhere/new.csv").contains("no such folder"));
    place.write("other.html", "<p>mine</p>");
    assert!(place.refused("copy customers.csv b.csv --page other.html").contains("no page of a copy"));
    place.ok("copy customers.csv new.parquet --safe --size tiny --steps 2");
    assert!(place.ok("inspect new.parquet").text().contains("300 rows"));
    place.ok("copy customers.csv new.db --safe --size tiny --steps 2");
    let count =
        |db: Connection| db.query_row("SELECT count(mintage) FROM customers", [], |row| row.get::<_, i64>(0));
    assert_eq!(count(Connection::open(place.path("new.db")).unwrap()).unwrap(), 300);
    place.ok("copy customers.csv kept.csv --size tiny --steps 2 --name kept");
    place.ok("sample kept -n 5");
}

#[test]
fn a_copy_that_fails_a_check_is_not_written() {
    let place = Place::new();
    place.write("customers.csv", customers(300));
    let flags = "--size tiny --steps 2 -s data.text=redraw";
    let done = place.run(&format!("copy customers.csv new.csv --safe {flags}"));
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(done.stderr.contains("failed   values that point at a person"), "{}", done.stderr);
    assert!(done.stderr.contains("text = \"redraw\" draws them from the real ones"), "{}", done.stderr);
    assert!(!place.path("new.csv").exists());
    assert!(place.text("new.csv.html").contains("Nothing was written to new.csv"));
    place.ok(&format!("copy customers.csv new.csv {flags}"));
    assert!(place.path("new.csv").exists());
    assert!(place.text("new.csv.html").contains("written all the same"));
}

#[test]
fn rows_that_a_table_refuses_are_drawn_again() {
    let place = Place::new();
    let connection = Connection::open(place.path("shop.db")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE visit (id INTEGER PRIMARY KEY, room TEXT, day TEXT, guests INT);
             CREATE UNIQUE INDEX one_a_month ON visit (room, substr(day, 1, 7));",
        )
        .unwrap();
    for i in 0..240 {
        let sql = "INSERT INTO visit VALUES (?1, ?2, ?3, ?4)";
        let day = format!("20{:02}-{:02}-{:02}", 10 + i / 24, 1 + i / 2 % 12, 1 + i * 7 % 28);
        let room = ["red", "blue"][i % 2];
        connection.execute(sql, rusqlite::params![i as i64, room, day, (i % 5) as i64]).unwrap();
    }
    place.ok("train shop.db --model mixture --name m --steps 20 -q");
    connection.execute("DELETE FROM visit WHERE id >= 120", []).unwrap();
    let said = place.ok("sample m -n 60 -o shop.db --if-exists append").stderr;
    assert!(said.contains("60 new rows in"), "{said}");
    let rows: i64 = connection.query_row("SELECT count(*) FROM visit", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 180);
}
