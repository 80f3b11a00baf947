//! `mintage sweep`: several families, sizes and seeds with equal budgets, one run after another, and a table over all.
//!
//! The plan is written before the first run begins, and what is done is read off the folders of the runs: a sweep that is
//! killed at any moment goes on where it was, and with a budget of steps comes to the same table.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Instant,
};

use mintage::{
    AnyData, Event, Family, Model, Recipe, Run, Size, StopReason,
    evaluate::Options,
    run,
    train::{Control, Resolved, resolve, train},
};
use mintage_data::names::path_of;
use serde_json::json;

use super::{
    evaluate::judged,
    exports,
    train::{checked_name, recipe_of, stem_of},
};
use crate::{
    args::{Sweep, Tables, Train},
    comparison::{Comparison, Failed, Member},
    context::{Context, clock, some_of},
    failure::{CliError, CliResult, Outcome},
    interrupt,
    memory::refuse_too_large,
    report_view,
    sweep_plan::{self, Cell, Judging, Plan, Stage, cleared, seeds},
    text::{Table, count, duration, number, shell, thousands},
};

/// How long a dry run tries out each model, to tell how fast it is.
const TRIAL_TIME: &str = "2s";

pub fn run(args: &Sweep, context: &mut Context) -> CliResult {
    if args.n == Some(0) {
        return Err(CliError::message("-n must be at least 1"));
    }
    match &args.resume {
        Some(name) => resume(args, name, context),
        None => fresh(args, context),
    }
}

fn fresh(args: &Sweep, context: &mut Context) -> CliResult {
    let seeds = seeds(&args.seeds)?;
    let models = families(args)?;
    args.name.as_deref().map(checked_name).transpose()?;
    let (mut recipe, _) = recipe_of(&flags(args), None, context)?;
    refuse_without_budget(args)?;
    let data = context.open(&recipe.data, None)?;
    recipe.data = data.resolved(&recipe.data);
    let models = match (models, recipe.model.family) {
        (models, _) if !models.is_empty() => models,
        (_, Some(family)) => vec![family],
        _ => all_families(&recipe, &data),
    };
    let mut sizes: Vec<Size> = args.sizes.iter().map(|&size| size.into()).collect();
    if sizes.is_empty() {
        sizes.push(recipe.model.size);
    }
    // They are those of each run, and no part of what all runs share.
    (recipe.model.family, recipe.model.size, recipe.train.seed) = (None, Size::default(), 1);
    let judging = Judging { n: args.n, seed: context.settings.seed_or_default() };
    let name = args.name.clone().unwrap_or_else(|| format!("sweep-{}", stem_of(&recipe.data.source)));
    let plan = Plan::new(recipe, unique(models), unique(sizes), seeds, judging, data.describe());
    let dir = context.settings.runs.join(name);
    let is_there = refuse_another(&plan, &dir)?;
    let sweep = Running::new(plan, dir, &data)?;
    if args.dry_run {
        return sweep.dry_run(&data, context);
    }
    if is_there {
        context.ui.field("sweep", &format!("{}: the plan is the same, going on with it", shell(&sweep.dir)));
    }
    sweep.run_all(args, &data, context)
}

fn resume(args: &Sweep, name: &str, context: &mut Context) -> CliResult {
    let others = !args.models.is_empty()
        || !args.sizes.is_empty()
        || args.seeds != "3"
        || args.time.is_some()
        || args.steps.is_some()
        || args.n.is_some()
        || !args.set.is_empty()
        || context.settings.seed.is_some()
        || args.columns.are_given();
    if others {
        return Err(CliError::new(
            "a sweep is resumed as it was begun",
            "its plan is in sweep.json; another plan is another sweep",
        ));
    }
    let runs = context.settings.runs.clone();
    let dir = sweep_plan::find(&path_of(name), &runs).ok_or_else(|| no_sweep(name, &runs))?;
    let plan = Plan::read(&dir)?;
    let mut spec = plan.recipe.data.clone();
    context.ask_before_contact(&mut spec, "the sweep", args.yes)?;
    let data = context.open(&spec, None)?;
    if data.describe() != plan.data {
        return Err(CliError::new(
            format!("the data have changed: {} in the sweep, {} now", plan.data, data.describe()),
            "runs of different data do not compare: put the data back, or begin another sweep with --name",
        ));
    }
    let sweep = Running::new(plan, dir, &data)?;
    match args.dry_run {
        true => sweep.dry_run(&data, context),
        false => sweep.run_all(args, &data, context),
    }
}

