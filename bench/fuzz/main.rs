//! Mutated inputs for everything that is read: files of every format, every file of a model and of a run folder, recipes.
//! `cargo xtask fuzz` builds and starts it.
//!
//! `fuzz --command MINTAGE [--inputs N] [--minutes M] [--seed N] [--jobs N] [--only GROUP] [--replay NUMBER]`
//!
//! Inputs are numbered: (seed, number) says which seed is taken and what is done to it, so a number is all that it takes
//! to try an input again. They are tried inside processes of one's own, which have a limit on memory and are watched: what
//! counts as a failure is a panic, a signal, an answer after more than 20 seconds and more than 1 GB. Failing inputs are
//! kept in `failures` below its folder. The last line on stdout is the result as JSON; the exit code is 1 after a failure.
//!
//! Seeds are made when first asked for, in `seeds` there: parts of the database of `mintage demo` in every format
//! that can be written, three files of sounds that cannot, and a tiny model of every kind and family.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

mod child;
mod drive;
mod formats;
mod inputs;
mod mutate;
mod seeds;

use std::{path::PathBuf, process::ExitCode};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The command `mintage`, which makes seeds and shows runs.
    pub command: PathBuf,
    pub dir: PathBuf,
    pub inputs: Option<u64>,
    pub minutes: f64,
    pub seed: u64,
    pub jobs: usize,
    /// The only group of inputs that is tried.
    pub only: Option<String>,
    pub replay: Option<u64>,
}

fn options() -> Options {
    let mut options = Options {
        command: PathBuf::new(),
        dir: PathBuf::from("target/fuzz"),
        inputs: None,
        minutes: 1.0,
        seed: 1,
        jobs: 2,
        only: None,
        replay: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--command" => options.command = std::path::absolute(value).unwrap(),
            "--dir" => options.dir = PathBuf::from(value),
            "--inputs" => options.inputs = Some(value.parse().unwrap()),
            "--minutes" => options.minutes = value.parse().unwrap(),
            "--seed" => options.seed = value.parse().unwrap(),
            "--jobs" => options.jobs = value.parse().unwrap(),
            "--only" => options.only = Some(value),
            "--replay" => options.replay = Some(value.parse().unwrap()),
            _ => panic!("unknown flag {flag}"),
        }
    }
    std::fs::create_dir_all(&options.dir).unwrap();
    options.dir = options.dir.canonicalize().unwrap();
    options
}

fn main() -> ExitCode {
    let options = options();
    if let Some(number) = std::env::var_os("MINTAGE_FUZZ_CHILD") {
        child::run(&options, &number.to_string_lossy());
        return ExitCode::SUCCESS;
    }
    seeds::make(&options);
    drive::run(&options)
}
