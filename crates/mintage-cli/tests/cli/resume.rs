//! A run that was stopped, whichever way, ends with the bytes of one that was not. The comparison is with
//! a run that nothing disturbed; weights, metrics and the last preview all count.

use std::fs;

use crate::helpers::{Place, Running};

/// Ten checkpoints come with every budget.
const STEPS: u32 = 120;

#[test]
fn a_killed_vae_ends_as_if_nothing_had_happened() {
    killed("vae", STEPS);
}

/// The first kill falls into the stage of the codes, the second into that of the prior.
#[test]
fn a_killed_vqvae_ends_as_if_nothing_had_happened() {
    killed("vqvae", STEPS);
}

#[test]
fn ctrl_c_saves_and_the_command_it_names_goes_on() {
    let place = whole("vae", STEPS);
    let mut running = begin(&place, "vae", STEPS, "stopped");
    running.until("a checkpoint", || last_checkpoint(&place, "stopped") > 0);
    running.signal("INT");
    let done = running.end();
    assert_eq!(done.code, Some(130), "{}", done.stderr);
    assert!(done.stderr.contains("press Ctrl-C again to stop at once"), "{}", done.stderr);
    // What was learned so far can be used already.
    place.ok("sample stopped -n 4 -o early.png");
    assert!(place.ok("ls").text().contains("interrupted"));
    let next = done.stderr.lines().find_map(|line| line.strip_prefix("next")).unwrap_or_default().trim();
    assert_eq!(next, "mintage train --resume runs/stopped");
    place.ok(next.strip_prefix("mintage ").unwrap());
    same(&place, "stopped", STEPS);
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let place = Place::new();
    place.shop("shop.db", 60);
    // One validation image at a time makes no difference; a step of this model takes long.
    let mut running =
        place.start("train shop.db --model vae --size large -s batch=1024 --steps 50 --name slow");
    running.until("the run", || place.path("runs/slow/codec/image.json").is_file());
    std::thread::sleep(std::time::Duration::from_millis(500));
    running.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(200));
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
    assert!(!place.path("runs/slow/model.safetensors").exists());
}

#[test]
fn a_run_that_is_done_is_not_begun_again_and_can_be_prolonged() {
    let place = Place::new();
    place.shop("shop.db", 60);
    place.ok("train shop.db --model vae --size tiny --steps 10 --name short");
    assert!(place.refused("train --resume short").contains("short has used up its budget (10 steps)"));
    assert!(place.refused("train --resume").contains("no run in runs is waiting to be resumed"));
    assert!(place.refused("train --resume short --seed 3").contains("a run is resumed as it was begun"));
    let done = place.ok("train --resume short --steps 20");
    assert!(done.stderr.contains("continued after step 10"), "{}", done.stderr);
    let shown = place.ok("show short");
    assert!(shown.text().contains("done, 20 steps"));
    let outlook = |text: &str| text.lines().find(|line| line.starts_with("outlook")).map(str::to_owned);
    assert_eq!(outlook(shown.text()), outlook(&done.stderr));
    // The steps that were added are looked at like the first ones.
    let metrics = place.text("runs/short/metrics.jsonl");
    for step in 11..20 {
        assert!(metrics.contains(&format!("{{\"step\":{step},\"kind\":\"valid\"")), "{step}: {metrics}");
    }
}

/// What a kill between the last checkpoint and the end leaves: no model yet, and metrics that the checkpoint does not
/// know of.
#[test]
fn a_run_killed_after_its_last_step_is_finished() {
    let place = whole("vae", STEPS);
    let done = begin(&place, "vae", STEPS, "stopped").end();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for published in ["model.safetensors", "config.json"] {
        fs::remove_file(place.path("runs/stopped").join(published)).unwrap();
    }
    let run = place.text("runs/stopped/run.json").replace("\"done\"", "\"training\"");
    place.write("runs/stopped/run.json", run);
    let metrics = place.text("runs/stopped/metrics.jsonl");
    let last = metrics.lines().last().unwrap();
    place.write("runs/stopped/metrics.jsonl", format!("{metrics}{last}\n{{\"step\":"));
    assert!(
        place.refused("sample stopped -n 4 -o new.png").contains("continue it with `mintage train --resume")
    );
    place.ok("train --resume");
    same(&place, "stopped", STEPS);
    assert!(place.refused("train --resume stopped").contains("has used up its budget"));
}

#[test]
fn time_at_resume_comes_on_top_of_what_was_spent() {
    let place = Place::new();
    place.shop("shop.db", 60);
    place.ok("train shop.db --model vae --size tiny --time 1s -s train.patience=0 --name timed");
    let secs = || place.json("runs/timed/run.json")["train_secs"].as_f64().unwrap();
    let first = secs();
    place.ok("train --resume timed --time 1s");
    // A machine that does other things as well takes longer, never shorter.
    assert!(secs() > first + 0.7, "{first} and then {}", secs());
    assert!(place.text("runs/timed/recipe.toml").contains(&format!("time = \"{:.3}s\"", first + 1.0)));
}

