#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::table::{
    datetime,
    schema::{Kind, detect},
};

const DAY: i64 = 86_400_000_000;

fn table(columns: &[(&str, Vec<Option<String>>)]) -> Table {
    let column = |(name, cells): &(&str, Vec<Option<String>>)| {
        Column::of(name, cells.iter().map(|cell| cell.as_deref()))
    };
    Table { name: "t".into(), columns: columns.iter().map(column).collect(), ..Table::default() }
}

/// A table of texts in rows; "" is a missing cell.
fn rows(names: &[&'static str], rows: &[&[&str]]) -> Table {
    let cells =
        |at: usize| rows.iter().map(|row| Some(row[at].to_owned()).filter(|cell| !cell.is_empty())).collect();
    table(&names.iter().enumerate().map(|(at, &name)| (name, cells(at))).collect::<Vec<_>>())
}

fn typed(table: &Table, kinds: &[(&str, Kind)]) -> TableSchema {
    let mut schema = detect(table);
    let kinds: BTreeMap<String, Kind> =
        kinds.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    schema.apply(table, &kinds).unwrap();
    schema
}

fn numbers(names: &[&'static str]) -> Vec<(&'static str, Kind)> {
    names.iter().map(|&name| (name, Kind::Integer)).collect()
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn order(columns: &[&str], strict: bool) -> Rule {
    Rule::Order { columns: own(columns), strict }
}

fn formula(column: &str, equals: &str) -> Rule {
    Rule::Formula { column: column.into(), equals: equals.into() }
}

fn range(column: &str, min: Option<&str>, max: Option<&str>) -> Rule {
    let bound = |text: &str| Bound(text.into());
    Rule::Range { column: column.into(), min: min.map(bound), max: max.map(bound) }
}

fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.rotate_left(29) ^ state
    }
}

/// The rows of each column on their own in another order.
fn shuffled(table: &Table, seed: u64) -> Table {
    let mut random = random(seed);
    let columns = table.columns.iter().map(|column| {
        let mut order: Vec<u32> = (0..column.len() as u32).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, (random() % (i as u64 + 1)) as usize);
        }
        column.select(&order)
    });
    Table { name: table.name.clone(), columns: columns.collect(), ..Table::default() }
}

/// What a model drew, put right as far as it can be without another draw.
fn mended(rules: &Rules, forward: &Table, seed: u64) -> Result<Table, Error> {
    let mut table = rules.inverse(forward, &mut random(seed))?;
    Keys::of(rules).make_differ(rules, &mut table, &[], &mut random(seed))?;
    Ok(table)
}

fn error(rules: Vec<Rule>, table: &Table, kinds: &[(&str, Kind)]) -> String {
    Rules::new(rules, table, &typed(table, kinds)).unwrap_err().to_string()
}

/// A shop: orders with places, times, prices, sizes and codes that keep `shop_rules`.
#[derive(Clone, Debug)]
struct Order(u8, i64, Option<u16>, Option<u16>, u32, u8, u8, Option<i16>, u16);

fn orders() -> impl Strategy<Value = Vec<Order>> {
    let gap = || prop::option::weighted(0.8, 0..500u16);
    let one = (
        0..5u8,
        0..20_000i64,
        gap(),
        gap(),
        1..100_000u32,
        1..9u8,
        0..3u8,
        prop::option::weighted(0.9, -50..50i16),
        0..999u16,
    );
    prop::collection::vec(one.prop_map(|o| Order(o.0, o.1, o.2, o.3, o.4, o.5, o.6, o.7, o.8)), 20..60)
}

