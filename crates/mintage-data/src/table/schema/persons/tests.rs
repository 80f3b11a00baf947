#![allow(clippy::unwrap_used)]

use super::*;
use crate::table::{Declaration, ids::IdMaker, schema::detect};

/// The schema of a column of `n` rows, as `spec` wants it.
fn found(
    name: &str,
    n: usize,
    spec: &SourceSpec,
    cell: impl Fn(usize) -> String,
) -> (ColumnSchema, Vec<Alert>) {
    let cells: Vec<String> = (0..n).map(cell).collect();
    let column = Column::of(name, cells.iter().map(|text| Some(text.as_str())));
    let table = Table { name: "t".into(), columns: vec![column], ..Table::default() };
    let mut schema = detect(&table);
    schema.apply(&table, &spec.kinds).unwrap();
    schema.protect(&table, spec, None);
    (schema.columns.remove(0), schema.alerts)
}

fn kind(name: &str, cell: impl Fn(usize) -> String) -> Kind {
    let (schema, _) = found(name, 300, &SourceSpec::default(), cell);
    let afresh = schema.made_afresh().is_some();
    assert_eq!(afresh, matches!(schema.kind, Kind::Id | Kind::Text), "{name}: {}", schema.reason);
    schema.kind
}

fn word(i: usize) -> String {
    let parts = ["ка", "ро", "ми", "ле", "ну", "са", "ви", "до", "па", "те"];
    [100, 10, 1].map(|place| parts[i / place % 10]).concat()
}

#[test]
fn values_that_point_at_persons_are_made_afresh() {
    assert_eq!(kind("имя", |i| format!("{} {}", word(i % 50), word(i * 7))), Kind::Text);
    assert_eq!(kind("x", |i| format!("{} {}", word(i % 50), word(i * 7))), Kind::Text);
    assert_eq!(kind("адрес", |i| format!("ул. {}, {}", word(i % 40), i % 90)), Kind::Text);
    assert_eq!(kind("customer_name", |i| format!("{} {}", word(i % 5), word(i % 25))), Kind::Text);
    assert_eq!(kind("x", |i| format!("anna{}@mail.org", i % 100)), Kind::Id);
    assert_eq!(kind("phone", |i| format!("7912{:07}", i % 100 * 7919)), Kind::Id);
    assert_eq!(kind("passport", |i| (4_510_000_000 + (i * 7919) as u64 % 1_000_003).to_string()), Kind::Id);
    assert_eq!(kind("session_id", |i| format!("{}", (i % 200) * 7919 % 10_007)), Kind::Id);
    // Few values that repeat, and quantities, are nobody's.
    assert_eq!(kind("segment", |i| word(i % 4)), Kind::Category);
    assert_eq!(kind("income", |i| (200_000 + (i * 7919) % 100_003).to_string()), Kind::Integer);
}

#[test]
fn persons_of_many_rows_are_made_afresh() {
    let person = |i: usize| i % 40;
    let cards = |i: usize| CheckDigits::Luhn.put(&format!("4{:015}", person(i) * 7_919_777)).unwrap();
    assert_eq!(kind("x", cards), Kind::Id);
    let iban = |i: usize| CheckDigits::Iban.put(&format!("DE00{:018}", person(i) * 104_729)).unwrap();
    assert_eq!(kind("x", iban), Kind::Id);
    assert_eq!(kind("x", |i| format!("10.{}.7.{}", person(i), person(i) * 5)), Kind::Id);
    assert_eq!(kind("login", |i| format!("{}_{}", word(person(i)), word(person(i) * 3))), Kind::Id);
    assert_eq!(kind("plate", |i| format!("AB {}", 1000 + person(i) * 37)), Kind::Id);
    assert_eq!(kind("customer", |i| format!("{} {}", word(person(i)), word(person(i) * 7))), Kind::Text);
    let of_json = |i: usize| format!("{{\"mail\": \"{}@mail.org\"}}", word(person(i)));
    assert_eq!(kind("profile", of_json), Kind::Text);
    assert_eq!(kind("url", |i| format!("https://example.net/u/{}", word(person(i)))), Kind::Text);
    // Goods, and networks of few, are nobody's.
    let gtin = |i: usize| CheckDigits::Gtin.put(&format!("40{:011}", person(i) * 7919)).unwrap();
    assert!(found("x", 300, &SourceSpec::default(), gtin).0.made_afresh().is_none());
    assert_eq!(kind("x", |i| format!("10.0.0.{}", i % 5)), Kind::Category);
    assert_eq!(kind("card_type", |i| word(i % 30)), Kind::Category);
}

