//! `mintage show` of a run of a whole database: its tables, how each is made, and how to go on.

use std::path::Path;

use mintage::{
    Run,
    database::{DatabaseOutline, Part, TablePlan},
    run::RunState,
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    failure::{CliResult, Outcome},
    report_view,
    text::{Table, count, duration, shell, thousands},
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
    let mut text = String::new();
    let mut line = |title: &str, value: String| text.push_str(&format!("{title:<9}{value}\n"));
    line("folder", dir.display().to_string());
    let steps = thousands(outline.steps() as usize);
    line("run", format!("{}, {steps} steps in {}", info.state.name(), duration(info.train_secs)));
    let [tables, keys, rows] = [
        count(outline.plans.len(), "table"),
        count(outline.schema.keys().count(), "key"),
        count(outline.rows(), "row"),
    ];
    line("data", format!("{}: {tables}, {keys}, {rows}", recipe.data.source));
    let (family, size) = (recipe.model.family_of_rows(), recipe.model.size);
    line("model", format!("{} {} a table, seed {}", family.name(), size.name(), recipe.train.seed));
    for own in &outline.texts {
        line("written", format!("{} by {}", own.label(), own.writer()));
    }
    text.push_str(&format!("\n{}\n", tables_text(&outline)));
    if let Some(scores) = &scores {
        text.push_str(&format!("{}\n", report_view::dials(scores)));
    }
    let mut line = |title: &str, value: String| text.push_str(&format!("{title:<9}{value}\n"));
    let next = next(dir, info.state, scores.is_some());
    next.into_iter().enumerate().for_each(|(at, said)| line(if at == 0 { "next" } else { "" }, said));
    context.ui.out(&text)?;
    Ok(Outcome::Done)
}

/// How a table is made: by a model, if it is learned by now, or as it is.
fn made_by(outline: &DatabaseOutline, at: usize, plan: &TablePlan) -> String {
    match plan.part {
        Part::Learned => model_of(outline, at).unwrap_or_else(|| "not learned yet".to_owned()),
        Part::Kept => format!("kept as it is: {}", plan.why),
        Part::Empty => "empty".to_owned(),
    }
}

/// Family and size of the model of a table, and how long it was trained.
fn model_of(outline: &DatabaseOutline, at: usize) -> Option<String> {
    let training = outline.trainings.get(at)?.as_ref()?;
    let config = training.config.as_ref()?;
    let (family, size) = (config.model.family().name(), config.size.name());
    Some(format!("{family} {size}, {} steps", thousands(training.step as usize)))
}

fn tables_text(outline: &DatabaseOutline) -> String {
    let mut table = Table::new(["table", "rows", "refers to", "made by"]);
    for (at, plan) in outline.plans.iter().enumerate() {
        table.row([
            plan.name.clone(),
            thousands(plan.rows),
            outline.parents(plan).join(", "),
            made_by(outline, at, plan),
        ]);
    }
    table.within(MAX_WIDTH)
}

fn tables_json(outline: &DatabaseOutline) -> Vec<Value> {
    let table = |(at, plan): (usize, &TablePlan)| {
        json!({
            "table": plan.name, "rows": plan.rows, "part": plan.part, "why": plan.why,
            "model": model_of(outline, at), "refers_to": outline.parents(plan),
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
