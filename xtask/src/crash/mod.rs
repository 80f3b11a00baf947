//! `cargo xtask crash`: kills the command at random moments, lets several of it write at once, and takes its disk away; and
//! looks each time whether what lay there is as it was, and whether what was begun can be finished.

mod disk;
mod kill;
mod place;
mod race;

use std::{fs, path::PathBuf, time::Instant};

use serde::Serialize;

use crate::{
    Result, append, at, built,
    facts::{Machine, commit, today},
    root,
};
use place::Place;

#[derive(clap::Args)]
pub struct Args {
    /// A minute of it, without a line in bench/results
    #[arg(long)]
    quick: bool,
    /// One part of it alone, without a line in bench/results
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// Of the moments of the kills
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The command, in place of one that is built first
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Build as `cargo run` does, instead of with --release: saves a build where the tests have run
    #[arg(long)]
    dev: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Kills,
    Races,
    Disks,
}

/// One line of `bench/results/crash.jsonl`.
#[derive(Serialize)]
struct Outcome {
    command: String,
    date: String,
    commit: String,
    machine: Machine,
    seconds: f64,
    /// What was tried, and how often.
    tried: Vec<(String, usize)>,
    /// Bytes lost or damaged, runs that cannot go on, files left behind: each in words.
    faults: Vec<String>,
}

/// What is tried, how often, and what went wrong.
struct Trials {
    tried: Vec<(String, usize)>,
    faults: Vec<String>,
    random: u64,
    /// A few of each kind only.
    quick: bool,
}

impl Trials {
    /// `n` trials of a kind, a few where it has to be quick.
    fn of(&mut self, what: &str, n: usize, one: impl FnMut(&mut Self, usize) -> Result<()>) -> Result<()> {
        let n = if self.quick { n.div_ceil(15) } else { n };
        self.all(what, n, one)
    }

    /// `n` trials of a kind, always.
    fn all(
        &mut self,
        what: &str,
        n: usize,
        mut one: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        let before = self.faults.len();
        for number in 0..n {
            one(self, number).map_err(|why| format!("{what}, trial {number}: {why}"))?;
        }
        self.tried.push((what.to_owned(), n));
        println!("{n:>4} {what}: {} faults", self.faults.len() - before);
        Ok(())
    }

    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            let fault = fault();
            println!("     {fault}");
            self.faults.push(fault);
        }
    }

    /// A number from 0 to 1 (xorshift).
    fn share(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub fn run(args: &Args) -> Result<()> {
    let binary = match &args.binary {
        Some(binary) => fs::canonicalize(binary).map_err(at(binary))?,
        None => built(&["--bins"], args.dev)?.join("mintage"),
    };
    let scratch = root().join("runs/crash");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(at(&scratch))?;
    let start = Instant::now();
    let place = Place::new(binary, scratch.clone())?;
    let random = args.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut trials = Trials { tried: Vec::new(), faults: Vec::new(), random, quick: args.quick };
    let wanted = |part| args.only.is_none_or(|only| only == part);
    if wanted(Part::Kills) {
        kill::run(&place, &mut trials)?;
    }
    if wanted(Part::Races) {
        race::run(&place, &mut trials)?;
    }
    if wanted(Part::Disks) {
        disk::run(&place, &mut trials)?;
    }
    let Trials { tried, faults, .. } = trials;
    let all: usize = tried.iter().map(|(_, n)| n).sum();
    println!("{all} trials in {:.0} s, {} faults", start.elapsed().as_secs_f64(), faults.len());
    let failed = faults.len();
    if !args.quick && args.only.is_none() {
        let outcome = Outcome {
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            date: today(),
            commit: commit(),
            machine: Machine::here(),
            seconds: start.elapsed().as_secs_f64().round(),
            tried,
            faults,
        };
        append(&root().join("bench/results/crash.jsonl"), &outcome)?;
    }
    if failed > 0 {
        return Err(format!("{failed} faults; the files are in {}", scratch.display()));
    }
    fs::remove_dir_all(&scratch).map_err(at(&scratch))
}
