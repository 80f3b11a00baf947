//! `mintage train`: a new run from a source or a recipe, or the continuation of an old one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mintage::{
    AnyData, AnyModel, Event, Metrics, Recipe, Run, StopReason,
    database::is_database_run,
    events::{Advice, More},
    meaning::of_validation,
    model::ModelConfig,
    models::defaults::fill_in,
    nn::{Rng, layers::without_numbers},
    recipe::place_of,
    run::{RunFile, RunState},
    train::{Control, Resolved, resolve, resolve_run, train},
};
use mintage_data::{
    Detected, Error, KeySpec,
    names::{path_of, text_of},
};
use serde_json::json;

use super::sample_flags;
use crate::{
    args::{Tables, Train},
    context::{Context, clock, some_of},
    failure::{BadRecipe, CliError, CliResult, Outcome},
    interrupt,
    memory::refuse_too_large,
    text::{count, duration, shell, thousands},
    ui::list,
};

/// A run that used this share of its budget of time has used it up.
const NEARLY_ALL: f64 = 0.95;
/// No recipe is longer.
const MAX_RECIPE_BYTES: u64 = 16 << 20;

pub fn run(args: &Train, context: &mut Context) -> CliResult {
    match &args.resume {
        Some(name) => resume(args, name.as_deref(), context),
        None => fresh(args, context),
    }
}

fn fresh(args: &Train, context: &mut Context) -> CliResult {
    let (mut recipe, text) = recipe_of(args, context.settings.seed, context)?;
    args.name.as_deref().map(checked_name).transpose()?;
    refuse_several(&recipe)?;
    let (data, found) = context.open_to_learn(&recipe.data)?;
    recipe.data = data.resolved(&recipe.data);
    // Into the recipe of the run, which goes on with it whatever measures better by then.
    fill_in(&mut recipe, &data.info(), gives_size(args, &text))?;
    let resolved = resolve(&recipe, &data).map_err(|error| in_recipe(error, args, text))?;
    if args.dry_run {
        context.ui.kind(&found);
        return dry_run(recipe, &data, &found, &resolved, context);
    }
    refuse_too_large(&resolved)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => free_name(&context.settings.runs, resolved.config.family().name(), &recipe.data.source),
    };
    let run = Run::create(&context.settings.runs.join(name), &recipe)?;
    context.ui.kind(&found);
    run_training(&recipe, &data, run, context)
}

/// Whether the flags or the text of a recipe say which size.
fn gives_size(args: &Train, text: &str) -> bool {
    let is_size = |set: &String| {
        set.split_once('=').is_some_and(|(key, _)| ["size", "model.size"].contains(&key.trim()))
    };
    args.size.is_some() || args.set.iter().any(is_size) || place_of(text, "model.size").is_some()
}

/// What a recipe says of several tables has no place where one is learned.
fn refuse_several(recipe: &Recipe) -> Result<(), CliError> {
    let said = [
        ("[[data.keys]]", recipe.data.keys.is_empty()),
        ("`keep` of [data]", recipe.data.keep.is_empty()),
        ("`learn` of [data]", recipe.data.learn.is_empty()),
    ];
    match said.iter().find(|(_, is_empty)| !is_empty) {
        None => Ok(()),
        Some((what, _)) => {
            let hint = "--tables all learns the tables of the database together";
            Err(CliError::new(format!("{what} is for whole databases"), hint))
        }
    }
}

/// The recipe that the flags name, with them laid over it, and its text. Whatever is wrong with the flags shows before the
/// data are read, with the recipe before a folder is made.
pub(super) fn recipe_of(
    args: &Train,
    seed: Option<u64>,
    context: &mut Context,
) -> Result<(Recipe, String), CliError> {
    let (mut recipe, text) = match args.target.as_deref() {
        Some(target) if target.ends_with(".toml") => {
            let (mut recipe, text) = read_recipe(&path_of(target))?;
            recipe.data.hide_passwords();
            context.ask_before_contact(&mut recipe.data, "the recipe", args.yes)?;
            (recipe, text)
        }
        target => (Recipe::for_source(target.unwrap_or_default()), String::new()),
    };
    lay_over(&mut recipe, args, seed)?;
    recipe.train.budget()?;
    context.settings.device.open()?;
    // A password has no place in the files of a run: going on with it takes PGPASSWORD.
    recipe.data.hide_passwords();
    Ok((recipe, text))
}

