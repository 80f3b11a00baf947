//! What is wrong with models, outputs and runs: refused as in `errors.rs`, before anything is touched.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::helpers::{Place, QUICK, png};

/// A database and a model with labels that learned from it.
fn trained() -> Place {
    let place = Place::new();
    place.shop("shop.db", 40);
    place.ok(&format!("train shop.db --label kind --model vae {QUICK} --name shop"));
    place
}

#[test]
fn a_model_that_is_not_there_is_looked_for() {
    let place = trained();
    fs::create_dir(place.path("folder")).unwrap();
    assert_snapshot!(place.refused("sample shp -o new.png"), @r"
    error: no model `shp`
      hint: did you mean `shop`?
    ");
    assert_snapshot!(place.refused("show zebra-model"), @r"
    error: no model `zebra-model`
      hint: the runs are shop
    ");
    assert_snapshot!(place.refused("evaluate folder"), @r"
    error: folder: holds no model
      hint: name a run, or a folder with config.json and model.safetensors
    ");
    assert_snapshot!(Place::new().refused("sample shop"), @r"
    error: no model `shop`
      hint: there are no runs in runs yet: `mintage train SOURCE` makes one
    ");
}

#[test]
fn a_model_of_a_newer_format_or_a_damaged_one() {
    let place = trained();
    let config = place.text("runs/shop/config.json");
    let mut newer: Value = serde_json::from_str(&config).unwrap();
    newer["format"] = 99.into();
    place.write("runs/shop/config.json", newer.to_string());
    assert_snapshot!(place.refused("sample shop -o new.png"), @r"
    error: runs/shop: has format 99, this version of mintage (0.1.0) reads up to 2
      hint: a newer mintage made it: install that one
    ");
    place.write("runs/shop/config.json", "{ \"format\": 1, ");
    assert_snapshot!(place.refused("sample shop -o new.png"), @r"
    error: runs/shop/config.json: cannot be read (EOF while parsing a value at line 1 column 15)
      hint: the file is damaged: put back a copy of it, or train again
    ");
    place.write("runs/shop/config.json", &config);
    let weights = place.read("runs/shop/model.safetensors");
    place.write("runs/shop/model.safetensors", &weights[..weights.len() / 2]);
    let said = place.refused("sample shop -o new.png");
    assert!(said.contains("model.safetensors: not a usable safetensors file (it has "), "{said}");
    assert!(said.contains("its header tells of") && said.contains("put back a copy of it"), "{said}");
    place.write("runs/shop/model.safetensors", "");
    assert_snapshot!(place.refused("sample shop -o new.png"), @r"
    error: runs/shop/model.safetensors: not a usable safetensors file (header too small)
      hint: the file is damaged: put back a copy of it, or train again
    ");
    fs::remove_file(place.path("runs/shop/model.safetensors")).unwrap();
    assert_snapshot!(place.refused("sample shop -o new.png"), @"error: runs/shop/model.safetensors: No such file or directory (os error 2)");
}

#[test]
fn weights_of_another_model() {
    let place = trained();
    place.ok(&format!("train shop.db --label none --model gan {QUICK} --name other"));
    place.write("runs/shop/model.safetensors", place.read("runs/other/model.safetensors"));
    assert_snapshot!(place.refused("sample shop -o new.png"), @r"
    error: runs/shop/model.safetensors: weight `vae.label.weight` is missing from the file
      hint: the file and config.json are not of the same model, or an earlier version wrote them: train it again
    ");
}

#[test]
fn conditions_that_the_model_does_not_know() {
    let place = trained();
    assert_snapshot!(place.refused("sample shop --where colour=red -o new.png"), @r"
    error: this model is not conditioned on `colour`
      hint: it knows `kind`: kind=VALUE
    ");
    assert_snapshot!(place.refused("sample shop --where kind=boat -o new.png"), @r"
    error: the model knows no label `boat`
      hint: did you mean `boot`? the labels are boot, hand bag, пальто
    ");
    assert_snapshot!(place.refused("sample shop --where kind=zebra -o new.png"), @r"
    error: the model knows no label `zebra`
      hint: the labels are boot, hand bag, пальто
    ");
    assert_snapshot!(place.refused("sample shop --where boot -o new.png"), @r#"
    error: `boot`: is no condition
      hint: write it like label=coat, age=30, age=30..40, age=30.. or 'income=">50K"'
    "#);
    assert_snapshot!(place.refused("sample shop --where kind=boot --where kind=bag -o new.png"), @r"
    error: --where can be given once
      hint: this model knows one label an item
    ");
}

#[test]
fn numbers_that_are_none() {
    let place = trained();
    assert_snapshot!(place.refused("sample shop -n 0 -o new.png"), @"error: -n must be at least 1");
    assert_snapshot!(place.refused("reconstruct shop -n 0 -o new.png"), @"error: -n must be at least 1");
    assert_snapshot!(place.refused("evaluate shop -n 0"), @"error: -n must be at least 1");
    assert_snapshot!(place.refused("sample shop -n 99999999999 -o new.png"), @r"
    error: -n cannot be 99,999,999,999: so many images at once do not fit in memory
      hint: ask for 29,826,161 at most, and for the others with another seed
    ");
    assert_snapshot!(place.refused("sample shop --temperature -1 -o new.png"), @r"
    error: --temperature must be 0 or more
      hint: 1 is the model's own distribution
    ");
    assert_snapshot!(place.refused("sample shop --grid 3 -o new.png"), @r"
    error: `3` is no grid
      hint: write it like 8x6: columns, rows
    ");
    assert_snapshot!(place.refused("evaluate shop --fail-under beauty=0.5"), @r"
    error: `beauty=0.5` is no limit
      hint: write it like fidelity=0.8 or fidelity=80; the dials are fidelity, coverage, novelty, utility
    ");
}

#[test]
fn outputs_that_cannot_be_written() {
    let place = trained();
    place.write("file.txt", "a file, no folder");
    assert_snapshot!(place.refused("sample shop -n 2 -o file.txt/new.png"), @r"
    error: file.txt: File exists (os error 17)
      hint: a file lies where a folder is needed
    ");
    assert_snapshot!(place.refused("sample shop -n 2 -o file.txt/new/"), @r"
    error: file.txt/new/: Not a directory (os error 20)
      hint: a file lies where a folder is needed
    ");
    assert_snapshot!(place.refused("sample shop -n 2 -o file.txt/new.db"), @r"
    error: file.txt/new.db: Not a directory (os error 20)
      hint: check that its folder is there and can be written
    ");
    assert_snapshot!(place.refused("sample shop -n 2 -o nowhere/new.db"), @r"
    error: nowhere/new.db: No such file or directory (os error 2)
      hint: check that its folder is there and can be written
    ");
    assert_snapshot!(place.refused("sample shop -n 2 -o new.jpg"), @r"
    error: new.jpg: does not say what to write
      hint: end it with .png for a picture, / for a folder, .db for rows of a database, or give a postgres:// address; - is stdout
    ");
    assert_snapshot!(place.refused("export shop -o file.txt"), @r"
    error: file.txt: exists already
      hint: choose another folder with -o, or remove that one
    ");
    assert_snapshot!(place.refused("export shop -o runs/shop"), @r"
    error: runs/shop: exists already
      hint: choose another folder with -o, or remove that one
    ");
    assert_snapshot!(place.refused("show shop --json=file.txt/show.json"), @r"
    error: file.txt/show.json: Not a directory (os error 20)
      hint: a file lies where a folder is needed
    ");
    assert_snapshot!(place.refused("train shop.db --runs file.txt"), @r"
    error: file.txt/vqvae-shop-1: Not a directory (os error 20)
      hint: a file lies where a folder is needed
    ");
}

#[test]
fn rows_go_where_there_is_a_place_for_them_or_nowhere() {
    let place = trained();
    let shop = rusqlite::Connection::open(place.path("shop.db")).unwrap();
    shop.execute_batch("CREATE TABLE strict (photo BLOB, kind TEXT, price REAL NOT NULL)").unwrap();
    assert_snapshot!(place.refused("sample shop -n 2 -o shop.db --column foto"), @r"
    error: shop.db: table `goods` has no column `foto`
      hint: did you mean `photo`?
    ");
    assert_snapshot!(place.refused("sample shop -n 2 -o shop.db --label-column knd"), @r"
    error: shop.db: table `goods` has no column `knd`
      hint: did you mean `kind`?
    ");
    assert_snapshot!(place.refused("sample shop -n 2 -o shop.db --table strict --column photo"), @r"
    error: shop.db: column `price` of `strict` must have a value, and the model makes none
      hint: give the column a default, or write to another table with --table
    ");
    place.write("text.db", "this is no database, but it has its suffix");
    assert_snapshot!(place.refused("sample shop -n 2 -o text.db"), @r"
    error: text.db: file is not a database
      hint: the file is no SQLite database, or a damaged one
    ");
    place.write("pictures/one.png", png(1, 12));
    place.write("pictures/two.png", png(2, 12));
    place.ok(&format!("train pictures --model vae {QUICK} --name folder"));
    assert_snapshot!(place.refused("sample folder -n 2 -o shop.db"), @r"
    error: --table of the database is needed: this model did not learn from one
      hint: look into the database to see which there are
    ");
    // A table that is not there is made, as a database is. The model still finds its own.
    place.ok("sample shop -n 2 -o shop.db --table fresh");
    place.ok("sample shop -n 2 -o new.db");
    let count: u32 = shop.query_row("SELECT count(*) FROM fresh", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
    place.ok("reconstruct shop -n 2 -o pairs.png");
}

#[test]
fn data_that_have_gone_or_are_too_few_to_judge_by() {
    let place = trained();
    place.write("text.txt", "no picture");
    assert_snapshot!(place.refused("evaluate shop"), @r"
    error: 6 held-out images are too few to judge a model by; 20 are the least
      hint: about a tenth of the images is held out: it takes 200 of them or more
    ");
    assert_snapshot!(place.refused("reconstruct shop text.txt -o new.png"), @"error: text.txt: no image: the bytes are not PNG, JPEG, GIF, WebP or BMP");
    fs::rename(place.path("shop.db"), place.path("moved.db")).unwrap();
    assert_snapshot!(place.refused("reconstruct shop -o new.png"), @r"
    error: the model was trained on shop.db, which is not there
      hint: say where the data are now with --source, or run this where they are
    ");
    place.ok("reconstruct shop -o new.png --source moved.db");
}

#[test]
fn what_is_there_is_not_overwritten_unasked() {
    let place = trained();
    place.write("recipe.toml", "precious");
    fs::create_dir(place.path("folder")).unwrap();
    assert_snapshot!(place.refused("init shop.db"), @r"
    error: recipe.toml: exists already
      hint: overwrite it with --force, or choose another with -o
    ");
    assert_snapshot!(place.refused(&format!("train shop.db {QUICK} --name shop")), @r"
    error: runs/shop: exists already
      hint: choose another --name, or continue it with --resume
    ");
    assert_snapshot!(place.refused("rm shop folder --yes"), @r"
    error: folder: holds no model
      hint: name a run, or a folder with config.json and model.safetensors
    ");
    assert_snapshot!(place.refused("compare"), @r"
    error: no run in runs was evaluated yet
      hint: `mintage evaluate RUN` does; or name the runs to compare
    ");
    place.write("mintage-demo/demo.db", "precious");
    assert_snapshot!(place.refused("demo"), @r"
    error: mintage-demo/demo.db: exists already
      hint: name another folder: `mintage demo DIR`, or replace it with --force
    ");
    place.ok("init shop.db --force");
}

/// The lock is the operating system's: a process that was killed leaves none.
#[test]
fn only_one_process_trains_in_a_run() {
    let place = Place::new();
    place.shop("shop.db", 40);
    let mut running = place.start("train shop.db --model vae --size tiny --time 60s --name busy");
    running.until("the first checkpoint", || place.path("runs/busy/metrics.jsonl").exists());
    let others = ["train --resume busy", "rm busy --yes"].map(|line| place.run(line));
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    for done in others {
        assert_eq!((done.code, done.stdout.len()), (Some(2), 0));
        assert!(done.stderr.contains("runs/busy: another process is training in this run folder"));
        assert!(done.stderr.contains("hint: wait until it ends, or end it"), "{}", done.stderr);
    }
    place.ok("rm busy --yes");
}
