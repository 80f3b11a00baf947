//! `mintage copy`: from a table to new rows like it, checked before they are written.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use mintage::{
    AnyData, Event, Model, Recipe, Run, StopReason,
    copy::{CopyReport, check, draw},
    generate::{Output, Samples, Sink},
    train::{Control, resolve, train},
};
use mintage_data::{
    DataKind, IfExists,
    names::path_of,
    table::{encoder::Rare, schema::TextMode},
};
use serde_json::json;

use super::train::{checked_name, lay_over};
use crate::{
    args::{Copy, Tables, Train},
    context::{Context, clock},
    failure::{CliError, CliResult, Outcome},
    interrupt,
    text::shell,
};

/// Pages of ours have this near their beginning.
const OURS: &str = "content=\"mintage copy\"";
/// Bytes of the beginning of a page that are searched for it.
const MARK_WITHIN_BYTES: u64 = 400;

pub fn run(args: &Copy, context: &mut Context) -> CliResult {
    let mut recipe = recipe(args, context)?;
    let page = page_of(args)?;
    check_target(args)?;
    recipe.data.hide_passwords();
    let data = context.open(&recipe.data, None)?;
    recipe.data = data.resolved(&recipe.data);
    let AnyData::Table(set) = &data else {
        return Err(CliError::new(
            format!("{} holds no table to copy", recipe.data.source),
            "`mintage train` and `mintage sample` make new data of other kinds",
        ));
    };
    resolve(&recipe, &data)?;
    let temporary = tempfile::tempdir().map_err(CliError::io("the folder for temporary files"))?;
    let dir = match &args.name {
        Some(name) => context.settings.runs.join(name),
        None => temporary.path().join("copy"),
    };
    if !learn(&recipe, &data, &dir, context)? {
        context.ui.always("interrupted: nothing was written");
        return Ok(Outcome::Interrupted);
    }
    let model = Model::load(&dir, &context.settings.device)?;
    let seed = context.settings.seed_or_fresh();
    let ui = &mut context.ui;
    let (rows, left_out) = draw(&model, set, seed, &mut |done, total| {
        ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
    })?;
    context.ui.clear();
    let report = check(set, &rows, left_out, &recipe.data);
    let failures = report.failures().join("; ");
    if args.safe && !report.passed() {
        let outcome = format!(
            "Nothing was written to {}: {failures}.",
            mintage_data::table::without_passwords(&args.target)
        );
        tell(&report, &outcome, &page, context)?;
        return Ok(Outcome::No);
    }
    let output = Output {
        table: args.into.clone().or_else(|| recipe.data.table.clone()),
        if_exists: args.if_exists.into(),
        ..Output::to(&args.target)
    };
    let provenance = model.provenance(seed, json!({ "copy": true, "safe": args.safe }));
    let sink = Sink::open(&output, &model, &context.settings.pg)?;
    let written = sink.write_samples(&Samples::Table(rows), &provenance)?;
    let place = format!("{} in {}", written.what, written.place);
    let outcome = match report.passed() {
        true => format!("{place}."),
        false => format!("{place}, written all the same since --safe was not asked for. {failures}."),
    };
    tell(&report, &outcome, &page, context)?;
    if args.name.is_some() {
        context.ui.field("model", &shell(&dir));
    }
    Ok(Outcome::Done)
}

/// The recipe of the flags.
fn recipe(args: &Copy, context: &Context) -> Result<Recipe, CliError> {
    let mut recipe = Recipe::for_source(&args.source);
    let flags = Train {
        target: Some(args.source.clone()),
        columns: args.columns.clone(),
        model: args.model,
        size: args.size,
        time: args.steps.is_none().then(|| args.time.clone()),
        steps: args.steps,
        name: None,
        tables: Tables::default(),
        keys: Vec::new(),
        resume: None,
        dry_run: false,
        yes: false,
        set: args.set.clone(),
    };
    lay_over(&mut recipe, &flags, context.settings.seed)?;
    recipe.data.kind.get_or_insert(DataKind::Table);
    if args.safe && recipe.data.text != TextMode::Redraw {
        // A value of few rows points at those few. Whoever wants real ones is told what comes of it.
        recipe.data.rare = Rare::Group;
    }
    recipe.train.budget()?;
    context.settings.device.open()?;
    args.name.as_deref().map(checked_name).transpose()?;
    Ok(recipe)
}

/// Learns with progress; whether it was not interrupted.
fn learn(recipe: &Recipe, data: &AnyData, dir: &Path, context: &mut Context) -> Result<bool, CliError> {
    let mut run = Run::create(dir, recipe)?;
    let clock = clock();
    let control = Control { stop: interrupt::watch(), clock: &clock };
    let Context { settings, ui } = context;
    let reason = train(recipe, data, &mut run, &settings.device, &control, &mut |event| ui.event(&event));
    ui.clear();
    Ok(reason? != StopReason::Interrupted)
}

/// Says what was found, on the page, in JSON and in a few lines.
fn tell(report: &CopyReport, outcome: &str, page: &Path, context: &mut Context) -> Result<(), CliError> {
    mintage_data::atomic_write(page, report.to_html(outcome)?.as_bytes()).map_err(CliError::io(page))?;
    let value = json!({ "passed": report.passed(), "outcome": outcome, "report": report });
    context.ui.out_json(&value)?;
    for check in &report.checks {
        let found = format!("{}: {} of {}", check.name, check.failed, check.checked);
        match check.passed {
            true => context.ui.field("passed", &found),
            false => context.ui.always(&format!("failed   {found} ({})", check.note)),
        }
    }
    context.ui.field("made", outcome);
    context.ui.field("page", &shell(page));
    Ok(())
}

/// Where the page goes; what lies there and is no page of ours stays.
fn page_of(args: &Copy) -> Result<PathBuf, CliError> {
    let page = match &args.page {
        Some(page) => page.clone(),
        None if args.target.contains("://") => PathBuf::from("copy.html"),
        None => path_of(&format!("{}.html", args.target)).into_owned(),
    };
    let mut beginning = Vec::new();
    if page.exists() {
        let file = mintage_data::open_regular(&page)?;
        file.take(MARK_WITHIN_BYTES).read_to_end(&mut beginning).map_err(CliError::io(&page))?;
        if !String::from_utf8_lossy(&beginning).contains(OURS) {
            let message = format!("{}: is there already, and is no page of a copy", page.display());
            return Err(CliError::new(message, "--page names another file"));
        }
    }
    Ok(page)
}

/// Finds what is wrong with the target before time is spent.
fn check_target(args: &Copy) -> Result<(), CliError> {
    if args.target.contains("://") {
        return Ok(());
    }
    let path = &*path_of(&args.target);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(CliError::new(
            format!("{}: there is no such folder", folder.display()),
            "make it, or name another target",
        ));
    }
    let database = [".db", ".sqlite", ".sqlite3"].iter().any(|end| args.target.ends_with(end));
    if path.exists() && IfExists::from(args.if_exists) == IfExists::Fail && !database {
        return Err(CliError::new(
            format!("{}: is there already", args.target),
            "choose --if-exists append or --if-exists replace",
        ));
    }
    Ok(())
}