/// Reads a recipe and its text; a relative source that is not here may lie beside the recipe.
fn read_recipe(path: &Path) -> Result<(Recipe, String), CliError> {
    if !path.exists() {
        let message = format!("{}: there is no such recipe", path.display());
        return Err(CliError::new(message, "`mintage init SOURCE` writes one"));
    }
    let text = mintage_data::read_text(path, MAX_RECIPE_BYTES)?;
    let mut recipe = match Recipe::parse(&text) {
        Ok(recipe) => recipe,
        Err(error) => {
            let file = path.display().to_string();
            return Err(CliError::Recipe(Box::new(BadRecipe { file, text, error })));
        }
    };
    let beside = path.parent().map(|dir| dir.join(recipe.data.path())).filter(|p| p.exists());
    if let Some(beside) = beside
        && !recipe.data.path().exists()
    {
        recipe.data.source = text_of(beside.as_os_str());
    }
    Ok((recipe, text))
}

/// Shows the place in the recipe's text, where the error is about a key that stands there and no flag
/// took its place.
fn in_recipe(error: mintage::Error, args: &Train, text: String) -> CliError {
    let mintage::Error::Recipe(mut error) = error else { return error.into() };
    let key = error.key.as_deref().filter(|key| {
        let name = key.trim_start_matches("model.");
        !args.set.iter().any(|set| set.split_once('=').is_some_and(|(set, _)| set.trim().ends_with(name)))
    });
    error.span = key.and_then(|key| place_of(&text, key));
    if error.span.is_none() {
        return error.into();
    }
    let file = args.target.clone().unwrap_or_default();
    CliError::Recipe(Box::new(BadRecipe { file, text, error }))
}

/// Lays the flags over the recipe: named ones first, `-s` last.
pub(super) fn lay_over(recipe: &mut Recipe, args: &Train, seed: Option<u64>) -> Result<(), CliError> {
    let columns = args.columns.clone();
    let flags = [
        (&mut recipe.data.table, columns.table),
        (&mut recipe.data.query, columns.query),
        (&mut recipe.data.column, columns.column),
        (&mut recipe.data.label, columns.label),
        (&mut recipe.data.holdout, columns.holdout),
    ];
    for (place, flag) in flags {
        if flag.is_some() {
            *place = flag;
        }
    }
    args.columns.describe(&mut recipe.data);
    let keys = args.keys.iter().map(|text| KeySpec::parse(text));
    recipe.data.keys.extend(keys.collect::<Result<Vec<KeySpec>, Error>>()?);
    choose_tables(recipe, &args.tables);
    recipe.data.strict |= columns.strict;
    recipe.data.lossy |= columns.lossy;
    recipe.data.kind = columns.kind.map(Into::into).or(recipe.data.kind);
    if let Some(choice) = args.model {
        recipe.model.family = choice.family();
    }
    if let Some(size) = args.size {
        recipe.model.size = size.into();
    }
    recipe.train.seed = seed.unwrap_or(recipe.train.seed);
    set_budget(recipe, args);
    for assignment in &args.set {
        recipe.set(assignment)?;
    }
    Ok(())
}

/// Adds the tables that the flags keep or learn, which have the last word on those of the recipe.
fn choose_tables(recipe: &mut Recipe, tables: &Tables) {
    let data = &mut recipe.data;
    data.keep.retain(|name| !tables.learn.contains(name));
    data.learn.retain(|name| !tables.keep.contains(name));
    data.keep.extend_from_slice(&tables.keep);
    data.learn.extend_from_slice(&tables.learn);
    data.limit = tables.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)).or(data.limit);
}

fn set_budget(recipe: &mut Recipe, args: &Train) {
    if let Some(time) = &args.time {
        recipe.train.time.clone_from(time);
        recipe.train.steps = None;
    }
    if args.steps.is_some() {
        recipe.train.steps = args.steps;
    }
}

