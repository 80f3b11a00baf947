//! `mintage compare`: runs side by side: scores, what differs in their configurations, samples.

use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
};

use mintage::{ClipRequest, Run, SampleRequest};
use mintage_data::{
    Clips, Images, Provenance, gif_bytes, grid_film, target_of, write_grid_rows, write_through,
};
use serde_json::{Value, json};

use super::sample::{draw, make_parent};
use crate::{
    args::Compare,
    context::Context,
    failure::{Failure, Outcome, Verdict},
    report_view::{self, DIALS},
    text::{Table, duration, number, shell, thousands},
};

/// Samples of each model on the grid.
const COLUMNS: usize = 10;

/// One row of the leaderboard.
struct Entry {
    name: String,
    dir: PathBuf,
    config: Value,
    report: Option<Value>,
}

pub fn run(args: &Compare, context: &mut Context) -> Verdict {
    let mut entries = match args.models.is_empty() {
        true => evaluated(context)?,
        false => args.models.iter().map(|name| entry(context.model_dir(name)?)).collect::<Result<_, _>>()?,
    };
    // Best first; those without a report last.
    let rank = |entry: &Entry| report_view::rank(entry.report.as_ref()?, &entry.config);
    entries.sort_by(|a, b| rank(b).partial_cmp(&rank(a)).unwrap_or(Ordering::Equal));
    let differences = differences(&entries);
    if context.ui.wants_json() {
        let rows: Vec<Value> = entries
            .iter()
            .map(|e| json!({ "run": e.name, "dir": e.dir, "config": e.config, "report": e.report }))
            .collect();
        let keys: Vec<&String> = differences.iter().map(|(key, _)| key).collect();
        context.ui.out_json(&json!({ "runs": rows, "differs": keys }))?;
    } else {
        context.ui.out(&leaderboard(&entries))?;
        context.ui.out(&verdicts(&entries))?;
        if !differences.is_empty() {
            let table = differences_table(&entries, &differences);
            context.ui.out(&format!("\n{table}"))?;
        }
    }
    sources_differ(&entries, context);
    for entry in entries.iter().filter(|e| e.report.is_none()) {
        context.ui.say(&format!(
            "{} is not evaluated yet: mintage evaluate {}",
            entry.name,
            shell(&entry.dir)
        ));
    }
    if let Some(path) = &args.grid {
        grid(path, &entries, context)?;
        context.ui.titled("made", &shell(path));
    }
    Ok(Outcome::Done)
}

/// Every run that has a report.
fn evaluated(context: &Context) -> Result<Vec<Entry>, Failure> {
    let runs = &context.settings.runs;
    let dirs =
        Run::list(runs)?.into_iter().map(|run| run.dir).filter(|dir| dir.join("report.json").is_file());
    let entries = dirs.map(entry).collect::<Result<Vec<_>, _>>()?;
    match entries.is_empty() {
        true => Err(Failure::new(
            format!("no run in {} was evaluated yet", runs.display()),
            "`mintage evaluate RUN` does; or name the runs to compare",
        )),
        false => Ok(entries),
    }
}

fn entry(dir: PathBuf) -> Result<Entry, Failure> {
    let path = dir.join("config.json");
    let text = mintage_data::read_text(&path, report_view::MAX_BYTES)?;
    let config =
        serde_json::from_str(&text).map_err(|e| Failure::bare(format!("{}: {e}", path.display())))?;
    // "." has no name of its own.
    let whole = fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone());
    let name = whole.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let report = report_view::read(&dir);
    Ok(Entry { name, dir, config, report })
}

/// What there is to say of each run, in words.
fn verdicts(entries: &[Entry]) -> String {
    let said = entries.iter().filter_map(|entry| {
        let report = entry.report.as_ref()?;
        let verdict = report_view::verdict(report).trim_end().replace('\n', " ");
        let stale = report_view::is_stale(report, &entry.config);
        let judged = report.get("step").and_then(Value::as_u64).filter(|_| stale);
        let note = judged.map(|step| {
            format!(
                "evaluated after {} steps and trained further since: not compared. ",
                thousands(step as usize)
            )
        });
        (!verdict.is_empty()).then(|| format!("\n{}: {}{verdict}\n", entry.name, note.unwrap_or_default()))
    });
    said.collect()
}