/// A recipe that loses what it says of the model is what an unchanged one is to a version with other presets.
#[test]
fn a_run_goes_on_with_the_options_that_it_was_begun_with() {
    let place = Place::new();
    place.shop("shop.db", 60);
    let set = "-s latent=6 -s lr=0.003 -s train.patience=0";
    place.ok(&format!("train shop.db --model vae --size tiny --steps 10 {set} --name own"));
    let begun = place.json("runs/own/config.json")["model"].clone();
    let is_other = |line: &&str| !line.starts_with("latent = ") && !line.starts_with("lr = ");
    let plain: Vec<String> =
        place.text("runs/own/recipe.toml").lines().filter(is_other).map(str::to_owned).collect();
    place.write("runs/own/recipe.toml", plain.join("\n"));
    let dry = place.ok("train --resume own --steps 20 --dry-run");
    assert!(dry.text().contains("latent = 6\n") && dry.text().contains("lr = 0.003\n"), "{}", dry.text());
    place.ok("train --resume own --steps 20");
    assert_eq!(place.json("runs/own/config.json")["model"], begun);
    assert!(!place.ok("show own --recipe").text().contains("latent"));
    // Whoever sets an option in the recipe of a run gets it.
    let recipe = place.text("runs/own/recipe.toml").replace("[model]\n", "[model]\nlr = 0.001\n");
    place.write("runs/own/recipe.toml", recipe);
    place.ok("train --resume own --steps 30");
    assert_eq!(place.json("runs/own/config.json")["model"]["lr"], 0.001);
    assert_eq!(place.json("runs/own/config.json")["model"]["latent"], 6);
    assert!(place.refused("train --resume own -s lr=0.1").contains("a run is resumed as it was begun"));
}

/// A file size limit stands for a full disk: the write fails in the midst of a checkpoint.
#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let place = Place::new();
    place.shop("shop.db", 60);
    place.ok("train shop.db --model vae --size tiny --steps 20 --name full");
    let weights = place.read("runs/full/model.safetensors");
    let mut files = place.files();
    // Ignored, the signal of the limit becomes an error of the write.
    let line =
        "trap '' XFSZ; ulimit -f 64; exec \"$0\" --threads 2 --no-progress train --resume full --steps 40";
    let done = place.program("bash").args(["-c", line, env!("CARGO_BIN_EXE_mintage")]).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains(".safetensors: File too large") && said.contains("hint: make room"), "{said}");
    assert!(weights == place.read("runs/full/model.safetensors"));
    // The recipe has the new budget and the run is open again; nothing half-written is left.
    let mut after = place.files();
    for grown in ["recipe.toml", "run.json", "metrics.jsonl"].map(|name| place.path("runs/full").join(name)) {
        assert!(files.remove(&grown).is_some() && after.remove(&grown).is_some(), "{grown:?}");
    }
    assert_eq!(after.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    place.ok("sample full -n 4 -o new.png");
    assert!(place.ok("train --resume full --steps 40").stderr.contains("continued after step 20"));
}

/// Kills a run twice, in its first half and in its second.
fn killed(family: &str, steps: u32) {
    let place = whole(family, steps);
    let mut running = begin(&place, family, steps, "stopped");
    for (kill, least) in [(1, 1), (2, steps * 6 / 10)] {
        running.until("a checkpoint", || last_checkpoint(&place, "stopped") >= least);
        running.signal("KILL");
        assert_eq!(running.end().code, None, "kill {kill} came too late");
        assert!(!place.path("runs/stopped/model.safetensors").exists(), "kill {kill} came too late");
        running = place.start("train --resume stopped");
    }
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    same(&place, "stopped", steps);
}

/// A place with an undisturbed run in it.
fn whole(family: &str, steps: u32) -> Place {
    let place = Place::new();
    place.shop("shop.db", 120);
    let done = begin(&place, family, steps, "whole").end();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    place
}

fn begin(place: &Place, family: &str, steps: u32, name: &str) -> Running {
    place.start(&format!(
        "train shop.db --label kind --model {family} --size tiny --steps {steps} --seed 3 --name {name}"
    ))
}

/// The step of the newest checkpoint; 0 without one.
fn last_checkpoint(place: &Place, run: &str) -> u32 {
    let Ok(entries) = fs::read_dir(place.path(&format!("runs/{run}/checkpoints"))) else { return 0 };
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_prefix("step-")?.parse().ok()).max().unwrap_or(0)
}

fn same(place: &Place, run: &str, steps: u32) {
    let preview = format!("samples/step-{steps:09}.png");
    for file in ["model.safetensors", "metrics.jsonl", &preview] {
        let (one, other) = (format!("runs/whole/{file}"), format!("runs/{run}/{file}"));
        assert!(place.read(&one) == place.read(&other), "{file} differs");
    }
}