/// Prints the recipe with every option written out.
fn dry_run(
    mut recipe: Recipe,
    data: &AnyData,
    found: &Detected,
    resolved: &Resolved,
    context: &mut Context,
) -> CliResult {
    let Resolved { config, info, .. } = resolved;
    let family_why = recipe.model.why.take();
    recipe.model.family = Some(config.family());
    // JSON numbers, texts, booleans and lists are TOML as well.
    for (key, value) in json!(config).as_object().into_iter().flatten() {
        if !["kind", "family"].contains(&key.as_str()) && !value.is_null() {
            recipe.set(&format!("model.{key}={value}"))?;
        }
    }
    let device = context.settings.device.open()?;
    let model = without_numbers(|| AnyModel::new(config, info, &device, &mut Rng::new(recipe.train.seed, 0)));
    let parameters = model.parameters();
    context.ui.field("data", &data.describe());
    data.notes().iter().for_each(|note| context.ui.warn(note));
    data.makings().iter().for_each(|making| context.ui.field("", making));
    context.ui.rules(&data.rules());
    family_why.iter().for_each(|why| context.ui.field("family", why));
    context.ui.field("model", &format!("{}, {} parameters", config.family().name(), thousands(parameters)));
    if context.ui.wants_json() {
        let mut value = json!({
            "recipe": recipe,
            "kind": found.kind,
            "why": found.why,
            "data": data.describe(),
            "makings": data.makings(),
            "rules": data.rules(),
            "parameters": parameters,
        });
        if let Some(why) = family_why {
            value["family_why"] = json!(why);
        }
        context.ui.out_json(&value)?;
    } else {
        context.ui.out(&recipe.to_toml_without(data.irrelevant_keys()))?;
    }
    Ok(Outcome::Done)
}

/// A name that stays inside the folder of the runs.
pub(super) fn checked_name(name: &str) -> Result<&str, CliError> {
    let bad = name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']);
    match bad {
        true => Err(CliError::new(
            format!("`{name}` cannot be the name of a run"),
            "it becomes the name of a folder; choose the folder it lies in with --runs",
        )),
        false => Ok(name),
    }
}

/// What a source is called, for names of folders.
pub(super) fn stem_of(source: &str) -> String {
    let stem = Path::new(source).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    let stem: String = stem.chars().map(plain).collect();
    match stem.trim_matches('-') {
        "" => "data".to_owned(),
        stem => stem.to_owned(),
    }
}

/// FAMILY-SOURCE-N with the first N that is free.
pub(super) fn free_name(runs: &Path, family: &str, source: &str) -> String {
    let stem = stem_of(source);
    let names = (1u32..).map(|n| format!("{family}-{stem}-{n}"));
    names.into_iter().find(|name| !runs.join(name).exists()).unwrap_or_default()
}

fn resume(args: &Train, name: Option<&str>, context: &mut Context) -> CliResult {
    let others = args.model.is_some()
        || args.size.is_some()
        || !args.set.is_empty()
        || context.settings.seed.is_some()
        || args.columns.are_given();
    if others {
        return Err(CliError::new(
            "a run is resumed as it was begun",
            "only its budget can change: --time adds to what was spent, --steps says at which step to end",
        ));
    }
    let dir = match name {
        Some(name) => context.model_dir(name)?,
        None => latest(&context.settings.runs)?,
    };
    let run = Run::open(&dir)?;
    if is_database_run(&dir) {
        // Its recipe names no table: what it finds in the source would be learned into a folder of other models.
        let name = shell(Path::new(&run.name()));
        return Err(CliError::new(
            format!("{name} is of a whole database, which is not resumed"),
            format!("one that is not finished goes on by the same `mintage train` with --name {name}"),
        ));
    }
    let mut recipe = run.recipe()?;
    let file = run.file()?;
    let ended = match file.ended {
        None if spent(&file, &recipe)?.is_none() => StopReason::Early,
        None => StopReason::Budget,
        Some(reason) => reason,
    };
    set_budget(&mut recipe, args);
    if args.time.is_some() {
        // The time comes on top of what was spent.
        let more = recipe.train.budget()?.unwrap_or_default();
        recipe.train.time = format!("{:.3}s", more.as_secs_f64() + file.train_secs);
    }
    if file.state == RunState::Done {
        check_budget(&run, &recipe, ended, args.time.is_some() || args.steps.is_some())?;
    }
    context.ask_before_contact(&mut recipe.data, "the run", args.yes)?;
    let (data, found) = context.open_to_learn(&recipe.data)?;
    let resolved = resolve_run(&recipe, &data, &run)?;
    context.ui.kind(&found);
    if args.dry_run {
        return dry_run(recipe, &data, &found, &resolved, context);
    }
    refuse_too_large(&resolved)?;
    let run = Run::resume(&dir)?;
    let path = dir.join("recipe.toml");
    mintage_data::atomic_write(&path, recipe.to_toml().as_bytes()).map_err(CliError::io(path))?;
    run_training(&recipe, &data, run, context)
}

