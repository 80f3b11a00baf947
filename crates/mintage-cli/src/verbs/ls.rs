//! `mintage ls`: the runs, one line each.

use mintage::{
    DataInfo, Run,
    database::is_database_run,
    models::{ImageInfo, VideoInfo},
    run::{RunInfo, RunState},
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    failure::{CliResult, Outcome},
    report_view::{self, DIALS},
    text::{Table, duration, thousands},
};

pub fn run(context: &mut Context) -> CliResult {
    let runs = Run::list(&context.settings.runs)?;
    if context.ui.wants_json() {
        let all: Vec<Value> = runs
            .iter()
            .map(|run| {
                let mut value = json!(run);
                value["report"] = json!(report_view::read(&run.dir));
                value
            })
            .collect();
        context.ui.out_json(&all.into())?;
        return Ok(Outcome::Done);
    }
    if runs.is_empty() {
        let dir = context.settings.runs.display();
        context.ui.say(&format!("no runs in {dir} yet: `mintage train SOURCE` makes one"));
        return Ok(Outcome::Done);
    }
    let head = ["run", "trained", "model", "data", "state", "steps", "time"].into_iter().chain(DIALS);
    let mut table = Table::with_head(head.map(str::to_owned).collect());
    for run in &runs {
        table.row(line(run));
    }
    context.ui.out(&table.text())?;
    let stopped = runs.iter().find(|run| run.state == RunState::Interrupted);
    if let Some(run) = stopped {
        context.ui.say(&format!("\n`mintage train --resume {}` continues an interrupted run", run.name));
    }
    Ok(Outcome::Done)
}

/// The models and the source of a whole database, whose recipe says them: its tables have a configuration each.
fn of_database(run: &RunInfo) -> Option<(String, String)> {
    if !is_database_run(&run.dir) {
        return None;
    }
    let recipe = Run::open(&run.dir).and_then(|run| run.recipe()).ok()?;
    let (family, size) = (recipe.model.family_of_rows(), recipe.model.size);
    Some((format!("{} {}", family.name(), size.name()), recipe.data.source))
}

fn line(run: &RunInfo) -> Vec<String> {
    let report = report_view::read(&run.dir);
    let (model, data) = match &run.config {
        Some(config) => {
            let data = match &config.info {
                DataInfo::Image(ImageInfo { shape, .. }) | DataInfo::Video(VideoInfo { shape, .. }) => {
                    format!("{} {}×{}", config.source.source, shape.width, shape.height)
                }
                DataInfo::Table(_) | DataInfo::Sequence(_) | DataInfo::Audio(_) => {
                    let table = config.source.table.as_deref().unwrap_or_default();
                    format!("{} {table}", config.source.source).trim_end().to_owned()
                }
            };
            (format!("{} {}", config.model.family().name(), config.size.name()), data)
        }
        None => of_database(run).unwrap_or_else(|| ("–".to_owned(), "–".to_owned())),
    };
    let mut cells = vec![
        run.name.clone(),
        report_view::date_of(&run.dir),
        model,
        data,
        run.state.name().to_owned(),
        thousands(run.step as usize),
        duration(run.train_secs),
    ];
    let config = json!({ "step": run.step });
    let report = report.filter(|report| !report_view::is_stale(report, &config));
    cells.extend(DIALS.map(|dial| report_view::score_text(report.as_ref(), dial)));
    cells
}
