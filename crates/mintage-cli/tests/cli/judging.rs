//! Data that are hard to judge: few, all alike, of another kind, with gaps. What can be judged is, the rest is named.

use std::fmt::Write;

use crate::helpers::{Place, png};

/// Rows of a number, a letter and a count, each by its number.
fn rows(n: usize, row: impl Fn(usize) -> String) -> String {
    let mut text = "length,kind,pieces\n".to_owned();
    (0..n).for_each(|i| writeln!(text, "{}", row(i)).unwrap());
    text
}

/// Numbers that look random, the same each time.
fn number(i: usize) -> usize {
    i * 7919 % 1009
}

fn usual(i: usize) -> String {
    format!("{}.{},{},{}", number(i) / 10, i % 10, ["a", "b", "c"][number(i) % 3], number(i + 5) % 40)
}

#[test]
fn other_columns_and_other_values_are_named() {
    let place = Place::new();
    place.write("known.csv", rows(600, usual));
    place.write("few.csv", rows(60, usual));
    place.write("narrow.csv", rows(600, usual).replace(",pieces", "").replace("length", "x"));
    place.write("words.csv", rows(600, |i| format!("{},a,{}", ["long", "short"][i % 2], i % 40)));
    place.write("gaps.csv", rows(600, |i| if i % 3 == 0 { ",a,NaN".to_owned() } else { usual(i) }));
    place.ok("train known.csv --model mixture --size tiny --steps 20 --name m");
    let evaluated = place.ok("evaluate m");
    assert!(!evaluated.stderr.contains("warning"), "{}", evaluated.stderr);
    let said = place.refused("evaluate m --source narrow.csv");
    assert!(said.contains("has no column `length`, which the model knows"), "{said}");
    let said = place.refused("evaluate m --source few.csv");
    assert!(said.contains("held-out rows are too few to judge a model by; 20 are the least"), "{said}");
    let other = place.ok("evaluate m --source words.csv");
    let warning =
        "column `length`: 600 of 600 values, such as \"long\", are no numbers as the model knows them";
    assert!(other.stderr.contains(warning), "{}", other.stderr);
    // Gaps are data like others.
    let gaps = place.ok("evaluate m --source gaps.csv");
    assert!(!gaps.stderr.contains("warning"), "{}", gaps.stderr);
    let scored = place.ok("score m words.csv");
    assert!(scored.stderr.contains(warning) && scored.stdout.starts_with(b"name,conformity,nll\nrow 1,"));
}

#[test]
fn what_is_all_the_same_cannot_be_judged() {
    let place = Place::new();
    let same = png(1, 8);
    (0..240).for_each(|i| place.write(&format!("same/{i}.png"), &same));
    place.ok("train same --model vae --size tiny --steps 2 --name same");
    let said = place.refused("evaluate same");
    assert!(said.contains("are too few to judge a model by") || said.contains("is too few"), "{said}");
    assert!(said.contains("copies of one image are held out together: few of these 240 differ"), "{said}");
    // A constant column is no column to be judged by, and one class is none to be told apart.
    place.write("one.csv", rows(600, |i| format!("{},only,{}", number(i), number(i + 7) % 50)));
    place.ok("train one.csv --model mixture --size tiny --steps 20 --label kind --name one");
    let judged = place.ok("evaluate one");
    let report = place.json("runs/one/report.json");
    assert!(report["dials"]["novelty"]["score"].is_number(), "{}", judged.stderr);
    place.write("constant.csv", rows(300, |_| "1,a,2".to_owned()));
    let said = place.refused("train constant.csv --name constant");
    assert!(said.contains("has no column to learn: all are identifiers or constant"), "{said}");
}

#[test]
fn single_rows_are_set_beside_their_neighbours_and_explained() {
    let place = Place::new();
    // The country follows from the city, and the model of one step has not learned that.
    let row = |i: usize| {
        let (city, country) = [("Paris", "France"), ("Rome", "Italy"), ("Oslo", "Norway")][number(i) % 3];
        format!("{}.{},{city},{country}", number(i + 3) / 10, i % 10)
    };
    let rows = |n: usize| rows(n, row).replace("length,kind,pieces", "size,city,country");
    place.write("known.csv", rows(600));
    let first: Vec<String> = rows(600).lines().take(3).map(str::to_owned).collect();
    place.write("asked.csv", format!("{}\n99999.5,Paris,Norway\n", first.join("\n")));
    place.ok("train known.csv --model gan --size tiny --steps 1 --name m");
    let near = place.ok("nearest m asked.csv -k 2");
    assert!(near.text().starts_with("item ") && near.text().contains("row 1"), "{}", near.text());
    assert!(
        near.stderr.contains("training items searched by distance to the closest record"),
        "{}",
        near.stderr
    );
    let near: serde_json::Value =
        serde_json::from_str(place.ok("nearest m asked.csv -k 2 --json").text()).unwrap();
    let items = near["items"].as_array().unwrap();
    assert_eq!((items.len(), items[2]["verdict"].as_str()), (3, Some("far")), "{near}");
    assert!(items[2]["neighbours"].as_array().is_some_and(|all| all.len() == 2));
    let drawn = place.ok("explain m -n 2 --seed 4 --json");
    let drawn: serde_json::Value = serde_json::from_str(drawn.text()).unwrap();
    assert!(drawn["seed"] == 4 && drawn["items"][1]["name"] == "new row 2", "{drawn}");
    assert!(drawn["items"][1]["score"].as_f64().is_some_and(|score| (0.0..=100.0).contains(&score)));
    let explained = place.ok("explain m asked.csv");
    assert!(explained.text().starts_with("item   score  what gives it away"), "{}", explained.text());
    assert!(place.refused("nearest m asked.csv -n 3").contains("cannot be used with"));
    assert!(place.refused("nearest m -k 0").contains("-k must be at least 1"));
    assert!(place.refused("explain m nowhere.csv").contains("nowhere.csv"));
}