/// An error when a finished run has used up its budget and was given no more, or would stop as it did before.
fn check_budget(run: &Run, recipe: &Recipe, ended: StopReason, more: bool) -> Result<(), CliError> {
    let (name, file) = (run.name(), run.file()?);
    let all = || {
        recipe.train.steps.map_or_else(|| duration(file.train_secs), |_| count(file.step as usize, "step"))
    };
    let used = spent(&file, recipe)?;
    match used.or_else(|| (ended == StopReason::Budget && !more).then(all)) {
        Some(used) => Err(CliError::new(
            format!("{name} has used up its budget ({used})"),
            "--time gives it more time, --steps a later step to end at",
        )),
        None if ended == StopReason::Early => Err(CliError::new(
            format!("{name} is done: validation had stopped improving"),
            "start another run",
        )),
        None if ended == StopReason::Enough && recipe.train.steps.is_none() => Err(CliError::new(
            format!("{name} is done: more steps would only learn the items by heart"),
            "--steps trains on all the same",
        )),
        None => Ok(()),
    }
}

/// What the run has used, where that is all that the recipe gives it.
fn spent(file: &RunFile, recipe: &Recipe) -> Result<Option<String>, CliError> {
    Ok(match (recipe.train.steps, recipe.train.budget()?) {
        (Some(steps), _) => (file.step >= steps).then(|| count(file.step as usize, "step")),
        // What ends a run is paid for out of its budget and may take less than was kept back.
        (None, Some(time)) => {
            (file.train_secs >= NEARLY_ALL * time.as_secs_f64()).then(|| duration(file.train_secs))
        }
        (None, None) => None,
    })
}

/// The run that was trained last, of those that are not done.
fn latest(runs: &Path) -> Result<PathBuf, CliError> {
    let all = Run::list(runs)?;
    let open = all.iter().filter(|run| run.state != RunState::Done);
    let changed = |dir: &Path| fs::metadata(dir.join("run.json")).and_then(|m| m.modified()).ok();
    if let Some(run) = open.max_by_key(|run| changed(&run.dir)) {
        return Ok(run.dir.clone());
    }
    let message = format!("no run in {} is waiting to be resumed", runs.display());
    let names: Vec<&str> = all.iter().map(|run| run.name.as_str()).collect();
    Err(match names.is_empty() {
        true => CliError::new(message, "`mintage train SOURCE` begins one"),
        false => CliError::new(
            message,
            format!("--resume NAME --time … continues one that is done: {}", some_of(&names)),
        ),
    })
}

/// How training ended.
pub struct TrainSummary {
    pub reason: StopReason,
    pub step: u64,
    pub secs: f64,
    pub valid: Option<Metrics>,
    pub advice: Option<Advice>,
}

/// Trains with progress on stderr and events where `--json` says; Ctrl-C stops after the present step.
pub fn learn(
    recipe: &Recipe,
    data: &AnyData,
    run: &mut Run,
    context: &mut Context,
) -> Result<TrainSummary, CliError> {
    let stop = interrupt::watch();
    let clock = clock();
    let control = Control { stop, clock: &clock };
    let mut end = (0, 0.0, None, None);
    let Context { settings, ui } = context;
    let reason = train(recipe, data, run, &settings.device, &control, &mut |event| {
        ui.event(&event);
        if let Err(failure) = ui.stream(&event) {
            ui.warn(&failure.text(false));
        }
        if let Event::Done { step, secs, valid, advice, .. } = event {
            end = (step, secs, valid, advice);
        }
    });
    ui.clear();
    let (step, secs, valid, advice) = end;
    Ok(TrainSummary { reason: reason?, step, secs, valid, advice })
}