#[test]
fn each_row_of_a_small_table_is_somebodys() {
    let (schema, _) = found("room", 12, &SourceSpec::default(), |i| format!("{}-{i}", word(i * 7)));
    assert!(schema.made_afresh().is_some(), "{}", schema.reason);
    assert!(!schema.reason.contains(&word(7)), "{}", schema.reason);
}

#[test]
fn what_one_column_is_protected_for_no_other_gives_away() {
    let name = |i: usize| format!("{} {}", word(i % 50), word(i * 7));
    let columns: [(&str, &dyn Fn(usize) -> String); 2] = [("name", &name), ("chief", &|i| name(i % 12))];
    let columns = columns.map(|(title, cell)| {
        let cells: Vec<String> = (0..300).map(cell).collect();
        Column::of(title, cells.iter().map(|text| Some(text.as_str())))
    });
    let table = Table { name: "t".into(), columns: columns.to_vec(), ..Table::default() };
    let mut schema = detect(&table);
    schema.protect(&table, &SourceSpec::default(), None);
    for schema in &schema.columns {
        let mut maker = IdMaker::new(schema.made_afresh().unwrap(), std::iter::empty()).unwrap();
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.rotate_left(32)
        };
        let made: Vec<String> = (0..500).filter_map(|_| maker.next_cell(&mut random).unwrap()).collect();
        let known = |text: &&String| table.columns.iter().any(|column| column.values().find(text).is_some());
        assert_eq!(made.iter().find(known), None, "{} of {}", schema.reason, schema.name);
    }
}

#[test]
fn names_are_protected_under_any_heading_and_within_json() {
    let spec = SourceSpec::default();
    let first = ["Anna", "Peter", "Maria", "Jonas", "Lena"];
    let name = |i: usize| format!("{} Ко{}", first[i % 5], word(i % 40));
    let (schema, _) = found("boss", 400, &spec, name);
    assert_eq!(schema.kind, Kind::Text, "{}", schema.reason);
    let (schema, _) =
        found("profile", 400, &spec, |i| format!("{{\"who\": \"{}\", \"n\": {}}}", name(i), i % 3));
    assert_eq!(schema.made_afresh(), Some(&IdFormat::Empty { filler: "{}".into() }), "{}", schema.reason);
    let (schema, _) = found("tags", 400, &spec, |i| format!("[\"new\", \"{}\"]", ["vip", "old"][i % 2]));
    assert!(schema.kind == Kind::Category && schema.made_afresh().is_none(), "{}", schema.reason);
}

#[test]
fn ends_of_ranges_are_nobodys() {
    assert_eq!(rounded(107_719_957_684, 891_782_353_620), (100_000_000_000, 899_999_999_999));
    assert_eq!(rounded(3, 2_147_483_600), (0, 2_147_483_647));
    assert_eq!(rounded(-40, 80), (-40, 80));
}

#[test]
fn frequent_first_names_are_categories_and_rare_ones_are_made_afresh() {
    let first = |i: usize| if i < 290 { word(i % 10) } else { word(i) };
    let (schema, alerts) = found("first_name", 300, &SourceSpec::default(), first);
    assert_eq!((schema.kind, schema.made_afresh().is_some()), (Kind::Category, true));
    assert!(schema.reason.contains("values of fewer than 5 rows are"), "{}", schema.reason);
    assert!(alerts.iter().any(|a| a.cause == Cause::Leak && a.message.contains("none is copied")));
    let (schema, _) = found("product_name", 300, &SourceSpec::default(), first);
    assert!(schema.made_afresh().is_none());
}

