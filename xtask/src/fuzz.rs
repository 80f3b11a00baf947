//! `cargo xtask fuzz`: builds `bench/fuzz`, which mutates everything that is read, and keeps what it
//! counted in `bench/results/fuzz.jsonl`.

use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::Value;

use crate::{
    Result, append, built,
    facts::{Machine, commit, today},
    root, target_dir,
};

#[derive(clap::Args)]
pub struct Args {
    /// How long it takes
    #[arg(default_value_t = 1.0)]
    minutes: f64,
    /// Exactly so many inputs, however long they take
    #[arg(long)]
    inputs: Option<u64>,
    /// Another seed, other inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Processes that try inputs
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Inputs of one group alone: images, clips, idx, sqlite, tables, music, sounds, texts, recipe, model, run, shown
    #[arg(long)]
    only: Option<String>,
    /// The input of this number alone, and what becomes of it
    #[arg(long)]
    replay: Option<u64>,
    /// Keep no figures: what `.ci/run` does
    #[arg(long)]
    quiet: bool,
}

/// One line of `bench/results/fuzz.jsonl`.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    result: Value,
    commit: String,
    date: String,
    machine: Machine,
}

pub fn run(args: &Args) -> Result<()> {
    let target = built(&["--bins", "--example", "fuzz"], true)?;
    let mut fuzz = Command::new(target.join("examples/fuzz"));
    fuzz.current_dir(root()).arg("--command").arg(target.join("mintage"));
    fuzz.arg("--dir").arg(target_dir(true).join("fuzz"));
    let numbers = [
        ("--minutes", Some(args.minutes.to_string())),
        ("--inputs", args.inputs.map(|n| n.to_string())),
        ("--seed", Some(args.seed.to_string())),
        ("--jobs", Some(args.jobs.to_string())),
        ("--only", args.only.clone()),
        ("--replay", args.replay.map(|n| n.to_string())),
    ];
    for (flag, value) in numbers {
        if let Some(value) = value {
            fuzz.args([flag, &value]);
        }
    }
    let done = fuzz.stdout(Stdio::piped()).stderr(Stdio::inherit()).output().map_err(|e| e.to_string())?;
    let out = String::from_utf8_lossy(&done.stdout);
    let result: Value = out
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or("the driver of inputs failed")?;
    println!("{result}");
    if args.replay.is_none() && !args.quiet {
        let line = Line { result, commit: commit(), date: today(), machine: Machine::here() };
        append(&root().join("bench/results/fuzz.jsonl"), &line)?;
    }
    if !done.status.success() {
        eprintln!(
            "error: some inputs failed: they are in {}",
            target_dir(true).join("fuzz/failures").display()
        );
        std::process::exit(1);
    }
    Ok(())
}
