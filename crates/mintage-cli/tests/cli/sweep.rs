//! Sweeps: whichever way one is stopped, it comes to the table of one that was not.

use std::fs;

use insta::assert_snapshot;
use mintage_data::provenance_of;
use serde_json::Value;

use crate::helpers::Place;

/// Rows that take no time to learn, of which enough are held out to be judged.
fn place() -> Place {
    let place = Place::new();
    let mut text = "age,city,paid,plan\n".to_owned();
    for i in 0..420_usize {
        let mix = i.wrapping_mul(2_654_435_761) >> 7;
        let city = ["Oslo", "Rome", "Киев"][mix % 3];
        text.push_str(&format!(
            "{},{city},{},{}\n",
            18 + mix % 50,
            mix / 3 % 90 * (mix % 3 + 1),
            ["a", "b"][mix % 2]
        ));
    }
    place.write("people.csv", text);
    place
}

const PLAN: &str = "sweep people.csv --label plan --models mixture,vae --sizes tiny --seeds 2 --steps 60";

/// The table without the columns of the clock, which stand last.
fn table(place: &Place, file: &str) -> String {
    let text = place.text(file);
    let of_clock = text.lines().next().unwrap().split(',').filter(|name| name.starts_with("clock ")).count();
    assert_eq!(of_clock, 2);
    text.lines().map(|line| format!("{}\n", line.rsplitn(3, ',').nth(2).unwrap())).collect()
}

#[test]
fn a_killed_sweep_comes_to_the_same_table() {
    let place = place();
    let done = place.ok(&format!(
        "{PLAN} --name whole --csv whole.csv --latex whole.tex --html whole.html --svg whole.svg"
    ));
    // Two families, two seeds each, by name and with what they made.
    for (file, parts) in [
        ("whole.csv", vec!["mixture tiny,mixture,tiny,1 2,", "vae tiny,vae,tiny,1 2,"]),
        ("whole.tex", vec!["\\toprule", "vae tiny & 2 & $", "\\pm"]),
        ("whole.html", vec!["<table>", "vae-tiny-2", "<svg class=\"chart\"", "name=\"mintage\""]),
        ("whole.svg", vec!["<svg xmlns", "<metadata>", "training time"]),
    ] {
        let text = place.text(file);
        parts.iter().for_each(|part| assert!(text.contains(part), "{file} lacks {part}\n{text}"));
    }
    assert!(done.text().contains("| vae tiny") && done.text().contains(" ± "), "{}", done.text());
    assert!(done.stderr.contains("run      4 of 4: vae tiny, seed 2"), "{}", done.stderr);

    // In the midst of a training, between a training and its evaluation, and before the last run.
    let again = format!("{PLAN} --name killed --csv killed.csv");
    let there = |path: &str| place.path("runs/killed").join(path).exists();
    let mut running = place.start(&again);
    running.until("the training of the second", || there("vae-tiny-1/checkpoints/step-000000024"));
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    assert!(!there("vae-tiny-1/model.safetensors"), "the kill came too late");
    let mut running = place.start("sweep --resume killed");
    running.until("the model of the second", || there("vae-tiny-1/model.safetensors"));
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    let mut running = place.start(&again);
    running.until("the third", || there("mixture-tiny-2/recipe.toml"));
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    let done = place.ok(&again);
    assert!(done.stderr.contains("the plan is the same, going on with it"), "{}", done.stderr);
    assert!(done.stderr.contains("done     1 of 4: mixture tiny, seed 1"), "{}", done.stderr);
    assert_eq!(table(&place, "killed.csv"), table(&place, "whole.csv"));
    for run in ["mixture-tiny-1", "vae-tiny-1", "mixture-tiny-2", "vae-tiny-2"] {
        let weights = |sweep: &str| place.read(&format!("runs/{sweep}/{run}/model.safetensors"));
        assert!(weights("whole") == weights("killed"), "{run} differs");
    }
    what_else_sees_it(&place);
}

