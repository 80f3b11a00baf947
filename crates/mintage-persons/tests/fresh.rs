//! New values are none of the source, in its format, the same for the same seed, and agree within a row.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;

use common::{Columns, grown, plan, samples, table};
use mintage_persons::{Locale, Personal, Plan, recognise};

const SOURCE: usize = 2_000;
const NEW_ROWS: usize = 10_000;

fn known_of(source: &Columns, plan: &Plan) -> Vec<HashSet<String>> {
    plan.columns().iter().map(|column| source[column.column].1.iter().cloned().collect()).collect()
}

/// Digits and letters by their signs: what a number looks like.
fn shape(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_digit() {
                '#'
            } else if c.is_ascii_uppercase() {
                'A'
            } else {
                c
            }
        })
        .collect()
}

fn is_number(what: Personal) -> bool {
    matches!(
        what,
        Personal::Phone | Personal::Card | Personal::Iban | Personal::National(_) | Personal::Postcode
    )
}

#[test]
fn all_columns_are_recognised() {
    for locale in Locale::FULL {
        let columns = table(locale);
        let samples = samples(&columns);
        let found = recognise("customers", &samples);
        assert!(found.iter().all(|found| found.locale == locale), "{locale:?}: {:?}", found[0]);
        let missing: Vec<&str> = (0..columns.len())
            .filter(|at| found.iter().all(|found| found.column != *at))
            .map(|at| samples[at].name)
            .collect();
        assert!(missing.is_empty(), "{locale:?}: {missing:?}");
    }
}

#[test]
fn nothing_of_the_source_comes_back_and_formats_stay() {
    for locale in Locale::FULL {
        let source = grown(&table(locale), SOURCE, 1);
        let plan = plan("customers", &source);
        assert!(plan.columns().len() >= 17, "{locale:?}: {}", plan.columns().len());
        let known = known_of(&source, &plan);
        let shapes: Vec<HashSet<String>> =
            known.iter().map(|known| known.iter().map(|text| shape(text)).collect()).collect();
        let mut new: Vec<HashSet<String>> = vec![HashSet::new(); known.len()];
        for row in 0..NEW_ROWS {
            let cell = |name: &str| {
                let column = source.iter().find(|column| column.0 == name)?;
                Some(column.1[row % SOURCE].as_str())
            };
            let values = plan.row(1_000_000 + row as u64, &cell, &|k, text| known[k].contains(text));
            for (k, value) in values.into_iter().enumerate() {
                let column = &plan.columns()[k];
                let text = value.unwrap_or_else(|| panic!("{locale:?} {}: nothing left", column.name));
                // Initials are a closed list too.
                let initial = column.name == "middle_initial";
                assert!(
                    initial || !column.what.is_fresh() || !known[k].contains(&text),
                    "{locale:?} {}: {text}",
                    column.name
                );
                let formed = !is_number(column.what) || shapes[k].contains(&shape(&text));
                assert!(formed, "{locale:?} {}: {text}", column.name);
                new[k].insert(text);
            }
        }
        // What is made is recognised as what it is.
        let names: Vec<String> = plan.columns().iter().map(|column| column.name.clone()).collect();
        let again: Columns = names
            .into_iter()
            .zip(new)
            .map(|(name, texts)| {
                let mut texts: Vec<String> = texts.into_iter().collect();
                texts.sort();
                (name, texts)
            })
            .collect();
        let found = recognise("customers", &samples(&again));
        for (k, column) in plan.columns().iter().enumerate() {
            let what = found.iter().find(|found| found.column == k).map(|found| found.what);
            assert_eq!(what, Some(column.what), "{locale:?} {}: {:?}", column.name, &again[k].1[..3]);
        }
    }
}

#[test]
fn rows_are_deterministic_and_plans_can_be_kept() {
    let columns = table(Locale::RuRu);
    let plan = plan("клиенты", &columns);
    let kept: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(plan, kept);
    for seed in 0..50 {
        let row = |plan: &Plan| plan.row(seed, &|_| Some("м"), &|_, _| false);
        assert_eq!(row(&plan), row(&kept));
    }
}

/// The value of a column called so.
fn value<'a>(plan: &Plan, row: &'a [Option<String>], name: &str) -> &'a str {
    let k = plan.columns().iter().position(|column| column.name == name).unwrap();
    row[k].as_deref().unwrap()
}

#[test]
fn rows_agree_with_themselves() {
    let columns = table(Locale::RuRu);
    let plan = plan("клиенты", &columns);
    for seed in 0..500 {
        for (sex, patronymic) in [("м", "ич"), ("ж", "на")] {
            let row = plan.row(seed, &|_| Some(sex), &|_, _| false);
            let get = |name| value(&plan, &row, name);
            assert!(get("отчество").ends_with(patronymic), "{row:?}");
            assert_eq!(get("ФИО"), format!("{} {} {}", get("фамилия"), get("имя"), get("отчество")));
            assert_ne!(get("ФИО"), get("ФИО (родительный)"));
            assert!(get("адрес").contains(&format!("г. {}", get("город"))), "{row:?}");
        }
    }
    let columns = table(Locale::EnUs);
    let plan = self::plan("customers", &columns);
    for seed in 0..500 {
        let row = plan.row(seed, &|_| Some("F"), &|_, _| false);
        let get = |name| value(&plan, &row, name);
        let family = get("last_name").to_lowercase();
        assert!(get("email").contains(&family) && get("username").contains(&family), "{row:?}");
        assert_eq!(get("full_name"), format!("{} {}", get("first_name"), get("last_name")));
        assert!(get("email").ends_with("example") || get("email").contains("@example."), "{row:?}");
        assert!(get("address").contains(&format!("{}, {} ", get("city"), get("state"))), "{row:?}");
    }
}

#[test]
fn missing_values_stay_missing_and_seeds_join_tables() {
    let columns = table(Locale::DeDe);
    let plan = plan("kunden", &columns);
    let row = plan.row(5, &|name| (name != "E-Mail").then_some("x"), &|_, _| false);
    let at = plan.columns().iter().position(|column| column.name == "E-Mail").unwrap();
    assert!(row[at].is_none() && row.iter().filter(|value| value.is_none()).count() == 1);
    // Another table with the names alone.
    let fewer: Columns = columns
        .iter()
        .filter(|column| ["Vorname", "Nachname"].contains(&column.0.as_str()))
        .cloned()
        .collect();
    let other = self::plan("rechnungen", &fewer);
    let again = other.row(5, &|_| Some("x"), &|_, _| false);
    assert_eq!(again[0].as_deref(), Some(value(&plan, &row, "Vorname")));
}
