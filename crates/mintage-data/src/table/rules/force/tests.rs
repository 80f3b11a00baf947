#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::table::{
    Column, datetime,
    encoder::{Allow, Finisher, Limits, RowEncoder, Where},
    rules::Constraint,
    schema::detect,
};

const DAY: i64 = 86_400_000_000;

fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.rotate_left(29) ^ state
    }
}

fn column(name: &str, cells: impl Iterator<Item = String>) -> Column {
    let mut column = Column::new(name, Default::default());
    cells.for_each(|cell| column.push(Some(&cell)));
    column
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn day(n: i64) -> String {
    datetime::format(n * DAY, "%Y-%m-%d")
}

/// Measurements with declared rules of every kind.
fn measured(n: usize, seed: u64) -> Table {
    let mut next = random(seed);
    let mut below = |n: u64| (next() >> 16) % n;
    let mut cells: Vec<[String; 9]> = Vec::new();
    for i in 0..n {
        let (w, h) = (below(500) + 1, below(300) + 1);
        let lo = below(60) as i64;
        let hi = lo + below(40) as i64;
        let from = below(700) as i64;
        cells.push([
            ["A", "B", "C"][i % 3].to_owned(),
            day(19_000 + i as i64 / 3),
            w.to_string(),
            h.to_string(),
            (w * h).to_string(),
            lo.to_string(),
            hi.to_string(),
            day(18_000 + from),
            day(18_000 + from + below(300) as i64),
        ]);
    }
    let names = ["station", "day", "w", "h", "area", "lo", "hi", "opened", "closed"];
    let columns = names.iter().enumerate();
    let columns = columns.map(|(at, name)| column(name, cells.iter().map(|row| row[at].clone()))).collect();
    let constraints = vec![
        Constraint::key(own(&["station", "day"])),
        Constraint::Generated { column: "area".into(), sql: "w * h".into() },
        Constraint::Check("(lo <= hi)".into()),
        Constraint::Check("lo + hi < 160 AND w > 0 OR hi IS NULL".into()),
        Constraint::Check("h BETWEEN 1 AND 300".into()),
    ];
    Table { name: "t".into(), columns, constraints, ..Table::default() }
}

fn words(rules: &Rules) -> Vec<String> {
    rules.rules().iter().map(Rule::to_string).collect()
}

#[test]
fn declared_and_found_rules_are_in_force() {
    let table = measured(300, 1);
    let (rules, notes) = in_force(&RuleChoice::default(), &table, &detect(&table)).unwrap();
    let expected = [
        "station + day unique",
        "area = w * h",
        "lo <= hi",
        "lo + hi < 160 AND w > 0 OR hi IS NULL",
        "h at least 1",
        "h at most 300",
        "opened <= closed",
    ];
    assert_eq!(words(&rules), expected);
    assert!(notes.is_empty(), "{notes:?}");
    let (none, _) = in_force(&RuleChoice::Off, &table, &detect(&table)).unwrap();
    assert!(none.rules().is_empty());
}

#[test]
fn what_is_declared_and_cannot_be_kept_is_said() {
    let mut table = measured(200, 2);
    table.constraints = vec![
        Constraint::Check("julianday(closed) > 3".into()),
        Constraint::Check("lo > hi".into()),
        Constraint::Other("the unique index j over an expression".into()),
        Constraint::key(own(&["station", "elsewhere"])),
    ];
    let (rules, notes) = in_force(&RuleChoice::default(), &table, &detect(&table)).unwrap();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("julianday(…), which is not understood"), "{notes:?}");
    assert!(notes[1].contains("does not hold in 200 of 200 rows") || notes[1].contains("rows"), "{notes:?}");
    assert!(words(&rules).contains(&"opened <= closed".to_owned()));
}