/// Trains, and says at the end where the run is, what it scored and what to type next.
fn run_training(recipe: &Recipe, data: &AnyData, mut run: Run, context: &mut Context) -> CliResult {
    let TrainSummary { reason, step, secs, valid, advice } = learn(recipe, data, &mut run, context)?;
    let dir = shell(run.dir());
    let steps = thousands(step as usize);
    let ui = &context.ui;
    let yes = if recipe.data.source.contains("://") { " --yes" } else { "" };
    if reason == StopReason::Interrupted {
        ui.field("saved", &format!("{dir} at step {steps}"));
        ui.field("next", &format!("mintage train --resume {dir}{yes}"));
        return Ok(Outcome::Interrupted);
    }
    let early = match reason {
        StopReason::Early => ", validation had stopped improving",
        StopReason::Enough => ", more would learn rows by heart",
        StopReason::Budget | StopReason::Interrupted => "",
    };
    ui.field("made", &format!("{dir} ({steps} steps in {}{early})", duration(secs)));
    ui.field("valid", &scored(valid.as_ref()));
    if let (Some(config), Some(valid)) = (ModelConfig::load(run.dir()).ok(), &valid) {
        meaning(&config, valid).iter().for_each(|said| ui.field("", said));
    }
    advice.iter().for_each(|advice| ui.field("outlook", &advice.text));
    ui.field("next", &format!("mintage sample {dir} {}", sample_flags(&data.info())));
    ui.field("", &format!("mintage evaluate {dir}"));
    if let Some(more) = advice.and_then(|advice| advice.more) {
        ui.field("", &format!("mintage train --resume {dir} {}{yes}", prolonging(more, step)));
    }
    Ok(Outcome::Done)
}

/// The flag that prolongs a run of so many steps: `--time` adds, `--steps` says where to end.
fn prolonging(more: More, step: u64) -> String {
    match more {
        // Without days, which `--time` does not know.
        More::Secs(secs) if secs.is_multiple_of(3600) => format!("--time {}h", secs / 3600),
        More::Secs(secs) if secs.is_multiple_of(60) => format!("--time {}m", secs / 60),
        More::Secs(secs) => format!("--time {secs}s"),
        More::Steps(steps) => format!("--steps {}", step + steps),
    }
}

/// What the number that validation watches means.
pub(super) fn meaning(config: &ModelConfig, valid: &Metrics) -> Option<String> {
    let (name, value) = valid.0.first()?;
    of_validation(&config.model, &config.info, name, *value)
}

fn scored(valid: Option<&Metrics>) -> String {
    valid.map_or_else(|| "this family has no validation loss; evaluate it".to_owned(), list)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage::recipe::parse_duration;

    use super::*;

    #[test]
    fn flags_that_prolong_a_run_are_read_as_they_are_meant() {
        for (secs, flag) in
            [(10, "--time 10s"), (720, "--time 12m"), (5_400, "--time 90m"), (90_000, "--time 25h")]
        {
            let said = prolonging(More::Secs(secs), 500);
            assert_eq!(said, flag);
            assert_eq!(parse_duration(&said["--time ".len()..]).unwrap().as_secs(), secs);
        }
        assert_eq!(prolonging(More::Steps(1_300), 500), "--steps 1800");
    }

    #[test]
    fn names_of_runs() {
        let runs = Path::new("no such folder");
        assert_eq!(free_name(runs, "vae", "data/my shop.db"), "vae-my-shop-1");
        assert_eq!(free_name(runs, "gan", "photos/"), "gan-photos-1");
        assert_eq!(free_name(runs, "gan", ".."), "gan-data-1");
        assert!(checked_name("../x").is_err() && checked_name("").is_err() && checked_name("a b").is_ok());
    }
}
