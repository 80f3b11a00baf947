//! Work on the project itself: `cargo xtask check | source | quality | bench | crash | fuzz | matrix | data | generate`.
//!
//! Measured figures are appended to `bench/results/*.jsonl` with the command, the commit and the machine;
//! the tables in `docs/` are made from those files and from nothing else.

#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

mod bench;
mod command;
mod crash;
mod data;
mod databases;
mod defaults;
mod facts;
mod figure;
mod figures;
mod fuzz;
mod generate;
mod judging;
mod matrix;
mod peers;
mod process;
mod python;
mod quality;
mod rows;
mod source;
mod studio;
mod sweeps;
mod tables;

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, Subcommand};
use serde::Serialize;

#[derive(Parser)]
#[command(name = "xtask", about = "Checks, quality runs and generated files of Mintage")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must hold before a change is kept (.ci/run)
    Check,
    /// What no compiler checks about the source: circles of imports, retired words
    Source,
    /// Long measured runs on real data; figures go to bench/results/quality.jsonl
    Quality(quality::Args),
    /// The newest figure of each case of quality, with limits, command, commit and machine
    Figures(figures::Args),
    /// Speed beside that of the peers; figures go to bench/results/speed.jsonl and docs/speed.md
    Bench(bench::Args),
    /// Kills, races and full disks: nothing that was there may be lost; figures go to bench/results/crash.jsonl
    Crash(crash::Args),
    /// Mutated files, model and run folders and recipes: none may end the program; figures go to bench/results/fuzz.jsonl
    Fuzz(fuzz::Args),
    /// Losses and samples of every family over every kind of data, beside those recorded on this machine
    Matrix(matrix::Args),
    /// Put the data sets of the quality runs into data/
    Data(data::Args),
    /// Make again what is made from something else: tables, defaults, pictures, demo-db
    Generate(generate::Args),
}

/// What went wrong, in words.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Check => run(Command::new("bash").arg(root().join(".ci/run"))),
        Task::Source => source::run(),
        Task::Quality(args) => quality::run(&args),
        Task::Figures(args) => figures::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Crash(args) => crash::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Matrix(args) => matrix::run(&args),
        Task::Data(args) => data::run(&args),
        Task::Generate(args) => generate::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Runs a program in the root of the workspace and waits for it.
fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.current_dir(root()).status().map_err(|e| format!("{shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// The cargo that runs this.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds these targets and says where they lie. With the whole workspace: for one package alone the
/// dependencies would be asked for other features, and be compiled anew.
fn built(targets: &[&str], dev: bool) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--workspace"]).args(targets);
    if !dev {
        build.arg("--release");
    }
    run(&mut build)?;
    Ok(target_dir(dev))
}

/// The middle of the values, NaN of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// Where cargo puts what it builds.
fn target_dir(dev: bool) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join(if dev { "debug" } else { "release" })
}

/// Appends a line of JSON to a file of results.
fn append<T: Serialize>(path: &Path, result: &T) -> Result<()> {
    path.parent().map_or(Ok(()), |dir| fs::create_dir_all(dir).map_err(at(dir)))?;
    let mut file = File::options().create(true).append(true).open(path).map_err(at(path))?;
    let line = serde_json::to_string(result).map_err(|e| e.to_string())?;
    writeln!(file, "{line}").map_err(at(path))
}

/// Attaches a path to an I/O error.
fn at(path: &Path) -> impl FnOnce(std::io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_few_and_of_none() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }
}