#[test]
fn texts_are_computed_too() {
    let mut table = measured(200, 5);
    let cell = |name: &str, row: usize| table.column(name).unwrap().cell(row).unwrap().to_owned();
    let labels: Vec<String> =
        (0..200).map(|row| format!("{}/{}", cell("station", row), cell("lo", row))).collect();
    table.columns.push(column("label", labels.into_iter()));
    table
        .constraints
        .push(Constraint::Generated { column: "label".into(), sql: "((station || '/'::text) || lo)".into() });
    let (codec, sizes) = codec_of(&table);
    assert!(
        words(&codec.rules).contains(&"label = station || '/' || lo".to_owned()),
        "{:?}",
        words(&codec.rules)
    );
    assert_eq!(codec.rules.place("label").unwrap(), None);
    let (limits, mut next) = (Limits::default(), random(6));
    let tokens = any_tokens(&sizes, 100, &mut next);
    let mut finisher = Finisher::new(&codec).unwrap();
    let rows = finisher.part(&tokens, 100, &limits, None, None, &mut next).unwrap();
    for row in 0..100 {
        let cell = |name: &str| rows.column(name).unwrap().cell(row).unwrap();
        assert_eq!(cell("label"), format!("{}/{}", cell("station"), cell("lo")));
    }
}

#[test]
fn keys_that_are_gone_are_not_referred_to() {
    let mut table = measured(200, 7);
    table.columns[0].declaration.refers_to = Some("stations.name".into());
    let (codec, sizes) = codec_of(&table);
    let (limits, mut next, mut again) = (Limits::default(), random(6), random(7));
    let mut finisher = Finisher::new(&codec).unwrap();
    finisher.add_references("station", &Column::of("name", [Some("A"), Some("C"), Some("D")]));
    let tokens = any_tokens(&sizes, 100, &mut next);
    let mut redraw = |rows: &[u32]| any_tokens(&sizes, rows.len(), &mut again);
    let rows = finisher.part(&tokens, 100, &limits, None, Some(&mut redraw), &mut next).unwrap();
    assert!(rows.column("station").unwrap().iter().all(|cell| matches!(cell, Some("A" | "C"))));
}

#[test]
fn rows_that_need_a_parent_each_get_those_that_are_free() {
    let ids: Vec<String> = (1..=300).map(|id| id.to_string()).collect();
    let mut uid = Column::of("uid", ids.iter().map(|id| Some(id.as_str())));
    uid.declaration.refers_to = Some("us.id".into());
    uid.declaration.primary_key = true;
    let kind = Column::of("kind", (0..300).map(|i| Some(["a", "b"][i % 2])));
    let mut table = Table { name: "pr".into(), columns: vec![uid, kind], ..Table::default() };
    table.constraints.push(Constraint::key(vec!["uid".into()]));
    let (codec, sizes) = codec_of(&table);
    let (limits, mut next) = (Limits::default(), random(6));
    let mut finisher = Finisher::new(&codec).unwrap();
    finisher.add_present(&table);
    let parents: Vec<String> = (1..=500).map(|id| id.to_string()).collect();
    finisher.add_references("uid", &Column::of("id", parents.iter().map(|id| Some(id.as_str()))));
    let tokens = any_tokens(&sizes, 150, &mut next);
    let rows = finisher.part(&tokens, 150, &limits, None, None, &mut next).unwrap();
    let made: std::collections::HashSet<u32> =
        rows.columns[0].iter().map(|cell| cell.unwrap().parse().unwrap()).collect();
    assert!(made.len() == 150 && made.iter().all(|id| (301..=500).contains(id)), "{made:?}");
    // There are 50 parents left.
    assert!(finisher.part(&tokens, 150, &limits, None, None, &mut next).is_err());
}

#[test]
fn accidents_are_no_rules() {
    let mut next = random(9);
    let mut below = |n: u64| ((next() >> 16) % n).to_string();
    let mut numbers = |name: &str, least: u64, n: u64| {
        column(
            name,
            (0..900)
                .map(|_| (least + below(n).parse::<u64>().unwrap()).to_string())
                .collect::<Vec<_>>()
                .into_iter(),
        )
    };
    let columns = vec![
        numbers("age", 17, 60),
        numbers("weight", 20_000, 400_000),
        numbers("hours", 1, 90),
        numbers("children", 0, 4),
        numbers("city", 0, 40),
    ];
    let table = Table { name: "t".into(), columns, ..Table::default() };
    let (rules, _) = in_force(&RuleChoice::default(), &table, &detect(&table)).unwrap();
    assert_eq!(words(&rules), Vec::<String>::new());
}

