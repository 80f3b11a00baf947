//! Masks: the same for the same value, different for different ones, of the same form, consistent within a row.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{HashMap, HashSet};

use common::{Columns, grown, plan, table};
use mintage_persons::{Locale, Mask, Personal, Plan};

const ROWS: usize = 2_000;

fn masked(source: &Columns, plan: &Plan, mask: &mut Mask) -> Vec<Vec<Option<String>>> {
    let known: Vec<HashSet<&str>> = plan
        .columns()
        .iter()
        .map(|column| source[column.column].1.iter().map(String::as_str).collect())
        .collect();
    let rows = source[0].1.len();
    (0..rows)
        .map(|row| {
            let cell = |name: &str| {
                source.iter().find(|column| column.0 == name).map(|column| column.1[row].as_str())
            };
            mask.row(plan, &cell, &|k, text| known[k].contains(text))
        })
        .collect()
}

#[test]
fn masks_are_injective_and_nobodys() {
    for locale in Locale::FULL {
        let source = grown(&table(locale), ROWS, 1);
        let plan = plan("customers", &source);
        let rows = masked(&source, &plan, &mut Mask::new(b"secret"));
        assert_eq!(rows, masked(&source, &plan, &mut Mask::new(b"secret")), "{locale:?}");
        for (k, column) in plan.columns().iter().enumerate() {
            let values = &source[column.column].1;
            let known: HashSet<&str> = values.iter().map(String::as_str).collect();
            let (mut there, mut back): (HashMap<&str, &str>, HashMap<&str, &str>) = Default::default();
            for (row, value) in rows.iter().zip(values) {
                let text = row[k]
                    .as_deref()
                    .unwrap_or_else(|| panic!("{locale:?} {}: no mask of {value}", column.name));
                if column.name == "middle_initial" {
                    continue;
                }
                let before = there.insert(value, text);
                assert!(
                    before.is_none_or(|before| before == text),
                    "{locale:?} {}: {value} {before:?} {text}",
                    column.name
                );
                let before = back.insert(text, value);
                assert!(
                    before.is_none_or(|before| before == value),
                    "{locale:?} {}: {text} {before:?} {value}",
                    column.name
                );
                assert!(
                    column.what == Personal::Region || !known.contains(text),
                    "{locale:?} {}: {value:?} {text:?} {:?}",
                    column.name,
                    column.what
                );
                if matches!(
                    column.what,
                    Personal::Phone | Personal::Card | Personal::Iban | Personal::National(_)
                ) {
                    assert_eq!(marks(text), marks(value), "{locale:?} {}", column.name);
                }
            }
        }
    }
}

/// A number without its digits and letters.
fn marks(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { '#' } else { c }).collect()
}

fn one(plan: &Plan, mask: &mut Mask, cells: &[(&str, &str)]) -> HashMap<String, String> {
    let cell = |name: &str| cells.iter().find(|cell| cell.0 == name).map(|cell| cell.1);
    let row = mask.row(plan, &cell, &|_, _| false);
    plan.columns().iter().zip(row).filter_map(|(column, text)| Some((column.name.clone(), text?))).collect()
}

#[test]
fn rows_stay_consistent_and_joins_hold() {
    let columns = table(Locale::EnUs);
    let plan = plan("customers", &columns);
    let mut mask = Mask::new(b"key");
    let row = one(
        &plan,
        &mut mask,
        &[
            ("first_name", "John"),
            ("last_name", "Anderson"),
            ("full_name", "John Anderson"),
            ("email", "john.anderson77@gmail.com"),
            ("username", "janderson"),
        ],
    );
    let (first, last) = (row["first_name"].as_str(), row["last_name"].as_str());
    assert_eq!(row["full_name"], format!("{first} {last}"));
    let local = format!("{}.{}", first.to_lowercase(), last.to_lowercase());
    assert!(row["email"].starts_with(&local) && row["email"].ends_with(".example"), "{row:?}");
    assert!(
        row["username"].starts_with(&first[..1].to_lowercase())
            && row["username"].contains(&last.to_lowercase())
    );
    // A table that has the address alone, and one that has the name alone.
    let other = one(&plan, &mut mask, &[("email", "john.anderson77@gmail.com")]);
    assert_eq!(other["email"], row["email"]);
    let other = one(&plan, &mut mask, &[("full_name", "JOHN ANDERSON")]);
    assert_eq!(other["full_name"], row["full_name"].to_uppercase());
    // The same in another run, another under another key.
    let again = one(&plan, &mut Mask::new(b"key"), &[("first_name", "John")]);
    assert_eq!(again["first_name"], first);
    let others: HashSet<String> = (0..20)
        .map(|key: u8| one(&plan, &mut Mask::new(&[key]), &[("first_name", "John")])["first_name"].clone())
        .collect();
    assert!(others.len() > 10);
}

