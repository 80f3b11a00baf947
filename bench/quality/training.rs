//! Trains a model for a case, or finds the one that an earlier run left.

use std::{path::Path, sync::atomic::AtomicBool, time::Instant};

use mintage::{
    AnyData, AnyModel, Control, Event, Family, Metrics, Model, Recipe, Run,
    nn::{DeviceChoice, kernels::is_fast},
    recipe::Precision,
    train,
};
use serde_json::json;

use crate::Options;

/// Seconds between two lines of progress.
const QUIET_SECS: f64 = 30.0;

/// The family of that name, which ends or begins the name of a case.
pub fn family(name: &str) -> Family {
    Family::ALL.into_iter().find(|family| family.name() == name).unwrap()
}

/// The recipe of a case: its source and family, its minutes unless `--minutes` says otherwise, its
/// settings, and the user's on top.
pub fn recipe(source: &Path, family: Family, minutes: f64, settings: &[&str], options: &Options) -> Recipe {
    let mut recipe = Recipe::for_source(&source.display().to_string());
    recipe.model.family = Some(family);
    recipe.train.time = format!("{}s", options.minutes.unwrap_or(minutes) * 60.0);
    for setting in settings.iter().copied().chain(options.set.iter().map(String::as_str)) {
        recipe.set(setting).unwrap();
    }
    recipe
}

/// The model of a recipe under `runs/quality/NAME`, trained, or trained further, where it is not there.
pub fn trained(recipe: &Recipe, data: &AnyData, name: &str, options: &Options) -> Model {
    let dir = options.runs.join(name);
    if options.fresh {
        let _ = std::fs::remove_dir_all(&dir);
    }
    if !dir.join("model.safetensors").exists() {
        train_in(recipe, data, &dir, &options.device);
    }
    Model::load(&dir, &options.device).unwrap()
}

fn train_in(recipe: &Recipe, data: &AnyData, dir: &Path, device: &DeviceChoice) {
    let start = Instant::now();
    let stop = AtomicBool::new(false);
    let clock = || start.elapsed();
    let mut run = match dir.join("run.json").exists() {
        true => Run::resume(dir).unwrap(),
        false => Run::create(dir, recipe).unwrap(),
    };
    let mut shown = 0.0;
    let control = Control { stop: &stop, clock: &clock };
    train(recipe, data, &mut run, device, &control, &mut |event| match event {
        Event::Step { step, progress, metrics, items_per_sec, .. }
            if start.elapsed().as_secs_f64() - shown > QUIET_SECS =>
        {
            shown = start.elapsed().as_secs_f64();
            eprintln!("{:4.0} % step {step} {items_per_sec:.0}/s {}", progress * 100.0, show(&metrics));
        }
        Event::Valid { step, metrics, best } => {
            eprintln!("valid at {step}: {} {}", show(&metrics), if best { "best" } else { "" });
        }
        Event::Plan(plan) => {
            eprintln!("{} {} {} parameters, batch {}", plan.data, plan.family, plan.parameters, plan.batch);
        }
        Event::Done { step, secs, .. } => {
            eprintln!("done: {step} steps in {secs:.0} s, {:.1} ms a step", secs * 1e3 / step.max(1) as f64);
        }
        Event::Warning { message } => eprintln!("{message}"),
        _ => {}
    })
    .unwrap();
}

fn show(metrics: &Metrics) -> String {
    metrics.0.iter().map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join(" ")
}

/// "vae small, 400 s, 1234 steps of 64": how a model came to be.
pub fn setup(model: &Model, options: &Options) -> String {
    let config = &model.config;
    // Only sequences are learned so.
    let wide = json!(config.model)["width"].as_u64().is_some_and(|width| is_fast(width as usize));
    let recipe = std::fs::read_to_string(model.dir.join("recipe.toml")).unwrap();
    let recipe = Recipe::parse(&recipe).unwrap();
    let fast =
        recipe.train.precision == Precision::Auto && matches!(model.any, AnyModel::Sequence(_)) && wide;
    let place = match &options.device {
        DeviceChoice::Vulkan => "a GPU".to_owned(),
        DeviceChoice::Auto | DeviceChoice::Cpu => format!("{} threads", rayon::current_num_threads()),
    };
    format!(
        "{} {}, trained {:.0} s on {}, {} steps of {}{}",
        config.model.family().name(),
        config.size.name(),
        config.train_secs,
        place,
        config.step,
        config.model.batch(),
        if fast { ", products in bfloat16" } else { "" },
    )
}