fn leaderboard(entries: &[Entry]) -> String {
    let head = ["run", "trained", "model", "steps", "time"].into_iter().chain(DIALS);
    let mut table = Table::with_head(head.map(str::to_owned).collect());
    table.bars = true;
    for entry in entries {
        let word = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("–").to_owned();
        let model = entry.config.get("model").and_then(|m| m.get("family"));
        let secs = entry.config.get("train_secs").and_then(Value::as_f64);
        // Scores of the model as it no longer is are no scores.
        let report = entry.report.as_ref().filter(|report| !report_view::is_stale(report, &entry.config));
        let steps = entry.config.get("step").and_then(Value::as_u64);
        let mut cells = vec![
            entry.name.clone(),
            report_view::date_of(&entry.dir),
            format!("{} {}", word(model), word(entry.config.get("size"))),
            steps.map_or_else(|| "–".to_owned(), |steps| thousands(steps as usize)),
            secs.map_or_else(|| "–".to_owned(), duration),
        ];
        cells.extend(DIALS.map(|dial| report_view::interval_text(report, dial)));
        table.row(cells);
    }
    table.text()
}

/// Keys whose values are not the same in all configurations, with the value of each run.
fn differences(entries: &[Entry]) -> Vec<(String, Vec<String>)> {
    let flat: Vec<Vec<(String, String)>> = entries.iter().map(|e| flattened(&e.config)).collect();
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in flat.iter().flatten() {
        // What training found out is no part of the configuration.
        let found = ["valid", "step", "train_secs", "mintage", "format"]
            .contains(&key.split('.').next().unwrap_or(""))
            || key == "info.fields";
        if !found && !keys.contains(&key) {
            keys.push(key);
        }
    }
    let value = |all: &Vec<(String, String)>, key: &str| {
        all.iter().find(|(k, _)| k == key).map_or_else(|| "–".to_owned(), |(_, v)| v.clone())
    };
    let rows =
        keys.into_iter().map(|key| (key.clone(), flat.iter().map(|all| value(all, key)).collect::<Vec<_>>()));
    rows.filter(|(_, values)| values.windows(2).any(|pair| pair[0] != pair[1])).collect()
}

/// "model.width" → "64" for every leaf.
fn flattened(config: &Value) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&key, value, out);
                }
            }
            Value::String(text) => out.push((prefix.to_owned(), text.clone())),
            Value::Number(n) if n.is_f64() => {
                out.push((prefix.to_owned(), n.as_f64().map(number).unwrap_or_default()));
            }
            Value::Null => {}
            other => out.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", config, &mut out);
    out
}

fn differences_table(entries: &[Entry], differences: &[(String, Vec<String>)]) -> String {
    let head = ["differs".to_owned()].into_iter().chain(entries.iter().map(|e| e.name.clone()));
    let mut table = Table::with_head(head.collect());
    table.bars = true;
    for (key, values) in differences {
        table.row([key.clone()].into_iter().chain(values.iter().cloned()));
    }
    table.text()
}

/// Scores of different data are not comparable, and that is easily overlooked.
fn sources_differ(entries: &[Entry], context: &mut Context) {
    let sources: Vec<_> =
        entries.iter().map(|e| (e.config.get("source"), e.config.pointer("/info/shape"))).collect();
    if sources.windows(2).any(|pair| pair[0] != pair[1]) {
        context.ui.warn(
            "the runs learned from different data, or saw them differently: their scores do not compare",
        );
    }
}

