//! `mintage show`: all that is known of a run or a model, without loading its weights; which model made a file or rows.

use std::{fs, path::Path};

use mintage::{
    Run,
    curve::{Curve, advice_at_end},
    database::is_database_run,
    generate::{Made, made_by, schema},
    model::ModelConfig,
    run::RunInfo,
};
use mintage_data::{SourceSpec, is_postgres, names::path_of};
use serde_json::{Value, json};

use crate::{
    args::Show,
    context::Context,
    failure::{CliResult, Outcome},
    report_view,
    text::{bytes, duration, number, shell, thousands},
};

pub fn run(args: &Show, context: &mut Context) -> CliResult {
    if is_data(&args.model, context) {
        return made(args, context);
    }
    let dir = context.model_dir(&args.model)?;
    if args.schema {
        let model = context.load(&args.model)?;
        context.ui.out(&format!("{:#}\n", schema(&model)?))?;
        return Ok(Outcome::Done);
    }
    if args.recipe {
        let path = dir.join("recipe.toml");
        let text = mintage_data::read_text(&path, report_view::MAX_BYTES)?;
        context.ui.out(&text)?;
        return Ok(Outcome::Done);
    }
    if is_database_run(&dir) {
        return super::database_show::show(&dir, context);
    }
    let run = Run::open(&dir).and_then(|run| run.info()).ok();
    // A run that has not published yet has no configuration; a model folder without one is an error.
    let config = match (&run, ModelConfig::load(&dir)) {
        (_, Ok(config)) => Some(config),
        (Some(_), Err(_)) if !dir.join("config.json").exists() => None,
        (_, Err(error)) => return Err(error.into()),
    };
    let report = report_view::read(&dir);
    if context.ui.wants_json() {
        let advice = config.as_ref().and_then(|config| advice_at_end(&dir, config));
        let json = json!({ "dir": dir, "run": run, "config": config, "advice": advice, "report": report });
        context.ui.out_json(&json)?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    facts(&mut text, &dir, run.as_ref(), config.as_ref());
    match &report {
        Some(report) => {
            let step = config.as_ref().map(|config| json!({ "step": config.step })).unwrap_or_default();
            if report_view::is_stale(report, &step) {
                text.push_str(&format!(
                    "\ntrained further since these scores: mintage evaluate {}\n",
                    shell(&dir)
                ));
            }
            let (verdict, dials) = (report_view::verdict(report), report_view::dials(report));
            text.push_str(&format!("\n{verdict}\n{dials}\n{}", report_view::metrics(report)));
        }
        None if config.is_some() => {
            text.push_str(&format!("\nnot evaluated yet: mintage evaluate {}\n", shell(&dir)));
        }
        None => {}
    }
    context.ui.out(&text)?;
    Ok(Outcome::Done)
}

/// Whether a name is that of data: an address, a file, or a folder that neither is a model nor a sweep.
fn is_data(name: &str, context: &Context) -> bool {
    let path = &*path_of(name);
    is_postgres(name)
        || path.is_file()
        || path.is_dir() && context.model_dir(name).is_err() && holds_made(path)
}

/// Whether a folder has a list of what was made.
fn holds_made(dir: &Path) -> bool {
    dir.join("mintage.jsonl").is_file()
}

/// Which models made what is in a file, a folder or a database.
fn made(args: &Show, context: &mut Context) -> CliResult {
    let spec = SourceSpec {
        source: args.model.clone(),
        table: args.table.clone(),
        pg: context.settings.pg.clone(),
        ..SourceSpec::default()
    };
    let all = made_by(&spec)?;
    if context.ui.wants_json() {
        let one = |made: &Made| json!({ "place": made.place, "n": made.n, "made_by": made.provenance });
        context.ui.out_json(&json!({ "made": all.iter().map(one).collect::<Vec<_>>() }))?;
        return Ok(if all.is_empty() { Outcome::No } else { Outcome::Done });
    }
    let mut text = String::new();
    let mut line = |title: &str, value: String| text.push_str(&format!("{title:<9}{value}\n"));
    for Made { place, n, provenance } in &all {
        let items = if *n == 1 { "1 item".to_owned() } else { format!("{} items", thousands(*n as usize)) };
        line("made", format!("{items}, {place}"));
        line("by", format!("{}, a {} (weights {})", provenance.model, provenance.family, provenance.weights));
        line("seed", provenance.seed.to_string());
        if provenance.options.as_object().is_some_and(|options| !options.is_empty()) {
            line("asked", provenance.options.to_string());
        }
        line("program", format!("mintage {}", provenance.version));
    }
    if all.is_empty() {
        text = format!("nothing says that mintage made any of {}\n", shell(&path_of(&args.model)));
    }
    context.ui.out(&text)?;
    Ok(if all.is_empty() { Outcome::No } else { Outcome::Done })
}

fn facts(text: &mut String, dir: &Path, run: Option<&RunInfo>, config: Option<&ModelConfig>) {
    let mut line = |title: &str, value: String| text.push_str(&format!("{title:<9}{value}\n"));
    line("folder", dir.display().to_string());
    if let Some(run) = run {
        let steps = thousands(run.step as usize);
        line("run", format!("{}, {steps} steps in {}", run.state.name(), duration(run.train_secs)));
    }
    if let Some(config) = config {
        let source = &config.source;
        let place: Vec<&str> =
            [&source.table, &source.column].into_iter().flatten().map(String::as_str).collect();
        let items = thousands(config.info.train_len());
        line("data", format!("{} {}", source.source, place.join(".")).trim_end().to_owned());
        line("", format!("{items} {} to train on", config.info.items()));
        line(
            "model",
            format!("{} {}, seed {}", config.model.family().name(), config.size.name(), config.seed),
        );
        line("options", options(&json!(config.model)));
        if let Some(valid) = &config.valid {
            line("valid", crate::ui::list(valid));
            super::train::meaning(config, valid).into_iter().for_each(|said| line("", said));
        }
        if let Some(bars) = Curve::read(dir).and_then(|curve| curve.sparkline()) {
            line("curve", format!("{bars} validation, from the first to the last"));
        }
        advice_at_end(dir, config).into_iter().for_each(|advice| line("outlook", advice.text));
        line("made by", format!("mintage {}", config.mintage));
    }
    let weights = fs::metadata(dir.join("model.safetensors")).map(|m| m.len());
    if let Ok(size) = weights {
        line("weights", bytes(size));
    }
    if let Some(preview) = last_preview(dir) {
        line("preview", preview);
    }
}

/// "width 64, lr 0.001": the options of a family.
fn options(config: &Value) -> String {
    let word = |value: &Value| match value {
        Value::Number(n) if n.is_f64() => n.as_f64().map(number).unwrap_or_default(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let all = config
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !["kind", "family"].contains(&key.as_str()));
    all.map(|(key, value)| format!("{key} {}", word(value))).collect::<Vec<_>>().join(", ")
}

fn last_preview(dir: &Path) -> Option<String> {
    let entries = fs::read_dir(dir.join("samples")).ok()?;
    let previews = entries.flatten().map(|e| e.path()).filter(|p| {
        p.extension().is_some_and(|e| ["png", "csv", "wav", "gif"].iter().any(|known| e == *known))
    });
    // Previews are named by step; others (seed-1.png) come before them.
    Some(previews.max()?.display().to_string())
}
