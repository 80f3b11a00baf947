//! `kill -9` at a random moment, in every verb that writes.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;

use super::{
    Trials,
    place::{PICTURES, Place, ROWS, contents, left_behind},
};
use crate::{Result, at};

/// A way to write: what lies there, what is done, and how many real items there are.
struct Sink {
    name: &'static str,
    files: &'static [&'static str],
    line: &'static str,
    /// The source with the real items and their number; none where there are none.
    real: Option<(&'static str, usize)>,
    /// What lies there may only grow, and at its end.
    grows: bool,
}

const SINKS: [Sink; 8] = [
    Sink {
        name: "rows to CSV",
        files: &["real.csv"],
        line: "sample rows -n 20000 -o trial/real.csv --if-exists append",
        real: Some(("trial/real.csv", ROWS)),
        grows: true,
    },
    Sink {
        name: "rows to JSON Lines",
        files: &["rows.jsonl"],
        line: "sample rows -n 20000 -o trial/rows.jsonl --if-exists append",
        real: Some(("trial/rows.jsonl", ROWS)),
        grows: true,
    },
    Sink {
        name: "rows to a new Parquet",
        files: &[],
        line: "sample rows -n 20000 -o trial/new.parquet",
        real: None,
        grows: false,
    },
    Sink {
        name: "rows to a new compressed CSV",
        files: &[],
        line: "sample rows -n 20000 -o trial/new.csv.gz",
        real: None,
        grows: false,
    },
    Sink {
        name: "rows to a new database",
        files: &[],
        line: "sample rows -n 20000 -o trial/new.db --table t",
        real: None,
        grows: false,
    },
    Sink {
        name: "pictures to a database",
        files: &["demo.db"],
        line: "sample pictures -n 600 -o trial/demo.db",
        real: Some(("trial/demo.db", 0)),
        grows: false,
    },
    Sink {
        name: "pictures to a folder",
        files: &[],
        line: "sample pictures -n 600 -o trial/photos/",
        real: Some(("trial/photos", PICTURES)),
        grows: false,
    },
    Sink {
        name: "texts to a folder",
        files: &[],
        line: "sample texts -n 6 --length 40 -o trial/texts/",
        real: None,
        grows: false,
    },
];

pub fn run(place: &Place, trials: &mut Trials) -> Result<()> {
    train(place, trials)?;
    for sink in &SINKS {
        sample(place, trials, sink)?;
    }
    evaluate(place, trials)?;
    export(place, trials)
}

/// Runs that were killed go on to their end, whenever it was.
fn train(place: &Place, trials: &mut Trials) -> Result<()> {
    let kinds = [("real.csv --model ar --steps 40", "ar"), ("demo.db --model vae --steps 30", "vae")];
    for (what, family) in kinds {
        let line = |name: &str| format!("train {what} --size tiny --name {name}");
        let whole = place.time(&line(&format!("whole-{family}")))?;
        trials.of(&format!("kills in train ({family})"), 60, |trials, number| {
            let name = format!("killed-{family}-{number}");
            let after = whole.mul_f64(1.1 * trials.share());
            place.kill(&line(&name), after)?;
            let run = place.scratch.join("runs").join(&name);
            let state = state(&run);
            let again = match state.as_deref() {
                // Killed before there was a run.
                None => {
                    let _ = fs::remove_dir_all(&run);
                    line(&name)
                }
                Some("done") => format!("sample {name} -n 2 -o trial.csv").replace(".csv", suffix(family)),
                Some(_) => format!("train --resume {name}"),
            };
            let output = place.output(&again)?;
            let _ = fs::remove_file(place.scratch.join(format!("trial{}", suffix(family))));
            let _ = fs::remove_file(place.scratch.join("trial.csv.mintage.json"));
            trials.check(output.status.success(), || {
                format!("killed {after:?} in: {again}: {}", String::from_utf8_lossy(&output.stderr).trim())
            });
            let weights =
                |name: &str| fs::read(place.scratch.join("runs").join(name).join("model.safetensors"));
            let same = weights(&name).ok() == weights(&format!("whole-{family}")).ok();
            trials.check(same, || format!("{name}: other weights than those of a run that was not killed"));
            let left = left_behind(&run);
            trials.check(left.is_empty(), || format!("{name}: left {}", left.join(", ")));
            fs::remove_dir_all(&run).map_err(at(&run))
        })?;
    }
    Ok(())
}

fn suffix(family: &str) -> &'static str {
    if family == "ar" { ".csv" } else { ".png" }
}

fn state(run: &Path) -> Option<String> {
    let text = fs::read(run.join("run.json")).ok()?;
    serde_json::from_slice::<Value>(&text).ok()?["state"].as_str().map(str::to_owned)
}