fn shop(orders: &[Order]) -> (Table, TableSchema) {
    let each = |of: &dyn Fn(usize, &Order) -> Option<String>| {
        orders.iter().enumerate().map(|(i, o)| of(i, o)).collect()
    };
    let cities = [("Köln", "DE"), ("Bonn", "DE"), ("Омск", "RU"), ("Lyon", "FR"), ("Nice", "FR")];
    let date = |days: i64| datetime::format(days * DAY, "%Y-%m-%d");
    let time = |days: i64| datetime::format(days * DAY + DAY / 2, "%d.%m.%Y %H:%M");
    let sent = |i: usize, o: &Order| o.2.filter(|_| i > 0).map(|gap| o.1 + i64::from(gap));
    let flag =
        |which: u8| move |_: usize, o: &Order| Some(if o.6 == which { "yes" } else { "no" }.to_owned());
    let price = |o: &Order| f64::from(o.4) / 100.0;
    let table = table(&[
        ("city", each(&|_, o| Some(cities[usize::from(o.0)].0.to_owned()))),
        ("ordered", each(&|_, o| Some(date(o.1)))),
        ("country", each(&|_, o| Some(cities[usize::from(o.0)].1.to_owned()))),
        // Missing in two ways; the first rows have all that makes a column a date.
        (
            "sent",
            each(&|i, o| Some(if i == 0 { date(o.1) } else { sent(i, o).map_or_else(|| "NA".into(), date) })),
        ),
        (
            "arrived",
            each(&|i, o| match i {
                0 => Some(time(o.1)),
                _ => o.3.map(|gap| time(sent(i, o).unwrap_or(o.1) + i64::from(gap))),
            }),
        ),
        ("price", each(&|_, o| Some(format!("{:.2}", price(o))))),
        ("quantity", each(&|_, o| Some(o.5.to_string()))),
        ("total", each(&|_, o| Some(format!("{:.2}", price(o) * f64::from(o.5))))),
        ("size_s", each(&flag(0))),
        ("size_m", each(&flag(1))),
        ("size_l", each(&flag(2))),
        ("low", each(&|i, o| o.7.or((i == 0).then_some(0)).map(|low| low.to_string()))),
        (
            "high",
            each(&|i, o| {
                o.7.or((i == 0).then_some(0)).map(|low| (i32::from(low) + 1 + i32::from(o.8)).to_string())
            }),
        ),
        ("code", each(&|_, o| Some(format!("{}-{:02}", cities[usize::from(o.0)].1, o.8 % 7)))),
        ("number", each(&|i, _| Some(i.to_string()))),
    ]);
    let mut kinds = numbers(&["quantity", "low", "high", "number"]);
    kinds.extend([("price", Kind::Number), ("total", Kind::Number)]);
    kinds.extend(["ordered", "sent", "arrived"].map(|name| (name, Kind::Datetime)));
    kinds.extend(["city", "country", "code"].map(|name| (name, Kind::Category)));
    let schema = typed(&table, &kinds);
    (table, schema)
}

