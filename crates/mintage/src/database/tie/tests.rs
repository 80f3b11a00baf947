//! Keys of new rows beside those of real plans.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::database::{
    filled::{numbers, tied},
    testing::{drawn, key, planned, table},
};

/// Ties the keys of one table of new ones.
fn tie(schema: &Schema, plans: &[TablePlan], made: &mut Database, table: &str) {
    let at = plans.iter().position(|plan| plan.name == table).unwrap();
    let ties = Ties::of(schema, plans, at).unwrap();
    assert!(ties.tie(made, &ties.keys(), Rng::new(1, 0)).is_empty());
}

fn cells<'a>(made: &'a Database, table: &str, column: &str) -> Vec<Option<&'a str>> {
    made[table].table.column(column).unwrap().iter().collect()
}

#[test]
fn a_second_key_of_a_table_to_itself_is_filled() {
    let keys = vec![key("boss", "staff", "id", true), key("mate", "staff", "id", false)];
    let boss = (1..=20u32).map(|row| row / 2);
    let mut bosses = Column::of("boss", [None]);
    boss.skip(1).for_each(|boss| bosses.push(Some(&boss.to_string())));
    let source = vec![numbers("id", 1..=20), bosses, numbers("mate", (1..=20).map(|row| 21 - row))];
    let (schema, _, plans) = planned(vec![table("staff", keys, source)]);
    let depth = numbers(DEPTH, (0..30).map(|row| u32::from(row > 3)));
    let mut made = Database::from([("staff".to_owned(), drawn(vec![numbers("id", 1..=30), depth], 2))]);
    tie(&schema, &plans, &mut made, "staff");
    let (ids, mates) = (cells(&made, "staff", "id"), cells(&made, "staff", "mate"));
    assert!(ids.iter().zip(&mates).all(|(id, mate)| mate.is_some() && id != mate), "{mates:?}");
    assert_eq!(cells(&made, "staff", "boss").into_iter().flatten().count(), 26);
}

#[test]
fn kept_rows_refer_to_new_rows_as_they_did_to_those_of_the_source() {
    let reviews = table("reviews", Vec::new(), vec![numbers("id", 1..=20), numbers("stars", 1..=20)]);
    let again = Column::of("again", [None, Some("4"), Some("4"), None, Some("5")]);
    // Its own key is one to reviews, and others refer to it.
    let keys = vec![key("id", "reviews", "id", false), key("again", "reviews", "id", true)];
    let best = table("best", keys, vec![numbers("id", [3, 7, 9, 11, 12]), again]);
    let medals = vec![numbers("id", 1..=3), numbers("best", [7, 7, 12])];
    let medals = table("medals", vec![key("best", "best", "id", false)], medals);
    let kept = [&best, &medals].map(|(_, rows)| (rows.name.clone(), rows.clone()));
    let (schema, _, plans) = planned(vec![reviews, best, medals]);
    assert_eq!(plans.iter().filter(|plan| plan.part == Part::Kept).count(), 2);
    let mut made = tied(&schema, HashMap::from(kept));
    made.insert("reviews".to_owned(), drawn(vec![numbers("id", 101..=130)], 0));
    ["best", "medals"].iter().for_each(|name| tie(&schema, &plans, &mut made, name));
    let (ids, again) = (cells(&made, "best", "id"), cells(&made, "best", "again"));
    let is_new = |cell: &&str| cell.parse::<u32>().is_ok_and(|id| (101..=130).contains(&id));
    assert!(ids.iter().all(|cell| cell.as_ref().is_some_and(is_new)), "{ids:?}");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 5);
    let is_there: Vec<bool> = again.iter().map(Option::is_some).collect();
    assert_eq!(is_there, [false, true, true, false, true]);
    assert!(again.iter().flatten().all(is_new), "{again:?}");
    assert!(again[1] == again[2] && again[1] != again[4], "{again:?}");
    assert_eq!(cells(&made, "medals", "best"), [ids[1], ids[1], ids[4]]);
}