/// Samples of every model from the same seed, one block each.
fn grid(path: &Path, entries: &[Entry], context: &mut Context) -> Result<(), Failure> {
    make_parent(path)?;
    if entries.iter().all(|entry| entry.config.pointer("/info/kind").is_some_and(|kind| kind == "clip")) {
        return film(path, entries, context);
    }
    let request =
        SampleRequest { n: COLUMNS, seed: context.settings.seed_or_default(), ..SampleRequest::default() };
    let mut blocks: Vec<(String, Images)> = Vec::new();
    let mut made_by = Vec::new();
    for entry in entries {
        let model = context.load(&entry.dir.display().to_string())?;
        let images = draw(&model, &request, context)?;
        made_by.push(model.provenance(request.seed, json!({ "compare": entries.len() })));
        if let Some((name, first)) = blocks.first()
            && first.shape != images.shape
        {
            return Err(sizes_differ(&entry.name, name, "images"));
        }
        blocks.push((entry.name.clone(), images));
    }
    let path = target_of(path).map_err(Failure::io(path))?;
    Ok(write_grid_rows(&path, &blocks, COLUMNS, of_all(made_by).as_ref())?)
}

/// The provenance of what several models made together.
fn of_all(made_by: Vec<Provenance>) -> Option<Provenance> {
    let join = |part: fn(&Provenance) -> &String| {
        made_by.iter().map(|one| part(one).as_str()).collect::<Vec<_>>().join(", ")
    };
    let (model, weights, family) = (join(|p| &p.model), join(|p| &p.weights), join(|p| &p.family));
    made_by.first().map(|first| Provenance { model, weights, family, ..first.clone() })
}

/// The same of clips, moving.
fn film(path: &Path, entries: &[Entry], context: &mut Context) -> Result<(), Failure> {
    if !path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("gif")) {
        return Err(Failure::bare(format!("{}: clips are compared in a .gif", path.display())));
    }
    let request =
        ClipRequest { n: COLUMNS, seed: context.settings.seed_or_default(), ..ClipRequest::default() };
    let mut blocks: Vec<(String, Clips)> = Vec::new();
    let mut made_by = Vec::new();
    for entry in entries {
        let model = context.load(&entry.dir.display().to_string())?;
        made_by.push(model.provenance(request.seed, json!({ "compare": entries.len() })));
        let clips = model.sample_clips(&request, &mut |_, _| {})?;
        if let Some((name, first)) = blocks.first()
            && first.shape != clips.shape
        {
            return Err(sizes_differ(&entry.name, name, "clips"));
        }
        blocks.push((entry.name.clone(), clips));
    }
    let film = grid_film(&path.display().to_string(), &blocks, COLUMNS)?;
    write_through(path, &gif_bytes(&film, of_all(made_by).as_ref())?).map_err(Failure::io(path))
}

fn sizes_differ(one: &str, other: &str, things: &str) -> Failure {
    let message = format!("{things} of {one} and {other} are of different sizes");
    Failure::new(message, format!("compare runs that make {things} of one size, or leave out --grid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, config: Value, report: Option<Value>) -> Entry {
        Entry { name: name.to_owned(), dir: name.into(), config, report }
    }

    #[test]
    fn only_differences_are_shown() {
        let a = entry("a", json!({ "model": { "family": "vae", "width": 32 }, "seed": 1, "step": 5 }), None);
        let b = entry("b", json!({ "model": { "family": "vae", "width": 64 }, "seed": 1, "step": 9 }), None);
        let found = differences(&[a, b]);
        assert_eq!(found, vec![("model.width".to_owned(), vec!["32".to_owned(), "64".to_owned()])]);
    }

    #[test]
    fn leaderboard_has_dashes_for_what_is_unknown() {
        let report = json!({ "dials": { "fidelity": { "score": 50.0, "low": 44.6, "high": 55.0 } } });
        let config =
            json!({ "model": { "family": "vae" }, "size": "small", "train_secs": 60.0, "step": 1234 });
        let text = leaderboard(&[entry("a", config, Some(report))]);
        assert!(
            text.contains("| a   |       – | vae small | 1,234 |   1m | 50 (45–55) |        – |"),
            "{text}"
        );
    }
}
