//! `mintage show` of a run of a whole database: its tables and the keys between them, how each is made and how well, what of
//! them points at persons, and how to go on.

use std::path::Path;

use mintage::{
    Metrics, Recipe, Run,
    database::{DatabaseOutline, Part, TablePlan},
    run::{RunInfo, RunState},
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    failure::{CliResult, Outcome},
    report_view,
    text::{Table, count, duration, number, shell, thousands},
};

/// Characters of a line of the table, at most: reasons may be long.
const MAX_WIDTH: usize = 110;

/// Shows a run of a whole database, also one that is not finished.
pub fn show(dir: &Path, context: &mut Context) -> CliResult {
    let (run, outline) = (Run::open(dir)?, DatabaseOutline::read(dir)?);
    let (info, recipe, scores) = (run.info()?, run.recipe()?, report_view::read_scores(dir));
    if context.ui.wants_json() {
        let (tables, texts) = (tables_json(&outline), texts_json(&outline));
        let json = json!({ "dir": dir, "run": info, "config": null, "report": scores, "tables": tables, "texts": texts });
        context.ui.out_json(&json)?;
        return Ok(Outcome::Done);
    }
    let mut text = facts(dir, &info, &recipe, &outline);
    text.push_str(&format!("\n{}\n", tables_text(&outline, scores.as_ref())));
    if let Some(scores) = &scores {
        text.push_str(&format!("{}\n", report_view::dials(scores)));
    }
    lines(&mut text, "next", next(dir, info.state, scores.is_some()));
    context.ui.out(&text)?;
    Ok(Outcome::Done)
}

/// Adds lines under a title.
fn lines(text: &mut String, title: &str, values: impl IntoIterator<Item = String>) {
    for (at, value) in values.into_iter().enumerate() {
        let title = if at == 0 { title } else { "" };
        text.push_str(&format!("{title:<9}{value}\n"));
    }
}

/// What is known of the whole: when it was trained and on what, who writes its texts, whose persons are made up, its keys.
fn facts(dir: &Path, info: &RunInfo, recipe: &Recipe, outline: &DatabaseOutline) -> String {
    let mut text = String::new();
    lines(&mut text, "folder", [dir.display().to_string()]);
    let steps = thousands(outline.steps() as usize);
    lines(
        &mut text,
        "run",
        [format!("{}, {steps} steps in {}", info.state.name(), duration(info.train_secs))],
    );
    // The state of a run is written last.
    let day = (info.state == RunState::Done).then(|| report_view::date_of_file(&dir.join("run.json")));
    lines(&mut text, "trained", day);
    let [tables, keys, rows] = [
        count(outline.plans.len(), "table"),
        count(outline.schema.keys().count(), "key"),
        count(outline.rows(), "row"),
    ];
    lines(&mut text, "data", [format!("{}: {tables}, {keys}, {rows}", recipe.data.source)]);
    let (family, size) = (recipe.model.family_of_rows(), recipe.model.size);
    let model = format!("{} {} a table, seed {}", family.name(), size.name(), recipe.train.seed);
    lines(&mut text, "model", [model]);
    let written = outline.texts.iter().map(|own| format!("{} by {}", own.label(), own.writer()));
    lines(&mut text, "written", written);
    let personal = outline.plans.iter().map(|plan| (&plan.name, outline.personal(&plan.name)));
    let personal = personal.filter(|(_, columns)| !columns.is_empty());
    lines(&mut text, "made up", personal.map(|(table, columns)| format!("{table}: {}", columns.join(", "))));
    let keys = outline.schema.keys().map(|(table, key)| format!("{}.{}", table.name, key.text()));
    lines(&mut text, "keys", keys);
    text
}

/// How a table is made: by a model, if it is learned by now, or as it is.
fn made_by(outline: &DatabaseOutline, at: usize, plan: &TablePlan) -> String {
    match plan.part {
        Part::Learned => learned(outline, at).unwrap_or_else(|| "not learned yet".to_owned()),
        Part::Kept => format!("kept as it is: {}", plan.why),
        Part::Empty => "empty".to_owned(),
    }
}

