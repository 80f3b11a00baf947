//! What a whole database is judged beside: keys at random below, halves of the source above; its sequences, its dials and what
//! gives pairs of tables away.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use mintage::{
    data::{Column, SourceSpec, Table},
    database::{
        DatabaseData, DatabaseDials, DatabaseScores, SequenceScores, judge, judge_halves, judge_random_keys,
        prove, table_dials,
    },
    evaluate::TrainedOn,
    nn::Rng,
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

/// Shops of three zones, which say how large they are, and four sales each: what is sold and for how much go with the shop.
fn drawn(n: i64, seed: u64) -> DatabaseData {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TABLE shops (id INTEGER PRIMARY KEY, zone TEXT NOT NULL, size INTEGER NOT NULL);
         CREATE TABLE sales (id INTEGER PRIMARY KEY, shop INTEGER NOT NULL REFERENCES shops, pieces INTEGER NOT NULL,
             ware TEXT NOT NULL, amount INTEGER NOT NULL);
         BEGIN",
    )
    .unwrap();
    let mut rng = Rng::new(seed, 0);
    for id in 1..=n {
        let at = rng.below(3);
        let size = (300 * at + rng.below(200)) as i64;
        db.execute("INSERT INTO shops VALUES (?1, ?2, ?3)", params![id, ["a", "b", "c"][at], size]).unwrap();
        for i in 1..=4 {
            let (pieces, more) = (rng.below(500) as i64, rng.below(400) as i64);
            let row = params![4 * (id - 1) + i, id, pieces, ["tea", "tin", "cup"][at], 3 * size + more];
            db.execute("INSERT INTO sales VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
        }
    }
    db.execute_batch("COMMIT").unwrap();
    let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
    DatabaseData::open(&spec, &[], &[]).unwrap()
}

fn rows(data: &DatabaseData) -> Vec<Table> {
    ["shops", "sales"].into_iter().map(|name| data.rows(name).unwrap().clone()).collect()
}

/// The same rows with the cells of a column of the sales in another order.
fn shuffled(mut made: Vec<Table>, column: &str) -> Vec<Table> {
    for own in made[1].columns.iter_mut().filter(|own| own.name == column) {
        let order = Rng::new(3, 0).permutation(own.len());
        let cells: Vec<Option<String>> = order.iter().map(|&row| own.cell(row).map(str::to_owned)).collect();
        *own = Column::of(column, cells.iter().map(Option::as_deref));
    }
    made
}

/// The scores and dials of new rows.
fn found(data: &DatabaseData, made: Vec<Table>) -> (DatabaseScores, DatabaseDials) {
    let proof = prove(data, data.plans(), &made);
    let tables = table_dials(data, &made, TrainedOn::Train, 1, &mut |_, _| {});
    let (scores, floor) = (judge(data, made, 1), judge_random_keys(data, 1));
    let ceiling = judge_halves(data, 1);
    let dials = DatabaseDials::of(tables, [&scores, &floor], ceiling.as_ref(), &proof, TrainedOn::Train, 1);
    (scores, dials)
}

#[test]
fn a_database_beside_its_other_half_has_high_dials_and_its_keys_at_random_lower_ones() {
    let (data, other) = (drawn(300, 1), drawn(300, 2));
    let (scores, dials) = found(&data, rows(&other));
    let score = |dials: &DatabaseDials, name: &str| {
        dials.dials.get(name).unwrap_or_else(|| panic!("{name}: {dials:?}")).score
    };
    for (name, least) in [("fidelity", 75.0), ("coverage", 75.0), ("novelty", 60.0), ("utility", 75.0)] {
        assert!(score(&dials, name) >= least, "{name}: {dials:?}");
    }
    assert!(dials.keys.is_some_and(|keys| keys.score > 85.0), "{:?}", dials.keys);
    let all = dials.dials.values().chain(dials.tables.iter().flat_map(|table| table.dials.values()));
    for dial in all {
        assert!(0.0 <= dial.low && dial.low <= dial.score, "{dial:?}");
        assert!(dial.score <= dial.high && dial.high <= 100.0, "{dial:?}");
    }
    let names: Vec<&str> = dials.tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(names, ["shops", "sales"]);
    let (random, of_random) = found(&data, shuffled(rows(&other), "shop"));
    assert!(score(&of_random, "fidelity") < score(&dials, "fidelity") - 10.0, "{of_random:?}");
    // The rows of each table are what they were, and are judged alike each time.
    assert_eq!(format!("{:?}", of_random.tables), format!("{:?}", dials.tables));
    let [pair, of_random] = [&scores, &random].map(|scores| &scores.pairs[0]);
    assert_eq!((pair.of.as_str(), pair.parent.as_str()), ("sales.shop", "shops"));
    assert!(pair.accuracy < 0.6 && of_random.beyond() > 0.1, "{pair:?} {of_random:?}");
}

#[test]
fn intervals_contain_the_means_that_they_are_of() {
    let (data, other) = (drawn(200, 1), drawn(200, 2));
    let scores = judge(&data, rows(&other), 1);
    let means = &scores.means;
    for (mean, all) in
        [(means.shapes, &scores.shapes), (means.trends, &scores.trends), (means.hops[0], &scores.hops[0])]
    {
        let mean = mean.unwrap();
        assert!((mean.value - DatabaseScores::mean(all).unwrap()).abs() < 1e-9, "{mean:?}");
        assert!(0.0 <= mean.low && mean.low < mean.value, "{mean:?}");
        assert!(mean.value < mean.high && mean.high <= 1.0, "{mean:?}");
    }
    // There is one key alone.
    let children = means.cardinality.unwrap();
    assert!(children.low == children.value && children.high == children.value, "{children:?}");
    for told in &scores.detection {
        assert!(told.low < told.accuracy && told.accuracy < told.high, "{told:?}");
    }
}

#[test]
fn a_column_that_is_spoilt_in_a_child_gives_the_pair_away() {
    let (data, other) = (drawn(300, 1), drawn(300, 2));
    let scores = judge(&data, shuffled(rows(&other), "amount"), 1);
    let pair = &scores.pairs[0];
    assert!(pair.reasons.iter().any(|reason| reason == "sales.amount"), "{pair:?}");
    assert!(pair.accuracy > 0.6, "{pair:?}");
}
