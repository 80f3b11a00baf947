//! The whole way as a user goes it, with every family: from a database to new rows in it. Names are Cyrillic
//! or hold quotes wherever a user may choose them.

use std::fs;

use mintage_data::provenance_of;
use rusqlite::Connection;
use serde_json::Value;

use crate::helpers::{Done, KINDS, Place, files_below, png};

const TABLE: &str = "bad\"; DROP TABLE x; --";
const DATABASE: &str = "магазин.db";
const ROWS: usize = 60;

#[test]
fn a_vae_goes_the_whole_way() {
    whole_way("vae", true);
}

#[test]
fn a_vqvae_goes_the_whole_way() {
    whole_way("vqvae", true);
}

#[test]
fn a_gan_goes_the_whole_way() {
    whole_way("gan", false);
}

#[test]
fn a_flow_goes_the_whole_way() {
    whole_way("flow", false);
}

fn whole_way(family: &str, has_encoder: bool) {
    let place = Place::new();
    let connection = place.shop_with_table(DATABASE, TABLE, ROWS);
    connection.execute_batch("CREATE TABLE x (y INTEGER)").unwrap();
    let run = format!("товары-{family}");
    inspect(&place);
    train(&place, family, &run);
    sample_pictures(&place, &run);
    sample_from_pictures(&place, family, &run);
    sample_folder(&place, family, &run);
    sample_rows(&place, &run, &connection);
    reconstruct(&place, &run, has_encoder);
    score(&place, &run, has_encoder);
    look_back(&place, family, &run);
    take_out_and_remove(&place, &run);
}

fn inspect(place: &Place) {
    let said = place.ok(&format!("inspect {DATABASE} --label kind --preview preview.png"));
    assert!(said.text().contains(TABLE) && said.text().contains("60 rows"), "{}", said.text());
    assert!(place.picture_size("preview.png").0 > 100);
    let found = place.ok(&format!("inspect {DATABASE} --label kind --json")).json();
    assert_eq!(found["tables"][0]["name"], TABLE);
    assert_eq!(found["images"]["count"], ROWS);
    assert_eq!(found["images"]["classes"].as_array().unwrap().len(), KINDS.len());
}

fn train(place: &Place, family: &str, run: &str) {
    place.ok(&format!("init {DATABASE} --label kind -o рецепт.toml"));
    let done = place.ok(&format!(
        "train рецепт.toml --model {family} --size tiny --steps 12 --name {run} --json=log.jsonl"
    ));
    assert!(done.stderr.contains(&format!("mintage sample runs/{run}")), "{}", done.stderr);
    let log = place.text("log.jsonl");
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.first().unwrap()["event"], "plan");
    assert_eq!(events.last().unwrap()["event"], "done");
    assert_eq!(events.last().unwrap()["step"], 12);
    let weights = place.read(&format!("runs/{run}/model.safetensors"));
    place.ok(&format!("train рецепт.toml --model {family} --size tiny --steps 12 --name again"));
    assert!(weights == place.read("runs/again/model.safetensors"), "the same recipe gave other weights");
}

fn sample_pictures(place: &Place, run: &str) {
    place.ok(&format!("sample {run} -n 9 --seed 5 -o made/девять.png"));
    assert_eq!(place.picture_size("made/девять.png"), (188, 188));
    let piped = |seed: u32| place.ok(&format!("sample {run} -n 9 --seed {seed} -o -")).stdout;
    assert!(piped(5) == piped(5), "the same seed gave other bytes");
    assert!(piped(5) != piped(6), "another seed gave the same bytes");
    place.ok(&format!("sample {run} -n 1 --seed 5 -o one.png"));
    assert_eq!(place.picture_size("one.png"), (12, 12));
    assert!(place.ok(&format!("sample {run} -n 1 --seed 5 -o -")).stdout == place.read("one.png"));
    let done = place.ok(&format!("sample {run}"));
    assert!(done.stderr.contains(&format!("runs/{run}/samples/seed-1.png")), "{}", done.stderr);
}

/// Variations of a picture, and the way between two.
fn sample_from_pictures(place: &Place, family: &str, run: &str) {
    place.write("a.png", png(1, 12));
    place.write("b.png", png(2, 12));
    let like = format!("sample {run} -n 4 --like a.png --strength 0.3 -o like.png");
    let between = format!("sample {run} --between a.png b.png -o between.png");
    if ["vae", "vqvae", "flow"].contains(&family) {
        place.ok(&like);
        assert_eq!(place.picture_size("like.png"), (126, 126));
    } else {
        assert!(place.refused(&like).contains("cannot draw variations of an image"));
    }
    if ["vae", "flow"].contains(&family) {
        place.ok(&between);
        assert_eq!(place.picture_size("between.png"), (8 * 62 + 2, 64));
    } else {
        assert!(place.refused(&between).contains("cannot draw the way between two images"));
    }
}

