//! Three hundred persons in each of five locales: what is learned from them makes three hundred others.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeSet, HashSet};

use common::{Columns, grown, plan, table};
use mintage_persons::{Locale, Personal, Plan};

const ROWS: usize = 300;
/// The seeds of those who are taken for the source are far from those of the new ones.
const SOURCE_SEED: u64 = 1 << 40;

/// The new rows of a table that is like `source`, by column of the plan.
fn made(plan: &Plan, source: &Columns) -> Vec<Vec<String>> {
    let known: Vec<HashSet<&str>> =
        plan.columns().iter().map(|own| source[own.column].1.iter().map(String::as_str).collect()).collect();
    let mut made = vec![Vec::with_capacity(ROWS); known.len()];
    for row in 0..ROWS {
        let cell = |name: &str| Some(source.iter().find(|column| column.0 == name)?.1[row].as_str());
        let values = plan.row(row as u64, &cell, &|at, text| known[at].contains(text));
        for (column, value) in made.iter_mut().zip(values) {
            column.push(value.unwrap());
        }
    }
    made
}

/// Digits by a sign: the form of a number.
fn form(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect()
}

/// Where a text stands after "@".
fn domain(email: &str) -> &str {
    email.split_once('@').unwrap().1
}

fn is_reserved(domain: &str) -> bool {
    domain.ends_with(".example") || ["example.com", "example.org", "example.net"].contains(&domain)
}

#[test]
fn new_persons_share_nothing_with_the_source_and_keep_its_formats() {
    for locale in Locale::FULL {
        let source = grown(&table(locale), ROWS, SOURCE_SEED);
        let plan = plan("customers", &source);
        let new = made(&plan, &source);
        let mut compared: BTreeSet<Personal> = BTreeSet::new();
        for (own, values) in plan.columns().iter().zip(&new) {
            let real = &source[own.column].1;
            let known: HashSet<&String> = real.iter().collect();
            let shared = values.iter().filter(|text| known.contains(text)).count();
            let is_initial = own.name == "middle_initial";
            assert!(is_initial || !own.what.is_fresh() || shared == 0, "{locale:?} {}: {shared}", own.name);
            compared.insert(own.what);
            match own.what {
                Personal::Phone => {
                    let forms = |all: &[String]| all.iter().map(|text| form(text)).collect::<BTreeSet<_>>();
                    assert_eq!(forms(values), forms(real), "{locale:?} {}", own.name);
                }
                Personal::Email => {
                    assert!(values.iter().all(|email| is_reserved(domain(email))), "{locale:?}: {values:?}");
                    let domains: HashSet<&str> = values.iter().map(|email| domain(email)).collect();
                    assert!(domains.len() > 3, "{locale:?}: many domains stay many, not {domains:?}");
                }
                Personal::Street => {
                    let has_number = |text: &String| text.chars().any(|c| c.is_ascii_digit());
                    assert_eq!(
                        values.iter().all(has_number),
                        real.iter().all(has_number),
                        "{locale:?}: {:?}",
                        &values[..5]
                    );
                }
                _ => {}
            }
        }
        for what in [Personal::FullName, Personal::Email, Personal::Phone, Personal::Street, Personal::City] {
            assert!(compared.contains(&what), "{locale:?} has no {what:?}");
        }
        // Whole persons differ, whatever names the source has left: those are not what all are called by.
        for (what, least) in [(Personal::FullName, 95), (Personal::Street, 85)] {
            let at = plan.columns().iter().position(|own| own.what == what).unwrap();
            let different: HashSet<&String> = new[at].iter().collect();
            assert!(different.len() * 100 >= ROWS * least, "{locale:?} {what:?}: {}", different.len());
        }
    }
}

#[test]
fn one_domain_stays_one() {
    let mut source = grown(&table(Locale::DeDe), ROWS, SOURCE_SEED);
    let emails = source.iter_mut().find(|column| column.0 == "E-Mail").unwrap();
    for email in &mut emails.1 {
        *email = format!("{}@firma.de", email.split_once('@').unwrap().0);
    }
    let plan = plan("mitarbeiter", &source);
    let at = plan.columns().iter().position(|own| own.what == Personal::Email).unwrap();
    let made = made(&plan, &source);
    let domains: HashSet<&str> = made[at].iter().map(|email| domain(email)).collect();
    assert!(domains.len() == 1 && domains.iter().all(|domain| is_reserved(domain)), "{domains:?}");
}

#[test]
fn russian_patronymics_agree_with_sex_and_names_with_their_case() {
    let source = grown(&table(Locale::RuRu), ROWS, SOURCE_SEED);
    let plan = plan("клиенты", &source);
    let new = made(&plan, &source);
    let get = |name: &str, row: usize| {
        let at = plan.columns().iter().position(|own| own.name == name).unwrap();
        new[at][row].as_str()
    };
    let sexes = &source.iter().find(|column| column.0 == "пол").unwrap().1;
    for (row, sex) in sexes.iter().enumerate() {
        let (family, given, patronymic) = (get("фамилия", row), get("имя", row), get("отчество", row));
        let (own, other) = if sex == "м" { ("ич", "на") } else { ("на", "ич") };
        assert!(patronymic.ends_with(own) && !patronymic.ends_with(other), "{sex}: {patronymic}");
        assert_eq!(get("ФИО", row), format!("{family} {given} {patronymic}"));
        // "Иванова Ивана Ивановича", "Ивановой Анны Ивановны".
        let genitive = get("ФИО (родительный)", row);
        let end = if sex == "м" { "ича" } else { "ны" };
        assert!(genitive.ends_with(end), "{genitive}");
        let women = ["ова", "ева", "ёва", "ина", "ская", "цкая"];
        let men = ["ов", "ев", "ёв", "ский", "цкий"];
        let is_one = |ends: &[&str]| ends.iter().any(|end| family.ends_with(end));
        assert!(!is_one(if sex == "м" { &women } else { &men }), "{sex}: {family}");
    }
}
