//! The quality runs of `cargo xtask quality`: trains on real data and prints one JSON line a figure.
//!
//! `cargo run --example quality -- CASE [--data DIR] [--minutes M] [--threads N]`. Trained models are kept
//! under `runs/quality` and used again; `--fresh` trains anew.

#![allow(clippy::unwrap_used)]

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use mintage::{
    Control, Event, Family, Model, Recipe, Run,
    data::{ImageSet, SourceSpec},
    nn::DeviceChoice,
    train,
};

/// What the command line says.
struct Options {
    case: String,
    data: PathBuf,
    minutes: Option<f64>,
    fresh: bool,
    set: Vec<String>,
    name: Option<String>,
}

fn main() {
    let mut options =
        Options { case: String::new(), data: PathBuf::from("data"), minutes: None, fresh: false, set: Vec::new(), name: None };
    let mut threads = 2;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--data" => options.data = value().into(),
            "--minutes" => options.minutes = Some(value().parse().unwrap()),
            "--threads" => threads = value().parse().unwrap(),
            "--fresh" => options.fresh = true,
            "--name" => options.name = Some(value()),
            "-s" => options.set.push(value()),
            _ => options.case = arg,
        }
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| run_case(&options));
}

fn run_case(options: &Options) {
    match options.case.split_once('/') {
        Some((family, set)) => try_one(options, family, set),
        None => panic!("unknown case {}", options.case),
    }
}

/// `vae/mnist`: trains for the given time, says how fast it was and what validation gave.
fn try_one(options: &Options, family: &str, set: &str) {
    let source = match set {
        "mnist" => options.data.join("images/mnist"),
        "fashion" => PathBuf::from("/usr/share/datasets/fashion-mnist"),
        "emoji" => options.data.join("images/emoji64-rgb-idx4-ubyte.gz"),
        other => PathBuf::from(other),
    };
    let mut recipe = Recipe::for_source(&source.display().to_string());
    recipe.model.family = Family::ALL.into_iter().find(|f| f.name() == family);
    recipe.train.time = format!("{}s", options.minutes.unwrap_or(1.0) * 60.0);
    for assignment in &options.set {
        recipe.set(assignment).unwrap();
    }
    let (model, data) = trained(&recipe, &options.name.clone().unwrap_or(format!("{family}-{set}")), options.fresh);
    println!("{:?}", model.config.valid);
    let holdout = &data.splits().holdout;
    let items = &holdout[..holdout.len().min(100)];
    if let Some(nll) = model.nll(&data.batch(items).unwrap(), 100, 1) {
        println!("nll of 100 holdout items: {:.3}", nll.iter().sum::<f64>() / nll.len() as f64);
    }
}

/// The finished model of `recipe` under `runs/quality/NAME`, trained if it is not there.
fn trained(recipe: &Recipe, name: &str, fresh: bool) -> (Model, Arc<ImageSet>) {
    let dir = PathBuf::from("runs/quality").join(name);
    if fresh {
        let _ = std::fs::remove_dir_all(&dir);
    }
    let data = Arc::new(ImageSet::open(&recipe.data).unwrap());
    if !dir.join("model.safetensors").exists() {
        train_here(recipe, &data, &dir);
    }
    (Model::load(&dir, &DeviceChoice::Cpu).unwrap(), data)
}

fn train_here(recipe: &Recipe, data: &Arc<ImageSet>, dir: &std::path::Path) {
    let start = Instant::now();
    let stop = AtomicBool::new(false);
    let clock = || start.elapsed();
    let mut run = match dir.join("run.json").exists() {
        true => Run::resume(dir).unwrap(),
        false => Run::create(dir, recipe).unwrap(),
    };
    let mut shown = 0.0;
    let mut last = (0, 0.0);
    train(recipe, data, &mut run, &DeviceChoice::Cpu, &Control { stop: &stop, clock: &clock }, &mut |event| match event {
        Event::Step { step, progress, metrics, items_per_sec, .. } => {
            if start.elapsed().as_secs_f64() - shown > 8.0 {
                let now = start.elapsed().as_secs_f64();
                eprintln!("{:.1} ms a step", (now - last.1) * 1e3 / (step - last.0) as f64);
                last = (step, now);
                shown = now;
                eprintln!("{:4.0} % step {step} {items_per_sec:.0}/s {}", progress * 100.0, show(&metrics));
            }
        }
        Event::Valid { step, metrics, best } => eprintln!("valid at {step}: {} {}", show(&metrics), if best { "best" } else { "" }),
        Event::Plan(plan) => eprintln!("{} {} {} parameters, batch {}", plan.data, plan.family, plan.parameters, plan.batch),
        Event::Done { step, secs, .. } => eprintln!("done: {step} steps in {secs:.0} s, {:.1} ms a step", secs * 1e3 / step as f64),
        _ => {}
    })
    .unwrap();
}

fn show(metrics: &mintage::Metrics) -> String {
    metrics.0.iter().map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join(" ")
}

#[allow(dead_code)]
fn spec(source: &str) -> SourceSpec {
    SourceSpec { source: source.to_owned(), ..SourceSpec::default() }
}
