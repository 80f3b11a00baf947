//! Kinds of columns, from their cells.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::table::{Declaration, check_digits::CheckDigits, datetime};

fn found(column: Column) -> Found {
    let rows = column.len();
    Found::detect(&column, rows)
}

/// The schema of `n` rows of texts, in turn.
fn named(name: &str, n: usize, cell: impl Fn(usize) -> String) -> Found {
    let cells: Vec<String> = (0..n).map(cell).collect();
    found(Column::of(name, cells.iter().map(|text| Some(text.as_str()))))
}

fn kind(n: usize, cell: impl Fn(usize) -> String) -> Kind {
    named("x", n, cell).schema.kind
}

fn cycle(texts: &'static [&'static str]) -> impl Fn(usize) -> String {
    move |i| texts[i % texts.len()].to_owned()
}

#[test]
fn finds_numbers() {
    assert_eq!(kind(300, |i| (17 + i * 7 % 52).to_string()), Kind::Integer);
    assert_eq!(kind(300, |i| format!("{:.2}", i as f64 / 7.0)), Kind::Number);
    assert_eq!(kind(300, |i| format!("{},5", i % 90)), Kind::Number);
    assert_eq!(kind(300, cycle(&["1", "2", "3", "4", "5"])), Kind::Integer);
    assert_eq!(named("status", 300, cycle(&["1", "2", "3"])).schema.kind, Kind::Category);
    assert_eq!(named("zip_code", 300, |i| (10_000 + i % 97).to_string()).schema.kind, Kind::Category);
    assert_eq!(kind(300, |i| format!("{:05}", i % 97)), Kind::Category);
    let floats = named("weight", 300, |i| format!("{}.0", i % 40));
    assert_eq!((floats.schema.kind, floats.schema.text(3.4)), (Kind::Integer, "3.0".into()));
    assert_eq!(floats.schema.reason, "40 different whole numbers from 0.0 to 39.0");
}

#[test]
fn finds_yes_and_no_constants_and_nothing() {
    assert_eq!(kind(300, cycle(&["да", "нет"])), Kind::Boolean);
    assert_eq!(kind(300, cycle(&["TRUE", "FALSE", ""])), Kind::Boolean);
    assert_eq!(kind(300, cycle(&["0", "1", "?"])), Kind::Boolean);
    assert_eq!(kind(300, cycle(&["1", "2"])), Kind::Integer);
    assert_eq!(kind(300, cycle(&["x"])), Kind::Constant);
    assert_eq!(kind(300, cycle(&["x", "NA"])), Kind::Category);
    let empty = found(Column::of("x", [None, Some(""), None]));
    assert_eq!((empty.schema.kind, empty.schema.missing_count), (Kind::Constant, 3));
    assert_eq!(empty.alerts[0].cause, Cause::AllMissing);
}