/// The runs of a sweep are runs like others.
fn what_else_sees_it(place: &Place) {
    assert!(place.ok("ls").text().contains("whole/vae-tiny-2"));
    place.ok("sample whole/vae-tiny-2 -n 5 -o new.csv");
    // By the same judge as any other run.
    let metrics = |report: &Value| report["metrics"].clone();
    let before = place.json("runs/whole/vae-tiny-2/report.json");
    let judged = place.ok("evaluate whole/vae-tiny-2 --json r.json");
    assert!(judged.stderr.contains("made     runs/whole/vae-tiny-2/report.html"), "{}", judged.stderr);
    assert_eq!(metrics(&place.json("r.json")), metrics(&before));
    assert_eq!(before["model"], "whole/vae-tiny-2");
    assert!(place.refused("show whole").contains("name one of them: whole/mixture-tiny-1"));
    let compared = place.ok("compare whole --csv compared.csv");
    assert_eq!(table(place, "compared.csv"), table(place, "whole.csv"));
    let text = compared.text();
    assert!(
        text.contains("| whole/vae-tiny-1 ")
            && text.contains("| seeds        | 1 2 ")
            && text.contains("| model.family "),
        "{text}"
    );
    assert!(!text.contains("model.width"), "what follows from the family is shown\n{text}");
    // Runs of one model with one seed each are no group.
    let one = place.ok("compare whole/vae-tiny-1 whole/mixture-tiny-1");
    assert!(!one.text().contains(" ± "), "{}", one.text());
    place.write("runs/killed/thesis.txt", "mine");
    assert!(place.refused("rm killed --yes").contains("holds thesis.txt"));
    fs::remove_file(place.path("runs/killed/thesis.txt")).unwrap();
    place.ok("rm killed --yes");
    assert!(!place.path("runs/killed").exists());
}

#[test]
fn ctrl_c_saves_and_the_command_it_names_goes_on() {
    let place = place();
    let mut running =
        place.start("sweep people.csv --models vae --sizes tiny --seeds 2 --steps 400 --name s");
    running.until("a checkpoint", || place.path("runs/s/vae-tiny-1/checkpoints/step-000000040").exists());
    running.signal("INT");
    let done = running.end();
    assert_eq!(done.code, Some(130), "{}", done.stderr);
    assert!(done.stderr.contains("next     mintage sweep --resume runs/s"), "{}", done.stderr);
    assert!(place.ok("sweep --resume s --dry-run").text().contains("begun"));
    // What has been learned so far can be compared, and what is missing is said.
    let said = place.ok("compare s").stderr;
    assert!(said.contains("runs/s/vae-tiny-2 has no model yet: mintage sweep --resume runs/s"), "{said}");
}