#[test]
fn rows_that_are_drawn_follow_kept_rows_whose_keys_change() {
    let reviews = table("reviews", Vec::new(), vec![numbers("id", 1..=20), numbers("stars", 1..=20)]);
    let best = table("best", vec![key("id", "reviews", "id", false)], vec![numbers("id", [3, 7, 9])]);
    let votes = vec![numbers("id", 1..=30), numbers("best", (0..30).map(|row| [3, 7, 9, 9][row % 4]))];
    let votes = table("votes", vec![key("best", "best", "id", false)], votes);
    let kept = HashMap::from([("best".to_owned(), best.1.clone())]);
    let (schema, _, plans) = planned(vec![reviews, best, votes]);
    assert_eq!(plans[2].keys, [Use::Matched]);
    let mut made = tied(&schema, kept);
    made.insert("reviews".to_owned(), drawn(vec![numbers("id", 101..=130)], 0));
    made.insert("votes".to_owned(), drawn(vec![numbers("id", 1..=40)], 1));
    ["best", "votes"].iter().for_each(|name| tie(&schema, &plans, &mut made, name));
    let (ids, votes) = (cells(&made, "best", "id"), cells(&made, "votes", "best"));
    let of = |id: &Option<&str>| votes.iter().filter(|vote| *vote == id).count();
    let counts: Vec<usize> = ids.iter().map(of).collect();
    // Eight, eight and fourteen of thirty.
    assert_eq!(counts, [11, 10, 19]);
}

#[test]
fn kept_rows_share_parents_where_there_are_too_few() {
    let reviews = table("reviews", Vec::new(), vec![numbers("id", 1..=20), numbers("stars", 1..=20)]);
    let best = vec![numbers("id", 1..=4), numbers("review", [3, 4, 5, 6])];
    let best = table("best", vec![key("review", "reviews", "id", false)], best);
    let kept = HashMap::from([("best".to_owned(), best.1.clone())]);
    let (schema, _, plans) = planned(vec![reviews, best]);
    let mut made = tied(&schema, kept);
    made.insert("reviews".to_owned(), drawn(vec![numbers("id", 8..=9)], 0));
    tie(&schema, &plans, &mut made, "best");
    let mut reviews = cells(&made, "best", "review");
    reviews.sort_unstable();
    assert_eq!(reviews, [Some("8"), Some("8"), Some("9"), Some("9")]);
}

#[test]
fn a_key_leads_through_one_that_was_drawn() {
    let countries = table("countries", Vec::new(), vec![numbers("id", 1..=3), numbers("size", 5..=7)]);
    let customers = (1..=40).map(|row| row * 7 % 3 + 1);
    let customers = vec![numbers("id", 1..=40), numbers("country", customers)];
    let customers = table("customers", vec![key("country", "countries", "id", false)], customers);
    let of_customer = |row: u32| (row % 40 + 1, (row % 40 + 1) * 7 % 3 + 1);
    let orders = vec![
        numbers("id", 1..=90),
        numbers("customer", (0..90).map(|row| of_customer(row).0)),
        numbers("country", (0..90).map(|row| of_customer(row).1)),
    ];
    let keys = vec![key("customer", "customers", "id", false), key("country", "countries", "id", false)];
    let (schema, _, plans) = planned(vec![countries.clone(), customers, table("orders", keys, orders)]);
    assert_eq!(plans[2].keys, [Use::Main, Use::Through(0)]);
    let drawn_country = numbers("country", [3, 1, 2]);
    let mut orders = drawn(vec![numbers("id", 1..=4)], 2);
    orders.parents[0] = vec![0, 0, 1, 2];
    let mut made = Database::from([
        ("countries".to_owned(), drawn(countries.1.columns, 0)),
        ("customers".to_owned(), drawn(vec![numbers("id", 1..=3), drawn_country], 1)),
        ("orders".to_owned(), orders),
    ]);
    ["customers", "orders"].iter().for_each(|name| tie(&schema, &plans, &mut made, name));
    assert_eq!(cells(&made, "orders", "country"), [Some("3"), Some("3"), Some("1"), Some("2")]);
}