fn sample(place: &Place, trials: &mut Trials, sink: &Sink) -> Result<()> {
    let begin = || -> Result<_> {
        let dir = place.fresh(sink.files)?;
        if sink.line.contains("photos") {
            place.done(&format!("sample pictures -n {PICTURES} -o trial/photos/"))?;
            make_real(&dir.join("photos"))?;
        }
        Ok(dir)
    };
    let dir = begin()?;
    // Of a database the number is what it has now.
    let real = match sink.real {
        Some((source, 0)) => Some((source, place.real(source)?)),
        real => real,
    };
    let whole = place.time(sink.line)?;
    let complete = contents(&dir).len();
    trials.of(&format!("kills in sample: {}", sink.name), 20, |trials, number| {
        let dir = begin()?;
        let before = contents(&dir);
        let after = whole.mul_f64(1.05 * trials.share());
        let killed = place.kill(sink.line, after)?;
        let now = contents(&dir);
        for (path, bytes) in &before {
            let there = now.get(path);
            let kept = match sink.grows {
                true => there.is_some_and(|now| now.starts_with(bytes)),
                false => there == Some(bytes) || path.extension().is_some_and(|suffix| suffix == "db"),
            };
            trials.check(kept, || format!("{}: {} is not as it was ({after:?})", sink.name, path.display()));
        }
        let empty: Vec<_> = now.iter().filter(|(path, bytes)| bytes.is_empty() && !hidden(path)).collect();
        trials.check(empty.is_empty(), || {
            format!("{}: {} is empty ({after:?})", sink.name, empty[0].0.display())
        });
        if let Some((source, count)) = real {
            let found = place.real(source)?;
            trials
                .check(found == count, || format!("{}: {found} of {count} real ones ({after:?})", sink.name));
        }
        // Every fifth is done to the end, after which nothing may lie about.
        if number % 5 == 0 {
            let again = format!(
                "{}{}",
                sink.line,
                if sink.line.contains("new") { " --if-exists replace" } else { "" }
            );
            let output = place.output(&again)?;
            trials.check(output.status.success(), || {
                format!("{again}: {}", String::from_utf8_lossy(&output.stderr).trim())
            });
            let left = left_behind(&dir);
            trials.check(left.is_empty(), || format!("{}: left {}", sink.name, left.join(", ")));
        } else if !killed {
            let files = contents(&dir).len();
            trials.check(files == complete, || format!("{}: {files} files, not {complete}", sink.name));
        }
        Ok(())
    })
}

fn hidden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}

/// Takes away all that says that pictures were made.
pub fn make_real(dir: &Path) -> Result<()> {
    for path in contents(dir).into_keys() {
        match path.extension().is_some_and(|suffix| suffix == "png") {
            true => {
                let bytes = fs::read(&path).map_err(at(&path))?;
                fs::write(&path, without_texts(&bytes)).map_err(at(&path))?;
            }
            false => fs::remove_file(&path).map_err(at(&path))?,
        }
    }
    Ok(())
}

/// A PNG without its chunks of text.
fn without_texts(png: &[u8]) -> Vec<u8> {
    let (head, mut rest) = png.split_at(8.min(png.len()));
    let mut kept = head.to_vec();
    while rest.len() >= 12 {
        let length = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize + 12;
        let (chunk, behind) = rest.split_at(length.min(rest.len()));
        if &chunk[4..8] != b"iTXt" {
            kept.extend(chunk);
        }
        rest = behind;
    }
    kept
}

fn evaluate(place: &Place, trials: &mut Trials) -> Result<()> {
    let line = "evaluate rows --html trial/page.html";
    let dir = place.fresh(&[])?;
    let whole = place.time(line)?;
    let model = place.scratch.join("runs/rows");
    trials.of("kills in evaluate", 20, |trials, number| {
        let after = whole.mul_f64(1.05 * trials.share());
        place.kill(line, after)?;
        for file in [model.join("report.json"), model.join("report.html"), dir.join("page.html")] {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let end = if file.extension().is_some_and(|suffix| suffix == "json") { "}" } else { "</html>" };
            trials.check(text.trim_end().ends_with(end), || format!("{} is not whole", file.display()));
        }
        if number % 5 == 0 {
            place.done(line)?;
            let left = [left_behind(&model), left_behind(&dir)].concat();
            trials.check(left.is_empty(), || format!("evaluate: left {}", left.join(", ")));
        }
        Ok(())
    })
}

fn export(place: &Place, trials: &mut Trials) -> Result<()> {
    let line = "export pictures -o trial/exported";
    let dir = place.fresh(&[])?;
    let whole = place.time(line)?;
    let complete = contents(&dir.join("exported"));
    trials.of("kills in export", 30, |trials, _| {
        let dir = place.fresh(&[])?;
        let after: Duration = whole.mul_f64(1.05 * trials.share());
        place.kill(line, after)?;
        let out = dir.join("exported");
        if !out.exists() {
            place.done(line)?;
        }
        trials.check(contents(&out) == complete, || format!("export: not whole ({after:?})"));
        Ok(())
    })
}
