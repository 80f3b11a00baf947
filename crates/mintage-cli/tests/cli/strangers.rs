//! Folders of models and runs that somebody else made: whatever their files say is held to bounds, and to each other,
//! before anything is built by it. Of mutated folders, each of these ended the command by a panic, by its allocator or
//! never.

use serde_json::{Value, json};

use crate::helpers::{Place, QUICK};

/// One value of a file of a model, replaced; what `line` says then.
fn said(place: &Place, file: &str, pointer: &str, value: &Value, line: &str) -> String {
    let own = place.text(file);
    let mut changed: Value = serde_json::from_str(&own).unwrap();
    *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{file} has no {pointer}")) = value.clone();
    place.write(file, changed.to_string());
    let said = place.refused(line);
    place.write(file, own);
    said
}

#[test]
fn a_configuration_is_held_to_the_bounds_of_options() {
    let place = Place::new();
    place.shop("shop.db", 40);
    let huge = json!(1u64 << 62);
    for (family, cases) in [
        ("gan", vec![("width", &huge), ("latent", &huge), ("blocks", &huge)]),
        ("flow", vec![("steps", &huge), ("width", &huge)]),
        ("vae", vec![("latent", &huge)]),
        ("vqvae", vec![("codes", &huge), ("prior_layers", &huge)]),
    ] {
        place.ok(&format!("train shop.db --label kind --model {family} {QUICK} --name {family}"));
        let (config, line) =
            (format!("runs/{family}/config.json"), format!("sample {family} -n 1 -o new.png"));
        for (key, value) in cases {
            let text = said(&place, &config, &format!("/model/{key}"), value, &line);
            assert!(text.contains(&format!("config.json: model.{key}: must be between")), "{text}");
        }
        let text = said(&place, &config, "/class_counts", &json!([1, 2, 3, 4]), &line);
        assert!(text.contains("4 counts of 3 classes"), "{text}");
        let text = said(&place, &config, "/info/classes", &json!(2), &line);
        assert!(text.contains("3 counts of 2 classes"), "{text}");
        let text = said(&place, &config, "/info/shape/height", &json!(1u64 << 40), &line);
        assert!(text.contains("are not the shape of a model's images"), "{text}");
        let text = said(&place, &config, "/info/shape/height", &json!(16), &line);
        assert!(text.contains("differ in the size of images"), "{text}");
        // Within bounds, and more than any memory holds.
        let text = said(&place, &config, "/model/width", &json!(4096), &line);
        assert!(text.contains("in the file, the model needs"), "{text}");
    }
}

#[test]
fn rows_and_texts_of_strangers() {
    let place = Place::new();
    let rows = (0..200).map(|i| format!("{},{}.{},n{}\n", i % 7, i * 37 % 100, i % 10, i % 3));
    place.write("rows.csv", format!("a,b,c\n{}", rows.collect::<String>()));
    place.ok(&format!("train rows.csv --model mixture {QUICK} --name rows"));
    let line = "sample rows -n 5 -o new.csv";
    let config = "runs/rows/config.json";
    let text = said(&place, config, "/model/components", &json!(7), line);
    assert!(text.contains("in the file, the model needs"), "{text}");
    for (pointer, value) in [
        ("/info/fields/0/size", json!(1u64 << 40)),
        ("/info/fields/0/unordered", json!(99)),
        ("/info/fields/0/counts", json!([])),
    ] {
        let text = said(&place, config, pointer, &value, line);
        assert!(text.contains("differ in the fields of rows"), "{text}");
    }
    place.write("text.txt", "the quick brown fox jumps over the lazy dog. ".repeat(60));
    place.ok(&format!("train text.txt --model ar {QUICK} --name text"));
    let (line, config) = ("sample text --length 10", "runs/text/config.json");
    for (key, value) in [("heads", 0), ("width", 3), ("context", 1u64 << 40), ("layers", 100_000)] {
        let text = said(&place, config, &format!("/model/{key}"), &json!(value), line);
        assert!(text.contains(&format!("model.{key}")) || text.contains("model.width"), "{text}");
    }
    let text = said(&place, config, "/info/vocab", &json!(50_000_000), line);
    assert!(text.contains("differ in the number of tokens"), "{text}");
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let place = Place::new();
    place.pictures("pictures", 30);
    place.ok(&format!("train pictures --model vae {QUICK} --name m"));
    let mut weights = place.read("runs/m/model.safetensors");
    let end = weights.len();
    weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    place.write("runs/m/model.safetensors", weights);
    let text = place.refused("sample m -n 1 -o new.png");
    assert!(text.contains("the weights are not finite") && text.contains("training diverged"), "{text}");
}

#[test]
fn damaged_checkpoints_are_said_and_the_older_one_is_used() {
    let place = Place::new();
    place.pictures("pictures", 60);
    place.ok("train pictures --model vae --size tiny --steps 20 --name m");
    let newer = "runs/m/checkpoints/step-000000020/train.json";
    let mut state = place.json(newer);
    state["train_secs"] = json!(-1.0);
    place.write(newer, state.to_string());
    let said = place.ok("train --resume m --steps 22").stderr;
    assert!(said.contains("a checkpoint is damaged") && said.contains("after step 18"), "{said}");
    let steps: Vec<u64> = place
        .text("runs/m/metrics.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["kind"] == "step")
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert!(steps.is_sorted_by(|a, b| a < b), "{steps:?}");
}

#[test]
fn a_run_does_not_begin_again_unasked() {
    let place = Place::new();
    place.pictures("pictures", 60);
    place.ok("train pictures --model vae --size tiny --steps 20 --name m");
    let mut run = place.json("runs/m/run.json");
    run["state"] = json!("interrupted");
    place.write("runs/m/run.json", run.to_string());
    for step in [18, 20] {
        let file = format!("runs/m/checkpoints/step-0000000{step}/state.safetensors");
        place.write(&file, &place.read(&file)[..100]);
    }
    let done = place.run("train --resume m --steps 30");
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("holds no checkpoint that can be used"), "{}", done.stderr);
    std::fs::remove_dir_all(place.path("runs/m/checkpoints")).unwrap();
    place.ok("train --resume m --steps 30");
}