#[test]
fn russian_names_are_masked_by_their_parts() {
    let columns = table(Locale::RuRu);
    let plan = plan("клиенты", &columns);
    let mut mask = Mask::new(b"key");
    let son = one(
        &plan,
        &mut mask,
        &[
            ("фамилия", "Сидоров"),
            ("имя", "Иван"),
            ("отчество", "Петрович"),
            ("ФИО", "Сидоров Иван Петрович"),
            ("ФИО (родительный)", "Сидорова Ивана Петровича"),
            ("город", "Клин"),
            ("область", "Московская область"),
        ],
    );
    let daughter = one(
        &plan,
        &mut mask,
        &[
            ("фамилия", "Сидорова"),
            ("имя", "Анна"),
            ("отчество", "Петровна"),
            ("ФИО", "Сидорова Анна Петровна"),
        ],
    );
    assert_eq!(son["ФИО"], format!("{} {} {}", son["фамилия"], son["имя"], son["отчество"]));
    assert_ne!(son["ФИО (родительный)"], son["ФИО"]);
    assert!(daughter["отчество"].ends_with("на") && son["отчество"].ends_with("ич"), "{son:?} {daughter:?}");
    let stem = |text: &str| text.chars().take(4).collect::<String>();
    assert_eq!(stem(&son["фамилия"]), stem(&daughter["фамилия"]), "{son:?} {daughter:?}");
    assert_eq!(stem(&son["отчество"]), stem(&daughter["отчество"]));
    assert_eq!(son["область"], "Московская область");
    assert_ne!(son["город"], "Клин");
}

#[test]
fn dates_of_birth_move_by_half_a_year_at_most() {
    let (mask, again, other) = (Mask::new(b"key"), Mask::new(b"key"), Mask::new(b"another"));
    let days: Vec<i64> = (-20_000..20_000).map(|day| mask.shift_days(day)).collect();
    let different: HashSet<i64> = days.iter().copied().collect();
    let expected: HashSet<i64> = (-180..=180).filter(|days| *days != 0).collect();
    assert_eq!(different, expected);
    assert!(days.iter().zip(-20_000..).all(|(days, day)| *days == again.shift_days(day)));
    let alike = days.iter().zip(-20_000..).filter(|(days, day)| **days == other.shift_days(*day)).count();
    assert!(alike < 400, "{alike}");
}

#[test]
fn missing_values_stay_missing() {
    let columns = table(Locale::FrFr);
    let plan = plan("clients", &columns);
    let row = Mask::new(b"k").row(&plan, &|name| (name == "Ville").then_some("Sceaux"), &|_, _| false);
    assert_eq!(row.iter().flatten().count(), 1);
}

#[test]
fn masks_of_secrets_keep_lengths_and_classes() {
    let values = ["hunter2!", "Hunter2!", "8cb2237d0679ca88db6464eac60da96345513964", "hunter2!"];
    let source: Columns = vec![("password".to_owned(), values.iter().map(|&text| text.to_owned()).collect())];
    let plan = plan("staff", &source);
    let rows = masked(&source, &plan, &mut Mask::new(b"secret"));
    let texts: Vec<&str> = rows.iter().map(|row| row[0].as_deref().unwrap()).collect();
    for (text, value) in texts.iter().zip(values) {
        assert!(text.len() == value.len() && !values.contains(text), "{value}: {text}");
    }
    assert!(texts[0] == texts[3] && texts[0] != texts[1]);
    assert!(texts[0].ends_with('!') && texts[1].starts_with(|c: char| c.is_ascii_uppercase()));
    assert!(texts[2].chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
}