fn shop_rules() -> Vec<Rule> {
    vec![
        Rule::Combination { columns: own(&["city", "country"]) },
        order(&["ordered", "sent", "arrived"], false),
        order(&["low", "high"], true),
        formula("total", "price * quantity"),
        Rule::OneHot { columns: own(&["size_s", "size_m", "size_l"]) },
        Rule::Positive { column: "price".into() },
        Rule::Rounded { column: "price".into(), digits: 2 },
        range("quantity", Some("1"), Some("8")),
        range("ordered", Some("1970-01-01"), None),
        Rule::Regex { column: "code".into(), pattern: "[A-Z]{2}-[0-9]{2}".into() },
        Rule::Unique { columns: own(&["number"]), condition: None },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn there_and_back_again(orders in orders()) {
        let (table, schema) = shop(&orders);
        let rules = Rules::new(shop_rules(), &table, &schema).unwrap();
        let forward = rules.forward(&table);
        prop_assert_eq!(forward.columns.len(), rules.schema().columns.len());
        prop_assert_eq!(rules.inverse(&forward, &mut random(1)).unwrap(), table);
        let saved = serde_json::to_string(&rules).unwrap();
        prop_assert_eq!(serde_json::from_str::<Rules>(&saved).unwrap(), rules);
    }

    #[test]
    fn rows_put_together_at_random_keep_the_rules(orders in orders(), seed: u64) {
        let (table, schema) = shop(&orders);
        let rules = Rules::new(shop_rules(), &table, &schema).unwrap();
        let new = mended(&rules, &shuffled(&rules.forward(&table), seed), seed).unwrap();
        prop_assert_eq!(new.rows(), table.rows());
        for (rule, broken) in rules.check(&new, &table) {
            prop_assert_eq!(broken, 0, "{}", rule);
        }
    }

    #[test]
    fn bounds_and_orders_agree(cells in prop::collection::vec((0i32..100, 0i32..30, prop::option::of(0i32..30)), 10..40), seed: u64) {
        let cells: Vec<[String; 3]> = cells.iter().enumerate().map(|(i, &(a, b, c))| {
            let c = c.or((i == 0).then_some(0)).map_or(String::new(), |c| (a + b + c).to_string());
            [a.to_string(), (a + b).to_string(), c]
        }).collect();
        let cells: Vec<Vec<&str>> = cells.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        let cells: Vec<&[&str]> = cells.iter().map(Vec::as_slice).collect();
        let table = rows(&["a", "b", "c"], &cells);
        let schema = typed(&table, &numbers(&["a", "b", "c"]));
        let all = vec![order(&["a", "b"], false), order(&["b", "c"], false), order(&["a", "c"], false), range("c", None, Some("160")), range("b", Some("0"), Some("131"))];
        let rules = Rules::new(all, &table, &schema).unwrap();
        prop_assert_eq!(&rules.inverse(&rules.forward(&table), &mut random(1)).unwrap(), &table);
        let new = mended(&rules, &shuffled(&rules.forward(&table), seed), seed).unwrap();
        for (rule, broken) in rules.check(&new, &table) {
            prop_assert_eq!(broken, 0, "{}", rule);
        }
    }
}

#[test]
fn a_recipe_writes_rules_so() {
    let text = r#"[
        {"kind": "range", "column": "age", "min": 0, "max": 120.5},
        {"kind": "order", "columns": ["start", "end"], "strict": true},
        {"kind": "one_hot", "columns": ["a", "b"]},
        {"kind": "formula", "column": "total", "equals": "price * quantity"},
        {"kind": "range", "column": "day", "min": "2020-01-01"}
    ]"#;
    let rules: Vec<Rule> = serde_json::from_str(text).unwrap();
    let words: Vec<String> = rules.iter().map(Rule::to_string).collect();
    let expected = [
        "age from 0 to 120.5",
        "start < end",
        "exactly one of a, b",
        "total = price * quantity",
        "day at least 2020-01-01",
    ];
    assert_eq!(words, expected);
    let again = serde_json::to_string(&rules).unwrap();
    assert!(again.contains(r#""min":0,"max":120.5"#), "{again}");
    assert!(serde_json::from_str::<Rule>(r#"{"kind": "positive", "column": "x", "colum": 1}"#).is_err());
}

#[test]
fn rules_that_the_table_breaks_are_named() {
    let table = rows(&["start", "end"], &[&["1", "2"], &["5", "3"], &["9", "8"], &["", "1"]]);
    let kinds = numbers(&["start", "end"]);
    let broken = error(vec![order(&["start", "end"], false)], &table, &kinds);
    let expected =
        "rule `start <= end`: does not hold in 2 of 4 rows: row 2 (start 5, end 3); row 3 (start 9, end 8)";
    assert_eq!(broken, expected);
    let broken = error(vec![formula("end", "start + 1")], &table, &kinds);
    assert!(broken.contains("in 3 of 4 rows: row 2 (end 3, start 5)"), "{broken}");
}

#[test]
fn rules_that_cannot_be_together_are_named() {
    let table = rows(&["a", "b", "c", "d"], &[&["1", "1", "1", "x"], &["2", "2", "2", "y"]]);
    let kinds = &numbers(&["a", "b", "c"]);
    let error = |rules: Vec<Rule>| error(rules, &table, kinds);
    let circle = error(vec![order(&["a", "b"], false), order(&["b", "c"], false), order(&["c", "a"], false)]);
    assert!(circle.contains("`a <= b` and `b <= c` and `c <= a`: cannot hold together"), "{circle}");
    assert!(
        error(vec![range("a", Some("5"), Some("3"))]).contains("`a from 5 to 3`: no value of `a` can be so")
    );
    let two = error(vec![range("a", Some("1"), None), range("a", None, Some("0"))]);
    assert!(two.contains("`a at least 1` and `a at most 0`"), "{two}");
    assert!(error(vec![formula("a", "b"), formula("b", "a")]).contains("in a circle"));
    assert!(error(vec![formula("a", "b"), formula("a", "c")]).contains("clashes with `a = b`"));
    assert!(error(vec![formula("a", "b"), order(&["a", "c"], false)]).contains("computed by a formula"));
    let joint = Rule::Combination { columns: own(&["a", "d"]) };
    assert!(error(vec![joint, order(&["a", "c"], false)]).contains("clashes with the combination of a + d"));
    assert!(error(vec![order(&["a", "d"], false)]).contains("`d` is of kind category, not a number"));
    assert!(error(vec![range("e", None, None)]).contains("column `e`: is not in the table"));
    assert!(error(vec![range("a", Some("x"), None)]).contains("`x` is not written as `a` is"));
    assert!(error(vec![order(&["a"], false)]).contains("needs 2 columns or more"));
    assert!(error(vec![order(&["a", "a"], false)]).contains("names `a` twice"));
}

#[test]
fn combinations_that_share_a_column_are_one() {
    let table = rows(&["zip", "x", "city", "land"], &[&["1", "7", "Köln", "DE"], &["2", "8", "Lyon", ""]]);
    let joint = |columns: &[&str]| Rule::Combination { columns: own(columns) };
    let schema = typed(&table, &[("zip", Kind::Category)]);
    let rules = Rules::new(vec![joint(&["zip", "city"]), joint(&["city", "land"])], &table, &schema).unwrap();
    let forward = rules.forward(&table);
    assert_eq!(forward.names().collect::<Vec<_>>(), ["zip + city + land", "x"]);
    let place = rules.place("land").unwrap().unwrap();
    assert_eq!((place.column(), place.cell(forward.columns[0].cell(0))), (0, Some("DE")));
    assert_eq!(place.cell(forward.columns[0].cell(1)), None);
    assert_eq!(rules.place("x").unwrap(), Some(Place::Own(1)));
}

#[test]
fn derived_columns_have_no_place() {
    let (table, schema) = shop(&[
        Order(0, 1, None, None, 100, 1, 0, None, 1),
        Order(1, 2, Some(1), Some(1), 7, 2, 1, Some(1), 2),
    ]);
    let rules = Rules::new(shop_rules(), &table, &schema).unwrap();
    assert_eq!(rules.place("total").unwrap(), None);
    assert_eq!(rules.place("sent").unwrap(), None);
    assert_eq!(rules.place("prise").unwrap_err().hint().as_deref(), Some("did you mean `price`?"));
}

#[test]
fn rows_that_must_differ_do_or_are_an_error() {
    let cells: Vec<[String; 2]> =
        (0..30).map(|i| [format!("{}", i % 6), ["x", "y", "z", "u", "v"][i / 6].to_owned()]).collect();
    let cells: Vec<[&str; 2]> = cells.iter().map(|row| [row[0].as_str(), row[1].as_str()]).collect();
    let cells: Vec<&[&str]> = cells.iter().map(|row| &row[..]).collect();
    let table = rows(&["a", "b"], &cells);
    let schema = typed(&table, &[("a", Kind::Integer)]);
    let rules =
        Rules::new(vec![Rule::Unique { columns: own(&["a", "b"]), condition: None }], &table, &schema)
            .unwrap();
    // All 30 combinations there are, from rows that repeat some.
    let new = mended(&rules, &shuffled(&table, 3), 3).unwrap();
    assert_eq!(rules.check(&new, &table)[0], ("a + b unique".to_owned(), 0));
    let mut more = table.clone();
    more.append(&table.select(&[0])).unwrap();
    let error = mended(&rules, &more, 3).unwrap_err().to_string();
    assert!(error.contains("cannot be kept: a new row would repeat others"), "{error}");
}

#[test]
fn proposes_what_is_no_accident() {
    let mut next = random(5);
    let orders: Vec<Order> = (0..400)
        .map(|_| {
            let mut below = |n: u64| next() % n;
            let gap = |n: u64| (n > 50).then_some(n as u16);
            let (sent, arrived) = (gap(below(400)), gap(below(400)));
            let low = Some(below(100) as i16 - 50);
            Order(
                below(5) as u8,
                below(2000) as i64,
                sent,
                arrived,
                below(99_999) as u32 + 1,
                below(8) as u8 + 1,
                below(3) as u8,
                low,
                below(99) as u16,
            )
        })
        .collect();
    let (table, schema) = shop(&orders);
    let rules = propose(&table, &schema);
    let words: Vec<String> = rules.iter().map(Rule::to_string).collect();
    let expected = [
        "total = price * quantity",
        "exactly one of size_s, size_m, size_l",
        "city + country: combinations that occur",
        "ordered <= sent <= arrived",
        "low <= high",
    ];
    assert_eq!(words, expected);
    let kept = Rules::new(rules, &table, &schema).unwrap();
    assert_eq!(kept.inverse(&kept.forward(&table), &mut next).unwrap(), table);
}

#[test]
fn followers_stay_within_what_was_seen() {
    let amount = |cents: i64| {
        format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
    };
    let net: Vec<i64> = (0..600).map(|i| i * 7919 % 30_011 - 10_000).collect();
    let cells = |of: &dyn Fn(i64) -> i64| net.iter().map(|&n| Some(amount(of(n)))).collect();
    let table = table(&[("net", cells(&|n| n)), ("gross", cells(&|n| n.abs().max(18)))]);
    let schema = detect(&table);
    let rules = Rules::new(vec![order(&["net", "gross"], false)], &table, &schema).unwrap();
    let forward = rules.forward(&table);
    assert_eq!(rules.inverse(&forward, &mut random(1)).unwrap().columns, table.columns);
    let made = rules.inverse(&shuffled(&forward, 3), &mut random(2)).unwrap();
    let gross: Vec<f64> = made.columns[1].iter().map(|cell| cell.unwrap().parse().unwrap()).collect();
    let most = net.iter().map(|n| n.abs()).max().unwrap() as f64 / 100.0;
    assert!(gross.iter().all(|gross| (0.18..=most).contains(gross)), "{gross:?}");
    // They do not pile up where they would leave it.
    assert!(gross.iter().filter(|gross| **gross == most).count() < 10);
}

#[test]
fn terms_stay_as_long_as_they_are() {
    let day = |day: i64| Some(datetime::format(day * DAY, "%Y-%m-%d"));
    let starts: Vec<i64> = (0..400).map(|i| 9000 + i * 7919 % 1999).collect();
    let table = table(&[
        ("start", starts.iter().map(|&start| day(start)).collect()),
        ("end", starts.iter().map(|&start| day(start + 30)).collect()),
    ]);
    let rules = Rules::new(vec![order(&["start", "end"], false)], &table, &detect(&table)).unwrap();
    assert_eq!(rules.forward(&table).columns[1].values().iter().collect::<Vec<_>>(), ["30"]);
}