/// The model of a table with how long it was trained, and on how many rows.
fn learned(outline: &DatabaseOutline, at: usize) -> Option<String> {
    let training = outline.trainings.get(at)?.as_ref()?;
    let rows = count(training.config.as_ref()?.info.train_len(), "row");
    Some(format!("{} in {}, on {rows}", model_of(outline, at)?, duration(training.train_secs)))
}

/// Family and size of the model of a table, and its steps.
fn model_of(outline: &DatabaseOutline, at: usize) -> Option<String> {
    let training = outline.trainings.get(at)?.as_ref()?;
    let config = training.config.as_ref()?;
    let (family, size) = (config.model.family().name(), config.size.name());
    Some(format!("{family} {size}, {} steps", thousands(training.step as usize)))
}

/// The validation of the model of a table, where its family has one: its first number is the one to watch.
fn valid_of(outline: &DatabaseOutline, at: usize) -> Option<&Metrics> {
    outline.trainings.get(at)?.as_ref()?.config.as_ref()?.valid.as_ref()
}

/// Columns of a table in the source.
fn columns_of(outline: &DatabaseOutline, plan: &TablePlan) -> usize {
    outline.schema.table(&plan.name).map_or(0, |table| table.columns.len())
}

/// What an evaluation found of the new rows of a table.
fn scores_of<'a>(scores: Option<&'a Value>, plan: &TablePlan) -> Option<&'a Value> {
    let tables = scores?.get("table_dials")?.as_array()?;
    tables.iter().find(|of| of.get("table").and_then(Value::as_str) == Some(plan.name.as_str()))
}

fn tables_text(outline: &DatabaseOutline, scores: Option<&Value>) -> String {
    let mut table = Table::new(["table", "rows", "columns", "valid", "fidelity", "made by"]);
    for (at, plan) in outline.plans.iter().enumerate() {
        let valid = valid_of(outline, at).and_then(|valid| valid.0.first());
        table.row([
            plan.name.clone(),
            thousands(plan.rows),
            thousands(columns_of(outline, plan)),
            valid.map_or_else(|| "–".to_owned(), |(name, value)| format!("{name} {}", number(*value))),
            report_view::score_text(scores_of(scores, plan), "fidelity"),
            made_by(outline, at, plan),
        ]);
    }
    table.within(MAX_WIDTH)
}

fn tables_json(outline: &DatabaseOutline) -> Vec<Value> {
    let table = |(at, plan): (usize, &TablePlan)| {
        json!({
            "table": plan.name, "rows": plan.rows, "columns": columns_of(outline, plan),
            "personal": outline.personal(&plan.name), "part": plan.part, "why": plan.why,
            "model": model_of(outline, at), "valid": valid_of(outline, at), "refers_to": outline.parents(plan),
        })
    };
    outline.plans.iter().enumerate().map(table).collect()
}

fn texts_json(outline: &DatabaseOutline) -> Vec<Value> {
    outline.texts.iter().map(|text| json!({ "column": text.label(), "by": text.writer() })).collect()
}

/// What can be done with a run: nothing but to go on with one that is not finished.
fn next(dir: &Path, state: RunState, is_judged: bool) -> Vec<String> {
    let run = shell(dir);
    if state != RunState::Done {
        let name = dir.file_name().map(|name| shell(Path::new(name))).unwrap_or_default();
        return vec![format!("the same `mintage train` with --name {name} goes on")];
    }
    let mut all = vec![
        format!("mintage sample {run} -o new.db"),
        format!("mintage sample {run} -o postgres://user@host/database"),
    ];
    all.push(match is_judged {
        true => format!("the page with all scores: {}", shell(&dir.join("report.html"))),
        false => format!("mintage evaluate {run}"),
    });
    all
}