#[test]
fn bosses_are_of_the_same_firm() {
    let firms = table("firms", Vec::new(), vec![numbers("id", 1..=12), numbers("size", 5..=16)]);
    // The key that shares a column with the other comes first.
    let keys = vec![key("firm boss", "staff", "firm id", true), key("firm", "firms", "id", false)];
    let firm = numbers("firm", (0..60).map(|row| row % 12 + 1));
    let mut bosses = Column::of("boss", [None; 12]);
    (12..60u32).for_each(|row| bosses.push(Some(&(row % 12 + 1).to_string())));
    let source = vec![numbers("id", 1..=60), firm, bosses, numbers("grade", (0..60).map(|row| row / 12))];
    let (schema, _, plans) = planned(vec![firms, table("staff", keys, source)]);
    let mut staff = drawn(vec![numbers("id", 1..=40), numbers(DEPTH, (0..40).map(|row| row / 10))], 2);
    staff.parents[1] = (0..40).map(|row| row % 4).collect();
    let firms = drawn(vec![numbers("id", 1..=4)], 0);
    let mut made = Database::from([("firms".to_owned(), firms), ("staff".to_owned(), staff)]);
    tie(&schema, &plans, &mut made, "staff");
    let (firms, bosses) = (cells(&made, "staff", "firm"), cells(&made, "staff", "boss"));
    assert_eq!(bosses.iter().flatten().count(), 30, "{bosses:?}");
    for (firm, boss) in firms.iter().zip(&bosses) {
        let boss = boss.map(|boss| boss.parse::<usize>().unwrap());
        assert!(boss.is_none_or(|boss| firms[boss - 1] == *firm), "{firm:?} {boss:?}");
    }
}

#[test]
fn only_keys_to_later_tables_are_tied_again() {
    let chief = Column::of("chief", (1..=12).map(|row| (row > 1).then_some("3")));
    let firms = table(
        "firms",
        vec![key("chief", "staff", "id", true)],
        vec![numbers("id", 1..=12), chief, numbers("size", 1..=12)],
    );
    let staff = vec![numbers("id", 1..=60), numbers("firm", (0..60).map(|row| row % 12 + 1))];
    let staff = table("staff", vec![key("firm", "firms", "id", false)], staff);
    let (schema, _, plans) = planned(vec![firms, staff]);
    let order: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    assert_eq!(order, ["firms", "staff"]);
    let mut made = Database::from([("firms".to_owned(), drawn(vec![numbers("id", 1..=5)], 1))]);
    let ties = Ties::of(&schema, &plans, 0).unwrap();
    assert_eq!(ties.tie(&mut made, &ties.keys(), Rng::new(1, 0)), [0]);
    let mut staff = drawn(vec![numbers("id", 21..=40)], 1);
    staff.parents[0] = (0..20).map(|row| row % 5).collect();
    made.insert("staff".to_owned(), staff);
    tie(&schema, &plans, &mut made, "staff");
    // What is tied already is not looked at again.
    let other = Column::of("firm", (0..20).map(|_| Some("x")));
    put(&mut made.get_mut("staff").unwrap().table, [other]);
    close_circles(&schema, &plans, &mut made, vec![vec![0], Vec::new()], 1, &Before::default());
    assert!(cells(&made, "staff", "firm").iter().all(|cell| *cell == Some("x")));
    let chiefs = cells(&made, "firms", "chief");
    let is_new = |cell: &&str| cell.parse::<u32>().is_ok_and(|id| (21..=40).contains(&id));
    assert!(chiefs.iter().flatten().count() > 0 && chiefs.iter().flatten().all(is_new), "{chiefs:?}");
}
