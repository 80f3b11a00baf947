//! `cargo xtask matrix`: the losses of three steps and ten samples of every family over every kind of data, beside
//! those that were recorded on the same machine: a change that is to change no number is seen to change none.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Result, append, at, built,
    facts::{Machine, commit, today},
    root,
};

#[derive(clap::Args)]
pub struct Args {
    /// Take the development build
    #[arg(long)]
    dev: bool,
    /// Record what is found even where it differs: say why in the commit
    #[arg(long)]
    keep: bool,
}

/// What one cell came to; numbers are the same only on the same machine and with the same build profile.
#[derive(Clone, Serialize, Deserialize)]
struct Cell {
    cell: String,
    losses: Value,
    samples: String,
    #[serde(default)]
    profile: String,
    #[serde(default)]
    commit: String,
    #[serde(default)]
    date: String,
    machine: Option<Machine>,
}

pub fn run(args: &Args) -> Result<()> {
    let path = root().join("bench/results/matrix.jsonl");
    let machine = Machine::here();
    let profile = if args.dev { "dev" } else { "release" };
    let recorded = recorded(&path, &machine, profile)?;
    let (mut new, mut differ) = (Vec::new(), Vec::new());
    for cell in cells(args)? {
        match recorded.get(&cell.cell) {
            Some(before) if before.losses == cell.losses && before.samples == cell.samples => {
                println!("{}: as at {}", cell.cell, before.commit);
                continue;
            }
            Some(before) => {
                let what = if before.losses == cell.losses { "samples" } else { "losses" };
                println!("{}: other {what} than at {}", cell.cell, before.commit);
                differ.push(cell.cell.clone());
            }
            None => println!("{}: not recorded yet on this machine", cell.cell),
        }
        new.push(cell);
    }
    if !differ.is_empty() && !args.keep {
        return Err(format!("{} cells differ: {}", differ.len(), differ.join(", ")));
    }
    let facts = (commit(), today());
    new.into_iter().try_for_each(|cell| {
        let (commit, date) = facts.clone();
        let machine = Some(machine.clone());
        append(&path, &Cell { profile: profile.to_owned(), commit, date, machine, ..cell })
    })
}

/// The newest record of each cell on this machine.
fn recorded(path: &std::path::Path, machine: &Machine, profile: &str) -> Result<BTreeMap<String, Cell>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(path).map_err(at(path))?;
    let cells = text.lines().map(|line| serde_json::from_str::<Cell>(line).map_err(|e| e.to_string()));
    let cells = cells.collect::<Result<Vec<Cell>>>()?;
    let here = |cell: &Cell| cell.profile == profile && cell.machine.as_ref() == Some(machine);
    Ok(cells.into_iter().filter(here).map(|cell| (cell.cell.clone(), cell)).collect())
}

/// Runs all cells on one thread.
fn cells(args: &Args) -> Result<Vec<Cell>> {
    let target = built(&["--example", "quality"], args.dev)?;
    let mut example = Command::new(target.join("examples/quality"));
    example.current_dir(root()).args(["matrix", "--threads", "1"]);
    let mut running =
        example.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
    let lines = running.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
    let cells = lines
        .map_while(std::result::Result::ok)
        .map(|line| serde_json::from_str(&line).map_err(|e| format!("{line}: {e}")))
        .collect::<Result<Vec<Cell>>>()?;
    let status = running.wait().map_err(|e| e.to_string())?;
    if status.success() { Ok(cells) } else { Err(format!("the cells ended with {status}")) }
}