#[test]
fn fixed_combinations_are_found() {
    let levels = ["Preschool", "HS-grad", "Bachelors", "Masters", "Doctorate"];
    let mut next = random(3);
    let at: Vec<usize> = (0..600).map(|_| (next() >> 20) as usize % 5).collect();
    let columns = vec![
        column("education", at.iter().map(|&at| levels[at].to_owned())),
        column("education-num", at.iter().map(|&at| (at * 3 + 1).to_string())),
        column("age", at.iter().enumerate().map(|(i, at)| (17 + (i * 7 + at) % 60).to_string())),
    ];
    let table = Table { name: "t".into(), columns, ..Table::default() };
    let (rules, _) = in_force(&RuleChoice::default(), &table, &detect(&table)).unwrap();
    assert_eq!(words(&rules), ["education + education-num: combinations that occur"]);
}

#[test]
fn recipes_say_off_or_rules() {
    let choice = |text: &str| serde_json::from_str::<RuleChoice>(text);
    assert_eq!(choice("\"off\"").unwrap(), RuleChoice::Off);
    assert_eq!(choice("\"on\"").unwrap(), RuleChoice::default());
    let own = RuleChoice::With(vec![Rule::Check { sql: "a < b".into() }]);
    assert_eq!(choice(r#"[{"kind": "check", "sql": "a < b"}]"#).unwrap(), own);
    assert!(choice("\"of\"").unwrap_err().to_string().contains("\"off\", \"on\", { only"));
    let only = RuleChoice::Only(vec![Rule::Positive { column: "a".into() }]);
    assert_eq!(choice(r#"{"only": [{"kind": "positive", "column": "a"}]}"#).unwrap(), only);
    assert!(choice(r#"{"but": []}"#).unwrap_err().to_string().contains("has `only`"));
    for choice in [RuleChoice::Off, RuleChoice::default(), own, only] {
        let text = serde_json::to_string(&choice).unwrap();
        assert_eq!(serde_json::from_str::<RuleChoice>(&text).unwrap(), choice);
    }
}

/// Tokens that no model learned: all of a field alike.
fn any_tokens(sizes: &[usize], n: usize, random: &mut dyn FnMut() -> u64) -> Vec<u16> {
    (0..n)
        .flat_map(|_| sizes.iter().map(|&size| ((random() >> 20) % size as u64) as u16).collect::<Vec<_>>())
        .collect()
}

fn codec_of(table: &Table) -> (RowEncoder, Vec<usize>) {
    let (rules, _) = in_force(&RuleChoice::default(), table, &detect(table)).unwrap();
    let train: Vec<u32> = (0..table.rows() as u32).collect();
    let codec = RowEncoder::fit(table, rules, [&train, &[]], 0);
    let tokens = codec.encode(table, 0);
    let sizes = codec.fields(&tokens, &train).iter().map(|field| field.size).collect();
    (codec, sizes)
}

/// Each owner has one main address, and others.
#[test]
fn rows_differ_in_the_part_that_must() {
    let owner = |i: usize| format!("owner {}", i % 40);
    let main = |i: usize| if i < 40 { "yes" } else { "no" }.to_owned();
    let columns = vec![column("owner", (0..200).map(owner)), column("main", (0..200).map(main))];
    let unique = |condition: &str| Constraint::Unique {
        columns: own(&["owner"]),
        condition: Some(condition.to_owned()),
    };
    let constraints = vec![unique("(main = 'yes'::text)"), unique("main > julianday()")];
    let table = Table { name: "t".into(), columns, constraints, ..Table::default() };
    let (rules, notes) = in_force(&RuleChoice::default(), &table, &detect(&table)).unwrap();
    assert_eq!(words(&rules), ["owner unique where main = 'yes'"]);
    assert!(notes.len() == 1 && notes[0].contains("UNIQUE (owner) WHERE main > julianday()"), "{notes:?}");
    assert_eq!(rules.key_columns(), ["main", "owner"]);
    let (codec, sizes) = codec_of(&table);
    let mut finisher = Finisher::new(&codec).unwrap();
    finisher.add_present(&table.select(&(0..20).collect::<Vec<u32>>()));
    let (mut next, mut again) = (random(1), random(2));
    let mut redraw = |rows: &[u32]| any_tokens(&sizes, rows.len(), &mut again);
    let tokens = any_tokens(&sizes, 300, &mut next);
    let rows = finisher.part(&tokens, 300, &Limits::default(), None, Some(&mut redraw), &mut next).unwrap();
    let mains: Vec<&str> = (0..300)
        .filter(|&row| rows.columns[1].cell(row) == Some("yes"))
        .map(|row| rows.columns[0].cell(row).unwrap())
        .collect();
    let different: std::collections::BTreeSet<&str> = mains.iter().copied().collect();
    assert!((10..=20).contains(&mains.len()) && different.len() == mains.len(), "{mains:?}");
    let taken = |owner: &&str| owner[6..].parse::<usize>().unwrap() < 20;
    assert!(!mains.iter().any(taken), "{mains:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Whatever a model draws, every row keeps every rule, beside the rows that are there and over all parts.
    #[test]
    fn every_row_keeps_what_is_declared(seed: u64, n in 120usize..180) {
        let table = measured(n, seed);
        let (codec, sizes) = codec_of(&table);
        let limits = Limits::default();
        let mut finisher = Finisher::new(&codec).unwrap();
        finisher.add_present(&table);
        let mut all = table.clone();
        let (mut next, mut again) = (random(seed ^ 1), random(seed ^ 2));
        for part in [1, 40, 30] {
            let tokens = any_tokens(&sizes, part, &mut next);
            let mut redraw = |rows: &[u32]| any_tokens(&sizes, rows.len(), &mut again);
            let rows = finisher.part(&tokens, part, &limits, None, Some(&mut redraw), &mut next).unwrap();
            prop_assert_eq!(rows.rows(), part);
            all.append(&rows).unwrap();
        }
        for (rule, broken) in codec.rules.check(&all, &table) {
            prop_assert_eq!(broken, 0, "{}", rule);
        }
    }

    /// Cells that are given stay, and rules hold between them and what is drawn.
    #[test]
    fn rules_hold_beside_what_is_given(seed: u64) {
        let table = measured(200, seed);
        let (codec, sizes) = codec_of(&table);
        let limits = Limits::default();
        let mut finisher = Finisher::new(&codec).unwrap();
        let mut next = random(seed ^ 1);
        let given = Table {
            columns: ["closed", "hi", "w"].iter().map(|name| table.column(name).unwrap().clone()).collect(),
            ..Table::default()
        };
        let mut tokens = codec.encode_given(&given, u16::MAX, &mut next).unwrap();
        for (at, token) in tokens.iter_mut().enumerate().filter(|(_, token)| **token == u16::MAX) {
            *token = ((next() >> 20) % sizes[at % sizes.len()] as u64) as u16;
        }
        let rows = finisher.part(&tokens, 200, &limits, Some(&given), None, &mut next).unwrap();
        for column in &given.columns {
            prop_assert!(column.iter().eq(rows.column(&column.name).unwrap().iter()), "{}", column.name);
        }
        for rule in ["area = w * h", "lo <= hi", "opened <= closed"] {
            let broken = codec.rules.check(&rows, &table).into_iter().find(|(words, _)| words == rule);
            prop_assert_eq!(broken.map(|b| b.1), Some(0), "{}", rule);
        }
    }
}

#[test]
fn conditions_on_computed_columns_hold() {
    let table = measured(300, 4);
    let (codec, sizes) = codec_of(&table);
    let wanted =
        [Where::parse("closed=2020-01-01..2020-03-01").unwrap(), Where::parse("area=..40000").unwrap()];
    let limits = codec.limits(&wanted).unwrap();
    let mut finisher = Finisher::new(&codec).unwrap();
    let (mut next, mut again) = (random(1), random(2));
    let tokens = any_tokens(&sizes, 50, &mut next);
    let mut redraw = |rows: &[u32]| any_tokens(&sizes, rows.len(), &mut again);
    let rows = finisher.part(&tokens, 50, &limits, None, Some(&mut redraw), &mut next).unwrap();
    for row in 0..50 {
        let closed = rows.column("closed").unwrap().cell(row).unwrap();
        assert!(("2020-01-01".."2020-03-02").contains(&closed), "{closed}");
        assert!(rows.column("area").unwrap().cell(row).unwrap().parse::<u32>().unwrap() <= 40_000);
    }
    // What no row can meet ends in an error that names it.
    let never = [Where { column: "area".into(), allow: Allow::Value("7000001".into()) }];
    let limits = codec.limits(&never).unwrap();
    let mut finisher = Finisher::new(&codec).unwrap();
    let error = finisher.part(&tokens, 50, &limits, None, Some(&mut redraw), &mut next).unwrap_err();
    assert!(error.to_string().starts_with("condition `area=7000001`: 0 of "), "{error}");
    assert!(finisher.redrawn() > 0);
}