#[test]
fn texts_are_redrawn_or_empty_where_that_is_wanted() {
    let name = |i: usize| format!("{} {}", word(i % 50), word(i * 7));
    let redraw = SourceSpec { text: TextMode::Redraw, ..SourceSpec::default() };
    let (schema, alerts) = found("name", 300, &redraw, name);
    assert!(schema.made_afresh().is_none() && schema.reason.contains("drawn from those seen"));
    assert!(alerts.iter().any(|alert| alert.message.contains("text = \"redraw\"")), "{alerts:?}");
    let empty = SourceSpec { text: TextMode::Empty, ..SourceSpec::default() };
    let (schema, _) = found("name", 300, &empty, name);
    let left_empty = IdFormat::Empty { filler: String::new() };
    assert_eq!((schema.made_afresh(), schema.kind), (Some(&left_empty), Kind::Text));
}

#[test]
fn what_a_program_reads_is_left_empty_in_its_form() {
    let made = |cell: fn(usize) -> String| {
        let (schema, _) = found("x_id", 300, &SourceSpec::default(), cell);
        schema.made_afresh().cloned()
    };
    let left_empty = |filler: &str| Some(IdFormat::Empty { filler: filler.into() });
    // Without a space it is a name, a sign and a place on the net.
    assert_eq!(made(|i| format!("{{\"mail\":\"anna{i}@mail.org\"}}")), left_empty("{}"));
    assert_eq!(made(|i| format!("[\"tea\", {i}]")), left_empty("[]"));
    // The same in every third row is a list of values.
    assert_eq!(made(|i| format!("[\"tea\", {}]", i % 3)), None);
}

#[test]
fn arrays_are_left_empty_or_one_of_few() {
    let made = |cell: fn(usize) -> String| {
        let declaration = Declaration { native: Some("text[]".into()), ..Declaration::default() };
        let mut column = Column::new("tags", declaration);
        (0..300).for_each(|i| column.push(Some(&cell(i))));
        let table = Table { name: "t".into(), columns: vec![column], ..Table::default() };
        let mut schema = detect(&table);
        schema.protect(&table, &SourceSpec::default(), None);
        schema.columns[0].made_afresh().cloned()
    };
    let left_empty = Some(IdFormat::Empty { filler: "{}".into() });
    assert_eq!(made(|i| format!("{{tea,\"tin {i}\"}}")), left_empty);
    // Of one length they look like codes.
    assert_eq!(made(|i| format!("{{{i:04}x{:04}}}", i * 7919 % 9973)), left_empty);
    assert_eq!(made(|i| format!("{{tea,{}}}", ["tin", "cup", "\"a b\""][i % 3])), None);
}

#[test]
fn rare_values_are_kept_out_also_where_all_are_rare() {
    let group = SourceSpec { rare: Rare::Group, ..SourceSpec::default() };
    let (schema, _) = found("colour", 30, &group, |i| word(i % 10));
    assert!(schema.made_afresh().is_some(), "{}", schema.reason);
    let (schema, _) = found("colour", 300, &group, |i| if i < 4 { word(i + 7) } else { word(i % 5) });
    assert!(schema.made_afresh().is_none(), "{}", schema.reason);
}

#[test]
fn keys_of_other_tables_stay_keys() {
    let declaration = Declaration { refers_to: Some("person.id".into()), ..Declaration::default() };
    let mut column = Column::new("person", declaration);
    (0..40).for_each(|i| column.push(Some(&(i * 3).to_string())));
    let table = Table { name: "t".into(), columns: vec![column], ..Table::default() };
    let mut schema = detect(&table);
    schema.protect(&table, &SourceSpec { rare: Rare::Group, ..SourceSpec::default() }, None);
    assert_eq!(schema.columns[0].format, Format::Id(IdFormat::Reference));
}

#[test]
fn keys_that_are_addresses_of_persons_are_told_of() {
    let declaration = Declaration { refers_to: Some("person.mail".into()), ..Declaration::default() };
    let mut column = Column::new("who", declaration);
    (0..200).for_each(|i| column.push(Some(&format!("a{}@mail.org", i % 40))));
    let table = Table { name: "t".into(), columns: vec![column], ..Table::default() };
    let mut schema = detect(&table);
    schema.protect(&table, &SourceSpec::default(), None);
    let told = schema.alerts.iter().any(|alert| alert.message.ends_with("as keys of person.mail"));
    assert!(told, "{:?}", schema.alerts);
}