#[test]
fn finds_dates_and_those_outside_the_calendar() {
    let date = |i: usize| datetime::format(i as i64 * 86_400_000_000, "%d.%m.%Y");
    let found = named("born", 300, date);
    assert_eq!(found.schema.format, Format::Datetime { pattern: "%d.%m.%Y".into() });
    assert_eq!(found.schema.number("02.01.1970"), Some(86_400e6));
    let wrong = named("born", 300, |i| if i == 7 { "30.02.1970".into() } else { date(i % 90) });
    assert_eq!((wrong.schema.kind, &wrong.schema.odd[..]), (Kind::Datetime, &["30.02.1970".to_owned()][..]));
    let alert = wrong.alerts.iter().find(|alert| alert.cause == Cause::Calendar).unwrap();
    assert!(alert.message.ends_with(r#""30.02.1970" (1 row)"#), "{}", alert.message);
    let mixed = named("born", 300, |i| if i % 50 == 0 { "never".into() } else { date(i % 90) });
    assert_eq!((mixed.schema.kind, mixed.schema.missing_count), (Kind::Datetime, 0));
    assert!(mixed.alerts.iter().any(|alert| alert.cause == Cause::Mixed));
    let infinite = named("until", 300, |i| if i % 3 == 0 { "infinity".into() } else { date(i) });
    assert_eq!(infinite.schema.kind, Kind::Datetime);
    let zoned = named("at", 300, |i| {
        let zone = ["+01:00", "+02:00", "Z"][i % 7 % 3];
        datetime::format(i as i64 * 3_600_000_000, "%Y-%m-%dT%H:%M:%S") + zone
    });
    assert_eq!((zoned.schema.kind, &zoned.schema.zones[0][..]), (Kind::Datetime, "+01:00"));
    // Too many that no calendar has are neither dates nor telephone numbers.
    let none = named("born", 300, |i| format!("1970-{:02}-{:02}", 1 + i % 12, 1 + i % 60));
    assert_eq!(none.schema.kind, Kind::Category);
    assert_eq!(named("created_at", 90, |i| (1_700_000_000 + i * 99).to_string()).schema.kind, Kind::Datetime);
    assert_eq!(named("amount", 90, |i| (1_700_000_000 + i * 99).to_string()).schema.kind, Kind::Integer);
    assert_eq!(kind(90, |i| format!("202401{:02}", 1 + i % 31)), Kind::Datetime);
}

#[test]
fn finds_identifiers() {
    let id = |name: &str, cell: fn(usize) -> String| {
        let found = named(name, 300, cell);
        assert_eq!(found.schema.kind, Kind::Id, "{name}: {}", found.schema.reason);
        found
    };
    id("n", |i| (i + 1).to_string());
    id("customer_id", |i| (i * 7919 % 100_003).to_string());
    id("x", |i| format!("CUST-{i:06}"));
    id("x", |i| format!("6f9619ff-8b86-d011-b42d-{i:012x}"));
    assert_eq!(id("mail", |i| format!("user{i}@example.org")).alerts[0].cause, Cause::Leak);
    assert_eq!(kind(300, |i| (i * 7919 % 100_003).to_string()), Kind::Integer);

    let declaration = Declaration { ty: Type::Integer, primary_key: true, ..Declaration::default() };
    let mut key = Column::new("k", declaration);
    ["3", "1", "2"].into_iter().for_each(|cell| key.push(Some(cell)));
    assert_eq!(found(key).schema.kind, Kind::Id);

    let declaration = Declaration { refers_to: Some("city.id".into()), ..Declaration::default() };
    let mut foreign = Column::new("k", declaration);
    ["3", "1", "3"].into_iter().for_each(|cell| foreign.push(Some(cell)));
    let foreign = found(foreign).schema;
    assert_eq!((foreign.kind, foreign.format), (Kind::Category, Format::Id(IdFormat::Reference)));
    assert_eq!(
        named("customer_id", 300, |i| (i % 40).to_string()).schema.format,
        Format::Id(IdFormat::Reference)
    );
}

#[test]
fn finds_texts_and_categories() {
    assert_eq!(kind(300, cycle(&["red", "green", "None"])), Kind::Category);
    assert_eq!(kind(300, |i| format!("the parcel number {i} did not arrive in time")), Kind::Text);
    let names = named("name", 300, |i| format!("{} {}", "Ann".repeat(1 + i / 20), "Lee".repeat(1 + i % 20)));
    assert_eq!((names.schema.kind, names.alerts[0].cause), (Kind::Text, Cause::Leak));
    let rare = named("x", 300, |i| if i < 3 { format!("rare{i}") } else { "usual".into() });
    assert_eq!(rare.alerts[0].cause, Cause::Rare);
    let namibia = named("x", 300, cycle(&["NA", "DE", "FR"])).schema;
    assert_eq!((namibia.distinct, namibia.missing_count), (3, 0));
    let adult = named("workclass", 300, cycle(&["Private", "?", "State-gov"])).schema;
    assert_eq!((adult.missing, adult.missing_count), (vec!["?".to_owned()], 100));
}

#[test]
fn a_few_other_values_leave_numbers_what_they_are() {
    let found = named("x", 300, |i| if i % 100 == 0 { "<0.1".into() } else { (i % 90).to_string() });
    assert_eq!((found.schema.kind, &found.schema.odd[..]), (Kind::Integer, &["<0.1".to_owned()][..]));
    let alert = found.alerts.iter().find(|alert| alert.cause == Cause::Mixed).unwrap();
    assert_eq!(alert.message, r#"3 rows have no number, kept as values of their own: "<0.1" (3 rows)"#);
    let floats = named("x", 400, |i| match i % 20 {
        0 => "Infinity".into(),
        1 => "NaN".into(),
        _ => format!("{:.3}", i as f64 / 7.0),
    });
    assert_eq!((floats.schema.kind, floats.schema.missing_count), (Kind::Number, 20));
    for word in ["none", "unknown", "*", "x"] {
        let found = named("n", 400, |i| if i % 3 == 0 { word.into() } else { (i % 40).to_string() });
        assert_eq!((found.schema.kind, found.schema.missing_count), (Kind::Integer, 0), "{word}");
        assert_eq!(found.schema.odd, [word]);
        assert!(found.alerts.iter().any(|alert| alert.cause == Cause::Mixed), "{word}");
    }
    // Mostly "free", and many prices.
    let free = named("price", 400, |i| if i % 5 != 0 { "free".into() } else { format!("{}.5", i * 3) });
    assert_eq!(free.schema.kind, Kind::Number);
    let dash = named("n", 400, |i| if i.is_multiple_of(9) { "-".into() } else { (i % 40).to_string() });
    assert_eq!((dash.schema.kind, dash.schema.missing_count), (Kind::Integer, 45));
    assert!(dash.alerts.iter().any(|alert| alert.message == r#""-" is taken for missing"#));
}

#[test]
fn lists_codes_and_signs_are_no_numbers() {
    let pool = named("result", 300, cycle(&["1", "X", "2"])).schema;
    assert_eq!((pool.kind, pool.distinct, pool.missing_count), (Kind::Category, 3, 0));
    assert_eq!(kind(300, cycle(&["36", "38", "40", "S", "M", "L", "XL"])), Kind::Category);
    let stock =
        |i: usize| if i.is_multiple_of(9) { format!("85{:03}A", i % 99) } else { format!("85{:03}", i % 98) };
    assert_eq!(kind(400, stock), Kind::Category);
    let signs = named("factor", 300, cycle(&["+", "-"])).schema;
    assert_eq!((signs.kind, signs.distinct, signs.missing_count), (Kind::Category, 2, 0));
}

#[test]
fn numbers_are_known_as_people_write_them() {
    let of = |cell: &dyn Fn(usize) -> String| {
        let found = named("x", 300, cell);
        assert!(matches!(found.schema.kind, Kind::Integer | Kind::Number), "{}", found.schema.reason);
        found.schema
    };
    let thousands = of(&|i| match i * 977 {
        n if n < 1000 => n.to_string(),
        n => format!("{},{:03}", n / 1000, n % 1000),
    });
    assert_eq!((thousands.number("71,829"), thousands.text(1234.0)), (Some(71_829.0), "1,234".into()));
    let money = of(&|i| format!("$6{},0{:02}.{:02}", i % 9, i % 97, i % 89));
    assert_eq!((money.kind, money.text(-1234.5)), (Kind::Number, "-$1,234.50".into()));
    assert_eq!(of(&|i| format!("{}.{}%", i % 9, i % 10)).text(5.7), "5.7%");
    assert_eq!(of(&|i| format!("{} kg", i % 90)).text(5.2), "5 kg");
    assert_eq!(of(&|i| if i % 50 == 0 { "sold".into() } else { format!("€{i}") }).odd, ["sold"]);
    assert_eq!(of(&|i| format!("{}.{:03}", 1 + i % 99, i * 10 % 1000)).text(1.5), "1.500");
    assert_eq!(kind(300, |i| format!("{}AB", 1000 + i)), Kind::Id);
    assert_eq!(kind(300, |i| format!("A{:04}", i * 7)), Kind::Id);
    // With "850" beside them the point of "71.820" groups thousands.
    let dots = of(&|i| if i % 2 == 0 { (100 + i).to_string() } else { format!("{i}.{:03}", i * 10 % 1000) });
    assert_eq!(dots.number("71.820"), Some(71_820.0));
}

#[test]
fn versions_that_come_back_as_they_are_give_no_alert() {
    let found = named("version", 300, cycle(&["1.10", "1.9", "1.8", "2.0"]));
    assert!(found.alerts.iter().all(|alert| alert.cause != Cause::Spelling), "{:?}", found.alerts);
    let found = named("x", 600, |i| format!("{}.{}", i, if i % 2 == 0 { "50" } else { "5" }));
    assert!(found.alerts.iter().any(|alert| alert.cause == Cause::Spelling));
}

#[test]
fn dates_and_addresses_are_never_random_digits() {
    let declaration = Declaration { ty: Type::Date, primary_key: true, ..Declaration::default() };
    let mut key = Column::new("day", declaration);
    let day = |i: i64| datetime::format(i * 86_400_000_000, "%Y-%m-%d");
    (0..50).for_each(|i| key.push(Some(&day(i))));
    let format = Format::Id(IdFormat::Date {
        pattern: "%Y-%m-%d".into(),
        first: 0,
        last: 49 * 86_400_000_000,
        step: 1,
    });
    let found = found(key);
    assert_eq!((found.schema.kind, found.schema.format), (Kind::Id, format));
    assert!(found.alerts.iter().all(|alert| alert.cause != Cause::Leak));
    let hosts = named("host", 300, |i| format!("10.0.{}.{}", i / 200, i % 200)).schema;
    let Format::Id(IdFormat::Pattern { regex }) = hosts.format else { panic!("{:?}", hosts.format) };
    assert!(regex.starts_with("10\\.0\\.(0|1)\\.("), "{regex}");
    assert_eq!(kind(300, |i| format!("10.0.0.{}", i % 9)), Kind::Category);
    let took = named("took", 300, |i| format!("{:02}:{:02}:{:02}", i % 26, i % 60, i % 59)).schema;
    assert_eq!(took.kind, Kind::Id);
}

#[test]
fn alerts_come_worst_first() {
    let texts: Vec<String> = (0..50).map(|i| format!("user{i}@example.org")).collect();
    let mail = Column::of("mail", texts.iter().map(|t| Some(t.as_str())));
    let same = Column::of("same", texts.iter().map(|_| Some("x")));
    let table = Table { name: "t".into(), columns: vec![same, mail], ..Table::default() };
    let causes: Vec<Cause> = detect(&table).alerts.iter().map(|alert| alert.cause).collect();
    assert_eq!(causes, [Cause::Leak, Cause::Constant, Cause::FewRows]);
}

#[test]
fn codes_that_look_like_counters_numbers_or_words_are_codes() {
    let code = |cell: &dyn Fn(usize) -> String| {
        let found = named("x", 400, cell).schema;
        assert_eq!(found.kind, Kind::Id, "{}", found.reason);
        match found.format {
            Format::Id(IdFormat::Code { regex, check, .. }) => (regex, check.is_some()),
            other => panic!("{other:?}"),
        }
    };
    // Some come twice.
    let pin = |i: usize| format!("{:04}", if i.is_multiple_of(50) { 17 } else { i * 7919 % 9973 });
    assert_eq!(code(&pin), ("[0-9]{4}".into(), false));
    let random = |i: usize| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let article = |i: usize| CheckDigits::Gtin.put(&format!("400638{:06}0", random(i) >> 45)).unwrap();
    assert!(code(&article).1);
    let book = |i: usize| CheckDigits::Gtin.put(&format!("978-3-{:05}-{:03}-0", random(i) >> 48, i)).unwrap();
    let (regex, checked) = code(&book);
    assert!(checked && regex.starts_with("978\\-3\\-"), "{regex}");
    let letters: Vec<char> = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().collect();
    let ulid = |i: usize| {
        (0..23).fold("01H".to_owned(), |text, at| {
            text + &letters[(random(i * 23 + at) >> 40) as usize % 32].to_string()
        })
    };
    assert_eq!(code(&ulid).0, "01H[0-9A-HJKMNP-TV-Z]{23}");
    let whole = named("x", 400, |i| (random(i) as i64).to_string()).schema;
    assert!(matches!(whole.format, Format::Id(IdFormat::Number { .. })), "{:?}", whole.format);
}

#[test]
fn keys_that_are_times_keep_their_steps() {
    let declaration = Declaration { ty: Type::Timestamp, primary_key: true, ..Declaration::default() };
    let mut key = Column::new("at", declaration);
    let at = |i: i64| datetime::format(i * 900_000_000, "%Y-%m-%d %H:%M:%S");
    (0..50).for_each(|i| key.push(Some(&at(i * 7 % 50))));
    let Format::Id(IdFormat::Date { step, .. }) = found(key).schema.format else { panic!("no dates") };
    assert_eq!(step, 900);
    let bills = named("x", 300, |i| format!("{}-{:03}", 2021 + i / 100, i % 100 + 1)).schema;
    assert!(matches!(bills.format, Format::Id(IdFormat::Counter { .. })), "{:?}", bills.format);
    assert_eq!(kind(300, |i| format!("2022-{:03}", 1 + i % 90)), Kind::Datetime);
}

#[test]
fn digits_are_dates_only_where_they_are_by_no_chance() {
    let day =
        |i: usize, pattern: &str| datetime::format((18_000 + i as i64 * 7 % 900) * 86_400_000_000, pattern);
    assert_eq!(kind(300, |i| day(i, "%y%m%d")), Kind::Datetime);
    assert_ne!(kind(300, |i| if i == 7 { "201340".into() } else { day(i, "%y%m%d") }), Kind::Datetime);
    assert_ne!(kind(30, |i| (200_401 + i).to_string()), Kind::Datetime);
    let time = |i: usize| format!("{:02}{:02}", i * 5 % 24, i * 7 % 60);
    assert_eq!(kind(300, time), Kind::Datetime);
    assert_ne!(kind(300, |i| format!("{:04}", i % 59)), Kind::Datetime);
    assert_ne!(kind(300, |i| (1000 + i * 7 % 900).to_string()), Kind::Datetime);
    assert_eq!(kind(300, |i| format!("{}/{}", 1 + i % 12, 22 + i % 5)), Kind::Datetime);
    assert_ne!(kind(300, |i| format!("{}/10", 1 + i % 10)), Kind::Datetime);
    assert_eq!(kind(300, |i| day(i, "%d-%b-%Y").to_uppercase()), Kind::Datetime);
    // A date in a code is one of the calendar.
    let code = named("batch", 300, |i| format!("{}-{:02}", day(i, "%Y%m%d"), i / 90 + 1)).schema;
    let Format::Id(IdFormat::Code { regex, .. }) = code.format else { panic!("{:?}", code.format) };
    assert!(regex.starts_with("(2019|2020|2021)(0[1-9]|1[0-2])("), "{regex}");
    let span =
        |i: usize| format!("{:02}:{:02}-{:02}:{:02}", i * 5 % 24, i * 7 % 60, i * 11 % 24, i * 13 % 60);
    let Format::Id(IdFormat::Code { regex, .. }) = named("span", 100, span).schema.format else {
        panic!("no code")
    };
    assert_eq!(regex.matches("([01][0-9]|2[0-3]):[0-5][0-9]").count(), 2, "{regex}");
}
