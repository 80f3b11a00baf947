//! `mintage ls`: the runs, one line each.

use mintage::{
    DataInfo, Run,
    database::{DatabaseOutline, is_database_run},
    models::{ImageInfo, VideoInfo},
    run::{RunInfo, RunState},
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    failure::{CliResult, Outcome},
    report_view::{self, DIALS},
    text::{Table, count, duration, thousands},
};

pub fn run(context: &mut Context) -> CliResult {
    let runs = Run::list(&context.settings.runs)?;
    if context.ui.wants_json() {
        let all: Vec<Value> = runs
            .iter()
            .map(|run| {
                let mut value = json!(run);
                value["report"] = json!(report_of(run));
                if let Some(outline) = outline_of(run) {
                    value["database"] = json!({ "tables": outline.plans.len(), "rows": outline.rows() });
                }
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

/// The tables of a whole database, where a run is of one that can be read.
fn outline_of(run: &RunInfo) -> Option<DatabaseOutline> {
    is_database_run(&run.dir).then(|| DatabaseOutline::read(&run.dir).ok()).flatten()
}

/// What a run was found to be like: a whole database has scores in place of a report.
fn report_of(run: &RunInfo) -> Option<Value> {
    match is_database_run(&run.dir) {
        true => report_view::read_scores(&run.dir),
        false => report_view::read(&run.dir),
    }
}

/// The models and the source of a whole database, whose recipe says them: its tables have a configuration each.
fn of_database(run: &RunInfo, outline: &DatabaseOutline) -> Option<(String, String)> {
    let recipe = Run::open(&run.dir).and_then(|run| run.recipe()).ok()?;
    let (family, size) = (recipe.model.family_of_rows(), recipe.model.size);
    let (tables, rows) = (count(outline.plans.len(), "table"), count(outline.rows(), "row"));
    let data = format!("database {}, {tables}, {rows}", recipe.data.source);
    Some((format!("{} {}", family.name(), size.name()), data))
}

fn line(run: &RunInfo) -> Vec<String> {
    let (report, outline) = (report_of(run), outline_of(run));
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
        None => {
            let of_database = outline.as_ref().and_then(|outline| of_database(run, outline));
            of_database.unwrap_or_else(|| ("–".to_owned(), "–".to_owned()))
        }
    };
    let date = match outline {
        // It has no configuration; its state is written last.
        Some(_) => report_view::date_of_file(&run.dir.join("run.json")),
        None => report_view::date_of(&run.dir),
    };
    let steps = outline.as_ref().map_or(run.step, DatabaseOutline::steps);
    let mut cells = vec![
        run.name.clone(),
        date,
        model,
        data,
        run.state.name().to_owned(),
        thousands(steps as usize),
        duration(run.train_secs),
    ];
    let config = json!({ "step": run.step });
    let report = report.filter(|report| !report_view::is_stale(report, &config));
    cells.extend(DIALS.map(|dial| report_view::score_text(report.as_ref(), dial)));
    cells
}