fn no_sweep(name: &str, runs: &Path) -> CliError {
    let folders = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut names: Vec<String> = folders
        .filter(|entry| entry.path().join(run::SWEEP_FILE).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = match names.is_empty() {
        true => {
            format!("there are no sweeps in {}: `mintage sweep SOURCE --time 5m` begins one", runs.display())
        }
        false => format!("the sweeps are {}", some_of(&names)),
    };
    CliError::new(format!("no sweep `{name}`"), hint)
}

/// The families that were named.
fn families(args: &Sweep) -> Result<Vec<Family>, CliError> {
    let named = args.models.iter().map(|choice| choice.family());
    named.collect::<Option<Vec<_>>>().ok_or_else(|| {
        CliError::new("--models takes families, and auto is none", "`mintage models` shows them")
    })
}

/// All that work for the data.
fn all_families(recipe: &Recipe, data: &AnyData) -> Vec<Family> {
    let works = |family: &Family| {
        let mut plain = Recipe { data: recipe.data.clone(), ..Recipe::for_source("") };
        plain.model.family = Some(*family);
        resolve(&plain, data).is_ok()
    };
    Family::ALL.into_iter().filter(works).collect()
}

/// The flags as `mintage train` has them.
fn flags(args: &Sweep) -> Train {
    Train {
        target: args.target.clone(),
        columns: args.columns.clone(),
        model: None,
        size: None,
        time: args.time.clone(),
        steps: args.steps,
        name: None,
        tables: Tables::default(),
        keys: Vec::new(),
        resume: None,
        dry_run: false,
        yes: args.yes,
        set: args.set.clone(),
    }
}

/// Nobody wants the default of a single run times the number of runs by accident.
fn refuse_without_budget(args: &Sweep) -> Result<(), CliError> {
    let by_option = args.set.iter().any(|set| {
        let key = set.split('=').next().unwrap_or_default().trim();
        ["train.time", "train.steps"].contains(&key)
    });
    let by_recipe = args.target.as_deref().is_some_and(|target| target.ends_with(".toml"));
    match args.time.is_some() || args.steps.is_some() || by_option || by_recipe {
        true => Ok(()),
        false => Err(CliError::new(
            "a sweep needs a budget, which every run gets",
            "--time 5m, or --steps 2000 for a table that is the same whenever it is made",
        )),
    }
}

/// Whether the sweep is there already; an error where what is there is something else.
fn refuse_another(plan: &Plan, dir: &Path) -> Result<bool, CliError> {
    if dir.join(run::SWEEP_FILE).is_file() {
        let differences = Plan::read(dir)?.differences(plan);
        return match differences.is_empty() {
            true => Ok(true),
            false => Err(CliError::new(
                format!("{}: is a sweep with another plan: {}", shell(dir), differences.join("; ")),
                "--name NAME begins another one; --resume goes on with that one as it was planned",
            )),
        };
    }
    // A kill before the plan was there leaves a lock and perhaps half of the plan.
    let other = |entry: fs::DirEntry| !sweep_plan::is_own_file(&entry.file_name().to_string_lossy());
    match fs::read_dir(dir).is_ok_and(|entries| entries.flatten().any(other)) {
        true => Err(CliError::new(
            format!("{}: exists already, and is no sweep", shell(dir)),
            "choose another --name",
        )),
        false => Ok(false),
    }
}

/// Each once, in the order given.
fn unique<T: PartialEq>(all: Vec<T>) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for one in all {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

/// A sweep in its folder, on its way.
struct Running {
    plan: Plan,
    dir: PathBuf,
    cells: Vec<Cell>,
    /// What cannot be trained, and why; in the order of the runs.
    failed: Vec<(Cell, String)>,
    /// Seconds that each run took that was trained and judged from beginning to end.
    took: Vec<f64>,
}

impl Running {
    /// An error where nothing at all of the plan can be trained.
    fn new(plan: Plan, dir: PathBuf, data: &AnyData) -> Result<Self, CliError> {
        let cells = plan.cells();
        let (mut failed, mut first) = (Vec::new(), None);
        for &cell in &cells {
            if let Err(error) = resolved(&plan, cell, data) {
                failed.push((cell, words(&error)));
                first = first.or(Some(error));
            }
        }
        match first {
            Some(error) if failed.len() == cells.len() => Err(error),
            _ => Ok(Self { plan, dir, cells, failed, took: Vec::new() }),
        }
    }

    fn name(&self) -> String {
        self.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Trains and judges whatever is missing, and shows what came out.
    fn run_all(mut self, args: &Sweep, data: &AnyData, context: &mut Context) -> CliResult {
        fs::create_dir_all(&self.dir).map_err(CliError::io(&self.dir))?;
        let lock = run::lock(&self.dir)?;
        if !self.dir.join(run::SWEEP_FILE).is_file() {
            self.plan.write(&self.dir)?;
        }
        context.ui.field("data", &self.plan.data);
        context.ui.field("sweep", &format!("{} in {}", self.in_words(), shell(&self.dir)));
        // From now on Ctrl-C ends things in order.
        let stop = interrupt::watch();
        for (at, cell) in self.cells.clone().into_iter().enumerate() {
            let done = match self.why_failed(cell).map(str::to_owned) {
                Some(why) => {
                    context.ui.warn(&format!("{}: {why}", cell.words()));
                    continue;
                }
                None => self.one(at, cell, data, context),
            };
            if let Err(failure) = done {
                context.ui.clear();
                let why = words(&failure);
                context.ui.warn(&format!("{} failed: {why}", cell.words()));
                self.failed.push((cell, why));
            }
            if stop.load(Ordering::Relaxed) && !self.is_complete() {
                let yes = if self.plan.recipe.data.source.contains("://") { " --yes" } else { "" };
                context.ui.field("next", &format!("mintage sweep --resume {}{yes}", shell(&self.dir)));
                return Ok(Outcome::Interrupted);
            }
        }
        drop(lock);
        self.show(args, context)
    }

    fn is_complete(&self) -> bool {
        let judged = |cell: &Cell| self.plan.stage(&self.dir.join(cell.name())) == Stage::Judged;
        self.cells.iter().all(|cell| judged(cell) || self.why_failed(*cell).is_some())
    }

    /// "12 runs, 40 steps each: vae, gan; tiny; seeds 1, 2, 3".
    fn in_words(&self) -> String {
        let Plan { recipe, models, sizes, seeds, .. } = &self.plan;
        let budget = match recipe.train.steps {
            Some(steps) => count(steps as usize, "step"),
            None => recipe.train.time.clone(),
        };
        let models: Vec<&str> = models.iter().map(|family| family.name()).collect();
        let sizes: Vec<&str> = sizes.iter().map(|size| size.name()).collect();
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
        format!(
            "{} of {budget} each: {}; {}; {} {}",
            count(self.cells.len(), "run"),
            models.join(", "),
            sizes.join(", "),
            if seeds.len() == 1 { "seed" } else { "seeds" },
            some_of(&seeds)
        )
    }

    /// Brings one run to its end, from wherever it is.
    fn one(&mut self, at: usize, cell: Cell, data: &AnyData, context: &mut Context) -> Result<(), CliError> {
        let dir = self.dir.join(cell.name());
        let title = format!("{} of {}: {}", at + 1, self.cells.len(), cell.words());
        let (began, stage) = (Instant::now(), self.plan.stage(&dir));
        if stage == Stage::Judged {
            self.refuse_changed(cell, &dir)?;
            context.ui.field("done", &title);
            return Ok(());
        }
        context.ui.field("run", &title);
        if stage != Stage::Trained && self.learn(at, cell, data, context)? == StopReason::Interrupted {
            return Ok(());
        }
        self.refuse_changed(cell, &dir)?;
        if interrupt::watch().load(Ordering::Relaxed) {
            return Ok(());
        }
        let model = Model::load(&dir, &context.settings.device)?;
        let Judging { n, seed } = self.plan.evaluate;
        let options =
            Options { n, seed, cache: Some(context.settings.runs.join(".cache")), ..Options::default() };
        let report = judged(&model, data, &options, &format!("{title}, evaluating"), context)?;
        report.save(&dir)?;
        let secs = began.elapsed().as_secs_f64();
        if stage == Stage::New {
            self.took.push(secs);
        }
        let (scores, steps) = (report_view::in_short(&json!(report)), thousands(model.config.step as usize));
        context.ui.field("", &format!("{scores} ({steps} steps and the evaluation in {})", duration(secs)));
        Ok(())
    }

    /// Trains a run, from its last checkpoint where it has one.
    fn learn(
        &self,
        at: usize,
        cell: Cell,
        data: &AnyData,
        context: &mut Context,
    ) -> Result<StopReason, CliError> {
        refuse_too_large(&resolved(&self.plan, cell, data)?)?;
        let (recipe, dir) = (self.plan.recipe_of(cell), self.dir.join(cell.name()));
        let mut run = match self.plan.stage(&dir) {
            Stage::New => Run::create(&cleared(&self.dir, cell)?, &recipe)?,
            Stage::Begun | Stage::Trained | Stage::Judged => {
                self.refuse_changed(cell, &dir)?;
                Run::resume(&dir)?
            }
        };
        let clock = clock();
        let control = Control { stop: interrupt::watch(), clock: &clock };
        let title = format!("{} of {}: {}", at + 1, self.cells.len(), cell.words());
        let Context { settings, ui } = context;
        let reason = train(&recipe, data, &mut run, &settings.device, &control, &mut |event| match event {
            Event::Step { step, progress, metrics, eta_secs, .. } => {
                let loss = metrics.0.first().map(|(name, value)| format!(" · {name} {}", number(*value)));
                let left =
                    self.left(at, progress, eta_secs).map(|secs| format!(" · {} left", duration(secs)));
                let steps = thousands(step as usize);
                let (loss, left) = (loss.unwrap_or_default(), left.unwrap_or_default());
                ui.part(&title, progress, &format!("step {steps}{loss}{left}"));
            }
            // The sweep says once what all have in common, and the run itself when it has been judged.
            Event::Plan(_) | Event::Stage { .. } | Event::Done { .. } => {}
            other => ui.event(&other),
        });
        ui.clear();
        Ok(reason?)
    }

    /// About how long the whole takes from here, by what earlier runs took; before the first one is done, by the budget.
    fn left(&self, at: usize, progress: f64, eta_secs: Option<f64>) -> Option<f64> {
        let after = (self.cells.len() - at - 1) as f64;
        let mean = self.took.iter().sum::<f64>() / self.took.len() as f64;
        match (self.took.is_empty(), self.plan.recipe.train.budget().ok().flatten()) {
            (false, _) => Some(mean * (after + 1.0 - progress)),
            (true, Some(budget)) => Some(eta_secs? + after * budget.as_secs_f64()),
            (true, None) => Some(eta_secs? + after * eta_secs? / (1.0 - progress).max(1e-3)),
        }
    }

    /// An error where a run is not what the plan says any more: it was given more time, say.
    fn refuse_changed(&self, cell: Cell, dir: &Path) -> Result<(), CliError> {
        let (is, planned) = (Run::open(dir)?.recipe()?, self.plan.recipe_of(cell));
        match is.to_toml() == planned.to_toml() {
            true => Ok(()),
            false => Err(CliError::new(
                "its recipe is not that of the sweep any more, and budgets would not be equal",
                format!("`mintage rm {}` lets the sweep train it anew", shell(dir)),
            )),
        }
    }

    /// The table, and the files that were asked for.
    fn show(self, args: &Sweep, context: &mut Context) -> CliResult {
        let whole = self.cells.iter().filter(|cell| self.why_failed(**cell).is_none());
        let members =
            whole.map(|cell| Member::read(self.dir.join(cell.name()))).collect::<Result<Vec<_>, _>>()?;
        let failures = self.failed.iter().map(|(cell, why)| Failed {
            family: cell.family.name().to_owned(),
            size: cell.size.name().to_owned(),
            seed: cell.seed,
            why: why.clone(),
        });
        let comparison = Comparison::of(members, failures.collect());
        if context.ui.wants_json() {
            context.ui.out_json(&json!({
                "sweep": self.name(), "dir": self.dir, "plan": self.plan, "groups": comparison.to_json(),
                "notes": comparison.notes(),
            }))?;
        } else {
            context.ui.out(&exports::text(&comparison))?;
        }
        let about = [
            format!("{} · {}", self.plan.recipe.data.source, self.plan.data),
            self.in_words(),
            judging_of(&comparison),
        ];
        let commands = [format!("mintage sweep --resume {}", shell(&self.dir))];
        exports::write(&args.exports, &comparison, &self.name(), &about, &commands, context)?;
        let dir = shell(&self.dir);
        context.ui.field("made", &dir);
        if args.exports.html.is_none() {
            context.ui.field("next", &format!("mintage compare {dir} --html sweep.html"));
        }
        match self.failed.len() {
            0 => Ok(Outcome::Done),
            n => Err(CliError::new(
                format!("{} of {} failed", n, count(self.cells.len(), "run")),
                format!("the lines above say why; `mintage sweep --resume {dir}` tries again"),
            )),
        }
    }

    /// Says what would be done, and about how long it would take.
    fn dry_run(&self, data: &AnyData, context: &mut Context) -> CliResult {
        let mut rates = BTreeMap::new();
        let mut table = Table::new(["run", "state", "parameters", "training"]);
        let (mut rows, mut total) = (Vec::new(), 0.0);
        for &cell in &self.cells {
            let state = self.state(cell);
            let parameters = match self.why_failed(cell) {
                None => Some(self.parameters(cell, data, context)?),
                Some(_) => None,
            };
            let secs = self.training_secs(cell, &mut rates, data, context)?;
            total += secs.unwrap_or(0.0);
            rows.push(
                json!({ "run": cell.name(), "state": state, "parameters": parameters, "train_secs": secs }),
            );
            let dash = || "–".to_owned();
            let (shown, time) = (parameters.map_or_else(dash, thousands), secs.map_or_else(dash, duration));
            table.row([cell.name(), state, shown, time]);
        }
        context.ui.clear();
        context.ui.field("data", &self.plan.data);
        context.ui.field("sweep", &format!("{} in {}", self.in_words(), shell(&self.dir)));
        if context.ui.wants_json() {
            context.ui.out_json(&json!({ "plan": self.plan, "runs": rows, "train_secs": total }))?;
        } else {
            context.ui.out(&table.text())?;
        }
        let by = if rates.is_empty() { "" } else { ", by the speed of a few steps of each" };
        context
            .ui
            .field("time", &format!("about {} of training{by}; evaluations come on top", duration(total)));
        Ok(Outcome::Done)
    }

    fn why_failed(&self, cell: Cell) -> Option<&str> {
        self.failed.iter().find(|(failed, _)| *failed == cell).map(|(_, why)| why.as_str())
    }

    /// How far a run is, in words.
    fn state(&self, cell: Cell) -> String {
        match (self.why_failed(cell), self.plan.stage(&self.dir.join(cell.name()))) {
            (Some(why), _) => format!("fails: {why}"),
            (None, Stage::New) => "to be trained".to_owned(),
            (None, Stage::Begun) => "begun".to_owned(),
            (None, Stage::Trained) => "to be judged".to_owned(),
            (None, Stage::Judged) => "done".to_owned(),
        }
    }

    /// How long a run is to be trained, at most; nothing where it is not. `rates` are the seconds of a step, by models that
    /// have been tried out.
    fn training_secs(
        &self,
        cell: Cell,
        rates: &mut BTreeMap<(&'static str, &'static str), f64>,
        data: &AnyData,
        context: &mut Context,
    ) -> Result<Option<f64>, CliError> {
        let stage = self.plan.stage(&self.dir.join(cell.name()));
        if self.why_failed(cell).is_some() || matches!(stage, Stage::Trained | Stage::Judged) {
            return Ok(None);
        }
        let train = &self.plan.recipe.train;
        if let Some(budget) = train.budget()? {
            return Ok(Some(budget.as_secs_f64()));
        }
        let key = (cell.family.name(), cell.size.name());
        let rate = match rates.get(&key) {
            Some(rate) => *rate,
            None => {
                context.ui.part("trying out", 0.0, &format!("{} {}", key.0, key.1));
                *rates.entry(key).or_insert(self.secs_a_step(cell, data, context)?)
            }
        };
        Ok(Some(rate * train.steps.unwrap_or(0) as f64))
    }

    fn parameters(&self, cell: Cell, data: &AnyData, context: &Context) -> Result<usize, CliError> {
        let Resolved { config, info, .. } = resolved(&self.plan, cell, data)?;
        let device = context.settings.device.open()?;
        let mut rng = mintage::nn::Rng::new(cell.seed, 0);
        let build = || mintage::AnyModel::new(&config, &info, &device, &mut rng);
        Ok(mintage::nn::layers::without_numbers(build).parameters())
    }

    /// Seconds of a step, tried out in a folder that is thrown away.
    fn secs_a_step(&self, cell: Cell, data: &AnyData, context: &mut Context) -> Result<f64, CliError> {
        let mut recipe = self.plan.recipe_of(cell);
        (recipe.train.steps, recipe.train.time, recipe.train.previews) = (None, TRIAL_TIME.to_owned(), 0);
        let folder = tempfile::tempdir().map_err(CliError::io("the folder for temporary files"))?;
        let mut run = Run::create(&folder.path().join("trial"), &recipe)?;
        let clock = clock();
        let control = Control { stop: interrupt::watch(), clock: &clock };
        train(&recipe, data, &mut run, &context.settings.device, &control, &mut |_| {})?;
        let file = run.file()?;
        Ok(file.train_secs / file.step.max(1) as f64)
    }
}

/// How all runs were judged.
fn judging_of(comparison: &Comparison) -> String {
    let report = comparison.members().find_map(Member::scores);
    let number = |key: &str| report.and_then(|report| report.get(key)?.as_u64());
    let item = report.and_then(|report| report.get("item")?.as_str()).unwrap_or("item");
    match number("n").zip(number("seed")) {
        Some((n, seed)) => format!(
            "seeds are those of training; each run was judged by {} against as many held-out ones, with seed {seed}",
            count(n as usize, &format!("new {item}"))
        ),
        None => "no run has been judged".to_owned(),
    }
}

fn resolved(plan: &Plan, cell: Cell, data: &AnyData) -> Result<Resolved, CliError> {
    Ok(resolve(&plan.recipe_of(cell), data)?)
}

/// A failure in one line, without what introduces it on a terminal.
fn words(failure: &CliError) -> String {
    let text = failure.text(false);
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ").replace(" hint: ", "; ")
}
