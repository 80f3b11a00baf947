//! What other programs made, judged beside real data: rows of Adult, images of Fashion-MNIST, paragraphs of books.

use std::{fmt::Write, fs};

use rusqlite::{Connection, types::ValueRef};
use serde_json::Value;

use crate::helpers::{Place, QUICK};

/// Columns of the rows that are compared.
const COLUMNS: &str =
    "age, workclass, education_years, marital_status, occupation, sex, hours_per_week, income";

fn demo() -> Connection {
    Connection::open(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.db")).unwrap()
}

/// Real rows as cells: those from a place on.
fn rows(from: usize, n: usize) -> Vec<Vec<String>> {
    let database = demo();
    let mut asked =
        database.prepare(&format!("SELECT {COLUMNS} FROM census LIMIT {n} OFFSET {from}")).unwrap();
    let cell = |value: ValueRef| match value {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    let columns = COLUMNS.split(", ").count();
    let row = |row: &rusqlite::Row| Ok((0..columns).map(|at| cell(row.get_ref(at).unwrap())).collect());
    asked.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn csv(rows: &[Vec<String>]) -> String {
    let mut text = COLUMNS.replace(' ', "");
    rows.iter().for_each(|row| write!(text, "\n{}", row.join(",")).unwrap());
    text + "\n"
}

/// The same cells of every column in another order.
fn shuffled(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let cell = |row: usize, at: usize| rows[(row + (at + 1) * 97) % rows.len()][at].clone();
    (0..rows.len()).map(|row| (0..rows[0].len()).map(|at| cell(row, at)).collect()).collect()
}

fn score(report: &Value, dial: &str) -> f64 {
    report["dials"][dial]["score"].as_f64().unwrap_or_else(|| panic!("{dial}: {report}"))
}

#[test]
fn rows_with_and_without_what_they_were_learned_from() {
    let place = Place::new();
    let (train, real, fresh) = (rows(0, 4000), rows(4000, 400), rows(4400, 400));
    place.write("train.csv", csv(&train));
    place.write("real.csv", csv(&real));
    place.write("fresh.csv", csv(&fresh));
    place.write("mixed.csv", csv(&shuffled(&fresh)));
    place.write("copied.csv", csv(&train[..400]));
    let judge = |line: &str| {
        place.ok(&format!("evaluate {line} --label income --json report.json"));
        place.json("report.json")
    };
    let fresh = judge("real.csv fresh.csv --train train.csv");
    let mixed = judge("real.csv mixed.csv --train train.csv");
    let copied = judge("real.csv copied.csv --train train.csv");
    assert!(score(&fresh, "fidelity") > 70.0 && score(&fresh, "novelty") > 70.0, "{fresh}");
    assert!(score(&mixed, "fidelity") < 40.0 && score(&mixed, "novelty") > 70.0, "{mixed}");
    assert!(score(&copied, "fidelity") > 70.0 && score(&copied, "novelty") < 20.0, "{copied}");
    assert_eq!((fresh["model"].as_str(), fresh["source"].as_str()), (Some("fresh.csv"), Some("real.csv")));
    assert_eq!((fresh["trained_on"].as_str(), fresh["n"].as_u64()), (Some("train.csv"), Some(400)));
    for key in ["family", "size", "step", "train_secs", "items_per_sec"] {
        assert!(fresh.get(key).is_none(), "{key}");
    }
    // Nobody says what it was learned from: a tenth of the real rows is compared with, and nothing is said of copies.
    let blind = judge("train.csv mixed.csv");
    assert!(score(&blind, "fidelity") < 60.0 && blind["dials"].get("novelty").is_none(), "{blind}");
    assert!(blind["unmeasured"]["novelty"].as_str().unwrap().contains("--train names it"));
    assert!(!blind["metrics"].to_string().contains("copies"), "{blind}");
    let page = place.text("runs/reports/mixed-csv/report.html");
    assert!(!page.contains("Copied?") && !page.contains("Privacy") && page.contains("What gives it away"));
    // It was learned from all of them.
    let recited = judge("train.csv copied.csv --train ./train.csv");
    assert!(score(&recited, "novelty") < 30.0, "{recited}");
    assert!(recited["verdict"].to_string().contains("All real data were trained on"), "{recited}");
    assert!(!recited["metrics"].to_string().contains("membership"), "{recited}");
}

#[test]
fn images_of_another_size_and_texts() {
    let place = Place::new();
    let database = demo();
    let photos: Vec<Vec<u8>> = {
        let mut asked = database.prepare("SELECT photo FROM products ORDER BY id LIMIT 420").unwrap();
        asked.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for (i, photo) in photos.iter().enumerate() {
        let folder = ["train", "train", "real", "fresh"][i % 4];
        place.write(&format!("{folder}/{i:03}.png"), photo);
        let noise = image::GrayImage::from_fn(14, 14, |x, y| {
            let seed = u64::from(x) * 7919 + u64::from(y) * 104_729 + i as u64 * 31;
            image::Luma([(seed * 2_654_435 % 251) as u8])
        });
        if i % 4 == 0 {
            let path = place.path(&format!("noise/{i:03}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            noise.save(path).unwrap();
        }
    }
    let judge = |line: &str| {
        place.ok(&format!("evaluate {line} --json report.json"));
        place.json("report.json")
    };
    let fresh = judge("real fresh --train train --html page.html");
    assert!(score(&fresh, "fidelity") > 60.0 && score(&fresh, "novelty") > 50.0, "{fresh}");
    assert_eq!((fresh["item"].as_str(), fresh["n"].as_u64()), (Some("image"), Some(105)));
    assert!(place.text("page.html").contains("Copied?"));
    let noise = judge("real noise --train train");
    assert!(score(&noise, "fidelity") < 20.0, "{noise}");
    let copied = judge("real train --train train");
    assert!(score(&copied, "novelty") < 20.0, "{copied}");
    // A model's data can be held out in the same way.
    let trained = place.ok(&format!("train train --holdout real --model vae {QUICK}"));
    assert!(trained.stderr.contains("105 holdout"), "{}", trained.stderr);

    let mut asked = database.prepare("SELECT text FROM texts WHERE language = 'English' LIMIT 400").unwrap();
    let texts: Vec<String> = asked.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(texts.len() >= 400, "{}", texts.len());
    for (i, text) in texts.iter().enumerate() {
        place.write(&format!("{}/{i}.txt", ["books", "books", "held", "other"][i % 4]), text);
        let mut words: Vec<&str> = text.split(' ').collect();
        words.sort_unstable();
        if i % 4 == 3 {
            place.write(&format!("sorted/{i}.txt"), words.join(" "));
        }
    }
    let (other, sorted) = (judge("held other --train books"), judge("held sorted --train books"));
    assert!(score(&other, "fidelity") > score(&sorted, "fidelity") + 20.0, "{other} {sorted}");
    assert_eq!(other["item"].as_str(), Some("text"));
    assert!(score(&judge("held books --train books"), "novelty") < 30.0);
    assert!(judge("books other")["dials"].get("novelty").is_none());
}

#[test]
fn what_cannot_be_judged_says_why() {
    let place = Place::new();
    let all = rows(0, 600);
    place.write("real.csv", csv(&all));
    place.write("new.csv", csv(&all[..100]));
    place.write("few.csv", csv(&all[..7]));
    place.write("none.csv", csv(&[]));
    place.write("names.csv", csv(&all[..100]).replace("income", "wage"));
    place.pictures("photos", 300);
    place.ok(&format!("train photos --model vae {QUICK} --name m"));
    for (line, said) in [
        ("real.csv few.csv", "few.csv: 7 rows are too few to judge"),
        ("real.csv none.csv", "none.csv"),
        ("real.csv names.csv", "names.csv: has no column `income`, which the real data have"),
        ("real.csv photos", "real.csv holds rows, and photos holds images"),
        ("real.csv real.csv", "real.csv is both the real and the new data"),
        ("few.csv new.csv", "few: 7 rows cannot teach a model anything"),
        ("real.csv new.csv --train photos", "real.csv holds rows, and photos holds images"),
        ("few.csv new.csv --train real.csv", "few.csv: 7 rows that are held out are too few to judge by"),
        ("real.csv nowhere.csv", "nowhere.csv: there is no such file or folder"),
        ("real.csv m", "m is a model, not data"),
        ("real.csv new.csv --train m", "m is a model, not data"),
        ("m new.csv", "m is a model: it is judged by what it makes itself"),
        ("real.csv new.csv --holdout new.csv", "--holdout says nothing here"),
        ("real.csv new.csv --source new.csv", "--source is for a model whose data have moved"),
        ("real.csv", "real.csv: is data, not a model"),
        ("m --kind image", "how data are read cannot be said beside a model"),
        ("m --train real.csv", "required arguments were not provided"),
        ("real.csv new.csv -n 5", "5 rows are too few"),
    ] {
        let error = place.refused(&format!("evaluate {line}"));
        assert!(error.contains(said), "{line}: {error}");
    }
    // A column more than the real rows have is left out, and said.
    let more = csv(&all[..100]).replace('\n', ",1\n").replacen(",1\n", ",weight\n", 1);
    place.write("more.csv", more);
    let done = place.ok("evaluate real.csv more.csv");
    assert!(
        done.stderr.contains("more.csv: left out `weight`, which the real data do not have"),
        "{}",
        done.stderr
    );
    // A dial that is too low is an exit code, and a row of numbers is no report of a run.
    assert_eq!(place.run("evaluate real.csv more.csv --fail-under fidelity=100").code, Some(1));
    place.ok("ls");
    place.ok("evaluate m");
}
