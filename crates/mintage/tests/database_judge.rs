//! What a whole database is judged beside: keys at random below, halves of the source above; and its sequences.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use mintage::{
    data::{Column, SourceSpec, Table},
    database::{DatabaseData, DatabaseScores, SequenceScores, judge, judge_halves, judge_random_keys},
};
use rusqlite::{Connection, params};

/// Shops whose zone says how large they are and what is sold there, and four sales each, one after the other.
fn shops(path: &Path, n: i64) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE shops (id INTEGER PRIMARY KEY, zone TEXT NOT NULL, size INTEGER NOT NULL);
         CREATE TABLE sales (id INTEGER PRIMARY KEY, shop INTEGER NOT NULL REFERENCES shops, day TEXT NOT NULL,
             ware TEXT NOT NULL, amount INTEGER NOT NULL);
         BEGIN",
    )
    .unwrap();
    let mut sale = 0i64;
    for id in 1..=n {
        let at = (id * id % 7 % 3) as usize;
        let size = 20 * at as i64 + id % 5;
        db.execute("INSERT INTO shops VALUES (?1, ?2, ?3)", params![id, ["a", "b", "c"][at], size]).unwrap();
        for i in 0..4i64 {
            sale += 1;
            let day = format!("2024-{:02}-{:02}", 1 + id % 12, 1 + i * i * 2 + id % 7);
            let row = params![sale, id, day, ["tea", "tin", "cup"][at], 3 * size + 5 * i];
            db.execute("INSERT INTO sales VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
        }
    }
    db.execute_batch("COMMIT").unwrap();
}

fn opened(n: i64) -> DatabaseData {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shops(&path, n);
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    DatabaseData::open(&spec, &[], &[]).unwrap()
}

fn hops(scores: &DatabaseScores) -> f64 {
    DatabaseScores::mean(&scores.hops.concat()).unwrap()
}

/// The scores of the sales of a database.
fn sales(scores: &DatabaseScores) -> &SequenceScores {
    scores.sequences.iter().find(|of| of.table == "sales").unwrap()
}

fn dials(scores: &SequenceScores) -> [f64; 4] {
    [scores.ordered, scores.unique, scores.gaps, scores.steps].map(Option::unwrap)
}

#[test]
fn halves_of_strong_keys_are_above_keys_at_random() {
    let data = opened(1000);
    let (ceiling, floor) = (judge_halves(&data, 1).unwrap(), judge_random_keys(&data, 1));
    assert!(hops(&ceiling) > 0.75 && hops(&ceiling) > hops(&floor) + 0.1, "{ceiling:?}\n{floor:?}");
    assert_eq!(ceiling.cardinality[0].score, 1.0);
    assert!(ceiling.accuracy().unwrap() < 0.65, "{:?}", ceiling.detection);
    let all = [&ceiling.cardinality, &ceiling.shapes, &ceiling.trends];
    let mut all = all.into_iter().flatten().chain(ceiling.hops.iter().flatten());
    assert!(all.all(|score| (0.0..=1.0).contains(&score.score)), "{ceiling:?}");
    assert_eq!(sales(&ceiling).ordered, Some(1.0));
    assert!(dials(sales(&ceiling)).iter().all(|score| (0.85..=1.0).contains(score)), "{ceiling:?}");
    assert!(judge_halves(&opened(30), 1).is_some_and(|scores| scores.hops.is_empty()));
}

#[test]
fn sales_that_run_backwards_are_told() {
    let data = opened(60);
    let made = || -> Vec<Table> {
        ["shops", "sales"].into_iter().map(|name| data.rows(name).unwrap().clone()).collect()
    };
    let same = judge(&data, made(), 1);
    assert!(dials(sales(&same)).iter().all(|score| (score - 1.0).abs() < 1e-9), "{same:?}");
    let mut backwards = made();
    for column in backwards[1].columns.iter_mut().filter(|column| column.name == "day") {
        let cells: Vec<Option<String>> = column.iter().map(|cell| cell.map(str::to_owned)).collect();
        *column = Column::of("day", cells.iter().rev().map(Option::as_deref));
    }
    let scores = judge(&data, backwards, 1);
    let [ordered, _, _, steps] = dials(sales(&scores));
    assert!(ordered == 0.0 && steps < 0.6, "{scores:?}");
}