#[test]
fn wrong_plans_are_refused() {
    let place = place();
    let refused = |line: &str| place.refused(&format!("sweep people.csv {line}"));
    assert_snapshot!(refused("--models vae"), @r"
    error: a sweep needs a budget, which every run gets
      hint: --time 5m, or --steps 2000 for a table that is the same whenever it is made
    ");
    assert_snapshot!(refused("--steps 9 --seeds 0"), @r"
    error: --seeds 0: there must be at least one seed
      hint: --seeds 3 stands for the seeds 1, 2 and 3; --seeds 4,7 for 4 and 7
    ");
    assert_snapshot!(refused("--steps 9 --seeds 4,4"), @r"
    error: --seeds 4,4: names a seed twice
      hint: --seeds 3 stands for the seeds 1, 2 and 3; --seeds 4,7 for 4 and 7
    ");
    assert!(refused("--steps 9 --models vea").contains("'vea'"));
    assert!(refused("--steps 9 --models auto").contains("--models takes families, and auto is none"));
    assert!(refused("--steps 9 --time 5m").contains("cannot be used with"));
    assert!(refused("--steps 9 -n 0").contains("-n must be at least 1"));
    assert!(refused("--steps 9 --models vae,mixture -s model.widht=3").contains("did you mean `width`"));
    assert!(refused("--steps 9 --name a/b").contains("cannot be the name"));
    assert_snapshot!(place.refused("sweep --resume nothing"), @r"
    error: no sweep `nothing`
      hint: there are no sweeps in runs: `mintage sweep SOURCE --time 5m` begins one
    ");
    // A kill before the plan was written leaves nothing that is in the way.
    place.write("runs/early/.lock", "");
    place.write("runs/early/.sweep.json.x1.tmp", "{");
    place.ok("sweep people.csv --models mixture --sizes tiny --seeds 1 --steps 3 --name early");
    place.write("runs/mine/thesis.txt", "mine");
    assert!(refused("--steps 9 --name mine").contains("exists already, and is no sweep"));
}

#[test]
fn another_plan_or_other_data_are_no_continuation() {
    let place = place();
    let begin = "sweep people.csv --models mixture --sizes tiny --seeds 1 --steps 9 --name s";
    place.ok(begin);
    assert_snapshot!(place.refused(&begin.replace("--seeds 1 --steps 9", "--seeds 2 --steps 8")), @r"
    error: runs/s: is a sweep with another plan: train.steps: 9 in the sweep, 8 now; seeds: [1] in the sweep, [1,2] now
      hint: --name NAME begins another one; --resume goes on with that one as it was planned
    ");
    assert!(place.refused("sweep --resume s --steps 8").contains("a sweep is resumed as it was begun"));
    // A run that was trained further has had more than the others.
    place.ok("train --resume s/mixture-tiny-1 --steps 12");
    let changed = place.run("sweep --resume s");
    assert_eq!(changed.code, Some(2), "{}", changed.stderr);
    assert!(changed.stderr.contains("its recipe is not that of the sweep any more"), "{}", changed.stderr);
    let text = place.text("people.csv") + "33,Oslo,5,a\n34,Oslo,7,b\n";
    place.write("people.csv", text);
    assert!(place.refused("sweep --resume s").contains("the data have changed"));
}

#[test]
fn a_run_that_fails_stops_no_other() {
    let place = place();
    // Only one of the families has such an option.
    let line = "sweep people.csv --models vae,mixture --sizes tiny --seeds 1 --steps 9 -s model.components=4 --name s --csv t.csv";
    let done = place.run(line);
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("error: 1 of 2 runs failed"), "{}", done.stderr);
    let text = done.text();
    assert!(text.contains("| mixture tiny |     1 |") && text.contains("| vae tiny     |     0 |"), "{text}");
    assert!(
        text.contains("failed: vae tiny, seed 1: model.components: the model has no such option"),
        "{text}"
    );
    assert!(place.text("t.csv").lines().any(|line| line.contains("seed 1: model.components")));
}

#[test]
fn compared_samples_stand_beneath_real_ones() {
    let place = Place::new();
    place.pictures("pictures", 60);
    for seed in [1, 2] {
        place.ok(&format!("train pictures --model vae --size tiny --steps 6 --seed {seed} --name v{seed}"));
    }
    let said = place.ok("compare v1 v2 --grid with.png").stderr;
    assert!(!said.contains("left out"), "{said}");
    let made_by = provenance_of(&place.read("with.png")).unwrap();
    assert!(made_by.model.contains("v1") && made_by.model.contains("v2"), "{}", made_by.model);
    fs::rename(place.path("pictures"), place.path("moved")).unwrap();
    let said = place.ok("compare v1 v2 --grid without.png").stderr;
    assert!(
        said.contains("real items are left out of the picture: the model was trained on pictures"),
        "{said}"
    );
    let (with, without) = (place.picture_size("with.png"), place.picture_size("without.png"));
    assert!(with.0 == without.0 && with.1 > without.1, "{with:?} {without:?}");
    place.ok("compare v1 v2 --source moved --grid again.png");
    assert_eq!(place.picture_size("again.png"), with);
}