fn sample_folder(place: &Place, family: &str, run: &str) {
    for _ in 0..2 {
        place.ok(&format!("sample {run} -n 7 --seed 3 -o новые/"));
    }
    let files = files_below(&place.path("новые"));
    let pictures: Vec<_> = files.iter().filter(|f| f.extension().is_some_and(|e| e == "png")).collect();
    // And the two lists of them.
    assert_eq!((files.len(), pictures.len()), (16, 14), "{files:?}");
    for file in pictures {
        let made_by = provenance_of(&fs::read(file).unwrap()).unwrap();
        assert_eq!((made_by.model.as_str(), made_by.family.as_str(), made_by.seed), (run, family, 3));
        // What tells models of one name apart.
        assert!(made_by.weights.len() == 8 && made_by.weights.chars().all(|c| c.is_ascii_hexdigit()));
        let label = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        assert!(KINDS.contains(&label.as_str()), "{label}");
    }
    assert_eq!(place.ok("inspect новые --json").json()["images"]["count"], 14);
}

fn sample_rows(place: &Place, run: &str, connection: &Connection) {
    place.ok(&format!("sample {run} -n 5 --where kind=пальто --seed 2 -o {DATABASE}"));
    place.ok_args(&["sample", run, "-n", "2", "--where", "label=hand bag", "-o", DATABASE]);
    let table = TABLE.replace('"', "\"\"");
    let sql = format!("SELECT kind, photo, mintage FROM \"{table}\" WHERE mintage IS NOT NULL ORDER BY id");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows: Vec<(String, Vec<u8>, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let kinds: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(kinds, [[KINDS[0]; 5].as_slice(), &[KINDS[2]; 2]].concat());
    let made_by: Value = serde_json::from_str(&rows[0].2).unwrap();
    assert_eq!((&made_by["model"], &made_by["seed"]), (&run.into(), &2.into()));
    assert_eq!(made_by["options"]["where"][0], format!("kind={}", KINDS[0]));
    let photo = image::load_from_memory(&rows[0].1).unwrap();
    assert_eq!((photo.width(), photo.height()), (12, 12));
    // What a model made is never learned from, and the name of the table did not drop the other one.
    let found = place.ok(&format!("inspect {DATABASE} --json")).json();
    assert_eq!((&found["images"]["count"], &found["tables"][1]["name"]), (&ROWS.into(), &"x".into()));
}

fn reconstruct(place: &Place, run: &str, has_encoder: bool) {
    if !has_encoder {
        let said = place.refused(&format!("reconstruct {run} -n 4 -o pairs.png"));
        assert!(said.contains("has no encoder; reconstruct works for vae and vqvae"), "{said}");
        return;
    }
    let found = place.ok(&format!("reconstruct {run} -n 4 -o pairs.png --json")).json();
    assert!(found["psnr_db"].as_f64().unwrap() > 0.0, "{found}");
    assert_eq!(found["n"], place.picture_size("pairs.png").0 / 62);
    place.write("чужое.png", png(1, 40));
    place.ok(&format!("reconstruct {run} чужое.png one.png -o two.png"));
    assert_eq!(place.picture_size("two.png").0, 2 * 62 + 2);
}

fn score(place: &Place, run: &str, has_likelihood: bool) {
    let done = place.ok(&format!("score {run} новые/"));
    let mut lines = done.text().lines();
    assert_eq!(lines.next(), Some("name,conformity,nll"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 14);
    for row in rows {
        assert!(place.path("новые").join(row[0]).is_file(), "{row:?}");
        assert!((0.0..=100.0).contains(&row[1].parse::<f64>().unwrap()), "{row:?}");
        assert_eq!(row[2].parse::<f64>().is_ok_and(f64::is_finite), has_likelihood, "{row:?}");
    }
}

fn look_back(place: &Place, family: &str, run: &str) {
    let list = place.ok("ls");
    assert!(list.text().lines().any(|l| l.starts_with(run) && l.contains(family) && l.contains("done")));
    assert_eq!(place.ok("ls --json").json().as_array().unwrap().len(), 2);
    let shown = place.ok(&format!("show {run}"));
    assert!(shown.text().contains("done, 12 steps") && shown.text().contains(DATABASE), "{}", shown.text());
    assert_eq!(place.ok(&format!("show {run} --json")).json()["config"]["model"]["family"], family);
    let recipe = place.ok(&format!("show {run} --recipe"));
    assert!(recipe.stdout == place.read(&format!("runs/{run}/recipe.toml")));
    // A run's own recipe trains again.
    let dry = place.ok(&format!("train runs/{run}/recipe.toml --dry-run"));
    place.write("resolved.toml", &dry.stdout);
    assert_eq!(place.ok("train resolved.toml --dry-run").text(), dry.text());
}

fn take_out_and_remove(place: &Place, run: &str) {
    let sample = |model: &str| place.ok(&format!("sample {model} -n 4 --seed 8 -o -")).stdout;
    let before = sample(run);
    place.ok(&format!("export {run} -o models/{run}"));
    let parts = ["README.md", "codec", "config.json", "model.safetensors", "recipe.toml", "samples"];
    assert_eq!(names_in(place, &format!("models/{run}")), parts);
    assert!(sample(&format!("models/{run}")) == before, "an exported model gave other bytes");
    let table = place.ok(&format!("compare {run} models/{run} again --grid side-by-side.png"));
    let made_by = provenance_of(&place.read("side-by-side.png")).unwrap();
    assert!(made_by.model.contains(run) && made_by.model.contains("again"), "{}", made_by.model);
    assert!(table.text().contains(run) && table.stderr.contains("is not evaluated yet"), "{}", table.stderr);
    assert!(place.picture_size("side-by-side.png").0 > 500);
    assert!(place.refused(&format!("rm {run}")).contains("give --yes"));
    place.ok(&format!("rm {run} again --yes"));
    assert_eq!(names_in(place, "runs"), [".cache"]);
    // It needs neither its run nor its data.
    fs::remove_file(place.path(DATABASE)).unwrap();
    assert!(sample(&format!("models/{run}/")) == before, "the exported model has changed");
}

fn names_in(place: &Place, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(dir)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_evaluation_reads_four_dials_and_fails_a_check() {
    let place = Place::new();
    let connection = place.shop("shop.db", 300);
    place.ok("train shop.db --label kind --model vae --size tiny --steps 40 --name judged");
    // A shop grows: a kind that the model has never heard of must not trip the evaluation.
    connection.execute("UPDATE goods SET kind = 'hat' WHERE id % 50 = 0", []).unwrap();
    let Done { code, stdout, stderr } = place.run(
        "evaluate judged --json made.json --html made.html --fail-under fidelity=100 --fail-under novelty=1%",
    );
    assert_eq!((code, stdout.as_slice()), (Some(1), [].as_slice()), "{stderr}");
    assert!(stderr.contains("check failed: fidelity is") && !stderr.contains("novelty is"), "{stderr}");
    let report = place.json("made.json");
    assert_eq!(report, place.json("runs/judged/report.json"));
    assert_eq!((&report["format"], &report["model"]), (&1.into(), &"judged".into()));
    let dials: Vec<&String> = report["dials"].as_object().unwrap().keys().collect();
    // Of so few images a classifier learns no more than of trivial ones.
    assert_eq!(dials, ["coverage", "fidelity", "novelty"]);
    let why = report["unmeasured"]["utility"].as_str().unwrap();
    assert!(why.starts_with("cannot be measured with ") && why.contains("held-out images"), "{why}");
    let page = place.text("runs/judged/report.html");
    assert!(
        page.len() < 3_000_000 && page.contains("Not tried") && page.contains("class=\"ring\""),
        "{page}"
    );
    assert!(report["verdict"][0].as_str().unwrap().starts_with("New images "), "{}", report["verdict"]);
    for dial in report["dials"].as_object().unwrap().values() {
        lies_inside(dial, "score");
        assert!(dial["low"].as_f64().unwrap() >= 0.0 && dial["high"].as_f64().unwrap() <= 100.0, "{dial}");
    }
    let metrics = report["metrics"].as_array().unwrap();
    assert!(metrics.len() > 10, "{metrics:?}");
    metrics.iter().for_each(|metric| lies_inside(metric, "value"));
    let page = place.text("made.html");
    assert_eq!(page.matches("src=\"").count(), page.matches("src=\"data:image").count());
    assert!(page.contains("src=\"") && !page.contains("<script"), "the page is not in one piece");
    let board = place.ok("compare");
    let line = board.text().lines().find(|line| line.starts_with("| judged |")).unwrap();
    assert!(line.contains("| vae tiny |    40 |"), "{line}");
}

/// An interval holds its value, and all three are numbers.
fn lies_inside(entry: &Value, key: &str) {
    let [low, value, high] = ["low", key, "high"].map(|k| entry[k].as_f64().unwrap_or(f64::NAN));
    assert!(low <= value && value <= high, "{entry}");
}
